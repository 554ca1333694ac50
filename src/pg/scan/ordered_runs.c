/*
 * ordered_runs.c - the series of a segment as runs of rows, in the order that a query asks for.
 *
 * A run is one series of the segment, in which rows ascend in time; all its rows have the same values in the series
 * columns. So whatever the collation, the direction and the choice of series columns, runs that are sorted by their values
 * give the segment's rows in order, if those that tie are merged by time. The series index tells where runs end; their
 * values come from the last rows, or from the vectors. Runs that no row of which can pass the conditions are not listed.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/scan/ordered.h"

typedef struct RunList
{
	NtsOrderLists *lists;
	NtsOrderStream *stream;
	uint64	   *ends;			/* positions of the last rows */
	uint32		room;
	uint32		listed;			/* no series from this one on is in the list */
} RunList;

int
nts_order_compare_keys(const NtsOrderPlan *plan, SortSupport sorts, const Datum *a, const bool *a_nulls,
					   const Datum *b, const bool *b_nulls)
{
	int			result = 0;

	for (int i = 0; i < plan->count && result == 0; i++)
		if (a[i] != b[i] || a_nulls[i] || b_nulls[i])
			result = ApplySortComparator(a[i], a_nulls[i], b[i], b_nulls[i], &sorts[i]);
	return result;
}

void
nts_order_begin_lists(NtsOrderLists *lists)
{
	TupleDesc	desc = RelationGetDescr(lists->scan->css.ss.ss_currentRelation);

	lists->bytes = 0;
	memset(&lists->chunks, 0, sizeof(lists->chunks));
	lists->chunks.context = AllocSetContextCreate(lists->context, "nodedb_ts ordered values", ALLOCSET_SMALL_SIZES);
	for (int i = 0; i < lists->plan->count; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, lists->plan->keys[i].column);
		NtsAggVector vector = {.type = att->atttypid,.typlen = att->attlen};

		lists->interners[i] = att->attbyval ? NULL : nts_interner_make(&lists->chunks, &vector);
	}
}

/* ---- listing ---- */

static bool
is_full(const RunList *list)
{
	const NtsOrderLists *lists = list->lists;
	uint64		run_bytes = sizeof(NtsOrderRun) + (sizeof(Datum) + sizeof(bool)) * lists->plan->count;

	return lists->bytes + list->room * run_bytes + MemoryContextMemAllocated(lists->chunks.context, false) >
		lists->list_limit;
}

/* Makes room for `room` runs. */
static void
resize(RunList *list, uint32 room)
{
	NtsOrderStream *stream = list->stream;
	Size		values = Max((Size) room * list->lists->plan->count, 1);

	list->room = room;
	room = Max(room, 1);
	if (stream->runs == NULL)
	{
		stream->runs = MemoryContextAllocHuge(stream->context, sizeof(NtsOrderRun) * room);
		stream->values = MemoryContextAllocHuge(stream->context, sizeof(Datum) * values);
		stream->nulls = MemoryContextAllocHuge(stream->context, sizeof(bool) * values);
		return;
	}
	stream->runs = repalloc_huge(stream->runs, sizeof(NtsOrderRun) * room);
	stream->values = repalloc_huge(stream->values, sizeof(Datum) * values);
	stream->nulls = repalloc_huge(stream->nulls, sizeof(bool) * values);
}

/* Adds the run number `series`, whose values `row` of the set has. */
static void
add_run(RunList *list, uint32 series, NtsVectorSet *set, uint32 row)
{
	NtsOrderStream *stream = list->stream;
	const NtsOrderPlan *plan = list->lists->plan;
	/* numerics leave something behind when they are compared */
	MemoryContext old = MemoryContextSwitchTo(stream->context);
	NtsOrderRun *run;

	if (stream->run_count == list->room)
		resize(list, Max(16, list->room * 2));
	run = &stream->runs[stream->run_count];
	run->begin = series == 0 ? 0 : (uint32) list->ends[series - 1] + 1;
	run->end = (uint32) list->ends[series] + 1;
	run->number = stream->run_count;
	for (int i = 0; i < plan->count; i++)
	{
		int			column = plan->keys[i].column;
		NtsColumnData *data = &set->columns[column];
		Size		place = (Size) run->number * plan->count + i;

		if (!data->filled)
			nts_vector_set_fill(set, column);
		stream->values[place] = data->values[row];
		stream->nulls[place] = data->nulls[row] != 0;
		if (list->lists->interners[i] != NULL && !stream->nulls[place])
			stream->values[place] = nts_intern(list->lists->interners[i], data->values[row], true);
	}
	stream->run_count++;
	MemoryContextSwitchTo(old);
}

/* Addresses of values are those of another set from now on. */
static void
begin_set(RunList *list)
{
	for (int i = 0; i < list->lists->plan->count; i++)
		if (list->lists->interners[i] != NULL)
			nts_interner_forget_addresses(list->lists->interners[i]);
}

/* Lists the series whose last rows pass. */
static void
list_last_rows(RunList *list, const NtsSegmentInfo *info)
{
	NtsScanState *scan = list->lists->scan;
	uint32		vectors = nts_reader_vectors(scan->reader, list->stream->entry, info->row_groups);
	uint32		series = 0;

	if (!nts_scan_enter_group(scan, list->stream->entry, info->row_groups))
		return;
	for (uint32 v = 0; v < vectors && !is_full(list); v++)
	{
		NtsVectorSet *set = nts_scan_load_vector(scan, v);

		CHECK_FOR_INTERRUPTS();
		begin_set(list);
		if (set != NULL && nts_scan_narrow(scan, set))
			for (uint32 i = 0; i < scan->selection.count; i++)
			{
				uint32		row = scan->selection.rows == NULL ? i : scan->selection.rows[i];

				add_run(list, series + row, set, row);
			}
		series += nts_reader_vector_rows(scan->reader, scan->entry, scan->group, v);
	}
}

/* Lists the series that rows of the selection, of a set that begins at row `first`, are of; *series: none before it. */
static void
list_selection(RunList *list, uint64 first, uint32 *series)
{
	const NtsSelection *selection = &list->lists->scan->selection;
	uint32		i = 0;

	while (i < selection->count)
	{
		uint32		row = selection->rows == NULL ? i : selection->rows[i];

		while (list->ends[*series] < first + row)
			(*series)++;
		if (*series >= list->listed)
			add_run(list, *series, selection->set, row);
		list->listed = *series + 1;
		if (selection->rows == NULL)
			i = list->ends[*series] + 1 - first;
		else
			while (i < selection->count && first + selection->rows[i] <= list->ends[*series])
				i++;
	}
}

/* Lists the series that have rows that pass. */
static void
list_vectors(RunList *list, const NtsSegmentInfo *info)
{
	NtsScanState *scan = list->lists->scan;
	int			entry = list->stream->entry;
	uint64		first = 0;		/* of the vector at hand */
	uint32		series = 0;

	for (uint32 g = 0; g < info->row_groups && !is_full(list); g++)
	{
		uint32		vectors = nts_reader_vectors(scan->reader, entry, g);

		CHECK_FOR_INTERRUPTS();
		if (!nts_scan_enter_group(scan, entry, g))
		{
			first += nts_reader_group_rows(scan->reader, entry, g);
			continue;
		}
		for (uint32 v = 0; v < vectors && !is_full(list); v++)
		{
			NtsVectorSet *set = nts_scan_load_vector(scan, v);

			CHECK_FOR_INTERRUPTS();
			begin_set(list);
			if (set != NULL && nts_scan_narrow(scan, set))
				list_selection(list, first, &series);
			first += nts_reader_vector_rows(scan->reader, entry, g, v);
		}
	}
}

/*
 * Lists runs that may have rows that pass, by the conditions that all rows of a series fail if its last one does: of series
 * columns, or lower bounds of the time.
 */
static void
list_runs(RunList *list, const NtsSegmentInfo *info)
{
	NtsScanState *scan = list->lists->scan;
	NtsFilter **filters = scan->filters;
	int			filter_count = scan->filter_count;
	ExprState  *rest = scan->rest;
	NtsScanCounts counts = scan->counts;

	/* the scan shall look at nothing else meanwhile */
	scan->filters = palloc(sizeof(NtsFilter *) * Max(filter_count, 1));
	scan->filter_count = 0;
	scan->rest = NULL;
	for (int i = 0; i < filter_count; i++)
		if (nts_filter_decides_series(filters[i], info))
			scan->filters[scan->filter_count++] = filters[i];
	if (info->has_last_rows)
		list_last_rows(list, info);
	else
		list_vectors(list, info);
	pfree(scan->filters);
	scan->filters = filters;
	scan->filter_count = filter_count;
	scan->rest = rest;
	scan->counts = counts;
}

/* ---- sorting ---- */

typedef struct RunOrder
{
	const NtsOrderLists *lists;
	const NtsOrderStream *stream;
} RunOrder;

static int
compare_values(const RunOrder *order, const NtsOrderRun *a, const NtsOrderRun *b)
{
	const NtsOrderPlan *plan = order->lists->plan;
	const NtsOrderStream *stream = order->stream;
	Size		x = (Size) a->number * plan->count;
	Size		y = (Size) b->number * plan->count;

	return nts_order_compare_keys(plan, order->lists->sorts, stream->values + x, stream->nulls + x, stream->values + y,
								  stream->nulls + y);
}

static int
compare_runs(const void *a, const void *b, void *arg)
{
	const NtsOrderRun *x = a;
	const NtsOrderRun *y = b;
	int			result = compare_values(arg, x, y);

	CHECK_FOR_INTERRUPTS();
	return result != 0 ? result : x->begin < y->begin ? -1 : x->begin > y->begin;
}

/* Sorts the runs; false: they lie neither in that order nor in the opposite one. */
static bool
sort_runs(const NtsOrderLists *lists, NtsOrderStream *stream)
{
	RunOrder	order = {lists, stream};
	bool		ascend = true;
	bool		descend = true;

	for (uint32 i = 1; i < stream->run_count && (ascend || descend); i++)
	{
		int			result = compare_runs(&stream->runs[i - 1], &stream->runs[i], &order);

		ascend = ascend && result < 0;
		descend = descend && result > 0;
	}
	if (!ascend)
		qsort_arg(stream->runs, stream->run_count, sizeof(NtsOrderRun), compare_runs, &order);
	return ascend || descend;
}

/* How many runs, at most, have the same values. */
static uint32
most_ties(const NtsOrderLists *lists, const NtsOrderStream *stream)
{
	RunOrder	order = {lists, stream};
	uint32		most = 1;
	uint32		ties = 1;

	for (uint32 i = 1; i < stream->run_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		ties = compare_values(&order, &stream->runs[i - 1], &stream->runs[i]) == 0 ? ties + 1 : 1;
		most = Max(most, ties);
	}
	return most;
}

/* ---- memory ---- */

/* What the columns that tuples need take, as chunks of a row group and as a decoded vector. */
static void
estimate_bytes(const NtsOrderLists *lists, NtsOrderStream *stream, const NtsSegmentInfo *info)
{
	NtsScanState *scan = lists->scan;
	TupleDesc	desc = RelationGetDescr(scan->css.ss.ss_currentRelation);
	Oid			relid = RelationGetRelid(scan->css.ss.ss_currentRelation);
	uint32		vectors = nts_reader_vectors(scan->reader, stream->entry, 0);

	for (int i = 0; i < scan->column_count; i++)
	{
		NtsChunkInfo chunk;

		stream->vector_bytes += NTS_ORDER_VECTOR_ROWS * (sizeof(Datum) + 1);
		if (scan->columns[i] >= (int) info->column_count)
			continue;
		nts_reader_chunk(scan->reader, stream->entry, 0, scan->columns[i], &chunk);
		stream->chunk_bytes += chunk.length;
		/* values of other types are decoded to several times their bytes, or many times where they repeat */
		if (!TupleDescAttr(desc, scan->columns[i])->attbyval)
			stream->vector_bytes += Max(chunk.length * 4 / vectors,
										(uint64) NTS_ORDER_VECTOR_ROWS * get_attavgwidth(relid, scan->columns[i] + 1));
	}
}

/* ---- streams ---- */

static bool
has_all_keys(const NtsOrderPlan *plan, const NtsSegmentInfo *info)
{
	for (int i = 0; i < plan->count; i++)
	{
		bool		found = false;

		for (uint32 c = 0; c < info->series_column_count; c++)
			found |= info->series_columns[c] == plan->keys[i].column;
		if (!found)
			return false;
	}
	return true;
}

/* NULLs come first in a segment: where there are some, times do not ascend. */
bool
nts_order_times(const NtsOrderLists *lists, int entry, int64 *first, int64 *last)
{
	const NtsOrderPlan *plan = lists->plan;
	const NtsEntry *e = nts_reader_entry(lists->scan->reader, entry);
	const NtsOrderKey *key = &plan->keys[plan->count];

	if (e->level == NTS_LEVEL_DELTA || e->time_column != (uint32) key->column + 1 ||
		(e->flags & (NTS_ENTRY_HAS_TIME | NTS_ENTRY_NULL_TIME)) != NTS_ENTRY_HAS_TIME)
		return false;
	*first = nts_order_turn(plan, key->descending ? e->max_time : e->min_time);
	*last = nts_order_turn(plan, key->descending ? e->min_time : e->max_time);
	return true;
}

/* Finds and sorts the stream's runs; false: there are too many, or they are too short for the order that they are in. */
static bool
find_runs(NtsOrderLists *lists, NtsOrderStream *stream, const NtsSegmentInfo *info)
{
	RunList		list = {.lists = lists,.stream = stream};

	if (info->series * sizeof(uint64) > lists->list_limit)
		return false;
	list.ends = MemoryContextAllocHuge(stream->context, sizeof(uint64) * info->series);
	nts_reader_series_ends(lists->scan->reader, stream->entry, 0, info->series, list.ends);
	list_runs(&list, info);
	pfree(list.ends);
	if (is_full(&list))
		return false;
	resize(&list, stream->run_count);
	stream->list_bytes = MemoryContextMemAllocated(stream->context, false);
	lists->bytes += stream->list_bytes;
	stream->scattered = !sort_runs(lists, stream);
	return !stream->scattered || info->rows / info->series >= NTS_ORDER_FEWEST_SCATTERED_ROWS;
}

NtsOrderStream *
nts_order_make_stream(NtsOrderLists *lists, int entry)
{
	NtsReader  *reader = lists->scan->reader;
	const NtsOrderPlan *plan = lists->plan;
	int64		first_time = 0;
	int64		last_time = 0;
	NtsSegmentInfo info;
	MemoryContext context;
	NtsOrderStream *stream;

	nts_reader_segment_info(reader, entry, &info);
	if (info.series == 0 || info.rows / info.series < NTS_ORDER_FEWEST_ROWS || !has_all_keys(plan, &info) ||
		(plan->by_time && (info.time_column != plan->keys[plan->count].column ||
						   !nts_order_times(lists, entry, &first_time, &last_time))) ||
		nts_reader_hides_rows(reader, entry))
		return NULL;
	context = AllocSetContextCreate(lists->context, "nodedb_ts ordered segment", ALLOCSET_SMALL_SIZES);
	stream = MemoryContextAllocZero(context, sizeof(NtsOrderStream));
	stream->context = context;
	stream->entry = entry;
	stream->first_time = first_time;
	stream->last_time = last_time;
	if (!find_runs(lists, stream, &info))
	{
		nts_order_drop_stream(lists, stream);
		return NULL;
	}
	stream->shares_vectors = info.rows / info.series < NTS_ORDER_VECTOR_ROWS;
	estimate_bytes(lists, stream, &info);
	/* for runs here and there chunks must not be read anew each time */
	stream->bytes = stream->vector_bytes + (stream->scattered ? stream->chunk_bytes : 0);
	if (plan->by_time)
		stream->bytes *= most_ties(lists, stream);
	return stream;
}

void
nts_order_drop_stream(NtsOrderLists *lists, NtsOrderStream *stream)
{
	lists->bytes -= stream->list_bytes;
	MemoryContextDelete(stream->context);
}

typedef struct Candidate
{
	NtsOrderStream *stream;
	int			place;
	uint64		rows;
} Candidate;

/* Those come first that would be dearest to sort. */
static int
compare_candidates(const void *a, const void *b)
{
	const Candidate *x = a;
	const Candidate *y = b;

	return x->rows != y->rows ? (x->rows > y->rows ? -1 : 1) : x->place - y->place;
}

/* May vectors of both be needed at a time? */
static bool
meet(const NtsOrderPlan *plan, const NtsOrderStream *a, const NtsOrderStream *b)
{
	/* one that the next series goes on in stays */
	if (plan->count > 0 && (a->shares_vectors || b->shares_vectors))
		return true;
	return plan->by_time && a->first_time <= b->last_time && b->first_time <= a->last_time;
}

void
nts_order_accept(NtsOrderLists *lists, NtsOrderStream **streams, int count, bool *accepted)
{
	Candidate  *candidates = palloc(sizeof(Candidate) * Max(count, 1));
	int			taken = 0;
	uint64		sum = 0;

	for (int i = 0; i < count; i++)
	{
		Candidate  *candidate = &candidates[i];

		candidate->stream = streams[i];
		candidate->place = i;
		candidate->rows = nts_reader_entry(lists->scan->reader, streams[i]->entry)->rows;
		sum += streams[i]->bytes;
		accepted[i] = true;
	}
	if (sum <= lists->vector_limit)
	{
		pfree(candidates);
		return;
	}
	qsort(candidates, count, sizeof(Candidate), compare_candidates);
	for (int i = 0; i < count; i++)
	{
		Candidate	candidate = candidates[i];

		CHECK_FOR_INTERRUPTS();
		sum = candidate.stream->bytes;
		for (int k = 0; k < taken && sum <= lists->vector_limit; k++)
			if (meet(lists->plan, candidates[k].stream, candidate.stream))
				sum += candidates[k].stream->bytes;
		accepted[candidate.place] = sum <= lists->vector_limit;
		if (accepted[candidate.place])
			candidates[taken++] = candidate;
	}
	pfree(candidates);
}
