/*
 * activity.h - what maintenance does and has done, per table.
 *
 * Progress is kept in PostgreSQL's backend status (as that of VACUUM is) and needs no preload. Cumulative counters live
 * in shared memory, which there is only with shared_preload_libraries: without it counting does nothing.
 */
#ifndef NTS_PG_ACTIVITY_H
#define NTS_PG_ACTIVITY_H

#include "postgres.h"

#include "utils/rel.h"

typedef enum NtsActivity
{
	NTS_ACTIVITY_FLUSH,
	NTS_ACTIVITY_COMPACT,
	NTS_ACTIVITY_RETENTION,
	NTS_ACTIVITY_ADMISSION,		/* a flush by the session that inserts */
	NTS_ACTIVITY_COUNT
} NtsActivity;

/* What a running maintenance is doing, for nodedb_ts.progress. */
typedef enum NtsPhase
{
	NTS_PHASE_FREEING,			/* what earlier maintenance left; done, total: 0 */
	NTS_PHASE_SEARCHING,		/* for what there is to do; entries of the directory */
	NTS_PHASE_READING,			/* pages of batches, or bytes of segments (again, when they are merged in several passes) */
	NTS_PHASE_WRITING,			/* segments; rows */
	NTS_PHASE_DELETING,			/* segments */
	NTS_PHASE_COUNT
} NtsPhase;

/* When the library is loaded: asks for shared memory if it is preloaded. */
extern void nts_activity_init(void);
extern bool nts_activity_has_memory(void);

/*
 * Maintenance of one table begins, gets on, has ended; not nested. Whoever fails in between need not call anything: the
 * end of the (sub)transaction forgets it. nts_activity_end counts at once, whether or not the transaction commits
 * later, as PostgreSQL's own statistics count written rows.
 * segments_in: read or deleted; segments_out: written; rows: moved or deleted.
 */
extern void nts_activity_begin(Relation rel, NtsActivity activity);
extern void nts_progress(NtsPhase phase, uint64 done, uint64 total);
extern void nts_activity_end(uint64 segments_in, uint64 segments_out, uint64 rows);

/* Notes an error of the worker, or of an admission flush, with the table. */
extern void nts_activity_error(Oid relid, NtsActivity activity, const char *message);
/* Counts what the memtables of a transaction had to do. May be called at its end: cannot fail. */
extern void nts_activity_memtable(Oid relid, uint64 rejected, uint64 evictions);

/* "flush", "compact", "retention", "admission" */
extern const char *nts_activity_name(NtsActivity activity);

#endif							/* NTS_PG_ACTIVITY_H */
