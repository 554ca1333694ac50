/*
 * control.c - one worker for a database: the lock that says so, ts_start_worker, ts_stop_worker, and what wakes the
 * launcher.
 *
 * The lock is an advisory one that no SQL function can take (its fourth field is 3), held by the worker's session. So
 * it is the same with and without shared memory, and goes with the process, however it ends.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/timestamp.h"

#include "pg/compat.h"
#include "pg/guc.h"
#include "pg/worker/worker.h"

PG_FUNCTION_INFO_V1(ts_start_worker);
PG_FUNCTION_INFO_V1(ts_stop_worker);

/* "NDTS"; SQL functions take 1 and 2 as the fourth field */
#define LOCK_KEY 0x5354444E
#define LOCK_KIND 3

#define RESTART_S 10			/* after a crash, without preload */
#define WAIT_MS 10000			/* for a worker to come or go */
#define POLL_MS 10

static object_access_hook_type previous_object_access_hook;
static bool wake_at_commit;

/* ---- the lock ---- */

static void
set_tag(LOCKTAG *tag, Oid database)
{
	SET_LOCKTAG_ADVISORY(*tag, database, 0, LOCK_KEY, LOCK_KIND);
}

bool
nts_worker_lock(void)
{
	LOCKTAG		tag;

	set_tag(&tag, MyDatabaseId);
	return LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

int
nts_worker_pid(Oid database)
{
	LockData   *locks = GetLockStatusData();
	int			pid = 0;
	LOCKTAG		tag;

	set_tag(&tag, database);
	for (int i = 0; i < locks->nelements; i++)
	{
		const LockInstanceData *lock = &locks->locks[i];

		if (memcmp(&lock->locktag, &tag, sizeof(LOCKTAG)) == 0 && (lock->holdMask & LOCKBIT_ON(ExclusiveLock)) != 0)
			pid = lock->pid;
	}
	return pid;
}

/* ---- starting and stopping ---- */

bool
nts_worker_register(Oid database, int restart_s, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = restart_s;
	worker.bgw_notify_pid = MyProcPid;
	worker.bgw_main_arg = ObjectIdGetDatum(database);
	strlcpy(worker.bgw_name, NTS_WORKER_NAME, BGW_MAXLEN);
	strlcpy(worker.bgw_type, NTS_WORKER_NAME, BGW_MAXLEN);
	strlcpy(worker.bgw_library_name, "nodedb_ts", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "nts_worker_main", BGW_MAXLEN);
	return RegisterDynamicBackgroundWorker(&worker, handle);
}

static void
check_permission(const char *verb)
{
	if (!NTS_OWNS_DATABASE(MyDatabaseId, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser or owner of database \"%s\" to %s its worker",
						get_database_name(MyDatabaseId), verb)));
}

/* Sleeps a moment; false: the time is up. */
static bool
wait_more(TimestampTz start)
{
	if (TimestampDifferenceExceeds(start, GetCurrentTimestamp(), WAIT_MS))
		return false;
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, POLL_MS, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	return true;
}

static void
raise_no_process(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
			 errmsg("could not start the worker: no worker process is free"),
			 errhint("Raise max_worker_processes.")));
}

static void
raise_no_slot(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("nodedb_ts knows too many databases")));
}

/* ts_start_worker() → true: started now; false: there is one. */
Datum
ts_start_worker(PG_FUNCTION_ARGS)
{
	TimestampTz start = GetCurrentTimestamp();
	BackgroundWorkerHandle *handle = NULL;
	pid_t		pid;

	check_permission("start");
	PreventCommandDuringRecovery("ts_start_worker()");
	if (!nts_worker)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("workers are switched off by nodedb_ts.worker")));
	if (!nts_slots_set_stopped(MyDatabaseId, false))
		raise_no_slot();
	if (nts_worker_pid(MyDatabaseId) != 0)
		PG_RETURN_BOOL(false);
	/* with preload the launcher starts it, and again when it has ended */
	if (!nts_slots_exist() && !nts_worker_register(MyDatabaseId, RESTART_S, &handle))
		raise_no_process();
	while (nts_worker_pid(MyDatabaseId) == 0)
	{
		/* it may have met another one, or may not see the extension yet */
		if (handle != NULL && GetBackgroundWorkerPid(handle, &pid) == BGWH_STOPPED)
			PG_RETURN_BOOL(nts_worker_pid(MyDatabaseId) != 0);
		if (!wait_more(start))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
					 errmsg("the worker has not started within %d seconds", WAIT_MS / 1000),
					 errhint("See the server's log; max_worker_processes may be too small. A worker does not see an extension whose creation is not committed.")));
	}
	PG_RETURN_BOOL(true);
}

/* ts_stop_worker() → true: it has ended; false: there was none. */
Datum
ts_stop_worker(PG_FUNCTION_ARGS)
{
	TimestampTz start = GetCurrentTimestamp();
	int			pid;
	bool		stopped = false;

	check_permission("stop");
	if (!nts_slots_set_stopped(MyDatabaseId, true))
		raise_no_slot();
	while ((pid = nts_worker_pid(MyDatabaseId)) != 0)
	{
		if (!stopped && kill(pid, SIGTERM) != 0 && errno != ESRCH)
			ereport(ERROR,
					(errmsg("could not signal the worker with PID %d: %m", pid)));
		stopped = true;
		if (!wait_more(start))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("the worker with PID %d has not ended within %d seconds", pid, WAIT_MS / 1000)));
	}
	PG_RETURN_BOOL(stopped);
}

/* ---- what the launcher wants to know ---- */

static void
object_access(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *arg)
{
	if (access == OAT_POST_CREATE && (class_id == ExtensionRelationId || class_id == DatabaseRelationId))
		wake_at_commit = true;
	/* last, so that it is a jump: this comes for each function in each statement */
	if (previous_object_access_hook != NULL)
		previous_object_access_hook(access, class_id, object_id, sub_id, arg);
}

static void
xact_event(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
		return;
	/* whatever extension it was: looking costs little */
	if (wake_at_commit && event != XACT_EVENT_ABORT)
		nts_slots_set_next_start(MyDatabaseId, 0);
	wake_at_commit = false;
}

/* Registers the launcher. */
static void
register_launcher(void)
{
	BackgroundWorker launcher;

	memset(&launcher, 0, sizeof(launcher));
	launcher.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	launcher.bgw_start_time = BgWorkerStart_RecoveryFinished;
	launcher.bgw_restart_time = RESTART_S;
	strlcpy(launcher.bgw_name, "nodedb_ts launcher", BGW_MAXLEN);
	strlcpy(launcher.bgw_type, "nodedb_ts launcher", BGW_MAXLEN);
	strlcpy(launcher.bgw_library_name, "nodedb_ts", BGW_MAXLEN);
	strlcpy(launcher.bgw_function_name, "nts_launcher_main", BGW_MAXLEN);
	RegisterBackgroundWorker(&launcher);
}

void
nts_worker_init(void)
{
	previous_object_access_hook = object_access_hook;
	object_access_hook = object_access;
	RegisterXactCallback(xact_event, NULL);
	/* pg_upgrade has noted the old cluster's transaction ids before it starts it: nothing may write there */
	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	nts_slots_init();
	register_launcher();
}
