/*
 * failure_wait.c
 *		Waiting, but not forever; and one attempt at an account at a time.
 *
 * The attempt lock of an account is a heavyweight lock: it is released if the
 * (sub)transaction fails, and pg_locks shows it.  A session that holds it waits for
 * nothing but a record, so it can't be part of a deadlock.
 */
#include "postgres.h"

#include "failure/failure_wait.h"

#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/compat.h"
#include "base/error.h"

/*
 * The last part of the lock tag, where SQL's advisory locks have 1 or 2: no call of
 * pg_advisory_lock() can take one of our locks or tell whether it is held.
 */
#define ATTEMPT_LOCK 0x5050

/* Milliseconds of an order's patience that are kept for the record. */
#define RECORD_PATIENCE 3000

/* Microseconds to sleep before each further try, and then to queue. */
static const long naps[] = {50, 100, 200};


/* ----- Deadlines ----- */

/* When an order that waits from now on gives up. */
TimestampTz
DeadlineFromNow(void)
{
	return TimestampTzPlusMilliseconds(GetCurrentTimestamp(), FAILURE_PATIENCE);
}

/* Let so many milliseconds pass, or fewer.  False if the deadline has passed. */
bool
WaitBriefly(long milliseconds, TimestampTz *deadline)
{
	long		left;

	if (*deadline == 0)
		*deadline = DeadlineFromNow();
	left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), *deadline);
	if (left <= 0)
		return false;
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 Min(left, milliseconds), PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	return true;
}


/* ----- The attempt lock ----- */

static LOCKTAG
attempt_lock_of(uint64 account)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (account >> 32), (uint32) account,
						 ATTEMPT_LOCK);
	return tag;
}

static bool
try_lock(const LOCKTAG *tag)
{
	return LockAcquire(tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

/* No verdict: the order was not judged, and nothing is told of its PIN. */
static void
report_too_late(void)
{
	ereport_without_context(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
							errmsg("port order refused: other orders for its account took too long"),
							errdetail("Orders for one account are answered one after the other."),
							errhint("Submit the order again."));
}

/*
 * Queue for a lock.  The lock manager has a timeout for that, which is a setting; use
 * the shorter of what the session has set and what is left of the time.  It must not
 * log the wait, as it would log the statement, which can show a PIN.
 */
static void
queue_for_lock(const LOCKTAG *tag, TimestampTz deadline)
{
	MemoryContext mcxt = CurrentMemoryContext;
	int			own_timeout = LockTimeout;
	bool		own_log_waits = log_lock_waits;
	int			patience = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline) -
	RECORD_PATIENCE;

	if (patience <= 0)
		report_too_late();
	PG_TRY();
	{
		LockTimeout = own_timeout > 0 ? Min(own_timeout, patience) : patience;
		log_lock_waits = false;
		(void) LockAcquire(tag, ExclusiveLock, false, false);
	}
	PG_CATCH();
	{
		LockTimeout = own_timeout;
		log_lock_waits = own_log_waits;
		if (geterrcode() != ERRCODE_LOCK_NOT_AVAILABLE)
			PG_RE_THROW();
		MemoryContextSwitchTo(mcxt);
		FlushErrorState();
		report_too_late();
	}
	PG_END_TRY();
	LockTimeout = own_timeout;
	log_lock_waits = own_log_waits;
}

/*
 * Take the attempt lock of an account.  Honest orders hold it for microseconds, so
 * queueing, which costs a process switch each time, comes last.  True if it had to be
 * waited for; from then on there is a deadline.
 */
bool
AcquireAccountLock(uint64 account, TimestampTz *deadline)
{
	LOCKTAG		tag = attempt_lock_of(account);

	if (try_lock(&tag))
		return false;
	if (*deadline == 0)
		*deadline = DeadlineFromNow();
	for (int i = 0; i < (int) lengthof(naps); i++)
	{
		CHECK_FOR_INTERRUPTS();
		pg_usleep(naps[i]);
		if (try_lock(&tag))
			return true;
	}
	queue_for_lock(&tag, *deadline);
	return true;
}

void
ReleaseAccountLock(uint64 account)
{
	LOCKTAG		tag = attempt_lock_of(account);

	LockRelease(&tag, ExclusiveLock, false);
}
