/*
 * protect_trigger.c
 *		Trigger: a set PIN is never cleared.
 *
 * "The default PIN is blank, but if you put one in, you can't remove or set it
 * back to blank" (Microsoft, "Set your PIN for transferring numbers to a new
 * service provider").  Setting a PIN, changing it and setting the same one again
 * are free.
 *
 * AFTER UPDATE sees the final row, so no BEFORE trigger gets round it.  This trigger
 * states the rules of its guard (account_rules.c); the guard's other triggers name
 * the PIN and look the rules up.  AFTER INSERT and AFTER DELETE see the rows that an
 * UPDATE moves between partitions, and rows that are deleted; TRUNCATE is refused.
 * With key=, rows with a PIN can't be deleted or given another key, which would be
 * deleting them by another name.  With history=, what happens to a row is recorded
 * as well (account_history.c).
 *
 * Rules for the digits of a new PIN are checked on the final row, too
 * (pin_change.c); the digits of a sealed one are seen only by the trigger that
 * seals.  BEFORE INSERT OR UPDATE writes the columns that are the guard's own
 * (stamp.c).
 */
#include "postgres.h"

#include "trigger/protect_trigger.h"

#include "access/htup_details.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/tuptable.h"

#include "base/catalog.h"
#include "base/error.h"
#include "pin/pin.h"
#include "table/column.h"
#include "table/row_movement.h"
#include "table/triggers.h"
#include "trigger/account_history.h"
#include "trigger/pin_change.h"
#include "trigger/stamp.h"
#include "trigger/trigger_call.h"

PG_FUNCTION_INFO_V1(port_pin_protect_trigger);

/* What a trigger goes by. */
typedef struct Protection
{
	AttrNumber	pin;			/* 0 in a guard of a lock alone */
	bool		clearable;
	List	   *key;			/* columns of a row that stays; NIL if it need
								 * not */
	AccountHistory *history;	/* NULL if none is kept */
	bool		asks_for_new;	/* of readable PINs, by the rules that follow */
	NewPinRules new_pin;
	bool		stamps;
	StampedColumns stamped;
} Protection;

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

static void
refuse_before(void)
{
	ReportTriggerMisuse(PROTECT_TRIGGER, "must be fired AFTER",
						"Triggers that fire BEFORE can be followed by others that change the row.");
}

/* Let every meaningful use of the trigger pass, before any row is touched. */
static TriggerData *
check_call(FunctionCallInfo fcinfo)
{
	TriggerData *trigdata = CheckTriggerCall(fcinfo, PROTECT_TRIGGER);
	TriggerEvent event = trigdata->tg_event;
	Relation	table = trigdata->tg_relation;

	if (TRIGGER_FIRED_BY_TRUNCATE(event))
		return trigdata;
	if (!TRIGGER_FIRED_FOR_ROW(event))
		ReportTriggerMisuse(PROTECT_TRIGGER, "must be fired for each row",
							"Create the trigger with FOR EACH ROW.");
	if (TRIGGER_FIRED_BEFORE(event) && TRIGGER_FIRED_BY_DELETE(event))
		refuse_before();
	if (table->rd_rel->relispartition && !TRIGGER_FIRED_BY_UPDATE(event) &&
		!CanFollowRowMovement(table))
		ReportTriggerMisuse(PROTECT_TRIGGER, "can't follow row movement in this partition",
							"Only ordinary tables of access method heap tell a row that moves from one that is deleted.");
	return trigdata;
}

/* The guard whose trigger this is: this one states the rules, or another does. */
static AccountGuard *
guard_of_trigger(const TriggerData *trigdata, Oid domain)
{
	Relation	table = trigdata->tg_relation;
	AccountGuard *guard = ReadAccountGuard(table, trigdata->tg_trigger, domain);
	AccountGuard *stated = StatesRules(trigdata->tg_trigger) ? guard :
	GuardOfPin(FindAccountGuards(table, domain), OptionColumn(guard->rules[RULE_PIN]));

	if (TRIGGER_FIRED_BEFORE(trigdata->tg_event) &&
		(stated == NULL || !StampsRows(stated->rules)))
		refuse_before();
	if (stated == NULL)
		ereport_without_context(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
								errmsg("no trigger AFTER UPDATE states the rules of this guard"),
								errhint("Install the guard again with port_pin_protect(..., replace => true) and the options that it had: its other triggers don't know them."),
								errtableconstraint(table, guard->trigger));
	return stated;
}

static void *
find_protection(const TriggerData *trigdata, Oid domain)
{
	Protection *protection = palloc0(sizeof(Protection));
	Relation	table = trigdata->tg_relation;
	char	  **rules = guard_of_trigger(trigdata, domain)->rules;

	protection->clearable = rules[RULE_CLEARABLE] != NULL;
	protection->key = FindColumns(table, OptionColumns(rules[RULE_KEY]));
	if (rules[RULE_PIN] == NULL)
		return protection;
	protection->pin = FindPinColumn(table, OptionColumn(rules[RULE_PIN]), domain);
	protection->asks_for_new = AsksForNewPins(rules) &&
		!ColumnIsSealed(table, protection->pin, domain);
	FindNewPinRules(table, rules, &protection->new_pin);
	protection->stamps = StampsRows(rules);
	FindStampedColumns(table, rules, protection->pin, &protection->stamped);
	protection->history = FindAccountHistory(table, rules, domain);
	return protection;
}

/* The rule itself, for a row with a PIN before and after an UPDATE, moved or not. */
static void
keep_pin(TriggerData *trigdata, const Protection *protection,
		 TupleTableSlot *old, TupleTableSlot *new)
{
	ListCell   *lc;

	if (!RowHasPin(old, protection->pin))
		return;
	if (!protection->clearable && !RowHasPin(new, protection->pin))
		refuse(trigdata, "a port PIN that is set can't be cleared",
			   "Change it to another PIN of 6 to 10 digits.");
	foreach(lc, protection->key)
	{
		if (!SameColumnValue(old, new, lfirst_int(lc)))
			refuse_another_key(trigdata);
	}
}

/* New digits must be ones that the rules allow. */
static void
check_new_digits(TriggerData *trigdata, const Protection *protection,
				 TupleTableSlot *old, TupleTableSlot *new)
{
	PinChange	change = ComparePins(old, new, protection->pin);
	bool		isnull;
	Datum		value = slot_getattr(new, protection->pin, &isnull);
	text	   *pin;

	if (change != PIN_SET && change != PIN_CHANGED)
		return;
	pin = PinFromDatum(value, isnull);
	CheckNewPin(trigdata, &protection->new_pin, protection->pin, pin, new);
	PinFreeIfCopy(pin, value);
}

/*
 * Keep the PIN of a row, check it by the rules, and record what happened to it.  A
 * new row has no old one.
 */
static void
pass_row(TriggerData *trigdata, const Protection *protection,
		 TupleTableSlot *old, TupleTableSlot *new)
{
	if (old != NULL)
		keep_pin(trigdata, protection, old, new);
	if (protection->asks_for_new)
		check_new_digits(trigdata, protection, old, new);
	if (protection->stamps)
		CheckStamps(trigdata, &protection->stamped, old, new);
	if (protection->history != NULL)
		WriteAccountChange(protection->history, old, new);
}

/* AFTER INSERT: if the row was moved here, it was updated. */
static void
pass_inserted_row(TriggerData *trigdata, const Protection *protection)
{
	TupleTableSlot *old = trigdata->tg_relation->rd_rel->relispartition ?
	RecallRowMovement(trigdata) : NULL;

	pass_row(trigdata, protection, old, trigdata->tg_trigslot);
	if (old != NULL)
		FreeMovedRow(old);
}

/*
 * AFTER DELETE: a row that is deleted, or the first half of a movement to another
 * partition.  With key=, the movement is refused here: it changes the partition key,
 * which is part of any key of the whole table, and its INSERT may never come, since
 * other triggers can suppress it.
 */
static void
pass_deleted_row(TriggerData *trigdata, const Protection *protection)
{
	bool		moves = HeapTupleHeaderIndicatesMovedPartitions(trigdata->tg_trigtuple->t_data);

	if (protection->key != NIL && RowHasPin(trigdata->tg_trigslot, protection->pin))
	{
		if (moves)
			refuse_another_key(trigdata);
		refuse(trigdata, "a row with a port PIN can't be deleted",
			   "The PIN would be gone with it, and could be left blank when the row is created again.");
	}
	if (moves)
		RememberRowMovement(trigdata);
	else if (protection->history != NULL)
		WriteAccountDeleted(protection->history, trigdata->tg_trigslot);
}

static Datum
protect(FunctionCallInfo fcinfo)
{
	TriggerData *trigdata = check_call(fcinfo);
	TriggerEvent event = trigdata->tg_event;
	const Protection *protection;

	if (TRIGGER_FIRED_BY_TRUNCATE(event))
		refuse(trigdata, "a table that keeps port PINs can't be truncated",
			   "Delete rows instead: each is looked at.");

	protection = FindOncePerStatement(fcinfo, find_protection);
	if (TRIGGER_FIRED_BEFORE(event))
		return PointerGetDatum(StampRow(fcinfo, &protection->stamped));
	if (TRIGGER_FIRED_BY_UPDATE(event))
		pass_row(trigdata, protection, trigdata->tg_trigslot, trigdata->tg_newslot);
	else if (TRIGGER_FIRED_BY_INSERT(event))
		pass_inserted_row(trigdata, protection);
	else
		pass_deleted_row(trigdata, protection);
	return PointerGetDatum(NULL);
}

/*
 * port_pin_protect_trigger() returns trigger
 *
 * AFTER UPDATE it states the rules of a guard; its arguments are those of
 * port_pin_protect(), columns by name and switches as "yes", and key=, the primary
 * key, for forbid_delete.  AFTER INSERT, AFTER DELETE, on TRUNCATE, and BEFORE INSERT
 * OR UPDATE for the columns that it writes, it takes only pin=.  Without pin=, the
 * column of type port_pin or port_pin_sealed is meant.
 * 23PN0 for what it forbids, 23514 for a new PIN that the rules don't allow, 39P01
 * where it is attached wrongly or a column of its own was changed.
 */
Datum
port_pin_protect_trigger(PG_FUNCTION_ARGS)
{
	return CallWithoutContext(fcinfo, protect);
}

/*
 * What the trigger checks before it looks at a row.  The view port_pin_guards calls
 * it to report what the trigger would.
 */
void
CheckProtectTrigger(FunctionCallInfo fcinfo)
{
	TriggerData *trigdata = check_call(fcinfo);
	Oid			domain = PortPinDomain(fcinfo->flinfo->fn_oid);

	if (TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
		(void) ReadAccountGuard(trigdata->tg_relation, trigdata->tg_trigger, domain);
	else
		(void) find_protection(trigdata, domain);
}

/*
 * Is a row with a PIN there to stay?  If not, an account without a PIN could have
 * been put in its place.
 */
bool
ForbidsDelete(Relation accounts, const AccountGuard *guard,
			  int nkeys, const AttrNumber *keys, Oid domain)
{
	List	   *kept = FindColumns(accounts, OptionColumns(guard->rules[RULE_KEY]));
	bool		partitioned = accounts->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	int16		events = 0;
	int16		needed = TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE | TRIGGER_TYPE_TRUNCATE |
	(partitioned ? TRIGGER_TYPE_INSERT : 0);
	ListCell   *lc;

	foreach(lc, CopyTriggers(accounts, PortPinTrigger(PROTECT_TRIGGER, domain)))
	{
		const Trigger *trigger = lfirst(lc);

		if (TriggerFiresOnOrigin(trigger) &&
			!(TRIGGER_FOR_ROW(trigger->tgtype) && TRIGGER_FOR_BEFORE(trigger->tgtype)) &&
			SamePin(ReadAccountGuard(accounts, trigger, domain), guard))
			events |= trigger->tgtype;
	}
	for (int i = 0; i < nkeys; i++)
	{
		if (!list_member_int(kept, keys[i]))
			return false;
	}
	return (events & needed) == needed;
}
