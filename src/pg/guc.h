/* guc.h - settings (guc.c defines them with defaults and bounds). */
#ifndef NTS_PG_GUC_H
#define NTS_PG_GUC_H

extern int	nts_memory_budget_kb;
extern double nts_active_fraction;
extern int	nts_max_series;
extern int	nts_max_tracked_tables;	/* in nodedb_ts.activity */

extern bool nts_worker;
extern int	nts_flush_interval_ms;	/* these: 0 or less: never */
extern int	nts_compact_interval_ms;
extern int	nts_retention_interval_ms;
extern int	nts_min_flush_size_kb;
extern int	nts_max_delta_size_kb;	/* 0 or less: no limit */

extern bool nts_enable_scan;	/* the planner may use scan nodes of ours */
extern bool nts_enable_ordered_scan;	/* in the order of series and time */
extern bool nts_enable_best;	/* and nodes of the best rows above them */
extern bool nts_enable_ordered_aggregate;	/* groups in the order of the query */
extern bool nts_enable_early_stop;	/* groups in the order of a time bucket */
extern bool nts_enable_vectorized_aggregate;
extern bool nts_enable_partial_aggregate;	/* in parallel workers and partitions */
extern bool nts_enable_statistics_aggregate;	/* may answer from statistics */

extern void nts_guc_init(void);

#endif							/* NTS_PG_GUC_H */
