/*
 * extent.c - who owns which blocks: allocating, freeing, joining, swapping, cutting off.
 *
 * Every block below the metapage's allocated_end belongs to exactly one of: the
 * metapage, a directory page, the extent of one directory entry (perhaps a FREE one).
 * Each function changes owners in single records, so that this holds at any moment.
 * All of them hold the relation extension lock from their first look to their last
 * record; so what they have seen of free extents and empty slots stays true.
 *
 * Swapping and cutting off need AccessExclusiveLock on the table besides (README, "Packing").
 *
 * Locks: extension lock, metapage, directory pages. Only holders of the extension lock
 * hold two directory pages at once.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xlog.h"
#include "catalog/storage.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/procarray.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/error.h"
#include "pg/fault.h"
#include "pg/storage/storage.h"
#include "pg/storage/wal.h"

/* Where an entry stands, or will stand. */
typedef struct Place
{
	BlockNumber block;
	uint16		index;
	uint32		slot;
	bool		append;			/* behind the last entry of the last page */
} Place;

/* What a walk through the directory found. */
typedef struct Search
{
	bool		found;			/* a free extent that may be used */
	NtsEntryRef extent;
	Place		spare;			/* a slot for a new entry */
} Search;

static void
stage_meta(Buffer buffer, NtsMeta *meta)
{
	meta->checksum = nts_meta_checksum(meta);
	nts_wal_write(nts_wal_buffer(buffer), NTS_PAGE_CONTENT, meta, sizeof(NtsMeta));
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
	NtsMeta		changed;
	uint32		block;
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

	NTS_FAULT(directory_record);
	nts_wal_begin(rel);
	changed = *meta;
	changed.allocated_end = block + 1;
	changed.directory_tail = block;
	changed.directory_pages++;
	changed.cache_generation++;
	stage_meta(meta_buffer, &changed);
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
	NTS_FAULT(directory_done);
}

/*
 * May the extent be used again: can no scan that began before it was freed go on? The
 * horizon of temporary tables leaves out the own snapshots, which may read here, so the
 * one of shared tables is asked.
 */
bool
nts_extent_is_reusable(Relation rel, const NtsEntry *entry)
{
	if (entry->first_row_id == 0)
		return true;
	return GlobalVisCheckRemovableFullXid(RelationUsesLocalBuffers(rel) ? NULL : rel,
										  FullTransactionIdFromU64(entry->first_row_id));
}

/* The place behind the last entry. */
static Place
end_of_directory(Relation rel, const NtsMeta *meta)
{
	PGAlignedBlock copy;
	int			entries = nts_directory_copy(rel, meta->directory_tail, copy.data);

	return (Place) {.block = meta->directory_tail,.index = entries,
		.slot = (meta->directory_pages - 1) * NTS_ENTRIES_PER_PAGE + entries,.append = true};
}

static bool
is_better(const NtsEntry *entry, const NtsEntry *best, bool tight)
{
	if (tight && entry->block_count != best->block_count)
		return entry->block_count < best->block_count;
	return entry->first_block < best->first_block;
}

/*
 * Looks for a free extent of at least `blocks` blocks (0: none is wanted), the first one in
 * the file, so that its end can be cut off some day; and for a slot. tight: the smallest one
 * instead, so that the others remain for what is larger. below: only those before that block.
 * Caller holds the extension lock.
 */
static void
search_directory(Relation rel, const NtsMeta *meta, uint32 blocks, bool tight, BlockNumber below,
				 Search *search)
{
	uint32		first_slot = 0;
	bool		spare = false;

	search->found = false;
	if (blocks == 0 && meta->empty_slots == 0)
	{
		search->spare = end_of_directory(rel, meta);
		return;
	}
	for (BlockNumber block = meta->directory_head; block != InvalidBlockNumber;)
	{
		PGAlignedBlock copy;
		int			entries = nts_directory_copy(rel, block, copy.data);
		BlockNumber next;

		for (int i = 0; i < entries; i++)
		{
			NtsEntry	entry;

			memcpy(&entry, copy.data + NTS_PAGE_CONTENT + i * sizeof(NtsEntry), sizeof(NtsEntry));
			if (entry.state == NTS_ENTRY_EMPTY && !spare)
			{
				search->spare = (Place) {.block = block,.index = i,.slot = first_slot + i};
				spare = true;
			}
			if (blocks == 0 && spare)
				return;
			if (blocks == 0 || entry.state != NTS_ENTRY_FREE || entry.block_count < blocks || entry.first_block >= below ||
				(search->found && !is_better(&entry, &search->extent.entry, tight)))
				continue;
			nts_entry_check(rel, &entry, first_slot + i);
			if (!nts_extent_is_reusable(rel, &entry))
				continue;
			search->found = true;
			search->extent.entry = entry;
			search->extent.slot = first_slot + i;
			search->extent.directory_block = block;
			search->extent.index = i;
		}
		next = nts_directory_next(rel, block, (Page) copy.data);
		if (!spare && next == InvalidBlockNumber)
			search->spare = (Place) {.block = block,.index = entries,.slot = first_slot + entries,
		.append = true};
		first_slot += NTS_ENTRIES_PER_PAGE;
		block = next;
	}
}

/* Makes sure that the last directory page can take one more entry. */
static void
ensure_directory_room(Relation rel, const NtsMeta *meta)
{
	PGAlignedBlock copy;

	if (nts_directory_copy(rel, meta->directory_tail, copy.data) >= (int) NTS_ENTRIES_PER_PAGE)
		add_directory_page(rel);
}

/* Directory pages that a record changes: each is locked and staged once. */
typedef struct Pages
{
	int			count;
	BlockNumber blocks[2];
	Buffer		buffers[2];
	int			staged[2];
} Pages;

/* Locks the page of a slot, unless it is locked already. */
static void
lock_page(Relation rel, Pages *pages, BlockNumber block)
{
	for (int i = 0; i < pages->count; i++)
		if (pages->blocks[i] == block)
			return;
	pages->blocks[pages->count] = block;
	pages->buffers[pages->count] = ReadBuffer(rel, block);
	LockBuffer(pages->buffers[pages->count], BUFFER_LOCK_EXCLUSIVE);
	nts_page_check(rel, block, BufferGetPage(pages->buffers[pages->count]), NTS_PAGE_DIRECTORY, 0);
	pages->count++;
}

static void
stage_pages(Pages *pages)
{
	for (int i = 0; i < pages->count; i++)
		pages->staged[i] = nts_wal_buffer(pages->buffers[i]);
}

/* Stages an entry; REQUIRES: lock_page of its block. */
static void
stage_entry(Pages *pages, BlockNumber block, uint16 index, bool append, NtsEntry *entry)
{
	int			i = pages->blocks[0] == block ? 0 : 1;

	nts_entry_set_crc(entry);
	nts_wal_write(pages->staged[i], NTS_PAGE_CONTENT + index * sizeof(NtsEntry), entry,
				  sizeof(NtsEntry));
	if (append)
		nts_wal_set_lower(pages->staged[i], NTS_PAGE_CONTENT + (index + 1) * sizeof(NtsEntry));
}

static void
release_pages(Pages *pages)
{
	for (int i = 0; i < pages->count; i++)
		UnlockReleaseBuffer(pages->buffers[i]);
}

/* A free extent's entry. */
static NtsEntry
free_entry(BlockNumber first, uint32 blocks, uint64 generation, uint64 next_full_xid)
{
	NtsEntry	entry;

	memset(&entry, 0, sizeof(entry));
	entry.state = NTS_ENTRY_FREE;
	entry.first_block = first;
	entry.block_count = blocks;
	entry.generation = generation;
	entry.first_row_id = next_full_xid;
	entry.change_head = InvalidBlockNumber;
	return entry;
}

/* below: only a free extent before that block will do; InvalidBlockNumber: any, or the relation's end. */
static bool
allocate(Relation rel, NtsEntryRef *ref, uint32 block_count, bool delta, BlockNumber below)
{
	NtsMeta    *meta;
	NtsMeta		changed;
	NtsEntry   *entry = &ref->entry;
	NtsEntry	rest;
	Search		search;
	Place		place;
	Pages		pages = {0};
	Buffer		meta_buffer;
	bool		packs = below != InvalidBlockNumber;
	bool		split;

	nts_meta_ensure(rel);
	nts_lock_extension(rel);
	if (!nts_meta_read(rel, &changed))
		nts_error_corrupt(rel, "the metapage is gone");
	/* somebody else may have made an extent while we waited for the lock */
	if (delta && changed.delta_next < changed.delta_end)
	{
		nts_unlock_extension(rel);
		return false;
	}
	/* a new page would stand at the end, where packing wants to make room */
	if (!packs)
	{
		ensure_directory_room(rel, &changed);
		if (!nts_meta_read(rel, &changed))
			nts_error_corrupt(rel, "the metapage is gone");
	}
	search_directory(rel, &changed, changed.free_extents > 0 ? block_count : 0,
					 packs && block_count > 1, below, &search);
	if (packs && (!search.found ||
				  (search.extent.entry.block_count > block_count &&
				   search.spare.index >= NTS_ENTRIES_PER_PAGE)))
	{
		nts_unlock_extension(rel);
		return false;
	}
	if (search.found)
	{
		entry->first_block = search.extent.entry.first_block;
		place = (Place) {.block = search.extent.directory_block,.index = search.extent.index,
		.slot = search.extent.slot};
		/* 0: nobody who could look at it is left, on standbys neither */
		if (search.extent.entry.first_row_id != 0)
			nts_wal_conflict(rel, entry->first_block,
							 FullTransactionIdFromU64(search.extent.entry.first_row_id));
		NTS_FAULT(reuse_conflict);
	}
	else
	{
		entry->first_block = changed.allocated_end;
		place = search.spare;
		if ((uint64) entry->first_block + block_count > MaxBlockNumber)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("table \"%s\" cannot grow beyond %u blocks", RelationGetRelationName(rel),
							MaxBlockNumber)));
	}
	split = search.found && search.extent.entry.block_count > block_count;
	NTS_FAULT(allocate_extend);
	/* free blocks may lie behind the file's end, too, after a crash */
	nts_file_extend(rel, entry->first_block + block_count);

	meta_buffer = nts_meta_lock(rel, BUFFER_LOCK_EXCLUSIVE, &meta);
	changed = *meta;
	lock_page(rel, &pages, place.block);
	if (split)
		lock_page(rel, &pages, search.spare.block);

	entry->block_count = block_count;
	entry->generation = changed.next_generation++;
	entry->change_head = InvalidBlockNumber;
	changed.cache_generation++;
	if (!search.found)
		changed.allocated_end = entry->first_block + block_count;
	else if (!split)
		changed.free_extents--;
	if ((!search.found || split) && !search.spare.append)
		changed.empty_slots--;
	if (delta)
	{
		changed.delta_next = entry->first_block;
		changed.delta_end = entry->first_block + block_count;
		changed.delta_generation = entry->generation;
	}
	if (entry->level == NTS_LEVEL_DICTIONARIES)
	{
		/* older versions do not know what to do with them */
		changed.format_minor = NTS_FORMAT_MINOR;
		changed.flags |= NTS_META_DICTIONARIES;
	}
	ref->directory_block = place.block;
	ref->index = place.index;
	ref->slot = place.slot;

	NTS_FAULT(allocate_record);
	nts_wal_begin(rel);
	stage_meta(meta_buffer, &changed);
	stage_pages(&pages);
	stage_entry(&pages, place.block, place.index, place.append, entry);
	if (split)
	{
		rest = free_entry(entry->first_block + block_count,
						  search.extent.entry.block_count - block_count,
						  search.extent.entry.generation, search.extent.entry.first_row_id);
		stage_entry(&pages, search.spare.block, search.spare.index, search.spare.append, &rest);
	}
	nts_wal_commit();

	release_pages(&pages);
	UnlockReleaseBuffer(meta_buffer);
	nts_unlock_extension(rel);
	NTS_FAULT(allocate_done);
	return true;
}

bool
nts_extent_allocate(Relation rel, NtsEntryRef *ref, uint32 block_count, bool delta)
{
	return allocate(rel, ref, block_count, delta, InvalidBlockNumber);
}

bool
nts_extent_allocate_below(Relation rel, NtsEntryRef *ref, uint32 block_count, BlockNumber below)
{
	return allocate(rel, ref, block_count, false, below);
}

static void
forget_tails(NtsMeta *meta, BlockNumber first, uint32 blocks)
{
	for (int i = 0; i < NTS_MAX_TAILS; i++)
		if (meta->tails[i].block != InvalidBlockNumber && meta->tails[i].block >= first &&
			meta->tails[i].block - first < blocks)
		{
			memset(&meta->tails[i], 0, sizeof(NtsTail));
			meta->tails[i].block = InvalidBlockNumber;
		}
}

bool
nts_extent_free(Relation rel, const NtsEntryRef *ref, uint32 delta_pages)
{
	const NtsEntry *old = &ref->entry;
	NtsEntry	current;
	NtsEntry	entry;
	NtsMeta    *meta;
	NtsMeta		changed;
	Buffer		meta_buffer;
	Pages		pages = {0};
	bool		never_read = old->state == NTS_ENTRY_BUILDING && old->xmin == FrozenTransactionId;	/* see pack.c */
	uint64		next;

	nts_lock_extension(rel);
	meta_buffer = nts_meta_lock(rel, BUFFER_LOCK_EXCLUSIVE, &meta);
	changed = *meta;
	/* pages that were handed out since the caller read the metapage hold rows */
	if (old->level == NTS_LEVEL_DELTA && delta_pages != nts_delta_pages(&changed, old))
	{
		UnlockReleaseBuffer(meta_buffer);
		nts_unlock_extension(rel);
		return false;
	}
	if (old->generation == changed.delta_generation)
	{
		changed.delta_next = changed.delta_end = 0;
		changed.delta_generation = 0;
	}
	lock_page(rel, &pages, ref->directory_block);
	memcpy(&current, (char *) BufferGetPage(pages.buffers[0]) + NTS_PAGE_CONTENT +
		   ref->index * sizeof(NtsEntry), sizeof(NtsEntry));
	if (current.generation != old->generation)
		nts_error_corrupt(rel, "directory entry %u has been taken over", ref->slot);
	/* its maker may have published it, and committed, since the caller looked */
	if (current.state != old->state)
	{
		release_pages(&pages);
		UnlockReleaseBuffer(meta_buffer);
		nts_unlock_extension(rel);
		return false;
	}
	/* what began before now may still look at the extent's pages, unless nobody ever should */
	entry = free_entry(old->first_block, old->block_count, old->generation,
					   never_read ? 0 : U64FromFullTransactionId(ReadNextFullTransactionId()));
	changed.free_extents++;
	changed.cache_generation++;
	forget_tails(&changed, old->first_block, old->block_count);

	NTS_FAULT(free_record);
	nts_wal_begin(rel);
	stage_meta(meta_buffer, &changed);
	stage_pages(&pages);
	stage_entry(&pages, ref->directory_block, ref->index, false, &entry);
	nts_wal_commit();

	/*
	 * A scan on a standby may begin until that record is replayed; if an id was given out
	 * and committed since we looked, its snapshot is younger than the id in the record.
	 */
	next = U64FromFullTransactionId(ReadNextFullTransactionId());
	if (!never_read && next != entry.first_row_id && RelationNeedsWAL(rel))
	{
		entry.first_row_id = next;
		changed.cache_generation++;
		nts_wal_begin(rel);
		stage_meta(meta_buffer, &changed);
		stage_pages(&pages);
		stage_entry(&pages, ref->directory_block, ref->index, false, &entry);
		nts_wal_commit();
	}

	release_pages(&pages);
	UnlockReleaseBuffer(meta_buffer);
	nts_unlock_extension(rel);
	NTS_FAULT(free_done);
	return true;
}

static int
compare_first_blocks(const void *a, const void *b)
{
	uint32		x = ((const NtsEntryRef *) a)->entry.first_block;
	uint32		y = ((const NtsEntryRef *) b)->entry.first_block;

	return x < y ? -1 : x > y;
}

/* The free extents by place; caller holds the extension lock. */
static NtsEntryRef *
free_extents(Relation rel, NtsMeta *meta, int *count)
{
	int			entries;
	NtsEntryRef *refs = nts_directory_read(rel, meta, true, &entries);

	*count = 0;
	for (int i = 0; i < entries; i++)
		if (refs[i].entry.state == NTS_ENTRY_FREE)
			refs[(*count)++] = refs[i];
	if (*count > 1)
		qsort(refs, *count, sizeof(NtsEntryRef), compare_first_blocks);
	return refs;
}

/* `left` takes over the blocks of its neighbour `right`, whose slot becomes empty. */
static void
join(Relation rel, NtsEntryRef *left, const NtsEntryRef *right)
{
	NtsMeta    *meta;
	NtsMeta		changed;
	Buffer		meta_buffer = nts_meta_lock(rel, BUFFER_LOCK_EXCLUSIVE, &meta);
	Pages		pages = {0};
	NtsEntry	empty;

	changed = *meta;
	lock_page(rel, &pages, left->directory_block);
	lock_page(rel, &pages, right->directory_block);
	changed.free_extents--;
	changed.empty_slots++;
	changed.cache_generation++;
	left->entry.block_count += right->entry.block_count;
	left->entry.first_row_id = Max(left->entry.first_row_id, right->entry.first_row_id);
	memset(&empty, 0, sizeof(empty));
	NTS_FAULT(join_record);
	nts_wal_begin(rel);
	stage_meta(meta_buffer, &changed);
	stage_pages(&pages);
	stage_entry(&pages, left->directory_block, left->index, false, &left->entry);
	stage_entry(&pages, right->directory_block, right->index, false, &empty);
	nts_wal_commit();
	release_pages(&pages);
	UnlockReleaseBuffer(meta_buffer);
}

void
nts_extent_merge(Relation rel)
{
	NtsMeta		meta;
	NtsEntryRef *refs;
	int			count;
	int			left = 0;

	if (!nts_meta_read(rel, &meta) || meta.free_extents < 2)
		return;
	nts_lock_extension(rel);
	refs = free_extents(rel, &meta, &count);
	for (int right = 1; right < count; right++)
	{
		CHECK_FOR_INTERRUPTS();
		/* one that was freed just now would keep the other from being used */
		if (refs[left].entry.first_block + refs[left].entry.block_count ==
			refs[right].entry.first_block &&
			nts_extent_is_reusable(rel, &refs[left].entry) && nts_extent_is_reusable(rel, &refs[right].entry))
		{
			join(rel, &refs[left], &refs[right]);
			NTS_FAULT(join_done);
		}
		else
			left = right;
	}
	nts_unlock_extension(rel);
	if (refs != NULL)
		pfree(refs);
}

/* ---- packing: see pack.c ---- */

/* The entry as it stands on its locked page; it must be what the caller has seen. */
static NtsEntry
current_entry(Relation rel, const Pages *pages, const NtsEntryRef *ref)
{
	int			i = pages->blocks[0] == ref->directory_block ? 0 : 1;
	NtsEntry	entry;

	memcpy(&entry, (char *) BufferGetPage(pages->buffers[i]) + NTS_PAGE_CONTENT + ref->index * sizeof(NtsEntry),
		   sizeof(NtsEntry));
	if (entry.generation != ref->entry.generation || entry.state != ref->entry.state ||
		entry.first_block != ref->entry.first_block || entry.block_count != ref->entry.block_count)
		nts_error_corrupt(rel, "directory entry %u has been taken over", ref->slot);
	return entry;
}

void
nts_extent_swap(Relation rel, const NtsEntryRef *used, const NtsEntryRef *copy)
{
	NtsMeta    *meta;
	NtsMeta		changed;
	Buffer		meta_buffer;
	Pages		pages = {0};
	NtsEntry	moved;
	NtsEntry	freed;

	Assert(used->entry.block_count == copy->entry.block_count);
	nts_lock_extension(rel);
	meta_buffer = nts_meta_lock(rel, BUFFER_LOCK_EXCLUSIVE, &meta);
	changed = *meta;
	lock_page(rel, &pages, used->directory_block);
	lock_page(rel, &pages, copy->directory_block);
	moved = current_entry(rel, &pages, used);
	(void) current_entry(rel, &pages, copy);
	/* nobody who has seen the old place is left */
	freed = free_entry(moved.first_block, moved.block_count, copy->entry.generation, 0);
	moved.first_block = copy->entry.first_block;
	changed.free_extents++;
	changed.cache_generation++;
	NTS_FAULT(swap_record);
	nts_wal_begin(rel);
	stage_meta(meta_buffer, &changed);
	stage_pages(&pages);
	stage_entry(&pages, used->directory_block, used->index, false, &moved);
	stage_entry(&pages, copy->directory_block, copy->index, false, &freed);
	nts_wal_commit();
	release_pages(&pages);
	UnlockReleaseBuffer(meta_buffer);
	nts_unlock_extension(rel);
	NTS_FAULT(swap_done);
}

/* The directory page that points to this one. */
static BlockNumber
page_before(Relation rel, const NtsMeta *meta, BlockNumber block)
{
	BlockNumber before = meta->directory_head;

	for (;;)
	{
		PGAlignedBlock copy;
		BlockNumber next;

		(void) nts_directory_copy(rel, before, copy.data);
		next = nts_directory_next(rel, before, (Page) copy.data);
		if (next == block)
			return before;
		if (next == InvalidBlockNumber)
			nts_error_corrupt(rel, "block %u is no page of the directory", block);
		before = next;
	}
}

void
nts_extent_swap_directory(Relation rel, BlockNumber block, const NtsEntryRef *copy)
{
	PGAlignedBlock image;
	BlockNumber place = copy->entry.first_block;
	NtsMeta    *meta;
	NtsMeta		changed;
	Buffer		meta_buffer;
	Buffer		new_buffer;
	Pages		pages = {0};
	NtsEntry	freed;
	BlockNumber before;

	Assert(copy->entry.block_count == 1);
	nts_lock_extension(rel);
	if (!nts_meta_read(rel, &changed))
		nts_error_corrupt(rel, "the metapage is gone");
	before = page_before(rel, &changed, block);
	(void) nts_directory_copy(rel, block, image.data);

	meta_buffer = nts_meta_lock(rel, BUFFER_LOCK_EXCLUSIVE, &meta);
	changed = *meta;
	lock_page(rel, &pages, before);
	freed = free_entry(block, 1, copy->entry.generation, 0);
	if (copy->directory_block == block)
	{
		nts_entry_set_crc(&freed);
		memcpy(image.data + NTS_PAGE_CONTENT + copy->index * sizeof(NtsEntry), &freed, sizeof(NtsEntry));
	}
	else
	{
		lock_page(rel, &pages, copy->directory_block);
		(void) current_entry(rel, &pages, copy);
	}
	new_buffer = ReadBufferExtended(rel, MAIN_FORKNUM, place, RBM_ZERO_AND_LOCK, NULL);
	if (changed.directory_tail == block)
		changed.directory_tail = place;
	changed.free_extents++;
	changed.cache_generation++;
	NTS_FAULT(swap_directory_record);
	nts_wal_begin(rel);
	stage_meta(meta_buffer, &changed);
	stage_pages(&pages);
	nts_wal_write(pages.staged[0], BLCKSZ - sizeof(NtsPageSpecial) + offsetof(NtsPageSpecial, next), &place,
				  sizeof(place));
	if (copy->directory_block != block)
		stage_entry(&pages, copy->directory_block, copy->index, false, &freed);
	nts_wal_new_page(new_buffer, image.data);
	nts_wal_commit();
	UnlockReleaseBuffer(new_buffer);
	release_pages(&pages);
	UnlockReleaseBuffer(meta_buffer);
	nts_unlock_extension(rel);
	NTS_FAULT(swap_directory_done);
}

/* ---- cutting off ---- */

/* Where the free extents at the end of what is allocated begin. refs: the free extents
 * by place; *cut: how many of the last ones those are. */
static BlockNumber
used_end(const NtsMeta *meta, const NtsEntryRef *refs, int count, int *cut)
{
	BlockNumber end = meta->allocated_end;

	*cut = 0;
	for (int i = count - 1; i >= 0 && refs[i].entry.first_block + refs[i].entry.block_count == end; i--)
	{
		end = refs[i].entry.first_block;
		(*cut)++;
	}
	return end;
}

BlockNumber
nts_extent_free_tail(Relation rel)
{
	NtsMeta		meta;
	BlockNumber blocks = nts_file_blocks(rel);
	BlockNumber end;
	NtsEntryRef *refs;
	int			count;
	int			cut;

	refs = free_extents(rel, &meta, &count);
	if (refs == NULL)
		return 0;
	end = used_end(&meta, refs, count, &cut);
	pfree(refs);
	return blocks > end ? blocks - end : 0;
}

/* Takes the last free extent out of what is allocated; its slot becomes empty. */
static void
disown_last(Relation rel, const NtsEntryRef *last)
{
	NtsMeta    *meta;
	NtsMeta		changed;
	Buffer		meta_buffer = nts_meta_lock(rel, BUFFER_LOCK_EXCLUSIVE, &meta);
	Pages		pages = {0};
	NtsEntry	empty;

	changed = *meta;
	changed.allocated_end = last->entry.first_block;
	changed.free_extents--;
	changed.empty_slots++;
	changed.cache_generation++;
	memset(&empty, 0, sizeof(empty));
	lock_page(rel, &pages, last->directory_block);
	NTS_FAULT(disown_record);
	nts_wal_begin(rel);
	stage_meta(meta_buffer, &changed);
	stage_pages(&pages);
	stage_entry(&pages, last->directory_block, last->index, false, &empty);
	nts_wal_commit();
	release_pages(&pages);
	UnlockReleaseBuffer(meta_buffer);
}

/*
 * The file is cut at once, whatever becomes of WAL: so what says that nobody needs its end (frees and swaps, perhaps of
 * others, and disown_last) must be on disk before. Each of those records changes the metapage. RelationTruncate does
 * not see to that in every version.
 */
static void
flush_meta(Relation rel)
{
	NtsMeta    *meta;
	Buffer		buffer;
	XLogRecPtr	last;

	if (!RelationNeedsWAL(rel))
		return;
	buffer = nts_meta_lock(rel, BUFFER_LOCK_SHARE, &meta);
	last = PageGetLSN(BufferGetPage(buffer));
	UnlockReleaseBuffer(buffer);
	XLogFlush(last);
}

BlockNumber
nts_extent_truncate(Relation rel)
{
	NtsMeta		meta;
	BlockNumber before = nts_file_blocks(rel);
	BlockNumber end;
	NtsEntryRef *refs;
	int			count;
	int			cut;

	/* nobody else has the table open, so nothing changes under us */
	refs = free_extents(rel, &meta, &count);
	if (refs == NULL)
		return 0;
	end = used_end(&meta, refs, count, &cut);
	for (int i = count - 1; i >= count - cut; i--)
		disown_last(rel, &refs[i]);
	pfree(refs);
	NTS_FAULT(truncate_disowned);
	if (before <= end)
		return 0;
	flush_meta(rel);
	/* its record comes second: blocks at or beyond allocated_end may be anything. Other
	 * backends forget their open pages there: it closes the file for them. */
	RelationTruncate(rel, end);
	NTS_FAULT(truncate_done);
	return before - end;
}
