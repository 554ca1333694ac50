/*
 * ddl.c - files of a relation come and go; what indexes are told; hooks and the event trigger that see
 * other DDL.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/multixact.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_publication_namespace.h"
#include "catalog/pg_publication_rel.h"
#include "catalog/storage.h"
#include "catalog/storage_xlog.h"
#include "catalog/toasting.h"
#include "commands/event_trigger.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/procarray.h"
#include "storage/smgr.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"

#include "pg/am/am.h"
#include "pg/am/option_store.h"
#include "pg/error.h"
#include "pg/fault.h"

PG_FUNCTION_INFO_V1(nodedb_ts_ddl_start);

static object_access_hook_type previous_object_access_hook;
static ExecutorStart_hook_type previous_executor_start_hook;

void
nts_am_set_new_filenode(Relation rel, const NtsFileNode *node, char persistence,
						TransactionId *freeze_xid, MultiXactId *min_multi)
{
	SMgrRelation smgr;

	/* rows buffered for the old file belong there: a rollback may bring it back */
	if (!NtsFileNodeEquals(NTS_REL_NODE(rel), *node))
		nts_buffer_flush_relation(rel);

	/* no xid older than what is running now will be stored */
	*freeze_xid = RecentXmin;
	*min_multi = GetOldestMultiXactId();
	smgr = RelationCreateStorage(*node, persistence, true);
	if (persistence == RELPERSISTENCE_UNLOGGED)
	{
		/* an empty init fork: an empty file is an empty table */
		smgrcreate(smgr, INIT_FORKNUM, false);
		log_smgrcreate(node, INIT_FORKNUM);
		smgrimmedsync(smgr, INIT_FORKNUM);
	}
	smgrclose(smgr);
	NTS_FAULT(new_file);
}

void
nts_am_nontransactional_truncate(Relation rel)
{
	nts_buffer_discard(rel);
	nts_segment_cache_forget(rel);
	nts_directory_forget(rel);
	NTS_FAULT(truncate_file);
	RelationTruncate(rel, 0);
}

void
nts_am_copy_data(Relation rel, const NtsFileNode *node)
{
	SMgrRelation target = smgropen(*node, rel->rd_backend);

	nts_buffer_flush_relation(rel);
	/* the copy reads the file behind the buffers' back */
	FlushRelationBuffers(rel);
	RelationCreateStorage(*node, rel->rd_rel->relpersistence, true);
	RelationCopyStorage(RelationGetSmgr(rel), target, MAIN_FORKNUM, rel->rd_rel->relpersistence);
	for (ForkNumber fork = MAIN_FORKNUM + 1; fork <= MAX_FORKNUM; fork++)
	{
		if (!smgrexists(RelationGetSmgr(rel), fork))
			continue;
		smgrcreate(target, fork, false);
		if (RelationIsPermanent(rel) ||
			(rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED && fork == INIT_FORKNUM))
			log_smgrcreate(node, fork);
		RelationCopyStorage(RelationGetSmgr(rel), target, fork, rel->rd_rel->relpersistence);
	}
	RelationDropStorage(rel);
	smgrclose(target);
}

bool
nts_am_needs_toast_table(Relation rel)
{
	return false;				/* values are stored whole, in segments */
}

/* ---- hooks ---- */

/*
 * An index is refused where its catalog rows are made, in the first transaction of
 * CREATE INDEX CONCURRENTLY, so that no invalid index stays behind. Whoever creates
 * an index has opened the table, so this library is loaded.
 */
static void
refuse_index(Oid index_oid)
{
	Relation	pg_index = table_open(IndexRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_index_indexrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(index_oid));
	/* the row is younger than any catalog snapshot */
	scan = systable_beginscan(pg_index, IndexRelidIndexId, true, SnapshotSelf, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_index form = (Form_pg_index) GETSTRUCT(tuple);
		Relation	table = RelationIdGetRelation(form->indrelid);

		if (RelationIsValid(table))
		{
			if (nts_is_nodedb_ts(table))
				nts_error_unsupported(table, form->indisprimary ? "PRIMARY KEY" :
									  form->indisexclusion ? "EXCLUDE" :
									  form->indisunique ? "UNIQUE" : "CREATE INDEX");
			RelationClose(table);
		}
	}
	systable_endscan(scan);
	table_close(pg_index, AccessShareLock);
}

/* Copies the newest row of pg_class, which is younger than any catalog snapshot. */
static bool
read_new_class(Oid relid, FormData_pg_class *form)
{
	Relation	pg_class = table_open(RelationRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_class_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(pg_class, ClassOidIndexId, true, SnapshotSelf, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		memcpy(form, GETSTRUCT(tuple), CLASS_TUPLE_SIZE);
	systable_endscan(scan);
	table_close(pg_class, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

/*
 * SET ACCESS METHOD heap: the new file gets a TOAST table only if the old one has one,
 * which ours never has. Without it large values do not fit, now and later.
 */
static void
make_toast_table(Form_pg_class form)
{
	Relation	original;
	bool		ours;

	if (form->relkind != RELKIND_RELATION && form->relkind != RELKIND_MATVIEW)
		return;
	original = RelationIdGetRelation(form->relrewrite);
	if (!RelationIsValid(original))
		return;
	ours = nts_is_nodedb_ts(original) && form->relam != original->rd_rel->relam;
	RelationClose(original);
	if (!ours)
		return;
	/* so that the new table can be opened */
	CommandCounterIncrement();
	NewHeapCreateToastTable(form->oid, (Datum) 0, AccessExclusiveLock, InvalidOid);
}

static void
relation_made(Oid relid)
{
	FormData_pg_class form;

	if (!read_new_class(relid, &form))
		return;
	if (form.relkind == RELKIND_INDEX || form.relkind == RELKIND_PARTITIONED_INDEX)
	{
		refuse_index(relid);
		return;
	}
	nts_publication_check_table(&form);
	nts_option_relation_made(&form);
	if (OidIsValid(form.relrewrite))
		make_toast_table(&form);
}

static void
relation_altered(Oid relid)
{
	FormData_pg_class form;

	if (read_new_class(relid, &form))
		nts_publication_check_alter(&form);
}

static pg_noinline void
object_changed(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *arg)
{
	if (access == OAT_POST_CREATE && class_id == RelationRelationId && sub_id == 0)
		relation_made(object_id);
	else if (access == OAT_POST_CREATE && class_id == PublicationRelationId)
		nts_publication_check_members(object_id);
	else if (access == OAT_POST_CREATE && class_id == PublicationRelRelationId)
		nts_publication_check_member(object_id);
	else if (access == OAT_POST_CREATE && class_id == PublicationNamespaceRelationId)
		nts_publication_check_schema(object_id);
	else if (access == OAT_POST_ALTER && class_id == RelationRelationId && sub_id == 0)
		relation_altered(object_id);
	else if (access == OAT_POST_ALTER && class_id == RelationRelationId)
		nts_option_column_altered(object_id, sub_id);
	else if (access == OAT_POST_ALTER && class_id == InheritsRelationId)
		nts_publication_check_partition(object_id,
										((ObjectAccessPostAlter *) arg)->auxiliary_id);
	else if (access == OAT_DROP && class_id == RelationRelationId && sub_id == 0)
		nts_buffer_before_drop(object_id);
	else if (access == OAT_DROP && class_id == RelationRelationId)
		nts_option_column_dropped(object_id, sub_id);
}

static void
object_access(ObjectAccessType access, Oid class_id, Oid object_id, int sub_id, void *arg)
{
	if (previous_object_access_hook != NULL)
		previous_object_access_hook(access, class_id, object_id, sub_id, arg);
	/* this one comes for each function in each statement */
	if (access != OAT_FUNCTION_EXECUTE)
		object_changed(access, class_id, object_id, sub_id, arg);
}

/* ---- the event trigger ---- */

/* DROP EXTENSION would tell of CASCADE only, which takes the tables along. */
static void
refuse_drop_extension(DropStmt *stmt)
{
	ListCell   *cell;
	List	   *tables = NIL;

	if (stmt->removeType != OBJECT_EXTENSION || stmt->behavior == DROP_CASCADE)
		return;
	foreach(cell, stmt->objects)
	{
		if (strcmp(strVal(lfirst(cell)), "nodedb_ts") == 0)
			tables = nts_list_tables();
	}
	if (tables != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop extension nodedb_ts because tables use its access method"),
				 errdetail_plural("%d relation does: %s.", "%d relations do: %s.", list_length(tables),
								  list_length(tables), nts_table_names(tables)),
				 errhint("To keep a table and its rows, use ALTER TABLE ... SET ACCESS METHOD heap (ALTER MATERIALIZED VIEW for a view). DROP EXTENSION ... CASCADE drops the tables, too.")));
}

/*
 * Runs before CREATE PUBLICATION, ALTER PUBLICATION and DROP EXTENSION, which open none of our tables:
 * it is enough that this loads the library, whose hook sees what publications become.
 */
Datum
nodedb_ts_ddl_start(PG_FUNCTION_ARGS)
{
	EventTriggerData *data = (EventTriggerData *) fcinfo->context;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("nodedb_ts_ddl_start can only be called as an event trigger")));
	if (IsA(data->parsetree, DropStmt))
		refuse_drop_extension((DropStmt *) data->parsetree);
	PG_RETURN_NULL();
}

/* Workers of a parallel plan cannot see this backend's memory, and functions in
 * them may read any table. */
static void
executor_start(QueryDesc *query, int flags)
{
	if (query->plannedstmt->parallelModeNeeded && (flags & EXEC_FLAG_EXPLAIN_ONLY) == 0)
		nts_buffer_flush_all();
	if (previous_executor_start_hook != NULL)
		previous_executor_start_hook(query, flags);
	else
		standard_ExecutorStart(query, flags);
}

void
nts_ddl_init(void)
{
	previous_object_access_hook = object_access_hook;
	object_access_hook = object_access;
	previous_executor_start_hook = ExecutorStart_hook;
	ExecutorStart_hook = executor_start;
}
