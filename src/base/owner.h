/*
 * owner.h
 *		Act as the owner of a table, where its own code may run.
 */
#ifndef PORTPIN_OWNER_H
#define PORTPIN_OWNER_H

#include "utils/rel.h"

/* What to restore. */
typedef struct ActingAsOwner
{
	Oid			user;
	int			context;
	int			nestlevel;		/* of settings */
} ActingAsOwner;

extern ActingAsOwner ActAsOwner(Relation table);
extern void StopActingAsOwner(const ActingAsOwner *acting);

#endif							/* PORTPIN_OWNER_H */
