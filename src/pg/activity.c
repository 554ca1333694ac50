/*
 * activity.c - what maintenance does and has done, per table.
 *
 * Progress: a command number of our own in the backend's status entry, next to those of VACUUM and COPY, whose views
 * leave it out. PostgreSQL clears it at errors and at the backend's end. Where a command is reported already (a COPY
 * whose commit flushes), that one stays.
 *
 * Counters: a hash table of fixed size in shared memory, keyed by database and table, under one lock that is held for
 * a few stores; nothing allocates or fails under it. When it is full, the entry that was used longest ago goes. What a
 * dropped table leaves goes that way, too.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/acl.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "pg/activity.h"
#include "pg/am/am.h"
#include "pg/guc.h"

PG_FUNCTION_INFO_V1(ts_activity);
PG_FUNCTION_INFO_V1(ts_progress);

/* no command of PostgreSQL's; the parameters are those that no command of ours shares with VACUUM's clean-up */
#define OUR_COMMAND ((ProgressCommandType) 0x4E54)
#define PARAM_ACTIVITY 15
#define PARAM_PHASE 16
#define PARAM_DONE 17
#define PARAM_TOTAL 18

#define ERROR_LENGTH 256

typedef struct Key
{
	Oid			database;
	Oid			relid;
} Key;

typedef struct Entry
{
	Key			key;
	uint64		used;			/* clock of the last use */
	uint64		runs[NTS_ACTIVITY_COUNT];
	TimestampTz last_run[NTS_ACTIVITY_COUNT];
	uint64		segments_in;
	uint64		segments_out;
	uint64		rows;
	uint64		rejected;
	uint64		evictions;
	TimestampTz error_time;		/* 0: there was none */
	NtsActivity error_activity;
	char		error[ERROR_LENGTH];
} Entry;

typedef struct Shared
{
	LWLock	   *lock;			/* protects the hash table and the clock */
	uint64		clock;
} Shared;

static const char *const activity_names[] = {"flush", "compact", "retention", "admission"};
static const char *const phase_names[] = {"freeing space", "searching", "reading", "writing", "deleting"};

StaticAssertDecl(lengthof(activity_names) == NTS_ACTIVITY_COUNT, "names of activities");
StaticAssertDecl(lengthof(phase_names) == NTS_PHASE_COUNT, "names of phases");

static shmem_request_hook_type previous_shmem_request_hook;
static shmem_startup_hook_type previous_shmem_startup_hook;
static Shared *shared;			/* NULL: not preloaded */
static HTAB *entries;

/* what this backend does right now */
static bool running;
static bool reports;			/* progress, too */
static Oid	running_relid;
static NtsActivity running_activity;

const char *
nts_activity_name(NtsActivity activity)
{
	return activity_names[activity];
}

bool
nts_activity_has_memory(void)
{
	return shared != NULL;
}

/* ---- counters ---- */

static void
drop_oldest(void)
{
	HASH_SEQ_STATUS scan;
	Entry	   *entry;
	Key			oldest = {0};
	uint64		used = PG_UINT64_MAX;

	hash_seq_init(&scan, entries);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		if (entry->used < used)
		{
			used = entry->used;
			oldest = entry->key;
		}
	}
	(void) hash_search(entries, &oldest, HASH_REMOVE, NULL);
}

/* The table's entry, locked; NULL: nothing is locked. */
static Entry *
lock_entry(Oid relid)
{
	Key			key = {.database = MyDatabaseId,.relid = relid};
	Entry	   *entry;
	bool		found;

	if (shared == NULL)
		return NULL;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	entry = hash_search(entries, &key, HASH_FIND, NULL);
	if (entry == NULL)
	{
		if (hash_get_num_entries(entries) >= nts_max_tracked_tables)
			drop_oldest();
		entry = hash_search(entries, &key, HASH_ENTER_NULL, &found);
		if (entry == NULL)
		{
			LWLockRelease(shared->lock);
			return NULL;
		}
		memset((char *) entry + sizeof(Key), 0, sizeof(Entry) - sizeof(Key));
	}
	entry->used = ++shared->clock;
	return entry;
}

void
nts_activity_error(Oid relid, NtsActivity activity, const char *message)
{
	TimestampTz now = GetCurrentTimestamp();
	Entry	   *entry = lock_entry(relid);

	if (entry == NULL)
		return;
	entry->error_time = now;
	entry->error_activity = activity;
	/* cut between characters */
	memset(entry->error, 0, ERROR_LENGTH);
	memcpy(entry->error, message, pg_mbcliplen(message, strlen(message), ERROR_LENGTH - 1));
	LWLockRelease(shared->lock);
}

void
nts_activity_memtable(Oid relid, uint64 rejected, uint64 evictions)
{
	Entry	   *entry = lock_entry(relid);

	if (entry == NULL)
		return;
	entry->rejected += rejected;
	entry->evictions += evictions;
	LWLockRelease(shared->lock);
}

/* ---- what runs ---- */

void
nts_activity_begin(Relation rel, NtsActivity activity)
{
	running = true;
	running_relid = RelationGetRelid(rel);
	running_activity = activity;
	reports = MyBEEntry != NULL && MyBEEntry->st_progress_command == PROGRESS_COMMAND_INVALID;
	if (!reports)
		return;
	pgstat_progress_start_command(OUR_COMMAND, running_relid);
	pgstat_progress_update_param(PARAM_ACTIVITY, activity);
}

void
nts_progress(NtsPhase phase, uint64 done, uint64 total)
{
	const int	index[] = {PARAM_PHASE, PARAM_DONE, PARAM_TOTAL};
	const int64 value[] = {phase, (int64) done, (int64) total};

	if (running && reports)
		pgstat_progress_update_multi_param(lengthof(index), index, value);
}

static void
stop_reporting(void)
{
	if (running && reports && MyBEEntry != NULL && MyBEEntry->st_progress_command == OUR_COMMAND)
		pgstat_progress_end_command();
	running = false;
}

void
nts_activity_end(uint64 segments_in, uint64 segments_out, uint64 rows)
{
	TimestampTz now;
	Entry	   *entry;

	if (!running)
		return;
	stop_reporting();
	if (shared == NULL)
		return;
	now = GetCurrentTimestamp();
	entry = lock_entry(running_relid);
	if (entry == NULL)
		return;
	entry->runs[running_activity]++;
	entry->last_run[running_activity] = now;
	entry->segments_in += segments_in;
	entry->segments_out += segments_out;
	entry->rows += rows;
	LWLockRelease(shared->lock);
}

static void
xact_event(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
		stop_reporting();
}

static void
subxact_event(SubXactEvent event, SubTransactionId subid, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB)
		stop_reporting();
}

/* ---- shared memory ---- */

static void
shmem_request(void)
{
	if (previous_shmem_request_hook != NULL)
		previous_shmem_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(Shared)));
	RequestAddinShmemSpace(hash_estimate_size(nts_max_tracked_tables, sizeof(Entry)));
	RequestNamedLWLockTranche("nodedb_ts activity", 1);
}

static void
shmem_startup(void)
{
	HASHCTL		control = {.keysize = sizeof(Key),.entrysize = sizeof(Entry)};
	bool		found;

	if (previous_shmem_startup_hook != NULL)
		previous_shmem_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("nodedb_ts activity", sizeof(Shared), &found);
	if (!found)
	{
		shared->lock = &GetNamedLWLockTranche("nodedb_ts activity")->lock;
		shared->clock = 0;
	}
	entries = ShmemInitHash("nodedb_ts activity hash", nts_max_tracked_tables, nts_max_tracked_tables, &control,
							HASH_ELEM | HASH_BLOBS);
	LWLockRelease(AddinShmemInitLock);
}

void
nts_activity_init(void)
{
	RegisterXactCallback(xact_event, NULL);
	RegisterSubXactCallback(subxact_event, NULL);
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = shmem_request;
	previous_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = shmem_startup;
}

/* ---- the views ---- */

static bool
sees_all(void)
{
	return has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS);
}

static bool
may_see(Oid relid)
{
	return NTS_OWNS_TABLE(relid, GetUserId()) ||
		pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK || sees_all();
}

/* Copies the table's entry; all zero when it has none. */
static void
read_entry(Oid relid, Entry *copy)
{
	Key			key = {.database = MyDatabaseId,.relid = relid};
	Entry	   *entry;

	memset(copy, 0, sizeof(Entry));
	LWLockAcquire(shared->lock, LW_SHARED);
	entry = hash_search(entries, &key, HASH_FIND, NULL);
	if (entry != NULL)
		memcpy(copy, entry, sizeof(Entry));
	LWLockRelease(shared->lock);
}

static void
set_time(Datum *value, bool *null, TimestampTz time)
{
	*value = TimestampTzGetDatum(time);
	*null = time == 0;
}

/*
 * ts_activity(): a row for each table that the caller may read or owns. What an error says may quote rows, which
 * row-level security can hide: it is for the owner and for pg_read_all_stats.
 */
Datum
ts_activity(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *cell;
	List	   *relids;

	InitMaterializedSRF(fcinfo, 0);
	if (shared == NULL)
		ereport(NOTICE,
				(errmsg("nodedb_ts keeps no counters of maintenance, since it is not preloaded"),
				 errhint("Add nodedb_ts to shared_preload_libraries and restart the server.")));
	relids = nts_list_tables();
	foreach(cell, relids)
	{
		Oid			relid = lfirst_oid(cell);
		Datum		values[17];
		bool		nulls[17] = {0};
		Entry		entry;

		if (get_rel_name(relid) == NULL || !may_see(relid))
			continue;
		values[0] = ObjectIdGetDatum(relid);
		if (shared == NULL)
			memset(nulls + 1, true, sizeof(nulls) - sizeof(bool));
		else
		{
			int			i = 1;

			read_entry(relid, &entry);
			values[i++] = Int64GetDatum((int64) entry.runs[NTS_ACTIVITY_FLUSH]);
			values[i++] = Int64GetDatum((int64) entry.runs[NTS_ACTIVITY_COMPACT]);
			values[i++] = Int64GetDatum((int64) entry.runs[NTS_ACTIVITY_RETENTION]);
			values[i++] = Int64GetDatum((int64) entry.runs[NTS_ACTIVITY_ADMISSION]);
			values[i++] = Int64GetDatum((int64) entry.segments_in);
			values[i++] = Int64GetDatum((int64) entry.segments_out);
			values[i++] = Int64GetDatum((int64) entry.rows);
			values[i++] = Int64GetDatum((int64) entry.rejected);
			values[i++] = Int64GetDatum((int64) entry.evictions);
			for (int activity = 0; activity < NTS_ACTIVITY_COUNT; activity++, i++)
				set_time(&values[i], &nulls[i], entry.last_run[activity]);
			set_time(&values[i], &nulls[i], entry.error_time);
			i++;
			nulls[i] = nulls[i + 1] = entry.error_time == 0;
			if (entry.error_time != 0)
			{
				values[i] = CStringGetTextDatum(activity_names[entry.error_activity]);
				nulls[i + 1] = !NTS_OWNS_TABLE(relid, GetUserId()) && !sees_all();
				if (!nulls[i + 1])
					values[i + 1] = CStringGetTextDatum(entry.error);
			}
		}
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* ts_progress(): maintenance that runs now on tables of the database that the caller may read or owns. */
Datum
ts_progress(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int			count = pgstat_fetch_stat_numbackends();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 1; i <= count; i++)
	{
		LocalPgBackendStatus *local = pgstat_fetch_stat_local_beentry(i);
		PgBackendStatus *status;
		Datum		values[6];
		bool		nulls[6] = {0};
		int64		activity;
		int64		phase;

		if (local == NULL)
			continue;
		status = &local->backendStatus;
		activity = status->st_progress_param[PARAM_ACTIVITY];
		phase = status->st_progress_param[PARAM_PHASE];
		if (status->st_progress_command != OUR_COMMAND || status->st_databaseid != MyDatabaseId ||
			activity < 0 || activity >= NTS_ACTIVITY_COUNT || phase < 0 || phase >= NTS_PHASE_COUNT ||
			get_rel_name(status->st_progress_command_target) == NULL ||
			!may_see(status->st_progress_command_target))
			continue;
		values[0] = Int32GetDatum(status->st_procpid);
		values[1] = ObjectIdGetDatum(status->st_progress_command_target);
		values[2] = CStringGetTextDatum(activity_names[activity]);
		values[3] = CStringGetTextDatum(phase_names[phase]);
		values[4] = Int64GetDatum(status->st_progress_param[PARAM_DONE]);
		values[5] = Int64GetDatum(status->st_progress_param[PARAM_TOTAL]);
		nulls[5] = status->st_progress_param[PARAM_TOTAL] == 0;
		nulls[4] = nulls[5];
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
