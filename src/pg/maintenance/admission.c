/*
 * admission.c - a session that inserts flushes the table when its L0 has grown too large and nobody else does.
 *
 * Runs before the commit of a transaction that has opened a delta extent (up to 16 pages), when its rows are in
 * storage. Why there, what bounds it and what it cannot do: README.md. The flush is a subtransaction, so that what goes
 * wrong in it does not go wrong for the transaction.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "pg/activity.h"
#include "pg/am/am.h"
#include "pg/guc.h"
#include "pg/maintenance/flush.h"

/* What one commit may have to move: 512 kB of pages, four times what the session has opened, or fewer where pages hold
 * very many rows, but always more than it has opened. */
#define MAX_PAGES 64
#define MAX_ROWS 20000
#define MIN_PAGES 24
#define MAX_EXTENTS_FREED 16
/* After an error this session leaves it to others for a while. */
#define PAUSE_MS 60000

static TimestampTz paused_until;

static void
failed(Relation rel, const ErrorData *error)
{
	/* a cancellation came too late for the statement, whose rows are all there */
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		return;
	paused_until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), PAUSE_MS);
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("table \"%s\" is larger than nodedb_ts.max_delta_size and could not be flushed: %s",
					RelationGetRelationName(rel), error->message)));
	nts_activity_error(RelationGetRelid(rel), NTS_ACTIVITY_ADMISSION, error->message);
}

static void
flush_if_too_large(Relation rel, NtsStorage *storage)
{
	uint64		limit_pages = (uint64) nts_max_delta_size_kb * 1024 / BLCKSZ;
	NtsFlushLimit limit = {.pages = MAX_PAGES,.rows = MAX_ROWS,.min_pages = MIN_PAGES,
	.extents_freed = MAX_EXTENTS_FREED};

	if (nts_delta_backlog(rel, &storage->moved_below, limit_pages) <= limit_pages)
		return;
	/* whoever has it is at it, or wants it for himself; never wait, so never a deadlock */
	if (!ConditionalLockRelation(rel, ShareUpdateExclusiveLock))
		return;
	limit.first_generation = storage->moved_below;
	(void) nts_flush_relation(rel, &limit);
}

static void
admit(Relation rel, NtsStorage *storage)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	if (nts_max_delta_size_kb <= 0 || IsInParallelMode() || IsBinaryUpgrade)
		return;
	if (paused_until != 0 && GetCurrentTimestamp() < paused_until)
		return;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		flush_if_too_large(rel, storage);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		/* what it took for moved is not */
		storage->moved_below = 0;
		failed(rel, error);
		FreeErrorData(error);
	}
	PG_END_TRY();
}

void
nts_admission_init(void)
{
	nts_buffer_admit = admit;
}
