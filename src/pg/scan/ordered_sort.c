/*
 * ordered_sort.c - sorts the rows of an ordered scan that lie in no order: within work_mem, or in temporary files.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/scan/ordered_merge.h"

static void
sort_selection(NtsOrder *order, NtsOrderSort *sort)
{
	NtsScanState *scan = order->scan;
	const NtsSelection *selection = &scan->selection;
	TupleTableSlot *slot = scan->css.ss.ss_ScanTupleSlot;

	nts_scan_fill(scan, scan->columns, scan->column_count);
	/* columns that only conditions looked at may point into vectors that are gone: whole rows are copied here */
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts);
	for (uint32 i = 0; i < selection->count; i++)
	{
		nts_scan_store(scan, scan->columns, scan->column_count, selection->rows == NULL ? i : selection->rows[i]);
		tuplesort_puttupleslot(sort->state, scan->css.ss.ss_ScanTupleSlot);
	}
	ExecClearTuple(scan->css.ss.ss_ScanTupleSlot);
	order->counts.sorted_rows += selection->count;
	CHECK_FOR_INTERRUPTS();
}

static void
begin_sort(NtsOrder *order, NtsOrderSort *sort)
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
	sort->state = tuplesort_begin_heap(desc, count, columns, operators, collations, nulls_first, work_mem, NULL,
									   plan->limit > 0 ? TUPLESORT_ALLOWBOUNDED : TUPLESORT_NONE);
	if (plan->limit > 0)
		tuplesort_set_bound(sort->state, plan->limit);
}

void
nts_order_sort_entry(NtsOrder *order, NtsOrderSort *sort, int entry)
{
	NtsScanState *scan = order->scan;
	bool		is_delta = nts_reader_is_delta(scan->reader, entry);
	uint32		groups = nts_reader_groups(scan->reader, entry);

	if (sort->state == NULL)
		begin_sort(order, sort);
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
				sort_selection(order, sort);
		}
	}
}

bool
nts_order_next_sorted(NtsOrder *order, NtsOrderItem *item)
{
	const NtsOrderPlan *plan = &order->plan;
	NtsOrderSort *sort = item->sort;
	TupleTableSlot *slot = sort->slot;

	if (!tuplesort_gettupleslot(sort->state, true, false, slot, NULL))
	{
		nts_order_end_sort(sort);
		return false;
	}
	slot_getallattrs(slot);
	for (int i = 0; i < plan->count; i++)
	{
		sort->keys[i] = slot->tts_values[plan->keys[i].column];
		sort->nulls[i] = slot->tts_isnull[plan->keys[i].column];
	}
	if (plan->by_time)
	{
		int			column = plan->keys[plan->count].column;
		Form_pg_attribute att = TupleDescAttr(slot->tts_tupleDescriptor, column);

		item->time_is_null = slot->tts_isnull[column];
		item->time = nts_order_turn(plan, (int64) nts_normal_word(slot->tts_values[column], att->attlen));
	}
	return true;
}

NtsOrderItem *
nts_order_perform_sort(NtsOrder *order, NtsOrderSort *sort)
{
	TuplesortInstrumentation stats;
	NtsOrderItem *item;

	if (sort->state == NULL)
		return NULL;
	tuplesort_performsort(sort->state);
	tuplesort_get_stats(sort->state, &stats);
	order->counts.sort_kb = Max(order->counts.sort_kb, stats.spaceUsed);
	order->counts.sort_on_disk |= stats.spaceType == SORT_SPACE_TYPE_DISK;
	item = MemoryContextAllocZero(order->context, sizeof(NtsOrderItem));
	item->kind = NTS_ITEM_SORTED;
	item->sort = sort;
	item->keys = sort->keys;
	item->nulls = sort->nulls;
	if (nts_order_next_sorted(order, item))
		return item;
	pfree(item);
	return NULL;
}

void
nts_order_show_sorted(NtsOrder *order, const NtsOrderItem *item)
{
	NtsScanState *scan = order->scan;
	TupleTableSlot *slot = scan->css.ss.ss_ScanTupleSlot;
	const TupleTableSlot *sorted = item->sort->slot;

	for (int i = 0; i < scan->column_count; i++)
	{
		slot->tts_values[scan->columns[i]] = sorted->tts_values[scan->columns[i]];
		slot->tts_isnull[scan->columns[i]] = sorted->tts_isnull[scan->columns[i]];
	}
	ExecStoreVirtualTuple(slot);
	slot->tts_tableOid = RelationGetRelid(scan->css.ss.ss_currentRelation);
}

void
nts_order_end_sort(NtsOrderSort *sort)
{
	if (sort->state == NULL)
		return;
	ExecClearTuple(sort->slot);
	tuplesort_end(sort->state);
	sort->state = NULL;
}
