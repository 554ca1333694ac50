-- GROUP BY bucket ORDER BY bucket LIMIT n: windows of time, compared with heap and with the switch off.
SET timezone = 'UTC';
SET nodedb_ts.enable_ordered_aggregate = off;
CREATE SCHEMA early;
SET search_path = early, public;
CREATE TABLE t_heap (ts timestamptz, host text, n int, f float8, lt timestamp);
CREATE TABLE t_ts (LIKE t_heap) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host', nodedb_ts.time_column = 'ts');
INSERT INTO t_heap
  SELECT '2010-10-20'::timestamptz + i * interval '21 minutes 11 seconds', 'h' || i * 7919 % 23, i * 31 % 1009, i % 97,
         '2015-01-01'::timestamp + (i * 48271 % 2003) * interval '1 hour'
    FROM generate_series(1, 2000) i;
-- segments that overlap in time, then small batches, the newest and the oldest rows among them
INSERT INTO t_ts SELECT * FROM t_heap WHERE n % 3 = 0 AND ts < '2010-11-10';
SELECT ts_flush('t_ts') >= 0 AS flushed;
SELECT count(*) >= 0 AS compacted FROM ts_compact('t_ts', before => 'infinity');
INSERT INTO t_ts SELECT * FROM t_heap WHERE n % 3 = 1 AND ts < '2010-11-10';
SELECT ts_flush('t_ts') >= 0 AS flushed;
INSERT INTO t_ts SELECT * FROM t_heap WHERE n % 3 = 2 AND ts < '2010-11-10';
INSERT INTO t_ts SELECT * FROM t_heap WHERE ts >= '2010-11-10' AND n % 3 > 0;
SELECT ts_flush('t_ts') >= 0 AS flushed;
INSERT INTO t_ts SELECT * FROM t_heap WHERE ts >= '2010-11-10' AND n % 3 = 0;
INSERT INTO t_heap VALUES ('2010-10-19 23:00', 'h1', 1, 1, NULL), ('2010-12-24', 'h2', 2, 2, NULL);
INSERT INTO t_ts VALUES ('2010-10-19 23:00', 'h1', 1, 1, NULL), ('2010-12-24', 'h2', 2, 2, NULL);
-- a column that older segments do not have
ALTER TABLE t_heap ADD COLUMN late timestamptz DEFAULT '2010-11-01 12:00';
ALTER TABLE t_ts ADD COLUMN late timestamptz DEFAULT '2010-11-01 12:00';
ANALYZE t_heap, t_ts;

EXPLAIN (COSTS OFF) SELECT date_trunc('hour', ts) b, max(n) FROM t_ts GROUP BY b ORDER BY b DESC LIMIT 3;
EXPLAIN (COSTS OFF) SELECT date_bin('15 minutes', ts, '2000-01-01') b, host, count(*) FROM t_ts GROUP BY host, b
  ORDER BY b NULLS FIRST, host DESC LIMIT 5 OFFSET 2;
EXPLAIN (COSTS OFF) SELECT time_bucket('1 hour', lt) b, max(n) FROM t_ts GROUP BY b HAVING max(n) > 10 ORDER BY 1 LIMIT 3;
-- a zone that is named, Grafana's time groups; a zone whose clocks change
EXPLAIN (COSTS OFF) SELECT date_trunc('minute', ts, 'UTC') b, max(n) FROM t_ts GROUP BY b ORDER BY b DESC LIMIT 3;
EXPLAIN (COSTS OFF) SELECT to_timestamp(floor(extract(epoch FROM ts) / 60) * 60) b, max(n) FROM t_ts GROUP BY b ORDER BY b DESC LIMIT 3;
EXPLAIN (COSTS OFF) SELECT time_bucket('1 minute', ts, 'Europe/Berlin') b, max(n) FROM t_ts GROUP BY b ORDER BY b DESC LIMIT 3;
-- not: numbers of buckets times something else, which may fail; of local times
EXPLAIN (COSTS OFF) SELECT to_timestamp(floor(extract(epoch FROM ts) / 60) * 1e6) b, max(n) FROM t_ts GROUP BY b ORDER BY b DESC LIMIT 3;
EXPLAIN (COSTS OFF) SELECT to_timestamp(floor(extract(epoch FROM ts AT TIME ZONE 'Europe/Berlin') / 60) * 60) b, max(n) FROM t_ts
  GROUP BY b ORDER BY b DESC LIMIT 3;
-- not: all groups are wanted; another key first; volatile conditions; the switch
EXPLAIN (COSTS OFF) SELECT date_trunc('hour', ts) b, max(n) FROM t_ts GROUP BY b ORDER BY b DESC;
EXPLAIN (COSTS OFF) SELECT date_trunc('hour', ts) b, max(n) FROM t_ts GROUP BY b ORDER BY 2 DESC, b LIMIT 3;
EXPLAIN (COSTS OFF) SELECT date_trunc('hour', ts) b, max(n) FROM t_ts WHERE random() > 2 GROUP BY b ORDER BY b LIMIT 3;
SET nodedb_ts.enable_early_stop = off;
EXPLAIN (COSTS OFF) SELECT date_trunc('hour', ts) b, max(n) FROM t_ts GROUP BY b ORDER BY b DESC LIMIT 3;
RESET nodedb_ts.enable_early_stop;

-- most vectors are never read
CREATE FUNCTION skipped(query text) RETURNS TABLE (windows int, skipped_share numeric) LANGUAGE plpgsql AS $$
DECLARE plan json; node json;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || query INTO plan;
  node := plan->0->'Plan'->'Plans'->0;
  windows := node->>'Time Windows';
  node := node->'Plans'->0;
  skipped_share := round(((node->>'Vectors Skipped')::numeric + (node->>'Row Groups Skipped')::numeric) /
                         ((node->>'Vectors')::numeric + (node->>'Row Groups Skipped')::numeric), 1);
  RETURN NEXT;
END $$;
CREATE TABLE long_ts (ts timestamptz NOT NULL, host text, n int) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host');
INSERT INTO long_ts SELECT '2026-01-01'::timestamptz + i * interval '10 seconds', 'h' || h, i
  FROM generate_series(0, 8639) i, generate_series(1, 4) h;
SELECT ts_flush('long_ts') >= 0 AS flushed;
SELECT count(*) >= 0 AS compacted FROM ts_compact('long_ts', before => 'infinity');
ANALYZE long_ts;
SELECT * FROM skipped($$SELECT date_trunc('minute', ts) b, sum(n) FROM long_ts WHERE ts < '2026-01-01 12:34:40' GROUP BY b ORDER BY b DESC LIMIT 5$$);
SELECT * FROM skipped($$SELECT date_trunc('minute', ts) b, sum(n) FROM long_ts GROUP BY b ORDER BY b LIMIT 5$$);
SELECT * FROM skipped($$SELECT time_bucket('1 minute', ts, 'UTC') b, sum(n) FROM long_ts GROUP BY b ORDER BY b DESC LIMIT 5$$);
SELECT * FROM skipped($$SELECT to_timestamp(floor(extract(epoch FROM ts) / 60) * 60) b, sum(n) FROM long_ts GROUP BY b ORDER BY b DESC LIMIT 5$$);
SELECT date_trunc('minute', ts) b, sum(n), count(*) FROM long_ts WHERE ts < '2026-01-01 12:34:40' GROUP BY b ORDER BY b DESC LIMIT 3;
SELECT * FROM ts_verify('long_ts');
DROP TABLE long_ts;

-- Runs queries on both tables, with the switch on and off; counts different results. {} is the table.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/differences.sql'
\set ECHO none
\i :include
\set ECHO all
CREATE FUNCTION differences(queries text[]) RETURNS TABLE (compared int, different int, used int) LANGUAGE sql AS $$
  SELECT * FROM compare_queries(queries, 't_heap', 't_ts', '{nodedb_ts.enable_early_stop = on,nodedb_ts.enable_early_stop = off}', '%  Order: %', false)
$$;
-- costs that take the node wherever it can be taken
SET enable_sort = off;
SET jit = off;
SELECT * FROM differences(ARRAY(
  SELECT format('SELECT %s b, count(*), sum(n), min(n) FILTER (WHERE n > 500), max(f) FROM {} %s GROUP BY b %s ORDER BY b %s LIMIT %s',
                b, w, h, o, l)
    FROM unnest(ARRAY['date_trunc(''hour'', ts)', 'date_bin(''45 minutes'', ts, ''2010-11-15'')', 'date_trunc(''month'', lt)',
                      'date_trunc(''day'', late)']) b,
         unnest('{ASC,DESC,ASC NULLS FIRST,DESC NULLS LAST}'::text[]) o, unnest('{1,4,100 OFFSET 3,ALL}'::text[]) l,
         unnest(ARRAY['', 'WHERE host = ''h3''', 'WHERE ts >= ''2010-11-05 05:05'' AND ts < ''2010-11-12''', 'WHERE n % 100 = 7']) w,
         unnest(ARRAY['', 'HAVING count(*) % 2 = 0 AND max(n) > 300']) h
   WHERE hashtext(b || o || l || w || h) % 2 = 0));
-- other keys; times that are NULL or infinite
INSERT INTO t_heap VALUES (NULL, 'h1', 5, 5, NULL), ('infinity', 'h1', 6, 6, '-infinity'), ('-infinity', NULL, 7, 7, 'infinity'), (NULL, NULL, 8, 8, NULL);
INSERT INTO t_ts VALUES (NULL, 'h1', 5, 5, NULL), ('infinity', 'h1', 6, 6, '-infinity'), ('-infinity', NULL, 7, 7, 'infinity'), (NULL, NULL, 8, 8, NULL);
CREATE VIEW many AS
  SELECT format('SELECT %s b, %s k, count(*), sum(n) FROM {} GROUP BY b, k ORDER BY b %s, k LIMIT %s', b, k, o, l) AS query
    FROM unnest(ARRAY['date_trunc(''hour'', ts)', 'date_trunc(''week'', ts)', 'time_bucket(''6 hours'', lt)', 'date_trunc(''year'', lt)']) b,
         unnest('{host,n % 3}'::text[]) k, unnest('{ASC,DESC,ASC NULLS FIRST,DESC NULLS LAST}'::text[]) o,
         unnest('{1,30,100 OFFSET 3,ALL}'::text[]) l
   WHERE hashtext(b || k || o || l) % 2 = 0;
SELECT * FROM differences(ARRAY(SELECT query FROM many));
SELECT ts_flush('t_ts') >= 0 AS flushed;
SELECT * FROM differences(ARRAY(SELECT query FROM many));
-- local clocks: St. John's set them back at one minute past midnight
SET timezone = 'America/St_Johns';
SELECT * FROM differences(ARRAY(
  SELECT format('SELECT date_trunc(%L, ts) b, count(*), sum(n) FROM {} WHERE ts >= %L AND ts < %L GROUP BY b ORDER BY b %s LIMIT %s', u, d,
                d + interval '4 days', o, l)
    FROM unnest('{minute,hour,day,week}'::text[]) u, unnest('{ASC,DESC}'::text[]) o, unnest('{1,2,40}'::text[]) l,
         unnest('{2010-11-04,2010-11-05,2010-11-06,2010-11-07}'::timestamp[]) d
   WHERE l <> '40' OR u = 'hour'));
SET timezone = 'XST+3XDT,M11.1.0/0:01,M11.2.0/0:01';
SELECT * FROM differences(ARRAY(
  SELECT format('SELECT date_trunc(%L, ts) b, count(*), sum(n) FROM {} GROUP BY b ORDER BY b %s LIMIT %s', u, o, l)
    FROM unnest('{minute,day,month}'::text[]) u, unnest('{ASC,DESC}'::text[]) o, unnest('{1,2,20}'::text[]) l));
SET timezone = 'UTC';
-- named zones, whose clocks change in the middle of the rows; times before 1970, where quotients are rounded the other way
SELECT * FROM differences(ARRAY(
  SELECT format('SELECT %s b, count(*), sum(n) FROM {} %s GROUP BY b ORDER BY b %s LIMIT %s', replace(b, '%z', z), w, o, l)
    FROM unnest(ARRAY['date_trunc(''minute'', ts, ''%z'')', 'date_trunc(''day'', ts, ''%z'')', 'date_trunc(''month'', ts, ''%z'')',
                      'time_bucket(''1 minute'', ts, ''%z'')', 'time_bucket(''40 minutes'', ts, ''%z'')', 'time_bucket(''90 minutes'', ts, ''%z'')',
                      'time_bucket(''7 hours'', ts, ''%z'')', 'time_bucket(''1 day'', ts, ''%z'')', 'time_bucket(''1 month'', ts, ''%z'')']) b,
         unnest('{UTC,Europe/Berlin,America/St_Johns,"XST+3XDT,M11.1.0/0:01,M11.2.0/0:01",-05:30}'::text[]) z,
         unnest('{ASC,DESC}'::text[]) o, unnest('{1,3,50}'::text[]) l,
         unnest(ARRAY['', 'WHERE ts >= ''2010-10-31 00:10'' AND ts < ''2010-10-31 01:50''', 'WHERE ts < ''2010-11-07 03:00''']) w
   WHERE hashtext(b || z || o || l || w) % 3 = 0));
INSERT INTO t_heap SELECT '1969-12-31 23:00'::timestamptz + i * interval '7.77 minutes', 'h1', i, i, NULL FROM generate_series(1, 20) i;
INSERT INTO t_ts SELECT * FROM t_heap WHERE ts < '1980-01-01' AND ts > '1960-01-01';
SELECT * FROM differences(ARRAY(
  SELECT format('SELECT to_timestamp(floor(%s) * %s) b, count(*), sum(n) FROM {} WHERE isfinite(ts) GROUP BY b ORDER BY b %s LIMIT %s', s, w, o, l)
    FROM (VALUES ('extract(epoch FROM ts) / 60', '60'), ('extract(epoch FROM ts) / 0.7', '0.7'), ('date_part(''epoch'', ts) / 900', '900'),
                 ('extract(epoch FROM lt) / 3600', '3600')) x(s, w),
         unnest('{ASC,DESC}'::text[]) o, unnest('{1,5,60}'::text[]) l));

-- limits known at execution only, rescans with and without parameters, cursors
PREPARE newest(int, timestamptz) AS
  SELECT date_trunc('hour', ts) b, count(*) FROM t_ts WHERE ts < $2 GROUP BY b ORDER BY b DESC LIMIT $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE newest(2, '2010-11-11');
EXECUTE newest(2, '2010-11-11');
EXECUTE newest(3, '2010-10-20');
RESET plan_cache_mode;
SELECT d, x.* FROM generate_series('2010-10-25'::timestamptz, '2010-11-20', '10 days') d,
  LATERAL (SELECT date_trunc('hour', ts) b, count(*), sum(n) FROM t_ts WHERE ts < d GROUP BY b ORDER BY b DESC LIMIT 2) x ORDER BY 1, 2;
SELECT i, x.* FROM generate_series(1, 2) i LEFT JOIN
  (SELECT date_trunc('hour', ts) b, count(*) FROM t_ts WHERE ts < '2010-11-20' GROUP BY b ORDER BY b DESC LIMIT 2) x ON i > 0 ORDER BY 1, 2;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT date_trunc('day', ts) b, count(*) FROM t_ts WHERE ts < '2010-11-20' GROUP BY b ORDER BY b DESC;
FETCH 2 c;
FETCH BACKWARD 1 c;
INSERT INTO t_ts VALUES ('2010-11-17', 'h1', 0, 0);
FETCH 3 c;
MOVE ALL c;
FETCH BACKWARD 1 c;
SELECT date_trunc('day', ts) b, count(*) FROM t_ts WHERE ts < '2010-11-20' GROUP BY b ORDER BY b DESC OFFSET 3 LIMIT 1;
ROLLBACK;
SELECT date_trunc('day', ts) b, count(*) FROM t_ts WHERE ts < '2010-11-20' GROUP BY b ORDER BY b DESC FETCH FIRST 2 ROWS WITH TIES;
-- a table of small batches only, and an empty one
CREATE TABLE few (ts timestamp, n int) USING nodedb_ts;
SELECT date_trunc('day', ts) b, count(*) FROM few GROUP BY b ORDER BY b DESC LIMIT 2;
INSERT INTO few VALUES ('2026-01-01', 1), ('2026-01-02', 2), ('2026-01-02', 3), (NULL, 4);
SELECT date_trunc('day', ts) b, count(*) FROM few GROUP BY b ORDER BY b DESC LIMIT 2;
SELECT date_trunc('day', ts) b, count(*) FROM few GROUP BY b ORDER BY b LIMIT 2;
-- a time near the end of what there is: the function is not called for times that no row has
INSERT INTO few VALUES ('294276-12-31 23:59:59', 5), ('4713-01-01 BC', 6);
SELECT ts_flush('few') >= 0 AS flushed;
SELECT date_trunc('year', ts) b, count(*) FROM few GROUP BY b ORDER BY b DESC NULLS LAST LIMIT 2;
SELECT date_trunc('year', ts) b, count(*) FROM few GROUP BY b ORDER BY b LIMIT 2;
SELECT * FROM ts_verify('few');
SELECT * FROM ts_verify('t_ts');
SET client_min_messages = warning;
DROP SCHEMA early CASCADE;
