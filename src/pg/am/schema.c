/*
 * schema.c - from a row type to the core's schema.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "pg/am/am.h"
#include "pg/am/options.h"

static uint8
align_bytes(char align)
{
	switch (align)
	{
		case TYPALIGN_CHAR:
			return 1;
		case TYPALIGN_SHORT:
			return 2;
		case TYPALIGN_INT:
			return 4;
		default:
			return 8;
	}
}

/* Labels name things; metrics measure them. */
static bool
is_label(Oid type, Form_pg_attribute att)
{
	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
		case CHAROID:
		case BOOLOID:
		case UUIDOID:
		case INETOID:
		case CIDROID:
		case MACADDROID:
		case MACADDR8OID:
			return true;
		default:
			return att->attlen == 4 && type_is_enum(type);
	}
}

void
nts_schema_columns(TupleDesc desc, NtsColumn *columns)
{
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		NtsColumn  *column = &columns[i];
		Oid			type;

		memset(column, 0, sizeof(NtsColumn));
		column->align = 1;
		if (att->attisdropped)
			continue;			/* NTS_KIND_NONE */
		/* none of the types that PostgreSQL's catalogs begin with is a domain: a lookup for each column would cost small queries dear */
		type = att->atttypid < FirstGenbkiObjectId ? att->atttypid : getBaseType(att->atttypid);
		column->align = align_bytes(att->attalign);
		if (att->attlen == -1)
		{
			column->kind = NTS_KIND_VAR;
			/* the decoded value starts with a length word */
			column->align = Max(column->align, 4);
		}
		else if (!att->attbyval)
		{
			if (att->attlen <= 0)
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("column \"%s\" of type %s cannot be stored by nodedb_ts",
								NameStr(att->attname), format_type_be(att->atttypid))));
			column->kind = NTS_KIND_FIXED;
			column->width = att->attlen;
		}
		else
		{
			column->kind = type == FLOAT8OID ? NTS_KIND_FLOAT8 :
				type == FLOAT4OID ? NTS_KIND_FLOAT4 : NTS_KIND_INT;
			column->width = att->attlen;
		}
		if (is_label(type, att))
			column->flags |= NTS_COLUMN_LABEL;
	}
}

void
nts_schema_build(Relation rel, const NtsColumn *columns, NtsSchema *schema)
{
	NtsOptions	options;

	nts_options_get(rel, &options);
	schema->columns = columns;
	schema->column_count = RelationGetDescr(rel)->natts;
	schema->time_column = options.time_column - 1;
	schema->bucket_width = options.bucket;
}

bool
nts_schema_series(Relation rel, NtsSeries *series)
{
	NtsOptions	options;

	nts_options_get(rel, &options);
	memset(series, 0, sizeof(NtsSeries));
	if (!options.has_series)
		return false;
	series->is_set = true;
	series->count = options.series_count;
	for (int i = 0; i < options.series_count; i++)
		series->columns[i] = options.series[i] - 1;
	return true;
}
