/*
 * row_movement.h
 *		Row movement: an UPDATE that moves a row from one partition to another is
 *		a DELETE and an INSERT to every trigger.  Put the two together again.
 */
#ifndef PORTPIN_ROW_MOVEMENT_H
#define PORTPIN_ROW_MOVEMENT_H

#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "utils/rel.h"

extern bool CanFollowMoves(Relation table);
extern void RememberMove(TriggerData *trigdata);
extern TupleTableSlot *RecallMove(TriggerData *trigdata);
extern void ExpectMove(FunctionCallInfo fcinfo, HeapTuple updated);
extern TupleTableSlot *RecallExpectedMove(TriggerData *trigdata);
extern void ForgetMovedRow(TupleTableSlot *row);

#endif							/* PORTPIN_ROW_MOVEMENT_H */
