/*
 * dictionary_cache.c - sets of trained dictionaries, parsed, kept by a backend between queries.
 *
 * Like segments they never change, and (file, generation) names one for good, unless the file is emptied in place. The
 * core counts references: a segment, part or merge that was handed a set keeps it, whether or not it stays here. So
 * what is too much is given up at once, longest unused first; the last one used stays.
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/ilist.h"
#include "utils/memutils.h"

#include "pg/am/am.h"
#include "pg/error.h"

#define CACHE_BYTES (UINT64CONST(8) * 1024 * 1024)

typedef struct CachedSet
{
	dlist_node	use;
	Oid			relid;
	NtsFileNode node;
	uint64		generation;
	NtsDictionaries *core;
} CachedSet;

static dlist_head by_use = DLIST_STATIC_INIT(by_use);	/* last used first */

static void
drop(CachedSet *set)
{
	dlist_delete(&set->use);
	nts_dictionaries_close(set->core);
	pfree(set);
}

void
nts_dictionary_cache_forget(Oid relid)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &by_use)
	{
		CachedSet  *set = dlist_container(CachedSet, use, iter.cur);

		if (relid == InvalidOid || set->relid == relid)
			drop(set);
	}
}

/* Sets grow when they are used for the first time. */
static void
shrink(void)
{
	dlist_mutable_iter iter;
	uint64		bytes = 0;

	dlist_foreach_modify(iter, &by_use)
	{
		CachedSet  *set = dlist_container(CachedSet, use, iter.cur);

		bytes += nts_dictionaries_memory(set->core);
		if (bytes > CACHE_BYTES && iter.cur != dlist_head_node(&by_use))
			drop(set);
	}
}

static CachedSet *
find(Relation rel, uint64 generation)
{
	dlist_iter	iter;

	dlist_foreach(iter, &by_use)
	{
		CachedSet  *set = dlist_container(CachedSet, use, iter.cur);

		if (set->generation == generation && NtsFileNodeEquals(set->node, NTS_REL_NODE(rel)))
			return set;
	}
	return NULL;
}

static CachedSet *
load(Relation rel, const NtsEntry *entry)
{
	uint8	   *bytes;
	CachedSet  *set;
	NtsStatus	status;

	if (entry->byte_length > NTS_DICTIONARIES_BYTES)
		nts_error_corrupt(rel, "block %u holds more bytes of trained dictionaries than there may be", entry->first_block);
	bytes = palloc(entry->byte_length);
	nts_segment_read(rel, entry, 0, entry->byte_length, NULL, bytes);
	set = MemoryContextAllocZero(CacheMemoryContext, sizeof(CachedSet));
	set->core = nts_dictionaries_open(bytes, entry->byte_length, &status);
	pfree(bytes);
	if (set->core == NULL)
	{
		pfree(set);
		nts_error_raise(&status, rel);
	}
	set->relid = RelationGetRelid(rel);
	set->node = NTS_REL_NODE(rel);
	set->generation = entry->generation;
	dlist_push_head(&by_use, &set->use);
	if (nts_dictionaries_id(set->core) != entry->dictionaries)
	{
		drop(set);
		nts_error_corrupt(rel, "block %u holds trained dictionaries of another id than its directory entry says",
						  entry->first_block);
	}
	return set;
}

const NtsDictionaries *
nts_dictionary_cache_get(Relation rel, const NtsEntry *entry)
{
	CachedSet  *set = find(rel, entry->generation);

	if (set == NULL)
		set = load(rel, entry);
	dlist_move_head(&by_use, &set->use);
	shrink();
	return set->core;
}

/* For nts_error_try. */
typedef struct Reading
{
	Relation	rel;
	const NtsEntry *entry;
	const NtsDictionaries *core;
} Reading;

static void
get(void *arg)
{
	Reading    *reading = arg;

	reading->core = nts_dictionary_cache_get(reading->rel, reading->entry);
}

const NtsDictionaries *
nts_dictionary_cache_try(Relation rel, const NtsEntry *entry, bool for_good)
{
	Reading		reading = {rel, entry, NULL};
	int			sqlstate;
	char	   *message;

	/* no subtransaction for nothing */
	if (find(rel, entry->generation) != NULL)
		return nts_dictionary_cache_get(rel, entry);
	if (!nts_error_try(get, &reading, &sqlstate, &message))
	{
		if (for_good && sqlstate != ERRCODE_DATA_CORRUPTED && sqlstate != ERRCODE_FEATURE_NOT_SUPPORTED)
			ereport(ERROR,
					(errcode(sqlstate),
					 errmsg("trained dictionaries of table \"%s\" cannot be read", RelationGetRelationName(rel)),
					 errdetail_internal("%s", message)));
		ereport(WARNING,
				(errcode(sqlstate),
				 errmsg("trained dictionaries of table \"%s\" cannot be read, and are not used",
						RelationGetRelationName(rel)),
				 errdetail_internal("%s", message)));
	}
	return reading.core;
}

void
nts_dictionaries_hand_in(Relation rel, const NtsDirectory *directory, uint32 id, NtsSegment *segment)
{
	MemoryContext context = NULL;
	const NtsEntryRef *ref = nts_dictionaries_place(directory, id);
	NtsStatus	status;

	if (ref == NULL)
	{
		NtsMeta		meta;

		/* a walk beside changes may have come to the segment's page after both were made, to the set's before */
		context = AllocSetContextCreate(CurrentMemoryContext, "nodedb_ts dictionaries", ALLOCSET_SMALL_SIZES);
		ref = nts_dictionaries_place(nts_directory_open(rel, context, &meta), id);
	}
	if (ref == NULL)
		nts_error_corrupt(rel, "a segment refers to trained dictionaries %u, which are not there", id);
	NTS_CHECK(nts_segment_use_dictionaries(segment, nts_dictionary_cache_get(rel, &ref->entry), &status), status, rel);
	if (context != NULL)
		MemoryContextDelete(context);
}

const NtsDictionaries *
nts_dictionaries_for_writing(Relation rel)
{
	NtsMeta		meta;
	MemoryContext context;
	const NtsDirectory *directory;
	const NtsEntryRef *newest = NULL;
	const NtsDictionaries *result = NULL;

	Assert(TransactionIdIsValid(GetTopTransactionIdIfAny()));
	if (!nts_meta_read(rel, &meta) || (meta.flags & NTS_META_DICTIONARIES) == 0)
		return NULL;
	context = AllocSetContextCreate(CurrentMemoryContext, "nodedb_ts dictionaries", ALLOCSET_SMALL_SIZES);
	directory = nts_directory_open(rel, context, &meta);
	if (directory != NULL)
		newest = nts_dictionaries_newest(directory);
	if (newest != NULL)
		result = nts_dictionary_cache_try(rel, &newest->entry, false);
	MemoryContextDelete(context);
	return result;
}
