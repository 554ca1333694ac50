/*
 * flush.h - moving L0 batches into segments; and what inserting sessions do of it (admission.c).
 */
#ifndef NTS_MAINTENANCE_FLUSH_H
#define NTS_MAINTENANCE_FLUSH_H

#include "postgres.h"

#include "utils/rel.h"

/* Bounds the work of one flush. Oldest pages go first. */
typedef struct NtsFlushLimit
{
	uint64		first_generation;	/* extents before it are moved; such may be freed */
	uint32		pages;			/* to move, at most */
	uint64		rows;			/* no further page after these, ... */
	uint32		min_pages;		/* ... but not before these pages */
	int			extents_freed;	/* at most */
} NtsFlushLimit;

/* Returns the segments written. limit: NULL: all that can be moved. REQUIRES: ShareUpdateExclusiveLock, to be kept to
 * the transaction's end. */
extern uint64 nts_flush_relation(Relation rel, const NtsFlushLimit *limit);

/*
 * Removes committed rows older than `cutoff` (in the unit of the time column, an index) from L0: their pages
 * are moved, and they are left out on the way. Pages with a batch in progress stay. Returns the rows removed.
 * REQUIRES: ShareUpdateExclusiveLock to the end of the transaction.
 */
extern uint64 nts_flush_expired(Relation rel, int time_column, int64 cutoff);

/* When the library is loaded. */
extern void nts_admission_init(void);

#endif							/* NTS_MAINTENANCE_FLUSH_H */
