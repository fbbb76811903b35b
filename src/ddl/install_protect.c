/*
 * install_protect.c
 *		port_pin_protect() and port_pin_unprotect(): the guard of a table with PINs.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "catalog/pg_inherits.h"
#include "nodes/bitmapset.h"
#include "utils/builtins.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "ddl/gates.h"
#include "ddl/guards.h"
#include "ddl/install.h"
#include "ddl/pin_statistics.h"
#include "table/column.h"
#include "table/partition.h"
#include "table/row_movement.h"
#include "table/shard.h"
#include "table/triggers.h"
#include "trigger/account_history.h"
#include "trigger/account_rules.h"
#include "trigger/pin_change.h"
#include "trigger/stamp.h"

PG_FUNCTION_INFO_V1(port_pin_protect);
PG_FUNCTION_INFO_V1(port_pin_unprotect);


/* ----- What is asked of the table ----- */

/* A row is kept in place by its primary key: find its columns. */
static char *
primary_key(Relation table)
{
	List	   *names = PrimaryKey(table);

	if (names == NIL)
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("table \"%s\" has no primary key", RelationGetRelationName(table)),
				errdetail("With forbid_delete, rows with a port PIN may not change their primary key either."),
				errhint("Add a primary key."),
				errtable(table));
	return ColumnList(names);
}

/* Where a row moves unseen, an UPDATE that moves it could clear its PIN. */
static void
check_movement_can_be_followed(Relation table)
{
	ListCell   *lc;

	if (table->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return;
	foreach(lc, find_all_inheritors(RelationGetRelid(table), AccessShareLock, NULL))
	{
		Relation	partition = table_open(lfirst_oid(lc), NoLock);

		if (!CanFollowRowMovement(partition))
			ereport(ERROR,
					errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("partition \"%s\" can't be guarded: rows that move there or away can't be followed",
						   RelationGetRelationName(partition)),
					errhint("Partitions must be ordinary tables of access method heap."),
					errtable(partition));
		table_close(partition, NoLock);
	}
}

/* Keys appear in errors; hashes are salted, so equal PINs make different keys. */
static void
check_pin_is_no_key(const GuardPlan *plan)
{
	Bitmapset  *key = RelationGetIndexAttrBitmap(plan->table, INDEX_ATTR_BITMAP_PRIMARY_KEY);

	if (plan->sealed &&
		(bms_is_member(plan->pin - FirstLowInvalidHeapAttributeNumber, key) ||
		 ColumnRoutesRows(plan->table, plan->pin)))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				errmsg("a sealed port PIN can't be part of the primary key or of a partition key"),
				errhint("Give the table keys without the PIN."),
				errtablecol(plan->table, plan->pin));
}

/*
 * A column that the guard writes must take each time and NULL, in whatever partition
 * its row is.  A domain could refuse one, and the gate asks no domain when it stamps.
 */
static void
check_stamped_column(const GuardPlan *plan, const Stamp *stamp)
{
	const char *name = OptionColumn(plan->values[stamp->rule]);
	Form_pg_attribute attribute;

	if (name == NULL)
		return;
	attribute = TupleDescAttr(RelationGetDescr(plan->table), FindColumn(plan->table, name) - 1);
	if (attribute->attgenerated != '\0' || attribute->attnotnull ||
		attribute->atttypid != account_rules[stamp->rule].type ||
		ColumnRoutesRows(plan->table, attribute->attnum))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				errmsg("column \"%s\" can't be written by the guard: it is generated, NOT NULL, of a domain or in a partition key", name),
				errhint("Name a column of its own; it is NULL where there is no port PIN."),
				errtablecol(plan->table, attribute->attnum));
	if (ColumnIsGenerated(plan->table, plan->pin))
		ereport(ERROR,
				errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				errmsg("%s is not for a port PIN that is generated", account_rules[stamp->rule].name),
				errdetail("The PIN has no value yet when the guard writes column \"%s\".", name),
				errhint("Leave %s out.", account_rules[stamp->rule].name),
				errtablecol(plan->table, plan->pin));
}

/* The column that a rule names, if the rule names one; else NULL. */
static const char *
column_of_rule(char **rules, AccountRule rule)
{
	return account_rules[rule].kind == OPTION_COLUMN ? OptionColumn(rules[rule]) : NULL;
}

static bool
is_stamp(AccountRule rule)
{
	for (int i = 0; i < NUM_STAMPS; i++)
	{
		if (stamps[i].rule == rule)
			return true;
	}
	return false;
}

/*
 * A column says one thing.  Two guards may go by one column for the same rule, but not
 * write it: it changes with the digits of one PIN.
 */
static void
check_columns_stand_alone(Relation table, char **rules, char **others)
{
	for (int i = 0; i < NUM_ACCOUNT_RULES; i++)
	{
		const char *name = column_of_rule(rules, i);

		for (int j = 0; name != NULL && j < NUM_ACCOUNT_RULES; j++)
		{
			const char *other = column_of_rule(others, j);

			if (other == NULL || strcmp(other, name) != 0 ||
				(i == j && (rules == others || !is_stamp(i))))
				continue;
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("column \"%s\" is named by %s and by %s%s", name,
						   account_rules[i].name, account_rules[j].name,
						   rules == others ? "" : " of another guard"),
					errhint("Give each a column of its own."),
					errtablecol(table, FindColumn(table, name)));
		}
	}
}

/*
 * What is said of rows is said alike by all guards of the table, or by one of them;
 * the gates would refuse each order.
 */
static void
check_row_rules_agree(Relation table, char **rules, char **others)
{
	static const AccountRule row_rules[] = {RULE_SCOPE, RULE_LOCK, RULE_LOCK_UNTIL};

	for (Size i = 0; i < lengthof(row_rules); i++)
	{
		AccountRule rule = row_rules[i];

		if (rules[rule] != NULL && others[rule] != NULL &&
			RuleColumn(table, rules, rule) != RuleColumn(table, others, rule))
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("the guard of column %s names another column for %s: %s",
						   others[RULE_PIN], account_rules[rule].name, others[rule]),
					errhint("Name the same, or change that guard first: it is the row that is locked or out of scope, whichever PIN it has."),
					errtable(table));
	}
}

/* The table's other guards must not contradict this one. */
static void
check_other_guards(const GuardPlan *plan)
{
	Relation	table = plan->table;
	List	   *own = GuardTriggers(plan, table);
	ListCell   *lc;

	check_columns_stand_alone(table, plan->values, plan->values);
	foreach(lc, KindTriggers(table, GUARD_PROTECT, plan->domain))
	{
		const Trigger *trigger = lfirst(lc);
		AccountGuard *other;

		if (!StatesRules(trigger) || TriggerIsAmong(trigger, own))
			continue;
		other = ReadAccountGuard(table, trigger, plan->domain);
		if (other->rules[RULE_PIN] == NULL)
			continue;
		check_columns_stand_alone(table, plan->values, other->rules);
		check_row_rules_agree(table, plan->values, other->rules);
	}
}

/*
 * unlike must name columns that are known when the PIN is checked, and no port PIN: its
 * error would tell guessers when they are right, and count nothing.
 */
static void
check_unlike(const GuardPlan *plan)
{
	List	   *columns = FindColumns(plan->table, OptionColumns(plan->values[RULE_UNLIKE]));
	List	   *guards = columns == NIL ? NIL : FindAccountGuards(plan->table, plan->domain);
	ListCell   *lc;

	foreach(lc, columns)
	{
		AttrNumber	column = lfirst_int(lc);

		if (column == plan->pin || ColumnIsPortPin(plan->table, column, plan->domain) ||
			GuardOfPin(guards, ColumnName(plan->table, column)) != NULL)
			ereport(ERROR,
					errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("unlike names a port PIN, column \"%s\"",
						   ColumnName(plan->table, column)),
					errhint("Name columns such as the phone number."),
					errtablecol(plan->table, column));
		if (plan->sealed && ColumnIsGenerated(plan->table, column))
			ereport(ERROR,
					errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("unlike can't name a generated column for a sealed port PIN: \"%s\"",
						   ColumnName(plan->table, column)),
					errdetail("It has no value yet when the PIN is sealed."),
					errhint("Name the columns that it is generated from."),
					errtablecol(plan->table, column));
	}
}

/* Some rules contradict each other, or are for another kind of column. */
static void
check_rules(const GuardPlan *plan)
{
	char	  **rules = plan->values;

	if (rules[RULE_ALLOW_UNSET] != NULL && rules[RULE_KEY] == NULL)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("allow_unset needs forbid_delete"),
				errdetail("An account without a port PIN could be put in the place of one that had it."),
				errhint("Add forbid_delete => true."),
				errtable(plan->table));
	CheckRulesAgree(plan->table, rules);
	if (plan->pin == InvalidAttrNumber &&
		(rules[RULE_EXPIRES] != NULL || rules[RULE_KEY] != NULL ||
		 rules[RULE_CLEARABLE] != NULL || rules[RULE_CHECK_FORMAT] != NULL ||
		 rules[RULE_HISTORY] != NULL || StampsRows(rules) || AsksForNewPins(rules)))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("table \"%s\" has no column of type port_pin, so only lock, lock_until and scope can be given",
					   RelationGetRelationName(plan->table)),
				errhint("Name the text or varchar column that holds the PIN with pin => 'column'."),
				errtable(plan->table));
	if (rules[RULE_CHECK_FORMAT] != NULL &&
		ColumnIsPortPin(plan->table, plan->pin, plan->domain))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("check_format is not for column \"%s\": its type checks the format",
					   ColumnName(plan->table, plan->pin)),
				errhint("Leave check_format out; it is for columns of type text or varchar."),
				errtablecol(plan->table, plan->pin));
	for (int i = 0; i < NUM_STAMPS; i++)
		check_stamped_column(plan, &stamps[i]);
	check_unlike(plan);
	check_other_guards(plan);
}

/*
 * A guard of a lock alone must not stand beside that of a PIN, which can have the
 * lock as well.  It must not take its place either: a PIN's guard is removed only
 * explicitly.
 */
static void
check_keeps_pin(const GuardPlan *plan)
{
	ListCell   *lc;

	if (plan->pin != InvalidAttrNumber)
		return;
	foreach(lc, KindTriggers(plan->table, GUARD_PROTECT, plan->domain))
	{
		const Trigger *trigger = lfirst(lc);
		List	   *pin = TriggerColumns(trigger, &account_rules[RULE_PIN]);

		if (pin != NIL)
			ereport(ERROR,
					errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("the guard of table \"%s\" is for a port PIN, column \"%s\"",
						   RelationGetRelationName(plan->table), (char *) linitial(pin)),
					errhint("Name the column that holds the PIN now with pin => 'column' and replace => true, or remove the guard with port_pin_unprotect()."),
					errtableconstraint(plan->table, trigger->tgname));
	}
}


/* ----- port_pin_protect ----- */

/* The column that is meant, as an option; NULL for a lock alone. */
static char *
pin_option(Relation table, char **rules, Oid domain)
{
	bool		has_row_rule = rules[RULE_LOCK] != NULL ||
	rules[RULE_LOCK_UNTIL] != NULL || rules[RULE_SCOPE] != NULL;

	if (rules[RULE_PIN] == NULL && has_row_rule &&
		NextPinColumn(table, 0, domain) == InvalidAttrNumber)
		return NULL;
	return ColumnList(list_make1(ColumnName(table, FindPinColumn(table, OptionColumn(rules[RULE_PIN]),
																 domain))));
}

/* Complete the rules, plan the guard and write its statements. */
static void
write_protection(Relation table, char **rules, bool replace, Oid domain,
				 GuardPlan *plan, Script *script)
{
	rules[RULE_PIN] = pin_option(table, rules, domain);
	if (rules[RULE_KEY] != NULL)
		rules[RULE_KEY] = primary_key(table);
	check_movement_can_be_followed(table);
	PlanProtect(table, rules, domain, plan);
	check_rules(plan);
	check_pin_is_no_key(plan);
	(void) FindAccountHistory(table, rules, domain);
	check_keeps_pin(plan);
	WriteInstallation(plan, replace, script);
}

/*
 * In a table with rows, the rules for the age of PINs find PINs of unknown age.
 * Once the guard is there, only the guard can write an age.
 */
static void
note_unknown_age(const GuardPlan *plan)
{
	const char *column = OptionColumn(plan->values[RULE_CHANGED]);

	if (column == NULL || IsEmptyTable(plan->table) || KeepsOption(plan, RULE_CHANGED))
		return;
	ereport(NOTICE,
			errmsg("existing port PINs of table \"%s\" are of unknown age where column \"%s\" is NULL",
				   RelationGetRelationName(plan->table), column),
			errdetail("They pass min_age and fail max_age."),
			errhint("To give them an age, roll back and fill the column before the table is guarded: from now on only the guard writes it."));
}

/* Triggers that fire later than the one that stamps can make the guard refuse rows. */
static void
note_late_triggers(const GuardPlan *plan)
{
	char	   *late = LateTriggers(plan, plan->table);

	if (late != NULL)
		ereport(NOTICE,
				errmsg("triggers of table \"%s\" fire after the one that stamps rows: %s",
					   RelationGetRelationName(plan->table), late),
				errhint("If one of them changes the port PIN or its stamp, the row is refused: BEFORE triggers fire in the order of their names."));
}

/* The shards' statistics keep samples of readable PINs until ANALYZE makes new ones. */
static void
note_shard_statistics(const GuardPlan *plan)
{
	if (plan->sealed && IsCitusTable(RelationGetRelid(plan->table)))
		ereport(NOTICE,
				errmsg("statistics of the shards of table \"%s\" are left as they are",
					   RelationGetRelationName(plan->table)),
				errdetail("Citus takes no SET STATISTICS, so ANALYZE keeps samples of port PINs that are not sealed."),
				errhint("When all are sealed: VACUUM ANALYZE %s;", QualifiedTable(plan->table)));
}

/* Tell what the statements leave to be done. */
static void
note_what_is_left(const GuardPlan *plan)
{
	const char *table = QualifiedTable(plan->table);
	const char *name = RelationGetRelationName(plan->table);
	ListCell   *lc;

	if (plan->pin == InvalidAttrNumber)
		ereport(NOTICE,
				errmsg("table \"%s\" is guarded without a port PIN", name),
				errdetail("It has no column of type port_pin, and none was named: the guard says who is locked or out of scope, and no more."));
	foreach(lc, plan->checks)
	{
		const PlannedCheck *check = lfirst(lc);
		bool		valid = false;
		char	   *found = FindCheck(plan->table, PortPinCheck(check->function, plan->domain),
									  check->column, &valid);

		if (found == NULL || valid)
			continue;
		if (plan->sealed)
			ereport(NOTICE,
					errmsg("existing port PINs of table \"%s\" are not sealed yet", name),
					errhint("CALL %s(%s, %s);",
							QualifiedName("port_pin_seal_column", plan->domain),
							quote_literal_cstr(table),
							quote_literal_cstr(ColumnName(plan->table, plan->pin))));
		else
			ereport(NOTICE,
					errmsg("the format of existing port PINs of table \"%s\" has not been checked", name),
					errhint("When they have been put right: ALTER TABLE %s VALIDATE CONSTRAINT %s;",
							table, quote_identifier(found)));
	}
}

/*
 * port_pin_protect(accounts regclass, pin text, scope text, lock text,
 *					lock_until text, expires text, changed text, min_age interval,
 *					max_age interval, used text, unlike text, forbid_weak boolean,
 *					forbid_delete boolean, check_format boolean, clearable boolean,
 *					allow_unset boolean, history boolean, replace boolean,
 *					OUT statement text)
 *		returns setof text
 *
 * Guards a table with PINs, seals a column of type port_pin_sealed, and says what
 * counts for its accounts.  Without pin, the column of portpin's types is meant; a
 * table without one can be guarded for its lock or scope alone.
 *
 * changed is the column (timestamptz) in which the guard writes when a PIN is set or
 * gets other digits; no order gets in while the PIN is younger than min_age, or when
 * it is older than max_age.  used is the column (timestamptz) in which the gate notes
 * that an order has used the PIN, which then ports no more.  history writes all that
 * happens to the PIN to port_pin_history; it needs a primary key.  unlike names
 * columns whose digits a new PIN must not repeat, and forbid_weak refuses new PINs
 * that guessers try first.
 * 42710 where the PIN is guarded already, unless the guard is to be replaced.
 */
Datum
port_pin_protect(PG_FUNCTION_ARGS)
{
	GuardPlan	plan;
	Script		script;
	Relation	table = PrepareInstallation(fcinfo, GUARD_PROTECT, write_protection, &plan, &script);
	Oid			relid = RelationGetRelid(table);

	note_unknown_age(&plan);
	note_late_triggers(&plan);
	relation_close(table, NoLock);
	RunScript(&script, fcinfo);

	table = table_open(relid, NoLock);
	plan.table = table;
	if (plan.sealed)
		RemovePinStatistics(table, ColumnName(table, plan.pin));
	note_shard_statistics(&plan);
	note_what_is_left(&plan);
	table_close(table, NoLock);
	NoteRefusingGates(relid, plan.domain);
	return (Datum) 0;
}


/* ----- port_pin_unprotect ----- */

/* Without the guard, the gates would refuse every order, so they must go first. */
static void
check_no_gate(Relation table, Oid domain)
{
	char	   *tables;
	char	   *calls;

	if (!GatesOver(RelationGetRelid(table), domain, &tables, &calls))
		return;
	ereport(ERROR,
			errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			errmsg("the guard of table \"%s\" is needed by gates",
				   RelationGetRelationName(table)),
			errdetail("Port orders get in by its port PINs: %s.", tables),
			errhint("Remove the gates first: %s", calls),
			errtable(table));
}

/*
 * port_pin_unprotect(accounts regclass, pin text, if_exists boolean,
 *					  OUT statement text) returns setof text
 *
 * Removes a guard and all that was made for it.  2BP01 under a gate, 42704 where
 * there is none.
 */
Datum
port_pin_unprotect(PG_FUNCTION_ARGS)
{
	RemoveGuard(fcinfo, GUARD_PROTECT, check_no_gate);
	return (Datum) 0;
}
