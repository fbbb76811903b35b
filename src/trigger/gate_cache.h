/*
 * gate_cache.h
 *		Gates that were found, kept for the statements that follow.
 */
#ifndef PORTPIN_GATE_CACHE_H
#define PORTPIN_GATE_CACHE_H

#include "trigger/gate.h"

extern uint64 GateCacheGeneration(void);
extern const Gate *LookUpGate(Oid trigger);
extern void StoreGate(const Gate *gate);

#endif							/* PORTPIN_GATE_CACHE_H */
