/*
 * option_ddl.c - options in DDL: WITH (nodedb_ts.retention = '30 days'), ALTER TABLE ... SET and RESET,
 * LIKE ... INCLUDING ALL; and what becomes of stored options when columns are renamed, dropped, or
 * get another type.
 *
 * The extension's event trigger at ddl_command_start gets the very tree that PostgreSQL goes on with (a
 * copy where the original must stay). It takes our options out, in place. For an ALTER it stores them at
 * once. For a table that is to be made it notes them under the table's name; the object access hook
 * stores them when that table's catalog rows are made, before the first row comes (CREATE TABLE AS).
 * A note ends with the (sub)transaction, with another command about the same name, or when it is used.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "commands/defrem.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "commands/tablecmds.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "pg/am/am.h"
#include "pg/am/option_store.h"

PG_FUNCTION_INFO_V1(nodedb_ts_options_start);

/* Options for a table that is about to be made. All memory is the transaction's. */
typedef struct Note
{
	char	   *schema;
	char	   *name;
	Oid			parent;			/* PARTITION OF, or 0 */
	NtsOptionSet set;			/* in the command itself */
	bool		given[NTS_OPTION_COUNT];
	NtsOptionSet copied;		/* from LIKE; given to a table of the access method only */
	int			level;			/* of the subtransaction that the note goes with */
	struct Note *next;
} Note;

static Note *notes;

/* ---- taking options out of a command ---- */

typedef struct Taken
{
	NtsOptionSet set;
	bool		given[NTS_OPTION_COUNT];
	bool		any;
	bool		any_value;		/* not only RESET */
} Taken;

static void
take(Taken *taken, DefElem *def, bool reset)
{
	NtsOptionId id = nts_option_by_name(def->defname);

	if (id == NTS_OPTION_COUNT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized parameter \"nodedb_ts.%s\"", def->defname),
				 errdetail("The options of nodedb_ts are: %s.", nts_option_names())));
	if (taken->given[id] && !reset)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"nodedb_ts.%s\" specified more than once", def->defname)));
	if (reset && def->arg != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("RESET must not include values for parameters")));
	if (!reset && def->arg == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("parameter \"nodedb_ts.%s\" needs a value", def->defname)));
	taken->any = true;
	taken->any_value |= !reset;
	taken->given[id] = true;
	taken->set.text[id] = reset ? NULL : defGetString(def);
}

/* Takes our options out of a list of parameters. In place: what is allocated here does not last. */
static List *
take_list(List *defs, Taken *taken, bool reset)
{
	ListCell   *cell;

	foreach(cell, defs)
	{
		DefElem    *def = lfirst_node(DefElem, cell);

		if (def->defnamespace == NULL || strcmp(def->defnamespace, "nodedb_ts") != 0)
			continue;
		take(taken, def, reset);
		defs = foreach_delete_current(defs, cell);
	}
	return defs;
}

/* ---- notes ---- */

static void
drop_note(const char *schema, const char *name)
{
	for (Note **at = &notes; *at != NULL; at = &(*at)->next)
		if (strcmp((*at)->schema, schema) == 0 && strcmp((*at)->name, name) == 0)
		{
			*at = (*at)->next;
			return;
		}
}

static void
copy_set(NtsOptionSet *to, const NtsOptionSet *from)
{
	for (int id = 0; id < NTS_OPTION_COUNT; id++)
		to->text[id] = from->text[id] == NULL ? NULL : pstrdup(from->text[id]);
}

static bool
is_empty(const NtsOptionSet *set)
{
	for (int id = 0; id < NTS_OPTION_COUNT; id++)
		if (set->text[id] != NULL)
			return false;
	return true;
}

/* The schema that the relation will be made in; schema: that of CREATE SCHEMA, or NULL. */
static char *
creation_schema(RangeVar *relation, const char *schema)
{
	if (schema != NULL && relation->relpersistence != RELPERSISTENCE_TEMP)
		return pstrdup(schema);
	return get_namespace_name(RangeVarGetCreationNamespace(relation));
}

/* A command makes the relation, with these options. */
static void
note_relation(RangeVar *relation, const char *schema, bool if_not_exists, RangeVar *parent,
			  const Taken *taken, const NtsOptionSet *copied)
{
	bool		wanted = taken->any || !is_empty(copied);
	MemoryContext old;
	Note	   *note;
	Oid			namespace_id;

	if (!wanted && notes == NULL)
		return;
	schema = creation_schema(relation, schema);
	if (schema == NULL)
		return;
	drop_note(schema, relation->relname);
	if (!wanted)
		return;
	namespace_id = get_namespace_oid(schema, true);
	if (if_not_exists && OidIsValid(namespace_id) &&
		OidIsValid(get_relname_relid(relation->relname, namespace_id)))
		return;					/* nothing will be made */
	old = MemoryContextSwitchTo(TopTransactionContext);
	note = palloc0(sizeof(Note));
	note->schema = pstrdup(schema);
	note->name = pstrdup(relation->relname);
	if (parent != NULL)
		note->parent = RangeVarGetRelid(parent, NoLock, true);
	copy_set(&note->set, &taken->set);
	memcpy(note->given, taken->given, sizeof(note->given));
	copy_set(&note->copied, copied);
	note->level = GetCurrentTransactionNestLevel();
	note->next = notes;
	notes = note;
	MemoryContextSwitchTo(old);
}

static void
xact_event(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		notes = NULL;
}

static void
subxact_event(SubXactEvent event, SubTransactionId subid, SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	for (Note **at = &notes; *at != NULL;)
	{
		if (event == SUBXACT_EVENT_ABORT_SUB && (*at)->level >= level)
		{
			*at = (*at)->next;
			continue;
		}
		if (event == SUBXACT_EVENT_COMMIT_SUB && (*at)->level >= level)
			(*at)->level = level - 1;
		at = &(*at)->next;
	}
}

/* ---- the table is made ---- */

/* Copied options do not count where they do not fit. */
static void
drop_unfit(List *chain, NtsOptionSet *set, TupleDesc desc)
{
	NtsOptions	options;
	NtsOptionProblem problem;

	nts_option_resolve(chain, desc, &options);
	for (int id = 0; id < NTS_OPTION_COUNT; id++)
	{
		if (set->text[id] == NULL)
			continue;
		nts_option_parse(id, set->text[id], desc, &options, &problem);
		if (problem.sqlstate != 0)
			set->text[id] = NULL;
	}
}

static bool
is_kind(Form_pg_class form)
{
	Oid			am = get_table_am_oid("nodedb_ts", true);

	return form->relkind == RELKIND_PARTITIONED_TABLE || (OidIsValid(am) && form->relam == am);
}

static void
store_note(Note *note, Relation rel, Form_pg_class form)
{
	bool		explicit = !is_empty(&note->set);
	NtsOptionSet own = {0};
	List	   *chain = NIL;

	if (explicit)
		nts_option_check_kind(NameStr(form->relname), form->relkind, form->relam);
	else if (!is_kind(form))
		return;
	/* its place among the partitions is not in the catalogs yet */
	if (OidIsValid(note->parent))
		chain = nts_option_chain(note->parent, get_rel_relispartition(note->parent));
	for (int id = 0; id < NTS_OPTION_COUNT; id++)
		own.text[id] = note->set.text[id] != NULL ? note->set.text[id] : note->copied.text[id];
	drop_unfit(lcons(&own, chain), &own, RelationGetDescr(rel));
	(void) nts_option_change(rel, lcons(&own, chain), &note->set, note->given);
	CacheInvalidateRelcache(rel);
}

void
nts_option_relation_made(Form_pg_class form)
{
	const char *schema;
	Relation	rel;

	if (notes == NULL || OidIsValid(form->relrewrite) ||
		(form->relkind != RELKIND_RELATION && form->relkind != RELKIND_PARTITIONED_TABLE &&
		 form->relkind != RELKIND_MATVIEW))
		return;
	schema = get_namespace_name(form->relnamespace);
	for (Note *note = notes; note != NULL && schema != NULL; note = note->next)
	{
		if (strcmp(note->schema, schema) != 0 || strcmp(note->name, NameStr(form->relname)) != 0)
			continue;
		drop_note(note->schema, note->name);
		rel = RelationIdGetRelation(form->oid);
		if (!RelationIsValid(rel))
			return;
		store_note(note, rel, form);
		RelationClose(rel);
		return;
	}
}

/* ---- commands ---- */

/* LIKE ... INCLUDING STORAGE, or ALL: what the source itself has, unless an earlier one has it. */
static void
copy_like(List *elements, NtsOptionSet *copied)
{
	ListCell   *cell;

	foreach(cell, elements)
	{
		TableLikeClause *like = lfirst(cell);
		NtsOptionSet set;
		Oid			relid;
		HeapTuple	tuple;
		bool		ours;

		if (!IsA(like, TableLikeClause) || (like->options & CREATE_TABLE_LIKE_STORAGE) == 0)
			continue;
		relid = RangeVarGetRelid(like->relation, NoLock, true);
		tuple = OidIsValid(relid) ? SearchSysCache1(RELOID, ObjectIdGetDatum(relid)) : NULL;
		if (!HeapTupleIsValid(tuple))
			continue;
		ours = is_kind((Form_pg_class) GETSTRUCT(tuple));
		ReleaseSysCache(tuple);
		if (!ours)
			continue;
		nts_option_load(relid, &set);
		for (int id = 0; id < NTS_OPTION_COUNT; id++)
			if (copied->text[id] == NULL)
				copied->text[id] = set.text[id];
	}
}

static void
create_table(CreateStmt *stmt, const char *schema)
{
	Taken		taken = {0};
	NtsOptionSet copied = {0};
	RangeVar   *parent = stmt->partbound != NULL ? linitial(stmt->inhRelations) : NULL;

	stmt->options = take_list(stmt->options, &taken, false);
	copy_like(stmt->tableElts, &copied);
	note_relation(stmt->relation, schema, stmt->if_not_exists, parent, &taken, &copied);
}

static void
create_table_as(CreateTableAsStmt *stmt)
{
	Taken		taken = {0};
	NtsOptionSet copied = {0};

	stmt->into->options = take_list(stmt->into->options, &taken, false);
	note_relation(stmt->into->rel, NULL, stmt->if_not_exists, NULL, &taken, &copied);
}

static void
create_schema(CreateSchemaStmt *stmt)
{
	const char *schema = stmt->schemaname;
	ListCell   *cell;

	if (schema == NULL)
		schema = get_rolespec_name(stmt->authrole);
	foreach(cell, stmt->schemaElts)
		if (IsA(lfirst(cell), CreateStmt))
			create_table(lfirst(cell), schema);
}

static void
check_alter(const RangeVar *relation, Oid relid, Oid old_relid, void *arg)
{
	if (OidIsValid(relid))
		nts_option_check_owner(relid);
}

/* The access method that the table will have. */
static Oid
future_am(List *commands, Relation rel)
{
	Oid			am = rel->rd_rel->relam;
	ListCell   *cell;

	foreach(cell, commands)
	{
		AlterTableCmd *command = lfirst_node(AlterTableCmd, cell);

		if (command->subtype == AT_SetAccessMethod)
			am = get_table_am_oid(command->name != NULL ? command->name : default_table_access_method, false);
	}
	return am;
}

static void
alter_table(AlterTableStmt *stmt)
{
	Taken		taken = {0};
	ListCell   *cell;
	Oid			relid;
	Relation	rel;

	foreach(cell, stmt->cmds)
	{
		AlterTableCmd *command = lfirst_node(AlterTableCmd, cell);
		int			before;

		if (command->subtype != AT_SetRelOptions && command->subtype != AT_ResetRelOptions)
			continue;
		before = list_length((List *) command->def);
		command->def = (Node *) take_list((List *) command->def, &taken,
										  command->subtype == AT_ResetRelOptions);
		if (before > 0 && command->def == NULL)
			stmt->cmds = foreach_delete_current(stmt->cmds, cell);
	}
	if (!taken.any)
		return;
	relid = RangeVarGetRelidExtended(stmt->relation, AlterTableGetLockLevel(stmt->cmds),
									 stmt->missing_ok ? RVR_MISSING_OK : 0, check_alter, NULL);
	if (!OidIsValid(relid))
		return;
	rel = relation_open(relid, NoLock);
	if (taken.any_value || (rel->rd_rel->relkind != RELKIND_RELATION &&
							rel->rd_rel->relkind != RELKIND_MATVIEW))
		nts_option_check_kind(RelationGetRelationName(rel), rel->rd_rel->relkind,
							  future_am(stmt->cmds, rel));
	(void) nts_option_change(rel, nts_option_chain(relid, rel->rd_rel->relispartition), &taken.set,
							 taken.given);
	nts_option_invalidate(relid);
	relation_close(rel, NoLock);
}

/* Nobody could restore the labels of tables that have gone to another access method. */
static void
drop_extension(DropStmt *stmt)
{
	ListCell   *cell;

	if (stmt->removeType != OBJECT_EXTENSION)
		return;
	foreach(cell, stmt->objects)
		if (strcmp(strVal(lfirst(cell)), "nodedb_ts") == 0 &&
			OidIsValid(get_extension_oid("nodedb_ts", true)))
			nts_option_forget_all();
}

/*
 * Runs before the commands that can carry options; before SECURITY LABEL, and before ALTER TABLE of
 * partitioned tables, it is enough that this loads the library.
 */
Datum
nodedb_ts_options_start(PG_FUNCTION_ARGS)
{
	EventTriggerData *data = (EventTriggerData *) fcinfo->context;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("nodedb_ts_options_start can only be called as an event trigger")));
	switch (nodeTag(data->parsetree))
	{
		case T_CreateStmt:
			create_table((CreateStmt *) data->parsetree, NULL);
			break;
		case T_CreateTableAsStmt:
			create_table_as((CreateTableAsStmt *) data->parsetree);
			break;
		case T_CreateSchemaStmt:
			create_schema((CreateSchemaStmt *) data->parsetree);
			break;
		case T_AlterTableStmt:
			alter_table((AlterTableStmt *) data->parsetree);
			break;
		case T_DropStmt:
			drop_extension((DropStmt *) data->parsetree);
			break;
		default:
			break;
	}
	PG_RETURN_NULL();
}

/* ---- columns change ---- */

static void
store_and_invalidate(Oid relid, const NtsOptionSet *set)
{
	if (nts_option_store(relid, set))
		nts_option_invalidate(relid);
}

static void
remove_option(Oid relid, NtsOptionSet *set, NtsOptionId id, const char *column, const char *why)
{
	if (set->text[id] == NULL)
		return;
	ereport(NOTICE,
			(errmsg("option \"%s\" of table \"%s\" is removed, since column \"%s\" %s",
					nts_option_name(id), get_rel_name(relid), column, why)));
	set->text[id] = NULL;
}

/* In a text of columns; to: NULL takes the name out, and the text away when it was the last. */
static void
replace_column(char **text, const char *from, const char *to)
{
	List	   *names;
	List	   *result = NIL;
	ListCell   *cell;
	bool		found = false;

	if (*text == NULL || !nts_option_columns_parse(*text, &names))
		return;
	foreach(cell, names)
	{
		bool		same = strcmp(lfirst(cell), from) == 0;

		found |= same;
		if (!same)
			result = lappend(result, lfirst(cell));
		else if (to != NULL)
			result = lappend(result, (void *) to);
	}
	if (found)
		*text = result == NIL ? NULL : nts_option_columns_text(result);
}

/* The newest row of pg_attribute, which is younger than any catalog snapshot. */
static bool
read_new_attribute(Oid relid, AttrNumber column, FormData_pg_attribute *form)
{
	Relation	rel = table_open(AttributeRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_pg_attribute_attrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(relid));
	ScanKeyInit(&keys[1], Anum_pg_attribute_attnum, BTEqualStrategyNumber, F_INT2EQ,
				Int16GetDatum(column));
	scan = systable_beginscan(rel, AttributeRelidNumIndexId, true, SnapshotSelf, 2, keys);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		memcpy(form, GETSTRUCT(tuple), ATTRIBUTE_FIXED_PART_SIZE);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return HeapTupleIsValid(tuple);
}

static bool
is_time_column(Oid relid, AttrNumber column)
{
	Relation	rel = RelationIdGetRelation(relid);
	NtsOptions	options;

	if (!RelationIsValid(rel))
		return false;
	nts_options_get(rel, &options);
	RelationClose(rel);
	return options.time_column == column;
}

/* Age and width are about that column; they must not fall to another one unasked. */
static void
remove_time(Oid relid, NtsOptionSet *set, const char *column, const char *why)
{
	remove_option(relid, set, NTS_OPTION_TIME_COLUMN, column, why);
	remove_option(relid, set, NTS_OPTION_BUCKET, column, why);
	remove_option(relid, set, NTS_OPTION_RETENTION, column, why);
	remove_option(relid, set, NTS_OPTION_NOW_FUNCTION, column, why);
}

/* timestamp and date count alike: both have intervals */
static int
time_class(Oid type)
{
	type = getBaseType(type);
	return nts_option_is_integer_type(type) ? 1 : nts_option_is_time_type(type) ? 2 : 0;
}

/* Another class of time types: what was said in the old unit means nothing now. */
static void
column_retyped(Oid relid, NtsOptionSet *set, Form_pg_attribute column)
{
	const char *name = NameStr(column->attname);

	if (time_class(column->atttypid) == 0)
		remove_time(relid, set, name, "is no longer of a time type");
	else
	{
		remove_option(relid, set, NTS_OPTION_BUCKET, name, "has another type");
		remove_option(relid, set, NTS_OPTION_RETENTION, name, "has another type");
		remove_option(relid, set, NTS_OPTION_NOW_FUNCTION, name, "has another type");
	}
}

void
nts_option_column_altered(Oid relid, AttrNumber column)
{
	NtsOptionSet set;
	HeapTuple	tuple;
	FormData_pg_attribute before;
	FormData_pg_attribute after;

	nts_option_load(relid, &set);
	if (is_empty(&set))
		return;
	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum(column));
	if (!HeapTupleIsValid(tuple))
		return;
	memcpy(&before, GETSTRUCT(tuple), ATTRIBUTE_FIXED_PART_SIZE);
	ReleaseSysCache(tuple);
	if (!read_new_attribute(relid, column, &after))
		return;
	if (strcmp(NameStr(before.attname), NameStr(after.attname)) != 0)
	{
		replace_column(&set.text[NTS_OPTION_TIME_COLUMN], NameStr(before.attname), NameStr(after.attname));
		replace_column(&set.text[NTS_OPTION_SERIES_COLUMNS], NameStr(before.attname),
					   NameStr(after.attname));
	}
	if (time_class(before.atttypid) != time_class(after.atttypid) && is_time_column(relid, column))
		column_retyped(relid, &set, &after);
	store_and_invalidate(relid, &set);
}

void
nts_option_column_dropped(Oid relid, AttrNumber column)
{
	NtsOptionSet set;
	char	   *name;

	nts_option_load(relid, &set);
	if (is_empty(&set))
		return;
	name = get_attname(relid, column, true);
	if (name == NULL)
		return;
	if (is_time_column(relid, column))
		remove_time(relid, &set, name, "is dropped");
	replace_column(&set.text[NTS_OPTION_TIME_COLUMN], name, NULL);
	replace_column(&set.text[NTS_OPTION_SERIES_COLUMNS], name, NULL);
	store_and_invalidate(relid, &set);
}

void
nts_option_ddl_init(void)
{
	RegisterXactCallback(xact_event, NULL);
	RegisterSubXactCallback(subxact_event, NULL);
}
