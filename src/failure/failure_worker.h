/*
 * failure_worker.h
 *		Write a failed attempt down in a transaction of its own.
 */
#ifndef PORTPIN_FAILURE_WORKER_H
#define PORTPIN_FAILURE_WORKER_H

#include "failure/failure_record.h"

extern const char *RecordFailure(Oid domain, const Failure *failure,
								 TimestampTz *deadline);

#endif							/* PORTPIN_FAILURE_WORKER_H */
