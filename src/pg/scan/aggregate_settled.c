/*
 * aggregate_settled.c - rows that would change nothing: minima and maxima that have been reached already.
 *
 * Statistics say between which values a column lies in a row group or vector, and between which times. Where all groups
 * that those times may belong to are there, and have extremes that none of the values goes beyond, the rows need not be
 * read: also where only some of them pass the conditions, or lie in a window of time. What the groups have in common, the
 * *weakest* of their extremes, is remembered for a stretch of time: mostly the next vectors are asked about the same one,
 * cut off by a condition or window. Extremes only become stronger, so it stays right, if not sharp.
 */
#include "postgres.h"

#include "common/int.h"
#include "utils/float.h"

#include "pg/scan/aggregate_bucket.h"
#include "pg/scan/aggregate_settled.h"
#include "pg/scan/custom_scan.h"

#define MAX_BUCKETS 16			/* that are looked at for an answer */
#define REFRESH 4				/* answers "no", after which the weakest extremes are looked for again */

struct NtsAggSettled
{
	const NtsAggregate *aggregates;
	int			count;
	NtsAggVectors *vectors;
	int			bucket;			/* the key's vector; -1: there is one group */
	int			column;			/* of the bucket */
	int64		longest;		/* stretch of times that is looked at */
	/* of all groups with times in [first, last]: */
	bool		known;
	int64		first;
	int64		last;
	NtsAggState *weakest;		/* [count], by aggregate */
	uint64		as_of;			/* found when there were so many answers "no" */
	uint64		yes;
	uint64		no;
};

/* ---- what groups have reached ---- */

static bool
is_weaker(const NtsAggregate *aggregate, const NtsAggState *a, const NtsAggState *b)
{
	if (a->count == 0 || b->count == 0)
		return a->count == 0;
	switch (aggregate->kind)
	{
		case NTS_AGG_MIN_INT:
			return a->extreme > b->extreme;
		case NTS_AGG_MAX_INT:
			return a->extreme < b->extreme;
		case NTS_AGG_MIN_FLOAT4:
		case NTS_AGG_MIN_FLOAT8:
			return float8_gt(a->float8, b->float8);
		default:
			return float8_lt(a->float8, b->float8);
	}
}

static void
weaken(NtsAggSettled *settled, const NtsAggGroup *group, bool is_first)
{
	for (int a = 0; a < settled->count; a++)
		if (settled->aggregates[a].state == a &&
			(is_first || is_weaker(&settled->aggregates[a], &group->states[a], &settled->weakest[a])))
			settled->weakest[a] = group->states[a];
}

/* false: some group is not there, or there are too many. */
static bool
weaken_by_all(NtsAggSettled *settled, NtsAggTable *table, int64 first, int64 last)
{
	NtsAggVectors *vectors = settled->vectors;

	ResetExprContext(vectors->econtext);
	for (int i = 0; i < MAX_BUCKETS; i++)
	{
		Datum		value = (Datum) 0;
		bool		isnull = false;
		int64		end = PG_INT64_MAX;
		NtsAggGroup *group;

		if (settled->bucket >= 0 &&
			!nts_bucket_at(vectors, &vectors->vectors[settled->bucket], first, &value, &isnull, &end))
			return false;
		group = nts_agg_table_find(table, vectors, &value, isnull ? 1 : 0, NULL);
		if (group == NULL)
			return false;
		weaken(settled, group, i == 0);
		if (end > last)
			return true;
		first = end;
	}
	return false;
}

static bool
find_weakest(NtsAggSettled *settled, NtsAggTable *table, int64 first, int64 last)
{
	settled->known = weaken_by_all(settled, table, first, last);
	settled->first = first;
	settled->last = last;
	settled->as_of = settled->no;
	return settled->known;
}

/* ---- what rows may change ---- */

/* Between which times rows lie that count; false: not known, there are none, or they are too far apart. */
static bool
find_times(const NtsAggSettled *settled, const NtsAggFacts *facts, const NtsEarlyStop *stop, int64 *first, int64 *last)
{
	const NtsScanState *scan = facts->scan;
	const NtsStatistics *s;

	*first = *last = 0;
	if (settled->bucket < 0)
		return true;
	s = facts->statistics(facts->scan, settled->column);
	if (s == NULL || !s->has_range || !s->nulls_known || s->null_count > 0)
		return false;
	*first = (int64) s->min;
	*last = (int64) s->max;
	for (int i = 0; i < scan->filter_count; i++)
		nts_filter_bound_words(scan->filters[i], settled->column, first, last);
	if (stop != NULL)
		nts_early_stop_bound(stop, first, last);
	return *first <= *last && *first >= NTS_FIRST_TIME && *last <= NTS_TIME_LIMIT && *last - *first <= settled->longest;
}

static bool
is_beyond_reach(const NtsAggSettled *settled, const NtsAggFacts *facts)
{
	for (int a = 0; a < settled->count; a++)
	{
		const NtsAggregate *aggregate = &settled->aggregates[a];

		if (aggregate->state == a &&
			nts_agg_statistics_may_change(aggregate,
										  facts->statistics(facts->scan, settled->vectors->vectors[aggregate->args[0]].column),
										  &settled->weakest[a]))
			return false;
	}
	return true;
}

static bool
answer(NtsAggSettled *settled, NtsAggTable *table, const NtsAggFacts *facts, int64 first, int64 last)
{
	if (!settled->known || first < settled->first || last > settled->last)
		return find_weakest(settled, table, first, last) && is_beyond_reach(settled, facts);
	if (is_beyond_reach(settled, facts))
		return true;
	return settled->no - settled->as_of >= REFRESH &&
		find_weakest(settled, table, settled->first, settled->last) && is_beyond_reach(settled, facts);
}

/* The first rows make extremes strong; where later ones are mostly asked about in vain, that is given up. */
static bool
is_worth_asking(const NtsAggSettled *settled)
{
	return settled->no < 1024 + 8 * settled->yes;
}

bool
nts_agg_is_settled(NtsAggSettled *settled, NtsAggTable *table, const NtsAggFacts *facts, const NtsEarlyStop *stop)
{
	int64		first;
	int64		last;
	bool		result;

	if (!is_worth_asking(settled) || !find_times(settled, facts, stop, &first, &last))
		return false;
	result = answer(settled, table, facts, first, last);
	*(result ? &settled->yes : &settled->no) += 1;
	return result;
}

/* ---- beginning ---- */

void
nts_agg_settled_forget(NtsAggSettled *settled)
{
	settled->known = false;
}

static bool
is_ordered_time(const NtsAggVector *vector)
{
	return vector->bucket != NULL && nts_bucket_is_ordered(vector->bucket) && vector->typbyval;
}

NtsAggSettled *
nts_agg_settled_make(const NtsAggregate *aggregates, int count, NtsAggVectors *vectors, const int *keys, int key_count)
{
	NtsAggSettled *settled;

	if (key_count > 1 || count == 0 || (key_count == 1 && !is_ordered_time(&vectors->vectors[keys[0]])))
		return NULL;
	for (int a = 0; a < count; a++)
		if (!nts_agg_is_extreme(aggregates[a].kind) || aggregates[a].filter >= 0 ||
			vectors->vectors[aggregates[a].args[0]].column < 0)
			return NULL;
	settled = palloc0(sizeof(NtsAggSettled));
	settled->aggregates = aggregates;
	settled->count = count;
	settled->vectors = vectors;
	settled->bucket = key_count == 0 ? -1 : keys[0];
	settled->longest = PG_INT64_MAX;
	if (key_count == 1)
	{
		const struct NtsBucket *bucket = vectors->vectors[keys[0]].bucket;

		settled->column = nts_bucket_input(bucket)->varattno - 1;
		if (pg_mul_s64_overflow(nts_bucket_width(bucket), MAX_BUCKETS, &settled->longest))
			settled->longest = PG_INT64_MAX;
	}
	settled->weakest = palloc0(sizeof(NtsAggState) * count);
	return settled;
}
