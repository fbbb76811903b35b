/*
 * guards.h
 *		What is wrong with the guards that there are.
 */
#ifndef PORTPIN_GUARDS_H
#define PORTPIN_GUARDS_H

extern void NoteRefusingGates(Oid accounts, Oid domain);

#endif							/* PORTPIN_GUARDS_H */
