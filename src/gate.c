/*
 * gate.c
 *		Trigger: no port order gets in without the PIN of the account that it
 *		would move.
 *
 * AFTER ROW, so that it judges the row that is stored.  An order is judged when
 * it is new, and when an UPDATE gives it another key or PIN or brings it into
 * scope: INSERT ... ON CONFLICT DO UPDATE would walk past a gate on INSERT alone.
 * Not judged again are an order that moves to another partition, one that follows
 * its account (account.c), and one whose PIN is only blanked, so that orders need
 * not hoard PINs.
 *
 * Scope is a boolean column of the order: port-out PINs are "only used for
 * organizations in the United States".  An order is out of scope where that
 * column is false; in doubt, where it is NULL, it is judged.
 */
#include "portpin.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "utils/memutils.h"

#define GATE "port_pin_gate_trigger"

PG_FUNCTION_INFO_V1(port_pin_gate_trigger);

static const char *const gate_arguments[] = {
	"pin", "account_pin", "number_pin", "fk", "via", "scope", "lock", "expires",
	"unset", NULL
};

static TriggerData *
check_call(FunctionCallInfo fcinfo)
{
	TriggerData *trigdata = CheckTriggerCall(fcinfo, GATE);
	TriggerEvent event = trigdata->tg_event;

	if (!TRIGGER_FIRED_FOR_ROW(event))
		RefuseAttachment(GATE, "must be fired for each row",
						 "Create the trigger with FOR EACH ROW.");
	if (!TRIGGER_FIRED_AFTER(event))
		RefuseAttachment(GATE, "must be fired AFTER",
						 "A trigger that sorts behind it could change the order that was judged.");
	CheckArguments(trigdata->tg_trigger, gate_arguments);
	return trigdata;
}

static GateNames
names_from_arguments(const Trigger *trigger)
{
	GateNames	names;

	names.pin = ArgumentColumn(trigger, "pin");
	names.scope = ArgumentColumn(trigger, "scope");
	names.unset_allow = ArgumentIs(trigger, "unset", "allow", "refuse");
	names.account.fk = ArgumentColumns(trigger, "fk");
	names.account.via = ArgumentColumns(trigger, "via");
	names.account.number_pin = ArgumentColumn(trigger, "number_pin");
	names.account.account_pin = ArgumentColumn(trigger, "account_pin");
	names.account.lock = ArgumentColumn(trigger, "lock");
	names.account.expires = ArgumentColumn(trigger, "expires");
	return names;
}

/* Without the keep guard in full, "no PIN" could be a PIN that was taken away. */
static void
check_unset_allow(Gate *gate, Oid domain)
{
	for (int i = 0; i < gate->path.nhops; i++)
	{
		AccountHop *hop = &gate->path.hops[i];
		Relation	table = table_open(hop->key.referenced, AccessShareLock);

		if (hop->pin != InvalidAttrNumber &&
			!KeepsRowsInPlace(table, hop->pin, hop->key.nkeys, hop->key.to, domain))
			ereport_quietly(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
							errmsg("unset=allow needs accounts whose rows stay once they have a port PIN"),
							errhint("Protect the table with port_pin_protect(..., forbid_delete => true), its foreign-key columns being its primary key."),
							errtable(table));
		table_close(table, NoLock);
	}
}

/* Find all columns of a gate and the way to the account; refuse what is in doubt. */
void
FindGate(Relation orders, const GateNames *names, Oid domain,
		 Gate *gate, MemoryContext mcxt)
{
	gate->pin = FindPinColumn(orders, names->pin, domain, "pin=");
	gate->scope = names->scope == NULL ? InvalidAttrNumber :
		FindColumnOfType(orders, names->scope, BOOLOID);
	gate->unset_allow = names->unset_allow;
	FindAccountPath(orders, &names->account, domain, &gate->path, mcxt);
	if (gate->unset_allow)
		check_unset_allow(gate, domain);
	gate->generation = CatalogGeneration();
}

/*
 * The gate of this trigger, found once a statement: fn_extra lives as long as the
 * statement's triggers do, and is left when the catalogs have changed since.
 */
static Gate *
gate_of(FunctionCallInfo fcinfo, TriggerData *trigdata)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	Gate	   *gate = flinfo->fn_extra;
	GateNames	names;

	if (gate != NULL && gate->generation == CatalogGeneration())
		return gate;

	flinfo->fn_extra = NULL;
	gate = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(Gate));
	names = names_from_arguments(trigdata->tg_trigger);
	FindGate(trigdata->tg_relation, &names, PortPinDomain(flinfo->fn_oid),
			 gate, flinfo->fn_mcxt);
	flinfo->fn_extra = gate;
	return gate;
}

static bool
in_scope(const Gate *gate, TupleTableSlot *order)
{
	bool		isnull;
	Datum		scope;

	if (gate->scope == InvalidAttrNumber)
		return true;
	scope = slot_getattr(order, gate->scope, &isnull);
	return isnull || DatumGetBool(scope);
}

static text *
supplied_pin(const Gate *gate, TupleTableSlot *order)
{
	bool		isnull;
	Datum		value = slot_getattr(order, gate->pin, &isnull);

	return CopyPin(value, isnull);
}

static bool
carries_no_pin(const Gate *gate, TupleTableSlot *order)
{
	text	   *pin = supplied_pin(gate, order);
	bool		blank = PinIsBlank(pin);

	ForgetPin(pin);
	return blank;
}

static bool
key_changed(const Gate *gate, TupleTableSlot *old, TupleTableSlot *new)
{
	const ForeignKey *key = &gate->path.hops[0].key;

	for (int i = 0; i < key->nkeys; i++)
	{
		if (!SameColumnValue(old, new, key->from[i]))
			return true;
	}
	return false;
}

/* Is an order to be judged?  A new one (old is NULL) is, an old one for a reason. */
static bool
needs_judging(Gate *gate, TupleTableSlot *old, TupleTableSlot *new)
{
	bool		pin_changed;

	if (!in_scope(gate, new))
		return false;
	if (old == NULL || !in_scope(gate, old))
		return true;

	pin_changed = !SameColumnValue(old, new, gate->pin);
	if (key_changed(gate, old, new))
		return pin_changed || !AccountChangedKey(&gate->path, old, new);
	return pin_changed && !carries_no_pin(gate, new);
}

static PortVerdict
judge(Gate *gate, TupleTableSlot *order)
{
	PortVerdict verdict;
	Account		account;
	text	   *supplied;

	ReadAccount(&gate->path, order, &account);
	if (!account.found)
		return PORT_ACCOUNT_UNKNOWN;
	if (account.locked)
		return PORT_LOCKED;

	supplied = supplied_pin(gate, order);
	verdict = CheckPin(account.pin, supplied);
	if (verdict == PORT_PIN_NOT_SET && gate->unset_allow)
		verdict = PORT_ACCEPTED;
	else if (account.expired &&
			 (verdict == PORT_PIN_MISMATCH || verdict == PORT_ACCEPTED))
		verdict = PORT_PIN_EXPIRED;
	ForgetPin(supplied);
	ForgetPin(account.pin);
	return verdict;
}

static void
refuse(TriggerData *trigdata, PortVerdict verdict)
{
	ereport_quietly(errcode(VerdictSqlstate(verdict)),
					errmsg("%s", VerdictMessage(verdict)),
					errhint("%s", VerdictHint(verdict)),
					errtableconstraint(trigdata->tg_relation,
									   trigdata->tg_trigger->tgname));
}

/* The order before an UPDATE or a move between partitions; NULL if it is new. */
static TupleTableSlot *
order_before(TriggerData *trigdata)
{
	HeapTuple	moved;
	TupleTableSlot *slot;

	if (TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event))
		return trigdata->tg_trigslot;
	moved = RecallMove(trigdata);
	if (moved == NULL)
		return NULL;
	slot = MakeSingleTupleTableSlot(RelationGetDescr(trigdata->tg_relation),
									&TTSOpsHeapTuple);
	return ExecStoreHeapTuple(moved, slot, true);
}

/*
 * port_pin_gate_trigger() returns trigger
 *
 * Arguments: pin=, the order's PIN; fk=, its key to the account, or with via= to
 * the number whose key via= leads to the account; account_pin= and number_pin=,
 * their PINs; scope=, lock= and expires=, columns; unset=refuse or allow.  What
 * is not given is found by the domain port_pin and by foreign keys, or refused.
 * 23PN1 to 23PN7 for refused orders, 39P01 where it is attached wrongly.
 */
Datum
port_pin_gate_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = check_call(fcinfo);
	Gate	   *gate;
	TupleTableSlot *old;
	TupleTableSlot *new;
	PortVerdict verdict = PORT_ACCEPTED;

	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
	{
		RememberMove(trigdata);
		return PointerGetDatum(NULL);
	}

	gate = gate_of(fcinfo, trigdata);
	old = order_before(trigdata);
	new = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ?
		trigdata->tg_newslot : trigdata->tg_trigslot;

	if (needs_judging(gate, old, new))
		verdict = judge(gate, new);
	if (old != NULL && old != trigdata->tg_trigslot)
		ExecDropSingleTupleTableSlot(old);
	if (verdict != PORT_ACCEPTED)
		refuse(trigdata, verdict);

	return PointerGetDatum(NULL);
}
