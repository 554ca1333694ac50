/*
 * functions.h - SQL functions that other rooms know by their C function.
 */
#ifndef NTS_FUNCTIONS_FUNCTIONS_H
#define NTS_FUNCTIONS_FUNCTIONS_H

#include "postgres.h"

#include "fmgr.h"

/* time_bucket(interval, timestamp [, origin]), with or without time zone */
extern PGDLLEXPORT Datum nts_time_bucket_timestamp(PG_FUNCTION_ARGS);

#endif							/* NTS_FUNCTIONS_FUNCTIONS_H */
