/*
 * inspect.c - what a table and this backend hold: ts_segments, ts_memtable.
 */
#include "postgres.h"

#include "access/relation.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "pg/am/am.h"
#include "pg/error.h"

PG_FUNCTION_INFO_V1(ts_segments);
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
		Datum		values[9];
		bool		nulls[9] = {0};

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
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	nts_reader_close(reader);
	relation_close(rel, AccessShareLock);
	return (Datum) 0;
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
