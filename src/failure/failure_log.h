/*
 * failure_log.h
 *		The table port_pin_failures: one row for each wrong guess.
 */
#ifndef PORTPIN_FAILURE_LOG_H
#define PORTPIN_FAILURE_LOG_H

#include "access/attnum.h"
#include "datatype/timestamp.h"
#include "storage/block.h"
#include "table/account_key.h"
#include "utils/hsearch.h"

#define FAILURE_TABLE "port_pin_failures"

/* Milliseconds that a session waits for its turn to guess, and for the record. */
#define FAILURE_PATIENCE 5000

/* The table of wrong guesses as a gate knows it; found when first needed. */
typedef struct FailureLog
{
	Oid			domain;			/* port_pin, in whose schema the table is */
	uint64		generation;		/* of the catalogs that it was found in */
	Oid			table;
	Oid			index;
	AttrNumber	unlocked;

	/* Since the statement began, or since a guess was recorded: */
	int			window;			/* seconds that guesses count */
	BlockNumber pages;			/* of the table */
	BlockNumber looks;			/* into its index */
	HTAB	   *accounts;		/* all that have guesses on record; NULL if unknown */
	MemoryContext mcxt;			/* of the gate */
} FailureLog;

/* One wrong guess. */
typedef struct Failure
{
	Oid			accounts;
	Oid			orders;
	char		role[NAMEDATALEN];
	char		login[NAMEDATALEN];
	char		application[NAMEDATALEN];
	char		client[64];		/* an address, or empty */
	ArrayType  *key;
} Failure;

extern TimestampTz DeadlineFromNow(void);
extern bool WaitBriefly(TimestampTz deadline);
extern bool FailuresAreKnown(const FailureLog *log);
extern void ForgetFailures(FailureLog *log);
extern bool FailureLogIsEmpty(const FailureLog *log);
extern bool AccountMayHaveFailures(const FailureLog *log, const AccountKey *account);
extern int	CountFailures(FailureLog *log, const AccountKey *account,
						  TimestampTz since, int limit, TimestampTz deadline);
extern void AppendFailure(Oid table, const Failure *failure);
extern int64 ClearFailures(Oid domain, const AccountKey *account,
							 TimestampTz since);

#endif							/* PORTPIN_FAILURE_LOG_H */
