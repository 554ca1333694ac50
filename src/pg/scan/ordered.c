/*
 * ordered.c - merges the series of segments, and sorts what is in no order, for a scan in order.
 *
 * A heap holds what may come next: of each stream the run that follows, as long as no row of it can have come to its turn
 * (*waiting*: known by its values and the segment's first time), the runs that are being read (*cursors*), and what was
 * sorted. A cursor has one vector decoded, and goes on without a comparison up to the row behind which another item comes.
 *
 * Where the time alone is asked for, segments that are no streams wait for their turn, too: those that overlap in time are
 * a *window*, and sorted together.
 */
#include "postgres.h"

#include "commands/explain.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/scan/ordered_merge.h"

/* ---- the heap ---- */

static int
compare_items(const NtsOrder *order, const NtsOrderItem *a, const NtsOrderItem *b)
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
	NtsOrderItem **heap = order->heap;
	NtsOrderItem *item = heap[0];
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
push(NtsOrder *order, NtsOrderItem *item)
{
	int			place = order->heap_count++;

	if (place == order->heap_room)
	{
		order->heap_room = Max(64, order->heap_room * 2);
		if (order->heap == NULL)
			order->heap = MemoryContextAlloc(order->context, sizeof(NtsOrderItem *) * order->heap_room);
		else
			order->heap = repalloc_huge(order->heap, sizeof(NtsOrderItem *) * order->heap_room);
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
static const NtsOrderItem *
second(const NtsOrder *order)
{
	if (order->heap_count < 2)
		return NULL;
	if (order->heap_count > 2 && compare_items(order, order->heap[2], order->heap[1]) < 0)
		return order->heap[2];
	return order->heap[1];
}

/* Lets the stream's next run wait for its turn, in the item. */
static void
wait_next(const NtsOrder *order, NtsOrderItem *item, NtsOrderStream *stream)
{
	item->kind = NTS_ITEM_WAITING;
	item->stream = stream;
	item->time = stream->first_time;
	nts_order_take_run(order, item, stream);
}

/* The first item, a run that waits, becomes a cursor; the run after it waits now. */
static void
open_run(NtsOrder *order)
{
	NtsOrderItem *waiting = order->heap[0];
	NtsOrderStream *stream = waiting->stream;
	NtsOrderItem *cursor = MemoryContextAlloc(order->context, sizeof(NtsOrderItem));
	bool		is_open;

	*cursor = *waiting;
	is_open = nts_order_open_cursor(order, cursor);
	if (stream->next_run < stream->run_count)
	{
		wait_next(order, waiting, stream);
		sift_down(order);
	}
	else
		drop_first(order);
	if (is_open)
		push(order, cursor);
	else
		pfree(cursor);
}

/* The first item, a window that waits, is sorted. Nothing is left of the one before: it ends before this one begins. */
static void
open_window(NtsOrder *order)
{
	uint32		begin = order->heap[0]->begin;
	uint32		end = order->heap[0]->end;
	NtsOrderItem *item;

	drop_first(order);
	order->counts.windows++;
	for (uint32 i = begin; i < end; i++)
		nts_order_sort_entry(order, &order->window, order->loose[i].entry);
	item = nts_order_perform_sort(order, &order->window);
	if (item != NULL)
		push(order, item);
	order->entered = false;
}

/* How far the first item, a cursor, goes before another item's turn. */
static uint32
safe_rows(const NtsOrder *order, const NtsOrderItem *item)
{
	const NtsOrderItem *other = second(order);
	uint32		low = item->at + 1;
	uint32		high = item->count;

	if (other == NULL || !order->plan.by_time || other->time_is_null ||
		other->time >= nts_order_cursor_time(order, item, high - 1) ||
		(item->keys != other->keys &&
		 nts_order_compare_keys(&order->plan, order->lists.sorts, item->keys, item->nulls, other->keys, other->nulls) < 0))
		return high;
	while (low < high)
	{
		uint32		middle = (low + high) / 2;

		if (nts_order_cursor_time(order, item, middle) <= other->time)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- rows ---- */

static int
compare_loose(const void *a, const void *b)
{
	const NtsOrderLoose *x = a;
	const NtsOrderLoose *y = b;

	return x->first_time != y->first_time ? (x->first_time < y->first_time ? -1 : 1) : x->entry - y->entry;
}

/* Lets the loose entries wait, in windows. */
static void
wait_windows(NtsOrder *order)
{
	int			begin = 0;

	qsort(order->loose, order->loose_count, sizeof(NtsOrderLoose), compare_loose);
	while (begin < order->loose_count)
	{
		NtsOrderItem *item = MemoryContextAllocZero(order->context, sizeof(NtsOrderItem));
		int64		last = order->loose[begin].last_time;
		int			end = begin + 1;

		for (; end < order->loose_count && order->loose[end].first_time <= last; end++)
			last = Max(last, order->loose[end].last_time);
		item->kind = NTS_ITEM_WAITING;
		item->time = order->loose[begin].first_time;
		item->begin = begin;
		item->end = end;
		push(order, item);
		begin = end;
	}
}

/* An entry that is no stream: sorted now, or when its time has come. */
static void
put_aside(NtsOrder *order, int entry)
{
	NtsOrderLoose *loose = &order->loose[order->loose_count];

	loose->entry = entry;
	if (order->plan.count == 0 && nts_order_times(&order->lists, entry, &loose->first_time, &loose->last_time))
		order->loose_count++;
	else
		nts_order_sort_entry(order, &order->rest, entry);
}

/* Makes streams of the entries that can be; the others are put aside. */
static void
find_streams(NtsOrder *order)
{
	NtsScanState *scan = order->scan;
	int			entries = nts_reader_entry_count(scan->reader);

	order->streams = MemoryContextAllocHuge(order->context, sizeof(NtsOrderStream *) * Max(entries, 1));
	order->loose = MemoryContextAllocHuge(order->context, sizeof(NtsOrderLoose) * Max(entries, 1));
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
			put_aside(order, i);
		else if (stream->run_count > 0)
		{
			order->counts.runs += stream->run_count;
			order->streams[order->stream_count++] = stream;
		}
		else
			nts_order_drop_stream(&order->lists, stream);
	}
}

static void
begin(NtsOrder *order)
{
	bool	   *accepted;
	NtsOrderItem *item;
	int		   *rejected;
	int			rejected_count = 0;
	int			kept = 0;

	nts_scan_begin(order->scan);
	order->lists.list_limit = get_hash_memory_limit();
	order->lists.vector_limit = get_hash_memory_limit() / 2;
	nts_order_begin_lists(&order->lists);
	find_streams(order);
	accepted = palloc(sizeof(bool) * Max(order->stream_count, 1));
	nts_order_accept(&order->lists, order->streams, order->stream_count, accepted);
	rejected = palloc(sizeof(int) * Max(order->stream_count, 1));
	for (int i = 0; i < order->stream_count; i++)
	{
		NtsOrderStream *stream = order->streams[i];

		if (!accepted[i])
		{
			rejected[rejected_count++] = stream->entry;
			nts_order_drop_stream(&order->lists, stream);
			continue;
		}
		order->streams[kept++] = stream;
		item = MemoryContextAllocZero(order->context, sizeof(NtsOrderItem));
		wait_next(order, item, stream);
		push(order, item);
	}
	order->stream_count = kept;
	for (int i = 0; i < rejected_count; i++)
		put_aside(order, rejected[i]);
	pfree(rejected);
	pfree(accepted);
	wait_windows(order);
	item = nts_order_perform_sort(order, &order->rest);
	if (item != NULL)
		push(order, item);
	order->begun = true;
}

/* The first item goes on behind the row that was shown. */
static void
step(NtsOrder *order)
{
	NtsOrderItem *item = order->heap[0];
	bool		more;

	if (item->kind == NTS_ITEM_SORTED)
		more = nts_order_next_sorted(order, item);
	else if (++item->at < item->safe)
		return;
	else if (item->at < item->count)
	{
		item->time = order->plan.by_time ? nts_order_cursor_time(order, item, item->at) : 0;
		more = true;
	}
	else
		more = nts_order_next_vector(order, item);
	if (more)
		sift_down(order);
	else
		drop_first(order);
}

bool
nts_order_next(NtsOrder *order)
{
	NtsOrderItem *item;

	/* what the slot shows may lie in a vector that is given up */
	ExecClearTuple(order->scan->css.ss.ss_ScanTupleSlot);
	if (!order->begun)
		begin(order);
	if (order->shown)
		step(order);
	order->shown = false;
	while (order->heap_count > 0 && order->heap[0]->kind == NTS_ITEM_WAITING)
	{
		if (order->heap[0]->stream != NULL)
			open_run(order);
		else
			open_window(order);
	}
	if (order->heap_count == 0)
		return false;
	item = order->heap[0];
	order->shown = true;
	if (item->kind == NTS_ITEM_CURSOR)
		nts_order_fill_cursor(order, item);
	if (item->kind == NTS_ITEM_SORTED)
	{
		nts_order_show_sorted(order, item);
		return true;
	}
	if (item->at >= item->safe)
		item->safe = safe_rows(order, item);
	nts_order_show_cursor(order, item);
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
	{
		NtsOrderItem *item = order->heap[i];

		if (item->kind == NTS_ITEM_CURSOR)
			nts_reader_release_place(&item->vector->place);
		else if (item->kind == NTS_ITEM_SORTED && item->sort->spill != NULL)
			nts_order_end_sort(item->sort);
	}
	for (int i = 0; i < order->stream_count; i++)
		if (order->streams[i]->spare != NULL)
			nts_reader_release_place(&order->streams[i]->spare->place);
	nts_order_end_sort(&order->rest);
	nts_order_end_sort(&order->window);
	order->loose_count = 0;
	order->heap = NULL;
	order->heap_count = 0;
	order->heap_room = 0;
	order->stream_count = 0;
	order->spare_count = 0;
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
	TupleDesc	desc = RelationGetDescr(scan->css.ss.ss_currentRelation);
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
	order->lists.scan = scan;
	order->lists.plan = &order->plan;
	order->lists.sorts = order->sorts;
	order->lists.context = order->context;
	order->rest.slot = ExecInitExtraTupleSlot(estate, desc, &TTSOpsMinimalTuple);
	order->window.slot = ExecInitExtraTupleSlot(estate, desc, &TTSOpsMinimalTuple);
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
	if (c->runs_spilled > 0 || es->format != EXPLAIN_FORMAT_TEXT)
		ExplainPropertyUInteger("Series Spilled", NULL, c->runs_spilled, es);
	if (c->vectors_again > 0 || es->format != EXPLAIN_FORMAT_TEXT)
		ExplainPropertyUInteger("Vectors Read Again", NULL, c->vectors_again, es);
	ExplainPropertyUInteger("Segments Sorted", NULL, c->sorted_segments, es);
	if (c->windows > 0 || es->format != EXPLAIN_FORMAT_TEXT)
		ExplainPropertyUInteger("Time Windows", NULL, c->windows, es);
	ExplainPropertyUInteger("Rows Sorted", NULL, c->sorted_rows, es);
	if (c->sorted_rows > 0 || es->format != EXPLAIN_FORMAT_TEXT)
	{
		ExplainPropertyText("Sort Space Type", c->sort_on_disk ? "Disk" : "Memory", es);
		ExplainPropertyInteger("Sort Space Used", "kB", c->sort_kb, es);
	}
}
