-- nodedb_ts 0.0.1 to 0.0.2. Complain if the script is sourced in psql.
\echo Use "ALTER EXTENSION nodedb_ts UPDATE" to load this file. \quit

CREATE FUNCTION @extschema@.ts_flush()
RETURNS bigint
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_flush';
COMMENT ON FUNCTION @extschema@.ts_flush() IS
'ts_flush for all tables of the database that the caller owns';

-- what maintenance does and has done
CREATE FUNCTION @extschema@.ts_activity(
    OUT relation regclass, OUT flushes bigint, OUT compactions bigint, OUT retentions bigint,
    OUT admission_flushes bigint, OUT segments_in bigint, OUT segments_out bigint, OUT rows bigint,
    OUT rejected bigint, OUT evictions bigint, OUT last_flush timestamptz, OUT last_compaction timestamptz,
    OUT last_retention timestamptz, OUT last_admission_flush timestamptz, OUT last_error_time timestamptz,
    OUT last_error_command text, OUT last_error text)
RETURNS SETOF record
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_activity';
COMMENT ON FUNCTION @extschema@.ts_activity() IS
'what maintenance has done since the server''s start, for each table that the caller may read';
CREATE VIEW nodedb_ts.activity AS
SELECT * FROM @extschema@.ts_activity();
GRANT SELECT ON nodedb_ts.activity TO PUBLIC;

CREATE FUNCTION @extschema@.ts_progress(
    OUT pid integer, OUT relation regclass, OUT command text, OUT phase text, OUT done bigint, OUT total bigint)
RETURNS SETOF record
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_progress';
COMMENT ON FUNCTION @extschema@.ts_progress() IS
'maintenance that is running now';
CREATE VIEW nodedb_ts.progress AS
SELECT * FROM @extschema@.ts_progress();
GRANT SELECT ON nodedb_ts.progress TO PUBLIC;

-- the worker
CREATE FUNCTION @extschema@.ts_start_worker()
RETURNS boolean
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_start_worker';
COMMENT ON FUNCTION @extschema@.ts_start_worker() IS
'starts the worker that maintains the tables of this database; false: there is one';
CREATE FUNCTION @extschema@.ts_stop_worker()
RETURNS boolean
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_stop_worker';
COMMENT ON FUNCTION @extschema@.ts_stop_worker() IS
'stops the worker of this database until ts_start_worker() or the next start of the server; false: there was none';

