/*
 * gate.h
 *		A gate: which columns of the orders it looks at, and the way to the account.
 */
#ifndef PORTPIN_GATE_H
#define PORTPIN_GATE_H

#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/rel.h"

#include "trigger/account_path.h"
#include "trigger/option.h"

/* The trigger function. */
#define GATE_TRIGGER "port_pin_gate_trigger"

/* The one that notes the use of PINs, beside a gate that changes orders. */
#define USED_TRIGGER "port_pin_used_trigger"

/* In the order of port_pin_gate()'s parameters; only the installer writes the last. */
typedef enum GateOption
{
	GATE_FK,
	GATE_VIA,
	GATE_PIN,
	GATE_SCOPE,
	GATE_SOURCE,
	GATE_VERDICT,
	GATE_REDACT,
	GATE_ACCOUNT_PIN,
	GATE_GUARDED
} GateOption;

#define NUM_GATE_OPTIONS (GATE_GUARDED + 1)

extern const GuardOption gate_options[NUM_GATE_OPTIONS];

/* The orders, the tables on the way, and what those are partitions of. */
#define MAX_GATE_RELATIONS (1 + 2 * MAX_PATH_STEPS)

/* Plain facts, which can be copied and kept until one of the relations changes. */
typedef struct Gate
{
	Oid			trigger;
	Oid			domain;			/* port_pin, in whose schema all of portpin is */
	AttrNumber	pin;			/* the PIN that the order carries */
	AttrNumber	scope;			/* 0 where every order is judged */
	AttrNumber	source;			/* who asks; 0 where nobody says */
	AttrNumber	verdict;		/* 0 where a bad order is refused, not
								 * recorded */
	bool		redact;			/* the PIN is not stored once judged */
	bool		off;			/* the gate is disabled; set for the trigger
								 * that notes use */
	AccountPath path;
	int			nrelations;
	Oid			relations[MAX_GATE_RELATIONS];
} Gate;

extern bool ChangesOrders(const Gate *gate);
extern bool JudgesBeforeKey(const Gate *gate);
extern void CheckGateAttachment(const TriggerData *trigdata);
extern void CheckUsedAttachment(const TriggerData *trigdata);
extern void FindGate(Relation orders, char **options, Oid domain, Gate *gate);
extern void CheckGateFiresLast(Relation orders, const char *gate, Oid domain,
							   bool now);
extern void FindGateOfTrigger(FunctionCallInfo fcinfo, const TriggerData *trigdata,
							  Gate *gate);
extern void CheckGateTrigger(FunctionCallInfo fcinfo, Gate *gate);

#endif							/* PORTPIN_GATE_H */
