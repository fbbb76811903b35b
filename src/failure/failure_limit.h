/*
 * failure_limit.h
 *		Failed attempts are counted, and too many of them lock an account out.
 */
#ifndef PORTPIN_FAILURE_LIMIT_H
#define PORTPIN_FAILURE_LIMIT_H

#include "datatype/timestamp.h"
#include "executor/tuptable.h"
#include "utils/rel.h"

#include "failure/failure_log.h"
#include "pin/check.h"
#include "table/account_key.h"

/* A port order's attempt at the PIN of an account. */
typedef struct PinAttempt
{
	Oid			domain;			/* port_pin */
	Relation	orders;
	FailureLog *log;			/* NULL: failures are neither counted nor
								 * recorded */
	TimestampTz deadline;		/* of all waiting, once there is some */
	const char *source;			/* NULL: none is known */
	const AccountIdentity *identity;	/* see AccountIsLockedOut */
	TupleTableSlot *row;
	AccountKey	account;		/* columns are NULL until they are asked for */
	int			failures;		/* of the account */
	uint64		state;			/* of the record, when they were counted */
	uint64		lock;			/* of the account */
	bool		has_lock;		/* others that attempt the account wait */
} PinAttempt;

extern void DefineFailureSettings(void);
extern TimestampTz FailuresCountSince(void);

/*
 * These go around the comparison of a PIN, in this order; the last three are repeated
 * where the order has to be judged anew:
 *
 *		BeginAttempt		once for an order, whose source may be known
 *		SourceIsLockedOut	refuses it unread
 *		AccountIsLockedOut	refuses it unread
 *		LockAttempt			before the verdict is told, whether right or wrong
 *		EndAttempt			counts, and only then tells
 */
extern void BeginAttempt(PinAttempt *attempt, Oid domain, Relation orders,
						 const char *source);
extern bool SourceIsLockedOut(PinAttempt *attempt);
extern bool AccountIsLockedOut(PinAttempt *attempt, const AccountIdentity *identity,
							   TupleTableSlot *row);
extern bool LockAttempt(PinAttempt *attempt);
extern void UnlockAttempt(PinAttempt *attempt);
extern bool EndAttempt(PinAttempt *attempt, PortVerdict *verdict);

#endif							/* PORTPIN_FAILURE_LIMIT_H */
