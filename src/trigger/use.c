/*
 * use.c
 *		PINs that port once: whether one was used, and noting its use.
 *
 * An accepted order stamps the account in its own transaction, so both are stored or
 * neither.  All orders of one transaction may use the same PIN, as when an account
 * holder moves all numbers.
 *
 * Two sessions can't both use a PIN: before an order is accepted, the gate locks the
 * account as an UPDATE does, and judges anew if it has changed meanwhile.  A wrong
 * PIN locks nothing, so guessing can't keep an account from being changed.  Rows are
 * locked in the sequence of the port orders: two bulk statements with the same
 * accounts in opposite sequence can deadlock (40P01), as UPDATEs could.
 *
 * The stamp is written by the access method, as portpin's own records are: no
 * trigger of the accounts runs and no privilege on them is needed.  It goes to the
 * newest version of the row, since the PIN is read from that version; in REPEATABLE
 * READ that fails with 40001 if the transaction's snapshot does not show it.
 */
#include "postgres.h"

#include "trigger/use.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/error.h"
#include "failure/history.h"
#include "failure/record.h"
#include "table/account_key.h"
#include "table/column.h"
#include "table/partition.h"

bool
WasUsed(const PathStep *step, const ReferencedRow *holder)
{
	return step->used != InvalidAttrNumber && !slot_attisnull(holder->columns, step->used);
}

/* All stamps of a transaction are one time, which tells them from those of others. */
static TimestampTz
stamp_of_transaction(void)
{
	return GetCurrentTransactionStartTimestamp();
}

/* Was it used by this transaction?  Then it wrote this version of the row itself. */
bool
WasUsedHere(const PathStep *step, const ReferencedRow *holder)
{
	bool		isnull;
	Datum		stamp = slot_getattr(holder->columns, step->used, &isnull);

	return !isnull && DatumGetTimestampTz(stamp) == stamp_of_transaction() &&
		WrittenHere(holder->slot);
}

/*
 * Lock a row, so that no other transaction can use its PIN before this one ends.
 * False if the row has changed since it was read.  An error if the row can't be
 * stamped because the transaction's snapshot is older.  Locks nothing where PINs port
 * many times.
 */
bool
HoldUnused(const PathStep *step, ReferencedRow *holder)
{
	Relation	table;
	TupleTableSlot *slot;
	TM_FailureData failure;
	TM_Result	result;

	if (step->used == InvalidAttrNumber)
		return true;
	table = table_open(holder->table, RowExclusiveLock);
	CheckSnapshotShows(table, holder->slot);
	slot = table_slot_create(table, NULL);
	result = table_tuple_lock(table, &holder->slot->tts_tid, GetLatestSnapshot(), slot,
							  GetCurrentCommandId(false), LockTupleNoKeyExclusive,
							  LockWaitBlock, 0, &failure);
	ExecDropSingleTupleTableSlot(slot);
	table_close(table, NoLock);
	return result == TM_Ok;
}

/* Stamp the row, which is locked. */
static void
stamp(const PathStep *step, ReferencedRow *holder)
{
	Relation	table = table_open(holder->table, RowExclusiveLock);
	char	   *name = get_attname(step->key.referenced, step->used, false);
	RecordWriter writer;

	CheckCmdReplicaIdentity(table, CMD_UPDATE);
	writer = BeginWriting(table);
	if (!StampRecord(&writer, holder->slot, FindColumn(table, name),
					 stamp_of_transaction(), GetLatestSnapshot()))
		ereport_without_context(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
								errmsg("the account of a port order is being changed by the command that placed it"),
								errhint("Place the order in a command of its own: its port PIN is used by it."),
								errtable(table));
	EndWriting(&writer);
	table_close(table, NoLock);
}

/* The order as the history records it, without its key if that contains the PIN. */
static RecordedOrder
record_order(Relation orders, TupleTableSlot *order, AttrNumber pin)
{
	RecordedOrder recorded = {.table = RootOfPartitions(orders)};
	AccountIdentity identity;

	DescribeAccountKey(orders, 0, NULL, InvalidAttrNumber, &identity);
	for (int i = 0; i < identity.ncolumns; i++)
	{
		if (identity.columns[i] == pin)
			return recorded;
	}
	if (identity.ncolumns > 0)
		recorded.key = AccountKeyOfRow(&identity, order).columns;
	return recorded;
}

/* A stored order has used the PIN of a row, which is locked: note that. */
void
NoteUse(const PathStep *step, ReferencedRow *holder, Relation orders,
		TupleTableSlot *order, AttrNumber order_pin, Oid domain)
{
	if (step->history)
	{
		AccountKey	account = AccountKeyOfRow(&step->identity, holder->columns);
		RecordedOrder recorded = record_order(orders, order, order_pin);

		WriteHistory(domain, HISTORY_USED, &account, &recorded);
	}
	if (step->used != InvalidAttrNumber && !WasUsedHere(step, holder))
		stamp(step, holder);
}
