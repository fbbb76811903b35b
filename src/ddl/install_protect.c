/*
 * install_keep.c
 *		port_pin_protect(): keep the PINs of a table set, and sealed.
 *
 * An ordinary table needs one trigger, AFTER UPDATE; a partitioned one two more,
 * for the rows that an UPDATE moves between partitions.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "ddl/install.h"
#include "ddl/install_seal.h"
#include "table/column.h"
#include "table/row_movement.h"

PG_FUNCTION_INFO_V1(port_pin_protect);

/* What keeps a row in place is its primary key: find its columns. */
static List *
primary_key(Relation table)
{
	Oid			indexid = primary_key_index(table);
	Relation	index;
	AttrNumber	columns[INDEX_MAX_KEYS];
	List	   *names;

	if (!OidIsValid(indexid))
		ereport(ERROR,
				errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				errmsg("table \"%s\" has no primary key", RelationGetRelationName(table)),
				errdetail("With forbid_delete, rows with a port PIN may not change their primary key either."),
				errhint("Add a primary key."),
				errtable(table));

	index = index_open(indexid, AccessShareLock);
	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
		columns[i] = index->rd_index->indkey.values[i];
	names = ColumnNames(table, index->rd_index->indnkeyatts, columns);
	index_close(index, NoLock);
	return names;
}

/*
 * When the keep trigger must look: for a typed PIN, only when it will refuse.
 * For legacy text, where blank has many spellings, whenever the PIN changes; and
 * for a sealed one, whose type has no constraint.
 * NULL where that can't be written: then it looks at every row.
 */
static char *
protect_condition(Installation *install, AttrNumber pin, List *key)
{
	Relation	table = install->table;
	const char *name = quote_identifier(ColumnName(table, pin));
	AttrNumber	columns[INDEX_MAX_KEYS + 1] = {pin};
	int			ncolumns = 1;
	char	   *rekeyed;
	ListCell   *lc;

	foreach(lc, FindColumns(table, key))
		columns[ncolumns++] = lfirst_int(lc);

	if (!ColumnIsPortPin(table, pin, install->domain) ||
		ColumnIsSealed(table, pin, install->domain))
		return ColumnsDiffer(table, ncolumns, columns);
	if (key == NIL)
		return psprintf("OLD.%s IS NOT NULL AND NEW.%s IS NULL", name, name);
	rekeyed = ColumnsDiffer(table, ncolumns - 1, columns + 1);
	return rekeyed == NULL ? NULL :
		psprintf("OLD.%s IS NOT NULL AND (NEW.%s IS NULL OR %s)",
				 name, name, rekeyed);
}

/* TRUNCATE fires the triggers of the tables it names, so each partition needs one. */
static void
add_truncate_triggers(Installation *install)
{
	List	   *tables = find_all_inheritors(RelationGetRelid(install->table),
											 ShareRowExclusiveLock, NULL);
	ListCell   *lc;

	foreach(lc, tables)
	{
		Relation	table = table_open(lfirst_oid(lc), NoLock);

		AddTrigger(install, "port_pin_protect_truncate", "BEFORE TRUNCATE",
				   QualifiedTable(table), "STATEMENT", NULL, "");
		table_close(table, NoLock);
	}
}

/* Where a row moves unseen, an UPDATE that moves it could clear its PIN. */
static void
check_moves_can_be_followed(Relation table)
{
	List	   *tables = find_all_inheritors(RelationGetRelid(table),
											 AccessShareLock, NULL);
	ListCell   *lc;

	foreach(lc, tables)
	{
		Relation	partition = table_open(lfirst_oid(lc), NoLock);

		if (!CanFollowRowMovement(partition))
			ereport(ERROR,
					errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					errmsg("partition \"%s\" can't be guarded: rows that move there or away can't be followed",
						   RelationGetRelationName(partition)),
					errhint("Partitions must be ordinary tables of access method heap."),
					errtable(partition));
		table_close(partition, NoLock);
	}
}

static void
add_protect_triggers(Installation *install, AttrNumber pin, List *key, bool forbid_delete)
{
	bool		partitioned =
		install->table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE;
	char	   *condition = protect_condition(install, pin, key);

	if (key != NIL)
		AddArgument(install, "key", ColumnList(key));
	AddRowTrigger(install, "port_pin_protect", "AFTER UPDATE", condition);
	if (forbid_delete)
	{
		AddRowTrigger(install, "port_pin_protect_delete", "AFTER DELETE", NULL);
		add_truncate_triggers(install);
	}
	if (partitioned)
	{
		AddArgument(install, "moves", "follow");
		AddRowTrigger(install, "port_pin_protect_move_from", "AFTER DELETE", NULL);
		AddRowTrigger(install, "port_pin_protect_move_to", "AFTER INSERT", NULL);
	}
}

/*
 * Have every PIN that is written from now on checked.  Rows that are there already
 * are left alone, and the table unread, until somebody validates the constraint.
 */
static void
add_format_check(Installation *install, AttrNumber pin, Oid function)
{
	const char *table = QualifiedTable(install->table);
	const char *schema = get_namespace_name(get_func_namespace(function));
	const char *column = ColumnName(install->table, pin);
	const char *name =
		quote_identifier(makeObjectName("port_pin_format", install->tag, NULL));

	if (ColumnIsPortPin(install->table, pin, install->domain))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("check_format is not for column \"%s\": its type checks the format",
					   column),
				errhint("Leave check_format out; it is for columns of type text or varchar."),
				errtablecol(install->table, pin));

	install->statements =
		lappend(install->statements,
				psprintf("ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s(%s)) NOT VALID",
						 table, name,
						 quote_qualified_identifier(schema, "port_pin_check_format"),
						 quote_identifier(column)));
	ereport(NOTICE,
			errmsg("the format of port PINs that are in table \"%s\" already has not been checked",
				   RelationGetRelationName(install->table)),
			errhint("When they have been put right: ALTER TABLE %s VALIDATE CONSTRAINT %s;",
					table, name));
}

/*
 * port_pin_protect(accounts regclass, pin name, forbid_delete boolean,
 *					check_format boolean)
 *		returns setof text
 *
 * Installs port_pin_protect_trigger() on a table, and what seals a column of type
 * port_pin_sealed.  Without pin, the column of the one type or the other is meant.
 * 42710 where the PIN is guarded already.
 */
Datum
port_pin_protect(PG_FUNCTION_ARGS)
{
	Installation install;
	char	   *pin = PG_ARGISNULL(1) ? NULL : NameStr(*PG_GETARG_NAME(1));
	bool		forbid_delete = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	bool		check_format = !PG_ARGISNULL(3) && PG_GETARG_BOOL(3);
	bool		check = check_format;
	AttrNumber	column;

	/* To lock for triggers first, and for a CHECK then, would invite a deadlock. */
	if (!PG_ARGISNULL(0))
		check |= HasSealedColumn(PG_GETARG_OID(0), PortPinDomain(fcinfo->flinfo->fn_oid));
	install = BeginInstallation(fcinfo, "port_pin_protect_trigger",
								check ? AccessExclusiveLock : ShareRowExclusiveLock);

	column = FindPinColumn(install.table, pin, install.domain, "pin");
	if (install.table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		check_moves_can_be_followed(install.table);
	AddColumnArgument(&install, "pin", install.table, column);
	CheckNotGuardedYet(&install, "pin", ColumnNames(install.table, 1, &column));
	if (ColumnIsSealed(install.table, column, install.domain))
		AddSeal(&install, column);
	add_protect_triggers(&install, column,
					  forbid_delete ? primary_key(install.table) : NIL, forbid_delete);
	if (check_format)
		add_format_check(&install, column, fcinfo->flinfo->fn_oid);
	RunInstallation(&install, fcinfo);
	return (Datum) 0;
}
