/*
 * trigger_call.h
 *		How a trigger of portpin is attached and called.
 */
#ifndef PORTPIN_TRIGGER_CALL_H
#define PORTPIN_TRIGGER_CALL_H

#include "commands/trigger.h"
#include "fmgr.h"

#include "base/compat.h"

extern TriggerData *CheckTriggerCall(FunctionCallInfo fcinfo, const char *function);
pg_noreturn extern void ReportTriggerMisuse(const char *function,
											const char *problem, const char *hint);

#endif							/* PORTPIN_TRIGGER_CALL_H */
