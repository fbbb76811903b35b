/*
 * stamp.h
 *		Columns that are written for the PIN alone: when it was changed, and used.
 */
#ifndef PORTPIN_STAMP_H
#define PORTPIN_STAMP_H

#include "access/attnum.h"
#include "access/htup.h"
#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "utils/rel.h"

#include "trigger/account_rules.h"

/* What a column becomes with other digits; when the PIN is cleared, it is NULL. */
typedef struct Stamp
{
	AccountRule rule;			/* that names the column */
	bool		is_time;		/* when they were set; else it is NULL */
} Stamp;

#define NUM_STAMPS 2

extern const Stamp stamps[NUM_STAMPS];

/* The columns that a guard stamps, in the order of stamps; 0 where it names none. */
typedef struct StampedColumns
{
	AttrNumber	pin;
	AttrNumber	columns[NUM_STAMPS];
} StampedColumns;

extern bool StampsRows(char **rules);
extern void FindStampedColumns(Relation table, char **rules, AttrNumber pin,
							   StampedColumns *stamped);
extern HeapTuple StampRow(FunctionCallInfo fcinfo, const StampedColumns *stamped);
extern void CheckStamps(const TriggerData *trigdata, const StampedColumns *stamped,
						TupleTableSlot *old, TupleTableSlot *new);

#endif							/* PORTPIN_STAMP_H */
