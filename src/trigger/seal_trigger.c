/*
 * seal_trigger.c
 *		Trigger: digits that are written to a sealed column are stored sealed.
 *
 * The column's type port_pin_sealed is a domain without a constraint, so that a live
 * column can be given this type without a rewrite.  So this trigger refuses what is
 * no PIN, and a CHECK of the table, which runs after all BEFORE triggers, makes sure
 * that nothing unsealed is ever stored.
 *
 * A value that is sealed already passes if it stays where it is.  Otherwise only the
 * table's owner may write it: any other role could copy another account's PIN to an
 * account of its own and guess there, or copy digits that the rules forbid there.
 *
 * This trigger is the last to see the digits.  If the guard has rules that go by
 * them, this trigger checks a new PIN by these rules.  And if the row has the same
 * digits already, it keeps their seal, so that nothing changes.
 */
#include "postgres.h"

#include "trigger/seal_trigger.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/error.h"
#include "pin/kept_digits.h"
#include "pin/key_file.h"
#include "pin/pin.h"
#include "pin/seal.h"
#include "table/column.h"
#include "table/row_movement.h"
#include "trigger/account_rules.h"
#include "trigger/pin_change.h"
#include "trigger/stamp.h"
#include "trigger/trigger_call.h"

PG_FUNCTION_INFO_V1(port_pin_seal_trigger);
PG_FUNCTION_INFO_V1(port_pin_check_sealed);

/* What a trigger goes by. */
typedef struct Sealing
{
	AttrNumber	column;
	bool		compares;		/* it matters whether the digits are new */
	bool		asks_for_new;	/* by the rules that follow */
	NewPinRules new_pin;
} Sealing;

static TriggerData *
check_call(FunctionCallInfo fcinfo)
{
	TriggerData *trigdata = CheckTriggerCall(fcinfo, SEAL_TRIGGER);
	TriggerEvent event = trigdata->tg_event;

	if (!TRIGGER_FIRED_FOR_ROW(event))
		ReportTriggerMisuse(SEAL_TRIGGER, "must be fired for each row",
							"Create the trigger with FOR EACH ROW.");
	if (!TRIGGER_FIRED_BEFORE(event) || TRIGGER_FIRED_BY_DELETE(event))
		ReportTriggerMisuse(SEAL_TRIGGER, "must be fired BEFORE INSERT or UPDATE",
							"It changes what is stored, so it must come first.");
	return trigdata;
}

/* The gate tells a sealed column by its type; a varchar could truncate the seal. */
static AttrNumber
find_sealed_column(const TriggerData *trigdata, Oid domain)
{
	Relation	rel = trigdata->tg_relation;
	char	   *pin;
	AttrNumber	column;

	ReadOptions(trigdata->tg_trigger, account_rules, RULE_PIN + 1, &pin);
	column = FindPinColumn(rel, OptionColumn(pin), domain);
	if (!ColumnIsSealed(rel, column, domain))
		ereport_without_context(errcode(ERRCODE_DATATYPE_MISMATCH),
								errmsg("a column whose port PINs are sealed must be of type port_pin_sealed"),
								errhint("ALTER TABLE ... ALTER COLUMN ... TYPE port_pin_sealed does not rewrite the table."),
								errtablecol(rel, column));
	return column;
}

/* Find the column and the rules of its guard; there need not be one. */
static void *
find_sealing(const TriggerData *trigdata, Oid domain)
{
	Relation	rel = trigdata->tg_relation;
	Sealing    *sealing = palloc0(sizeof(Sealing));
	AccountGuard *guard;

	sealing->column = find_sealed_column(trigdata, domain);
	guard = GuardOfPin(FindAccountGuards(rel, domain), ColumnName(rel, sealing->column));
	if (guard == NULL)
		return sealing;
	sealing->asks_for_new = AsksForNewPins(guard->rules);
	sealing->compares = sealing->asks_for_new || StampsRows(guard->rules) ||
		guard->rules[RULE_HISTORY] != NULL;
	FindNewPinRules(rel, guard->rules, &sealing->new_pin);
	return sealing;
}

/* May the user write a sealed PIN here that was not made from digits just now? */
static void
check_may_be_copied(TriggerData *trigdata, const text *sealed)
{
	Relation	rel = trigdata->tg_relation;

	if (!object_ownercheck(RelationRelationId, RelationGetRelid(rel), GetUserId()))
		ereport_without_context(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
								errmsg("only the owner of the table can write a port PIN that is sealed already"),
								errhint("Write the digits: they are sealed on their way in."),
								errtable(rel));
	(void) FindSealKey(KeyOfSealedPin(sealed));
}

/* The row with another value in its PIN column; NULL is blank. */
static HeapTuple
replace_pin(Relation rel, HeapTuple row, AttrNumber column, text *sealed)
{
	int			number = column;
	Datum		value = PointerGetDatum(sealed);
	bool		isnull = sealed == NULL;

	/* A domain over port_pin_sealed may have constraints of its own. */
	CheckColumnAllows(rel, column, value, isnull);
	return heap_modify_tuple_by_cols(row, RelationGetDescr(rel), 1,
									 &number, &value, &isnull);
}

/* Is this sealed PIN that of a row that an UPDATE moves here from another partition? */
static bool
is_moved_here(TriggerData *trigdata, AttrNumber column)
{
	TupleTableSlot *moved = RecallExpectedRowMovement(trigdata);
	bool		same;

	if (moved == NULL)
		return false;
	same = SameColumnValue(moved, trigdata->tg_trigslot, column);
	FreeMovedRow(moved);
	return same;
}

/*
 * The seal that the row has already, if it is of these digits; NULL if it is not, if
 * no rule asks for it, or if its key is lost: then the digits can't be compared, and
 * count as new.
 */
static text *
present_seal(const Sealing *sealing, TupleTableSlot *old, const text *digits)
{
	bool		isnull;
	text	   *present;
	Datum		value;

	if (!sealing->compares || old == NULL || digits == NULL)
		return NULL;
	value = slot_getattr(old, sealing->column, &isnull);
	present = PinFromDatum(value, isnull);
	if (present != NULL && PinIsSealed(present) &&
		HasSealKey(KeyOfSealedPin(present)) && SameDigits(present, digits))
		return present;
	PinFreeIfCopy(present, value);
	return NULL;
}

/* Seal digits that are new to the row, if the rules allow them. */
static text *
seal_new_digits(FunctionCallInfo fcinfo, const Sealing *sealing, TupleTableSlot *new,
				bool stays, const text *pin)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	text	   *sealed;

	if (!stays)
		CheckNewPin(trigdata, &sealing->new_pin, sealing->column, pin, new);
	sealed = SealPin(pin);
	if (sealing->compares && TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		KeepDigits(fcinfo->flinfo->fn_mcxt, trigdata->tg_trigger->tgoid, sealed, pin);
	return sealed;
}

/* The row as it is to be stored, for a PIN that is set and not sealed. */
static HeapTuple
seal_row(FunctionCallInfo fcinfo, const Sealing *sealing, TupleTableSlot *old,
		 TupleTableSlot *new, HeapTuple row, bool stays, const text *pin)
{
	Relation	rel = ((TriggerData *) fcinfo->context)->tg_relation;
	text	   *sealed;

	if (!PinIsValid(pin))
		ereport_without_context(errcode(ERRCODE_CHECK_VIOLATION),
								errmsg("the value to be sealed is not a port PIN"),
								errhint("A port PIN has 6 to 10 digits; NULL is blank."),
								errtablecol(rel, sealing->column));
	sealed = present_seal(sealing, old, pin);
	if (sealed == NULL)
		sealed = seal_new_digits(fcinfo, sealing, new, stays, pin);
	return replace_pin(rel, row, sealing->column, sealed);
}

/*
 * The row as it is to be stored, for a PIN that comes sealed.  In an upsert's
 * UPDATE, the digits are those of its INSERT, but the row is another one, so the
 * rules are checked for it as well.
 */
static HeapTuple
pass_sealed(FunctionCallInfo fcinfo, const Sealing *sealing, TupleTableSlot *old,
			TupleTableSlot *new, HeapTuple row, const text *pin)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	const text *digits = RecallDigits(fcinfo->flinfo->fn_mcxt, pin);
	text	   *present;

	if (!PinWasSealedJustNow(pin) || (sealing->asks_for_new && digits == NULL))
		check_may_be_copied(trigdata, pin);
	present = present_seal(sealing, old, digits);
	if (present != NULL)
		return replace_pin(trigdata->tg_relation, row, sealing->column, present);
	if (digits != NULL)
		CheckNewPin(trigdata, &sealing->new_pin, sealing->column, digits, new);
	return row;
}

static Datum
seal(FunctionCallInfo fcinfo)
{
	TriggerData *trigdata = check_call(fcinfo);
	const Sealing *sealing = FindOncePerStatement(fcinfo, find_sealing);
	AttrNumber	column = sealing->column;
	bool		update = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event);
	TupleTableSlot *old = update ? trigdata->tg_trigslot : NULL;
	TupleTableSlot *new = update ? trigdata->tg_newslot : trigdata->tg_trigslot;
	HeapTuple	row = update ? trigdata->tg_newtuple : trigdata->tg_trigtuple;
	bool		stays = update ? SameColumnValue(old, new, column) :
	is_moved_here(trigdata, column);
	bool		isnull;
	Datum		value = slot_getattr(new, column, &isnull);
	text	   *pin = PinFromDatum(value, isnull);

	if (pin == NULL)
		return PointerGetDatum(row);
	if (PinIsBlank(pin))
		row = replace_pin(trigdata->tg_relation, row, column, NULL);
	else if (!PinIsSealed(pin))
		row = seal_row(fcinfo, sealing, old, new, row, stays, pin);
	else if (!stays)
		row = pass_sealed(fcinfo, sealing, old, new, row, pin);
	PinFreeIfCopy(pin, value);

	if (update)
		ExpectRowMovement(fcinfo, row);
	return PointerGetDatum(row);
}

/*
 * port_pin_seal_trigger() returns trigger
 *
 * Argument: pin=column, where more than one is of type port_pin_sealed.  BEFORE
 * INSERT and BEFORE UPDATE; '' and blanks, which legacy applications write for no
 * PIN, become NULL.  23514 for what is no PIN or not allowed as a new one, 42501 for
 * a sealed one from elsewhere, 39P01 where it is attached wrongly.
 */
Datum
port_pin_seal_trigger(PG_FUNCTION_ARGS)
{
	return CallWithoutContext(fcinfo, seal);
}

/*
 * What the trigger checks before it looks at a row.  The view port_pin_guards calls
 * it to report what the trigger would.
 */
void
CheckSealTrigger(FunctionCallInfo fcinfo)
{
	(void) find_sealing(check_call(fcinfo), PortPinDomain(fcinfo->flinfo->fn_oid));
}

/*
 * port_pin_check_sealed(stored text) returns boolean
 *
 * For the CHECK of a table: true for a sealed PIN, an error for anything else.  If
 * it returned false, the server would print the failing row.
 */
Datum
port_pin_check_sealed(PG_FUNCTION_ARGS)
{
	if (!PinIsSealed(PG_GETARG_TEXT_PP(0)))
		ereport_without_context(errcode(ERRCODE_CHECK_VIOLATION),
								errmsg("a port PIN that is not sealed can't be stored in a sealed column"),
								errhint("Enable the trigger that seals, or create it with port_pin_protect(); rows from before are sealed by CALL port_pin_seal_column()."));
	PG_RETURN_BOOL(true);
}
