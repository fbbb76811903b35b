/*
 * gate_state.c
 *		A statement's gate: what it found, and what it reads accounts with.
 *
 * A statement has the state to itself until it ends, even if another statement that
 * it runs calls the same trigger.  Then it gives the state back for the next
 * statement: where orders come one by one, making one costs as much as judging an
 * order.  The state holds no buffer and no reference between two rows.
 */
#include "postgres.h"

#include "trigger/gate_state.h"

#include "utils/inval.h"
#include "utils/memutils.h"

#include "base/catalog.h"
#include "trigger/gate_cache.h"

/* Find the gate, cached or in the catalogs.  True if it is good for the next row. */
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

/* Find the gate, and get ready to read accounts. */
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
		state->catalogs = CatalogGeneration();
		good = find_gate(fcinfo, trigdata, &state->gate);
		before = GateCacheGeneration();
		InitAccountReader(&state->reader, &state->gate.path,
						  JudgesBeforeKey(&state->gate), state->mcxt);
	} while (before != GateCacheGeneration());
	MemoryContextSwitchTo(caller);
	if (good)
		state->generation = before;
}


/* ----- From one statement to the next ----- */

/* As many as one order may need, and some more. */
#define MAX_IDLE_STATES 8

/* Those that no statement has, the most recently used first. */
static dlist_head idle_states = DLIST_STATIC_INIT(idle_states);
static int	idle_count = 0;

static GateState *
create_state(void)
{
	GateState  *state = MemoryContextAllocZero(CacheMemoryContext, sizeof(GateState));

	state->mcxt = AllocSetContextCreate(CacheMemoryContext, GATE_TRIGGER,
										ALLOCSET_SMALL_SIZES);
	return state;
}

static void
destroy_state(GateState *state)
{
	MemoryContextDelete(state->mcxt);
	pfree(state);
}

static GateState *
take_idle_state(Oid trigger)
{
	dlist_iter	iter;

	dlist_foreach(iter, &idle_states)
	{
		GateState  *state = dlist_container(GateState, node, iter.cur);

		if (state->gate.trigger == trigger)
		{
			dlist_delete(&state->node);
			idle_count--;
			return state;
		}
	}
	return NULL;
}

/*
 * The statement has ended.  If it ended inside a call, an error has left slots and
 * scans behind in an unknown state.
 */
static void
give_back(void *arg)
{
	GateState  *state = arg;

	if (state->in_call || !ReaderOutlivesStatement(&state->reader))
	{
		destroy_state(state);
		return;
	}
	dlist_push_head(&idle_states, &state->node);
	if (++idle_count > MAX_IDLE_STATES)
	{
		GateState  *oldest = dlist_tail_element(GateState, node, &idle_states);

		dlist_delete(&oldest->node);
		idle_count--;
		destroy_state(oldest);
	}
}

/*
 * A state that an earlier statement gave back, or a new one.  If a catalog has
 * changed since, its gate must be found again.
 */
static GateState *
take_state(Oid trigger, MemoryContext statement)
{
	GateState  *state = take_idle_state(trigger);

	if (state == NULL)
		state = create_state();
	state->in_call = true;
	state->memo = NULL;
	memset(&state->inserted, 0, sizeof(InsertedOrder));
	state->at_end.func = give_back;
	state->at_end.arg = state;
	MemoryContextRegisterResetCallback(statement, &state->at_end);

	/* The locks that are taken here can bring changes to light. */
	if (state->catalogs == CatalogGeneration())
		LockForReader(&state->reader);
	if (state->catalogs != CatalogGeneration())
		state->generation = 0;
	return state;
}


/* ----- Calls ----- */

/*
 * The gate of this trigger, found again if the catalogs have changed.  A guard of
 * accounts can be replaced while a transaction that has placed orders is open.  That
 * transaction holds its locks already, so taking them would not tell it of the
 * change.
 */
GateState *
BeginGateCall(FunctionCallInfo fcinfo, const TriggerData *trigdata)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	GateState  *state = flinfo->fn_extra;

	AcceptInvalidationMessages();
	if (state == NULL)
		flinfo->fn_extra = state = take_state(trigdata->tg_trigger->tgoid, flinfo->fn_mcxt);
	state->in_call = true;
	if (state->generation != GateCacheGeneration())
		set_up(state, fcinfo, trigdata);
	if (state->gate.path.sealed && state->memo == NULL)
		state->memo = CreatePinMemo(flinfo->fn_mcxt);
	return state;
}

/* The call ends without an error. */
void
EndGateCall(GateState *state)
{
	state->in_call = false;
}
