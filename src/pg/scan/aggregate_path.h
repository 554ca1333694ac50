/*
 * aggregate_path.h - inside of this room: what a query groups, and paths of the aggregate node.
 */
#ifndef NTS_SCAN_AGGREGATE_PATH_H
#define NTS_SCAN_AGGREGATE_PATH_H

#include "postgres.h"

#include "nodes/pathnodes.h"

/* What is made of one table, in its own columns. */
typedef struct NtsGrouping
{
	Index		relid;			/* the table */
	bool		partial;		/* the aggregates' states are asked for, not their results */
	List	   *keys;			/* expressions */
	List	   *aggregates;		/* Aggrefs, each once */
	List	   *having;
	List	   *evaluated;		/* expressions whose cost was counted: each is evaluated once a row */
	Bitmapset  *transitions;	/* of the aggregates whose cost was counted: others share their state */
	double		call_cost;		/* per row: expressions and functions that the executor calls */
	Size		state_bytes;	/* per group, beside what the node keeps itself */
} NtsGrouping;

/* aggregate_path.c */
/*
 * Can the node make the target and HAVING? Fills what is behind `having`, and the keys: of these SortGroupClauses, which
 * refer to target_list. REQUIRES relid, partial and having to be set, all else zeroed.
 */
extern bool nts_grouping_understand(PlannerInfo *root, NtsGrouping *grouping, const PathTarget *target, List *clauses,
									List *target_list);
/* Are values of the key that are equal by this operator one group to the node? */
extern bool nts_agg_is_groupable(const Expr *expr, Oid equality);
/* A path of `parent` that makes the target of what the scan gives; NULL: states of so many groups do not fit into memory. */
extern Path *nts_grouping_path(PlannerInfo *root, const NtsGrouping *grouping, RelOptInfo *parent,
							   PathTarget *target, Path *scan);
/*
 * All there are of such paths, for a stage of planning: in no order, in the query's, and in that of a bucket. keys: the
 * group keys as the query has them, where grouping may have those of a partition.
 */
extern List *nts_grouping_paths(PlannerInfo *root, const NtsGrouping *grouping, List *keys, UpperRelationKind stage,
								RelOptInfo *parent, PathTarget *target, Path *scan);
/* Adds them to the stage's relation. */
extern void nts_grouping_add_paths(PlannerInfo *root, const NtsGrouping *grouping, UpperRelationKind stage, RelOptInfo *grouped,
								   PathTarget *target, Path *scan);
/* How many groups `rows` rows make by these keys. */
extern double nts_agg_estimate_groups(PlannerInfo *root, List *keys, double rows);

/* aggregate_split_path.c */
/* Adds paths that aggregate in several places: in parallel workers, in partitions and inheriting tables. */
extern void nts_agg_add_split_paths(PlannerInfo *root, RelOptInfo *input, RelOptInfo *grouped,
									GroupPathExtraData *extra);
/* The same of SELECT DISTINCT of expressions: a path that makes them in each partition first. clauses: those of DISTINCT that
 * are no constants. */
extern void nts_distinct_add_split_path(PlannerInfo *root, RelOptInfo *input, RelOptInfo *output, List *clauses);

/* distinct_path.c */
/* SELECT DISTINCT of one table. */
extern void nts_distinct_add_path(PlannerInfo *root, RelOptInfo *input, RelOptInfo *output);
/* What such a query needs of a partition or another child. `scan` is not referred to: who adds paths may free it. */
extern void nts_distinct_add_child_path(PlannerInfo *root, RelOptInfo *rel, const CustomPath *scan);

#endif							/* NTS_SCAN_AGGREGATE_PATH_H */
