/*
 * compat.h - every difference between PostgreSQL versions, in one file.
 *
 * Written against PostgreSQL 15. Code elsewhere in src/pg uses only the names of
 * this file where versions differ.
 */
#ifndef NTS_PG_COMPAT_H
#define NTS_PG_COMPAT_H

#include "postgres.h"

#include "access/tableam.h"
#include "utils/rel.h"

#if PG_VERSION_NUM < 150000
#error "nodedb_ts needs PostgreSQL 15 or newer"
#endif

#if PG_VERSION_NUM >= 160000
#include "storage/relfilelocator.h"
#include "varatt.h"
typedef RelFileLocator NtsFileNode;
#define NTS_REL_NODE(rel) ((rel)->rd_locator)
#define NtsFileNodeEquals(a, b) RelFileLocatorEquals(a, b)
typedef TU_UpdateIndexes NtsUpdateIndexes;
#else
#include "storage/relfilenode.h"
typedef RelFileNode NtsFileNode;
#define NTS_REL_NODE(rel) ((rel)->rd_node)
#define NtsFileNodeEquals(a, b) RelFileNodeEquals(a, b)
typedef bool NtsUpdateIndexes;
#endif

#if PG_VERSION_NUM >= 160000
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#define NTS_OWNS_TABLE(relid, role) object_ownercheck(RelationRelationId, relid, role)
#define NTS_CHECK_EXECUTE(function, role) object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE)
#else
#define NTS_OWNS_TABLE(relid, role) pg_class_ownercheck(relid, role)
#define NTS_CHECK_EXECUTE(function, role) pg_proc_aclcheck(function, role, ACL_EXECUTE)
#endif

#if PG_VERSION_NUM >= 170000
#define NTS_MY_PROC_NUMBER MyProcNumber
#else
#define NTS_MY_PROC_NUMBER MyBackendId
#endif

#if PG_VERSION_NUM >= 190000
typedef uint32 NtsInsertOptions;
#else
typedef int NtsInsertOptions;
#endif

#if PG_VERSION_NUM >= 180000
#define NTS_VACUUM_DELAY() vacuum_delay_point(false)
#else
#define NTS_VACUUM_DELAY() vacuum_delay_point()
#endif

/* A database whose DROP was interrupted; minor versions before 15.4 do not know such. */
#define NTS_DATABASE_IS_INVALID(form) ((form)->datconnlimit == -2)

#if PG_VERSION_NUM >= 160000
#define NTS_OWNS_DATABASE(database, role) object_ownercheck(DatabaseRelationId, database, role)
#else
#define NTS_OWNS_DATABASE(database, role) pg_database_ownercheck(database, role)
#endif

/* needs access/gist_private.h */
#if PG_VERSION_NUM >= 160000
#define NTS_LOG_PAGE_REUSE(rel, block, latest) gistXLogPageReuse(rel, rel, block, latest)
#else
#define NTS_LOG_PAGE_REUSE(rel, block, latest) gistXLogPageReuse(rel, block, latest)
#endif

/* Cutoffs of a vacuum with these parameters; needs commands/vacuum.h. */
#if PG_VERSION_NUM >= 160000
#define NTS_VACUUM_CUTOFFS(rel, params, oldest_xmin, oldest_multi, freeze_limit) \
	do { \
		struct VacuumCutoffs cutoffs_; \
		(void) vacuum_get_cutoffs(rel, params, &cutoffs_); \
		*(oldest_xmin) = cutoffs_.OldestXmin; \
		*(oldest_multi) = cutoffs_.OldestMxact; \
		*(freeze_limit) = cutoffs_.FreezeLimit; \
	} while (0)
#else
#define NTS_VACUUM_CUTOFFS(rel, params, oldest_xmin, oldest_multi, freeze_limit) \
	do { \
		MultiXactId multi_cutoff_; \
		(void) vacuum_set_xid_limits(rel, (params)->freeze_min_age, (params)->freeze_table_age, \
									 (params)->multixact_freeze_min_age, \
									 (params)->multixact_freeze_table_age, oldest_xmin, \
									 oldest_multi, freeze_limit, &multi_cutoff_); \
	} while (0)
#endif

/* Is the table so old that VACUUM should do nothing but freeze? Needs commands/vacuum.h. */
#if PG_VERSION_NUM >= 160000
#define NTS_VACUUM_FAILSAFE(rel) \
	vacuum_xid_failsafe_check(&(struct VacuumCutoffs) {.relfrozenxid = (rel)->rd_rel->relfrozenxid, \
													   .relminmxid = (rel)->rd_rel->relminmxid})
#else
#define NTS_VACUUM_FAILSAFE(rel) \
	vacuum_xid_failsafe_check((rel)->rd_rel->relfrozenxid, (rel)->rd_rel->relminmxid)
#endif

/* May VACUUM cut the table's file? Needs utils/rel.h. */
#if PG_VERSION_NUM >= 180000
#define NTS_MAY_TRUNCATE(rel) \
	((rel)->rd_options == NULL || !((StdRdOptions *) (rel)->rd_options)->vacuum_truncate_set || \
	 ((StdRdOptions *) (rel)->rd_options)->vacuum_truncate)
#else
#define NTS_MAY_TRUNCATE(rel) \
	((rel)->rd_options == NULL || ((StdRdOptions *) (rel)->rd_options)->vacuum_truncate)
#endif

/* An expression in the columns of a child relation; needs optimizer/appendinfo.h. */
#if PG_VERSION_NUM >= 160000
#define NTS_TRANSLATE_TO_CHILD(root, node, child, parent) \
	adjust_appendrel_attrs_multilevel(root, node, child, parent)
#else
#define NTS_TRANSLATE_TO_CHILD(root, node, child, parent) \
	adjust_appendrel_attrs_multilevel(root, node, (child)->relids, (parent)->relids)
#endif

/* The path key of a column ordered by an operator, if it has an equivalence class; needs optimizer/paths.h. */
#if PG_VERSION_NUM >= 160000
#define NTS_BUILD_PATHKEY(root, expression, operator, relids) \
	build_expression_pathkey(root, expression, operator, relids, false)
#else
#define NTS_BUILD_PATHKEY(root, expression, operator, relids) \
	build_expression_pathkey(root, expression, NULL, operator, relids, false)
#endif

/* Do sums of int8 go to other processes as numeric (int8_avg_serialize)? */
#define NTS_HAS_NUMERIC_SUM_STATE (PG_VERSION_NUM < 190000)

/* What a name in lower case is among the abbreviations of zones; needs utils/datetime.h. */
#if PG_VERSION_NUM >= 160000
#define NTS_DECODE_ZONE_ABBREVIATION(name, type, offset, zone) \
	do { \
		DateTimeErrorExtra extra_; \
		if (DecodeTimezoneAbbrev(0, name, type, offset, zone, &extra_) != 0) \
			*(type) = DYNTZ; \
	} while (0)
#else
#define NTS_DECODE_ZONE_ABBREVIATION(name, type, offset, zone) \
	(*(type) = DecodeTimezoneAbbrev(0, name, offset, zone))
#endif

#endif							/* NTS_PG_COMPAT_H */
