/*
 * shard.c
 *		Tables whose rows Citus keeps in shards.
 *
 * A shard is a table of its own, on any of the nodes, with the triggers and CHECKs of
 * the table that it belongs to.  That table has no rows; it exists on every node, and
 * the catalogs of Citus know its shards.  They are read by name, so portpin builds
 * without Citus; where Citus is not installed there is nothing to read.
 */
#include "postgres.h"

#include "table/shard.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* The table in the row that a key finds in a catalog of Citus. */
static Oid
table_in_catalog(const char *name, const char *index, const char *column,
				 RegProcedure equal, Datum key)
{
	Oid			catalogid = get_relname_relid(name, PG_CATALOG_NAMESPACE);
	Oid			indexid = get_relname_relid(index, PG_CATALOG_NAMESPACE);
	Oid			found = InvalidOid;
	Relation	catalog;
	ScanKeyData scankey;
	SysScanDesc scan;
	HeapTuple	row;

	if (!OidIsValid(catalogid))
		return InvalidOid;
	catalog = table_open(catalogid, AccessShareLock);
	ScanKeyInit(&scankey, get_attnum(catalogid, column), BTEqualStrategyNumber, equal, key);
	scan = systable_beginscan(catalog, indexid, OidIsValid(indexid), NULL, 1, &scankey);
	row = systable_getnext(scan);
	if (HeapTupleIsValid(row))
	{
		bool		isnull;

		found = DatumGetObjectId(heap_getattr(row, get_attnum(catalogid, "logicalrelid"),
											  RelationGetDescr(catalog), &isnull));
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

/* Is it a Citus table: distributed, on every node, or local to the coordinator? */
bool
IsCitusTable(Oid relid)
{
	return OidIsValid(table_in_catalog("pg_dist_partition", "pg_dist_partition_logical_relid_index",
									   "logicalrelid", F_OIDEQ, ObjectIdGetDatum(relid)));
}

/* The number after the last underscore, as in a shard's name; 0 if there is none. */
static int64
number_in_name(const char *name)
{
	const char *underscore = name == NULL ? NULL : strrchr(name, '_');
	char	   *end;
	int64		number;

	if (underscore == NULL)
		return 0;
	number = strtoi64(underscore + 1, &end, 10);
	return *end == '\0' ? number : 0;
}

/* Ask Citus itself: it knows what it calls a shard whose name would be too long. */
static bool
is_known_shard(Oid relid)
{
	const Oid	argument = REGCLASSOID;
	Oid			function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
										   CStringGetDatum("relation_is_a_known_shard"),
										   PointerGetDatum(buildoidvector(&argument, 1)),
										   ObjectIdGetDatum(PG_CATALOG_NAMESPACE));

	return OidIsValid(function) &&
		DatumGetBool(OidFunctionCall1(function, ObjectIdGetDatum(relid)));
}

static Oid
owner_of(Oid relid)
{
	HeapTuple	relation = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner = InvalidOid;

	if (HeapTupleIsValid(relation))
	{
		owner = ((Form_pg_class) GETSTRUCT(relation))->relowner;
		ReleaseSysCache(relation);
	}
	return owner;
}

/*
 * The table that this one is a shard of; InvalidOid if it is none.  If the shard is on
 * another node, its name can be given to a table here; such a table has another owner.
 */
Oid
TableOfShard(Oid relid)
{
	int64		number = number_in_name(get_rel_name(relid));
	Oid			whole = number == 0 ? InvalidOid :
	table_in_catalog("pg_dist_shard", "pg_dist_shard_shardid_index", "shardid",
					 F_INT8EQ, Int64GetDatum(number));

	return OidIsValid(whole) && is_known_shard(relid) &&
		owner_of(relid) == owner_of(whole) ? whole : InvalidOid;
}
