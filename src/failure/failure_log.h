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
 * A relation that nobody opens while an order is judged: invalidating it tells all
 * sessions that failures were recorded, and costs them nothing else.
 */
#define FAILURE_SIGNAL "port_pin_lockouts"

/* The record as this session knows it. */
typedef struct FailureLog FailureLog;

extern void WatchFailureLog(void);
extern FailureLog *FailureLogOf(Oid domain);
extern bool AccountIsClean(FailureLog *log, const AccountKey *account, int window);
extern int	CountFailures(FailureLog *log, const AccountKey *account, int window,
						  int limit, TimestampTz deadline);
extern TimestampTz StartOfWindow(int window);

/* For those who write to the table. */
extern Oid	FindAccountIndex(Relation table, TimestampTz deadline);
extern IndexScanDesc BeginAccountScan(Relation table, Relation index,
									  const AccountKey *account, TimestampTz since,
									  Snapshot snapshot);

#endif							/* PORTPIN_FAILURE_LOG_H */
