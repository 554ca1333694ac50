-- Scans over a range of tuple ids: the rows of a filter over ctid, whatever the bounds.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS tid_range CASCADE;
RESET client_min_messages;
CREATE SCHEMA tid_range;
SET search_path = tid_range, public;

CREATE TABLE t (ts timestamptz, host text, i int) USING nodedb_ts;
-- segments with and without an id column, one from batches, batches, rows of the running transaction
INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '1 s', md5(i::text), i FROM generate_series(1, 20000) i;
WITH x AS (INSERT INTO t SELECT '2024-01-01'::timestamptz - i * interval '1 s', 'h' || i % 7, i FROM generate_series(20001, 30000) i RETURNING ctid) SELECT count(DISTINCT ctid) FROM x;
INSERT INTO t SELECT '2024-02-01'::timestamptz + i * interval '1 s', 'h' || i % 7, i FROM generate_series(30001, 32000) i;
SELECT ts_flush('t') >= 0 AS flushed;
DO $$ BEGIN FOR k IN 32001 .. 32050 LOOP INSERT INTO t VALUES ('2024-03-01', 'h', k); COMMIT; END LOOP; END $$;
BEGIN;
INSERT INTO t SELECT '2024-04-01', 'own', i FROM generate_series(32051, 32500) i;
SAVEPOINT s;
INSERT INTO t SELECT '2024-04-01', 'gone', i FROM generate_series(1, 500) i;
ROLLBACK TO s;

-- the plan that heap gets
CREATE TABLE h (i int) USING heap;
EXPLAIN (COSTS OFF) SELECT * FROM h WHERE ctid > '(0,1)' AND ctid <= '(5,3)';
EXPLAIN (COSTS OFF) SELECT * FROM t WHERE ctid > '(0,1)' AND ctid <= '(5,3)';
SET enable_tidscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM t WHERE ctid > '(0,1)' AND ctid <= '(5,3)';
RESET enable_tidscan;

-- every row's id beside the row, by a full scan
CREATE TEMP TABLE ids ON COMMIT PRESERVE ROWS AS SELECT ctid AS c, i FROM t;
SELECT count(*), count(DISTINCT c) FROM ids;
-- bounds: ids of rows, their neighbours, offsets that no row has, the ends of the world
CREATE TEMP TABLE bounds ON COMMIT PRESERVE ROWS AS
  SELECT row_number() OVER (ORDER BY c) AS n, c FROM (
    SELECT c FROM (SELECT c, row_number() OVER (ORDER BY c) AS k, count(*) OVER () AS all FROM ids) x WHERE k IN (1, 2, "all" - 1, "all") OR k % 3711 = 0
    UNION SELECT format('(%s,%s)', b, o)::tid FROM unnest(ARRAY[0, 1, 79, 127, 4294967295]) b, unnest(ARRAY[0, 1, 256, 257, 65535]) o) x;
SELECT count(*) > 30 AS enough FROM bounds;
CREATE FUNCTION differences() RETURNS TABLE (op text, tried bigint, wrong bigint, rows_seen bool) LANGUAGE plpgsql AS $$
DECLARE b record; n bigint; s bigint; n2 bigint; s2 bigint; plan text;
BEGIN
  FOREACH op IN ARRAY '{<,<=,>,>=,between,inverse}'::text[] LOOP
    tried := 0; wrong := 0; rows_seen := false;
    FOR b IN SELECT x.c AS lo, y.c AS hi FROM bounds x JOIN bounds y ON y.n = 1 + (x.n + 7) % (SELECT count(*) FROM bounds) LOOP
      FOR plan IN SELECT CASE op WHEN 'between' THEN format('ctid > %L AND ctid <= %L', b.lo, b.hi)
                                 WHEN 'inverse' THEN format('ctid >= %L AND ctid < %L', b.hi, b.lo)
                                 ELSE format('ctid %s %L', op, b.lo) END LOOP
        EXECUTE 'SELECT count(*), sum(i) FROM t WHERE ' || plan INTO n, s;
        EXECUTE 'SELECT count(*), sum(i) FROM ids WHERE ' || replace(plan, 'ctid', 'c') INTO n2, s2;
        tried := tried + 1;
        IF (n, s) IS DISTINCT FROM (n2, s2) THEN wrong := wrong + 1; END IF;
        rows_seen := rows_seen OR n > 0 AND n < 32500;
      END LOOP;
    END LOOP;
    RETURN NEXT;
  END LOOP;
END $$;
SELECT op, tried > 30 AS tried, wrong, rows_seen FROM differences();
COMMIT;
SELECT op, wrong, rows_seen FROM differences();
-- segments outside the range are not opened: fewer pages
CREATE FUNCTION pages(q text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE j json;
BEGIN
  ALTER TABLE t SET (autovacuum_enabled = off);  -- what the session has cached of t is gone
  EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON, TIMING OFF) ' || q INTO j;
  j := j->0->'Plan'->'Plans'->0;
  RETURN (j->>'Shared Hit Blocks')::bigint + (j->>'Shared Read Blocks')::bigint;
END $$;
SELECT pages('SELECT count(*) FROM t WHERE ctid >= ''(200,1)''') + 2 < pages('SELECT count(t) FROM t') AS fewer;

-- rescans with other bounds, NULLs, both directions
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SET max_parallel_workers_per_gather = 0;
SELECT count(*), count(*) FILTER (WHERE l.n IS DISTINCT FROM (SELECT count(*) FROM ids WHERE ids.c >= x.c AND ids.c < y.c))
  FROM bounds x JOIN bounds y ON y.n = x.n + 9, LATERAL (SELECT count(*) AS n FROM t WHERE t.ctid >= x.c AND t.ctid < y.c) l WHERE x.n % 2 = 0;
SELECT count(*) FROM t WHERE ctid > NULL;
SELECT count(*) FROM t WHERE ctid > '(1,1)' AND ctid < NULL;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT i FROM t WHERE ctid >= '(2,10)' AND ctid < '(30,1)';
CREATE TEMP TABLE seen (way text, n int GENERATED ALWAYS AS IDENTITY, i int) ON COMMIT DROP;
DO $$
DECLARE c refcursor := 'c'; v int; w text;
BEGIN
  FOREACH w IN ARRAY '{1,2}'::text[] LOOP
    LOOP FETCH c INTO v; EXIT WHEN NOT FOUND; INSERT INTO seen (way, i) VALUES ('forward ' || w, v); END LOOP;
    LOOP FETCH PRIOR FROM c INTO v; EXIT WHEN NOT FOUND; INSERT INTO seen (way, i) VALUES ('back ' || w, v); END LOOP;
  END LOOP;
END $$;
SELECT way, count(*), count(*) = (SELECT count(*) FROM ids WHERE c >= '(2,10)' AND c < '(30,1)') AS all_rows,
  md5(array_agg(i ORDER BY CASE WHEN way LIKE 'back%' THEN -n ELSE n END)::text) = (SELECT md5(array_agg(i ORDER BY n)::text) FROM seen WHERE way = 'forward 1') AS same_order
  FROM seen GROUP BY way ORDER BY way;
COMMIT;
-- an empty table, one of no file
CREATE TABLE e (i int) USING nodedb_ts;
SELECT count(*) FROM e WHERE ctid >= '(0,0)';
SELECT count(*) FROM e WHERE ctid < '(0,0)' OR ctid > '(9,9)';
-- what a rolled back transaction left is not seen, nor what a cursor's snapshot is too old for
BEGIN;
DECLARE c CURSOR FOR SELECT count(*) FROM t WHERE ctid >= '(0,0)';
INSERT INTO t (i) SELECT generate_series(1, 100);
FETCH c;
SELECT count(*) FROM t WHERE ctid >= '(0,0)';
ROLLBACK;
SELECT count(*) FROM t WHERE ctid >= '(0,0)';
-- an UPDATE or DELETE over a range is refused as any other
DELETE FROM t WHERE ctid < '(0,5)';
DELETE FROM t WHERE ctid < '(0,0)';

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'tid_range'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA tid_range CASCADE;
