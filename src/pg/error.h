/*
 * error.h - the one place where a core status becomes a PostgreSQL error.
 */
#ifndef NTS_PG_ERROR_H
#define NTS_PG_ERROR_H

#include "nodedb_ts/core.h"
#include "utils/relcache.h"

/* Raises the error that `status` describes; rel (may be NULL) is named in it. */
extern void nts_error_raise(const NtsStatus *status, Relation rel) pg_attribute_noreturn();

/* Runs a core call; raises when it fails. */
#define NTS_CHECK(call, status, rel) \
	do { \
		if ((call) != NTS_OK) \
			nts_error_raise(&(status), (rel)); \
	} while (0)

/* 0A000 for an operation that the access method does not support (yet). */
extern void nts_error_unsupported(Relation rel, const char *operation) pg_attribute_noreturn();

/* 40001: what the transaction's snapshot sees of rel has been moved or removed since. */
extern void nts_error_serialization(Relation rel) pg_attribute_noreturn();

/* XX001 for a page, entry or batch that is not what it should be. */
extern void nts_error_corrupt(Relation rel, const char *fmt,...) pg_attribute_printf(2, 3) pg_attribute_noreturn();

/*
 * Runs body(arg) in a subtransaction of its own, so that buffers, locks and files that
 * it holds when it fails are given back. false: it failed with an error about the data
 * (damaged, unreadable, of a newer format), which is *sqlstate and *message. Every other
 * error (a cancelled query, no memory) goes on its way. body keeps nothing that belongs
 * to the subtransaction, such as open files; memory of the caller's context stays.
 */
extern bool nts_error_try(void (*body) (void *arg), void *arg, int *sqlstate, char **message);

#endif							/* NTS_PG_ERROR_H */
