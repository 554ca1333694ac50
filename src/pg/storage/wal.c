/*
 * wal.c - see wal.h. REQUIRES of every caller: exclusive content locks.
 */
#include "postgres.h"

#include "access/generic_xlog.h"
#include "access/gist_private.h"
#include "access/rmgr.h"
#include "access/xlog.h"
#include "access/xloginsert.h"
#include "catalog/pg_control.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/rel.h"

#include "pg/compat.h"
#include "pg/fault.h"
#include "pg/storage/wal.h"

#define FRAGMENT_HEADER (2 * sizeof(uint16))

typedef struct StagedPage
{
	Buffer		buffer;
	bool		is_new;
	Size		length;			/* of fragments */
	char		fragments[BLCKSZ + 16 * FRAGMENT_HEADER];
	PGAlignedBlock image;
} StagedPage;

static StagedPage staged[MAX_GENERIC_XLOG_PAGES];
static int	staged_count;
static Relation staged_rel;

void
nts_wal_begin(Relation rel)
{
	staged_rel = rel;
	staged_count = 0;
}

static StagedPage *
stage(Buffer buffer, bool is_new)
{
	StagedPage *page = &staged[staged_count];

	Assert(staged_count < MAX_GENERIC_XLOG_PAGES);
	page->buffer = buffer;
	page->is_new = is_new;
	page->length = 0;
	return page;
}

int
nts_wal_buffer(Buffer buffer)
{
	stage(buffer, false);
	return staged_count++;
}

int
nts_wal_new_page(Buffer buffer, const char *image)
{
	memcpy(stage(buffer, true)->image.data, image, BLCKSZ);
	return staged_count++;
}

void
nts_wal_write(int index, Size offset, const void *bytes, Size length)
{
	StagedPage *page = &staged[index];
	uint16		header[2] = {(uint16) offset, (uint16) length};

	if (page->length + FRAGMENT_HEADER + length > sizeof(page->fragments) ||
		offset + length > BLCKSZ)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("nodedb_ts: page change of %zu bytes at %zu does not fit", length, offset)));
	memcpy(page->fragments + page->length, header, FRAGMENT_HEADER);
	memcpy(page->fragments + page->length + FRAGMENT_HEADER, bytes, length);
	page->length += FRAGMENT_HEADER + length;
}

void
nts_wal_set_lower(int index, Size lower)
{
	uint16		value = (uint16) lower;

	nts_wal_write(index, offsetof(PageHeaderData, pd_lower), &value, sizeof(value));
}

static void
apply(const StagedPage *staged_page)
{
	Page		page = BufferGetPage(staged_page->buffer);
	Size		at = 0;

	if (staged_page->is_new)
	{
		memcpy(page, staged_page->image.data, BLCKSZ);
		return;
	}
	while (at < staged_page->length)
	{
		uint16		header[2];

		memcpy(header, staged_page->fragments + at, FRAGMENT_HEADER);
		at += FRAGMENT_HEADER;
		memcpy(page + header[0], staged_page->fragments + at, header[1]);
		at += header[1];
	}
}

void
nts_wal_commit(void)
{
	bool		log = RelationNeedsWAL(staged_rel);

	START_CRIT_SECTION();
	for (int i = 0; i < staged_count; i++)
	{
		apply(&staged[i]);
		MarkBufferDirty(staged[i].buffer);
	}
	NTS_FAULT(wal_applied);
	if (log)
	{
		XLogRecPtr	lsn;

		XLogBeginInsert();
		for (int i = 0; i < staged_count; i++)
		{
			XLogRegisterBuffer(i, staged[i].buffer,
							   REGBUF_STANDARD | (staged[i].is_new ? REGBUF_FORCE_IMAGE : 0));
			if (!staged[i].is_new)
				XLogRegisterBufData(i, staged[i].fragments, staged[i].length);
		}
		lsn = XLogInsert(RM_GENERIC_ID, 0);
		for (int i = 0; i < staged_count; i++)
			PageSetLSN(BufferGetPage(staged[i].buffer), lsn);
	}
	NTS_FAULT(wal_logged);
	END_CRIT_SECTION();
	staged_count = 0;
	staged_rel = NULL;
}

void
nts_wal_log_images(const Buffer *buffers, int count)
{
	XLogRecPtr	lsn;

	XLogBeginInsert();
	for (int i = 0; i < count; i++)
		XLogRegisterBuffer(i, buffers[i], REGBUF_FORCE_IMAGE | REGBUF_STANDARD);
	lsn = XLogInsert(RM_XLOG_ID, XLOG_FPI);
	for (int i = 0; i < count; i++)
		PageSetLSN(BufferGetPage(buffers[i]), lsn);
}

void
nts_wal_conflict(Relation rel, BlockNumber block, FullTransactionId latest)
{
	if (RelationNeedsWAL(rel) && XLogStandbyInfoActive())
		NTS_LOG_PAGE_REUSE(rel, block, latest);
}

FullTransactionId
nts_wal_full_xid(TransactionId xid)
{
	FullTransactionId next = ReadNextFullTransactionId();
	uint32		age = XidFromFullTransactionId(next) - xid;

	return FullTransactionIdFromU64(U64FromFullTransactionId(next) - age);
}
