/*
 * aggregate_split_path.c - aggregation in several places: by the participants of a parallel plan, and in the tables of
 * which a partitioned or inherited one consists.
 *
 * Each place makes states (our node, or PostgreSQL's where a table is not read by a scan of ours), and an Agg of
 * PostgreSQL combines them. Where only one table is left, its node makes the results. Expressions are translated into
 * the columns of each table. An Append of ours belongs to the parent, not to the grouped relation: so PostgreSQL finds
 * the conditions for leaving out partitions during execution. SELECT DISTINCT of expressions is the same without states: each
 * table gives its distinct rows.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "optimizer/appendinfo.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planner.h"
#include "optimizer/prep.h"
#include "optimizer/tlist.h"
#include "parser/parsetree.h"
#include "port/pg_bitutils.h"

#include "pg/compat.h"
#include "pg/guc.h"
#include "pg/scan/aggregate.h"
#include "pg/scan/aggregate_path.h"
#include "pg/scan/early_stop.h"

/*
 * Queries that cost less than so many times starting workers run in one process. A worker loads this library, parses the
 * segments' footers and makes its tables anew: of 8.6 million rows in three segments, a sum took 19 ms alone and 75 with
 * two workers; 24 000 groups of one, five and ten averages 120, 220 and 330 ms alone, 165, 300 and 450 with workers.
 */
#define WORKERS_PAY 40

/* What all paths of one query have in common. */
typedef struct Split
{
	PlannerInfo *root;
	RelOptInfo *input;
	RelOptInfo *grouped;
	GroupPathExtraData *extra;
	List	   *tables;			/* RelOptInfos */
	NtsGrouping grouping;		/* in the columns of `input` */
	PathTarget *target;			/* keys and states */
} Split;

/* ---- tables ---- */

/* The tables that make up a parent, as far as they may have rows; false: something else is among them. */
static bool
collect_tables(PlannerInfo *root, RelOptInfo *parent, List **tables)
{
	ListCell   *cell;

	if (planner_rt_fetch(parent->relid, root)->rtekind != RTE_RELATION)
		return false;
	if (!planner_rt_fetch(parent->relid, root)->inh)
	{
		*tables = lappend(*tables, parent);
		return true;
	}
	foreach(cell, root->append_rel_list)
	{
		AppendRelInfo *info = lfirst_node(AppendRelInfo, cell);
		RelOptInfo *child;

		if (info->parent_relid != parent->relid)
			continue;
		child = root->simple_rel_array[info->child_relid];
		if (child != NULL && !IS_DUMMY_REL(child) && !collect_tables(root, child, tables))
			return false;
	}
	return true;
}

/* An expression, or list of them, in the columns of a table. */
static void *
translate(const Split *split, RelOptInfo *table, void *node)
{
	if (table == split->input || node == NULL)
		return node;
	return NTS_TRANSLATE_TO_CHILD(split->root, (Node *) node, table, split->input);
}

static PathTarget *
translate_target(const Split *split, RelOptInfo *table, PathTarget *target)
{
	PathTarget *result = copy_pathtarget(target);

	result->exprs = translate(split, table, result->exprs);
	return result;
}

static NtsGrouping
translate_grouping(const Split *split, RelOptInfo *table)
{
	NtsGrouping result = split->grouping;

	result.relid = table->relid;
	result.keys = translate(split, table, result.keys);
	result.aggregates = translate(split, table, result.aggregates);
	result.having = translate(split, table, result.having);
	return result;
}

/* ---- the only table of a parent ---- */

static void
add_only_table(Split *split)
{
	PlannerInfo *root = split->root;
	RelOptInfo *table = linitial(split->tables);
	Path	   *scan = nts_scan_path_below(table);
	NtsGrouping grouping;
	ListCell   *cell;

	split->grouping.relid = split->input->relid;
	split->grouping.having = (List *) split->extra->havingQual;
	if (scan == NULL ||
		!nts_grouping_understand(root, &split->grouping, split->grouped->reltarget, root->parse->groupClause,
								 split->extra->targetList))
		return;
	grouping = translate_grouping(split, table);
	/* an Append of one plan goes away, but has the parent's columns for what stands above; it takes over the order */
	foreach(cell, nts_grouping_paths(root, &grouping, split->grouping.keys, UPPERREL_GROUP_AGG, table,
									 translate_target(split, table, split->grouped->reltarget), scan))
		add_path(split->grouped, (Path *) create_append_path(root, split->grouped, list_make1(lfirst(cell)), NIL, NIL,
															 NULL, 0, false, -1));
}

/* ---- states ---- */

/* Keys, and the aggregates of results and HAVING as states. */
static PathTarget *
make_states_target(PlannerInfo *root, const PathTarget *results, Node *having)
{
	PathTarget *target = create_empty_pathtarget();
	List	   *others = having == NULL ? NIL : list_make1(having);
	ListCell   *cell;

	foreach(cell, results->exprs)
	{
		Index		reference = get_pathtarget_sortgroupref(results, foreach_current_index(cell));

		if (reference != 0 && get_sortgroupref_clause_noerr(reference, root->parse->groupClause) != NULL)
			add_column_to_pathtarget(target, lfirst(cell), reference);
		else
			others = lappend(others, lfirst(cell));
	}
	add_new_columns_to_pathtarget(target, pull_var_clause((Node *) others,
														  PVC_INCLUDE_AGGREGATES | PVC_RECURSE_WINDOWFUNCS |
														  PVC_INCLUDE_PLACEHOLDERS));
	foreach(cell, target->exprs)
		if (IsA(lfirst(cell), Aggref))
		{
			Aggref	   *states = makeNode(Aggref);

			/* the arguments are shared: nobody changes them in place */
			*states = *lfirst_node(Aggref, cell);
			mark_partial_aggref(states, AGGSPLIT_INITIAL_SERIAL);
			lfirst(cell) = states;
		}
	return set_pathtarget_cost_width(root, target);
}

static void
find_costs(PlannerInfo *root, GroupPathExtraData *extra)
{
	if (extra->partial_costs_set)
		return;
	memset(&extra->agg_partial_costs, 0, sizeof(AggClauseCosts));
	memset(&extra->agg_final_costs, 0, sizeof(AggClauseCosts));
	get_agg_clause_costs(root, AGGSPLIT_INITIAL_SERIAL, &extra->agg_partial_costs);
	get_agg_clause_costs(root, AGGSPLIT_FINAL_DESERIAL, &extra->agg_final_costs);
	extra->partial_costs_set = true;
}

/* States by PostgreSQL's Agg over whatever reads the table best; NULL: by sorting only. */
static Path *
make_foreign_states(const Split *split, const NtsGrouping *grouping, RelOptInfo *table, PathTarget *target, Path *path)
{
	PlannerInfo *root = split->root;
	bool		grouped = root->parse->groupClause != NIL;

	if (path == NULL || path->param_info != NULL ||
		(grouped && (split->extra->flags & GROUPING_CAN_USE_HASH) == 0))
		return NULL;
	path = (Path *) create_projection_path(root, table, path,
										   translate_target(split, table, split->input->reltarget));
	return (Path *) create_agg_path(root, table, path, target, grouped ? AGG_HASHED : AGG_PLAIN,
									AGGSPLIT_INITIAL_SERIAL, root->parse->groupClause, NIL,
									&split->extra->agg_partial_costs,
									grouped ? nts_agg_estimate_groups(root, grouping->keys, path->rows) : 1);
}

/* Of one table; NULL: they cannot be made. *ours: by our node. shared: each participant makes states of its part. */
static Path *
make_states(const Split *split, RelOptInfo *table, bool shared, bool *ours)
{
	NtsGrouping grouping = translate_grouping(split, table);
	PathTarget *target = translate_target(split, table, split->target);
	Path	   *scan = shared ? nts_partial_scan_path_below(table) : nts_scan_path_below(table);
	Path	   *path = NULL;

	if (scan != NULL)
		path = nts_grouping_path(split->root, &grouping, table == split->input ? split->grouped : table, target, scan);
	if (path != NULL)
	{
		*ours = true;
		return path;
	}
	if (shared)
		path = table->partial_pathlist == NIL ? NULL : linitial(table->partial_pathlist);
	else
		path = table->cheapest_total_path;
	return make_foreign_states(split, &grouping, table, target, path);
}

/* ---- what stands above ---- */

/* The Agg that combines the states. */
static void
add_final_path(const Split *split, Path *states, AggStrategy strategy)
{
	PlannerInfo *root = split->root;
	List	   *clause = root->parse->groupClause;
	List	   *having = (List *) split->extra->havingQual;
	double		groups = clause == NIL ? 1 : nts_agg_estimate_groups(root, split->grouping.keys, split->input->rows);
	Path	   *path;

	if (strategy == AGG_SORTED && !root->parse->hasAggs)
		path = (Path *) create_group_path(root, split->grouped, states, clause, having, groups);
	else
		path = (Path *) create_agg_path(root, split->grouped, states, split->grouped->reltarget, strategy,
										AGGSPLIT_FINAL_DESERIAL, clause, having, &split->extra->agg_final_costs,
										groups);
	add_path(split->grouped, path);
}

/* The states come to the leader in any order, or sorted by it or by the participants: what costs least is taken. */
static void
add_final_paths(const Split *split, Path *states, bool parallel)
{
	PlannerInfo *root = split->root;
	Path	   *all = states;
	double		rows = states->rows * Max(states->parallel_workers, 1);

	if (parallel)
		all = (Path *) create_gather_path(root, split->grouped, states, split->target, NULL, &rows);
	if (root->parse->groupClause == NIL)
		add_final_path(split, all, AGG_PLAIN);
	if ((split->extra->flags & GROUPING_CAN_USE_HASH) != 0)
		add_final_path(split, all, AGG_HASHED);
	if (root->parse->groupClause == NIL || (split->extra->flags & GROUPING_CAN_USE_SORT) == 0)
		return;
	/* all keys are constants */
	if (root->group_pathkeys == NIL)
	{
		add_final_path(split, all, AGG_SORTED);
		return;
	}
	add_final_path(split, (Path *) create_sort_path(root, split->grouped, all, root->group_pathkeys, -1.0), AGG_SORTED);
	if (!parallel)
		return;
	states = (Path *) create_sort_path(root, split->grouped, states, root->group_pathkeys, -1.0);
	states = (Path *) create_gather_merge_path(root, split->grouped, states, split->target, root->group_pathkeys, NULL,
											   &rows);
	add_final_path(split, states, AGG_SORTED);
}

/* ---- states of several tables ---- */

static Path *
make_append(const Split *split, List *whole, List *shared, int workers, bool parallel_aware)
{
	AppendPath *path = create_append_path(split->root, split->input, whole, shared, NIL, NULL, workers, parallel_aware,
										  -1);

	path->path.pathtarget = split->target;
	return &path->path;
}

/*
 * Each table gives its states in the order of a bucket and is read as far as the query goes: its groups are merged, and
 * sorted by the other keys within a bucket. `order` is that of paths that have one.
 */
static void
add_merged(const Split *split, List *paths, List *order)
{
	PlannerInfo *root = split->root;
	MergeAppendPath *merged = create_merge_append_path(root, split->input, paths, order, NULL);
	Path	   *states = &merged->path;
	int			presorted;

	states->pathtarget = split->target;
	if (!pathkeys_count_contained_in(root->group_pathkeys, order, &presorted))
	{
		if (!enable_incremental_sort || presorted == 0)
			return;
		states = (Path *) create_incremental_sort_path(root, split->grouped, states, root->group_pathkeys, presorted, -1.0);
	}
	add_final_path(split, states, AGG_SORTED);
}

static void
add_serial(const Split *split)
{
	List	   *paths = NIL;
	List	   *ordered_paths = NIL;
	List	   *order = NIL;
	ListCell   *cell;
	bool		any_ours = false;

	foreach(cell, split->tables)
	{
		bool		ours = false;
		Path	   *path = make_states(split, lfirst(cell), false, &ours);
		Path	   *ordered = NULL;

		if (path == NULL)
			return;
		any_ours |= ours;
		if (ours)
			ordered = nts_early_stop_path(split->root, (CustomPath *) path, split->grouping.keys);
		if (ordered != NULL)
			order = ordered->pathkeys;
		paths = lappend(paths, path);
		ordered_paths = lappend(ordered_paths, ordered != NULL ? ordered : path);
	}
	if (!any_ours)
		return;
	if (order != NIL && (split->extra->flags & GROUPING_CAN_USE_SORT) != 0)
		add_merged(split, ordered_paths, order);
	add_final_paths(split, make_append(split, paths, NIL, 0, false), false);
}

/*
 * Tables are shared out by rows, if they may be; a table that may not is done as a whole by one of the participants,
 * which takes an Append that hands out its plans.
 */
static void
add_parallel(const Split *split)
{
	List	   *whole = NIL;
	List	   *shared = NIL;
	int			workers = 0;
	int			count = list_length(split->tables);
	bool		ours = false;
	bool		parallel_aware = enable_parallel_append && count > 1;
	ListCell   *cell;

	foreach(cell, split->tables)
	{
		RelOptInfo *table = lfirst(cell);
		Path	   *path = make_states(split, table, true, &ours);

		if (path != NULL)
		{
			shared = lappend(shared, path);
			workers = Max(workers, path->parallel_workers);
			continue;
		}
		path = make_states(split, table, false, &ours);
		if (path == NULL || !path->parallel_safe || !parallel_aware)
			return;
		whole = lappend(whole, path);
	}
	if (!ours)
		return;
	if (linitial(split->tables) == split->input)
	{
		add_final_paths(split, linitial(shared), true);
		return;
	}
	if (parallel_aware)
		workers = Min(Max(workers, pg_leftmost_one_pos32(count) + 1), max_parallel_workers_per_gather);
	add_final_paths(split, make_append(split, whole, shared, workers, parallel_aware), true);
}

/* Is any of the tables read by a scan of ours, in this way? */
static bool
has_scan(const Split *split, bool shared)
{
	ListCell   *cell;

	foreach(cell, split->tables)
		if ((shared ? nts_partial_scan_path_below(lfirst(cell)) : nts_scan_path_below(lfirst(cell))) != NULL)
			return true;
	return false;
}

/*
 * May starting workers pay? Not where one process does it in less time; but if PostgreSQL takes workers for it anyway, they
 * had better do it our way. Where the grouped relation may be parallel, only what has workers itself is not parallel-safe.
 */
static bool
may_be_parallel(const Split *split)
{
	const Path *cheapest = NULL;
	ListCell   *cell;

	if (!split->grouped->consider_parallel || max_parallel_workers_per_gather <= 0 || !has_scan(split, true))
		return false;
	foreach(cell, split->grouped->pathlist)
	{
		const Path *path = lfirst(cell);

		if (cheapest == NULL || path->total_cost < cheapest->total_cost)
			cheapest = path;
	}
	return cheapest == NULL || !cheapest->parallel_safe || cheapest->total_cost >= WORKERS_PAY * parallel_setup_cost;
}

void
nts_agg_add_split_paths(PlannerInfo *root, RelOptInfo *input, RelOptInfo *grouped, GroupPathExtraData *extra)
{
	Split		split = {.root = root, .input = input, .grouped = grouped, .extra = extra};
	bool		several;

	if (input->reloptkind != RELOPT_BASEREL || IS_DUMMY_REL(input) || !collect_tables(root, input, &split.tables))
		return;
	several = list_length(split.tables) > 1;
	if (list_length(split.tables) == 1 && linitial(split.tables) != input)
		add_only_table(&split);
	if (!nts_enable_partial_aggregate || (extra->flags & GROUPING_CAN_PARTIAL_AGG) == 0 ||
		!(several ? has_scan(&split, false) : may_be_parallel(&split)))
		return;
	split.target = make_states_target(root, grouped->reltarget, extra->havingQual);
	memset(&split.grouping, 0, sizeof(NtsGrouping));
	split.grouping.relid = input->relid;
	split.grouping.partial = true;
	if (!nts_grouping_understand(root, &split.grouping, split.target, root->parse->groupClause, extra->targetList))
		return;
	find_costs(root, extra);
	if (several)
		add_serial(&split);
	if (may_be_parallel(&split))
		add_parallel(&split);
}

/* ---- SELECT DISTINCT ---- */

/* The distinct rows of one table, or all of them where our node does not read it; NULL: not even that. */
static Path *
make_distinct(const Split *split, RelOptInfo *table, bool *ours)
{
	NtsGrouping grouping = translate_grouping(split, table);
	PathTarget *target = translate_target(split, table, split->target);
	Path	   *scan = nts_scan_path_below(table);
	Path	   *path = NULL;

	if (scan != NULL)
		path = nts_grouping_path(split->root, &grouping, table, target, scan);
	if (path != NULL)
	{
		*ours = true;
		return path;
	}
	path = table->cheapest_total_path;
	if (path == NULL || path->param_info != NULL)
		return NULL;
	return (Path *) create_projection_path(split->root, table, path, target);
}

void
nts_distinct_add_split_path(PlannerInfo *root, RelOptInfo *input, RelOptInfo *output, List *clauses)
{
	Split		split = {.root = root, .input = input, .target = root->upper_targets[UPPERREL_DISTINCT]};
	bool		ours = false;
	bool		expression = false;
	double		bytes = 0;
	List	   *paths = NIL;
	Path	   *all;
	ListCell   *cell;

	if (input->reloptkind != RELOPT_BASEREL || IS_DUMMY_REL(input) || !grouping_is_hashable(root->parse->distinctClause) ||
		!collect_tables(root, input, &split.tables) || split.tables == NIL || linitial(split.tables) == input)
		return;
	split.grouping.relid = input->relid;
	if (!has_scan(&split, false) ||
		!nts_grouping_understand(root, &split.grouping, split.target, clauses, root->processed_tlist))
		return;
	/* of plain columns each table gives its own rows already: nts_distinct_add_child_path */
	foreach(cell, split.grouping.keys)
		expression |= !IsA(lfirst(cell), Var);
	if (!expression)
		return;
	foreach(cell, split.tables)
	{
		bool		by_node = false;
		Path	   *path = make_distinct(&split, lfirst(cell), &by_node);

		if (path == NULL)
			return;
		if (by_node)
			bytes += path->rows * nts_agg_group_size(list_length(split.grouping.keys), 0);
		ours |= by_node;
		paths = lappend(paths, path);
	}
	/* each node keeps its groups to the end of the query, and they are counted for it alone */
	if (!ours || bytes > get_hash_memory_limit())
		return;
	all = make_append(&split, paths, NIL, 0, false);
	add_path(output, (Path *) create_agg_path(root, output, all, split.target, AGG_HASHED, AGGSPLIT_SIMPLE,
											  root->parse->distinctClause, NIL, NULL,
											  nts_agg_estimate_groups(root, split.grouping.keys, input->rows)));
}
