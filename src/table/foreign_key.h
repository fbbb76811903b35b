/*
 * foreign_key.h
 *		Which foreign key leads from a row to the row that it references.
 */
#ifndef PORTPIN_FOREIGN_KEY_H
#define PORTPIN_FOREIGN_KEY_H

#include "access/attnum.h"
#include "fmgr.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

/* A foreign key, and all that is needed to find the row that it points to. */
typedef struct ForeignKey
{
	Oid			referenced;		/* the relation that it points to */
	Oid			index;			/* that relation's unique index */
	char		on_update;		/* referential actions, as pg_constraint has them */
	char		on_delete;
	bool		deferrable;
	int			nkeys;
	AttrNumber	from[INDEX_MAX_KEYS];	/* columns of the referencing relation */
	AttrNumber	to[INDEX_MAX_KEYS]; /* columns of the referenced one */
	AttrNumber	position[INDEX_MAX_KEYS];	/* of the latter in the index */
	FmgrInfo	equal[INDEX_MAX_KEYS];	/* referenced = referencing */
	Oid			operand[INDEX_MAX_KEYS];	/* type of that operator's right side */
	FmgrInfo	cast[INDEX_MAX_KEYS];	/* to that type, where one is needed */
	struct KeyedTable *tables;	/* what lookup.c remembers with it */
	MemoryContext mcxt;			/* in which it does */
} ForeignKey;

extern ForeignKeyCacheInfo *ChooseForeignKey(Relation rel, List *columns,
											 const char *argument,
											 const char *pin, Oid domain);
extern char *IndirectPaths(Relation rel, const char *pin, Oid domain);
extern bool IsSelfReference(Oid referenced, Relation rel);
extern void DescribeForeignKey(Relation rel, const ForeignKeyCacheInfo *info,
							   ForeignKey *key, MemoryContext mcxt);

#endif							/* PORTPIN_FOREIGN_KEY_H */
