/*
 * option_text.h - a table's own options as text: what its label says, and what each text means for the
 * columns of the table.
 */
#ifndef NTS_AM_OPTION_TEXT_H
#define NTS_AM_OPTION_TEXT_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

#include "pg/am/options.h"

typedef enum NtsOptionId
{
	NTS_OPTION_TIME_COLUMN,		/* first: the others depend on it */
	NTS_OPTION_SERIES_COLUMNS,
	NTS_OPTION_BUCKET,
	NTS_OPTION_RETENTION,
	NTS_OPTION_FLUSH_INTERVAL,
	NTS_OPTION_COMPACT_INTERVAL,
	NTS_OPTION_COMPRESSION_LEVEL,
	NTS_OPTION_NOW_FUNCTION,
	NTS_OPTION_COUNT
} NtsOptionId;

/* The options that are set; NULL: not set. Columns and functions as SQL identifiers. */
typedef struct NtsOptionSet
{
	char	   *text[NTS_OPTION_COUNT];
} NtsOptionSet;

/* Why a text is not accepted; sqlstate 0: it is. */
typedef struct NtsOptionProblem
{
	int			sqlstate;
	char	   *detail;
	bool		of_table;		/* with other types of columns, or functions, it would be */
} NtsOptionProblem;

extern const char *nts_option_name(NtsOptionId id);
/* The option of that name; NTS_OPTION_COUNT: there is none. */
extern NtsOptionId nts_option_by_name(const char *name);
/* All names, for messages. */
extern char *nts_option_names(void);

/*
 * Reads a label. problem: set to the first problem, then false is returned; NULL: unknown options are
 * passed over, and what follows a syntax error is not read.
 */
extern bool nts_option_set_parse(const char *label, NtsOptionSet *set, NtsOptionProblem *problem);
/* The label of the set; NULL when nothing is set. */
extern char *nts_option_set_format(const NtsOptionSet *set);

/*
 * Reads the text of one option for a table of these columns into the members of *options that belong to
 * it. The time column of *options is known, unless it is what is read. *problem is always set; when it
 * is one, *options is as before. Never raises.
 */
extern void nts_option_parse(NtsOptionId id, const char *text, TupleDesc desc, NtsOptions *options,
							 NtsOptionProblem *problem);
/* The text to store, after nts_option_parse has accepted it. */
extern char *nts_option_canonical(NtsOptionId id, const char *text, TupleDesc desc,
								  const NtsOptions *options);

extern bool nts_option_is_time_type(Oid type);
extern bool nts_option_is_integer_type(Oid type);
/* SQL identifiers, joined by commas. */
extern char *nts_option_columns_text(List *names);
/* The names that a text of columns has; false: its syntax is wrong. */
extern bool nts_option_columns_parse(const char *text, List **names);
/* The qualified name of a function. */
extern char *nts_option_function_text(Oid function);
/* The same for one that a user has named, by search_path if need be; unchanged when there is none. */
extern char *nts_option_qualify_function(const char *text);
extern char *nts_option_interval_text(const Interval *interval);

#endif							/* NTS_AM_OPTION_TEXT_H */
