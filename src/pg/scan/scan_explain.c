/*
 * scan_explain.c - what EXPLAIN says of a scan node.
 */
#include "postgres.h"

#include "commands/explain.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "utils/ruleutils.h"
#include "utils/tuplesort.h"

#include "pg/scan/custom_scan.h"
#include "pg/scan/ordered.h"

const char *
nts_explain_direction(bool descending, bool nulls_first)
{
	if (nulls_first == descending)
		return descending ? " DESC" : "";
	if (descending)
		return " DESC NULLS LAST";
	return " NULLS FIRST";
}

void
nts_explain_sort(struct Tuplesortstate *sort, ExplainState *es)
{
	TuplesortInstrumentation stats;
	const char *method;
	const char *space;

	tuplesort_get_stats(sort, &stats);
	method = tuplesort_method_name(stats.sortMethod);
	space = tuplesort_space_type_name(stats.spaceType);
	if (es->format == EXPLAIN_FORMAT_TEXT)
	{
		ExplainPropertyText("Sort Method", psprintf("%s  %s: " INT64_FORMAT "kB", method, space, (int64) stats.spaceUsed), es);
		return;
	}
	ExplainPropertyText("Sort Method", method, es);
	ExplainPropertyInteger("Sort Space Used", "kB", stats.spaceUsed, es);
	ExplainPropertyText("Sort Space Type", space, es);
}

static void
show_filters(CustomScanState *node, List *ancestors, ExplainState *es)
{
	CustomScan *plan = (CustomScan *) node->ss.ps.plan;
	List	   *context;
	bool		prefix = list_length(es->rtable) > 1 || es->verbose;
	char	   *text;

	if (plan->custom_exprs == NIL)
		return;
	context = set_deparse_context_plan(es->deparse_cxt, (Plan *) plan, ancestors);
	text = deparse_expression((Node *) make_ands_explicit(plan->custom_exprs), context, prefix, false);
	ExplainPropertyText("Vector Filter", text, es);
}

static void
show_columns(NtsScanState *state, ExplainState *es)
{
	TupleDesc	desc = RelationGetDescr(state->css.ss.ss_currentRelation);
	List	   *names = NIL;

	for (int i = 0; i < state->column_count; i++)
		names = lappend(names, NameStr(TupleDescAttr(desc, state->columns[i])->attname));
	if (names != NIL)
		ExplainPropertyList("Columns", names, es);
}

void
nts_scan_explain(CustomScanState *node, List *ancestors, ExplainState *es)
{
	NtsScanState *state = (NtsScanState *) node;
	const NtsScanCounts *c = &state->counts;

	show_filters(node, ancestors, es);
	if (es->verbose)
		show_columns(state, es);
	if (state->order_by != NULL)
		nts_order_explain(state->order_by, es);
	if (!es->analyze)
		return;
	ExplainPropertyUInteger("Segments", NULL, c->segments, es);
	if (c->segments_pruned > 0 || es->format != EXPLAIN_FORMAT_TEXT)
		ExplainPropertyUInteger("Segments Pruned", NULL, c->segments_pruned, es);
	/* which are entered more than once in an order */
	if (state->order_by == NULL)
	{
		ExplainPropertyUInteger("Row Groups", NULL, c->groups, es);
		ExplainPropertyUInteger("Row Groups Pruned", NULL, c->groups_pruned, es);
	}
	ExplainPropertyUInteger("Vectors", NULL, c->vectors, es);
	ExplainPropertyUInteger("Vectors Pruned", NULL, c->vectors_pruned, es);
	ExplainPropertyUInteger("Vectors Decoded", NULL, c->decoded.vectors, es);
	ExplainPropertyUInteger("Bytes Decoded", NULL, c->decoded.bytes, es);
	if (state->chooser != NULL || es->format != EXPLAIN_FORMAT_TEXT)
	{
		ExplainPropertyUInteger("Row Groups Skipped", NULL, c->groups_skipped, es);
		ExplainPropertyUInteger("Vectors Skipped", NULL, c->vectors_skipped, es);
	}
	if (c->last_rows > 0 || es->format != EXPLAIN_FORMAT_TEXT)
		ExplainPropertyUInteger("Series by Last Row", NULL, c->last_rows, es);
	ExplainPropertyUInteger("L0 Pages", NULL, c->pages, es);
	if (c->rows_filtered > 0 || es->format != EXPLAIN_FORMAT_TEXT)
		ExplainPropertyUInteger("Rows Removed by Vector Filter", NULL, c->rows_filtered, es);
}
