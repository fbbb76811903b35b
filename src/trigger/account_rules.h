/*
 * account_rules.h
 *		What the guard of a table with PINs says of them.
 *
 * The rules are the arguments of one trigger of the guard: the one AFTER UPDATE on
 * the table itself or on the partitioned table that it belongs to.  So they are
 * dumped, restored and sharded with it.  A disabled trigger still states them.
 */
#ifndef PORTPIN_ACCOUNT_RULES_H
#define PORTPIN_ACCOUNT_RULES_H

#include "access/attnum.h"
#include "executor/tuptable.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

#include "trigger/option.h"

/* The trigger function. */
#define PROTECT_TRIGGER "port_pin_protect_trigger"

/* In the order of port_pin_protect()'s parameters. */
typedef enum AccountRule
{
	RULE_PIN,
	RULE_SCOPE,
	RULE_LOCK,
	RULE_LOCK_UNTIL,
	RULE_EXPIRES,
	RULE_CHANGED,
	RULE_MIN_AGE,
	RULE_MAX_AGE,
	RULE_USED,
	RULE_UNLIKE,
	RULE_FORBID_WEAK,
	RULE_KEY,					/* forbid_delete */
	RULE_CHECK_FORMAT,
	RULE_CLEARABLE,
	RULE_ALLOW_UNSET,
	RULE_HISTORY
} AccountRule;

#define NUM_ACCOUNT_RULES (RULE_HISTORY + 1)

extern const GuardOption account_rules[NUM_ACCOUNT_RULES];

/* One guard, as its trigger states it: columns are still names. */
typedef struct AccountGuard
{
	char	   *trigger;
	char	   *rules[NUM_ACCOUNT_RULES];
} AccountGuard;

extern bool StatesRules(const Trigger *trigger);
extern void CheckRulesAgree(Relation table, char **rules);
extern AccountGuard *ReadAccountGuard(Relation table, const Trigger *trigger,
									  Oid domain);
extern bool SamePin(const AccountGuard *a, const AccountGuard *b);
extern List *FindAccountGuards(Relation table, Oid domain);
extern AccountGuard *GuardOfPin(List *guards, const char *pin);
extern AttrNumber RuleColumn(Relation table, char **rules, AccountRule rule);
extern AttrNumber RowRuleColumn(Relation table, List *guards, AccountRule rule);
extern bool RowIsLocked(TupleTableSlot *row, AttrNumber lock, AttrNumber lock_until);

#endif							/* PORTPIN_ACCOUNT_RULES_H */
