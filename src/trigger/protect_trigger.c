/*
 * keep.c
 *		Trigger: a set PIN is never cleared.
 *
 * "The default PIN is blank, but if you put one in, you can't remove or set it
 * back to blank" (Microsoft, "Set your PIN for transferring numbers to a new
 * service provider").  Setting a PIN, changing it and setting the same one again
 * are free.
 *
 * AFTER UPDATE sees the final row, so no BEFORE trigger gets round it.  It may be
 * attached BEFORE UPDATE as well, where it sees the row as it is then.  On a
 * partitioned table moves=follow, AFTER INSERT and AFTER DELETE, sees the rows
 * that an UPDATE moves.  Attached to DELETE and TRUNCATE, it forbids these; with
 * key=, it forbids to give a row with a PIN another key, which would be to delete
 * it by another name.
 */
#include "postgres.h"

#include "trigger/protect_trigger.h"

#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "base/error.h"
#include "pin/pin.h"
#include "table/column.h"
#include "table/row_movement.h"
#include "trigger/argument.h"

#define PROTECT_TRIGGER "port_pin_protect_trigger"

PG_FUNCTION_INFO_V1(port_pin_protect_trigger);

static const char *const protect_arguments[] = {"pin", "key", "moves", NULL};

static void
refuse(TriggerData *trigdata, const char *message, const char *hint)
{
	ereport_without_context(errcode(ERRCODE_PORT_PIN_CLEARED),
					errmsg("%s", message),
					errhint("%s", hint),
					errtableconstraint(trigdata->tg_relation,
									   trigdata->tg_trigger->tgname));
}

static void
refuse_another_key(TriggerData *trigdata)
{
	refuse(trigdata, "a row with a port PIN can't be given another key",
		   "Under its old key the row would be gone, and its PIN with it.");
}

static bool
follows_moves(const Trigger *trigger)
{
	return ArgumentFlag(trigger, "moves", "follow", "ignore");
}

/* Every use of the trigger that has a meaning passes; no row is touched before. */
static TriggerData *
check_call(FunctionCallInfo fcinfo)
{
	TriggerData *trigdata = CheckTriggerCall(fcinfo, PROTECT_TRIGGER);
	TriggerEvent event = trigdata->tg_event;

	if (TRIGGER_FIRED_BY_TRUNCATE(event))
	{
		if (trigdata->tg_trigger->tgnargs > 0)
			ReportTriggerMisuse(PROTECT_TRIGGER, "takes no arguments on TRUNCATE",
							 "Leave the arguments out: TRUNCATE has no rows to look at.");
		return trigdata;
	}

	if (!TRIGGER_FIRED_FOR_ROW(event))
		ReportTriggerMisuse(PROTECT_TRIGGER, "must be fired for each row",
						 "Create the trigger with FOR EACH ROW.");
	CheckArguments(trigdata->tg_trigger, protect_arguments);
	if (follows_moves(trigdata->tg_trigger))
	{
		if (!TRIGGER_FIRED_AFTER(event) || TRIGGER_FIRED_BY_UPDATE(event))
			ReportTriggerMisuse(PROTECT_TRIGGER, "must be fired AFTER INSERT and AFTER DELETE to follow moves",
							 "Use port_pin_protect(), which creates both triggers.");
		if (!CanFollowRowMovement(trigdata->tg_relation))
			ReportTriggerMisuse(PROTECT_TRIGGER, "can't follow moves in this partition",
							 "Only ordinary tables of access method heap tell a row that moves from one that is deleted.");
	}
	else if (TRIGGER_FIRED_BY_INSERT(event))
		ReportTriggerMisuse(PROTECT_TRIGGER, "can't be fired by INSERT",
						 "A new row has no PIN that could be lost: attach it AFTER UPDATE.");
	return trigdata;
}

static bool
pin_is_set(TupleTableSlot *row, AttrNumber column)
{
	bool		isnull;
	Datum		value = slot_getattr(row, column, &isnull);
	text	   *pin = PinFromDatum(value, isnull);
	bool		set = !PinIsBlank(pin);

	PinFreeIfCopy(pin, value);
	return set;
}

static AttrNumber
pin_column(FunctionCallInfo fcinfo, const TriggerData *trigdata)
{
	return FindPinColumn(trigdata->tg_relation,
						 ArgumentColumn(trigdata->tg_trigger, "pin"),
						 PortPinDomain(fcinfo->flinfo->fn_oid), "pin=");
}

static List *
key_columns(const TriggerData *trigdata)
{
	return FindColumns(trigdata->tg_relation,
					   ArgumentColumns(trigdata->tg_trigger, "key"));
}

/* The rule itself, for a row before and after an UPDATE, moved or not. */
static void
keep_pin(TriggerData *trigdata, AttrNumber pin,
		 TupleTableSlot *old, TupleTableSlot *new)
{
	List	   *key = key_columns(trigdata);
	ListCell   *lc;

	if (!pin_is_set(old, pin))
		return;
	if (!pin_is_set(new, pin))
		refuse(trigdata, "a port PIN that is set can't be cleared",
			   "Change it to another PIN of 6 to 10 digits.");
	foreach(lc, key)
	{
		if (!SameColumnValue(old, new, lfirst_int(lc)))
			refuse_another_key(trigdata);
	}
}

/* AFTER INSERT with moves=follow: if the row was moved here, it was updated. */
static void
keep_pin_of_moved_row(TriggerData *trigdata, AttrNumber pin)
{
	TupleTableSlot *old = RecallRowMovement(trigdata);

	if (old == NULL)
		return;
	keep_pin(trigdata, pin, old, trigdata->tg_trigslot);
	FreeMovedRow(old);
}

/*
 * A DELETE, or the first half of a move to another partition.  With key=, the
 * move is refused here: it changes the partition key, which is part of any key of
 * the whole table, and its INSERT need not come, as other triggers can suppress
 * it.  Without, the row is free to go.
 */
static void
keep_row(TriggerData *trigdata, AttrNumber pin)
{
	bool		movements = TRIGGER_FIRED_AFTER(trigdata->tg_event) &&
		HeapTupleHeaderIndicatesMovedPartitions(trigdata->tg_trigtuple->t_data);

	if (movements && ArgumentValue(trigdata->tg_trigger, "key") == NULL)
		return;
	if (!pin_is_set(trigdata->tg_trigslot, pin))
		return;
	if (movements)
		refuse_another_key(trigdata);
	refuse(trigdata, "a row with a port PIN can't be deleted",
		   "The PIN would be gone with it, and could be left blank when the row is created again.");
}

/*
 * port_pin_protect_trigger() returns trigger
 *
 * Arguments: pin=column for a PIN of type text or varchar (NULL, '' and blanks
 * are blank), else the column of type port_pin is found; key=column[,column];
 * moves=follow.  23PN0 for what it forbids, 39P01 where it is attached wrongly.
 */
Datum
port_pin_protect_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = check_call(fcinfo);
	TriggerEvent event = trigdata->tg_event;
	AttrNumber	pin;

	if (TRIGGER_FIRED_BY_TRUNCATE(event))
		refuse(trigdata, "a table that keeps port PINs can't be truncated",
			   "Delete the rows that have no PIN.");

	pin = pin_column(fcinfo, trigdata);
	if (TRIGGER_FIRED_BY_UPDATE(event))
		keep_pin(trigdata, pin, trigdata->tg_trigslot, trigdata->tg_newslot);
	else if (TRIGGER_FIRED_BY_INSERT(event))
		keep_pin_of_moved_row(trigdata, pin);
	else if (follows_moves(trigdata->tg_trigger))
		RememberRowMovement(trigdata);
	else
		keep_row(trigdata, pin);

	if (TRIGGER_FIRED_BEFORE(event) && TRIGGER_FIRED_BY_UPDATE(event))
		return PointerGetDatum(trigdata->tg_newtuple);
	return PointerGetDatum(trigdata->tg_trigtuple);
}

/*
 * What the trigger asks before it looks at a row: the view port_pin_guards asks it
 * too, and says what the trigger would.  Returns the columns that it watches, the
 * PIN first; none for TRUNCATE.
 */
List *
CheckProtectTrigger(FunctionCallInfo fcinfo)
{
	TriggerData *trigdata = check_call(fcinfo);

	if (TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
		return NIL;
	return lcons_int(pin_column(fcinfo, trigdata), key_columns(trigdata));
}

/* Is this trigger ours and does it fire where orders are placed? */
static bool
runs(const Trigger *trigger, Oid function)
{
	return trigger->tgfoid == function &&
		(trigger->tgenabled == TRIGGER_FIRES_ON_ORIGIN ||
		 trigger->tgenabled == TRIGGER_FIRES_ALWAYS);
}

static bool
keeps_columns(Relation rel, const Trigger *trigger, int ncolumns,
			  const AttrNumber *columns)
{
	List	   *kept = FindColumns(rel, ArgumentColumns(trigger, "key"));

	for (int i = 0; i < ncolumns; i++)
	{
		if (!list_member_int(kept, columns[i]))
			return false;
	}
	return true;
}

/*
 * Is a row with a PIN there to stay?  Only then can it be told from an account
 * without a PIN that was put in its place.
 */
bool
ForbidsDelete(Relation accounts, AttrNumber pin,
				 int nkeys, const AttrNumber *keys, Oid domain)
{
	Oid			function = PortPinTrigger(PROTECT_TRIGGER, domain);
	int			ntriggers = accounts->trigdesc ? accounts->trigdesc->numtriggers : 0;
	bool		partitioned = accounts->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	bool		truncates = false;
	bool		deletes = false;
	bool		rekeys = false;
	bool		moves_from = !partitioned;
	bool		moves_to = !partitioned;

	for (int i = 0; i < ntriggers; i++)
	{
		const Trigger *trigger = &accounts->trigdesc->triggers[i];
		bool		follows;
		bool		keyed;

		if (!runs(trigger, function))
			continue;
		truncates |= TRIGGER_FOR_TRUNCATE(trigger->tgtype);
		if (!TRIGGER_FOR_ROW(trigger->tgtype) ||
			FindPinColumn(accounts, ArgumentColumn(trigger, "pin"), domain, "pin=") != pin)
			continue;

		follows = follows_moves(trigger);
		keyed = keeps_columns(accounts, trigger, nkeys, keys);
		deletes |= TRIGGER_FOR_DELETE(trigger->tgtype) && !follows &&
			(keyed || !partitioned);
		rekeys |= TRIGGER_FOR_UPDATE(trigger->tgtype) && keyed;
		moves_from |= TRIGGER_FOR_DELETE(trigger->tgtype) && follows;
		moves_to |= TRIGGER_FOR_INSERT(trigger->tgtype) && follows && keyed;
	}
	return truncates && deletes && rekeys && moves_from && moves_to;
}
