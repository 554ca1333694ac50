-- ANALYZE gives sound statistics, and the planner's estimates follow.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS statistics CASCADE;
RESET client_min_messages;
CREATE SCHEMA statistics;
SET search_path = statistics, public;

CREATE FUNCTION within(a float8, b float8, factor float8) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT a BETWEEN b / factor AND b * factor';
CREATE FUNCTION estimate(q text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE j json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || q INTO j;
  RETURN (j->0->'Plan'->>'Plan Rows')::float8;
END $$;

-- 10 series of 20 000 rows each, by time, as a collector sends them
CREATE TABLE t (ts timestamptz, host text, i int, half int, constant int, nothing int) USING nodedb_ts;
INSERT INTO t SELECT '2024-01-01'::timestamptz + (i / 10) * interval '10 s', 'host_' || i % 10, i, CASE WHEN i % 2 = 0 THEN i % 100 END, 7, NULL
  FROM generate_series(0, 199999) i;
SELECT reltuples FROM pg_class WHERE oid = 't'::regclass;
ANALYZE t;
SELECT within(reltuples, 200000, 1.01) AS reltuples, relpages > 0 AS relpages FROM pg_class WHERE oid = 't'::regclass;
CREATE FUNCTION checks() RETURNS TABLE (attname name, null_frac bool, n_distinct bool, correlation bool, common bool, bounds bool) LANGUAGE sql AS $$
  SELECT attname,
         abs(null_frac - CASE attname WHEN 'half' THEN 0.5 WHEN 'nothing' THEN 1 ELSE 0 END) < 0.02,
         CASE attname
           WHEN 'ts' THEN within(CASE WHEN n_distinct < 0 THEN -n_distinct * 200000 ELSE n_distinct END, 20000, 1.5)
           WHEN 'host' THEN n_distinct = 10
           WHEN 'i' THEN within(CASE WHEN n_distinct < 0 THEN -n_distinct * 200000 ELSE n_distinct END, 200000, 1.1)
           WHEN 'half' THEN n_distinct = 50
           WHEN 'constant' THEN n_distinct = 1
           WHEN 'nothing' THEN n_distinct = 0 END,
         coalesce(correlation BETWEEN -1 AND 1, true),
         CASE attname WHEN 'host' THEN array_length(most_common_freqs, 1) = 10 AND (SELECT bool_and(within(f, 0.1, 1.5)) FROM unnest(most_common_freqs) f)
                      WHEN 'half' THEN array_length(most_common_freqs, 1) = 50 ELSE true END,
         CASE attname WHEN 'i' THEN (histogram_bounds::text::int[])[1] < 2000 AND (histogram_bounds::text::int[])[array_length(histogram_bounds::text::int[], 1)] > 198000 ELSE true END
  FROM pg_stats WHERE schemaname = 'statistics' AND tablename = 't' ORDER BY attname
$$;
SELECT * FROM checks();
SELECT within(estimate('SELECT * FROM t'), 200000, 1.05) AS whole,
       within(estimate($$SELECT * FROM t WHERE host = 'host_3'$$), 20000, 2) AS one_host,
       within(estimate($$SELECT * FROM t WHERE ts >= '2024-01-01 12:00' AND ts < '2024-01-01 18:00'$$), 21600, 2) AS six_hours,
       within(estimate($$SELECT * FROM t WHERE host = 'host_3' AND ts < '2024-01-01 12:00'$$), 4320, 2) AS both,
       within(estimate($$SELECT * FROM t WHERE i < 1000$$), 1000, 2) AS few,
       within(estimate($$SELECT * FROM t WHERE half IS NULL$$), 100000, 2) AS nulls,
       within(estimate($$SELECT host, count(*) FROM t GROUP BY host$$), 10, 2) AS groups;
-- the same from segments
SELECT ts_flush('t') >= 0 AS flushed;
ANALYZE t;
SELECT within(reltuples, 200000, 1.01) AS reltuples, relpages > 0 AS relpages FROM pg_class WHERE oid = 't'::regclass;
SELECT * FROM checks();

-- a table of one series is in the order of its time
CREATE TABLE one (ts timestamptz, v int) USING nodedb_ts;
INSERT INTO one SELECT '2024-01-01'::timestamptz + i * interval '10 s', i * 7919 % 1000 FROM generate_series(1, 50000) i;
SELECT ts_flush('one') >= 0 AS flushed;
ANALYZE one;
SELECT attname, CASE attname WHEN 'ts' THEN correlation > 0.99 ELSE abs(correlation) < 0.2 END AS correlation FROM pg_stats WHERE schemaname = 'statistics' AND tablename = 'one' ORDER BY 1;

-- small rows only: batches, one row a transaction, and rows of the running transaction
CREATE TABLE small (ts timestamptz, v int) USING nodedb_ts;
DO $$ BEGIN FOR k IN 1 .. 1500 LOOP INSERT INTO small VALUES ('2024-01-01', k % 30); COMMIT; END LOOP; END $$;
ANALYZE small;
SELECT within(reltuples, 1500, 1.01) AS reltuples FROM pg_class WHERE oid = 'small'::regclass;
SELECT attname, n_distinct FROM pg_stats WHERE schemaname = 'statistics' AND tablename = 'small' ORDER BY 1;
-- segments of very different density, rows that were rolled back, batches beside them
BEGIN;
INSERT INTO small SELECT '2024-01-01', -1 FROM generate_series(1, 100000);
ROLLBACK;
INSERT INTO small SELECT '2024-01-02'::timestamptz + i * interval '1 s', i % 30 FROM generate_series(1, 20000) i;
SELECT ts_flush('small') >= 0 AS flushed;
INSERT INTO small SELECT '2024-01-03'::timestamptz + i * interval '1 s', i % 30 FROM generate_series(1, 3500) i;
ANALYZE small;
SELECT within(reltuples, 25000, 1.01) AS reltuples FROM pg_class WHERE oid = 'small'::regclass;
SELECT n_distinct FROM pg_stats WHERE schemaname = 'statistics' AND tablename = 'small' AND attname = 'v';
SELECT count(*) FROM small WHERE v = -1;
-- in the transaction that inserts
BEGIN;
INSERT INTO small SELECT '2024-01-04', i % 30 FROM generate_series(1, 25000) i;
ANALYZE small;
SELECT within(reltuples, 50000, 1.01) AS reltuples FROM pg_class WHERE oid = 'small'::regclass;
ROLLBACK;
-- wide values do not hurt
CREATE TABLE wide (ts timestamptz, p text) USING nodedb_ts;
INSERT INTO wide SELECT '2024-01-01', repeat(md5(i::text), 200) FROM generate_series(1, 500) i;
ANALYZE wide;
SELECT within(reltuples, 500, 1.01) AS reltuples FROM pg_class WHERE oid = 'wide'::regclass;
SELECT attname, avg_width > 0 AS width FROM pg_stats WHERE schemaname = 'statistics' AND tablename = 'wide' ORDER BY 1;
-- empty, emptied, and without columns
CREATE TABLE e (i int) USING nodedb_ts;
ANALYZE e;
SELECT reltuples FROM pg_class WHERE oid = 'e'::regclass;
TRUNCATE small;
ANALYZE small;
SELECT reltuples FROM pg_class WHERE oid = 'small'::regclass;
SELECT count(*) FROM small;
CREATE TABLE z () USING nodedb_ts;
INSERT INTO z SELECT FROM generate_series(1, 1000);
ANALYZE z;
SELECT reltuples FROM pg_class WHERE oid = 'z'::regclass;
-- extended statistics, statistics of expressions, targets
CREATE STATISTICS s (ndistinct, dependencies, mcv) ON host, half FROM t;
ALTER TABLE t ALTER i SET STATISTICS 500;
ANALYZE t (host, half, i);
SELECT array_length(histogram_bounds::text::int[], 1) FROM pg_stats WHERE schemaname = 'statistics' AND tablename = 't' AND attname = 'i';
SELECT count(*) FROM pg_stats_ext WHERE schemaname = 'statistics';
-- through inheritance and partitions
CREATE TABLE p (ts timestamptz, v int) PARTITION BY RANGE (ts);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2024-02-01') USING nodedb_ts;
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2024-02-01') TO ('2024-03-01') USING nodedb_ts;
INSERT INTO p SELECT '2024-01-01'::timestamptz + i * interval '2 min', i % 5 FROM generate_series(1, 40000) i;
ANALYZE p;
SELECT within(reltuples, 40000, 1.01) AS reltuples FROM pg_class WHERE oid = 'p'::regclass;
SELECT n_distinct FROM pg_stats WHERE schemaname = 'statistics' AND tablename = 'p' AND attname = 'v';

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'statistics'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA statistics CASCADE;
