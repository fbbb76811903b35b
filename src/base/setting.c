/*
 * setting.c
 *		Settings that hold for a while.
 */
#include "postgres.h"

#include "base/setting.h"

/* For settings that every role may change. */
void
SetForNow(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
}
