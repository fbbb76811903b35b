/*
 * plan_gate.c
 *		The parts of a gate.
 *
 * A gate that refuses is one AFTER trigger for each event, and on a partitioned
 * table one more that follows row movement.  Their names begin with an underscore,
 * so that they fire before triggers of the application, which may lock the account
 * or use up its PIN.  A gate that records verdicts or redacts is one BEFORE trigger,
 * the last of them; where accounts note that a PIN was used, there is an AFTER
 * trigger beside it, since only that knows which orders are stored.
 */
#include "postgres.h"

#include "ddl/plan.h"

#include "catalog/pg_trigger.h"
#include "utils/builtins.h"

#include "table/column.h"

/* When an UPDATE may need judging: on a new key, a new PIN, or entry into scope. */
static char *
update_condition(Relation orders, const Gate *gate)
{
	const ForeignKey *key = &gate->path.steps[0].key;
	char	   *condition = ColumnsDiffer(orders, key->nkeys, key->from);
	char	   *pin = ColumnsDiffer(orders, 1, &gate->pin);

	if (condition == NULL || pin == NULL)
		return NULL;
	condition = psprintf("%s OR %s", condition, pin);
	if (gate->scope != InvalidAttrNumber)
	{
		const char *scope = quote_identifier(ColumnName(orders, gate->scope));

		condition = psprintf("%s OR OLD.%s IS FALSE AND NEW.%s IS NOT FALSE",
							 condition, scope, scope);
	}
	return condition;
}

static void
plan_refusing_triggers(GuardPlan *plan, const Gate *gate, char *arguments)
{
	AddTrigger(plan,
			   .function = GATE_TRIGGER,
			   .base = "_port_pin_gate",
			   .type = TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT,
			   .arguments = arguments,
			   .lack = "no trigger for INSERT: new orders are not judged");
	AddTrigger(plan,
			   .function = GATE_TRIGGER,
			   .base = "_port_pin_gate",
			   .suffix = "update",
			   .type = TRIGGER_TYPE_ROW | TRIGGER_TYPE_UPDATE,
			   .condition = update_condition(plan->table, gate),
			   .arguments = arguments,
			   .lack = "no trigger for UPDATE: an order can be given another key or PIN unjudged");
	if (plan->table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		AddTrigger(plan,
				   .function = GATE_TRIGGER,
				   .base = "_port_pin_gate",
				   .suffix = "move",
				   .type = TRIGGER_TYPE_ROW | TRIGGER_TYPE_DELETE,
				   .arguments = arguments,
				   .lack = "no trigger AFTER DELETE follows row movement: an order that moves to another partition is judged again");
}

static void
plan_changing_triggers(GuardPlan *plan, const Gate *gate, char *arguments)
{
	bool		partitioned = plan->table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;

	AddTrigger(plan,
			   .function = GATE_TRIGGER,
			   .base = "zz_port_pin_gate",
			   .type = TRIGGER_TYPE_ROW | TRIGGER_TYPE_BEFORE |
			   TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE,
			   .arguments = arguments,
			   .lack = "no trigger for INSERT and UPDATE: orders are not judged");
	if (gate->path.notes_use)
		AddTrigger(plan,
				   .function = USED_TRIGGER,
				   .base = "_port_pin_gate",
				   .suffix = "used",
				   .type = TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE |
				   (partitioned ? TRIGGER_TYPE_DELETE : 0),
				   .arguments = arguments,
				   .lack = "no trigger AFTER INSERT OR UPDATE notes that PINs are used: orders are refused");
}

/* What a gate that was found by these options consists of. */
void
PlanGate(Relation orders, char **options, const Gate *gate, Oid domain, GuardPlan *plan)
{
	char	   *arguments = PlanArguments(GUARD_GATE, options);

	IdentifyGuard(GUARD_GATE, orders, options, domain, plan);
	if (ChangesOrders(gate))
		plan_changing_triggers(plan, gate, arguments);
	else
		plan_refusing_triggers(plan, gate, arguments);
}
