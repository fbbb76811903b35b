/*
 * seal.c
 *		Sealed PINs: what is stored can't be read, not even from a stolen dump.
 *
 * A sealed PIN is sealed:v1:<id>.<fingerprint>:<bcrypt hash>, the first two those
 * of a key (key_file.c), and the hash over base64(HMAC-SHA-256(key, PIN)).  Ten digits are at most ten thousand million
 * guesses, which bcrypt alone makes slow and no more; the key, which is not in the
 * database, makes them impossible.  bcrypt is there for the day when the key is
 * stolen too.
 *
 * Bare bcrypt hashes, which a site may have already, are compared as they are.
 * Other hashes of crypt() are not: the oldest look at eight characters only.
 */
#include "postgres.h"

#include "pin/seal.h"

#include "access/xact.h"
#include "common/base64.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/error.h"
#include "pin/hmac.h"
#include "pin/key_file.h"
#include "pin/pin.h"

#define SEALED_PREFIX "sealed:v1:"
#define SEALED_PREFIX_LENGTH (sizeof(SEALED_PREFIX) - 1)

/* $2a$06$, 22 characters of salt and 31 of hash. */
#define BCRYPT_LENGTH 60
#define BCRYPT_PREFIX_LENGTH 7

/* What a cost of more takes, nobody waits for; and a hash can't be interrupted. */
#define BCRYPT_MIN_COST 4
#define BCRYPT_MAX_COST 15
#define SEALED_MAX_LENGTH \
	(SEALED_PREFIX_LENGTH + SEAL_KEY_NAME_MAX + 1 + BCRYPT_LENGTH)

PG_FUNCTION_INFO_V1(port_pin_seal);
PG_FUNCTION_INFO_V1(port_pin_is_sealed);
PG_FUNCTION_INFO_V1(port_pin_sealed_with);

static int	seal_cost;

/*
 * The last PINs that were sealed, for whom and in which statement; see
 * PinWasSealedJustNow.  Another statement makes them stale.  A row has one or two.
 */
typedef struct JustSealed
{
	Oid			user;
	TimestampTz statement;
	Size		length;
	char		value[SEALED_MAX_LENGTH];
} JustSealed;

#define JUST_SEALED 8

static JustSealed just_sealed[JUST_SEALED];
static int	next_just_sealed = 0;

void
DefineSealSetting(void)
{
	DefineCustomIntVariable("portpin.seal_cost",
							"Cost of the bcrypt hash of PINs that are sealed from now on.",
							"One more doubles the time of each seal and each check.",
							&seal_cost, 6, BCRYPT_MIN_COST, BCRYPT_MAX_COST, PGC_SUSET, 0, NULL, NULL, NULL);
}


/* ----- Form ----- */

static bool
is_bcrypt(const char *hash, Size length)
{
	int			cost;

	if (length != BCRYPT_LENGTH || strncmp(hash, "$2", 2) != 0 ||
		hash[2] == '\0' || strchr("abxy", hash[2]) == NULL ||
		hash[3] != '$' || hash[6] != '$' ||
		hash[4] < '0' || hash[4] > '9' || hash[5] < '0' || hash[5] > '9')
		return false;
	cost = (hash[4] - '0') * 10 + hash[5] - '0';
	if (cost < BCRYPT_MIN_COST || cost > BCRYPT_MAX_COST)
		return false;

	for (int i = BCRYPT_PREFIX_LENGTH; i < BCRYPT_LENGTH; i++)
	{
		char		c = hash[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			  (c >= '.' && c <= '9')))
			return false;
	}
	return true;
}

/*
 * Take a stored hash apart: the name of the key that sealed it, "" for a bare one,
 * and the bcrypt hash.  NULL for what is neither.
 */
static const char *
find_hash(const text *stored, char *key)
{
	const char *value = VARDATA_ANY(stored);
	Size		length = VARSIZE_ANY_EXHDR(stored);
	const char *colon;

	key[0] = '\0';
	if (length <= SEALED_PREFIX_LENGTH ||
		memcmp(value, SEALED_PREFIX, SEALED_PREFIX_LENGTH) != 0)
		return is_bcrypt(value, length) ? value : NULL;

	value += SEALED_PREFIX_LENGTH;
	length -= SEALED_PREFIX_LENGTH;
	colon = memchr(value, ':', length);
	if (colon == NULL || !IsSealKeyName(value, colon - value) ||
		!is_bcrypt(colon + 1, length - (colon - value) - 1))
		return NULL;
	memcpy(key, value, colon - value);
	key[colon - value] = '\0';
	return colon + 1;
}

/* Can this be compared with a PIN by hashing that? */
bool
PinIsHashed(const text *stored)
{
	char		key[SEAL_KEY_NAME_MAX + 1];

	return find_hash(stored, key) != NULL;
}

/* The key that sealed a PIN, as id.fingerprint; NULL for what is not sealed. */
char *
KeyOfSealedPin(const text *stored)
{
	char		key[SEAL_KEY_NAME_MAX + 1];

	if (find_hash(stored, key) == NULL || key[0] == '\0')
		return NULL;
	return pstrdup(key);
}

bool
PinIsSealed(const text *stored)
{
	char		key[SEAL_KEY_NAME_MAX + 1];

	return find_hash(stored, key) != NULL && key[0] != '\0';
}


/* ----- Sealing and comparing ----- */

/* What bcrypt gets to hash instead of the PIN. */
static text *
keyed_pin(const SealKey *key, const text *pin)
{
	uint8		digest[HMAC_BYTES];
	int			size = pg_b64_enc_len(sizeof(digest));
	text	   *password = palloc(VARHDRSZ + size);
	int			length;

	if (!ComputeHmac(key->secret, SEAL_KEY_BYTES,
					 VARDATA_ANY(pin), VARSIZE_ANY_EXHDR(pin), digest))
		ereport_without_context(errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("could not compute the HMAC of a port PIN"),
						errhint("The server's cryptographic library refused HMAC-SHA-256."));

	length = pg_b64_encode((void *) digest, sizeof(digest), VARDATA(password), size);
	explicit_bzero(digest, sizeof(digest));
	if (length < 0)
		elog(ERROR, "could not encode a digest");
	SET_VARSIZE(password, VARHDRSZ + length);
	return password;
}

/*
 * Call a function of pgcrypto by its C symbol: no search_path, and no question of
 * pgcrypto's schema.  The first argument is wiped.  An error of pgcrypto is
 * passed on as it is, but without the context and the statement, which can show a
 * PIN.
 */
static text *
call_pgcrypto(const char *symbol, text *first, Datum second)
{
	ErrorContextCallback *context = error_context_stack;
	MemoryContext caller = CurrentMemoryContext;
	Datum		result = (Datum) 0;

	error_context_stack = NULL;
	PG_TRY();
	{
		PGFunction	function = (PGFunction)
			load_external_function("$libdir/pgcrypto", symbol, true, NULL);

		result = DirectFunctionCall2(function, PointerGetDatum(first), second);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		WipePin(first);
		error = CopyErrorData();
		FlushErrorState();
		error->hide_stmt = true;
		ReThrowError(error);
	}
	PG_END_TRY();
	error_context_stack = context;

	WipePin(first);
	return DatumGetTextPP(result);
}

/* A fresh salt: two seals of one PIN differ. */
static text *
new_salt(void)
{
	return call_pgcrypto("pg_gen_salt_rounds", cstring_to_text("bf"),
						 Int32GetDatum(seal_cost));
}

static void
remember_sealed(const text *sealed)
{
	JustSealed *just = &just_sealed[next_just_sealed];

	next_just_sealed = (next_just_sealed + 1) % JUST_SEALED;
	just->user = GetUserId();
	just->statement = GetCurrentStatementStartTimestamp();
	just->length = VARSIZE_ANY_EXHDR(sealed);
	memcpy(just->value, VARDATA_ANY(sealed), just->length);
}

text *
SealPin(const text *pin)
{
	const SealKey *key = FirstSealKey();
	text	   *hash;
	text	   *sealed;

	hash = call_pgcrypto("pg_crypt", keyed_pin(key, pin),
						 PointerGetDatum(new_salt()));
	sealed = cstring_to_text(psprintf(SEALED_PREFIX "%s.%s:%s", key->id,
									  key->fingerprint, text_to_cstring(hash)));
	if (!PinIsSealed(sealed))
		elog(ERROR, "pgcrypto returned no bcrypt hash");

	remember_sealed(sealed);
	return sealed;
}

/*
 * Was this made from digits that the same user gave in the same statement?
 * Triggers see it again where ON CONFLICT turns an INSERT into an UPDATE, and
 * where an UPDATE moves the row to another partition.
 */
bool
PinWasSealedJustNow(const text *sealed)
{
	for (int i = 0; i < JUST_SEALED; i++)
	{
		JustSealed *just = &just_sealed[i];

		if (just->user == GetUserId() &&
			just->statement == GetCurrentStatementStartTimestamp() &&
			just->length == VARSIZE_ANY_EXHDR(sealed) &&
			memcmp(just->value, VARDATA_ANY(sealed), just->length) == 0)
			return true;
	}
	return false;
}

/*
 * Compare a PIN with a hash that is stored.  The time is that of one hash,
 * whatever was supplied: a right PIN, a wrong one, nonsense or nothing.
 *
 * The letter in $2a$ tells of old mistakes with characters that are not ASCII.
 * Digits are hashed alike under each, so hashes of every library are as good as
 * pgcrypto's, which only knows its own.
 */
bool
HashMatches(const text *stored, const text *supplied)
{
	bool		valid = supplied != NULL && PinIsValid(supplied);
	char		name[SEAL_KEY_NAME_MAX + 1];
	const char *hash = find_hash(stored, name);
	const SealKey *key = name[0] == '\0' ? NULL : FindSealKey(name);
	text	   *setting = cstring_to_text_with_len(hash, BCRYPT_LENGTH);
	text	   *pin = valid ? CopyPin(PointerGetDatum(supplied), false) :
		cstring_to_text("0000000000");
	text	   *computed;
	bool		same;

	VARDATA(setting)[2] = 'a';
	if (key != NULL)
	{
		text	   *password = keyed_pin(key, pin);

		WipePin(pin);
		pin = password;
	}
	computed = call_pgcrypto("pg_crypt", pin, PointerGetDatum(setting));
	same = VARSIZE_ANY_EXHDR(computed) == BCRYPT_LENGTH &&
		timingsafe_bcmp(VARDATA_ANY(computed), VARDATA(setting), BCRYPT_LENGTH) == 0;
	WipePin(computed);
	WipePin(setting);
	return valid && same;
}

/* Take as long as a comparison, where there is nothing to compare with. */
void
DummyHash(void)
{
	text	   *salt = new_salt();

	pfree(call_pgcrypto("pg_crypt", cstring_to_text("0000000000"),
						PointerGetDatum(salt)));
	pfree(salt);
}


/* ----- SQL ----- */

/*
 * port_pin_seal(pin port_pin) returns port_pin_sealed
 *
 * Seals a PIN by hand.  Writing the digits to a column that port_pin_protect()
 * guards does the same.
 */
Datum
port_pin_seal(PG_FUNCTION_ARGS)
{
	text	   *pin = CopyPin(PG_GETARG_DATUM(0), PG_ARGISNULL(0));
	text	   *sealed;

	if (!PinIsValid(pin))
		ereport_without_context(errcode(ERRCODE_CHECK_VIOLATION),
						errmsg("what is to be sealed is not a port PIN"),
						errhint("A port PIN has 6 to 10 digits."));
	sealed = SealPin(pin);
	WipePin(pin);
	PG_RETURN_TEXT_P(sealed);
}

/*
 * port_pin_is_sealed(stored text) returns boolean
 *
 * Tells by the form alone: a dump is restored without the key.
 */
Datum
port_pin_is_sealed(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(PinIsSealed(PG_GETARG_TEXT_PP(0)));
}

/*
 * port_pin_sealed_with(stored text) returns text
 *
 * The key that sealed a PIN, as id.fingerprint; NULL for what is not sealed.
 * Grouped by it, the rows of a table tell which keys are still needed.
 */
Datum
port_pin_sealed_with(PG_FUNCTION_ARGS)
{
	char	   *key = KeyOfSealedPin(PG_GETARG_TEXT_PP(0));

	if (key == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(key));
}
