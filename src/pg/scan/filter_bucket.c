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

static bool
evaluate(NtsFilterBucket *filter, int64 value)
{
	bool		isnull;
	Datum		result = nts_agg_vector_evaluate(&filter->vectors, &filter->vectors.vectors[filter->vector], filter->clause,
												 (Datum) value, false, &isnull);

	return !isnull && DatumGetBool(result);
}

/* Empty before a call that may fail. */
static void
find_stretch(NtsFilterBucket *filter, int64 value)
{
	filter->begin = filter->end = 0;
	ResetExprContext(filter->vectors.econtext);
	nts_bucket_stretch(&filter->vectors, &filter->vectors.vectors[filter->vector], value, &filter->begin, &filter->end);
}

bool
nts_filter_bucket_passes(NtsFilterBucket *filter, int64 value)
{
	int64		end;

	if (holds(filter, value))
		return filter->passes;
	find_stretch(filter, value);
	end = filter->end;
	filter->end = filter->begin;
	filter->passes = evaluate(filter, value);
	filter->end = end;
	return filter->passes;
}

bool
nts_filter_bucket_constant(NtsFilterBucket *filter, int64 min, int64 max, bool *passes)
{
	if (!holds(filter, min))
	{
		find_stretch(filter, min);
		if (!holds(filter, min) || !holds(filter, max))
		{
			/* rows with the least value may be left out before anybody looks at them */
			filter->end = filter->begin;
			return false;
		}
		filter->end = filter->begin;
	}
	*passes = nts_filter_bucket_passes(filter, min);
	return holds(filter, max);
}
