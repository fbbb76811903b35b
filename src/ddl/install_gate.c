/*
 * install_gate.c
 *		port_pin_gate(): let port orders into a table only with the PIN.
 *
 * A gate that refuses is one AFTER trigger for each event, and on a partitioned
 * table one more that follows moves.  A gate that records verdicts or redacts is
 * one BEFORE trigger, the last of them.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "nodes/parsenodes.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "ddl/install.h"
#include "table/column.h"
#include "table/foreign_key.h"
#include "trigger/account.h"
#include "trigger/argument.h"
#include "trigger/gate.h"

PG_FUNCTION_INFO_V1(port_pin_gate);

static char *
name_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : NameStr(*PG_GETARG_NAME(number));
}

static List *
names_argument(FunctionCallInfo fcinfo, int number)
{
	List	   *names = NIL;
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	if (PG_ARGISNULL(number))
		return NIL;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(number), NAMEOID, NAMEDATALEN, false,
					  TYPALIGN_CHAR, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("a list of columns must not contain NULL"));
		names = lappend(names, NameStr(*DatumGetName(elements[i])));
	}
	return names;
}

static bool
unset_argument(FunctionCallInfo fcinfo, int number)
{
	char	   *unset;

	if (PG_ARGISNULL(number))
		return false;
	unset = text_to_cstring(PG_GETARG_TEXT_PP(number));
	if (strcmp(unset, "allow") != 0 && strcmp(unset, "refuse") != 0)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("unset must be \"refuse\" or \"allow\""),
				errhint("\"refuse\" is the rule: without a port PIN no number can be ported."));
	return strcmp(unset, "allow") == 0;
}

static GateNames
gate_names(FunctionCallInfo fcinfo)
{
	GateNames	names = {0};

	names.pin = name_argument(fcinfo, 1);
	names.account.fk = names_argument(fcinfo, 2);
	names.account.account_pin = name_argument(fcinfo, 3);
	names.account.via = names_argument(fcinfo, 4);
	names.account.number_pin = name_argument(fcinfo, 5);
	names.scope = name_argument(fcinfo, 6);
	names.account.lock = name_argument(fcinfo, 7);
	names.account.expires = name_argument(fcinfo, 8);
	names.unset_allow = unset_argument(fcinfo, 9);
	names.verdict = name_argument(fcinfo, 10);
	names.redact = !PG_ARGISNULL(11) && PG_GETARG_BOOL(11);
	return names;
}

/* SET DEFAULT gives an order to an account that nobody chose. */
static void
check_actions(Relation orders, const Gate *gate)
{
	for (int i = 0; i < gate->path.nsteps; i++)
	{
		const ForeignKey *key = &gate->path.steps[i].key;

		if (key->on_update == FKCONSTR_ACTION_SETDEFAULT ||
			key->on_delete == FKCONSTR_ACTION_SETDEFAULT)
			ereport(ERROR,
					errcode(ERRCODE_INVALID_FOREIGN_KEY),
					errmsg("a foreign key with SET DEFAULT can't lead to a port PIN"),
					errhint("Use CASCADE, SET NULL, RESTRICT or NO ACTION."),
					errtable(orders));
	}
}

/* Orders are checked against PINs that only the keep guard makes a lasting promise. */
static void
note_unkept_accounts(const Gate *gate, Oid domain)
{
	Oid			function = PortPinTrigger("port_pin_protect_trigger", domain);

	for (int i = 0; i < gate->path.nsteps; i++)
	{
		const PathStep *step = &gate->path.steps[i];
		Relation	table = table_open(step->key.referenced, AccessShareLock);
		bool		kept = step->pin == InvalidAttrNumber;

		for (int t = 0; table->trigdesc != NULL && t < table->trigdesc->numtriggers; t++)
			kept |= table->trigdesc->triggers[t].tgfoid == function;
		if (!kept)
			ereport(NOTICE,
					errmsg("port PINs of table \"%s\" are not kept: any UPDATE can clear them",
						   RelationGetRelationName(table)),
					errhint("SELECT port_pin_protect(%s);",
							quote_literal_cstr(QualifiedTable(table))));
		table_close(table, NoLock);
	}
}

/* Write down what was found, so that nothing needs to be found again. */
static void
add_gate_arguments(Installation *install, const GateNames *names, const Gate *gate)
{
	const PathStep *step = gate->path.steps;
	const ForeignKey *key = &step->key;
	bool		one = gate->path.nsteps == 1;

	AddColumnArgument(install, "pin", install->table, gate->pin);
	AddArgument(install, "fk",
				ColumnList(ColumnNames(install->table, key->nkeys, key->from)));
	for (int i = 0; i < gate->path.nsteps; i++, step++)
	{
		Relation	table = table_open(step->key.referenced, AccessShareLock);
		bool		last = i == gate->path.nsteps - 1;

		AddColumnArgument(install, last ? "account_pin" : "number_pin",
						  table, step->pin);
		if (!last && step->pin == InvalidAttrNumber)
			AddArgument(install, "overrides", "no");
		AddColumnArgument(install, one ? "lock" : last ? "account_lock" : "number_lock",
						  table, step->lock);
		AddColumnArgument(install,
						  one ? "expires" : last ? "account_expires" : "number_expires",
						  table, step->expires);
		if (!last)
			AddArgument(install, "via", ColumnList(names->account.via));
		table_close(table, NoLock);
	}
	AddColumnArgument(install, "scope", install->table, gate->scope);
	if (gate->unset_allow)
		AddArgument(install, "unset", "allow");
	AddColumnArgument(install, "verdict", install->table, gate->verdict);
	if (gate->redact)
		AddArgument(install, "redact", "yes");
}

/* When an UPDATE may need judging: another key, another PIN, or into scope. */
static char *
gate_condition(Relation orders, const Gate *gate)
{
	const ForeignKey *key = &gate->path.steps[0].key;
	char	   *condition = ColumnsDiffer(orders, key->nkeys, key->from);
	char	   *pin = ColumnsDiffer(orders, 1, &gate->pin);

	if (condition == NULL || pin == NULL)
		return NULL;
	condition = psprintf("%s OR %s", condition, pin);
	if (gate->scope != InvalidAttrNumber)
	{
		const char *scope = quote_identifier(ColumnName(orders, gate->scope));

		condition = psprintf("%s OR OLD.%s IS FALSE AND NEW.%s IS NOT FALSE",
							 condition, scope, scope);
	}
	return condition;
}

/* AFTER, one trigger for each event; a move between partitions has two more. */
static void
add_refusing_triggers(Installation *install, const Gate *gate)
{
	AddRowTrigger(install, "port_pin_gate", "AFTER INSERT", NULL);
	AddRowTrigger(install, "port_pin_gate_update", "AFTER UPDATE",
				  gate_condition(install->table, gate));
	if (install->table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		AddRowTrigger(install, "port_pin_gate_move", "AFTER DELETE", NULL);
}

/* Two of them would write the same verdict, or one take the PIN from the other. */
static void
check_only_changing_gate(Installation *install)
{
	TriggerDesc *triggers = install->table->trigdesc;
	Oid			function = PortPinTrigger(install->function, install->domain);

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *other = &triggers->triggers[i];

		if (other->tgfoid == function && TRIGGER_FOR_BEFORE(other->tgtype))
			ereport(ERROR,
					errcode(ERRCODE_DUPLICATE_OBJECT),
					errmsg("table \"%s\" has a gate that records verdicts or redacts already: trigger \"%s\"",
						   RelationGetRelationName(install->table), other->tgname),
					errhint("A table can have one; another gate may refuse orders instead."),
					errtableconstraint(install->table, other->tgname));
	}
}

/* BEFORE, one trigger: the last of them, in each partition. */
static void
add_changing_trigger(Installation *install)
{
	const char *name = "zz_port_pin_gate";
	List	   *tables = find_all_inheritors(RelationGetRelid(install->table),
											 ShareRowExclusiveLock, NULL);
	ListCell   *lc;

	check_only_changing_gate(install);
	install->tag = NULL;
	foreach(lc, tables)
	{
		Relation	table = table_open(lfirst_oid(lc), NoLock);

		CheckGateFiresLast(table, name, false);
		table_close(table, NoLock);
	}
	AddRowTrigger(install, name, "BEFORE INSERT OR UPDATE", NULL);
}

/* A gate that redacts takes the PIN from the other gates of the table. */
static void
check_nobody_reads_redacted(const Installation *install, const Gate *gate)
{
	TriggerDesc *triggers = install->table->trigdesc;
	Oid			function = PortPinTrigger(install->function, install->domain);

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *other = &triggers->triggers[i];

		if (other->tgfoid == function &&
			(gate->redact || ArgumentFlag(other, "redact", "yes", "no")) &&
			FindPinColumn(install->table, ArgumentColumn(other, "pin"),
						  install->domain, "pin=") == gate->pin)
			ereport(ERROR,
					errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("a gate that redacts can't share its PIN with another: trigger \"%s\"",
						   other->tgname),
					errdetail("One of them would judge orders whose PIN the other has taken away."),
					errhint("Let both gates do without redact, or give each a PIN column of its own."),
					errtableconstraint(install->table, other->tgname));
	}
}

/*
 * port_pin_gate(orders regclass, pin name, fk name[], account_pin name,
 *				 via name[], number_pin name, scope name, lock name,
 *				 expires name, unset text, verdict name, redact boolean)
 *		returns setof text
 *
 * Installs port_pin_gate_trigger() on a table; the arguments are the trigger's.
 * 42710 where orders with this key are gated already.
 */
Datum
port_pin_gate(PG_FUNCTION_ARGS)
{
	Installation install = BeginInstallation(fcinfo, "port_pin_gate_trigger",
											 ShareRowExclusiveLock);
	GateNames	names = gate_names(fcinfo);
	Gate	   *gate = FindGate(install.table, &names, install.domain);

	check_actions(install.table, gate);
	CheckNotGuardedYet(&install, "fk",
					   ColumnNames(install.table, gate->path.steps[0].key.nkeys,
								   gate->path.steps[0].key.from));
	check_nobody_reads_redacted(&install, gate);
	note_unkept_accounts(gate, install.domain);

	add_gate_arguments(&install, &names, gate);
	if (gate->verdict != InvalidAttrNumber || gate->redact)
		add_changing_trigger(&install);
	else
		add_refusing_triggers(&install, gate);
	RunInstallation(&install, fcinfo);
	return (Datum) 0;
}
