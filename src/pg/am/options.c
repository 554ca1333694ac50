/*
 * options.c - the options of a table.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "pg/am/options.h"

static bool
named_like_time(const char *name)
{
	static const char *const names[] = {"ts", "time", "timestamp", "t", "epoch", "created_at",
	"event_time", "time_us", "time_ms", "ts_us", "ts_ms", "date", "datetime"};

	for (int i = 0; i < (int) lengthof(names); i++)
		if (pg_strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

/* The first timestamp or date column, else the first integer column that is named like a time. */
static void
default_time(TupleDesc desc, NtsOptions *options)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		Oid			type;

		if (att->attisdropped)
			continue;
		type = getBaseType(att->atttypid);
		if (type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID)
		{
			options->time_column = att->attnum;
			options->time_type = type;
			return;
		}
		if (options->time_column == 0 && (type == INT8OID || type == INT4OID) &&
			named_like_time(NameStr(att->attname)))
		{
			options->time_column = att->attnum;
			options->time_type = type;
		}
	}
}

void
nts_options_get(Relation rel, NtsOptions *options)
{
	memset(options, 0, sizeof(NtsOptions));
	options->flush_interval_ms = -1;
	options->compact_interval_ms = -1;
	default_time(RelationGetDescr(rel), options);
	/* the unit of an integer time is unknown: one bucket */
	if (options->time_type == DATEOID)
		options->bucket = 1;
	else if (options->time_type == TIMESTAMPTZOID || options->time_type == TIMESTAMPOID)
		options->bucket = USECS_PER_DAY;
}
