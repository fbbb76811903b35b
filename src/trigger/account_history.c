/*
 * account_history.c
 *		What the history of an account records.
 *
 * A change is found by comparing the stored rows before and after it.  A PIN has
 * changed if its digits have (pin_change.c).  A row that moves to another partition
 * is the same row, under the key that it has after the move.
 */
#include "postgres.h"

#include "trigger/account_history.h"

#include "access/table.h"

#include "base/catalog.h"
#include "base/error.h"
#include "failure/history.h"
#include "table/column.h"
#include "trigger/pin_change.h"

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
	history->lock = RuleColumn(table, rules, RULE_LOCK);
	history->lock_until = RuleColumn(table, rules, RULE_LOCK_UNTIL);
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

/* What a change of the PIN is called. */
static const HistoryEvent pin_events[] = {
	[PIN_SET] = HISTORY_SET,
	[PIN_CHANGED] = HISTORY_CHANGED,
	[PIN_CLEARED] = HISTORY_CLEARED
};

/* Record what happened to an account whose row is stored; a new one has no old row. */
void
WriteAccountChange(const AccountHistory *history, TupleTableSlot *old, TupleTableSlot *new)
{
	AccountKey	account = AccountKeyOfRow(&history->identity, new);
	PinChange	change = ComparePins(old, new, history->pin);
	bool		was_locked = old != NULL &&
	RowIsLocked(old, history->lock, history->lock_until);
	bool		locked = RowIsLocked(new, history->lock, history->lock_until);

	if (change != PIN_SAME)
		WriteHistory(history->domain, pin_events[change], &account, NULL);
	if (locked != was_locked)
		WriteHistory(history->domain, locked ? HISTORY_LOCKED : HISTORY_UNLOCKED,
					 &account, NULL);
}

/* A row was deleted: record that if it had a PIN. */
void
WriteAccountDeleted(const AccountHistory *history, TupleTableSlot *old)
{
	AccountKey	account = AccountKeyOfRow(&history->identity, old);

	if (RowHasPin(old, history->pin))
		WriteHistory(history->domain, HISTORY_DELETED, &account, NULL);
}

/* An account's lock-out was lifted: record that if one of its guards keeps history. */
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
