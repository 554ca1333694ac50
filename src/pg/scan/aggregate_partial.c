/*
 * aggregate_partial.c - states of aggregates as PostgreSQL's combine functions take them, for an Agg that combines what
 * several nodes made: the twins of the results in aggregate_state.c.
 *
 * A state is a value of the aggregate's transition type or, where that is internal, what its serialization function
 * gives. Aggregates that have the same transition share one state above: the combining Agg takes any one of them for
 * all, so that each must be whole (nts_agg_widen).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"

#include "pg/compat.h"
#include "pg/scan/aggregate.h"

/*
 * What int8_avg_serialize makes: the number of values, and the sum with the fields of a NumericVar. Those that
 * numeric_send gives are the same, but 16 bits wide.
 */
static Datum
bytes_of_sum(const NtsAggState *state)
{
	bytea	   *sent = DatumGetByteaPP(DirectFunctionCall1(numeric_send, nts_agg_numeric_of_sum(&state->sum)));
	StringInfoData from = {.data = VARDATA_ANY(sent), .len = VARSIZE_ANY_EXHDR(sent)};
	StringInfoData to;
	int			digits;

	pq_begintypsend(&to);
	pq_sendint64(&to, (int64) state->count);
	digits = pq_getmsgint(&from, sizeof(int16));
	pq_sendint32(&to, digits);
	pq_sendint32(&to, (int16) pq_getmsgint(&from, sizeof(int16)));	/* weight, which may be negative */
	pq_sendint32(&to, pq_getmsgint(&from, sizeof(int16)));	/* sign */
	pq_sendint32(&to, pq_getmsgint(&from, sizeof(int16)));	/* scale */
	pq_sendbytes(&to, pq_getmsgbytes(&from, digits * sizeof(int16)), digits * sizeof(int16));
	pq_getmsgend(&from);
	return PointerGetDatum(pq_endtypsend(&to));
}

static Datum
state_of_sum(NtsAggregate *aggregate, NtsAggState *state, bool *isnull)
{
	Datum		pair[2];

	if (aggregate->aggref->aggtranstype == INTERNALOID)
	{
		*isnull = state->count == 0;
		return *isnull ? (Datum) 0 : bytes_of_sum(state);
	}
	/* int4_avg_accum: number, sum */
	pair[0] = Int64GetDatum((int64) state->count);
	pair[1] = Int64GetDatum((int64) state->sum.low);
	return PointerGetDatum(construct_array(pair, 2, INT8OID, sizeof(int64), true, TYPALIGN_DOUBLE));
}

/* float8_accum: number, sum, sum of squared differences from the mean. */
static Datum
state_of_moments(NtsAggregate *aggregate, NtsAggState *state, bool *isnull)
{
	Datum		moments[3];

	moments[0] = Float8GetDatum((double) state->count);
	moments[1] = Float8GetDatum(state->moments.sx);
	moments[2] = Float8GetDatum(state->moments.sxx);
	return PointerGetDatum(construct_array(moments, 3, FLOAT8OID, sizeof(float8), true, TYPALIGN_DOUBLE));
}

typedef Datum (*MakeState) (NtsAggregate *aggregate, NtsAggState *state, bool *isnull);

/*
 * By kind. nts_agg_finish: the state is the result. NULL: there is no state that could be combined. The sum of float4 is
 * none: it would depend on who had which row far more than sums of float8 do.
 */
static const MakeState make_state[] = {
	[NTS_AGG_COUNT_ALL] = nts_agg_finish,
	[NTS_AGG_COUNT] = nts_agg_finish,
	[NTS_AGG_SUM_INT] = nts_agg_finish,
	[NTS_AGG_SUM_INT8] = NTS_HAS_NUMERIC_SUM_STATE ? state_of_sum : NULL,
	[NTS_AGG_AVG_INT] = NTS_HAS_NUMERIC_SUM_STATE ? state_of_sum : NULL,
	[NTS_AGG_MIN_INT] = nts_agg_finish,
	[NTS_AGG_MAX_INT] = nts_agg_finish,
	[NTS_AGG_SUM_FLOAT4] = NULL,
	[NTS_AGG_SUM_FLOAT8] = nts_agg_finish,
	[NTS_AGG_AVG_FLOAT] = state_of_moments,
	[NTS_AGG_MIN_FLOAT4] = nts_agg_finish,
	[NTS_AGG_MIN_FLOAT8] = nts_agg_finish,
	[NTS_AGG_MAX_FLOAT4] = nts_agg_finish,
	[NTS_AGG_MAX_FLOAT8] = nts_agg_finish,
	[NTS_AGG_VAR_POP] = state_of_moments,
	[NTS_AGG_VAR_SAMP] = state_of_moments,
	[NTS_AGG_STDDEV_POP] = state_of_moments,
	[NTS_AGG_STDDEV_SAMP] = state_of_moments,
	/* these finish by their own functions, too */
	[NTS_AGG_SUM_NUMERIC] = nts_agg_finish,
	[NTS_AGG_SQUARES_NUMERIC] = nts_agg_finish,
	[NTS_AGG_SQUARES_INT] = nts_agg_finish,
	[NTS_AGG_SQUARES_INT8] = nts_agg_finish,
	[NTS_AGG_CALL] = nts_agg_finish /* its final function is then the one that serializes */
};

bool
nts_agg_has_partial(const Aggref *aggref)
{
	NtsAggKind	kind = nts_agg_kind(aggref);

	return (int) kind < (int) lengthof(make_state) && make_state[kind] != NULL;
}

bool
nts_agg_is_partial(const Aggref *aggref)
{
	return DO_AGGSPLIT_SKIPFINAL(aggref->aggsplit);
}

Datum
nts_agg_make_state(NtsAggregate *aggregate, NtsAggState *state, bool *isnull)
{
	*isnull = false;
	return make_state[aggregate->kind] (aggregate, state, isnull);
}

void
nts_agg_widen(NtsAggregate *aggregates, int count)
{
	for (int a = 0; a < count; a++)
	{
		if (aggregates[a].kind != NTS_AGG_AVG_FLOAT || !nts_agg_is_partial(aggregates[a].aggref))
			continue;
		for (int b = 0; b < count; b++)
			if (aggregates[b].aggref->aggtransno == aggregates[a].aggref->aggtransno &&
				aggregates[b].kind != NTS_AGG_AVG_FLOAT)
				aggregates[a].kind = aggregates[b].kind;
	}
}
