/*
 * install_seal.c
 *		What port_pin_protect() adds for a column of type port_pin_sealed.
 *
 * A trigger that seals; a CHECK, for the day when the trigger is disabled; and no
 * statistics: neither new ones nor those that ANALYZE made before, which would go
 * on showing PINs that the rows no longer hold.
 */
#include "postgres.h"

#include "ddl/install_seal.h"

#include "access/genam.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/heap.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_statistic_ext.h"
#include "commands/defrem.h"
#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "ddl/install.h"
#include "table/column.h"

/* Of a table without rows nothing is left to be sealed. */
static bool
is_empty(Relation table)
{
	List	   *tables = find_all_inheritors(RelationGetRelid(table),
											 ShareRowExclusiveLock, NULL);
	BlockNumber blocks = 0;
	ListCell   *lc;

	foreach(lc, tables)
	{
		Relation	part = table_open(lfirst_oid(lc), NoLock);

		if (part->rd_rel->relkind == RELKIND_RELATION)
			blocks += RelationGetNumberOfBlocks(part);
		table_close(part, NoLock);
	}
	return blocks == 0;
}

/*
 * When the trigger must look at an UPDATE: when the PIN changes, and when it is
 * not sealed yet.  On a partitioned table always, for the sake of rows that move.
 */
static char *
seal_condition(Installation *install, AttrNumber pin, const char *name)
{
	char	   *changed = ColumnsDiffer(install->table, 1, &pin);

	if (install->table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ||
		changed == NULL)
		return NULL;
	return psprintf("%s OR NOT %s(NEW.%s::pg_catalog.text)", changed,
					QualifiedFunction(install, "port_pin_is_sealed"), name);
}

/*
 * Rows that are there already may still hold digits: then the CHECK is NOT VALID,
 * which means that it holds for every row that is written from now on.
 */
static void
add_check(Installation *install, AttrNumber pin, const char *table, const char *name)
{
	bool		empty = is_empty(install->table);
	char	   *constraint = makeObjectName(ColumnName(install->table, pin), NULL,
											"is_sealed");

	/* It may be there from an installation before. */
	if (OidIsValid(get_relation_constraint_oid(RelationGetRelid(install->table),
											   constraint, true)))
		return;
	AddStatement(install, psprintf("ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s(%s::pg_catalog.text))%s",
								   table, quote_identifier(constraint),
								   QualifiedFunction(install, "port_pin_check_sealed"),
								   name, empty ? "" : " NOT VALID"));
	if (!empty)
		ereport(NOTICE,
				errmsg("port PINs that table \"%s\" has already are not sealed yet",
					   RelationGetRelationName(install->table)),
				errhint("CALL %s(%s, %s);",
						QualifiedFunction(install, "port_pin_seal_column"),
						quote_literal_cstr(table),
						quote_literal_cstr(ColumnName(install->table, pin))));
}

/* Keys appear in errors; hashes are salted, so equal PINs make different keys. */
static void
check_pin_is_no_key(Relation table, AttrNumber pin)
{
	Bitmapset  *key = RelationGetIndexAttrBitmap(table, INDEX_ATTR_BITMAP_PRIMARY_KEY);

	if (bms_is_member(pin - FirstLowInvalidHeapAttributeNumber, key))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				errmsg("a sealed port PIN can't be part of the primary key"),
				errhint("Give the table a primary key without the PIN."),
				errtablecol(table, pin));
}

/* What depends on a column of a table keeps samples of its own. */
static void
remove_dependent_statistics(Oid relid, AttrNumber column)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyData key[3];
	SysScanDesc scan;
	HeapTuple	row;

	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(relid));
	ScanKeyInit(&key[2], Anum_pg_depend_refobjsubid, BTEqualStrategyNumber,
				F_INT4EQ, Int32GetDatum(column));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 3, key);
	while (HeapTupleIsValid(row = systable_getnext(scan)))
	{
		Form_pg_depend dependency = (Form_pg_depend) GETSTRUCT(row);

		if (dependency->classid == StatisticExtRelationId)
		{
			RemoveStatisticsDataById(dependency->objid, false);
			RemoveStatisticsDataById(dependency->objid, true);
		}
		else if (dependency->classid == RelationRelationId &&
				 get_rel_relkind(dependency->objid) == RELKIND_INDEX)
			RemoveStatistics(dependency->objid, InvalidAttrNumber);
	}
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
}

/*
 * What ANALYZE kept of the PINs, here and on partitions.  SET STATISTICS 0 only
 * keeps it from making more.  The lock makes it wait until that is committed.
 */
static void
remove_statistics(Relation table, const char *column)
{
	List	   *tables = find_all_inheritors(RelationGetRelid(table),
											 ShareUpdateExclusiveLock, NULL);
	ListCell   *lc;

	foreach(lc, tables)
	{
		AttrNumber	attnum = get_attnum(lfirst_oid(lc), column);

		RemoveStatistics(lfirst_oid(lc), attnum);
		remove_dependent_statistics(lfirst_oid(lc), attnum);
	}
}

void
AddSeal(Installation *install, AttrNumber pin)
{
	const char *function = install->function;
	const char *name = quote_identifier(ColumnName(install->table, pin));
	const char *table = QualifiedTable(install->table);

	check_pin_is_no_key(install->table, pin);
	install->function = "port_pin_seal_trigger";
	AddRowTrigger(install, "port_pin_seal", "BEFORE INSERT", NULL);
	AddRowTrigger(install, "port_pin_seal_update", "BEFORE UPDATE",
				  seal_condition(install, pin, name));
	install->function = function;

	AddStatement(install, psprintf("ALTER TABLE %s ALTER COLUMN %s SET STATISTICS 0",
								   table, name));
	remove_statistics(install->table, ColumnName(install->table, pin));
	add_check(install, pin, table, name);
}
