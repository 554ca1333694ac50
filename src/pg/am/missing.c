/*
 * missing.c - values of columns that were added after rows, over VACUUM FULL.
 *
 * ALTER TABLE ... ADD COLUMN ... DEFAULT keeps the value that older rows have in
 * pg_attribute. PostgreSQL forgets it at the end of VACUUM FULL, since heap writes
 * complete rows; ours copies segments and batches as they are, which still need it.
 * So what was there is put back right before the transaction commits: nobody else can
 * read the table in between, its lock is held.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_attribute.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "pg/am/am.h"

typedef struct MissingValue
{
	Oid			table;
	AttrNumber	column;
	Datum		value;			/* an array of one, as in attmissingval */
	struct MissingValue *next;
} MissingValue;

/* of this transaction, in TopTransactionContext */
static MissingValue *kept;
static bool registered;

static void
put_back(const MissingValue *missing, Relation attributes)
{
	HeapTuple	old = SearchSysCache2(ATTNUM, ObjectIdGetDatum(missing->table),
									  Int16GetDatum(missing->column));
	Datum		values[Natts_pg_attribute] = {0};
	bool		nulls[Natts_pg_attribute] = {0};
	bool		replaces[Natts_pg_attribute] = {0};
	HeapTuple	new;

	if (!HeapTupleIsValid(old))
		return;
	values[Anum_pg_attribute_atthasmissing - 1] = BoolGetDatum(true);
	replaces[Anum_pg_attribute_atthasmissing - 1] = true;
	values[Anum_pg_attribute_attmissingval - 1] = missing->value;
	replaces[Anum_pg_attribute_attmissingval - 1] = true;
	new = heap_modify_tuple(old, RelationGetDescr(attributes), values, nulls, replaces);
	CatalogTupleUpdate(attributes, &new->t_self, new);
	heap_freetuple(new);
	ReleaseSysCache(old);
}

static void
at_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT && kept != NULL)
	{
		Relation	attributes = table_open(AttributeRelationId, RowExclusiveLock);

		/* what is to be undone has to be seen */
		CommandCounterIncrement();
		for (const MissingValue *missing = kept; missing != NULL; missing = missing->next)
			put_back(missing, attributes);
		table_close(attributes, RowExclusiveLock);
	}
	kept = NULL;
}

/* Keeps the table's values for added columns, to be there again when the transaction commits. */
void
nts_missing_keep(Relation rel)
{
	MemoryContext old_context;

	if (rel->rd_att->constr == NULL || rel->rd_att->constr->missing == NULL)
		return;
	if (!registered)
		RegisterXactCallback(at_end, NULL);
	registered = true;
	old_context = MemoryContextSwitchTo(TopTransactionContext);
	for (AttrNumber column = 1; column <= RelationGetNumberOfAttributes(rel); column++)
	{
		HeapTuple	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(RelationGetRelid(rel)),
											Int16GetDatum(column));
		bool		is_null;
		Datum		value;

		if (!HeapTupleIsValid(tuple))
			continue;
		value = SysCacheGetAttr(ATTNUM, tuple, Anum_pg_attribute_attmissingval, &is_null);
		if (((Form_pg_attribute) GETSTRUCT(tuple))->atthasmissing && !is_null)
		{
			MissingValue *missing = palloc(sizeof(MissingValue));

			missing->table = RelationGetRelid(rel);
			missing->column = column;
			missing->value = PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
			missing->next = kept;
			kept = missing;
		}
		ReleaseSysCache(tuple);
	}
	MemoryContextSwitchTo(old_context);
}
