/*
 * pack.c - VACUUM's packing: segments and directory pages move from the file's end into
 * free extents before them, so that the end can be cut off.
 *
 * A move is physical: entry, generation, xids and bytes stay, only the place changes. So
 * it is none of MVCC's business, and takes two steps instead:
 *
 *   1. Copying, beside readers and inserters. The copy's extent is allocated as any
 *      other, if it lies before the original: the file never grows for this. Its entry
 *      is "building" and of a frozen xmin: nobody reads it, and whoever cleans up next
 *      frees it, should we not come to an end.
 *   2. Swapping, under AccessExclusiveLock, one record each: the entry gets the copy's
 *      extent, the copy's entry becomes a free extent with the old blocks.
 *
 * The lock is what makes the swap safe: readers look at the directory when they open, and
 * at pages until they close, and the participants of a parallel scan do the former at
 * different times, but agree on block numbers. All of them hold a lock on the table
 * meanwhile, so there is none, here or on a standby, when places change. It is the lock
 * that cutting off needs anyway, and is taken once, at VACUUM's end: standbys hold it until
 * VACUUM's transaction ends.
 *
 * Directory pages go to the front before anything else moves, where they divide no hole.
 *
 * Delta extents stay where they are: their open pages are known to backends.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "pg/error.h"
#include "pg/fault.h"
#include "pg/storage/storage.h"

/* Swaps of one VACUUM, while everybody waits. */
#define MAX_MOVES 1000
/* Holes that planning looks at in all; what it has not come to then stays. */
#define MAX_LOOKS 20000000

/* What stands in the file. */
typedef struct Used
{
	BlockNumber first;
	uint32		count;
	bool		movable;
	bool		directory;
	NtsEntryRef ref;			/* unless it is a directory page */
} Used;

typedef struct Hole
{
	BlockNumber first;
	uint32		count;
} Hole;

typedef struct Layout
{
	Used	   *used;			/* by place */
	int			used_count;
	int			used_room;
	Hole	   *holes;			/* by place */
	int			hole_count;
	int			hole_room;
} Layout;

struct NtsPacking
{
	Relation	rel;
	BufferAccessStrategy strategy;
	Used	   *moves;			/* the last in the file first */
	NtsEntryRef *copies;		/* of the moves */
	int			count;
	int			allocated;
	int			copied;
	bool		writing;		/* the copy of moves[copied] */
	bool		damaged;		/* or moves[copied] could not be read */
	NtsSegmentWriter writer;
	uint8	   *piece;
};

/* ---- planning ---- */

static Used *
add_item(Layout *layout, BlockNumber first, uint32 count)
{
	Used	   *item;

	if (layout->used_count == layout->used_room)
	{
		layout->used_room = Max(64, layout->used_room * 2);
		layout->used = layout->used == NULL ? palloc(sizeof(Used) * layout->used_room) :
			repalloc_huge(layout->used, sizeof(Used) * layout->used_room);
	}
	item = &layout->used[layout->used_count++];
	memset(item, 0, sizeof(*item));
	item->first = first;
	item->count = count;
	return item;
}

static int
compare_items(const void *a, const void *b)
{
	BlockNumber x = ((const Used *) a)->first;
	BlockNumber y = ((const Used *) b)->first;

	return x < y ? -1 : x > y;
}

static int
compare_holes(const void *a, const void *b)
{
	BlockNumber x = ((const Hole *) a)->first;
	BlockNumber y = ((const Hole *) b)->first;

	return x < y ? -1 : x > y;
}

/* Its transaction has committed, and nobody has moved or removed it. */
static bool
is_movable(const NtsEntry *entry)
{
	NtsXidFate	made;

	if (entry->level == NTS_LEVEL_DELTA || entry->state != NTS_ENTRY_LIVE)
		return false;
	made = nts_xid_fate(entry->xmin, InvalidTransactionId);
	return made != NTS_XID_RUNNING && made != NTS_XID_ABORTED;
}

/* Neighbours are one hole, once they are joined. */
static void
join_holes(Layout *layout)
{
	int			kept = 0;

	for (int i = 0; i < layout->hole_count; i++)
		if (kept > 0 && layout->holes[kept - 1].first + layout->holes[kept - 1].count == layout->holes[i].first)
			layout->holes[kept - 1].count += layout->holes[i].count;
		else
			layout->holes[kept++] = layout->holes[i];
	layout->hole_count = kept;
}

static void
read_layout(Relation rel, bool all, Layout *layout)
{
	NtsMeta		meta;
	int			count;
	NtsEntryRef *refs = nts_directory_read(rel, &meta, true, &count);

	memset(layout, 0, sizeof(*layout));
	if (refs == NULL)
		return;
	layout->hole_room = count;
	for (BlockNumber block = meta.directory_head; block != InvalidBlockNumber;)
	{
		PGAlignedBlock copy;
		Used	   *item = add_item(layout, block, 1);

		item->directory = true;
		/* nothing stands before the first one but the metapage */
		item->movable = block != meta.directory_head;
		(void) nts_directory_copy(rel, block, copy.data);
		block = nts_directory_next(rel, block, (Page) copy.data);
		layout->hole_room++;	/* it may leave one */
	}
	layout->holes = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Hole) * layout->hole_room);
	for (int i = 0; i < count; i++)
	{
		const NtsEntry *entry = &refs[i].entry;
		Used	   *item;

		if (entry->state == NTS_ENTRY_FREE)
		{
			if (!all && !nts_extent_is_reusable(rel, entry))
				continue;
			layout->holes[layout->hole_count++] = (Hole) {entry->first_block, entry->block_count};
			continue;
		}
		item = add_item(layout, entry->first_block, entry->block_count);
		item->movable = is_movable(entry);
		item->ref = refs[i];
	}
	pfree(refs);
	qsort(layout->used, layout->used_count, sizeof(Used), compare_items);
	if (layout->hole_count > 1)
		qsort(layout->holes, layout->hole_count, sizeof(Hole), compare_holes);
	join_holes(layout);
}

/* A hole of one block behind the others that are before it. */
static void
leave_hole(Layout *layout, BlockNumber block)
{
	int			at = layout->hole_count;

	Assert(layout->hole_count < layout->hole_room);
	while (at > 0 && layout->holes[at - 1].first > block)
		at--;
	memmove(&layout->holes[at + 1], &layout->holes[at], sizeof(Hole) * (layout->hole_count++ - at));
	layout->holes[at] = (Hole) {block, 1};
}

/*
 * Directory pages stand in the way of what is larger, so they go as far to the front as they
 * can. Changes the layout accordingly; returns how many move, *moves (or NULL): from where.
 */
static int
move_directory(Layout *layout, Used *moves)
{
	int			count = 0;

	for (int i = 0; i < layout->used_count; i++)
	{
		Used	   *item = &layout->used[i];
		Hole	   *hole = layout->holes;

		if (!item->directory || !item->movable || layout->hole_count == 0 || hole->first > item->first ||
			(moves != NULL && count == MAX_MOVES))
			continue;
		if (moves != NULL)
			moves[count] = *item;
		count++;
		leave_hole(layout, item->first);
		item->first = hole->first++;
		if (--hole->count == 0)
			memmove(hole, hole + 1, sizeof(Hole) * --layout->hole_count);
	}
	join_holes(layout);
	if (count > 0)
		qsort(layout->used, layout->used_count, sizeof(Used), compare_items);
	return count;
}

/* The smallest hole before the item that holds it, as nts_extent_allocate_below takes it. */
static Hole *
find_hole(const Layout *layout, const Used *item)
{
	Hole	   *best = NULL;

	for (int i = 0; i < layout->hole_count && layout->holes[i].first < item->first; i++)
		if (layout->holes[i].count >= item->count &&
			(best == NULL || (item->count > 1 && layout->holes[i].count < best->count)))
			best = &layout->holes[i];
	return best;
}

/*
 * Takes the last item of the file as long as there is a hole for it. moves: room for
 * MAX_MOVES, those of one VACUUM; NULL: only the end is asked for, which is *packed_end
 * after as many as it takes. Returns how many.
 */
static int
choose_moves(Layout *layout, uint64 max_blocks, Used *moves, BlockNumber *packed_end)
{
	BlockNumber placed_end = 0;
	uint64		blocks = 0;
	uint64		looks = 0;
	int			count = move_directory(layout, moves);
	int			last = layout->used_count - 1;

	*packed_end = 0;
	/* then the next one finds larger holes */
	if (moves != NULL && count > 0)
		return count;
	for (; last >= 0 && looks < MAX_LOOKS; last--)
	{
		const Used *item = &layout->used[last];
		Hole	   *hole;

		CHECK_FOR_INTERRUPTS();
		/* one that was moved is the last now */
		if (!item->movable || item->first < placed_end)
			break;
		if (moves != NULL && (count == MAX_MOVES || (count > 0 && blocks + item->count > max_blocks)))
			break;
		looks += layout->hole_count;
		hole = find_hole(layout, item);
		if (hole == NULL)
			break;
		if (moves != NULL)
			moves[count] = *item;
		count++;
		blocks += item->count;
		hole->first += item->count;
		hole->count -= item->count;
		placed_end = Max(placed_end, hole->first);
	}
	*packed_end = placed_end;
	if (last >= 0)
		*packed_end = Max(placed_end, layout->used[last].first + layout->used[last].count);
	return count;
}

void
nts_pack_plan(Relation rel, bool all, NtsPackPlan *plan)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "nodedb_ts packing plan",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Layout		layout;

	memset(plan, 0, sizeof(*plan));
	read_layout(rel, all, &layout);
	if (layout.used_count > 0)
	{
		const Used *last = &layout.used[layout.used_count - 1];

		plan->used_end = last->first + last->count;
		(void) choose_moves(&layout, PG_UINT64_MAX, NULL, &plan->packed_end);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* ---- copying ---- */

NtsPacking *
nts_pack_begin(Relation rel, BufferAccessStrategy strategy, uint64 max_blocks)
{
	NtsPacking *packing = palloc0(sizeof(NtsPacking));
	BlockNumber packed_end;
	Layout		layout;

	packing->rel = rel;
	packing->strategy = strategy;
	packing->moves = palloc(sizeof(Used) * MAX_MOVES);
	packing->copies = palloc0(sizeof(NtsEntryRef) * MAX_MOVES);
	read_layout(rel, false, &layout);
	packing->count = choose_moves(&layout, max_blocks, packing->moves, &packed_end);
	return packing;
}

/* Allocates the copy's extent. false: what the plan counted on has been taken by others. */
static bool
begin_copy(NtsPacking *packing)
{
	const Used *item = &packing->moves[packing->copied];
	NtsEntryRef *copy = &packing->copies[packing->copied];
	NtsEntry	target;

	if (item->directory)
	{
		copy->entry.level = NTS_LEVEL_L1;
		copy->entry.byte_length = 1;
	}
	else
		copy->entry = item->ref.entry;
	copy->entry.state = NTS_ENTRY_BUILDING;
	copy->entry.xmin = FrozenTransactionId;
	copy->entry.flags &= ~NTS_ENTRY_MOVED_IN;
	if (!nts_extent_allocate_below(packing->rel, copy, item->count, item->first))
		return false;
	packing->allocated++;
	NTS_FAULT(pack_allocated);
	if (item->directory)
		return true;			/* its content may change until it is swapped */
	target = item->ref.entry;
	target.first_block = copy->entry.first_block;
	nts_segment_rewrite_begin(packing->rel, &target, packing->strategy, &packing->writer);
	if (packing->piece == NULL)
		packing->piece = palloc(packing->writer.piece);
	packing->writing = true;
	return true;
}

/* For nts_error_try. */
static void
read_piece(void *arg)
{
	NtsPacking *packing = arg;
	const NtsEntry *entry = &packing->moves[packing->copied].ref.entry;
	const NtsSegmentWriter *writer = &packing->writer;

	nts_segment_read(packing->rel, entry, entry->byte_length - writer->left, Min(writer->left, writer->piece),
					 packing->strategy, packing->piece);
}

/* What is damaged stays where it is: so does all before it. */
static bool
try_read_piece(NtsPacking *packing)
{
	int			sqlstate;
	char	   *message;

	if (nts_error_try(read_piece, packing, &sqlstate, &message))
		return true;
	ereport(WARNING,
			(errcode(sqlstate),
			 errmsg("segment at block %u of table \"%s\" cannot be moved: %s",
					packing->moves[packing->copied].first, RelationGetRelationName(packing->rel), message)));
	return false;
}

bool
nts_pack_copy(NtsPacking *packing)
{
	NtsSegmentWriter *writer = &packing->writer;

	if (packing->copied == packing->count)
		return false;
	if (!packing->writing && !begin_copy(packing))
	{
		packing->count = packing->copied;
		return false;
	}
	if (packing->writing)
	{
		if (!try_read_piece(packing))
		{
			packing->damaged = true;
			packing->count = packing->copied;
			(void) nts_extent_free(packing->rel, &packing->copies[--packing->allocated], 0);
			return false;
		}
		nts_segment_append(writer, packing->piece);
		NTS_FAULT(pack_write);
		packing->writing = writer->left > 0;
	}
	if (!packing->writing)
		packing->copied++;
	return true;
}

bool
nts_pack_is_ready(const NtsPacking *packing)
{
	return packing->copied > 0 && packing->copied == packing->allocated;
}

bool
nts_pack_is_damaged(const NtsPacking *packing)
{
	return packing->damaged;
}

void
nts_pack_flush(const NtsPacking *packing)
{
	if (RelationNeedsWAL(packing->rel))
		XLogFlush(XactLastRecEnd);
}

/* ---- swapping ---- */

uint64
nts_pack_finish(NtsPacking *packing)
{
	uint64		blocks = 0;

	for (int i = 0; i < packing->copied; i++)
	{
		if (packing->moves[i].directory)
			continue;
		CHECK_FOR_INTERRUPTS();
		nts_extent_swap(packing->rel, &packing->moves[i].ref, &packing->copies[i]);
		blocks += packing->moves[i].count;
	}
	for (int i = 0; i < packing->copied; i++)
	{
		BlockNumber from = packing->moves[i].first;

		if (!packing->moves[i].directory)
			continue;
		CHECK_FOR_INTERRUPTS();
		nts_extent_swap_directory(packing->rel, from, &packing->copies[i]);
		blocks++;
		/* entries of copies may stand on that page */
		for (int k = i + 1; k < packing->copied; k++)
			if (packing->copies[k].directory_block == from)
				packing->copies[k].directory_block = packing->copies[i].entry.first_block;
	}
	return blocks;
}

void
nts_pack_abandon(NtsPacking *packing)
{
	for (int i = 0; i < packing->allocated; i++)
		(void) nts_extent_free(packing->rel, &packing->copies[i], 0);
	packing->allocated = packing->copied = packing->count = 0;
}
