/*
 * idle_gate.c
 *		Gates between two statements.
 *
 * To find a gate in the catalogs takes several times as long as to judge an order.
 * Where orders come one by one, that is most of what they cost; so a gate outlives
 * the statement that it was found for, and waits here for the next.
 *
 * A statement has its gate for itself: it is taken from here, and a statement within
 * that statement finds another one.  It comes back when the memory of the statement's
 * trigger is freed, however the statement ended; if it failed with the gate in use,
 * the gate is thrown away, for its slots may name buffers that it has no more.
 *
 * What a gate found holds for one generation of the catalogs (portpin.c), between
 * statements as within one.  Nothing here holds a lock or a reference: LockAccountPath
 * takes the locks for the next statement.  What only a statement may know, being under
 * its locks, is forgotten when it ends: partitions.
 */
#include "postgres.h"

#include "trigger/gate_cache.h"

#include "access/transam.h"
#include "utils/memutils.h"

#include "base/catalog.h"
#include "trigger/account.h"
#include "trigger/gate.h"

/* For so many tables, or partitions, of orders at a time. */
#define MAX_IDLE_GATES 16

/* Each is left when the catalogs are of another generation than it is. */
static Gate *idle_gates[MAX_IDLE_GATES];
static int	next_to_leave = 0;

static void
discard_gate(Gate *gate)
{
	MemoryContextDelete(gate->mcxt);
}

/* The gate of a trigger, if one is idle and up to date. */
static Gate *
take_idle_gate(Oid trigger)
{
	for (int i = 0; i < MAX_IDLE_GATES; i++)
	{
		Gate	   *gate = idle_gates[i];

		if (gate != NULL && gate->trigger == trigger)
		{
			idle_gates[i] = NULL;
			if (gate->generation == CatalogGeneration())
				return gate;
			discard_gate(gate);
			return NULL;
		}
	}
	return NULL;
}

static bool
is_built_in(const FmgrInfo *function)
{
	return function->fn_oid < FirstNormalObjectId;
}

/*
 * A function of somebody's own may remember, with its FmgrInfo, who called it and
 * under which search_path: SQL functions do.  That is meant for one statement.
 */
static bool
calls_built_ins_only(const AccountPath *path)
{
	for (int i = 0; i < path->nsteps; i++)
	{
		const PathStep *step = &path->steps[i];

		for (int k = 0; k < step->key.nkeys; k++)
		{
			if (!is_built_in(&step->key.equal[k]) || !is_built_in(&step->key.cast[k]))
				return false;
		}
	}
	return true;
}

/* A free place, or that of a gate that is of no more use; else they leave in turn. */
static Gate **
find_place(void)
{
	Gate	  **place;

	for (int i = 0; i < MAX_IDLE_GATES; i++)
	{
		place = &idle_gates[i];
		if (*place == NULL || (*place)->generation != CatalogGeneration())
			return place;
	}
	place = &idle_gates[next_to_leave];
	next_to_leave = (next_to_leave + 1) % MAX_IDLE_GATES;
	return place;
}

/* Called when a statement's memory is freed, perhaps by an error: it must not fail. */
static void
release_gate(void *arg)
{
	Gate	   *gate = ((GateLoan *) arg)->gate;
	Gate	  **place;

	if (gate == NULL)
		return;
	if (gate->in_use || gate->generation != CatalogGeneration() ||
		!calls_built_ins_only(&gate->path))
	{
		discard_gate(gate);
		return;
	}
	ForgetPartitions(&gate->path);
	place = find_place();
	if (*place != NULL)
		discard_gate(*place);
	*place = gate;
}

/*
 * Lend a statement the gate of a trigger, until its memory is freed.  The loan is
 * empty if there is none; it may be out of date once its locks are taken.
 */
GateLoan *
LendGate(Oid trigger, MemoryContext statement)
{
	GateLoan   *loan = MemoryContextAllocZero(statement, sizeof(GateLoan));

	loan->at_end.func = release_gate;
	loan->at_end.arg = loan;
	MemoryContextRegisterResetCallback(statement, &loan->at_end);
	loan->gate = take_idle_gate(trigger);
	if (loan->gate != NULL)
		LockAccountPath(&loan->gate->path);
	return loan;
}

/* Keep a gate that has been found, in the place of one that is out of date. */
void
KeepGate(GateLoan *loan, Gate *gate)
{
	if (loan->gate != NULL)
		discard_gate(loan->gate);
	loan->gate = gate;
	MemoryContextSetParent(gate->mcxt, CacheMemoryContext);
}
