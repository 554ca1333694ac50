/*
 * null_am.c - test only: a table access method that throws rows away.
 *
 * What is left of a COPY into such a table is reading, parsing and making rows:
 * the least that any storage could take. Rows are looked at no more than COPY
 * itself does: its slots are virtual ones, nothing is formed or deformed.
 * Tables have an empty file, scans return no rows, DDL works where it needs no
 * rows; the rest is refused with 0A000. PostgreSQL 15.
 */
#include "postgres.h"

#include "access/multixact.h"
#include "access/relscan.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "catalog/pg_am_d.h"
#include "catalog/storage.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "storage/bufmgr.h"
#include "storage/smgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

PG_MODULE_MAGIC;

PG_FUNCTION_INFO_V1(null_am_handler);

static void unsupported(Relation rel, const char *what) pg_attribute_noreturn();

static void
unsupported(Relation rel, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s is not supported on table \"%s\" of access method null_am", what, RelationGetRelationName(rel))));
}

static const TupleTableSlotOps *
slot_callbacks(Relation rel)
{
	return &TTSOpsVirtual;
}

/* ---- rows are thrown away ---- */

static void
tuple_insert(Relation rel, TupleTableSlot *slot, CommandId cid, int options, struct BulkInsertStateData *bistate)
{
}

static void
multi_insert(Relation rel, TupleTableSlot **slots, int nslots, CommandId cid, int options,
			 struct BulkInsertStateData *bistate)
{
}

static void
finish_bulk_insert(Relation rel, int options)
{
}

static void
tuple_insert_speculative(Relation rel, TupleTableSlot *slot, CommandId cid, int options,
						 struct BulkInsertStateData *bistate, uint32 token)
{
	unsupported(rel, "INSERT ... ON CONFLICT with an arbiter");
}

static void
tuple_complete_speculative(Relation rel, TupleTableSlot *slot, uint32 token, bool succeeded)
{
	unsupported(rel, "INSERT ... ON CONFLICT with an arbiter");
}

/* ---- so there are none to change: no scan leads here ---- */

static TM_Result
tuple_delete(Relation rel, ItemPointer tid, CommandId cid, Snapshot snapshot, Snapshot crosscheck, bool wait,
			 TM_FailureData *failure, bool changing_part)
{
	unsupported(rel, "DELETE of a row");
}

static TM_Result
tuple_update(Relation rel, ItemPointer tid, TupleTableSlot *slot, CommandId cid, Snapshot snapshot,
			 Snapshot crosscheck, bool wait, TM_FailureData *failure, LockTupleMode *mode, bool *update_indexes)
{
	unsupported(rel, "UPDATE of a row");
}

static TM_Result
tuple_lock(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot, CommandId cid,
		   LockTupleMode mode, LockWaitPolicy policy, uint8 flags, TM_FailureData *failure)
{
	unsupported(rel, "locking a row");
}

/* ---- and none to read ---- */

static TableScanDesc
scan_begin(Relation rel, Snapshot snapshot, int nkeys, struct ScanKeyData *key, ParallelTableScanDesc pscan,
		   uint32 flags)
{
	TableScanDesc scan = palloc0(sizeof(TableScanDescData));

	/* as heap: the relation must stay while it is scanned */
	RelationIncrementReferenceCount(rel);
	scan->rs_rd = rel;
	scan->rs_snapshot = snapshot;
	scan->rs_nkeys = nkeys;
	scan->rs_key = key;
	scan->rs_flags = flags;
	scan->rs_parallel = pscan;
	return scan;
}

static void
scan_end(TableScanDesc scan)
{
	RelationDecrementReferenceCount(scan->rs_rd);
	if (scan->rs_flags & SO_TEMP_SNAPSHOT)
		UnregisterSnapshot(scan->rs_snapshot);
	pfree(scan);
}

static void
scan_rescan(TableScanDesc scan, struct ScanKeyData *key, bool set_params, bool allow_strat, bool allow_sync,
			bool allow_pagemode)
{
}

static bool
scan_getnextslot(TableScanDesc scan, ScanDirection direction, TupleTableSlot *slot)
{
	ExecClearTuple(slot);
	return false;
}

static void
scan_set_tidrange(TableScanDesc scan, ItemPointer min, ItemPointer max)
{
}

static bool
scan_bitmap_next_block(TableScanDesc scan, struct TBMIterateResult *result)
{
	return false;
}

static bool
scan_bitmap_next_tuple(TableScanDesc scan, struct TBMIterateResult *result, TupleTableSlot *slot)
{
	return false;
}

static bool
scan_sample_next_block(TableScanDesc scan, struct SampleScanState *state)
{
	return false;
}

static bool
scan_sample_next_tuple(TableScanDesc scan, struct SampleScanState *state, TupleTableSlot *slot)
{
	return false;
}

static bool
scan_analyze_next_block(TableScanDesc scan, BlockNumber block, BufferAccessStrategy strategy)
{
	return false;
}

static bool
scan_analyze_next_tuple(TableScanDesc scan, TransactionId oldest_xmin, double *live, double *dead,
						TupleTableSlot *slot)
{
	return false;
}

static bool
tuple_fetch_row_version(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot)
{
	return false;
}

static bool
tuple_tid_valid(TableScanDesc scan, ItemPointer tid)
{
	return false;
}

static void
tuple_get_latest_tid(TableScanDesc scan, ItemPointer tid)
{
}

static bool
tuple_satisfies_snapshot(Relation rel, TupleTableSlot *slot, Snapshot snapshot)
{
	return false;
}

/* ---- nor to index ---- */

static IndexFetchTableData *
index_fetch_begin(Relation rel)
{
	unsupported(rel, "an index scan");
}

static void
index_fetch_reset(IndexFetchTableData *data)
{
}

static void
index_fetch_end(IndexFetchTableData *data)
{
}

static bool
index_fetch_tuple(struct IndexFetchTableData *scan, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot,
				  bool *call_again, bool *all_dead)
{
	unsupported(scan->rel, "an index scan");
}

static TransactionId
index_delete_tuples(Relation rel, TM_IndexDeleteOp *state)
{
	unsupported(rel, "an index");
}

static double
index_build_range_scan(Relation table, Relation index, struct IndexInfo *info, bool allow_sync, bool anyvisible,
					   bool progress, BlockNumber start, BlockNumber count, IndexBuildCallback callback,
					   void *state, TableScanDesc scan)
{
	unsupported(table, "CREATE INDEX");
}

static void
index_validate_scan(Relation table, Relation index, struct IndexInfo *info, Snapshot snapshot,
					struct ValidateIndexState *state)
{
	unsupported(table, "CREATE INDEX");
}

/* ---- DDL: the file is there, and empty ---- */

static void
relation_set_new_filenode(Relation rel, const RelFileNode *node, char persistence, TransactionId *freeze_xid,
						  MultiXactId *min_multi)
{
	if (persistence == RELPERSISTENCE_UNLOGGED)
		unsupported(rel, "UNLOGGED");
	/* no row has a transaction id that VACUUM would have to freeze */
	*freeze_xid = InvalidTransactionId;
	*min_multi = InvalidMultiXactId;
	smgrclose(RelationCreateStorage(*node, persistence, true));
}

static void
relation_nontransactional_truncate(Relation rel)
{
	RelationTruncate(rel, 0);
}

static void
relation_copy_data(Relation rel, const RelFileNode *node)
{
	smgrclose(RelationCreateStorage(*node, rel->rd_rel->relpersistence, true));
	RelationDropStorage(rel);
}

static void
relation_copy_for_cluster(Relation old_table, Relation new_table, Relation old_index, bool use_sort,
						  TransactionId oldest_xmin, TransactionId *xid_cutoff, MultiXactId *multi_cutoff,
						  double *tuples, double *vacuumed, double *recently_dead)
{
	*tuples = *vacuumed = *recently_dead = 0;
}

static void
relation_vacuum(Relation rel, struct VacuumParams *params, BufferAccessStrategy strategy)
{
}

static bool
relation_needs_toast_table(Relation rel)
{
	return false;
}

static Oid
relation_toast_am(Relation rel)
{
	return HEAP_TABLE_AM_OID;
}

static void
relation_fetch_toast_slice(Relation toast, Oid value, int32 size, int32 offset, int32 length,
						   struct varlena *result)
{
	unsupported(toast, "a TOAST table");
}

static void
relation_estimate_size(Relation rel, int32 *widths, BlockNumber *pages, double *tuples, double *all_visible)
{
	*pages = 0;
	*tuples = 0;
	*all_visible = 1;
}

static const TableAmRoutine methods = {
	.type = T_TableAmRoutine,
	.slot_callbacks = slot_callbacks,

	.scan_begin = scan_begin,
	.scan_end = scan_end,
	.scan_rescan = scan_rescan,
	.scan_getnextslot = scan_getnextslot,
	.scan_set_tidrange = scan_set_tidrange,
	.scan_getnextslot_tidrange = scan_getnextslot,

	.parallelscan_estimate = table_block_parallelscan_estimate,
	.parallelscan_initialize = table_block_parallelscan_initialize,
	.parallelscan_reinitialize = table_block_parallelscan_reinitialize,

	.index_fetch_begin = index_fetch_begin,
	.index_fetch_reset = index_fetch_reset,
	.index_fetch_end = index_fetch_end,
	.index_fetch_tuple = index_fetch_tuple,

	.tuple_fetch_row_version = tuple_fetch_row_version,
	.tuple_tid_valid = tuple_tid_valid,
	.tuple_get_latest_tid = tuple_get_latest_tid,
	.tuple_satisfies_snapshot = tuple_satisfies_snapshot,
	.index_delete_tuples = index_delete_tuples,

	.tuple_insert = tuple_insert,
	.tuple_insert_speculative = tuple_insert_speculative,
	.tuple_complete_speculative = tuple_complete_speculative,
	.multi_insert = multi_insert,
	.tuple_delete = tuple_delete,
	.tuple_update = tuple_update,
	.tuple_lock = tuple_lock,
	.finish_bulk_insert = finish_bulk_insert,

	.relation_set_new_filenode = relation_set_new_filenode,
	.relation_nontransactional_truncate = relation_nontransactional_truncate,
	.relation_copy_data = relation_copy_data,
	.relation_copy_for_cluster = relation_copy_for_cluster,
	.relation_vacuum = relation_vacuum,
	.scan_analyze_next_block = scan_analyze_next_block,
	.scan_analyze_next_tuple = scan_analyze_next_tuple,
	.index_build_range_scan = index_build_range_scan,
	.index_validate_scan = index_validate_scan,

	.relation_size = table_block_relation_size,
	.relation_needs_toast_table = relation_needs_toast_table,
	.relation_toast_am = relation_toast_am,
	.relation_fetch_toast_slice = relation_fetch_toast_slice,
	.relation_estimate_size = relation_estimate_size,

	.scan_bitmap_next_block = scan_bitmap_next_block,
	.scan_bitmap_next_tuple = scan_bitmap_next_tuple,
	.scan_sample_next_block = scan_sample_next_block,
	.scan_sample_next_tuple = scan_sample_next_tuple,
};

Datum
null_am_handler(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(&methods);
}
