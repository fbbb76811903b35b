/*
 * gate_trigger.c
 *		Trigger: no port order gets in without the PIN of the account that it
 *		would move.
 *
 * gate.c finds the gate, order.c judges the order; this file acts on the verdict.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/error.h"
#include "pin/check.h"
#include "table/column.h"
#include "table/row_movement.h"
#include "trigger/gate_state.h"
#include "trigger/order.h"
#include "trigger/trigger_call.h"

PG_FUNCTION_INFO_V1(port_pin_gate_trigger);
PG_FUNCTION_INFO_V1(port_pin_used_trigger);

/* What is to be done with an order. */
typedef struct Decision
{
	bool		keeps_verdict;	/* it is in scope, and nothing that counts has
								 * changed */
	Judgment	judgment;		/* now, or when it was inserted */
} Decision;


/* ----- Refusing ----- */

/* May the user see the key of an order?  The rules are those of foreign key errors. */
static bool
may_see_key(Relation orders, const ForeignKey *key)
{
	Oid			relid = RelationGetRelid(orders);

	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		return false;
	if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK)
		return true;
	for (int i = 0; i < key->nkeys; i++)
	{
		if (pg_attribute_aclcheck(relid, key->from[i], GetUserId(),
								  ACL_SELECT) != ACLCHECK_OK)
			return false;
	}
	return true;
}

/* "Key (number)=(+12025550101).", as foreign keys say it; NULL if that must not be shown. */
static char *
describe_key(Relation orders, const Gate *gate, TupleTableSlot *order)
{
	const ForeignKey *key = &gate->path.steps[0].key;
	StringInfoData names;
	StringInfoData values;

	if (!may_see_key(orders, key))
		return NULL;
	initStringInfo(&names);
	initStringInfo(&values);
	for (int i = 0; i < key->nkeys; i++)
	{
		Oid			output;
		bool		varlena;
		bool		isnull;
		Datum		value = slot_getattr(order, key->from[i], &isnull);

		if (key->from[i] == gate->pin)
			return NULL;
		getTypeOutputInfo(TupleDescAttr(RelationGetDescr(orders), key->from[i] - 1)->atttypid,
						  &output, &varlena);
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "",
						 ColumnName(orders, key->from[i]));
		appendStringInfo(&values, "%s%s", i > 0 ? ", " : "",
						 isnull ? "null" : OidOutputFunctionCall(output, value));
	}
	return psprintf("Key (%s)=(%s).", names.data, values.data);
}

/* For a PIN that is too new, the hint says only from when it can be used. */
static const char *
hint_of(const Judgment *judgment)
{
	if (judgment->verdict != PORT_PIN_TOO_NEW)
		return VerdictHint(judgment->verdict);
	return psprintf("The port PIN can be used from %s on.",
					DatumGetCString(DirectFunctionCall1(timestamptz_out,
														TimestampTzGetDatum(judgment->usable_from))));
}

static void
refuse(TriggerData *trigdata, const Gate *gate, TupleTableSlot *order,
	   const Judgment *judgment)
{
	char	   *key = describe_key(trigdata->tg_relation, gate, order);

	ereport_without_context(errcode(VerdictSqlstate(judgment->verdict)),
							errmsg("%s", VerdictMessage(judgment->verdict)),
							key == NULL ? 0 : errdetail("%s", key),
							errhint("%s", hint_of(judgment)),
							errtableconstraint(trigdata->tg_relation,
											   trigdata->tg_trigger->tgname));
}

/*
 * A new order that brings a verdict is forged, or was judged elsewhere and is being
 * moved from one table to another.  Judging it again would rewrite history.
 */
static void
check_brings_no_verdict(TriggerData *trigdata, const Gate *gate, TupleTableSlot *order)
{
	if (gate->verdict == InvalidAttrNumber || slot_attisnull(order, gate->verdict))
		return;
	ereport_without_context(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
							errmsg("a new port order must not bring a verdict"),
							errdetail("Only the gate writes column \"%s\".",
									  ColumnName(trigdata->tg_relation, gate->verdict)),
							errhint("Leave the column out. To move orders that have been judged, install the gate afterwards, disable trigger \"%s\" while you move them, or set session_replication_role to replica.",
									trigdata->tg_trigger->tgname),
							errtablecol(trigdata->tg_relation, gate->verdict));
}


/* ----- Changing ----- */

/* The verdict that an order is stored with: the new one, the old one, or none. */
static Datum
recorded_verdict(TriggerData *trigdata, const Gate *gate, TupleTableSlot *old,
				 const Decision *decision, bool *isnull)
{
	Form_pg_attribute attribute =
	TupleDescAttr(RelationGetDescr(trigdata->tg_relation), gate->verdict - 1);

	*isnull = !decision->judgment.judged;
	if (decision->judgment.judged)
		return ObjectIdGetDatum(VerdictValue(attribute->atttypid, decision->judgment.verdict));
	return decision->keeps_verdict ? slot_getattr(old, gate->verdict, isnull) : (Datum) 0;
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
 * is not judged keeps its old verdict, if it was in scope and still is.
 */
static HeapTuple
change_order(TriggerData *trigdata, const Gate *gate, TupleTableSlot *old,
			 HeapTuple order, const Decision *decision)
{
	Relation	orders = trigdata->tg_relation;
	int			columns[2];
	Datum		values[2];
	bool		nulls[2];
	int			changed = 0;

	if (gate->verdict != InvalidAttrNumber)
	{
		columns[changed] = gate->verdict;
		values[changed] = recorded_verdict(trigdata, gate, old, decision,
										   &nulls[changed]);
		changed++;
	}
	if (gate->redact && decision->judgment.judged)
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

/* The UPDATE half of an upsert: does the verdict on its INSERT hold for it? */
static bool
judge_as_inserted(TriggerData *trigdata, GateState *state, TupleTableSlot *old,
				  TupleTableSlot *new, Judgment *judgment)
{
	TupleTableSlot *inserted = RecallInsertedOrder(&state->inserted,
												   trigdata->tg_relation, old);

	if (inserted == NULL)
		return false;
	judgment->judged = InsertedVerdictHolds(&state->gate, inserted, old, new);
	if (judgment->judged)
		judgment->verdict = state->inserted.verdict;
	ExecDropSingleTupleTableSlot(inserted);
	return judgment->judged;
}

static Decision
decide(TriggerData *trigdata, GateState *state, TupleTableSlot *old, TupleTableSlot *new)
{
	Decision	decision = {.judgment = {.verdict = PORT_ACCEPTED}};

	if (!OrderInScope(trigdata, &state->gate, new))
		return decision;
	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) &&
		judge_as_inserted(trigdata, state, old, new, &decision.judgment))
		return decision;
	if (OrderNeedsJudging(trigdata, state, old, new))
		decision.judgment = JudgeOrder(state, trigdata, new);
	else
		decision.keeps_verdict = true;
	return decision;
}

/* BEFORE: the row to store.  Remember it for a move, or for the UPDATE of an upsert. */
static HeapTuple
change_and_remember(FunctionCallInfo fcinfo, GateState *state, TupleTableSlot *old,
					HeapTuple order, const Decision *decision)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	HeapTuple	changed = change_order(trigdata, &state->gate, old, order, decision);

	ForgetInsertedOrder(&state->inserted);
	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		ExpectRowMovement(fcinfo, changed);
	else if (old == NULL && decision->judgment.judged)
		KeepInsertedOrder(&state->inserted, changed, decision->judgment.verdict,
						  fcinfo->flinfo->fn_mcxt);
	return changed;
}

/* Judge the row of a call, and change or refuse it. */
static HeapTuple
pass_order(FunctionCallInfo fcinfo, TriggerData *trigdata)
{
	bool		update = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event);
	HeapTuple	order = update ? trigdata->tg_newtuple : trigdata->tg_trigtuple;
	TupleTableSlot *new = update ? trigdata->tg_newslot : trigdata->tg_trigslot;
	GateState  *state = BeginGateCall(fcinfo, trigdata);
	TupleTableSlot *old = order_before(trigdata);
	Decision	decision;

	if (old == NULL)
		check_brings_no_verdict(trigdata, &state->gate, new);
	decision = decide(trigdata, state, old, new);
	if (decision.judgment.verdict != PORT_ACCEPTED &&
		state->gate.verdict == InvalidAttrNumber)
		refuse(trigdata, &state->gate, new, &decision.judgment);
	if (TRIGGER_FIRED_BEFORE(trigdata->tg_event))
		order = change_and_remember(fcinfo, state, old, order, &decision);
	if (old != NULL && old != trigdata->tg_trigslot)
		FreeMovedRow(old);
	EndGateCall(state);
	return order;
}

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
 * key via= leads to the account; pin=, the PIN that the order carries; scope=,
 * source= and verdict=, columns; redact=yes; account_pin=, where a table on the way
 * has two PINs that are guarded; guarded=number,account, the tables that had a guard
 * at install.  What is not given is found by the types of columns and by foreign
 * keys, or refused; the account's guard says what counts for the account.
 * 23PN1 to 23PNA for refused orders, 39P01 where it is attached wrongly.
 */
Datum
port_pin_gate_trigger(PG_FUNCTION_ARGS)
{
	return CallWithoutContext(fcinfo, pass_gate);
}


/* ----- Noting that a PIN was used ----- */

static bool
was_accepted(Relation orders, const Gate *gate, TupleTableSlot *order)
{
	bool		isnull;
	Datum		verdict;

	if (gate->verdict == InvalidAttrNumber)
		return true;
	verdict = slot_getattr(order, gate->verdict, &isnull);
	return !isnull && DatumGetObjectId(verdict) ==
		VerdictValue(TupleDescAttr(RelationGetDescr(orders), gate->verdict - 1)->atttypid,
					 PORT_ACCEPTED);
}

/*
 * Did the command that stored an order accept it?  Not if the gate is disabled, as
 * it is for orders that were judged elsewhere and are moved.  A PIN that is given
 * again for an accepted order, and redacted, goes unseen, which does no harm.
 */
static bool
is_newly_accepted(TriggerData *trigdata, GateState *state, TupleTableSlot *old,
				  TupleTableSlot *new)
{
	const Gate *gate = &state->gate;

	if (gate->off || !OrderInScope(trigdata, gate, new) ||
		!was_accepted(trigdata->tg_relation, gate, new))
		return false;
	return OrderNeedsJudging(trigdata, state, old, new) ||
		!was_accepted(trigdata->tg_relation, gate, old);
}

static Datum
note_use(FunctionCallInfo fcinfo)
{
	TriggerData *trigdata = CheckTriggerCall(fcinfo, USED_TRIGGER);
	TupleTableSlot *new = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
	trigdata->tg_newslot : trigdata->tg_trigslot;
	GateState  *state;
	TupleTableSlot *old;

	CheckUsedAttachment(trigdata);
	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
	{
		RememberRowMovement(trigdata);
		return PointerGetDatum(NULL);
	}
	state = BeginGateCall(fcinfo, trigdata);
	old = order_before(trigdata);
	if (is_newly_accepted(trigdata, state, old, new))
		NoteAcceptedOrder(state, trigdata, new);
	if (old != NULL && old != trigdata->tg_trigslot)
		FreeMovedRow(old);
	EndGateCall(state);
	return PointerGetDatum(NULL);
}

/*
 * port_pin_used_trigger() returns trigger
 *
 * Stands beside a gate that fires BEFORE, with the same arguments, and notes AFTER
 * an order is stored as accepted that its PIN is used.  BEFORE, that can't be known:
 * ON CONFLICT DO NOTHING stores no order.  39P01 where it is attached wrongly.
 */
Datum
port_pin_used_trigger(PG_FUNCTION_ARGS)
{
	return CallWithoutContext(fcinfo, note_use);
}
