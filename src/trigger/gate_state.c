/*
 * gate_state.c
 *		What a statement has of a gate: what it found, and what it reads accounts with.
 *
 * It lives in the memory of the statement's trigger and goes with it, however the
 * statement ends; it holds no buffer and no reference between two rows.
 */
#include "postgres.h"

#include "trigger/gate_state.h"

#include "utils/inval.h"
#include "utils/memutils.h"

#include "base/catalog.h"
#include "trigger/gate_cache.h"

/* Find the gate: in the cache, or in the catalogs.  Is it good for the next row, too? */
static bool
find_gate(FunctionCallInfo fcinfo, const TriggerData *trigdata, Gate *gate)
{
	const Gate *known = LookUpGate(trigdata->tg_trigger->tgoid);
	uint64		before;

	if (known != NULL)
	{
		*gate = *known;
		return true;
	}
	before = CatalogGeneration();
	FindGateOfTrigger(fcinfo, trigdata, gate);
	if (before != CatalogGeneration())
		return false;
	StoreGate(gate);
	return true;
}

static void
set_up(GateState *state, FunctionCallInfo fcinfo, const TriggerData *trigdata)
{
	MemoryContext caller;
	uint64		before;
	bool		good;

	MemoryContextReset(state->mcxt);
	state->generation = 0;
	caller = MemoryContextSwitchTo(state->mcxt);
	do
	{
		/* The locks that are taken here can bring changes to light. */
		good = find_gate(fcinfo, trigdata, &state->gate);
		before = GateCacheGeneration();
		InitAccountReader(&state->reader, &state->gate.path,
						  JudgesBeforeKey(&state->gate), state->mcxt);
	} while (before != GateCacheGeneration());
	state->memo = state->gate.path.sealed ? CreatePinMemo(state->mcxt) : NULL;
	MemoryContextSwitchTo(caller);
	if (good)
		state->generation = before;
}

/*
 * The gate of this trigger, found again where the catalogs have changed.  A guard of
 * accounts can be replaced beside an open transaction that has placed orders: it
 * holds its locks already, so it would not hear of the change by taking them.
 */
GateState *
GetGateState(FunctionCallInfo fcinfo, const TriggerData *trigdata)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	GateState  *state = flinfo->fn_extra;

	if (state == NULL)
	{
		state = MemoryContextAlloc(flinfo->fn_mcxt, sizeof(GateState));
		state->generation = 0;
		memset(&state->inserted, 0, sizeof(InsertedOrder));
		state->mcxt = AllocSetContextCreate(flinfo->fn_mcxt, GATE_TRIGGER,
											ALLOCSET_SMALL_SIZES);
		flinfo->fn_extra = state;
	}
	AcceptInvalidationMessages();
	if (state->generation != GateCacheGeneration())
		set_up(state, fcinfo, trigdata);
	return state;
}
