/*
 * compact.h - shared by the files of ts_compact: what is merged (compact_plan.c) and how
 * (compact_merge.c).
 */
#ifndef NTS_MAINTENANCE_COMPACT_H
#define NTS_MAINTENANCE_COMPACT_H

#include "postgres.h"

#include "utils/rel.h"
#include "utils/snapshot.h"

#include "nodedb_ts/core.h"
#include "pg/am/am.h"
#include "pg/am/options.h"
#include "pg/storage/storage.h"

#define NTS_MAX_SEGMENT_SERIES 250000

/* One table being compacted. */
typedef struct NtsCompaction
{
	Relation	rel;
	NtsOptions	options;
	NtsColumn  *columns;
	NtsSchema	schema;
	uint16		series[16];		/* what the output is sorted by */
	uint32		series_count;
	NtsValue   *defaults;		/* of columns that a segment does not store */
	BufferAccessStrategy strategy;
	bool		has_before;		/* the caller said when */
	bool		has_end;		/* buckets that end at or before `end` are closed; false: */
	int64		end;			/* nothing tells */
	TransactionId xid;
	CommandId	cid;
	/* out */
	int64		segments_in;
	int64		segments_out;
	int64		rows;
	int64		bytes_before;
	int64		bytes_after;
} NtsCompaction;

/* Segments that become one, or as few as the largest size allows. */
typedef struct NtsCompactGroup
{
	NtsEntryRef *entries;		/* oldest first */
	int			count;
	uint8		level;			/* of the result */
} NtsCompactGroup;

/* The groups that are due, oldest times first. entries: committed segments, which are
 * put into another order. */
extern NtsCompactGroup *nts_compact_plan(NtsCompaction *compaction, NtsEntryRef *entries, int count,
										 int *group_count);

/* Merges a group: the new segments are live, the old ones moved, both by (xid, cid). */
extern void nts_compact_group(NtsCompaction *compaction, const NtsCompactGroup *group);

/* Reads the footer of a segment; close it with nts_segment_close. */
extern NtsSegment *nts_compact_open(NtsCompaction *compaction, const NtsEntry *entry);

#endif							/* NTS_MAINTENANCE_COMPACT_H */
