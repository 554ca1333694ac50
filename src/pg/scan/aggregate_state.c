/*
 * aggregate_state.c - what an aggregate knows of a group, advanced by runs of rows, and its result.
 *
 * The common aggregates of numbers have loops of their own in the core; their results are those of PostgreSQL's
 * functions, to the bit where these go in row order. Everything else is called row by row (aggregate_call.c).
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "pg/scan/aggregate.h"

#define FEW_ROWS 16				/* of a run: they need no loop of the core */

typedef struct Known
{
	Oid			function;
	NtsAggKind	kind;
} Known;

static const Known known[] = {
	{F_COUNT_, NTS_AGG_COUNT_ALL},
	{F_COUNT_ANY, NTS_AGG_COUNT},
	{F_SUM_INT2, NTS_AGG_SUM_INT},
	{F_SUM_INT4, NTS_AGG_SUM_INT},
	{F_SUM_INT8, NTS_AGG_SUM_INT8},
	{F_AVG_INT2, NTS_AGG_AVG_INT},
	{F_AVG_INT4, NTS_AGG_AVG_INT},
	{F_AVG_INT8, NTS_AGG_AVG_INT},
	{F_MIN_INT2, NTS_AGG_MIN_INT},
	{F_MIN_INT4, NTS_AGG_MIN_INT},
	{F_MIN_INT8, NTS_AGG_MIN_INT},
	{F_MIN_DATE, NTS_AGG_MIN_INT},
	{F_MIN_TIME, NTS_AGG_MIN_INT},
	{F_MIN_TIMESTAMP, NTS_AGG_MIN_INT},
	{F_MIN_TIMESTAMPTZ, NTS_AGG_MIN_INT},
	{F_MIN_MONEY, NTS_AGG_MIN_INT},
	{F_MAX_INT2, NTS_AGG_MAX_INT},
	{F_MAX_INT4, NTS_AGG_MAX_INT},
	{F_MAX_INT8, NTS_AGG_MAX_INT},
	{F_MAX_DATE, NTS_AGG_MAX_INT},
	{F_MAX_TIME, NTS_AGG_MAX_INT},
	{F_MAX_TIMESTAMP, NTS_AGG_MAX_INT},
	{F_MAX_TIMESTAMPTZ, NTS_AGG_MAX_INT},
	{F_MAX_MONEY, NTS_AGG_MAX_INT},
	{F_BOOL_AND, NTS_AGG_MIN_INT},
	{F_EVERY, NTS_AGG_MIN_INT},
	{F_BOOL_OR, NTS_AGG_MAX_INT},
	{F_SUM_FLOAT4, NTS_AGG_SUM_FLOAT4},
	{F_SUM_FLOAT8, NTS_AGG_SUM_FLOAT8},
	{F_AVG_FLOAT4, NTS_AGG_AVG_FLOAT},
	{F_AVG_FLOAT8, NTS_AGG_AVG_FLOAT},
	{F_MIN_FLOAT4, NTS_AGG_MIN_FLOAT4},
	{F_MIN_FLOAT8, NTS_AGG_MIN_FLOAT8},
	{F_MAX_FLOAT4, NTS_AGG_MAX_FLOAT4},
	{F_MAX_FLOAT8, NTS_AGG_MAX_FLOAT8},
	{F_VAR_POP_FLOAT4, NTS_AGG_VAR_POP},
	{F_VAR_POP_FLOAT8, NTS_AGG_VAR_POP},
	{F_VAR_SAMP_FLOAT4, NTS_AGG_VAR_SAMP},
	{F_VAR_SAMP_FLOAT8, NTS_AGG_VAR_SAMP},
	{F_VARIANCE_FLOAT4, NTS_AGG_VAR_SAMP},
	{F_VARIANCE_FLOAT8, NTS_AGG_VAR_SAMP},
	{F_STDDEV_POP_FLOAT4, NTS_AGG_STDDEV_POP},
	{F_STDDEV_POP_FLOAT8, NTS_AGG_STDDEV_POP},
	{F_STDDEV_SAMP_FLOAT4, NTS_AGG_STDDEV_SAMP},
	{F_STDDEV_SAMP_FLOAT8, NTS_AGG_STDDEV_SAMP},
	{F_STDDEV_FLOAT4, NTS_AGG_STDDEV_SAMP},
	{F_STDDEV_FLOAT8, NTS_AGG_STDDEV_SAMP},
	{F_SUM_NUMERIC, NTS_AGG_SUM_NUMERIC},
	{F_AVG_NUMERIC, NTS_AGG_SUM_NUMERIC},
	{F_VAR_POP_INT2, NTS_AGG_SQUARES_INT},
	{F_VAR_POP_INT4, NTS_AGG_SQUARES_INT},
	{F_VAR_POP_INT8, NTS_AGG_SQUARES_INT8},
	{F_VAR_POP_NUMERIC, NTS_AGG_SQUARES_NUMERIC},
	{F_VAR_SAMP_INT2, NTS_AGG_SQUARES_INT},
	{F_VAR_SAMP_INT4, NTS_AGG_SQUARES_INT},
	{F_VAR_SAMP_INT8, NTS_AGG_SQUARES_INT8},
	{F_VAR_SAMP_NUMERIC, NTS_AGG_SQUARES_NUMERIC},
	{F_VARIANCE_INT2, NTS_AGG_SQUARES_INT},
	{F_VARIANCE_INT4, NTS_AGG_SQUARES_INT},
	{F_VARIANCE_INT8, NTS_AGG_SQUARES_INT8},
	{F_VARIANCE_NUMERIC, NTS_AGG_SQUARES_NUMERIC},
	{F_STDDEV_POP_INT2, NTS_AGG_SQUARES_INT},
	{F_STDDEV_POP_INT4, NTS_AGG_SQUARES_INT},
	{F_STDDEV_POP_INT8, NTS_AGG_SQUARES_INT8},
	{F_STDDEV_POP_NUMERIC, NTS_AGG_SQUARES_NUMERIC},
	{F_STDDEV_SAMP_INT2, NTS_AGG_SQUARES_INT},
	{F_STDDEV_SAMP_INT4, NTS_AGG_SQUARES_INT},
	{F_STDDEV_SAMP_INT8, NTS_AGG_SQUARES_INT8},
	{F_STDDEV_SAMP_NUMERIC, NTS_AGG_SQUARES_NUMERIC},
	{F_STDDEV_INT2, NTS_AGG_SQUARES_INT},
	{F_STDDEV_INT4, NTS_AGG_SQUARES_INT},
	{F_STDDEV_INT8, NTS_AGG_SQUARES_INT8},
	{F_STDDEV_NUMERIC, NTS_AGG_SQUARES_NUMERIC},
};

NtsAggKind
nts_agg_kind(const Aggref *aggref)
{
	for (int i = 0; i < (int) lengthof(known); i++)
		if (known[i].function == aggref->aggfnoid)
			return known[i].kind;
	return NTS_AGG_CALL;
}

bool
nts_agg_is_extreme(NtsAggKind kind)
{
	switch (kind)
	{
		case NTS_AGG_MIN_INT:
		case NTS_AGG_MAX_INT:
		case NTS_AGG_MIN_FLOAT4:
		case NTS_AGG_MIN_FLOAT8:
		case NTS_AGG_MAX_FLOAT4:
		case NTS_AGG_MAX_FLOAT8:
			return true;
		default:
			return false;
	}
}

bool
nts_agg_is_simple(const NtsAggregate *aggregate)
{
	if (aggregate->distinct != NULL)
		return false;
	switch (aggregate->kind)
	{
		case NTS_AGG_COUNT_ALL:
		case NTS_AGG_COUNT:
		case NTS_AGG_SUM_INT:
		case NTS_AGG_SUM_INT8:
		case NTS_AGG_AVG_INT:
			return true;
		default:
			return nts_agg_is_extreme(aggregate->kind);
	}
}

bool
nts_agg_is_distinct(const Aggref *aggref)
{
	NtsAggKind	kind;

	if (aggref->aggdistinct == NIL)
		return false;
	kind = nts_agg_kind(aggref);
	/* by its own functions, it is let in with DISTINCT only if it is an extreme, too (aggregate_path.c) */
	return kind != NTS_AGG_CALL && !nts_agg_is_extreme(kind);
}

/* ---- set-up ---- */

/* A column that can hold no NULL need not be decoded to be counted. */
static bool
is_never_null(const NtsAggVectors *vectors, Expr *expr)
{
#if PG_VERSION_NUM >= 180000
	return false;				/* NOT NULL may be there unchecked */
#else
	return IsA(expr, Var) && TupleDescAttr(vectors->desc, ((Var *) expr)->varattno - 1)->attnotnull;
#endif
}

void
nts_agg_init(NtsAggregate *aggregate, Aggref *aggref, NtsAggVectors *vectors, ExprContext *aggcontext)
{
	ListCell   *cell;

	memset(aggregate, 0, sizeof(*aggregate));
	aggregate->aggref = aggref;
	aggregate->kind = nts_agg_kind(aggref);
	aggregate->filter = -1;
	if (aggref->aggfilter != NULL)
		aggregate->filter = nts_agg_vectors_add(vectors, aggref->aggfilter, -1);
	if (aggregate->kind == NTS_AGG_COUNT && !nts_agg_is_distinct(aggref) &&
		is_never_null(vectors, ((TargetEntry *) linitial(aggref->args))->expr))
		aggregate->kind = NTS_AGG_COUNT_ALL;
	if (aggregate->kind != NTS_AGG_COUNT_ALL)
	{
		aggregate->args = MemoryContextAlloc(vectors->context, sizeof(int) * Max(list_length(aggref->args), 1));
		foreach(cell, aggref->args)
			aggregate->args[aggregate->nargs++] =
				nts_agg_vectors_add(vectors, lfirst_node(TargetEntry, cell)->expr, aggregate->filter);
		if (aggregate->nargs > 0)
			aggregate->is_float4 = exprType((Node *) linitial_node(TargetEntry, aggref->args)->expr) == FLOAT4OID;
	}
	if (nts_agg_is_distinct(aggref))
		aggregate->distinct = nts_agg_distinct_make(vectors, aggregate->args[0]);
	aggregate->memory = aggcontext->ecxt_per_tuple_memory;
	aggregate->is_greatest = aggref->aggfnoid == F_MAX_NUMERIC;
	aggregate->is_numeric_extreme = aggregate->is_greatest || aggref->aggfnoid == F_MIN_NUMERIC;
	if (aggregate->kind == NTS_AGG_CALL || nts_agg_is_exact(aggregate->kind))
		aggregate->call = nts_agg_call_init(aggref, vectors->parent, aggcontext, vectors->econtext);
}

static bool
is_variance(NtsAggKind kind)
{
	return kind == NTS_AGG_VAR_POP || kind == NTS_AGG_VAR_SAMP || kind == NTS_AGG_STDDEV_POP ||
		kind == NTS_AGG_STDDEV_SAMP;
}

bool
nts_agg_shares_state(const NtsAggregate *aggregate, const NtsAggregate *later)
{
	/* the planner numbers transitions: the same function, arguments and filter, and no harm in sharing */
	return aggregate->aggref->aggtransno == later->aggref->aggtransno &&
		(aggregate->kind == later->kind || (is_variance(aggregate->kind) && is_variance(later->kind)));
}

void
nts_agg_start(NtsAggregate *aggregate, NtsAggState *state)
{
	memset(state, 0, sizeof(*state));
	switch (aggregate->kind)
	{
		case NTS_AGG_MIN_INT:
			state->extreme = PG_INT64_MAX;
			break;
		case NTS_AGG_MAX_INT:
			state->extreme = PG_INT64_MIN;
			break;
		case NTS_AGG_MIN_FLOAT4:
		case NTS_AGG_MIN_FLOAT8:
			state->float8 = get_float8_nan();
			break;
		case NTS_AGG_MAX_FLOAT4:
		case NTS_AGG_MAX_FLOAT8:
			state->float8 = -get_float8_infinity();
			break;
		case NTS_AGG_SUM_FLOAT4:
			state->float4 = -0.0f;	/* what adds nothing, even to -0 */
			break;
		case NTS_AGG_SUM_FLOAT8:
			state->float8 = -0.0;
			break;
		case NTS_AGG_CALL:
			nts_agg_call_start(aggregate->call, state);
			break;
		case NTS_AGG_SUM_NUMERIC:
		case NTS_AGG_SQUARES_NUMERIC:
		case NTS_AGG_SQUARES_INT:
		case NTS_AGG_SQUARES_INT8:
			nts_agg_exact_start(aggregate, state);
			break;
		default:
			break;
	}
}

/* ---- rows ---- */

void
nts_agg_load(NtsAggregate *aggregate, const NtsAggVectors *vectors, uint32 count)
{
	const uint8 *nulls = NULL;
	const NtsAggVector *filter;

	if (aggregate->kind != NTS_AGG_CALL && aggregate->kind != NTS_AGG_COUNT_ALL)
		nulls = vectors->vectors[aggregate->args[0]].nulls;
	aggregate->skip = (uint8 *) nulls;
	if (aggregate->distinct != NULL)
		nts_agg_distinct_forget_addresses(aggregate->distinct);
	if (aggregate->filter < 0)
		return;
	if (aggregate->room < count)
	{
		aggregate->room = Max(count, 1024);
		aggregate->own_skip = MemoryContextAllocHuge(vectors->context, aggregate->room);
	}
	filter = &vectors->vectors[aggregate->filter];
	for (uint32 i = 0; i < count; i++)
		aggregate->own_skip[i] = !DatumGetBool(filter->values[i]) || (filter->nulls != NULL && filter->nulls[i]) ||
			(nulls != NULL && nulls[i]);
	aggregate->skip = aggregate->own_skip;
}

static inline double
float_at(const NtsAggregate *aggregate, const Datum *values, uint32 i)
{
	return aggregate->is_float4 ? (double) DatumGetFloat4(values[i]) : DatumGetFloat8(values[i]);
}

/* A sum of floats that is no number: an overflow, if two finite ones gave it; as PostgreSQL's float8pl says. */
static void
check_sum(const NtsAggregate *aggregate, double sum, const Datum *values, const uint8 *skip, uint32 count)
{
	bool		narrow = aggregate->kind == NTS_AGG_SUM_FLOAT4;

	for (uint32 i = 0; i < count; i++)
	{
		double		value;

		if (skip != NULL && skip[i])
			continue;
		value = float_at(aggregate, values, i);
		if (narrow)
			sum = float4_pl((float4) sum, (float4) value);
		else
			sum = float8_pl(sum, value);
	}
}

/*
 * Sum and sum of squared differences after one more value, by the method of Youngs and Cramer, with the steps and the
 * errors of PostgreSQL's float8_accum.
 */
static void
accumulate(NtsAggState *state, double value)
{
	double		count = (double) state->count + 1.0;
	double		sx = state->moments.sx + value;
	double		sxx = state->moments.sxx;

	if (state->count > 0)
	{
		double		difference = value * count - sx;

		sxx += difference * difference / (count * (double) state->count);
		if (isinf(sx) || isinf(sxx))
		{
			if (!isinf(state->moments.sx) && !isinf(value))
				float_overflow_error();
			sxx = get_float8_nan();
		}
	}
	else if (isnan(value) || isinf(value))
		sxx = get_float8_nan();
	state->count++;
	state->moments.sx = sx;
	state->moments.sxx = sxx;
}

static void
advance_moments(const NtsAggregate *aggregate, NtsAggState *state, const Datum *values, const uint8 *skip,
				uint32 count)
{
	/*
	 * The average needs no more than the sum, as long as the squares, which PostgreSQL adds up as well, cannot
	 * overflow.
	 */
	if (aggregate->kind == NTS_AGG_AVG_FLOAT && fabs(state->moments.sx) < 1e150 &&
		(aggregate->is_float4 || nts_moderate_float8((const uint64 *) values, count)))
	{
		double		sum = state->moments.sx;
		uint64		added;

		if (aggregate->is_float4)
			added = nts_sum_float4_wide((const uint64 *) values, skip, count, &sum);
		else
			added = nts_sum_float8((const uint64 *) values, skip, count, &sum);
		/* with infinities and NaN the steps matter */
		if (isfinite(sum))
		{
			state->count += added;
			state->moments.sx = sum;
			return;
		}
	}
	for (uint32 i = 0; i < count; i++)
		if (skip == NULL || !skip[i])
			accumulate(state, float_at(aggregate, values, i));
}

void
nts_agg_advance(NtsAggregate *aggregate, const NtsAggVectors *vectors, NtsAggState *state, uint32 first,
				uint32 count)
{
	if (aggregate->distinct != NULL)
		nts_agg_distinct_advance(aggregate, vectors, state, first, count);
	else
		nts_agg_advance_rows(aggregate, vectors, state, first, count);
}

void
nts_agg_advance_rows(NtsAggregate *aggregate, const NtsAggVectors *vectors, NtsAggState *state, uint32 first,
					 uint32 count)
{
	const uint8 *skip = aggregate->skip == NULL ? NULL : aggregate->skip + first;
	const Datum *values = aggregate->nargs == 0 ? NULL : vectors->vectors[aggregate->args[0]].values + first;
	const uint64 *words = (const uint64 *) values;
	double		before;

	switch (aggregate->kind)
	{
		case NTS_AGG_COUNT_ALL:
		case NTS_AGG_COUNT:
			state->count += nts_count_values(skip, count);
			break;
		case NTS_AGG_CALL:
			if (aggregate->is_numeric_extreme)
				nts_agg_extreme_advance(aggregate, vectors, state, first, count);
			else
				nts_agg_call_advance(aggregate, vectors, state, first, count);
			break;
		case NTS_AGG_SUM_NUMERIC:
		case NTS_AGG_SQUARES_NUMERIC:
		case NTS_AGG_SQUARES_INT:
		case NTS_AGG_SQUARES_INT8:
			nts_agg_exact_advance(aggregate, vectors, state, first, count);
			break;
		case NTS_AGG_SUM_INT:
		case NTS_AGG_SUM_INT8:
		case NTS_AGG_AVG_INT:
			state->count += nts_sum_int(words, skip, count, &state->sum);
			break;
		case NTS_AGG_MIN_INT:
			state->count += nts_min_int(words, skip, count, &state->extreme);
			break;
		case NTS_AGG_MAX_INT:
			state->count += nts_max_int(words, skip, count, &state->extreme);
			break;
		case NTS_AGG_SUM_FLOAT4:
			before = state->float4;
			state->count += nts_sum_float4(words, skip, count, &state->float4);
			if (unlikely(!isfinite(state->float4)))
				check_sum(aggregate, before, values, skip, count);
			break;
		case NTS_AGG_SUM_FLOAT8:
			before = state->float8;
			state->count += nts_sum_float8(words, skip, count, &state->float8);
			if (unlikely(!isfinite(state->float8)))
				check_sum(aggregate, before, values, skip, count);
			break;
		case NTS_AGG_MIN_FLOAT4:
			state->count += nts_min_float4(words, skip, count, &state->float8);
			break;
		case NTS_AGG_MIN_FLOAT8:
			state->count += nts_min_float8(words, skip, count, &state->float8);
			break;
		case NTS_AGG_MAX_FLOAT4:
			state->count += nts_max_float4(words, skip, count, &state->float8);
			break;
		case NTS_AGG_MAX_FLOAT8:
			state->count += nts_max_float8(words, skip, count, &state->float8);
			break;
		default:
			advance_moments(aggregate, state, values, skip, count);
			break;
	}
}

static inline void
advance_short_runs(const NtsAggregate *aggregate, const int64 *words, NtsAggGroup *const *groups, const uint32 *starts,
				   int runs, bool is_greatest)
{
	for (int r = 0; r < runs; r++)
	{
		NtsAggState *state = &groups[r]->states[aggregate->state];
		uint32		count = starts[r + 1] - starts[r];
		const int64 *word = words + starts[r];
		const int64 *end = word + count;
		int64		extreme = state->extreme;

		state->count += count;
		/* of few rows a call would cost more than what it does */
		if (count > FEW_ROWS)
		{
			if (is_greatest)
				(void) nts_max_int((const uint64 *) word, NULL, count, &state->extreme);
			else
				(void) nts_min_int((const uint64 *) word, NULL, count, &state->extreme);
			continue;
		}
		for (; word < end; word++)
			extreme = (is_greatest ? *word > extreme : *word < extreme) ? *word : extreme;
		state->extreme = extreme;
	}
}

void
nts_agg_advance_extreme(const NtsAggregate *aggregate, const NtsAggVectors *vectors, NtsAggGroup *const *groups,
						const uint32 *starts, int runs)
{
	const int64 *words = (const int64 *) vectors->vectors[aggregate->args[0]].values;

	/* a loop for each, without a question in it */
	if (aggregate->kind == NTS_AGG_MAX_INT)
		advance_short_runs(aggregate, words, groups, starts, runs, true);
	else
		advance_short_runs(aggregate, words, groups, starts, runs, false);
}

/* ---- results ---- */

Datum
nts_agg_numeric_of_sum(const NtsWideSum *sum)
{
	Datum		result;
	Datum		shift;

	if (sum->high == ((int64) sum->low < 0 ? -1 : 0))
		return NumericGetDatum(int64_to_numeric((int64) sum->low));
	/* high * 2^64 + the two halves of low, which are not negative */
	shift = NumericGetDatum(int64_to_numeric(INT64CONST(1) << 32));
	result = NumericGetDatum(int64_to_numeric(sum->high));
	result = DirectFunctionCall2(numeric_mul, result, shift);
	result = DirectFunctionCall2(numeric_add, result, NumericGetDatum(int64_to_numeric((int64) (sum->low >> 32))));
	result = DirectFunctionCall2(numeric_mul, result, shift);
	return DirectFunctionCall2(numeric_add, result, NumericGetDatum(int64_to_numeric((int64) (uint32) sum->low)));
}

/* numeric_div of the sum and the number of values, which takes several times as long. */
static Datum
average(const NtsAggState *state)
{
	char	   *result = palloc(VARHDRSZ + NTS_QUOTIENT_BYTES);
	size_t		bytes = nts_quotient_numeric(&state->sum, state->count, (uint8_t *) VARDATA(result));

	if (bytes == 0)
		return DirectFunctionCall2(numeric_div, nts_agg_numeric_of_sum(&state->sum),
								   NumericGetDatum(int64_to_numeric((int64) state->count)));
	SET_VARSIZE(result, VARHDRSZ + bytes);
	return PointerGetDatum(result);
}

/* An extreme as the aggregate's type has it. */
static Datum
extreme_datum(const NtsAggregate *aggregate, int64 value)
{
	switch (aggregate->aggref->aggtype)
	{
		case BOOLOID:
			return BoolGetDatum(value != 0);
		case INT2OID:
			return Int16GetDatum((int16) value);
		case INT4OID:
			return Int32GetDatum((int32) value);
		case DATEOID:
			return Int32GetDatum((int32) value);
		default:
			return Int64GetDatum(value);
	}
}

static Datum
finish_moments(const NtsAggregate *aggregate, const NtsAggState *state, bool *isnull)
{
	double		count = (double) state->count;
	double		sxx = state->moments.sxx;

	switch (aggregate->kind)
	{
		case NTS_AGG_AVG_FLOAT:
			return Float8GetDatum(state->moments.sx / count);
		case NTS_AGG_VAR_POP:
			return Float8GetDatum(sxx / count);
		case NTS_AGG_STDDEV_POP:
			return Float8GetDatum(sqrt(sxx / count));
		default:
			break;
	}
	if (state->count < 2)
	{
		*isnull = true;
		return (Datum) 0;
	}
	sxx /= count - 1.0;
	return Float8GetDatum(aggregate->kind == NTS_AGG_VAR_SAMP ? sxx : sqrt(sxx));
}

Datum
nts_agg_finish(NtsAggregate *aggregate, NtsAggState *state, bool *isnull)
{
	*isnull = false;
	switch (aggregate->kind)
	{
		case NTS_AGG_COUNT_ALL:
		case NTS_AGG_COUNT:
			return Int64GetDatum((int64) state->count);
		case NTS_AGG_CALL:
			return nts_agg_call_finish(aggregate->call, state, isnull);
		case NTS_AGG_SUM_NUMERIC:
		case NTS_AGG_SQUARES_NUMERIC:
		case NTS_AGG_SQUARES_INT:
		case NTS_AGG_SQUARES_INT8:
			return nts_agg_exact_finish(aggregate, state, isnull);
		default:
			break;
	}
	if (state->count == 0)
	{
		*isnull = true;
		return (Datum) 0;
	}
	switch (aggregate->kind)
	{
		case NTS_AGG_SUM_INT:
			/* PostgreSQL does not look for overflow here either: it takes 2^32 rows */
			return Int64GetDatum((int64) state->sum.low);
		case NTS_AGG_SUM_INT8:
			return nts_agg_numeric_of_sum(&state->sum);
		case NTS_AGG_AVG_INT:
			return average(state);
		case NTS_AGG_MIN_INT:
		case NTS_AGG_MAX_INT:
			return extreme_datum(aggregate, state->extreme);
		case NTS_AGG_SUM_FLOAT4:
			return Float4GetDatum(state->float4);
		case NTS_AGG_MIN_FLOAT4:
		case NTS_AGG_MAX_FLOAT4:
			return Float4GetDatum((float4) state->float8);
		case NTS_AGG_SUM_FLOAT8:
		case NTS_AGG_MIN_FLOAT8:
		case NTS_AGG_MAX_FLOAT8:
			return Float8GetDatum(state->float8);
		default:
			return finish_moments(aggregate, state, isnull);
	}
}
