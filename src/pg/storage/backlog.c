/*
 * backlog.c - how much of L0 waits for a flush, as cheaply as it can be told.
 *
 * A page waits when it holds rows and no transaction that has committed moved them. The metapage does not count such
 * pages, so that appending a batch changes one page only; they are counted here by looking at the special areas of the
 * extents that are not known as moved, each under its share lock, one at a time. Flushes move whole extents, so where the
 * first and the last page wait, those between are taken to wait as well: looking at each of them took more than a third
 * of what inserting sessions spend for flushing.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "pg/storage/storage.h"

/* Copies what a delta page's special area says; false: it is no such page of that generation. */
static bool
read_special(Relation rel, BlockNumber block, uint64 generation, NtsDeltaSpecial *special)
{
	Buffer		buffer = ReadBuffer(rel, block);
	Page		page = BufferGetPage(buffer);
	bool		found;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	found = !PageIsNew(page) && ((PageHeader) page)->pd_special == BLCKSZ - sizeof(NtsDeltaSpecial) &&
		nts_page_special(page)->kind == NTS_PAGE_DELTA && nts_page_special(page)->generation == generation;
	if (found)
		*special = *nts_delta_special(page);
	UnlockReleaseBuffer(buffer);
	return found;
}

bool
nts_delta_open_rows(Relation rel, const NtsMeta *meta)
{
	BlockNumber blocks = nts_file_blocks(rel);

	for (int i = 0; i < NTS_MAX_TAILS; i++)
	{
		const NtsTail *tail = &meta->tails[i];
		NtsDeltaSpecial special;

		/* one that has become something else since is no open page */
		if (tail->block != InvalidBlockNumber && tail->block < blocks &&
			read_special(rel, tail->block, tail->generation, &special) &&
			(special.common.flags & NTS_DELTA_SEALED) == 0 && special.rows > 0)
			return true;
	}
	return false;
}

static bool
is_moved(TransactionId xid)
{
	if (!TransactionIdIsValid(xid))
		return false;
	return xid == FrozenTransactionId || TransactionIdIsCurrentTransactionId(xid) || TransactionIdDidCommit(xid);
}

uint32
nts_delta_waiting_rows(Relation rel, BlockNumber block, uint64 generation)
{
	NtsDeltaSpecial special;
	TransactionId xid;

	if (!read_special(rel, block, generation, &special))
		return 0;
	xid = special.move_xid;
	/* the page's checksum is not looked at, so an id without a status in the commit log is not looked up */
	if (TransactionIdIsNormal(xid) && (TransactionIdPrecedes(xid, rel->rd_rel->relfrozenxid) ||
									   !TransactionIdPrecedes(xid, XidFromFullTransactionId(ReadNextFullTransactionId()))))
		return 0;
	return is_moved(xid) ? 0 : special.rows;
}

static int
compare_generations(const void *a, const void *b)
{
	uint64		left = ((const NtsEntryRef *) a)->entry.generation;
	uint64		right = ((const NtsEntryRef *) b)->entry.generation;

	return left < right ? -1 : left > right;
}

void
nts_entries_sort(NtsEntryRef *entries, int count)
{
	qsort(entries, count, sizeof(NtsEntryRef), compare_generations);
}

static bool
waits(Relation rel, const NtsEntry *entry, uint32 page)
{
	NtsDeltaSpecial special;

	return read_special(rel, entry->first_block + page, entry->generation, &special) && special.rows > 0 &&
		!is_moved(special.move_xid);
}

/*
 * Pages of an extent that wait, too many where some in the middle do not; *settled: nothing will ever change in them
 * again.
 */
static uint64
count_waiting(Relation rel, const NtsMeta *meta, const NtsEntry *entry, uint64 limit, bool *settled)
{
	uint32		pages = nts_delta_pages(meta, entry);
	uint64		waiting = 0;

	*settled = false;
	if (pages > 2 && waits(rel, entry, 0) && waits(rel, entry, pages - 1))
		return pages;
	*settled = pages == entry->block_count;
	for (uint32 i = 0; i < pages && waiting <= limit; i++)
	{
		NtsDeltaSpecial special;

		CHECK_FOR_INTERRUPTS();
		if (!read_special(rel, entry->first_block + i, entry->generation, &special))
			continue;			/* damage is for those who read the rows */
		if (is_moved(special.move_xid))
			continue;
		*settled = false;
		if (special.rows > 0)
			waiting++;
	}
	return waiting;
}

uint64
nts_delta_backlog(Relation rel, uint64 *moved_below, uint64 limit)
{
	NtsMeta		meta;
	NtsEntryRef *refs;
	uint64		pages = 0;
	uint64		waiting = 0;
	int			count;
	int			kept = 0;
	bool		all_settled = true;

	refs = nts_directory_read(rel, &meta, false, &count);
	for (int i = 0; i < count; i++)
	{
		const NtsEntry *entry = &refs[i].entry;

		if (entry->level != NTS_LEVEL_DELTA || entry->state != NTS_ENTRY_LIVE || entry->generation < *moved_below)
			continue;
		pages += nts_delta_pages(&meta, entry);
		refs[kept++] = refs[i];
	}
	if (pages > limit)
	{
		nts_entries_sort(refs, kept);
		for (int i = 0; i < kept && waiting <= limit; i++)
		{
			bool		settled;

			CHECK_FOR_INTERRUPTS();
			waiting += count_waiting(rel, &meta, &refs[i].entry, limit - waiting, &settled);
			all_settled = all_settled && settled;
			if (all_settled)
				*moved_below = refs[i].entry.generation + 1;
		}
		pages = waiting;
	}
	if (refs != NULL)
		pfree(refs);
	return pages;
}
