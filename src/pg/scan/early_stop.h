/*
 * early_stop.h - inside of this room: groups in the order of a time bucket, read window by window.
 */
#ifndef NTS_SCAN_EARLY_STOP_H
#define NTS_SCAN_EARLY_STOP_H

#include "postgres.h"

#include "nodes/pathnodes.h"

#include "pg/scan/aggregate.h"

/* What the plan says, as integers. */
typedef struct NtsEarlyPlan
{
	int			key;			/* which group key is the bucket */
	bool		descending;
	bool		nulls_first;
	int			buckets;		/* that are expected to be asked for */
} NtsEarlyPlan;

/* ---- early_stop_path.c ---- */

/*
 * The ordered twin of an aggregate path, if the query asks for the order of a bucket first; else NULL. Its one pathkey is
 * that bucket, the fourth entry of its custom_private the list below. keys: the group keys as the query has them, where
 * the path may have those of a partition.
 */
extern Path *nts_early_stop_path(PlannerInfo *root, const CustomPath *path, List *keys);
extern void nts_early_plan_read(List *list, NtsEarlyPlan *plan);

/* ---- early_stop.c ---- */

typedef struct NtsEarlyStop NtsEarlyStop;

/*
 * keys: vectors, the plan's key among them. inner: who else may answer for rows (skip_group and skip_vector alone), of the
 * window as far as conditions let them pass; `all`: every row of the row group, or vector, does and lies in it. Or NULL.
 */
extern NtsEarlyStop *nts_early_stop_make(const NtsEarlyPlan *plan, CustomScanState *child, const NtsScanChooser *inner,
										 NtsAggVectors *vectors, const int *keys);
/* All is to be read anew: the child has been told, or will be; groups are forgotten. */
extern void nts_early_stop_reset(NtsEarlyStop *stop);
/* Lets the child select rows of the next window; false: there is none. */
extern bool nts_early_stop_enter(NtsEarlyStop *stop);
/* Narrows [*first, *last] to the times of the window. */
extern void nts_early_stop_bound(const NtsEarlyStop *stop, int64 *first, int64 *last);
/* Those rows are in the table: notes the groups that no later window can add to, in order, in `context`. */
extern void nts_early_stop_leave(NtsEarlyStop *stop, NtsAggTable *table, MemoryContext context);
/* The i-th group; NULL: not noted yet. */
extern NtsAggGroup *nts_early_stop_group(const NtsEarlyStop *stop, uint64 i);
/* The next window takes all that is left, or the one after it. */
extern void nts_early_stop_take_rest(NtsEarlyStop *stop);
/* Was the group noted? */
extern bool nts_early_stop_is_noted(const NtsEarlyStop *stop, const NtsAggGroup *group);
/* An order of tuples that have the group keys first: that of the groups. Begins a sort of them, in the current memory
 * context. */
extern struct Tuplesortstate *nts_early_stop_begin_sort(const NtsEarlyStop *stop, TupleDesc desc);
/* keys: the group keys as text. */
extern void nts_early_stop_explain(const NtsEarlyStop *stop, List *keys, struct ExplainState *es);

#endif							/* NTS_SCAN_EARLY_STOP_H */
