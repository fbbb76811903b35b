/*
 * gate_trigger.c
 *		Trigger: no port order gets in without the PIN of the account that it
 *		would move.
 *
 * gate.c finds the gate, order.c judges the order; here is what comes of it.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "base/error.h"
#include "pin/check.h"
#include "table/column.h"
#include "table/row_movement.h"
#include "trigger/argument.h"
#include "trigger/gate.h"
#include "trigger/gate_cache.h"
#include "trigger/order.h"

PG_FUNCTION_INFO_V1(port_pin_gate_trigger);

/* The gate of this trigger, which is found again when the catalogs have changed. */
static Gate *
gate_of(FunctionCallInfo fcinfo, TriggerData *trigdata)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	GateLoan   *loan = flinfo->fn_extra;

	if (loan == NULL)
		loan = flinfo->fn_extra = LendGate(trigdata->tg_trigger->tgoid,
										   flinfo->fn_mcxt);
	if (loan->gate == NULL || loan->gate->generation != CatalogGeneration())
		KeepGate(loan, FindGateOfTrigger(fcinfo, trigdata));
	return loan->gate;
}


static void
refuse(TriggerData *trigdata, PortVerdict verdict)
{
	ereport_without_context(errcode(VerdictSqlstate(verdict)),
					errmsg("%s", VerdictMessage(verdict)),
					errhint("%s", VerdictHint(verdict)),
					errtableconstraint(trigdata->tg_relation,
									   trigdata->tg_trigger->tgname));
}

/* The verdict that an order is stored with: of now, or of before, or none. */
static Datum
recorded_verdict(TriggerData *trigdata, const Gate *gate, TupleTableSlot *old,
				 bool scoped, bool judged, PortVerdict verdict, bool *isnull)
{
	Form_pg_attribute attribute =
		TupleDescAttr(RelationGetDescr(trigdata->tg_relation), gate->verdict - 1);

	*isnull = !scoped;
	if (judged)
		return ObjectIdGetDatum(VerdictValue(attribute->atttypid, verdict));
	return scoped ? slot_getattr(old, gate->verdict, isnull) : (Datum) 0;
}

/* Blank as the column can hold it: '' where a legacy column is NOT NULL. */
static Datum
blank_pin(Relation orders, AttrNumber column, bool *isnull)
{
	Form_pg_attribute attribute =
		TupleDescAttr(RelationGetDescr(orders), column - 1);

	*isnull = !attribute->attnotnull;
	return *isnull ? (Datum) 0 : CStringGetTextDatum("");
}

/* BEFORE: write the verdict into the row and take the PIN out of it. */
static HeapTuple
change_order(TriggerData *trigdata, Gate *gate, TupleTableSlot *old,
			 HeapTuple order, bool scoped, bool judged, PortVerdict verdict)
{
	Relation	orders = trigdata->tg_relation;
	int			columns[2];
	Datum		values[2];
	bool		nulls[2];
	int			changed = 0;

	if (gate->verdict != InvalidAttrNumber)
	{
		columns[changed] = gate->verdict;
		values[changed] = recorded_verdict(trigdata, gate, old, scoped, judged,
										   verdict, &nulls[changed]);
		changed++;
	}
	if (gate->redact && judged)
	{
		columns[changed] = gate->pin;
		values[changed] = blank_pin(orders, gate->pin, &nulls[changed]);
		CheckColumnAllows(orders, gate->pin, values[changed], nulls[changed]);
		changed++;
	}
	return heap_modify_tuple_by_cols(order, RelationGetDescr(orders), changed,
									 columns, values, nulls);
}

/* The order before an UPDATE or a move between partitions; NULL if it is new. */
static TupleTableSlot *
order_before(TriggerData *trigdata)
{
	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		return trigdata->tg_trigslot;
	return TRIGGER_FIRED_AFTER(trigdata->tg_event) ?
		RecallRowMovement(trigdata) : RecallExpectedRowMovement(trigdata);
}

/* The trigger itself: what it changes or refuses, but not what an error shows. */
static Datum
pass_gate(FunctionCallInfo fcinfo)
{
	TriggerData *trigdata = CheckTriggerCall(fcinfo, GATE_TRIGGER);
	bool		update = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event);
	Gate	   *gate;
	TupleTableSlot *old;
	TupleTableSlot *new;
	HeapTuple	order;
	bool		scoped;
	bool		judged;
	PortVerdict verdict = PORT_ACCEPTED;

	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
	{
		CheckGateAttachment(trigdata);
		RememberRowMovement(trigdata);
		return PointerGetDatum(NULL);
	}

	gate = gate_of(fcinfo, trigdata);
	old = order_before(trigdata);
	new = update ? trigdata->tg_newslot : trigdata->tg_trigslot;
	order = update ? trigdata->tg_newtuple : trigdata->tg_trigtuple;

	gate->in_use = true;
	scoped = OrderInScope(trigdata, gate, new);
	judged = scoped && OrderNeedsJudging(trigdata, gate, old, new);
	if (judged)
		verdict = JudgeOrder(gate, trigdata->tg_relation, new);
	gate->in_use = false;
	if (verdict != PORT_ACCEPTED && gate->verdict == InvalidAttrNumber)
		refuse(trigdata, verdict);

	if (TRIGGER_FIRED_BEFORE(trigdata->tg_event))
	{
		order = change_order(trigdata, gate, old, order, scoped, judged, verdict);
		if (update)
			ExpectRowMovement(fcinfo, order);
	}
	if (old != NULL && old != trigdata->tg_trigslot)
		FreeMovedRow(old);
	return PointerGetDatum(order);
}

/*
 * port_pin_gate_trigger() returns trigger
 *
 * Arguments: pin=, the order's PIN; fk=, its key to the account, or with via= to
 * the number whose key via= leads to the account; account_pin= and number_pin=,
 * their PINs, and overrides=no if numbers have none; scope=, lock= and expires=,
 * columns, the latter two with number_ and account_ before them on just one of the
 * two tables; unset=refuse or allow;
 * verdict=, a column; redact=yes or no.  What is not given is found by the domain
 * port_pin and by foreign keys, or refused.
 * 23PN1 to 23PNA for refused orders, 39P01 where it is attached wrongly.
 */
Datum
port_pin_gate_trigger(PG_FUNCTION_ARGS)
{
	ErrorContextCallback *context = error_context_stack;
	Datum		result;

	/* Waiting for a lock can fail, too, and COPY would show the row that it is at. */
	error_context_stack = NULL;
	result = pass_gate(fcinfo);
	error_context_stack = context;
	return result;
}
