/*
 * scan_path.c - the planner's side of a scan node: paths, their costs, the plan.
 *
 * Conditions become filters where they can; below a security barrier only those that belong to it or are leak-proof.
 * A query that asks for system columns other than ctid and tableoid is left to PostgreSQL's own scans.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/selfuncs.h"
#include "utils/spccache.h"

#include "pg/guc.h"
#include "pg/scan/aggregate_path.h"
#include "pg/scan/best.h"
#include "pg/scan/custom_scan.h"
#include "pg/scan/join_path.h"
#include "pg/scan/ordered.h"

static set_rel_pathlist_hook_type previous_hook = NULL;

static const CustomPathMethods path_methods = {
	.CustomName = "nodedb_ts scan",
	.PlanCustomPath = nts_scan_plan,
};

static bool
is_scan_path(const Path *path)
{
	return IsA(path, CustomPath) && ((const CustomPath *) path)->methods == &path_methods;
}

/* Of a list of paths; or NULL. */
static Path *
cheapest_scan(const RelOptInfo *rel, const List *paths)
{
	Path	   *best = NULL;
	ListCell   *cell;

	if ((rel->reloptkind != RELOPT_BASEREL && rel->reloptkind != RELOPT_OTHER_MEMBER_REL) ||
		!bms_is_empty(rel->lateral_relids))
		return NULL;
	/* conditions without columns are checked by a node between the scan and the one above */
	foreach(cell, rel->baserestrictinfo)
		if (lfirst_node(RestrictInfo, cell)->pseudoconstant)
			return NULL;
	foreach(cell, paths)
	{
		Path	   *path = lfirst(cell);

		while (IsA(path, ProjectionPath))
			path = ((ProjectionPath *) path)->subpath;
		if (is_scan_path(path) && path->param_info == NULL &&
			(best == NULL || path->total_cost < best->total_cost))
			best = path;
	}
	return best;
}

Path *
nts_scan_path_below(const RelOptInfo *rel)
{
	return cheapest_scan(rel, rel->pathlist);
}

Path *
nts_partial_scan_path_below(const RelOptInfo *rel)
{
	return cheapest_scan(rel, rel->partial_pathlist);
}

bool
nts_scan_may_go_first(const RelOptInfo *rel, const RestrictInfo *info)
{
	return info->security_level <= rel->baserestrict_min_security || info->leakproof;
}

bool
nts_has_volatile_condition(const RelOptInfo *rel)
{
	ListCell   *cell;

	foreach(cell, rel->baserestrictinfo)
		if (contain_volatile_functions((Node *) lfirst_node(RestrictInfo, cell)->clause))
			return true;
	return false;
}

/* Splits conditions into filters and the rest. They stay RestrictInfos, which remember what is estimated of them. */
static void
split_clauses(const RelOptInfo *rel, List *clauses, List **filters, List **rest)
{
	ListCell   *cell;

	*filters = NIL;
	*rest = NIL;
	foreach(cell, clauses)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, cell);

		if (info->pseudoconstant)
			continue;
		if (nts_scan_may_go_first(rel, info) && nts_filter_build(info->clause, rel->relid, NULL) != NULL)
			*filters = lappend(*filters, info);
		else
			*rest = lappend(*rest, info);
	}
}

Plan *
nts_scan_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses, List *custom_plans)
{
	CustomScan *plan = makeNode(CustomScan);
	List	   *filters;
	List	   *rest;

	split_clauses(rel, clauses, &filters, &rest);
	plan->custom_exprs = extract_actual_clauses(filters, false);
	plan->scan.plan.qual = extract_actual_clauses(rest, false);
	plan->scan.plan.targetlist = tlist;
	plan->scan.scanrelid = rel->relid;
	plan->flags = path->flags;
	plan->methods = &nts_scan_methods;
	return &plan->scan.plan;
}

/*
 * Columns that somebody above or a condition needs; false: one that a node of ours does not have, or a condition on
 * ctid, for which PostgreSQL has scans of its own.
 */
static bool
needed_columns(const RelOptInfo *rel, int *count)
{
	Bitmapset  *numbers = NULL;
	ListCell   *cell;
	int			number = -1;

	*count = 0;
	foreach(cell, rel->baserestrictinfo)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, cell)->clause, rel->relid, &numbers);
	if (bms_is_member(SelfItemPointerAttributeNumber - FirstLowInvalidHeapAttributeNumber, numbers))
		return false;
	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &numbers);
	while ((number = bms_next_member(numbers, number)) >= 0)
	{
		AttrNumber	attribute = number + FirstLowInvalidHeapAttributeNumber;

		if (attribute < 0 && attribute != SelfItemPointerAttributeNumber && attribute != TableOidAttributeNumber)
			return false;
		*count += attribute == 0 ? rel->max_attr : attribute > 0;
	}
	return true;
}

/* What the serial and the parallel path of a relation have in common. */
typedef struct ScanEstimate
{
	int			columns;		/* that are read */
	double		selectivity;	/* of the filters */
	QualCost	rest_cost;		/* of the other conditions */
} ScanEstimate;

static void
estimate_scan(PlannerInfo *root, RelOptInfo *rel, ScanEstimate *estimate)
{
	List	   *filters;
	List	   *rest;

	split_clauses(rel, rel->baserestrictinfo, &filters, &rest);
	estimate->selectivity = clauselist_selectivity(root, filters, rel->relid, JOIN_INNER, NULL);
	cost_qual_eval(&estimate->rest_cost, rest, root);
}

/*
 * Pages are read by column; what the filters leave out is mostly not read at all. A value costs a small share of what
 * an operator costs, a row that comes out half of what PostgreSQL takes for a tuple.
 */
static void
set_costs(const RelOptInfo *rel, const ScanEstimate *estimate, Path *path, double workers)
{
	double		read = Min(1.0, 2 * estimate->selectivity + 0.005);
	double		page_cost;
	double		cpu;
	double		disk;

	get_tablespace_page_costs(rel->reltablespace, NULL, &page_cost);
	disk = page_cost * rel->pages * read * Min(1.0, (estimate->columns + 1.0) / Max(rel->max_attr, 1));
	cpu = rel->tuples * read * cpu_operator_cost * 0.05 * Max(estimate->columns, 1);
	cpu += rel->tuples * estimate->selectivity * (cpu_tuple_cost * 0.5 + estimate->rest_cost.per_tuple);
	path->rows = path->param_info == NULL ? rel->rows : path->param_info->ppi_rows;
	path->startup_cost = rel->baserestrictcost.startup + path->pathtarget->cost.startup;
	if (workers > 0)
	{
		cpu /= workers;
		path->rows = clamp_row_est(path->rows / workers);
	}
	path->total_cost = path->startup_cost + disk + cpu + path->pathtarget->cost.per_tuple * path->rows;
}

static CustomPath *
make_path(PlannerInfo *root, RelOptInfo *rel, Relids outer)
{
	CustomPath *path = makeNode(CustomPath);

	path->path.pathtype = T_CustomScan;
	path->path.parent = rel;
	path->path.pathtarget = rel->reltarget;
	path->path.param_info = get_baserel_parampathinfo(root, rel, outer);
	path->path.parallel_safe = rel->consider_parallel;
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION | CUSTOMPATH_SUPPORT_BACKWARD_SCAN;
	path->methods = &path_methods;
	return path;
}

static CustomPath *
make_plain_path(PlannerInfo *root, RelOptInfo *rel, const ScanEstimate *estimate, int workers)
{
	CustomPath *path = make_path(root, rel, rel->lateral_relids);
	double		divisor = workers;

	path->path.parallel_aware = workers > 0;
	path->path.parallel_workers = workers;
	/* the leader takes part, less so beside many workers */
	if (workers > 0 && parallel_leader_participation)
		divisor += Max(1.0 - 0.3 * workers, 0);
	set_costs(rel, estimate, &path->path, divisor);
	return path;
}

/* How many values the first column has that segments are sorted by. */
static double
series_count(PlannerInfo *root, const RelOptInfo *rel, const NtsStorageOrder *order)
{
	RangeTblEntry *rte = root->simple_rte_array[rel->relid];
	Oid			type;
	Oid			collation;
	int32		typmod;
	Var		   *var;

	if (order->series == 0)
		return 1;
	get_atttypetypmodcoll(rte->relid, order->series, &type, &typmod, &collation);
	var = makeVar(rel->relid, order->series, type, typmod, collation, 0);
	return estimate_num_groups(root, list_make1(var), rel->tuples, NULL, NULL);
}

/*
 * Of each rescan: a look at each segment, and at the vectors of the row groups in which the values may be; their chunks are
 * copied from buffers that the rescan before has mostly filled; at least some hundred rows of each such row group are
 * decoded.
 */
static void
set_join_costs(PlannerInfo *root, const RelOptInfo *rel, const NtsStorageOrder *order, int columns, Path *path)
{
	List	   *clauses = list_concat_copy(rel->baserestrictinfo, path->param_info->ppi_clauses);
	double		group_share;
	double		groups = Max(rel->tuples / 65536, order->entries);
	double		row_share;
	double		page_cost;
	QualCost	quals;
	List	   *pruning = NIL;
	bool		by_series = false;
	List	   *filters;
	List	   *rest;
	ListCell   *cell;

	foreach(cell, clauses)
	{
		RestrictInfo *info = lfirst_node(RestrictInfo, cell);

		if (info->pseudoconstant)
			continue;
		if (nts_clause_prunes(rel, info, order->series))
			by_series = true;
		else if (!nts_clause_prunes(rel, info, order->time))
			continue;
		pruning = lappend(pruning, info);
	}
	split_clauses(rel, clauses, &filters, &rest);
	cost_qual_eval(&quals, rest, root);
	row_share = clauselist_selectivity(root, pruning, rel->relid, JOIN_INNER, NULL);
	/* times alone: at least a vector of each series */
	if (!by_series)
		row_share = Max(row_share, series_count(root, rel, order) * 1024 / Max(rel->tuples, 1));
	group_share = Min(1.0, Max(row_share, order->entries / groups));
	row_share = Min(1.0, row_share + group_share * 0.008);
	get_tablespace_page_costs(rel->reltablespace, NULL, &page_cost);
	path->rows = path->param_info->ppi_rows;
	path->startup_cost = rel->baserestrictcost.startup + quals.startup + path->pathtarget->cost.startup;
	path->total_cost = path->startup_cost + order->entries * 20 * cpu_operator_cost;
	path->total_cost += group_share * rel->tuples / 1024 * 4 * cpu_operator_cost;
	path->total_cost += group_share * rel->pages * 0.1 * page_cost * Min(1.0, (columns + 1.0) / Max(rel->max_attr, 1));
	path->total_cost += row_share * rel->tuples * cpu_operator_cost * 0.05 * Max(columns, 1);
	path->total_cost += path->rows * (cpu_tuple_cost * 0.5 + quals.per_tuple + path->pathtarget->cost.per_tuple);
}

/* Scans that take values from outer relations. */
static void
add_join_paths(PlannerInfo *root, RelOptInfo *rel, const NtsStorageOrder *order, int columns)
{
	ListCell   *cell;

	foreach(cell, nts_join_outers(root, rel, order))
	{
		CustomPath *path = make_path(root, rel, lfirst(cell));

		set_join_costs(root, rel, order, columns, &path->path);
		add_path(rel, (Path *) path);
	}
}

/* The plain path and, where it is known how rows lie, those that make use of that. */
static void
add_serial_paths(PlannerInfo *root, RelOptInfo *rel, Oid relid, const ScanEstimate *estimate)
{
	CustomPath *scan = make_plain_path(root, rel, estimate, 0);
	bool		joins = rel->joininfo != NIL || rel->has_eclass_joins;
	bool		ordered = nts_enable_ordered_scan && (joins || root->query_pathkeys != NIL) && nts_order_may_matter(root, rel);
	NtsStorageOrder order;
	List	   *paths = NIL;
	ListCell   *cell;

	nts_best_add_child_path(root, rel, scan);
	nts_distinct_add_child_path(root, rel, scan);
	if (rel->pages == 0 || !(joins || ordered) || !nts_storage_order(relid, &order))
	{
		add_path(rel, (Path *) scan);
		return;
	}
	if (ordered)
		paths = nts_order_paths(root, rel, relid, &order, scan);
	add_path(rel, (Path *) scan);
	foreach(cell, paths)
		add_path(rel, lfirst(cell));
	if (joins)
		add_join_paths(root, rel, &order, estimate->columns);
}

static bool
is_our_table(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	bool		ours = nts_is_nodedb_ts(rel);

	table_close(rel, NoLock);
	return ours;
}

static void
add_scan_paths(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	ScanEstimate estimate;

	if (previous_hook != NULL)
		previous_hook(root, rel, rti, rte);
	if (!nts_enable_scan || rte->rtekind != RTE_RELATION || rte->inh || rte->tablesample != NULL ||
		(rte->relkind != RELKIND_RELATION && rte->relkind != RELKIND_MATVIEW) || IS_DUMMY_REL(rel) ||
		!is_our_table(rte->relid) || !needed_columns(rel, &estimate.columns))
		return;
	estimate_scan(root, rel, &estimate);
	add_serial_paths(root, rel, rte->relid, &estimate);
	if (rel->consider_parallel && rel->lateral_relids == NULL)
	{
		int			workers = compute_parallel_worker(rel, rel->pages, -1, max_parallel_workers_per_gather);

		if (workers > 0)
			add_partial_path(rel, (Path *) make_plain_path(root, rel, &estimate, workers));
	}
}

void
nts_scan_init(void)
{
	previous_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = add_scan_paths;
	RegisterCustomScanMethods(&nts_scan_methods);
	nts_best_init();
}
