/*
 * account_path.c
 *		The way from an order to the row that has its PIN: foreign keys and columns.
 *
 * The order's foreign key leads to its account; or to its number, whose own key
 * leads to the account, if the columns of that key are named.  Then a PIN may be
 * on the number, on the account, or on both.
 *
 * Each table's guard says what counts there (account_rules.c).  A PIN that no guard
 * speaks for is refused: it could be cleared, and its rules are unknown.
 *
 * Rows are read without regard to the privileges of the role that places the order,
 * which needs none.  Instead, when the way is found, the owner of the orders must
 * have the right to read the columns: a gate answers guesses, so only a role that
 * can read the PIN may set one up.
 */
#include "postgres.h"

#include "trigger/account_path.h"

#include "access/table.h"
#include "catalog/pg_trigger.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/error.h"
#include "table/column.h"
#include "table/partition.h"
#include "trigger/account_rules.h"
#include "trigger/protect_trigger.h"

/* A way that is being looked for. */
typedef struct PathSearch
{
	Relation	orders;
	const PathNames *names;
	Oid			domain;
} PathSearch;


/* ----- Rights ----- */

/* A gate answers guesses, so the owner of its orders must be able to read the PIN. */
static void
check_readable(const PathSearch *search, Relation accounts, AttrNumber column)
{
	Oid			relid = RelationGetRelid(accounts);
	Oid			owner = search->orders->rd_rel->relowner;

	if (column == InvalidAttrNumber ||
		pg_class_aclcheck(relid, owner, ACL_SELECT) == ACLCHECK_OK ||
		pg_attribute_aclcheck(relid, column, owner, ACL_SELECT) == ACLCHECK_OK)
		return;

	ereport_without_context(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
							errmsg("the owner of the port orders can't read column \"%s\" of table \"%s\"",
								   ColumnName(accounts, column),
								   RelationGetRelationName(accounts)),
							errdetail("The gate reads it for role \"%s\", which lacks SELECT on it.",
									  GetUserNameFromId(owner, false)),
							errhint("Grant SELECT on the PIN, and on the columns that the guard and via name, to the owner of the orders; roles that place orders need no privilege on accounts."),
							errtablecol(accounts, column));
}

/* The gate bypasses row security, so the owner of the orders must be exempt from it. */
static void
check_row_security(const PathSearch *search, Relation accounts)
{
	Oid			owner = search->orders->rd_rel->relowner;

	if (!accounts->rd_rel->relrowsecurity ||
		object_ownercheck(RelationRelationId, RelationGetRelid(accounts), owner) ||
		has_bypassrls_privilege(owner))
		return;

	ereport_without_context(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
							errmsg("the owner of the port orders is subject to row security on the accounts"),
							errhint("Let both tables have one owner, or give the owner of the orders BYPASSRLS."),
							errtable(accounts));
}


/* ----- What the guards of a table say ----- */

/* The call that guards a table, or the table that it is a partition of, for a hint. */
static char *
protect_call(Relation table, const char *pin, Oid domain)
{
	Oid			whole = RootOfPartitions(table);
	char	   *name = quote_qualified_identifier(get_namespace_name_or_temp(get_rel_namespace(whole)),
												  get_rel_name(whole));

	return psprintf("SELECT %s(%s%s%s);", QualifiedName("port_pin_protect", domain),
					quote_literal_cstr(name), pin == NULL ? "" : ", pin => ",
					pin == NULL ? "" : quote_literal_cstr(ColumnArgument(list_make1((char *) pin))));
}

static void
refuse_unguarded(Relation table, const char *pin, Oid domain)
{
	ereport_without_context(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
							errmsg("no guard protects the port PIN of table \"%s\"",
								   RelationGetRelationName(table)),
							errdetail("The PIN is in column \"%s\"; its guard keeps it set and states the rules for the account.", pin),
							errhint("%s", protect_call(table, pin, domain)),
							errtable(table));
}

/*
 * Each PIN of a table must have its guard, even a PIN that this way does not use.
 * And each guard must find its PIN, which may have been renamed.
 */
static void
check_pins_are_guarded(const PathSearch *search, Relation table, List *guards)
{
	const char *named = search->names->account_pin;
	ListCell   *lc;

	foreach(lc, guards)
	{
		const char *pin = OptionColumn(((AccountGuard *) lfirst(lc))->rules[RULE_PIN]);

		if (pin != NULL)
			(void) FindPinColumn(table, pin, search->domain);
	}
	for (AttrNumber column = NextPinColumn(table, 0, search->domain);
		 column != InvalidAttrNumber;
		 column = NextPinColumn(table, column, search->domain))
	{
		if (GuardOfPin(guards, ColumnName(table, column)) == NULL)
			refuse_unguarded(table, ColumnName(table, column), search->domain);
	}
	if (named != NULL && GuardOfPin(guards, named) == NULL &&
		get_attnum(RelationGetRelid(table), named) != InvalidAttrNumber)
		refuse_unguarded(table, named, search->domain);
}

/* The guard of the PIN that counts on a table; NULL where none has a PIN. */
static AccountGuard *
choose_guard(const PathSearch *search, Relation table, List *guards)
{
	AccountGuard *chosen = NULL;
	ListCell   *lc;

	if (search->names->account_pin != NULL)
		chosen = GuardOfPin(guards, search->names->account_pin);
	if (chosen != NULL)
		return chosen;

	foreach(lc, guards)
	{
		AccountGuard *guard = lfirst(lc);

		if (guard->rules[RULE_PIN] == NULL)
			continue;
		if (chosen != NULL)
			ereport_without_context(errcode(ERRCODE_AMBIGUOUS_COLUMN),
									errmsg("table \"%s\" has more than one port PIN that is guarded",
										   RelationGetRelationName(table)),
									errdetail("Columns %s and %s both could be meant.",
											  chosen->rules[RULE_PIN], guard->rules[RULE_PIN]),
									errhint("Name the one that counts with account_pin => 'column'."),
									errtable(table));
		chosen = guard;
	}
	return chosen;
}

/* A table that was guarded when the gate was installed must still be. */
static void
check_guard_is_there(const PathSearch *search, Relation table, List *guards,
					 const char *step)
{
	ListCell   *lc;

	foreach(lc, search->names->guarded)
	{
		if (guards == NIL && strcmp(lfirst(lc), step) == 0)
			ereport_without_context(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
									errmsg("table \"%s\" has lost its guard",
										   RelationGetRelationName(table)),
									errdetail("It had one when the gate was installed."),
									errhint("Install it again, with the options that it had: %s",
											protect_call(table, NULL, search->domain)),
									errtable(table));
	}
}

/*
 * Without a complete guard, "no PIN" could mean a PIN that was taken away.  A
 * number's own PIN may be taken away if its guard says so: then the account's PIN
 * counts.
 */
static void
check_unset_can_be_told(Relation table, const PathStep *step,
						const AccountGuard *guard, Oid domain)
{
	if (guard->rules[RULE_CLEARABLE] != NULL ||
		ForbidsDelete(table, guard, step->key.nkeys, step->key.to, domain))
		return;
	ereport_without_context(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
							errmsg("allow_unset needs accounts whose rows with a port PIN can't be deleted"),
							errhint("Protect table \"%s\" with forbid_delete => true; the foreign key that leads there must reference its primary key.",
									RelationGetRelationName(table)),
							errtable(table));
}

/* Find what counts on one table of the way, and check that it may be read. */
static AccountGuard *
describe_step(const PathSearch *search, Relation table, const char *name, PathStep *step)
{
	List	   *guards = FindAccountGuards(table, search->domain);
	AccountGuard *guard;

	check_guard_is_there(search, table, guards, name);
	check_pins_are_guarded(search, table, guards);
	guard = choose_guard(search, table, guards);
	step->guarded = guards != NIL;
	step->scope = RowRuleColumn(table, guards, RULE_SCOPE);
	step->lock = RowRuleColumn(table, guards, RULE_LOCK);
	step->lock_until = RowRuleColumn(table, guards, RULE_LOCK_UNTIL);
	check_readable(search, table, step->scope);
	check_readable(search, table, step->lock);
	check_readable(search, table, step->lock_until);
	check_row_security(search, table);
	if (guard == NULL)
		return NULL;

	step->pin = FindPinColumn(table, OptionColumn(guard->rules[RULE_PIN]), search->domain);
	step->expires = RuleColumn(table, guard->rules, RULE_EXPIRES);
	step->changed = RuleColumn(table, guard->rules, RULE_CHANGED);
	step->min_age = OptionInterval(guard->rules[RULE_MIN_AGE]);
	step->max_age = OptionInterval(guard->rules[RULE_MAX_AGE]);
	step->used = RuleColumn(table, guard->rules, RULE_USED);
	step->history = guard->rules[RULE_HISTORY] != NULL;
	check_readable(search, table, step->pin);
	check_readable(search, table, step->expires);
	check_readable(search, table, step->changed);
	check_readable(search, table, step->used);
	DescribeAccountKey(table, step->key.nkeys, step->key.to, step->pin,
					   &step->identity);
	return guard;
}


/* ----- Which foreign key ----- */

static char *
key_columns_for_hint(Relation rel, const ForeignKeyCacheInfo *key)
{
	return ColumnList(ColumnNames(rel, key->nkeys, key->conkey));
}

/* Does a table have a PIN, or a guard that speaks for one? */
static bool
has_pin(const PathSearch *search, Relation table)
{
	ListCell   *lc;

	if (search->names->account_pin != NULL)
		return get_attnum(RelationGetRelid(table),
						  search->names->account_pin) != InvalidAttrNumber;
	if (NextPinColumn(table, 0, search->domain) != InvalidAttrNumber)
		return true;
	foreach(lc, FindAccountGuards(table, search->domain))
	{
		if (((AccountGuard *) lfirst(lc))->rules[RULE_PIN] != NULL)
			return true;
	}
	return false;
}

/* Does a table have a foreign key on columns of these names? */
static bool
has_key_on(Relation table, List *names)
{
	List	   *columns = NIL;
	ListCell   *lc;

	foreach(lc, names)
		columns = lappend_int(columns, get_attnum(RelationGetRelid(table), lfirst(lc)));
	foreach(lc, CopyForeignKeys(table))
	{
		if (KeyHasColumns(lfirst(lc), columns))
			return true;
	}
	return false;
}

/*
 * Could this key be meant, if none is named?  It must lead to a PIN, or to the table
 * whose key via names.  A key from orders to orders could be meant only if the PIN
 * at its end is named: the one found without a name is the PIN that an order
 * carries.
 */
static bool
is_candidate(const PathSearch *search, Relation from, const ForeignKeyCacheInfo *key,
			 bool last)
{
	Relation	to = table_open(key->confrelid, AccessShareLock);
	bool		could = last ? has_pin(search, to) : has_key_on(to, search->names->via);

	if (search->names->account_pin == NULL || !last)
		could &= !IsSelfReference(key->confrelid, from);
	table_close(to, NoLock);
	return could;
}

/* The keys that lead on from a table to a PIN, as arguments of port_pin_gate(). */
static void
append_indirect_paths(const PathSearch *search, StringInfo paths,
					  const ForeignKeyCacheInfo *key)
{
	Relation	next = table_open(key->confrelid, AccessShareLock);
	ListCell   *lc;

	foreach(lc, CopyForeignKeys(next))
	{
		ForeignKeyCacheInfo *onward = lfirst(lc);

		if (!IsSelfReference(onward->confrelid, search->orders) &&
			is_candidate(search, next, onward, true))
			appendStringInfo(paths, "%sfk => %s with via => %s",
							 paths->len > 0 ? ", or " : "",
							 quote_literal_cstr(key_columns_for_hint(search->orders, key)),
							 quote_literal_cstr(key_columns_for_hint(next, onward)));
	}
	table_close(next, NoLock);
}

/* All ways through one more table; '' if there are none. */
static char *
indirect_paths(const PathSearch *search)
{
	StringInfoData paths;
	ListCell   *lc;

	initStringInfo(&paths);
	foreach(lc, CopyForeignKeys(search->orders))
	{
		ForeignKeyCacheInfo *key = lfirst(lc);

		if (!IsSelfReference(key->confrelid, search->orders))
			append_indirect_paths(search, &paths, key);
	}
	return paths.data;
}

/* Every key of a relation, for a hint. */
static char *
keys_for_hint(Relation rel)
{
	StringInfoData keys;
	ListCell   *lc;

	initStringInfo(&keys);
	foreach(lc, CopyForeignKeys(rel))
		appendStringInfo(&keys, "%s(%s)", keys.len > 0 ? ", " : "",
						 key_columns_for_hint(rel, lfirst(lc)));
	return keys.data;
}

static void
refuse_ambiguous_key(Relation rel, const ForeignKeyCacheInfo *a,
					 const ForeignKeyCacheInfo *b, const char *argument)
{
	bool		same_columns = a->nkeys == b->nkeys &&
	memcmp(a->conkey, b->conkey, a->nkeys * sizeof(AttrNumber)) == 0;

	ereport_without_context(errcode(ERRCODE_AMBIGUOUS_COLUMN),
							errmsg("table \"%s\" has more than one foreign key that could lead to a port PIN",
								   RelationGetRelationName(rel)),
							same_columns ?
							errdetail("Those on (%s) lead to \"%s\" and to \"%s\".",
									  key_columns_for_hint(rel, a),
									  get_rel_name(a->confrelid),
									  get_rel_name(b->confrelid)) :
							errdetail("Both (%s) and (%s) could be meant.",
									  key_columns_for_hint(rel, a),
									  key_columns_for_hint(rel, b)),
							same_columns ?
							errhint("Drop the one that does not count, or give it a column of its own.") :
							errhint("Name the columns of the one that counts with %s => 'column, ...'.", argument),
							errtable(rel));
}

/* The keys of a relation, for a detail. */
static int
errdetail_keys(Relation rel)
{
	char	   *keys = keys_for_hint(rel);

	return keys[0] == '\0' ? errdetail("It has no foreign key at all.") :
		errdetail("Its foreign keys are on %s.", keys);
}

/* No key on the columns that were named. */
static void
refuse_named_key(Relation rel, const char *argument)
{
	ereport_without_context(errcode(ERRCODE_INVALID_FOREIGN_KEY),
							errmsg("table \"%s\" has no foreign key on the columns named by %s",
								   RelationGetRelationName(rel), argument),
							errdetail_keys(rel),
							errhint("Add a foreign key on just these columns: it tells which account's PIN must be given."),
							errtable(rel));
}

/* No key leads to a table whose own key via names. */
static void
refuse_no_key_to_via(Relation rel)
{
	ereport_without_context(errcode(ERRCODE_INVALID_FOREIGN_KEY),
							errmsg("table \"%s\" has no foreign key to a table that has one on the columns named by via",
								   RelationGetRelationName(rel)),
							errdetail_keys(rel),
							errhint("Name with via the columns of the number's foreign key to its account; leave via out where the order's own foreign key leads to the account."),
							errtable(rel));
}

/* No key leads to a table with the PIN that account_pin names. */
static void
refuse_no_key_to_named_pin(const PathSearch *search, Relation rel)
{
	ereport_without_context(errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("table \"%s\" has no foreign key to a table with a column \"%s\"",
								   RelationGetRelationName(rel), search->names->account_pin),
							errdetail_keys(rel),
							errhint("Give the exact name of the account's port PIN with account_pin => 'column', or leave account_pin out."),
							errtable(rel));
}

/* None of the keys leads directly to a PIN. */
static void
refuse_no_key(const PathSearch *search, Relation rel)
{
	char	   *paths = indirect_paths(search);

	ereport_without_context(errcode(ERRCODE_INVALID_FOREIGN_KEY),
							errmsg("table \"%s\" has no foreign key that leads to a port PIN",
								   RelationGetRelationName(rel)),
							errdetail_keys(rel),
							paths[0] != '\0' ?
							errhint("To find the PIN through another table, name both foreign keys: %s.", paths) :
							errhint("Add a foreign key to the table with the PIN. If its PIN column is text or varchar, protect that first: port_pin_protect('table', pin => 'column')."),
							errtable(rel));
}

/* The only one of the remaining keys; NULL if there is none. */
static ForeignKeyCacheInfo *
only_key(Relation rel, List *keys, const char *argument)
{
	ForeignKeyCacheInfo *chosen = NULL;
	ListCell   *lc;

	foreach(lc, keys)
	{
		if (chosen != NULL && !SameForeignKey(chosen, lfirst(lc)))
			refuse_ambiguous_key(rel, chosen, lfirst(lc), argument);
		chosen = lfirst(lc);
	}
	return chosen;
}

/*
 * Choose the key that leads on from a table: the one on the given columns, if any;
 * and of several, the one that leads to a PIN.
 */
static ForeignKeyCacheInfo *
choose_key(const PathSearch *search, Relation from, List *columns, bool last,
		   const char *argument, bool *was_chosen)
{
	List	   *keys = NIL;
	List	   *candidates = NIL;
	ListCell   *lc;

	foreach(lc, CopyForeignKeys(from))
	{
		if (columns != NIL && !KeyHasColumns(lfirst(lc), columns))
			continue;
		keys = lappend(keys, lfirst(lc));
		if (is_candidate(search, from, lfirst(lc), last))
			candidates = lappend(candidates, lfirst(lc));
	}
	*was_chosen |= list_length(keys) > 1;
	if (candidates != NIL)
		return only_key(from, candidates, argument);
	if (columns == NIL && !last)
		refuse_no_key_to_via(from);
	if (columns == NIL && search->names->account_pin != NULL)
		refuse_no_key_to_named_pin(search, from);
	if (columns == NIL)
		refuse_no_key(search, from);
	if (keys == NIL)
		refuse_named_key(from, argument);
	return only_key(from, keys, argument);
}

/* An order can't vouch for another, unless it has an account's PIN besides its own. */
static void
check_leads_off(const PathSearch *search, const ForeignKeyCacheInfo *key)
{
	if (search->names->account_pin == NULL &&
		IsSelfReference(key->confrelid, search->orders))
		ereport_without_context(errcode(ERRCODE_INVALID_FOREIGN_KEY),
								errmsg("the foreign key of the orders leads to orders"),
								errhint("Name the foreign key to the table of the number or account with fk => 'column, ...', or with account_pin => 'column' the PIN of accounts that are orders."),
								errtable(search->orders));
}

/* The way must lead on from table to table: a way in a circle could find any PIN. */
static void
check_leads_on(const PathSearch *search, const ForeignKeyCacheInfo *key, Relation from)
{
	if (IsSelfReference(key->confrelid, search->orders) ||
		IsSelfReference(key->confrelid, from))
		ereport_without_context(errcode(ERRCODE_INVALID_FOREIGN_KEY),
								errmsg("the foreign key named by via leads back to table \"%s\"",
									   get_rel_name(key->confrelid)),
								errhint("Name the foreign key that leads from the number to its account."),
								errtable(search->orders));
}

/* The last table has no PIN: say so, and whether there is a way on from there. */
static void
refuse_no_pin(const PathSearch *search, Relation to)
{
	char	   *paths = search->names->via != NIL ? "" : indirect_paths(search);

	ereport_without_context(errcode(ERRCODE_INVALID_FOREIGN_KEY),
							errmsg("table \"%s\" has no port PIN", RelationGetRelationName(to)),
							paths[0] != '\0' ?
							errhint("To find the PIN through another table, name both foreign keys: %s.", paths) :
							errhint("If it is in a column of type text or varchar, protect it first: %s",
									protect_call(to, "column", search->domain)),
							errtable(search->orders));
}


/* ----- The way ----- */

/* Take one step of the way; returns the table that it leads to, open. */
static Relation
take_step(const PathSearch *search, Relation from, List *columns, bool last,
		  AccountPath *path)
{
	int			number = path->nsteps++;
	PathStep   *step = &path->steps[number];
	ForeignKeyCacheInfo *key = choose_key(search, from, columns, last,
										  number == 0 ? "fk" : "via",
										  &path->was_chosen);
	Relation	to;
	AccountGuard *guard;

	if (number == 0)
		check_leads_off(search, key);
	else
		check_leads_on(search, key, from);
	to = table_open(key->confrelid, AccessShareLock);
	DescribeForeignKey(from, key, &step->key);
	guard = describe_step(search, to, last ? "account" : "number", step);
	if (last && guard == NULL)
		refuse_no_pin(search, to);
	path->scoped |= step->scope != InvalidAttrNumber;
	path->notes_use |= step->used != InvalidAttrNumber || step->history;
	path->sealed |= guard != NULL && ColumnIsSealed(to, step->pin, search->domain);
	if (last)
		path->allows_unset = guard->rules[RULE_ALLOW_UNSET] != NULL;
	return to;
}

/* If accounts without a PIN may be ported, no PIN on the way may get lost. */
static void
check_allow_unset(const PathSearch *search, const AccountPath *path)
{
	for (int i = 0; path->allows_unset && i < path->nsteps; i++)
	{
		const PathStep *step = &path->steps[i];
		Relation	table = table_open(step->key.referenced, AccessShareLock);

		if (step->pin != InvalidAttrNumber)
			check_unset_can_be_told(table, step,
									GuardOfPin(FindAccountGuards(table, search->domain),
											   ColumnName(table, step->pin)),
									search->domain);
		table_close(table, NoLock);
	}
}

/* A table that is not on the way, or is misspelled, would never be missed. */
static void
check_guarded_names(const PathSearch *search, const AccountPath *path)
{
	ListCell   *lc;

	foreach(lc, search->names->guarded)
	{
		bool		known = false;

		for (int i = 0; i < path->nsteps; i++)
			known |= strcmp(lfirst(lc), STEP_NAME(path, i)) == 0;
		if (!known)
			ereport_without_context(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
									errmsg("\"guarded\" names no table on the way to the port PIN: \"%s\"",
										   (char *) lfirst(lc)),
									errhint("It can name account and, with via, number."),
									errtable(search->orders));
	}
}

/* The same for a PIN that is named but is on no table of the way. */
static void
check_account_pin_name(const PathSearch *search, const AccountPath *path)
{
	const char *named = search->names->account_pin;

	if (named == NULL)
		return;
	for (int i = 0; i < path->nsteps; i++)
	{
		const PathStep *step = &path->steps[i];

		if (step->pin != InvalidAttrNumber &&
			strcmp(get_attname(step->key.referenced, step->pin, false), named) == 0)
			return;
	}
	ereport_without_context(errcode(ERRCODE_UNDEFINED_COLUMN),
							errmsg("account_pin names no port PIN on the way: \"%s\"", named),
							errhint("Leave it out, or name a column that holds the guarded port PIN of an account or number."),
							errtable(search->orders));
}

/*
 * Find the way from orders to the PIN: along one foreign key, or along two where the
 * columns of the second are named.  Refuse anything doubtful.
 */
void
FindAccountPath(Relation orders, const PathNames *names, Oid domain, AccountPath *path)
{
	PathSearch	search = {orders, names, domain};
	bool		direct = names->via == NIL;
	Relation	to;

	memset(path, 0, sizeof(AccountPath));
	to = take_step(&search, orders, FindColumns(orders, names->fk), direct, path);
	if (!direct)
	{
		Relation	number = to;
		List	   *via = FindColumns(number, names->via);
		ListCell   *lc;

		foreach(lc, via)
			check_readable(&search, number, lfirst_int(lc));
		to = take_step(&search, number, via, true, path);
		table_close(number, NoLock);
	}
	table_close(to, NoLock);
	check_guarded_names(&search, path);
	check_account_pin_name(&search, path);
	check_allow_unset(&search, path);
}
