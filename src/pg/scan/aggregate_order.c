/*
 * aggregate_order.c - groups in the order that a sort above the node wants.
 *
 * Each key of the order becomes a word a group: integers and times are words; other values get their rank among the
 * distinct ones, of which there are mostly far fewer than groups, so that names are compared a few times each. (Where
 * there are not, nothing would be won: the order ends before that key.) Then the groups are merged by one key after the
 * other, the last one first, as equal words stay in order.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/memutils.h"
#include "utils/sortsupport.h"
#include "utils/typcache.h"

#include "pg/scan/aggregate.h"
#include "pg/scan/aggregate_intern.h"
#include "pg/scan/ordered.h"

/* A value of a key that is compared by its collation must stand in so many groups on average. */
#define LEAST_GROUPS 4

typedef struct Ordered
{
	int64		word;
	NtsAggGroup *group;
} Ordered;

/* A distinct value, which its address stands for. */
typedef struct Ranked
{
	Datum		value;			/* 0: free slot */
	int64		rank;
} Ranked;

static inline bool
key_is_null(const NtsAggGroup *group, int key)
{
	return (group->nulls >> key) & 1;
}

/* Two sorted neighbours into one; of equal ones those of the first come first. */
static void
merge_two(const Ordered *a, Size a_count, const Ordered *b, Size b_count, Ordered *out)
{
	while (a_count > 0 && b_count > 0)
	{
		bool		take_b = b->word < a->word;

		*out++ = take_b ? *b : *a;
		b += take_b;
		b_count -= take_b;
		a += !take_b;
		a_count -= !take_b;
	}
	memcpy(out, a_count > 0 ? a : b, sizeof(Ordered) * (a_count + b_count));
}

static bool
is_in_order(const Ordered *groups, Size count)
{
	for (Size i = 1; i < count; i++)
		if (groups[i].word < groups[i - 1].word)
			return false;
	return true;
}

/* Returns where they are now, `groups` or `room`. */
static Ordered *
merge_by_word(Ordered *groups, Ordered *room, Size count)
{
	if (is_in_order(groups, count))
		return groups;
	for (Size width = 1; width < count; width *= 2)
	{
		Ordered    *swap = groups;

		for (Size begin = 0; begin < count; begin += 2 * width)
		{
			Size		middle = Min(begin + width, count);

			merge_two(groups + begin, middle - begin, groups + middle, Min(middle + width, count) - middle, room + begin);
		}
		CHECK_FOR_INTERRUPTS();
		groups = room;
		room = swap;
	}
	return groups;
}

static Ranked *
find_rank(Ranked *slots, uint64 mask, Datum value)
{
	uint64		place = nts_mix((uint64) value) & mask;

	while (slots[place].value != (Datum) 0 && slots[place].value != value)
		place = (place + 1) & mask;
	return &slots[place];
}

static int
compare_values(const void *a, const void *b, void *support)
{
	CHECK_FOR_INTERRUPTS();
	return ApplySortComparator(*(const Datum *) a, false, *(const Datum *) b, false, (SortSupport) support);
}

/* Words of a key of values by reference: equal ones have one address. false: too many are different. */
static bool
rank_values(Ordered *groups, Size count, const NtsAggVector *vector, int key)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "nodedb_ts ranks", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	SortSupportData support = {0};
	Size		most = count / LEAST_GROUPS;
	uint64		mask = pg_nextpower2_64(2 * (most + 1)) - 1;
	Ranked	   *slots = palloc0(sizeof(Ranked) * (mask + 1));
	Datum	   *values = palloc(sizeof(Datum) * (most + 1));
	Size		distinct = 0;
	bool		pays;

	for (Size i = 0; i < count && distinct <= most; i++)
	{
		Datum		value = groups[i].group->keys[key];
		Ranked	   *slot;

		if (key_is_null(groups[i].group, key))
			continue;
		slot = find_rank(slots, mask, value);
		if (slot->value == (Datum) 0)
			values[distinct++] = slot->value = value;
	}
	pays = distinct <= most;
	if (pays)
	{
		nts_prepare_sort(context, lookup_type_cache(vector->type, TYPECACHE_LT_OPR)->lt_opr,
						 exprCollation((Node *) vector->expr), false, &support);
		qsort_arg(values, distinct, sizeof(Datum), compare_values, &support);
		for (Size i = 0; i < distinct; i++)
			find_rank(slots, mask, values[i])->rank = (int64) i;
		for (Size i = 0; i < count; i++)
			if (!key_is_null(groups[i].group, key))
				groups[i].word = find_rank(slots, mask, groups[i].group->keys[key])->rank;
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return pays;
}

/* false: it would not pay. */
static bool
take_words(Ordered *groups, Size count, const NtsAggVector *vector, int key, bool descending)
{
	if (!vector->typbyval && !rank_values(groups, count, vector, key))
		return false;
	for (Size i = 0; i < count; i++)
	{
		if (key_is_null(groups[i].group, key))
			groups[i].word = PG_INT64_MAX;	/* as if greatest: PostgreSQL's default */
		else if (vector->typbyval)
			groups[i].word = (int64) groups[i].group->keys[key];
		if (descending)
			groups[i].word = ~groups[i].word;	/* not the negative, which overflows */
	}
	return true;
}

void
nts_agg_sort_groups(NtsAggGroup **groups, Size count, const NtsAggVectors *vectors, const int *keys, const int *orders,
					int order_count)
{
	Ordered    *ordered = palloc(sizeof(Ordered) * 2 * count);
	Ordered    *now = ordered;

	for (Size i = 0; i < count; i++)
		ordered[i].group = groups[i];
	for (int o = order_count - 1; o >= 0; o--)
	{
		int			key = abs(orders[o]) - 1;

		if (!take_words(now, count, &vectors->vectors[keys[key]], key, orders[o] < 0))
		{
			/* keys before it may be ordered all the same, from where the groups were */
			now = ordered;
			for (Size i = 0; i < count; i++)
				ordered[i].group = groups[i];
			continue;
		}
		now = merge_by_word(now, now == ordered ? ordered + count : ordered, count);
	}
	for (Size i = 0; i < count; i++)
		groups[i] = now[i].group;
	pfree(ordered);
}
