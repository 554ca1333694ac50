/*
 * fault.h - named places where a test lets the server fail.
 *
 * nodedb_ts.fault = 'PLACE:KIND[:N]' (superusers only): when this backend comes to that
 * place for the N-th time (default 1), KIND happens, once:
 *
 *   error      an ERROR; at a critical place a PANIC
 *   cancel     SIGINT to itself, which the next CHECK_FOR_INTERRUPTS answers
 *   terminate  SIGTERM to itself, likewise
 *   kill       SIGKILL: WAL that nobody has flushed is lost
 *   abort      the same death, but what was logged so far is on disk, as if another
 *              session had committed at that moment
 *   wait       until nobody holds pg_advisory_lock(hashtext('PLACE')): lets a test stop
 *              it there; neither at a critical place nor under a content lock
 *
 * 'all:trace' writes each visit of any place to the server's standard error.
 * nodedb_ts.fault_places shows the names, critical ones with a "!" behind.
 */
#ifndef NTS_PG_FAULT_H
#define NTS_PG_FAULT_H

#include "postgres.h"

/*
 * Every place, in the order of a row's life; a name that is not here does not compile.
 * NORMAL: an ERROR is in order there. *_record: what a record changes is locked, the
 * record is not written yet; the error's clean-up releases those locks. CRITICAL: an
 * ERROR is impossible, since it would leave memory and storage in disagreement (a
 * critical section, a transaction's end).
 */
#define NTS_FAULT_PLACES(NORMAL, CRITICAL) \
	/* write buffer: buffer.c */ \
	NORMAL(pending_write)		/* a single row, before it goes to a delta page */ \
	NORMAL(pending_written) \
	NORMAL(freeze_begin)		/* a part is frozen, nothing is encoded */ \
	NORMAL(freeze_encoded)		/* an output is encoded and not in storage */ \
	NORMAL(freeze_output)		/* it is in storage */ \
	NORMAL(freeze_end) \
	NORMAL(table_written)		/* one of the transaction's tables */ \
	NORMAL(commit_begin)		/* or prepare */ \
	NORMAL(commit_written)		/* all tables are, the transaction is undecided */ \
	CRITICAL(commit_done) \
	CRITICAL(abort_done) \
	CRITICAL(subcommit) \
	CRITICAL(subabort) \
	/* the record of any change: wal.c; of a segment's pages: segment_io.c */ \
	CRITICAL(wal_applied)		/* pages are changed, nothing is logged */ \
	CRITICAL(wal_logged) \
	CRITICAL(images_applied) \
	CRITICAL(images_logged) \
	/* metapage: meta.c */ \
	NORMAL(file_extended)		/* by one block */ \
	NORMAL(meta_record) \
	NORMAL(meta_done) \
	NORMAL(reserve_record)		/* of row ids */ \
	NORMAL(reserve_done) \
	/* delta pages: delta.c */ \
	NORMAL(open_page_begin) \
	NORMAL(open_page_record) \
	NORMAL(open_page_done) \
	NORMAL(append_record) \
	NORMAL(move_record) \
	NORMAL(move_done) \
	NORMAL(put_page_record)		/* a page is copied as it is */ \
	/* extents: extent.c */ \
	NORMAL(directory_record)	/* a new directory page */ \
	NORMAL(directory_done) \
	NORMAL(reuse_conflict)		/* standbys know, the extent is still free */ \
	NORMAL(allocate_extend) \
	NORMAL(allocate_record) \
	NORMAL(allocate_done) \
	NORMAL(free_record) \
	NORMAL(free_done) \
	NORMAL(join_record)			/* of free neighbours */ \
	NORMAL(join_done) \
	NORMAL(pack_allocated)		/* pack.c: an extent for a copy */ \
	NORMAL(pack_write)			/* a group of its pages is written */ \
	NORMAL(pack_copied)			/* vacuum.c: all are, the table is not locked yet */ \
	NORMAL(pack_locked) \
	NORMAL(swap_record)			/* of a segment's old extent and its new one */ \
	NORMAL(swap_done) \
	NORMAL(swap_directory_record)	/* the same for a page of the directory */ \
	NORMAL(swap_directory_done) \
	NORMAL(truncate_locked)		/* vacuum.c */ \
	NORMAL(disown_record) \
	NORMAL(truncate_disowned) \
	NORMAL(truncate_done) \
	/* segments: segment_io.c, directory.c */ \
	NORMAL(segment_write)		/* a group of pages is written */ \
	NORMAL(segment_publish)		/* all are, the entry is "building" */ \
	NORMAL(entry_record) \
	NORMAL(copy_write) \
	NORMAL(copy_publish) \
	/* ts_flush: flush.c */ \
	NORMAL(flush_reclaimed) \
	NORMAL(flush_page) \
	NORMAL(flush_taken)			/* a page is moved, its rows are in memory only */ \
	NORMAL(flush_write) \
	NORMAL(flush_output)		/* an output is in storage */ \
	NORMAL(flush_done) \
	/* ts_enforce_retention: retention.c */ \
	NORMAL(retention_flushed)	/* expired rows of L0 are left out */ \
	NORMAL(retention_segment) \
	NORMAL(retention_done) \
	/* ts_compact: compact.c, compact_merge.c */ \
	NORMAL(compact_reclaimed) \
	NORMAL(compact_group) \
	NORMAL(compact_read)		/* a row group is in memory */ \
	NORMAL(compact_spool)		/* one of the output is in a temporary file */ \
	NORMAL(compact_begin)		/* a segment is whole, but in that file only */ \
	NORMAL(compact_write)		/* a group of its pages is written */ \
	NORMAL(compact_publish) \
	NORMAL(compact_merged)		/* all are published, the old ones are live */ \
	NORMAL(compact_move)		/* of one old segment */ \
	NORMAL(compact_moved) \
	/* ts_train_dictionary: train.c; what VACUUM does to sets: dictionaries.c */ \
	NORMAL(train_store)			/* it is learned, in memory only */ \
	NORMAL(train_stored) \
	NORMAL(dictionary_retired)	/* from when on, is not noted yet */ \
	/* VACUUM, VACUUM FULL: vacuum.c, delta_clean.c */ \
	NORMAL(vacuum_entry) \
	NORMAL(vacuum_page) \
	NORMAL(clean_conflict)		/* standbys know, the page is as before */ \
	NORMAL(clean_record) \
	NORMAL(clean_done) \
	NORMAL(vacuum_statistics) \
	NORMAL(full_entry) \
	NORMAL(full_page) \
	NORMAL(full_done) \
	/* files: ddl.c */ \
	NORMAL(new_file) \
	NORMAL(truncate_file)

#define NTS_FAULT_ID(place) NTS_PLACE_##place,
typedef enum NtsFaultPlace
{
	NTS_FAULT_PLACES(NTS_FAULT_ID, NTS_FAULT_ID)
	NTS_PLACE_COUNT
} NtsFaultPlace;
#undef NTS_FAULT_ID

extern bool nts_fault_armed;

extern void nts_fault_define(void);
extern void nts_fault_reached(NtsFaultPlace place);

#define NTS_FAULT(place) \
	do { \
		if (unlikely(nts_fault_armed)) \
			nts_fault_reached(NTS_PLACE_##place); \
	} while (0)

#endif							/* NTS_PG_FAULT_H */
