/*
 * aggregate_distinct.c - aggregates with DISTINCT: only the first of a group's equal values gets to the state.
 *
 * A set holds pairs of a group's state and a value, for all groups together. Values are compared as group keys are: as
 * words, by-reference ones by the address of the copy that is kept. A value that repeats the one before it in a run of
 * rows, as those of series do, is not looked up.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "pg/scan/aggregate_intern.h"

#define FIRST_SLOTS 256

typedef struct Pair
{
	NtsAggState *state;			/* NULL: the slot is empty */
	Datum		value;
} Pair;

typedef struct NtsAggDistinct
{
	int			argument;		/* vector */
	MemoryContext context;		/* of all that follows */
	NtsChunks	chunks;
	NtsInterner *interner;		/* NULL: values by value */
	Pair	   *slots;			/* open addressing */
	uint64		mask;
	uint64		count;
} NtsAggDistinct;

struct NtsAggDistinct *
nts_agg_distinct_make(const NtsAggVectors *vectors, int argument)
{
	NtsAggDistinct *distinct = MemoryContextAllocZero(vectors->context, sizeof(NtsAggDistinct));

	distinct->argument = argument;
	distinct->context = AllocSetContextCreate(vectors->context, "nodedb_ts distinct values", ALLOCSET_DEFAULT_SIZES);
	return distinct;
}

void
nts_agg_distinct_reset(struct NtsAggDistinct *distinct, const NtsAggVectors *vectors)
{
	const NtsAggVector *vector = &vectors->vectors[distinct->argument];

	MemoryContextReset(distinct->context);
	memset(&distinct->chunks, 0, sizeof(NtsChunks));
	distinct->chunks.context = distinct->context;
	distinct->interner = vector->typbyval ? NULL : nts_interner_make(&distinct->chunks, vector);
	distinct->mask = FIRST_SLOTS - 1;
	distinct->slots = MemoryContextAllocZero(distinct->context, sizeof(Pair) * FIRST_SLOTS);
	distinct->count = 0;
}

Size
nts_agg_distinct_pair_size(void)
{
	/* with its share of a table that is half full */
	return 2 * sizeof(Pair);
}

Size
nts_agg_distinct_memory(const struct NtsAggDistinct *distinct)
{
	return MemoryContextMemAllocated(distinct->context, true);
}

void
nts_agg_distinct_forget_addresses(struct NtsAggDistinct *distinct)
{
	if (distinct->interner != NULL)
		nts_interner_forget_addresses(distinct->interner);
}

static inline uint64
hash_pair(const NtsAggState *state, Datum value)
{
	return nts_mix((uint64) value ^ nts_mix((uint64) (uintptr_t) state));
}

static void
grow(NtsAggDistinct *distinct)
{
	uint64		mask = distinct->mask * 2 + 1;
	Pair	   *slots = MemoryContextAllocExtended(distinct->context, sizeof(Pair) * (mask + 1),
												   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (uint64 i = 0; i <= distinct->mask; i++)
		if (distinct->slots[i].state != NULL)
		{
			uint64		place = hash_pair(distinct->slots[i].state, distinct->slots[i].value) & mask;

			while (slots[place].state != NULL)
				place = (place + 1) & mask;
			slots[place] = distinct->slots[i];
		}
	pfree(distinct->slots);
	distinct->slots = slots;
	distinct->mask = mask;
}

/* Is it the first of its kind in the group? Leaves garbage in the current memory context. */
static bool
is_first(NtsAggDistinct *distinct, const NtsAggVector *vector, NtsAggState *state, Datum value)
{
	uint64		place;

	value = distinct->interner != NULL ? nts_intern(distinct->interner, value, true) : nts_equal_word(value, vector);
	for (place = hash_pair(state, value) & distinct->mask; distinct->slots[place].state != NULL;
		 place = (place + 1) & distinct->mask)
		if (distinct->slots[place].state == state && distinct->slots[place].value == value)
			return false;
	distinct->slots[place].state = state;
	distinct->slots[place].value = value;
	if (++distinct->count > distinct->mask / 2)
		grow(distinct);
	return true;
}

void
nts_agg_distinct_advance(NtsAggregate *aggregate, const NtsAggVectors *vectors, NtsAggState *state, uint32 first,
						 uint32 count)
{
	NtsAggDistinct *distinct = aggregate->distinct;
	const NtsAggVector *vector = &vectors->vectors[distinct->argument];
	const Datum *values = vector->values;
	const uint8 *skip = aggregate->skip;
	MemoryContext old = MemoryContextSwitchTo(vectors->econtext->ecxt_per_tuple_memory);
	bool		any = false;
	Datum		before = (Datum) 0;

	for (uint32 i = first; i < first + count; i++)
	{
		if (skip != NULL && skip[i])
			continue;
		if (any && values[i] == before)
			continue;
		before = values[i];
		any = true;
		if (is_first(distinct, vector, state, before))
			nts_agg_advance_rows(aggregate, vectors, state, i, 1);
	}
	MemoryContextSwitchTo(old);
}

void
nts_agg_distinct_count(const NtsAggregate *aggregate, const NtsAggVectors *vectors, NtsAggState *state, Datum value)
{
	NtsAggDistinct *distinct = aggregate->distinct;
	MemoryContext old = MemoryContextSwitchTo(vectors->econtext->ecxt_per_tuple_memory);

	if (is_first(distinct, &vectors->vectors[distinct->argument], state, value))
		state->count++;
	MemoryContextSwitchTo(old);
}
