/*
 * bench.c
 *		What the bench needs in C: a clock that counts what this backend alone
 *		spends, and the least that a check or a trigger in C can cost.
 */
#include "postgres.h"

#include <time.h>

#include "commands/trigger.h"
#include "fmgr.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(cpu);
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
