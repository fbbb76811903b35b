/*
 * failure_log.c
 *		The table port_pin_failures: one row for each wrong guess.
 *
 * Its primary key (accounts, key, at) is what guesses are counted by.  Rows are
 * written through the table access method and the indexes alone: no trigger, rule
 * or default of the table runs, and no privilege is to be had by adding one.  An
 * index may call functions: these run as the table's owner, restricted as in
 * REINDEX.
 *
 * Columns are looked up by name, so that columns may be added and moved.
 */
#include "postgres.h"

#include "failure/failure_log.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inet.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/snapshot.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/error.h"
#include "table/account_key.h"
#include "table/column.h"

/* The columns that the primary key must have, in this order. */
#define FAILURE_KEYS 3
static const char *const key_columns[FAILURE_KEYS] = {"accounts", "key", "at"};


/* ----- Waiting, but not for ever ----- */

/* When whoever waits from now on gives up. */
TimestampTz
DeadlineFromNow(void)
{
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), FAILURE_PATIENCE);
}

/* Let a millisecond pass.  False if the time is over. */
bool
WaitBriefly(TimestampTz deadline)
{
	if (GetCurrentTimestamp() >= deadline)
		return false;
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 1,
					 PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	return true;
}

/*
 * Lock a relation of the failure log.  Nobody waits in the queue of a heavyweight
 * lock, which has no deadline, for a lock that a session took and sits on.
 */
static void
lock_in_time(Oid relid, TimestampTz deadline)
{
	while (!ConditionalLockRelationOid(relid, AccessShareLock))
	{
		if (!WaitBriefly(deadline))
			ereport_without_context(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
							errmsg("port order refused: the wrong port PINs of its account can't be counted"),
							errdetail("Table port_pin_failures has been locked for too long."),
							errhint("Submit the order again later."));
	}
}


/* ----- Finding the table ----- */

/* The index that guesses are counted by. */
static Oid
counting_index(Relation table, TimestampTz deadline)
{
	Oid			indexid = primary_key_index(table);
	bool		fits = OidIsValid(indexid);

	if (fits)
	{
		Relation	index;

		lock_in_time(indexid, deadline);
		index = index_open(indexid, NoLock);
		fits = index->rd_index->indisvalid &&
			index->rd_index->indnkeyatts == FAILURE_KEYS;
		for (int i = 0; fits && i < FAILURE_KEYS; i++)
			fits = index->rd_index->indkey.values[i] == FindColumn(table, key_columns[i]);
		index_close(index, AccessShareLock);
	}
	if (!fits)
		ereport_without_context(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the table port_pin_failures lacks its primary key (accounts, key, at)"),
						errhint("Add it again: wrong port PINs are counted by its index."),
						errtable(table));
	return indexid;
}

/* What the table looks like.  The caller has it open. */
static void
describe(Relation table, FailureLog *log, TimestampTz deadline)
{
	if (table->rd_rel->relkind != RELKIND_RELATION || table->rd_rel->relispartition)
		ereport_without_context(errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("port_pin_failures is not an ordinary table"),
						errhint("Drop the extension portpin and create it again."),
						errtable(table));
	(void) FindColumnOfType(table, "at", TIMESTAMPTZOID);
	(void) FindColumnOfType(table, "accounts", REGCLASSOID);
	(void) FindColumnOfType(table, "key", TEXTARRAYOID);
	log->unlocked = FindColumnOfType(table, "unlocked", TIMESTAMPTZOID);
	log->index = counting_index(table, deadline);
	log->table = RelationGetRelid(table);
}

/*
 * Open the table for counting, and find its columns unless they are known.  Locks
 * are let go as soon as the rows are read, so that whoever waits for the table
 * waits for no port order.
 */
static Relation
open_for_counting(FailureLog *log, TimestampTz deadline)
{
	Oid			relid = PortPinTable(FAILURE_TABLE, log->domain);
	Relation	table;

	lock_in_time(relid, deadline);
	table = table_open(relid, NoLock);
	if (log->table != relid || log->generation != CatalogGeneration())
	{
		ForgetFailures(log);
		log->generation = CatalogGeneration();
		describe(table, log, deadline);
	}
	lock_in_time(log->index, deadline);
	return table;
}


/* ----- Knowing the whole log ----- */

/*
 * Beyond as many pages the log is not read by a statement, but looked into for
 * each of its orders.
 */
#define MAX_PAGES_READ 1024

/* What a statement came to know of the guesses on record is not known to the next. */
void
ForgetFailures(FailureLog *log)
{
	if (log->accounts != NULL)
		hash_destroy(log->accounts);
	log->accounts = NULL;
	log->looks = 0;
}

/*
 * Is it known which accounts have guesses on record?  Whoever records one tells all
 * sessions, by invalidating the table, before he tells the verdict: what they know
 * is of another generation then.
 */
bool
FailuresAreKnown(const FailureLog *log)
{
	AcceptInvalidationMessages();
	return log->accounts != NULL && log->generation == CatalogGeneration();
}

bool
FailureLogIsEmpty(const FailureLog *log)
{
	return hash_get_num_entries(log->accounts) == 0;
}

/* Does the log have guesses at this account?  It may have none, and true be told. */
bool
AccountMayHaveFailures(const FailureLog *log, const AccountKey *account)
{
	uint64		hash = HashAccountKey(account);

	return hash_search(log->accounts, &hash, HASH_FIND, NULL) != NULL;
}

static void
note_account(FailureLog *log, Datum accounts, Datum key)
{
	AccountKey	account = {DatumGetObjectId(accounts), DatumGetArrayTypeP(key)};
	uint64		hash = HashAccountKey(&account);

	(void) hash_search(log->accounts, &hash, HASH_ENTER, NULL);
	if (PointerGetDatum(account.key) != key)
		pfree(account.key);
}

/* Which accounts have guesses on record that count? */
static void
read_accounts(FailureLog *log, Relation table, TimestampTz since, Snapshot snapshot)
{
	HASHCTL		control = {.keysize = sizeof(uint64), .entrysize = sizeof(uint64),
	.hcxt = log->mcxt};
	TupleTableSlot *row = table_slot_create(table, NULL);
	TableScanDesc scan = begin_table_scan(table, snapshot);
	AttrNumber	at = FindColumn(table, "at");
	AttrNumber	accounts = FindColumn(table, "accounts");
	AttrNumber	key = FindColumn(table, "key");

	log->accounts = hash_create("guessed at", 64, &control,
								HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	while (table_scan_getnextslot(scan, ForwardScanDirection, row))
	{
		slot_getallattrs(row);
		if (row->tts_isnull[log->unlocked - 1] &&
			DatumGetTimestampTz(row->tts_values[at - 1]) > since)
			note_account(log, row->tts_values[accounts - 1], row->tts_values[key - 1]);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(row);
}

/*
 * A statement with many orders comes to know the log when it has looked into the
 * index as often as the log has pages: by then reading them all costs no more.  Most
 * statements place one order, and need not even know how many pages there are.
 */
static void
learn_failures(FailureLog *log, Relation table, TimestampTz since, Snapshot snapshot)
{
	if (log->accounts != NULL || log->looks++ == 0)
		return;
	if (log->looks == 2)
		log->pages = RelationGetNumberOfBlocks(table);
	if (log->looks > log->pages && log->pages <= MAX_PAGES_READ)
		read_accounts(log, table, since, snapshot);
}


/* ----- Counting ----- */

/* Look for the guesses at an account since some time. */
static IndexScanDesc
begin_scan(Relation table, Relation index, const AccountKey *account,
		   TimestampTz since, Snapshot snapshot)
{
	ScanKeyData scankeys[FAILURE_KEYS];
	IndexScanDesc scan;

	ScanKeyInit(&scankeys[0], 1, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(account->table));
	ScanKeyEntryInitialize(&scankeys[1], 0, 2, BTEqualStrategyNumber, InvalidOid,
						   index->rd_indcollation[1], F_ARRAY_EQ,
						   PointerGetDatum(account->key));
	ScanKeyInit(&scankeys[2], 3, BTGreaterStrategyNumber, F_TIMESTAMPTZ_GT,
				TimestampTzGetDatum(since));
	scan = begin_index_scan(table, index, snapshot, FAILURE_KEYS);
	index_rescan(scan, scankeys, FAILURE_KEYS, NULL, 0);
	return scan;
}

/*
 * How many guesses at an account count since some time?  Up to a limit: what is
 * beyond makes no difference.  Always as of now, whatever this transaction's
 * snapshot is.
 */
int
CountFailures(FailureLog *log, const AccountKey *account, TimestampTz since,
			  int limit, TimestampTz deadline)
{
	Relation	table = open_for_counting(log, deadline);
	Relation	index = index_open(log->index, NoLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TupleTableSlot *slot = table_slot_create(table, NULL);
	IndexScanDesc scan = begin_scan(table, index, account, since, snapshot);
	int			count = 0;

	while (count < limit && index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		if (slot_attisnull(slot, log->unlocked))
			count++;
	}
	index_endscan(scan);
	learn_failures(log, table, since, snapshot);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	index_close(index, AccessShareLock);
	table_close(table, AccessShareLock);
	return count;
}


/* ----- Writing ----- */

/* A table that rows are being written to, as its owner. */
typedef struct Writer
{
	Relation	table;
	EState	   *estate;
	ResultRelInfo *result;
	TupleTableSlot *slot;
	Oid			user;			/* who it was before */
	int			context;
} Writer;

static Writer
begin_writing(Relation table)
{
	Writer		writer;

	writer.table = table;
	GetUserIdAndSecContext(&writer.user, &writer.context);
	SetUserIdAndSecContext(table->rd_rel->relowner,
						   writer.context | SECURITY_RESTRICTED_OPERATION);
	writer.estate = CreateExecutorState();
	writer.result = makeNode(ResultRelInfo);
	InitResultRelInfo(writer.result, table, 0, NULL, 0);
	ExecOpenIndices(writer.result, false);
	writer.slot = table_slot_create(table, NULL);
	return writer;
}

static void
end_writing(Writer *writer)
{
	ExecDropSingleTupleTableSlot(writer->slot);
	ExecCloseIndices(writer->result);
	FreeExecutorState(writer->estate);
	SetUserIdAndSecContext(writer->user, writer->context);
}

static void
set_column(Writer *writer, const char *name, Oid type, Datum value)
{
	AttrNumber	column = FindColumnOfType(writer->table, name, type);

	writer->slot->tts_values[column - 1] = value;
	writer->slot->tts_isnull[column - 1] = false;
}

static void
set_text(Writer *writer, const char *name, const char *value)
{
	set_column(writer, name, TEXTOID, CStringGetTextDatum(value));
}

/* Columns of the site's own are left NULL, so they must allow it. */
static void
check_nothing_is_missing(Relation table, TupleTableSlot *row)
{
	for (int i = 0; i < RelationGetDescr(table)->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(table), i);

		if (attribute->attnotnull && !attribute->attisdropped && row->tts_isnull[i])
			ereport_without_context(errcode(ERRCODE_NOT_NULL_VIOLATION),
							errmsg("column \"%s\" of port_pin_failures is NOT NULL, and nothing fills it",
								   NameStr(attribute->attname)),
							errhint("Allow NULL in columns that you add."),
							errtablecol(table, i + 1));
	}
}

/* Write a guess down.  Whoever calls this commits it. */
void
AppendFailure(Oid relid, const Failure *failure)
{
	Relation	table = table_open(relid, RowExclusiveLock);
	FailureLog	log = {0};
	Writer		writer;

	describe(table, &log, DeadlineFromNow());
	writer = begin_writing(table);
	memset(writer.slot->tts_isnull, true, RelationGetDescr(table)->natts * sizeof(bool));
	set_column(&writer, "at", TIMESTAMPTZOID, TimestampTzGetDatum(GetCurrentTimestamp()));
	set_column(&writer, "accounts", REGCLASSOID, ObjectIdGetDatum(failure->accounts));
	set_column(&writer, "key", TEXTARRAYOID, PointerGetDatum(failure->key));
	set_column(&writer, "orders", REGCLASSOID, ObjectIdGetDatum(failure->orders));
	set_text(&writer, "role", failure->role);
	set_text(&writer, "login", failure->login);
	set_text(&writer, "application", failure->application);
	if (failure->client[0] != '\0')
		set_column(&writer, "client", INETOID,
				   DirectFunctionCall1(inet_in, CStringGetDatum(failure->client)));
	check_nothing_is_missing(table, writer.slot);
	ExecStoreVirtualTuple(writer.slot);
	table_tuple_insert(table, writer.slot, GetCurrentCommandId(true), 0, NULL);
	insert_index_entries(writer.result, writer.estate, writer.slot, false, false);
	end_writing(&writer);
	CacheInvalidateRelcache(table); /* for FailuresAreKnown */
	table_close(table, NoLock);
}

/* Mark one row as forgiven; false if somebody else did so or removed it. */
static bool
clear_failure(Writer *writer, const FailureLog *log, TupleTableSlot *row,
		Snapshot snapshot)
{
	int			natts = RelationGetDescr(writer->table)->natts;

	slot_getallattrs(row);
	ExecClearTuple(writer->slot);
	memcpy(writer->slot->tts_values, row->tts_values, natts * sizeof(Datum));
	memcpy(writer->slot->tts_isnull, row->tts_isnull, natts * sizeof(bool));
	writer->slot->tts_values[log->unlocked - 1] =
		TimestampTzGetDatum(GetCurrentTimestamp());
	writer->slot->tts_isnull[log->unlocked - 1] = false;
	ExecStoreVirtualTuple(writer->slot);
	return update_row(writer->table, writer->result, writer->estate,
					  &row->tts_tid, writer->slot, snapshot);
}

/* Let the guesses at an account since some time count no more; how many did? */
int64
ClearFailures(Oid domain, const AccountKey *account, TimestampTz since)
{
	Relation	table = table_open(PortPinTable(FAILURE_TABLE, domain), RowExclusiveLock);
	FailureLog	log = {0};
	Relation	index;
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TupleTableSlot *row = table_slot_create(table, NULL);
	IndexScanDesc scan;
	Writer		writer;
	int64		count = 0;

	describe(table, &log, DeadlineFromNow());
	index = index_open(log.index, AccessShareLock);
	scan = begin_scan(table, index, account, since, snapshot);
	writer = begin_writing(table);
	while (index_getnext_slot(scan, ForwardScanDirection, row))
	{
		if (slot_attisnull(row, log.unlocked) &&
			clear_failure(&writer, &log, row, snapshot))
			count++;
	}
	end_writing(&writer);
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(row);
	UnregisterSnapshot(snapshot);
	index_close(index, NoLock);
	table_close(table, NoLock);
	return count;
}
