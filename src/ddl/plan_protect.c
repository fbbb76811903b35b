/*
 * plan_protect.c
 *		The parts of the guard of a table with PINs.
 *
 * One trigger AFTER UPDATE states the rules.  Forbidding deletes, keeping history
 * and rules for new PINs take more triggers, and so does a partitioned table, where
 * an UPDATE can move a row.  A sealed column has two triggers that seal, and a CHECK
 * for the day when they are disabled; columns that the guard writes take a last
 * BEFORE trigger.
 */
#include "postgres.h"

#include "ddl/plan.h"

#include "access/table.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/defrem.h"
#include "utils/builtins.h"

#include "base/catalog.h"
#include "table/column.h"
#include "table/shard.h"
#include "trigger/account_rules.h"
#include "trigger/pin_change.h"
#include "trigger/seal_trigger.h"
#include "trigger/stamp.h"

#define AFTER_ROW TRIGGER_TYPE_ROW
#define BEFORE_ROW (TRIGGER_TYPE_ROW | TRIGGER_TYPE_BEFORE)

static bool
is_partitioned(Relation table)
{
	return table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
}


/* ----- Keeping PINs set ----- */

/* Does the guard ask more of a PIN that changes than that it stays set? */
static bool
watches_digits(const GuardPlan *plan)
{
	return StampsRows(plan->values) || plan->values[RULE_HISTORY] != NULL ||
		(AsksForNewPins(plan->values) && !plan->sealed);
}

/* Add the column that a rule names, if any; returns how many were added. */
static int
add_column(const GuardPlan *plan, AccountRule rule, AttrNumber *column)
{
	*column = RuleColumn(plan->table, plan->values, rule);
	return *column == InvalidAttrNumber ? 0 : 1;
}

/* The columns whose changes the trigger must look at, the PIN among them. */
static AttrNumber *
watched_columns(const GuardPlan *plan, int *count)
{
	List	   *key = FindColumns(plan->table, OptionColumns(plan->values[RULE_KEY]));
	AttrNumber *columns = palloc((list_length(key) + 3 + NUM_STAMPS) * sizeof(AttrNumber));
	int			ncolumns = 0;
	ListCell   *lc;

	foreach(lc, key)
		columns[ncolumns++] = lfirst_int(lc);
	if (plan->values[RULE_HISTORY] != NULL)
	{
		ncolumns += add_column(plan, RULE_LOCK, &columns[ncolumns]);
		ncolumns += add_column(plan, RULE_LOCK_UNTIL, &columns[ncolumns]);
	}
	columns[ncolumns++] = plan->pin;
	for (int i = 0; i < NUM_STAMPS; i++)
		ncolumns += add_column(plan, stamps[i].rule, &columns[ncolumns]);
	*count = ncolumns;
	return columns;
}

/*
 * When the trigger must look at a row: for a typed PIN, only when it will refuse.
 * For legacy text, where blank has many spellings, whenever the PIN changes; likewise
 * for a sealed PIN, whose type has no constraint, and where its digits matter.  With
 * history, also when the lock changes.
 * NULL if that can't be written: then it looks at every row.
 */
static char *
update_condition(const GuardPlan *plan)
{
	Relation	table = plan->table;
	const char *name;
	AttrNumber *columns;
	int			ncolumns;
	char	   *rekeyed;

	if (plan->pin == InvalidAttrNumber ||
		(plan->values[RULE_CLEARABLE] != NULL && plan->values[RULE_KEY] == NULL &&
		 !watches_digits(plan)))
		return "false";
	columns = watched_columns(plan, &ncolumns);
	if (!ColumnIsPortPin(table, plan->pin, plan->domain) || plan->sealed ||
		watches_digits(plan))
		return ColumnsDiffer(table, ncolumns, columns);

	name = quote_identifier(ColumnName(table, plan->pin));
	ncolumns--;					/* the PIN, which is last */
	if (ncolumns == 0)
		return psprintf("OLD.%s IS NOT NULL AND NEW.%s IS NULL", name, name);
	rekeyed = ColumnsDiffer(table, ncolumns, columns);
	return rekeyed == NULL ? NULL :
		psprintf("OLD.%s IS NOT NULL AND (NEW.%s IS NULL OR %s)", name, name, rekeyed);
}

/* The arguments of the triggers that state no rules: which PIN they are for. */
static char *
pin_argument(const GuardPlan *plan)
{
	char	   *values[NUM_ACCOUNT_RULES] = {[RULE_PIN] = plan->values[RULE_PIN]};

	return PlanArguments(GUARD_PROTECT, values);
}

/*
 * TRUNCATE fires only the triggers of the tables that it names, so each partition
 * needs one.  A shard does not, since only the whole table is truncated.
 */
static void
plan_truncate(GuardPlan *plan)
{
	ListCell   *lc;

	if (OidIsValid(TableOfShard(RelationGetRelid(plan->table))))
		return;
	foreach(lc, find_all_inheritors(RelationGetRelid(plan->table), NoLock, NULL))
		AddTrigger(plan,
				   .table = lfirst_oid(lc),
				   .function = PROTECT_TRIGGER,
				   .base = "port_pin_protect",
				   .suffix = "truncate",
				   .type = TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_TRUNCATE,
				   .arguments = pin_argument(plan),
				   .lack = plan->values[RULE_KEY] != NULL ?
				   "no trigger BEFORE TRUNCATE, though deletes are forbidden: the table can be truncated" :
				   "no trigger BEFORE TRUNCATE, though history is kept: the table can be truncated unseen");
}

/* It fires for every row, so a row that moves to another partition keeps its stamps. */
static void
plan_stamp(GuardPlan *plan)
{
	AddTrigger(plan,
			   .function = PROTECT_TRIGGER,
			   .base = STAMP_TRIGGER_BASE,
			   .suffix = "stamp",
			   .type = BEFORE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE,
			   .arguments = pin_argument(plan),
			   .lack = "no trigger BEFORE INSERT OR UPDATE stamps rows: PINs can't be set or changed");
}

static void
plan_row_triggers(GuardPlan *plan)
{
	bool		forbid_delete = plan->values[RULE_KEY] != NULL;
	bool		history = plan->values[RULE_HISTORY] != NULL;
	bool		partitioned = is_partitioned(plan->table);

	AddTrigger(plan,
			   .function = PROTECT_TRIGGER,
			   .base = "port_pin_protect",
			   .type = AFTER_ROW | TRIGGER_TYPE_UPDATE,
			   .condition = update_condition(plan),
			   .arguments = PlanArguments(GUARD_PROTECT, plan->values),
			   .lack = "no trigger AFTER UPDATE: the PIN can be cleared");
	if (plan->pin != InvalidAttrNumber && (forbid_delete || partitioned || history))
		AddTrigger(plan,
				   .function = PROTECT_TRIGGER,
				   .base = "port_pin_protect",
				   .suffix = "delete",
				   .type = AFTER_ROW | TRIGGER_TYPE_DELETE,
				   .arguments = pin_argument(plan),
				   .lack = forbid_delete ?
				   "no trigger AFTER DELETE, though deletes are forbidden: a row with a PIN can be deleted" :
				   history ?
				   "no trigger AFTER DELETE, though history is kept: a row with a PIN can be deleted unseen" :
				   "no trigger AFTER DELETE follows row movement: the PIN can be lost on the way to another partition");
	if (plan->pin != InvalidAttrNumber && (watches_digits(plan) || partitioned))
		AddTrigger(plan,
				   .function = PROTECT_TRIGGER,
				   .base = "port_pin_protect",
				   .suffix = "insert",
				   .type = AFTER_ROW | TRIGGER_TYPE_INSERT,
				   .arguments = pin_argument(plan),
				   .lack = history ?
				   "no trigger AFTER INSERT, though history is kept: a PIN can be set unseen" :
				   partitioned ?
				   "no trigger AFTER INSERT follows row movement: the PIN can be lost on the way to another partition" :
				   "no trigger AFTER INSERT: the rules for new PINs don't hold for new rows");
	if (StampsRows(plan->values))
		plan_stamp(plan);
	if (forbid_delete || history)
		plan_truncate(plan);
}


/* ----- CHECKs and sealing ----- */

static void
add_check(GuardPlan *plan, const char *function, char *name, bool validate,
		  const char *lack)
{
	PlannedCheck *check = palloc0(sizeof(PlannedCheck));

	check->function = function;
	check->column = plan->pin;
	check->name = name;
	check->validate = validate;
	check->lack = lack;
	plan->checks = lappend(plan->checks, check);
}

/*
 * When the trigger must look at an UPDATE: when the PIN changes, and when it is not
 * sealed yet.  On a partitioned table always, for the sake of rows that move.
 */
static char *
seal_condition(const GuardPlan *plan)
{
	char	   *changed = ColumnsDiffer(plan->table, 1, &plan->pin);

	if (is_partitioned(plan->table) || changed == NULL)
		return NULL;
	return psprintf("%s OR NOT %s(NEW.%s::pg_catalog.text)", changed,
					QualifiedName("port_pin_is_sealed", plan->domain),
					quote_identifier(ColumnName(plan->table, plan->pin)));
}

static void
plan_seal(GuardPlan *plan)
{
	AddTrigger(plan,
			   .function = SEAL_TRIGGER,
			   .base = "port_pin_seal",
			   .type = BEFORE_ROW | TRIGGER_TYPE_INSERT,
			   .arguments = pin_argument(plan),
			   .lack = "no trigger BEFORE INSERT: digits are not sealed, and a sealed PIN can be copied from another account");
	AddTrigger(plan,
			   .function = SEAL_TRIGGER,
			   .base = "port_pin_seal",
			   .suffix = "update",
			   .type = BEFORE_ROW | TRIGGER_TYPE_UPDATE,
			   .condition = seal_condition(plan),
			   .arguments = pin_argument(plan),
			   .lack = "no trigger BEFORE UPDATE: digits are not sealed, and a sealed PIN can be copied from another account");
	add_check(plan, "port_pin_check_sealed",
			  makeObjectName(ColumnName(plan->table, plan->pin), NULL, "is_sealed"), true,
			  "no CHECK (port_pin_check_sealed(...)): digits that get past the triggers are stored readable");
}

/* Columns that the rules name must exist, with a type that the gate can read. */
static void
check_rule_columns(Relation table, char **rules)
{
	for (int rule = 0; rule < NUM_ACCOUNT_RULES; rule++)
	{
		if (OidIsValid(account_rules[rule].type))
			(void) RuleColumn(table, rules, rule);
	}
	(void) FindColumns(table, OptionColumns(rules[RULE_UNLIKE]));
}

/* What these rules ask for on this table.  It must stay open while the plan is used. */
void
PlanProtect(Relation table, char **rules, Oid domain, GuardPlan *plan)
{
	if (rules[RULE_PIN] != NULL)
		(void) FindPinColumn(table, OptionColumn(rules[RULE_PIN]), domain);
	check_rule_columns(table, rules);
	IdentifyGuard(GUARD_PROTECT, table, rules, domain, plan);
	if (plan->sealed)
		plan_seal(plan);
	plan_row_triggers(plan);
	if (rules[RULE_CHECK_FORMAT] != NULL)
		add_check(plan, "port_pin_check_format", pstrdup("port_pin_format"), false,
				  "no CHECK (port_pin_check_format(...)), though the guard was installed with check_format: values that are not port PINs can be stored");
}
