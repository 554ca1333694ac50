/*
 * slot.c - a slot with two states.
 *
 * lazy: the slot refers to one row of a shared vector set; a column's vector is
 *   decoded when some row asks for it, and kept with the set.
 * virtual: everything PostgreSQL's virtual slot does (INSERT, COPY and triggers
 *   store into slots of our type). Clearing or materializing leaves the lazy state.
 *   A materialized row lies in a buffer that the slot keeps: COPY materializes every
 *   row, and an allocation for each shows. So does looking for the columns that have
 *   something to copy: a slot that stays with one row type keeps a list of them. Slots that
 *   are made in numbers, as for COPY, share that list and take their buffers out of a block.
 *   The buffer begins with a word that says which of the listed columns are NULL,
 *   padding is zero, and a short varlena has a short header: equal bytes are equal
 *   rows, as far as by-reference values go.
 * The struct begins as VirtualTupleTableSlot, so that TTSOpsVirtual's own functions
 * serve the virtual state.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "executor/tuptable.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "pg/am/am.h"

typedef struct SlotFamily SlotFamily;

/* A column whose values are passed by reference. */
typedef struct RefColumn
{
	int16		column;
	int16		length;			/* pg_attribute.attlen */
	uint8		padding;		/* bytes of alignment, less one */
	uint8		most_packed;	/* a varlena of up to that length gets a header of one byte, as in heap's tuples */
} RefColumn;

/*
 * Those of a row type, varlenas first. ALTER TABLE may let a varlena pack, or no longer, while rows of the table are in memory
 * whose images are compared with those of later ones. So that must not change the order; which of the two headers a value
 * has shows in its first byte that is no padding.
 */
typedef struct RefList
{
	RefColumn  *columns;		/* NULL: not listed yet */
	int			count;
	int			varlena_count;
} RefList;

typedef struct NtsSlot
{
	VirtualTupleTableSlot base;
	NtsVectorSet *set;			/* lazy state: a reference; else NULL */
	uint32		row;
	bool		has_system;
	TransactionId xmin;
	CommandId	cid;
	bool		owned;			/* by-reference values lie in `buffer`: the row's image */
	bool		has_piece;		/* `buffer` is a piece of the family's */
	SlotFamily *family;			/* NULL: a slot by itself */
	char	   *buffer;			/* in the slot's context */
	Size		buffer_size;
	Size		buffer_used;
	RefList		refs;			/* the family's, or in the slot's context */
} NtsSlot;

#define MAX_KEPT_BUFFER 1024	/* a larger one is freed with its row */
#define FIRST_BUFFER 128
#define MIN_PIECE 48
#define MAX_PIECE 512
#define PIECES_BYTES 4096		/* of one allocation for pieces */
#define MAX_PACKED (VARATT_SHORT_MAX - VARHDRSZ_SHORT + VARHDRSZ)	/* length of a varlena that gets a short header */
#define BUFFER_SLACK (MAXIMUM_ALIGNOF + sizeof(uint64))	/* for alignment, and for what is written behind a value */
#define IMAGE_COLUMNS 64		/* that the buffer's first word has a bit for */

/*
 * What slots share that are made one after the other, of one row type, in the same memory context, from the fifth one on;
 * it goes with the context.
 *
 * PostgreSQL pins the row type for each slot, and the resource owner adds and finds equal pins in time that grows with their
 * number: of COPY with 1 000 rows, for each of which there is a slot, that is more than half. So one reference serves for all
 * of a family. Of COPY with a hundred short rows, what each slot allocates for itself is the most that we add.
 */
#define SINGLE_SLOTS 4

typedef struct FamilyKey
{
	TupleDesc	desc;
	MemoryContext context;
} FamilyKey;

struct SlotFamily
{
	MemoryContextCallback callback;
	FamilyKey	key;
	RefList		refs;
	Size		piece_size;
	char	   *next_piece;		/* in the newest allocation */
	char	   *end_of_pieces;
	char	   *free_pieces;	/* each begins with the address of the next */
};

typedef struct FamilyEntry
{
	FamilyKey	key;
	SlotFamily *family;
} FamilyEntry;

/*
 * Those whose context is there: a COPY into many partitions comes back to each of them again and again. In
 * TopMemoryContext, made for the first one.
 */
static HTAB *families;
static SlotFamily *newest_family;	/* the one that was joined last, NULL if it is gone */
static Size newest_bytes;		/* of the newest row in no piece: those of a family are much the same */

/*
 * The row type and context of the newest slot that is in no family, and how many such slots there are. Compared only: if
 * they are gone, and others in their place, these go on in the count, less the slots that were released.
 */
static const void *single_desc;
static const void *single_context;
static int	single_slots;

static RefList
list_columns(TupleDesc desc, MemoryContext context)
{
	RefList		refs = {MemoryContextAlloc(context, sizeof(RefColumn) * Max(desc->natts, 1)), 0, 0};

	for (int pass = 0; pass < 2; pass++)
	{
		for (int i = 0; i < desc->natts; i++)
		{
			Form_pg_attribute att = TupleDescAttr(desc, i);
			bool		is_varlena = att->attlen == -1;
			bool		packs = is_varlena && att->attstorage != TYPSTORAGE_PLAIN;

			if (!att->attbyval && is_varlena == (pass == 0))
				refs.columns[refs.count++] = (RefColumn) {i, att->attlen, att_align_nominal(1, att->attalign) - 1,
					packs ? MAX_PACKED : 0};
		}
		if (pass == 0)
			refs.varlena_count = refs.count;
	}
	return refs;
}

static void
end_family(void *arg)
{
	SlotFamily *family = arg;

	if (newest_family == family)
		newest_family = NULL;
	hash_search(families, &family->key, HASH_REMOVE, NULL);
	/* as DecrTupleDescRefCount, for no resource owner */
	if (--family->key.desc->tdrefcount == 0)
		FreeTupleDesc(family->key.desc);
}

static SlotFamily *
make_family(const FamilyKey *key)
{
	SlotFamily *family = MemoryContextAllocZero(key->context, sizeof(SlotFamily));
	Size		piece = MAXALIGN(newest_bytes + newest_bytes / 4 + BUFFER_SLACK);
	FamilyEntry *entry;

	family->key = *key;
	family->refs = list_columns(key->desc, key->context);
	family->piece_size = Min(Max(piece, MIN_PIECE), MAX_PIECE);
	family->callback.func = end_family;
	family->callback.arg = family;
	if (families == NULL)
	{
		HASHCTL		ctl = {.keysize = sizeof(FamilyKey), .entrysize = sizeof(FamilyEntry), .hcxt = TopMemoryContext};

		families = hash_create("nodedb_ts slot families", 16, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(families, key, HASH_ENTER, NULL);
	/* nothing fails from here on */
	entry->family = family;
	key->desc->tdrefcount++;
	MemoryContextRegisterResetCallback(key->context, &family->callback);
	return family;
}

/* NULL: there is none. */
static SlotFamily *
find_family(const FamilyKey *key)
{
	FamilyEntry *entry;

	if (newest_family != NULL && newest_family->key.desc == key->desc && newest_family->key.context == key->context)
		return newest_family;
	if (families == NULL || hash_get_num_entries(families) == 0)
		return NULL;
	entry = hash_search(families, key, HASH_FIND, NULL);
	return entry == NULL ? NULL : entry->family;
}

static SlotFamily *
join_family(const TupleTableSlot *slot)
{
	FamilyKey	key = {slot->tts_tupleDescriptor, slot->tts_mcxt};
	SlotFamily *family;

	if (key.desc == NULL || key.desc->tdrefcount < 0)
		return NULL;
	family = find_family(&key);
	if (family == NULL)
	{
		if (single_desc != key.desc || single_context != key.context)
			single_slots = 0;
		single_desc = key.desc;
		single_context = key.context;
		if (single_slots < SINGLE_SLOTS)
		{
			single_slots++;
			return NULL;
		}
		family = make_family(&key);
	}
	newest_family = family;
	/* the newest pin, that of MakeTupleTableSlot, is found at once */
	ReleaseTupleDesc(key.desc);
	return family;
}

static char *
take_piece(SlotFamily *family)
{
	char	   *piece = family->free_pieces;

	if (piece != NULL)
	{
		memcpy(&family->free_pieces, piece, sizeof(char *));
		return piece;
	}
	if (family->end_of_pieces - family->next_piece < (ptrdiff_t) family->piece_size)
	{
		family->next_piece = MemoryContextAlloc(family->key.context, PIECES_BYTES);
		family->end_of_pieces = family->next_piece + PIECES_BYTES;
	}
	piece = family->next_piece;
	family->next_piece += family->piece_size;
	return piece;
}

static void
slot_init(TupleTableSlot *slot)
{
	NtsSlot    *self = (NtsSlot *) slot;

	self->family = join_family(slot);
	self->set = NULL;
	self->has_system = false;
	self->owned = false;
	self->has_piece = false;
	self->buffer = NULL;
	self->buffer_size = 0;
	self->buffer_used = 0;
	self->refs = self->family == NULL ? (RefList) {0} : self->family->refs;
}

static void
leave_lazy(NtsSlot *self)
{
	if (self->set != NULL)
	{
		NtsVectorSet *set = self->set;

		self->set = NULL;
		nts_vector_set_release(set);
	}
}

static void
give_back_buffer(NtsSlot *self)
{
	if (self->has_piece)
	{
		memcpy(self->buffer, &self->family->free_pieces, sizeof(char *));
		self->family->free_pieces = self->buffer;
	}
	else if (self->buffer != NULL)
		pfree(self->buffer);
	self->buffer = NULL;
	self->buffer_size = 0;
	self->has_piece = false;
}

static void
free_refs(NtsSlot *self)
{
	if (self->refs.columns != NULL && self->family == NULL)
		pfree(self->refs.columns);
	self->refs = (RefList) {0};
}

static void
slot_clear(TupleTableSlot *slot)
{
	NtsSlot    *self = (NtsSlot *) slot;

	leave_lazy(self);
	self->has_system = false;
	self->owned = false;
	if (self->buffer_size > MAX_KEPT_BUFFER)
		give_back_buffer(self);
	if (unlikely(TTS_SHOULDFREE(slot)))
		TTSOpsVirtual.clear(slot);
	slot->tts_nvalid = 0;
	slot->tts_flags |= TTS_FLAG_EMPTY;
	ItemPointerSetInvalid(&slot->tts_tid);
}

static void
slot_release(TupleTableSlot *slot)
{
	leave_lazy((NtsSlot *) slot);
	give_back_buffer((NtsSlot *) slot);
	free_refs((NtsSlot *) slot);
	/* else PostgreSQL would unpin it */
	if (((NtsSlot *) slot)->family != NULL)
		slot->tts_tupleDescriptor = NULL;
	else if (single_slots > 0 && single_desc == slot->tts_tupleDescriptor && single_context == slot->tts_mcxt)
		single_slots--;
}

static void
slot_fill(TupleTableSlot *slot, int natts)
{
	NtsSlot    *self = (NtsSlot *) slot;
	NtsVectorSet *set = self->set;
	int			have = slot->tts_nvalid;

	Assert(set != NULL);
	for (int i = have; i < natts; i++)
	{
		NtsColumnData *column = &set->columns[i];

		if (!column->filled)
			nts_vector_set_fill(set, i);
		slot->tts_values[i] = column->values[self->row];
		slot->tts_isnull[i] = column->nulls[self->row] != 0;
	}
	slot->tts_nvalid = natts;
}

static void
slot_getsomeattrs_lazy(TupleTableSlot *slot, int natts)
{
	NtsSlot    *self = (NtsSlot *) slot;

	if (self->set == NULL)
		TTSOpsVirtual.getsomeattrs(slot, natts);
	else
		slot_fill(slot, natts);
}

static Datum
slot_getsysattr_impl(TupleTableSlot *slot, int attnum, bool *isnull)
{
	NtsSlot    *self = (NtsSlot *) slot;
	TransactionId xmin = self->xmin;
	CommandId	cid = self->cid;

	if (self->set != NULL)
	{
		xmin = self->set->xmins != NULL ? self->set->xmins[self->row] : self->set->xmin;
		cid = self->set->cids != NULL ? self->set->cids[self->row] : self->set->cid;
	}
	else if (!self->has_system)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot retrieve a system column in this context")));
	*isnull = false;
	switch (attnum)
	{
		case MinTransactionIdAttributeNumber:
			return TransactionIdGetDatum(xmin);
		case MaxTransactionIdAttributeNumber:
			return TransactionIdGetDatum(InvalidTransactionId);
		case MinCommandIdAttributeNumber:
		case MaxCommandIdAttributeNumber:
			return CommandIdGetDatum(cid);
		default:
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("system column %d is not supported by nodedb_ts", attnum)));
	}
}

/*
 * A slot whose row type may change (ExecSetSlotDescriptor, to a wider one, too) lists its columns each time; PostgreSQL makes
 * those of our type with a fixed one, extensions need not.
 */
static void
list_refs(TupleTableSlot *slot)
{
	NtsSlot    *self = (NtsSlot *) slot;

	free_refs(self);
	self->refs = list_columns(slot->tts_tupleDescriptor, slot->tts_mcxt);
}

static void
first_buffer(TupleTableSlot *slot)
{
	NtsSlot    *self = (NtsSlot *) slot;

	if (self->family != NULL)
	{
		self->buffer = take_piece(self->family);
		self->buffer_size = self->family->piece_size;
		self->has_piece = true;
	}
	else
	{
		self->buffer = MemoryContextAlloc(slot->tts_mcxt, FIRST_BUFFER);
		self->buffer_size = FIRST_BUFFER;
	}
}

/* Room for `need` bytes in all; what lies there, of the first `count` listed columns, moves along. */
static void
grow_buffer(TupleTableSlot *slot, Size used, Size need, int count)
{
	NtsSlot    *self = (NtsSlot *) slot;
	char	   *old = self->buffer;
	Size		size = need + Min(need / 4, MAX_KEPT_BUFFER);
	char	   *grown = MemoryContextAllocHuge(slot->tts_mcxt, size);

	memcpy(grown, old, used);
	for (int k = 0; k < count; k++)
	{
		int			i = self->refs.columns[k].column;

		if (!slot->tts_isnull[i])
			slot->tts_values[i] = PointerGetDatum(grown + (DatumGetPointer(slot->tts_values[i]) - old));
	}
	give_back_buffer(self);
	self->buffer = grown;
	self->buffer_size = size;
}

/* memcpy of what mostly is a few bytes, where a call shows: both ends, which may overlap. */
static inline void
copy_bytes(char *to, const char *from, Size length)
{
#define COPY_ENDS(size) (memcpy(to, from, size), memcpy(to + length - (size), from + length - (size), size))
	if (length < 4 || length > 32)
		memcpy(to, from, length);
	else if (length < 8)
		COPY_ENDS(4);
	else if (length <= 16)
		COPY_ENDS(8);
	else
		COPY_ENDS(16);
#undef COPY_ENDS
}

/*
 * A plain varlena of `length` bytes as one with a header of one byte, without alignment: less is written, and compared later.
 * Returns its end; up to 3 bytes behind it change.
 */
static inline char *
copy_packed(char *to, const char *value, Size length)
{
	length -= VARHDRSZ;
	SET_VARSIZE_SHORT(to, length + VARHDRSZ_SHORT);
	if (length < 4)
	{
		uint32		bytes;

		/* bytes of the header before them make four, and go again */
		memcpy(&bytes, value + length, sizeof(bytes));
		bytes = (uint32) ((uint64) bytes >> (32 - 8 * length));
		memcpy(to + VARHDRSZ_SHORT, &bytes, sizeof(bytes));
	}
	else
		copy_bytes(to + VARHDRSZ_SHORT, value + VARHDRSZ, length);
	return to + VARHDRSZ_SHORT + length;
}

/* Bytes of a value that is no plain varlena; 0: it has to be flattened, which an expanded one is. */
static pg_noinline Size
odd_length(const RefColumn *ref, const char *value)
{
	if (ref->length > 0)
		return ref->length;
	if (ref->length != -1)
		return strlen(value) + 1;
	return VARATT_IS_EXTERNAL_EXPANDED(value) ? 0 : VARSIZE_ANY(value);
}

static inline Size
value_length(const RefColumn *ref, const char *value)
{
	return likely(ref->length == -1 && VARATT_IS_4B_U(value)) ? VARSIZE_4B(value) : odd_length(ref, value);
}

/* Room for `length` bytes more behind `next`, where listed column k goes; returns where that is now. */
static pg_noinline char *
make_room(TupleTableSlot *slot, char *next, Size length, int k)
{
	NtsSlot    *self = (NtsSlot *) slot;
	Size		used = next - self->buffer;

	grow_buffer(slot, used, used + length + BUFFER_SLACK, k);
	return self->buffer + used;
}

/* A value may begin up to here, less its length. */
static inline char *
buffer_limit(const NtsSlot *self)
{
	return self->buffer + self->buffer_size - BUFFER_SLACK;
}

/* Copies the value of listed column k as it is; returns its end. NULL: an expanded one. */
static inline char *
copy_value(TupleTableSlot *slot, int k, char *next)
{
	NtsSlot    *self = (NtsSlot *) slot;
	const RefColumn *ref = &self->refs.columns[k];
	const char *value = DatumGetPointer(slot->tts_values[ref->column]);
	Size		length = value_length(ref, value);
	char	   *at;

	if (unlikely(length == 0))
		return NULL;
	if (unlikely(next + length > buffer_limit(self)))
		next = make_room(slot, next, length, k);
	/* the buffer is aligned as anything may be */
	at = (char *) (((uintptr_t) next + ref->padding) & ~(uintptr_t) ref->padding);
	memset(next, 0, sizeof(uint64));
	copy_bytes(at, value, length);
	slot->tts_values[ref->column] = PointerGetDatum(at);
	return at + length;
}

/* The same, not in line with what copies packed values. */
static pg_noinline char *
copy_odd_value(TupleTableSlot *slot, int k, char *next)
{
	return copy_value(slot, k, next);
}

/*
 * Copies the by-reference values of a virtual row to `next` in the slot's buffer; returns their end and
 * sets *absent. NULL: there is an expanded one.
 */
static char *
copy_values(TupleTableSlot *slot, char *next, uint64 *absent)
{
	NtsSlot    *self = (NtsSlot *) slot;
	/* kept here, since bytes that are copied may be anything to a compiler */
	Datum	   *values = slot->tts_values;
	const bool *nulls = slot->tts_isnull;
	const RefColumn *refs = self->refs.columns;
	char	   *limit = buffer_limit(self);
	int			varlena_count = self->refs.varlena_count;
	int			k;

	for (k = 0; k < varlena_count; k++)
	{
		int			i = refs[k].column;
		const char *value = DatumGetPointer(values[i]);
		Size		length;

		if (unlikely(nulls[i]))
		{
			*absent |= UINT64CONST(1) << (k % IMAGE_COLUMNS);
			continue;
		}
		length = VARATT_IS_4B_U(value) ? VARSIZE_4B(value) : MaxAllocSize;
		if (unlikely(length > refs[k].most_packed))
		{
			next = copy_odd_value(slot, k, next);
			if (next == NULL)
				return NULL;
			limit = buffer_limit(self);
			continue;
		}
		if (unlikely(next + length > limit))
		{
			next = make_room(slot, next, length, k);
			limit = buffer_limit(self);
		}
		values[i] = PointerGetDatum(next);
		next = copy_packed(next, value, length);
	}
	for (; k < self->refs.count; k++)
	{
		if (unlikely(nulls[refs[k].column]))
			*absent |= UINT64CONST(1) << (k % IMAGE_COLUMNS);
		else if (unlikely((next = copy_value(slot, k, next)) == NULL))
			return NULL;
	}
	return next;
}

/* Copies the by-reference values of a virtual row into the slot's buffer. */
static void
own_values(TupleTableSlot *slot)
{
	NtsSlot    *self = (NtsSlot *) slot;
	uint64		absent = 0;
	char	   *end;

	if (self->owned || TTS_SHOULDFREE(slot))
		return;
	if (self->refs.columns == NULL || !TTS_FIXED(slot))
		list_refs(slot);
	if (self->refs.count == 0)
		return;
	if (self->buffer == NULL)
		first_buffer(slot);
	end = copy_values(slot, self->buffer + sizeof(absent), &absent);
	if (unlikely(end == NULL))
	{
		/* by PostgreSQL's own function, together with what was copied so far */
		TTSOpsVirtual.materialize(slot);
		return;
	}
	if (end == self->buffer + sizeof(absent))
		return;
	memcpy(self->buffer, &absent, sizeof(absent));
	self->buffer_used = end - self->buffer;
	self->owned = true;
	if (!self->has_piece)
		newest_bytes = self->buffer_used;
}

const uint8 *
nts_slot_image(TupleTableSlot *slot, uint32 *length)
{
	NtsSlot    *self = (NtsSlot *) slot;

	if (slot->tts_ops != &TTSOpsNodedbTs || !self->owned || self->refs.count > IMAGE_COLUMNS ||
		self->buffer_used > MAX_KEPT_BUFFER)
		return NULL;
	*length = (uint32) self->buffer_used;
	return (const uint8 *) self->buffer;
}

static void
slot_materialize(TupleTableSlot *slot)
{
	NtsSlot    *self = (NtsSlot *) slot;

	if (self->set != NULL)
	{
		NtsVectorSet *set = self->set;

		slot_fill(slot, slot->tts_tupleDescriptor->natts);
		self->xmin = set->xmins != NULL ? set->xmins[self->row] : set->xmin;
		self->cid = set->cids != NULL ? set->cids[self->row] : set->cid;
		self->has_system = true;
		own_values(slot);		/* copies out of the set's buffers */
		self->set = NULL;
		nts_vector_set_release(set);
	}
	else
		own_values(slot);
}

static void
slot_copyslot(TupleTableSlot *dst, TupleTableSlot *src)
{
	NtsSlot    *to = (NtsSlot *) dst;
	NtsSlot    *from = (NtsSlot *) src;

	int			natts = src->tts_tupleDescriptor->natts;

	slot_clear(dst);
	slot_getallattrs(src);
	memcpy(dst->tts_values, src->tts_values, sizeof(Datum) * natts);
	memcpy(dst->tts_isnull, src->tts_isnull, sizeof(bool) * natts);
	dst->tts_nvalid = natts;
	dst->tts_flags &= ~TTS_FLAG_EMPTY;
	own_values(dst);
	if (src->tts_ops == &TTSOpsNodedbTs && (from->set != NULL || from->has_system))
	{
		bool		isnull;

		to->xmin = DatumGetTransactionId(slot_getsysattr_impl(src, MinTransactionIdAttributeNumber,
															  &isnull));
		to->cid = DatumGetCommandId(slot_getsysattr_impl(src, MinCommandIdAttributeNumber, &isnull));
		to->has_system = true;
	}
	dst->tts_tid = src->tts_tid;
	dst->tts_tableOid = src->tts_tableOid;
}

static HeapTuple
slot_copy_heap_tuple(TupleTableSlot *slot)
{
	HeapTuple	tuple;

	slot_getallattrs(slot);
	tuple = heap_form_tuple(slot->tts_tupleDescriptor, slot->tts_values, slot->tts_isnull);
	tuple->t_self = slot->tts_tid;
	tuple->t_tableOid = slot->tts_tableOid;
	return tuple;
}

static MinimalTuple
slot_copy_minimal_tuple(TupleTableSlot *slot)
{
	slot_getallattrs(slot);
	return heap_form_minimal_tuple(slot->tts_tupleDescriptor, slot->tts_values, slot->tts_isnull);
}

const TupleTableSlotOps TTSOpsNodedbTs = {
	.base_slot_size = sizeof(NtsSlot),
	.init = slot_init,
	.release = slot_release,
	.clear = slot_clear,
	.getsomeattrs = slot_getsomeattrs_lazy,
	.getsysattr = slot_getsysattr_impl,
	.materialize = slot_materialize,
	.copyslot = slot_copyslot,
	.get_heap_tuple = NULL,
	.get_minimal_tuple = NULL,
	.copy_heap_tuple = slot_copy_heap_tuple,
	.copy_minimal_tuple = slot_copy_minimal_tuple
};

void
nts_slot_store(TupleTableSlot *slot, NtsVectorSet *set, uint32 row, Oid table_oid)
{
	NtsSlot    *self = (NtsSlot *) slot;

	/* the common case, next row of the same set, keeps the reference */
	if (self->set != set || TTS_SHOULDFREE(slot))
	{
		ExecClearTuple(slot);
		set->references++;
		self->set = set;
	}
	self->row = row;
	slot->tts_nvalid = 0;
	slot->tts_flags &= ~TTS_FLAG_EMPTY;
	nts_row_id_to_tid(set->row_ids != NULL ? set->row_ids[row] : set->first_row_id + row,
					  &slot->tts_tid);
	slot->tts_tableOid = table_oid;
}

void
nts_slot_set_system(TupleTableSlot *slot, TransactionId xmin, CommandId cid)
{
	NtsSlot    *self = (NtsSlot *) slot;

	if (slot->tts_ops != &TTSOpsNodedbTs || self->set != NULL)
		return;
	self->xmin = xmin;
	self->cid = cid;
	self->has_system = true;
}
