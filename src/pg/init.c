/*
 * init.c - what happens when the library is loaded.
 */
#include "postgres.h"

#include "fmgr.h"

#include "nodedb_ts/core.h"
#include "pg/activity.h"
#include "pg/guc.h"
#include "pg/am/am.h"
#include "pg/am/options.h"
#include "pg/maintenance/flush.h"
#include "pg/scan/aggregate.h"
#include "pg/scan/scan.h"
#include "pg/worker/worker.h"

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	nts_guc_init();
	nts_activity_init();
	nts_buffer_init();
	nts_admission_init();
	nts_ddl_init();
	nts_options_init();
	nts_segment_cache_init();
	nts_directory_cache_init();
	nts_scan_init();
	nts_aggregate_init();
	nts_worker_init();
}
