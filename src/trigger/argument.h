/*
 * argument.h
 *		How a trigger of portpin is attached: its timing and its arguments.
 */
#ifndef PORTPIN_ARGUMENT_H
#define PORTPIN_ARGUMENT_H

#include "base/compat.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "nodes/pg_list.h"

extern void CheckArguments(const Trigger *trigger, const char *const *known);
extern const char *ArgumentValue(const Trigger *trigger, const char *name);
extern bool ArgumentFlag(const Trigger *trigger, const char *name,
					   const char *value, const char *otherwise);
extern char *ArgumentColumn(const Trigger *trigger, const char *name);
extern List *ArgumentColumns(const Trigger *trigger, const char *name);
extern TriggerData *CheckTriggerCall(FunctionCallInfo fcinfo, const char *function);
pg_noreturn extern void ReportTriggerMisuse(const char *function, const char *problem,
										 const char *hint);

#endif							/* PORTPIN_ARGUMENT_H */
