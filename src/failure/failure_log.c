/*
 * failure_log.c
 *		The table port_pin_failures, one row for each failed attempt: count them.
 *
 * Failures are counted by an index, as of now, whatever this transaction's snapshot
 * is.  That costs several times what it takes to judge an order, and hardly any
 * account has failures.  So a session comes to know all accounts that have some,
 * and keeps that until a failure is recorded: whoever writes to the table
 * invalidates FAILURE_SIGNAL, in the transaction that writes, and its commit is
 * told to all sessions before anybody is told of the failure.
 *
 * Columns and indexes are looked up by name and by columns.
 */
#include "postgres.h"

#include "failure/failure_log.h"

#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "port/atomics.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/error.h"
#include "failure/failure_wait.h"
#include "table/account_key.h"
#include "table/column.h"

struct FailureLog
{
	Oid			domain;			/* port_pin, in whose schema the table is */

	Oid			table;
	Oid			signal;

	/* What the table looks like; holds for one description_generation: */
	bool		described;
	uint64		description;
	Oid			account_index;
	Oid			time_index;		/* none: the session looks for each account */

	/* Which accounts have failures; holds for one log_generation: */
	uint64		generation;
	int			window;			/* seconds that failures count */
	uint32		looks;			/* for one account */
	HTAB	   *known;			/* accounts that have failures; NULL if unknown */
	MemoryContext mcxt;			/* in which it is */
};

/* A session has one database, which has one record. */
static FailureLog the_log;

/* Counted up by the callback below, when the table was altered or written to. */
static uint64 description_generation = 1;
static uint64 log_generation = 1;

/*
 * All relations: messages of others may have been lost.  If there were none, all
 * that happened is that caches were emptied (debug_discard_caches does that at each
 * chance, and no description would ever hold).
 */
static void
relation_changed(Datum arg pg_attribute_unused(), Oid relid)
{
	static uint64 messages = 0;

	if (!OidIsValid(relid) && messages == SharedInvalidMessageCounter)
		return;
	messages = SharedInvalidMessageCounter;
	if (!OidIsValid(relid) || relid == the_log.table)
		description_generation++;
	if (!OidIsValid(relid) || relid == the_log.table || relid == the_log.signal)
		log_generation++;
}

/* To be called once, when the module is loaded. */
void
WatchFailureLog(void)
{
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
}

/* Forget which accounts have failures. */
static void
forget_accounts(FailureLog *log)
{
	if (log->mcxt != NULL)
		MemoryContextDelete(log->mcxt);
	log->mcxt = NULL;
	log->known = NULL;
	log->looks = 0;
}

FailureLog *
FailureLogOf(Oid domain)
{
	if (the_log.domain != domain)
	{
		forget_accounts(&the_log);
		the_log = (FailureLog) {.domain = domain};
	}
	return &the_log;
}

TimestampTz
StartOfWindow(int window)
{
	return GetCurrentTimestamp() - (TimestampTz) window * USECS_PER_SEC;
}


/* ----- Finding the table and its indexes ----- */

static const char *const account_columns[] = {
	"account_schema", "account_table", "account_key", "failed_at"
};
static const char *const time_columns[] = {"failed_at"};

/*
 * Lock a relation of the record.  Nobody waits in the queue of a heavyweight lock,
 * which has no deadline, for a lock that a session took and sits on.  False if it
 * can't be had at once and must not be waited for.
 */
static bool
lock_in_time(Oid relid, TimestampTz deadline)
{
	while (!ConditionalLockRelationOid(relid, AccessShareLock))
	{
		if (deadline == DONT_WAIT)
			return false;
		if (!WaitBriefly(1, deadline))
			ereport_without_context(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
							errmsg("port order refused: the failed attempts at its account can't be counted"),
							errdetail("Table port_pin_failures has been locked for too long."),
							errhint("Submit the order again later."));
	}
	return true;
}

/* Is it a whole index that begins with these columns? */
static bool
index_fits(Relation table, Relation index, const char *const *columns, int ncolumns)
{
	if (!index->rd_index->indisvalid || index->rd_rel->relam != BTREE_AM_OID ||
		index->rd_indextuple == NULL || index->rd_index->indnkeyatts < ncolumns ||
		!heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL))
		return false;
	for (int i = 0; i < ncolumns; i++)
	{
		if (index->rd_index->indkey.values[i] != FindColumn(table, columns[i]))
			return false;
	}
	return true;
}

static Oid
find_index(Relation table, const char *const *columns, int ncolumns, TimestampTz deadline)
{
	List	   *indexes = RelationGetIndexList(table);
	Oid			found = InvalidOid;
	ListCell   *lc;

	foreach(lc, indexes)
	{
		Oid			indexid = lfirst_oid(lc);
		Relation	index;

		(void) lock_in_time(indexid, deadline);
		index = index_open(indexid, NoLock);
		if (!OidIsValid(found) && index_fits(table, index, columns, ncolumns))
			found = indexid;
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return found;
}

/* The index that the failures of an account are counted by. */
Oid
FindAccountIndex(Relation table, TimestampTz deadline)
{
	Oid			index = find_index(table, account_columns, lengthof(account_columns), deadline);

	if (!OidIsValid(index))
		ereport_without_context(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("the table port_pin_failures lacks its index on (account_schema, account_table, account_key, failed_at)"),
						errhint("Add its primary key again, which failed attempts are counted by."),
						errtable(table));
	return index;
}

/* Find out what the table looks like; not without waiting. */
static void
describe(FailureLog *log, TimestampTz deadline)
{
	Relation	table;

	/* First of all, so that changes are noticed from now on. */
	log->table = PortPinTable(FAILURE_TABLE, log->domain);
	log->signal = PortPinTable(FAILURE_SIGNAL, log->domain);
	log->description = description_generation;
	DisregardChangesOf(log->signal);

	(void) lock_in_time(log->table, deadline);
	table = table_open(log->table, NoLock);
	if (table->rd_rel->relkind != RELKIND_RELATION || table->rd_rel->relispartition)
		ereport_without_context(errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("port_pin_failures is not an ordinary table"),
						errhint("Drop the extension portpin and create it again."),
						errtable(table));
	(void) FindColumnOfType(table, "failed_at", TIMESTAMPTZOID);
	(void) FindColumnOfType(table, "account_schema", TEXTOID);
	(void) FindColumnOfType(table, "account_table", TEXTOID);
	(void) FindColumnOfType(table, "account_key", TEXTARRAYOID);
	(void) FindColumnOfType(table, "lifted_at", TIMESTAMPTZOID);
	log->account_index = FindAccountIndex(table, deadline);
	log->time_index = find_index(table, time_columns, lengthof(time_columns), deadline);
	log->described = true;
	table_close(table, AccessShareLock);
}

static bool
is_described(FailureLog *log)
{
	return log->described && log->description == description_generation;
}

/* Lock the table and the index for reading; false if that would take a wait. */
static bool
lock_log(FailureLog *log, TimestampTz deadline)
{
	if (!lock_in_time(log->table, deadline))
		return false;
	if (lock_in_time(log->account_index, deadline))
		return true;
	UnlockRelationOid(log->table, AccessShareLock);
	return false;
}

/*
 * Open the table for counting.  Locks are let go as soon as the rows are read, so
 * that a session which waits for the table waits for no port order.  NULL if it
 * can't be had at once and must not be waited for.
 */
static Relation
open_log(FailureLog *log, TimestampTz deadline)
{
	for (;;)
	{
		if (!is_described(log) && deadline == DONT_WAIT)
			return NULL;
		if (!is_described(log))
		{
			log->described = false;
			describe(log, deadline);
		}
		if (!lock_log(log, deadline))
			return NULL;
		if (is_described(log))
			return table_open(log->table, NoLock);
		UnlockRelationOid(log->account_index, AccessShareLock);
		UnlockRelationOid(log->table, AccessShareLock);
	}
}


/* ----- Reading rows ----- */

static void
scan_key(ScanKey scankey, Relation index, int column, StrategyNumber strategy,
		 RegProcedure procedure, Datum value)
{
	ScanKeyEntryInitialize(scankey, 0, column, strategy, InvalidOid,
						   index->rd_indcollation[column - 1], procedure, value);
}

/* Look for the failures at an account since some time. */
IndexScanDesc
BeginAccountScan(Relation table, Relation index, const AccountKey *account,
				 TimestampTz since, Snapshot snapshot)
{
	RecordedTable name = RecordedNameOf(account->table);
	ScanKeyData scankeys[lengthof(account_columns)];
	IndexScanDesc scan;

	scan_key(&scankeys[0], index, 1, BTEqualStrategyNumber, F_TEXTEQ,
			 CStringGetTextDatum(name.schema));
	scan_key(&scankeys[1], index, 2, BTEqualStrategyNumber, F_TEXTEQ,
			 CStringGetTextDatum(name.name));
	scan_key(&scankeys[2], index, 3, BTEqualStrategyNumber, F_ARRAY_EQ,
			 PointerGetDatum(account->columns));
	scan_key(&scankeys[3], index, 4, BTGreaterStrategyNumber, F_TIMESTAMPTZ_GT,
			 TimestampTzGetDatum(since));
	scan = begin_index_scan(table, index, snapshot, lengthof(scankeys));
	index_rescan(scan, scankeys, lengthof(scankeys), NULL, 0);
	return scan;
}

/* Look for all failures since some time. */
static IndexScanDesc
begin_scan_of_all(Relation table, Relation index, TimestampTz since, Snapshot snapshot)
{
	ScanKeyData scankey;
	IndexScanDesc scan;

	scan_key(&scankey, index, 1, BTGreaterStrategyNumber, F_TIMESTAMPTZ_GT,
			 TimestampTzGetDatum(since));
	scan = begin_index_scan(table, index, snapshot, 1);
	index_rescan(scan, &scankey, 1, NULL, 0);
	return scan;
}


/* ----- Knowing all accounts that have failures ----- */

/*
 * So many rows are read for each time that an account was looked for: reading them
 * costs no more than looking did.  Nobody keeps more of them than this.
 */
#define ROWS_PER_LOOK	12
#define MOST_ROWS		65536

/*
 * Does what the session knows still hold?  Others' messages have to be accepted
 * first; whether there are any is asked without a lock, hence the barrier.
 */
static bool
accounts_are_known(FailureLog *log, int window)
{
	pg_memory_barrier();
	AcceptInvalidationMessages();
	return log->known != NULL && log->generation == log_generation &&
		log->window == window;
}

/* Is the account known to have no failures?  Says so of none that has some. */
bool
AccountIsClean(FailureLog *log, const AccountKey *account, int window)
{
	uint64		hash;

	if (!accounts_are_known(log, window))
		return false;
	if (hash_get_num_entries(log->known) == 0)
		return true;
	hash = HashAccountKey(account->columns, account->table_hash);
	return hash_search(log->known, &hash, HASH_FIND, NULL) == NULL;
}

static uint64
hash_of_row(TupleTableSlot *row, const AttrNumber *columns)
{
	text	   *schema = DatumGetTextPP(row->tts_values[columns[0] - 1]);
	text	   *name = DatumGetTextPP(row->tts_values[columns[1] - 1]);
	ArrayType  *key = DatumGetArrayTypeP(row->tts_values[columns[2] - 1]);

	return HashAccountKey(key, HashTableName(VARDATA_ANY(schema), VARSIZE_ANY_EXHDR(schema),
											 VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)));
}

/* Read all rows that count, if there are no more than so many. */
static bool
read_accounts(FailureLog *log, Relation table, TimestampTz since, Snapshot snapshot,
			  uint32 most, HTAB *known)
{
	Relation	index = index_open(log->time_index, NoLock);
	IndexScanDesc scan = begin_scan_of_all(table, index, since, snapshot);
	TupleTableSlot *row = table_slot_create(table, NULL);
	AttrNumber	lifted = FindColumn(table, "lifted_at");
	AttrNumber	columns[3];
	uint32		nrows = 0;

	for (int i = 0; i < (int) lengthof(columns); i++)
		columns[i] = FindColumn(table, account_columns[i]);
	while (nrows <= most && index_getnext_slot(scan, ForwardScanDirection, row))
	{
		nrows++;
		slot_getallattrs(row);
		if (row->tts_isnull[lifted - 1])
		{
			uint64		hash = hash_of_row(row, columns);

			(void) hash_search(known, &hash, HASH_ENTER, NULL);
		}
	}
	ExecDropSingleTupleTableSlot(row);
	index_endscan(scan);
	index_close(index, NoLock);
	return nrows <= most;
}

/*
 * Come to know all accounts that have failures, unless they are too many for what
 * the session has spent in looking for single ones.  If so it tries again when it
 * has looked twice as often: in all, reading costs twice what looking does.
 */
static void
learn_accounts(FailureLog *log, Relation table, TimestampTz since, Snapshot snapshot)
{
	uint32		looks = ++log->looks;
	MemoryContext mcxt;
	HASHCTL		control = {.keysize = sizeof(uint64), .entrysize = sizeof(uint64)};
	HTAB	   *known;

	if ((looks & (looks - 1)) != 0 || !OidIsValid(log->time_index) ||
		!ConditionalLockRelationOid(log->time_index, AccessShareLock))
		return;
	mcxt = AllocSetContextCreate(CurrentMemoryContext, "accounts with failures",
								 ALLOCSET_SMALL_SIZES);
	control.hcxt = mcxt;
	known = hash_create("accounts with failures", 64, &control,
						HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	if (read_accounts(log, table, since, snapshot,
					  Min(looks, MOST_ROWS / ROWS_PER_LOOK) * ROWS_PER_LOOK, known))
	{
		MemoryContextSetParent(mcxt, CacheMemoryContext);
		log->mcxt = mcxt;
		log->known = known;
	}
	else
		MemoryContextDelete(mcxt);
	UnlockRelationOid(log->time_index, AccessShareLock);
}


/* ----- Counting ----- */

static int
count_rows(FailureLog *log, Relation table, const AccountKey *account,
		   TimestampTz since, Snapshot snapshot, int limit)
{
	Relation	index = index_open(log->account_index, NoLock);
	IndexScanDesc scan = BeginAccountScan(table, index, account, since, snapshot);
	TupleTableSlot *row = table_slot_create(table, NULL);
	AttrNumber	lifted = FindColumn(table, "lifted_at");
	int			count = 0;

	while (count < limit && index_getnext_slot(scan, ForwardScanDirection, row))
	{
		if (slot_attisnull(row, lifted))
			count++;
	}
	ExecDropSingleTupleTableSlot(row);
	index_endscan(scan);
	index_close(index, AccessShareLock);
	return count;
}

/*
 * How many failures at an account count?  Up to a limit: what is beyond makes no
 * difference.  Always as of now, whatever this transaction's snapshot is.  -1 if it
 * can't be told at once and must not be waited for.
 */
int
CountFailures(FailureLog *log, const AccountKey *account, int window, int limit,
			  TimestampTz deadline)
{
	Relation	table = open_log(log, deadline);
	TimestampTz since = StartOfWindow(window);
	Snapshot	snapshot;
	int			count;

	if (table == NULL)
		return -1;

	/* What is learned below holds for what the snapshot shows, so this comes first. */
	if (log->generation != log_generation || log->window != window)
		forget_accounts(log);
	log->generation = log_generation;
	log->window = window;

	snapshot = RegisterSnapshot(GetLatestSnapshot());
	count = count_rows(log, table, account, since, snapshot, limit);
	if (log->known == NULL)
		learn_accounts(log, table, since, snapshot);
	UnregisterSnapshot(snapshot);
	table_close(table, AccessShareLock);
	return count;
}
