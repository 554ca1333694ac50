/*
 * meta.c - metapage, row id ranges, growing the file.
 *
 * The metapage is made by the first write, not by CREATE TABLE: with
 * wal_level=minimal, replay would otherwise put an empty page over data that was
 * never logged. So an empty file, or a block 0 of zeros, is an empty table.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/smgr.h"
#include "utils/rel.h"

#include "pg/error.h"
#include "pg/fault.h"
#include "pg/storage/storage.h"
#include "pg/storage/wal.h"

#define MIN_RESERVE UINT64CONST(1024)
#define MAX_RESERVE UINT64CONST(65536)

void
nts_storage_forget(NtsStorage *storage)
{
	storage->tail_block = InvalidBlockNumber;
	storage->tail_generation = 0;
	storage->next_row_id = 0;
	storage->end_row_id = 0;
	storage->reserve_count = MIN_RESERVE;
	storage->extent_opened = false;
	storage->moved_below = 0;
}

void
nts_lock_extension(Relation rel)
{
	if (!RELATION_IS_LOCAL(rel))
		LockRelationForExtension(rel, ExclusiveLock);
}

void
nts_unlock_extension(Relation rel)
{
	if (!RELATION_IS_LOCAL(rel))
		UnlockRelationForExtension(rel, ExclusiveLock);
}

BlockNumber
nts_file_blocks(Relation rel)
{
	return smgrnblocks(RelationGetSmgr(rel), MAIN_FORKNUM);
}

void
nts_file_extend(Relation rel, BlockNumber block_count)
{
	BlockNumber have = nts_file_blocks(rel);

	while (have < block_count)
	{
		Buffer		buffer = ReadBufferExtended(rel, MAIN_FORKNUM, P_NEW, RBM_NORMAL, NULL);

		have = BufferGetBlockNumber(buffer) + 1;
		ReleaseBuffer(buffer);
		NTS_FAULT(file_extended);
		CHECK_FOR_INTERRUPTS();
	}
}

void
nts_page_init(char *image, uint8 kind, uint64 generation, Size special_size)
{
	NtsPageSpecial *special;

	PageInit((Page) image, BLCKSZ, special_size);
	special = nts_page_special((Page) image);
	special->kind = kind;
	special->format = NTS_PAGE_FORMAT;
	special->generation = generation;
}

void
nts_page_check(Relation rel, BlockNumber block, Page page, uint8 kind, uint64 generation)
{
	PageHeader	header = (PageHeader) page;
	Size		special_size = kind == NTS_PAGE_DELTA ? sizeof(NtsDeltaSpecial) : sizeof(NtsPageSpecial);
	NtsPageSpecial *special;

	if (PageIsNew(page))
		nts_error_corrupt(rel, "block %u is empty where the directory promises data", block);
	if (header->pd_special != BLCKSZ - special_size || header->pd_upper != header->pd_special ||
		header->pd_lower < NTS_PAGE_CONTENT || header->pd_lower > header->pd_upper)
		nts_error_corrupt(rel, "block %u has an invalid page header", block);
	special = nts_page_special(page);
	if (special->kind != kind)
		nts_error_corrupt(rel, "block %u is of page kind %u, expected %u", block,
						  (unsigned) special->kind, (unsigned) kind);
	if (special->format != NTS_PAGE_FORMAT)
		nts_error_corrupt(rel, "block %u has page format %u, expected %u", block,
						  (unsigned) special->format, NTS_PAGE_FORMAT);
	if (special->generation != generation)
		nts_error_corrupt(rel, "block %u belongs to generation " UINT64_FORMAT ", expected "
						  UINT64_FORMAT, block, special->generation, generation);
}

uint32
nts_meta_checksum(const NtsMeta *meta)
{
	Size		end = offsetof(NtsMeta, checksum) + sizeof(meta->checksum);

	return nts_crc32c(nts_crc32c(0, meta, offsetof(NtsMeta, checksum)), (const char *) meta + end,
					  sizeof(NtsMeta) - end);
}

static void
check_meta(Relation rel, Page page)
{
	NtsMeta    *meta = (NtsMeta *) PageGetContents(page);

	if (((PageHeader) page)->pd_special != BLCKSZ - sizeof(NtsPageSpecial) ||
		meta->magic != NTS_FORMAT_MAGIC)
		nts_error_corrupt(rel, "block 0 is not a nodedb_ts metapage");
	if (meta->format_major != NTS_FORMAT_MAJOR || meta->format_minor > NTS_FORMAT_MINOR)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" has storage format %u.%u, this nodedb_ts reads up to %u.%u",
						RelationGetRelationName(rel), meta->format_major, meta->format_minor,
						NTS_FORMAT_MAJOR, NTS_FORMAT_MINOR),
				 errhint("Install the nodedb_ts version that wrote the table, or a newer one.")));
	nts_page_check(rel, NTS_META_BLOCK, page, NTS_PAGE_META, 0);
	if (((PageHeader) page)->pd_lower != NTS_PAGE_CONTENT + sizeof(NtsMeta) ||
		meta->checksum != nts_meta_checksum(meta))
		nts_error_corrupt(rel, "the metapage has a wrong checksum");
	if (meta->delta_next > meta->delta_end || meta->delta_end > meta->allocated_end ||
		meta->directory_head == NTS_META_BLOCK || meta->directory_head >= meta->allocated_end ||
		meta->directory_tail >= meta->allocated_end || meta->next_row_id > NTS_ROW_ID_LIMIT)
		nts_error_corrupt(rel, "the metapage contradicts itself");
}

Buffer
nts_meta_lock(Relation rel, int mode, NtsMeta **meta)
{
	Buffer		buffer = ReadBuffer(rel, NTS_META_BLOCK);

	LockBuffer(buffer, mode);
	check_meta(rel, BufferGetPage(buffer));
	*meta = (NtsMeta *) PageGetContents(BufferGetPage(buffer));
	return buffer;
}

bool
nts_meta_read(Relation rel, NtsMeta *meta)
{
	Buffer		buffer;
	Page		page;
	bool		found;

	if (nts_file_blocks(rel) == 0)
		return false;
	buffer = ReadBuffer(rel, NTS_META_BLOCK);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	found = !PageIsNew(page);
	if (found)
	{
		check_meta(rel, page);
		memcpy(meta, PageGetContents(page), sizeof(NtsMeta));
	}
	UnlockReleaseBuffer(buffer);
	return found;
}

static void
meta_image(char *image)
{
	NtsMeta    *meta;

	nts_page_init(image, NTS_PAGE_META, 0, sizeof(NtsPageSpecial));
	meta = (NtsMeta *) PageGetContents((Page) image);
	memset(meta, 0, sizeof(NtsMeta));
	meta->magic = NTS_FORMAT_MAGIC;
	meta->format_major = NTS_FORMAT_MAJOR;
	meta->format_minor = NTS_FORMAT_MINOR_PLAIN;
	meta->next_generation = 1;
	meta->cache_generation = 1;
	meta->allocated_end = NTS_META_BLOCK + 2;
	meta->directory_head = NTS_META_BLOCK + 1;
	meta->directory_tail = NTS_META_BLOCK + 1;
	meta->directory_pages = 1;
	for (int i = 0; i < NTS_MAX_TAILS; i++)
		meta->tails[i].block = InvalidBlockNumber;
	meta->checksum = nts_meta_checksum(meta);
	((PageHeader) image)->pd_lower = NTS_PAGE_CONTENT + sizeof(NtsMeta);
}

void
nts_meta_ensure(Relation rel)
{
	PGAlignedBlock image;
	Buffer		meta_buffer;
	Buffer		directory_buffer;
	NtsMeta		meta;

	if (nts_meta_read(rel, &meta))
		return;

	nts_lock_extension(rel);
	nts_file_extend(rel, NTS_META_BLOCK + 2);
	meta_buffer = ReadBuffer(rel, NTS_META_BLOCK);
	LockBuffer(meta_buffer, BUFFER_LOCK_EXCLUSIVE);
	if (PageIsNew(BufferGetPage(meta_buffer)))	/* else somebody was faster */
	{
		directory_buffer = ReadBuffer(rel, NTS_META_BLOCK + 1);
		LockBuffer(directory_buffer, BUFFER_LOCK_EXCLUSIVE);
		NTS_FAULT(meta_record);
		nts_wal_begin(rel);
		meta_image(image.data);
		nts_wal_new_page(meta_buffer, image.data);
		nts_page_init(image.data, NTS_PAGE_DIRECTORY, 0, sizeof(NtsPageSpecial));
		nts_page_special((Page) image.data)->next = InvalidBlockNumber;
		nts_wal_new_page(directory_buffer, image.data);
		nts_wal_commit();
		UnlockReleaseBuffer(directory_buffer);
	}
	UnlockReleaseBuffer(meta_buffer);
	nts_unlock_extension(rel);
	NTS_FAULT(meta_done);
}

uint64
nts_meta_reserve_row_ids(Relation rel, uint64 count)
{
	NtsMeta    *meta;
	NtsMeta		changed;
	Buffer		buffer;
	uint64		first;
	int			index;

	nts_meta_ensure(rel);
	buffer = nts_meta_lock(rel, BUFFER_LOCK_EXCLUSIVE, &meta);
	first = meta->next_row_id;
	if (count > NTS_ROW_ID_LIMIT - first)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("table \"%s\" has used up its 2^48 - 2^40 row ids",
						RelationGetRelationName(rel)),
				 errhint("Copy the rows into a new table.")));
	changed = *meta;
	changed.next_row_id = first + count;
	changed.checksum = nts_meta_checksum(&changed);
	NTS_FAULT(reserve_record);
	nts_wal_begin(rel);
	index = nts_wal_buffer(buffer);
	nts_wal_write(index, NTS_PAGE_CONTENT + offsetof(NtsMeta, next_row_id), &changed.next_row_id,
				  sizeof(changed.next_row_id));
	nts_wal_write(index, NTS_PAGE_CONTENT + offsetof(NtsMeta, checksum), &changed.checksum,
				  sizeof(changed.checksum));
	nts_wal_commit();
	UnlockReleaseBuffer(buffer);
	NTS_FAULT(reserve_done);
	return first;
}

uint64
nts_storage_next_row_id(Relation rel, NtsStorage *storage)
{
	if (storage->next_row_id == storage->end_row_id)
	{
		storage->next_row_id = nts_meta_reserve_row_ids(rel, storage->reserve_count);
		storage->end_row_id = storage->next_row_id + storage->reserve_count;
		/* who needs many ranges gets larger ones */
		storage->reserve_count = Min(storage->reserve_count * 2, MAX_RESERVE);
	}
	return storage->next_row_id++;
}
