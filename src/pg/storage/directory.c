/*
 * directory.c - the table of segments and delta extents: reading it, changing an entry.
 *
 * Invariants: entries keep their slots while they are in use; the chain of directory pages
 * only grows. Readers lock one directory page at a time. Who gives blocks another owner
 * does that in extent.c.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/rel.h"

#include "pg/error.h"
#include "pg/fault.h"
#include "pg/storage/storage.h"
#include "pg/storage/wal.h"

void
nts_entry_set_crc(NtsEntry *entry)
{
	entry->crc32c = nts_crc32c(0, entry, offsetof(NtsEntry, crc32c));
}

static int
entries_on_page(Relation rel, BlockNumber block, Page page)
{
	Size		bytes = ((PageHeader) page)->pd_lower - NTS_PAGE_CONTENT;

	if (bytes % sizeof(NtsEntry) != 0)
		nts_error_corrupt(rel, "directory block %u ends inside an entry", block);
	return bytes / sizeof(NtsEntry);
}

void
nts_entry_check(Relation rel, const NtsEntry *entry, uint32 slot)
{
	if (entry->crc32c != nts_crc32c(0, entry, offsetof(NtsEntry, crc32c)))
		nts_error_corrupt(rel, "directory entry %u has a wrong checksum", slot);
	if (entry->state == NTS_ENTRY_EMPTY)
		return;
	/* entries younger than our copy of the metapage may lie behind its allocated_end */
	if (entry->state > NTS_ENTRY_FREE || entry->level > NTS_LEVEL_DICTIONARIES ||
		entry->first_block <= NTS_META_BLOCK || entry->block_count == 0 ||
		(uint64) entry->first_block + entry->block_count > MaxBlockNumber ||
		entry->footer_offset > entry->byte_length ||
		entry->byte_length > (uint64) entry->block_count * NTS_SEGMENT_PAYLOAD)
		nts_error_corrupt(rel, "directory entry %u contradicts itself", slot);
}

BlockNumber
nts_directory_next(Relation rel, BlockNumber block, Page page)
{
	BlockNumber next = nts_page_special(page)->next;

	if (next != InvalidBlockNumber && (next <= NTS_META_BLOCK || next >= nts_file_blocks(rel)))
		nts_error_corrupt(rel, "directory block %u is followed by block %u, which does not exist", block,
						  next);
	return next;
}

int
nts_directory_copy(Relation rel, BlockNumber block, char *page)
{
	Buffer		buffer = ReadBuffer(rel, block);

	CHECK_FOR_INTERRUPTS();
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	memcpy(page, BufferGetPage(buffer), BLCKSZ);
	UnlockReleaseBuffer(buffer);
	nts_page_check(rel, block, (Page) page, NTS_PAGE_DIRECTORY, 0);
	return entries_on_page(rel, block, (Page) page);
}

NtsEntryRef *
nts_directory_read(Relation rel, NtsMeta *meta, bool with_free, int *count)
{
	NtsEntryRef *refs;
	int			room = 64;
	uint32		first_slot = 0;
	BlockNumber block;

	*count = 0;
	memset(meta, 0, sizeof(*meta));
	if (!nts_meta_read(rel, meta))
		return NULL;
	refs = palloc(sizeof(NtsEntryRef) * room);
	for (block = meta->directory_head; block != InvalidBlockNumber;)
	{
		PGAlignedBlock copy;
		int			entries = nts_directory_copy(rel, block, copy.data);

		for (int i = 0; i < entries; i++)
		{
			NtsEntryRef *ref;

			if (*count == room)
			{
				room *= 2;
				refs = repalloc_huge(refs, sizeof(NtsEntryRef) * room);
			}
			ref = &refs[*count];
			memcpy(&ref->entry, copy.data + NTS_PAGE_CONTENT + i * sizeof(NtsEntry), sizeof(NtsEntry));
			ref->slot = first_slot + i;
			ref->directory_block = block;
			ref->index = i;
			nts_entry_check(rel, &ref->entry, ref->slot);
			if (ref->entry.state != NTS_ENTRY_EMPTY &&
				(with_free || ref->entry.state != NTS_ENTRY_FREE))
				(*count)++;
		}
		first_slot += NTS_ENTRIES_PER_PAGE;
		block = nts_directory_next(rel, block, (Page) copy.data);
		/* a chain that is longer than the file runs in a circle */
		if (first_slot / NTS_ENTRIES_PER_PAGE > MaxBlockNumber / 2)
			nts_error_corrupt(rel, "the chain of directory pages has no end");
	}
	return refs;
}

uint32
nts_delta_pages(const NtsMeta *meta, const NtsEntry *entry)
{
	if (entry->generation >= meta->next_generation)
		return 0;
	if (entry->generation == meta->delta_generation && meta->delta_next >= entry->first_block)
		return Min(meta->delta_next - entry->first_block, entry->block_count);
	return entry->block_count;
}

/* Stages the next cache generation; the metapage is locked exclusively. */
static void
stage_generation(Buffer meta_buffer, const NtsMeta *meta)
{
	NtsMeta		changed = *meta;
	int			index = nts_wal_buffer(meta_buffer);

	changed.cache_generation++;
	changed.checksum = nts_meta_checksum(&changed);
	nts_wal_write(index, NTS_PAGE_CONTENT + offsetof(NtsMeta, cache_generation), &changed.cache_generation,
				  sizeof(changed.cache_generation));
	nts_wal_write(index, NTS_PAGE_CONTENT + offsetof(NtsMeta, checksum), &changed.checksum,
				  sizeof(changed.checksum));
}

void
nts_entry_write(Relation rel, NtsEntryRef *ref, bool conflict_check)
{
	Buffer		buffer = ReadBuffer(rel, ref->directory_block);
	Buffer		meta_buffer;
	NtsMeta    *meta;
	Page		page;
	Size		offset = NTS_PAGE_CONTENT + ref->index * sizeof(NtsEntry);
	NtsEntry	current;

	meta_buffer = nts_meta_lock(rel, BUFFER_LOCK_EXCLUSIVE, &meta);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	page = BufferGetPage(buffer);
	nts_page_check(rel, ref->directory_block, page, NTS_PAGE_DIRECTORY, 0);
	if (ref->index >= entries_on_page(rel, ref->directory_block, page))
		nts_error_corrupt(rel, "directory entry %u is gone", ref->slot);
	memcpy(&current, (char *) page + offset, sizeof(NtsEntry));
	if (current.generation != ref->entry.generation)
		nts_error_corrupt(rel, "directory entry %u has been taken over", ref->slot);
	/* readers took their predicate lock before they looked at the metapage, or they
	 * will see the entry and report the conflict themselves */
	if (conflict_check)
		CheckForSerializableConflictIn(rel, NULL, InvalidBlockNumber);
	nts_entry_set_crc(&ref->entry);
	NTS_FAULT(entry_record);
	nts_wal_begin(rel);
	stage_generation(meta_buffer, meta);
	nts_wal_write(nts_wal_buffer(buffer), offset, &ref->entry, sizeof(NtsEntry));
	nts_wal_commit();
	UnlockReleaseBuffer(buffer);
	UnlockReleaseBuffer(meta_buffer);
}
