/*
 * install.c
 *		Attach guards to tables, rightly, in one call.
 *
 * port_pin_protect() and port_pin_gate() validate everything that the triggers
 * would ask for at their first row, then create the triggers and return the
 * statements, fit to be pasted into a migration.  They run with the rights of the
 * caller: what he may not do by hand, they don't do for him.
 *
 * The columns that were found are written into the triggers as arguments: a second
 * PIN column or foreign key that comes later changes nothing.
 */
#include "portpin.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(port_pin_protect);
PG_FUNCTION_INFO_V1(port_pin_gate);

/* What one installer's call is about. */
typedef struct Installation
{
	Relation	table;
	Oid			domain;
	const char *function;		/* the trigger function's unqualified name */
	char	   *arguments;		/* as literals, ready for EXECUTE FUNCTION */
	List	   *statements;
} Installation;


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

/* Take the lock that CREATE TRIGGER takes, but not on tables that are not ours. */
static Relation
open_table(Oid relid)
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

	table = relation_open(relid, ShareRowExclusiveLock);
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

static Installation
begin(FunctionCallInfo fcinfo, const char *function)
{
	Installation install = {0};

	install.table = open_table(table_argument(fcinfo));
	install.domain = PortPinDomain(fcinfo->flinfo->fn_oid);
	install.function = function;
	install.arguments = "";
	check_inheritance(install.table);
	return install;
}

/* Is this argument of a trigger that exists the same, or perhaps the same? */
static bool
may_be_same(const Trigger *trigger, const char *name, const char *value)
{
	const char *given = ArgumentValue(trigger, name);

	return given == NULL || strcmp(given, value) == 0;
}

static void
check_not_guarded_yet(const Installation *install, const char *argument,
					  const char *value)
{
	TriggerDesc *triggers = install->table->trigdesc;
	Oid			function = PortPinTrigger(install->function, install->domain);

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (trigger->tgfoid == function &&
			may_be_same(trigger, argument, value))
			ereport(ERROR,
					errcode(ERRCODE_DUPLICATE_OBJECT),
					errmsg("table \"%s\" has this guard already: trigger \"%s\"",
						   RelationGetRelationName(install->table), trigger->tgname),
					errhint("To install it anew, drop the triggers that execute %s first.",
							install->function),
					errtableconstraint(install->table, trigger->tgname));
	}
}


/* ----- Writing the statements ----- */

static char *
qualified_table(Relation table)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(table)),
									  RelationGetRelationName(table));
}

static char *
qualified_function(const Installation *install)
{
	Oid			function = PortPinTrigger(install->function, install->domain);

	return quote_qualified_identifier(get_namespace_name(get_func_namespace(function)),
									  install->function);
}

static char *
column_list(List *names)
{
	StringInfoData list;
	ListCell   *lc;

	initStringInfo(&list);
	foreach(lc, names)
		appendStringInfo(&list, "%s%s", list.len > 0 ? "," : "",
						 quote_identifier(lfirst(lc)));
	return list.data;
}

static char *
column_name(Relation rel, AttrNumber column)
{
	return linitial(ColumnNames(rel, 1, &column));
}

/* Add one name=value to the arguments of the trigger. */
static void
add_argument(Installation *install, const char *name, const char *value)
{
	char	   *argument = psprintf("%s=%s", name, value);

	install->arguments = psprintf("%s%s%s", install->arguments,
								  install->arguments[0] == '\0' ? "" : ", ",
								  quote_literal_cstr(argument));
}

static void
add_column_argument(Installation *install, const char *name, Relation rel,
					AttrNumber column)
{
	if (column != InvalidAttrNumber)
		add_argument(install, name, quote_identifier(column_name(rel, column)));
}

/* Write one CREATE TRIGGER.  A NULL condition is none. */
static void
add_trigger(Installation *install, const char *name, const char *timing,
			const char *table, const char *level, const char *condition,
			const char *arguments)
{
	char	   *statement;

	statement = psprintf("CREATE TRIGGER %s %s ON %s FOR EACH %s%s%s%s EXECUTE FUNCTION %s(%s)",
						 name, timing, table, level,
						 condition ? " WHEN (" : "",
						 condition ? condition : "",
						 condition ? ")" : "",
						 qualified_function(install), arguments);
	install->statements = lappend(install->statements, statement);
}

static void
add_row_trigger(Installation *install, const char *name, const char *timing,
				const char *condition)
{
	add_trigger(install, name, timing, qualified_table(install->table), "ROW",
				condition, install->arguments);
}

/*
 * Can a condition compare this column?  Only if its operator = is in pg_catalog:
 * IS DISTINCT FROM is restored by name, with whatever search_path a restore has.
 */
static bool
is_comparable(Relation rel, AttrNumber column)
{
	Oid			type = TupleDescAttr(RelationGetDescr(rel), column - 1)->atttypid;
	Oid			equal = lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr;

	return OidIsValid(equal) && equal < FirstGenbkiObjectId;
}

/* OLD and NEW differ in one of these columns; NULL if that can't be written. */
static char *
columns_differ(Relation rel, int ncolumns, const AttrNumber *columns)
{
	StringInfoData condition;

	initStringInfo(&condition);
	for (int i = 0; i < ncolumns; i++)
	{
		const char *name = quote_identifier(column_name(rel, columns[i]));

		if (!is_comparable(rel, columns[i]))
			return NULL;
		appendStringInfo(&condition, "%sOLD.%s IS DISTINCT FROM NEW.%s",
						 i > 0 ? " OR " : "", name, name);
	}
	return condition.data;
}

/* Run the statements, closing the table first, and return them as rows. */
static void
run(Installation *install, FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *lc;

	relation_close(install->table, NoLock);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	SPI_connect();
	foreach(lc, install->statements)
	{
		Datum		values[1] = {CStringGetTextDatum(lfirst(lc))};
		bool		nulls[1] = {false};
		int			code = SPI_execute(lfirst(lc), false, 0);

		if (code != SPI_OK_UTILITY)
			elog(ERROR, "SPI_execute returned %s for a CREATE TRIGGER",
				 SPI_result_code_string(code));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	SPI_finish();
}


/* ----- port_pin_protect ----- */

/* What keeps a row in place is its primary key: find its columns. */
static List *
primary_key(Relation table)
{
	Oid			indexid = primary_key_index(table);
	Relation	index;
	AttrNumber	columns[INDEX_MAX_KEYS];
	List	   *names;

	if (!OidIsValid(indexid))
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("table \"%s\" has no primary key", RelationGetRelationName(table)),
				errdetail("With forbid_delete, rows with a port PIN may not change their primary key either."),
				errhint("Add a primary key."),
				errtable(table));

	index = index_open(indexid, AccessShareLock);
	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
		columns[i] = index->rd_index->indkey.values[i];
	names = ColumnNames(table, index->rd_index->indnkeyatts, columns);
	index_close(index, NoLock);
	return names;
}

/*
 * When the keep trigger must look: for a typed PIN, only when it will refuse.
 * For legacy text, where blank has many spellings, whenever the PIN changes.
 */
static char *
keep_condition(Installation *install, AttrNumber pin, List *key)
{
	Relation	table = install->table;
	const char *name = quote_identifier(column_name(table, pin));
	bool		typed = ColumnIsPortPin(table, pin, install->domain);
	char	   *rekeyed = NULL;

	if (key != NIL)
	{
		List	   *columns = FindColumns(table, key);
		AttrNumber	numbers[INDEX_MAX_KEYS];

		for (int i = 0; i < list_length(columns); i++)
			numbers[i] = list_nth_int(columns, i);
		rekeyed = columns_differ(table, list_length(columns), numbers);
		if (rekeyed == NULL)
			return NULL;
	}
	if (typed && rekeyed == NULL)
		return psprintf("OLD.%s IS NOT NULL AND NEW.%s IS NULL", name, name);
	if (typed)
		return psprintf("OLD.%s IS NOT NULL AND (NEW.%s IS NULL OR %s)",
						name, name, rekeyed);
	return psprintf("OLD.%s IS DISTINCT FROM NEW.%s%s%s", name, name,
					rekeyed ? " OR " : "", rekeyed ? rekeyed : "");
}

/* TRUNCATE fires the triggers of the tables it names, so each partition needs one. */
static void
add_truncate_triggers(Installation *install)
{
	List	   *tables = find_all_inheritors(RelationGetRelid(install->table),
											 ShareRowExclusiveLock, NULL);
	ListCell   *lc;

	foreach(lc, tables)
	{
		Relation	table = table_open(lfirst_oid(lc), NoLock);

		add_trigger(install, "port_pin_keep_truncate", "BEFORE TRUNCATE",
					qualified_table(table), "STATEMENT", NULL, "");
		table_close(table, NoLock);
	}
}

static void
add_keep_triggers(Installation *install, AttrNumber pin, List *key, bool forbid_delete)
{
	bool		partitioned =
		install->table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	char	   *condition = keep_condition(install, pin, key);

	if (key != NIL)
		add_argument(install, "key", column_list(key));
	add_row_trigger(install, "port_pin_keep", "AFTER UPDATE", condition);
	if (forbid_delete)
	{
		add_row_trigger(install, "port_pin_keep_delete", "AFTER DELETE", NULL);
		add_truncate_triggers(install);
	}
	if (partitioned)
	{
		add_argument(install, "moves", "follow");
		add_row_trigger(install, "port_pin_keep_move_from", "AFTER DELETE", NULL);
		add_row_trigger(install, "port_pin_keep_move_to", "AFTER INSERT", NULL);
	}
}

/*
 * port_pin_protect(accounts regclass, pin name, forbid_delete boolean)
 *		returns setof text
 *
 * Installs port_pin_keep_trigger() on a table.  Without pin, the column of type
 * port_pin is meant.  42710 where the PIN is guarded already.
 */
Datum
port_pin_protect(PG_FUNCTION_ARGS)
{
	Installation install;
	char	   *pin = PG_ARGISNULL(1) ? NULL : NameStr(*PG_GETARG_NAME(1));
	bool		forbid_delete = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	AttrNumber	column;

	install = begin(fcinfo, "port_pin_keep_trigger");

	column = FindPinColumn(install.table, pin, install.domain, "pin");
	add_column_argument(&install, "pin", install.table, column);
	check_not_guarded_yet(&install, "pin",
						  quote_identifier(column_name(install.table, column)));
	add_keep_triggers(&install, column,
					  forbid_delete ? primary_key(install.table) : NIL, forbid_delete);
	run(&install, fcinfo);
	return (Datum) 0;
}


/* ----- port_pin_gate ----- */

static char *
name_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : NameStr(*PG_GETARG_NAME(number));
}

static List *
names_argument(FunctionCallInfo fcinfo, int number)
{
	List	   *names = NIL;
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	if (PG_ARGISNULL(number))
		return NIL;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(number), NAMEOID, NAMEDATALEN, false,
					  TYPALIGN_CHAR, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("a list of columns must not contain NULL"));
		names = lappend(names, NameStr(*DatumGetName(elements[i])));
	}
	return names;
}

static bool
unset_argument(FunctionCallInfo fcinfo, int number)
{
	char	   *unset;

	if (PG_ARGISNULL(number))
		return false;
	unset = text_to_cstring(PG_GETARG_TEXT_PP(number));
	if (strcmp(unset, "allow") != 0 && strcmp(unset, "refuse") != 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("unset must be \"refuse\" or \"allow\""),
				errhint("\"refuse\" is the rule: without a port PIN no number can be ported."));
	return strcmp(unset, "allow") == 0;
}

static GateNames
gate_names(FunctionCallInfo fcinfo)
{
	GateNames	names;

	names.pin = name_argument(fcinfo, 1);
	names.account.fk = names_argument(fcinfo, 2);
	names.account.account_pin = name_argument(fcinfo, 3);
	names.account.via = names_argument(fcinfo, 4);
	names.account.number_pin = name_argument(fcinfo, 5);
	names.scope = name_argument(fcinfo, 6);
	names.account.lock = name_argument(fcinfo, 7);
	names.account.expires = name_argument(fcinfo, 8);
	names.unset_allow = unset_argument(fcinfo, 9);
	return names;
}

/* SET DEFAULT gives an order to an account that nobody chose. */
static void
check_actions(Relation orders, const Gate *gate)
{
	for (int i = 0; i < gate->path.nhops; i++)
	{
		const ForeignKey *key = &gate->path.hops[i].key;

		if (key->on_update == FKCONSTR_ACTION_SETDEFAULT ||
			key->on_delete == FKCONSTR_ACTION_SETDEFAULT)
			ereport(ERROR,
					errcode(ERRCODE_INVALID_FOREIGN_KEY),
					errmsg("a foreign key with SET DEFAULT can't lead to a port PIN"),
					errhint("Use CASCADE, SET NULL, RESTRICT or NO ACTION."),
					errtable(orders));
	}
}

/* Orders are checked against PINs that only the keep guard makes a lasting promise. */
static void
note_unkept_accounts(const Gate *gate, Oid domain)
{
	Oid			function = PortPinTrigger("port_pin_keep_trigger", domain);

	for (int i = 0; i < gate->path.nhops; i++)
	{
		const AccountHop *hop = &gate->path.hops[i];
		Relation	table = table_open(hop->key.referenced, AccessShareLock);
		bool		kept = hop->pin == InvalidAttrNumber;

		for (int t = 0; table->trigdesc != NULL && t < table->trigdesc->numtriggers; t++)
			kept |= table->trigdesc->triggers[t].tgfoid == function;
		if (!kept)
			ereport(NOTICE,
					errmsg("port PINs of table \"%s\" are not kept: any UPDATE can clear them",
						   RelationGetRelationName(table)),
					errhint("SELECT port_pin_protect('%s');", qualified_table(table)));
		table_close(table, NoLock);
	}
}

/* Write down what was found, so that nothing needs to be found again. */
static void
add_gate_arguments(Installation *install, const GateNames *names, const Gate *gate)
{
	const AccountHop *hop = gate->path.hops;
	const ForeignKey *key = &hop->key;

	add_column_argument(install, "pin", install->table, gate->pin);
	add_argument(install, "fk",
				 column_list(ColumnNames(install->table, key->nkeys, key->from)));
	for (int i = 0; i < gate->path.nhops; i++, hop++)
	{
		Relation	table = table_open(hop->key.referenced, AccessShareLock);
		bool		last = i == gate->path.nhops - 1;

		add_column_argument(install, last ? "account_pin" : "number_pin",
							table, hop->pin);
		if (!last)
			add_argument(install, "via", column_list(names->account.via));
		table_close(table, NoLock);
	}
	add_column_argument(install, "scope", install->table, gate->scope);
	if (names->account.lock != NULL)
		add_argument(install, "lock", quote_identifier(names->account.lock));
	if (names->account.expires != NULL)
		add_argument(install, "expires", quote_identifier(names->account.expires));
	if (gate->unset_allow)
		add_argument(install, "unset", "allow");
}

/* When an UPDATE may need judging: another key, another PIN, or into scope. */
static char *
gate_condition(Relation orders, const Gate *gate)
{
	const ForeignKey *key = &gate->path.hops[0].key;
	char	   *condition = columns_differ(orders, key->nkeys, key->from);
	char	   *pin = columns_differ(orders, 1, &gate->pin);

	if (condition == NULL || pin == NULL)
		return NULL;
	condition = psprintf("%s OR %s", condition, pin);
	if (gate->scope != InvalidAttrNumber)
	{
		const char *scope = quote_identifier(column_name(orders, gate->scope));

		condition = psprintf("%s OR OLD.%s IS FALSE AND NEW.%s IS NOT FALSE",
							 condition, scope, scope);
	}
	return condition;
}

/*
 * port_pin_gate(orders regclass, pin name, fk name[], account_pin name,
 *				 via name[], number_pin name, scope name, lock name,
 *				 expires name, unset text) returns setof text
 *
 * Installs port_pin_gate_trigger() on a table; the arguments are the trigger's.
 * 42710 where orders with this key are gated already.
 */
Datum
port_pin_gate(PG_FUNCTION_ARGS)
{
	Installation install = begin(fcinfo, "port_pin_gate_trigger");
	GateNames	names = gate_names(fcinfo);
	Gate		gate;
	char	   *fk;

	FindGate(install.table, &names, install.domain, &gate, CurrentMemoryContext);
	check_actions(install.table, &gate);
	fk = column_list(ColumnNames(install.table, gate.path.hops[0].key.nkeys,
								 gate.path.hops[0].key.from));
	check_not_guarded_yet(&install, "fk", fk);
	note_unkept_accounts(&gate, install.domain);

	add_gate_arguments(&install, &names, &gate);
	add_row_trigger(&install, "port_pin_gate", "AFTER INSERT", NULL);
	add_row_trigger(&install, "port_pin_gate_update", "AFTER UPDATE",
					gate_condition(install.table, &gate));
	if (install.table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		add_row_trigger(&install, "port_pin_gate_move", "AFTER DELETE", NULL);
	run(&install, fcinfo);
	return (Datum) 0;
}
