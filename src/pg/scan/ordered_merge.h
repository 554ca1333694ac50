/*
 * ordered_merge.h - inside of an ordered scan: what is merged.
 *
 * ordered.c has the heap, ordered_cursor.c reads runs of segments, ordered_sort.c what is in no order.
 */
#ifndef NTS_SCAN_ORDERED_MERGE_H
#define NTS_SCAN_ORDERED_MERGE_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "utils/tuplesort.h"

#include "pg/scan/ordered.h"

typedef enum NtsOrderItemKind
{
	NTS_ITEM_CURSOR,			/* of several that tie what is open comes first */
	NTS_ITEM_SORTED,
	NTS_ITEM_WAITING
} NtsOrderItemKind;

typedef struct NtsOrderItem
{
	NtsOrderItemKind kind;
	/* the row that is next, or for WAITING one that no row of the run comes before */
	const Datum *keys;
	const bool *nulls;
	int64		time;			/* turned; by_time only */
	bool		time_is_null;
	NtsOrderStream *stream;		/* NULL: a window waits, of the loose entries begin...end */
	struct NtsOrderSort *sort;	/* of SORTED */
	/* a cursor: */
	NtsOrderVector *vector;
	uint32		begin;			/* rows of the run behind (backward: before) this vector's */
	uint32		end;
	uint32		low;			/* the run's part of the vector's rows, as places among those that pass */
	uint32		at;				/* the next one of these */
	uint32		count;
	uint32		safe;			/* no other item comes before row `safe` */
} NtsOrderItem;

typedef struct NtsOrderCounts
{
	uint64		sorted_segments;
	uint64		sorted_rows;
	uint64		runs;
	uint64		runs_read;
	uint64		runs_spilled;
	uint64		vectors_again;
	uint64		windows;
	int64		sort_kb;
	bool		sort_on_disk;
} NtsOrderCounts;

/* Rows that are sorted, and the one of them that is next. */
typedef struct NtsOrderSort
{
	Tuplesortstate *state;		/* NULL: there is nothing, or: */
	Tuplestorestate *spill;		/* rows of a stream that there was no room for, in their order */
	TupleTableSlot *slot;
	Datum		keys[NTS_MAX_ORDER_KEYS];
	bool		nulls[NTS_MAX_ORDER_KEYS];
} NtsOrderSort;

/* A segment that is no stream, of which only the times are asked for: turned, none is less or greater. */
typedef struct NtsOrderLoose
{
	int			entry;
	int64		first_time;
	int64		last_time;
} NtsOrderLoose;

struct NtsOrder
{
	NtsOrderPlan plan;
	NtsScanState *scan;
	NtsOrderLists lists;
	SortSupportData sorts[NTS_MAX_ORDER_KEYS];
	bool		backward;		/* runs are read from their ends */
	const NtsOrderItem *wanted; /* of a scattered stream's vector: its rows alone */
	bool		begun;
	MemoryContext context;		/* what a rescan drops */
	NtsOrderStream **streams;
	int			stream_count;
	uint64		vector_bytes;	/* of vectors in memory, */
	uint64		chunk_bytes;	/* and of chunks that are kept for what follows */
	int			spare_count;	/* streams that have a spare vector */
	NtsOrderItem **heap;
	int			heap_count;
	int			heap_room;
	bool		shown;			/* the first item's row is in the slot */
	/* the row group that the scan's filters are judged for: */
	bool		entered;
	bool		passes;			/* some row of it may */
	NtsOrderSort rest;			/* what may come at any time */
	NtsOrderSort window;		/* segments that overlap in time */
	NtsOrderLoose *loose;		/* entries that are sorted in windows */
	int			loose_count;
	NtsOrderCounts counts;
};

/* The item has the stream's next run, which is taken from the stream. */
static inline void
nts_order_take_run(const NtsOrder *order, NtsOrderItem *item, NtsOrderStream *stream)
{
	const NtsOrderRun *run = &stream->runs[stream->next_run++];
	Size		place = (Size) run->number * order->plan.count;

	item->keys = stream->values + place;
	item->nulls = stream->nulls + place;
	item->begin = run->begin;
	item->end = run->end;
}

/* ---- ordered_cursor.c ---- */

/*
 * A copy of the waiting item becomes a cursor on its run, or on one that follows; false: no row of it passes. When it is
 * opened, goes on or is filled, a cursor may turn into sorted rows.
 */
extern bool nts_order_open_cursor(NtsOrder *order, NtsOrderItem *item);
/* Goes to the next vector of the run in which rows pass; false: there is none, and what it held is given up. */
extern bool nts_order_next_vector(NtsOrder *order, NtsOrderItem *item);
/* Decodes what tuples need. */
extern void nts_order_fill_cursor(NtsOrder *order, NtsOrderItem *item);
/* Puts a cursor's row, filled, into the scan slot. */
extern void nts_order_show_cursor(NtsOrder *order, const NtsOrderItem *item);
/* The turned time of the cursor's row number i. */
extern int64 nts_order_cursor_time(const NtsOrder *order, const NtsOrderItem *item, uint32 i);

/* ---- ordered_sort.c ---- */

/* Adds the entry's rows that pass. */
extern void nts_order_sort_entry(NtsOrder *order, NtsOrderSort *sort, int entry);
/* For rows that come in their order already; goes with its last row. */
extern NtsOrderSort *nts_order_begin_spill(NtsOrder *order);
/* Adds rows of the scan's selection: first for all of them, then each. */
extern void nts_order_begin_rows(NtsOrder *order);
extern void nts_order_put_row(NtsOrder *order, NtsOrderSort *sort, uint32 row);
/* The item has the rows of the sort, and is at the first one; false: there is none. */
extern bool nts_order_take_sorted(NtsOrder *order, NtsOrderItem *item, NtsOrderSort *sort);
/* When all are added: an item with the first row; NULL: there is none. */
extern NtsOrderItem *nts_order_perform_sort(NtsOrder *order, NtsOrderSort *sort);
/* The item goes on to the next row; false: there is none, and the sort has ended. */
extern bool nts_order_next_sorted(NtsOrder *order, NtsOrderItem *item);
/* Puts the item's row into the scan slot. */
extern void nts_order_show_sorted(NtsOrder *order, const NtsOrderItem *item);
extern void nts_order_end_sort(NtsOrderSort *sort);

#endif							/* NTS_SCAN_ORDERED_MERGE_H */
