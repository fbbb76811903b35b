/*
 * foreign_key.c
 *		A foreign key: which columns it has, and how its row is found.
 *
 * The foreign keys of the relation at hand lead the way, by all columns of each.
 * Names of tables would depend on search_path, on which partition or shard fires the
 * trigger, and on nobody renaming anything.  lookup.c follows the keys.
 */
#include "postgres.h"

#include "table/foreign_key.h"

#include "access/table.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/error.h"

static Form_pg_constraint
constraint_form(Oid constraint, HeapTuple *tuple)
{
	*tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	if (!HeapTupleIsValid(*tuple))
		elog(ERROR, "cache lookup failed for constraint %u", constraint);
	return (Form_pg_constraint) GETSTRUCT(*tuple);
}

/*
 * A key to a partitioned table has one more constraint for each partition of that
 * table, on the same referencing relation as their parent constraint.  (A parent on
 * another relation is the one that a partition's own key inherits from.)
 */
static bool
is_clone_for_partition(const ForeignKeyCacheInfo *key)
{
	HeapTuple	tuple;
	Oid			parent = constraint_form(key->conoid, &tuple)->conparentid;
	bool		clone = false;

	ReleaseSysCache(tuple);
	if (OidIsValid(parent))
	{
		clone = constraint_form(parent, &tuple)->conrelid == key->conrelid;
		ReleaseSysCache(tuple);
	}
	return clone;
}

/* Copies of the foreign keys of a relation, each once. */
List *
CopyForeignKeys(Relation rel)
{
	List	   *keys = copyObject(RelationGetFKeyList(rel));
	ListCell   *lc;

	foreach(lc, keys)
	{
		if (is_clone_for_partition(lfirst(lc)))
			keys = foreach_delete_current(keys, lc);
	}
	return keys;
}

/* Are these the columns of the key, in whatever order? */
bool
KeyHasColumns(const ForeignKeyCacheInfo *key, List *columns)
{
	if (list_length(columns) != key->nkeys)
		return false;
	for (int i = 0; i < key->nkeys; i++)
	{
		if (!list_member_int(columns, key->conkey[i]))
			return false;
	}
	return true;
}

/* Do two keys say the same? */
bool
SameForeignKey(const ForeignKeyCacheInfo *a, const ForeignKeyCacheInfo *b)
{
	return a->confrelid == b->confrelid && a->nkeys == b->nkeys &&
		memcmp(a->conkey, b->conkey, a->nkeys * sizeof(AttrNumber)) == 0 &&
		memcmp(a->confkey, b->confkey, a->nkeys * sizeof(AttrNumber)) == 0;
}

/* Is the table that a key references this one, or the one that it is a partition of? */
bool
IsSelfReference(Oid referenced, Relation rel)
{
	return referenced == RelationGetRelid(rel) ||
		(rel->rd_rel->relispartition &&
		 list_member_oid(get_partition_ancestors(RelationGetRelid(rel)), referenced));
}

/* A key that does not hold for every row, at every time, proves nothing. */
static void
check_key_is_enforced(Relation rel, Form_pg_constraint constraint)
{
	if (!ForeignKeyIsEnforced(constraint))
		ereport_without_context(errcode(ERRCODE_INVALID_FOREIGN_KEY),
								errmsg("the foreign key that leads to the port PIN is not enforced"),
								errhint("Make it ENFORCED."),
								errtableconstraint(rel, NameStr(constraint->conname)));
	if (ForeignKeyHasPeriod(constraint))
		ereport_without_context(errcode(ERRCODE_INVALID_FOREIGN_KEY),
								errmsg("the foreign key that leads to the port PIN has a PERIOD"),
								errhint("Use a foreign key that references one row."),
								errtableconstraint(rel, NameStr(constraint->conname)));
}

/*
 * Which function turns a value of the referencing column into what the equality
 * operator takes?  The same that the foreign key itself uses; often none.  The key has
 * no dependency on its cast, which can be dropped.
 */
static Oid
find_cast(Oid from, Oid to)
{
	CoercionPathType path;
	Oid			function = InvalidOid;

	from = getBaseType(from);
	if (from == to || IsPolymorphicType(to) || IsBinaryCoercible(from, to))
		return InvalidOid;

	path = find_coercion_pathway(to, from, COERCION_IMPLICIT, &function);
	if (path != COERCION_PATH_FUNC && path != COERCION_PATH_RELABELTYPE)
		ereport_without_context(errcode(ERRCODE_INVALID_FOREIGN_KEY),
								errmsg("the foreign key that leads to the port PIN has lost its cast from type %s to type %s",
									   format_type_be(from), format_type_be(to)),
								errhint("Create the implicit cast again."));
	return path == COERCION_PATH_FUNC ? function : InvalidOid;
}

/* Where in its index is a column of the referenced relation? */
static AttrNumber
position_in_index(Relation index, AttrNumber column)
{
	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
	{
		if (index->rd_index->indkey.values[i] == column)
			return i + 1;
	}
	elog(ERROR, "index \"%s\" lacks column %d of a foreign key",
		 RelationGetRelationName(index), column);
}

/* Find all that a look-up needs, and refuse a key that proves nothing. */
void
DescribeForeignKey(Relation rel, const ForeignKeyCacheInfo *info, ForeignKey *key)
{
	HeapTuple	tuple;
	Form_pg_constraint constraint = constraint_form(info->conoid, &tuple);
	Relation	index;

	check_key_is_enforced(rel, constraint);
	key->referenced = info->confrelid;
	key->index = constraint->conindid;
	key->on_update = constraint->confupdtype;
	key->on_delete = constraint->confdeltype;
	key->deferrable = constraint->condeferrable;
	key->nkeys = info->nkeys;
	ReleaseSysCache(tuple);

	index = index_open(key->index, AccessShareLock);
	for (int i = 0; i < info->nkeys; i++)
	{
		Oid			column_type;
		Oid			left;

		key->from[i] = info->conkey[i];
		key->to[i] = info->confkey[i];
		key->position[i] = position_in_index(index, key->to[i]);
		op_input_types(info->conpfeqop[i], &left, &key->operand[i]);
		key->equal[i] = get_opcode(info->conpfeqop[i]);
		column_type = TupleDescAttr(RelationGetDescr(rel), key->from[i] - 1)->atttypid;
		key->cast[i] = find_cast(column_type, key->operand[i]);
	}
	index_close(index, NoLock);
}
