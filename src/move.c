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
 * another trigger suppressed; then the guard errs on the side of refusing.
 */
#include "portpin.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tupconvert.h"
#include "catalog/partition.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"

typedef struct Move
{
	int			depth;			/* of triggers within triggers */
	TransactionId xid;
	CommandId	cid;
	Oid			root;			/* of the partitions */
	Oid			source;			/* partition that the row left */
	HeapTuple	old;
	Oid			target;			/* partition that it came to, once that is known */
	ItemPointerData tid;		/* and where it is there */
} Move;

/*
 * The last move at each depth, so that commands which triggers run on the way
 * don't disturb it.  All in TopTransactionContext, and forgotten with it.
 */
static List *moves = NIL;
static bool forgetting_at_end = false;
static MemoryContextCallback at_end;

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
	moves = NIL;
	forgetting_at_end = false;
}

/* Moves at this depth or deeper are over when another one begins. */
static void
forget_moves_from(int depth)
{
	ListCell   *lc;

	foreach(lc, moves)
	{
		Move	   *move = lfirst(lc);

		if (move->depth >= depth)
		{
			wipe(move);
			heap_freetuple(move->old);
			pfree(move);
			moves = foreach_delete_current(moves, lc);
		}
	}
}

static int
trigger_depth(void)
{
	return DatumGetInt32(OidFunctionCall0(F_PG_TRIGGER_DEPTH));
}

static Oid
partition_root(Relation partition)
{
	return partition->rd_rel->relispartition ?
		llast_oid(get_partition_ancestors(RelationGetRelid(partition))) :
		RelationGetRelid(partition);
}

/* AFTER DELETE: keep the old row if it was moved rather than deleted. */
void
RememberMove(TriggerData *trigdata)
{
	HeapTuple	old = trigdata->tg_trigtuple;
	int			depth;
	MemoryContext caller;
	Move	   *move;

	if (!HeapTupleHeaderIndicatesMovedPartitions(old->t_data))
		return;

	depth = trigger_depth();
	forget_moves_from(depth);

	caller = MemoryContextSwitchTo(TopTransactionContext);
	if (!forgetting_at_end)
	{
		at_end.func = forget_moves;
		MemoryContextRegisterResetCallback(TopTransactionContext, &at_end);
		forgetting_at_end = true;
	}
	move = palloc0(sizeof(Move));
	move->depth = depth;
	move->xid = HeapTupleHeaderGetUpdateXid(old->t_data);
	move->cid = HeapTupleHeaderGetCmax(old->t_data);
	move->root = partition_root(trigdata->tg_relation);
	move->source = RelationGetRelid(trigdata->tg_relation);
	move->old = heap_copytuple(old);
	moves = lappend(moves, move);
	MemoryContextSwitchTo(caller);
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
		move->root != partition_root(trigdata->tg_relation))
		return false;

	if (!OidIsValid(move->target))
	{
		move->target = target;
		move->tid = new->t_self;
	}
	return move->target == target && ItemPointerEquals(&move->tid, &new->t_self);
}

/* The remembered row, as a row of the partition that it moved to. */
static HeapTuple
convert_to_partition(Move *move, Relation target)
{
	Relation	source = table_open(move->source, AccessShareLock);
	TupleConversionMap *map = convert_tuples_by_name(RelationGetDescr(source),
													 RelationGetDescr(target));
	HeapTuple	old = map == NULL ? heap_copytuple(move->old) :
		execute_attr_map_tuple(move->old, map);

	table_close(source, NoLock);
	return old;
}

/* AFTER INSERT: the row as it was before the move; NULL for a row that is new. */
HeapTuple
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
