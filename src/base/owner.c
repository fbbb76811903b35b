/*
 * owner.c
 *		Act as the owner of a table, where its own code may run.
 *
 * An index, a generated column and the type of a key call functions.  These run with
 * the rights of the table's owner, restricted as in REINDEX, and not with those of the
 * role that places an order or lifts a lock-out.  That role must not choose what they
 * call, either: search_path is pinned, or a function of its own could stand in for one
 * of the owner's.  After an error, the end of the (sub)transaction restores
 * everything.
 */
#include "postgres.h"

#include "base/owner.h"

#include "miscadmin.h"

#include "base/setting.h"

ActingAsOwner
ActAsOwner(Relation table)
{
	ActingAsOwner acting;

	GetUserIdAndSecContext(&acting.user, &acting.context);
	SetUserIdAndSecContext(table->rd_rel->relowner,
						   acting.context | SECURITY_RESTRICTED_OPERATION);
	acting.nestlevel = NewGUCNestLevel();
	SetForNow("search_path", PINNED_SEARCH_PATH);
	return acting;
}

void
StopActingAsOwner(const ActingAsOwner *acting)
{
	AtEOXact_GUC(false, acting->nestlevel);
	SetUserIdAndSecContext(acting->user, acting->context);
}
