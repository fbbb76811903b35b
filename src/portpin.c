/*
 * portpin.c
 *		The module: its magic block, its settings, and the count of catalog changes.
 *
 * Guards find their columns and foreign keys in the catalogs once, not for each
 * row or statement.  What they found holds for one generation of the catalogs: any
 * change of a relation, and of what else they ask for, starts the next.
 */
#include "portpin.h"

#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/syscache.h"

PORTPIN_MODULE_MAGIC;

void		_PG_init(void);

/*
 * What guards ask for beside relations, their columns and triggers: roles and whose
 * rights they have; types, operators, casts and functions; constraints.
 */
static const SysCacheIdentifier asked_for[] = {
	AUTHOID, AUTHMEMMEMROLE, DATABASEOID,
	TYPEOID, OPEROID, CASTSOURCETARGET, PROCOID,
	CONSTROID
};

/* Only ever counted up, by the callbacks below, so it never goes stale itself. */
static uint64 catalog_generation = 1;

static void
relation_changed(Datum arg pg_attribute_unused(), Oid relid pg_attribute_unused())
{
	catalog_generation++;
}

static void
catalog_changed(Datum arg pg_attribute_unused(),
				SysCacheIdentifier cacheid pg_attribute_unused(),
				uint32 hashvalue pg_attribute_unused())
{
	catalog_generation++;
}

/* Changes are noticed when a lock is taken: call this after opening relations. */
uint64
CatalogGeneration(void)
{
	return catalog_generation;
}

void
_PG_init(void)
{
	DefineKeyFileSetting();
	DefineSealSetting();
	DefineFailureSettings();
	MarkGUCPrefixReserved("portpin");

	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	for (int i = 0; i < (int) lengthof(asked_for); i++)
		CacheRegisterSyscacheCallback(asked_for[i], catalog_changed, (Datum) 0);
}
