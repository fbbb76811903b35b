/*
 * gates.h
 *		The gates whose way passes through a table.
 */
#ifndef PORTPIN_GATES_H
#define PORTPIN_GATES_H

extern bool GatesOver(Oid accounts, Oid domain, char **tables, char **calls);

#endif							/* PORTPIN_GATES_H */
