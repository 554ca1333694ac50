/*
 * flush.h - what other maintenance uses of ts_flush.
 */
#ifndef NTS_MAINTENANCE_FLUSH_H
#define NTS_MAINTENANCE_FLUSH_H

#include "postgres.h"

#include "utils/rel.h"

/*
 * Removes committed rows older than `cutoff` (in the unit of the time column, an index) from L0: their pages
 * are moved, and they are left out on the way. Pages with a batch in progress stay. Returns the rows removed.
 * REQUIRES: ShareUpdateExclusiveLock to the end of the transaction.
 */
extern uint64 nts_flush_expired(Relation rel, int time_column, int64 cutoff);

#endif							/* NTS_MAINTENANCE_FLUSH_H */
