/*
 * failure_record.c
 *		Write to the table port_pin_failures, and tell all sessions of it.
 *
 * Rows are written through the table access method and the indexes alone: no
 * trigger, rule, default or CHECK of the table runs, and no privilege is to be had
 * by adding one.  An index may call functions: these run as the table's owner,
 * restricted as in REINDEX.  (The executor's own ExecSimpleRelationInsert() would
 * check constraints, so that one which somebody adds could end the sessions of
 * others; and its twin for updates raises an error where somebody else has lifted
 * the same lock-out, which here is nothing left to do.)
 *
 * Columns are looked up by name.  The table is portpin's own: a column that
 * somebody adds stays NULL.
 */
#include "postgres.h"

#include "failure/failure_record.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/error.h"
#include "failure/failure_log.h"
#include "failure/failure_wait.h"
#include "table/column.h"

PG_FUNCTION_INFO_V1(port_pin_failures_trigger);

const char *const failure_columns[FAILURE_FIELDS] = {
	[FAILURE_ACCOUNT_SCHEMA] = "account_schema",
	[FAILURE_ACCOUNT_TABLE] = "account_table",
	[FAILURE_ORDER_SCHEMA] = "order_schema",
	[FAILURE_ORDER_TABLE] = "order_table",
	[FAILURE_ROLE_NAME] = "role_name",
	[FAILURE_LOGIN_NAME] = "login_name",
	[FAILURE_CLIENT_ADDR] = "client_addr",
	[FAILURE_APPLICATION_NAME] = "application_name",
};


/* ----- Telling all sessions ----- */

/*
 * What sessions know of the record holds no more: for this one at its next command,
 * and if it rolls back once more; for others when it commits.
 */
static void
tell_all_sessions(Oid domain)
{
	CacheInvalidateRelcacheByRelid(PortPinTable(FAILURE_SIGNAL, domain));
}

/*
 * port_pin_failures_trigger() returns trigger
 *
 * On the record itself: tells all sessions of rows that portpin has not written, as
 * those that are restored, replicated or purged.
 */
Datum
port_pin_failures_trigger(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_AFTER(((TriggerData *) fcinfo->context)->tg_event))
		ereport(ERROR,
				errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				errmsg("port_pin_failures_trigger() is a trigger of the table port_pin_failures alone"),
				errhint("Drop this one: the extension has made those that are needed."));
	tell_all_sessions(PortPinDomain(fcinfo->flinfo->fn_oid));
	PG_RETURN_POINTER(NULL);
}


/* ----- Writing as the table's owner ----- */

typedef struct Writer
{
	Relation	table;
	EState	   *estate;
	ResultRelInfo *result;
	TupleTableSlot *slot;
	Oid			user;			/* who it was before */
	int			context;
} Writer;

static Writer
begin_writing(Relation table)
{
	Writer		writer;

	writer.table = table;
	GetUserIdAndSecContext(&writer.user, &writer.context);
	SetUserIdAndSecContext(table->rd_rel->relowner,
						   writer.context | SECURITY_RESTRICTED_OPERATION);
	writer.estate = CreateExecutorState();
	writer.result = makeNode(ResultRelInfo);
	InitResultRelInfo(writer.result, table, 0, NULL, 0);
	ExecOpenIndices(writer.result, false);
	writer.slot = table_slot_create(table, NULL);
	return writer;
}

static void
end_writing(Writer *writer)
{
	ExecDropSingleTupleTableSlot(writer->slot);
	ExecCloseIndices(writer->result);
	FreeExecutorState(writer->estate);
	SetUserIdAndSecContext(writer->user, writer->context);
}

static void
set_column(Writer *writer, const char *name, Oid type, Datum value)
{
	AttrNumber	column = FindColumnOfType(writer->table, name, type);

	writer->slot->tts_values[column - 1] = value;
	writer->slot->tts_isnull[column - 1] = false;
}

static void
set_field(Writer *writer, FailureField field, const char *value)
{
	if (value == NULL)
		return;
	if (field == FAILURE_CLIENT_ADDR)
		set_column(writer, failure_columns[field], INETOID,
				   DirectFunctionCall1(inet_in, CStringGetDatum(value)));
	else
		set_column(writer, failure_columns[field], TEXTOID, CStringGetTextDatum(value));
}

/* Nothing fills columns of the site's own, so they must allow NULL. */
static void
check_nothing_is_missing(Relation table, TupleTableSlot *row)
{
	for (int i = 0; i < RelationGetDescr(table)->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(table), i);

		if (attribute->attnotnull && !attribute->attisdropped && row->tts_isnull[i])
			ereport_without_context(errcode(ERRCODE_NOT_NULL_VIOLATION),
							errmsg("column \"%s\" of port_pin_failures is NOT NULL, and nothing fills it",
								   NameStr(attribute->attname)),
							errhint("Allow NULL in it, or drop it."),
							errtablecol(table, i + 1));
	}
}

/* Write a failure down.  Whoever calls this commits it. */
void
AppendFailure(Oid domain, const Failure *failure)
{
	Relation	table = table_open(PortPinTable(FAILURE_TABLE, domain), RowExclusiveLock);
	Writer		writer;

	(void) FindAccountIndex(table, DeadlineFromNow());	/* or it would not count */
	writer = begin_writing(table);
	memset(writer.slot->tts_isnull, true, RelationGetDescr(table)->natts * sizeof(bool));
	set_column(&writer, "failed_at", TIMESTAMPTZOID,
			   TimestampTzGetDatum(GetCurrentTimestamp()));
	set_column(&writer, "account_key", TEXTARRAYOID, PointerGetDatum(failure->account_key));
	set_column(&writer, "pid", INT4OID, Int32GetDatum(failure->pid));
	for (int field = 0; field < FAILURE_FIELDS; field++)
		set_field(&writer, field, failure->fields[field]);
	check_nothing_is_missing(table, writer.slot);
	ExecStoreVirtualTuple(writer.slot);
	table_tuple_insert(table, writer.slot, GetCurrentCommandId(true), 0, NULL);
	insert_index_entries(writer.result, writer.estate, writer.slot, false, false);
	end_writing(&writer);
	tell_all_sessions(domain);
	table_close(table, NoLock);
}


/* ----- Lifting lock-outs ----- */

/* Mark one row; false if somebody else did so or removed it. */
static bool
mark_row(Writer *writer, TupleTableSlot *row, AttrNumber mark, Snapshot snapshot)
{
	int			natts = RelationGetDescr(writer->table)->natts;

	slot_getallattrs(row);
	ExecClearTuple(writer->slot);
	memcpy(writer->slot->tts_values, row->tts_values, natts * sizeof(Datum));
	memcpy(writer->slot->tts_isnull, row->tts_isnull, natts * sizeof(bool));
	writer->slot->tts_values[mark - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	writer->slot->tts_isnull[mark - 1] = false;
	ExecStoreVirtualTuple(writer->slot);
	return update_row(writer->table, writer->result, writer->estate,
					  &row->tts_tid, writer->slot, snapshot);
}

/* Mark the rows that a scan finds, unless they are marked already.  How many? */
static int64
mark_rows(Relation table, IndexScanDesc scan, const char *column, Snapshot snapshot)
{
	AttrNumber	mark = FindColumnOfType(table, column, TIMESTAMPTZOID);
	TupleTableSlot *row = table_slot_create(table, NULL);
	Writer		writer = begin_writing(table);
	int64		count = 0;

	while (index_getnext_slot(scan, ForwardScanDirection, row))
	{
		if (slot_attisnull(row, mark) && mark_row(&writer, row, mark, snapshot))
			count++;
	}
	end_writing(&writer);
	ExecDropSingleTupleTableSlot(row);
	return count;
}

/* Let the failures at an account since some time count no more; how many did? */
int64
LiftAccountFailures(Oid domain, const AccountKey *account, TimestampTz since)
{
	Relation	table = table_open(PortPinTable(FAILURE_TABLE, domain), RowExclusiveLock);
	Relation	index = index_open(FindAccountIndex(table, DeadlineFromNow()), AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	IndexScanDesc scan = BeginAccountScan(table, index, account, since, snapshot);
	int64		count = mark_rows(table, scan, "lifted_at", snapshot);

	index_endscan(scan);
	UnregisterSnapshot(snapshot);
	index_close(index, NoLock);
	tell_all_sessions(domain);
	table_close(table, NoLock);
	return count;
}
