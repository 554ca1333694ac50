/*
 * filter_bucket.h - inside of this room: conditions on buckets of a column, such as ts::date = '2026-01-01'.
 */
#ifndef NTS_SCAN_FILTER_BUCKET_H
#define NTS_SCAN_FILTER_BUCKET_H

#include "postgres.h"

#include "nodes/execnodes.h"

#include "pg/scan/filter.h"

typedef struct NtsFilterBucket NtsFilterBucket;

/* The column of which an expression is a bucket and nothing more, so that it can hardly fail; or NULL. */
extern Var *nts_filter_bucket_column(Node *expr);
/* clause: a comparison of the bucket with a constant, NULL of NULL; lives in the current memory context. */
extern NtsFilterBucket *nts_filter_bucket_make(Expr *clause, Expr *bucket, ScanState *parent);
/* Constants have changed. */
extern void nts_filter_bucket_forget(NtsFilterBucket *filter);
/* Of a value that is not NULL. */
extern bool nts_filter_bucket_passes(NtsFilterBucket *filter, int64 value);
/* Of values from min to max, none of them NULL. Evaluates nothing where a value may be one that the functions fail for. */
extern NtsVerdict nts_filter_bucket_judge(NtsFilterBucket *filter, int64 min, int64 max);

#endif							/* NTS_SCAN_FILTER_BUCKET_H */
