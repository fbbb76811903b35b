/*
 * account_search.c
 *		The key of an account that is named in any spelling.
 *
 * A key has many spellings that are equal: 1 and 1.0 for a numeric, Contoso and
 * contoso for citext.  The record has the one that is stored, so the account is looked
 * up by its primary key, and the key is written down as the row has it.  This is rare,
 * so it is done in SQL, which calls the type's own functions and the operators of the
 * primary key.  Types and operators may be user code: call this with the rights of the
 * table's owner.
 */
#include "postgres.h"

#include "table/account_search.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "table/account_key.h"

/* One column of a key, as it was spelled under the current settings. */
static Datum
read_column(Form_pg_attribute attribute, char *value)
{
	Oid			input;
	Oid			typioparam;

	getTypeInputInfo(attribute->atttypid, &input, &typioparam);
	return OidInputFunctionCall(input, value, typioparam, attribute->atttypmod);
}

/* Add a condition for one column; false if the index does not tell what equality is. */
static bool
append_condition(StringInfo query, Relation table, Relation index, int i)
{
	AttrNumber	column = index->rd_index->indkey.values[i];
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(table), column - 1);
	Oid			operator = get_opfamily_member(index->rd_opfamily[i],
											   index->rd_opcintype[i],
											   index->rd_opcintype[i],
											   BTEqualStrategyNumber);

	if (!OidIsValid(operator))
		return false;
	appendStringInfoString(query, i == 0 ? " WHERE " : " AND ");
	generate_operator_clause(query, quote_identifier(NameStr(attribute->attname)),
							 attribute->atttypid, operator,
							 psprintf("$%d", i + 1), attribute->atttypid);
	return true;
}

/* The query that reads the stored key of a row with an equal one; NULL if there is none. */
static char *
search_query(Relation table)
{
	Relation	index = index_open(primary_key_index(table), AccessShareLock);
	StringInfoData query;
	bool		found = true;

	initStringInfo(&query);
	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
		appendStringInfo(&query, "%s %s", i == 0 ? "SELECT" : ",",
						 quote_identifier(get_attname(RelationGetRelid(table),
													  index->rd_index->indkey.values[i],
													  false)));
	appendStringInfo(&query, " FROM %s%s",
					 table->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ",
					 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(table)),
												RelationGetRelationName(table)));
	for (int i = 0; found && i < index->rd_index->indnkeyatts; i++)
		found = append_condition(&query, table, index, i);
	index_close(index, NoLock);
	return found ? query.data : NULL;
}

/* Replace a key by the equal one of the stored row, if there is a row. */
static void
replace_by_stored(Relation table, const AccountIdentity *identity, Datum *values)
{
	MemoryContext caller = CurrentMemoryContext;
	char	   *query = search_query(table);
	Oid			types[INDEX_MAX_KEYS];

	if (query == NULL)
		return;
	for (int i = 0; i < identity->ncolumns; i++)
		types[i] = TupleDescAttr(RelationGetDescr(table), identity->columns[i] - 1)->atttypid;
	if (SPI_connect() != SPI_OK_CONNECT ||
		SPI_execute_with_args(query, identity->ncolumns, types, values, NULL, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look for an account");
	for (int i = 0; SPI_processed > 0 && i < identity->ncolumns; i++)
	{
		TupleDesc	row = SPI_tuptable->tupdesc;
		Form_pg_attribute attribute = TupleDescAttr(row, i);
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0], row, i + 1, &isnull);
		MemoryContext spi = MemoryContextSwitchTo(caller);

		values[i] = datumCopy(value, attribute->attbyval, attribute->attlen);
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
}

/* The key, by a spelling of each of its columns. */
static AccountKey
key_of_columns(Relation table, const AccountIdentity *identity, List *key)
{
	Datum		values[INDEX_MAX_KEYS];

	if (identity->ncolumns != list_length(key))
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg_plural("the primary key of table \"%s\" has %d column, not %d",
							  "the primary key of table \"%s\" has %d columns, not %d",
							  identity->ncolumns,
							  RelationGetRelationName(table), identity->ncolumns,
							  list_length(key)),
				errhint("Give the key as port_pin_lockouts shows it."),
				errtable(table));
	for (int i = 0; i < identity->ncolumns; i++)
		values[i] = read_column(TupleDescAttr(RelationGetDescr(table),
											  identity->columns[i] - 1),
								list_nth(key, i));
	replace_by_stored(table, identity, values);
	return AccountKeyOfValues(identity, values);
}

/*
 * The key, as the record has it, of an account that is named by strings.  If a row has
 * an equal key, take that; else take the strings alone, as the row may be gone.  The
 * strings are left as they are if the table has no primary key, as only the orders
 * know which columns are meant, and if they are what the record makes of a key that is
 * too long.
 */
AccountKey
FindAccountKey(Relation accounts, List *key)
{
	AccountIdentity identity;
	Relation	table = accounts;
	AccountKey	account;

	DescribeAccountKey(table, 0, NULL, InvalidAttrNumber, &identity);
	if (identity.ncolumns == 0 || IsCutKey(key))
		return AccountKeyOfStrings(&identity, key);
	if (identity.table != RelationGetRelid(table))
	{
		table = table_open(identity.table, AccessShareLock);
		DescribeAccountKey(table, 0, NULL, InvalidAttrNumber, &identity);
	}
	account = key_of_columns(table, &identity, key);
	if (table != accounts)
		table_close(table, NoLock);
	return account;
}
