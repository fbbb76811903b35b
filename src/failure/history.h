/*
 * history.h
 *		The table port_pin_history: what became of an account's PIN, by whom.
 */
#ifndef PORTPIN_HISTORY_H
#define PORTPIN_HISTORY_H

#include "utils/rel.h"

#include "table/account_key.h"

typedef enum HistoryEvent
{
	HISTORY_SET,
	HISTORY_CHANGED,
	HISTORY_CLEARED,
	HISTORY_USED,
	HISTORY_DELETED,
	HISTORY_LOCKED,
	HISTORY_UNLOCKED,
	HISTORY_LOCKOUT_LIFTED
} HistoryEvent;

/* The order that a PIN was used for. */
typedef struct RecordedOrder
{
	Oid			table;			/* the whole one, if it has partitions */
	ArrayType  *key;			/* text[]; NULL where orders have no primary
								 * key */
} RecordedOrder;

extern void WriteHistory(Oid domain, HistoryEvent event, const AccountKey *account,
						 const RecordedOrder *order);

#endif							/* PORTPIN_HISTORY_H */
