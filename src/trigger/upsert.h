/*
 * upsert.h
 *		Recognize the two halves of INSERT ... ON CONFLICT DO UPDATE.
 */
#ifndef PORTPIN_UPSERT_H
#define PORTPIN_UPSERT_H

#include "executor/tuptable.h"
#include "utils/rel.h"

#include "pin/check.h"

/* The order that a gate judged last, BEFORE INSERT; row is NULL where there is none. */
typedef struct InsertedOrder
{
	HeapTuple	row;			/* as it was to be stored */
	PortVerdict verdict;
	MemoryContextCallback at_end;
	MemoryContext statement;	/* NULL until the first is kept */
} InsertedOrder;

extern void KeepInsertedOrder(InsertedOrder *inserted, HeapTuple row,
							  PortVerdict verdict, MemoryContext statement);
extern void ForgetInsertedOrder(InsertedOrder *inserted);
extern TupleTableSlot *RecallInsertedOrder(const InsertedOrder *inserted,
										   Relation orders, TupleTableSlot *old);

#endif							/* PORTPIN_UPSERT_H */
