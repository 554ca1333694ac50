/*
 * first_last.c - the aggregates first(value, time) and last(value, time): the value of the row whose time is the least
 * or the greatest in the default btree order of its type.
 *
 * Rows without a time do not count; the value may be NULL. Of equal times first keeps the one it met first, last the
 * one it met last. The state stands in the aggregate's memory context and reuses its buffers, so that it takes no more
 * for many rows than for few. What has to be known of the types is looked up once per call site, in fn_extra; the state
 * names its types, because combine, serialize and deserialize are not told them.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(nts_first_step);
PG_FUNCTION_INFO_V1(nts_last_step);
PG_FUNCTION_INFO_V1(nts_first_combine);
PG_FUNCTION_INFO_V1(nts_last_combine);
PG_FUNCTION_INFO_V1(nts_first_last_serialize);
PG_FUNCTION_INFO_V1(nts_first_last_deserialize);
PG_FUNCTION_INFO_V1(nts_first_last_final);

/* A buffer of this size is given back when a much smaller datum follows. */
#define LARGE_BUFFER_BYTES (64 * 1024)

/* What is kept. By reference: datum points to a buffer of capacity bytes, which stays while the value is NULL. */
typedef struct Kept
{
	Datum		datum;
	uint32		capacity;
	bool		is_null;
} Kept;

/* There is none until a row had a time. */
typedef struct State
{
	Kept		value;
	Kept		time;
	Oid			value_type;
	Oid			time_type;
} State;

/* In fn_extra. */
typedef struct Types
{
	TypeCacheEntry *value;
	TypeCacheEntry *time;
} Types;

static void
check_context(FunctionCallInfo fcinfo, MemoryContext *context)
{
	if (!AggCheckCallContext(fcinfo, context))
		elog(ERROR, "function %u called in non-aggregate context", fcinfo->flinfo->fn_oid);
}

/* The types of this call site; raises 42883 if times of the type have no order. */
static Types *
types_of(FunctionCallInfo fcinfo, Oid value_type, Oid time_type)
{
	Types	   *types = fcinfo->flinfo->fn_extra;

	if (types != NULL && types->value->type_id == value_type && types->time->type_id == time_type)
		return types;
	if (types == NULL)
		types = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(Types));
	/* entries of the type cache live as long as the session */
	types->value = lookup_type_cache(value_type, 0);
	types->time = lookup_type_cache(time_type, TYPECACHE_CMP_PROC_FINFO);
	if (!OidIsValid(types->time->cmp_proc_finfo.fn_oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("could not identify a comparison function for type %s", format_type_be(time_type))));
	fcinfo->flinfo->fn_extra = types;
	return types;
}

/* Copies a datum into what is kept, whose buffer is allocated in the context. */
static void
keep(Kept *kept, Datum datum, bool is_null, const TypeCacheEntry *type, MemoryContext context)
{
	Size		bytes;

	kept->is_null = is_null;
	if (is_null)
		return;
	if (type->typbyval)
	{
		kept->datum = datum;
		return;
	}
	/* expanded objects and the like go away with the row; pointers into TOAST tables stay as long as the snapshot */
	if (type->typlen == -1 && VARATT_IS_EXTERNAL(DatumGetPointer(datum)) &&
		!VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(datum)))
		datum = PointerGetDatum(detoast_external_attr((struct varlena *) DatumGetPointer(datum)));
	bytes = datumGetSize(datum, false, type->typlen);
	if (bytes > kept->capacity || (kept->capacity >= LARGE_BUFFER_BYTES && bytes < kept->capacity / 4))
	{
		/* some more, for values that grow a little each time */
		Size		capacity = type->typlen > 0 ? bytes : Min(MAXALIGN(bytes + bytes / 8), MaxAllocSize);
		char	   *buffer = MemoryContextAlloc(context, capacity);

		if (kept->capacity > 0)
			pfree(DatumGetPointer(kept->datum));
		kept->datum = PointerGetDatum(buffer);
		kept->capacity = (uint32) capacity;
	}
	memcpy(DatumGetPointer(kept->datum), DatumGetPointer(datum), bytes);
}

static State *
new_state(Oid value_type, Oid time_type, MemoryContext context)
{
	State	   *state = MemoryContextAllocZero(context, sizeof(State));

	state->value_type = value_type;
	state->time_type = time_type;
	return state;
}

/* Whether a row with the time takes the place of the one that the state holds. */
static bool
replaces(FunctionCallInfo fcinfo, const Types *types, const State *state, Datum time, bool last)
{
	int32		order = DatumGetInt32(FunctionCall2Coll(&types->time->cmp_proc_finfo, PG_GET_COLLATION(),
														time, state->time.datum));

	return last ? order >= 0 : order < 0;
}

static Datum
step(FunctionCallInfo fcinfo, bool last)
{
	State	   *state = PG_ARGISNULL(0) ? NULL : (State *) PG_GETARG_POINTER(0);
	MemoryContext context;
	Types	   *types = fcinfo->flinfo->fn_extra;
	Datum		time;

	check_context(fcinfo, &context);
	if (types == NULL)
		types = types_of(fcinfo, get_fn_expr_argtype(fcinfo->flinfo, 1), get_fn_expr_argtype(fcinfo->flinfo, 2));
	if (PG_ARGISNULL(2))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	time = PG_GETARG_DATUM(2);
	/* once now, or with each comparison */
	if (types->time->typlen == -1)
		time = PointerGetDatum(PG_DETOAST_DATUM_PACKED(time));
	if (state == NULL)
		state = new_state(types->value->type_id, types->time->type_id, context);
	else if (!replaces(fcinfo, types, state, time, last))
		PG_RETURN_POINTER(state);
	keep(&state->value, PG_GETARG_DATUM(1), PG_ARGISNULL(1), types->value, context);
	keep(&state->time, time, false, types->time, context);
	PG_RETURN_POINTER(state);
}

/* first's transition: (internal, value anyelement, time "any") returns internal */
Datum
nts_first_step(PG_FUNCTION_ARGS)
{
	return step(fcinfo, false);
}

Datum
nts_last_step(PG_FUNCTION_ARGS)
{
	return step(fcinfo, true);
}

/* Takes the second state, which may be short-lived, into the first. */
static Datum
combine(FunctionCallInfo fcinfo, bool last)
{
	State	   *state = PG_ARGISNULL(0) ? NULL : (State *) PG_GETARG_POINTER(0);
	State	   *other = PG_ARGISNULL(1) ? NULL : (State *) PG_GETARG_POINTER(1);
	MemoryContext context;
	Types	   *types;

	check_context(fcinfo, &context);
	if (other != NULL)
	{
		types = types_of(fcinfo, other->value_type, other->time_type);
		if (state == NULL || replaces(fcinfo, types, state, other->time.datum, last))
		{
			if (state == NULL)
				state = new_state(other->value_type, other->time_type, context);
			keep(&state->value, other->value.datum, other->value.is_null, types->value, context);
			keep(&state->time, other->time.datum, false, types->time, context);
		}
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

Datum
nts_first_combine(PG_FUNCTION_ARGS)
{
	return combine(fcinfo, false);
}

Datum
nts_last_combine(PG_FUNCTION_ARGS)
{
	return combine(fcinfo, true);
}

/* The bytes: oid of the value's type, oid of the time's, then both as datumSerialize writes them. Never stored. */
Datum
nts_first_last_serialize(PG_FUNCTION_ARGS)
{
	State	   *state = (State *) PG_GETARG_POINTER(0);
	Types	   *types;
	Size		bytes = VARHDRSZ + 2 * sizeof(Oid);
	bytea	   *result;
	char	   *next;

	check_context(fcinfo, NULL);
	types = types_of(fcinfo, state->value_type, state->time_type);
	bytes += datumEstimateSpace(state->value.datum, state->value.is_null, types->value->typbyval, types->value->typlen);
	bytes += datumEstimateSpace(state->time.datum, false, types->time->typbyval, types->time->typlen);
	result = palloc(bytes);
	SET_VARSIZE(result, bytes);
	next = VARDATA(result);
	memcpy(next, &state->value_type, sizeof(Oid));
	next += sizeof(Oid);
	memcpy(next, &state->time_type, sizeof(Oid));
	next += sizeof(Oid);
	datumSerialize(state->value.datum, state->value.is_null, types->value->typbyval, types->value->typlen, &next);
	datumSerialize(state->time.datum, false, types->time->typbyval, types->time->typlen, &next);
	PG_RETURN_BYTEA_P(result);
}

/* The state is good for combine only: it stands in the current context and has no buffers to reuse. */
Datum
nts_first_last_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	char	   *next = VARDATA_ANY(bytes);
	State	   *state;

	check_context(fcinfo, NULL);
	state = palloc0(sizeof(State));
	memcpy(&state->value_type, next, sizeof(Oid));
	next += sizeof(Oid);
	memcpy(&state->time_type, next, sizeof(Oid));
	next += sizeof(Oid);
	state->value.datum = datumRestore(&next, &state->value.is_null);
	state->time.datum = datumRestore(&next, &state->time.is_null);
	PG_RETURN_POINTER(state);
}

/* Leaves the state as it is: a window goes on with it. The executor copies the result. */
Datum
nts_first_last_final(PG_FUNCTION_ARGS)
{
	State	   *state = PG_ARGISNULL(0) ? NULL : (State *) PG_GETARG_POINTER(0);

	check_context(fcinfo, NULL);
	if (state == NULL || state->value.is_null)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(state->value.datum);
}
