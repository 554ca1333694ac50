/*
 * custom_scan.c - the executor's side of a scan node: tuples, rescans, parallel workers, EvalPlanQual.
 *
 * The scan tuple is a virtual slot in which the columns that somebody needs are set; nobody looks at the others.
 *
 * EvalPlanQual makes a second tree of nodes. There the relation's tuple is mostly handed over, in a slot of the table's
 * own type; but a node below a sub-select has none, and scans. So the scan tuple of such a node is a slot of that type,
 * which can be stored into like a virtual one, and ExecScan looks at the conditions again.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "executor/execExpr.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "pg/error.h"
#include "pg/scan/custom_scan.h"
#include "pg/scan/ordered.h"

/* ---- columns ---- */

/* Adds the columns that an expression needs; a whole row needs all. */
static Bitmapset *
add_columns(Bitmapset *columns, Node *expression, Index relid, TupleDesc desc)
{
	Bitmapset  *numbers = NULL;
	int			number = -1;

	pull_varattnos(expression, relid, &numbers);
	while ((number = bms_next_member(numbers, number)) >= 0)
	{
		AttrNumber	attribute = number + FirstLowInvalidHeapAttributeNumber;

		if (attribute > 0)
			columns = bms_add_member(columns, attribute - 1);
		else if (attribute == 0)
			columns = bms_add_range(columns, 0, desc->natts - 1);
	}
	return columns;
}

static int *
column_list(Bitmapset *columns, int *count)
{
	int		   *list = palloc(sizeof(int) * Max(bms_num_members(columns), 1));
	int			column = -1;

	*count = 0;
	while ((column = bms_next_member(columns, column)) >= 0)
		list[(*count)++] = column;
	return list;
}

/* ---- begin ---- */

/*
 * Equality of labels first: a vector of a sorted table mostly has one, whose test leaves the other columns undecoded.
 * Then words; expressions last.
 */
static int
filter_rank(const NtsFilter *filter)
{
	switch (filter->kind)
	{
		case NTS_FILTER_BYTES:
			return 0;
		case NTS_FILTER_BUCKET:
		case NTS_FILTER_EXPRESSION:
			return 3;
		case NTS_FILTER_AND:
		case NTS_FILTER_OR:
			return 2;
		default:
			return 1;
	}
}

static int
compare_filters(const void *a, const void *b)
{
	return filter_rank(*(NtsFilter *const *) a) - filter_rank(*(NtsFilter *const *) b);
}

static void
begin_scan(CustomScanState *node, EState *estate, int eflags)
{
	NtsScanState *state = (NtsScanState *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	TupleDesc	desc = RelationGetDescr(node->ss.ss_currentRelation);
	Index		relid = plan->scan.scanrelid;
	Bitmapset  *columns;
	ListCell   *cell;

	columns = add_columns(NULL, (Node *) plan->scan.plan.targetlist, relid, desc);
	if (estate->es_epq_active != NULL)
	{
		ExecInitScanTupleSlot(estate, &node->ss, desc, table_slot_callbacks(node->ss.ss_currentRelation));
		node->ss.ps.qual = ExecInitQual(plan->scan.plan.qual, &node->ss.ps);
		node->ss.ps.ps_ProjInfo = NULL;
		ExecAssignScanProjectionInfoWithVarno(&node->ss, relid);
		columns = add_columns(columns, (Node *) plan->scan.plan.qual, relid, desc);
	}
	if (plan->custom_private != NIL)
	{
		state->order_by = nts_order_make(plan, state);
		columns = nts_order_columns(state->order_by, columns);
	}
	state->rest = node->ss.ps.qual;
	state->columns = column_list(columns, &state->column_count);
	state->filters = palloc(sizeof(NtsFilter *) * Max(list_length(plan->custom_exprs), 1));
	foreach(cell, plan->custom_exprs)
	{
		NtsFilter  *filter = nts_filter_build(lfirst(cell), relid, &node->ss.ps);

		if (filter == NULL)
			elog(ERROR, "nodedb_ts: a filter is none any more");
		state->filters[state->filter_count++] = filter;
	}
	qsort(state->filters, state->filter_count, sizeof(NtsFilter *), compare_filters);
	columns = add_columns(NULL, (Node *) plan->scan.plan.qual, relid, desc);
	state->rest_columns = column_list(columns, &state->rest_column_count);
	for (int i = 0; i < desc->natts; i++)
		node->ss.ss_ScanTupleSlot->tts_isnull[i] = true;
	state->constants = AllocSetContextCreate(estate->es_query_cxt, "nodedb_ts constants", ALLOCSET_SMALL_SIZES);
	state->may_go_back = (eflags & EXEC_FLAG_BACKWARD) != 0;
	nts_scan_restart(state);
}

/* ---- tuples ---- */

/* EvalPlanQual's tuples need not pass again what was pushed down, unless they were changed: they are looked at anew. */
static bool
recheck(ScanState *node, TupleTableSlot *slot)
{
	NtsScanState *state = (NtsScanState *) node;
	CustomScan *plan = (CustomScan *) node->ps.plan;
	ExprContext *econtext = node->ps.ps_ExprContext;

	if (plan->custom_exprs == NIL)
		return true;
	if (state->recheck == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(node->ps.state->es_query_cxt);

		state->recheck = ExecInitQual(plan->custom_exprs, &node->ps);
		MemoryContextSwitchTo(old);
	}
	econtext->ecxt_scantuple = slot;
	ResetExprContext(econtext);
	return ExecQual(state->recheck, econtext);
}

/* The next row that passes all conditions, or the one before, in the scan's slot; an empty slot at the end. */
static TupleTableSlot *
next_row(ScanState *node)
{
	NtsScanState *state = (NtsScanState *) node;
	bool		forward = !state->may_go_back || ScanDirectionIsForward(node->ps.state->es_direction);
	uint32		row;

	if (state->order_by != NULL)
	{
		if (nts_order_next(state->order_by))
			pgstat_count_heap_getnext(node->ss_currentRelation);
		return node->ss_ScanTupleSlot;
	}
	/* `next` is the row that follows the current one: backward, the row before that is wanted */
	if (forward ? state->next >= state->selection.count : state->next < 2)
	{
		/* what the slot shows lies in the set that is given up */
		ExecClearTuple(node->ss_ScanTupleSlot);
		state->next = 0;
		if (!(state->may_go_back ? nts_scan_move(state, forward) : nts_scan_advance(state)))
			return node->ss_ScanTupleSlot;
		if (!forward)
			state->next = state->selection.count + 1;
		nts_scan_fill(state, state->columns, state->column_count);
	}
	row = forward ? state->next++ : --state->next - 1;
	nts_scan_store(state, state->columns, state->column_count,
				   state->selection.rows == NULL ? row : state->selection.rows[row]);
	pgstat_count_heap_getnext(node->ss_currentRelation);
	return node->ss_ScanTupleSlot;
}

static TupleTableSlot *
exec_scan(CustomScanState *node)
{
	ProjectionInfo *projection = node->ss.ps.ps_ProjInfo;
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	TupleTableSlot *slot;

	if (node->ss.ps.state->es_epq_active != NULL)
		return ExecScan(&node->ss, next_row, recheck);
	ResetExprContext(econtext);
	slot = next_row(&node->ss);
	if (projection == NULL)
		return slot;
	if (TupIsNull(slot))
		return ExecClearTuple(projection->pi_state.resultslot);
	econtext->ecxt_scantuple = slot;
	return ExecProject(projection);
}

static void
rescan(CustomScanState *node)
{
	NtsScanState *state = (NtsScanState *) node;

	ExecClearTuple(node->ss.ss_ScanTupleSlot);
	ExecScanReScan(&node->ss);
	if (state->order_by != NULL)
		nts_order_reset(state->order_by);
	nts_scan_restart(state);
}

/* ---- parallel ---- */

static Size
estimate_dsm(CustomScanState *node, ParallelContext *context)
{
	EState	   *estate = node->ss.ps.state;

	return MAXALIGN(sizeof(NtsParallelScan)) +
		table_parallelscan_estimate(node->ss.ss_currentRelation, estate->es_snapshot);
}

static void
attach(NtsScanState *state, void *coordinate)
{
	state->shared = coordinate;
	state->parallel = (ParallelTableScanDesc) ((char *) coordinate + MAXALIGN(sizeof(NtsParallelScan)));
	if (state->worker == NULL)
		state->worker = MemoryContextAllocZero(state->css.ss.ps.state->es_query_cxt,
											   sizeof(ParallelBlockTableScanWorkerData));
}

static void
initialize_dsm(CustomScanState *node, ParallelContext *context, void *coordinate)
{
	NtsScanState *state = (NtsScanState *) node;

	attach(state, coordinate);
	for (size_t i = 0; i < NTS_SCAN_COUNTS; i++)
		pg_atomic_init_u64(&state->shared->counts[i], 0);
	table_parallelscan_initialize(node->ss.ss_currentRelation, state->parallel, node->ss.ps.state->es_snapshot);
}

static void
reinitialize_dsm(CustomScanState *node, ParallelContext *context, void *coordinate)
{
	NtsScanState *state = (NtsScanState *) node;

	table_parallelscan_reinitialize(node->ss.ss_currentRelation, state->parallel);
}

static void
initialize_worker(CustomScanState *node, shm_toc *toc, void *coordinate)
{
	attach((NtsScanState *) node, coordinate);
}

/* Adds this participant's counts to those of all; the leader takes the sum, once the workers have ended. */
static void
shutdown_scan(CustomScanState *node)
{
	NtsScanState *state = (NtsScanState *) node;
	uint64	   *counts = (uint64 *) &state->counts;

	if (state->shared == NULL)
		return;
	for (size_t i = 0; i < NTS_SCAN_COUNTS; i++)
	{
		uint64		sum = pg_atomic_add_fetch_u64(&state->shared->counts[i], counts[i]);

		counts[i] = IsParallelWorker() ? 0 : sum;
	}
	/* shared memory goes away; a rescan attaches anew */
	state->shared = NULL;
	state->parallel = NULL;
}

static void
end_scan(CustomScanState *node)
{
	NtsScanState *state = (NtsScanState *) node;

	if (node->ss.ps.ps_ResultTupleSlot != NULL)
		ExecClearTuple(node->ss.ps.ps_ResultTupleSlot);
	ExecClearTuple(node->ss.ss_ScanTupleSlot);
	if (state->order_by != NULL)
		nts_order_reset(state->order_by);
	nts_scan_close(state);
}

static const CustomExecMethods exec_methods = {
	.CustomName = "nodedb_ts scan",
	.BeginCustomScan = begin_scan,
	.ExecCustomScan = exec_scan,
	.EndCustomScan = end_scan,
	.ReScanCustomScan = rescan,
	.EstimateDSMCustomScan = estimate_dsm,
	.InitializeDSMCustomScan = initialize_dsm,
	.ReInitializeDSMCustomScan = reinitialize_dsm,
	.InitializeWorkerCustomScan = initialize_worker,
	.ShutdownCustomScan = shutdown_scan,
	.ExplainCustomScan = nts_scan_explain,
};

static Node *
create_state(CustomScan *plan)
{
	NtsScanState *state = palloc0(sizeof(NtsScanState));

	NodeSetTag(state, T_CustomScanState);
	state->css.methods = &exec_methods;
	return (Node *) state;
}

const CustomScanMethods nts_scan_methods = {
	.CustomName = "nodedb_ts scan",
	.CreateCustomScanState = create_state,
};

bool
nts_is_scan_state(const PlanState *state)
{
	return IsA(state, CustomScanState) && ((const CustomScanState *) state)->methods == &exec_methods;
}
