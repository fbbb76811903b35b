/*
 * portpin.c
 *		The module: its magic block and what is done when it is loaded.
 */
#include "postgres.h"

#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/syscache.h"

#include "base/catalog.h"
#include "base/compat.h"
#include "failure/failure_limit.h"
#include "failure/failure_log.h"
#include "pin/hash.h"
#include "pin/key_file.h"

PORTPIN_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	DefineKeyFileSetting();
	DefineHashSettings();
	DefineFailureSettings();
	MarkGUCPrefixReserved("portpin");
	WatchCatalogs();
	WatchFailureLog();
}
