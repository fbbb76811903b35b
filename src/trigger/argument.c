/*
 * argument.c
 *		How a trigger of portpin is attached: its timing and its arguments.
 *
 * CREATE TRIGGER never asks the function, so a trigger that is attached wrongly
 * shows itself when it fires first.  It is refused then, before any row of the
 * call is touched: TriggerData has no rows at all in a TRUNCATE.
 *
 * Arguments are name=value.  Columns are named as everywhere in SQL: folded to
 * lower case unless in double quotes.
 */
#include "postgres.h"

#include "trigger/argument.h"

#include "commands/trigger.h"
#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

#include "base/error.h"

/* Report a trigger that can't work where it is attached. */
void
ReportTriggerMisuse(const char *function, const char *problem, const char *hint)
{
	ereport_without_context(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
					errmsg("function \"%s\" %s", function, problem),
					errhint("%s", hint));
}

/*
 * What all trigger functions of portpin ask of a call.  A column list would miss
 * what other triggers change; a constraint's FROM makes the trigger vanish with
 * the other table; a deferred one would judge rows that are no more.
 */
TriggerData *
CheckTriggerCall(FunctionCallInfo fcinfo, const char *function)
{
	TriggerData *trigdata;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ReportTriggerMisuse(function, "was not called by a trigger",
						 "It can only be used in CREATE TRIGGER.");

	trigdata = (TriggerData *) fcinfo->context;
	if (TRIGGER_FIRED_INSTEAD(trigdata->tg_event))
		ReportTriggerMisuse(function, "can't be used INSTEAD OF",
						 "Attach it to the table that is under the view.");
	if (trigdata->tg_trigger->tgnattr > 0)
		ReportTriggerMisuse(function, "must not be attached with a list of columns",
						 "Leave out OF: other triggers can change a column that the statement does not name.");
	if (trigdata->tg_trigger->tgdeferrable)
		ReportTriggerMisuse(function, "must not be attached as DEFERRABLE",
						 "Create the trigger without DEFERRABLE.");
	if (OidIsValid(trigdata->tg_trigger->tgconstrrelid))
		ReportTriggerMisuse(function, "must not be attached with FROM",
						 "Leave out FROM: the order's foreign key tells which table is meant.");
	return trigdata;
}

/* The value of an argument if it has this name, else NULL. */
static const char *
value_if_named(const char *argument, const char *name)
{
	size_t		length = strlen(name);

	if (strncmp(argument, name, length) == 0 && argument[length] == '=')
		return argument + length + 1;
	return NULL;
}

const char *
ArgumentValue(const Trigger *trigger, const char *name)
{
	for (int i = 0; i < trigger->tgnargs; i++)
	{
		const char *value = value_if_named(trigger->tgargs[i], name);

		if (value != NULL)
			return value;
	}
	return NULL;
}

/* Refuse what no guard reads, and what is said twice: both look like protection. */
void
CheckArguments(const Trigger *trigger, const char *const *known)
{
	for (int i = 0; i < trigger->tgnargs; i++)
	{
		const char *const *name = known;
		const char *value = NULL;

		while (*name != NULL &&
			   (value = value_if_named(trigger->tgargs[i], *name)) == NULL)
			name++;
		if (value == NULL)
			ereport_without_context(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("trigger \"%s\" has an argument that its function does not know",
								   trigger->tgname),
							errdetail("The argument is number %d.", i + 1),
							errhint("Arguments are written name=value, with the names that the documentation of the function lists."));
		if (value != ArgumentValue(trigger, *name))
			ereport_without_context(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("trigger \"%s\" has its argument \"%s\" twice",
								   trigger->tgname, *name),
							errhint("Give each argument once."));
	}
}

/* For an argument that is one of two words; the second is what its absence means. */
bool
ArgumentFlag(const Trigger *trigger, const char *name,
		   const char *value, const char *otherwise)
{
	const char *given = ArgumentValue(trigger, name);

	if (given == NULL || strcmp(given, otherwise) == 0)
		return false;
	if (strcmp(given, value) != 0)
		ereport_without_context(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("argument \"%s\" of trigger \"%s\" must be \"%s\" or \"%s\"",
							   name, trigger->tgname, value, otherwise),
						errhint("Without the argument, \"%s\" holds.", otherwise));
	return true;
}

/* Columns named by an argument, as a list of strings; NIL where it is not given. */
List *
ArgumentColumns(const Trigger *trigger, const char *name)
{
	const char *value = ArgumentValue(trigger, name);
	List	   *columns;

	if (value == NULL)
		return NIL;
	if (!SplitIdentifierString(pstrdup(value), ',', &columns) || columns == NIL)
		ereport_without_context(errcode(ERRCODE_INVALID_NAME),
						errmsg("argument \"%s\" of trigger \"%s\" names no columns",
							   name, trigger->tgname),
						errhint("Write column names as in SQL, with commas between them."));
	return columns;
}

char *
ArgumentColumn(const Trigger *trigger, const char *name)
{
	List	   *columns = ArgumentColumns(trigger, name);

	if (list_length(columns) > 1)
		ereport_without_context(errcode(ERRCODE_INVALID_NAME),
						errmsg("argument \"%s\" of trigger \"%s\" names more than one column",
							   name, trigger->tgname),
						errhint("Name one column."));
	return columns == NIL ? NULL : linitial(columns);
}
