/*
 * plan.c
 *		What a guard consists of: the triggers and CHECKs that its options ask for.
 */
#include "postgres.h"

#include "ddl/plan.h"

#include "catalog/pg_trigger.h"
#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "nodes/primnodes.h"
#include "nodes/value.h"
#include "parser/parse_oper.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "table/column.h"
#include "table/triggers.h"
#include "trigger/seal_trigger.h"
#include "trigger/stamp.h"

const GuardKindInfo guard_kinds[] = {
	[GUARD_PROTECT] = {
		"port_pin_protect", account_rules, NUM_ACCOUNT_RULES,
		{PROTECT_TRIGGER, SEAL_TRIGGER}
	},
	[GUARD_GATE] = {
		"port_pin_gate", gate_options, NUM_GATE_OPTIONS,
		{GATE_TRIGGER, USED_TRIGGER}
	},
};

char *
QualifiedTable(Relation table)
{
	char	   *schema = get_namespace_name_or_temp(RelationGetNamespace(table));

	return quote_qualified_identifier(schema, RelationGetRelationName(table));
}


/* ----- Writing a plan ----- */

/* Begin a plan: enough to remove the guard, even if the column of its PIN is gone. */
void
IdentifyGuard(GuardKind kind, Relation table, char **values, Oid domain, GuardPlan *plan)
{
	const char *pin = kind == GUARD_PROTECT ? OptionColumn(values[RULE_PIN]) : NULL;

	memset(plan, 0, sizeof(GuardPlan));
	plan->kind = kind;
	plan->table = table;
	plan->domain = domain;
	plan->values = values;
	if (pin != NULL)
		plan->pin = get_attnum(RelationGetRelid(table), pin);
	plan->sealed = plan->pin != InvalidAttrNumber &&
		ColumnIsSealed(table, plan->pin, domain);
}

void
AddPlannedTrigger(GuardPlan *plan, PlannedTrigger trigger)
{
	PlannedTrigger *copy = palloc(sizeof(PlannedTrigger));

	*copy = trigger;
	if (!OidIsValid(copy->table))
		copy->table = RelationGetRelid(plan->table);
	plan->triggers = lappend(plan->triggers, copy);
}

/* The options that are given, as the literals of a trigger's arguments. */
char *
PlanArguments(GuardKind kind, char **values)
{
	const GuardKindInfo *info = &guard_kinds[kind];
	StringInfoData arguments;

	initStringInfo(&arguments);
	for (int i = 0; i < info->noptions; i++)
	{
		if (values[i] != NULL)
			appendStringInfo(&arguments, "%s%s", arguments.len > 0 ? ", " : "",
							 quote_literal_cstr(psprintf("%s=%s", info->options[i].name,
														 values[i])));
	}
	return arguments.data;
}

/*
 * Is = of pg_catalog the equality of this type?  A type of an extension has its own,
 * and an implicit cast can make the choice ambiguous.
 */
static bool
equals_by_catalog(Oid type)
{
	Operator	equal = oper(NULL, list_make2(makeString("pg_catalog"), makeString("=")),
							 type, type, true, -1);
	bool		same = HeapTupleIsValid(equal) &&
	oprid(equal) == lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr;

	if (HeapTupleIsValid(equal))
		ReleaseSysCache(equal);
	return same;
}

/*
 * Can a condition compare this column?  Only with = of pg_catalog: IS DISTINCT FROM
 * is restored by name, with the search_path of the restore.  And not if its
 * collation treats different strings as equal: they may be the keys of two accounts.
 */
static bool
is_comparable(Relation rel, AttrNumber column)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), column - 1);
	Oid			collation = attribute->attcollation;

	return equals_by_catalog(attribute->atttypid) &&
		(!OidIsValid(collation) || get_collation_isdeterministic(collation));
}

/* The condition that one of these columns changes; NULL if that can't be written. */
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


/* ----- What is there already ----- */

/* Do two lists name the same columns, in any order? */
bool
SameNames(List *a, List *b)
{
	ListCell   *lc;

	if (list_length(a) != list_length(b))
		return false;
	foreach(lc, a)
	{
		ListCell   *other;
		bool		found = false;

		foreach(other, b)
			found |= strcmp(lfirst(lc), lfirst(other)) == 0;
		if (!found)
			return false;
	}
	return true;
}

static bool
columns_exist(Relation table, List *names)
{
	ListCell   *lc;

	foreach(lc, names)
	{
		if (get_attnum(RelationGetRelid(table), lfirst(lc)) == InvalidAttrNumber)
			return false;
	}
	return true;
}

/* The triggers of all guards of a kind on a table. */
List *
KindTriggers(Relation table, GuardKind kind, Oid domain)
{
	const GuardKindInfo *info = &guard_kinds[kind];
	List	   *found = NIL;

	for (Size i = 0; i < lengthof(info->functions); i++)
	{
		ListCell   *lc;

		foreach(lc, CopyTriggers(table, PortPinTrigger(info->functions[i], domain)))
		{
			if (!((Trigger *) lfirst(lc))->tgisclone)
				found = lappend(found, lfirst(lc));
		}
	}
	return found;
}

/* Does a trigger name exactly the columns that the plan is for? */
static bool
names_same_columns(const GuardPlan *plan, const Trigger *trigger)
{
	List	   *names = TriggerColumns(trigger, &guard_kinds[plan->kind].options[0]);

	return names != NIL && SameNames(names, OptionColumns(plan->values[0]));
}

/* Is there a guard of exactly these columns? */
static bool
guard_is_there(const GuardPlan *plan)
{
	ListCell   *lc;

	foreach(lc, KindTriggers(plan->table, plan->kind, plan->domain))
	{
		if (names_same_columns(plan, lfirst(lc)))
			return true;
	}
	return false;
}

/*
 * The triggers on a table that are part of the planned guard.  They name the same
 * columns, or none: a guard of a PIN takes over that of a lock alone.  If no trigger
 * names these columns, those that name columns which are gone belong to the guard,
 * too.
 */
List *
GuardTriggers(const GuardPlan *plan, Relation table)
{
	bool		there = guard_is_there(plan);
	List	   *found = NIL;
	ListCell   *lc;

	foreach(lc, KindTriggers(table, plan->kind, plan->domain))
	{
		List	   *names = TriggerColumns(lfirst(lc), &guard_kinds[plan->kind].options[0]);

		if (names == NIL || names_same_columns(plan, lfirst(lc)) ||
			(!there && !columns_exist(table, names)))
			found = lappend(found, lfirst(lc));
	}
	return found;
}

bool
TriggerIsAmong(const Trigger *trigger, List *triggers)
{
	ListCell   *lc;

	foreach(lc, triggers)
	{
		if (((Trigger *) lfirst(lc))->tgoid == trigger->tgoid)
			return true;
	}
	return false;
}

/* Does a trigger do what is planned, and perhaps more? */
bool
CoversTrigger(const Trigger *trigger, const PlannedTrigger *planned)
{
	const int16 when = TRIGGER_TYPE_ROW | TRIGGER_TYPE_TIMING_MASK;

	return (trigger->tgtype & when) == (planned->type & when) &&
		(trigger->tgtype & planned->type) == planned->type;
}

/* Does this expression call a function for this column, and do no more? */
static bool
calls_for_column(Node *expression, Oid function, AttrNumber column)
{
	Node	   *argument;

	if (!IsA(expression, FuncExpr) || ((FuncExpr *) expression)->funcid != function)
		return false;
	argument = linitial(((FuncExpr *) expression)->args);
	while (IsA(argument, RelabelType))
		argument = (Node *) ((RelabelType *) argument)->arg;
	return IsA(argument, Var) && ((Var *) argument)->varattno == column;
}

/*
 * Does a trigger fire for rows that are inserted or updated?  A clone is looked at
 * on its partitioned table.
 */
static bool
fires_for_rows(const Trigger *trigger)
{
	return TRIGGER_FOR_ROW(trigger->tgtype) &&
		(TRIGGER_FOR_INSERT(trigger->tgtype) || TRIGGER_FOR_UPDATE(trigger->tgtype)) &&
		TriggerFiresOnOrigin(trigger) && !trigger->tgisclone;
}

static void
append_name(StringInfo names, const Trigger *trigger)
{
	appendStringInfo(names, "%s\"%s\"", names->len > 0 ? ", " : "", trigger->tgname);
}

/*
 * The other triggers that fire for a row before an AFTER gate does, and can change
 * its account; NULL if there are none.  Constraint triggers only look.
 */
char *
EarlyTriggers(const GuardPlan *plan, Relation table)
{
	const PlannedTrigger *gate = linitial(plan->triggers);
	const char *name = gate->name != NULL ? gate->name : gate->base;
	bool		after = plan->kind == GUARD_GATE && TRIGGER_FOR_AFTER(gate->type);
	StringInfoData names;
	ListCell   *lc;

	initStringInfo(&names);
	foreach(lc, after ? CopyTriggers(table, InvalidOid) : NIL)
	{
		const Trigger *trigger = lfirst(lc);

		if (TRIGGER_FOR_AFTER(trigger->tgtype) && fires_for_rows(trigger) &&
			!trigger->tgisinternal && !OidIsValid(trigger->tgconstraint) &&
			trigger->tgfoid != PortPinTrigger(gate->function, plan->domain) &&
			strcmp(trigger->tgname, name) < 0)
			append_name(&names, trigger);
	}
	return names.len > 0 ? names.data : NULL;
}

/* The name of the trigger that stamps rows; NULL if none does. */
static const char *
stamping_trigger(const GuardPlan *plan)
{
	ListCell   *lc;

	if (plan->kind != GUARD_PROTECT || !StampsRows(plan->values))
		return NULL;
	foreach(lc, plan->triggers)
	{
		const PlannedTrigger *planned = lfirst(lc);

		if (strcmp(planned->base, STAMP_TRIGGER_BASE) == 0)
			return planned->name;
	}
	return NULL;
}

/*
 * The other triggers that fire for a row later than the one that stamps it, and can
 * change what it wrote; NULL if there are none, or nothing is stamped.
 */
char *
LateTriggers(const GuardPlan *plan, Relation table)
{
	const char *stamp = stamping_trigger(plan);
	StringInfoData names;
	ListCell   *lc;

	initStringInfo(&names);
	foreach(lc, stamp == NULL ? NIL : CopyTriggers(table, InvalidOid))
	{
		const Trigger *trigger = lfirst(lc);

		if (TRIGGER_FOR_BEFORE(trigger->tgtype) && fires_for_rows(trigger) &&
			trigger->tgfoid != PortPinTrigger(PROTECT_TRIGGER, plan->domain) &&
			strcmp(trigger->tgname, stamp) > 0)
			append_name(&names, trigger);
	}
	return names.len > 0 ? names.data : NULL;
}

/* A CHECK that calls a function of portpin for a column, and if alone, does no more. */
static char *
find_check(Relation table, Oid function, AttrNumber column, bool alone, bool *valid)
{
	const TupleConstr *constraints = RelationGetDescr(table)->constr;

	for (int i = 0; constraints != NULL && i < constraints->num_check; i++)
	{
		const ConstrCheck *check = &constraints->check[i];
		char	   *name = pstrdup(check->ccname);
		bool		is_valid = check->ccvalid;
		List	   *parts = CheckIsEnforced(check) ?
		make_ands_implicit(stringToNode(check->ccbin)) : NIL;
		ListCell   *lc;

		foreach(lc, parts)
		{
			if (calls_for_column(lfirst(lc), function, column) &&
				(!alone || list_length(parts) == 1))
			{
				*valid = is_valid;
				return name;
			}
		}
	}
	return NULL;
}

/* The CHECK that calls a function of portpin for a column; NULL if there is none. */
char *
FindCheck(Relation table, Oid function, AttrNumber column, bool *valid)
{
	return find_check(table, function, column, false, valid);
}

/* The same, but one that does no more, so that an installer may have made it. */
char *
FindOwnCheck(Relation table, Oid function, AttrNumber column)
{
	bool		valid;

	return find_check(table, function, column, true, &valid);
}


/* ----- The call that makes a guard ----- */

/* The call that makes a guard with these options, or takes the place of one. */
char *
GuardDefinition(GuardKind kind, Relation table, char **values, Oid domain)
{
	const GuardKindInfo *info = &guard_kinds[kind];
	StringInfoData call;

	initStringInfo(&call);
	appendStringInfo(&call, "SELECT %s(%s", QualifiedName(info->installer, domain),
					 quote_literal_cstr(QualifiedTable(table)));
	for (int i = 0; i < info->noptions; i++)
	{
		const GuardOption *option = &info->options[i];

		if (values[i] == NULL || option->parameter == NULL)
			continue;
		appendStringInfo(&call, ", %s => ", option->parameter);
		if (option->kind == OPTION_SWITCH || option->kind == OPTION_KEY)
			appendStringInfoString(&call, "true");
		else if (option->kind == OPTION_INTERVAL)
			appendStringInfoString(&call, quote_literal_cstr(values[i]));
		else
			appendStringInfoString(&call,
								   quote_literal_cstr(ColumnArgument(OptionColumns(values[i]))));
	}
	appendStringInfoString(&call, ", replace => true);");
	return call.data;
}
