/*
 * worker.c - the process that maintains the tables of one database.
 *
 * It counts as an autovacuum process for PostgreSQL's lock manager and for commands that want a database for
 * themselves (PROC_IS_AUTOVACUUM): who waits for one of its locks longer than deadlock_timeout cancels it, and DROP
 * DATABASE, CREATE DATABASE ... TEMPLATE and their like terminate it, whether or not they have loaded this library.
 *
 * SIGTERM ends it at once, cancelling what it does; it exits with 0, so that the postmaster forgets it. The launcher
 * starts another one, unless ts_stop_worker has been called.
 */
#include "postgres.h"

#include <signal.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "replication/syncrep.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "storage/procsignal.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "pg/guc.h"
#include "pg/maintenance/target.h"
#include "pg/worker/worker.h"

static volatile sig_atomic_t cancellable;

/* The next check for interrupts cancels what runs, with an error that duty.c catches. Elsewhere there is nothing to
 * cancel. */
static void
cancel(SIGNAL_ARGS)
{
	int			save_errno = errno;

	if (cancellable)
	{
		QueryCancelPending = true;
		InterruptPending = true;
	}
	SetLatch(MyLatch);
	errno = save_errno;
}

static void
terminate(SIGNAL_ARGS)
{
	ShutdownRequestPending = true;
	cancel(postgres_signal_arg);
}

void
nts_worker_set_cancellable(bool is)
{
	cancellable = is;
	if (is && ShutdownRequestPending)
	{
		QueryCancelPending = true;
		InterruptPending = true;
	}
	else if (!is)
		QueryCancelPending = false;
}

void
nts_worker_count_as_autovacuum(bool does)
{
	LWLockAcquire(ProcArrayLock, LW_EXCLUSIVE);
	if (does)
		MyProc->statusFlags |= PROC_IS_AUTOVACUUM;
	else
		MyProc->statusFlags &= ~PROC_IS_AUTOVACUUM;
	ProcGlobal->statusFlags[MyProc->pgxactoff] = MyProc->statusFlags;
	LWLockRelease(ProcArrayLock);
}

/* As in an autovacuum process: nothing that a user has set gets in the way. */
static void
set_options(void)
{
	SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("zero_damaged_pages", "false", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("statement_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("lock_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("idle_in_transaction_session_timeout", "0", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_read_only", "false", PGC_SUSET, PGC_S_OVERRIDE);
	if (synchronous_commit > SYNCHRONOUS_COMMIT_LOCAL_FLUSH)
		SetConfigOption("synchronous_commit", "local", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("application_name", NTS_WORKER_NAME, PGC_USERSET, PGC_S_OVERRIDE);
}

/* The schema of the extension's functions, or InvalidOid when it is not there. */
static Oid
extension_schema(void)
{
	Oid			schema = InvalidOid;
	HeapTuple	tuple;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	tuple = SearchSysCache1(AMNAME, CStringGetDatum("nodedb_ts"));
	if (HeapTupleIsValid(tuple))
	{
		schema = get_func_namespace(((Form_pg_am) GETSTRUCT(tuple))->amhandler);
		ReleaseSysCache(tuple);
	}
	CommitTransactionCommand();
	return schema;
}

void
nts_worker_main(Datum arg)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGINT, cancel);
	pqsignal(SIGTERM, terminate);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(arg), InvalidOid, 0);
	nts_worker_count_as_autovacuum(true);
	set_options();
	/* somebody else is there: good */
	if (!nts_worker_lock() || !nts_slots_enter())
		proc_exit(0);
	nts_maintenance_yields = true;
	nts_duty_init();
	pgstat_report_activity(STATE_IDLE, NULL);

	while (!ShutdownRequestPending)
	{
		Oid			schema;
		long		wait_ms;

		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		if (!nts_worker)
			break;
		schema = extension_schema();
		if (!OidIsValid(schema))
		{
			nts_slots_set_next_start(MyDatabaseId, NTS_NO_EXTENSION_MS);
			/* who created it meanwhile may have asked for a worker before this note */
			if (!OidIsValid(extension_schema()))
				break;
			continue;
		}
		wait_ms = nts_duty_round(schema);
		pgstat_report_stat(wait_ms >= 1000);
		pgstat_report_activity(STATE_IDLE, NULL);
		if (wait_ms > 0 && !ShutdownRequestPending)
			(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, wait_ms, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		/* barriers and the like are answered */
		CHECK_FOR_INTERRUPTS();
	}
	proc_exit(0);
}
