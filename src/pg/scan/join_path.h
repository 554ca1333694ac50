/*
 * join_path.h - inside of this room: conditions of joins as filters of the inner side's scan.
 */
#ifndef NTS_SCAN_JOIN_PATH_H
#define NTS_SCAN_JOIN_PATH_H

#include "postgres.h"

#include "nodes/pathnodes.h"

#include "pg/scan/filter.h"

/* How rows lie in the table's segments; 1-based numbers, 0: there is no such column. */
typedef struct NtsStorageOrder
{
	AttrNumber	series;			/* the first column that they are sorted by */
	int			series_count;	/* the columns that they are sorted by: */
	uint16		series_columns[16]; /* 0-based */
	AttrNumber	time;
	int			entries;		/* segments and delta extents */
	double		windows;		/* stretches of time that segments lie in, about */
	double		rows;			/* of a large segment, */
	double		series_in_rows;	/* and its series */
	double		newest_rows;	/* the same of the newest segment */
	double		newest_series;
	double	   *sample;			/* rows of segments, of all kinds of size: */
	int			sample_count;
	double		segment_rows;	/* of the table, without L0 */
} NtsStorageOrder;

/* false: the table has no segments. REQUIRES a lock on the table. */
extern bool nts_storage_order(Oid relid, NtsStorageOrder *order);
/* The share of the segments' rows that lie in segments with fewer rows a series, about. */
extern double nts_storage_short_share(const NtsStorageOrder *order, double rows_a_series);
/* Sets of outer relations (Relids) whose values would leave most of the relation unread. */
extern List *nts_join_outers(PlannerInfo *root, RelOptInfo *rel, const NtsStorageOrder *order);
/* Can the condition be a filter that leaves out rows by bounds of the column? */
extern bool nts_clause_prunes(const RelOptInfo *rel, const RestrictInfo *info, AttrNumber attribute);

/* scan_path.c: may the condition be looked at before all others of the relation? */
extern bool nts_scan_may_go_first(const RelOptInfo *rel, const RestrictInfo *info);

#endif							/* NTS_SCAN_JOIN_PATH_H */
