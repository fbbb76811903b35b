/*
 * trigger_call.c
 *		How a trigger of portpin is attached and called.
 *
 * CREATE TRIGGER never asks the function, so a trigger that is attached wrongly is
 * noticed only when it first fires.  It is refused then, before any row of the call
 * is touched: TriggerData has no rows at all in a TRUNCATE.
 */
#include "postgres.h"

#include "trigger/trigger_call.h"

#include "utils/memutils.h"

#include "base/catalog.h"
#include "base/error.h"

/* What a trigger goes by, as it was found in one generation of the catalogs. */
typedef struct FoundRules
{
	uint64		generation;		/* 0 while there is nothing that holds */
	MemoryContext mcxt;			/* of all that was found */
	void	   *rules;
} FoundRules;

/* Report a trigger that can't work where it is attached. */
void
ReportTriggerMisuse(const char *function, const char *problem, const char *hint)
{
	ereport_without_context(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
							errmsg("function \"%s\" %s", function, problem),
							errhint("%s", hint));
}

/*
 * What all trigger functions of portpin require of a call.  A column list would miss
 * what other triggers change; a constraint's FROM makes the trigger vanish with the
 * other table; a deferred trigger would judge rows that no longer exist.
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

/*
 * Run a trigger whose errors show no PIN, not even one that is PostgreSQL's own:
 * waiting for a lock can fail, too, and then COPY would show its current row, and
 * PL/pgSQL its statement.
 */
Datum
CallWithoutContext(FunctionCallInfo fcinfo, PGFunction body)
{
	ErrorContextCallback *context = error_context_stack;
	Datum		result;

	error_context_stack = NULL;
	result = body(fcinfo);
	error_context_stack = context;
	return result;
}

static FoundRules *
create_found_rules(MemoryContext statement)
{
	FoundRules *found = MemoryContextAllocZero(statement, sizeof(FoundRules));

	found->mcxt = AllocSetContextCreate(statement, "trigger of portpin",
										ALLOCSET_SMALL_SIZES);
	return found;
}

/*
 * What the trigger of this call goes by, found once per statement, and again when the
 * catalogs change.  It is good until the next call.
 */
const void *
FindOncePerStatement(FunctionCallInfo fcinfo, TriggerFinder find)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	FoundRules *found = flinfo->fn_extra;
	uint64		generation = CatalogGeneration();

	if (found == NULL)
		flinfo->fn_extra = found = create_found_rules(flinfo->fn_mcxt);
	if (found->generation != generation)
	{
		MemoryContext caller;

		found->generation = 0;
		MemoryContextReset(found->mcxt);
		caller = MemoryContextSwitchTo(found->mcxt);
		found->rules = find((TriggerData *) fcinfo->context, PortPinDomain(flinfo->fn_oid));
		MemoryContextSwitchTo(caller);
		found->generation = generation;
	}
	return found->rules;
}
