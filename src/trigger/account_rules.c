/*
 * account_rules.c
 *		What the guard of a table with PINs says of them.
 */
#include "postgres.h"

#include "trigger/account_rules.h"

#include "access/table.h"
#include "catalog/partition.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/error.h"
#include "table/column.h"
#include "table/triggers.h"

#define MAX_AGE_YEARS 1000

const GuardOption account_rules[NUM_ACCOUNT_RULES] = {
	[RULE_PIN] = {"pin", OPTION_COLUMN, "pin", InvalidOid},
	[RULE_SCOPE] = {"scope", OPTION_COLUMN, "scope", BOOLOID},
	[RULE_LOCK] = {"lock", OPTION_COLUMN, "lock", BOOLOID},
	[RULE_LOCK_UNTIL] = {"lock_until", OPTION_COLUMN, "lock_until", TIMESTAMPTZOID},
	[RULE_EXPIRES] = {"expires", OPTION_COLUMN, "expires", TIMESTAMPTZOID},
	[RULE_CHANGED] = {"changed", OPTION_COLUMN, "changed", TIMESTAMPTZOID},
	[RULE_MIN_AGE] = {"min_age", OPTION_INTERVAL, "min_age", InvalidOid},
	[RULE_MAX_AGE] = {"max_age", OPTION_INTERVAL, "max_age", InvalidOid},
	[RULE_USED] = {"used", OPTION_COLUMN, "used", TIMESTAMPTZOID},
	[RULE_UNLIKE] = {"unlike", OPTION_COLUMNS, "unlike", InvalidOid},
	[RULE_FORBID_WEAK] = {"forbid_weak", OPTION_SWITCH, "forbid_weak", InvalidOid},
	[RULE_KEY] = {"key", OPTION_KEY, "forbid_delete", InvalidOid},
	[RULE_CHECK_FORMAT] = {"check_format", OPTION_SWITCH, "check_format", InvalidOid},
	[RULE_CLEARABLE] = {"clearable", OPTION_SWITCH, "clearable", InvalidOid},
	[RULE_ALLOW_UNSET] = {"allow_unset", OPTION_SWITCH, "allow_unset", InvalidOid},
	[RULE_HISTORY] = {"history", OPTION_SWITCH, "history", InvalidOid},
};

/* Is this the one of a guard's triggers that states its rules? */
bool
StatesRules(const Trigger *trigger)
{
	return TRIGGER_FOR_ROW(trigger->tgtype) && TRIGGER_FOR_AFTER(trigger->tgtype) &&
		TRIGGER_FOR_UPDATE(trigger->tgtype);
}

static bool
is_less(Interval a, Interval b)
{
	return DatumGetBool(DirectFunctionCall2(interval_lt, IntervalPGetDatum(&a),
											IntervalPGetDatum(&b)));
}

/*
 * An age must be positive and must be known, and a PIN must be good at some age.  What
 * is longer than MAX_AGE_YEARS would lead past the last timestamp.
 */
static void
check_ages(Relation table, char **rules)
{
	const Interval none = {0};
	const Interval too_long = {.month = MAX_AGE_YEARS * MONTHS_PER_YEAR};
	Interval	min_age = OptionInterval(rules[RULE_MIN_AGE]);
	Interval	max_age = OptionInterval(rules[RULE_MAX_AGE]);

	if (rules[RULE_MIN_AGE] == NULL && rules[RULE_MAX_AGE] == NULL)
		return;
	if (rules[RULE_CHANGED] == NULL)
		ereport_without_context(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("min_age and max_age need changed"),
								errdetail("It is the column in which the guard writes when a port PIN was set or changed."),
								errhint("Add changed => 'column', a column of type timestamptz."),
								errtable(table));
	if ((rules[RULE_MIN_AGE] != NULL && !is_less(none, min_age)) ||
		(rules[RULE_MAX_AGE] != NULL && !is_less(min_age, max_age)))
		ereport_without_context(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("min_age must be more than zero, and max_age more than min_age"),
								errhint("Leave out the one that does not count."),
								errtable(table));
	if (!is_less(min_age, too_long) || !is_less(max_age, too_long))
		ereport_without_context(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("min_age and max_age must be less than %d years", MAX_AGE_YEARS),
								errhint("Leave out the one that does not count."),
								errtable(table));
}

/* If accounts without a PIN may be ported, a clearable PIN protects nothing. */
void
CheckRulesAgree(Relation table, char **rules)
{
	check_ages(table, rules);
	if (rules[RULE_ALLOW_UNSET] != NULL && rules[RULE_CLEARABLE] != NULL)
		ereport_without_context(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("allow_unset and clearable exclude each other"),
								errdetail("An account could be ported as soon as somebody has cleared its port PIN."),
								errhint("Leave one of them out."),
								errtable(table));
}

/*
 * The PIN that a guard without pin= is for: the column of portpin's types.  A guard
 * that states only a lock or scope of rows is for no PIN, whatever columns the table
 * gets later.
 */
static char *
find_pin_name(Relation table, char **rules, Oid domain)
{
	if (rules[RULE_LOCK] != NULL || rules[RULE_LOCK_UNTIL] != NULL ||
		rules[RULE_SCOPE] != NULL)
		return NULL;
	return pstrdup(quote_identifier(ColumnName(table, FindPinColumn(table, NULL, domain))));
}

/* The guard that a trigger states; of a trigger that states no rules, only its PIN. */
AccountGuard *
ReadAccountGuard(Relation table, const Trigger *trigger, Oid domain)
{
	AccountGuard *guard = palloc0(sizeof(AccountGuard));

	guard->trigger = pstrdup(trigger->tgname);
	ReadOptions(trigger, account_rules,
				StatesRules(trigger) ? NUM_ACCOUNT_RULES : RULE_PIN + 1,
				guard->rules);
	CheckRulesAgree(table, guard->rules);
	if (guard->rules[RULE_PIN] == NULL)
		guard->rules[RULE_PIN] = find_pin_name(table, guard->rules, domain);
	return guard;
}

/* Are two guards for the same PIN, or both for a lock alone? */
bool
SamePin(const AccountGuard *a, const AccountGuard *b)
{
	const char *x = OptionColumn(a->rules[RULE_PIN]);
	const char *y = OptionColumn(b->rules[RULE_PIN]);

	return x == NULL || y == NULL ? x == y : strcmp(x, y) == 0;
}

/* Add the guards that this very table states, not those of its partitioned table. */
static List *
add_guards(List *guards, Relation table, Oid domain)
{
	ListCell   *lc;

	foreach(lc, CopyTriggers(table, PortPinTrigger(PROTECT_TRIGGER, domain)))
	{
		const Trigger *trigger = lfirst(lc);
		AccountGuard *guard;
		ListCell   *other;

		if (!StatesRules(trigger) || trigger->tgisclone)
			continue;
		guard = ReadAccountGuard(table, trigger, domain);
		foreach(other, guards)
		{
			const AccountGuard *first = lfirst(other);

			if (SamePin(first, guard))
				ereport_without_context(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
										errmsg("table \"%s\" has two guards for one port PIN: triggers \"%s\" and \"%s\"",
											   RelationGetRelationName(table),
											   first->trigger, guard->trigger),
										errhint("Drop one of them: the rules of a port PIN are stated once."),
										errtable(table));
		}
		guards = lappend(guards, guard);
	}
	return guards;
}

/* The guards of a table: its own, and those of the tables that it is a partition of. */
List *
FindAccountGuards(Relation table, Oid domain)
{
	List	   *guards = add_guards(NIL, table, domain);
	List	   *wholes = table->rd_rel->relispartition ?
	get_partition_ancestors(RelationGetRelid(table)) : NIL;
	ListCell   *lc;

	foreach(lc, wholes)
	{
		Relation	whole = table_open(lfirst_oid(lc), AccessShareLock);

		guards = add_guards(guards, whole, domain);
		table_close(whole, NoLock);
	}
	return guards;
}

/* The column that a rule of a guard names; 0 if it has no such rule. */
AttrNumber
RuleColumn(Relation table, char **rules, AccountRule rule)
{
	return FindOptionColumn(table, account_rules, rules, rule);
}

/*
 * The same for a rule about rows.  It holds for every PIN of a table, so the table's
 * guards must agree on it.
 */
AttrNumber
RowRuleColumn(Relation table, List *guards, AccountRule rule)
{
	AttrNumber	said = InvalidAttrNumber;
	ListCell   *lc;

	foreach(lc, guards)
	{
		AttrNumber	column = RuleColumn(table, ((AccountGuard *) lfirst(lc))->rules, rule);

		if (column == InvalidAttrNumber)
			continue;
		if (said != InvalidAttrNumber && column != said)
			ereport_without_context(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
									errmsg("the guards of table \"%s\" name different columns for %s",
										   RelationGetRelationName(table),
										   account_rules[rule].name),
									errhint("Install one of them again: it is the row that is locked or out of scope, whichever PIN it has."),
									errtable(table));
		said = column;
	}
	return said;
}

/*
 * Is a row locked, by a flag or until a time?  A column is 0 if no guard names it.  A
 * NULL lock is no lock, since somebody must ask for one.
 */
bool
RowIsLocked(TupleTableSlot *row, AttrNumber lock, AttrNumber lock_until)
{
	bool		isnull;
	Datum		value;

	if (lock != InvalidAttrNumber)
	{
		value = slot_getattr(row, lock, &isnull);
		if (!isnull && DatumGetBool(value))
			return true;
	}
	if (lock_until == InvalidAttrNumber)
		return false;
	value = slot_getattr(row, lock_until, &isnull);
	return !isnull && DatumGetTimestampTz(value) > GetCurrentTimestamp();
}

/* The one of a table's guards that speaks for a column; NULL if none does. */
AccountGuard *
GuardOfPin(List *guards, const char *pin)
{
	ListCell   *lc;

	foreach(lc, guards)
	{
		AccountGuard *guard = lfirst(lc);
		const char *own = OptionColumn(guard->rules[RULE_PIN]);

		if (own != NULL && strcmp(own, pin) == 0)
			return guard;
	}
	return NULL;
}
