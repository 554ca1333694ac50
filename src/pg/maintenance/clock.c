/*
 * clock.c - moments in the unit of a table's time column.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "pg/maintenance/clock.h"

bool
nts_clock_is_integer(const NtsOptions *options)
{
	return options->time_type == INT8OID || options->time_type == INT4OID ||
		options->time_type == INT2OID;
}

int64
nts_clock_moment(const NtsOptions *options, TimestampTz moment)
{
	Datum		value = TimestampTzGetDatum(moment);

	if (options->time_type == TIMESTAMPOID)
		return DatumGetTimestamp(DirectFunctionCall1(timestamptz_timestamp, value));
	if (options->time_type == DATEOID)
		return DatumGetDateADT(DirectFunctionCall1(timestamptz_date, value));
	return moment;
}

/* Calls the table's now_function with the rights of the table's owner only. */
static bool
call_now_function(Relation rel, Oid function, int64 *now)
{
	LOCAL_FCINFO(fcinfo, 0);
	FmgrInfo	flinfo;
	Oid			type = get_func_rettype(function);
	Oid			user;
	int			context;
	int			nest_level = NewGUCNestLevel();
	Datum		value;

	if (!OidIsValid(type))
		return false;			/* dropped */
	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(rel->rd_rel->relowner, context | SECURITY_RESTRICTED_OPERATION);
	/* as any call by the owner would be checked */
	if (pg_proc_aclcheck(function, rel->rd_rel->relowner, ACL_EXECUTE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FUNCTION, get_func_name(function));
	fmgr_info(function, &flinfo);
	InitFunctionCallInfoData(*fcinfo, &flinfo, 0, InvalidOid, NULL, NULL);
	value = FunctionCallInvoke(fcinfo);
	AtEOXact_GUC(false, nest_level);
	SetUserIdAndSecContext(user, context);
	if (fcinfo->isnull)
		return false;
	switch (getBaseType(type))
	{
		case INT8OID:
			*now = DatumGetInt64(value);
			return true;
		case INT4OID:
			*now = DatumGetInt32(value);
			return true;
		case INT2OID:
			*now = DatumGetInt16(value);
			return true;
		default:
			return false;
	}
}

bool
nts_clock_now(Relation rel, const NtsOptions *options, int64 *now)
{
	if (options->time_column == 0)
		return false;
	if (!nts_clock_is_integer(options))
	{
		*now = nts_clock_moment(options, GetCurrentTransactionStartTimestamp());
		return true;
	}
	return OidIsValid(options->now_function) && call_now_function(rel, options->now_function, now);
}

int64
nts_clock_bucket(const NtsOptions *options, int64 time)
{
	int64		bucket;

	if (options->bucket <= 0)
		return 0;
	bucket = time / options->bucket;
	return bucket - (time % options->bucket < 0);
}

int64
nts_clock_bucket_end(const NtsOptions *options, int64 bucket)
{
	int64		end;

	if (options->bucket <= 0 || bucket == PG_INT64_MAX ||
		pg_mul_s64_overflow(bucket + 1, options->bucket, &end))
		return bucket < 0 ? PG_INT64_MIN : PG_INT64_MAX;
	return end;
}
