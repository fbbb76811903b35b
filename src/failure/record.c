/*
 * record.c
 *		Rows that portpin itself writes, and whose session it was.
 *
 * Rows are written through the table access method and the indexes alone: no trigger,
 * rule, default or CHECK of the table runs, and adding one gains nobody a privilege.
 * What an index calls runs as the table's owner (owner.c).  (The executor's own
 * ExecSimpleRelationInsert() would check constraints, and a constraint that is added
 * could end the sessions of others.)
 *
 * Columns are looked up by name.  The tables that rows are added to are portpin's own:
 * a column that a site adds stays NULL.  In accounts only a stamp is written.
 */
#include "postgres.h"

#include "failure/record.h"

#include "access/sysattr.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/inet.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/error.h"
#include "table/column.h"


/* ----- Versions of a row ----- */

/* Did this transaction write this version of a stored row? */
bool
WrittenHere(TupleTableSlot *row)
{
	bool		isnull;
	Datum		xmin = slot_getsysattr(row, MinTransactionIdAttributeNumber, &isnull);

	return !isnull && TransactionIdIsCurrentTransactionId(DatumGetTransactionId(xmin));
}

/*
 * Rows are found with the newest snapshot.  In REPEATABLE READ the transaction's own
 * snapshot may show an older version of the row; replacing the newest one would show
 * the transaction both.  So it gets the error that an UPDATE would get.
 */
void
CheckSnapshotShows(Relation table, TupleTableSlot *row)
{
	if (!IsolationUsesXactSnapshot() || WrittenHere(row) ||
		table_tuple_satisfies_snapshot(table, row, GetTransactionSnapshot()))
		return;
	ereport_without_context(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
							errmsg("could not serialize access due to concurrent update"),
							errhint("Run the transaction again."),
							errtable(table));
}


/* ----- Writing as the table's owner ----- */

RecordWriter
BeginWriting(Relation table)
{
	RecordWriter writer;

	writer.table = table;
	writer.acting = ActAsOwner(table);
	writer.estate = CreateExecutorState();
	writer.result = makeNode(ResultRelInfo);
	InitResultRelInfo(writer.result, table, 0, NULL, 0);
	ExecOpenIndices(writer.result, false);
	writer.slot = table_slot_create(table, NULL);
	memset(writer.slot->tts_isnull, true, RelationGetDescr(table)->natts * sizeof(bool));
	return writer;
}

void
EndWriting(RecordWriter *writer)
{
	ExecDropSingleTupleTableSlot(writer->slot);
	ExecCloseIndices(writer->result);
	FreeExecutorState(writer->estate);
	StopActingAsOwner(&writer->acting);
}

void
SetRecordColumn(RecordWriter *writer, const char *name, Oid type, Datum value)
{
	AttrNumber	column = FindColumnOfType(writer->table, name, type);

	writer->slot->tts_values[column - 1] = value;
	writer->slot->tts_isnull[column - 1] = false;
}

void
SetRecordText(RecordWriter *writer, const char *name, const char *value)
{
	if (value != NULL)
		SetRecordColumn(writer, name, TEXTOID, CStringGetTextDatum(value));
}

void
SetRecordAddress(RecordWriter *writer, const char *name, const char *value)
{
	if (value != NULL)
		SetRecordColumn(writer, name, INETOID,
						DirectFunctionCall1(inet_in, CStringGetDatum(value)));
}

/* Nothing fills the site's own columns, so they must allow NULL. */
static void
check_nothing_is_missing(Relation table, TupleTableSlot *row)
{
	for (int i = 0; i < RelationGetDescr(table)->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(table), i);

		if (attribute->attnotnull && !attribute->attisdropped && row->tts_isnull[i])
			ereport_without_context(errcode(ERRCODE_NOT_NULL_VIOLATION),
									errmsg("column \"%s\" of %s is NOT NULL, and nothing fills it",
										   NameStr(attribute->attname),
										   RelationGetRelationName(table)),
									errhint("Allow NULL in it, or drop it."),
									errtablecol(table, i + 1));
	}
}

/* Store the row that was set.  It is committed with the transaction that it is in. */
void
AppendRecord(RecordWriter *writer)
{
	check_nothing_is_missing(writer->table, writer->slot);
	ExecStoreVirtualTuple(writer->slot);
	table_tuple_insert(writer->table, writer->slot, GetCurrentCommandId(true), 0, NULL);
	insert_index_entries(writer->result, writer->estate, writer->slot, false, false);
}

/* Write a time into a stored row; false if another session updated or deleted it. */
bool
StampRecord(RecordWriter *writer, TupleTableSlot *row, AttrNumber column,
			TimestampTz stamp, Snapshot snapshot)
{
	TupleDesc	columns = RelationGetDescr(writer->table);

	slot_getallattrs(row);
	ExecClearTuple(writer->slot);
	memcpy(writer->slot->tts_values, row->tts_values, columns->natts * sizeof(Datum));
	memcpy(writer->slot->tts_isnull, row->tts_isnull, columns->natts * sizeof(bool));
	writer->slot->tts_values[column - 1] = TimestampTzGetDatum(stamp);
	writer->slot->tts_isnull[column - 1] = false;
	ExecStoreVirtualTuple(writer->slot);

	/* All of them, as for INSERT, whatever they are generated from. */
	if (columns->constr != NULL && columns->constr->has_generated_stored)
		ExecComputeStoredGenerated(writer->result, writer->estate, writer->slot, CMD_INSERT);
	return update_row(writer->table, writer->result, writer->estate,
					  &row->tts_tid, writer->slot, snapshot);
}


/* ----- Who it was ----- */

/* The address that the session came from; NULL if from this machine. */
static char *
client_address(void)
{
	LOCAL_FCINFO(fcinfo, 0);
	Datum		address;

	InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
	address = inet_client_addr(fcinfo);
	return fcinfo->isnull ? NULL :
		DatumGetCString(DirectFunctionCall1(inet_out, address));
}

/* A role may have been dropped while it is in use. */
RecordedSession
DescribeSession(void)
{
	RecordedSession session = {0};

	session.role_name = GetUserNameFromId(GetOuterUserId(), true);
	session.login_name = GetUserNameFromId(GetSessionUserId(), true);
	session.client_addr = client_address();
	session.application_name = application_name;
	return session;
}
