/*
 * seal_trigger.h
 *		Trigger: digits that are written to a sealed column are stored sealed.
 */
#ifndef PORTPIN_SEAL_TRIGGER_H
#define PORTPIN_SEAL_TRIGGER_H

#include "fmgr.h"

/* The trigger function. */
#define SEAL_TRIGGER "port_pin_seal_trigger"

extern void CheckSealTrigger(FunctionCallInfo fcinfo);

#endif							/* PORTPIN_SEAL_TRIGGER_H */
