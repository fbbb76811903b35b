/*
 * column.h
 *		Which column holds a PIN, and what the catalogs say of columns.
 */
#ifndef PORTPIN_COLUMN_H
#define PORTPIN_COLUMN_H

#include "access/attnum.h"
#include "executor/tuptable.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

extern AttrNumber FindColumn(Relation rel, const char *name);
extern AttrNumber FindColumnOfType(Relation rel, const char *name, Oid type);
extern AttrNumber FindPinColumn(Relation rel, const char *name, Oid domain);
extern AttrNumber NextPinColumn(Relation rel, AttrNumber after, Oid domain);
extern bool DomainForbidsNull(Oid type);
extern void CheckColumnAllows(Relation rel, AttrNumber column, Datum value, bool isnull);
extern bool ColumnIsGenerated(Relation rel, AttrNumber column);
extern bool ColumnIsGeneratedFrom(Relation rel, AttrNumber column, AttrNumber source);
extern bool ColumnIsPortPin(Relation rel, AttrNumber column, Oid domain);
extern bool ColumnIsSealed(Relation rel, AttrNumber column, Oid domain);
extern List *ColumnNames(Relation rel, int ncolumns, const AttrNumber *columns);
extern char *ColumnName(Relation rel, AttrNumber column);
extern List *PrimaryKey(Relation rel);
extern char *ColumnList(List *names);
extern char *ColumnArgument(List *names);
extern List *FindColumns(Relation rel, List *names);
extern bool SameColumnValue(TupleTableSlot *a, TupleTableSlot *b, AttrNumber column);

#endif							/* PORTPIN_COLUMN_H */
