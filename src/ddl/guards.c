/*
 * guards.c
 *		What a guard that is attached watches, and what is wrong with it: for the
 *		view port_pin_guards.
 *
 * Whether a guard works is not worked out a second time here.  It is made to do
 * what it does at each event before it looks at a row, and the error that it
 * raises is its problem: so the view can't disagree with the trigger.
 *
 * That happens in a subtransaction which is rolled back, whatever comes of it: it
 * catches the error, and gives back the locks at once.  Those are ACCESS SHARE,
 * and who holds one that conflicts is not waited for.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/sysattr.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "funcapi.h"
#include "nodes/makefuncs.h"
#include "nodes/pg_list.h"
#include "nodes/primnodes.h"
#include "optimizer/optimizer.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/resowner.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "table/column.h"
#include "table/foreign_key.h"
#include "trigger/account.h"
#include "trigger/argument.h"
#include "trigger/gate.h"
#include "trigger/protect_trigger.h"
#include "trigger/seal_trigger.h"

/* What is not known is not called good. */
#define LOCKED "the guard can't be looked at: another session has locked its tables"

PG_FUNCTION_INFO_V1(port_pin_inspect);

/* What is found; by names, which outlive the relations that they were found in. */
typedef struct Findings
{
	const char *guard;			/* "keep", "seal" or "gate"; NULL for other triggers */
	char	   *pin;			/* the column that it watches; NULL if unknown */
	List	   *key;			/* of a gate: the order's columns, sorted */
	List	   *parts;			/* of its guard that the trigger plays or brings */
	List	   *tables;			/* of a gate: where it reads PINs */
	List	   *pins;			/* and in which column of each */
	const char *problem;
} Findings;


/* ----- Asking the trigger ----- */

static const struct
{
	int16		type;
	TriggerEvent event;
	const char *part;
}			events[] =
{
	{TRIGGER_TYPE_INSERT, TRIGGER_EVENT_INSERT, "insert"},
	{TRIGGER_TYPE_UPDATE, TRIGGER_EVENT_UPDATE, "update"},
	{TRIGGER_TYPE_DELETE, TRIGGER_EVENT_DELETE, "delete"},
	{TRIGGER_TYPE_TRUNCATE, TRIGGER_EVENT_TRUNCATE, "truncate"}
};

/* The event that a trigger would be called for, but for its rows. */
static TriggerEvent
event_of(const Trigger *trigger, TriggerEvent event)
{
	if (TRIGGER_FOR_ROW(trigger->tgtype))
		event |= TRIGGER_EVENT_ROW;
	if (TRIGGER_FOR_BEFORE(trigger->tgtype))
		event |= TRIGGER_EVENT_BEFORE;
	if (TRIGGER_FOR_INSTEAD(trigger->tgtype))
		event |= TRIGGER_EVENT_INSTEAD;
	return event;
}

/* A trigger for two events is asked twice, and brings each part once. */
static void
note_part(Findings *found, const char *part)
{
	ListCell   *lc;

	foreach(lc, found->parts)
	{
		if (strcmp(lfirst(lc), part) == 0)
			return;
	}
	found->parts = lappend(found->parts, pstrdup(part));
}

/* Does this expression call a function for this column, and do no more? */
static bool
calls_for_column(Node *expression, Oid function, AttrNumber column)
{
	Node	   *argument;

	if (!IsA(expression, FuncExpr) || ((FuncExpr *) expression)->funcid != function)
		return false;
	argument = linitial(((FuncExpr *) expression)->args);
	while (IsA(argument, RelabelType))
		argument = (Node *) ((RelabelType *) argument)->arg;
	return IsA(argument, Var) && ((Var *) argument)->varattno == column;
}

/*
 * The CHECK of a sealed column is a part of its guard.  It is valid if it holds
 * for the rows from before, too: whether one of them is readable would take to
 * read them all.
 */
static void
note_check(Relation rel, AttrNumber column, Oid domain, Findings *found)
{
	const TupleConstr *constraints = RelationGetDescr(rel)->constr;
	Oid			function = PortPinCheck("port_pin_check_sealed", domain);

	for (int i = 0; constraints != NULL && i < constraints->num_check; i++)
	{
		const ConstrCheck *check = &constraints->check[i];
		ListCell   *lc;

		if (!CheckIsEnforced(check))
			continue;
		foreach(lc, make_ands_implicit(stringToNode(check->ccbin)))
		{
			if (!calls_for_column(lfirst(lc), function, column))
				continue;
			note_part(found, "check");
			if (check->ccvalid)
				note_part(found, "valid check");
		}
	}
}

/* The tables and columns that a gate reads PINs from. */
static void
note_accounts(const Gate *gate, Findings *found)
{
	found->tables = NIL;
	found->pins = NIL;
	for (int i = 0; i < gate->path.nsteps; i++)
	{
		const PathStep *step = &gate->path.steps[i];

		if (step->pin == InvalidAttrNumber)
			continue;
		found->tables = lappend_oid(found->tables, step->key.referenced);
		found->pins = lappend(found->pins,
							  get_attname(step->key.referenced, step->pin, false));
	}
}

/*
 * The columns of an order that a gate watches, the PIN first.  To seal accounts is
 * of little use while the PINs that open them can be read in their orders.
 */
static List *
note_order(Relation orders, const Gate *gate, Oid domain, Findings *found)
{
	const ForeignKey *key = &gate->path.steps[0].key;
	List	   *watched = list_make1_int(gate->pin);

	found->key = ColumnNames(orders, key->nkeys, key->from);
	for (int i = 0; i < key->nkeys; i++)
		watched = lappend_int(watched, key->from[i]);
	if (gate->scope != InvalidAttrNumber)
		watched = lappend_int(watched, gate->scope);
	if (gate->path.sealed && !gate->redact &&
		!ColumnIsSealed(orders, gate->pin, domain))
		note_part(found, "readable");
	return watched;
}

/*
 * Let the trigger do, for one event, what it does before it looks at a row; which
 * columns does it watch?
 */
static List *
ask_trigger(Relation rel, Trigger *trigger, TriggerEvent event, Oid domain,
			Findings *found)
{
	LOCAL_FCINFO(fcinfo, 0);
	FmgrInfo	function;
	TriggerData trigdata = {.type = T_TriggerData};
	List	   *watched;

	fmgr_info(trigger->tgfoid, &function);
	InitFunctionCallInfoData(*fcinfo, &function, 0, InvalidOid,
							 (Node *) &trigdata, NULL);
	trigdata.tg_event = event_of(trigger, event);
	trigdata.tg_relation = rel;
	trigdata.tg_trigger = trigger;

	if (strcmp(found->guard, "keep") == 0)
		watched = CheckProtectTrigger(fcinfo);
	else if (strcmp(found->guard, "seal") == 0)
	{
		watched = CheckSealTrigger(fcinfo);
		note_check(rel, linitial_int(watched), domain, found);
	}
	else
	{
		const Gate *gate = CheckGateTrigger(fcinfo);

		note_accounts(gate, found);
		watched = note_order(rel, gate, domain, found);
	}
	if (watched != NIL)
		found->pin = ColumnName(rel, linitial_int(watched));
	return watched;
}

/*
 * A condition of the user's own can keep a guard from firing.  What portpin writes
 * is for UPDATE, looks at the guard's own columns and at nothing that changes.
 */
static void
check_condition(const Trigger *trigger, List *watched, Findings *found)
{
	Node	   *condition;
	Bitmapset  *used = NULL;
	Bitmapset  *own = NULL;
	ListCell   *lc;

	if (trigger->tgqual == NULL)
		return;
	condition = stringToNode(trigger->tgqual);
	pull_varattnos(condition, PRS2_OLD_VARNO, &used);
	pull_varattnos(condition, PRS2_NEW_VARNO, &used);
	foreach(lc, watched)
		own = bms_add_member(own, lfirst_int(lc) - FirstLowInvalidHeapAttributeNumber);

	if (TRIGGER_FOR_INSERT(trigger->tgtype) || TRIGGER_FOR_DELETE(trigger->tgtype) ||
		!bms_is_subset(used, own) || contain_mutable_functions(condition))
		found->problem = "the WHEN condition of the trigger can keep it from firing";
}


/* ----- What the trigger is ----- */

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/*
 * The parts that a trigger plays in its guard.  To follow a move is another part
 * than to forbid a DELETE, and to hold on to the key is one more.
 */
static List *
parts_of(const Trigger *trigger, const char *guard)
{
	bool		keep = strcmp(guard, "keep") == 0;
	bool		gate = strcmp(guard, "gate") == 0;
	bool		follows = keep && ArgumentValue(trigger, "moves") != NULL;
	List	   *parts = NIL;

	for (Size i = 0; i < lengthof(events); i++)
	{
		bool		movement = follows ||
			(gate && events[i].type == TRIGGER_TYPE_DELETE);

		if ((trigger->tgtype & events[i].type) != 0)
			parts = lappend(parts, psprintf("%s%s", movement ? "move " : "",
											events[i].part));
	}
	if (keep && ArgumentValue(trigger, "key") != NULL)
		parts = lappend(parts, pstrdup("key"));
	if (gate && TRIGGER_FOR_BEFORE(trigger->tgtype))
		parts = lappend(parts, pstrdup("before"));
	return parts;
}

static const char *
guard_of(const Trigger *trigger, Oid domain)
{
	if (trigger->tgfoid == PortPinTrigger("port_pin_protect_trigger", domain))
		return "keep";
	if (trigger->tgfoid == PortPinTrigger("port_pin_seal_trigger", domain))
		return "seal";
	if (trigger->tgfoid == PortPinTrigger("port_pin_gate_trigger", domain))
		return "gate";
	return NULL;
}

static Trigger *
find_trigger(Relation rel, const char *name)
{
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		if (strcmp(rel->trigdesc->triggers[i].tgname, name) == 0)
			return &rel->trigdesc->triggers[i];
	}
	return NULL;
}

/* All that can be found; an error on the way leaves what was found before it. */
static void
inspect(Oid relid, const char *name, Oid domain, Findings *found)
{
	Relation	rel;
	Trigger    *trigger;

	if (!ConditionalLockRelationOid(relid, AccessShareLock))
	{
		found->problem = LOCKED;
		return;
	}
	rel = try_relation_open(relid, NoLock);
	if (rel == NULL)
		return;					/* dropped, so it is no guard any more */
	trigger = find_trigger(rel, name);
	if (trigger != NULL && (found->guard = guard_of(trigger, domain)) != NULL)
	{
		found->parts = parts_of(trigger, found->guard);
		found->pin = ArgumentColumn(trigger, "pin");
		if (found->pin != NULL && get_attnum(relid, found->pin) == InvalidAttrNumber)
			found->pin = NULL;
		found->key = ArgumentColumns(trigger, "fk");
		for (Size i = 0; i < lengthof(events); i++)
		{
			if ((trigger->tgtype & events[i].type) != 0)
				check_condition(trigger,
								ask_trigger(rel, trigger, events[i].event, domain,
											found),
								found);
		}
	}
	relation_close(rel, NoLock);
}

/* Not the trigger's errors: the session's own, which must not be swallowed. */
static bool
is_of_session(const ErrorData *error)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return category == ERRCODE_OPERATOR_INTERVENTION ||
		category == ERRCODE_INSUFFICIENT_RESOURCES;
}

static void
inspect_in_subtransaction(Oid relid, const char *name, Oid domain, Findings *found)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		/* The shortest wait that there is, for what the trigger opens. */
		(void) set_config_option("lock_timeout", "1ms", PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_LOCAL, true, 0, false);
		inspect(relid, name, domain, found);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;

	if (error == NULL)
		return;
	if (is_of_session(error))
		ReThrowError(error);
	found->problem = error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ?
		LOCKED : error->message;
}


/* ----- As a row ----- */

static Datum
text_or_null(const char *string, bool *isnull)
{
	*isnull = string == NULL;
	return *isnull ? (Datum) 0 : CStringGetTextDatum(string);
}

static Datum
text_array(List *strings)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(list_length(strings), 1));
	int			count = 0;
	ListCell   *lc;

	foreach(lc, strings)
		elements[count++] = CStringGetTextDatum(lfirst(lc));
	return PointerGetDatum(construct_array(elements, count, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

static Datum
regclass_array(List *oids)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(list_length(oids), 1));
	int			count = 0;
	ListCell   *lc;

	foreach(lc, oids)
		elements[count++] = ObjectIdGetDatum(lfirst_oid(lc));
	return PointerGetDatum(construct_array(elements, count, REGCLASSOID, sizeof(Oid), true,
										   TYPALIGN_INT));
}

/*
 * port_pin_inspect(relation regclass, trigger name,
 *					out guard text, out pin text, out key text[], out parts text[],
 *					out account_tables regclass[], out account_pins text[],
 *					out problem text)
 *
 * Says nothing that the catalogs don't show to everyone, reads no row, and raises
 * no error for a guard that is broken, locked or dropped.  All NULL for what is no
 * guard.
 */
Datum
port_pin_inspect(PG_FUNCTION_ARGS)
{
	Findings	found = {0};
	Datum		values[7] = {0};
	bool		nulls[7] = {false};
	TupleDesc	row;

	if (get_call_result_type(fcinfo, NULL, &row) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	inspect_in_subtransaction(PG_GETARG_OID(0), NameStr(*PG_GETARG_NAME(1)),
							  PortPinDomain(fcinfo->flinfo->fn_oid), &found);

	list_sort(found.key, compare_names);
	values[0] = text_or_null(found.guard, &nulls[0]);
	values[1] = text_or_null(found.pin, &nulls[1]);
	values[2] = text_array(found.key);
	values[3] = text_array(found.parts);
	values[4] = regclass_array(found.tables);
	values[5] = text_array(found.pins);
	values[6] = text_or_null(found.problem, &nulls[6]);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(row), values, nulls)));
}
