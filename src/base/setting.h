/*
 * setting.h
 *		Settings that hold for a while, and values written down under them.
 *
 * The while begins with NewGUCNestLevel() and ends with AtEOXact_GUC() or with the
 * (sub)transaction, so an error ends it, too.
 */
#ifndef PORTPIN_SETTING_H
#define PORTPIN_SETTING_H

#include "utils/guc.h"

/* The search_path of all that portpin runs: no user's object shadows one of core's. */
#define PINNED_SEARCH_PATH "pg_catalog, pg_temp"

extern void SetForNow(const char *name, const char *value);
extern int	PinOutputSettings(void);
extern bool OutputIsStable(Oid type);
extern char *TextOfValue(Oid type, Datum value);

#endif							/* PORTPIN_SETTING_H */
