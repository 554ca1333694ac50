/*
 * filter.c - filters at work: constants, verdicts from statistics, masks of rows.
 */
#include "postgres.h"

#include "catalog/pg_type_d.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "nodedb_ts/core.h"
#include "pg/scan/filter.h"
#include "pg/scan/filter_bucket.h"

/* ---- constants ---- */

/* The word that nts_word_compare takes as its second. */
static uint64
constant_word(Oid type, Datum value)
{
	switch (type)
	{
		case INT2OID:
			return (uint64) (int64) DatumGetInt16(value);
		case INT4OID:
		case DATEOID:
			return (uint64) (int64) DatumGetInt32(value);
		case BOOLOID:
			return DatumGetBool(value) ? 1 : 0;
		case FLOAT4OID:
			return (uint64) Float8GetDatum((float8) DatumGetFloat4(value));
		case INT8OID:
		case FLOAT8OID:
		case TIMEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return (uint64) value;
		default:
			break;
	}
	/* types that are compared for equality only have the words of signed integers, too */
	switch (get_typlen(type))
	{
		case sizeof(int8):
			return (uint64) (int64) (int8) DatumGetChar(value);
		case sizeof(int32):
			return (uint64) (int64) DatumGetInt32(value);
		default:
			return (uint64) value;
	}
}

static int32
constant_order(const NtsFilter *filter)
{
	return filter->order == NTS_ORDER_INT ? NTS_ORDER_INT : NTS_ORDER_FLOAT8;
}

static int
compare_words(const void *a, const void *b, void *order)
{
	return nts_word_compare(*(int32 *) order, *(const uint64 *) a, *(const uint64 *) b);
}

static inline NtsBytes
make_bytes(const uint8 *bytes, uint32 length)
{
	NtsBytes	result = {bytes, length, 0};

	if (length >= sizeof(result.start))
		memcpy(&result.start, bytes, sizeof(result.start));
	else
		for (uint32 i = 0; i < length; i++)
			((uint8 *) &result.start)[i] = bytes[i];
	result.start = pg_ntoh64(result.start);
	return result;
}

static inline NtsBytes
bytes_of(Datum value)
{
	return make_bytes((const uint8 *) VARDATA_ANY(DatumGetPointer(value)), VARSIZE_ANY_EXHDR(DatumGetPointer(value)));
}

/* Mostly the first bytes tell, which takes no call. */
static inline int
compare_bytes(const NtsBytes *a, const NtsBytes *b)
{
	int			order;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	order = memcmp(a->bytes, b->bytes, Min(a->length, b->length));
	if (order != 0)
		return order;
	return a->length < b->length ? -1 : a->length > b->length;
}

static int
compare_strings(const void *a, const void *b)
{
	return compare_bytes(a, b);
}

/* Elements that are not NULL; one, if the constant is no array. */
static int
constant_elements(const NtsFilter *filter, Datum value, Datum **elements)
{
	Oid			value_type = exprType((Node *) filter->expression);
	int			count;
	int			kept = 0;
	bool	   *nulls;
	int16		length;
	bool		by_value;
	char		align;

	if (!OidIsValid(get_element_type(value_type)))
	{
		*elements = palloc(sizeof(Datum));
		**elements = value;
		return 1;
	}
	get_typlenbyvalalign(filter->type, &length, &by_value, &align);
	deconstruct_array(DatumGetArrayTypeP(value), filter->type, length, by_value, align, elements, &nulls, &count);
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			(*elements)[kept++] = (*elements)[i];
	return kept;
}

/* An integer as the column's type, and cast. */
static Datum
cast_number(const NtsFilter *filter, int64 number)
{
	Datum		value = filter->width == 8 ? Int64GetDatum(number) :
		filter->width == 4 ? Int32GetDatum((int32) number) : Int16GetDatum((int16) number);

	return filter->cast == NULL ? value : FunctionCall1(filter->cast, value);
}

static int64
least_number(const NtsFilter *filter)
{
	return filter->width == 8 ? PG_INT64_MIN : filter->width == 4 ? PG_INT32_MIN : PG_INT16_MIN;
}

static int32
order_of(const NtsFilter *filter, int64 number, Datum constant)
{
	return DatumGetInt32(FunctionCall2(filter->comparer, cast_number(filter, number), constant));
}

/* The integer that equals a constant of another type; false: none does. */
static bool
find_equal(const NtsFilter *filter, Datum constant, uint64 *word)
{
	int64		least = least_number(filter);
	int64		number;
	Datum		value;

	if (order_of(filter, least, constant) > 0 || order_of(filter, -(least + 1), constant) < 0)
		return false;
	value = FunctionCall1(filter->cast_back, constant);
	number = filter->width == 8 ? DatumGetInt64(value) : filter->width == 4 ? DatumGetInt32(value) : DatumGetInt16(value);
	*word = (uint64) number;
	return order_of(filter, number, constant) == 0;
}

static void
set_words(NtsFilter *filter, const Datum *elements, int elements_count)
{
	int32		order = constant_order(filter);
	int			count = 0;
	int			kept = 0;

	filter->words = palloc(sizeof(uint64) * Max(elements_count, 1));
	for (int i = 0; i < elements_count; i++)
	{
		if (filter->cast_back == NULL)
			filter->words[count++] = constant_word(filter->type, elements[i]);
		else if (find_equal(filter, elements[i], &filter->words[count]))
			count++;
	}
	qsort_arg(filter->words, count, sizeof(uint64), compare_words, &order);
	for (int i = 0; i < count; i++)
		if (kept == 0 || nts_word_compare(order, filter->words[kept - 1], filter->words[i]) != 0)
			filter->words[kept++] = filter->words[i];
	filter->constants = kept;
}

static void
set_strings(NtsFilter *filter, const Datum *elements, int count)
{
	filter->strings = palloc(sizeof(NtsBytes) * Max(count, 1));
	for (int i = 0; i < count; i++)
		filter->strings[i] = bytes_of(PointerGetDatum(DatumGetTextPP(elements[i])));
	qsort(filter->strings, count, sizeof(NtsBytes), compare_strings);
	filter->constants = count;
}

/* Does a value of the column compare with the constant as the condition wants? */
static bool
compares(const NtsFilter *filter, int64 number, Datum constant)
{
	return DatumGetBool(FunctionCall2(filter->comparer, cast_number(filter, number), constant));
}

/*
 * Narrows [*low, *high], which has the threshold, in growing steps from the one before: the parameter of a rescan is
 * often near the last one.
 */
static void
look_near(const NtsFilter *filter, Datum constant, int64 *low, int64 *high)
{
	int64		guess = (int64) filter->word;

	if (compares(filter, guess, constant) == filter->begins)
	{
		*high = guess;
		for (uint64 step = 1; step > 0 && (uint64) *high - (uint64) *low >= step; step *= 2)
		{
			int64		below = *high - (int64) step;

			if (compares(filter, below, constant) != filter->begins)
			{
				*low = below + 1;
				return;
			}
			*high = below;
		}
		return;
	}
	*low = guess + 1;			/* not the greatest, which was looked at */
	for (uint64 step = 1; step > 0 && (uint64) *high - (uint64) *low >= step; step *= 2)
	{
		int64		above = *low + (int64) step - 1;

		if (compares(filter, above, constant) == filter->begins)
		{
			*high = above;
			return;
		}
		*low = above + 1;
	}
}

/* The least integer for which a condition that compares from below begins to hold, or one from above ceases to. */
static void
set_threshold(NtsFilter *filter, Datum constant)
{
	bool		begins = filter->begins;
	int64		low = least_number(filter);
	int64		high = -(low + 1);

	if (compares(filter, high, constant) != begins)
	{
		/* there is none: no number passes, or all do */
		filter->never = begins;
		filter->compare = begins ? NTS_COMPARE_GE : NTS_COMPARE_LE;
		filter->word = (uint64) high;
		return;
	}
	if (filter->has_guess)
		look_near(filter, constant, &low, &high);
	while (low < high)
	{
		int64		middle = (low & high) + ((low ^ high) >> 1);

		if (compares(filter, middle, constant) == begins)
			high = middle;
		else
			low = middle + 1;
	}
	filter->compare = begins ? NTS_COMPARE_GE : NTS_COMPARE_LT;
	filter->word = (uint64) low;
	filter->has_guess = true;
}

void
nts_filter_set_constants(NtsFilter *filter, ExprContext *econtext, MemoryContext context)
{
	MemoryContext old;
	Datum		value;
	Datum	   *elements;
	bool		isnull;
	int			count;

	for (int i = 0; i < filter->count; i++)
		nts_filter_set_constants(filter->args[i], econtext, context);
	if (filter->kind == NTS_FILTER_BUCKET)
		nts_filter_bucket_forget(filter->bucket);
	if (filter->constant == NULL || filter->kind == NTS_FILTER_EXPRESSION)
		return;
	old = MemoryContextSwitchTo(context);
	value = ExecEvalExpr(filter->constant, econtext, &isnull);
	filter->never = isnull;
	if (!isnull && filter->kind == NTS_FILTER_COMPARE && filter->comparer != NULL)
		set_threshold(filter, value);
	else if (!isnull && filter->kind == NTS_FILTER_COMPARE)
		filter->word = constant_word(filter->type, value);
	else if (!isnull)
	{
		count = constant_elements(filter, value, &elements);
		if (filter->kind == NTS_FILTER_IN)
			set_words(filter, elements, count);
		else
			set_strings(filter, elements, count);
		filter->never = filter->constants == 0;
	}
	MemoryContextSwitchTo(old);
}

/* The least of the constants that is not before these bytes; NULL: all are before them. */
static const NtsBytes *
least_from(const NtsFilter *filter, const NtsBytes *bytes)
{
	int			low = 0;
	int			high = filter->constants;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (compare_bytes(&filter->strings[middle], bytes) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low == filter->constants ? NULL : &filter->strings[low];
}

/* Is a value one of the constants? */
static bool
is_among(const NtsFilter *filter, Datum value)
{
	NtsBytes	bytes = bytes_of(value);
	const NtsBytes *least = least_from(filter, &bytes);

	return least != NULL && compare_bytes(least, &bytes) == 0;
}

/* ---- verdicts ---- */

static bool passes(NtsFilter *filter, Datum value, bool isnull, ExprContext *econtext, TupleTableSlot *slot);

static NtsVerdict
judge_bucket(const NtsFilter *filter, const NtsStatistics *s)
{
	NtsVerdict	verdict;

	if (s == NULL)
		return NTS_VERDICT_SOME;
	if (s->nulls_known && s->null_count == s->rows)
		return NTS_VERDICT_NONE;
	if (!s->has_range)
		return NTS_VERDICT_SOME;
	verdict = nts_filter_bucket_judge(filter->bucket, (int64) s->min, (int64) s->max);
	return verdict != NTS_VERDICT_ALL || (s->nulls_known && s->null_count == 0) ? verdict : NTS_VERDICT_SOME;
}

static NtsVerdict
judge_range(int32 order, int32 compare, const NtsStatistics *s, uint64 constant)
{
	int			low = nts_word_compare(order, s->min, constant);
	int			high = nts_word_compare(order, s->max, constant);
	bool		none;
	bool		all;

	switch (compare)
	{
		case NTS_COMPARE_LT:
			none = low >= 0;
			all = high < 0;
			break;
		case NTS_COMPARE_LE:
			none = low > 0;
			all = high <= 0;
			break;
		case NTS_COMPARE_EQ:
			none = low > 0 || high < 0;
			all = low == 0 && high == 0;
			break;
		case NTS_COMPARE_GE:
			none = high < 0;
			all = low >= 0;
			break;
		case NTS_COMPARE_GT:
			none = high <= 0;
			all = low > 0;
			break;
		default:
			none = low == 0 && high == 0;
			all = low > 0 || high < 0;
			break;
	}
	if (none)
		return NTS_VERDICT_NONE;
	return all && s->null_count == 0 ? NTS_VERDICT_ALL : NTS_VERDICT_SOME;
}

static NtsVerdict
judge_words(const NtsFilter *filter, const NtsStatistics *s)
{
	if (s->nulls_known && s->null_count == s->rows)
		return NTS_VERDICT_NONE;
	if (!s->has_range)
		return NTS_VERDICT_SOME;
	if (filter->kind == NTS_FILTER_COMPARE)
		return judge_range(filter->order, filter->compare, s, filter->word);
	for (int i = 0; i < filter->constants; i++)
	{
		NtsVerdict	verdict = judge_range(filter->order, NTS_COMPARE_EQ, s, filter->words[i]);

		if (verdict != NTS_VERDICT_NONE)
			return verdict;
	}
	return NTS_VERDICT_NONE;
}

static NtsVerdict
judge_bytes(const NtsFilter *filter, const NtsKeyBounds *bounds)
{
	const NtsBytes *least;
	NtsBytes	first;
	NtsBytes	last;
	int			order;

	if (bounds->first == NULL)
		return NTS_VERDICT_NONE;	/* NULLs come last: all are NULL */
	first = make_bytes(bounds->first, bounds->first_length);
	least = least_from(filter, &first);
	if (least == NULL)
		return NTS_VERDICT_NONE;
	if (bounds->last == NULL)
		return NTS_VERDICT_SOME;
	last = make_bytes(bounds->last, bounds->last_length);
	order = compare_bytes(least, &last);
	if (order > 0)
		return NTS_VERDICT_NONE;
	/* all, if the first value is the last one: it is the constant, then, which lies between the two */
	return order == 0 && compare_bytes(&first, &last) == 0 ?
		NTS_VERDICT_ALL : NTS_VERDICT_SOME;
}

/* The first vector, from one on, that does not end before the string; `count` if all do. */
static uint32
reaching_vector(const NtsKeyBounds *bounds, uint32 vector, uint32 count, const NtsBytes *s)
{
	while (vector < count)
	{
		uint32		middle = vector + (count - vector) / 2;
		NtsBytes	last;

		if (bounds[middle].last != NULL)
			last = make_bytes(bounds[middle].last, bounds[middle].last_length);
		if (bounds[middle].last != NULL && compare_bytes(&last, s) < 0)
			vector = middle + 1;
		else
			count = middle;
	}
	return count;
}

uint32
nts_filter_next_vector(const NtsFilter *filter, const NtsKeyBounds *bounds, uint32 vector, uint32 count)
{
	while (vector < count)
	{
		NtsBytes	first;
		const NtsBytes *least;
		uint32		next;

		if (bounds[vector].first == NULL)
			return count;
		first = make_bytes(bounds[vector].first, bounds[vector].first_length);
		least = least_from(filter, &first);
		if (least == NULL)
			return count;
		next = reaching_vector(bounds, vector, count, least);
		if (next == vector)
			return vector;
		vector = next;
	}
	return count;
}

static NtsVerdict
judge_list(const NtsFilter *filter, const NtsFilterFacts *facts)
{
	NtsVerdict	decides = filter->kind == NTS_FILTER_AND ? NTS_VERDICT_NONE : NTS_VERDICT_ALL;
	NtsVerdict	otherwise = filter->kind == NTS_FILTER_AND ? NTS_VERDICT_ALL : NTS_VERDICT_NONE;
	bool		same = true;

	for (int i = 0; i < filter->count; i++)
	{
		NtsVerdict	verdict = nts_filter_judge(filter->args[i], facts);

		if (verdict == decides)
			return decides;
		same = same && verdict == otherwise;
	}
	return same ? otherwise : NTS_VERDICT_SOME;
}

/* The same as of a vector's rows. */
static void
apply_to_values(NtsFilter *filter, const NtsValueList *list, const NtsFilterFacts *facts, uint8 *keep)
{
	NtsVectorSet *probe = facts->probe;
	NtsColumnData *data = &probe->columns[filter->column];

	memset(keep, 1, list->count);
	data->values = list->values;
	data->nulls = palloc0(Max(list->count, 1));
	data->filled = true;
	data->uniform = false;
	probe->rows = list->count;
	nts_filter_forget(filter);
	if (list->count > 0)
		nts_filter_apply(filter, probe, keep, facts->econtext, facts->slot);
	nts_filter_forget(filter);
	pfree(data->nulls);
	memset(data, 0, sizeof(*data));
}

/* Evaluates the filter for each value that the row group lists. */
static void
try_values(NtsFilter *filter, const NtsValueList *list, const NtsFilterFacts *facts)
{
	uint8	   *keep = palloc(Max(list->count, 1));

	if (filter->kind == NTS_FILTER_BYTES)
		for (uint32 i = 0; i < list->count; i++)
			keep[i] = is_among(filter, list->values[i]);
	else
		apply_to_values(filter, list, facts, keep);
	filter->null_passes = filter->kind == NTS_FILTER_EXPRESSION && list->some_null &&
		passes(filter, (Datum) 0, true, facts->econtext, facts->slot);
	filter->passing = filter->failing = 0;
	for (uint32 i = 0; i < list->count; i++)
		*(keep[i] ? &filter->passing : &filter->failing) |= UINT64CONST(1) << (i % 64);
	filter->listed = list;
	pfree(keep);
}

/* Of a filter that statistics leave undecided. */
static NtsVerdict
judge_values(NtsFilter *filter, const NtsFilterFacts *facts)
{
	const NtsValueList *list;
	uint64		members = ~UINT64CONST(0);
	bool		some_null;

	if (facts->values != NULL)
	{
		list = facts->values(facts->scan, filter->column);
		if (list == NULL)
			return NTS_VERDICT_SOME;
		try_values(filter, list, facts);
		some_null = list->some_null;
	}
	else
	{
		list = filter->listed;
		if (list == NULL || list->members == NULL)
			return NTS_VERDICT_SOME;
		members = list->members[facts->vector];
		some_null = list->nulls[facts->vector];
	}
	if ((members & filter->passing) == 0 && !(some_null && filter->null_passes))
		return NTS_VERDICT_NONE;
	if ((members & filter->failing) == 0 && (!some_null || filter->null_passes))
		return NTS_VERDICT_ALL;
	return NTS_VERDICT_SOME;
}

void
nts_filter_enter_group(NtsFilter *filter)
{
	for (int i = 0; i < filter->count; i++)
		nts_filter_enter_group(filter->args[i]);
	filter->listed = NULL;
}

bool
nts_filter_decides_series(const NtsFilter *filter, const NtsSegmentInfo *segment)
{
	if (filter->kind == NTS_FILTER_AND || filter->kind == NTS_FILTER_OR)
	{
		for (int i = 0; i < filter->count; i++)
			if (!nts_filter_decides_series(filter->args[i], segment))
				return false;
		return true;
	}
	for (uint32 i = 0; i < segment->series_column_count; i++)
		if (segment->series_columns[i] == filter->column)
			return true;
	/* what is older is less; rows without a time are the oldest */
	return filter->column == segment->time_column && filter->kind == NTS_FILTER_COMPARE &&
		filter->order == NTS_ORDER_INT &&
		(filter->compare == NTS_COMPARE_GT || filter->compare == NTS_COMPARE_GE);
}

NtsVerdict
nts_filter_judge(NtsFilter *filter, const NtsFilterFacts *facts)
{
	const NtsStatistics *s;
	const NtsKeyBounds *bounds;
	NtsVerdict	verdict = NTS_VERDICT_SOME;

	switch (filter->kind)
	{
		case NTS_FILTER_AND:
		case NTS_FILTER_OR:
			return judge_list(filter, facts);
		case NTS_FILTER_NULL:
			s = facts->statistics(facts->scan, filter->column);
			if (s == NULL || !s->nulls_known || (s->null_count > 0 && s->null_count < s->rows))
				return NTS_VERDICT_SOME;
			return (s->null_count > 0) == filter->is_null ? NTS_VERDICT_ALL : NTS_VERDICT_NONE;
		case NTS_FILTER_COMPARE:
		case NTS_FILTER_IN:
			if (filter->never)
				return NTS_VERDICT_NONE;
			s = facts->statistics(facts->scan, filter->column);
			if (s != NULL)
				verdict = judge_words(filter, s);
			break;
		case NTS_FILTER_BUCKET:
			return judge_bucket(filter, facts->statistics(facts->scan, filter->column));
		case NTS_FILTER_BYTES:
			if (filter->never)
				return NTS_VERDICT_NONE;
			bounds = facts->bounds(facts->scan, filter->column);
			if (bounds != NULL)
				verdict = judge_bytes(filter, bounds);
			break;
		case NTS_FILTER_EXPRESSION:
			break;
	}
	return verdict == NTS_VERDICT_SOME ? judge_values(filter, facts) : verdict;
}

/* ---- ranges ---- */

bool
nts_filter_is_range(const NtsFilter *filter)
{
	return filter->kind == NTS_FILTER_COMPARE && filter->order == NTS_ORDER_INT && !filter->never &&
		filter->compare != NTS_COMPARE_NE;
}

/* How many words of a range are less than the constant or, with equal, do not exceed it. */
static uint32
count_up_to(const NtsFilter *filter, const NtsColumnData *data, uint32 first, uint32 end, bool equal)
{
	int64		word = (int64) filter->word;

	if (equal && word == PG_INT64_MAX)
		return end - first;
	return (uint32) nts_count_below((const uint64 *) data->values + first, end - first, equal ? word + 1 : word);
}

void
nts_filter_narrow_range(const NtsFilter *filter, const NtsColumnData *data, uint32 *first, uint32 *end)
{
	int32		compare = filter->compare;

	if (compare == NTS_COMPARE_LT || compare == NTS_COMPARE_LE || compare == NTS_COMPARE_EQ)
		*end = *first + count_up_to(filter, data, *first, *end, compare != NTS_COMPARE_LT);
	if (compare == NTS_COMPARE_GT || compare == NTS_COMPARE_GE || compare == NTS_COMPARE_EQ)
		*first += count_up_to(filter, data, *first, *end, compare == NTS_COMPARE_GT);
}

void
nts_filter_bound_words(const NtsFilter *filter, int column, int64 *low, int64 *high)
{
	int64		word = (int64) filter->word;

	if (filter->kind == NTS_FILTER_AND)
		for (int i = 0; i < filter->count; i++)
			nts_filter_bound_words(filter->args[i], column, low, high);
	if (filter->kind != NTS_FILTER_COMPARE || filter->column != column || filter->order != NTS_ORDER_INT || filter->never)
		return;
	switch (filter->compare)
	{
		case NTS_COMPARE_LT:
			/* nothing is less than the least */
			*high = Min(*high, word == PG_INT64_MIN ? word : word - 1);
			break;
		case NTS_COMPARE_LE:
			*high = Min(*high, word);
			break;
		case NTS_COMPARE_EQ:
			*high = Min(*high, word);
			*low = Max(*low, word);
			break;
		case NTS_COMPARE_GE:
			*low = Max(*low, word);
			break;
		case NTS_COMPARE_GT:
			*low = Max(*low, word == PG_INT64_MAX ? word : word + 1);
			break;
		default:
			break;
	}
}

/* ---- masks ---- */

static bool
passes(NtsFilter *filter, Datum value, bool isnull, ExprContext *econtext, TupleTableSlot *slot)
{
	Datum		result;

	if (filter->kind == NTS_FILTER_BYTES)
		return !isnull && is_among(filter, value);
	slot->tts_values[filter->column] = value;
	slot->tts_isnull[filter->column] = isnull;
	result = ExecEvalExprSwitchContext(filter->constant, econtext, &isnull);
	return !isnull && DatumGetBool(result);
}

/* Equal values of a vector mostly share an address. */
static void
apply_by_address(NtsFilter *filter, NtsVectorSet *set, uint8 *keep, ExprContext *econtext, TupleTableSlot *slot)
{
	const NtsColumnData *data = &set->columns[filter->column];
	uintptr_t	last = 0;
	bool		last_result = false;

	for (uint32 i = 0; i < set->rows; i++)
	{
		uintptr_t	address = data->nulls[i] ? 0 : (uintptr_t) data->values[i];

		if (!keep[i])
			continue;
		if (address == 0)
		{
			keep[i] = filter->kind == NTS_FILTER_BYTES ? false : passes(filter, (Datum) 0, true, econtext, slot);
			continue;
		}
		if (address != last)
		{
			uint32		place = (uint32) (address >> 3) % NTS_FILTER_MEMO;

			if (filter->memo_address[place] != address)
			{
				filter->memo_result[place] = passes(filter, data->values[i], false, econtext, slot);
				filter->memo_address[place] = address;
				ResetExprContext(econtext);
			}
			last = address;
			last_result = filter->memo_result[place];
		}
		keep[i] = last_result;
	}
}

/* Rows that are left out already may not be looked at: some functions fail for times that are far away. */
static void
apply_bucket(const NtsFilter *filter, const NtsColumnData *data, uint32 rows, uint8 *keep)
{
	for (uint32 i = 0; i < rows; i++)
		if (keep[i])
			keep[i] = !data->nulls[i] && nts_filter_bucket_passes(filter->bucket, (int64) data->values[i]);
}

static void
apply_or(NtsFilter *filter, NtsVectorSet *set, uint8 *keep, ExprContext *econtext, TupleTableSlot *slot)
{
	uint8	   *some = palloc0(set->rows);
	uint8	   *mask = palloc(set->rows);

	for (int a = 0; a < filter->count; a++)
	{
		/* rows that pass already need no second look */
		for (uint32 i = 0; i < set->rows; i++)
			mask[i] = keep[i] & (some[i] ^ 1);
		nts_filter_apply(filter->args[a], set, mask, econtext, slot);
		for (uint32 i = 0; i < set->rows; i++)
			some[i] |= mask[i];
	}
	memcpy(keep, some, set->rows);
	pfree(some);
	pfree(mask);
}

void
nts_filter_apply(NtsFilter *filter, NtsVectorSet *set, uint8 *keep, ExprContext *econtext, TupleTableSlot *slot)
{
	const NtsColumnData *data = NULL;

	if (memchr(keep, 1, set->rows) == NULL)
		return;
	if (filter->never)
	{
		memset(keep, 0, set->rows);
		return;
	}
	if (filter->column >= 0)
	{
		data = &set->columns[filter->column];
		if (!data->filled)
			nts_vector_set_fill(set, filter->column);
	}
	switch (filter->kind)
	{
		case NTS_FILTER_AND:
			for (int a = 0; a < filter->count; a++)
				nts_filter_apply(filter->args[a], set, keep, econtext, slot);
			break;
		case NTS_FILTER_OR:
			apply_or(filter, set, keep, econtext, slot);
			break;
		case NTS_FILTER_COMPARE:
			nts_filter_compare(filter->order, filter->compare, (const uint64 *) data->values, data->nulls, set->rows,
							   filter->word, keep);
			break;
		case NTS_FILTER_IN:
			nts_filter_in(filter->order, (const uint64 *) data->values, data->nulls, set->rows, filter->words,
						  filter->constants, keep);
			break;
		case NTS_FILTER_BUCKET:
			apply_bucket(filter, data, set->rows, keep);
			break;
		case NTS_FILTER_NULL:
			for (uint32 i = 0; i < set->rows; i++)
				keep[i] &= (data->nulls[i] != 0) == filter->is_null;
			break;
		case NTS_FILTER_BYTES:
		case NTS_FILTER_EXPRESSION:
			apply_by_address(filter, set, keep, econtext, slot);
			break;
	}
}

void
nts_filter_forget(NtsFilter *filter)
{
	for (int i = 0; i < filter->count; i++)
		nts_filter_forget(filter->args[i]);
	if (filter->kind == NTS_FILTER_BYTES || filter->kind == NTS_FILTER_EXPRESSION)
		memset(filter->memo_address, 0, sizeof(filter->memo_address));
}
