/*
 * ordered.c - merges the series of segments, and sorts what is in no order, for a scan in order.
 *
 * A heap holds what may come next: of each stream the run that follows, as long as no row of it can have come to its turn
 * (*waiting*: known by its values and the segment's first time), the runs that are being read (*cursors*), and what was
 * sorted. A cursor has one vector decoded, and goes on without a comparison up to the row behind which something else comes.
 */
#include "postgres.h"

#include "commands/explain.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/tuplesort.h"

#include "pg/scan/ordered.h"

typedef enum ItemKind
{
	ITEM_CURSOR,				/* of several that tie what is open comes first */
	ITEM_SORTED,
	ITEM_WAITING
} ItemKind;

typedef struct OrderItem
{
	ItemKind	kind;
	/* the row that is next, or for WAITING one that no row of the run comes before */
	const Datum *keys;
	const bool *nulls;
	int64		time;			/* turned; by_time only */
	bool		time_is_null;
	NtsOrderStream *stream;
	/* a cursor: */
	NtsOrderVector *vector;
	uint32		begin;			/* rows of the run behind (backward: before) this vector's */
	uint32		end;
	uint32		low;			/* the run's part of the vector's rows, as places among those that pass */
	uint32		at;				/* the next one of these */
	uint32		count;
	uint32		safe;			/* no other item comes before row `safe` */
} OrderItem;

typedef struct NtsOrderCounts
{
	uint64		sorted_segments;
	uint64		sorted_rows;
	uint64		runs;
	uint64		runs_read;
	int64		sort_kb;
	bool		sort_on_disk;
} NtsOrderCounts;

struct NtsOrder
{
	NtsOrderPlan plan;
	NtsScanState *scan;
	NtsOrderLists lists;
	SortSupportData sorts[NTS_MAX_ORDER_KEYS];
	bool		backward;		/* runs are read from their ends */
	NtsScanChooser chooser;		/* of a scattered stream's rows: those of */
	const OrderItem *wanted;	/* this run alone */
	bool		begun;
	MemoryContext context;		/* what a rescan drops */
	NtsOrderStream **streams;
	int			stream_count;
	uint64		vector_bytes;	/* of vectors in memory, about, */
	uint64		chunk_bytes;	/* and of chunks that are kept for what follows */
	OrderItem	  **heap;
	int			heap_count;
	int			heap_room;
	bool		shown;			/* the first item's row is in the slot */
	/* the row group that the scan's filters are judged for: */
	bool		entered;
	bool		passes;			/* some row of it may */
	/* what was sorted */
	Tuplesortstate *sort;
	TupleTableSlot *sort_slot;
	Datum		sort_keys[NTS_MAX_ORDER_KEYS];
	bool		sort_nulls[NTS_MAX_ORDER_KEYS];
	NtsOrderCounts counts;
};

/* ---- the heap ---- */

static int
compare_items(const NtsOrder *order, const OrderItem *a, const OrderItem *b)
{
	int			result = 0;

	if (a->keys != b->keys)
		result = nts_order_compare_keys(&order->plan, order->lists.sorts, a->keys, a->nulls, b->keys, b->nulls);
	if (result == 0 && order->plan.by_time)
	{
		if (a->time_is_null || b->time_is_null)
			result = a->time_is_null == b->time_is_null ? 0 :
				a->time_is_null == order->plan.keys[order->plan.count].nulls_first ? -1 : 1;
		else
			result = a->time < b->time ? -1 : a->time > b->time;
	}
	return result != 0 ? result : (int) a->kind - (int) b->kind;
}

/* Puts the first item where it belongs. */
static void
sift_down(NtsOrder *order)
{
	OrderItem	  **heap = order->heap;
	OrderItem	   *item = heap[0];
	int			place = 0;

	for (;;)
	{
		int			child = 2 * place + 1;

		if (child >= order->heap_count)
			break;
		if (child + 1 < order->heap_count && compare_items(order, heap[child + 1], heap[child]) < 0)
			child++;
		if (compare_items(order, item, heap[child]) <= 0)
			break;
		heap[place] = heap[child];
		place = child;
	}
	heap[place] = item;
}

static void
push(NtsOrder *order, OrderItem *item)
{
	int			place = order->heap_count++;

	if (place == order->heap_room)
	{
		order->heap_room = Max(64, order->heap_room * 2);
		if (order->heap == NULL)
			order->heap = MemoryContextAlloc(order->context, sizeof(OrderItem *) * order->heap_room);
		else
			order->heap = repalloc_huge(order->heap, sizeof(OrderItem *) * order->heap_room);
	}
	while (place > 0 && compare_items(order, item, order->heap[(place - 1) / 2]) < 0)
	{
		order->heap[place] = order->heap[(place - 1) / 2];
		place = (place - 1) / 2;
	}
	order->heap[place] = item;
}

static void
drop_first(NtsOrder *order)
{
	pfree(order->heap[0]);
	order->heap[0] = order->heap[--order->heap_count];
	if (order->heap_count > 0)
		sift_down(order);
}

/* What comes after the first item; NULL: nothing. */
static const OrderItem *
second(const NtsOrder *order)
{
	if (order->heap_count < 2)
		return NULL;
	if (order->heap_count > 2 && compare_items(order, order->heap[2], order->heap[1]) < 0)
		return order->heap[2];
	return order->heap[1];
}

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
	const OrderItem *item = order->wanted;

	for (uint32 i = 0; i < set->rows; i++)
		keep[i] &= item->vector->first + i >= item->begin && item->vector->first + i < item->end;
}

/* Reads the vector that holds a row of the cursor's run, unless it is at hand. */
static void
load_row(NtsOrder *order, const OrderItem *item, uint32 row)
{
	NtsScanState *scan = order->scan;
	NtsOrderStream *stream = item->stream;
	NtsOrderVector *vector = item->vector;
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
	scan->chooser = stream->scattered ? &order->chooser : NULL;
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
row_of(const NtsOrder *order, const OrderItem *item, uint32 i)
{
	uint32		place = order->backward ? item->low + item->count - 1 - i : item->low + i;

	return item->vector->all ? place : item->vector->rows[place];
}

static inline int64
time_of(const NtsOrder *order, const OrderItem *item, uint32 i)
{
	const NtsColumnData *data = &item->vector->place.set->columns[order->plan.keys[order->plan.count].column];

	return nts_order_turn(&order->plan, (int64) data->values[row_of(order, item, i)]);
}

/* Goes to the next vector of the run in which rows pass; false: there is none. */
static bool
next_vector(NtsOrder *order, OrderItem *item)
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
			item->time = time_of(order, item, 0);
		return true;
	}
	return false;
}

/* Lets the stream's next run wait for its turn, in the item. */
static void
wait_next(const NtsOrder *order, OrderItem *item, NtsOrderStream *stream)
{
	const NtsOrderRun *run = &stream->runs[stream->next_run++];
	Size		place = (Size) run->number * order->plan.count;

	item->kind = ITEM_WAITING;
	item->stream = stream;
	item->keys = stream->values + place;
	item->nulls = stream->nulls + place;
	item->time = stream->first_time;
	item->begin = run->begin;
	item->end = run->end;
}

/* The first item, which waits, becomes a cursor; the run after it waits now. */
static void
open_first(NtsOrder *order)
{
	OrderItem	   *waiting = order->heap[0];
	NtsOrderStream *stream = waiting->stream;
	OrderItem	   *cursor = MemoryContextAlloc(order->context, sizeof(OrderItem));

	*cursor = *waiting;
	cursor->kind = ITEM_CURSOR;
	cursor->vector = take_vector(order, stream);
	order->counts.runs_read++;
	if (stream->next_run < stream->run_count)
	{
		wait_next(order, waiting, stream);
		sift_down(order);
	}
	else
		drop_first(order);
	if (next_vector(order, cursor))
	{
		push(order, cursor);
		return;
	}
	give_vector(order, stream, cursor->vector);
	pfree(cursor);
}

/* How far the first item, a cursor, goes before another item's turn. */
static uint32
safe_rows(const NtsOrder *order, const OrderItem *item)
{
	const OrderItem *other = second(order);
	uint32		low = item->at + 1;
	uint32		high = item->count;

	if (other == NULL || !order->plan.by_time || other->time_is_null || other->time >= time_of(order, item, high - 1) ||
		(item->keys != other->keys &&
		 nts_order_compare_keys(&order->plan, order->lists.sorts, item->keys, item->nulls, other->keys, other->nulls) < 0))
		return high;
	while (low < high)
	{
		uint32		middle = (low + high) / 2;

		if (time_of(order, item, middle) <= other->time)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- what is sorted ---- */

static void
sort_selection(NtsOrder *order)
{
	NtsScanState *scan = order->scan;
	const NtsSelection *selection = &scan->selection;

	nts_scan_fill(scan, scan->columns, scan->column_count);
	for (uint32 i = 0; i < selection->count; i++)
	{
		nts_scan_store(scan, scan->columns, scan->column_count, selection->rows == NULL ? i : selection->rows[i]);
		tuplesort_puttupleslot(order->sort, scan->css.ss.ss_ScanTupleSlot);
	}
	ExecClearTuple(scan->css.ss.ss_ScanTupleSlot);
	order->counts.sorted_rows += selection->count;
	CHECK_FOR_INTERRUPTS();
}

static void
begin_sort(NtsOrder *order)
{
	TupleDesc	desc = RelationGetDescr(order->scan->css.ss.ss_currentRelation);
	const NtsOrderPlan *plan = &order->plan;
	int			count = plan->count + plan->by_time;
	AttrNumber	columns[NTS_MAX_ORDER_KEYS];
	Oid			operators[NTS_MAX_ORDER_KEYS];
	Oid			collations[NTS_MAX_ORDER_KEYS];
	bool		nulls_first[NTS_MAX_ORDER_KEYS];

	for (int i = 0; i < count; i++)
	{
		columns[i] = plan->keys[i].column + 1;
		operators[i] = plan->keys[i].operator;
		collations[i] = plan->keys[i].collation;
		nulls_first[i] = plan->keys[i].nulls_first;
	}
	order->sort = tuplesort_begin_heap(desc, count, columns, operators, collations, nulls_first, work_mem, NULL,
									   plan->limit > 0 ? TUPLESORT_ALLOWBOUNDED : TUPLESORT_NONE);
	if (plan->limit > 0)
		tuplesort_set_bound(order->sort, plan->limit);
}

/* Adds the rows of an entry that is no stream. */
static void
sort_entry(NtsOrder *order, int entry)
{
	NtsScanState *scan = order->scan;
	bool		is_delta = nts_reader_is_delta(scan->reader, entry);
	uint32		groups = nts_reader_groups(scan->reader, entry);

	if (order->sort == NULL)
		begin_sort(order);
	if (!is_delta)
		order->counts.sorted_segments++;
	for (uint32 g = 0; g < groups; g++)
	{
		uint32		vectors = 1;

		if (!is_delta && !nts_scan_enter_group(scan, entry, g))
			continue;
		if (!is_delta)
			vectors = nts_reader_vectors(scan->reader, entry, g);
		for (uint32 v = 0; v < vectors; v++)
		{
			NtsVectorSet *set = is_delta ? nts_scan_load_page(scan, entry, g) : nts_scan_load_vector(scan, v);

			if (set != NULL && nts_scan_narrow(scan, set))
				sort_selection(order);
		}
	}
}

/* Takes the next row that was sorted; false: there is none. */
static bool
next_sorted(NtsOrder *order, OrderItem *item)
{
	const NtsOrderPlan *plan = &order->plan;

	if (!tuplesort_gettupleslot(order->sort, true, false, order->sort_slot, NULL))
		return false;
	slot_getallattrs(order->sort_slot);
	for (int i = 0; i < plan->count; i++)
	{
		order->sort_keys[i] = order->sort_slot->tts_values[plan->keys[i].column];
		order->sort_nulls[i] = order->sort_slot->tts_isnull[plan->keys[i].column];
	}
	if (plan->by_time)
	{
		int			column = plan->keys[plan->count].column;
		Form_pg_attribute att = TupleDescAttr(order->sort_slot->tts_tupleDescriptor, column);

		item->time_is_null = order->sort_slot->tts_isnull[column];
		item->time = nts_order_turn(plan, (int64) nts_normal_word(order->sort_slot->tts_values[column], att->attlen));
	}
	return true;
}

static void
perform_sort(NtsOrder *order)
{
	TuplesortInstrumentation stats;
	OrderItem	   *item;

	tuplesort_performsort(order->sort);
	tuplesort_get_stats(order->sort, &stats);
	order->counts.sort_kb = stats.spaceUsed;
	order->counts.sort_on_disk = stats.spaceType == SORT_SPACE_TYPE_DISK;
	item = MemoryContextAllocZero(order->context, sizeof(OrderItem));
	item->kind = ITEM_SORTED;
	item->keys = order->sort_keys;
	item->nulls = order->sort_nulls;
	if (next_sorted(order, item))
		push(order, item);
}

/* ---- rows ---- */

static void
begin(NtsOrder *order)
{
	NtsScanState *scan = order->scan;
	int			entries;
	bool	   *accepted;

	nts_scan_begin(scan);
	entries = nts_reader_entry_count(scan->reader);
	order->lists.list_limit = get_hash_memory_limit();
	order->lists.vector_limit = get_hash_memory_limit() / 2;
	nts_order_begin_lists(&order->lists);
	order->streams = MemoryContextAllocHuge(order->context, sizeof(NtsOrderStream *) * Max(entries, 1));
	for (int i = 0; i < entries; i++)
	{
		int			excluded = nts_scan_excluded_entries(scan, i);
		NtsOrderStream *stream = NULL;

		CHECK_FOR_INTERRUPTS();
		if (excluded > 0)
		{
			scan->counts.segments += excluded;
			scan->counts.segments_pruned += excluded;
			i += excluded - 1;
			continue;
		}
		if (!nts_reader_is_delta(scan->reader, i))
		{
			scan->counts.segments++;
			stream = nts_order_make_stream(&order->lists, i);
		}
		if (stream == NULL)
			sort_entry(order, i);
		else
		{
			order->counts.runs += stream->run_count;
			if (stream->run_count > 0)
				order->streams[order->stream_count++] = stream;
		}
	}
	accepted = palloc(sizeof(bool) * Max(order->stream_count, 1));
	nts_order_accept(&order->lists, order->streams, order->stream_count, accepted);
	for (int i = 0; i < order->stream_count; i++)
	{
		OrderItem	   *item;

		if (!accepted[i])
		{
			sort_entry(order, order->streams[i]->entry);
			continue;
		}
		item = MemoryContextAllocZero(order->context, sizeof(OrderItem));
		wait_next(order, item, order->streams[i]);
		push(order, item);
	}
	pfree(accepted);
	if (order->sort != NULL)
		perform_sort(order);
	order->begun = true;
}

/* The first item goes on behind the row that was shown. */
static void
step(NtsOrder *order)
{
	OrderItem	   *item = order->heap[0];

	if (item->kind == ITEM_SORTED)
	{
		if (next_sorted(order, item))
			sift_down(order);
		else
			drop_first(order);
		return;
	}
	if (++item->at < item->safe)
		return;
	if (item->at < item->count)
	{
		item->time = time_of(order, item, item->at);
		sift_down(order);
	}
	else if (next_vector(order, item))
		sift_down(order);
	else
	{
		give_vector(order, item->stream, item->vector);
		drop_first(order);
	}
}

static void
show_sorted(NtsOrder *order)
{
	NtsScanState *scan = order->scan;
	TupleTableSlot *slot = scan->css.ss.ss_ScanTupleSlot;

	for (int i = 0; i < scan->column_count; i++)
	{
		slot->tts_values[scan->columns[i]] = order->sort_slot->tts_values[scan->columns[i]];
		slot->tts_isnull[scan->columns[i]] = order->sort_slot->tts_isnull[scan->columns[i]];
	}
	ExecStoreVirtualTuple(slot);
	slot->tts_tableOid = RelationGetRelid(scan->css.ss.ss_currentRelation);
}

bool
nts_order_next(NtsOrder *order)
{
	NtsScanState *scan = order->scan;
	OrderItem	   *item;

	/* what the slot shows may lie in a vector that is given up */
	ExecClearTuple(scan->css.ss.ss_ScanTupleSlot);
	if (!order->begun)
		begin(order);
	if (order->shown)
		step(order);
	order->shown = false;
	while (order->heap_count > 0 && order->heap[0]->kind == ITEM_WAITING)
		open_first(order);
	if (order->heap_count == 0)
		return false;
	item = order->heap[0];
	order->shown = true;
	if (item->kind == ITEM_SORTED)
	{
		show_sorted(order);
		return true;
	}
	if (item->at >= item->safe)
		item->safe = safe_rows(order, item);
	scan->selection.set = item->vector->place.set;
	fill_vector(order, item->vector);
	nts_scan_store(scan, scan->columns, scan->column_count, row_of(order, item, item->at));
	return true;
}

/* ---- beginning and end ---- */

void
nts_prepare_sort(MemoryContext context, Oid operator, Oid collation, bool nulls_first, SortSupport sort)
{
	MemoryContext old = MemoryContextSwitchTo(context);

	sort->ssup_cxt = context;
	sort->ssup_collation = collation;
	sort->ssup_nulls_first = nulls_first;
	PrepareSortSupportFromOrderingOp(operator, sort);
	MemoryContextSwitchTo(old);
}

void
nts_order_reset(NtsOrder *order)
{
	for (int i = 0; i < order->heap_count; i++)
		if (order->heap[i]->kind == ITEM_CURSOR)
			nts_reader_release_place(&order->heap[i]->vector->place);
	for (int i = 0; i < order->stream_count; i++)
		if (order->streams[i]->spare != NULL)
			nts_reader_release_place(&order->streams[i]->spare->place);
	if (order->sort != NULL)
	{
		ExecClearTuple(order->sort_slot);
		tuplesort_end(order->sort);
	}
	order->sort = NULL;
	order->heap = NULL;
	order->heap_count = 0;
	order->heap_room = 0;
	order->stream_count = 0;
	order->vector_bytes = 0;
	order->chunk_bytes = 0;
	order->shown = false;
	order->entered = false;
	order->begun = false;
	MemoryContextReset(order->context);
}

NtsOrder *
nts_order_make(const CustomScan *plan, NtsScanState *scan)
{
	EState	   *estate = scan->css.ss.ps.state;
	NtsOrder   *order = palloc0(sizeof(NtsOrder));

	nts_order_plan_read(plan->custom_private, &order->plan);
	order->scan = scan;
	order->context = AllocSetContextCreate(estate->es_query_cxt, "nodedb_ts ordered scan", ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; i < order->plan.count; i++)
	{
		const NtsOrderKey *key = &order->plan.keys[i];

		nts_prepare_sort(estate->es_query_cxt, key->operator, key->collation, key->nulls_first, &order->sorts[i]);
	}
	order->backward = order->plan.by_time && order->plan.keys[order->plan.count].descending;
	order->chooser.keep_rows = keep_run;
	order->chooser.arg = order;
	order->lists.scan = scan;
	order->lists.plan = &order->plan;
	order->lists.sorts = order->sorts;
	order->lists.context = order->context;
	order->sort_slot = ExecInitExtraTupleSlot(estate, RelationGetDescr(scan->css.ss.ss_currentRelation),
											  &TTSOpsMinimalTuple);
	return order;
}

Bitmapset *
nts_order_columns(const NtsOrder *order, Bitmapset *columns)
{
	for (int i = 0; i < order->plan.count + order->plan.by_time; i++)
		columns = bms_add_member(columns, order->plan.keys[i].column);
	return columns;
}

void
nts_order_explain(const NtsOrder *order, ExplainState *es)
{
	TupleDesc	desc = RelationGetDescr(order->scan->css.ss.ss_currentRelation);
	const NtsOrderCounts *c = &order->counts;
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < order->plan.count + order->plan.by_time; i++)
	{
		const NtsOrderKey *key = &order->plan.keys[i];

		appendStringInfo(&text, "%s%s%s", i == 0 ? "" : ", ", NameStr(TupleDescAttr(desc, key->column)->attname),
						 nts_explain_direction(key->descending, key->nulls_first));
	}
	ExplainPropertyText("Order", text.data, es);
	if (!es->analyze)
		return;
	ExplainPropertyUInteger("Series", NULL, c->runs, es);
	ExplainPropertyUInteger("Series Read", NULL, c->runs_read, es);
	ExplainPropertyUInteger("Segments Sorted", NULL, c->sorted_segments, es);
	ExplainPropertyUInteger("Rows Sorted", NULL, c->sorted_rows, es);
	if (c->sorted_rows > 0 || es->format != EXPLAIN_FORMAT_TEXT)
	{
		ExplainPropertyText("Sort Space Type", c->sort_on_disk ? "Disk" : "Memory", es);
		ExplainPropertyInteger("Sort Space Used", "kB", c->sort_kb, es);
	}
}
