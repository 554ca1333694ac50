/*
 * aggregate_groups.c - which rows of a selection belong to one group, and the groups.
 *
 * Rows of one group lie side by side where data is sorted by series and time; so the selection is cut into runs of
 * equal keys first, and a group is looked up once a run. Keys are compared as images: only types are let in for which
 * that is what equality means, and floats and numerics, which have a normal form (0 for -0, one NaN; no zeros at the
 * end). A key by reference is interned (aggregate_intern.c), and groups hold, hash and compare the address of that
 * copy. A group of numerics shows the value that came first.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/scan/aggregate_intern.h"

#define MAX_ORDERED (256 * 1024)	/* groups, of which each takes 64 bytes at most while they are ordered */
#define MAX_EXPECTED (32 * 1024)	/* groups that a table has room for at first: estimates are wrong at times */

struct NtsAggTable
{
	MemoryContext context;
	int			key_count;
	int			state_count;
	const int  *keys;			/* vectors */
	NtsInterner **interners;	/* [key_count], NULL for keys by value */
	bool		is_plain;		/* one key, whose words are equal where it is */
	/* groups */
	NtsAggGroup **slots;
	uint64		mask;
	uint64		count;
	NtsAggGroup *first;
	NtsAggGroup *last;
	NtsAggGroup *previous;		/* the one looked up last */
	/* runs */
	uint8	   *marks;
	uint32	   *starts;
	uint32		room;
	NtsChunks	chunks;			/* memory for groups */
	Datum		probe[NTS_AGG_MAX_KEYS];
};

/* ---- memory ---- */

static Size
group_bytes(int key_count, int state_count)
{
	return MAXALIGN(sizeof(NtsAggGroup)) + MAXALIGN(sizeof(Datum) * key_count) + sizeof(NtsAggState) * state_count;
}

Size
nts_agg_group_size(int key_count, int state_count)
{
	/* with its share of a table that is half full */
	return group_bytes(key_count, state_count) + 2 * sizeof(NtsAggGroup *);
}

NtsAggTable *
nts_agg_table_make(MemoryContext context, const NtsAggVectors *vectors, const int *keys, int key_count,
				   int state_count, uint64 expected)
{
	NtsAggTable *table = MemoryContextAllocZero(context, sizeof(NtsAggTable));
	uint64		slots = pg_nextpower2_64(Max(2 * Min(expected, MAX_EXPECTED), 256));

	table->context = context;
	table->key_count = key_count;
	table->state_count = state_count;
	table->keys = keys;
	table->chunks.context = context;
	table->interners = MemoryContextAllocZero(context, sizeof(NtsInterner *) * Max(key_count, 1));
	for (int k = 0; k < key_count; k++)
		if (!vectors->vectors[keys[k]].typbyval)
			table->interners[k] = nts_interner_make(&table->chunks, &vectors->vectors[keys[k]]);
	table->is_plain = key_count == 1 && vectors->vectors[keys[0]].typbyval && vectors->vectors[keys[0]].typlen == 8 &&
		vectors->vectors[keys[0]].type != FLOAT8OID;
	table->mask = slots - 1;
	table->slots = MemoryContextAllocZero(context, sizeof(NtsAggGroup *) * slots);
	return table;
}

/* ---- runs ---- */

/* Marks rows whose bytes differ from those of the row before. */
static void
mark_references(const NtsAggVector *vector, uint32 count, uint8 *marks)
{
	for (uint32 i = 1; i < count; i++)
	{
		Size		size;
		Size		before_size;
		const char *content;
		const char *before;

		if (vector->values[i] == vector->values[i - 1] || marks[i])
			continue;
		/* one of them may be NULL, whose word is 0 */
		if (vector->values[i] == 0 || vector->values[i - 1] == 0)
		{
			marks[i] = 1;
			continue;
		}
		content = nts_content_of(vector->values[i], vector->typlen, &size);
		before = nts_content_of(vector->values[i - 1], vector->typlen, &before_size);
		marks[i] = size != before_size || memcmp(content, before, size) != 0;
	}
}

/*
 * Marks rows at which a key may change, or lists them in table->starts if that is known already. Returns the number
 * listed, behind the first row; -1: marked.
 */
static int
find_changes(NtsAggTable *table, const NtsAggVectors *vectors, uint32 count)
{
	const NtsAggVector *varying = NULL;
	int			varying_count = 0;

	for (int k = 0; k < table->key_count; k++)
		if (!vectors->vectors[table->keys[k]].uniform)
		{
			varying = &vectors->vectors[table->keys[k]];
			varying_count++;
		}
	if (varying_count == 0)
		return 0;
	if (varying_count == 1 && varying->change_count >= 0)
	{
		memcpy(table->starts + 1, varying->changes, sizeof(uint32) * varying->change_count);
		return varying->change_count;
	}
	memset(table->marks, 0, count);
	table->marks[0] = 1;
	for (int k = 0; k < table->key_count; k++)
	{
		const NtsAggVector *vector = &vectors->vectors[table->keys[k]];

		if (vector->uniform)
			continue;
		if (vector->change_count >= 0)
		{
			for (int i = 0; i < vector->change_count; i++)
				table->marks[vector->changes[i]] = 1;
			continue;
		}
		if (vector->nulls != NULL)
			nts_mark_changed_bytes(vector->nulls, count, table->marks);
		if (vector->typbyval)
			nts_mark_changed_words((const uint64 *) vector->values, count, table->marks);
		else
			mark_references(vector, count, table->marks);
	}
	return -1;
}

int
nts_agg_table_runs(NtsAggTable *table, const NtsAggVectors *vectors, uint32 count, uint32 **starts)
{
	int			changes;

	nts_agg_table_forget_addresses(table);
	if (table->room < count)
	{
		table->room = Max(count, 1024);
		table->marks = MemoryContextAllocHuge(table->context, table->room);
		table->starts = MemoryContextAllocHuge(table->context, sizeof(uint32) * (table->room + 1));
	}
	changes = find_changes(table, vectors, count);
	if (changes < 0)
		changes = (int) nts_list_marks(table->marks, count, table->starts) - 1;
	table->starts[0] = 0;
	table->starts[changes + 1] = count;
	*starts = table->starts;
	return changes + 1;
}

/* ---- groups ---- */

static void
grow_table(NtsAggTable *table)
{
	uint64		mask = table->mask * 2 + 1;
	NtsAggGroup **slots = MemoryContextAllocExtended(table->context, sizeof(NtsAggGroup *) * (mask + 1),
													 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (NtsAggGroup *group = table->first; group != NULL; group = group->next)
	{
		uint64		place = group->hash & mask;

		while (slots[place] != NULL)
			place = (place + 1) & mask;
		slots[place] = group;
	}
	pfree(table->slots);
	table->slots = slots;
	table->mask = mask;
}

static NtsAggGroup *
add_group(NtsAggTable *table, uint64 place, uint64 hash, uint64 nulls)
{
	NtsAggGroup *group = nts_chunks_take(&table->chunks, group_bytes(table->key_count, table->state_count));
	char	   *at = (char *) group + MAXALIGN(sizeof(NtsAggGroup));

	group->hash = hash;
	group->next = NULL;
	group->nulls = nulls;
	group->keys = (Datum *) at;
	group->states = (NtsAggState *) (at + MAXALIGN(sizeof(Datum) * table->key_count));
	memcpy(group->keys, table->probe, sizeof(Datum) * table->key_count);
	if (table->last == NULL)
		table->first = group;
	else
		table->last->next = group;
	table->last = group;
	table->slots[place] = group;
	if (++table->count > table->mask / 2)
		grow_table(table);
	return group;
}

/* Has it the keys that are looked for? */
static inline bool
is_probed(const NtsAggTable *table, const NtsAggGroup *group, uint64 nulls)
{
	if (group->nulls != nulls)
		return false;
	for (int k = 0; k < table->key_count; k++)
		if (group->keys[k] != table->probe[k])
			return false;
	return true;
}

static inline uint64
hash_of_probe(const NtsAggTable *table, uint64 nulls)
{
	uint64		hash = 0;

	for (int k = 0; k < table->key_count; k++)
		hash = nts_mix(hash ^ (uint64) table->probe[k]) + (uint64) k;
	return hash ^ nulls;
}

void
nts_agg_table_forget_addresses(NtsAggTable *table)
{
	for (int k = 0; k < table->key_count; k++)
		if (table->interners[k] != NULL)
			nts_interner_forget_addresses(table->interners[k]);
}

NtsAggGroup *
nts_agg_table_find(NtsAggTable *table, const NtsAggVectors *vectors, const Datum *values, uint64 nulls, bool *is_new)
{
	uint64		hash;
	uint64		place;
	MemoryContext old = MemoryContextSwitchTo(vectors->econtext->ecxt_per_tuple_memory);

	if (is_new != NULL)
		*is_new = false;
	for (int k = 0; k < table->key_count; k++)
	{
		const NtsAggVector *vector = &vectors->vectors[table->keys[k]];
		Datum		value = values[k];

		if ((nulls >> k) & 1)
			value = (Datum) 0;
		else if (table->interners[k] != NULL)
		{
			value = nts_intern(table->interners[k], value, is_new != NULL);
			/* not kept: of no group */
			if (value == (Datum) 0)
			{
				MemoryContextSwitchTo(old);
				return NULL;
			}
		}
		else
			value = nts_equal_word(value, vector);
		table->probe[k] = value;
	}
	MemoryContextSwitchTo(old);
	/* the next bucket of a series was often made after the same group by another one */
	if (table->previous != NULL)
	{
		if (is_probed(table, table->previous, nulls))
			return table->previous;
		if (table->previous->next != NULL && is_probed(table, table->previous->next, nulls))
			return table->previous = table->previous->next;
	}
	hash = hash_of_probe(table, nulls);
	for (place = hash & table->mask; table->slots[place] != NULL; place = (place + 1) & table->mask)
		if (table->slots[place]->hash == hash && is_probed(table, table->slots[place], nulls))
			return table->previous = table->slots[place];
	if (is_new == NULL)
		return NULL;
	*is_new = true;
	return table->previous = add_group(table, place, hash, nulls);
}

NtsAggGroup *
nts_agg_table_group(NtsAggTable *table, const NtsAggVectors *vectors, uint32 row, bool *is_new)
{
	Datum		values[NTS_AGG_MAX_KEYS];
	uint64		nulls = 0;

	for (int k = 0; k < table->key_count; k++)
	{
		const NtsAggVector *vector = &vectors->vectors[table->keys[k]];

		values[k] = vector->values[row];
		if (vector->nulls != NULL && vector->nulls[row])
			nulls |= UINT64CONST(1) << k;
	}
	return nts_agg_table_find(table, vectors, values, nulls, is_new);
}

int
nts_agg_table_follow(NtsAggTable *table, const NtsAggVectors *vectors, const uint32 *rows, int count, NtsAggGroup **groups)
{
	NtsAggGroup *group = table->previous;
	const NtsAggVector *vector;
	int			found;

	if (!table->is_plain || group == NULL)
		return 0;
	vector = &vectors->vectors[table->keys[0]];
	if (vector->nulls != NULL)
		return 0;
	for (found = 0; found < count; found++)
	{
		Datum		key = vector->values[rows[found]];

		if (group->keys[0] != key || group->nulls != 0)
		{
			if (group->next == NULL || group->next->keys[0] != key || group->next->nulls != 0)
				break;
			group = group->next;
		}
		groups[found] = group;
	}
	table->previous = group;
	return found;
}

bool
nts_agg_table_order(NtsAggTable *table, const NtsAggVectors *vectors, const int *orders, int order_count, bool all_ranks)
{
	uint32		count = (uint32) table->count;
	NtsAggGroup **groups;
	uint32		i = 0;
	bool		complete;

	if (table->count > MAX_ORDERED)
		return false;
	if (count < 2)
		return true;
	groups = palloc(sizeof(NtsAggGroup *) * count);
	for (NtsAggGroup *group = table->first; group != NULL; group = group->next)
		groups[i++] = group;
	complete = nts_agg_sort_groups(groups, count, vectors, table->keys, orders, order_count, all_ranks);
	for (i = 0; i < count; i++)
		groups[i]->next = i + 1 < count ? groups[i + 1] : NULL;
	table->first = groups[0];
	table->last = groups[count - 1];
	pfree(groups);
	return complete;
}

uint64
nts_agg_table_hash(const NtsAggTable *table, const NtsAggVectors *vectors, uint32 row, uint64 seed)
{
	MemoryContext old = MemoryContextSwitchTo(vectors->econtext->ecxt_per_tuple_memory);
	uint64		hash = seed;

	for (int k = 0; k < table->key_count; k++)
	{
		const NtsAggVector *vector = &vectors->vectors[table->keys[k]];

		if (vector->nulls != NULL && vector->nulls[row])
			hash = nts_mix(hash + (uint64) k + 1);
		else if (vector->typbyval)
			hash = nts_mix(hash ^ (uint64) nts_equal_word(vector->values[row], vector));
		else
			hash = nts_mix(hash ^ nts_hash_reference(vector, vector->values[row]));
	}
	MemoryContextSwitchTo(old);
	return hash;
}

NtsAggGroup *
nts_agg_table_first(NtsAggTable *table)
{
	return table->first;
}

uint64
nts_agg_table_count(const NtsAggTable *table)
{
	return table->count;
}
