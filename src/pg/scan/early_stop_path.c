/*
 * early_stop_path.c - the aggregate node's ordered twin: GROUP BY bucket ORDER BY bucket [DESC] LIMIT n.
 *
 * It promises the order of the bucket alone; PostgreSQL sorts what is left of ORDER BY within a bucket (Incremental
 * Sort). Reading all windows costs more than reading all at once, so the twin wins only where a LIMIT, or a cursor,
 * takes a part.
 */
#include "postgres.h"

#include <math.h>

#include "access/stratnum.h"
#include "catalog/pg_type_d.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "utils/typcache.h"

#include "nodedb_ts/core.h"
#include "pg/guc.h"
#include "pg/scan/early_stop.h"
#include "pg/scan/filter.h"

#define MAX_BUCKETS 10000
#define BUCKETS_UNKNOWN 10
/* Shares of what reading all at once costs: all windows; the least that the first one does. */
#define ALL_WINDOWS 2.5
#define FIRST_WINDOW 0.02

static List *
plan_list(const NtsEarlyPlan *plan)
{
	return list_make4_int(plan->key, plan->descending, plan->nulls_first, plan->buckets);
}

void
nts_early_plan_read(List *list, NtsEarlyPlan *plan)
{
	plan->key = linitial_int(list);
	plan->descending = lsecond_int(list) != 0;
	plan->nulls_first = lthird_int(list) != 0;
	plan->buckets = lfourth_int(list);
}

/* The group key that the path key orders by, if it is a bucket whose words are ordered as they are; or -1. */
static int
ordered_key(const PathKey *pathkey, List *keys)
{
	ListCell   *key_cell;
	ListCell   *cell;

	foreach(cell, pathkey->pk_eclass->ec_members)
		foreach(key_cell, keys)
		{
			Expr	   *key = lfirst(key_cell);
			Oid			type = exprType((Node *) key);
			struct NtsBucket *bucket;

			if (!equal(lfirst_node(EquivalenceMember, cell)->em_expr, key))
				continue;
			bucket = nts_bucket_recognize(key, CurrentMemoryContext);
			if (bucket != NULL && nts_bucket_is_ordered(bucket) &&
				nts_filter_word_order(type) == NTS_ORDER_INT &&
				lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY)->btree_opf == pathkey->pk_opfamily)
				return foreach_current_index(key_cell);
		}
	return -1;
}

/* Buckets that are asked for, about. */
static int
wanted_buckets(PlannerInfo *root, double groups, double buckets)
{
	double		wanted = BUCKETS_UNKNOWN;

	if (root->tuple_fraction >= 1)
		wanted = ceil(root->tuple_fraction * buckets / groups);
	/* who sorts within a bucket asks for a row of the next one */
	wanted += list_length(root->sort_pathkeys) > 1 ? 1 : 0;
	return (int) Max(1, Min(wanted, MAX_BUCKETS));
}

Path *
nts_early_stop_path(PlannerInfo *root, const CustomPath *path, List *keys)
{
	const Path *scan = linitial(path->custom_paths);
	List	   *own_keys = linitial(path->custom_private);
	NtsEarlyPlan plan;
	PathKey    *pathkey;
	CustomPath *ordered;
	double		run_cost;
	double		buckets;
	double		first;

	if (!nts_enable_early_stop || root->sort_pathkeys == NIL)
		return NULL;
	pathkey = linitial_node(PathKey, root->sort_pathkeys);
	plan.key = ordered_key(pathkey, keys);
	/* rows are looked at in more than one window */
	if (plan.key < 0 || nts_has_volatile_condition(scan->parent))
		return NULL;
	plan.descending = pathkey->pk_strategy == BTGreaterStrategyNumber;
	plan.nulls_first = pathkey->pk_nulls_first;
	buckets = nts_agg_estimate_groups(root, list_make1(list_nth(own_keys, plan.key)), scan->rows);
	plan.buckets = wanted_buckets(root, Max(path->path.rows, buckets), buckets);
	ordered = makeNode(CustomPath);
	*ordered = *path;
	ordered->path.pathkeys = list_make1(pathkey);
	run_cost = path->path.startup_cost - scan->startup_cost;
	first = Min(1.0, FIRST_WINDOW + plan.buckets / buckets);
	ordered->path.startup_cost = scan->startup_cost + first * run_cost;
	ordered->path.total_cost += (ALL_WINDOWS - 1) * run_cost;
	ordered->custom_private = list_copy(path->custom_private);
	lfourth(ordered->custom_private) = plan_list(&plan);
	return &ordered->path;
}
