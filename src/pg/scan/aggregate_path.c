/*
 * aggregate_path.c - when the planner may aggregate by our node, and what that costs.
 *
 * The query must be one that the node can do wholly: one table of ours below (through a scan path of ours), keys whose
 * equality is that of their bytes or normal forms, aggregates without DISTINCT and ORDER BY that have a loop of their own or consist of
 * PostgreSQL's own functions or this extension's. Whatever is not recognized leaves PostgreSQL's own paths alone.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/pg_aggregate.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_statistic.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/planner.h"
#include "optimizer/tlist.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/selfuncs.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "pg/guc.h"
#include "pg/scan/aggregate.h"

/* A query's grouping, as far as it was understood. */
typedef struct Grouping
{
	Index		relid;			/* the table */
	List	   *keys;			/* expressions */
	List	   *aggregates;		/* Aggrefs, each once */
	List	   *having;
	List	   *evaluated;		/* expressions whose cost was counted: each is evaluated once a row */
	Bitmapset  *transitions;	/* of the aggregates whose cost was counted: others share their state */
	double		call_cost;		/* per row: expressions and functions that the executor calls */
	Size		state_bytes;	/* per group, beside what the node keeps itself */
} Grouping;

static create_upper_paths_hook_type previous_hook;
static const CustomScanMethods *scan_methods;

/* ---- what can be done ---- */

/* Looks for what a key or argument may not have: columns of other tables, system columns, subqueries ... */
static bool
is_foreign(Node *node, Grouping *grouping)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
	{
		Var		   *var = (Var *) node;

		return (Index) var->varno != grouping->relid || var->varattno <= 0 || var->varlevelsup != 0;
	}
	if (IsA(node, Aggref) || IsA(node, GroupingFunc) || IsA(node, WindowFunc) || IsA(node, SubLink) ||
		IsA(node, SubPlan) || IsA(node, AlternativeSubPlan) || IsA(node, PlaceHolderVar) || IsA(node, CurrentOfExpr))
		return true;
	return expression_tree_walker(node, is_foreign, grouping);
}

/* Can the node evaluate it? Adds what the executor's part of that costs. */
static bool
is_evaluable(PlannerInfo *root, Expr *expr, Grouping *grouping)
{
	QualCost	cost;

	if (is_foreign((Node *) expr, grouping) || contain_volatile_functions((Node *) expr) ||
		expression_returns_set((Node *) expr))
		return false;
	if (!IsA(expr, Var) && !list_member(grouping->evaluated, expr) &&
		nts_bucket_recognize(expr, CurrentMemoryContext) == NULL)
	{
		grouping->evaluated = lappend(grouping->evaluated, expr);
		cost_qual_eval_node(&cost, (Node *) expr, root);
		grouping->call_cost += cost.per_tuple;
	}
	return true;
}

/* Are values of the type equal by this operator only if their bytes are, or those of their normal forms? */
static bool
is_image_equal(Oid type, Oid equality, Oid collation)
{
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY);
	Oid			function = get_opcode(equality);

	if (function == F_NUMERIC_EQ || function == F_FLOAT8EQ || function == F_FLOAT4EQ)
		return true;
	/* blanks at its end do not count */
	if (type == BPCHAROID || !OidIsValid(entry->btree_opf) ||
		get_opfamily_member(entry->btree_opf, entry->btree_opintype, entry->btree_opintype,
							BTEqualStrategyNumber) != equality)
		return false;
	/* arrays and the like are stored as they come, not in one way only */
	if (entry->typlen == -2 || (entry->typlen == -1 && entry->typtype != TYPTYPE_BASE))
		return false;
	function = get_opfamily_proc(entry->btree_opf, entry->btree_opintype, entry->btree_opintype, BTEQUALIMAGE_PROC);
	return OidIsValid(function) &&
		DatumGetBool(OidFunctionCall1Coll(function, collation, ObjectIdGetDatum(entry->btree_opintype)));
}

static bool
understand_keys(PlannerInfo *root, Grouping *grouping)
{
	ListCell   *cell;

	foreach(cell, root->parse->groupClause)
	{
		SortGroupClause *clause = lfirst_node(SortGroupClause, cell);
		Expr	   *expr = get_sortgroupclause_tle(clause, root->processed_tlist)->expr;

		if (IsA(expr, Const) || !is_evaluable(root, expr, grouping) ||
			!is_image_equal(exprType((Node *) expr), clause->eqop, exprCollation((Node *) expr)))
			return false;
		grouping->keys = lappend(grouping->keys, expr);
	}
	return list_length(grouping->keys) <= NTS_AGG_MAX_KEYS;
}

bool
nts_agg_is_known_function(Oid function)
{
	Oid			extension;

	if (function < FirstNormalObjectId)
		return true;
	extension = getExtensionOfObject(ProcedureRelationId, function);
	return OidIsValid(extension) && extension == get_extension_oid("nodedb_ts", true);
}

/* An aggregate by its own functions: are they ones that ask for no more than memory? Adds what its state takes. */
static bool
may_be_called(Aggref *aggref, Grouping *grouping)
{
	HeapTuple	tuple;
	Form_pg_aggregate form;
	bool		result;

	if (!nts_agg_is_known_function(aggref->aggfnoid))
		return false;
	tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggref->aggfnoid));
	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_aggregate) GETSTRUCT(tuple);
	result = nts_agg_is_known_function(form->aggtransfn) && nts_agg_is_known_function(form->aggfinalfn);
	if (bms_is_member(aggref->aggtransno, grouping->transitions))
	{
		ReleaseSysCache(tuple);
		return result;
	}
	grouping->transitions = bms_add_member(grouping->transitions, aggref->aggtransno);
	if (form->aggtransspace > 0)
		grouping->state_bytes += form->aggtransspace;
	else if (aggref->aggtranstype == INTERNALOID)
		grouping->state_bytes += ALLOCSET_DEFAULT_INITSIZE;
	else if (!get_typbyval(aggref->aggtranstype))
		grouping->state_bytes += get_typavgwidth(aggref->aggtranstype, -1) + 2 * sizeof(void *);
	ReleaseSysCache(tuple);
	grouping->call_cost += cpu_operator_cost;
	return result;
}

static bool
understand_aggregate(PlannerInfo *root, Aggref *aggref, Grouping *grouping)
{
	ListCell   *cell;

	if (aggref->aggkind != AGGKIND_NORMAL || aggref->aggsplit != AGGSPLIT_SIMPLE || aggref->agglevelsup != 0 ||
		aggref->aggdirectargs != NIL || aggref->aggorder != NIL || aggref->aggdistinct != NIL || aggref->aggvariadic)
		return false;
	foreach(cell, aggref->args)
		if (!is_evaluable(root, lfirst_node(TargetEntry, cell)->expr, grouping))
			return false;
	if (aggref->aggfilter != NULL && !is_evaluable(root, aggref->aggfilter, grouping))
		return false;
	if (nts_agg_kind(aggref) == NTS_AGG_CALL)
		return may_be_called(aggref, grouping);
	if (nts_agg_is_exact(nts_agg_kind(aggref)))
		grouping->state_bytes += nts_agg_exact_size();
	return true;
}

typedef struct Cover
{
	PlannerInfo *root;
	Grouping   *grouping;
} Cover;

/*
 * Collects the aggregates of an expression of the result. True: something in it is neither a key nor an aggregate that
 * the node can do.
 */
static bool
is_uncovered(Node *node, Cover *cover)
{
	Grouping   *grouping = cover->grouping;

	if (node == NULL || list_member(grouping->keys, node))
		return false;
	if (IsA(node, Aggref))
	{
		if (list_member(grouping->aggregates, node))
			return false;
		if (!understand_aggregate(cover->root, (Aggref *) node, grouping))
			return true;
		grouping->aggregates = lappend(grouping->aggregates, node);
		return false;
	}
	if (IsA(node, Var) || IsA(node, GroupingFunc) || IsA(node, PlaceHolderVar) || IsA(node, AlternativeSubPlan))
		return true;
	return expression_tree_walker(node, is_uncovered, cover);
}

/* ---- the path ---- */

static Plan *plan_aggregate(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses,
							List *custom_plans);

static const CustomPathMethods path_methods = {
	.CustomName = "nodedb_ts aggregate",
	.PlanCustomPath = plan_aggregate
};

/* How many buckets there are between the ends of the time column's histogram; 0: not known. */
static double
estimate_buckets(PlannerInfo *root, const struct NtsBucket *bucket)
{
	VariableStatData variable;
	AttStatsSlot slot;
	double		buckets = 0;

	examine_variable(root, (Node *) nts_bucket_input(bucket), 0, &variable);
	if (HeapTupleIsValid(variable.statsTuple) &&
		get_attstatsslot(&slot, variable.statsTuple, STATISTIC_KIND_HISTOGRAM, InvalidOid, ATTSTATSSLOT_VALUES))
	{
		if (slot.nvalues > 1)
			buckets = 2 + ((double) DatumGetInt64(slot.values[slot.nvalues - 1]) - (double) DatumGetInt64(slot.values[0])) /
				(double) nts_bucket_width(bucket);
		free_attstatsslot(&slot);
	}
	ReleaseVariableStats(variable);
	return buckets;
}

/* PostgreSQL takes every time for a group of its own: of a function's results it knows nothing. */
static double
estimate_groups(PlannerInfo *root, const Grouping *grouping, double rows)
{
	List	   *keys = NIL;
	double		buckets = 1;
	ListCell   *cell;

	foreach(cell, grouping->keys)
	{
		struct NtsBucket *bucket = nts_bucket_recognize(lfirst(cell), CurrentMemoryContext);
		double		estimated = bucket == NULL ? 0 : estimate_buckets(root, bucket);

		if (estimated > 0)
			buckets *= estimated;
		else
			keys = lappend(keys, lfirst(cell));
	}
	if (keys != NIL)
		buckets *= estimate_num_groups(root, keys, rows, NULL, NULL);
	return clamp_row_est(Min(buckets, rows));
}

/* Sets rows and costs; false: the groups would take too much memory. */
static bool
estimate(PlannerInfo *root, const Grouping *grouping, const Path *scan, Path *path)
{
	double		groups = 1;
	double		run_cost = scan->total_cost - scan->startup_cost;
	int			aggregates = list_length(grouping->aggregates);
	int			vectors = aggregates + list_length(grouping->keys);

	if (grouping->keys != NIL)
	{
		Size		bytes = nts_agg_group_size(list_length(grouping->keys), aggregates) + grouping->state_bytes;

		groups = estimate_groups(root, grouping, scan->rows);
		if (groups * bytes > get_hash_memory_limit())
			return false;
	}
	/* the scan makes no tuples */
	run_cost -= Min(run_cost, cpu_tuple_cost * scan->rows) * 0.9;
	path->rows = groups;
	path->startup_cost = scan->startup_cost + run_cost +
		scan->rows * (grouping->call_cost + vectors * cpu_operator_cost * 0.1);
	path->total_cost = path->startup_cost + groups * (cpu_tuple_cost * 0.5 + aggregates * cpu_operator_cost * 0.1);
	if (grouping->having != NIL)
	{
		QualCost	cost;

		cost_qual_eval(&cost, grouping->having, root);
		path->startup_cost += cost.startup;
		path->total_cost += cost.startup + groups * cost.per_tuple;
		path->rows = clamp_row_est(groups * clauselist_selectivity(root, grouping->having, 0, JOIN_INNER, NULL));
	}
	return true;
}

static void
add_aggregate_path(PlannerInfo *root, RelOptInfo *input, RelOptInfo *grouped, GroupPathExtraData *extra)
{
	Grouping	grouping = {0};
	Cover		cover = {root, &grouping};
	Path	   *scan;
	CustomPath *path;

	if (root->parse->groupingSets != NIL || root->parse->commandType != CMD_SELECT || IS_OTHER_REL(input) ||
		(extra->patype != PARTITIONWISE_AGGREGATE_NONE))
		return;
	scan = nts_scan_path_below(input);
	if (scan == NULL)
		return;
	grouping.relid = input->relid;
	grouping.having = (List *) extra->havingQual;
	if (!understand_keys(root, &grouping) ||
		is_uncovered((Node *) grouped->reltarget->exprs, &cover) || is_uncovered((Node *) grouping.having, &cover))
		return;
	path = makeNode(CustomPath);
	path->path.pathtype = T_CustomScan;
	path->path.parent = grouped;
	path->path.pathtarget = grouped->reltarget;
	path->path.parallel_safe = grouped->consider_parallel && scan->parallel_safe;
	if (!estimate(root, &grouping, scan, &path->path))
		return;
	path->path.startup_cost += path->path.pathtarget->cost.startup;
	path->path.total_cost += path->path.pathtarget->cost.startup +
		path->path.rows * path->path.pathtarget->cost.per_tuple;
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
	path->custom_paths = list_make1(scan);
	path->custom_private = list_make3(grouping.keys, grouping.aggregates, grouping.having);
	path->methods = &path_methods;
	add_path(grouped, &path->path);
}

static void
add_upper_paths(PlannerInfo *root, UpperRelationKind stage, RelOptInfo *input, RelOptInfo *output, void *extra)
{
	if (previous_hook != NULL)
		previous_hook(root, stage, input, output, extra);
	if (stage == UPPERREL_GROUP_AGG && nts_enable_vectorized_aggregate)
		add_aggregate_path(root, input, output, extra);
}

/* ---- the plan ---- */

static bool
collect_params(Node *node, List **params)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param))
	{
		*params = list_append_unique(*params, node);
		return false;
	}
	return expression_tree_walker(node, collect_params, params);
}

static Plan *
plan_aggregate(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses, List *custom_plans)
{
	CustomScan *plan = makeNode(CustomScan);
	List	   *keys = linitial(path->custom_private);
	List	   *outputs = list_concat_copy(keys, lsecond(path->custom_private));
	ListCell   *cell;

	foreach(cell, outputs)
		plan->custom_scan_tlist =
			lappend(plan->custom_scan_tlist, makeTargetEntry(copyObject(lfirst(cell)), foreach_current_index(cell) + 1,
															 NULL, false));
	plan->scan.scanrelid = 0;
	plan->scan.plan.targetlist = tlist;
	plan->scan.plan.qual = lthird(path->custom_private);
	plan->flags = path->flags;
	plan->custom_plans = custom_plans;
	/* found in custom_scan_tlist too, but there nobody looks for parameters */
	collect_params((Node *) outputs, &plan->custom_exprs);
	plan->custom_private = list_make1(makeInteger(list_length(keys)));
	plan->methods = scan_methods;
	return &plan->scan.plan;
}

void
nts_agg_path_init(const CustomScanMethods *methods)
{
	scan_methods = methods;
	previous_hook = create_upper_paths_hook;
	create_upper_paths_hook = add_upper_paths;
}
