-- Savepoints in any nesting, rollback, PL/pgSQL exception blocks.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS subxact CASCADE;
RESET client_min_messages;
CREATE SCHEMA subxact;
SET search_path = subxact, public;
-- rows (as text) that stand in only one of two tables, duplicates counted
CREATE FUNCTION twin_diff(a regclass, b regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM ((SELECT x::text FROM %1$s x EXCEPT ALL SELECT x::text FROM %2$s x)
                  UNION ALL (SELECT x::text FROM %2$s x EXCEPT ALL SELECT x::text FROM %1$s x)) d', a, b) INTO n;
  RETURN n;
END $$;

CREATE TABLE t (ts timestamptz DEFAULT '2024-01-01', i int, p text) USING nodedb_ts;
CREATE TABLE h (LIKE t INCLUDING DEFAULTS) USING heap;

-- rollback of everything
BEGIN;
INSERT INTO t (i) SELECT generate_series(1, 100);
SELECT count(*) FROM t;
ROLLBACK;
SELECT count(*) FROM t;
BEGIN;
INSERT INTO t (i) SELECT generate_series(1, 50000);
ROLLBACK;
SELECT count(*) FROM t;

-- an error in the middle of a statement
INSERT INTO t (i) SELECT 1000 / (50 - g) FROM generate_series(1, 100) g;
SELECT count(*) FROM t;

-- savepoints: kept, rolled back, released, rolled back after release, rolled back twice
BEGIN;
INSERT INTO t (i) VALUES (1);
SAVEPOINT a;
INSERT INTO t (i) VALUES (2);
SAVEPOINT b;
INSERT INTO t (i) VALUES (3);
SELECT array_agg(i ORDER BY i) FROM t;
ROLLBACK TO b;
INSERT INTO t (i) VALUES (4);
ROLLBACK TO b;
SELECT array_agg(i ORDER BY i) FROM t;
INSERT INTO t (i) VALUES (5);
RELEASE b;
SAVEPOINT c;
INSERT INTO t (i) VALUES (6);
RELEASE a;
INSERT INTO t (i) VALUES (7);
SAVEPOINT d;
INSERT INTO t (i) VALUES (8);
SAVEPOINT e;
INSERT INTO t (i) VALUES (9);
RELEASE e;
ROLLBACK TO d;
SELECT array_agg(i ORDER BY i) FROM t;
COMMIT;
SELECT array_agg(i ORDER BY i) FROM t;

-- the same name twice, an error inside, and a flush between
TRUNCATE t;
BEGIN;
SAVEPOINT s;
INSERT INTO t (i) VALUES (1);
SAVEPOINT s;
INSERT INTO t (i) VALUES (2);
SELECT 1 / 0;
ROLLBACK TO s;
INSERT INTO t (i) VALUES (3);
RELEASE s;
ROLLBACK TO s;
SELECT count(*) FROM t;
INSERT INTO t (i) VALUES (4);
COMMIT;
SELECT array_agg(i ORDER BY i) FROM t;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT array_agg(i ORDER BY i) FROM t;

-- a deep nest: every level inserts, every third is rolled back
TRUNCATE t, h;
CREATE PROCEDURE nest(tab regclass, depth int, width int) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('INSERT INTO %s (i, p) SELECT $1, g::text FROM generate_series(1, $2) g', tab) USING depth, width;
  IF depth > 0 THEN
    BEGIN
      CALL nest(tab, depth - 1, width);
      EXECUTE format('INSERT INTO %s (i, p) VALUES ($1, ''after'')', tab) USING depth;
      IF depth % 3 = 0 THEN
        RAISE EXCEPTION 'back';
      END IF;
    EXCEPTION WHEN raise_exception THEN
      EXECUTE format('INSERT INTO %s (i, p) VALUES ($1, ''handler'')', tab) USING depth;
    END;
  END IF;
END $$;
CALL nest('t', 60, 3);
CALL nest('h', 60, 3);
SELECT count(*), twin_diff('t', 'h') FROM t;
TRUNCATE t, h;
BEGIN;
SAVEPOINT s;
CALL nest('t', 40, 100);
CALL nest('h', 40, 100);
SELECT count(*), twin_diff('t', 'h') FROM t;
ROLLBACK TO s;
CALL nest('t', 20, 10);
CALL nest('h', 20, 10);
COMMIT;
SELECT count(*), twin_diff('t', 'h') FROM t;
-- an exception at every level is caught at the outermost only
TRUNCATE t;
CREATE PROCEDURE dive(depth int) LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO t (i) VALUES (depth);
  IF depth = 0 THEN RAISE EXCEPTION 'bottom'; END IF;
  BEGIN
    CALL dive(depth - 1);
  EXCEPTION WHEN division_by_zero THEN NULL;
  END;
END $$;
DO $$
BEGIN
  INSERT INTO t (i) VALUES (-1);
  BEGIN
    CALL dive(50);
  EXCEPTION WHEN raise_exception THEN
    INSERT INTO t (i) VALUES (-2);
  END;
END $$;
SELECT array_agg(i ORDER BY i) FROM t;

-- exception blocks in a loop, one row each, most of them aborted
TRUNCATE t;
DO $$
BEGIN
  FOR g IN 1 .. 3000 LOOP
    BEGIN
      INSERT INTO t (i) VALUES (g);
      PERFORM 1 / (g % 3);
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
  END LOOP;
END $$;
SELECT count(*), sum(i), count(*) FILTER (WHERE i % 3 = 0) FROM t;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT count(*), sum(i), count(*) FILTER (WHERE i % 3 = 0) FROM t;
-- the same with a look at the table in every round
TRUNCATE t;
DO $$
DECLARE n bigint; bad int := 0; kept int := 0;
BEGIN
  FOR g IN 1 .. 1000 LOOP
    BEGIN
      INSERT INTO t (i) VALUES (g);
      SELECT count(*) INTO n FROM t;
      IF n <> kept + 1 THEN bad := bad + 1; END IF;
      PERFORM 1 / (g % 2);
      kept := kept + 1;
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
    SELECT count(*) INTO n FROM t;
    IF n <> kept THEN bad := bad + 1; END IF;
  END LOOP;
  RAISE INFO '% kept, % wrong', kept, bad;
END $$;
SELECT count(*), sum(i) FROM t;

-- many rows before, in and after an aborted subtransaction
TRUNCATE t;
BEGIN;
INSERT INTO t (i) SELECT g FROM generate_series(1, 20000) g;
SAVEPOINT s;
INSERT INTO t (i) SELECT -g FROM generate_series(1, 60000) g;
SELECT count(*), sum(i) FROM t;
ROLLBACK TO s;
INSERT INTO t (i) SELECT g FROM generate_series(20001, 40000) g;
SAVEPOINT s2;
INSERT INTO t (i) SELECT g FROM generate_series(40001, 60000) g;
RELEASE s2;
SELECT count(*), sum(i), min(i) FROM t;
COMMIT;
SELECT count(*), sum(i), min(i), count(DISTINCT i) FROM t;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT count(*), sum(i), min(i), count(DISTINCT i) FROM t;

-- an aborted subtransaction whose rows were read, hence written, before
TRUNCATE t;
BEGIN;
INSERT INTO t (i) VALUES (1);
SAVEPOINT a;
INSERT INTO t (i) VALUES (2);
SELECT count(*) FROM t;
SAVEPOINT b;
INSERT INTO t (i) VALUES (3);
SELECT count(*) FROM t;
RELEASE b;
SELECT count(*) FROM t;
ROLLBACK TO a;
SELECT count(*) FROM t;
INSERT INTO t (i) VALUES (4);
SELECT array_agg(i ORDER BY i) FROM t;
COMMIT;
SELECT array_agg(i ORDER BY i) FROM t;

-- several tables in one transaction, rolled back apart
CREATE TABLE t2 (i int) USING nodedb_ts;
CREATE TABLE t3 (i int) USING nodedb_ts;
TRUNCATE t;
BEGIN;
INSERT INTO t (i) VALUES (1);
INSERT INTO t2 VALUES (1);
SAVEPOINT a;
INSERT INTO t2 VALUES (2);
INSERT INTO t3 VALUES (2);
ROLLBACK TO a;
INSERT INTO t3 VALUES (3);
INSERT INTO t (i) VALUES (3);
COMMIT;
SELECT (SELECT array_agg(i ORDER BY i) FROM t) t, (SELECT array_agg(i ORDER BY i) FROM t2) t2, (SELECT array_agg(i ORDER BY i) FROM t3) t3;

-- procedures that commit and roll back in loops
CREATE TABLE p (i int) USING nodedb_ts;
DO $$
BEGIN
  FOR g IN 1 .. 200 LOOP
    INSERT INTO p VALUES (g);
    IF g % 2 = 0 THEN COMMIT; ELSE ROLLBACK; END IF;
  END LOOP;
END $$;
SELECT count(*), sum(i) FROM p;
-- COMMIT AND CHAIN, and a failed commit
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO p VALUES (1001);
COMMIT AND CHAIN;
INSERT INTO p VALUES (1002);
ROLLBACK AND CHAIN;
INSERT INTO p VALUES (1003);
COMMIT;
SELECT array_agg(i ORDER BY i) FROM p WHERE i > 1000;
BEGIN;
INSERT INTO p VALUES (1004);
SELECT nothing;
COMMIT;
SELECT array_agg(i ORDER BY i) FROM p WHERE i > 1000;

-- read-only transactions
BEGIN READ ONLY;
SELECT count(*) FROM p;
INSERT INTO p VALUES (1);
ROLLBACK;
SELECT count(*) FROM p;

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'subxact'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA subxact CASCADE;
