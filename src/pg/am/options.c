/*
 * options.c - the options of a table: its label, those of the partitioned tables above, the defaults.
 *
 * A table's own options are the text of its security label of the provider nodedb_ts (docs/options.md says
 * why). What they come to is kept in rd_amcache until the relation's cache entry is invalidated; whoever
 * changes a label invalidates the table and all partitions below.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/partition.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_seclabel.h"
#include "catalog/pg_type.h"
#include "commands/seclabel.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "pg/am/am.h"
#include "pg/am/option_store.h"

/* What is kept in rd_amcache. The function is looked up each time, it may come and go. */
typedef struct CachedOptions
{
	NtsOptions	options;		/* without now_function */
	bool		has_function;
} CachedOptions;

static uint64 invalidations;	/* of any relation */

/* ---- defaults ---- */

static bool
named_like_time(const char *name)
{
	static const char *const names[] = {"ts", "time", "timestamp", "t", "epoch", "created_at",
	"event_time", "time_us", "time_ms", "ts_us", "ts_ms", "date", "datetime"};

	for (int i = 0; i < (int) lengthof(names); i++)
		if (pg_strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

/* The first timestamp or date column, else the first integer column that is named like a time. */
static void
default_time(TupleDesc desc, NtsOptions *options)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		Oid			type;

		if (att->attisdropped)
			continue;
		type = getBaseType(att->atttypid);
		if (type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID)
		{
			options->time_column = att->attnum;
			options->time_type = type;
			return;
		}
		if (options->time_column == 0 && (type == INT8OID || type == INT4OID) &&
			named_like_time(NameStr(att->attname)))
		{
			options->time_column = att->attnum;
			options->time_type = type;
		}
	}
}

static void
default_bucket(NtsOptions *options)
{
	/* the unit of an integer time is unknown: one bucket */
	if (options->time_type == DATEOID)
		options->bucket = 1;
	else if (options->time_type == TIMESTAMPTZOID || options->time_type == TIMESTAMPOID)
		options->bucket = USECS_PER_DAY;
}

/* ---- labels ---- */

static void
label_address(Oid relid, ObjectAddress *address)
{
	ObjectAddressSet(*address, RelationRelationId, relid);
}

void
nts_option_load(Oid relid, NtsOptionSet *set)
{
	ObjectAddress address;
	char	   *label;

	memset(set, 0, sizeof(NtsOptionSet));
	label_address(relid, &address);
	label = GetSecurityLabel(&address, NTS_OPTION_PROVIDER);
	if (label != NULL)
		(void) nts_option_set_parse(label, set, NULL);
}

bool
nts_option_store(Oid relid, const NtsOptionSet *set)
{
	ObjectAddress address;
	char	   *label = nts_option_set_format(set);
	char	   *old;

	label_address(relid, &address);
	old = GetSecurityLabel(&address, NTS_OPTION_PROVIDER);
	if (old == NULL ? label == NULL : label != NULL && strcmp(old, label) == 0)
		return false;
	SetSecurityLabel(&address, NTS_OPTION_PROVIDER, label);
	return true;
}

void
nts_option_forget_all(void)
{
	Relation	rel = table_open(SecLabelRelationId, RowExclusiveLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, Anum_pg_seclabel_provider, BTEqualStrategyNumber, F_TEXTEQ,
				CStringGetTextDatum(NTS_OPTION_PROVIDER));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		CatalogTupleDelete(rel, &tuple->t_self);
	systable_endscan(scan);
	table_close(rel, RowExclusiveLock);
}

void
nts_option_invalidate(Oid relid)
{
	ListCell   *cell;

	foreach(cell, find_all_inheritors(relid, NoLock, NULL))
	{
		HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(lfirst_oid(cell)));

		/* not locked, so it may be gone */
		if (!HeapTupleIsValid(tuple))
			continue;
		CacheInvalidateRelcacheByTuple(tuple);
		ReleaseSysCache(tuple);
	}
}

/* ---- what they come to ---- */

Oid
nts_table_owner(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
		ReleaseSysCache(tuple);
	}
	return owner;
}

List *
nts_option_chain(Oid relid, bool is_partition)
{
	List	   *chain = NIL;
	List	   *relids = list_make1_oid(relid);
	ListCell   *cell;

	if (is_partition)
		relids = list_concat(relids, get_partition_ancestors(relid));
	foreach(cell, relids)
	{
		NtsOptionSet *set = palloc(sizeof(NtsOptionSet));

		nts_option_load(lfirst_oid(cell), set);
		/* it is called as the table's owner, so nobody else may name it */
		if (nts_table_owner(lfirst_oid(cell)) != nts_table_owner(relid))
			set->text[NTS_OPTION_NOW_FUNCTION] = NULL;
		chain = lappend(chain, set);
	}
	return chain;
}

static void
resolve_one(NtsOptionId id, List *chain, TupleDesc desc, NtsOptions *options)
{
	NtsOptionProblem problem;
	ListCell   *cell;

	foreach(cell, chain)
	{
		const NtsOptionSet *set = lfirst(cell);

		if (set->text[id] == NULL)
			continue;
		nts_option_parse(id, set->text[id], desc, options, &problem);
		if (problem.sqlstate == 0)
			return;
	}
}

void
nts_option_resolve(List *chain, TupleDesc desc, NtsOptions *options)
{
	memset(options, 0, sizeof(NtsOptions));
	options->flush_interval_ms = -1;
	options->compact_interval_ms = -1;
	resolve_one(NTS_OPTION_TIME_COLUMN, chain, desc, options);
	if (options->time_column == 0)
		default_time(desc, options);
	default_bucket(options);
	for (int id = NTS_OPTION_TIME_COLUMN + 1; id < NTS_OPTION_COUNT; id++)
		resolve_one(id, chain, desc, options);
}

/* The table whose options these are: a rewrite fills a table that stands for another. */
static List *
relation_chain(Relation rel)
{
	Oid			original = rel->rd_rel->relrewrite;

	if (OidIsValid(original))
		return nts_option_chain(original, get_rel_relispartition(original));
	return nts_option_chain(RelationGetRelid(rel), rel->rd_rel->relispartition);
}

static void
read_options(Relation rel, CachedOptions *cached)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "nodedb_ts options",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	List	   *chain = relation_chain(rel);
	ListCell   *cell;

	nts_option_resolve(chain, RelationGetDescr(rel), &cached->options);
	cached->has_function = false;
	foreach(cell, chain)
		cached->has_function |= ((NtsOptionSet *) lfirst(cell))->text[NTS_OPTION_NOW_FUNCTION] != NULL;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

void
nts_options_get(Relation rel, NtsOptions *options)
{
	CachedOptions cached;
	uint64		before;

	if (nts_is_nodedb_ts(rel) && rel->rd_amcache != NULL)
	{
		CachedOptions *kept = rel->rd_amcache;

		if (!kept->has_function)
		{
			*options = kept->options;
			return;
		}
	}
	/* labels are read one after the other: kept only when nothing changed meanwhile */
	before = invalidations;
	read_options(rel, &cached);
	*options = cached.options;
	if (nts_is_nodedb_ts(rel) && rel->rd_amcache == NULL && before == invalidations)
	{
		CachedOptions *kept = MemoryContextAlloc(CacheMemoryContext, sizeof(CachedOptions));

		*kept = cached;
		rel->rd_amcache = kept;
	}
}

static void
relcache_changed(Datum arg, Oid relid)
{
	invalidations++;
}

void
nts_options_init(void)
{
	CacheRegisterRelcacheCallback(relcache_changed, (Datum) 0);
	nts_option_set_init();
	nts_option_ddl_init();
}
