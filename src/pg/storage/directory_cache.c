/*
 * directory_cache.c - see directory_cache.h. Invariants: README, "The directory in a backend's memory".
 *
 * One directory is kept for each table, by the table's OID; it is used when the file and the metapage's cache
 * generation are the same. References are counted, and each belongs to a memory context: an error gives them back, too.
 * What nobody refers to is given up, longest unused first, when all of them take more than CACHE_BYTES.
 */
#include "postgres.h"

#include "access/transam.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/error.h"
#include "pg/storage/directory_cache.h"

#define CACHE_BYTES (UINT64CONST(64) * 1024 * 1024)

typedef struct CacheSlot
{
	Oid			relid;			/* must be first */
	NtsDirectory *directory;
} CacheSlot;

static HTAB *cache = NULL;
static MemoryContext page_context = NULL;
static dlist_head by_use = DLIST_STATIC_INIT(by_use);	/* least recently used first; all in the table */
static uint64 cached_bytes = 0;

/* ---- keeping and giving up ---- */

/* Takes a directory out of the table; frees it when nobody refers to it. */
static void
drop(NtsDirectory *directory)
{
	(void) hash_search(cache, &directory->relid, HASH_REMOVE, NULL);
	dlist_delete(&directory->use);
	cached_bytes -= directory->bytes;
	directory->is_cached = false;
	if (directory->references == 0)
		MemoryContextDelete(directory->context);
}

static void
on_relcache_change(Datum arg, Oid relid)
{
	dlist_mutable_iter iter;
	CacheSlot  *slot;

	if (cache == NULL)
		return;
	if (relid != InvalidOid)
	{
		slot = hash_search(cache, &relid, HASH_FIND, NULL);
		if (slot != NULL)
			drop(slot->directory);
		return;
	}
	dlist_foreach_modify(iter, &by_use)
		drop(dlist_container(NtsDirectory, use, iter.cur));
}

void
nts_directory_forget(Relation rel)
{
	on_relcache_change((Datum) 0, RelationGetRelid(rel));
}

void
nts_directory_cache_init(void)
{
	CacheRegisterRelcacheCallback(on_relcache_change, (Datum) 0);
}

/* Gives up what is too much; what is used now stays. */
static void
shrink(void)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &by_use)
	{
		NtsDirectory *directory = dlist_container(NtsDirectory, use, iter.cur);

		/* the last one used stays, however large: the plan that asked is followed by its scan */
		if (cached_bytes <= CACHE_BYTES || iter.cur == dlist_tail_node(&by_use))
			break;
		if (directory->references == 0)
			drop(directory);
	}
}

static void
release(void *arg)
{
	NtsDirectory *directory = arg;

	if (--directory->references > 0)
		return;
	if (directory->is_cached)
		shrink();
	else
		MemoryContextDelete(directory->context);
}

/* Takes a reference, which is given back when `context` is reset. */
static void
hold(NtsDirectory *directory, MemoryContext context)
{
	MemoryContextCallback *callback = MemoryContextAlloc(context, sizeof(*callback));

	directory->references++;
	callback->func = release;
	callback->arg = directory;
	MemoryContextRegisterResetCallback(context, callback);
}

/* Puts it into the table, in place of what was there. */
static void
keep(NtsDirectory *directory)
{
	CacheSlot  *slot;
	bool		found;

	if (cache == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(Oid);
		control.entrysize = sizeof(CacheSlot);
		control.hcxt = CacheMemoryContext;
		cache = hash_create("nodedb_ts directories", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	on_relcache_change((Datum) 0, directory->relid);
	slot = hash_search(cache, &directory->relid, HASH_ENTER, &found);
	slot->directory = directory;
	directory->is_cached = true;
	dlist_push_tail(&by_use, &directory->use);
	cached_bytes += directory->bytes;
}

/* What is kept of the relation's file, as of any generation. */
static NtsDirectory *
find_any(Oid relid, const NtsFileNode *node)
{
	CacheSlot  *slot = cache == NULL ? NULL : hash_search(cache, &relid, HASH_FIND, NULL);

	return slot != NULL && NtsFileNodeEquals(slot->directory->node, *node) ? slot->directory : NULL;
}

static NtsDirectory *
find(Relation rel, const NtsMeta *meta)
{
	NtsDirectory *directory = find_any(RelationGetRelid(rel), &NTS_REL_NODE(rel));

	if (directory == NULL || directory->cache_generation != meta->cache_generation)
		return NULL;
	/* so many looks at entries that had not settled pay for sorting them out again, if time has gone on */
	if (directory->looks > (uint64) directory->count && directory->horizon != RecentXmin)
		return NULL;
	/* beside them, each of `live` is looked at by itself if one lies among them */
	directory->looks += directory->unsettled_count;
	if (directory->unsettled_count > 0)
		directory->looks += directory->live_count / 16;
	dlist_delete(&directory->use);
	dlist_push_tail(&by_use, &directory->use);
	return directory;
}

/* ---- reading ---- */

typedef enum Fate
{
	FATE_LIVE,
	FATE_GONE,
	FATE_UNSETTLED
} Fate;

/* What the directory says depends on the transaction having ended. */
static void
note_ended(NtsDirectory *directory, TransactionId xid)
{
	if (TransactionIdIsNormal(xid) &&
		(!TransactionIdIsValid(directory->newest) || TransactionIdPrecedes(directory->newest, xid)))
		directory->newest = xid;
}

/* Whether a transaction that ended before the horizon has committed; false: it had not ended. */
static bool
has_ended(TransactionId xid, NtsDirectory *directory, bool *committed)
{
	*committed = xid == FrozenTransactionId;
	if (!TransactionIdIsNormal(xid))
		return true;
	if (!TransactionIdPrecedes(xid, directory->horizon))
		return false;
	note_ended(directory, xid);
	*committed = TransactionIdDidCommit(xid);
	return true;
}

/*
 * As nts_entry_visible for a snapshot that sees every transaction before the horizon as ended: such a one reports no
 * conflicts, either.
 */
static Fate
fate_of(const NtsEntry *entry, NtsDirectory *directory)
{
	bool		committed;

	if (entry->state == NTS_ENTRY_BUILDING)
		return FATE_GONE;
	if (!has_ended(entry->xmin, directory, &committed))
		return FATE_UNSETTLED;
	if (!committed)
		return FATE_GONE;
	if (entry->state == NTS_ENTRY_LIVE)
		return FATE_LIVE;
	if (!has_ended(entry->xmax, directory, &committed))
		return FATE_UNSETTLED;
	return committed ? FATE_GONE : FATE_LIVE;
}

void
nts_entry_time_bounds(const NtsEntry *entry, NtsTimeBounds *bounds)
{
	bounds->time_column = entry->level == NTS_LEVEL_DELTA ? 0 : entry->time_column;
	bounds->has_time = (entry->flags & NTS_ENTRY_HAS_TIME) != 0;
	bounds->has_null_time = (entry->flags & NTS_ENTRY_NULL_TIME) != 0;
	bounds->min_time = entry->min_time;
	bounds->max_time = entry->max_time;
	bounds->rows = entry->rows;
}

static void
add_bounds(NtsTimeBounds *run, const NtsTimeBounds *more)
{
	if (run->time_column != more->time_column)
		run->time_column = 0;
	if (more->has_time)
	{
		run->min_time = run->has_time ? Min(run->min_time, more->min_time) : more->min_time;
		run->max_time = run->has_time ? Max(run->max_time, more->max_time) : more->max_time;
	}
	run->has_time = run->has_time || more->has_time;
	run->has_null_time = run->has_null_time || more->has_null_time;
	run->rows += more->rows;
}

/* Keeps the newest delta extents at hand. */
static void
add_delta(NtsDirectory *directory, int32 index)
{
	uint64		generation = nts_directory_entry(directory, index)->entry.generation;
	int			at = directory->delta_count;

	directory->delta_blocks += nts_directory_entry(directory, index)->entry.block_count;
	while (at > 0 && nts_directory_entry(directory, directory->deltas[at - 1])->entry.generation < generation)
		at--;
	if (at == NTS_DIRECTORY_DELTAS)
		return;
	if (directory->delta_count < NTS_DIRECTORY_DELTAS)
		directory->delta_count++;
	memmove(&directory->deltas[at + 1], &directory->deltas[at],
			sizeof(int32) * (directory->delta_count - 1 - at));
	directory->deltas[at] = index;
}

static void
add_live(NtsDirectory *directory, int32 index)
{
	const NtsEntry *entry = &nts_directory_entry(directory, index)->entry;
	NtsTimeBounds *run = &directory->runs[directory->live_count / NTS_DIRECTORY_RUN];
	NtsTimeBounds bounds;

	nts_entry_time_bounds(entry, &bounds);
	if (directory->live_count % NTS_DIRECTORY_RUN == 0)
		*run = bounds;
	else
		add_bounds(run, &bounds);
	directory->live[directory->live_count++] = index;
	if (entry->level != NTS_LEVEL_DELTA || (entry->flags & NTS_ENTRY_FROZEN) != 0)
		directory->live_rows += entry->rows;
	else
		add_delta(directory, index);
}

/*
 * older: another copy of the same file, or NULL; `shared` says which pages are those of the older one. What was live
 * there still is: its transactions have ended.
 */
static void
sort_out(NtsDirectory *directory, const NtsDirectory *older, const bool *shared)
{
	int			room = Max(directory->count, 1);
	int32	   *unsettled = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int32) * room);
	int			at = 0;
	int			sets = 0;

	directory->horizon = RecentXmin;
	directory->live = MemoryContextAllocHuge(directory->context, sizeof(int32) * room);
	directory->runs = MemoryContextAllocHuge(directory->context,
											 sizeof(NtsTimeBounds) * (room / NTS_DIRECTORY_RUN + 1));
	for (int i = 0; i < directory->count; i++)
	{
		int32		place = (int32) directory->sorted[i];

		/* both are in the order of blocks */
		while (older != NULL && at < older->live_count && !shared[older->live[at] / NTS_ENTRIES_PER_PAGE])
			at++;
		if (older != NULL && at < older->live_count && older->live[at] == place)
		{
			const NtsEntry *entry = &nts_directory_entry(directory, place)->entry;

			note_ended(directory, entry->xmin);
			if (entry->state != NTS_ENTRY_LIVE)
				note_ended(directory, entry->xmax);
			add_live(directory, place);
			at++;
			continue;
		}
		if (nts_directory_entry(directory, place)->entry.level == NTS_LEVEL_DICTIONARIES)
		{
			sets++;
			continue;
		}
		switch (fate_of(&nts_directory_entry(directory, place)->entry, directory))
		{
			case FATE_LIVE:
				add_live(directory, place);
				break;
			case FATE_UNSETTLED:
				unsettled[directory->unsettled_count++] = place;
				break;
			case FATE_GONE:
				break;
		}
	}
	directory->unsettled = MemoryContextAllocHuge(directory->context,
												  sizeof(int32) * Max(directory->unsettled_count, 1));
	memcpy(directory->unsettled, unsettled, sizeof(int32) * directory->unsettled_count);
	pfree(unsettled);
	directory->dictionaries = sets == 0 ? NULL : MemoryContextAlloc(directory->context, sizeof(int32) * sets);
	for (int i = 0; i < directory->count && sets > 0; i++)
	{
		const NtsEntry *entry = &nts_directory_entry(directory, (int32) directory->sorted[i])->entry;

		if (entry->level == NTS_LEVEL_DICTIONARIES && entry->state == NTS_ENTRY_LIVE)
			directory->dictionaries[directory->dictionary_count++] = (int32) directory->sorted[i];
	}
}

static int
compare_places(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return x < y ? -1 : x > y;
}

/* Sorts the places of all entries; those on shared pages are sorted already. */
static void
sort_places(NtsDirectory *directory, const NtsDirectory *older, const bool *shared)
{
	uint64	   *fresh = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(uint64) * Max(directory->count, 1));
	uint64	   *to = directory->sorted = MemoryContextAllocHuge(directory->context,
																 sizeof(uint64) * Max(directory->count, 1));
	int			fresh_count = 0;
	int			next = 0;

	for (int p = 0; p < directory->page_count; p++)
		for (int i = 0; !shared[p] && i < directory->pages[p]->count; i++)
			fresh[fresh_count++] = (uint64) directory->pages[p]->entries[i].entry.first_block << 32 |
				(uint64) (p * NTS_ENTRIES_PER_PAGE + i);
	qsort(fresh, fresh_count, sizeof(uint64), compare_places);
	for (int i = 0; older != NULL && i < older->count; i++)
	{
		if (!shared[(int32) older->sorted[i] / NTS_ENTRIES_PER_PAGE])
			continue;
		while (next < fresh_count && fresh[next] < older->sorted[i])
			*to++ = fresh[next++];
		*to++ = older->sorted[i];
	}
	memcpy(to, fresh + next, sizeof(uint64) * (fresh_count - next));
	pfree(fresh);
}

/*
 * Is the page the same as when it was read? Every change that is logged gives it another LSN; pages that never had one
 * are not known to be. *next: the page behind it.
 */
static bool
is_unchanged(Relation rel, const NtsDirectoryPage *page, BlockNumber *next)
{
	Buffer		buffer;
	bool		same;

	if (XLogRecPtrIsInvalid(page->lsn))
		return false;
	buffer = ReadBuffer(rel, page->block);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	same = PageGetLSN(BufferGetPage(buffer)) == page->lsn;
	if (same)
		*next = nts_page_special(BufferGetPage(buffer))->next;
	UnlockReleaseBuffer(buffer);
	return same;
}

/* Entries in use of a copied page, checked. */
static int
check_entries(Relation rel, const char *page, int count, uint32 first_slot)
{
	int			used = 0;

	for (int i = 0; i < count; i++)
	{
		NtsEntry	entry;

		memcpy(&entry, page + NTS_PAGE_CONTENT + i * sizeof(NtsEntry), sizeof(NtsEntry));
		nts_entry_check(rel, &entry, first_slot + i);
		if (entry.state != NTS_ENTRY_EMPTY && entry.state != NTS_ENTRY_FREE)
			used++;
	}
	return used;
}

/* Reads a page, the number-th of the chain. *next: the page behind it. */
static NtsDirectoryPage *
read_page(Relation rel, BlockNumber block, int number, BlockNumber *next)
{
	PGAlignedBlock copy;
	int			count = nts_directory_copy(rel, block, copy.data);
	uint32		first_slot = number * NTS_ENTRIES_PER_PAGE;
	NtsDirectoryPage *page;
	int			used;

	*next = nts_directory_next(rel, block, (Page) copy.data);
	used = check_entries(rel, copy.data, count, first_slot);
	page = MemoryContextAlloc(page_context, offsetof(NtsDirectoryPage, entries) + sizeof(NtsEntryRef) * Max(used, 1));
	page->references = 0;
	page->block = block;
	/* in a new file that is not logged, a change leaves the LSN as it is */
	page->lsn = RelationNeedsWAL(rel) ? PageGetLSN((Page) copy.data) : InvalidXLogRecPtr;
	page->count = 0;
	for (int i = 0; i < count; i++)
	{
		NtsEntryRef ref = {.slot = first_slot + i,.directory_block = block,.index = i};

		memcpy(&ref.entry, copy.data + NTS_PAGE_CONTENT + i * sizeof(NtsEntry), sizeof(NtsEntry));
		if (ref.entry.state != NTS_ENTRY_EMPTY && ref.entry.state != NTS_ENTRY_FREE)
			page->entries[page->count++] = ref;
	}
	return page;
}

/* Gives the pages back. */
static void
release_pages(void *arg)
{
	NtsDirectory *directory = arg;

	for (int i = 0; i < directory->page_count; i++)
		if (--directory->pages[i]->references == 0)
			pfree(directory->pages[i]);
	directory->page_count = 0;
}

static NtsDirectory *
make_directory(Relation rel, const NtsMeta *meta)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "nodedb_ts directory", ALLOCSET_SMALL_SIZES);
	NtsDirectory *directory = MemoryContextAllocZero(context, sizeof(NtsDirectory));
	MemoryContextCallback *callback = MemoryContextAlloc(context, sizeof(*callback));

	if (page_context == NULL)
		page_context = AllocSetContextCreate(CacheMemoryContext, "nodedb_ts directory pages", ALLOCSET_DEFAULT_SIZES);
	callback->func = release_pages;
	callback->arg = directory;
	MemoryContextRegisterResetCallback(context, callback);
	directory->context = context;
	directory->relid = RelationGetRelid(rel);
	directory->node = NTS_REL_NODE(rel);
	directory->cache_generation = meta->cache_generation;
	return directory;
}

/* Walks through the pages; those that are as in `older` are taken from there, and shared[] says so. */
static void
read_pages(Relation rel, const NtsMeta *meta, NtsDirectory *directory, const NtsDirectory *older, bool **shared)
{
	int			room = Max(Min(meta->directory_pages, nts_file_blocks(rel)),
						   older == NULL ? 1 : (uint32) older->page_count) + 8;

	directory->pages = MemoryContextAllocHuge(directory->context, sizeof(NtsDirectoryPage *) * room);
	*shared = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(bool) * room);
	memset(*shared, 0, sizeof(bool) * room);
	for (BlockNumber block = meta->directory_head; block != InvalidBlockNumber;)
	{
		int			number = directory->page_count;
		NtsDirectoryPage *page = NULL;
		BlockNumber next = InvalidBlockNumber;

		CHECK_FOR_INTERRUPTS();
		if (number == room)
		{
			/* one that is longer than the file runs in a circle */
			if ((BlockNumber) number > nts_file_blocks(rel))
				nts_error_corrupt(rel, "the chain of directory pages has no end");
			directory->pages = repalloc_huge(directory->pages, sizeof(NtsDirectoryPage *) * room * 2);
			*shared = repalloc_huge(*shared, sizeof(bool) * room * 2);
			memset(*shared + room, 0, sizeof(bool) * room);
			room *= 2;
		}
		if (older != NULL && number < older->page_count && older->pages[number]->block == block)
			page = older->pages[number];
		(*shared)[number] = page != NULL && is_unchanged(rel, page, &next);
		if (!(*shared)[number])
			page = read_page(rel, block, number, &next);
		page->references++;
		directory->pages[directory->page_count++] = page;
		directory->count += page->count;
		directory->bytes += GetMemoryChunkSpace(page);
		block = next;
	}
}

/* The directory now, as of `meta` if nothing changes meanwhile. It belongs to the current memory context so far. */
static NtsDirectory *
read_directory(Relation rel, const NtsMeta *meta)
{
	MemoryContext walk = AllocSetContextCreate(CurrentMemoryContext, "nodedb_ts directory walk", ALLOCSET_SMALL_SIZES);
	NtsDirectory *directory = make_directory(rel, meta);
	NtsDirectory *older = find_any(directory->relid, &directory->node);
	MemoryContext old = MemoryContextSwitchTo(walk);
	bool	   *shared;

	if (older != NULL)
		hold(older, walk);
	read_pages(rel, meta, directory, older, &shared);
	sort_places(directory, older, shared);
	sort_out(directory, older, shared);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(walk);
	directory->bytes += MemoryContextMemAllocated(directory->context, false);
	return directory;
}

NtsDirectory *
nts_directory_open(Relation rel, MemoryContext context, NtsMeta *meta)
{
	NtsDirectory *directory;
	NtsMeta		after;

	memset(meta, 0, sizeof(*meta));
	if (!nts_meta_read(rel, meta))
		return NULL;
	directory = find(rel, meta);
	if (directory == NULL)
	{
		directory = read_directory(rel, meta);
		/* whoever changes a directory page changes the metapage at the same moment: were all pages of one generation? */
		if (nts_meta_read(rel, &after) && after.cache_generation == meta->cache_generation)
			keep(directory);
		MemoryContextSetParent(directory->context, CacheMemoryContext);
	}
	hold(directory, context);
	return directory;
}

bool
nts_directory_is_settled(const NtsDirectory *directory, Snapshot snapshot)
{
	switch (snapshot->snapshot_type)
	{
		case SNAPSHOT_MVCC:
			return !TransactionIdIsValid(directory->newest) ||
				TransactionIdPrecedes(directory->newest, snapshot->xmin);
		case SNAPSHOT_SELF:
			return true;
		default:
			return false;
	}
}

double
nts_directory_estimate_rows(Relation rel, NtsDirectory *directory, const NtsMeta *meta)
{
	double		rows = directory->live_rows;
	double		pages = directory->delta_blocks;
	double		sampled_rows = 0;
	int			sampled = 0;

	for (int i = 0; i < directory->unsettled_count; i++)
	{
		const NtsEntry *entry = &nts_directory_entry(directory, directory->unsettled[i])->entry;

		if (nts_entry_visible(rel, entry, SnapshotSelf))
			rows += entry->rows;
	}
	for (int i = 0; i < directory->delta_count; i++)
	{
		const NtsEntry *entry = &nts_directory_entry(directory, directory->deltas[i])->entry;
		uint32		used = nts_delta_pages(meta, entry);

		pages -= entry->block_count - used;
		for (uint32 p = 0; p < used && sampled < NTS_DIRECTORY_DELTAS; p++, sampled++)
			sampled_rows += nts_delta_waiting_rows(rel, entry->first_block + p, entry->generation);
	}
	return sampled == 0 ? rows : rows + pages * sampled_rows / sampled;
}
