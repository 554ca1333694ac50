/*
 * early_stop.c - groups in the order of a time bucket, so that a LIMIT above ends the reading.
 *
 * Rows are read in windows of time that follow each other from one end, each longer than the one before. What comes
 * later lies beyond the window, so a group whose bucket is before that of the first time beyond it is complete: a
 * bucket's value grows with the time, but for a slack where local clocks are set back. Complete groups are shown in
 * order before the next window is read. A vector that lies in several windows is decoded for each of them.
 *
 * Times and buckets are *turned* so that the end to start from is always the greatest: descending they stay, ascending
 * all their bits change.
 */
#include "postgres.h"

#include "commands/explain.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplesort.h"
#include "utils/typcache.h"

#include "pg/scan/aggregate_bucket.h"
#include "pg/scan/custom_scan.h"
#include "pg/scan/early_stop.h"

struct NtsEarlyStop
{
	NtsEarlyPlan plan;
	NtsScanState *scan;
	NtsScanChooser chooser;
	const NtsScanChooser *inner;	/* asked of what the window does not leave out, or NULL */
	NtsAggVectors *vectors;
	int			bucket;			/* its vector */
	int			column;			/* of the times: 0-based, of the table */
	/* the window: low <= turned time <= high; NULLs, too, with takes_nulls */
	bool		started;
	bool		finished;		/* the last window was entered */
	int64		low;
	int64		high;
	bool		takes_nulls;
	int64		step;			/* length of the next one */
	/* what was seen beyond it: */
	bool		has_more;
	int64		next_high;		/* no turned time is greater */
	bool		nulls_wait;		/* there may be NULLs, which the last window takes */
	/* groups that are complete, in order */
	bool		nulls_read;		/* all of them, in one window */
	bool		nulls_noted;
	bool		any_complete;
	int64		complete_above; /* of turned buckets; valid with any_complete */
	NtsAggGroup **groups;
	uint64		group_count;
	uint64		room;
	uint64		windows;
};

static inline int64
turn(const NtsEarlyStop *stop, int64 value)
{
	return stop->plan.descending ? value : ~value;
}

static int64
greatest_safe(const NtsEarlyStop *stop)
{
	return turn(stop, stop->plan.descending ? NTS_TIME_LIMIT : NTS_FIRST_TIME);
}

static int64
least_safe(const NtsEarlyStop *stop)
{
	return turn(stop, stop->plan.descending ? NTS_FIRST_TIME : NTS_TIME_LIMIT);
}

/* ---- what the scan leaves out ---- */

/* Turned bounds of the times; false: unknown, or there are none. */
static bool
turned_range(const NtsEarlyStop *stop, const NtsStatistics *s, int64 *least, int64 *greatest)
{
	if (s == NULL || !s->has_range)
		return false;
	*least = turn(stop, (int64) (stop->plan.descending ? s->min : s->max));
	*greatest = turn(stop, (int64) (stop->plan.descending ? s->max : s->min));
	return true;
}

static bool
is_all_null(const NtsStatistics *s)
{
	return s != NULL && s->nulls_known && s->null_count == s->rows;
}

static void
note_beyond(NtsEarlyStop *stop, int64 greatest)
{
	if (stop->low == PG_INT64_MIN)
		return;
	greatest = Min(greatest, stop->low - 1);
	if (!stop->has_more || greatest > stop->next_high)
		stop->next_high = greatest;
	stop->has_more = true;
}

/* Does the window hold none of the rows with these statistics? */
static bool
is_outside(const NtsEarlyStop *stop, const NtsStatistics *s)
{
	int64		least;
	int64		greatest;

	if (s == NULL || (s->null_count > 0 && stop->takes_nulls))
		return false;
	if (is_all_null(s))
		return true;
	return turned_range(stop, s, &least, &greatest) && (least > stop->high || greatest < stop->low);
}

/* Does it hold all of them? */
static bool
is_inside(const NtsEarlyStop *stop, const NtsStatistics *s)
{
	int64		least;
	int64		greatest;

	return turned_range(stop, s, &least, &greatest) && s->nulls_known && s->null_count == 0 && least >= stop->low &&
		greatest <= stop->high;
}

static bool
skip_group(void *arg, NtsScanState *scan, bool all)
{
	NtsEarlyStop *stop = arg;
	const NtsStatistics *s = nts_scan_group_statistics(scan, stop->column);
	int64		least;
	int64		greatest;

	if (s == NULL || s->null_count > 0)
		stop->nulls_wait = true;
	if (turned_range(stop, s, &least, &greatest))
	{
		if (least < stop->low)
			note_beyond(stop, greatest);
	}
	else if (!is_all_null(s))
		note_beyond(stop, PG_INT64_MAX);
	return is_outside(stop, s) ||
		(stop->inner != NULL && stop->inner->skip_group(stop->inner->arg, scan, all && is_inside(stop, s)));
}

static bool
skip_vector(void *arg, NtsScanState *scan, bool all)
{
	NtsEarlyStop *stop = arg;
	const NtsStatistics *s = nts_scan_vector_statistics(scan, stop->column);

	return is_outside(stop, s) ||
		(stop->inner != NULL && stop->inner->skip_vector(stop->inner->arg, scan, all && is_inside(stop, s)));
}

/* Where times ascend, those of the window lie side by side, and those beyond it before or behind them. */
static bool
keep_range(void *arg, NtsVectorSet *set, uint32 *first, uint32 *end)
{
	NtsEarlyStop *stop = arg;
	bool		descending = stop->plan.descending;
	int64		least = turn(stop, descending ? stop->low : stop->high);
	int64		most = turn(stop, descending ? stop->high : stop->low);
	const uint64 *words;
	uint32		rows = set->rows;

	if (!nts_vector_set_ascends(set, stop->column))
		return false;
	words = (const uint64 *) set->columns[stop->column].values;
	*first = (uint32) nts_count_below(words, rows, least);
	*end = most == PG_INT64_MAX ? rows : (uint32) nts_count_below(words, rows, most + 1);
	if (descending ? *first > 0 : *end < rows)
		note_beyond(stop, turn(stop, (int64) words[descending ? *first - 1 : *end]));
	return true;
}

static void
keep_rows(void *arg, NtsVectorSet *set, uint8 *keep)
{
	NtsEarlyStop *stop = arg;
	NtsColumnData *data = &set->columns[stop->column];

	if (!data->filled)
		nts_vector_set_fill(set, stop->column);
	if (memchr(data->nulls, 1, set->rows) == NULL)
	{
		const uint64 *words = (const uint64 *) data->values;
		bool		descending = stop->plan.descending;
		bool		has_beyond = false;
		int64		beyond = PG_INT64_MIN;

		nts_filter_compare(NTS_ORDER_INT, descending ? NTS_COMPARE_GE : NTS_COMPARE_LE, words, data->nulls, set->rows,
						   (uint64) turn(stop, stop->low), keep);
		nts_filter_compare(NTS_ORDER_INT, descending ? NTS_COMPARE_LE : NTS_COMPARE_GE, words, data->nulls, set->rows,
						   (uint64) turn(stop, stop->high), keep);
		/* without branches */
		for (uint32 i = 0; i < set->rows; i++)
		{
			int64		time = turn(stop, (int64) words[i]);
			bool		is_beyond = time < stop->low;

			has_beyond |= is_beyond;
			beyond = Max(beyond, is_beyond ? time : PG_INT64_MIN);
		}
		if (has_beyond)
			note_beyond(stop, beyond);
		return;
	}
	for (uint32 i = 0; i < set->rows; i++)
	{
		int64		time = turn(stop, (int64) data->values[i]);

		if (data->nulls[i])
		{
			stop->nulls_wait = true;
			keep[i] &= stop->takes_nulls;
			continue;
		}
		if (time < stop->low)
			note_beyond(stop, time);
		keep[i] &= time >= stop->low && time <= stop->high;
	}
}

void
nts_early_stop_bound(const NtsEarlyStop *stop, int64 *first, int64 *last)
{
	bool		descending = stop->plan.descending;

	*first = Max(*first, turn(stop, descending ? stop->low : stop->high));
	*last = Min(*last, turn(stop, descending ? stop->high : stop->low));
}

/* ---- windows ---- */

/* A time that no row of the segments exceeds; those of L0 may. false: segments hold none. */
static bool
find_start(NtsEarlyStop *stop, int64 *start)
{
	NtsStatistics reach;
	int64		low;
	int64		high;

	if (!nts_scan_reach(stop->scan, stop->column, &reach) || !reach.has_range)
		return false;
	low = (int64) reach.min;
	high = (int64) reach.max;
	for (int i = 0; i < stop->scan->filter_count; i++)
		nts_filter_bound_words(stop->scan->filters[i], stop->column, &low, &high);
	*start = turn(stop, stop->plan.descending ? high : low);
	return true;
}

/* The least turned time, from `low` on, with which a bucket begins: of a part of one nothing can be shown. */
static int64
begin_of_bucket(const NtsEarlyStop *stop, int64 low)
{
	NtsAggVector *vector = &stop->vectors->vectors[stop->bucket];
	int64		time = turn(stop, low);
	int64		begin;
	int64		end;

	nts_bucket_stretch(stop->vectors, vector, time, &begin, &end);
	if (begin > time || end <= time)
		return low;
	return stop->plan.descending ? (begin == time ? low : end) : (end - 1 == time ? low : turn(stop, begin - 1));
}

/* Where the window that begins with `high` ends. */
static int64
end_of_window(const NtsEarlyStop *stop, int64 high)
{
	int64		low;
	int64		begin;

	if (high > greatest_safe(stop))
		return greatest_safe(stop);
	if (pg_sub_s64_overflow(high, stop->step, &low) || low <= least_safe(stop))
		return PG_INT64_MIN;
	begin = begin_of_bucket(stop, low);
	return begin <= high ? begin : low;
}

bool
nts_early_stop_enter(NtsEarlyStop *stop)
{
	int64		high = PG_INT64_MAX;
	int64		start;

	if (stop->finished || (stop->started && !stop->has_more && !stop->nulls_wait))
	{
		stop->finished = true;
		return false;
	}
	if (!stop->started)
	{
		/* L0 tells no bounds: the first window has none */
		stop->low = find_start(stop, &start) ? end_of_window(stop, start) : PG_INT64_MIN;
		stop->takes_nulls = stop->plan.nulls_first;
	}
	else
	{
		high = stop->low - 1;
		stop->low = stop->has_more ? end_of_window(stop, stop->next_high) : PG_INT64_MIN;
		stop->takes_nulls = false;
		if (pg_mul_s64_overflow(stop->step, 4, &stop->step))
			stop->step = PG_INT64_MAX;
		nts_scan_again(stop->scan);
	}
	stop->high = high;
	if (stop->low == PG_INT64_MIN)
	{
		stop->finished = true;
		stop->takes_nulls |= !stop->plan.nulls_first;
	}
	stop->nulls_read |= stop->takes_nulls;
	stop->started = true;
	stop->has_more = false;
	stop->nulls_wait = false;
	stop->windows++;
	return true;
}

/* ---- complete groups ---- */

static bool
is_null_group(const NtsEarlyStop *stop, const NtsAggGroup *group)
{
	return ((group->nulls >> stop->plan.key) & 1) != 0;
}

/* The turned bucket of the first time that may still come, or one that is greater. false: nothing is known of it. */
static bool
bucket_beyond(NtsEarlyStop *stop, int64 *bucket)
{
	NtsAggVector *vector = &stop->vectors->vectors[stop->bucket];
	int64		time = stop->next_high;
	bool		isnull;

	if (pg_add_s64_overflow(time, nts_bucket_slack(vector->bucket), &time) || time > greatest_safe(stop) ||
		time < least_safe(stop))
		return false;
	*bucket = turn(stop, DatumGetInt64(nts_agg_vector_evaluate(stop->vectors, vector, vector->state,
															   Int64GetDatum(turn(stop, time)), false, &isnull)));
	return !isnull;
}

static int
compare_groups(const void *a, const void *b, void *arg)
{
	const NtsEarlyStop *stop = arg;
	const NtsAggGroup *x = *(NtsAggGroup *const *) a;
	const NtsAggGroup *y = *(NtsAggGroup *const *) b;
	bool		x_null = is_null_group(stop, x);
	bool		y_null = is_null_group(stop, y);
	int64		x_bucket = turn(stop, DatumGetInt64(x->keys[stop->plan.key]));
	int64		y_bucket = turn(stop, DatumGetInt64(y->keys[stop->plan.key]));

	if (x_null || y_null)
		return x_null == y_null ? 0 : x_null == stop->plan.nulls_first ? -1 : 1;
	return x_bucket > y_bucket ? -1 : x_bucket < y_bucket;
}

static void
note_group(NtsEarlyStop *stop, NtsAggGroup *group, MemoryContext context)
{
	if (stop->group_count == stop->room)
	{
		stop->room = Max(64, stop->room * 2);
		if (stop->groups == NULL)
			stop->groups = MemoryContextAlloc(context, sizeof(NtsAggGroup *) * stop->room);
		else
			stop->groups = repalloc_huge(stop->groups, sizeof(NtsAggGroup *) * stop->room);
	}
	stop->groups[stop->group_count++] = group;
}

void
nts_early_stop_leave(NtsEarlyStop *stop, NtsAggTable *table, MemoryContext context)
{
	uint64		first = stop->group_count;
	int64		above = PG_INT64_MIN;
	bool		all = stop->finished || !stop->has_more;

	if (!all && !bucket_beyond(stop, &above))
		return;
	for (NtsAggGroup *group = nts_agg_table_first(table); group != NULL; group = group->next)
	{
		int64		bucket = turn(stop, DatumGetInt64(group->keys[stop->plan.key]));

		if (is_null_group(stop, group))
		{
			if (stop->nulls_read && !stop->nulls_noted)
				note_group(stop, group, context);
		}
		else if ((all || bucket > above) && (!stop->any_complete || bucket <= stop->complete_above))
			note_group(stop, group, context);
	}
	stop->nulls_noted = stop->nulls_read;
	stop->any_complete = true;
	stop->complete_above = all ? PG_INT64_MIN : above;
	if (stop->group_count - first > 1)
		qsort_arg(stop->groups + first, stop->group_count - first, sizeof(NtsAggGroup *), compare_groups, stop);
}

void
nts_early_stop_take_rest(NtsEarlyStop *stop)
{
	stop->step = PG_INT64_MAX;
}

bool
nts_early_stop_is_noted(const NtsEarlyStop *stop, const NtsAggGroup *group)
{
	if (is_null_group(stop, group))
		return stop->nulls_noted;
	return stop->any_complete && turn(stop, DatumGetInt64(group->keys[stop->plan.key])) > stop->complete_above;
}

Tuplesortstate *
nts_early_stop_begin_sort(const NtsEarlyStop *stop, TupleDesc desc)
{
	int			order = stop->plan.descending ? -(stop->plan.key + 1) : stop->plan.key + 1;

	return nts_agg_begin_sort(desc, &order, 1, &stop->plan.nulls_first, 0);
}

NtsAggGroup *
nts_early_stop_group(const NtsEarlyStop *stop, uint64 i)
{
	return i < stop->group_count ? stop->groups[i] : NULL;
}

/* ---- beginning ---- */

static int64
first_step(const NtsEarlyStop *stop)
{
	const struct NtsBucket *bucket = stop->vectors->vectors[stop->bucket].bucket;
	int64		width = nts_bucket_width(bucket);
	int64		step;

	/* months and years are longer than the shortest one */
	width += width >= 27 * USECS_PER_DAY ? width / 8 : 0;
	if (pg_mul_s64_overflow(width, stop->plan.buckets, &step) ||
		pg_add_s64_overflow(step, nts_bucket_slack(bucket), &step))
		return PG_INT64_MAX;
	return step;
}

void
nts_early_stop_reset(NtsEarlyStop *stop)
{
	stop->started = false;
	stop->finished = false;
	stop->has_more = false;
	stop->nulls_wait = false;
	stop->nulls_read = false;
	stop->nulls_noted = false;
	stop->any_complete = false;
	stop->groups = NULL;
	stop->group_count = 0;
	stop->room = 0;
	stop->windows = 0;
	stop->step = first_step(stop);
}

NtsEarlyStop *
nts_early_stop_make(const NtsEarlyPlan *plan, CustomScanState *child, const NtsScanChooser *inner, NtsAggVectors *vectors,
					const int *keys)
{
	NtsEarlyStop *stop = palloc0(sizeof(NtsEarlyStop));
	NtsAggVector *vector = &vectors->vectors[keys[plan->key]];

	if (vector->bucket == NULL)
		elog(ERROR, "nodedb_ts: a group key is no bucket any more");
	stop->plan = *plan;
	stop->scan = (NtsScanState *) child;
	stop->inner = inner;
	stop->vectors = vectors;
	stop->bucket = keys[plan->key];
	stop->column = nts_bucket_input(vector->bucket)->varattno - 1;
	stop->chooser.skip_group = skip_group;
	stop->chooser.skip_vector = skip_vector;
	stop->chooser.keep_rows = keep_rows;
	stop->chooser.keep_range = keep_range;
	stop->chooser.arg = stop;
	nts_scan_set_chooser(child, &stop->chooser);
	nts_early_stop_reset(stop);
	return stop;
}

void
nts_early_stop_explain(const NtsEarlyStop *stop, List *keys, ExplainState *es)
{
	const char *nulls = stop->plan.nulls_first == stop->plan.descending ? "" :
		stop->plan.nulls_first ? " NULLS FIRST" : " NULLS LAST";

	ExplainPropertyText("Order", psprintf("%s%s%s", (char *) list_nth(keys, stop->plan.key),
										  stop->plan.descending ? " DESC" : "", nulls), es);
	if (es->analyze)
		ExplainPropertyUInteger("Time Windows", NULL, stop->windows, es);
}
