/*
 * slot.c - a slot with two states.
 *
 * lazy: the slot refers to one row of a shared vector set; a column's vector is
 *   decoded when some row asks for it, and kept with the set.
 * virtual: everything PostgreSQL's virtual slot does (INSERT, COPY and triggers
 *   store into slots of our type). Clearing or materializing leaves the lazy state.
 *   A materialized row lies in a buffer that the slot keeps: COPY materializes every
 *   row, and an allocation for each shows. So does looking for the columns that have
 *   something to copy: a slot that stays with one row type keeps a list of them.
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

#include "pg/am/am.h"

typedef struct NtsSlot
{
	VirtualTupleTableSlot base;
	NtsVectorSet *set;			/* lazy state: a reference; else NULL */
	uint32		row;
	bool		has_system;
	TransactionId xmin;
	CommandId	cid;
	bool		owned;			/* by-reference values lie in `buffer`: the row's image */
	bool		shares_desc;	/* the row type is not pinned for this slot */
	char	   *buffer;			/* in the slot's context */
	Size		buffer_size;
	Size		buffer_used;
	struct RefColumn *refs;		/* in the slot's context; NULL: not listed yet */
	int			ref_count;
	int			pack_count;		/* of them, the first: varlenas that may have a header of one byte */
} NtsSlot;

/* A column whose values are passed by reference. */
typedef struct RefColumn
{
	int16		column;
	int16		length;			/* pg_attribute.attlen */
	uint8		padding;		/* bytes of alignment, less one */
} RefColumn;

#define MAX_KEPT_BUFFER 1024	/* a larger one is freed with its row */
#define FIRST_BUFFER 128
#define MAX_PACKED (VARATT_SHORT_MAX - VARHDRSZ_SHORT + VARHDRSZ)	/* length of a varlena that gets a short header */
#define BUFFER_SLACK (MAXIMUM_ALIGNOF + sizeof(uint64))	/* for alignment, and for what is written behind a value */
#define IMAGE_COLUMNS 64		/* that the buffer's first word has a bit for */

/*
 * PostgreSQL pins the row type for each slot, and the resource owner adds and finds equal pins in time that grows with their
 * number: of COPY with 1 000 rows, for each of which there is a slot, that is more than half. So from the 17th
 * slot on that are made one after the other in the same memory context, one reference serves for all; it goes with the context.
 */
#define PINNED_SLOTS 16

typedef struct DescHold
{
	MemoryContextCallback callback;
	MemoryContext context;
	TupleDesc	desc;
} DescHold;

static DescHold *newest_hold;	/* NULL if its context is gone */

static void
give_back_desc(void *arg)
{
	DescHold   *hold = arg;

	if (newest_hold == hold)
		newest_hold = NULL;
	/* as DecrTupleDescRefCount, for no resource owner */
	if (--hold->desc->tdrefcount == 0)
		FreeTupleDesc(hold->desc);
}

static bool
share_desc(const TupleTableSlot *slot)
{
	/* compared only; a row type or context that is gone, and another in its place, go on in the count */
	static const void *counted_desc;
	static const void *counted_context;
	static int	count;
	TupleDesc	desc = slot->tts_tupleDescriptor;

	if (desc == NULL || desc->tdrefcount < 0)
		return false;
	if (newest_hold == NULL || newest_hold->desc != desc || newest_hold->context != slot->tts_mcxt)
	{
		DescHold   *hold;

		if (counted_desc != desc || counted_context != slot->tts_mcxt)
			count = 0;
		counted_desc = desc;
		counted_context = slot->tts_mcxt;
		if (count++ < PINNED_SLOTS)
			return false;
		hold = MemoryContextAlloc(slot->tts_mcxt, sizeof(DescHold));
		hold->callback.func = give_back_desc;
		hold->callback.arg = hold;
		hold->context = slot->tts_mcxt;
		hold->desc = desc;
		desc->tdrefcount++;
		MemoryContextRegisterResetCallback(slot->tts_mcxt, &hold->callback);
		newest_hold = hold;
	}
	/* the newest pin, that of MakeTupleTableSlot, is found at once */
	ReleaseTupleDesc(desc);
	return true;
}

static void
slot_init(TupleTableSlot *slot)
{
	NtsSlot    *self = (NtsSlot *) slot;

	self->shares_desc = share_desc(slot);
	self->set = NULL;
	self->has_system = false;
	self->owned = false;
	self->buffer = NULL;
	self->buffer_size = 0;
	self->buffer_used = 0;
	self->refs = NULL;
	self->ref_count = 0;
	self->pack_count = 0;
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
free_buffer(NtsSlot *self)
{
	if (self->buffer != NULL)
		pfree(self->buffer);
	self->buffer = NULL;
	self->buffer_size = 0;
}

static void
free_refs(NtsSlot *self)
{
	if (self->refs != NULL)
		pfree(self->refs);
	self->refs = NULL;
	self->ref_count = 0;
	self->pack_count = 0;
}

static void
slot_clear(TupleTableSlot *slot)
{
	NtsSlot    *self = (NtsSlot *) slot;

	leave_lazy(self);
	self->has_system = false;
	self->owned = false;
	if (self->buffer_size > MAX_KEPT_BUFFER)
		free_buffer(self);
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
	free_buffer((NtsSlot *) slot);
	free_refs((NtsSlot *) slot);
	/* else PostgreSQL would unpin it */
	if (((NtsSlot *) slot)->shares_desc)
		slot->tts_tupleDescriptor = NULL;
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
 * The columns that have something to copy, those first whose short values get a short header, as in heap's tuples. A slot whose row type may change (ExecSetSlotDescriptor, to a wider one, too)
 * lists them each time; PostgreSQL makes those of our type with a fixed one, extensions need not.
 */
static void
list_refs(TupleTableSlot *slot)
{
	NtsSlot    *self = (NtsSlot *) slot;
	TupleDesc	desc = slot->tts_tupleDescriptor;

	free_refs(self);
	self->refs = MemoryContextAlloc(slot->tts_mcxt, sizeof(RefColumn) * Max(desc->natts, 1));
	for (int pass = 0; pass < 2; pass++)
	{
		for (int i = 0; i < desc->natts; i++)
		{
			Form_pg_attribute att = TupleDescAttr(desc, i);
			RefColumn  *ref = &self->refs[self->ref_count];
			bool		packs = att->attlen == -1 && att->attstorage != TYPSTORAGE_PLAIN;

			if (att->attbyval || packs != (pass == 0))
				continue;
			ref->column = i;
			ref->length = att->attlen;
			ref->padding = att_align_nominal(1, att->attalign) - 1;
			self->ref_count++;
		}
		if (pass == 0)
			self->pack_count = self->ref_count;
	}
}

/* Room for `need` bytes in all; what lies there, of the first `count` listed columns, moves along. */
static void
grow_buffer(TupleTableSlot *slot, Size used, Size need, int count)
{
	NtsSlot    *self = (NtsSlot *) slot;
	char	   *old = self->buffer;
	Size		size = Max(need + Min(need / 4, MAX_KEPT_BUFFER), FIRST_BUFFER);
	char	   *grown = MemoryContextAllocHuge(slot->tts_mcxt, size);

	if (old != NULL)
		memcpy(grown, old, used);
	for (int k = 0; k < count; k++)
	{
		int			i = self->refs[k].column;

		if (!slot->tts_isnull[i])
			slot->tts_values[i] = PointerGetDatum(grown + (DatumGetPointer(slot->tts_values[i]) - old));
	}
	self->buffer = grown;
	self->buffer_size = size;
	if (old != NULL)
		pfree(old);
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
	const RefColumn *ref = &self->refs[k];
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
 * Copies the by-reference values of a virtual row, those that pack first, to `next` in the slot's buffer; returns their end and
 * sets *absent. NULL: there is an expanded one.
 */
static char *
copy_values(TupleTableSlot *slot, char *next, uint64 *absent)
{
	NtsSlot    *self = (NtsSlot *) slot;
	/* kept here, since bytes that are copied may be anything to a compiler */
	Datum	   *values = slot->tts_values;
	const bool *nulls = slot->tts_isnull;
	const RefColumn *refs = self->refs;
	char	   *limit = buffer_limit(self);
	int			pack_count = self->pack_count;
	int			k;

	for (k = 0; k < pack_count; k++)
	{
		int			i = refs[k].column;
		const char *value = DatumGetPointer(values[i]);
		Size		length;

		if (unlikely(nulls[i]))
		{
			*absent |= UINT64CONST(1) << (k % IMAGE_COLUMNS);
			continue;
		}
		length = VARATT_IS_4B_U(value) ? VARSIZE_4B(value) : MAX_PACKED + 1;
		if (unlikely(length > MAX_PACKED))
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
	for (; k < self->ref_count; k++)
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
	if (self->refs == NULL || !TTS_FIXED(slot))
		list_refs(slot);
	if (self->ref_count == 0)
		return;
	if (self->buffer == NULL)
		grow_buffer(slot, 0, FIRST_BUFFER, 0);
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
}

const uint8 *
nts_slot_image(TupleTableSlot *slot, uint32 *length)
{
	NtsSlot    *self = (NtsSlot *) slot;

	if (slot->tts_ops != &TTSOpsNodedbTs || !self->owned || self->ref_count > IMAGE_COLUMNS ||
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
