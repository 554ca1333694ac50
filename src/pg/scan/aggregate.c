/*
 * aggregate.c - the custom node that groups and aggregates what a scan of ours selects, vector by vector.
 *
 * Its tuple (custom_scan_tlist) is the group keys, then the aggregates; the plan's target list and HAVING are over
 * that. The child is a scan node, asked for selections of rows (nts_scan_next) and never for tuples. All input is
 * read before the first group is shown, except in the order of a time bucket (early_stop.c). What the node computes it
 * finds in custom_scan_tlist alone, where partial Aggrefs stand for states; custom_private says how many of its entries
 * are keys, and what order is wanted; custom_exprs holds the parameters, for PostgreSQL to see. Below Gather the child
 * shares out its rows, the node needs nothing for that.
 *
 * Groups may take work_mem * hash_mem_multiplier. When they take more, no group is added any more in this *pass*: rows of
 * groups that are there still go to them, those of others wait in temporary files (aggregate_spill.c), and are read in
 * passes of their own once the groups of this one have been shown. Partial aggregates show the groups that they have
 * and begin anew, since what stands above combines them. In the order of a bucket, all that was not shown yet is read
 * and sorted instead.
 */
#include "postgres.h"

#include "catalog/objectaccess.h"
#include "commands/explain.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/tuplesort.h"

#include "pg/compat.h"
#include "pg/guc.h"
#include "pg/scan/aggregate_settled.h"
#include "pg/scan/aggregate_spill.h"
#include "pg/scan/early_stop.h"
#include "pg/scan/custom_scan.h"

#define LEAST_ROOM (32 * 1024)	/* for groups */
#define RUNS_AT_ONCE 128
#define SHOWN_AT_ONCE 64		/* groups with results of a few bytes, before their memory is given back */

typedef struct NtsAggregateNode
{
	CustomScanState css;		/* must be first */
	CustomScanState *child;
	NtsAggVectors vectors;
	int			key_count;
	int		   *keys;			/* vectors */
	int			aggregate_count;
	NtsAggregate *aggregates;
	ExprContext *aggcontext;	/* its per-tuple memory holds the table of groups */
	NtsAggTable *table;			/* NULL: nothing was read yet */
	NtsAggGroup *next;			/* to be shown */
	/* when memory is short */
	bool		partial;		/* it gives states */
	Size		limit;			/* of bytes that groups may take */
	bool		full;			/* no group may be added to the table */
	int			runs_at_once;	/* of the loaded vectors */
	bool		interrupted;	/* partial: a row found no room. What was loaded has */
	uint32		loaded;			/* so many rows, */
	uint32		resume;			/* of which this one is the next */
	bool		forgotten;		/* groups were shown that are no longer there */
	NtsSpill   *spill;
	NtsSpillQueue rows;
	int		   *spilled;		/* vectors that wait */
	int			spilled_count;
	Tuplesortstate *sort;		/* where an order is promised: the groups that were not shown; or NULL */
	TupleTableSlot *sorted;
	/* of all passes */
	uint64		passes;
	uint64		groups_before;	/* that are no longer there */
	Size		most_memory;
	uint64		selections;
	uint64		rows_read;
	NtsScanChooser chooser;		/* set if statistics or last rows may suffice */
	bool		by_statistics;	/* they may tell all of some rows; */
	NtsAggSettled *settled;		/* or that some change nothing; or NULL */
	int		   *orders;			/* wanted of the groups: see nts_agg_table_order */
	int			order_count;
	bool		ordered;		/* nothing above sorts them */
	bool		in_order;		/* those in the table, in the order wanted */
	int			wanted;			/* nobody asks for more groups than these, if it is not 0 */
	NtsEarlyStop *stop;			/* groups come in the order of a bucket, or NULL */
	uint64		shown;			/* of its groups */
	bool		small_results;	/* nothing that a group shows takes more than some bytes */
	uint32		unreset;		/* groups shown since the per-tuple memory was reset */
	uint64		answered;		/* row groups and vectors that they sufficed for, */
	uint64		unanswered;		/* and not */
} NtsAggregateNode;

/* ---- reading ---- */

static void
start_group(NtsAggregateNode *node, NtsAggGroup *group)
{
	for (int a = 0; a < node->aggregate_count; a++)
		if (node->aggregates[a].state == a)
			nts_agg_start(&node->aggregates[a], &group->states[a]);
}

/* What groups take, all in all. */
static Size
memory_of_groups(const NtsAggregateNode *node)
{
	return MemoryContextMemAllocated(node->aggcontext->ecxt_per_tuple_memory, true);
}

static void
add_group(NtsAggregateNode *node, NtsAggGroup *group)
{
	start_group(node, group);
	node->full = node->key_count > 0 && memory_of_groups(node) > node->limit;
}

/* NULL: it is not in the table, which is full. */
static NtsAggGroup *
group_of_row(NtsAggregateNode *node, uint32 row)
{
	bool		is_new = false;
	NtsAggGroup *group = nts_agg_table_group(node->table, &node->vectors, row, node->full ? NULL : &is_new);

	if (is_new)
		add_group(node, group);
	return group;
}

static void
let_wait(NtsAggregateNode *node, uint32 first, uint32 count)
{
	nts_spill_rows(&node->rows, &node->vectors, node->spilled, node->spilled_count,
				   nts_agg_table_hash(node->table, &node->vectors, first, nts_spill_seed(&node->rows)), first, count);
}

/* The groups of the next runs; returns how many, up to the first one that has none and finds no room for it. */
static int
find_groups(NtsAggregateNode *node, const uint32 *starts, int runs, NtsAggGroup **groups)
{
	int			found = 0;

	while (found < runs)
	{
		found += nts_agg_table_follow(node->table, &node->vectors, starts + found, runs - found, groups + found);
		if (found == runs)
			break;
		groups[found] = group_of_row(node, starts[found]);
		if (groups[found] == NULL)
			break;
		found++;
	}
	return found;
}

static void
advance_groups(NtsAggregateNode *node, NtsAggGroup *const *groups, const uint32 *starts, int runs)
{
	for (int a = 0; a < node->aggregate_count; a++)
	{
		NtsAggregate *aggregate = &node->aggregates[a];

		if (aggregate->state != a)
			continue;
		if (nts_agg_is_plain_extreme(aggregate))
			nts_agg_advance_extreme(aggregate, &node->vectors, groups, starts, runs);
		else
			for (int r = 0; r < runs; r++)
				nts_agg_advance(aggregate, &node->vectors, &groups[r]->states[a], starts[r], starts[r + 1] - starts[r]);
	}
}

/* Rows of the loaded vectors from `from` on, where a run begins; false: interrupted. */
static bool
take_rows(NtsAggregateNode *node, uint32 count, uint32 from)
{
	uint32	   *starts;
	int			runs = nts_agg_table_runs(node->table, &node->vectors, count, &starts);
	NtsAggGroup *groups[RUNS_AT_ONCE];
	int			r = 0;

	while (r < runs && starts[r] < from)
		r++;
	while (r < runs)
	{
		int			wanted = Min(runs - r, node->runs_at_once);
		int			found = find_groups(node, starts + r, wanted, groups);

		advance_groups(node, groups, starts + r, found);
		r += found;
		if (found == wanted)
			continue;
		if (node->partial)
		{
			node->interrupted = true;
			node->loaded = count;
			node->resume = starts[r];
			return false;
		}
		let_wait(node, starts[r], starts[r + 1] - starts[r]);
		r++;
	}
	return true;
}

/*
 * Runs of several groups are taken together where states take no memory, which groups that come later have to do without,
 * and no error may come earlier than one of a row before.
 */
static void
load_aggregates(NtsAggregateNode *node, uint32 count)
{
	node->runs_at_once = RUNS_AT_ONCE;
	for (int a = 0; a < node->aggregate_count; a++)
		if (node->aggregates[a].state == a)
		{
			nts_agg_load(&node->aggregates[a], &node->vectors, count);
			if (!nts_agg_is_simple(&node->aggregates[a]))
				node->runs_at_once = 1;
		}
}

static bool
take_selection(NtsAggregateNode *node, const NtsSelection *selection)
{
	/* nobody else fills columns of the set */
	if (selection->rows != NULL)
		selection->set->wanted = selection->rows[selection->count - 1] + 1;
	nts_agg_vectors_load(&node->vectors, selection);
	load_aggregates(node, selection->count);
	node->selections++;
	node->rows_read += selection->count;
	return take_rows(node, selection->count, 0);
}

/* Asking costs something, too: where it was mostly in vain, it is given up. */
static bool
is_worth_asking(const NtsAggregateNode *node)
{
	return node->key_count == 0 || node->unanswered < 128 + 8 * node->answered;
}

static bool
answer(NtsAggregateNode *node, const NtsAggFacts *facts)
{
	Datum		keys[NTS_AGG_MAX_KEYS];
	uint64		nulls;
	bool		is_new = false;
	NtsAggGroup *group;

	if (!is_worth_asking(node))
		return false;
	if (!nts_agg_constant_keys(&node->vectors, node->keys, node->key_count, facts, keys, &nulls) ||
		!nts_agg_statistics_known(node->aggregates, node->aggregate_count, &node->vectors, facts))
	{
		node->unanswered++;
		return false;
	}
	nts_agg_table_forget_addresses(node->table);
	group = nts_agg_table_find(node->table, &node->vectors, keys, nulls, node->full ? NULL : &is_new);
	/* its rows must be read, to wait or to come to the next table */
	if (group == NULL)
		return false;
	if (is_new)
		add_group(node, group);
	nts_agg_fold_statistics(node->aggregates, node->aggregate_count, &node->vectors, group->states, facts);
	node->rows_read += facts->rows;
	node->answered++;
	return true;
}

/* Are rows not needed: are they in the groups now, or would they change nothing? */
static bool
spares_rows(NtsAggregateNode *node, const NtsAggFacts *facts, bool all)
{
	if (all && node->by_statistics && answer(node, facts))
		return true;
	return node->settled != NULL && nts_agg_is_settled(node->settled, node->table, facts, node->stop);
}

static bool
answer_group(void *arg, struct NtsScanState *scan, bool all)
{
	NtsAggFacts facts = {nts_scan_group_rows(scan), nts_scan_group_statistics, NULL, nts_scan_group_values, scan};

	return spares_rows(arg, &facts, all);
}

static bool
answer_vector(void *arg, struct NtsScanState *scan, bool all)
{
	NtsAggFacts facts = {nts_scan_vector_rows(scan), nts_scan_vector_statistics, nts_scan_vector_bounds,
	nts_scan_vector_values, scan};

	return spares_rows(arg, &facts, all);
}

/* Of max(time) and last(value, time), which a row more often does not change: the time's column; -1: it is neither. */
static int
time_of_last_row(const NtsAggregateNode *node, const NtsAggregate *aggregate)
{
	const NtsAggVector *vectors = node->vectors.vectors;

	if (aggregate->filter >= 0)
		return -1;
	if (aggregate->kind == NTS_AGG_MAX_INT)
		return vectors[aggregate->args[0]].column;
	if (nts_agg_call_is_last(aggregate) && vectors[aggregate->args[0]].column >= 0)
		return vectors[aggregate->args[1]].column;
	return -1;
}

/* Where the segments are sorted by what the query groups by and by that time. */
static bool
may_take_last_rows(const NtsAggregateNode *node)
{
	/* other conditions may fail: for rows that are not looked at, too */
	if (node->child->ss.ps.qual != NULL)
		return false;
	for (int a = 0; a < node->aggregate_count; a++)
		if (time_of_last_row(node, &node->aggregates[a]) < 0)
			return false;
	for (int k = 0; k < node->key_count; k++)
		if (node->vectors.vectors[node->keys[k]].bucket != NULL || node->vectors.vectors[node->keys[k]].column < 0)
			return false;
	return node->aggregate_count > 0;
}

static bool
takes_last_rows(void *arg, const NtsSegmentInfo *segment, bool untimed)
{
	const NtsAggregateNode *node = arg;

	for (int a = 0; a < node->aggregate_count; a++)
		if (time_of_last_row(node, &node->aggregates[a]) != segment->time_column)
			return false;
	for (int k = 0; k < node->key_count; k++)
	{
		uint32		i = 0;

		while (i < segment->series_column_count &&
			   segment->series_columns[i] != node->vectors.vectors[node->keys[k]].column)
			i++;
		if (i == segment->series_column_count)
			return false;
	}
	return true;
}

/* Lets the scan leave out what statistics or the newest rows of series tell. */
static void
choose(NtsAggregateNode *node)
{
	bool		by_last_rows = may_take_last_rows(node);

	node->by_statistics = nts_agg_keys_may_be_constant(&node->vectors, node->keys, node->key_count) &&
		nts_agg_statistics_suffice(node->aggregates, node->aggregate_count, &node->vectors);
	/* other conditions may fail: for rows that are not looked at, too */
	if (node->child->ss.ps.qual == NULL)
		node->settled = nts_agg_settled_make(node->aggregates, node->aggregate_count, &node->vectors, node->keys,
											 node->key_count);
	if (!node->by_statistics && node->settled == NULL && !by_last_rows)
		return;
	node->chooser.skip_group = answer_group;
	node->chooser.skip_vector = answer_vector;
	node->chooser.takes_last_rows = by_last_rows ? takes_last_rows : NULL;
	node->chooser.arg = node;
	nts_scan_set_chooser(node->child, &node->chooser);
}

/* The set of an aggregate's values, or NULL: it counts all, or has the state of another one. */
static struct NtsAggDistinct *
distinct_of(const NtsAggregateNode *node, int a)
{
	return node->aggregates[a].state == a ? node->aggregates[a].distinct : NULL;
}

static int
distinct_count(const NtsAggregateNode *node)
{
	int			count = 0;

	for (int a = 0; a < node->aggregate_count; a++)
		count += distinct_of(node, a) != NULL;
	return count;
}

static void
make_table(NtsAggregateNode *node)
{
	Size		limit = get_hash_memory_limit();
	uint64		expected = (uint64) Min(node->css.ss.ps.plan->plan_rows, limit / 128.0);
	int			distinct = distinct_count(node);

	node->full = false;
	if (node->settled != NULL)
		nts_agg_settled_forget(node->settled);
	node->table = nts_agg_table_make(node->aggcontext->ecxt_per_tuple_memory, &node->vectors, node->keys,
									 node->key_count, node->aggregate_count, expected);
	/* each pass must get on */
	node->limit = Max(distinct > 0 ? limit / 2 : limit, memory_of_groups(node) + LEAST_ROOM);
	for (int a = 0; a < node->aggregate_count; a++)
		if (distinct_of(node, a) != NULL)
			nts_agg_distinct_reset(distinct_of(node, a), &node->vectors, node->spill, limit / 2 / distinct);
	node->passes++;
}

static void
note_memory(NtsAggregateNode *node)
{
	Size		bytes = memory_of_groups(node);

	for (int a = 0; a < node->aggregate_count; a++)
		if (distinct_of(node, a) != NULL)
			bytes += nts_agg_distinct_memory(distinct_of(node, a));
	node->most_memory = Max(node->most_memory, bytes);
}

/* The groups were shown, or will never be. */
static void
forget_groups(NtsAggregateNode *node)
{
	note_memory(node);
	node->groups_before += nts_agg_table_count(node->table);
	node->forgotten = true;
	node->table = NULL;
	node->next = NULL;
	ReScanExprContext(node->aggcontext);
}

/* false: interrupted. */
static bool
read_selections(NtsAggregateNode *node)
{
	NtsSelection selection;

	while (nts_scan_next(node->child, &selection))
	{
		CHECK_FOR_INTERRUPTS();
		if (!take_selection(node, &selection))
			return false;
	}
	return true;
}

/* All rows of the pass were seen: the states of its groups are complete, what waits can be read. */
static void
end_pass(NtsAggregateNode *node)
{
	note_memory(node);
	for (int a = 0; a < node->aggregate_count; a++)
		if (distinct_of(node, a) != NULL)
			nts_agg_distinct_finish(&node->aggregates[a], &node->vectors);
	nts_spill_end_pass(&node->rows);
	/* ranks of very many names pay only where all groups are wanted, and PostgreSQL would have to sort them here */
	if (node->order_count > 0 && node->stop == NULL && node->sort == NULL)
		node->in_order = nts_agg_table_order(node->table, &node->vectors, node->orders, node->order_count,
											 node->ordered && node->wanted == 0);
	node->next = nts_agg_table_first(node->table);
}

/* A pass over rows that wait; false: none do. */
static bool
next_pass(NtsAggregateNode *node)
{
	uint32		count;

	if (!nts_spill_begin_pass(&node->rows))
		return false;
	forget_groups(node);
	make_table(node);
	while ((count = nts_spill_load(&node->rows, &node->vectors, node->spilled, node->spilled_count)) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		load_aggregates(node, count);
		take_rows(node, count, 0);
	}
	end_pass(node);
	return true;
}

static void
read_all(NtsAggregateNode *node)
{
	make_table(node);
	nts_spill_queue_init(&node->rows, node->spill, node->limit);
	read_selections(node);
	/* without GROUP BY there is one group, even of no rows */
	if (node->key_count == 0 && node->rows_read == 0)
		group_of_row(node, 0);
	end_pass(node);
}

/* In the order of a bucket: all windows that are left; false: interrupted. */
static bool
read_windows(NtsAggregateNode *node)
{
	while (nts_early_stop_enter(node->stop))
		if (!read_selections(node))
			return false;
	return true;
}

/* Partial: goes on with a new table where there was no room for a row. */
static void
resume(NtsAggregateNode *node)
{
	forget_groups(node);
	make_table(node);
	node->interrupted = false;
	if (take_rows(node, node->loaded, node->resume) && read_selections(node) && node->stop != NULL)
		read_windows(node);
	end_pass(node);
}

static NtsAggGroup *
next_in_table(NtsAggregateNode *node)
{
	NtsAggGroup *group;

	if (node->table == NULL)
		read_all(node);
	while (node->next == NULL)
		if (node->interrupted)
			resume(node);
		else if (!next_pass(node))
			return NULL;
	group = node->next;
	node->next = group->next;
	return group;
}

/* ---- showing ---- */

/* Puts a group into the slot; results by reference last as long as the per-tuple memory. */
static void
show_group(NtsAggregateNode *node, NtsAggGroup *group)
{
	ScanState  *ss = &node->css.ss;
	TupleTableSlot *slot = ss->ss_ScanTupleSlot;
	MemoryContext old = MemoryContextSwitchTo(ss->ps.ps_ExprContext->ecxt_per_tuple_memory);

	ExecClearTuple(slot);
	for (int k = 0; k < node->key_count; k++)
	{
		slot->tts_values[k] = group->keys[k];
		slot->tts_isnull[k] = (group->nulls >> k) & 1;
	}
	for (int a = 0; a < node->aggregate_count; a++)
	{
		NtsAggregate *aggregate = &node->aggregates[a];
		NtsAggState *state = &group->states[aggregate->state];
		bool	   *isnull = &slot->tts_isnull[node->key_count + a];

		slot->tts_values[node->key_count + a] = node->partial ? nts_agg_make_state(aggregate, state, isnull) :
			nts_agg_finish(aggregate, state, isnull);
	}
	MemoryContextSwitchTo(old);
	ExecStoreVirtualTuple(slot);
}

static bool
is_shown(NtsAggregateNode *node)
{
	ExprContext *econtext = node->css.ss.ps.ps_ExprContext;

	econtext->ecxt_scantuple = node->css.ss.ss_ScanTupleSlot;
	if (ExecQual(node->css.ss.ps.qual, econtext))
		return true;
	InstrCountFiltered1(&node->css, 1);
	return false;
}

/* Where an order is promised, those alone that HAVING lets through. */
static void
sort_groups(NtsAggregateNode *node, bool all)
{
	for (NtsAggGroup *group = nts_agg_table_first(node->table); group != NULL; group = group->next)
	{
		CHECK_FOR_INTERRUPTS();
		if (!all && nts_early_stop_is_noted(node->stop, group))
			continue;
		ResetExprContext(node->css.ss.ps.ps_ExprContext);
		show_group(node, group);
		if (!node->ordered || is_shown(node))
			tuplesort_puttupleslot(node->sort, node->css.ss.ss_ScanTupleSlot);
	}
}

/*
 * In the order of a bucket, but some rows wait, or found no room: which groups are complete is known at the end only.
 * States of one group may come several times, next to each other.
 */
static void
read_rest_sorted(NtsAggregateNode *node)
{
	MemoryContext old;

	nts_early_stop_take_rest(node->stop);
	if (!node->interrupted)
		read_windows(node);
	end_pass(node);
	old = MemoryContextSwitchTo(node->vectors.context);
	node->sort = nts_early_stop_begin_sort(node->stop, node->css.ss.ss_ScanTupleSlot->tts_tupleDescriptor);
	MemoryContextSwitchTo(old);
	sort_groups(node, false);
	while (node->interrupted)
	{
		resume(node);
		sort_groups(node, true);
	}
	while (next_pass(node))
		sort_groups(node, true);
	tuplesort_performsort(node->sort);
	ExecClearTuple(node->css.ss.ss_ScanTupleSlot);
}

/* All groups in order by PostgreSQL's sort: some rows wait, or there are too many groups. */
static void
sort_all(NtsAggregateNode *node)
{
	MemoryContext old = MemoryContextSwitchTo(node->vectors.context);

	node->sort = nts_agg_begin_sort(node->css.ss.ss_ScanTupleSlot->tts_tupleDescriptor, node->orders, node->order_count, NULL,
									node->wanted);
	MemoryContextSwitchTo(old);
	do
		sort_groups(node, true);
	while (next_pass(node));
	tuplesort_performsort(node->sort);
	ExecClearTuple(node->css.ss.ss_ScanTupleSlot);
}

static bool
show_sorted(NtsAggregateNode *node)
{
	TupleTableSlot *slot = node->css.ss.ss_ScanTupleSlot;

	if (!tuplesort_gettupleslot(node->sort, true, false, node->sorted, NULL))
		return false;
	slot_getallattrs(node->sorted);
	memcpy(slot->tts_values, node->sorted->tts_values, sizeof(Datum) * slot->tts_tupleDescriptor->natts);
	memcpy(slot->tts_isnull, node->sorted->tts_isnull, sizeof(bool) * slot->tts_tupleDescriptor->natts);
	ExecStoreVirtualTuple(slot);
	return true;
}

/* The next group in order, for which the next windows are read if need be; false at the end. */
static bool
show_in_order(NtsAggregateNode *node)
{
	NtsAggGroup *group;

	if (node->sort != NULL)
		return show_sorted(node);
	if (node->table == NULL)
	{
		make_table(node);
		nts_spill_queue_init(&node->rows, node->spill, node->limit);
	}
	while ((group = nts_early_stop_group(node->stop, node->shown)) == NULL)
	{
		if (!nts_early_stop_enter(node->stop))
			return false;
		read_selections(node);
		if (node->spill->used || node->interrupted)
		{
			read_rest_sorted(node);
			return show_sorted(node);
		}
		nts_early_stop_leave(node->stop, node->table, node->aggcontext->ecxt_per_tuple_memory);
		note_memory(node);
	}
	node->shown++;
	show_group(node, group);
	return true;
}

static void
show_next(NtsAggregateNode *node)
{
	NtsAggGroup *group;

	if (node->ordered && node->sort == NULL)
	{
		if (node->table == NULL)
			read_all(node);
		if (!node->in_order || node->spill->used)
			sort_all(node);
	}
	if (node->sort != NULL)
		show_sorted(node);
	else if ((group = next_in_table(node)) != NULL)
		show_group(node, group);
}

/* ---- the node ---- */

/* An empty slot at the end. */
static TupleTableSlot *
next_group(ScanState *ss)
{
	NtsAggregateNode *node = (NtsAggregateNode *) ss;
	TupleTableSlot *slot = ss->ss_ScanTupleSlot;

	ExecClearTuple(slot);
	if (node->stop != NULL)
		show_in_order(node);
	else
		show_next(node);
	return slot;
}

/*
 * Not ExecScan: that takes a node without a table for a join, whose rows an EvalPlanQual would have to hand over. This
 * one runs there only as part of a subplan, which is evaluated anew.
 */
static TupleTableSlot *
exec_aggregate(CustomScanState *css)
{
	NtsAggregateNode *node = (NtsAggregateNode *) css;
	ScanState  *ss = &css->ss;
	ExprContext *econtext = ss->ps.ps_ExprContext;

	for (;;)
	{
		TupleTableSlot *slot;

		CHECK_FOR_INTERRUPTS();
		if (!node->small_results || ++node->unreset == SHOWN_AT_ONCE)
		{
			ResetExprContext(econtext);
			node->unreset = 0;
		}
		slot = next_group(ss);
		if (TupIsNull(slot))
			return ss->ps.ps_ProjInfo != NULL ? ExecClearTuple(ss->ps.ps_ProjInfo->pi_state.resultslot) : slot;
		econtext->ecxt_scantuple = slot;
		/* the sort has no others */
		if ((node->ordered && node->sort != NULL) || is_shown(node))
			return ss->ps.ps_ProjInfo != NULL ? ExecProject(ss->ps.ps_ProjInfo) : slot;
	}
}

static void
check_permission(const Aggref *aggref)
{
	AclResult	result = NTS_CHECK_EXECUTE(aggref->aggfnoid, GetUserId());

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_AGGREGATE, get_func_name(aggref->aggfnoid));
	InvokeFunctionExecuteHook(aggref->aggfnoid);
}

static void
add_aggregate(NtsAggregateNode *node, Aggref *aggref)
{
	check_permission(aggref);
	nts_agg_init(&node->aggregates[node->aggregate_count++], aggref, &node->vectors, node->aggcontext);
}

static void
share_states(NtsAggregateNode *node)
{
	nts_agg_widen(node->aggregates, node->aggregate_count);
	for (int a = 0; a < node->aggregate_count; a++)
	{
		NtsAggregate *aggregate = &node->aggregates[a];

		aggregate->state = 0;
		while (aggregate->state < a && !nts_agg_shares_state(&node->aggregates[aggregate->state], aggregate))
			aggregate->state++;
	}
}

static void
add_spilled(NtsAggregateNode *node, int vector)
{
	for (int i = 0; i < node->spilled_count; i++)
		if (node->spilled[i] == vector)
			return;
	if (vector >= 0)
		node->spilled[node->spilled_count++] = vector;
}

/* Which vectors a row must bring to be aggregated later. */
static void
find_spilled(NtsAggregateNode *node)
{
	node->spilled = palloc(sizeof(int) * Max(node->vectors.count, 1));
	for (int k = 0; k < node->key_count; k++)
		add_spilled(node, node->keys[k]);
	for (int a = 0; a < node->aggregate_count; a++)
	{
		if (node->aggregates[a].state != a)
			continue;
		add_spilled(node, node->aggregates[a].filter);
		for (int i = 0; i < node->aggregates[a].nargs; i++)
			add_spilled(node, node->aggregates[a].args[i]);
	}
}

/* Sums and the like of what is stored, as they are. */
static bool
has_small_results(const NtsAggregateNode *node)
{
	for (int a = 0; a < node->aggregate_count; a++)
		if (node->aggregates[a].kind == NTS_AGG_CALL)
			return false;
	return !node->partial && node->css.ss.ps.ps_ProjInfo == NULL && node->css.ss.ps.qual == NULL;
}

static void
begin_aggregate(CustomScanState *css, EState *estate, int eflags)
{
	NtsAggregateNode *node = (NtsAggregateNode *) css;
	CustomScan *plan = (CustomScan *) css->ss.ps.plan;
	List	   *tlist = plan->custom_scan_tlist;
	PlanState  *child;
	int			i = 0;
	ListCell   *cell;

	/* all that is read is kept: the child is never asked to go back, but for new parameters */
	child = ExecInitNode(linitial(plan->custom_plans), estate,
						 eflags & ~(EXEC_FLAG_REWIND | EXEC_FLAG_BACKWARD | EXEC_FLAG_MARK));
	css->custom_ps = list_make1(child);
	if (!nts_is_scan_state(child))
		elog(ERROR, "nodedb_ts: the plan below an aggregate is not a scan");
	node->child = (CustomScanState *) child;
	node->aggcontext = CreateWorkExprContext(estate);
	node->spill = nts_spill_make(CurrentMemoryContext);
	node->vectors.parent = &css->ss.ps;
	node->vectors.desc = RelationGetDescr(node->child->ss.ss_currentRelation);
	node->vectors.econtext = CreateExprContext(estate);
	node->vectors.context = CurrentMemoryContext;
	node->key_count = intVal(linitial(plan->custom_private));
	node->keys = palloc(sizeof(int) * Max(node->key_count, 1));
	node->aggregates = palloc(sizeof(NtsAggregate) * Max(list_length(tlist) - node->key_count, 1));
	foreach(cell, tlist)
	{
		Expr	   *expr = lfirst_node(TargetEntry, cell)->expr;

		if (i < node->key_count)
			node->keys[i] = nts_agg_vectors_add(&node->vectors, expr, -1);
		else
			add_aggregate(node, castNode(Aggref, expr));
		i++;
	}
	share_states(node);
	find_spilled(node);
	node->partial = node->aggregate_count > 0 && nts_agg_is_partial(node->aggregates[0].aggref);
	if (nts_enable_statistics_aggregate)
		choose(node);
	node->small_results = has_small_results(node);
	node->orders = palloc(sizeof(int) * Max(list_length(lsecond(plan->custom_private)), 1));
	foreach(cell, (List *) lsecond(plan->custom_private))
		node->orders[node->order_count++] = lfirst_int(cell);
	node->ordered = intVal(lthird(plan->custom_private)) != 0;
	node->wanted = intVal(list_nth(plan->custom_private, 4));
	if (lfourth(plan->custom_private) != NIL)
	{
		NtsEarlyPlan early;

		nts_early_plan_read(lfourth(plan->custom_private), &early);
		node->stop = nts_early_stop_make(&early, node->child, node->chooser.arg == NULL ? NULL : &node->chooser,
										 &node->vectors, node->keys);
	}
	if (node->ordered || node->stop != NULL)
		node->sorted = ExecInitExtraTupleSlot(estate, css->ss.ss_ScanTupleSlot->tts_tupleDescriptor, &TTSOpsMinimalTuple);
}

static void
end_sort(NtsAggregateNode *node)
{
	if (node->sort != NULL)
		tuplesort_end(node->sort);
	node->sort = NULL;
}

static void
end_aggregate(CustomScanState *css)
{
	NtsAggregateNode *node = (NtsAggregateNode *) css;

	end_sort(node);
	nts_spill_drop(node->spill);
	ExecEndNode(&node->child->ss.ps);
}

/* What was read goes, with all that waits. */
static void
forget_all(NtsAggregateNode *node)
{
	end_sort(node);
	forget_groups(node);
	nts_spill_drop(node->spill);
	node->forgotten = false;
	node->interrupted = false;
	node->passes = 0;
	node->groups_before = 0;
	node->rows_read = 0;
	if (node->stop != NULL)
		nts_early_stop_reset(node->stop);
}

static void
rescan_aggregate(CustomScanState *css)
{
	NtsAggregateNode *node = (NtsAggregateNode *) css;
	PlanState  *child = &node->child->ss.ps;
	bool		changed = css->ss.ps.chgParam != NULL;

	if (changed)
		UpdateChangedParamSet(child, css->ss.ps.chgParam);
	ExecClearTuple(css->ss.ss_ScanTupleSlot);
	node->shown = 0;
	if (node->table == NULL)
	{
		/* nothing was read, so there is nothing to go back over */
		if (child->chgParam != NULL)
			ExecReScan(child);
		return;
	}
	/* of several passes the groups of the last one are left */
	if (changed || node->forgotten || node->interrupted || node->spill->used)
	{
		forget_all(node);
		ExecReScan(child);
		return;
	}
	end_sort(node);
	node->next = nts_agg_table_first(node->table);
}

/* ---- EXPLAIN ---- */

/* keys: as text. */
static void
explain_order(const NtsAggregateNode *node, List *keys, ExplainState *es)
{
	List	   *order = NIL;

	for (int o = 0; o < node->order_count; o++)
		order = lappend(order, psprintf("%s%s", (char *) list_nth(keys, abs(node->orders[o]) - 1),
										node->orders[o] < 0 ? " DESC" : ""));
	ExplainPropertyList("Order", order, es);
}

static void
explain_aggregate(CustomScanState *css, List *ancestors, ExplainState *es)
{
	NtsAggregateNode *node = (NtsAggregateNode *) css;
	CustomScan *plan = (CustomScan *) css->ss.ps.plan;
	List	   *context = set_deparse_context_plan(es->deparse_cxt, &plan->scan.plan, ancestors);
	bool		prefix = list_length(es->rtable) > 1 || es->verbose;
	List	   *keys = NIL;
	ListCell   *cell;

	foreach(cell, plan->custom_scan_tlist)
	{
		if (list_length(keys) == node->key_count)
			break;
		keys = lappend(keys, deparse_expression((Node *) lfirst_node(TargetEntry, cell)->expr, context, prefix, false));
	}
	if (keys != NIL)
		ExplainPropertyList("Group Key", keys, es);
	if (node->stop != NULL)
		nts_early_stop_explain(node->stop, keys, es);
	if (node->ordered)
		explain_order(node, keys, es);
	if (node->partial)
		ExplainPropertyText("Partial Mode", "Partial", es);
	/* of a parallel plan the leader knows its own part only */
	if (!es->analyze || node->child->ss.ps.plan->parallel_aware)
		return;
	if (es->verbose)
	{
		ExplainPropertyUInteger("Vectors", NULL, node->selections, es);
		ExplainPropertyUInteger("Rows Aggregated", NULL, node->rows_read, es);
	}
	if (node->sort != NULL)
		nts_explain_sort(node->sort, es);
	if (node->table != NULL && (node->key_count > 0 || distinct_count(node) > 0))
	{
		note_memory(node);
		if (node->key_count > 0)
			ExplainPropertyUInteger("Groups", NULL, node->groups_before + nts_agg_table_count(node->table), es);
		if (node->passes > 1)
			ExplainPropertyUInteger("Batches", NULL, node->passes, es);
		ExplainPropertyUInteger("Memory Usage", "kB", node->most_memory / 1024, es);
		if (nts_spill_bytes(node->spill) > 0)
			ExplainPropertyUInteger("Disk Usage", "kB", nts_spill_bytes(node->spill) / 1024, es);
	}
}

/* ---- registration ---- */

static Node *create_state(CustomScan *plan);

static const CustomScanMethods scan_methods = {
	.CustomName = "nodedb_ts aggregate",
	.CreateCustomScanState = create_state
};

static const CustomExecMethods exec_methods = {
	.CustomName = "nodedb_ts aggregate",
	.BeginCustomScan = begin_aggregate,
	.ExecCustomScan = exec_aggregate,
	.EndCustomScan = end_aggregate,
	.ReScanCustomScan = rescan_aggregate,
	.ExplainCustomScan = explain_aggregate
};

static Node *
create_state(CustomScan *plan)
{
	NtsAggregateNode *node = (NtsAggregateNode *) newNode(sizeof(NtsAggregateNode), T_CustomScanState);

	node->css.methods = &exec_methods;
	return (Node *) node;
}

void
nts_aggregate_init(void)
{
	RegisterCustomScanMethods(&scan_methods);
	nts_agg_path_init(&scan_methods);
}
