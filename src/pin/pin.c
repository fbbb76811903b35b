/*
 * pin.c
 *		What a port PIN is: 6 to 10 ASCII digits, kept as text.
 *
 * Leading zeros count, so a PIN is never a number.  Nothing is trimmed, cut or
 * converted, and only the bytes '0' to '9' are digits: isdigit() and \d depend on
 * the locale.  Blank (NULL, or in legacy text columns '' and blanks) is no PIN.
 *
 * The rule is Microsoft's, "Set your PIN for transferring numbers to a new
 * service provider": 6-10 digits, no letters or special characters, blank by
 * default.
 */
#include "postgres.h"

#include "pin/pin.h"

#include "access/detoast.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "base/compat.h"
#include "base/error.h"
#include "pin/crypto.h"
#include "pin/weak.h"

/* Bytes drawn from 0 to 249 give each digit the same chance. */
#define DIGIT_DRAW_LIMIT 250

/* Fewer digits of another column than this may be in a PIN by chance. */
#define LIKE_MIN_DIGITS 4

PG_FUNCTION_INFO_V1(port_pin_problem);
PG_FUNCTION_INFO_V1(port_pin_is_valid);
PG_FUNCTION_INFO_V1(port_pin_check_format);
PG_FUNCTION_INFO_V1(port_pin_is_weak);
PG_FUNCTION_INFO_V1(port_pin_generate);

static inline bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The white space of ASCII, which legacy applications store for "no PIN". */
static inline bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
all_digits(const char *bytes, Size length)
{
	for (Size i = 0; i < length; i++)
	{
		if (!is_digit(bytes[i]))
			return false;
	}
	return true;
}

/* Guards count '' and blanks as blank: in legacy text columns they mean no PIN. */
bool
PinIsBlank(const text *pin)
{
	const char *bytes;
	Size		length;

	if (pin == NULL)
		return true;
	bytes = VARDATA_ANY(pin);
	length = VARSIZE_ANY_EXHDR(pin);
	for (Size i = 0; i < length; i++)
	{
		if (!is_blank(bytes[i]))
			return false;
	}
	return true;
}

bool
PinIsValid(const text *pin)
{
	Size		length = VARSIZE_ANY_EXHDR(pin);

	return length >= PORT_PIN_MIN_DIGITS && length <= PORT_PIN_MAX_DIGITS &&
		all_digits(VARDATA_ANY(pin), length);
}

/*
 * A PIN in place, valid for as long as its row is, so that there is no copy to wipe.
 * A value that is compressed or stored out of line has to be copied, and PinFreeIfCopy
 * frees the copy: a seal can be stored so, but a PIN is too short for that.
 */
text *
PinFromDatum(Datum value, bool isnull)
{
	return isnull ? NULL : DatumGetTextPP(value);
}

void
PinFreeIfCopy(text *pin, Datum value)
{
	if (pin != NULL && PointerGetDatum(pin) != value)
		WipePin(pin);
}

void
WipePin(text *pin)
{
	explicit_bzero(pin, VARSIZE_ANY(pin));
	pfree(pin);
}

/*
 * Do the digits of a value, such as a phone number, contain the PIN?  Or does the PIN
 * contain them, if there are four or more?  The PIN is a valid one.
 */
bool
PinIsLike(const text *pin, const char *value)
{
	char	   *digits = palloc(strlen(value) + 1);
	char	   *pin_digits = text_to_cstring(pin);
	int			count = 0;
	bool		like;

	for (; *value != '\0'; value++)
	{
		if (is_digit(*value))
			digits[count++] = *value;
	}
	digits[count] = '\0';
	like = strstr(digits, pin_digits) != NULL ||
		(count >= LIKE_MIN_DIGITS && strstr(pin_digits, digits) != NULL);

	explicit_bzero(pin_digits, strlen(pin_digits));
	pfree(pin_digits);
	pfree(digits);
	return like;
}

/* The header tells how long a value is: it need not be fetched. */
static Size
stored_length(Datum value)
{
	const text *stored = (const text *) DatumGetPointer(value);

	if (VARATT_IS_EXTERNAL(stored) || VARATT_IS_COMPRESSED(stored))
		return toast_raw_datum_size(value) - VARHDRSZ;
	return VARSIZE_ANY_EXHDR(stored);
}

/*
 * port_pin_problem(text) returns text
 *
 * NULL where the value is a valid PIN, else what keeps it from being one.  The answer
 * does not depend on how the value is stored: ten characters have at most forty bytes
 * in any encoding, so a longer value is too long and need not be read.
 */
Datum
port_pin_problem(PG_FUNCTION_ARGS)
{
	const char *problem = NULL;
	text	   *value;
	Size		length;

	if (PG_ARGISNULL(0))
		PG_RETURN_TEXT_P(cstring_to_text("blank"));

	length = stored_length(PG_GETARG_DATUM(0));
	if (length > PORT_PIN_MAX_DIGITS * MAX_MULTIBYTE_CHAR_LEN)
		PG_RETURN_TEXT_P(cstring_to_text("too long"));

	value = PG_GETARG_TEXT_PP(0);
	if (PinIsBlank(value))
		problem = "blank";
	else if (!all_digits(VARDATA_ANY(value), length))
		problem = "not digits";
	else if (length < PORT_PIN_MIN_DIGITS)
		problem = "too short";
	else if (length > PORT_PIN_MAX_DIGITS)
		problem = "too long";

	if (problem == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(problem));
}

/*
 * port_pin_is_valid(text) returns boolean
 *
 * The CHECK of the domain: it answers and never raises an error, so that soft input
 * errors stay soft; and it fetches no toasted value, since none can be a PIN.
 */
Datum
port_pin_is_valid(PG_FUNCTION_ARGS)
{
	Size		length = stored_length(PG_GETARG_DATUM(0));
	text	   *value;

	if (length < PORT_PIN_MIN_DIGITS || length > PORT_PIN_MAX_DIGITS)
		PG_RETURN_BOOL(false);

	value = PG_GETARG_TEXT_PP(0);
	PG_RETURN_BOOL(all_digits(VARDATA_ANY(value), length));
}

/*
 * port_pin_check_format(text) returns boolean
 *
 * For a CHECK on a legacy column: true for a valid PIN and for blank ones, and an
 * error for the rest.  If it were false, the error would be core's, which prints the
 * whole row.
 */
Datum
port_pin_check_format(PG_FUNCTION_ARGS)
{
	const text *pin = PG_GETARG_TEXT_PP(0);

	if (!PinIsBlank(pin) && !PinIsValid(pin))
		ereport_without_context(errcode(ERRCODE_CHECK_VIOLATION),
								errmsg("a port PIN has %d to %d digits, or is blank",
									   PORT_PIN_MIN_DIGITS, PORT_PIN_MAX_DIGITS),
								errhint("port_pin_problem() tells what is wrong with a value."));
	PG_RETURN_BOOL(true);
}

/*
 * port_pin_is_weak(text) returns boolean
 *
 * True for a PIN that guessers try first (weak.c).  The rules of the industry do not
 * forbid such PINs, so portpin does only on request.  A value that is not a PIN at all
 * is not weak.
 */
Datum
port_pin_is_weak(PG_FUNCTION_ARGS)
{
	Size		length = stored_length(PG_GETARG_DATUM(0));
	text	   *pin;

	if (length < PORT_PIN_MIN_DIGITS || length > PORT_PIN_MAX_DIGITS)
		PG_RETURN_BOOL(false);

	pin = PG_GETARG_TEXT_PP(0);
	PG_RETURN_BOOL(all_digits(VARDATA_ANY(pin), length) &&
				   DigitsAreWeak(VARDATA_ANY(pin), (int) length));
}

/* Draw one digit, each as likely as the others. */
static char
draw_digit(void)
{
	uint8		byte;

	do
		DrawRandomBytes(&byte, sizeof(byte));
	while (byte >= DIGIT_DRAW_LIMIT);

	return (char) ('0' + byte % 10);
}

/*
 * port_pin_generate(digits integer) returns port_pin
 *
 * A PIN drawn evenly from all that are not weak; leading zeros are as likely as
 * any other digit.
 */
Datum
port_pin_generate(PG_FUNCTION_ARGS)
{
	int			length = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT32(0);
	text	   *pin;
	char	   *digits;

	if (length < PORT_PIN_MIN_DIGITS || length > PORT_PIN_MAX_DIGITS)
		ereport(ERROR,
				errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				errmsg("a port PIN has %d to %d digits",
					   PORT_PIN_MIN_DIGITS, PORT_PIN_MAX_DIGITS),
				errhint("Ask for a number of digits in that range."));

	pin = (text *) palloc(VARHDRSZ + length);
	SET_VARSIZE(pin, VARHDRSZ + length);
	digits = VARDATA(pin);
	do
	{
		for (int i = 0; i < length; i++)
			digits[i] = draw_digit();
	} while (DigitsAreWeak(digits, length));

	PG_RETURN_TEXT_P(pin);
}
