/*
 * shard.h
 *		Tables whose rows Citus keeps in shards.
 */
#ifndef PORTPIN_SHARD_H
#define PORTPIN_SHARD_H

extern bool IsCitusTable(Oid relid);
extern Oid	TableOfShard(Oid relid);

#endif							/* PORTPIN_SHARD_H */
