/*
 * am.h - shared by the files of src/pg/am: the write buffer, readers, the slot
 * type and the callbacks of the table access method.
 */
#ifndef NTS_AM_AM_H
#define NTS_AM_AM_H

#include "postgres.h"

#include "access/relscan.h"
#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "executor/tuptable.h"
#include "lib/ilist.h"
#include "storage/itemptr.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "nodedb_ts/core.h"
#include "pg/compat.h"
#include "pg/storage/directory_cache.h"
#include "pg/storage/storage.h"

/* ---- row ids and tuple ids ---- */

/*
 * 2^40 ids, a lap, have offsets 1 to 256, which index scans by bitmap accept; the next lap
 * has the same blocks and offsets 257 to 512, and so on. So ids do not lie in the order of
 * their tuple ids once there is a second lap.
 */
#define NTS_LAP_BITS 40

static inline void
nts_row_id_to_tid(uint64 row_id, ItemPointer tid)
{
	uint64		lap = row_id >> NTS_LAP_BITS;

	ItemPointerSet(tid, (BlockNumber) (row_id >> 8), (OffsetNumber) (lap << 8 | (row_id & 0xff)) + 1);
}

/* NTS_NO_ROW_ID for a tuple id that no row can have. */
static inline uint64
nts_tid_to_row_id(ItemPointer tid)
{
	OffsetNumber offset = ItemPointerGetOffsetNumberNoCheck(tid);

	if (offset < 1 || offset > NTS_ROW_ID_LIMIT >> (NTS_LAP_BITS - 8))
		return NTS_NO_ROW_ID;
	return (uint64) ((offset - 1) >> 8) << NTS_LAP_BITS |
		(uint64) ItemPointerGetBlockNumberNoCheck(tid) << 8 | ((offset - 1) & 0xff);
}

/* Both bounds belong to it, and may be tuple ids that no row can have. */
typedef struct NtsTidRange
{
	ItemPointerData first;
	ItemPointerData last;
} NtsTidRange;

static inline bool
nts_tid_range_holds(const NtsTidRange *range, uint64 row_id)
{
	ItemPointerData tid;

	nts_row_id_to_tid(row_id, &tid);
	return ItemPointerCompare(&tid, unconstify(ItemPointerData *, &range->first)) >= 0 &&
		ItemPointerCompare(&tid, unconstify(ItemPointerData *, &range->last)) <= 0;
}

/* False only if none of the ids first_id to last_id is in the range. */
static inline bool
nts_tid_range_may_hold(const NtsTidRange *range, uint64 first_id, uint64 last_id)
{
	if (first_id >> NTS_LAP_BITS != last_id >> NTS_LAP_BITS)
		return true;
	return (BlockNumber) (last_id >> 8) >= ItemPointerGetBlockNumberNoCheck(&range->first) &&
		(BlockNumber) (first_id >> 8) <= ItemPointerGetBlockNumberNoCheck(&range->last);
}

/* ---- schema.c ---- */

/* Fills columns[natts] from the row type. */
extern void nts_schema_columns(TupleDesc desc, NtsColumn *columns);
/* Time column and bucket width of a table; columns as filled above. */
extern void nts_schema_build(Relation rel, const NtsColumn *columns, NtsSchema *schema);
/* Series columns that the user has chosen, as nts_part_set_series takes them. */
typedef struct NtsSeries
{
	bool		is_set;
	uint32		count;
	uint16		columns[16];
} NtsSeries;
/* false: there is no such choice. */
extern bool nts_schema_series(Relation rel, NtsSeries *series);

/* ---- buffer.c: rows of this transaction that are not in shared storage yet ---- */

struct NtsTableBuffer;

extern void nts_buffer_init(void);
/* Adds the rows of slots. hand_out_ids: a row gets its id now and the slot's tts_tid
 * is set; otherwise tts_tid becomes invalid. */
extern void nts_buffer_insert(Relation rel, TupleTableSlot **slots, int count, CommandId cid,
							  bool hand_out_ids);
/* Writes this transaction's rows of the relation (of all relations) to storage. */
extern void nts_buffer_flush_relation(Relation rel);
extern void nts_buffer_flush_all(void);
/* Writes the rows of a table that is about to be dropped: a rollback to a savepoint
 * may bring it back. */
extern void nts_buffer_before_drop(Oid relid);
/* Forgets rows and cached positions of a relation's file. */
extern void nts_buffer_discard(Relation rel);
/* A buffered row by id; false when none has it. The values point into the buffer. */
extern bool nts_buffer_fetch(Relation rel, uint64 row_id, Snapshot snapshot, TupleTableSlot *slot);
/* Writes everything that a part of the core holds; used for flush as well. */
typedef struct NtsWriteTarget
{
	Relation	rel;
	NtsStorage *storage;
	TransactionId xid;
	uint8		level;
	uint32		head_length;	/* of batch payloads of the table's row type */
	uint16		entry_flags;	/* added to every segment's entry */
	uint32		time_column;	/* number of the column whose times outputs tell; 0: none */
	uint64		segments;		/* out: published */
} NtsWriteTarget;
/* The entry of a segment, without row ids. */
extern void nts_buffer_describe(const NtsWriteTarget *target, const NtsOutput *output,
								NtsEntry *entry);
extern void nts_buffer_write_output(NtsWriteTarget *target, const NtsOutput *output,
									bool keep_command_ids);
extern NtsManager *nts_buffer_manager(void);
/* This backend's counters, with rows that never saw a memtable. */
extern void nts_buffer_counters(NtsCounters *counters);
/* Cached storage state of a relation, with the row type and options that its positions and outputs go by;
 * the columns of *schema belong to the buffer: copied before anything else is done with the table. */
extern NtsStorage *nts_buffer_target(Relation rel, NtsSchema *schema, NtsSeries *series);
/* Called before a transaction commits, for a table in which it has opened a delta extent, when all its rows are in
 * storage; set by maintenance. */
typedef void (*NtsAdmit) (Relation rel, NtsStorage *storage);
extern NtsAdmit nts_buffer_admit;

/* ---- segment_cache.c: parsed footers, kept between queries ---- */

/* A series key's first column in the first and the last row of a row group or vector; the bytes of text and the like. */
typedef struct NtsKeyBounds
{
	const uint8 *first;			/* NULL: the value is NULL, which comes last */
	uint32		first_length;
	const uint8 *last;
	uint32		last_length;
} NtsKeyBounds;

/* The distinct values that a chunk lists. */
typedef struct NtsValueList
{
	bool		is_known;		/* false: they are not listed, or are many */
	uint32		count;			/* 0: all rows are NULL */
	Datum	   *values;			/* not NULL; some may be of no row */
	bool		some_null;		/* some row is NULL */
	bool		is_dictionary;
	uint64	   *members;		/* by vector: bit i % 64 is set when some row has values[i]; or NULL */
	uint8	   *nulls;			/* by vector: some row is NULL */
} NtsValueList;

typedef struct NtsCachedSegment
{
	int			references;
	MemoryContext context;		/* holds this and what is hung on: nts_segment_cache_context */
	NtsSegment *core;
	NtsKeyBounds *bounds;		/* one for each row group, or NULL: not asked for yet */
	NtsKeyBounds **vector_bounds;	/* by row group: one for each vector, or NULL */
	NtsValueList ***value_lists;	/* by row group and column, or NULL at each level */
	NtsStatistics ***vector_statistics; /* likewise: one for each vector */
	/* the cache's own: */
	Oid			relid;
	NtsFileNode node;
	uint64		generation;
	uint64		byte_length;
	uint64		footer_offset;
	bool		grown;			/* something was hung on since it was last released */
	uint64		hung_bytes;		/* of the context; */
	uint64		bytes;			/* and with the core's, as counted when it was last released */
	bool		has_parsed;		/* what was parsed of chunks may be there */
	bool		is_cached;		/* false: goes with its last reference */
	dlist_node	use;
} NtsCachedSegment;

extern void nts_segment_cache_init(void);
/* Both return a reference, to be released. NULL: not there. add: takes over `core`, unless it fails; core was opened
 * with the relation's current row type. */
extern NtsCachedSegment *nts_segment_cache_find(Relation rel, const NtsEntry *entry);
extern NtsCachedSegment *nts_segment_cache_add(Relation rel, const NtsEntry *entry, NtsSegment *core);
/* Drops the relation's segments: its file is emptied in place, and starts again at the first generation. */
extern void nts_segment_cache_forget(Relation rel);
extern void nts_segment_cache_release(NtsCachedSegment *segment);
/* Where to put what is hung on the segment. */
extern MemoryContext nts_segment_cache_context(NtsCachedSegment *segment);

/* ---- chunk_cache.c: chunks that were read and checked, kept between queries ---- */

typedef struct NtsCachedChunk
{
	int			references;
	bool		is_cached;		/* false: goes with its last reference */
	dlist_node	use;
	Oid			relid;
	NtsFileNode node;
	uint64		generation;
	uint32		group;
	int32		column;
	uint64		length;
	uint8		bytes[FLEXIBLE_ARRAY_MEMBER];
} NtsCachedChunk;

/* Both return a reference, to be released. find: NULL: not there. make: room for bytes, which nobody finds yet. */
extern NtsCachedChunk *nts_chunk_cache_find(Relation rel, uint64 generation, uint32 group, int32 column, uint64 length);
extern NtsCachedChunk *nts_chunk_cache_make(Relation rel, uint64 generation, uint32 group, int32 column, uint64 length);
/* Its bytes are there and were found sound. */
extern void nts_chunk_cache_keep(NtsCachedChunk *chunk);
extern void nts_chunk_cache_release(NtsCachedChunk *chunk);
/* Drops those of a table, of all tables if InvalidOid. */
extern void nts_chunk_cache_forget(Oid relid);

/* ---- dictionary_cache.c: sets of trained dictionaries, parsed, kept between queries ---- */

/* The set that the entry holds; valid until the next call of one of these functions, but whoever is handed it in the
 * core keeps it. */
extern const NtsDictionaries *nts_dictionary_cache_get(Relation rel, const NtsEntry *entry);
/* The same for who can do without; NULL, and a warning, if it cannot be read (for_good: if it is damaged or of a format that
 * is not known; what may pass is an error). */
extern const NtsDictionaries *nts_dictionary_cache_try(Relation rel, const NtsEntry *entry, bool for_good);
/* Hands in the set with this id to the segment that refers to it; XX001 when it is not there. directory: where to look
 * first, or NULL. */
extern void nts_dictionaries_hand_in(Relation rel, const NtsDirectory *directory, uint32 id, NtsSegment *segment);
/*
 * The set that new segments may refer to, or NULL: there is none, or it cannot be read. Valid as above. REQUIRES: the transaction has an id, and keeps it
 * until the segments are published: by that VACUUM knows that a set is still about to be used.
 */
extern const NtsDictionaries *nts_dictionaries_for_writing(Relation rel);
/* Drops those of a table, of all tables if InvalidOid. */
extern void nts_dictionary_cache_forget(Oid relid);

/* ---- reader.c: what a snapshot sees, vector by vector ---- */

typedef struct NtsColumnData
{
	Datum	   *values;
	uint8	   *nulls;
	bool		filled;
	bool		uniform;		/* known: all rows have the same word, or all are NULL */
	bool		order_known;	/* it was looked at, and */
	bool		ascends;		/* words ascend, and none is NULL */
} NtsColumnData;

struct NtsRowGroup;

/* What was decoded of segments. */
typedef struct NtsDecoded
{
	uint64		vectors;		/* of which some column was */
	uint64		bytes;			/* of the values as they are in memory */
} NtsDecoded;

/*
 * Up to 1 024 rows of a segment, or the visible rows of a delta page. Shared by
 * the scan and the slots that show its rows; freed with the last reference.
 */
typedef struct NtsVectorSet
{
	int			references;
	MemoryContext context;		/* holds this struct and the arrays */
	MemoryContext data_context; /* holds by-reference values; reset per load */
	Relation	rel;			/* NULL once nothing can be filled any more */
	TupleDesc	desc;
	int			natts;
	uint32		rows;
	uint32		wanted;			/* of a segment: values behind as many rows need not be right in columns filled from now on */
	uint32		room;			/* rows that the arrays hold */
	NtsColumnData *columns;		/* natts */
	struct NtsRowGroup *group;	/* where unfilled columns come from, or NULL */
	uint32		vector;			/* in that row group */
	NtsDecoded *decoded;		/* counts what is filled; NULL: nobody does */
	bool		is_counted;		/* as a vector, there */
	uint64		segment_row;	/* position of its first row in the segment */
	uint64		first_row_id;
	uint64	   *row_ids;		/* or NULL: consecutive */
	TransactionId xmin;
	TransactionId *xmins;		/* or NULL: all the same */
	CommandId	cid;
	uint32	   *cids;			/* or NULL: all the same */
	uint8	   *hidden;			/* or NULL: 1 for rows the snapshot does not see */
} NtsVectorSet;

extern void nts_vector_set_fill(NtsVectorSet *set, int column);
/*
 * Is this the time column that the set's segment was built with, and do its words ascend, none of them NULL? It is filled
 * then. Of other columns that is not looked at.
 */
extern bool nts_vector_set_ascends(NtsVectorSet *set, int column);
extern void nts_vector_set_release(NtsVectorSet *set);
/* Id of the trained dictionaries that nts_vector_set_fill will ask for; 0: of none. */
extern uint32 nts_vector_set_dictionaries(const NtsVectorSet *set, int column);

typedef struct NtsReader NtsReader;

/*
 * Decides at once which entries the snapshot sees. Memory comes from `context`.
 * desc: what rows are decoded as; a table rewrite reads with the row type that the
 * table had before.
 */
extern NtsReader *nts_reader_open(Relation rel, TupleDesc desc, Snapshot snapshot,
								  MemoryContext context, BufferAccessStrategy strategy);
extern void nts_reader_close(NtsReader *reader);
/* Counts what is decoded there; before the first unit. `decoded` must outlive the reader. */
extern void nts_reader_count_decoded(NtsReader *reader, NtsDecoded *decoded);

/* A place among the units (vectors and delta pages) of a reader. */
typedef struct NtsPosition
{
	int			entry;
	uint32		group;			/* delta extent: page in the extent. Behind the last one of a segment: its last rows, if
								 * it has them, which no step leads to */
	uint32		vector;
} NtsPosition;

/* Loads the first (last) unit at or after (before) the position that has rows;
 * NULL when there is none. The position is left on it. The reader owns the result. */
extern NtsVectorSet *nts_reader_first(NtsReader *reader, NtsPosition *position, bool forward);
extern NtsVectorSet *nts_reader_step(NtsReader *reader, NtsPosition *position, bool forward);
/* The unit at a position; NULL when it has no visible row. */
extern NtsVectorSet *nts_reader_load(NtsReader *reader, const NtsPosition *position);
/* Is the entry a delta extent? Its groups are pages then, of one unit each; otherwise it is a segment's row groups. */
extern bool nts_reader_is_delta(NtsReader *reader, int entry);
extern uint32 nts_reader_groups(NtsReader *reader, int entry);
extern uint32 nts_reader_vectors(NtsReader *reader, int entry, uint32 group);
extern uint32 nts_reader_group_rows(NtsReader *reader, int entry, uint32 group);
extern uint32 nts_reader_vector_rows(NtsReader *reader, int entry, uint32 group, uint32 vector);
/* May some rows of the segment be hidden from the snapshot, which are known only when they are read? */
extern bool nts_reader_hides_rows(NtsReader *reader, int entry);
/* What a row group's footer says of a column (0-based). false: nothing, since the segment does not store the column. */
extern bool nts_reader_statistics(NtsReader *reader, int entry, uint32 group, int column,
								  NtsStatistics *statistics);
/* What the column's chunk says of each vector, good as long as the reader stays in the entry. NULL: nothing, or the segment
 * is not cached. */
extern const NtsStatistics *nts_reader_vector_statistics(NtsReader *reader, int entry, uint32 group, int column);
/* The row group's bounds of the series key's first column, if that is `column` and holds byte strings; else NULL. */
extern const NtsKeyBounds *nts_reader_key_bounds(NtsReader *reader, int entry, uint32 group, int column);
/* The same of each vector of the row group. */
extern const NtsKeyBounds *nts_reader_vector_key_bounds(NtsReader *reader, int entry, uint32 group, int column);
/*
 * The distinct values of a row group's column, where the segment lists not too many of them; else NULL. The chunk is read
 * once for that; from the second call for it on, what each vector has of them is known, too. Valid as long as the entry is
 * the reader's current one.
 */
extern const NtsValueList *nts_reader_values(NtsReader *reader, int entry, uint32 group, int column);
/* The entry and its row groups, or the delta page, that start in a block. false: none does. */
extern bool nts_reader_block_groups(NtsReader *reader, BlockNumber block, int *entry, uint32 *first,
									uint32 *count);
/* The units that start in one physical block, for parallel scans. start: sets the
 * position; then step until NULL. */
extern NtsVectorSet *nts_reader_block(NtsReader *reader, BlockNumber block, NtsPosition *position,
									  bool start);
/* Rows of the segment that `block` belongs to, as an equal share per block; false:
 * the block holds no segment. */
extern bool nts_reader_block_share(NtsReader *reader, BlockNumber block, int *entry,
								   uint64 *first_row, uint64 *rows);
extern const NtsEntry *nts_reader_entry(NtsReader *reader, int index);
/* The same with its place in the directory, as it was when the reader was opened. */
extern const NtsEntryRef *nts_reader_entry_ref(NtsReader *reader, int index);
extern int	nts_reader_entry_count(NtsReader *reader);
/* Rows of the visible segments, and of delta extents that are frozen. Not of a reader that is restricted. */
extern uint64 nts_reader_segment_rows(NtsReader *reader);
/* The entry whose extent covers a block, or -1. */
extern int	nts_reader_entry_of_block(NtsReader *reader, BlockNumber block);
/* What the directory says of the times of an entry and, perhaps, some that follow: to how many it applies. */
extern int	nts_reader_time_bounds(NtsReader *reader, int entry, NtsTimeBounds *bounds);
/* Index of the visible segment that was made last, or -1. */
extern int	nts_reader_newest_segment(NtsReader *reader);
/* The vector that holds row `row` of segment `entry`; *offset: its place in it. */
extern NtsVectorSet *nts_reader_segment_row(NtsReader *reader, int entry, uint64 row,
											uint32 *offset);
/* Finds a row by id; NULL: not there or not visible. */
extern NtsVectorSet *nts_reader_row_id(NtsReader *reader, uint64 row_id, uint32 *offset);
/* A reader that is kept over calls follows the caller's relation pointer. */
extern void nts_reader_set_relation(NtsReader *reader, Relation rel);
extern bool nts_reader_same_row_type(NtsReader *reader, TupleDesc desc);
/* Leaves out segments that hold no row of the range. Before the first unit. */
extern void nts_reader_restrict(NtsReader *reader, const NtsTidRange *range);
/* Units by number, for samples. nts_reader_unit: NULL when it has no visible row. */
extern uint64 nts_reader_unit_count(NtsReader *reader);
extern NtsVectorSet *nts_reader_unit(NtsReader *reader, uint64 unit);
/* The visible rows of a copied delta page; NULL: none. */
extern NtsVectorSet *nts_reader_delta_copy(NtsReader *reader, BlockNumber block, const char *page);
extern void nts_reader_segment_info(NtsReader *reader, int entry, NtsSegmentInfo *info);
/* A stored column's chunk in one row group of a segment. */
extern void nts_reader_chunk(NtsReader *reader, int entry, uint32 group, int column,
							 NtsChunkInfo *info);
/* Bytes of the column's dictionary in the set that the segment refers to; 0 if it cannot be read. */
extern uint64 nts_reader_dictionary_bytes(NtsReader *reader, int entry, int column);
/* The series columns (at most 16) that a segment was sorted by. */
extern void nts_reader_series(NtsReader *reader, int entry, uint16 *columns, uint32 *count);
/* Positions of the last row of each series, from series `first` on, in the order in which they lie in the segment. */
extern void nts_reader_series_ends(NtsReader *reader, int entry, uint32 first, uint32 count, uint64 *rows);

/*
 * What a reader has at hand: the segment, the row group and the set loaded last. Who reads several places in turn keeps
 * one for each, zeroed at first, and swaps it with the reader's before and after. Its set can be filled and its rows
 * looked at in between. Released before the reader is closed; nobody else refers to its set then.
 */
typedef struct NtsReaderPlace
{
	struct NtsSegmentHandle *segment;
	int			entry;
	struct NtsRowGroup *group;
	NtsVectorSet *set;
} NtsReaderPlace;

extern void nts_reader_swap_place(NtsReader *reader, NtsReaderPlace *place);
/* What the place's set, and the chunks of its row group, take of memory; not while the reader has it. */
extern void nts_reader_place_bytes(const NtsReaderPlace *place, uint64 *set_bytes, uint64 *chunk_bytes);
/* Gives up the row group's chunks, not while the reader has the place: no more columns of the set can be filled. */
extern void nts_reader_release_chunks(NtsReaderPlace *place);
extern void nts_reader_release_place(NtsReaderPlace *place);

/* ---- slot.c ---- */

extern const TupleTableSlotOps TTSOpsNodedbTs;
/* Makes the slot show a row of the set; O(1), nothing is decoded. */
extern void nts_slot_store(TupleTableSlot *slot, NtsVectorSet *set, uint32 row, Oid table_oid);
/* The image (NtsRowBlock) of a materialized row of our type; NULL: there is none. Valid as long as the row is. */
extern const uint8 *nts_slot_image(TupleTableSlot *slot, uint32 *length);
/* Gives a slot of our type (others are left alone) its system columns. */
extern void nts_slot_set_system(TupleTableSlot *slot, TransactionId xmin, CommandId cid);

/* ---- the callbacks, by file ---- */

/* insert.c */
extern void nts_am_tuple_insert(Relation rel, TupleTableSlot *slot, CommandId cid,
								NtsInsertOptions options, struct BulkInsertStateData *bistate);
extern void nts_am_multi_insert(Relation rel, TupleTableSlot **slots, int nslots, CommandId cid,
								NtsInsertOptions options, struct BulkInsertStateData *bistate);
extern void nts_am_finish_bulk_insert(Relation rel, NtsInsertOptions options);

/* scan.c */
extern TableScanDesc nts_am_scan_begin(Relation rel, Snapshot snapshot, int nkeys,
									   struct ScanKeyData *key, ParallelTableScanDesc pscan,
									   uint32 flags);
extern void nts_am_scan_end(TableScanDesc scan);
extern void nts_am_scan_rescan(TableScanDesc scan, struct ScanKeyData *key, bool set_params,
							   bool allow_strat, bool allow_sync, bool allow_pagemode);
extern bool nts_am_scan_getnextslot(TableScanDesc scan, ScanDirection direction,
									TupleTableSlot *slot);
extern void nts_am_scan_set_tidrange(TableScanDesc scan, ItemPointer first, ItemPointer last);
extern Size nts_am_parallelscan_initialize(Relation rel, ParallelTableScanDesc pscan);
extern bool nts_am_scan_sample_next_block(TableScanDesc scan, struct SampleScanState *state);
extern bool nts_am_scan_sample_next_tuple(TableScanDesc scan, struct SampleScanState *state,
										  TupleTableSlot *slot);

/* fetch.c */
extern bool nts_am_fetch_row_version(Relation rel, ItemPointer tid, Snapshot snapshot,
									 TupleTableSlot *slot);
extern bool nts_am_tid_valid(TableScanDesc scan, ItemPointer tid);
extern void nts_am_get_latest_tid(TableScanDesc scan, ItemPointer tid);
extern bool nts_am_satisfies_snapshot(Relation rel, TupleTableSlot *slot, Snapshot snapshot);
/* Drops the kept reader: what it holds may have been rolled back. at_end: its memory
 * goes with the transaction. */
extern void nts_fetch_forget(bool at_end);

/* analyze.c */
extern bool nts_am_analyze_next_block(TableScanDesc scan, BlockNumber block,
									  BufferAccessStrategy strategy);
extern bool nts_am_analyze_next_tuple(TableScanDesc scan, TransactionId oldest_xmin,
									  double *live_rows, double *dead_rows, TupleTableSlot *slot);
extern uint64 nts_am_relation_size(Relation rel, ForkNumber fork);
extern void nts_am_estimate_size(Relation rel, int32 *attr_widths, BlockNumber *pages,
								 double *tuples, double *allvisfrac);
/* per scan */
typedef struct NtsAnalyzeState
{
	NtsReader  *reader;
	uint64		step;			/* every step-th row is offered */
	uint64		offered;		/* rows so far: ANALYZE sorts its sample by tuple id, to have it as it is stored */
	NtsVectorSet *page;			/* delta page being read, or NULL */
	uint32		next_in_page;
	int			entry;
	uint64		next_row;		/* share of a segment being read */
	uint64		end_row;
	double		dead_per_block;
	bool		dead_told;		/* those of the current block */
} NtsAnalyzeState;

/* ddl.c */
extern void nts_am_set_new_filenode(Relation rel, const NtsFileNode *node, char persistence,
									TransactionId *freeze_xid, MultiXactId *min_multi);
extern void nts_am_nontransactional_truncate(Relation rel);
extern void nts_am_copy_data(Relation rel, const NtsFileNode *node);
extern bool nts_am_needs_toast_table(Relation rel);
extern void nts_ddl_init(void);
extern bool nts_is_nodedb_ts(Relation rel);

/* vacuum.c */
extern void nts_am_vacuum(Relation rel, struct VacuumParams *params, BufferAccessStrategy strategy);
extern void nts_am_copy_for_cluster(Relation old_table, Relation new_table, Relation index,
									bool use_sort, TransactionId oldest_xmin,
									TransactionId *xid_cutoff, MultiXactId *multi_cutoff,
									double *tuples, double *vacuumed, double *recently_dead);
/* Rows that would have room in what packing would cut off the file; 0 if it would not pay. */
extern double nts_vacuum_packable_rows(Relation rel, double live_rows);
/* Frees what nobody needs any more, without freezing. REQUIRES: ShareUpdateExclusiveLock,
 * in a transaction that no vacuum ignores. */
extern void nts_vacuum_reclaim(Relation rel);

/*
 * Frees delta extents, oldest first, of a generation below `below` and as far as no snapshot needs them; max_extents at
 * most. Same requirements.
 */
extern void nts_vacuum_reclaim_deltas(Relation rel, uint64 below, int max_extents);

/* missing.c */
/* Keeps the values that columns added later have in older rows, over VACUUM FULL. */
extern void nts_missing_keep(Relation rel);

/* publication.c: called when something was made or changed, before the caches know */
/* A table was made, or got a new file. */
extern void nts_publication_check_table(Form_pg_class form);
extern void nts_publication_check_alter(Form_pg_class form);
extern void nts_publication_check_partition(Oid relid, Oid parent);
/* A publication was made; one got a table (pg_publication_rel), a schema (pg_publication_namespace). */
extern void nts_publication_check_members(Oid publication);
extern void nts_publication_check_member(Oid member);
extern void nts_publication_check_schema(Oid member);
/* Tables and materialized views of the database that use the access method, by OID. */
extern List *nts_list_tables(void);
/* The first of them by name, and how many more there are. */
extern char *nts_table_names(List *relids);

/* one scan */
typedef struct NtsScan
{
	TableScanDescData base;		/* must be first */
	MemoryContext context;		/* that of the scan's owner */
	BufferAccessStrategy strategy;
	NtsReader  *reader;
	NtsPosition position;
	NtsVectorSet *set;			/* current unit, owned by the reader */
	int64		row;			/* current row in it; -1 before the first */
	bool		started;
	bool		finished;
	BlockNumber block;			/* parallel: current block */
	ParallelBlockTableScanWorkerData *worker;
	NtsAnalyzeState analyze;
	uint64		sample_unit;
	uint32		sample_first;	/* in the set: of the rows that the method counts now */
	bool		has_range;		/* only rows of tid_range */
	NtsTidRange tid_range;
} NtsScan;

#endif							/* NTS_AM_AM_H */
