/*
 * history.c
 *		The table port_pin_history: what became of an account's PIN, by whom.
 *
 * A row is written in the transaction that did it, and rolled back with it.  It is
 * written through the access method, as failed attempts are: a role that changes
 * accounts needs no privilege on the history, and so can't forge it.  It holds neither
 * a PIN nor a seal.  There is no NOTIFY, as every role may LISTEN, and PREPARE
 * TRANSACTION would fail.
 */
#include "postgres.h"

#include "failure/history.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "failure/record.h"

#define HISTORY_TABLE "port_pin_history"

static const char *const events[] = {
	[HISTORY_SET] = "set",
	[HISTORY_CHANGED] = "changed",
	[HISTORY_CLEARED] = "cleared",
	[HISTORY_USED] = "used",
	[HISTORY_DELETED] = "deleted",
	[HISTORY_LOCKED] = "locked",
	[HISTORY_UNLOCKED] = "unlocked",
	[HISTORY_LOCKOUT_LIFTED] = "lockout_lifted",
};

/*
 * The time of this session's last event; it never goes stale.  No two events of a
 * session have the same time, whatever the clock does: the time is part of their key,
 * and tells their order.
 */
static TimestampTz last_event = 0;

static TimestampTz
time_of_event(void)
{
	TimestampTz now = GetCurrentTimestamp();

	last_event = Max(now, last_event + 1);
	return last_event;
}

static void
set_order(RecordWriter *writer, const RecordedOrder *order)
{
	RecordedTable name = RecordedNameOf(order->table);

	SetRecordText(writer, "order_schema", name.schema);
	SetRecordText(writer, "order_table", name.name);
	if (order->key != NULL)
		SetRecordColumn(writer, "order_key", TEXTARRAYOID, PointerGetDatum(order->key));
}

/* Write an event down; the order is NULL if there is none. */
void
WriteHistory(Oid domain, HistoryEvent event, const AccountKey *account,
			 const RecordedOrder *order)
{
	Relation	table = table_open(PortPinTable(HISTORY_TABLE, domain), RowExclusiveLock);
	RecordedTable name = RecordedNameOf(account->table);
	RecordedSession session = DescribeSession();
	RecordWriter writer = BeginWriting(table);

	SetRecordColumn(&writer, "event_at", TIMESTAMPTZOID, TimestampTzGetDatum(time_of_event()));
	SetRecordText(&writer, "account_schema", name.schema);
	SetRecordText(&writer, "account_table", name.name);
	SetRecordColumn(&writer, "account_key", TEXTARRAYOID, PointerGetDatum(account->columns));
	SetRecordText(&writer, "event", events[event]);
	if (order != NULL)
		set_order(&writer, order);
	SetRecordText(&writer, "role_name", session.role_name);
	SetRecordText(&writer, "login_name", session.login_name);
	SetRecordAddress(&writer, "client_addr", session.client_addr);
	SetRecordText(&writer, "application_name", session.application_name);
	SetRecordColumn(&writer, "pid", INT4OID, Int32GetDatum(MyProcPid));
	AppendRecord(&writer);
	EndWriting(&writer);
	table_close(table, NoLock);
}
