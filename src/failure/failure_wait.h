/*
 * failure_wait.h
 *		Waiting, but not forever; and one attempt at an account at a time.
 */
#ifndef PORTPIN_FAILURE_WAIT_H
#define PORTPIN_FAILURE_WAIT_H

#include "datatype/timestamp.h"

/* Milliseconds that an order waits in all: for the attempt lock and for the record. */
#define FAILURE_PATIENCE 5000

/*
 * A deadline is 0 until the first wait sets it, so that an order that need not wait
 * never asks for the time.  The deadline of what must not wait is NULL.
 */
#define DONT_WAIT NULL

extern TimestampTz DeadlineFromNow(void);
extern bool WaitBriefly(long milliseconds, TimestampTz *deadline);
extern bool AcquireAccountLock(uint64 account, TimestampTz *deadline);
extern void ReleaseAccountLock(uint64 account);

#endif							/* PORTPIN_FAILURE_WAIT_H */
