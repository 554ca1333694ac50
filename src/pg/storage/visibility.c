/*
 * visibility.c - MVCC for a batch or an entry, after heapam_visibility.c.
 *
 * The inserting xid is tested as heap tests a tuple's xmin. A move is not a
 * delete: under MVCC snapshots exactly one of old and new copy is visible, since
 * both carry the mover's xid and command id. Under snapshots that see work in
 * progress (Dirty, Self, Any) the old copy counts until the mover has committed.
 */
#include "postgres.h"

#include "access/subtrans.h"
#include "access/transam.h"
#include "access/xact.h"
#include "storage/predicate.h"
#include "storage/procarray.h"
#include "utils/snapmgr.h"

#include "pg/storage/storage.h"

/* A serializable reader skips rows of xid: their writer came after it. */
static void
conflict_out(Relation rel, TransactionId xid, Snapshot snapshot)
{
	if (!CheckForSerializableConflictOutNeeded(rel, snapshot))
		return;
	xid = SubTransGetTopmostTransaction(xid);
	if (TransactionIdPrecedes(xid, TransactionXmin) ||
		TransactionIdEquals(xid, GetTopTransactionIdIfAny()))
		return;
	CheckForSerializableConflictOut(rel, xid, snapshot);
}

static bool
visible_in_mvcc(Relation rel, TransactionId xmin, CommandId cid, bool moved_in,
				Snapshot snapshot)
{
	if (TransactionIdIsCurrentTransactionId(xmin))
		return cid < snapshot->curcid;
	if (XidInMVCCSnapshot(xmin, snapshot))
	{
		/* a copy that is not there yet hides nothing: the old one is read */
		if (!moved_in)
			conflict_out(rel, xmin, snapshot);
		return false;
	}
	return TransactionIdDidCommit(xmin);
}

NtsXidFate
nts_xid_fate(TransactionId xid, TransactionId oldest_xmin)
{
	if (xid == FrozenTransactionId)
		return NTS_XID_FROZEN;
	if (!TransactionIdIsValid(xid))
		return NTS_XID_ABORTED;
	/* in this order: a transaction leaves the array only after it is in the log */
	if (TransactionIdIsCurrentTransactionId(xid) || TransactionIdIsInProgress(xid))
		return NTS_XID_RUNNING;
	if (!TransactionIdDidCommit(xid))
		return NTS_XID_ABORTED;
	return TransactionIdPrecedes(xid, oldest_xmin) ? NTS_XID_SEEN : NTS_XID_COMMITTED;
}

bool
nts_xmin_visible(Relation rel, TransactionId xmin, CommandId cid, bool moved_in,
				 Snapshot snapshot)
{
	if (xmin == FrozenTransactionId)
		return true;
	if (!TransactionIdIsValid(xmin))
		return false;			/* a dead batch */
	switch (snapshot->snapshot_type)
	{
		case SNAPSHOT_MVCC:
		case SNAPSHOT_HISTORIC_MVCC:
			return visible_in_mvcc(rel, xmin, cid, moved_in, snapshot);
		case SNAPSHOT_ANY:
			/* heap shows every version; a copy that is not there yet is none */
			return !moved_in || TransactionIdIsCurrentTransactionId(xmin) ||
				(!TransactionIdIsInProgress(xmin) && TransactionIdDidCommit(xmin));
		case SNAPSHOT_DIRTY:
			if (TransactionIdIsCurrentTransactionId(xmin))
				return true;
			if (TransactionIdIsInProgress(xmin))
			{
				if (moved_in)
					return false;
				snapshot->xmin = xmin;
				return true;
			}
			return TransactionIdDidCommit(xmin);
		default:				/* SELF, TOAST, NON_VACUUMABLE */
			if (TransactionIdIsCurrentTransactionId(xmin))
				return true;
			if (TransactionIdIsInProgress(xmin))
				return snapshot->snapshot_type == SNAPSHOT_NON_VACUUMABLE && !moved_in;
			return TransactionIdDidCommit(xmin);
	}
}

bool
nts_xmax_gone(TransactionId xmax, CommandId cmax, bool killed, Snapshot snapshot)
{
	if (!TransactionIdIsValid(xmax))
		return false;
	if (xmax == FrozenTransactionId)
		return true;
	if (snapshot->snapshot_type == SNAPSHOT_MVCC ||
		snapshot->snapshot_type == SNAPSHOT_HISTORIC_MVCC)
	{
		if (TransactionIdIsCurrentTransactionId(xmax))
			return cmax < snapshot->curcid;
		return !XidInMVCCSnapshot(xmax, snapshot) && TransactionIdDidCommit(xmax);
	}
	if (killed && snapshot->snapshot_type == SNAPSHOT_ANY)
		return false;
	if (TransactionIdIsCurrentTransactionId(xmax))
		return true;
	if (TransactionIdIsInProgress(xmax))
	{
		/* a move takes nothing away, so nobody waits for its end */
		if (killed && snapshot->snapshot_type == SNAPSHOT_DIRTY)
			snapshot->xmax = xmax;
		return false;
	}
	return TransactionIdDidCommit(xmax);
}

/* A serializable reader sees what xmax, which came after its snapshot, has removed. */
static void
removal_conflict_out(Relation rel, TransactionId xmax, Snapshot snapshot)
{
	if (TransactionIdIsNormal(xmax) && IsMVCCSnapshot(snapshot) &&
		!TransactionIdIsCurrentTransactionId(xmax) && XidInMVCCSnapshot(xmax, snapshot))
		conflict_out(rel, xmax, snapshot);
}

bool
nts_entry_visible(Relation rel, const NtsEntry *entry, Snapshot snapshot)
{
	if (entry->state == NTS_ENTRY_EMPTY || entry->state == NTS_ENTRY_BUILDING ||
		entry->state == NTS_ENTRY_FREE || entry->level == NTS_LEVEL_DICTIONARIES)
		return false;
	if (!nts_xmin_visible(rel, entry->xmin, entry->cmin,
						  (entry->flags & NTS_ENTRY_MOVED_IN) != 0, snapshot))
	{
		/* its rows are read where they were before; who has removed them is known here only */
		if (entry->state == NTS_ENTRY_KILLED && (entry->flags & NTS_ENTRY_MOVED_IN) != 0)
			removal_conflict_out(rel, entry->xmax, snapshot);
		return false;
	}
	if (entry->state == NTS_ENTRY_LIVE)
		return true;
	if (nts_xmax_gone(entry->xmax, entry->cmax, entry->state == NTS_ENTRY_KILLED, snapshot))
		return false;
	if (entry->state == NTS_ENTRY_KILLED)
		removal_conflict_out(rel, entry->xmax, snapshot);
	return true;
}

bool
nts_delta_page_visible(Relation rel, const char *page, Snapshot snapshot)
{
	const NtsDeltaSpecial *special = nts_delta_special((Page) page);

	if (special->rows == 0 || nts_xmax_gone(special->move_xid, special->move_cid, false, snapshot))
		return false;
	/* the page does not tell whether retention has left rows out on the way */
	removal_conflict_out(rel, special->move_xid, snapshot);
	return true;
}

bool
nts_batch_visible(Relation rel, const NtsBatch *batch, Snapshot snapshot)
{
	return nts_xmin_visible(rel, batch->xmin, batch->cid, batch->kind == NTS_BATCH_MOVED_ROWS, snapshot);
}
