/*
 * failure_limit.h
 *		Wrong guesses are counted, and too many of them lock an account out.
 */
#ifndef PORTPIN_FAILURE_LIMIT_H
#define PORTPIN_FAILURE_LIMIT_H

#include "failure/failure_log.h"
#include "pin/check.h"
#include "table/account_key.h"

/* One guess at an account's PIN, from before it is looked at. */
typedef struct PinAttempt
{
	FailureLog *log;			/* NULL: failures are not limited */
	Oid			domain;
	const AccountIdentity *identity;
	TupleTableSlot *row;
	AccountKey	account;		/* the name of that row; see account_of */
	bool		has_attempt_lock;		/* others wait that guess at the same account */
} PinAttempt;

extern void DefineFailureSettings(void);
extern TimestampTz FailuresCountSince(void);
extern bool BeginAttempt(PinAttempt *attempt, Oid domain,
						 const AccountIdentity *identity, TupleTableSlot *row);
extern PortVerdict EndAttempt(PinAttempt *attempt, Relation orders,
							  PortVerdict verdict);

#endif							/* PORTPIN_FAILURE_LIMIT_H */
