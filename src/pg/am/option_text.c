/*
 * option_text.c - the text form of a table's options.
 *
 * A label is `name='value', name='value'`; a quote in a value is doubled. Stored labels are read at any
 * time, also when the table has changed since, so nothing here raises an error for what a text says:
 * the caller decides whether a problem is one.
 */
#include "postgres.h"

#include <limits.h>

#include "catalog/heap.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "pg/am/option_text.h"

#define MAX_WORKER_INTERVAL_MS (INT64CONST(100) * 365 * 86400 * 1000)

static const char *const option_names[NTS_OPTION_COUNT] = {
	[NTS_OPTION_TIME_COLUMN] = "time_column",
	[NTS_OPTION_SERIES_COLUMNS] = "series_columns",
	[NTS_OPTION_BUCKET] = "bucket",
	[NTS_OPTION_RETENTION] = "retention",
	[NTS_OPTION_FLUSH_INTERVAL] = "flush_interval",
	[NTS_OPTION_COMPACT_INTERVAL] = "compact_interval",
	[NTS_OPTION_COMPRESSION_LEVEL] = "compression_level",
	[NTS_OPTION_NOW_FUNCTION] = "now_function",
};

static void fail(NtsOptionProblem *problem, int sqlstate, const char *format,...) pg_attribute_printf(3, 4);

static void
fail(NtsOptionProblem *problem, int sqlstate, const char *format,...)
{
	StringInfoData text;

	initStringInfo(&text);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&text, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&text, needed);
	}
	problem->sqlstate = sqlstate;
	problem->detail = text.data;
}

const char *
nts_option_name(NtsOptionId id)
{
	return option_names[id];
}

NtsOptionId
nts_option_by_name(const char *name)
{
	for (int id = 0; id < NTS_OPTION_COUNT; id++)
		if (strcmp(name, option_names[id]) == 0)
			return id;
	return NTS_OPTION_COUNT;
}

char *
nts_option_names(void)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int id = 0; id < NTS_OPTION_COUNT; id++)
		appendStringInfo(&names, "%s%s", id == 0 ? "" : ", ", option_names[id]);
	return names.data;
}

/* ---- labels ---- */

static void
skip_space(const char **at)
{
	while (**at != '\0' && strchr(" \t\n\r", **at) != NULL)
		(*at)++;
}

/* name='value'; false: there is something else. */
static bool
parse_item(const char **at, char **name, char **value)
{
	const char *start = *at;
	StringInfoData text;

	while (**at == '_' || (**at >= 'a' && **at <= 'z'))
		(*at)++;
	*name = pnstrdup(start, *at - start);
	skip_space(at);
	if (**name == '\0' || **at != '=')
		return false;
	(*at)++;
	skip_space(at);
	if (**at != '\'')
		return false;
	initStringInfo(&text);
	for ((*at)++; **at != '\0'; (*at)++)
	{
		if (**at == '\'' && *++*at != '\'')
		{
			*value = text.data;
			return true;
		}
		appendStringInfoChar(&text, **at);
	}
	return false;
}

bool
nts_option_set_parse(const char *label, NtsOptionSet *set, NtsOptionProblem *problem)
{
	NtsOptionProblem ignored;
	bool		strict = problem != NULL;
	const char *at = label;

	if (problem == NULL)
		problem = &ignored;
	memset(set, 0, sizeof(NtsOptionSet));
	memset(problem, 0, sizeof(NtsOptionProblem));
	for (skip_space(&at); *at != '\0'; skip_space(&at))
	{
		const char *start = at;
		char	   *name;
		char	   *value;
		NtsOptionId id;

		if (!parse_item(&at, &name, &value))
		{
			fail(problem, ERRCODE_INVALID_PARAMETER_VALUE,
				 "A label reads name=\'value\', name=\'value\' ...; it cannot be read from \"%s\" on.", start);
			return false;
		}
		id = nts_option_by_name(name);
		if (id < NTS_OPTION_COUNT && set->text[id] == NULL)
			set->text[id] = value;
		else if (strict)
		{
			if (id < NTS_OPTION_COUNT)
				fail(problem, ERRCODE_INVALID_PARAMETER_VALUE, "The option \"%s\" stands in it twice.", name);
			else
				fail(problem, ERRCODE_INVALID_PARAMETER_VALUE,
					 "There is no option \"%s\". The options are: %s.", name, nts_option_names());
			return false;
		}
		skip_space(&at);
		if (*at == ',')
			at++;
		else if (*at != '\0' && strict)
		{
			fail(problem, ERRCODE_INVALID_PARAMETER_VALUE, "A comma is missing before \"%s\".", at);
			return false;
		}
	}
	return true;
}

char *
nts_option_set_format(const NtsOptionSet *set)
{
	StringInfoData label;

	initStringInfo(&label);
	for (int id = 0; id < NTS_OPTION_COUNT; id++)
	{
		if (set->text[id] == NULL)
			continue;
		appendStringInfo(&label, "%s%s='", label.len == 0 ? "" : ", ", option_names[id]);
		for (const char *at = set->text[id]; *at != '\0'; at++)
		{
			if (*at == '\'')
				appendStringInfoChar(&label, '\'');
			appendStringInfoChar(&label, *at);
		}
		appendStringInfoChar(&label, '\'');
	}
	return label.len == 0 ? NULL : label.data;
}

/* ---- columns ---- */

bool
nts_option_is_integer_type(Oid type)
{
	return type == INT8OID || type == INT4OID || type == INT2OID;
}

bool
nts_option_is_time_type(Oid type)
{
	return type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID ||
		nts_option_is_integer_type(type);
}

char *
nts_option_columns_text(List *names)
{
	StringInfoData text;
	ListCell   *cell;

	initStringInfo(&text);
	foreach(cell, names)
		appendStringInfo(&text, "%s%s", text.len == 0 ? "" : ",", quote_identifier(lfirst(cell)));
	return text.data;
}

bool
nts_option_columns_parse(const char *text, List **names)
{
	return SplitIdentifierString(pstrdup(text), ',', names);
}

/* The number of a column of the table, or 0 with a problem. */
static AttrNumber
find_column(const char *name, TupleDesc desc, NtsOptionProblem *problem)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && strcmp(NameStr(att->attname), name) == 0)
			return att->attnum;
	}
	if (SystemAttributeByName(name) != NULL)
		fail(problem, ERRCODE_INVALID_PARAMETER_VALUE, "\"%s\" is a system column.", name);
	else
		fail(problem, ERRCODE_UNDEFINED_COLUMN, "There is no column \"%s\".", name);
	return 0;
}

static void
parse_time_column(const char *text, TupleDesc desc, NtsOptions *options, NtsOptionProblem *problem)
{
	List	   *names;
	AttrNumber	column;
	Oid			type;

	if (!nts_option_columns_parse(text, &names) || list_length(names) != 1)
	{
		fail(problem, ERRCODE_INVALID_PARAMETER_VALUE,
			 "It is the name of one column, in double quotes where SQL asks for them.");
		return;
	}
	column = find_column(linitial(names), desc, problem);
	if (column == 0)
		return;
	type = getBaseType(TupleDescAttr(desc, column - 1)->atttypid);
	if (!nts_option_is_time_type(type))
	{
		fail(problem, ERRCODE_DATATYPE_MISMATCH,
			 "Column \"%s\" is of type %s; a time column is of type timestamp with or without time zone, date, bigint, integer or smallint.",
			 (char *) linitial(names), format_type_be(TupleDescAttr(desc, column - 1)->atttypid));
		problem->of_table = true;
		return;
	}
	options->time_column = column;
	options->time_type = type;
	options->time_is_set = true;
}

static int
compare_columns(const void *a, const void *b)
{
	return (int) *(const AttrNumber *) a - (int) *(const AttrNumber *) b;
}

static void
parse_series_columns(const char *text, TupleDesc desc, NtsOptions *options, NtsOptionProblem *problem)
{
	List	   *names;
	ListCell   *cell;
	AttrNumber	columns[NTS_MAX_SERIES_COLUMNS];
	int			count = 0;

	if (!nts_option_columns_parse(text, &names))
		fail(problem, ERRCODE_INVALID_PARAMETER_VALUE,
			 "These are names of columns, separated by commas, in double quotes where SQL asks for them.");
	else if (list_length(names) > NTS_MAX_SERIES_COLUMNS)
		fail(problem, ERRCODE_TOO_MANY_COLUMNS, "These are %d columns; at most %d are allowed.",
			 list_length(names), NTS_MAX_SERIES_COLUMNS);
	if (problem->sqlstate != 0)
		return;
	foreach(cell, names)
	{
		AttrNumber	column = find_column(lfirst(cell), desc, problem);

		if (column == 0)
			return;
		if (column == options->time_column)
		{
			fail(problem, ERRCODE_INVALID_PARAMETER_VALUE,
				 "Column \"%s\" is the time column.", (char *) lfirst(cell));
			problem->of_table = true;
			return;
		}
		for (int i = 0; i < count; i++)
		{
			if (columns[i] != column)
				continue;
			fail(problem, ERRCODE_DUPLICATE_COLUMN, "Column \"%s\" is named twice.",
				 (char *) lfirst(cell));
			return;
		}
		columns[count++] = column;
	}
	qsort(columns, count, sizeof(AttrNumber), compare_columns);
	memset(options->series, 0, sizeof(options->series));
	memcpy(options->series, columns, sizeof(AttrNumber) * count);
	options->series_count = count;
	options->has_series = true;
}

/* ---- numbers and intervals ---- */

/* Decimal digits with a sign; nothing else. */
static bool
parse_integer(const char *text, int64 *value)
{
	char	   *end;

	while (*text == ' ')
		text++;
	errno = 0;
	*value = strtoll(text, &end, 10);
	while (*end == ' ')
		end++;
	return errno == 0 && end != text && *end == '\0';
}

/* A bare number would be taken for seconds; it is more likely to be meant otherwise. */
static bool
is_bare_number(const char *text)
{
	return *text != '\0' && text[strspn(text, " +-.0123456789eE")] == '\0';
}

static bool
parse_interval(const char *text, Interval *interval)
{
	struct pg_itm_in parts = {0};
	char		buffer[256];
	char	   *fields[MAXDATEFIELDS];
	int			types[MAXDATEFIELDS];
	int			count;
	int			kind;
	int			error;

	if (is_bare_number(text))
		return false;
	error = ParseDateTime(text, buffer, sizeof(buffer), fields, types, MAXDATEFIELDS, &count);
	if (error == 0)
		error = DecodeInterval(fields, types, count, INTERVAL_FULL_RANGE, &kind, &parts);
	if (error == DTERR_BAD_FORMAT)
		error = DecodeISO8601Interval(pstrdup(text), &kind, &parts);
	return error == 0 && kind == DTK_DELTA && itmin2interval(&parts, interval) == 0;
}

/* As PostgreSQL's verbose style has it, which reads the same under any IntervalStyle. */
char *
nts_option_interval_text(const Interval *interval)
{
	struct pg_itm parts;
	char		buffer[MAXDATELEN + 1];

	interval2itm(*interval, &parts);
	EncodeInterval(&parts, INTSTYLE_POSTGRES_VERBOSE, buffer);
	return pstrdup(strncmp(buffer, "@ ", 2) == 0 ? buffer + 2 : buffer);
}

/* Microseconds of an interval without months; false: it has some, or is too long. */
static bool
interval_usecs(const Interval *interval, int64 *usecs)
{
	return interval->month == 0 &&
		!pg_mul_s64_overflow(interval->day, USECS_PER_DAY, usecs) &&
		!pg_add_s64_overflow(*usecs, interval->time, usecs);
}

/* For bucket and retention. false: the problem is set. */
static bool
check_time(const NtsOptions *options, NtsOptionProblem *problem)
{
	if (options->time_column != 0)
		return true;
	fail(problem, ERRCODE_INVALID_PARAMETER_VALUE, "The table has no time column.");
	problem->of_table = true;
	return false;
}

/* In the unit of an integer time column. */
static bool
parse_integer_time(const char *text, TupleDesc desc, const NtsOptions *options, int64 *value,
				   NtsOptionProblem *problem)
{
	Form_pg_attribute att = TupleDescAttr(desc, options->time_column - 1);
	Interval	interval;

	if (parse_integer(text, value) && *value > 0)
		return true;
	fail(problem, ERRCODE_INVALID_PARAMETER_VALUE,
		 "The time column \"%s\" is of type %s, so this is a positive integer in its unit.",
		 NameStr(att->attname), format_type_be(att->atttypid));
	problem->of_table = parse_interval(text, &interval);
	return false;
}

static void
parse_bucket(const char *text, TupleDesc desc, NtsOptions *options, NtsOptionProblem *problem)
{
	Interval	interval;
	int64		value;

	if (!check_time(options, problem))
		return;
	if (nts_option_is_integer_type(options->time_type))
	{
		if (!parse_integer_time(text, desc, options, &value, problem))
			return;
	}
	else if (!parse_interval(text, &interval) || !interval_usecs(&interval, &value) || value <= 0)
	{
		fail(problem, ERRCODE_INVALID_PARAMETER_VALUE,
			 "A bucket has a fixed width: an interval with a unit, without months and years, greater than zero.");
		problem->of_table = parse_integer(text, &value) && value > 0;
		return;
	}
	else if (options->time_type == DATEOID)
	{
		if (value % USECS_PER_DAY != 0)
		{
			fail(problem, ERRCODE_INVALID_PARAMETER_VALUE,
				 "The time column is of type date, so a bucket is a whole number of days.");
			problem->of_table = true;
			return;
		}
		value /= USECS_PER_DAY;
	}
	options->bucket = value;
}

static void
parse_retention(const char *text, TupleDesc desc, NtsOptions *options, NtsOptionProblem *problem)
{
	Interval	interval;
	int64		value = 0;

	if (!check_time(options, problem))
		return;
	memset(&interval, 0, sizeof(interval));
	if (nts_option_is_integer_type(options->time_type))
	{
		if (!parse_integer_time(text, desc, options, &value, problem))
			return;
	}
	else if (!parse_interval(text, &interval) || interval.month < 0 || interval.day < 0 ||
			 interval.time < 0 || (interval.month == 0 && interval.day == 0 && interval.time == 0))
	{
		fail(problem, ERRCODE_INVALID_PARAMETER_VALUE,
			 "A retention is an interval with a unit, greater than zero, no part of it negative.");
		problem->of_table = parse_integer(text, &value) && value > 0;
		return;
	}
	options->retention = interval;
	options->retention_integer = value;
	options->has_retention = true;
}

static void
parse_worker_interval(const char *text, int64 *milliseconds, NtsOptionProblem *problem)
{
	Interval	interval;
	int64		usecs;

	if (!parse_interval(text, &interval) || !interval_usecs(&interval, &usecs) ||
		usecs < USECS_PER_SEC || usecs / 1000 > MAX_WORKER_INTERVAL_MS)
		fail(problem, ERRCODE_INVALID_PARAMETER_VALUE,
			 "It is an interval with a unit, without months and years, from 1 second to 36500 days.");
	else
		*milliseconds = usecs / 1000;
}

static void
parse_compression_level(const char *text, NtsOptions *options, NtsOptionProblem *problem)
{
	int64		value;

	if (!parse_integer(text, &value) || value < 1 || value > 22)
		fail(problem, ERRCODE_INVALID_PARAMETER_VALUE, "It is an integer from 1 to 22.");
	else
		options->compression_level = (int) value;
}

/* ---- the function that says "now" ---- */

/* The function without arguments of that qualified name: what is stored means the same to everybody. */
static Oid
find_function(const char *text)
{
	List	   *names;
	Oid			schema;

	if (!SplitIdentifierString(pstrdup(text), '.', &names) || list_length(names) != 2)
		return InvalidOid;
	schema = get_namespace_oid(linitial(names), true);
	if (!OidIsValid(schema))
		return InvalidOid;
	return GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(lsecond(names)),
						   PointerGetDatum(buildoidvector(NULL, 0)), ObjectIdGetDatum(schema));
}

char *
nts_option_function_text(Oid function)
{
	return quote_qualified_identifier(get_namespace_name(get_func_namespace(function)),
									  get_func_name(function));
}

char *
nts_option_qualify_function(const char *text)
{
	List	   *names;

	if (!SplitIdentifierString(pstrdup(text), '.', &names) || list_length(names) != 1)
		return pstrdup(text);
	names = list_make1(makeString(linitial(names)));
	for (FuncCandidateList found = FuncnameGetCandidates(names, 0, NIL, false, false, false, true);
		 found != NULL; found = found->next)
		if (found->nargs == 0)
			return nts_option_function_text(found->oid);
	return pstrdup(text);
}

static void
parse_now_function(const char *text, NtsOptions *options, NtsOptionProblem *problem)
{
	Oid			function;
	HeapTuple	tuple;
	Form_pg_proc form;

	problem->of_table = true;
	if (!nts_option_is_integer_type(options->time_type))
	{
		fail(problem, ERRCODE_DATATYPE_MISMATCH,
			 options->time_column == 0 ? "The table has no time column." :
			 "It is for tables whose time column is of type bigint, integer or smallint; the others have now().");
		return;
	}
	function = find_function(text);
	tuple = OidIsValid(function) ? SearchSysCache1(PROCOID, ObjectIdGetDatum(function)) : NULL;
	if (!HeapTupleIsValid(tuple))
	{
		fail(problem, ERRCODE_UNDEFINED_FUNCTION,
			 strchr(text, '.') != NULL ? "There is no function %s()." :
			 "There is no function %s(); in a label it is named with its schema.", text);
		return;
	}
	form = (Form_pg_proc) GETSTRUCT(tuple);
	if (form->prokind != PROKIND_FUNCTION || form->proretset ||
		!nts_option_is_integer_type(getBaseType(form->prorettype)))
		fail(problem, ERRCODE_DATATYPE_MISMATCH, "It is a function that returns one bigint, integer or smallint.");
	else if (form->provolatile == PROVOLATILE_VOLATILE)
		fail(problem, ERRCODE_INVALID_PARAMETER_VALUE,
			 "The function is VOLATILE; it must be STABLE or IMMUTABLE, and so change nothing.");
	else
		options->now_function = function;
	ReleaseSysCache(tuple);
}

/* ---- one option ---- */

void
nts_option_parse(NtsOptionId id, const char *text, TupleDesc desc, NtsOptions *options,
				 NtsOptionProblem *problem)
{
	memset(problem, 0, sizeof(NtsOptionProblem));
	switch (id)
	{
		case NTS_OPTION_TIME_COLUMN:
			parse_time_column(text, desc, options, problem);
			break;
		case NTS_OPTION_SERIES_COLUMNS:
			parse_series_columns(text, desc, options, problem);
			break;
		case NTS_OPTION_BUCKET:
			parse_bucket(text, desc, options, problem);
			break;
		case NTS_OPTION_RETENTION:
			parse_retention(text, desc, options, problem);
			break;
		case NTS_OPTION_FLUSH_INTERVAL:
			parse_worker_interval(text, &options->flush_interval_ms, problem);
			break;
		case NTS_OPTION_COMPACT_INTERVAL:
			parse_worker_interval(text, &options->compact_interval_ms, problem);
			break;
		case NTS_OPTION_COMPRESSION_LEVEL:
			parse_compression_level(text, options, problem);
			break;
		case NTS_OPTION_NOW_FUNCTION:
			parse_now_function(text, options, problem);
			break;
		case NTS_OPTION_COUNT:
			break;
	}
}

char *
nts_option_canonical(NtsOptionId id, const char *text, TupleDesc desc, const NtsOptions *options)
{
	List	   *names = NIL;
	Interval	interval;
	int64		value;

	switch (id)
	{
		case NTS_OPTION_TIME_COLUMN:
		case NTS_OPTION_SERIES_COLUMNS:
			(void) nts_option_columns_parse(text, &names);
			return nts_option_columns_text(names);
		case NTS_OPTION_NOW_FUNCTION:
			return nts_option_function_text(options->now_function);
		default:
			if (parse_interval(text, &interval))
				return nts_option_interval_text(&interval);
			(void) parse_integer(text, &value);
			return psprintf(INT64_FORMAT, value);
	}
}
