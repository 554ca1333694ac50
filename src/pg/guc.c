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
	if (process_shared_preload_libraries_in_progress)
		DefineCustomIntVariable("nodedb_ts.max_tracked_tables",
								"Tables whose maintenance nodedb_ts.activity counts.",
								"Beyond it the table whose counters changed longest ago is forgotten.",
								&nts_max_tracked_tables,
								1000, 10, 1000000,
								PGC_POSTMASTER, 0, NULL, NULL, NULL);
	nts_fault_define();
	MarkGUCPrefixReserved("nodedb_ts");
}
