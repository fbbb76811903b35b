/*
 * account_key.h
 *		What an account is called in the record: its table's name, and its key.
 */
#ifndef PORTPIN_ACCOUNT_KEY_H
#define PORTPIN_ACCOUNT_KEY_H

#include "access/attnum.h"
#include "executor/tuptable.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/rel.h"

/* The name of a table, raw: without the quotes that it may need in SQL. */
typedef struct RecordedTable
{
	char	   *schema;
	char	   *name;
} RecordedTable;

/*
 * What names the rows of a table: columns, and how they are written down.  Plain
 * facts, which can be copied, and hold until the catalogs change.
 */
typedef struct AccountIdentity
{
	Oid			table;			/* the whole one, if it has partitions */
	uint64		table_hash;		/* of its recorded name */
	int			ncolumns;
	AttrNumber	columns[INDEX_MAX_KEYS];
	Oid			types[INDEX_MAX_KEYS];	/* of the columns, below any domain */
	Oid			output[INDEX_MAX_KEYS]; /* functions that write them down */
	bool		output_is_stable;	/* under all settings */
} AccountIdentity;

/* One account. */
typedef struct AccountKey
{
	Oid			table;
	uint64		table_hash;
	ArrayType  *columns;		/* text[] */
} AccountKey;

extern RecordedTable RecordedNameOf(Oid relid);
extern uint64 HashTableName(const char *schema, size_t schema_length,
							const char *name, size_t name_length);
extern void DescribeAccountKey(Relation table, int nkeys, const AttrNumber *keys,
							   AttrNumber pin, AccountIdentity *identity);
extern AccountKey AccountKeyOfRow(const AccountIdentity *identity, TupleTableSlot *row);
extern uint64 HashAccountRow(const AccountIdentity *identity, TupleTableSlot *row);
extern AccountKey AccountKeyOfValues(const AccountIdentity *identity, const Datum *values);
extern AccountKey AccountKeyOfStrings(const AccountIdentity *identity, List *strings);
extern bool IsCutKey(List *strings);
extern char *CutToDigest(const char *start, Datum all);
extern uint64 HashAccountKey(const struct varlena *columns, uint64 seed);

#endif							/* PORTPIN_ACCOUNT_KEY_H */
