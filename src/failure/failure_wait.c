/*
 * failure_wait.c
 *		Waiting, but not for ever.
 */
#include "postgres.h"

#include "failure/failure_wait.h"

#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/compat.h"

/* When an order that waits from now on gives up. */
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
