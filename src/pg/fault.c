/*
 * fault.c - see fault.h. Costs one test of a flag where nothing is armed.
 */
#include "postgres.h"

#include <signal.h>
#include <unistd.h>

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/guc.h"

#include "pg/fault.h"

typedef enum FaultKind
{
	FAULT_ERROR,
	FAULT_ABORT,
	FAULT_KILL,
	FAULT_CANCEL,
	FAULT_TERMINATE,
	FAULT_WAIT
} FaultKind;

static const char *const kind_names[] = {"error", "abort", "kill", "cancel", "terminate", "wait"};

bool		nts_fault_armed;
static char *setting;
static char armed_place[64];
static FaultKind armed_kind;
static int	armed_count;		/* visits until it happens */

/* Splits PLACE:KIND[:N]; false: it is malformed. */
static bool
parse(const char *text, char *place, FaultKind *kind, int *count)
{
	char		kind_name[16];
	char		rest;
	int			fields;

	*count = 1;
	fields = sscanf(text, "%63[a-z0-9_]:%15[a-z]:%d%c", place, kind_name, count, &rest);
	if (fields < 2 || fields > 3 || *count < 1 ||
		(fields == 2 && strlen(place) + 1 + strlen(kind_name) != strlen(text)))
		return false;
	for (int i = 0; i < (int) lengthof(kind_names); i++)
		if (strcmp(kind_name, kind_names[i]) == 0)
		{
			*kind = (FaultKind) i;
			return true;
		}
	return false;
}

static bool
check_fault(char **value, void **extra, GucSource source)
{
	char		place[64];
	FaultKind	kind;
	int			count;

	if (**value == '\0' || parse(*value, place, &kind, &count))
		return true;
	GUC_check_errdetail("It must be PLACE:KIND or PLACE:KIND:N, and KIND one of error, abort, kill, cancel, terminate, wait.");
	return false;
}

static void
assign_fault(const char *value, void *extra)
{
	nts_fault_armed = value != NULL && parse(value, armed_place, &armed_kind, &armed_count);
}

void
nts_fault_define(void)
{
	DefineCustomStringVariable("nodedb_ts.fault",
							   "Lets the server fail at a named place, for tests.",
							   "PLACE:KIND[:N]; KIND is error, abort, kill, cancel, terminate or wait.",
							   &setting,
							   "",
							   PGC_SUSET, GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE,
							   check_fault, assign_fault, NULL);
}

/* Waits until nobody holds pg_advisory_lock(hashtext(place)). */
static void
wait_for_lock(const char *place)
{
	int64		key = (int32) hash_bytes((const unsigned char *) place, strlen(place));
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (key >> 32), (uint32) key, 1);
	(void) LockAcquire(&tag, ShareLock, true, false);
	(void) LockRelease(&tag, ShareLock, true);
}

void
nts_fault_reached(const char *place)
{
	if (strcmp(place, armed_place) != 0 || --armed_count > 0)
		return;
	nts_fault_armed = false;
	switch (armed_kind)
	{
		case FAULT_ERROR:
			ereport(ERROR,
					(errcode(ERRCODE_OPERATOR_INTERVENTION),
					 errmsg("nodedb_ts.fault: an error at \"%s\"", place)));
			break;
		case FAULT_ABORT:
			abort();
		case FAULT_KILL:
			(void) kill(MyProcPid, SIGKILL);
			pg_usleep(1000000L);
			break;
		case FAULT_CANCEL:
			(void) kill(MyProcPid, SIGINT);
			break;
		case FAULT_TERMINATE:
			(void) kill(MyProcPid, SIGTERM);
			break;
		case FAULT_WAIT:
			wait_for_lock(place);
			break;
	}
}
