/*
 * scan.c - sequential, parallel, sample and tuple id range scans.
 *
 * The own transaction's buffered rows are written to storage before a scan starts;
 * what is inserted later has a command id that the scan's snapshot does not see.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/tsmapi.h"
#include "access/xact.h"
#include "nodes/execnodes.h"
#include "pgstat.h"
#include "storage/off.h"
#include "storage/predicate.h"
#include "storage/procarray.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/am/am.h"
#include "pg/error.h"

TableScanDesc
nts_am_scan_begin(Relation rel, Snapshot snapshot, int nkeys, struct ScanKeyData *key,
				  ParallelTableScanDesc pscan, uint32 flags)
{
	NtsScan    *scan;

	if (nkeys > 0)
		nts_error_unsupported(rel, "a scan with scan keys");
	nts_buffer_flush_relation(rel);
	RelationIncrementReferenceCount(rel);
	scan = palloc0(sizeof(NtsScan));
	scan->base.rs_rd = rel;
	scan->base.rs_snapshot = snapshot;
	scan->base.rs_flags = flags;
	scan->base.rs_parallel = pscan;
	scan->context = CurrentMemoryContext;
	scan->row = -1;
	if (pscan != NULL)
		scan->worker = palloc0(sizeof(ParallelBlockTableScanWorkerData));
	if (flags & (SO_TYPE_SEQSCAN | SO_TYPE_SAMPLESCAN))
	{
		Assert(snapshot != NULL);
		PredicateLockRelation(rel, snapshot);
		pgstat_count_heap_scan(rel);
		if ((flags & SO_ALLOW_STRAT) && nts_file_blocks(rel) > (BlockNumber) NBuffers / 4)
			scan->strategy = GetAccessStrategy(BAS_BULKREAD);
	}
	/* a row that comes later may get an id in the range */
	else if (flags & SO_TYPE_TIDRANGESCAN)
		PredicateLockRelation(rel, snapshot);
	return (TableScanDesc) scan;
}

/* A rewrite (ALTER TABLE) scans with a slot of the old row type. */
static NtsReader *
reader_of(NtsScan *scan, TupleDesc desc)
{
	if (scan->reader == NULL)
	{
		scan->reader = nts_reader_open(scan->base.rs_rd, desc, scan->base.rs_snapshot, scan->context,
									   scan->strategy);
		if (scan->has_range)
			nts_reader_restrict(scan->reader, &scan->tid_range);
	}
	return scan->reader;
}

void
nts_am_scan_end(TableScanDesc sscan)
{
	NtsScan    *scan = (NtsScan *) sscan;

	if (scan->reader != NULL)
		nts_reader_close(scan->reader);
	RelationDecrementReferenceCount(scan->base.rs_rd);
	if (scan->strategy != NULL)
		FreeAccessStrategy(scan->strategy);
	if (scan->worker != NULL)
		pfree(scan->worker);
	if (scan->base.rs_flags & SO_TEMP_SNAPSHOT)
		UnregisterSnapshot(scan->base.rs_snapshot);
	pfree(scan);
}

void
nts_am_scan_rescan(TableScanDesc sscan, struct ScanKeyData *key, bool set_params,
				   bool allow_strat, bool allow_sync, bool allow_pagemode)
{
	NtsScan    *scan = (NtsScan *) sscan;

	scan->started = false;
	scan->finished = false;
	scan->set = NULL;
	scan->row = -1;
	scan->sample_unit = 0;
	if (scan->worker != NULL)
		memset(scan->worker, 0, sizeof(ParallelBlockTableScanWorkerData));
	/* what a non-MVCC snapshot sees may have changed */
	if (scan->reader != NULL && !IsMVCCSnapshot(scan->base.rs_snapshot))
	{
		nts_reader_close(scan->reader);
		scan->reader = NULL;
	}
}

/* The next unit of a parallel scan: blocks are handed out, each leads to the units
 * that start in it. */
static NtsVectorSet *
next_parallel_unit(NtsScan *scan)
{
	ParallelBlockTableScanDesc shared = (ParallelBlockTableScanDesc) scan->base.rs_parallel;
	Relation	rel = scan->base.rs_rd;
	NtsVectorSet *set;

	if (!scan->started)
	{
		table_block_parallelscan_startblock_init(rel, scan->worker, shared);
		scan->started = true;
		scan->block = InvalidBlockNumber;
	}
	else if (scan->block != InvalidBlockNumber)
	{
		while (scan->position.entry >= 0)
		{
			set = nts_reader_block(scan->reader, scan->block, &scan->position, false);
			if (set == NULL)
				break;
			return set;
		}
	}
	for (;;)
	{
		scan->block = table_block_parallelscan_nextpage(rel, scan->worker, shared);
		if (scan->block == InvalidBlockNumber)
			return NULL;
		set = nts_reader_block(scan->reader, scan->block, &scan->position, true);
		if (set != NULL)
			return set;
	}
}

static NtsVectorSet *
next_unit(NtsScan *scan, TupleDesc desc, bool forward)
{
	NtsReader  *reader = reader_of(scan, desc);
	NtsVectorSet *set;

	if (scan->base.rs_parallel != NULL)
		return next_parallel_unit(scan);
	if (scan->started)
		set = nts_reader_step(reader, &scan->position, forward);
	else
		set = nts_reader_first(reader, &scan->position, forward);
	scan->started = set != NULL;	/* behind either end, the other direction starts anew */
	return set;
}

/* Rows that the snapshot does not see, or that a scan over a range of ids leaves out. */
static inline bool
skips_row(const NtsScan *scan, const NtsVectorSet *set, int64 row)
{
	if (set->hidden != NULL && set->hidden[row])
		return true;
	return scan->has_range &&
		!nts_tid_range_holds(&scan->tid_range, set->row_ids != NULL ? set->row_ids[row] : set->first_row_id + row);
}

/*
 * Who asks with a dirty snapshot waits for what it finds in snapshot->xmin: that must
 * be the inserter of this row, not of another one in the page or entry.
 */
static void
tell_inserter(NtsScan *scan, const NtsVectorSet *set, int64 row)
{
	Snapshot	snapshot = scan->base.rs_snapshot;
	TransactionId xmin = set->xmins != NULL ? set->xmins[row] : set->xmin;

	snapshot->xmin = snapshot->xmax = InvalidTransactionId;
	if (TransactionIdIsNormal(xmin) && !TransactionIdIsCurrentTransactionId(xmin) &&
		TransactionIdIsInProgress(xmin))
		snapshot->xmin = xmin;
}

bool
nts_am_scan_getnextslot(TableScanDesc sscan, ScanDirection direction, TupleTableSlot *slot)
{
	NtsScan    *scan = (NtsScan *) sscan;
	bool		forward = ScanDirectionIsForward(direction);

	for (;;)
	{
		NtsVectorSet *set = scan->set;

		if (set != NULL)
		{
			int64		row = scan->row + (forward ? 1 : -1);

			while (row >= 0 && row < set->rows && skips_row(scan, set, row))
				row += forward ? 1 : -1;
			if (row >= 0 && row < set->rows)
			{
				scan->row = row;
				nts_slot_store(slot, set, (uint32) row, RelationGetRelid(sscan->rs_rd));
				if (unlikely(sscan->rs_snapshot->snapshot_type == SNAPSHOT_DIRTY))
					tell_inserter(scan, set, row);
				pgstat_count_heap_getnext(sscan->rs_rd);
				return true;
			}
		}
		/* the slot's reference would keep the set from being used again */
		ExecClearTuple(slot);
		scan->set = NULL;
		scan->set = next_unit(scan, slot->tts_tupleDescriptor, forward);
		if (scan->set == NULL)
			return false;
		scan->row = forward ? -1 : (int64) scan->set->rows;
	}
}

/*
 * Bounds are any tuple ids, whether a row can have them or not. Rows come in the
 * order of storage, as from a sequential scan: ids say nothing about place here.
 */
void
nts_am_scan_set_tidrange(TableScanDesc sscan, ItemPointer first, ItemPointer last)
{
	NtsScan    *scan = (NtsScan *) sscan;

	scan->has_range = true;
	scan->tid_range.first = *first;
	scan->tid_range.last = *last;
	/* the reader is that of the range before */
	if (scan->reader != NULL)
	{
		nts_reader_close(scan->reader);
		scan->reader = NULL;
	}
}

Size
nts_am_parallelscan_initialize(Relation rel, ParallelTableScanDesc pscan)
{
	Size		size;

	nts_buffer_flush_relation(rel);
	size = table_block_parallelscan_initialize(rel, pscan);
	/* the order of blocks says nothing about other scans' positions */
	pscan->phs_syncscan = false;
	return size;
}

/*
 * TABLESAMPLE: a unit plays the part of a block. A sampling method counts up to
 * MaxOffsetNumber rows of a block, a delta page may have more: it is asked again for
 * each such run of rows.
 */
bool
nts_am_scan_sample_next_block(TableScanDesc sscan, struct SampleScanState *state)
{
	NtsScan    *scan = (NtsScan *) sscan;
	TsmRoutine *tsm = state->tsmroutine;
	NtsReader  *reader = reader_of(scan, RelationGetDescr(sscan->rs_rd));
	uint64		units = Min(nts_reader_unit_count(reader), (uint64) MaxBlockNumber);
	BlockNumber block;

	if (units == 0)
		return false;
	if (tsm->NextSampleBlock != NULL)
	{
		block = tsm->NextSampleBlock(state, (BlockNumber) units);
		if (!BlockNumberIsValid(block))
			return false;
	}
	else
	{
		if (scan->sample_unit >= units)
			return false;
		block = (BlockNumber) scan->sample_unit++;
	}
	scan->block = block;
	scan->sample_first = 0;
	scan->set = NULL;
	scan->set = nts_reader_unit(reader, block);
	return true;
}

bool
nts_am_scan_sample_next_tuple(TableScanDesc sscan, struct SampleScanState *state,
							  TupleTableSlot *slot)
{
	NtsScan    *scan = (NtsScan *) sscan;
	TsmRoutine *tsm = state->tsmroutine;
	NtsVectorSet *set = scan->set;

	while (set != NULL && scan->sample_first < set->rows)
	{
		OffsetNumber last = (OffsetNumber) Min(set->rows - scan->sample_first, MaxOffsetNumber);
		/* the block is no more than a seed to the method: each run needs another one */
		BlockNumber seed = scan->block + scan->sample_first * UINT32_C(2654435761);
		OffsetNumber offset = tsm->NextSampleTuple(state, seed, last);
		uint32		row = scan->sample_first + offset - 1;

		if (!OffsetNumberIsValid(offset))
		{
			scan->sample_first += MaxOffsetNumber;
			continue;
		}
		if (offset > last || (set->hidden != NULL && set->hidden[row]))
			continue;
		nts_slot_store(slot, set, row, RelationGetRelid(sscan->rs_rd));
		pgstat_count_heap_getnext(sscan->rs_rd);
		return true;
	}
	ExecClearTuple(slot);
	return false;
}
