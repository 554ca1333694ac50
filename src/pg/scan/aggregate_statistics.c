/*
 * aggregate_statistics.c - aggregates from what is stored of row groups and vectors whose rows are of one group.
 *
 * Numbers of rows and NULLs, minima, maxima and sums of integers stand in a segment's footer and chunks. Where every
 * row of a row group or vector counts, they are folded into the states, and the rows are not read. All aggregates of the
 * node must be of that kind: one that reads the rows anyway makes the others as cheap.
 */
#include "postgres.h"

#include <math.h>

#include "pg/scan/aggregate.h"

static bool
is_answered(const NtsAggregate *aggregate, const NtsAggVectors *vectors)
{
	if (aggregate->filter >= 0)
		return false;
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

	if (aggref->aggfilter != NULL)
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
	return count > 0;
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
nts_agg_fold_statistics(const NtsAggregate *aggregates, int count, const NtsAggVectors *vectors, NtsAggState *states,
						uint32 rows, const NtsStatistics *(*statistics) (void *scan, int column), void *scan)
{
	for (int a = 0; a < count; a++)
	{
		const NtsStatistics *s;

		if (aggregates[a].state != a || aggregates[a].kind == NTS_AGG_COUNT_ALL)
			continue;
		s = statistics(scan, vectors->vectors[aggregates[a].args[0]].column);
		if (s == NULL || !says_enough(&aggregates[a], s))
			return false;
	}
	for (int a = 0; a < count; a++)
	{
		if (aggregates[a].state != a)
			continue;
		if (aggregates[a].kind == NTS_AGG_COUNT_ALL)
			states[a].count += rows;
		else
			fold(&aggregates[a], statistics(scan, vectors->vectors[aggregates[a].args[0]].column), &states[a]);
	}
	return true;
}
