/*
 * scan.h - the facade of src/pg/scan: how the planner reads a table of ours, and what
 * other nodes may take from a scan instead of its tuples.
 */
#ifndef NTS_SCAN_SCAN_H
#define NTS_SCAN_SCAN_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

#include "pg/am/am.h"

/*
 * Words of short types come sign-extended from segments, but as PostgreSQL has them from defaults and functions: equal
 * ones are the same word after this.
 */
static inline Datum
nts_normal_word(Datum value, int16 typlen)
{
	switch (typlen)
	{
		case 1:
			return (Datum) (int64) (int8) value;
		case 2:
			return (Datum) (int64) (int16) value;
		case 4:
			return (Datum) (int64) (int32) value;
		default:
			return value;
	}
}

/* Rows of one vector set that a scan has chosen. */
typedef struct NtsSelection
{
	NtsVectorSet *set;			/* fill a column (nts_vector_set_fill) before its values are looked at, unless filled */
	const uint32 *rows;			/* ascending positions in the set, or NULL: its first `count` rows, all of them */
	uint32		count;			/* >= 1 */
} NtsSelection;

/* The cheapest scan of ours, serial and without parameters, that a node above may have as its child; NULL: none. */
extern Path *nts_scan_path_below(const RelOptInfo *rel);
/* The same of those whose rows are shared out among the participants of a parallel plan. */
extern Path *nts_partial_scan_path_below(const RelOptInfo *rel);
/* Does some condition on the relation give another answer each time? Then rows must be looked at once. */
extern bool nts_has_volatile_condition(const RelOptInfo *rel);
/* Is this plan state a scan of ours (custom_scan.c)? */
extern bool nts_is_scan_state(const PlanState *state);

/*
 * The next rows that pass all conditions of the scan node, without projection; false at the end. The selection is
 * the scan's own and good until the next call. Not to be mixed with ExecProcNode on the same node, except after
 * ExecReScan.
 */
extern bool nts_scan_next(CustomScanState *node, NtsSelection *selection);

/*
 * Who may answer for rows without reading them: asked before a row group, and before a vector, is read. `all`: every
 * one of its rows passes all conditions. true: those rows are not wanted. What is known of them:
 * nts_scan_group_statistics, nts_scan_vector_statistics; NULL: nothing. In a parallel scan each participant asks its own
 * for what it was given; no order then.
 */
struct NtsScanState;
typedef struct NtsScanChooser
{
	bool		newest_first;	/* entries with the newest times come first */
	bool		backward;		/* and row groups and vectors of each from its end */
	bool		(*skip_group) (void *arg, struct NtsScanState *scan, bool all);
	bool		(*skip_vector) (void *arg, struct NtsScanState *scan, bool all);
	/* or NULL: leaves keep[i] 1 only for rows of the set that are wanted. Other conditions are not evaluated for others. */
	void		(*keep_rows) (void *arg, NtsVectorSet *set, uint8 *keep);
	/* or NULL: the same for rows that lie side by side, of all that *first and *end say; false: keep_rows must tell */
	bool		(*keep_range) (void *arg, NtsVectorSet *set, uint32 *first, uint32 *end);
	/*
	 * or NULL: does it suffice to know the newest row of each series of the segment, if that passes the conditions? Then
	 * those come first (skip_group and skip_vector are asked of them, too: what is not wanted of a newest row is not of
	 * older ones), and nothing else of the segment unless an older row of some series may pass where the newest does not:
	 * then all of it follows, these rows a second time. untimed: some row of the segment may have no time. Not in parallel
	 * scans.
	 */
	bool		(*takes_last_rows) (void *arg, const NtsSegmentInfo *segment, bool untimed);
	void	   *arg;
} NtsScanChooser;

extern void nts_scan_set_chooser(CustomScanState *node, const NtsScanChooser *chooser);
extern const NtsStatistics *nts_scan_group_statistics(void *scan, int column);
extern const NtsStatistics *nts_scan_vector_statistics(void *scan, int column);
/*
 * The values that rows of the row group or vector have, each once or several times, without NULL. false: not known without
 * reading rows. Valid until the next one is asked for.
 */
typedef struct NtsScanValues
{
	const Datum *values;
	uint32		count;			/* of a list, of which some may be of no row: */
	uint64		members;		/* that has values[i] if bit i is set */
	bool		some_null;		/* some row has none */
} NtsScanValues;

extern bool nts_scan_group_values(void *scan, int column, NtsScanValues *values);
extern bool nts_scan_vector_values(void *scan, int column, NtsScanValues *values);
/* The word, not NULL, that all rows of the vector have in a column of a type by value and without floats; false: it is not
 * known that there is one. */
extern bool nts_scan_vector_word(struct NtsScanState *scan, int column, Datum *word);
/* Bounds of a column in the segments' row groups that conditions do not leave out; false: not all of them tell. Begins the
 * scan. Not of parallel scans. */
extern bool nts_scan_reach(struct NtsScanState *scan, int column, NtsStatistics *reach);
/* Goes back to the first row, with the same constants. */
extern void nts_scan_again(struct NtsScanState *scan);
/* Rows of the row group, or vector, that is asked about. */
extern uint32 nts_scan_group_rows(struct NtsScanState *scan);
extern uint32 nts_scan_vector_rows(struct NtsScanState *scan);

/* Hooks into the planner; registers the nodes. */
extern void nts_scan_init(void);

#endif							/* NTS_SCAN_SCAN_H */
