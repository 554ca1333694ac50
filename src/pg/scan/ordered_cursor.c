/*
 * ordered_cursor.c - reads the runs of segments for an ordered scan, vector by vector.
 *
 * The next run of a segment goes on in the vector that the last one ended in. Chunks of a row group are kept for the next
 * vector while there is room.
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

	stream->spare = NULL;
	if (vector == NULL)
	{
		vector = MemoryContextAllocZero(order->context, sizeof(NtsOrderVector));
		vector->keeps_chunks = stream->scattered ||
			order->chunk_bytes + stream->chunk_bytes <= order->lists.vector_limit;
		order->vector_bytes += stream->vector_bytes;
		order->chunk_bytes += vector->keeps_chunks ? stream->chunk_bytes : 0;
	}
	return vector;
}

/* Keeps the vector for the stream's next run, or drops it. */
static void
give_vector(NtsOrder *order, NtsOrderStream *stream, NtsOrderVector *vector)
{
	if (stream->spare == NULL && stream->next_run < stream->run_count && order->vector_bytes <= order->lists.vector_limit)
	{
		stream->spare = vector;
		return;
	}
	/* what the filters know of the row group may lie there */
	order->entered = false;
	nts_reader_release_place(&vector->place);
	if (vector->rows != NULL)
		pfree(vector->rows);
	order->vector_bytes -= stream->vector_bytes;
	order->chunk_bytes -= vector->keeps_chunks ? stream->chunk_bytes : 0;
	pfree(vector);
}

/* Finds the row group and vector of a row. `first` and `end` become those of the vector. */
static void
locate(NtsReader *reader, int entry, uint32 row, NtsOrderVector *vector)
{
	uint32		first = 0;
	uint32		rows;

	for (vector->group = 0; row >= first + (rows = nts_reader_group_rows(reader, entry, vector->group)); vector->group++)
		first += rows;
	for (vector->vector = 0;
		 row >= first + (rows = nts_reader_vector_rows(reader, entry, vector->group, vector->vector)); vector->vector++)
		first += rows;
	vector->first = first;
	vector->end = first + rows;
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

/* Decodes what tuples need of the scan's selection, which is of the vector. */
static void
fill_vector(NtsOrder *order, NtsOrderVector *vector)
{
	if (!vector->filled)
		nts_scan_fill(order->scan, order->scan->columns, order->scan->column_count);
	vector->filled = true;
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

	if (vector->loaded && !stream->scattered && row >= vector->first && row < vector->end)
		return;
	vector->loaded = false;
	vector->filled = false;
	vector->count = 0;
	nts_reader_swap_place(scan->reader, &vector->place);
	locate(scan->reader, stream->entry, row, vector);
	if (!order->entered || scan->entry != stream->entry || scan->group != vector->group)
	{
		order->passes = nts_scan_enter_group(scan, stream->entry, vector->group);
		order->entered = true;
	}
	set = order->passes ? nts_scan_load_vector(scan, vector->vector) : NULL;
	order->wanted = item;
	scan->chooser = stream->scattered ? &chooser : NULL;
	if (set != NULL && nts_scan_narrow(scan, set))
	{
		keep_selection(order, vector);
		if (!vector->keeps_chunks)
			fill_vector(order, vector);
		else if (order->plan.by_time)
			nts_scan_fill(scan, &order->plan.keys[order->plan.count].column, 1);
	}
	scan->chooser = NULL;
	vector->loaded = true;
	nts_reader_swap_place(scan->reader, &vector->place);
	if (!vector->keeps_chunks)
		nts_reader_release_chunks(&vector->place);
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

bool
nts_order_next_vector(NtsOrder *order, NtsOrderItem *item)
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
	give_vector(order, item->stream, vector);
	return false;
}

bool
nts_order_open_cursor(NtsOrder *order, NtsOrderItem *item)
{
	item->kind = NTS_ITEM_CURSOR;
	item->vector = take_vector(order, item->stream);
	order->counts.runs_read++;
	return nts_order_next_vector(order, item);
}

void
nts_order_show_cursor(NtsOrder *order, const NtsOrderItem *item)
{
	NtsScanState *scan = order->scan;

	scan->selection.set = item->vector->place.set;
	fill_vector(order, item->vector);
	nts_scan_store(scan, scan->columns, scan->column_count, row_of(order, item, item->at));
}
