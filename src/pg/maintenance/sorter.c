/*
 * sorter.c - committed rows on their way into sorted segments, through a part of the core.
 *
 * Used by ts_flush for L0 batches and by ts_compact for segments that are sorted by other
 * columns. The rows' ids and command ids are dropped: nobody may ask for them any more.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "pg/error.h"
#include "pg/maintenance/sorter.h"

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

void
nts_sorter_begin(NtsSorter *sorter, Relation rel, const NtsSchema *schema, MemoryContext context)
{
	MemoryContextCallback *callback = MemoryContextAllocZero(context, sizeof(*callback));
	NtsManager **manager = MemoryContextAllocZero(context, sizeof(*manager));
	NtsManagerOptions options = {0};
	NtsStatus	status;

	sorter->rel = rel;
	sorter->columns = MemoryContextAllocZero(context, sizeof(NtsColumn) * Max(schema->column_count, 1));
	sorter->values = MemoryContextAllocZero(context, sizeof(NtsValue) * Max(schema->column_count, 1));
	memcpy(sorter->columns, schema->columns, sizeof(NtsColumn) * schema->column_count);
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

void
nts_sorter_take(NtsSorter *sorter, NtsVectorSet *set, NtsSorterSkip skip)
{
	detoast_defaults(sorter, set);
	for (uint32 row = 0; row < set->rows; row++)
		if (skip == NULL || !skip(sorter, set, row))
			take_row(sorter, set, row);
}
