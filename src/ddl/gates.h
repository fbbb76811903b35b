/*
 * gates.h
 *		The gates that lead over a table.
 */
#ifndef PORTPIN_GATES_H
#define PORTPIN_GATES_H

#include "nodes/pg_list.h"

extern List *GatesOver(Oid accounts, Oid domain);
extern char *GateList(List *gates);
extern char *UngateCall(Oid orders, Oid domain);

#endif							/* PORTPIN_GATES_H */
