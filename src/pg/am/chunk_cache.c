/*
 * chunk_cache.c - the bytes of column chunks that a backend has read and checked, kept for its next queries.
 *
 * A small query over a hot table would otherwise spend a good part of its time on copying chunks out of shared buffers
 * and on their checksums. As segments do (segment_cache.c), chunks never change: (file, generation, row group, column)
 * names one for good, unless the file is emptied in place. They are dropped with the table's segments, on its relcache
 * invalidation. References are counted; what nobody refers to is given up, longest unused first, beyond CACHE_BYTES.
 */
#include "postgres.h"

#include "lib/ilist.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "pg/am/am.h"

#define CACHE_BYTES (UINT64CONST(8) * 1024 * 1024)
/* Larger ones are not kept: they would drive out all others. */
#define CHUNK_BYTES (CACHE_BYTES / 8)

typedef struct ChunkKey
{
	NtsFileNode node;
	uint64		generation;
	uint32		group;
	int32		column;
} ChunkKey;

typedef struct ChunkSlot
{
	ChunkKey	key;			/* must be first */
	NtsCachedChunk *chunk;
} ChunkSlot;

/* What a chunk takes beside its bytes: its head, its place in the table, what allocation adds. */
#define CHUNK_OVERHEAD (offsetof(NtsCachedChunk, bytes) + 2 * sizeof(ChunkSlot) + 64)

static HTAB *cache = NULL;
static MemoryContext chunk_context = NULL;
static dlist_head by_use = DLIST_STATIC_INIT(by_use);	/* least recently used first; all in the table */
static uint64 cached_bytes = 0;

static void
make_key(ChunkKey *key, NtsFileNode node, uint64 generation, uint32 group, int32 column)
{
	memset(key, 0, sizeof(*key));
	key->node = node;
	key->generation = generation;
	key->group = group;
	key->column = column;
}

/* Takes a chunk out of the table; frees it when nobody refers to it. */
static void
drop(NtsCachedChunk *chunk)
{
	ChunkKey	key;

	make_key(&key, chunk->node, chunk->generation, chunk->group, chunk->column);
	(void) hash_search(cache, &key, HASH_REMOVE, NULL);
	dlist_delete(&chunk->use);
	cached_bytes -= chunk->length + CHUNK_OVERHEAD;
	chunk->is_cached = false;
	if (chunk->references == 0)
		pfree(chunk);
}

void
nts_chunk_cache_forget(Oid relid)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &by_use)
	{
		NtsCachedChunk *chunk = dlist_container(NtsCachedChunk, use, iter.cur);

		if (relid == InvalidOid || chunk->relid == relid)
			drop(chunk);
	}
}

NtsCachedChunk *
nts_chunk_cache_find(Relation rel, uint64 generation, uint32 group, int32 column, uint64 length)
{
	ChunkKey	key;
	ChunkSlot  *slot;

	if (cache == NULL)
		return NULL;
	make_key(&key, NTS_REL_NODE(rel), generation, group, column);
	slot = hash_search(cache, &key, HASH_FIND, NULL);
	if (slot == NULL || slot->chunk->length != length)
		return NULL;
	dlist_delete(&slot->chunk->use);
	dlist_push_tail(&by_use, &slot->chunk->use);
	slot->chunk->references++;
	return slot->chunk;
}

NtsCachedChunk *
nts_chunk_cache_make(Relation rel, uint64 generation, uint32 group, int32 column, uint64 length)
{
	NtsCachedChunk *chunk;

	if (chunk_context == NULL)
		chunk_context = AllocSetContextCreate(CacheMemoryContext, "nodedb_ts cached chunks", ALLOCSET_DEFAULT_SIZES);
	chunk = MemoryContextAllocHuge(chunk_context, offsetof(NtsCachedChunk, bytes) + Max(length, 1));
	chunk->references = 1;
	chunk->is_cached = false;
	chunk->relid = RelationGetRelid(rel);
	chunk->node = NTS_REL_NODE(rel);
	chunk->generation = generation;
	chunk->group = group;
	chunk->column = column;
	chunk->length = length;
	return chunk;
}

/* Gives up what nobody refers to, longest unused first, while all take too much. */
static void
shrink(void)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &by_use)
	{
		NtsCachedChunk *other = dlist_container(NtsCachedChunk, use, iter.cur);

		if (cached_bytes <= CACHE_BYTES)
			break;
		if (other->references == 0)
			drop(other);
	}
}

void
nts_chunk_cache_keep(NtsCachedChunk *chunk)
{
	ChunkKey	key;
	ChunkSlot  *slot;
	bool		found;

	Assert(!chunk->is_cached);
	/* constants stand in the footer */
	if (chunk->length == 0 || chunk->length > CHUNK_BYTES)
		return;
	if (cache == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(ChunkKey);
		control.entrysize = sizeof(ChunkSlot);
		control.hcxt = CacheMemoryContext;
		cache = hash_create("nodedb_ts chunks", 256, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	make_key(&key, chunk->node, chunk->generation, chunk->group, chunk->column);
	slot = hash_search(cache, &key, HASH_ENTER, &found);
	if (found)					/* another row group object has read it, too; or of another length */
		return;
	slot->chunk = chunk;
	chunk->is_cached = true;
	dlist_push_tail(&by_use, &chunk->use);
	cached_bytes += chunk->length + CHUNK_OVERHEAD;
	shrink();
}

void
nts_chunk_cache_release(NtsCachedChunk *chunk)
{
	if (--chunk->references > 0)
		return;
	if (chunk->is_cached)
		shrink();				/* more may have been referred to than is kept */
	else
		pfree(chunk);
}
