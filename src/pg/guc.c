/*
 * guc.c - the settings of nodedb_ts: name, default, bounds side by side.
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"
#include "utils/guc.h"

#include "pg/fault.h"
#include "pg/guc.h"

int			nts_memory_budget_kb;
double		nts_active_fraction;
int			nts_max_series;
int			nts_max_tracked_tables;
bool		nts_worker;
bool		nts_enable_scan;
bool		nts_enable_best;
bool		nts_enable_ordered_aggregate;
bool		nts_enable_early_stop;
bool		nts_enable_ordered_scan;
bool		nts_enable_statistics_aggregate;
int			nts_flush_interval_ms;
int			nts_compact_interval_ms;
int			nts_retention_interval_ms;
int			nts_min_flush_size_kb;
int			nts_max_delta_size_kb;
bool		nts_enable_vectorized_aggregate;
bool		nts_enable_partial_aggregate;

void
nts_guc_init(void)
{
	DefineCustomIntVariable("nodedb_ts.memory_budget",
							"Memory that a backend's uncommitted rows may take, over all its nodedb_ts tables.",
							"Rows beyond it are written to the tables before their transaction commits.",
							&nts_memory_budget_kb,
							100 * 1024, 64, MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomRealVariable("nodedb_ts.active_fraction",
							 "Share of nodedb_ts.memory_budget at which buffered rows are written out.",
							 NULL,
							 &nts_active_fraction,
							 0.6, 0.1, 1.0,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("nodedb_ts.max_series",
							"Series that one memtable holds; over it the coldest is moved to the flush queue.",
							NULL,
							&nts_max_series,
							500000, 1, INT_MAX,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("nodedb_ts.worker",
							 "Lets background workers maintain the tables.",
							 "One for each database that has the extension, when it is preloaded.",
							 &nts_worker,
							 true,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("nodedb_ts.flush_interval",
							"Time after which the worker moves small batches into segments.",
							"0 or -1: never, unless a table has an interval of its own.",
							&nts_flush_interval_ms,
							10 * 1000, -1, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("nodedb_ts.compact_interval",
							"Time after which the worker looks for segments to merge.",
							"0 or -1: never, unless a table has an interval of its own.",
							&nts_compact_interval_ms,
							600 * 1000, -1, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("nodedb_ts.retention_interval",
							"Time after which the worker looks for rows that are older than their table's retention.",
							"0 or -1: never.",
							&nts_retention_interval_ms,
							600 * 1000, -1, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("nodedb_ts.min_flush_size",
							"Size of a table's small batches below which the worker lets thirty intervals pass before it flushes them.",
							NULL,
							&nts_min_flush_size_kb,
							64, 0, MAX_KILOBYTES,
							PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("nodedb_ts.max_delta_size",
							"Size of a table's small batches beyond which the sessions that insert flush them.",
							"0 or -1: no limit.",
							&nts_max_delta_size_kb,
							16 * 1024, -1, MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomBoolVariable("nodedb_ts.enable_scan",
							 "Lets the planner read nodedb_ts tables by column, with conditions on whole vectors.",
							 NULL,
							 &nts_enable_scan,
							 true,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	DefineCustomBoolVariable("nodedb_ts.enable_statistics_aggregate",
							 "Lets aggregates of all rows, and of vectors with one group, use stored counts, minima, maxima and sums.",
							 NULL,
							 &nts_enable_statistics_aggregate,
							 true,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	DefineCustomBoolVariable("nodedb_ts.enable_partial_aggregate",
							 "Lets the planner aggregate by nodes in parallel workers and in each partition.",
							 NULL,
							 &nts_enable_partial_aggregate,
							 true,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	DefineCustomBoolVariable("nodedb_ts.enable_best_rows",
							 "Lets the planner look for the best rows only, for ORDER BY ... LIMIT and DISTINCT ON.",
							 NULL,
							 &nts_enable_best,
							 true,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	DefineCustomBoolVariable("nodedb_ts.enable_ordered_scan",
							 "Lets the planner read tables in the order of series columns and time.",
							 NULL,
							 &nts_enable_ordered_scan,
							 true,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	DefineCustomBoolVariable("nodedb_ts.enable_ordered_aggregate",
							 "Lets the planner have groups in the order of the query, without a sort above them.",
							 NULL,
							 &nts_enable_ordered_aggregate,
							 true,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	DefineCustomBoolVariable("nodedb_ts.enable_early_stop",
							 "Lets the planner group in the order of a time bucket, so that a LIMIT ends the reading.",
							 NULL,
							 &nts_enable_early_stop,
							 true,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	if (process_shared_preload_libraries_in_progress)
		DefineCustomIntVariable("nodedb_ts.max_tracked_tables",
								"Tables whose maintenance nodedb_ts.activity counts.",
								"Beyond it the table whose counters changed longest ago is forgotten.",
								&nts_max_tracked_tables,
								1000, 10, 1000000,
								PGC_POSTMASTER, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("nodedb_ts.enable_vectorized_aggregate",
							 "Lets the planner aggregate nodedb_ts tables vector by vector.",
							 NULL,
							 &nts_enable_vectorized_aggregate,
							 true,
							 PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	nts_fault_define();
	MarkGUCPrefixReserved("nodedb_ts");
}
