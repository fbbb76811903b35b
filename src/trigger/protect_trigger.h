/*
 * protect_trigger.h
 *		Trigger: a set PIN is never cleared.
 */
#ifndef PORTPIN_PROTECT_TRIGGER_H
#define PORTPIN_PROTECT_TRIGGER_H

#include "access/attnum.h"
#include "fmgr.h"
#include "utils/rel.h"

#include "trigger/account_rules.h"

extern void CheckProtectTrigger(FunctionCallInfo fcinfo);
extern bool ForbidsDelete(Relation accounts, const AccountGuard *guard,
						  int nkeys, const AttrNumber *keys, Oid domain);

#endif							/* PORTPIN_PROTECT_TRIGGER_H */
