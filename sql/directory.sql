-- What a backend remembers of the directory: planned and read anew after each change, also one that is rolled back; and
-- segments that are left out by the times that the directory tells.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS directory CASCADE;
RESET client_min_messages;
CREATE SCHEMA directory;
SET search_path = directory, public;
SET timezone = 'UTC';
CREATE FUNCTION sound(t regclass) RETURNS text LANGUAGE sql AS $$
  SELECT coalesce(string_agg(what || ': ' || detail, '; '), 'sound') FROM ts_verify(t) $$;
-- what EXPLAIN ANALYZE says of segments, and the rows
CREATE FUNCTION scanned(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE j json; n json;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT json) ' || query INTO j;
  n := j->0->'Plan';
  RETURN format('%s segments, %s pruned, %s row groups, %s rows', n->>'Segments', n->>'Segments Pruned', n->>'Row Groups', n->>'Actual Rows');
END $$;
-- rows that the planner expects
CREATE FUNCTION expected(t regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE j json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT json) SELECT * FROM ' || t INTO j;
  RETURN (j->0->'Plan'->>'Plan Rows')::bigint;
END $$;
-- in both tables; a day, of its own segment after a flush
CREATE TABLE t (ts timestamptz, i int, late timestamptz) USING nodedb_ts;
CREATE TABLE h (LIKE t) USING heap;
CREATE FUNCTION put(day date, n int DEFAULT 1000) RETURNS void LANGUAGE sql AS $$
  INSERT INTO t SELECT day + k * interval '1 min', k, '2030-01-01'::timestamptz - k * interval '1 day' FROM generate_series(1, n) k;
  INSERT INTO h SELECT day + k * interval '1 min', k, '2030-01-01'::timestamptz - k * interval '1 day' FROM generate_series(1, n) k $$;
PREPARE all_rows AS SELECT (SELECT format('%s %s %s', count(*), sum(i), max(ts)) FROM t) = (SELECT format('%s %s %s', count(*), sum(i), max(ts)) FROM h) AS same;
PREPARE day(timestamptz) AS SELECT (SELECT count(*) FROM t WHERE ts >= $1 AND ts < $1 + interval '1 day') = (SELECT count(*) FROM h WHERE ts >= $1 AND ts < $1 + interval '1 day') AS same;
SET plan_cache_mode = force_generic_plan;

-- ---- each kind of change is seen
EXECUTE all_rows;
SELECT put('2024-01-01');
EXECUTE all_rows;
SELECT ts_flush('t');
EXECUTE all_rows;
SELECT put('2024-01-02') IS NULL;
SELECT ts_flush('t');
EXECUTE all_rows;
EXECUTE day('2024-01-02');
SELECT expected('t');
-- a flush that is rolled back, and one of a subtransaction
SELECT put('2024-01-03') IS NULL;
EXECUTE day('2024-01-03');
BEGIN;
SELECT ts_flush('t');
EXECUTE day('2024-01-03');
ROLLBACK;
EXECUTE day('2024-01-03');
BEGIN;
SAVEPOINT a;
SELECT ts_flush('t');
EXECUTE all_rows;
ROLLBACK TO a;
EXECUTE all_rows;
SELECT put('2024-01-03', 10) IS NULL;
EXECUTE all_rows;
SELECT ts_flush('t');
COMMIT;
EXECUTE all_rows;
EXECUTE day('2024-01-03');
-- segments of a load, in a transaction that reads between and one that fails
BEGIN;
SELECT put('2024-01-05', 20000) IS NULL;
EXECUTE all_rows;
DECLARE c CURSOR FOR SELECT count(*) FROM t;
SELECT put('2024-03-05', 20000) IS NULL;
EXECUTE all_rows;
FETCH c;
ROLLBACK;
EXECUTE all_rows;
SELECT expected('t');
-- compaction, what it leaves behind, and VACUUM
BEGIN;
SELECT segments_in, segments_out FROM ts_compact('t');
EXECUTE all_rows;
ROLLBACK;
EXECUTE all_rows;
SELECT segments_in, segments_out FROM ts_compact('t');
EXECUTE all_rows;
SELECT expected('t');
VACUUM t;
EXECUTE all_rows;
VACUUM FREEZE t;
EXECUTE all_rows;
VACUUM FULL t;
EXECUTE all_rows;
SELECT expected('t');
-- retention
SELECT put('2023-01-01') IS NULL;
SELECT ts_flush('t');
EXECUTE all_rows;
BEGIN;
SELECT ts_enforce_retention('t', '10 days'::interval, '2024-01-03'::timestamptz);
SELECT count(*) FROM t;
ROLLBACK;
EXECUTE all_rows;
SELECT ts_enforce_retention('t', '10 days'::interval, '2024-01-03'::timestamptz);
SELECT count(*) FROM t;
DELETE FROM h WHERE ts < '2023-12-01';
EXECUTE all_rows;
-- another file, and back
BEGIN;
TRUNCATE t, h;
EXECUTE all_rows;
SELECT put('2024-05-01', 10) IS NULL;
EXECUTE all_rows;
ROLLBACK;
EXECUTE all_rows;
SELECT expected('t');
-- a file that is emptied in place: its generations start again
BEGIN;
CREATE TABLE own (i int) USING nodedb_ts;
INSERT INTO own SELECT generate_series(1, 10000);
SELECT count(*), sum(i) FROM own;
TRUNCATE own;
INSERT INTO own SELECT generate_series(10001, 20000);
SELECT count(*), sum(i) FROM own;
COMMIT;
SELECT count(*), sum(i) FROM own;
CREATE TEMP TABLE temporary (i int) USING nodedb_ts ON COMMIT DELETE ROWS;
BEGIN;
INSERT INTO temporary SELECT generate_series(1, 10000);
SELECT count(*), sum(i) FROM temporary;
COMMIT;
SELECT count(*), sum(i) FROM temporary;
BEGIN;
INSERT INTO temporary SELECT generate_series(10001, 20000);
SELECT count(*), sum(i) FROM temporary;
COMMIT;
DROP TABLE temporary;
-- pages that no LSN tells of
CREATE UNLOGGED TABLE unlogged (i int) USING nodedb_ts;
PREPARE unlogged AS SELECT count(*), sum(i), (SELECT count(*) FROM ts_segments('unlogged')) AS segments FROM unlogged;
INSERT INTO unlogged SELECT generate_series(1, 10000);
EXECUTE unlogged;
INSERT INTO unlogged SELECT generate_series(1, 10000);
EXECUTE unlogged;
BEGIN;
INSERT INTO unlogged SELECT generate_series(1, 10000);
EXECUTE unlogged;
ROLLBACK;
EXECUTE unlogged;
INSERT INTO unlogged VALUES (1);
SELECT ts_flush('unlogged');
EXECUTE unlogged;
SELECT segments_in, segments_out FROM ts_compact('unlogged');
EXECUTE unlogged;
SELECT sound('unlogged');

-- ---- segments are left out by time
TRUNCATE t, h;
SELECT put('2024-01-01') IS NULL, put('2024-01-02') IS NULL, put('2024-01-03') IS NULL;
SELECT ts_flush('t');
SELECT scanned($$SELECT * FROM t WHERE ts < '2024-01-02'$$);
SELECT scanned($$SELECT * FROM t WHERE ts = '2024-01-02 00:01'$$);
SELECT scanned($$SELECT * FROM t WHERE ts BETWEEN '2024-01-01 12:00' AND '2024-01-02 12:00'$$);
SELECT scanned($$SELECT * FROM t WHERE ts IN ('2024-01-01 00:01', '2024-01-03 00:01')$$);
SELECT scanned($$SELECT * FROM t WHERE ts < '2024-01-02' OR ts >= '2024-01-03 16:00'$$);
SELECT scanned($$SELECT * FROM t WHERE ts < '2024-01-02' OR i = 7$$);
SELECT scanned($$SELECT * FROM t WHERE ts > '2025-01-01' AND i = 7$$);
SELECT scanned($$SELECT * FROM t WHERE ts IS NULL$$);
SELECT scanned($$SELECT * FROM t WHERE ts IS NOT NULL$$);
SELECT scanned($$SELECT * FROM t WHERE ts < NULL::timestamptz$$);
SELECT scanned($$SELECT * FROM t WHERE late < '2000-01-01'$$);
-- by values that only the execution knows, and different ones in each rescan
SELECT scanned($$SELECT * FROM t WHERE ts > (SELECT max(ts) - interval '1 hour' FROM h)$$);
SELECT day, count FROM (SELECT d::date AS day, (SELECT count(*) FROM t WHERE ts >= d AND ts < d + interval '12 hours')
  FROM generate_series('2023-12-31'::timestamptz, '2024-01-04', '1 day') d) q;
-- rows in L0 and without a time stay
INSERT INTO t VALUES ('2024-01-02', -1), (NULL, -2);
INSERT INTO h VALUES ('2024-01-02', -1), (NULL, -2);
SELECT scanned($$SELECT * FROM t WHERE ts = '2024-01-02'$$), scanned($$SELECT * FROM t WHERE ts IS NULL$$);
SELECT ts_flush('t');
INSERT INTO t SELECT NULL, k FROM generate_series(1, 3000) k;
INSERT INTO h SELECT NULL, k FROM generate_series(1, 3000) k;
SELECT ts_flush('t');
SELECT scanned($$SELECT * FROM t WHERE ts IS NULL$$), scanned($$SELECT * FROM t WHERE ts = '2024-01-02'$$), scanned($$SELECT * FROM t WHERE ts IS NOT NULL AND i < 0$$);
-- in parallel
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT (SELECT count(*) FROM t WHERE ts >= '2024-01-02' AND ts < '2024-01-03') = (SELECT count(*) FROM h WHERE ts >= '2024-01-02' AND ts < '2024-01-03') AS same;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;
-- without nodes of ours the same
SET nodedb_ts.enable_scan = off;
EXECUTE day('2024-01-02');
RESET nodedb_ts.enable_scan;

-- ---- the time column is another one: each segment goes by its own
SELECT ts_set_options('t', time_column => 'late', bucket => '40 days');
SELECT put('2024-01-04') IS NULL;
SELECT ts_flush('t');
SELECT scanned($$SELECT * FROM t WHERE late < '2027-06-01'$$) AS late, scanned($$SELECT * FROM t WHERE ts >= '2024-01-04'$$) AS ts;
SELECT count(*) FROM h WHERE late < '2027-06-01';
SELECT count(*) FROM h WHERE ts >= '2024-01-04';
EXECUTE day('2024-01-03');
EXECUTE day('2024-01-04');
EXECUTE all_rows;
SELECT sound('t');
-- compaction sorts what was made with the other one
SELECT segments_in > 1 FROM ts_compact('t');
SELECT scanned($$SELECT * FROM t WHERE late > '2029-12-31'$$), (SELECT count(*) FROM h WHERE late > '2029-12-31');
EXECUTE day('2024-01-03');
EXECUTE all_rows;
SELECT sound('t');
-- no time column at all, and that of a rewritten table
ALTER TABLE t DROP COLUMN late;
ALTER TABLE h DROP COLUMN late;
EXECUTE all_rows;
SELECT sound('t');
CREATE TABLE timeless (i int, t text) USING nodedb_ts;
INSERT INTO timeless SELECT k, 'x' FROM generate_series(1, 10000) k;
SELECT scanned('SELECT * FROM timeless WHERE i > 20000'), sound('timeless');
-- narrow and unusual times
CREATE TABLE days (d date, i int) USING nodedb_ts;
CREATE TABLE days_h (LIKE days) USING heap;
INSERT INTO days_h SELECT '2024-01-01'::date + 10 * (k / 1500), k FROM generate_series(1, 12000) k;
INSERT INTO days_h VALUES ('infinity', 1), ('-infinity', 2), (NULL, 3);
INSERT INTO days SELECT * FROM days_h;
SELECT scanned($$SELECT * FROM days WHERE d = '2024-01-11'$$), scanned($$SELECT * FROM days WHERE d = 'infinity'$$),
  scanned($$SELECT * FROM days WHERE d < '2024-01-11'$$), scanned($$SELECT * FROM days WHERE d > '2024-03-11'$$);
SELECT (SELECT count(*) FROM days_h WHERE d = '2024-01-11'), (SELECT count(*) FROM days_h WHERE d < '2024-01-11'), (SELECT count(*) FROM days_h WHERE d > '2024-03-11');
CREATE TABLE small (s smallint, i int) USING nodedb_ts WITH (nodedb_ts.time_column = 's', nodedb_ts.bucket = '10');
INSERT INTO small SELECT (k % 40) * 1000 - 20000, k FROM generate_series(1, 10000) k;
SELECT scanned('SELECT * FROM small WHERE s < -19000'), scanned('SELECT * FROM small WHERE s > 18000 OR s = 0'), sound('small');
-- more segments than bounds are kept of together
CREATE TABLE many (n bigint, i int) USING nodedb_ts WITH (nodedb_ts.time_column = 'n', nodedb_ts.bucket = '10');
INSERT INTO many SELECT (k % 500) * 10000, k FROM generate_series(1, 10000) k;
SELECT scanned('SELECT * FROM many WHERE n = 0'), scanned('SELECT * FROM many WHERE n = 1270000'), scanned('SELECT * FROM many WHERE n = 1280000'),
  scanned('SELECT * FROM many WHERE n > 4980000'), scanned('SELECT * FROM many WHERE n < 0');
INSERT INTO many VALUES (1280000, -1);
SELECT scanned('SELECT * FROM many WHERE n = 1280000');
SELECT ts_flush('many');
BEGIN;
SELECT scanned('SELECT * FROM many WHERE n = 1280000');
INSERT INTO many SELECT (k % 500) * 10000, k FROM generate_series(1, 10000) k;
SELECT scanned('SELECT * FROM many WHERE n = 1280000'), expected('many');
ROLLBACK;
SELECT scanned('SELECT * FROM many WHERE n = 1280000'), expected('many'), sound('many');
SET client_min_messages = warning;
DROP SCHEMA directory CASCADE;
