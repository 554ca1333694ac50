/*
 * publication.c - what publications are told: changes of our tables cannot be decoded, so a subscriber
 * would silently miss them.
 *
 * A publication that names such a table, or a partitioned table that has one below, is refused, and so is
 * whatever would make a member of one such a table. FOR ALL TABLES and FOR TABLES IN SCHEMA mean many
 * tables; they and new tables under them bring a warning.
 *
 * Called by the object access hook, so the newest catalog rows are not visible to the caches yet. The
 * hook is there because a table of ours was opened, or because the extension's event trigger has loaded
 * this library before CREATE and ALTER PUBLICATION.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_publication_namespace.h"
#include "catalog/pg_publication_rel.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "pg/am/am.h"

#define NAMES_SHOWN 10

static bool
form_is_ours(Form_pg_class form)
{
	Oid			am = get_table_am_oid("nodedb_ts", true);

	return OidIsValid(am) && form->relam == am;
}

/* Ours, and of a kind whose changes heap would publish. */
static bool
is_published_kind(Form_pg_class form)
{
	return form->relkind == RELKIND_RELATION && form->relpersistence == RELPERSISTENCE_PERMANENT &&
		form_is_ours(form);
}

/* The caches' view of a relation: false when they have none. */
static bool
read_class(Oid relid, FormData_pg_class *form)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));

	if (!HeapTupleIsValid(tuple))
		return false;
	memcpy(form, GETSTRUCT(tuple), CLASS_TUPLE_SIZE);
	ReleaseSysCache(tuple);
	return true;
}

static List *
only_ours(List *relids)
{
	List	   *ours = NIL;
	ListCell   *cell;
	FormData_pg_class form;

	foreach(cell, relids)
	{
		if (read_class(lfirst_oid(cell), &form) && is_published_kind(&form))
			ours = list_append_unique_oid(ours, lfirst_oid(cell));
	}
	list_sort(ours, list_oid_cmp);
	return ours;
}

/* The relation and, when it is partitioned, all below it. */
static List *
ours_below(Oid relid)
{
	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE)
		return only_ours(list_make1_oid(relid));
	return only_ours(find_all_inheritors(relid, NoLock, NULL));
}

/* Not locked: it may have gone since its id was read. */
static const char *
qualified_name(Oid relid)
{
	char	   *name = get_rel_name(relid);

	if (name == NULL)
		return "(dropped)";
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), name);
}

char *
nts_table_names(List *relids)
{
	StringInfoData names;
	ListCell   *cell;
	int			shown = 0;

	initStringInfo(&names);
	foreach(cell, relids)
	{
		if (shown == NAMES_SHOWN)
		{
			appendStringInfo(&names, " and %d more", list_length(relids) - shown);
			break;
		}
		appendStringInfo(&names, "%s%s", shown++ == 0 ? "" : ", ", qualified_name(lfirst_oid(cell)));
	}
	return names.data;
}

static void
warn(Oid publication, const char *names)
{
	char	   *name = get_publication_name(publication, true);

	if (name == NULL)
		return;					/* dropped meanwhile */
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("publication \"%s\" does not publish changes of tables that use the access method \"nodedb_ts\"",
					name),
			 errdetail("Not published: %s.", names),
			 errhint("A subscriber gets their rows by the initial copy only.")));
}

static void
warn_all(List *publications, const char *names)
{
	ListCell   *cell;

	foreach(cell, publications)
		warn(lfirst_oid(cell), names);
}

static void
refuse(Oid relid, Oid named)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("logical replication (a publication) is not supported on table \"%s\"",
					get_rel_name(relid)),
			 relid == named ?
			 errdetail("The table uses the access method \"nodedb_ts\", whose changes are not decoded.") :
			 errdetail("The table uses the access method \"nodedb_ts\", whose changes are not decoded; table \"%s\" is published.",
					   get_rel_name(named))));
}

static void
refuse_member(HeapTuple tuple)
{
	Oid			named = ((Form_pg_publication_rel) GETSTRUCT(tuple))->prrelid;
	List	   *ours = ours_below(named);

	if (ours != NIL)
		refuse(linitial_oid(ours), named);
}

static void
warn_schema(HeapTuple tuple)
{
	Form_pg_publication_namespace form = (Form_pg_publication_namespace) GETSTRUCT(tuple);
	List	   *ours = only_ours(GetSchemaPublicationRelations(form->pnnspid, PUBLICATION_PART_ALL));

	if (ours != NIL)
		warn(form->pnpubid, nts_table_names(ours));
}

/* The rows of a catalog whose column has the value; also those that are too young for the caches. */
static void
each_row(Oid catalog, Oid index, AttrNumber column, Oid value, void (*act) (HeapTuple))
{
	Relation	rel = table_open(catalog, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(value));
	scan = systable_beginscan(rel, index, OidIsValid(index), SnapshotSelf, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		act(tuple);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

List *
nts_list_tables(void)
{
	Relation	rel = table_open(RelationRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, ClassOidIndexId, true, NULL, 0, NULL);
	List	   *tables = NIL;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tuple);

		if (form_is_ours(form))
			tables = lappend_oid(tables, form->oid);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return tables;
}

void
nts_publication_check_members(Oid publication)
{
	if (GetPublication(publication)->alltables)
	{
		List	   *ours = only_ours(nts_list_tables());

		if (ours != NIL)
			warn(publication, nts_table_names(ours));
		return;
	}
	each_row(PublicationRelRelationId, PublicationRelPrpubidIndexId, Anum_pg_publication_rel_prpubid,
			 publication, refuse_member);
	each_row(PublicationNamespaceRelationId, InvalidOid, Anum_pg_publication_namespace_pnpubid,
			 publication, warn_schema);
}

void
nts_publication_check_member(Oid member)
{
	each_row(PublicationRelRelationId, PublicationRelObjectIndexId, Anum_pg_publication_rel_oid,
			 member, refuse_member);
}

void
nts_publication_check_schema(Oid member)
{
	each_row(PublicationNamespaceRelationId, PublicationNamespaceObjectIndexId,
			 Anum_pg_publication_namespace_oid, member, warn_schema);
}

/* form: the new row, which the caches may not have yet. */
void
nts_publication_check_table(Form_pg_class form)
{
	FormData_pg_class before;
	Oid			relid = form->oid;
	const char *names;

	if (!is_published_kind(form))
		return;
	names = quote_qualified_identifier(get_namespace_name(form->relnamespace), NameStr(form->relname));
	if (OidIsValid(form->relrewrite))
	{
		/* the new file of a table: of another access method, or logged from now on? */
		List	   *above;
		ListCell   *cell;

		relid = form->relrewrite;
		if (!read_class(relid, &before) || is_published_kind(&before))
			return;
		names = qualified_name(relid);
		above = before.relispartition ? get_partition_ancestors(relid) : NIL;
		foreach(cell, lcons_oid(relid, above))
		{
			if (GetRelationPublications(lfirst_oid(cell)) != NIL)
				refuse(relid, lfirst_oid(cell));
		}
	}
	warn_all(GetAllTablesPublications(), names);
	warn_all(GetSchemaPublications(form->relnamespace), names);
}

/* A table that moves into another schema. */
void
nts_publication_check_alter(Form_pg_class form)
{
	FormData_pg_class before;

	if (is_published_kind(form) && read_class(form->oid, &before) &&
		before.relnamespace != form->relnamespace)
		warn_all(GetSchemaPublications(form->relnamespace),
				 quote_qualified_identifier(get_namespace_name(form->relnamespace),
											NameStr(form->relname)));
}

void
nts_publication_check_partition(Oid relid, Oid parent)
{
	List	   *ours;
	List	   *known;
	ListCell   *cell;

	if (get_rel_relkind(parent) != RELKIND_PARTITIONED_TABLE)
		return;
	ours = ours_below(relid);
	if (ours == NIL)
		return;
	/* a publication of the table's own schema has warned before */
	known = GetSchemaPublications(get_rel_namespace(relid));
	foreach(cell, lcons_oid(parent, get_partition_ancestors(parent)))
	{
		List	   *publications = GetSchemaPublications(get_rel_namespace(lfirst_oid(cell)));

		if (GetRelationPublications(lfirst_oid(cell)) != NIL)
			refuse(linitial_oid(ours), lfirst_oid(cell));
		warn_all(list_difference_oid(publications, known), nts_table_names(ours));
		known = list_concat(known, publications);
	}
}
