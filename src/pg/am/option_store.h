/*
 * option_store.h - shared by the files that read and write options: labels, what they come to, DDL.
 */
#ifndef NTS_AM_OPTION_STORE_H
#define NTS_AM_OPTION_STORE_H

#include "postgres.h"

#include "catalog/pg_class.h"
#include "utils/rel.h"

#include "pg/am/option_text.h"

#define NTS_OPTION_PROVIDER "nodedb_ts"

/* ---- options.c ---- */

/* The options of the relation's own label; what cannot be read counts as not set. */
extern void nts_option_load(Oid relid, NtsOptionSet *set);
/* Makes the set the relation's label; false: it was. The caller invalidates. */
extern bool nts_option_store(Oid relid, const NtsOptionSet *set);
/* Removes all labels of the database. */
extern void nts_option_forget_all(void);
/* Tells all sessions that options of the relation and what inherits from it may have changed. */
extern void nts_option_invalidate(Oid relid);
/* A list of NtsOptionSet: the relation's, then those of the partitioned tables above it. */
extern List *nts_option_chain(Oid relid, bool is_partition);
/* What a chain comes to for a table of these columns. Never raises. */
extern void nts_option_resolve(List *chain, TupleDesc desc, NtsOptions *options);

/* ---- option_set.c ---- */

extern void nts_option_set_init(void);
/* 42809 unless the relation can have options: a table of the access method, or a partitioned one. */
extern void nts_option_check_kind(const char *name, char relkind, Oid am);
extern void nts_option_check_owner(Oid relid);
/*
 * Gives a relation the options of `changed` whose `given` is true, a NULL text being none. chain: as of
 * nts_option_chain. Raises when one of them, or one that its time column makes unfit, does not fit; else
 * stores. Texts become canonical. Returns the new set.
 */
extern NtsOptionSet *nts_option_change(Relation rel, List *chain, const NtsOptionSet *changed,
									   const bool *given);

/* ---- option_ddl.c ---- */

extern void nts_option_ddl_init(void);
/* A relation was made; its columns are in its cache entry, the catalog caches do not know it yet. */
extern void nts_option_relation_made(Form_pg_class form);
/* A column was changed, or is about to be dropped. */
extern void nts_option_column_altered(Oid relid, AttrNumber column);
extern void nts_option_column_dropped(Oid relid, AttrNumber column);

#endif							/* NTS_AM_OPTION_STORE_H */
