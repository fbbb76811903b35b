/*
 * gates.c
 *		The gates whose way passes through a table.
 *
 * They are found by the foreign keys that their arguments name, not by asking the
 * gates, so that broken ones are found, too.
 */
#include "postgres.h"

#include "ddl/gates.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_inherits.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/catalog.h"
#include "ddl/plan.h"
#include "table/column.h"
#include "table/foreign_key.h"
#include "table/partition.h"
#include "table/triggers.h"
#include "trigger/gate.h"

/* The table of a foreign key; InvalidOid for other constraints, and for a partition's copy. */
static Oid
table_of_key(Oid constraint)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	Oid			table = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tuple);

		if (form->contype == CONSTRAINT_FOREIGN && !OidIsValid(form->conparentid))
			table = form->conrelid;
		ReleaseSysCache(tuple);
	}
	return table;
}

/* Add the tables that have a foreign key to this one. */
static List *
append_referencing(List *tables, Relation depend, Oid referenced)
{
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(referenced));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		Oid			table = form->classid != ConstraintRelationId ? InvalidOid :
		table_of_key(form->objid);

		if (OidIsValid(table))
			tables = list_append_unique_oid(tables, table);
	}
	systable_endscan(scan);
	return tables;
}

/* The tables that have a foreign key to one of these, or to a part of one. */
static List *
referencing_tables(Relation depend, List *tables)
{
	List	   *referencing = NIL;
	ListCell   *lc;

	foreach(lc, tables)
	{
		ListCell   *part;

		foreach(part, find_all_inheritors(lfirst_oid(lc), NoLock, NULL))
			referencing = append_referencing(referencing, depend, lfirst_oid(part));
	}
	return referencing;
}

/*
 * The tables whose orders can lead over this one: they refer to it, or to one that
 * does.  Locks none of them.
 */
List *
TablesBefore(Oid accounts)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	List	   *near = referencing_tables(depend, list_make1_oid(accounts));
	List	   *tables = list_union_oid(near, referencing_tables(depend, near));

	table_close(depend, AccessShareLock);
	list_sort(tables, list_oid_cmp);
	return tables;
}

/* Add a table, and the partitioned table that it belongs to: that has its guard. */
static List *
append_table(List *tables, Oid relid)
{
	Relation	table = table_open(relid, AccessShareLock);

	tables = list_append_unique_oid(tables, relid);
	tables = list_append_unique_oid(tables, RootOfPartitions(table));
	table_close(table, NoLock);
	return tables;
}

/* The tables that the keys on these columns lead to; on any, if none are named. */
static List *
referenced_tables(Oid relid, List *names)
{
	Relation	table = table_open(relid, AccessShareLock);
	List	   *columns = NIL;
	List	   *referenced = NIL;
	ListCell   *lc;

	foreach(lc, names)
		columns = lappend_int(columns, get_attnum(relid, lfirst(lc)));
	foreach(lc, CopyForeignKeys(table))
	{
		ForeignKeyCacheInfo *key = lfirst(lc);

		if (names == NIL || KeyHasColumns(key, columns))
			referenced = append_table(referenced, key->confrelid);
	}
	table_close(table, NoLock);
	return referenced;
}

/* Does the way of the gate that a trigger belongs to pass through this table? */
bool
LeadsOver(Oid orders, const Trigger *trigger, Oid accounts)
{
	List	   *via = TriggerColumns(trigger, &gate_options[GATE_VIA]);
	List	   *first = referenced_tables(orders, TriggerColumns(trigger, &gate_options[GATE_FK]));
	ListCell   *lc;

	if (list_member_oid(first, accounts))
		return true;
	if (via == NIL)
		return false;
	foreach(lc, first)
	{
		if (list_member_oid(referenced_tables(lfirst_oid(lc), via), accounts))
			return true;
	}
	return false;
}

/* The call that removes the gate of a trigger. */
static char *
ungate_call(Relation orders, const Trigger *trigger, Oid domain)
{
	List	   *fk = TriggerColumns(trigger, &gate_options[GATE_FK]);

	return psprintf("SELECT %s(%s%s%s);", QualifiedName("port_pin_ungate", domain),
					quote_literal_cstr(QualifiedTable(orders)),
					fk == NIL ? "" : ", ",
					fk == NIL ? "" : quote_literal_cstr(ColumnArgument(fk)));
}

static List *
append_new(List *list, char *item)
{
	ListCell   *lc;

	foreach(lc, list)
	{
		if (strcmp(lfirst(lc), item) == 0)
			return list;
	}
	return lappend(list, item);
}

static int
compare_strings(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

static char *
joined(List *items, const char *separator)
{
	StringInfoData text;
	ListCell   *lc;

	list_sort(items, compare_strings);
	initStringInfo(&text);
	foreach(lc, items)
		appendStringInfo(&text, "%s%s", text.len > 0 ? separator : "",
						 (char *) lfirst(lc));
	return text.data;
}

/*
 * The gates whose way passes through a table: the tables of their orders, and the
 * calls that remove them.  False if there are none.
 */
bool
GatesOver(Oid accounts, Oid domain, char **tables, char **calls)
{
	List	   *names = NIL;
	List	   *ungate = NIL;
	ListCell   *lc;

	foreach(lc, TablesBefore(accounts))
	{
		Oid			relid = lfirst_oid(lc);
		Relation	orders = table_open(relid, AccessShareLock);
		ListCell   *other;

		foreach(other, CopyTriggers(orders, PortPinTrigger(GATE_TRIGGER, domain)))
		{
			if (!LeadsOver(relid, lfirst(other), accounts))
				continue;
			names = append_new(names, QualifiedTable(orders));
			ungate = append_new(ungate, ungate_call(orders, lfirst(other), domain));
		}
		table_close(orders, NoLock);
	}
	*tables = joined(names, ", ");
	*calls = joined(ungate, " ");
	return names != NIL;
}
