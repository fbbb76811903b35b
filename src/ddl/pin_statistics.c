/*
 * pin_statistics.c
 *		Remove what ANALYZE kept of the PINs in a column that is sealed now.
 *
 * Statistics would go on showing PINs that the rows no longer hold: those of the
 * column, extended ones, and those of indexes on expressions.
 */
#include "postgres.h"

#include "ddl/pin_statistics.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/heap.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_statistic_ext.h"
#include "commands/defrem.h"
#include "nodes/pg_list.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

/* Objects that depend on a column keep samples of their own. */
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
 * Remove what ANALYZE kept of the PINs, here and on partitions.  SET STATISTICS 0
 * only keeps ANALYZE from collecting more.  The lock makes ANALYZE wait until that
 * is committed.
 */
void
RemovePinStatistics(Relation table, const char *column)
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
