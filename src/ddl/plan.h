/*
 * plan.h
 *		What a guard consists of: the triggers and CHECKs that its options ask for.
 *
 * The installers carry a plan out; the view port_pin_guards compares one with the
 * catalogs.  So what is installed, watched and removed is defined once.
 */
#ifndef PORTPIN_PLAN_H
#define PORTPIN_PLAN_H

#include "access/attnum.h"
#include "commands/trigger.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

#include "trigger/account_rules.h"
#include "trigger/gate.h"
#include "trigger/option.h"

/* Sorts after other triggers' names in lower case, so that the trigger fires last. */
#define STAMP_TRIGGER_BASE "zz_port_pin_protect"

typedef struct PlannedTrigger
{
	Oid			table;			/* TRUNCATE needs one on each partition */
	const char *function;		/* without its schema */
	const char *base;			/* its name is base[_tag][_suffix] */
	const char *suffix;
	int16		type;			/* as in pg_trigger */
	char	   *condition;		/* NULL if it fires for every row */
	char	   *arguments;		/* as literals */
	const char *lack;			/* what it means if there is none */
	char	   *name;			/* of the trigger that is there, or is to be */
	bool		exists;
	bool		always;			/* fires where replication applies changes,
								 * too */
} PlannedTrigger;

typedef struct PlannedCheck
{
	const char *function;		/* without its schema */
	AttrNumber	column;
	char	   *name;
	bool		validate;		/* holds for rows that are there already */
	const char *lack;
} PlannedCheck;

/* The kinds of guards. */
typedef enum GuardKind
{
	GUARD_PROTECT,
	GUARD_GATE
} GuardKind;

typedef struct GuardPlan
{
	GuardKind	kind;
	Relation	table;
	Oid			domain;
	char	  **values;			/* its options: account_rules or gate_options */
	AttrNumber	pin;			/* of accounts; 0 for a lock alone, or a gate */
	bool		sealed;			/* that PIN is */
	List	   *triggers;
	List	   *checks;
} GuardPlan;

/* What tells one kind of guard from the other. */
typedef struct GuardKindInfo
{
	const char *installer;
	const GuardOption *options; /* the first tells guards of one table apart */
	int			noptions;
	const char *functions[2];	/* of its triggers */
} GuardKindInfo;

extern const GuardKindInfo guard_kinds[];

/* Room for the options of a guard of any kind. */
#define MAX_GUARD_OPTIONS Max((int) NUM_ACCOUNT_RULES, (int) NUM_GATE_OPTIONS)

extern void IdentifyGuard(GuardKind kind, Relation table, char **values, Oid domain,
						  GuardPlan *plan);
extern void PlanProtect(Relation table, char **rules, Oid domain, GuardPlan *plan);
extern void PlanGate(Relation orders, char **options, const Gate *gate, Oid domain,
					 GuardPlan *plan);

extern void AddPlannedTrigger(GuardPlan *plan, PlannedTrigger trigger);
#define AddTrigger(plan, ...) \
	AddPlannedTrigger(plan, (PlannedTrigger) {__VA_ARGS__})
extern char *PlanArguments(GuardKind kind, char **values);
extern char *ColumnsDiffer(Relation rel, int ncolumns, const AttrNumber *columns);

extern List *KindTriggers(Relation table, GuardKind kind, Oid domain);
extern List *GuardTriggers(const GuardPlan *plan, Relation table);
extern bool TriggerIsAmong(const Trigger *trigger, List *triggers);
extern bool CoversTrigger(const Trigger *trigger, const PlannedTrigger *planned);
extern char *EarlyTriggers(const GuardPlan *plan, Relation table);
extern char *LateTriggers(const GuardPlan *plan, Relation table);
extern bool SameNames(List *a, List *b);
extern char *FindCheck(Relation table, Oid function, AttrNumber column, bool *valid);
extern char *FindOwnCheck(Relation table, Oid function, AttrNumber column);
extern char *GuardDefinition(GuardKind kind, Relation table, char **values, Oid domain);
extern char *QualifiedTable(Relation table);

#endif							/* PORTPIN_PLAN_H */
