/*
 * stamp.c
 *		Columns that are written for the PIN alone: when it was changed, and used.
 *
 * The last BEFORE trigger writes them.  When the PIN gets other digits, its change
 * is stamped with the time by the clock, since the transaction could have begun a
 * week ago, and its use with NULL; when the PIN is cleared, both become NULL.
 * Otherwise the old row's value stays, whatever the statement says: applications
 * write back what they have loaded.  AFTER, the guard checks that what was stamped
 * is what is stored, since a trigger that fires later could change it.
 *
 * Where replication applies changes, rows bring their stamps along.
 */
#include "postgres.h"

#include "trigger/stamp.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "utils/timestamp.h"

#include "base/error.h"
#include "pin/pin.h"
#include "pin/seal.h"
#include "table/column.h"
#include "table/row_movement.h"
#include "trigger/pin_change.h"

const Stamp stamps[NUM_STAMPS] = {
	{RULE_CHANGED, true},
	{RULE_USED, false}			/* the gate writes it, past all triggers
								 * (use.c) */
};

bool
StampsRows(char **rules)
{
	for (int i = 0; i < NUM_STAMPS; i++)
	{
		if (rules[stamps[i].rule] != NULL)
			return true;
	}
	return false;
}

void
FindStampedColumns(Relation table, char **rules, AttrNumber pin, StampedColumns *stamped)
{
	stamped->pin = pin;
	for (int i = 0; i < NUM_STAMPS; i++)
		stamped->columns[i] = RuleColumn(table, rules, stamps[i].rule);
}

static bool
stamps_come_along(void)
{
	return SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA;
}

/* A stamp is not older than its statement, even if the clock was set back. */
static Datum
stamp_of_now(void)
{
	return TimestampTzGetDatum(Max(GetCurrentTimestamp(),
								   GetCurrentStatementStartTimestamp()));
}

/* Does a stamp hold the time of what happened to the PIN?  Else it is NULL. */
static bool
has_time(const Stamp *stamp, PinChange change)
{
	return stamp->is_time && (change == PIN_SET || change == PIN_CHANGED);
}

/* The value that a stamp must have in the row that is written. */
static Datum
stamp_for(const Stamp *stamp, PinChange change, TupleTableSlot *old, AttrNumber column,
		  bool *isnull)
{
	if (change == PIN_SAME && old != NULL)
		return slot_getattr(old, column, isnull);
	*isnull = !has_time(stamp, change);
	return *isnull ? (Datum) 0 : stamp_of_now();
}

/* The row with the stamps that it must have; the row itself if it has them already. */
static HeapTuple
write_stamps(Relation table, const StampedColumns *stamped, TupleTableSlot *old,
			 TupleTableSlot *new, HeapTuple row)
{
	PinChange	change = ComparePins(old, new, stamped->pin);
	int			columns[NUM_STAMPS];
	Datum		values[NUM_STAMPS];
	bool		nulls[NUM_STAMPS];
	int			ncolumns = 0;

	for (int i = 0; i < NUM_STAMPS; i++)
	{
		AttrNumber	column = stamped->columns[i];

		if (column == InvalidAttrNumber ||
			(change == PIN_SAME && old != NULL && SameColumnValue(old, new, column)))
			continue;
		values[ncolumns] = stamp_for(&stamps[i], change, old, column, &nulls[ncolumns]);
		CheckColumnAllows(table, column, values[ncolumns], nulls[ncolumns]);
		columns[ncolumns++] = column;
	}
	return ncolumns == 0 ? row :
		heap_modify_tuple_by_cols(row, RelationGetDescr(table), ncolumns,
								  columns, values, nulls);
}

/* BEFORE: the row with its stamps.  One that moves to another partition keeps them. */
HeapTuple
StampRow(FunctionCallInfo fcinfo, const StampedColumns *stamped)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	bool		update = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event);
	TupleTableSlot *old = update ? trigdata->tg_trigslot :
	RecallExpectedRowMovement(trigdata);
	TupleTableSlot *new = update ? trigdata->tg_newslot : trigdata->tg_trigslot;
	HeapTuple	row = update ? trigdata->tg_newtuple : trigdata->tg_trigtuple;

	if (!stamps_come_along())
		row = write_stamps(trigdata->tg_relation, stamped, old, new, row);
	if (update)
		ExpectRowMovement(fcinfo, row);
	else if (old != NULL)
		FreeMovedRow(old);
	return row;
}


/* ----- Is that what was stored? ----- */

/* Is this the stamp of a PIN that has just been set, changed or cleared? */
static bool
is_new_stamp(const Stamp *stamp, TupleTableSlot *row, AttrNumber column, PinChange change)
{
	bool		isnull;
	Datum		value = slot_getattr(row, column, &isnull);

	if (!has_time(stamp, change))
		return isnull;
	return !isnull &&
		DatumGetTimestampTz(value) >= GetCurrentStatementStartTimestamp() &&
		DatumGetTimestampTz(value) <= DatumGetTimestampTz(stamp_of_now());
}

static bool
is_readable(const text *pin)
{
	return !PinIsBlank(pin) && !PinIsSealed(pin);
}

static bool
pin_is(TupleTableSlot *row, AttrNumber column, bool (*what) (const text *))
{
	bool		isnull;
	Datum		value = slot_getattr(row, column, &isnull);
	text	   *pin = PinFromDatum(value, isnull);
	bool		is = pin != NULL && what(pin);

	PinFreeIfCopy(pin, value);
	return is;
}

/*
 * AFTER: refuse a stamp that is not the guard's; old is NULL for a new row.  Where a
 * readable PIN was sealed, the stamp may be the old one or a new one: it went by the
 * digits, and hashing them once more would cost too much.
 */
void
CheckStamps(const TriggerData *trigdata, const StampedColumns *stamped,
			TupleTableSlot *old, TupleTableSlot *new)
{
	bool		sealed = old != NULL && pin_is(old, stamped->pin, is_readable) &&
	pin_is(new, stamped->pin, PinIsSealed);
	PinChange	change = sealed ? PIN_CHANGED : ComparePins(old, new, stamped->pin);
	bool		may_stay = old != NULL && (sealed || change == PIN_SAME);
	bool		may_be_new = !may_stay || sealed;

	if (stamps_come_along())
		return;
	for (int i = 0; i < NUM_STAMPS; i++)
	{
		AttrNumber	column = stamped->columns[i];

		if (column == InvalidAttrNumber ||
			(may_stay && SameColumnValue(old, new, column)) ||
			(may_be_new && is_new_stamp(&stamps[i], new, column, change)))
			continue;
		ereport_without_context(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
								errmsg("column \"%s\" is not as the guard of the port PIN has written it",
									   ColumnName(trigdata->tg_relation, column)),
								errdetail("The trigger that writes it is missing or disabled, or another one fires after it and changed the row."),
								errhint("port_pin_guards tells which trigger it is."),
								errtableconstraint(trigdata->tg_relation,
												   trigdata->tg_trigger->tgname));
	}
}
