/*
 * aggregate_statistics.c - aggregates from what is stored of row groups and vectors whose rows are of one group.
 *
 * Numbers of rows and NULLs, minima, maxima and sums of integers stand in a segment's footer and chunks. Where every
 * row of a row group or vector counts, and all belong to one group, they are folded into the states, and the rows are
 * not read. All aggregates of the node must be of that kind: one that reads the rows anyway makes the others as cheap.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "port/pg_bitutils.h"
#include "utils/float.h"

#include "pg/scan/aggregate.h"
#include "pg/scan/custom_scan.h"

static bool
is_answered(const NtsAggregate *aggregate, const NtsAggVectors *vectors)
{
	if (aggregate->filter >= 0)
		return false;
	if (aggregate->distinct != NULL)
		return aggregate->kind == NTS_AGG_COUNT && vectors->vectors[aggregate->args[0]].column >= 0;
	switch (aggregate->kind)
	{
		case NTS_AGG_COUNT_ALL:
			return true;
		case NTS_AGG_COUNT:
		case NTS_AGG_SUM_INT:
		case NTS_AGG_SUM_INT8:
		case NTS_AGG_AVG_INT:
		case NTS_AGG_MIN_INT:
		case NTS_AGG_MAX_INT:
		case NTS_AGG_MIN_FLOAT4:
		case NTS_AGG_MIN_FLOAT8:
		case NTS_AGG_MAX_FLOAT4:
		case NTS_AGG_MAX_FLOAT8:
			return aggregate->nargs == 1 && vectors->vectors[aggregate->args[0]].column >= 0;
		default:
			return false;
	}
}

bool
nts_agg_statistics_may_answer(const Aggref *aggref)
{
	int			first = 0;
	NtsAggVector column = {.column = 0};
	NtsAggVectors vectors = {.vectors = &column, .count = 1};
	NtsAggregate aggregate = {.kind = nts_agg_kind(aggref), .filter = -1, .nargs = 1, .args = &first};

	/* which values there are is listed of some columns only */
	if (aggref->aggfilter != NULL || nts_agg_is_distinct(aggref))
		return false;
	if (aggregate.kind != NTS_AGG_COUNT_ALL &&
		(aggref->args == NIL || !IsA(linitial_node(TargetEntry, aggref->args)->expr, Var)))
		return false;
	return is_answered(&aggregate, &vectors);
}

bool
nts_agg_statistics_suffice(const NtsAggregate *aggregates, int count, const NtsAggVectors *vectors)
{
	for (int a = 0; a < count; a++)
		if (!is_answered(&aggregates[a], vectors))
			return false;
	return true;
}

/* Does it say what the aggregate needs? */
static bool
says_enough(const NtsAggregate *aggregate, const NtsStatistics *s)
{
	if (!s->nulls_known)
		return false;
	if (aggregate->kind == NTS_AGG_COUNT || s->null_count == s->rows)
		return true;
	if (aggregate->kind == NTS_AGG_SUM_INT || aggregate->kind == NTS_AGG_SUM_INT8 ||
		aggregate->kind == NTS_AGG_AVG_INT)
		return s->has_sum;
	return s->has_range;
}

static double
float_of(const NtsAggregate *aggregate, uint64 word)
{
	if (aggregate->kind == NTS_AGG_MIN_FLOAT4 || aggregate->kind == NTS_AGG_MAX_FLOAT4)
		return DatumGetFloat4((Datum) word);
	return DatumGetFloat8((Datum) word);
}

static void
fold(const NtsAggregate *aggregate, const NtsStatistics *s, NtsAggState *state)
{
	uint64		low;
	double		number;

	if (s->null_count == s->rows)
		return;
	state->count += s->rows - s->null_count;
	switch (aggregate->kind)
	{
		case NTS_AGG_SUM_INT:
		case NTS_AGG_SUM_INT8:
		case NTS_AGG_AVG_INT:
			low = state->sum.low + (uint64) s->sum;
			state->sum.high += (s->sum < 0 ? -1 : 0) + (low < state->sum.low ? 1 : 0);
			state->sum.low = low;
			break;
		case NTS_AGG_MIN_INT:
			state->extreme = Min(state->extreme, (int64) s->min);
			break;
		case NTS_AGG_MAX_INT:
			state->extreme = Max(state->extreme, (int64) s->max);
			break;
		case NTS_AGG_MIN_FLOAT4:
		case NTS_AGG_MIN_FLOAT8:
			number = float_of(aggregate, s->min);
			if (isnan(state->float8) || number < state->float8)
				state->float8 = number;
			break;
		case NTS_AGG_MAX_FLOAT4:
		case NTS_AGG_MAX_FLOAT8:
			number = float_of(aggregate, s->max);
			if (isnan(number) || number > state->float8)
				state->float8 = number;
			break;
		default:
			break;
	}
}

bool
nts_agg_statistics_may_change(const NtsAggregate *aggregate, const NtsStatistics *s, const NtsAggState *state)
{
	double		number;

	if (s != NULL && s->nulls_known && s->null_count == s->rows)
		return false;
	if (s == NULL || !s->has_range || state->count == 0)
		return true;
	switch (aggregate->kind)
	{
		case NTS_AGG_MIN_INT:
			return (int64) s->min < state->extreme;
		case NTS_AGG_MAX_INT:
			return (int64) s->max > state->extreme;
		case NTS_AGG_MIN_FLOAT4:
		case NTS_AGG_MIN_FLOAT8:
			number = float_of(aggregate, s->min);
			/* 0 and -0 are equal, and still two */
			return number == 0 || float8_lt(number, state->float8);
		case NTS_AGG_MAX_FLOAT4:
		case NTS_AGG_MAX_FLOAT8:
			number = float_of(aggregate, s->max);
			return number == 0 || float8_gt(number, state->float8);
		default:
			return true;
	}
}

/* A series column: rows are sorted by it, so what the first and the last row have, all have. */
static bool
constant_bytes(const NtsAggVectors *vectors, const NtsAggVector *vector, const NtsAggFacts *facts, Datum *value)
{
	const NtsKeyBounds *bounds = facts->bounds == NULL ? NULL : facts->bounds(facts->scan, vector->column);
	MemoryContext memory = vectors->econtext->ecxt_per_tuple_memory;
	char	   *copy;

	if (!nts_key_bounds_same(bounds))
		return false;
	if (vector->typlen > 0)
	{
		if (bounds->first_length != (uint32) vector->typlen)
			return false;
		*value = PointerGetDatum(bounds->first);
		return true;
	}
	copy = MemoryContextAlloc(memory, bounds->first_length + VARHDRSZ);
	SET_VARSIZE(copy, bounds->first_length + VARHDRSZ);
	memcpy(VARDATA(copy), bounds->first, bounds->first_length);
	*value = PointerGetDatum(copy);
	return true;
}

/* Another column: the only value that is listed. */
static bool
listed_constant(const NtsAggVector *vector, const NtsAggFacts *facts, Datum *value)
{
	NtsScanValues values;
	uint64		members;

	if (!facts->values(facts->scan, vector->column, &values) || values.some_null || values.count == 0)
		return false;
	members = values.members & (PG_UINT64_MAX >> (64 - values.count));
	if (members == 0 || (members & (members - 1)) != 0)
		return false;
	*value = values.values[pg_rightmost_one_pos64(members)];
	return true;
}

/* The only value that all rows have, not NULL. */
static bool
only_value(const NtsAggVectors *vectors, const NtsAggVector *vector, const NtsAggFacts *facts, Datum *value)
{
	const NtsStatistics *s;

	if (!vector->typbyval)
		return constant_bytes(vectors, vector, facts, value);
	if (vector->type == FLOAT4OID || vector->type == FLOAT8OID)
		return false;
	s = facts->statistics(facts->scan, vector->column);
	if (s == NULL || !s->nulls_known || s->null_count > 0 || !s->has_range || s->min != s->max)
		return false;
	*value = (Datum) s->min;
	return true;
}

/* Is it known which values there are? */
static bool
knows_values(const NtsAggVectors *vectors, const NtsAggVector *vector, const NtsAggFacts *facts)
{
	Datum		value;
	NtsScanValues values;

	return only_value(vectors, vector, facts, &value) || facts->values(facts->scan, vector->column, &values);
}

static void
fold_values(const NtsAggregate *aggregate, const NtsAggVectors *vectors, NtsAggState *state, const NtsAggFacts *facts)
{
	const NtsAggVector *vector = &vectors->vectors[aggregate->args[0]];
	NtsScanValues values;
	Datum		value;

	nts_agg_distinct_forget_addresses(aggregate->distinct);
	if (only_value(vectors, vector, facts, &value))
		nts_agg_distinct_count(aggregate, vectors, state, value);
	else if (facts->values(facts->scan, vector->column, &values))
		for (uint32 i = 0; i < values.count; i++)
			if ((values.members >> (i % 64)) & 1)
				nts_agg_distinct_count(aggregate, vectors, state, values.values[i]);
}

bool
nts_agg_statistics_known(const NtsAggregate *aggregates, int count, const NtsAggVectors *vectors,
						 const NtsAggFacts *facts)
{
	for (int a = 0; a < count; a++)
	{
		const NtsStatistics *s;

		if (aggregates[a].state != a || aggregates[a].kind == NTS_AGG_COUNT_ALL)
			continue;
		if (aggregates[a].distinct != NULL)
		{
			if (!knows_values(vectors, &vectors->vectors[aggregates[a].args[0]], facts))
				return false;
			continue;
		}
		s = facts->statistics(facts->scan, vectors->vectors[aggregates[a].args[0]].column);
		if (s == NULL || !says_enough(&aggregates[a], s))
			return false;
	}
	return true;
}

void
nts_agg_fold_statistics(const NtsAggregate *aggregates, int count, const NtsAggVectors *vectors, NtsAggState *states,
						const NtsAggFacts *facts)
{
	for (int a = 0; a < count; a++)
	{
		if (aggregates[a].state != a)
			continue;
		if (aggregates[a].kind == NTS_AGG_COUNT_ALL)
			states[a].count += facts->rows;
		else if (aggregates[a].distinct != NULL)
			fold_values(&aggregates[a], vectors, &states[a], facts);
		else
			fold(&aggregates[a], facts->statistics(facts->scan, vectors->vectors[aggregates[a].args[0]].column),
				 &states[a]);
	}
}

/* ---- keys ---- */

/* May be constant: a column, unless equal values differ in their bytes; a bucket. */
bool
nts_agg_keys_may_be_constant(const NtsAggVectors *vectors, const int *keys, int key_count)
{
	for (int k = 0; k < key_count; k++)
	{
		const NtsAggVector *vector = &vectors->vectors[keys[k]];

		if (vector->bucket == NULL &&
			(vector->column < 0 || vector->type == FLOAT4OID || vector->type == FLOAT8OID ||
			 vector->type == NUMERICOID))
			return false;
	}
	return true;
}

static bool
constant_key(NtsAggVectors *vectors, NtsAggVector *vector, const NtsAggFacts *facts, Datum *value, bool *isnull)
{
	int			column = vector->bucket == NULL ? vector->column : vectors->vectors[vector->input].column;
	const NtsStatistics *s;

	*isnull = false;
	if (!vector->typbyval && vector->bucket == NULL)
		return constant_bytes(vectors, vector, facts, value) || listed_constant(vector, facts, value);
	s = facts->statistics(facts->scan, column);
	if (s == NULL || !s->nulls_known || s->null_count > 0 || !s->has_range)
		return false;
	if (vector->bucket != NULL)
		return nts_bucket_constant(vectors, vector, (int64) s->min, (int64) s->max, value, isnull);
	*value = (Datum) s->min;
	return s->min == s->max;
}

/* Lists of values are asked last: they may have to be read. */
static inline bool
is_asked_last(const NtsAggVector *vector)
{
	return !vector->typbyval && vector->bucket == NULL;
}

bool
nts_agg_constant_keys(NtsAggVectors *vectors, const int *keys, int key_count, const NtsAggFacts *facts, Datum *values,
					  uint64 *nulls)
{
	*nulls = 0;
	/* no selection is looked at now */
	ResetExprContext(vectors->econtext);
	for (int last = 0; last < 2; last++)
		for (int k = 0; k < key_count; k++)
		{
			NtsAggVector *vector = &vectors->vectors[keys[k]];
			bool		isnull;

			if (is_asked_last(vector) != (last == 1))
				continue;
			if (!constant_key(vectors, vector, facts, &values[k], &isnull))
				return false;
			if (isnull)
				*nulls |= UINT64CONST(1) << k;
		}
	return true;
}
