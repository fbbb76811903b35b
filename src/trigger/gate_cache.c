/*
 * gate_cache.c
 *		Gates that were found, kept for the statements that follow.
 *
 * Finding a gate in the catalogs takes several times as long as judging an order.
 * Where orders come one by one, that is most of their cost.  So what was found is
 * kept, by the OID of the gate's trigger, as ri_triggers.c does with foreign keys.
 *
 * An entry holds until one of the relations that its gate was found in changes, or
 * one of the catalogs whose changes no relation reports.  Where several foreign keys
 * could be meant, any relation counts: if another table gets a PIN, the choice must
 * be made anew.  A gate is not kept at all if something changes while it is being
 * found.
 */
#include "postgres.h"

#include "trigger/gate_cache.h"

#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/syscache.h"

#include "base/compat.h"

/* So many tables, or partitions, of orders take 2 MB.  Beyond that, start over. */
#define MAX_CACHED_GATES 1024

/* The key is the gate's first field. */
typedef struct GateCacheEntry
{
	Gate		gate;
	bool		valid;
} GateCacheEntry;

/*
 * What a gate depends on besides its relations: roles and their memberships;
 * operators and casts; the names of schemas, under which accounts are on record.
 */
static const SysCacheIdentifier asked_for[] = {
	AUTHOID, AUTHMEMMEMROLE, DATABASEOID, OPEROID, CASTSOURCETARGET, NAMESPACEOID
};

/* The callbacks below invalidate entries; NULL until a gate is first looked up. */
static HTAB *gate_cache = NULL;

/* Counted up by the callbacks whenever an entry may have become invalid. */
static uint64 generation = 1;

static bool
depends_on(const Gate *gate, Oid relid)
{
	if (!OidIsValid(relid) || gate->path.was_chosen)
		return true;
	for (int i = 0; i < gate->nrelations; i++)
	{
		if (gate->relations[i] == relid)
			return true;
	}
	return false;
}

/* InvalidOid stands for every relation. */
static void
relation_changed(Datum arg pg_attribute_unused(), Oid relid)
{
	HASH_SEQ_STATUS status;
	GateCacheEntry *entry;

	hash_seq_init(&status, gate_cache);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (entry->valid && depends_on(&entry->gate, relid))
		{
			entry->valid = false;
			generation++;
		}
	}
}

static void
catalog_changed(Datum arg pg_attribute_unused(),
				SysCacheIdentifier cacheid pg_attribute_unused(),
				uint32 hashvalue pg_attribute_unused())
{
	relation_changed((Datum) 0, InvalidOid);
}

/* The callbacks can't be unregistered, so the table stays for good, too. */
static void
create_gate_cache(void)
{
	HASHCTL		control = {
		.keysize = sizeof(Oid),
		.entrysize = sizeof(GateCacheEntry)
	};

	gate_cache = hash_create("gates of portpin", 16, &control, HASH_ELEM | HASH_BLOBS);
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	for (int i = 0; i < (int) lengthof(asked_for); i++)
		CacheRegisterSyscacheCallback(asked_for[i], catalog_changed, (Datum) 0);
}

/* A gate that was found at one generation is good for as long as that lasts. */
uint64
GateCacheGeneration(void)
{
	return generation;
}

/* The gate of a trigger, NULL if unknown.  Copy it before doing anything else. */
const Gate *
LookUpGate(Oid trigger)
{
	GateCacheEntry *entry;

	if (gate_cache == NULL)
		create_gate_cache();
	entry = hash_search(gate_cache, &trigger, HASH_FIND, NULL);
	return entry != NULL && entry->valid ? &entry->gate : NULL;
}

/* Make room.  The callbacks can't invalidate removed gates, so do that here. */
static void
remove_all(void)
{
	HASH_SEQ_STATUS status;
	GateCacheEntry *entry;

	hash_seq_init(&status, gate_cache);
	while ((entry = hash_seq_search(&status)) != NULL)
		(void) hash_search(gate_cache, &entry->gate.trigger, HASH_REMOVE, NULL);
	generation++;
}

/* Keep a gate that was found while no catalog changed. */
void
StoreGate(const Gate *gate)
{
	GateCacheEntry *entry;

	if (hash_get_num_entries(gate_cache) >= MAX_CACHED_GATES)
		remove_all();
	entry = hash_search(gate_cache, &gate->trigger, HASH_ENTER, NULL);
	entry->gate = *gate;
	entry->valid = true;
}
