/*
 * verify.c - ts_verify: is a table sound? One row for each problem.
 *
 * Reads everything that somebody may still read, in this order: metapage, directory,
 * who owns which blocks, the pages of each extent, the row ids. After a problem it goes
 * on with what does not depend on the damaged thing. Reading happens in
 * subtransactions (nts_error_try), so that an unreadable block is a problem, too.
 *
 * Holds AccessShareLock and nothing else. Beside it rows are inserted, moved, frozen,
 * and extents are freed and used again. Therefore: entries younger than our copy of the
 * metapage are left alone; ownership of blocks is judged on a copy of the directory
 * that did not change while it was made; problems of an extent count only if its entry
 * still says the same afterwards; what is visible is decided by one snapshot.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/transam.h"
#include "access/xlog.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type_d.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "pg/error.h"
#include "pg/maintenance/verify.h"

PG_FUNCTION_INFO_V1(ts_verify);

/* A directory that changes all the time is read this often. */
#define MAX_LAYOUT_READS 50
#define LAYOUT_PAUSE_US 10000L

#define RUN_BITS 15				/* ids have 48 bits */
#define MAX_RUN (UINT64CONST(1) << RUN_BITS)

/* ---- problems ---- */

void
nts_verify_problem(NtsVerifyTable *table, BlockNumber block, const char *what, const char *fmt,...)
{
	MemoryContext old = MemoryContextSwitchTo(table->unit_context);
	NtsVerifyProblem *problem = palloc(sizeof(NtsVerifyProblem));
	char		text[512];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	problem->block = block;
	problem->what = what;
	problem->detail = pstrdup(text);
	table->problems = lappend(table->problems, problem);
	MemoryContextSwitchTo(old);
}

/* Reports what was noted (keep) or forgets it; frees what the unit took. */
static void
end_unit(NtsVerifyTable *table, bool keep)
{
	ListCell   *cell;

	foreach(cell, keep ? table->problems : NIL)
	{
		NtsVerifyProblem *problem = lfirst(cell);
		Datum		values[4];
		bool		nulls[4] = {0};

		values[0] = ObjectIdGetDatum(RelationGetRelid(table->rel));
		values[1] = Int64GetDatum((int64) problem->block);
		nulls[1] = problem->block == InvalidBlockNumber;
		values[2] = CStringGetTextDatum(problem->what);
		values[3] = CStringGetTextDatum(problem->detail);
		tuplestore_putvalues(table->result->setResult, table->result->setDesc, values, nulls);
	}
	table->problems = NIL;
	MemoryContextReset(table->unit_context);
}

bool
nts_verify_xid(NtsVerifyTable *table, BlockNumber block, const char *whose, TransactionId xid)
{
	const char *problem = nts_xid_problem(xid, table->oldest);

	if (problem != NULL)
		nts_verify_problem(table, block, NTS_WHAT_VISIBILITY, "%s %u %s", whose, xid, problem);
	return problem == NULL;
}

/* ---- reading what may be unreadable ---- */

typedef struct CountBlocks
{
	Relation	rel;
	BlockNumber blocks;
} CountBlocks;

static void
count_blocks(void *arg)
{
	CountBlocks *count = arg;

	count->blocks = nts_file_blocks(count->rel);
}

BlockNumber
nts_verify_file_blocks(NtsVerifyTable *table)
{
	CountBlocks count = {.rel = table->rel};
	int			sqlstate;
	char	   *message;

	if (!nts_error_try(count_blocks, &count, &sqlstate, &message))
	{
		nts_verify_problem(table, InvalidBlockNumber, NTS_WHAT_FILE, "%s", message);
		return 0;
	}
	return count.blocks;
}

typedef struct ReadMeta
{
	Relation	rel;
	NtsMeta    *meta;
	bool		found;
} ReadMeta;

static void
read_meta(void *arg)
{
	ReadMeta   *read = arg;

	read->found = nts_meta_read(read->rel, read->meta);
}

typedef struct ReadPage
{
	Relation	rel;
	BlockNumber block;
	bool		check;			/* that it is a directory page */
	char	   *page;
} ReadPage;

static void
read_page(void *arg)
{
	ReadPage   *read = arg;

	nts_page_copy(read->rel, read->block, NULL, read->page);
	if (read->check)
		nts_page_check(read->rel, read->block, (Page) read->page, NTS_PAGE_DIRECTORY, 0);
}

/* ---- metapage ---- */

/*
 * A table without a metapage is empty. Unless there is a directory: both are written at
 * once. true: go on.
 */
static bool
check_empty(NtsVerifyTable *table)
{
	PGAlignedBlock page;
	ReadPage	read = {.rel = table->rel,.block = NTS_META_BLOCK + 1,.page = page.data};
	ReadMeta	again = {.rel = table->rel,.meta = &table->meta};
	int			sqlstate;
	char	   *message;

	if (nts_verify_file_blocks(table) <= NTS_META_BLOCK + 1 ||
		!nts_error_try(read_page, &read, &sqlstate, &message) || PageIsNew((Page) page.data))
		return false;
	/* somebody may just have made both */
	if (!nts_error_try(read_meta, &again, &sqlstate, &message) || again.found)
		return true;
	nts_verify_problem(table, NTS_META_BLOCK, NTS_WHAT_META, "it is all zero, but block %u is not",
					   NTS_META_BLOCK + 1);
	return true;
}

/* Reads the metapage. false: nothing can be, or need be, checked behind it. */
static bool
check_meta(NtsVerifyTable *table)
{
	ReadMeta	read = {.rel = table->rel,.meta = &table->meta};
	PGAlignedBlock page;
	ReadPage	page_read = {.rel = table->rel,.block = NTS_META_BLOCK,.page = page.data};
	int			sqlstate;
	char	   *message;

	table->has_meta = false;
	if (nts_verify_file_blocks(table) == 0)
		return false;
	if (!nts_error_try(read_meta, &read, &sqlstate, &message))
	{
		nts_verify_problem(table, NTS_META_BLOCK, NTS_WHAT_META, "%s", message);
		/* what a newer version wrote, this one does not understand */
		return sqlstate != ERRCODE_FEATURE_NOT_SUPPORTED;
	}
	if (!read.found)
		return check_empty(table);
	if (nts_error_try(read_page, &page_read, &sqlstate, &message) &&
		!nts_page_rest_is_zero(page.data, 0))
		nts_verify_problem(table, NTS_META_BLOCK, NTS_WHAT_META, NTS_REST_NOT_ZERO);
	table->has_meta = true;
	return true;
}

/* ---- the directory, and who owns which blocks ---- */

typedef struct Owner
{
	BlockNumber first;
	uint32		count;
	const char *kind;			/* NULL: an entry */
	uint32		slot;			/* of the entry */
} Owner;

typedef struct Layout
{
	Owner	   *owners;
	int			owner_count;
	int			owner_room;
	NtsEntryRef *entries;
	int			entry_count;
	int			entry_room;
	uint32		free_extents;
	uint32		empty_slots;
	uint32		pages;			/* of the directory */
	BlockNumber last_page;
	bool		complete;		/* every entry could be read */
} Layout;

static void
add_owner(Layout *layout, BlockNumber first, uint32 count, const char *kind, uint32 slot)
{
	if (layout->owner_count == layout->owner_room)
	{
		layout->owner_room = Max(64, layout->owner_room * 2);
		layout->owners = layout->owners == NULL ? palloc(sizeof(Owner) * layout->owner_room) :
			repalloc_huge(layout->owners, sizeof(Owner) * layout->owner_room);
	}
	layout->owners[layout->owner_count++] = (Owner) {first, count, kind, slot};
}

static void
add_entry(Layout *layout, const NtsEntryRef *ref)
{
	if (layout->entry_count == layout->entry_room)
	{
		layout->entry_room = Max(64, layout->entry_room * 2);
		layout->entries = layout->entries == NULL ? palloc(sizeof(NtsEntryRef) * layout->entry_room) :
			repalloc_huge(layout->entries, sizeof(NtsEntryRef) * layout->entry_room);
	}
	layout->entries[layout->entry_count++] = *ref;
}

static void
check_directory_page(NtsVerifyTable *table, Layout *layout, BlockNumber block, char *page,
					 uint32 first_slot)
{
	Size		bytes = ((PageHeader) page)->pd_lower - NTS_PAGE_CONTENT;
	BlockNumber end = table->has_meta ? table->meta.allocated_end : MaxBlockNumber;

	if (bytes % sizeof(NtsEntry) != 0)
	{
		nts_verify_problem(table, block, NTS_WHAT_DIRECTORY, "it ends inside an entry");
		layout->complete = false;
	}
	if (!nts_page_rest_is_zero(page, 0))
		nts_verify_problem(table, block, NTS_WHAT_DIRECTORY, NTS_REST_NOT_ZERO);
	for (uint32 i = 0; i < bytes / sizeof(NtsEntry); i++)
	{
		NtsEntryRef ref = {.slot = first_slot + i,.directory_block = block,.index = i};
		NtsEntry   *entry = &ref.entry;
		const char *problem;

		memcpy(entry, page + NTS_PAGE_CONTENT + i * sizeof(NtsEntry), sizeof(NtsEntry));
		problem = nts_entry_problem(entry, MaxBlockNumber);
		/* younger than our copy of the metapage */
		if (problem == NULL && table->has_meta && entry->generation >= table->meta.next_generation)
			continue;
		if (problem == NULL)
			problem = nts_entry_problem(entry, end);
		if (problem != NULL)
		{
			nts_verify_problem(table, block, NTS_WHAT_DIRECTORY, "entry %u %s", ref.slot, problem);
			layout->complete = false;
			continue;
		}
		if (entry->state == NTS_ENTRY_EMPTY)
		{
			layout->empty_slots++;
			continue;
		}
		add_owner(layout, entry->first_block, entry->block_count, NULL, ref.slot);
		if (entry->state == NTS_ENTRY_FREE)
			layout->free_extents++;
		else
			add_entry(layout, &ref);
	}
}

static void
read_directory(NtsVerifyTable *table, Layout *layout)
{
	PGAlignedBlock page;
	ReadPage	read = {.rel = table->rel,.check = true,.page = page.data};
	BlockNumber blocks = nts_verify_file_blocks(table);
	uint32		first_slot = 0;
	BlockNumber before = InvalidBlockNumber;
	BlockNumber block = table->has_meta ? table->meta.directory_head : NTS_META_BLOCK + 1;

	memset(layout, 0, sizeof(*layout));
	layout->complete = true;
	add_owner(layout, NTS_META_BLOCK, 1, "the metapage", 0);
	while (block != InvalidBlockNumber)
	{
		int			sqlstate;
		char	   *message = NULL;

		CHECK_FOR_INTERRUPTS();
		/* a page that came after our copy of the metapage has younger entries only */
		if (table->has_meta && before == table->meta.directory_tail)
			break;
		read.block = block;
		if (block >= blocks)
			message = psprintf("block %u lies behind the end of the file (%u blocks)", block, blocks);
		if (message != NULL || !nts_error_try(read_page, &read, &sqlstate, &message))
		{
			nts_verify_problem(table, block, NTS_WHAT_DIRECTORY, "%s", message);
			layout->complete = false;
			return;
		}
		add_owner(layout, block, 1, "a page of the directory", 0);
		layout->pages++;
		check_directory_page(table, layout, block, page.data, first_slot);
		first_slot += NTS_ENTRIES_PER_PAGE;
		before = block;
		block = nts_page_special((Page) page.data)->next;
		if (table->has_meta && before == table->meta.directory_tail && block != InvalidBlockNumber)
			nts_verify_problem(table, before, NTS_WHAT_DIRECTORY, "it is the last page, but block %u follows",
							   block);
		if (first_slot / NTS_ENTRIES_PER_PAGE > blocks)
		{
			nts_verify_problem(table, before, NTS_WHAT_DIRECTORY, "the chain of its pages has no end");
			layout->complete = false;
			return;
		}
	}
	layout->last_page = before;
}

static int
compare_owners(const void *a, const void *b)
{
	BlockNumber x = ((const Owner *) a)->first;
	BlockNumber y = ((const Owner *) b)->first;

	return x < y ? -1 : x > y;
}

static char *
owner_text(const Owner *owner)
{
	return owner->kind == NULL ? psprintf("the extent of entry %u", owner->slot) : pstrdup(owner->kind);
}

/* Every block below allocated_end has one owner. */
static void
check_owners(NtsVerifyTable *table, Layout *layout)
{
	const NtsMeta *meta = &table->meta;
	BlockNumber next = 0;
	const Owner *last = NULL;

	qsort(layout->owners, layout->owner_count, sizeof(Owner), compare_owners);
	for (int i = 0; i < layout->owner_count; i++)
	{
		const Owner *owner = &layout->owners[i];

		if (last != NULL && owner->first < next)
			nts_verify_problem(table, owner->first, NTS_WHAT_EXTENT, "it belongs to %s and to %s",
							   owner_text(last), owner_text(owner));
		else if (owner->first > next && layout->complete)
			nts_verify_problem(table, next, NTS_WHAT_EXTENT, "blocks %u to %u belong to nobody", next,
							   owner->first - 1);
		if (last == NULL || owner->first + owner->count > next)
		{
			next = owner->first + owner->count;
			last = owner;
		}
	}
	if (!table->has_meta)
		return;
	if (next < meta->allocated_end && layout->complete)
		nts_verify_problem(table, next, NTS_WHAT_EXTENT, "blocks %u to %u belong to nobody", next,
						   meta->allocated_end - 1);
	if (layout->complete && layout->last_page != meta->directory_tail)
		nts_verify_problem(table, NTS_META_BLOCK, NTS_WHAT_META,
						   "the last page of the directory is block %u, not %u", layout->last_page,
						   meta->directory_tail);
	if (layout->complete && layout->free_extents != meta->free_extents)
		nts_verify_problem(table, NTS_META_BLOCK, NTS_WHAT_META,
						   "it counts %u free extents, there are %u", meta->free_extents,
						   layout->free_extents);
	if (layout->complete && (layout->empty_slots != meta->empty_slots || layout->pages != meta->directory_pages))
		nts_verify_problem(table, NTS_META_BLOCK, NTS_WHAT_META,
						   "it counts %u pages and %u empty slots of the directory, there are %u and %u",
						   meta->directory_pages, meta->empty_slots, layout->pages, layout->empty_slots);
}

/* The newest delta extent, and the pages open for batches. */
static void
check_meta_delta(NtsVerifyTable *table, const Layout *layout)
{
	const NtsMeta *meta = &table->meta;
	const NtsEntry *newest = NULL;
	int			problem_tail = -1;

	for (int i = 0; i < layout->entry_count; i++)
	{
		const NtsEntry *entry = &layout->entries[i].entry;

		if (entry->generation == meta->delta_generation && entry->level == NTS_LEVEL_DELTA)
			newest = entry;
		for (int t = 0; t < NTS_MAX_TAILS; t++)
			if (meta->tails[t].block != InvalidBlockNumber &&
				meta->tails[t].generation == entry->generation &&
				(entry->level != NTS_LEVEL_DELTA || meta->tails[t].block < entry->first_block ||
				 meta->tails[t].block - entry->first_block >= entry->block_count))
				problem_tail = t;
	}
	if (problem_tail >= 0)
		nts_verify_problem(table, NTS_META_BLOCK, NTS_WHAT_META,
						   "open page %u is not in the extent of its generation",
						   meta->tails[problem_tail].block);
	if (meta->delta_generation == 0 || !layout->complete)
		return;
	if (newest == NULL)
		nts_verify_problem(table, NTS_META_BLOCK, NTS_WHAT_META, "there is no delta extent of generation "
						   UINT64_FORMAT, meta->delta_generation);
	else if (meta->delta_next < newest->first_block ||
			 meta->delta_end != newest->first_block + newest->block_count)
		nts_verify_problem(table, NTS_META_BLOCK, NTS_WHAT_META,
						   "its newest delta extent ends at block %u, not %u",
						   newest->first_block + newest->block_count, meta->delta_end);
}

/*
 * Reads the directory until it holds still, at least as far as problems show up.
 */
static bool
check_layout(NtsVerifyTable *table)
{
	Layout		layout;

	for (int reads = 1;; reads++)
	{
		NtsMeta		after;
		ReadMeta	read = {.rel = table->rel,.meta = &after};
		int			sqlstate;
		char	   *message;
		bool		same;

		if (!check_meta(table))
			return false;
		read_directory(table, &layout);
		check_owners(table, &layout);
		if (table->has_meta)
			check_meta_delta(table, &layout);
		if (table->problems == NIL || !table->has_meta || reads >= MAX_LAYOUT_READS)
			break;
		same = nts_error_try(read_meta, &read, &sqlstate, &message) && read.found &&
			after.cache_generation == table->meta.cache_generation &&
			after.allocated_end == table->meta.allocated_end;
		if (same)
			break;
		end_unit(table, false);
		CHECK_FOR_INTERRUPTS();
		pg_usleep(LAYOUT_PAUSE_US);
	}
	/* the list outlives the unit */
	table->entry_count = layout.entry_count;
	table->entries = MemoryContextAllocHuge(table->context,
											sizeof(NtsEntryRef) * Max(layout.entry_count, 1));
	if (layout.entry_count > 0)
		memcpy(table->entries, layout.entries, sizeof(NtsEntryRef) * layout.entry_count);
	return true;
}

/* ---- entries ---- */

/* Has the entry's extent been given back since we read it? */
static bool
entry_is_gone(NtsVerifyTable *table, const NtsEntryRef *ref)
{
	PGAlignedBlock page;
	ReadPage	read = {.rel = table->rel,.block = ref->directory_block,.check = true,.page = page.data};
	NtsEntry	now;
	int			sqlstate;
	char	   *message;

	if (!nts_error_try(read_page, &read, &sqlstate, &message))
		return false;
	memcpy(&now, page.data + NTS_PAGE_CONTENT + ref->index * sizeof(NtsEntry), sizeof(NtsEntry));
	return now.generation != ref->entry.generation || now.state == NTS_ENTRY_FREE ||
		now.state == NTS_ENTRY_EMPTY;
}

static void
check_entry(NtsVerifyTable *table, const NtsEntryRef *ref)
{
	const NtsEntry *entry = &ref->entry;

	if (entry->level == NTS_LEVEL_DELTA)
		nts_verify_delta(table, ref);
	else if (entry->level == NTS_LEVEL_DICTIONARIES && entry->state != NTS_ENTRY_BUILDING)
		nts_verify_dictionaries(table, ref);
	else if (entry->state != NTS_ENTRY_BUILDING)
		nts_verify_segment(table, ref);
	else
		(void) nts_verify_xid(table, entry->first_block, "its xmin", entry->xmin);
	end_unit(table, table->problems == NIL || !entry_is_gone(table, ref));
}

/* ---- row ids ---- */

void
nts_verify_row_ids(NtsVerifyTable *table, BlockNumber block, uint64 first, uint64 count, bool visible)
{
	if (first + count > table->largest_row_id)
	{
		table->largest_row_id = first + count;
		table->largest_row_id_block = block;
	}
	if (!visible)
		return;
	if (table->row_ids == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(table->context);

		table->row_ids = tuplesort_begin_datum(INT8OID, Int8LessOperator, InvalidOid, false, work_mem,
											   NULL, TUPLESORT_NONE);
		MemoryContextSwitchTo(old);
	}
	for (uint64 run; count > 0; first += run, count -= run)
	{
		run = Min(count, MAX_RUN);
		tuplesort_putdatum(table->row_ids, Int64GetDatum((int64) (first << RUN_BITS | (run - 1))), false);
	}
}

static void
check_row_ids(NtsVerifyTable *table)
{
	ReadMeta	read = {.rel = table->rel,.meta = &table->meta};
	int			sqlstate;
	char	   *message;
	Datum		datum;
	bool		isnull;
	Datum		abbreviation;
	uint64		next = 0;
	uint64		twice = 0;
	uint64		example = 0;

	/* the copy that we have may be older than the newest rows */
	if (table->has_meta && nts_error_try(read_meta, &read, &sqlstate, &message) && read.found &&
		table->largest_row_id > table->meta.next_row_id)
		nts_verify_problem(table, table->largest_row_id_block, NTS_WHAT_ROW_IDS,
						   "row id " UINT64_FORMAT " is not below the metapage's next one, " UINT64_FORMAT,
						   table->largest_row_id - 1, table->meta.next_row_id);
	if (table->row_ids == NULL)
		return;
	tuplesort_performsort(table->row_ids);
	while (tuplesort_getdatum(table->row_ids, true, &datum, &isnull, &abbreviation))
	{
		uint64		first = (uint64) DatumGetInt64(datum) >> RUN_BITS;
		uint64		end = first + ((uint64) DatumGetInt64(datum) & (MAX_RUN - 1)) + 1;

		CHECK_FOR_INTERRUPTS();
		if (first < next)
		{
			if (twice == 0)
				example = first;
			twice += Min(end, next) - first;
		}
		next = Max(next, end);
	}
	tuplesort_end(table->row_ids);
	table->row_ids = NULL;
	if (twice > 0)
		nts_verify_problem(table, InvalidBlockNumber, NTS_WHAT_ROW_IDS, UINT64_FORMAT
						   " row ids are given to two rows, the first is " UINT64_FORMAT, twice, example);
}

/* ---- tables ---- */

/* The column that is the table's time now, or -1. */
static int
time_column(Relation rel, const NtsColumn *columns)
{
	NtsSchema	schema;

	nts_schema_build(rel, columns, &schema);
	return schema.time_column;
}

static void
verify_relation(Relation rel, ReturnSetInfo *result)
{
	NtsVerifyTable table = {0};
	MemoryContext old;

	/* rows of this transaction that are still in memory */
	nts_buffer_flush_relation(rel);
	table.rel = rel;
	table.result = result;
	table.context = AllocSetContextCreate(CurrentMemoryContext, "nodedb_ts verify",
										  ALLOCSET_DEFAULT_SIZES);
	table.unit_context = AllocSetContextCreate(table.context, "nodedb_ts verify unit",
											   ALLOCSET_DEFAULT_SIZES);
	table.snapshot = GetActiveSnapshot();
	table.oldest = rel->rd_rel->relfrozenxid;
	old = MemoryContextSwitchTo(table.context);
	table.strategy = GetAccessStrategy(BAS_BULKREAD);
	table.natts = RelationGetDescr(rel)->natts;
	table.columns = palloc0(sizeof(NtsColumn) * Max(table.natts, 1));
	nts_schema_columns(RelationGetDescr(rel), table.columns);
	table.time_column = time_column(rel, table.columns);

	MemoryContextSwitchTo(table.unit_context);
	if (check_layout(&table))
	{
		end_unit(&table, true);
		for (int i = 0; i < table.entry_count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			check_entry(&table, &table.entries[i]);
		}
		check_row_ids(&table);
	}
	end_unit(&table, true);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(table.context);
}

static void
verify_oid(Oid relid, ReturnSetInfo *result, bool is_partition)
{
	Relation	rel = try_relation_open(relid, AccessShareLock);

	if (rel == NULL)
	{
		if (is_partition)
			return;
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relid)));
	}
	if (nts_is_nodedb_ts(rel) && RELATION_IS_OTHER_TEMP(rel))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot verify temporary tables of other sessions")));
	if (nts_is_nodedb_ts(rel) && RecoveryInProgress() && !RelationIsPermanent(rel))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot access temporary or unlogged relations during recovery")));
	if (nts_is_nodedb_ts(rel))
		verify_relation(rel, result);
	else if (rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE && !is_partition)
	{
		List	   *children = find_all_inheritors(relid, NoLock, NULL);
		ListCell   *cell;

		foreach(cell, children)
			if (lfirst_oid(cell) != relid)
				verify_oid(lfirst_oid(cell), result, true);
	}
	else if (!is_partition)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a nodedb_ts table", RelationGetRelationName(rel))));
	relation_close(rel, AccessShareLock);
}

Datum
ts_verify(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	char	   *name = get_rel_name(relid);

	if (name != NULL && pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, name);
	if (name != NULL && check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("ts_verify would show more of table \"%s\" than its row-level security allows",
						name)));
	InitMaterializedSRF(fcinfo, 0);
	verify_oid(relid, (ReturnSetInfo *) fcinfo->resultinfo, false);
	return (Datum) 0;
}
