/*
 * order.h
 *		Whether a port order is judged, and the verdict.
 */
#ifndef PORTPIN_ORDER_H
#define PORTPIN_ORDER_H

#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "pin/check.h"
#include "trigger/gate.h"

extern bool OrderInScope(TriggerData *trigdata, const Gate *gate,
						 TupleTableSlot *order);
extern bool OrderNeedsJudging(TriggerData *trigdata, Gate *gate,
							  TupleTableSlot *old, TupleTableSlot *new);
extern PortVerdict JudgeOrder(Gate *gate, Relation orders, TupleTableSlot *order);

#endif							/* PORTPIN_ORDER_H */
