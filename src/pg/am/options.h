/*
 * options.h - the options of a table, resolved: its own, else those of the
 * partitioned table it belongs to, else the defaults.
 */
#ifndef NTS_AM_OPTIONS_H
#define NTS_AM_OPTIONS_H

#include "postgres.h"

#include "access/attnum.h"
#include "datatype/timestamp.h"
#include "utils/rel.h"

#define NTS_MAX_SERIES_COLUMNS 16

typedef struct NtsOptions
{
	AttrNumber	time_column;	/* 0: the table has none */
	Oid			time_type;		/* its base type: timestamptz, timestamp, date, int8, int4, int2; or 0 */
	bool		has_series;		/* series columns were chosen by the user; else from the data */
	int			series_count;	/* 0 with has_series: one series */
	AttrNumber	series[NTS_MAX_SERIES_COLUMNS]; /* ascending */
	int64		bucket;			/* width in the unit of the time column (microseconds, days for
								 * date, itself for integers); 0: a single bucket */
	bool		has_retention;
	Interval	retention;		/* maximal age, for timestamptz, timestamp and date */
	int64		retention_integer;	/* the same for integer time */
	int64		flush_interval_ms;	/* -1: nodedb_ts.flush_interval */
	int64		compact_interval_ms;	/* -1: nodedb_ts.compact_interval */
	int			compression_level;	/* of zstd at L2, 1 to 22; 0: the default */
	Oid			now_function;	/* gives "now" for integer time; or 0 */
	bool		time_is_set;	/* the time column was chosen by the user */
} NtsOptions;

/*
 * Fills *options for a table that uses the access method. Never fails for what is stored: an
 * option that no longer fits the table (a column that was dropped) counts as not set.
 */
extern void nts_options_get(Relation rel, NtsOptions *options);

/* At load: the provider of the label that holds a table's own options; the options in DDL. */
extern void nts_options_init(void);

/* Whom a table belongs to; InvalidOid: it is gone. */
extern Oid	nts_table_owner(Oid relid);

#endif							/* NTS_AM_OPTIONS_H */
