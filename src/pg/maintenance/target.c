/*
 * target.c - which tables a maintenance function works on.
 *
 * The lock is kept to the end of the transaction: nobody else may move pages or free entries before it is decided
 * what this transaction did. Several tables are locked in order of their OIDs, so that two such calls cannot
 * deadlock.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "pg/am/am.h"
#include "pg/maintenance/target.h"

bool		nts_maintenance_yields;
bool		nts_maintenance_yielded;

static void
check_owner(Oid relid)
{
	char	   *name = get_rel_name(relid);

	/* one that is gone is noticed when it is opened */
	if (name != NULL && !NTS_OWNS_TABLE(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, name);
}

/* pg_upgrade has noted the old cluster's transaction ids before it starts it; what is written under later ones, the new
 * cluster could not judge. */
static void
refuse_binary_upgrade(void)
{
	if (IsBinaryUpgrade)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("tables cannot be maintained in binary upgrade mode")));
}

static void
raise_undefined(Oid relid)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_TABLE),
			 errmsg("relation with OID %u does not exist", relid)));
}

/* As its owner, since what belongs to a table (a function that its options name) is the owner's. */
static void
run_as_owner(Relation rel, NtsMaintain action, void *state)
{
	Oid			user;
	int			context;
	int			level = NewGUCNestLevel();

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(rel->rd_rel->relowner, context | SECURITY_RESTRICTED_OPERATION);
	action(rel, state);
	AtEOXact_GUC(false, level);
	SetUserIdAndSecContext(user, context);
}

static void
maintain_partitions(Oid relid, NtsMaintain action, void *state)
{
	List	   *children = find_all_inheritors(relid, NoLock, NULL);
	ListCell   *cell;

	list_sort(children, list_oid_cmp);
	foreach(cell, children)
	{
		Relation	rel;

		if (lfirst_oid(cell) == relid)
			continue;
		check_owner(lfirst_oid(cell));
		rel = try_relation_open(lfirst_oid(cell), ShareUpdateExclusiveLock);
		if (rel == NULL)
			continue;
		check_owner(lfirst_oid(cell));
		if (nts_is_nodedb_ts(rel) && !RELATION_IS_OTHER_TEMP(rel))
			run_as_owner(rel, action, state);
		relation_close(rel, NoLock);
	}
}

void
nts_maintain(Oid relid, const char *verb, NtsMaintain action, void *state)
{
	Relation	rel;

	refuse_binary_upgrade();
	if (get_rel_name(relid) == NULL)
		raise_undefined(relid);
	/* before the lock: who does not own the table shall not hold it up */
	check_owner(relid);
	rel = try_relation_open(relid, ShareUpdateExclusiveLock);
	if (rel == NULL)
		raise_undefined(relid);
	/* it may have got another owner while we waited */
	check_owner(relid);
	if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
		maintain_partitions(relid, action, state);
	else if (!nts_is_nodedb_ts(rel))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a nodedb_ts table", RelationGetRelationName(rel))));
	else if (RELATION_IS_OTHER_TEMP(rel))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot %s temporary tables of other sessions", verb)));
	else
		run_as_owner(rel, action, state);
	relation_close(rel, NoLock);
}

static bool
is_owned(Oid relid)
{
	return get_rel_name(relid) != NULL && NTS_OWNS_TABLE(relid, GetUserId());
}

/* Asks under a weak lock, which is given back. */
static bool
is_wanted(Oid relid, NtsWanted wanted)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);
	bool		result;

	if (rel == NULL)
		return false;
	result = nts_is_nodedb_ts(rel) && wanted(rel);
	relation_close(rel, AccessShareLock);
	return result;
}

void
nts_maintain_all(NtsWanted wanted, NtsMaintain action, void *state)
{
	List	   *relids = nts_list_tables();	/* by OID */
	ListCell   *cell;

	refuse_binary_upgrade();
	foreach(cell, relids)
	{
		Oid			relid = lfirst_oid(cell);
		Relation	rel;

		if (!is_owned(relid) || (wanted != NULL && !is_wanted(relid, wanted)))
			continue;
		rel = try_relation_open(relid, ShareUpdateExclusiveLock);
		if (rel == NULL)
			continue;
		if (nts_is_nodedb_ts(rel) && !RELATION_IS_OTHER_TEMP(rel) && is_owned(relid))
			run_as_owner(rel, action, state);
		relation_close(rel, NoLock);
	}
}

void
nts_maintenance_yield(Relation rel)
{
	if (!nts_maintenance_yields || !LockHasWaitersRelation(rel, ShareUpdateExclusiveLock))
		return;
	nts_maintenance_yielded = true;
	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("maintenance of table \"%s\" gives way to another command", RelationGetRelationName(rel))));
}
