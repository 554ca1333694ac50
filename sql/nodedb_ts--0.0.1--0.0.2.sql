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

CREATE VIEW nodedb_ts.tables AS
SELECT c.oid::regclass AS relation, s.*
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_am a ON a.oid = c.relam AND a.amname = 'nodedb_ts'
CROSS JOIN LATERAL @extschema@.ts_table_stats(c.oid) s
WHERE c.relkind IN ('r', 'm')
  AND (pg_catalog.has_table_privilege(c.oid, 'SELECT')
       OR pg_catalog.pg_has_role(c.relowner, 'USAGE')
       OR pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'));
COMMENT ON VIEW nodedb_ts.tables IS
'the tables that use the access method: rows and bytes by tier';
GRANT SELECT ON nodedb_ts.tables TO PUBLIC;

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
