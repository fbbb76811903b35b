/*
 * account_key.c
 *		Which account was guessed at: the table with the PIN, and the row's own key.
 *
 * The same row must have the same name whoever asks and by whatever way he came,
 * or a limit on guesses could be had more than once.  So the name is taken from
 * the stored row, not from the order, which may spell its key in other ways; it
 * is the primary key, whichever unique key the order refers to; of a partition it
 * is the whole table's; and it is written down under settings that are the same
 * in every session.
 */
#include "postgres.h"

#include "table/account_key.h"

#include "access/table.h"
#include "catalog/partition.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/tuptable.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "base/compat.h"
#include "base/error.h"
#include "table/column.h"
#include "table/partition.h"

/* A key that is longer is cut: it must fit into an index, beside other columns. */
#define MAX_KEY_BYTES	1024
#define CUT_KEY_BYTES	256


/* ----- Which columns ----- */

/* Does a value of this type read the same under all settings? */
static bool
output_is_stable(Oid type)
{
	switch (type)
	{
		case BOOLOID:
		case CHAROID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case OIDOID:
		case NUMERICOID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
		case UUIDOID:
			return true;
		default:
			return get_typtype(type) == TYPTYPE_ENUM;
	}
}

static void
add_column(Relation table, AttrNumber column, AccountIdentity *identity,
		   MemoryContext mcxt)
{
	Oid			type = TupleDescAttr(RelationGetDescr(table), column - 1)->atttypid;
	Oid			output;
	bool		varlena;

	getTypeOutputInfo(type, &output, &varlena);
	fmgr_info_cxt(output, &identity->output[identity->ncolumns], mcxt);
	identity->output_is_stable &= output_is_stable(getBaseType(type));
	identity->columns[identity->ncolumns++] = column;
}

/* The columns of a primary key, which may be that of the table's whole tree. */
static void
add_primary_key(Relation owner, Relation table, AccountIdentity *identity,
				MemoryContext mcxt)
{
	Oid			indexid = primary_key_index(owner);
	Relation	index;

	if (!OidIsValid(indexid))
		return;
	index = index_open(indexid, AccessShareLock);
	for (int i = 0; i < index->rd_index->indnkeyatts; i++)
	{
		AttrNumber	column = index->rd_index->indkey.values[i];
		Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(owner), column - 1);

		add_column(table, FindColumn(table, NameStr(attribute->attname)),
				   identity, mcxt);
	}
	index_close(index, AccessShareLock);
	identity->table = RelationGetRelid(owner);
}

/* Without a primary key: the key that orders refer to, in the order of the table. */
static void
add_key(Relation table, int nkeys, const AttrNumber *keys,
		AccountIdentity *identity, MemoryContext mcxt)
{
	for (AttrNumber column = 1; column <= RelationGetDescr(table)->natts; column++)
	{
		for (int i = 0; i < nkeys; i++)
		{
			if (keys[i] == column)
				add_column(table, column, identity, mcxt);
		}
	}
	identity->table = RelationGetRelid(table);
}

/* A name is shown and recorded; a PIN is neither. */
static void
refuse_pin_in_key(Relation table, AttrNumber pin, const AccountIdentity *identity)
{
	for (int i = 0; i < identity->ncolumns; i++)
	{
		if (identity->columns[i] == pin)
			ereport_without_context(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
							errmsg("the port PIN is part of the key of its account"),
							errhint("Give the accounts a primary key without the PIN: wrong guesses are recorded under it."),
							errtablecol(table, pin));
	}
}

/* What names the rows of a table; no columns where there is no key at all. */
void
DescribeAccountKey(Relation table, int nkeys, const AttrNumber *keys,
				   AttrNumber pin, AccountIdentity *identity, MemoryContext mcxt)
{
	Relation	root = table_open(RootOfPartitions(table), AccessShareLock);

	memset(identity, 0, sizeof(AccountIdentity));
	identity->output_is_stable = true;
	add_primary_key(root, table, identity, mcxt);
	if (identity->ncolumns == 0)
		add_primary_key(table, table, identity, mcxt);
	if (identity->ncolumns == 0)
		add_key(table, nkeys, keys, identity, mcxt);
	refuse_pin_in_key(table, pin, identity);
	table_close(root, NoLock);
}


/* ----- Writing a key down ----- */

/* Settings under which a value of any type reads the same in every session. */
static const char *const output_settings[][2] = {
	{"datestyle", "ISO, YMD"},
	{"timezone", "UTC"},
	{"intervalstyle", "postgres"},
	{"extra_float_digits", "1"},
	{"bytea_output", "hex"},
	{"lc_monetary", "C"},
	{"quote_all_identifiers", "off"},
	{"search_path", "pg_catalog, pg_temp"},
};

static int
pin_output_settings(void)
{
	int			nestlevel = NewGUCNestLevel();

	for (int i = 0; i < (int) lengthof(output_settings); i++)
		(void) set_config_option(output_settings[i][0], output_settings[i][1],
								 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
								 true, 0, false);
	return nestlevel;
}

/*
 * Cut a key that is too long for an index to its beginning and a digest of all,
 * which tells it from others as surely as the whole does.
 */
static ArrayType *
cut_key(ArrayType *key, Datum first)
{
	char	   *start = TextDatumGetCString(first);
	bytea	   *digest;
	char	   *hex;
	Datum		cut;

	digest = DatumGetByteaPP(DirectFunctionCall1(sha256_bytea, PointerGetDatum(key)));
	hex = TextDatumGetCString(DirectFunctionCall2(binary_encode,
												  PointerGetDatum(digest),
												  CStringGetTextDatum("hex")));
	start[pg_mbcliplen(start, strlen(start), CUT_KEY_BYTES)] = '\0';
	cut = CStringGetTextDatum(psprintf("%s... sha256:%s", start, hex));
	return construct_array(&cut, 1, TEXTOID, -1, false, TYPALIGN_INT);
}

static ArrayType *
key_of_texts(Datum *texts, int ntexts)
{
	ArrayType  *key = construct_array(texts, ntexts, TEXTOID, -1, false, TYPALIGN_INT);

	return VARSIZE(key) <= MAX_KEY_BYTES ? key : cut_key(key, texts[0]);
}

static ArrayType *
write_key(AccountIdentity *identity, const Datum *values)
{
	Datum		texts[INDEX_MAX_KEYS];
	int			nestlevel = identity->output_is_stable ? 0 : pin_output_settings();

	for (int i = 0; i < identity->ncolumns; i++)
		texts[i] = CStringGetTextDatum(OutputFunctionCall(&identity->output[i], values[i]));
	if (nestlevel > 0)
		AtEOXact_GUC(true, nestlevel);
	return key_of_texts(texts, identity->ncolumns);
}

/* The key of a stored row.  It has no NULLs: a key to the row found it. */
ArrayType *
AccountKeyOfRow(AccountIdentity *identity, TupleTableSlot *row)
{
	Datum		values[INDEX_MAX_KEYS];

	for (int i = 0; i < identity->ncolumns; i++)
	{
		bool		isnull;

		values[i] = slot_getattr(row, identity->columns[i], &isnull);
		if (isnull)
			elog(ERROR, "key of an account is null");
	}
	return write_key(identity, values);
}

/* The same for the same account, in every session. */
uint64
HashAccountKey(const AccountKey *account)
{
	return hash_bytes_extended((const unsigned char *) account->key,
							   VARSIZE(account->key), account->table);
}

/* One column of a key that somebody wrote, under his own settings. */
static Datum
read_column(Relation table, AttrNumber column, Datum text_value)
{
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(table), column - 1);
	Oid			input;
	Oid			typioparam;

	getTypeInputInfo(attribute->atttypid, &input, &typioparam);
	return OidInputFunctionCall(input, TextDatumGetCString(text_value), typioparam,
								attribute->atttypmod);
}

static Datum *
elements_of(ArrayType *key, int *count)
{
	Datum	   *elements;
	bool	   *nulls;

	deconstruct_array(key, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, count);
	for (int i = 0; i < *count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					errmsg("the key of an account must not contain NULL"));
	}
	return elements;
}

/*
 * A key that somebody wrote, as AccountKeyOfRow would have it.  Without a primary
 * key only the orders know which columns are meant, and it is left as it is.
 */
ArrayType *
AccountKeyFromTexts(Relation table, ArrayType *given, Oid *owner)
{
	AccountIdentity identity;
	Datum	   *texts;
	int			ntexts;

	texts = elements_of(given, &ntexts);
	DescribeAccountKey(table, 0, NULL, InvalidAttrNumber, &identity,
					   CurrentMemoryContext);
	*owner = identity.table;
	if (identity.ncolumns == 0 && ntexts > 0)
		return key_of_texts(texts, ntexts);
	if (identity.ncolumns != ntexts)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("the primary key of table \"%s\" has %d columns, not %d",
					   RelationGetRelationName(table), identity.ncolumns, ntexts),
				errhint("Give the key as port_pin_lockouts shows it."),
				errtable(table));

	for (int i = 0; i < ntexts; i++)
		texts[i] = read_column(table, identity.columns[i], texts[i]);
	return write_key(&identity, texts);
}
