/*
 * failure_log.h
 *		The table port_pin_failures, one row for each failed attempt: count them.
 */
#ifndef PORTPIN_FAILURE_LOG_H
#define PORTPIN_FAILURE_LOG_H

#include "access/genam.h"
#include "datatype/timestamp.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "table/account_key.h"

#define FAILURE_TABLE "port_pin_failures"

/*
 * A relation that no session opens while an order is judged: invalidating it tells all
 * sessions that failures were recorded, and costs them nothing else.
 */
#define FAILURE_SIGNAL "port_pin_lockouts"

/* The record as this session knows it. */
typedef struct FailureLog FailureLog;

/* What counts, by the current settings. */
typedef struct FailureLimits
{
	int			window;			/* seconds for which a failure counts */
	int			failures;		/* at one account */
	int			accounts;		/* that one source failed at; either may be 0:
								 * no limit */
} FailureLimits;

extern void WatchFailureLog(void);
extern FailureLog *FailureLogOf(Oid domain, const FailureLimits *limits);
extern TimestampTz StartOfWindow(const FailureLimits *limits);
extern bool NobodyHasFailures(const FailureLog *log, uint64 *state);
extern int	CountFailures(FailureLog *log, const AccountKey *account,
						  TimestampTz *deadline, uint64 *state);
extern bool FailureLogIsUnchanged(uint64 state);
extern bool SourceReachedLimit(FailureLog *log, const char *source,
							   TimestampTz *deadline);

/*
 * For code that writes to the table.  Whose failures: an account's, a source's or,
 * with neither, everybody's.
 */
typedef struct FailureSubject
{
	const AccountKey *account;
	const char *source;
} FailureSubject;

extern Oid	FindFailureIndex(Relation table, const FailureSubject *subject,
							 TimestampTz *deadline);
extern IndexScanDesc BeginFailureScan(Relation table, Relation index,
									  const FailureSubject *subject,
									  TimestampTz since, Snapshot snapshot);

#endif							/* PORTPIN_FAILURE_LOG_H */
