/*
 * triggers.h
 *		The triggers of a table.
 */
#ifndef PORTPIN_TRIGGERS_H
#define PORTPIN_TRIGGERS_H

#include "commands/trigger.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

extern List *CopyTriggers(Relation rel, Oid function);
extern bool TriggerFiresOnOrigin(const Trigger *trigger);

#endif							/* PORTPIN_TRIGGERS_H */
