/*
 * aggregate_distinct.c - aggregates with DISTINCT: only the first of a group's equal values gets to the state.
 *
 * A set holds pairs of a group's state and a value, for all groups together. Values are compared as group keys are: as
 * words, by-reference ones by the address of the copy that is kept. A value that repeats the one before it in a run of
 * rows, as those of series do, is not looked up.
 *
 * When the set takes more than its share of memory, nothing is added any more: a pair that it does not hold is written to
 * a temporary file. At the end of the pass the pairs there, all of them others than those in the set, go through sets of
 * their own.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/scan/aggregate_intern.h"
#include "pg/scan/aggregate_spill.h"

#define FIRST_SLOTS 256
#define LEAST_ROOM (32 * 1024)	/* for pairs */

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
	Size		limit;			/* of bytes in `context` */
	bool		full;			/* other pairs go to the queue */
	NtsSpillQueue waiting;
} NtsAggDistinct;

struct NtsAggDistinct *
nts_agg_distinct_make(const NtsAggVectors *vectors, int argument)
{
	NtsAggDistinct *distinct = MemoryContextAllocZero(vectors->context, sizeof(NtsAggDistinct));

	distinct->argument = argument;
	distinct->context = AllocSetContextCreate(vectors->context, "nodedb_ts distinct values", ALLOCSET_DEFAULT_SIZES);
	return distinct;
}

/* Makes an empty set. */
static void
clear(NtsAggDistinct *distinct, const NtsAggVectors *vectors)
{
	const NtsAggVector *vector = &vectors->vectors[distinct->argument];

	MemoryContextReset(distinct->context);
	memset(&distinct->chunks, 0, sizeof(NtsChunks));
	distinct->chunks.context = distinct->context;
	distinct->interner = vector->typbyval ? NULL : nts_interner_make(&distinct->chunks, vector);
	distinct->mask = FIRST_SLOTS - 1;
	distinct->slots = MemoryContextAllocZero(distinct->context, sizeof(Pair) * FIRST_SLOTS);
	distinct->count = 0;
	distinct->full = false;
}

void
nts_agg_distinct_reset(struct NtsAggDistinct *distinct, const NtsAggVectors *vectors, NtsSpill *spill, Size limit)
{
	clear(distinct, vectors);
	/* each pass must get on */
	distinct->limit = Max(limit, nts_agg_distinct_memory(distinct) + LEAST_ROOM);
	nts_spill_queue_init(&distinct->waiting, spill, limit);
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

/* Writes a pair that the full set does not hold. */
static void
let_wait(NtsAggDistinct *distinct, const NtsAggVector *vector, NtsAggState *state, Datum value)
{
	uint64		hash = nts_mix(nts_spill_seed(&distinct->waiting) ^ (uint64) (uintptr_t) state);
	LogicalTape *tape;

	hash = nts_mix(hash ^ (vector->typbyval ? (uint64) value : nts_hash_reference(vector, value)));
	tape = nts_spill_tape(&distinct->waiting, hash);
	nts_spill_write(&distinct->waiting, tape, &state, sizeof(state));
	if (vector->typbyval)
		nts_spill_write(&distinct->waiting, tape, &value, sizeof(value));
	else
		nts_spill_write_reference(&distinct->waiting, tape, value, vector->typlen);
}

/*
 * Is it known to be the first of its kind in the group? If not, it may be looked at again when the pass has ended. Leaves
 * garbage in the current memory context.
 */
static bool
is_first(NtsAggDistinct *distinct, const NtsAggVector *vector, NtsAggState *state, Datum value)
{
	Datum		kept = distinct->interner != NULL ? nts_intern(distinct->interner, value, !distinct->full) :
		nts_equal_word(value, vector);
	uint64		place = hash_pair(state, kept) & distinct->mask;

	if (kept != (Datum) 0 || distinct->interner == NULL)
		for (; distinct->slots[place].state != NULL; place = (place + 1) & distinct->mask)
			if (distinct->slots[place].state == state && distinct->slots[place].value == kept)
				return false;
	if (distinct->full)
	{
		let_wait(distinct, vector, state, distinct->interner != NULL ? value : kept);
		return false;
	}
	distinct->slots[place].state = state;
	distinct->slots[place].value = kept;
	distinct->count++;
	distinct->full = nts_agg_distinct_memory(distinct) > distinct->limit;
	if (distinct->count <= distinct->mask / 2)
		return true;
	if (nts_agg_distinct_memory(distinct) + sizeof(Pair) * 2 * (distinct->mask + 1) > distinct->limit)
		distinct->full = true;
	else
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

/* What nts_agg_advance_rows does with a row that has this value. */
static void
advance_by_value(NtsAggregate *aggregate, NtsAggVectors *vectors, NtsAggState *state, Datum value)
{
	NtsAggVector *vector = &vectors->vectors[aggregate->args[0]];

	vector->values = &value;
	vector->nulls = NULL;
	aggregate->skip = NULL;
	nts_agg_advance_rows(aggregate, vectors, state, 0, 1);
}

void
nts_agg_distinct_finish(NtsAggregate *aggregate, NtsAggVectors *vectors)
{
	NtsAggDistinct *distinct = aggregate->distinct;
	NtsSpillQueue *waiting = &distinct->waiting;
	const NtsAggVector *vector = &vectors->vectors[distinct->argument];
	MemoryContext old = MemoryContextSwitchTo(vectors->econtext->ecxt_per_tuple_memory);
	NtsAggState *state;
	Datum		value;

	for (nts_spill_end_pass(waiting); nts_spill_begin_pass(waiting); nts_spill_end_pass(waiting))
	{
		clear(distinct, vectors);
		while (nts_spill_read(waiting, &state, sizeof(state), true))
		{
			CHECK_FOR_INTERRUPTS();
			ResetExprContext(vectors->econtext);
			nts_agg_distinct_forget_addresses(distinct);
			if (vector->typbyval)
				nts_spill_read(waiting, &value, sizeof(value), false);
			else
				value = nts_spill_read_reference(waiting, vector->typlen);
			if (is_first(distinct, vector, state, value))
				advance_by_value(aggregate, vectors, state, value);
		}
	}
	nts_spill_queue_free(waiting);
	MemoryContextSwitchTo(old);
}
