/*
 * account_history.c
 *		What is told of an account in its history.
 *
 * A change is told by the row before and after it, as they are stored.  Blank is
 * blank, however it is written.  A PIN has changed if its digits have: it is compared
 * with its seal where it is sealed as it lies, and with the keys of that.  Of two
 * seals nothing can be said; the trigger that seals keeps the old one for the same
 * digits.  A row that moves to another partition is the same row, under the key that
 * it has then.
 */
#include "postgres.h"

#include "trigger/account_history.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/error.h"
#include "failure/history.h"
#include "pin/pin.h"
#include "pin/seal.h"
#include "table/column.h"

static AttrNumber
rule_column(Relation table, char **rules, AccountRule rule, Oid type)
{
	return rules[rule] == NULL ? InvalidAttrNumber :
		FindColumnOfType(table, OptionColumn(rules[rule]), type);
}

/* What a guard with these rules keeps history of; NULL if it keeps none. */
AccountHistory *
FindAccountHistory(Relation table, char **rules, Oid domain)
{
	AccountHistory *history;

	if (rules[RULE_HISTORY] == NULL)
		return NULL;
	history = palloc0(sizeof(AccountHistory));
	history->domain = domain;
	history->pin = FindPinColumn(table, OptionColumn(rules[RULE_PIN]), domain);
	history->lock = rule_column(table, rules, RULE_LOCK, BOOLOID);
	history->lock_until = rule_column(table, rules, RULE_LOCK_UNTIL, TIMESTAMPTZOID);
	DescribeAccountKey(table, 0, NULL, history->pin, &history->identity);
	if (history->identity.ncolumns == 0)
		ereport_without_context(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
								errmsg("table \"%s\" has no primary key",
									   RelationGetRelationName(table)),
								errdetail("Its history tells the accounts by their primary key."),
								errhint("Add a primary key, or install the guard without history."),
								errtable(table));
	return history;
}

/* The PIN of a row that may not be there; NULL where blank.  To be wiped. */
static text *
pin_of_row(const AccountHistory *history, TupleTableSlot *row)
{
	bool		isnull = true;
	Datum		value = row == NULL ? (Datum) 0 : slot_getattr(row, history->pin, &isnull);
	text	   *pin = CopyPin(value, isnull);

	if (pin == NULL || !PinIsBlank(pin))
		return pin;
	WipePin(pin);
	return NULL;
}

static bool
is_locked(const AccountHistory *history, TupleTableSlot *row)
{
	bool		isnull;
	Datum		value;

	if (history->lock != InvalidAttrNumber)
	{
		value = slot_getattr(row, history->lock, &isnull);
		if (!isnull && DatumGetBool(value))
			return true;
	}
	if (history->lock_until == InvalidAttrNumber)
		return false;
	value = slot_getattr(row, history->lock_until, &isnull);
	return !isnull && DatumGetTimestampTz(value) > GetCurrentTimestamp();
}

/* What became of the PIN?  False if nothing did. */
static bool
pin_event(const text *old, const text *new, bool deleted, HistoryEvent *event)
{
	if (old == NULL && new == NULL)
		return false;
	if (old == NULL)
		*event = HISTORY_SET;
	else if (new == NULL)
		*event = deleted ? HISTORY_DELETED : HISTORY_CLEARED;
	else
		*event = HISTORY_CHANGED;
	return *event != HISTORY_CHANGED || !SameDigits(old, new);
}

/*
 * Write down what became of an account.  There is no old row of a new one, and no new
 * one of a row that was deleted.
 */
void
WriteAccountChange(const AccountHistory *history, TupleTableSlot *old, TupleTableSlot *new)
{
	AccountKey	account = AccountKeyOfRow(&history->identity, new == NULL ? old : new);
	bool		was_locked = old != NULL && is_locked(history, old);
	bool		locked = new == NULL ? was_locked : is_locked(history, new);
	text	   *old_pin = pin_of_row(history, old);
	text	   *new_pin = pin_of_row(history, new);
	HistoryEvent event;
	bool		told = pin_event(old_pin, new_pin, new == NULL, &event);

	if (old_pin != NULL)
		WipePin(old_pin);
	if (new_pin != NULL)
		WipePin(new_pin);
	if (told)
		WriteHistory(history->domain, event, &account, NULL);
	if (locked != was_locked)
		WriteHistory(history->domain, locked ? HISTORY_LOCKED : HISTORY_UNLOCKED,
					 &account, NULL);
}

/* An account's lock-out was lifted: write it down if one of its guards keeps history. */
void
WriteLockoutLifted(const AccountKey *account, Oid domain)
{
	Relation	table = table_open(account->table, AccessShareLock);
	bool		keeps_history = false;
	ListCell   *lc;

	foreach(lc, FindAccountGuards(table, domain))
		keeps_history |= ((AccountGuard *) lfirst(lc))->rules[RULE_HISTORY] != NULL;
	if (keeps_history)
		WriteHistory(domain, HISTORY_LOCKOUT_LIFTED, account, NULL);
	table_close(table, NoLock);
}
