-- nodedb_ts 0.0.1 to 0.0.2. Complain if the script is sourced in psql.
\echo Use "ALTER EXTENSION nodedb_ts UPDATE" to load this file. \quit

CREATE FUNCTION @extschema@.ts_flush()
RETURNS bigint
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_flush';
COMMENT ON FUNCTION @extschema@.ts_flush() IS
'ts_flush for all tables of the database that the caller owns';


-- compaction
CREATE FUNCTION @extschema@.ts_compact("table" regclass, before timestamptz DEFAULT NULL, max_groups integer DEFAULT NULL)
RETURNS TABLE (relation regclass, segments_in bigint, segments_out bigint, rows bigint, bytes_before bigint, bytes_after bigint)
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_compact';
COMMENT ON FUNCTION @extschema@.ts_compact(regclass, timestamptz, integer) IS
'merges the segments of buckets that end at or before the time (default: now) into few small ones; one row for each table where something was merged';

CREATE FUNCTION @extschema@.ts_compact("table" regclass, before bigint, max_groups integer DEFAULT NULL)
RETURNS TABLE (relation regclass, segments_in bigint, segments_out bigint, rows bigint, bytes_before bigint, bytes_after bigint)
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_compact_integer';
COMMENT ON FUNCTION @extschema@.ts_compact(regclass, bigint, integer) IS
'ts_compact for tables whose time column is an integer';

CREATE FUNCTION @extschema@.ts_compact()
RETURNS TABLE (relation regclass, segments_in bigint, segments_out bigint, rows bigint, bytes_before bigint, bytes_after bigint)
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_compact_all';
COMMENT ON FUNCTION @extschema@.ts_compact() IS
'ts_compact for all tables of the database that the caller owns';
