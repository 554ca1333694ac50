/*
 * directory.c - the table of segments and delta extents, and their allocation.
 *
 * Invariants: an extent is owned from the record that takes its blocks, since
 * that record writes its entry too; entries never move, a page of them is only
 * ever appended to; the chain of directory pages only grows.
 * Writers hold the relation extension lock for everything that allocates, then
 * metapage, then directory page; readers lock one directory page at a time.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/predicate.h"
#include "utils/rel.h"

#include "pg/error.h"
#include "pg/storage/storage.h"
#include "pg/storage/wal.h"

static void
set_entry_crc(NtsEntry *entry)
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

static void
check_entry(Relation rel, const NtsEntry *entry, uint32 slot, BlockNumber allocated_end)
{
	if (entry->crc32c != nts_crc32c(0, entry, offsetof(NtsEntry, crc32c)))
		nts_error_corrupt(rel, "directory entry %u has a wrong checksum", slot);
	if (entry->state > NTS_ENTRY_KILLED || entry->level > NTS_LEVEL_L2 ||
		entry->first_block <= NTS_META_BLOCK || entry->block_count == 0 ||
		(uint64) entry->first_block + entry->block_count > allocated_end ||
		entry->footer_offset > entry->byte_length ||
		entry->byte_length > (uint64) entry->block_count * NTS_SEGMENT_PAYLOAD)
		nts_error_corrupt(rel, "directory entry %u contradicts itself", slot);
}

NtsEntryRef *
nts_directory_read(Relation rel, int *count)
{
	NtsMeta		meta;
	NtsEntryRef *refs;
	int			room = 64;
	uint32		first_slot = 0;
	BlockNumber block;

	*count = 0;
	if (!nts_meta_read(rel, &meta))
		return NULL;
	refs = palloc(sizeof(NtsEntryRef) * room);
	for (block = meta.directory_head; block != InvalidBlockNumber;)
	{
		PGAlignedBlock copy;
		Buffer		buffer = ReadBuffer(rel, block);
		int			entries;

		CHECK_FOR_INTERRUPTS();
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		memcpy(copy.data, BufferGetPage(buffer), BLCKSZ);
		UnlockReleaseBuffer(buffer);
		nts_page_check(rel, block, (Page) copy.data, NTS_PAGE_DIRECTORY, 0);
		entries = entries_on_page(rel, block, (Page) copy.data);
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
			/* entries younger than our copy of the metapage may lie behind its end */
			check_entry(rel, &ref->entry, ref->slot, MaxBlockNumber);
			if (ref->entry.state != NTS_ENTRY_FREE)
				(*count)++;
		}
		first_slot += NTS_ENTRIES_PER_PAGE;
		block = nts_page_special((Page) copy.data)->next;
		/* a chain that is longer than the file runs in a circle */
		if (first_slot / NTS_ENTRIES_PER_PAGE > MaxBlockNumber / 2)
			nts_error_corrupt(rel, "the chain of directory pages has no end");
	}
	return refs;
}

/* Appends an empty page to the directory. Caller holds the extension lock. */
static void
add_directory_page(Relation rel)
{
	PGAlignedBlock image;
	NtsMeta    *meta;
	Buffer		meta_buffer;
	Buffer		old_buffer;
	Buffer		new_buffer;
	uint32		block;
	uint32		end;
	int			index;

	meta_buffer = nts_meta_lock(rel, BUFFER_LOCK_SHARE, &meta);
	block = meta->allocated_end;
	UnlockReleaseBuffer(meta_buffer);
	nts_file_extend(rel, block + 1);

	/* only holders of the extension lock change allocated_end */
	meta_buffer = nts_meta_lock(rel, BUFFER_LOCK_EXCLUSIVE, &meta);
	Assert(meta->allocated_end == block);
	old_buffer = ReadBuffer(rel, meta->directory_tail);
	LockBuffer(old_buffer, BUFFER_LOCK_EXCLUSIVE);
	new_buffer = ReadBufferExtended(rel, MAIN_FORKNUM, block, RBM_ZERO_AND_LOCK, NULL);

	nts_wal_begin(rel);
	end = block + 1;
	index = nts_wal_buffer(meta_buffer);
	nts_wal_write(index, NTS_PAGE_CONTENT + offsetof(NtsMeta, allocated_end), &end, sizeof(end));
	nts_wal_write(index, NTS_PAGE_CONTENT + offsetof(NtsMeta, directory_tail), &block, sizeof(block));
	index = nts_wal_buffer(old_buffer);
	nts_wal_write(index, BLCKSZ - sizeof(NtsPageSpecial) + offsetof(NtsPageSpecial, next), &block,
				  sizeof(block));
	nts_page_init(image.data, NTS_PAGE_DIRECTORY, 0, sizeof(NtsPageSpecial));
	nts_page_special((Page) image.data)->next = InvalidBlockNumber;
	nts_wal_new_page(new_buffer, image.data);
	nts_wal_commit();

	UnlockReleaseBuffer(new_buffer);
	UnlockReleaseBuffer(old_buffer);
	UnlockReleaseBuffer(meta_buffer);
}

/* Ordinal of the tail page in the chain, for slot numbers. */
static uint32
count_directory_pages(Relation rel, BlockNumber head)
{
	uint32		pages = 0;

	for (BlockNumber block = head; block != InvalidBlockNumber; pages++)
	{
		Buffer		buffer = ReadBuffer(rel, block);

		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		nts_page_check(rel, block, BufferGetPage(buffer), NTS_PAGE_DIRECTORY, 0);
		block = nts_page_special(BufferGetPage(buffer))->next;
		UnlockReleaseBuffer(buffer);
	}
	return pages;
}

/* Makes room for one more entry; caller holds the extension lock, so that the
 * room stays. Returns the end of the allocated blocks. */
static BlockNumber
ensure_directory_room(Relation rel, uint32 *tail_ordinal)
{
	NtsMeta		meta;
	Buffer		buffer;
	int			entries;

	if (!nts_meta_read(rel, &meta))
		nts_error_corrupt(rel, "the metapage is gone");
	buffer = ReadBuffer(rel, meta.directory_tail);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	nts_page_check(rel, meta.directory_tail, BufferGetPage(buffer), NTS_PAGE_DIRECTORY, 0);
	entries = entries_on_page(rel, meta.directory_tail, BufferGetPage(buffer));
	UnlockReleaseBuffer(buffer);
	if (entries >= (int) NTS_ENTRIES_PER_PAGE)
	{
		add_directory_page(rel);
		if (!nts_meta_read(rel, &meta))
			nts_error_corrupt(rel, "the metapage is gone");
	}
	*tail_ordinal = count_directory_pages(rel, meta.directory_head) - 1;
	return meta.allocated_end;
}

void
nts_extent_allocate(Relation rel, NtsEntryRef *ref, uint32 block_count, bool delta)
{
	NtsMeta    *meta;
	NtsMeta		changed;
	NtsEntry   *entry = &ref->entry;
	Buffer		meta_buffer;
	Buffer		buffer;
	BlockNumber end;
	uint32		tail_ordinal;
	int			index;

	nts_meta_ensure(rel);
	nts_lock_extension(rel);
	end = ensure_directory_room(rel, &tail_ordinal);
	if ((uint64) end + block_count > MaxBlockNumber)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("table \"%s\" cannot grow beyond %u blocks", RelationGetRelationName(rel),
						MaxBlockNumber)));
	nts_file_extend(rel, end + block_count);

	meta_buffer = nts_meta_lock(rel, BUFFER_LOCK_EXCLUSIVE, &meta);
	buffer = ReadBuffer(rel, meta->directory_tail);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	changed = *meta;

	entry->first_block = end;
	entry->block_count = block_count;
	entry->generation = changed.next_generation++;
	entry->change_head = InvalidBlockNumber;
	set_entry_crc(entry);
	changed.allocated_end = end + block_count;
	changed.cache_generation++;
	if (delta)
	{
		changed.delta_next = end;
		changed.delta_end = end + block_count;
		changed.delta_generation = entry->generation;
	}
	ref->directory_block = changed.directory_tail;
	ref->index = entries_on_page(rel, ref->directory_block, BufferGetPage(buffer));
	ref->slot = tail_ordinal * NTS_ENTRIES_PER_PAGE + ref->index;

	nts_wal_begin(rel);
	nts_wal_write(nts_wal_buffer(meta_buffer), NTS_PAGE_CONTENT, &changed, offsetof(NtsMeta, tails));
	index = nts_wal_buffer(buffer);
	nts_wal_write(index, NTS_PAGE_CONTENT + ref->index * sizeof(NtsEntry), entry, sizeof(NtsEntry));
	nts_wal_set_lower(index, NTS_PAGE_CONTENT + (ref->index + 1) * sizeof(NtsEntry));
	nts_wal_commit();

	UnlockReleaseBuffer(buffer);
	UnlockReleaseBuffer(meta_buffer);
	nts_unlock_extension(rel);
}

void
nts_entry_write(Relation rel, NtsEntryRef *ref, bool conflict_check)
{
	Buffer		buffer = ReadBuffer(rel, ref->directory_block);
	Page		page;
	Size		offset = NTS_PAGE_CONTENT + ref->index * sizeof(NtsEntry);
	NtsEntry	current;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	page = BufferGetPage(buffer);
	nts_page_check(rel, ref->directory_block, page, NTS_PAGE_DIRECTORY, 0);
	if (ref->index >= entries_on_page(rel, ref->directory_block, page))
		nts_error_corrupt(rel, "directory entry %u is gone", ref->slot);
	memcpy(&current, (char *) page + offset, sizeof(NtsEntry));
	if (current.generation != ref->entry.generation)
		nts_error_corrupt(rel, "directory entry %u has been taken over", ref->slot);
	/* readers took their predicate lock before they looked at this page, or they
	 * will see the entry and report the conflict themselves */
	if (conflict_check)
		CheckForSerializableConflictIn(rel, NULL, InvalidBlockNumber);
	set_entry_crc(&ref->entry);
	nts_wal_begin(rel);
	nts_wal_write(nts_wal_buffer(buffer), offset, &ref->entry, sizeof(NtsEntry));
	nts_wal_commit();
	UnlockReleaseBuffer(buffer);
}
