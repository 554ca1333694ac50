/*
 * functions.h - SQL functions that other rooms know by their C function.
 */
#ifndef NTS_FUNCTIONS_FUNCTIONS_H
#define NTS_FUNCTIONS_FUNCTIONS_H

#include "postgres.h"

#include "fmgr.h"

/* time_bucket(interval, timestamp [, origin]), with or without time zone */
extern PGDLLEXPORT Datum nts_time_bucket_timestamp(PG_FUNCTION_ARGS);
/* time_bucket(interval, timestamptz, timezone [, origin]) */
extern PGDLLEXPORT Datum nts_time_bucket_timestamptz_zone(PG_FUNCTION_ARGS);
/* time_bucket(width, integer [, origin]) */
extern PGDLLEXPORT Datum nts_time_bucket_int2(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum nts_time_bucket_int4(PG_FUNCTION_ARGS);
extern PGDLLEXPORT Datum nts_time_bucket_int8(PG_FUNCTION_ARGS);

/* last's transition */
extern PGDLLEXPORT Datum nts_last_step(PG_FUNCTION_ARGS);

#endif							/* NTS_FUNCTIONS_FUNCTIONS_H */
