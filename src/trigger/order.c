/*
 * order.c
 *		Whether a port order is judged, and the verdict.
 *
 * An order is judged when it is new, and when an UPDATE gives it another key or
 * PIN or brings it into scope: INSERT ... ON CONFLICT DO UPDATE would walk past a
 * gate on INSERT alone.  Not judged again are an order that moves to another
 * partition, one that follows its account (account.c), and one whose PIN is only
 * blanked, so that orders need not hoard PINs.
 *
 * Scope is a boolean column of the order: port-out PINs are "only used for
 * organizations in the United States".  An order is out of scope where that
 * column is false; in doubt, where it is NULL, it is judged.
 */
#include "postgres.h"

#include "trigger/order.h"

#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "rewrite/rewriteHandler.h"
#include "utils/rel.h"

#include "failure/failure_limit.h"
#include "pin/check.h"
#include "pin/pin.h"
#include "pin/seal.h"
#include "table/column.h"
#include "table/foreign_key.h"
#include "trigger/account.h"
#include "trigger/gate.h"

/* What a generated column will be in a row that has not got it yet. */
static Datum
generate_column(Relation orders, TupleTableSlot *order, AttrNumber column,
				bool *isnull)
{
	EState	   *estate = CreateExecutorState();
	ExprContext *context = GetPerTupleExprContext(estate);
	Expr	   *expression = (Expr *) build_column_default(orders, column);
	Datum		value;

	context->ecxt_scantuple = order;
	value = ExecEvalExpr(ExecPrepareExpr(expression, estate), context, isnull);
	FreeExecutorState(estate);
	return value;
}

/* Boolean, so that the value does not live in the executor state that made it. */
bool
OrderInScope(TriggerData *trigdata, const Gate *gate, TupleTableSlot *order)
{
	Relation	orders = trigdata->tg_relation;
	bool		isnull;
	Datum		scope;

	if (gate->scope == InvalidAttrNumber)
		return true;
	if (TRIGGER_FIRED_BEFORE(trigdata->tg_event) && ColumnIsGenerated(orders, gate->scope))
		scope = generate_column(orders, order, gate->scope, &isnull);
	else
		scope = slot_getattr(order, gate->scope, &isnull);
	return isnull || DatumGetBool(scope);
}

static bool
carries_no_pin(const Gate *gate, TupleTableSlot *order)
{
	bool		isnull;
	Datum		value = slot_getattr(order, gate->pin, &isnull);
	text	   *pin = PinFromDatum(value, isnull);
	bool		blank = PinIsBlank(pin);

	PinFreeIfCopy(pin, value);
	return blank;
}

static bool
key_changed(const Gate *gate, TupleTableSlot *old, TupleTableSlot *new)
{
	const ForeignKey *key = &gate->path.steps[0].key;

	for (int i = 0; i < key->nkeys; i++)
	{
		if (!SameColumnValue(old, new, key->from[i]))
			return true;
	}
	return false;
}

/* An order in scope is judged if it is new (old is NULL), an old one for a reason. */
bool
OrderNeedsJudging(TriggerData *trigdata, Gate *gate, TupleTableSlot *old,
				  TupleTableSlot *new)
{
	bool		pin_changed;

	if (old == NULL || !OrderInScope(trigdata, gate, old))
		return true;

	pin_changed = !SameColumnValue(old, new, gate->pin);
	if (key_changed(gate, old, new))
		return pin_changed || !IsSameAccount(&gate->path, old, new);
	return pin_changed && !carries_no_pin(gate, new);
}

/*
 * What the supplied PIN says of an account that is there and is not locked.  It is
 * an attempt at the PIN if it may be right: a value of another form is wrong, but a
 * badly formatted file must not lock accounts out.
 */
static PortVerdict
check_supplied(const Gate *gate, const Account *account, TupleTableSlot *order,
			   bool *is_attempt)
{
	bool		isnull;
	Datum		value = slot_getattr(order, gate->pin, &isnull);
	text	   *supplied = PinFromDatum(value, isnull);
	PortVerdict verdict = CheckPin(account->pin, supplied, NULL);

	*is_attempt = !account->expired && (verdict == PORT_ACCEPTED ||
										(verdict == PORT_PIN_MISMATCH && PinIsValid(supplied)));
	PinFreeIfCopy(supplied, value);
	if (verdict == PORT_PIN_NOT_SET && gate->unset_allow)
		return PORT_ACCEPTED;
	if (account->expired &&
		(verdict == PORT_PIN_MISMATCH || verdict == PORT_ACCEPTED))
		return PORT_PIN_EXPIRED;
	return verdict;
}

/*
 * Count the attempt, and only then tell.  False if the order has to be judged anew, for
 * it had to wait and its account has changed meanwhile.
 */
static bool
tell_verdict(PinAttempt *attempt, const Account *account, PortVerdict *verdict)
{
	if (LockAttempt(attempt) && !AccountIsCurrent(account))
	{
		UnlockAttempt(attempt);
		return false;
	}
	return EndAttempt(attempt, verdict);
}

/* False if the order has to be judged anew. */
static bool
judge(Gate *gate, PinAttempt *attempt, TupleTableSlot *order, PortVerdict *verdict)
{
	Account		account;
	bool		is_attempt = false;
	bool		done;

	ReadAccount(&gate->path, order, &account);

	/* Refusals for which no PIN is compared must not be told by their haste. */
	if (gate->path.sealed && (account.pin == NULL || account.locked))
		DummyHash(account.pin);

	if (!account.found)
		*verdict = PORT_ACCOUNT_UNKNOWN;
	else if (account.locked)
		*verdict = PORT_LOCKED;
	else if (AccountIsLockedOut(attempt, account.identity, account.row))
		*verdict = PORT_TOO_MANY_ATTEMPTS;
	else
		*verdict = check_supplied(gate, &account, order, &is_attempt);
	done = !is_attempt || tell_verdict(attempt, &account, verdict);
	ReleaseAccount(&account);
	return done;
}

PortVerdict
JudgeOrder(Gate *gate, Relation orders, TupleTableSlot *order)
{
	PortVerdict verdict;
	PinAttempt	attempt;

	BeginAttempt(&attempt, gate->domain, orders);
	while (!judge(gate, &attempt, order, &verdict))
		;
	return verdict;
}
