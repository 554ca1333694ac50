/*
 * best.c - the executor's side of the node of the best rows.
 *
 * Rows are ranked by the first sort column, of words: smaller ranks are better. Other sort columns are compared where ranks
 * are equal. The scan below brings the newest segments first and, for the
 * greatest values, each series from its end; a row group or vector that cannot hold a better rank than what is kept is
 * not read. Of several rows of equal rank the one that is met first is kept. The limit may be known only when the node
 * begins; rows that take more memory than a hash table may are sorted, in temporary files if need be, with those that follow.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "commands/explain.h"
#include "common/int.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/ruleutils.h"
#include "utils/sortsupport.h"
#include "utils/tuplesort.h"
#include "utils/typcache.h"

#include "nodedb_ts/core.h"
#include "pg/scan/best.h"
#include "pg/scan/custom_scan.h"
#include "pg/scan/ordered.h"

/* Smaller is better. */
typedef struct Rank
{
	bool		is_late_null;	/* NULLs that come last; those that come first have word 0 and is_early_null */
	bool		is_early_null;
	uint64		word;
} Rank;

typedef struct BestRow
{
	Rank		rank;
	bool		used;
	MinimalTuple tuple;			/* of the scan slot's row type */
	Datum		key;			/* into the tuple's copy of it, or by value */
	bool		key_is_null;
	uint32		hash;
	int			next;			/* in its bucket, or -1 */
} BestRow;

/* A sort column that decides among equal ranks. */
typedef struct BestOrder
{
	int			column;			/* 0-based, of the table */
	AttrNumber	attribute;		/* of the rows that are kept */
	SortSupportData sort;
} BestOrder;

typedef struct BestState
{
	CustomScanState css;		/* must be first */
	NtsBestPlan plan;
	NtsScanState *scan;
	int32		order;			/* of words */
	int		   *columns;		/* 0-based, of the table: the scan slot's */
	int			column_count;
	Form_pg_attribute key_attribute;
	BestOrder  *more;			/* without a key */
	int			more_count;
	MemoryContext context;		/* what is kept, until a rescan */
	BestRow    *rows;			/* without a key: a heap whose root is the worst */
	int			count;
	int			room;
	int		   *buckets;		/* with a key: first row, or -1 */
	uint32		bucket_count;	/* a power of two */
	bool		done;
	int			next;
	List	   *limits;			/* ExprStates of an unknown limit */
	int64		limit;			/* rows, at least 1; known when reading begins */
	AttrNumber	attribute;		/* of the first sort column, in the rows that are kept */
	struct Tuplesortstate *sort;	/* all rows, if those that are wanted take too much memory; or NULL */
	TupleTableSlot *sorted;		/* what comes out of it */
	int64		put;			/* rows that it got, up to `limit`, */
	Rank		worst;			/* and the worst rank of those: no other row of a worse one is wanted */
	NtsScanChooser chooser;
	bool		is_stable;		/* conditions say the same of a row each time */
	Size		most_memory;	/* that was kept before rescans */
} BestState;

/* ---- ranks ---- */

static int
compare_ranks(const Rank *a, const Rank *b)
{
	if (a->is_early_null != b->is_early_null)
		return a->is_early_null ? -1 : 1;
	if (a->is_late_null != b->is_late_null)
		return a->is_late_null ? 1 : -1;
	return a->word < b->word ? -1 : a->word > b->word;
}

static Rank
null_rank(const BestState *state)
{
	Rank		rank = {0};

	rank.is_early_null = state->plan.nulls_first;
	rank.is_late_null = !state->plan.nulls_first;
	return rank;
}

/* A number ordered as the words' values are: -0 is 0, NaN the greatest. */
static uint64
ordered_word(int32 order, uint64 word)
{
	const uint64 sign = UINT64CONST(1) << 63;
	float8		number;

	if (order == NTS_ORDER_INT)
		return word ^ sign;
	number = order == NTS_ORDER_FLOAT4 ? (float8) DatumGetFloat4((Datum) word) : DatumGetFloat8((Datum) word);
	if (isnan(number))
		return PG_UINT64_MAX;
	if (number == 0)
		number = 0;
	word = (uint64) Float8GetDatum(number);
	if (number == 0)
		word = 0;
	return (word & sign) != 0 ? ~word : word | sign;
}

static Rank
word_rank(const BestState *state, uint64 word)
{
	Rank		rank = {0};

	rank.word = ordered_word(state->order, word);
	if (state->plan.descending)
		rank.word = ~rank.word;
	return rank;
}

/* The best rank that rows with these statistics can have; false: unknown. */
static bool
best_possible(const BestState *state, const NtsStatistics *s, Rank *rank)
{
	if (s == NULL)
		return false;
	if (s->null_count > 0 && (state->plan.nulls_first || !s->has_range))
		*rank = null_rank(state);
	else if (s->has_range)
		*rank = word_rank(state, state->plan.descending ? s->max : s->min);
	else
		return false;
	return true;
}

/* ---- keys ---- */

/* A key as it is looked up: equal ones have equal bytes, which are those of the word if it is one. */
typedef struct Key
{
	const uint8 *bytes;			/* NULL: NULL */
	uint32		length;
	uint32		hash;
} Key;

static Key
key_of_bytes(const uint8 *bytes, uint32 length)
{
	Key			key = {bytes, length, bytes == NULL ? 0 : nts_crc32c(1, bytes, length)};

	return key;
}

/* *value must stay where it is, and is a normal word if it is one. */
static Key
key_of_datum(const BestState *state, const Datum *value, bool isnull)
{
	int16		length = state->key_attribute->attlen;

	if (isnull)
		return key_of_bytes(NULL, 0);
	if (state->key_attribute->attbyval)
		return key_of_bytes((const uint8 *) value, sizeof(Datum));
	if (length == -1)
		return key_of_bytes((const uint8 *) VARDATA_ANY(DatumGetPointer(*value)),
							VARSIZE_ANY_EXHDR(DatumGetPointer(*value)));
	return key_of_bytes((const uint8 *) DatumGetPointer(*value), length);
}

static bool
is_key(const BestState *state, const BestRow *row, const Key *key)
{
	Key			own;

	if (row->hash != key->hash)
		return false;
	own = key_of_datum(state, &row->key, row->key_is_null);
	if (own.bytes == NULL || key->bytes == NULL)
		return own.bytes == NULL && key->bytes == NULL;
	return own.length == key->length && memcmp(own.bytes, key->bytes, own.length) == 0;
}

static BestRow *
find_row(const BestState *state, const Key *key)
{
	for (int i = state->buckets[key->hash & (state->bucket_count - 1)]; i >= 0; i = state->rows[i].next)
		if (is_key(state, &state->rows[i], key))
			return &state->rows[i];
	return NULL;
}

static void
rebuild_buckets(BestState *state)
{
	state->bucket_count *= 2;
	if (state->buckets != NULL)
		pfree(state->buckets);
	state->buckets = MemoryContextAllocHuge(state->context, sizeof(int) * state->bucket_count);
	memset(state->buckets, -1, sizeof(int) * state->bucket_count);
	for (int i = 0; i < state->count; i++)
	{
		int		   *bucket = &state->buckets[state->rows[i].hash & (state->bucket_count - 1)];

		state->rows[i].next = *bucket;
		*bucket = i;
	}
}

static BestRow *
new_row(BestState *state)
{
	BestRow    *row;

	if (state->count == state->room)
	{
		int			room = Max(64, state->room * 2);

		if (state->rows == NULL)
			state->rows = MemoryContextAlloc(state->context, sizeof(BestRow) * room);
		else
			state->rows = repalloc_huge(state->rows, sizeof(BestRow) * room);
		state->room = room;
	}
	row = &state->rows[state->count++];
	memset(row, 0, sizeof(*row));
	return row;
}

/* The row of a key, made if there is none. */
static BestRow *
row_of_key(BestState *state, Datum value, bool isnull)
{
	BestRow    *row;
	Key			key;
	int		   *bucket;

	if (state->key_attribute->attbyval)
		value = nts_normal_word(value, state->key_attribute->attlen);
	key = key_of_datum(state, &value, isnull);
	row = find_row(state, &key);
	if (row != NULL)
		return row;
	if (state->count >= (int) (state->bucket_count / 2))
		rebuild_buckets(state);
	row = new_row(state);
	bucket = &state->buckets[key.hash & (state->bucket_count - 1)];
	row->hash = key.hash;
	row->key_is_null = isnull;
	row->next = *bucket;
	*bucket = state->count - 1;
	if (!isnull)
	{
		MemoryContext old = MemoryContextSwitchTo(state->context);

		row->key = datumCopy(value, state->key_attribute->attbyval, state->key_attribute->attlen);
		MemoryContextSwitchTo(old);
	}
	return row;
}

/* ---- order ---- */

static Datum
kept_value(const BestState *state, const BestRow *row, const BestOrder *order, bool *isnull)
{
	HeapTupleData tuple;

	tuple.t_len = row->tuple->t_len + MINIMAL_TUPLE_OFFSET;
	tuple.t_data = (HeapTupleHeader) ((char *) row->tuple - MINIMAL_TUPLE_OFFSET);
	return heap_getattr(&tuple, order->attribute, state->css.ss.ss_ScanTupleSlot->tts_tupleDescriptor, isnull);
}

/* Of two rows that are kept; < 0: the first one is better. */
static int
compare_kept(const BestState *state, const BestRow *a, const BestRow *b)
{
	int			result = compare_ranks(&a->rank, &b->rank);

	for (int i = 0; i < state->more_count && result == 0; i++)
	{
		bool		a_null;
		bool		b_null;
		Datum		a_value = kept_value(state, a, &state->more[i], &a_null);
		Datum		b_value = kept_value(state, b, &state->more[i], &b_null);

		result = ApplySortComparator(a_value, a_null, b_value, b_null, &state->more[i].sort);
	}
	return result;
}

/* Is row `at` of the set better than one that is kept? */
static bool
is_better(const BestState *state, NtsVectorSet *set, uint32 at, const Rank *rank, const BestRow *kept)
{
	int			result = compare_ranks(rank, &kept->rank);

	for (int i = 0; i < state->more_count && result == 0; i++)
	{
		BestOrder  *order = &state->more[i];
		NtsColumnData *data = &set->columns[order->column];
		bool		isnull;
		Datum		value = kept_value(state, kept, order, &isnull);

		if (!data->filled)
			nts_vector_set_fill(set, order->column);
		result = ApplySortComparator(data->values[at], data->nulls[at] != 0, value, isnull, &order->sort);
	}
	return result < 0;
}

/* ---- keeping rows ---- */

static void
fill_slot(BestState *state, NtsVectorSet *set, uint32 at)
{
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;

	for (int i = 0; i < state->column_count; i++)
	{
		NtsColumnData *data = &set->columns[state->columns[i]];

		if (!data->filled)
			nts_vector_set_fill(set, state->columns[i]);
		slot->tts_values[i] = data->values[at];
		slot->tts_isnull[i] = data->nulls[at] != 0;
	}
}

static void
keep_tuple(BestState *state, BestRow *row, NtsVectorSet *set, uint32 at, const Rank *rank)
{
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
	MemoryContext old;

	fill_slot(state, set, at);
	old = MemoryContextSwitchTo(state->context);
	if (row->tuple != NULL)
		heap_free_minimal_tuple(row->tuple);
	row->tuple = heap_form_minimal_tuple(slot->tts_tupleDescriptor, slot->tts_values, slot->tts_isnull);
	MemoryContextSwitchTo(old);
	row->rank = *rank;
	row->used = true;
}

/* Puts row i of the heap in its place: a parent is not better than its children. */
static void
sift_down(BestState *state, int i)
{
	for (;;)
	{
		int			child = 2 * i + 1;
		BestRow		row = state->rows[i];

		if (child >= state->count)
			return;
		if (child + 1 < state->count &&
			compare_kept(state, &state->rows[child + 1], &state->rows[child]) > 0)
			child++;
		if (compare_kept(state, &state->rows[child], &row) <= 0)
			return;
		state->rows[i] = state->rows[child];
		state->rows[child] = row;
		i = child;
	}
}

static void
sift_up(BestState *state, int i)
{
	while (i > 0)
	{
		int			parent = (i - 1) / 2;
		BestRow		row = state->rows[i];

		if (compare_kept(state, &state->rows[parent], &row) >= 0)
			return;
		state->rows[i] = state->rows[parent];
		state->rows[parent] = row;
		i = parent;
	}
}

static void
take_of_all(BestState *state, NtsVectorSet *set, uint32 at, const Rank *rank)
{
	if (state->count < state->limit)
	{
		keep_tuple(state, new_row(state), set, at, rank);
		sift_up(state, state->count - 1);
	}
	else if (is_better(state, set, at, rank, &state->rows[0]))
	{
		keep_tuple(state, &state->rows[0], set, at, rank);
		sift_down(state, 0);
	}
}

/* The best row of a run with one key. */
static void
take_of_key(BestState *state, NtsVectorSet *set, uint32 at, const Rank *rank, Datum key, bool key_is_null)
{
	BestRow    *row = row_of_key(state, key, key_is_null);

	if (!row->used || compare_ranks(rank, &row->rank) < 0)
		keep_tuple(state, row, set, at, rank);
}

/* Of a row whose first sort column is filled. */
static inline Rank
rank_of_row(const BestState *state, const NtsVectorSet *set, uint32 row)
{
	const NtsColumnData *words = &set->columns[state->plan.column];

	return words->nulls[row] ? null_rank(state) : word_rank(state, words->values[row]);
}

static void
take_selection(BestState *state, const NtsSelection *selection)
{
	NtsVectorSet *set = selection->set;
	const NtsColumnData *keys = state->plan.key < 0 ? NULL : &set->columns[state->plan.key];
	Rank		best = {0};
	uint32		best_at = 0;
	bool		in_run = false;

	if (!set->columns[state->plan.column].filled)
		nts_vector_set_fill(set, state->plan.column);
	if (keys != NULL && !keys->filled)
		nts_vector_set_fill(set, state->plan.key);
	for (uint32 i = 0; i < selection->count; i++)
	{
		uint32		row = selection->rows == NULL ? i : selection->rows[i];
		Rank		rank = rank_of_row(state, set, row);

		if (keys == NULL)
		{
			take_of_all(state, set, row, &rank);
			continue;
		}
		if (in_run && (keys->nulls[row] != keys->nulls[best_at] || keys->values[row] != keys->values[best_at]))
		{
			take_of_key(state, set, best_at, &best, keys->values[best_at], keys->nulls[best_at] != 0);
			in_run = false;
		}
		if (!in_run || compare_ranks(&rank, &best) < 0)
		{
			best = rank;
			best_at = row;
		}
		in_run = true;
	}
	if (in_run)
		take_of_key(state, set, best_at, &best, keys->values[best_at], keys->nulls[best_at] != 0);
}

/* ---- more rows than there is memory for ---- */

static void
note_memory(BestState *state)
{
	state->most_memory = Max(state->most_memory, MemoryContextMemAllocated(state->context, true));
}

static void
begin_sort(BestState *state)
{
	TupleDesc	desc = state->css.ss.ss_ScanTupleSlot->tts_tupleDescriptor;
	const NtsBestPlan *plan = &state->plan;
	TypeCacheEntry *type = lookup_type_cache(TupleDescAttr(desc, state->attribute - 1)->atttypid,
											 TYPECACHE_LT_OPR | TYPECACHE_GT_OPR);
	int			count = 1 + state->more_count;
	AttrNumber *columns = palloc(sizeof(AttrNumber) * count);
	Oid		   *operators = palloc(sizeof(Oid) * count);
	Oid		   *collations = palloc(sizeof(Oid) * count);
	bool	   *nulls_first = palloc(sizeof(bool) * count);

	columns[0] = state->attribute;
	operators[0] = plan->descending ? type->gt_opr : type->lt_opr;
	collations[0] = InvalidOid;
	nulls_first[0] = plan->nulls_first;
	for (int i = 0; i < state->more_count; i++)
	{
		const NtsBestOrder *order = list_nth(plan->more, i);

		columns[i + 1] = state->more[i].attribute;
		operators[i + 1] = order->operator;
		collations[i + 1] = order->collation;
		nulls_first[i + 1] = order->nulls_first;
	}
	state->sort = tuplesort_begin_heap(desc, count, columns, operators, collations, nulls_first, work_mem, NULL,
									   TUPLESORT_NONE);
}

/* Puts the row in the slot into the sort. */
static void
put_row(BestState *state, const Rank *rank)
{
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;

	tuplesort_puttupleslot(state->sort, slot);
	ExecClearTuple(slot);
	if (state->put == state->limit)
		return;
	if (state->put == 0 || compare_ranks(rank, &state->worst) > 0)
		state->worst = *rank;
	state->put++;
}

/* The rows that are kept are sorted, with those that follow. */
static void
give_up(BestState *state)
{
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
	MemoryContext old = MemoryContextSwitchTo(state->css.ss.ps.state->es_query_cxt);

	note_memory(state);
	begin_sort(state);
	MemoryContextSwitchTo(old);
	for (int i = 0; i < state->count; i++)
	{
		ExecForceStoreMinimalTuple(state->rows[i].tuple, slot, false);
		put_row(state, &state->rows[i].rank);
		heap_free_minimal_tuple(state->rows[i].tuple);
	}
	MemoryContextReset(state->context);
	state->rows = NULL;
	state->count = 0;
	state->room = 0;
}

static void
sort_selection(BestState *state, const NtsSelection *selection)
{
	if (!selection->set->columns[state->plan.column].filled)
		nts_vector_set_fill(selection->set, state->plan.column);
	for (uint32 i = 0; i < selection->count; i++)
	{
		uint32		row = selection->rows == NULL ? i : selection->rows[i];
		Rank		rank = rank_of_row(state, selection->set, row);

		if (state->put == state->limit && compare_ranks(&rank, &state->worst) > 0)
			continue;
		fill_slot(state, selection->set, row);
		ExecStoreVirtualTuple(state->css.ss.ss_ScanTupleSlot);
		put_row(state, &rank);
	}
}

static bool
next_sorted(BestState *state)
{
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
	TupleTableSlot *sorted = state->sorted;

	ExecClearTuple(slot);
	if (!tuplesort_gettupleslot(state->sort, true, false, sorted, NULL))
		return false;
	slot_getallattrs(sorted);
	for (int i = 0; i < state->column_count; i++)
	{
		slot->tts_values[i] = sorted->tts_values[i];
		slot->tts_isnull[i] = sorted->tts_isnull[i];
	}
	ExecStoreVirtualTuple(slot);
	return true;
}

static void
end_sort(BestState *state)
{
	if (state->sort == NULL)
		return;
	ExecClearTuple(state->sorted);
	tuplesort_end(state->sort);
	state->sort = NULL;
}

/* ---- what the scan may leave out ---- */

/* Without a key: have as many rows been met as are wanted? */
static bool
has_enough(const BestState *state)
{
	return state->plan.key < 0 && (state->sort != NULL ? state->put : state->count) >= state->limit;
}

/* No row of this rank, or of a worse one, is wanted any more. Of the worst one's rank others may be better. */
static bool
is_useless(const BestState *state, const Rank *rank)
{
	const Rank *worst = state->sort != NULL ? &state->worst : &state->rows[0].rank;

	return compare_ranks(rank, worst) >= (state->more_count > 0 ? 1 : 0);
}

/* The key that all rows of the vector have; false: it is not known to be one. */
static bool
key_of_vector(const BestState *state, NtsScanState *scan, Datum *word, Key *key)
{
	const NtsKeyBounds *bounds;

	if (state->key_attribute->attbyval)
	{
		if (!nts_scan_vector_word(scan, state->plan.key, word))
			return false;
		*word = nts_normal_word(*word, state->key_attribute->attlen);
		*key = key_of_datum(state, word, false);
		return true;
	}
	bounds = nts_scan_vector_bounds(scan, state->plan.key);
	if (!nts_key_bounds_same(bounds))
		return false;
	*key = key_of_bytes(bounds->first, bounds->first_length);
	return true;
}

static bool
skip_group(void *arg, NtsScanState *scan, bool all)
{
	BestState  *state = arg;
	Rank		rank;

	return has_enough(state) &&
		best_possible(state, nts_scan_group_statistics(scan, state->plan.column), &rank) && is_useless(state, &rank);
}

static bool
skip_vector(void *arg, NtsScanState *scan, bool all)
{
	BestState  *state = arg;
	const BestRow *row;
	Rank		rank;
	Datum		word;
	Key			key;

	if (state->plan.key < 0)
		return has_enough(state) &&
			best_possible(state, nts_scan_vector_statistics(scan, state->plan.column), &rank) &&
			is_useless(state, &rank);
	if (!key_of_vector(state, scan, &word, &key))
		return false;
	row = find_row(state, &key);
	if (row == NULL || !row->used)
		return false;
	/* what the footer says of the row group mostly suffices, for which no chunk is read */
	return (best_possible(state, nts_scan_group_statistics(scan, state->plan.column), &rank) &&
			compare_ranks(&rank, &row->rank) >= 0) ||
		(best_possible(state, nts_scan_vector_statistics(scan, state->plan.column), &rank) &&
		 compare_ranks(&rank, &row->rank) >= 0);
}

/*
 * The newest rows of the series are enough for one row of all, and when every key's rows are those of some series. Where
 * rows have no time, one of those may be the best.
 */
static bool
takes_last_rows(void *arg, const NtsSegmentInfo *segment, bool untimed)
{
	const BestState *state = arg;

	if (!state->plan.descending || !state->is_stable ||
		segment->time_column != state->plan.column || (untimed && state->plan.nulls_first))
		return false;
	if (state->plan.key < 0)
		return state->limit == 1 && state->more_count == 0;
	for (uint32 i = 0; i < segment->series_column_count; i++)
		if (segment->series_columns[i] == state->plan.key)
			return true;
	return false;
}

/* ---- the result ---- */

typedef struct ResultOrder
{
	const BestState *state;
	SortSupport key;			/* NULL: there is none */
} ResultOrder;

static int
compare_rows(const void *a, const void *b, void *arg)
{
	const BestRow *x = a;
	const BestRow *y = b;
	ResultOrder *order = arg;

	if (order->key != NULL)
		return ApplySortComparator(x->key, x->key_is_null, y->key, y->key_is_null, order->key);
	return compare_kept(order->state, x, y);
}

/* What the Limit above finds, too; it complains of negative numbers first. */
static void
find_limit(BestState *state)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
	ListCell   *cell;

	state->limit = state->plan.limit;
	foreach(cell, state->limits)
	{
		bool		isnull;
		int64		number = DatumGetInt64(ExecEvalExprSwitchContext(lfirst(cell), econtext, &isnull));
		bool		is_count = foreach_current_index(cell) == 0;

		/* NULL is no limit, or nothing to skip */
		number = isnull ? (is_count ? PG_INT64_MAX : 0) : Max(number, 0);
		if (pg_add_s64_overflow(state->limit, number, &state->limit))
			state->limit = PG_INT64_MAX;
	}
	state->limit = Max(state->limit, 1);
}

static void
find_best(BestState *state)
{
	NtsSelection selection;
	SortSupportData sort = {0};
	ResultOrder order = {state, state->plan.key >= 0 ? &sort : NULL};

	find_limit(state);
	while (nts_scan_next(&state->scan->css, &selection))
	{
		if (state->sort != NULL)
			sort_selection(state, &selection);
		else
			take_selection(state, &selection);
		if (state->plan.key < 0 && state->sort == NULL &&
			MemoryContextMemAllocated(state->context, true) > get_hash_memory_limit())
			give_up(state);
		CHECK_FOR_INTERRUPTS();
	}
	if (state->sort != NULL)
		tuplesort_performsort(state->sort);
	if (state->plan.key >= 0)
		nts_prepare_sort(state->context, state->plan.key_operator, state->plan.key_collation,
					 state->plan.key_nulls_first, &sort);
	if (state->count > 1)
		qsort_arg(state->rows, state->count, sizeof(BestRow), compare_rows, &order);
	state->done = true;
}

static TupleTableSlot *
exec_best(CustomScanState *node)
{
	BestState  *state = (BestState *) node;
	ProjectionInfo *projection = node->ss.ps.ps_ProjInfo;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	if (!state->done)
		find_best(state);
	if (state->sort != NULL ? !next_sorted(state) : state->next >= state->count)
	{
		ExecClearTuple(slot);
		return projection == NULL ? slot : ExecClearTuple(projection->pi_state.resultslot);
	}
	if (state->sort == NULL)
		ExecForceStoreMinimalTuple(state->rows[state->next++].tuple, slot, false);
	if (projection == NULL)
		return slot;
	ResetExprContext(node->ss.ps.ps_ExprContext);
	node->ss.ps.ps_ExprContext->ecxt_scantuple = slot;
	return ExecProject(projection);
}

static void
reset(BestState *state)
{
	note_memory(state);
	end_sort(state);
	state->put = 0;
	MemoryContextReset(state->context);
	state->rows = NULL;
	state->count = 0;
	state->room = 0;
	state->buckets = NULL;
	state->bucket_count = 128;
	state->done = false;
	state->next = 0;
	if (state->plan.key >= 0)
		rebuild_buckets(state);
}

/* Where a sort column stands in the rows that are kept. */
static AttrNumber
kept_attribute(const BestState *state, int column)
{
	for (int i = 0; i < state->column_count; i++)
		if (state->columns[i] == column)
			return i + 1;
	elog(ERROR, "nodedb_ts: a sort column is not among the best rows' columns");
}

static void
prepare_more(BestState *state, MemoryContext context)
{
	ListCell   *cell;

	state->more = palloc0(sizeof(BestOrder) * Max(list_length(state->plan.more), 1));
	foreach(cell, state->plan.more)
	{
		const NtsBestOrder *plan = lfirst(cell);
		BestOrder  *order = &state->more[state->more_count];

		order->column = plan->column;
		order->attribute = kept_attribute(state, plan->column);
		nts_prepare_sort(context, plan->operator, plan->collation, plan->nulls_first, &order->sort);
		state->more_count++;
	}
}

static void
begin_best(CustomScanState *node, EState *estate, int eflags)
{
	BestState  *state = (BestState *) node;
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	PlanState  *child = ExecInitNode(linitial(plan->custom_plans), estate,
									 eflags & ~(EXEC_FLAG_REWIND | EXEC_FLAG_BACKWARD | EXEC_FLAG_MARK));
	TupleDesc	desc;
	ListCell   *cell;

	node->custom_ps = list_make1(child);
	if (!nts_is_scan_state(child))
		elog(ERROR, "nodedb_ts: the node of the best rows has no scan below");
	nts_best_plan_read(plan, &state->plan);
	state->scan = (NtsScanState *) child;
	desc = RelationGetDescr(state->scan->css.ss.ss_currentRelation);
	state->order = nts_filter_word_order(TupleDescAttr(desc, state->plan.column)->atttypid);
	if (state->plan.key >= 0)
		state->key_attribute = TupleDescAttr(desc, state->plan.key);
	state->columns = palloc(sizeof(int) * Max(list_length(plan->custom_scan_tlist), 1));
	foreach(cell, plan->custom_scan_tlist)
		state->columns[state->column_count++] = castNode(Var, lfirst_node(TargetEntry, cell)->expr)->varattno - 1;
	state->context = AllocSetContextCreate(estate->es_query_cxt, "nodedb_ts best rows", ALLOCSET_DEFAULT_SIZES);
	prepare_more(state, estate->es_query_cxt);
	if (state->plan.key < 0)
	{
		state->attribute = kept_attribute(state, state->plan.column);
		state->sorted = ExecInitExtraTupleSlot(estate, node->ss.ss_ScanTupleSlot->tts_tupleDescriptor,
											   &TTSOpsMinimalTuple);
		state->limits = ExecInitExprList(state->plan.limits, &node->ss.ps);
	}
	state->chooser.newest_first = true;
	state->chooser.backward = state->plan.descending;
	state->chooser.skip_group = skip_group;
	state->chooser.skip_vector = skip_vector;
	state->chooser.takes_last_rows = takes_last_rows;
	state->is_stable = !contain_volatile_functions((Node *) child->plan->qual);
	state->chooser.arg = state;
	nts_scan_set_chooser(&state->scan->css, &state->chooser);
	reset(state);
}

static void
end_best(CustomScanState *node)
{
	end_sort((BestState *) node);
	ExecEndNode(linitial(node->custom_ps));
}

static void
rescan_best(CustomScanState *node)
{
	BestState  *state = (BestState *) node;
	PlanState  *child = linitial(node->custom_ps);

	/* unless something below changes, the rows stay the best; what was sorted has been given out */
	if (node->ss.ps.chgParam == NULL && child->chgParam == NULL && state->done && state->sort == NULL)
	{
		state->next = 0;
		return;
	}
	if (node->ss.ps.chgParam != NULL)
		UpdateChangedParamSet(child, node->ss.ps.chgParam);
	ExecReScan(child);
	reset(state);
}

static void
explain_limit(const BestState *state, List *ancestors, ExplainState *es)
{
	CustomScan *plan = (CustomScan *) state->css.ss.ps.plan;
	List	   *context;
	StringInfoData text;
	ListCell   *cell;

	if (plan->custom_exprs == NIL)
	{
		ExplainPropertyInteger("Limit", NULL, state->plan.limit, es);
		return;
	}
	context = set_deparse_context_plan(es->deparse_cxt, (Plan *) plan, ancestors);
	initStringInfo(&text);
	foreach(cell, plan->custom_exprs)
		appendStringInfo(&text, "%s%s", foreach_current_index(cell) == 0 ? "" : " + ",
						 deparse_expression(lfirst(cell), context, false, false));
	ExplainPropertyText("Limit", text.data, es);
}

static void
explain_best(CustomScanState *node, List *ancestors, ExplainState *es)
{
	BestState  *state = (BestState *) node;
	TupleDesc	desc = RelationGetDescr(state->scan->css.ss.ss_currentRelation);
	char	   *by = psprintf("%s%s", NameStr(TupleDescAttr(desc, state->plan.column)->attname),
							  nts_explain_direction(state->plan.descending, state->plan.nulls_first));
	ListCell   *cell;

	foreach(cell, state->plan.more)
	{
		const NtsBestOrder *order = lfirst(cell);
		Oid			family;
		Oid			type;
		int16		strategy;

		if (!get_ordering_op_properties(order->operator, &family, &type, &strategy))
			elog(ERROR, "nodedb_ts: operator %u gives no order", order->operator);
		by = psprintf("%s, %s%s", by, NameStr(TupleDescAttr(desc, order->column)->attname),
					  nts_explain_direction(strategy == BTGreaterStrategyNumber, order->nulls_first));
	}
	ExplainPropertyText("Best By", by, es);
	if (state->plan.key >= 0)
		ExplainPropertyText("Each", NameStr(state->key_attribute->attname), es);
	else
		explain_limit(state, ancestors, es);
	/* of a parallel plan the leader knows its own part only */
	if (!es->analyze || state->scan->css.ss.ps.plan->parallel_aware)
		return;
	note_memory(state);
	ExplainPropertyUInteger("Memory Usage", "kB", state->most_memory / 1024, es);
	if (state->sort != NULL && state->done)
		nts_explain_sort(state->sort, es);
}

static const CustomExecMethods exec_methods = {
	.CustomName = "nodedb_ts best rows",
	.BeginCustomScan = begin_best,
	.ExecCustomScan = exec_best,
	.EndCustomScan = end_best,
	.ReScanCustomScan = rescan_best,
	.ExplainCustomScan = explain_best,
};

static Node *
create_state(CustomScan *plan)
{
	BestState  *state = palloc0(sizeof(BestState));

	NodeSetTag(state, T_CustomScanState);
	state->css.methods = &exec_methods;
	return (Node *) state;
}

const CustomScanMethods nts_best_methods = {
	.CustomName = "nodedb_ts best rows",
	.CreateCustomScanState = create_state,
};
