/*
 * aggregate_bucket.h - what is known of an expression that cuts a time or integer column into buckets.
 */
#ifndef NTS_SCAN_AGGREGATE_BUCKET_H
#define NTS_SCAN_AGGREGATE_BUCKET_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "nodes/execnodes.h"
#include "nodes/primnodes.h"
#include "pgtime.h"

/* Beyond these times sums might overflow, and a bucket function fail for one that no row has. */
#define NTS_FIRST_TIME (MIN_TIMESTAMP / 2)
#define NTS_TIME_LIMIT (END_TIMESTAMP / 2)

/* How a *step* depends on the column: it is the same all through such an interval. */
typedef enum NtsStepKind
{
	NTS_STEP_FLOOR,				/* [origin + k * width, origin + (k + 1) * width) */
	NTS_STEP_MONTHS,			/* of the calendar; cut again at the origin's day and time of day */
	NTS_STEP_DIVIDE				/* integers that give the same when divided by width and rounded towards 0 */
} NtsStepKind;

/* A function of the column that is constant over intervals. Times are microseconds, of local time with a zone. */
typedef struct NtsStep
{
	NtsStepKind kind;
	Expr	   *expr;
	Var		   *input;
	int64		origin;
	int64		width;			/* of months: less than the shortest */
	int64		from;			/* known of inputs in [from, to) only */
	int64		to;
	bool		zoned;
	pg_tz	   *zone;			/* NULL: that of the session */
	bool		gives_start;	/* its value is the start of the interval, from the origin on */
	bool		ordered;		/* the values are starts of buckets, ordered as times are but for changes of clocks */
	bool		rising;			/* the values never fall, as those that are ordered */
	bool		counts_up;		/* nor do these, which are numbers of buckets: of what is made of them times may be ordered */
	bool		border_unsure;	/* before the origin, versions differ in what the start itself belongs to */
	bool		check_ends;		/* monotone, but rounded: an interval counts if both ends give the same */
	ExprState  *state;			/* check_ends */
} NtsStep;

#define NTS_BUCKET_MAX_STEPS 4

/* An expression that depends on the column through steps alone. */
typedef struct NtsBucket
{
	Expr	   *expr;
	Var		   *input;
	NtsStep		steps[NTS_BUCKET_MAX_STEPS];
	int			step_count;
	bool		is_start;		/* it is its only step, which gives_start */
	/* the stretch of the last call: inputs in [begin, end) give `value`; empty at first */
	int64		begin;
	int64		end;
	Datum		value;
	bool		isnull;
	/* what NULL gives */
	bool		null_known;
	Datum		null_value;
	bool		null_isnull;
} NtsBucket;

#endif							/* NTS_SCAN_AGGREGATE_BUCKET_H */
