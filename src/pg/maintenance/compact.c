/*
 * compact.c - ts_compact: segments of closed buckets become few, sorted, small ones.
 *
 * Everything happens in the caller's transaction under ShareUpdateExclusiveLock, kept to
 * its end: readers and writers go on. A segment is taken when its transaction has
 * committed, for every snapshot of this transaction, too. The new segments carry this xid
 * and command id, and the old ones are moved by them, so every snapshot sees the rows
 * exactly once; if the transaction fails, nothing has happened. What earlier maintenance
 * moved, and nobody needs any more, is freed first.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "pg/activity.h"
#include "pg/am/am.h"
#include "pg/error.h"
#include "pg/fault.h"
#include "pg/maintenance/clock.h"
#include "pg/maintenance/compact.h"
#include "pg/maintenance/target.h"

PG_FUNCTION_INFO_V1(ts_compact);
PG_FUNCTION_INFO_V1(ts_compact_integer);
PG_FUNCTION_INFO_V1(ts_compact_text);
PG_FUNCTION_INFO_V1(ts_compact_all);

/* What the caller wants. */
typedef struct Request
{
	bool		has_before;
	bool		integer_before;
	int64		before;			/* a TimestampTz, or as it is */
	const char *text_before;	/* or NULL: either, to be parsed */
	int64		groups_left;	/* that this call may still merge */
	ReturnSetInfo *result;
} Request;

/* Committed for everybody who looks from this transaction? */
static bool
is_settled(const NtsEntry *entry, Snapshot older)
{
	NtsXidFate	fate;

	if (entry->state != NTS_ENTRY_LIVE || entry->level == NTS_LEVEL_DELTA || entry->level == NTS_LEVEL_DICTIONARIES)
		return false;
	fate = nts_xid_fate(entry->xmin, InvalidTransactionId);
	if (fate == NTS_XID_RUNNING || fate == NTS_XID_ABORTED)
		return false;
	return fate == NTS_XID_FROZEN || older == NULL || !XidInMVCCSnapshot(entry->xmin, older);
}

/* Keeps the settled segments; returns how many. */
static int
choose_entries(NtsEntryRef *entries, int count)
{
	Snapshot	older = IsolationUsesXactSnapshot() ? GetTransactionSnapshot() : NULL;
	int			chosen = 0;

	for (int i = 0; i < count; i++)
		if (is_settled(&entries[i].entry, older))
			entries[chosen++] = entries[i];
	return chosen;
}

/* The values that stored rows have in columns added later, in the core's form. */
static NtsValue *
make_defaults(TupleDesc desc, const NtsColumn *columns)
{
	NtsValue   *values = palloc0(sizeof(NtsValue) * Max(desc->natts, 1));

	for (int i = 0; i < desc->natts; i++)
	{
		bool		isnull = true;
		Datum		datum = (Datum) 0;

		if (columns[i].kind != NTS_KIND_NONE)
			datum = getmissingattr(desc, i + 1, &isnull);
		values[i].is_null = isnull;
		if (isnull)
			continue;
		values[i].word = (uint64) datum;
		if (columns[i].kind == NTS_KIND_FLOAT4)
			values[i].word &= PG_UINT32_MAX;
		if (columns[i].kind == NTS_KIND_VAR)
		{
			struct varlena *var = pg_detoast_datum_packed((struct varlena *) DatumGetPointer(datum));

			values[i].word = (uint64) (uintptr_t) VARDATA_ANY(var);
			values[i].length = VARSIZE_ANY_EXHDR(var);
		}
	}
	return values;
}

/* Sort as the options say, else as the newest segment is sorted. */
static void
choose_series(NtsCompaction *compaction, const NtsEntryRef *entries, int count)
{
	const NtsEntry *newest = NULL;
	NtsSegmentInfo info;
	NtsSegment *segment;

	compaction->series_count = 0;
	if (compaction->options.has_series)
	{
		for (int i = 0; i < compaction->options.series_count; i++)
			compaction->series[compaction->series_count++] = compaction->options.series[i] - 1;
		return;
	}
	for (int i = 0; i < count; i++)
		if (newest == NULL || entries[i].entry.generation > newest->generation)
			newest = &entries[i].entry;
	segment = nts_compact_open(compaction, newest);
	nts_segment_info(segment, &info);
	nts_segment_close(segment);
	for (uint32 i = 0; i < info.series_column_count; i++)
		if (compaction->columns[info.series_columns[i]].kind != NTS_KIND_NONE)
			compaction->series[compaction->series_count++] = info.series_columns[i];
}

/* A literal, whose type the time column decides. */
static int64
parse_moment(const NtsOptions *options, const char *text)
{
	Datum		value = CStringGetDatum(text);

	if (nts_clock_is_integer(options))
		return DatumGetInt64(DirectFunctionCall1(int8in, value));
	return nts_clock_moment(options, DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, value,
																			  ObjectIdGetDatum(InvalidOid),
																			  Int32GetDatum(-1))));
}

static void
find_end(NtsCompaction *compaction, const Request *request)
{
	const NtsOptions *options = &compaction->options;

	if (!request->has_before)
	{
		/* it may run a function of the user, so before anything is looked at */
		compaction->has_end = nts_clock_now(compaction->rel, options, &compaction->end);
		return;
	}
	if (options->time_column == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("table \"%s\" has no time column", RelationGetRelationName(compaction->rel)),
				 errhint("Call ts_compact without \"before\".")));
	if (request->text_before != NULL)
		compaction->end = parse_moment(options, request->text_before);
	else if (request->integer_before != nts_clock_is_integer(options))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"before\" must be %s: that is how table \"%s\" counts time",
						request->integer_before ? "a timestamp" : "an integer",
						RelationGetRelationName(compaction->rel))));
	else
		compaction->end = request->integer_before ? request->before :
			nts_clock_moment(options, request->before);
	compaction->has_before = compaction->has_end = true;
}

static void
put_row(const Request *request, const NtsCompaction *compaction)
{
	Datum		values[6];
	bool		nulls[6] = {0};

	values[0] = ObjectIdGetDatum(RelationGetRelid(compaction->rel));
	values[1] = Int64GetDatum(compaction->segments_in);
	values[2] = Int64GetDatum(compaction->segments_out);
	values[3] = Int64GetDatum(compaction->rows);
	values[4] = Int64GetDatum(compaction->bytes_before);
	values[5] = Int64GetDatum(compaction->bytes_after);
	tuplestore_putvalues(request->result->setResult, request->result->setDesc, values, nulls);
}

static void
merge_due(NtsCompaction *compaction, Request *request, NtsEntryRef *entries, int count)
{
	NtsCompactGroup *groups;
	int			group_count;

	groups = nts_compact_plan(compaction, entries, count, &group_count);
	if (group_count == 0)
		return;
	choose_series(compaction, entries, count);
	compaction->defaults = make_defaults(RelationGetDescr(compaction->rel), compaction->columns);
	compaction->xid = GetCurrentTransactionId();
	compaction->cid = GetCurrentCommandId(true);
	for (int i = 0; i < group_count && request->groups_left > 0; i++, request->groups_left--)
	{
		NTS_FAULT(compact_group);
		nts_compact_group(compaction, &groups[i]);
	}
	/* their old copies wait for VACUUM */
	pgstat_update_heap_dead_tuples(compaction->rel, -(int) Min(compaction->rows, PG_INT32_MAX));
}

static void
compact_table(Relation rel, void *state)
{
	Request    *request = state;
	NtsCompaction compaction = {0};
	MemoryContext context;
	MemoryContext old;
	NtsEntryRef *entries;
	NtsMeta		meta;
	int			count;

	if (request->groups_left == 0)
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "nodedb_ts compact", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	compaction.rel = rel;
	nts_options_get(rel, &compaction.options);
	find_end(&compaction, request);
	nts_activity_begin(rel, NTS_ACTIVITY_COMPACT);
	nts_vacuum_reclaim(rel);
	NTS_FAULT(compact_reclaimed);
	entries = nts_directory_read(rel, &meta, false, &count);
	count = choose_entries(entries, count);
	if (count > 0)
	{
		compaction.columns = palloc0(sizeof(NtsColumn) * Max(RelationGetDescr(rel)->natts, 1));
		nts_schema_columns(RelationGetDescr(rel), compaction.columns);
		nts_schema_build(rel, compaction.columns, &compaction.schema);
		/* the options of a partitioned table above may have changed since they were read */
		compaction.schema.time_column = compaction.options.time_column - 1;
		compaction.schema.bucket_width = compaction.options.bucket;
		compaction.strategy = GetAccessStrategy(BAS_BULKREAD);
		merge_due(&compaction, request, entries, count);
		FreeAccessStrategy(compaction.strategy);
	}
	nts_activity_end(compaction.segments_in, compaction.segments_out, compaction.rows);
	if (compaction.segments_in > 0)
		put_row(request, &compaction);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* Arguments that all functions have: the table is the first, how many groups the last. */
static Datum
compact(FunctionCallInfo fcinfo, Request *request)
{
	int			last = PG_NARGS() - 1;

	PreventCommandDuringRecovery("ts_compact()");
	InitMaterializedSRF(fcinfo, 0);
	request->result = (ReturnSetInfo *) fcinfo->resultinfo;
	request->groups_left = PG_INT64_MAX;
	if (last >= 0 && !PG_ARGISNULL(last))
	{
		request->groups_left = PG_GETARG_INT32(last);
		if (request->groups_left < 1)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("\"max_groups\" must be at least 1")));
	}
	if (last < 1)
		nts_maintain_all(NULL, compact_table, request);
	else if (!PG_ARGISNULL(0))
		nts_maintain(PG_GETARG_OID(0), "compact", compact_table, request);
	return (Datum) 0;
}

/* ts_compact(relation, before timestamptz, max_groups) */
Datum
ts_compact(PG_FUNCTION_ARGS)
{
	Request		request = {0};

	request.has_before = !PG_ARGISNULL(1);
	if (request.has_before)
		request.before = PG_GETARG_TIMESTAMPTZ(1);
	return compact(fcinfo, &request);
}

/* ts_compact(relation, before bigint, max_groups) */
Datum
ts_compact_integer(PG_FUNCTION_ARGS)
{
	Request		request = {0};

	request.integer_before = true;
	request.has_before = !PG_ARGISNULL(1);
	if (request.has_before)
		request.before = PG_GETARG_INT64(1);
	return compact(fcinfo, &request);
}

/* ts_compact(relation, before text, max_groups) */
Datum
ts_compact_text(PG_FUNCTION_ARGS)
{
	Request		request = {0};

	request.has_before = !PG_ARGISNULL(1);
	if (request.has_before)
		request.text_before = text_to_cstring(PG_GETARG_TEXT_PP(1));
	return compact(fcinfo, &request);
}

/* ts_compact(): all tables of the database that the caller owns */
Datum
ts_compact_all(PG_FUNCTION_ARGS)
{
	Request		request = {0};

	return compact(fcinfo, &request);
}
