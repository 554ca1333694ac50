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
#define NTS_OWNS_TABLE(relid, role) object_ownercheck(RelationRelationId, relid, role)
#else
#define NTS_OWNS_TABLE(relid, role) pg_class_ownercheck(relid, role)
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

#endif							/* NTS_PG_COMPAT_H */
