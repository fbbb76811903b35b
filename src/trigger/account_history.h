/*
 * account_history.h
 *		What the history of an account records.
 */
#ifndef PORTPIN_ACCOUNT_HISTORY_H
#define PORTPIN_ACCOUNT_HISTORY_H

#include "access/attnum.h"
#include "executor/tuptable.h"
#include "utils/rel.h"

#include "table/account_key.h"
#include "trigger/account_rules.h"

/* What a guard that keeps history looks at. */
typedef struct AccountHistory
{
	Oid			domain;
	AttrNumber	pin;
	AttrNumber	lock;			/* 0 where the guard names none */
	AttrNumber	lock_until;
	AccountIdentity identity;
} AccountHistory;

extern AccountHistory *FindAccountHistory(Relation table, char **rules, Oid domain);
extern void WriteAccountChange(const AccountHistory *history, TupleTableSlot *old,
							   TupleTableSlot *new);
extern void WriteAccountDeleted(const AccountHistory *history, TupleTableSlot *old);
extern void WriteLockoutLifted(const AccountKey *account, Oid domain);

#endif							/* PORTPIN_ACCOUNT_HISTORY_H */
