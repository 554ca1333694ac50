/*
 * sorter.c - committed rows on their way into sorted segments, through a part of the core or from where they were decoded.
 *
 * Used by ts_flush for L0 batches and by ts_compact for segments that are sorted by other
 * columns. The rows' ids and command ids are dropped: nobody may ask for them any more.
 * Few rows stay in the sets they were decoded into: taken apart into rows, for a part that
 * puts them together again by column, each would cost nearly twice as much. Many would take
 * too much memory that way.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/error.h"
#include "pg/maintenance/sorter.h"

/* Rows that go to the part by column in one call, fewer of many columns; fewer than the last are not worth it. */
#define MAX_BLOCK_ROWS 256
#define MAX_BLOCK_WORDS 16384
#define SMALL_BLOCK 16
/* Sets that are kept take so much of the budget at most. */
#define KEPT_SHARE 4

/* Called with the address of a manager that outlives the caller's stack frame. */
static void
free_manager(void *arg)
{
	NtsManager **manager = arg;

	nts_manager_free(*manager);
	*manager = NULL;
}

uint64
nts_sorter_budget(void)
{
	return (uint64) Max(maintenance_work_mem, 16 * 1024) * 1024;
}

static void
make_block(NtsSorter *sorter, int natts, MemoryContext context)
{
	uint32		rows = Max(Min(MAX_BLOCK_WORDS / Max(natts, 1), MAX_BLOCK_ROWS), SMALL_BLOCK);

	sorter->natts = natts;
	sorter->block_rows = rows;
	sorter->words = MemoryContextAlloc(context, sizeof(uint64_t) * rows * Max(natts, 1));
	sorter->nulls = MemoryContextAlloc(context, sizeof(bool) * rows * Max(natts, 1));
	sorter->word_rows = MemoryContextAlloc(context, sizeof(uint64_t *) * rows);
	sorter->null_rows = MemoryContextAlloc(context, sizeof(bool *) * rows);
	sorter->set_rows = MemoryContextAlloc(context, sizeof(uint32) * rows);
	for (uint32 i = 0; i < rows; i++)
	{
		sorter->word_rows[i] = sorter->words + (Size) i * natts;
		sorter->null_rows[i] = sorter->nulls + (Size) i * natts;
	}
}

void
nts_sorter_begin(NtsSorter *sorter, Relation rel, const NtsSchema *schema, MemoryContext context)
{
	MemoryContextCallback *callback = MemoryContextAllocZero(context, sizeof(*callback));
	NtsManager **manager = MemoryContextAllocZero(context, sizeof(*manager));
	NtsManagerOptions options = {0};
	NtsStatus	status;

	sorter->rel = rel;
	sorter->context = context;
	sorter->columns = MemoryContextAllocZero(context, sizeof(NtsColumn) * Max(schema->column_count, 1));
	sorter->values = MemoryContextAllocZero(context, sizeof(NtsValue) * Max(schema->column_count, 1));
	memcpy(sorter->columns, schema->columns, sizeof(NtsColumn) * schema->column_count);
	make_block(sorter, schema->column_count, context);
	options.memory_budget_bytes = nts_sorter_budget();
	options.active_fraction = 0.6;
	options.max_series = PG_INT32_MAX;
	callback->func = free_manager;
	callback->arg = manager;
	MemoryContextRegisterResetCallback(context, callback);
	*manager = nts_manager_new(&options, &status);
	if (*manager == NULL)
		nts_error_raise(&status, rel);
	sorter->part = nts_part_new(*manager, schema, &status);
	if (sorter->part == NULL)
		nts_error_raise(&status, rel);
}

void
nts_sorter_series(NtsSorter *sorter, const uint16 *columns, uint32 count)
{
	NtsStatus	status;

	NTS_CHECK(nts_part_set_series(sorter->part, columns, count, &status), status, sorter->rel);
}

static void
take_row(NtsSorter *sorter, NtsVectorSet *set, uint32 row)
{
	NtsStatus	status;
	int			result;

	for (int i = 0; i < set->natts; i++)
	{
		NtsValue   *value = &sorter->values[i];
		Datum		datum = set->columns[i].values[row];

		value->is_null = set->columns[i].nulls[row] || sorter->columns[i].kind == NTS_KIND_NONE;
		value->word = (uint64) datum;
		value->length = 0;
		if (sorter->columns[i].kind == NTS_KIND_VAR && !value->is_null)
		{
			value->word = (uint64) (uintptr_t) VARDATA_ANY(DatumGetPointer(datum));
			value->length = VARSIZE_ANY_EXHDR(DatumGetPointer(datum));
		}
	}
	for (int attempt = 0;; attempt++)
	{
		NTS_CHECK(nts_part_append(sorter->part, sorter->values, NTS_NO_ROW_ID, sorter->cid, &result,
								  &status), status, sorter->rel);
		if (result == NTS_INGEST_OK)
			return;
		if (attempt > 0 && result == NTS_INGEST_REJECTED)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("a row of table \"%s\" does not fit into maintenance_work_mem",
							RelationGetRelationName(sorter->rel))));
		sorter->flush(sorter);
		if (result == NTS_INGEST_FLUSH_NEEDED)
			return;
	}
}

/* Missing values of columns added later may be toasted in the catalog's form; the
 * rest are plain. */
static void
detoast_defaults(NtsSorter *sorter, NtsVectorSet *set)
{
	if (set->desc->constr == NULL || set->desc->constr->missing == NULL)
		return;
	for (int i = 0; i < set->natts; i++)
	{
		if (sorter->columns[i].kind != NTS_KIND_VAR)
			continue;
		for (uint32 row = 0; row < set->rows; row++)
		{
			struct varlena *var = (struct varlena *) DatumGetPointer(set->columns[i].values[row]);
			MemoryContext old;

			if (set->columns[i].nulls[row] || !(VARATT_IS_EXTERNAL(var) || VARATT_IS_COMPRESSED(var)))
				continue;
			old = MemoryContextSwitchTo(set->data_context);
			set->columns[i].values[row] = PointerGetDatum(pg_detoast_datum_packed(var));
			MemoryContextSwitchTo(old);
		}
	}
}

/* Takes the rows of the set that are listed in set_rows. */
static void
take_block(NtsSorter *sorter, NtsVectorSet *set, uint32 count)
{
	int			natts = set->natts;

	Assert(natts == sorter->natts);
	for (int c = 0; c < natts; c++)
	{
		const NtsColumnData *column = &set->columns[c];
		uint64_t   *word = sorter->words + c;
		bool	   *null = sorter->nulls + c;

		for (uint32 i = 0; i < count; i++, word += natts, null += natts)
		{
			*word = (uint64_t) column->values[sorter->set_rows[i]];
			*null = column->nulls[sorter->set_rows[i]] != 0;
		}
	}
	for (uint32 at = 0, by_row = 0; at < count;)
	{
		NtsRowBlock block = {sorter->word_rows + at, sorter->null_rows + at, count - at, NULL, NULL, 0};
		uint32_t	added = 0;
		int			result;
		NtsStatus	status;

		if (by_row > 0 || block.count < SMALL_BLOCK)
		{
			take_row(sorter, set, sorter->set_rows[at++]);
			by_row = Max(by_row, 1) - 1;
			continue;
		}
		NTS_CHECK(nts_part_append_block(sorter->part, &block, sorter->cid, &added, &result, &status), status,
				  sorter->rel);
		if (result == NTS_INGEST_FLUSH_NEEDED)
			sorter->flush(sorter);
		at += added;
		/* the row that ended it; where blocks end soon, they cost more than they save */
		if (result == NTS_INGEST_OK)
			by_row = added < SMALL_BLOCK ? 4 * SMALL_BLOCK : 1;
	}
}

void
nts_sorter_take(NtsSorter *sorter, NtsVectorSet *set, NtsSorterSkip skip)
{
	uint32		count = 0;

	detoast_defaults(sorter, set);
	for (uint32 row = 0; row < set->rows; row++)
	{
		if (skip != NULL && skip(sorter, set, row))
			continue;
		sorter->set_rows[count++] = row;
		if (count == sorter->block_rows)
		{
			take_block(sorter, set, count);
			count = 0;
		}
	}
	take_block(sorter, set, count);
}

/* ---- sets that are kept ---- */

static void
add_kept(NtsSorter *sorter, NtsVectorSet *set)
{
	int			natts = Max(set->natts, 1);
	const uint64_t **words = MemoryContextAlloc(set->context, sizeof(uint64_t *) * natts);
	const uint8_t **nulls = MemoryContextAlloc(set->context, sizeof(uint8_t *) * natts);

	Assert(set->natts == sorter->natts);
	for (int c = 0; c < set->natts; c++)
	{
		words[c] = (const uint64_t *) set->columns[c].values;
		nulls[c] = set->columns[c].nulls;
	}
	if (sorter->kept_count == sorter->kept_room)
	{
		MemoryContext old = MemoryContextSwitchTo(sorter->context);
		int			room = sorter->kept_room == 0 ? 64 : sorter->kept_room * 2;

		sorter->kept = sorter->kept == NULL ? palloc(sizeof(*sorter->kept) * room) :
			repalloc_huge(sorter->kept, sizeof(*sorter->kept) * room);
		sorter->blocks = sorter->blocks == NULL ? palloc(sizeof(*sorter->blocks) * room) :
			repalloc_huge(sorter->blocks, sizeof(*sorter->blocks) * room);
		sorter->kept_room = room;
		MemoryContextSwitchTo(old);
	}
	sorter->blocks[sorter->kept_count] = (NtsColumnBlock) {words, nulls, set->rows};
	sorter->kept[sorter->kept_count++] = set;
	set->references++;
	sorter->kept_rows += set->rows;
	sorter->kept_bytes += MemoryContextMemAllocated(set->context, true);
}

static void
forget_kept(NtsSorter *sorter)
{
	for (int i = 0; i < sorter->kept_count; i++)
		nts_vector_set_release(sorter->kept[i]);
	sorter->kept_count = 0;
	sorter->kept_rows = 0;
	sorter->kept_bytes = 0;
}

/* They are no longer kept when the part is full and its flush begins: that is of what is in the part. */
static void
hand_kept_over(NtsSorter *sorter)
{
	int			count = sorter->kept_count;

	sorter->went_to_part = true;
	sorter->kept_count = 0;
	sorter->kept_rows = 0;
	sorter->kept_bytes = 0;
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		nts_sorter_take(sorter, sorter->kept[i], NULL);
		nts_vector_set_release(sorter->kept[i]);
	}
}

void
nts_sorter_keep(NtsSorter *sorter, NtsVectorSet *set)
{
	if (sorter->went_to_part)
	{
		nts_sorter_take(sorter, set, NULL);
		return;
	}
	detoast_defaults(sorter, set);
	add_kept(sorter, set);
	if (sorter->kept_bytes > nts_sorter_budget() / KEPT_SHARE)
		hand_kept_over(sorter);
}

uint64
nts_sorter_rows(const NtsSorter *sorter)
{
	return sorter->kept_rows + nts_part_rows(sorter->part);
}

void
nts_sorter_flush_begin(NtsSorter *sorter, const NtsFlushOptions *options)
{
	NtsStatus	status;
	int			code;

	if (sorter->kept_count > 0)
		code = nts_flush_begin_columns(sorter->part, sorter->blocks, sorter->kept_count, sorter->cid, options, &status);
	else
		code = nts_flush_begin(sorter->part, options, &status);
	NTS_CHECK(code, status, sorter->rel);
}

void
nts_sorter_flush_end(NtsSorter *sorter)
{
	nts_flush_end(sorter->part, true);
	forget_kept(sorter);
}
