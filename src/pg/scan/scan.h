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

/* Rows of one vector set that a scan has chosen. */
typedef struct NtsSelection
{
	NtsVectorSet *set;			/* fill a column (nts_vector_set_fill) before its values are looked at, unless filled */
	const uint32 *rows;			/* ascending positions in the set, or NULL: its first `count` rows, all of them */
	uint32		count;			/* >= 1 */
} NtsSelection;

/* Is this path, or plan state, a scan of ours (custom_scan.c)? */
extern bool nts_is_scan_path(const Path *path);
extern bool nts_is_scan_state(const PlanState *state);

/*
 * The next rows that pass all conditions of the scan node, without projection; false at the end. The selection is
 * the scan's own and good until the next call. Not to be mixed with ExecProcNode on the same node, except after
 * ExecReScan.
 */
extern bool nts_scan_next(CustomScanState *node, NtsSelection *selection);

/* Hooks into the planner; registers the nodes. */
extern void nts_scan_init(void);

#endif							/* NTS_SCAN_SCAN_H */
