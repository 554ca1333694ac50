/*
 * delta.c - L0: batches of committed small transactions on delta pages.
 *
 * Delta extents are not transactional: many transactions share a page, so an
 * extent's entry is live from birth and only batches carry xids. Up to
 * NTS_MAX_TAILS pages are open at once; a backend keeps to its own tail and looks
 * for another one only when somebody else holds that page's lock.
 *
 * Invariants: every page of a delta extent before the metapage's delta_next (all, when
 * it is not the newest one) is initialized, in the record that hands it out. A page
 * takes batches only while it is unsealed and carries the
 * generation its appender expects, both checked under the exclusive content lock.
 * A page is moved as a whole, by one xid, after every batch on it has ended.
 * Locks: metapage before delta page; an appender holds its delta page only.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "storage/procarray.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/compat.h"
#include "pg/error.h"
#include "pg/fault.h"
#include "pg/storage/storage.h"
#include "pg/storage/wal.h"

#define MIN_EXTENT_BLOCKS 4
#define MAX_EXTENT_BLOCKS 16

uint32
nts_delta_special_checksum(const NtsDeltaSpecial *special)
{
	Size		end = offsetof(NtsDeltaSpecial, checksum) + sizeof(special->checksum);

	return nts_crc32c(nts_crc32c(0, special, offsetof(NtsDeltaSpecial, checksum)),
					  (const char *) special + end, sizeof(NtsDeltaSpecial) - end);
}

uint32
nts_delta_checksum(const char *page)
{
	return nts_crc32c(0, page + NTS_PAGE_CONTENT,
					  ((const PageHeaderData *) page)->pd_lower - NTS_PAGE_CONTENT) ^
		nts_delta_special_checksum(nts_delta_special((Page) page));
}

void
nts_delta_check(Relation rel, BlockNumber block, const char *page)
{
	if (nts_delta_special((Page) page)->checksum != nts_delta_checksum(page))
		nts_error_corrupt(rel, "block %u has a wrong checksum", block);
}

static void
allocate_extent(Relation rel, NtsStorage *storage)
{
	NtsEntryRef ref;
	NtsMeta		meta;
	uint32		blocks = MIN_EXTENT_BLOCKS;

	/* grow with the table, so that a small table stays small */
	if (nts_meta_read(rel, &meta))
		blocks = Min(Max(meta.allocated_end / 8, MIN_EXTENT_BLOCKS), MAX_EXTENT_BLOCKS);
	memset(&ref, 0, sizeof(ref));
	ref.entry.state = NTS_ENTRY_LIVE;
	ref.entry.level = NTS_LEVEL_DELTA;
	ref.entry.xmin = FrozenTransactionId;
	if (nts_extent_allocate(rel, &ref, blocks, true))
		storage->extent_opened = true;
}

static int
find_tail(const NtsMeta *meta, BlockNumber block)
{
	for (int i = 0; i < NTS_MAX_TAILS; i++)
		if (meta->tails[i].block == block)
			return i;
	return -1;
}

bool
nts_tail_is_open(const NtsMeta *meta, BlockNumber block)
{
	return find_tail(meta, block) >= 0;
}

static void
set_tail(Relation rel, NtsStorage *storage, const NtsTail *tail)
{
	storage->tail_block = tail->block;
	storage->tail_generation = tail->generation;
	RelationSetTargetBlock(rel, tail->block);
}

/* Takes over an open page other than `avoid`, spread over the backends. */
static bool
adopt_tail(Relation rel, const NtsMeta *meta, NtsStorage *storage, BlockNumber avoid)
{
	for (int i = 0; i < NTS_MAX_TAILS; i++)
	{
		const NtsTail *tail = &meta->tails[(NTS_MY_PROC_NUMBER + i) % NTS_MAX_TAILS];

		if (tail->block == InvalidBlockNumber || tail->block == avoid)
			continue;
		set_tail(rel, storage, tail);
		return true;
	}
	return false;
}

/*
 * Opens a fresh page in place of `full`; or, when `full` is no open page any more
 * (somebody replaced it) or none was known, adopts an open one. additional: opens
 * one more page if there is a free place among the tails.
 */
static void
open_page(Relation rel, NtsStorage *storage, BlockNumber full, bool additional)
{
	nts_meta_ensure(rel);
	NTS_FAULT(open_page_begin);
	for (;;)
	{
		NtsMeta    *meta;
		Buffer		meta_buffer = nts_meta_lock(rel, BUFFER_LOCK_EXCLUSIVE, &meta);
		Buffer		buffer;
		PGAlignedBlock image;
		NtsDeltaSpecial *special;
		NtsMeta		changed;
		NtsTail		tail = {0};
		int			place = -1;
		int			index;

		if (additional)
			place = find_tail(meta, InvalidBlockNumber);
		else if (full != InvalidBlockNumber)
			place = find_tail(meta, full);
		if (place < 0 && adopt_tail(rel, meta, storage, full))
		{
			UnlockReleaseBuffer(meta_buffer);
			return;
		}
		if (place < 0)
			place = 0;			/* there is no open page, so every place is free */
		if (meta->delta_next >= meta->delta_end)
		{
			UnlockReleaseBuffer(meta_buffer);
			allocate_extent(rel, storage);
			continue;
		}
		tail.block = meta->delta_next;
		tail.generation = meta->delta_generation;
		/* after a crash the file may be shorter than what is allocated */
		if (tail.block >= nts_file_blocks(rel))
		{
			uint32		end = meta->delta_end;

			UnlockReleaseBuffer(meta_buffer);
			nts_lock_extension(rel);
			nts_file_extend(rel, end);
			nts_unlock_extension(rel);
			continue;
		}
		buffer = ReadBufferExtended(rel, MAIN_FORKNUM, tail.block, RBM_ZERO_AND_LOCK, NULL);
		nts_page_init(image.data, NTS_PAGE_DELTA, tail.generation, sizeof(NtsDeltaSpecial));
		special = nts_delta_special((Page) image.data);
		special->min_time = PG_INT64_MAX;
		special->max_time = PG_INT64_MIN;
		special->checksum = nts_delta_special_checksum(special);

		changed = *meta;
		changed.delta_next = tail.block + 1;
		changed.tails[place] = tail;
		changed.checksum = nts_meta_checksum(&changed);
		NTS_FAULT(open_page_record);
		nts_wal_begin(rel);
		index = nts_wal_buffer(meta_buffer);
		nts_wal_write(index, NTS_PAGE_CONTENT + offsetof(NtsMeta, delta_next), &changed.delta_next,
					  sizeof(changed.delta_next));
		nts_wal_write(index, NTS_PAGE_CONTENT + offsetof(NtsMeta, checksum), &changed.checksum,
					  sizeof(changed.checksum));
		nts_wal_write(index, NTS_PAGE_CONTENT + offsetof(NtsMeta, tails) + place * sizeof(NtsTail),
					  &tail, sizeof(tail));
		nts_wal_new_page(buffer, image.data);
		nts_wal_commit();
		UnlockReleaseBuffer(buffer);
		UnlockReleaseBuffer(meta_buffer);
		set_tail(rel, storage, &tail);
		NTS_FAULT(open_page_done);
		return;
	}
}

/* The page of the cached tail, exclusively locked; InvalidBuffer: somebody else has
 * it locked, and this was the first try. */
static Buffer
lock_tail(Relation rel, NtsStorage *storage, bool *contended)
{
	Buffer		buffer = ReadBuffer(rel, storage->tail_block);

	if (!ConditionalLockBuffer(buffer))
	{
		if (!*contended)
		{
			*contended = true;
			ReleaseBuffer(buffer);
			return InvalidBuffer;
		}
		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	}
	return buffer;
}

static bool
takes_batches(Page page, uint64 generation, Size bytes, uint64 rows)
{
	PageHeader	header = (PageHeader) page;

	/* a cached tail may have become anything since: look, but do not complain */
	return !PageIsNew(page) &&
		header->pd_special == BLCKSZ - sizeof(NtsDeltaSpecial) &&
		nts_page_special(page)->kind == NTS_PAGE_DELTA &&
		nts_page_special(page)->generation == generation &&
		(nts_page_special(page)->flags & NTS_DELTA_SEALED) == 0 &&
		header->pd_lower >= NTS_PAGE_CONTENT &&
		header->pd_lower + bytes <= header->pd_upper &&
		nts_delta_special(page)->rows + rows <= NTS_MAX_DELTA_ROWS;
}

static uint8 *
put_varint(uint8 *at, uint64 value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (uint8) (value | 0x80);
	*at++ = (uint8) value;
	return at;
}

/* NULL: no varint ends before `end`. */
static const uint8 *
get_varint(const uint8 *at, const uint8 *end, uint64 *value)
{
	*value = 0;
	for (int shift = 0; at != NULL && at < end && shift < 64; shift += 7)
	{
		*value |= (uint64) (*at & 0x7f) << shift;
		if ((*at++ & 0x80) == 0)
			return at;
	}
	return NULL;
}

/* Logs only the words of the special area from the first to the last that changed. */
static void
write_special(int index, const NtsDeltaSpecial *old, const NtsDeltaSpecial *special)
{
	uint32		before[sizeof(NtsDeltaSpecial) / sizeof(uint32)];
	uint32		after[lengthof(before)];
	int			first = 0;
	int			end = lengthof(before);

	memcpy(before, old, sizeof(before));
	memcpy(after, special, sizeof(after));
	while (first < end && before[first] == after[first])
		first++;
	while (end > first && before[end - 1] == after[end - 1])
		end--;
	if (end > first)
		nts_wal_write(index, BLCKSZ - sizeof(NtsDeltaSpecial) + first * sizeof(uint32), &after[first],
					  (end - first) * sizeof(uint32));
}

/* The bounds of a page's times are about one column; the table's may have changed. */
static void
note_times(NtsDeltaSpecial *special, uint32 time_column, const NtsOutput *output)
{
	if (special->rows == 0)
		special->time_column = time_column;
	else if (special->time_column != time_column)
	{
		special->time_column = NTS_MIXED_TIME;
		special->min_time = PG_INT64_MIN;
		special->max_time = PG_INT64_MAX;
		special->common.flags |= NTS_DELTA_NULL_TIME;
	}
	if (output->has_time)
	{
		special->min_time = Min(special->min_time, output->min_time);
		special->max_time = Max(special->max_time, output->max_time);
	}
	if (output->has_null_time)
		special->common.flags |= NTS_DELTA_NULL_TIME;
}

static void
append_locked(Relation rel, Buffer buffer, uint32 time_column, TransactionId xid, CommandId cid,
			  const NtsOutput *output, Size head_length, uint64 first_row_id, bool moved_in)
{
	Page		page = BufferGetPage(buffer);
	Size		lower = ((PageHeader) page)->pd_lower;
	NtsDeltaSpecial special = *nts_delta_special(page);
	NtsDeltaSpecial old = special;
	uint8		bytes[NTS_BATCH_HEADER_MAX + NTS_MAX_BATCH_PAYLOAD];
	uint8	   *at = bytes;
	int64		step = (int64) (first_row_id - special.next_row_id);
	uint32		xmin = xid;
	bool		shared = head_length > 0 && head_length == special.head_length &&
		special.head_at >= NTS_PAGE_CONTENT && special.head_at + head_length <= lower &&
		memcmp((char *) page + special.head_at, output->bytes, head_length) == 0;
	Size		skipped = shared ? head_length : 0;
	int			index;

	*at++ = (moved_in ? NTS_BATCH_MOVED_ROWS : NTS_BATCH_ROWS) |
		(output->batch_layout ? NTS_BATCH_LAYOUT_BIT : 0) | (shared ? NTS_BATCH_SHARED_HEAD : 0);
	at = put_varint(at, output->length - skipped);
	memcpy(at, &xmin, sizeof(xmin));
	at = put_varint(at + sizeof(xmin), cid);
	at = put_varint(at, output->rows);
	at = put_varint(at, ((uint64) step << 1) ^ (uint64) (step >> 63));
	if (!shared)
	{
		at = put_varint(at, head_length);
		special.head_at = lower + (at - bytes);
		special.head_length = head_length;
	}
	memcpy(at, output->bytes + skipped, output->length - skipped);
	at += output->length - skipped;

	note_times(&special, time_column, output);
	special.rows += output->rows;
	special.next_row_id = first_row_id + output->rows;
	/* the old batches' share, continued; if the page was damaged, it stays wrong */
	special.checksum = nts_crc32c(old.checksum ^ nts_delta_special_checksum(&old), bytes, at - bytes) ^
		nts_delta_special_checksum(&special);
	nts_wal_begin(rel);
	index = nts_wal_buffer(buffer);
	nts_wal_write(index, lower, bytes, at - bytes);
	nts_wal_set_lower(index, lower + (at - bytes));
	write_special(index, &old, &special);
	nts_wal_commit();
}

void
nts_delta_append(Relation rel, NtsStorage *storage, TransactionId xid, CommandId cid,
				 const NtsOutput *output, Size head_length, uint64 first_row_id, bool moved_in)
{
	Size		bytes = NTS_BATCH_HEADER_MAX + output->length;
	bool		contended = false;

	if (bytes > NTS_DELTA_CAPACITY || output->rows > NTS_MAX_BATCH_ROWS)
		nts_error_corrupt(rel, "a batch of %zu bytes does not fit into a page", bytes);
	for (;;)
	{
		Buffer		buffer;

		/* after a truncation the block may be gone, and must not be read */
		if (RelationGetTargetBlock(rel) != storage->tail_block)
			storage->tail_block = InvalidBlockNumber;
		if (storage->tail_block == InvalidBlockNumber)
			open_page(rel, storage, InvalidBlockNumber, false);
		buffer = lock_tail(rel, storage, &contended);
		if (!BufferIsValid(buffer))
		{
			/* somebody appends there right now: get a page of our own */
			open_page(rel, storage, storage->tail_block, true);
			continue;
		}
		if (takes_batches(BufferGetPage(buffer), storage->tail_generation, bytes,
						  output->rows))
		{
			/* readers hold their predicate lock before they read this page, or they
			 * will see the batch and report the conflict themselves */
			if (!moved_in)
				CheckForSerializableConflictIn(rel, NULL, InvalidBlockNumber);
			NTS_FAULT(append_record);
			append_locked(rel, buffer, storage->time_column, xid, cid, output, head_length, first_row_id, moved_in);
			UnlockReleaseBuffer(buffer);
			return;
		}
		UnlockReleaseBuffer(buffer);
		open_page(rel, storage, storage->tail_block, false);
	}
}

void
nts_delta_read(Relation rel, const NtsEntry *entry, BlockNumber block,
			   BufferAccessStrategy strategy, char *page)
{
	Buffer		buffer = ReadBufferExtended(rel, MAIN_FORKNUM, block, RBM_NORMAL, strategy);

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	memcpy(page, BufferGetPage(buffer), BLCKSZ);
	UnlockReleaseBuffer(buffer);
	nts_page_check(rel, block, (Page) page, NTS_PAGE_DELTA, entry->generation);
	nts_delta_check(rel, block, page);
}

bool
nts_delta_next(Relation rel, BlockNumber block, const char *page, NtsBatchCursor *cursor,
			   NtsBatch *batch)
{
	Size		lower = ((const PageHeaderData *) page)->pd_lower;
	const uint8 *end = (const uint8 *) page + lower;
	const uint8 *at = (const uint8 *) page + NTS_PAGE_CONTENT + cursor->offset;
	uint64		length = 0;
	uint64		cid = 0;
	uint64		rows = 0;
	uint64		step = 0;
	uint64		head = 0;
	uint32		xmin = 0;
	uint8		tag;

	if (at == end)
		return false;
	tag = *at++;
	at = get_varint(at, end, &length);
	if (at != NULL && end - at > (ptrdiff_t) sizeof(xmin))
	{
		memcpy(&xmin, at, sizeof(xmin));
		batch->xmin_at = at - (const uint8 *) page;
		at = get_varint(at + sizeof(xmin), end, &cid);
		at = get_varint(at, end, &rows);
		at = get_varint(at, end, &step);
		if ((tag & NTS_BATCH_SHARED_HEAD) == 0)
			at = get_varint(at, end, &head);
	}
	else
		at = NULL;
	batch->kind = tag & NTS_BATCH_KIND_MASK;
	if (at == NULL || length > (uint64) (end - at) || head > length || cid > PG_UINT32_MAX ||
		rows == 0 || rows > NTS_MAX_BATCH_ROWS ||
		(batch->kind != NTS_BATCH_ROWS && batch->kind != NTS_BATCH_MOVED_ROWS))
		nts_error_corrupt(rel, "block %u holds an invalid batch at byte %zu (kind %u, " UINT64_FORMAT
						  " rows)", block, cursor->offset + NTS_PAGE_CONTENT, batch->kind, rows);
	batch->layout = (tag & NTS_BATCH_LAYOUT_BIT) != 0;
	batch->rows = (uint32) rows;
	batch->xmin = xmin;
	batch->cid = (CommandId) cid;
	batch->row_id = cursor->next_row_id + (uint64) ((int64) (step >> 1) ^ -(int64) (step & 1));
	batch->body = at;
	batch->body_length = length;
	batch->head = NULL;
	batch->head_length = 0;
	batch->own_head_length = head;
	if (tag & NTS_BATCH_SHARED_HEAD)
	{
		if (cursor->head_length == 0)
			nts_error_corrupt(rel, "block %u holds a batch without a head", block);
		batch->head_length = cursor->head_length;
		batch->head = (const uint8 *) page + cursor->head_at;
	}
	else
	{
		cursor->head_at = at - (const uint8 *) page;
		cursor->head_length = head;
	}
	cursor->next_row_id = batch->row_id + rows;
	cursor->offset = at + length - (const uint8 *) page - NTS_PAGE_CONTENT;
	return true;
}

/*
 * Has every batch on the page ended, in another transaction or long ago? And not
 * after the snapshot: the mover's own snapshot would see moved rows it must not see.
 */
static bool
all_ended(Relation rel, BlockNumber block, Snapshot snapshot, const char *page)
{
	NtsBatch	batch;
	NtsBatchCursor cursor = {0};
	TransactionId last = InvalidTransactionId;

	while (nts_delta_next(rel, block, page, &cursor, &batch))
	{
		if (batch.xmin == last || !TransactionIdIsNormal(batch.xmin))
			continue;
		if (TransactionIdIsCurrentTransactionId(batch.xmin) ||
			TransactionIdIsInProgress(batch.xmin) ||
			(snapshot != NULL && XidInMVCCSnapshot(batch.xmin, snapshot)))
			return false;
		last = batch.xmin;
	}
	return true;
}

/* Does a committed move, or one of our own, stand on the page? */
static bool
already_moved(const NtsDeltaSpecial *special)
{
	if (!TransactionIdIsValid(special->move_xid))
		return false;
	if (special->move_xid == FrozenTransactionId ||
		TransactionIdIsCurrentTransactionId(special->move_xid))
		return true;
	/* maintenance excludes itself per table, so nobody else is moving now */
	return TransactionIdDidCommit(special->move_xid);
}

bool
nts_delta_move(Relation rel, const NtsEntry *entry, BlockNumber block,
			   TransactionId xid, CommandId cid, Snapshot snapshot, bool removes, char *page)
{
	Buffer		buffer = ReadBuffer(rel, block);
	NtsDeltaSpecial *special;
	bool		moved = false;

	/* cheap look first: most pages of an old extent are moved already */
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	memcpy(page, BufferGetPage(buffer), BLCKSZ);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	nts_page_check(rel, block, (Page) page, NTS_PAGE_DELTA, entry->generation);
	nts_delta_check(rel, block, page);
	special = nts_delta_special((Page) page);
	if (special->rows == 0 || already_moved(special) || !all_ended(rel, block, snapshot, page))
	{
		ReleaseBuffer(buffer);
		return false;
	}

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	memcpy(page, BufferGetPage(buffer), BLCKSZ);
	/* a batch may have come since we looked */
	if (all_ended(rel, block, snapshot, page))
	{
		NtsDeltaSpecial changed = *special;
		int			index;

		if (removes)
			CheckForSerializableConflictIn(rel, NULL, InvalidBlockNumber);
		changed.common.flags |= NTS_DELTA_SEALED;
		changed.move_xid = xid;
		changed.move_cid = cid;
		changed.checksum ^= nts_delta_special_checksum(special) ^ nts_delta_special_checksum(&changed);
		NTS_FAULT(move_record);
		nts_wal_begin(rel);
		index = nts_wal_buffer(buffer);
		nts_wal_write(index, NTS_DELTA_SPECIAL_AT(common.flags), &changed.common.flags,
					  sizeof(changed.common.flags));
		nts_wal_write(index, NTS_DELTA_SPECIAL_AT(checksum), &changed.checksum, NTS_DELTA_MOVE_BYTES);
		nts_wal_commit();
		moved = true;
	}
	UnlockReleaseBuffer(buffer);
	NTS_FAULT(move_done);
	return moved;
}

void
nts_delta_put_page(Relation rel, NtsStorage *storage, const char *page)
{
	PGAlignedBlock image;
	Buffer		buffer;

	open_page(rel, storage, storage->tail_block, false);
	memcpy(image.data, page, BLCKSZ);
	nts_page_special((Page) image.data)->generation = storage->tail_generation;
	nts_page_special((Page) image.data)->flags |= NTS_DELTA_SEALED;
	nts_delta_special((Page) image.data)->checksum = nts_delta_checksum(image.data);
	buffer = ReadBuffer(rel, storage->tail_block);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	NTS_FAULT(put_page_record);
	nts_wal_begin(rel);
	(void) nts_wal_new_page(buffer, image.data);
	nts_wal_commit();
	UnlockReleaseBuffer(buffer);
}
