/*
 * account.h
 *		The rows on the way from an order to its PIN, and what they say.
 */
#ifndef PORTPIN_ACCOUNT_H
#define PORTPIN_ACCOUNT_H

#include "executor/tuptable.h"

#include "pin/check.h"
#include "table/account_key.h"
#include "table/lookup.h"
#include "trigger/account_path.h"

/* What it takes to read the accounts of orders. */
typedef struct AccountReader
{
	AccountPath *path;
	bool		lock_key;		/* judged before the foreign key is checked */
	KeyLookup  *lookups[MAX_PATH_STEPS];
} AccountReader;

/* What the rows on the way said; see ReadAccount. */
typedef struct Account
{
	ReferencedRow rows[MAX_PATH_STEPS];
	bool		found;
	bool		in_scope;
	bool		locked;
	PortVerdict unusable;		/* why even the right PIN is refused; else
								 * accepted */
	TimestampTz usable_from;	/* if it is too new */
	text	   *pin;			/* NULL where blank */
	Datum		stored;			/* the same, as the row stores it */
	PathStep   *step;			/* the step that gave it; NULL where blank */
	ReferencedRow *holder;		/* the row that holds it */
} Account;

extern void InitAccountReader(AccountReader *reader, AccountPath *path,
							  bool lock_key, MemoryContext mcxt);
extern void LockForReader(const AccountReader *reader);
extern bool ReaderOutlivesStatement(const AccountReader *reader);
extern void ReadAccount(AccountReader *reader, TupleTableSlot *order,
						Account *account);
extern bool AccountIsCurrent(const Account *account);
extern void ReleaseAccount(Account *account);
extern bool IsSameAccount(AccountReader *reader, TupleTableSlot *old,
						  TupleTableSlot *new);

#endif							/* PORTPIN_ACCOUNT_H */
