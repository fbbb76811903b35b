/*
 * column.c
 *		Which column holds a PIN, and what the catalogs say of columns.
 *
 * The type decides: a column of the domain port_pin or port_pin_sealed, or of a domain
 * over one of them.  That survives a rename.  A legacy column of type text or varchar
 * is named by a trigger argument.  Where there is none, or more than one, portpin does
 * not guess.
 *
 * Columns are looked up by name in the relation at hand, each time: partitions
 * and shards have their own column numbers.
 */
#include "postgres.h"

#include "table/column.h"

#include "access/genam.h"
#include "access/sysattr.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/error.h"

/* The type that a domain is over; and does the domain itself forbid NULL? */
static Oid
type_below(Oid domain, bool *forbids_null)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(domain));
	Form_pg_type form;
	Oid			below;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for type %u", domain);
	form = (Form_pg_type) GETSTRUCT(tuple);
	below = form->typbasetype;
	*forbids_null = form->typnotnull;
	ReleaseSysCache(tuple);
	return below;
}

static bool
type_is_domain(Oid type, Oid domain)
{
	bool		forbids_null;

	while (type != domain && get_typtype(type) == TYPTYPE_DOMAIN)
		type = type_below(type, &forbids_null);
	return type == domain;
}

bool
ColumnIsPortPin(Relation rel, AttrNumber column, Oid domain)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), column - 1);

	return !attribute->attisdropped &&
		(type_is_domain(attribute->atttypid, domain) ||
		 ColumnIsSealed(rel, column, domain));
}

/* Must what the column stores be sealed? */
bool
ColumnIsSealed(Relation rel, AttrNumber column, Oid domain)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), column - 1);

	return type_is_domain(attribute->atttypid, PortPinType("port_pin_sealed", domain));
}

/* The first user column whose name compares as equal to this one; NULL if there is none. */
static Form_pg_attribute
column_named(Relation rel, const char *name, int (*compare) (const char *, const char *))
{
	TupleDesc	row = RelationGetDescr(rel);

	for (int i = 0; i < row->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(row, i);

		if (!attribute->attisdropped && compare(NameStr(attribute->attname), name) == 0)
			return attribute;
	}
	return NULL;
}

/* In a column that is not stored a guard would see NULL. */
static void
check_column_is_stored(Relation rel, AttrNumber column)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), column - 1);

	if (attribute->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
		ereport_without_context(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
								errmsg("portpin can't look at column \"%s\": it is a virtual generated column",
									   NameStr(attribute->attname)),
								errhint("Generate it STORED: the value of a virtual column is not in the row that a trigger sees."),
								errtablecol(rel, column));
}

/* The column of this name, which a trigger can look at; an error if there is none. */
AttrNumber
FindColumn(Relation rel, const char *name)
{
	Form_pg_attribute column = column_named(rel, name, strcmp);

	if (column == NULL)
	{
		Form_pg_attribute similar = column_named(rel, name, pg_strcasecmp);

		ereport_without_context(errcode(ERRCODE_UNDEFINED_COLUMN),
								errmsg("column \"%s\" of table \"%s\" does not exist",
									   name, RelationGetRelationName(rel)),
								similar != NULL ?
								errhint("Did you mean column \"%s\"?", NameStr(similar->attname)) :
								errhint("Check the spelling. If the column was renamed, install its guard again: port_pin_guards shows the call in its column definition."),
								errtable(rel));
	}
	check_column_is_stored(rel, column->attnum);
	return column->attnum;
}

AttrNumber
FindColumnOfType(Relation rel, const char *name, Oid type)
{
	AttrNumber	column = FindColumn(rel, name);
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), column - 1);

	if (getBaseType(attribute->atttypid) != type)
		ereport_without_context(errcode(ERRCODE_DATATYPE_MISMATCH),
								errmsg("column \"%s\" is of type %s, not %s", name,
									   format_type_be(attribute->atttypid),
									   format_type_be(type)),
								errhint("Name a column of type %s.", format_type_be(type)),
								errtablecol(rel, column));
	return column;
}

List *
FindColumns(Relation rel, List *names)
{
	List	   *columns = NIL;
	ListCell   *lc;

	foreach(lc, names)
		columns = lappend_int(columns, FindColumn(rel, lfirst(lc)));
	return columns;
}

List *
ColumnNames(Relation rel, int ncolumns, const AttrNumber *columns)
{
	List	   *names = NIL;

	for (int i = 0; i < ncolumns; i++)
	{
		Form_pg_attribute attribute =
		TupleDescAttr(RelationGetDescr(rel), columns[i] - 1);

		names = lappend(names, pstrdup(NameStr(attribute->attname)));
	}
	return names;
}

char *
ColumnName(Relation rel, AttrNumber column)
{
	return linitial(ColumnNames(rel, 1, &column));
}

/* The names of a primary key's columns; NIL if there is none. */
List *
PrimaryKey(Relation rel)
{
	Oid			indexid = primary_key_index(rel);
	Relation	index;
	AttrNumber	columns[INDEX_MAX_KEYS];
	int			ncolumns;

	if (!OidIsValid(indexid))
		return NIL;
	index = index_open(indexid, AccessShareLock);
	ncolumns = index->rd_index->indnkeyatts;
	for (int i = 0; i < ncolumns; i++)
		columns[i] = index->rd_index->indkey.values[i];
	index_close(index, AccessShareLock);
	return ColumnNames(rel, ncolumns, columns);
}

/* Names as they are written in SQL and in the arguments of triggers. */
char *
ColumnList(List *names)
{
	StringInfoData list;
	ListCell   *lc;

	initStringInfo(&list);
	foreach(lc, names)
		appendStringInfo(&list, "%s%s", list.len > 0 ? "," : "",
						 quote_identifier(lfirst(lc)));
	return list.data;
}

/* Names as the installers take them: exact, in double quotes where they must be. */
char *
ColumnArgument(List *names)
{
	StringInfoData list;
	ListCell   *lc;

	initStringInfo(&list);
	foreach(lc, names)
	{
		const char *name = lfirst(lc);

		if (list.len > 0)
			appendStringInfoString(&list, ", ");
		if (name[strcspn(name, " \t\n\r\f\v,\"{}")] == '\0')
			appendStringInfoString(&list, name);
		else
		{
			appendStringInfoChar(&list, '"');
			for (; *name != '\0'; name++)
				appendStringInfo(&list, *name == '"' ? "\"%c" : "%c", *name);
			appendStringInfoChar(&list, '"');
		}
	}
	return list.data;
}

/* The next column of one of portpin's types after the given one, or 0. */
AttrNumber
NextPinColumn(Relation rel, AttrNumber after, Oid domain)
{
	for (AttrNumber i = after + 1; i <= RelationGetDescr(rel)->natts; i++)
	{
		if (ColumnIsPortPin(rel, i, domain))
			return i;
	}
	return InvalidAttrNumber;
}

/* A named column must be of a type in which a PIN keeps its leading zeros. */
static AttrNumber
find_named_pin(Relation rel, const char *name)
{
	AttrNumber	column = FindColumn(rel, name);
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), column - 1);
	Oid			base = getBaseType(attribute->atttypid);

	if (base != TEXTOID && base != VARCHAROID)
		ereport_without_context(errcode(ERRCODE_DATATYPE_MISMATCH),
								errmsg("column \"%s\" can't hold a port PIN: its type is %s",
									   name, format_type_be(attribute->atttypid)),
								errhint("A port PIN is of type port_pin, or in a legacy table text or varchar: numbers lose leading zeros, char(n) pads."),
								errtablecol(rel, column));
	return column;
}

/* The column of a relation that holds its PIN: the one named, else the one of the type. */
AttrNumber
FindPinColumn(Relation rel, const char *name, Oid domain)
{
	AttrNumber	column;
	AttrNumber	another;

	if (name != NULL)
		return find_named_pin(rel, name);

	column = NextPinColumn(rel, InvalidAttrNumber, domain);
	if (column == InvalidAttrNumber)
		ereport_without_context(errcode(ERRCODE_UNDEFINED_COLUMN),
								errmsg("table \"%s\" has no column of type port_pin",
									   RelationGetRelationName(rel)),
								errhint("Name the text or varchar column that holds the PIN with pin => 'column'."),
								errtable(rel));

	another = NextPinColumn(rel, column, domain);
	if (another != InvalidAttrNumber)
		ereport_without_context(errcode(ERRCODE_AMBIGUOUS_COLUMN),
								errmsg("table \"%s\" has more than one column of type port_pin",
									   RelationGetRelationName(rel)),
								errdetail("Columns \"%s\" and \"%s\" both could be meant.",
										  ColumnName(rel, column), ColumnName(rel, another)),
								errhint("Name the one that counts with pin => 'column'."),
								errtable(rel));
	return column;
}

/* Does one of the domains that a type is made of forbid NULL? */
bool
DomainForbidsNull(Oid type)
{
	bool		forbids = false;

	while (!forbids && get_typtype(type) == TYPTYPE_DOMAIN)
		type = type_below(type, &forbids);
	return forbids;
}

/* No domain checks what a trigger writes, so ask it here.  The error shows no value. */
void
CheckColumnAllows(Relation rel, AttrNumber column, Datum value, bool isnull)
{
	Oid			type = TupleDescAttr(RelationGetDescr(rel), column - 1)->atttypid;

	if (get_typtype(type) == TYPTYPE_DOMAIN)
		domain_check(value, isnull, type, NULL, NULL);
}

bool
ColumnIsGenerated(Relation rel, AttrNumber column)
{
	return column != InvalidAttrNumber &&
		TupleDescAttr(RelationGetDescr(rel), column - 1)->attgenerated != '\0';
}

/* Does the expression of a generated column read this one? */
bool
ColumnIsGeneratedFrom(Relation rel, AttrNumber column, AttrNumber source)
{
	Bitmapset  *sources = NULL;

	pull_varattnos(build_column_default(rel, column), 1, &sources);
	return source != InvalidAttrNumber &&
		bms_is_member(source - FirstLowInvalidHeapAttributeNumber, sources);
}

/*
 * Is a column's value the same, bit for bit, in two rows of one relation?  Never ask
 * an operator of the type: what it calls equal need not be the same PIN.
 */
bool
SameColumnValue(TupleTableSlot *a, TupleTableSlot *b, AttrNumber column)
{
	Form_pg_attribute attribute =
	TupleDescAttr(a->tts_tupleDescriptor, column - 1);
	bool		anull;
	bool		bnull;
	Datum		avalue = slot_getattr(a, column, &anull);
	Datum		bvalue = slot_getattr(b, column, &bnull);

	if (anull || bnull)
		return anull && bnull;
	return datum_image_eq(avalue, bvalue, attribute->attbyval, attribute->attlen);
}
