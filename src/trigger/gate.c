/*
 * gate.c
 *		Find a gate: its columns and the way to the account, or what is wrong.
 *
 * AFTER ROW, the gate judges the row that is stored, and refuses it with an error.
 * BEFORE ROW it can change the row: verdict= keeps a bad order and records why,
 * redact=yes empties the PIN once judged.  Then it must be the last of the BEFORE
 * triggers, so that the row it judged is the row that is stored.
 */
#include "postgres.h"

#include "trigger/gate.h"

#include "access/table.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/catalog.h"
#include "base/error.h"
#include "table/column.h"
#include "table/partition.h"
#include "table/triggers.h"
#include "trigger/account_rules.h"
#include "trigger/trigger_call.h"

const GuardOption gate_options[NUM_GATE_OPTIONS] = {
	[GATE_FK] = {"fk", OPTION_COLUMNS, "fk", InvalidOid},
	[GATE_VIA] = {"via", OPTION_COLUMNS, "via", InvalidOid},
	[GATE_PIN] = {"pin", OPTION_COLUMN, "pin", InvalidOid},
	[GATE_SCOPE] = {"scope", OPTION_COLUMN, "scope", BOOLOID},
	[GATE_SOURCE] = {"source", OPTION_COLUMN, "source", InvalidOid},
	[GATE_VERDICT] = {"verdict", OPTION_COLUMN, "verdict", InvalidOid},
	[GATE_REDACT] = {"redact", OPTION_SWITCH, "redact", InvalidOid},
	[GATE_ACCOUNT_PIN] = {"account_pin", OPTION_COLUMN, "account_pin", InvalidOid},
	[GATE_GUARDED] = {"guarded", OPTION_COLUMNS, NULL, InvalidOid},
};

/* Does the gate write into the order, and so judge it before it is stored? */
bool
ChangesOrders(const Gate *gate)
{
	return gate->verdict != InvalidAttrNumber || gate->redact;
}

/*
 * Is an order judged before its foreign key is checked?  Until then, the account
 * could be replaced by another one under the same key.
 */
bool
JudgesBeforeKey(const Gate *gate)
{
	return ChangesOrders(gate) || gate->path.steps[0].key.deferrable;
}


/* ----- How it is attached ----- */

/* It must fire for every INSERT and UPDATE, or a statement could write the verdict itself. */
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
	char	   *options[NUM_GATE_OPTIONS];
	bool		changes;

	if (!TRIGGER_FIRED_FOR_ROW(event))
		ReportTriggerMisuse(GATE_TRIGGER, "must be fired for each row",
							"Create the trigger with FOR EACH ROW.");
	ReadOptions(trigdata->tg_trigger, gate_options, NUM_GATE_OPTIONS, options);

	changes = options[GATE_VERDICT] != NULL || options[GATE_REDACT] != NULL;
	if (!changes && !TRIGGER_FIRED_AFTER(event))
		ReportTriggerMisuse(GATE_TRIGGER, "must be fired AFTER",
							"A BEFORE trigger is for verdict= and redact=yes only.");
	if (changes && !TRIGGER_FIRED_BEFORE(event))
		ReportTriggerMisuse(GATE_TRIGGER, "must be fired BEFORE to record a verdict or to redact",
							"A row that has been stored can't be changed any more.");
	if (changes)
		check_sees_every_order(trigdata->tg_trigger);
}

/* The trigger that notes the use of PINs, beside the gate, must see stored orders. */
void
CheckUsedAttachment(const TriggerData *trigdata)
{
	if (!TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) || !TRIGGER_FIRED_AFTER(trigdata->tg_event))
		ReportTriggerMisuse(USED_TRIGGER, "must be fired AFTER and for each row",
							"port_pin_gate() creates it, where it is needed.");
}

/* A gate that changes orders doesn't know whether they will be stored. */
static void
check_use_is_noted(Relation orders, const Gate *gate)
{
	int16		events = 0;
	ListCell   *lc;

	foreach(lc, CopyTriggers(orders, PortPinTrigger(USED_TRIGGER, gate->domain)))
	{
		if (TriggerFiresOnOrigin(lfirst(lc)) && ((Trigger *) lfirst(lc))->tgqual == NULL)
			events |= ((Trigger *) lfirst(lc))->tgtype;
	}
	if (!TRIGGER_FOR_INSERT(events) || !TRIGGER_FOR_UPDATE(events))
		ereport_without_context(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
								errmsg("no trigger of table \"%s\" notes that port PINs are used",
									   RelationGetRelationName(orders)),
								errdetail("The guard of the accounts has been given used or history after the gate was installed, or the trigger is disabled: the gate must be installed again, with the call that port_pin_guards shows."),
								errtable(orders));
}

/* This trigger notes the use of PINs for a gate: is that gate disabled? */
static bool
gate_is_off(Relation orders, const Trigger *used, Oid domain)
{
	ListCell   *lc;

	foreach(lc, CopyTriggers(orders, PortPinTrigger(GATE_TRIGGER, domain)))
	{
		const Trigger *gate = lfirst(lc);
		bool		same = gate->tgnargs == used->tgnargs;

		for (int i = 0; same && i < gate->tgnargs; i++)
			same = strcmp(gate->tgargs[i], used->tgargs[i]) == 0;
		if (same && TriggerFiresOnOrigin(gate))
			return false;
	}
	return true;
}


/* ----- Its columns ----- */

/*
 * Generated columns are computed after the BEFORE triggers, which don't see their
 * values.  The gate computes a generated scope for itself, but the scope must not be
 * generated from what the gate writes.
 */
static void
check_columns_are_known_before(Relation orders, const Gate *gate)
{
	const ForeignKey *key = &gate->path.steps[0].key;
	bool		generated = ColumnIsGenerated(orders, gate->pin) ||
	ColumnIsGenerated(orders, gate->source) || ColumnIsGenerated(orders, gate->verdict);

	for (int i = 0; i < key->nkeys; i++)
		generated |= ColumnIsGenerated(orders, key->from[i]);
	if (generated)
		ereport_without_context(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
								errmsg("a gate that records verdicts or redacts needs a key, PIN, source and verdict that are not generated"),
								errhint("Only scope= may name a generated column."),
								errtable(orders));
	if ((gate->verdict != InvalidAttrNumber && ColumnRoutesRows(orders, gate->verdict)) ||
		(gate->redact && ColumnRoutesRows(orders, gate->pin)))
		ereport_without_context(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
								errmsg("the columns that a gate writes must not be in a partition key"),
								errhint("Partition the orders by another column than the verdict and the redacted PIN."),
								errtable(orders));
	if (ColumnIsGenerated(orders, gate->scope) &&
		(ColumnIsGeneratedFrom(orders, gate->scope, gate->verdict) ||
		 (gate->redact && ColumnIsGeneratedFrom(orders, gate->scope, gate->pin))))
		ereport_without_context(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
								errmsg("the scope of a gate must not be generated from what the gate writes"),
								errhint("Generate it from other columns than the verdict and the redacted PIN."),
								errtablecol(orders, gate->scope));
}

/* A source is recorded and logged; a PIN must be neither. */
static void
check_source(Relation orders, const Gate *gate)
{
	if (gate->source == gate->pin ||
		ColumnIsGeneratedFrom(orders, gate->source, gate->pin))
		ereport_without_context(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("the source of port orders must not be their port PIN"),
								errhint("Name a column that identifies the requester and that your own site fills in."),
								errtablecol(orders, gate->source));
}

/*
 * Only the gate writes this column, and it must not write what a domain over the
 * type forbids, so such a domain is refused.  A DEFAULT would be a verdict that an
 * order brings with it.
 */
static AttrNumber
find_verdict_column(Relation orders, const char *name, Oid domain)
{
	Oid			type = PortPinType("port_pin_verdict", domain);
	AttrNumber	column = FindColumnOfType(orders, name, type);
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(orders), column - 1);

	if (attribute->atttypid != type)
		ereport_without_context(errcode(ERRCODE_DATATYPE_MISMATCH),
								errmsg("column \"%s\" is of a domain over %s",
									   NameStr(attribute->attname), format_type_be(type)),
								errhint("Name a column of type %s itself; CHECKs belong to the table.",
										format_type_be(type)),
								errtablecol(orders, column));
	if (attribute->atthasdef && attribute->attgenerated == '\0')
		ereport_without_context(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
								errmsg("column \"%s\" has a default, and a new order must not bring a verdict",
									   NameStr(attribute->attname)),
								errhint("ALTER TABLE ... ALTER COLUMN %s DROP DEFAULT.",
										quote_identifier(NameStr(attribute->attname))),
								errtablecol(orders, column));
	return column;
}

/* The verdict on an order that is out of scope is NULL. */
static void
check_verdict_can_be_null(Relation orders, const Gate *gate)
{
	Form_pg_attribute attribute =
	TupleDescAttr(RelationGetDescr(orders), gate->verdict - 1);

	if (attribute->attnotnull && (gate->scope != InvalidAttrNumber || gate->path.scoped))
		ereport_without_context(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
								errmsg("column \"%s\" can't take the verdicts of a gate with a scope: it is NOT NULL",
									   NameStr(attribute->attname)),
								errhint("Allow NULL in it, the verdict on an order that is out of scope."),
								errtablecol(orders, gate->verdict));
}

/*
 * A PIN that can't be blank can't be redacted.  Look only at the catalogs here: a
 * CHECK of a user's domain would run as the role that installs or watches the gate.
 * It is evaluated when a row is written, as the role that writes it.
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

/* An order's PIN is compared with the account's, which takes its digits. */
static void
check_pin_is_readable(Relation orders, const Gate *gate)
{
	if (ColumnIsSealed(orders, gate->pin, gate->domain))
		ereport_without_context(errcode(ERRCODE_DATATYPE_MISMATCH),
								errmsg("the PIN of port orders can't be sealed: column \"%s\"",
									   ColumnName(orders, gate->pin)),
								errhint("Give the column the type port_pin; with redact => true no port PIN stays in it."),
								errtablecol(orders, gate->pin));
}

/* An order can't vouch for another: its PIN is one that somebody supplied. */
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
								errhint("Name the foreign key to the table of the number or account with fk => 'column, ...', or with account_pin => 'column' another column of this one."),
								errtable(orders));
}


/* ----- The gate ----- */

/* Note a relation that the gate was found in; of a partition, its whole table, too. */
static void
note_relation(Gate *gate, Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);

	gate->relations[gate->nrelations++] = relid;
	if (rel->rd_rel->relispartition)
		gate->relations[gate->nrelations++] = RootOfPartitions(rel);
	table_close(rel, NoLock);
}

static void
note_relations(Gate *gate, Relation orders)
{
	gate->relations[gate->nrelations++] = RelationGetRelid(orders);
	for (int i = 0; i < gate->path.nsteps; i++)
		note_relation(gate, gate->path.steps[i].key.referenced);
}

/* Find all columns of a gate and the way to the account; refuse anything doubtful. */
void
FindGate(Relation orders, char **options, Oid domain, Gate *gate)
{
	PathNames	names = {
		.fk = OptionColumns(options[GATE_FK]),
		.via = OptionColumns(options[GATE_VIA]),
		.account_pin = OptionColumn(options[GATE_ACCOUNT_PIN]),
		.guarded = OptionColumns(options[GATE_GUARDED])
	};

	memset(gate, 0, sizeof(Gate));
	gate->domain = domain;
	gate->pin = FindPinColumn(orders, OptionColumn(options[GATE_PIN]), domain);
	check_pin_is_readable(orders, gate);
	gate->scope = FindOptionColumn(orders, gate_options, options, GATE_SCOPE);
	gate->source = FindOptionColumn(orders, gate_options, options, GATE_SOURCE);
	if (gate->source != InvalidAttrNumber)
		check_source(orders, gate);
	if (options[GATE_VERDICT] != NULL)
		gate->verdict = find_verdict_column(orders, OptionColumn(options[GATE_VERDICT]),
											domain);
	gate->redact = options[GATE_REDACT] != NULL;
	FindAccountPath(orders, &names, domain, &gate->path);
	check_pin_is_of_account(orders, gate);
	if (ChangesOrders(gate))
		check_columns_are_known_before(orders, gate);
	if (gate->verdict != InvalidAttrNumber)
		check_verdict_can_be_null(orders, gate);
	if (gate->redact)
		check_redactable(orders, gate->pin);
	note_relations(gate, orders);
}

/*
 * A BEFORE trigger that fires later than the gate could change the order that was
 * judged, so there must be none, and no second gate of this kind either.  Triggers
 * fire in the order of their names.  A disabled trigger fires once it is enabled: it
 * is skipped only if the caller asks what fires now.  The guard of accounts that are
 * orders is always skipped: it stamps columns of the account, not of the order.
 */
void
CheckGateFiresLast(Relation orders, const char *gate, Oid domain, bool now)
{
	ListCell   *lc;

	foreach(lc, CopyTriggers(orders, InvalidOid))
	{
		const Trigger *other = lfirst(lc);

		if (TRIGGER_FOR_BEFORE(other->tgtype) && TRIGGER_FOR_ROW(other->tgtype) &&
			(TRIGGER_FOR_INSERT(other->tgtype) || TRIGGER_FOR_UPDATE(other->tgtype)) &&
			!(now && other->tgenabled == TRIGGER_DISABLED) &&
			other->tgfoid != PortPinTrigger(PROTECT_TRIGGER, domain) &&
			strcmp(other->tgname, gate) > 0)
			ereport_without_context(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
									errmsg("trigger \"%s\" fires after the gate, trigger \"%s\"",
										   other->tgname, gate),
									errdetail("It could change an order that has been judged."),
									errhint("Rename it: BEFORE triggers fire in the order of their names, and the gate must be the last."),
									errtableconstraint(orders, gate));
	}
}

/* All that is checked before a row is looked at. */
void
FindGateOfTrigger(FunctionCallInfo fcinfo, const TriggerData *trigdata, Gate *gate)
{
	const Trigger *trigger = trigdata->tg_trigger;
	Oid			function = fcinfo->flinfo->fn_oid;
	Oid			domain = PortPinDomain(function);
	char	   *options[NUM_GATE_OPTIONS];

	if (function == PortPinTrigger(USED_TRIGGER, domain))
		CheckUsedAttachment(trigdata);
	else
		CheckGateAttachment(trigdata);
	ReadOptions(trigger, gate_options, NUM_GATE_OPTIONS, options);
	FindGate(trigdata->tg_relation, options, domain, gate);
	gate->trigger = trigger->tgoid;
	if (function == PortPinTrigger(USED_TRIGGER, domain))
		gate->off = gate_is_off(trigdata->tg_relation, trigger, domain);
	if (!TRIGGER_FIRED_BEFORE(trigdata->tg_event))
		return;
	CheckGateFiresLast(trigdata->tg_relation, trigger->tgname, gate->domain, true);
	if (gate->path.notes_use)
		check_use_is_noted(trigdata->tg_relation, gate);
}

/* For the view port_pin_guards: it reports what the trigger would. */
void
CheckGateTrigger(FunctionCallInfo fcinfo, Gate *gate)
{
	FindGateOfTrigger(fcinfo, CheckTriggerCall(fcinfo, GATE_TRIGGER), gate);
}
