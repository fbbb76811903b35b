/*
 * failure_wait.h
 *		Waiting, but not for ever.
 */
#ifndef PORTPIN_FAILURE_WAIT_H
#define PORTPIN_FAILURE_WAIT_H

#include "datatype/timestamp.h"

/* Milliseconds that an order waits in all: to be told, and for the record. */
#define FAILURE_PATIENCE 5000

extern TimestampTz DeadlineFromNow(void);
extern bool WaitBriefly(TimestampTz deadline);

#endif							/* PORTPIN_FAILURE_WAIT_H */
