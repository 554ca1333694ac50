/*
 * sorter.h - committed rows on their way into sorted segments, through a part of the core.
 */
#ifndef NTS_MAINTENANCE_SORTER_H
#define NTS_MAINTENANCE_SORTER_H

#include "postgres.h"

#include "utils/rel.h"

#include "nodedb_ts/core.h"
#include "pg/am/am.h"

typedef struct NtsSorter NtsSorter;

/* Flushes the sorter's part: nts_flush_begin to nts_flush_end. */
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
/* The part's budget in bytes. */
extern uint64 nts_sorter_budget(void);

#endif							/* NTS_MAINTENANCE_SORTER_H */
