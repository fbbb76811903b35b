/*
 * record.h
 *		Rows that portpin itself writes, and whose session it was.
 */
#ifndef PORTPIN_RECORD_H
#define PORTPIN_RECORD_H

#include "access/attnum.h"
#include "datatype/timestamp.h"
#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "base/owner.h"

/* What it takes to write to a table as its owner. */
typedef struct RecordWriter
{
	Relation	table;
	EState	   *estate;
	ResultRelInfo *result;
	TupleTableSlot *slot;		/* the row, all NULL at first */
	ActingAsOwner acting;
} RecordWriter;

/* The session, as a record has it; NULL where there is nothing to say. */
typedef struct RecordedSession
{
	char	   *role_name;
	char	   *login_name;
	char	   *client_addr;
	char	   *application_name;
} RecordedSession;

extern bool WrittenHere(TupleTableSlot *row);
extern void CheckSnapshotShows(Relation table, TupleTableSlot *row);
extern RecordWriter BeginWriting(Relation table);
extern void SetRecordColumn(RecordWriter *writer, const char *name, Oid type, Datum value);
extern void SetRecordText(RecordWriter *writer, const char *name, const char *value);
extern void SetRecordAddress(RecordWriter *writer, const char *name, const char *value);
extern void AppendRecord(RecordWriter *writer);
extern bool StampRecord(RecordWriter *writer, TupleTableSlot *row, AttrNumber column,
						TimestampTz stamp, Snapshot snapshot);
extern void EndWriting(RecordWriter *writer);
extern RecordedSession DescribeSession(void);

#endif							/* PORTPIN_RECORD_H */
