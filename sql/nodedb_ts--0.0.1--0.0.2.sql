-- nodedb_ts 0.0.1 to 0.0.2. Complain if the script is sourced in psql.
\echo Use "ALTER EXTENSION nodedb_ts UPDATE" to load this file. \quit

CREATE FUNCTION @extschema@.ts_flush()
RETURNS bigint
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_flush';
COMMENT ON FUNCTION @extschema@.ts_flush() IS
'ts_flush for all tables of the database that the caller owns';

