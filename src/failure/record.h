/*
 * record.h
 *		Rows of portpin's own tables, and who it was.
 */
#ifndef PORTPIN_RECORD_H
#define PORTPIN_RECORD_H

#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "utils/rel.h"

/* One who writes to a table of portpin's, in the name of its owner. */
typedef struct RecordWriter
{
	Relation	table;
	EState	   *estate;
	ResultRelInfo *result;
	TupleTableSlot *slot;		/* the row, all NULL at first */
	Oid			user;			/* who it was before */
	int			context;
} RecordWriter;

/* The session, as a record has it; NULL where there is nothing to say. */
typedef struct RecordedSession
{
	char	   *role_name;
	char	   *login_name;
	char	   *client_addr;
	char	   *application_name;
} RecordedSession;

extern RecordWriter BeginWriting(Relation table);
extern void SetRecordColumn(RecordWriter *writer, const char *name, Oid type, Datum value);
extern void SetRecordText(RecordWriter *writer, const char *name, const char *value);
extern void SetRecordAddress(RecordWriter *writer, const char *name, const char *value);
extern void AppendRecord(RecordWriter *writer);
extern void EndWriting(RecordWriter *writer);
extern RecordedSession DescribeSession(void);

#endif							/* PORTPIN_RECORD_H */
