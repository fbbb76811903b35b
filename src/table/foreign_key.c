/*
 * foreign_key.c
 *		Which foreign key leads from a row to the row that it references.
 *
 * The foreign keys of the relation at hand lead the way, all columns of each.
 * Names of tables would depend on a search_path, on which partition or shard
 * fires, and on nobody renaming anything.  lookup.c goes the way.
 */
#include "postgres.h"

#include "table/foreign_key.h"

#include "access/table.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/error.h"
#include "table/column.h"

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
 * table, on the same referencing relation as their parent constraint.  (A parent
 * on another relation is what a partition's own key inherits from.)
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

/* Are these the columns of the key, in whatever order? */
static bool
has_columns(const ForeignKeyCacheInfo *key, List *columns)
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

static bool
leads_to_pin(const ForeignKeyCacheInfo *key, const char *pin, Oid domain)
{
	Relation	referenced = table_open(key->confrelid, AccessShareLock);
	bool		leads = HasPinColumn(referenced, pin, domain);

	table_close(referenced, NoLock);
	return leads;
}

/* Is the table that a key references this one, or the one that it is a partition of? */
bool
IsSelfReference(Oid referenced, Relation rel)
{
	return referenced == RelationGetRelid(rel) ||
		(rel->rd_rel->relispartition &&
		 list_member_oid(get_partition_ancestors(RelationGetRelid(rel)), referenced));
}

/* Do two keys say the same twice? */
static bool
is_same_way(const ForeignKeyCacheInfo *a, const ForeignKeyCacheInfo *b)
{
	return a->confrelid == b->confrelid && a->nkeys == b->nkeys &&
		memcmp(a->conkey, b->conkey, a->nkeys * sizeof(AttrNumber)) == 0 &&
		memcmp(a->confkey, b->confkey, a->nkeys * sizeof(AttrNumber)) == 0;
}

static char *
key_columns_for_hint(Relation rel, const ForeignKeyCacheInfo *key)
{
	return ColumnList(ColumnNames(rel, key->nkeys, key->conkey));
}

/* Every key of a relation, for a hint. */
static char *
keys_for_hint(Relation rel)
{
	StringInfoData keys;
	List	   *all = copyObject(RelationGetFKeyList(rel));
	ListCell   *lc;

	initStringInfo(&keys);
	foreach(lc, all)
	{
		if (!is_clone_for_partition(lfirst(lc)))
			appendStringInfo(&keys, "%s(%s)", keys.len > 0 ? ", " : "",
							 key_columns_for_hint(rel, lfirst(lc)));
	}
	return keys.data;
}

/* The ways to a PIN that lead on from one key of a relation, for a hint. */
static void
append_ways(StringInfo ways, Relation rel, const ForeignKeyCacheInfo *key,
			const char *pin, Oid domain)
{
	Relation	next = table_open(key->confrelid, AccessShareLock);
	List	   *keys = copyObject(RelationGetFKeyList(next));
	ListCell   *lc;

	foreach(lc, keys)
	{
		ForeignKeyCacheInfo *onward = lfirst(lc);

		if (!is_clone_for_partition(onward) && !IsSelfReference(onward->confrelid, next) &&
			!IsSelfReference(onward->confrelid, rel) && leads_to_pin(onward, pin, domain))
			appendStringInfo(ways, "%sfk=%s with via=%s", ways->len > 0 ? ", or " : "",
							 key_columns_for_hint(rel, key),
							 key_columns_for_hint(next, onward));
	}
	table_close(next, AccessShareLock);
}

/* All ways over one table more, as arguments; '' where there are none. */
char *
IndirectPaths(Relation rel, const char *pin, Oid domain)
{
	StringInfoData ways;
	List	   *keys = copyObject(RelationGetFKeyList(rel));
	ListCell   *lc;

	initStringInfo(&ways);
	foreach(lc, keys)
	{
		ForeignKeyCacheInfo *key = lfirst(lc);

		if (!is_clone_for_partition(key) && !IsSelfReference(key->confrelid, rel))
			append_ways(&ways, rel, key, pin, domain);
	}
	return ways.data;
}

static bool
same_columns(const ForeignKeyCacheInfo *a, const ForeignKeyCacheInfo *b)
{
	return a->nkeys == b->nkeys &&
		memcmp(a->conkey, b->conkey, a->nkeys * sizeof(AttrNumber)) == 0;
}

static void
refuse_ambiguous_key(Relation rel, const ForeignKeyCacheInfo *a,
					 const ForeignKeyCacheInfo *b, const char *argument)
{
	if (same_columns(a, b))
		ereport_without_context(errcode(ERRCODE_AMBIGUOUS_COLUMN),
						errmsg("table \"%s\" has more than one foreign key on the columns that lead to a port PIN",
							   RelationGetRelationName(rel)),
						errdetail("Those on (%s) lead to \"%s\" and to \"%s\".",
								  key_columns_for_hint(rel, a),
								  get_rel_name(a->confrelid),
								  get_rel_name(b->confrelid)),
						errhint("Drop the one that does not count, or give it a column of its own."),
						errtable(rel));
	ereport_without_context(errcode(ERRCODE_AMBIGUOUS_COLUMN),
					errmsg("table \"%s\" has more than one foreign key that could lead to a port PIN",
						   RelationGetRelationName(rel)),
					errdetail("Both (%s) and (%s) could be meant.",
							  key_columns_for_hint(rel, a),
							  key_columns_for_hint(rel, b)),
					errhint("Name the columns of the one that counts with %s.", argument),
					errtable(rel));
}

/* No key on the columns that were named. */
static void
refuse_named_key(Relation rel, const char *argument)
{
	char	   *keys = keys_for_hint(rel);

	ereport_without_context(errcode(ERRCODE_INVALID_FOREIGN_KEY),
					errmsg("table \"%s\" has no foreign key on the columns named by %s",
						   RelationGetRelationName(rel), argument),
					keys[0] == '\0' ? errdetail("It has no foreign key at all.") :
					errdetail("Its foreign keys are on %s.", keys),
					errhint("Add a foreign key on just these columns: it tells which account's PIN must be given."),
					errtable(rel));
}

/* None of the keys leads to a PIN, or not at once. */
static void
refuse_no_key(Relation rel, const char *pin, Oid domain)
{
	char	   *ways = IndirectPaths(rel, pin, domain);

	ereport_without_context(errcode(ERRCODE_INVALID_FOREIGN_KEY),
					errmsg("table \"%s\" has no foreign key that leads to a port PIN",
						   RelationGetRelationName(rel)),
					ways[0] != '\0' ?
					errhint("To find the PIN over another table, name both foreign keys: %s.", ways) :
					errhint("Add a foreign key to the table with the PIN; if its PIN column is text or varchar, name that column with account_pin=."),
					errtable(rel));
}

/*
 * Could this key be meant, if nobody says which?  One from orders to orders only if
 * the PIN at its end is named: the one that is found is what an order carries.
 */
static bool
is_candidate(Relation rel, const ForeignKeyCacheInfo *key, const char *pin, Oid domain)
{
	return leads_to_pin(key, pin, domain) &&
		(pin != NULL || !IsSelfReference(key->confrelid, rel));
}

/*
 * Choose the key that leads on from a relation: the one on the columns given,
 * else the only one to a table with a PIN.
 */
ForeignKeyCacheInfo *
ChooseForeignKey(Relation rel, List *columns, const char *argument,
				 const char *pin, Oid domain)
{
	ForeignKeyCacheInfo *chosen = NULL;
	List	   *keys = copyObject(RelationGetFKeyList(rel));
	ListCell   *lc;

	foreach(lc, keys)
	{
		ForeignKeyCacheInfo *key = lfirst(lc);

		if (is_clone_for_partition(key))
			continue;
		if (columns != NIL ? !has_columns(key, columns) :
			!is_candidate(rel, key, pin, domain))
			continue;
		if (chosen != NULL && !is_same_way(chosen, key))
			refuse_ambiguous_key(rel, chosen, key, argument);
		chosen = key;
	}
	if (chosen == NULL && columns != NIL)
		refuse_named_key(rel, argument);
	if (chosen == NULL)
		refuse_no_key(rel, pin, domain);
	return chosen;
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
 * operator takes?  The same that the foreign key itself uses; often none.
 */
static void
find_cast(Oid from, Oid to, FmgrInfo *cast, MemoryContext mcxt)
{
	CoercionPathType path;
	Oid			function;

	cast->fn_oid = InvalidOid;
	from = getBaseType(from);
	if (from == to || IsPolymorphicType(to) || IsBinaryCoercible(from, to))
		return;

	path = find_coercion_pathway(to, from, COERCION_IMPLICIT, &function);
	if (path == COERCION_PATH_FUNC)
		fmgr_info_cxt(function, cast, mcxt);
	else if (path != COERCION_PATH_RELABELTYPE)
		elog(ERROR, "no implicit cast from type %u to type %u", from, to);
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

void
DescribeForeignKey(Relation rel, const ForeignKeyCacheInfo *info, ForeignKey *key,
				   MemoryContext mcxt)
{
	HeapTuple	tuple;
	Form_pg_constraint constraint = constraint_form(info->conoid, &tuple);
	Relation	index;

	check_key_is_enforced(rel, constraint);
	key->tables = NULL;
	key->mcxt = AllocSetContextCreate(mcxt, "foreign key to a port PIN",
									  ALLOCSET_SMALL_SIZES);
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
		fmgr_info_cxt(get_opcode(info->conpfeqop[i]), &key->equal[i], mcxt);
		column_type = TupleDescAttr(RelationGetDescr(rel), key->from[i] - 1)->atttypid;
		find_cast(column_type, key->operand[i], &key->cast[i], mcxt);
	}
	index_close(index, NoLock);
}
