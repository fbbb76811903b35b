/*
 * catalog.c
 *		Where portpin's own objects are, and whether the catalogs have changed.
 *
 * Guards find their columns and foreign keys in the catalogs once, not for each row or
 * statement.  What they find holds for one generation of the catalogs: any change to a
 * relation, or to anything else that they ask for, starts the next.
 */
#include "postgres.h"

#include "base/catalog.h"

#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/compat.h"
#include "base/error.h"

/* ----- Has a catalog changed? ----- */

/*
 * What guards ask for besides relations, their columns and triggers: roles and whose
 * rights they have; schemas, types, operators, casts and functions; constraints.
 */
static const SysCacheIdentifier asked_for[] = {
	AUTHOID, AUTHMEMMEMROLE, DATABASEOID,
	NAMESPACEOID, TYPEOID, OPEROID, CASTSOURCETARGET, PROCOID,
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

/* To be called once, when the module is loaded. */
void
WatchCatalogs(void)
{
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	for (int i = 0; i < (int) lengthof(asked_for); i++)
		CacheRegisterSyscacheCallback(asked_for[i], catalog_changed, (Datum) 0);
}


/* ----- Objects of portpin ----- */

static void
report_missing(const char *kind, const char *name)
{
	ereport_without_context(errcode(ERRCODE_UNDEFINED_OBJECT),
							errmsg("the %s %s is not in the schema of portpin", kind, name),
							errhint("Give it back its name and its schema."));
}

static Oid
type_in_schema(const char *name, Oid schema)
{
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									   CStringGetDatum(name),
									   ObjectIdGetDatum(schema));

	if (!OidIsValid(type))
		report_missing("type", name);
	return type;
}

/*
 * The domain port_pin.  Everything in portpin is in one schema, that of the calling
 * function, so no search_path is needed to find it.
 */
Oid
PortPinDomain(Oid function)
{
	return type_in_schema("port_pin", get_func_namespace(function));
}

static Oid
schema_of_domain(Oid domain)
{
	HeapTuple	type = SearchSysCache1(TYPEOID, ObjectIdGetDatum(domain));
	Oid			schema;

	if (!HeapTupleIsValid(type))
		elog(ERROR, "cache lookup failed for type %u", domain);
	schema = ((Form_pg_type) GETSTRUCT(type))->typnamespace;
	ReleaseSysCache(type);
	return schema;
}

/* Another type of portpin, which is in the schema of the domain. */
Oid
PortPinType(const char *name, Oid domain)
{
	return type_in_schema(name, schema_of_domain(domain));
}

static Oid
function_of_portpin(const char *name, const oidvector *arguments, Oid domain)
{
	Oid			function = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
										   CStringGetDatum(name),
										   PointerGetDatum(arguments),
										   ObjectIdGetDatum(schema_of_domain(domain)));

	if (!OidIsValid(function))
		report_missing("function", name);
	return function;
}

/* A trigger function of portpin, likewise. */
Oid
PortPinTrigger(const char *function, Oid domain)
{
	return function_of_portpin(function, buildoidvector(NULL, 0), domain);
}

/* A function of portpin that a CHECK calls for one column, likewise. */
Oid
PortPinCheck(const char *function, Oid domain)
{
	const Oid	argument = TEXTOID;

	return function_of_portpin(function, buildoidvector(&argument, 1), domain);
}

/* A table of portpin, likewise. */
Oid
PortPinTable(const char *name, Oid domain)
{
	Oid			table = get_relname_relid(name, schema_of_domain(domain));

	if (!OidIsValid(table))
		report_missing("table", name);
	return table;
}

/* The name of an object of portpin, qualified and quoted for SQL. */
char *
QualifiedName(const char *name, Oid domain)
{
	return quote_qualified_identifier(get_namespace_name(schema_of_domain(domain)), name);
}
