/*
 * target.h - which tables a maintenance function works on.
 */
#ifndef NTS_MAINTENANCE_TARGET_H
#define NTS_MAINTENANCE_TARGET_H

#include "postgres.h"

#include "utils/rel.h"

/* No segment is larger. */
#define NTS_MAX_SEGMENT_ROWS 4000000
#define NTS_MAX_SEGMENT_BYTES (UINT64CONST(256) * 1024 * 1024)

/* Called for each table, as its owner; it is locked in ShareUpdateExclusiveLock to the end of the transaction. */
typedef void (*NtsMaintain) (Relation rel, void *state);

/*
 * One table, or the partitions of a partitioned one. Raises 42P01 when it is gone, 42501 when the caller does
 * not own it, 42809 when it is no table of the access method, 0A000 for a temporary table of another session.
 * verb: for that message ("flush").
 */
extern void nts_maintain(Oid relid, const char *verb, NtsMaintain action, void *state);

/* Is there anything to do for a table? Called under a weak lock. */
typedef bool (*NtsWanted) (Relation rel);

/* All tables of the database that the caller owns (wanted not NULL: and for which it says yes), by OID; those
 * dropped meanwhile are left out. */
extern void nts_maintain_all(NtsWanted wanted, NtsMaintain action, void *state);

/*
 * Raises 55P03 when somebody waits for a lock on the table that its maintenance is in the way of, in a process that has
 * set nts_maintenance_yields (the worker): it will try again later, and the other need not wait. Never in a call of a
 * user's. Cheap enough for each page. REQUIRES: ShareUpdateExclusiveLock; no content lock.
 */
extern void nts_maintenance_yield(Relation rel);
extern bool nts_maintenance_yields;
extern bool nts_maintenance_yielded;	/* set when it has raised the error */

#endif							/* NTS_MAINTENANCE_TARGET_H */
