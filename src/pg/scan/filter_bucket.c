/*
 * filter_bucket.c - conditions on buckets of a column, evaluated once a bucket instead of once a row.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "access/transam.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "pg/scan/aggregate.h"
#include "pg/scan/filter_bucket.h"

/* Of buckets whose values rise with the column's: which pass. */
typedef enum PassingPart
{
	PART_UNKNOWN,
	PART_LOWER,
	PART_MIDDLE,
	PART_UPPER
} PassingPart;

struct NtsFilterBucket
{
	NtsAggVectors vectors;		/* the bucket's, for its stretches */
	int			vector;
	ExprState  *clause;
	PassingPart part;
	/* of PART_MIDDLE: is the bucket before, behind all that pass? */
	ExprState  *below;
	ExprState  *above;
	/* values in [begin, end) pass or not; empty at first */
	int64		begin;
	int64		end;
	bool		passes;
};

Var *
nts_filter_bucket_column(Node *expr)
{
	struct NtsBucket *bucket = nts_bucket_recognize((Expr *) expr, CurrentMemoryContext);

	return bucket == NULL || !nts_bucket_is_plain(bucket) ? NULL : nts_bucket_input(bucket);
}

/* PostgreSQL's own order of the operator; NULL: it has none, or is <>. The caller frees nothing. */
static const OpBtreeInterpretation *
order_of_operator(Oid operator)
{
	ListCell   *cell;

	foreach(cell, get_op_btree_interpretation(operator))
	{
		const OpBtreeInterpretation *order = lfirst(cell);

		if (order->opfamily_id < FirstNormalObjectId && order->strategy <= BTMaxStrategyNumber)
			return order;
	}
	return NULL;
}

/* The clause with another operator of that order; an array must have it of all elements. NULL: there is none. */
static ExprState *
compile_variant(NtsFilterBucket *filter, const Expr *clause, const OpBtreeInterpretation *order, int strategy)
{
	Oid			operator = get_opfamily_member(order->opfamily_id, order->oplefttype, order->oprighttype, strategy);
	Expr	   *variant = copyObjectImpl(clause);

	if (!OidIsValid(operator))
		return NULL;
	if (IsA(variant, OpExpr))
	{
		((OpExpr *) variant)->opno = operator;
		((OpExpr *) variant)->opfuncid = get_opcode(operator);
	}
	else
	{
		ScalarArrayOpExpr *array = castNode(ScalarArrayOpExpr, variant);

		array->opno = operator;
		array->opfuncid = get_opcode(operator);
		array->useOr = false;
		array->hashfuncid = array->negfuncid = InvalidOid;
	}
	return nts_agg_vector_compile(&filter->vectors, &filter->vectors.vectors[filter->vector], variant);
}

static void
find_part(NtsFilterBucket *filter, Expr *clause, Expr *bucket)
{
	bool		is_array = IsA(clause, ScalarArrayOpExpr);
	const OpBtreeInterpretation *order = order_of_operator(is_array ? ((ScalarArrayOpExpr *) clause)->opno :
														   castNode(OpExpr, clause)->opno);
	bool		turned;			/* the constant stands first */
	int			less;

	if (order == NULL || !nts_bucket_is_rising(filter->vectors.vectors[filter->vector].bucket) ||
		(is_array && order->strategy != BTEqualStrategyNumber))
		return;
	turned = !is_array && !equal(linitial(((OpExpr *) clause)->args), bucket);
	if (order->strategy != BTEqualStrategyNumber)
	{
		filter->part = (order->strategy < BTEqualStrategyNumber) != turned ? PART_LOWER : PART_UPPER;
		return;
	}
	less = turned ? BTGreaterStrategyNumber : BTLessStrategyNumber;
	filter->below = compile_variant(filter, clause, order, less);
	filter->above = compile_variant(filter, clause, order, BTMaxStrategyNumber + 1 - less);
	if (filter->below != NULL && filter->above != NULL)
		filter->part = PART_MIDDLE;
}

NtsFilterBucket *
nts_filter_bucket_make(Expr *clause, Expr *bucket, ScanState *parent)
{
	NtsFilterBucket *filter = palloc0(sizeof(NtsFilterBucket));

	filter->vectors.parent = &parent->ps;
	filter->vectors.desc = RelationGetDescr(parent->ss_currentRelation);
	filter->vectors.econtext = CreateExprContext(parent->ps.state);
	filter->vectors.context = CurrentMemoryContext;
	filter->vector = nts_agg_vectors_add(&filter->vectors, bucket, -1);
	filter->clause = nts_agg_vector_compile(&filter->vectors, &filter->vectors.vectors[filter->vector], clause);
	find_part(filter, clause, bucket);
	return filter;
}

void
nts_filter_bucket_forget(NtsFilterBucket *filter)
{
	filter->begin = filter->end = 0;
}

static bool
holds(const NtsFilterBucket *filter, int64 value)
{
	return value >= filter->begin && value < filter->end;
}

static void
find_stretch(NtsFilterBucket *filter, int64 value, int64 *begin, int64 *end)
{
	ResetExprContext(filter->vectors.econtext);
	nts_bucket_stretch(&filter->vectors, &filter->vectors.vectors[filter->vector], value, begin, end);
}

static bool
is_true(NtsFilterBucket *filter, ExprState *clause, int64 value)
{
	bool		isnull;
	Datum		result = nts_agg_vector_evaluate(&filter->vectors, &filter->vectors.vectors[filter->vector], clause,
												 (Datum) value, false, &isnull);

	return !isnull && DatumGetBool(result);
}

/* Evaluates the clause for a value, and so for the stretch that it lies in. */
static void
evaluate(NtsFilterBucket *filter, int64 value, int64 begin, int64 end)
{
	/* nothing is known, if it fails */
	nts_filter_bucket_forget(filter);
	filter->passes = is_true(filter, filter->clause, value);
	filter->begin = begin;
	filter->end = end;
}

bool
nts_filter_bucket_passes(NtsFilterBucket *filter, int64 value)
{
	int64		begin;
	int64		end;

	if (!holds(filter, value))
	{
		find_stretch(filter, value, &begin, &end);
		evaluate(filter, value, begin, end);
	}
	return filter->passes;
}

/* Do values from min to max lie in one stretch? Then it is the one at hand. */
static bool
is_one_stretch(NtsFilterBucket *filter, int64 min, int64 max)
{
	int64		begin;
	int64		end;

	if (!holds(filter, min))
	{
		find_stretch(filter, min, &begin, &end);
		/* rows with the least value may be left out before anybody looks at them */
		if (min < begin || max >= end)
			return false;
		evaluate(filter, min, begin, end);
	}
	return holds(filter, max);
}

NtsVerdict
nts_filter_bucket_judge(NtsFilterBucket *filter, int64 min, int64 max)
{
	int64		low;
	int64		high;

	if (is_one_stretch(filter, min, max))
		return filter->passes ? NTS_VERDICT_ALL : NTS_VERDICT_NONE;
	if (filter->part == PART_UNKNOWN ||
		!nts_bucket_rising_range(filter->vectors.vectors[filter->vector].bucket, min, max, &low, &high))
		return NTS_VERDICT_SOME;
	ResetExprContext(filter->vectors.econtext);
	if (filter->part == PART_MIDDLE)
		return is_true(filter, filter->below, high) || is_true(filter, filter->above, low) ? NTS_VERDICT_NONE :
			NTS_VERDICT_SOME;
	if (!is_true(filter, filter->clause, filter->part == PART_LOWER ? low : high))
		return NTS_VERDICT_NONE;
	return is_true(filter, filter->clause, filter->part == PART_LOWER ? high : low) ? NTS_VERDICT_ALL : NTS_VERDICT_SOME;
}
