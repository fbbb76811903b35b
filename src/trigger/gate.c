/*
 * gate.c
 *		Find a gate: its columns and the way to the account, or what is wrong.
 *
 * AFTER ROW, the gate judges the row that is stored, and refuses it with an
 * error.  BEFORE ROW it can change the row: verdict= keeps a bad order and writes
 * down why, redact=yes empties the PIN once judged.  Then it must be the last of
 * the BEFORE triggers, so that the row it judged is the row that is stored.
 */
#include "postgres.h"

#include "trigger/gate.h"

#include "access/table.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "base/error.h"
#include "table/column.h"
#include "table/foreign_key.h"
#include "trigger/account.h"
#include "trigger/argument.h"
#include "trigger/protect_trigger.h"

static const char *const gate_arguments[] = {
	"pin", "account_pin", "number_pin", "fk", "via", "scope",
	"lock", "number_lock", "account_lock",
	"expires", "number_expires", "account_expires", "overrides",
	"unset", "verdict", "redact", NULL
};


/* ----- How it is attached ----- */

static bool
changes_orders(const Trigger *trigger)
{
	return ArgumentValue(trigger, "verdict") != NULL ||
		ArgumentFlag(trigger, "redact", "yes", "no");
}

/* What the gate alone may write, a statement that it does not see could forge. */
static void
check_sees_every_order(const Trigger *trigger)
{
	if (!TRIGGER_FOR_INSERT(trigger->tgtype) || !TRIGGER_FOR_UPDATE(trigger->tgtype) ||
		TRIGGER_FOR_DELETE(trigger->tgtype))
		ReportTriggerMisuse(GATE_TRIGGER, "must be fired BEFORE INSERT OR UPDATE to record a verdict or to redact",
						 "Create one trigger for both events, and for no other.");
	if (trigger->tgqual != NULL)
		ReportTriggerMisuse(GATE_TRIGGER, "must not be attached with WHEN to record a verdict or to redact",
						 "Leave out WHEN; scope= tells which orders are judged.");
}

void
CheckGateAttachment(const TriggerData *trigdata)
{
	TriggerEvent event = trigdata->tg_event;
	bool		changes;

	if (!TRIGGER_FIRED_FOR_ROW(event))
		ReportTriggerMisuse(GATE_TRIGGER, "must be fired for each row",
						 "Create the trigger with FOR EACH ROW.");
	CheckArguments(trigdata->tg_trigger, gate_arguments);

	changes = changes_orders(trigdata->tg_trigger);
	if (!changes && !TRIGGER_FIRED_AFTER(event))
		ReportTriggerMisuse(GATE_TRIGGER, "must be fired AFTER",
						 "A BEFORE trigger is for verdict= and redact=yes only.");
	if (changes && !TRIGGER_FIRED_BEFORE(event))
		ReportTriggerMisuse(GATE_TRIGGER, "must be fired BEFORE to record a verdict or to redact",
						 "A row that has been stored can't be changed any more.");
	if (changes)
		check_sees_every_order(trigdata->tg_trigger);
}

static GateNames
names_from_arguments(const Trigger *trigger)
{
	GateNames	names;

	names.pin = ArgumentColumn(trigger, "pin");
	names.scope = ArgumentColumn(trigger, "scope");
	names.verdict = ArgumentColumn(trigger, "verdict");
	names.redact = ArgumentFlag(trigger, "redact", "yes", "no");
	names.unset_allow = ArgumentFlag(trigger, "unset", "allow", "refuse");
	names.account.fk = ArgumentColumns(trigger, "fk");
	names.account.via = ArgumentColumns(trigger, "via");
	names.account.number_pin = ArgumentColumn(trigger, "number_pin");
	names.account.account_pin = ArgumentColumn(trigger, "account_pin");
	names.account.lock = ArgumentColumn(trigger, "lock");
	names.account.number_lock = ArgumentColumn(trigger, "number_lock");
	names.account.account_lock = ArgumentColumn(trigger, "account_lock");
	names.account.expires = ArgumentColumn(trigger, "expires");
	names.account.number_expires = ArgumentColumn(trigger, "number_expires");
	names.account.account_expires = ArgumentColumn(trigger, "account_expires");
	names.account.no_overrides = ArgumentFlag(trigger, "overrides", "no", "yes");
	return names;
}

/*
 * Generated columns are computed behind the BEFORE triggers, whatever those see.
 * The scope is generated for the gate as well, but what it is generated from must
 * not be what the gate writes.
 */
static void
check_columns_are_known_before(Relation orders, const Gate *gate)
{
	const ForeignKey *key = &gate->path.steps[0].key;
	bool		generated = ColumnIsGenerated(orders, gate->pin) ||
		ColumnIsGenerated(orders, gate->verdict);

	for (int i = 0; i < key->nkeys; i++)
		generated |= ColumnIsGenerated(orders, key->from[i]);
	if (generated)
		ereport_without_context(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("a gate that records verdicts or redacts needs a key, PIN and verdict that are not generated"),
						errhint("Only scope= may name a generated column."),
						errtable(orders));
	if (ColumnIsGenerated(orders, gate->scope) &&
		(ColumnIsGeneratedFrom(orders, gate->scope, gate->verdict) ||
		 (gate->redact && ColumnIsGeneratedFrom(orders, gate->scope, gate->pin))))
		ereport_without_context(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("the scope of a gate must not be generated from what the gate writes"),
						errhint("Generate it from other columns than the verdict and the redacted PIN."),
						errtablecol(orders, gate->scope));
}

/* The gate alone writes this column, and it writes nothing but what it may hold. */
static AttrNumber
find_verdict_column(Relation orders, const GateNames *names, Oid domain)
{
	Oid			type = PortPinType("port_pin_verdict", domain);
	AttrNumber	column = FindColumnOfType(orders, names->verdict, type);
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(orders), column - 1);

	if (attribute->atttypid != type)
		ereport_without_context(errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("column \"%s\" is of a domain over %s",
							   NameStr(attribute->attname), format_type_be(type)),
						errhint("Name a column of type %s itself; CHECKs belong to the table.",
								format_type_be(type)),
						errtablecol(orders, column));
	if (attribute->attnotnull && names->scope != NULL)
		ereport_without_context(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("column \"%s\" can't take the verdicts of a gate with a scope: it is NOT NULL",
							   NameStr(attribute->attname)),
						errhint("Allow NULL in it, the verdict on an order that is out of scope."),
						errtablecol(orders, column));
	return column;
}

/*
 * A PIN that can't be blank can't be redacted.  Only the catalogs are asked here: a
 * CHECK of somebody's domain would be run by whoever installs or watches the gate.
 * It is asked when a row is written, by whoever writes that.
 */
static void
check_redactable(Relation orders, AttrNumber column)
{
	Form_pg_attribute attribute =
		TupleDescAttr(RelationGetDescr(orders), column - 1);

	if (attribute->attnotnull ? get_typtype(attribute->atttypid) == TYPTYPE_DOMAIN :
		DomainForbidsNull(attribute->atttypid))
		ereport_without_context(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("column \"%s\" can't be redacted: it can't be blank",
							   NameStr(attribute->attname)),
						errhint("Allow NULL in the column, and in its domain if that is one of your own."),
						errtablecol(orders, column));
}

/* An order can't vouch for another: the PIN there is one that somebody supplied. */
static void
check_pin_is_of_account(Relation orders, const Gate *gate)
{
	const PathStep *step = &gate->path.steps[0];
	Oid			referenced = step->key.referenced;

	if (IsSelfReference(referenced, orders) && step->pin != InvalidAttrNumber &&
		strcmp(get_attname(referenced, step->pin, false),
			   get_attname(RelationGetRelid(orders), gate->pin, false)) == 0)
		ereport_without_context(errcode(ERRCODE_INVALID_FOREIGN_KEY),
						errmsg("the foreign key of the orders leads to orders, and to the PIN that they carry"),
						errhint("Name the foreign key to the table of the number or account with fk=, or with account_pin= another column of this one."),
						errtable(orders));
}

/* Without the keep guard in full, "no PIN" could be a PIN that was taken away. */
static void
check_unset_allow(Gate *gate, Oid domain)
{
	for (int i = 0; i < gate->path.nsteps; i++)
	{
		PathStep *step = &gate->path.steps[i];
		Relation	table = table_open(step->key.referenced, AccessShareLock);

		if (step->pin != InvalidAttrNumber &&
			!ForbidsDelete(table, step->pin, step->key.nkeys, step->key.to, domain))
			ereport_without_context(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
							errmsg("unset=allow needs accounts whose rows stay once they have a port PIN"),
							errhint("Protect the table with port_pin_protect(..., forbid_delete => true), its foreign-key columns being its primary key."),
							errtable(table));
		table_close(table, NoLock);
	}
}

/*
 * Find all columns of a gate and the way to the account; refuse what is in doubt.
 * The gate is in a memory context of its own, below the caller's.
 */
Gate *
FindGate(Relation orders, const GateNames *names, Oid domain)
{
	MemoryContext mcxt = AllocSetContextCreate(CurrentMemoryContext, GATE_TRIGGER,
											   ALLOCSET_SMALL_SIZES);
	Gate	   *gate = MemoryContextAllocZero(mcxt, sizeof(Gate));

	gate->mcxt = mcxt;
	gate->generation = CatalogGeneration();	/* what changes from now on is noticed */
	gate->pin = FindPinColumn(orders, names->pin, domain, "pin=");
	gate->scope = names->scope == NULL ? InvalidAttrNumber :
		FindColumnOfType(orders, names->scope, BOOLOID);
	gate->verdict = names->verdict == NULL ? InvalidAttrNumber :
		find_verdict_column(orders, names, domain);
	gate->redact = names->redact;
	gate->unset_allow = names->unset_allow;
	FindAccountPath(orders, &names->account, domain, &gate->path, mcxt);
	check_pin_is_of_account(orders, gate);
	gate->path.hold = names->verdict != NULL || names->redact ||
		gate->path.steps[0].key.deferrable;
	if (gate->unset_allow)
		check_unset_allow(gate, domain);
	if (names->verdict != NULL || names->redact)
		check_columns_are_known_before(orders, gate);
	if (names->redact)
		check_redactable(orders, gate->pin);
	gate->domain = domain;
	return gate;
}

/*
 * A BEFORE trigger that fires behind the gate could change the order that was
 * judged, so there may be none; no second gate of this kind, either.  Triggers
 * fire in the order of their names.  One that is disabled fires when somebody
 * enables it: it is passed over where only what fires now is of interest.
 */
void
CheckGateFiresLast(Relation orders, const char *gate, bool now)
{
	const TriggerDesc *triggers = orders->trigdesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *other = &triggers->triggers[i];

		if (TRIGGER_FOR_BEFORE(other->tgtype) && TRIGGER_FOR_ROW(other->tgtype) &&
			(TRIGGER_FOR_INSERT(other->tgtype) || TRIGGER_FOR_UPDATE(other->tgtype)) &&
			!(now && other->tgenabled == TRIGGER_DISABLED) &&
			strcmp(other->tgname, gate) > 0)
			ereport_without_context(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
							errmsg("trigger \"%s\" fires behind the gate, trigger \"%s\"",
								   other->tgname, gate),
							errdetail("It could change an order that has been judged."),
							errhint("Rename it: BEFORE triggers fire in the order of their names, and the gate must be the last."),
							errtableconstraint(orders, gate));
	}
}

/* All that is asked before a row is looked at. */
Gate *
FindGateOfTrigger(FunctionCallInfo fcinfo, TriggerData *trigdata)
{
	const Trigger *trigger = trigdata->tg_trigger;
	GateNames	names;
	Gate	   *gate;

	CheckGateAttachment(trigdata);
	names = names_from_arguments(trigger);
	gate = FindGate(trigdata->tg_relation, &names,
					PortPinDomain(fcinfo->flinfo->fn_oid));
	gate->trigger = trigger->tgoid;
	if (TRIGGER_FIRED_BEFORE(trigdata->tg_event))
		CheckGateFiresLast(trigdata->tg_relation, trigger->tgname, true);
	return gate;
}

/* The view port_pin_guards asks it too, and says what the trigger would. */
const Gate *
CheckGateTrigger(FunctionCallInfo fcinfo)
{
	return FindGateOfTrigger(fcinfo, CheckTriggerCall(fcinfo, GATE_TRIGGER));
}
