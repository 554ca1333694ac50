/*
 * sorter.h - committed rows on their way into sorted segments, through a part of the core or from where they were decoded.
 */
#ifndef NTS_MAINTENANCE_SORTER_H
#define NTS_MAINTENANCE_SORTER_H

#include "postgres.h"

#include "utils/rel.h"

#include "nodedb_ts/core.h"
#include "pg/am/am.h"

typedef struct NtsSorter NtsSorter;

/* Flushes the sorter: nts_sorter_flush_begin to nts_sorter_flush_end. */
typedef void (*NtsSorterFlush) (NtsSorter *sorter);

/* Shall this row be left out? */
typedef bool (*NtsSorterSkip) (NtsSorter *sorter, NtsVectorSet *set, uint32 row);

struct NtsSorter
{
	Relation	rel;
	NtsPart    *part;
	int			natts;			/* of the row type */
	NtsColumn  *columns;
	NtsValue   *values;
	/* rows that go to the part in one call: the columns of each, side by side */
	uint32		block_rows;
	uint64_t   *words;
	bool	   *nulls;
	const uint64_t **word_rows;
	const bool **null_rows;
	uint32	   *set_rows;		/* which row of the set each is */
	/* sets that are written from where they are, as long as they are few */
	MemoryContext context;
	NtsVectorSet **kept;
	NtsColumnBlock *blocks;		/* their columns */
	int			kept_count;
	int			kept_room;
	uint64		kept_rows;
	Size		kept_bytes;
	bool		went_to_part;	/* they were too many: the rest goes there, too */
	CommandId	cid;
	NtsSorterFlush flush;		/* called when the part is full */
	void	   *state;			/* for it */
};

/*
 * Sorts by what `schema` (of rel's row type) says; its budget is maintenance_work_mem, at
 * least 16 MB. Memory comes from `context`, and goes with it.
 */
extern void nts_sorter_begin(NtsSorter *sorter, Relation rel, const NtsSchema *schema,
							 MemoryContext context);
/* Sort by these columns, ascending; before the first row. */
extern void nts_sorter_series(NtsSorter *sorter, const uint16 *columns, uint32 count);
/* Takes the rows of a set whose columns are filled, but those that `skip` (if not NULL) says yes to. 54000: a row does
 * not fit. */
extern void nts_sorter_take(NtsSorter *sorter, NtsVectorSet *set, NtsSorterSkip skip);
/*
 * The same with all rows of a set that the reader can do without, which is kept until they are written: for few rows, which
 * cost less without a part. Sets that together take more than a quarter of the budget go to the part.
 */
extern void nts_sorter_keep(NtsSorter *sorter, NtsVectorSet *set);
/* Rows that are kept or in the part; its flush begins, goes on with nts_flush_next, and ends with success. */
extern uint64 nts_sorter_rows(const NtsSorter *sorter);
extern void nts_sorter_flush_begin(NtsSorter *sorter, const NtsFlushOptions *options);
extern void nts_sorter_flush_end(NtsSorter *sorter);
/* The part's budget in bytes. */
extern uint64 nts_sorter_budget(void);

#endif							/* NTS_MAINTENANCE_SORTER_H */
