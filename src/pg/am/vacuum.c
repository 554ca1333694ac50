/*
 * vacuum.c - VACUUM, VACUUM FULL, and the part of VACUUM that ts_flush does by itself.
 *
 * VACUUM walks the directory and the delta pages that still hold transaction ids. It
 * frees extents whose rows are gone for everybody (aborted, moved or killed before the
 * oldest snapshot), takes back what aborted, freezes old ids, joins free extents,
 * advances relfrozenxid to the oldest id that is left, and cuts free blocks off the
 * file's end, for which it moves segments away from there. It flushes and compacts
 * nothing: its own snapshot is ignored by other vacuums, so what it moved, as far as
 * snapshots are concerned, might be removed under it.
 *
 * Caller holds ShareUpdateExclusiveLock: one maintenance at a time per table. Inserts
 * go on; they may take free extents, and append to delta pages.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/multixact.h"
#include "access/transam.h"
#include "access/xact.h"
#include "commands/progress.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/autovacuum.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/lsyscache.h"
#include "utils/pg_rusage.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "pg/am/am.h"
#include "pg/error.h"
#include "pg/fault.h"

/* Cutting off is worth a lock that stops everybody from this many blocks, or this share
 * of the file, on; the same as heap's. */
#define TRUNCATE_BLOCKS 1000
#define TRUNCATE_FRACTION 16
#define TRUNCATE_WAIT_MS 50
#define TRUNCATE_TRIES 100

/* Packing copies what it moves: worth it from this share of what is used on, and from this many blocks (of a small table,
 * from this many and half of what is used). */
#define PACK_FRACTION 4
#define PACK_BLOCKS 64
#define PACK_LEAST 8
/* Copied by one VACUUM before it locks the table, so lost at most if it cannot. */
#define PACK_MOST_BLOCKS (128 * 1024 * 1024 / BLCKSZ)

typedef struct Vacuum
{
	Relation	rel;
	BufferAccessStrategy strategy;
	bool		delays;			/* as a vacuum: cost-based delay, progress */
	bool		every_page;		/* frozen extents, too */
	bool		verbose;
	bool		frees_only;		/* so an extent that stays need not be looked at further */
	NtsCleanup	cleanup;
	uint64		blocks_done;	/* of extents looked at */
	uint64		blocks_freed;
	double		needed_rows;	/* dead ones that snapshots may see */
	uint64		blocks_packed;
	BlockNumber blocks_cut_off;
} Vacuum;

static void
free_extent(Vacuum *vacuum, const NtsEntryRef *ref, uint32 delta_pages)
{
	if (nts_extent_free(vacuum->rel, ref, delta_pages))
		vacuum->blocks_freed += ref->entry.block_count;
	else
	{
		/* the next vacuum will see what became of it */
		nts_cleanup_keep(&vacuum->cleanup, ref->entry.xmin);
		nts_cleanup_keep(&vacuum->cleanup, ref->entry.xmax);
	}
}

/* An entry whose maker is gone, or that no snapshot needs any more, is freed; what an
 * aborted transaction did to it is taken back; old ids are frozen. */
static void
clean_segment(Vacuum *vacuum, NtsEntryRef *ref)
{
	NtsCleanup *cleanup = &vacuum->cleanup;
	NtsEntry   *entry = &ref->entry;
	NtsXidFate	made = nts_xid_fate(entry->xmin, cleanup->oldest_xmin);
	bool		change = false;
	bool		gone = false;

	/*
	 * One in the making may have been published, and its maker have committed, since the
	 * directory was read; only of makers that ended before oldest_xmin is the state final.
	 */
	if (made == NTS_XID_ABORTED ||
		(entry->state == NTS_ENTRY_BUILDING && (made == NTS_XID_SEEN || made == NTS_XID_FROZEN)))
	{
		/* nobody has ever seen it */
		free_extent(vacuum, ref, 0);
		return;
	}
	if (entry->state == NTS_ENTRY_BUILDING)
	{
		nts_cleanup_keep(cleanup, entry->xmin);
		return;
	}
	if (entry->state == NTS_ENTRY_MOVED || entry->state == NTS_ENTRY_KILLED)
	{
		NtsXidFate	ended = nts_xid_fate(entry->xmax, cleanup->oldest_xmin);

		if (ended == NTS_XID_SEEN || ended == NTS_XID_FROZEN)
		{
			nts_cleanup_conflict(vacuum->rel, entry->first_block, cleanup, entry->xmax);
			free_extent(vacuum, ref, 0);
			return;
		}
		if (ended == NTS_XID_ABORTED)
		{
			entry->state = NTS_ENTRY_LIVE;
			entry->xmax = InvalidTransactionId;
			entry->cmax = 0;
			entry->successor_slot = 0;
			entry->successor_generation = 0;
			change = true;
		}
		else
		{
			nts_cleanup_keep(cleanup, entry->xmax);
			gone = ended == NTS_XID_COMMITTED;
		}
	}
	if (made == NTS_XID_SEEN && TransactionIdIsValid(cleanup->freeze_limit) &&
		TransactionIdPrecedes(entry->xmin, cleanup->freeze_limit))
	{
		nts_cleanup_conflict(vacuum->rel, entry->first_block, cleanup, entry->xmin);
		entry->xmin = FrozenTransactionId;
		entry->flags &= ~NTS_ENTRY_MOVED_IN;
		change = true;
	}
	else
		nts_cleanup_keep(cleanup, entry->xmin);
	if (change)
		nts_entry_write(vacuum->rel, ref, false);
	if (gone)
		cleanup->dead_rows += entry->rows;
	else if (made != NTS_XID_RUNNING)
		cleanup->live_rows += entry->rows;
}

static void
clean_delta_extent(Vacuum *vacuum, const NtsMeta *meta, NtsEntryRef *ref)
{
	NtsEntry   *entry = &ref->entry;
	uint32		pages = nts_delta_pages(meta, entry);
	bool		gone = pages > 0;
	bool		frozen = pages == entry->block_count;
	uint64		rows = 0;

	if ((entry->flags & NTS_ENTRY_FROZEN) != 0 && !vacuum->every_page)
	{
		vacuum->cleanup.live_rows += entry->rows;
		return;
	}
	for (uint32 i = 0; i < pages; i++)
	{
		NtsPageFate fate;

		CHECK_FOR_INTERRUPTS();
		if (vacuum->delays)
			NTS_VACUUM_DELAY();
		NTS_FAULT(vacuum_page);
		nts_delta_clean(vacuum->rel, meta, entry, entry->first_block + i, vacuum->strategy,
						&vacuum->cleanup, &fate);
		if (!fate.gone && vacuum->frees_only)
			return;
		gone = gone && fate.gone;
		frozen = frozen && fate.frozen;
		rows += fate.rows;
	}
	if (gone)
	{
		free_extent(vacuum, ref, pages);
		return;
	}
	if (frozen && (entry->flags & NTS_ENTRY_FROZEN) == 0)
	{
		/* later vacuums need not read its pages */
		entry->flags |= NTS_ENTRY_FROZEN;
		entry->rows = rows;
		nts_entry_write(vacuum->rel, ref, false);
	}
}

static void
clean(Vacuum *vacuum)
{
	NtsMeta		meta;
	NtsEntryRef *entries;
	int			count;

	entries = nts_directory_read(vacuum->rel, &meta, false, &count);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		NTS_FAULT(vacuum_entry);
		if (entries[i].entry.level == NTS_LEVEL_DELTA)
			clean_delta_extent(vacuum, &meta, &entries[i]);
		else
			clean_segment(vacuum, &entries[i]);
		vacuum->blocks_done += entries[i].entry.block_count;
		if (vacuum->delays)
			pgstat_progress_update_param(PROGRESS_VACUUM_HEAP_BLKS_SCANNED, vacuum->blocks_done);
	}
	if (entries != NULL)
	{
		vacuum->blocks_freed += nts_dictionaries_clean(vacuum->rel, entries, count, vacuum->cleanup.oldest_xmin);
		pfree(entries);
	}
	nts_extent_merge(vacuum->rel);
}

/*
 * Every snapshot sees what ended before it. For temporary tables PostgreSQL leaves out
 * the own transaction's snapshots, since its VACUUM runs beside none; ts_flush may.
 */
static TransactionId
oldest_xmin(Relation rel)
{
	TransactionId xmin = GetOldestNonRemovableTransactionId(rel);

	if (RelationUsesLocalBuffers(rel) && TransactionIdIsValid(TransactionXmin) &&
		TransactionIdPrecedes(TransactionXmin, xmin))
		xmin = TransactionXmin;
	return xmin;
}

/*
 * old_snapshot_threshold may have put the cutoffs beyond snapshots that are still in
 * use; our readers do not notice that they have become too old, so none may.
 */
static void
spare_old_snapshots(Relation rel, NtsCleanup *cleanup)
{
	TransactionId xmin = oldest_xmin(rel);

	if (TransactionIdPrecedes(xmin, cleanup->oldest_xmin))
		cleanup->oldest_xmin = xmin;
	if (TransactionIdIsValid(cleanup->freeze_limit) &&
		TransactionIdPrecedes(cleanup->oldest_xmin, cleanup->freeze_limit))
		cleanup->freeze_limit = cleanup->oldest_xmin;
}

void
nts_vacuum_reclaim(Relation rel)
{
	Vacuum		vacuum = {0};

	vacuum.rel = rel;
	vacuum.frees_only = true;
	vacuum.cleanup.oldest_xmin = oldest_xmin(rel);
	clean(&vacuum);
}

void
nts_vacuum_reclaim_deltas(Relation rel, uint64 below, int max_extents)
{
	Vacuum		vacuum = {0};
	NtsMeta		meta;
	NtsEntryRef *entries;
	int			count;

	vacuum.rel = rel;
	vacuum.frees_only = true;
	vacuum.cleanup.oldest_xmin = oldest_xmin(rel);
	entries = nts_directory_read(rel, &meta, false, &count);
	nts_entries_sort(entries, count);
	for (int i = 0; i < count && entries[i].entry.generation < below && max_extents > 0; i++)
	{
		uint64		freed = vacuum.blocks_freed;

		CHECK_FOR_INTERRUPTS();
		if (entries[i].entry.level != NTS_LEVEL_DELTA)
			continue;
		clean_delta_extent(&vacuum, &meta, &entries[i]);
		if (vacuum.blocks_freed == freed)
			break;				/* what came later is needed, too */
		max_extents--;
	}
	if (entries != NULL)
		pfree(entries);
}

/* ---- the file's end ---- */

/* Waits a moment until nobody uses the table, for the lock that keeps it so, as heap does. */
static bool
lock_unused(Relation rel, int max_tries)
{
	for (int tries = 1; !ConditionalLockRelation(rel, AccessExclusiveLock); tries++)
	{
		CHECK_FOR_INTERRUPTS();
		if (tries >= max_tries || LockHasWaitersRelation(rel, ShareUpdateExclusiveLock))
			return false;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 TRUNCATE_WAIT_MS, WAIT_EVENT_VACUUM_TRUNCATE);
		ResetLatch(MyLatch);
	}
	return true;
}

static void
note_in_use(const Vacuum *vacuum)
{
	ereport(vacuum->verbose ? INFO : DEBUG2,
			(errmsg("\"%s\": free blocks at the end are kept, since the table is in use",
					RelationGetRelationName(vacuum->rel))));
}

static bool
packing_pays(const NtsPackPlan *plan)
{
	BlockNumber gain = plan->used_end - plan->packed_end;

	/* of a small table metapage and directory do not count */
	return gain >= PACK_LEAST && gain >= plan->used_end / PACK_FRACTION &&
		(gain >= PACK_BLOCKS || gain + 2 >= plan->packed_end);
}

double
nts_vacuum_packable_rows(Relation rel, double live_rows)
{
	NtsPackPlan plan;

	nts_pack_plan(rel, true, &plan);
	if (!packing_pays(&plan) || plan.packed_end == 0)
		return 0;
	return live_rows / plan.packed_end * (plan.used_end - plan.packed_end);
}

/*
 * Should this VACUUM pack? If only the next one can, since what this one has freed may not
 * be used again yet, the rows that count as dead bring autovacuum; and an id is given out,
 * which is what "yet" waits for, even if nobody else takes one.
 */
static bool
plan_packing(Vacuum *vacuum)
{
	NtsCleanup *cleanup = &vacuum->cleanup;
	NtsPackPlan plan;
	double		rows;

	nts_pack_plan(vacuum->rel, false, &plan);
	if (packing_pays(&plan))
		return true;
	rows = nts_vacuum_packable_rows(vacuum->rel, cleanup->live_rows);
	if (rows > 0)
	{
		(void) GetTopTransactionId();
		/* once; a snapshot may keep the next ones from it, too */
		if (vacuum->blocks_freed > 0)
			cleanup->dead_rows = Max(cleanup->dead_rows, rows);
	}
	return false;
}

/* Copies what stands last in the file. false: somebody waits for the table, and goes first. */
static bool
copy_end(Vacuum *vacuum, NtsPacking *packing)
{
	while (nts_pack_copy(packing))
	{
		CHECK_FOR_INTERRUPTS();
		NTS_VACUUM_DELAY();
		if (LockHasWaitersRelation(vacuum->rel, ShareUpdateExclusiveLock))
			return false;
	}
	if (nts_pack_is_ready(packing))
		nts_pack_flush(packing);
	NTS_FAULT(pack_copied);
	return true;
}

static bool
is_tail_worth_it(Relation rel)
{
	BlockNumber tail = nts_extent_free_tail(rel);

	return tail > 0 && (tail >= TRUNCATE_BLOCKS || tail >= nts_file_blocks(rel) / TRUNCATE_FRACTION);
}

/*
 * Copies, locks the table, lets the copies take their places, and cuts the file. The lock is
 * taken once and last: a standby holds it until this transaction ends. What autovacuum has
 * copied it throws away rather than wait, since it comes again.
 */
static void
shrink(Vacuum *vacuum, bool packs)
{
	Relation	rel = vacuum->rel;
	NtsPacking *packing = NULL;
	bool		ready = false;
	bool		free_for_us = true;
	double		more;

	pgstat_progress_update_param(PROGRESS_VACUUM_PHASE, PROGRESS_VACUUM_PHASE_TRUNCATE);
	if (packs)
	{
		packing = nts_pack_begin(rel, vacuum->strategy, PACK_MOST_BLOCKS);
		free_for_us = copy_end(vacuum, packing);
		ready = nts_pack_is_ready(packing);
	}
	if (free_for_us && !ready && !is_tail_worth_it(rel))
		return;
	if (!free_for_us || !lock_unused(rel, ready && IsAutoVacuumWorkerProcess() ? 1 : TRUNCATE_TRIES))
	{
		note_in_use(vacuum);
		if (packs)
			nts_pack_abandon(packing);
		return;
	}
	if (ready)
	{
		NTS_FAULT(pack_locked);
		vacuum->blocks_packed = nts_pack_finish(packing);
	}
	NTS_FAULT(truncate_locked);
	vacuum->blocks_cut_off = nts_extent_truncate(rel);
	UnlockRelation(rel, AccessExclusiveLock);
	/* there may be more of it than one VACUUM copies */
	if (ready && !nts_pack_is_damaged(packing) &&
		(more = nts_vacuum_packable_rows(rel, vacuum->cleanup.live_rows)) > 0)
	{
		(void) GetTopTransactionId();
		pgstat_update_heap_dead_tuples(rel, -(int) Min(more, PG_INT32_MAX));
	}
}

static void
report(Vacuum *vacuum, const VacuumParams *params, const PGRUsage *usage, TimestampTz start,
	   TransactionId frozen_xid, bool advanced)
{
	Relation	rel = vacuum->rel;
	StringInfoData text;

	if (!vacuum->verbose && !(IsAutoVacuumWorkerProcess() && params->log_min_duration >= 0 &&
					  TimestampDifferenceExceeds(start, GetCurrentTimestamp(),
												 params->log_min_duration)))
		return;
	initStringInfo(&text);
	appendStringInfo(&text, "pages: %u cut off, %u remain, " UINT64_FORMAT " freed for reuse, " UINT64_FORMAT
					 " moved from the end of the file\n",
					 vacuum->blocks_cut_off, nts_file_blocks(rel), vacuum->blocks_freed, vacuum->blocks_packed);
	appendStringInfo(&text, "rows: %.0f remain, %.0f older copies are needed by snapshots\n",
					 vacuum->cleanup.live_rows, vacuum->needed_rows);
	appendStringInfo(&text, "removable cutoff: %u", vacuum->cleanup.oldest_xmin);
	if (advanced)
		appendStringInfo(&text, "; new relfrozenxid: %u", frozen_xid);
	appendStringInfo(&text, "\nsystem usage: %s", pg_rusage_show(usage));
	ereport(vacuum->verbose ? INFO : LOG,
			(errmsg("finished vacuuming \"%s.%s\"",
					get_namespace_name(RelationGetNamespace(rel)), RelationGetRelationName(rel)),
			 errdetail_internal("%s", text.data)));
	pfree(text.data);
}

/* Returns whether relfrozenxid was advanced. */
static bool
update_statistics(const Vacuum *vacuum, TransactionId frozen_xid, MultiXactId oldest_multi)
{
	Relation	rel = vacuum->rel;
	bool		frozen_advanced;
	bool		multi_advanced;

	/* no multixact is ever stored */
	vac_update_relstats(rel, nts_file_blocks(rel), vacuum->cleanup.live_rows, 0, rel->rd_rel->relhasindex,
						frozen_xid, oldest_multi, &frozen_advanced, &multi_advanced, false);
	return frozen_advanced;
}

void
nts_am_vacuum(Relation rel, struct VacuumParams *params, BufferAccessStrategy strategy)
{
	Vacuum		vacuum = {0};
	NtsCleanup *cleanup = &vacuum.cleanup;
	PGRUsage	usage;
	TimestampTz start = GetCurrentTimestamp();
	MultiXactId oldest_multi;
	TransactionId frozen_xid;
	bool		frozen_advanced;
	bool		may_shrink;
	bool		packs;

	pg_rusage_init(&usage);
	pgstat_progress_start_command(PROGRESS_COMMAND_VACUUM, RelationGetRelid(rel));
	NTS_VACUUM_CUTOFFS(rel, params, &cleanup->oldest_xmin, &oldest_multi, &cleanup->freeze_limit);
	spare_old_snapshots(rel, cleanup);
	vacuum.rel = rel;
	vacuum.strategy = strategy;
	vacuum.delays = true;
	vacuum.every_page = (params->options & VACOPT_DISABLE_PAGE_SKIPPING) != 0;
	vacuum.verbose = (params->options & VACOPT_VERBOSE) != 0;
	pgstat_progress_update_param(PROGRESS_VACUUM_PHASE, PROGRESS_VACUUM_PHASE_SCAN_HEAP);
	pgstat_progress_update_param(PROGRESS_VACUUM_TOTAL_HEAP_BLKS, nts_file_blocks(rel));
	clean(&vacuum);
	vacuum.needed_rows = cleanup->dead_rows;

	/* who runs now, or comes later, writes no id older than oldest_xmin */
	frozen_xid = cleanup->oldest_xmin;
	if (TransactionIdIsValid(cleanup->remaining) &&
		TransactionIdPrecedes(cleanup->remaining, frozen_xid))
		frozen_xid = cleanup->remaining;
	NTS_FAULT(vacuum_statistics);
	frozen_advanced = update_statistics(&vacuum, frozen_xid, oldest_multi);
	/* both may take an xid, which may be used up */
	may_shrink = params->truncate != VACOPTVALUE_DISABLED && !NTS_VACUUM_FAILSAFE(rel);
	packs = may_shrink && plan_packing(&vacuum);
	/* before anything that takes time, and can be cancelled */
	pgstat_report_vacuum(RelationGetRelid(rel), rel->rd_rel->relisshared,
						 (PgStat_Counter) cleanup->live_rows, (PgStat_Counter) cleanup->dead_rows);
	if (may_shrink)
		shrink(&vacuum, packs);
	pgstat_progress_update_param(PROGRESS_VACUUM_PHASE, PROGRESS_VACUUM_PHASE_FINAL_CLEANUP);
	if (vacuum.blocks_cut_off > 0)
		(void) update_statistics(&vacuum, frozen_xid, oldest_multi);
	pgstat_progress_end_command();
	report(&vacuum, params, &usage, start, frozen_xid, frozen_advanced);
}

/* ---- VACUUM FULL ---- */

/* Copies a segment that somebody may still read; false: nobody may. */
static bool
copy_segment(Relation from, const NtsEntry *old, Relation to, NtsCleanup *cleanup)
{
	NtsEntry	entry = *old;
	NtsXidFate	made = nts_xid_fate(entry.xmin, cleanup->oldest_xmin);

	if (made == NTS_XID_ABORTED || entry.state == NTS_ENTRY_BUILDING)
		return false;
	if (entry.state != NTS_ENTRY_LIVE)
	{
		NtsXidFate	ended = nts_xid_fate(entry.xmax, cleanup->oldest_xmin);

		if (ended == NTS_XID_SEEN || ended == NTS_XID_FROZEN)
		{
			nts_cleanup_conflict(from, entry.first_block, cleanup, entry.xmax);
			return false;
		}
		if (ended == NTS_XID_ABORTED)
		{
			entry.state = NTS_ENTRY_LIVE;
			entry.xmax = InvalidTransactionId;
			entry.cmax = 0;
		}
		/* slots are others in the new file; who meets none looks the id up */
		entry.successor_slot = 0;
		entry.successor_generation = 0;
	}
	if (made == NTS_XID_SEEN)
	{
		nts_cleanup_conflict(from, entry.first_block, cleanup, entry.xmin);
		entry.xmin = FrozenTransactionId;
		entry.flags &= ~NTS_ENTRY_MOVED_IN;
	}
	nts_segment_copy(from, &entry, to);
	if (entry.state == NTS_ENTRY_LIVE)
		cleanup->live_rows += entry.rows;
	else
		cleanup->dead_rows += entry.rows;
	return true;
}

static int
compare_generations(const void *a, const void *b)
{
	uint64		x = ((const NtsEntryRef *) a)->entry.generation;
	uint64		y = ((const NtsEntryRef *) b)->entry.generation;

	return x < y ? -1 : x > y;
}

/*
 * VACUUM FULL: copies to a new file, in the order in which it was made, what any snapshot may
 * still read, with the ids and the visibility it has. Both tables are locked against
 * everybody, so nothing is in progress but by prepared transactions, which would hold
 * a lock. Snapshots of standbys that could tell frozen ids apart are cancelled there,
 * even if they have not touched the table yet.
 */
void
nts_am_copy_for_cluster(Relation old_table, Relation new_table, Relation index, bool use_sort,
						TransactionId oldest, TransactionId *xid_cutoff,
						MultiXactId *multi_cutoff, double *tuples, double *vacuumed,
						double *recently_dead)
{
	NtsCleanup	cleanup = {0};
	NtsStorage	storage;
	NtsMeta		meta;
	NtsEntryRef *entries;
	int			count;

	if (index != NULL)
		nts_error_unsupported(old_table, "CLUSTER");
	nts_missing_keep(old_table);
	cleanup.oldest_xmin = oldest;
	spare_old_snapshots(old_table, &cleanup);
	entries = nts_directory_read(old_table, &meta, false, &count);
	/* who looks for the newest segment goes by generation */
	if (count > 1)
		qsort(entries, count, sizeof(NtsEntryRef), compare_generations);
	nts_storage_forget(&storage);
	*tuples = *vacuumed = *recently_dead = 0;
	/* ids that were handed out are not handed out again */
	if (meta.next_row_id > 0)
		(void) nts_meta_reserve_row_ids(new_table, meta.next_row_id);
	for (int i = 0; i < count; i++)
	{
		const NtsEntry *entry = &entries[i].entry;

		CHECK_FOR_INTERRUPTS();
		NTS_FAULT(full_entry);
		if (entry->level == NTS_LEVEL_DELTA)
			for (uint32 p = 0; p < nts_delta_pages(&meta, entry); p++)
			{
				CHECK_FOR_INTERRUPTS();
				NTS_FAULT(full_page);
				nts_delta_copy_page(old_table, entry, entry->first_block + p, new_table, &storage,
									&cleanup);
			}
		else if (entry->level == NTS_LEVEL_DICTIONARIES && !nts_dictionaries_are_needed(entries, count, entry))
			continue;
		else if (!copy_segment(old_table, entry, new_table, &cleanup))
			*vacuumed += entry->rows;
	}
	if (entries != NULL)
		pfree(entries);
	NTS_FAULT(full_done);
	/* all older ids were frozen, now or by an earlier vacuum */
	if (TransactionIdPrecedes(cleanup.oldest_xmin, *xid_cutoff))
		*xid_cutoff = cleanup.oldest_xmin;
	if (TransactionIdPrecedes(*xid_cutoff, old_table->rd_rel->relfrozenxid))
		*xid_cutoff = old_table->rd_rel->relfrozenxid;
	*tuples = cleanup.live_rows + cleanup.dead_rows;
	*recently_dead = cleanup.dead_rows;
}
