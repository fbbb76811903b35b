/*
 * catalog.h
 *		Where portpin's own types, functions and tables are, and whether the
 *		catalogs have changed.
 *
 * Everything in portpin is in one schema.  A caller passes any function of portpin, or
 * the domain port_pin, and needs no search_path.
 */
#ifndef PORTPIN_CATALOG_H
#define PORTPIN_CATALOG_H

extern void WatchCatalogs(void);
extern uint64 CatalogGeneration(void);

extern Oid	PortPinDomain(Oid function);
extern Oid	PortPinType(const char *name, Oid domain);
extern Oid	PortPinTrigger(const char *function, Oid domain);
extern Oid	PortPinCheck(const char *function, Oid domain);
extern Oid	PortPinTable(const char *name, Oid domain);
extern char *QualifiedName(const char *name, Oid domain);

#endif							/* PORTPIN_CATALOG_H */
