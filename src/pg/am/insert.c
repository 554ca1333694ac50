/*
 * insert.c - rows on their way in. A row gets an id at once when somebody may be
 * told of it (RETURNING ctid, queued trigger events); rows of COPY without such
 * triggers and of rewrites get theirs when they are written.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/reltrigger.h"

#include "pg/am/am.h"

static bool
hands_out_ids(Relation rel, bool told)
{
	/* queued AFTER ROW events fetch the row by its id */
	return told || (rel->trigdesc != NULL && rel->trigdesc->trig_insert_after_row);
}

void
nts_am_tuple_insert(Relation rel, TupleTableSlot *slot, CommandId cid, NtsInsertOptions options,
					struct BulkInsertStateData *bistate)
{
	/* CREATE TABLE AS and rewrites never show a tuple id */
	nts_buffer_insert(rel, &slot, 1, cid, hands_out_ids(rel, (options & TABLE_INSERT_SKIP_FSM) == 0));
	pgstat_count_heap_insert(rel, 1);
}

void
nts_am_multi_insert(Relation rel, TupleTableSlot **slots, int nslots, CommandId cid,
					NtsInsertOptions options, struct BulkInsertStateData *bistate)
{
	nts_buffer_insert(rel, slots, nslots, cid, hands_out_ids(rel, false));
	pgstat_count_heap_insert(rel, nslots);
	CHECK_FOR_INTERRUPTS();
}

void
nts_am_finish_bulk_insert(Relation rel, NtsInsertOptions options)
{
	/* a rewritten table's file is about to be given to another relation */
	if (OidIsValid(rel->rd_rel->relrewrite))
		nts_buffer_flush_relation(rel);
}
