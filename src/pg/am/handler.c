/*
 * handler.c - the table access method: its callbacks, and the ones that refuse.
 *
 * An operation that would change a row or build an index is refused where heap
 * would do it, so that an UPDATE that finds no row succeeds as it does on heap.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "catalog/index.h"
#include "commands/vacuum.h"
#include "fmgr.h"
#include "replication/logicalworker.h"
#include "utils/rel.h"

#include "pg/am/am.h"
#include "pg/error.h"

PG_FUNCTION_INFO_V1(nodedb_ts_handler);

static const TupleTableSlotOps *
slot_callbacks(Relation rel)
{
	return &TTSOpsNodedbTs;
}

static void
tuple_insert_speculative(Relation rel, TupleTableSlot *slot, CommandId cid,
						 NtsInsertOptions options, struct BulkInsertStateData *bistate,
						 uint32 token)
{
	nts_error_unsupported(rel, "INSERT ... ON CONFLICT with an arbiter");
}

static void
tuple_complete_speculative(Relation rel, TupleTableSlot *slot, uint32 token, bool succeeded)
{
	nts_error_unsupported(rel, "INSERT ... ON CONFLICT with an arbiter");
}

static TM_Result
tuple_delete(Relation rel, ItemPointer tid, CommandId cid, Snapshot snapshot, Snapshot crosscheck,
			 bool wait, TM_FailureData *failure, bool changing_part)
{
	nts_error_unsupported(rel, "DELETE");
}

static TM_Result
tuple_update(Relation rel, ItemPointer tid, TupleTableSlot *slot, CommandId cid,
			 Snapshot snapshot, Snapshot crosscheck, bool wait, TM_FailureData *failure,
			 LockTupleMode *mode, NtsUpdateIndexes *update_indexes)
{
	nts_error_unsupported(rel, "UPDATE");
}

static TM_Result
tuple_lock(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot, CommandId cid,
		   LockTupleMode mode, LockWaitPolicy policy, uint8 flags, TM_FailureData *failure)
{
	static const char *const names[] = {"SELECT ... FOR KEY SHARE", "SELECT ... FOR SHARE",
	"SELECT ... FOR NO KEY UPDATE", "SELECT ... FOR UPDATE"};

	/*
	 * Nothing here conflicts with it: there is no DELETE, UPDATE or FOR UPDATE. A foreign
	 * key's check of a DELETE or UPDATE of the row that ours refers to asks for it.
	 */
	if (mode == LockTupleKeyShare)
	{
		failure->traversed = false;
		return nts_am_fetch_row_version(rel, tid, snapshot, slot) ? TM_Ok : TM_Deleted;
	}
	/* the row that an UPDATE or DELETE of the publisher means was found and is to be changed */
	if (IsLogicalWorker())
		nts_error_unsupported(rel, "applying an UPDATE or DELETE of a subscription");
	nts_error_unsupported(rel, names[mode]);
}

static IndexFetchTableData *
index_fetch_begin(Relation rel)
{
	nts_error_unsupported(rel, "an index scan");
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
index_fetch_tuple(struct IndexFetchTableData *scan, ItemPointer tid, Snapshot snapshot,
				  TupleTableSlot *slot, bool *call_again, bool *all_dead)
{
	nts_error_unsupported(scan->rel, "an index scan");
}

static TransactionId
index_delete_tuples(Relation rel, TM_IndexDeleteOp *delstate)
{
	nts_error_unsupported(rel, "an index");
}

static double
index_build_range_scan(Relation table, Relation index, struct IndexInfo *info, bool allow_sync,
					   bool anyvisible, bool progress, BlockNumber start, BlockNumber count,
					   IndexBuildCallback callback, void *state, TableScanDesc scan)
{
	nts_error_unsupported(table, "CREATE INDEX");
}

static void
index_validate_scan(Relation table, Relation index, struct IndexInfo *info, Snapshot snapshot,
					struct ValidateIndexState *state)
{
	nts_error_unsupported(table, "CREATE INDEX");
}

static const TableAmRoutine methods = {
	.type = T_TableAmRoutine,
	.slot_callbacks = slot_callbacks,

	.scan_begin = nts_am_scan_begin,
	.scan_end = nts_am_scan_end,
	.scan_rescan = nts_am_scan_rescan,
	.scan_getnextslot = nts_am_scan_getnextslot,
	.scan_set_tidrange = nts_am_scan_set_tidrange,
	.scan_getnextslot_tidrange = nts_am_scan_getnextslot,

	.parallelscan_estimate = table_block_parallelscan_estimate,
	.parallelscan_initialize = nts_am_parallelscan_initialize,
	.parallelscan_reinitialize = table_block_parallelscan_reinitialize,

	.index_fetch_begin = index_fetch_begin,
	.index_fetch_reset = index_fetch_reset,
	.index_fetch_end = index_fetch_end,
	.index_fetch_tuple = index_fetch_tuple,

	.tuple_fetch_row_version = nts_am_fetch_row_version,
	.tuple_tid_valid = nts_am_tid_valid,
	.tuple_get_latest_tid = nts_am_get_latest_tid,
	.tuple_satisfies_snapshot = nts_am_satisfies_snapshot,
	.index_delete_tuples = index_delete_tuples,

	.tuple_insert = nts_am_tuple_insert,
	.tuple_insert_speculative = tuple_insert_speculative,
	.tuple_complete_speculative = tuple_complete_speculative,
	.multi_insert = nts_am_multi_insert,
	.tuple_delete = tuple_delete,
	.tuple_update = tuple_update,
	.tuple_lock = tuple_lock,
	.finish_bulk_insert = nts_am_finish_bulk_insert,

	.relation_set_new_filenode = nts_am_set_new_filenode,
	.relation_nontransactional_truncate = nts_am_nontransactional_truncate,
	.relation_copy_data = nts_am_copy_data,
	.relation_copy_for_cluster = nts_am_copy_for_cluster,
	.relation_vacuum = nts_am_vacuum,
	.scan_analyze_next_block = nts_am_analyze_next_block,
	.scan_analyze_next_tuple = nts_am_analyze_next_tuple,
	.index_build_range_scan = index_build_range_scan,
	.index_validate_scan = index_validate_scan,

	.relation_size = nts_am_relation_size,
	.relation_needs_toast_table = nts_am_needs_toast_table,
	.relation_estimate_size = nts_am_estimate_size,

	.scan_sample_next_block = nts_am_scan_sample_next_block,
	.scan_sample_next_tuple = nts_am_scan_sample_next_tuple,
};

bool
nts_is_nodedb_ts(Relation rel)
{
	return rel->rd_tableam == &methods;
}

Datum
nodedb_ts_handler(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(&methods);
}
