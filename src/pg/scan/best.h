/*
 * best.h - inside of this room: the node that takes the best rows by a column of words, n of all rows (ORDER BY ...
 * LIMIT n) or one for each value of a key (DISTINCT ON).
 */
#ifndef NTS_SCAN_BEST_H
#define NTS_SCAN_BEST_H

#include "postgres.h"

#include "nodes/extensible.h"
#include "nodes/pathnodes.h"

/* A sort column after the first, of any type. */
typedef struct NtsBestOrder
{
	int			column;			/* 0-based */
	bool		nulls_first;
	Oid			operator;
	Oid			collation;
} NtsBestOrder;

/* What the plan says, as integers in custom_private. */
typedef struct NtsBestPlan
{
	int			column;			/* 0-based: the one that decides */
	bool		descending;
	bool		nulls_first;
	int			limit;			/* rows; with a key 1 for each of its values; 0: the execution tells, by `limits` */
	int			key;			/* 0-based column, or -1 */
	bool		key_nulls_first;
	Oid			key_operator;	/* orders the result */
	Oid			key_collation;
	List	   *more;			/* NtsBestOrder: without a key */
	List	   *limits;			/* expressions of LIMIT and, perhaps, OFFSET: in custom_exprs */
} NtsBestPlan;

#define NTS_BEST_ROW_BYTES 128	/* of memory for a row that is kept, beside its values, about */

extern List *nts_best_plan_list(const NtsBestPlan *plan);
extern void nts_best_plan_read(const CustomScan *scan, NtsBestPlan *plan);

/* How many rows a LIMIT needs, with those that an OFFSET skips; -1: unknown. */
extern double nts_constant_limit(const Query *parse);
/* How many rows in the query's order are wanted, at most, of a relation that is all that it reads; -1: unknown. */
extern double nts_known_limit(const PlannerInfo *root);
/* Does the query want no more of the relation than its best rows, few enough for memory as far as is known? */
extern bool nts_best_may_limit(PlannerInfo *root, const RelOptInfo *rel);
/* The table's column that a sort clause orders by, or NULL. */
extern Var *nts_sort_column(PlannerInfo *root, const RelOptInfo *rel, const SortGroupClause *clause);
/* Is a row of the scan no more than a row of the result, whatever stands above? */
extern bool nts_is_plain_query(const Query *parse);
/* A partition, or another child, of the only thing that the query reads: `scan`, or fewer rows, may be all that it gives. */
extern bool nts_is_only_child(const PlannerInfo *root, const RelOptInfo *rel, const CustomPath *scan);
/* Its best rows. `scan` is not referred to: who adds paths may free it. */
extern void nts_best_add_child_path(PlannerInfo *root, RelOptInfo *rel, const CustomPath *scan);

extern const CustomScanMethods nts_best_methods;
extern void nts_best_init(void);

#endif							/* NTS_SCAN_BEST_H */
