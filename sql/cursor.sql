-- Cursors: forward, back, held over the commit, beside writes of the same session.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS cursor CASCADE;
RESET client_min_messages;
CREATE SCHEMA cursor;
SET search_path = cursor, public;

CREATE TABLE t (ts timestamptz, i int) USING nodedb_ts;
INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '1 s', i FROM generate_series(1, 10000) i;
SELECT ts_flush('t') >= 0 AS flushed;
INSERT INTO t SELECT '2024-01-02'::timestamptz + i * interval '1 s', i FROM generate_series(10001, 10500) i;
DO $$ BEGIN FOR k IN 10501 .. 10520 LOOP INSERT INTO t VALUES ('2024-01-03', k); COMMIT; END LOOP; END $$;

-- all rows forward, then all back: the same in reverse, as often as wanted
CREATE FUNCTION there_and_back(q text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE c refcursor; v int; fwd int[]; back int[]; again int[];
BEGIN
  OPEN c SCROLL FOR EXECUTE q;
  LOOP FETCH c INTO v; EXIT WHEN NOT FOUND; fwd := fwd || v; END LOOP;
  LOOP FETCH PRIOR FROM c INTO v; EXIT WHEN NOT FOUND; back := back || v; END LOOP;
  LOOP FETCH c INTO v; EXIT WHEN NOT FOUND; again := again || v; END LOOP;
  CLOSE c;
  RETURN format('%s rows, sum %s, back the same: %s, again the same: %s', cardinality(fwd), (SELECT sum(x) FROM unnest(fwd) x),
    fwd = (SELECT array_agg(x ORDER BY n DESC) FROM unnest(back) WITH ORDINALITY u(x, n)), fwd = again);
END $$;
SELECT there_and_back('SELECT i FROM t');
SELECT there_and_back('SELECT i FROM t WHERE i % 7 = 0');
SELECT there_and_back('SELECT i FROM t WHERE false');
SELECT there_and_back('SELECT i FROM t ORDER BY i');
SELECT regexp_replace(there_and_back('SELECT 2 * i FROM t LIMIT 5000'), 'sum \d+, ', '');
BEGIN;
INSERT INTO t SELECT '2024-01-04', i FROM generate_series(10521, 25000) i;
SELECT there_and_back('SELECT i FROM t');
ROLLBACK;

-- turning around in the middle
CREATE FUNCTION zigzag() RETURNS text LANGUAGE plpgsql AS $$
DECLARE c refcursor; v int; w int; bad int := 0; seen int[] := '{}'; n int;
BEGIN
  OPEN c SCROLL FOR SELECT i FROM t;
  FOR step IN 1 .. 60 LOOP
    n := 1 + (step * 7919) % 400;
    FOR k IN 1 .. n LOOP FETCH c INTO v; EXIT WHEN NOT FOUND; END LOOP;
    EXIT WHEN NOT FOUND;
    FETCH PRIOR FROM c INTO w;
    FETCH NEXT FROM c INTO w;
    IF w IS DISTINCT FROM v THEN bad := bad + 1; END IF;
    seen := seen || v;
    MOVE BACKWARD n / 2 FROM c;
  END LOOP;
  MOVE ABSOLUTE 0 FROM c;
  FETCH c INTO v;
  FETCH FIRST FROM c INTO w;
  IF v IS DISTINCT FROM w THEN bad := bad + 1; END IF;
  FETCH LAST FROM c INTO v;
  FETCH ABSOLUTE -1 FROM c INTO w;
  IF v IS DISTINCT FROM w THEN bad := bad + 1; END IF;
  FETCH NEXT FROM c INTO w;
  IF w IS NOT NULL THEN bad := bad + 1; END IF;
  FETCH RELATIVE -1 FROM c INTO w;
  IF v IS DISTINCT FROM w THEN bad := bad + 1; END IF;
  CLOSE c;
  RETURN format('%s wrong, %s distinct of %s', bad, (SELECT count(DISTINCT x) FROM unnest(seen) x), cardinality(seen));
END $$;
SELECT split_part(zigzag(), ',', 1);

-- at the SQL level
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT i FROM t ORDER BY i;
FETCH 3 FROM c;
FETCH BACKWARD 2 FROM c;
MOVE 5000 FROM c;
FETCH c;
FETCH LAST FROM c;
FETCH ABSOLUTE 77 FROM c;
MOVE BACKWARD ALL FROM c;
FETCH c;
CLOSE c;
DECLARE n NO SCROLL CURSOR FOR SELECT i FROM t;
MOVE 10 FROM n;
\set VERBOSITY sqlstate
FETCH PRIOR FROM n;
\set VERBOSITY default
ROLLBACK;

-- what is left of a cursor
CREATE FUNCTION rest(c refcursor) RETURNS text LANGUAGE plpgsql AS $$
DECLARE v int; n int := 0; s bigint := 0;
BEGIN
  LOOP FETCH c INTO v; EXIT WHEN NOT FOUND; n := n + 1; s := s + v; END LOOP;
  RETURN format('%s rows, sum %s', n, s);
END $$;

-- WITH HOLD: over the commit, a truncation, a drop
BEGIN;
INSERT INTO t VALUES ('2024-02-01', -1);
DECLARE k CURSOR WITH HOLD FOR SELECT i FROM t WHERE i < 3 ORDER BY i;
DECLARE m SCROLL CURSOR WITH HOLD FOR SELECT i FROM t;
FETCH k;
COMMIT;
SELECT ts_flush('t') >= 0 AS flushed;
INSERT INTO t VALUES ('2024-02-01', -2);
FETCH ALL FROM k;
MOVE 10521 FROM m;
FETCH m;
MOVE BACKWARD ALL FROM m;
SELECT rest('m');
TRUNCATE t;
MOVE BACKWARD ALL FROM m;
SELECT rest('m');
CLOSE k;
CLOSE m;
SELECT count(*) FROM t;
INSERT INTO t VALUES ('2024-01-01', 1), ('2024-01-01', 2), ('2024-01-01', 3);
BEGIN;
DECLARE k CURSOR WITH HOLD FOR SELECT i FROM t ORDER BY i;
TRUNCATE t;
ROLLBACK;
BEGIN;
DECLARE k CURSOR WITH HOLD FOR SELECT i FROM t ORDER BY i;
COMMIT;
DROP TABLE t;
FETCH ALL FROM k;
CLOSE k;

-- stable while the session inserts, flushes, and rolls back to a savepoint
CREATE TABLE t (ts timestamptz DEFAULT '2024-01-01', i int) USING nodedb_ts;
INSERT INTO t (i) SELECT generate_series(1, 3000);
BEGIN;
DECLARE c CURSOR FOR SELECT i FROM t;
MOVE 1000 FROM c;
SELECT ts_flush('t') >= 0 AS flushed;
MOVE 500 FROM c;
INSERT INTO t (i) SELECT generate_series(3001, 20000);
MOVE 500 FROM c;
SELECT ts_flush('t') >= 0 AS flushed;
MOVE 500 FROM c;
SELECT split_part(rest('c'), ',', 1);
SELECT count(*), sum(i) FROM t;
COMMIT;
BEGIN;
INSERT INTO t (i) SELECT generate_series(20001, 20100);
DECLARE c CURSOR FOR SELECT i FROM t;
MOVE 100 FROM c;
SAVEPOINT s;
MOVE 100 FROM c;
INSERT INTO t (i) SELECT generate_series(1, 1000);
ROLLBACK TO s;
SELECT split_part(rest('c'), ',', 1);
COMMIT;
BEGIN;
SAVEPOINT s;
INSERT INTO t (i) VALUES (-5);
DECLARE c CURSOR FOR SELECT i FROM t WHERE i < 0;
FETCH c;
ROLLBACK TO s;
\set VERBOSITY sqlstate
FETCH c;
\set VERBOSITY default
ROLLBACK;
-- a loop that flushes the table it reads
DO $$
DECLARE r record; n int := 0; s bigint := 0;
BEGIN
  FOR r IN SELECT i FROM t LOOP
    n := n + 1; s := s + r.i;
    IF n % 5000 = 0 THEN
      INSERT INTO t (i) SELECT generate_series(1, 10);
      PERFORM ts_flush('t');
    END IF;
  END LOOP;
  RAISE INFO '% rows, sum %', n, s;
END $$;
SELECT count(*), sum(i) FROM t;
-- a loop that commits between rows
DO $$
DECLARE r record; n int := 0;
BEGIN
  FOR r IN SELECT i FROM t WHERE i <= 1000 LOOP
    n := n + 1;
    INSERT INTO t (i) VALUES (1000000 + r.i);
    IF n % 100 = 0 THEN COMMIT; END IF;
  END LOOP;
  RAISE INFO '% rows', n;
END $$;
SELECT count(*), count(*) FILTER (WHERE i > 1000000) FROM t;
-- many cursors at a time
DO $$
DECLARE c refcursor[]; r refcursor; v int; s bigint := 0;
BEGIN
  FOR k IN 1 .. 20 LOOP r := NULL; OPEN r FOR SELECT i FROM t; c[k] := r; END LOOP;
  FOR j IN 1 .. 500 LOOP
    FOR k IN 1 .. 20 LOOP r := c[k]; FETCH r INTO v; s := s + (CASE WHEN v IS NULL THEN 1 ELSE 0 END); END LOOP;
  END LOOP;
  FOR k IN 1 .. 20 LOOP r := c[k]; CLOSE r; END LOOP;
  RAISE INFO '% missing', s;
END $$;

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'cursor'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA cursor CASCADE;
