/*
 * compact_plan.c - which segments ts_compact merges.
 *
 * Segments that share a bucket of time belong together, and so do buckets that a segment
 * spans. Of closed buckets all segments are merged into as few as the largest size allows,
 * at level 2; small neighbours are joined, so that slow data does not end in thousands of
 * tiny segments. Nothing is done where nothing is gained: what is of level 2 already, and
 * of which there would not be fewer.
 *
 * An open bucket gets segments as long as it is open. Those of a similar size are merged
 * when there are eight of them (size-tiered): each row is so written a few times, and at
 * most some dozens of segments overlap a point in time.
 */
#include "postgres.h"

#include "common/int.h"
#include "miscadmin.h"

#include "pg/error.h"
#include "pg/maintenance/clock.h"
#include "pg/maintenance/compact.h"
#include "pg/maintenance/target.h"

#define FAN_OUT 8				/* segments of a similar size that are merged */
#define TIER_ROWS 8192			/* the smallest size; each tier is FAN_OUT times larger */
#define JOIN_ROWS 1000000		/* closed neighbours are joined below this */
#define RETENTION_SHARE 16		/* and within this share of the retention age */

/* A segment being full to this share counts as full: row groups are not cut. */
#define FULL_ROWS (NTS_MAX_SEGMENT_ROWS / 10 * 9)
#define FULL_BYTES (NTS_MAX_SEGMENT_BYTES / 10 * 7)

/* A set of segments that are merged or left as a whole. */
typedef struct Component
{
	int			first;			/* in the entries */
	int			count;
	int64		low;			/* buckets */
	int64		high;
	bool		closed;
	bool		timeless;		/* rows without a time only */
	uint64		rows;
	uint64		bytes;
	int			level_1;		/* segments of level 1 */
} Component;

typedef struct Plan
{
	NtsCompaction *compaction;
	NtsEntryRef *entries;
	NtsCompactGroup *groups;
	int			count;
	int			room;
} Plan;

static bool
is_timeless(const NtsEntry *entry)
{
	return (entry->flags & NTS_ENTRY_HAS_TIME) == 0;
}

static int
compare_times(const void *a, const void *b)
{
	const NtsEntry *x = &((const NtsEntryRef *) a)->entry;
	const NtsEntry *y = &((const NtsEntryRef *) b)->entry;

	if (is_timeless(x) != is_timeless(y))
		return is_timeless(x) ? -1 : 1;
	if (!is_timeless(x) && x->min_time != y->min_time)
		return x->min_time < y->min_time ? -1 : 1;
	return x->generation < y->generation ? -1 : x->generation > y->generation;
}

static int
compare_generations(const void *a, const void *b)
{
	uint64		x = ((const NtsEntryRef *) a)->entry.generation;
	uint64		y = ((const NtsEntryRef *) b)->entry.generation;

	return x < y ? -1 : x > y;
}

static int
compare_sizes(const void *a, const void *b)
{
	uint64		x = ((const NtsEntryRef *) a)->entry.rows;
	uint64		y = ((const NtsEntryRef *) b)->entry.rows;

	return x < y ? -1 : x > y ? 1 : compare_generations(a, b);
}

static void
add_group(Plan *plan, NtsEntryRef *entries, int count, uint8 level)
{
	NtsCompactGroup *group;

	if (plan->count == plan->room)
	{
		plan->room = Max(16, plan->room * 2);
		plan->groups = plan->groups == NULL ? palloc(sizeof(NtsCompactGroup) * plan->room) :
			repalloc(plan->groups, sizeof(NtsCompactGroup) * plan->room);
	}
	group = &plan->groups[plan->count++];
	group->entries = entries;
	group->count = count;
	group->level = level;
	/* of rows with equal series and time, those that came first stay first */
	qsort(entries, count, sizeof(NtsEntryRef), compare_generations);
}

/* ---- components ---- */

/*
 * Without buckets nothing tells when the only one ends: for the caller who asks it is
 * closed, as far as `before` goes; the worker, which asks again and again, must
 * not write the whole table anew each time.
 */
static bool
single_bucket_closed(const NtsCompaction *compaction, const NtsEntry *entry)
{
	if (compaction->has_before)
		return entry->max_time < compaction->end;
	return !nts_maintenance_yields;
}

static bool
is_closed(const NtsCompaction *compaction, const Component *component, const NtsEntryRef *entries)
{
	if (component->timeless && compaction->options.time_column != 0)
		return true;
	if (compaction->options.bucket <= 0 || compaction->options.time_column == 0)
	{
		for (int i = 0; i < component->count; i++)
			if (!single_bucket_closed(compaction, &entries[component->first + i].entry))
				return false;
		return true;
	}
	if (!compaction->has_end)
		return !nts_maintenance_yields;
	return nts_clock_bucket_end(&compaction->options, component->high) <= compaction->end;
}

static Component *
find_components(NtsCompaction *compaction, NtsEntryRef *entries, int count, int *component_count)
{
	Component  *components = palloc0(sizeof(Component) * Max(count, 1));
	Component  *open = NULL;
	int			n = 0;

	qsort(entries, count, sizeof(NtsEntryRef), compare_times);
	for (int i = 0; i < count; i++)
	{
		const NtsEntry *entry = &entries[i].entry;
		int64		low = is_timeless(entry) ? PG_INT64_MIN : nts_clock_bucket(&compaction->options, entry->min_time);
		int64		high = is_timeless(entry) ? PG_INT64_MIN : nts_clock_bucket(&compaction->options, entry->max_time);

		if (open == NULL || open->timeless != is_timeless(entry) || low > open->high)
		{
			open = &components[n++];
			open->first = i;
			open->low = low;
			open->high = high;
			open->timeless = is_timeless(entry);
		}
		open->high = Max(open->high, high);
		open->count++;
		open->rows += entry->rows;
		open->bytes += entry->byte_length;
		open->level_1 += entry->level == NTS_LEVEL_L1;
	}
	for (int i = 0; i < n; i++)
		components[i].closed = is_closed(compaction, &components[i], entries);
	*component_count = n;
	return components;
}

/* How many units of time a segment may span that was joined from several buckets. */
static int64
longest_join(const NtsOptions *options)
{
	int64		age;

	if (!options->has_retention)
		return PG_INT64_MAX;
	if (nts_clock_is_integer(options))
		return options->retention_integer / RETENTION_SHARE;
	age = (int64) options->retention.month * DAYS_PER_MONTH + options->retention.day;
	if (pg_mul_s64_overflow(age, USECS_PER_DAY, &age) ||
		pg_add_s64_overflow(age, options->retention.time, &age))
		return PG_INT64_MAX;
	return (options->bucket == 1 ? age / USECS_PER_DAY : age) / RETENTION_SHARE;
}

/* Joins small closed neighbours, in place; returns how many components are left. */
static int
join_components(const NtsCompaction *compaction, Component *components, int count)
{
	int64		longest = longest_join(&compaction->options);
	int			n = 0;

	for (int i = 0; i < count; i++)
	{
		Component  *last = n > 0 ? &components[n - 1] : NULL;
		Component  *next = &components[i];
		int64		buckets;
		int64		span;
		bool		join = last != NULL && last->closed && next->closed && !last->timeless &&
			compaction->options.bucket > 0 && last->rows + next->rows < JOIN_ROWS;

		if (join && longest < PG_INT64_MAX)
			join = !pg_sub_s64_overflow(next->high, last->low, &buckets) &&
				!pg_mul_s64_overflow(buckets + 1, compaction->options.bucket, &span) && span <= longest;
		if (!join)
		{
			components[n++] = *next;
			continue;
		}
		last->high = next->high;
		last->count += next->count;
		last->rows += next->rows;
		last->bytes += next->bytes;
		last->level_1 += next->level_1;
	}
	return n;
}

/* ---- what is due ---- */

static uint64
series_of(NtsCompaction *compaction, const NtsEntry *entry)
{
	NtsSegment *segment = nts_compact_open(compaction, entry);
	NtsSegmentInfo info;

	nts_segment_info(segment, &info);
	nts_segment_close(segment);
	return info.series;
}

/* Where only level 2 is there: would two neighbours, in the order in which a merge wrote them, fit into one segment? Each
 * of them may have ended for another reason: rows, bytes or series. */
static bool
could_be_fewer(NtsCompaction *compaction, const Component *component, NtsEntryRef *entries)
{
	qsort(entries, component->count, sizeof(NtsEntryRef), compare_generations);
	for (int i = 1; i < component->count; i++)
	{
		const NtsEntry *one = &entries[i - 1].entry;
		const NtsEntry *two = &entries[i].entry;

		if (one->rows + two->rows <= FULL_ROWS && one->byte_length + two->byte_length <= FULL_BYTES &&
			series_of(compaction, one) + series_of(compaction, two) <= NTS_MAX_SEGMENT_SERIES)
			return true;
	}
	return false;
}

static int
tier_of(uint64 rows)
{
	int			tier = 0;

	for (uint64 size = TIER_ROWS; rows >= size; size *= FAN_OUT)
		tier++;
	return tier;
}

/* How many segments a merge makes at least: those of very many series end early. */
static int
segments_by_series(NtsCompaction *compaction, const NtsEntryRef *entries, int count)
{
	uint64		series = 0;

	for (int i = 0; i < count; i++)
		series += series_of(compaction, &entries[i].entry);
	return (int) ((series + NTS_MAX_SEGMENT_SERIES - 1) / NTS_MAX_SEGMENT_SERIES);
}

/* In an open bucket: sets of FAN_OUT segments or more of a similar size. */
static void
plan_tiers(Plan *plan, const Component *component)
{
	NtsEntryRef *entries = plan->entries + component->first;

	qsort(entries, component->count, sizeof(NtsEntryRef), compare_sizes);
	for (int first = 0; first < component->count;)
	{
		int			tier = tier_of(entries[first].entry.rows);
		uint64		rows = 0;
		uint64		bytes = 0;
		int			taken = 0;

		/* what would make the largest size would not be one segment */
		while (first + taken < component->count && entries[first + taken].entry.level == NTS_LEVEL_L1 &&
			   tier_of(entries[first + taken].entry.rows) == tier &&
			   rows + entries[first + taken].entry.rows <= FULL_ROWS &&
			   bytes + entries[first + taken].entry.byte_length <= FULL_BYTES)
		{
			rows += entries[first + taken].entry.rows;
			bytes += entries[first + taken].entry.byte_length;
			taken++;
		}
		if (taken >= FAN_OUT && segments_by_series(plan->compaction, entries + first, taken) <= taken / 2)
			add_group(plan, entries + first, taken, NTS_LEVEL_L1);
		first += Max(taken, 1);
	}
}

NtsCompactGroup *
nts_compact_plan(NtsCompaction *compaction, NtsEntryRef *entries, int count, int *group_count)
{
	Plan		plan = {0};
	int			component_count;
	Component  *components = find_components(compaction, entries, count, &component_count);

	plan.compaction = compaction;
	plan.entries = entries;
	component_count = join_components(compaction, components, component_count);
	for (int i = 0; i < component_count; i++)
	{
		Component  *component = &components[i];

		CHECK_FOR_INTERRUPTS();
		if (!component->closed)
			plan_tiers(&plan, component);
		else if (component->level_1 > 0 || could_be_fewer(compaction, component, entries + component->first))
			add_group(&plan, entries + component->first, component->count, NTS_LEVEL_L2);
	}
	pfree(components);
	*group_count = plan.count;
	return plan.groups;
}
