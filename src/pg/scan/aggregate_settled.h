/*
 * aggregate_settled.h - inside of the aggregate node: rows that would change nothing.
 */
#ifndef NTS_SCAN_AGGREGATE_SETTLED_H
#define NTS_SCAN_AGGREGATE_SETTLED_H

#include "postgres.h"

#include "pg/scan/aggregate.h"
#include "pg/scan/early_stop.h"

typedef struct NtsAggSettled NtsAggSettled;

/*
 * NULL: what statistics say of some rows never suffices. Otherwise all aggregates are minima and maxima of columns, and the
 * only key, if there is one, is an ordered bucket.
 */
extern NtsAggSettled *nts_agg_settled_make(const NtsAggregate *aggregates, int count, NtsAggVectors *vectors,
										   const int *keys, int key_count);
/* Other groups follow. */
extern void nts_agg_settled_forget(NtsAggSettled *settled);
/*
 * Do all rows of what the facts tell of that pass the scan's conditions, and lie in the window if there is one, belong to
 * groups of the table that they do not change? No selection is looked at meanwhile.
 */
extern bool nts_agg_is_settled(NtsAggSettled *settled, NtsAggTable *table, const NtsAggFacts *facts,
							   const NtsEarlyStop *stop);

#endif							/* NTS_SCAN_AGGREGATE_SETTLED_H */
