/*
 * order.c
 *		Whether a port order is judged, and the verdict.
 *
 * An order is judged when it is new, and when an UPDATE gives it another key or PIN
 * or brings it into scope: INSERT ... ON CONFLICT DO UPDATE would get past a gate on
 * INSERT alone.  An order is not judged again if it moves to another partition, if
 * it follows its account (account.c), or if its PIN is only blanked, so that orders
 * need not hoard PINs.
 *
 * Port-out PINs are "only used for organizations in the United States", and the
 * account says whether it belongs to one.  An order can be out of scope, too, if it
 * is no port at all.  If in doubt, because a scope is NULL, an order is judged.
 */
#include "postgres.h"

#include "trigger/order.h"

#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "rewrite/rewriteHandler.h"
#include "utils/rel.h"

#include "base/setting.h"
#include "failure/failure_limit.h"
#include "pin/check.h"
#include "pin/pin.h"
#include "pin/seal.h"
#include "table/column.h"
#include "trigger/account.h"
#include "trigger/pin_change.h"
#include "trigger/use.h"

/* The value that a generated column will have in a row that does not have it yet. */
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

/* Is an order in scope?  A boolean outlives the executor state that computed it. */
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

/* Do two rows of the orders refer to different accounts, or write them differently? */
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

/* An order in scope is judged if it is new (old is NULL), or else for a reason. */
bool
OrderNeedsJudging(TriggerData *trigdata, GateState *state, TupleTableSlot *old,
				  TupleTableSlot *new)
{
	const Gate *gate = &state->gate;
	bool		pin_changed;

	if (old == NULL || !OrderInScope(trigdata, gate, old))
		return true;

	pin_changed = !SameColumnValue(old, new, gate->pin);
	if (key_changed(gate, old, new))
		return pin_changed || !IsSameAccount(&state->reader, old, new);
	return pin_changed && RowHasPin(new, gate->pin);
}

/*
 * Does the verdict on an inserted order hold for the old one that is updated
 * instead?  It does for the same account, unless the UPDATE brings another PIN.
 */
bool
InsertedVerdictHolds(const Gate *gate, TupleTableSlot *inserted, TupleTableSlot *old,
					 TupleTableSlot *new)
{
	return (SameColumnValue(old, new, gate->pin) || !RowHasPin(new, gate->pin)) &&
		!key_changed(gate, inserted, new);
}

/*
 * The verdict on the PIN supplied for an account that exists and is not locked.  It
 * is an attempt only if it could be right: a value of another form is wrong, too,
 * but a badly formatted file must not lock accounts out.
 */
static PortVerdict
check_supplied(GateState *state, const Account *account, TupleTableSlot *order,
			   bool *is_attempt)
{
	const Gate *gate = &state->gate;
	bool		isnull;
	Datum		value = slot_getattr(order, gate->pin, &isnull);
	text	   *supplied = PinFromDatum(value, isnull);
	PortVerdict verdict = CheckPin(account->pin, supplied, state->memo);

	*is_attempt = account->unusable == PORT_ACCEPTED &&
		(verdict == PORT_ACCEPTED ||
		 (verdict == PORT_PIN_MISMATCH && PinIsValid(supplied)));
	PinFreeIfCopy(supplied, value);
	if (verdict == PORT_PIN_NOT_SET && gate->path.allows_unset)
		return PORT_ACCEPTED;
	if (account->unusable != PORT_ACCEPTED &&
		(verdict == PORT_PIN_MISMATCH || verdict == PORT_ACCEPTED))
		return account->unusable;
	return verdict;
}

/*
 * Count the attempt, and only then tell the verdict.  False if the order must be
 * judged anew, because it had to wait and its account has changed meanwhile.
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

/* Judge an order by an account that has been read.  False if it has to be judged anew. */
static bool
judge(GateState *state, PinAttempt *attempt, const Account *account,
	  TupleTableSlot *order, PortVerdict *verdict)
{
	bool		is_attempt = false;

	/*
	 * Hash even where there is no PIN to compare, so that timing hides the
	 * reason.
	 */
	if (state->gate.path.sealed && (account->pin == NULL || account->locked))
		DummyHash(account->pin);

	if (!account->found)
		*verdict = PORT_ACCOUNT_UNKNOWN;
	else if (account->locked)
		*verdict = PORT_LOCKED;
	else if (account->step != NULL &&
			 AccountIsLockedOut(attempt, &account->step->identity, account->holder->columns))
		*verdict = PORT_TOO_MANY_ATTEMPTS;
	else
		*verdict = check_supplied(state, account, order, &is_attempt);
	return !is_attempt || tell_verdict(attempt, account, verdict);
}

/* Who asks?  NULL if the order does not say. */
static char *
source_of(const Gate *gate, TupleTableSlot *order)
{
	bool		isnull;
	Datum		source;

	if (gate->source == InvalidAttrNumber)
		return NULL;
	source = slot_getattr(order, gate->source, &isnull);
	if (isnull)
		return NULL;
	return TextOfValue(TupleDescAttr(order->tts_tupleDescriptor, gate->source - 1)->atttypid,
					   source);
}

/*
 * An order is to be accepted: make sure that no other transaction uses its PIN.
 * False if the account has changed and the order must be judged anew.  If the order
 * is stored already, note the use at once.  Does nothing where no use is noted.
 */
static bool
use_pin(GateState *state, const TriggerData *trigdata, const Account *account,
		TupleTableSlot *order)
{
	if (account->step == NULL || !state->gate.path.notes_use)
		return true;
	if (!HoldUnused(account->step, account->holder))
		return false;
	if (TRIGGER_FIRED_AFTER(trigdata->tg_event))
		NoteUse(account->step, account->holder, trigdata->tg_relation, order,
				state->gate.pin, state->gate.domain);
	return true;
}

/* Judge an order once.  False if it has to be judged anew. */
static bool
try_to_judge(GateState *state, const TriggerData *trigdata, PinAttempt *attempt,
			 const char *source, TupleTableSlot *order, Judgment *judgment)
{
	Account		account;
	bool		done;

	ReadAccount(&state->reader, order, &account);
	judgment->verdict = PORT_ACCEPTED;
	judgment->judged = !account.found || account.locked || account.in_scope;
	done = !judgment->judged ||
		judge(state, attempt, &account, order, &judgment->verdict);
	judgment->usable_from = account.usable_from;
	if (done && judgment->judged && judgment->verdict == PORT_ACCEPTED &&
		!use_pin(state, trigdata, &account, order))
	{
		/* The lock was waited for: a new attempt has its own time. */
		BeginAttempt(attempt, state->gate.domain, trigdata->tg_relation, source);
		done = false;
	}
	ReleaseAccount(&account);
	return done;
}

/*
 * Judge an order.  It is not judged if its account is out of scope, unless the
 * account is locked.
 */
Judgment
JudgeOrder(GateState *state, const TriggerData *trigdata, TupleTableSlot *order)
{
	const char *source = source_of(&state->gate, order);
	PinAttempt	attempt;
	Judgment	judgment = {
		.judged = true,
		.verdict = PORT_SOURCE_LOCKED_OUT
	};

	BeginAttempt(&attempt, state->gate.domain, trigdata->tg_relation, source);
	if (SourceIsLockedOut(&attempt))
		return judgment;
	while (!try_to_judge(state, trigdata, &attempt, source, order, &judgment))
		;
	return judgment;
}

/* An order that was judged BEFORE was stored as accepted: note that its PIN is used. */
void
NoteAcceptedOrder(GateState *state, const TriggerData *trigdata, TupleTableSlot *order)
{
	bool		done;

	do
	{
		Account		account;

		ReadAccount(&state->reader, order, &account);
		done = !account.found || !account.in_scope ||
			use_pin(state, trigdata, &account, order);
		ReleaseAccount(&account);
	} while (!done);
}
