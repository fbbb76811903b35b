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

extern bool CanFollowRowMovement(Relation table);
extern void RememberRowMovement(TriggerData *trigdata);
extern TupleTableSlot *RecallRowMovement(TriggerData *trigdata);
extern void ExpectRowMovement(FunctionCallInfo fcinfo, HeapTuple updated);
extern TupleTableSlot *RecallExpectedRowMovement(TriggerData *trigdata);
extern void FreeMovedRow(TupleTableSlot *row);

#endif							/* PORTPIN_ROW_MOVEMENT_H */
