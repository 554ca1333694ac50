/*
 * aggregate_vector.c - the columns and expressions that an aggregate node works on, as vectors of the selected rows.
 *
 * A column whose selected rows lie side by side is used where it was decoded; otherwise the selected values are
 * gathered, so that every loop after this one is over a dense array. An expression is evaluated row by row by the
 * executor, on a slot that holds only the columns it needs; those that cut time into buckets have a faster way
 * (aggregate_bucket.c).
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/scan/aggregate.h"

/* ---- what the vectors are ---- */

typedef struct Renumber
{
	NtsAggVector *vector;
	TupleDesc	desc;			/* of the table */
} Renumber;

/* The copy of an expression in which the k-th column it names is attribute k + 1. */
static Node *
renumber_columns(Node *node, Renumber *renumber)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Var))
	{
		Var		   *var = copyObject((Var *) node);
		NtsAggVector *vector = renumber->vector;
		int			place = 0;

		Assert(var->varattno > 0 && var->varattno <= renumber->desc->natts);
		while (place < vector->inputs && vector->input_columns[place] != var->varattno - 1)
			place++;
		if (place == vector->inputs)
			vector->input_columns[vector->inputs++] = var->varattno - 1;
		var->varno = 1;
		var->varattno = place + 1;
		return (Node *) var;
	}
	return expression_tree_mutator(node, renumber_columns, renumber);
}

/* The state of an expression over no other columns than the vector's own. */
ExprState *
nts_agg_vector_compile(NtsAggVectors *vectors, NtsAggVector *vector, Expr *expr)
{
	Renumber	renumber = {vector, vectors->desc};

	return ExecInitExpr((Expr *) renumber_columns((Node *) expr, &renumber), vectors->parent);
}

static void
prepare_expression(NtsAggVectors *vectors, NtsAggVector *vector)
{
	TupleDesc	desc;

	vector->input_columns = palloc0(sizeof(int) * vectors->desc->natts);
	vector->state = nts_agg_vector_compile(vectors, vector, vector->expr);
	desc = CreateTemplateTupleDesc(vector->inputs);
	for (int i = 0; i < vector->inputs; i++)
		TupleDescCopyEntry(desc, i + 1, vectors->desc, vector->input_columns[i] + 1);
	vector->slot = ExecInitExtraTupleSlot(vectors->parent->state, desc, &TTSOpsVirtual);
	if (vector->bucket != NULL)
		nts_bucket_prepare(vectors, vector);
}

/* The copy of an expression that has the statement's parameters as constants, as plans made for their values do. */
static Node *
bind_parameters(Node *node, ParamListInfo params)
{
	if (node == NULL)
		return NULL;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXTERN)
	{
		Param	   *param = (Param *) node;
		ParamExternData workspace;
		ParamExternData *data;
		int16		typlen;
		bool		typbyval;

		if (params == NULL || param->paramid <= 0 || param->paramid > params->numParams)
			return node;
		data = params->paramFetch != NULL ? params->paramFetch(params, param->paramid, false, &workspace) :
			&params->params[param->paramid - 1];
		if (data->ptype != param->paramtype)
			return node;
		get_typlenbyval(param->paramtype, &typlen, &typbyval);
		return (Node *) makeConst(param->paramtype, param->paramtypmod, param->paramcollid, typlen,
								  data->isnull ? (Datum) 0 : datumCopy(data->value, typbyval, typlen),
								  data->isnull, typbyval);
	}
	return expression_tree_mutator(node, bind_parameters, params);
}

static struct NtsBucket *
find_bucket(NtsAggVectors *vectors, Expr *expr)
{
	ParamListInfo params = vectors->parent->state->es_param_list_info;

	if (params != NULL)
		expr = (Expr *) eval_const_expressions(NULL, bind_parameters((Node *) expr, params));
	return nts_bucket_recognize(expr, vectors->context);
}

int
nts_agg_vectors_add(NtsAggVectors *vectors, Expr *expr, int filter)
{
	bool		is_column = IsA(expr, Var);
	NtsAggVector *vector;
	MemoryContext old;
	int			input = -1;
	struct NtsBucket *bucket = NULL;

	if (is_column)
		filter = -1;
	for (int i = 0; i < vectors->count; i++)
		if (vectors->vectors[i].filter == filter && equal(vectors->vectors[i].expr, expr))
			return i;
	old = MemoryContextSwitchTo(vectors->context);
	if (!is_column && filter < 0)
		bucket = find_bucket(vectors, expr);
	if (bucket != NULL)
		input = nts_agg_vectors_add(vectors, (Expr *) nts_bucket_input(bucket), -1);
	if (vectors->count == vectors->room)
	{
		vectors->room = Max(8, vectors->room * 2);
		vectors->vectors = vectors->vectors == NULL ? palloc(sizeof(NtsAggVector) * vectors->room) :
			repalloc(vectors->vectors, sizeof(NtsAggVector) * vectors->room);
	}
	vector = &vectors->vectors[vectors->count];
	memset(vector, 0, sizeof(NtsAggVector));
	vector->expr = expr;
	vector->filter = filter;
	vector->column = is_column ? ((Var *) expr)->varattno - 1 : -1;
	vector->bucket = bucket;
	vector->input = input;
	vector->change_count = -1;
	vector->type = getBaseType(exprType((Node *) expr));
	get_typlenbyval(vector->type, &vector->typlen, &vector->typbyval);
	if (!is_column)
		prepare_expression(vectors, vector);
	MemoryContextSwitchTo(old);
	return vectors->count++;
}

/* ---- a selection's values ---- */

void
nts_agg_vector_make_room(NtsAggVectors *vectors, NtsAggVector *vector, uint32 count)
{
	if (vector->room >= count)
		return;
	if (vector->own_values != NULL)
	{
		pfree(vector->own_values);
		pfree(vector->own_nulls);
		if (vector->changes != NULL)
			pfree(vector->changes);
		vector->own_values = NULL;
	}
	vector->room = Max(count, 1024);
	if (vector->bucket != NULL)
		vector->changes = MemoryContextAllocHuge(vectors->context, sizeof(uint32) * vector->room);
	vector->own_values = MemoryContextAllocHuge(vectors->context, sizeof(Datum) * vector->room);
	vector->own_nulls = MemoryContextAllocHuge(vectors->context, vector->room);
}

static NtsColumnData *
filled_column(NtsVectorSet *set, int column)
{
	if (!set->columns[column].filled)
		nts_vector_set_fill(set, column);
	return &set->columns[column];
}

/* Leaves out nulls where there are none, and makes the words of NULLs 0. */
static void
settle_nulls(NtsAggVector *vector, uint32 count)
{
	if (vector->ascends || memchr(vector->nulls, 1, count) == NULL)
		vector->nulls = NULL;
}

static void
load_column(NtsAggVectors *vectors, NtsAggVector *vector, const NtsSelection *selection)
{
	NtsColumnData *data = filled_column(selection->set, vector->column);
	uint32		count = selection->count;
	const uint32 *rows = selection->rows;

	vector->uniform = data->uniform;
	/* of all rows of the set, so of those selected, too */
	vector->ascends = data->order_known && data->ascends;
	if (rows == NULL || data->uniform || rows[count - 1] - rows[0] == count - 1)
	{
		uint32		first = rows == NULL ? 0 : rows[0];

		vector->values = data->values + first;
		vector->nulls = data->nulls + first;
	}
	else
	{
		nts_agg_vector_make_room(vectors, vector, count);
		nts_gather_words((const uint64 *) data->values, rows, count, (uint64 *) vector->own_values);
		nts_gather_bytes(data->nulls, rows, count, vector->own_nulls);
		vector->values = vector->own_values;
		vector->nulls = vector->own_nulls;
	}
	settle_nulls(vector, count);
}

/* Is the filter's value for row i true? */
static inline bool
passes(const NtsAggVector *filter, uint32 i)
{
	return (filter->nulls == NULL || !filter->nulls[i]) && DatumGetBool(filter->values[i]);
}

/*
 * A key or argument that outlives the row it was made from: varlenas in one piece, words sign-extended as those of
 * columns are (some functions leave the upper bits 0: hashtext).
 */
static Datum
plain_result(const NtsAggVector *vector, Datum value)
{
	if (vector->typlen == -1)
		return PointerGetDatum(PG_DETOAST_DATUM_PACKED(value));
	if (vector->typbyval && vector->typlen == 4)
		return (Datum) (int64) (int32) value;
	if (vector->typbyval && vector->typlen == 2)
		return (Datum) (int64) (int16) value;
	if (vector->typbyval && vector->typlen == 1)
		return (Datum) (int64) (int8) value;
	return value;
}

/* Has the column in row i of the selection the same word as in the row before? */
static bool
is_repeated(const NtsColumnData *data, const uint32 *rows, uint32 i)
{
	uint32		row = rows == NULL ? i : rows[i];
	uint32		before = i == 0 ? row : rows == NULL ? i - 1 : rows[i - 1];

	return i > 0 && data->values[row] == data->values[before] && data->nulls[row] == data->nulls[before];
}

static void
load_expression(NtsAggVectors *vectors, NtsAggVector *vector, const NtsSelection *selection)
{
	const NtsAggVector *filter = vector->filter < 0 ? NULL : &vectors->vectors[vector->filter];
	ExprContext *econtext = vectors->econtext;
	TupleTableSlot *slot = vector->slot;
	const NtsColumnData *only;

	nts_agg_vector_make_room(vectors, vector, selection->count);
	vector->values = vector->own_values;
	vector->nulls = vector->own_nulls;
	for (int k = 0; k < vector->inputs; k++)
		filled_column(selection->set, vector->input_columns[k]);
	/* of one column: evaluated again only where that changes */
	only = vector->inputs == 1 && filter == NULL ? &selection->set->columns[vector->input_columns[0]] : NULL;
	vector->uniform = only != NULL && only->uniform;
	econtext->ecxt_scantuple = slot;
	for (uint32 i = 0; i < selection->count; i++)
	{
		uint32		row = selection->rows == NULL ? i : selection->rows[i];
		bool		isnull = true;
		Datum		value = (Datum) 0;

		if (only != NULL && is_repeated(only, selection->rows, i))
		{
			vector->values[i] = vector->values[i - 1];
			vector->nulls[i] = vector->nulls[i - 1];
			continue;
		}
		if (filter == NULL || passes(filter, i))
		{
			ExecClearTuple(slot);
			for (int k = 0; k < vector->inputs; k++)
			{
				NtsColumnData *data = &selection->set->columns[vector->input_columns[k]];

				slot->tts_values[k] = data->values[row];
				slot->tts_isnull[k] = data->nulls[row];
			}
			ExecStoreVirtualTuple(slot);
			value = ExecEvalExprSwitchContext(vector->state, econtext, &isnull);
		}
		vector->values[i] = isnull ? (Datum) 0 : plain_result(vector, value);
		vector->nulls[i] = isnull;
	}
	settle_nulls(vector, selection->count);
}

static void
load_bucket(NtsAggVectors *vectors, NtsAggVector *vector, uint32 count)
{
	nts_agg_vector_make_room(vectors, vector, count);
	vector->uniform = false;
	nts_bucket_fill(vectors, vector, &vectors->vectors[vector->input], count);
	vector->values = vector->own_values;
	vector->nulls = vector->own_nulls;
	settle_nulls(vector, count);
}

void
nts_agg_vectors_load(NtsAggVectors *vectors, const NtsSelection *selection)
{
	MemoryContext old;

	ResetExprContext(vectors->econtext);
	old = MemoryContextSwitchTo(vectors->econtext->ecxt_per_tuple_memory);
	for (int i = 0; i < vectors->count; i++)
	{
		NtsAggVector *vector = &vectors->vectors[i];

		if (vector->column >= 0)
			load_column(vectors, vector, selection);
		else if (vector->bucket != NULL)
			load_bucket(vectors, vector, selection->count);
		else
			load_expression(vectors, vector, selection);
	}
	MemoryContextSwitchTo(old);
}

Datum
nts_agg_vector_evaluate(NtsAggVectors *vectors, NtsAggVector *vector, ExprState *state, Datum value, bool value_isnull,
						bool *isnull)
{
	TupleTableSlot *slot = vector->slot;
	Datum		result;

	Assert(vector->inputs == 1);
	ExecClearTuple(slot);
	slot->tts_values[0] = value;
	slot->tts_isnull[0] = value_isnull;
	ExecStoreVirtualTuple(slot);
	vectors->econtext->ecxt_scantuple = slot;
	result = ExecEvalExprSwitchContext(state, vectors->econtext, isnull);
	if (*isnull)
		return (Datum) 0;
	/* parts of the expression are of types of their own */
	return state == vector->state ? plain_result(vector, result) : result;
}
