-- The extension's own scans: plans, parameters, rescans, security, cursors, parallel plans, what is kept of segments.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS custom_scan CASCADE;
DROP ROLE IF EXISTS nodedb_ts_reader;
RESET client_min_messages;
CREATE SCHEMA custom_scan;
SET search_path = custom_scan, public;
SET TimeZone = 'UTC';
SET max_parallel_workers_per_gather = 0;
SET enable_seqscan = off;
SET jit = off;
CREATE TABLE t (ts timestamptz, tag text, i int, v float8) USING nodedb_ts;
INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '1 s', 'tag ' || i % 10, i, i / 4.0 FROM generate_series(1, 20000) i;
SELECT ts_flush('t') >= 0 AS flushed;
INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '1 s', 'tag ' || i % 10, i, i / 4.0 FROM generate_series(20001, 20100) i;

-- plans
EXPLAIN (COSTS OFF) SELECT v FROM t WHERE i < 100 AND tag = 'tag 3' AND v / 2 > 3;
EXPLAIN (COSTS OFF, VERBOSE) SELECT count(*) FROM t x WHERE (i < 100 OR tag LIKE 'a%') AND ts IS NOT NULL;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT v FROM t WHERE i > 30000;
-- integers beside numbers of other types
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT v FROM t WHERE i > 30000.5 AND i < 1e300::float8 AND 7.0 <> i;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT v FROM t WHERE i IN (7.5, 30000, 100.0) AND i = ANY ('{100,100.5}'::float8[]);
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT v FROM t WHERE i IN (7.5, 8.5);
-- a time beside a date or a time without zone; but no time without zone beside one with it
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT v FROM t WHERE ts >= '2025-01-01'::date AND ts < current_date + 1 AND '2025-01-01'::timestamp <> ts;
EXPLAIN (COSTS OFF) SELECT v FROM t WHERE ts::timestamp > now();
EXPLAIN (COSTS OFF, FORMAT json) SELECT v FROM t WHERE i = 7;
EXPLAIN (COSTS OFF) SELECT xmin FROM t WHERE i = 7;
EXPLAIN (COSTS OFF) SELECT i FROM t TABLESAMPLE system (100) WHERE i = 7;
SET nodedb_ts.enable_scan = off;
EXPLAIN (COSTS OFF) SELECT i FROM t WHERE i = 7;
RESET nodedb_ts.enable_scan;

-- parameters; the table changes its storage between executions
PREPARE p(int, text, timestamptz) AS SELECT count(*), min(i), max(i) FROM t WHERE i >= $1 AND tag = $2 AND ts < $3 - interval '1 s';
SET plan_cache_mode = force_generic_plan;
EXECUTE p(20000, 'tag 3', 'infinity');
EXECUTE p(NULL, 'tag 3', 'infinity');
SELECT ts_flush('t') >= 0 AS flushed;
EXECUTE p(20000, 'tag 3', 'infinity');
SELECT rows FROM ts_compact('t', before => 'infinity');
EXECUTE p(20000, 'tag 3', 'infinity');
VACUUM t;
EXECUTE p(20000, 'tag 3', 'infinity');
SET plan_cache_mode = force_custom_plan;
EXECUTE p(20000, 'tag 4', '2024-01-01 05:34');
RESET plan_cache_mode;
SELECT count(*) FROM t WHERE i > (SELECT max(i) - 10 FROM t);

-- rescans
SET enable_material = off;
SET enable_memoize = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT g, n, s FROM generate_series(0, 3) g, LATERAL (SELECT count(*) AS n, sum(i) AS s FROM t WHERE i < g * 100 AND tag = 'tag ' || g OFFSET 0) q;
SELECT g, (SELECT i FROM t WHERE i > g ORDER BY i LIMIT 1) FROM unnest(ARRAY[5, NULL, 20099, 20100]) g;
SELECT count(*), sum(b.v) FROM generate_series(1, 20000, 4000) g JOIN t b ON b.i = g;
RESET enable_material;
RESET enable_memoize;
RESET enable_hashjoin;
RESET enable_mergejoin;
SELECT count(*), sum(a.i) FROM t a JOIN t b ON a.i = b.i + 1 WHERE b.tag = 'tag 1';
SELECT t, tableoid::regclass FROM t WHERE i = 7;
SELECT count(*) FROM t x WHERE x::text LIKE '%"tag 7",2%';
SELECT i FROM t WHERE i IN (3, 20050) FOR KEY SHARE;

-- cursors, both ways; rows of later commands are not theirs
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT i FROM t WHERE i % 5000 = 0 ORDER BY i;
DECLARE d SCROLL CURSOR FOR SELECT i FROM t WHERE tag = 'tag 3' AND i < 40;
INSERT INTO t VALUES ('2025-01-01', 'tag 3', 30, 0), ('2025-01-01', 'tag 3', 5000, 0);
FETCH 2 FROM d;
FETCH ALL FROM d;
FETCH BACKWARD 2 FROM d;
FETCH ALL FROM c;
FETCH BACKWARD ALL FROM c;
SELECT count(*) FROM t WHERE i IN (30, 5000);
ROLLBACK;

-- rows that a policy or a view hides stay hidden from functions
CREATE ROLE nodedb_ts_reader;
GRANT USAGE ON SCHEMA custom_scan TO nodedb_ts_reader;
GRANT SELECT ON t TO nodedb_ts_reader;
CREATE FUNCTION leaks(int) RETURNS bool LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE NOTICE 'seen %', $1; RETURN true; END $$;
CREATE VIEW few WITH (security_barrier) AS SELECT * FROM t WHERE tag = 'tag 3' AND v < 5;
SELECT i FROM few WHERE leaks(i) AND i < 1000;
EXPLAIN (COSTS OFF) SELECT i FROM few WHERE leaks(i) AND i < 1000 AND tag LIKE 't%';
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (i % 7000 = 1);
SET ROLE nodedb_ts_reader;
SELECT i FROM t WHERE leaks(i) AND i < 10000;
EXPLAIN (COSTS OFF) SELECT i FROM t WHERE leaks(i) AND i < 10000 AND tag LIKE 't%';
RESET ROLE;
ALTER TABLE t DISABLE ROW LEVEL SECURITY;
DROP POLICY p ON t;
DROP VIEW few;

-- an error in the middle, many times
DO $$ BEGIN
  FOR k IN 1 .. 50 LOOP
    BEGIN
      PERFORM 1 / (i - 15000) FROM t WHERE i > 10 AND 1 / (i - 15000) < 2;
      RAISE EXCEPTION 'no error';
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
  END LOOP;
END $$;
SELECT count(*) FROM t WHERE i > 10 AND tag = 'tag 3';

-- what is kept of segments goes when the row type or the file changes
BEGIN;
ALTER TABLE t ADD COLUMN n int DEFAULT 5;
SELECT count(*) FROM t WHERE n = 5 AND i <= 10;
SAVEPOINT s;
ALTER TABLE t ALTER i TYPE text;
SELECT count(*) FROM t WHERE i = '7';
ROLLBACK TO s;
SELECT count(*) FROM t WHERE i = 7;
ALTER TABLE t DROP COLUMN v;
SELECT count(*) FROM t WHERE i = 7 AND n = 5;
ROLLBACK;
SELECT count(*) FROM t WHERE i = 7 AND v > 1;
BEGIN;
TRUNCATE t;
SELECT count(*) FROM t WHERE i = 7;
ROLLBACK;
SELECT count(*) FROM t WHERE i = 7;
VACUUM FULL t;
SELECT count(*) FROM t WHERE i = 7;
-- a file that is emptied in place
CREATE TEMP TABLE y (ts timestamptz, a int, b text) USING nodedb_ts ON COMMIT DELETE ROWS;
BEGIN;
INSERT INTO y SELECT '2024-01-01'::timestamptz + i * interval '1 s', i % 10 + 10, 'l' || i % 10 FROM generate_series(1, 20000) i;
SELECT count(*) FROM y WHERE a >= 20;
SELECT count(*) FROM y WHERE b = 'm4';
COMMIT;
BEGIN;
INSERT INTO y SELECT '2024-01-01'::timestamptz + i * interval '1 s', i % 10 + 20, 'm' || i % 10 FROM generate_series(1, 20000) i;
SELECT count(*) FROM y WHERE a >= 20;
SELECT count(*) FROM y WHERE b = 'm4';
COMMIT;

-- parallel plans
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT v FROM t WHERE i % 2 = 0 AND tag = 'tag 4';
SELECT count(*), sum(i) FROM t WHERE i % 4 = 0 AND tag = 'tag 4';
SET parallel_leader_participation = off;
SELECT count(*), sum(i) FROM t WHERE i % 4 = 0 AND tag = 'tag 4';
SELECT count(*) FROM (SELECT i FROM t WHERE tag = 'tag 4' LIMIT 50) q;
RESET parallel_leader_participation;
SELECT g, n FROM generate_series(1, 3) g, LATERAL (SELECT count(*) AS n FROM (SELECT i FROM t WHERE tag = 'tag 4' LIMIT 50) q WHERE g > 0) q;
SET client_min_messages = warning;
DROP SCHEMA custom_scan CASCADE;
DROP ROLE nodedb_ts_reader;
