/*
 * distinct_path.c - SELECT DISTINCT by the aggregate node: groups without aggregates.
 *
 * Of a partitioned or inherited table each table gives its own distinct rows, of which PostgreSQL makes those of all.
 */
#include "postgres.h"

#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/tlist.h"

#include "pg/guc.h"
#include "pg/scan/aggregate.h"
#include "pg/scan/aggregate_path.h"
#include "pg/scan/best.h"
#include "pg/scan/scan.h"

static bool
is_distinct_query(const Query *parse)
{
	return nts_enable_vectorized_aggregate && parse->commandType == CMD_SELECT && parse->distinctClause != NIL &&
		!parse->hasDistinctOn && nts_is_plain_query(parse);
}

/* Those that rows may differ in. */
static List *
varying_clauses(PlannerInfo *root)
{
	List	   *clauses = NIL;
	ListCell   *cell;

	foreach(cell, root->parse->distinctClause)
		if (!IsA(get_sortgroupclause_expr(lfirst_node(SortGroupClause, cell), root->processed_tlist), Const))
			clauses = lappend(clauses, lfirst(cell));
	return clauses;
}

void
nts_distinct_add_path(PlannerInfo *root, RelOptInfo *input, RelOptInfo *output)
{
	NtsGrouping grouping = {0};
	PathTarget *target = root->upper_targets[UPPERREL_DISTINCT];
	List	   *clauses;
	Path	   *scan;

	if (!is_distinct_query(root->parse) || (clauses = varying_clauses(root)) == NIL)
		return;
	if (nts_enable_partial_aggregate)
		nts_distinct_add_split_path(root, input, output, clauses);
	scan = nts_scan_path_below(input);
	grouping.relid = input->relid;
	if (scan != NULL && nts_grouping_understand(root, &grouping, target, clauses, root->processed_tlist))
		nts_grouping_add_paths(root, &grouping, UPPERREL_DISTINCT, output, target, scan);
}

/* Finds the keys: columns of the child, and nothing else is asked of it. */
static bool
find_child_keys(PlannerInfo *root, const RelOptInfo *rel, NtsGrouping *grouping)
{
	ListCell   *cell;

	foreach(cell, varying_clauses(root))
	{
		const SortGroupClause *clause = lfirst_node(SortGroupClause, cell);
		Var		   *key = nts_sort_column(root, rel, clause);

		if (key == NULL || !nts_agg_is_groupable((Expr *) key, clause->eqop))
			return false;
		grouping->keys = list_append_unique(grouping->keys, key);
	}
	return grouping->keys != NIL && list_length(grouping->keys) <= NTS_AGG_MAX_KEYS &&
		list_difference(rel->reltarget->exprs, grouping->keys) == NIL;
}

void
nts_distinct_add_child_path(PlannerInfo *root, RelOptInfo *rel, const CustomPath *scan)
{
	NtsGrouping grouping = {0};
	CustomPath *child;
	Path	   *path;

	if (!is_distinct_query(root->parse) || !nts_is_only_child(root, rel, scan) || !find_child_keys(root, rel, &grouping))
		return;
	grouping.relid = rel->relid;
	child = makeNode(CustomPath);
	*child = *scan;
	path = nts_grouping_path(root, &grouping, rel, rel->reltarget, &child->path);
	if (path != NULL)
		add_path(rel, path);
}
