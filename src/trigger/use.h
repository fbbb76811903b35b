/*
 * use.h
 *		PINs that port once: whether one was used, and noting its use.
 */
#ifndef PORTPIN_USE_H
#define PORTPIN_USE_H

#include "table/lookup.h"
#include "trigger/account_path.h"

extern bool WasUsed(const PathStep *step, const ReferencedRow *holder);
extern bool WasUsedHere(const PathStep *step, const ReferencedRow *holder);
extern bool HoldUnused(const PathStep *step, ReferencedRow *holder);
extern void NoteUse(const PathStep *step, ReferencedRow *holder, Relation orders,
					TupleTableSlot *order, AttrNumber order_pin, Oid domain);

#endif							/* PORTPIN_USE_H */
