/*
 * fetch.c - a row by its tuple id: triggers, TID scans, EvalPlanQual.
 *
 * Rows that are still in the write buffer are served from there. For stored rows a
 * reader is kept until the command or snapshot changes, since triggers ask for one
 * row after the other.
 */
#include "postgres.h"

#include "access/xact.h"
#include "storage/predicate.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/am/am.h"

typedef struct FetchKey
{
	Oid			relid;
	NtsFileNode node;
	Snapshot	snapshot;
	TransactionId xmin;
	TransactionId xmax;
	CommandId	curcid;			/* the snapshot's */
	CommandId	command;		/* the transaction's */
} FetchKey;

static NtsReader *cached;		/* in TopTransactionContext */
static FetchKey cached_key;

void
nts_fetch_forget(bool at_end)
{
	NtsReader  *reader = cached;

	cached = NULL;
	/* its columns are all decoded, so closing cannot fail */
	if (reader != NULL && !at_end)
		nts_reader_close(reader);
}

static void
make_key(FetchKey *key, Relation rel, Snapshot snapshot)
{
	memset(key, 0, sizeof(*key));
	key->relid = RelationGetRelid(rel);
	key->node = NTS_REL_NODE(rel);
	key->snapshot = snapshot;
	key->command = GetCurrentCommandId(false);
	if (IsMVCCSnapshot(snapshot))
	{
		key->xmin = snapshot->xmin;
		key->xmax = snapshot->xmax;
		key->curcid = snapshot->curcid;
	}
}

static bool
find_and_store(NtsReader *reader, Relation rel, uint64 row_id, TupleTableSlot *slot)
{
	uint32		offset;
	NtsVectorSet *set;

	/* the slot's reference would keep the set from being used again */
	ExecClearTuple(slot);
	set = nts_reader_row_id(reader, row_id, &offset);
	if (set == NULL)
		return false;
	/* the caller may close the relation before it reads the slot */
	for (int i = 0; i < set->natts; i++)
		if (!set->columns[i].filled)
			nts_vector_set_fill(set, i);
	nts_slot_store(slot, set, offset, RelationGetRelid(rel));
	return true;
}

bool
nts_am_fetch_row_version(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot)
{
	uint64		row_id = nts_tid_to_row_id(tid);
	NtsReader  *reader;
	FetchKey	key;
	bool		found = false;

	/* retention may remove it, and heap would lock the tuple */
	if (IsMVCCSnapshot(snapshot))
		PredicateLockRelation(rel, snapshot);
	if (row_id == NTS_NO_ROW_ID)
		return false;
	if (nts_buffer_fetch(rel, row_id, snapshot, slot))
		return true;

	/* an error below must not leave a half-loaded reader behind */
	reader = cached;
	cached = NULL;
	make_key(&key, rel, snapshot);
	if (reader != NULL && memcmp(&key, &cached_key, sizeof(key)) == 0 &&
		nts_reader_same_row_type(reader, slot->tts_tupleDescriptor))
	{
		nts_reader_set_relation(reader, rel);
		found = find_and_store(reader, rel, row_id, slot);
	}
	if (!found)
	{
		/* new entries may have come since that reader was opened */
		if (reader != NULL)
			nts_reader_close(reader);
		reader = nts_reader_open(rel, slot->tts_tupleDescriptor, snapshot, TopTransactionContext, NULL);
		found = find_and_store(reader, rel, row_id, slot);
	}
	cached = reader;
	cached_key = key;
	return found;
}

bool
nts_am_tid_valid(TableScanDesc scan, ItemPointer tid)
{
	uint64		row_id = nts_tid_to_row_id(tid);
	NtsMeta		meta;

	return row_id != NTS_NO_ROW_ID && nts_meta_read(scan->rs_rd, &meta) &&
		row_id < meta.next_row_id;
}

/* Rows have one version, so the newest is the one asked for. */
void
nts_am_get_latest_tid(TableScanDesc scan, ItemPointer tid)
{
}

bool
nts_am_satisfies_snapshot(Relation rel, TupleTableSlot *slot, Snapshot snapshot)
{
	TupleTableSlot *probe;
	ItemPointerData tid = slot->tts_tid;
	bool		visible;

	if (!ItemPointerIsValid(&tid))
		return false;
	probe = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsNodedbTs);
	visible = nts_am_fetch_row_version(rel, &tid, snapshot, probe);
	ExecDropSingleTupleTableSlot(probe);
	return visible;
}
