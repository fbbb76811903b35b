/*
 * account_search.h
 *		The key of an account that is named in any spelling.
 */
#ifndef PORTPIN_ACCOUNT_SEARCH_H
#define PORTPIN_ACCOUNT_SEARCH_H

#include "nodes/pg_list.h"
#include "utils/rel.h"

#include "table/account_key.h"

extern AccountKey FindAccountKey(Relation accounts, List *key);

#endif							/* PORTPIN_ACCOUNT_SEARCH_H */
