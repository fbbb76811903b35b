/*
 * failure_log.c
 *		The table port_pin_failures, one row for each failed attempt: count them.
 *
 * Failures are counted by an index, as of now, whatever this transaction's snapshot
 * is.  That costs several times what it takes to judge an order, and hardly any
 * account has failures.  So a session learns which accounts and sources have some, and
 * keeps that until a failure is recorded: a write to the table invalidates
 * FAILURE_SIGNAL, in the transaction that writes, and all sessions are told of its
 * commit before anybody is told of the failure.
 *
 * Columns are looked up by name, indexes by the columns that they begin with.
 */
#include "postgres.h"

#include "failure/failure_log.h"

#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
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

/* The columns that counting needs. */
typedef enum LogColumn
{
	FAILED_AT,
	ACCOUNT_SCHEMA,
	ACCOUNT_TABLE,
	ACCOUNT_KEY,
	SOURCE,
	LIFTED_AT,
	SOURCE_LIFTED_AT
} LogColumn;

#define LOG_COLUMNS (SOURCE_LIFTED_AT + 1)

static const struct
{
	const char *name;
	Oid			type;
}			log_columns[LOG_COLUMNS] =

{
	[FAILED_AT] = {"failed_at", TIMESTAMPTZOID},
	[ACCOUNT_SCHEMA] = {"account_schema", TEXTOID},
	[ACCOUNT_TABLE] = {"account_table", TEXTOID},
	[ACCOUNT_KEY] = {"account_key", TEXTARRAYOID},
	[SOURCE] = {"source", TEXTOID},
	[LIFTED_AT] = {"lifted_at", TIMESTAMPTZOID},
	[SOURCE_LIFTED_AT] = {"source_lifted_at", TIMESTAMPTZOID},
};

/* The indexes, for which there are as many subjects: what each begins with. */
typedef enum LogIndex
{
	BY_ACCOUNT,
	BY_SOURCE,
	BY_TIME
} LogIndex;

#define LOG_INDEXES (BY_TIME + 1)
#define MAX_INDEX_COLUMNS 4

static const struct
{
	int			ncolumns;
	LogColumn	columns[MAX_INDEX_COLUMNS];
}			log_indexes[LOG_INDEXES] =

{
	[BY_ACCOUNT] = {4, {ACCOUNT_SCHEMA, ACCOUNT_TABLE, ACCOUNT_KEY, FAILED_AT}},
	[BY_SOURCE] = {2, {SOURCE, FAILED_AT}},
	[BY_TIME] = {1, {FAILED_AT}},
};

struct FailureLog
{
	Oid			domain;			/* port_pin, in whose schema the table is */
	FailureLimits limits;

	Oid			table;
	Oid			signal;

	/* What the table looks like; holds for one description_generation: */
	bool		described;
	uint64		description;
	AttrNumber	columns[LOG_COLUMNS];
	Oid			indexes[LOG_INDEXES];	/* 0: there is none */

	/* Who has failures; holds for one log_generation and the limits: */
	uint64		generation;
	uint32		looks;			/* for one account or source, since then */
	uint32		rows;			/* that have to be read for that, as it seems */
	HTAB	   *known;			/* of Known; NULL if nothing is */
	MemoryContext mcxt;			/* in which it is */
};

/* What is known of an account, of a source, or of a source at an account. */
typedef struct Known
{
	uint64		hash;
	int			accounts;		/* of a source: it failed at no more than
								 * these */
	TimestampTz locked_until;	/* of a source: at least */
} Known;

/* A session has one database, and that has one record. */
static FailureLog the_log;

/* Counted up by the callback below, when the table was altered or written to. */
static uint64 description_generation = 1;
static uint64 log_generation = 1;

/*
 * An invalid OID means all relations: messages of other sessions may have been lost.
 * If there were none, caches were merely emptied (debug_discard_caches does that at
 * each chance, and no description would ever hold).
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

/* Forget who has failures. */
static void
forget(FailureLog *log)
{
	if (log->mcxt != NULL)
		MemoryContextDelete(log->mcxt);
	log->mcxt = NULL;
	log->known = NULL;
	log->looks = 0;
}

FailureLog *
FailureLogOf(Oid domain, const FailureLimits *limits)
{
	if (the_log.domain != domain)
	{
		forget(&the_log);
		memset(&the_log, 0, sizeof(FailureLog));
		the_log.domain = domain;
	}
	if (memcmp(&the_log.limits, limits, sizeof(FailureLimits)) != 0)
		forget(&the_log);
	the_log.limits = *limits;
	return &the_log;
}

TimestampTz
StartOfWindow(const FailureLimits *limits)
{
	return GetCurrentTimestamp() - (TimestampTz) limits->window * USECS_PER_SEC;
}


/* ----- Finding the table and its indexes ----- */

/*
 * Lock a relation of the record.  This does not wait in the queue of the heavyweight
 * lock, which has no deadline, as a session may take that lock and sit on it.  False
 * if it can't be had at once and must not be waited for.
 */
static bool
lock_in_time(Oid relid, TimestampTz *deadline)
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
index_fits(Relation table, Relation index, LogIndex which)
{
	if (!index->rd_index->indisvalid || index->rd_rel->relam != BTREE_AM_OID ||
		index->rd_index->indnkeyatts < log_indexes[which].ncolumns ||
		!heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL))
		return false;
	for (int i = 0; i < log_indexes[which].ncolumns; i++)
	{
		const char *name = log_columns[log_indexes[which].columns[i]].name;

		if (index->rd_index->indkey.values[i] != FindColumn(table, name))
			return false;
	}
	return true;
}

static Oid
find_index(Relation table, LogIndex which, TimestampTz *deadline)
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
		if (!OidIsValid(found) && index_fits(table, index, which))
			found = indexid;
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return found;
}

static void
report_missing_index(LogIndex which)
{
	StringInfoData columns;

	initStringInfo(&columns);
	for (int i = 0; i < log_indexes[which].ncolumns; i++)
		appendStringInfo(&columns, "%s%s", i > 0 ? ", " : "",
						 log_columns[log_indexes[which].columns[i]].name);
	ereport_without_context(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
							errmsg("the table port_pin_failures lacks its index on (%s)", columns.data),
							errhint("Create it again: failed attempts are counted by it."));
}

static LogIndex
index_for(const FailureSubject *subject)
{
	return subject->account != NULL ? BY_ACCOUNT :
		subject->source != NULL ? BY_SOURCE : BY_TIME;
}

/* The index by which the failures of a subject are counted. */
Oid
FindFailureIndex(Relation table, const FailureSubject *subject, TimestampTz *deadline)
{
	Oid			index = find_index(table, index_for(subject), deadline);

	if (!OidIsValid(index))
		report_missing_index(index_for(subject));
	return index;
}

/* Find out what the table looks like; this may wait. */
static void
describe(FailureLog *log, TimestampTz *deadline)
{
	Relation	table;

	/* First of all, so that changes are noticed from now on. */
	log->described = false;
	log->table = PortPinTable(FAILURE_TABLE, log->domain);
	log->signal = PortPinTable(FAILURE_SIGNAL, log->domain);
	log->description = description_generation;

	(void) lock_in_time(log->table, deadline);
	table = table_open(log->table, NoLock);
	if (table->rd_rel->relkind != RELKIND_RELATION || table->rd_rel->relispartition)
		ereport_without_context(errcode(ERRCODE_WRONG_OBJECT_TYPE),
								errmsg("port_pin_failures is not an ordinary table"),
								errhint("Give its name back to the table that portpin made; if that is a partition now, detach it."),
								errtable(table));
	for (int i = 0; i < LOG_COLUMNS; i++)
		log->columns[i] = FindColumnOfType(table, log_columns[i].name, log_columns[i].type);
	for (int i = 0; i < LOG_INDEXES; i++)
		log->indexes[i] = find_index(table, i, deadline);
	log->described = true;
	table_close(table, AccessShareLock);
}

static bool
is_described(FailureLog *log)
{
	return log->described && log->description == description_generation;
}

/*
 * Lock the table and an index for reading; false if that would take a wait.  Locks are
 * released as soon as the rows are read, so that a session that waits for the table
 * does not wait for the end of a port order.
 */
static bool
lock_log(FailureLog *log, LogIndex which, TimestampTz *deadline)
{
	while (is_described(log) || deadline != DONT_WAIT)
	{
		if (!is_described(log))
			describe(log, deadline);
		if (!OidIsValid(log->indexes[which]))
			report_missing_index(which);
		if (!lock_in_time(log->table, deadline))
			return false;
		if (lock_in_time(log->indexes[which], deadline))
		{
			if (is_described(log))
				return true;
			UnlockRelationOid(log->indexes[which], AccessShareLock);
		}
		UnlockRelationOid(log->table, AccessShareLock);
	}
	return false;
}


/* ----- Reading rows ----- */

/* Begin to read the failures of a subject since some time. */
IndexScanDesc
BeginFailureScan(Relation table, Relation index, const FailureSubject *subject,
				 TimestampTz since, Snapshot snapshot)
{
	ScanKeyData scankeys[MAX_INDEX_COLUMNS];
	int			nkeys = log_indexes[index_for(subject)].ncolumns;
	Datum		values[MAX_INDEX_COLUMNS];
	IndexScanDesc scan;

	if (subject->account != NULL)
	{
		RecordedTable name = RecordedNameOf(subject->account->table);

		values[0] = CStringGetTextDatum(name.schema);
		values[1] = CStringGetTextDatum(name.name);
		values[2] = PointerGetDatum(subject->account->columns);
	}
	else if (subject->source != NULL)
		values[0] = CStringGetTextDatum(subject->source);
	values[nkeys - 1] = TimestampTzGetDatum(since);

	for (int i = 0; i < nkeys; i++)
	{
		LogColumn	column = log_indexes[index_for(subject)].columns[i];

		ScanKeyEntryInitialize(&scankeys[i], 0, i + 1,
							   column == FAILED_AT ? BTGreaterStrategyNumber : BTEqualStrategyNumber,
							   InvalidOid, index->rd_indcollation[i],
							   column == FAILED_AT ? F_TIMESTAMPTZ_GT :
							   column == ACCOUNT_KEY ? F_ARRAY_EQ : F_TEXTEQ,
							   values[i]);
	}
	scan = begin_index_scan(table, index, snapshot, nkeys);
	index_rescan(scan, scankeys, nkeys, NULL, 0);
	return scan;
}

static uint64
hash_of_source(const char *source, size_t length)
{
	return hash_bytes_extended((const unsigned char *) source, length, SOURCE);
}

static text *
text_column(const FailureLog *log, TupleTableSlot *row, LogColumn column)
{
	return DatumGetTextPP(row->tts_values[log->columns[column] - 1]);
}

static uint64
hash_of_account(const FailureLog *log, TupleTableSlot *row)
{
	text	   *schema = text_column(log, row, ACCOUNT_SCHEMA);
	text	   *name = text_column(log, row, ACCOUNT_TABLE);
	struct varlena *key =
	PG_DETOAST_DATUM_PACKED(row->tts_values[log->columns[ACCOUNT_KEY] - 1]);

	return HashAccountKey(key, HashTableName(VARDATA_ANY(schema), VARSIZE_ANY_EXHDR(schema),
											 VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)));
}

static bool
column_is_null(const FailureLog *log, TupleTableSlot *row, LogColumn column)
{
	return slot_attisnull(row, log->columns[column]);
}


/* ----- Knowing who has failures ----- */

/*
 * Looking for one subject takes as long as reading ROWS_PER_LOOK rows.  FEW_ROWS are
 * read at once; a session keeps no more than MOST_ROWS.
 */
#define ROWS_PER_LOOK	13
#define FEW_ROWS		26
#define MOST_ROWS		65536

/*
 * Is the record still in this state?  Messages of other sessions have to be accepted
 * first; whether there are any is checked without a lock, hence the barrier.
 */
bool
FailureLogIsUnchanged(uint64 state)
{
	pg_memory_barrier();
	AcceptInvalidationMessages();
	return state == log_generation;
}

/*
 * Does what the session knows still hold, as far as it has been told?  The trigger
 * accepted messages when the order came; an attempt does so once more at its end.
 */
static bool
is_known(const FailureLog *log)
{
	return log->known != NULL && log->generation == log_generation;
}

static Known *
find_known(FailureLog *log, uint64 hash)
{
	return hash_search(log->known, &hash, HASH_FIND, NULL);
}

/* Is the account known to have no failures?  Never true of one that has some. */
static bool
is_clean(FailureLog *log, const AccountKey *account)
{
	return is_known(log) &&
		find_known(log, HashAccountKey((const struct varlena *) account->columns,
									   account->table_hash)) == NULL;
}

static HTAB *
create_known(MemoryContext mcxt)
{
	HASHCTL		control = {
		.keysize = sizeof(uint64),
		.entrysize = sizeof(Known),
		.hcxt = mcxt
	};

	return hash_create("failures", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* Add an entry; false if it was there already. */
static bool
note(HTAB *known, uint64 hash, Known **entry)
{
	bool		found;
	Known	   *it = hash_search(known, &hash, HASH_ENTER, &found);

	if (!found)
	{
		it->accounts = 0;
		it->locked_until = 0;
	}
	if (entry != NULL)
		*entry = it;
	return !found;
}

static void
note_row(const FailureLog *log, TupleTableSlot *row, HTAB *known)
{
	uint64		account = hash_of_account(log, row);

	if (column_is_null(log, row, LIFTED_AT))
		(void) note(known, account, NULL);
	if (!column_is_null(log, row, SOURCE) && column_is_null(log, row, SOURCE_LIFTED_AT))
	{
		text	   *name = text_column(log, row, SOURCE);
		uint64		source = hash_of_source(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
		Known	   *entry;

		(void) note(known, source, &entry);
		if (note(known, hash_combine64(source, account), NULL))
			entry->accounts++;
	}
}

/* Read the rows that count, all of them or one more than "most"; how many were read? */
static uint32
read_all(FailureLog *log, Relation table, TimestampTz since, Snapshot snapshot,
		 uint32 most, HTAB *known)
{
	const FailureSubject everybody = {NULL, NULL};
	Relation	index = index_open(log->indexes[BY_TIME], NoLock);
	IndexScanDesc scan = BeginFailureScan(table, index, &everybody, since, snapshot);
	TupleTableSlot *row = table_slot_create(table, NULL);
	uint32		nrows = 0;

	while (nrows <= most && index_getnext_slot(scan, ForwardScanDirection, row))
	{
		nrows++;
		slot_getallattrs(row);
		note_row(log, row, known);
	}
	ExecDropSingleTupleTableSlot(row);
	index_endscan(scan);
	index_close(index, NoLock);
	return nrows;
}

/* Read who has failures, and keep that if there are no more than "most" rows. */
static void
read_and_keep(FailureLog *log, Relation table, TimestampTz since, Snapshot snapshot,
			  uint32 most)
{
	MemoryContext mcxt = AllocSetContextCreate(CurrentMemoryContext, "failures",
											   ALLOCSET_SMALL_SIZES);
	HTAB	   *known = create_known(mcxt);

	log->rows = read_all(log, table, since, snapshot, most, known);
	if (log->rows <= most)
	{
		MemoryContextSetParent(mcxt, CacheMemoryContext);
		log->mcxt = mcxt;
		log->known = known;
		return;
	}
	log->rows = 2 * most;
	MemoryContextDelete(mcxt);
}

/*
 * Learn who has failures once the session has looked for single subjects so often that
 * reading all rows takes no longer.  If there are more rows than it seemed, it tries
 * again when it has looked twice as often.
 */
static void
learn(FailureLog *log, Relation table, TimestampTz since, Snapshot snapshot)
{
	uint32		most;

	log->looks++;
	most = Min(Max(log->looks * ROWS_PER_LOOK, FEW_ROWS), MOST_ROWS);
	if (most < log->rows || !OidIsValid(log->indexes[BY_TIME]) ||
		!ConditionalLockRelationOid(log->indexes[BY_TIME], AccessShareLock))
		return;
	read_and_keep(log, table, since, snapshot, most);
	UnlockRelationOid(log->indexes[BY_TIME], AccessShareLock);
}


/* ----- Looking for somebody ----- */

/* A look into the record: the rows of a subject that a new snapshot shows. */
typedef struct Look
{
	Relation	table;
	Relation	index;
	TimestampTz since;
	Snapshot	snapshot;
	IndexScanDesc scan;
	TupleTableSlot *row;
} Look;

/* False if it would have to wait and must not. */
static bool
begin_look(FailureLog *log, const FailureSubject *subject, TimestampTz *deadline, Look *look)
{
	if (!lock_log(log, index_for(subject), deadline))
		return false;

	/*
	 * What is learned at the end is what the snapshot shows, so note the
	 * generation before it is taken.
	 */
	if (log->generation != log_generation)
		forget(log);
	log->generation = log_generation;

	look->table = table_open(log->table, NoLock);
	look->index = index_open(log->indexes[index_for(subject)], NoLock);
	look->since = StartOfWindow(&log->limits);
	look->snapshot = RegisterSnapshot(GetLatestSnapshot());
	look->scan = BeginFailureScan(look->table, look->index, subject, look->since,
								  look->snapshot);
	look->row = table_slot_create(look->table, NULL);
	return true;
}

static void
end_look(FailureLog *log, Look *look)
{
	ExecDropSingleTupleTableSlot(look->row);
	index_endscan(look->scan);
	if (log->known == NULL)
		learn(log, look->table, look->since, look->snapshot);
	UnregisterSnapshot(look->snapshot);
	index_close(look->index, AccessShareLock);
	table_close(look->table, AccessShareLock);
}

/*
 * Is it known that there are no failures at all?  Also tells in which state of the
 * record.
 */
bool
NobodyHasFailures(const FailureLog *log, uint64 *state)
{
	*state = log->generation;
	return is_known(log) && hash_get_num_entries(log->known) == 0;
}

/*
 * How many failures at an account count?  Up to the limit: any beyond it make no
 * difference.  -1 if that can't be told at once and must not be waited for.  Also
 * tells in which state of the record that is so: see FailureLogIsUnchanged.
 */
int
CountFailures(FailureLog *log, const AccountKey *account, TimestampTz *deadline,
			  uint64 *state)
{
	const FailureSubject subject = {account, NULL};
	Look		look;
	int			count = 0;

	if (is_clean(log, account))
	{
		*state = log->generation;
		return 0;
	}
	if (!begin_look(log, &subject, deadline, &look))
		return -1;
	*state = log->generation;
	while (count < log->limits.failures &&
		   index_getnext_slot(look.scan, ForwardScanDirection, look.row))
	{
		if (column_is_null(log, look.row, LIFTED_AT))
			count++;
	}
	end_look(log, &look);
	return count;
}

/*
 * Until when is a source locked out, if it is?  Rows are read newest first, so the
 * account that reaches the limit is the first of them to age out.
 */
static TimestampTz
source_locked_until(FailureLog *log, const char *source, TimestampTz *deadline)
{
	const FailureSubject subject = {NULL, source};
	HTAB	   *accounts = create_known(CurrentMemoryContext);
	TimestampTz until = 0;
	Look		look;

	(void) begin_look(log, &subject, deadline, &look);
	while (hash_get_num_entries(accounts) < log->limits.accounts &&
		   index_getnext_slot(look.scan, BackwardScanDirection, look.row))
	{
		slot_getallattrs(look.row);
		if (column_is_null(log, look.row, SOURCE_LIFTED_AT) &&
			note(accounts, hash_of_account(log, look.row), NULL) &&
			hash_get_num_entries(accounts) == log->limits.accounts)
			until = DatumGetTimestampTz(look.row->tts_values[log->columns[FAILED_AT] - 1]) +
				(TimestampTz) log->limits.window * USECS_PER_SEC;
	}
	end_look(log, &look);
	hash_destroy(accounts);
	return until;
}

/* Has a source failed at as many accounts as it may? */
bool
SourceReachedLimit(FailureLog *log, const char *source, TimestampTz *deadline)
{
	uint64		hash = hash_of_source(source, strlen(source));
	Known	   *known = NULL;
	TimestampTz until;

	/* A source is not counted again later, so accept messages now. */
	if (FailureLogIsUnchanged(log->generation) && log->known != NULL)
	{
		known = find_known(log, hash);
		if (known == NULL || known->accounts < log->limits.accounts)
			return false;
		if (known->locked_until > GetCurrentTimestamp())
			return true;
	}

	/*
	 * Failures have aged out since, or nothing is known: look, and remember
	 * it for the next time.
	 */
	until = source_locked_until(log, source, deadline);
	known = log->known == NULL ? NULL : find_known(log, hash);
	if (known != NULL && until != 0)
		known->locked_until = until;
	else if (known != NULL)
		known->accounts = 0;
	return until != 0;
}
