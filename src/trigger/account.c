/*
 * account.c
 *		From an order to the row that has its PIN.
 *
 * The order's foreign key leads to its account; or to its number, whose own key
 * leads to the account, if the columns of that key are named.  Then a PIN may be
 * on the number, on the account, or on both: the number's counts.
 *
 * Rows are read with the newest snapshot, as foreign keys themselves do: it shows
 * what this command and this transaction did, and in REPEATABLE READ the PIN of
 * now.  That a PIN is set stays true once it is, thanks to the keep guard, so no row
 * is locked against changes: orders and changes of their accounts would wait for
 * each other.  Only its key is, as the foreign key does it, and only where the gate
 * judges before the foreign key is checked.
 *
 * Rows are read without regard to the privileges of whoever places the order,
 * who needs none.  What is asked for instead, when the way is found, is that
 * the owner of the orders may read the columns: a gate answers guesses, so only
 * who can read the PIN may set one up.
 */
#include "postgres.h"

#include "trigger/account.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/snapshot.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/error.h"
#include "pin/pin.h"
#include "table/account_key.h"
#include "table/column.h"
#include "table/foreign_key.h"
#include "table/lookup.h"

/* ----- Finding the way: foreign keys and columns ----- */

/* A gate answers guesses: only who may read the PIN anyway may own its orders. */
static void
check_readable(Relation accounts, AttrNumber column, Oid owner)
{
	Oid			relid = RelationGetRelid(accounts);

	if (column == InvalidAttrNumber ||
		pg_class_aclcheck(relid, owner, ACL_SELECT) == ACLCHECK_OK ||
		pg_attribute_aclcheck(relid, column, owner, ACL_SELECT) == ACLCHECK_OK)
		return;

	ereport_without_context(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					errmsg("the owner of the port orders may not read the account's port PIN"),
					errdetail("Role \"%s\" lacks SELECT on a column that the gate reads for it.",
							  GetUserNameFromId(owner, false)),
					errhint("Grant SELECT on the PIN, and on columns named by lock=, expires= and via=, to the owner of the orders; those who place orders need no privilege on accounts."),
					errtable(accounts));
}

/* Where row security hides accounts from the owner, so it would hide from guesses. */
static void
check_row_security(Relation accounts, Oid owner)
{
	if (!accounts->rd_rel->relrowsecurity ||
		object_ownercheck(RelationRelationId, RelationGetRelid(accounts), owner) ||
		has_bypassrls_privilege(owner))
		return;

	ereport_without_context(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					errmsg("the owner of the port orders is subject to row security on the accounts"),
					errhint("Let both tables have one owner, or give the owner of the orders BYPASSRLS."),
					errtable(accounts));
}

/* A column that may be on one table of the way or on another; 0 where it is not. */
static AttrNumber
find_if_there(Relation rel, const char *name, Oid type)
{
	if (name == NULL || get_attnum(RelationGetRelid(rel), name) == InvalidAttrNumber)
		return InvalidAttrNumber;
	return FindColumnOfType(rel, name, type);
}

/* A lock or a date of expiry: where it is said to be, or where it is. */
static AttrNumber
find_optional(Relation rel, const char *anywhere, const char *here, Oid type)
{
	return here != NULL ? FindColumnOfType(rel, here, type) :
		find_if_there(rel, anywhere, type);
}

/* Find the columns of one table on the way, and ask whether they may be read. */
static void
describe_step(Relation table, const AccountNames *names, bool last, Oid owner,
			 Oid domain, PathStep *step)
{
	if (last)
		step->pin = FindPinColumn(table, names->account_pin, domain, "account_pin=");
	else if (names->number_pin != NULL ||
			 (!names->no_overrides && HasPinColumn(table, NULL, domain)))
		step->pin = FindPinColumn(table, names->number_pin, domain, "number_pin=");
	step->lock = find_optional(table, names->lock,
							  last ? names->account_lock : names->number_lock, BOOLOID);
	step->expires = find_optional(table, names->expires,
								 last ? names->account_expires : names->number_expires,
								 TIMESTAMPTZOID);

	if (step->pin != InvalidAttrNumber)
		DescribeAccountKey(table, step->key.nkeys, step->key.to, step->pin,
						   &step->identity);

	check_readable(table, step->pin, owner);
	check_readable(table, step->lock, owner);
	check_readable(table, step->expires, owner);
	check_row_security(table, owner);
}

/* An optional column must be somewhere on the way; if not, raise the usual error. */
static void
check_somewhere(Relation table, const AccountPath *path, bool lock,
				const char *name)
{
	if (name == NULL)
		return;
	for (int i = 0; i < path->nsteps; i++)
	{
		if (lock ? path->steps[i].lock : path->steps[i].expires)
			return;
	}
	(void) FindColumn(table, name);
}

static void
check_via_has_fk(Relation orders, const AccountNames *names)
{
	if (names->via != NIL && names->fk == NIL)
		ereport_without_context(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("via= needs fk="),
						errhint("Name the order's key to the number with fk=, and the number's key to its account with via=."),
						errtable(orders));
}

/* The way leads on from table to table: round in a circle it would find any PIN. */
static void
check_leads_on(const ForeignKeyCacheInfo *key, Relation orders, Relation from)
{
	if (IsSelfReference(key->confrelid, orders) || IsSelfReference(key->confrelid, from))
		ereport_without_context(errcode(ERRCODE_INVALID_FOREIGN_KEY),
						errmsg("the foreign key named by via= leads back to table \"%s\"",
							   get_rel_name(key->confrelid)),
						errhint("Name the foreign key that leads from the number to its account."),
						errtable(orders));
}

/* The key leads to a table without a PIN: say so, if there is a way on from there. */
static void
check_way_goes_on(Relation orders, Relation to, const AccountNames *names, Oid domain)
{
	char	   *ways;

	if (names->via != NIL || HasPinColumn(to, names->account_pin, domain))
		return;
	ways = IndirectPaths(orders, names->account_pin, domain);
	if (ways[0] != '\0')
		ereport_without_context(errcode(ERRCODE_INVALID_FOREIGN_KEY),
						errmsg("table \"%s\" has no port PIN", RelationGetRelationName(to)),
						errhint("To find the PIN over another table, name both foreign keys: %s.", ways),
						errtable(orders));
}

/*
 * Find the way from orders to the PIN: along one foreign key, or along two where
 * the columns of the second are named.
 */
void
FindAccountPath(Relation orders, const AccountNames *names, Oid domain,
				AccountPath *path, MemoryContext mcxt)
{
	Oid			owner = orders->rd_rel->relowner;
	Relation	from = orders;
	List	   *columns = FindColumns(orders, names->fk);
	const char *argument = "fk=";

	check_via_has_fk(orders, names);
	memset(path, 0, sizeof(AccountPath));
	for (;;)
	{
		bool		last = names->via == NIL || path->nsteps == 1;
		PathStep *step = &path->steps[path->nsteps++];
		ForeignKeyCacheInfo *key;
		Relation	to;

		key = ChooseForeignKey(from, columns, argument,
							   names->account_pin, domain);
		if (path->nsteps > 1)
			check_leads_on(key, orders, from);
		to = table_open(key->confrelid, AccessShareLock);
		DescribeForeignKey(from, key, &step->key, mcxt);
		check_way_goes_on(orders, to, names, domain);
		describe_step(to, names, last, owner, domain, step);
		path->sealed |= step->pin != InvalidAttrNumber &&
			ColumnIsSealed(to, step->pin, domain);

		if (from != orders)
			table_close(from, NoLock);
		from = to;
		if (last)
			break;

		columns = FindColumns(to, names->via);
		argument = "via=";
		for (int i = 0; i < list_length(columns); i++)
			check_readable(to, list_nth_int(columns, i), owner);
	}

	check_somewhere(from, path, true, names->lock);
	check_somewhere(from, path, false, names->expires);
	table_close(from, NoLock);
}


/* A way that was found for an earlier statement is about to be taken again. */
void
LockAccountPath(AccountPath *path)
{
	for (int i = 0; i < path->nsteps; i++)
		LockReferenced(&path->steps[i].key);
}

/* ... and what was found out under the locks of a statement that ends is no more. */
void
ForgetPartitions(AccountPath *path)
{
	for (int i = 0; i < path->nsteps; i++)
		ForgetPartitionsOfKey(&path->steps[i].key);
}


/* ----- Reading rows ----- */

/* NULL is not locked: a lock is what somebody asked for. */
static bool
row_is_locked(const PathStep *step, TupleTableSlot *row)
{
	bool		isnull;
	Datum		lock;

	if (step->lock == InvalidAttrNumber)
		return false;
	lock = slot_getattr(row, step->lock, &isnull);
	return !isnull && DatumGetBool(lock);
}

/* NULL never expires.  The clock counts, not the start of the transaction. */
static bool
pin_has_expired(const PathStep *step, TupleTableSlot *row)
{
	bool		isnull;
	Datum		expires;

	if (step->expires == InvalidAttrNumber)
		return false;
	expires = slot_getattr(row, step->expires, &isnull);
	return !isnull && DatumGetTimestampTz(expires) <= GetCurrentTimestamp();
}

/* Take from a row what it says; a PIN that was found before it overrides its own. */
static void
read_row(PathStep *step, TupleTableSlot *row, Account *account)
{
	bool		isnull;
	Datum		value;

	account->locked |= row_is_locked(step, row);
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
	account->expired = pin_has_expired(step, row);
	account->identity = &step->identity;
	account->row = row;
}

/*
 * It is not registered, which would copy it for each order: the statement has an
 * active snapshot, so nothing that a newer one shows is removed meanwhile.
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
 * Find the first row on the way of an order that is judged before its foreign key
 * is checked.  Until that has been done, the account could be replaced by another
 * one under the same key; so its key is held, as the check itself will do.  If the
 * row has changed meanwhile, it is looked for again with a newer snapshot.
 */
static ReferencedRow
find_and_hold(ForeignKey *key, const KeyValue *value, Snapshot *snapshot)
{
	for (;;)
	{
		ReferencedRow row = FindReferencedRow(key, value, *snapshot);

		if (row.slot == NULL || LockRowKeyShare(&row, *snapshot))
			return row;
		ReleaseRow(&row);
		*snapshot = newest_snapshot();
	}
}

/*
 * Read all rows on the way from an order.  The account is found only if each of
 * them is: a key that is NULL half way is an unknown account, not one without PIN.
 * The rows are held, and the PIN lies in one of them, until ReleaseAccount.
 */
void
ReadAccount(AccountPath *path, TupleTableSlot *order, Account *account)
{
	TupleTableSlot *from = order;
	Snapshot	snapshot = newest_snapshot();

	memset(account, 0, sizeof(Account));
	for (int i = 0; i < path->nsteps && from != NULL; i++)
	{
		KeyValue	value;

		KeyOfRow(&path->steps[i].key, from, &value);
		account->rows[i] = i == 0 && path->hold ?
			find_and_hold(&path->steps[i].key, &value, &snapshot) :
			FindReferencedRow(&path->steps[i].key, &value, snapshot);
		from = account->rows[i].columns;
		if (from != NULL)
			read_row(&path->steps[i], from, account);
	}
	account->found = from != NULL;
}

/* Are the rows that were read still those that would be found? */
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
 * ON UPDATE CASCADE and ON DELETE SET NULL change old orders, which today's PIN
 * must not judge.  Neither the depth of triggers nor the security context tells
 * them from an UPDATE by hand; what does is the account: both keys lead to the same
 * row, being equal but for their spelling; or under the old key there is none any
 * more, and the new key is blank, or is that of a row that had the old one.
 */
bool
IsSameAccount(AccountPath *path, TupleTableSlot *old, TupleTableSlot *new)
{
	ForeignKey *key = &path->steps[0].key;
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
