/*
 * aggregate_bucket.c - which expressions cut a time or integer column into buckets.
 *
 * A *step* is a function of the column that is known to be constant over intervals: date_bin, date_trunc, time_bucket,
 * a date or a field of a time, floor or an integer of the seconds since 1970 divided by something, an integer division.
 * An expression that uses the column in steps only is constant wherever they are, whatever is made of them:
 * to_timestamp(floor(extract(epoch from t) / 60) * 60) as well as to_char(date_trunc('month', t), 'YYYY-MM').
 */
#include "postgres.h"

#include <math.h>

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/scansup.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "pg/compat.h"
#include "pg/functions/functions.h"
#include "pg/scan/aggregate.h"
#include "pg/scan/aggregate_bucket.h"

#define UNIX_EPOCH ((int64) (UNIX_EPOCH_JDATE - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY)
#define MONDAY (2 * USECS_PER_DAY)	/* 2000-01-03 */
#define SHORTEST_MONTH (27 * USECS_PER_DAY) /* of 28 days, less a change of the offset */

typedef struct Unit
{
	const char *name;
	int64		width;			/* 0: months */
} Unit;

static const Unit units[] = {
	{"millisecond", 1000},
	{"milliseconds", 1000},
	{"second", USECS_PER_SEC},
	{"minute", USECS_PER_MINUTE},
	{"hour", USECS_PER_HOUR},
	{"day", USECS_PER_DAY},
	{"week", 7 * USECS_PER_DAY},
	{"month", 0},
	{"quarter", 0},
	{"year", 0},
	{"decade", 0},
	{"century", 0},
	{"millennium", 0},
};

/* Fields of a time that change with nothing smaller than this. */
static const Unit fields[] = {
	{"minute", USECS_PER_MINUTE},
	{"hour", USECS_PER_HOUR},
	{"day", USECS_PER_DAY},
	{"dow", USECS_PER_DAY},
	{"isodow", USECS_PER_DAY},
	{"doy", USECS_PER_DAY},
	{"week", USECS_PER_DAY},
	{"isoyear", USECS_PER_DAY},
	{"month", 0},
	{"quarter", 0},
	{"year", 0},
	{"decade", 0},
	{"century", 0},
	{"millennium", 0},
};

/* ---- parts of expressions ---- */

static bool
is_plain_const(Node *node)
{
	return IsA(node, Const) && !((Const *) node)->constisnull;
}

/* The function that a call or an operator calls, and its arguments; InvalidOid: it is neither. */
static Oid
called_function(Node *node, List **args)
{
	if (IsA(node, FuncExpr))
	{
		*args = ((FuncExpr *) node)->args;
		return ((FuncExpr *) node)->funcid;
	}
	if (IsA(node, OpExpr))
	{
		*args = ((OpExpr *) node)->args;
		return get_opcode(((OpExpr *) node)->opno);
	}
	*args = NIL;
	return InvalidOid;
}

static const Unit *
find_unit(const Unit *list, int count, Node *name)
{
	char	   *unit;

	if (!is_plain_const(name))
		return NULL;
	unit = TextDatumGetCString(((Const *) name)->constvalue);
	for (int i = 0; i < count; i++)
		if (pg_strcasecmp(unit, list[i].name) == 0)
			return &list[i];
	return NULL;
}

/* The zone that functions take a text for. Abbreviations that stand for several offsets are not understood. */
static bool
understand_zone(NtsStep *step, Node *node)
{
	char		name[TZ_STRLEN_MAX + 1];
	char	   *lower;
	int			type;
	int			offset;
	pg_tz	   *zone;

	if (!is_plain_const(node))
		return false;
	text_to_cstring_buffer(DatumGetTextPP(((Const *) node)->constvalue), name, sizeof(name));
	lower = downcase_truncate_identifier(name, strlen(name), false);
	NTS_DECODE_ZONE_ABBREVIATION(lower, &type, &offset, &zone);
	if (type == DYNTZ)
		return false;
	step->zone = type == TZ || type == DTZ ? pg_tzset_offset(-offset) : pg_tzset(name);
	step->zoned = true;
	return step->zone != NULL;
}

static bool
understand_column(NtsStep *step, Node *node)
{
	if (!IsA(node, Var))
		return false;
	step->input = (Var *) node;
	return true;
}

/* A column, or its local time. */
static bool
understand_time(NtsStep *step, Node *node)
{
	List	   *args;

	switch (called_function(node, &args))
	{
		case F_TIMEZONE_TEXT_TIMESTAMPTZ:
			return understand_zone(step, linitial(args)) && understand_column(step, lsecond(args));
		case F_TIMESTAMP_TIMESTAMPTZ:
			step->zoned = true;
			return understand_column(step, linitial(args));
		default:
			return understand_column(step, node);
	}
}

static void
set_months(NtsStep *step, int64 origin)
{
	step->kind = NTS_STEP_MONTHS;
	step->origin = origin;
	step->width = SHORTEST_MONTH;
}

/* ---- functions of times ---- */

/*
 * Buckets of known times begin at times that there are, and no difference overflows: so the functions fail for none. Others are
 * left to the functions, row by row.
 */
#define LONGEST_YEARS 1000

static bool
is_possible_origin(int64 origin)
{
	return origin >= NTS_FIRST_TIME && origin <= NTS_TIME_LIMIT;
}

/* A width and an origin as date_bin and time_bucket take them. */
static bool
understand_bins(NtsStep *step, Node *width, Node *origin, int64 default_origin)
{
	const Interval *interval;

	if (!is_plain_const(width) || (origin != NULL && !is_plain_const(origin)))
		return false;
	interval = DatumGetIntervalP(((Const *) width)->constvalue);
	step->origin = origin == NULL ? default_origin : DatumGetTimestamp(((Const *) origin)->constvalue);
	/* the rest is for the function to refuse */
	return is_possible_origin(step->origin) && interval->month == 0 &&
		!pg_mul_s64_overflow(interval->day, USECS_PER_DAY, &step->width) &&
		!pg_add_s64_overflow(step->width, interval->time, &step->width) && step->width > 0 &&
		step->width <= LONGEST_YEARS * 366 * USECS_PER_DAY;
}

static bool
understand_date_bin(NtsStep *step, List *args)
{
	step->gives_start = true;
	step->border_unsure = true;
	if (!understand_bins(step, linitial(args), lthird(args), 0) || !understand_time(step, lsecond(args)))
		return false;
	/* local times go back where clocks do */
	step->ordered = !step->zoned;
	return true;
}

static bool
is_months(Node *width)
{
	const Interval *interval;

	if (!is_plain_const(width))
		return false;
	interval = DatumGetIntervalP(((Const *) width)->constvalue);
	return interval->month > 0 && interval->month <= LONGEST_YEARS * MONTHS_PER_YEAR && interval->day == 0 &&
		interval->time == 0;
}

static bool
understand_time_bucket(NtsStep *step, List *args)
{
	Node	   *origin = list_length(args) > 2 ? lthird(args) : NULL;

	if (!understand_time(step, lsecond(args)))
		return false;
	step->ordered = !step->zoned;
	if (is_months(linitial(args)))
	{
		if (origin != NULL && !is_plain_const(origin))
			return false;
		set_months(step, origin == NULL ? 0 : DatumGetTimestamp(((Const *) origin)->constvalue));
		return is_possible_origin(step->origin);
	}
	step->gives_start = true;
	return understand_bins(step, linitial(args), origin, MONDAY);
}

/* With a zone: the origin is a moment, of which the local time counts. */
static bool
understand_time_bucket_zone(NtsStep *step, List *args)
{
	Node	   *origin = list_length(args) > 3 ? lfourth(args) : NULL;
	bool		months = is_months(linitial(args));

	if (!understand_column(step, lsecond(args)) || !understand_zone(step, lthird(args)))
		return false;
	if (months)
		set_months(step, 0);
	else if (!understand_bins(step, linitial(args), NULL, MONDAY))
		return false;
	/* less than a day: where clocks change, the start may depend on the moment; it is never later than that */
	step->check_ends = !months && step->width < USECS_PER_DAY;
	step->ordered = true;
	if (origin == NULL)
		return true;
	if (!is_plain_const(origin) || !is_possible_origin(DatumGetTimestampTz(((Const *) origin)->constvalue)))
		return false;
	step->origin = DatumGetTimestamp(DirectFunctionCall2(timestamptz_zone, ((Const *) lthird(args))->constvalue,
														 ((Const *) origin)->constvalue));
	return true;
}

static bool
understand_unit(NtsStep *step, const Unit *unit)
{
	if (unit == NULL)
		return false;
	if (unit->width == 0)
		set_months(step, 0);
	else
	{
		step->width = unit->width;
		step->origin = unit->width == 7 * USECS_PER_DAY ? MONDAY : 0;
	}
	return true;
}

/* date_trunc; of times with a zone, in the session's or the one that is named. */
static bool
understand_trunc(NtsStep *step, List *args, bool with_zone)
{
	if (!understand_unit(step, find_unit(units, lengthof(units), linitial(args))))
		return false;
	if (!with_zone)
	{
		if (!understand_time(step, lsecond(args)))
			return false;
		step->ordered = !step->zoned;
		return true;
	}
	step->zoned = true;
	step->ordered = true;
	return understand_column(step, lsecond(args)) &&
		(list_length(args) < 3 || understand_zone(step, lthird(args)));
}

static bool
understand_field(NtsStep *step, List *args, bool with_zone)
{
	step->zoned = with_zone;
	return understand_unit(step, find_unit(fields, lengthof(fields), linitial(args))) &&
		(with_zone ? understand_column(step, lsecond(args)) : understand_time(step, lsecond(args)));
}

static bool
understand_date(NtsStep *step, Node *time, bool with_zone)
{
	step->zoned = with_zone;
	step->width = USECS_PER_DAY;
	step->rising = true;
	return with_zone ? understand_column(step, time) : understand_time(step, time);
}

/* ---- seconds since 1970 ---- */

static bool
is_epoch(Node *name)
{
	return is_plain_const(name) && pg_strcasecmp(TextDatumGetCString(((Const *) name)->constvalue), "epoch") == 0;
}

/* Microseconds that so many seconds are, if they are whole ones and not too many. */
static bool
whole_microseconds(const Const *seconds, int64 *result)
{
	Datum		number = seconds->constvalue;
	double		checked;

	if (seconds->constisnull)
		return false;
	if (seconds->consttype == FLOAT8OID)
		checked = DatumGetFloat8(number) * USECS_PER_SEC;
	else if (seconds->consttype == NUMERICOID && !numeric_is_nan(DatumGetNumeric(number)) &&
			 !numeric_is_inf(DatumGetNumeric(number)))
	{
		Datum		scaled = DirectFunctionCall2(numeric_mul, number,
												 NumericGetDatum(int64_to_numeric(USECS_PER_SEC)));

		if (!DatumGetBool(DirectFunctionCall2(numeric_eq, scaled,
											  DirectFunctionCall1(numeric_floor, scaled))))
			return false;
		checked = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, scaled));
	}
	else
		return false;
	/* exact as a double, in either case */
	if (!(checked >= 1 && checked < 1e15 && checked == floor(checked)))
		return false;
	*result = (int64) checked;
	return true;
}

/*
 * Seconds, numeric or float8, perhaps divided by a constant: sets the width to the microseconds of one unit.
 *
 * numeric: extract is exact, and a quotient q is rounded by less than q / 10^16 (select_div_scale keeps 16 digits).
 * From a whole or half number above, q is away by half a microsecond divided by the divisor, or more; so rounding
 * does not reach it as long as there are fewer than 10^10 seconds, of either sign. float8: every operation is monotone,
 * and the ends of an interval are looked at.
 */
static bool
understand_seconds(NtsStep *step, Node *node)
{
	List	   *args;

	switch (called_function(node, &args))
	{
		case F_NUMERIC_DIV:
		case F_FLOAT8DIV:
			return IsA(lsecond(args), Const) && understand_seconds(step, linitial(args)) &&
				step->width == USECS_PER_SEC && whole_microseconds(lsecond(args), &step->width);
		case F_FLOAT8_NUMERIC:
			step->check_ends = true;
			return understand_seconds(step, linitial(args));
		case F_DATE_PART_TEXT_TIMESTAMP:
		case F_DATE_PART_TEXT_TIMESTAMPTZ:
			step->check_ends = true;
			/* FALLTHROUGH */
		case F_EXTRACT_TEXT_TIMESTAMP:
		case F_EXTRACT_TEXT_TIMESTAMPTZ:
			step->width = USECS_PER_SEC;
			step->origin = UNIX_EPOCH;
			/* half a bucket later what is rounded to the nearest begins; before 1970 that goes the other way */
			step->from = UNIX_EPOCH;
			step->to = UNIX_EPOCH + INT64CONST(10000000000) * USECS_PER_SEC;
			return is_epoch(linitial(args)) && understand_time(step, lsecond(args));
		default:
			return false;
	}
}

static bool
int_const(Node *node, int64 *value)
{
	Const	   *number = (Const *) node;

	if (!is_plain_const(node))
		return false;
	switch (number->consttype)
	{
		case INT2OID:
			*value = DatumGetInt16(number->constvalue);
			return true;
		case INT4OID:
			*value = DatumGetInt32(number->constvalue);
			return true;
		case INT8OID:
			*value = DatumGetInt64(number->constvalue);
			return true;
		default:
			return false;
	}
}

static bool
is_int_division(Oid function)
{
	switch (function)
	{
		case F_INT2DIV:
		case F_INT24DIV:
		case F_INT28DIV:
		case F_INT4DIV:
		case F_INT42DIV:
		case F_INT48DIV:
		case F_INT8DIV:
		case F_INT82DIV:
		case F_INT84DIV:
			return true;
		default:
			return false;
	}
}

/* floor of seconds, an integer that they are rounded to, or either of them divided by an integer. */
static bool
understand_epoch(NtsStep *step, Node *node)
{
	List	   *args;
	Oid			function = called_function(node, &args);
	List	   *inner_args;
	Oid			inner;
	bool		is_floor;
	int64		divisor;

	switch (function)
	{
		case F_FLOOR_NUMERIC:
		case F_FLOOR_FLOAT8:
			if (!understand_seconds(step, linitial(args)))
				return false;
			/* every operation is monotone, also where its result is rounded; local clocks may be set back */
			step->counts_up = !step->zoned;
			return true;
		case F_INT4_NUMERIC:
		case F_INT8_NUMERIC:
		case F_INT4_FLOAT8:
		case F_INT8_FLOAT8:
			inner = called_function(linitial(args), &inner_args);
			is_floor = inner == F_FLOOR_NUMERIC || inner == F_FLOOR_FLOAT8;
			if (!understand_seconds(step, is_floor ? linitial(inner_args) : linitial(args)) ||
				step->width % 2 != 0)
				return false;
			if (!is_floor)
				step->origin -= step->width / 2;
			/* what both ends of an interval are asked for does not overflow */
			if ((function == F_INT4_NUMERIC || function == F_INT4_FLOAT8) &&
				step->width < (step->to - step->from) / PG_INT32_MAX)
				step->to = step->from + step->width * PG_INT32_MAX;
			return true;
		default:
			return is_int_division(function) && int_const(lsecond(args), &divisor) && divisor > 0 &&
				understand_epoch(step, linitial(args)) && !pg_mul_s64_overflow(step->width, divisor, &step->width) &&
				step->width < NTS_TIME_LIMIT;
	}
}

/* ---- integers ---- */

static bool
is_int_column(Node *node)
{
	Oid			type = exprType(node);

	return IsA(node, Var) && (type == INT2OID || type == INT4OID || type == INT8OID);
}

static bool
is_int_modulo(Oid function)
{
	return function == F_INT2MOD || function == F_INT4MOD || function == F_INT8MOD;
}

/* x / n, and x - x % n. */
static bool
understand_division(NtsStep *step, Oid function, List *args)
{
	List	   *inner;

	if (list_length(args) != 2 || !is_int_column(linitial(args)))
		return false;
	step->kind = NTS_STEP_DIVIDE;
	step->rising = true;
	step->from = PG_INT64_MIN;
	step->to = PG_INT64_MAX;
	step->input = linitial(args);
	if (is_int_division(function))
		return int_const(lsecond(args), &step->width) && step->width > 0;
	return (function == F_INT2MI || function == F_INT4MI || function == F_INT8MI) &&
		is_int_modulo(called_function(lsecond(args), &inner)) && equal(linitial(args), linitial(inner)) &&
		int_const(lsecond(inner), &step->width) && step->width > 0;
}

static int64
least_of(Oid type)
{
	return type == INT2OID ? PG_INT16_MIN : type == INT4OID ? PG_INT32_MIN : PG_INT64_MIN;
}

static bool
understand_int_bucket(NtsStep *step, List *args)
{
	if (!is_int_column(lsecond(args)) || !int_const(linitial(args), &step->width) || step->width <= 0 ||
		(list_length(args) > 2 && !int_const(lthird(args), &step->origin)))
		return false;
	step->gives_start = true;
	step->rising = true;
	/* below may begin before the least of the type */
	step->from = least_of(exprType(lsecond(args)));
	if (pg_add_s64_overflow(step->from, step->width, &step->from))
		return false;
	step->to = PG_INT64_MAX;
	step->input = lsecond(args);
	return true;
}

/* ---- all of them ---- */

/* time_bucket by its C function: whatever its schema and name. */
static bool
understand_own_function(NtsStep *step, Oid funcid, List *args)
{
	FmgrInfo	function;

	if (funcid < FirstNormalObjectId || list_length(args) < 2 || !nts_agg_is_known_function(funcid))
		return false;
	fmgr_info(funcid, &function);
	if (function.fn_addr == nts_time_bucket_timestamp)
		return understand_time_bucket(step, args);
	if (function.fn_addr == nts_time_bucket_timestamptz_zone)
		return understand_time_bucket_zone(step, args);
	if (function.fn_addr == nts_time_bucket_int2 || function.fn_addr == nts_time_bucket_int4 ||
		function.fn_addr == nts_time_bucket_int8)
		return understand_int_bucket(step, args);
	return false;
}

static bool
understand_time_function(NtsStep *step, Oid function, List *args)
{
	switch (function)
	{
		case F_DATE_BIN_INTERVAL_TIMESTAMP_TIMESTAMP:
		case F_DATE_BIN_INTERVAL_TIMESTAMPTZ_TIMESTAMPTZ:
			return understand_date_bin(step, args);
		case F_DATE_TRUNC_TEXT_TIMESTAMP:
			return understand_trunc(step, args, false);
		case F_DATE_TRUNC_TEXT_TIMESTAMPTZ:
		case F_DATE_TRUNC_TEXT_TIMESTAMPTZ_TEXT:
			return understand_trunc(step, args, true);
		case F_DATE_TIMESTAMP:
			return understand_date(step, linitial(args), false);
		case F_DATE_TIMESTAMPTZ:
			return understand_date(step, linitial(args), true);
		case F_EXTRACT_TEXT_TIMESTAMP:
		case F_DATE_PART_TEXT_TIMESTAMP:
			return understand_field(step, args, false);
		case F_EXTRACT_TEXT_TIMESTAMPTZ:
		case F_DATE_PART_TEXT_TIMESTAMPTZ:
			return understand_field(step, args, true);
		default:
			return understand_own_function(step, function, args);
	}
}

static bool
understand_step(NtsStep *step, Node *node)
{
	static const NtsStep start = {.from = NTS_FIRST_TIME, .to = NTS_TIME_LIMIT};
	List	   *args;
	Oid			function = called_function(node, &args);

	if (!OidIsValid(function))
		return false;
	*step = start;
	if (!understand_time_function(step, function, args))
	{
		*step = start;
		if (!understand_epoch(step, node))
		{
			*step = start;
			if (!understand_division(step, function, args))
				return false;
		}
	}
	step->expr = (Expr *) node;
	return true;
}

/* True: the column stands somewhere outside of steps, or something changes without it. */
static bool
is_no_bucket(Node *node, NtsBucket *bucket)
{
	NtsStep		step;

	if (node == NULL)
		return false;
	if (IsA(node, Var) || (IsA(node, Param) && ((Param *) node)->paramkind != PARAM_EXTERN))
		return true;
	if (!understand_step(&step, node))
		return expression_tree_walker(node, is_no_bucket, bucket);
	for (int i = 0; i < bucket->step_count; i++)
		if (equal(bucket->steps[i].expr, node))
			return false;
	if (bucket->step_count == NTS_BUCKET_MAX_STEPS ||
		(bucket->step_count > 0 && !equal(bucket->input, step.input)))
		return true;
	bucket->input = step.input;
	bucket->steps[bucket->step_count++] = step;
	return false;
}

struct NtsBucket *
nts_bucket_recognize(Expr *expr, MemoryContext context)
{
	NtsBucket	bucket = {.expr = expr};
	NtsBucket  *result;

	if (is_no_bucket((Node *) expr, &bucket) || bucket.step_count == 0)
		return NULL;
	bucket.is_start = bucket.steps[0].expr == expr && bucket.steps[0].gives_start && !bucket.steps[0].zoned;
	result = MemoryContextAlloc(context, sizeof(NtsBucket));
	*result = bucket;
	return result;
}

int64
nts_bucket_width(const struct NtsBucket *bucket)
{
	int64		width = bucket->steps[0].width;

	for (int i = 1; i < bucket->step_count; i++)
		width = Min(width, bucket->steps[i].width);
	return width;
}

bool
nts_bucket_is_plain(const struct NtsBucket *bucket)
{
	return bucket->step_count == 1 && bucket->steps[0].expr == bucket->expr;
}

/* The number of a bucket, perhaps of another type, times the bucket's seconds. */
static bool
is_start_in_seconds(const NtsStep *step, Node *node)
{
	List	   *args;
	Oid			function = called_function(node, &args);
	int64		width;

	if (function == F_FLOAT8_NUMERIC)
		return is_start_in_seconds(step, linitial(args));
	if ((function != F_NUMERIC_MUL && function != F_FLOAT8MUL) || !IsA(lsecond(args), Const) ||
		!whole_microseconds(lsecond(args), &width) || width != step->width)
		return false;
	node = linitial(args);
	if (called_function(node, &args) == F_FLOAT8_NUMERIC)
		node = linitial(args);
	return equal(node, step->expr);
}

/* to_timestamp(floor(seconds / n) * n): never falls, and does not fail, for it gives the time or a little less. */
static bool
is_start_of_numbered(const struct NtsBucket *bucket)
{
	List	   *args;

	return bucket->step_count == 1 && bucket->steps[0].counts_up &&
		called_function((Node *) bucket->expr, &args) == F_TO_TIMESTAMP_FLOAT8 &&
		is_start_in_seconds(&bucket->steps[0], linitial(args));
}

bool
nts_bucket_is_ordered(const struct NtsBucket *bucket)
{
	Oid			type = bucket->input->vartype;

	return (type == TIMESTAMPOID || type == TIMESTAMPTZOID) &&
		((nts_bucket_is_plain(bucket) && bucket->steps[0].ordered) || is_start_of_numbered(bucket));
}

bool
nts_bucket_is_rising(const struct NtsBucket *bucket)
{
	return nts_bucket_is_plain(bucket) && (bucket->steps[0].ordered || bucket->steps[0].rising);
}

bool
nts_bucket_rising_range(const struct NtsBucket *bucket, int64 min, int64 max, int64 *low, int64 *high)
{
	int64		slack = nts_bucket_slack(bucket);

	return !pg_sub_s64_overflow(min, slack, low) && !pg_add_s64_overflow(max, slack, high) &&
		*low >= bucket->steps[0].from && *high < bucket->steps[0].to;
}

int64
nts_bucket_slack(const struct NtsBucket *bucket)
{
	const NtsStep *step = &bucket->steps[0];
	const pg_tz *zone = step->zone != NULL ? step->zone : session_timezone;
	long		offset;

	if (!step->zoned || pg_get_timezone_offset(zone, &offset))
		return 0;
	/* one is never later than its time, and starts less than a width before it */
	if (step->width <= USECS_PER_HOUR && !step->check_ends)
		return step->width;
	/* starts of local days: a clock may have been set back by a day, no zone lies further than that from another; a zone
	 * made up by its rule (it has digits) by a week each way. So may local starts of less than a day lie before their time. */
	return strpbrk(pg_get_timezone_name((pg_tz *) zone), "0123456789") == NULL ? 2 * USECS_PER_DAY : 15 * USECS_PER_DAY;
}

Var *
nts_bucket_input(const struct NtsBucket *bucket)
{
	return bucket->input;
}
