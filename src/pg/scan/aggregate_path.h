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
 * Can the node make the target and HAVING? Fills what is behind `having`, and the keys, which it finds in target_list.
 * REQUIRES relid, partial and having to be set, all else zeroed.
 */
extern bool nts_grouping_understand(PlannerInfo *root, NtsGrouping *grouping, const PathTarget *target,
									List *target_list);
/* A path of `parent` that makes the target of what the scan gives; NULL: states of so many groups do not fit into memory. */
extern Path *nts_grouping_path(PlannerInfo *root, const NtsGrouping *grouping, RelOptInfo *parent,
							   PathTarget *target, Path *scan);
/* How many groups `rows` rows make by these keys. */
extern double nts_agg_estimate_groups(PlannerInfo *root, List *keys, double rows);

/* aggregate_split_path.c */
/* Adds paths that aggregate in several places: in parallel workers, in partitions and inheriting tables. */
extern void nts_agg_add_split_paths(PlannerInfo *root, RelOptInfo *input, RelOptInfo *grouped,
									GroupPathExtraData *extra);

#endif							/* NTS_SCAN_AGGREGATE_PATH_H */
