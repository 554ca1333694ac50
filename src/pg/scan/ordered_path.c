/*
 * ordered_path.c - when the planner may have a scan's rows in order, and at what cost.
 *
 * Offered are the leading columns of what the query wants to be ordered by (ORDER BY, windows, DISTINCT, GROUP BY), and the
 * order that segments have, for merge joins: series columns in any order and direction, then the time column, if few series
 * have the same values in those columns; the time alone also in windows that are sorted. What the series columns are is
 * taken from the newest segment, how many series there are from the largest; the node does right whatever they are.
 */
#include "postgres.h"

#include <math.h>

#include "access/stratnum.h"
#include "catalog/pg_type_d.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"
#include "utils/typcache.h"

#include "pg/compat.h"
#include "pg/guc.h"
#include "pg/scan/best.h"
#include "pg/scan/filter.h"
#include "pg/scan/ordered.h"

/* Series that tie are merged row by row. */
#define MOST_TIES 16
/* The time alone, otherwise: fewer segments behind each other might as well be sorted at once. */
#define FEWEST_WINDOWS 2

List *
nts_order_plan_list(const NtsOrderPlan *plan)
{
	List	   *integers = list_make3_int(plan->limit, plan->count, plan->by_time);
	List	   *oids = NIL;

	for (int i = 0; i < plan->count + plan->by_time; i++)
	{
		const NtsOrderKey *key = &plan->keys[i];

		integers = lappend_int(integers, key->column);
		integers = lappend_int(lappend_int(integers, key->descending), key->nulls_first);
		oids = lappend_oid(lappend_oid(oids, key->operator), key->collation);
	}
	return list_make2(integers, oids);
}

void
nts_order_plan_read(List *list, NtsOrderPlan *plan)
{
	List	   *integers = linitial(list);
	List	   *oids = lsecond(list);

	plan->limit = linitial_int(integers);
	plan->count = lsecond_int(integers);
	plan->by_time = lthird_int(integers) != 0;
	for (int i = 0; i < plan->count + plan->by_time; i++)
	{
		NtsOrderKey *key = &plan->keys[i];

		key->column = list_nth_int(integers, 3 + 3 * i);
		key->descending = list_nth_int(integers, 4 + 3 * i) != 0;
		key->nulls_first = list_nth_int(integers, 5 + 3 * i) != 0;
		key->operator = list_nth_oid(oids, 2 * i);
		key->collation = list_nth_oid(oids, 1 + 2 * i);
	}
}

static Plan *
make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses, List *custom_plans)
{
	Plan	   *plan = nts_scan_plan(root, rel, path, tlist, clauses, custom_plans);

	((CustomScan *) plan)->custom_private = path->custom_private;
	return plan;
}

static const CustomPathMethods path_methods = {
	.CustomName = "nodedb_ts ordered scan",
	.PlanCustomPath = make_plan,
};

/* ---- what can be had in order ---- */

static bool
is_series(const NtsStorageOrder *order, AttrNumber attribute)
{
	for (int i = 0; i < order->series_count; i++)
		if (order->series_columns[i] + 1 == attribute)
			return true;
	return false;
}

/* The member of a class that is a column of the relation, if there is one that segments may be in the order of. */
static const EquivalenceMember *
find_member(const RelOptInfo *rel, const EquivalenceClass *class, const NtsStorageOrder *order, AttrNumber *attribute)
{
	ListCell   *cell;

	foreach(cell, class->ec_members)
	{
		const EquivalenceMember *member = lfirst(cell);

		if (!bms_equal(member->em_relids, rel->relids))
			continue;
		*attribute = nts_filter_column((Node *) member->em_expr, rel->relid);
		if (*attribute > 0 && (is_series(order, *attribute) || *attribute == order->time))
			return member;
	}
	return NULL;
}

/* Has the column one value only, as far as rows pass? */
static bool
is_constant(PlannerInfo *root, const RelOptInfo *rel, AttrNumber attribute)
{
	ListCell   *cell;
	ListCell   *member_cell;

	foreach(cell, root->eq_classes)
	{
		const EquivalenceClass *class = lfirst(cell);

		if (!class->ec_has_const || class->ec_below_outer_join)
			continue;
		foreach(member_cell, class->ec_members)
		{
			const EquivalenceMember *member = lfirst(member_cell);

			if (bms_equal(member->em_relids, rel->relids) &&
				nts_filter_column((Node *) member->em_expr, rel->relid) == attribute)
				return true;
		}
	}
	return false;
}

static bool
has_column(const NtsOrderPlan *plan, int column)
{
	for (int i = 0; i < plan->count; i++)
		if (plan->keys[i].column == column)
			return true;
	return false;
}

static Var *
column_var(const RelOptInfo *rel, Oid relid, AttrNumber attribute)
{
	Oid			type;
	Oid			collation;
	int32		typmod;

	get_atttypetypmodcoll(relid, attribute, &type, &typmod, &collation);
	return makeVar(rel->relid, attribute, type, typmod, collation, 0);
}

/* How many series of a segment have the same values in the keys, of those that pass, about. */
static double
estimate_ties(PlannerInfo *root, const RelOptInfo *rel, Oid relid, const NtsStorageOrder *order, const NtsOrderPlan *plan)
{
	List	   *known = NIL;
	bool		all = true;

	for (int i = 0; i < order->series_count; i++)
	{
		AttrNumber	attribute = order->series_columns[i] + 1;

		if (has_column(plan, attribute - 1) || is_constant(root, rel, attribute))
			known = lappend(known, column_var(rel, relid, attribute));
		else
			all = false;
	}
	if (all)
		return 1;
	return order->series_in_rows / (known == NIL ? 1 : estimate_num_groups(root, known, rel->tuples, NULL, NULL));
}

/* Is it an order of words by value? */
static bool
is_time_order(const PathKey *pathkey, const EquivalenceMember *member)
{
	return nts_filter_word_order(member->em_datatype) == NTS_ORDER_INT &&
		lookup_type_cache(member->em_datatype, TYPECACHE_BTREE_OPFAMILY)->btree_opf == pathkey->pk_opfamily;
}

/* The leading path keys that the relation can be read in the order of. */
static List *
read_pathkeys(PlannerInfo *root, const RelOptInfo *rel, Oid relid, const NtsStorageOrder *order, List *pathkeys,
			  NtsOrderPlan *plan)
{
	List	   *taken = NIL;
	ListCell   *cell;

	memset(plan, 0, sizeof(*plan));
	foreach(cell, pathkeys)
	{
		PathKey    *pathkey = lfirst_node(PathKey, cell);
		AttrNumber	attribute;
		const EquivalenceMember *member = find_member(rel, pathkey->pk_eclass, order, &attribute);
		NtsOrderKey *key = &plan->keys[plan->count];
		bool		is_time;

		if (member == NULL || plan->count + 1 == NTS_MAX_ORDER_KEYS)
			break;
		is_time = !is_series(order, attribute);
		if (!is_time && order->rows < order->series_in_rows * NTS_ORDER_FEWEST_ROWS)
			break;
		if (is_time && (!is_time_order(pathkey, member) ||
						(estimate_ties(root, rel, relid, order, plan) > MOST_TIES &&
						 (plan->count > 0 || order->windows < FEWEST_WINDOWS))))
			break;
		key->operator = get_opfamily_member(pathkey->pk_opfamily, member->em_datatype, member->em_datatype,
											pathkey->pk_strategy);
		if (!OidIsValid(key->operator))
			break;
		key->column = attribute - 1;
		key->collation = pathkey->pk_eclass->ec_collation;
		key->descending = pathkey->pk_strategy == BTGreaterStrategyNumber;
		key->nulls_first = pathkey->pk_nulls_first;
		taken = lappend(taken, pathkey);
		plan->by_time = is_time;
		if (is_time)
			break;
		plan->count++;
	}
	return taken;
}

/* The order of segments, as far as merge joins or the query may want it. */
static List *
storage_pathkeys(PlannerInfo *root, RelOptInfo *rel, Oid relid, const NtsStorageOrder *order)
{
	List	   *pathkeys = NIL;

	for (int i = 0; i <= order->series_count; i++)
	{
		AttrNumber	attribute = i < order->series_count ? order->series_columns[i] + 1 : order->time;
		Var		   *column;
		TypeCacheEntry *entry;
		List	   *pathkey;

		if (attribute == 0)
			break;
		column = column_var(rel, relid, attribute);
		/* dropped since */
		if (!OidIsValid(column->vartype))
			break;
		entry = lookup_type_cache(column->vartype, TYPECACHE_LT_OPR);
		if (!OidIsValid(entry->lt_opr))
			break;
		pathkey = NTS_BUILD_PATHKEY(root, (Expr *) column, entry->lt_opr, rel->relids);
		if (pathkey == NIL)
			break;
		/* a column of one value orders nothing */
		if (!EC_MUST_BE_REDUNDANT(((PathKey *) linitial(pathkey))->pk_eclass))
			pathkeys = list_concat(pathkeys, pathkey);
	}
	return truncate_useless_pathkeys(root, rel, pathkeys);
}

/* ---- costs ---- */

#define GROUP_ROWS 65536

/* Do series lie in another order in segments than the one asked for, or its opposite? */
static bool
is_scattered(PlannerInfo *root, const RelOptInfo *rel, const NtsStorageOrder *order, const NtsOrderPlan *plan)
{
	int			at = 0;

	for (int i = 0; i < plan->count; i++, at++)
	{
		while (at < order->series_count && order->series_columns[at] != plan->keys[i].column &&
			   is_constant(root, rel, order->series_columns[at] + 1))
			at++;
		if (at >= order->series_count || order->series_columns[at] != plan->keys[i].column ||
			plan->keys[i].descending != plan->keys[0].descending)
			return true;
	}
	return false;
}

/* What the columns that tuples and conditions need, but those of the series, take. */
typedef struct ColumnsEstimate
{
	int			words;
	int			others;			/* of types by reference */
	double		width;			/* of all, in a decoded vector: bytes a row */
} ColumnsEstimate;

static void
estimate_columns(const RelOptInfo *rel, Oid relid, const NtsStorageOrder *order, ColumnsEstimate *columns)
{
	Bitmapset  *numbers = NULL;
	ListCell   *cell;

	memset(columns, 0, sizeof(*columns));
	foreach(cell, rel->baserestrictinfo)
		pull_varattnos((Node *) lfirst_node(RestrictInfo, cell)->clause, rel->relid, &numbers);
	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &numbers);
	for (AttrNumber attribute = 1; attribute <= rel->max_attr; attribute++)
	{
		bool		by_value;
		Oid			type;
		int16		length;

		if (!bms_is_member(attribute - FirstLowInvalidHeapAttributeNumber, numbers) &&
			!bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, numbers))
			continue;
		type = get_atttype(relid, attribute);
		if (!OidIsValid(type))
			continue;
		get_typlenbyval(type, &length, &by_value);
		columns->width += sizeof(Datum) + 1 + (by_value ? 0 : get_attavgwidth(relid, attribute));
		if (!is_series(order, attribute))
			*(by_value ? &columns->words : &columns->others) += 1;
	}
}

/* The share of the segments that conditions on their times leave. */
static double
time_share(PlannerInfo *root, const RelOptInfo *rel, const NtsStorageOrder *order)
{
	List	   *clauses = NIL;
	ListCell   *cell;

	foreach(cell, rel->baserestrictinfo)
		if (nts_clause_prunes(rel, lfirst(cell), order->time))
			clauses = lappend(clauses, lfirst(cell));
	return clauselist_selectivity(root, clauses, rel->relid, JOIN_INNER, NULL);
}

/* The share of the rows that are sorted before the first one comes: L0, short series, and what there is no room for. */
static double
sorted_share(PlannerInfo *root, const RelOptInfo *rel, const NtsStorageOrder *order, const NtsOrderPlan *plan,
			 const ColumnsEstimate *columns, double ties, bool scattered)
{
	double		limit = get_hash_memory_limit();
	double		rows_a_series = order->rows / Max(order->series_in_rows, 1);
	double		segments = Max(1, order->entries * time_share(root, rel, order));
	double		open = plan->count > 0 && rows_a_series < NTS_ORDER_VECTOR_ROWS ? segments : Max(1, segments / order->windows);
	double		run_bytes = sizeof(NtsOrderRun) + (sizeof(Datum) + sizeof(bool)) * plan->count;
	double		passing = Min(1, rel->rows / Max(rel->tuples, 1));
	double		bytes = columns->width * NTS_ORDER_VECTOR_ROWS;
	int			fewest = scattered ? NTS_ORDER_FEWEST_SCATTERED_ROWS : NTS_ORDER_FEWEST_ROWS;
	double		share = nts_storage_short_share(order, fewest);
	double		recent = Max(0, 1 - order->segment_rows / Max(rel->tuples, 1));
	double		room;

	/* the chunks of a row group stay */
	if (scattered)
		bytes += (double) rel->pages * BLCKSZ / Max(rel->tuples, 1) * Min(order->rows, GROUP_ROWS) *
			Min(1, (columns->words + columns->others + 1.0) / Max(rel->max_attr, 1));
	room = Min(1, limit / 2 / (open * bytes * (plan->by_time ? ties : 1)));
	room = Min(room, limit / (segments * order->series_in_rows * passing * run_bytes + 1));
	share += (1 - share) * (1 - room);
	return recent + (1 - recent) * share;
}

/* What PostgreSQL takes for sorting so many rows; the switch is for its own node. */
static void
sort_costs(PlannerInfo *root, const Path *path, double rows, double limit, Cost *startup, Cost *total)
{
	Path		sort = {0};
	Cost		switched_off = enable_sort ? 0 : disable_cost;

	cost_sort(&sort, root, path->pathkeys, 0, rows, path->pathtarget->width, 0, work_mem, limit);
	*startup = sort.startup_cost - switched_off;
	*total = sort.total_cost - switched_off;
}

/*
 * All of the plain scan, a little more for each row, and before the first one a look at each series of each segment
 * and all that must be sorted. The plain scan must stay cheaper by more than PostgreSQL takes for equal: nodes above may
 * want that one.
 *
 * Where series lie in another order, each vector is read for each of its series; a value of a type by reference then
 * takes as long as ten words, and a word half of what an operator costs.
 */
static void
set_costs(PlannerInfo *root, const RelOptInfo *rel, Oid relid, Path *path, const NtsStorageOrder *order,
		  const NtsOrderPlan *plan, double ties)
{
	double		run_cost = path->total_cost - path->startup_cost;
	double		look_cost = order->entries * (200 + order->series_in_rows * 2) * cpu_operator_cost;
	bool		scattered = is_scattered(root, rel, order, plan);
	ColumnsEstimate columns;
	double		share;
	double		merged;
	Cost		sort_startup;
	Cost		sort_total;

	estimate_columns(rel, relid, order, &columns);
	share = sorted_share(root, rel, order, plan, &columns, ties, scattered);
	merged = path->rows * (1 - share);
	path->startup_cost += look_cost;
	path->total_cost += look_cost + run_cost * 0.05 + path->rows * cpu_operator_cost;
	if (scattered)
		path->total_cost += merged * NTS_ORDER_VECTOR_ROWS * order->series_in_rows / order->rows *
			(columns.words + 10.0 * columns.others) * 0.5 * cpu_operator_cost;
	if (path->rows * share < 1)
		return;
	sort_costs(root, path, path->rows * share, plan->limit > 0 ? plan->limit : -1, &sort_startup, &sort_total);
	path->startup_cost += run_cost * share + sort_startup;
	path->total_cost += sort_total;
}

/* Windows are sorted one after the other: the first row comes when the first one is. */
static void
set_window_costs(PlannerInfo *root, Path *path, const NtsStorageOrder *order)
{
	double		run_cost = path->total_cost - path->startup_cost;
	Cost		sort_startup;
	Cost		sort_total;

	sort_costs(root, path, clamp_row_est(path->rows / order->windows), -1, &sort_startup, &sort_total);
	path->startup_cost += order->entries * 200 * cpu_operator_cost + run_cost / order->windows + sort_startup;
	path->total_cost += order->entries * 200 * cpu_operator_cost + run_cost * 0.05 + sort_total * order->windows;
}

static Path *
make_path(PlannerInfo *root, RelOptInfo *rel, Oid relid, const CustomPath *plain, const NtsStorageOrder *order,
		  List *pathkeys, const NtsOrderPlan *plan)
{
	CustomPath *path = makeNode(CustomPath);
	double		ties = estimate_ties(root, rel, relid, order, plan);

	*path = *plain;
	path->path.pathkeys = pathkeys;
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
	path->custom_private = nts_order_plan_list(plan);
	path->methods = &path_methods;
	if (plan->count == 0 && ties > MOST_TIES)
		set_window_costs(root, &path->path, order);
	else
		set_costs(root, rel, relid, &path->path, order, plan, ties);
	return &path->path;
}

/* Is the ctid asked for? What was sorted has none. */
static bool
needs_ctid(const RelOptInfo *rel)
{
	Bitmapset  *numbers = NULL;

	pull_varattnos((Node *) rel->reltarget->exprs, rel->relid, &numbers);
	return bms_is_member(SelfItemPointerAttributeNumber - FirstLowInvalidHeapAttributeNumber, numbers);
}

/* How many rows are asked for, at most, of those that come in the order of `taken`; 0: unknown. */
static int
known_limit(PlannerInfo *root, const RelOptInfo *rel, List *taken)
{
	double		limit = nts_known_limit(root);

	if (limit > INT_MAX || limit < 0 || !pathkeys_contained_in(root->sort_pathkeys, taken) ||
		!bms_equal(IS_OTHER_REL(rel) ? rel->top_parent_relids : rel->relids, root->all_baserels))
		return 0;
	return (int) limit;
}

bool
nts_order_may_matter(PlannerInfo *root, const RelOptInfo *rel)
{
	ListCell   *cell;
	ListCell   *member_cell;

	/* each path key has its class */
	foreach(cell, root->eq_classes)
	{
		EquivalenceClass *class = lfirst(cell);

		if (EC_MUST_BE_REDUNDANT(class))
			continue;
		foreach(member_cell, class->ec_members)
		{
			const EquivalenceMember *member = lfirst(member_cell);

			if (bms_equal(member->em_relids, rel->relids) &&
				nts_filter_column((Node *) member->em_expr, rel->relid) > 0)
				return true;
		}
	}
	return false;
}

List *
nts_order_paths(PlannerInfo *root, RelOptInfo *rel, Oid relid, const NtsStorageOrder *order, const CustomPath *plain)
{
	NtsOrderPlan plan;
	List	   *wanted;
	List	   *stored;
	List	   *paths = NIL;

	/* conditions may be evaluated for some rows more than once */
	if (needs_ctid(rel) || nts_has_volatile_condition(rel))
		return NIL;
	wanted = read_pathkeys(root, rel, relid, order, root->query_pathkeys, &plan);
	plan.limit = known_limit(root, rel, wanted);
	/* the newest rows of all are the business of the node of the best rows */
	if (wanted != NIL && (plan.count > 0 || !nts_best_may_limit(root, rel)))
		paths = lappend(paths, make_path(root, rel, relid, plain, order, wanted, &plan));
	stored = read_pathkeys(root, rel, relid, order, storage_pathkeys(root, rel, relid, order), &plan);
	if (stored != NIL && !pathkeys_contained_in(stored, wanted))
		paths = lappend(paths, make_path(root, rel, relid, plain, order, stored, &plan));
	return paths;
}
