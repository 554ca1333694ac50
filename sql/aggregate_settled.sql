-- Minima and maxima that are reached already: rows that would change nothing are not read. Compared with heap and with the switch off.
SET timezone = 'UTC';
CREATE SCHEMA settled;
SET search_path = settled, public;
CREATE TABLE s_heap (ts timestamptz, host text, n int, big bigint, f float8, f4 float4, d date, flag bool, lt timestamp);
CREATE TABLE s_ts (LIKE s_heap) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host', nodedb_ts.time_column = 'ts');
INSERT INTO s_heap
  SELECT '2026-03-28'::timestamptz + i * interval '1 minute', 'h' || h, (i * 31 + h * 7919) % 1009,
         CASE WHEN (i + h) % 7 > 0 THEN (i * 48271::bigint + h * 69621) % 100003 END, sin(i * h) * 100,
         CASE WHEN h % 4 = 0 THEN 'NaN'::float4 WHEN i % 400 < 200 THEN (i + h) % 50 END, '2026-01-01'::date + (i * h) % 97, (i + h) % 500 <> 0,
         '2026-03-28'::timestamp + (i - h * 60) * interval '1 minute'
    FROM generate_series(0, 1999) i, generate_series(1, 10) h;
-- a single highest value, and a single lowest one, late in the scan
UPDATE s_heap SET n = 5000, f = 5000, big = -5 WHERE host = 'h9' AND ts = '2026-03-28 10:10';
INSERT INTO s_ts SELECT * FROM s_heap WHERE ts < '2026-03-29 04:00';
SELECT ts_flush('s_ts') >= 0 AS flushed;
SELECT count(*) >= 0 AS compacted FROM ts_compact('s_ts', before => 'infinity');
INSERT INTO s_ts SELECT * FROM s_heap WHERE ts >= '2026-03-29 04:00' AND ts < '2026-03-29 12:00';
SELECT ts_flush('s_ts') >= 0 AS flushed;
INSERT INTO s_ts SELECT * FROM s_heap WHERE ts >= '2026-03-29 12:00' AND n % 5 > 0;
SELECT ts_flush('s_ts') >= 0 AS flushed;
INSERT INTO s_ts SELECT * FROM s_heap WHERE ts >= '2026-03-29 12:00' AND n % 5 = 0;
-- a column that segments do not have
ALTER TABLE s_heap ADD COLUMN late int DEFAULT 42;
ALTER TABLE s_ts ADD COLUMN late int DEFAULT 42;
ANALYZE s_heap, s_ts;

CREATE FUNCTION decoded(q text) RETURNS TABLE (vectors bigint, decoded bigint) LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
  SET LOCAL nodedb_ts.enable_statistics_aggregate = off;
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || q INTO plan;
  vectors := jsonb_path_query_first(plan, '$.**."Vectors Decoded"')::bigint;
  SET LOCAL nodedb_ts.enable_statistics_aggregate = on;
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || q INTO plan;
  decoded := jsonb_path_query_first(plan, '$.**."Vectors Decoded"')::bigint;
  RETURN NEXT;
END $$;
SELECT decoded < vectors / 2 AS spared FROM decoded('SELECT max(n) FROM s_ts WHERE big > 10');
SELECT decoded < vectors / 2 AS spared FROM decoded('SELECT max(n), min(n), max(f) FROM s_ts WHERE big > 10');
SELECT decoded < vectors / 2 AS spared
  FROM decoded($$SELECT date_bin('1 hour', ts, '2000-01-01') b, bool_or(flag) FROM s_ts WHERE ts < '2026-03-29 01:17:22' AND ts >= '2026-03-28 22:00' GROUP BY b$$);
SELECT decoded < vectors / 2 AS spared
  FROM decoded($$SELECT date_bin('1 minute', ts, '2000-01-01') b, bool_or(flag) FROM s_ts WHERE ts < '2026-03-29 01:17:22' GROUP BY b ORDER BY b DESC LIMIT 5$$);
SELECT decoded < vectors / 2 AS spared
  FROM decoded($$SELECT date_trunc('hour', ts) b, bool_or(flag) FROM s_ts WHERE ts > '2026-03-28 01:17:22' GROUP BY b ORDER BY b LIMIT 2$$);
-- not: sums need all rows; conditions that are evaluated row by row may fail; another key; FILTER
SELECT decoded = vectors AS all_read FROM decoded('SELECT max(n), count(*) FROM s_ts WHERE big > 10');
SELECT decoded = vectors AS all_read FROM decoded('SELECT max(n) FROM s_ts WHERE big / n >= 0 AND n > 0');
SELECT decoded = vectors AS all_read FROM decoded('SELECT big % 3 b, max(flag::int) FROM s_ts WHERE n > 3 GROUP BY b');
SELECT decoded = vectors AS all_read FROM decoded('SELECT max(n) FILTER (WHERE flag) FROM s_ts WHERE n > 3');

-- {} is the table
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/differences.sql'
\set ECHO none
\i :include
\set ECHO all
CREATE FUNCTION differences(queries text[]) RETURNS TABLE (compared int, different int) LANGUAGE sql AS $$
  SELECT compared, different FROM compare_queries(queries, 's_heap', 's_ts', '{nodedb_ts.enable_statistics_aggregate = on,nodedb_ts.enable_statistics_aggregate = off}', NULL, true)
$$;
CREATE VIEW conditions AS
  SELECT unnest(ARRAY['', 'WHERE n > 100', 'WHERE ts < ''2026-03-29 01:17:22''', 'WHERE host >= ''h3'' AND ts > ''2026-03-28 05:55:55''',
                      'WHERE big IS NOT NULL AND lt < ''2026-03-29''', 'WHERE ts >= ''2026-03-28 10:10'' AND ts < ''2026-03-28 10:11''',
                      'WHERE ts BETWEEN ''2026-03-28 09:00'' AND ''2026-03-28 11:30'' AND n <> 7', 'WHERE host LIKE ''h1%''']) w;
CREATE VIEW plain AS
  SELECT format('SELECT %s FROM {} %s', a, w) AS query
    FROM conditions, unnest(ARRAY['max(n)', 'min(n), max(big)', 'min(big), max(f), min(f)', 'max(f4)', 'min(f4), max(d)', 'bool_and(flag), bool_or(flag)',
                                  'max(ts), min(lt)', 'max(late), min(late)', 'max(n), sum(n)']) a;
CREATE VIEW grouped AS
  SELECT format('SELECT %s b, %s FROM {} %s GROUP BY b %s', b, a, w, h) AS query
    FROM conditions, unnest(ARRAY['date_bin(''90 minutes'', ts, ''2026-01-01'')', 'date_trunc(''hour'', ts)', 'time_bucket(''1 day'', lt)',
                                  'date_trunc(''month'', lt)', 'date_trunc(''day'', ts)', 'date_trunc(''minute'', ts)']) b,
         unnest(ARRAY['max(n)', 'min(n), max(big)', 'max(f), min(f)', 'min(f4), max(f4), bool_and(flag)']) a,
         unnest(ARRAY['', 'HAVING max(n) > 900 ORDER BY b DESC LIMIT 3', 'ORDER BY b LIMIT 2 OFFSET 1', 'ORDER BY b DESC LIMIT 7']) h
   WHERE hashtext(w || b || a || h) % 6 = 0;
SELECT * FROM differences(ARRAY(SELECT query FROM plain));
SELECT * FROM differences(ARRAY(SELECT query FROM grouped));
-- clocks that are set forward; costs that take the windows wherever they can be taken
SET timezone = 'Europe/Berlin';
SET enable_sort = off;
SET jit = off;
SELECT * FROM differences(ARRAY(SELECT query FROM grouped));
RESET enable_sort;
SET timezone = 'UTC';
-- times that are NULL or infinite; values that are NULL in a whole segment
INSERT INTO s_heap (ts, host, n, f) VALUES (NULL, 'h1', 6000, 1), ('infinity', 'h2', -7, 1), ('-infinity', 'h3', NULL, 'NaN'), ('2026-03-28 01:00', 'h3', NULL, 'NaN');
INSERT INTO s_ts (ts, host, n, f) VALUES (NULL, 'h1', 6000, 1), ('infinity', 'h2', -7, 1), ('-infinity', 'h3', NULL, 'NaN'), ('2026-03-28 01:00', 'h3', NULL, 'NaN');
SELECT ts_flush('s_ts') >= 0 AS flushed;
SELECT * FROM differences(ARRAY(SELECT query FROM plain));
SELECT count(*) >= 0 AS compacted FROM ts_compact('s_ts', before => 'infinity');
SELECT * FROM differences(ARRAY(SELECT query FROM plain UNION ALL SELECT query FROM grouped));
-- no room for all groups; parallel workers
SET work_mem = '64kB';
SELECT * FROM differences(ARRAY(SELECT query FROM grouped WHERE query LIKE '%minute%'));
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SELECT * FROM differences(ARRAY(SELECT query FROM (TABLE plain UNION ALL SELECT query FROM grouped WHERE query LIKE '%minute%') q WHERE hashtext(query) % 6 = 0));
RESET work_mem;
RESET max_parallel_workers_per_gather;
-- rescans with other bounds
SELECT upto, x.* FROM generate_series('2026-03-28 03:00'::timestamptz, '2026-03-29 23:00', '9 hours') upto,
  LATERAL (SELECT date_trunc('hour', ts) b, max(n), min(f)::int FROM s_ts WHERE ts < upto GROUP BY b ORDER BY b DESC LIMIT 2) x ORDER BY 1, 2;
SELECT upto, x.* FROM generate_series('2026-03-28 03:00'::timestamptz, '2026-03-29 23:00', '9 hours') upto,
  LATERAL (SELECT max(n), min(big) FROM s_ts WHERE ts < upto AND n > 10) x ORDER BY 1;
SELECT * FROM ts_verify('s_ts');
SET client_min_messages = warning;
DROP SCHEMA settled CASCADE;
