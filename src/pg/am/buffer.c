/*
 * buffer.c - rows of the running transaction that are not in shared storage yet.
 *
 * A backend has one manager (memory budget) and, for each table it inserts into,
 * a stack of parts, one for each subtransaction that inserted, innermost first.
 * Subcommit gives a part to the parent, subabort drops it. All parts are written
 * before the transaction commits or is prepared; earlier when memory asks for it,
 * when the own transaction scans the table, when a plan may run in parallel, and
 * before anything changes the table's file.
 *
 * Invariants
 * - At most one file of a table has buffered rows: whoever gives a table another
 *   file flushes first (ddl.c), and a rollback to before drops the later parts.
 * - A part's xid is that of its subtransaction or of one that committed into it. What is
 *   written carries, in its WAL record, the id of the subtransaction that writes; that is
 *   never older than the rows' (log_xid), or a crash could give the rows' id to another
 *   transaction, whose commit would make them visible.
 * - Every output of a flush reaches storage exactly once, even when an error in a
 *   subtransaction interrupts the flush of an ancestor's part: a part remembers
 *   its current output and goes on there (`flushing`).
 * - After pre-commit flushing, rows are written through: other extensions' commit
 *   callbacks may still insert.
 * - The first row of a transaction stands alone, encoded already, until a second one
 *   or somebody who asks for it comes (`pending`): a one-row commit never touches a
 *   memtable. A table with a pending row has no other buffered rows.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/predicate.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/activity.h"
#include "pg/am/am.h"
#include "pg/error.h"
#include "pg/fault.h"
#include "pg/guc.h"

#define MIN_SEGMENT_ROWS 8192
#define MIN_SEGMENT_BYTES (8 * 1024 * 1024)	/* raw: about 256 kB and more encoded */
#define MAX_SEGMENT_ROWS 1000000	/* bounds what encoding adds to the budget */
#define MAX_SEGMENT_BYTES (UINT64CONST(256) * 1024 * 1024)
#define SERIES_LOOKUP_ROWS 1024 /* a part this large asks the newest segment for its
								 * series columns */
#define MAX_IDLE_TABLES 1000
#define PENDING_BYTES 500		/* larger rows go into a memtable at once */

/* One encoded row that is all a transaction has inserted into a table. */
typedef struct PendingRow
{
	bool		exists;
	SubTransactionId subid;
	TransactionId xid;
	CommandId	cid;
	uint64		row_id;
	NtsOutput	output;			/* a batch; bytes point to `bytes` */
	uint8		bytes[PENDING_BYTES];
} PendingRow;

typedef struct Part
{
	NtsPart    *core;
	struct NtsTableBuffer *table;
	struct Part *outer;			/* next in the table's stack */
	SubTransactionId subid;
	TransactionId xid;
	bool		flushing;		/* frozen rows are partly in storage */
	bool		final;			/* command ids are not kept by that flush */
	bool		has_output;		/* `output` is encoded and not yet in storage */
	bool		series_known;
	NtsOutput	output;
} Part;

typedef struct NtsTableBuffer
{
	Oid			relid;			/* hash key */
	NtsFileNode node;			/* whose rows and positions these are */
	NtsStorage	storage;
	bool		schema_valid;
	uint64		schema_changes; /* how often it became invalid */
	int			natts;
	NtsColumn  *columns;
	NtsSchema	schema;
	NtsSeries	series;			/* that the user has chosen */
	uint8	   *head;			/* how batch payloads of this row type begin */
	uint32		head_length;
	NtsValue   *values;			/* scratch for one row */
	int16	   *odd_columns;	/* those whose values are more than a word: VAR, FIXED and NONE */
	int			odd_count;
	Part	   *parts;			/* innermost first */
	NtsPart    *spare;			/* an empty core part for the next transaction */
	PendingRow	pending;
	bool		listed;			/* in `dirty` */
	struct NtsTableBuffer *next_dirty;
} NtsTableBuffer;

/* Rows that go to the memtable by column in one call; fewer than the second are not worth it. */
#define BLOCK_ROWS 256
#define SMALL_BLOCK 16

static MemoryContext buffer_context;
static MemoryContext row_context;	/* detoasted values of one row */
static HTAB *tables;
static NtsTableBuffer *last_table;
static NtsTableBuffer *dirty;	/* tables that have, or had, parts */
static NtsManager *manager;
static NtsManagerOptions manager_options;
static NtsManager *large_row_manager;	/* rows beyond the budget, one at a time */
NtsAdmit	nts_buffer_admit;
static bool write_through;		/* the pre-commit flush is done */
static Oid	counted_relid;		/* whose rows the manager has got since its counters were looked at */
static uint64 counted_rejected; /* as they were then */
static uint64 counted_evictions;
static uint64 direct_rows;		/* pending rows that were written as such, for counters */

static void flush_table(NtsTableBuffer *table, Relation rel, bool final);

/* ---- tables ---- */

NtsManager *
nts_buffer_manager(void)
{
	NtsManagerOptions options;
	NtsStatus	status;

	options.memory_budget_bytes = (uint64) nts_memory_budget_kb * 1024;
	options.active_fraction = nts_active_fraction;
	options.max_series = nts_max_series;
	if (manager == NULL)
	{
		manager = nts_manager_new(&options, &status);
		if (manager == NULL)
			nts_error_raise(&status, NULL);
		manager_options = options;
	}
	else if (options.memory_budget_bytes != manager_options.memory_budget_bytes ||
			 options.active_fraction != manager_options.active_fraction ||
			 options.max_series != manager_options.max_series)
	{
		NTS_CHECK(nts_manager_configure(manager, &options, &status), status, NULL);
		manager_options = options;
	}
	return manager;
}

static void
release_core(NtsTableBuffer *table, NtsPart *core)
{
	if (table->spare == NULL)
	{
		nts_part_reset(core);
		table->spare = core;
	}
	else
		nts_part_free(core);
}

static void
drop_top_part(NtsTableBuffer *table)
{
	Part	   *part = table->parts;

	table->parts = part->outer;
	release_core(table, part->core);
	pfree(part);
}

static void
discard_rows(NtsTableBuffer *table)
{
	table->pending.exists = false;
	while (table->parts != NULL)
		drop_top_part(table);
}

static void
free_row_type(NtsTableBuffer *table)
{
	if (table->columns != NULL)
		pfree(table->columns);
	if (table->values != NULL)
		pfree(table->values);
	if (table->odd_columns != NULL)
		pfree(table->odd_columns);
	if (table->head != NULL)
		pfree(table->head);
	table->columns = NULL;
	table->values = NULL;
	table->odd_columns = NULL;
	table->head = NULL;
}

static bool
has_columns(const NtsTableBuffer *table, const NtsColumn *columns, int natts)
{
	return table->columns != NULL && table->natts == natts && memcmp(table->columns, columns, sizeof(NtsColumn) * natts) == 0;
}

/* Is the row type still that of the rows? Not while ALTER TABLE writes the table anew, and reads it for that. */
static bool
has_row_type(const NtsTableBuffer *table, TupleDesc desc)
{
	NtsColumn  *columns = palloc0(sizeof(NtsColumn) * Max(desc->natts, 1));
	bool		result;

	nts_schema_columns(desc, columns);
	result = has_columns(table, columns, desc->natts);
	pfree(columns);
	return result;
}

/* Reads the row type and the options; rows of another row type or options are written first. */
static void
load_schema(NtsTableBuffer *table, Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	Size		size = sizeof(NtsColumn) * Max(desc->natts, 1);
	NtsColumn  *columns = palloc0(size);
	NtsSchema	schema;
	NtsStatus	status;
	NtsSeries	series;
	uint64		changes = table->schema_changes;

	nts_schema_columns(desc, columns);
	nts_schema_build(rel, columns, &schema);
	(void) nts_schema_series(rel, &series);
	if (has_columns(table, columns, desc->natts) && table->schema.time_column == schema.time_column &&
		table->schema.bucket_width == schema.bucket_width &&
		memcmp(&table->series, &series, sizeof(NtsSeries)) == 0)
	{
		pfree(columns);
		table->schema_valid = changes == table->schema_changes;
		return;
	}
	flush_table(table, rel, false);
	discard_rows(table);		/* parts, empty now, of the old row type */
	if (table->spare != NULL)
		nts_part_free(table->spare);
	table->spare = NULL;
	free_row_type(table);
	table->head_length = nts_batch_head_length(&schema);
	table->head = MemoryContextAlloc(buffer_context, table->head_length);
	NTS_CHECK(nts_batch_head(&schema, table->head, &status), status, rel);
	table->values = MemoryContextAlloc(buffer_context, sizeof(NtsValue) * Max(desc->natts, 1));
	table->odd_columns = MemoryContextAlloc(buffer_context, sizeof(int16) * Max(desc->natts, 1));
	table->odd_count = 0;
	for (int i = 0; i < desc->natts; i++)
		if (columns[i].kind == NTS_KIND_VAR || columns[i].kind == NTS_KIND_FIXED || columns[i].kind == NTS_KIND_NONE)
			table->odd_columns[table->odd_count++] = i;
	/* what is set last says that the rest is there */
	table->columns = MemoryContextAlloc(buffer_context, size);
	memcpy(table->columns, columns, size);
	pfree(columns);
	table->natts = desc->natts;
	table->schema = schema;
	table->schema.columns = table->columns;
	table->series = series;
	table->storage.time_column = schema.time_column + 1;
	/* what was read may have changed meanwhile */
	table->schema_valid = changes == table->schema_changes;
}

static NtsTableBuffer *
find_table(Oid relid)
{
	if (last_table != NULL && last_table->relid == relid)
		return last_table;
	if (tables == NULL)
		return NULL;
	return hash_search(tables, &relid, HASH_FIND, NULL);
}

static bool
has_rows(NtsTableBuffer *table)
{
	if (table->pending.exists)
		return true;
	for (Part *part = table->parts; part != NULL; part = part->outer)
		if (part->flushing || nts_part_rows(part->core) > 0)
			return true;
	return false;
}

/* The buffer of an open relation; made if need be. */
static NtsTableBuffer *
table_for(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);
	NtsTableBuffer *table = find_table(relid);

	if (table == NULL)
	{
		bool		found;

		table = hash_search(tables, &relid, HASH_ENTER, &found);
		memset(table, 0, sizeof(NtsTableBuffer));
		table->relid = relid;
		table->node = NTS_REL_NODE(rel);
		nts_storage_forget(&table->storage);
	}
	last_table = table;
	if (!NtsFileNodeEquals(table->node, NTS_REL_NODE(rel)))
	{
		if (has_rows(table))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("table \"%s\" got a new file while rows were buffered for the old one",
							RelationGetRelationName(rel))));
		discard_rows(table);	/* empty parts */
		table->node = NTS_REL_NODE(rel);
		nts_storage_forget(&table->storage);
	}
	if (!table->schema_valid)
		load_schema(table, rel);
	return table;
}

NtsStorage *
nts_buffer_target(Relation rel, NtsSchema *schema, NtsSeries *series)
{
	NtsTableBuffer *table = table_for(rel);

	*schema = table->schema;
	*series = table->series;
	return &table->storage;
}

static void
relcache_changed(Datum arg, Oid relid)
{
	NtsTableBuffer *table;

	if (tables == NULL)
		return;
	if (OidIsValid(relid))
	{
		table = find_table(relid);
		if (table != NULL)
		{
			table->schema_valid = false;
			table->schema_changes++;
			nts_storage_forget(&table->storage);
		}
	}
	else
	{
		HASH_SEQ_STATUS scan;

		hash_seq_init(&scan, tables);
		while ((table = hash_seq_search(&scan)) != NULL)
		{
			table->schema_valid = false;
			table->schema_changes++;
			nts_storage_forget(&table->storage);
		}
	}
}

/* ---- writing ---- */

/* Takes `count` consecutive ids out of the backend's range, or a range of its own. */
static uint64
take_row_ids(Relation rel, NtsStorage *storage, uint64 count)
{
	uint64		first;

	if (count > 256)
		return nts_meta_reserve_row_ids(rel, count);
	if (storage->end_row_id - storage->next_row_id < count)
		storage->next_row_id = storage->end_row_id;
	first = nts_storage_next_row_id(rel, storage);
	storage->next_row_id = first + count;
	return first;
}

void
nts_buffer_describe(const NtsWriteTarget *target, const NtsOutput *output, NtsEntry *entry)
{
	memset(entry, 0, sizeof(*entry));
	entry->level = target->level;
	entry->flags = target->entry_flags;
	entry->xmin = target->xid;
	entry->cmin = output->min_command_id;
	entry->rows = output->rows;
	entry->footer_offset = output->footer_offset;
	entry->time_column = target->time_column;
	entry->dictionaries = output->dictionaries;
	if (output->has_time)
	{
		entry->flags |= NTS_ENTRY_HAS_TIME;
		entry->min_time = output->min_time;
		entry->max_time = output->max_time;
	}
	if (output->has_null_time)
		entry->flags |= NTS_ENTRY_NULL_TIME;
}

void
nts_buffer_write_output(NtsWriteTarget *target, const NtsOutput *output, bool keep_command_ids)
{
	NtsEntry	entry;

	if (output->kind == NTS_OUTPUT_BATCH)
	{
		uint64		first = output->has_row_ids ? output->min_row_id :
		take_row_ids(target->rel, target->storage, output->rows);

		nts_delta_append(target->rel, target->storage, target->xid, output->min_command_id,
						 output, target->head_length, first,
						 (target->entry_flags & NTS_ENTRY_MOVED_IN) != 0);
		return;
	}
	nts_buffer_describe(target, output, &entry);
	if (keep_command_ids && output->min_command_id != output->max_command_id)
		entry.flags |= NTS_ENTRY_COMMAND_IDS;
	if (output->has_row_ids)
	{
		entry.flags |= NTS_ENTRY_ROW_IDS;
		entry.first_row_id = output->min_row_id;
		entry.last_row_id = output->max_row_id;
	}
	else
	{
		entry.first_row_id = nts_meta_reserve_row_ids(target->rel, output->rows);
		entry.last_row_id = entry.first_row_id + output->rows - 1;
	}
	nts_segment_write(target->rel, &entry, output->bytes, output->length);
	target->segments++;
}

/* Tells a large part which series columns the newest segment was sorted by, unless the user has chosen. */
static void
look_up_series(Part *part, Relation rel)
{
	NtsReader  *reader;
	MemoryContext context;
	NtsStatus	status;
	uint16		columns[16];
	uint32		count;
	int			newest;

	part->series_known = true;
	if (nts_part_has_series(part->core) || !has_row_type(part->table, RelationGetDescr(rel)))
		return;
	context = AllocSetContextCreate(CurrentMemoryContext, "nodedb_ts series", ALLOCSET_SMALL_SIZES);
	reader = nts_reader_open(rel, RelationGetDescr(rel), SnapshotSelf, context, NULL);
	newest = nts_reader_newest_segment(reader);
	if (newest >= 0)
	{
		nts_reader_series(reader, newest, columns, &count);
		NTS_CHECK(nts_part_set_series(part->core, columns, count, &status), status, rel);
	}
	nts_reader_close(reader);
	MemoryContextDelete(context);
}

/*
 * The id to write rows with that were put in under `xid`. Rows of the running
 * subtransaction, whether its own or a released child's, take its id: a child's may be
 * younger, and the WAL record would not tell of it. Others' are older than the id that is
 * assigned here at the latest.
 */
static TransactionId
log_xid(SubTransactionId subid, TransactionId xid)
{
	TransactionId current = GetCurrentTransactionId();

	return subid == GetCurrentSubTransactionId() ? current : xid;
}

/*
 * Does it become segments that a trained dictionary could do something for? Not one large row: that is not worth it, and
 * its part would not live through the subtransaction in which a damaged dictionary is noticed.
 */
static bool
may_use_dictionaries(const Part *part)
{
	uint64		rows = nts_part_rows(part->core);

	return rows >= MIN_SEGMENT_ROWS || (rows > 1 && nts_part_bytes(part->core) >= MIN_SEGMENT_BYTES);
}

static void
write_part(Part *part, Relation rel, bool final)
{
	NtsWriteTarget target = {0};
	NtsStatus	status;

	part->xid = log_xid(part->subid, part->xid);
	target.rel = rel;
	target.storage = &part->table->storage;
	target.xid = part->xid;
	target.level = NTS_LEVEL_L1;
	target.head_length = part->table->head_length;
	target.time_column = part->table->storage.time_column;

	while (part->flushing || nts_part_rows(part->core) > 0)
	{
		if (!part->flushing)
		{
			NtsFlushOptions options;

			if (!part->series_known && nts_part_rows(part->core) >= SERIES_LOOKUP_ROWS)
				look_up_series(part, rel);
			options.max_batch_bytes = NTS_MAX_BATCH_PAYLOAD;
			options.max_batch_rows = NTS_MAX_BATCH_ROWS;
			options.min_segment_rows = MIN_SEGMENT_ROWS;
			options.min_segment_bytes = MIN_SEGMENT_BYTES;
			options.max_segment_rows = MAX_SEGMENT_ROWS;
			options.max_segment_bytes = MAX_SEGMENT_BYTES;
			options.keep_command_ids = !final;
			options.level = 1;
			options.dictionaries = may_use_dictionaries(part) ? nts_dictionaries_for_writing(rel) : NULL;
			NTS_CHECK(nts_flush_begin(part->core, &options, &status), status, rel);
			part->flushing = true;
			part->final = final;
			part->has_output = false;
			NTS_FAULT(freeze_begin);
		}
		for (;;)
		{
			if (!part->has_output)
			{
				NTS_CHECK(nts_flush_next(part->core, &part->output, &status), status, rel);
				part->has_output = true;
				NTS_FAULT(freeze_encoded);
			}
			if (part->output.kind == NTS_OUTPUT_END)
				break;
			/* its last action puts the rows into storage; nothing can fail after */
			nts_buffer_write_output(&target, &part->output, !part->final);
			part->has_output = false;
			NTS_FAULT(freeze_output);
		}
		nts_flush_end(part->core, true);
		part->flushing = false;
		part->has_output = false;
		NTS_FAULT(freeze_end);
	}
}

static void
write_pending(NtsTableBuffer *table, Relation rel)
{
	PendingRow *row = &table->pending;

	row->xid = log_xid(row->subid, row->xid);
	NTS_FAULT(pending_write);
	nts_delta_append(rel, &table->storage, row->xid, row->cid, &row->output, table->head_length,
					 row->row_id, false);
	row->exists = false;
	direct_rows++;
	NTS_FAULT(pending_written);
}

static void
flush_table(NtsTableBuffer *table, Relation rel, bool final)
{
	if (table->pending.exists)
		write_pending(table, rel);
	/* innermost last: outer rows are older */
	for (;;)
	{
		Part	   *oldest = NULL;

		for (Part *part = table->parts; part != NULL; part = part->outer)
			if (part->flushing || nts_part_rows(part->core) > 0)
				oldest = part;
		if (oldest == NULL)
			return;
		write_part(oldest, rel, final);
	}
}

/* Opens a table that the transaction has locked; NULL: it is gone, or has another
 * file (its rows went with it). */
static Relation
open_for_flush(NtsTableBuffer *table)
{
	Relation	rel = RelationIdGetRelation(table->relid);

	if (RelationIsValid(rel) && NtsFileNodeEquals(NTS_REL_NODE(rel), table->node))
		return rel;
	if (RelationIsValid(rel))
		RelationClose(rel);
	return NULL;
}

static void
flush_listed(bool final)
{
	for (NtsTableBuffer *table = dirty; table != NULL; table = table->next_dirty)
	{
		Relation	rel;

		if (!has_rows(table))
			continue;
		rel = open_for_flush(table);
		if (rel == NULL)
		{
			/* before the end, a rollback may still bring the table back */
			if (final)
				discard_rows(table);
			continue;
		}
		flush_table(table, rel, final);
		RelationClose(rel);
		NTS_FAULT(table_written);
	}
}

void
nts_buffer_flush_all(void)
{
	flush_listed(false);
}

void
nts_buffer_before_drop(Oid relid)
{
	NtsTableBuffer *table = find_table(relid);
	Relation	rel;

	if (table == NULL || !has_rows(table))
		return;
	rel = open_for_flush(table);
	if (rel == NULL)
		return;
	flush_table(table, rel, false);
	RelationClose(rel);
}

void
nts_buffer_flush_relation(Relation rel)
{
	NtsTableBuffer *table = find_table(RelationGetRelid(rel));

	if (table != NULL && has_rows(table) &&
		NtsFileNodeEquals(table->node, NTS_REL_NODE(rel)))
		flush_table(table, rel, false);
}

void
nts_buffer_discard(Relation rel)
{
	NtsTableBuffer *table = find_table(RelationGetRelid(rel));

	if (table == NULL)
		return;
	discard_rows(table);
	nts_storage_forget(&table->storage);
}

/* ---- inserting ---- */

static NtsPart *
new_core(NtsTableBuffer *table, NtsManager *owner)
{
	NtsStatus	status;
	NtsPart    *core = nts_part_new(owner, &table->schema, &status);

	if (core == NULL)
		nts_error_raise(&status, NULL);
	if (table->series.is_set &&
		nts_part_set_series(core, table->series.columns, table->series.count, &status) != NTS_OK)
	{
		nts_part_free(core);
		nts_error_raise(&status, NULL);
	}
	return core;
}

/* The transaction's end will look at this table. */
static void
list_table(NtsTableBuffer *table)
{
	if (table->listed)
		return;
	table->listed = true;
	table->next_dirty = dirty;
	dirty = table;
}

static Part *
push_part(NtsTableBuffer *table, SubTransactionId subid, TransactionId xid)
{
	Part	   *part = MemoryContextAllocZero(buffer_context, sizeof(Part));

	part->table = table;
	part->subid = subid;
	part->xid = xid;
	if (table->spare != NULL)
	{
		part->core = table->spare;
		table->spare = NULL;
	}
	else
	{
		(void) nts_buffer_manager();
		part->core = new_core(table, manager);
	}
	nts_part_set_owner(part->core, part);
	part->outer = table->parts;
	table->parts = part;
	list_table(table);
	return part;
}

static Part *
current_part(NtsTableBuffer *table)
{
	SubTransactionId subid = GetCurrentSubTransactionId();
	Part	   *part = table->parts;

	if (part != NULL && part->subid == subid && !part->flushing)
		return part;
	return push_part(table, subid, GetCurrentTransactionId());
}

/* Fills table->values; returns the bytes of the by-reference values. */
static uint64
slot_to_values(NtsTableBuffer *table, TupleTableSlot *slot, bool *used_context)
{
	const Datum *datums = slot->tts_values;
	const bool *nulls = slot->tts_isnull;
	NtsValue   *values = table->values;
	int			natts = table->natts;
	uint64		bytes = 0;

	slot_getallattrs(slot);
	for (int i = 0; i < natts; i++)
	{
		values[i].word = (uint64) datums[i];
		values[i].length = 0;
		values[i].is_null = nulls[i];
	}
	for (int k = 0; k < table->odd_count; k++)
	{
		int			i = table->odd_columns[k];
		NtsValue   *value = &values[i];
		const NtsColumn *column = &table->columns[i];

		if (value->is_null)
			continue;
		if (column->kind == NTS_KIND_VAR)
		{
			struct varlena *var = (struct varlena *) DatumGetPointer(datums[i]);

			if (likely(VARATT_IS_4B_U(var)))
			{
				value->length = VARSIZE_4B(var) - VARHDRSZ;
				value->word = (uint64) (uintptr_t) VARDATA_4B(var);
				bytes += value->length;
				continue;
			}
			if (VARATT_IS_EXTERNAL(var) || VARATT_IS_COMPRESSED(var))
			{
				MemoryContext old = MemoryContextSwitchTo(row_context);

				var = pg_detoast_datum_packed(var);
				MemoryContextSwitchTo(old);
				*used_context = true;
			}
			value->length = VARSIZE_ANY_EXHDR(var);
			value->word = (uint64) (uintptr_t) VARDATA_ANY(var);
			bytes += value->length;
		}
		else if (column->kind == NTS_KIND_FIXED)
			bytes += column->width;
		else
			value->is_null = 1;
	}
	return bytes;
}

/* A row that would take a large share of the budget goes straight to storage. */
static void
insert_large_row(NtsTableBuffer *table, Relation rel, uint64 row_id, CommandId cid)
{
	NtsManagerOptions options = {.memory_budget_bytes = UINT64CONST(1) << 40,.active_fraction = 1.0,
	.max_series = 1000};
	Part		part = {0};
	NtsStatus	status;
	int			result;

	if (large_row_manager == NULL)
	{
		large_row_manager = nts_manager_new(&options, &status);
		if (large_row_manager == NULL)
			nts_error_raise(&status, rel);
	}
	part.core = new_core(table, large_row_manager);
	part.table = table;
	part.subid = GetCurrentSubTransactionId();
	part.xid = GetCurrentTransactionId();
	NTS_CHECK(nts_part_append(part.core, table->values, row_id, cid, &result, &status), status, rel);
	write_part(&part, rel, false);
	nts_part_free(part.core);
}

/* Makes room in the manager after an append that asked for it, by writing the part that has the largest share in that. */
static void
flush_largest(const NtsPart *appended)
{
	NtsPart    *core = nts_manager_largest(manager, appended);
	Part	   *part;
	Relation	rel;

	if (core == NULL)
		return;
	part = nts_part_owner(core);
	rel = open_for_flush(part->table);
	if (rel == NULL)
		return;
	write_part(part, rel, false);
	RelationClose(rel);
}

static void
append_row(NtsTableBuffer *table, Relation rel, uint64 row_id, CommandId cid)
{
	Part	   *part = current_part(table);
	NtsStatus	status;
	int			result;

	NTS_CHECK(nts_part_append(part->core, table->values, row_id, cid, &result, &status), status, rel);
	if (result == NTS_INGEST_REJECTED)
	{
		/* emergency: write everything, then try exactly once more */
		nts_buffer_flush_all();
		part = current_part(table);
		NTS_CHECK(nts_part_append(part->core, table->values, row_id, cid, &result, &status),
				  status, rel);
		if (result == NTS_INGEST_REJECTED)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("a row of table \"%s\" does not fit into nodedb_ts.memory_budget (%d kB)",
							RelationGetRelationName(rel), nts_memory_budget_kb),
					 errhint("Raise nodedb_ts.memory_budget.")));
	}
	if (result == NTS_INGEST_FLUSH_NEEDED)
		flush_largest(part->core);
}

/* Keeps the row in table->values as the transaction's only one; false: too large. */
static bool
make_pending(NtsTableBuffer *table, Relation rel, uint64 row_id, CommandId cid)
{
	PendingRow *row = &table->pending;
	int			time_column = table->schema.time_column;
	size_t		length;
	NtsStatus	status;

	NTS_CHECK(nts_batch_encode_row(&table->schema, table->head, table->head_length, table->values,
								   row->bytes, PENDING_BYTES, &length, &status), status, rel);
	if (length == 0)
		return false;
	memset(&row->output, 0, sizeof(row->output));
	row->output.kind = NTS_OUTPUT_BATCH;
	row->output.bytes = row->bytes;
	row->output.length = length;
	row->output.rows = 1;
	if (time_column >= 0 && !table->values[time_column].is_null)
	{
		int64		time = (int64) table->values[time_column].word;

		if (table->columns[time_column].width == 4)
			time = (int32) time;
		else if (table->columns[time_column].width == 2)
			time = (int16) time;
		row->output.has_time = 1;
		row->output.min_time = row->output.max_time = time;
	}
	else
		row->output.has_null_time = 1;
	row->subid = GetCurrentSubTransactionId();
	row->xid = GetCurrentTransactionId();
	row->cid = cid;
	row->row_id = row_id;
	row->exists = true;
	list_table(table);
	return true;
}

/* Moves the pending row into a memtable, to be joined by others. Leaves it where it
 * is until that has succeeded. */
static void
memtable_pending(NtsTableBuffer *table, Relation rel)
{
	PendingRow *row = &table->pending;
	MemoryContext old = MemoryContextSwitchTo(row_context);
	uint64	   *words = palloc0(sizeof(uint64) * Max(table->natts, 1));
	uint8	   *nulls = palloc0(Max(table->natts, 1));
	uint64	  **word_at = palloc(sizeof(uint64 *) * Max(table->natts, 1));
	uint8	  **null_at = palloc(sizeof(uint8 *) * Max(table->natts, 1));
	uint8	   *data;
	NtsBatchBytes batch = {NULL, 0, row->bytes, row->output.length, 1, row->output.batch_layout, false};
	NtsBatchInfo info;
	NtsStatus	status;
	Part	   *part;
	int			result;

	NTS_CHECK(nts_batch_info(table->columns, table->natts, &batch, &info, &status), status, rel);
	data = palloc(Max(info.data_bytes, 8));
	for (int i = 0; i < table->natts; i++)
	{
		word_at[i] = &words[i];
		null_at[i] = &nulls[i];
	}
	NTS_CHECK(nts_batch_decode(table->columns, table->natts, &batch, 0, word_at, null_at, data, info.data_bytes,
							   NULL, &status), status, rel);
	for (int i = 0; i < table->natts; i++)
	{
		NtsValue   *value = &table->values[i];

		value->is_null = nulls[i] || table->columns[i].kind == NTS_KIND_NONE;
		value->word = words[i];
		value->length = 0;
		if (table->columns[i].kind == NTS_KIND_VAR && !value->is_null)
		{
			value->length = VARSIZE_ANY_EXHDR((char *) (uintptr_t) words[i]);
			value->word = (uint64) (uintptr_t) VARDATA_ANY((char *) (uintptr_t) words[i]);
		}
	}
	MemoryContextSwitchTo(old);
	part = table->parts;
	if (part == NULL || part->subid != row->subid)
		part = push_part(table, row->subid, row->xid);
	NTS_CHECK(nts_part_append(part->core, table->values, row->row_id, row->cid, &result, &status),
			  status, rel);
	/* a full budget is met when the next row comes */
	if (result == NTS_INGEST_REJECTED)
		write_pending(table, rel);
	row->exists = false;
	MemoryContextReset(row_context);
}

void
nts_buffer_counters(NtsCounters *counters)
{
	nts_manager_counters(nts_buffer_manager(), counters);
	counters->flushes += direct_rows;
	counters->ingested += direct_rows;
	for (NtsTableBuffer *table = dirty; table != NULL; table = table->next_dirty)
		if (table->pending.exists)
		{
			counters->ingested++;
			counters->active_rows++;
		}
}

static void
insert_slot(NtsTableBuffer *table, Relation rel, TupleTableSlot *slot, TransactionId xid,
			CommandId cid, bool hand_out_id)
{
	uint64		row_id = NTS_NO_ROW_ID;
	bool		used_context = false;
	uint64		bytes;

	if (table->pending.exists)
		memtable_pending(table, rel);
	bytes = slot_to_values(table, slot, &used_context);
	if (hand_out_id)
	{
		row_id = nts_storage_next_row_id(rel, &table->storage);
		nts_row_id_to_tid(row_id, &slot->tts_tid);
	}
	else
		ItemPointerSetInvalid(&slot->tts_tid);
	slot->tts_tableOid = RelationGetRelid(rel);
	if (bytes > manager_options.memory_budget_bytes / 4)
		insert_large_row(table, rel, row_id, cid);
	else
	{
		/* ids of a pending row are known, so rows without one go on to the memtable */
		if (table->parts != NULL || !hand_out_id || bytes > PENDING_BYTES ||
			!make_pending(table, rel, row_id, cid))
			append_row(table, rel, row_id, cid);
		if (write_through)
			flush_table(table, rel, true);
	}
	nts_slot_set_system(slot, xid, cid);
	if (used_context)
		MemoryContextReset(row_context);
}

/*
 * Puts rows from the start of the slots into the memtable by column, and returns how many. Only where nothing but
 * the memtable is concerned: no ids are handed out, nothing is pending or written at once.
 */
static int
insert_block(NtsTableBuffer *table, Relation rel, TupleTableSlot **slots, int count, TransactionId xid, CommandId cid)
{
	const uint64_t *words[BLOCK_ROWS];
	const bool *nulls[BLOCK_ROWS];
	const uint8_t *images[BLOCK_ROWS];
	uint32_t	image_lengths[BLOCK_ROWS];
	NtsRowBlock block = {words, nulls, Min(count, BLOCK_ROWS), images, image_lengths, count - Min(count, BLOCK_ROWS)};
	NtsStatus	status;
	NtsPart    *core;
	uint32		appended;
	int			result;

	if (table->pending.exists || write_through)
		return 0;
	for (uint32 i = 0; i < block.count; i++)
	{
		slot_getallattrs(slots[i]);
		words[i] = (const uint64_t *) slots[i]->tts_values;
		nulls[i] = slots[i]->tts_isnull;
		images[i] = nts_slot_image(slots[i], &image_lengths[i]);
	}
	core = current_part(table)->core;
	NTS_CHECK(nts_part_append_block(core, &block, cid, &appended, &result, &status), status, rel);
	if (result == NTS_INGEST_FLUSH_NEEDED)
		flush_largest(core);
	for (uint32 i = 0; i < appended; i++)
	{
		ItemPointerSetInvalid(&slots[i]->tts_tid);
		slots[i]->tts_tableOid = RelationGetRelid(rel);
		nts_slot_set_system(slots[i], xid, cid);
	}
	return appended;
}

/* Gives what the manager had to do since the last call to the table that caused it. */
static void
count_for_table(void)
{
	NtsCounters counters;

	if (!OidIsValid(counted_relid) || !nts_activity_has_memory())
		return;
	nts_manager_counters(manager, &counters);
	if (counters.rejected != counted_rejected || counters.evictions != counted_evictions)
		nts_activity_memtable(counted_relid, counters.rejected - counted_rejected,
							  counters.evictions - counted_evictions);
	counted_rejected = counters.rejected;
	counted_evictions = counters.evictions;
}

void
nts_buffer_insert(Relation rel, TupleTableSlot **slots, int count, CommandId cid, bool hand_out_ids)
{
	NtsTableBuffer *table;
	TransactionId xid;

	if (IsParallelWorker())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("cannot insert tuples in a parallel worker")));
	/* fail as early as heap; what counts is the check when rows reach storage */
	CheckForSerializableConflictIn(rel, NULL, InvalidBlockNumber);
	/* now, so that a flush during a parallel plan needs none */
	xid = GetCurrentTransactionId();
	(void) nts_buffer_manager();
	table = table_for(rel);
	if (counted_relid != table->relid)
	{
		count_for_table();
		counted_relid = table->relid;
	}
	for (int i = 0, by_row = 0; i < count;)
	{
		int			rows = 0;

		/* a flush may learn of a change of the catalogs */
		if (unlikely(!table->schema_valid))
			table = table_for(rel);
		if (by_row == 0 && !hand_out_ids && count - i >= SMALL_BLOCK)
		{
			rows = insert_block(table, rel, slots + i, count - i, xid, cid);
			/* the row that ended it; where blocks end soon, they cost more than they save */
			if (rows < SMALL_BLOCK)
				by_row = 4 * SMALL_BLOCK;
			else if (rows < Min(count - i, BLOCK_ROWS))
				by_row = 1;
			i += rows;
			continue;
		}
		insert_slot(table, rel, slots[i++], xid, cid, hand_out_ids);
		by_row = Max(by_row - 1, 0);
	}
}

bool
nts_buffer_fetch(Relation rel, uint64 row_id, Snapshot snapshot, TupleTableSlot *slot)
{
	NtsTableBuffer *table = find_table(RelationGetRelid(rel));
	TupleDesc	desc = slot->tts_tupleDescriptor;
	MemoryContext old;
	uint32		cid;
	bool		found = false;
	Part	   *part;

	if (table == NULL || !has_rows(table))
		return false;
	table = table_for(rel);		/* flushes when the row type has changed */
	if (table->pending.exists)
		memtable_pending(table, rel);
	for (part = table->parts; part != NULL && !found; part = part->outer)
	{
		NtsStatus	status;

		if (part->flushing)
		{
			/* partly in storage: finish that, and look there */
			flush_table(table, rel, false);
			return false;
		}
		NTS_CHECK(nts_part_fetch(part->core, row_id, table->values, &cid, &found, &status),
				  status, rel);
		if (found)
			break;
	}
	if (!found || !nts_xmin_visible(rel, part->xid, cid, false, snapshot))
		return false;

	ExecClearTuple(slot);
	old = MemoryContextSwitchTo(row_context);
	for (int i = 0; i < desc->natts; i++)
	{
		NtsValue   *value = &table->values[i];

		slot->tts_isnull[i] = value->is_null;
		slot->tts_values[i] = (Datum) value->word;
		if (table->columns[i].kind == NTS_KIND_VAR && !value->is_null)
			slot->tts_values[i] = PointerGetDatum(cstring_to_text_with_len(
																		   (char *) (uintptr_t) value->word,
																		   value->length));
	}
	MemoryContextSwitchTo(old);
	ExecStoreVirtualTuple(slot);
	ExecMaterializeSlot(slot);
	MemoryContextReset(row_context);
	nts_row_id_to_tid(row_id, &slot->tts_tid);
	slot->tts_tableOid = RelationGetRelid(rel);
	nts_slot_set_system(slot, part->xid, cid);
	return true;
}

/* ---- transaction ends ---- */

static void
forget_idle_tables(void)
{
	HASH_SEQ_STATUS scan;
	NtsTableBuffer *table;

	if (hash_get_num_entries(tables) <= MAX_IDLE_TABLES)
		return;
	last_table = NULL;
	hash_seq_init(&scan, tables);
	while ((table = hash_seq_search(&scan)) != NULL)
	{
		if (table->spare != NULL)
			nts_part_free(table->spare);
		free_row_type(table);
		(void) hash_search(tables, &table->relid, HASH_REMOVE, NULL);
	}
}

static void
end_of_transaction(void)
{
	bool		counted = false;

	for (NtsTableBuffer *table = dirty; table != NULL; table = table->next_dirty)
	{
		/* single rows do without the manager */
		if (table->parts != NULL && !counted)
		{
			count_for_table();
			counted = true;
		}
		discard_rows(table);
		table->listed = false;
	}
	dirty = NULL;
	counted_relid = InvalidOid;
	write_through = false;
	nts_manager_free(large_row_manager);
	large_row_manager = NULL;
	MemoryContextReset(row_context);
	nts_fetch_forget(true);
	forget_idle_tables();
}

/* Lets one table whose L0 this transaction has made grow be flushed, if it is too large; PREPARE would keep the lock. */
static void
admit(void)
{
	if (nts_buffer_admit == NULL)
		return;
	for (NtsTableBuffer *table = dirty; table != NULL; table = table->next_dirty)
	{
		Relation	rel;

		if (!table->storage.extent_opened || (rel = open_for_flush(table)) == NULL)
			continue;
		table->storage.extent_opened = false;
		nts_buffer_admit(rel, &table->storage);
		RelationClose(rel);
		return;
	}
}

static void
xact_event(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			NTS_FAULT(commit_begin);
			flush_listed(true);
			write_through = true;
			NTS_FAULT(commit_written);
			if (event == XACT_EVENT_PRE_COMMIT)
				admit();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PREPARE:
			NTS_FAULT(commit_done);
			end_of_transaction();
			break;
		case XACT_EVENT_ABORT:
			NTS_FAULT(abort_done);
			/* what the transaction had moved is not */
			for (NtsTableBuffer *table = dirty; table != NULL; table = table->next_dirty)
				table->storage.moved_below = 0;
			end_of_transaction();
			break;
		default:
			break;
	}
}

/* Subcommit: the innermost part becomes the parent's. Never fails: when the rows
 * cannot be merged, the part just changes hands and stays beside the parent's. */
static void
give_to_parent(NtsTableBuffer *table, SubTransactionId subid, SubTransactionId parent)
{
	Part	   *part = table->parts;
	Part	   *outer;
	NtsStatus	status;

	if (table->pending.exists && table->pending.subid == subid)
		table->pending.subid = parent;
	for (Part *p = part; p != NULL && p->subid == subid; p = p->outer)
		p->subid = parent;
	if (part == NULL || part->subid != parent)
		return;
	outer = part->outer;
	if (outer != NULL && outer->subid == parent && !outer->flushing && !part->flushing &&
		nts_part_merge(outer->core, part->core, &status) == NTS_OK)
		drop_top_part(table);
}

static void
subxact_event(SubXactEvent event, SubTransactionId subid, SubTransactionId parent, void *arg)
{
	for (NtsTableBuffer *table = dirty; table != NULL; table = table->next_dirty)
	{
		if (event == SUBXACT_EVENT_COMMIT_SUB)
		{
			NTS_FAULT(subcommit);
			give_to_parent(table, subid, parent);
		}
		else if (event == SUBXACT_EVENT_ABORT_SUB)
		{
			NTS_FAULT(subabort);
			if (table->pending.exists && table->pending.subid == subid)
				table->pending.exists = false;
			while (table->parts != NULL && table->parts->subid == subid)
				drop_top_part(table);
		}
	}
	if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		nts_fetch_forget(false);
		nts_manager_free(large_row_manager);
		large_row_manager = NULL;
	}
}

void
nts_buffer_init(void)
{
	HASHCTL		control = {.keysize = sizeof(Oid),.entrysize = sizeof(NtsTableBuffer)};

	buffer_context = AllocSetContextCreate(TopMemoryContext, "nodedb_ts buffers",
										   ALLOCSET_DEFAULT_SIZES);
	row_context = AllocSetContextCreate(buffer_context, "nodedb_ts row", ALLOCSET_DEFAULT_SIZES);
	control.hcxt = buffer_context;
	tables = hash_create("nodedb_ts tables", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	RegisterXactCallback(xact_event, NULL);
	RegisterSubXactCallback(subxact_event, NULL);
	CacheRegisterRelcacheCallback(relcache_changed, (Datum) 0);
}
