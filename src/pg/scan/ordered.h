/*
 * ordered.h - inside of this room: the rows of a scan node in the order of series columns and time.
 *
 * ordered_path.c offers such scans, ordered_runs.c finds the series in segments, ordered.c merges them (ordered_merge.h).
 */
#ifndef NTS_SCAN_ORDERED_H
#define NTS_SCAN_ORDERED_H

#include "postgres.h"

#include "nodes/pathnodes.h"
#include "utils/sortsupport.h"

#include "pg/scan/aggregate_intern.h"
#include "pg/scan/custom_scan.h"
#include "pg/scan/join_path.h"

/* One column of the order. */
typedef struct NtsOrderKey
{
	int			column;			/* 0-based */
	Oid			operator;
	Oid			collation;
	bool		descending;
	bool		nulls_first;
} NtsOrderKey;

#define NTS_MAX_ORDER_KEYS 17

/* Rows of a full vector. */
#define NTS_ORDER_VECTOR_ROWS 1024

/* Series of fewer rows on average are sorted faster than merged, */
#define NTS_ORDER_FEWEST_ROWS 16
/* and of fewer than these if they do not lie in order: each vector would be read for one of them. */
#define NTS_ORDER_FEWEST_SCATTERED_ROWS 64

/* Columns that may be series columns, in any order, and perhaps a time column behind them. */
typedef struct NtsOrderPlan
{
	int			limit;			/* no more rows are asked for; 0: unknown */
	int			count;			/* of keys, without that of the time */
	bool		by_time;		/* keys[count] is a column of times */
	NtsOrderKey keys[NTS_MAX_ORDER_KEYS];
} NtsOrderPlan;

/* ---- ordered_runs.c ---- */

/* The rows of one series in a segment: positions there. */
typedef struct NtsOrderRun
{
	uint32		begin;
	uint32		end;
	uint32		number;			/* of its values in the stream's lists */
} NtsOrderRun;

/* A vector that was read, with its place in the reader. */
typedef struct NtsOrderVector
{
	NtsReaderPlace place;
	bool		keeps_chunks;	/* for the next vector */
	bool		loaded;
	bool		filled;			/* its set has all columns that tuples need */
	uint32		group;
	uint32		vector;
	uint32		first;			/* position of its first row in the segment, */
	uint32		end;			/* and behind its last */
	bool		all;			/* every row passes the conditions; otherwise these do: */
	uint32		count;
	uint32	   *rows;
	uint32		room;
	uint64		set_bytes;		/* as they were counted last: of the set, */
	uint64		chunk_bytes;	/* and of chunks */
} NtsOrderVector;

/* A segment whose rows come series by series. */
typedef struct NtsOrderStream
{
	MemoryContext context;		/* holds this and the runs */
	int			entry;
	int64		first_time;		/* turned; none is less, */
	int64		last_time;		/* and none greater */
	NtsOrderRun *runs;			/* in order */
	uint32		run_count;
	Datum	   *values;			/* [run_count * plan->count]; by reference: the same address if they are equal */
	bool	   *nulls;
	uint32		next_run;
	bool		scattered;		/* runs lie in another order */
	bool		shares_vectors; /* several series are in one vector, on average */
	uint64		chunk_bytes;	/* that the chunks of a row group take, */
	uint64		vector_bytes;	/* and a decoded vector, about */
	uint64		bytes;			/* that must be in memory at a time */
	uint64		list_bytes;		/* of the runs, as counted in the lists */
	Bitmapset  *read;			/* numbers of vectors that cursors have read */
	NtsOrderVector *spare;		/* where the next series may go on, or NULL */
} NtsOrderStream;

struct NtsOrder;

typedef struct NtsOrderLists
{
	NtsScanState *scan;
	const NtsOrderPlan *plan;
	SortSupport sorts;			/* [plan->count] */
	MemoryContext context;		/* of what is found */
	uint64		list_limit;		/* bytes of lists, */
	uint64		vector_limit;	/* and of vectors that are open at a time */
	uint64		bytes;			/* of the streams' lists */
	NtsChunks	chunks;			/* of values by reference, which are kept once */
	struct NtsInterner *interners[NTS_MAX_ORDER_KEYS];	/* by key; NULL: by value */
} NtsOrderLists;

/* Where plan, scan, sorts, context and limits are set: forgets what was there. */
extern void nts_order_begin_lists(NtsOrderLists *lists);

/* The stream that the segment can be; NULL: its rows have to be sorted. */
extern NtsOrderStream *nts_order_make_stream(NtsOrderLists *lists, int entry);
/* Frees it, and the room it took in the lists. */
extern void nts_order_drop_stream(NtsOrderLists *lists, NtsOrderStream *stream);
/* Turned bounds of the times of an entry, if it is a segment whose rows all have the time that is asked for. */
extern bool nts_order_times(const NtsOrderLists *lists, int entry, int64 *first, int64 *last);
/* Which streams may be open beside each other within the limit; accepted[i] is set. The others are to be sorted. */
extern void nts_order_accept(NtsOrderLists *lists, NtsOrderStream **streams, int count, bool *accepted);

/* In ascending order of this, times are in that of the plan. */
static inline int64
nts_order_turn(const NtsOrderPlan *plan, int64 time)
{
	return plan->keys[plan->count].descending ? ~time : time;
}

extern int	nts_order_compare_keys(const NtsOrderPlan *plan, SortSupport sorts, const Datum *a, const bool *a_nulls,
								   const Datum *b, const bool *b_nulls);

/* ---- ordered.c ---- */

typedef struct NtsOrder NtsOrder;

/* What a sort clause asks for. */
extern void nts_prepare_sort(MemoryContext context, Oid operator, Oid collation, bool nulls_first, SortSupport sort);
extern NtsOrder *nts_order_make(const CustomScan *plan, NtsScanState *scan);
/* Columns that must be read for the order. */
extern Bitmapset *nts_order_columns(const NtsOrder *order, Bitmapset *columns);
/* Puts the next row into the scan slot; false, and an empty slot, at the end. */
extern bool nts_order_next(NtsOrder *order);
/* Gives up everything; the next row is the first one. Before the scan's reader is closed. */
extern void nts_order_reset(NtsOrder *order);
extern void nts_order_explain(const NtsOrder *order, ExplainState *es);

/* ---- ordered_path.c ---- */

extern List *nts_order_plan_list(const NtsOrderPlan *plan);
extern void nts_order_plan_read(List *list, NtsOrderPlan *plan);
/* May the query want an order of any of the relation's columns? Whatever segments are sorted by. */
extern bool nts_order_may_matter(PlannerInfo *root, const RelOptInfo *rel);
/* Scans in the orders that the query may want; `plain` is the one without an order, and may be gone afterwards. */
extern List *nts_order_paths(PlannerInfo *root, RelOptInfo *rel, Oid relid, const NtsStorageOrder *order,
							 const CustomPath *plain);

#endif							/* NTS_SCAN_ORDERED_H */
