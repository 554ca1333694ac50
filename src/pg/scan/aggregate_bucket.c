/*
 * aggregate_bucket.c - group keys that cut time into buckets: date_bin, date_trunc and time_bucket of a column.
 *
 * The value is what PostgreSQL's own function gives, at one time; from what is known of the function follows a *stretch*
 * of times around it that give the same. A stretch may be shorter than the bucket, never longer: leap days, changes of
 * a zone's offset and the ends of months bound it. date_bin of times from its origin on needs no call at all.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "nodes/primnodes.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

#include "pg/functions/functions.h"
#include "pg/scan/aggregate.h"

typedef struct NtsBucket
{
	Var		   *input;
	bool		is_bin;			/* date_bin, time_bucket; otherwise date_trunc */
	bool		zoned;			/* date_trunc in the session's time zone */
	int64		origin;			/* date_bin */
	int64		width;			/* microseconds: of every bucket (date_trunc: at least; of local time) */
	bool		fixed;			/* date_trunc: all have this width */
	/* the stretch of the last call: times in [begin, end) give `value`; empty at first */
	int64		begin;
	int64		end;
	int64		value;
} NtsBucket;

/* ---- recognition ---- */

typedef struct Unit
{
	const char *name;
	int64		width;			/* not fixed: a day less than the shortest */
	bool		fixed;
} Unit;

static const Unit units[] = {
	{"millisecond", 1000, true},
	{"milliseconds", 1000, true},
	{"second", USECS_PER_SEC, true},
	{"minute", USECS_PER_MINUTE, true},
	{"hour", USECS_PER_HOUR, true},
	{"day", USECS_PER_DAY, true},
	{"week", 7 * USECS_PER_DAY, true},
	{"month", 27 * USECS_PER_DAY, false},
	{"quarter", 89 * USECS_PER_DAY, false},
	{"year", 364 * USECS_PER_DAY, false},
};

static bool
is_plain_const(Node *node)
{
	return IsA(node, Const) && !((Const *) node)->constisnull;
}

static bool
recognize_bin(NtsBucket *bucket, List *args)
{
	Const	   *width = linitial(args);
	Const	   *origin = lthird(args);
	const Interval *interval;

	if (!is_plain_const((Node *) width) || !is_plain_const((Node *) origin) || !IsA(lsecond(args), Var))
		return false;
	interval = DatumGetIntervalP(width->constvalue);
	bucket->origin = DatumGetTimestamp(origin->constvalue);
	/* the rest is for the function to refuse */
	if (interval->month != 0 || TIMESTAMP_NOT_FINITE(bucket->origin) ||
		pg_mul_s64_overflow(interval->day, USECS_PER_DAY, &bucket->width) ||
		pg_add_s64_overflow(bucket->width, interval->time, &bucket->width) || bucket->width <= 0)
		return false;
	bucket->is_bin = true;
	bucket->input = lsecond(args);
	return true;
}

/* time_bucket of timestamps, by its C function: whatever its schema and name. Days begin on Monday, 2000-01-03. */
static bool
recognize_time_bucket(NtsBucket *bucket, const FuncExpr *call)
{
	static Const monday = {.xpr = {.type = T_Const},.constvalue = (Datum) (2 * USECS_PER_DAY)};
	FmgrInfo	function;
	int			args = list_length(call->args);

	if (args < 2 || args > 3 || call->funcid < FirstNormalObjectId || !nts_agg_is_known_function(call->funcid))
		return false;
	fmgr_info(call->funcid, &function);
	if (function.fn_addr != nts_time_bucket_timestamp)
		return false;
	return recognize_bin(bucket, list_make3(linitial(call->args), lsecond(call->args),
											args == 3 ? lthird(call->args) : (void *) &monday));
}

static bool
recognize_trunc(NtsBucket *bucket, List *args, bool zoned)
{
	Const	   *unit = linitial(args);
	char	   *name;

	if (!is_plain_const((Node *) unit) || !IsA(lsecond(args), Var))
		return false;
	name = text_to_cstring(DatumGetTextPP(unit->constvalue));
	for (int i = 0; i < (int) lengthof(units); i++)
		if (pg_strcasecmp(name, units[i].name) == 0)
		{
			bucket->width = units[i].width;
			bucket->fixed = units[i].fixed;
			bucket->zoned = zoned;
			bucket->input = lsecond(args);
			return true;
		}
	return false;
}

struct NtsBucket *
nts_bucket_recognize(Expr *expr, MemoryContext context)
{
	FuncExpr   *call = (FuncExpr *) expr;
	NtsBucket	bucket = {0};
	bool		known = false;
	NtsBucket  *result;

	if (!IsA(expr, FuncExpr))
		return NULL;
	switch (call->funcid)
	{
		case F_DATE_BIN_INTERVAL_TIMESTAMP_TIMESTAMP:
		case F_DATE_BIN_INTERVAL_TIMESTAMPTZ_TIMESTAMPTZ:
			known = recognize_bin(&bucket, call->args);
			break;
		case F_DATE_TRUNC_TEXT_TIMESTAMP:
			known = recognize_trunc(&bucket, call->args, false);
			break;
		case F_DATE_TRUNC_TEXT_TIMESTAMPTZ:
			known = recognize_trunc(&bucket, call->args, true);
			break;
		default:
			known = recognize_time_bucket(&bucket, call);
			break;
	}
	if (!known)
		return NULL;
	result = MemoryContextAlloc(context, sizeof(NtsBucket));
	*result = bucket;
	return result;
}

int64
nts_bucket_width(const struct NtsBucket *bucket)
{
	return bucket->width;
}

int64
nts_bucket_slack(const struct NtsBucket *bucket)
{
	if (!bucket->zoned)
		return 0;
	/* one is never later than its time, and starts less than a width before it */
	if (bucket->width <= USECS_PER_HOUR)
		return bucket->width;
	/* starts of local days: a clock may have been set back by a day, no zone lies further than that from another; a zone
	 * made up by its rule (it has digits) by a week each way */
	return strpbrk(pg_get_timezone_name(session_timezone), "0123456789") == NULL ? 2 * USECS_PER_DAY : 15 * USECS_PER_DAY;
}

Var *
nts_bucket_input(const struct NtsBucket *bucket)
{
	return bucket->input;
}

/* ---- stretches ---- */

/* Start of the bucket of a fixed width that a local time lies in; weeks start on Monday: 2000-01-03 is one. */
static int64
local_floor(int64 time, int64 width)
{
	int64		origin = width == 7 * USECS_PER_DAY ? 2 * USECS_PER_DAY : 0;
	int64		rest = (time - origin) % width;

	return time - (rest < 0 ? rest + width : rest);
}

/*
 * The end of the stretch that starts at `time`: of its bucket, as far as its width is known, and of the time for which
 * the zone keeps the offset that it has then.
 */
static int64
trunc_stretch_end(const NtsBucket *bucket, int64 time)
{
	int64		offset = 0;
	int64		limit = PG_INT64_MAX;
	int64		local;
	int64		start;

	if (bucket->zoned)
	{
		pg_time_t	seconds = timestamptz_to_time_t(local_floor(time, USECS_PER_SEC));
		pg_time_t	boundary;
		long		before;
		long		after;
		int			before_dst;
		int			after_dst;
		int			found = pg_next_dst_boundary(&seconds, &before, &before_dst, &boundary, &after, &after_dst,
												 session_timezone);

		if (found < 0)
			return time + 1;
		offset = before * USECS_PER_SEC;
		if (found > 0)
			limit = time_t_to_timestamptz(boundary);
	}
	local = time + offset;
	if (bucket->fixed)
		start = local_floor(local, bucket->width);
	else
	{
		/* a day less than the shortest one's: the offset at its start may have been another */
		start = bucket->value + offset;
		if (bucket->zoned && start > local)
			return time + 1;
	}
	if (local - start >= bucket->width)
		return time + 1;
	return Min(limit, start + bucket->width - offset);
}

/* Calls the function and sets the stretch. */
static void
evaluate(NtsAggVectors *vectors, NtsAggVector *vector, int64 time)
{
	NtsBucket  *bucket = vector->bucket;
	bool		isnull;

	bucket->value = DatumGetTimestamp(nts_agg_vector_evaluate(vectors, vector, TimestampGetDatum(time), &isnull));
	bucket->begin = time;
	bucket->end = TIMESTAMP_NOT_FINITE(time) ? time : time + 1;
	/* far away: sums might overflow */
	if (time <= MIN_TIMESTAMP / 2 || time >= END_TIMESTAMP / 2 || bucket->width >= END_TIMESTAMP / 2)
		return;
	if (!bucket->is_bin)
	{
		bucket->end = trunc_stretch_end(bucket, time);
		return;
	}
	/* before the origin, versions differ in which bucket a time on the border of two lies */
	if (bucket->value < time && time - bucket->value < bucket->width)
	{
		bucket->begin = bucket->value + 1;
		bucket->end = bucket->value + bucket->width;
	}
}

void
nts_bucket_fill(NtsAggVectors *vectors, NtsAggVector *vector, const Datum *times, const uint8 *nulls, uint32 count)
{
	NtsBucket  *bucket = vector->bucket;
	uint32		i = 0;

	while (i < count)
	{
		int64		time;

		if (bucket->is_bin)
		{
			/* infinity stays what it is; the words of NULLs do no harm */
			i += nts_floor_buckets((const uint64 *) times + i, count - i, bucket->origin, END_TIMESTAMP, bucket->width,
								   (uint64 *) vector->own_values + i);
			if (i == count)
				break;
		}
		time = DatumGetTimestamp(times[i]);
		if (nulls != NULL && nulls[i])
			vector->own_values[i] = (Datum) 0;
		else
		{
			if (time < bucket->begin || time >= bucket->end)
				evaluate(vectors, vector, time);
			vector->own_values[i] = TimestampGetDatum(bucket->value);
		}
		i++;
	}
}
