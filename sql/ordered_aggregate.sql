-- Groups in the order of ORDER BY, without a sort above: compared with heap, line by line, and with the switch off.
SET timezone = 'UTC';
SET jit = off;
CREATE SCHEMA ordered;
SET search_path = ordered, public;
CREATE DOMAIN score AS int;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE t_heap (ts timestamptz, host text, n int, l bigint, f float8, v varchar(9), c char(4), num numeric, d date, u uuid,
                     s score, m mood, b bool);
CREATE TABLE t_ts (LIKE t_heap) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host', nodedb_ts.time_column = 'ts');
INSERT INTO t_heap
  SELECT CASE i % 61 WHEN 3 THEN NULL WHEN 4 THEN 'infinity' ELSE '2010-10-20'::timestamptz + i * interval '7 minutes' END,
         CASE i % 53 WHEN 5 THEN NULL WHEN 6 THEN '' ELSE 'h' || i * 7919 % 23 END, i * 31 % 1009 - 500,
         (i * 48271::bigint % 7 - 3) * 3074457345618258602, i % 13 - 6, 'v' || i % 9, 'c' || i % 5, (i % 11)::numeric / 4,
         '2011-01-01'::date - i % 17, md5((i % 19)::text)::uuid, i % 5, (ARRAY['happy', 'sad', 'ok'])[1 + i % 3]::mood, i % 2 = 0
    FROM generate_series(1, 6000) i;
INSERT INTO t_ts SELECT * FROM t_heap WHERE n % 3 <> 0;
SELECT ts_flush('t_ts') >= 0 AS flushed;
INSERT INTO t_ts SELECT * FROM t_heap WHERE n % 3 = 0;
ANALYZE t_heap, t_ts;

EXPLAIN (COSTS OFF) SELECT date_trunc('day', ts) b, host, avg(n) FROM t_ts GROUP BY 1, 2 ORDER BY 1, 2;
EXPLAIN (COSTS OFF) SELECT host, l, max(n) FROM t_ts GROUP BY host, l ORDER BY l DESC, host LIMIT 5;
-- not: other places for NULLs, another collation or operator, an order that a value decides, floats, aggregates, the switch
EXPLAIN (COSTS OFF) SELECT host, max(n) FROM t_ts GROUP BY host ORDER BY host NULLS FIRST;
EXPLAIN (COSTS OFF) SELECT host, max(n) FROM t_ts GROUP BY host ORDER BY host COLLATE "POSIX";
EXPLAIN (COSTS OFF) SELECT host, max(n) FROM t_ts GROUP BY host ORDER BY host USING ~<~;
EXPLAIN (COSTS OFF) SELECT f, max(n) FROM t_ts GROUP BY f ORDER BY f;
EXPLAIN (COSTS OFF) SELECT host, max(n) FROM t_ts GROUP BY host ORDER BY 2, host;
SET nodedb_ts.enable_ordered_aggregate = off;
EXPLAIN (COSTS OFF) SELECT host, max(n) FROM t_ts GROUP BY host ORDER BY host;
RESET nodedb_ts.enable_ordered_aggregate;

-- Runs queries on both tables, with the switch on and off; counts different results. {} is the table.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/differences.sql'
\set ECHO none
\i :include
\set ECHO all
CREATE FUNCTION differences(queries text[]) RETURNS TABLE (compared int, different int, used int) LANGUAGE sql AS $$
  SELECT * FROM compare_queries(queries, 't_heap', 't_ts', '{nodedb_ts.enable_ordered_aggregate = on,nodedb_ts.enable_ordered_aggregate = off}', '%  Order: %', false)
$$;
-- buckets are read in windows otherwise
SET nodedb_ts.enable_early_stop = off;
CREATE VIEW queries AS
  SELECT format('SELECT %s x, %s y, count(*), sum(n), min(f) FROM {} %s GROUP BY 1, 2 %s ORDER BY %s LIMIT %s', x, y, w, h, o, l) AS q
    FROM unnest(ARRAY['host', 'n', 'l', 'v', 'num', 'd', 'u', 's', 'date_trunc(''day'', ts)', 'ts']) x,
         unnest(ARRAY['host', 'l', 'v', 'd', 'num']) y,
         unnest('{1 2,1 DESC 2,2 1 DESC,2 DESC 1 DESC}'::text[]) blanks,
         LATERAL (SELECT replace(replace(blanks, ' 1', ', 1'), ' 2', ', 2')) t(o),
         unnest('{7,30 OFFSET 20,ALL}'::text[]) l,
         unnest(ARRAY['', 'WHERE n % 10 = 7', 'WHERE host IN (''h3'', ''h22'')']) w,
         unnest(ARRAY['', 'HAVING count(*) % 2 = 0']) h
   WHERE x <> y AND hashtext(x || y || o || l || w || h) % 5 = 0;
SELECT compared > 300 AS many, different, used = compared AS all_used FROM differences(ARRAY(SELECT q FROM queries));
-- groups that find no room wait in files, all are sorted in the end
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
SELECT compared > 50 AS many, different, used = compared AS all_used
  FROM differences(ARRAY(SELECT q FROM queries WHERE q ~ '(ts|n) x' AND q !~ 'WHERE'));
SELECT compared, different FROM differences(ARRAY[
  'SELECT n, host, count(DISTINCT l), count(DISTINCT host) FROM {} GROUP BY n, host ORDER BY n DESC, host']);
RESET work_mem;
RESET hash_mem_multiplier;
-- as many names as groups: no ranks are made; more groups than are put in order; none; one
SELECT compared, different, used FROM differences(ARRAY[
  'SELECT host || n AS k, count(*) FROM {} GROUP BY 1 ORDER BY 1 DESC',
  'SELECT u, ts, count(*) FROM {} GROUP BY u, ts ORDER BY ts, u DESC',
  'SELECT host, count(*) FROM {} WHERE n > 5000 GROUP BY host ORDER BY host',
  'SELECT host, count(*) FROM {} WHERE host = ''h7'' GROUP BY host ORDER BY host',
  'SELECT c, count(*) FROM {} GROUP BY c ORDER BY c', 'SELECT m, count(*) FROM {} GROUP BY m ORDER BY m', 'SELECT b, count(*) FROM {} GROUP BY b ORDER BY b DESC']);
CREATE TABLE many_ts (i int, k text) USING nodedb_ts;
INSERT INTO many_ts SELECT i * 48271::bigint % 300007, 'k' || i % 7 FROM generate_series(1, 300000) i;
SELECT ts_flush('many_ts') >= 0 AS flushed;
SET work_mem = '256MB';
SELECT count(*), count(*) FILTER (WHERE i < before) AS disordered
  FROM (SELECT i, lag(i) OVER () AS before FROM (SELECT i, count(*) FROM many_ts GROUP BY i ORDER BY i) g) x;
SELECT count(*), count(*) FILTER (WHERE (k, i) > (k_before, i_before)) AS disordered
  FROM (SELECT k, i, lag(k) OVER () AS k_before, lag(i) OVER () AS i_before
          FROM (SELECT k, i, count(*) FROM many_ts GROUP BY k, i ORDER BY k DESC, i DESC) g) x;
-- no more of them are kept than a LIMIT asks for, unless something decides later
CREATE FUNCTION sort_method(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; found text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    found := coalesce(found, regexp_replace(substring(line FROM 'Sort Method: (.*)'), '[1-9]\d*kB', 'NkB'));
  END LOOP;
  RETURN found;
END $$;
SELECT q, sort_method('SELECT ' || q) FROM unnest(ARRAY['i FROM many_ts GROUP BY i ORDER BY i LIMIT 3', 'i FROM many_ts GROUP BY i ORDER BY i',
  'DISTINCT i FROM many_ts ORDER BY i LIMIT 3', 'i FROM many_ts GROUP BY i HAVING i > 9 ORDER BY i LIMIT 3',
  'i FROM many_ts GROUP BY i ORDER BY i FETCH FIRST 3 ROWS WITH TIES', 'i FROM many_ts WHERE i < 9 GROUP BY i ORDER BY i LIMIT 3',
  'k || i FROM many_ts WHERE i < 9000 GROUP BY 1 ORDER BY 1 LIMIT 3', 'k || i FROM many_ts WHERE i < 9000 GROUP BY 1 ORDER BY 1']) q;
-- what a sort takes is shown as a Sort node shows it
SET work_mem = '64kB';
SELECT sort_method('SELECT i FROM many_ts GROUP BY i ORDER BY i');
CREATE FUNCTION sort_space(query text) RETURNS TABLE (method text, space_type text, some_used boolean) LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || query INTO plan;
  RETURN QUERY SELECT node->>'Sort Method', node->>'Sort Space Type', (node->>'Sort Space Used')::int > 0
    FROM jsonb_path_query(plan, '$.**?(@."Custom Plan Provider" == "nodedb_ts aggregate")') node;
END $$;
SELECT * FROM sort_space('SELECT i FROM many_ts GROUP BY i ORDER BY i');
SET work_mem = '256MB';
SELECT * FROM sort_space('SELECT i FROM many_ts GROUP BY i ORDER BY i');
DROP FUNCTION sort_space;
SELECT i, count(*) FROM many_ts GROUP BY i ORDER BY i DESC LIMIT 3;
SELECT i, k, count(*) FROM many_ts GROUP BY k, i ORDER BY k, i LIMIT 2 OFFSET 42856;
SELECT DISTINCT i FROM many_ts ORDER BY i OFFSET 150000 LIMIT 2;
SELECT i, count(*) FROM many_ts GROUP BY i HAVING i % 100000 = 7 ORDER BY i LIMIT 2;
SELECT i, count(*) FROM many_ts GROUP BY i ORDER BY i FETCH FIRST 2 ROWS WITH TIES;
SELECT i, count(*) OVER (ORDER BY i DESC) FROM many_ts GROUP BY i ORDER BY i LIMIT 2;
SELECT DISTINCT count(*) FROM many_ts GROUP BY i ORDER BY 1 LIMIT 3;
SELECT i, generate_series(1, i % 2) FROM many_ts GROUP BY i ORDER BY i LIMIT 2;
PREPARE first_groups(int) AS SELECT i FROM many_ts GROUP BY i ORDER BY i LIMIT $1;
EXECUTE first_groups(2);
RESET work_mem;
-- the same groups again; of a partition's sorted groups all may be asked for
SET enable_material = off;
SET enable_memoize = off;
SELECT count(*), sum(s.i) FROM generate_series(1, 3) a(n) LEFT JOIN (SELECT i, count(*) c FROM many_ts GROUP BY i ORDER BY i LIMIT 3) s ON s.c < a.n;
RESET enable_material;
RESET enable_memoize;
CREATE TABLE parts_ts (i int, k text) PARTITION BY LIST (k);
CREATE TABLE parts_ts_0 PARTITION OF parts_ts FOR VALUES IN ('k0') USING nodedb_ts;
CREATE TABLE parts_ts_1 PARTITION OF parts_ts DEFAULT;
INSERT INTO parts_ts SELECT * FROM many_ts WHERE i < 50000;
ANALYZE parts_ts;
SET enable_partitionwise_aggregate = on;
SELECT i, k, count(*) FROM parts_ts GROUP BY i, k ORDER BY i DESC, k LIMIT 3;
SELECT k, i || 'x' AS x, count(*) FROM parts_ts GROUP BY x, k ORDER BY x DESC, k LIMIT 3;
SET enable_sort = off;
SELECT i, k, count(*) FROM parts_ts GROUP BY i, k ORDER BY i DESC, k LIMIT 3;
RESET enable_sort;
RESET enable_partitionwise_aggregate;
DROP TABLE parts_ts;
DEALLOCATE first_groups;
DROP TABLE many_ts;

-- rescans, cursors both ways, windows, merge joins, generic plans
SET enable_hashjoin = off;
SELECT compared, different, used FROM differences(ARRAY[
  'SELECT o.i, g.* FROM generate_series(0, 4) o(i) LEFT JOIN LATERAL (SELECT host, count(*) FROM {} WHERE n % 5 = o.i GROUP BY host
    ORDER BY host DESC LIMIT 4) g ON true ORDER BY o.i, g.host DESC',
  'SELECT o.i, g.* FROM generate_series(0, 2) o(i), LATERAL (SELECT host, l, o.i + count(*) FROM {} GROUP BY host, l
    ORDER BY l, host LIMIT 3) g',
  'SELECT host, count(*), rank() OVER (ORDER BY host) FROM {} GROUP BY host ORDER BY host',
  'SELECT host, count(*), rank() OVER (ORDER BY count(*), host) FROM {} GROUP BY host ORDER BY host',
  'SELECT DISTINCT host, count(*) FROM {} GROUP BY host, l ORDER BY host, 2']);
SET work_mem = '64kB';
SELECT compared, different FROM differences(ARRAY[
  'SELECT o.i, g.* FROM generate_series(0, 2) o(i), LATERAL (SELECT n, host, o.i + count(*) FROM {} GROUP BY n, host
    ORDER BY host, n LIMIT 3) g']);
RESET work_mem;
RESET enable_hashjoin;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT v, count(*) FROM t_ts GROUP BY v ORDER BY v;
FETCH 3 FROM c;
FETCH BACKWARD 2 FROM c;
FETCH ALL FROM c;
COMMIT;
PREPARE p(int) AS SELECT v, count(*) FROM t_ts WHERE n > $1 GROUP BY v ORDER BY v DESC LIMIT 3;
SET plan_cache_mode = force_generic_plan;
EXECUTE p(0);
EXECUTE p(400);
EXECUTE p(4000);
SET client_min_messages = warning;
DROP SCHEMA ordered CASCADE;
