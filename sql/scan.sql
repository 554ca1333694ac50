-- Scans: joins, rescans, system columns, whole rows, tuple ids.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS scan CASCADE;
RESET client_min_messages;
CREATE SCHEMA scan;
SET search_path = scan, public;
-- rows (as text) that stand in only one of two tables, duplicates counted
CREATE FUNCTION twin_diff(a regclass, b regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM ((SELECT x::text FROM %1$s x EXCEPT ALL SELECT x::text FROM %2$s x)
                  UNION ALL (SELECT x::text FROM %2$s x EXCEPT ALL SELECT x::text FROM %1$s x)) d', a, b) INTO n;
  RETURN n;
END $$;

CREATE TABLE t (ts timestamptz, host text, i int, v float8) USING nodedb_ts;
CREATE TABLE h (LIKE t) USING heap;
INSERT INTO h SELECT '2024-01-01'::timestamptz + i * interval '30 s', 'h' || i % 10, i, i / 4.0 FROM generate_series(1, 30000) i;
-- in three states: segments, batches, and rows of the running transaction
INSERT INTO t SELECT * FROM h WHERE i <= 15000;
SELECT ts_flush('t') >= 0 AS flushed;
INSERT INTO t SELECT * FROM h WHERE i > 15000 AND i <= 20000;
DO $$ BEGIN FOR k IN 20001 .. 20100 LOOP INSERT INTO t SELECT * FROM h WHERE i = k; COMMIT; END LOOP; END $$;
BEGIN;
INSERT INTO t SELECT * FROM h WHERE i > 20100 AND i <= 29000;
SAVEPOINT s;
INSERT INTO t SELECT * FROM h;
ROLLBACK TO s;
INSERT INTO t SELECT * FROM h WHERE i > 29000;
SELECT count(*), twin_diff('t', 'h') FROM t;

-- columns in every combination of need
SELECT count(*) FROM t;
SELECT count(i) FROM t WHERE host = 'h3';
SELECT sum(v) FROM t;
SELECT max(ts), min(host) FROM t;
SELECT count(*) FROM t WHERE i > 100 AND host < 'h5' AND v < 5000;
SELECT count(*) FROM (SELECT DISTINCT host, i % 3 FROM t) x;

-- rescans: nested loops with the table inside, correlated subqueries, LATERAL with LIMIT
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SET enable_memoize = off;
SET max_parallel_workers_per_gather = 0;
SELECT x.n, count(*), sum(t.i) FROM (VALUES (0), (1), (7)) x(n) JOIN t ON t.host = 'h' || x.n GROUP BY x.n ORDER BY x.n;
SELECT x.n, (SELECT count(*) FROM t WHERE t.i % 100 = x.n) FROM (VALUES (0), (1), (99), (100)) x(n) ORDER BY x.n;
SELECT x.n, l.i FROM (VALUES (0), (5), (9), (11)) x(n) LEFT JOIN LATERAL (SELECT i FROM t WHERE host = 'h' || x.n ORDER BY ts DESC LIMIT 2) l ON true ORDER BY x.n, l.i;
SELECT x.n, l.c FROM generate_series(1, 5) x(n), LATERAL (SELECT count(*) AS c FROM (SELECT 1 FROM t LIMIT x.n * 100) y) l ORDER BY x.n;
SELECT count(*) FROM generate_series(1, 50) x WHERE EXISTS (SELECT 1 FROM t WHERE t.i = x * 1000);
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
RESET enable_memoize;
-- self joins by every method
SELECT count(*) FROM t a JOIN t b USING (i);
SET enable_hashjoin = off;
SELECT count(*) FROM t a JOIN t b USING (i);
SELECT count(*) FROM t a JOIN t b ON a.i = b.i + 1 AND a.ts > b.ts;
RESET enable_hashjoin;
SELECT count(*) FROM t a JOIN h b USING (ts, host, i, v);
SELECT count(*) FROM h WHERE (ts, host, i, v) IN (SELECT * FROM t);
SELECT count(*) FROM t a FULL JOIN h b USING (i) WHERE a.i IS NULL OR b.i IS NULL;
RESET max_parallel_workers_per_gather;

-- sorting and windows over it, with little memory
SET work_mem = '64kB';
SELECT count(*), count(DISTINCT i) FROM t;
SELECT sum(d) FROM (SELECT i - lag(i) OVER (ORDER BY ts) AS d FROM t) x;
SELECT array_agg(i) FROM (SELECT i FROM t ORDER BY v DESC, ts LIMIT 5) x;
SELECT count(*) FROM (SELECT host, i, row_number() OVER (PARTITION BY host ORDER BY ts) AS n FROM t) x WHERE n <= 2;
RESET work_mem;

-- whole rows
SELECT t FROM t WHERE i = 12345;
SELECT (t).i, (t).host, t.* FROM t WHERE i = 5;
SELECT count(DISTINCT t::text) FROM t;
SELECT count(*) FROM t WHERE t IS NOT NULL;
SELECT count(*) FROM (SELECT row_to_json(t)->>'i' AS j FROM t) x WHERE j::int % 1000 = 0;

-- system columns
SELECT DISTINCT tableoid::regclass FROM t;
SELECT count(DISTINCT ctid), count(DISTINCT xmin::text) > 100 AS many_xmin, min(xmax::text), max(xmax::text) FROM t;
SELECT xmin = pg_current_xact_id()::xid OR i <= 20100 AS mine, count(*) FROM t GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM t WHERE cmin IS NULL OR cmax IS NULL;
-- by tuple id
CREATE TEMP TABLE ids ON COMMIT PRESERVE ROWS AS SELECT ctid AS c, i FROM t WHERE i % 500 = 0;
SELECT count(*), count(*) FILTER (WHERE t.i = ids.i) FROM ids JOIN t ON t.ctid = ids.c;
SELECT count(*), count(*) FILTER (WHERE t.i = ids.i) FROM ids, LATERAL (SELECT i FROM t WHERE t.ctid = ids.c) t;
COMMIT;
SELECT count(*), twin_diff('t', 'h') FROM t;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_seqscan = off;
SELECT count(*), count(*) FILTER (WHERE t.i = ids.i) FROM ids JOIN t ON t.ctid = ids.c;
SELECT count(*) FROM t WHERE ctid = ANY (ARRAY(SELECT c FROM ids LIMIT 10));
SELECT i FROM ids WHERE EXISTS (SELECT 1 FROM t WHERE t.ctid = ids.c AND t.i <> ids.i);
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_seqscan;
-- ids that no row has, or can have
SELECT count(*) FROM t WHERE ctid = '(4294967294,1)';
SELECT count(*) FROM t WHERE ctid = '(4294967295,65535)';
SELECT count(*) FROM t WHERE ctid = '(0,0)';
SELECT count(*) FROM t WHERE ctid = '(1000000,300)';
SELECT count(*) FROM t WHERE ctid IN ('(4294967295,1)', NULL);
-- ranges of them
SELECT count(*) FROM t WHERE ctid >= '(0,0)';
SELECT count(*) FROM t WHERE ctid < '(0,0)';
SELECT (SELECT count(*) FROM t WHERE ctid <= x.c) + (SELECT count(*) FROM t WHERE ctid > x.c) AS all_rows FROM (SELECT c FROM ids ORDER BY i LIMIT 1) x;
-- of a row that was rolled back, or is not there yet
CREATE TEMP TABLE lost (c tid);
BEGIN;
SAVEPOINT s;
INSERT INTO t (i) VALUES (-1) RETURNING ctid AS c \gset
ROLLBACK TO s;
SELECT count(*) FROM t WHERE ctid = :'c' AND i = -1;
COMMIT;
SELECT count(*) FROM t WHERE ctid = :'c' AND i = -1;

-- latest versions and currtid are for rows that exist
SELECT currtid2('t', c) = c AS same FROM ids ORDER BY i LIMIT 1;

-- EXPLAIN ANALYZE runs, and a generic plan too
DO $$
DECLARE l text; n int := 0;
BEGIN
  FOR l IN EXPLAIN (ANALYZE, BUFFERS, VERBOSE, TIMING OFF, SUMMARY OFF) SELECT host, count(*) FROM t GROUP BY host LOOP n := n + 1; END LOOP;
  RAISE INFO '%', n > 2;
END $$;
PREPARE q(int) AS SELECT count(*) FROM t WHERE i < $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE q(100);
EXECUTE q(20000);
INSERT INTO t (i) VALUES (1);
EXECUTE q(100);
RESET plan_cache_mode;

-- set operations, recursion, grouping sets
SELECT count(*) FROM (SELECT i FROM t WHERE i < 100 UNION SELECT i FROM t WHERE i < 200) x;
SELECT count(*) FROM (TABLE h EXCEPT SELECT * FROM t) x;
WITH RECURSIVE r AS (SELECT i FROM t WHERE i = 2 UNION ALL SELECT t.i FROM r JOIN t ON t.i = r.i * 3) SELECT array_agg(i ORDER BY i) FROM r;
SELECT host, i % 2 AS odd, count(*) FROM t WHERE i <= 100 AND host IN ('h1', 'h2') GROUP BY GROUPING SETS ((host), (i % 2), ()) ORDER BY 1, 2;

-- lists of series: between those that are named, vectors are passed over
CREATE TABLE keyed (ts timestamptz, host text, i int) USING nodedb_ts;
CREATE TABLE keyed_h (LIKE keyed) USING heap;
INSERT INTO keyed_h SELECT '2024-01-01'::timestamptz + i * interval '1 s',
  CASE WHEN k < 190 THEN 'h' || k * 2 END, i FROM generate_series(0, 199) k, generate_series(1, 100 + k % 3 * 250) i;
INSERT INTO keyed SELECT * FROM keyed_h;
SELECT ts_flush('keyed') >= 0 AS flushed;
SELECT count(*) > 0 AS compacted FROM ts_compact('keyed', before => 'infinity');
DO $$
DECLARE list text[]; a text; b text; wrong int := 0;
BEGIN
  FOR seed IN 1 .. 200 LOOP
    -- odd numbers have no rows
    SELECT array_agg('h' || (hashint4(seed * 1000 + n) & 511)) || CASE WHEN seed % 3 = 0 THEN ARRAY['a', 'z', NULL] END
      INTO list FROM generate_series(0, seed % 12) n;
    SELECT array_agg((host, n, s)::text ORDER BY host) INTO a FROM
      (SELECT host, count(*) AS n, sum(i) AS s FROM keyed WHERE host = ANY (list) AND i > seed GROUP BY host) x;
    SELECT array_agg((host, n, s)::text ORDER BY host) INTO b FROM
      (SELECT host, count(*) AS n, sum(i) AS s FROM keyed_h WHERE host = ANY (list) AND i > seed GROUP BY host) x;
    wrong := wrong + (a IS DISTINCT FROM b)::int;
  END LOOP;
  RAISE INFO '% differ', wrong;
END $$;
DO $$
DECLARE plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, VERBOSE, FORMAT json) SELECT count(*) FROM keyed
    WHERE host IN (''h7'', ''h11'', ''h100'', ''h102'', ''h103'', ''h378'', ''x'') AND i % 2 = 0' INTO plan;
  RAISE INFO '%', jsonb_path_query_first(plan, '$.**."Vectors Pruned"')::int > 120;
END $$;
SELECT count(*) FROM keyed WHERE host IN ('h7', 'h11', 'h100', 'h102', 'h103', 'h378', 'x') AND i % 2 = 0;
SELECT count(*) FROM keyed_h WHERE host IN ('h7', 'h11', 'h100', 'h102', 'h103', 'h378', 'x') AND i % 2 = 0;

-- ranges of times that ascend in a vector, and of such that do not
INSERT INTO keyed_h SELECT CASE WHEN i % 50 > 0 THEN '2024-01-01'::timestamptz + i % 40 * interval '1 s' END, 'n' || i % 3, i
  FROM generate_series(1, 600) i;
INSERT INTO keyed_h VALUES ('infinity', 'h2', -1), ('-infinity', 'h2', -2), ('-infinity', 'h4', -3), ('infinity', 'h6', -4);
INSERT INTO keyed SELECT * FROM keyed_h WHERE host LIKE 'n%' OR i < 0;
SELECT ts_flush('keyed') >= 0 AS flushed;
-- what a query that names its table %1$s gives
CREATE FUNCTION keyed_rows(tab regclass, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
  EXECUTE 'SELECT string_agg(x::text, '','') FROM (' || format(query, tab) || ') x' INTO result;
  RETURN result;
END $$;
SELECT count(*) AS queries, count(*) FILTER (WHERE keyed_rows('keyed', q) IS DISTINCT FROM keyed_rows('keyed_h', q)) AS differ
  FROM unnest(ARRAY['<', '<=', '=', '>=', '>', '<>']) a, unnest(ARRAY['<', '=', '>=']) b,
       unnest(ARRAY['-infinity', '2023-12-31', '2024-01-01 00:00:01', '2024-01-01 00:01:37', '2024-01-01 00:10:00',
                    '2025-01-01', 'infinity']) x,
       LATERAL (VALUES (format('ts %s %L', a, x)), (format('ts %s %L AND ts %s %L', a, x, b, '2024-01-01 00:03:20')),
                       (format('ts %s %L AND i %%%% 3 = 0', a, x)), (format('ts %s %L AND ts %s %L AND i > 70', a, x, b, x))) v(c),
       LATERAL (SELECT 'SELECT host, count(*), sum(i), min(ts), max(ts) FROM %1$s WHERE ' || c || ' GROUP BY host ORDER BY host') y(q);
-- the same with a node above that wants one window of times after the other
SELECT dir, nulls, n, keyed_rows('keyed', q) = keyed_rows('keyed_h', q) AS same
  FROM unnest(ARRAY['', 'DESC']) dir, unnest(ARRAY['FIRST', 'LAST']) nulls, unnest(ARRAY[1, 3, 20]) n,
       LATERAL (SELECT format('SELECT date_trunc(''minute'', ts) AS m, count(*), sum(i) FROM %%1$s WHERE ts < %L OR i %%%% 7 < 3
                               GROUP BY m ORDER BY m %s NULLS %s LIMIT %s', '2024-01-01 00:08:20', dir, nulls, n)) y(q);
SELECT dir, n, keyed_rows('keyed', q) = keyed_rows('keyed_h', q) AS same
  FROM unnest(ARRAY['', 'DESC']) dir, unnest(ARRAY[1, 3, 20]) n,
       LATERAL (SELECT format('SELECT date_trunc(''minute'', ts) AS m, count(*), sum(i) FROM %%1$s WHERE ts < %L AND ts > %L
                               GROUP BY m ORDER BY m %s LIMIT %s', '2024-01-01 00:08:20', '2024-01-01 00:00:07', dir, n)) y(q);

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'scan'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA scan CASCADE;
