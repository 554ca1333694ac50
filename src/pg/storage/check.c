/*
 * check.c - looking at pages and entries without complaining: for ts_verify, which
 * goes on after what it finds.
 *
 * Nothing here raises an error about what the bytes are; reading a block may raise
 * what the buffer manager has to say (nts_error_try catches that). Locks: one content
 * lock at a time, for a copy.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xlog.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "pg/storage/storage.h"

void
nts_page_copy(Relation rel, BlockNumber block, BufferAccessStrategy strategy, char *page)
{
	Buffer		buffer = ReadBufferExtended(rel, MAIN_FORKNUM, block, RBM_NORMAL, strategy);

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	memcpy(page, BufferGetPage(buffer), BLCKSZ);
	UnlockReleaseBuffer(buffer);
}

bool
nts_page_rest_is_zero(const char *page, uint16 flags)
{
	const PageHeaderData *header = (const PageHeaderData *) page;
	const NtsPageSpecial *special = nts_page_special((Page) page);

	if (header->pd_flags != 0 || header->pd_prune_xid != 0 ||
		header->pd_pagesize_version != (BLCKSZ | PG_PAGE_LAYOUT_VERSION) ||
		(special->flags & ~flags) != 0 ||
		(special->kind != NTS_PAGE_DIRECTORY && special->next != 0))
		return false;
	for (Size i = header->pd_lower; i < header->pd_upper; i++)
		if (page[i] != 0)
			return false;
	return true;
}

const char *
nts_xid_problem(TransactionId xid, TransactionId oldest)
{
	if (!TransactionIdIsNormal(xid))
		return xid == BootstrapTransactionId ? "is 1" : NULL;
	/* what a standby replays may carry the xid of a subtransaction that it does not
	 * know of yet */
	if (!RecoveryInProgress() && TransactionIdFollowsOrEquals(xid, ReadNextTransactionId()))
		return "has not been given out yet";
	if (TransactionIdIsNormal(oldest) && TransactionIdPrecedes(xid, oldest))
		return "is older than the table's relfrozenxid";
	return NULL;
}

const char *
nts_entry_problem(const NtsEntry *entry, BlockNumber allocated_end)
{
	const uint16 known = NTS_ENTRY_HAS_TIME | NTS_ENTRY_NULL_TIME | NTS_ENTRY_ROW_IDS |
		NTS_ENTRY_COMMAND_IDS | NTS_ENTRY_MOVED_IN | NTS_ENTRY_FROZEN | NTS_ENTRY_RETIRED;
	NtsEntry	empty;

	if (entry->crc32c != nts_crc32c(0, entry, offsetof(NtsEntry, crc32c)))
		return "has a wrong checksum";
	if (entry->state > NTS_ENTRY_FREE || entry->level > NTS_LEVEL_DICTIONARIES || (entry->flags & ~known) != 0)
		return "has an unknown state, level or flag";
	if (entry->state == NTS_ENTRY_EMPTY)
	{
		memset(&empty, 0, sizeof(empty));
		return memcmp(entry, &empty, offsetof(NtsEntry, crc32c)) == 0 ? NULL : "is empty, but not zero";
	}
	if (entry->first_block <= NTS_META_BLOCK || entry->block_count == 0 ||
		(uint64) entry->first_block + entry->block_count > allocated_end)
		return "has an extent outside of the allocated blocks";
	if (entry->generation == 0)
		return "has no generation";
	if (entry->state == NTS_ENTRY_FREE)
		return NULL;
	if (entry->footer_offset > entry->byte_length ||
		entry->byte_length > (uint64) entry->block_count * NTS_SEGMENT_PAYLOAD ||
		(entry->level == NTS_LEVEL_DELTA) != (entry->byte_length == 0))
		return "has a length that does not fit its extent";
	if (entry->level == NTS_LEVEL_DELTA &&
		(entry->xmin != FrozenTransactionId || entry->state == NTS_ENTRY_BUILDING))
		return "is a delta extent that belongs to a transaction";
	if (entry->level != NTS_LEVEL_DELTA && !TransactionIdIsValid(entry->xmin))
		return "has no xmin";
	if ((entry->state == NTS_ENTRY_MOVED || entry->state == NTS_ENTRY_KILLED) &&
		!TransactionIdIsValid(entry->xmax))
		return "is moved or killed by nobody";
	if (entry->level != NTS_LEVEL_DELTA &&
		(entry->first_row_id > entry->last_row_id || entry->last_row_id >= NTS_ROW_ID_LIMIT))
		return "has an invalid range of row ids";
	if ((entry->flags & NTS_ENTRY_HAS_TIME) != 0 && entry->min_time > entry->max_time)
		return "has an invalid range of times";
	if ((entry->flags & NTS_ENTRY_HAS_TIME) != 0 && entry->time_column == 0)
		return "has times of no column";
	if (entry->level == NTS_LEVEL_DELTA && entry->time_column != 0)
		return "is a delta extent with a time column";
	if (entry->level == NTS_LEVEL_DELTA && entry->dictionaries != 0)
		return "is a delta extent with trained dictionaries";
	if (entry->level != NTS_LEVEL_DICTIONARIES && (entry->flags & NTS_ENTRY_RETIRED) != 0)
		return "is retired, but no set of dictionaries";
	if (entry->level == NTS_LEVEL_DICTIONARIES &&
		((entry->flags & ~NTS_ENTRY_RETIRED) != 0 || entry->state > NTS_ENTRY_LIVE || entry->rows != 0 ||
		 entry->dictionaries == 0 || entry->footer_offset != 0))
		return "is a set of dictionaries with rows, or without an id";
	return NULL;
}
