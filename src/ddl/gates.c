/*
 * gates.c
 *		The gates that lead over a table.
 *
 * They are found by the foreign keys that their arguments name, not by asking the
 * gates: one that is broken leads there, too.
 */
#include "postgres.h"

#include "ddl/gates.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "base/catalog.h"
#include "table/foreign_key.h"
#include "table/triggers.h"
#include "trigger/gate.h"

/* The table of a trigger that is no clone, else InvalidOid. */
static Oid
table_of_trigger(Relation triggers, Oid trigger)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			table = InvalidOid;

	ScanKeyInit(&key, Anum_pg_trigger_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(trigger));
	scan = systable_beginscan(triggers, TriggerOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple) &&
		!OidIsValid(((Form_pg_trigger) GETSTRUCT(tuple))->tgparentid))
		table = ((Form_pg_trigger) GETSTRUCT(tuple))->tgrelid;
	systable_endscan(scan);
	return table;
}

/* All tables with a gate: by what depends on its function. */
static List *
gated_tables(Oid domain)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	List	   *tables = NIL;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(ProcedureRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(PortPinTrigger(GATE_TRIGGER, domain)));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 2, keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		Oid			table = form->classid != TriggerRelationId ? InvalidOid :
			table_of_trigger(triggers, form->objid);

		if (OidIsValid(table))
			tables = list_append_unique_oid(tables, table);
	}
	systable_endscan(scan);
	table_close(triggers, AccessShareLock);
	table_close(depend, AccessShareLock);
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
			referenced = list_append_unique_oid(referenced, key->confrelid);
	}
	table_close(table, NoLock);
	return referenced;
}

static bool
leads_over(Oid orders, const Trigger *trigger, Oid accounts)
{
	char	   *options[NUM_GATE_OPTIONS];
	List	   *first;
	ListCell   *lc;

	ReadOptions(trigger, gate_options, NUM_GATE_OPTIONS, options);
	first = referenced_tables(orders, OptionColumns(options[GATE_FK]));
	if (list_member_oid(first, accounts))
		return true;
	if (options[GATE_VIA] == NULL)
		return false;
	foreach(lc, first)
	{
		if (list_member_oid(referenced_tables(lfirst_oid(lc),
											  OptionColumns(options[GATE_VIA])), accounts))
			return true;
	}
	return false;
}

/* The tables of orders whose gates lead over a table. */
List *
GatesOver(Oid accounts, Oid domain)
{
	List	   *over = NIL;
	ListCell   *lc;

	foreach(lc, gated_tables(domain))
	{
		Relation	orders = table_open(lfirst_oid(lc), AccessShareLock);
		ListCell   *other;

		foreach(other, CopyTriggers(orders, PortPinTrigger(GATE_TRIGGER, domain)))
		{
			if (leads_over(lfirst_oid(lc), lfirst(other), accounts))
				over = list_append_unique_oid(over, lfirst_oid(lc));
		}
		table_close(orders, NoLock);
	}
	return over;
}

static char *
qualified_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name_or_temp(get_rel_namespace(relid)),
									  get_rel_name(relid));
}

/* Tables, as an error lists them. */
char *
GateList(List *gates)
{
	StringInfoData list;
	ListCell   *lc;

	initStringInfo(&list);
	foreach(lc, gates)
		appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "",
						 qualified_name(lfirst_oid(lc)));
	return list.data;
}

/* The call that removes a gate, for a hint. */
char *
UngateCall(Oid orders, Oid domain)
{
	return psprintf("SELECT %s(%s);", QualifiedName("port_pin_ungate", domain),
					quote_literal_cstr(qualified_name(orders)));
}
