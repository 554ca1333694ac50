/*
 * flush.c - ts_flush: committed L0 batches become sorted L1 segments.
 *
 * Everything happens in the caller's transaction under ShareUpdateExclusiveLock,
 * kept to its end: readers and writers go on. Each page is sealed and marked moved
 * by this xid in one record, at the moment its rows are taken, so no batch can slip
 * in between; the new segments carry the same xid and command id. So every snapshot
 * sees the rows exactly once, and if the transaction fails the move never happened.
 * Pages with a batch in progress are left for the next time.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "tcop/utility.h"

#include "pg/activity.h"
#include "pg/am/am.h"
#include "pg/error.h"
#include "pg/fault.h"
#include "pg/maintenance/flush.h"
#include "pg/maintenance/sorter.h"
#include "pg/maintenance/target.h"

PG_FUNCTION_INFO_V1(ts_flush);

/* A remainder smaller than this stays in L0 when the flush made segments anyway. */
#define MIN_FLUSH_ROWS 1000

typedef struct Flush
{
	Relation	rel;
	NtsReader  *reader;			/* decodes pages and knows the newest segment */
	MemoryContext context;		/* frees the sorter's part, and sets that it keeps */
	NtsSorter	sorter;
	NtsWriteTarget target;
	uint64		moved_rows;
	uint64		pages;			/* to look at, and looked at */
	uint64		pages_done;
	uint64		pages_moved;
	const NtsFlushLimit *limit; /* or NULL */
	Snapshot	older;			/* what came after it stays; NULL: nothing does */
	bool		expire;			/* retention: only pages with rows older than `cutoff`, which go */
	int64		cutoff;
	int			time_column;
	uint64		expired_rows;
} Flush;

/* Writes what the sorter holds. A small remainder goes back to L0, unless it is all
 * there is: then it becomes one segment, whatever its times. */
static void
write_part(NtsSorter *sorter)
{
	Flush	   *flush = sorter->state;
	NtsFlushOptions options = {0};
	NtsOutput	output;
	NtsStatus	status;
	uint64		rows = nts_sorter_rows(sorter);
	uint64		written = 0;

	if (rows == 0)
		return;
	NTS_FAULT(flush_write);
	nts_progress(NTS_PHASE_WRITING, 0, rows);
	options.max_batch_bytes = NTS_MAX_BATCH_PAYLOAD;
	options.max_batch_rows = NTS_MAX_BATCH_ROWS;
	options.min_segment_rows = rows < MIN_FLUSH_ROWS && flush->target.segments == 0 && !flush->expire ?
		rows : MIN_FLUSH_ROWS;
	options.min_segment_bytes = PG_INT64_MAX;
	options.max_segment_rows = NTS_MAX_SEGMENT_ROWS;
	options.max_segment_bytes = NTS_MAX_SEGMENT_BYTES;
	options.keep_command_ids = false;
	options.level = 1;
	options.dictionaries = nts_dictionaries_for_writing(flush->rel);
	nts_sorter_flush_begin(sorter, &options);
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		nts_maintenance_yield(flush->rel);
		NTS_CHECK(nts_flush_next(sorter->part, &output, &status), status, flush->rel);
		if (output.kind == NTS_OUTPUT_END)
			break;
		nts_buffer_write_output(&flush->target, &output, false);
		written += output.rows;
		nts_progress(NTS_PHASE_WRITING, written, rows);
		NTS_FAULT(flush_output);
	}
	nts_sorter_flush_end(sorter);
}

/* What the user has chosen, else as the newest segment is sorted. */
static void
set_series(Flush *flush, NtsSeries *series)
{
	if (!series->is_set)
	{
		int			newest = nts_reader_newest_segment(flush->reader);

		if (newest < 0)
			return;
		nts_reader_series(flush->reader, newest, series->columns, &series->count);
	}
	nts_sorter_series(&flush->sorter, series->columns, series->count);
}

static void
begin(Flush *flush)
{
	NtsSchema	schema;
	NtsSeries	series;

	/* read once: the options of a partitioned table above may change at any time */
	flush->target.storage = nts_buffer_target(flush->rel, &schema, &series);
	flush->target.head_length = nts_batch_head_length(&schema);
	flush->target.time_column = schema.time_column + 1;
	flush->sorter.flush = write_part;
	flush->sorter.state = flush;
	nts_sorter_begin(&flush->sorter, flush->rel, &schema, flush->context);
	set_series(flush, &series);
}

static bool
is_expired(const Flush *flush, const NtsVectorSet *set, uint32 row)
{
	const NtsColumnData *time = &set->columns[flush->time_column];

	return !time->nulls[row] && (int64) time->values[row] < flush->cutoff;
}

/* One snapshot for the whole transaction: it must not miss that another one has moved the rows that it sees, and
 * a serializable one reports the writers that it does not see. */
static void
check_older(Flush *flush, BlockNumber block, const char *page)
{
	TransactionId mover = nts_delta_special((Page) page)->move_xid;
	NtsBatch	batch;
	NtsBatchCursor cursor = {0};

	if (TransactionIdIsNormal(mover) && !TransactionIdIsCurrentTransactionId(mover) &&
		XidInMVCCSnapshot(mover, flush->older) && TransactionIdDidCommit(mover))
		nts_error_serialization(flush->rel);
	while (nts_delta_next(flush->rel, block, page, &cursor, &batch))
		(void) nts_batch_visible(flush->rel, &batch, flush->older);
}

/* Looks at the rows: what a page says of their times may be those of another column. */
static bool
holds_expired(Flush *flush, const NtsEntry *entry, BlockNumber block)
{
	PGAlignedBlock page;
	NtsVectorSet *set;

	nts_delta_read(flush->rel, entry, block, NULL, page.data);
	/* of batches on a page that is gone, the ids may be older than the commit log */
	if (nts_delta_special((Page) page.data)->move_xid == FrozenTransactionId)
		return false;
	if (flush->older != NULL)
		check_older(flush, block, page.data);
	set = nts_reader_delta_copy(flush->reader, block, page.data);
	for (uint32 row = 0; set != NULL && row < set->rows; row++)
		if (is_expired(flush, set, row))
			return true;
	return false;
}

static bool
leave_out(NtsSorter *sorter, NtsVectorSet *set, uint32 row)
{
	Flush	   *flush = sorter->state;

	if (!is_expired(flush, set, row))
		return false;
	flush->expired_rows++;
	return true;
}

static void
take_page(Flush *flush, BlockNumber block, const char *page)
{
	NtsVectorSet *set = nts_reader_delta_copy(flush->reader, block, page);
	uint64		expired = flush->expired_rows;

	if (set == NULL)
		return;					/* only aborted batches */
	if (flush->expire)
		nts_sorter_take(&flush->sorter, set, leave_out);
	else
		nts_sorter_keep(&flush->sorter, set);
	flush->moved_rows += set->rows - (flush->expired_rows - expired);
}

static bool
limit_reached(const Flush *flush)
{
	return flush->limit != NULL &&
		(flush->pages_moved >= flush->limit->pages ||
		 (flush->moved_rows >= flush->limit->rows && flush->pages_moved >= flush->limit->min_pages));
}

static bool
is_wanted(const Flush *flush, const NtsEntry *entry)
{
	return entry->level == NTS_LEVEL_DELTA && entry->state == NTS_ENTRY_LIVE &&
		(flush->limit == NULL || entry->generation >= flush->limit->first_generation);
}

static void
move_extent(Flush *flush, const NtsMeta *meta, NtsEntryRef *ref, TransactionId xid)
{
	NtsEntry   *entry = &ref->entry;
	uint32		pages = nts_delta_pages(meta, entry);

	for (uint32 i = 0; i < pages && !limit_reached(flush); i++)
	{
		BlockNumber block = entry->first_block + i;
		PGAlignedBlock page;

		CHECK_FOR_INTERRUPTS();
		nts_maintenance_yield(flush->rel);
		nts_progress(NTS_PHASE_READING, flush->pages_done++, flush->pages);
		NTS_FAULT(flush_page);
		if (flush->expire && !holds_expired(flush, entry, block))
			continue;
		/* from now on its pages hold a transaction id again */
		if (entry->flags & NTS_ENTRY_FROZEN)
		{
			entry->flags &= ~NTS_ENTRY_FROZEN;
			nts_entry_write(flush->rel, ref, false);
		}
		if (!nts_delta_move(flush->rel, entry, block, xid, flush->sorter.cid, flush->older, flush->expire,
							page.data))
			continue;
		flush->pages_moved++;
		NTS_FAULT(flush_taken);
		take_page(flush, block, page.data);
	}
}

/* Takes all pages of which nothing is in progress, or those with expired rows. */
static void
move_pages(Relation rel, Flush *state)
{
	Flush		flush = *state;
	TransactionId xid;
	NtsEntryRef *entries;
	MemoryContext old;
	NtsMeta		meta;
	int			count;

	flush.context = AllocSetContextCreate(CurrentMemoryContext, "nodedb_ts flush",
										  ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(flush.context);
	entries = nts_directory_read(rel, &meta, false, &count);
	if (count > 0)
	{
		xid = GetCurrentTransactionId();
		flush.rel = rel;
		if (flush.limit != NULL)
			nts_entries_sort(entries, count);
		flush.sorter.cid = GetCurrentCommandId(true);
		flush.older = IsolationUsesXactSnapshot() ? GetTransactionSnapshot() : NULL;
		/* every batch taken has ended, so Self sees exactly the committed ones */
		flush.reader = nts_reader_open(rel, RelationGetDescr(rel), SnapshotSelf, flush.context, NULL);
		flush.target.rel = rel;
		flush.target.xid = xid;
		flush.target.level = NTS_LEVEL_L1;
		flush.target.entry_flags = NTS_ENTRY_MOVED_IN;
		begin(&flush);
		for (int i = 0; i < count; i++)
			if (is_wanted(&flush, &entries[i].entry))
				flush.pages += nts_delta_pages(&meta, &entries[i].entry);
		for (int i = 0; i < count && !limit_reached(&flush); i++)
			if (is_wanted(&flush, &entries[i].entry))
				move_extent(&flush, &meta, &entries[i], xid);
		write_part(&flush.sorter);
		NTS_FAULT(flush_done);
		nts_reader_close(flush.reader);
		/* their old copies wait for VACUUM */
		pgstat_update_heap_dead_tuples(rel, -(int) Min(flush.moved_rows, PG_INT32_MAX));
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(flush.context);
	*state = flush;
}

uint64
nts_flush_relation(Relation rel, const NtsFlushLimit *limit)
{
	Flush		flush = {0};

	nts_activity_begin(rel, limit != NULL ? NTS_ACTIVITY_ADMISSION : NTS_ACTIVITY_FLUSH);
	nts_buffer_flush_relation(rel);
	/* what earlier flushes have moved can be used for the new segments */
	if (limit == NULL)
		nts_vacuum_reclaim(rel);
	else
		nts_vacuum_reclaim_deltas(rel, limit->first_generation, limit->extents_freed);
	NTS_FAULT(flush_reclaimed);
	flush.limit = limit;
	move_pages(rel, &flush);
	nts_activity_end(0, flush.target.segments, flush.moved_rows);
	return flush.target.segments;
}

uint64
nts_flush_expired(Relation rel, int time_column, int64 cutoff)
{
	Flush		flush = {0};

	flush.expire = true;
	flush.cutoff = cutoff;
	flush.time_column = time_column;
	move_pages(rel, &flush);
	return flush.expired_rows;
}

static void
flush_target(Relation rel, void *state)
{
	uint64	   *segments = state;

	*segments += nts_flush_relation(rel, NULL);
}

/* ts_flush(relation), ts_flush(): the segments written. */
Datum
ts_flush(PG_FUNCTION_ARGS)
{
	uint64		segments = 0;

	PreventCommandDuringRecovery("ts_flush()");
	if (PG_NARGS() == 0)
		nts_maintain_all(NULL, flush_target, &segments);
	else
		nts_maintain(PG_GETARG_OID(0), "flush", flush_target, &segments);
	PG_RETURN_INT64((int64) segments);
}
