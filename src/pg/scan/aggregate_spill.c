/*
 * aggregate_spill.c - rows and values that wait in temporary files.
 *
 * A row is written as the values that its group's keys and aggregates need: a bitmap of NULLs, then the others, one after the
 * other. So it is aggregated later as it would have been at once, whatever the states are.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/scan/aggregate_intern.h"
#include "pg/scan/aggregate_spill.h"

#define LEAST_PARTITIONS 4
#define MOST_PARTITIONS 64
#define LOADED_ROWS 1024
#define LOADED_BYTES (256 * 1024)	/* by reference, after which a load ends */

NtsSpill *
nts_spill_make(MemoryContext parent)
{
	NtsSpill   *spill = MemoryContextAllocZero(parent, sizeof(NtsSpill));

	spill->context = AllocSetContextCreate(parent, "nodedb_ts temporary files", ALLOCSET_DEFAULT_SIZES);
	return spill;
}

void
nts_spill_drop(NtsSpill *spill)
{
	LogicalTapeSet *tapes = spill->tapes;

	spill->tapes = NULL;
	spill->used = false;
	if (tapes != NULL)
		LogicalTapeSetClose(tapes);
	MemoryContextReset(spill->context);
}

uint64
nts_spill_bytes(const NtsSpill *spill)
{
	return (uint64) spill->most_blocks * BLCKSZ;
}

/* ---- passes ---- */

int
nts_spill_fanout(Size memory)
{
	int			fanout = LEAST_PARTITIONS;

	/* each has a buffer of a block */
	while (fanout < MOST_PARTITIONS && (Size) fanout * 2 * BLCKSZ <= memory / 4)
		fanout *= 2;
	return fanout;
}

void
nts_spill_queue_init(NtsSpillQueue *queue, NtsSpill *spill, Size memory)
{
	memset(queue, 0, sizeof(*queue));
	queue->spill = spill;
	queue->fanout = nts_spill_fanout(memory);
}

void
nts_spill_queue_free(NtsSpillQueue *queue)
{
	Assert(queue->count == 0 && queue->in == NULL && queue->out == NULL);
	if (queue->waiting != NULL)
		pfree(queue->waiting);
	queue->waiting = NULL;
	queue->room = 0;
}

uint64
nts_spill_seed(const NtsSpillQueue *queue)
{
	return nts_mix((uint64) queue->level + 1);
}

LogicalTape *
nts_spill_tape(NtsSpillQueue *queue, uint64 hash)
{
	NtsSpill   *spill = queue->spill;
	int			place = (int) ((hash >> 32) & (uint64) (queue->fanout - 1));
	MemoryContext old;

	if (queue->out != NULL && queue->out[place] != NULL)
		return queue->out[place];
	old = MemoryContextSwitchTo(spill->context);
	spill->used = true;
	if (spill->tapes == NULL)
		spill->tapes = LogicalTapeSetCreate(true, NULL, -1);
	if (queue->out == NULL)
		queue->out = palloc0(sizeof(LogicalTape *) * queue->fanout);
	queue->out[place] = LogicalTapeCreate(spill->tapes);
	MemoryContextSwitchTo(old);
	return queue->out[place];
}

void
nts_spill_write(NtsSpillQueue *queue, LogicalTape *tape, const void *data, Size size)
{
	MemoryContext old = MemoryContextSwitchTo(queue->spill->context);

	LogicalTapeWrite(tape, (void *) data, size);
	MemoryContextSwitchTo(old);
}

void
nts_spill_end_pass(NtsSpillQueue *queue)
{
	NtsSpill   *spill = queue->spill;
	MemoryContext old = MemoryContextSwitchTo(spill->context);

	if (queue->in != NULL)
		LogicalTapeClose(queue->in);
	queue->in = NULL;
	for (int p = 0; queue->out != NULL && p < queue->fanout; p++)
	{
		if (queue->out[p] == NULL)
			continue;
		if (queue->count == queue->room)
		{
			queue->room = Max(queue->room * 2, MOST_PARTITIONS);
			if (queue->waiting == NULL)
				queue->waiting = palloc(sizeof(*queue->waiting) * queue->room);
			else
				queue->waiting = repalloc(queue->waiting, sizeof(*queue->waiting) * queue->room);
		}
		LogicalTapeRewindForRead(queue->out[p], BLCKSZ);
		queue->waiting[queue->count].tape = queue->out[p];
		queue->waiting[queue->count++].level = queue->level + 1;
	}
	if (queue->out != NULL)
		pfree(queue->out);
	queue->out = NULL;
	if (spill->tapes != NULL)
		spill->most_blocks = Max(spill->most_blocks, LogicalTapeSetBlocks(spill->tapes));
	MemoryContextSwitchTo(old);
}

bool
nts_spill_begin_pass(NtsSpillQueue *queue)
{
	Assert(queue->in == NULL && queue->out == NULL);
	if (queue->count == 0)
		return false;
	/* the last ones first: few wait at a time then */
	queue->in = queue->waiting[--queue->count].tape;
	queue->level = queue->waiting[queue->count].level;
	return true;
}

bool
nts_spill_read(NtsSpillQueue *queue, void *data, Size size, bool first)
{
	MemoryContext old = MemoryContextSwitchTo(queue->spill->context);
	Size		read = LogicalTapeRead(queue->in, data, size);

	MemoryContextSwitchTo(old);
	if (read == size)
		return true;
	if (read != 0 || !first)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("unexpected end of a temporary file: requested %zu bytes, read %zu bytes", size, read)));
	return false;
}

/* ---- values ---- */

static Size
size_of(Datum value, int16 typlen)
{
	return typlen > 0 ? (Size) typlen : typlen == -1 ? VARSIZE_ANY(DatumGetPointer(value)) :
		strlen(DatumGetCString(value)) + 1;
}

void
nts_spill_write_reference(NtsSpillQueue *queue, LogicalTape *tape, Datum value, int16 typlen)
{
	Size		size = size_of(value, typlen);

	if (typlen < 0)
		nts_spill_write(queue, tape, &size, sizeof(size));
	nts_spill_write(queue, tape, DatumGetPointer(value), size);
}

Datum
nts_spill_read_reference(NtsSpillQueue *queue, int16 typlen)
{
	Size		size = (Size) typlen;
	char	   *value;

	if (typlen < 0)
		nts_spill_read(queue, &size, sizeof(size), false);
	value = palloc(size);
	nts_spill_read(queue, value, size, false);
	return PointerGetDatum(value);
}

/* ---- rows ---- */

#define NULLS_BYTES(count) (((count) + 7) / 8)

static inline bool
is_null(const NtsAggVector *vector, uint32 row)
{
	return vector->nulls != NULL && vector->nulls[row];
}

void
nts_spill_rows(NtsSpillQueue *queue, const NtsAggVectors *vectors, const int *columns, int column_count, uint64 hash,
			   uint32 first, uint32 count)
{
	LogicalTape *tape = nts_spill_tape(queue, hash);
	Size		nulls_bytes = NULLS_BYTES(column_count);
	uint8	   *nulls = MemoryContextAlloc(vectors->econtext->ecxt_per_tuple_memory, nulls_bytes);

	for (uint32 row = first; row < first + count; row++)
	{
		memset(nulls, 0, nulls_bytes);
		for (int c = 0; c < column_count; c++)
			if (is_null(&vectors->vectors[columns[c]], row))
				nulls[c / 8] |= 1 << (c % 8);
		nts_spill_write(queue, tape, nulls, nulls_bytes);
		for (int c = 0; c < column_count; c++)
		{
			const NtsAggVector *vector = &vectors->vectors[columns[c]];

			if (is_null(vector, row))
				continue;
			if (vector->typbyval)
				nts_spill_write(queue, tape, &vector->values[row], sizeof(Datum));
			else
				nts_spill_write_reference(queue, tape, vector->values[row], vector->typlen);
		}
		CHECK_FOR_INTERRUPTS();
	}
	pfree(nulls);
}

uint32
nts_spill_load(NtsSpillQueue *queue, NtsAggVectors *vectors, const int *columns, int column_count)
{
	MemoryContext memory = vectors->econtext->ecxt_per_tuple_memory;
	Size		nulls_bytes = NULLS_BYTES(column_count);
	uint8	   *nulls;
	Size		bytes = 0;
	uint32		row = 0;
	MemoryContext old;

	ResetExprContext(vectors->econtext);
	for (int c = 0; c < column_count; c++)
	{
		NtsAggVector *vector = &vectors->vectors[columns[c]];

		nts_agg_vector_make_room(vectors, vector, LOADED_ROWS);
		vector->values = vector->own_values;
		vector->nulls = NULL;
		vector->uniform = false;
		vector->change_count = -1;
	}
	old = MemoryContextSwitchTo(memory);
	nulls = palloc(nulls_bytes);
	while (row < LOADED_ROWS && bytes < LOADED_BYTES && nts_spill_read(queue, nulls, nulls_bytes, true))
	{
		for (int c = 0; c < column_count; c++)
		{
			NtsAggVector *vector = &vectors->vectors[columns[c]];
			bool		isnull = (nulls[c / 8] >> (c % 8)) & 1;

			vector->own_nulls[row] = isnull;
			if (isnull)
			{
				vector->values[row] = (Datum) 0;
				vector->nulls = vector->own_nulls;
			}
			else if (vector->typbyval)
				nts_spill_read(queue, &vector->values[row], sizeof(Datum), false);
			else
			{
				vector->values[row] = nts_spill_read_reference(queue, vector->typlen);
				bytes += size_of(vector->values[row], vector->typlen);
			}
		}
		row++;
	}
	MemoryContextSwitchTo(old);
	return row;
}
