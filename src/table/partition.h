/*
 * partition.h
 *		Partitions: the table that they belong to, and which one can have a key.
 */
#ifndef PORTPIN_PARTITION_H
#define PORTPIN_PARTITION_H

#include "partitioning/partdesc.h"
#include "utils/rel.h"

#include "table/foreign_key.h"

/* How a key that is looked up in a partitioned table leads to a partition. */
typedef struct PartitionRouting
{
	bool		prunes;			/* the key tells which partition can have it */
	int			values[PARTITION_MAX_KEYS]; /* by which of its values */
} PartitionRouting;

extern Oid	RootOfPartitions(Relation rel);
extern bool ColumnRoutesRows(Relation table, AttrNumber column);
extern Oid	IndexOfPartition(Relation partition, Oid whole);
extern void DescribePartitionRouting(const ForeignKey *key, Relation table,
									 Relation index, PartitionRouting *routing);
extern int	ChoosePartition(const PartitionRouting *routing, Relation table,
							PartitionDesc partitions, const Datum *key_values);

#endif							/* PORTPIN_PARTITION_H */
