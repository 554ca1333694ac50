/*
 * launcher.c - starts a worker for each database, when nodedb_ts is preloaded.
 *
 * Only a process that is connected to a database can see whether the extension is there: so the launcher starts the
 * worker, and a worker that finds no extension leaves a note for NTS_NO_EXTENSION_MS and goes. Whoever creates an
 * extension or a database wakes the launcher (control.c), so that the note need not be doubted earlier. One worker is
 * on its way at a time: hundreds of databases are looked at one after the other.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procsignal.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "pg/compat.h"
#include "pg/guc.h"
#include "pg/worker/worker.h"

/* How often the launcher looks for databases without being told. */
#define LOOK_MS 60000

/* How long a worker may be on its way before others are started. It waits while its database is copied or dropped. */
#define ON_THE_WAY_MS 10000

/* How often the log says that there are too few processes. */
#define COMPLAIN_MS (3600 * 1000)

static MemoryContext round_context;
static BackgroundWorkerHandle *starting;	/* the worker that is on its way */
static TimestampTz starting_since;
static TimestampTz complained_at;

/* Databases that take connections, palloc'd in round_context. */
static int
list_databases(Oid **databases)
{
	int			count = 0;
	int			room = 64;
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;

	*databases = MemoryContextAlloc(round_context, sizeof(Oid) * room);
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tuple);

		if (!form->datallowconn || NTS_DATABASE_IS_INVALID(form))
			continue;
		if (count == room)
		{
			room *= 2;
			*databases = repalloc(*databases, sizeof(Oid) * room);
		}
		(*databases)[count++] = form->oid;
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	return count;
}

/* Starts workers, one after the other; returns the milliseconds until there is something to do again. */
static long
start_workers(void)
{
	TimestampTz now = GetCurrentTimestamp();
	long		wait_ms = LOOK_MS;
	Oid			database;

	if (starting != NULL)
	{
		pid_t		pid = 0;
		bool		ended = GetBackgroundWorkerPid(starting, &pid) == BGWH_STOPPED;
		long		left = ON_THE_WAY_MS - TimestampDifferenceMilliseconds(starting_since, now);

		/* it wakes us when it has taken its place, the postmaster when it has ended */
		if (!ended && (pid == 0 || !nts_slots_has_worker(pid)) && left > 0)
			return left;
		pfree(starting);
		starting = NULL;
	}
	database = nts_slots_next(&wait_ms);
	if (!OidIsValid(database))
		return wait_ms;
	if (nts_worker_register(database, BGW_NEVER_RESTART, &starting))
	{
		starting_since = now;
		return ON_THE_WAY_MS;
	}
	if (complained_at == 0 || TimestampDifferenceExceeds(complained_at, now, COMPLAIN_MS))
	{
		complained_at = now;
		ereport(WARNING,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("nodedb_ts can start no worker for database with OID %u: no worker process is free", database),
				 errhint("Raise max_worker_processes: one for each database with the extension, one for the launcher.")));
	}
	return wait_ms;
}

void
nts_launcher_main(Datum arg)
{
	bool		no_slot = false;
	MemoryContext main_context;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	main_context = AllocSetContextCreate(TopMemoryContext, "nodedb_ts launcher", ALLOCSET_DEFAULT_SIZES);
	round_context = AllocSetContextCreate(main_context, "nodedb_ts launcher round", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(main_context);
	nts_slots_set_launcher();
	pgstat_report_activity(STATE_IDLE, NULL);

	while (!ShutdownRequestPending)
	{
		long		wait_ms = LOOK_MS;

		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		if (nts_worker)
		{
			Oid		   *databases;
			int			count = list_databases(&databases);
			int			without = nts_slots_set_databases(databases, count);

			if (without > 0 && !no_slot)
				ereport(WARNING,
						(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						 errmsg("nodedb_ts starts no workers by itself for %d of %d databases", without, count),
						 errhint("Call ts_start_worker() there.")));
			no_slot = without > 0;
			MemoryContextSwitchTo(main_context);
			MemoryContextReset(round_context);
			wait_ms = start_workers();
		}
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, wait_ms, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	/* not 0: whoever terminated it does not want to be without one for long */
	proc_exit(1);
}
