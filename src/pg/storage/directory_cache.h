/*
 * directory_cache.h - the directory as a backend remembers it between queries.
 *
 * What a NtsDirectory says of entries is what the directory pages said at one cache generation. Whether a snapshot sees
 * an entry is still asked for each snapshot; but for nearly all entries the answer has settled: their transactions
 * ended before the directory was read. Those need not be looked at again one by one.
 */
#ifndef NTS_STORAGE_DIRECTORY_CACHE_H
#define NTS_STORAGE_DIRECTORY_CACHE_H

#include "postgres.h"

#include "lib/ilist.h"

#include "pg/compat.h"
#include "pg/storage/storage.h"

/* What is known of the times of one segment, or of all in a run. */
typedef struct NtsTimeBounds
{
	uint32		time_column;	/* number of the column; 0: nothing is known */
	bool		has_time;		/* min_time and max_time are set; false: every row's time is NULL */
	bool		has_null_time;
	int64		min_time;
	int64		max_time;
	uint64		rows;
} NtsTimeBounds;

/* Entries that bounds are kept of together. */
#define NTS_DIRECTORY_RUN 128
/* Delta extents of which pages are looked at to guess at the rows of others. */
#define NTS_DIRECTORY_DELTAS 8

/* The entries in use of one directory page; shared by copies of the directory in which it is the same. */
typedef struct NtsDirectoryPage
{
	int			references;
	BlockNumber block;
	XLogRecPtr	lsn;			/* of the page as it was read */
	int			count;
	NtsEntryRef entries[FLEXIBLE_ARRAY_MEMBER];
} NtsDirectoryPage;

/*
 * Never changes while somebody has it open; the members behind the line belong to the cache. A place is the number of
 * an entry: nts_directory_entry.
 */
typedef struct NtsDirectory
{
	NtsDirectoryPage **pages;
	int			page_count;
	uint64	   *sorted;			/* first_block << 32 | place of all entries in use, in order */
	int			count;
	/*
	 * Every snapshot that does not see `newest`, or an older transaction, as running sees the entries `live`, by
	 * first_block, and none of the others but perhaps those `unsettled`. Invalid: every snapshot.
	 */
	TransactionId newest;
	int32	   *live;
	int			live_count;
	int32	   *unsettled;
	int			unsettled_count;
	int32	   *dictionaries;	/* sets that have been published, by whomever; they have no rows, so they are not in
								 * `live` and seen by no snapshot */
	int			dictionary_count;
	NtsTimeBounds *runs;		/* of each NTS_DIRECTORY_RUN entries of `live`; a delta extent's are not known */
	uint64		live_rows;		/* of the segments and frozen delta extents of `live` */
	uint64		delta_blocks;	/* of the delta extents that are not frozen, */
	int32		deltas[NTS_DIRECTORY_DELTAS];	/* and the newest of these, newest first */
	int			delta_count;
	/* ---- */
	int			references;
	MemoryContext context;		/* holds all of it but the pages, which go when it is reset */
	Oid			relid;
	NtsFileNode node;
	uint64		cache_generation;
	TransactionId horizon;		/* what ended before it has settled */
	uint64		looks;			/* at unsettled entries */
	uint64		bytes;
	bool		is_cached;		/* false: goes with its last reference */
	dlist_node	use;
} NtsDirectory;

static inline const NtsEntryRef *
nts_directory_entry(const NtsDirectory *directory, int32 place)
{
	return &directory->pages[place / NTS_ENTRIES_PER_PAGE]->entries[place % NTS_ENTRIES_PER_PAGE];
}

extern void nts_directory_cache_init(void);
/*
 * The directory now, and the metapage that goes with it; NULL for an empty table, whose *meta is all zero. It is held
 * until `context` is reset. Errors leave the cache as it was.
 */
extern NtsDirectory *nts_directory_open(Relation rel, MemoryContext context, NtsMeta *meta);
/* Forgets the relation's: its file is emptied in place, and starts again at the first cache generation. */
extern void nts_directory_forget(Relation rel);
/* May the snapshot rely on `live`? Otherwise each entry must be asked. */
extern bool nts_directory_is_settled(const NtsDirectory *directory, Snapshot snapshot);
/* ---- sets of trained dictionaries (dictionaries.c) ---- */

/* The one that new segments use: its maker has committed, and none is newer. NULL: there is none. */
extern const NtsEntryRef *nts_dictionaries_newest(const NtsDirectory *directory);
/* The one with this id; NULL: it is not there. */
extern const NtsEntryRef *nts_dictionaries_place(const NtsDirectory *directory, uint32 id);

extern void nts_entry_time_bounds(const NtsEntry *entry, NtsTimeBounds *bounds);
/* Rows that are there for everybody, as a guess for the planner: looks at a few pages of L0 at most. */
extern double nts_directory_estimate_rows(Relation rel, NtsDirectory *directory, const NtsMeta *meta);

#endif							/* NTS_STORAGE_DIRECTORY_CACHE_H */
