/*
 * seal_trigger.c
 *		Trigger: digits that are written to a sealed column are stored sealed.
 *
 * The column's type port_pin_sealed is a domain without a constraint, so that a
 * live column can become one without being rewritten.  It is this trigger that
 * refuses what is no PIN, and a CHECK of the table, which runs after all BEFORE
 * triggers, that sees to it that nothing unsealed is ever stored.
 *
 * What is sealed already passes if it stays where it is.  Otherwise it takes the
 * rights of the table's owner: anybody else could copy another account's PIN to
 * an account of his own, and guess there.
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
#include "pin/key_file.h"
#include "pin/pin.h"
#include "pin/seal.h"
#include "table/column.h"
#include "table/row_movement.h"
#include "trigger/option.h"
#include "trigger/trigger_call.h"

PG_FUNCTION_INFO_V1(port_pin_seal_trigger);
PG_FUNCTION_INFO_V1(port_pin_check_sealed);

static const GuardOption seal_options[] = {{"pin", OPTION_COLUMN, "pin"}};

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

/* By its type the gate knows that a column is sealed; a varchar could cut it off. */
static AttrNumber
find_sealed_column(TriggerData *trigdata, Oid domain)
{
	Relation	rel = trigdata->tg_relation;
	char	   *pin;
	AttrNumber	column;

	ReadOptions(trigdata->tg_trigger, seal_options, lengthof(seal_options), &pin);
	column = FindPinColumn(rel, OptionColumn(pin), domain);
	if (!ColumnIsSealed(rel, column, domain))
		ereport_without_context(errcode(ERRCODE_DATATYPE_MISMATCH),
						errmsg("a column whose port PINs are sealed must be of type port_pin_sealed"),
						errhint("ALTER TABLE ... ALTER COLUMN ... TYPE port_pin_sealed does not rewrite the table."),
						errtablecol(rel, column));
	return column;
}

/* May somebody who can't have made this sealed PIN from digits write it here? */
static void
check_may_be_copied(TriggerData *trigdata, const text *sealed)
{
	Relation	rel = trigdata->tg_relation;

	if (!object_ownercheck(RelationRelationId, RelationGetRelid(rel), GetUserId()))
		ereport_without_context(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("only the table's owner may write a port PIN that is sealed already"),
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

/* Is this sealed PIN that of a row which an UPDATE moves here from its partition? */
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

/* The row as it is to be stored, for a PIN that is set and not sealed. */
static HeapTuple
seal_row(Relation rel, HeapTuple row, AttrNumber column, text *pin)
{
	bool		valid = PinIsValid(pin);

	if (valid)
		row = replace_pin(rel, row, column, SealPin(pin));
	WipePin(pin);
	if (!valid)
		ereport_without_context(errcode(ERRCODE_CHECK_VIOLATION),
						errmsg("what is to be sealed is not a port PIN"),
						errhint("A port PIN has 6 to 10 digits; NULL is blank."),
						errtablecol(rel, column));
	return row;
}

/*
 * port_pin_seal_trigger() returns trigger
 *
 * Argument: pin=column, where more than one is of type port_pin_sealed.  BEFORE
 * INSERT and BEFORE UPDATE; '' and blanks, which legacy applications write for no
 * PIN, become NULL.  23514 for what is no PIN, 42501 for a sealed one from
 * elsewhere, 39P01 where it is attached wrongly.
 */
Datum
port_pin_seal_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = check_call(fcinfo);
	AttrNumber	column = find_sealed_column(trigdata,
											PortPinDomain(fcinfo->flinfo->fn_oid));
	bool		update = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event);
	TupleTableSlot *new = update ? trigdata->tg_newslot : trigdata->tg_trigslot;
	HeapTuple	row = update ? trigdata->tg_newtuple : trigdata->tg_trigtuple;
	bool		stays = update ?
		SameColumnValue(trigdata->tg_trigslot, new, column) :
		is_moved_here(trigdata, column);
	bool		isnull;
	Datum		value = slot_getattr(new, column, &isnull);
	text	   *pin = CopyPin(value, isnull);

	if (pin == NULL)
		return PointerGetDatum(row);
	if (PinIsBlank(pin))
		row = replace_pin(trigdata->tg_relation, row, column, NULL);
	else if (!PinIsSealed(pin))
		row = seal_row(trigdata->tg_relation, row, column, pin);
	else if (!stays && !PinWasSealedJustNow(pin))
		check_may_be_copied(trigdata, pin);

	if (update)
		ExpectRowMovement(fcinfo, row);
	return PointerGetDatum(row);
}

/*
 * What the trigger asks before it looks at a row: the view port_pin_guards asks it
 * too, and says what the trigger would.  Returns the column that it seals.
 */
List *
CheckSealTrigger(FunctionCallInfo fcinfo)
{
	TriggerData *trigdata = check_call(fcinfo);

	return list_make1_int(find_sealed_column(trigdata,
											 PortPinDomain(fcinfo->flinfo->fn_oid)));
}

/*
 * port_pin_check_sealed(stored text) returns boolean
 *
 * For the CHECK of a table: true for a sealed PIN, an error for anything else.
 * Were it to return false, the server would print the failing row.
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
