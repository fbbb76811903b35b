/*
 * install_gate.c
 *		port_pin_gate() and port_pin_ungate(): let port orders into a table only with
 *		the PIN.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "lib/stringinfo.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"

#include "base/catalog.h"
#include "ddl/install.h"
#include "table/column.h"
#include "table/triggers.h"

PG_FUNCTION_INFO_V1(port_pin_gate);
PG_FUNCTION_INFO_V1(port_pin_ungate);


/* ----- What is asked of the orders ----- */

/* SET DEFAULT gives an order to an account that nobody chose. */
static void
check_actions(Relation orders, const Gate *gate)
{
	for (int i = 0; i < gate->path.nsteps; i++)
	{
		const ForeignKey *key = &gate->path.steps[i].key;

		if (key->on_update == FKCONSTR_ACTION_SETDEFAULT ||
			key->on_delete == FKCONSTR_ACTION_SETDEFAULT)
			ereport(ERROR,
					errcode(ERRCODE_INVALID_FOREIGN_KEY),
					errmsg("a foreign key with SET DEFAULT can't lead to a port PIN"),
					errhint("Use CASCADE, SET NULL, RESTRICT or NO ACTION."),
					errtable(orders));
	}
}

/*
 * Two gates that change orders would write the same verdict, and one that redacts
 * takes the PIN from the other gates.
 */
static void
check_other_gates(const GuardPlan *plan, const Gate *gate)
{
	List	   *own = GuardTriggers(plan, plan->table);
	ListCell   *lc;

	foreach(lc, CopyTriggers(plan->table, PortPinTrigger(GATE_TRIGGER, plan->domain)))
	{
		const Trigger *other = lfirst(lc);
		char	   *options[NUM_GATE_OPTIONS];

		if (TriggerIsAmong(other, own))
			continue;
		ReadOptions(other, gate_options, NUM_GATE_OPTIONS, options);
		if (ChangesOrders(gate) && TRIGGER_FOR_BEFORE(other->tgtype))
			ereport(ERROR,
					errcode(ERRCODE_DUPLICATE_OBJECT),
					errmsg("table \"%s\" already has a gate that records verdicts or redacts: trigger \"%s\"",
						   RelationGetRelationName(plan->table), other->tgname),
					errhint("A table can have one; another gate may refuse orders instead."),
					errtableconstraint(plan->table, other->tgname));
		if ((gate->redact || options[GATE_REDACT] != NULL) &&
			FindPinColumn(plan->table, OptionColumn(options[GATE_PIN]),
						  plan->domain) == gate->pin)
			ereport(ERROR,
					errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("a gate that redacts can't share its PIN with another: trigger \"%s\"",
						   other->tgname),
					errdetail("One of them would judge orders whose PIN the other has taken away."),
					errhint("Let both gates do without redact, or give each a PIN column of its own."),
					errtableconstraint(plan->table, other->tgname));
	}
}

/* A gate that changes orders must be the last BEFORE trigger, in each partition. */
static void
check_fires_last(const GuardPlan *plan)
{
	const PlannedTrigger *trigger = linitial(plan->triggers);
	ListCell   *lc;

	foreach(lc, find_all_inheritors(RelationGetRelid(plan->table), AccessShareLock, NULL))
	{
		Relation	table = table_open(lfirst_oid(lc), NoLock);

		CheckGateFiresLast(table, trigger->name, plan->domain, false);
		table_close(table, NoLock);
	}
}


/* ----- port_pin_gate ----- */

/* Write down what was found, so that nothing needs to be found again. */
static void
complete_options(Relation orders, const Gate *gate, char **options)
{
	const AccountPath *path = &gate->path;
	const ForeignKey *key = &path->steps[0].key;
	StringInfoData guarded;

	options[GATE_FK] = ColumnList(ColumnNames(orders, key->nkeys, key->from));
	options[GATE_PIN] = ColumnList(list_make1(ColumnName(orders, gate->pin)));
	initStringInfo(&guarded);
	for (int i = 0; i < path->nsteps; i++)
	{
		if (path->steps[i].guarded)
			appendStringInfo(&guarded, "%s%s", guarded.len > 0 ? "," : "",
							 STEP_NAME(path, i));
	}
	options[GATE_GUARDED] = guarded.data;
}

/*
 * Find the gate, write its options down and find it again by those: what the trigger
 * would not find must not be installed.  Then plan it and write its statements.
 */
static void
write_gate(Relation orders, char **options, bool replace, Oid domain,
		   GuardPlan *plan, Script *script)
{
	Gate		gate;

	FindGate(orders, options, domain, &gate);
	complete_options(orders, &gate, options);
	FindGate(orders, options, domain, &gate);
	check_actions(orders, &gate);
	PlanGate(orders, options, &gate, domain, plan);
	check_other_gates(plan, &gate);
	WriteInstallation(plan, replace, script);
	if (ChangesOrders(&gate))
		check_fires_last(plan);
}

/*
 * The application's triggers may lock the account or use up its PIN: here, too
 * early.
 */
static void
note_early_triggers(const GuardPlan *plan)
{
	char	   *early = EarlyTriggers(plan, plan->table);

	if (early != NULL)
		ereport(NOTICE,
				errmsg("triggers of table \"%s\" fire before the gate: %s",
					   RelationGetRelationName(plan->table), early),
				errhint("If one of them locks the account or uses up its PIN, give it a name that begins with a lower-case letter: triggers fire in the order of their names."));
}

/*
 * port_pin_gate(orders regclass, fk text, via text, pin text, scope text,
 *				 source text, verdict text, redact boolean, account_pin text,
 *				 replace boolean, OUT statement text)
 *		returns setof text
 *
 * Installs port_pin_gate_trigger() on a table; the arguments are the trigger's.
 * 42710 where orders with this key are gated already, unless the gate is to be
 * replaced; 55000 where no guard speaks for a PIN on the way.
 */
Datum
port_pin_gate(PG_FUNCTION_ARGS)
{
	GuardPlan	plan;
	Script		script;
	Relation	orders = PrepareInstallation(fcinfo, GUARD_GATE, write_gate, &plan, &script);

	note_early_triggers(&plan);
	relation_close(orders, NoLock);
	RunScript(&script, fcinfo);
	return (Datum) 0;
}


/* ----- port_pin_ungate ----- */

/*
 * port_pin_ungate(orders regclass, fk text, if_exists boolean, OUT statement text)
 *		returns setof text
 *
 * Removes a gate.  42704 where there is none.
 */
Datum
port_pin_ungate(PG_FUNCTION_ARGS)
{
	RemoveGuard(fcinfo, GUARD_GATE, NULL);
	return (Datum) 0;
}
