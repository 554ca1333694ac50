-- Conditions on buckets of a time or an integer: vectors are judged by them. Compared with heap.
SET timezone = 'UTC';
SET jit = off;
CREATE SCHEMA buckets;
SET search_path = buckets, public;
CREATE TABLE t_heap (ts timestamptz, lt timestamp, host text, n int, s smallint, l bigint, d date);
CREATE TABLE t_ts (LIKE t_heap) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host', nodedb_ts.time_column = 'ts');
INSERT INTO t_heap
  SELECT '2010-10-01'::timestamptz + i * interval '17 minutes 3 seconds',
         CASE i % 41 WHEN 0 THEN NULL WHEN 1 THEN 'infinity' WHEN 2 THEN '-infinity' WHEN 3 THEN '0044-03-15 BC'
                     ELSE '1969-12-25'::timestamp + i * interval '7 minutes' END,
         'h' || i % 7, i % 2003 - 1000, i % 301 - 150, (i % 11 - 5) * 1000000007::bigint, '2010-01-01'::date + i % 700
    FROM generate_series(1, 9000) i;
INSERT INTO t_ts SELECT * FROM t_heap WHERE ts < '2010-12-15';
SELECT ts_flush('t_ts') >= 0 AS flushed;
SELECT count(*) >= 0 AS compacted FROM ts_compact('t_ts', before => 'infinity');
INSERT INTO t_ts SELECT * FROM t_heap WHERE ts >= '2010-12-15' AND ts < '2011-01-05';
SELECT ts_flush('t_ts') >= 0 AS flushed;
INSERT INTO t_ts SELECT * FROM t_heap WHERE ts >= '2011-01-05';
ANALYZE t_heap, t_ts;

EXPLAIN (COSTS OFF) SELECT count(*) FROM t_ts WHERE ts::date = '2010-11-07';
EXPLAIN (COSTS OFF) SELECT n FROM t_ts WHERE extract(dow FROM ts) IN (0, 6) AND date_trunc('month', lt) <= '1970-01-01';
EXPLAIN (COSTS OFF) SELECT n FROM t_ts WHERE '2010-11-07 05:00' = date_bin('1 hour', ts, '2000-01-01') OR n / 10 = 5;
-- not: what is no bucket alone, what may fail or changes, operators of others
EXPLAIN (COSTS OFF) SELECT n FROM t_ts WHERE 1 / extract(hour FROM ts) > 0;
EXPLAIN (COSTS OFF) SELECT n FROM t_ts WHERE n / s = 5 AND ts::date = CASE WHEN random() < 2 THEN date '2010-11-07' END;
EXPLAIN (COSTS OFF) SELECT n FROM t_ts WHERE to_char(date_trunc('day', ts), 'YYYY') ~ '2010';

-- vectors and segments are left out
CREATE FUNCTION decoded_share(query text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE plan json; node json;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || query INTO plan;
  node := plan->0->'Plan'->'Plans'->0;
  -- without a row group there is none
  RETURN coalesce(round(1 - ((node->>'Vectors Pruned')::numeric + (node->>'Vectors Skipped')::numeric) / nullif((node->>'Vectors')::numeric, 0), 1), 0);
END $$;
CREATE TABLE long_ts (ts timestamptz NOT NULL, n int) USING nodedb_ts;
INSERT INTO long_ts SELECT '2026-01-01'::timestamptz + i * interval '10 seconds', i FROM generate_series(0, 60000) i;
SELECT ts_flush('long_ts') >= 0 AS flushed;
ANALYZE long_ts;
SELECT decoded_share('SELECT count(n) FROM long_ts WHERE ts::date = ''2026-01-03'''),
       decoded_share('SELECT sum(n) FROM long_ts WHERE date_trunc(''hour'', ts) = ''2026-01-03 04:00'''),
       decoded_share('SELECT sum(n) FROM long_ts WHERE extract(month FROM ts) = 1'),
       decoded_share('SELECT sum(n) FROM long_ts WHERE n / 10000 = 3');
SELECT count(*), min(ts), max(ts) FROM long_ts WHERE ts::date = '2026-01-03';
-- also where each holds several buckets: by the order of buckets
TRUNCATE long_ts;
INSERT INTO long_ts SELECT '2024-01-01'::timestamptz + i * interval '15 minutes', i FROM generate_series(0, 60000) i;
SELECT count(*) FROM ts_compact('long_ts', before => 'infinity');
SET timezone = 'Europe/Berlin';
SELECT q, decoded_share('SELECT count(n) FROM long_ts WHERE ' || q)
  FROM unnest(ARRAY['ts::date = ''2024-11-05''', '''2024-11-05'' = ts::date', 'ts::date IN (''2024-11-05'', ''2024-11-06'')', 'ts::date < ''2024-01-20''',
                    '''2025-09-01'' < ts::date', 'date_trunc(''hour'', ts) >= ''2025-09-01''', 'time_bucket(''1 day'', ts) <= ''2024-01-20''',
                    '(ts AT TIME ZONE ''Asia/Tokyo'')::date = ''2024-11-05''', 'n / 7 = 3', 'ts::date = NULL',
                    'ts::date = ANY (ARRAY[]::date[])', 'ts::date <> ''2024-11-05''', 'extract(doy FROM ts) = 7']) WITH ORDINALITY x(q, i) ORDER BY i;
SELECT count(*), min(n), max(n) FROM long_ts WHERE ts::date IN ('2024-11-05', '2024-10-27');
SELECT count(*), min(n), max(n) FROM long_ts WHERE '2024-01-20' > ts::date;
SELECT count(*), min(n), max(n) FROM long_ts WHERE date_trunc('hour', ts) >= '2025-09-01';
SET timezone = 'UTC';
DROP TABLE long_ts;

-- Runs queries on both tables; counts different results. {} is the table.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/differences.sql'
\set ECHO none
\i :include
\set ECHO all
CREATE FUNCTION differences(queries text[]) RETURNS TABLE (compared int, different int, used int) LANGUAGE sql AS $$
  SELECT * FROM compare_queries(queries, 't_heap', 't_ts', '{""}', '!%  Filter: %', true)
$$;
CREATE VIEW queries AS
  SELECT format('SELECT host, count(*), sum(n), min(ts) FROM {} WHERE %s %s %s %s GROUP BY host', e, o, c, w) AS q
    FROM (VALUES ('ts::date', '''2010-11-07'''), ('lt::date', '''1970-01-03'''), ('date_trunc(''day'', ts)', '''2010-11-07 00:00+00'''),
                 ('date_trunc(''week'', lt)', '''1969-12-29'''), ('date_trunc(''month'', ts)', '''2010-12-01'''),
                 ('date_trunc(''hour'', ts, ''Europe/Berlin'')', '''2010-10-31 01:00+00'''),
                 ('date_bin(''2 hours'', ts, ''2010-10-31 00:30'')', '''2010-10-31 00:30'''),
                 ('time_bucket(''1 month'', ts)', '''2010-11-01'''), ('extract(hour FROM ts)', '5'), ('extract(dow FROM lt)', '0'),
                 ('date_part(''month'', ts)', '11'), ('(ts AT TIME ZONE ''America/St_Johns'')::date', '''2010-11-07'''),
                 ('n / 100', '3'), ('l / 1000000007', '-2'), ('s / 7::smallint', '0'), ('n - n % 50', '100')) x(e, c),
         unnest('{=,<>,<,<=,>,>=}'::text[]) o, unnest(ARRAY['', 'AND n > 100', 'AND ts > ''2010-12-01''']) w;
SELECT compared, different, used FROM differences(ARRAY(SELECT q FROM queries));
SET timezone = 'America/St_Johns';
SELECT compared, different FROM differences(ARRAY(SELECT q FROM queries WHERE q !~ ' AND '));
SET timezone = 'Europe/Berlin';
SELECT compared, different FROM differences(ARRAY(SELECT q FROM queries WHERE q !~ ' AND '));
SET timezone = 'UTC';
SELECT compared, different, used FROM differences(ARRAY[
  'SELECT n FROM {} WHERE ts::date = ANY (''{2010-11-07,2010-12-24}''::date[])', 'SELECT n FROM {} WHERE ts::date IN (''2010-11-07'', NULL)',
  'SELECT n FROM {} WHERE ts::date = NULL', 'SELECT n FROM {} WHERE ts::date <> ALL (''{2010-11-07,2010-12-24}''::date[])',
  'SELECT n FROM {} WHERE extract(hour FROM ts) BETWEEN 8 AND 17 AND extract(isodow FROM ts) < 6',
  'SELECT n FROM {} WHERE ts::date = ''2010-11-07'' OR (host = ''h3'' AND date_trunc(''month'', lt) = ''1970-01-01'')',
  'SELECT n FROM {} WHERE ts::date > current_date - 100000 AND n = 4', 'SELECT n FROM {} WHERE ts::date = timestamp ''2010-11-07''',
  'SELECT x.d, count(t.n) FROM (SELECT date ''2010-11-01'' + i AS d FROM generate_series(0, 40, 10) i) x
     LEFT JOIN {} t ON t.ts::date = x.d GROUP BY x.d',
  'SELECT x.d, y.c FROM (SELECT date ''2010-11-01'' + i AS d FROM generate_series(0, 40, 10) i) x,
     LATERAL (SELECT count(*) AS c FROM {} t WHERE t.ts::date = x.d OFFSET 0) y',
  'SELECT host, ts FROM {} WHERE date_trunc(''day'', ts) = ''2010-11-07'' ORDER BY host, ts LIMIT 20',
  'SELECT DISTINCT ON (host) host, ts FROM {} WHERE extract(hour FROM ts) = 3 ORDER BY host, ts DESC',
  'SELECT date_trunc(''hour'', ts) AS h, count(*) FROM {} WHERE extract(dow FROM ts) = 2 GROUP BY h ORDER BY h DESC LIMIT 5']);
PREPARE p(date, int) AS SELECT count(*) FROM t_ts WHERE ts::date = $1 AND n / 10 < $2;
EXECUTE p('2010-11-07', 50);
SET plan_cache_mode = force_generic_plan;
EXECUTE p('2010-11-07', 50);
EXECUTE p('2011-01-10', 50);
RESET plan_cache_mode;
SELECT count(*) FROM t_heap WHERE ts::date = '2011-01-10' AND n / 10 < 50;
-- what fails far away is only looked at where PostgreSQL does
INSERT INTO t_ts (ts, host, n) VALUES ('294276-12-31', 'far', 1);
INSERT INTO t_heap (ts, host, n) VALUES ('294276-12-31', 'far', 1);
SELECT compared, different, used FROM differences(ARRAY[
  'SELECT n FROM {} WHERE ts < ''2011-01-01'' AND date_bin(''100000 days'', ts, ''2000-01-01'') = ''2000-01-01'' AND n = 3',
  'SELECT n FROM {} WHERE host = ''h3'' AND date_trunc(''day'', ts, ''Asia/Tokyo'') = ''2010-11-06 15:00''',
  'SELECT count(*) FROM {} WHERE ts::date > ''2010-11-07''']);
SELECT compared, different FROM differences(ARRAY['SELECT n FROM {} WHERE lt::date <> ALL (ARRAY[]::date[]) AND n % 500 = 3',
  'SELECT n FROM {} WHERE NOT (n / 10 = ANY (ARRAY[]::int[])) AND lt IS NULL', 'SELECT n FROM {} WHERE lt::date = ANY (ARRAY[]::date[])']);
CREATE TABLE least_ts (ts timestamp, n int) USING nodedb_ts WITH (nodedb_ts.time_column = 'ts');
INSERT INTO least_ts VALUES ('-infinity', -2147483648), ('1970-01-02', 25), ('2026-01-01', 90), (NULL, NULL);
SELECT ts_flush('least_ts') > 0 AS flushed;
SELECT n FROM least_ts WHERE ts > '-infinity' AND extract(epoch FROM ts)::int = 86400;
SELECT n FROM least_ts WHERE ts = '-infinity' OR extract(epoch FROM ts)::int = 86400;
SELECT n FROM least_ts WHERE n >= 0 AND time_bucket(10, n) = 20;
SELECT n FROM least_ts WHERE n < 0 OR time_bucket(10, n) = 20;
SELECT n FROM least_ts WHERE time_bucket(10, n) = 20;
-- widths and origins for which the functions fail at times that another condition leaves out
CREATE TABLE far_ts (ts timestamp, i int, v int) USING nodedb_ts WITH (nodedb_ts.bucket = '100000 days');
INSERT INTO far_ts SELECT '2026-01-01'::timestamp + k * interval '1 min', 10, k FROM generate_series(1, 3000) k UNION ALL SELECT '1990-01-01', 1, 5;
SELECT ts_flush('far_ts') >= 0 AS flushed;
SELECT count(*) FROM far_ts WHERE ts > '2025-01-01' AND date_bin('3000000 days', ts, '2025-01-01') < '2026-02-01';
SELECT count(*) FROM far_ts WHERE ts > '2025-01-01' AND time_bucket('8000 years', ts) < '2026-02-01';
SELECT count(*) FROM far_ts WHERE ts > '2000-01-01' AND date_bin('10 days', ts, '294276-12-31') < '2026-02-01';
SELECT date_bin('10000 days', ts, '294276-12-31') b, max(v), min(v) FROM far_ts WHERE i > 5 GROUP BY 1;
SELECT time_bucket('3000000 days', ts, '2025-01-01') b, max(v), min(v) FROM far_ts WHERE i > 5 GROUP BY 1;
SELECT date_bin('10 days', ts, '294276-12-31') b, sum(v + 1) FROM far_ts WHERE i > 5 GROUP BY 1 ORDER BY 1 DESC LIMIT 3;
-- below a security barrier only what leaks nothing
CREATE VIEW barred WITH (security_barrier) AS SELECT * FROM t_ts WHERE n <> 4;
EXPLAIN (COSTS OFF) SELECT count(*) FROM barred WHERE ts::date = '2010-11-07';
SELECT count(*) FROM barred WHERE ts::date = '2010-11-07';
SET client_min_messages = warning;
DROP SCHEMA buckets CASCADE;
