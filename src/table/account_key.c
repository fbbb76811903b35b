/*
 * account_key.c
 *		What an account is called in the record: its table's name, and its key.
 *
 * A row must have the same name for every role and however it is reached, or a limit
 * on failed attempts could be used up more than once.  So the key is taken from the
 * stored row, not from the order, which may spell it in other ways; it is the primary
 * key, whichever unique key the order refers to; a partition's is the whole table's;
 * and it is written down under settings that are the same in every session.
 *
 * The record has the names of tables, not their OIDs: a record is dumped, restored,
 * published and upgraded, and an OID of another database could be that of any table
 * there.  So a table that is renamed leaves its failures behind, and a table that
 * takes its name, as with copy-and-swap tools, inherits them.
 */
#include "postgres.h"

#include "table/account_key.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/sha2.h"
#include "executor/tuptable.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/uuid.h"

#include "base/compat.h"
#include "base/error.h"
#include "base/setting.h"
#include "table/column.h"
#include "table/partition.h"
#include "table/shard.h"

/* A key that is longer is cut: it must fit into an index, beside other columns. */
#define MAX_KEY_BYTES	1024
#define CUT_KEY_BYTES	256
#define CUT_MARK		"... sha256:"


/* ----- Tables ----- */

/*
 * A shard has the name of its table, wherever it is moved.
 *
 * Sessions reuse each other's schemas for temporary tables, so such a table is named
 * after its session: its schema is pg_temp, which no schema is called, and its own
 * name is followed by what log_line_prefix shows for %c.
 */
RecordedTable
RecordedNameOf(Oid relid)
{
	RecordedTable table;
	Oid			whole = TableOfShard(relid);

	if (OidIsValid(whole))
		relid = whole;
	table.name = get_rel_name(relid);
	if (table.name == NULL)
		elog(ERROR, "cache lookup failed for relation %u", relid);
	if (get_rel_persistence(relid) == RELPERSISTENCE_TEMP)
	{
		table.schema = "pg_temp";
		table.name = psprintf("%s %lx.%x", table.name, (long) MyStartTime, MyProcPid);
	}
	else
		table.schema = get_namespace_name(get_rel_namespace(relid));
	return table;
}

/* The same for the same name, in every session. */
uint64
HashTableName(const char *schema, size_t schema_length,
			  const char *name, size_t name_length)
{
	return hash_bytes_extended((const unsigned char *) name, name_length,
							   hash_bytes_extended((const unsigned char *) schema,
												   schema_length, 0));
}

static void
identify_table(Relation table, AccountIdentity *identity)
{
	RecordedTable recorded = RecordedNameOf(RelationGetRelid(table));

	identity->table = RelationGetRelid(table);
	identity->table_hash = HashTableName(recorded.schema, strlen(recorded.schema),
										 recorded.name, strlen(recorded.name));
}


/* ----- Which columns ----- */

static void
add_column(Relation table, AttrNumber column, AccountIdentity *identity)
{
	Oid			type = TupleDescAttr(RelationGetDescr(table), column - 1)->atttypid;
	int			i = identity->ncolumns++;
	bool		varlena;

	identity->columns[i] = column;
	identity->types[i] = getBaseType(type);
	getTypeOutputInfo(type, &identity->output[i], &varlena);
	identity->output_is_stable &= OutputIsStable(identity->types[i]);
}

/* The columns of a primary key, which may be that of the table's whole tree. */
static void
add_primary_key(Relation owner, Relation table, AccountIdentity *identity)
{
	ListCell   *lc;

	foreach(lc, PrimaryKey(owner))
		add_column(table, FindColumn(table, lfirst(lc)), identity);
	if (identity->ncolumns > 0)
		identify_table(owner, identity);
}

/* Without a primary key: the key that orders refer to, in the order of the table. */
static void
add_key(Relation table, int nkeys, const AttrNumber *keys, AccountIdentity *identity)
{
	for (AttrNumber column = 1; column <= RelationGetDescr(table)->natts; column++)
	{
		for (int i = 0; i < nkeys; i++)
		{
			if (keys[i] == column)
				add_column(table, column, identity);
		}
	}
	identify_table(table, identity);
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
									errhint("Give the accounts a primary key without the PIN: failed attempts are recorded under it."),
									errtablecol(table, pin));
	}
}

/* What names the rows of a table; no columns where there is no key at all. */
void
DescribeAccountKey(Relation table, int nkeys, const AttrNumber *keys,
				   AttrNumber pin, AccountIdentity *identity)
{
	Relation	root = table_open(RootOfPartitions(table), AccessShareLock);

	memset(identity, 0, sizeof(AccountIdentity));
	identity->output_is_stable = true;
	add_primary_key(root, table, identity);
	if (identity->ncolumns == 0)
		add_primary_key(table, table, identity);
	if (identity->ncolumns == 0)
		add_key(table, nkeys, keys, identity);
	refuse_pin_in_key(table, pin, identity);
	table_close(root, NoLock);
}


/* ----- Writing a key down ----- */

/*
 * Cut what is too long for an index to its beginning and a digest of the whole, a
 * varlena, which tells it from others as surely as the whole does.
 */
char *
CutToDigest(const char *start, Datum all)
{
	Datum		digest = DirectFunctionCall1(sha256_bytea, all);
	Datum		hex = DirectFunctionCall2(binary_encode, digest, CStringGetTextDatum("hex"));

	return psprintf("%.*s" CUT_MARK "%s",
					pg_mbcliplen(start, strlen(start), CUT_KEY_BYTES), start,
					TextDatumGetCString(hex));
}

/* The array that construct_array() makes of one string, in a fraction of the time. */
static ArrayType *
array_of_string(const char *string, Size length)
{
	Size		size = ARR_OVERHEAD_NONULLS(1) + INTALIGN(VARHDRSZ + length);
	ArrayType  *array = palloc0(size);

	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->elemtype = TEXTOID;
	ARR_DIMS(array)[0] = 1;
	ARR_LBOUND(array)[0] = 1;
	SET_VARSIZE(ARR_DATA_PTR(array), VARHDRSZ + length);
	memcpy(VARDATA(ARR_DATA_PTR(array)), string, length);
	return array;
}

static ArrayType *
array_of_texts(Datum *texts, int ntexts)
{
	ArrayType  *key = construct_array(texts, ntexts, TEXTOID, -1, false, TYPALIGN_INT);
	char	   *cut;

	if (VARSIZE(key) <= MAX_KEY_BYTES)
		return key;
	cut = CutToDigest(TextDatumGetCString(texts[0]), PointerGetDatum(key));
	return array_of_string(cut, strlen(cut));
}

static ArrayType *
array_of_uuid(const pg_uuid_t *uuid)
{
	static const int groups[] = {8, 4, 4, 4, 12};
	char		hex[2 * UUID_LEN];
	char		string[2 * UUID_LEN + lengthof(groups) - 1];
	char	   *from = hex;
	char	   *to = string;

	(void) hex_encode((const char *) uuid->data, UUID_LEN, hex);
	for (int i = 0; i < (int) lengthof(groups); i++)
	{
		if (i > 0)
			*to++ = '-';
		memcpy(to, from, groups[i]);
		to += groups[i];
		from += groups[i];
	}
	return array_of_string(string, sizeof(string));
}

/* NULL if it is too long for a key. */
static ArrayType *
array_of_text(const text *string)
{
	Size		length = VARSIZE_ANY_EXHDR(string);

	return length > MAX_KEY_BYTES / 2 ? NULL :
		array_of_string(VARDATA_ANY(string), length);
}

/*
 * The keys that most accounts have, written as their output functions would.  NULL
 * for any other.
 */
static ArrayType *
write_common_key(Oid type, Datum value)
{
	char		digits[MAXINT8LEN + 1];

	switch (type)
	{
		case INT4OID:
			return array_of_string(digits, pg_ltoa(DatumGetInt32(value), digits));
		case INT8OID:
			return array_of_string(digits, pg_lltoa(DatumGetInt64(value), digits));
		case UUIDOID:
			return array_of_uuid(DatumGetUUIDP(value));
		case TEXTOID:
		case VARCHAROID:
			return array_of_text(DatumGetTextPP(value));
		default:
			return NULL;
	}
}

static ArrayType *
write_key(const AccountIdentity *identity, const Datum *values)
{
	Datum		texts[INDEX_MAX_KEYS];
	int			nestlevel = identity->output_is_stable ? 0 : PinOutputSettings();

	for (int i = 0; i < identity->ncolumns; i++)
		texts[i] = CStringGetTextDatum(OidOutputFunctionCall(identity->output[i], values[i]));
	if (nestlevel > 0)
		AtEOXact_GUC(true, nestlevel);
	return array_of_texts(texts, identity->ncolumns);
}

static AccountKey
account_key(const AccountIdentity *identity, ArrayType *columns)
{
	AccountKey	key = {identity->table, identity->table_hash, columns};

	return key;
}

AccountKey
AccountKeyOfValues(const AccountIdentity *identity, const Datum *values)
{
	ArrayType  *columns = NULL;

	if (identity->ncolumns == 1)
		columns = write_common_key(identity->types[0], values[0]);
	return account_key(identity, columns != NULL ? columns : write_key(identity, values));
}

/* A column of the key of a stored row.  It is not NULL, as a key found the row. */
static Datum
key_column(const AccountIdentity *identity, int i, TupleTableSlot *row)
{
	bool		isnull;
	Datum		value = slot_getattr(row, identity->columns[i], &isnull);

	if (isnull)
		elog(ERROR, "key of an account is null");
	return value;
}

AccountKey
AccountKeyOfRow(const AccountIdentity *identity, TupleTableSlot *row)
{
	Datum		values[INDEX_MAX_KEYS];

	for (int i = 0; i < identity->ncolumns; i++)
		values[i] = key_column(identity, i, row);
	return AccountKeyOfValues(identity, values);
}

/*
 * A number for the account of a stored row, the same in every session.  It is cheaper
 * than writing the key down.  It includes the table's OID, so that a row keeps its
 * number while its table is being renamed.
 */
uint64
HashAccountRow(const AccountIdentity *identity, TupleTableSlot *row)
{
	uint64		hash = identity->table;

	for (int i = 0; i < identity->ncolumns; i++)
	{
		Form_pg_attribute column =
		TupleDescAttr(row->tts_tupleDescriptor, identity->columns[i] - 1);

		hash = hash_combine64(hash, datum_image_hash(key_column(identity, i, row),
													 column->attbyval, column->attlen));
	}
	return hash;
}

/* A key that has been written down already. */
AccountKey
AccountKeyOfStrings(const AccountIdentity *identity, List *strings)
{
	int			nstrings = list_length(strings);
	Datum	   *texts = palloc(nstrings * sizeof(Datum));

	for (int i = 0; i < nstrings; i++)
		texts[i] = CStringGetTextDatum(list_nth(strings, i));
	return account_key(identity, array_of_texts(texts, nstrings));
}

/* Is this what CutToDigest() makes of a key? */
bool
IsCutKey(List *strings)
{
	const char *mark = list_length(strings) == 1 ? strstr(linitial(strings), CUT_MARK) : NULL;

	return mark != NULL && strlen(mark) == strlen(CUT_MARK) + 2 * PG_SHA256_DIGEST_LENGTH;
}

/* The same for the same key in every session, whether its header is long or short. */
uint64
HashAccountKey(const struct varlena *columns, uint64 seed)
{
	return hash_bytes_extended((const unsigned char *) VARDATA_ANY(columns),
							   VARSIZE_ANY_EXHDR(columns), seed);
}
