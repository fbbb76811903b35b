/*
 * hash.c
 *		Slow hashes of passwords: bcrypt by pgcrypto, or PBKDF2 by PostgreSQL itself.
 *
 * A hash says how it was made:
 *
 *	$2a$<cost>$<salt and hash>								bcrypt
 *	$pbkdf2-sha256$<iterations>$<salt>$<hash>				PBKDF2-HMAC-SHA-256
 *
 * The settings choose how new ones are made; each is compared as it was made.  bcrypt
 * is the harder one to compute in bulk, so it is the default.  Servers that allow
 * approved algorithms only (FIPS) refuse it, but have PBKDF2.
 *
 * Each step in cost doubles the time of either: the cost is bcrypt's own, and PBKDF2
 * iterates 64 * 2^cost times, which takes about as long.
 *
 * A password can be a PIN.  So each function wipes the one that it is given, whatever
 * happens, and no error shows the statement or the context.  pgcrypto makes a copy of
 * its own, which it frees but does not wipe: for a sealed PIN that is the HMAC, for a
 * bare hash the digits.
 */
#include "postgres.h"

#include "pin/hash.h"

#include "common/base64.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "base/compat.h"
#include "base/error.h"
#include "pin/crypto.h"
#include "pin/pin.h"

/*
 * Nobody waits for what costs more, and a hash may not be interruptible.  So a stored
 * value of a higher cost does not count as a hash.
 */
#define MIN_COST 4
#define MAX_COST 15

/* $2a$06$, 22 characters of salt and 31 of hash. */
#define BCRYPT_LENGTH 60
#define BCRYPT_PREFIX_LENGTH 7

/* Salt and hash in base64, with its padding. */
#define PBKDF2_PREFIX "$pbkdf2-sha256$"
#define PBKDF2_PREFIX_LENGTH (sizeof(PBKDF2_PREFIX) - 1)
#define PBKDF2_ITERATIONS(cost) (64 << (cost))
#define PBKDF2_MAX_DIGITS 7
#define PBKDF2_SALT_BYTES 16
#define PBKDF2_SALT_LENGTH 24
#define PBKDF2_HASH_LENGTH 44

StaticAssertDecl(HASH_MAX_LENGTH == PBKDF2_PREFIX_LENGTH + PBKDF2_MAX_DIGITS + 1 +
				 PBKDF2_SALT_LENGTH + 1 + PBKDF2_HASH_LENGTH,
				 "the longest hash has another length");

/*
 * A method of hashing: make a setting (how to hash, and a fresh salt) for a new hash;
 * and hash a password by a setting, or by a hash, which begins with its setting.
 */
typedef struct HashMethod
{
	text	   *(*new_setting) (int cost);
	text	   *(*compute) (text *password, text *setting);
} HashMethod;

static int	seal_cost;


/* ----- bcrypt ----- */

bool
IsBcryptHash(const char *hash, Size length)
{
	int			cost;

	if (length != BCRYPT_LENGTH || strncmp(hash, "$2", 2) != 0 ||
		memchr("abxy", hash[2], 4) == NULL ||
		hash[3] != '$' || hash[6] != '$' ||
		hash[4] < '0' || hash[4] > '9' || hash[5] < '0' || hash[5] > '9')
		return false;
	cost = (hash[4] - '0') * 10 + hash[5] - '0';
	if (cost < MIN_COST || cost > MAX_COST)
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
 * A function of pgcrypto, by its C symbol: no search_path, and no question of
 * pgcrypto's schema.
 */
static PGFunction
pgcrypto_function(const char *symbol)
{
	return (PGFunction) load_external_function("$libdir/pgcrypto", symbol, true, NULL);
}

static text *
new_bcrypt_setting(int cost)
{
	return DatumGetTextPP(DirectFunctionCall2(pgcrypto_function("pg_gen_salt_rounds"),
											  PointerGetDatum(cstring_to_text("bf")),
											  Int32GetDatum(cost)));
}

/*
 * The letter in $2a$ tells of old mistakes with characters that are not ASCII.  Digits
 * are hashed alike under each letter, so the hashes of other libraries are as good as
 * those of pgcrypto, which only knows its own.
 */
static text *
compute_bcrypt(text *password, text *setting)
{
	char		letter = VARDATA_ANY(setting)[2];
	text	   *hash;

	VARDATA_ANY(setting)[2] = 'a';
	hash = DatumGetTextPP(DirectFunctionCall2(pgcrypto_function("pg_crypt"),
											  PointerGetDatum(password),
											  PointerGetDatum(setting)));
	VARDATA_ANY(hash)[2] = letter;
	return hash;
}


/* ----- PBKDF2 ----- */

/*
 * Read the start of a hash: its iterations and salt.  Returns the length of that,
 * including the $ before the hash itself; 0 if it is anything else.
 */
static Size
parse_pbkdf2(const char *hash, Size length, int *iterations, uint8 *salt)
{
	Size		i = PBKDF2_PREFIX_LENGTH;
	Size		digits;

	if (length <= i || memcmp(hash, PBKDF2_PREFIX, i) != 0 || hash[i] == '0')
		return 0;
	*iterations = 0;
	for (digits = 0; i < length && hash[i] >= '0' && hash[i] <= '9'; i++)
	{
		if (++digits > PBKDF2_MAX_DIGITS)
			return 0;
		*iterations = *iterations * 10 + hash[i] - '0';
	}
	if (*iterations < PBKDF2_ITERATIONS(MIN_COST) ||
		*iterations > PBKDF2_ITERATIONS(MAX_COST))
		return 0;

	if (length - i < 1 + PBKDF2_SALT_LENGTH + 1 || hash[i] != '$' ||
		pg_b64_decode(hash + i + 1, PBKDF2_SALT_LENGTH,
					  (void *) salt, PBKDF2_SALT_BYTES) != PBKDF2_SALT_BYTES ||
		hash[i + 1 + PBKDF2_SALT_LENGTH] != '$')
		return 0;
	return i + 1 + PBKDF2_SALT_LENGTH + 1;
}

static bool
is_pbkdf2_hash(const char *hash, Size length)
{
	int			iterations;
	uint8		salt[PBKDF2_SALT_BYTES];
	uint8		bytes[HMAC_BYTES];
	Size		setting = parse_pbkdf2(hash, length, &iterations, salt);

	return setting > 0 && length - setting == PBKDF2_HASH_LENGTH &&
		pg_b64_decode(hash + setting, PBKDF2_HASH_LENGTH,
					  (void *) bytes, HMAC_BYTES) == HMAC_BYTES;
}

static void
append_base64(StringInfo string, const uint8 *bytes, int nbytes)
{
	int			size = pg_b64_enc_len(nbytes);

	enlargeStringInfo(string, size);
	string->len += pg_b64_encode((const void *) bytes, nbytes,
								 string->data + string->len, size);
	string->data[string->len] = '\0';
}

static text *
new_pbkdf2_setting(int cost)
{
	uint8		salt[PBKDF2_SALT_BYTES];
	StringInfoData setting;

	DrawRandomBytes(salt, sizeof(salt));
	initStringInfo(&setting);
	appendStringInfo(&setting, PBKDF2_PREFIX "%d$", PBKDF2_ITERATIONS(cost));
	append_base64(&setting, salt, sizeof(salt));
	appendStringInfoChar(&setting, '$');
	return cstring_to_text_with_len(setting.data, setting.len);
}

static text *
compute_pbkdf2(text *password, text *setting)
{
	const char *start = VARDATA_ANY(setting);
	uint8		salt[PBKDF2_SALT_BYTES];
	uint8		bytes[HMAC_BYTES];
	int			iterations;
	Size		length = parse_pbkdf2(start, VARSIZE_ANY_EXHDR(setting), &iterations, salt);
	StringInfoData hash;

	if (!pbkdf2_hmac_sha256(VARDATA_ANY(password), salt, sizeof(salt), iterations, bytes))
		ereport(ERROR,
				errcode(ERRCODE_INTERNAL_ERROR),
				errmsg("could not compute PBKDF2"),
				errhint("The server's cryptographic library refused HMAC-SHA-256."));
	initStringInfo(&hash);
	appendBinaryStringInfo(&hash, start, length);
	append_base64(&hash, bytes, sizeof(bytes));
	return cstring_to_text_with_len(hash.data, hash.len);
}


/* ----- Either ----- */

enum
{
	METHOD_BCRYPT,
	METHOD_PBKDF2
};

static const HashMethod methods[] =
{
	[METHOD_BCRYPT] = {new_bcrypt_setting, compute_bcrypt},
	[METHOD_PBKDF2] = {new_pbkdf2_setting, compute_pbkdf2}
};

static const struct config_enum_entry method_names[] =
{
	{"bcrypt", METHOD_BCRYPT, false},
	{"pbkdf2", METHOD_PBKDF2, false},
	{NULL, 0, false}
};

static int	seal_method;

void
DefineHashSettings(void)
{
	DefineCustomEnumVariable("portpin.seal_method",
							 "Hash of PINs that are sealed from now on.",
							 "bcrypt needs pgcrypto; pbkdf2 (PBKDF2-HMAC-SHA-256) is for servers that refuse bcrypt, as in FIPS mode.",
							 &seal_method, METHOD_BCRYPT, method_names, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("portpin.seal_cost",
							"Cost of the hash of PINs that are sealed from now on.",
							"One more doubles the time of each seal and each check. PBKDF2 iterates 64 * 2^cost times.",
							&seal_cost, 6, MIN_COST, MAX_COST, PGC_SUSET, 0, NULL, NULL, NULL);
}

static const HashMethod *
method_of(const char *hash, Size length)
{
	if (IsBcryptHash(hash, length))
		return &methods[METHOD_BCRYPT];
	if (is_pbkdf2_hash(hash, length))
		return &methods[METHOD_PBKDF2];
	return NULL;
}

bool
IsHash(const char *hash, Size length)
{
	return method_of(hash, length) != NULL;
}

/* A NUL follows, beyond its length: one method takes a text, the other a string. */
text *
NewPassword(const char *bytes, Size length)
{
	text	   *password = palloc(VARHDRSZ + length + 1);

	SET_VARSIZE(password, VARHDRSZ + length);
	memcpy(VARDATA(password), bytes, length);
	VARDATA(password)[length] = '\0';
	return password;
}

/*
 * Hash a password by a setting, a fresh one if it is NULL.  An error is passed on
 * as it is, but without the context and the statement, which can show a PIN.
 */
static text *
compute_hash(const HashMethod *method, text *password, text *setting)
{
	ErrorContextCallback *context = error_context_stack;
	MemoryContext caller = CurrentMemoryContext;
	text	   *hash = NULL;

	error_context_stack = NULL;
	PG_TRY();
	{
		hash = method->compute(password, setting != NULL ? setting :
							   method->new_setting(seal_cost));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		WipePin(password);
		error = CopyErrorData();
		FlushErrorState();
		error->hide_stmt = true;
		if (method == &methods[METHOD_BCRYPT] && error->hint == NULL &&
			error->sqlerrcode == ERRCODE_INTERNAL_ERROR)
			error->hint = "Where pgcrypto may not use bcrypt, set portpin.seal_method = pbkdf2; port PINs that are sealed with bcrypt must be set again.";
		ReThrowError(error);
	}
	PG_END_TRY();
	error_context_stack = context;

	WipePin(password);
	return hash;
}

text *
NewHash(text *password)
{
	return compute_hash(&methods[seal_method], password, NULL);
}

/* Compare a password with a hash, in the time of one hash of that method and cost. */
bool
IsHashOf(const char *hash, Size length, text *password)
{
	text	   *stored = cstring_to_text_with_len(hash, length);
	text	   *computed = compute_hash(method_of(hash, length), password, stored);
	bool		same = VARSIZE_ANY_EXHDR(computed) == length &&
	timingsafe_bcmp(VARDATA_ANY(computed), hash, length) == 0;

	WipePin(computed);
	pfree(stored);
	return same;
}
