/*
 * aggregate_intern.h - inside of the aggregate node: memory in chunks, and values by reference that are kept once.
 *
 * A value is *interned*: its bytes are kept once, so that equal values have the same address from then on. Equal are
 * values with the same bytes, and numerics whose digits are the same but for zeros at the end.
 */
#ifndef NTS_SCAN_AGGREGATE_INTERN_H
#define NTS_SCAN_AGGREGATE_INTERN_H

#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/float.h"

#include "pg/scan/aggregate.h"

/* Small pieces that go all at once, with their context. */
typedef struct NtsChunks
{
	MemoryContext context;
	char	   *chunk;
	Size		left;
	Size		size;			/* of the last chunk */
} NtsChunks;

extern void *nts_chunks_take(NtsChunks *chunks, Size bytes);

#define NTS_RECENT_SLOTS 256	/* power of two */

typedef struct NtsInterner
{
	NtsChunks  *chunks;
	Oid			type;
	int16		typlen;
	struct NtsInterned **slots; /* open addressing; NULL: empty */
	uint32		mask;
	uint32		count;
	struct NtsInterned *last;	/* found or made; or NULL */
	uint64		selection;		/* addresses of others mean nothing */
	/* addresses met in the current selection */
	struct
	{
		Datum		address;
		Datum		value;
		uint64		selection;
	}			recent[NTS_RECENT_SLOTS];
} NtsInterner;

/* For values of the vector's type; memory comes from `chunks` and their context. */
extern NtsInterner *nts_interner_make(NtsChunks *chunks, const NtsAggVector *vector);
/* The kept copy, made unless there is one; made == false: only looked for, 0 if there is none. */
extern Datum nts_intern_slowly(NtsInterner *interner, Datum value, bool make);
/* Of the bytes that equal values have in common; may leave garbage in the current memory context. */
extern uint64 nts_hash_reference(const NtsAggVector *vector, Datum value);
/* The content of a value by reference. */
static inline const char *
nts_content_of(Datum value, int16 typlen, Size *size)
{
	if (typlen > 0)
	{
		*size = typlen;
		return DatumGetPointer(value);
	}
	*size = VARSIZE_ANY_EXHDR(DatumGetPointer(value));
	return VARDATA_ANY(DatumGetPointer(value));
}

/* Values that are looked for from now on lie where others did. */
static inline void
nts_interner_forget_addresses(NtsInterner *interner)
{
	interner->selection++;
}

/* As nts_intern_slowly; may leave garbage in the current memory context. */
static inline Datum
nts_intern(NtsInterner *interner, Datum value, bool make)
{
	uint32		place = (uint32) (((uint64) value * UINT64CONST(0x9E3779B97F4A7C15)) >> 32) & (NTS_RECENT_SLOTS - 1);
	Datum		kept;

	if (interner->recent[place].selection == interner->selection && interner->recent[place].address == value)
		return interner->recent[place].value;
	kept = nts_intern_slowly(interner, value, make);
	if (kept != (Datum) 0)
	{
		interner->recent[place].value = kept;
		interner->recent[place].address = value;
		interner->recent[place].selection = interner->selection;
	}
	return kept;
}

/* A well mixed word (the finalizer of splitmix64, a bijection). */
static inline uint64
nts_mix(uint64 word)
{
	word ^= word >> 30;
	word *= UINT64CONST(0xBF58476D1CE4E5B9);
	word ^= word >> 27;
	word *= UINT64CONST(0x94D049BB133111EB);
	return word ^ (word >> 31);
}

/* The word that all equal values of a type by value have in common: 0 for -0, one NaN. */
static inline Datum
nts_equal_word(Datum value, const NtsAggVector *vector)
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

#endif							/* NTS_SCAN_AGGREGATE_INTERN_H */
