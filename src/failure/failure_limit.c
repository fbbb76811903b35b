/*
 * failure.c
 *		Wrong guesses are counted, and too many of them lock an account out.
 *
 * Who guesses gets the verdict of a gate, and no more than portpin.max_failures_per_account
 * times within portpin.failure_window for one account.  Then its orders are
 * refused before the PIN is looked at, until the oldest guess ages out or somebody
 * calls port_pin_unlock().  An attempt has two ends:
 *
 *		BeginAttempt	counts what is on record; refuses if that is too much
 *		EndAttempt		records the guess, if it was wrong, before it is told
 *
 * Sessions that guess at one account take turns as soon as it has a guess on
 * record, so that each counts what the others recorded.  At an account without
 * any, nobody waits for anybody: that is the path of honest orders, one look into
 * an index, or none in a statement of many orders (FailuresAreKnown in failure_log.c).  A
 * guess that turns out wrong there takes its turn then, and counts again.  So of an
 * account no more than max_failures wrong guesses are told and recorded, exactly.
 * What can be learned is one answer more for each session but the first that had
 * looked at the account before its first guess was on record.
 *
 * From the moment that the PIN is looked at until a wrong guess is on record,
 * cancelling and terminating the session have to wait, for FAILURE_PATIENCE at
 * most.  A guess that can't be recorded ends the session: an error alone would
 * be an answer that was not counted.
 */
#include "postgres.h"

#include "failure/failure_limit.h"

#include "executor/tuptable.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/lwlock.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "failure/failure_log.h"
#include "failure/failure_record.h"
#include "failure/failure_wait.h"
#include "failure/failure_worker.h"
#include "pin/check.h"
#include "table/account_key.h"
#include "table/partition.h"

#define SECONDS_PER_HOUR 3600
#define LONGEST_WINDOW (366 * 24 * SECONDS_PER_HOUR)

/*
 * The last part of the lock tag, where SQL's advisory locks have 1 or 2: nobody
 * can take or see through a lock of ours by calling pg_advisory_lock().
 */
#define ATTEMPT_LOCK 0x5050

PG_FUNCTION_INFO_V1(port_pin_failure_limits);

static int	max_failures;
static int	failure_window;		/* seconds */


/* ----- Settings ----- */

void
DefineFailureSettings(void)
{
	DefineCustomIntVariable("portpin.max_failures_per_account",
							"Wrong port PINs for one account after which its port orders are refused unread.",
							"0 lets guesses go uncounted and unrecorded.",
							&max_failures, 10, 0, 10000,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("portpin.failure_window",
							"How long a wrong port PIN counts.",
							NULL,
							&failure_window, SECONDS_PER_HOUR, 1, LONGEST_WINDOW,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
}

/* Since when do failures count? */
TimestampTz
FailuresCountSince(void)
{
	return StartOfWindow(failure_window);
}

/* Most accounts are never guessed at: their name is asked for when it is needed. */
static const AccountKey *
account_of(PinAttempt *attempt)
{
	if (attempt->account.columns == NULL)
		attempt->account = AccountKeyOfRow(attempt->identity, attempt->row);
	return &attempt->account;
}


/* ----- Taking turns ----- */

static LOCKTAG
attempt_lock_of(const AccountKey *account)
{
	uint64		hash = HashAccountKey(account->columns, account->table);
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (hash >> 32), (uint32) hash,
						 ATTEMPT_LOCK);
	return tag;
}

/* The lock goes by itself if the (sub)transaction fails. */
static bool
acquire_attempt_lock(PinAttempt *attempt, TimestampTz deadline)
{
	LOCKTAG		tag = attempt_lock_of(account_of(attempt));

	while (LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
	{
		if (!WaitBriefly(deadline))
			return false;
	}
	attempt->has_attempt_lock = true;
	return true;
}

static void
release_attempt_lock(PinAttempt *attempt)
{
	if (attempt->has_attempt_lock)
	{
		LOCKTAG		tag = attempt_lock_of(account_of(attempt));

		LockRelease(&tag, ExclusiveLock, false);
	}
	attempt->has_attempt_lock = false;
}

static int
count_failures(PinAttempt *attempt, TimestampTz deadline)
{
	return CountFailures(attempt->log, account_of(attempt), failure_window,
						 max_failures, deadline);
}


/* ----- Recording ----- */

/* The address that the session came from; NULL if from this machine. */
static char *
client_address(void)
{
	LOCAL_FCINFO(fcinfo, 0);
	Datum		address;

	InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
	address = inet_client_addr(fcinfo);
	return fcinfo->isnull ? NULL :
		DatumGetCString(DirectFunctionCall1(inet_out, address));
}

static void
describe_failure(const AccountKey *account, Relation orders, Failure *failure)
{
	RecordedTable account_table = RecordedNameOf(account->table);
	RecordedTable order_table = RecordedNameOf(RootOfPartitions(orders));

	failure->fields[FAILURE_ACCOUNT_SCHEMA] = account_table.schema;
	failure->fields[FAILURE_ACCOUNT_TABLE] = account_table.name;
	failure->fields[FAILURE_ORDER_SCHEMA] = order_table.schema;
	failure->fields[FAILURE_ORDER_TABLE] = order_table.name;
	/* A role may have been dropped while it is in use. */
	failure->fields[FAILURE_ROLE_NAME] = GetUserNameFromId(GetOuterUserId(), true);
	failure->fields[FAILURE_LOGIN_NAME] = GetUserNameFromId(GetSessionUserId(), true);
	failure->fields[FAILURE_CLIENT_ADDR] = client_address();
	failure->fields[FAILURE_APPLICATION_NAME] = application_name;
	failure->account_key = account->columns;
	failure->pid = MyProcPid;
}

/* Count again if others may have guessed meanwhile, then record. */
static const char *
count_and_record(PinAttempt *attempt, Relation orders, PortVerdict *verdict,
				 TimestampTz deadline)
{
	Failure		failure;

	if (!attempt->has_attempt_lock)
	{
		if (!acquire_attempt_lock(attempt, deadline))
			return "Other sessions that guess at the same account took too long.";
		if (count_failures(attempt, deadline) >= max_failures)
		{
			*verdict = PORT_TOO_MANY_ATTEMPTS;
			return NULL;
		}
	}
	describe_failure(account_of(attempt), orders, &failure);
	return RecordFailure(attempt->domain, &failure, deadline);
}

/*
 * A wrong guess is not on record: end the session.  Not before the deadline, or
 * guessing would be as fast as connecting.
 */
static void
end_session(const char *problem, TimestampTz deadline)
{
	HOLD_INTERRUPTS();
	while (WaitBriefly(deadline))
		;
	error_context_stack = NULL;
	ereport(FATAL,
			errhidestmt(true),
			errcode(ERRCODE_SYSTEM_ERROR),
			errmsg("port order refused: its wrong port PIN could not be recorded"),
			errdetail_log("%s", problem),
			errhint("Connect again, and submit the order with the account's port PIN."));
}

/* Any error on the way to the record means that there may be none. */
static void
record_or_end_session(PinAttempt *attempt, Relation orders, PortVerdict *verdict)
{
	MemoryContext mcxt = CurrentMemoryContext;
	TimestampTz deadline = DeadlineFromNow();
	const char *volatile problem = NULL;
	bool		exits_on_error = ExitOnAnyError;

	/* Whoever guesses may have asked to be let go at once: not before the deadline. */
	ExitOnAnyError = false;
	PG_TRY();
	{
		problem = count_and_record(attempt, orders, verdict, deadline);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(mcxt);
		problem = CopyErrorData()->message;
		FlushErrorState();
		LWLockReleaseAll();		/* nobody has to wait with this session */
	}
	PG_END_TRY();
	ExitOnAnyError = exits_on_error;
	if (problem != NULL)
		end_session(problem, deadline);
}


/* ----- An attempt ----- */

/* Is no guess at the account on record, for all that the statement knows? */
static bool
has_clean_record(PinAttempt *attempt)
{
	return AccountIsClean(attempt->log, account_of(attempt), failure_window);
}

/* Count what is on record, in turn if there is something.  May there be one more? */
static bool
may_guess(PinAttempt *attempt)
{
	TimestampTz deadline = DeadlineFromNow();
	int			failures = count_failures(attempt, deadline);

	if (failures > 0 && failures < max_failures)
		failures = acquire_attempt_lock(attempt, deadline) ?
			count_failures(attempt, deadline) : max_failures;
	if (failures < max_failures)
		return true;
	release_attempt_lock(attempt);
	return false;
}

/*
 * May the PIN of an account, which is in this row, be looked at?  If so, EndAttempt
 * must follow, and interrupts are held until it has.  No row: there is no PIN.
 */
bool
BeginAttempt(PinAttempt *attempt, Oid domain, const AccountIdentity *identity,
			 TupleTableSlot *row)
{
	memset(attempt, 0, sizeof(PinAttempt));
	if (max_failures == 0 || row == NULL)
		return true;

	attempt->domain = domain;
	attempt->log = FailureLogOf(domain);
	attempt->identity = identity;
	attempt->row = row;
	if (!has_clean_record(attempt) && !may_guess(attempt))
		return false;
	HOLD_INTERRUPTS();
	return true;
}

/* The PIN was looked at, with this verdict.  What may be told of it? */
PortVerdict
EndAttempt(PinAttempt *attempt, Relation orders, PortVerdict verdict)
{
	if (attempt->log == NULL)
		return verdict;
	if (verdict == PORT_PIN_MISMATCH)
		record_or_end_session(attempt, orders, &verdict);
	release_attempt_lock(attempt);
	RESUME_INTERRUPTS();
	return verdict;
}


/* ----- What SQL calls ----- */

/*
 * port_pin_failure_limits(OUT max_failures_per_account integer,
 *		OUT failure_window interval)
 *
 * The settings, for views: before the module is loaded current_setting() does not
 * know them.
 */
Datum
port_pin_failure_limits(PG_FUNCTION_ARGS)
{
	TupleDesc	row;
	Interval	window = {.time = (TimeOffset) failure_window * USECS_PER_SEC};
	Datum		values[2] = {Int32GetDatum(max_failures), IntervalPGetDatum(&window)};
	bool		nulls[2] = {false, false};

	if (get_call_result_type(fcinfo, NULL, &row) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(row), values, nulls)));
}
