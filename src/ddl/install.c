/*
 * install.c
 *		Carry a plan out: attach, change and remove guards in one call.
 */
#include "postgres.h"

#include "ddl/install.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/tuplestore.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/setting.h"
#include "table/column.h"
#include "table/shard.h"
#include "table/triggers.h"


/* ----- The table ----- */

/*
 * The functions are not STRICT, because of their optional arguments; but a NULL
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

/* Open a table that the caller may put triggers on, and that rows are stored in. */
static Relation
open_table_to_guard(Oid relid, LOCKMODE lock)
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

	/*
	 * Only an owner may run what locks out readers: no other role may make
	 * them wait.
	 */
	if (lock == AccessExclusiveLock &&
		!object_ownercheck(RelationRelationId, relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(get_rel_relkind(relid)),
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
 * To foreign keys and triggers, rows of inheritance children are not rows of the
 * parent.  Rows of partitions are, but only as long as all partitions have the
 * guard.
 */
static void
check_is_not_part_of_another(Relation table)
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


/* ----- Arguments ----- */

/* Accept an array's braces, since a list of columns looks like an array. */
static char *
without_braces(char *words)
{
	size_t		length = strlen(words);

	if (length < 2 || words[0] != '{' || words[length - 1] != '}')
		return words;
	words[length - 1] = '\0';
	return words + 1;
}

/*
 * Read one name and what ends it, a comma or the end of the text.  Blanks around a
 * name don't count; in double quotes it can have any character.  NULL if there is
 * no name.
 */
static char *
next_name(char **words)
{
	StringInfoData name;
	char	   *end = *words + strspn(*words, " \t\n\r");
	bool		quoted = *end == '"';

	initStringInfo(&name);
	if (quoted)
	{
		for (end++; *end != '\0' && (*end != '"' || end[1] == '"'); end++)
			appendStringInfoChar(&name, *end == '"' ? *end++ : *end);
		if (*end++ != '"')
			return NULL;
		end += strspn(end, " \t\n\r");
	}
	else
	{
		appendBinaryStringInfo(&name, end, strcspn(end, ","));
		end += name.len;
		while (name.len > 0 && strchr(" \t\n\r", name.data[name.len - 1]) != NULL)
			name.data[--name.len] = '\0';
	}
	*words = *end == ',' ? end + 1 : end;
	return name.len == 0 || (*end != ',' && *end != '\0') ? NULL : name.data;
}

/* Split a list of exact names at its commas; false if that can't be done. */
static bool
split_names(char *words, List **names)
{
	*names = NIL;
	do
	{
		char	   *name = next_name(&words);

		if (name == NULL)
			return false;
		*names = lappend(*names, name);
	} while (*words != '\0');
	return words[-1] != ',';
}

/* The columns of an option by their exact names, with commas between them; NIL for NULL. */
static List *
names_argument(FunctionCallInfo fcinfo, int number, const GuardOption *option)
{
	List	   *names = NIL;

	if (PG_ARGISNULL(number))
		return NIL;
	if (!split_names(without_braces(text_to_cstring(PG_GETARG_TEXT_PP(number))), &names))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_NAME),
				errmsg("%s names no columns", option->parameter),
				errhint("Give the exact names, with commas between them; a name with a comma or a double quote in double quotes."));
	if (option->kind == OPTION_COLUMN && list_length(names) > 1)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_NAME),
				errmsg("%s names more than one column", option->parameter),
				errhint("Name one column."));
	return names;
}

static bool
switch_argument(FunctionCallInfo fcinfo, int number)
{
	return !PG_ARGISNULL(number) && PG_GETARG_BOOL(number);
}

static char *
option_argument(FunctionCallInfo fcinfo, int number, const GuardOption *option)
{
	List	   *names;

	if (option->kind == OPTION_SWITCH || option->kind == OPTION_KEY)
		return switch_argument(fcinfo, number) ? pstrdup("yes") : NULL;
	if (option->kind == OPTION_INTERVAL)
		return PG_ARGISNULL(number) ? NULL : TextOfValue(INTERVALOID, PG_GETARG_DATUM(number));

	names = names_argument(fcinfo, number, option);
	return names == NIL ? NULL : ColumnList(names);
}

/* The options of a call, which follow the table; returns the number of the next argument. */
static int
option_arguments(FunctionCallInfo fcinfo, GuardKind kind, char **values)
{
	const GuardKindInfo *info = &guard_kinds[kind];
	int			number = 1;

	for (int i = 0; i < info->noptions; i++)
	{
		values[i] = NULL;
		if (info->options[i].parameter != NULL)
			values[i] = option_argument(fcinfo, number++, &info->options[i]);
	}
	return number;
}


/* ----- Names of triggers ----- */

/* Is this name taken on the table, or on a partition that is to get a clone? */
static bool
name_is_taken(const PlannedTrigger *trigger, const char *name)
{
	List	   *tables = TRIGGER_FOR_ROW(trigger->type) ?
	find_all_inheritors(trigger->table, AccessShareLock, NULL) :
	list_make1_oid(trigger->table);
	ListCell   *lc;

	foreach(lc, tables)
	{
		Relation	table = table_open(lfirst_oid(lc), AccessShareLock);
		ListCell   *other;
		bool		taken = false;

		foreach(other, CopyTriggers(table, InvalidOid))
			taken |= strcmp(((Trigger *) lfirst(other))->tgname, name) == 0;
		table_close(table, NoLock);
		if (taken)
			return true;
	}
	return false;
}

/* base[_tag][_number][_suffix]; a long tag is truncated. */
static char *
trigger_name(const PlannedTrigger *trigger, const char *tag, int number)
{
	StringInfoData label;

	initStringInfo(&label);
	if (number > 1)
		appendStringInfo(&label, "%d", number);
	if (trigger->suffix != NULL)
		appendStringInfo(&label, "%s%s", label.len > 0 ? "_" : "", trigger->suffix);
	return makeObjectName(trigger->base, tag, label.len > 0 ? label.data : NULL);
}

/* Are the names of the new triggers still free? */
static bool
names_are_free(const GuardPlan *plan, const char *tag, int number)
{
	ListCell   *lc;

	foreach(lc, plan->triggers)
	{
		const PlannedTrigger *trigger = lfirst(lc);

		if (!trigger->exists && name_is_taken(trigger, trigger_name(trigger, tag, number)))
			return false;
	}
	return true;
}

/* The columns that a guard is for, which tell its triggers from those of another. */
static char *
columns_of_guard(const GuardPlan *plan)
{
	StringInfoData columns;
	ListCell   *lc;

	initStringInfo(&columns);
	foreach(lc, OptionColumns(plan->values[0]))
		appendStringInfo(&columns, "%s%s", columns.len > 0 ? "_" : "",
						 (char *) lfirst(lc));
	return columns.len > 0 ? columns.data : pstrdup("rows");
}

/* Has another planned trigger taken the place of this one? */
static bool
place_is_taken(const GuardPlan *plan, Oid table, const char *name)
{
	ListCell   *lc;

	foreach(lc, plan->triggers)
	{
		const PlannedTrigger *planned = lfirst(lc);

		if (planned->exists && planned->table == table && strcmp(planned->name, name) == 0)
			return true;
	}
	return false;
}

/*
 * Take the place of a trigger that the guard has: the one of this name, or if no
 * name is given, one that fires at the same events.  CREATE OR REPLACE can't change
 * a constraint trigger.
 */
static void
take_place(const GuardPlan *plan, PlannedTrigger *planned, const char *name)
{
	Oid			function = PortPinTrigger(planned->function, plan->domain);
	Relation	table = table_open(planned->table, AccessShareLock);
	ListCell   *lc;

	foreach(lc, planned->exists ? NIL : GuardTriggers(plan, table))
	{
		const Trigger *trigger = lfirst(lc);
		bool		fits = name != NULL ? strcmp(trigger->tgname, name) == 0 :
		trigger->tgfoid == function && trigger->tgtype == planned->type;

		if (!fits || OidIsValid(trigger->tgconstraint) ||
			place_is_taken(plan, planned->table, trigger->tgname))
			continue;
		planned->name = pstrdup(trigger->tgname);
		planned->exists = true;
		planned->always = plan->kind == GUARD_PROTECT &&
			trigger->tgenabled == TRIGGER_FIRES_ALWAYS;
		break;
	}
	table_close(table, NoLock);
}

/*
 * Give each planned trigger a name: that of the one whose place it takes, if any;
 * else a free one, with the columns and a number in it if need be.
 */
static void
name_triggers(GuardPlan *plan)
{
	const char *tag = NULL;
	int			number = 1;
	ListCell   *lc;

	foreach(lc, plan->triggers)
		take_place(plan, lfirst(lc), trigger_name(lfirst(lc), NULL, 1));
	foreach(lc, plan->triggers)
		take_place(plan, lfirst(lc), NULL);
	if (!names_are_free(plan, NULL, 1))
		tag = columns_of_guard(plan);
	while (!names_are_free(plan, tag, number))
		number++;
	foreach(lc, plan->triggers)
	{
		PlannedTrigger *planned = lfirst(lc);

		if (!planned->exists)
			planned->name = trigger_name(planned, tag, number);
	}
}


/* ----- Writing the statements ----- */

static void
add_statement(Script *script, char *statement)
{
	script->statements = lappend(script->statements, statement);
}

/* When a trigger fires, as CREATE TRIGGER says it. */
static char *
trigger_timing(int16 type)
{
	static const struct
	{
		int16		type;
		const char *event;
	}			events[] = {
		{TRIGGER_TYPE_INSERT, "INSERT"},
		{TRIGGER_TYPE_UPDATE, "UPDATE"},
		{TRIGGER_TYPE_DELETE, "DELETE"},
		{TRIGGER_TYPE_TRUNCATE, "TRUNCATE"}
	};
	StringInfoData timing;
	const char *separator = " ";

	initStringInfo(&timing);
	appendStringInfoString(&timing, TRIGGER_FOR_BEFORE(type) ? "BEFORE" : "AFTER");
	for (Size i = 0; i < lengthof(events); i++)
	{
		if ((type & events[i].type) == 0)
			continue;
		appendStringInfo(&timing, "%s%s", separator, events[i].event);
		separator = " OR ";
	}
	return timing.data;
}

static void
write_triggers(const GuardPlan *plan, Script *script)
{
	ListCell   *lc;

	foreach(lc, plan->triggers)
	{
		const PlannedTrigger *trigger = lfirst(lc);
		Relation	table = table_open(trigger->table, AccessShareLock);

		add_statement(script, psprintf("CREATE %sTRIGGER %s %s ON %s FOR EACH %s%s%s%s EXECUTE FUNCTION %s(%s)",
									   trigger->exists ? "OR REPLACE " : "",
									   quote_identifier(trigger->name),
									   trigger_timing(trigger->type),
									   QualifiedTable(table),
									   TRIGGER_FOR_ROW(trigger->type) ? "ROW" : "STATEMENT",
									   trigger->condition ? " WHEN (" : "",
									   trigger->condition ? trigger->condition : "",
									   trigger->condition ? ")" : "",
									   QualifiedName(trigger->function, plan->domain),
									   trigger->arguments));

		/*
		 * CREATE TRIGGER can't say that: it makes the trigger fire as by
		 * default.
		 */
		if (trigger->always)
			add_statement(script, psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s",
										   QualifiedTable(table), quote_identifier(trigger->name)));
		table_close(table, NoLock);
	}
}

/* Is a table known to have no rows?  Those in shards can't be seen from here. */
bool
IsEmptyTable(Relation table)
{
	BlockNumber blocks = 0;
	ListCell   *lc;

	if (IsCitusTable(RelationGetRelid(table)))
		return false;
	foreach(lc, find_all_inheritors(RelationGetRelid(table), AccessShareLock, NULL))
	{
		Relation	part = table_open(lfirst_oid(lc), NoLock);

		if (part->rd_rel->relkind == RELKIND_RELATION)
			blocks += RelationGetNumberOfBlocks(part);
		table_close(part, NoLock);
	}
	return blocks == 0;
}

/*
 * Rows that are there already may fail: then the CHECK is NOT VALID, and holds for
 * every row that is written from now on.
 */
static void
write_checks(const GuardPlan *plan, Script *script)
{
	Relation	table = plan->table;
	ListCell   *lc;

	foreach(lc, plan->checks)
	{
		PlannedCheck *check = lfirst(lc);
		const char *column = quote_identifier(ColumnName(table, check->column));
		bool		valid;

		if (FindCheck(table, PortPinCheck(check->function, plan->domain),
					  check->column, &valid) != NULL)
			continue;
		for (int number = 2; ConstraintNameIsUsed(CONSTRAINT_RELATION,
												  RelationGetRelid(table), check->name); number++)
			check->name = makeObjectName(check->name, psprintf("%d", number), NULL);
		add_statement(script, psprintf("ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s(%s::pg_catalog.text))%s",
									   QualifiedTable(table), quote_identifier(check->name),
									   QualifiedName(check->function, plan->domain), column,
									   check->validate && IsEmptyTable(table) ? "" : " NOT VALID"));
		script->exclusive = true;
	}
}

/* Drop the guard's triggers on one table; with replace, only those not replaced. */
static void
write_trigger_drops(const GuardPlan *plan, Relation table, bool replace, Script *script)
{
	ListCell   *lc;

	foreach(lc, GuardTriggers(plan, table))
	{
		const Trigger *trigger = lfirst(lc);
		bool		stays = false;
		ListCell   *other;

		foreach(other, plan->triggers)
		{
			const PlannedTrigger *planned = lfirst(other);

			stays |= replace && planned->table == RelationGetRelid(table) &&
				strcmp(planned->name, trigger->tgname) == 0;
		}
		if (stays)
			continue;
		add_statement(script, psprintf("DROP TRIGGER %s ON %s",
									   quote_identifier(trigger->tgname),
									   QualifiedTable(table)));
		script->exclusive = true;
		script->drops = replace;
	}
}

/*
 * Does the guard in the plan's place have check_format, whatever is wrong with its
 * other arguments?  Without it, a CHECK of the format is the user's own.
 */
static bool
checks_format(const GuardPlan *plan)
{
	ListCell   *lc;

	foreach(lc, GuardTriggers(plan, plan->table))
	{
		if (TriggerColumns(lfirst(lc), &account_rules[RULE_CHECK_FORMAT]) != NIL)
			return true;
	}
	return false;
}

/* Drop the CHECKs that the guard made for its column; with replace, only unplanned ones. */
static void
write_check_drops(const GuardPlan *plan, bool replace, Script *script)
{
	static const char *const functions[] = {"port_pin_check_sealed", "port_pin_check_format"};
	int			nfunctions = plan->pin == InvalidAttrNumber ? 0 : checks_format(plan) ? 2 : 1;

	for (int i = 0; i < nfunctions; i++)
	{
		bool		planned = false;
		char	   *name;
		ListCell   *lc;

		foreach(lc, plan->checks)
			planned |= strcmp(((PlannedCheck *) lfirst(lc))->function, functions[i]) == 0;
		name = FindOwnCheck(plan->table, PortPinCheck(functions[i], plan->domain),
							plan->pin);
		if (name == NULL || (planned && replace))
			continue;
		add_statement(script, psprintf("ALTER TABLE %s DROP CONSTRAINT %s",
									   QualifiedTable(plan->table), quote_identifier(name)));
		script->exclusive = true;
		script->drops = replace;
	}
}

static void
write_drops(const GuardPlan *plan, bool replace, Script *script)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(RelationGetRelid(plan->table), AccessShareLock, NULL))
	{
		Relation	table = table_open(lfirst_oid(lc), NoLock);

		write_trigger_drops(plan, table, replace, script);
		table_close(table, NoLock);
	}
	if (plan->kind == GUARD_PROTECT)
		write_check_drops(plan, replace, script);
}

/* Statistics would go on showing PINs that are gone.  Citus rejects the statement. */
static void
write_statistics(const GuardPlan *plan, int target, Script *script)
{
	if (plan->sealed && !IsCitusTable(RelationGetRelid(plan->table)))
		add_statement(script, psprintf("ALTER TABLE %s ALTER COLUMN %s SET STATISTICS %d",
									   QualifiedTable(plan->table),
									   quote_identifier(ColumnName(plan->table, plan->pin)),
									   target));
}

/* Every existing trigger of the guard, on the table and its partitions. */
static List *
all_guard_triggers(const GuardPlan *plan)
{
	List	   *all = NIL;
	ListCell   *lc;

	foreach(lc, find_all_inheritors(RelationGetRelid(plan->table), AccessShareLock, NULL))
	{
		Relation	table = table_open(lfirst_oid(lc), NoLock);

		all = list_concat(all, GuardTriggers(plan, table));
		table_close(table, NoLock);
	}
	return all;
}

/* The options of the guard in the plan's place; all NULL if none states them. */
static void
present_options(const GuardPlan *plan, char **values)
{
	const GuardKindInfo *info = &guard_kinds[plan->kind];
	ListCell   *lc;

	memset(values, 0, info->noptions * sizeof(char *));
	foreach(lc, GuardTriggers(plan, plan->table))
	{
		const Trigger *trigger = lfirst(lc);

		if (plan->kind == GUARD_GATE || StatesRules(trigger))
		{
			ReadOptions(trigger, info->options, info->noptions, values);
			return;
		}
	}
}

static void
refuse_second_guard(const GuardPlan *plan, const Trigger *trigger)
{
	char	   *values[MAX_GUARD_OPTIONS];

	if (GuardTriggers(plan, plan->table) == NIL)
		ereport(ERROR,
				errcode(ERRCODE_DUPLICATE_OBJECT),
				errmsg("a partition of table \"%s\" already has this guard: trigger \"%s\"",
					   RelationGetRelationName(plan->table), trigger->tgname),
				errhint("To put one of the whole table in its place, make the call with replace => true."),
				errtableconstraint(plan->table, trigger->tgname));
	present_options(plan, values);
	ereport(ERROR,
			errcode(ERRCODE_DUPLICATE_OBJECT),
			errmsg("table \"%s\" already has this guard: trigger \"%s\"",
				   RelationGetRelationName(plan->table), trigger->tgname),
			errdetail("This call makes it: %s",
					  GuardDefinition(plan->kind, plan->table, values, plan->domain)),
			errhint("To change it, make the call with replace => true."),
			errtableconstraint(plan->table, trigger->tgname));
}

/*
 * The statements that carry a plan out.  A guard that is there already is an error,
 * or with replace gives up its place: by CREATE OR REPLACE TRIGGER, without a gap.
 */
void
WriteInstallation(GuardPlan *plan, bool replace, Script *script)
{
	List	   *present = all_guard_triggers(plan);

	if (present != NIL && !replace)
		refuse_second_guard(plan, linitial(present));
	name_triggers(plan);
	write_triggers(plan, script);
	write_statistics(plan, 0, script);
	write_checks(plan, script);
	if (replace)
		write_drops(plan, true, script);
}

/* Open a table to remove its guard.  A partition's guard belongs to the whole table. */
static Relation
open_guarded_table(FunctionCallInfo fcinfo)
{
	Relation	table = open_table_to_guard(table_argument(fcinfo), AccessExclusiveLock);

	if (table->rd_rel->relispartition)
		ereport(ERROR,
				errcode(ERRCODE_WRONG_OBJECT_TYPE),
				errmsg("\"%s\" is a partition", RelationGetRelationName(table)),
				errhint("Name the partitioned table: the guard is removed from all of its partitions."),
				errtable(table));
	return table;
}

/*
 * Find the guard to remove, by its columns or as the only one of its kind; false if
 * there is none.  Any of its triggers will do, whatever else is wrong with it.
 */
static bool
find_guard(Relation table, GuardKind kind, List *names, Oid domain, char **values)
{
	const GuardKindInfo *info = &guard_kinds[kind];
	List	   *found = NIL;
	bool		any = false;
	ListCell   *lc;

	memset(values, 0, info->noptions * sizeof(char *));
	foreach(lc, KindTriggers(table, kind, domain))
	{
		List	   *own = TriggerColumns(lfirst(lc), &info->options[0]);

		if (names != NIL && !SameNames(own, names))
			continue;
		if (found != NIL && own != NIL && !SameNames(own, found))
			ereport(ERROR,
					errcode(ERRCODE_AMBIGUOUS_COLUMN),
					errmsg("table \"%s\" has more than one such guard",
						   RelationGetRelationName(table)),
					errhint("Name the one to remove with %s => %s, or %s => %s.",
							info->options[0].parameter,
							quote_literal_cstr(ColumnArgument(found)),
							info->options[0].parameter,
							quote_literal_cstr(ColumnArgument(own))),
					errtable(table));
		any = true;
		if (own != NIL)
			found = own;
	}
	values[0] = found == NIL ? NULL : ColumnList(found);
	return any;
}

/* There is nothing to remove: an error, unless if_exists is given. */
static void
report_no_guard(Relation table, bool if_exists)
{
	if (if_exists)
		ereport(NOTICE,
				errmsg("table \"%s\" has no such guard, skipping",
					   RelationGetRelationName(table)));
	else
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_OBJECT),
				errmsg("table \"%s\" has no such guard", RelationGetRelationName(table)),
				errhint("port_pin_guards lists the guards that there are."),
				errtable(table));
}

/* Did the guard in the plan's place have this option, with the same value? */
bool
KeepsOption(const GuardPlan *plan, int option)
{
	char	   *present[MAX_GUARD_OPTIONS];

	present_options(plan, present);
	return present[option] != NULL && strcmp(present[option], plan->values[option]) == 0;
}

/* A guard that replaces another keeps only its own options: tell which are lost. */
static void
note_lost_options(const GuardPlan *plan)
{
	const GuardKindInfo *info = &guard_kinds[plan->kind];
	char	   *present[MAX_GUARD_OPTIONS];
	StringInfoData lost;

	initStringInfo(&lost);
	present_options(plan, present);
	for (int i = 0; i < info->noptions; i++)
	{
		if (present[i] != NULL && plan->values[i] == NULL &&
			info->options[i].parameter != NULL)
			appendStringInfo(&lost, "%s%s", lost.len > 0 ? ", " : "",
							 info->options[i].parameter);
	}
	if (lost.len > 0)
		ereport(NOTICE,
				errmsg("the guard of table \"%s\" had options that it does not keep: %s",
					   RelationGetRelationName(plan->table), lost.data),
				errhint("Before, it was: %s",
						GuardDefinition(plan->kind, plan->table, present, plan->domain)));
}

/*
 * Read the arguments of an installer, check them and write the guard's statements.
 * Returns the table with the strongest lock that they take: taking it later would
 * invite a deadlock.  So look first, to know which lock that is; then take it, and
 * look again.
 */
Relation
PrepareInstallation(FunctionCallInfo fcinfo, GuardKind kind, WriteGuard write,
					GuardPlan *plan, Script *script)
{
	Oid			relid = table_argument(fcinfo);
	Oid			domain = PortPinDomain(fcinfo->flinfo->fn_oid);
	char	   *given[MAX_GUARD_OPTIONS];
	bool		replace = switch_argument(fcinfo, option_arguments(fcinfo, kind, given));
	LOCKMODE	lock = AccessShareLock;
	Relation	table;

	for (;;)
	{
		char	  **options = palloc(sizeof(given));

		table = open_table_to_guard(relid, lock);
		memcpy(options, given, sizeof(given));
		memset(script, 0, sizeof(Script));
		check_is_not_part_of_another(table);
		write(table, options, replace, domain, plan, script);
		if (lock != AccessShareLock)
			break;
		lock = script->exclusive ? AccessExclusiveLock : ShareRowExclusiveLock;
		relation_close(table, AccessShareLock);
	}
	if (replace)
		note_lost_options(plan);
	return table;
}


/* ----- Running them ----- */

static void
return_statement(ReturnSetInfo *result, const char *statement)
{
	Datum		values[1] = {CStringGetTextDatum(statement)};
	bool		nulls[1] = {false};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

#define CITUS_TRIGGERS "citus.enable_unsafe_triggers"

/*
 * Citus does not say how to make it accept triggers; its error has no code of its
 * own.
 */
static void
add_citus_hint(void *arg pg_attribute_unused())
{
	if (geterrcode() == ERRCODE_INTERNAL_ERROR)
		errhint("Citus takes triggers where " CITUS_TRIGGERS " is on: set it with ALTER DATABASE, and connect again.");
}

static bool
citus_may_refuse(Oid table)
{
	const char *triggers = GetConfigOption(CITUS_TRIGGERS, true, false);

	return triggers != NULL && strcmp(triggers, "off") == 0 && IsCitusTable(table);
}

/*
 * Run the statements and return them as rows, within BEGIN and COMMIT if they need
 * it.  Their operators are pg_catalog's, whatever search_path the caller has.
 */
void
RunScript(Script *script, FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ErrorContextCallback hint = {.previous = error_context_stack,.callback = add_citus_hint};
	int			nestlevel = NewGUCNestLevel();
	ListCell   *lc;

	if (citus_may_refuse(table_argument(fcinfo)))
		error_context_stack = &hint;
	SetForNow("search_path", PINNED_SEARCH_PATH);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	SPI_connect();
	if (script->drops)
		return_statement(result, "BEGIN");
	foreach(lc, script->statements)
	{
		int			code = SPI_execute(lfirst(lc), false, 0);

		if (code != SPI_OK_UTILITY)
			elog(ERROR, "SPI_execute returned %s for DDL",
				 SPI_result_code_string(code));
		return_statement(result, lfirst(lc));
	}
	if (script->drops)
		return_statement(result, "COMMIT");
	SPI_finish();
	error_context_stack = hint.previous;
	AtEOXact_GUC(true, nestlevel);
}

/*
 * Remove a guard and all that was made for it.  The arguments are the table, the columns
 * that the guard is for, and if_exists; "check" may be NULL.
 */
void
RemoveGuard(FunctionCallInfo fcinfo, GuardKind kind, CheckRemoval check)
{
	Oid			domain = PortPinDomain(fcinfo->flinfo->fn_oid);
	Relation	table = open_guarded_table(fcinfo);
	List	   *names = names_argument(fcinfo, 1, &guard_kinds[kind].options[0]);
	char	   *values[MAX_GUARD_OPTIONS];
	Script		script = {0};
	GuardPlan	plan;

	if (find_guard(table, kind, names, domain, values))
	{
		if (check != NULL)
			check(table, domain);
		IdentifyGuard(kind, table, values, domain, &plan);
		write_drops(&plan, false, &script);
		write_statistics(&plan, -1, &script);
	}
	else
		report_no_guard(table, switch_argument(fcinfo, 2));
	relation_close(table, NoLock);
	RunScript(&script, fcinfo);
}
