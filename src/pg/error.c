/*
 * error.c - maps core codes to SQLSTATEs, once for the whole shim.
 */
#include "postgres.h"

#include "pg/error.h"
#include "utils/rel.h"

void
nts_error_raise(const NtsStatus *status, Relation rel)
{
	int			sqlstate;

	switch ((NtsCode) status->code)
	{
		case NTS_ERR_CORRUPT:
			sqlstate = ERRCODE_DATA_CORRUPTED;
			break;
		case NTS_ERR_MEMORY:
			sqlstate = ERRCODE_OUT_OF_MEMORY;
			break;
		case NTS_ERR_UNSUPPORTED:
			sqlstate = ERRCODE_FEATURE_NOT_SUPPORTED;
			break;
		case NTS_ERR_LIMIT:
			sqlstate = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
			break;
		default:
			sqlstate = ERRCODE_INTERNAL_ERROR;
			break;
	}
	if (rel != NULL)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg("table \"%s\": %s", RelationGetRelationName(rel), status->message)));
	ereport(ERROR, (errcode(sqlstate), errmsg("nodedb_ts: %s", status->message)));
}

void
nts_error_unsupported(Relation rel, const char *operation)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s is not supported on table \"%s\"", operation,
					RelationGetRelationName(rel)),
			 errdetail("The table uses the access method \"nodedb_ts\", which takes inserts only.")));
}

void
nts_error_corrupt(Relation rel, const char *fmt,...)
{
	char		text[256];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("table \"%s\": %s", RelationGetRelationName(rel), text)));
}
