/*
 * fault.c - see fault.h. Costs one test of a flag where nothing is armed.
 */
#include "postgres.h"

#include <signal.h>
#include <unistd.h>

#include "access/xlog.h"
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
	FAULT_WAIT,
	FAULT_TRACE
} FaultKind;

static const char *const kind_names[] = {"error", "abort", "kill", "cancel", "terminate", "wait", "trace"};

typedef struct Place
{
	const char *name;
	bool		critical;
} Place;

#define NORMAL(place) {#place, false},
#define CRITICAL(place) {#place, true},
static const Place places[] = {NTS_FAULT_PLACES(NORMAL, CRITICAL)};
#undef NORMAL
#undef CRITICAL

#define NORMAL(place) #place " "
#define CRITICAL(place) #place "! "
static const char *const place_names = NTS_FAULT_PLACES(NORMAL, CRITICAL);
#undef NORMAL
#undef CRITICAL

bool		nts_fault_armed;
static char *setting;
static char *shown_places;
static NtsFaultPlace armed_place;
static FaultKind armed_kind;
static int	armed_count;		/* visits until it happens */

/* Splits PLACE:KIND[:N]; false: it is malformed, or there is no such place. */
static bool
parse(const char *text, NtsFaultPlace *place, FaultKind *kind, int *count)
{
	char		place_name[64];
	char		kind_name[16];
	char		rest;
	int			fields;
	int			i;

	*count = 1;
	fields = sscanf(text, "%63[a-z0-9_]:%15[a-z]:%d%c", place_name, kind_name, count, &rest);
	if (fields < 2 || fields > 3 || *count < 1 ||
		(fields == 2 && strlen(place_name) + 1 + strlen(kind_name) != strlen(text)))
		return false;
	for (i = 0; i < (int) lengthof(kind_names) && strcmp(kind_name, kind_names[i]) != 0; i++)
		;
	if (i == (int) lengthof(kind_names))
		return false;
	*kind = (FaultKind) i;
	if (*kind == FAULT_TRACE)
		return strcmp(place_name, "all") == 0;
	for (i = 0; i < NTS_PLACE_COUNT && strcmp(place_name, places[i].name) != 0; i++)
		;
	*place = (NtsFaultPlace) i;
	return i < NTS_PLACE_COUNT && !(*kind == FAULT_WAIT && places[i].critical);
}

static bool
check_fault(char **value, void **extra, GucSource source)
{
	NtsFaultPlace place;
	FaultKind	kind;
	int			count;

	if (**value == '\0' || parse(*value, &place, &kind, &count))
		return true;
	GUC_check_errdetail("It must be PLACE:KIND or PLACE:KIND:N, where PLACE is one of nodedb_ts.fault_places and KIND one of error, abort, kill, cancel, terminate, wait (not at a critical place); or \"all:trace\".");
	return false;
}

static void
assign_fault(const char *value, void *extra)
{
	nts_fault_armed = value != NULL && parse(value, &armed_place, &armed_kind, &armed_count);
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
	DefineCustomStringVariable("nodedb_ts.fault_places",
							   "Shows the places that nodedb_ts.fault knows.",
							   "Behind a place where an error would be a PANIC stands an exclamation mark.",
							   &shown_places,
							   place_names,
							   PGC_INTERNAL,
							   GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE,
							   NULL, NULL, NULL);
}

/* Waits until nobody holds pg_advisory_lock(hashtext(name)). */
static void
wait_for_lock(const char *name)
{
	int64		key = (int32) hash_bytes((const unsigned char *) name, strlen(name));
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (key >> 32), (uint32) key, 1);
	(void) LockAcquire(&tag, ShareLock, true, false);
	(void) LockRelease(&tag, ShareLock, true);
}

/* May run in a critical section: allocates nothing before the server dies anyway. */
void
nts_fault_reached(NtsFaultPlace place)
{
	const char *name = places[place].name;

	if (armed_kind == FAULT_TRACE)
	{
		write_stderr("nodedb_ts.fault: trace %s\n", name);
		return;
	}
	if (place != armed_place || --armed_count > 0)
		return;
	nts_fault_armed = false;
	write_stderr("nodedb_ts.fault: %s %s\n", kind_names[armed_kind], name);
	switch (armed_kind)
	{
		case FAULT_ERROR:
			ereport(places[place].critical ? PANIC : ERROR,
					(errcode(ERRCODE_OPERATOR_INTERVENTION),
					 errmsg("nodedb_ts.fault: an error at \"%s\"", name)));
			break;
		case FAULT_ABORT:
			/* all of this backend's records, those of others before them */
			if (!XLogRecPtrIsInvalid(XactLastRecEnd))
				XLogFlush(XactLastRecEnd);
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
			wait_for_lock(name);
			break;
		case FAULT_TRACE:
			break;
	}
}
