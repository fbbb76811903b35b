/*
 * compat.h
 *		All that differs between the PostgreSQL versions that portpin builds on.
 *
 * No other file tests PG_VERSION_NUM: what a version lacks or spells differently gets
 * one name here, that of the newest version.
 */
#ifndef PORTPIN_COMPAT_H
#define PORTPIN_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "portpin needs PostgreSQL 15 or later"
#endif

#include "access/genam.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_constraint.h"
#include "common/scram-common.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/acl.h"

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#ifndef pg_noreturn
#define pg_noreturn pg_attribute_noreturn()
#endif

/* Up to 15 each kind of object had a check of its own. */
#if PG_VERSION_NUM < 160000
#define object_ownercheck(classid, objectid, roleid) \
	pg_class_ownercheck(objectid, roleid)
#endif

/* Columns that are computed when read came with 18: their value is not in the row. */
#ifndef ATTRIBUTE_GENERATED_VIRTUAL
#define ATTRIBUTE_GENERATED_VIRTUAL 'v'
#endif

/* So did foreign keys that are not enforced, and those over a period of time. */
#if PG_VERSION_NUM >= 180000
#define ForeignKeyIsEnforced(con)	((con)->conenforced)
#define ForeignKeyHasPeriod(con)	((con)->conperiod)
#else
#define ForeignKeyIsEnforced(con)	true
#define ForeignKeyHasPeriod(con)	false
#endif

/*
 * From 18 on an index scan reports to EXPLAIN what it did, and from 19 on it takes
 * flags; portpin has no plan to show.
 */
static inline IndexScanDesc
begin_index_scan(Relation heap, Relation index, Snapshot snapshot, int nkeys)
{
#if PG_VERSION_NUM >= 190000
	return index_beginscan(heap, index, snapshot, NULL, nkeys, 0, SO_NONE);
#elif PG_VERSION_NUM >= 180000
	return index_beginscan(heap, index, snapshot, NULL, nkeys, 0);
#else
	return index_beginscan(heap, index, snapshot, nkeys, 0);
#endif
}

/* A scan of a whole table takes flags from 19 on, too. */
static inline TableScanDesc
begin_table_scan(Relation table, Snapshot snapshot)
{
#if PG_VERSION_NUM >= 190000
	return table_beginscan(table, snapshot, 0, NULL, SO_NONE);
#else
	return table_beginscan(table, snapshot, 0, NULL);
#endif
}

/* Up to 18 an index scan that has come to its end pins no page of the table. */
#define FinishedScanHoldsNoPin (PG_VERSION_NUM < 190000)

/*
 * From 18 on this could also find a deferrable primary key, which no foreign key can
 * use.
 */
static inline Oid
primary_key_index(Relation rel)
{
#if PG_VERSION_NUM >= 180000
	return RelationGetPrimaryKeyIndex(rel, false);
#else
	return RelationGetPrimaryKeyIndex(rel);
#endif
}

/* Make the index entries of a row that was written through the table access method. */
static inline void
insert_index_entries(ResultRelInfo *result, EState *estate, TupleTableSlot *slot,
					 bool update, bool only_summarizing)
{
	if (result->ri_NumIndices == 0)
		return;
#if PG_VERSION_NUM >= 190000
	(void) ExecInsertIndexTuples(result, estate,
								 (update ? EIIT_IS_UPDATE : 0) |
								 (only_summarizing ? EIIT_ONLY_SUMMARIZING : 0),
								 slot, NIL, NULL);
#elif PG_VERSION_NUM >= 160000
	(void) ExecInsertIndexTuples(result, slot, estate, update, false, NULL, NIL,
								 only_summarizing);
#else
	(void) only_summarizing;
	(void) ExecInsertIndexTuples(result, slot, estate, update, false, NULL, NIL);
#endif
}

/*
 * Update a row through the table access method, and its indexes.  False if another
 * session updated or deleted it.  From 16 on the access method tells which indexes
 * need it.
 */
static inline bool
update_row(Relation table, ResultRelInfo *result, EState *estate,
		   ItemPointer tid, TupleTableSlot *slot, Snapshot snapshot)
{
	CommandId	cid = GetCurrentCommandId(true);
	TM_FailureData failure;
	LockTupleMode lockmode;
	TM_Result	updated;
#if PG_VERSION_NUM >= 160000
	TU_UpdateIndexes indexes;
#else
	bool		indexes;
#endif

#if PG_VERSION_NUM >= 190000
	updated = table_tuple_update(table, tid, slot, cid, 0, snapshot, InvalidSnapshot,
								 true, &failure, &lockmode, &indexes);
#else
	updated = table_tuple_update(table, tid, slot, cid, snapshot, InvalidSnapshot,
								 true, &failure, &lockmode, &indexes);
#endif
	if (updated != TM_Ok)
		return false;
#if PG_VERSION_NUM >= 160000
	if (indexes != TU_None)
		insert_index_entries(result, estate, slot, true, indexes == TU_Summarizing);
#else
	if (indexes)
		insert_index_entries(result, estate, slot, true, false);
#endif
	return true;
}

/*
 * Does this transaction hold a lock under which it can read the relation?  From 17 on
 * stronger locks can be asked for as well; before, ask for the one that the check of a
 * foreign key takes.
 */
static inline bool
RelationIsLockedByMe(Oid relid)
{
	LOCKTAG		tag;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, relid);
#if PG_VERSION_NUM >= 170000
	return LockHeldByMe(&tag, AccessShareLock, true);
#else
	return LockHeldByMe(&tag, RowShareLock);
#endif
}

/* Up to 17 every CHECK is enforced. */
#if PG_VERSION_NUM >= 180000
#define CheckIsEnforced(check) ((check)->ccenforced)
#else
#define CheckIsEnforced(check) true
#endif

/*
 * A comparison of secrets whose time does not tell where they differ came with 18.
 * Only some of the earlier minor releases have it, so theirs is not used.
 */
#if PG_VERSION_NUM < 180000
#define timingsafe_bcmp portpin_timingsafe_bcmp
static inline int
timingsafe_bcmp(const void *a, const void *b, size_t length)
{
	volatile uint8 difference = 0;

	for (size_t i = 0; i < length; i++)
		difference |= ((const uint8 *) a)[i] ^ ((const uint8 *) b)[i];
	return difference != 0;
}
#endif

/*
 * PBKDF2-HMAC-SHA-256 of one block, which SCRAM calls Hi(); the password is a string.
 * From 16 on it knows other hashes, and checks for interrupts itself.
 */
static inline bool
pbkdf2_hmac_sha256(const char *password, uint8 *salt, int salt_length,
				   int iterations, uint8 *result)
{
	const char *problem;
	int			done;

#if PG_VERSION_NUM >= 160000
	done = scram_SaltedPassword(password, PG_SHA256, PG_SHA256_DIGEST_LENGTH,
								(void *) salt, salt_length, iterations,
								result, &problem);
#else
	done = scram_SaltedPassword(password, (void *) salt, salt_length, iterations,
								result, &problem);
	CHECK_FOR_INTERRUPTS();
#endif
	return done == 0;
}

/* The identifier of a system cache has a type of its own from 19 on. */
#if PG_VERSION_NUM < 190000
typedef int SysCacheIdentifier;
#endif

/* A module tells its name and version from 18 on. */
#ifdef PG_MODULE_MAGIC_EXT
#define PORTPIN_MODULE_MAGIC \
	PG_MODULE_MAGIC_EXT(.name = "portpin", .version = "1.0")
#else
#define PORTPIN_MODULE_MAGIC PG_MODULE_MAGIC
#endif

#endif							/* PORTPIN_COMPAT_H */
