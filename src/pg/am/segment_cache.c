/*
 * segment_cache.c - parsed footers of segments, kept by a backend between queries.
 *
 * Segments never change, and (file, generation) names one for good, unless the file is emptied in place; so what is kept
 * stays true until the row type changes. A relcache invalidation of the table drops its segments all the same: after it
 * the file may be another one. References are counted; the last one of a dropped segment frees it. What nobody refers
 * to is given up, longest unused first, when all of them take more than CACHE_BYTES.
 */
#include "postgres.h"

#include "lib/ilist.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#include "pg/am/am.h"

#define CACHE_BYTES (UINT64CONST(32) * 1024 * 1024)
/* Of these, what a segment may keep of its parsed chunks. */
#define PARSED_BYTES (CACHE_BYTES / 32)

typedef struct SegmentKey
{
	NtsFileNode node;
	uint64		generation;
} SegmentKey;

typedef struct CacheSlot
{
	SegmentKey	key;			/* must be first */
	NtsCachedSegment *segment;
} CacheSlot;

static HTAB *cache = NULL;
static dlist_head by_use = DLIST_STATIC_INIT(by_use);	/* least recently used first; all in the table */
static uint64 cached_bytes = 0;

static void
make_key(SegmentKey *key, Relation rel, uint64 generation)
{
	memset(key, 0, sizeof(*key));
	key->node = NTS_REL_NODE(rel);
	key->generation = generation;
}

static void
destroy(NtsCachedSegment *segment)
{
	nts_segment_close(segment->core);
	MemoryContextDelete(segment->context);
}

/* Takes a segment out of the table; frees it when nobody refers to it. */
static void
drop(NtsCachedSegment *segment)
{
	SegmentKey	key;

	memset(&key, 0, sizeof(key));
	key.node = segment->node;
	key.generation = segment->generation;
	(void) hash_search(cache, &key, HASH_REMOVE, NULL);
	dlist_delete(&segment->use);
	cached_bytes -= segment->bytes;
	segment->is_cached = false;
	if (segment->references == 0)
		destroy(segment);
}

static void
on_relcache_change(Datum arg, Oid relid)
{
	dlist_mutable_iter iter;

	nts_chunk_cache_forget(relid);
	nts_dictionary_cache_forget(relid);
	dlist_foreach_modify(iter, &by_use)
	{
		NtsCachedSegment *segment = dlist_container(NtsCachedSegment, use, iter.cur);

		if (relid == InvalidOid || segment->relid == relid)
			drop(segment);
	}
}

void
nts_segment_cache_forget(Relation rel)
{
	on_relcache_change((Datum) 0, RelationGetRelid(rel));
}

void
nts_segment_cache_init(void)
{
	CacheRegisterRelcacheCallback(on_relcache_change, (Datum) 0);
}

static void
ensure_table(void)
{
	HASHCTL		control = {0};

	if (cache != NULL)
		return;
	control.keysize = sizeof(SegmentKey);
	control.entrysize = sizeof(CacheSlot);
	control.hcxt = CacheMemoryContext;
	cache = hash_create("nodedb_ts segments", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

NtsCachedSegment *
nts_segment_cache_find(Relation rel, const NtsEntry *entry)
{
	SegmentKey	key;
	CacheSlot  *slot;
	NtsCachedSegment *segment;

	if (cache == NULL)
		return NULL;
	make_key(&key, rel, entry->generation);
	slot = hash_search(cache, &key, HASH_FIND, NULL);
	if (slot == NULL)
		return NULL;
	segment = slot->segment;
	if (segment->byte_length != entry->byte_length || segment->footer_offset != entry->footer_offset)
		return NULL;
	dlist_delete(&segment->use);
	dlist_push_tail(&by_use, &segment->use);
	segment->references++;
	return segment;
}

NtsCachedSegment *
nts_segment_cache_add(Relation rel, const NtsEntry *entry, NtsSegment *core)
{
	MemoryContext context;
	NtsCachedSegment *segment;
	SegmentKey	key;
	CacheSlot  *slot;
	bool		found;

	ensure_table();
	context = AllocSetContextCreate(CacheMemoryContext, "nodedb_ts cached segment", ALLOCSET_SMALL_SIZES);
	segment = MemoryContextAllocZero(context, sizeof(NtsCachedSegment));
	make_key(&key, rel, entry->generation);
	slot = hash_search(cache, &key, HASH_ENTER, &found);
	if (found)
	{
		NtsCachedSegment *old = slot->segment;

		drop(old);
		slot = hash_search(cache, &key, HASH_ENTER, &found);
	}
	slot->segment = segment;
	segment->references = 1;
	segment->context = context;
	segment->core = core;
	segment->relid = RelationGetRelid(rel);
	segment->node = key.node;
	segment->generation = entry->generation;
	segment->byte_length = entry->byte_length;
	segment->footer_offset = entry->footer_offset;
	segment->is_cached = true;
	segment->grown = true;
	nts_segment_keep_parsed(core, PARSED_BYTES);
	dlist_push_tail(&by_use, &segment->use);
	return segment;
}

MemoryContext
nts_segment_cache_context(NtsCachedSegment *segment)
{
	segment->grown = true;
	return segment->context;
}

static void
count_bytes(NtsCachedSegment *segment)
{
	cached_bytes -= segment->bytes;
	segment->bytes = nts_segment_memory(segment->core) + segment->hung_bytes;
	cached_bytes += segment->bytes;
}

/* Parsed chunks are made anew from bytes at hand; the rest of a segment is read, and bounds of vectors are decoded. */
static void
drop_parsed(NtsCachedSegment *segment)
{
	nts_segment_keep_parsed(segment->core, 0);
	nts_segment_keep_parsed(segment->core, PARSED_BYTES);
	segment->has_parsed = false;
	count_bytes(segment);
}

void
nts_segment_cache_release(NtsCachedSegment *segment)
{
	dlist_mutable_iter iter;

	if (--segment->references > 0)
		return;
	if (!segment->is_cached)
	{
		destroy(segment);
		return;
	}
	/* going over its contexts takes longer than a small query should */
	if (segment->grown)
		segment->hung_bytes = MemoryContextMemAllocated(segment->context, true);
	segment->grown = false;
	segment->has_parsed = true;
	count_bytes(segment);
	dlist_foreach_modify(iter, &by_use)
	{
		NtsCachedSegment *other = dlist_container(NtsCachedSegment, use, iter.cur);

		if (cached_bytes <= CACHE_BYTES)
			break;
		if (other->references == 0 && other->has_parsed)
			drop_parsed(other);
	}
	dlist_foreach_modify(iter, &by_use)
	{
		NtsCachedSegment *other = dlist_container(NtsCachedSegment, use, iter.cur);

		if (cached_bytes <= CACHE_BYTES)
			break;
		if (other->references == 0)
			drop(other);
	}
}
