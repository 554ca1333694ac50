/*
 * slots.c - what launcher, workers and sessions tell each other about databases.
 *
 * An array in shared memory under one lock, held for a few stores. Without preload there is none, and every function
 * does nothing. The array has room for NTS_MAX_DATABASES; the launcher says so when there are more.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#include "pg/worker/worker.h"

#define MAX_DATABASES 1024

typedef struct Slot
{
	Oid			database;		/* InvalidOid: free */
	int			pid;			/* of its worker, or 0 */
	bool		stopped;		/* by ts_stop_worker, until the next start of the server */
	TimestampTz next_start;		/* of a worker, when there is none */
} Slot;

typedef struct Shared
{
	LWLock	   *lock;
	Latch	   *launcher;		/* or NULL */
	Slot		slots[MAX_DATABASES];
} Shared;

static shmem_request_hook_type previous_shmem_request_hook;
static shmem_startup_hook_type previous_shmem_startup_hook;
static Shared *shared;			/* NULL: not preloaded */

static void
shmem_request(void)
{
	if (previous_shmem_request_hook != NULL)
		previous_shmem_request_hook();
	RequestAddinShmemSpace(MAXALIGN(sizeof(Shared)));
	RequestNamedLWLockTranche("nodedb_ts workers", 1);
}

static void
shmem_startup(void)
{
	bool		found;

	if (previous_shmem_startup_hook != NULL)
		previous_shmem_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("nodedb_ts workers", sizeof(Shared), &found);
	if (!found)
	{
		memset(shared, 0, sizeof(Shared));
		shared->lock = &GetNamedLWLockTranche("nodedb_ts workers")->lock;
	}
	LWLockRelease(AddinShmemInitLock);
}

void
nts_slots_init(void)
{
	previous_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = shmem_request;
	previous_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = shmem_startup;
}

bool
nts_slots_exist(void)
{
	return shared != NULL;
}

/* Caller holds the lock. make: exclusively; NULL: there is none, or no room. */
static Slot *
find_slot(Oid database, bool make)
{
	Slot	   *unused = NULL;

	for (int i = 0; i < MAX_DATABASES; i++)
	{
		Slot	   *slot = &shared->slots[i];

		if (slot->database == database)
			return slot;
		if (slot->database == InvalidOid && unused == NULL)
			unused = slot;
	}
	if (!make || unused == NULL)
		return NULL;
	memset(unused, 0, sizeof(Slot));
	unused->database = database;
	return unused;
}

static void
wake_launcher_locked(void)
{
	if (shared->launcher != NULL)
		SetLatch(shared->launcher);
}

int
nts_slots_set_databases(const Oid *databases, int count)
{
	int			without = 0;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAX_DATABASES; i++)
	{
		Slot	   *slot = &shared->slots[i];
		bool		found = false;

		for (int j = 0; j < count && !found; j++)
			found = slot->database == databases[j];
		/* a worker that is leaving a dropped database still needs its slot */
		if (!found && slot->pid == 0)
			slot->database = InvalidOid;
	}
	for (int j = 0; j < count; j++)
		if (find_slot(databases[j], true) == NULL)
			without++;
	LWLockRelease(shared->lock);
	return without;
}

Oid
nts_slots_next(long *wait_ms)
{
	TimestampTz now = GetCurrentTimestamp();
	Slot	   *next = NULL;
	Oid			database = InvalidOid;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < MAX_DATABASES; i++)
	{
		Slot	   *slot = &shared->slots[i];

		if (slot->database == InvalidOid || slot->pid != 0 || slot->stopped)
			continue;
		if (next == NULL || slot->next_start < next->next_start)
			next = slot;
	}
	if (next != NULL && next->next_start <= now)
	{
		database = next->database;
		next->next_start = TimestampTzPlusMilliseconds(now, NTS_RETRY_MS);
	}
	else if (next != NULL)
		*wait_ms = Min(*wait_ms, Max(TimestampDifferenceMilliseconds(now, next->next_start), 1));
	LWLockRelease(shared->lock);
	return database;
}

bool
nts_slots_has_worker(int pid)
{
	bool		found = false;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < MAX_DATABASES && !found; i++)
		found = shared->slots[i].database != InvalidOid && shared->slots[i].pid == pid;
	LWLockRelease(shared->lock);
	return found;
}

static void
launcher_exit(int code, Datum arg)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->launcher = NULL;
	LWLockRelease(shared->lock);
}

void
nts_slots_set_launcher(void)
{
	before_shmem_exit(launcher_exit, (Datum) 0);
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->launcher = MyLatch;
	LWLockRelease(shared->lock);
}

void
nts_slots_wake_launcher(void)
{
	if (shared == NULL)
		return;
	LWLockAcquire(shared->lock, LW_SHARED);
	wake_launcher_locked();
	LWLockRelease(shared->lock);
}

static void
worker_exit(int code, Datum arg)
{
	Slot	   *slot;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = find_slot(DatumGetObjectId(arg), false);
	if (slot != NULL && slot->pid == MyProcPid)
	{
		TimestampTz next = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), NTS_RESTART_MS);

		slot->pid = 0;
		slot->next_start = Max(slot->next_start, next);
		wake_launcher_locked();
	}
	LWLockRelease(shared->lock);
}

bool
nts_slots_enter(void)
{
	bool		stopped = false;
	Slot	   *slot;

	if (shared == NULL)
		return true;
	before_shmem_exit(worker_exit, ObjectIdGetDatum(MyDatabaseId));
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = find_slot(MyDatabaseId, true);
	if (slot != NULL)
	{
		stopped = slot->stopped;
		slot->pid = MyProcPid;
		slot->next_start = 0;
		wake_launcher_locked();
	}
	LWLockRelease(shared->lock);
	return !stopped;
}

void
nts_slots_set_next_start(Oid database, int delay_ms)
{
	Slot	   *slot;

	if (shared == NULL)
		return;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = find_slot(database, delay_ms == 0);
	if (slot != NULL)
		slot->next_start = delay_ms == 0 ? 0 : TimestampTzPlusMilliseconds(GetCurrentTimestamp(), delay_ms);
	wake_launcher_locked();
	LWLockRelease(shared->lock);
}

bool
nts_slots_set_stopped(Oid database, bool stopped)
{
	Slot	   *slot;

	if (shared == NULL)
		return true;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = find_slot(database, true);
	if (slot != NULL)
	{
		slot->stopped = stopped;
		if (!stopped)
			slot->next_start = 0;
	}
	wake_launcher_locked();
	LWLockRelease(shared->lock);
	return slot != NULL;
}
