-- nodedb_ts 0.0.1 to 0.0.2. Complain if the script is sourced in psql.
\echo Use "ALTER EXTENSION nodedb_ts UPDATE" to load this file. \quit

CREATE FUNCTION @extschema@.ts_flush()
RETURNS bigint
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'ts_flush';
COMMENT ON FUNCTION @extschema@.ts_flush() IS
'ts_flush for all tables of the database that the caller owns';

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
