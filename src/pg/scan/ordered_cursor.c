/*
 * ordered_cursor.c - reads the runs of segments for an ordered scan, vector by vector.
 *
 * The next run of a segment goes on in the vector that the last one ended in. Chunks of a row group are kept for the next
 * vector while there is room.
 *
 * What vectors take is counted when they have been decoded. One that there is no room for beside the others is not kept:
 * the rows of its run that are left, and of runs that follow in it, wait in a temporary file.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/scan/ordered_merge.h"

/* ---- vectors ---- */

static NtsOrderVector *
take_vector(NtsOrder *order, NtsOrderStream *stream)
{
	NtsOrderVector *vector = stream->spare;

	if (vector != NULL)
	{
		stream->spare = NULL;
		order->spare_count--;
		return vector;
	}
	vector = MemoryContextAllocZero(order->context, sizeof(NtsOrderVector));
	vector->keeps_chunks = stream->scattered || order->chunk_bytes + stream->chunk_bytes <= order->lists.vector_limit;
	return vector;
}

static void
drop_vector(NtsOrder *order, NtsOrderVector *vector)
{
	/* what the filters know of the row group may lie there */
	order->entered = false;
	nts_reader_release_place(&vector->place);
	if (vector->rows != NULL)
		pfree(vector->rows);
	order->vector_bytes -= vector->set_bytes;
	order->chunk_bytes -= vector->chunk_bytes;
	pfree(vector);
}

/* Do vectors take more than they may? One always may be there. */
static bool
is_over(const NtsOrder *order, const NtsOrderVector *vector)
{
	return order->vector_bytes > Max(order->lists.vector_limit, vector->set_bytes);
}

/* Keeps the vector for the stream's next run, or drops it. */
static void
give_vector(NtsOrder *order, NtsOrderStream *stream, NtsOrderVector *vector)
{
	if (stream->spare == NULL && stream->next_run < stream->run_count && !is_over(order, vector))
	{
		stream->spare = vector;
		order->spare_count++;
	}
	else
		drop_vector(order, vector);
}

/* Finds the row group and vector of a row; returns its number in the segment. `first` and `end` become the vector's. */
static uint32
locate(NtsReader *reader, int entry, uint32 row, NtsOrderVector *vector)
{
	uint32		first = 0;
	uint32		number = 0;
	uint32		rows;

	for (vector->group = 0; row >= first + (rows = nts_reader_group_rows(reader, entry, vector->group)); vector->group++)
	{
		first += rows;
		number += nts_reader_vectors(reader, entry, vector->group);
	}
	for (vector->vector = 0;
		 row >= first + (rows = nts_reader_vector_rows(reader, entry, vector->group, vector->vector)); vector->vector++)
		first += rows;
	vector->first = first;
	vector->end = first + rows;
	return number + vector->vector;
}

/* Keeps which rows of the scan's selection pass. */
static void
keep_selection(NtsOrder *order, NtsOrderVector *vector)
{
	const NtsSelection *selection = &order->scan->selection;

	vector->count = selection->count;
	vector->all = selection->rows == NULL;
	if (vector->all)
		return;
	if (vector->room < vector->count)
	{
		if (vector->rows != NULL)
			pfree(vector->rows);
		vector->room = Max(vector->count, 1024);
		vector->rows = MemoryContextAlloc(order->context, sizeof(uint32) * vector->room);
	}
	memcpy(vector->rows, selection->rows, sizeof(uint32) * vector->count);
}

static void
count_bytes(NtsOrder *order, NtsOrderVector *vector)
{
	order->vector_bytes -= vector->set_bytes;
	order->chunk_bytes -= vector->chunk_bytes;
	nts_reader_place_bytes(&vector->place, &vector->set_bytes, &vector->chunk_bytes);
	order->vector_bytes += vector->set_bytes;
	order->chunk_bytes += vector->chunk_bytes;
}

/* Decodes what tuples need of the vector, in which rows pass. */
static void
fill_vector(NtsOrder *order, NtsOrderVector *vector)
{
	NtsScanState *scan = order->scan;

	scan->selection.set = vector->place.set;
	nts_scan_fill(scan, scan->columns, scan->column_count);
	vector->filled = true;
}

/* Counts what was read. Chunks for which there is no room go: the vector is decoded wholly before. */
static void
settle_vector(NtsOrder *order, const NtsOrderStream *stream, NtsOrderVector *vector)
{
	count_bytes(order, vector);
	if (!stream->scattered && order->chunk_bytes > order->lists.vector_limit)
		vector->keeps_chunks = false;
	if (vector->keeps_chunks)
		return;
	if (vector->count > 0 && !vector->filled)
		fill_vector(order, vector);
	nts_reader_release_chunks(&vector->place);
	count_bytes(order, vector);
}

/* Is there no room for the vector beside the others? Those that the next runs may go on in are dropped before. */
static bool
is_crowded(NtsOrder *order, const NtsOrderVector *vector)
{
	for (int i = 0; is_over(order, vector) && i < order->stream_count && order->spare_count > 0; i++)
	{
		NtsOrderStream *stream = order->streams[i];

		if (stream->spare == NULL)
			continue;
		drop_vector(order, stream->spare);
		stream->spare = NULL;
		order->spare_count--;
	}
	return is_over(order, vector);
}

/* Has a cursor read the vector before? It has now. */
static bool
note_read(NtsOrderStream *stream, uint32 number)
{
	MemoryContext old;

	if (bms_is_member((int) number, stream->read))
		return true;
	old = MemoryContextSwitchTo(stream->context);
	stream->read = bms_add_member(stream->read, (int) number);
	MemoryContextSwitchTo(old);
	return false;
}

/* Loads the vector located, as one that is counted once; NULL: no row of it passes. */
static NtsVectorSet *
load_vector(NtsOrder *order, const NtsOrderVector *vector, bool again)
{
	NtsScanCounts *counts = &order->scan->counts;
	uint64		vectors = counts->vectors;
	uint64		pruned = counts->vectors_pruned;
	NtsVectorSet *set = nts_scan_load_vector(order->scan, vector->vector);

	if (!again)
		return set;
	counts->vectors = vectors;
	counts->vectors_pruned = pruned;
	order->counts.vectors_again++;
	if (set != NULL)
		set->is_counted = true;
	return set;
}

/* Conditions of a vector in which other runs are read another time need not be evaluated for these now. */
static void
keep_run(void *arg, NtsVectorSet *set, uint8 *keep)
{
	const NtsOrder *order = arg;
	const NtsOrderItem *item = order->wanted;

	for (uint32 i = 0; i < set->rows; i++)
		keep[i] &= item->vector->first + i >= item->begin && item->vector->first + i < item->end;
}

/* Reads the vector that holds a row of the cursor's run, unless it is at hand. */
static void
load_row(NtsOrder *order, const NtsOrderItem *item, uint32 row)
{
	NtsScanState *scan = order->scan;
	NtsOrderStream *stream = item->stream;
	NtsOrderVector *vector = item->vector;
	NtsScanChooser chooser = {.keep_rows = keep_run,.arg = order};
	NtsVectorSet *set;
	bool		again;

	if (vector->loaded && !stream->scattered && row >= vector->first && row < vector->end)
		return;
	vector->loaded = false;
	vector->filled = false;
	vector->count = 0;
	/* the place may have held a vector of which all rows passed */
	vector->all = false;
	nts_reader_swap_place(scan->reader, &vector->place);
	again = note_read(stream, locate(scan->reader, stream->entry, row, vector));
	if (!order->entered || scan->entry != stream->entry || scan->group != vector->group)
	{
		order->passes = nts_scan_enter_group(scan, stream->entry, vector->group);
		order->entered = true;
	}
	set = order->passes ? load_vector(order, vector, again) : NULL;
	order->wanted = item;
	scan->chooser = stream->scattered ? &chooser : NULL;
	if (set != NULL && nts_scan_narrow(scan, set))
	{
		keep_selection(order, vector);
		if (order->plan.by_time)
			nts_scan_fill(scan, &order->plan.keys[order->plan.count].column, 1);
	}
	scan->chooser = NULL;
	vector->loaded = true;
	nts_reader_swap_place(scan->reader, &vector->place);
	settle_vector(order, stream, vector);
}

/* How many of the vector's rows that pass come before a row of the segment. */
static uint32
passing_before(const NtsOrderVector *vector, uint32 row)
{
	uint32		low = 0;
	uint32		high = vector->count;

	if (row >= vector->end)
		return vector->count;
	if (vector->all)
		return row - vector->first;
	while (low < high)
	{
		uint32		middle = (low + high) / 2;

		if (vector->first + vector->rows[middle] < row)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- cursors ---- */

/* The position in its set of the cursor's row number i. */
static inline uint32
row_of(const NtsOrder *order, const NtsOrderItem *item, uint32 i)
{
	uint32		place = order->backward ? item->low + item->count - 1 - i : item->low + i;

	return item->vector->all ? place : item->vector->rows[place];
}

int64
nts_order_cursor_time(const NtsOrder *order, const NtsOrderItem *item, uint32 i)
{
	const NtsColumnData *data = &item->vector->place.set->columns[order->plan.keys[order->plan.count].column];

	return nts_order_turn(&order->plan, (int64) data->values[row_of(order, item, i)]);
}

/* Goes to the next vector of the run in which rows pass; false: there is none. */
static bool
next_part(NtsOrder *order, NtsOrderItem *item)
{
	NtsOrderVector *vector = item->vector;

	while (item->begin < item->end)
	{
		uint32		first;
		uint32		end;

		CHECK_FOR_INTERRUPTS();
		load_row(order, item, order->backward ? item->end - 1 : item->begin);
		first = Max(item->begin, vector->first);
		end = Min(item->end, vector->end);
		if (order->backward)
			item->end = first;
		else
			item->begin = end;
		item->low = passing_before(vector, first);
		item->count = passing_before(vector, end) - item->low;
		item->at = 0;
		item->safe = 0;
		if (item->count == 0)
			continue;
		if (order->plan.by_time)
			item->time = nts_order_cursor_time(order, item, 0);
		return true;
	}
	return false;
}

/* Goes to the stream's next run, if it lies in the vector at hand and does not tie with this one: ties are merged. */
static bool
follow_run(NtsOrder *order, NtsOrderItem *item)
{
	NtsOrderStream *stream = item->stream;
	const NtsOrderPlan *plan = &order->plan;
	const NtsOrderRun *run = &stream->runs[stream->next_run];
	Size		place;

	if (stream->scattered || stream->next_run == stream->run_count || run->begin < item->vector->first ||
		run->end > item->vector->end)
		return false;
	place = (Size) run->number * plan->count;
	if (nts_order_compare_keys(plan, order->lists.sorts, item->keys, item->nulls, stream->values + place,
							   stream->nulls + place) == 0)
		return false;
	nts_order_take_run(order, item, stream);
	order->counts.runs_read++;
	return true;
}

/*
 * The rows that the cursor would show, from the one on which it is, go to a temporary file, and its vector is dropped.
 * follow: also runs that follow in the vector, so that it need not be read for each of them.
 */
static void
spill_cursor(NtsOrder *order, NtsOrderItem *item, bool follow)
{
	NtsOrderSort *sort = nts_order_begin_spill(order);
	bool		more = true;

	order->counts.runs_spilled++;
	for (;;)
	{
		for (; more; more = next_part(order, item))
		{
			order->scan->selection.set = item->vector->place.set;
			nts_order_begin_rows(order);
			for (; item->at < item->count; item->at++)
				nts_order_put_row(order, sort, row_of(order, item, item->at));
			ExecClearTuple(order->scan->css.ss.ss_ScanTupleSlot);
		}
		if (!follow || !follow_run(order, item))
			break;
		order->counts.runs_spilled++;
		more = next_part(order, item);
	}
	drop_vector(order, item->vector);
	item->vector = NULL;
	nts_order_take_sorted(order, item, sort);
}

bool
nts_order_next_vector(NtsOrder *order, NtsOrderItem *item)
{
	if (!next_part(order, item))
	{
		give_vector(order, item->stream, item->vector);
		return false;
	}
	if (is_crowded(order, item->vector))
		spill_cursor(order, item, false);
	return true;
}

bool
nts_order_open_cursor(NtsOrder *order, NtsOrderItem *item)
{
	item->kind = NTS_ITEM_CURSOR;
	item->vector = take_vector(order, item->stream);
	order->counts.runs_read++;
	/* a vector that would soon be dropped is gone through up to a row that passes */
	while (!next_part(order, item))
	{
		if (order->vector_bytes <= order->lists.vector_limit || !follow_run(order, item))
		{
			give_vector(order, item->stream, item->vector);
			return false;
		}
	}
	if (is_crowded(order, item->vector))
		spill_cursor(order, item, true);
	return true;
}

void
nts_order_fill_cursor(NtsOrder *order, NtsOrderItem *item)
{
	if (item->vector->filled)
		return;
	fill_vector(order, item->vector);
	settle_vector(order, item->stream, item->vector);
	if (is_crowded(order, item->vector))
		spill_cursor(order, item, false);
}

void
nts_order_show_cursor(NtsOrder *order, const NtsOrderItem *item)
{
	NtsScanState *scan = order->scan;

	scan->selection.set = item->vector->place.set;
	nts_scan_store(scan, scan->columns, scan->column_count, row_of(order, item, item->at));
}
