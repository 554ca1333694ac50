/*
 * time_bucket.c - the start of the bucket that a time, date or integer lies in.
 *
 * Buckets are half-open, [start, start + width), and begin at origin + k * width for every integer k, so that a value
 * before the origin is rounded down as well. A width is either a fixed span (days of 24 hours, hours, ...) or a number
 * of calendar months; both at once have no meaning and are refused. Infinite values are their own bucket.
 *
 * SQL decides by the number of arguments whether there is an origin; all functions are STRICT.
 */
#include "postgres.h"

#include "common/int.h"
#include "fmgr.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "pg/functions/functions.h"

PG_FUNCTION_INFO_V1(nts_time_bucket_timestamp);
PG_FUNCTION_INFO_V1(nts_time_bucket_timestamptz_zone);
PG_FUNCTION_INFO_V1(nts_time_bucket_date);
PG_FUNCTION_INFO_V1(nts_time_bucket_int2);
PG_FUNCTION_INFO_V1(nts_time_bucket_int4);
PG_FUNCTION_INFO_V1(nts_time_bucket_int8);

/* Default origins, in days since 2000-01-01: a Monday, so that 7 days are a week, and for months a January. */
#define DEFAULT_ORIGIN_DAY 2
#define DEFAULT_ORIGIN_DAY_OF_MONTHS 0

/* A width as calculations need it: months > 0 and nothing else, or days >= 0 and 0 <= rest_us < 1 day, not both 0. */
typedef struct Width
{
	int32		months;
	int64		days;
	int64		rest_us;
} Width;

static char *
interval_text(const Interval *interval)
{
	return DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(interval)));
}

/* Raises 22023 unless the width is positive, 0A000 if months stand beside days or time. */
static Width
width_of(const Interval *interval)
{
	Width		width = {.months = interval->month};

	width.days = interval->day + interval->time / USECS_PER_DAY;
	width.rest_us = interval->time % USECS_PER_DAY;
	if (width.rest_us < 0)
	{
		width.days--;
		width.rest_us += USECS_PER_DAY;
	}
	if (width.months != 0 && (interval->day != 0 || interval->time != 0))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("time_bucket width \"%s\" has both months and days or time", interval_text(interval)),
				 errhint("Months differ in length: use whole months, or days and time.")));
	if (width.months < 0 || (width.months == 0 && (width.days < 0 || (width.days == 0 && width.rest_us == 0))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time_bucket width must be greater than zero, not \"%s\"", interval_text(interval))));
	return width;
}

static void
origin_infinite(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("time_bucket origin must be finite")));
}

static void
timestamp_out_of_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("timestamp out of range")));
}

static void
date_out_of_range(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("date out of range")));
}

/* The remainder that is not negative; divisor > 0. */
static inline int64
floor_mod(int64 value, int64 divisor)
{
	int64		rest = value % divisor;

	return rest < 0 ? rest + divisor : rest;
}

/* The largest origin + k * width <= value, width > 0; false: it is below int64. value - origin may lie beyond int64. */
static inline bool
floor_to_width(int64 value, int64 width, int64 origin, int64 *start)
{
	int64		above = floor_mod(value, width) - floor_mod(origin, width);

	if (above < 0)
		above += width;
	return !pg_sub_s64_overflow(value, above, start);
}

/*
 * The largest origin + k * months <= the moment, where the day of the origin becomes the last of a shorter month, as
 * timestamp + interval has it. A moment is a Julian day and a time of the day; the start's time is the origin's.
 * Returns the start's Julian day; below 0 it is out of range.
 */
static int
floor_to_months(int32 months, int day, int64 time_us, int origin_day, int64 origin_time_us)
{
	int			year,
				month,
				mday,
				origin_year,
				origin_month,
				origin_mday;
	int64		distance,
				start_month;

	j2date(day, &year, &month, &mday);
	j2date(origin_day, &origin_year, &origin_month, &origin_mday);
	distance = (int64) (year - origin_year) * MONTHS_PER_YEAR + (month - origin_month);
	/* a bucket that begins in the moment's own month may begin after the moment; then it is the one before */
	start_month = (int64) year * MONTHS_PER_YEAR + (month - 1) - floor_mod(distance, months);
	for (;;)
	{
		int64		start_year = (start_month - floor_mod(start_month, MONTHS_PER_YEAR)) / MONTHS_PER_YEAR;
		int			month_index = (int) floor_mod(start_month, MONTHS_PER_YEAR);
		int			start_day;

		if (start_year < JULIAN_MINYEAR)
			return -1;
		start_day = date2j((int) start_year, month_index + 1,
						   Min(origin_mday, day_tab[isleap(start_year)][month_index]));
		if (start_day < day || (start_day == day && origin_time_us <= time_us))
			return start_day;
		start_month -= months;
	}
}

/* For times without a zone, and for those with one in UTC. */
static Timestamp
bucket_timestamp(const Width *width, Timestamp moment, const Timestamp *given_origin)
{
	Timestamp	origin,
				start;

	if (given_origin != NULL)
		origin = *given_origin;
	else
		origin = (width->months > 0 ? DEFAULT_ORIGIN_DAY_OF_MONTHS : DEFAULT_ORIGIN_DAY) * USECS_PER_DAY;
	if (TIMESTAMP_NOT_FINITE(origin))
		origin_infinite();
	if (TIMESTAMP_NOT_FINITE(moment))
		return moment;

	if (width->months > 0)
	{
		int64		time_us = floor_mod(moment, USECS_PER_DAY);
		int64		origin_time_us = floor_mod(origin, USECS_PER_DAY);
		int			day = floor_to_months(width->months,
										  (int) ((moment - time_us) / USECS_PER_DAY) + POSTGRES_EPOCH_JDATE, time_us,
										  (int) ((origin - origin_time_us) / USECS_PER_DAY) + POSTGRES_EPOCH_JDATE,
										  origin_time_us);

		if (day < 0)
			timestamp_out_of_range();
		start = (int64) (day - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY + origin_time_us;
	}
	else
	{
		int64		width_us;

		if (pg_mul_s64_overflow(width->days, USECS_PER_DAY, &width_us) ||
			pg_add_s64_overflow(width_us, width->rest_us, &width_us))
			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("interval out of range")));
		if (!floor_to_width(moment, width_us, origin, &start))
			timestamp_out_of_range();
	}
	if (!IS_VALID_TIMESTAMP(start))
		timestamp_out_of_range();
	return start;
}

/* time_bucket(interval, timestamp [, timestamp]), and with timestamptz, which is the same in UTC. */
Datum
nts_time_bucket_timestamp(PG_FUNCTION_ARGS)
{
	Width		width = width_of(PG_GETARG_INTERVAL_P(0));
	Timestamp	origin = PG_NARGS() > 2 ? PG_GETARG_TIMESTAMP(2) : 0;

	PG_RETURN_TIMESTAMP(bucket_timestamp(&width, PG_GETARG_TIMESTAMP(1), PG_NARGS() > 2 ? &origin : NULL));
}

static Timestamp
to_local(Datum zone, TimestampTz moment)
{
	return DatumGetTimestamp(DirectFunctionCall2(timestamptz_zone, zone, TimestampTzGetDatum(moment)));
}

/*
 * The moment at which a bucket of less than a day begins that begins at local_start and that moment lies in, when
 * timestamp_zone puts the start after the moment. Either local_start comes twice, then it is the first of them, with
 * the offset that the moment has; or never, then the bucket begins when clocks move over it.
 */
static TimestampTz
start_near_change(Datum zone, TimestampTz moment, Timestamp local, Timestamp local_start)
{
	int64		offset_us = local - moment;
	TimestampTz before = local_start - offset_us;

	if (!IS_VALID_TIMESTAMP(before))
		timestamp_out_of_range();
	if (to_local(zone, before) == local_start)
		return before;
	while (moment - before > 1)
	{
		TimestampTz middle = before + (moment - before) / 2;

		if (to_local(zone, middle) - middle == offset_us)
			moment = middle;
		else
			before = middle;
	}
	return moment;
}

/*
 * time_bucket(interval, timestamptz, timezone [, timestamptz]): buckets of local time. A local start that does not
 * exist or comes twice becomes what timestamp_zone makes of it, as in date_trunc; but buckets of less than a day never
 * begin after the moment, so that the hour that comes twice stays two buckets of one hour.
 */
Datum
nts_time_bucket_timestamptz_zone(PG_FUNCTION_ARGS)
{
	Width		width = width_of(PG_GETARG_INTERVAL_P(0));
	TimestampTz moment = PG_GETARG_TIMESTAMPTZ(1);
	Datum		zone = PG_GETARG_DATUM(2);
	bool		has_origin = PG_NARGS() > 3;
	Timestamp	origin = has_origin ? to_local(zone, PG_GETARG_TIMESTAMPTZ(3)) : 0;
	Timestamp	local = to_local(zone, moment);
	Timestamp	local_start = bucket_timestamp(&width, local, has_origin ? &origin : NULL);
	TimestampTz start;

	if (TIMESTAMP_NOT_FINITE(moment))
		PG_RETURN_TIMESTAMPTZ(moment);
	start = DatumGetTimestampTz(DirectFunctionCall2(timestamp_zone, zone, TimestampGetDatum(local_start)));
	if (start > moment && width.months == 0 && width.days == 0)
		start = start_near_change(zone, moment, local, local_start);
	PG_RETURN_TIMESTAMPTZ(start);
}

/* time_bucket(interval, date [, date]): the day on which the bucket begins that the date's first moment lies in. */
Datum
nts_time_bucket_date(PG_FUNCTION_ARGS)
{
	Width		width = width_of(PG_GETARG_INTERVAL_P(0));
	DateADT		date = PG_GETARG_DATEADT(1);
	DateADT		origin;
	int64		start;

	if (PG_NARGS() > 2)
		origin = PG_GETARG_DATEADT(2);
	else
		origin = width.months > 0 ? DEFAULT_ORIGIN_DAY_OF_MONTHS : DEFAULT_ORIGIN_DAY;
	if (DATE_NOT_FINITE(origin))
		origin_infinite();
	if (DATE_NOT_FINITE(date))
		PG_RETURN_DATEADT(date);

	if (width.months > 0)
	{
		int			day = floor_to_months(width.months, date + POSTGRES_EPOCH_JDATE, 0,
										  origin + POSTGRES_EPOCH_JDATE, 0);

		if (day < 0)
			date_out_of_range();
		start = day - POSTGRES_EPOCH_JDATE;
	}
	else if (width.rest_us == 0)
	{
		/* without timestamps, whose range is the smaller one */
		if (!floor_to_width(date, width.days, origin, &start) || start < DATETIME_MIN_JULIAN - POSTGRES_EPOCH_JDATE)
			date_out_of_range();
	}
	else
	{
		Timestamp	origin_us = DatumGetTimestamp(DirectFunctionCall1(date_timestamp, DateADTGetDatum(origin)));
		Timestamp	date_us = DatumGetTimestamp(DirectFunctionCall1(date_timestamp, DateADTGetDatum(date)));
		Timestamp	start_us = bucket_timestamp(&width, date_us, &origin_us);

		PG_RETURN_DATUM(DirectFunctionCall1(timestamp_date, TimestampGetDatum(start_us)));
	}
	PG_RETURN_DATEADT((DateADT) start);
}

/* For all integer types; what names the type and min is its least value. */
static int64
bucket_integer(int64 width, int64 value, int64 origin, int64 min, const char *what)
{
	int64		start;

	if (width <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time_bucket width must be greater than zero, not %lld", (long long) width)));
	if (!floor_to_width(value, width, origin, &start) || start < min)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("%s out of range", what)));
	return start;
}

Datum
nts_time_bucket_int2(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT16((int16) bucket_integer(PG_GETARG_INT16(0), PG_GETARG_INT16(1),
										   PG_NARGS() > 2 ? PG_GETARG_INT16(2) : 0, PG_INT16_MIN, "smallint"));
}

Datum
nts_time_bucket_int4(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32((int32) bucket_integer(PG_GETARG_INT32(0), PG_GETARG_INT32(1),
										   PG_NARGS() > 2 ? PG_GETARG_INT32(2) : 0, PG_INT32_MIN, "integer"));
}

Datum
nts_time_bucket_int8(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(bucket_integer(PG_GETARG_INT64(0), PG_GETARG_INT64(1),
								   PG_NARGS() > 2 ? PG_GETARG_INT64(2) : 0, PG_INT64_MIN, "bigint"));
}
