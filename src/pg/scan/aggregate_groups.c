/*
 * aggregate_groups.c - which rows of a selection belong to one group, and the groups.
 *
 * Rows of one group lie side by side where data is sorted by series and time; so the selection is cut into runs of
 * equal keys first, and a group is looked up once a run. Keys are compared as images: only types are let in for which
 * that is what equality means, and floats and numerics, which have a normal form (0 for -0, one NaN; no zeros at the
 * end). A key by reference is *interned*: its bytes are kept once, and groups hold, hash and compare the address of
 * that copy. A group of numerics shows the value that came first.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "pg/scan/aggregate.h"

#define RECENT_SLOTS 256		/* power of two */
#define MAX_ORDERED (256 * 1024)	/* groups, of which each takes 32 bytes while they are ordered */

/* Bytes of a key that are kept once. */
typedef struct Interned
{
	uint32		hash;
	Size		size;			/* of the content */
	Datum		content;		/* what is compared: the value, or its normal form */
	Datum		value;
} Interned;

/* A key by reference. */
typedef struct Interner
{
	Interned  **slots;			/* open addressing; NULL: empty */
	uint32		mask;
	uint32		count;
	/* addresses met in the current selection */
	struct
	{
		Datum		address;
		Datum		value;
		uint64		selection;
	}			recent[RECENT_SLOTS];
} Interner;

struct NtsAggTable
{
	MemoryContext context;
	int			key_count;
	int			state_count;
	const int  *keys;			/* vectors */
	Interner  **interners;		/* [key_count], NULL for keys by value */
	uint64		selection;		/* number of the current one */
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
	/* memory for groups */
	char	   *chunk;
	Size		chunk_left;
	Size		chunk_size;
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

static void *
take(NtsAggTable *table, Size bytes)
{
	void	   *result;

	bytes = MAXALIGN(bytes);
	if (table->chunk_left < bytes)
	{
		table->chunk_size = Max(Min(table->chunk_size * 2, 1024 * 1024), 8 * 1024);
		table->chunk_left = Max(table->chunk_size, bytes);
		table->chunk = MemoryContextAllocHuge(table->context, table->chunk_left);
	}
	result = table->chunk;
	table->chunk += bytes;
	table->chunk_left -= bytes;
	return result;
}

NtsAggTable *
nts_agg_table_make(MemoryContext context, const NtsAggVectors *vectors, const int *keys, int key_count,
				   int state_count)
{
	NtsAggTable *table = MemoryContextAllocZero(context, sizeof(NtsAggTable));

	table->context = context;
	table->key_count = key_count;
	table->state_count = state_count;
	table->keys = keys;
	table->interners = MemoryContextAllocZero(context, sizeof(Interner *) * Max(key_count, 1));
	for (int k = 0; k < key_count; k++)
		if (!vectors->vectors[keys[k]].typbyval)
		{
			Interner   *interner = MemoryContextAllocZero(context, sizeof(Interner));

			interner->mask = 255;
			interner->slots = MemoryContextAllocZero(context, sizeof(Interned *) * 256);
			table->interners[k] = interner;
		}
	table->mask = 255;
	table->slots = MemoryContextAllocZero(context, sizeof(NtsAggGroup *) * 256);
	return table;
}

/* ---- keys by reference ---- */

static inline const char *
content_of(Datum value, int16 typlen, Size *size)
{
	if (typlen > 0)
	{
		*size = typlen;
		return DatumGetPointer(value);
	}
	*size = VARSIZE_ANY_EXHDR(DatumGetPointer(value));
	return VARDATA_ANY(DatumGetPointer(value));
}

static void
grow_interner(NtsAggTable *table, Interner *interner)
{
	uint32		mask = interner->mask * 2 + 1;
	Interned  **slots = MemoryContextAllocExtended(table->context, sizeof(Interned *) * ((Size) mask + 1),
												   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (uint32 i = 0; i <= interner->mask; i++)
		if (interner->slots[i] != NULL)
		{
			uint32		place = interner->slots[i]->hash & mask;

			while (slots[place] != NULL)
				place = (place + 1) & mask;
			slots[place] = interner->slots[i];
		}
	pfree(interner->slots);
	interner->slots = slots;
	interner->mask = mask;
}

static Datum
copy_reference(NtsAggTable *table, Datum value, int16 typlen)
{
	Size		size;
	const char *content = content_of(value, typlen, &size);
	char	   *copy = take(table, typlen > 0 ? size : size + VARHDRSZ);

	if (typlen > 0)
		memcpy(copy, content, size);
	else
	{
		SET_VARSIZE(copy, size + VARHDRSZ);
		memcpy(VARDATA(copy), content, size);
	}
	return PointerGetDatum(copy);
}

/* The kept copy of a value that has this normal form. */
static Datum
intern_content(NtsAggTable *table, Interner *interner, Datum value, Datum normal, int16 typlen)
{
	Size		size;
	const char *content = content_of(normal, typlen, &size);
	uint32		hash = hash_bytes((const unsigned char *) content, (int) size);
	uint32		place = hash & interner->mask;
	Interned   *made;

	for (; interner->slots[place] != NULL; place = (place + 1) & interner->mask)
	{
		Interned   *have = interner->slots[place];
		Size		have_size;

		if (have->hash == hash && have->size == size &&
			memcmp(content_of(have->content, typlen, &have_size), content, size) == 0)
			return have->value;
	}
	made = take(table, sizeof(Interned));
	made->hash = hash;
	made->size = size;
	made->content = copy_reference(table, normal, typlen);
	made->value = value == normal ? made->content : copy_reference(table, value, typlen);
	interner->slots[place] = made;
	if (++interner->count > interner->mask / 2)
		grow_interner(table, interner);
	return made->value;
}

static inline Datum
intern(NtsAggTable *table, Interner *interner, Datum value, const NtsAggVector *vector)
{
	uint32		place = (uint32) (((uint64) value * UINT64CONST(0x9E3779B97F4A7C15)) >> 32) & (RECENT_SLOTS - 1);
	Datum		normal = value;

	if (interner->recent[place].selection == table->selection && interner->recent[place].address == value)
		return interner->recent[place].value;
	if (vector->type == NUMERICOID)
		normal = DirectFunctionCall1(numeric_trim_scale, value);
	interner->recent[place].value = intern_content(table, interner, value, normal, vector->typlen);
	interner->recent[place].address = value;
	interner->recent[place].selection = table->selection;
	return interner->recent[place].value;
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
		content = content_of(vector->values[i], vector->typlen, &size);
		before = content_of(vector->values[i - 1], vector->typlen, &before_size);
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

/* A well mixed word (the finalizer of splitmix64, a bijection). */
static inline uint64
mix(uint64 word)
{
	word ^= word >> 30;
	word *= UINT64CONST(0xBF58476D1CE4E5B9);
	word ^= word >> 27;
	word *= UINT64CONST(0x94D049BB133111EB);
	return word ^ (word >> 31);
}

/* The word that all equal values have in common. */
static inline Datum
normal_word(Datum value, const NtsAggVector *vector)
{
	if (vector->type == FLOAT8OID)
	{
		float8		number = DatumGetFloat8(value);

		return Float8GetDatum(isnan(number) ? get_float8_nan() : number == 0 ? 0.0 : number);
	}
	if (vector->type == FLOAT4OID)
	{
		float4		number = DatumGetFloat4(value);

		return Float4GetDatum(isnan(number) ? get_float4_nan() : number == 0 ? 0.0f : number);
	}
	return nts_normal_word(value, vector->typlen);
}

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
	NtsAggGroup *group = take(table, group_bytes(table->key_count, table->state_count));
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

static inline bool
is_group(const NtsAggTable *table, const NtsAggGroup *group, uint64 hash, uint64 nulls)
{
	if (group->hash != hash || group->nulls != nulls)
		return false;
	for (int k = 0; k < table->key_count; k++)
		if (group->keys[k] != table->probe[k])
			return false;
	return true;
}

void
nts_agg_table_forget_addresses(NtsAggTable *table)
{
	table->selection++;
}

NtsAggGroup *
nts_agg_table_find(NtsAggTable *table, const NtsAggVectors *vectors, const Datum *values, uint64 nulls, bool *is_new)
{
	uint64		hash = 0;
	uint64		place;
	MemoryContext old = MemoryContextSwitchTo(vectors->econtext->ecxt_per_tuple_memory);

	*is_new = false;
	for (int k = 0; k < table->key_count; k++)
	{
		const NtsAggVector *vector = &vectors->vectors[table->keys[k]];
		Datum		value = values[k];

		if ((nulls >> k) & 1)
			value = (Datum) 0;
		else if (table->interners[k] != NULL)
			value = intern(table, table->interners[k], value, vector);
		else
			value = normal_word(value, vector);
		table->probe[k] = value;
		hash = mix(hash ^ (uint64) value) + (uint64) k;
	}
	MemoryContextSwitchTo(old);
	hash ^= nulls;
	if (table->previous != NULL && is_group(table, table->previous, hash, nulls))
		return table->previous;
	for (place = hash & table->mask; table->slots[place] != NULL; place = (place + 1) & table->mask)
		if (is_group(table, table->slots[place], hash, nulls))
			return table->previous = table->slots[place];
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

/* ---- order ---- */

typedef struct OrderedGroup
{
	int64		word;
	NtsAggGroup *group;
} OrderedGroup;

/* Two sorted neighbours into one; of equal ones those of the first come first. */
static void
merge_ordered(const OrderedGroup *a, Size a_count, const OrderedGroup *b, Size b_count, OrderedGroup *out)
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
	memcpy(out, a_count > 0 ? a : b, sizeof(OrderedGroup) * (a_count + b_count));
}

void
nts_agg_table_order(NtsAggTable *table, int key, bool descending)
{
	Size		count = table->count;
	OrderedGroup *groups;
	OrderedGroup *from;
	OrderedGroup *to;
	Size		i = 0;

	if (count < 2 || count > MAX_ORDERED)
		return;
	groups = palloc(sizeof(OrderedGroup) * 2 * count);
	for (NtsAggGroup *group = table->first; group != NULL; group = group->next, i++)
	{
		/* not the negative, which overflows; NULLs lie anywhere */
		groups[i].word = descending ? ~(int64) group->keys[key] : (int64) group->keys[key];
		groups[i].group = group;
	}
	from = groups;
	to = groups + count;
	for (Size width = 1; width < count; width *= 2)
	{
		OrderedGroup *swap = from;

		for (Size begin = 0; begin < count; begin += 2 * width)
		{
			Size		middle = Min(begin + width, count);

			merge_ordered(from + begin, middle - begin, from + middle, Min(middle + width, count) - middle, to + begin);
		}
		CHECK_FOR_INTERRUPTS();
		from = to;
		to = swap;
	}
	for (i = 0; i < count; i++)
		from[i].group->next = i + 1 < count ? from[i + 1].group : NULL;
	table->first = from[0].group;
	table->last = from[count - 1].group;
	pfree(groups);
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
