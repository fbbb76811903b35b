/*
 * weak.c
 *		Which PINs guessers try first.
 *
 * People choose from few PINs: dates above all, then repeated digits and patterns on
 * the keypad.  Forbidding a short list of them hardly slows a guesser down; that takes
 * a ban on about a tenth of the space.  A PIN is weak by one of these rules:
 *
 *	rule		the PIN											such as			of 6 digits
 *	run			continues by the same step, 0 following 9		123456 246802	    100
 *	repeat		repeats one block, the last time perhaps
 *				cut short										123123 121212	  1,090
 *	pairs		has each digit twice, but for a last one		112233 447700	  1,000
 *	mirror		reads the same backwards						123321 471174	  1,000
 *	two digits	has at most two different digits				100000 112122	  2,800
 *	weave		is two interleaved runs; each goes up or
 *				down by one, or stays							102030 142536	    900
 *	lines		is rows, columns and diagonals of a keypad,
 *				three keys each; digits that are left over
 *				(of 7, 8 or 10) may be any						789456 159753	    324
 *	walk		goes over a keypad: each key is the one before,
 *				or beside, above or below it					147896 225566	  7,990
 *	date		is a date, or a month with its year				311285 198512	 86,344
 *
 *	any of them: 98,557 PINs of 6 digits (9.86 %), 379,290 of 8 (0.38 %)
 *
 * Of PINs of 8 digits a smaller share is weak, since fewer of them are dates; but
 * people who choose 8 digits choose dates all the same.
 */
#include "postgres.h"

#include "pin/weak.h"

/* Where a key is on the keypad of a phone: 1 to 9 in rows of three, 0 below the 8. */
static int
key_row(char digit)
{
	return digit == '0' ? 3 : (digit - '1') / 3;
}

static int
key_column(char digit)
{
	return digit == '0' ? 1 : (digit - '1') % 3;
}

/* The step from one digit to the next, 0 following 9. */
static int
step(char from, char to)
{
	return (to - from + 10) % 10;
}

static bool
is_run(const char *digits, int length)
{
	for (int i = 2; i < length; i++)
	{
		if (step(digits[i - 1], digits[i]) != step(digits[0], digits[1]))
			return false;
	}
	return true;
}

static bool
repeats_block(const char *digits, int length, int block)
{
	for (int i = block; i < length; i++)
	{
		if (digits[i] != digits[i - block])
			return false;
	}
	return true;
}

static bool
is_repeat(const char *digits, int length)
{
	for (int block = 1; block <= length / 2; block++)
	{
		if (repeats_block(digits, length, block))
			return true;
	}
	return false;
}

static bool
is_pairs(const char *digits, int length)
{
	for (int i = 1; i < length; i += 2)
	{
		if (digits[i] != digits[i - 1])
			return false;
	}
	return true;
}

static bool
is_mirror(const char *digits, int length)
{
	for (int i = 0; i < length / 2; i++)
	{
		if (digits[i] != digits[length - 1 - i])
			return false;
	}
	return true;
}

static bool
is_two_digits(const char *digits, int length)
{
	char		other = digits[0];

	for (int i = 1; i < length; i++)
	{
		if (other == digits[0])
			other = digits[i];
		if (digits[i] != digits[0] && digits[i] != other)
			return false;
	}
	return true;
}

static bool
is_weave(const char *digits, int length)
{
	for (int i = 2; i < length; i++)
	{
		int			first = step(digits[i % 2], digits[i % 2 + 2]);

		if ((first != 0 && first != 1 && first != 9) ||
			step(digits[i - 2], digits[i]) != first)
			return false;
	}
	return true;
}

/* Three keys in a line, in either direction. */
static bool
is_line(const char *keys)
{
	int			rows = key_row(keys[1]) - key_row(keys[0]);
	int			columns = key_column(keys[1]) - key_column(keys[0]);

	return (rows != 0 || columns != 0) &&
		key_row(keys[2]) - key_row(keys[1]) == rows &&
		key_column(keys[2]) - key_column(keys[1]) == columns;
}

static bool
is_lines(const char *digits, int length)
{
	for (int i = 0; i + 3 <= length; i += 3)
	{
		if (!is_line(digits + i))
			return false;
	}
	return true;
}

static bool
is_walk(const char *digits, int length)
{
	for (int i = 1; i < length; i++)
	{
		if (abs(key_row(digits[i]) - key_row(digits[i - 1])) +
			abs(key_column(digits[i]) - key_column(digits[i - 1])) > 1)
			return false;
	}
	return true;
}

/* The ways to write a date, or a month with its year; a year is 1900 to 2099. */
static const char *const date_layouts[] =
{
	"DDMMYY", "MMDDYY", "YYMMDD", "MMYYYY", "YYYYMM",
	"DMMYYYY", "MDDYYYY",
	"DDMMYYYY", "MMDDYYYY", "YYYYMMDD"
};

static bool
is_date_as(const char *digits, const char *layout)
{
	static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int			day = 0;
	int			month = 0;
	int			year = 0;

	for (int i = 0; layout[i] != '\0'; i++)
	{
		int		   *part = layout[i] == 'D' ? &day : layout[i] == 'M' ? &month : &year;

		*part = *part * 10 + digits[i] - '0';
	}
	if (month < 1 || month > 12)
		return false;
	if (strchr(layout, 'D') != NULL && (day < 1 || day > days[month - 1]))
		return false;
	return strstr(layout, "YYYY") == NULL || (year >= 1900 && year <= 2099);
}

static bool
is_date(const char *digits, int length)
{
	for (Size i = 0; i < lengthof(date_layouts); i++)
	{
		if (strlen(date_layouts[i]) == (Size) length &&
			is_date_as(digits, date_layouts[i]))
			return true;
	}
	return false;
}

/* For 6 to 10 digits, and nothing else. */
bool
DigitsAreWeak(const char *digits, int length)
{
	static bool (*const rules[]) (const char *, int) = {
		is_run, is_repeat, is_pairs, is_mirror, is_two_digits,
		is_weave, is_lines, is_walk, is_date
	};

	for (Size i = 0; i < lengthof(rules); i++)
	{
		if (rules[i] (digits, length))
			return true;
	}
	return false;
}
