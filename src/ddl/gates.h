/*
 * gates.h
 *		The gates whose way passes through a table.
 */
#ifndef PORTPIN_GATES_H
#define PORTPIN_GATES_H

#include "nodes/pg_list.h"
#include "utils/reltrigger.h"

extern List *TablesBefore(Oid accounts);
extern bool LeadsOver(Oid orders, const Trigger *trigger, Oid accounts);
extern bool GatesOver(Oid accounts, Oid domain, char **tables, char **calls);

#endif							/* PORTPIN_GATES_H */
