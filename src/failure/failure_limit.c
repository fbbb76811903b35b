/*
 * failure_limit.c
 *		Failed attempts are counted, and too many of them lock an account out.
 *
 * The orders for an account are told whether their PINs are right until there have
 * been portpin.max_failures_per_account failures within portpin.failure_window.  Then
 * they are refused unread, until the oldest failure ages out or
 * port_pin_lift_lockout() is called.
 *
 * An order's PIN is read, and hashed, before anything is told of it.  Then the order
 * takes its account's attempt lock, whether the PIN is right or wrong, and counts;
 * only then is it accepted, or recorded and refused.  So each order counts all
 * failures that others were told of, and no more failures than the limit are ever
 * told.  A session that is stopped while hashing holds nobody up.  An order that had
 * to wait for the lock reads its account anew, for it may have waited long.  An order
 * that does not get the lock in time gets an error and no verdict, which tells nothing
 * of its PIN.
 *
 * A failure that can't be recorded ends the session: an error alone would be an answer
 * that was not counted.  It ends late, and keeps the lock until then, so that while
 * nothing can be recorded an account gets one attempt per FAILURE_PATIENCE, whatever
 * the roles and however many the sessions.  From the count to the record, cancelling
 * or terminating the session has to wait.
 */
#include "postgres.h"

#include "failure/failure_limit.h"

#include "access/xact.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "utils/guc.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "failure/failure_log.h"
#include "failure/failure_record.h"
#include "failure/failure_wait.h"
#include "failure/failure_worker.h"
#include "failure/record.h"
#include "pin/check.h"
#include "table/account_key.h"
#include "table/partition.h"

#define SECONDS_PER_HOUR 3600
#define LONGEST_WINDOW (366 * 24 * SECONDS_PER_HOUR)
PG_FUNCTION_INFO_V1(port_pin_failure_limits);
PG_FUNCTION_INFO_V1(port_pin_failures_since);

static FailureLimits limits;


/* ----- Settings ----- */

void
DefineFailureSettings(void)
{
	DefineCustomIntVariable("portpin.max_failures_per_account",
							"Failed attempts at one account after which its port orders are refused unread.",
							"0 sets no limit; with max_accounts_per_source = 0 as well, failed attempts are neither counted nor recorded.",
							&limits.failures, 10, 0, 10000,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("portpin.max_accounts_per_source",
							"Accounts at which one source has failed after which its port orders are refused unread.",
							"0 sets no limit.",
							&limits.accounts, 0, 0, 10000,
							PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("portpin.failure_window",
							"How long a failed attempt counts.",
							NULL,
							&limits.window, SECONDS_PER_HOUR, 1, LONGEST_WINDOW,
							PGC_SUSET, GUC_UNIT_S, NULL, NULL, NULL);
}

/* Since when do failures count? */
TimestampTz
FailuresCountSince(void)
{
	return StartOfWindow(&limits);
}


/* ----- Recording ----- */

/* What the account is called.  Hardly any order needs it, and it takes time to find. */
static const AccountKey *
account_of(PinAttempt *attempt)
{
	if (attempt->account.columns == NULL)
		attempt->account = AccountKeyOfRow(attempt->identity, attempt->row);
	return &attempt->account;
}

static void
describe_failure(PinAttempt *attempt, Failure *failure)
{
	RecordedTable account_table = RecordedNameOf(attempt->identity->table);
	RecordedTable order_table = RecordedNameOf(RootOfPartitions(attempt->orders));
	RecordedSession session = DescribeSession();

	failure->fields[FAILURE_ACCOUNT_SCHEMA] = account_table.schema;
	failure->fields[FAILURE_ACCOUNT_TABLE] = account_table.name;
	failure->fields[FAILURE_ORDER_SCHEMA] = order_table.schema;
	failure->fields[FAILURE_ORDER_TABLE] = order_table.name;
	failure->fields[FAILURE_SOURCE] = unconstify(char *, attempt->source);
	failure->fields[FAILURE_ROLE_NAME] = session.role_name;
	failure->fields[FAILURE_LOGIN_NAME] = session.login_name;
	failure->fields[FAILURE_CLIENT_ADDR] = session.client_addr;
	failure->fields[FAILURE_APPLICATION_NAME] = session.application_name;
	failure->account_key = account_of(attempt)->columns;
	failure->pid = MyProcPid;
}

/*
 * A failure is not on record: end the session.  First it keeps its lock for as long as
 * an order may wait, even beyond its own deadline, or all orders that queue at one
 * account could be told at once.
 */
static void
end_session(const char *problem, TimestampTz locked_until)
{
	HOLD_INTERRUPTS();
	while (WaitBriefly(FAILURE_PATIENCE, &locked_until))
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
record_or_end_session(PinAttempt *attempt)
{
	MemoryContext mcxt = CurrentMemoryContext;
	const char *volatile problem = NULL;
	bool		exits_on_error = ExitOnAnyError;
	TimestampTz locked_until = DeadlineFromNow();
	Failure		failure;

	HOLD_INTERRUPTS();

	/*
	 * The client may have set exit_on_error; an error must not end the
	 * session early.
	 */
	ExitOnAnyError = false;
	PG_TRY();
	{
		describe_failure(attempt, &failure);
		problem = RecordFailure(attempt->domain, &failure, &attempt->deadline);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(mcxt);
		problem = CopyErrorData()->message;
		FlushErrorState();
		LWLockReleaseAll();		/* others need not wait, too */
	}
	PG_END_TRY();
	ExitOnAnyError = exits_on_error;
	if (problem != NULL)
		end_session(problem, locked_until);
	RESUME_INTERRUPTS();
}


/* ----- An attempt ----- */

void
BeginAttempt(PinAttempt *attempt, Oid domain, Relation orders, const char *source)
{
	memset(attempt, 0, sizeof(PinAttempt));
	if (limits.failures == 0 && limits.accounts == 0)
		return;
	attempt->domain = domain;
	attempt->orders = orders;
	attempt->log = FailureLogOf(domain, &limits);
	attempt->source = source == NULL ? NULL : RecordedSource(source);
}

/* Has the source of the order failed at too many accounts already? */
bool
SourceIsLockedOut(PinAttempt *attempt)
{
	return attempt->log != NULL && attempt->source != NULL && limits.accounts > 0 &&
		SourceReachedLimit(attempt->log, attempt->source, &attempt->deadline);
}

/* The failures of the account that count; -1 if that takes a wait, and there is no time. */
static int
count_failures(PinAttempt *attempt, TimestampTz *deadline)
{
	if (NobodyHasFailures(attempt->log, &attempt->state))
		return 0;
	return CountFailures(attempt->log, account_of(attempt), deadline, &attempt->state);
}

/*
 * Has the account whose PIN is in this row had too many failures already?  Without a
 * row there is no PIN to attempt.
 */
bool
AccountIsLockedOut(PinAttempt *attempt, const AccountIdentity *identity,
				   TupleTableSlot *row)
{
	if (attempt->log == NULL || row == NULL)
		return false;
	attempt->identity = identity;
	attempt->row = row;
	attempt->account.columns = NULL;
	if (limits.failures == 0)
		return false;
	attempt->failures = count_failures(attempt, &attempt->deadline);
	return attempt->failures >= limits.failures;
}

/*
 * Take the attempt lock.  True if that took a wait: then the account may have changed
 * since it was read.  If it has, UnlockAttempt and judge the order anew.
 */
bool
LockAttempt(PinAttempt *attempt)
{
	bool		waited;

	if (attempt->log == NULL)
		return false;
	attempt->lock = HashAccountRow(attempt->identity, attempt->row);
	waited = AcquireAccountLock(attempt->lock, &attempt->deadline);
	attempt->has_lock = true;
	return waited;
}

void
UnlockAttempt(PinAttempt *attempt)
{
	if (attempt->has_lock)
		ReleaseAccountLock(attempt->lock);
	attempt->has_lock = false;
}

/*
 * Count again what others may have recorded meanwhile.  Under the lock this must not
 * wait for the record's own locks; -1 if it would have to.
 */
static int
count_at_once(PinAttempt *attempt)
{
	return limits.failures == 0 || FailureLogIsUnchanged(attempt->state) ?
		attempt->failures : count_failures(attempt, DONT_WAIT);
}

/*
 * The PIN was compared, with this verdict.  Decide what may be told of it.  False if
 * that can't be decided now, and the order has to be judged anew.
 */
bool
EndAttempt(PinAttempt *attempt, PortVerdict *verdict)
{
	int			failures;

	if (attempt->log == NULL)
		return true;
	failures = count_at_once(attempt);
	if (limits.failures > 0 && failures >= limits.failures)
		*verdict = PORT_TOO_MANY_ATTEMPTS;
	else if (failures >= 0 && *verdict == PORT_PIN_MISMATCH)
		record_or_end_session(attempt);
	UnlockAttempt(attempt);
	return failures >= 0;
}


/* ----- What SQL calls ----- */

/*
 * port_pin_failure_limits(OUT max_failures_per_account integer,
 *		OUT max_accounts_per_source integer, OUT failure_window interval)
 *
 * The settings, for views: before the module is loaded current_setting() does not
 * know them.
 */
Datum
port_pin_failure_limits(PG_FUNCTION_ARGS)
{
	TupleDesc	row;
	Interval	window = {.time = (TimeOffset) limits.window * USECS_PER_SEC};
	Datum		values[] = {Int32GetDatum(limits.failures), Int32GetDatum(limits.accounts),
	IntervalPGetDatum(&window)};
	bool		nulls[lengthof(values)] = {false};

	if (get_call_result_type(fcinfo, NULL, &row) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(row), values, nulls)));
}

/*
 * port_pin_failures_since() returns timestamptz
 *
 * When the window of failures that count began, as of this statement.
 */
Datum
port_pin_failures_since(PG_FUNCTION_ARGS pg_attribute_unused())
{
	PG_RETURN_TIMESTAMPTZ(GetCurrentStatementStartTimestamp() -
						  (TimestampTz) limits.window * USECS_PER_SEC);
}
