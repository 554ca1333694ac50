/*
 * aggregate_order.c - groups in the order that the query asks for, or that a sort above the node wants first of all.
 *
 * Each key of the order becomes a word a group: integers and times are words; other values get their rank among the
 * distinct ones, of which there are mostly far fewer than groups, so that names are compared a few times each. (Where
 * there are not, nothing would be won: the order ends before that key.) Then the groups are sorted by one key after the
 * other, the last one first, as equal words stay in order.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"
#include "utils/sortsupport.h"
#include "utils/tuplesort.h"
#include "utils/typcache.h"

#include "pg/scan/aggregate.h"
#include "pg/scan/aggregate_intern.h"
#include "pg/scan/ordered.h"

/* A value of a key that is compared by its collation must stand in so many groups on average where it is a question of
 * what pays, and the groups are not few. */
#define LEAST_GROUPS 4
/* Bits by which groups are distributed at once: a byte where there are few. */
#define MOST_DIGIT_BITS 12
#define FEW_GROUPS 4096

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

static bool
is_in_order(const Ordered *groups, uint32 count)
{
	for (uint32 i = 1; i < count; i++)
		if (groups[i].word < groups[i - 1].word)
			return false;
	return true;
}

/* Some bits of a word, in its order as an unsigned one. */
static inline uint32
digit_of(const Ordered *group, int shift, uint32 mask)
{
	return (uint32) (((uint64) group->word ^ (UINT64CONST(1) << 63)) >> shift) & mask;
}

static void
distribute(const Ordered *from, Ordered *to, uint32 count, int shift, uint32 mask)
{
	uint32		places[1 << MOST_DIGIT_BITS];
	uint32		place = 0;

	memset(places, 0, sizeof(uint32) * (mask + 1));
	for (uint32 i = 0; i < count; i++)
		places[digit_of(&from[i], shift, mask)]++;
	for (uint32 digit = 0; digit <= mask; digit++)
	{
		uint32		groups = places[digit];

		places[digit] = place;
		place += groups;
	}
	for (uint32 i = 0; i < count; i++)
		to[places[digit_of(&from[i], shift, mask)]++] = from[i];
}

/* Radix sort by the bits that differ, the last ones first. Returns where the groups are now, `groups` or `room`. */
static Ordered *
sort_by_word(Ordered *groups, Ordered *room, uint32 count)
{
	int			bits = count < FEW_GROUPS ? 8 : MOST_DIGIT_BITS;
	uint32		mask = (UINT32_C(1) << bits) - 1;
	uint64		differing = 0;
	int			shift;

	if (is_in_order(groups, count))
		return groups;
	for (uint32 i = 1; i < count; i++)
		differing |= (uint64) (groups[i].word ^ groups[0].word);
	shift = pg_rightmost_one_pos64(differing);
	for (; shift < 64 && differing >> shift != 0; shift += bits)
	{
		Ordered    *swap = groups;

		if (((differing >> shift) & mask) == 0)
			continue;
		CHECK_FOR_INTERRUPTS();
		distribute(groups, room, count, shift, mask);
		groups = room;
		room = swap;
	}
	return groups;
}

static Ranked *
find_rank(Ranked *slots, uint32 mask, Datum value)
{
	uint32		place = (uint32) nts_mix((uint64) value) & mask;

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

/* Words of a key of values by reference: equal ones have one address. false: more than `most` are different. */
static bool
rank_values(Ordered *groups, uint32 count, const NtsAggVector *vector, int key, uint32 most)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "nodedb_ts ranks", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	SortSupportData support = {0};
	uint32		mask = pg_nextpower2_32(2 * (most + 1)) - 1;
	Ranked	   *slots = palloc0(sizeof(Ranked) * ((Size) mask + 1));
	Datum	   *values = palloc(sizeof(Datum) * (most + 1));
	uint32		distinct = 0;
	Datum		last = (Datum) 0;
	int64		last_rank = 0;
	bool		pays;

	/* neighbours are often of one series */
	for (uint32 i = 0; i < count && distinct <= most; i++)
	{
		Datum		value = groups[i].group->keys[key];
		Ranked	   *slot;

		if (key_is_null(groups[i].group, key) || value == last)
			continue;
		last = value;
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
		for (uint32 i = 0; i < distinct; i++)
			find_rank(slots, mask, values[i])->rank = (int64) i;
		last = (Datum) 0;
		for (uint32 i = 0; i < count; i++)
		{
			Datum		value = groups[i].group->keys[key];

			if (key_is_null(groups[i].group, key))
				continue;
			if (value != last)
				last_rank = find_rank(slots, mask, value)->rank;
			last = value;
			groups[i].word = last_rank;
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return pays;
}

/* false: it would not pay. Sets *any_null; NULLs have one word, of no meaning. */
static bool
take_words(Ordered *groups, uint32 count, const NtsAggVector *vector, int key, bool descending, uint32 most, bool *any_null)
{
	*any_null = false;
	if (!vector->typbyval && !rank_values(groups, count, vector, key, most))
		return false;
	for (uint32 i = 0; i < count; i++)
	{
		if (key_is_null(groups[i].group, key))
		{
			*any_null = true;
			groups[i].word = 0;
		}
		else if (vector->typbyval)
			groups[i].word = (int64) groups[i].group->keys[key];
		if (descending)
			groups[i].word = ~groups[i].word;	/* not the negative, which overflows */
	}
	return true;
}

/* As if they were the greatest, greater than infinity: PostgreSQL's default. */
static void
take_nulls(Ordered *groups, uint32 count, int key, bool descending)
{
	for (uint32 i = 0; i < count; i++)
		groups[i].word = key_is_null(groups[i].group, key) != descending;
}

bool
nts_agg_sort_groups(NtsAggGroup **groups, uint32 count, const NtsAggVectors *vectors, const int *keys, const int *orders,
					int order_count, bool all_ranks)
{
	uint32		most = all_ranks || count < FEW_GROUPS ? count : count / LEAST_GROUPS;
	Ordered    *ordered = palloc(sizeof(Ordered) * 2 * (Size) count);
	Ordered    *now = ordered;
	bool		complete = true;

	for (uint32 i = 0; i < count; i++)
		ordered[i] = (Ordered) {0, groups[i]};
	for (int o = order_count - 1; o >= 0; o--)
	{
		int			key = abs(orders[o]) - 1;
		bool		any_null;

		if (!take_words(now, count, &vectors->vectors[keys[key]], key, orders[o] < 0, most, &any_null))
		{
			/* keys before it may be ordered all the same, from where the groups were */
			complete = false;
			now = ordered;
			for (uint32 i = 0; i < count; i++)
				ordered[i] = (Ordered) {0, groups[i]};
			continue;
		}
		now = sort_by_word(now, now == ordered ? ordered + count : ordered, count);
		if (any_null)
		{
			take_nulls(now, count, key, orders[o] < 0);
			now = sort_by_word(now, now == ordered ? ordered + count : ordered, count);
		}
	}
	for (uint32 i = 0; i < count; i++)
		groups[i] = now[i].group;
	pfree(ordered);
	return complete;
}

Tuplesortstate *
nts_agg_begin_sort(TupleDesc desc, const int *orders, int order_count, const bool *nulls_first, int wanted)
{
	AttrNumber *columns = palloc(sizeof(AttrNumber) * order_count);
	Oid		   *operators = palloc(sizeof(Oid) * order_count);
	Oid		   *collations = palloc(sizeof(Oid) * order_count);
	bool	   *first = palloc(sizeof(bool) * order_count);
	Tuplesortstate *sort;

	for (int o = 0; o < order_count; o++)
	{
		bool		descending = orders[o] < 0;
		Form_pg_attribute att = TupleDescAttr(desc, abs(orders[o]) - 1);
		TypeCacheEntry *entry = lookup_type_cache(att->atttypid, TYPECACHE_LT_OPR | TYPECACHE_GT_OPR);

		columns[o] = att->attnum;
		operators[o] = descending ? entry->gt_opr : entry->lt_opr;
		collations[o] = att->attcollation;
		first[o] = nulls_first != NULL ? nulls_first[o] : descending;
	}
	sort = tuplesort_begin_heap(desc, order_count, columns, operators, collations, first, work_mem, NULL,
								wanted > 0 ? TUPLESORT_ALLOWBOUNDED : TUPLESORT_NONE);
	if (wanted > 0)
		tuplesort_set_bound(sort, wanted);
	pfree(columns);
	pfree(operators);
	pfree(collations);
	pfree(first);
	return sort;
}
