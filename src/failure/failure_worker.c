/*
 * failure_worker.c
 *		Write a failed attempt down in a transaction of its own.
 *
 * An order with a wrong PIN gets an error, and its transaction is rolled back with all
 * that it wrote.  So a background worker writes, and commits before the session gets
 * its error.  It is a dynamic one, which needs no setting and no restart of the
 * server, only a free slot of max_worker_processes.
 *
 * The worker connects as the bootstrap superuser, so that no role's settings or
 * NOLOGIN apply, and no setting of the database or of the session reaches what it
 * does.  Its commit is flushed to disk here, and waits for no standby.
 *
 * The session waits until a deadline of its own.  It does not wait for the worker to
 * end: a worker that waits for a lock of the session, or for a standby, would never
 * end, and no deadlock detector sees that.
 */
#include "postgres.h"

#include "failure/failure_worker.h"

#include "catalog/pg_type.h"
#include "commands/async.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/setting.h"
#include "failure/failure_log.h"
#include "failure/failure_record.h"
#include "failure/failure_wait.h"

/* Milliseconds that the worker waits for a lock: well within the session's. */
#define WORKER_LOCK_TIMEOUT "2000ms"

/* What a session hands to its worker, in shared memory. */
typedef struct FailureRequest
{
	PGPROC	   *session;		/* to be woken when all is done */
	pg_atomic_uint32 done;
	Oid			database;
	Oid			domain;
	int			pid;
	Size		key_offset;		/* of two arrays of text, the fields and the
								 * key */
	char		arrays[FLEXIBLE_ARRAY_MEMBER];
} FailureRequest;

pg_noreturn extern PGDLLEXPORT void port_pin_failure_worker(Datum main_arg);


/* ----- What a session asks for ----- */

static ArrayType *
array_of_fields(const Failure *failure)
{
	Datum		texts[FAILURE_FIELDS];
	bool		nulls[FAILURE_FIELDS];
	int			nfields = FAILURE_FIELDS;
	int			lower_bound = 1;

	for (int i = 0; i < FAILURE_FIELDS; i++)
	{
		nulls[i] = failure->fields[i] == NULL;
		texts[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(failure->fields[i]);
	}
	return construct_md_array(texts, nulls, 1, &nfields, &lower_bound,
							  TEXTOID, -1, false, TYPALIGN_INT);
}

static dsm_segment *
prepare_request(Oid domain, const Failure *failure)
{
	ArrayType  *fields = array_of_fields(failure);
	Size		key_offset = MAXALIGN(VARSIZE(fields));
	dsm_segment *segment = dsm_create(offsetof(FailureRequest, arrays) + key_offset +
									  VARSIZE(failure->account_key), 0);
	FailureRequest *request = dsm_segment_address(segment);

	request->session = MyProc;
	pg_atomic_init_u32(&request->done, 0);
	request->database = MyDatabaseId;
	request->domain = domain;
	request->pid = failure->pid;
	request->key_offset = key_offset;
	memcpy(request->arrays, fields, VARSIZE(fields));
	memcpy(request->arrays + key_offset, failure->account_key, VARSIZE(failure->account_key));
	return segment;
}

/* The worker's copy, which outlives the request. */
static Failure
read_request(const FailureRequest *request)
{
	Failure		failure = {.pid = request->pid};
	Datum	   *texts;
	bool	   *nulls;
	int			nfields;

	failure.account_key = DatumGetArrayTypePCopy(PointerGetDatum(request->arrays + request->key_offset));
	deconstruct_array(DatumGetArrayTypePCopy(PointerGetDatum(request->arrays)),
					  TEXTOID, -1, false, TYPALIGN_INT, &texts, &nulls, &nfields);
	Assert(nfields == FAILURE_FIELDS);
	for (int i = 0; i < nfields; i++)
		failure.fields[i] = nulls[i] ? NULL : TextDatumGetCString(texts[i]);
	return failure;
}


/* ----- The queue for a worker ----- */

/*
 * The whole server shares max_worker_processes, and sessions that need a worker are
 * served in the order in which they come: in classes of those that came in the same
 * tenth of a second.  Each class has a lock, which its sessions hold in share mode; a
 * class is served when all before it are empty, and no session waits in a class for
 * longer than FAILURE_PATIENCE.  (The lock manager's own queue would do if it had a
 * deadline: it has none for a session that holds off interrupts.)
 */
#define QUEUE_LOCK 0x5051		/* beside ATTEMPT_LOCK */
#define CLASS_MILLISECONDS 100
#define CLASSES (FAILURE_PATIENCE / CLASS_MILLISECONDS + 1)

static uint64
class_of_now(void)
{
	return GetCurrentTimestamp() / (CLASS_MILLISECONDS * 1000);
}

/* The lock belongs to no database. */
static LOCKTAG
lock_of_class(uint64 class)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, InvalidOid, (uint32) (class >> 32), (uint32) class, QUEUE_LOCK);
	return tag;
}

static bool
lock_class(uint64 class, LOCKMODE mode)
{
	LOCKTAG		tag = lock_of_class(class);

	return LockAcquire(&tag, mode, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

static void
unlock_class(uint64 class, LOCKMODE mode)
{
	LOCKTAG		tag = lock_of_class(class);

	LockRelease(&tag, mode, false);
}

/* Join the current class; try again while a session checks whether it is empty. */
static uint64
join_queue(void)
{
	for (;;)
	{
		uint64		class = class_of_now();

		if (lock_class(class, ShareLock))
			return class;
	}
}

/*
 * Are all classes before ours empty?  "first" moves on past those that are.  It begins
 * close to ours even if the clock is set back while we wait.
 */
static bool
is_at_head(uint64 *first, uint64 ours)
{
	*first = Max(*first, Max(class_of_now(), ours) - CLASSES);
	for (; *first < ours; (*first)++)
	{
		if (!lock_class(*first, ExclusiveLock))
			return false;
		unlock_class(*first, ExclusiveLock);
	}
	return true;
}

/* Start a worker as soon as it is our turn and there is a free slot; false if too late. */
static bool
start_worker(dsm_segment *segment, BackgroundWorkerHandle **handle,
			 TimestampTz *deadline)
{
	BackgroundWorker worker = {
		.bgw_name = "portpin: wrong port PIN",
		.bgw_type = "portpin",
		.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION,
		.bgw_start_time = BgWorkerStart_RecoveryFinished,
		.bgw_restart_time = BGW_NEVER_RESTART,
		.bgw_library_name = "portpin",
		.bgw_function_name = "port_pin_failure_worker",
		.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment)),
		.bgw_notify_pid = MyProcPid,
	};
	uint64		class = join_queue();
	uint64		first = 0;
	bool		at_head;
	bool		started;

	do
	{
		at_head = is_at_head(&first, class);
		started = at_head && RegisterDynamicBackgroundWorker(&worker, handle);
	} while (!started && WaitBriefly(at_head ? 1 : 5, deadline));
	unlock_class(class, ShareLock);
	return started;
}


/* ----- The session's side ----- */

/* Wait for the commit, not for the worker's end. */
static const char *
wait_for_record(FailureRequest *request, BackgroundWorkerHandle *handle, TimestampTz *deadline)
{
	for (;;)
	{
		pid_t		pid;
		bool		ended = GetBackgroundWorkerPid(handle, &pid) == BGWH_STOPPED;

		/* In this order: a worker may finish and end in between. */
		if (pg_atomic_read_u32(&request->done) != 0)
			return NULL;
		if (ended)
			return "The background worker failed; its own message is above.";
		if (!WaitBriefly(FAILURE_PATIENCE, deadline))
			return "The background worker did not end in time.";
	}
}

/*
 * Have a failure written down and committed.  NULL if it was, else why it may not have
 * been.  Interrupts must be held off: a cancelled attempt must not go uncounted.
 */
const char *
RecordFailure(Oid domain, const Failure *failure, TimestampTz *deadline)
{
	dsm_segment *segment = prepare_request(domain, failure);
	BackgroundWorkerHandle *handle;
	const char *problem;

	Assert(InterruptHoldoffCount > 0);
	if (start_worker(segment, &handle, deadline))
		problem = wait_for_record(dsm_segment_address(segment), handle, deadline);
	else
		problem = "No background worker could be started: max_worker_processes is exhausted, or the server is in single-user mode.";
	dsm_detach(segment);
	return problem;
}


/* ----- The worker's side ----- */

/* Settings that a database or a role could have changed, and their values here. */
static const char *const worker_settings[][2] = {
	{"default_transaction_read_only", "off"},
	{"default_transaction_isolation", "read committed"},
	{"default_transaction_deferrable", "off"},
	{"synchronous_commit", "local"},
	{"commit_delay", "0"},
	{"lock_timeout", WORKER_LOCK_TIMEOUT},
	{"statement_timeout", "0"},
	{"transaction_timeout", "0"},
	{"idle_in_transaction_session_timeout", "0"},
	{"row_security", "off"},
	{"search_path", PINNED_SEARCH_PATH},
};

static void
pin_worker_settings(void)
{
	for (int i = 0; i < (int) lengthof(worker_settings); i++)
	{
		/* Not every version has them all. */
		if (GetConfigOption(worker_settings[i][0], true, false) != NULL)
			SetConfigOption(worker_settings[i][0], worker_settings[i][1],
							PGC_SUSET, PGC_S_OVERRIDE);
	}
}

static void
begin_transaction(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
}

static void
commit_transaction(void)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
}

static void
append_json_array(StringInfo line, ArrayType *array)
{
	Datum	   *texts;
	int			ntexts;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &texts, NULL, &ntexts);
	for (int i = 0; i < ntexts; i++)
	{
		appendStringInfoString(line, i == 0 ? "[" : ", ");
		escape_json(line, TextDatumGetCString(texts[i]));
	}
	appendStringInfoChar(line, ']');
}

/*
 * Write it to the server's log, in one line that a program can read: names, sources
 * and application_name can hold anything, which JSON escapes.  Never the PIN, which
 * the worker does not have.
 */
static void
log_failure(const Failure *failure)
{
	StringInfoData line;

	initStringInfo(&line);
	appendStringInfo(&line, "{\"pid\": %d, \"account_key\": ", failure->pid);
	append_json_array(&line, failure->account_key);
	for (int i = 0; i < FAILURE_FIELDS; i++)
	{
		if (failure->fields[i] == NULL)
			continue;
		appendStringInfo(&line, ", \"%s\": ", failure_columns[i]);
		escape_json(&line, failure->fields[i]);
	}
	appendStringInfoChar(&line, '}');
	ereport(LOG, errmsg_internal("failed port PIN: %s", line.data));
}

/*
 * Tell listeners that there is something to read.  Every role may listen, so that is
 * all they are told.  This comes after the record is safe: a full queue of
 * notifications must not keep it from being made.
 */
static void
notify(void)
{
	begin_transaction();
	Async_Notify(FAILURE_TABLE, "");
	commit_transaction();
}

/* The background worker, from start to end. */
void
port_pin_failure_worker(Datum main_arg)
{
	dsm_segment *segment;
	FailureRequest *request;
	Failure		failure;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	segment = dsm_attach(DatumGetUInt32(main_arg));
	if (segment == NULL)
		proc_exit(0);			/* the session has ended, and knows why */
	request = dsm_segment_address(segment);
	failure = read_request(request);

	BackgroundWorkerInitializeConnectionByOid(request->database, InvalidOid,
											  BGWORKER_BYPASS_ALLOWCONN);
	pin_worker_settings();
	pgstat_report_activity(STATE_RUNNING, "recording a wrong port PIN");

	begin_transaction();
	AppendFailure(request->domain, &failure);
	commit_transaction();
	pg_atomic_write_u32(&request->done, 1);
	SetLatch(&request->session->procLatch);

	log_failure(&failure);
	notify();
	proc_exit(0);
}
