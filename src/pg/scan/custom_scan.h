/*
 * custom_scan.h - inside of this room: the state of a scan node.
 */
#ifndef NTS_SCAN_CUSTOM_SCAN_H
#define NTS_SCAN_CUSTOM_SCAN_H

#include "postgres.h"

#include "port/atomics.h"
#include "nodes/extensible.h"

#include "pg/scan/filter.h"
#include "pg/scan/scan.h"

/* What EXPLAIN ANALYZE tells; participants of a parallel scan add theirs up. */
typedef struct NtsScanCounts
{
	uint64		segments;
	uint64		segments_pruned;	/* by what the directory says of their times */
	uint64		groups;			/* row groups */
	uint64		groups_pruned;
	uint64		vectors;		/* of row groups that were not pruned */
	uint64		vectors_pruned;
	uint64		groups_skipped; /* a node above knew enough of them */
	uint64		vectors_skipped;
	NtsDecoded	decoded;
	uint64		pages;			/* of L0 */
	uint64		rows_filtered;
	uint64		last_rows;		/* rows that stood for their series in a segment */
} NtsScanCounts;

#define NTS_SCAN_COUNTS (sizeof(NtsScanCounts) / sizeof(uint64))

/* In shared memory, before PostgreSQL's ParallelTableScanDesc. */
typedef struct NtsParallelScan
{
	pg_atomic_uint64 counts[NTS_SCAN_COUNTS];
} NtsParallelScan;

typedef struct NtsScanState
{
	CustomScanState css;		/* must be first */
	NtsFilter **filters;
	int			filter_count;
	ExprState  *rest;			/* conditions that are evaluated row by row, or NULL */
	ExprState  *recheck;		/* the filters as expressions, for EvalPlanQual; NULL: not yet compiled */
	int		   *rest_columns;	/* 0-based, that `rest` needs */
	int			rest_column_count;
	int		   *columns;		/* that tuples need */
	int			column_count;
	MemoryContext constants;	/* values of the filters' constants */
	const NtsScanChooser *chooser;	/* or NULL */
	struct NtsOrder *order_by;	/* tuples come in an order; or NULL */
	/* the scan */
	NtsReader  *reader;			/* NULL: not begun */
	BufferAccessStrategy strategy;
	bool		begun;
	bool		positioned;
	bool		finished;
	int			entry;
	int			place;			/* chooser: of the entry in `order` */
	int		   *order;			/* chooser: entries */
	uint32		groups_done;	/* of this entry */
	uint32		vectors_done;	/* of this row group */
	uint32		group;
	uint32		group_begin;	/* the first one to look at in this entry, */
	uint32		group_end;		/* and behind the last */
	uint32		vector;
	uint32		vectors;		/* of the row group at hand; 0: not entered */
	bool		in_last_rows;	/* the row group at hand is that of the entry's last rows, */
	bool		at_last_rows;	/* the set loaded last is of them */
	bool		after_last_rows;	/* they have just been read */
	uint64		series;			/* of the entry, when it has last rows, and */
	uint64		series_known;	/* of which no other row is wanted */
	const NtsFilter *excluder;	/* which has left out the row group or vector judged last */
	NtsPosition at;				/* of the set that was loaded last */
	NtsStatistics footer;		/* answer of a callback */
	NtsVectorSet probe;			/* for the values that a row group lists */
	NtsTimeBounds bounds;		/* of the entries that filters are asked about */
	uint8	   *keep;
	uint32	   *rows;
	uint32		room;			/* of both */
	NtsSelection selection;
	uint32		next;			/* row of the selection, for tuples */
	bool		may_go_back;	/* a cursor may: then every selection's place is noted */
	NtsPosition *visited;
	int			visited_count;
	int			visited_room;
	int			visited_at;		/* of the current selection; -1 before the first, visited_count behind the last */
	NtsScanCounts counts;
	/* parallel */
	NtsParallelScan *shared;
	ParallelTableScanDesc parallel;
	ParallelBlockTableScanWorkerData *worker;
	bool		worker_started;
} NtsScanState;

/* scan_cursor.c */
/* Bounds of the series key's first column in the vector that the scan is about to read; NULL: not known. */
extern const NtsKeyBounds *nts_scan_vector_bounds(void *scan, int column);
/* Are all values between them the same, and none NULL? */
extern bool nts_key_bounds_same(const NtsKeyBounds *bounds);
/* Decodes columns of the selection's set; puts one of its rows into the scan slot, as far as these columns go. */
extern void nts_scan_fill(NtsScanState *state, const int *columns, int count);
extern void nts_scan_store(NtsScanState *state, const int *columns, int count, uint32 row);
/*
 * Who reads units in an order of his own: begins the scan, or begins it anew after a restart; leaves out entries, counted
 * from one on, that the directory excludes; enters a row group of a segment (false: no row of it passes) and loads its
 * vectors, or the pages of a delta extent (NULL: no row passes); lets state->selection have the set's rows that pass
 * (false: none).
 */
extern void nts_scan_begin(NtsScanState *state);
extern int	nts_scan_excluded_entries(NtsScanState *state, int entry);
extern bool nts_scan_enter_group(NtsScanState *state, int entry, uint32 group);
extern NtsVectorSet *nts_scan_load_vector(NtsScanState *state, uint32 vector);
extern NtsVectorSet *nts_scan_load_page(NtsScanState *state, int entry, uint32 page);
extern bool nts_scan_narrow(NtsScanState *state, NtsVectorSet *set);
/* The next selection, in state->selection; false at the end. */
extern bool nts_scan_advance(NtsScanState *state);
/* The one before, or the next one again; false at either end. REQUIRES may_go_back. */
extern bool nts_scan_move(NtsScanState *state, bool forward);
extern void nts_scan_restart(NtsScanState *state);
extern void nts_scan_close(NtsScanState *state);

/* custom_scan.c */
extern const CustomScanMethods nts_scan_methods;
/* scan_explain.c */
/* What follows a sort column's name. */
extern const char *nts_explain_direction(bool descending, bool nulls_first);
/* What a sort took, in the form that a Sort node has. */
extern void nts_explain_sort(struct Tuplesortstate *sort, ExplainState *es);
extern void nts_scan_explain(CustomScanState *node, List *ancestors, ExplainState *es);
/* scan_path.c */
extern Plan *nts_scan_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses,
						   List *custom_plans);

#endif							/* NTS_SCAN_CUSTOM_SCAN_H */
