/*
 * option.c
 *		The options of a guard, as its triggers have them: name=value.
 *
 * CREATE TRIGGER never asks the function, so an argument that no guard knows is
 * noticed only when the trigger first fires.  It is refused then, because it looks
 * like protection and is none.
 */
#include "postgres.h"

#include "trigger/option.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "base/error.h"
#include "table/column.h"

/* The names that a guard knows, for a hint. */
static char *
known_names(const GuardOption *options, int noptions)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < noptions; i++)
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", options[i].name);
	return names.data;
}

/* Which option is this argument?  Its value follows the =. */
static int
find_option(const char *argument, const GuardOption *options, int noptions)
{
	for (int i = 0; i < noptions; i++)
	{
		size_t		length = strlen(options[i].name);

		if (strncmp(argument, options[i].name, length) == 0 && argument[length] == '=')
			return i;
	}
	return -1;
}

/* A value must be one that the guard can read; columns are looked up later. */
static void
check_value(const Trigger *trigger, const GuardOption *option, const char *value)
{
	List	   *names;

	if (option->kind == OPTION_SWITCH && strcmp(value, "yes") != 0)
		ereport_without_context(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("argument \"%s\" of trigger \"%s\" must be \"yes\"",
									   option->name, trigger->tgname),
								errhint("Leave the argument out for \"no\"."));
	if (option->kind == OPTION_COLUMN || option->kind == OPTION_COLUMNS ||
		option->kind == OPTION_KEY)
	{
		if (!SplitIdentifierString(pstrdup(value), ',', &names) || names == NIL)
			ereport_without_context(errcode(ERRCODE_INVALID_NAME),
									errmsg("argument \"%s\" of trigger \"%s\" names no columns",
										   option->name, trigger->tgname),
									errhint("Write column names as in SQL, with commas between them."));
		if (option->kind == OPTION_COLUMN && list_length(names) > 1)
			ereport_without_context(errcode(ERRCODE_INVALID_NAME),
									errmsg("argument \"%s\" of trigger \"%s\" names more than one column",
										   option->name, trigger->tgname),
									errhint("Name one column."));
	}
}

/*
 * Read the arguments of a trigger.  An argument that the guard does not know, or
 * that is given twice, is an error; those before it have been read by then.  The
 * error shows an unknown argument only up to its = or first digit: what follows
 * could be a PIN.
 */
void
ReadOptions(const Trigger *trigger, const GuardOption *options, int noptions,
			char **values)
{
	memset(values, 0, noptions * sizeof(char *));
	for (int i = 0; i < trigger->tgnargs; i++)
	{
		const char *argument = trigger->tgargs[i];
		int			option = find_option(argument, options, noptions);
		char	   *value;

		if (option < 0)
			ereport_without_context(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
									errmsg("trigger \"%s\" has an argument that its function does not know: \"%.*s\"",
										   trigger->tgname,
										   (int) strcspn(argument, "=0123456789"), argument),
									errhint("Arguments are written name=value; the names are %s.",
											known_names(options, noptions)));
		if (values[option] != NULL)
			ereport_without_context(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
									errmsg("trigger \"%s\" has its argument \"%s\" twice",
										   trigger->tgname, options[option].name),
									errhint("Give each argument once."));
		value = pstrdup(strchr(argument, '=') + 1);
		check_value(trigger, &options[option], value);
		values[option] = value;
	}
}

/*
 * The columns that an option of a trigger names, whatever is wrong with its other
 * arguments; NIL if they can't be read.
 */
List *
TriggerColumns(const Trigger *trigger, const GuardOption *option)
{
	List	   *names = NIL;

	for (int i = 0; i < trigger->tgnargs; i++)
	{
		if (find_option(trigger->tgargs[i], option, 1) == 0 &&
			!SplitIdentifierString(pstrdup(strchr(trigger->tgargs[i], '=') + 1), ',', &names))
			return NIL;
	}
	return names;
}

/* The columns that an option names; NIL where it is not given. */
List *
OptionColumns(const char *value)
{
	List	   *names = NIL;

	if (value != NULL && !SplitIdentifierString(pstrdup(value), ',', &names))
		elog(ERROR, "an option was not checked");
	return names;
}

char *
OptionColumn(const char *value)
{
	return value == NULL ? NULL : linitial(OptionColumns(value));
}

/* The column that an option names, of the type that it takes; 0 where it is not given. */
AttrNumber
FindOptionColumn(Relation table, const GuardOption *options, char **values, int option)
{
	const char *name = OptionColumn(values[option]);

	if (name == NULL)
		return InvalidAttrNumber;
	return OidIsValid(options[option].type) ?
		FindColumnOfType(table, name, options[option].type) : FindColumn(table, name);
}

/* The interval that an option gives; zero where it is not given. */
Interval
OptionInterval(const char *value)
{
	Interval	none = {0};

	if (value == NULL)
		return none;
	return *DatumGetIntervalP(DirectFunctionCall3(interval_in, CStringGetDatum(value),
												  ObjectIdGetDatum(InvalidOid),
												  Int32GetDatum(-1)));
}
