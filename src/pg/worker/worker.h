/*
 * worker.h - the launcher, the workers, and what they tell each other; see README.md.
 */
#ifndef NTS_WORKER_WORKER_H
#define NTS_WORKER_WORKER_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "postmaster/bgworker.h"

#define NTS_WORKER_NAME "nodedb_ts worker"

/* When the library is loaded: hooks; and the launcher, when it is preloaded. */
extern void nts_worker_init(void);

/* ---- slots.c: what is known of each database; in shared memory, so only when preloaded ---- */

/* How long a database without the extension is left alone, unless somebody creates one there. */
#define NTS_NO_EXTENSION_MS (3600 * 1000)
/* How long after a worker's end the next one may start. */
#define NTS_RESTART_MS 5000
/* How long after an attempt to start one that came to nothing. */
#define NTS_RETRY_MS 60000

extern void nts_slots_init(void);
extern bool nts_slots_exist(void);
/* Notes which databases there are; forgets others. Returns how many found no slot. */
extern int	nts_slots_set_databases(const Oid *databases, int count);
/* A database whose worker should be started now, or InvalidOid; *wait_ms: time to the next one, lowered. It will not be
 * returned again for NTS_RETRY_MS unless somebody asks for it. */
extern Oid	nts_slots_next(long *wait_ms);
/* Has this process entered a slot? */
extern bool nts_slots_has_worker(int pid);
/* This process is the launcher: it is woken by others through its latch. */
extern void nts_slots_set_launcher(void);
extern void nts_slots_wake_launcher(void);
/* The worker of this database runs; at its exit the slot knows. false: ts_stop_worker was faster. */
extern bool nts_slots_enter(void);
/* Called by a worker that ends: when another may start. */
extern void nts_slots_set_next_start(Oid database, int delay_ms);
/* ts_stop_worker, ts_start_worker; false: there is no room for the database. */
extern bool nts_slots_set_stopped(Oid database, bool stopped);

/* ---- control.c ---- */

/* Takes the lock that the one worker of this database holds as long as it lives; false: there is one. */
extern bool nts_worker_lock(void);
/* The process that holds it, or 0. */
extern int	nts_worker_pid(Oid database);
/* Registers a worker for the database; false: no worker process is free. */
extern bool nts_worker_register(Oid database, int restart_s, BackgroundWorkerHandle **handle);

/* ---- entry points of processes ---- */

extern PGDLLEXPORT void nts_launcher_main(Datum arg);
extern PGDLLEXPORT void nts_worker_main(Datum arg);

/* ---- worker.c ---- */

/* While it works for a user's function, whose snapshot may matter, it does not. */
extern void nts_worker_count_as_autovacuum(bool does);
/* Work that SIGTERM and SIGINT cancel, with an error. */
extern void nts_worker_set_cancellable(bool is);

/* ---- duty.c: what a worker does ---- */

extern void nts_duty_init(void);
/* One round over the tables: what is due, each table and duty at most once. Returns the milliseconds to the next, 0 when
 * there is more to do. schema: of the extension. */
extern long nts_duty_round(Oid schema);

#endif							/* NTS_WORKER_WORKER_H */
