/*
 * verify.h - shared by the files behind ts_verify.
 */
#ifndef NTS_MAINTENANCE_VERIFY_H
#define NTS_MAINTENANCE_VERIFY_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "nodes/pg_list.h"
#include "utils/tuplesort.h"

#include "pg/am/am.h"

/* What a problem is about: the column "what". */
#define NTS_WHAT_FILE "file"
#define NTS_WHAT_META "metapage"
#define NTS_WHAT_DIRECTORY "directory"
#define NTS_WHAT_EXTENT "extent"
#define NTS_WHAT_PAGE "page"
#define NTS_WHAT_BATCH "batch"
#define NTS_WHAT_SEGMENT "segment"
#define NTS_WHAT_DICTIONARIES "dictionaries"
#define NTS_WHAT_CHUNK "chunk"
#define NTS_WHAT_STATISTICS "statistics"
#define NTS_WHAT_ORDER "order"
#define NTS_WHAT_SERIES "series index"
#define NTS_WHAT_ROW_IDS "row ids"
#define NTS_WHAT_COMMAND_IDS "command ids"
#define NTS_WHAT_LAST_ROWS "last rows"
#define NTS_WHAT_VISIBILITY "visibility"

#define NTS_REST_NOT_ZERO "the unused parts of the page are not zero"

typedef struct NtsVerifyProblem
{
	BlockNumber block;			/* or InvalidBlockNumber */
	const char *what;
	char	   *detail;
} NtsVerifyProblem;

/* The check of one table. */
typedef struct NtsVerifyTable
{
	Relation	rel;
	ReturnSetInfo *result;
	MemoryContext context;		/* of the table */
	MemoryContext unit_context; /* of the entry being checked; reset behind it */
	Snapshot	snapshot;
	BufferAccessStrategy strategy;
	TransactionId oldest;		/* relfrozenxid before anything was read */
	NtsColumn  *columns;
	int			natts;
	int			time_column;	/* the table's time now, or -1 */

	NtsMeta		meta;			/* before the directory was read */
	bool		has_meta;		/* it is sound */
	NtsEntryRef *entries;		/* sound ones in use */
	int			entry_count;

	List	   *problems;		/* of what is being looked at, in unit_context */
	Tuplesortstate *row_ids;	/* of visible rows: (first << 23) + count - 1; or NULL */
	uint64		largest_row_id; /* of all rows, plus one */
	BlockNumber largest_row_id_block;
} NtsVerifyTable;

/* verify.c */

/* Notes a problem; it is reported when what is being looked at turns out not to have
 * been given away meanwhile. */
extern void nts_verify_problem(NtsVerifyTable *table, BlockNumber block, const char *what,
							   const char *fmt,...) pg_attribute_printf(4, 5);
/* Notes ids of rows that exist, and of those, which the snapshot sees. */
extern void nts_verify_row_ids(NtsVerifyTable *table, BlockNumber block, uint64 first,
							   uint64 count, bool visible);
/* Is there anything wrong with this transaction id? Notes the problem. */
extern bool nts_verify_xid(NtsVerifyTable *table, BlockNumber block, const char *whose,
						   TransactionId xid);
/* Blocks of the file; 0 and a problem when it cannot be opened. */
extern BlockNumber nts_verify_file_blocks(NtsVerifyTable *table);

/* verify_content.c */
extern void nts_verify_segment(NtsVerifyTable *table, const NtsEntryRef *ref);
extern void nts_verify_delta(NtsVerifyTable *table, const NtsEntryRef *ref);
extern void nts_verify_dictionaries(NtsVerifyTable *table, const NtsEntryRef *ref);

#endif							/* NTS_MAINTENANCE_VERIFY_H */
