/*
 * install.h
 *		Attach guards to tables, rightly, in one call.
 *
 * port_pin_protect() and port_pin_gate() validate everything that the triggers
 * would ask for at their first row, then create the triggers and return the
 * statements, fit to be pasted into a migration.  They run with the rights of the
 * caller: what he may not do by hand, they don't do for him.
 *
 * The columns that were found are written into the triggers as arguments: a second
 * PIN column or foreign key that comes later changes nothing.
 */
#ifndef PORTPIN_INSTALL_H
#define PORTPIN_INSTALL_H

#include "fmgr.h"
#include "nodes/pg_list.h"
#include "storage/lockdefs.h"
#include "utils/rel.h"

/* What one installer's call is about. */
typedef struct Installation
{
	Relation	table;
	Oid			domain;
	const char *function;		/* the trigger function's unqualified name */
	char	   *tag;			/* in the names of triggers, if they need one */
	char	   *arguments;		/* as literals, ready for EXECUTE FUNCTION */
	List	   *statements;
} Installation;

extern Installation BeginInstallation(FunctionCallInfo fcinfo, const char *function,
									  LOCKMODE lock);
extern void CheckNotGuardedYet(Installation *install, const char *argument,
							   List *columns);
extern char *QualifiedTable(Relation table);
extern char *QualifiedFunction(const Installation *install, const char *name);
extern void AddArgument(Installation *install, const char *name, const char *value);
extern void AddColumnArgument(Installation *install, const char *name,
							  Relation rel, AttrNumber column);
extern void AddStatement(Installation *install, char *statement);
extern void AddTrigger(Installation *install, const char *name, const char *timing,
					   const char *table, const char *level, const char *condition,
					   const char *arguments);
extern void AddRowTrigger(Installation *install, const char *name,
						  const char *timing, const char *condition);
extern char *ColumnsDiffer(Relation rel, int ncolumns, const AttrNumber *columns);
extern void RunInstallation(Installation *install, FunctionCallInfo fcinfo);

#endif							/* PORTPIN_INSTALL_H */
