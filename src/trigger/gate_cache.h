/*
 * gate_cache.h
 *		Gates between two statements.
 */
#ifndef PORTPIN_GATE_CACHE_H
#define PORTPIN_GATE_CACHE_H

#include "trigger/gate.h"
#include "utils/palloc.h"

/* What a statement has of a gate. */
typedef struct GateLoan
{
	Gate	   *gate;			/* NULL if there is none */
	MemoryContextCallback at_end;
} GateLoan;

extern GateLoan *LendGate(Oid trigger, MemoryContext statement);
extern void KeepGate(GateLoan *loan, Gate *gate);

#endif							/* PORTPIN_GATE_CACHE_H */
