/*
 * duty.c - what a worker does: for each table flush, compaction and retention, each when it is due.
 *
 * A look at all tables costs one short transaction: options, and whether L0 holds anything. Then each duty that is due
 * runs in a transaction of its own, as the table's owner, whose functions it may call, through the SQL functions that
 * everybody calls. Locks are only taken when they are free; who wants the table meanwhile gets it. An error ends that
 * duty of that table for a while and nothing else.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "pg/activity.h"
#include "pg/am/am.h"
#include "pg/am/options.h"
#include "pg/guc.h"
#include "pg/maintenance/target.h"
#include "pg/worker/worker.h"

#define LOOK_MS 10000			/* options may have changed, tables have come */
#define ROUND_MS 1000
#define BUSY_MS 1000			/* until the next try after somebody else had the table */
#define FIRST_BACK_OFF_MS 10000
#define LAST_BACK_OFF_MS (3600 * 1000)
#define LONGEST_MESSAGE 1000
/* Intervals that a small backlog waits: a segment for each of a few rows would take more room than they do in L0. */
#define SMALL_INTERVALS 30

/* as NtsActivity counts them */
#define DUTY_COUNT 3

StaticAssertDecl(NTS_ACTIVITY_FLUSH == 0 && NTS_ACTIVITY_COMPACT == 1 && NTS_ACTIVITY_RETENTION == 2, "duties");

typedef struct Duty
{
	int64		interval_ms;	/* 0 or less: never */
	TimestampTz last_run;		/* 0: not by this worker */
	TimestampTz not_before;		/* after an error, or when the table was busy */
	int			failures;		/* in a row */
	char	   *error;			/* that was logged, or NULL */
} Duty;

typedef struct Table
{
	Oid			relid;			/* hash key */
	bool		listed;			/* it is there, as of the last list */
	Duty		duties[DUTY_COUNT];
	NtsFileNode node;			/* the file that what follows is about */
	/* what the metapage said when a flush had left nothing; 0: it has not */
	uint64		flushed_generation;
	uint32		flushed_next;
	uint64		moved_below;	/* see nts_delta_backlog */
	TimestampTz small_since;	/* there is something to flush, but not enough; 0: no */
} Table;

static HTAB *tables;
static char *database_name;
static MemoryContext duty_context;	/* errors that were logged */
static MemoryContext round_context; /* reset by each round */
static bool list_is_stale = true;
static TimestampTz looked_at;

/* ---- which tables there are ---- */

static void
class_changed(Datum arg, int cache, uint32 hash)
{
	list_is_stale = true;
}

void
nts_duty_init(void)
{
	HASHCTL		control = {.keysize = sizeof(Oid),.entrysize = sizeof(Table)};

	duty_context = AllocSetContextCreate(TopMemoryContext, "nodedb_ts duties", ALLOCSET_DEFAULT_SIZES);
	round_context = AllocSetContextCreate(duty_context, "nodedb_ts round", ALLOCSET_DEFAULT_SIZES);
	control.hcxt = duty_context;
	tables = hash_create("nodedb_ts worker's tables", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	CacheRegisterSyscacheCallback(RELOID, class_changed, (Datum) 0);
	StartTransactionCommand();
	database_name = MemoryContextStrdup(duty_context, get_database_name(MyDatabaseId));
	CommitTransactionCommand();
}

static void
forget_table(Table *table)
{
	for (int duty = 0; duty < DUTY_COUNT; duty++)
		if (table->duties[duty].error != NULL)
			pfree(table->duties[duty].error);
	(void) hash_search(tables, &table->relid, HASH_REMOVE, NULL);
}

/* Brings the hash table up to date. In a transaction. */
static void
list_tables(void)
{
	List	   *relids;
	ListCell   *cell;
	HASH_SEQ_STATUS scan;
	Table	   *table;

	if (!list_is_stale)
		return;
	list_is_stale = false;
	hash_seq_init(&scan, tables);
	while ((table = hash_seq_search(&scan)) != NULL)
		table->listed = false;
	relids = nts_list_tables();
	foreach(cell, relids)
	{
		Oid			relid = lfirst_oid(cell);
		bool		found;

		if (get_rel_persistence(relid) == RELPERSISTENCE_TEMP)
			continue;
		table = hash_search(tables, &relid, HASH_ENTER, &found);
		if (!found)
			memset((char *) table + sizeof(Oid), 0, sizeof(Table) - sizeof(Oid));
		table->listed = true;
	}
	list_free(relids);
	hash_seq_init(&scan, tables);
	while ((table = hash_seq_search(&scan)) != NULL)
		if (!table->listed)
			forget_table(table);
}

/* ---- what is due ---- */

static TimestampTz
due_at(const Duty *duty)
{
	TimestampTz due;

	if (duty->interval_ms <= 0)
		return PG_INT64_MAX;
	due = duty->last_run == 0 ? 0 : TimestampTzPlusMilliseconds(duty->last_run, duty->interval_ms);
	return Max(due, duty->not_before);
}

static void
set_intervals(Relation rel, Table *table)
{
	NtsOptions	options;

	nts_options_get(rel, &options);
	table->duties[NTS_ACTIVITY_FLUSH].interval_ms = options.flush_interval_ms >= 0 ?
		options.flush_interval_ms : nts_flush_interval_ms;
	table->duties[NTS_ACTIVITY_COMPACT].interval_ms = options.compact_interval_ms >= 0 ?
		options.compact_interval_ms : nts_compact_interval_ms;
	table->duties[NTS_ACTIVITY_RETENTION].interval_ms = options.has_retention ? nts_retention_interval_ms : 0;
}

static void
forget_flushed(Table *table)
{
	table->flushed_generation = 0;
	table->moved_below = 0;
	table->small_since = 0;
}

/* Is there nothing that a flush could move? What the last one left is known; since then the metapage has changed, or an
 * open page has got rows. */
static bool
nothing_to_flush(Relation rel, const Table *table)
{
	NtsMeta		meta;

	if (!nts_meta_read(rel, &meta) || meta.delta_generation == 0)
		return true;
	return table->flushed_generation == meta.delta_generation && table->flushed_next == meta.delta_next &&
		!nts_delta_open_rows(rel, &meta);
}

/* After a flush: remembers the metapage if the flush has left nothing. */
static void
remember_flushed(Relation rel, Table *table)
{
	NtsMeta		meta;

	table->flushed_generation = 0;
	if (nts_meta_read(rel, &meta) && nts_delta_backlog(rel, &table->moved_below, 0) == 0)
	{
		table->flushed_generation = meta.delta_generation;
		table->flushed_next = meta.delta_next;
	}
}

/* Shall a flush that is due wait until there is more? */
static bool
too_small_to_flush(Relation rel, Table *table, TimestampTz now)
{
	Duty	   *flush = &table->duties[NTS_ACTIVITY_FLUSH];
	uint64		least = (uint64) nts_min_flush_size_kb * 1024 / BLCKSZ;

	if (least == 0 || nts_delta_backlog(rel, &table->moved_below, least - 1) >= least)
		return false;
	if (table->small_since == 0)
		table->small_since = now;
	return now - table->small_since < SMALL_INTERVALS * flush->interval_ms * 1000;
}

/* Looks at one table: its options, and whether a flush that is due has anything to do. In a transaction; nothing is
 * waited for. */
static void
look_at(Table *table, TimestampTz now)
{
	Duty	   *flush = &table->duties[NTS_ACTIVITY_FLUSH];
	Relation	rel;

	/* somebody changes it: that will be over at the next look */
	if (!ConditionalLockRelationOid(table->relid, AccessShareLock))
		return;
	rel = try_relation_open(table->relid, NoLock);
	if (rel == NULL)
	{
		UnlockRelationOid(table->relid, AccessShareLock);
		return;
	}
	if (nts_is_nodedb_ts(rel))
	{
		if (!NtsFileNodeEquals(table->node, NTS_REL_NODE(rel)))
			forget_flushed(table);
		table->node = NTS_REL_NODE(rel);
		set_intervals(rel, table);
		if (due_at(flush) <= now && nothing_to_flush(rel, table))
			flush->last_run = now;
		else if (due_at(flush) <= now && too_small_to_flush(rel, table, now))
			flush->not_before = TimestampTzPlusMilliseconds(now, flush->interval_ms);
	}
	relation_close(rel, AccessShareLock);
}

/* ---- errors ---- */

/* NULL: it is gone. */
static char *
table_name(Oid relid, MemoryContext context)
{
	char	   *name = get_rel_name(relid);
	char	   *schema = get_namespace_name(get_rel_namespace(relid));

	if (name == NULL || schema == NULL)
		return NULL;
	return MemoryContextStrdup(context, quote_qualified_identifier(schema, name));
}

/* An error is logged once, however often it repeats. */
static void
log_error(const Duty *duty, int activity, const char *name, const ErrorData *error, int64 delay_ms)
{
	if (duty->error != NULL && strcmp(duty->error, error->message) == 0)
		return;
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("nodedb_ts worker: %s of table %s in database \"%s\" failed: %s",
					nts_activity_name(activity), name, database_name, error->message),
			 errdetail("%s%sIt is tried again after " INT64_FORMAT " s, and later each time.",
					   error->detail != NULL ? error->detail : "", error->detail != NULL ? " " : "",
					   delay_ms / 1000),
			 error->hint != NULL ? errhint("%s", error->hint) : 0));
}

/* Notes what a duty has failed with. Not in a transaction. */
static void
duty_failed(Table *table, int activity, const char *name, const ErrorData *error)
{
	Duty	   *duty = &table->duties[activity];
	TimestampTz now = GetCurrentTimestamp();
	int64		delay_ms = LAST_BACK_OFF_MS;

	if (activity == NTS_ACTIVITY_FLUSH)
		forget_flushed(table);
	if (nts_maintenance_yielded || error->sqlerrcode == ERRCODE_QUERY_CANCELED)
	{
		/* somebody wants the table: he gets some time */
		duty->not_before = TimestampTzPlusMilliseconds(now, BUSY_MS);
		return;
	}
	if (duty->failures < 9)
		delay_ms = Min(delay_ms, (int64) FIRST_BACK_OFF_MS << duty->failures);
	duty->failures++;
	duty->not_before = TimestampTzPlusMilliseconds(now, delay_ms);
	log_error(duty, activity, name, error, delay_ms);
	nts_activity_error(table->relid, activity, error->message);
	if (duty->error != NULL)
		pfree(duty->error);
	duty->error = MemoryContextStrdup(duty_context, error->message);
}

static void
duty_done(Table *table, int activity, const char *name, bool more)
{
	Duty	   *duty = &table->duties[activity];

	if (duty->error != NULL)
	{
		ereport(LOG,
				(errmsg("nodedb_ts worker: %s of table %s in database \"%s\" works again",
						nts_activity_name(activity), name, database_name)));
		pfree(duty->error);
		duty->error = NULL;
	}
	duty->failures = 0;
	/* what has more to do waits behind those that are due now */
	duty->not_before = more ? GetCurrentTimestamp() : 0;
	if (!more)
		duty->last_run = GetCurrentTimestamp();
}

/* ---- running a duty ---- */

/* The statement for a duty, or NULL when the extension has no such function (yet). */
static char *
duty_statement(Oid schema, int activity)
{
	static const char *const names[] = {"ts_flush", "ts_compact", "ts_enforce_retention"};
	static const char *const formats[] = {
		"SELECT %s.ts_flush($1)",
		/* a merge that gains nothing would be asked for again at once */
		"SELECT CASE WHEN segments_out OPERATOR(pg_catalog.<) segments_in OR segments_in OPERATOR(pg_catalog.=) 1 THEN segments_in ELSE 0 END"
		" FROM %s.ts_compact($1, NULL::pg_catalog.timestamptz, 1)",
		"SELECT %s.ts_enforce_retention($1)"
	};
	Oid			types[] = {REGCLASSOID, TIMESTAMPTZOID, INT4OID};
	char	   *name = get_namespace_name(schema);

	if (name == NULL ||
		!OidIsValid(LookupFuncName(list_make2(makeString(name), makeString(pstrdup(names[activity]))),
								   activity == NTS_ACTIVITY_COMPACT ? 3 : 1, types, true)))
		return NULL;
	return psprintf(formats[activity], quote_identifier(name));
}

/*
 * Calls the function as the table's owner, in whose name its functions may do what he may and no more. Parsed before
 * that, since he need not have the right to use the extension's schema. Returns what it gives.
 */
static int64
call_as_owner(Table *table, int activity, const char *statement, Oid owner)
{
	Oid			types[] = {REGCLASSOID};
	Datum		values[] = {ObjectIdGetDatum(table->relid)};
	Oid			saved_user;
	int			saved_context;
	int			nest_level;
	SPIPlanPtr	plan;
	int64		result = 0;
	int			code;

	GetUserIdAndSecContext(&saved_user, &saved_context);
	if (SPI_connect() != SPI_OK_CONNECT)
		ereport(ERROR, (errmsg("SPI_connect failed")));
	plan = SPI_prepare(statement, 1, types);
	if (plan == NULL)
		ereport(ERROR, (errmsg("SPI_prepare failed: %s", SPI_result_code_string(SPI_result))));
	nest_level = NewGUCNestLevel();
	SetUserIdAndSecContext(owner, saved_context | SECURITY_RESTRICTED_OPERATION);
	if (activity == NTS_ACTIVITY_RETENTION)
		nts_worker_count_as_autovacuum(false);
	code = SPI_execute_plan(plan, values, NULL, false, 0);
	if (code != SPI_OK_SELECT)
		ereport(ERROR, (errmsg("SPI_execute_plan failed: %s", SPI_result_code_string(code))));
	nts_worker_count_as_autovacuum(true);
	AtEOXact_GUC(false, nest_level);
	SetUserIdAndSecContext(saved_user, saved_context);
	if (SPI_processed > 0)
	{
		char	   *text = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);

		result = text != NULL ? strtoll(text, NULL, 10) : 0;
	}
	SPI_finish();
	return result;
}

/* In a transaction that holds the table's lock. Is there work left? */
static bool
do_duty(Table *table, int activity, Oid schema, const char *name)
{
	char	   *statement = duty_statement(schema, activity);
	Oid			owner = nts_table_owner(table->relid);
	char		text[2 * NAMEDATALEN + 64];
	int64		result;

	if (statement == NULL || !OidIsValid(owner))
		return false;
	snprintf(text, sizeof(text), "nodedb_ts: %s %s", nts_activity_name(activity), name);
	pgstat_report_activity(STATE_RUNNING, text);
	PushActiveSnapshot(GetTransactionSnapshot());
	result = call_as_owner(table, activity, statement, owner);
	PopActiveSnapshot();
	if (activity == NTS_ACTIVITY_FLUSH)
	{
		Relation	rel = relation_open(table->relid, NoLock);

		remember_flushed(rel, table);
		table->small_since = 0;
		relation_close(rel, NoLock);
	}
	return activity == NTS_ACTIVITY_COMPACT && result > 0;
}

static void
clip(char *text)
{
	int			length = text != NULL ? strlen(text) : 0;

	if (length > LONGEST_MESSAGE)
		text[pg_mbcliplen(text, length, LONGEST_MESSAGE)] = '\0';
}

/* Cleans up after an error in a transaction of ours; returns it, in the given context. */
static ErrorData *
catch_error(MemoryContext context)
{
	ErrorData  *error;

	HOLD_INTERRUPTS();
	nts_worker_set_cancellable(false);
	MemoryContextSwitchTo(context);
	error = CopyErrorData();
	FlushErrorState();
	/* a user's function may have made them up */
	clip(error->message);
	clip(error->detail);
	clip(error->hint);
	AbortOutOfAnyTransaction();
	nts_worker_count_as_autovacuum(true);
	MemoryContextSwitchTo(context);
	RESUME_INTERRUPTS();
	return error;
}

/* One transaction. */
static void
run_duty(Table *table, int activity, Oid schema)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *volatile name = NULL;

	nts_maintenance_yielded = false;
	PG_TRY();
	{
		bool		more = false;

		nts_worker_set_cancellable(true);
		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		/* whoever has it, or waits for it, goes first */
		if (!ConditionalLockRelationOid(table->relid, ShareUpdateExclusiveLock))
			table->duties[activity].not_before = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), BUSY_MS);
		else
		{
			name = table_name(table->relid, context);
			if (name != NULL)
				more = do_duty(table, activity, schema, name);
		}
		CommitTransactionCommand();
		nts_worker_set_cancellable(false);
		MemoryContextSwitchTo(context);
		if (name != NULL)
			duty_done(table, activity, name, more);
	}
	PG_CATCH();
	{
		ErrorData  *error = catch_error(context);

		duty_failed(table, activity, name != NULL ? name : psprintf("with OID %u", table->relid), error);
	}
	PG_END_TRY();
}

/* ---- rounds ---- */

/* Looks at one table, in the transaction that runs or in a new one. */
static void
try_to_look_at(Table *table, TimestampTz now)
{
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		nts_worker_set_cancellable(true);
		if (!IsTransactionState())
		{
			SetCurrentStatementStartTimestamp();
			StartTransactionCommand();
			MemoryContextSwitchTo(context);
		}
		look_at(table, now);
		nts_worker_set_cancellable(false);
	}
	PG_CATCH();
	{
		ErrorData  *error = catch_error(context);

		duty_failed(table, NTS_ACTIVITY_FLUSH, psprintf("with OID %u", table->relid), error);
	}
	PG_END_TRY();
}

/* Looks at the tables whose flush is due, or at all; in one transaction, or more when something is wrong with one. */
static void
look_at_tables(Table **all, int count, bool every, TimestampTz now)
{
	MemoryContext context = CurrentMemoryContext;

	for (int i = 0; i < count && !ShutdownRequestPending; i++)
		if (every || due_at(&all[i]->duties[NTS_ACTIVITY_FLUSH]) <= now)
			try_to_look_at(all[i], now);
	if (IsTransactionState())
		CommitTransactionCommand();
	MemoryContextSwitchTo(context);
}

typedef struct DueDuty
{
	TimestampTz due;
	Table	   *table;
	int			activity;
} DueDuty;

static int
compare_items(const void *a, const void *b)
{
	const DueDuty *left = a;
	const DueDuty *right = b;

	if (left->due != right->due)
		return left->due < right->due ? -1 : 1;
	return left->activity - right->activity;
}

/* Does what was due when the tables were looked at, in the order of time, for ROUND_MS at most; then what has become due is to be ordered anew. */
static long
run_due(Table **all, int count, Oid schema, TimestampTz now)
{
	TimestampTz next = TimestampTzPlusMilliseconds(now, LOOK_MS);
	DueDuty	   *items = palloc(sizeof(DueDuty) * Max(count, 1) * DUTY_COUNT);
	int			due = 0;

	for (int i = 0; i < count; i++)
	{
		for (int activity = 0; activity < DUTY_COUNT; activity++)
		{
			TimestampTz at = due_at(&all[i]->duties[activity]);

			if (at <= now)
				items[due++] = (DueDuty) {.due = at,.table = all[i],.activity = activity};
			next = Min(next, at);
		}
	}
	if (due == 0)
		return Max(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), next), 1);
	qsort(items, due, sizeof(DueDuty), compare_items);
	for (int i = 0; i < due && !ShutdownRequestPending && !ConfigReloadPending; i++)
	{
		run_duty(items[i].table, items[i].activity, schema);
		if (TimestampDifferenceExceeds(now, GetCurrentTimestamp(), ROUND_MS))
			break;
	}
	return 0;
}

long
nts_duty_round(Oid schema)
{
	MemoryContext old = MemoryContextSwitchTo(round_context);
	TimestampTz now = GetCurrentTimestamp();
	HASH_SEQ_STATUS scan;
	Table	   *table;
	Table	  **all;
	int			count = 0;
	bool		every;
	long		wait_ms;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	every = list_is_stale || TimestampDifferenceExceeds(looked_at, now, LOOK_MS);
	list_tables();
	CommitTransactionCommand();
	MemoryContextSwitchTo(round_context);
	all = palloc(sizeof(Table *) * Max(hash_get_num_entries(tables), 1));
	hash_seq_init(&scan, tables);
	while ((table = hash_seq_search(&scan)) != NULL)
		all[count++] = table;
	look_at_tables(all, count, every, now);
	if (every)
		looked_at = now;
	wait_ms = run_due(all, count, schema, now);
	MemoryContextSwitchTo(old);
	MemoryContextReset(round_context);
	return wait_ms;
}
