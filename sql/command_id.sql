-- Command ids: a statement never sees what itself writes, the next one does.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS command_id CASCADE;
RESET client_min_messages;
CREATE SCHEMA command_id;
SET search_path = command_id, public;

CREATE TABLE t (ts timestamptz DEFAULT '2024-01-01', i int) USING nodedb_ts;

-- INSERT ... SELECT from itself, small, and larger than any buffer
INSERT INTO t (i) VALUES (1), (2), (3);
INSERT INTO t SELECT ts, i + 10 FROM t;
SELECT array_agg(i ORDER BY i) FROM t;
BEGIN;
INSERT INTO t SELECT ts, i + 100 FROM t;
INSERT INTO t SELECT ts, i + 1000 FROM t;
SELECT count(*), sum(i) FROM t;
COMMIT;
SELECT count(*), sum(i) FROM t;
DO $$
BEGIN
  FOR k IN 1 .. 12 LOOP
    INSERT INTO t SELECT ts, i + 1 FROM t;
  END LOOP;
END $$;
SELECT count(*), sum(i) FROM t;
INSERT INTO t SELECT a.ts, a.i FROM t a JOIN (SELECT DISTINCT i FROM t WHERE i < 5) b USING (i);
SELECT count(*), sum(i) FROM t;
-- with data-modifying CTEs, which all see the same state
TRUNCATE t;
INSERT INTO t (i) VALUES (1), (2);
WITH ins AS (INSERT INTO t (i) SELECT i + 10 FROM t RETURNING i)
SELECT (SELECT array_agg(i ORDER BY i) FROM ins) AS inserted, (SELECT array_agg(i ORDER BY i) FROM t) AS seen;
SELECT array_agg(i ORDER BY i) FROM t;
WITH a AS (INSERT INTO t (i) SELECT i + 100 FROM t RETURNING i),
     b AS (INSERT INTO t (i) SELECT i + 1000 FROM t RETURNING i)
SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b), (SELECT count(*) FROM t);
SELECT count(*), sum(i) FROM t;

-- functions called by the statement that writes: volatile ones see the rows so
-- far, stable ones see the state before
TRUNCATE t;
CREATE FUNCTION seen_volatile() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT count(*) FROM t';
CREATE FUNCTION seen_stable() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM t';
CREATE FUNCTION add_one(n int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$
BEGIN INSERT INTO t (i) VALUES (n); RETURN n; END $$;
INSERT INTO t (i) SELECT seen_volatile() FROM generate_series(1, 5);
SELECT array_agg(i ORDER BY i) FROM t;
INSERT INTO t (i) SELECT 100 + seen_stable() FROM generate_series(1, 3);
SELECT array_agg(i ORDER BY i) FROM t;
-- a scan is not disturbed by rows that a function adds while it runs
SELECT count(*), sum(add_one(1000 + i)) FROM t;
SELECT count(*), count(*) FILTER (WHERE i >= 1000) FROM t;
SELECT count(*) FROM t WHERE add_one(5000) > 0;
SELECT count(*), count(*) FILTER (WHERE i = 5000) FROM t;
-- in one statement: before, while, after
SELECT seen_volatile() AS before, add_one(1), seen_volatile() AS after, seen_stable() AS stable;
BEGIN;
SELECT add_one(2), seen_volatile() - seen_stable() AS more FROM generate_series(1, 3);
SELECT seen_volatile() = seen_stable() AS same;
ROLLBACK;

-- a loop over the table that writes to it ends
TRUNCATE t;
INSERT INTO t (i) SELECT generate_series(1, 500);
DO $$
DECLARE r record; n int := 0;
BEGIN
  FOR r IN SELECT * FROM t LOOP
    INSERT INTO t (i) VALUES (r.i + 1000);
    n := n + 1;
  END LOOP;
  RAISE INFO '% rounds', n;
  FOR r IN SELECT * FROM t LOOP
    INSERT INTO t (i) SELECT r.i FROM generate_series(1, 20);
    n := n + 1;
  END LOOP;
  RAISE INFO '% rounds', n;
END $$;
SELECT count(*), sum(i) FROM t;
-- read after every write, many times: no more than a batch or two each
TRUNCATE t;
DO $$
DECLARE n bigint; bad int := 0;
BEGIN
  FOR k IN 1 .. 2000 LOOP
    INSERT INTO t (i) VALUES (k);
    SELECT count(*) INTO n FROM t;
    IF n <> k THEN bad := bad + 1; END IF;
  END LOOP;
  RAISE INFO '% wrong', bad;
END $$;
SELECT count(*), sum(i) FROM t;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT count(*), sum(i) FROM t;

-- cursors see the state of their opening, whatever the session does afterwards
TRUNCATE t;
INSERT INTO t (i) SELECT generate_series(1, 10);
CREATE FUNCTION fetch_sum(c refcursor, n int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE v int; k int := 0; s bigint := 0;
BEGIN
  WHILE k < n LOOP
    FETCH c INTO v;
    EXIT WHEN NOT FOUND;
    k := k + 1; s := s + v;
  END LOOP;
  RETURN format('%s rows, sum %s', k, s);
END $$;
BEGIN;
INSERT INTO t (i) VALUES (11);
DECLARE c1 CURSOR FOR SELECT i FROM t;
INSERT INTO t (i) VALUES (12);
DECLARE c2 CURSOR FOR SELECT i FROM t;
SAVEPOINT s;
INSERT INTO t (i) SELECT generate_series(13, 5000);
DECLARE c3 CURSOR FOR SELECT i FROM t;
INSERT INTO t (i) SELECT generate_series(5001, 30000);
DECLARE c4 CURSOR FOR SELECT i FROM t;
SELECT fetch_sum('c1', 1000000), fetch_sum('c2', 1000000), fetch_sum('c3', 1000000), fetch_sum('c4', 1000000);
ROLLBACK TO s;
DECLARE c5 CURSOR FOR SELECT i FROM t;
INSERT INTO t (i) VALUES (99);
SELECT fetch_sum('c5', 1000000);
COMMIT;
SELECT count(*), sum(i) FROM t;
-- begun, then the rest inserted, then read on
BEGIN;
DECLARE c CURSOR FOR SELECT i FROM t;
SELECT fetch_sum('c', 1) LIKE '1 rows%' AS one;
INSERT INTO t (i) SELECT generate_series(1, 20000);
SELECT fetch_sum('c', 1000000) LIKE '12 rows%' AS rest;
SELECT count(*) FROM t;
ROLLBACK;
SELECT count(*), sum(i) FROM t;
-- a cursor over rows of an open subtransaction that is then released
BEGIN;
SAVEPOINT s;
INSERT INTO t (i) SELECT generate_series(1, 100);
DECLARE c CURSOR FOR SELECT i FROM t;
RELEASE s;
INSERT INTO t (i) SELECT generate_series(1, 100);
SELECT fetch_sum('c', 1000000);
COMMIT;
-- rows of one command id stay apart from others' when they are written in one go
TRUNCATE t;
BEGIN;
INSERT INTO t (i) SELECT generate_series(1, 5000);
DECLARE a CURSOR FOR SELECT i FROM t;
INSERT INTO t (i) SELECT generate_series(5001, 10000);
DECLARE b CURSOR FOR SELECT i FROM t;
INSERT INTO t (i) SELECT generate_series(10001, 20000);
SELECT count(*), sum(i) FROM t;
SELECT fetch_sum('b', 1000000);
SELECT fetch_sum('a', 1000000);
COMMIT;
SELECT count(*), sum(i) FROM t;
-- exported snapshots of the same session: REPEATABLE READ sees its own later rows
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM t;
INSERT INTO t (i) VALUES (-1);
SELECT count(*) FROM t;
INSERT INTO t (i) SELECT -generate_series(1, 10000);
SELECT count(*), sum(i) FROM t;
ROLLBACK;
SELECT count(*) FROM t;

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'command_id'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA command_id CASCADE;
