/*
 * aggregate_call.c - aggregates that have no loop of their own: their transition and final functions, called row by
 * row as the executor's Agg node does.
 *
 * The functions ask their caller for the memory of their state (AggCheckCallContext), so they are handed an AggState
 * that has nothing but that. Only functions of PostgreSQL and of this extension are called (aggregate_path.c sees to
 * it): none of them looks at more of it.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_aggregate.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "parser/parse_agg.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/expandeddatum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "pg/functions/functions.h"
#include "pg/scan/aggregate.h"

typedef struct NtsAggCall
{
	FmgrInfo	transfn;
	FmgrInfo	finalfn;		/* fn_oid is invalid: the state is the result */
	FunctionCallInfo transcall;
	FunctionCallInfo finalcall;
	Oid			combine;
	Oid			deserialize;
	FunctionCallInfo combinecall;	/* NULL: not needed yet */
	FunctionCallInfo deserializecall;
	AggState   *caller;			/* what functions see of the node */
	int			nargs;			/* of the aggregate */
	bool		idempotent;		/* min, max: the same value again changes nothing */
	Datum		initial;
	bool		initial_isnull;
	int16		state_typlen;
	bool		state_byval;
	MemoryContext aggregate_memory;
	MemoryContext row_memory;
} NtsAggCall;

/* ---- set-up ---- */

static Datum
initial_value(HeapTuple tuple, Oid type, bool *isnull)
{
	Datum		initial = SysCacheGetAttr(AGGFNOID, tuple, Anum_pg_aggregate_agginitval, isnull);
	Oid			input;
	Oid			ioparam;

	if (*isnull)
		return (Datum) 0;
	getTypeInputInfo(type, &input, &ioparam);
	return OidInputFunctionCall(input, TextDatumGetCString(initial), ioparam, -1);
}

/* What is called at the end: a partial aggregate's state of type internal is serialized. */
static Oid
final_function(const Aggref *aggref, Form_pg_aggregate form)
{
	if (!nts_agg_is_partial(aggref))
		return form->aggfinalfn;
	return aggref->aggtranstype == INTERNALOID ? form->aggserialfn : InvalidOid;
}

static int
final_arguments(const Aggref *aggref, Form_pg_aggregate form)
{
	return 1 + (form->aggfinalextra && !nts_agg_is_partial(aggref) ? list_length(aggref->aggargtypes) : 0);
}

static void
set_functions(NtsAggCall *call, Aggref *aggref, Form_pg_aggregate form)
{
	Oid			types[FUNC_MAX_ARGS];
	int			ntypes = get_aggregate_argtypes(aggref, types);
	int			nfinal = final_arguments(aggref, form);
	Oid			final = final_function(aggref, form);
	Expr	   *transexpr;
	Expr	   *finalexpr;

	build_aggregate_transfn_expr(types, ntypes, 0, aggref->aggvariadic, aggref->aggtranstype, aggref->inputcollid,
								 form->aggtransfn, InvalidOid, &transexpr, NULL);
	fmgr_info(form->aggtransfn, &call->transfn);
	fmgr_info_set_expr((Node *) transexpr, &call->transfn);
	call->transcall = palloc0(SizeForFunctionCallInfo(call->nargs + 1));
	if (!OidIsValid(final))
		return;
	build_aggregate_finalfn_expr(types, nfinal, aggref->aggtranstype, aggref->aggtype, aggref->inputcollid,
								 final, &finalexpr);
	fmgr_info(final, &call->finalfn);
	fmgr_info_set_expr((Node *) finalexpr, &call->finalfn);
	call->finalcall = palloc0(SizeForFunctionCallInfo(nfinal));
	for (int i = 1; i < nfinal; i++)
		call->finalcall->args[i].isnull = true;
}

bool
nts_agg_call_is_last(const NtsAggregate *aggregate)
{
	return aggregate->kind == NTS_AGG_CALL && aggregate->call->transfn.fn_addr == nts_last_step;
}

struct NtsAggCall *
nts_agg_call_init(Aggref *aggref, PlanState *parent, ExprContext *aggcontext, ExprContext *tmpcontext)
{
	NtsAggCall *call = palloc0(sizeof(NtsAggCall));
	HeapTuple	tuple = SearchSysCache1(AGGFNOID, ObjectIdGetDatum(aggref->aggfnoid));
	AggState   *caller = makeNode(AggState);
	Form_pg_aggregate form;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for aggregate %u", aggref->aggfnoid);
	form = (Form_pg_aggregate) GETSTRUCT(tuple);
	call->caller = caller;
	call->combine = form->aggcombinefn;
	call->deserialize = form->aggdeserialfn;
	caller->ss.ps.state = parent->state;
	caller->curaggcontext = aggcontext;
	caller->tmpcontext = tmpcontext;
	call->nargs = list_length(aggref->args);
	call->idempotent = OidIsValid(form->aggsortop);
	call->aggregate_memory = aggcontext->ecxt_per_tuple_memory;
	call->row_memory = tmpcontext->ecxt_per_tuple_memory;
	get_typlenbyval(aggref->aggtranstype, &call->state_typlen, &call->state_byval);
	set_functions(call, aggref, form);
	InitFunctionCallInfoData(*call->transcall, &call->transfn, call->nargs + 1, aggref->inputcollid,
							 (Node *) caller, NULL);
	if (call->finalcall != NULL)
		InitFunctionCallInfoData(*call->finalcall, &call->finalfn, final_arguments(aggref, form),
								 aggref->inputcollid, (Node *) caller, NULL);
	call->initial = initial_value(tuple, aggref->aggtranstype, &call->initial_isnull);
	ReleaseSysCache(tuple);
	return call;
}

void
nts_agg_call_start(struct NtsAggCall *call, NtsAggState *state)
{
	MemoryContext old = MemoryContextSwitchTo(call->aggregate_memory);

	state->call.isnull = call->initial_isnull;
	state->call.unset = call->initial_isnull;
	state->call.value = call->initial_isnull ? (Datum) 0 :
		datumCopy(call->initial, call->state_byval, call->state_typlen);
	MemoryContextSwitchTo(old);
}

/* ---- rows ---- */

/* A state that a function made: moved into the groups' memory, and the one before it freed. */
static Datum
keep_state(NtsAggCall *call, Datum value, bool isnull, Datum before, bool before_isnull)
{
	if (!isnull)
	{
		MemoryContext old = MemoryContextSwitchTo(call->aggregate_memory);

		if (!(DatumIsReadWriteExpandedObject(value, false, call->state_typlen) &&
			  MemoryContextGetParent(DatumGetEOHP(value)->eoh_context) == call->aggregate_memory))
			value = datumCopy(value, call->state_byval, call->state_typlen);
		MemoryContextSwitchTo(old);
	}
	if (!before_isnull)
	{
		if (DatumIsReadWriteExpandedObject(before, false, call->state_typlen))
			DeleteExpandedObject(before);
		else
			pfree(DatumGetPointer(before));
	}
	return value;
}

/* One row, whose arguments are in transcall->args[1...]. */
static void
advance_row(NtsAggCall *call, NtsAggState *state)
{
	FunctionCallInfo fcinfo = call->transcall;
	Datum		value;

	if (call->transfn.fn_strict)
	{
		for (int i = 1; i <= call->nargs; i++)
			if (fcinfo->args[i].isnull)
				return;
		if (state->call.unset)
		{
			MemoryContext old = MemoryContextSwitchTo(call->aggregate_memory);

			state->call.value = datumCopy(fcinfo->args[1].value, call->state_byval, call->state_typlen);
			state->call.isnull = false;
			state->call.unset = false;
			MemoryContextSwitchTo(old);
			return;
		}
		if (state->call.isnull)
			return;
	}
	fcinfo->args[0].value = state->call.value;
	fcinfo->args[0].isnull = state->call.isnull;
	fcinfo->isnull = false;
	value = FunctionCallInvoke(fcinfo);
	if (!call->state_byval && DatumGetPointer(value) != DatumGetPointer(state->call.value))
		value = keep_state(call, value, fcinfo->isnull, state->call.value, state->call.isnull);
	state->call.value = value;
	state->call.isnull = fcinfo->isnull;
}

void
nts_agg_call_advance(const NtsAggregate *aggregate, const NtsAggVectors *vectors, NtsAggState *state, uint32 first,
					 uint32 count)
{
	NtsAggCall *call = aggregate->call;
	FunctionCallInfo fcinfo = call->transcall;
	MemoryContext old = MemoryContextSwitchTo(call->row_memory);
	const NtsAggVector *only = call->idempotent && call->nargs == 1 ? &vectors->vectors[aggregate->args[0]] : NULL;
	Datum		fed = (Datum) 0;
	bool		any = false;

	for (uint32 i = first; i < first + count; i++)
	{
		if (aggregate->skip != NULL && aggregate->skip[i])
			continue;
		if (only != NULL)
		{
			if (only->nulls != NULL && only->nulls[i])
				continue;
			/* values that one vector repeats often share an address */
			if (any && only->values[i] == fed)
				continue;
			fed = only->values[i];
			any = true;
		}
		for (int k = 0; k < call->nargs; k++)
		{
			const NtsAggVector *vector = &vectors->vectors[aggregate->args[k]];

			fcinfo->args[k + 1].value = vector->values[i];
			fcinfo->args[k + 1].isnull = vector->nulls != NULL && vector->nulls[i];
		}
		advance_row(call, state);
	}
	MemoryContextSwitchTo(old);
}

/* ---- serialized states ---- */

static FunctionCallInfo
call_of_two(NtsAggCall *call, Oid function)
{
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(call));
	FmgrInfo   *info = palloc(sizeof(FmgrInfo));
	FunctionCallInfo fcinfo = palloc0(SizeForFunctionCallInfo(2));

	fmgr_info(function, info);
	InitFunctionCallInfoData(*fcinfo, info, 2, InvalidOid, (Node *) call->caller, NULL);
	MemoryContextSwitchTo(old);
	return fcinfo;
}

/*
 * The state (of type internal) that was serialized so, combined with that of `rest` unless it is NULL; in the current
 * memory context. For aggregates of PostgreSQL that have such functions.
 */
Datum
nts_agg_call_restore(struct NtsAggCall *call, bytea *serialized, const NtsAggState *rest)
{
	FunctionCallInfo fcinfo;
	Datum		state;

	if (call->deserializecall == NULL)
	{
		call->deserializecall = call_of_two(call, call->deserialize);
		call->combinecall = call_of_two(call, call->combine);
	}
	fcinfo = call->deserializecall;
	fcinfo->args[0].value = PointerGetDatum(serialized);
	fcinfo->isnull = false;
	state = FunctionCallInvoke(fcinfo);
	if (rest == NULL)
		return state;
	fcinfo = call->combinecall;
	fcinfo->args[0].value = state;
	fcinfo->args[1].value = rest->call.value;
	fcinfo->args[1].isnull = rest->call.isnull;
	fcinfo->isnull = false;
	return FunctionCallInvoke(fcinfo);
}

/* ---- results ---- */

Datum
nts_agg_call_finish(struct NtsAggCall *call, NtsAggState *state, bool *isnull)
{
	FunctionCallInfo fcinfo = call->finalcall;
	Datum		result;

	*isnull = state->call.isnull;
	if (fcinfo == NULL)
		return state->call.value;
	if (call->finalfn.fn_strict)
	{
		if (state->call.isnull || fcinfo->nargs > 1)
		{
			*isnull = true;
			return (Datum) 0;
		}
	}
	fcinfo->args[0].value = MakeExpandedObjectReadOnly(state->call.value, state->call.isnull, call->state_typlen);
	fcinfo->args[0].isnull = state->call.isnull;
	fcinfo->isnull = false;
	result = FunctionCallInvoke(fcinfo);
	*isnull = fcinfo->isnull;
	return result;
}
