/*
 * failure_lift.c
 *		Lift lock-outs: failures on record no longer count.
 *
 * Only the owner of the accounts may do that, and roles that a GRANT names: a role
 * that lifts lock-outs can guess without end, so a grant to PUBLIC does not count.
 * Like any other change, it takes effect with its transaction, and the history of an
 * account that has one records it.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "base/owner.h"
#include "base/setting.h"
#include "failure/failure_limit.h"
#include "failure/failure_record.h"
#include "table/account_search.h"
#include "table/shard.h"
#include "trigger/account_history.h"

PG_FUNCTION_INFO_V1(port_pin_lift_lockout);
PG_FUNCTION_INFO_V1(port_pin_lift_source_lockout);


/* ----- By whom ----- */

/* Was EXECUTE on this function granted to the user, other than through PUBLIC? */
static bool
was_granted(Oid function, Oid user)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		isnull;
	Datum		datum;
	bool		granted = false;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	datum = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proacl, &isnull);
	if (!isnull)
	{
		Acl		   *acl = DatumGetAclPCopy(datum);

		for (int i = 0; i < ACL_NUM(acl); i++)
		{
			AclItem    *item = &ACL_DAT(acl)[i];

			granted |= item->ai_grantee != ACL_ID_PUBLIC &&
				(ACLITEM_GET_PRIVS(*item) & ACL_EXECUTE) != 0 &&
				has_privs_of_role(user, item->ai_grantee);
		}
	}
	ReleaseSysCache(tuple);
	return granted;
}

static void
check_may_lift(Oid accounts, Oid function)
{
	if (object_ownercheck(RelationRelationId, accounts, GetUserId()) ||
		was_granted(function, GetUserId()))
		return;
	ereport(ERROR,
			errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			errmsg("permission denied to lift lock-outs of table \"%s\"",
				   get_rel_name(accounts)),
			errhint("Only the owner of the table can, and roles that were granted EXECUTE on port_pin_lift_lockout by name."));
}


/* ----- For which account ----- */

static Relation
open_accounts(Oid relid, Oid function)
{
	char		kind = get_rel_relkind(relid);
	Relation	accounts;

	if (kind != '\0' && kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				errcode(ERRCODE_WRONG_OBJECT_TYPE),
				errmsg("\"%s\" is not a table", get_rel_name(relid)));
	if (kind != '\0')
		check_may_lift(relid, function);
	accounts = kind == '\0' ? NULL : try_table_open(relid, AccessShareLock);
	if (accounts == NULL)
		ereport(ERROR,
				errcode(ERRCODE_UNDEFINED_TABLE),
				errmsg("there is no table with OID %u", relid));
	return accounts;
}

/* The arguments that name the account, as strings; numbers as the caller writes them. */
static List *
key_arguments(FunctionCallInfo fcinfo)
{
	List	   *key = NIL;
	Datum	   *values;
	Oid		   *types;
	bool	   *nulls;
	int			count = extract_variadic_args(fcinfo, 1, true, &values, &types, &nulls);

	for (int i = 0; i < Max(count, 1); i++)
	{
		Oid			output;
		bool		varlena;

		if (count <= 0 || nulls[i])
			ereport(ERROR,
					errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("the key of an account must not be empty or contain NULL"));
		getTypeOutputInfo(types[i], &output, &varlena);
		key = lappend(key, OidOutputFunctionCall(output, values[i]));
	}
	return key;
}

/*
 * A key's type and operators may run a user's code: run it as the table's owner.  Row
 * security that hides rows even from the owner is an error, as the row's spelling of
 * the key would not be found, and nothing lifted.
 */
static AccountKey
find_key_as_owner(Relation accounts, List *key)
{
	ActingAsOwner acting = ActAsOwner(accounts);
	AccountKey	account;

	SetForNow("row_security", "off");
	account = FindAccountKey(accounts, key);
	StopActingAsOwner(&acting);
	return account;
}

/* Failures are on record on the node that saw them: none here means little. */
static void
note_other_nodes(Oid accounts)
{
	if (IsCitusTable(accounts))
		ereport(NOTICE,
				errmsg("no failed attempts at this account of table \"%s\" count on this node",
					   get_rel_name(accounts)),
				errhint("They are on record where its shard is: call the function on all nodes, with run_command_on_all_nodes()."));
}

/*
 * port_pin_lift_lockout(accounts regclass, VARIADIC key "any") returns bigint
 *
 * Failures at an account no longer count; returns how many did.  They stay on
 * record.  42501 for a role that neither owns the table nor was granted EXECUTE,
 * 42P01 where there is no such table, 22004 for a NULL, 22023 for a key of other
 * columns.
 */
Datum
port_pin_lift_lockout(PG_FUNCTION_ARGS)
{
	Oid			function = fcinfo->flinfo->fn_oid;
	Oid			domain = PortPinDomain(function);
	Relation	accounts;
	AccountKey	account;
	FailureSubject subject = {0};
	int64		lifted;

	PreventCommandIfReadOnly("port_pin_lift_lockout()");
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				errmsg("the table of the account must not be NULL"));
	accounts = open_accounts(PG_GETARG_OID(0), function);
	account = find_key_as_owner(accounts, key_arguments(fcinfo));
	check_may_lift(account.table, function);	/* of a partition, the whole
												 * table */
	table_close(accounts, NoLock);
	subject.account = &account;
	lifted = LiftFailures(domain, &subject, FailuresCountSince());
	if (lifted > 0)
		WriteLockoutLifted(&account, domain);
	else
		note_other_nodes(account.table);
	PG_RETURN_INT64(lifted);
}

/*
 * port_pin_lift_source_lockout(source text) returns bigint
 *
 * Failures of a source no longer count for its own lock-out, but still do for those
 * of the accounts; returns how many did.  They stay on record.  42501 without
 * EXECUTE.
 */
Datum
port_pin_lift_source_lockout(PG_FUNCTION_ARGS)
{
	FailureSubject subject = {0};

	PreventCommandIfReadOnly("port_pin_lift_source_lockout()");
	subject.source = RecordedSource(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_INT64(LiftFailures(PortPinDomain(fcinfo->flinfo->fn_oid), &subject,
								 FailuresCountSince()));
}
