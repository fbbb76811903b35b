/*
 * bench.c
 *		What the bench needs in C: two clocks, the least that a check or a trigger
 *		in C can cost, and what a session is told of a failed attempt elsewhere.
 */
#include "postgres.h"

#include <time.h>

#include <valgrind/callgrind.h>

#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(cpu);
PG_FUNCTION_INFO_V1(start_count);
PG_FUNCTION_INFO_V1(write_count);
PG_FUNCTION_INFO_V1(invalidate);
PG_FUNCTION_INFO_V1(always_true);
PG_FUNCTION_INFO_V1(do_nothing);

/* Nanoseconds on a CPU.  /proc tells them too, but some milliseconds late. */
Datum
cpu(PG_FUNCTION_ARGS)
{
	struct timespec spent;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
	PG_RETURN_FLOAT8(spent.tv_sec * 1e9 + spent.tv_nsec);
}

/* Under callgrind: count instructions from here on. */
Datum
start_count(PG_FUNCTION_ARGS)
{
	CALLGRIND_ZERO_STATS;
	PG_RETURN_VOID();
}

/* Write down how many there were, and of which functions, under this name. */
Datum
write_count(PG_FUNCTION_ARGS)
{
	CALLGRIND_DUMP_STATS_AT(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_VOID();
}

/* Of a relation: that tells a session that another one has recorded a failure. */
Datum
invalidate(PG_FUNCTION_ARGS)
{
	if (PG_GETARG_BOOL(1))
		CacheInvalidateRelcacheByRelid(PG_GETARG_OID(0));
	PG_RETURN_VOID();
}

Datum
always_true(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(true);
}

Datum
do_nothing(PG_FUNCTION_ARGS)
{
	return PointerGetDatum(((TriggerData *) fcinfo->context)->tg_trigtuple);
}
