/*
 * filter_build.c - which expressions can be filters.
 *
 * Taken are comparisons that cannot fail: what a filter looks at are also rows that another condition would have left
 * out before, and values of rows that no snapshot sees any more (of the own transaction's later commands).
 */
#include "postgres.h"

#include "access/nbtree.h"
#include "access/stratnum.h"
#include "access/transam.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type_d.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "pg/scan/filter.h"
#include "pg/scan/filter_bucket.h"

/* Does the expression depend on the relation's row? */
static bool
mentions_walker(Node *node, void *relid)
{
	if (node == NULL)
		return false;
	if (IsA(node, Var))
		return ((Var *) node)->varno == (int) *(Index *) relid && ((Var *) node)->varlevelsup == 0;
	if (IsA(node, PlaceHolderVar))
		return true;
	return expression_tree_walker(node, mentions_walker, relid);
}

/* Constant during a scan of the relation? */
static bool
is_constant(Node *node, Index relid)
{
	return !mentions_walker(node, &relid) && !contain_volatile_functions(node) && !contain_subplans(node);
}

/* The relation's column that an expression is, with or without a relabelling; or NULL. */
static Var *
column_of(Node *node, Index relid)
{
	Var		   *var;

	while (node != NULL && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	if (node == NULL || !IsA(node, Var))
		return NULL;
	var = (Var *) node;
	if (var->varno != (int) relid || var->varlevelsup != 0 || var->varattno <= 0)
		return NULL;
	return var;
}

AttrNumber
nts_filter_column(Node *node, Index relid)
{
	Var		   *var = column_of(node, relid);

	return var == NULL ? 0 : var->varattno;
}

static NtsFilter *
make_filter(NtsFilterKind kind, const Var *column)
{
	NtsFilter  *filter = palloc0(sizeof(NtsFilter));

	filter->kind = kind;
	filter->column = column == NULL ? -1 : column->varattno - 1;
	return filter;
}

static void
set_constant(NtsFilter *filter, Expr *expression, Oid type, PlanState *parent)
{
	filter->expression = expression;
	filter->type = type;
	if (parent != NULL)
		filter->constant = ExecInitExpr(expression, parent);
}

static bool
is_int_type(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

static bool
is_float_type(Oid type)
{
	return type == FLOAT4OID || type == FLOAT8OID;
}

int32
nts_filter_word_order(Oid type)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case BOOLOID:
		case DATEOID:
		case TIMEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return NTS_ORDER_INT;
		case FLOAT4OID:
			return NTS_ORDER_FLOAT4;
		case FLOAT8OID:
			return NTS_ORDER_FLOAT8;
		default:
			return 0;
	}
}

/* Types by value that are equal when their words are, though these have another order; of money that is the same, too. */
static bool
is_word_equality_type(Oid type)
{
	switch (type)
	{
		case CASHOID:
		case CHAROID:
		case OIDOID:
		case PG_LSNOID:
			return true;
		default:
			return type_is_enum(type);
	}
}

static int32
order_of_words(Oid type)
{
	int32		order = nts_filter_word_order(type);

	return order != 0 ? order : NTS_ORDER_INT;
}

/* What a column is compared as: its type, or that of its domain; InvalidOid: as something else. */
static Oid
compared_type(Node *left, const Var *var)
{
	Oid			type = var->vartype;

	if (!IsA(left, Var) && nts_filter_word_order(type) == 0)
		type = getBaseType(type);
	return exprType(left) == type && (IsA(left, Var) || type != var->vartype) ? type : InvalidOid;
}

/* The NtsCompare of a btree operator between a column's type and another one whose words compare alike; 0: none. */
static int32
comparison(Oid operator, Oid type, Oid other)
{
	static const int32 by_strategy[] = {0, NTS_COMPARE_LT, NTS_COMPARE_LE, NTS_COMPARE_EQ, NTS_COMPARE_GE, NTS_COMPARE_GT};
	bool		has_order = nts_filter_word_order(type) != 0;
	Oid			family;
	int			strategy;
	Oid			left;
	Oid			right;
	bool		negated = false;

	if (!OidIsValid(type) || (!has_order && (other != type || !is_word_equality_type(type))))
		return 0;
	family = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	if (!op_in_opfamily(operator, family))
	{
		operator = get_negator(operator);
		if (!OidIsValid(operator) || !op_in_opfamily(operator, family))
			return 0;
		negated = true;
	}
	get_op_opfamily_properties(operator, family, false, &strategy, &left, &right);
	if (strategy != BTEqualStrategyNumber && (negated || (!has_order && type != CASHOID)))
		return 0;
	if (left == ANYENUMOID && right == ANYENUMOID)
		left = right = type;
	if (left != type || right != other)
		return 0;
	if (left != right && !(is_int_type(left) && is_int_type(right)) && !(is_float_type(left) && is_float_type(right)))
		return 0;
	return negated ? NTS_COMPARE_NE : by_strategy[strategy];
}

/* Is equality of text that of its bytes? */
static bool
is_text_equality(Oid operator, Oid collation)
{
	return operator == TextEqualOperator && OidIsValid(collation) && get_collation_isdeterministic(collation);
}

/* LIKE refuses a pattern that ends with an escape character, when it comes that far. */
static bool
is_sound_pattern(Node *pattern)
{
	Const	   *value = (Const *) pattern;
	char	   *characters;
	int			length;
	int			escapes = 0;

	if (!IsA(pattern, Const) || value->consttype != TEXTOID)
		return false;
	if (value->constisnull)
		return true;
	characters = TextDatumGetCString(value->constvalue);
	length = strlen(characters);
	while (escapes < length && characters[length - 1 - escapes] == '\\')
		escapes++;
	return escapes % 2 == 0;
}

/*
 * An integer column that is cast to numeric or a float, as in `n > 90.5`; or NULL. The casts never fail, and keep the order
 * (floats: equal ones may be of different integers).
 */
static Var *
cast_column_of(Node *node, Index relid)
{
	const FuncExpr *call = (FuncExpr *) node;
	Var		   *var;

	if (!IsA(node, FuncExpr))
		return NULL;
	switch (call->funcid)
	{
		case F_NUMERIC_INT2:
		case F_NUMERIC_INT4:
		case F_NUMERIC_INT8:
		case F_FLOAT8_INT2:
		case F_FLOAT8_INT4:
		case F_FLOAT8_INT8:
		case F_FLOAT4_INT2:
		case F_FLOAT4_INT4:
		case F_FLOAT4_INT8:
			var = column_of(linitial(call->args), relid);
			return var != NULL && IsA(linitial(call->args), Var) ? var : NULL;
		default:
			return NULL;
	}
}

static FmgrInfo *
look_up_function(Oid function)
{
	FmgrInfo   *info = palloc(sizeof(FmgrInfo));

	fmgr_info(function, info);
	return info;
}

/* A comparison whose words are searched for with the functions of PostgreSQL. */
typedef struct Threshold
{
	const Var  *var;
	Oid			cast;			/* function, or InvalidOid */
	Oid			type;			/* of the column or what it is cast to */
	Node	   *constant;
} Threshold;

static NtsFilter *
make_threshold_filter(const Threshold *threshold, int strategy, PlanState *parent)
{
	Oid			type = exprType(threshold->constant);
	Oid			family = lookup_type_cache(threshold->type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	NtsFilter  *filter = make_filter(NTS_FILTER_COMPARE, threshold->var);

	filter->order = NTS_ORDER_INT;
	/* the word is found with the constant; so is whether there is one */
	filter->begins = strategy == BTGreaterStrategyNumber || strategy == BTGreaterEqualStrategyNumber;
	filter->compare = filter->begins ? NTS_COMPARE_GE : NTS_COMPARE_LT;
	if (parent != NULL && OidIsValid(threshold->cast))
		filter->cast = look_up_function(threshold->cast);
	if (parent != NULL)
		filter->comparer = look_up_function(get_opcode(get_opfamily_member(family, threshold->type, type, strategy)));
	filter->width = get_typlen(threshold->var->vartype);
	set_constant(filter, (Expr *) threshold->constant, type, parent);
	return filter;
}

static NtsFilter *
build_threshold(const Threshold *threshold, Oid operator, PlanState *parent)
{
	Oid			type = exprType(threshold->constant);
	Oid			family = lookup_type_cache(threshold->type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	Oid			equal = get_opfamily_member(family, threshold->type, type, BTEqualStrategyNumber);
	int			strategy = get_op_opfamily_strategy(operator, family);
	NtsFilter  *filter;

	if (!OidIsValid(equal))
		return NULL;
	if (operator != equal && operator != get_negator(equal))
		return strategy == 0 ? NULL : make_threshold_filter(threshold, strategy, parent);
	/* equal are those that are neither less nor greater */
	filter = make_filter(operator == equal ? NTS_FILTER_AND : NTS_FILTER_OR, NULL);
	filter->count = 2;
	filter->args = palloc(sizeof(NtsFilter *) * 2);
	filter->args[0] = make_threshold_filter(threshold, operator == equal ? BTGreaterEqualStrategyNumber : BTGreaterStrategyNumber,
											parent);
	filter->args[1] = make_threshold_filter(threshold, operator == equal ? BTLessEqualStrategyNumber : BTLessStrategyNumber,
											parent);
	return filter;
}

/* A cast integer and a constant. */
static NtsFilter *
build_cast_comparison(Node *left, Node *right, Oid operator, Index relid, PlanState *parent)
{
	const FuncExpr *cast = (FuncExpr *) left;
	Threshold	threshold = {.var = cast_column_of(left, relid), .constant = right};

	if (threshold.var == NULL || !is_constant(right, relid) || exprType(right) != cast->funcresulttype)
		return NULL;
	threshold.cast = cast->funcid;
	threshold.type = cast->funcresulttype;
	return build_threshold(&threshold, operator, parent);
}

/*
 * A time and a constant of another type, which PostgreSQL converts to the column's, perhaps by the session's time zone. (The other
 * way round order may be lost: local times go back in autumn.)
 */
static NtsFilter *
build_time_comparison(const Var *var, Node *right, Oid operator, PlanState *parent)
{
	Threshold	threshold = {.var = var, .type = var->vartype, .constant = right};
	Oid			type = exprType(right);

	if (!(var->vartype == TIMESTAMPTZOID && (type == DATEOID || type == TIMESTAMPOID)) &&
		!(var->vartype == TIMESTAMPOID && type == DATEOID))
		return NULL;
	return build_threshold(&threshold, operator, parent);
}

static NtsFilter *
build_comparison(OpExpr *clause, Index relid, PlanState *parent)
{
	Node	   *left;
	Node	   *right;
	Oid			operator = clause->opno;
	Var		   *var;
	NtsFilter  *filter;
	int32		compare;

	if (list_length(clause->args) != 2 || clause->opretset)
		return NULL;
	left = linitial(clause->args);
	right = lsecond(clause->args);
	if (column_of(left, relid) == NULL && cast_column_of(left, relid) == NULL)
	{
		Node	   *swapped = left;

		left = right;
		right = swapped;
		operator = get_commutator(operator);
		if (!OidIsValid(operator))
			return NULL;
	}
	var = column_of(left, relid);
	if (var == NULL)
		return build_cast_comparison(left, right, operator, relid, parent);
	if (!is_constant(right, relid))
		return NULL;
	if (is_text_equality(operator, clause->inputcollid))
	{
		filter = make_filter(NTS_FILTER_BYTES, var);
		set_constant(filter, (Expr *) right, TEXTOID, parent);
		return filter;
	}
	compare = comparison(operator, compared_type(left, var), exprType(right));
	if (compare == 0)
		return IsA(left, Var) ? build_time_comparison(var, right, operator, parent) : NULL;
	filter = make_filter(NTS_FILTER_COMPARE, var);
	filter->order = order_of_words(exprType(left));
	filter->compare = compare;
	set_constant(filter, (Expr *) right, exprType(right), parent);
	return filter;
}

/* Of a cast that gives each integer a value of its own, the one back; or InvalidOid. */
static Oid
cast_back_of(Oid cast)
{
	switch (cast)
	{
		case F_NUMERIC_INT2:
			return F_INT2_NUMERIC;
		case F_NUMERIC_INT4:
			return F_INT4_NUMERIC;
		case F_NUMERIC_INT8:
			return F_INT8_NUMERIC;
		case F_FLOAT8_INT2:
			return F_INT2_FLOAT8;
		case F_FLOAT8_INT4:
			return F_INT4_FLOAT8;
		case F_FLOAT4_INT2:
			return F_INT2_FLOAT4;
		default:
			return InvalidOid;
	}
}

/* A cast integer equal to one of some constants, as in `n IN (1.5, 2)`: those that an integer equals are its words. */
static NtsFilter *
build_cast_array_comparison(ScalarArrayOpExpr *clause, Index relid, PlanState *parent)
{
	const FuncExpr *cast = linitial(clause->args);
	Node	   *right = lsecond(clause->args);
	Var		   *var = cast_column_of((Node *) cast, relid);
	Oid			family;
	Oid			type;
	NtsFilter  *filter;

	if (var == NULL || !clause->useOr || !is_constant(right, relid) || !OidIsValid(cast_back_of(cast->funcid)))
		return NULL;
	type = cast->funcresulttype;
	family = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY)->btree_opf;
	if (get_element_type(exprType(right)) != type ||
		clause->opno != get_opfamily_member(family, type, type, BTEqualStrategyNumber))
		return NULL;
	filter = make_filter(NTS_FILTER_IN, var);
	filter->order = NTS_ORDER_INT;
	filter->width = get_typlen(var->vartype);
	if (parent != NULL)
	{
		filter->cast = look_up_function(cast->funcid);
		filter->cast_back = look_up_function(cast_back_of(cast->funcid));
		filter->comparer = look_up_function(get_opfamily_proc(family, type, type, BTORDER_PROC));
	}
	set_constant(filter, (Expr *) right, type, parent);
	return filter;
}

static NtsFilter *
build_array_comparison(ScalarArrayOpExpr *clause, Index relid, PlanState *parent)
{
	Node	   *left = linitial(clause->args);
	Node	   *right = lsecond(clause->args);
	Var		   *var = column_of(left, relid);
	Oid			element = get_element_type(exprType(right));
	NtsFilter  *filter;

	if (var == NULL)
		return build_cast_array_comparison(clause, relid, parent);
	if (!OidIsValid(element) || !is_constant(right, relid))
		return NULL;
	if (clause->useOr && is_text_equality(clause->opno, clause->inputcollid))
	{
		filter = make_filter(NTS_FILTER_BYTES, var);
		set_constant(filter, (Expr *) right, element, parent);
		return filter;
	}
	if (!clause->useOr || comparison(clause->opno, compared_type(left, var), element) != NTS_COMPARE_EQ)
		return NULL;
	filter = make_filter(NTS_FILTER_IN, var);
	filter->order = order_of_words(exprType(left));
	set_constant(filter, (Expr *) right, element, parent);
	return filter;
}

/*
 * A bucket of a time or integer column, compared by an operator of PostgreSQL with a constant: ts::date = '2026-01-01',
 * extract(dow from ts) IN (0, 6). What the operator compares with the column's own value is a better filter.
 */
static NtsFilter *
build_bucket(Expr *clause, Oid operator, Node *left, Node *right, Index relid, PlanState *parent)
{
	NtsFilter  *filter;
	Var		   *var;

	if (column_of(left, relid) != NULL || !is_constant(right, relid) || get_opcode(operator) >= FirstNormalObjectId ||
		get_op_btree_interpretation(operator) == NIL)
		return NULL;
	var = nts_filter_bucket_column(left);
	if (var == NULL || column_of((Node *) var, relid) == NULL)
		return NULL;
	filter = make_filter(NTS_FILTER_BUCKET, var);
	filter->expression = clause;
	if (parent != NULL)
		filter->bucket = nts_filter_bucket_make(clause, (Expr *) left, (ScanState *) parent);
	return filter;
}

/* Functions that fail for no value of a column. Patterns must not come from one. */
static bool
cannot_fail(Oid function, Oid collation, List *args, Index relid)
{
	switch (function)
	{
		case F_TEXTLIKE:
		case F_TEXTNLIKE:
		case F_TEXTICLIKE:
		case F_TEXTICNLIKE:
			return is_sound_pattern(llast(args));
		case F_TEXTREGEXEQ:
		case F_TEXTREGEXNE:
		case F_TEXTICREGEXEQ:
		case F_TEXTICREGEXNE:
			return is_constant(llast(args), relid);
		case F_LOWER_TEXT:
		case F_UPPER_TEXT:
			return OidIsValid(collation);
		case F_BTRIM_TEXT:
		case F_LTRIM_TEXT:
		case F_RTRIM_TEXT:
		case F_LENGTH_TEXT:
		case F_CHAR_LENGTH_TEXT:
		case F_CHARACTER_LENGTH_TEXT:
		case F_OCTET_LENGTH_TEXT:
		case F_LEFT:
		case F_RIGHT:
		case F_STRPOS:
		case F_STARTS_WITH:
		case F_NUMERIC_EQ:
		case F_NUMERIC_NE:
		case F_NUMERIC_LT:
		case F_NUMERIC_LE:
		case F_NUMERIC_GT:
		case F_NUMERIC_GE:
			return true;
		default:
			return get_func_leakproof(function);
	}
}

typedef struct OneColumn
{
	Index		relid;
	Var		   *var;			/* or NULL: none was met */
} OneColumn;

/* Does an expression use more than one column of values by reference, functions that cannot fail, and constants? */
static bool
is_too_much(Node *node, OneColumn *one)
{
	if (node == NULL)
		return false;
	if (!mentions_walker(node, &one->relid))
		return !IsA(node, List) && !is_constant(node, one->relid);
	switch (nodeTag(node))
	{
		case T_Var:
			if (((Var *) node)->varattno <= 0 || get_typbyval(((Var *) node)->vartype) ||
				(one->var != NULL && one->var->varattno != ((Var *) node)->varattno))
				return true;
			one->var = (Var *) node;
			return false;
		case T_List:
		case T_RelabelType:
			break;
		case T_FuncExpr:
			{
				const FuncExpr *call = (FuncExpr *) node;

				if (call->funcretset || !cannot_fail(call->funcid, call->inputcollid, call->args, one->relid))
					return true;
				break;
			}
		case T_OpExpr:
			{
				const OpExpr *call = (OpExpr *) node;

				if (call->opretset || !cannot_fail(get_opcode(call->opno), call->inputcollid, call->args, one->relid))
					return true;
				break;
			}
		case T_ScalarArrayOpExpr:
			{
				const ScalarArrayOpExpr *call = (ScalarArrayOpExpr *) node;

				if (!cannot_fail(get_opcode(call->opno), call->inputcollid, call->args, one->relid))
					return true;
				break;
			}
		default:
			return true;
	}
	return expression_tree_walker(node, is_too_much, one);
}

/* The last resort: something about one column of values by reference, as lower(host) = 'a': once for each of them. */
static NtsFilter *
build_expression(Expr *clause, Index relid, PlanState *parent)
{
	OneColumn	one = {.relid = relid};
	NtsFilter  *filter;

	if (is_too_much((Node *) clause, &one) || one.var == NULL || contain_volatile_functions((Node *) clause))
		return NULL;
	filter = make_filter(NTS_FILTER_EXPRESSION, one.var);
	set_constant(filter, clause, BOOLOID, parent);
	return filter;
}

static NtsFilter *
build_operation(OpExpr *clause, Index relid, PlanState *parent)
{
	NtsFilter  *filter = build_comparison(clause, relid, parent);

	if (filter == NULL && list_length(clause->args) == 2 && !clause->opretset)
		filter = build_bucket((Expr *) clause, clause->opno, linitial(clause->args), lsecond(clause->args), relid, parent);
	if (filter == NULL && list_length(clause->args) == 2 && !clause->opretset)
		filter = build_bucket((Expr *) clause, clause->opno, lsecond(clause->args), linitial(clause->args), relid, parent);
	return filter != NULL ? filter : build_expression((Expr *) clause, relid, parent);
}

static NtsFilter *
build_array_operation(ScalarArrayOpExpr *clause, Index relid, PlanState *parent)
{
	NtsFilter  *filter = build_array_comparison(clause, relid, parent);

	/* <> ALL of no values is true of NULL, too */
	if (filter == NULL && clause->useOr)
		filter = build_bucket((Expr *) clause, clause->opno, linitial(clause->args), lsecond(clause->args), relid, parent);
	return filter != NULL ? filter : build_expression((Expr *) clause, relid, parent);
}

static NtsFilter *
build_list(BoolExpr *clause, Index relid, PlanState *parent)
{
	NtsFilter  *filter = make_filter(clause->boolop == AND_EXPR ? NTS_FILTER_AND : NTS_FILTER_OR, NULL);
	ListCell   *cell;

	filter->args = palloc(sizeof(NtsFilter *) * list_length(clause->args));
	foreach(cell, clause->args)
	{
		NtsFilter  *arg = nts_filter_build(lfirst(cell), relid, parent);

		if (arg == NULL)
			return NULL;
		filter->args[filter->count++] = arg;
	}
	return filter;
}

/* A boolean column by itself. */
static NtsFilter *
build_truth(Var *var, bool truth)
{
	NtsFilter  *filter;

	if (var == NULL || var->vartype != BOOLOID)
		return NULL;
	filter = make_filter(NTS_FILTER_COMPARE, var);
	filter->order = NTS_ORDER_INT;
	filter->compare = NTS_COMPARE_EQ;
	filter->type = BOOLOID;
	filter->word = truth ? 1 : 0;
	return filter;
}

NtsFilter *
nts_filter_build(Expr *clause, Index relid, PlanState *parent)
{
	switch (nodeTag(clause))
	{
		case T_OpExpr:
			return build_operation((OpExpr *) clause, relid, parent);
		case T_ScalarArrayOpExpr:
			return build_array_operation((ScalarArrayOpExpr *) clause, relid, parent);
		case T_NullTest:
			{
				NullTest   *test = (NullTest *) clause;
				Var		   *var = column_of((Node *) test->arg, relid);
				NtsFilter  *filter;

				if (var == NULL || test->argisrow)
					return NULL;
				filter = make_filter(NTS_FILTER_NULL, var);
				filter->is_null = test->nulltesttype == IS_NULL;
				return filter;
			}
		case T_Var:
			return build_truth(column_of((Node *) clause, relid), true);
		case T_FuncExpr:
			return build_expression(clause, relid, parent);
		case T_BoolExpr:
			if (((BoolExpr *) clause)->boolop == NOT_EXPR)
				return build_truth(column_of(linitial(((BoolExpr *) clause)->args), relid), false);
			return build_list((BoolExpr *) clause, relid, parent);
		default:
			return NULL;
	}
}
