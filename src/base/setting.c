/*
 * setting.c
 *		Settings that hold for a while, and values written down under them.
 */
#include "postgres.h"

#include "base/setting.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/lsyscache.h"

/* For settings that every role may change. */
void
SetForNow(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
}

/* Settings under which a value of any type reads the same in every session. */
static const char *const output_settings[][2] = {
	{"datestyle", "ISO, YMD"},
	{"timezone", "UTC"},
	{"intervalstyle", "postgres"},
	{"extra_float_digits", "1"},
	{"bytea_output", "hex"},
	{"lc_monetary", "C"},
	{"quote_all_identifiers", "off"},
	{"search_path", PINNED_SEARCH_PATH},
};

/* Returns the nest level of settings that ends it. */
int
PinOutputSettings(void)
{
	int			nestlevel = NewGUCNestLevel();

	for (int i = 0; i < (int) lengthof(output_settings); i++)
		SetForNow(output_settings[i][0], output_settings[i][1]);
	return nestlevel;
}

/* Does a value of this type read the same under all settings? */
bool
OutputIsStable(Oid type)
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

/*
 * A value as text, the same in every session.  A limit that goes by it can't be used
 * once more by another setting.
 */
char *
TextOfValue(Oid type, Datum value)
{
	Oid			output;
	bool		varlena;
	int			nestlevel;
	char	   *written;

	getTypeOutputInfo(type, &output, &varlena);
	if (OutputIsStable(getBaseType(type)))
		return OidOutputFunctionCall(output, value);
	nestlevel = PinOutputSettings();
	written = OidOutputFunctionCall(output, value);
	AtEOXact_GUC(true, nestlevel);
	return written;
}
