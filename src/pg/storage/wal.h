/*
 * wal.h - changes of up to four pages as one record of PostgreSQL's generic
 * resource manager, so that recovery and standbys need no library of ours.
 *
 * GenericXLogStart/Finish copy and compare whole pages (microseconds a page). A
 * batch append knows exactly which bytes it changes, so this writes the same
 * record format (generic_xlog.c: fragments of offset, length, bytes) directly.
 *
 * Use: lock the buffers exclusively, check everything, then
 *     nts_wal_begin(rel); i = nts_wal_buffer(buf) or nts_wal_new_page(buf, image);
 *     nts_wal_write(i, offset, bytes, length) ...; nts_wal_commit();
 * The writes are staged and take effect only in nts_wal_commit, which is one
 * critical section. Whoever errs in between has changed nothing.
 *
 * The hole between pd_lower and pd_upper is zeroed by redo; content stands
 * outside it, and pd_lower itself is written like any other bytes.
 */
#ifndef NTS_STORAGE_WAL_H
#define NTS_STORAGE_WAL_H

#include "postgres.h"

#include "access/transam.h"
#include "storage/buf.h"
#include "storage/bufpage.h"
#include "utils/relcache.h"

extern void nts_wal_begin(Relation rel);
/* The page keeps its content but for the writes that follow. */
extern int	nts_wal_buffer(Buffer buffer);
/* The page becomes the given image (BLCKSZ bytes, copied). */
extern int	nts_wal_new_page(Buffer buffer, const char *image);
extern void nts_wal_write(int index, Size offset, const void *bytes, Size length);
/* Sets pd_lower of the page. */
extern void nts_wal_set_lower(int index, Size lower);
extern void nts_wal_commit(void);

/* Logs full images of already changed, dirty, exclusively locked pages; caller is
 * in a critical section and has checked RelationNeedsWAL. At most 32 pages. */
extern void nts_wal_log_images(const Buffer *buffers, int count);

/*
 * Replay of the generic resource manager cancels no query of a standby. Before anything
 * is removed, frozen or reused that a snapshot there may need, this logs a record
 * (GiST's page reuse, which touches no page) that cancels every query whose snapshot may
 * not see `latest` as ended yet. Nothing is logged where no standby can run queries.
 */
extern void nts_wal_conflict(Relation rel, BlockNumber block, FullTransactionId latest);
/* For a transaction id that is not older than relfrozenxid. */
extern FullTransactionId nts_wal_full_xid(TransactionId xid);

#endif							/* NTS_STORAGE_WAL_H */
