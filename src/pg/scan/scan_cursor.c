/*
 * scan_cursor.c - the rows of a scan node, set by set: what need not be read is left out, what was read is narrowed.
 *
 * Units are taken in the order of storage: entries by block, row groups, vectors. A filter that statistics decide for
 * a whole row group or vector is not evaluated there, and its column not decoded for it. A parallel scan shares out
 * blocks; a row group belongs to the block in which it starts, a page of L0 to its own.
 */
#include "postgres.h"

#include "access/relscan.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/predicate.h"
#include "utils/memutils.h"

#include "pg/scan/custom_scan.h"

/* ---- statistics as the filters ask for them ---- */

const NtsStatistics *
nts_scan_group_statistics(void *scan, int column)
{
	NtsScanState *state = scan;

	if (!nts_reader_statistics(state->reader, state->entry, state->group, column, &state->footer))
		return NULL;
	return &state->footer;
}

static const NtsKeyBounds *
group_bounds(void *scan, int column)
{
	NtsScanState *state = scan;

	return nts_reader_key_bounds(state->reader, state->entry, state->group, column);
}

const NtsStatistics *
nts_scan_vector_statistics(void *scan, int column)
{
	NtsScanState *state = scan;
	const NtsStatistics *vectors = nts_reader_vector_statistics(state->reader, state->entry, state->group, column);

	return vectors == NULL ? NULL : &vectors[state->vector];
}

const NtsKeyBounds *
nts_scan_vector_bounds(void *scan, int column)
{
	NtsScanState *state = scan;
	const NtsKeyBounds *bounds = nts_reader_vector_key_bounds(state->reader, state->entry, state->group, column);

	return bounds == NULL ? NULL : &bounds[state->vector];
}

bool
nts_scan_vector_word(NtsScanState *state, int column, Datum *word)
{
	const NtsStatistics *s = nts_scan_vector_statistics(state, column);

	if (s == NULL || !s->has_range || !s->nulls_known || s->null_count > 0 || s->min != s->max)
		return false;
	*word = (Datum) s->min;
	return true;
}

bool
nts_key_bounds_same(const NtsKeyBounds *bounds)
{
	return bounds != NULL && bounds->first != NULL && bounds->last != NULL &&
		bounds->first_length == bounds->last_length &&
		memcmp(bounds->first, bounds->last, bounds->first_length) == 0;
}

static const NtsValueList *
group_values(void *scan, int column)
{
	NtsScanState *state = scan;

	return nts_reader_values(state->reader, state->entry, state->group, column);
}

/* A list whose values all are of some row, or of which that is known; so members tell it of up to 64. */
static const NtsValueList *
exact_values(NtsScanState *state, int column)
{
	const NtsValueList *list = group_values(state, column);

	if (list == NULL || list->count > 64)
		return NULL;
	/* asked again, it looks what each vector has */
	if (list->is_dictionary && list->members == NULL)
		list = group_values(state, column);
	return list;
}

bool
nts_scan_group_values(void *scan, int column, NtsScanValues *values)
{
	NtsScanState *state = scan;
	const NtsValueList *list = exact_values(state, column);

	if (list == NULL)
		return false;
	values->values = list->values;
	values->count = list->count;
	values->some_null = list->some_null;
	values->members = list->is_dictionary ? 0 : PG_UINT64_MAX;
	if (list->is_dictionary)
		for (uint32 v = nts_reader_vectors(state->reader, state->entry, state->group); v-- > 0;)
			values->members |= list->members[v];
	return true;
}

bool
nts_scan_vector_values(void *scan, int column, NtsScanValues *values)
{
	NtsScanState *state = scan;
	const NtsValueList *list = exact_values(state, column);

	if (list == NULL)
		return false;
	/* a constant beside NULLs need not be in each vector */
	if (!list->is_dictionary && list->some_null && list->count > 0)
		return false;
	values->values = list->values;
	values->count = list->count;
	values->members = list->is_dictionary ? list->members[state->vector] : PG_UINT64_MAX;
	values->some_null = list->is_dictionary ? list->nulls[state->vector] : list->some_null;
	return true;
}

/* What values a row group has is asked last: the answer may take reading a chunk. */
static bool
judge_group_values(NtsScanState *state)
{
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
	NtsFilterFacts facts = {.statistics = nts_scan_group_statistics,.bounds = group_bounds,.values = group_values,
		.scan = state};
	bool		some = true;

	facts.probe = &state->probe;
	facts.econtext = state->css.ss.ps.ps_ExprContext;
	facts.slot = slot;
	ExecClearTuple(slot);
	ExecStoreVirtualTuple(slot);
	facts.econtext->ecxt_scantuple = slot;
	for (int i = 0; i < state->filter_count && some; i++)
		if (state->filters[i]->of_group == NTS_VERDICT_SOME)
		{
			state->filters[i]->of_group = nts_filter_judge(state->filters[i], &facts);
			state->excluder = state->filters[i];
			some = state->filters[i]->of_group != NTS_VERDICT_NONE;
		}
	ExecClearTuple(slot);
	return some;
}

/* What the directory says of the entries in state->bounds, as statistics of their time column. */
static const NtsStatistics *
entry_statistics(void *scan, int column)
{
	NtsScanState *state = scan;
	const NtsTimeBounds *bounds = &state->bounds;
	NtsStatistics *s = &state->footer;

	if (bounds->time_column != (uint32) column + 1)
		return NULL;
	memset(s, 0, sizeof(*s));
	s->rows = (uint32) Min(bounds->rows, PG_UINT32_MAX);
	s->null_count = bounds->has_null_time ? s->rows : 0;
	s->nulls_known = !bounds->has_null_time || !bounds->has_time;
	s->has_range = bounds->has_time;
	s->min = (uint64) bounds->min_time;
	s->max = (uint64) bounds->max_time;
	return s;
}

static const NtsKeyBounds *
no_bounds(void *scan, int column)
{
	return NULL;
}

static const NtsValueList *
no_values(void *scan, int column)
{
	return NULL;
}

/*
 * Does the directory tell that no row of the entry passes? Then to how many entries, from it on, that applies, all of
 * them segments; else 0.
 */
int
nts_scan_excluded_entries(NtsScanState *state, int entry)
{
	NtsFilterFacts facts = {.statistics = entry_statistics,.bounds = no_bounds,.values = no_values,.scan = state};
	int			count;

	if (state->filter_count == 0)
		return 0;
	count = nts_reader_time_bounds(state->reader, entry, &state->bounds);
	for (;;)
	{
		if (state->bounds.time_column != 0)
			for (int i = 0; i < state->filter_count; i++)
				if (nts_filter_judge(state->filters[i], &facts) == NTS_VERDICT_NONE)
					return count;
		if (count == 1)
			return 0;
		/* what does not exclude the whole run may exclude this one */
		nts_entry_time_bounds(nts_reader_entry(state->reader, entry), &state->bounds);
		count = 1;
	}
}

/* false: some filter lets no row of the row group pass. */
static bool
judge_group(NtsScanState *state)
{
	NtsFilterFacts facts = {.statistics = nts_scan_group_statistics,.bounds = group_bounds,.scan = state};
	bool		undecided = false;

	for (int i = 0; i < state->filter_count; i++)
	{
		nts_filter_enter_group(state->filters[i]);
		state->filters[i]->of_group = nts_filter_judge(state->filters[i], &facts);
		state->excluder = state->filters[i];
		if (state->filters[i]->of_group == NTS_VERDICT_NONE)
			return false;
		undecided = undecided || state->filters[i]->of_group == NTS_VERDICT_SOME;
	}
	return !undecided || judge_group_values(state);
}

static bool
judge_vector(NtsScanState *state)
{
	NtsFilterFacts facts = {.statistics = nts_scan_vector_statistics,.bounds = nts_scan_vector_bounds,.scan = state,
		.vector = state->vector};

	for (int i = 0; i < state->filter_count; i++)
	{
		NtsFilter  *filter = state->filters[i];

		filter->verdict = filter->of_group == NTS_VERDICT_ALL ? NTS_VERDICT_ALL : nts_filter_judge(filter, &facts);
		state->excluder = filter;
		if (filter->verdict == NTS_VERDICT_NONE)
			return false;
	}
	return true;
}

/* ---- what a node above knows better ---- */

void
nts_scan_set_chooser(CustomScanState *node, const NtsScanChooser *chooser)
{
	((NtsScanState *) node)->chooser = chooser;
}

uint32
nts_scan_group_rows(NtsScanState *state)
{
	return nts_reader_group_rows(state->reader, state->entry, state->group);
}

uint32
nts_scan_vector_rows(NtsScanState *state)
{
	return nts_reader_vector_rows(state->reader, state->entry, state->group, state->vector);
}

/* Does every row of the row group, or vector, pass? */
static bool
takes_all(const NtsScanState *state, bool of_vector)
{
	if (state->rest != NULL || nts_reader_hides_rows(state->reader, state->entry))
		return false;
	for (int i = 0; i < state->filter_count; i++)
		if ((of_vector ? state->filters[i]->verdict : state->filters[i]->of_group) != NTS_VERDICT_ALL)
			return false;
	return true;
}

static bool
skips_group(NtsScanState *state)
{
	const NtsScanChooser *chooser = state->chooser;

	if (chooser == NULL || !chooser->skip_group(chooser->arg, state, takes_all(state, false)))
		return false;
	state->counts.groups_skipped++;
	return true;
}

static bool
skips_vector(NtsScanState *state)
{
	const NtsScanChooser *chooser = state->chooser;

	if (chooser == NULL || !chooser->skip_vector(chooser->arg, state, takes_all(state, true)))
		return false;
	state->counts.vectors_skipped++;
	return true;
}

/* ---- the next unit ---- */

typedef struct OrderedEntry
{
	int			entry;
	bool		has_time;
	int64		max_time;
} OrderedEntry;

/* What has no times, L0 above all, comes first: it may hold the newest rows. */
static int
compare_entries(const void *a, const void *b)
{
	const OrderedEntry *x = a;
	const OrderedEntry *y = b;

	if (x->has_time != y->has_time)
		return x->has_time ? 1 : -1;
	return x->max_time < y->max_time ? 1 : x->max_time > y->max_time ? -1 : x->entry - y->entry;
}

static void
order_entries(NtsScanState *state)
{
	int			count = nts_reader_entry_count(state->reader);
	OrderedEntry *entries = palloc(sizeof(OrderedEntry) * Max(count, 1));

	for (int i = 0; i < count; i++)
	{
		const NtsEntry *e = nts_reader_entry(state->reader, i);

		entries[i].entry = i;
		entries[i].has_time = e->level != NTS_LEVEL_DELTA && (e->flags & NTS_ENTRY_HAS_TIME) != 0;
		entries[i].max_time = entries[i].has_time ? e->max_time : 0;
	}
	qsort(entries, count, sizeof(OrderedEntry), compare_entries);
	state->order = MemoryContextAlloc(state->css.ss.ps.state->es_query_cxt, sizeof(int) * Max(count, 1));
	for (int i = 0; i < count; i++)
		state->order[i] = entries[i].entry;
	pfree(entries);
}

/* Sets group and vector from how many are done. */
static void
place_group(NtsScanState *state)
{
	bool		backward = state->chooser != NULL && state->chooser->backward;

	if (state->in_last_rows)
		state->group = state->group_end;
	else
		state->group = backward ? state->group_end - 1 - state->groups_done : state->group_begin + state->groups_done;
}

static void
place_vector(NtsScanState *state)
{
	bool		backward = state->chooser != NULL && state->chooser->backward;

	state->vector = backward ? state->vectors - 1 - state->vectors_done : state->vectors_done;
}

/* Of the last rows of the entry's series, if they may suffice: they are read first. */
static void
begin_last_rows(NtsScanState *state)
{
	const NtsScanChooser *chooser = state->chooser;
	NtsSegmentInfo segment;

	state->in_last_rows = false;
	state->after_last_rows = false;
	if (chooser == NULL || chooser->takes_last_rows == NULL || nts_reader_is_delta(state->reader, state->entry))
		return;
	nts_reader_segment_info(state->reader, state->entry, &segment);
	if (!segment.has_last_rows || nts_reader_hides_rows(state->reader, state->entry))
		return;
	state->in_last_rows =
		chooser->takes_last_rows(chooser->arg, &segment,
								 (nts_reader_entry(state->reader, state->entry)->flags & NTS_ENTRY_NULL_TIME) != 0);
	if (!state->in_last_rows)
		return;
	state->series = segment.series;
	state->series_known = 0;
	for (int i = 0; i < state->filter_count; i++)
		state->filters[i]->decides_series = nts_filter_decides_series(state->filters[i], &segment);
}

/* Is there something to be read of the last rows? */
static bool
enter_last_rows(NtsScanState *state)
{
	const NtsScanChooser *chooser = state->chooser;

	if (!judge_group(state))
		state->series_known = state->excluder->decides_series ? state->series : 0;
	else if (chooser->skip_group(chooser->arg, state, takes_all(state, false)))
		state->series_known = state->series;
	else
		return true;
	state->in_last_rows = false;
	state->after_last_rows = true;
	return false;
}

/* The same of one vector of them. */
static bool
wants_last_vector(NtsScanState *state)
{
	const NtsScanChooser *chooser = state->chooser;

	if (judge_vector(state))
	{
		if (!chooser->skip_vector(chooser->arg, state, takes_all(state, true)))
			return true;
	}
	else if (!state->excluder->decides_series)
		return false;
	state->series_known += nts_scan_vector_rows(state);
	return false;
}

/* Applies the filters that decide (or not) for whole series. */
static void
apply_filters(NtsScanState *state, NtsVectorSet *set, bool of_series)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;

	for (int i = 0; i < state->filter_count; i++)
	{
		NtsFilter  *filter = state->filters[i];

		if (filter->verdict == NTS_VERDICT_ALL || (state->at_last_rows && filter->decides_series) != of_series)
			continue;
		nts_filter_forget(filter);
		nts_filter_apply(filter, set, state->keep, econtext, slot);
	}
}

/* Leaves out the rest of the entry, if nothing of it is wanted any more. */
static void
end_last_rows(NtsScanState *state)
{
	state->after_last_rows = false;
	if (state->series_known < state->series)
		return;
	state->counts.groups += state->group_end;
	state->counts.groups_skipped += state->group_end;
	state->groups_done = state->group_end;
}

/* Of a parallel scan: is the block's entry excluded? It is counted where its first block is. */
static bool
excludes_block(NtsScanState *state, BlockNumber block)
{
	if (nts_scan_excluded_entries(state, state->entry) == 0)
		return false;
	if (block == nts_reader_entry(state->reader, state->entry)->first_block)
	{
		state->counts.segments++;
		state->counts.segments_pruned++;
	}
	return true;
}

/* Moves to the next entry or, of a parallel scan, block with row groups in it. */
static bool
next_entry(NtsScanState *state)
{
	ParallelBlockTableScanDesc shared = (ParallelBlockTableScanDesc) state->parallel;
	Relation	rel = state->css.ss.ss_currentRelation;
	uint32		count;

	if (shared == NULL)
	{
		while (++state->place < nts_reader_entry_count(state->reader))
		{
			int			excluded;

			state->entry = state->order == NULL ? state->place : state->order[state->place];
			excluded = nts_scan_excluded_entries(state, state->entry);
			if (excluded > 0)
			{
				/* in another order the next places belong to others */
				if (state->order != NULL)
					excluded = 1;
				state->counts.segments += excluded;
				state->counts.segments_pruned += excluded;
				state->place += excluded - 1;
				continue;
			}
			state->group_begin = 0;
			state->group_end = nts_reader_groups(state->reader, state->entry);
			if (!nts_reader_is_delta(state->reader, state->entry))
				state->counts.segments++;
			begin_last_rows(state);
			if (state->group_end > 0)
				return true;
		}
		return false;
	}
	if (!state->worker_started)
	{
		table_block_parallelscan_startblock_init(rel, state->worker, shared);
		state->worker_started = true;
	}
	for (;;)
	{
		BlockNumber block = table_block_parallelscan_nextpage(rel, state->worker, shared);

		CHECK_FOR_INTERRUPTS();
		if (block == InvalidBlockNumber)
			return false;
		state->entry = nts_reader_entry_of_block(state->reader, block);
		if (state->entry < 0 || excludes_block(state, block))
			continue;
		if (nts_reader_block_groups(state->reader, block, &state->entry, &state->group_begin, &count))
		{
			state->group_end = state->group_begin + count;
			if (state->group_begin == 0 && !nts_reader_is_delta(state->reader, state->entry))
				state->counts.segments++;
			return true;
		}
	}
}

static void
enter_group(NtsScanState *state)
{
	state->vectors = nts_reader_vectors(state->reader, state->entry, state->group);
	state->vectors_done = 0;
}

/* Behind a row group that a condition on the series key excludes: to the next one in which it may hold. */
static void
leap_groups(NtsScanState *state)
{
	const NtsFilter *filter = state->excluder;
	const NtsKeyBounds *bounds;
	uint32		next;

	if (filter->kind != NTS_FILTER_BYTES || filter->never || (state->chooser != NULL && state->chooser->backward))
		return;
	bounds = group_bounds(state, filter->column);
	if (bounds == NULL)
		return;
	next = nts_filter_next_vector(filter, bounds - state->group, state->group + 1, state->group_end);
	state->counts.groups += next - state->group - 1;
	state->counts.groups_pruned += next - state->group - 1;
	state->groups_done += next - state->group - 1;
}

/* Passes over vectors up to the next one in which a condition on the series key may hold: their bounds ascend. */
static void
leap_vectors(NtsScanState *state)
{
	if (state->chooser != NULL && state->chooser->backward)
		return;
	for (int i = 0; i < state->filter_count; i++)
	{
		const NtsFilter *filter = state->filters[i];
		const NtsKeyBounds *bounds;
		uint32		next;

		if (filter->kind != NTS_FILTER_BYTES || filter->of_group != NTS_VERDICT_SOME)
			continue;
		bounds = nts_reader_vector_key_bounds(state->reader, state->entry, state->group, filter->column);
		if (bounds == NULL)
			continue;
		next = nts_filter_next_vector(filter, bounds, state->vectors_done, state->vectors);
		state->counts.vectors_pruned += next - state->vectors_done;
		state->vectors_done = next;
	}
}

/* The next set of rows that may pass, and which filters are undecided for it; NULL at the end. */
static NtsVectorSet *
next_set(NtsScanState *state)
{
	for (;;)
	{
		NtsPosition position;
		NtsVectorSet *set = NULL;

		CHECK_FOR_INTERRUPTS();
		if (state->after_last_rows)
			end_last_rows(state);
		if (!state->positioned || state->groups_done >= state->group_end - state->group_begin)
		{
			state->positioned = next_entry(state);
			if (!state->positioned)
				return NULL;
			state->groups_done = 0;
			state->vectors = 0;
		}
		place_group(state);
		position.entry = state->entry;
		position.group = state->group;
		position.vector = 0;
		state->at_last_rows = state->in_last_rows;
		if (nts_reader_is_delta(state->reader, state->entry))
		{
			set = nts_scan_load_page(state, state->entry, state->group);
			state->groups_done++;
			state->at = position;
			if (set != NULL)
				return set;
			continue;
		}
		if (state->vectors == 0 && state->in_last_rows)
		{
			if (!enter_last_rows(state))
				continue;
			enter_group(state);
		}
		else if (state->vectors == 0)
		{
			state->counts.groups++;
			if (!judge_group(state))
			{
				state->counts.groups_pruned++;
				state->groups_done++;
				leap_groups(state);
				continue;
			}
			if (skips_group(state))
			{
				state->groups_done++;
				continue;
			}
			enter_group(state);
			state->counts.vectors += state->vectors;
		}
		if (!state->in_last_rows)
		{
			leap_vectors(state);
			if (state->vectors_done == state->vectors)
			{
				state->vectors = 0;
				state->groups_done++;
				continue;
			}
		}
		place_vector(state);
		position.vector = state->vector;
		if (state->in_last_rows)
		{
			if (wants_last_vector(state))
				set = nts_reader_load(state->reader, &position);
		}
		else if (!judge_vector(state))
			state->counts.vectors_pruned++;
		else if (!skips_vector(state))
			set = nts_reader_load(state->reader, &position);
		state->at = position;
		if (++state->vectors_done >= state->vectors)
		{
			state->vectors = 0;
			if (state->in_last_rows)
				state->after_last_rows = true;
			else
				state->groups_done++;
			state->in_last_rows = false;
		}
		if (set != NULL)
			return set;
	}
}

/* ---- units in an order of the caller's ---- */

bool
nts_scan_enter_group(NtsScanState *state, int entry, uint32 group)
{
	state->entry = entry;
	state->group = group;
	if (!judge_group(state))
		return false;
	enter_group(state);
	return true;
}

NtsVectorSet *
nts_scan_load_vector(NtsScanState *state, uint32 vector)
{
	NtsPosition position = {.entry = state->entry,.group = state->group,.vector = vector};

	state->vector = vector;
	state->counts.vectors++;
	if (judge_vector(state))
		return nts_reader_load(state->reader, &position);
	state->counts.vectors_pruned++;
	return NULL;
}

NtsVectorSet *
nts_scan_load_page(NtsScanState *state, int entry, uint32 page)
{
	NtsPosition position = {.entry = entry,.group = page};

	state->counts.pages++;
	for (int i = 0; i < state->filter_count; i++)
		state->filters[i]->verdict = NTS_VERDICT_SOME;
	return nts_reader_load(state->reader, &position);
}

/* ---- narrowing ---- */

static void
make_room(NtsScanState *state, uint32 rows)
{
	MemoryContext context = state->css.ss.ps.state->es_query_cxt;

	if (rows <= state->room)
		return;
	if (state->room > 0)
	{
		pfree(state->keep);
		pfree(state->rows);
	}
	state->room = Max(rows, 1024);
	state->keep = MemoryContextAlloc(context, state->room);
	state->rows = MemoryContextAlloc(context, sizeof(uint32) * state->room);
}

void
nts_scan_fill(NtsScanState *state, const int *columns, int count)
{
	NtsVectorSet *set = state->selection.set;

	for (int i = 0; i < count; i++)
		if (!set->columns[columns[i]].filled)
			nts_vector_set_fill(set, columns[i]);
}

void
nts_scan_store(NtsScanState *state, const int *columns, int count, uint32 row)
{
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
	NtsVectorSet *set = state->selection.set;

	ExecClearTuple(slot);
	for (int i = 0; i < count; i++)
	{
		slot->tts_values[columns[i]] = set->columns[columns[i]].values[row];
		slot->tts_isnull[columns[i]] = set->columns[columns[i]].nulls[row] != 0;
	}
	ExecStoreVirtualTuple(slot);
	slot->tts_tableOid = RelationGetRelid(state->css.ss.ss_currentRelation);
	nts_row_id_to_tid(set->row_ids != NULL ? set->row_ids[row] : set->first_row_id + row, &slot->tts_tid);
}

/* Leaves rows of the selection for which the other conditions hold. */
static void
apply_rest(NtsScanState *state)
{
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
	uint32		kept = 0;

	nts_scan_fill(state, state->rest_columns, state->rest_column_count);
	econtext->ecxt_scantuple = slot;
	for (uint32 i = 0; i < state->selection.count; i++)
	{
		uint32		row = state->rows[i];

		nts_scan_store(state, state->rest_columns, state->rest_column_count, row);
		ResetExprContext(econtext);
		if (ExecQual(state->rest, econtext))
			state->rows[kept++] = row;
		CHECK_FOR_INTERRUPTS();
	}
	InstrCountFiltered1(&state->css.ss, state->selection.count - kept);
	state->selection.count = kept;
	ExecClearTuple(slot);
}

/*
 * Where times ascend, rows that conditions on them let pass lie side by side: their ends are searched for. false: that is
 * not so, or there are other conditions.
 */
static bool
narrow_to_range(NtsScanState *state, NtsVectorSet *set)
{
	const NtsScanChooser *chooser = state->chooser;
	uint32		first = 0;
	uint32		end = set->rows;
	uint32		before;
	uint32	   *rows;

	if (set->hidden != NULL || state->at_last_rows)
		return false;
	for (int i = 0; i < state->filter_count; i++)
		if (state->filters[i]->verdict != NTS_VERDICT_ALL &&
			(!nts_filter_is_range(state->filters[i]) || !nts_vector_set_ascends(set, state->filters[i]->column)))
			return false;
	if (chooser != NULL && chooser->keep_rows != NULL &&
		(chooser->keep_range == NULL || !chooser->keep_range(chooser->arg, set, &first, &end)))
		return false;
	before = end - first;
	for (int i = 0; i < state->filter_count && first < end; i++)
		if (state->filters[i]->verdict != NTS_VERDICT_ALL)
			nts_filter_narrow_range(state->filters[i], &set->columns[state->filters[i]->column], &first, &end);
	state->counts.rows_filtered += before - (end - first);
	state->selection.count = end - first;
	make_room(state, set->rows);
	rows = state->rows;
	for (uint32 i = first; i < end; i++)
		rows[i - first] = i;
	return true;
}

/* Evaluates the conditions for all rows that the node above wants. */
static void
narrow_by_mask(NtsScanState *state, NtsVectorSet *set)
{
	ExprContext *econtext = state->css.ss.ps.ps_ExprContext;
	TupleTableSlot *slot = state->css.ss.ss_ScanTupleSlot;
	bool		chosen = state->chooser != NULL && state->chooser->keep_rows != NULL;
	uint32		before = set->rows;

	make_room(state, set->rows);
	memset(state->keep, 1, set->rows);
	if (set->hidden != NULL)
		for (uint32 i = 0; i < set->rows; i++)
			state->keep[i] = set->hidden[i] == 0;
	if (chosen)
		state->chooser->keep_rows(state->chooser->arg, set, state->keep);
	if (chosen || set->hidden != NULL)
		before = nts_filter_positions(state->keep, set->rows, state->rows);
	if (before == 0)
	{
		state->selection.count = 0;
		return;
	}
	/* filters set the column that they look at */
	ExecClearTuple(slot);
	ExecStoreVirtualTuple(slot);
	econtext->ecxt_scantuple = slot;
	if (state->at_last_rows)
	{
		apply_filters(state, set, true);
		state->series_known += before - nts_filter_positions(state->keep, set->rows, state->rows);
	}
	apply_filters(state, set, false);
	ExecClearTuple(slot);
	state->selection.count = nts_filter_positions(state->keep, set->rows, state->rows);
	state->counts.rows_filtered += before - state->selection.count;
}

bool
nts_scan_narrow(NtsScanState *state, NtsVectorSet *set)
{
	bool		all = set->hidden == NULL && state->rest == NULL &&
		(state->chooser == NULL || state->chooser->keep_rows == NULL);

	for (int i = 0; i < state->filter_count && all; i++)
		all = state->filters[i]->verdict == NTS_VERDICT_ALL;
	state->selection.set = set;
	state->selection.rows = NULL;
	state->selection.count = set->rows;
	if (all)
		return state->selection.count > 0;
	if (!narrow_to_range(state, set))
		narrow_by_mask(state, set);
	if (state->rest != NULL && state->selection.count > 0)
		apply_rest(state);
	/* a selection of all rows is cheaper to go through without a list */
	if (state->selection.count < set->rows)
		state->selection.rows = state->rows;
	return state->selection.count > 0;
}

/* ---- back and forth ---- */

static void
note_place(NtsScanState *state, const NtsPosition *position)
{
	if (state->visited_count == state->visited_room)
	{
		state->visited_room = Max(64, state->visited_room * 2);
		if (state->visited == NULL)
			state->visited = MemoryContextAlloc(state->css.ss.ps.state->es_query_cxt,
												sizeof(NtsPosition) * state->visited_room);
		else
			state->visited = repalloc_huge(state->visited, sizeof(NtsPosition) * state->visited_room);
	}
	state->visited[state->visited_count++] = *position;
}

bool
nts_scan_move(NtsScanState *state, bool forward)
{
	Assert(state->may_go_back);
	state->selection.count = 0;
	for (;;)
	{
		NtsVectorSet *set;

		if (forward && state->visited_at + 1 >= state->visited_count)
		{
			bool		found = nts_scan_advance(state);

			state->visited_at = found ? state->visited_count - 1 : state->visited_count;
			return found;
		}
		state->visited_at = Max(state->visited_at + (forward ? 1 : -1), -1);
		if (state->visited_at < 0)
			return false;
		/* statistics have let it pass before; what it holds is looked at anew */
		for (int i = 0; i < state->filter_count; i++)
			state->filters[i]->verdict = NTS_VERDICT_SOME;
		set = nts_reader_load(state->reader, &state->visited[state->visited_at]);
		if (set != NULL && nts_scan_narrow(state, set))
			return true;
	}
}

/* ---- beginning and end ---- */

void
nts_scan_begin(NtsScanState *state)
{
	EState	   *estate = state->css.ss.ps.state;
	Relation	rel = state->css.ss.ss_currentRelation;
	int			natts = RelationGetDescr(rel)->natts;

	if (state->reader == NULL)
	{
		nts_buffer_flush_relation(rel);
		PredicateLockRelation(rel, estate->es_snapshot);
		if (nts_file_blocks(rel) > (BlockNumber) NBuffers / 4)
			state->strategy = GetAccessStrategy(BAS_BULKREAD);
		state->reader = nts_reader_open(rel, RelationGetDescr(rel), estate->es_snapshot, estate->es_query_cxt,
										state->strategy);
		nts_reader_count_decoded(state->reader, &state->counts.decoded);
		state->probe.natts = natts;
		state->probe.columns = MemoryContextAllocZero(estate->es_query_cxt, sizeof(NtsColumnData) * Max(natts, 1));
	}
	pgstat_count_heap_scan(rel);
	MemoryContextReset(state->constants);
	for (int i = 0; i < state->filter_count; i++)
		nts_filter_set_constants(state->filters[i], state->css.ss.ps.ps_ExprContext, state->constants);
	if (state->chooser != NULL && state->chooser->newest_first && state->order == NULL)
		order_entries(state);
	state->place = -1;
	state->begun = true;
	state->positioned = false;
	state->in_last_rows = false;
	state->after_last_rows = false;
}

bool
nts_scan_advance(NtsScanState *state)
{
	NtsVectorSet *set;

	state->selection.count = 0;
	if (state->finished)
		return false;
	if (!state->begun)
		nts_scan_begin(state);
	while ((set = next_set(state)) != NULL)
	{
		if (!nts_scan_narrow(state, set))
			continue;
		if (state->at_last_rows)
		{
			state->series_known += state->selection.count;
			state->counts.last_rows += state->selection.count;
		}
		if (state->may_go_back)
			note_place(state, &state->at);
		return true;
	}
	state->finished = true;
	return false;
}

bool
nts_scan_next(CustomScanState *node, NtsSelection *selection)
{
	NtsScanState *state = (NtsScanState *) node;
	Instrumentation *instrument = node->ss.ps.instrument;
	bool		found;

	if (instrument != NULL)
		InstrStartNode(instrument);
	found = nts_scan_advance(state);
	if (instrument != NULL)
		InstrStopNode(instrument, found ? state->selection.count : 0);
	if (found)
		*selection = state->selection;
	return found;
}

/* Adds what is known of one row group; false: not enough is. */
static bool
widen_reach(NtsStatistics *reach, const NtsStatistics *s)
{
	if (s == NULL || (!s->has_range && !(s->nulls_known && s->null_count == s->rows)))
		return false;
	if (!s->has_range)
		return true;
	reach->min = !reach->has_range || (int64) s->min < (int64) reach->min ? s->min : reach->min;
	reach->max = !reach->has_range || (int64) s->max > (int64) reach->max ? s->max : reach->max;
	reach->has_range = true;
	return true;
}

bool
nts_scan_reach(NtsScanState *state, int column, NtsStatistics *reach)
{
	memset(reach, 0, sizeof(*reach));
	if (!state->begun)
		nts_scan_begin(state);
	for (state->entry = 0; state->entry < nts_reader_entry_count(state->reader); state->entry++)
	{
		int			excluded;
		uint32		groups;

		CHECK_FOR_INTERRUPTS();
		if (nts_reader_is_delta(state->reader, state->entry))
			continue;
		excluded = nts_scan_excluded_entries(state, state->entry);
		if (excluded > 0)
		{
			state->entry += excluded - 1;
			continue;
		}
		groups = nts_reader_groups(state->reader, state->entry);
		for (state->group = 0; state->group < groups; state->group++)
			if (judge_group(state) && !widen_reach(reach, nts_scan_group_statistics(state, column)))
				return false;
	}
	return reach->has_range;
}

void
nts_scan_again(NtsScanState *state)
{
	state->finished = false;
	state->positioned = false;
	state->place = -1;
	state->in_last_rows = false;
	state->after_last_rows = false;
	state->selection.count = 0;
}

void
nts_scan_restart(NtsScanState *state)
{
	state->begun = false;
	state->finished = false;
	state->selection.count = 0;
	state->next = 0;
	state->worker_started = false;
	state->visited_count = 0;
	state->visited_at = -1;
}

void
nts_scan_close(NtsScanState *state)
{
	if (state->reader != NULL)
		nts_reader_close(state->reader);
	state->reader = NULL;
	if (state->strategy != NULL)
		FreeAccessStrategy(state->strategy);
	state->strategy = NULL;
}
