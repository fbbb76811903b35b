/*
 * order.h
 *		Whether a port order is judged, and the verdict.
 */
#ifndef PORTPIN_ORDER_H
#define PORTPIN_ORDER_H

#include "commands/trigger.h"
#include "datatype/timestamp.h"
#include "executor/tuptable.h"

#include "pin/check.h"
#include "trigger/gate_state.h"

extern bool OrderInScope(TriggerData *trigdata, const Gate *gate,
						 TupleTableSlot *order);
extern bool OrderNeedsJudging(TriggerData *trigdata, GateState *state,
							  TupleTableSlot *old, TupleTableSlot *new);
extern bool InsertedVerdictHolds(const Gate *gate, TupleTableSlot *inserted,
								 TupleTableSlot *old, TupleTableSlot *new);
extern bool JudgeOrder(GateState *state, Relation orders, TupleTableSlot *order,
					   PortVerdict *verdict, TimestampTz *usable_from);

#endif							/* PORTPIN_ORDER_H */
