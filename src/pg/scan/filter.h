/*
 * filter.h - conditions that are evaluated on vectors.
 *
 * A filter is built from an expression twice: by the planner, to learn whether it can be one, and by the executor. Its
 * constants are evaluated once a scan. A verdict says what statistics tell of all rows of a row group or vector.
 */
#ifndef NTS_SCAN_FILTER_H
#define NTS_SCAN_FILTER_H

#include "postgres.h"

#include "nodes/execnodes.h"

#include "pg/am/am.h"

typedef enum NtsFilterKind
{
	NTS_FILTER_AND,
	NTS_FILTER_OR,
	NTS_FILTER_COMPARE,			/* word column, constant */
	NTS_FILTER_IN,				/* word column, some constants */
	NTS_FILTER_NULL,			/* IS [NOT] NULL */
	NTS_FILTER_BUCKET,			/* a bucket of a word column, compared: once a bucket */
	NTS_FILTER_BYTES,			/* byte string column equal to one of some constants */
	NTS_FILTER_EXPRESSION		/* any expression of one by-reference column: once for each distinct value met */
} NtsFilterKind;

typedef enum NtsVerdict
{
	NTS_VERDICT_SOME = 0,
	NTS_VERDICT_NONE = 1,		/* no row passes */
	NTS_VERDICT_ALL = 2			/* every row passes */
} NtsVerdict;

typedef struct NtsBytes
{
	const uint8 *bytes;
	uint32		length;
	uint64		start;			/* the first eight, the first one highest, with zeros behind the end */
} NtsBytes;

#define NTS_FILTER_MEMO 64

typedef struct NtsFilter
{
	NtsFilterKind kind;
	int			column;			/* 0-based; of AND and OR -1 */
	/* AND, OR */
	int			count;
	struct NtsFilter **args;
	/* constants */
	int32		order;			/* NtsWordOrder */
	int32		compare;		/* NtsCompare; with a comparer it may change with the constant */
	/* COMPARE and IN with constants of another type: word and compare, or words, are found with these; or NULL */
	FmgrInfo   *cast;			/* of the column's value, or NULL */
	FmgrInfo   *cast_back;		/* IN: of a constant that lies within the column's type, rounding */
	FmgrInfo   *comparer;		/* of the (cast) value and the constant. COMPARE: the condition; IN: their order */
	int16		width;			/* of the column's type */
	bool		begins;			/* the condition holds from the word on; otherwise up to it */
	bool		has_guess;		/* the word is that of the constant before */
	bool		is_null;		/* NULL: wants NULL */
	Oid			type;			/* of the constant, or of the array's elements */
	ExprState  *constant;		/* NULL at planning */
	Expr	   *expression;		/* of the constant; of EXPRESSION the whole */
	struct NtsFilterBucket *bucket; /* BUCKET, not at planning */
	bool		never;			/* no row passes: the constant is NULL, or nothing compares so */
	uint64		word;
	uint64	   *words;			/* sorted, distinct */
	NtsBytes   *strings;		/* sorted bytewise, distinct */
	int			constants;		/* of words or strings */
	/* what the values that the row group at hand lists come to: bit i % 64 of value i */
	const NtsValueList *listed; /* or NULL */
	uint64		passing;
	uint64		failing;
	bool		null_passes;
	/* what the scan knows */
	bool		decides_series;	/* of the last rows at hand: nts_filter_decides_series */
	NtsVerdict	of_group;
	NtsVerdict	verdict;		/* of the vector at hand */
	/* EXPRESSION, BYTES: results by address of the value, within one vector set */
	uintptr_t	memo_address[NTS_FILTER_MEMO];
	bool		memo_result[NTS_FILTER_MEMO];
} NtsFilter;

/* How words of this type are ordered (NtsWordOrder); 0: its btree order is not that of words. */
extern int32 nts_filter_word_order(Oid type);

/* The number of the relation's column that an expression is, with or without a relabelling; 0: none. */
extern AttrNumber nts_filter_column(Node *node, Index relid);

/*
 * NULL: this clause cannot be a filter on relation `relid`. parent: the node that will evaluate it; NULL at planning,
 * then nothing is evaluated.
 */
extern NtsFilter *nts_filter_build(Expr *clause, Index relid, PlanState *parent);

/* Evaluates the constants anew, in `context`. */
extern void nts_filter_set_constants(NtsFilter *filter, ExprContext *econtext, MemoryContext context);

/*
 * What is known of a row group or vector: statistics of a column, bounds, the values that occur; each may be NULL. A
 * vector's are those that its row group was judged by: `values` is NULL then.
 */
typedef struct NtsFilterFacts
{
	const NtsStatistics *(*statistics) (void *scan, int column);
	const NtsKeyBounds *(*bounds) (void *scan, int column);
	const NtsValueList *(*values) (void *scan, int column);
	void	   *scan;
	uint32		vector;			/* of the row group */
	/* with values: as for nts_filter_apply; a set of no rows whose columns hold nothing */
	NtsVectorSet *probe;
	ExprContext *econtext;
	TupleTableSlot *slot;
} NtsFilterFacts;

extern NtsVerdict nts_filter_judge(NtsFilter *filter, const NtsFilterFacts *facts);
/*
 * Of BYTES: the first vector from `vector` on that judging by bounds does not leave out; `count` if there is none. bounds:
 * of the row group's `count` vectors. The same of a segment's row groups. REQUIRES: a constant.
 */
extern uint32 nts_filter_next_vector(const NtsFilter *filter, const NtsKeyBounds *bounds, uint32 vector, uint32 count);
/* If the last row, by time, of a series of the segment fails, do all of its rows? */
extern bool nts_filter_decides_series(const NtsFilter *filter, const NtsSegmentInfo *segment);
/* Forgets the values of the row group before. */
extern void nts_filter_enter_group(NtsFilter *filter);

/*
 * keep[i] stays 1 only where row i of the set passes. slot: a virtual one of the set's row type, the scan tuple of
 * econtext.
 */
extern void nts_filter_apply(NtsFilter *filter, NtsVectorSet *set, uint8 *keep, ExprContext *econtext,
							 TupleTableSlot *slot);
/* Does it let rows side by side pass, in a column whose words ascend, none of them NULL? */
extern bool nts_filter_is_range(const NtsFilter *filter);
/* Narrows rows [*first, *end) of such a column to those that pass. */
extern void nts_filter_narrow_range(const NtsFilter *filter, const NtsColumnData *data, uint32 *first, uint32 *end);
/* Narrows [*low, *high] to the words of a column, ordered as ints, that the filter may let pass. */
extern void nts_filter_bound_words(const NtsFilter *filter, int column, int64 *low, int64 *high);
/* Forgets results by address: another vector set follows. */
extern void nts_filter_forget(NtsFilter *filter);

#endif							/* NTS_SCAN_FILTER_H */
