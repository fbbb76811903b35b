/*
 * account_key.h
 *		What names a row with a PIN, the same for whoever asks.
 */
#ifndef PORTPIN_ACCOUNT_KEY_H
#define PORTPIN_ACCOUNT_KEY_H

#include "access/attnum.h"
#include "fmgr.h"
#include "executor/tuptable.h"
#include "utils/array.h"
#include "utils/rel.h"

/* What names the rows of a table: columns, and how they are written down. */
typedef struct AccountIdentity
{
	Oid			table;			/* the whole one, if it has partitions */
	int			ncolumns;
	AttrNumber	columns[INDEX_MAX_KEYS];
	FmgrInfo	output[INDEX_MAX_KEYS];
	bool		output_is_stable; /* under all settings */
} AccountIdentity;

/* The name of one row; no table where there is nothing to guess. */
typedef struct AccountKey
{
	Oid			table;
	ArrayType  *key;
} AccountKey;

extern void DescribeAccountKey(Relation table, int nkeys, const AttrNumber *keys,
							   AttrNumber pin, AccountIdentity *identity,
							   MemoryContext mcxt);
extern uint64 HashAccountKey(const AccountKey *account);
extern ArrayType *AccountKeyOfRow(AccountIdentity *identity, TupleTableSlot *row);
extern ArrayType *AccountKeyFromTexts(Relation table, ArrayType *given, Oid *owner);

#endif							/* PORTPIN_ACCOUNT_KEY_H */
