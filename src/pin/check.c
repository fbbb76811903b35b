/*
 * check.c
 *		A supplied PIN against a stored one: the verdict, and its words.
 *
 * The comparison takes the same time wherever two PINs differ, and however long they
 * are; against a hash it takes the time of one hash, whatever was supplied (seal.c).
 * A stored value that is neither a valid PIN nor the hash of one matches nothing, not
 * even itself: it gets port orders refused, and never lets one in.
 */
#include "postgres.h"

#include "pin/check.h"

#include "catalog/pg_enum.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/error.h"
#include "pin/pin.h"
#include "pin/seal.h"

PG_FUNCTION_INFO_V1(port_pin_check);

/*
 * What each verdict is called and how a refusal by it reads.  The messages are fixed:
 * relation names would be those of shards or partitions, and no message may show a
 * PIN.
 */
static const struct
{
	const char *label;
	int			sqlstate;
	const char *message;
	const char *hint;
}			verdicts[] =

{
	[PORT_ACCEPTED] = {
		"accepted", ERRCODE_SUCCESSFUL_COMPLETION, NULL, NULL
	},
	[PORT_SOURCE_LOCKED_OUT] = {
		"source_locked_out", ERRCODE_PORT_SOURCE_LOCKED_OUT,
		"port order refused: its source has given wrong port PINs for too many accounts",
		"Wait until the lock-out ends, or have it lifted: port_pin_lockouts shows it."
	},
	[PORT_ACCOUNT_UNKNOWN] = {
		"account_unknown", ERRCODE_PORT_ACCOUNT_UNKNOWN,
		"port order refused: it belongs to no known account",
		"Give every column of the order's key to its account, and create the account before the order."
	},
	[PORT_LOCKED] = {
		"port_locked", ERRCODE_PORT_LOCKED,
		"port order refused: its number or account is locked against porting",
		"The account holder must have the lock removed first."
	},
	[PORT_TOO_MANY_ATTEMPTS] = {
		"too_many_attempts", ERRCODE_PORT_TOO_MANY_ATTEMPTS,
		"port order refused: too many wrong port PINs for its account",
		"Wait until the lock-out ends, or have it lifted: port_pin_lockouts shows it."
	},
	[PORT_PIN_NOT_SET] = {
		"pin_not_set", ERRCODE_PORT_PIN_NOT_SET,
		"port order refused: its account has no port PIN",
		"The account holder must set a port PIN first: without one no number can be ported."
	},
	[PORT_PIN_REQUIRED] = {
		"pin_required", ERRCODE_PORT_PIN_REQUIRED,
		"port order refused: it carries no port PIN",
		"Submit the order again with the account's port PIN."
	},
	[PORT_PIN_EXPIRED] = {
		"pin_expired", ERRCODE_PORT_PIN_EXPIRED,
		"port order refused: the account's port PIN has expired",
		"The account holder must set a new port PIN."
	},
	[PORT_PIN_USED] = {
		"pin_used", ERRCODE_PORT_PIN_USED,
		"port order refused: the account's port PIN has been used",
		"The account holder must set a new port PIN: each is good for one port."
	},
	[PORT_PIN_TOO_NEW] = {
		"pin_too_new", ERRCODE_PORT_PIN_TOO_NEW,
		"port order refused: the account's port PIN is too new",
		"Submit the order again when the port PIN is old enough."
	},
	[PORT_PIN_MISMATCH] = {
		"pin_mismatch", ERRCODE_PORT_PIN_MISMATCH,
		"port order refused: its port PIN is wrong",
		"Submit the order again with the account's port PIN."
	}
};

int
VerdictSqlstate(PortVerdict verdict)
{
	return verdicts[verdict].sqlstate;
}

const char *
VerdictMessage(PortVerdict verdict)
{
	return verdicts[verdict].message;
}

const char *
VerdictHint(PortVerdict verdict)
{
	return verdicts[verdict].hint;
}

/*
 * A PIN as two words.  It does no harm that they hold some digits twice (of a PIN of
 * six, the third to the sixth).
 */
typedef struct PinWords
{
	uint64		ends;			/* the first four digits and the last four */
	uint64		rest;			/* the fifth and the sixth, and the length */
} PinWords;

/* Set bits where a byte of the word is not a digit, 0x30 to 0x39. */
static inline uint64
other_than_digits(uint64 word)
{
	const uint64 high = UINT64CONST(0xF0F0F0F0F0F0F0F0);
	const uint64 zeros = UINT64CONST(0x3030303030303030);

	return ((word & high) ^ zeros) |
		(((word + UINT64CONST(0x0606060606060606)) & high) ^ zeros);
}

/*
 * Read a PIN; false if it is not one.  No branch or loop depends on its digits or on
 * how many there are, so the time tells nothing of either; and no copy of the PIN
 * stays in memory.
 */
static inline bool
read_pin(const text *pin, PinWords *words)
{
	const char *digits = VARDATA_ANY(pin);
	Size		length = VARSIZE_ANY_EXHDR(pin);
	uint32		first;
	uint32		last;
	uint16		middle;

	if (length < PORT_PIN_MIN_DIGITS || length > PORT_PIN_MAX_DIGITS)
		return false;
	memcpy(&first, digits, sizeof(first));
	memcpy(&middle, digits + sizeof(first), sizeof(middle));
	memcpy(&last, digits + length - sizeof(last), sizeof(last));
	words->ends = (uint64) first << 32 | last;
	words->rest = (uint64) length << 16 | middle;

	return (other_than_digits(words->ends) |
			other_than_digits(middle | UINT64CONST(0x3030303030300000))) == 0;
}

StaticAssertDecl(PORT_PIN_MIN_DIGITS == 6 && PORT_PIN_MAX_DIGITS == 10,
				 "the words of a PIN hold 6 to 10 digits");

/* The memo belongs to a statement in which PINs repeat, or is NULL. */
PortVerdict
CheckPin(const text *stored, const text *supplied, PinMemo *memo)
{
	PinWords	set;
	PinWords	given;
	bool		same = false;

	if (stored != NULL && read_pin(stored, &set))
		same = supplied != NULL && read_pin(supplied, &given) &&
			((set.ends ^ given.ends) | (set.rest ^ given.rest)) == 0;
	else if (PinIsBlank(stored))
		return PORT_PIN_NOT_SET;
	else
		same = HashMatches(stored, supplied, memo);

	if (same)
		return PORT_ACCEPTED;
	return PinIsBlank(supplied) ? PORT_PIN_REQUIRED : PORT_PIN_MISMATCH;
}

/* A verdict as a value of the SQL type. */
Oid
VerdictValue(Oid type, PortVerdict verdict)
{
	Oid			value;

	value = GetSysCacheOid2(ENUMTYPOIDNAME, Anum_pg_enum_oid,
							ObjectIdGetDatum(type),
							CStringGetDatum(verdicts[verdict].label));
	if (!OidIsValid(value))
		elog(ERROR, "type %u has no label \"%s\"", type, verdicts[verdict].label);
	return value;
}

/*
 * port_pin_check(stored text, supplied text) returns port_pin_verdict
 *
 * NULL, '' and blanks are blank on either side.  A role that can call this can guess,
 * so EXECUTE is not granted to PUBLIC.
 */
Datum
port_pin_check(PG_FUNCTION_ARGS)
{
	text	   *stored = PinFromDatum(PG_GETARG_DATUM(0), PG_ARGISNULL(0));
	text	   *supplied = PinFromDatum(PG_GETARG_DATUM(1), PG_ARGISNULL(1));
	PortVerdict verdict = CheckPin(stored, supplied, NULL);

	PinFreeIfCopy(stored, PG_GETARG_DATUM(0));
	PinFreeIfCopy(supplied, PG_GETARG_DATUM(1));

	PG_RETURN_OID(VerdictValue(get_func_rettype(fcinfo->flinfo->fn_oid), verdict));
}
