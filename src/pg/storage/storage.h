/*
 * storage.h - the facade of src/pg/storage: metapage, directory, delta pages,
 * segment pages, visibility. Only this room touches buffers and WAL.
 *
 * Lock order and what each lock protects: README.md. Every function takes and
 * releases its own locks and returns with none held, unless it says otherwise.
 */
#ifndef NTS_STORAGE_STORAGE_H
#define NTS_STORAGE_STORAGE_H

#include "postgres.h"

#include "storage/buf.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "nodedb_ts/core.h"
#include "pg/storage/format.h"

/*
 * What a backend remembers of one relation file between transactions. All of it
 * may be forgotten at any time (nts_storage_forget); a stale tail is noticed
 * under the page's lock, one behind the file's end before that: the tail is also the
 * file's target block in PostgreSQL's smgr, which forgets it when the file is cut. Row ids of a forgotten range are never handed out.
 */
typedef struct NtsStorage
{
	BlockNumber tail_block;		/* where this backend appends batches */
	uint64		tail_generation;
	uint64		next_row_id;	/* rest of the reserved range */
	uint64		end_row_id;
	uint64		reserve_count;	/* ids to reserve next time */
	uint32		time_column;	/* number of the column whose times outputs tell; 0: none */
	bool		extent_opened;	/* a delta extent was, since the backend last looked at the backlog */
	uint64		moved_below;	/* see nts_delta_backlog */
} NtsStorage;

extern void nts_storage_forget(NtsStorage *storage);

/* ---- metapage ---- */

/* Copies the metapage; false: the table is empty and has none. */
extern bool nts_meta_read(Relation rel, NtsMeta *meta);
/* Makes metapage and directory when there are none. */
extern void nts_meta_ensure(Relation rel);
/* Reserves `count` row ids that nobody had before; returns the first. 54000 when
 * the 2^48 - 2^40 ids of a table are used up. */
extern uint64 nts_meta_reserve_row_ids(Relation rel, uint64 count);
/* The next id of the backend's range. */
extern uint64 nts_storage_next_row_id(Relation rel, NtsStorage *storage);

/* ---- directory ---- */

/* An entry in memory, with its place. */
typedef struct NtsEntryRef
{
	NtsEntry	entry;
	uint32		slot;
	BlockNumber directory_block;
	uint16		index;			/* on that page */
} NtsEntryRef;

/*
 * The entries that are in use (with_free: free extents, too), checked, palloc'd in
 * the current context, in order of slots; *meta: the metapage as it was just before.
 * *count = 0 and NULL for an empty table, whose *meta is all zero.
 */
extern NtsEntryRef *nts_directory_read(Relation rel, NtsMeta *meta, bool with_free, int *count);

/* Pages of a delta extent that have been initialized, going by a copy of the metapage
 * that was read before the entry; what came later no snapshot taken before can see. */
extern uint32 nts_delta_pages(const NtsMeta *meta, const NtsEntry *entry);

/* ---- extents (extent.c) ---- */

/*
 * Allocates an extent of block_count blocks, a free one or at the end of the relation,
 * and writes its entry (entry's extent and generation are filled in) in the same
 * record. The file is long enough afterwards. delta: the metapage points to it as the
 * newest delta extent; false when that still has unused pages, then nothing was done.
 */
extern bool nts_extent_allocate(Relation rel, NtsEntryRef *ref, uint32 block_count, bool delta);

/*
 * The same, but only a free extent before block `below` will do: the smallest one that
 * fits, for a single block the first one. false: there is none; nothing was done.
 */
extern bool nts_extent_allocate_below(Relation rel, NtsEntryRef *ref, uint32 block_count,
									  BlockNumber below);

/*
 * Gives an entry's extent back. delta extents: delta_pages pages, all the initialized
 * ones, are sealed and gone for everybody. false: another page has come since, or the
 * entry's state has changed; nothing was done.
 * REQUIRES: ShareUpdateExclusiveLock; no snapshot needs what it held; a conflict with
 * standbys was logged (nts_wal_conflict).
 */
extern bool nts_extent_free(Relation rel, const NtsEntryRef *ref, uint32 delta_pages);

/* Joins neighbouring free extents that may be used again. REQUIRES: ShareUpdateExclusiveLock. */
extern void nts_extent_merge(Relation rel);
/* Blocks at the file's end that nobody uses. */
extern BlockNumber nts_extent_free_tail(Relation rel);
/* Cuts them off; returns how many. REQUIRES: AccessExclusiveLock. */
extern BlockNumber nts_extent_truncate(Relation rel);

/*
 * The entry `used` takes over the extent of `copy`, which is building and as long, and holds the same bytes; that of
 * `copy` becomes a free extent with the blocks that `used` had. One record. REQUIRES: AccessExclusiveLock.
 */
extern void nts_extent_swap(Relation rel, const NtsEntryRef *used, const NtsEntryRef *copy);
/* The directory's page (not its first one) moves to the extent of `copy`, of one block, likewise. Same requirement. */
extern void nts_extent_swap_directory(Relation rel, BlockNumber block, const NtsEntryRef *copy);

/* ---- sets of trained dictionaries (dictionaries.c) ---- */

/* Does any of the entries, which are all that are in use, refer to this set, or may a new segment? */
extern bool nts_dictionaries_are_needed(const NtsEntryRef *entries, int count, const NtsEntry *entry);
/*
 * Retires sets that new segments use no more, and frees those retired before that nobody refers to or can still be
 * about to; returns how many blocks. entries: all in use, read after oldest_xmin was determined.
 * REQUIRES: ShareUpdateExclusiveLock.
 */
extern uint64 nts_dictionaries_clean(Relation rel, NtsEntryRef *entries, int count, TransactionId oldest_xmin);

/* ---- packing (pack.c) ---- */

/* What moving segments and directory pages from the file's end into free extents would give. */
typedef struct NtsPackPlan
{
	BlockNumber used_end;		/* first block behind what is in use now, */
	BlockNumber packed_end;		/* and then */
} NtsPackPlan;

/* all: counts free extents, too, that may not be used again yet. */
extern void nts_pack_plan(Relation rel, bool all, NtsPackPlan *plan);

typedef struct NtsPacking NtsPacking;

/* Plans to move at most max_blocks blocks (or one segment). Frees with the current memory context.
 * REQUIRES of all that follow: ShareUpdateExclusiveLock. */
extern NtsPacking *nts_pack_begin(Relation rel, BufferAccessStrategy strategy, uint64 max_blocks);
/* Copies the next few pages; false: all are copied, there is no room for more, or what was to be
 * copied is damaged (a warning says so). */
extern bool nts_pack_copy(NtsPacking *packing);
/* Is anything copied as a whole? */
extern bool nts_pack_is_ready(const NtsPacking *packing);
extern bool nts_pack_is_damaged(const NtsPacking *packing);
/* Writes the copies' WAL to disk, while nobody waits for that. */
extern void nts_pack_flush(const NtsPacking *packing);
/* Lets the copies take the places of what was copied; returns how many blocks moved.
 * REQUIRES: AccessExclusiveLock. */
extern uint64 nts_pack_finish(NtsPacking *packing);
/* Frees the copies. */
extern void nts_pack_abandon(NtsPacking *packing);

/* Overwrites an entry in place (its checksum is set here). conflict_check: make
 * the serializable conflict-in check under the locks first. */
extern void nts_entry_write(Relation rel, NtsEntryRef *ref, bool conflict_check);

/* ---- delta pages ---- */

/*
 * Appends a batch to a delta page of the backend's choice. first_row_id: of the
 * batch's rows, which are consecutive. moved_in: the rows were moved here by xid.
 * head_length: of the payload's head.
 */
extern void nts_delta_append(Relation rel, NtsStorage *storage, TransactionId xid, CommandId cid,
							 const NtsOutput *output, Size head_length, uint64 first_row_id,
							 bool moved_in);

/* Copies an initialized delta page. Errors when it belongs to another extent. */
extern void nts_delta_read(Relation rel, const NtsEntry *entry, BlockNumber block,
						   BufferAccessStrategy strategy, char *page);

/* A batch of a copied page; pointers lead into the copy. */
typedef struct NtsBatch
{
	Size		xmin_at;		/* where its xmin stands on the page */
	uint8		kind;			/* NTS_BATCH_* */
	uint8		layout;			/* of the payload, see FORMAT.md */
	uint32		rows;
	uint64		row_id;			/* of its first row */
	TransactionId xmin;
	CommandId	cid;			/* smallest command id of its rows */
	const uint8 *head;			/* payload = head, body; head_length may be 0 */
	Size		head_length;
	Size		own_head_length;	/* of the head at the start of body, if head_length is 0 */
	const uint8 *body;
	Size		body_length;
} NtsBatch;

/* As the core wants it. */
static inline NtsBatchBytes
nts_batch_bytes(const NtsBatch *batch)
{
	NtsBatchBytes bytes = {batch->head, batch->head_length, batch->body, batch->body_length, batch->rows, batch->layout, false};

	return bytes;
}

/* A place on a copied page; all zero: its start. */
typedef struct NtsBatchCursor
{
	Size		offset;			/* from the start of the page's content */
	uint64		next_row_id;
	Size		head_at;
	Size		head_length;
} NtsBatchCursor;

/* Walks the batches of a copied page; false at the end. Errors when a batch does not
 * fit into the page. */
extern bool nts_delta_next(Relation rel, BlockNumber block, const char *page,
						   NtsBatchCursor *cursor, NtsBatch *batch);

/*
 * Seals the page and marks all its batches as moved by (xid, cid), if every one of
 * them has ended, and not after `snapshot` (if not NULL) was taken. Copies the page as
 * it was to `page`. false: somebody is still in progress, or it is moved already, or
 * has no rows; nothing changed. removes: some rows will not be written again, so the
 * serializable conflict-in check is made.
 */
extern bool nts_delta_move(Relation rel, const NtsEntry *entry, BlockNumber block,
						   TransactionId xid, CommandId cid, Snapshot snapshot, bool removes,
						   char *page);

/* What VACUUM and ts_flush may do to transaction ids, and what they found. */
typedef struct NtsCleanup
{
	TransactionId oldest_xmin;	/* every snapshot sees what ended before it */
	TransactionId freeze_limit; /* older ids must go; Invalid: only where it is free */
	TransactionId conflict_logged;	/* standbys were told of removals up to this xid */
	TransactionId remaining;	/* out: oldest id that is still there, or Invalid */
	double		live_rows;		/* out */
	double		dead_rows;		/* out: gone, but older snapshots may see them */
} NtsCleanup;

/* Tells standbys, once, before what xid committed or removed is frozen or freed. */
extern void nts_cleanup_conflict(Relation rel, BlockNumber block, NtsCleanup *cleanup,
								 TransactionId xid);
/* Notes an id that stays. */
extern void nts_cleanup_keep(NtsCleanup *cleanup, TransactionId xid);

typedef struct NtsPageFate
{
	bool		gone;			/* sealed, and nobody will look at its rows again */
	bool		frozen;			/* sealed, and without any transaction id */
	uint32		rows;			/* live ones */
} NtsPageFate;

/*
 * Cleans one delta page: finished moves and pages of dead batches become gone, aborted
 * moves are taken back, old ids are frozen, aborted ones marked dead. meta: a copy, for
 * the open pages. REQUIRES: ShareUpdateExclusiveLock.
 */
extern void nts_delta_clean(Relation rel, const NtsMeta *meta, const NtsEntry *entry,
							BlockNumber block, BufferAccessStrategy strategy,
							NtsCleanup *cleanup, NtsPageFate *fate);

/* Copies what anybody may still read on a delta page to another relation, clean of what
 * oldest_xmin allows (VACUUM FULL: both tables are locked against everybody). */
extern void nts_delta_copy_page(Relation from, const NtsEntry *entry, BlockNumber block,
								Relation to, NtsStorage *storage, NtsCleanup *cleanup);

/* ---- what waits for a flush (backlog.c) ---- */

/* Does a page that takes batches hold any? Looks at the open pages only; what else has come is told by a change of
 * the metapage's delta_next. */
extern bool nts_delta_open_rows(Relation rel, const NtsMeta *meta);
/* Rows of a delta page that nobody has moved, nor tried to; 0, too, if it is no page of that generation. */
extern uint32 nts_delta_waiting_rows(Relation rel, BlockNumber block, uint64 generation);
/*
 * Pages of L0 with rows that nobody has moved. A number up to `limit` may be too large, one beyond it may be too small:
 * it stops there. *moved_below: extents of a smaller generation are known as moved and are not looked at; 0 at first,
 * kept by the caller, raised here. Of extents that were freed meanwhile it says nothing.
 */
extern uint64 nts_delta_backlog(Relation rel, uint64 *moved_below, uint64 limit);
/* Sorts entries by generation: oldest extents first. */
extern void nts_entries_sort(NtsEntryRef *entries, int count);

/* ---- segments ---- */

/* A segment on its way to storage. */
typedef struct NtsSegmentWriter
{
	Relation	rel;
	NtsEntryRef ref;
	uint32		pages;			/* written at once, */
	uint64		piece;			/* with so many bytes */
	uint64		left;			/* bytes still to come */
	uint32		next;			/* page of the extent */
	BufferAccessStrategy strategy;
} NtsSegmentWriter;

/*
 * Allocates the extent of a segment of `length` bytes; its entry is "building".
 * template: level, flags, xmin, cmin, times, row ids, rows, footer_offset.
 */
extern void nts_segment_begin(Relation rel, const NtsEntry *template, uint64 length,
							  NtsSegmentWriter *writer);
/* Writes and logs the next Min(left, piece) bytes. */
extern void nts_segment_append(NtsSegmentWriter *writer, const uint8 *bytes);
/* Nothing is left: gives the entry its final state. conflict_check: as nts_entry_write. */
extern void nts_segment_publish(NtsSegmentWriter *writer, uint8 state, bool conflict_check);

/* All of that for a segment in memory, which becomes live. */
extern void nts_segment_write(Relation rel, const NtsEntry *template, const uint8 *bytes,
							  uint64 length);

/* To write a segment again, byte by byte, in another extent: the one that `entry` names (VACUUM's packing). */
extern void nts_segment_rewrite_begin(Relation rel, const NtsEntry *entry, BufferAccessStrategy strategy,
									  NtsSegmentWriter *writer);

/* Copies a segment of another relation, entry and all but its place (VACUUM FULL). */
extern void nts_segment_copy(Relation from, const NtsEntry *entry, Relation to);

/* Copies bytes [offset, offset+length) of a segment; every page is checked. */
extern void nts_segment_read(Relation rel, const NtsEntry *entry, uint64 offset, uint64 length,
							 BufferAccessStrategy strategy, uint8 *bytes);

/* ---- visibility ---- */

typedef enum NtsXidFate
{
	NTS_XID_RUNNING,
	NTS_XID_ABORTED,			/* also: 0, the mark of dead batches */
	NTS_XID_COMMITTED,			/* some snapshot may not see it yet */
	NTS_XID_SEEN,				/* committed before oldest_xmin: all snapshots see it */
	NTS_XID_FROZEN
} NtsXidFate;

extern NtsXidFate nts_xid_fate(TransactionId xid, TransactionId oldest_xmin);

/* May rows of (xmin, cid) be seen? For xmin of the own transaction, `cid` is
 * compared; pass a segment's smallest cid and compare row by row where it stores
 * command ids. Reports conflicts out to serializable readers. */
extern bool nts_xmin_visible(Relation rel, TransactionId xmin, CommandId cid, bool moved_in,
							 Snapshot snapshot);
/* Is what (xmax, cmax) moved or killed gone for this snapshot? A dirty one learns of a killer in progress. */
extern bool nts_xmax_gone(TransactionId xmax, CommandId cmax, bool killed, Snapshot snapshot);
/* Reports conflicts out to serializable readers, for its maker and its killer. */
extern bool nts_entry_visible(Relation rel, const NtsEntry *entry, Snapshot snapshot);
/* Are the batches of a copied delta page still to be read from it? Reports conflicts as above. */
extern bool nts_delta_page_visible(Relation rel, const char *page, Snapshot snapshot);
extern bool nts_batch_visible(Relation rel, const NtsBatch *batch, Snapshot snapshot);

/* ---- for checks that go on after what they find (check.c) ---- */

/* Copies a page as it is. REQUIRES block < nts_file_blocks(rel). */
extern void nts_page_copy(Relation rel, BlockNumber block, BufferAccessStrategy strategy,
						  char *page);
/* Is all zero that nobody uses: the hole, parts of the header, and of the special area the
 * flags but `flags`, and `next` but on directory pages? Of a page that nts_page_check
 * has passed. */
extern bool nts_page_rest_is_zero(const char *page, uint16 flags);
/* What is wrong with a stored xid ("has not been given out yet"), or NULL. oldest: the
 * table's relfrozenxid, read before the page. */
extern const char *nts_xid_problem(TransactionId xid, TransactionId oldest);
/* What is wrong with an entry that was read from its page, or NULL. allocated_end:
 * MaxBlockNumber when it is not known. */
extern const char *nts_entry_problem(const NtsEntry *entry, BlockNumber allocated_end);

/* ---- shared inside the room ---- */

/* May a free extent be used again? */
extern bool nts_extent_is_reusable(Relation rel, const NtsEntry *entry);
extern bool nts_tail_is_open(const NtsMeta *meta, BlockNumber block);
/* Makes a fresh page of the relation a sealed copy of this one. */
extern void nts_delta_put_page(Relation rel, NtsStorage *storage, const char *page);

extern void nts_page_check(Relation rel, BlockNumber block, Page page, uint8 kind,
						   uint64 generation);
/* The checksum that a delta page should have, and what its special area adds to it. */
extern uint32 nts_delta_checksum(const char *page);
extern uint32 nts_delta_special_checksum(const NtsDeltaSpecial *special);
/* Raises XX001 unless a copied delta page has the checksum that it says. */
extern void nts_delta_check(Relation rel, BlockNumber block, const char *page);
extern uint32 nts_meta_checksum(const NtsMeta *meta);
extern void nts_page_init(char *image, uint8 kind, uint64 generation, Size special_size);
extern void nts_entry_set_crc(NtsEntry *entry);
extern void nts_entry_check(Relation rel, const NtsEntry *entry, uint32 slot);
/* Copies and checks a directory page; returns the entries on it. */
extern int	nts_directory_copy(Relation rel, BlockNumber block, char *page);
/* The page behind a copied directory page, or InvalidBlockNumber; XX001 when there is
 * none at that place. */
extern BlockNumber nts_directory_next(Relation rel, BlockNumber block, Page page);
extern Buffer nts_meta_lock(Relation rel, int mode, NtsMeta **meta);
/* Blocks of the main fork. (RelationGetNumberOfBlocks would ask the access method,
 * whose answer first writes buffered rows.) */
extern BlockNumber nts_file_blocks(Relation rel);
/* Caller holds the relation extension lock (or the relation is local). */
extern void nts_file_extend(Relation rel, BlockNumber block_count);
extern void nts_lock_extension(Relation rel);
extern void nts_unlock_extension(Relation rel);

#endif							/* NTS_STORAGE_STORAGE_H */
