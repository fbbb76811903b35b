/*
 * install.h
 *		Carry a plan out: attach, change and remove guards in one call.
 *
 * The installers validate everything that the triggers would ask for at their first
 * row, then run the statements and return them, fit to be pasted into a migration.
 * They run with the rights of the caller, and do nothing for a role that it may not
 * do by hand.
 *
 * The columns that were found are written into the triggers as arguments: a second
 * PIN column or foreign key that comes later changes nothing.
 */
#ifndef PORTPIN_INSTALL_H
#define PORTPIN_INSTALL_H

#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

#include "ddl/plan.h"

/* Statements to be run one after the other, in one transaction. */
typedef struct Script
{
	List	   *statements;
	bool		exclusive;		/* one of them locks out readers */
	bool		drops;			/* run one by one they would leave a gap */
} Script;

/* Completes the options, checks what is asked of the table, and writes the statements. */
typedef void (*WriteGuard) (Relation table, char **options, bool replace, Oid domain,
							GuardPlan *plan, Script *script);

/* Refuses to remove the guard of a table that is needed. */
typedef void (*CheckRemoval) (Relation table, Oid domain);

extern Relation PrepareInstallation(FunctionCallInfo fcinfo, GuardKind kind,
									WriteGuard write, GuardPlan *plan, Script *script);
extern void WriteInstallation(GuardPlan *plan, bool replace, Script *script);
extern void RunScript(Script *script, FunctionCallInfo fcinfo);
extern void RemoveGuard(FunctionCallInfo fcinfo, GuardKind kind, CheckRemoval check);
extern bool IsEmptyTable(Relation table);
extern bool KeepsOption(const GuardPlan *plan, int option);

#endif							/* PORTPIN_INSTALL_H */
