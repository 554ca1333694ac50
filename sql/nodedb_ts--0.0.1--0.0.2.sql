-- nodedb_ts 0.0.1 to 0.0.2. Complain if the script is sourced in psql.
\echo Use "ALTER EXTENSION nodedb_ts UPDATE" to load this file. \quit

CREATE FUNCTION @extschema@.ts_flush()
RETURNS bigint
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_flush';
COMMENT ON FUNCTION @extschema@.ts_flush() IS
'ts_flush for all tables of the database that the caller owns';


-- retention
CREATE FUNCTION @extschema@.ts_enforce_retention()
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_enforce_retention';
COMMENT ON FUNCTION @extschema@.ts_enforce_retention() IS
'ts_enforce_retention for all tables with a retention that the caller owns';

CREATE FUNCTION @extschema@.ts_enforce_retention(relation regclass)
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_enforce_retention';
COMMENT ON FUNCTION @extschema@.ts_enforce_retention(regclass) IS
'removes the segments, and small batches'' rows, that are older than the table''s retention; returns the segments removed';

CREATE FUNCTION @extschema@.ts_enforce_retention(relation regclass, max_age interval,
    as_of timestamptz DEFAULT now())
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_enforce_retention_interval';
COMMENT ON FUNCTION @extschema@.ts_enforce_retention(regclass, interval, timestamptz) IS
'removes what is older than max_age at the time as_of; what is exactly as old stays';

CREATE FUNCTION @extschema@.ts_enforce_retention(relation regclass, max_age bigint,
    as_of bigint DEFAULT NULL)
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_enforce_retention_integer';
COMMENT ON FUNCTION @extschema@.ts_enforce_retention(regclass, bigint, bigint) IS
'the same for an integer time column; as_of NULL: what the table''s now_function says';

CREATE FUNCTION @extschema@.ts_enforce_retention(relation regclass, max_age text,
    as_of text DEFAULT NULL)
RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_enforce_retention_text';
COMMENT ON FUNCTION @extschema@.ts_enforce_retention(regclass, text, text) IS
'the same for literals of either kind';
