/*
 * verify_content.c - ts_verify: what stands in the extents of segments and batches.
 *
 * Pages first, each by itself; then the bytes that they hold. A chunk or footer on a
 * page that has been named already is passed over. Memory: a chunk, or a page's rows,
 * at a time. Caller: verify.c, with the unit's memory context as the current one.
 */
#include "postgres.h"

#include "access/transam.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/error.h"
#include "pg/maintenance/verify.h"

/* ---- visibility ---- */

typedef struct AskVisible
{
	NtsVerifyTable *table;
	TransactionId xmin;
	CommandId	cmin;
	TransactionId xmax;
	CommandId	cmax;
	bool		killed;
	bool		visible;		/* out */
	bool		aborted;		/* out: xmin is */
} AskVisible;

static void
ask_visible(void *arg)
{
	AskVisible *ask = arg;
	Snapshot	snapshot = ask->table->snapshot;

	/* as if it had been moved in: a check is no reader that conflicts with writers */
	ask->visible = nts_xmin_visible(ask->table->rel, ask->xmin, ask->cmin, true, snapshot) &&
		!nts_xmax_gone(ask->xmax, ask->cmax, ask->killed, snapshot);
	ask->aborted = nts_xid_fate(ask->xmin, InvalidTransactionId) == NTS_XID_ABORTED;
}

/* false: the commit log does not know; the problem is noted. */
static bool
is_visible(AskVisible *ask, BlockNumber block)
{
	int			sqlstate;
	char	   *message;

	if (nts_error_try(ask_visible, ask, &sqlstate, &message))
		return true;
	nts_verify_problem(ask->table, block, NTS_WHAT_VISIBILITY, "%s", message);
	return false;
}

/* ---- pages of a segment ---- */

typedef struct SegmentPages
{
	NtsVerifyTable *table;
	const NtsEntry *entry;
	uint32		next;			/* page of the extent */
	uint32		end;
	uint32		used;			/* pages that hold bytes of the segment */
	uint8	   *bad;			/* 1 for each page with a problem */
} SegmentPages;

/* Checks pages from `next` on; an error leaves `next` on its page. */
static void
check_segment_pages(void *arg)
{
	SegmentPages *pages = arg;
	const NtsEntry *entry = pages->entry;

	for (; pages->next < pages->end; pages->next++)
	{
		BlockNumber block = entry->first_block + pages->next;
		uint64		at = (uint64) pages->next * NTS_SEGMENT_PAYLOAD;
		PGAlignedBlock page;

		CHECK_FOR_INTERRUPTS();
		nts_page_copy(pages->table->rel, block, pages->table->strategy, page.data);
		nts_page_check(pages->table->rel, block, (Page) page.data, NTS_PAGE_SEGMENT, entry->generation);
		if (((PageHeader) page.data)->pd_lower !=
			NTS_PAGE_CONTENT + Min(entry->byte_length - at, NTS_SEGMENT_PAYLOAD))
			nts_error_corrupt(pages->table->rel, "block %u of a segment has another length", block);
		/* its bytes can be read all the same */
		if (!nts_page_rest_is_zero(page.data, 0))
			nts_verify_problem(pages->table, block, NTS_WHAT_PAGE, NTS_REST_NOT_ZERO);
	}
}

static void
read_segment_pages(SegmentPages *pages)
{
	BlockNumber blocks = nts_verify_file_blocks(pages->table);
	BlockNumber first = pages->entry->first_block;
	int			sqlstate;
	char	   *message;

	pages->bad = MemoryContextAllocExtended(CurrentMemoryContext, pages->used,
											MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	pages->end = blocks <= first ? 0 : Min(pages->used, blocks - first);
	if (pages->end < pages->used)
	{
		nts_verify_problem(pages->table, first + pages->end, NTS_WHAT_PAGE,
						   "blocks %u to %u lie behind the end of the file (%u blocks)",
						   first + pages->end, first + pages->used - 1, blocks);
		memset(pages->bad + pages->end, 1, pages->used - pages->end);
	}
	while (!nts_error_try(check_segment_pages, pages, &sqlstate, &message))
	{
		nts_verify_problem(pages->table, first + pages->next, NTS_WHAT_PAGE, "%s", message);
		pages->bad[pages->next++] = 1;
	}
}

/* ---- bytes of a segment ---- */

typedef struct SegmentCheck
{
	NtsVerifyTable *table;
	const NtsEntry *entry;
	SegmentPages pages;
	NtsSegment *segment;		/* freed by the context */
	NtsVerifier *verifier;
	uint64		offset;			/* what is being read */
	uint64		length;
	uint8	   *bytes;
	bool		ids_visible;
} SegmentCheck;

static void
free_core(void *arg)
{
	SegmentCheck *check = arg;

	nts_verifier_free(check->verifier);
	nts_segment_close(check->segment);
	check->verifier = NULL;
	check->segment = NULL;
}

static void
read_bytes(void *arg)
{
	SegmentCheck *check = arg;

	nts_segment_read(check->table->rel, check->entry, check->offset, check->length,
					 check->table->strategy, check->bytes);
}

/* Reads bytes of the segment; NULL when they stand on a page with a problem. */
static uint8 *
read_part(SegmentCheck *check, uint64 offset, uint64 length)
{
	int			sqlstate;
	char	   *message;

	for (uint64 page = offset / NTS_SEGMENT_PAYLOAD;
		 length > 0 && page <= (offset + length - 1) / NTS_SEGMENT_PAYLOAD; page++)
		if (check->pages.bad[page])
			return NULL;
	check->offset = offset;
	check->length = length;
	check->bytes = MemoryContextAllocHuge(CurrentMemoryContext, Max(length, 1));
	if (nts_error_try(read_bytes, check, &sqlstate, &message))
		return check->bytes;
	nts_verify_problem(check->table, check->entry->first_block, NTS_WHAT_PAGE, "%s", message);
	pfree(check->bytes);
	return NULL;
}

static const char *
problem_name(int problem)
{
	switch (problem)
	{
		case NTS_PROBLEM_CHUNK:
			return NTS_WHAT_CHUNK;
		case NTS_PROBLEM_STATISTICS:
			return NTS_WHAT_STATISTICS;
		case NTS_PROBLEM_ORDER:
			return NTS_WHAT_ORDER;
		case NTS_PROBLEM_SERIES:
			return NTS_WHAT_SERIES;
		case NTS_PROBLEM_ROW_IDS:
			return NTS_WHAT_ROW_IDS;
		case NTS_PROBLEM_COMMAND_IDS:
			return NTS_WHAT_COMMAND_IDS;
		case NTS_PROBLEM_LAST_ROWS:
			return NTS_WHAT_LAST_ROWS;
		default:
			return NTS_WHAT_SEGMENT;
	}
}

static void
note_step(SegmentCheck *check, const NtsVerifyStep *step)
{
	const NtsEntry *entry = check->entry;
	TupleDesc	desc = RelationGetDescr(check->table->rel);
	BlockNumber block = entry->first_block;
	StringInfoData place;
	NtsChunkInfo chunk;
	NtsSegmentInfo info;
	NtsStatus	status;

	initStringInfo(&place);
	appendStringInfo(&place, "segment " UINT64_FORMAT, entry->generation);
	nts_segment_info(check->segment, &info);
	if (step->group != NTS_NO_GROUP && step->group < info.row_groups)
		appendStringInfo(&place, ", row group %u", step->group);
	if (step->column == NTS_COLUMN_ROW_ID)
		appendStringInfoString(&place, ", row ids");
	else if (step->column == NTS_COLUMN_COMMAND_ID)
		appendStringInfoString(&place, ", command ids");
	else if (step->column >= 0 && step->column < desc->natts)
		appendStringInfo(&place, ", column \"%s\"",
						 NameStr(TupleDescAttr(desc, step->column)->attname));
	if (step->group != NTS_NO_GROUP && step->column != NTS_NO_COLUMN &&
		nts_segment_chunk(check->segment, step->group, step->column, &chunk, &status) == NTS_OK)
		block += chunk.offset / NTS_SEGMENT_PAYLOAD;
	nts_verify_problem(check->table, block, problem_name(step->problem), "%s: %s", place.data,
					   step->text);
}

/* Hands the ids of a sound chunk of row ids on, as runs. */
static void
take_row_ids(SegmentCheck *check, uint32 group, const uint8 *chunk, uint64 length)
{
	NtsRowGroupInfo info;
	NtsStatus	status;
	uint64		values[1024];
	uint8		nulls[1024];
	uint64		first = 0;
	uint64		count = 0;

	NTS_CHECK(nts_segment_row_group(check->segment, group, &info, &status), status, check->table->rel);
	for (uint32 v = 0; v < info.vectors; v++)
	{
		uint32		first_row;
		uint32		rows;
		bool		any_null;

		NTS_CHECK(nts_segment_vector(check->segment, group, v, &first_row, &rows, &status), status,
				  check->table->rel);
		NTS_CHECK(nts_vector_decode(check->segment, group, NTS_COLUMN_ROW_ID, chunk, length, v, rows, values,
									nulls, NULL, 0, &any_null, NULL, &status), status, check->table->rel);
		for (uint32 i = 0; i < rows; i++)
		{
			if (count > 0 && values[i] == first + count)
			{
				count++;
				continue;
			}
			if (count > 0)
				nts_verify_row_ids(check->table, check->entry->first_block, first, count,
								   check->ids_visible);
			first = values[i];
			count = 1;
		}
	}
	if (count > 0)
		nts_verify_row_ids(check->table, check->entry->first_block, first, count, check->ids_visible);
}

static void
check_chunk(SegmentCheck *check, uint32 group, int32 column)
{
	NtsChunkInfo info;
	NtsSegmentInfo segment;
	NtsStatus	status;
	uint8	   *bytes;
	bool		sound;

	NTS_CHECK(nts_segment_chunk(check->segment, group, column, &info, &status), status,
			  check->table->rel);
	bytes = read_part(check, info.offset, info.length);
	if (bytes == NULL)
		return;
	NTS_CHECK(nts_verifier_chunk(check->verifier, bytes, info.length, &sound, &status), status,
			  check->table->rel);
	nts_segment_info(check->segment, &segment);
	if (sound && column == NTS_COLUMN_ROW_ID && group < segment.row_groups)
		take_row_ids(check, group, bytes, info.length);
	pfree(bytes);
}

/* For nts_error_try. */
static void
hand_in_dictionaries(void *arg)
{
	SegmentCheck *check = arg;
	nts_dictionaries_hand_in(check->table->rel, NULL, check->entry->dictionaries, check->segment);
}

/* The set that the segment refers to: without it what needs it cannot be decoded. */
static void
check_reference(SegmentCheck *check, const NtsSegmentInfo *info)
{
	const NtsEntry *entry = check->entry;
	int			sqlstate;
	char	   *message;

	if (info->dictionaries != entry->dictionaries)
		nts_verify_problem(check->table, entry->first_block, NTS_WHAT_SEGMENT,
						   "segment " UINT64_FORMAT ": it refers to trained dictionaries %u, its directory entry to %u",
						   entry->generation, info->dictionaries, entry->dictionaries);
	else if (entry->dictionaries != 0 && !nts_error_try(hand_in_dictionaries, check, &sqlstate, &message))
		nts_verify_problem(check->table, entry->first_block, NTS_WHAT_SEGMENT, "segment " UINT64_FORMAT ": %s",
						   entry->generation, message);
}

static void
check_bytes(SegmentCheck *check)
{
	NtsVerifyTable *table = check->table;
	const NtsEntry *entry = check->entry;
	uint64		length = entry->byte_length - entry->footer_offset;
	uint8	   *footer = read_part(check, entry->footer_offset, length);
	NtsSegmentFacts facts = {0};
	NtsSegmentInfo info;
	NtsStatus	status;

	if (footer == NULL)
		return;
	check->segment = nts_segment_open(footer, length, entry->byte_length, table->columns, table->natts,
									  &status);
	if (check->segment == NULL)
	{
		if (status.code == NTS_ERR_MEMORY)
			nts_error_raise(&status, table->rel);
		nts_verify_problem(table, entry->first_block + entry->footer_offset / NTS_SEGMENT_PAYLOAD,
						   NTS_WHAT_SEGMENT, "segment " UINT64_FORMAT ": %s", entry->generation,
						   status.message);
		return;
	}
	nts_segment_info(check->segment, &info);
	check_reference(check, &info);
	if (entry->time_column != (uint32) (info.time_column + 1))
		nts_verify_problem(table, entry->first_block, NTS_WHAT_SEGMENT,
						   "segment " UINT64_FORMAT ": its time is column %d, its directory entry says %u",
						   entry->generation, info.time_column + 1, entry->time_column);
	facts.rows = entry->rows;
	facts.first_row_id = entry->first_row_id;
	facts.last_row_id = entry->last_row_id;
	facts.min_time = entry->min_time;
	facts.max_time = entry->max_time;
	facts.min_command_id = entry->cmin;
	facts.level = entry->level;
	facts.has_time = (entry->flags & NTS_ENTRY_HAS_TIME) != 0;
	facts.has_null_time = (entry->flags & NTS_ENTRY_NULL_TIME) != 0;
	facts.has_row_ids = (entry->flags & NTS_ENTRY_ROW_IDS) != 0;
	facts.has_command_ids = (entry->flags & NTS_ENTRY_COMMAND_IDS) != 0;
	check->verifier = nts_verifier_new(check->segment, &facts, &status);
	if (check->verifier == NULL)
		nts_error_raise(&status, table->rel);
	for (;;)
	{
		NtsVerifyStep step;

		CHECK_FOR_INTERRUPTS();
		NTS_CHECK(nts_verifier_next(check->verifier, &step, &status), status, table->rel);
		if (step.kind == NTS_VERIFY_END)
			break;
		if (step.kind == NTS_VERIFY_PROBLEM)
			note_step(check, &step);
		else
			check_chunk(check, step.group, step.column);
	}
}

void
nts_verify_segment(NtsVerifyTable *table, const NtsEntryRef *ref)
{
	const NtsEntry *entry = &ref->entry;
	bool		gone = entry->state == NTS_ENTRY_MOVED || entry->state == NTS_ENTRY_KILLED;
	AskVisible	ask = {.table = table,.xmin = entry->xmin,.cmin = entry->cmin,
		.xmax = gone ? entry->xmax : InvalidTransactionId,.cmax = entry->cmax,
	.killed = entry->state == NTS_ENTRY_KILLED};
	bool		sound = nts_verify_xid(table, entry->first_block, "its xmin", entry->xmin);
	SegmentCheck *check;
	MemoryContextCallback *callback;

	sound = nts_verify_xid(table, entry->first_block, "its xmax", entry->xmax) && sound;
	if (sound && !is_visible(&ask, entry->first_block))
		return;
	/* what was rolled back nobody reads */
	if (ask.aborted)
		return;
	check = palloc0(sizeof(SegmentCheck));
	callback = palloc0(sizeof(MemoryContextCallback));
	check->table = table;
	check->entry = entry;
	check->ids_visible = ask.visible;
	check->pages.table = table;
	check->pages.entry = entry;
	check->pages.used = (entry->byte_length + NTS_SEGMENT_PAYLOAD - 1) / NTS_SEGMENT_PAYLOAD;
	callback->func = free_core;
	callback->arg = check;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	read_segment_pages(&check->pages);
	check_bytes(check);
	if ((entry->flags & NTS_ENTRY_ROW_IDS) == 0)
		nts_verify_row_ids(table, entry->first_block, entry->first_row_id,
						   entry->last_row_id - entry->first_row_id + 1, ask.visible);
}

/* Nobody sees a set, but segments of everybody may refer to it. */
void
nts_verify_dictionaries(NtsVerifyTable *table, const NtsEntryRef *ref)
{
	const NtsEntry *entry = &ref->entry;
	AskVisible	ask = {.table = table,.xmin = entry->xmin,.cmin = entry->cmin};
	SegmentCheck check = {.table = table,.entry = entry};
	NtsDictionaries *dictionaries;
	NtsStatus	status;
	uint8	   *bytes;

	if (!nts_verify_xid(table, entry->first_block, "its xmin", entry->xmin) || !is_visible(&ask, entry->first_block) ||
		ask.aborted)
		return;
	check.pages.table = table;
	check.pages.entry = entry;
	check.pages.used = (entry->byte_length + NTS_SEGMENT_PAYLOAD - 1) / NTS_SEGMENT_PAYLOAD;
	read_segment_pages(&check.pages);
	/* the set is read as a whole, and no reader would take it */
	if (entry->byte_length > NTS_DICTIONARIES_BYTES)
	{
		nts_verify_problem(table, entry->first_block, NTS_WHAT_DICTIONARIES,
						   "their directory entry says " UINT64_FORMAT " bytes, there may be %d", entry->byte_length,
						   NTS_DICTIONARIES_BYTES);
		return;
	}
	bytes = read_part(&check, 0, entry->byte_length);
	if (bytes == NULL)
		return;
	dictionaries = nts_dictionaries_open(bytes, entry->byte_length, &status);
	if (dictionaries == NULL && status.code == NTS_ERR_MEMORY)
		nts_error_raise(&status, table->rel);
	if (dictionaries == NULL)
		nts_verify_problem(table, entry->first_block, NTS_WHAT_DICTIONARIES, "%s", status.message);
	else if (nts_dictionaries_id(dictionaries) != entry->dictionaries)
		nts_verify_problem(table, entry->first_block, NTS_WHAT_DICTIONARIES,
						   "they have the id %u, their directory entry says %u", nts_dictionaries_id(dictionaries),
						   entry->dictionaries);
	nts_dictionaries_close(dictionaries);
}

/* ---- delta pages ---- */

typedef struct DeltaPage
{
	NtsVerifyTable *table;
	const NtsEntry *entry;
	BlockNumber block;
	const char *what;			/* an error would be about */
	PGAlignedBlock page;
	NtsBatch   *batches;
	int			count;
	int			room;
	NtsBatchCursor cursor;
} DeltaPage;

/* Reads a page and finds its batches; those before an error stay. */
static void
read_delta_page(void *arg)
{
	DeltaPage  *page = arg;
	NtsBatch	batch;

	page->what = NTS_WHAT_PAGE;
	nts_page_copy(page->table->rel, page->block, page->table->strategy, page->page.data);
	nts_page_check(page->table->rel, page->block, (Page) page->page.data, NTS_PAGE_DELTA,
				   page->entry->generation);
	nts_delta_check(page->table->rel, page->block, page->page.data);
	page->what = NTS_WHAT_BATCH;
	while (nts_delta_next(page->table->rel, page->block, page->page.data, &page->cursor, &batch))
	{
		if (page->count == page->room)
		{
			page->room = Max(64, page->room * 2);
			page->batches = page->batches == NULL ? palloc(sizeof(NtsBatch) * page->room) :
				repalloc(page->batches, sizeof(NtsBatch) * page->room);
		}
		page->batches[page->count++] = batch;
	}
}

/* What the page's batches say of their times. */
typedef struct Times
{
	bool		known;
	bool		any;
	bool		any_null;
	int64		min;
	int64		max;
} Times;

static void
note_times(NtsVerifyTable *table, const NtsBatchInfo *info, uint64 *const *values, uint8 *const *nulls,
		   uint32 rows, Times *times)
{
	if (!times->known || table->time_column >= (int) info->column_count)
	{
		times->known = false;
		return;
	}
	for (uint32 i = 0; i < rows; i++)
	{
		int64		time = (int64) values[table->time_column][i];

		if (nulls[table->time_column][i])
		{
			times->any_null = true;
			continue;
		}
		times->min = times->any ? Min(times->min, time) : time;
		times->max = times->any ? Max(times->max, time) : time;
		times->any = true;
	}
}

/* Decodes every value of a batch. */
static void
check_payload(DeltaPage *page, const NtsBatch *batch, int number, Times *times)
{
	NtsVerifyTable *table = page->table;
	NtsBatchBytes bytes = nts_batch_bytes(batch);
	NtsBatchInfo info;
	NtsStatus	status;

	if (nts_batch_info(table->columns, table->natts, &bytes, &info, &status) == NTS_OK)
	{
		uint64	  **values = palloc(sizeof(uint64 *) * Max(table->natts, 1));
		uint8	  **nulls = palloc(sizeof(uint8 *) * Max(table->natts, 1));
		uint8	   *data = MemoryContextAllocHuge(CurrentMemoryContext, Max(info.data_bytes, 8));
		uint32	   *cids = palloc(sizeof(uint32) * batch->rows);

		for (int i = 0; i < table->natts; i++)
		{
			values[i] = palloc(sizeof(uint64) * batch->rows);
			nulls[i] = palloc(batch->rows);
		}
		status.code = NTS_OK;
		if (nts_batch_decode(table->columns, table->natts, &bytes, 0, values, nulls, data, info.data_bytes, cids,
							 &status) == NTS_OK)
		{
			uint32		min_cid = info.has_command_ids ? PG_UINT32_MAX : batch->cid;

			for (uint32 i = 0; info.has_command_ids && i < batch->rows; i++)
				min_cid = Min(min_cid, cids[i]);
			if (min_cid != batch->cid)
				nts_verify_problem(table, page->block, NTS_WHAT_COMMAND_IDS,
								   "batch %d does not have the smallest command id of its rows", number);
			note_times(table, &info, values, nulls, batch->rows, times);
		}
		for (int i = 0; i < table->natts; i++)
		{
			pfree(values[i]);
			pfree(nulls[i]);
		}
		pfree(cids);
		pfree(data);
		pfree(nulls);
		pfree(values);
	}
	if (status.code == NTS_ERR_MEMORY)
		nts_error_raise(&status, table->rel);
	if (status.code != NTS_OK)
	{
		nts_verify_problem(table, page->block, NTS_WHAT_BATCH, "batch %d: %s", number, status.message);
		times->known = false;
	}
}

/* What the special area says of all batches. */
static void
check_delta_special(DeltaPage *page, bool all_batches, uint64 rows, const Times *times)
{
	NtsVerifyTable *table = page->table;
	const NtsDeltaSpecial *special = nts_delta_special((Page) page->page.data);

	if (!nts_page_rest_is_zero(page->page.data, NTS_DELTA_SEALED | NTS_DELTA_NULL_TIME))
		nts_verify_problem(table, page->block, NTS_WHAT_PAGE, NTS_REST_NOT_ZERO);
	if (special->move_xid != InvalidTransactionId && (special->common.flags & NTS_DELTA_SEALED) == 0)
		nts_verify_problem(table, page->block, NTS_WHAT_PAGE, "it was moved, but still takes batches");
	if (!all_batches)
		return;
	if (special->rows != rows || rows > NTS_MAX_DELTA_ROWS)
		nts_verify_problem(table, page->block, NTS_WHAT_PAGE, "it counts %u rows, its batches have "
						   UINT64_FORMAT, special->rows, rows);
	if (special->next_row_id != page->cursor.next_row_id)
		nts_verify_problem(table, page->block, NTS_WHAT_ROW_IDS, "the next row id of the page is "
						   UINT64_FORMAT ", its batches end before " UINT64_FORMAT,
						   special->next_row_id, page->cursor.next_row_id);
	if (page->count > 0 && (special->head_at != page->cursor.head_at ||
							special->head_length != page->cursor.head_length))
		nts_verify_problem(table, page->block, NTS_WHAT_PAGE, "the newest head is not where the page says");
	/* the bounds may be wider than need be */
	if (times->known && ((times->any && (special->min_time > times->min || special->max_time < times->max)) ||
						 (times->any_null && (special->common.flags & NTS_DELTA_NULL_TIME) == 0)))
		nts_verify_problem(table, page->block, NTS_WHAT_STATISTICS,
						   "the times of the page are outside of its bounds");
}

static void
check_batch(DeltaPage *page, int number, bool move_sound, Times *times)
{
	NtsVerifyTable *table = page->table;
	const NtsBatch *batch = &page->batches[number];
	const NtsDeltaSpecial *special = nts_delta_special((Page) page->page.data);
	AskVisible	ask = {.table = table,.xmin = batch->xmin,.cmin = batch->cid,
	.xmax = special->move_xid,.cmax = special->move_cid};
	uint64		end = batch->row_id + batch->rows;
	bool		known = nts_verify_xid(table, page->block, psprintf("batch %d: its xmin", number),
									   batch->xmin) && move_sound && is_visible(&ask, page->block);

	/* a row type that was rolled back may have had more columns than the table has */
	if (!ask.aborted)
		check_payload(page, batch, number, times);
	if (batch->row_id >= NTS_ROW_ID_LIMIT || end > NTS_ROW_ID_LIMIT)
	{
		nts_verify_problem(table, page->block, NTS_WHAT_ROW_IDS, "batch %d has row ids from "
						   UINT64_FORMAT " on", number, batch->row_id);
		return;
	}
	if (known)
		nts_verify_row_ids(table, page->block, batch->row_id, batch->rows, ask.visible);
}

static void
check_delta_page(NtsVerifyTable *table, const NtsEntry *entry, BlockNumber block)
{
	DeltaPage  *page = palloc0(sizeof(DeltaPage));
	const NtsDeltaSpecial *special;
	Times		times = {0};
	uint64		rows = 0;
	int			sqlstate;
	char	   *message;
	bool		whole;
	bool		move_sound;

	page->table = table;
	page->entry = entry;
	page->block = block;
	whole = nts_error_try(read_delta_page, page, &sqlstate, &message);
	/* without a metapage nobody knows which pages are in use */
	if (!whole && (table->has_meta || strcmp(page->what, NTS_WHAT_PAGE) != 0))
		nts_verify_problem(table, block, page->what, "%s", message);
	if (!whole && strcmp(page->what, NTS_WHAT_PAGE) == 0)
		return;
	special = nts_delta_special((Page) page->page.data);
	times.known = table->time_column >= 0 && special->time_column == (uint32) table->time_column + 1;
	/* nobody looks at the batches of a page that is gone */
	if (special->move_xid != FrozenTransactionId)
	{
		move_sound = nts_verify_xid(table, block, "its mover", special->move_xid);
		for (int i = 0; i < page->count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			check_batch(page, i, move_sound, &times);
			rows += page->batches[i].rows;
			if ((entry->flags & NTS_ENTRY_FROZEN) != 0 && TransactionIdIsNormal(page->batches[i].xmin))
				nts_verify_problem(table, block, NTS_WHAT_VISIBILITY,
								   "batch %d: its xmin %u stands in a frozen extent", i,
								   page->batches[i].xmin);
		}
		check_delta_special(page, whole, rows, &times);
	}
	if ((entry->flags & NTS_ENTRY_FROZEN) != 0 && (special->common.flags & NTS_DELTA_SEALED) == 0)
		nts_verify_problem(table, block, NTS_WHAT_PAGE, "it takes batches, but its extent is frozen");
	if (page->batches != NULL)
		pfree(page->batches);
	pfree(page);
}

void
nts_verify_delta(NtsVerifyTable *table, const NtsEntryRef *ref)
{
	const NtsEntry *entry = &ref->entry;
	BlockNumber blocks = nts_verify_file_blocks(table);
	uint32		pages = entry->block_count;

	/* of the newest extent, those that have been handed out */
	if (table->has_meta)
		pages = nts_delta_pages(&table->meta, entry);
	for (uint32 i = 0; i < pages; i++)
	{
		BlockNumber block = entry->first_block + i;

		if (block >= blocks)
		{
			nts_verify_problem(table, block, NTS_WHAT_PAGE,
							   "blocks %u to %u lie behind the end of the file (%u blocks)", block,
							   entry->first_block + pages - 1, blocks);
			return;
		}
		CHECK_FOR_INTERRUPTS();
		check_delta_page(table, entry, block);
	}
}
