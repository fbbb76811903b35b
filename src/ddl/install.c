/*
 * install.c
 *		What the installers of guards share: validating a table, writing the
 *		statements and running them.
 */
#include "postgres.h"

#include "ddl/install.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/defrem.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

#include "base/catalog.h"
#include "table/column.h"
#include "trigger/argument.h"

/* ----- Validation ----- */

/*
 * The functions are not STRICT, for the sake of their optional arguments.  A NULL
 * table must not look like one that has been guarded.
 */
static Oid
table_argument(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("the table to guard must not be NULL"));
	return PG_GETARG_OID(0);
}

/* Take the lock that the statements will take, but not on tables that are not ours. */
static Relation
open_table(Oid relid, LOCKMODE lock)
{
	Relation	table;
	AclResult	allowed;

	if (get_rel_name(relid) == NULL)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_TABLE),
				errmsg("relation with OID %u does not exist", relid));
	allowed = pg_class_aclcheck(relid, GetUserId(), ACL_TRIGGER);
	if (allowed != ACLCHECK_OK)
		aclcheck_error(allowed, get_relkind_objtype(get_rel_relkind(relid)),
					   get_rel_name(relid));

	table = relation_open(relid, lock);
	if (table->rd_rel->relkind != RELKIND_RELATION &&
		table->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				errcode(ERRCODE_WRONG_OBJECT_TYPE),
				errmsg("\"%s\" is not a table that can be guarded",
					   RelationGetRelationName(table)),
				errhint("Guard the ordinary or partitioned table that holds the rows."),
				errtable(table));
	return table;
}

/*
 * Rows of inheritance children are not rows of the parent to foreign keys and to
 * triggers; of partitions they are, but only as long as all have the guard.
 */
static void
check_inheritance(Relation table)
{
	Oid			relid = RelationGetRelid(table);

	if (table->rd_rel->relispartition)
		ereport(ERROR,
				errcode(ERRCODE_WRONG_OBJECT_TYPE),
				errmsg("\"%s\" is a partition", RelationGetRelationName(table)),
				errhint("Guard the partitioned table: its partitions, later ones too, are guarded with it."),
				errtable(table));
	if (has_superclass(relid) ||
		(table->rd_rel->relkind == RELKIND_RELATION &&
		 find_inheritance_children(relid, NoLock) != NIL))
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("\"%s\" has or is an inheritance child",
					   RelationGetRelationName(table)),
				errdetail("Triggers and foreign keys of a table do not apply to the rows of its inheritance children."),
				errhint("Use a partitioned table."),
				errtable(table));
}

Installation
BeginInstallation(FunctionCallInfo fcinfo, const char *function, LOCKMODE lock)
{
	Installation install = {0};

	install.table = open_table(table_argument(fcinfo), lock);
	install.domain = PortPinDomain(fcinfo->flinfo->fn_oid);
	install.function = function;
	install.arguments = "";
	check_inheritance(install.table);
	return install;
}

/* Does a trigger that exists name the same columns, or perhaps the same? */
static bool
may_be_same(const Trigger *trigger, const char *argument, List *columns)
{
	List	   *named = ArgumentColumns(trigger, argument);
	ListCell   *a;
	ListCell   *b;

	if (named == NIL)
		return true;
	if (list_length(named) != list_length(columns))
		return false;
	forboth(a, named, b, columns)
	{
		if (strcmp(lfirst(a), lfirst(b)) != 0)
			return false;
	}
	return true;
}

/* What tells the triggers of one guard from those of another of its kind. */
static char *
tag_of(List *columns)
{
	StringInfoData tag;
	ListCell   *lc;

	initStringInfo(&tag);
	foreach(lc, columns)
		appendStringInfo(&tag, "%s%s", tag.len > 0 ? "_" : "", (char *) lfirst(lc));
	return tag.data;
}

/*
 * Refuse to guard the same thing twice.  Another guard of this kind may be there,
 * for another column: then the triggers of this one are told apart by a tag.
 */
void
CheckNotGuardedYet(Installation *install, const char *argument,
				   List *columns)
{
	TriggerDesc *triggers = install->table->trigdesc;
	Oid			function = PortPinTrigger(install->function, install->domain);

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (trigger->tgfoid != function || !TRIGGER_FOR_ROW(trigger->tgtype))
			continue;
		if (may_be_same(trigger, argument, columns))
			ereport(ERROR,
					errcode(ERRCODE_DUPLICATE_OBJECT),
					errmsg("table \"%s\" has this guard already: trigger \"%s\"",
						   RelationGetRelationName(install->table), trigger->tgname),
					errhint("To install it anew, drop the triggers that execute %s first.",
							install->function),
					errtableconstraint(install->table, trigger->tgname));
		install->tag = tag_of(columns);
	}
}


/* ----- Writing the statements ----- */

char *
QualifiedTable(Relation table)
{
	char	   *schema = get_namespace_name_or_temp(RelationGetNamespace(table));

	return quote_qualified_identifier(schema, RelationGetRelationName(table));
}

/* A function of portpin, all of which is in one schema. */
char *
QualifiedFunction(const Installation *install, const char *name)
{
	Oid			trigger = PortPinTrigger(install->function, install->domain);

	return quote_qualified_identifier(get_namespace_name(get_func_namespace(trigger)),
									  name);
}

/* Add one name=value to the arguments of the trigger. */
void
AddArgument(Installation *install, const char *name, const char *value)
{
	char	   *argument = psprintf("%s=%s", name, value);

	install->arguments = psprintf("%s%s%s", install->arguments,
								  install->arguments[0] == '\0' ? "" : ", ",
								  quote_literal_cstr(argument));
}

void
AddColumnArgument(Installation *install, const char *name, Relation rel,
				  AttrNumber column)
{
	if (column != InvalidAttrNumber)
		AddArgument(install, name, quote_identifier(ColumnName(rel, column)));
}

void
AddStatement(Installation *install, char *statement)
{
	install->statements = lappend(install->statements, statement);
}

/* Write one CREATE TRIGGER.  A NULL condition is none. */
void
AddTrigger(Installation *install, const char *name, const char *timing,
		   const char *table, const char *level, const char *condition,
		   const char *arguments)
{
	const char *tagged = install->tag == NULL ? name :
		quote_identifier(makeObjectName(name, install->tag, NULL));
	char	   *statement;

	statement = psprintf("CREATE TRIGGER %s %s ON %s FOR EACH %s%s%s%s EXECUTE FUNCTION %s(%s)",
						 tagged, timing, table, level,
						 condition ? " WHEN (" : "",
						 condition ? condition : "",
						 condition ? ")" : "",
						 QualifiedFunction(install, install->function), arguments);
	AddStatement(install, statement);
}

void
AddRowTrigger(Installation *install, const char *name, const char *timing,
			  const char *condition)
{
	AddTrigger(install, name, timing, QualifiedTable(install->table), "ROW",
			   condition, install->arguments);
}

/*
 * Can a condition compare this column?  Only if its operator = is in pg_catalog:
 * IS DISTINCT FROM is restored by name, with whatever search_path a restore has.
 * And not if its collation calls different strings equal: they may be the keys of
 * two accounts.
 */
static bool
is_comparable(Relation rel, AttrNumber column)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), column - 1);
	Oid			equal = lookup_type_cache(attribute->atttypid,
										  TYPECACHE_EQ_OPR)->eq_opr;

	return OidIsValid(equal) && equal < FirstNormalObjectId &&
		(!OidIsValid(attribute->attcollation) ||
		 get_collation_isdeterministic(attribute->attcollation));
}

/* OLD and NEW differ in one of these columns; NULL if that can't be written. */
char *
ColumnsDiffer(Relation rel, int ncolumns, const AttrNumber *columns)
{
	StringInfoData condition;

	initStringInfo(&condition);
	for (int i = 0; i < ncolumns; i++)
	{
		const char *name = quote_identifier(ColumnName(rel, columns[i]));

		if (!is_comparable(rel, columns[i]))
			return NULL;
		appendStringInfo(&condition, "%sOLD.%s IS DISTINCT FROM NEW.%s",
						 i > 0 ? " OR " : "", name, name);
	}
	return condition.data;
}

/*
 * Run the statements, closing the table first, and return them as rows.  Their
 * operators are pg_catalog's, whatever search_path the caller has.
 */
void
RunInstallation(Installation *install, FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int			settings = NewGUCNestLevel();
	ListCell   *lc;

	relation_close(install->table, NoLock);
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	SPI_connect();
	foreach(lc, install->statements)
	{
		Datum		values[1] = {CStringGetTextDatum(lfirst(lc))};
		bool		nulls[1] = {false};
		int			code = SPI_execute(lfirst(lc), false, 0);

		if (code != SPI_OK_UTILITY)
			elog(ERROR, "SPI_execute returned %s for DDL",
				 SPI_result_code_string(code));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	SPI_finish();
	AtEOXact_GUC(true, settings);
}
