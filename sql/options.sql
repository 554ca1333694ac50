-- Table options: ts_set_options, WITH and SET, labels, what inherits them, what DDL makes of them.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS options CASCADE;
DROP SCHEMA IF EXISTS options2 CASCADE;
DROP ROLE IF EXISTS regress_options_owner;
DROP ROLE IF EXISTS regress_options_other;
RESET client_min_messages;
CREATE SCHEMA options;
SET search_path = options, public;
SET intervalstyle = postgres;
SET datestyle = iso;
SET timezone = UTC;
\set SHOW_CONTEXT never
\pset null '-'
-- what tables have themselves; what it comes to
CREATE VIEW labels AS SELECT objoid::regclass::text AS name, label FROM pg_seclabel WHERE provider = 'nodedb_ts' ORDER BY 1;
CREATE FUNCTION label(regclass) RETURNS text LANGUAGE sql AS
  $$ SELECT label FROM pg_seclabel WHERE provider = 'nodedb_ts' AND objoid = $1 AND classoid = 'pg_class'::regclass $$;
CREATE FUNCTION short(regclass) RETURNS text LANGUAGE sql AS
  $$ SELECT concat_ws(' ', time_column, series_columns, bucket, integer_bucket, retention, integer_retention, flush_interval,
       compact_interval, compression_level, now_function) FROM ts_options($1) $$;
-- sqlstate and text of an error
CREATE FUNCTION fails(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE d text;
BEGIN
  EXECUTE statement;
  RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL;
  RETURN sqlstate || ' ' || sqlerrm || ': ' || d;
END $$;
\set VERBOSITY terse

-- ---- defaults, and each option
CREATE TABLE m (ts timestamptz NOT NULL, host text, region text, v float8) USING nodedb_ts;
SELECT * FROM ts_options('m') \gx
SELECT label('m');
SELECT ts_set_options('m', retention => '30 days', series_columns => '{host,region}', bucket => '6 hours');
SELECT * FROM ts_options('m') \gx
SELECT ts_set_options('m', flush_interval => '5 s', compact_interval => '90 min', compression_level => 9);
SELECT ts_set_options('m', time_column => 'ts');
-- nothing given: unchanged; NULL: back to the default
SELECT ts_set_options('m');
SELECT ts_set_options('m', retention => NULL, series_columns => NULL, time_column => NULL);
SELECT ts_set_options('m', 'ts', ARRAY['region'], '12 hours', '1 year 2 mons 3 days', '1 min', '2 min', 3);
SELECT ts_set_options('m', 'ts', ARRAY['region'::name], '12 hours', NULL, NULL, '2 min', 3);
SELECT ts_set_options('m', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) IS NULL AS nothing_set;
SELECT label('m');
-- no series columns: one series
SELECT ts_set_options('m', series_columns => '{}');
SELECT short('m');
SELECT ts_set_options('m', series_columns => NULL, bucket => '1 day');
-- however it is called
PREPARE set_retention AS SELECT ts_set_options('m', retention => $1, compression_level => 5);
EXECUTE set_retention('10 days');
EXECUTE set_retention(NULL);
DEALLOCATE set_retention;
DO $$
DECLARE age interval := '4 days'; nothing interval; said text;
BEGIN
  FOR i IN 1..7 LOOP
    said := ts_set_options('m', retention => age);
    PERFORM ts_set_options('m', bucket => nothing, compression_level => i);
  END LOOP;
  RAISE WARNING '%', label('m');
  EXECUTE 'SELECT ts_set_options($1, retention => $2, compression_level => $3)' INTO said USING 'm'::regclass, nothing, NULL::int;
  RAISE WARNING '%', said IS NULL;
END $$;
CREATE VIEW setter AS SELECT ts_set_options('m', compression_level => 7) AS a, ts_set_options('m', flush_interval => NULL) AS b;
SELECT * FROM setter;
SELECT pg_get_viewdef('setter');
DROP VIEW setter;
SET intervalstyle = sql_standard;
SELECT ts_set_options('m', retention => '3 days 4:05:06.5');
SET intervalstyle = iso_8601;
SELECT short('m');
SELECT ts_set_options('m', retention => 'P2DT5H');
ALTER TABLE m SET (nodedb_ts.bucket = 'PT90M');
SET intervalstyle = postgres;
SELECT short('m');
SELECT ts_set_options('m', retention => NULL, bucket => NULL, compression_level => NULL) IS NULL AS nothing_set;

-- ---- errors
SELECT fails($$ SELECT ts_set_options('m', time_column => 'nope') $$);
SELECT fails($$ SELECT ts_set_options('m', time_column => 'host') $$);
SELECT fails($$ SELECT ts_set_options('m', time_column => '') $$);
SELECT fails($$ SELECT ts_set_options('m', time_column => 'xmin') $$);
SELECT fails($$ SELECT ts_set_options('m', series_columns => '{host,nope}') $$);
SELECT fails($$ SELECT ts_set_options('m', series_columns => '{host,region,host}') $$);
SELECT fails($$ SELECT ts_set_options('m', series_columns => '{ts}') $$);
SELECT fails($$ SELECT ts_set_options('m', series_columns => '{ctid}') $$);
SELECT fails($$ SELECT ts_set_options('m', series_columns => '{host,NULL}') $$);
SELECT fails($$ SELECT ts_set_options('m', series_columns => array_agg('c' || i)) FROM generate_series(1, 17) i $$);
SELECT fails($$ SELECT ts_set_options('m', bucket => '1 month') $$);
SELECT fails($$ SELECT ts_set_options('m', bucket => '0') $$);
SELECT fails($$ SELECT ts_set_options('m', bucket => '-1 h') $$);
SELECT fails($$ SELECT ts_set_options('m', bucket => '2000000000 days') $$);
SELECT fails($$ SELECT ts_set_options('m', retention => '0 s') $$);
SELECT fails($$ SELECT ts_set_options('m', retention => '1 month -40 days') $$);
SELECT fails($$ SELECT ts_set_options('m', integer_retention => 100) $$);
SELECT fails($$ SELECT ts_set_options('m', bucket => '1 h', integer_bucket => 100) $$);
SELECT fails($$ SELECT ts_set_options('m', flush_interval => '999 ms') $$);
SELECT fails($$ SELECT ts_set_options('m', compact_interval => '1000 years') $$);
SELECT fails($$ SELECT ts_set_options('m', compression_level => 0) $$);
SELECT fails($$ SELECT ts_set_options('m', compression_level => 23) $$);
SELECT fails($$ SELECT ts_set_options('m', now_function => 'pg_catalog.now') $$);
SELECT fails($$ SELECT ts_set_options(NULL) $$);
SELECT fails($$ SELECT ts_set_options(4294967295::oid::regclass) $$);
SELECT fails($$ SELECT ts_set_options('pg_class', compression_level => 1) $$);
CREATE TABLE h (ts timestamptz, host text);
CREATE VIEW hv AS SELECT * FROM h;
SELECT fails($$ SELECT ts_set_options('h', compression_level => 1) $$);
SELECT fails($$ SELECT ts_set_options('hv', compression_level => 1) $$);
SELECT fails($$ SELECT * FROM ts_options('h') $$);
SELECT * FROM ts_options(4294967295::oid::regclass);
BEGIN READ ONLY;
SELECT ts_set_options('m', compression_level => 1);
ROLLBACK;
SELECT label('m');

-- ---- integer time, date, domains
CREATE TABLE n (t bigint, small smallint, k text) USING nodedb_ts;
SELECT ts_set_options('n', integer_bucket => 3600, integer_retention => 86400);
SELECT fails($$ SELECT ts_set_options('n', bucket => '1 h') $$);
SELECT fails($$ SELECT ts_set_options('n', retention => '1 h') $$);
SELECT fails($$ SELECT ts_set_options('n', integer_bucket => 0) $$);
SELECT fails($$ SELECT ts_set_options('n', integer_retention => -5) $$);
CREATE FUNCTION ticks() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT 1000000::bigint';
CREATE FUNCTION loose() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT 1::bigint';
CREATE FUNCTION words() RETURNS text LANGUAGE sql STABLE AS $$ SELECT 'x' $$;
CREATE FUNCTION "Odd Name"() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 7';
SELECT ts_set_options('n', now_function => 'ticks');
SELECT fails($$ SELECT ts_set_options('n', now_function => 'loose') $$);
SELECT fails($$ SELECT ts_set_options('n', now_function => 'words') $$);
SELECT fails($$ SELECT ts_set_options('n', now_function => 'abs(int)'::regprocedure) $$);
ALTER TABLE n SET (nodedb_ts.now_function = '"Odd Name"');
SELECT short('n');
ALTER TABLE n SET (nodedb_ts.now_function = 'options.ticks');
SELECT label('n');
SELECT fails($$ ALTER TABLE n SET (nodedb_ts.now_function = nothing) $$);
-- a function that goes counts as not set, one that comes back is there again
DROP FUNCTION ticks();
SELECT short('n');
CREATE FUNCTION ticks() RETURNS int LANGUAGE sql STABLE AS 'SELECT 5';
SELECT short('n');
-- the time column decides what the others may be
ALTER TABLE n ADD COLUMN d date;
SELECT short('n');
SELECT fails($$ SELECT ts_set_options('n', time_column => 'd') $$);
SELECT ts_set_options('n', time_column => 'd', bucket => '2 days', retention => '1 year', now_function => NULL);
SELECT fails($$ SELECT ts_set_options('n', bucket => '36 hours') $$);
SELECT short('n');
SELECT ts_set_options('n', time_column => 'small', integer_bucket => 10, retention => NULL);
SELECT fails($$ SELECT ts_set_options('n', series_columns => '{small}') $$);
SELECT ts_set_options('n', time_column => 't', series_columns => '{small}');
SELECT fails($$ SELECT ts_set_options('n', time_column => 'small') $$);
CREATE DOMAIN moment AS timestamp CHECK (VALUE > '2000-01-01');
CREATE TABLE dom (id int, at moment) USING nodedb_ts WITH (nodedb_ts.time_column = at, nodedb_ts.bucket = '3 h');
SELECT short('dom');
CREATE TABLE timeless (a int, b text) USING nodedb_ts;
SELECT fails($$ SELECT ts_set_options('timeless', bucket => '1 h') $$);
SELECT fails($$ SELECT ts_set_options('timeless', retention => '1 h') $$);
SELECT ts_set_options('timeless', series_columns => '{b}');

-- ---- rows are stored by them
CREATE TABLE r (ts timestamptz, d date, n smallint, host text, v int) USING nodedb_ts;
INSERT INTO r SELECT '2024-01-01'::timestamptz + i * interval '1 min', '2024-01-01'::date + i % 9, i % 100, 'h' || i % 10, i % 3 FROM generate_series(0, 19999) i;
SELECT ts_set_options('r', series_columns => '{v}');
INSERT INTO r SELECT '2024-03-01'::timestamptz + i * interval '1 min', '2024-01-01'::date + i % 9, i % 100, 'h' || i % 10, i % 3 FROM generate_series(0, 19999) i;
SELECT ts_set_options('r', series_columns => '{n,v}', bucket => '400 days');
INSERT INTO r SELECT '2024-05-01'::timestamptz + i * interval '1 min', '2024-01-01'::date + i % 9, i % 100, 'h' || i % 10, i % 3 FROM generate_series(0, 19999) i;
SELECT ts_set_options('r', series_columns => '{}');
INSERT INTO r SELECT '2024-07-01'::timestamptz + i * interval '1 min', '2024-01-01'::date + i % 9, i % 100, 'h' || i % 10, i % 3 FROM generate_series(0, 19999) i;
SELECT series, count(*) AS segments, sum(rows) AS rows, min(min_time) FROM ts_segments('r') GROUP BY 1 ORDER BY 4;
-- within a transaction, too; and by ts_flush
TRUNCATE r;
BEGIN;
SELECT ts_set_options('r', series_columns => '{host}', time_column => 'd', bucket => '3 days');
INSERT INTO r SELECT '2024-01-01'::timestamptz + i * interval '1 min', '2024-01-01'::date + i % 9, i % 100, 'h' || i % 10, i % 3 FROM generate_series(0, 29999) i;
SELECT ts_set_options('r', series_columns => '{v}', time_column => 'n', bucket => NULL, integer_bucket => 50);
INSERT INTO r SELECT '2024-01-01'::timestamptz + i * interval '1 min', '2024-01-01'::date + i % 9, i % 100 - 50, 'h' || i % 10, i % 3 FROM generate_series(0, 29999) i;
COMMIT;
SELECT series, rows, min_time, max_time FROM ts_segments('r') ORDER BY segment;
TRUNCATE r;
INSERT INTO r VALUES ('2024-01-01', '2024-01-01', 1, 'h', 1);
INSERT INTO r VALUES ('2024-01-01', '2024-01-01', -4, 'h', 2);
SELECT ts_set_options('r', time_column => NULL, series_columns => '{v,host}', bucket => NULL);
INSERT INTO r VALUES ('2024-01-02', '2023-01-01', -7, 'g', 3), ('2024-01-02', '2023-01-01', -7, 'g', 4);
SELECT ts_set_options('r', time_column => 'd');
INSERT INTO r VALUES ('2024-01-02', '2022-01-01', -9, 'g', 5);
SELECT * FROM ts_verify('r');
-- the page's bounds hold all times that rows have had
SELECT ts_set_options('r', time_column => 'n');
SELECT * FROM ts_verify('r');
SELECT ts_set_options('r', time_column => 'd');
VACUUM FULL r;
SELECT * FROM ts_verify('r');
SELECT ts_flush('r');
SELECT series, rows, min_time, max_time FROM ts_segments('r') ORDER BY segment;
SELECT count(*), sum(n) FROM r;
SELECT * FROM ts_verify('r');

-- ---- WITH, SET, RESET
CREATE TABLE w (ts timestamptz NOT NULL, host text, "Odd, ""Name" int) USING nodedb_ts
  WITH (nodedb_ts.retention = '30 days', fillfactor = 70, nodedb_ts.series_columns = 'host,"Odd, ""Name"', nodedb_ts.compression_level = 4);
SELECT label('w'), reloptions FROM pg_class WHERE oid = 'w'::regclass;
SELECT series_columns FROM ts_options('w');
ALTER TABLE w SET (nodedb_ts.bucket = '6 hours', nodedb_ts.flush_interval = '1 min'), RESET (nodedb_ts.compression_level, fillfactor);
SELECT label('w'), reloptions FROM pg_class WHERE oid = 'w'::regclass;
ALTER TABLE w SET (nodedb_ts.retention = '1 day'), ADD COLUMN extra int, SET (nodedb_ts.retention = '2 days');
ALTER TABLE w SET (nodedb_ts.retention = '2 days', nodedb_ts.series_columns = host), ADD COLUMN extra int;
SELECT label('w');
ALTER TABLE w RESET (nodedb_ts.retention), RESET (nodedb_ts.bucket, nodedb_ts.flush_interval, nodedb_ts.series_columns);
SELECT label('w');
SELECT fails($$ ALTER TABLE w SET (nodedb_ts.retenion = '1 day') $$);
SELECT fails($$ ALTER TABLE w SET (nodedb_ts.retention = '1 day', nodedb_ts.retention = '2 days') $$);
SELECT fails($$ ALTER TABLE w SET (nodedb_ts.retention) $$);
SELECT fails($$ ALTER TABLE w RESET (nodedb_ts.retention = '1 day') $$);
SELECT fails($$ ALTER TABLE w SET (nodedb_ts.retention = 30) $$);
SELECT fails($$ ALTER TABLE w SET (nodedb_ts.retention = 'soon') $$);
SELECT fails($$ ALTER TABLE w SET (nodedb_ts.compression_level = high) $$);
SELECT fails($$ ALTER TABLE w SET (nodedb_ts.time_column = 'ts,host') $$);
SELECT fails($$ ALTER TABLE w SET (nodedb_ts.series_columns = 'host,,ts') $$);
SELECT fails($$ ALTER TABLE w SET (nodedb_t.retention = '1 day') $$);
SELECT fails($$ ALTER TABLE h SET (nodedb_ts.retention = '1 day') $$);
SELECT fails($$ ALTER TABLE hv SET (nodedb_ts.retention = '1 day') $$);
SELECT fails($$ ALTER TABLE nix SET (nodedb_ts.retention = '1 day') $$);
SELECT fails($$ CREATE TABLE x (ts timestamptz) WITH (nodedb_ts.retention = '1 day') $$);
SELECT fails($$ CREATE TABLE x (ts timestamptz) USING nodedb_ts WITH (nodedb_ts.retenion = '1 day') $$);
SELECT fails($$ CREATE TABLE x (ts timestamptz) USING nodedb_ts WITH (nodedb_ts.series_columns = host) $$);
SELECT fails($$ CREATE TABLE x (ts date) USING nodedb_ts WITH (nodedb_ts.bucket = '5 hours') $$);
ALTER TABLE IF EXISTS nix SET (nodedb_ts.retention = '1 day');
ALTER TABLE h RESET (nodedb_ts.retention);
SELECT to_regclass('x');
-- IF NOT EXISTS changes nothing
CREATE TABLE IF NOT EXISTS w (ts timestamptz) USING nodedb_ts WITH (nodedb_ts.retention = '1 day');
SELECT label('w');
DROP TABLE w;
CREATE TABLE w (ts timestamptz) USING nodedb_ts;
SELECT label('w');
CREATE TABLE IF NOT EXISTS w2 (ts timestamptz) USING nodedb_ts WITH (nodedb_ts.retention = '1 day');
SELECT label('w2');
-- a name is not enough: another schema, another try
CREATE SCHEMA options2;
CREATE TABLE options2.w (ts timestamptz) USING nodedb_ts WITH (nodedb_ts.retention = '7 days');
CREATE TEMP TABLE w (ts timestamptz) USING nodedb_ts WITH (nodedb_ts.retention = '8 days');
CREATE TABLE pg_temp.w3 (ts timestamptz) USING nodedb_ts WITH (nodedb_ts.retention = '9 days');
SELECT label('options.w'), label('options2.w'), label('pg_temp.w'), label('w3');
DROP TABLE pg_temp.w, pg_temp.w3, options2.w;
BEGIN;
SAVEPOINT s;
CREATE TABLE x (ts timestamptz, bad nonsense) USING nodedb_ts WITH (nodedb_ts.retention = '1 day');
ROLLBACK TO s;
CREATE TABLE x (ts timestamptz) USING nodedb_ts;
SELECT label('x');
SAVEPOINT s;
DROP TABLE x;
CREATE TABLE x (ts timestamptz) USING nodedb_ts WITH (nodedb_ts.retention = '3 days');
SELECT label('x'), short('x');
ROLLBACK TO s;
SELECT label('x'), short('x');
ALTER TABLE x SET (nodedb_ts.retention = '4 days');
SELECT label('x'), short('x');
ROLLBACK;
-- CREATE SCHEMA with tables
CREATE SCHEMA options2b
  CREATE TABLE a (ts timestamptz) USING nodedb_ts WITH (nodedb_ts.retention = '1 day')
  CREATE TABLE b (ts timestamptz)
  CREATE TABLE options2b.c (ts date) USING nodedb_ts WITH (nodedb_ts.bucket = '4 days');
SELECT * FROM labels WHERE name LIKE 'options2b%';
DROP SCHEMA options2b CASCADE;
-- functions whose statements are planned once; event triggers that create tables in between
CREATE FUNCTION make() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..4 LOOP
    DROP TABLE IF EXISTS made;
    CREATE TABLE made (ts timestamptz) USING nodedb_ts WITH (nodedb_ts.retention = '5 days', fillfactor = 50);
    IF label('made') IS DISTINCT FROM $x$retention='5 days'$x$ THEN RAISE WARNING 'lost: %', label('made'); END IF;
    ALTER TABLE made SET (nodedb_ts.retention = '6 days');
    IF label('made') IS DISTINCT FROM $x$retention='6 days'$x$ THEN RAISE WARNING 'lost: %', label('made'); END IF;
    ALTER TABLE made RESET (nodedb_ts.retention);
    IF label('made') IS NOT NULL THEN RAISE WARNING 'kept: %', label('made'); END IF;
  END LOOP;
END $$;
SET client_min_messages = warning;
SELECT make();
SELECT make();
RESET client_min_messages;
CREATE FUNCTION log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('options.busy', true) IS DISTINCT FROM 'yes' AND to_regclass('options.log_of_ddl') IS NULL THEN
    PERFORM set_config('options.busy', 'yes', true);
    CREATE TABLE options.log_of_ddl (ts timestamptz) USING nodedb_ts WITH (nodedb_ts.retention = '99 days');
  END IF;
END $$;
CREATE EVENT TRIGGER zz_options_log ON ddl_command_start WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION log_ddl();
CREATE TABLE nested (ts timestamptz) USING nodedb_ts WITH (nodedb_ts.retention = '3 days');
SELECT label('nested'), label('log_of_ddl');
DROP EVENT TRIGGER zz_options_log;
CREATE EVENT TRIGGER aa_options_log ON ddl_command_start WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION log_ddl();
DROP TABLE nested, log_of_ddl;
CREATE TABLE nested (ts timestamptz) USING nodedb_ts WITH (nodedb_ts.retention = '3 days');
SELECT label('nested'), label('log_of_ddl');
DROP EVENT TRIGGER aa_options_log;
DROP TABLE nested, log_of_ddl;
-- CREATE TABLE AS, materialized views: the first rows are stored by the options
CREATE TABLE ctas USING nodedb_ts WITH (nodedb_ts.series_columns = 'k', nodedb_ts.bucket = '1000 days') AS
  SELECT '2024-01-01'::timestamptz + i * interval '1 min' AS ts, i % 5 AS k, i % 3 AS l FROM generate_series(1, 20000) i;
SELECT label('ctas'), (SELECT string_agg(series::text, ',') FROM ts_segments('ctas'));
CREATE TABLE IF NOT EXISTS ctas USING nodedb_ts WITH (nodedb_ts.retention = '1 day') AS SELECT 1;
SELECT label('ctas');
PREPARE source AS SELECT ts, k FROM ctas;
CREATE TABLE cte USING nodedb_ts WITH (nodedb_ts.retention = '2 days') AS EXECUTE source WITH NO DATA;
SELECT label('cte');
CREATE MATERIALIZED VIEW mv USING nodedb_ts WITH (nodedb_ts.series_columns = 'l') AS SELECT * FROM ctas;
SELECT label('mv'), (SELECT string_agg(series::text, ',') FROM ts_segments('mv'));
ALTER MATERIALIZED VIEW mv SET (nodedb_ts.series_columns = 'k', nodedb_ts.bucket = '100 days');
REFRESH MATERIALIZED VIEW mv;
SELECT label('mv'), (SELECT string_agg(series::text, ',') FROM ts_segments('mv'));
ALTER MATERIALIZED VIEW mv RENAME COLUMN k TO kk;
ALTER MATERIALIZED VIEW mv RESET (nodedb_ts.bucket);
SELECT label('mv');
SELECT fails($$ CREATE TABLE x WITH (nodedb_ts.retention = '1 day') AS SELECT now() AS ts $$);
-- a rewrite sorts by them
ALTER TABLE ctas SET (nodedb_ts.series_columns = 'l');
ALTER TABLE ctas ADD COLUMN rnd float8 DEFAULT random();
SELECT (SELECT string_agg(series::text, ',') FROM ts_segments('ctas'));

-- ---- LIKE
CREATE TABLE src (ts timestamptz, host text, v int) USING nodedb_ts
  WITH (nodedb_ts.retention = '30 days', nodedb_ts.series_columns = 'host', nodedb_ts.time_column = 'ts');
CREATE TABLE like_all (LIKE src INCLUDING ALL) USING nodedb_ts;
CREATE TABLE like_storage (more int, LIKE src INCLUDING STORAGE) USING nodedb_ts WITH (nodedb_ts.retention = '1 day');
CREATE TABLE like_plain (LIKE src) USING nodedb_ts;
CREATE TABLE like_not (LIKE src INCLUDING ALL EXCLUDING STORAGE) USING nodedb_ts;
CREATE TABLE like_heap (LIKE src INCLUDING ALL) USING heap;
CREATE TABLE like_parted (LIKE src INCLUDING ALL) PARTITION BY RANGE (ts);
CREATE TABLE like_of_heap (LIKE h INCLUDING ALL) USING nodedb_ts;
SELECT * FROM labels WHERE name LIKE 'like%';

-- ---- partitions
CREATE TABLE p (ts timestamptz NOT NULL, host text, k int, n bigint) PARTITION BY RANGE (ts) WITH (nodedb_ts.retention = '10 days');
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2024-02-01') PARTITION BY LIST (k);
CREATE TABLE p1a PARTITION OF p1 FOR VALUES IN (1) USING nodedb_ts WITH (nodedb_ts.bucket = '2 h');
CREATE TABLE p1b PARTITION OF p1 FOR VALUES IN (2) USING heap;
CREATE TABLE p2 (n bigint, gone int, k int, host text, ts timestamptz NOT NULL) USING nodedb_ts WITH (nodedb_ts.retention = '3 days');
ALTER TABLE p2 DROP COLUMN gone;
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
SELECT t, short(t) FROM unnest('{p,p1,p1a,p2}'::regclass[]) t;
SELECT ts_set_options('p', series_columns => '{host,k}', compression_level => 3);
SELECT t, short(t) FROM unnest('{p,p1,p1a,p2}'::regclass[]) t;
ALTER TABLE p1 SET (nodedb_ts.retention = '5 days', nodedb_ts.compression_level = 4);
SELECT t, short(t) FROM unnest('{p,p1,p1a,p2}'::regclass[]) t;
-- below a parent that names its time column
SELECT ts_set_options('p', time_column => 'n', retention => NULL, integer_bucket => 100);
SELECT t, short(t) FROM unnest('{p,p1,p1a,p2}'::regclass[]) t;
CREATE TABLE p3 PARTITION OF p FOR VALUES FROM ('2024-03-01') TO ('2024-04-01') USING nodedb_ts WITH (nodedb_ts.retention = 500);
SELECT fails($$ CREATE TABLE p4 PARTITION OF p FOR VALUES FROM ('2024-04-01') TO ('2024-05-01') USING nodedb_ts WITH (nodedb_ts.retention = '1 day') $$);
SELECT short('p3');
-- a partition's own rename is refused; the tree's keeps all of them
ALTER TABLE p1a RENAME COLUMN host TO nope;
ALTER TABLE p RENAME COLUMN host TO "Host";
ALTER TABLE p RENAME COLUMN n TO tick;
SELECT t, short(t) FROM unnest('{p,p1,p1a,p2,p3}'::regclass[]) t;
ALTER TABLE p DROP COLUMN "Host";
ALTER TABLE p DROP COLUMN tick;
SELECT t, short(t) FROM unnest('{p,p2,p3}'::regclass[]) t;
ALTER TABLE p DETACH PARTITION p1;
SELECT t, short(t) FROM unnest('{p1,p1a}'::regclass[]) t;
ALTER TABLE p1 RESET (nodedb_ts.retention);
SELECT t, short(t) FROM unnest('{p1,p1a}'::regclass[]) t;
ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
SELECT t, short(t) FROM unnest('{p,p1,p1a,p2,p3}'::regclass[]) t;

-- ---- columns come and go
CREATE TABLE c (ts timestamptz, host text, region text, other timestamptz, v int) USING nodedb_ts;
SELECT ts_set_options('c', time_column => 'other', series_columns => '{region,host}', retention => '1 day', bucket => '1 h');
ALTER TABLE c RENAME other TO "Other, Time";
ALTER TABLE c RENAME region TO r;
SELECT label('c'), short('c');
BEGIN;
ALTER TABLE c RENAME r TO rr;
SELECT label('c'), short('c');
ROLLBACK;
SELECT label('c'), short('c');
ALTER TABLE c RENAME TO c2;
ALTER TABLE c2 SET SCHEMA options2;
SELECT label('options2.c2'), short('options2.c2');
ALTER TABLE options2.c2 SET SCHEMA options;
ALTER TABLE c2 RENAME TO c;
ALTER TABLE c DROP COLUMN r;
SELECT label('c'), short('c');
ALTER TABLE c ALTER "Other, Time" TYPE timestamp;
SELECT label('c');
-- retention and bucket do not fall to another column
BEGIN;
ALTER TABLE c DROP COLUMN "Other, Time";
SELECT label('c'), short('c');
ROLLBACK;
BEGIN;
ALTER TABLE c ALTER "Other, Time" TYPE text;
SELECT label('c'), short('c');
ROLLBACK;
ALTER TABLE c ALTER "Other, Time" TYPE bigint USING 1;
SELECT label('c'), short('c');
ALTER TABLE c DROP COLUMN host;
SELECT label('c'), short('c');
-- an integer time column that was found by its name stays
CREATE TABLE c3 (a int, "time" bigint, s text) USING nodedb_ts WITH (nodedb_ts.bucket = 60, nodedb_ts.series_columns = a);
ALTER TABLE c3 RENAME "time" TO tick;
SELECT label('c3'), short('c3');
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE c4 (ts timestamptz, m mood, n mood) USING nodedb_ts WITH (nodedb_ts.series_columns = 'm,n', nodedb_ts.retention = '1 day');
DROP TYPE mood CASCADE;
SELECT label('c4'), short('c4');
DROP TABLE c4;
SELECT count(*) FROM pg_seclabel l WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = objoid);

-- ---- another access method and back
CREATE TABLE am (ts timestamptz, host text) USING nodedb_ts WITH (nodedb_ts.retention = '1 day', nodedb_ts.series_columns = host);
INSERT INTO am SELECT '2024-01-01'::timestamptz + i * interval '1 s', 'h' || i % 6 FROM generate_series(1, 10000) i;
ALTER TABLE am SET ACCESS METHOD heap;
SELECT label('am'), fails($$ ALTER TABLE am SET (nodedb_ts.retention = '2 days') $$);
ALTER TABLE am RENAME host TO name;
ALTER TABLE am SET ACCESS METHOD nodedb_ts, SET (nodedb_ts.retention = '2 days');
SELECT label('am'), short('am'), (SELECT string_agg(series::text, ',') FROM ts_segments('am'));
ALTER TABLE am SET ACCESS METHOD heap;
ALTER TABLE am RESET (nodedb_ts.retention);
SELECT label('am');

-- ---- labels as pg_dump writes them
SECURITY LABEL FOR nodedb_ts ON TABLE m IS 'retention=''30 days'', series_columns=''host'',
  bucket = ''6 hours''';
SELECT label('m'), short('m');
SECURITY LABEL FOR nodedb_ts ON TABLE m IS NULL;
SELECT label('m'), short('m');
SECURITY LABEL FOR nodedb_ts ON MATERIALIZED VIEW mv IS 'series_columns=''l''';
SECURITY LABEL FOR nodedb_ts ON TABLE am IS 'retention=''1 day'', series_columns=''not_looked_at''';
SELECT fails($$ SECURITY LABEL FOR nodedb_ts ON TABLE m IS 'junk' $$);
SELECT fails($$ SECURITY LABEL FOR nodedb_ts ON TABLE m IS 'bucket=''1 h' $$);
SELECT fails($$ SECURITY LABEL FOR nodedb_ts ON TABLE m IS 'bucket=''1 h'' retention=''1 d''' $$);
SELECT fails($$ SECURITY LABEL FOR nodedb_ts ON TABLE m IS 'bucket=''1 h'', bucket=''2 h''' $$);
SELECT fails($$ SECURITY LABEL FOR nodedb_ts ON TABLE m IS 'buckets=''1 h''' $$);
SELECT fails($$ SECURITY LABEL FOR nodedb_ts ON TABLE m IS 'bucket=''1 month''' $$);
SELECT fails($$ SECURITY LABEL FOR nodedb_ts ON TABLE m IS 'series_columns=''nope''' $$);
SELECT fails($$ SECURITY LABEL FOR nodedb_ts ON VIEW hv IS 'bucket=''1 h''' $$);
SELECT fails($$ SECURITY LABEL FOR nodedb_ts ON COLUMN m.v IS 'bucket=''1 h''' $$);
SELECT fails($$ SECURITY LABEL FOR nodedb_ts ON SCHEMA options IS 'bucket=''1 h''' $$);
-- what the types of columns make wrong is only warned of
SECURITY LABEL FOR nodedb_ts ON TABLE m IS 'bucket=''3600'', compression_level=''2'', time_column=''host'', now_function=''a.b''';
SELECT label('m'), short('m');
-- whatever stands there, nothing fails
UPDATE pg_seclabel SET label = 'bucket=''6 h'', future=''x'', junk' WHERE objoid = 'm'::regclass AND provider = 'nodedb_ts';
SELECT short('src');
ALTER TABLE m SET (autovacuum_enabled = off);
SELECT short('m');
INSERT INTO m VALUES ('2024-01-01', 'h', 'r', 1);
SELECT count(*) FROM m;
SELECT ts_set_options('m', compression_level => 1);

-- ---- who may
CREATE ROLE regress_options_owner;
CREATE ROLE regress_options_other;
GRANT USAGE, CREATE ON SCHEMA options TO regress_options_owner, regress_options_other;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA options TO PUBLIC;
SET ROLE regress_options_owner;
CREATE TABLE mine (t bigint, host text) USING nodedb_ts WITH (nodedb_ts.retention = '100');
SELECT ts_set_options('mine', series_columns => '{host}');
RESET ROLE;
CREATE FUNCTION secret() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT 1::bigint';
REVOKE EXECUTE ON FUNCTION secret() FROM PUBLIC;
SET ROLE regress_options_owner;
SELECT fails($$ SELECT ts_set_options('mine', now_function => 'secret') $$);
SELECT fails($$ ALTER TABLE m SET (nodedb_ts.retention = '1 day') $$);
SET ROLE regress_options_other;
SELECT fails($$ SELECT ts_set_options('mine', retention => '1 day') $$);
SELECT fails($$ ALTER TABLE mine SET (nodedb_ts.retention = '1 day') $$);
SELECT fails($$ SECURITY LABEL FOR nodedb_ts ON TABLE mine IS NULL $$);
SELECT fails($$ SELECT * FROM mine $$);
SELECT * FROM ts_options('mine');
CREATE TABLE theirs (ts timestamptz) USING nodedb_ts WITH (nodedb_ts.retention = '1 day');
SELECT label('theirs');
RESET ROLE;

-- ---- for views
SELECT c.relname, o.retention, o.integer_retention FROM pg_class c JOIN pg_am a ON a.oid = c.relam, LATERAL ts_options(c.oid) o
 WHERE a.amname = 'nodedb_ts' AND relnamespace = 'options'::regnamespace AND (o.retention IS NOT NULL OR o.integer_retention IS NOT NULL) ORDER BY 1;
SELECT v.* FROM pg_class c JOIN pg_am a ON a.oid = c.relam, LATERAL ts_verify(c.oid) v
 WHERE a.amname = 'nodedb_ts' AND relnamespace = 'options'::regnamespace;

-- ---- without the extension no label stays behind
BEGIN;
SET client_min_messages = error;
DROP EXTENSION nodedb_ts CASCADE;
SELECT count(*) FROM pg_seclabel WHERE provider = 'nodedb_ts';
ROLLBACK;
SELECT count(*) > 5 AS still_there FROM pg_seclabel WHERE provider = 'nodedb_ts';
\set VERBOSITY default
SET client_min_messages = error;
DROP SCHEMA options CASCADE;
DROP SCHEMA options2 CASCADE;
DROP ROLE regress_options_owner;
DROP ROLE regress_options_other;
