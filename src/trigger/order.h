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

/* What was found out about an order. */
typedef struct Judgment
{
	bool		judged;			/* its account is in scope, or locked */
	PortVerdict verdict;		/* if it was judged; else accepted */
	TimestampTz usable_from;	/* of a PIN that is too new */
} Judgment;

extern bool OrderInScope(TriggerData *trigdata, const Gate *gate,
						 TupleTableSlot *order);
extern bool OrderNeedsJudging(TriggerData *trigdata, GateState *state,
							  TupleTableSlot *old, TupleTableSlot *new);
extern bool InsertedVerdictHolds(const Gate *gate, TupleTableSlot *inserted,
								 TupleTableSlot *old, TupleTableSlot *new);
extern Judgment JudgeOrder(GateState *state, const TriggerData *trigdata,
						   TupleTableSlot *order);
extern void NoteAcceptedOrder(GateState *state, const TriggerData *trigdata,
							  TupleTableSlot *order);

#endif							/* PORTPIN_ORDER_H */
