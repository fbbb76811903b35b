/*
 * pin_change.c
 *		What an INSERT or UPDATE does to a PIN, and whether it may.
 *
 * A PIN changes when its digits do.  Setting the same one again, sealing a readable
 * one, or writing blank in another way is no change.
 *
 * forbid_weak and unlike apply to new digits only: to a PIN that is set or changed.
 * A PIN that a row has already stays good.
 */
#include "postgres.h"

#include "trigger/pin_change.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "base/error.h"
#include "base/setting.h"
#include "pin/pin.h"
#include "pin/seal.h"
#include "pin/weak.h"
#include "table/column.h"


/* ----- Other digits? ----- */

static PinChange
compare(const text *old, const text *new)
{
	if (PinIsBlank(old))
		return PinIsBlank(new) ? PIN_SAME : PIN_SET;
	if (PinIsBlank(new))
		return PIN_CLEARED;
	return SameDigits(old, new) ? PIN_SAME : PIN_CHANGED;
}

/* Does a row have a PIN?  The column is 0 where it can't have one. */
bool
RowHasPin(TupleTableSlot *row, AttrNumber column)
{
	bool		isnull;
	Datum		value;
	text	   *pin;
	bool		has;

	if (column == InvalidAttrNumber)
		return false;
	value = slot_getattr(row, column, &isnull);
	pin = PinFromDatum(value, isnull);
	has = !PinIsBlank(pin);
	PinFreeIfCopy(pin, value);
	return has;
}

/* What happened to the PIN of a row; old is NULL for a new row. */
PinChange
ComparePins(TupleTableSlot *old, TupleTableSlot *new, AttrNumber pin)
{
	bool		old_isnull = true;
	bool		new_isnull;
	Datum		old_value = old == NULL ? (Datum) 0 : slot_getattr(old, pin, &old_isnull);
	Datum		new_value = slot_getattr(new, pin, &new_isnull);
	text	   *old_pin = PinFromDatum(old_value, old_isnull);
	text	   *new_pin = PinFromDatum(new_value, new_isnull);
	PinChange	change = compare(old_pin, new_pin);

	PinFreeIfCopy(old_pin, old_value);
	PinFreeIfCopy(new_pin, new_value);
	return change;
}


/* ----- May it be set? ----- */

bool
AsksForNewPins(char **rules)
{
	return rules[RULE_FORBID_WEAK] != NULL || rules[RULE_UNLIKE] != NULL;
}

void
FindNewPinRules(Relation table, char **rules, NewPinRules *new_pin)
{
	new_pin->forbid_weak = rules[RULE_FORBID_WEAK] != NULL;
	new_pin->unlike = FindColumns(table, OptionColumns(rules[RULE_UNLIKE]));
}

/* The first column that the PIN is like but must not be; 0 if there is none. */
static AttrNumber
find_like(const NewPinRules *rules, Relation table, const text *pin, TupleTableSlot *row)
{
	ListCell   *lc;

	foreach(lc, rules->unlike)
	{
		AttrNumber	column = lfirst_int(lc);
		bool		isnull;
		Datum		value = slot_getattr(row, column, &isnull);
		Oid			type = TupleDescAttr(RelationGetDescr(table), column - 1)->atttypid;

		if (!isnull && PinIsLike(pin, TextOfValue(type, value)))
			return column;
	}
	return InvalidAttrNumber;
}

/*
 * Refuse digits that the rules forbid.  A value that is no PIN is not judged: a
 * column's type or CHECK says what may be stored.
 */
void
CheckNewPin(const TriggerData *trigdata, const NewPinRules *rules,
			AttrNumber column, const text *pin, TupleTableSlot *row)
{
	Relation	table = trigdata->tg_relation;
	AttrNumber	like;

	if (!PinIsValid(pin))
		return;
	if (rules->forbid_weak && DigitsAreWeak(VARDATA_ANY(pin), VARSIZE_ANY_EXHDR(pin)))
		ereport_without_context(errcode(ERRCODE_CHECK_VIOLATION),
								errmsg("the new port PIN is one that guessers try first"),
								errhint("Choose another one; port_pin_generate() draws PINs that are not easy to guess."),
								errtablecol(table, column));
	like = find_like(rules, table, pin, row);
	if (like != InvalidAttrNumber)
		ereport_without_context(errcode(ERRCODE_CHECK_VIOLATION),
								errmsg("the new port PIN repeats digits of column \"%s\"",
									   ColumnName(table, like)),
								errhint("Choose one that can't be guessed from what others know about the account."),
								errtablecol(table, column));
}
