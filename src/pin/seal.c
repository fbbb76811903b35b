/*
 * seal.c
 *		Sealed PINs: what is stored can't be read, not even from a stolen dump.
 *
 * A sealed PIN is sealed:v1:<id>.<fingerprint>:<hash>: the first two are those of a
 * key (key_file.c), and the hash (hash.c) is over base64(HMAC-SHA-256(key, PIN)).  Ten
 * digits are at most ten billion guesses.  A slow hash alone only slows them down; the
 * key, which is not in the database, makes them impossible.  The hash is there for the
 * day when the key is stolen too.
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
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/error.h"
#include "pin/crypto.h"
#include "pin/hash.h"
#include "pin/key_file.h"
#include "pin/pin.h"

#define SEALED_PREFIX "sealed:v1:"
#define SEALED_PREFIX_LENGTH (sizeof(SEALED_PREFIX) - 1)

#define SEALED_MAX_LENGTH \
	(SEALED_PREFIX_LENGTH + SEAL_KEY_NAME_MAX + 1 + HASH_MAX_LENGTH)

/* An HMAC in base64. */
#define KEYED_PIN_LENGTH 44

/* Hashed only for the time that it takes. */
#define DUMMY_PIN "0000000000"

PG_FUNCTION_INFO_V1(port_pin_seal);
PG_FUNCTION_INFO_V1(port_pin_is_sealed);
PG_FUNCTION_INFO_V1(port_pin_sealed_with);

/* A stored hash taken apart: the name of the key that sealed it, "" for a bare one. */
typedef struct StoredHash
{
	char		key[SEAL_KEY_NAME_MAX + 1];
	const char *hash;
	Size		length;
} StoredHash;

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


/* ----- Form ----- */

/* Returns false if this is not the hash of a PIN. */
static bool
parse_stored(const text *stored, StoredHash *parsed)
{
	const char *value = VARDATA_ANY(stored);
	Size		length = VARSIZE_ANY_EXHDR(stored);
	const char *end = value + length;
	const char *colon;

	parsed->key[0] = '\0';
	parsed->hash = value;
	parsed->length = length;
	if (length <= SEALED_PREFIX_LENGTH ||
		memcmp(value, SEALED_PREFIX, SEALED_PREFIX_LENGTH) != 0)
		return IsBcryptHash(value, length);

	value += SEALED_PREFIX_LENGTH;
	colon = memchr(value, ':', end - value);
	if (colon == NULL || !IsSealKeyName(value, colon - value))
		return false;
	memcpy(parsed->key, value, colon - value);
	parsed->key[colon - value] = '\0';
	parsed->hash = colon + 1;
	parsed->length = end - parsed->hash;
	return IsHash(parsed->hash, parsed->length);
}

/* Is this a hash, so that a PIN must be hashed to compare it? */
static bool
is_hashed(const text *stored)
{
	StoredHash	parsed;

	return parse_stored(stored, &parsed);
}

bool
PinIsSealed(const text *stored)
{
	StoredHash	parsed;

	return parse_stored(stored, &parsed) && parsed.key[0] != '\0';
}

/* The key that sealed a PIN, as id.fingerprint; NULL for what is not sealed. */
char *
KeyOfSealedPin(const text *stored)
{
	StoredHash	parsed;

	if (!parse_stored(stored, &parsed) || parsed.key[0] == '\0')
		return NULL;
	return pstrdup(parsed.key);
}


/* ----- Sealing and comparing ----- */

/* What is hashed instead of the PIN. */
static text *
keyed_pin(const SealKey *key, const char *digits, Size length)
{
	uint8		digest[HMAC_BYTES];
	char		base64[KEYED_PIN_LENGTH];
	text	   *password;

	ComputeHmac(key->secret, SEAL_KEY_BYTES, digits, length, digest);
	if (pg_b64_encode((void *) digest, sizeof(digest), base64, sizeof(base64)) != KEYED_PIN_LENGTH)
		elog(ERROR, "could not encode a digest");
	explicit_bzero(digest, sizeof(digest));

	password = NewPassword(base64, sizeof(base64));
	explicit_bzero(base64, sizeof(base64));
	return password;
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

/* A fresh salt each time: two seals of one PIN differ. */
text *
SealPin(const text *pin)
{
	const SealKey *key = FirstSealKey();
	text	   *password = keyed_pin(key, VARDATA_ANY(pin), VARSIZE_ANY_EXHDR(pin));
	text	   *sealed = cstring_to_text(psprintf(SEALED_PREFIX "%s.%s:%s", key->id,
												  key->fingerprint,
												  text_to_cstring(NewHash(password))));

	Assert(PinIsSealed(sealed));
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
 * Compare a PIN with a stored hash; false if the stored value is not one.  This takes
 * the time of one hash, whatever was supplied: a right PIN, a wrong one, nonsense or
 * nothing.  Only a pair that the memo knows to be right takes less.
 */
bool
HashMatches(const text *stored, const text *supplied, PinMemo *memo)
{
	bool		valid = supplied != NULL && PinIsValid(supplied);
	const char *digits = valid ? VARDATA_ANY(supplied) : DUMMY_PIN;
	Size		length = valid ? VARSIZE_ANY_EXHDR(supplied) : strlen(DUMMY_PIN);
	StoredHash	parsed;
	text	   *password;
	bool		same;

	if (!parse_stored(stored, &parsed))
		return false;
	if (valid && PinMemoHas(memo, stored, supplied))
		return true;
	password = parsed.key[0] == '\0' ? NewPassword(digits, length) :
		keyed_pin(FindSealKey(parsed.key), digits, length);
	same = IsHashOf(parsed.hash, parsed.length, password) && valid;
	if (same)
		PinMemoAdd(memo, stored, supplied);
	return same;
}

/*
 * Take as long as a comparison where none is made: as long as with what is stored or,
 * if nothing is, with a PIN that is sealed now.
 */
void
DummyHash(const text *stored)
{
	text	   *password = NewPassword(DUMMY_PIN, strlen(DUMMY_PIN));
	StoredHash	parsed;

	if (stored != NULL && parse_stored(stored, &parsed))
		(void) IsHashOf(parsed.hash, parsed.length, password);
	else
		pfree(NewHash(password));
}

/*
 * Are two stored PINs the same digits?  Two seals that differ tell nothing, so they
 * count as different.  Sealed against plain takes the time of one hash.
 */
bool
SameDigits(const text *a, const text *b)
{
	bool		a_hashed = is_hashed(a);
	bool		b_hashed = is_hashed(b);

	if (a_hashed != b_hashed)
		return a_hashed ? HashMatches(a, b, NULL) : HashMatches(b, a, NULL);
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		timingsafe_bcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
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
	PG_RETURN_TEXT_P(SealPin(PG_GETARG_TEXT_PP(0)));
}

/*
 * port_pin_is_sealed(stored text) returns boolean
 *
 * Looks at the form alone: a dump is restored without the key.
 */
Datum
port_pin_is_sealed(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(PinIsSealed(PG_GETARG_TEXT_PP(0)));
}

/*
 * port_pin_sealed_with(stored text) returns text
 *
 * The key that sealed a PIN, as id.fingerprint; NULL for what is not sealed.  Group
 * the rows of a table by it to see which keys are still needed.
 */
Datum
port_pin_sealed_with(PG_FUNCTION_ARGS)
{
	char	   *key = KeyOfSealedPin(PG_GETARG_TEXT_PP(0));

	if (key == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(key));
}
