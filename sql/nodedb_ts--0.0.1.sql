-- nodedb_ts 0.0.1. Complain if the script is sourced in psql.
\echo Use "CREATE EXTENSION nodedb_ts" to load this file. \quit

CREATE FUNCTION @extschema@.nodedb_ts_handler(internal)
RETURNS table_am_handler
LANGUAGE C STRICT
AS 'MODULE_PATHNAME', 'nodedb_ts_handler';

CREATE ACCESS METHOD nodedb_ts TYPE TABLE HANDLER @extschema@.nodedb_ts_handler;
COMMENT ON ACCESS METHOD nodedb_ts IS 'columnar table access method for time series';

-- before commands that open none of our tables: publications are checked, DROP EXTENSION tells the way back
CREATE FUNCTION @extschema@.nodedb_ts_ddl_start()
RETURNS event_trigger
LANGUAGE C
AS 'MODULE_PATHNAME', 'nodedb_ts_ddl_start';
CREATE EVENT TRIGGER nodedb_ts_ddl_start ON ddl_command_start
WHEN TAG IN ('CREATE PUBLICATION', 'ALTER PUBLICATION', 'DROP EXTENSION')
EXECUTE FUNCTION @extschema@.nodedb_ts_ddl_start();
COMMENT ON EVENT TRIGGER nodedb_ts_ddl_start IS
'checks publications and DROP EXTENSION for tables of the access method nodedb_ts';

CREATE FUNCTION @extschema@.ts_flush(relation regclass)
RETURNS bigint
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_flush';
COMMENT ON FUNCTION @extschema@.ts_flush(regclass) IS
'moves committed small batches (L0) of the table into sorted segments (L1); returns the segments written';

CREATE FUNCTION @extschema@.ts_segments(relation regclass,
    OUT segment bigint, OUT level integer, OUT rows bigint, OUT bytes bigint, OUT pages bigint,
    OUT series bigint, OUT row_groups integer, OUT min_time text, OUT max_time text)
RETURNS SETOF record
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'ts_segments';
COMMENT ON FUNCTION @extschema@.ts_segments(regclass) IS
'the segments of the table that the current snapshot sees';

CREATE FUNCTION @extschema@.ts_verify("table" regclass,
    OUT relation regclass, OUT block bigint, OUT what text, OUT detail text)
RETURNS SETOF record
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'ts_verify';
COMMENT ON FUNCTION @extschema@.ts_verify(regclass) IS
'checks the table and all it holds; one row for each problem';

-- schema of the extension's views
CREATE SCHEMA nodedb_ts;
GRANT USAGE ON SCHEMA nodedb_ts TO PUBLIC;

CREATE FUNCTION @extschema@.ts_memtable(
    OUT flushes bigint, OUT ingested bigint, OUT rejected bigint, OUT evictions bigint,
    OUT active_bytes bigint, OUT active_series bigint, OUT active_rows bigint,
    OUT has_frozen boolean)
RETURNS record
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'ts_memtable';
COMMENT ON FUNCTION @extschema@.ts_memtable() IS
'counters of this backend''s memtable manager';

CREATE VIEW nodedb_ts.memtable AS
SELECT * FROM @extschema@.ts_memtable();
GRANT SELECT ON nodedb_ts.memtable TO PUBLIC;
