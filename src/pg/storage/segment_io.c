/*
 * segment_io.c - writing a segment's bytes to its extent and reading them back.
 *
 * A segment's pages are written once, as full-page images, while its entry is
 * "building": no reader looks at them before the entry is published as live by
 * the same transaction. If that transaction ends otherwise, its xmin tells.
 */
#include "postgres.h"

#include "access/xloginsert.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "pg/error.h"
#include "pg/fault.h"
#include "pg/storage/storage.h"
#include "pg/storage/wal.h"

/* Pages locked at once and logged in one record. */
#define WRITE_GROUP 16

/* Writes and logs `count` pages from the first-th of the extent on; bytes: what stands
 * in them, length: bytes that are left. */
static void
write_group(Relation rel, const NtsEntry *entry, const uint8 *bytes, uint64 length,
			uint32 first, int count, BufferAccessStrategy strategy)
{
	Buffer		buffers[WRITE_GROUP];

	for (int i = 0; i < count; i++)
		buffers[i] = ReadBufferExtended(rel, MAIN_FORKNUM, entry->first_block + first + i,
										RBM_ZERO_AND_LOCK, strategy);
	if (RelationNeedsWAL(rel))
		XLogEnsureRecordSpace(WRITE_GROUP - 1, 0);

	START_CRIT_SECTION();
	for (int i = 0; i < count; i++)
	{
		Page		page = BufferGetPage(buffers[i]);
		uint64		at = (uint64) i * NTS_SEGMENT_PAYLOAD;
		Size		chunk = Min(length - at, NTS_SEGMENT_PAYLOAD);

		nts_page_init((char *) page, NTS_PAGE_SEGMENT, entry->generation, sizeof(NtsPageSpecial));
		memcpy((char *) page + NTS_PAGE_CONTENT, bytes + at, chunk);
		((PageHeader) page)->pd_lower = NTS_PAGE_CONTENT + chunk;
		MarkBufferDirty(buffers[i]);
	}
	NTS_FAULT(images_applied);
	if (RelationNeedsWAL(rel))
		nts_wal_log_images(buffers, count);
	NTS_FAULT(images_logged);
	END_CRIT_SECTION();

	for (int i = 0; i < count; i++)
		UnlockReleaseBuffer(buffers[i]);
}

/* Pages of a group: as many pins as a tiny server can spare. */
static uint32
group_size(void)
{
	return Max(1, Min(WRITE_GROUP, NBuffers / 16));
}

void
nts_segment_begin(Relation rel, const NtsEntry *template, uint64 length, NtsSegmentWriter *writer)
{
	uint64		blocks = (length + NTS_SEGMENT_PAYLOAD - 1) / NTS_SEGMENT_PAYLOAD;
	NtsEntry	entry = *template;

	if (blocks == 0 || blocks > MaxBlockNumber)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a segment of " UINT64_FORMAT " bytes cannot be stored in table \"%s\"",
						length, RelationGetRelationName(rel))));
	entry.state = NTS_ENTRY_BUILDING;
	entry.byte_length = length;
	nts_segment_rewrite_begin(rel, &entry, blocks > 256 ? GetAccessStrategy(BAS_BULKWRITE) : NULL, writer);
	(void) nts_extent_allocate(rel, &writer->ref, (uint32) blocks, false);
}

void
nts_segment_rewrite_begin(Relation rel, const NtsEntry *entry, BufferAccessStrategy strategy,
						  NtsSegmentWriter *writer)
{
	memset(writer, 0, sizeof(*writer));
	writer->rel = rel;
	writer->pages = group_size();
	writer->piece = writer->pages * NTS_SEGMENT_PAYLOAD;
	writer->left = entry->byte_length;
	writer->strategy = strategy;
	writer->ref.entry = *entry;
}

void
nts_segment_append(NtsSegmentWriter *writer, const uint8 *bytes)
{
	uint32		pages = (Min(writer->left, writer->piece) + NTS_SEGMENT_PAYLOAD - 1) / NTS_SEGMENT_PAYLOAD;

	CHECK_FOR_INTERRUPTS();
	write_group(writer->rel, &writer->ref.entry, bytes, writer->left, writer->next, (int) pages,
				writer->strategy);
	writer->next += pages;
	writer->left -= Min(writer->left, writer->piece);
}

void
nts_segment_publish(NtsSegmentWriter *writer, uint8 state, bool conflict_check)
{
	Assert(writer->left == 0);
	writer->ref.entry.state = state;
	nts_entry_write(writer->rel, &writer->ref, conflict_check);
	if (writer->strategy != NULL)
		FreeAccessStrategy(writer->strategy);
}

void
nts_segment_write(Relation rel, const NtsEntry *template, const uint8 *bytes, uint64 length)
{
	NtsSegmentWriter writer;

	nts_segment_begin(rel, template, length, &writer);
	while (writer.left > 0)
	{
		nts_segment_append(&writer, bytes + (length - writer.left));
		NTS_FAULT(segment_write);
	}
	NTS_FAULT(segment_publish);
	nts_segment_publish(&writer, NTS_ENTRY_LIVE,
						(template->flags & NTS_ENTRY_MOVED_IN) == 0 && template->level != NTS_LEVEL_DICTIONARIES);
}

void
nts_segment_copy(Relation from, const NtsEntry *entry, Relation to)
{
	NtsSegmentWriter writer;
	uint8	   *bytes;

	nts_segment_begin(to, entry, entry->byte_length, &writer);
	bytes = palloc(writer.piece);
	while (writer.left > 0)
	{
		nts_segment_read(from, entry, entry->byte_length - writer.left,
						 Min(writer.left, writer.piece), NULL, bytes);
		nts_segment_append(&writer, bytes);
		NTS_FAULT(copy_write);
	}
	NTS_FAULT(copy_publish);
	nts_segment_publish(&writer, entry->state, false);
	pfree(bytes);
}

void
nts_segment_read(Relation rel, const NtsEntry *entry, uint64 offset, uint64 length,
				 BufferAccessStrategy strategy, uint8 *bytes)
{
	if (offset > entry->byte_length || length > entry->byte_length - offset)
		nts_error_corrupt(rel, "segment of block %u has no bytes at " UINT64_FORMAT,
						  entry->first_block, offset);
	while (length > 0)
	{
		BlockNumber block = entry->first_block + offset / NTS_SEGMENT_PAYLOAD;
		Size		in_page = offset % NTS_SEGMENT_PAYLOAD;
		Size		chunk = Min(length, NTS_SEGMENT_PAYLOAD - in_page);
		Buffer		buffer = ReadBufferExtended(rel, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
		Page		page = BufferGetPage(buffer);

		/* pages of a published segment never change, so a pin would do; the lock
		 * covers a first read beside recovery */
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		nts_page_check(rel, block, page, NTS_PAGE_SEGMENT, entry->generation);
		if (NTS_PAGE_CONTENT + in_page + chunk > ((PageHeader) page)->pd_lower)
			nts_error_corrupt(rel, "block %u of a segment is too short", block);
		memcpy(bytes, (char *) page + NTS_PAGE_CONTENT + in_page, chunk);
		UnlockReleaseBuffer(buffer);
		bytes += chunk;
		offset += chunk;
		length -= chunk;
		CHECK_FOR_INTERRUPTS();
	}
}
