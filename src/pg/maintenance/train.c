/*
 * train.c - ts_train_dictionary: a zstd dictionary of a column's own values, which later segments share.
 *
 * It learns from a sample that is spread over what the caller's snapshot sees, and is kept if level 1 takes less with
 * it on values that it has not learned from. All dictionaries of a table are one set: training makes a new one, with
 * the others' dictionaries in it. Caller's transaction, ShareUpdateExclusiveLock to its end, so one at a time.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "pg/am/am.h"
#include "pg/error.h"
#include "pg/fault.h"
#include "pg/maintenance/target.h"

PG_FUNCTION_INFO_V1(ts_train_dictionary);

typedef struct Request
{
	const char *column;
	ReturnSetInfo *result;
} Request;

/* One table being worked on. */
typedef struct Train
{
	Relation	rel;
	int			column;			/* 0-based */
	NtsColumn  *columns;
	NtsTrainer *trainer;		/* freed by the context */
	NtsTraining training;
} Train;

static void
free_trainer(void *arg)
{
	Train	   *train = arg;

	nts_trainer_free(train->trainer);
	train->trainer = NULL;
}

/* System columns are not stored. */
static int
find_column(TupleDesc desc, const char *relation, const char *name)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!att->attisdropped && strcmp(NameStr(att->attname), name) == 0)
			return i;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" of relation \"%s\" does not exist", name, relation)));
}

static bool
holds_bytes(const NtsColumn *column)
{
	return column->kind == NTS_KIND_FIXED || column->kind == NTS_KIND_VAR;
}

static void
begin(Train *train, const char *name)
{
	TupleDesc	desc = RelationGetDescr(train->rel);
	MemoryContextCallback *callback = palloc0(sizeof(*callback));
	NtsStatus	status;

	train->column = find_column(desc, RelationGetRelationName(train->rel), name);
	train->columns = palloc0(sizeof(NtsColumn) * Max(desc->natts, 1));
	nts_schema_columns(desc, train->columns);
	if (!holds_bytes(&train->columns[train->column]))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" has no use for a dictionary", name,
						RelationGetRelationName(train->rel)),
				 errdetail("Values of type %s are stored as numbers.",
						   format_type_be(TupleDescAttr(desc, train->column)->atttypid))));
	callback->func = free_trainer;
	callback->arg = train;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	train->trainer = nts_trainer_new(&train->columns[train->column], &status);
	if (train->trainer == NULL)
		nts_error_raise(&status, train->rel);
}

static void
take_vector(Train *train, NtsVectorSet *set)
{
	const NtsColumnData *data = &set->columns[train->column];
	const NtsColumn *column = &train->columns[train->column];
	NtsSlice   *slices = palloc(sizeof(NtsSlice) * Max(set->rows, 1));
	uint32		count = 0;
	NtsStatus	status;

	if (!data->filled)
		nts_vector_set_fill(set, train->column);
	for (uint32 row = 0; row < set->rows; row++)
	{
		struct varlena *value;

		if (data->nulls[row] || (set->hidden != NULL && set->hidden[row]))
			continue;
		if (column->kind == NTS_KIND_FIXED)
		{
			slices[count++] = (NtsSlice) {(const uint8_t *) DatumGetPointer(data->values[row]), column->width};
			continue;
		}
		/* a default of older rows may be short, or compressed */
		value = pg_detoast_datum_packed((struct varlena *) DatumGetPointer(data->values[row]));
		slices[count++] = (NtsSlice) {(const uint8_t *) VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
	}
	NTS_CHECK(nts_trainer_add(train->trainer, slices, count, &status), status, train->rel);
}

/* Can a vector's values be read, as far as dictionaries go? A damaged set is warned of once, and remembered. */
static bool
can_read(Train *train, const NtsDirectory *directory, const NtsVectorSet *set, List **damaged, MemoryContext context)
{
	uint32		id = nts_vector_set_dictionaries(set, train->column);
	const NtsEntryRef *ref;
	MemoryContext old;

	if (id == 0)
		return true;
	if (list_member_oid(*damaged, id))
		return false;
	/* one that is not there is an error, as for every reader */
	ref = nts_dictionaries_place(directory, id);
	if (ref == NULL || nts_dictionary_cache_try(train->rel, &ref->entry, true) != NULL)
		return true;
	old = MemoryContextSwitchTo(context);
	*damaged = lappend_oid(*damaged, id);
	MemoryContextSwitchTo(old);
	return false;
}

/*
 * Vectors and delta pages in equal steps from the first to the last. Rows that need a damaged set of dictionaries are
 * left out: training is how new rows get a sound one.
 */
static void
take_sample(Train *train)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "nodedb_ts sample", ALLOCSET_DEFAULT_SIZES);
	MemoryContext unit = AllocSetContextCreate(context, "nodedb_ts sample unit", ALLOCSET_DEFAULT_SIZES);
	/* the reader's strategy outlives a unit */
	MemoryContext old = MemoryContextSwitchTo(context);
	NtsReader  *reader = nts_reader_open(train->rel, RelationGetDescr(train->rel), GetActiveSnapshot(), context,
										 GetAccessStrategy(BAS_BULKREAD));
	uint64		units = nts_reader_unit_count(reader);
	uint64		wanted = Min(units, NTS_TRAINER_VECTORS);
	uint64		left_out = 0;
	NtsMeta		meta;
	/* opened after the reader's, it has all sets that what the reader sees refers to */
	const NtsDirectory *directory = nts_directory_open(train->rel, context, &meta);
	List	   *damaged = NIL;

	MemoryContextSwitchTo(unit);
	for (uint64 i = 0; i < wanted; i++)
	{
		NtsVectorSet *set;

		CHECK_FOR_INTERRUPTS();
		set = nts_reader_unit(reader, i * units / wanted);
		if (set != NULL && can_read(train, directory, set, &damaged, context))
			take_vector(train, set);
		else if (set != NULL)
			left_out++;
		MemoryContextReset(unit);
	}
	if (left_out > 0)
		ereport(WARNING,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the sample of table \"%s\" leaves out rows whose trained dictionaries cannot be read",
						RelationGetRelationName(train->rel)),
				 errdetail("These are %llu of %llu samples.",
						   (unsigned long long) left_out, (unsigned long long) wanted)));
	nts_reader_close(reader);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* false: it is of no use; a notice says why. */
static bool
learn(Train *train)
{
	NtsTraining *training = &train->training;
	NtsStatus	status;

	NTS_CHECK(nts_trainer_train(train->trainer, training, &status), status, train->rel);
	if (training->result == NTS_TRAINING_DONE)
		return true;
	ereport(NOTICE,
			(errmsg("no dictionary was made for column \"%s\" of table \"%s\"",
					NameStr(TupleDescAttr(RelationGetDescr(train->rel), train->column)->attname),
					RelationGetRelationName(train->rel)),
			 training->result == NTS_TRAINING_TOO_FEW ?
			 errdetail("There are too few values: %llu bytes to learn from, %llu bytes to judge by.",
					   (unsigned long long) training->sample_bytes, (unsigned long long) training->test_bytes) :
			 errdetail("%llu values of %llu bytes that it has not learned from take %llu bytes without it and %llu with it.",
					   (unsigned long long) training->test_values, (unsigned long long) training->test_bytes,
					   (unsigned long long) training->plain_bytes, (unsigned long long) training->trained_bytes)));
	return false;
}

/* The newest set: committed, or of this transaction. NULL: none. *id: greater than any that is, or was, in use. */
static const NtsEntryRef *
find_older(const NtsEntryRef *entries, int count, uint32 *id)
{
	const NtsEntryRef *newest = NULL;
	uint32		largest = 0;

	for (int i = 0; i < count; i++)
	{
		const NtsEntry *entry = &entries[i].entry;

		largest = Max(largest, entry->dictionaries);
		if (entry->level == NTS_LEVEL_DICTIONARIES && entry->state == NTS_ENTRY_LIVE &&
			(newest == NULL || entry->dictionaries > newest->entry.dictionaries) &&
			nts_xid_fate(entry->xmin, InvalidTransactionId) != NTS_XID_ABORTED)
			newest = &entries[i];
	}
	*id = largest + 1;
	return newest;
}

/* Stores the new set; returns its id. */
static uint32
store(Train *train)
{
	Relation	rel = train->rel;
	int			natts = RelationGetDescr(rel)->natts;
	bool	   *keep = palloc(sizeof(bool) * natts);
	NtsMeta		meta;
	int			count;
	NtsEntryRef *entries;
	const NtsEntryRef *older;
	const NtsDictionaries *others = NULL;
	NtsEntry	entry = {0};
	const uint8 *bytes;
	size_t		length;
	int			code;
	NtsStatus	status;

	entries = nts_directory_read(rel, &meta, false, &count);
	older = find_older(entries, count, &entry.dictionaries);
	if (entry.dictionaries == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("table \"%s\" has used up its ids of dictionaries", RelationGetRelationName(rel)),
				 errhint("VACUUM frees those that nothing refers to.")));
	for (int i = 0; i < natts; i++)
		keep[i] = holds_bytes(&train->columns[i]);
	/* those of other columns go on; from a set that is damaged for good nothing can be saved */
	if (older != NULL)
		others = nts_dictionary_cache_try(rel, &older->entry, true);
	code = nts_trainer_write(train->trainer, entry.dictionaries, train->column,
							 others, keep, natts, &bytes, &length, &status);
	if (code == NTS_ERR_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("trained dictionaries of table \"%s\" would take more than %d MB", RelationGetRelationName(rel),
						NTS_DICTIONARIES_BYTES / (1024 * 1024)),
				 errhint("Those of columns that are dropped are left out. A table that is written anew by TRUNCATE or by a "
						 "change of a column's type has none.")));
	NTS_CHECK(code, status, rel);
	entry.level = NTS_LEVEL_DICTIONARIES;
	entry.xmin = GetCurrentTransactionId();
	entry.cmin = GetCurrentCommandId(true);
	NTS_FAULT(train_store);
	nts_segment_write(rel, &entry, bytes, length);
	NTS_FAULT(train_stored);
	return entry.dictionaries;
}

/* That of the set just stored, which is the last one to be read from the directory. */
static uint64
stored_bytes(const Train *train, uint32 id)
{
	NtsMeta		meta;
	const NtsDirectory *directory = nts_directory_open(train->rel, CurrentMemoryContext, &meta);
	const NtsEntryRef *ref = nts_dictionaries_place(directory, id);

	return nts_dictionaries_bytes(nts_dictionary_cache_get(train->rel, &ref->entry), train->column);
}

static void
train_table(Relation rel, void *state)
{
	Request    *request = state;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "nodedb_ts train", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Train	   *train = palloc0(sizeof(Train));
	Datum		values[6];
	bool		nulls[6] = {0};
	uint32		id;

	train->rel = rel;
	begin(train, request->column);
	nts_buffer_flush_relation(rel);
	take_sample(train);
	if (learn(train))
	{
		id = store(train);
		values[0] = ObjectIdGetDatum(RelationGetRelid(rel));
		values[1] = Int64GetDatum((int64) id);
		values[2] = Int64GetDatum((int64) stored_bytes(train, id));
		values[3] = Int64GetDatum((int64) train->training.test_values);
		values[4] = Int64GetDatum((int64) train->training.plain_bytes);
		values[5] = Int64GetDatum((int64) train->training.trained_bytes);
		tuplestore_putvalues(request->result->setResult, request->result->setDesc, values, nulls);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* ts_train_dictionary(table, column) */
Datum
ts_train_dictionary(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	Request		request = {0};

	PreventCommandDuringRecovery("ts_train_dictionary()");
	PreventCommandIfReadOnly("ts_train_dictionary()");
	InitMaterializedSRF(fcinfo, 0);
	request.result = (ReturnSetInfo *) fcinfo->resultinfo;
	request.column = NameStr(*PG_GETARG_NAME(1));
	nts_maintain(relid, "train a dictionary for", train_table, &request);
	/* without partitions nobody has looked */
	if (get_rel_relkind(relid) == RELKIND_PARTITIONED_TABLE && get_attnum(relid, request.column) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist", request.column, get_rel_name(relid))));
	return (Datum) 0;
}
