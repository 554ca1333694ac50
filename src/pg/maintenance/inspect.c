/*
 * inspect.c - what a table and this backend hold: ts_segments, ts_table_stats, ts_memtable.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "optimizer/plancat.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "pg/am/am.h"
#include "pg/am/options.h"
#include "pg/error.h"

PG_FUNCTION_INFO_V1(ts_segments);
PG_FUNCTION_INFO_V1(ts_table_stats);
PG_FUNCTION_INFO_V1(ts_memtable);

/* A time in the text form of its column's type. */
static Datum
time_text(Relation rel, int column, int64 value, bool *isnull)
{
	Oid			output;
	bool		is_varlena;
	Form_pg_attribute att;

	*isnull = true;
	if (column < 0 || column >= RelationGetDescr(rel)->natts)
		return (Datum) 0;
	att = TupleDescAttr(RelationGetDescr(rel), column);
	if (att->attisdropped || !att->attbyval)
		return (Datum) 0;
	*isnull = false;
	getTypeOutputInfo(att->atttypid, &output, &is_varlena);
	return CStringGetTextDatum(OidOutputFunctionCall(output, (Datum) value));
}

/* {"column": {"codec": "delta", "bytes": 1234}, ...}; several codecs in order of the row groups. With a trained
 * dictionary also which, and its bytes, which are shared by other segments. */
static Datum
column_codecs(NtsReader *reader, int entry, const NtsSegmentInfo *info, TupleDesc desc)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	for (int c = 0; c < (int) Min(info->column_count, (uint32) desc->natts); c++)
	{
		bool		seen[256] = {0};
		bool		uses_dictionary = false;
		uint64		bytes = 0;

		if (TupleDescAttr(desc, c)->attisdropped)
			continue;
		if (json.len > 1)
			appendStringInfoString(&json, ", ");
		escape_json(&json, NameStr(TupleDescAttr(desc, c)->attname));
		appendStringInfoString(&json, ": {\"codec\": \"");
		for (uint32 g = 0; g < info->row_groups; g++)
		{
			NtsChunkInfo chunk;

			nts_reader_chunk(reader, entry, g, c, &chunk);
			bytes += chunk.length;
			uses_dictionary = uses_dictionary || chunk.uses_dictionary;
			if (!seen[chunk.codec])
				appendStringInfo(&json, "%s%s", g > 0 ? ", " : "", nts_codec_name(chunk.codec));
			seen[chunk.codec] = true;
		}
		appendStringInfo(&json, "\", \"bytes\": " UINT64_FORMAT, bytes);
		if (uses_dictionary)
			appendStringInfo(&json, ", \"dictionary\": %u, \"dictionary_bytes\": " UINT64_FORMAT, info->dictionaries,
							 nts_reader_dictionary_bytes(reader, entry, c));
		appendStringInfoChar(&json, '}');
	}
	appendStringInfoChar(&json, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}

Datum
ts_segments(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			relid = PG_GETARG_OID(0);
	Relation	rel;
	NtsReader  *reader;
	char	   *name = get_rel_name(relid);

	if (name != NULL && pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, name);
	rel = try_relation_open(relid, AccessShareLock);
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	if (!nts_is_nodedb_ts(rel))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a nodedb_ts table", RelationGetRelationName(rel))));
	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("ts_segments would show more of table \"%s\" than its row-level security allows",
						RelationGetRelationName(rel))));
	InitMaterializedSRF(fcinfo, 0);
	nts_buffer_flush_relation(rel);
	reader = nts_reader_open(rel, RelationGetDescr(rel), GetActiveSnapshot(), CurrentMemoryContext, NULL);
	for (int i = 0; i < nts_reader_entry_count(reader); i++)
	{
		const NtsEntry *e = nts_reader_entry(reader, i);
		NtsSegmentInfo info;
		Datum		values[10];
		bool		nulls[10] = {0};

		if (e->level == NTS_LEVEL_DELTA)
			continue;
		nts_reader_segment_info(reader, i, &info);
		values[0] = Int64GetDatum((int64) e->generation);
		values[1] = Int32GetDatum(e->level);
		values[2] = Int64GetDatum((int64) e->rows);
		values[3] = Int64GetDatum((int64) e->byte_length);
		values[4] = Int64GetDatum((int64) e->block_count);
		values[5] = Int64GetDatum((int64) info.series);
		values[6] = Int32GetDatum((int32) info.row_groups);
		nulls[7] = nulls[8] = (e->flags & NTS_ENTRY_HAS_TIME) == 0;
		if (!nulls[7])
		{
			values[7] = time_text(rel, info.time_column, e->min_time, &nulls[7]);
			values[8] = time_text(rel, info.time_column, e->max_time, &nulls[8]);
		}
		values[9] = column_codecs(reader, i, &info, RelationGetDescr(rel));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	nts_reader_close(reader);
	relation_close(rel, AccessShareLock);
	return (Datum) 0;
}

/* ---- ts_table_stats ---- */

typedef struct TableStats
{
	uint64		rows;
	uint64		segments[NTS_LEVEL_L2 + 1]; /* of levels L1 and L2 */
	uint64		blocks[NTS_LEVEL_L2 + 1];
	uint64		delta_rows;
	uint64		segment_rows;
	uint64		dead_blocks;	/* moved, removed or rolled back; VACUUM frees them when no snapshot needs them */
	uint64		free_blocks;
	bool		has_time;
	int64		oldest;
	int64		newest;
} TableStats;

static void
add_times(TableStats *stats, int64 oldest, int64 newest)
{
	if (oldest > newest)
		return;
	stats->oldest = stats->has_time ? Min(stats->oldest, oldest) : oldest;
	stats->newest = stats->has_time ? Max(stats->newest, newest) : newest;
	stats->has_time = true;
}

static void
add_delta_extent(Relation rel, const NtsMeta *meta, const NtsEntry *entry, Snapshot snapshot,
				 uint32 time_column, TableStats *stats)
{
	uint32		pages = nts_delta_pages(meta, entry);

	stats->free_blocks += entry->block_count - pages;
	for (uint32 i = 0; i < pages; i++)
	{
		PGAlignedBlock page;
		const NtsDeltaSpecial *special;
		NtsBatch	batch;
		NtsBatchCursor cursor = {0};

		CHECK_FOR_INTERRUPTS();
		nts_delta_read(rel, entry, entry->first_block + i, NULL, page.data);
		special = nts_delta_special((Page) page.data);
		if (special->rows > 0 && !nts_delta_page_visible(rel, page.data, snapshot))
		{
			stats->dead_blocks++;
			continue;
		}
		stats->blocks[NTS_LEVEL_DELTA]++;
		if (special->time_column == time_column)
			add_times(stats, special->min_time, special->max_time);
		while (nts_delta_next(rel, entry->first_block + i, page.data, &cursor, &batch))
			if (nts_batch_visible(rel, &batch, snapshot))
				stats->delta_rows += batch.rows;
	}
}

static void
collect_stats(Relation rel, const NtsOptions *options, TableStats *stats)
{
	Snapshot	snapshot = GetActiveSnapshot();
	NtsMeta		meta;
	int			count;
	NtsEntryRef *entries;

	nts_buffer_flush_relation(rel);
	entries = nts_directory_read(rel, &meta, true, &count);
	for (int i = 0; i < count; i++)
	{
		const NtsEntry *entry = &entries[i].entry;

		if (entry->state == NTS_ENTRY_FREE)
			stats->free_blocks += entry->block_count;
		else if (entry->level == NTS_LEVEL_DICTIONARIES)
			continue;			/* as the directory, it counts with the file */
		else if (entry->level == NTS_LEVEL_DELTA)
			add_delta_extent(rel, &meta, entry, snapshot, options->time_column, stats);
		else if (nts_entry_visible(rel, entry, snapshot))
		{
			stats->segments[entry->level]++;
			stats->blocks[entry->level] += entry->block_count;
			stats->segment_rows += entry->rows;
			if (entry->time_column == (uint32) options->time_column && (entry->flags & NTS_ENTRY_HAS_TIME) != 0)
				add_times(stats, entry->min_time, entry->max_time);
		}
		else
			stats->dead_blocks += entry->block_count;
	}
	stats->rows = stats->segment_rows + stats->delta_rows;
}

/* Whoever may read the table, or all statistics, and is not kept from rows of it. */
static bool
may_see_stats(Oid relid)
{
	return (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
			NTS_OWNS_TABLE(relid, GetUserId()) ||
			has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS)) &&
		check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED;
}

/* What the rows of segments would take in heap: header, line pointer, and the widths that ANALYZE has seen. */
static double
heap_bytes(Relation rel, uint64 rows)
{
	double		width = MAXALIGN(SizeofHeapTupleHeader) + sizeof(ItemIdData) +
		MAXALIGN(get_relation_data_width(RelationGetRelid(rel), NULL));

	return rows * width;
}

static void
fill_stats(Relation rel, const NtsOptions *options, const TableStats *stats, Datum *values, bool *nulls)
{
	uint64		segment_blocks = stats->blocks[NTS_LEVEL_L1] + stats->blocks[NTS_LEVEL_L2];
	int			i = 0;

	values[i++] = Int64GetDatum((int64) stats->rows);
	values[i++] = Int64GetDatum((int64) stats->delta_rows);
	values[i++] = Int64GetDatum((int64) stats->blocks[NTS_LEVEL_DELTA] * BLCKSZ);
	for (int level = NTS_LEVEL_L1; level <= NTS_LEVEL_L2; level++)
	{
		values[i++] = Int64GetDatum((int64) stats->segments[level]);
		values[i++] = Int64GetDatum((int64) stats->blocks[level] * BLCKSZ);
	}
	values[i++] = Int64GetDatum((int64) stats->dead_blocks * BLCKSZ);
	values[i++] = Int64GetDatum((int64) stats->free_blocks * BLCKSZ);
	values[i++] = Int64GetDatum((int64) nts_file_blocks(rel) * BLCKSZ);
	nulls[i] = segment_blocks == 0;
	if (!nulls[i])
		values[i] = Float8GetDatum(heap_bytes(rel, stats->segment_rows) / ((double) segment_blocks * BLCKSZ));
	i++;
	/* these are data, so reading all statistics is not enough */
	nulls[i] = nulls[i + 1] = !stats->has_time ||
		(pg_class_aclcheck(RelationGetRelid(rel), GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		 !NTS_OWNS_TABLE(RelationGetRelid(rel), GetUserId()));
	if (!nulls[i])
	{
		values[i] = time_text(rel, options->time_column - 1, stats->oldest, &nulls[i]);
		values[i + 1] = time_text(rel, options->time_column - 1, stats->newest, &nulls[i + 1]);
	}
}

/* For the view nodedb_ts.tables: all NULL where the caller may not look, or another session holds the table. */
Datum
ts_table_stats(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	TableStats	stats = {0};
	TupleDesc	desc;
	Relation	rel = NULL;
	Datum		values[13];
	bool		nulls[13];

	memset(nulls, true, sizeof(nulls));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("ts_table_stats must be called where a row is accepted")));
	if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)) && may_see_stats(relid) &&
		ConditionalLockRelationOid(relid, AccessShareLock))
		rel = try_relation_open(relid, NoLock);
	if (rel != NULL)
	{
		if (nts_is_nodedb_ts(rel) && !RELATION_IS_OTHER_TEMP(rel))
		{
			NtsOptions	options;

			nts_options_get(rel, &options);
			collect_stats(rel, &options, &stats);
			memset(nulls, false, sizeof(nulls));
			fill_stats(rel, &options, &stats, values, nulls);
		}
		relation_close(rel, AccessShareLock);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

Datum
ts_memtable(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	NtsCounters counters;
	Datum		values[8];
	bool		nulls[8] = {0};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("ts_memtable must be called where a row is accepted")));
	nts_buffer_counters(&counters);
	values[0] = Int64GetDatum((int64) counters.flushes);
	values[1] = Int64GetDatum((int64) counters.ingested);
	values[2] = Int64GetDatum((int64) counters.rejected);
	values[3] = Int64GetDatum((int64) counters.evictions);
	values[4] = Int64GetDatum((int64) counters.active_bytes);
	values[5] = Int64GetDatum((int64) counters.active_series);
	values[6] = Int64GetDatum((int64) counters.active_rows);
	values[7] = BoolGetDatum(counters.has_frozen != 0);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
