/*
 * ordered_sort.c - sorts the rows of an ordered scan that lie in no order: within work_mem, or in temporary files.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/scan/ordered_merge.h"

/* What a spill may keep in memory; PostgreSQL takes about as much for the file. */
#define SPILL_KB 32

void
nts_order_begin_rows(NtsOrder *order)
{
	NtsScanState *scan = order->scan;
	TupleTableSlot *slot = scan->css.ss.ss_ScanTupleSlot;

	nts_scan_fill(scan, scan->columns, scan->column_count);
	/* columns that only conditions looked at may point into vectors that are gone: whole rows are copied */
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts);
}

void
nts_order_put_row(NtsOrder *order, NtsOrderSort *sort, uint32 row)
{
	NtsScanState *scan = order->scan;
	TupleTableSlot *slot = scan->css.ss.ss_ScanTupleSlot;

	nts_scan_store(scan, scan->columns, scan->column_count, row);
	if (sort->spill != NULL)
		tuplestore_puttupleslot(sort->spill, slot);
	else
		tuplesort_puttupleslot(sort->state, slot);
}

static void
sort_selection(NtsOrder *order, NtsOrderSort *sort)
{
	const NtsSelection *selection = &order->scan->selection;

	nts_order_begin_rows(order);
	for (uint32 i = 0; i < selection->count; i++)
		nts_order_put_row(order, sort, selection->rows == NULL ? i : selection->rows[i]);
	ExecClearTuple(order->scan->css.ss.ss_ScanTupleSlot);
	order->counts.sorted_rows += selection->count;
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

			CHECK_FOR_INTERRUPTS();
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

	if (!(sort->spill != NULL ? tuplestore_gettupleslot(sort->spill, true, false, slot) :
		  tuplesort_gettupleslot(sort->state, true, false, slot, NULL)))
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

NtsOrderSort *
nts_order_begin_spill(NtsOrder *order)
{
	TupleDesc	desc = RelationGetDescr(order->scan->css.ss.ss_currentRelation);
	MemoryContext old = MemoryContextSwitchTo(order->context);
	NtsOrderSort *sort = palloc0(sizeof(NtsOrderSort));

	sort->slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	sort->spill = tuplestore_begin_heap(false, false, SPILL_KB);
	tuplestore_set_eflags(sort->spill, 0);
	MemoryContextSwitchTo(old);
	return sort;
}

bool
nts_order_take_sorted(NtsOrder *order, NtsOrderItem *item, NtsOrderSort *sort)
{
	item->kind = NTS_ITEM_SORTED;
	item->sort = sort;
	item->keys = sort->keys;
	item->nulls = sort->nulls;
	return nts_order_next_sorted(order, item);
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
	if (nts_order_take_sorted(order, item, sort))
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
	if (sort->spill != NULL)
	{
		ExecDropSingleTupleTableSlot(sort->slot);
		tuplestore_end(sort->spill);
		pfree(sort);
		return;
	}
	if (sort->state == NULL)
		return;
	ExecClearTuple(sort->slot);
	tuplesort_end(sort->state);
	sort->state = NULL;
}
