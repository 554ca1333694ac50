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

/* Evaluates the clause for a value, and so for the stretch that it lies in. */
static void
evaluate(NtsFilterBucket *filter, int64 value, int64 begin, int64 end)
{
	bool		isnull;
	Datum		result;

	/* nothing is known, if it fails */
	nts_filter_bucket_forget(filter);
	result = nts_agg_vector_evaluate(&filter->vectors, &filter->vectors.vectors[filter->vector], filter->clause,
									 (Datum) value, false, &isnull);
	filter->passes = !isnull && DatumGetBool(result);
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

bool
nts_filter_bucket_constant(NtsFilterBucket *filter, int64 min, int64 max, bool *passes)
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
	*passes = filter->passes;
	return holds(filter, max);
}
