/*
 * triggers.c
 *		The triggers of a table.
 *
 * A relation's own description of its triggers is freed and built again whenever the
 * catalogs change, which taking any lock can bring to light.  So callers get copies.
 */
#include "postgres.h"

#include "table/triggers.h"

#include "catalog/pg_trigger.h"

/* Copies of the triggers that execute a function, in the order of their names. */
List *
CopyTriggers(Relation rel, Oid function)
{
	TriggerDesc *copy = CopyTriggerDesc(rel->trigdesc);
	List	   *triggers = NIL;

	for (int i = 0; copy != NULL && i < copy->numtriggers; i++)
	{
		if (!OidIsValid(function) || copy->triggers[i].tgfoid == function)
			triggers = lappend(triggers, &copy->triggers[i]);
	}
	return triggers;
}

/* Does it fire where orders are placed and accounts are changed? */
bool
TriggerFiresOnOrigin(const Trigger *trigger)
{
	return trigger->tgenabled == TRIGGER_FIRES_ON_ORIGIN ||
		trigger->tgenabled == TRIGGER_FIRES_ALWAYS;
}
