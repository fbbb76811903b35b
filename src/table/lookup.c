/*
 * lookup.c
 *		Look a key up: the row that a foreign key leads to.
 *
 * The row is read through the key's own unique index: no SQL, so no search_path, no
 * privileges of the role that fires the trigger and no row security.  (account_path.c
 * checks the privileges that count.)
 *
 * In a partitioned table only the partition that can have the key is searched; or all
 * of them where that can't be told, because the bounds compare another type, or by
 * another collation, than the key does.
 *
 * What is found out about tables and partitions is kept for the statement's other
 * rows, and so is the scan of an index; for a table without partitions both are kept
 * for later statements, too.  Between two look-ups the scan holds no pin and no
 * reference, so there is nothing to let go of when the statement ends or fails: a
 * relation without references stays where it is until a message says that it has
 * changed, and then the catalogs are of another generation.
 */
#include "postgres.h"

#include "table/lookup.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/tupconvert.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "partitioning/partdesc.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/error.h"
#include "table/partition.h"

/* A table that a key leads to, or one of its partitions. */
typedef struct KeyedTable
{
	Oid			table;
	Oid			index;			/* its unique index */

	/* If it has no rows, but partitions: */
	int			nparts;
	struct KeyedTable **parts;	/* each NULL until it is looked into */
	PartitionRouting routing;

	/* If it has rows; each slot is empty between two look-ups: */
	TupleTableSlot *slot;
	TupleTableSlot *columns;	/* the same row, with the columns of the whole
								 * table */
	TupleConversionMap *map;	/* from one to the other; NULL if they are one */
	bool		keeps_scan;
	IndexScanDesc scan;			/* NULL until it is used; see open_scan */
	uint64		generation;		/* of the catalogs, in which it was begun */
	int			uses;
	MemoryContext scan_mcxt;
} KeyedTable;

/* A scan is begun anew after so many look-ups, as operators may leave memory behind. */
#define MAX_SCAN_USES 1000

/* What it takes to look a key up again and again. */
struct KeyLookup
{
	const ForeignKey *key;
	MemoryContext mcxt;			/* of all that follows */
	FmgrInfo   *equal;			/* for each column of the key */
	FmgrInfo   *cast;			/* likewise; fn_oid is invalid where none is
								 * needed */
	KeyedTable *table;			/* NULL until it is looked into */
};

/* One look-up. */
typedef struct Search
{
	KeyLookup  *lookup;
	const KeyValue *value;
	Snapshot	snapshot;
} Search;


/* ----- Tables and partitions ----- */

/* A slot with a row type of its own, so that it can outlive the open relation. */
static TupleTableSlot *
make_slot(TupleDesc row, const TupleTableSlotOps *ops)
{
	return MakeSingleTupleTableSlot(CreateTupleDescCopyConstr(row), ops);
}

static void
describe_rows(KeyedTable *keyed, Relation table, Relation whole)
{
	keyed->slot = make_slot(RelationGetDescr(table), table_slot_callbacks(table));
	keyed->columns = keyed->slot;

	/* Nothing is known of what other access methods keep in a scan. */
	keyed->keeps_scan = FinishedScanHoldsNoPin && table->rd_rel->relam == HEAP_TABLE_AM_OID;
	if (table == whole)
		return;
	keyed->map = convert_tuples_by_name(keyed->slot->tts_tupleDescriptor,
										RelationGetDescr(whole));
	if (keyed->map != NULL)
		keyed->columns = make_slot(RelationGetDescr(whole), &TTSOpsVirtual);
}

static void
describe_partitions(const ForeignKey *key, KeyedTable *keyed, Relation table, Relation index)
{
	keyed->nparts = RelationGetPartitionDesc(table, true)->nparts;
	keyed->parts = palloc0(sizeof(KeyedTable *) * keyed->nparts);
	DescribePartitionRouting(key, table, index, &keyed->routing);
}

/* Find out what it takes to look a key up in a table; locks its index. */
static KeyedTable *
describe_table(KeyLookup *lookup, Relation table, Oid indexid, Relation whole)
{
	Relation	index = index_open(indexid, AccessShareLock);
	MemoryContext caller = MemoryContextSwitchTo(lookup->mcxt);
	KeyedTable *keyed = palloc0(sizeof(KeyedTable));

	keyed->table = RelationGetRelid(table);
	keyed->index = indexid;
	if (table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		describe_partitions(lookup->key, keyed, table, index);
	else
		describe_rows(keyed, table, whole);
	MemoryContextSwitchTo(caller);
	index_close(index, NoLock);
	return keyed;
}

/* The same for a partition; partitions may have come or gone meanwhile. */
static KeyedTable *
describe_partition(Search *search, KeyedTable *keyed, PartitionDesc partitions, int part)
{
	Oid			relid = partitions->oids[part];

	if (keyed->nparts != partitions->nparts)
	{
		keyed->nparts = partitions->nparts;
		keyed->parts = MemoryContextAllocZero(search->lookup->mcxt,
											  sizeof(KeyedTable *) * keyed->nparts);
	}
	if (keyed->parts[part] == NULL || keyed->parts[part]->table != relid)
	{
		Relation	whole = table_open(search->lookup->key->referenced, NoLock);
		Relation	partition = table_open(relid, AccessShareLock);

		keyed->parts[part] =
			describe_table(search->lookup, partition,
						   IndexOfPartition(partition, keyed->index), whole);
		table_close(partition, NoLock);
		table_close(whole, NoLock);
	}
	return keyed->parts[part];
}

/*
 * Lock a relation, unless the foreign key's own check has done so: locking it twice
 * costs twice as much.
 */
static void
lock_for_reading(Oid relid)
{
	if (!RelationIsLockedByMe(relid))
		LockRelationOid(relid, AccessShareLock);
}

/*
 * Lock the table and its index, in each statement: what is known of them may be from
 * an earlier one.
 */
void
LockForLookup(const KeyLookup *lookup)
{
	lock_for_reading(lookup->key->referenced);
	lock_for_reading(lookup->key->index);
}

/* Get ready to look a key up, for as long as this memory lasts. */
KeyLookup *
CreateKeyLookup(const ForeignKey *key, MemoryContext mcxt)
{
	KeyLookup  *lookup = MemoryContextAllocZero(mcxt, sizeof(KeyLookup));
	Size		size = key->nkeys * sizeof(FmgrInfo);

	lookup->key = key;
	lookup->mcxt = mcxt;
	lookup->equal = MemoryContextAllocZero(mcxt, size);
	lookup->cast = MemoryContextAllocZero(mcxt, size);
	for (int i = 0; i < key->nkeys; i++)
	{
		fmgr_info_cxt(key->equal[i], &lookup->equal[i], mcxt);
		if (OidIsValid(key->cast[i]))
			fmgr_info_cxt(key->cast[i], &lookup->cast[i], mcxt);
	}
	LockForLookup(lookup);
	return lookup;
}

/*
 * Can another statement look the key up with what this one has?  Not if it would have
 * to lock partitions that this one has found, and not if a function is user-defined:
 * that may remember, with its FmgrInfo, who called it and under which search_path.
 */
bool
LookupOutlivesStatement(const KeyLookup *lookup)
{
	const ForeignKey *key = lookup->key;

	for (int i = 0; i < key->nkeys; i++)
	{
		if (key->equal[i] >= FirstNormalObjectId || key->cast[i] >= FirstNormalObjectId)
			return false;
	}
	return lookup->table == NULL || lookup->table->slot != NULL;
}


/* ----- Reading the row ----- */

/*
 * Cast a value as the foreign key does.  A cast may also take the type modifier, and
 * whether it is explicit; it gets only what it takes.
 */
static Datum
cast_value(FmgrInfo *cast, Datum value)
{
	switch (cast->fn_nargs)
	{
		case 1:
			return FunctionCall1(cast, value);
		case 2:
			return FunctionCall2(cast, value, Int32GetDatum(-1));
		default:
			return FunctionCall3(cast, value, Int32GetDatum(-1), BoolGetDatum(false));
	}
}

/* The key in a referencing row, as the index of the referenced table wants it. */
void
KeyOfRow(KeyLookup *lookup, TupleTableSlot *row, KeyValue *value)
{
	const ForeignKey *key = lookup->key;

	value->complete = true;
	for (int i = 0; i < key->nkeys; i++)
	{
		bool		isnull;
		Datum		column = slot_getattr(row, key->from[i], &isnull);

		if (isnull)
			value->complete = false;
		else if (OidIsValid(key->cast[i]))
			column = cast_value(&lookup->cast[i], column);
		value->values[i] = column;
	}
}

/* The scan keys that look for a value. */
static void
make_scan_keys(const KeyLookup *lookup, const KeyValue *value, Relation index,
			   ScanKeyData *scankeys)
{
	const ForeignKey *key = lookup->key;

	for (int i = 0; i < key->nkeys; i++)
	{
		AttrNumber	position = key->position[i];

		ScanKeyEntryInitializeWithInfo(&scankeys[position - 1], 0, position,
									   BTEqualStrategyNumber, key->operand[i],
									   index->rd_indcollation[position - 1],
									   &lookup->equal[i], value->values[i]);
	}
}

/* Begin to look for a value in an index, by a scan that is used once. */
static IndexScanDesc
begin_key_scan(KeyLookup *lookup, const KeyValue *value, Relation table,
			   Relation index, Snapshot snapshot)
{
	ScanKeyData scankeys[INDEX_MAX_KEYS];
	IndexScanDesc scan = begin_index_scan(table, index, snapshot, lookup->key->nkeys);

	make_scan_keys(lookup, value, index, scankeys);
	index_rescan(scan, scankeys, lookup->key->nkeys, NULL, 0);
	return scan;
}

/*
 * Begin a scan that is used again and again.  What its access method keeps is in
 * memory of its own, which is reset when the next scan takes its place: the old scan
 * can't be ended, as the relations that it names may be gone.
 */
static void
begin_kept_scan(KeyLookup *lookup, KeyedTable *keyed, Snapshot snapshot)
{
	Relation	table = table_open(keyed->table, NoLock);
	Relation	index = index_open(keyed->index, NoLock);
	MemoryContext caller;

	keyed->scan = NULL;
	if (keyed->scan_mcxt == NULL)
		keyed->scan_mcxt = AllocSetContextCreate(lookup->mcxt, "scan for a port PIN",
												 ALLOCSET_SMALL_SIZES);
	MemoryContextReset(keyed->scan_mcxt);
	keyed->generation = CatalogGeneration();
	keyed->uses = 0;
	caller = MemoryContextSwitchTo(keyed->scan_mcxt);
	keyed->scan = begin_index_scan(table, index, snapshot, lookup->key->nkeys);
	MemoryContextSwitchTo(caller);

	/*
	 * The scan took another reference to the index.  The two opened here hold
	 * the table and the index.
	 */
	RelationDecrementReferenceCount(index);
}

/* The scan of a table's index, with a reference to both relations. */
static IndexScanDesc
open_scan(KeyLookup *lookup, KeyedTable *keyed, Snapshot snapshot)
{
	if (keyed->scan == NULL || keyed->generation != CatalogGeneration() ||
		keyed->uses++ == MAX_SCAN_USES)
		begin_kept_scan(lookup, keyed, snapshot);
	else
	{
		RelationIncrementReferenceCount(keyed->scan->heapRelation);
		RelationIncrementReferenceCount(keyed->scan->indexRelation);
	}
	keyed->scan->xs_snapshot = snapshot;
	return keyed->scan;
}

/*
 * Let go of the relations, and of the scan where it can't be kept.  It has come to its
 * end, so it holds no pin.
 */
static void
close_scan(KeyedTable *keyed)
{
	IndexScanDesc scan = keyed->scan;
	Relation	table = scan->heapRelation;

	if (keyed->keeps_scan)
		RelationDecrementReferenceCount(scan->indexRelation);
	else
	{
		index_endscan(scan);
		keyed->scan = NULL;
	}
	RelationDecrementReferenceCount(table);
}

/* Is there a second row?  The versions that follow in the index rarely are one. */
static bool
has_another_row(IndexScanDesc scan)
{
	TupleTableSlot *slot;
	bool		another;

	if (index_getnext_tid(scan, ForwardScanDirection) == NULL)
		return false;
	slot = table_slot_create(scan->heapRelation, NULL);
	another = index_fetch_heap(scan, slot) ||
		index_getnext_slot(scan, ForwardScanDirection, slot);
	ExecDropSingleTupleTableSlot(slot);
	return another;
}

/*
 * Look a key up in a table that has no partitions.  Two rows under one unique key are
 * refused: whichever were taken, the other could be meant.
 */
static void
find_in_table(Search *search, KeyedTable *keyed, ReferencedRow *row)
{
	IndexScanDesc scan = open_scan(search->lookup, keyed, search->snapshot);
	MemoryContext caller = MemoryContextSwitchTo(keyed->scan_mcxt);
	ScanKeyData scankeys[INDEX_MAX_KEYS];
	bool		found;

	make_scan_keys(search->lookup, search->value, scan->indexRelation, scankeys);
	index_rescan(scan, scankeys, search->lookup->key->nkeys, NULL, 0);
	found = index_getnext_slot(scan, ForwardScanDirection, keyed->slot);
	if (found && (row->slot != NULL || has_another_row(scan)))
		ereport_without_context(errcode(ERRCODE_INDEX_CORRUPTED),
								errmsg("more than one row has the key that leads to a port PIN"),
								errhint("Reindex the table; its unique index is damaged."),
								errtable(scan->heapRelation));
	close_scan(keyed);
	MemoryContextSwitchTo(caller);
	if (!found)
		return;
	row->table = keyed->table;
	row->index = keyed->index;
	row->slot = keyed->slot;
	row->columns = keyed->map == NULL ? keyed->slot :
		execute_attr_map_slot(keyed->map->attrMap, keyed->slot, keyed->columns);
}

/* Look a key up in a table or in those of its partitions that can have it. */
static void
find_in_tree(Search *search, KeyedTable *keyed, ReferencedRow *row)
{
	Relation	table;
	PartitionDesc partitions;
	int			first = 0;
	int			last;

	if (keyed->slot != NULL)
	{
		find_in_table(search, keyed, row);
		return;
	}

	table = table_open(keyed->table, NoLock);
	partitions = RelationGetPartitionDesc(table, true);
	last = partitions->nparts - 1;
	if (keyed->routing.prunes && partitions->nparts > 0)
		first = last = ChoosePartition(&keyed->routing, table, partitions,
									   search->value->values);
	for (int i = first; i >= 0 && i <= last; i++)
		find_in_tree(search, describe_partition(search, keyed, partitions, i), row);
	table_close(table, NoLock);
}

/*
 * The row that has this key; its slots are NULL if there is none.  There is one
 * such row at a time: ReleaseRow it before the next look-up of the same key.
 */
ReferencedRow
FindReferencedRow(KeyLookup *lookup, const KeyValue *value, Snapshot snapshot)
{
	ReferencedRow row = {0};
	Search		search = {lookup, value, snapshot};

	if (!value->complete)
		return row;
	if (lookup->table == NULL)
	{
		Relation	whole = table_open(lookup->key->referenced, NoLock);

		lookup->table = describe_table(lookup, whole, lookup->key->index, whole);
		table_close(whole, NoLock);
	}
	find_in_tree(&search, lookup->table, &row);
	return row;
}

/*
 * Hold a row under its key until the transaction ends, with the lock that the
 * foreign key itself will take.  false if it has changed since the snapshot.
 */
bool
LockRowKeyShare(ReferencedRow *row, Snapshot snapshot)
{
	Relation	table = table_open(row->table, RowShareLock);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	TM_FailureData failure;
	TM_Result	result;

	result = table_tuple_lock(table, &row->slot->tts_tid, snapshot, slot,
							  GetCurrentCommandId(false), LockTupleKeyShare,
							  LockWaitBlock, 0, &failure);
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, NoLock);
	return result == TM_Ok;
}

/* Is this the version of the row that a newer snapshot shows? */
bool
RowIsCurrent(const ReferencedRow *row, Snapshot snapshot)
{
	Relation	table = table_open(row->table, NoLock);
	bool		current = table_tuple_satisfies_snapshot(table, row->slot, snapshot);

	table_close(table, NoLock);
	return current;
}

void
ReleaseRow(ReferencedRow *row)
{
	if (row->slot == NULL)
		return;
	if (row->columns != row->slot)
		ExecClearTuple(row->columns);
	ExecClearTuple(row->slot);
}


/* ----- Following a row that changed its key ----- */

/*
 * Follow the versions of a row from one that this transaction replaced to its last,
 * and tell whether that is the row at a given place.  Each version must be the one
 * with which the transaction replaced the one before.
 */
static bool
leads_to(Relation table, HeapTuple version, const ItemPointerData *last)
{
	HeapTupleData next;
	Buffer		buffer = InvalidBuffer;
	HeapTupleHeader header = version->t_data;
	bool		reached = false;

	next.t_self = version->t_self;
	for (;;)
	{
		TransactionId xmax;

		reached = ItemPointerEquals(&next.t_self, unconstify(ItemPointerData *, last));
		if (reached || (header->t_infomask & HEAP_XMAX_INVALID) ||
			HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask) ||
			HeapTupleHeaderIndicatesMovedPartitions(header) ||
			ItemPointerEquals(&header->t_ctid, &next.t_self))
			break;
		xmax = HeapTupleHeaderGetUpdateXid(header);
		if (!TransactionIdIsCurrentTransactionId(xmax))
			break;

		next.t_self = header->t_ctid;
		if (BufferIsValid(buffer))
			ReleaseBuffer(buffer);
		if (!heap_fetch(table, SnapshotAny, &next, &buffer, false))
			return false;
		header = next.t_data;
		if (!TransactionIdEquals(HeapTupleHeaderGetXmin(header), xmax))
			break;
	}
	if (BufferIsValid(buffer))
		ReleaseBuffer(buffer);
	return reached;
}

/* Did the row that is now at this place have this key earlier in this transaction? */
bool
RowHadKey(KeyLookup *lookup, const KeyValue *value, ReferencedRow *row)
{
	Relation	table = table_open(row->table, AccessShareLock);
	Relation	index = index_open(row->index, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	IndexScanDesc scan;
	bool		had = false;

	/*
	 * Chains of versions are the heap's; nothing is known of other access
	 * methods.
	 */
	if (table->rd_rel->relam == HEAP_TABLE_AM_OID)
	{
		scan = begin_key_scan(lookup, value, table, index, SnapshotAny);
		while (!had && index_getnext_slot(scan, ForwardScanDirection, slot))
			had = leads_to(table, ExecFetchSlotHeapTuple(slot, false, NULL),
						   &row->slot->tts_tid);
		index_endscan(scan);
	}
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
	table_close(table, NoLock);
	return had;
}
