/*
 * delta_clean.c - what VACUUM and ts_flush do to delta pages: freeze, mark dead, retire.
 *
 * A page is gone when its special area says so (sealed, move_xid frozen): its rows were
 * moved by a transaction that every snapshot sees, or all its batches are dead. Nobody
 * looks at the batches of such a page again, so their ids need no care; an extent of
 * gone pages may be freed.
 *
 * Each change is one record on one page. What standbys must hear of is logged before
 * the lock is taken: ids older than oldest_xmin, whose batches cannot become more.
 * Caller holds ShareUpdateExclusiveLock, so moves do not change meanwhile.
 */
#include "postgres.h"

#include "access/transam.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "pg/error.h"
#include "pg/fault.h"
#include "pg/storage/storage.h"
#include "pg/storage/wal.h"

/* What shall be done to a page. */
typedef struct Plan
{
	bool		change;
	bool		gone;			/* already, or by this change */
	bool		seal;
	bool		freeze;			/* batches */
	bool		any_xid;		/* there are ids to freeze, now or later */
	bool		forget_move;	/* it was rolled back */
	TransactionId conflict;		/* newest id that standbys must see as ended */
	TransactionId newest_seen;	/* of batches that may be frozen, or Invalid */
	TransactionId oldest_kept;	/* id that stays, or Invalid */
	uint32		live;
	uint32		moved;			/* rows that older snapshots still read here */
} Plan;

static TransactionId
older(TransactionId a, TransactionId b)
{
	if (!TransactionIdIsValid(a))
		return b;
	return !TransactionIdIsValid(b) || TransactionIdPrecedes(a, b) ? a : b;
}

static TransactionId
younger(TransactionId a, TransactionId b)
{
	if (!TransactionIdIsValid(a))
		return b;
	return !TransactionIdIsValid(b) || TransactionIdFollows(a, b) ? a : b;
}

void
nts_cleanup_keep(NtsCleanup *cleanup, TransactionId xid)
{
	if (TransactionIdIsNormal(xid))
		cleanup->remaining = older(cleanup->remaining, xid);
}

/* Looks at every batch of a page whose rows count. */
static void
plan_batches(Relation rel, BlockNumber block, const char *page, const NtsCleanup *cleanup,
			 Plan *plan)
{
	NtsBatch	batch;
	NtsBatchCursor cursor = {0};
	TransactionId oldest = InvalidTransactionId;	/* of all batches */
	TransactionId oldest_running = InvalidTransactionId;	/* of those that cannot be frozen */
	TransactionId newest_seen = InvalidTransactionId;
	bool		any_kept = false;

	while (nts_delta_next(rel, block, page, &cursor, &batch))
	{
		NtsXidFate	fate = nts_xid_fate(batch.xmin, cleanup->oldest_xmin);

		if (TransactionIdIsNormal(batch.xmin))
			oldest = older(oldest, batch.xmin);
		if (fate == NTS_XID_ABORTED)
			continue;
		any_kept = true;
		if (fate == NTS_XID_RUNNING || fate == NTS_XID_COMMITTED)
			oldest_running = older(oldest_running, batch.xmin);
		if (fate == NTS_XID_SEEN)
			newest_seen = younger(newest_seen, batch.xmin);
		if (fate != NTS_XID_RUNNING)
			plan->live += batch.rows;
	}
	plan->gone = !any_kept;
	plan->any_xid = TransactionIdIsValid(oldest);
	plan->freeze = any_kept && TransactionIdIsValid(oldest) &&
		TransactionIdIsValid(cleanup->freeze_limit) &&
		TransactionIdPrecedes(oldest, cleanup->freeze_limit);
	plan->newest_seen = newest_seen;
	if (plan->freeze)
		plan->conflict = newest_seen;
	plan->oldest_kept = plan->freeze ? oldest_running : oldest;
}

static void
make_plan(Relation rel, const NtsMeta *meta, BlockNumber block, const char *page,
		  const NtsCleanup *cleanup, Plan *plan)
{
	const NtsDeltaSpecial *special = nts_delta_special((Page) page);
	bool		sealed = (special->common.flags & NTS_DELTA_SEALED) != 0;
	bool		open = !sealed && nts_tail_is_open(meta, block);

	memset(plan, 0, sizeof(*plan));
	if (special->move_xid == FrozenTransactionId)
	{
		plan->gone = true;
		return;
	}
	if (TransactionIdIsValid(special->move_xid))
	{
		switch (nts_xid_fate(special->move_xid, cleanup->oldest_xmin))
		{
			case NTS_XID_SEEN:
				plan->gone = plan->change = true;
				plan->conflict = special->move_xid;
				return;
			case NTS_XID_ABORTED:
				plan->forget_move = plan->change = true;
				break;
			default:
				plan_batches(rel, block, page, cleanup, plan);
				plan->gone = false;
				plan->moved = plan->live;
				plan->live = 0;
				plan->change = plan->freeze;
				plan->oldest_kept = older(plan->oldest_kept, special->move_xid);
				return;
		}
	}
	plan_batches(rel, block, page, cleanup, plan);
	/* a fresh page waits for its first batch */
	if (open && special->rows == 0)
		plan->gone = false;
	if (plan->gone)
	{
		plan->change = true;
		plan->oldest_kept = InvalidTransactionId;
	}
	/* one that is open no more takes no batch again, so that the extent can be skipped */
	plan->seal = !sealed && !open && (plan->freeze || !plan->any_xid);
	if (plan->freeze || plan->seal)
		plan->change = true;
}

/* Freezes old batches and marks aborted ones dead on a copy of a page; staged: index of
 * the page in the record that is to tell of it, or -1. */
static void
clean_batches(Relation rel, BlockNumber block, char *page, TransactionId oldest_xmin, int staged)
{
	NtsBatch	batch;
	NtsBatchCursor cursor = {0};

	while (nts_delta_next(rel, block, page, &cursor, &batch))
	{
		uint32		xid = FrozenTransactionId;

		if (!TransactionIdIsNormal(batch.xmin))
			continue;
		switch (nts_xid_fate(batch.xmin, oldest_xmin))
		{
			case NTS_XID_ABORTED:
				xid = InvalidTransactionId;
				break;
			case NTS_XID_SEEN:
				break;
			default:
				continue;
		}
		memcpy(page + batch.xmin_at, &xid, sizeof(xid));
		if (staged >= 0)
			nts_wal_write(staged, batch.xmin_at, &xid, sizeof(xid));
	}
}

/* Carries the plan out; caller holds the exclusive content lock, page is a copy. */
static void
carry_out(Relation rel, Buffer buffer, BlockNumber block, const char *page,
		  const NtsCleanup *cleanup, const Plan *plan)
{
	PGAlignedBlock after;
	NtsDeltaSpecial *special;
	int			index;

	memcpy(after.data, page, BLCKSZ);
	special = nts_delta_special((Page) after.data);
	if (plan->gone || plan->forget_move)
	{
		special->move_xid = plan->gone ? FrozenTransactionId : InvalidTransactionId;
		special->move_cid = 0;
	}
	if (plan->gone || plan->seal)
		special->common.flags |= NTS_DELTA_SEALED;
	nts_wal_begin(rel);
	index = nts_wal_buffer(buffer);
	if (plan->freeze)
		clean_batches(rel, block, after.data, cleanup->oldest_xmin, index);
	special->checksum = nts_delta_checksum(after.data);
	nts_wal_write(index, NTS_DELTA_SPECIAL_AT(common.flags), &special->common.flags, sizeof(special->common.flags));
	nts_wal_write(index, NTS_DELTA_SPECIAL_AT(checksum), &special->checksum, NTS_DELTA_MOVE_BYTES);
	nts_wal_commit();
}

/* Holds the page no id, and will it take none? */
static bool
is_frozen(Relation rel, BlockNumber block, const char *page)
{
	const NtsDeltaSpecial *special = nts_delta_special((Page) page);
	NtsBatch	batch;
	NtsBatchCursor cursor = {0};

	if ((special->common.flags & NTS_DELTA_SEALED) == 0 || TransactionIdIsNormal(special->move_xid))
		return false;
	while (special->move_xid != FrozenTransactionId &&
		   nts_delta_next(rel, block, page, &cursor, &batch))
		if (TransactionIdIsNormal(batch.xmin))
			return false;
	return true;
}

void
nts_cleanup_conflict(Relation rel, BlockNumber block, NtsCleanup *cleanup, TransactionId xid)
{
	if (!TransactionIdIsNormal(xid) ||
		(TransactionIdIsValid(cleanup->conflict_logged) &&
		 TransactionIdPrecedesOrEquals(xid, cleanup->conflict_logged)))
		return;
	nts_wal_conflict(rel, block, nts_wal_full_xid(xid));
	cleanup->conflict_logged = xid;
}

void
nts_delta_clean(Relation rel, const NtsMeta *meta, const NtsEntry *entry, BlockNumber block,
				BufferAccessStrategy strategy, NtsCleanup *cleanup, NtsPageFate *fate)
{
	Buffer		buffer = ReadBufferExtended(rel, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
	PGAlignedBlock page;
	Plan		plan;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	memcpy(page.data, BufferGetPage(buffer), BLCKSZ);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	nts_page_check(rel, block, (Page) page.data, NTS_PAGE_DELTA, entry->generation);
	nts_delta_check(rel, block, page.data);
	make_plan(rel, meta, block, page.data, cleanup, &plan);
	if (plan.change)
	{
		nts_cleanup_conflict(rel, block, cleanup, plan.conflict);
		NTS_FAULT(clean_conflict);
		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		/* a batch may have come since, and a running one may have ended */
		memcpy(page.data, BufferGetPage(buffer), BLCKSZ);
		make_plan(rel, meta, block, page.data, cleanup, &plan);
		NTS_FAULT(clean_record);
		if (plan.change)
			carry_out(rel, buffer, block, page.data, cleanup, &plan);
		memcpy(page.data, BufferGetPage(buffer), BLCKSZ);
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
		NTS_FAULT(clean_done);
	}
	ReleaseBuffer(buffer);
	fate->gone = plan.gone;
	fate->frozen = is_frozen(rel, block, page.data);
	fate->rows = plan.live;
	cleanup->live_rows += plan.live;
	cleanup->dead_rows += plan.moved;
	nts_cleanup_keep(cleanup, plan.oldest_kept);
}

/* Appends the page's live batches to the other table's open page. */
static void
append_batches(Relation from, BlockNumber block, const char *page, Relation to,
			   NtsStorage *storage)
{
	const NtsDeltaSpecial *special = nts_delta_special((Page) page);
	uint8		payload[BLCKSZ];
	NtsBatch	batch;
	NtsBatchCursor cursor = {0};

	while (nts_delta_next(from, block, page, &cursor, &batch))
	{
		NtsOutput	output = {0};

		if (!TransactionIdIsValid(batch.xmin))
			continue;
		if (batch.head_length > 0)
			memcpy(payload, batch.head, batch.head_length);
		memcpy(payload + batch.head_length, batch.body, batch.body_length);
		output.kind = NTS_OUTPUT_BATCH;
		output.bytes = payload;
		output.length = batch.head_length + batch.body_length;
		output.rows = batch.rows;
		output.batch_layout = batch.layout;
		/* the page's bounds hold for each of its batches */
		storage->time_column = special->time_column;
		output.has_time = special->min_time <= special->max_time;
		output.min_time = special->min_time;
		output.max_time = special->max_time;
		output.has_null_time = (special->common.flags & NTS_DELTA_NULL_TIME) != 0;
		nts_delta_append(to, storage, batch.xmin, batch.cid, &output, Max(batch.head_length, batch.own_head_length),
						 batch.row_id, batch.kind == NTS_BATCH_MOVED_ROWS);
	}
}

void
nts_delta_copy_page(Relation from, const NtsEntry *entry, BlockNumber block, Relation to,
					NtsStorage *storage, NtsCleanup *cleanup)
{
	PGAlignedBlock page;
	NtsMeta		no_meta = {0};
	NtsDeltaSpecial *special;
	Plan		plan;

	nts_delta_read(from, entry, block, NULL, page.data);
	make_plan(from, &no_meta, block, page.data, cleanup, &plan);
	nts_cleanup_conflict(from, block, cleanup, plan.gone ? plan.conflict : plan.newest_seen);
	if (plan.gone)
		return;
	special = nts_delta_special((Page) page.data);
	clean_batches(from, block, page.data, cleanup->oldest_xmin, -1);
	if (plan.forget_move)
		special->move_xid = special->move_cid = 0;
	cleanup->live_rows += plan.live;
	cleanup->dead_rows += plan.moved;
	if (TransactionIdIsValid(special->move_xid))
		nts_delta_put_page(to, storage, page.data);	/* the move is the whole page's */
	else
		append_batches(from, block, page.data, to, storage);
}
