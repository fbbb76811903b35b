/*
 * gate_state.h
 *		What a statement has of a gate: what it found, and what it reads accounts with.
 */
#ifndef PORTPIN_GATE_STATE_H
#define PORTPIN_GATE_STATE_H

#include "commands/trigger.h"
#include "fmgr.h"

#include "pin/pin_memo.h"
#include "trigger/account.h"
#include "trigger/gate.h"
#include "trigger/upsert.h"

typedef struct GateState
{
	uint64		generation;		/* of the gate cache; 0 if the gate must be
								 * found again */
	MemoryContext mcxt;			/* of all that follows */
	Gate		gate;
	AccountReader reader;
	PinMemo    *memo;			/* NULL if no account's PIN is hashed */
	InsertedOrder inserted;		/* in the memory of the statement itself */
} GateState;

extern GateState *GetGateState(FunctionCallInfo fcinfo, const TriggerData *trigdata);

#endif							/* PORTPIN_GATE_STATE_H */
