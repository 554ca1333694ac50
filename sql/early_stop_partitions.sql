-- GROUP BY time bucket ORDER BY bucket LIMIT n over partitions: each is read as far as the query goes.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS early_stop_partitions CASCADE;
RESET client_min_messages;
CREATE SCHEMA early_stop_partitions;
SET search_path = early_stop_partitions, public;
SET timezone = 'UTC';
SET max_parallel_workers_per_gather = 0;
CREATE TABLE t_heap (ts timestamptz, host text, n int, f float8);
CREATE TABLE t_ts (ts timestamptz, host text, n int, f float8) PARTITION BY RANGE (ts);
CREATE TABLE t1 PARTITION OF t_ts FOR VALUES FROM ('2026-01-01') TO ('2026-01-02') USING nodedb_ts;
-- columns in another order, one dropped
CREATE TABLE t2 (f float8, gone int, n int, host text, ts timestamptz) USING nodedb_ts;
ALTER TABLE t2 DROP COLUMN gone;
ALTER TABLE t_ts ATTACH PARTITION t2 FOR VALUES FROM ('2026-01-02') TO ('2026-01-03');
-- partitions of a partition
CREATE TABLE t3 PARTITION OF t_ts FOR VALUES FROM ('2026-01-03') TO ('2026-01-04') PARTITION BY LIST (host);
CREATE TABLE t3a PARTITION OF t3 FOR VALUES IN ('h0', 'h1') USING nodedb_ts;
CREATE TABLE t3b PARTITION OF t3 DEFAULT USING nodedb_ts;
CREATE TABLE t4 PARTITION OF t_ts DEFAULT USING nodedb_ts;
INSERT INTO t_heap SELECT '2026-01-01'::timestamptz + i * interval '47 seconds', 'h' || i % 5, i % 1000, i * 0.5 FROM generate_series(0, 8999) i;
INSERT INTO t_ts SELECT * FROM t_heap;
SELECT sum(ts_flush(c::regclass)) > 0 AS flushed FROM unnest('{t1,t2,t3a}'::text[]) c;
INSERT INTO t_heap SELECT '2026-01-02 12:00'::timestamptz + i * interval '1 minute', 'late', i, i FROM generate_series(0, 99) i;
INSERT INTO t_ts SELECT * FROM t_heap WHERE host = 'late';
ANALYZE t_ts;
ANALYZE t1;
ANALYZE t2;

SET enable_partitionwise_aggregate = on;
EXPLAIN (COSTS OFF) SELECT date_trunc('minute', ts) b, max(n) FROM t_ts GROUP BY b ORDER BY b DESC LIMIT 5;
SET enable_partitionwise_aggregate = off;
EXPLAIN (COSTS OFF) SELECT date_trunc('minute', ts) b, max(n) FROM t_ts GROUP BY b ORDER BY b DESC LIMIT 5;
EXPLAIN (COSTS OFF) SELECT date_trunc('minute', ts) b, host, max(n) FROM t_ts GROUP BY b, host ORDER BY b, host LIMIT 5;
-- one partition is left
EXPLAIN (COSTS OFF) SELECT date_trunc('minute', ts) b, max(n) FROM t_ts WHERE ts >= '2026-01-02' AND ts < '2026-01-02 23:00' GROUP BY b ORDER BY b DESC LIMIT 5;
-- Runs queries on both tables, with the switch on and off; counts different results. {} is the table.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/differences.sql'
\set ECHO none
\i :include
\set ECHO all
CREATE FUNCTION differences(queries text[]) RETURNS TABLE (compared int, different int, merged int) LANGUAGE sql AS $$
  SELECT * FROM compare_queries(queries, 't_heap', 't_ts', '{nodedb_ts.enable_early_stop = on,nodedb_ts.enable_early_stop = off}', '%Merge Append%', false)
$$;
CREATE VIEW queries AS
  SELECT format('SELECT %s b, count(*), sum(n), avg(f), min(n) FILTER (WHERE n > 500) FROM {} %s GROUP BY b %s ORDER BY b %s LIMIT %s', b, w, h, o, l) AS query
    FROM unnest(ARRAY['date_trunc(''minute'', ts)', 'date_bin(''45 minutes'', ts, ''2010-11-15'')', 'date_trunc(''day'', ts)']) b,
         unnest('{ASC,DESC,ASC NULLS FIRST,DESC NULLS LAST}'::text[]) o, unnest('{1,4,100 OFFSET 3,ALL}'::text[]) l,
         unnest(ARRAY['', 'WHERE host IN (''h3'', ''late'')', 'WHERE ts >= ''2026-01-01 20:00'' AND ts < ''2026-01-03 05:00''', 'WHERE n % 100 = 7']) w,
         unnest(ARRAY['', 'HAVING count(*) % 2 = 0 AND max(n) > 300']) h
   WHERE hashtext(b || o || l || w || h) % 3 = 0
  UNION ALL
  SELECT format('SELECT %s b, %s k, count(*), sum(n) FROM {} GROUP BY b, k ORDER BY b %s, k LIMIT %s', b, k, o, l)
    FROM unnest(ARRAY['date_trunc(''hour'', ts)', 'time_bucket(''6 hours'', ts)']) b,
         unnest('{host,n % 3}'::text[]) k, unnest('{ASC,DESC,ASC NULLS FIRST,DESC NULLS LAST}'::text[]) o, unnest('{1,30,100 OFFSET 3,ALL}'::text[]) l;
-- costs that take the order wherever it can be had
SET enable_sort = off;
SET enable_hashagg = off;
SET jit = off;
SELECT * FROM differences(ARRAY(SELECT query FROM queries));
-- times that are NULL or infinite
INSERT INTO t_heap VALUES (NULL, 'h1', 5, 5), ('infinity', 'h1', 6, 6), ('-infinity', NULL, 7, 7), (NULL, NULL, 8, 8);
INSERT INTO t_ts VALUES (NULL, 'h1', 5, 5), ('infinity', 'h1', 6, 6), ('-infinity', NULL, 7, 7), (NULL, NULL, 8, 8);
SELECT * FROM differences(ARRAY(SELECT query FROM queries));
-- more groups than there is room for: states are given out, and come in order all the same
CREATE TABLE w_heap AS SELECT '2026-01-01'::timestamptz + i * interval '5 seconds' AS ts, 'h' || i % 50 AS host, i % 1000 AS n, i * 0.5 AS f FROM generate_series(0, 29999) i;
CREATE TABLE w_ts (LIKE w_heap) PARTITION BY RANGE (ts);
CREATE TABLE w1 PARTITION OF w_ts FOR VALUES FROM (MINVALUE) TO ('2026-01-01 20:00') USING nodedb_ts;
CREATE TABLE w2 PARTITION OF w_ts FOR VALUES FROM ('2026-01-01 20:00') TO (MAXVALUE) USING nodedb_ts;
INSERT INTO w_ts SELECT * FROM w_heap;
SET plan_cache_mode = force_generic_plan;
PREPARE wide AS SELECT date_trunc('minute', ts) m, host, count(*), sum(n), avg(f) FROM w_ts GROUP BY 1, 2 ORDER BY 1 DESC, 2;
PREPARE long AS SELECT date_trunc('day', ts) m, host, n, count(*) FROM w_ts GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
CREATE TEMP TABLE w AS EXECUTE wide;
CREATE TEMP TABLE l AS EXECUTE long;
EXPLAIN (COSTS OFF) EXECUTE wide;
-- the plans stay
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
CREATE FUNCTION groups_of(query text) RETURNS TABLE (groups bigint) LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    groups := substring(line FROM '^ *Groups: (\d+)$')::bigint;
    IF groups IS NOT NULL THEN RETURN NEXT; END IF;
  END LOOP;
END $$;
-- there are 1 000 a day
SELECT groups_of('EXECUTE long') > 1000 AS given_out_several_times;
CREATE TEMP TABLE w2 AS EXECUTE wide;
CREATE TEMP TABLE l2 AS EXECUTE long;
SELECT count(*) FROM ((TABLE w EXCEPT ALL TABLE w2) UNION ALL (TABLE w2 EXCEPT ALL TABLE w)) x;
SELECT count(*) FROM ((TABLE l EXCEPT ALL TABLE l2) UNION ALL (TABLE l2 EXCEPT ALL TABLE l)) x;
SELECT count(*) FROM ((SELECT date_trunc('minute', ts), host, count(*), sum(n), avg(f) FROM w_heap GROUP BY 1, 2) EXCEPT ALL TABLE w2) x;
SELECT count(*) FROM ((SELECT date_trunc('day', ts), host, n, count(*) FROM w_heap GROUP BY 1, 2, 3) EXCEPT ALL TABLE l2) x;
RESET work_mem;
RESET hash_mem_multiplier;
RESET plan_cache_mode;
-- rescans, cursors, limits known at execution only
SELECT d, x.* FROM unnest('{2026-01-02,2026-01-03,2026-01-09}'::timestamptz[]) d,
  LATERAL (SELECT date_trunc('hour', ts) b, count(*), max(n) FROM t_ts WHERE ts < d GROUP BY b ORDER BY b DESC LIMIT 2) x;
PREPARE newest(int, timestamptz) AS SELECT date_trunc('hour', ts) b, count(*) FROM t_ts WHERE ts < $2 GROUP BY b ORDER BY b DESC LIMIT $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE newest(2, '2026-01-02 12:30');
EXECUTE newest(1, '2026-01-01');
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT date_trunc('hour', ts) b, count(*) FROM t_ts GROUP BY b ORDER BY b;
FETCH 2 FROM c;
INSERT INTO t_ts VALUES ('2026-01-01 02:00', 'new', 1, 1);
FETCH 1 FROM c;
FETCH BACKWARD 2 FROM c;
ROLLBACK;

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'early_stop_partitions'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA early_stop_partitions CASCADE;
