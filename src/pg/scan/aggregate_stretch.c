/*
 * aggregate_stretch.c - the values of bucket expressions (aggregate_bucket.c).
 *
 * The executor evaluates the expression at one input; from its steps follows a *stretch* of inputs around that give the
 * same. A stretch may be shorter than the bucket, never longer: changes of a zone's offset and the ends of months bound
 * it. date_bin and time_bucket from the origin on need no call at all.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "pgtime.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "pg/scan/aggregate.h"
#include "pg/scan/aggregate_bucket.h"

/* Inputs in [begin, end). */
typedef struct Stretch
{
	int64		begin;
	int64		end;
} Stretch;

/* ---- steps ---- */

static int64
floor_mod(int64 value, int64 divisor)
{
	int64		rest = value % divisor;

	return rest < 0 ? rest + divisor : rest;
}

/* false: it does not lie within int64. */
static bool
floor_stretch(const NtsStep *step, int64 value, Stretch *stretch)
{
	int64		above = floor_mod(value, step->width) - floor_mod(step->origin, step->width);

	if (above < 0)
		above += step->width;
	if (pg_sub_s64_overflow(value, above, &stretch->begin) ||
		pg_add_s64_overflow(stretch->begin, step->width, &stretch->end))
		return false;
	if (step->border_unsure && value < step->origin)
	{
		if (value == stretch->begin)
			return false;
		stretch->begin++;
	}
	return true;
}

static bool
divide_stretch(const NtsStep *step, int64 value, Stretch *stretch)
{
	int64		rest = value % step->width;
	int64		multiple = value - rest;

	if (value > -step->width && value < step->width)
	{
		stretch->begin = 1 - step->width;
		stretch->end = step->width;
		return true;
	}
	if (value > 0)
	{
		stretch->begin = multiple;
		return !pg_add_s64_overflow(multiple, step->width, &stretch->end);
	}
	stretch->end = multiple + 1;
	return !pg_sub_s64_overflow(multiple + 1, step->width, &stretch->begin);
}

/* Of the month that begins `months` after 0000-01-01: its first moment, and the day and time of the origin in it. */
static int64
month_start(int64 months)
{
	return (int64) (date2j((int) (months / MONTHS_PER_YEAR), (int) (months % MONTHS_PER_YEAR) + 1, 1) -
					POSTGRES_EPOCH_JDATE) * USECS_PER_DAY;
}

/* A month of local time, cut where buckets from the origin may begin in it. */
static bool
month_stretch(const NtsStep *step, int64 local, Stretch *stretch)
{
	int			year,
				month,
				day;
	int64		months;
	int64		cut;
	int64		length;

	j2date((int) ((local - floor_mod(local, USECS_PER_DAY)) / USECS_PER_DAY) + POSTGRES_EPOCH_JDATE,
		   &year, &month, &day);
	if (year < 1)
		return false;
	months = (int64) year * MONTHS_PER_YEAR + month - 1;
	stretch->begin = month_start(months);
	stretch->end = month_start(months + 1);
	length = (stretch->end - stretch->begin) / USECS_PER_DAY;
	j2date((int) ((step->origin - floor_mod(step->origin, USECS_PER_DAY)) / USECS_PER_DAY) + POSTGRES_EPOCH_JDATE,
		   &year, &month, &day);
	cut = stretch->begin + (Min(day, length) - 1) * USECS_PER_DAY + floor_mod(step->origin, USECS_PER_DAY);
	if (local < cut)
		stretch->end = cut;
	else
		stretch->begin = cut;
	return true;
}

/* In what the step sees: an integer, a time without a zone, a local time. */
static bool
plain_stretch(const NtsStep *step, int64 value, Stretch *stretch)
{
	bool		known = false;

	if (value < step->from || value >= step->to)
		return false;
	switch (step->kind)
	{
		case NTS_STEP_FLOOR:
			known = floor_stretch(step, value, stretch);
			break;
		case NTS_STEP_MONTHS:
			known = month_stretch(step, value, stretch);
			break;
		case NTS_STEP_DIVIDE:
			known = divide_stretch(step, value, stretch);
			break;
	}
	if (!known)
		return false;
	stretch->begin = Max(stretch->begin, step->from);
	stretch->end = Min(stretch->end, step->to);
	return true;
}

/* ---- zones ---- */

/* The offset from UTC that a zone has at a time, and until when; false: not known. */
static bool
find_offset(const pg_tz *zone, int64 time, int64 *offset, int64 *until)
{
	pg_time_t	seconds = timestamptz_to_time_t(time - floor_mod(time, USECS_PER_SEC));
	pg_time_t	boundary;
	long		before;
	long		after;
	int			before_dst;
	int			after_dst;
	int			found = pg_next_dst_boundary(&seconds, &before, &before_dst, &boundary, &after, &after_dst, zone);

	if (found < 0)
		return false;
	*offset = before * USECS_PER_SEC;
	*until = found > 0 ? time_t_to_timestamptz(boundary) : PG_INT64_MAX;
	return true;
}

/* Of moments, that the zone shows as local times of one stretch, all with the same offset. */
static bool
zoned_stretch(const NtsStep *step, int64 time, Stretch *stretch)
{
	const pg_tz *zone = step->zone != NULL ? step->zone : session_timezone;
	int64		offset;
	int64		until;
	int64		first_offset;
	int64		first_until;

	/* far away sums might overflow; infinity is no time */
	if (time <= MIN_TIMESTAMP / 2 || time >= END_TIMESTAMP / 2 || !find_offset(zone, time, &offset, &until) ||
		!plain_stretch(step, time + offset, stretch))
		return false;
	stretch->begin -= offset;
	stretch->end = Min(stretch->end - offset, until);
	/* another offset may have been in use at its start */
	if (stretch->begin <= MIN_TIMESTAMP / 2 || !find_offset(zone, stretch->begin, &first_offset, &first_until) ||
		first_offset != offset || first_until != until)
		stretch->begin = time;
	return true;
}

/* ---- stretches of steps and of expressions ---- */

static bool
same_at(NtsAggVectors *vectors, NtsAggVector *vector, const NtsStep *step, int64 a, int64 b)
{
	bool		a_isnull;
	bool		b_isnull;
	Datum		a_value = nts_agg_vector_evaluate(vectors, vector, step->state, (Datum) a, false, &a_isnull);
	Datum		b_value = nts_agg_vector_evaluate(vectors, vector, step->state, (Datum) b, false, &b_isnull);

	return a_isnull == b_isnull && (a_isnull || a_value == b_value);
}

static Stretch
step_stretch(NtsAggVectors *vectors, NtsAggVector *vector, const NtsStep *step, int64 value)
{
	Stretch		none = {value, value};
	Stretch		stretch;
	bool		known = step->zoned ? zoned_stretch(step, value, &stretch) : plain_stretch(step, value, &stretch);

	if (!known)
		return none;
	if (!step->check_ends || same_at(vectors, vector, step, stretch.begin, stretch.end - 1))
		return stretch;
	/* a half may have been rounded to the even number below */
	if (value > stretch.begin && same_at(vectors, vector, step, stretch.begin + 1, stretch.end - 1))
	{
		stretch.begin++;
		return stretch;
	}
	return none;
}

/* Of the expression: where all steps give the same as for `value`; empty: that is all that is known. */
static Stretch
find_stretch(NtsAggVectors *vectors, NtsAggVector *vector, int64 value)
{
	const NtsBucket *bucket = vector->bucket;
	Stretch		all = {PG_INT64_MIN, PG_INT64_MAX};

	for (int i = 0; i < bucket->step_count && all.begin < all.end; i++)
	{
		Stretch		stretch = step_stretch(vectors, vector, &bucket->steps[i], value);

		all.begin = Max(all.begin, stretch.begin);
		all.end = Min(all.end, stretch.end);
	}
	return all;
}

/* Evaluates the expression and sets the stretch. */
static void
evaluate(NtsAggVectors *vectors, NtsAggVector *vector, int64 value)
{
	NtsBucket  *bucket = vector->bucket;
	Stretch		stretch;

	/* nothing, if it fails */
	bucket->begin = bucket->end = value;
	bucket->value = nts_agg_vector_evaluate(vectors, vector, vector->state, (Datum) value, false, &bucket->isnull);
	stretch = find_stretch(vectors, vector, value);
	bucket->begin = stretch.begin;
	bucket->end = stretch.end;
}

void
nts_bucket_prepare(NtsAggVectors *vectors, NtsAggVector *vector)
{
	NtsBucket  *bucket = vector->bucket;

	for (int i = 0; i < bucket->step_count; i++)
		if (bucket->steps[i].check_ends)
			bucket->steps[i].state = nts_agg_vector_compile(vectors, vector, bucket->steps[i].expr);
}

/* ---- vectors ---- */

static void
fill_null(NtsAggVectors *vectors, NtsAggVector *vector, uint32 i)
{
	NtsBucket  *bucket = vector->bucket;

	if (!bucket->null_known)
		bucket->null_value = nts_agg_vector_evaluate(vectors, vector, vector->state, (Datum) 0, true,
													 &bucket->null_isnull);
	bucket->null_known = true;
	vector->own_values[i] = bucket->null_value;
	vector->own_nulls[i] = bucket->null_isnull;
}

/* As an int64, whose upper bits a default leaves as PostgreSQL has them. */
static inline int64
input_word(const NtsAggVector *input, uint32 i)
{
	switch (input->typlen)
	{
		case 2:
			return DatumGetInt16(input->values[i]);
		case 4:
			return DatumGetInt32(input->values[i]);
		default:
			return DatumGetInt64(input->values[i]);
	}
}

/*
 * Makes the bucket's stretch that of a value; without calling the executor where it is plain arithmetic. false: the
 * value is all that is known to be in it.
 */
static bool
enter_stretch(NtsAggVectors *vectors, NtsAggVector *vector, const NtsAggVector *input, int64 value)
{
	NtsBucket  *bucket = vector->bucket;
	const NtsStep *step = &bucket->steps[0];
	int64		distance;

	if (value >= bucket->begin && value < bucket->end)
		return true;
	if (bucket->is_start && input->typlen == 8 && value >= step->origin && value < step->to &&
		!pg_sub_s64_overflow(value, step->origin, &distance))
	{
		/* in the bucket behind a whole one, as it is mostly, no division is needed */
		bool		is_next = value >= bucket->end &&
			(uint64) bucket->end - (uint64) bucket->begin == (uint64) step->width &&
			(uint64) value - (uint64) bucket->end < (uint64) step->width;

		bucket->begin = is_next ? bucket->end : value - distance % step->width;
		bucket->end = (int64) ((uint64) bucket->begin +
							   Min((uint64) step->width, (uint64) step->to - (uint64) bucket->begin));
		bucket->value = Int64GetDatum(bucket->begin);
		bucket->isnull = false;
		return true;
	}
	evaluate(vectors, vector, value);
	return value >= bucket->begin && value < bucket->end;
}

/* Where words from i on reach `end`: regular ones as many rows later as those of the bucket before, or it is searched for. */
static inline uint32
end_of_rows(const int64 *words, uint32 i, uint32 count, int64 end, uint32 before)
{
	uint32		guess = Min(i + before, count);

	if (guess > i && words[guess - 1] < end && (guess == count || words[guess] >= end))
		return guess;
	return i + (uint32) nts_count_below((const uint64 *) words + i, count - i, end);
}

/* Of words in ascending order, without NULLs: a search for where each bucket ends. */
static void
fill_ascending(NtsAggVectors *vectors, NtsAggVector *vector, const NtsAggVector *input, uint32 count)
{
	NtsBucket  *bucket = vector->bucket;
	const int64 *words = (const int64 *) input->values;
	Datum	   *values = vector->own_values;
	uint32		rows = 0;
	int			changes = 0;

	for (uint32 i = 0; i < count;)
	{
		uint32		end = i + 1;
		Datum		value;

		if (enter_stretch(vectors, vector, input, words[i]))
			end = end_of_rows(words, i, count, bucket->end, rows);
		rows = end - i;
		if (i > 0)
			vector->changes[changes++] = i;
		if (bucket->isnull)
			memset(vector->own_nulls + i, 1, rows);
		value = bucket->value;
		while (i < end)
			values[i++] = value;
	}
	vector->change_count = changes;
	vector->uniform = changes == 0;
}

void
nts_bucket_fill(NtsAggVectors *vectors, NtsAggVector *vector, const NtsAggVector *input, uint32 count)
{
	NtsBucket  *bucket = vector->bucket;
	const NtsStep *step = &bucket->steps[0];
	uint32		i = 0;

	/* results by reference last as long as a selection */
	if (!vector->typbyval)
	{
		bucket->begin = bucket->end = 0;
		bucket->null_known = false;
	}
	memset(vector->own_nulls, 0, count);
	if (input->nulls == NULL && input->typlen == 8 &&
		(input->ascends || nts_is_ascending((const uint64 *) input->values, count)))
	{
		fill_ascending(vectors, vector, input, count);
		return;
	}
	vector->change_count = -1;
	while (i < count)
	{
		int64		value;

		/* infinity stays what it is; what the words of NULLs become does not matter */
		if (bucket->is_start && input->typlen == 8)
		{
			uint32		first = i;

			i += nts_floor_buckets((const uint64 *) input->values + i, count - i, step->origin, step->to, step->width,
								   (uint64 *) vector->own_values + i);
			if (input->nulls != NULL)
				for (uint32 k = first; k < i; k++)
					if (input->nulls[k])
						fill_null(vectors, vector, k);
			if (i == count)
				break;
		}
		value = input_word(input, i);
		if (input->nulls != NULL && input->nulls[i])
			fill_null(vectors, vector, i);
		else
		{
			if (value < bucket->begin || value >= bucket->end)
				evaluate(vectors, vector, value);
			vector->own_values[i] = bucket->value;
			vector->own_nulls[i] = bucket->isnull;
		}
		i++;
	}
}

bool
nts_bucket_constant(NtsAggVectors *vectors, NtsAggVector *vector, int64 min, int64 max, Datum *value, bool *isnull)
{
	NtsBucket  *bucket = vector->bucket;

	/* results by reference do not last */
	if (!vector->typbyval)
		evaluate(vectors, vector, min);
	else
		(void) enter_stretch(vectors, vector, &vectors->vectors[vector->input], min);
	*value = bucket->value;
	*isnull = bucket->isnull;
	return min == max || (min >= bucket->begin && max < bucket->end);
}

bool
nts_bucket_at(NtsAggVectors *vectors, NtsAggVector *vector, int64 input, Datum *value, bool *isnull, int64 *end)
{
	NtsBucket  *bucket = vector->bucket;

	if (!enter_stretch(vectors, vector, &vectors->vectors[vector->input], input))
		return false;
	*value = bucket->value;
	*isnull = bucket->isnull;
	*end = bucket->end;
	return true;
}

void
nts_bucket_stretch(NtsAggVectors *vectors, NtsAggVector *vector, int64 value, int64 *begin, int64 *end)
{
	Stretch		stretch = find_stretch(vectors, vector, value);

	*begin = stretch.begin;
	*end = stretch.end;
}
