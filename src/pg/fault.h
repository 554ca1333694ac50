/*
 * fault.h - named places where a test lets the server fail.
 *
 * nodedb_ts.fault = 'PLACE:KIND[:N]' (superusers only): when this backend comes to that
 * place for the N-th time (default 1), KIND happens: error (an ERROR), abort (the server
 * dies as by a bug), kill (as by kill -9), cancel and terminate (SIGINT and SIGTERM to
 * itself, which the next CHECK_FOR_INTERRUPTS answers), wait (until nobody holds
 * pg_advisory_lock(hashtext('PLACE')): lets a test stop it there).
 */
#ifndef NTS_PG_FAULT_H
#define NTS_PG_FAULT_H

#include "postgres.h"

extern bool nts_fault_armed;

extern void nts_fault_define(void);
/* Out of line; the name is compared here. May raise an error, so no content lock may be
 * held that the error's clean-up would not release, and no critical section be open. */
extern void nts_fault_reached(const char *place);

#define NTS_FAULT(place) \
	do { \
		if (unlikely(nts_fault_armed)) \
			nts_fault_reached(place); \
	} while (0)

#endif							/* NTS_PG_FAULT_H */
