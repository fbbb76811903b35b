/*
 * row_movement.c
 *		Follow a row that an UPDATE moves from one partition to another.
 *
 * Such a move is a DELETE and an INSERT to every trigger, and fires no AFTER UPDATE.
 * A guard that looks at OLD and NEW is also attached AFTER DELETE, where it remembers
 * the old row, and AFTER INSERT, where it recalls it: together they are the UPDATE
 * that the guard missed.
 *
 * The two belong together if they are of one command, that is if the DELETE's xmax and
 * cmax are the INSERT's xmin and cmin, and if no other row was inserted between them:
 * the executor queues the INSERT of a move right behind its DELETE.  A row that is
 * recalled without having moved can only follow a move whose INSERT another trigger
 * suppressed.  Then the guard of a PIN errs on the side of refusing; the gate takes a
 * new order for the one that vanished, if it has the same account and PIN.
 *
 * BEFORE triggers see the UPDATE, and then the INSERT.  The row as the UPDATE made it
 * is expected to move.  The next INSERT recalls it if by then the row that was updated
 * is marked as moved, in the (sub)transaction of that UPDATE: an UPDATE that was
 * rolled back moved nothing, whatever comes after it.  Each trigger of the partition
 * recalls the row once: a trigger that asks again has another row before it.
 */
#include "postgres.h"

#include "table/row_movement.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tupconvert.h"
#include "access/xact.h"
#include "catalog/partition.h"
#include "catalog/pg_am.h"
#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "nodes/pg_list.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "table/partition.h"

typedef struct RowMovement
{
	int			depth;			/* of triggers within triggers */
	TransactionId xid;
	CommandId	cid;
	Oid			root;			/* of the partitions */
	Oid			source;			/* partition that the row left */
	ItemPointerData source_tid;
	MemoryContext statement;	/* that expects the move; only compared */
	HeapTuple	old;
	Oid			target;			/* partition that it came to, once that is
								 * known */
	ItemPointerData target_tid;
	List	   *recalled_by;	/* triggers BEFORE INSERT there, by OID */
} RowMovement;

/*
 * The last move at each depth, so that commands which triggers run on the way
 * don't disturb it.  All in TopTransactionContext, and forgotten with it.
 */
static List *movements = NIL;
static List *expected = NIL;
static bool forgetting_at_end = false;
static MemoryContextCallback at_end;

/* The statements whose end is watched for, by their memory; each then takes itself off. */
static List *watched = NIL;

/* A row that moved may hold a PIN. */
static void
wipe(RowMovement *movement)
{
	explicit_bzero(movement->old->t_data, movement->old->t_len);
}

static void
forget_movements(void *arg pg_attribute_unused())
{
	ListCell   *lc;

	foreach(lc, movements)
		wipe(lfirst(lc));
	foreach(lc, expected)
		wipe(lfirst(lc));
	movements = NIL;
	expected = NIL;
	watched = NIL;
	forgetting_at_end = false;
}

/* Moves at this depth or deeper are over when another one begins. */
static List *
forget_from(List *list, int depth)
{
	ListCell   *lc;

	foreach(lc, list)
	{
		RowMovement *movement = lfirst(lc);

		if (movement->depth >= depth)
		{
			wipe(movement);
			heap_freetuple(movement->old);
			list_free(movement->recalled_by);
			pfree(movement);
			list = foreach_delete_current(list, lc);
		}
	}
	return list;
}

/*
 * Only the heap marks a row that moves; a foreign table's server does not tell.  A
 * partitioned table has no rows itself.
 */
bool
CanFollowRowMovement(Relation table)
{
	return table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ||
		(table->rd_rel->relkind == RELKIND_RELATION &&
		 table->rd_rel->relam == HEAP_TABLE_AM_OID);
}

static int
trigger_depth(void)
{
	return DatumGetInt32(OidFunctionCall0(F_PG_TRIGGER_DEPTH));
}

/* Put a row on one of the lists, in place of moves that are over. */
static RowMovement *
remember(List **list, TriggerData *trigdata, HeapTuple row)
{
	int			depth = trigger_depth();
	Oid			root = RootOfPartitions(trigdata->tg_relation);
	MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);
	RowMovement *movement = palloc0(sizeof(RowMovement));

	if (!forgetting_at_end)
	{
		at_end.func = forget_movements;
		MemoryContextRegisterResetCallback(TopTransactionContext, &at_end);
		forgetting_at_end = true;
	}
	movement->depth = depth;
	movement->root = root;
	movement->source = RelationGetRelid(trigdata->tg_relation);
	movement->source_tid = trigdata->tg_trigtuple->t_self;
	movement->old = heap_copytuple(row);
	*list = lappend(forget_from(*list, depth), movement);
	MemoryContextSwitchTo(caller);
	return movement;
}

/* AFTER DELETE: keep the old row if it was moved rather than deleted. */
void
RememberRowMovement(TriggerData *trigdata)
{
	HeapTuple	old = trigdata->tg_trigtuple;
	RowMovement *movement;

	if (!HeapTupleHeaderIndicatesMovedPartitions(old->t_data))
		return;
	movement = remember(&movements, trigdata, old);
	movement->xid = HeapTupleHeaderGetUpdateXid(old->t_data);
	movement->cid = HeapTupleHeaderGetCmax(old->t_data);
}

/* Is this the row of the move?  The first one inserted after the DELETE is. */
static bool
is_row_of(RowMovement *movement, TriggerData *trigdata)
{
	HeapTuple	new = trigdata->tg_trigtuple;
	Oid			target = RelationGetRelid(trigdata->tg_relation);

	if (movement->depth != trigger_depth() ||
		movement->xid != HeapTupleHeaderGetXmin(new->t_data) ||
		movement->cid != HeapTupleHeaderGetCmin(new->t_data) ||
		movement->root != RootOfPartitions(trigdata->tg_relation))
		return false;

	if (!OidIsValid(movement->target))
	{
		movement->target = target;
		movement->target_tid = new->t_self;
	}
	return movement->target == target &&
		ItemPointerEquals(&movement->target_tid, &new->t_self);
}

/* The remembered row, as a row of the partition that it moved to. */
static TupleTableSlot *
convert_to_partition(RowMovement *movement, Relation target)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(target),
													&TTSOpsHeapTuple);
	Relation	source = table_open(movement->source, AccessShareLock);
	TupleConversionMap *map = convert_tuples_by_name(RelationGetDescr(source),
													 RelationGetDescr(target));

	ExecStoreHeapTuple(map == NULL ? heap_copytuple(movement->old) :
					   execute_attr_map_tuple(movement->old, map), slot, true);
	table_close(source, NoLock);
	return slot;
}

/* To be called for a row that was recalled: it may hold a PIN. */
void
FreeMovedRow(TupleTableSlot *row)
{
	HeapTuple	tuple = ExecFetchSlotHeapTuple(row, false, NULL);

	explicit_bzero(tuple->t_data, tuple->t_len);
	ExecDropSingleTupleTableSlot(row);
}

/* AFTER INSERT: the row as it was before the move; NULL for a row that is new. */
TupleTableSlot *
RecallRowMovement(TriggerData *trigdata)
{
	ListCell   *lc;

	foreach(lc, movements)
	{
		if (is_row_of(lfirst(lc), trigdata))
			return convert_to_partition(lfirst(lc), trigdata->tg_relation);
	}
	return NULL;
}

/* A statement has ended: the moves that it expected will not come. */
static void
forget_expected(void *statement)
{
	ListCell   *lc;

	foreach(lc, expected)
	{
		RowMovement *movement = lfirst(lc);

		if (movement->statement == statement)
		{
			wipe(movement);
			heap_freetuple(movement->old);
			pfree(movement);
			expected = foreach_delete_current(expected, lc);
		}
	}
	watched = list_delete_ptr(watched, statement);
}

/*
 * Learn of the end of a statement when the memory of its triggers is freed.  A move has
 * been remembered, so the list is forgotten with its memory.
 */
static void
watch_statement(MemoryContext statement)
{
	MemoryContextCallback *at_its_end;
	MemoryContext caller;

	if (list_member_ptr(watched, statement))
		return;
	at_its_end = MemoryContextAlloc(statement, sizeof(MemoryContextCallback));
	at_its_end->func = forget_expected;
	at_its_end->arg = statement;
	MemoryContextRegisterResetCallback(statement, at_its_end);
	caller = MemoryContextSwitchTo(TopTransactionContext);
	watched = lappend(watched, statement);
	MemoryContextSwitchTo(caller);
}

/* BEFORE UPDATE of a partition: the row as it will be, should it have to move. */
void
ExpectRowMovement(FunctionCallInfo fcinfo, HeapTuple updated)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	RowMovement *movement;

	if (!trigdata->tg_relation->rd_rel->relispartition)
		return;
	movement = remember(&expected, trigdata, updated);
	watch_statement(fcinfo->flinfo->fn_mcxt);
	movement->statement = fcinfo->flinfo->fn_mcxt;
	movement->xid = GetCurrentTransactionId();
}

/* Has the row that was to be updated been moved meanwhile, by that UPDATE? */
static bool
has_moved(RowMovement *movement)
{
	Relation	source = table_open(movement->source, AccessShareLock);
	HeapTupleData tuple;
	Buffer		buffer;
	bool		moved = false;

	/* Nothing is known of other access methods. */
	tuple.t_self = movement->source_tid;
	if (source->rd_rel->relam == HEAP_TABLE_AM_OID &&
		heap_fetch(source, SnapshotAny, &tuple, &buffer, false))
	{
		moved = HeapTupleHeaderIndicatesMovedPartitions(tuple.t_data) &&
			HeapTupleHeaderGetUpdateXid(tuple.t_data) == movement->xid &&
			TransactionIdIsCurrentTransactionId(movement->xid);
		ReleaseBuffer(buffer);
	}
	table_close(source, NoLock);
	return moved;
}

/*
 * Is the row that arrives the one that was expected?  The first one is, for as long as
 * its triggers take their turns.
 */
static bool
is_expected(RowMovement *movement, TriggerData *trigdata)
{
	Oid			target = RelationGetRelid(trigdata->tg_relation);
	Oid			trigger = trigdata->tg_trigger->tgoid;
	MemoryContext caller;

	if (OidIsValid(movement->target) &&
		(movement->target != target || list_member_oid(movement->recalled_by, trigger)))
		return false;
	movement->target = target;
	caller = MemoryContextSwitchTo(TopTransactionContext);
	movement->recalled_by = lappend_oid(movement->recalled_by, trigger);
	MemoryContextSwitchTo(caller);
	return true;
}

/* BEFORE INSERT: the row as its UPDATE made it, if it moves here; else NULL. */
TupleTableSlot *
RecallExpectedRowMovement(TriggerData *trigdata)
{
	int			depth;
	ListCell   *lc;

	if (expected == NIL)
		return NULL;
	depth = trigger_depth();
	foreach(lc, expected)
	{
		RowMovement *movement = lfirst(lc);

		if (movement->depth != depth ||
			movement->root != RootOfPartitions(trigdata->tg_relation) || !has_moved(movement))
			continue;
		if (is_expected(movement, trigdata))
			return convert_to_partition(movement, trigdata->tg_relation);
		expected = forget_from(expected, depth);
		break;
	}
	return NULL;
}
