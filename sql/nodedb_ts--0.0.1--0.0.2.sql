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

-- what there is to see
DROP FUNCTION @extschema@.ts_segments(regclass);
CREATE FUNCTION @extschema@.ts_segments(relation regclass,
    OUT segment bigint, OUT level integer, OUT rows bigint, OUT bytes bigint, OUT pages bigint,
    OUT series bigint, OUT row_groups integer, OUT min_time text, OUT max_time text, OUT columns jsonb)
RETURNS SETOF record
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_segments';
COMMENT ON FUNCTION @extschema@.ts_segments(regclass) IS
'the segments of the table that the current snapshot sees; columns: codec and bytes of each';

CREATE FUNCTION @extschema@.ts_table_stats(relation regclass,
    OUT rows bigint, OUT l0_rows bigint, OUT l0_bytes bigint, OUT l1_segments bigint, OUT l1_bytes bigint,
    OUT l2_segments bigint, OUT l2_bytes bigint, OUT dead_bytes bigint, OUT free_bytes bigint,
    OUT total_bytes bigint, OUT compression_ratio float8, OUT oldest text, OUT newest text)
RETURNS record
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_table_stats';
COMMENT ON FUNCTION @extschema@.ts_table_stats(regclass) IS
'rows and bytes by tier, from the directory and L0; NULLs where the caller may not look or the table is locked';

-- what keeps VACUUM from freeing what was moved or removed
CREATE VIEW nodedb_ts.horizon AS
SELECT holder, name, xmin, pg_catalog.age(xmin) AS age
FROM (
  SELECT 'session' AS holder, pid::text AS name, backend_xmin AS xmin
  FROM pg_catalog.pg_stat_activity WHERE backend_xmin IS NOT NULL AND pid <> pg_catalog.pg_backend_pid()
    AND backend_type <> 'walsender'
  UNION ALL
  SELECT 'replication slot', slot_name::text, xmin FROM pg_catalog.pg_replication_slots WHERE xmin IS NOT NULL
  UNION ALL
  SELECT 'standby', coalesce(nullif(application_name, ''), pid::text), backend_xmin
  FROM pg_catalog.pg_stat_replication WHERE backend_xmin IS NOT NULL
  UNION ALL
  SELECT 'prepared transaction', gid, transaction FROM pg_catalog.pg_prepared_xacts
  WHERE database = pg_catalog.current_database()
) h
ORDER BY pg_catalog.age(xmin) DESC;
COMMENT ON VIEW nodedb_ts.horizon IS
'who may still read what was moved or removed; the oldest first';
GRANT SELECT ON nodedb_ts.horizon TO PUBLIC;

-- options: stored as a security label of the library's provider nodedb_ts
CREATE FUNCTION @extschema@.ts_set_options(relation regclass,
    time_column name DEFAULT '(unchanged)', series_columns name[] DEFAULT '{(unchanged)}',
    bucket interval DEFAULT '-1000000 years', retention interval DEFAULT '-1000000 years',
    flush_interval interval DEFAULT '-1000000 years', compact_interval interval DEFAULT '-1000000 years',
    compression_level integer DEFAULT -2147483648, now_function regproc DEFAULT 0,
    integer_bucket bigint DEFAULT -9223372036854775808, integer_retention bigint DEFAULT -9223372036854775808)
RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_set_options';
COMMENT ON FUNCTION @extschema@.ts_set_options(regclass, name, name[], interval, interval, interval, interval, integer, regproc, bigint, bigint) IS
'sets options of the table; omitted: unchanged, NULL: back to the default; returns what is set';

CREATE FUNCTION @extschema@.ts_options(relation regclass,
    OUT time_column name, OUT series_columns name[], OUT bucket interval, OUT retention interval,
    OUT flush_interval interval, OUT compact_interval interval, OUT compression_level integer,
    OUT now_function regproc, OUT integer_bucket bigint, OUT integer_retention bigint)
RETURNS record
LANGUAGE C STRICT STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'ts_options';
COMMENT ON FUNCTION @extschema@.ts_options(regclass) IS
'the options of the table, those of the partitioned tables above it and defaults included';

-- before commands that can carry options, and before SECURITY LABEL, which needs the library loaded
CREATE FUNCTION @extschema@.nodedb_ts_options_start()
RETURNS event_trigger
LANGUAGE C
AS 'MODULE_PATHNAME', 'nodedb_ts_options_start';
CREATE EVENT TRIGGER nodedb_ts_options_start ON ddl_command_start
WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'CREATE MATERIALIZED VIEW', 'CREATE SCHEMA', 'ALTER TABLE',
    'ALTER MATERIALIZED VIEW', 'SECURITY LABEL', 'DROP EXTENSION')
EXECUTE FUNCTION @extschema@.nodedb_ts_options_start();
COMMENT ON EVENT TRIGGER nodedb_ts_options_start IS
'takes options of nodedb_ts out of CREATE and ALTER TABLE, and loads the library before SECURITY LABEL';

-- behind ts_options
CREATE VIEW nodedb_ts.tables AS
SELECT c.oid::regclass AS relation, s.*, o.*
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_am a ON a.oid = c.relam AND a.amname = 'nodedb_ts'
CROSS JOIN LATERAL @extschema@.ts_table_stats(c.oid) s
CROSS JOIN LATERAL @extschema@.ts_options(c.oid) o
WHERE c.relkind IN ('r', 'm')
  AND (pg_catalog.has_table_privilege(c.oid, 'SELECT')
       OR pg_catalog.pg_has_role(c.relowner, 'USAGE')
       OR pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'));
COMMENT ON VIEW nodedb_ts.tables IS
'the tables that use the access method: rows and bytes by tier, options';
GRANT SELECT ON nodedb_ts.tables TO PUBLIC;

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

CREATE FUNCTION @extschema@.ts_compact("table" regclass, before text, max_groups integer DEFAULT NULL)
RETURNS TABLE (relation regclass, segments_in bigint, segments_out bigint, rows bigint, bytes_before bigint, bytes_after bigint)
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_compact_text';
COMMENT ON FUNCTION @extschema@.ts_compact(regclass, text, integer) IS
'ts_compact with a literal of either kind';

CREATE FUNCTION @extschema@.ts_compact()
RETURNS TABLE (relation regclass, segments_in bigint, segments_out bigint, rows bigint, bytes_before bigint, bytes_after bigint)
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_compact_all';
COMMENT ON FUNCTION @extschema@.ts_compact() IS
'ts_compact for all tables of the database that the caller owns';

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

