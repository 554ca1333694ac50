/*
 * aggregate_exact.c - sums, averages and variances that PostgreSQL makes with numeric: of numerics, and variances of ints.
 *
 * Numbers are added up as integers of 128 bits at a common scale (the core's NtsExactSums), which is exact, as
 * PostgreSQL's accumulators are. Of numbers that do not fit there, infinities and NaN the *rest* is made: a state of the
 * aggregate's own transition function. At the end the sums become such a state as well, through the form in which
 * parallel workers hand over theirs; the aggregate's functions combine the two and make the result.
 */
#include "postgres.h"

#include "libpq/pqformat.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "pg/scan/aggregate.h"

#define BATCH 128				/* numerics */

/* The form in which numbers stand in a serialized state (numeric.c, numericvar_serialize). */
#define BASE 10000
#define BASE_DIGITS 4
#define NEGATIVE 0x4000
#define MAX_BASE_DIGITS 12		/* of 2^127, and one more for the scale */

typedef struct NtsAggExact
{
	NtsExactSums sums;
	NtsAggState rest;
	bool		has_rest;
} NtsAggExact;

bool
nts_agg_is_exact(NtsAggKind kind)
{
	return kind == NTS_AGG_SUM_NUMERIC || kind == NTS_AGG_SQUARES_NUMERIC || kind == NTS_AGG_SQUARES_INT ||
		kind == NTS_AGG_SQUARES_INT8;
}

Size
nts_agg_exact_size(void)
{
	return sizeof(NtsAggExact) + 2 * sizeof(void *);
}

void
nts_agg_exact_start(const NtsAggregate *aggregate, NtsAggState *state)
{
	state->exact = MemoryContextAllocZero(aggregate->memory, sizeof(NtsAggExact));
}

/* ---- rows ---- */

static void
add_to_rest(NtsAggregate *aggregate, const NtsAggVectors *vectors, NtsAggExact *exact, uint32 row)
{
	if (!exact->has_rest)
		nts_agg_call_start(aggregate->call, &exact->rest);
	exact->has_rest = true;
	nts_agg_call_advance(aggregate, vectors, &exact->rest, row, 1);
}

/* Up to BATCH numerics from *row on that count; moves *row behind them. */
static size_t
gather(const NtsAggregate *aggregate, const NtsAggVectors *vectors, uint32 *row, uint32 end, NtsSlice *slices,
	   uint32 *rows)
{
	const NtsAggVector *vector = &vectors->vectors[aggregate->args[0]];
	size_t		count = 0;

	for (; *row < end && count < BATCH; (*row)++)
	{
		const char *value = DatumGetPointer(vector->values[*row]);

		/* of min and max, which are called otherwise, `skip` knows the filter alone */
		if ((aggregate->skip != NULL && aggregate->skip[*row]) || (vector->nulls != NULL && vector->nulls[*row]))
			continue;
		slices[count].bytes = (const uint8_t *) VARDATA_ANY(value);
		slices[count].length = VARSIZE_ANY_EXHDR(value);
		rows[count++] = *row;
	}
	return count;
}

static void
advance_numerics(NtsAggregate *aggregate, const NtsAggVectors *vectors, NtsAggExact *exact, uint32 first, uint32 count)
{
	bool		squares = aggregate->kind == NTS_AGG_SQUARES_NUMERIC;
	uint32		row = first;

	while (row < first + count)
	{
		NtsSlice	slices[BATCH];
		uint32		rows[BATCH];
		size_t		found = gather(aggregate, vectors, &row, first + count, slices, rows);

		for (size_t done = 0; done < found; done++)
		{
			done += nts_sum_numerics(slices + done, found - done, squares, &exact->sums);
			if (done < found)
				add_to_rest(aggregate, vectors, exact, rows[done]);
		}
	}
}

static void
advance_ints(NtsAggregate *aggregate, const NtsAggVectors *vectors, NtsAggExact *exact, uint32 first, uint32 count)
{
	const uint64 *words = (const uint64 *) vectors->vectors[aggregate->args[0]].values;
	const uint8 *skip = aggregate->skip;

	for (uint32 row = first; row < first + count; row++)
	{
		row += nts_sum_squares(words + row, skip == NULL ? NULL : skip + row, first + count - row, &exact->sums);
		if (row < first + count)
			add_to_rest(aggregate, vectors, exact, row);
	}
}

void
nts_agg_exact_advance(NtsAggregate *aggregate, const NtsAggVectors *vectors, NtsAggState *state, uint32 first,
					  uint32 count)
{
	if (aggregate->kind == NTS_AGG_SUM_NUMERIC || aggregate->kind == NTS_AGG_SQUARES_NUMERIC)
		advance_numerics(aggregate, vectors, state->exact, first, count);
	else
		advance_ints(aggregate, vectors, state->exact, first, count);
}

/*
 * min, max of numerics: of a run only the one goes to the aggregate's function that would come out, the last of equal
 * ones.
 */
void
nts_agg_extreme_advance(NtsAggregate *aggregate, const NtsAggVectors *vectors, NtsAggState *state, uint32 first,
						uint32 count)
{
	uint32		row = first;

	while (row < first + count)
	{
		NtsSlice	slices[BATCH];
		uint32		rows[BATCH];
		size_t		found = gather(aggregate, vectors, &row, first + count, slices, rows);
		size_t		done = 0;

		while (done < found)
		{
			size_t		place = 0;
			size_t		looked = nts_extreme_numeric(slices + done, found - done, aggregate->is_greatest, &place);

			nts_agg_call_advance(aggregate, vectors, state, rows[done + place], 1);
			done += Max(looked, 1);
		}
	}
}

/* ---- results ---- */

static uint128
wide(const NtsWideSum *sum)
{
	return ((uint128) (uint64) sum->high << 64) | sum->low;
}

/* Takes the last digits (to base 10) off a number. */
static int
take_digits(uint128 *number, int digits)
{
	int			unit = 1;
	int			result;

	while (digits-- > 0)
		unit *= 10;
	result = (int) (*number % unit);
	*number /= unit;
	return result;
}

/* number / 10^scale */
static void
send_number(StringInfo buffer, const NtsWideSum *number, uint32 scale)
{
	bool		negative = number->high < 0;
	uint128		rest = negative ? -wide(number) : wide(number);
	int			groups = (scale + BASE_DIGITS - 1) / BASE_DIGITS;	/* behind the point */
	int			filled = groups * BASE_DIGITS - scale;	/* zeros that make the last one full */
	int			digits[MAX_BASE_DIGITS];
	int			count = 0;

	if (rest != 0 && filled > 0)
	{
		digits[count] = take_digits(&rest, BASE_DIGITS - filled);
		while (filled-- > 0)
			digits[count] *= 10;
		count++;
	}
	while (rest != 0)
		digits[count++] = take_digits(&rest, BASE_DIGITS);
	pq_sendint32(buffer, count);
	pq_sendint32(buffer, count == 0 ? 0 : count - 1 - groups);
	pq_sendint32(buffer, negative ? NEGATIVE : 0);
	pq_sendint32(buffer, scale);
	for (int i = count; i-- > 0;)
		pq_sendint16(buffer, digits[i]);
}

/* What numeric_avg_serialize, numeric_serialize or numeric_poly_serialize would make of such a state. */
static bytea *
serialize(NtsAggKind kind, const NtsExactSums *sums)
{
	StringInfoData buffer;

	pq_begintypsend(&buffer);
	pq_sendint64(&buffer, sums->count);
	send_number(&buffer, &sums->sum, sums->scale);
	if (kind != NTS_AGG_SUM_NUMERIC)
		send_number(&buffer, &sums->squares, 2 * sums->scale);
	if (kind != NTS_AGG_SQUARES_INT)
	{
		pq_sendint32(&buffer, sums->scale);
		pq_sendint64(&buffer, sums->scale_count);
		for (int i = 0; i < 3; i++)
			pq_sendint64(&buffer, 0);	/* NaN, infinities */
	}
	return pq_endtypsend(&buffer);
}

Datum
nts_agg_exact_finish(NtsAggregate *aggregate, const NtsAggState *state, bool *isnull)
{
	NtsAggExact *exact = state->exact;
	NtsAggState whole = {0};

	if (exact->sums.count == 0)
	{
		if (exact->has_rest)
			return nts_agg_call_finish(aggregate->call, &exact->rest, isnull);
		*isnull = true;
		return (Datum) 0;
	}
	whole.call.value = nts_agg_call_restore(aggregate->call, serialize(aggregate->kind, &exact->sums),
											exact->has_rest ? &exact->rest : NULL);
	return nts_agg_call_finish(aggregate->call, &whole, isnull);
}
