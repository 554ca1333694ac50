/*
 * aggregate_spill.h - inside of the aggregate node: rows and values that wait in temporary files.
 *
 * What does not fit is written to *partitions* by its hash. When the pass that wrote them has ended, each is read in a pass of
 * its own, which may write others, split by other bits. All files of a node lie on the tapes of one LogicalTapeSet, whose
 * blocks are used again; they belong to the resource owner of the portal, and count for temp_file_limit.
 */
#ifndef NTS_SCAN_AGGREGATE_SPILL_H
#define NTS_SCAN_AGGREGATE_SPILL_H

#include "postgres.h"

#include "utils/logtape.h"

#include "pg/scan/aggregate.h"

/* The temporary files of a node. */
typedef struct NtsSpill
{
	MemoryContext context;
	LogicalTapeSet *tapes;		/* NULL: there are none */
	bool		used;			/* since it was made or dropped */
	long		most_blocks;	/* of any time */
} NtsSpill;

/* Records that wait. */
typedef struct NtsSpillQueue
{
	NtsSpill   *spill;
	int			level;			/* of the pass at hand: 0 is the first */
	int			fanout;			/* partitions of a pass, power of two */
	LogicalTape **out;			/* [fanout] being written, NULL: nothing so far */
	LogicalTape *in;			/* being read, or NULL */
	struct
	{
		LogicalTape *tape;
		int			level;		/* of the pass that reads it */
	}		   *waiting;
	int			count;
	int			room;
} NtsSpillQueue;

extern NtsSpill *nts_spill_make(MemoryContext parent);
/* Gives up all files; queues are to be made anew. */
extern void nts_spill_drop(NtsSpill *spill);
/* Disk space that was taken at most, in bytes. */
extern uint64 nts_spill_bytes(const NtsSpill *spill);

/* Into how many partitions a pass that may take so much memory splits: their buffers take a quarter more, or four blocks. */
extern int	nts_spill_fanout(Size memory);
extern void nts_spill_queue_init(NtsSpillQueue *queue, NtsSpill *spill, Size memory);
/* Nothing waits any more. */
extern void nts_spill_queue_free(NtsSpillQueue *queue);
/* What hashes of this pass begin with. */
extern uint64 nts_spill_seed(const NtsSpillQueue *queue);
/* A record is written piece by piece to the tape of its hash. */
extern LogicalTape *nts_spill_tape(NtsSpillQueue *queue, uint64 hash);
extern void nts_spill_write(NtsSpillQueue *queue, LogicalTape *tape, const void *data, Size size);
/* The pass has read all: what it wrote waits. */
extern void nts_spill_end_pass(NtsSpillQueue *queue);
/* Begins a pass over what waits; false: nothing does. */
extern bool nts_spill_begin_pass(NtsSpillQueue *queue);
/* false: the input has ended, which it must not within a record (not `first`). */
extern bool nts_spill_read(NtsSpillQueue *queue, void *data, Size size, bool first);

/* A value by reference; read into the current memory context. */
extern void nts_spill_write_reference(NtsSpillQueue *queue, LogicalTape *tape, Datum value, int16 typlen);
extern Datum nts_spill_read_reference(NtsSpillQueue *queue, int16 typlen);

/* Rows [first, first + count) of a selection, of one group: the vectors `columns` of them. */
extern void nts_spill_rows(NtsSpillQueue *queue, const NtsAggVectors *vectors, const int *columns, int column_count,
						   uint64 hash, uint32 first, uint32 count);
/* Fills those vectors with the next rows that were written; returns how many, 0 at the end. */
extern uint32 nts_spill_load(NtsSpillQueue *queue, NtsAggVectors *vectors, const int *columns, int column_count);

#endif							/* NTS_SCAN_AGGREGATE_SPILL_H */
