/*
 * option_set.c - options are set and shown: ts_set_options, ts_options, and the check of labels.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "commands/seclabel.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "pg/am/am.h"
#include "pg/am/option_store.h"

PG_FUNCTION_INFO_V1(ts_set_options);
PG_FUNCTION_INFO_V1(ts_options);

/* Defaults of ts_set_options's arguments, which mean: leave it. The install script has the same. */
#define UNCHANGED_NAME "(unchanged)"
#define UNCHANGED_MONTHS (-12 * 1000000)

static void
raise_problem(const char *table, NtsOptionId id, const char *text, const NtsOptionProblem *problem)
{
	ereport(ERROR,
			(errcode(problem->sqlstate),
			 errmsg("option \"%s\" of table \"%s\" cannot be \"%s\"", nts_option_name(id), table, text),
			 errdetail_internal("%s", problem->detail)));
}

void
nts_option_check_kind(const char *name, char relkind, Oid am)
{
	if (relkind == RELKIND_PARTITIONED_TABLE)
		return;
	if ((relkind != RELKIND_RELATION && relkind != RELKIND_MATVIEW) ||
		am != get_table_am_oid("nodedb_ts", true) || !OidIsValid(am))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" cannot have options of nodedb_ts", name),
				 errdetail("Tables and materialized views that use the access method nodedb_ts have them, and partitioned tables for their partitions.")));
}

void
nts_option_check_owner(Oid relid)
{
	char	   *name = get_rel_name(relid);

	/* one that is gone is noticed when it is opened */
	if (name != NULL && !NTS_OWNS_TABLE(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, name);
}

static void
check_function(Oid function)
{
	AclResult	result = NTS_CHECK_EXECUTE(function, GetUserId());

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FUNCTION, get_func_name(function));
}

/*
 * The default finds an integer time column by its name, and any timestamp or date column comes before it. So
 * that neither a new column nor a new name takes it away, it is written down with what is said in its unit.
 */
static void
keep_integer_time(NtsOptionSet *own, TupleDesc desc, NtsOptions *options)
{
	if (options->time_is_set || !nts_option_is_integer_type(options->time_type) ||
		(own->text[NTS_OPTION_BUCKET] == NULL && own->text[NTS_OPTION_RETENTION] == NULL &&
		 own->text[NTS_OPTION_NOW_FUNCTION] == NULL))
		return;
	own->text[NTS_OPTION_TIME_COLUMN] =
		nts_option_columns_text(list_make1(NameStr(TupleDescAttr(desc, options->time_column - 1)->attname)));
}

/*
 * The options that the chain comes to, whose first member has new texts. An option of that member
 * that was given, or that another time column makes unfit, raises when it does not fit.
 */
static void
check_options(Relation rel, List *chain, NtsOptionSet *own, const bool *given)
{
	TupleDesc	desc = RelationGetDescr(rel);
	NtsOptions	options;
	NtsOptionProblem problem;

	if (given[NTS_OPTION_TIME_COLUMN] && own->text[NTS_OPTION_TIME_COLUMN] != NULL)
	{
		nts_option_parse(NTS_OPTION_TIME_COLUMN, own->text[NTS_OPTION_TIME_COLUMN], desc, &options,
						 &problem);
		if (problem.sqlstate != 0)
			raise_problem(RelationGetRelationName(rel), NTS_OPTION_TIME_COLUMN,
						  own->text[NTS_OPTION_TIME_COLUMN], &problem);
	}
	nts_option_resolve(chain, desc, &options);
	for (int id = 0; id < NTS_OPTION_COUNT; id++)
	{
		if (own->text[id] == NULL || !(given[id] || given[NTS_OPTION_TIME_COLUMN]))
			continue;
		nts_option_parse(id, own->text[id], desc, &options, &problem);
		if (problem.sqlstate != 0)
			raise_problem(RelationGetRelationName(rel), id, own->text[id], &problem);
		if (id == NTS_OPTION_NOW_FUNCTION && given[id])
			check_function(options.now_function);
		own->text[id] = nts_option_canonical(id, own->text[id], desc, &options);
	}
	keep_integer_time(own, desc, &options);
}

NtsOptionSet *
nts_option_change(Relation rel, List *chain, const NtsOptionSet *changed, const bool *given)
{
	NtsOptionSet *own = linitial(chain);

	for (int id = 0; id < NTS_OPTION_COUNT; id++)
	{
		if (!given[id])
			continue;
		own->text[id] = changed->text[id];
		if (id == NTS_OPTION_NOW_FUNCTION && own->text[id] != NULL)
			own->text[id] = nts_option_qualify_function(own->text[id]);
	}
	check_options(rel, chain, own, given);
	(void) nts_option_store(RelationGetRelid(rel), own);
	return own;
}

/* ---- labels ---- */

/*
 * What is wrong with any table is an error. What the types of columns make wrong may have become so since
 * the label was set, and then the dump must be read all the same: it is only warned of.
 */
static void
check_label_values(Relation rel, List *chain, const NtsOptionSet *set)
{
	TupleDesc	desc = RelationGetDescr(rel);
	NtsOptions	options;
	NtsOptionProblem problem;

	nts_option_resolve(chain, desc, &options);
	for (int id = 0; id < NTS_OPTION_COUNT; id++)
	{
		if (set->text[id] == NULL)
			continue;
		nts_option_parse(id, set->text[id], desc, &options, &problem);
		if (problem.sqlstate != 0 && !problem.of_table)
			raise_problem(RelationGetRelationName(rel), id, set->text[id], &problem);
		if (problem.sqlstate != 0)
			ereport(WARNING,
					(errcode(problem.sqlstate),
					 errmsg("option \"%s\" of table \"%s\" counts as not set while it is \"%s\"",
							nts_option_name(id), RelationGetRelationName(rel), set->text[id]),
					 errdetail_internal("%s", problem.detail)));
	}
}

/* SECURITY LABEL FOR nodedb_ts, which pg_dump writes. The relation is locked and owned. */
static void
check_label(const ObjectAddress *object, const char *label)
{
	Relation	rel = NULL;
	NtsOptionSet set;
	NtsOptionProblem problem;

	if (object->classId == RelationRelationId && object->objectSubId == 0)
		rel = relation_open(object->objectId, NoLock);
	if (rel == NULL || (rel->rd_rel->relkind != RELKIND_RELATION &&
						rel->rd_rel->relkind != RELKIND_MATVIEW &&
						rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("only tables and materialized views have labels of the provider nodedb_ts")));
	if (label != NULL)
	{
		if (!nts_option_set_parse(label, &set, &problem))
			ereport(ERROR,
					(errcode(problem.sqlstate),
					 errmsg("label of table \"%s\" is not valid", RelationGetRelationName(rel)),
					 errdetail_internal("%s", problem.detail)));
		/* one of another access method keeps its options until it comes back; pg_upgrade must not fail */
		if (!IsBinaryUpgrade &&
			(nts_is_nodedb_ts(rel) || rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE))
		{
			List	   *chain = nts_option_chain(object->objectId, rel->rd_rel->relispartition);

			linitial(chain) = &set;
			check_label_values(rel, chain, &set);
		}
	}
	nts_option_invalidate(object->objectId);
	relation_close(rel, NoLock);
}

void
nts_option_set_init(void)
{
	register_label_provider(NTS_OPTION_PROVIDER, check_label);
}

/* ---- ts_set_options ---- */

enum
{
	ARG_RELATION, ARG_TIME_COLUMN, ARG_SERIES_COLUMNS, ARG_BUCKET, ARG_RETENTION, ARG_FLUSH_INTERVAL,
	ARG_COMPACT_INTERVAL, ARG_COMPRESSION_LEVEL, ARG_NOW_FUNCTION, ARG_INTEGER_BUCKET,
	ARG_INTEGER_RETENTION
};

typedef struct Change
{
	NtsOptionSet set;
	bool		given[NTS_OPTION_COUNT];
} Change;

static void
give(Change *change, NtsOptionId id, char *text)
{
	change->given[id] = true;
	/* an interval and an integer: one of them may be NULL */
	if (text != NULL && change->set.text[id] != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"%s\" is given twice, as an interval and as an integer", nts_option_name(id))));
	if (text != NULL)
		change->set.text[id] = text;
}

static void
give_interval(FunctionCallInfo fcinfo, int argument, Change *change, NtsOptionId id)
{
	if (PG_ARGISNULL(argument))
		give(change, id, NULL);
	else if (PG_GETARG_INTERVAL_P(argument)->month != UNCHANGED_MONTHS)
		give(change, id, nts_option_interval_text(PG_GETARG_INTERVAL_P(argument)));
}

static void
give_integer(FunctionCallInfo fcinfo, int argument, Change *change, NtsOptionId id)
{
	if (PG_ARGISNULL(argument))
		give(change, id, NULL);
	else if (PG_GETARG_INT64(argument) != PG_INT64_MIN)
		give(change, id, psprintf(INT64_FORMAT, PG_GETARG_INT64(argument)));
}

static void
give_series(ArrayType *array, Change *change)
{
	Datum	   *values;
	bool	   *nulls;
	int			count;
	List	   *names = NIL;

	deconstruct_array(array, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &values, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("option \"series_columns\" cannot contain NULL")));
		names = lappend(names, NameStr(*DatumGetName(values[i])));
	}
	if (count == 1 && strcmp(linitial(names), UNCHANGED_NAME) == 0)
		return;
	give(change, NTS_OPTION_SERIES_COLUMNS, nts_option_columns_text(names));
}

static void
read_arguments(FunctionCallInfo fcinfo, Change *change)
{
	memset(change, 0, sizeof(Change));
	if (PG_ARGISNULL(ARG_TIME_COLUMN))
		give(change, NTS_OPTION_TIME_COLUMN, NULL);
	else if (strcmp(NameStr(*PG_GETARG_NAME(ARG_TIME_COLUMN)), UNCHANGED_NAME) != 0)
		give(change, NTS_OPTION_TIME_COLUMN,
			 nts_option_columns_text(list_make1(NameStr(*PG_GETARG_NAME(ARG_TIME_COLUMN)))));
	if (PG_ARGISNULL(ARG_SERIES_COLUMNS))
		give(change, NTS_OPTION_SERIES_COLUMNS, NULL);
	else
		give_series(PG_GETARG_ARRAYTYPE_P(ARG_SERIES_COLUMNS), change);
	give_interval(fcinfo, ARG_BUCKET, change, NTS_OPTION_BUCKET);
	give_integer(fcinfo, ARG_INTEGER_BUCKET, change, NTS_OPTION_BUCKET);
	give_interval(fcinfo, ARG_RETENTION, change, NTS_OPTION_RETENTION);
	give_integer(fcinfo, ARG_INTEGER_RETENTION, change, NTS_OPTION_RETENTION);
	give_interval(fcinfo, ARG_FLUSH_INTERVAL, change, NTS_OPTION_FLUSH_INTERVAL);
	give_interval(fcinfo, ARG_COMPACT_INTERVAL, change, NTS_OPTION_COMPACT_INTERVAL);
	if (PG_ARGISNULL(ARG_COMPRESSION_LEVEL))
		give(change, NTS_OPTION_COMPRESSION_LEVEL, NULL);
	else if (PG_GETARG_INT32(ARG_COMPRESSION_LEVEL) != PG_INT32_MIN)
		give(change, NTS_OPTION_COMPRESSION_LEVEL,
			 psprintf("%d", PG_GETARG_INT32(ARG_COMPRESSION_LEVEL)));
	if (PG_ARGISNULL(ARG_NOW_FUNCTION))
		give(change, NTS_OPTION_NOW_FUNCTION, NULL);
	else if (OidIsValid(PG_GETARG_OID(ARG_NOW_FUNCTION)))
	{
		Oid			function = PG_GETARG_OID(ARG_NOW_FUNCTION);

		if (get_func_name(function) == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_FUNCTION),
					 errmsg("function with OID %u does not exist", function)));
		give(change, NTS_OPTION_NOW_FUNCTION, nts_option_function_text(function));
	}
}

/* ts_set_options(relation, ...): the table's own options as they are now, NULL if none is set. */
Datum
ts_set_options(PG_FUNCTION_ARGS)
{
	Oid			relid;
	Relation	rel;
	Change		change;
	char	   *label;

	if (PG_ARGISNULL(ARG_RELATION))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("ts_set_options needs a table")));
	PreventCommandDuringRecovery("ts_set_options()");
	PreventCommandIfReadOnly("ts_set_options()");
	relid = PG_GETARG_OID(ARG_RELATION);
	/* before the lock: who does not own the table shall not hold it up */
	nts_option_check_owner(relid);
	rel = try_relation_open(relid, ShareUpdateExclusiveLock);
	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	nts_option_check_kind(RelationGetRelationName(rel), rel->rd_rel->relkind, rel->rd_rel->relam);
	read_arguments(fcinfo, &change);
	label = nts_option_set_format(nts_option_change(rel,
													nts_option_chain(relid, rel->rd_rel->relispartition),
													&change.set, change.given));
	nts_option_invalidate(relid);
	relation_close(rel, NoLock);
	if (label == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(label));
}

/* ---- ts_options ---- */

enum
{
	OUT_TIME_COLUMN, OUT_SERIES_COLUMNS, OUT_BUCKET, OUT_RETENTION, OUT_FLUSH_INTERVAL,
	OUT_COMPACT_INTERVAL, OUT_COMPRESSION_LEVEL, OUT_NOW_FUNCTION, OUT_INTEGER_BUCKET,
	OUT_INTEGER_RETENTION, OUT_COUNT
};

static Datum
interval_datum(int64 usecs)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->day = (int32) Min(usecs / USECS_PER_DAY, PG_INT32_MAX);
	interval->time = usecs - interval->day * USECS_PER_DAY;
	return IntervalPGetDatum(interval);
}

static Datum
series_datum(TupleDesc desc, const NtsOptions *options)
{
	Datum		names[NTS_MAX_SERIES_COLUMNS];

	for (int i = 0; i < options->series_count; i++)
		names[i] = NameGetDatum(&TupleDescAttr(desc, options->series[i] - 1)->attname);
	return PointerGetDatum(construct_array(names, options->series_count, NAMEOID, NAMEDATALEN, false,
										   TYPALIGN_CHAR));
}

static void
fill_row(TupleDesc desc, const NtsOptions *options, Datum *values, bool *nulls)
{
	bool		is_integer = nts_option_is_integer_type(options->time_type);

	for (int i = 0; i < OUT_COUNT; i++)
		nulls[i] = true;
#define SET(out, condition, datum) \
	do { if (condition) { values[out] = (datum); nulls[out] = false; } } while (0)
	SET(OUT_TIME_COLUMN, options->time_column != 0,
		NameGetDatum(&TupleDescAttr(desc, options->time_column - 1)->attname));
	SET(OUT_SERIES_COLUMNS, options->has_series, series_datum(desc, options));
	SET(OUT_BUCKET, options->bucket != 0 && !is_integer,
		interval_datum(options->time_type == DATEOID ? options->bucket * USECS_PER_DAY : options->bucket));
	SET(OUT_INTEGER_BUCKET, options->bucket != 0 && is_integer, Int64GetDatum(options->bucket));
	SET(OUT_RETENTION, options->has_retention && !is_integer,
		IntervalPGetDatum(memcpy(palloc(sizeof(Interval)), &options->retention, sizeof(Interval))));
	SET(OUT_INTEGER_RETENTION, options->has_retention && is_integer,
		Int64GetDatum(options->retention_integer));
	SET(OUT_FLUSH_INTERVAL, options->flush_interval_ms >= 0,
		interval_datum(options->flush_interval_ms * 1000));
	SET(OUT_COMPACT_INTERVAL, options->compact_interval_ms >= 0,
		interval_datum(options->compact_interval_ms * 1000));
	SET(OUT_COMPRESSION_LEVEL, options->compression_level != 0,
		Int32GetDatum(options->compression_level));
	SET(OUT_NOW_FUNCTION, OidIsValid(options->now_function), ObjectIdGetDatum(options->now_function));
#undef SET
}

/* ts_options(relation): what its options come to; all NULL for a relation that is gone. */
Datum
ts_options(PG_FUNCTION_ARGS)
{
	Relation	rel = try_relation_open(PG_GETARG_OID(0), AccessShareLock);
	NtsOptions	options;
	TupleDesc	row;
	Datum		values[OUT_COUNT] = {0};
	bool		nulls[OUT_COUNT];
	HeapTuple	tuple;

	if (get_call_result_type(fcinfo, NULL, &row) != TYPEFUNC_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("ts_options must be called where a row is accepted")));
	row = BlessTupleDesc(row);
	if (rel == NULL)
	{
		memset(nulls, true, sizeof(nulls));
		PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(row, values, nulls)));
	}
	nts_option_check_kind(RelationGetRelationName(rel), rel->rd_rel->relkind, rel->rd_rel->relam);
	nts_options_get(rel, &options);
	fill_row(RelationGetDescr(rel), &options, values, nulls);
	tuple = heap_form_tuple(row, values, nulls);
	relation_close(rel, AccessShareLock);
	PG_RETURN_DATUM(HeapTupleGetDatum(tuple));
}
