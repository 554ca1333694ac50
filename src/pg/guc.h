/* guc.h - settings (guc.c defines them with defaults and bounds). */
#ifndef NTS_PG_GUC_H
#define NTS_PG_GUC_H

extern int	nts_memory_budget_kb;
extern double nts_active_fraction;
extern int	nts_max_series;
extern int	nts_max_tracked_tables;	/* in nodedb_ts.activity */

extern void nts_guc_init(void);

#endif							/* NTS_PG_GUC_H */
