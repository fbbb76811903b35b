/*
 * lookup.h
 *		The row that a foreign key leads to, read by its index and not by SQL.
 */
#ifndef PORTPIN_LOOKUP_H
#define PORTPIN_LOOKUP_H

#include "executor/tuptable.h"
#include "table/foreign_key.h"
#include "utils/snapshot.h"

/* A key that is looked up. */
typedef struct KeyLookup KeyLookup;

/* The value of a key, in the types of the index that it is looked up in. */
typedef struct KeyValue
{
	bool		complete;		/* no column is NULL */
	Datum		values[INDEX_MAX_KEYS];
} KeyValue;

/* A row that a key leads to, in the buffer that it was found in. */
typedef struct ReferencedRow
{
	Oid			table;			/* the partition, if there are any */
	Oid			index;			/* of that partition */
	TupleTableSlot *slot;		/* the row there; NULL if none was found */
	TupleTableSlot *columns;	/* the same as a row of the whole table */
} ReferencedRow;

extern KeyLookup *CreateKeyLookup(const ForeignKey *key, MemoryContext mcxt);
extern void LockForLookup(const KeyLookup *lookup);
extern bool LookupOutlivesStatement(const KeyLookup *lookup);
extern void KeyOfRow(KeyLookup *lookup, TupleTableSlot *row, KeyValue *value);
extern ReferencedRow FindReferencedRow(KeyLookup *lookup, const KeyValue *value,
									   Snapshot snapshot);
extern bool LockRowKeyShare(ReferencedRow *row, Snapshot snapshot);
extern bool RowIsCurrent(const ReferencedRow *row, Snapshot snapshot);
extern void ReleaseRow(ReferencedRow *row);
extern bool RowHadKey(KeyLookup *lookup, const KeyValue *value, ReferencedRow *row);

#endif							/* PORTPIN_LOOKUP_H */
