/*
 * retention.c - ts_enforce_retention: rows that are too old leave the table, segment by segment.
 *
 * A segment whose newest row is older than the cutoff is killed: its entry gets the caller's xid and command id
 * as its end, which every snapshot judges as it judges a deleted tuple. Nothing is read but the footer, so the
 * time does not depend on the rows. Expired rows in L0 are left out while their pages are moved (flush.c). Rows
 * without a time never expire. VACUUM, or the next maintenance of the table, gives the space back once no
 * snapshot can see it.
 *
 * Caller holds ShareUpdateExclusiveLock to the end of the transaction: no other maintenance changes entries.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "common/int.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/predicate.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "pg/activity.h"
#include "pg/am/am.h"
#include "pg/am/options.h"
#include "pg/error.h"
#include "pg/fault.h"
#include "pg/maintenance/clock.h"
#include "pg/maintenance/flush.h"
#include "pg/maintenance/target.h"

PG_FUNCTION_INFO_V1(ts_enforce_retention);
PG_FUNCTION_INFO_V1(ts_enforce_retention_interval);
PG_FUNCTION_INFO_V1(ts_enforce_retention_integer);
PG_FUNCTION_INFO_V1(ts_enforce_retention_text);

typedef enum AgeKind
{
	AGE_OPTION,					/* the table's own */
	AGE_INTERVAL,
	AGE_INTEGER,
	AGE_TEXT					/* either, as the time column asks for */
} AgeKind;

typedef struct Retention
{
	AgeKind		kind;
	bool		all;			/* tables without the option are passed over */
	Interval	interval;
	int64		integer;
	const char *text;
	bool		has_as_of;
	TimestampTz as_of;			/* for AGE_INTERVAL */
	int64		as_of_integer;
	const char *as_of_text;
	uint64		segments;		/* out: killed */
} Retention;

static void
refuse_age(Relation rel, const NtsOptions *options, const char *needed)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the maximal age of rows in table \"%s\" must be %s, since its time column \"%s\" is of type %s",
					RelationGetRelationName(rel), needed,
					NameStr(TupleDescAttr(RelationGetDescr(rel), options->time_column - 1)->attname),
					format_type_be(options->time_type))));
}

static void
refuse_negative(const char *age)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the maximal age of rows must not be negative, but is %s", age)));
}

/* ---- the cutoff ---- */

/* In microseconds of the time column's own type; a date counts as its midnight. */
static int64
timestamp_cutoff(Oid type, const Interval *age, TimestampTz as_of)
{
	Datum		cutoff;
	Datum		now = TimestampTzGetDatum(as_of);
	Datum		age_datum = IntervalPGetDatum(unconstify(Interval *, age));

	if (TIMESTAMP_NOT_FINITE(as_of))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("as_of must be finite")));
	if (type == TIMESTAMPTZOID)
		cutoff = DirectFunctionCall2(timestamptz_mi_interval, now, age_datum);
	else
	{
		now = DirectFunctionCall1(timestamptz_timestamp, now);
		cutoff = DirectFunctionCall2(timestamp_mi_interval, now, age_datum);
	}
	/* not by its sign: of '1 mon -30 days' it depends on the month */
	if (DatumGetTimestamp(cutoff) > DatumGetTimestamp(now))
		refuse_negative(DatumGetCString(DirectFunctionCall1(interval_out, age_datum)));
	return DatumGetTimestamp(cutoff);
}

static int64
time_cutoff(Relation rel, const Retention *retention, const NtsOptions *options)
{
	Interval	age = retention->interval;
	TimestampTz as_of = retention->has_as_of ? retention->as_of : GetCurrentTransactionStartTimestamp();
	int64		cutoff;

	if (retention->kind == AGE_INTEGER)
		refuse_age(rel, options, "an interval");
	if (retention->kind == AGE_OPTION)
		age = options->retention;
	if (retention->kind == AGE_TEXT)
	{
		age = *DatumGetIntervalP(DirectFunctionCall3(interval_in, CStringGetDatum(retention->text),
													 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
		if (retention->as_of_text != NULL)
			as_of = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in,
															CStringGetDatum(retention->as_of_text),
															ObjectIdGetDatum(InvalidOid),
															Int32GetDatum(-1)));
	}
	cutoff = timestamp_cutoff(options->time_type, &age, as_of);
	if (options->time_type != DATEOID)
		return cutoff;
	/* the first day whose midnight is not before the cutoff */
	return cutoff / USECS_PER_DAY + (cutoff % USECS_PER_DAY > 0);
}

static int64
integer_cutoff(Relation rel, const Retention *retention, const NtsOptions *options)
{
	int64		age = retention->integer;
	int64		now = retention->as_of_integer;
	bool		has_now = retention->has_as_of;
	int64		cutoff;

	if (retention->kind == AGE_INTERVAL)
		refuse_age(rel, options, "an integer");
	if (retention->kind == AGE_OPTION)
		age = options->retention_integer;
	if (retention->kind == AGE_TEXT)
	{
		age = DatumGetInt64(DirectFunctionCall1(int8in, CStringGetDatum(retention->text)));
		if (retention->as_of_text != NULL)
			now = DatumGetInt64(DirectFunctionCall1(int8in, CStringGetDatum(retention->as_of_text)));
		has_now = retention->as_of_text != NULL;
	}
	if (age < 0)
		refuse_negative(psprintf(INT64_FORMAT, age));
	if (!has_now && !nts_clock_now(rel, options, &now))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("it is unknown what time it is for table \"%s\", whose time column is of type %s",
						RelationGetRelationName(rel), format_type_be(options->time_type)),
				 errhint("Pass as_of, or name a function that tells it by the table's option now_function.")));
	return pg_sub_s64_overflow(now, age, &cutoff) ? PG_INT64_MIN : cutoff;
}

/* ---- one table ---- */

/* Foreign keys from other tables would be left without their rows. */
static void
refuse_referenced(Relation rel)
{
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
		if (RI_FKey_trigger_type(rel->trigdesc->triggers[i].tgfoid) == RI_TRIGGER_PK)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("retention of table \"%s\" is not possible, since foreign keys point at it",
							RelationGetRelationName(rel))));
}

/* Kills the segments that the snapshot sees and that hold nothing else; returns how many, and adds their rows. */
static uint64
kill_segments(Relation rel, int time_column, int64 cutoff, uint64 *rows)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "nodedb_ts retention",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Snapshot	snapshot = IsolationUsesXactSnapshot() ? GetTransactionSnapshot() : SnapshotSelf;
	NtsReader  *reader = nts_reader_open(rel, RelationGetDescr(rel), snapshot, context, NULL);
	uint64		killed = 0;

	for (int i = 0; i < nts_reader_entry_count(reader); i++)
	{
		NtsEntryRef ref = *nts_reader_entry_ref(reader, i);
		NtsEntry   *entry = &ref.entry;

		CHECK_FOR_INTERRUPTS();
		nts_maintenance_yield(rel);
		nts_progress(NTS_PHASE_DELETING, i, nts_reader_entry_count(reader));
		/* the times are those of the column that was the time column then */
		if (entry->level == NTS_LEVEL_DELTA || (entry->flags & NTS_ENTRY_HAS_TIME) == 0 ||
			entry->time_column != (uint32) time_column + 1 ||
			(entry->flags & NTS_ENTRY_NULL_TIME) != 0 || entry->max_time >= cutoff)
			continue;
		/* under repeatable read: somebody has moved or removed it after the snapshot */
		if (entry->state != NTS_ENTRY_LIVE &&
			TransactionIdIsCurrentTransactionId(entry->xmax))
			continue;
		if (entry->state != NTS_ENTRY_LIVE &&
			nts_xid_fate(entry->xmax, InvalidTransactionId) != NTS_XID_ABORTED)
			nts_error_serialization(rel);
		NTS_FAULT(retention_segment);
		entry->state = NTS_ENTRY_KILLED;
		entry->xmax = GetCurrentTransactionId();
		entry->cmax = GetCurrentCommandId(true);
		entry->successor_slot = 0;
		entry->successor_generation = 0;
		nts_entry_write(rel, &ref, true);
		*rows += entry->rows;
		killed++;
	}
	nts_reader_close(reader);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return killed;
}

/* For autovacuum, which counts what the transaction has removed if it commits. */
static void
count_deleted(Relation rel, uint64 rows)
{
	if (rows == 0)
		return;
	pgstat_count_heap_delete(rel);
	if (rel->pgstat_info != NULL && rel->pgstat_info->trans != NULL)
		rel->pgstat_info->trans->tuples_deleted += rows - 1;
}

static void
enforce(Relation rel, void *state)
{
	Retention  *retention = state;
	NtsOptions	options;
	int64		cutoff;
	uint64		rows = 0;
	uint64		killed;

	nts_options_get(rel, &options);
	if (retention->kind == AGE_OPTION && !options.has_retention)
	{
		if (retention->all)
			return;
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("table \"%s\" has no retention", RelationGetRelationName(rel)),
				 errhint("Set the option with ts_set_options(relation, retention => ...), or pass max_age.")));
	}
	if (options.time_column == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("retention of table \"%s\" is not possible, since it has no time column",
						RelationGetRelationName(rel)),
				 errhint("Name one with ts_set_options(relation, time_column => ...).")));
	refuse_referenced(rel);
	/* what is looked at and stays has been read, too */
	if (IsolationIsSerializable())
		PredicateLockRelation(rel, GetTransactionSnapshot());
	cutoff = nts_clock_is_integer(&options) ? integer_cutoff(rel, retention, &options) :
		time_cutoff(rel, retention, &options);

	nts_activity_begin(rel, NTS_ACTIVITY_RETENTION);
	nts_buffer_flush_relation(rel);
	/* what was removed earlier can be used again */
	nts_vacuum_reclaim(rel);
	rows = nts_flush_expired(rel, options.time_column - 1, cutoff);
	NTS_FAULT(retention_flushed);
	killed = kill_segments(rel, options.time_column - 1, cutoff, &rows);
	NTS_FAULT(retention_done);
	count_deleted(rel, rows);
	nts_activity_end(killed, 0, rows);
	retention->segments += killed;
}

static bool
has_retention(Relation rel)
{
	NtsOptions	options;

	nts_options_get(rel, &options);
	return options.has_retention;
}

static Datum
run(FunctionCallInfo fcinfo, Retention *retention)
{
	PreventCommandDuringRecovery("ts_enforce_retention()");
	PreventCommandIfReadOnly("ts_enforce_retention()");
	/* all but the last argument must be there */
	for (int i = 0; i < Min(PG_NARGS(), 2); i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be NULL", i == 0 ? "relation" : "max_age")));
	if (PG_NARGS() == 0)
		nts_maintain_all(has_retention, enforce, retention);
	else
		nts_maintain(PG_GETARG_OID(0), "enforce the retention of", enforce, retention);
	PG_RETURN_INT64((int64) retention->segments);
}

/* ts_enforce_retention(), ts_enforce_retention(relation): by the tables' options. */
Datum
ts_enforce_retention(PG_FUNCTION_ARGS)
{
	Retention	retention = {.kind = AGE_OPTION,.all = PG_NARGS() == 0};

	return run(fcinfo, &retention);
}

Datum
ts_enforce_retention_interval(PG_FUNCTION_ARGS)
{
	Retention	retention = {.kind = AGE_INTERVAL};

	if (!PG_ARGISNULL(1))
		retention.interval = *PG_GETARG_INTERVAL_P(1);
	retention.has_as_of = !PG_ARGISNULL(2);
	if (retention.has_as_of)
		retention.as_of = PG_GETARG_TIMESTAMPTZ(2);
	return run(fcinfo, &retention);
}

Datum
ts_enforce_retention_integer(PG_FUNCTION_ARGS)
{
	Retention	retention = {.kind = AGE_INTEGER};

	if (!PG_ARGISNULL(1))
		retention.integer = PG_GETARG_INT64(1);
	retention.has_as_of = !PG_ARGISNULL(2);
	if (retention.has_as_of)
		retention.as_of_integer = PG_GETARG_INT64(2);
	return run(fcinfo, &retention);
}

/* For literals, whose type the time column decides. */
Datum
ts_enforce_retention_text(PG_FUNCTION_ARGS)
{
	Retention	retention = {.kind = AGE_TEXT};

	if (!PG_ARGISNULL(1))
		retention.text = text_to_cstring(PG_GETARG_TEXT_PP(1));
	if (!PG_ARGISNULL(2))
		retention.as_of_text = text_to_cstring(PG_GETARG_TEXT_PP(2));
	return run(fcinfo, &retention);
}
