/*
 * foreign_key.h
 *		A foreign key: which columns it has, and how its row is found.
 */
#ifndef PORTPIN_FOREIGN_KEY_H
#define PORTPIN_FOREIGN_KEY_H

#include "access/attnum.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

/*
 * A foreign key, and all that is needed to find the row that it points to.  Plain
 * facts, which can be copied, and hold until the catalogs change.
 */
typedef struct ForeignKey
{
	Oid			referenced;		/* the relation that it points to */
	Oid			index;			/* that relation's unique index */
	char		on_update;		/* referential actions, as pg_constraint has
								 * them */
	char		on_delete;
	bool		deferrable;
	int			nkeys;
	AttrNumber	from[INDEX_MAX_KEYS];	/* columns of the referencing relation */
	AttrNumber	to[INDEX_MAX_KEYS]; /* columns of the referenced one */
	AttrNumber	position[INDEX_MAX_KEYS];	/* of the latter in the index */
	Oid			equal[INDEX_MAX_KEYS];	/* function: referenced = referencing */
	Oid			operand[INDEX_MAX_KEYS];	/* type of that operator's right
											 * side */
	Oid			cast[INDEX_MAX_KEYS];	/* function to that type; often none */
} ForeignKey;

extern List *CopyForeignKeys(Relation rel);
extern bool KeyHasColumns(const ForeignKeyCacheInfo *key, List *columns);
extern bool SameForeignKey(const ForeignKeyCacheInfo *a,
						   const ForeignKeyCacheInfo *b);
extern bool IsSelfReference(Oid referenced, Relation rel);
extern void DescribeForeignKey(Relation rel, const ForeignKeyCacheInfo *info,
							   ForeignKey *key);

#endif							/* PORTPIN_FOREIGN_KEY_H */
