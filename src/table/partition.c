/*
 * partition.c
 *		Partitions: the table that they belong to, and which one can have a key.
 *
 * The executor's own routing, ExecFindPartition, wants the state of a ModifyTable
 * node, locks the partition for writing and raises an error if no partition fits; a
 * query by SPI costs ten times as much.  So the few lines that choose a partition by
 * its bounds are here.  If the bounds compare another type, or by another collation,
 * than the key does, they can't tell, and every partition is searched.
 */
#include "postgres.h"

#include "table/partition.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/partition.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "nodes/bitmapset.h"
#include "partitioning/partbounds.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"

#include "base/error.h"

/* The whole table that a partition belongs to, or the table itself. */
Oid
RootOfPartitions(Relation rel)
{
	if (!rel->rd_rel->relispartition)
		return RelationGetRelid(rel);
	return llast_oid(get_partition_ancestors(RelationGetRelid(rel)));
}

/* Does a value of this column choose the partition, of the table or of one below it? */
bool
ColumnRoutesRows(Relation table, AttrNumber column)
{
	const char *name = NameStr(TupleDescAttr(RelationGetDescr(table), column - 1)->attname);
	bool		routes = false;
	ListCell   *lc;

	if (table->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return false;
	foreach(lc, find_all_inheritors(RelationGetRelid(table), AccessShareLock, NULL))
	{
		Relation	part = table_open(lfirst_oid(lc), NoLock);
		AttrNumber	there = get_attnum(RelationGetRelid(part), name);
		bool		in_expression;

		routes |= part->rd_rel->relkind == RELKIND_PARTITIONED_TABLE &&
			has_partition_attrs(part, bms_make_singleton(there - FirstLowInvalidHeapAttributeNumber),
								&in_expression);
		table_close(part, NoLock);
	}
	return routes;
}

/*
 * The index of a partition that is a part of the whole table's.  REINDEX CONCURRENTLY
 * may replace it while it is being looked for.
 */
Oid
IndexOfPartition(Relation partition, Oid whole)
{
	for (int tries = 0; tries < 100; tries++)
	{
		Oid			index = index_get_partition(partition, whole);

		if (OidIsValid(index))
			return index;
		CHECK_FOR_INTERRUPTS();
		AcceptInvalidationMessages();
	}
	ereport_without_context(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
							errmsg("a partition lacks the index that leads to a port PIN"),
							errhint("Try again; if the error persists, reindex the partition."),
							errtable(partition));
	return InvalidOid;
}

/*
 * Is a column of the partition key one of the foreign key, compared in the same
 * way?  Tell which.
 */
static bool
find_partition_value(const ForeignKey *key, Relation table, Relation index, int column,
					 int *value)
{
	PartitionKey partition = RelationGetPartitionKey(table);

	for (int i = 0; i < key->nkeys; i++)
	{
		int			position = key->position[i] - 1;

		if (index->rd_index->indkey.values[position] == partition->partattrs[column])
		{
			*value = i;
			return key->operand[i] == partition->partopcintype[column] &&
				index->rd_indcollation[position] == partition->partcollation[column];
		}
	}
	return false;
}

/* Find out whether a key that is looked up tells which partition can have it. */
void
DescribePartitionRouting(const ForeignKey *key, Relation table, Relation index,
						 PartitionRouting *routing)
{
	routing->prunes = true;
	for (int i = 0; i < RelationGetPartitionKey(table)->partnatts; i++)
		routing->prunes &= find_partition_value(key, table, index, i,
												&routing->values[i]);
}

/*
 * Which partition can have this key?  Chosen as the executor does; -1 if there is
 * none.
 */
int
ChoosePartition(const PartitionRouting *routing, Relation table,
				PartitionDesc partitions, const Datum *key_values)
{
	PartitionKey key = RelationGetPartitionKey(table);
	PartitionBoundInfo bounds = partitions->boundinfo;
	Datum		values[PARTITION_MAX_KEYS];
	bool		nulls[PARTITION_MAX_KEYS] = {false};
	bool		equal = false;
	int			part = -1;

	for (int i = 0; i < key->partnatts; i++)
		values[i] = key_values[routing->values[i]];

	if (key->strategy == PARTITION_STRATEGY_HASH)
		part = compute_partition_hash_value(key->partnatts, key->partsupfunc,
											key->partcollation, values, nulls) % bounds->nindexes;
	else if (key->strategy == PARTITION_STRATEGY_RANGE)
		part = 1 + partition_range_datum_bsearch(key->partsupfunc, key->partcollation,
												 bounds, key->partnatts, values, &equal);
	else
	{
		part = partition_list_bsearch(key->partsupfunc, key->partcollation,
									  bounds, values[0], &equal);
		if (!equal)
			part = -1;
	}
	if (part >= 0)
		part = bounds->indexes[part];
	return part >= 0 ? part : bounds->default_index;
}
