/*
 * clock.h - moments in the unit of a table's time column, which is what segments and
 * buckets are counted in: microseconds for timestamptz and timestamp, days for date,
 * itself for integers.
 */
#ifndef NTS_MAINTENANCE_CLOCK_H
#define NTS_MAINTENANCE_CLOCK_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/rel.h"

#include "pg/am/options.h"

/* Is the time column an integer, whose unit only the user knows? */
extern bool nts_clock_is_integer(const NtsOptions *options);
/* A moment as the time column has it; not for integers. */
extern int64 nts_clock_moment(const NtsOptions *options, TimestampTz moment);
/*
 * The present moment: now() for time types; for integers what the table's now_function
 * says, which runs as the table's owner. false: nothing tells (no such function, or it
 * says NULL; no time column).
 */
extern bool nts_clock_now(Relation rel, const NtsOptions *options, int64 *now);
/* The bucket that a time is in; buckets are numbered, the 0-th begins at 0. 0 when the
 * table has a single bucket. */
extern int64 nts_clock_bucket(const NtsOptions *options, int64 time);
/* The first moment behind a bucket; PG_INT64_MAX when there is none. */
extern int64 nts_clock_bucket_end(const NtsOptions *options, int64 bucket);

#endif							/* NTS_MAINTENANCE_CLOCK_H */
