-- ORDER BY ... LIMIT over partitions: each gives its best rows. Compared with heap and with the switch off.
SET timezone = 'UTC';
CREATE SCHEMA parts;
SET search_path = parts, public;
CREATE TABLE p_heap (ts timestamptz, host text, n int, d date);
CREATE TABLE p_ts (LIKE p_heap) PARTITION BY RANGE (ts);
CREATE TABLE p_ts_1 PARTITION OF p_ts FOR VALUES FROM ('2026-01-01') TO ('2026-01-02') USING nodedb_ts;
-- columns in another order, sub-partitions, heap among them
CREATE TABLE p_ts_2 (n int, gone int, d date, host text, ts timestamptz) USING nodedb_ts;
ALTER TABLE p_ts_2 DROP COLUMN gone;
ALTER TABLE p_ts ATTACH PARTITION p_ts_2 FOR VALUES FROM ('2026-01-02') TO ('2026-01-03');
CREATE TABLE p_ts_3 PARTITION OF p_ts FOR VALUES FROM ('2026-01-03') TO ('2026-01-04') PARTITION BY HASH (host);
CREATE TABLE p_ts_3a PARTITION OF p_ts_3 FOR VALUES WITH (MODULUS 2, REMAINDER 0) USING nodedb_ts;
CREATE TABLE p_ts_3b PARTITION OF p_ts_3 FOR VALUES WITH (MODULUS 2, REMAINDER 1) USING nodedb_ts;
CREATE TABLE p_ts_d PARTITION OF p_ts DEFAULT;
INSERT INTO p_heap SELECT '2026-01-01'::timestamptz + i * interval '50 seconds', 'h' || i % 13, i * 7919 % 10007, '2026-01-01'::date + i % 5
  FROM generate_series(1, 6000) i;
INSERT INTO p_heap VALUES (NULL, 'h1', 1, NULL), ('2026-01-02 12:00', NULL, NULL, NULL);
INSERT INTO p_ts SELECT * FROM p_heap;
SELECT ts_flush('p_ts_1') >= 0 AND ts_flush('p_ts_3a') >= 0 AS flushed;
ANALYZE p_heap, p_ts;

EXPLAIN (COSTS OFF) SELECT * FROM p_ts WHERE n > 5 ORDER BY n DESC, ts LIMIT 3;
EXPLAIN (COSTS OFF) SELECT host FROM p_ts WHERE ts < '2026-01-03' ORDER BY ts DESC LIMIT 3;
-- not: joins, groups, locks
EXPLAIN (COSTS OFF) SELECT a.n FROM p_ts_3 a JOIN p_heap b ON a.n = b.n ORDER BY a.n LIMIT 3;
EXPLAIN (COSTS OFF) SELECT n FROM p_ts_3 GROUP BY n ORDER BY n LIMIT 3;
EXPLAIN (COSTS OFF) SELECT n FROM p_ts_3 ORDER BY n LIMIT 3 FOR UPDATE;
-- a limit that only the execution knows
EXPLAIN (COSTS OFF) SELECT n FROM p_ts_3 ORDER BY n LIMIT (SELECT 3);

\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/differences.sql'
\set ECHO none
\i :include
\set ECHO all
CREATE FUNCTION differences(queries text[]) RETURNS TABLE (compared int, different int, used int) LANGUAGE sql AS $$
  SELECT * FROM compare_queries(queries, 'p_heap', 'p_ts', '{nodedb_ts.enable_best_rows = on,nodedb_ts.enable_best_rows = off}', '%best rows%', false)
$$;
SET jit = off;
SELECT * FROM differences(ARRAY(
  SELECT format('SELECT n, ts, host, d FROM {} %s ORDER BY %s LIMIT %s', w, o, l)
    FROM unnest('{ts,ts DESC,n NULLS FIRST,"n DESC NULLS LAST, ts","d DESC, host, ts","d, ts DESC NULLS LAST"}'::text[]) o,
         unnest('{1,5,40 OFFSET 30}'::text[]) l,
         unnest(ARRAY['', 'WHERE host = ''h3''', 'WHERE ts >= ''2026-01-01 23:00'' AND ts < ''2026-01-03 01:00''', 'WHERE n % 7 = 1']) w));
-- UNION ALL of tables, inheritance, a subquery, a cursor, a rescan
SELECT ts, n FROM (SELECT ts, n FROM p_ts_1 UNION ALL SELECT ts, n FROM p_ts_2 UNION ALL SELECT ts, n + 1 FROM p_ts_3a) u
 ORDER BY n DESC NULLS LAST, ts LIMIT 3;
SELECT (SELECT count(*) FROM (SELECT * FROM p_ts ORDER BY ts DESC NULLS LAST LIMIT 5) x) AS five,
       (SELECT max(n) FROM p_ts WHERE ts = (SELECT ts FROM p_ts WHERE ts IS NOT NULL ORDER BY ts DESC LIMIT 1)) AS newest;
SELECT (SELECT min(n) FROM p_heap WHERE host = 'h3') = min(n) AS least, max(n) FROM p_ts WHERE host = 'h3';
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT n FROM p_ts ORDER BY n DESC NULLS LAST LIMIT 4;
FETCH 3 c;
FETCH BACKWARD 2 c;
FETCH ALL c;
COMMIT;
SELECT h, x.n FROM unnest('{h1,h2}'::text[]) h, LATERAL (SELECT n FROM p_ts WHERE host = h ORDER BY n DESC LIMIT 2) x ORDER BY 1, 2;
SELECT ts_verify('p_ts_1') UNION ALL SELECT ts_verify('p_ts_2') UNION ALL SELECT ts_verify('p_ts_3a');
-- arms of UNION ALL that have other collations than the whole
CREATE TABLE arm_a (host text, ts timestamptz, v int) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host', nodedb_ts.time_column = 'ts');
CREATE TABLE arm_b (host text COLLATE "C", ts timestamptz, v int) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host', nodedb_ts.time_column = 'ts');
INSERT INTO arm_a SELECT h, '2026-01-01'::timestamptz + i * interval '1 s', i FROM generate_series(1, 5000) i, unnest('{a,B,c,D}'::text[]) h;
INSERT INTO arm_b SELECT * FROM arm_a;
SELECT ts_flush('arm_a') >= 0 AND ts_flush('arm_b') >= 0 AS flushed;
ANALYZE arm_a, arm_b;
SET enable_sort = off;
SELECT DISTINCT ON (host) host, v FROM (SELECT host COLLATE "en-x-icu" AS host, ts, v FROM arm_a UNION ALL SELECT host, ts, v FROM arm_b) s
  ORDER BY host, ts DESC;
SELECT ts, host FROM (SELECT host COLLATE "en-x-icu" AS host, ts, v FROM arm_a UNION ALL SELECT host, ts, v FROM arm_b) s
  ORDER BY ts, host LIMIT 8;
RESET enable_sort;
SET client_min_messages = warning;
DROP SCHEMA parts CASCADE;
