/*
 * trigger_call.h
 *		How a trigger of portpin is attached and called.
 */
#ifndef PORTPIN_TRIGGER_CALL_H
#define PORTPIN_TRIGGER_CALL_H

#include "commands/trigger.h"
#include "fmgr.h"

#include "base/compat.h"

/* Finds what a trigger goes by, all of it in the current memory context. */
typedef void *(*TriggerFinder) (const TriggerData *trigdata, Oid domain);

extern TriggerData *CheckTriggerCall(FunctionCallInfo fcinfo, const char *function);
extern Datum CallWithoutContext(FunctionCallInfo fcinfo, PGFunction body);
extern const void *FindOncePerStatement(FunctionCallInfo fcinfo, TriggerFinder find);
pg_noreturn extern void ReportTriggerMisuse(const char *function,
											const char *problem, const char *hint);

#endif							/* PORTPIN_TRIGGER_CALL_H */
