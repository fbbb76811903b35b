/*
 * account_path.h
 *		The way from an order to the row that has its PIN: foreign keys and columns.
 */
#ifndef PORTPIN_ACCOUNT_PATH_H
#define PORTPIN_ACCOUNT_PATH_H

#include "access/attnum.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

#include "table/account_key.h"
#include "table/foreign_key.h"

/* One table on the way.  A column is 0 if the guard does not name it. */
typedef struct PathStep
{
	ForeignKey	key;			/* leads here */
	bool		guarded;		/* it has a guard, if only for a lock */
	AttrNumber	scope;			/* of the row */
	AttrNumber	lock;
	AttrNumber	lock_until;
	AttrNumber	pin;			/* 0 where the row can't have a PIN */
	AttrNumber	expires;		/* of the PIN */
	AttrNumber	changed;
	Interval	min_age;		/* by changed; zero where any will do */
	Interval	max_age;
	AttrNumber	used;
	bool		history;		/* what happens to the PIN is recorded */
	AccountIdentity identity;	/* what its rows are called on record */
} PathStep;

#define MAX_PATH_STEPS 2		/* order to number, number to account */

/* Plain facts, which can be copied. */
typedef struct AccountPath
{
	int			nsteps;
	bool		scoped;			/* a row on the way can be out of scope */
	bool		sealed;			/* a PIN on the way is in a sealed column */
	bool		notes_use;		/* the use of a PIN on the way is recorded */
	bool		allows_unset;	/* an account without a PIN may be ported */
	bool		was_chosen;		/* from several keys, by what other tables
								 * have */
	PathStep	steps[MAX_PATH_STEPS];
} AccountPath;

/* What names the way: columns, by name; NULL or NIL where portpin finds them. */
typedef struct PathNames
{
	List	   *fk;				/* key columns of the order */
	List	   *via;			/* key columns of the number, to its account */
	char	   *account_pin;	/* which one, where a table has two that are
								 * guarded */
	List	   *guarded;		/* steps that had a guard at install */
} PathNames;

/* What the steps of a way are called: the last one, and the one before it. */
#define STEP_NAME(path, step) ((step) == (path)->nsteps - 1 ? "account" : "number")

extern void FindAccountPath(Relation orders, const PathNames *names, Oid domain,
							AccountPath *path);

#endif							/* PORTPIN_ACCOUNT_PATH_H */
