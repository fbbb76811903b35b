/*
 * failure_record.c
 *		Write to the table port_pin_failures, and tell all sessions of it.
 *
 * Rows are written by record.c, and no user code runs.  (The executor's own
 * ExecSimpleRelationUpdate() would raise an error if another session has lifted the
 * same lock-out, but then there is just nothing left to do.)
 */
#include "postgres.h"

#include "failure/failure_record.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/error.h"
#include "failure/failure_log.h"
#include "failure/failure_wait.h"
#include "failure/record.h"
#include "table/column.h"

PG_FUNCTION_INFO_V1(port_pin_failures_trigger);

const char *const failure_columns[FAILURE_FIELDS] = {
	[FAILURE_ACCOUNT_SCHEMA] = "account_schema",
	[FAILURE_ACCOUNT_TABLE] = "account_table",
	[FAILURE_ORDER_SCHEMA] = "order_schema",
	[FAILURE_ORDER_TABLE] = "order_table",
	[FAILURE_SOURCE] = "source",
	[FAILURE_ROLE_NAME] = "role_name",
	[FAILURE_LOGIN_NAME] = "login_name",
	[FAILURE_CLIENT_ADDR] = "client_addr",
	[FAILURE_APPLICATION_NAME] = "application_name",
};


/* A source that is longer is cut: it must fit into an index. */
#define MAX_SOURCE_BYTES 512

/* What a source is called on record. */
const char *
RecordedSource(const char *source)
{
	return strlen(source) <= MAX_SOURCE_BYTES ? source :
		CutToDigest(source, CStringGetTextDatum(source));
}


/* ----- Telling all sessions ----- */

/*
 * What sessions know of the record no longer holds: for this one from its next
 * command, and again if it rolls back; for others when it commits.
 */
static void
tell_all_sessions(Oid domain)
{
	CacheInvalidateRelcacheByRelid(PortPinTable(FAILURE_SIGNAL, domain));
}

/*
 * port_pin_failures_trigger() returns trigger
 *
 * On the record itself: tells all sessions of changes that portpin did not make, as
 * when rows are restored, replicated or purged.
 */
Datum
port_pin_failures_trigger(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo) ||
		!TRIGGER_FIRED_AFTER(((TriggerData *) fcinfo->context)->tg_event))
		ereport_without_context(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
								errmsg("port_pin_failures_trigger() can only be a trigger of the table port_pin_failures"),
								errhint("Drop this trigger: the extension has created those that are needed."));
	tell_all_sessions(PortPinDomain(fcinfo->flinfo->fn_oid));
	PG_RETURN_POINTER(NULL);
}


/* ----- Writing ----- */

static void
set_field(RecordWriter *writer, FailureField field, const char *value)
{
	if (field == FAILURE_CLIENT_ADDR)
		SetRecordAddress(writer, failure_columns[field], value);
	else
		SetRecordText(writer, failure_columns[field], value);
}

/* Write a failure down.  The caller commits it. */
void
AppendFailure(Oid domain, const Failure *failure)
{
	Relation	table = table_open(PortPinTable(FAILURE_TABLE, domain), RowExclusiveLock);
	const FailureSubject subject = {.account = &(const AccountKey) {0}};
	TimestampTz deadline = 0;
	RecordWriter writer;

	/* Without its index it would not count. */
	(void) FindFailureIndex(table, &subject, &deadline);
	writer = BeginWriting(table);
	SetRecordColumn(&writer, "failed_at", TIMESTAMPTZOID,
					TimestampTzGetDatum(GetCurrentTimestamp()));
	SetRecordColumn(&writer, "account_key", TEXTARRAYOID,
					PointerGetDatum(failure->account_key));
	SetRecordColumn(&writer, "pid", INT4OID, Int32GetDatum(failure->pid));
	for (int field = 0; field < FAILURE_FIELDS; field++)
		set_field(&writer, field, failure->fields[field]);
	AppendRecord(&writer);
	EndWriting(&writer);
	tell_all_sessions(domain);
	table_close(table, NoLock);
}


/* ----- Lifting lock-outs ----- */

/*
 * Mark the rows that a scan finds, unless they are marked already.  How many?  A
 * row that has the other mark is not the version that was first written; one that has
 * none can be lifted even if it is newer than the transaction's snapshot.
 */
static int64
mark_rows(Relation table, IndexScanDesc scan, bool of_account, Snapshot snapshot)
{
	AttrNumber	of_accounts = FindColumnOfType(table, "lifted_at", TIMESTAMPTZOID);
	AttrNumber	of_sources = FindColumnOfType(table, "source_lifted_at", TIMESTAMPTZOID);
	AttrNumber	mark = of_account ? of_accounts : of_sources;
	AttrNumber	other = of_account ? of_sources : of_accounts;
	TupleTableSlot *row = table_slot_create(table, NULL);
	RecordWriter writer = BeginWriting(table);
	int64		count = 0;

	while (index_getnext_slot(scan, ForwardScanDirection, row))
	{
		if (!slot_attisnull(row, mark))
			continue;
		if (!slot_attisnull(row, other))
			CheckSnapshotShows(table, row);
		if (StampRecord(&writer, row, mark, GetCurrentTimestamp(), snapshot))
			count++;
	}
	EndWriting(&writer);
	ExecDropSingleTupleTableSlot(row);
	return count;
}

/*
 * Make the failures of an account, or of a source, since some time no longer count;
 * how many did?  The lock-outs of the account and of the source are lifted separately.
 */
int64
LiftFailures(Oid domain, const FailureSubject *subject, TimestampTz since)
{
	TimestampTz deadline = 0;
	Relation	table = table_open(PortPinTable(FAILURE_TABLE, domain), RowExclusiveLock);
	Relation	index = index_open(FindFailureIndex(table, subject, &deadline),
								   AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	IndexScanDesc scan = BeginFailureScan(table, index, subject, since, snapshot);
	int64		count = mark_rows(table, scan, subject->account != NULL, snapshot);

	index_endscan(scan);
	UnregisterSnapshot(snapshot);
	index_close(index, NoLock);
	tell_all_sessions(domain);
	table_close(table, NoLock);
	return count;
}
