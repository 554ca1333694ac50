/*
 * best_path.c - when the planner may use the node of the best rows.
 *
 * ORDER BY column, ... LIMIT n over one table, where n may be known at execution only, and SELECT DISTINCT ON (key) ... ORDER
 * BY key, column: the newest row of each series. The first deciding column is one of words in its type's own order, the key one
 * whose equal values have equal bytes. Of a partitioned table each partition gives its best rows.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/appendinfo.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/planner.h"
#include "optimizer/tlist.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"
#include "utils/typcache.h"

#include "pg/compat.h"
#include "pg/guc.h"
#include "pg/scan/aggregate.h"
#include "pg/scan/best.h"
#include "pg/scan/filter.h"
#include "pg/scan/scan.h"

/* The share of the rows that PostgreSQL takes an unknown limit for. */
#define UNKNOWN_LIMIT 0.1

static create_upper_paths_hook_type previous_hook = NULL;

List *
nts_best_plan_list(const NtsBestPlan *plan)
{
	List	   *integers = list_make5_int(plan->column, plan->descending, plan->nulls_first, plan->limit, plan->key);
	List	   *oids = list_make3_oid(plan->key_operator, plan->key_collation, plan->key_nulls_first ? 1 : 0);
	ListCell   *cell;

	foreach(cell, plan->more)
	{
		const NtsBestOrder *order = lfirst(cell);

		integers = lappend_int(lappend_int(integers, order->column), order->nulls_first);
		oids = lappend_oid(lappend_oid(oids, order->operator), order->collation);
	}
	return list_make3(integers, oids, plan->limits);
}

void
nts_best_plan_read(const CustomScan *scan, NtsBestPlan *plan)
{
	List	   *integers = linitial(scan->custom_private);
	List	   *oids = lsecond(scan->custom_private);

	plan->column = linitial_int(integers);
	plan->descending = lsecond_int(integers);
	plan->nulls_first = lthird_int(integers);
	plan->limit = lfourth_int(integers);
	plan->key = list_nth_int(integers, 4);
	plan->key_operator = linitial_oid(oids);
	plan->key_collation = lsecond_oid(oids);
	plan->key_nulls_first = lthird_oid(oids) != 0;
	plan->limits = scan->custom_exprs;
	plan->more = NIL;
	for (int i = 0; 5 + 2 * i < list_length(integers); i++)
	{
		NtsBestOrder *order = palloc(sizeof(NtsBestOrder));

		order->column = list_nth_int(integers, 5 + 2 * i);
		order->nulls_first = list_nth_int(integers, 6 + 2 * i) != 0;
		order->operator = list_nth_oid(oids, 3 + 2 * i);
		order->collation = list_nth_oid(oids, 4 + 2 * i);
		plan->more = lappend(plan->more, order);
	}
}

static Plan *
make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses, List *custom_plans)
{
	CustomScan *plan = makeNode(CustomScan);
	/* no others are left: has_plain_columns. tlist may come later, out of these (CP_IGNORE_TLIST) */
	List	   *columns = pull_var_clause((Node *) path->path.pathtarget->exprs, 0);
	ListCell   *cell;

	plan->scan.plan.targetlist = tlist;
	plan->custom_plans = custom_plans;
	plan->custom_private = list_truncate(list_copy(path->custom_private), 2);
	/* where parameters are found, and followed */
	plan->custom_exprs = copyObject(lthird(path->custom_private));
	plan->flags = path->flags;
	plan->methods = &nts_best_methods;
	/* the rows as this node keeps them: the columns that the result needs, each once */
	foreach(cell, columns)
		plan->custom_scan_tlist = add_to_flat_tlist(plan->custom_scan_tlist, list_make1(lfirst(cell)));
	return &plan->scan.plan;
}

static const CustomPathMethods path_methods = {
	.CustomName = "nodedb_ts best rows",
	.PlanCustomPath = make_plan,
};

Var *
nts_sort_column(PlannerInfo *root, const RelOptInfo *rel, const SortGroupClause *clause)
{
	Node	   *node = get_sortgroupclause_expr((SortGroupClause *) clause, root->processed_tlist);
	Oid			collation = exprCollation(node);
	Var		   *var;

	if (IS_OTHER_REL(rel))
		node = NTS_TRANSLATE_TO_CHILD(root, node, rel,
											  find_base_rel(root, bms_singleton_member(rel->top_parent_relids)));
	var = (Var *) node;
	if (!IsA(node, Var) || var->varlevelsup != 0 || var->varattno <= 0 || !bms_is_member(var->varno, rel->relids))
		return NULL;
	/* arms of UNION ALL may have others than the whole */
	if (var->varcollid != collation)
		return NULL;
	return var;
}

/* Does the clause order words by their type's own order? */
static bool
read_order(const SortGroupClause *clause, const Var *var, NtsBestPlan *plan)
{
	TypeCacheEntry *type;

	if (var == NULL || nts_filter_word_order(var->vartype) == 0)
		return false;
	type = lookup_type_cache(var->vartype, TYPECACHE_LT_OPR | TYPECACHE_GT_OPR);
	if (clause->sortop != type->lt_opr && clause->sortop != type->gt_opr)
		return false;
	plan->column = var->varattno - 1;
	plan->descending = clause->sortop == type->gt_opr;
	plan->nulls_first = clause->nulls_first;
	return true;
}

/* DISTINCT ON (key) ... ORDER BY key, column */
static bool
read_distinct(PlannerInfo *root, RelOptInfo *rel, NtsBestPlan *plan)
{
	Query	   *parse = root->parse;
	SortGroupClause *distinct;
	SortGroupClause *first;
	SortGroupClause *second;
	Var		   *key;

	if (!parse->hasDistinctOn || list_length(parse->distinctClause) != 1 || list_length(parse->sortClause) != 2)
		return false;
	distinct = linitial(parse->distinctClause);
	first = linitial(parse->sortClause);
	second = lsecond(parse->sortClause);
	if (distinct->tleSortGroupRef != first->tleSortGroupRef)
		return false;
	key = nts_sort_column(root, rel, first);
	if (key == NULL || !nts_is_image_equal(key->vartype, distinct->eqop, key->varcollid) ||
		!read_order(second, nts_sort_column(root, rel, second), plan))
		return false;
	plan->limit = 1;
	plan->key = key->varattno - 1;
	plan->key_operator = first->sortop;
	plan->key_collation = key->varcollid;
	plan->key_nulls_first = first->nulls_first;
	return true;
}

static bool
is_known_number(const Node *node)
{
	return node != NULL && IsA(node, Const) && !((const Const *) node)->constisnull;
}

/* Sort columns after the first; false: one is an expression. */
static bool
read_more(PlannerInfo *root, RelOptInfo *rel, NtsBestPlan *plan)
{
	ListCell   *cell;

	for_each_from(cell, root->parse->sortClause, 1)
	{
		const SortGroupClause *clause = lfirst_node(SortGroupClause, cell);
		const Var  *var = nts_sort_column(root, rel, clause);
		NtsBestOrder *order;

		if (var == NULL)
			return false;
		order = palloc(sizeof(NtsBestOrder));
		order->column = var->varattno - 1;
		order->nulls_first = clause->nulls_first;
		order->operator = clause->sortop;
		order->collation = var->varcollid;
		plan->more = lappend(plan->more, order);
	}
	return true;
}

bool
nts_is_plain_query(const Query *parse)
{
	return parse->rowMarks == NIL && !parse->hasTargetSRFs && !parse->hasAggs && !parse->hasWindowFuncs &&
		parse->groupClause == NIL && parse->groupingSets == NIL && parse->havingQual == NULL;
}

double
nts_constant_limit(const Query *parse)
{
	double		offset = 0;

	if (parse->limitOption == LIMIT_OPTION_WITH_TIES || !is_known_number(parse->limitCount) ||
		(parse->limitOffset != NULL && !is_known_number(parse->limitOffset)))
		return -1;
	if (parse->limitOffset != NULL)
		offset = (double) DatumGetInt64(((const Const *) parse->limitOffset)->constvalue);
	return Max(offset, 0) + (double) DatumGetInt64(((const Const *) parse->limitCount)->constvalue);
}

double
nts_known_limit(const PlannerInfo *root)
{
	const Query *parse = root->parse;
	double		limit = nts_constant_limit(parse);

	return parse->distinctClause != NIL || parse->sortClause == NIL || !nts_is_plain_query(parse) || limit < 1 ? -1 : limit;
}

/* Can the node find out the limit as it begins, as the Limit above does? */
static bool
is_later_limit(Node *node)
{
	return !contain_volatile_functions(node) && !contain_subplans(node);
}

/* The limit of a query in an order: *limit, or 0 and what tells it at execution. false: there is none that can be used. */
static bool
read_number(const PlannerInfo *root, int *limit, List **limits)
{
	const Query *parse = root->parse;
	double		known = nts_known_limit(root);

	*limit = 0;
	*limits = NIL;
	if (known >= 0)
	{
		*limit = (int) Min(known, INT_MAX);
		return known <= INT_MAX;
	}
	if (parse->limitCount == NULL || parse->limitOption == LIMIT_OPTION_WITH_TIES || parse->distinctClause != NIL ||
		parse->sortClause == NIL || !nts_is_plain_query(parse) || nts_constant_limit(parse) >= 0 ||
		(IsA(parse->limitCount, Const) && ((const Const *) parse->limitCount)->constisnull) ||
		!is_later_limit(parse->limitCount) || !is_later_limit(parse->limitOffset))
		return false;
	*limits = list_make1(parse->limitCount);
	if (parse->limitOffset != NULL)
		*limits = lappend(*limits, parse->limitOffset);
	return true;
}

/* ORDER BY column, ... LIMIT n */
static bool
read_limit(PlannerInfo *root, RelOptInfo *rel, NtsBestPlan *plan)
{
	List	   *order = root->parse->sortClause;

	if (!read_number(root, &plan->limit, &plan->limits) ||
		!read_order(linitial(order), nts_sort_column(root, rel, linitial(order)), plan) || !read_more(root, rel, plan))
		return false;
	plan->key = -1;
	return true;
}

/* Columns of the result are plain ones. */
static bool
has_plain_columns(PathTarget *target)
{
	List	   *columns = pull_var_clause((Node *) target->exprs, PVC_INCLUDE_PLACEHOLDERS);
	ListCell   *cell;

	foreach(cell, columns)
		if (!IsA(lfirst(cell), Var) || lfirst_node(Var, cell)->varattno <= 0)
			return false;
	return true;
}

static bool
fit_into_memory(double rows, int width)
{
	return rows * (width + NTS_BEST_ROW_BYTES) <= get_hash_memory_limit();
}

bool
nts_best_may_limit(PlannerInfo *root, const RelOptInfo *rel)
{
	int			limit;
	List	   *limits;

	return nts_enable_best && bms_equal(IS_OTHER_REL(rel) ? rel->top_parent_relids : rel->relids, root->all_baserels) &&
		read_number(root, &limit, &limits) && fit_into_memory(limit, rel->reltarget->width);
}

/*
 * Rows that will be kept; false: they may take more memory than a hash table may. How many an unknown limit asks for is as
 * PostgreSQL has it; if they take more, they are sorted.
 */
static bool
estimate_rows(PlannerInfo *root, const Path *scan, const NtsBestPlan *plan,
			  const PathTarget *target, double *rows)
{
	if (plan->limits != NIL)
	{
		*rows = clamp_row_est(scan->rows * UNKNOWN_LIMIT);
		return true;
	}
	*rows = Min((double) plan->limit, clamp_row_est(scan->rows));
	if (plan->key >= 0)
	{
		Node	   *key = get_sortgroupclause_expr(linitial(root->parse->distinctClause), root->processed_tlist);

		*rows = estimate_num_groups(root, list_make1(key), clamp_row_est(scan->rows), NULL, NULL);
	}
	return fit_into_memory(*rows, target->width);
}

static Path *
make_path(PlannerInfo *root, RelOptInfo *rel, Path *scan, PathTarget *target, const NtsBestPlan *plan, double rows)
{
	CustomPath *path = makeNode(CustomPath);

	path->path.pathtype = T_CustomScan;
	path->path.parent = rel;
	path->path.pathtarget = target;
	path->path.parallel_safe = scan->parallel_safe;
	/* the Limit above takes its share of what may come */
	path->path.rows = plan->limits != NIL ? scan->rows : rows;
	/* most of what is not among the best is never decoded */
	path->path.startup_cost = scan->startup_cost + 0.25 * (scan->total_cost - scan->startup_cost) + rows * cpu_tuple_cost;
	path->path.total_cost = path->path.startup_cost + path->path.rows * (cpu_tuple_cost + target->cost.per_tuple);
	path->path.pathkeys = root->sort_pathkeys;
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
	path->custom_paths = list_make1(scan);
	path->custom_private = nts_best_plan_list(plan);
	path->methods = &path_methods;
	return &path->path;
}

static void
add_best_path(PlannerInfo *root, UpperRelationKind stage, RelOptInfo *input, RelOptInfo *output, void *extra)
{
	NtsBestPlan plan = {0};
	Path	   *scan;
	PathTarget *target;
	bool		found;
	double		rows;

	if (previous_hook != NULL)
		previous_hook(root, stage, input, output, extra);
	if (!nts_enable_best || (stage != UPPERREL_DISTINCT && stage != UPPERREL_ORDERED) || !nts_is_plain_query(root->parse) ||
		(scan = nts_scan_path_below(input)) == NULL)
		return;
	target = root->upper_targets[stage];
	found = stage == UPPERREL_DISTINCT ? read_distinct(root, input, &plan) : read_limit(root, input, &plan);
	if (!found || !estimate_rows(root, scan, &plan, target, &rows) || !has_plain_columns(target) ||
		contain_subplans((Node *) target->exprs) || contain_volatile_functions((Node *) target->exprs))
		return;
	add_path(output, make_path(root, output, scan, target, &plan, rows));
}

bool
nts_is_only_child(const PlannerInfo *root, const RelOptInfo *rel, const CustomPath *scan)
{
	ListCell   *cell;

	if (!IS_OTHER_REL(rel) || !bms_equal(rel->top_parent_relids, root->all_baserels) || rel->lateral_relids != NULL ||
		scan->path.param_info != NULL)
		return false;
	foreach(cell, rel->baserestrictinfo)
		if (lfirst_node(RestrictInfo, cell)->pseudoconstant)
			return false;
	return true;
}

/*
 * A partition, or another child, gives its own best rows in order, for PostgreSQL to merge: where the query reads
 * nothing but the parent. `scan` is not referred to: who adds paths may free it.
 */
void
nts_best_add_child_path(PlannerInfo *root, RelOptInfo *rel, const CustomPath *scan)
{
	NtsBestPlan plan = {0};
	CustomPath *child;
	bool		found;
	double		rows;

	if (!nts_enable_best || root->parse->commandType != CMD_SELECT || !nts_is_plain_query(root->parse) ||
		root->sort_pathkeys == NIL || !nts_is_only_child(root, rel, scan))
		return;
	found = root->parse->hasDistinctOn ? read_distinct(root, rel, &plan) : read_limit(root, rel, &plan);
	if (!found || !has_plain_columns(rel->reltarget) ||
		!estimate_rows(root, &scan->path, &plan, rel->reltarget, &rows))
		return;
	child = makeNode(CustomPath);
	*child = *scan;
	add_path(rel, make_path(root, rel, &child->path, rel->reltarget, &plan, rows));
}

void
nts_best_init(void)
{
	previous_hook = create_upper_paths_hook;
	create_upper_paths_hook = add_best_path;
	RegisterCustomScanMethods(&nts_best_methods);
}
