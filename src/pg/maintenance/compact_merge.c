/*
 * compact_merge.c - merges a group of segments within a budget of memory.
 *
 * Everything together stays below maintenance_work_mem (at least 16 MB) and 64 MB, however
 * large the group is: a merge holds one row group of each input, so only as many inputs
 * are merged at once as fit. More take several passes over temporary files, whose segments
 * have small row groups. Segments that are sorted by other columns than the result go
 * through a sorter into such files first.
 *
 * The result is spooled, too, since the length of a segment must be known before its
 * extent is allocated. The old segments become moved only when all new ones are published.
 */
#include "postgres.h"

#include "commands/tablespace.h"
#include "miscadmin.h"
#include "storage/buffile.h"
#include "utils/memutils.h"

#include "pg/activity.h"
#include "pg/error.h"
#include "pg/fault.h"
#include "pg/maintenance/compact.h"
#include "pg/maintenance/sorter.h"
#include "pg/maintenance/target.h"

/* Above maintenance_work_mem; the rest of the 64 MB is for what is not counted. */
#define BASE_BYTES (UINT64CONST(28) * 1024 * 1024)
/* Decoded rows of a row group. */
#define MIN_GROUP_BYTES (UINT64CONST(2) * 1024 * 1024)
#define MAX_GROUP_BYTES (UINT64CONST(16) * 1024 * 1024)	/* encoding text takes some times as much */

/* A temporary file of segments. */
typedef struct Spool
{
	BufFile    *file;
	uint64		length;
	bool		at_end;			/* the file's position */
	int			inputs;			/* that still need it */
} Spool;

/* A segment to be merged: of the table, or in a spool. */
typedef struct Input
{
	const NtsEntry *entry;		/* or NULL */
	Spool	   *spool;
	uint64		start;			/* in the spool */
	uint64		length;
	uint64		footer_offset;
	uint64		weight;			/* bytes that a merge holds of it */
	bool		small;			/* cannot be cut into smaller row groups */
} Input;

typedef struct Inputs
{
	Input	   *list;
	int			count;
	int			room;
} Inputs;

typedef struct GroupMerge
{
	NtsCompaction *compaction;
	const NtsCompactGroup *group;
	MemoryContext context;		/* of the group */
	NtsWriteTarget target;
	uint64		bytes_in;
	uint64		bytes_read;		/* of several passes, more than bytes_in */
	uint64		rows_in;
	uint64		rows_out;
} GroupMerge;

/* ---- handles of the core, freed with a memory context ---- */

typedef struct Handle
{
	MemoryContextCallback callback;
	NtsSegment *segment;
	NtsMerge   *merge;
} Handle;

static void
free_handle(void *arg)
{
	Handle	   *handle = arg;

	nts_merge_free(handle->merge);
	nts_segment_close(handle->segment);
	handle->merge = NULL;
	handle->segment = NULL;
}

static Handle *
make_handle(void)
{
	Handle	   *handle = palloc0(sizeof(Handle));

	handle->callback.func = free_handle;
	handle->callback.arg = handle;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &handle->callback);
	return handle;
}

/* ---- spools ---- */

static Spool *
make_spool(MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Spool	   *spool = palloc0(sizeof(Spool));

	PrepareTempTablespaces();
	spool->file = BufFileCreateTemp(false);
	spool->at_end = true;
	MemoryContextSwitchTo(old);
	return spool;
}

static void
free_spool(Spool *spool)
{
	BufFileClose(spool->file);
	pfree(spool);
}

static void
seek_spool(Spool *spool, uint64 offset)
{
	if (BufFileSeek(spool->file, 0, (off_t) offset, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not seek in a temporary file of ts_compact: %m")));
}

static void
write_spool(Spool *spool, const uint8 *bytes, uint64 length)
{
	if (!spool->at_end)
		seek_spool(spool, spool->length);
	spool->at_end = true;
	BufFileWrite(spool->file, unconstify(uint8 *, bytes), length);
	spool->length += length;
}

static void
read_spool(Spool *spool, uint64 offset, uint8 *bytes, uint64 length)
{
	seek_spool(spool, offset);
	spool->at_end = false;
	if (BufFileRead(spool->file, bytes, length) != length)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not read a temporary file of ts_compact: %m")));
}

/* ---- inputs ---- */

static void
read_input(const NtsCompaction *compaction, const Input *input, uint64 offset, uint64 length,
		   uint8 *bytes)
{
	if (input->entry != NULL)
		nts_segment_read(compaction->rel, input->entry, offset, length, compaction->strategy, bytes);
	else
		read_spool(input->spool, input->start + offset, bytes, length);
}

static NtsSegment *
open_input(const NtsCompaction *compaction, const Input *input)
{
	uint64		length = input->length - input->footer_offset;
	uint8	   *footer = MemoryContextAllocHuge(CurrentMemoryContext, Max(length, 1));
	NtsSegment *segment;
	NtsStatus	status;

	read_input(compaction, input, input->footer_offset, length, footer);
	segment = nts_segment_open(footer, length, input->length, compaction->columns,
							   compaction->schema.column_count, &status);
	pfree(footer);
	if (segment == NULL)
		nts_error_raise(&status, compaction->rel);
	return segment;
}

/* To read more of it than the footer. */
static void
use_dictionaries(const NtsCompaction *compaction, const Input *input, NtsSegment *segment)
{
	if (input->entry != NULL && input->entry->dictionaries != 0)
		nts_dictionaries_hand_in(compaction->rel, NULL, input->entry->dictionaries, segment);
}

NtsSegment *
nts_compact_open(NtsCompaction *compaction, const NtsEntry *entry)
{
	Input		input = {0};

	input.entry = entry;
	input.length = entry->byte_length;
	input.footer_offset = entry->footer_offset;
	return open_input(compaction, &input);
}

static Input *
add_input(GroupMerge *merge, Inputs *inputs)
{
	if (inputs->count == inputs->room)
	{
		MemoryContext old = MemoryContextSwitchTo(merge->context);

		inputs->room = Max(16, inputs->room * 2);
		inputs->list = inputs->list == NULL ? palloc(sizeof(Input) * inputs->room) :
			repalloc_huge(inputs->list, sizeof(Input) * inputs->room);
		MemoryContextSwitchTo(old);
	}
	memset(&inputs->list[inputs->count], 0, sizeof(Input));
	return &inputs->list[inputs->count++];
}

static void
weigh_input(const NtsCompaction *compaction, Input *input)
{
	NtsSegment *segment = open_input(compaction, input);

	input->weight = nts_merge_input_bytes(segment);
	nts_segment_close(segment);
}

/* A segment that was written to a spool; it ends where the spool does. */
static void
add_spooled(GroupMerge *merge, Inputs *inputs, Spool *spool, uint64 start, uint64 footer_offset)
{
	Input	   *input = add_input(merge, inputs);

	input->spool = spool;
	input->start = start;
	input->length = spool->length - start;
	input->footer_offset = footer_offset;
	input->small = true;
	spool->inputs++;
	weigh_input(merge->compaction, input);
}

/* ---- segments that are sorted by other columns ---- */

typedef struct Resort
{
	GroupMerge *merge;
	Inputs	   *inputs;
	Spool	   *spool;
} Resort;

static void
spool_part(NtsSorter *sorter)
{
	Resort	   *resort = sorter->state;
	NtsFlushOptions options = {0};
	NtsOutput	output;
	NtsStatus	status;

	if (nts_sorter_rows(sorter) == 0)
		return;
	options.min_segment_rows = 1;
	options.max_segment_rows = PG_UINT32_MAX;
	options.max_segment_bytes = PG_UINT64_MAX;
	options.max_batch_rows = 1;
	options.level = 1;
	nts_sorter_flush_begin(sorter, &options);
	for (;;)
	{
		uint64		start = resort->spool->length;

		NTS_CHECK(nts_flush_next(sorter->part, &output, &status), status, sorter->rel);
		if (output.kind == NTS_OUTPUT_END)
			break;
		write_spool(resort->spool, output.bytes, output.length);
		add_spooled(resort->merge, resort->inputs, resort->spool, start, output.footer_offset);
		NTS_FAULT(compact_spool);
	}
	nts_sorter_flush_end(sorter);
}

/* The rows of one segment become sorted segments of a spool. */
static void
resort(GroupMerge *merge, const NtsEntry *entry, Inputs *inputs)
{
	NtsCompaction *compaction = merge->compaction;
	MemoryContext context = AllocSetContextCreate(merge->context, "nodedb_ts sort",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	NtsSorter	sorter = {0};
	Resort		state = {merge, inputs, make_spool(merge->context)};
	NtsSchema	schema = compaction->schema;
	NtsReader  *reader = nts_reader_open(compaction->rel, RelationGetDescr(compaction->rel),
										 SnapshotSelf, context, compaction->strategy);
	int			number = 0;

	schema.bucket_width = 0;	/* all rows in one segment */
	sorter.cid = compaction->cid;
	sorter.flush = spool_part;
	sorter.state = &state;
	nts_sorter_begin(&sorter, compaction->rel, &schema, context);
	nts_sorter_series(&sorter, compaction->series, compaction->series_count);
	while (number < nts_reader_entry_count(reader) &&
		   nts_reader_entry(reader, number)->generation != entry->generation)
		number++;
	if (number == nts_reader_entry_count(reader))
		nts_error_corrupt(compaction->rel, "the segment at block %u is gone", entry->first_block);
	for (uint64 row = 0; row < entry->rows;)
	{
		uint32		offset;
		NtsVectorSet *set = nts_reader_segment_row(reader, number, row, &offset);

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < set->natts; i++)
			nts_vector_set_fill(set, i);
		nts_sorter_take(&sorter, set, NULL);
		row += set->rows;
	}
	spool_part(&sorter);
	nts_reader_close(reader);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

static bool
is_sorted(const NtsCompaction *compaction, const NtsSegment *segment)
{
	NtsSegmentInfo info;

	nts_segment_info(segment, &info);
	return info.time_column == compaction->schema.time_column &&
		info.series_column_count == compaction->series_count &&
		memcmp(info.series_columns, compaction->series, sizeof(uint16) * compaction->series_count) == 0;
}

static void
collect_inputs(GroupMerge *merge, Inputs *inputs)
{
	for (int i = 0; i < merge->group->count; i++)
	{
		const NtsEntry *entry = &merge->group->entries[i].entry;
		NtsSegment *segment = nts_compact_open(merge->compaction, entry);
		bool		sorted = is_sorted(merge->compaction, segment);
		uint64		weight = nts_merge_input_bytes(segment);
		Input	   *input;

		nts_segment_close(segment);
		CHECK_FOR_INTERRUPTS();
		merge->rows_in += entry->rows;
		merge->bytes_in += entry->byte_length;
		if (!sorted)
		{
			resort(merge, entry, inputs);
			continue;
		}
		input = add_input(merge, inputs);
		input->entry = entry;
		input->length = entry->byte_length;
		input->footer_offset = entry->footer_offset;
		input->weight = weight;
	}
}

/* ---- the output ---- */

/* A spooled segment goes to its extent and is published. */
static void
publish(GroupMerge *merge, Spool *spool, const NtsOutput *output)
{
	NtsCompaction *compaction = merge->compaction;
	NtsSegmentWriter writer;
	NtsEntry	entry;
	uint8	   *piece;

	nts_buffer_describe(&merge->target, output, &entry);
	entry.cmin = compaction->cid;
	entry.first_row_id = nts_meta_reserve_row_ids(compaction->rel, output->rows);
	entry.last_row_id = entry.first_row_id + output->rows - 1;
	NTS_FAULT(compact_begin);
	nts_segment_begin(compaction->rel, &entry, output->length, &writer);
	piece = palloc(writer.piece);
	while (writer.left > 0)
	{
		CHECK_FOR_INTERRUPTS();
		nts_maintenance_yield(compaction->rel);
		read_spool(spool, output->length - writer.left, piece, Min(writer.left, writer.piece));
		nts_segment_append(&writer, piece);
		NTS_FAULT(compact_write);
	}
	NTS_FAULT(compact_publish);
	nts_segment_publish(&writer, NTS_ENTRY_LIVE, false);
	pfree(piece);
	compaction->segments_out++;
	compaction->bytes_after += output->length;
	merge->rows_out += output->rows;
}

/*
 * Merges inputs. next: NULL for the last pass, whose segments are published; otherwise
 * they are spooled and added to it.
 */
static void
run_merge(GroupMerge *merge, const Input *inputs, int count, uint64 group_bytes, Inputs *next)
{
	NtsCompaction *compaction = merge->compaction;
	MemoryContext context = AllocSetContextCreate(merge->context, "nodedb_ts merge",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Handle	   *core = make_handle();
	Spool	   *spool = make_spool(merge->context);
	NtsMergeOptions options = {0};
	NtsMergeStep step;
	NtsStatus	status;

	options.max_segment_rows = next != NULL ? PG_UINT32_MAX : NTS_MAX_SEGMENT_ROWS;
	options.max_segment_bytes = next != NULL ? PG_UINT64_MAX : NTS_MAX_SEGMENT_BYTES;
	options.max_segment_series = NTS_MAX_SEGMENT_SERIES;
	options.group_bytes = group_bytes;
	options.series_columns = compaction->series;
	options.series_column_count = compaction->series_count;
	options.level = next != NULL ? 1 : merge->group->level;
	options.series_index = next == NULL;
	options.compression_level = compaction->options.compression_level;
	options.units_per_second = compaction->options.time_type == TIMESTAMPTZOID ||
		compaction->options.time_type == TIMESTAMPOID ? USECS_PER_SEC : 0;
	options.dictionaries = next == NULL ? nts_dictionaries_for_writing(compaction->rel) : NULL;
	core->merge = nts_merge_new(&compaction->schema, &options, compaction->defaults, &status);
	if (core->merge == NULL)
		nts_error_raise(&status, compaction->rel);
	for (int i = 0; i < count; i++)
	{
		Handle	   *handle = make_handle();

		handle->segment = open_input(compaction, &inputs[i]);
		use_dictionaries(compaction, &inputs[i], handle->segment);
		NTS_CHECK(nts_merge_add(core->merge, handle->segment, &status), status, compaction->rel);
	}
	for (uint64 start = 0;;)
	{
		CHECK_FOR_INTERRUPTS();
		nts_maintenance_yield(compaction->rel);
		NTS_CHECK(nts_merge_next(core->merge, &step, &status), status, compaction->rel);
		if (step.kind == NTS_MERGE_END)
			break;
		if (step.kind == NTS_MERGE_READ)
		{
			read_input(compaction, &inputs[step.input], step.offset, step.length, step.room);
			merge->bytes_read += step.length;
			nts_progress(NTS_PHASE_READING, merge->bytes_read, merge->bytes_in);
			NTS_FAULT(compact_read);
			continue;
		}
		write_spool(spool, step.bytes, step.length);
		NTS_FAULT(compact_spool);
		if (step.kind != NTS_MERGE_SEGMENT)
			continue;
		if (next != NULL)
		{
			add_spooled(merge, next, spool, start, step.output.footer_offset);
			start = spool->length;
			continue;
		}
		publish(merge, spool, &step.output);
		free_spool(spool);
		spool = make_spool(merge->context);
	}
	if (spool->inputs == 0)
		free_spool(spool);
	MemoryContextSwitchTo(old);
	/* the merge looks at its inputs' segments: callbacks run newest first, so end it here */
	free_handle(core);
	MemoryContextDelete(context);
}

static void
drop_inputs(const Input *inputs, int count)
{
	for (int i = 0; i < count; i++)
		if (inputs[i].spool != NULL && --inputs[i].spool->inputs == 0)
			free_spool(inputs[i].spool);
}

/* How many inputs from the first on are merged at once. */
static int
pack(const Input *inputs, int count, uint64 budget, uint64 *weight)
{
	int			packed = 0;

	*weight = 0;
	while (packed < count)
	{
		const Input *input = &inputs[packed];
		bool		large = !input->small && input->weight > budget / 2;

		/* a large one alone, to be cut up; else two at least, or it would never end */
		if (packed > 0 && (large || (packed > 1 && *weight + input->weight > budget)))
			break;
		*weight += input->weight;
		packed++;
		if (large)
			break;
	}
	return packed;
}

static void
merge_inputs(GroupMerge *merge, Inputs *inputs)
{
	uint64		all = nts_sorter_budget() + BASE_BYTES;
	uint64		budget = all / 16 * 7;

	for (;;)
	{
		uint64		weight;
		int			packed = pack(inputs->list, inputs->count, budget, &weight);
		Inputs		next = {0};

		if (packed == inputs->count)
		{
			uint64		rest = all > weight ? all - weight : 0;

			run_merge(merge, inputs->list, packed,
					  Min(Max(rest / 3, MIN_GROUP_BYTES), MAX_GROUP_BYTES), NULL);
			drop_inputs(inputs->list, packed);
			return;
		}
		for (int first = 0; first < inputs->count; first += packed)
		{
			packed = pack(inputs->list + first, inputs->count - first, budget, &weight);
			if (packed == 1 && (inputs->list[first].small || weight <= budget / 2))
			{
				*add_input(merge, &next) = inputs->list[first];
				continue;
			}
			run_merge(merge, inputs->list + first, packed, MIN_GROUP_BYTES, &next);
			drop_inputs(inputs->list + first, packed);
		}
		pfree(inputs->list);
		*inputs = next;
	}
}

/* The old segments are moved: whoever does not see the new ones goes on reading them. */
static void
move_entries(GroupMerge *merge)
{
	NtsCompaction *compaction = merge->compaction;

	for (int i = 0; i < merge->group->count; i++)
	{
		NtsEntryRef ref = merge->group->entries[i];

		CHECK_FOR_INTERRUPTS();
		ref.entry.state = NTS_ENTRY_MOVED;
		ref.entry.xmax = compaction->xid;
		ref.entry.cmax = compaction->cid;
		NTS_FAULT(compact_move);
		nts_entry_write(compaction->rel, &ref, false);
		compaction->segments_in++;
		compaction->bytes_before += ref.entry.byte_length;
	}
}

void
nts_compact_group(NtsCompaction *compaction, const NtsCompactGroup *group)
{
	GroupMerge	merge = {0};
	Inputs		inputs = {0};
	MemoryContext old;

	merge.compaction = compaction;
	merge.group = group;
	merge.context = AllocSetContextCreate(CurrentMemoryContext, "nodedb_ts compaction",
										  ALLOCSET_DEFAULT_SIZES);
	merge.target.rel = compaction->rel;
	merge.target.xid = compaction->xid;
	merge.target.level = group->level;
	merge.target.time_column = compaction->schema.time_column + 1;
	merge.target.entry_flags = NTS_ENTRY_MOVED_IN;
	old = MemoryContextSwitchTo(merge.context);
	collect_inputs(&merge, &inputs);
	merge_inputs(&merge, &inputs);
	if (merge.rows_in != merge.rows_out)
		nts_error_corrupt(compaction->rel, "segments with " UINT64_FORMAT " rows were merged into "
						  UINT64_FORMAT " rows", merge.rows_in, merge.rows_out);
	NTS_FAULT(compact_merged);
	move_entries(&merge);
	NTS_FAULT(compact_moved);
	compaction->rows += merge.rows_in;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(merge.context);
}
