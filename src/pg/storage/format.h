/*
 * format.h - the pages of a nodedb_ts relation, byte by byte.
 *
 * The prose stands in src/segment/FORMAT.md. Everything is little-endian and of
 * fixed width; sizes and offsets are asserted here. Numbers of kinds, states and
 * flags are on disk: never reuse one.
 */
#ifndef NTS_STORAGE_FORMAT_H
#define NTS_STORAGE_FORMAT_H

#include "postgres.h"

#include "access/transam.h"
#include "storage/block.h"
#include "storage/bufpage.h"

#define NTS_FORMAT_MAGIC 0x5354444E /* "NDTS" */
#define NTS_FORMAT_MAJOR 5		/* readers refuse another one */
#define NTS_FORMAT_MINOR 1		/* readers refuse a larger one */
#define NTS_FORMAT_MINOR_PLAIN 0	/* of tables that never had trained dictionaries */
#define NTS_PAGE_FORMAT 1

#define NTS_META_BLOCK 0

/* page kinds */
#define NTS_PAGE_META 1
#define NTS_PAGE_DIRECTORY 2
#define NTS_PAGE_DELTA 3
#define NTS_PAGE_SEGMENT 4

/* The special area of every page starts with this. */
typedef struct NtsPageSpecial
{
	uint8		kind;			/* NTS_PAGE_* */
	uint8		format;			/* NTS_PAGE_FORMAT */
	uint16		flags;			/* NTS_DELTA_* on delta pages, else 0 */
	uint32		next;			/* directory: next page or InvalidBlockNumber; else 0 */
	uint64		generation;		/* of the extent the page belongs to; 0: metapage and
								 * directory */
} NtsPageSpecial;

StaticAssertDecl(sizeof(NtsPageSpecial) == 16, "page special area");

/* Special area of a delta page. */
typedef struct NtsDeltaSpecial
{
	NtsPageSpecial common;
	int64		min_time;		/* of its rows' non-NULL times; min > max: none */
	uint16		head_at;		/* where the newest payload head stands on the page, */
	uint16		head_length;	/* and its bytes: equal ones are not stored again */
	uint32		rows;			/* in all its batches, whatever became of them */
	uint64		next_row_id;	/* behind the last batch; 0 on an empty page */
	int64		max_time;
	uint32		checksum;		/* CRC-32C of the batches XOR that of the other members here,
								 * so that an append need not read the page */
	uint32		move_xid;		/* who moved all its batches to a segment, or 0;
								 * FrozenTransactionId: nobody will look at them again */
	uint32		move_cid;
	uint32		time_column;	/* number of the column that min_time and max_time are about; 0:
								 * unknown; NTS_MIXED_TIME */
} NtsDeltaSpecial;

StaticAssertDecl(sizeof(NtsDeltaSpecial) == 64, "delta special area");

/* Batches of the page had different time columns: its bounds hold any time. */
#define NTS_MIXED_TIME 0xffffffff

/* Where a member stands on the page. */
#define NTS_DELTA_SPECIAL_AT(member) \
	(BLCKSZ - sizeof(NtsDeltaSpecial) + offsetof(NtsDeltaSpecial, member))
/* A move changes these members, which stand together, and the flags. */
#define NTS_DELTA_MOVE_BYTES (3 * sizeof(uint32))

#define NTS_DELTA_SEALED 0x0001 /* takes no more batches */
#define NTS_DELTA_NULL_TIME 0x0002	/* some row has no time */

/* An open delta page. */
typedef struct NtsTail
{
	uint32		block;			/* InvalidBlockNumber: free place */
	uint32		reserved;
	uint64		generation;
} NtsTail;

#define NTS_MAX_TAILS 16

/* The metapage's content, at the start of its page contents. */
typedef struct NtsMeta
{
	uint32		magic;
	uint16		format_major;
	uint16		format_minor;
	uint64		next_row_id;
	uint64		next_generation;	/* of an extent; starts at 1 */
	uint64		cache_generation;	/* grows in every record that changes the directory */
	uint32		allocated_end;	/* first block that belongs to nobody */
	uint32		directory_head;
	uint32		directory_tail;
	uint32		free_extents;	/* entries in state NTS_ENTRY_FREE */
	uint32		flags;			/* NTS_META_* */
	uint32		delta_next;		/* next unused page of the newest delta extent */
	uint32		delta_end;		/* first block behind that extent */
	uint32		checksum;		/* CRC-32C of all other members */
	uint64		delta_generation;	/* of that extent; 0: there is none */
	uint32		directory_pages;
	uint32		empty_slots;	/* entries in state NTS_ENTRY_EMPTY */
	NtsTail		tails[NTS_MAX_TAILS];
} NtsMeta;

StaticAssertDecl(sizeof(NtsMeta) == 80 + 16 * NTS_MAX_TAILS, "metapage");

#define NTS_META_IDS_PINNED 0x0001	/* row ids may not change any more */
#define NTS_META_DICTIONARIES 0x0002	/* there are, or were, trained dictionaries */

/*
 * Entry states. An EMPTY slot has no extent, and all members but the checksum are 0.
 * A FREE one owns an extent that nobody uses; nobody may use it before every snapshot
 * is younger than the transaction id in first_row_id (the next full one at the time
 * of freeing; 0: at once), since a scan that began earlier may still look at its pages.
 */
#define NTS_ENTRY_EMPTY 0
#define NTS_ENTRY_BUILDING 1
#define NTS_ENTRY_LIVE 2
#define NTS_ENTRY_MOVED 3
#define NTS_ENTRY_KILLED 4
#define NTS_ENTRY_FREE 5

/* entry levels */
#define NTS_LEVEL_DELTA 0
#define NTS_LEVEL_L1 1
#define NTS_LEVEL_L2 2
#define NTS_LEVEL_DICTIONARIES 3	/* no rows: a set of trained dictionaries */

/* entry flags */
#define NTS_ENTRY_HAS_TIME 0x0001	/* min_time, max_time are set */
#define NTS_ENTRY_NULL_TIME 0x0002	/* some row has no time */
#define NTS_ENTRY_ROW_IDS 0x0004	/* the segment stores a row id column */
#define NTS_ENTRY_COMMAND_IDS 0x0008	/* the segment stores a command id column */
#define NTS_ENTRY_MOVED_IN 0x0010	/* its rows were moved here by its xmin */
#define NTS_ENTRY_FROZEN 0x0020 /* delta: every page is sealed and holds no
								 * transaction id any more; rows is set */
#define NTS_ENTRY_RETIRED 0x0040	/* dictionaries: no new segment will use them */

/*
 * One segment, delta extent or set of dictionaries. Keeps its slot while it is in use. A
 * reference to an entry is (slot, generation).
 */
typedef struct NtsEntry
{
	uint8		state;
	uint8		level;
	uint16		flags;
	uint32		xmin;			/* FrozenTransactionId: visible to all */
	uint32		cmin;
	uint32		xmax;			/* mover or killer, or 0 */
	uint32		cmax;
	uint32		successor_slot; /* of the segment that holds the moved rows */
	uint64		successor_generation;	/* 0: none */
	uint64		generation;
	uint64		first_row_id;	/* smallest id; without NTS_ENTRY_ROW_IDS row i has
								 * first_row_id + i. FREE: see above */
	uint64		last_row_id;	/* largest id */
	uint64		rows;
	int64		min_time;		/* NTS_ENTRY_RETIRED: the next full transaction id at the time when
								 * everybody knew, or 0: not known yet */
	int64		max_time;
	uint32		first_block;
	uint32		block_count;
	uint64		byte_length;	/* of the segment's byte string; 0 on a delta extent */
	uint64		footer_offset;
	uint32		time_column;	/* number of the column that min_time, max_time and
								 * NTS_ENTRY_NULL_TIME are about; 0: none, or a delta extent */
	uint32		dictionaries;	/* id of the set that the segment refers to (0: none), or that the
								 * extent holds */
	uint32		change_head;	/* list of delete and lock records; InvalidBlockNumber */
	uint32		crc32c;			/* of all bytes before it */
} NtsEntry;

StaticAssertDecl(sizeof(NtsEntry) == 120, "directory entry");

#define NTS_PAGE_CONTENT MAXALIGN(SizeOfPageHeaderData)
#define NTS_ENTRIES_PER_PAGE \
	((BLCKSZ - NTS_PAGE_CONTENT - sizeof(NtsPageSpecial)) / sizeof(NtsEntry))

/* Bytes of a segment that one page holds. */
#define NTS_SEGMENT_PAYLOAD (BLCKSZ - NTS_PAGE_CONTENT - sizeof(NtsPageSpecial))

/* batch kinds */
#define NTS_BATCH_ROWS 1
#define NTS_BATCH_DELETES 2
#define NTS_BATCH_LOCKS 3
#define NTS_BATCH_MOVED_ROWS 4	/* rows, moved here by xmin */

/*
 * A batch on a delta page; batches follow each other without padding:
 *
 *   u8      bits 0..3 kind, bit 4 layout of the payload, bit 5: its head is left out
 *   varint  bytes of the payload that are stored
 *   u32     xmin, little-endian (FrozenTransactionId: visible to all; 0: dead, its
 *           transaction was rolled back)
 *   varint  smallest command id of its rows
 *   varint  rows
 *   varint  zigzag of (first row id - row id behind the previous batch on the page)
 *   varint  bytes of the payload's head; not there when the head is left out
 *   payload
 *
 * The head of a payload says how its rows are made up (FORMAT.md) and is mostly the
 * same for all of them. Left out, it is that of the nearest batch before that has one.
 * A one-row batch so costs about 10 bytes beside its values.
 */
#define NTS_BATCH_KIND_MASK 0x0f
#define NTS_BATCH_LAYOUT_BIT 0x10
#define NTS_BATCH_SHARED_HEAD 0x20
#define NTS_BATCH_HEADER_MAX 32

#define NTS_DELTA_CAPACITY (BLCKSZ - NTS_PAGE_CONTENT - sizeof(NtsDeltaSpecial))
#define NTS_MAX_BATCH_PAYLOAD (NTS_DELTA_CAPACITY - NTS_BATCH_HEADER_MAX)
#define NTS_MAX_BATCH_ROWS 1024
#define NTS_MAX_DELTA_ROWS 32768	/* on a page: TABLESAMPLE counts them in 16 bits */

/* as tuple ids: offsets above 65 280 are PostgreSQL's own */
#define NTS_ROW_ID_LIMIT (UINT64CONST(255) << 40)

static inline NtsPageSpecial *
nts_page_special(Page page)
{
	return (NtsPageSpecial *) PageGetSpecialPointer(page);
}

static inline NtsDeltaSpecial *
nts_delta_special(Page page)
{
	return (NtsDeltaSpecial *) PageGetSpecialPointer(page);
}

#endif							/* NTS_STORAGE_FORMAT_H */
