/*
 * failure_worker.h
 *		Write a wrong guess down in a transaction of its own.
 */
#ifndef PORTPIN_FAILURE_WORKER_H
#define PORTPIN_FAILURE_WORKER_H

#include "failure/failure_log.h"

extern const char *RecordFailure(Oid table, const Failure *failure,
								 TimestampTz deadline);

#endif							/* PORTPIN_FAILURE_WORKER_H */
