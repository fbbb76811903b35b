/*
 * upsert.c
 *		Recognize the two halves of INSERT ... ON CONFLICT DO UPDATE.
 *
 * A gate that fires BEFORE judges the row of the INSERT, and may blank its PIN.  If
 * the row conflicts with another, the UPDATE of that one comes next, with columns of
 * the row that was judged: its PIN is gone, and so is what the verdict rests on.  So
 * the gate keeps the row until the next call.
 *
 * It is not enough that an UPDATE comes next: MERGE, and an UPDATE that moves one
 * row and then changes another, look the same.  The updated row must also be one
 * that the kept row conflicts with: equal in a unique index that is checked
 * immediately.
 */
#include "postgres.h"

#include "trigger/upsert.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/nbtree.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "executor/executor.h"
#include "utils/lsyscache.h"

/* A row that is compared with another in the unique indexes of its table. */
typedef struct IndexedRow
{
	Datum		values[INDEX_MAX_KEYS];
	bool		isnull[INDEX_MAX_KEYS];
} IndexedRow;


/* ----- Keeping a row ----- */

/* Forget the kept row, and wipe it: it may hold a PIN. */
void
ForgetInsertedOrder(InsertedOrder *inserted)
{
	if (inserted->row == NULL)
		return;
	explicit_bzero(inserted->row->t_data, inserted->row->t_len);
	heap_freetuple(inserted->row);
	inserted->row = NULL;
}

static void
forget_at_end(void *inserted)
{
	ForgetInsertedOrder(inserted);
}

/* Keep an order until the next call, or the end of the statement. */
void
KeepInsertedOrder(InsertedOrder *inserted, HeapTuple row, PortVerdict verdict,
				  MemoryContext statement)
{
	MemoryContext caller = MemoryContextSwitchTo(statement);

	if (inserted->statement == NULL)
	{
		inserted->statement = statement;
		inserted->at_end.func = forget_at_end;
		inserted->at_end.arg = inserted;
		MemoryContextRegisterResetCallback(statement, &inserted->at_end);
	}
	ForgetInsertedOrder(inserted);
	inserted->row = heap_copytuple(row);
	inserted->verdict = verdict;
	MemoryContextSwitchTo(caller);
}


/* ----- Does it conflict? ----- */

/* Is the row in the index at all?  If so, form its index entry. */
static bool
form_row(IndexInfo *info, EState *estate, TupleTableSlot *slot, IndexedRow *row)
{
	ExprContext *context = GetPerTupleExprContext(estate);

	context->ecxt_scantuple = slot;
	if (info->ii_Predicate != NIL &&
		!ExecQual(ExecPrepareQual(info->ii_Predicate, estate), context))
		return false;
	info->ii_ExpressionsState = NIL;
	FormIndexDatum(info, slot, estate, row->values, row->isnull);
	return true;
}

/* Does a unique index treat two rows as equal, by its own operators? */
static bool
rows_are_equal(Relation index, const IndexInfo *info, const IndexedRow *a,
			   const IndexedRow *b)
{
	for (int i = 0; i < info->ii_NumIndexKeyAttrs; i++)
	{
		Oid			equal;

		if (a->isnull[i] || b->isnull[i])
		{
			if (!(a->isnull[i] && b->isnull[i] && info->ii_NullsNotDistinct))
				return false;
			continue;
		}
		equal = get_opfamily_member(index->rd_opfamily[i], index->rd_opcintype[i],
									index->rd_opcintype[i], BTEqualStrategyNumber);
		if (!DatumGetBool(OidFunctionCall2Coll(get_opcode(equal), index->rd_indcollation[i],
											   a->values[i], b->values[i])))
			return false;
	}
	return true;
}

/* Can ON CONFLICT find a conflict by this index? */
static bool
is_arbiter(Relation index)
{
	return index->rd_index->indisunique && index->rd_index->indimmediate &&
		index->rd_index->indisready && index->rd_rel->relam == BTREE_AM_OID;
}

static bool
conflicts(Relation orders, TupleTableSlot *a, TupleTableSlot *b)
{
	EState	   *estate = CreateExecutorState();
	bool		found = false;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(orders))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (!found && is_arbiter(index))
		{
			IndexInfo  *info = BuildIndexInfo(index);
			IndexedRow	x;
			IndexedRow	y;

			found = form_row(info, estate, a, &x) && form_row(info, estate, b, &y) &&
				rows_are_equal(index, info, &x, &y);
		}
		index_close(index, AccessShareLock);
	}
	FreeExecutorState(estate);
	return found;
}

/*
 * The order that was inserted, if this UPDATE of an old one is its other half; else
 * NULL.  The caller drops the slot.
 */
TupleTableSlot *
RecallInsertedOrder(const InsertedOrder *inserted, Relation orders, TupleTableSlot *old)
{
	TupleTableSlot *slot;

	if (inserted->row == NULL)
		return NULL;
	slot = MakeSingleTupleTableSlot(RelationGetDescr(orders), &TTSOpsHeapTuple);
	ExecStoreHeapTuple(inserted->row, slot, false);
	if (conflicts(orders, slot, old))
		return slot;
	ExecDropSingleTupleTableSlot(slot);
	return NULL;
}
