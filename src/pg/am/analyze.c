/*
 * analyze.c - samples for ANALYZE and sizes for the planner.
 *
 * ANALYZE samples physical blocks. A delta page stands for its own rows; a block of
 * a segment stands for an equal share of the segment's rows (rows are spread over
 * column chunks, no block holds whole ones). Compressed blocks stand for thousands
 * of rows, so only every step-th is decoded and offered, while all are counted. Dead
 * rows are not where blocks are: each block tells its share of them.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "optimizer/plancat.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/sampling.h"
#include "utils/snapmgr.h"

#include "pg/am/am.h"
#include "pg/compat.h"

#define OFFERED_ROWS 300000		/* at most about this many in all */

/* Rows for which VACUUM should come; ANALYZE, which often follows it, must not forget them. */
static double
dead_rows(Relation rel)
{
	NtsMeta		meta;
	int			count;
	NtsEntryRef *entries = nts_directory_read(rel, &meta, false, &count);
	double		live = 0;
	double		dead = 0;

	for (int i = 0; i < count; i++)
	{
		const NtsEntry *e = &entries[i].entry;

		if (e->level == NTS_LEVEL_DELTA)
			continue;
		if (nts_entry_visible(rel, e, SnapshotSelf))
			live += e->rows;
		else if (e->state == NTS_ENTRY_MOVED || e->state == NTS_ENTRY_KILLED)
			dead += e->rows;
	}
	if (entries != NULL)
		pfree(entries);
	/* not those that it may not come for */
	return NTS_MAY_TRUNCATE(rel) ? dead + nts_vacuum_packable_rows(rel, live) : dead;
}

static void
open_analyze(NtsScan *scan)
{
	NtsAnalyzeState *state = &scan->analyze;
	uint64		rows = 0;

	/* as heap's: committed rows and those of the own transaction count as live */
	state->reader = nts_reader_open(scan->base.rs_rd, RelationGetDescr(scan->base.rs_rd), SnapshotSelf, scan->context, scan->strategy);
	scan->reader = state->reader;	/* closed with the scan */
	for (int i = 0; i < nts_reader_entry_count(state->reader); i++)
		rows += nts_reader_entry(state->reader, i)->rows;
	state->step = Max(1, rows / OFFERED_ROWS);
	state->dead_per_block = dead_rows(scan->base.rs_rd) / Max(1, nts_file_blocks(scan->base.rs_rd));
}

bool
nts_am_analyze_next_block(TableScanDesc sscan, BlockNumber block, BufferAccessStrategy strategy)
{
	NtsScan    *scan = (NtsScan *) sscan;
	NtsAnalyzeState *state = &scan->analyze;
	uint64		rows;

	scan->strategy = NULL;
	if (state->reader == NULL)
		open_analyze(scan);
	state->page = NULL;
	state->next_in_page = 0;
	state->next_row = state->end_row = 0;
	state->dead_told = false;
	if (nts_reader_block_share(state->reader, block, &state->entry, &state->next_row, &rows))
		state->end_row = state->next_row + rows;
	else if (state->entry >= 0)
		state->page = nts_reader_block(state->reader, block, &scan->position, true);
	scan->started = false;		/* of this block */
	return true;
}

bool
nts_am_analyze_next_tuple(TableScanDesc sscan, TransactionId oldest_xmin, double *live,
						  double *dead, TupleTableSlot *slot)
{
	NtsScan    *scan = (NtsScan *) sscan;
	NtsAnalyzeState *state = &scan->analyze;
	NtsVectorSet *set;
	uint32		offset;
	uint64		skip;

	if (!state->dead_told)
		*dead += state->dead_per_block;
	state->dead_told = true;
	if (state->page != NULL && state->next_in_page < state->page->rows)
	{
		*live += 1;
		nts_slot_store(slot, state->page, state->next_in_page++, RelationGetRelid(sscan->rs_rd));
		nts_row_id_to_tid(state->offered++, &slot->tts_tid);
		return true;
	}
	ExecClearTuple(slot);
	if (state->next_row >= state->end_row)
		return false;
	if (!scan->started)
	{
		/* a random start, so that no row of a series is preferred */
		*live += state->end_row - state->next_row;
		skip = state->step == 1 ? 0 : (uint64) random() % state->step;
		scan->started = true;
		state->next_row += skip;
		if (state->next_row >= state->end_row)
			return false;
	}
	set = nts_reader_segment_row(state->reader, state->entry, state->next_row, &offset);
	state->next_row += state->step;
	nts_slot_store(slot, set, offset, RelationGetRelid(sscan->rs_rd));
	nts_row_id_to_tid(state->offered++, &slot->tts_tid);
	return true;
}

/*
 * ANALYZE asks for the size before it starts its scan; what the own transaction has
 * buffered must be among the blocks it then samples.
 */
uint64
nts_am_relation_size(Relation rel, ForkNumber fork)
{
	nts_buffer_flush_relation(rel);
	return table_block_relation_size(rel, fork);
}

void
nts_am_estimate_size(Relation rel, int32 *attr_widths, BlockNumber *pages, double *tuples,
					 double *allvisfrac)
{
	MemoryContext context;
	NtsDirectory *directory;
	NtsMeta		meta;

	*pages = nts_file_blocks(rel);
	*allvisfrac = 0;
	*tuples = 0;
	if (*pages == 0)
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "nodedb_ts estimate", ALLOCSET_SMALL_SIZES);
	directory = nts_directory_open(rel, context, &meta);
	if (directory != NULL)
		*tuples = nts_directory_estimate_rows(rel, directory, &meta);
	MemoryContextDelete(context);
}
