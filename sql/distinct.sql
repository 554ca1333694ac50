-- SELECT DISTINCT by the aggregate node; keys that statistics and lists of values tell. Compared with heap.
SET timezone = 'UTC';
SET jit = off;
CREATE SCHEMA dist;
SET search_path = dist, public;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t_heap (ts timestamptz, host text, region text, n int, f float8, num numeric, v varchar(9), c char(4), m mood, b bool, arr int[]);
CREATE TABLE t_ts (LIKE t_heap) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host', nodedb_ts.time_column = 'ts');
INSERT INTO t_heap
  SELECT '2026-01-01'::timestamptz + i * interval '30 seconds', 'h' || i % 8, CASE i % 8 WHEN 7 THEN NULL ELSE 'r' || i % 4 / 2 END,
         CASE i % 97 WHEN 0 THEN NULL ELSE i * 31 % 23 END, CASE i % 5 WHEN 0 THEN float8 'NaN' WHEN 1 THEN '-0' WHEN 2 THEN 0 ELSE i % 7 END,
         (i % 6)::numeric(9, 3) / 2, 'v' || i % 3, 'c' || i % 3, (ARRAY['happy', 'sad', 'ok'])[1 + i % 3]::mood,
         CASE i % 8 WHEN 1 THEN NULL ELSE i % 8 < 4 END, ARRAY[i % 3]
    FROM generate_series(1, 24000) i;
INSERT INTO t_ts SELECT * FROM t_heap WHERE ts < '2026-01-07';
SELECT ts_flush('t_ts') >= 0 AS flushed;
SELECT count(*) >= 0 AS compacted FROM ts_compact('t_ts', before => 'infinity');
INSERT INTO t_ts SELECT * FROM t_heap WHERE ts >= '2026-01-07' AND ts < '2026-01-09';
SELECT ts_flush('t_ts') >= 0 AS flushed;
INSERT INTO t_ts SELECT * FROM t_heap WHERE ts >= '2026-01-09';
-- columns that segments do not have
ALTER TABLE t_heap ADD COLUMN late text DEFAULT 'late', ADD COLUMN empty text;
ALTER TABLE t_ts ADD COLUMN late text DEFAULT 'late', ADD COLUMN empty text;
ANALYZE t_heap, t_ts;

EXPLAIN (COSTS OFF) SELECT DISTINCT host FROM t_ts;
EXPLAIN (COSTS OFF) SELECT DISTINCT host, 1 AS one, n FROM t_ts WHERE n > 3 ORDER BY n DESC, host;
EXPLAIN (COSTS OFF) SELECT DISTINCT date_trunc('day', ts) AS day FROM t_ts ORDER BY day DESC LIMIT 2;
-- not: only constants, types without images, volatile, aggregates, windows, the switch
EXPLAIN (COSTS OFF) SELECT DISTINCT 1 FROM t_ts;
EXPLAIN (COSTS OFF) SELECT DISTINCT c FROM t_ts;
EXPLAIN (COSTS OFF) SELECT DISTINCT arr FROM t_ts;
EXPLAIN (COSTS OFF) SELECT DISTINCT random() < 2 FROM t_ts;
EXPLAIN (COSTS OFF) SELECT DISTINCT count(*) FROM t_ts GROUP BY host;
EXPLAIN (COSTS OFF) SELECT DISTINCT rank() OVER (ORDER BY n) FROM t_ts;
SET nodedb_ts.enable_vectorized_aggregate = off;
EXPLAIN (COSTS OFF) SELECT DISTINCT host FROM t_ts;
RESET nodedb_ts.enable_vectorized_aggregate;

-- vectors of one host or one region are not read
CREATE FUNCTION skipped_share(query text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE plan json; node json;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || query INTO plan;
  node := plan->0->'Plan'->'Plans'->0;
  RETURN round((node->>'Vectors Skipped')::numeric / (node->>'Vectors')::numeric, 2);
END $$;
CREATE TABLE whole_ts (LIKE t_heap) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host', nodedb_ts.time_column = 'ts');
INSERT INTO whole_ts SELECT * FROM t_heap;
SELECT ts_flush('whole_ts') >= 0 AS flushed;
ANALYZE whole_ts;
SELECT skipped_share('SELECT DISTINCT host FROM whole_ts') AS host,
       skipped_share('SELECT region, max(n), count(*) FROM whole_ts GROUP BY region') AS region,
       skipped_share('SELECT region, late, host FROM whole_ts GROUP BY region, late, host') AS region_late_host,
       skipped_share('SELECT DISTINCT n FROM whole_ts') AS n;
SET nodedb_ts.enable_statistics_aggregate = off;
SELECT skipped_share('SELECT DISTINCT host FROM whole_ts') AS host;
RESET nodedb_ts.enable_statistics_aggregate;
DROP TABLE whole_ts;

-- Runs queries on both tables, with switches on and off; counts different results. {} is the table.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/differences.sql'
\set ECHO none
\i :include
\set ECHO all
CREATE FUNCTION differences(queries text[], of_table text DEFAULT 't_ts') RETURNS TABLE (compared int, different int, used int) LANGUAGE sql AS $$
  SELECT * FROM compare_queries(queries, 't_heap', of_table,
    ARRAY['nodedb_ts.enable_vectorized_aggregate = on, nodedb_ts.enable_statistics_aggregate = on', 'nodedb_ts.enable_statistics_aggregate = off',
          'nodedb_ts.enable_statistics_aggregate = on, nodedb_ts.enable_vectorized_aggregate = off'], '%nodedb_ts aggregate%', true)
$$;
CREATE VIEW queries AS
  SELECT format('SELECT DISTINCT %s FROM {} %s %s', e, w, o) AS q
    FROM unnest(ARRAY['host', 'region', 'n', 'f + 0', 'v, b', 'region, host', 'date_trunc(''day'', ts), region', 'n, region, b', 'm, host',
                      'late', 'empty', 'empty, late, region', 'host, upper(host), 7', 'b IS NULL, n % 3']) e,
         unnest(ARRAY['', 'WHERE n % 10 = 7', 'WHERE host IN (''h3'', ''h7'')', 'WHERE region IS NULL', 'WHERE ts < ''2026-01-03 04:05''',
                      'WHERE n > 5000']) w,
         unnest(ARRAY['', 'ORDER BY 1', 'ORDER BY 1 DESC LIMIT ALL', 'OFFSET 0']) o
  UNION ALL SELECT format('SELECT DISTINCT %s FROM {} ORDER BY 1 %s LIMIT 2', e, o)
    FROM unnest(ARRAY['host', 'region', 'n', 'v', 'date_trunc(''day'', ts)', 'late', 'empty']) e, unnest('{ASC,DESC}'::text[]) o;
SELECT compared > 300 AS many, different, used > compared * 0.9 AS mostly FROM differences(ARRAY(SELECT q FROM queries));
CREATE VIEW grouped AS
  SELECT format('SELECT %s, count(*), max(n), min(abs(f)), sum(n) FROM {} %s GROUP BY %s', e, w, e) AS q
    FROM unnest(ARRAY['region', 'b', 'v', 'region, host', 'date_trunc(''day'', ts), region', 'late', 'empty, region']) e,
         unnest(ARRAY['', 'WHERE n % 10 = 7', 'WHERE host IN (''h3'', ''h7'')', 'WHERE region = ''r1''', 'WHERE ts < ''2026-01-03 04:05''']) w;
SELECT compared, different, used FROM differences(ARRAY(SELECT q FROM grouped));
SET work_mem = '64kB';
SELECT compared, different, used FROM differences(ARRAY['SELECT DISTINCT ts, host FROM {}', 'SELECT DISTINCT ts, n FROM {} ORDER BY 2, 1']);
RESET work_mem;
-- inside of other queries
SELECT compared, different, used FROM differences(ARRAY[
  'SELECT count(*) FROM (SELECT DISTINCT host, n FROM {}) x', 'SELECT host FROM {} UNION SELECT region FROM {}',
  'SELECT DISTINCT host FROM {} EXCEPT SELECT ''h1''', 'SELECT x.host, y.n FROM (SELECT DISTINCT host FROM {}) x JOIN
   (SELECT DISTINCT n, host FROM {} WHERE n < 4) y USING (host)', 'SELECT DISTINCT x.host FROM {} x JOIN (VALUES (3)) w(n) USING (n)',
  'SELECT i, (SELECT count(*) FROM (SELECT DISTINCT host FROM {} WHERE n = i) x) FROM generate_series(0, 5) i',
  'SELECT 1 WHERE EXISTS (SELECT DISTINCT host FROM {})']);
PREPARE p(int) AS SELECT DISTINCT host FROM t_ts WHERE n = $1 AND ts < '2026-01-01 03:00' ORDER BY host;
SET plan_cache_mode = force_generic_plan;
EXECUTE p(3);
EXECUTE p(300);
CREATE TABLE made USING nodedb_ts AS SELECT DISTINCT host, region FROM t_ts;
SELECT count(*) FROM made;
BEGIN;
DECLARE cur SCROLL CURSOR FOR SELECT DISTINCT v FROM t_ts ORDER BY v;
FETCH 2 FROM cur;
FETCH BACKWARD 1 FROM cur;
FETCH ALL FROM cur;
COMMIT;

-- partitions, of heap too, with columns elsewhere; inheritance; each gives its own
CREATE TABLE p_ts (LIKE t_heap) PARTITION BY RANGE (ts);
CREATE TABLE p_ts_1 PARTITION OF p_ts FOR VALUES FROM (MINVALUE) TO ('2026-01-04') USING nodedb_ts;
CREATE TABLE p_ts_2 (gone int, late text, empty text, arr int[], b bool, m mood, c char(4), v varchar(9), num numeric, f float8, n int,
                     region text, host text, ts timestamptz) USING nodedb_ts;
ALTER TABLE p_ts_2 DROP COLUMN gone;
ALTER TABLE p_ts ATTACH PARTITION p_ts_2 FOR VALUES FROM ('2026-01-04') TO ('2026-01-08');
CREATE TABLE p_ts_3 PARTITION OF p_ts DEFAULT;
INSERT INTO p_ts SELECT * FROM t_heap;
SELECT ts_flush('p_ts_1') >= 0 AS flushed;
SELECT ts_flush('p_ts_2') >= 0 AS flushed;
ANALYZE p_ts;
EXPLAIN (COSTS OFF) SELECT DISTINCT host, region FROM p_ts;
EXPLAIN (COSTS OFF) SELECT DISTINCT host FROM p_ts WHERE ts < '2026-01-02';
SELECT compared > 300 AS many, different, used > 100 AS some FROM differences(ARRAY(SELECT q FROM queries), 'p_ts');
SELECT compared, different, used > 0 AS some FROM differences(ARRAY['SELECT DISTINCT x.host FROM {} x, {} y WHERE x.ts = y.ts AND y.n = 4',
  'SELECT DISTINCT host, tableoid > 0 FROM {}', 'SELECT DISTINCT host FROM {} WHERE (SELECT true)',
  'SELECT host FROM (SELECT DISTINCT host, n FROM {}) x WHERE n = 3'], 'p_ts');
-- expressions, too, are made where the rows are
EXPLAIN (COSTS OFF) SELECT DISTINCT date_trunc('day', ts) AS day, 1 AS one, host FROM p_ts WHERE n > 3 ORDER BY day DESC LIMIT 2;
EXPLAIN (COSTS OFF) SELECT DISTINCT upper(host) FROM p_ts WHERE ts < '2026-01-02';
EXPLAIN (COSTS OFF) SELECT DISTINCT upper(host) FROM p_ts WHERE ts > '2026-01-08';
EXPLAIN (COSTS OFF) SELECT DISTINCT arr || 1 FROM p_ts;
-- groups of all partitions are kept at once, so they have to fit into memory
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
EXPLAIN (COSTS OFF) SELECT DISTINCT time_bucket('1 minute', ts) FROM p_ts;
RESET work_mem;
RESET hash_mem_multiplier;
EXPLAIN (COSTS OFF) SELECT DISTINCT time_bucket('1 minute', ts) FROM p_ts;
SET nodedb_ts.enable_partial_aggregate = off;
EXPLAIN (COSTS OFF) SELECT DISTINCT upper(host) FROM p_ts;
RESET nodedb_ts.enable_partial_aggregate;
CREATE VIEW expressions AS
  SELECT format('SELECT DISTINCT %s FROM {} %s %s', e, w, o) AS q
    FROM unnest(ARRAY['upper(host)', 'time_bucket(''1 day'', ts)', 'n / 5, host', 'n % 7 AS x, 7, n % 7 AS y',
                      'coalesce(late, ''none''), region, num + 1', 'b IS NULL, n IS NULL', 'm::text, length(v)',
                      'time_bucket(''2 days'', ts), region, extract(dow FROM ts)']) e,
         unnest(ARRAY['', 'WHERE n = 7', 'WHERE host IN (''h3'', ''h7'')', 'WHERE ts < ''2026-01-03 04:05''', 'WHERE ts < now()',
                      'WHERE n > 5000']) w,
         unnest(ARRAY['', 'ORDER BY 1', 'ORDER BY 1 DESC NULLS LAST OFFSET 0']) o;
SELECT compared, different, used > 100 AS most FROM differences(ARRAY(SELECT q FROM expressions), 'p_ts');
PREPARE q(timestamptz) AS SELECT DISTINCT upper(host) FROM p_ts WHERE ts < $1 AND n = 4 ORDER BY 1;
EXPLAIN (COSTS OFF) EXECUTE q('2026-01-01 00:30');
EXECUTE q('2026-01-01 00:30');
EXECUTE q('2026-01-06');
CREATE TABLE child () INHERITS (t_ts) USING nodedb_ts;
INSERT INTO child SELECT * FROM t_heap WHERE n = 3;
SELECT compared, different, used FROM differences(ARRAY['SELECT DISTINCT host, n FROM {}', 'SELECT DISTINCT region FROM {} WHERE n < 7',
  'SELECT DISTINCT n / 4, lower(host) FROM {} WHERE n < 9'], 't_ts');
-- DISTINCT ON of each partition
EXPLAIN (COSTS OFF) SELECT DISTINCT ON (host) host, ts, n FROM p_ts ORDER BY host, ts DESC;
SELECT compared, different FROM differences(ARRAY(
  SELECT format('SELECT DISTINCT ON (%s) %s, %s, %s FROM {} %s ORDER BY %s, %s %s', k, k, s, r, w, k, s, d)
    FROM unnest('{host,region,v}'::text[]) k, unnest('{ts}'::text[]) s, unnest('{n,region,late}'::text[]) r, unnest('{ASC,DESC}'::text[]) d,
         unnest(ARRAY['', 'WHERE n = 3', 'WHERE ts < ''2026-01-05''']) w), 'p_ts');
SET client_min_messages = warning;
DROP SCHEMA dist CASCADE;
