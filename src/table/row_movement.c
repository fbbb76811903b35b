/*
 * move.c
 *		Follow a row that an UPDATE moves from one partition to another.
 *
 * Such a move is a DELETE and an INSERT to every trigger, and fires no AFTER
 * UPDATE.  A guard that looks at OLD and NEW has itself attached AFTER DELETE,
 * which remembers the old row, and AFTER INSERT, which recalls it: together they
 * are the UPDATE that the guard missed.
 *
 * The two belong together if they are of one command, that is if the DELETE's
 * xmax and cmax are the INSERT's xmin and cmin, and if no other row was inserted
 * between them: the executor queues the INSERT of a move right behind its DELETE.
 * A row that is recalled without having moved can only follow a move whose INSERT
 * another trigger suppressed.  Then the keep guard errs on the side of refusing; the
 * gate takes a new order for the one that vanished, if it has its account and PIN.
 *
 * BEFORE triggers see the UPDATE, and then the INSERT.  What the UPDATE made of
 * the row is expected to move, and recalled by the next INSERT if the row that was
 * updated is marked as moved by then, in the (sub)transaction of that UPDATE: one
 * that was rolled back moved nothing, whatever comes after it.  Each trigger of the
 * partition recalls it once: a trigger that asks again has another row before it.
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

typedef struct Move
{
	int			depth;			/* of triggers within triggers */
	TransactionId xid;
	CommandId	cid;
	Oid			root;			/* of the partitions */
	Oid			source;			/* partition that the row left */
	ItemPointerData source_tid;
	MemoryContext statement;	/* that expects the move; only a name */
	HeapTuple	old;
	Oid			target;			/* partition that it came to, once that is known */
	ItemPointerData target_tid;
	List	   *recalled_by;	/* triggers BEFORE INSERT there, by OID */
} Move;

/*
 * The last move at each depth, so that commands which triggers run on the way
 * don't disturb it.  All in TopTransactionContext, and forgotten with it.
 */
static List *moves = NIL;
static List *expected = NIL;
static bool forgetting_at_end = false;
static MemoryContextCallback at_end;

/* The statement whose end was last asked to be told; NULL when it has ended. */
static MemoryContext watched_statement = NULL;

/* A row that moved may hold a PIN. */
static void
wipe(Move *move)
{
	explicit_bzero(move->old->t_data, move->old->t_len);
}

static void
forget_moves(void *arg pg_attribute_unused())
{
	ListCell   *lc;

	foreach(lc, moves)
		wipe(lfirst(lc));
	foreach(lc, expected)
		wipe(lfirst(lc));
	moves = NIL;
	expected = NIL;
	forgetting_at_end = false;
}

/* Moves at this depth or deeper are over when another one begins. */
static List *
forget_from(List *list, int depth)
{
	ListCell   *lc;

	foreach(lc, list)
	{
		Move	   *move = lfirst(lc);

		if (move->depth >= depth)
		{
			wipe(move);
			heap_freetuple(move->old);
			list_free(move->recalled_by);
			pfree(move);
			list = foreach_delete_current(list, lc);
		}
	}
	return list;
}

/*
 * Only the heap marks a row that moves; a foreign table's server does not tell.
 * What has partitions has no rows itself.
 */
bool
CanFollowMoves(Relation table)
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

/* Put a row on one of the lists, in place of what is over. */
static Move *
remember(List **list, TriggerData *trigdata, HeapTuple row)
{
	int			depth = trigger_depth();
	Oid			root = RootOfPartitions(trigdata->tg_relation);
	MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);
	Move	   *move = palloc0(sizeof(Move));

	if (!forgetting_at_end)
	{
		at_end.func = forget_moves;
		MemoryContextRegisterResetCallback(TopTransactionContext, &at_end);
		forgetting_at_end = true;
	}
	move->depth = depth;
	move->root = root;
	move->source = RelationGetRelid(trigdata->tg_relation);
	move->source_tid = trigdata->tg_trigtuple->t_self;
	move->old = heap_copytuple(row);
	*list = lappend(forget_from(*list, depth), move);
	MemoryContextSwitchTo(caller);
	return move;
}

/* AFTER DELETE: keep the old row if it was moved rather than deleted. */
void
RememberMove(TriggerData *trigdata)
{
	HeapTuple	old = trigdata->tg_trigtuple;
	Move	   *move;

	if (!HeapTupleHeaderIndicatesMovedPartitions(old->t_data))
		return;
	move = remember(&moves, trigdata, old);
	move->xid = HeapTupleHeaderGetUpdateXid(old->t_data);
	move->cid = HeapTupleHeaderGetCmax(old->t_data);
}

/* Is this the row of the move?  The first one inserted after the DELETE is. */
static bool
is_row_of(Move *move, TriggerData *trigdata)
{
	HeapTuple	new = trigdata->tg_trigtuple;
	Oid			target = RelationGetRelid(trigdata->tg_relation);

	if (move->depth != trigger_depth() ||
		move->xid != HeapTupleHeaderGetXmin(new->t_data) ||
		move->cid != HeapTupleHeaderGetCmin(new->t_data) ||
		move->root != RootOfPartitions(trigdata->tg_relation))
		return false;

	if (!OidIsValid(move->target))
	{
		move->target = target;
		move->target_tid = new->t_self;
	}
	return move->target == target &&
		ItemPointerEquals(&move->target_tid, &new->t_self);
}

/* The remembered row, as a row of the partition that it moved to. */
static TupleTableSlot *
convert_to_partition(Move *move, Relation target)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(target),
													&TTSOpsHeapTuple);
	Relation	source = table_open(move->source, AccessShareLock);
	TupleConversionMap *map = convert_tuples_by_name(RelationGetDescr(source),
													 RelationGetDescr(target));

	ExecStoreHeapTuple(map == NULL ? heap_copytuple(move->old) :
					   execute_attr_map_tuple(move->old, map), slot, true);
	table_close(source, NoLock);
	return slot;
}

/* To be called for a row that was recalled: it may hold a PIN. */
void
ForgetMovedRow(TupleTableSlot *row)
{
	HeapTuple	tuple = ExecFetchSlotHeapTuple(row, false, NULL);

	explicit_bzero(tuple->t_data, tuple->t_len);
	ExecDropSingleTupleTableSlot(row);
}

/* AFTER INSERT: the row as it was before the move; NULL for a row that is new. */
TupleTableSlot *
RecallMove(TriggerData *trigdata)
{
	ListCell   *lc;

	foreach(lc, moves)
	{
		if (is_row_of(lfirst(lc), trigdata))
			return convert_to_partition(lfirst(lc), trigdata->tg_relation);
	}
	return NULL;
}

/* A statement has ended: the moves that it expected don't come any more. */
static void
forget_expected(void *statement)
{
	ListCell   *lc;

	foreach(lc, expected)
	{
		Move	   *move = lfirst(lc);

		if (move->statement == statement)
		{
			wipe(move);
			heap_freetuple(move->old);
			pfree(move);
			expected = foreach_delete_current(expected, lc);
		}
	}
	if (watched_statement == statement)
		watched_statement = NULL;
}

/* The memory of a statement's triggers ends with it, and tells so. */
static void
watch_statement(MemoryContext statement)
{
	MemoryContextCallback *at_its_end;

	if (watched_statement == statement)
		return;
	at_its_end = MemoryContextAlloc(statement, sizeof(MemoryContextCallback));
	at_its_end->func = forget_expected;
	at_its_end->arg = statement;
	MemoryContextRegisterResetCallback(statement, at_its_end);
	watched_statement = statement;
}

/* BEFORE UPDATE of a partition: the row as it will be, should it have to move. */
void
ExpectMove(FunctionCallInfo fcinfo, HeapTuple updated)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	Move	   *move;

	if (!trigdata->tg_relation->rd_rel->relispartition)
		return;
	watch_statement(fcinfo->flinfo->fn_mcxt);
	move = remember(&expected, trigdata, updated);
	move->statement = fcinfo->flinfo->fn_mcxt;
	move->xid = GetCurrentTransactionId();
}

/* Has the row that was to be updated been moved meanwhile, by that UPDATE? */
static bool
has_moved(Move *move)
{
	Relation	source = table_open(move->source, AccessShareLock);
	HeapTupleData tuple;
	Buffer		buffer;
	bool		moved = false;

	/* Of other access methods nothing is known. */
	tuple.t_self = move->source_tid;
	if (source->rd_rel->relam == HEAP_TABLE_AM_OID &&
		heap_fetch(source, SnapshotAny, &tuple, &buffer, false))
	{
		moved = HeapTupleHeaderIndicatesMovedPartitions(tuple.t_data) &&
			HeapTupleHeaderGetUpdateXid(tuple.t_data) == move->xid &&
			TransactionIdIsCurrentTransactionId(move->xid);
		ReleaseBuffer(buffer);
	}
	table_close(source, NoLock);
	return moved;
}

/*
 * Is the row that comes in the one that was expected?  The first is, for as long
 * as its triggers take their turns.
 */
static bool
is_expected(Move *move, TriggerData *trigdata)
{
	Oid			target = RelationGetRelid(trigdata->tg_relation);
	Oid			trigger = trigdata->tg_trigger->tgoid;
	MemoryContext caller;

	if (OidIsValid(move->target) &&
		(move->target != target || list_member_oid(move->recalled_by, trigger)))
		return false;
	move->target = target;
	caller = MemoryContextSwitchTo(TopTransactionContext);
	move->recalled_by = lappend_oid(move->recalled_by, trigger);
	MemoryContextSwitchTo(caller);
	return true;
}

/* BEFORE INSERT: the row as its UPDATE made it, if it moves here; else NULL. */
TupleTableSlot *
RecallExpectedMove(TriggerData *trigdata)
{
	int			depth;
	ListCell   *lc;

	if (expected == NIL)
		return NULL;
	depth = trigger_depth();
	foreach(lc, expected)
	{
		Move	   *move = lfirst(lc);

		if (move->depth != depth ||
			move->root != RootOfPartitions(trigdata->tg_relation) || !has_moved(move))
			continue;
		if (is_expected(move, trigdata))
			return convert_to_partition(move, trigdata->tg_relation);
		expected = forget_from(expected, depth);
		break;
	}
	return NULL;
}
