/*
 * account.c
 *		The rows on the way from an order to its PIN, and what they say.
 *
 * Where both a number and its account have a PIN, the number's counts.  A lock or a
 * scope belongs to a row and holds for every order whose way passes it.
 *
 * Rows are read with the newest snapshot, as the checks of foreign keys do: it shows
 * what this command and this transaction did, and even in REPEATABLE READ the
 * current PIN.  No row is locked against changes, or orders and changes of their
 * accounts would wait for each other.  None needs to be: thanks to its guard, a PIN
 * stays set once it is.  Only the row's key is locked, as the foreign key's own
 * check does, and only where the gate judges before that check.
 */
#include "postgres.h"

#include "trigger/account.h"

#include "access/xact.h"
#include "utils/fmgrprotos.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "pin/pin.h"
#include "trigger/account_rules.h"
#include "trigger/use.h"

/* Get ready to read accounts along a way, for as long as it and this memory last. */
void
InitAccountReader(AccountReader *reader, AccountPath *path, bool lock_key,
				  MemoryContext mcxt)
{
	reader->path = path;
	reader->lock_key = lock_key;
	for (int i = 0; i < path->nsteps; i++)
		reader->lookups[i] = CreateKeyLookup(&path->steps[i].key, mcxt);
}

/* Get ready again, in another statement. */
void
LockForReader(const AccountReader *reader)
{
	for (int i = 0; i < reader->path->nsteps; i++)
		LockForLookup(reader->lookups[i]);
}

bool
ReaderOutlivesStatement(const AccountReader *reader)
{
	for (int i = 0; i < reader->path->nsteps; i++)
	{
		if (!LookupOutlivesStatement(reader->lookups[i]))
			return false;
	}
	return true;
}


/* ----- What a row says ----- */

/* A row is in scope unless it says that it is not. */
static bool
is_in_scope(TupleTableSlot *row, AttrNumber column)
{
	bool		isnull;
	Datum		value;

	if (column == InvalidAttrNumber)
		return true;
	value = slot_getattr(row, column, &isnull);
	return isnull || DatumGetBool(value);
}

/* Has a time in a row passed, by the clock, not the transaction?  NULL never has. */
static bool
is_past(TupleTableSlot *row, AttrNumber column)
{
	bool		isnull;
	Datum		value;

	if (column == InvalidAttrNumber)
		return false;
	value = slot_getattr(row, column, &isnull);
	return !isnull && DatumGetTimestampTz(value) <= GetCurrentTimestamp();
}

static bool
is_age(const Interval *age)
{
	return age->time != 0 || age->day != 0 || age->month != 0;
}

/*
 * When a PIN that was last changed at this time reaches an age.  Counted in UTC, which
 * is what a timestamptz holds: in a time zone of the session's choice a week could
 * pass in a minute.
 */
static TimestampTz
time_of_age(Datum changed, const Interval *age)
{
	return DatumGetTimestampTz(DirectFunctionCall2(timestamp_pl_interval, changed,
												   IntervalPGetDatum(age)));
}

/*
 * Does something keep the PIN of a row from porting, even if it is right?  A PIN of
 * unknown age is never too new, but it is too old where there is a maximum age.
 */
static PortVerdict
unusable_pin(const PathStep *step, const ReferencedRow *found, TimestampTz *usable_from)
{
	TupleTableSlot *row = found->columns;
	bool		isnull = true;
	Datum		changed = (Datum) 0;

	if (step->changed != InvalidAttrNumber)
		changed = slot_getattr(row, step->changed, &isnull);
	if (is_past(row, step->expires) ||
		(is_age(&step->max_age) &&
		 (isnull || time_of_age(changed, &step->max_age) <= GetCurrentTimestamp())))
		return PORT_PIN_EXPIRED;
	if (WasUsed(step, found) && !WasUsedHere(step, found))
		return PORT_PIN_USED;
	if (!is_age(&step->min_age) || isnull)
		return PORT_ACCEPTED;
	*usable_from = time_of_age(changed, &step->min_age);
	return *usable_from > GetCurrentTimestamp() ? PORT_PIN_TOO_NEW : PORT_ACCEPTED;
}

/* Take what a row says; a PIN that was found on an earlier row overrides its own. */
static void
read_row(PathStep *step, ReferencedRow *found, Account *account)
{
	TupleTableSlot *row = found->columns;
	bool		isnull;
	Datum		value;

	account->locked |= RowIsLocked(row, step->lock, step->lock_until);
	account->in_scope &= is_in_scope(row, step->scope);
	if (account->pin != NULL || step->pin == InvalidAttrNumber)
		return;

	value = slot_getattr(row, step->pin, &isnull);
	account->pin = PinFromDatum(value, isnull);
	account->stored = value;
	if (PinIsBlank(account->pin))
	{
		PinFreeIfCopy(account->pin, value);
		account->pin = NULL;
		return;
	}
	account->unusable = unusable_pin(step, found, &account->usable_from);
	account->step = step;
	account->holder = found;
}


/* ----- Reading rows ----- */

/*
 * The snapshot is not registered, as that would copy it for each order.  It need not
 * be: the statement has an active snapshot, so nothing that a newer one shows is
 * removed meanwhile.
 */
static Snapshot
newest_snapshot(void)
{
	if (!ActiveSnapshotSet())
		elog(ERROR, "no snapshot is active");
	CommandCounterIncrement();
	return GetLatestSnapshot();
}

/*
 * Find the first row on the way of an order that is judged before its foreign key is
 * checked.  Until that check, the account could be replaced by another one under the
 * same key; so lock its key, as the check itself will do.  If the row has changed
 * meanwhile, look for it again with a newer snapshot.
 */
static ReferencedRow
find_and_lock(KeyLookup *lookup, const KeyValue *value, Snapshot *snapshot)
{
	for (;;)
	{
		ReferencedRow row = FindReferencedRow(lookup, value, *snapshot);

		if (row.slot == NULL || LockRowKeyShare(&row, *snapshot))
			return row;
		ReleaseRow(&row);
		*snapshot = newest_snapshot();
	}
}

/*
 * Read all rows on the way from an order.  The account is found only if each of them
 * is: a key that is NULL halfway means an unknown account, not one without a PIN.
 * The rows are held until ReleaseAccount, and the PIN lies in one of them.
 */
void
ReadAccount(AccountReader *reader, TupleTableSlot *order, Account *account)
{
	TupleTableSlot *from = order;
	Snapshot	snapshot = newest_snapshot();

	memset(account, 0, sizeof(Account));
	account->in_scope = true;
	for (int i = 0; i < reader->path->nsteps && from != NULL; i++)
	{
		KeyLookup  *lookup = reader->lookups[i];
		KeyValue	value;

		KeyOfRow(lookup, from, &value);
		account->rows[i] = i == 0 && reader->lock_key ?
			find_and_lock(lookup, &value, &snapshot) :
			FindReferencedRow(lookup, &value, snapshot);
		from = account->rows[i].columns;
		if (from != NULL)
			read_row(&reader->path->steps[i], &account->rows[i], account);
	}
	account->found = from != NULL;
}

/* Are the rows that were read still the current ones? */
bool
AccountIsCurrent(const Account *account)
{
	Snapshot	snapshot = newest_snapshot();

	for (int i = 0; i < MAX_PATH_STEPS; i++)
	{
		if (account->rows[i].slot != NULL && !RowIsCurrent(&account->rows[i], snapshot))
			return false;
	}
	return true;
}

void
ReleaseAccount(Account *account)
{
	PinFreeIfCopy(account->pin, account->stored);
	for (int i = 0; i < MAX_PATH_STEPS; i++)
		ReleaseRow(&account->rows[i]);
}


/* ----- Telling a referential action from an UPDATE ----- */

/*
 * Does an order whose key has changed still belong to the same account?
 *
 * ON UPDATE CASCADE and ON DELETE SET NULL change old orders, which today's PIN must
 * not judge.  Neither the depth of triggers nor the security context tells them from
 * an UPDATE by hand, but the account does.  Either both keys lead to the same row,
 * because they differ only in spelling; or the old key has no row any more, and the
 * new key is blank or belongs to a row that had the old one.
 */
bool
IsSameAccount(AccountReader *reader, TupleTableSlot *old, TupleTableSlot *new)
{
	KeyLookup  *key = reader->lookups[0];
	KeyValue	oldvalue;
	KeyValue	newvalue;
	ReferencedRow row;
	Oid			table;
	ItemPointerData tid;
	Snapshot	snapshot = newest_snapshot();
	bool		same;

	KeyOfRow(key, old, &oldvalue);
	KeyOfRow(key, new, &newvalue);
	if (!oldvalue.complete)
		return false;

	row = FindReferencedRow(key, &oldvalue, snapshot);
	table = row.slot == NULL ? InvalidOid : row.table;
	if (row.slot != NULL)
		tid = row.slot->tts_tid;
	ReleaseRow(&row);

	row = FindReferencedRow(key, &newvalue, snapshot);
	if (!newvalue.complete)
		same = !OidIsValid(table);
	else if (row.slot == NULL)
		same = false;
	else if (OidIsValid(table))
		same = row.table == table && ItemPointerEquals(&tid, &row.slot->tts_tid);
	else
		same = RowHadKey(key, &oldvalue, &row);
	ReleaseRow(&row);
	return same;
}
