/*
 * filter_bucket.c - conditions on buckets of a column, evaluated once a bucket instead of once a row.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "utils/rel.h"

#include "pg/scan/aggregate.h"
#include "pg/scan/filter_bucket.h"

struct NtsFilterBucket
{
	NtsAggVectors vectors;		/* the bucket's, for its stretches */
	int			vector;
	ExprState  *clause;
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
	return filter;
}

void
nts_filter_bucket_forget(NtsFilterBucket *filter)
{
	filter->begin = filter->end = 0;
}

bool
nts_filter_bucket_passes(NtsFilterBucket *filter, int64 value)
{
	NtsAggVectors *vectors = &filter->vectors;
	NtsAggVector *vector = &vectors->vectors[filter->vector];
	Datum		result;
	bool		isnull;

	if (value >= filter->begin && value < filter->end)
		return filter->passes;
	ResetExprContext(vectors->econtext);
	/* first: it may fail */
	filter->begin = filter->end = value;
	result = nts_agg_vector_evaluate(vectors, vector, filter->clause, (Datum) value, false, &isnull);
	nts_bucket_stretch(vectors, vector, value, &filter->begin, &filter->end);
	return filter->passes = !isnull && DatumGetBool(result);
}

bool
nts_filter_bucket_constant(NtsFilterBucket *filter, int64 min, int64 max, bool *passes)
{
	*passes = nts_filter_bucket_passes(filter, min);
	return min == max || (min >= filter->begin && max < filter->end);
}
