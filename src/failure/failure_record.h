/*
 * failure_record.h
 *		Write to the table port_pin_failures, and tell all sessions of it.
 */
#ifndef PORTPIN_FAILURE_RECORD_H
#define PORTPIN_FAILURE_RECORD_H

#include "datatype/timestamp.h"
#include "utils/array.h"

#include "failure/failure_log.h"

/* The text fields of a record, each in the column of the same name. */
typedef enum FailureField
{
	FAILURE_ACCOUNT_SCHEMA,
	FAILURE_ACCOUNT_TABLE,
	FAILURE_ORDER_SCHEMA,
	FAILURE_ORDER_TABLE,
	FAILURE_SOURCE,
	FAILURE_ROLE_NAME,
	FAILURE_LOGIN_NAME,
	FAILURE_CLIENT_ADDR,
	FAILURE_APPLICATION_NAME
} FailureField;

#define FAILURE_FIELDS (FAILURE_APPLICATION_NAME + 1)

/* One failed attempt. */
typedef struct Failure
{
	char	   *fields[FAILURE_FIELDS]; /* NULL where there is none */
	ArrayType  *account_key;
	int			pid;
} Failure;

extern const char *const failure_columns[FAILURE_FIELDS];

extern const char *RecordedSource(const char *source);
extern void AppendFailure(Oid domain, const Failure *failure);
extern int64 LiftFailures(Oid domain, const FailureSubject *subject, TimestampTz since);

#endif							/* PORTPIN_FAILURE_RECORD_H */
