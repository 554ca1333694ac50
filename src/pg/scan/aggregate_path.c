/*
 * aggregate_path.c - when the planner may aggregate by our node, and what that costs.
 *
 * The query must be one that the node can do wholly: one table of ours below (through a scan path of ours), keys whose
 * equality is that of their bytes or normal forms, aggregates without DISTINCT and ORDER BY that have a loop of their own or consist of
 * PostgreSQL's own functions or this extension's. Whatever is not recognized leaves PostgreSQL's own paths alone.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/sysattr.h"
#include "access/table.h"
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
#include "parser/parsetree.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/selfuncs.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "pg/am/options.h"
#include "pg/guc.h"
#include "pg/scan/aggregate.h"
#include "pg/scan/aggregate_path.h"
#include "pg/scan/aggregate_spill.h"
#include "pg/scan/best.h"
#include "pg/scan/early_stop.h"
#include "pg/scan/filter.h"

/* The share of rows for which a minimum or maximum is called at least: values alternate, or are others in each vector. */
#define REPEATED_CALLS 0.2

static create_upper_paths_hook_type previous_hook;
static const CustomScanMethods *scan_methods;

/* ---- what can be done ---- */

/* Looks for what a key or argument may not have: columns of other tables, system columns, subqueries ... */
static bool
is_foreign(Node *node, NtsGrouping *grouping)
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
is_evaluable(PlannerInfo *root, Expr *expr, NtsGrouping *grouping)
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

/* Are values of the type equal by this operator only if their bytes are? */
bool
nts_is_image_equal(Oid type, Oid equality, Oid collation)
{
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY);
	Oid			function;

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

/* Equal bytes, or normal forms (aggregate_groups.c). */
bool
nts_agg_is_groupable(const Expr *expr, Oid equality)
{
	Oid			function = get_opcode(equality);

	return function == F_NUMERIC_EQ || function == F_FLOAT8EQ || function == F_FLOAT4EQ ||
		nts_is_image_equal(exprType((const Node *) expr), equality, exprCollation((const Node *) expr));
}

static bool
understand_keys(PlannerInfo *root, NtsGrouping *grouping, List *clauses, List *target_list)
{
	ListCell   *cell;

	foreach(cell, clauses)
	{
		SortGroupClause *clause = lfirst_node(SortGroupClause, cell);
		Expr	   *expr = get_sortgroupclause_tle(clause, target_list)->expr;

		if (IsA(expr, Const) || !is_evaluable(root, expr, grouping) ||
			!nts_agg_is_groupable(expr, clause->eqop))
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

static bool is_extreme(Oid aggregate);

/*
 * How many rows an aggregate's own function is called for: of minima and maxima not for one that repeats the value before
 * it, which it mostly does where there are few.
 */
static double
called_share(PlannerInfo *root, const Aggref *aggref, Index relid)
{
	const RelOptInfo *rel = find_base_rel(root, relid);
	double		values;

	if (!is_extreme(aggref->aggfnoid) || list_length(aggref->args) != 1)
		return 1;
	values = estimate_num_groups(root, list_make1(linitial_node(TargetEntry, aggref->args)->expr), rel->rows, NULL, NULL);
	return Min(1, REPEATED_CALLS + values / Max(rel->rows, 1));
}

/* An aggregate by its own functions: are they ones that ask for no more than memory? Adds what its state takes. */
static bool
may_be_called(PlannerInfo *root, Aggref *aggref, NtsGrouping *grouping)
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
	result = nts_agg_is_known_function(form->aggtransfn) && nts_agg_is_known_function(form->aggfinalfn) &&
		(!grouping->partial || nts_agg_is_known_function(form->aggserialfn));
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
	grouping->call_cost += cpu_operator_cost * called_share(root, aggref, grouping->relid);
	return result;
}

/* min, max: PostgreSQL knows that an index may give their result. */
static bool
is_extreme(Oid aggregate)
{
	HeapTuple	tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggregate));
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	result = OidIsValid(((Form_pg_aggregate) GETSTRUCT(tuple))->aggsortop);
	ReleaseSysCache(tuple);
	return result;
}

/* May it have DISTINCT? Then equal values must be one for everybody, and their order must not matter. */
static bool
may_be_distinct(const Aggref *aggref)
{
	const Expr *argument;
	Oid			equality;
	NtsAggKind	kind = nts_agg_kind(aggref);

	if (list_length(aggref->args) != 1 || list_length(aggref->aggdistinct) != 1)
		return false;
	argument = linitial_node(TargetEntry, aggref->args)->expr;
	equality = linitial_node(SortGroupClause, aggref->aggdistinct)->eqop;
	switch (kind)
	{
		case NTS_AGG_COUNT:
		case NTS_AGG_SUM_INT:
		case NTS_AGG_SUM_INT8:
		case NTS_AGG_AVG_INT:
		case NTS_AGG_SQUARES_INT:
		case NTS_AGG_SQUARES_INT8:
			return nts_agg_is_groupable(argument, equality);
		case NTS_AGG_CALL:
			return is_extreme(aggref->aggfnoid) &&
				nts_is_image_equal(exprType((const Node *) argument), equality, exprCollation((const Node *) argument));
		default:
			return nts_agg_is_extreme(kind);
	}
}

static bool
understand_aggregate(PlannerInfo *root, Aggref *aggref, NtsGrouping *grouping)
{
	ListCell   *cell;

	if (aggref->aggsplit != (grouping->partial ? AGGSPLIT_INITIAL_SERIAL : AGGSPLIT_SIMPLE) ||
		(grouping->partial && !nts_agg_has_partial(aggref)))
		return false;
	if (aggref->aggkind != AGGKIND_NORMAL || aggref->agglevelsup != 0 ||
		aggref->aggdirectargs != NIL || aggref->aggorder != NIL || aggref->aggvariadic)
		return false;
	if (aggref->aggdistinct != NIL && (grouping->partial || !may_be_distinct(aggref)))
		return false;
	foreach(cell, aggref->args)
		if (!is_evaluable(root, lfirst_node(TargetEntry, cell)->expr, grouping))
			return false;
	if (aggref->aggfilter != NULL && !is_evaluable(root, aggref->aggfilter, grouping))
		return false;
	/* most rows of a series repeat a value, which is not looked up */
	if (nts_agg_is_distinct(aggref))
		grouping->call_cost += cpu_operator_cost * 0.2;
	if (nts_agg_kind(aggref) == NTS_AGG_CALL)
		return may_be_called(root, aggref, grouping);
	if (nts_agg_is_exact(nts_agg_kind(aggref)))
		grouping->state_bytes += nts_agg_exact_size();
	return true;
}

typedef struct Cover
{
	PlannerInfo *root;
	NtsGrouping *grouping;
} Cover;

/*
 * Collects the aggregates of an expression of the result. True: something in it is neither a key nor an aggregate that
 * the node can do.
 */
static bool
is_uncovered(Node *node, Cover *cover)
{
	NtsGrouping *grouping = cover->grouping;

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
double
nts_agg_estimate_groups(PlannerInfo *root, List *all, double rows)
{
	List	   *keys = NIL;
	double		buckets = 1;
	ListCell   *cell;

	foreach(cell, all)
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

/* Is a condition about the table's time column alone? */
static bool
is_about_time(const RelOptInfo *rel, const RestrictInfo *info, AttrNumber time)
{
	Bitmapset  *numbers = NULL;

	pull_varattnos((Node *) info->clause, rel->relid, &numbers);
	return bms_membership(numbers) == BMS_SINGLETON &&
		bms_is_member(time - FirstLowInvalidHeapAttributeNumber, numbers);
}

/*
 * Will most of it come from statistics? Those of row groups are of use where all rows count, as they do between the
 * ends of a time range.
 */
static bool
comes_from_statistics(PlannerInfo *root, const NtsGrouping *grouping, const RelOptInfo *rel)
{
	NtsOptions	options;
	Relation	relation;
	ListCell   *cell;

	if (!nts_enable_statistics_aggregate || grouping->keys != NIL)
		return false;
	foreach(cell, grouping->aggregates)
		if (!nts_agg_statistics_may_answer(lfirst_node(Aggref, cell)))
			return false;
	if (rel->baserestrictinfo == NIL)
		return true;
	relation = table_open(planner_rt_fetch(rel->relid, root)->relid, NoLock);
	nts_options_get(relation, &options);
	table_close(relation, NoLock);
	foreach(cell, rel->baserestrictinfo)
		if (options.time_column == 0 || !is_about_time(rel, lfirst(cell), options.time_column))
			return false;
	return true;
}

/*
 * What temporary files cost if groups take so many bytes. Pages as for a sort, which writes and reads whole runs of them:
 * the files of PostgreSQL's hashed aggregates cost it more, but ours take less time than either (docs/queries.md). The
 * sort that PostgreSQL makes for DISTINCT costs it nothing, so that files for that must not cost anything here.
 */
static Cost
cost_spill(const Path *scan, double bytes)
{
	double		limit = get_hash_memory_limit();
	double		rows;
	double		depth;
	double		pages;

	if (bytes <= limit)
		return 0;
	rows = scan->rows * (1 - limit / bytes);
	depth = Max(1.0, ceil(log(bytes / limit) / log(nts_spill_fanout(get_hash_memory_limit()))));
	pages = ceil(rows * (scan->pathtarget->width + sizeof(Datum)) / BLCKSZ);
	return depth * (2 * pages * (0.75 * seq_page_cost + 0.25 * random_page_cost) + rows * cpu_tuple_cost);
}

/* Sets rows and costs; false: states of so many groups do not fit into memory. */
static bool
estimate(PlannerInfo *root, const NtsGrouping *grouping, const Path *scan, Path *path)
{
	double		groups = 1;
	double		run_cost = scan->total_cost - scan->startup_cost;
	int			aggregates = list_length(grouping->aggregates);
	int			vectors = aggregates + list_length(grouping->keys);
	double		share = grouping->keys == NIL ? 0.05 : 0.1; /* of an operator's cost, for a value in a loop */
	double		bytes = 0;
	Cost		spill_cost;

	if (grouping->keys != NIL)
	{
		Size		group_bytes = nts_agg_group_size(list_length(grouping->keys), aggregates) + grouping->state_bytes;

		groups = nts_agg_estimate_groups(root, grouping->keys, scan->rows);
		bytes = groups * group_bytes;
	}
	/* states would be given out again and again */
	if (bytes > get_hash_memory_limit() && grouping->partial)
		return false;
	spill_cost = cost_spill(scan, bytes);
	/* the scan makes no tuples */
	run_cost -= Min(run_cost, cpu_tuple_cost * scan->rows) * 0.9;
	run_cost += scan->rows * (grouping->call_cost + vectors * cpu_operator_cost * share);
	if (comes_from_statistics(root, grouping, scan->parent))
		run_cost *= 0.02;
	path->rows = groups;
	path->startup_cost = scan->startup_cost + run_cost + spill_cost;
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

bool
nts_grouping_understand(PlannerInfo *root, NtsGrouping *grouping, const PathTarget *target, List *clauses,
						List *target_list)
{
	Cover		cover = {root, grouping};

	return understand_keys(root, grouping, clauses, target_list) && !is_uncovered((Node *) target->exprs, &cover) &&
		!is_uncovered((Node *) grouping->having, &cover);
}

Path *
nts_grouping_path(PlannerInfo *root, const NtsGrouping *grouping, RelOptInfo *parent, PathTarget *target, Path *scan)
{
	CustomPath *path = makeNode(CustomPath);

	path->path.pathtype = T_CustomScan;
	path->path.parent = parent;
	path->path.pathtarget = target;
	path->path.parallel_safe = parent->consider_parallel && scan->parallel_safe;
	path->path.parallel_workers = scan->parallel_workers;
	if (!estimate(root, grouping, scan, &path->path))
		return NULL;
	path->path.startup_cost += target->cost.startup;
	path->path.total_cost += target->cost.startup + path->path.rows * target->cost.per_tuple;
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
	path->custom_paths = list_make1(scan);
	/* then what ordered twins say: list of an early stop, orders of sorted groups, how many of those are wanted */
	path->custom_private = lappend(list_make5(grouping->keys, grouping->aggregates, grouping->having, NIL, NIL), makeInteger(0));
	path->methods = &path_methods;
	return &path->path;
}

/* Types that share the operators of another one stand under such nodes in a pathkey. */
static Node *
without_relabeling(Expr *expr)
{
	while (IsA(expr, RelabelType))
		expr = ((RelabelType *) expr)->arg;
	return (Node *) expr;
}

/* k + 1 if a pathkey is key k, whose groups can be put in its order, -(k + 1) if the greatest come first; 0: it is no such. */
static int
order_of_pathkey(const PathKey *pathkey, List *keys)
{
	ListCell   *key_cell;
	ListCell   *cell;

	foreach(cell, pathkey->pk_eclass->ec_members)
		foreach(key_cell, keys)
		{
			Oid			type = getBaseType(exprType(lfirst(key_cell)));

			if (equal(without_relabeling(lfirst_node(EquivalenceMember, cell)->em_expr),
					  without_relabeling(lfirst(key_cell))) &&
				(nts_filter_word_order(type) == NTS_ORDER_INT ||
				 (!get_typbyval(type) && OidIsValid(lookup_type_cache(type, TYPECACHE_LT_OPR)->lt_opr))))
			{
				int			place = foreach_current_index(key_cell) + 1;

				return pathkey->pk_strategy == BTGreaterStrategyNumber ? -place : place;
			}
		}
	return 0;
}

/* Are such groups in the pathkey's very order then? */
static bool
is_whole_order(const PathKey *pathkey, int order, List *keys)
{
	Node	   *key;

	if (order == 0 || pathkey->pk_nulls_first != (order < 0))
		return false;
	key = list_nth(keys, abs(order) - 1);
	return pathkey->pk_opfamily == lookup_type_cache(exprType(key), TYPECACHE_BTREE_OPFAMILY)->btree_opf &&
		pathkey->pk_eclass->ec_collation == exprCollation(key);
}

/* The order of the groups that the query asks for, as nts_agg_table_order takes it; NIL: it is another one. */
static List *
whole_order(PlannerInfo *root, List *keys)
{
	List	   *orders = NIL;
	ListCell   *cell;

	foreach(cell, root->sort_pathkeys)
	{
		const PathKey *pathkey = lfirst_node(PathKey, cell);
		int			order = order_of_pathkey(pathkey, keys);

		if (!is_whole_order(pathkey, order, keys))
			return NIL;
		orders = lappend_int(orders, order);
	}
	return orders;
}

/* How many groups of this stage a LIMIT asks for, at most; 0: unknown. Of a partition's groups all may be. */
static int
wanted_groups(const Query *parse, UpperRelationKind stage, const RelOptInfo *grouped)
{
	double		limit = nts_constant_limit(parse);

	if (limit < 1 || limit > INT_MAX || IS_OTHER_REL(grouped) || parse->hasWindowFuncs || parse->hasTargetSRFs ||
		(stage != UPPERREL_DISTINCT && parse->distinctClause != NIL))
		return 0;
	return (int) limit;
}

/* The same path with the groups in the order that the query asks for, or NULL. A sort above would move and compare tuples. */
static Path *
sorted_path(PlannerInfo *root, UpperRelationKind stage, RelOptInfo *grouped, const CustomPath *path, List *keys)
{
	List	   *orders = nts_enable_ordered_aggregate ? whole_order(root, keys) : NIL;
	CustomPath *sorted;
	Cost		cost;

	if (orders == NIL)
		return NULL;
	sorted = makeNode(CustomPath);
	*sorted = *path;
	cost = 0.2 * cpu_operator_cost * path->path.rows * log2(Max(path->path.rows, 2.0));
	sorted->path.startup_cost += cost;
	sorted->path.total_cost += cost;
	sorted->path.pathkeys = root->sort_pathkeys;
	sorted->custom_private = list_copy(path->custom_private);
	lfirst(list_nth_cell(sorted->custom_private, 4)) = orders;
	lfirst(list_nth_cell(sorted->custom_private, 5)) = makeInteger(wanted_groups(root->parse, stage, grouped));
	return &sorted->path;
}

List *
nts_grouping_paths(PlannerInfo *root, const NtsGrouping *grouping, List *keys, UpperRelationKind stage, RelOptInfo *parent,
				   PathTarget *target, Path *scan)
{
	Path	   *path = nts_grouping_path(root, grouping, parent, target, scan);
	Path	   *early;
	Path	   *sorted;
	List	   *paths;

	if (path == NULL)
		return NIL;
	paths = list_make1(path);
	early = nts_early_stop_path(root, (CustomPath *) path, keys);
	if (early != NULL)
		paths = lappend(paths, early);
	sorted = sorted_path(root, stage, parent, (CustomPath *) path, keys);
	if (sorted != NULL)
		paths = lappend(paths, sorted);
	return paths;
}

void
nts_grouping_add_paths(PlannerInfo *root, const NtsGrouping *grouping, UpperRelationKind stage, RelOptInfo *grouped,
					   PathTarget *target, Path *scan)
{
	ListCell   *cell;

	foreach(cell, nts_grouping_paths(root, grouping, grouping->keys, stage, grouped, target, scan))
		add_path(grouped, lfirst(cell));
}

static void
add_aggregate_path(PlannerInfo *root, RelOptInfo *input, RelOptInfo *grouped, GroupPathExtraData *extra)
{
	NtsGrouping grouping = {0};
	Path	   *scan = nts_scan_path_below(input);

	if (scan == NULL)
		return;
	grouping.relid = input->relid;
	grouping.having = (List *) extra->havingQual;
	if (nts_grouping_understand(root, &grouping, grouped->reltarget, root->parse->groupClause, extra->targetList))
		nts_grouping_add_paths(root, &grouping, UPPERREL_GROUP_AGG, grouped, grouped->reltarget, scan);
}

static void
add_upper_paths(PlannerInfo *root, UpperRelationKind stage, RelOptInfo *input, RelOptInfo *output, void *extra)
{
	if (previous_hook != NULL)
		previous_hook(root, stage, input, output, extra);
	if (stage == UPPERREL_DISTINCT)
		nts_distinct_add_path(root, input, output);
	if (stage != UPPERREL_GROUP_AGG || !nts_enable_vectorized_aggregate || root->parse->groupingSets != NIL ||
		root->parse->commandType != CMD_SELECT)
		return;
	add_aggregate_path(root, input, output, extra);
	if (!IS_OTHER_REL(input))
		nts_agg_add_split_paths(root, input, output, extra);
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

/* The order that a sort above wants of the groups first of all, as nts_agg_table_order takes it. */
static List *
order_of_groups(PlannerInfo *root, List *keys)
{
	List	   *orders = NIL;
	ListCell   *cell;
	double		limit = nts_constant_limit(root->parse);

	/* a sort that keeps a few is quick */
	if (limit >= 0 && limit < 1000)
		return NIL;
	foreach(cell, root->sort_pathkeys)
	{
		int			order = order_of_pathkey(lfirst_node(PathKey, cell), keys);

		if (order == 0)
			break;
		orders = lappend_int(orders, order);
	}
	return orders;
}

static Plan *
plan_aggregate(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses, List *custom_plans)
{
	CustomScan *plan = makeNode(CustomScan);
	List	   *keys = linitial(path->custom_private);
	List	   *outputs = list_concat_copy(keys, lsecond(path->custom_private));
	List	   *orders;
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
	orders = list_nth(path->custom_private, 4);
	plan->custom_private = list_make5(makeInteger(list_length(keys)), orders != NIL ? orders : order_of_groups(root, keys),
									  makeInteger(orders != NIL), lfourth(path->custom_private),
									  list_nth(path->custom_private, 5));
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
