/*
 * error.c - maps core codes to SQLSTATEs, once for the whole shim.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"

#include "pg/error.h"

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

void
nts_error_serialization(Relation rel)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent maintenance of table \"%s\"",
					RelationGetRelationName(rel))));
}

/* Is it said of the data, not of the session? */
static bool
is_about_data(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case MAKE_SQLSTATE('X', 'X', '0', '0', '0'):	/* damaged, or strange */
		case ERRCODE_FEATURE_NOT_SUPPORTED:	/* a newer format */
		case MAKE_SQLSTATE('5', '8', '0', '0', '0'):	/* input and output */
		case MAKE_SQLSTATE('5', '4', '0', '0', '0'):	/* a limit */
			return true;
		default:
			return sqlstate == ERRCODE_INSUFFICIENT_PRIVILEGE;	/* of the file */
	}
}

bool
nts_error_try(void (*body) (void *arg), void *arg, int *sqlstate, char **message)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool done = false;

	*sqlstate = 0;
	*message = NULL;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		body(arg);
		ReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		done = true;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (!is_about_data(error->sqlerrcode))
			ReThrowError(error);
		*sqlstate = error->sqlerrcode;
		*message = pstrdup(error->message);
		FreeErrorData(error);
	}
	PG_END_TRY();
	return done;
}
