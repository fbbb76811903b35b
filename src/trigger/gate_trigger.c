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
#include "trigger/gate_state.h"
#include "trigger/order.h"
#include "trigger/trigger_call.h"

PG_FUNCTION_INFO_V1(port_pin_gate_trigger);

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
				 bool kept, bool judged, PortVerdict verdict, bool *isnull)
{
	Form_pg_attribute attribute =
		TupleDescAttr(RelationGetDescr(trigdata->tg_relation), gate->verdict - 1);

	*isnull = !kept;
	if (judged)
	{
		*isnull = false;
		return ObjectIdGetDatum(VerdictValue(attribute->atttypid, verdict));
	}
	return kept ? slot_getattr(old, gate->verdict, isnull) : (Datum) 0;
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

/*
 * BEFORE: write the verdict into the row and take the PIN out of it.  An order that
 * is not judged keeps the verdict of before, if it was in scope and still is.
 */
static HeapTuple
change_order(TriggerData *trigdata, const Gate *gate, TupleTableSlot *old,
			 HeapTuple order, bool kept, bool judged, PortVerdict verdict)
{
	Relation	orders = trigdata->tg_relation;
	int			columns[2];
	Datum		values[2];
	bool		nulls[2];
	int			changed = 0;

	if (gate->verdict != InvalidAttrNumber)
	{
		columns[changed] = gate->verdict;
		values[changed] = recorded_verdict(trigdata, gate, old, kept, judged,
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

/* Judge the row of a call, and change or refuse it. */
static HeapTuple
pass_order(FunctionCallInfo fcinfo, TriggerData *trigdata)
{
	bool		update = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event);
	HeapTuple	order = update ? trigdata->tg_newtuple : trigdata->tg_trigtuple;
	TupleTableSlot *new = update ? trigdata->tg_newslot : trigdata->tg_trigslot;
	GateState  *state = GetGateState(fcinfo, trigdata);
	TupleTableSlot *old = order_before(trigdata);
	PortVerdict verdict = PORT_ACCEPTED;
	bool		scoped = OrderInScope(trigdata, &state->gate, new);
	bool		needed = scoped && OrderNeedsJudging(trigdata, state, old, new);
	bool		judged = needed &&
		JudgeOrder(state, trigdata->tg_relation, new, &verdict);

	if (verdict != PORT_ACCEPTED && state->gate.verdict == InvalidAttrNumber)
		refuse(trigdata, verdict);
	if (TRIGGER_FIRED_BEFORE(trigdata->tg_event))
	{
		order = change_order(trigdata, &state->gate, old, order, scoped && !needed,
							 judged, verdict);
		if (update)
			ExpectRowMovement(fcinfo, order);
	}
	if (old != NULL && old != trigdata->tg_trigslot)
		FreeMovedRow(old);
	return order;
}

/* The trigger itself: what it changes or refuses, but not what an error shows. */
static Datum
pass_gate(FunctionCallInfo fcinfo)
{
	TriggerData *trigdata = CheckTriggerCall(fcinfo, GATE_TRIGGER);

	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
	{
		CheckGateAttachment(trigdata);
		RememberRowMovement(trigdata);
		return PointerGetDatum(NULL);
	}
	return PointerGetDatum(pass_order(fcinfo, trigdata));
}

/*
 * port_pin_gate_trigger() returns trigger
 *
 * Arguments: fk=, the order's key to the account, or with via= to the number whose
 * key via= leads to the account; pin=, the PIN that the order carries; scope= and
 * verdict=, columns; redact=yes; account_pin=, where a table on the way has two PINs
 * that are guarded; guarded=number,account, the tables that had a guard at install.
 * What is not given is found by the types of columns and by foreign keys, or refused;
 * what counts for the account is said by its guard.
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
