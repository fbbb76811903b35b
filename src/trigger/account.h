/*
 * account.h
 *		From an order to the row that has its PIN.
 */
#ifndef PORTPIN_ACCOUNT_H
#define PORTPIN_ACCOUNT_H

#include "table/account_key.h"
#include "table/lookup.h"

/* One table on the way from an order to its PIN. */
typedef struct PathStep
{
	ForeignKey	key;			/* leads here */
	AttrNumber	pin;			/* 0 where the row can't have a PIN */
	AttrNumber	lock;			/* 0 where the row can't be locked */
	AttrNumber	expires;		/* 0 where its PIN does not expire */
	AccountIdentity identity;	/* what its rows are called when guessed at */
} PathStep;

#define MAX_PATH_STEPS 2		/* order to number, number to account */

typedef struct AccountPath
{
	bool		hold;			/* judged before the foreign key is checked */
	int			nsteps;
	bool		sealed;			/* a PIN on the way is in a sealed column */
	PathStep	steps[MAX_PATH_STEPS];
} AccountPath;

/* What names the way: columns, by name; NULL or NIL where portpin finds them. */
typedef struct AccountNames
{
	List	   *fk;				/* key columns of the order */
	List	   *via;			/* key columns of the number, to its account */
	char	   *number_pin;
	char	   *account_pin;
	char	   *lock;			/* on whichever table of the way has it */
	char	   *number_lock;	/* on just this one */
	char	   *account_lock;
	char	   *expires;		/* likewise */
	char	   *number_expires;
	char	   *account_expires;
	bool		no_overrides;	/* a number has no PIN of its own */
} AccountNames;

/* What the rows on the way said; see ReadAccount. */
typedef struct Account
{
	ReferencedRow rows[MAX_PATH_STEPS];
	bool		found;
	bool		locked;
	bool		expired;
	text	   *pin;			/* NULL where blank */
	Datum		stored;			/* the same as the row has it */
	AccountIdentity *identity;	/* what the row that gave it is called */
	TupleTableSlot *row;
} Account;

extern void FindAccountPath(Relation orders, const AccountNames *names,
							Oid domain, AccountPath *path, MemoryContext mcxt);
extern void LockAccountPath(AccountPath *path);
extern void ForgetPartitions(AccountPath *path);
extern void ReadAccount(AccountPath *path, TupleTableSlot *order,
						Account *account);
extern bool AccountIsCurrent(const Account *account);
extern void ReleaseAccount(Account *account);
extern bool IsSameAccount(AccountPath *path, TupleTableSlot *old,
						  TupleTableSlot *new);

#endif							/* PORTPIN_ACCOUNT_H */
