/*
 * aggregate_intern.c - values by reference that are kept once, for group keys and DISTINCT.
 *
 * A numeric shows as the value that came first, and is compared by its normal form (no zeros at the end).
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "pg/scan/aggregate_intern.h"

#define FIRST_CHUNK (4 * 1024)
#define GREATEST_CHUNK (256 * 1024)
#define FIRST_SLOTS 256

typedef struct NtsInterned
{
	uint32		hash;
	Size		size;			/* of the content */
	Datum		content;		/* what is compared: the value, or its normal form */
	Datum		value;
} NtsInterned;

void *
nts_chunks_take(NtsChunks *chunks, Size bytes)
{
	void	   *result;

	bytes = MAXALIGN(bytes);
	if (chunks->left < bytes)
	{
		chunks->size = Max(Min(chunks->size * 2, GREATEST_CHUNK), FIRST_CHUNK);
		chunks->left = Max(chunks->size, bytes);
		chunks->chunk = MemoryContextAllocHuge(chunks->context, chunks->left);
	}
	result = chunks->chunk;
	chunks->chunk += bytes;
	chunks->left -= bytes;
	return result;
}

NtsInterner *
nts_interner_make(NtsChunks *chunks, const NtsAggVector *vector)
{
	NtsInterner *interner = MemoryContextAllocZero(chunks->context, sizeof(NtsInterner));

	interner->chunks = chunks;
	interner->type = vector->type;
	interner->typlen = vector->typlen;
	interner->selection = 1;
	interner->mask = FIRST_SLOTS - 1;
	interner->slots = MemoryContextAllocZero(chunks->context, sizeof(NtsInterned *) * FIRST_SLOTS);
	return interner;
}

static void
grow(NtsInterner *interner)
{
	uint32		mask = interner->mask * 2 + 1;
	NtsInterned **slots = MemoryContextAllocExtended(interner->chunks->context,
													 sizeof(NtsInterned *) * ((Size) mask + 1),
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
copy_reference(NtsChunks *chunks, Datum value, int16 typlen)
{
	Size		size;
	const char *content = nts_content_of(value, typlen, &size);
	char	   *copy = nts_chunks_take(chunks, typlen > 0 ? size : size + VARHDRSZ);

	if (typlen > 0)
		memcpy(copy, content, size);
	else
	{
		SET_VARSIZE(copy, size + VARHDRSZ);
		memcpy(VARDATA(copy), content, size);
	}
	return PointerGetDatum(copy);
}

static inline Datum
normal_form(Oid type, Datum value)
{
	return type == NUMERICOID ? DirectFunctionCall1(numeric_trim_scale, value) : value;
}

static inline bool
is_content(const NtsInterner *interner, const NtsInterned *have, const char *content, Size size)
{
	Size		have_size;

	return have->size == size && memcmp(nts_content_of(have->content, interner->typlen, &have_size), content, size) == 0;
}

Datum
nts_intern_slowly(NtsInterner *interner, Datum value, bool make)
{
	Datum		normal = normal_form(interner->type, value);
	int16		typlen = interner->typlen;
	Size		size;
	const char *content = nts_content_of(normal, typlen, &size);
	uint32		hash;
	uint32		place;
	NtsInterned *made;

	/* vectors of one series lie side by side */
	if (interner->last != NULL && is_content(interner, interner->last, content, size))
		return interner->last->value;
	hash = hash_bytes((const unsigned char *) content, (int) size);
	for (place = hash & interner->mask; interner->slots[place] != NULL; place = (place + 1) & interner->mask)
	{
		NtsInterned *have = interner->slots[place];

		if (have->hash == hash && is_content(interner, have, content, size))
		{
			interner->last = have;
			return have->value;
		}
	}
	if (!make)
		return (Datum) 0;
	made = nts_chunks_take(interner->chunks, sizeof(NtsInterned));
	made->hash = hash;
	made->size = size;
	made->content = copy_reference(interner->chunks, normal, typlen);
	made->value = value == normal ? made->content : copy_reference(interner->chunks, value, typlen);
	interner->slots[place] = interner->last = made;
	if (++interner->count > interner->mask / 2)
		grow(interner);
	return made->value;
}

uint64
nts_hash_reference(const NtsAggVector *vector, Datum value)
{
	Size		size;
	const char *content = nts_content_of(normal_form(vector->type, value), vector->typlen, &size);

	return hash_bytes_extended((const unsigned char *) content, (int) size, 0);
}
