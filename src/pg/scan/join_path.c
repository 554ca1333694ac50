/*
 * join_path.c - scans below a nested loop: conditions that compare with columns of outer relations become filters, whose
 * values change from one rescan to the next.
 *
 * Only where that leaves most rows unread: for the first column that segments are sorted by, and for the time column. The
 * newest segment, of those that are looked at, stands for all.
 */
#include "postgres.h"

#include "access/table.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "utils/snapmgr.h"

#include "pg/scan/join_path.h"

/* So many combinations of outer relations are tried. */
#define MOST_OUTERS 6

/* Segments that are looked at, so that planning takes the same time however many there are. */
#define MOST_LOOKS 256

typedef struct Sample
{
	int			newest;			/* entries, or -1: there is no segment */
	int			largest;
	double		windows;
	int			count;
	double	   *rows;			/* [count]: of the segments that were looked at */
} Sample;

/*
 * Looks at the table's segments. They lie in windows, stretches of time that follow each other: in as many as there would
 * be if segments lay everywhere as many above each other as on average.
 */
static void
take_sample(NtsReader *reader, Sample *sample)
{
	int			entries = nts_reader_entry_count(reader);
	int			step = entries / MOST_LOOKS + 1;
	double		segments = 0;
	double		lengths = 0;
	int64		first = PG_INT64_MAX;
	int64		last = PG_INT64_MIN;

	sample->newest = -1;
	sample->largest = -1;
	sample->windows = 1;
	sample->count = 0;
	sample->rows = palloc(sizeof(double) * (entries / step + 1));
	/* the last one of them is among them */
	for (int i = entries - 1; i >= 0; i -= step)
	{
		const NtsEntry *e = nts_reader_entry(reader, i);

		if (e->level == NTS_LEVEL_DELTA)
			continue;
		if (sample->newest < 0 || e->generation > nts_reader_entry(reader, sample->newest)->generation)
			sample->newest = i;
		if (sample->largest < 0 || e->rows > nts_reader_entry(reader, sample->largest)->rows)
			sample->largest = i;
		sample->rows[sample->count++] = (double) e->rows;
		if ((e->flags & NTS_ENTRY_HAS_TIME) == 0)
			continue;
		segments += step;
		lengths += step * ((double) e->max_time - (double) e->min_time);
		first = Min(first, e->min_time);
		last = Max(last, e->max_time);
	}
	if (last > first)
		sample->windows = segments / Max(1.0, lengths / ((double) last - (double) first));
}

bool
nts_storage_order(Oid relid, NtsStorageOrder *order)
{
	Relation	rel = table_open(relid, NoLock);
	NtsColumn  *columns = palloc(sizeof(NtsColumn) * Max(RelationGetDescr(rel)->natts, 1));
	NtsSchema	schema;
	NtsReader  *reader;
	Sample		sample = {.newest = -1};

	memset(order, 0, sizeof(*order));
	if (ActiveSnapshotSet())
	{
		reader = nts_reader_open(rel, RelationGetDescr(rel), GetActiveSnapshot(), CurrentMemoryContext, NULL);
		take_sample(reader, &sample);
		if (sample.newest >= 0)
		{
			uint32		count;
			NtsSegmentInfo info;

			nts_reader_series(reader, sample.newest, order->series_columns, &count);
			order->series_count = count;
			order->series = count == 0 ? 0 : order->series_columns[0] + 1;
			order->entries = nts_reader_entry_count(reader);
			order->windows = sample.windows;
			nts_reader_segment_info(reader, sample.newest, &info);
			order->newest_rows = (double) info.rows;
			order->newest_series = (double) info.series;
			nts_reader_segment_info(reader, sample.largest, &info);
			order->rows = (double) info.rows;
			order->series_in_rows = (double) info.series;
			order->sample = sample.rows;
			order->sample_count = sample.count;
			order->segment_rows = (double) nts_reader_segment_rows(reader);
		}
		nts_reader_close(reader);
	}
	if (sample.newest >= 0)
	{
		nts_schema_columns(RelationGetDescr(rel), columns);
		nts_schema_build(rel, columns, &schema);
		order->time = schema.time_column + 1;
	}
	pfree(columns);
	table_close(rel, NoLock);
	return sample.newest >= 0;
}

/* A segment has as many series as the one of the two known that it is closer to in size. */
double
nts_storage_short_share(const NtsStorageOrder *order, double rows_a_series)
{
	double		all = 0;
	double		in_short = 0;

	for (int i = 0; i < order->sample_count; i++)
	{
		double		rows = order->sample[i];
		bool		small = rows * rows < order->rows * order->newest_rows;

		all += rows;
		if (rows < rows_a_series * (small ? order->newest_series : order->series_in_rows))
			in_short += rows;
	}
	return all > 0 ? in_short / all : 0;
}

typedef struct WantedColumn
{
	Index		relid;
	AttrNumber	attribute;
} WantedColumn;

static bool
is_wanted(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *class, EquivalenceMember *member, void *arg)
{
	const WantedColumn *wanted = arg;

	return nts_filter_column((Node *) member->em_expr, wanted->relid) == wanted->attribute;
}

/* Does the filter, or some part of a conjunction, look at the column? */
static bool
looks_at(const NtsFilter *filter, AttrNumber attribute)
{
	if (attribute == 0 || filter == NULL)
		return false;
	if (filter->kind == NTS_FILTER_AND)
	{
		for (int i = 0; i < filter->count; i++)
			if (looks_at(filter->args[i], attribute))
				return true;
		return false;
	}
	return (filter->kind == NTS_FILTER_COMPARE || filter->kind == NTS_FILTER_IN || filter->kind == NTS_FILTER_BYTES) &&
		filter->column == attribute - 1;
}

bool
nts_clause_prunes(const RelOptInfo *rel, const RestrictInfo *info, AttrNumber attribute)
{
	return nts_scan_may_go_first(rel, info) && looks_at(nts_filter_build(info->clause, rel->relid, NULL), attribute);
}

static List *
add_outer(List *outers, const RelOptInfo *rel, const RestrictInfo *info)
{
	Relids		outer = bms_difference(info->clause_relids, rel->relids);
	ListCell   *cell;

	outer = bms_add_members(outer, rel->lateral_relids);
	if (bms_is_subset(outer, rel->lateral_relids) || list_length(outers) >= MOST_OUTERS)
		return outers;
	foreach(cell, outers)
		if (bms_equal(lfirst(cell), outer))
			return outers;
	return lappend(outers, outer);
}

/* Adds the outer relations of one column's conditions. */
static List *
add_outers_of(List *outers, PlannerInfo *root, RelOptInfo *rel, AttrNumber attribute)
{
	WantedColumn wanted = {rel->relid, attribute};
	List	   *equalities = NIL;
	ListCell   *cell;

	if (attribute == 0)
		return outers;
	if (rel->has_eclass_joins)
		equalities = generate_implied_equalities_for_column(root, rel, is_wanted, &wanted, rel->lateral_referencers);
	foreach(cell, equalities)
		if (nts_clause_prunes(rel, lfirst(cell), attribute))
			outers = add_outer(outers, rel, lfirst(cell));
	foreach(cell, rel->joininfo)
		if (join_clause_is_movable_to(lfirst(cell), rel) && nts_clause_prunes(rel, lfirst(cell), attribute))
			outers = add_outer(outers, rel, lfirst(cell));
	return outers;
}

List *
nts_join_outers(PlannerInfo *root, RelOptInfo *rel, const NtsStorageOrder *order)
{
	List	   *outers = add_outers_of(NIL, root, rel, order->series);
	int			count;

	outers = add_outers_of(outers, root, rel, order->time);
	/* the series of one relation and the times of another */
	count = list_length(outers);
	for (int i = 0; i < count; i++)
		for (int j = i + 1; j < count && list_length(outers) < MOST_OUTERS; j++)
		{
			Relids		both = bms_union(list_nth(outers, i), list_nth(outers, j));
			ListCell   *cell;
			bool		is_new = true;

			foreach(cell, outers)
				is_new = is_new && !bms_equal(lfirst(cell), both);
			if (is_new)
				outers = lappend(outers, both);
		}
	return outers;
}
