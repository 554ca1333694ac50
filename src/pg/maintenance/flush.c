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
#include "pg/maintenance/target.h"

PG_FUNCTION_INFO_V1(ts_flush);

/* A remainder smaller than this stays in L0 when the flush made segments anyway. */
#define MIN_FLUSH_ROWS 1000
#define MAX_SEGMENT_ROWS 4000000
#define MAX_SEGMENT_BYTES (UINT64CONST(256) * 1024 * 1024)

typedef struct Flush
{
	Relation	rel;
	NtsReader  *reader;			/* decodes pages and knows the newest segment */
	MemoryContext context;		/* frees the part's manager */
	NtsPart    *part;
	NtsValue   *values;
	NtsColumn  *columns;
	NtsWriteTarget target;
	CommandId	cid;
	uint64		moved_rows;
	uint64		pages;			/* to look at, and looked at */
	uint64		pages_done;
	uint64		pages_moved;
	const NtsFlushLimit *limit; /* or NULL */
	Snapshot	older;			/* what came after it stays; NULL: nothing does */
} Flush;

/* Called with the address of a manager that outlives the flush's stack frame. */
static void
free_manager(void *arg)
{
	NtsManager **manager = arg;

	nts_manager_free(*manager);
	*manager = NULL;
}

static void
begin(Flush *flush)
{
	MemoryContextCallback *callback = MemoryContextAllocZero(flush->context, sizeof(*callback));
	NtsManager **manager = MemoryContextAllocZero(flush->context, sizeof(*manager));
	NtsManagerOptions options = {0};
	NtsSchema	schema;
	NtsStatus	status;
	TupleDesc	desc = RelationGetDescr(flush->rel);
	int			newest;

	flush->columns = MemoryContextAllocZero(flush->context, sizeof(NtsColumn) * Max(desc->natts, 1));
	flush->values = MemoryContextAllocZero(flush->context, sizeof(NtsValue) * Max(desc->natts, 1));
	nts_schema_columns(desc, flush->columns);
	nts_schema_build(flush->rel, flush->columns, &schema);
	flush->target.head_length = nts_batch_head_length(&schema);
	options.memory_budget_bytes = (uint64) Max(maintenance_work_mem, 16 * 1024) * 1024;
	options.active_fraction = 0.6;
	options.max_series = PG_INT32_MAX;
	callback->func = free_manager;
	callback->arg = manager;
	MemoryContextRegisterResetCallback(flush->context, callback);
	*manager = nts_manager_new(&options, &status);
	if (*manager == NULL)
		nts_error_raise(&status, flush->rel);
	flush->part = nts_part_new(*manager, &schema, &status);
	if (flush->part == NULL)
		nts_error_raise(&status, flush->rel);
	/* sort as the newest segment is sorted */
	newest = nts_reader_newest_segment(flush->reader);
	if (newest >= 0)
	{
		uint16		columns[16];
		uint32		count;

		nts_reader_series(flush->reader, newest, columns, &count);
		NTS_CHECK(nts_part_set_series(flush->part, columns, count, &status), status, flush->rel);
	}
}

/* Writes what the part holds. A small remainder goes back to L0, unless it is all
 * there is. */
static void
write_part(Flush *flush)
{
	NtsFlushOptions options = {0};
	NtsOutput	output;
	NtsStatus	status;
	uint64		rows = nts_part_rows(flush->part);
	uint64		written = 0;

	if (rows == 0)
		return;
	NTS_FAULT(flush_write);
	nts_progress(NTS_PHASE_WRITING, 0, rows);
	options.max_batch_bytes = NTS_MAX_BATCH_PAYLOAD;
	options.max_batch_rows = NTS_MAX_BATCH_ROWS;
	options.min_segment_rows = rows < MIN_FLUSH_ROWS && flush->target.segments == 0 ? 1 : MIN_FLUSH_ROWS;
	options.min_segment_bytes = PG_INT64_MAX;
	options.max_segment_rows = MAX_SEGMENT_ROWS;
	options.max_segment_bytes = MAX_SEGMENT_BYTES;
	options.keep_command_ids = false;
	options.level = 1;
	NTS_CHECK(nts_flush_begin(flush->part, &options, &status), status, flush->rel);
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		nts_maintenance_yield(flush->rel);
		NTS_CHECK(nts_flush_next(flush->part, &output, &status), status, flush->rel);
		if (output.kind == NTS_OUTPUT_END)
			break;
		nts_buffer_write_output(&flush->target, &output, false);
		written += output.rows;
		nts_progress(NTS_PHASE_WRITING, written, rows);
		NTS_FAULT(flush_output);
	}
	nts_flush_end(flush->part, true);
}

static void
take_row(Flush *flush, NtsVectorSet *set, uint32 row)
{
	NtsStatus	status;
	int			result;

	for (int i = 0; i < set->natts; i++)
	{
		NtsValue   *value = &flush->values[i];
		Datum		datum = set->columns[i].values[row];

		value->is_null = set->columns[i].nulls[row] || flush->columns[i].kind == NTS_KIND_NONE;
		value->word = (uint64) datum;
		value->length = 0;
		if (flush->columns[i].kind == NTS_KIND_VAR && !value->is_null)
		{
			value->word = (uint64) (uintptr_t) VARDATA_ANY(DatumGetPointer(datum));
			value->length = VARSIZE_ANY_EXHDR(DatumGetPointer(datum));
		}
	}
	for (int attempt = 0;; attempt++)
	{
		NTS_CHECK(nts_part_append(flush->part, flush->values, NTS_NO_ROW_ID, flush->cid, &result,
								  &status), status, flush->rel);
		if (result == NTS_INGEST_OK)
			return;
		if (attempt > 0 && result == NTS_INGEST_REJECTED)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("a row of table \"%s\" does not fit into maintenance_work_mem",
							RelationGetRelationName(flush->rel))));
		write_part(flush);
		if (result == NTS_INGEST_FLUSH_NEEDED)
			return;
	}
}

/* Missing values of columns added later may be toasted in the catalog's form; the
 * rest are plain. */
static void
detoast_defaults(Flush *flush, NtsVectorSet *set)
{
	for (int i = 0; i < set->natts; i++)
	{
		if (flush->columns[i].kind != NTS_KIND_VAR)
			continue;
		for (uint32 row = 0; row < set->rows; row++)
		{
			struct varlena *var = (struct varlena *) DatumGetPointer(set->columns[i].values[row]);
			MemoryContext old;

			if (set->columns[i].nulls[row] || !(VARATT_IS_EXTERNAL(var) || VARATT_IS_COMPRESSED(var)))
				continue;
			old = MemoryContextSwitchTo(set->data_context);
			set->columns[i].values[row] = PointerGetDatum(pg_detoast_datum_packed(var));
			MemoryContextSwitchTo(old);
		}
	}
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

	/* from now on its pages hold a transaction id again */
	if (entry->flags & NTS_ENTRY_FROZEN)
	{
		entry->flags &= ~NTS_ENTRY_FROZEN;
		nts_entry_write(flush->rel, ref, false);
	}
	for (uint32 i = 0; i < pages && !limit_reached(flush); i++)
	{
		BlockNumber block = entry->first_block + i;
		PGAlignedBlock page;
		NtsVectorSet *set;

		CHECK_FOR_INTERRUPTS();
		nts_maintenance_yield(flush->rel);
		nts_progress(NTS_PHASE_READING, flush->pages_done++, flush->pages);
		NTS_FAULT(flush_page);
		if (!nts_delta_move(flush->rel, entry, block, xid, flush->cid, flush->older, page.data))
			continue;
		flush->pages_moved++;
		NTS_FAULT(flush_taken);
		set = nts_reader_delta_copy(flush->reader, block, page.data);
		if (set == NULL)
			continue;			/* only aborted batches */
		detoast_defaults(flush, set);
		for (uint32 row = 0; row < set->rows; row++)
			take_row(flush, set, row);
		flush->moved_rows += set->rows;
	}
}

uint64
nts_flush_relation(Relation rel, const NtsFlushLimit *limit)
{
	Flush		flush = {0};
	TransactionId xid;
	NtsEntryRef *entries;
	MemoryContext old;
	NtsMeta		meta;
	int			count;

	nts_activity_begin(rel, limit != NULL ? NTS_ACTIVITY_ADMISSION : NTS_ACTIVITY_FLUSH);
	nts_buffer_flush_relation(rel);
	/* what earlier flushes have moved can be used for the new segments */
	if (limit == NULL)
		nts_vacuum_reclaim(rel);
	else
		nts_vacuum_reclaim_deltas(rel, limit->first_generation, limit->extents_freed);
	NTS_FAULT(flush_reclaimed);
	flush.context = AllocSetContextCreate(CurrentMemoryContext, "nodedb_ts flush",
										  ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(flush.context);
	entries = nts_directory_read(rel, &meta, false, &count);
	if (count > 0)
	{
		xid = GetCurrentTransactionId();
		flush.rel = rel;
		flush.limit = limit;
		if (limit != NULL)
			nts_entries_sort(entries, count);
		flush.cid = GetCurrentCommandId(true);
		flush.older = IsolationUsesXactSnapshot() ? GetTransactionSnapshot() : NULL;
		/* every batch taken has ended, so Self sees exactly the committed ones */
		flush.reader = nts_reader_open(rel, RelationGetDescr(rel), SnapshotSelf, flush.context, NULL);
		flush.target.rel = rel;
		flush.target.storage = nts_buffer_storage(rel);
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
		write_part(&flush);
		NTS_FAULT(flush_done);
		nts_reader_close(flush.reader);
		/* their old copies wait for VACUUM */
		pgstat_update_heap_dead_tuples(rel, -(int) Min(flush.moved_rows, PG_INT32_MAX));
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(flush.context);
	nts_activity_end(0, flush.target.segments, flush.moved_rows);
	return flush.target.segments;
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
		nts_maintain_all(flush_target, &segments);
	else
		nts_maintain(PG_GETARG_OID(0), "flush", flush_target, &segments);
	PG_RETURN_INT64((int64) segments);
}
