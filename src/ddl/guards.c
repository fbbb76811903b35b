/*
 * guards.c
 *		What guards a table has, and what is wrong with them: for the view
 *		port_pin_guards.
 *
 * A guard is compared with the plan that its own options ask for.  Whether one of
 * its triggers works is not worked out a second time: the trigger does what it does
 * at each event before it looks at a row, and an error that it raises is its
 * problem.  So the view can't disagree with the trigger.
 *
 * That happens in a subtransaction that is always rolled back.  It catches the error
 * and releases the locks at once.  These are ACCESS SHARE, and a session that holds
 * a conflicting one is not waited for.
 */
#include "postgres.h"

#include "ddl/guards.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "parser/parse_clause.h"
#include "parser/parse_collate.h"
#include "parser/parse_relation.h"
#include "parser/parser.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/resowner.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/setting.h"
#include "ddl/gates.h"
#include "ddl/plan.h"
#include "table/column.h"
#include "table/row_movement.h"
#include "table/triggers.h"
#include "trigger/protect_trigger.h"
#include "trigger/seal_trigger.h"

/* A guard that can't be inspected is reported as a problem. */
#define LOCKED "the guard can't be looked at: another session has locked its tables"

/* An inheritance child can't be guarded; see check_is_not_part_of_another() in install.c. */
#define MEND_CHILD "Use partitions, or drop the child."

/*
 * Empty the session's caches after so many tables.  They would keep 7 kB of each
 * table for good, in a session that may never need it again.
 */
#define MAX_CACHED_TABLES 250

PG_FUNCTION_INFO_V1(port_pin_inspect);

/* One guard and what is wrong with it. */
typedef struct Finding
{
	GuardKind	kind;
	char	  **values;			/* its options, as one of its triggers has
								 * them */
	List	   *triggers;		/* its own, on the table that is no partition */
	Gate		gate;			/* of a gate: what its triggers find, */
	GuardPlan	plan;			/* and what the options ask for, if they can
								 * be met */
	Oid			relation;
	char	   *pin;			/* NULL if unknown, or for a lock alone */
	char	   *trigger;		/* with the problem, else the first; NULL
								 * where it is missing */
	char		enabled;		/* of that trigger */
	char	   *definition;
	const char *problem;		/* NULL where all is well */
	const char *hint;			/* what mends it, if the definition does not */
	const struct Finding *parent;	/* of the table that this is a partition
									 * or child of */
	bool		unseen;			/* the table is locked: nothing else is known */
} Finding;

/* Where the findings go. */
typedef struct Inspection
{
	Relation	table;
	Oid			domain;
	ReturnSetInfo *result;
	int		   *looked_at;		/* how many tables, in this query */
	Oid			accounts;		/* a table that has just been guarded */
} Inspection;


/* ----- Asking a trigger ----- */

static const struct
{
	int16		type;
	TriggerEvent event;
}			events[] = {
	{TRIGGER_TYPE_INSERT, TRIGGER_EVENT_INSERT},
	{TRIGGER_TYPE_UPDATE, TRIGGER_EVENT_UPDATE},
	{TRIGGER_TYPE_DELETE, TRIGGER_EVENT_DELETE},
	{TRIGGER_TYPE_TRUNCATE, TRIGGER_EVENT_TRUNCATE}
};

/* The event that a trigger would be called for, without any rows. */
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

/*
 * Let a trigger do what it does before it looks at a row; an error that it raises is
 * its problem.  A trigger of a gate also finds the gate.
 */
static void
ask_trigger(Relation table, Trigger *trigger, Oid domain, Gate *gate)
{
	for (Size i = 0; i < lengthof(events); i++)
	{
		LOCAL_FCINFO(fcinfo, 0);
		FmgrInfo	function;
		TriggerData trigdata = {.type = T_TriggerData};

		if ((trigger->tgtype & events[i].type) == 0)
			continue;
		fmgr_info(trigger->tgfoid, &function);
		InitFunctionCallInfoData(*fcinfo, &function, 0, InvalidOid,
								 (Node *) &trigdata, NULL);
		trigdata.tg_event = event_of(trigger, events[i].event);
		trigdata.tg_relation = table;
		trigdata.tg_trigger = trigger;
		if (trigger->tgfoid == PortPinTrigger(PROTECT_TRIGGER, domain))
			CheckProtectTrigger(fcinfo);
		else if (trigger->tgfoid == PortPinTrigger(SEAL_TRIGGER, domain))
			CheckSealTrigger(fcinfo);
		else
			CheckGateTrigger(fcinfo, gate);
	}
}

/* What keeps a trigger from firing, or makes it fire too often; NULL if nothing does. */
static const char *
firing_problem(const Trigger *trigger, GuardKind kind)
{
	switch (trigger->tgenabled)
	{
		case TRIGGER_DISABLED:
			return "the trigger is disabled";
		case TRIGGER_FIRES_ON_REPLICA:
			return "the trigger fires only where replication applies changes";
		case TRIGGER_FIRES_ALWAYS:
			return kind == GUARD_GATE ? "the trigger fires where replication applies changes too, and judges orders again that were let in elsewhere" : NULL;
		default:
			return NULL;
	}
}


/* ----- Comparing with the plan ----- */

/* A condition as CREATE TRIGGER would store it. */
static Node *
transform_condition(Relation table, const char *condition)
{
	List	   *parsed = raw_parser(psprintf("SELECT %s", condition), RAW_PARSE_DEFAULT);
	SelectStmt *select = (SelectStmt *) linitial_node(RawStmt, parsed)->stmt;
	ParseState *pstate = make_parsestate(NULL);
	static const char *const names[] = {"old", "new"};
	Node	   *expression;

	for (Size i = 0; i < lengthof(names); i++)
		addNSItemToQuery(pstate,
						 addRangeTableEntryForRelation(pstate, table, AccessShareLock,
													   makeAlias(names[i], NIL), false, false),
						 false, true, true);
	expression = transformWhereClause(pstate, linitial_node(ResTarget, select->targetList)->val,
									  EXPR_KIND_TRIGGER_WHEN, "WHEN");
	assign_expr_collations(pstate, expression);
	free_parsestate(pstate);
	return expression;
}

/* A user's own condition can keep a guard from firing. */
static bool
condition_is_planned(Relation table, const Trigger *trigger, const PlannedTrigger *planned)
{
	if (trigger->tgqual == NULL)
		return true;
	return planned->condition != NULL &&
		equal(stringToNode(trigger->tgqual), transform_condition(table, planned->condition));
}

/* Does a table have every trigger planned for it?  Note the first that is missing. */
static void
compare_triggers(const GuardPlan *plan, Relation table, List *triggers, Finding *finding)
{
	ListCell   *lc;

	foreach(lc, plan->triggers)
	{
		PlannedTrigger *planned = lfirst(lc);
		Oid			function;
		bool		covered = false;
		ListCell   *other;

		if (planned->table != RelationGetRelid(table))
			continue;
		function = PortPinTrigger(planned->function, plan->domain);
		foreach(other, triggers)
		{
			Trigger    *trigger = lfirst(other);

			if (trigger->tgfoid != function || !CoversTrigger(trigger, planned))
				continue;
			covered = true;
			planned->name = trigger->tgname;
			if (!condition_is_planned(table, trigger, planned))
			{
				finding->trigger = trigger->tgname;
				finding->enabled = trigger->tgenabled;
				finding->problem = "the WHEN condition of the trigger is not what the installer would write: it can keep the trigger from firing";
				return;
			}
		}
		if (!covered)
		{
			finding->trigger = NULL;
			finding->problem = planned->lack;
			return;
		}
	}
}

static void
compare_checks(const GuardPlan *plan, Finding *finding)
{
	ListCell   *lc;

	foreach(lc, plan->checks)
	{
		const PlannedCheck *check = lfirst(lc);
		bool		valid = false;

		if (FindCheck(plan->table, PortPinCheck(check->function, plan->domain),
					  check->column, &valid) == NULL)
			finding->problem = check->lack;
		else if (check->validate && !valid)
		{
			finding->problem = "the CHECK is not validated: rows from before may hold readable PINs";
			finding->hint = "port_pin_seal_column() seals them and validates it.";
		}
	}
}

/* With forbid_delete, a guard names the columns of the primary key: are they the same? */
static void
compare_key(const GuardPlan *plan, Finding *finding)
{
	List	   *present = PrimaryKey(plan->table);
	List	   *kept = OptionColumns(plan->values[RULE_KEY]);

	if (kept == NIL || SameNames(present, kept))
		return;
	if (present == NIL)
	{
		finding->problem = "no primary key, though deletes are forbidden: a row is not kept in place";
		finding->hint = "Add a primary key; if it has other columns than before, run the definition after that.";
	}
	else
		finding->problem = psprintf("the primary key is %s, but the guard keeps %s: a row with a PIN can be given another key",
									ColumnList(present), ColumnList(kept));
}

static bool
same_option(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* A gate's triggers must have the same arguments, or they judge by different rules. */
static void
compare_options(List *triggers, Finding *finding)
{
	ListCell   *lc;

	foreach(lc, triggers)
	{
		const Trigger *trigger = lfirst(lc);
		char	   *options[NUM_GATE_OPTIONS];
		bool		same = true;

		ReadOptions(trigger, gate_options, NUM_GATE_OPTIONS, options);
		for (int i = 0; i < NUM_GATE_OPTIONS; i++)
			same &= same_option(options[i], finding->values[i]);
		if (same)
			continue;
		finding->trigger = trigger->tgname;
		finding->enabled = trigger->tgenabled;
		finding->problem = "the triggers of the gate have different arguments";
		return;
	}
}

/* What is wrong with the triggers themselves, one by one. */
static void
ask_triggers(const Inspection *inspection, List *triggers, Finding *finding)
{
	ListCell   *lc;

	foreach(lc, triggers)
	{
		Trigger    *trigger = lfirst(lc);
		const char *problem = firing_problem(trigger, finding->kind);

		finding->trigger = trigger->tgname;
		finding->enabled = trigger->tgenabled;
		if (problem != NULL)
		{
			finding->problem = problem;
			return;
		}
		ask_trigger(inspection->table, trigger, inspection->domain, &finding->gate);
	}
	if (triggers == NIL)
		return;
	finding->trigger = ((Trigger *) linitial(triggers))->tgname;
	finding->enabled = ((Trigger *) linitial(triggers))->tgenabled;
}

/* A role with TRIGGER on a table can have its rows changed unnoticed. */
static void
check_trigger_privilege(Oid relid, Finding *finding)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool		isnull = true;
	Datum		datum = (Datum) 0;
	Oid			owner = InvalidOid;
	Acl		   *acl;

	if (HeapTupleIsValid(tuple))
	{
		datum = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relacl, &isnull);
		owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	}
	acl = isnull ? NULL : DatumGetAclPCopy(datum);
	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	for (int i = 0; acl != NULL && i < ACL_NUM(acl); i++)
	{
		const AclItem *item = &ACL_DAT(acl)[i];

		if ((ACLITEM_GET_PRIVS(*item) & ACL_TRIGGER) == 0 || item->ai_grantee == owner)
			continue;
		finding->problem = psprintf("role %s has TRIGGER on table \"%s\", which is its owner's power",
									item->ai_grantee == ACL_ID_PUBLIC ? "PUBLIC" :
									quote_identifier(GetUserNameFromId(item->ai_grantee, false)),
									get_rel_name(relid));
		finding->hint = "Revoke it, and look at the triggers that the table has.";
	}
}

/* Other triggers can change what a gate judges by, or what a guard has stamped. */
static void
inspect_neighbours(const GuardPlan *plan, Relation table, Finding *finding)
{
	char	   *early = EarlyTriggers(plan, table);
	char	   *late = LateTriggers(plan, table);

	if (early != NULL)
	{
		finding->problem = psprintf("triggers fire before the gate and can change what it judges by: %s", early);
		finding->hint = "Rename them: AFTER triggers fire in the order of their names, and names in lower case come after the gate's.";
	}
	if (late != NULL)
	{
		finding->problem = psprintf("triggers fire after the one that stamps rows and can change what it wrote: %s", late);
		finding->hint = "Rename them: BEFORE triggers fire in the order of their names.";
	}
}

/* What is wrong around a gate, even if each of its triggers works. */
static void
inspect_surroundings(Finding *finding)
{
	const Gate *gate = &finding->gate;

	for (int i = 0; i < gate->nrelations; i++)
		check_trigger_privilege(gate->relations[i], finding);
	if (gate->path.sealed && !gate->redact)
	{
		finding->problem = "the accounts' PINs are sealed, but orders keep theirs readable";
		finding->hint = "Install the gate with redact => true, and blank the PINs of old orders.";
	}
}

/* The triggers of the guard that a finding is about. */
static List *
find_triggers(const Inspection *inspection, const Finding *finding)
{
	GuardPlan	plan;

	IdentifyGuard(finding->kind, inspection->table, finding->values, inspection->domain, &plan);
	return GuardTriggers(&plan, inspection->table);
}

/* Two guards of one PIN, or guards that disagree on its row, are an error. */
static void
check_guards_agree(Relation table, Oid domain)
{
	List	   *guards = FindAccountGuards(table, domain);

	(void) RowRuleColumn(table, guards, RULE_SCOPE);
	(void) RowRuleColumn(table, guards, RULE_LOCK);
	(void) RowRuleColumn(table, guards, RULE_LOCK_UNTIL);
}

/* What the guard's options ask for.  A gate without pin= finds the PIN of its orders. */
static void
plan_guard(const Inspection *inspection, Finding *finding)
{
	Relation	table = inspection->table;
	GuardPlan  *plan = &finding->plan;

	if (finding->kind == GUARD_GATE)
	{
		finding->pin = ColumnName(table, finding->gate.pin);
		PlanGate(table, finding->values, &finding->gate, inspection->domain, plan);
	}
	else
	{
		check_guards_agree(table, inspection->domain);
		PlanProtect(table, finding->values, inspection->domain, plan);
	}
}

/* All that can be found out about one guard; an error on the way is its problem. */
static void
inspect_guard(const Inspection *inspection, Finding *finding)
{
	const GuardPlan *plan = &finding->plan;

	finding->triggers = find_triggers(inspection, finding);
	ask_triggers(inspection, finding->triggers, finding);
	if (finding->problem != NULL)
		return;

	plan_guard(inspection, finding);
	compare_triggers(plan, inspection->table, finding->triggers, finding);
	if (finding->problem == NULL)
		compare_checks(plan, finding);
	if (finding->problem == NULL)
		inspect_neighbours(plan, inspection->table, finding);
	if (finding->problem == NULL && finding->kind == GUARD_PROTECT)
		compare_key(plan, finding);
	if (finding->problem == NULL && finding->kind == GUARD_GATE)
		compare_options(finding->triggers, finding);
	if (finding->problem == NULL && finding->kind == GUARD_GATE)
		inspect_surroundings(finding);
}


/* ----- Catching errors ----- */

/* Is this an error of the session, not of the trigger?  Those must not be swallowed. */
static bool
is_of_session(const ErrorData *error)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return category == ERRCODE_OPERATOR_INTERVENTION ||
		category == ERRCODE_INSUFFICIENT_RESOURCES;
}

/* Inspect in a subtransaction, with the settings that the installers use. */
static void
inspect_safely(const Inspection *inspection, Finding *finding,
			   void (*inspect) (const Inspection *, Finding *))
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		/* The shortest possible wait for what the trigger opens. */
		SetForNow("lock_timeout", "1ms");
		SetForNow("search_path", PINNED_SEARCH_PATH);
		inspect(inspection, finding);
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
	if (error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		finding->problem = LOCKED;
	else
	{
		finding->problem = error->message;
		finding->hint = error->hint;
	}
}


/* ----- As rows ----- */

/* NULL where nothing is known of the trigger. */
static const char *
enabled_word(const Finding *finding)
{
	if (finding->unseen)
		return NULL;
	if (finding->trigger == NULL)
		return "missing";
	switch (finding->enabled)
	{
		case TRIGGER_DISABLED:
			return "disabled";
		case TRIGGER_FIRES_ON_REPLICA:
			return "replica";
		case TRIGGER_FIRES_ALWAYS:
			return "always";
		default:
			return "enabled";
	}
}

static Datum
text_or_null(const char *string, bool *isnull)
{
	*isnull = string == NULL;
	return *isnull ? (Datum) 0 : CStringGetTextDatum(string);
}

static void
report(const Inspection *inspection, const Finding *finding)
{
	Datum		values[8];
	bool		nulls[8] = {false};

	values[0] = ObjectIdGetDatum(finding->relation);
	values[1] = text_or_null(finding->pin, &nulls[1]);
	values[2] = text_or_null(finding->unseen ? NULL :
							 finding->kind == GUARD_GATE ? "gate" : "protect", &nulls[2]);
	values[3] = text_or_null(finding->trigger, &nulls[3]);
	values[4] = text_or_null(enabled_word(finding), &nulls[4]);
	values[5] = text_or_null(finding->definition, &nulls[5]);
	values[6] = text_or_null(finding->problem, &nulls[6]);
	values[7] = text_or_null(finding->hint, &nulls[7]);
	tuplestore_putvalues(inspection->result->setResult, inspection->result->setDesc,
						 values, nulls);
}


/* ----- Memory ----- */

/* How many tables the function has looked at, over all rows of its query. */
static int *
tables_looked_at(FmgrInfo *flinfo)
{
	if (flinfo->fn_extra == NULL)
		flinfo->fn_extra = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(int));
	return flinfo->fn_extra;
}

/*
 * A table has been looked at: now and then, drop what the caches hold of those
 * before it.  A session that has missed invalidations does the same, so it is safe.
 */
static void
bound_caches(const Inspection *inspection)
{
	if (++*inspection->looked_at % MAX_CACHED_TABLES == 0)
		InvalidateSystemCaches();
}


/* ----- The guards of a table ----- */

/* The column of a guard's PIN, if it is there. */
static char *
pin_of_guard(const Inspection *inspection, const Finding *finding)
{
	char	   *value = finding->values[finding->kind == GUARD_GATE ?
										(int) GATE_PIN : (int) RULE_PIN];

	if (value != NULL)
		value = OptionColumn(value);
	return value != NULL &&
		get_attnum(RelationGetRelid(inspection->table), value) == InvalidAttrNumber ?
		NULL : value;
}

/* The triggers of all guards of a kind, those that state the options first. */
static List *
own_triggers(const Inspection *inspection, GuardKind kind)
{
	List	   *stating = NIL;
	List	   *others = NIL;
	ListCell   *lc;

	foreach(lc, KindTriggers(inspection->table, kind, inspection->domain))
	{
		if (kind == GUARD_GATE || StatesRules(lfirst(lc)))
			stating = lappend(stating, lfirst(lc));
		else
			others = lappend(others, lfirst(lc));
	}
	return list_concat(stating, others);
}

/* Read the options of the first trigger: an error there is the guard's problem. */
static void
read_values(const Inspection *inspection, Finding *finding)
{
	const GuardKindInfo *info = &guard_kinds[finding->kind];
	const Trigger *trigger = linitial(finding->triggers);

	if (finding->kind == GUARD_PROTECT)
		memcpy(finding->values,
			   ReadAccountGuard(inspection->table, trigger, inspection->domain)->rules,
			   info->noptions * sizeof(char *));
	else
		ReadOptions(trigger, info->options, info->noptions, finding->values);
}

/* Two triggers belong to one guard if they are for one PIN or one key of the orders. */
static bool
same_guard(const Finding *a, const Finding *b)
{
	char	   *x = a->values[0];
	char	   *y = b->values[0];

	return x == NULL || y == NULL ? x == y : SameNames(OptionColumns(x), OptionColumns(y));
}

/* One finding for each guard of a kind. */
static List *
list_guards(const Inspection *inspection, GuardKind kind)
{
	List	   *findings = NIL;
	ListCell   *lc;

	foreach(lc, own_triggers(inspection, kind))
	{
		Trigger    *trigger = lfirst(lc);
		Finding    *finding = palloc0(sizeof(Finding));
		bool		known = false;
		ListCell   *other;

		finding->kind = kind;
		finding->values = palloc0(MAX_GUARD_OPTIONS * sizeof(char *));
		finding->relation = RelationGetRelid(inspection->table);
		finding->triggers = list_make1(trigger);
		finding->trigger = trigger->tgname;
		finding->enabled = trigger->tgenabled;
		inspect_safely(inspection, finding, read_values);
		foreach(other, findings)
			known |= finding->problem == NULL && same_guard(finding, lfirst(other));
		if (!known)
			findings = lappend(findings, finding);
	}
	return findings;
}

static void
report_guards(const Inspection *inspection, List *findings)
{
	ListCell   *lc;

	foreach(lc, findings)
	{
		Finding    *finding = lfirst(lc);

		finding->pin = pin_of_guard(inspection, finding);
		if (finding->problem == NULL)
		{
			finding->definition = GuardDefinition(finding->kind, inspection->table,
												  finding->values, inspection->domain);
			inspect_safely(inspection, finding, inspect_guard);
		}
		report(inspection, finding);
	}
}

/* Columns of portpin's types without a guard; a gate guards the PIN of its orders. */
static void
report_unguarded(const Inspection *inspection, List *findings)
{
	for (AttrNumber column = NextPinColumn(inspection->table, 0, inspection->domain);
		 column != InvalidAttrNumber;
		 column = NextPinColumn(inspection->table, column, inspection->domain))
	{
		bool		child = has_superclass(RelationGetRelid(inspection->table));
		Finding		missing = {
			.kind = GUARD_PROTECT,
			.relation = RelationGetRelid(inspection->table),
			.pin = ColumnName(inspection->table, column),
			.problem = child ?
			"no guard: triggers of a table that it inherits from do not apply to its rows" :
			"no guard: the PIN can be cleared, and if this is a table of orders, any order gets in"
		};
		bool		guarded = false;
		ListCell   *lc;

		missing.hint = child ? MEND_CHILD :
			psprintf("SELECT %s(%s, pin => %s); for a table of orders, port_pin_gate.",
					 QualifiedName("port_pin_protect", inspection->domain),
					 quote_literal_cstr(QualifiedTable(inspection->table)),
					 quote_literal_cstr(ColumnArgument(list_make1(missing.pin))));
		foreach(lc, findings)
		{
			const Finding *finding = lfirst(lc);

			/* A guard that does not find its column has said so itself. */
			guarded |= finding->pin == NULL ? finding->problem != NULL :
				strcmp(finding->pin, missing.pin) == 0;
		}
		if (!guarded)
			report(inspection, &missing);
	}
}


/* ----- Partitions and inheritance children ----- */

/* The clone that a partition has of a trigger of its partitioned table; NULL if none. */
static Trigger *
find_clone(Relation partition, const Trigger *parent)
{
	ListCell   *lc;

	foreach(lc, CopyTriggers(partition, parent->tgfoid))
	{
		Trigger    *clone = lfirst(lc);

		if (clone->tgisclone && clone->tgtype == parent->tgtype &&
			strcmp(clone->tgname, parent->tgname) == 0)
			return clone;
	}
	return NULL;
}

/* A clone can be disabled separately.  Returns the clones, up to the first problem. */
static List *
inspect_clones(Relation partition, Finding *finding)
{
	List	   *clones = NIL;
	ListCell   *lc;

	foreach(lc, finding->parent->triggers)
	{
		const Trigger *parent = lfirst(lc);
		Trigger    *clone = find_clone(partition, parent);

		if (!TRIGGER_FOR_ROW(parent->tgtype))
			continue;
		finding->trigger = clone == NULL ? NULL : clone->tgname;
		finding->enabled = clone == NULL ? 0 : clone->tgenabled;
		if (clone == NULL)
			finding->problem = psprintf("the partition lacks trigger \"%s\" of its partitioned table",
										parent->tgname);
		else if (clone->tgenabled != parent->tgenabled)
			finding->problem = firing_problem(clone, finding->kind);
		if (finding->problem != NULL)
			break;
		clones = lappend(clones, clone);
	}
	return clones;
}

/* If the partitioned table itself is in order, look for what is wrong only here. */
static void
inspect_rest(const Inspection *inspection, Relation partition, List *clones,
			 Finding *finding)
{
	const Inspection here = {
		.table = partition,
		.domain = inspection->domain
	};
	const GuardPlan *plan = &finding->parent->plan;
	List	   *own;

	ask_triggers(&here, clones, finding);
	if (finding->problem == NULL)
		inspect_neighbours(plan, partition, finding);
	if (finding->problem != NULL || finding->kind == GUARD_GATE)
		return;
	own = GuardTriggers(plan, partition);
	if (own != NIL)
		ask_triggers(&here, own, finding);
	if (finding->problem == NULL)
		compare_triggers(plan, partition, own, finding);
}

/* The partitioned table's guard on one partition; the first problem is enough. */
static void
inspect_partition(const Inspection *inspection, Finding *finding)
{
	Relation	partition = relation_open(finding->relation, AccessShareLock);
	List	   *clones = inspect_clones(partition, finding);

	/* That of the whole table mends its partitions, too. */
	finding->definition = finding->parent->definition;
	if (finding->problem == NULL && finding->parent->problem == NULL)
		inspect_rest(inspection, partition, clones, finding);
	relation_close(partition, NoLock);
}

/*
 * A child that is no partition: triggers of the parent do not apply to its rows.  If
 * its PIN is of portpin's types, the view has a row for the child itself.
 */
static void
inspect_child(const Inspection *inspection, Finding *finding)
{
	Relation	child = relation_open(finding->relation, AccessShareLock);

	if (finding->pin == NULL ||
		!ColumnIsPortPin(child, get_attnum(finding->relation, finding->pin),
						 inspection->domain))
	{
		finding->problem = psprintf("the table inherits from %s, whose guard does not apply to its rows",
									QualifiedTable(inspection->table));
		finding->hint = MEND_CHILD;
	}
	relation_close(child, NoLock);
}

/* What is wrong with a guard on a table under the guarded one. */
static void
report_child(const Inspection *inspection, const Finding *parent, Oid child)
{
	Finding		finding = {
		.kind = parent->kind,
		.values = parent->values,
		.relation = child,
		.pin = parent->pin,
		.parent = parent
	};

	inspect_safely(inspection, &finding,
				   inspection->table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ?
				   inspect_partition : inspect_child);
	if (finding.problem != NULL)
		report(inspection, &finding);
}

static void
report_children(const Inspection *inspection, List *findings)
{
	ListCell   *lc;

	foreach(lc, find_all_inheritors(RelationGetRelid(inspection->table), NoLock, NULL))
	{
		ListCell   *other;

		if (lfirst_oid(lc) == RelationGetRelid(inspection->table))
			continue;
		foreach(other, findings)
			report_child(inspection, lfirst(other), lfirst_oid(lc));
		bound_caches(inspection);
	}
}

/*
 * port_pin_inspect(table_name regclass, OUT relation regclass, OUT pin_column text,
 *					OUT guard text, OUT trigger_name text, OUT enabled text,
 *					OUT definition text, OUT problem text, OUT hint text)
 *		returns setof record
 *
 * The guards of a table that is no partition, and PINs without one.  Says nothing
 * that the catalogs don't show to everyone, reads no row, and raises no error for a
 * guard that is broken, locked or dropped.
 */
Datum
port_pin_inspect(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	Inspection	inspection = {
		.domain = PortPinDomain(fcinfo->flinfo->fn_oid),
		.looked_at = tables_looked_at(fcinfo->flinfo)
	};
	List	   *findings;

	InitMaterializedSRF(fcinfo, 0);
	inspection.result = (ReturnSetInfo *) fcinfo->resultinfo;
	if (!ConditionalLockRelationOid(relid, AccessShareLock))
	{
		Finding		locked = {
			.relation = relid,
			.problem = LOCKED,
			.unseen = true
		};

		report(&inspection, &locked);
		return (Datum) 0;
	}
	inspection.table = try_relation_open(relid, NoLock);
	if (inspection.table == NULL)
		return (Datum) 0;		/* dropped, so it has no guard any more */

	findings = list_concat(list_guards(&inspection, GUARD_PROTECT),
						   list_guards(&inspection, GUARD_GATE));
	report_guards(&inspection, findings);
	report_unguarded(&inspection, findings);
	report_children(&inspection, findings);
	relation_close(inspection.table, AccessShareLock);
	bound_caches(&inspection);
	return (Datum) 0;
}


/* ----- Gates over a table that has been guarded ----- */

/* Let those triggers of a gate speak that fire, if its way passes through the table. */
static void
ask_gate(const Inspection *inspection, Finding *finding)
{
	ListCell   *lc;

	foreach(lc, find_triggers(inspection, finding))
	{
		Trigger    *trigger = lfirst(lc);

		if (TriggerFiresOnOrigin(trigger) &&
			LeadsOver(RelationGetRelid(inspection->table), trigger, inspection->accounts))
			ask_trigger(inspection->table, trigger, inspection->domain, &finding->gate);
	}
}

static void
note_refusing_gate(const Inspection *inspection, Finding *finding)
{
	/* That its options can't be read is nothing new. */
	if (finding->problem != NULL)
		return;
	inspect_safely(inspection, finding, ask_gate);
	if (finding->problem == NULL || strcmp(finding->problem, LOCKED) == 0)
		return;
	ereport(NOTICE,
			errmsg("table \"%s\" takes no port orders now: %s",
				   RelationGetRelationName(inspection->table), finding->problem),
			errhint("%s", finding->hint != NULL ? finding->hint :
					GuardDefinition(GUARD_GATE, inspection->table, finding->values,
									inspection->domain)));
}

/*
 * A table has been guarded: tell which gates over it can't do their work under its
 * rules.  The guard's locks are held, and orders take theirs in the opposite sequence,
 * so none is waited for here.
 */
void
NoteRefusingGates(Oid accounts, Oid domain)
{
	ListCell   *lc;

	foreach(lc, TablesBefore(accounts))
	{
		Inspection	inspection = {.domain = domain,.accounts = accounts};
		ListCell   *other;

		if (!ConditionalLockRelationOid(lfirst_oid(lc), AccessShareLock))
			continue;
		inspection.table = try_relation_open(lfirst_oid(lc), NoLock);
		if (inspection.table == NULL)
			continue;
		foreach(other, list_guards(&inspection, GUARD_GATE))
			note_refusing_gate(&inspection, lfirst(other));
		relation_close(inspection.table, AccessShareLock);
	}
}
