/*
 * aggregate.h - shared by the files of the aggregate node: what it computes, and from which vectors.
 *
 * A node pulls selections of rows from the scan below it. Each selection becomes *vectors* without gaps: one for each
 * column or expression that is a group key or an argument. Keys cut the selection into *runs* of rows of one group;
 * each aggregate then takes a run at a time.
 */
#ifndef NTS_SCAN_AGGREGATE_H
#define NTS_SCAN_AGGREGATE_H

#include "postgres.h"

#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "nodes/extensible.h"
#include "nodes/pathnodes.h"
#include "nodes/primnodes.h"

#include "pg/scan/scan.h"

/* ---- aggregate_vector.c: columns and expressions of a selection ---- */

struct NtsBucket;

typedef struct NtsAggVector
{
	/* what it is */
	Expr	   *expr;
	int			filter;			/* an expression is evaluated only where this (boolean) vector is true; or -1 */
	int			column;			/* index of a column, or -1: an expression */
	Oid			type;			/* of a domain: its base */
	int16		typlen;
	bool		typbyval;
	struct NtsBucket *bucket;	/* an expression that cuts a column into buckets, or NULL */
	int			input;			/* bucket: the vector of its column */
	/* how an expression is evaluated */
	ExprState  *state;
	TupleTableSlot *slot;		/* of the columns that it needs */
	int			inputs;
	int		   *input_columns;	/* [inputs] */
	bool		needs_copy;		/* by-reference results lie in memory that is reset */
	/* the selection's values: position i is the selection's i-th row */
	Datum	   *values;			/* a NULL's is 0 */
	uint8	   *nulls;			/* NULL: there are none */
	bool		uniform;		/* known: the same value in all rows, or NULL in all */
	bool		ascends;		/* known of a column: words ascend, and there are no NULLs */
	/* a bucket of a column in order: rows whose value may differ from the one before, ascending; -1: not known */
	int			change_count;
	uint32	   *changes;
	/* room for those that do not lie in the vector set */
	Datum	   *own_values;
	uint8	   *own_nulls;
	uint32		room;
} NtsAggVector;

/* The vectors of a node. */
typedef struct NtsAggVectors
{
	NtsAggVector *vectors;
	int			count;
	int			room;
	PlanState  *parent;
	TupleDesc	desc;			/* of the table */
	ExprContext *econtext;		/* per-tuple memory: results of expressions, until the next selection */
	MemoryContext context;		/* of everything else */
} NtsAggVectors;

/* Index of the vector of an expression over columns; equal ones are shared. filter: index of a vector, or -1. */
extern int	nts_agg_vectors_add(NtsAggVectors *vectors, Expr *expr, int filter);
/* Fills all of them. */
extern void nts_agg_vectors_load(NtsAggVectors *vectors, const NtsSelection *selection);
/* own_values and own_nulls for so many rows. */
extern void nts_agg_vector_make_room(NtsAggVectors *vectors, NtsAggVector *vector, uint32 count);
/* An expression over the vector's columns, for nts_agg_vector_evaluate. */
extern ExprState *nts_agg_vector_compile(NtsAggVectors *vectors, NtsAggVector *vector, Expr *expr);
/* One value by the executor, for buckets: `state` with `value` in place of its only column. What it gives lies in the per-tuple
 * memory, if it is by reference. */
extern Datum nts_agg_vector_evaluate(NtsAggVectors *vectors, NtsAggVector *vector, ExprState *state, Datum value,
									 bool value_isnull, bool *isnull);

/* ---- aggregate_bucket.c: which expressions cut a column into buckets ---- */

/* NULL: nothing that is known. */
extern struct NtsBucket *nts_bucket_recognize(Expr *expr, MemoryContext context);
/* Of the shortest bucket, in the column's unit. */
extern int64 nts_bucket_width(const struct NtsBucket *bucket);
/*
 * Is the expression a function of a timestamp (with or without time zone, whose words are microseconds, as widths are) that
 * gives the start of its bucket, so that buckets are ordered as times are (but for the slack below)?
 */
extern bool nts_bucket_is_ordered(const struct NtsBucket *bucket);
/*
 * REQUIRES nts_bucket_is_ordered or _rising. What is to be added to a time so that the bucket of the sum is at least that of
 * every time before it: 0 where buckets grow with the time. As the session's time zone is.
 */
extern int64 nts_bucket_slack(const struct NtsBucket *bucket);
/* May it be asked where a range of the column's values lies in the order of the bucket's? */
extern bool nts_bucket_is_rising(const struct NtsBucket *bucket);
/*
 * REQUIRES nts_bucket_is_rising. No value from min to max is in a bucket before that of *low, or behind that of *high, of both of
 * which the functions give one; false: they might fail.
 */
extern bool nts_bucket_rising_range(const struct NtsBucket *bucket, int64 min, int64 max, int64 *low, int64 *high);
/* Is the expression a single function of the column, one of those that are known? */
extern bool nts_bucket_is_plain(const struct NtsBucket *bucket);
/* The column's Var. */
extern Var *nts_bucket_input(const struct NtsBucket *bucket);

/* ---- aggregate_stretch.c: their values ---- */

/* Once the vector's expression is compiled. */
extern void nts_bucket_prepare(NtsAggVectors *vectors, NtsAggVector *vector);
/* Fills vector->own_values and own_nulls from the column. */
extern void nts_bucket_fill(NtsAggVectors *vectors, NtsAggVector *vector, const NtsAggVector *input, uint32 count);
/* Do all inputs from min to max give the same, *value? */
extern bool nts_bucket_constant(NtsAggVectors *vectors, NtsAggVector *vector, int64 min, int64 max, Datum *value,
								bool *isnull);

/* Do inputs from `input` on give the same, *value, until *end? false: not known. */
extern bool nts_bucket_at(NtsAggVectors *vectors, NtsAggVector *vector, int64 input, Datum *value, bool *isnull, int64 *end);

/* Inputs in [*begin, *end) give the same as `value`; empty: that is all that is known. */
extern void nts_bucket_stretch(NtsAggVectors *vectors, NtsAggVector *vector, int64 value, int64 *begin, int64 *end);

/* ---- aggregate_state.c: one aggregate ---- */

/* Each has a result (nts_agg_finish) and, if it can be partial, a state (the table in aggregate_partial.c). */
typedef enum NtsAggKind
{
	NTS_AGG_COUNT_ALL,
	NTS_AGG_COUNT,
	NTS_AGG_SUM_INT,			/* int2, int4: int8 */
	NTS_AGG_SUM_INT8,			/* numeric */
	NTS_AGG_AVG_INT,			/* numeric */
	NTS_AGG_MIN_INT,			/* everything that is ordered as its word */
	NTS_AGG_MAX_INT,
	NTS_AGG_SUM_FLOAT4,
	NTS_AGG_SUM_FLOAT8,
	NTS_AGG_AVG_FLOAT,			/* float4, float8 */
	NTS_AGG_MIN_FLOAT4,
	NTS_AGG_MIN_FLOAT8,
	NTS_AGG_MAX_FLOAT4,
	NTS_AGG_MAX_FLOAT8,
	NTS_AGG_VAR_POP,			/* float4, float8 */
	NTS_AGG_VAR_SAMP,
	NTS_AGG_STDDEV_POP,
	NTS_AGG_STDDEV_SAMP,
	NTS_AGG_SUM_NUMERIC,		/* sum, avg */
	NTS_AGG_SQUARES_NUMERIC,	/* variance, stddev */
	NTS_AGG_SQUARES_INT,		/* of int2, int4 */
	NTS_AGG_SQUARES_INT8,
	NTS_AGG_CALL				/* by the aggregate's own functions, a row at a time */
} NtsAggKind;

/* What an aggregate knows of a group; zeroed is not its start: nts_agg_start. */
typedef struct NtsAggState
{
	uint64		count;			/* values that were not NULL */
	union
	{
		NtsWideSum	sum;
		struct NtsAggExact *exact;
		int64		extreme;
		double		float8;
		float		float4;
		struct
		{
			double		sx;		/* sum */
			double		sxx;	/* sum of squared differences from the mean */
		}			moments;
		struct
		{
			Datum		value;
			bool		isnull;
			bool		unset;	/* a strict function's state before the first value */
		}			call;
	};
} NtsAggState;

struct NtsAggCall;

typedef struct NtsAggregate
{
	Aggref	   *aggref;
	NtsAggKind	kind;
	int			state;			/* whose state it has: its own number, or that of one before it */
	bool		is_float4;		/* the argument, where a kind takes both */
	int			filter;			/* vector, or -1 */
	int			nargs;
	int		   *args;			/* [nargs] vectors */
	struct NtsAggCall *call;	/* NTS_AGG_CALL, and the exact kinds */
	struct NtsAggDistinct *distinct;	/* of equal values of a group only one counts; or NULL */
	bool		is_numeric_extreme; /* NTS_AGG_CALL: min, max of numeric */
	bool		is_greatest;
	MemoryContext memory;		/* of the groups */
	/* of the current selection: which rows count. NULL: all */
	uint8	   *skip;			/* its argument is NULL, or the filter not true */
	uint8	   *own_skip;
	uint32		room;
} NtsAggregate;

/* How an aggregate is done; NTS_AGG_CALL if it has no loop of its own. */
extern NtsAggKind nts_agg_kind(const Aggref *aggref);
/* min, max and what is done as they are, by a loop of its own? */
extern bool nts_agg_is_extreme(NtsAggKind kind);
/* Must equal values be told apart? Without DISTINCT, or where it changes nothing (min, max), they need not. */
extern bool nts_agg_is_distinct(const Aggref *aggref);
/* aggcontext: its per-tuple memory holds the groups. */
extern void nts_agg_init(NtsAggregate *aggregate, Aggref *aggref, NtsAggVectors *vectors, ExprContext *aggcontext);
/* Does `later` need no more than the state that `aggregate` makes? */
extern bool nts_agg_shares_state(const NtsAggregate *aggregate, const NtsAggregate *later);
extern void nts_agg_start(NtsAggregate *aggregate, NtsAggState *state);
/* Once a selection, after the vectors were loaded. */
extern void nts_agg_load(NtsAggregate *aggregate, const NtsAggVectors *vectors, uint32 count);
/* Rows [first, first + count) of the selection. */
extern void nts_agg_advance(NtsAggregate *aggregate, const NtsAggVectors *vectors, NtsAggState *state, uint32 first,
							uint32 count);
/* Is it a minimum or maximum of integers that all count, in the current selection? */
static inline bool
nts_agg_is_plain_extreme(const NtsAggregate *aggregate)
{
	return (aggregate->kind == NTS_AGG_MIN_INT || aggregate->kind == NTS_AGG_MAX_INT) && aggregate->skip == NULL &&
		aggregate->distinct == NULL;
}

/* Does it take no memory beside the state, and cannot fail, whatever rows come? */
extern bool nts_agg_is_simple(const NtsAggregate *aggregate);
struct NtsAggGroup;
/* REQUIRES nts_agg_is_plain_extreme. Rows [starts[r], starts[r + 1]) for groups[r], r < runs. */
extern void nts_agg_advance_extreme(const NtsAggregate *aggregate, const NtsAggVectors *vectors,
									struct NtsAggGroup *const *groups, const uint32 *starts, int runs);

/* As nts_agg_advance, without a look at DISTINCT. */
extern void nts_agg_advance_rows(NtsAggregate *aggregate, const NtsAggVectors *vectors, NtsAggState *state,
								 uint32 first, uint32 count);
/* The result, in the current memory context or the group's memory. */
extern Datum nts_agg_finish(NtsAggregate *aggregate, NtsAggState *state, bool *isnull);
extern Datum nts_agg_numeric_of_sum(const NtsWideSum *sum);

/* ---- aggregate_distinct.c: DISTINCT ---- */

struct NtsSpill;
/* To be reset before anything else. */
extern struct NtsAggDistinct *nts_agg_distinct_make(const NtsAggVectors *vectors, int argument);
/* Forgets all values, as their groups are forgotten. What takes more than `limit` bytes waits in temporary files. */
extern void nts_agg_distinct_reset(struct NtsAggDistinct *distinct, const NtsAggVectors *vectors,
								   struct NtsSpill *spill, Size limit);
/* All rows of the groups were seen: what waits gets to the states. Makes the selection's vectors invalid. */
extern void nts_agg_distinct_finish(NtsAggregate *aggregate, NtsAggVectors *vectors);
/* Bytes of all pairs. */
extern Size nts_agg_distinct_memory(const struct NtsAggDistinct *distinct);
/* Values by reference that come from now on lie where others did. */
extern void nts_agg_distinct_forget_addresses(struct NtsAggDistinct *distinct);
/* As nts_agg_advance, which calls it. */
extern void nts_agg_distinct_advance(NtsAggregate *aggregate, const NtsAggVectors *vectors, NtsAggState *state,
									 uint32 first, uint32 count);
/* count(DISTINCT): some row of the group has this value, not NULL. */
extern void nts_agg_distinct_count(const NtsAggregate *aggregate, const NtsAggVectors *vectors, NtsAggState *state,
								   Datum value);

/* ---- aggregate_partial.c: states for PostgreSQL's combine functions ---- */

/* Is there such a state of this aggregate? */
extern bool nts_agg_has_partial(const Aggref *aggref);
/* Is it what the node is asked for? */
extern bool nts_agg_is_partial(const Aggref *aggref);
/* Instead of nts_agg_finish; memory as there. REQUIRES nts_agg_has_partial. */
extern Datum nts_agg_make_state(NtsAggregate *aggregate, NtsAggState *state, bool *isnull);
/* Averages of floats gather all of a state that others share above. Before states are shared. */
extern void nts_agg_widen(NtsAggregate *aggregates, int count);

/* ---- aggregate_call.c: an aggregate by its own functions ---- */

/* Results, and what is remembered of the functions, live in the current memory context. */
extern struct NtsAggCall *nts_agg_call_init(Aggref *aggref, PlanState *parent, ExprContext *aggcontext,
											ExprContext *tmpcontext);
/* Is it last(value, time)? */
extern bool nts_agg_call_is_last(const NtsAggregate *aggregate);
extern void nts_agg_call_start(struct NtsAggCall *call, NtsAggState *state);
extern void nts_agg_call_advance(const NtsAggregate *aggregate, const NtsAggVectors *vectors, NtsAggState *state,
								 uint32 first, uint32 count);
extern Datum nts_agg_call_finish(struct NtsAggCall *call, NtsAggState *state, bool *isnull);

/* See there; `serialized` is that of the aggregate's serialization function. */
extern Datum nts_agg_call_restore(struct NtsAggCall *call, bytea *serialized, const NtsAggState *rest);

/* ---- aggregate_exact.c: sums and squares in 128 bits ---- */

extern bool nts_agg_is_exact(NtsAggKind kind);
extern Size nts_agg_exact_size(void);
extern void nts_agg_exact_start(const NtsAggregate *aggregate, NtsAggState *state);
extern void nts_agg_exact_advance(NtsAggregate *aggregate, const NtsAggVectors *vectors, NtsAggState *state,
								  uint32 first, uint32 count);
extern Datum nts_agg_exact_finish(NtsAggregate *aggregate, const NtsAggState *state, bool *isnull);
extern void nts_agg_extreme_advance(NtsAggregate *aggregate, const NtsAggVectors *vectors, NtsAggState *state,
									uint32 first, uint32 count);

/* ---- aggregate_groups.c: runs and groups ---- */

typedef struct NtsAggGroup
{
	uint64		hash;
	struct NtsAggGroup *next;	/* in the order of their first rows */
	uint64		nulls;			/* bit k: key k is NULL */
	Datum	   *keys;			/* behind the struct; by reference: in the table's memory */
	NtsAggState *states;
} NtsAggGroup;

#define NTS_AGG_MAX_KEYS 32

typedef struct NtsAggTable NtsAggTable;

/* keys[key_count]: vectors. Memory comes from `context` and goes when that is reset. expected: groups, about. */
extern NtsAggTable *nts_agg_table_make(MemoryContext context, const NtsAggVectors *vectors, const int *keys,
									   int key_count, int state_count, uint64 expected);
/* Cuts the selection: starts[0] = 0, starts[1] ..., starts[n] = count; returns n. */
extern int	nts_agg_table_runs(NtsAggTable *table, const NtsAggVectors *vectors, uint32 count, uint32 **starts);
/*
 * The groups of some rows, as long as each is that of the row before, or the one that was made next: a series often runs
 * through the same buckets as the one before. Returns how many, which may be 0: nothing else is looked at.
 */
extern int	nts_agg_table_follow(NtsAggTable *table, const NtsAggVectors *vectors, const uint32 *rows, int count,
								 NtsAggGroup **groups);
/* The group of a row of the selection; *is_new: its states are still to be started. is_new NULL: one that is there, or
 * NULL. */
extern NtsAggGroup *nts_agg_table_group(NtsAggTable *table, const NtsAggVectors *vectors, uint32 row, bool *is_new);
/* The group of these keys (NULL: a bit of `nulls`); is_new as there. */
extern NtsAggGroup *nts_agg_table_find(NtsAggTable *table, const NtsAggVectors *vectors, const Datum *values,
									   uint64 nulls, bool *is_new);
/* Values by reference that are looked for from now on lie where others did. (nts_agg_table_runs does that, too.) */
extern void nts_agg_table_forget_addresses(NtsAggTable *table);
/* A hash of a row's keys that depends on what they are alone, and on the seed. */
extern uint64 nts_agg_table_hash(const NtsAggTable *table, const NtsAggVectors *vectors, uint32 row, uint64 seed);
extern NtsAggGroup *nts_agg_table_first(NtsAggTable *table);
/*
 * Puts the groups that there are in order: orders[] are k + 1 for key k, -(k + 1) for the same with the greatest first, the
 * first of them the one that matters most; NULLs are the greatest. false: they are not quite in order, for there are very
 * many groups, or, without all_ranks, very many values of a key that a collation compares. (PostgreSQL's sort of groups
 * that are in order already only looks through them.)
 */
extern bool nts_agg_table_order(NtsAggTable *table, const NtsAggVectors *vectors, const int *orders, int order_count,
								bool all_ranks);
/* aggregate_order.c: the same with an array of them; keys[] are the vectors of their keys. */
extern bool nts_agg_sort_groups(NtsAggGroup **groups, uint32 count, const NtsAggVectors *vectors, const int *keys,
								const int *orders, int order_count, bool all_ranks);
/* Begins PostgreSQL's sort of tuples that have the group keys first, in the current memory context. nulls_first NULL: as
 * there. wanted: the first of them; 0: all. */
extern struct Tuplesortstate *nts_agg_begin_sort(TupleDesc desc, const int *orders, int order_count, const bool *nulls_first,
												 int wanted);
extern uint64 nts_agg_table_count(const NtsAggTable *table);
extern Size nts_agg_group_size(int key_count, int state_count);

/* ---- aggregate_statistics.c: without reading rows ---- */

/* May the planner expect it to be answered so? */
extern bool nts_agg_statistics_may_answer(const Aggref *aggref);
/* May all of them be answered so, where statistics are stored? */
extern bool nts_agg_statistics_suffice(const NtsAggregate *aggregates, int count, const NtsAggVectors *vectors);
/* What is stored of some rows. */
struct NtsKeyBounds;
typedef struct NtsAggFacts
{
	uint32		rows;
	const NtsStatistics *(*statistics) (void *scan, int column);
	const struct NtsKeyBounds *(*bounds) (void *scan, int column);	/* or NULL */
	/* Values that some row has, NULL aside; false: not known. Valid until the next call. */
	bool		(*values) (void *scan, int column, NtsScanValues *values);
	void	   *scan;
} NtsAggFacts;

/* Do they say what all of the aggregates need? */
extern bool nts_agg_statistics_known(const NtsAggregate *aggregates, int count, const NtsAggVectors *vectors,
									 const NtsAggFacts *facts);
/* Folds them into the states. REQUIRES nts_agg_statistics_known. */
extern void nts_agg_fold_statistics(const NtsAggregate *aggregates, int count, const NtsAggVectors *vectors,
									NtsAggState *states, const NtsAggFacts *facts);
/* May rows with these statistics (NULL: nothing is known) change the state of a minimum or maximum without FILTER? */
extern bool nts_agg_statistics_may_change(const NtsAggregate *aggregate, const NtsStatistics *s, const NtsAggState *state);
/* May statistics tell that keys are the same in all rows? */
extern bool nts_agg_keys_may_be_constant(const NtsAggVectors *vectors, const int *keys, int key_count);
/* Do they? Sets values[key_count], good until the next selection, and bits of *nulls. */
extern bool nts_agg_constant_keys(NtsAggVectors *vectors, const int *keys, int key_count, const NtsAggFacts *facts,
								  Datum *values, uint64 *nulls);

/* ---- aggregate_path.c: the planner's side ---- */

/* Does it come with PostgreSQL or with this extension? */
extern bool nts_agg_is_known_function(Oid function);
/* Are values of the type equal by this operator only if their bytes are? */
extern bool nts_is_image_equal(Oid type, Oid equality, Oid collation);
/* How many groups these keys (expressions) make of so many rows. */
extern double nts_agg_estimate_groups(PlannerInfo *root, List *keys, double rows);
extern void nts_agg_path_init(const CustomScanMethods *methods);

/* ---- aggregate.c: the node ---- */

extern void nts_aggregate_init(void);

#endif							/* NTS_SCAN_AGGREGATE_H */
