/*
 * gate.h
 *		A gate: which columns it looks at and the way to the account.
 */
#ifndef PORTPIN_GATE_H
#define PORTPIN_GATE_H

#include "commands/trigger.h"
#include "fmgr.h"
#include "trigger/account.h"
#include "utils/rel.h"

/* A gate: which columns it looks at and the way to the account. */
typedef struct Gate
{
	Oid			trigger;
	MemoryContext mcxt;			/* all that it has is in here */
	uint64		generation;		/* of the catalogs that it was found in */
	bool		in_use;			/* by an order that is being judged */
	AttrNumber	pin;			/* the PIN that the order carries */
	AttrNumber	scope;			/* 0 where every order is judged */
	AttrNumber	verdict;		/* 0 where a bad order is refused, not recorded */
	bool		redact;			/* the PIN is not stored once judged */
	bool		unset_allow;	/* an account without a PIN may be ported */
	AccountPath path;
	Oid			domain;			/* port_pin */
} Gate;

/* What names a gate's columns; NULL where portpin finds them. */
typedef struct GateNames
{
	char	   *pin;
	char	   *scope;
	char	   *verdict;
	bool		redact;
	bool		unset_allow;
	AccountNames account;
} GateNames;

/* The trigger function. */
#define GATE_TRIGGER "port_pin_gate_trigger"

extern void CheckGateAttachment(const TriggerData *trigdata);
extern Gate *FindGate(Relation orders, const GateNames *names, Oid domain);
extern void CheckGateFiresLast(Relation orders, const char *gate, bool now);
extern Gate *FindGateOfTrigger(FunctionCallInfo fcinfo, TriggerData *trigdata);
extern const Gate *CheckGateTrigger(FunctionCallInfo fcinfo);

#endif							/* PORTPIN_GATE_H */
