/*
 * gate_state.h
 *		A statement's gate: what it found, and what it reads accounts with.
 */
#ifndef PORTPIN_GATE_STATE_H
#define PORTPIN_GATE_STATE_H

#include "commands/trigger.h"
#include "fmgr.h"
#include "lib/ilist.h"

#include "pin/pin_memo.h"
#include "trigger/account.h"
#include "trigger/gate.h"
#include "trigger/upsert.h"

typedef struct GateState
{
	dlist_node	node;			/* in the list of those that no statement has */
	uint64		catalogs;		/* their generation when all was found */
	uint64		generation;		/* of the gate cache; 0 if the gate must be
								 * found again */
	MemoryContext mcxt;			/* of what the reader needs */
	Gate		gate;
	AccountReader reader;

	/* Of the statement that has it: */
	MemoryContextCallback at_end;
	bool		in_call;		/* the trigger is running, or it failed */
	PinMemo    *memo;			/* NULL if no account's PIN is hashed */
	InsertedOrder inserted;
} GateState;

extern GateState *BeginGateCall(FunctionCallInfo fcinfo, const TriggerData *trigdata);
extern void EndGateCall(GateState *state);

#endif							/* PORTPIN_GATE_STATE_H */
