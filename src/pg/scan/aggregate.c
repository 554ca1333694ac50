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
 * The groups stay in memory whatever their number: the planner takes the node only when it expects them to fit into
 * work_mem * hash_mem_multiplier (aggregate_path.c).
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

#include "pg/compat.h"
#include "pg/guc.h"
#include "pg/scan/aggregate.h"
#include "pg/scan/early_stop.h"
#include "pg/scan/custom_scan.h"

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
	uint64		selections;
	uint64		rows;
	NtsScanChooser chooser;		/* set if statistics may suffice */
	NtsEarlyStop *stop;			/* groups come in the order of a bucket, or NULL */
	uint64		shown;			/* of its groups */
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

static NtsAggGroup *
group_of_row(NtsAggregateNode *node, uint32 row)
{
	bool		is_new;
	NtsAggGroup *group = nts_agg_table_group(node->table, &node->vectors, row, &is_new);

	if (is_new)
		start_group(node, group);
	return group;
}

static void
take_selection(NtsAggregateNode *node, const NtsSelection *selection)
{
	uint32	   *starts;
	int			runs;

	nts_agg_vectors_load(&node->vectors, selection);
	for (int a = 0; a < node->aggregate_count; a++)
		if (node->aggregates[a].state == a)
			nts_agg_load(&node->aggregates[a], &node->vectors, selection->count);
	runs = nts_agg_table_runs(node->table, &node->vectors, selection->count, &starts);
	for (int r = 0; r < runs; r++)
	{
		NtsAggGroup *group = group_of_row(node, starts[r]);

		for (int a = 0; a < node->aggregate_count; a++)
			if (node->aggregates[a].state == a)
				nts_agg_advance(&node->aggregates[a], &node->vectors, &group->states[a], starts[r],
								starts[r + 1] - starts[r]);
	}
	node->selections++;
	node->rows += selection->count;
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
	bool		is_new;
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
	group = nts_agg_table_find(node->table, &node->vectors, keys, nulls, &is_new);
	if (is_new)
		start_group(node, group);
	nts_agg_fold_statistics(node->aggregates, node->aggregate_count, &node->vectors, group->states, facts);
	node->rows += facts->rows;
	node->answered++;
	return true;
}

static bool
answer_group(void *arg, struct NtsScanState *scan, bool all)
{
	NtsAggFacts facts = {nts_scan_group_rows(scan), nts_scan_group_statistics, NULL, nts_scan_group_values, scan};

	return all && answer(arg, &facts);
}

static bool
answer_vector(void *arg, struct NtsScanState *scan, bool all)
{
	NtsAggFacts facts = {nts_scan_vector_rows(scan), nts_scan_vector_statistics, nts_scan_vector_bounds,
	nts_scan_vector_values, scan};

	return all && answer(arg, &facts);
}

static void
make_table(NtsAggregateNode *node)
{
	node->table = nts_agg_table_make(node->aggcontext->ecxt_per_tuple_memory, &node->vectors, node->keys,
									 node->key_count, node->aggregate_count);
	for (int a = 0; a < node->aggregate_count; a++)
		if (node->aggregates[a].distinct != NULL)
			nts_agg_distinct_reset(node->aggregates[a].distinct, &node->vectors);
}

static void
read_selections(NtsAggregateNode *node)
{
	NtsSelection selection;

	while (nts_scan_next(node->child, &selection))
	{
		CHECK_FOR_INTERRUPTS();
		take_selection(node, &selection);
	}
}

static void
read_all(NtsAggregateNode *node)
{
	make_table(node);
	read_selections(node);
	/* without GROUP BY there is one group, even of no rows */
	if (node->key_count == 0 && node->rows == 0)
		group_of_row(node, 0);
	node->next = nts_agg_table_first(node->table);
}

/* The next group in order, for which the next windows are read if need be; NULL at the end. */
static NtsAggGroup *
next_in_order(NtsAggregateNode *node)
{
	NtsAggGroup *group;

	if (node->table == NULL)
		make_table(node);
	while ((group = nts_early_stop_group(node->stop, node->shown)) == NULL)
	{
		if (!nts_early_stop_enter(node->stop))
			return NULL;
		read_selections(node);
		nts_early_stop_leave(node->stop, node->table, node->aggcontext->ecxt_per_tuple_memory);
	}
	node->shown++;
	return group;
}

static NtsAggGroup *
next_in_table(NtsAggregateNode *node)
{
	NtsAggGroup *group;

	if (node->table == NULL)
		read_all(node);
	group = node->next;
	if (group != NULL)
		node->next = group->next;
	return group;
}

/* ---- the node ---- */

static TupleTableSlot *
next_group(ScanState *ss)
{
	NtsAggregateNode *node = (NtsAggregateNode *) ss;
	TupleTableSlot *slot = ss->ss_ScanTupleSlot;
	NtsAggGroup *group;
	MemoryContext old;

	ExecClearTuple(slot);
	group = node->stop != NULL ? next_in_order(node) : next_in_table(node);
	if (group == NULL)
		return slot;
	old = MemoryContextSwitchTo(ss->ps.ps_ExprContext->ecxt_per_tuple_memory);
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

		slot->tts_values[node->key_count + a] = nts_agg_is_partial(aggregate->aggref) ?
			nts_agg_make_state(aggregate, state, isnull) : nts_agg_finish(aggregate, state, isnull);
	}
	MemoryContextSwitchTo(old);
	return ExecStoreVirtualTuple(slot);
}

/*
 * Not ExecScan: that takes a node without a table for a join, whose rows an EvalPlanQual would have to hand over. This
 * one runs there only as part of a subplan, which is evaluated anew.
 */
static TupleTableSlot *
exec_aggregate(CustomScanState *css)
{
	ScanState  *ss = &css->ss;
	ExprContext *econtext = ss->ps.ps_ExprContext;

	for (;;)
	{
		TupleTableSlot *slot;

		CHECK_FOR_INTERRUPTS();
		ResetExprContext(econtext);
		slot = next_group(ss);
		if (TupIsNull(slot))
			return ss->ps.ps_ProjInfo != NULL ? ExecClearTuple(ss->ps.ps_ProjInfo->pi_state.resultslot) : slot;
		econtext->ecxt_scantuple = slot;
		if (ExecQual(ss->ps.qual, econtext))
			return ss->ps.ps_ProjInfo != NULL ? ExecProject(ss->ps.ps_ProjInfo) : slot;
		InstrCountFiltered1(ss, 1);
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
	node->aggcontext = CreateExprContext(estate);
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
	if (nts_enable_statistics_aggregate &&
		nts_agg_keys_may_be_constant(&node->vectors, node->keys, node->key_count) &&
		nts_agg_statistics_suffice(node->aggregates, node->aggregate_count, &node->vectors))
	{
		node->chooser.skip_group = answer_group;
		node->chooser.skip_vector = answer_vector;
		node->chooser.arg = node;
		nts_scan_set_chooser(node->child, &node->chooser);
	}
	if (list_length(plan->custom_private) > 1)
	{
		NtsEarlyPlan early;

		nts_early_plan_read(lsecond(plan->custom_private), &early);
		node->stop = nts_early_stop_make(&early, node->child, &node->vectors, node->keys);
	}
}

static void
end_aggregate(CustomScanState *css)
{
	NtsAggregateNode *node = (NtsAggregateNode *) css;

	ExecEndNode(&node->child->ss.ps);
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
	if (changed)
	{
		node->table = NULL;
		node->next = NULL;
		node->rows = 0;
		if (node->stop != NULL)
			nts_early_stop_reset(node->stop);
		ReScanExprContext(node->aggcontext);
		ExecReScan(child);
	}
	else
		node->next = nts_agg_table_first(node->table);
}

/* ---- EXPLAIN ---- */

static Size
memory_of_groups(const NtsAggregateNode *node)
{
	Size		bytes = MemoryContextMemAllocated(node->aggcontext->ecxt_per_tuple_memory, true);

	for (int a = 0; a < node->aggregate_count; a++)
		if (node->aggregates[a].distinct != NULL)
			bytes += nts_agg_distinct_memory(node->aggregates[a].distinct);
	return bytes;
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
	if (node->aggregate_count > 0 && nts_agg_is_partial(node->aggregates[0].aggref))
		ExplainPropertyText("Partial Mode", "Partial", es);
	/* of a parallel plan the leader knows its own part only */
	if (!es->analyze || node->child->ss.ps.plan->parallel_aware)
		return;
	if (es->verbose)
	{
		ExplainPropertyUInteger("Vectors", NULL, node->selections, es);
		ExplainPropertyUInteger("Rows Aggregated", NULL, node->rows, es);
	}
	if (node->table != NULL && node->key_count > 0)
	{
		ExplainPropertyUInteger("Groups", NULL, nts_agg_table_count(node->table), es);
		ExplainPropertyUInteger("Memory Usage", "kB", memory_of_groups(node) / 1024, es);
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
