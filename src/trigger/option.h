/*
 * option.h
 *		The options of a guard, defined once for its triggers' arguments and for the
 *		call that installs it.
 *
 * Every kind of guard has a table of its options.  A value is text: "yes" for a
 * switch that is on, and for columns their names as they are written in SQL, with
 * commas between them.  NULL is an option that is not given.
 */
#ifndef PORTPIN_OPTION_H
#define PORTPIN_OPTION_H

#include "access/attnum.h"
#include "commands/trigger.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

typedef enum OptionKind
{
	OPTION_COLUMN,
	OPTION_COLUMNS,
	OPTION_KEY,					/* the primary key; a switch of the installer */
	OPTION_SWITCH,
	OPTION_INTERVAL
} OptionKind;

typedef struct GuardOption
{
	const char *name;			/* of the trigger's argument */
	OptionKind	kind;
	const char *parameter;		/* of the installer; NULL if it has none */
	Oid			type;			/* of the column; 0 if more than one will do */
} GuardOption;

extern void ReadOptions(const Trigger *trigger, const GuardOption *options,
						int noptions, char **values);
extern List *TriggerColumns(const Trigger *trigger, const GuardOption *option);
extern List *OptionColumns(const char *value);
extern char *OptionColumn(const char *value);
extern AttrNumber FindOptionColumn(Relation table, const GuardOption *options,
								   char **values, int option);
extern Interval OptionInterval(const char *value);

#endif							/* PORTPIN_OPTION_H */
