/*
 * reader.c - the rows that a snapshot sees, vector by vector.
 *
 * Which entries are visible is decided once, when the reader is opened: for an
 * MVCC snapshot nothing that appears later can be visible to it, and for the other
 * kinds a move must not be seen half. Units are ordered by physical block, so that
 * a block number leads to the same rows in every participant of a parallel scan.
 * A unit is a vector of a segment (at most 1 024 rows) or a delta page.
 *
 * Ownership: a vector set refers to its row group, that to its segment handle, each
 * counted; slots refer to vector sets. Each object lives in a memory context of its
 * own below the context given to nts_reader_open, so an error frees them all. Of these
 * only vector sets outlive the reader, filled and without a row group (let_go_of_set):
 * row groups and segment handles may use what is the reader's, such as its directory.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/am/am.h"
#include "pg/error.h"

typedef struct NtsSegmentHandle
{
	int			references;
	MemoryContext context;
	NtsEntry	entry;
	NtsSegment *core;			/* freed, or released, by the context's callback */
	NtsCachedSegment *cached;	/* which it then belongs to, or NULL */
	NtsSegmentInfo info;
	const NtsDirectory *directory;	/* held by the reader's context */
	bool		has_dictionaries;	/* core has been handed those that it refers to */
} SegmentHandle;

typedef struct NtsRowGroup
{
	int			references;
	MemoryContext context;
	SegmentHandle *segment;
	uint32		number;
	NtsRowGroupInfo info;
	int			chunk_count;
	NtsCachedChunk **chunks;	/* [chunk_count]: columns, row ids, command ids; NULL: not read. Released by the
								 * context's callback */
	NtsCachedChunk *loading;	/* NULL, or one that could not be read */
} NtsRowGroup;

struct NtsReader
{
	Relation	rel;
	NtsDecoded *decoded;		/* or NULL */
	Snapshot	snapshot;
	MemoryContext context;		/* its own */
	MemoryContext parent;		/* of sets, row groups and segments: slots may keep a
								 * set longer than the reader lives */
	BufferAccessStrategy strategy;
	TupleDesc	desc;
	int			natts;
	NtsColumn  *columns;
	NtsMeta		meta;			/* as it was before the entries were read */
	const NtsDirectory *directory;	/* NULL: the table is empty */
	/*
	 * The entries that the snapshot sees, as places in the directory: first `live_count` that it shares with others, then
	 * its own. By first_block.
	 */
	const int32 *live;
	int			live_count;
	int32	   *own;
	int			own_count;
	bool		restricted;		/* some are left out */
	SegmentHandle *segment;		/* of entry segment_entry */
	int			segment_entry;
	NtsRowGroup *group;
	NtsVectorSet *set;			/* the last unit loaded */
	/* look-up by row id: sorted ids of the segments asked so far, by entry */
	struct RowIdPlace **id_indexes;
	Size		id_bytes;		/* of all of them */
	uint64	   *unit_starts;	/* units before each entry, for samples; or NULL */
};

#define ID_INDEX_BYTES (64 * 1024 * 1024)	/* beyond it, earlier ones are dropped */

typedef struct RowIdPlace
{
	uint64		row_id;
	uint64		row;
} RowIdPlace;

/* ---- segments and row groups ---- */

static void
close_core_segment(void *arg)
{
	SegmentHandle *handle = arg;

	if (handle->cached != NULL)
		nts_segment_cache_release(handle->cached);
	else
		nts_segment_close(handle->core);
	handle->cached = NULL;
	handle->core = NULL;
}

/* Reads and parses the footer. */
static NtsSegment *
read_footer(NtsReader *reader, const NtsEntry *entry)
{
	uint64		length = entry->byte_length - entry->footer_offset;
	uint8	   *footer = MemoryContextAllocHuge(CurrentMemoryContext, Max(length, 1));
	NtsSegment *core;
	NtsStatus	status;

	nts_segment_read(reader->rel, entry, entry->footer_offset, length, reader->strategy, footer);
	core = nts_segment_open(footer, length, entry->byte_length, reader->columns, reader->natts, &status);
	if (core == NULL)
		nts_error_raise(&status, reader->rel);
	pfree(footer);
	return core;
}

static SegmentHandle *
open_segment(NtsReader *reader, const NtsEntry *entry)
{
	MemoryContext context = AllocSetContextCreate(reader->parent, "nodedb_ts segment",
												  ALLOCSET_SMALL_SIZES);
	SegmentHandle *handle = MemoryContextAllocZero(context, sizeof(SegmentHandle));
	MemoryContextCallback *callback = MemoryContextAllocZero(context, sizeof(*callback));
	/* a rewrite reads with the row type of before */
	bool		may_cache = reader->desc == RelationGetDescr(reader->rel);

	handle->references = 1;
	handle->context = context;
	handle->entry = *entry;
	handle->directory = reader->directory;
	callback->func = close_core_segment;
	callback->arg = handle;
	MemoryContextRegisterResetCallback(context, callback);

	if (may_cache && (handle->cached = nts_segment_cache_find(reader->rel, entry)) != NULL)
		handle->core = handle->cached->core;
	else
	{
		handle->core = read_footer(reader, entry);
		if (may_cache)
			handle->cached = nts_segment_cache_add(reader->rel, entry, handle->core);
	}
	nts_segment_info(handle->core, &handle->info);
	if (handle->info.rows != entry->rows)
		nts_error_corrupt(reader->rel, "segment at block %u has " UINT64_FORMAT
						  " rows, its directory entry says " UINT64_FORMAT,
						  entry->first_block, handle->info.rows, entry->rows);
	return handle;
}

static void
release_segment(SegmentHandle *handle)
{
	if (--handle->references == 0)
		MemoryContextDelete(handle->context);
}

static void
release_group(NtsRowGroup *group)
{
	if (--group->references == 0)
	{
		release_segment(group->segment);
		MemoryContextDelete(group->context);
	}
}

static SegmentHandle *
change_segment(NtsReader *reader, int entry)
{
	if (reader->segment != NULL)
		release_segment(reader->segment);
	reader->segment = NULL;
	reader->segment = open_segment(reader, nts_reader_entry(reader, entry));
	reader->segment_entry = entry;
	return reader->segment;
}

/* Asked for several times a vector. */
static inline SegmentHandle *
segment_of(NtsReader *reader, int entry)
{
	if (likely(reader->segment != NULL && reader->segment_entry == entry))
		return reader->segment;
	return change_segment(reader, entry);
}

static void
release_chunks(void *arg)
{
	NtsRowGroup *group = arg;

	for (int i = 0; i < group->chunk_count; i++)
		if (group->chunks[i] != NULL)
			nts_chunk_cache_release(group->chunks[i]);
	if (group->loading != NULL)
		nts_chunk_cache_release(group->loading);
}

static NtsRowGroup *
group_of(NtsReader *reader, int entry, uint32 number)
{
	SegmentHandle *segment = segment_of(reader, entry);
	MemoryContext context;
	MemoryContextCallback *callback;
	NtsRowGroup *group = reader->group;
	NtsStatus	status;

	if (group != NULL && group->segment == segment && group->number == number)
		return group;
	if (group != NULL)
		release_group(group);
	reader->group = NULL;
	context = AllocSetContextCreate(reader->parent, "nodedb_ts row group", ALLOCSET_SMALL_SIZES);
	group = MemoryContextAllocZero(context, sizeof(NtsRowGroup));
	group->references = 1;
	group->context = context;
	group->segment = segment;
	group->number = number;
	group->chunk_count = reader->natts + 2;
	group->chunks = MemoryContextAllocZero(context, sizeof(NtsCachedChunk *) * group->chunk_count);
	callback = MemoryContextAllocZero(context, sizeof(*callback));
	callback->func = release_chunks;
	callback->arg = group;
	MemoryContextRegisterResetCallback(context, callback);
	NTS_CHECK(nts_segment_row_group(segment->core, number, &group->info, &status), status,
			  reader->rel);
	segment->references++;
	reader->group = group;
	return group;
}

/* A column chunk's bytes, read and checked once per row group. */
static const uint8 *
load_chunk(Relation rel, NtsRowGroup *group, int32 column, int place, uint64 *length)
{
	SegmentHandle *segment = group->segment;
	uint64		generation = segment->entry.generation;
	NtsCachedChunk *chunk = group->chunks[place];
	NtsChunkInfo info;
	NtsStatus	status;

	if (chunk == NULL)
	{
		NTS_CHECK(nts_segment_chunk(segment->core, group->number, column, &info, &status), status, rel);
		if (info.uses_dictionary && !segment->has_dictionaries)
		{
			nts_dictionaries_hand_in(rel, segment->directory, segment->entry.dictionaries, segment->core);
			segment->has_dictionaries = true;
		}
		if (segment->cached != NULL)
			chunk = nts_chunk_cache_find(rel, generation, group->number, column, info.length);
		if (chunk == NULL)
		{
			if (group->loading != NULL)
				nts_chunk_cache_release(group->loading);
			group->loading = NULL;
			chunk = nts_chunk_cache_make(rel, generation, group->number, column, info.length);
			group->loading = chunk;
			nts_segment_read(rel, &segment->entry, info.offset, info.length, NULL, chunk->bytes);
			NTS_CHECK(nts_chunk_verify(segment->core, group->number, column, chunk->bytes, info.length, &status),
					  status, rel);
			if (segment->cached != NULL)
				nts_chunk_cache_keep(chunk);
			group->loading = NULL;
		}
		group->chunks[place] = chunk;
	}
	*length = chunk->length;
	return chunk->bytes;
}

/* ---- vector sets ---- */

static NtsVectorSet *
make_set(NtsReader *reader)
{
	MemoryContext context = AllocSetContextCreate(reader->parent, "nodedb_ts vectors",
												  ALLOCSET_SMALL_SIZES);
	NtsVectorSet *set = MemoryContextAllocZero(context, sizeof(NtsVectorSet));

	set->references = 1;
	set->context = context;
	set->data_context = AllocSetContextCreate(context, "nodedb_ts vector data",
											  ALLOCSET_DEFAULT_SIZES);
	set->rel = reader->rel;
	set->desc = reader->desc;
	set->natts = reader->natts;
	set->decoded = reader->decoded;
	set->columns = MemoryContextAllocZero(context, sizeof(NtsColumnData) * Max(reader->natts, 1));
	return set;
}

void
nts_vector_set_release(NtsVectorSet *set)
{
	if (--set->references > 0)
		return;
	if (set->group != NULL)
		release_group(set->group);
	MemoryContextDelete(set->context);
}

/*
 * Gives up the reader's set. A slot that still shows one of its rows may ask for
 * any column later, when the relation may be closed: decode them all now.
 */
static void
let_go_of_set(NtsReader *reader)
{
	NtsVectorSet *set = reader->set;

	if (set == NULL)
		return;
	if (set->references > 1)
	{
		/* slots may look at any row */
		set->wanted = set->rows;
		for (int i = 0; i < set->natts; i++)
			if (!set->columns[i].filled)
				nts_vector_set_fill(set, i);
		if (set->group != NULL)
			release_group(set->group);
		set->group = NULL;
	}
	set->rel = NULL;
	reader->set = NULL;
	nts_vector_set_release(set);
}

/* A set to load `rows` rows into: the last one when nobody else looks at it. */
static NtsVectorSet *
fresh_set(NtsReader *reader, uint32 rows)
{
	NtsVectorSet *set;

	if (reader->set != NULL && reader->set->references > 1)
		let_go_of_set(reader);
	if (reader->set == NULL)
		reader->set = make_set(reader);
	set = reader->set;
	MemoryContextReset(set->data_context);
	if (set->group != NULL)
		release_group(set->group);
	set->group = NULL;
	set->is_counted = false;
	set->row_ids = NULL;
	set->xmins = NULL;
	set->cids = NULL;
	set->hidden = NULL;
	for (int i = 0; i < set->natts; i++)
	{
		set->columns[i].filled = false;
		set->columns[i].order_known = false;
		if (rows > set->room)
		{
			if (set->columns[i].values != NULL)
			{
				pfree(set->columns[i].values);
				pfree(set->columns[i].nulls);
			}
			set->columns[i].values = NULL;
			set->columns[i].nulls = NULL;
		}
	}
	set->room = Max(set->room, Max(rows, 1));
	set->rows = rows;
	set->wanted = rows;
	return set;
}

static void
ensure_arrays(NtsVectorSet *set, int column)
{
	NtsColumnData *data = &set->columns[column];

	if (data->values == NULL)
	{
		data->values = MemoryContextAllocHuge(set->context, sizeof(Datum) * set->room);
		data->nulls = MemoryContextAllocHuge(set->context, set->room);
	}
}

/* FLOAT4 words come zero-extended; PostgreSQL's datums are sign-extended. */
static void
extend_float4(Datum *values, uint32 rows)
{
	for (uint32 i = 0; i < rows; i++)
		values[i] = (Datum) (int64) (int32) (uint32) values[i];
}

/* Rows [first, first+rows) of a column that the stored rows do not have. */
static void
fill_default(NtsVectorSet *set, int column, uint32 first, uint32 rows)
{
	NtsColumnData *data = &set->columns[column];
	Form_pg_attribute att = TupleDescAttr(set->desc, column);
	bool		isnull = true;
	Datum		value = (Datum) 0;

	if (!att->attisdropped)
		value = getmissingattr(set->desc, column + 1, &isnull);
	if (!isnull && !att->attbyval)
	{
		MemoryContext old = MemoryContextSwitchTo(set->data_context);

		value = datumCopy(value, att->attbyval, att->attlen);
		MemoryContextSwitchTo(old);
	}
	for (uint32 i = first; i < first + rows; i++)
	{
		data->values[i] = value;
		data->nulls[i] = isnull;
	}
}

/* Decodes vector `set->vector` of a stored or hidden column. uniform: may be NULL. */
static void
decode_column(NtsVectorSet *set, int32 column, int place, uint64 *values, uint8 *nulls, bool *uniform)
{
	NtsRowGroup *group = set->group;
	uint64		length;
	uint64		data_bytes = 0;
	uint8	   *data;
	bool		any_null;
	NtsStatus	status;
	const uint8 *chunk;

	if (set->rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("nodedb_ts: a row outlived its scan")));
	chunk = load_chunk(set->rel, group, column, place, &length);
	/* words need no room */
	if (column >= 0 && !TupleDescAttr(set->desc, column)->attbyval)
		NTS_CHECK(nts_vector_size(group->segment->core, group->number, column, chunk, length,
								  set->vector, &data_bytes, &status), status, set->rel);
	data = data_bytes == 0 ? NULL : MemoryContextAllocHuge(set->data_context, data_bytes);
	NTS_CHECK(nts_vector_decode(group->segment->core, group->number, column, chunk, length,
								set->vector, set->wanted, values, nulls, data, data_bytes, &any_null, uniform, &status),
			  status, set->rel);
	if (set->decoded != NULL)
	{
		set->decoded->vectors += !set->is_counted;
		set->decoded->bytes += data_bytes + sizeof(uint64) * set->rows;
		set->is_counted = true;
	}
}

void
nts_vector_set_fill(NtsVectorSet *set, int column)
{
	NtsColumnData *data = &set->columns[column];
	Form_pg_attribute att = TupleDescAttr(set->desc, column);

	ensure_arrays(set, column);
	if (column >= (int) set->group->segment->info.column_count || att->attisdropped)
	{
		fill_default(set, column, 0, set->rows);
		data->uniform = true;
	}
	else
	{
		decode_column(set, column, column, (uint64 *) data->values, data->nulls, &data->uniform);
		if (att->attbyval && att->attlen == 4)
			extend_float4(data->values, set->rows);
	}
	data->filled = true;
}

uint32
nts_vector_set_dictionaries(const NtsVectorSet *set, int column)
{
	const NtsRowGroup *group = set->group;
	NtsChunkInfo info;
	NtsStatus	status;

	if (group == NULL || set->columns[column].filled || column >= (int) group->segment->info.column_count ||
		TupleDescAttr(set->desc, column)->attisdropped)
		return 0;
	NTS_CHECK(nts_segment_chunk(group->segment->core, group->number, column, &info, &status), status, set->rel);
	return info.uses_dictionary ? group->segment->entry.dictionaries : 0;
}

bool
nts_vector_set_ascends(NtsVectorSet *set, int column)
{
	NtsColumnData *data = &set->columns[column];

	if (set->group == NULL || set->group->segment->info.time_column != column)
		return false;
	if (!data->filled)
		nts_vector_set_fill(set, column);
	if (!data->order_known)
		data->ascends = memchr(data->nulls, 1, set->rows) == NULL &&
			nts_is_ascending((const uint64 *) data->values, set->rows);
	data->order_known = true;
	return data->ascends;
}

/* Command ids of a segment that mixes them, looked at by its own transaction only. */
static void
hide_later_commands(NtsReader *reader, NtsVectorSet *set)
{
	uint64	   *values;
	uint8	   *nulls;
	bool		own = TransactionIdIsCurrentTransactionId(set->xmin);
	bool		mvcc = reader->snapshot->snapshot_type == SNAPSHOT_MVCC;

	if (!own || !set->group->segment->info.has_command_ids)
		return;
	values = MemoryContextAlloc(set->data_context, sizeof(uint64) * set->rows);
	nulls = MemoryContextAlloc(set->data_context, set->rows);
	decode_column(set, NTS_COLUMN_COMMAND_ID, set->natts + 1, values, nulls, NULL);
	set->cids = MemoryContextAlloc(set->data_context, sizeof(uint32) * set->rows);
	for (uint32 i = 0; i < set->rows; i++)
		set->cids[i] = (uint32) values[i];
	if (!mvcc)
		return;
	set->hidden = MemoryContextAllocZero(set->data_context, set->rows);
	for (uint32 i = 0; i < set->rows; i++)
		set->hidden[i] = set->cids[i] >= reader->snapshot->curcid;
}

static NtsVectorSet *
load_vector(NtsReader *reader, int entry, uint32 group_number, uint32 vector)
{
	NtsRowGroup *group = group_of(reader, entry, group_number);
	const NtsEntry *e = nts_reader_entry(reader, entry);
	NtsVectorSet *set;
	uint32		first_row;
	uint32		rows;
	NtsStatus	status;

	NTS_CHECK(nts_segment_vector(group->segment->core, group_number, vector, &first_row, &rows,
								 &status), status, reader->rel);
	set = fresh_set(reader, rows);
	set->group = group;
	group->references++;
	set->vector = vector;
	set->xmin = e->xmin;
	set->cid = e->cmin;
	set->segment_row = group->info.first_row + first_row;
	set->first_row_id = e->first_row_id + set->segment_row;
	if (group_number == group->segment->info.row_groups && !group->segment->info.has_row_ids)
	{
		/* copies have the ids of their rows */
		set->row_ids = MemoryContextAlloc(set->data_context, sizeof(uint64) * rows);
		NTS_CHECK(nts_segment_last_rows(group->segment->core, first_row, rows, set->row_ids, &status), status,
				  reader->rel);
		for (uint32 i = 0; i < rows; i++)
			set->row_ids[i] += e->first_row_id;
	}
	if (group->segment->info.has_row_ids)
	{
		uint8	   *nulls = MemoryContextAlloc(set->data_context, rows);

		set->row_ids = MemoryContextAlloc(set->data_context, sizeof(uint64) * rows);
		decode_column(set, NTS_COLUMN_ROW_ID, set->natts, set->row_ids, nulls, NULL);
	}
	hide_later_commands(reader, set);
	return set;
}

/* ---- delta pages ---- */

typedef struct VisibleBatch
{
	NtsBatch	header;
	NtsBatchBytes bytes;
	NtsBatchInfo info;
} VisibleBatch;

static void
decode_batch(NtsReader *reader, NtsVectorSet *set, const VisibleBatch *batch, uint32 first,
			 uint64 *const *values, uint8 *const *nulls, uint8 *data)
{
	NtsStatus	status;
	uint32		rows = batch->header.rows;
	TransactionId xmin = batch->header.xmin;
	CommandId	cid = batch->header.cid;
	uint64		row_id = batch->header.row_id;
	uint64	   *row_ids = set->row_ids + first;
	TransactionId *xmins = set->xmins + first;
	uint32	   *cids = set->cids + first;

	NTS_CHECK(nts_batch_decode(reader->columns, reader->natts, &batch->bytes, first, values, nulls,
							   data, batch->info.data_bytes,
							   batch->info.has_command_ids ? cids : NULL, &status),
			  status, reader->rel);
	for (int i = batch->info.column_count; i < reader->natts; i++)
		fill_default(set, i, first, rows);
	for (uint32 i = 0; i < rows; i++)
		row_ids[i] = row_id + i;
	for (uint32 i = 0; i < rows; i++)
		xmins[i] = xmin;
	for (uint32 i = 0; i < rows && !batch->info.has_command_ids; i++)
		cids[i] = cid;
	/* of its own transaction, an MVCC snapshot sees the rows of the commands before */
	if (reader->snapshot->snapshot_type != SNAPSHOT_MVCC ||
		!TransactionIdIsCurrentTransactionId(xmin))
		return;
	for (uint32 i = 0; i < rows; i++)
	{
		if (cids[i] < reader->snapshot->curcid)
			continue;
		if (set->hidden == NULL)
			set->hidden = MemoryContextAllocZero(set->data_context, set->rows);
		set->hidden[first + i] = 1;
	}
}

NtsVectorSet *
nts_reader_delta_copy(NtsReader *reader, BlockNumber block, const char *page)
{
	NtsVectorSet *set;
	VisibleBatch *batches;
	NtsBatch	header;
	NtsBatchCursor cursor = {0};
	int			count = 0;
	int			room = 32;
	uint64		rows = 0;
	uint64		data_bytes = 0;
	uint32		first = 0;
	const uint8 *head = NULL;	/* that the last batch has referred to */
	uint64	  **values;
	uint8	  **nulls;
	uint8	   *data;

	batches = palloc(sizeof(VisibleBatch) * room);
	while (nts_delta_next(reader->rel, block, page, &cursor, &header))
	{
		VisibleBatch *batch;
		NtsStatus	status;

		if (!nts_batch_visible(reader->rel, &header, reader->snapshot))
			continue;
		if (count == room)
			batches = repalloc(batches, sizeof(VisibleBatch) * (room *= 2));
		batch = &batches[count++];
		batch->header = header;
		batch->bytes = nts_batch_bytes(&header);
		batch->bytes.head_checked = header.head_length > 0 && header.head == head;
		NTS_CHECK(nts_batch_info(reader->columns, reader->natts, &batch->bytes, &batch->info, &status),
				  status, reader->rel);
		head = header.head;
		batch->bytes.head_checked = header.head_length > 0;
		rows += header.rows;
		data_bytes += TYPEALIGN(8, batch->info.data_bytes);
	}
	if (count == 0)
	{
		pfree(batches);
		return NULL;
	}
	set = fresh_set(reader, rows);
	values = palloc(sizeof(uint64 *) * Max(reader->natts, 1));
	nulls = palloc(sizeof(uint8 *) * Max(reader->natts, 1));
	data = MemoryContextAllocHuge(set->data_context, Max(data_bytes, 8));
	set->row_ids = MemoryContextAllocHuge(set->data_context, sizeof(uint64) * rows);
	set->xmins = MemoryContextAllocHuge(set->data_context, sizeof(TransactionId) * rows);
	set->cids = MemoryContextAllocHuge(set->data_context, sizeof(uint32) * rows);
	for (int i = 0; i < reader->natts; i++)
	{
		ensure_arrays(set, i);
		values[i] = set->columns[i].values;
		nulls[i] = set->columns[i].nulls;
	}
	for (int i = 0; i < count; i++)
	{
		decode_batch(reader, set, &batches[i], first, values, nulls, data);
		first += batches[i].header.rows;
		data += TYPEALIGN(8, batches[i].info.data_bytes);
	}
	for (int i = 0; i < reader->natts; i++)
	{
		NtsColumnData *column = &set->columns[i];

		first = 0;
		for (int b = 0; b < count && reader->columns[i].kind == NTS_KIND_FLOAT4; b++)
		{
			/* later columns of old batches have their defaults already */
			if (i < (int) batches[b].info.column_count)
				extend_float4(column->values + first, batches[b].header.rows);
			first += batches[b].header.rows;
		}
		column->filled = true;
		column->uniform = false;
	}
	pfree(values);
	pfree(nulls);
	pfree(batches);
	return set;
}

static NtsVectorSet *
load_delta_page(NtsReader *reader, int entry, uint32 page_number)
{
	const NtsEntry *e = nts_reader_entry(reader, entry);
	BlockNumber block = e->first_block + page_number;
	PGAlignedBlock page;

	nts_delta_read(reader->rel, e, block, reader->strategy, page.data);
	if (!nts_delta_page_visible(reader->rel, page.data, reader->snapshot))
		return NULL;
	return nts_reader_delta_copy(reader, block, page.data);
}

/* ---- positions ---- */

bool
nts_reader_is_delta(NtsReader *reader, int entry)
{
	return nts_reader_entry(reader, entry)->level == NTS_LEVEL_DELTA;
}

/* Initialized pages of a delta extent, or row groups of a segment. */
uint32
nts_reader_groups(NtsReader *reader, int entry)
{
	const NtsEntry *e = nts_reader_entry(reader, entry);

	if (!nts_reader_is_delta(reader, entry))
		return segment_of(reader, entry)->info.row_groups;
	return nts_delta_pages(&reader->meta, e);
}

static NtsRowGroupInfo
group_info(NtsReader *reader, int entry, uint32 group)
{
	NtsRowGroupInfo info;
	NtsStatus	status;

	NTS_CHECK(nts_segment_row_group(segment_of(reader, entry)->core, group, &info, &status), status, reader->rel);
	return info;
}

/* The block in which a row group's first byte stands: that is where the row group belongs. */
static BlockNumber
group_block(NtsReader *reader, int entry, uint32 group)
{
	return nts_reader_entry(reader, entry)->first_block +
		group_info(reader, entry, group).first_byte / NTS_SEGMENT_PAYLOAD;
}

uint32
nts_reader_vectors(NtsReader *reader, int entry, uint32 group)
{
	return nts_reader_is_delta(reader, entry) ? 1 : group_info(reader, entry, group).vectors;
}

uint32
nts_reader_group_rows(NtsReader *reader, int entry, uint32 group)
{
	return group_info(reader, entry, group).rows;
}

NtsVectorSet *
nts_reader_load(NtsReader *reader, const NtsPosition *position)
{
	CHECK_FOR_INTERRUPTS();
	if (nts_reader_is_delta(reader, position->entry))
		return load_delta_page(reader, position->entry, position->group);
	return load_vector(reader, position->entry, position->group, position->vector);
}

/* Moves to the neighbouring unit; false at the end. */
static bool
advance(NtsReader *reader, NtsPosition *p, bool forward)
{
	if (forward)
	{
		if (++p->vector < nts_reader_vectors(reader, p->entry, p->group))
			return true;
		p->vector = 0;
		if (++p->group < nts_reader_groups(reader, p->entry))
			return true;
		for (;;)
		{
			p->group = 0;
			if (++p->entry >= nts_reader_entry_count(reader))
				return false;
			if (nts_reader_groups(reader, p->entry) > 0)
				return true;
		}
	}
	if (p->vector > 0)
	{
		p->vector--;
		return true;
	}
	while (p->group == 0)
	{
		if (--p->entry < 0)
			return false;
		p->group = nts_reader_groups(reader, p->entry);
	}
	p->group--;
	p->vector = nts_reader_vectors(reader, p->entry, p->group) - 1;
	return true;
}

uint32
nts_reader_vector_rows(NtsReader *reader, int entry, uint32 group, uint32 vector)
{
	uint32		first_row;
	uint32		rows;
	NtsStatus	status;

	NTS_CHECK(nts_segment_vector(segment_of(reader, entry)->core, group, vector, &first_row, &rows, &status), status,
			  reader->rel);
	return rows;
}

bool
nts_reader_hides_rows(NtsReader *reader, int entry)
{
	return segment_of(reader, entry)->info.has_command_ids &&
		TransactionIdIsCurrentTransactionId(nts_reader_entry(reader, entry)->xmin);
}

bool
nts_reader_statistics(NtsReader *reader, int entry, uint32 group, int column, NtsStatistics *statistics)
{
	SegmentHandle *segment = segment_of(reader, entry);
	NtsStatus	status;

	if (column >= (int) segment->info.column_count)
		return false;
	NTS_CHECK(nts_segment_statistics(segment->core, group, column, statistics, &status), status, reader->rel);
	return true;
}

/* Reads what the chunk says; the cached segment keeps it. */
static NtsStatistics *
read_vector_statistics(NtsReader *reader, int entry, uint32 number, int column)
{
	NtsRowGroup *group = group_of(reader, entry, number);
	NtsCachedSegment *cached = group->segment->cached;
	MemoryContext context = nts_segment_cache_context(cached);
	uint64		length;
	const uint8 *chunk = load_chunk(reader->rel, group, column, column, &length);
	NtsStatistics *vectors = MemoryContextAlloc(reader->context, sizeof(NtsStatistics) * group->info.vectors);
	NtsStatus	status;

	NTS_CHECK(nts_chunk_statistics(group->segment->core, number, column, chunk, length, vectors, &status), status,
			  reader->rel);
	if (cached->vector_statistics == NULL)
		cached->vector_statistics = MemoryContextAllocZero(context, sizeof(NtsStatistics **) *
														   (group->segment->info.row_groups + 1));	/* and last rows */
	if (cached->vector_statistics[number] == NULL)
		cached->vector_statistics[number] = MemoryContextAllocZero(context, sizeof(NtsStatistics *) *
																   group->segment->info.column_count);
	cached->vector_statistics[number][column] = memcpy(MemoryContextAlloc(context, sizeof(NtsStatistics) * group->info.vectors),
													   vectors, sizeof(NtsStatistics) * group->info.vectors);
	pfree(vectors);
	return cached->vector_statistics[number][column];
}

const NtsStatistics *
nts_reader_vector_statistics(NtsReader *reader, int entry, uint32 number, int column)
{
	const SegmentHandle *segment = segment_of(reader, entry);
	const NtsCachedSegment *cached = segment->cached;

	if (cached == NULL || column >= (int) segment->info.column_count)
		return NULL;
	if (cached->vector_statistics != NULL && cached->vector_statistics[number] != NULL &&
		cached->vector_statistics[number][column] != NULL)
		return cached->vector_statistics[number][column];
	return read_vector_statistics(reader, entry, number, column);
}

/* Copies a by-reference value's bytes, as the segment stores them; NULL for NULL. */
static const uint8 *
copy_key(MemoryContext context, Form_pg_attribute att, const NtsColumnData *data, uint32 row, uint32 *length)
{
	Pointer		value = DatumGetPointer(data->values[row]);
	uint8	   *copy;

	*length = 0;
	if (data->nulls[row])
		return NULL;
	*length = att->attlen == -1 ? VARSIZE(value) - VARHDRSZ : (uint32) att->attlen;
	copy = MemoryContextAlloc(context, Max(*length, 1));
	memcpy(copy, att->attlen == -1 ? VARDATA(value) : value, *length);
	return copy;
}

/* Bounds of one vector; a value that is the first and the last one is kept once. */
static void
find_vector_bounds(NtsReader *reader, const NtsPosition *position, int column, MemoryContext context,
				   NtsKeyBounds *bounds)
{
	Form_pg_attribute att = TupleDescAttr(reader->desc, column);
	NtsVectorSet *set = nts_reader_load(reader, position);
	NtsColumnData *data = &set->columns[column];
	uint32		last = set->rows - 1;

	nts_vector_set_fill(set, column);
	bounds->first = copy_key(context, att, data, 0, &bounds->first_length);
	if (!data->nulls[0] && !data->nulls[last] && data->values[0] == data->values[last])
	{
		bounds->last = bounds->first;
		bounds->last_length = bounds->first_length;
	}
	else
		bounds->last = copy_key(context, att, data, last, &bounds->last_length);
}

/* Is the column the first one of the segment's series key, of byte strings, and may what is found be kept? */
static bool
has_key_bounds(NtsReader *reader, const SegmentHandle *segment, int column)
{
	uint8		kind = reader->columns[column].kind;

	return segment->cached != NULL && segment->info.series_column_count > 0 &&
		segment->info.series_columns[0] == column && (kind == NTS_KIND_VAR || kind == NTS_KIND_FIXED);
}

const NtsKeyBounds *
nts_reader_key_bounds(NtsReader *reader, int entry, uint32 group, int column)
{
	SegmentHandle *segment = segment_of(reader, entry);
	NtsCachedSegment *cached = segment->cached;
	MemoryContext context;
	NtsKeyBounds *bounds;

	if (!has_key_bounds(reader, segment, column) || group >= segment->info.row_groups)
		return NULL;
	if (cached->bounds != NULL)
		return &cached->bounds[group];
	/* the segment's only when all are there: reading may fail */
	context = AllocSetContextCreate(reader->context, "nodedb_ts key bounds", ALLOCSET_SMALL_SIZES);
	bounds = MemoryContextAllocZero(context, sizeof(NtsKeyBounds) * segment->info.row_groups);
	for (uint32 g = 0; g < segment->info.row_groups; g++)
	{
		NtsPosition first = {.entry = entry,.group = g};
		NtsPosition last = {.entry = entry,.group = g,.vector = nts_reader_vectors(reader, entry, g) - 1};
		NtsKeyBounds end;

		find_vector_bounds(reader, &first, column, context, &bounds[g]);
		if (last.vector == 0)
			continue;
		find_vector_bounds(reader, &last, column, context, &end);
		bounds[g].last = end.last;
		bounds[g].last_length = end.last_length;
	}
	MemoryContextSetParent(context, nts_segment_cache_context(cached));
	cached->bounds = bounds;
	return &bounds[group];
}

const NtsKeyBounds *
nts_reader_vector_key_bounds(NtsReader *reader, int entry, uint32 group, int column)
{
	SegmentHandle *segment = segment_of(reader, entry);
	NtsCachedSegment *cached = segment->cached;
	MemoryContext context;
	NtsKeyBounds *bounds;
	uint32		vectors;

	if (!has_key_bounds(reader, segment, column))
		return NULL;
	if (cached->vector_bounds == NULL)
		cached->vector_bounds = MemoryContextAllocZero(nts_segment_cache_context(cached),
													   sizeof(NtsKeyBounds *) * (segment->info.row_groups + 1));
	if (cached->vector_bounds[group] != NULL)
		return cached->vector_bounds[group];
	vectors = nts_reader_vectors(reader, entry, group);
	context = AllocSetContextCreate(reader->context, "nodedb_ts key bounds", ALLOCSET_SMALL_SIZES);
	bounds = MemoryContextAllocZero(context, sizeof(NtsKeyBounds) * vectors);
	for (uint32 v = 0; v < vectors; v++)
	{
		NtsPosition position = {.entry = entry,.group = group,.vector = v};

		find_vector_bounds(reader, &position, column, context, &bounds[v]);
	}
	MemoryContextSetParent(context, nts_segment_cache_context(cached));
	cached->vector_bounds[group] = bounds;
	return bounds;
}

/* ---- what chunks list of their values ---- */

#define LISTED_VALUES 1024
#define LISTED_BYTES (64 * 1024)

/* What a column that the segment does not store has in every row. */
static void
list_default(NtsReader *reader, int column, NtsValueList *list)
{
	Form_pg_attribute att = TupleDescAttr(reader->desc, column);
	bool		isnull = true;
	Datum		value = (Datum) 0;

	if (!att->attisdropped)
		value = getmissingattr(reader->desc, column + 1, &isnull);
	list->is_known = true;
	list->some_null = isnull;
	if (isnull)
		return;
	list->values = palloc(sizeof(Datum));
	list->values[0] = datumCopy(value, att->attbyval, att->attlen);
	list->count = 1;
}

static void
list_values(NtsReader *reader, int entry, uint32 number, int column, const NtsChunkInfo *chunk, NtsValueList *list)
{
	SegmentHandle *segment = segment_of(reader, entry);
	Form_pg_attribute att = TupleDescAttr(reader->desc, column);
	const uint8 *bytes = NULL;
	uint8	   *data;
	uint64		length = 0;
	uint64		data_bytes = 0;
	uint32		count;
	NtsStatus	status;

	if (chunk->null_count == nts_reader_group_rows(reader, entry, number))
	{
		list->is_known = true;
		return;
	}
	if (chunk->length > 0)
		bytes = load_chunk(reader->rel, group_of(reader, entry, number), column, column, &length);
	NTS_CHECK(nts_chunk_distinct(segment->core, number, column, bytes, length, LISTED_VALUES, NULL, NULL, &data_bytes,
								 &count, &status), status, reader->rel);
	if (count == 0 || data_bytes > LISTED_BYTES)
		return;
	list->values = palloc(sizeof(Datum) * count);
	data = data_bytes == 0 ? NULL : palloc(data_bytes);
	NTS_CHECK(nts_chunk_distinct(segment->core, number, column, bytes, length, LISTED_VALUES, (uint64 *) list->values, data,
								 &data_bytes, &count, &status), status, reader->rel);
	if (att->attbyval && att->attlen == 4)
		extend_float4(list->values, count);
	list->is_known = true;
	list->count = count;
	list->is_dictionary = chunk->length > 0;
}

/* What each vector has of the values. */
static void
list_members(NtsReader *reader, int entry, uint32 number, int column, NtsValueList *list)
{
	SegmentHandle *segment = segment_of(reader, entry);
	uint32		vectors = nts_reader_vectors(reader, entry, number);
	MemoryContext context = nts_segment_cache_context(segment->cached);
	uint64		length;
	const uint8 *bytes = load_chunk(reader->rel, group_of(reader, entry, number), column, column, &length);
	uint64	   *members = MemoryContextAlloc(context, sizeof(uint64) * vectors);
	uint8	   *nulls = MemoryContextAlloc(context, vectors);
	NtsStatus	status;

	NTS_CHECK(nts_chunk_members(segment->core, number, column, bytes, length, members, nulls, &status), status,
			  reader->rel);
	list->nulls = nulls;
	list->members = members;
}

static NtsValueList *
make_value_list(NtsReader *reader, int entry, uint32 group, int column)
{
	SegmentHandle *segment = segment_of(reader, entry);
	MemoryContext context = AllocSetContextCreate(reader->context, "nodedb_ts value list", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	NtsValueList *list = palloc0(sizeof(NtsValueList));
	NtsChunkInfo chunk;
	NtsStatus	status;

	if (column >= (int) segment->info.column_count)
		list_default(reader, column, list);
	else
	{
		NTS_CHECK(nts_segment_chunk(segment->core, group, column, &chunk, &status), status, reader->rel);
		list->some_null = chunk.null_count > 0;
		list_values(reader, entry, group, column, &chunk, list);
	}
	MemoryContextSwitchTo(old);
	/* the segment's only when all of it is there: reading may fail */
	MemoryContextSetParent(context, nts_segment_cache_context(segment->cached));
	return list;
}

const NtsValueList *
nts_reader_values(NtsReader *reader, int entry, uint32 group, int column)
{
	SegmentHandle *segment = segment_of(reader, entry);
	NtsCachedSegment *cached = segment->cached;
	NtsValueList *list;

	if (cached == NULL)
		return NULL;
	if (cached->value_lists == NULL)
		cached->value_lists = MemoryContextAllocZero(nts_segment_cache_context(cached),
													 sizeof(NtsValueList **) * (segment->info.row_groups + 1));
	if (cached->value_lists[group] == NULL)
		cached->value_lists[group] = MemoryContextAllocZero(nts_segment_cache_context(cached),
															sizeof(NtsValueList *) * reader->natts);
	list = cached->value_lists[group][column];
	if (list == NULL)
		list = cached->value_lists[group][column] = make_value_list(reader, entry, group, column);
	else if (list->is_dictionary && list->members == NULL)
		list_members(reader, entry, group, column, list);
	return list->is_known ? list : NULL;
}

NtsVectorSet *
nts_reader_step(NtsReader *reader, NtsPosition *position, bool forward)
{
	while (advance(reader, position, forward))
	{
		NtsVectorSet *set = nts_reader_load(reader, position);

		if (set != NULL)
			return set;
	}
	return NULL;
}

NtsVectorSet *
nts_reader_first(NtsReader *reader, NtsPosition *position, bool forward)
{
	NtsVectorSet *set;

	position->entry = forward ? 0 : nts_reader_entry_count(reader);
	position->group = 0;
	position->vector = 0;
	if (!forward)
		return nts_reader_step(reader, position, false);
	if (nts_reader_entry_count(reader) == 0)
		return NULL;
	if (nts_reader_groups(reader, 0) > 0 && (set = nts_reader_load(reader, position)) != NULL)
		return set;
	return nts_reader_step(reader, position, true);
}

/* The entry, of `count` ones from `first` on, whose extent covers the block, or -1. */
static int
find_block(NtsReader *reader, BlockNumber block, int first, int count)
{
	int			low = first;
	int			high = first + count - 1;

	while (low <= high)
	{
		int			middle = (low + high) / 2;
		const NtsEntry *e = nts_reader_entry(reader, middle);

		if (block < e->first_block)
			high = middle - 1;
		else if (block >= e->first_block + e->block_count)
			low = middle + 1;
		else
			return middle;
	}
	return -1;
}

int
nts_reader_entry_of_block(NtsReader *reader, BlockNumber block)
{
	int			entry = find_block(reader, block, 0, reader->live_count);

	return entry >= 0 ? entry : find_block(reader, block, reader->live_count, reader->own_count);
}

NtsVectorSet *
nts_reader_block(NtsReader *reader, BlockNumber block, NtsPosition *position, bool start)
{
	const NtsEntry *e;

	if (start)
	{
		position->entry = nts_reader_entry_of_block(reader, block);
		if (position->entry < 0)
			return NULL;
		e = nts_reader_entry(reader, position->entry);
		position->vector = 0;
		position->group = 0;
		if (nts_reader_is_delta(reader, position->entry))
		{
			position->group = block - e->first_block;
			return position->group < nts_reader_groups(reader, position->entry) ?
				nts_reader_load(reader, position) : NULL;
		}
	}
	else
	{
		if (nts_reader_is_delta(reader, position->entry))
			return NULL;
		e = nts_reader_entry(reader, position->entry);
		if (++position->vector >= nts_reader_vectors(reader, position->entry, position->group))
		{
			position->vector = 0;
			position->group++;
		}
	}
	for (; position->group < nts_reader_groups(reader, position->entry); position->group++)
	{
		BlockNumber starts = group_block(reader, position->entry, position->group);

		if (starts > block)
			return NULL;
		if (starts == block)
			return nts_reader_load(reader, position);
	}
	return NULL;
}

bool
nts_reader_block_groups(NtsReader *reader, BlockNumber block, int *entry, uint32 *first, uint32 *count)
{
	const NtsEntry *e;
	uint32		groups;

	*entry = nts_reader_entry_of_block(reader, block);
	if (*entry < 0)
		return false;
	e = nts_reader_entry(reader, *entry);
	groups = nts_reader_groups(reader, *entry);
	*count = 0;
	if (nts_reader_is_delta(reader, *entry))
	{
		*first = block - e->first_block;
		*count = *first < groups ? 1 : 0;
		return *count > 0;
	}
	for (uint32 g = 0; g < groups; g++)
	{
		BlockNumber starts = group_block(reader, *entry, g);

		if (starts < block)
			continue;
		if (starts > block)
			break;
		if ((*count)++ == 0)
			*first = g;
	}
	return *count > 0;
}

bool
nts_reader_block_share(NtsReader *reader, BlockNumber block, int *entry, uint64 *first_row,
					   uint64 *rows)
{
	const NtsEntry *e;
	uint64		index;

	*entry = nts_reader_entry_of_block(reader, block);
	if (*entry < 0 || nts_reader_is_delta(reader, *entry))
		return false;
	e = nts_reader_entry(reader, *entry);
	index = block - e->first_block;
	*first_row = e->rows * index / e->block_count;
	*rows = e->rows * (index + 1) / e->block_count - *first_row;
	return true;
}

const NtsEntry *
nts_reader_entry(NtsReader *reader, int index)
{
	return &nts_reader_entry_ref(reader, index)->entry;
}

const NtsEntryRef *
nts_reader_entry_ref(NtsReader *reader, int index)
{
	int32		place = index < reader->live_count ? reader->live[index] : reader->own[index - reader->live_count];

	return nts_directory_entry(reader->directory, place);
}

int
nts_reader_entry_count(NtsReader *reader)
{
	return reader->live_count + reader->own_count;
}

int
nts_reader_time_bounds(NtsReader *reader, int entry, NtsTimeBounds *bounds)
{
	if (entry >= reader->live_count || entry % NTS_DIRECTORY_RUN != 0 || reader->restricted)
	{
		nts_entry_time_bounds(nts_reader_entry(reader, entry), bounds);
		return 1;
	}
	*bounds = reader->directory->runs[entry / NTS_DIRECTORY_RUN];
	return Min(reader->live_count - entry, NTS_DIRECTORY_RUN);
}

int
nts_reader_newest_segment(NtsReader *reader)
{
	int			newest = -1;

	for (int i = 0; i < nts_reader_entry_count(reader); i++)
		if (!nts_reader_is_delta(reader, i) &&
			(newest < 0 ||
			 nts_reader_entry(reader, i)->generation > nts_reader_entry(reader, newest)->generation))
			newest = i;
	return newest;
}

uint64
nts_reader_dictionary_bytes(NtsReader *reader, int entry, int column)
{
	SegmentHandle *segment = segment_of(reader, entry);
	const NtsEntryRef *ref = nts_dictionaries_place(reader->directory, segment->entry.dictionaries);
	const NtsDictionaries *dictionaries = ref == NULL ? NULL : nts_dictionary_cache_try(reader->rel, &ref->entry, false);

	return dictionaries == NULL ? 0 : nts_dictionaries_bytes(dictionaries, column);
}

void
nts_reader_series(NtsReader *reader, int entry, uint16 *columns, uint32 *count)
{
	SegmentHandle *segment = segment_of(reader, entry);

	*count = segment->info.series_column_count;
	memcpy(columns, segment->info.series_columns, sizeof(uint16) * *count);
}

void
nts_reader_series_ends(NtsReader *reader, int entry, uint32 first, uint32 count, uint64 *rows)
{
	NtsStatus	status;

	NTS_CHECK(nts_segment_last_rows(segment_of(reader, entry)->core, first, count, rows, &status), status, reader->rel);
}

void
nts_reader_segment_info(NtsReader *reader, int entry, NtsSegmentInfo *info)
{
	*info = segment_of(reader, entry)->info;
}

void
nts_reader_chunk(NtsReader *reader, int entry, uint32 group, int column, NtsChunkInfo *info)
{
	NtsStatus	status;

	NTS_CHECK(nts_segment_chunk(segment_of(reader, entry)->core, group, column, info, &status),
			  status, reader->rel);
}

/* ---- single rows ---- */

NtsVectorSet *
nts_reader_segment_row(NtsReader *reader, int entry, uint64 row, uint32 *offset)
{
	SegmentHandle *segment = segment_of(reader, entry);
	NtsVectorSet *set = reader->set;
	NtsStatus	status;

	if (set != NULL && set->group != NULL && set->group->segment == segment &&
		row >= set->segment_row && row < set->segment_row + set->rows)
	{
		*offset = row - set->segment_row;
		return set;
	}
	for (uint32 g = 0; g < segment->info.row_groups; g++)
	{
		NtsRowGroupInfo info;

		NTS_CHECK(nts_segment_row_group(segment->core, g, &info, &status), status, reader->rel);
		if (row >= info.first_row + info.rows)
			continue;
		for (uint32 v = 0; v < info.vectors; v++)
		{
			uint32		first;
			uint32		rows;

			NTS_CHECK(nts_segment_vector(segment->core, g, v, &first, &rows, &status), status,
					  reader->rel);
			if (row >= info.first_row + first + rows)
				continue;
			*offset = row - info.first_row - first;
			return load_vector(reader, entry, g, v);
		}
	}
	nts_error_corrupt(reader->rel, "segment at block %u has no row " UINT64_FORMAT,
					  nts_reader_entry(reader, entry)->first_block, row);
}

static int
compare_places(const void *a, const void *b)
{
	uint64		x = ((const RowIdPlace *) a)->row_id;
	uint64		y = ((const RowIdPlace *) b)->row_id;

	return x < y ? -1 : x > y;
}

/* Sorted ids of a whole segment: triggers ask for one row after the other. */
static void
build_id_index(NtsReader *reader, int entry)
{
	SegmentHandle *segment = segment_of(reader, entry);
	RowIdPlace *index;
	uint64		next = 0;

	if (reader->id_indexes == NULL)
		reader->id_indexes = MemoryContextAllocZero(reader->context,
													sizeof(RowIdPlace *) * nts_reader_entry_count(reader));
	if (reader->id_bytes > ID_INDEX_BYTES)
	{
		for (int i = 0; i < nts_reader_entry_count(reader); i++)
			if (reader->id_indexes[i] != NULL)
			{
				pfree(reader->id_indexes[i]);
				reader->id_indexes[i] = NULL;
			}
		reader->id_bytes = 0;
	}
	index = MemoryContextAllocHuge(reader->context, sizeof(RowIdPlace) * Max(segment->info.rows, 1));
	for (uint32 g = 0; g < segment->info.row_groups; g++)
	{
		uint32		vectors = nts_reader_vectors(reader, entry, g);

		for (uint32 v = 0; v < vectors; v++)
		{
			NtsVectorSet *set = load_vector(reader, entry, g, v);

			for (uint32 i = 0; i < set->rows; i++, next++)
			{
				index[next].row_id = set->row_ids[i];
				index[next].row = next;
			}
		}
		CHECK_FOR_INTERRUPTS();
	}
	qsort(index, next, sizeof(RowIdPlace), compare_places);
	reader->id_indexes[entry] = index;
	reader->id_bytes += sizeof(RowIdPlace) * next;
}

static NtsVectorSet *
find_in_segment(NtsReader *reader, int entry, uint64 row_id, uint32 *offset)
{
	const NtsEntry *e = nts_reader_entry(reader, entry);
	RowIdPlace	key = {.row_id = row_id};
	RowIdPlace *place;

	if ((e->flags & NTS_ENTRY_ROW_IDS) == 0)
		return nts_reader_segment_row(reader, entry, row_id - e->first_row_id, offset);
	if (reader->id_indexes == NULL || reader->id_indexes[entry] == NULL)
		build_id_index(reader, entry);
	place = bsearch(&key, reader->id_indexes[entry], e->rows, sizeof(RowIdPlace), compare_places);
	if (place == NULL)
		return NULL;
	return nts_reader_segment_row(reader, entry, place->row, offset);
}

/* Does the copied page hold a batch with this id? */
static bool
page_has_row_id(NtsReader *reader, BlockNumber block, const char *page, uint64 row_id)
{
	NtsBatch	batch;
	NtsBatchCursor cursor = {0};

	while (nts_delta_next(reader->rel, block, page, &cursor, &batch))
		if (row_id >= batch.row_id && row_id < batch.row_id + batch.rows)
			return true;
	return false;
}

static NtsVectorSet *
find_in_delta(NtsReader *reader, int entry, uint64 row_id, uint32 *offset)
{
	const NtsEntry *e = nts_reader_entry(reader, entry);

	/* new rows are asked for more often than old ones */
	for (uint32 page_number = nts_reader_groups(reader, entry); page_number-- > 0;)
	{
		BlockNumber block = e->first_block + page_number;
		PGAlignedBlock page;
		NtsVectorSet *set;

		CHECK_FOR_INTERRUPTS();
		/* EvalPlanQual comes with an id it has read before (SnapshotAny): the moved
		 * copy, whose bytes are still there, is the row it means */
		nts_delta_read(reader->rel, e, block, reader->strategy, page.data);
		if (nts_delta_special((Page) page.data)->move_xid == FrozenTransactionId ||
			(reader->snapshot->snapshot_type != SNAPSHOT_ANY &&
			 !nts_delta_page_visible(reader->rel, page.data, reader->snapshot)) ||
			!page_has_row_id(reader, block, page.data, row_id))
			continue;
		set = nts_reader_delta_copy(reader, block, page.data);
		if (set == NULL)
			return NULL;
		for (uint32 i = 0; i < set->rows; i++)
			if (set->row_ids[i] == row_id)
			{
				*offset = i;
				return set;
			}
		return NULL;
	}
	return NULL;
}

NtsVectorSet *
nts_reader_row_id(NtsReader *reader, uint64 row_id, uint32 *offset)
{
	NtsVectorSet *set = reader->set;

	/* the unit loaded last often holds the next row, too */
	if (set != NULL && set->row_ids != NULL)
		for (uint32 i = 0; i < set->rows; i++)
			if (set->row_ids[i] == row_id)
			{
				*offset = i;
				return set->hidden != NULL && set->hidden[i] ? NULL : set;
			}
	for (int i = nts_reader_entry_count(reader) - 1; i >= 0; i--)
	{
		const NtsEntry *e = nts_reader_entry(reader, i);

		if (nts_reader_is_delta(reader, i))
			set = find_in_delta(reader, i, row_id, offset);
		else if (row_id >= e->first_row_id && row_id <= e->last_row_id)
			set = find_in_segment(reader, i, row_id, offset);
		else
			continue;
		if (set != NULL)
			return set->hidden != NULL && set->hidden[*offset] ? NULL : set;
	}
	return NULL;
}

/* ---- places ---- */

void
nts_reader_swap_place(NtsReader *reader, NtsReaderPlace *place)
{
	NtsReaderPlace own = {reader->segment, reader->segment_entry, reader->group, reader->set};

	reader->segment = place->segment;
	reader->segment_entry = place->entry;
	reader->group = place->group;
	reader->set = place->set;
	*place = own;
}

void
nts_reader_place_bytes(const NtsReaderPlace *place, uint64 *set_bytes, uint64 *chunk_bytes)
{
	const NtsRowGroup *group = place->group;

	*set_bytes = place->set == NULL ? 0 : MemoryContextMemAllocated(place->set->context, true);
	*chunk_bytes = 0;
	for (int i = 0; group != NULL && i < group->chunk_count; i++)
		if (group->chunks[i] != NULL)
			*chunk_bytes += group->chunks[i]->length;
}

void
nts_reader_release_chunks(NtsReaderPlace *place)
{
	if (place->set != NULL && place->set->group != NULL)
	{
		release_group(place->set->group);
		place->set->group = NULL;
	}
	if (place->group != NULL)
		release_group(place->group);
	place->group = NULL;
}

void
nts_reader_release_place(NtsReaderPlace *place)
{
	nts_reader_release_chunks(place);
	if (place->set != NULL)
		nts_vector_set_release(place->set);
	if (place->segment != NULL)
		release_segment(place->segment);
	memset(place, 0, sizeof(*place));
}

/* ---- opening and closing ---- */

/* Adds the entry at a place of the directory, if the snapshot sees it. */
static void
add_visible(NtsReader *reader, int32 place)
{
	if (nts_entry_visible(reader->rel, &nts_directory_entry(reader->directory, place)->entry, reader->snapshot))
		reader->own[reader->own_count++] = place;
}

static BlockNumber
first_block(const NtsReader *reader, int32 place)
{
	return nts_directory_entry(reader->directory, place)->entry.first_block;
}

/*
 * Puts both parts into one list by first_block, unless that is their order already: a snapshot sees its rows in the same
 * order each time, also when meanwhile other entries have settled.
 */
static void
merge_parts(NtsReader *reader)
{
	int			live = 0;
	int			own = 0;
	int			count = reader->live_count + reader->own_count;
	int32	   *merged;

	if (reader->live_count == 0 || reader->own_count == 0 ||
		first_block(reader, reader->live[reader->live_count - 1]) < first_block(reader, reader->own[0]))
		return;
	merged = MemoryContextAllocHuge(reader->context, sizeof(int32) * count);
	for (int i = 0; i < count; i++)
		merged[i] = own == reader->own_count ||
			(live < reader->live_count &&
			 first_block(reader, reader->live[live]) < first_block(reader, reader->own[own])) ?
			reader->live[live++] : reader->own[own++];
	reader->live_count = 0;
	reader->own = merged;
	reader->own_count = count;
}

/* Finds the entries that the snapshot sees. */
static void
find_entries(NtsReader *reader)
{
	const NtsDirectory *directory = nts_directory_open(reader->rel, reader->context, &reader->meta);
	bool		settled;
	int			asked;

	if (directory == NULL)
		return;
	reader->directory = directory;
	settled = nts_directory_is_settled(directory, reader->snapshot);
	if (settled)
	{
		reader->live = directory->live;
		reader->live_count = directory->live_count;
	}
	asked = settled ? directory->unsettled_count : directory->count;
	reader->own = MemoryContextAllocHuge(reader->context, sizeof(int32) * Max(asked, 1));
	for (int i = 0; i < asked; i++)
		add_visible(reader, settled ? directory->unsettled[i] : (int32) directory->sorted[i]);
	merge_parts(reader);
}

NtsReader *
nts_reader_open(Relation rel, TupleDesc desc, Snapshot snapshot, MemoryContext context,
				BufferAccessStrategy strategy)
{
	MemoryContext own = AllocSetContextCreate(context, "nodedb_ts reader", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(own);
	NtsReader  *reader = palloc0(sizeof(NtsReader));

	reader->rel = rel;
	reader->snapshot = snapshot;
	reader->context = own;
	reader->parent = context;
	reader->strategy = strategy;
	reader->desc = desc;
	reader->natts = reader->desc->natts;
	reader->columns = palloc0(sizeof(NtsColumn) * Max(reader->natts, 1));
	nts_schema_columns(reader->desc, reader->columns);
	find_entries(reader);
	MemoryContextSwitchTo(old);
	return reader;
}

void
nts_reader_set_relation(NtsReader *reader, Relation rel)
{
	reader->rel = rel;
	if (reader->set != NULL)
		reader->set->rel = rel;
}

bool
nts_reader_same_row_type(NtsReader *reader, TupleDesc desc)
{
	return reader->desc == desc;
}

void
nts_reader_restrict(NtsReader *reader, const NtsTidRange *range)
{
	int			count = nts_reader_entry_count(reader);
	int32	   *kept = MemoryContextAllocHuge(reader->context, sizeof(int32) * Max(count, 1));
	int			live = 0;
	int			own = 0;

	for (int i = 0; i < count; i++)
	{
		const NtsEntry *e = nts_reader_entry(reader, i);

		/* what a delta page holds is known only when it is read */
		if (!nts_reader_is_delta(reader, i) && !nts_tid_range_may_hold(range, e->first_row_id, e->last_row_id))
			continue;
		kept[live + own] = i < reader->live_count ? reader->live[i] : reader->own[i - reader->live_count];
		if (i < reader->live_count)
			live++;
		else
			own++;
	}
	reader->live = kept;
	reader->live_count = live;
	reader->own = kept + live;
	reader->own_count = own;
	reader->restricted = true;
}

uint64
nts_reader_segment_rows(NtsReader *reader)
{
	uint64		rows = reader->live_count > 0 ? reader->directory->live_rows : 0;

	Assert(!reader->restricted);
	for (int i = 0; i < reader->own_count; i++)
	{
		const NtsEntry *e = nts_reader_entry(reader, reader->live_count + i);

		if (e->level != NTS_LEVEL_DELTA)
			rows += e->rows;
	}
	return rows;
}

void
nts_reader_count_decoded(NtsReader *reader, NtsDecoded *decoded)
{
	reader->decoded = decoded;
}

uint64
nts_reader_unit_count(NtsReader *reader)
{
	if (reader->unit_starts == NULL)
	{
		uint64		units = 0;

		reader->unit_starts = MemoryContextAllocHuge(reader->context,
													 sizeof(uint64) * (nts_reader_entry_count(reader) + 1));
		for (int i = 0; i < nts_reader_entry_count(reader); i++)
		{
			uint32		groups = nts_reader_groups(reader, i);

			reader->unit_starts[i] = units;
			if (nts_reader_is_delta(reader, i))
				units += groups;
			else
				for (uint32 g = 0; g < groups; g++)
					units += nts_reader_vectors(reader, i, g);
		}
		reader->unit_starts[nts_reader_entry_count(reader)] = units;
	}
	return reader->unit_starts[nts_reader_entry_count(reader)];
}

NtsVectorSet *
nts_reader_unit(NtsReader *reader, uint64 unit)
{
	NtsPosition position = {0};
	uint64		rest;

	Assert(unit < nts_reader_unit_count(reader));
	while (reader->unit_starts[position.entry + 1] <= unit)
		position.entry++;
	rest = unit - reader->unit_starts[position.entry];
	if (nts_reader_is_delta(reader, position.entry))
		position.group = rest;
	else
	{
		while (rest >= nts_reader_vectors(reader, position.entry, position.group))
			rest -= nts_reader_vectors(reader, position.entry, position.group++);
		position.vector = rest;
	}
	return nts_reader_load(reader, &position);
}

void
nts_reader_close(NtsReader *reader)
{
	let_go_of_set(reader);
	/* nobody keeps them beyond the reader */
	Assert(reader->group == NULL || reader->group->references == 1);
	if (reader->group != NULL)
		release_group(reader->group);
	Assert(reader->segment == NULL || reader->segment->references == 1);
	if (reader->segment != NULL)
		release_segment(reader->segment);
	MemoryContextDelete(reader->context);
}
