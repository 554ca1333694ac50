-- ts_flush: moves committed rows into segments, changes no row, and says how many segments it wrote.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS flush CASCADE;
RESET client_min_messages;
CREATE SCHEMA flush;
SET search_path = flush, public;
-- rows (as text) that stand in only one of two tables, duplicates counted
CREATE FUNCTION twin_diff(a regclass, b regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM ((SELECT x::text FROM %1$s x EXCEPT ALL SELECT x::text FROM %2$s x)
                  UNION ALL (SELECT x::text FROM %2$s x EXCEPT ALL SELECT x::text FROM %1$s x)) d', a, b) INTO n;
  RETURN n;
END $$;

CREATE TABLE t (ts timestamptz, host text, i int) USING nodedb_ts;
CREATE TABLE h (LIKE t) USING heap;
CREATE PROCEDURE fill(n int, start int) LANGUAGE plpgsql AS $$
BEGIN
  FOR k IN start .. start + n - 1 LOOP
    INSERT INTO t VALUES ('2024-01-01'::timestamptz + k * interval '1 s', 'h' || k % 5, k);
    INSERT INTO h VALUES ('2024-01-01'::timestamptz + k * interval '1 s', 'h' || k % 5, k);
    COMMIT;
  END LOOP;
END $$;
-- nothing to do
SELECT ts_flush('t');
SELECT count(*) FROM ts_segments('t');
-- rows of many transactions go into one segment
CALL fill(2000, 1);
SELECT count(*) AS segments FROM ts_segments('t') WHERE level > 0;
SELECT ts_flush('t');
SELECT count(*) AS segments, sum(rows) AS rows, bool_and(bytes > 0) AS bytes FROM ts_segments('t') WHERE level = 1;
SELECT count(*), twin_diff('t', 'h') FROM t;
-- a second one finds nothing
SELECT ts_flush('t');
SELECT ts_flush('t') FROM generate_series(1, 3);
SELECT count(*), twin_diff('t', 'h') FROM t;
-- new rows, a new segment; old ones stay
CALL fill(500, 2001);
SELECT count(*), twin_diff('t', 'h') FROM t;
SELECT ts_flush('t');
SELECT sum(rows) AS rows FROM ts_segments('t') WHERE level > 0;
SELECT count(*), twin_diff('t', 'h') FROM t;
SELECT count(*), sum(i), min(ts) AT TIME ZONE 'UTC' AS min, max(ts) AT TIME ZONE 'UTC' AS max FROM t WHERE host = 'h2';

-- inside a transaction, committed
CALL fill(300, 2501);
BEGIN;
SELECT ts_flush('t');
SELECT count(*), twin_diff('t', 'h') FROM t;
INSERT INTO t VALUES ('2024-02-01', 'x', -1);
INSERT INTO h VALUES ('2024-02-01', 'x', -1);
SELECT count(*), twin_diff('t', 'h') FROM t;
COMMIT;
SELECT count(*), twin_diff('t', 'h') FROM t;
SELECT ts_flush('t');
SELECT ts_flush('t');
-- rolled back: the old place is right again
CALL fill(300, 2801);
BEGIN;
SELECT ts_flush('t') > 0 AS flushed;
SELECT count(*), twin_diff('t', 'h') FROM t;
ROLLBACK;
SELECT count(*), twin_diff('t', 'h') FROM t;
SELECT ts_flush('t') > 0 AS flushed;
SELECT count(*), twin_diff('t', 'h') FROM t;
SELECT ts_flush('t');
-- in a subtransaction, rolled back and released
CALL fill(300, 3101);
BEGIN;
SAVEPOINT s;
SELECT ts_flush('t') > 0 AS flushed;
SELECT count(*), twin_diff('t', 'h') FROM t;
ROLLBACK TO s;
SELECT count(*), twin_diff('t', 'h') FROM t;
SAVEPOINT s;
SELECT ts_flush('t') > 0 AS flushed;
RELEASE s;
SELECT count(*), twin_diff('t', 'h') FROM t;
COMMIT;
SELECT count(*), twin_diff('t', 'h') FROM t;
SELECT ts_flush('t');
-- rows of the calling transaction: they stay visible and are not lost, whatever place they take
BEGIN;
INSERT INTO t SELECT '2024-03-01', 'mine', i FROM generate_series(1, 100) i;
INSERT INTO h SELECT '2024-03-01', 'mine', i FROM generate_series(1, 100) i;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT count(*), twin_diff('t', 'h') FROM t;
SAVEPOINT s;
INSERT INTO t SELECT '2024-03-01', 'gone', i FROM generate_series(1, 100) i;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT count(*) FROM t WHERE host = 'gone';
ROLLBACK TO s;
SELECT count(*), twin_diff('t', 'h') FROM t;
COMMIT;
SELECT count(*), twin_diff('t', 'h') FROM t;
BEGIN;
INSERT INTO t SELECT '2024-03-01', 'gone', i FROM generate_series(1, 20000) i;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT count(*) FROM t WHERE host = 'gone';
ROLLBACK;
SELECT count(*), twin_diff('t', 'h') FROM t;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT count(*), twin_diff('t', 'h') FROM t;

-- open cursors of the session, opened before and between
CREATE FUNCTION rest(c refcursor) RETURNS text LANGUAGE plpgsql AS $$
DECLARE v int; n int := 0; s bigint := 0;
BEGIN
  LOOP FETCH c INTO v; EXIT WHEN NOT FOUND; n := n + 1; s := s + v; END LOOP;
  RETURN format('%s rows, sum %s', n, s);
END $$;
CALL fill(300, 4001);
BEGIN;
DECLARE a CURSOR FOR SELECT i FROM t;
SELECT ts_flush('t') > 0 AS flushed;
DECLARE b CURSOR FOR SELECT i FROM t;
INSERT INTO t VALUES ('2024-01-01', 'new', 1000000);
SELECT ts_flush('t') >= 0 AS flushed;
SELECT rest('a'), rest('b');
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
DECLARE a CURSOR FOR SELECT i FROM t;
SELECT count(*) FROM t;
SELECT ts_flush('t') > 0 AS flushed;
SELECT count(*) FROM t;
SELECT rest('a');
COMMIT;
SELECT count(*), twin_diff('t', 'h') FROM t;
-- tuple ids of rows are still found, or are not taken for another row
CREATE TABLE ids AS SELECT ctid AS c, i FROM t;
CALL fill(200, 5001);
SELECT ts_flush('t') > 0 AS flushed;
SELECT count(*) FROM ids JOIN t ON t.ctid = ids.c AND t.i <> ids.i;

-- errors
\set VERBOSITY sqlstate
SELECT ts_flush('h');
SELECT ts_flush('pg_class');
CREATE VIEW v AS SELECT * FROM t;
SELECT ts_flush('v');
CREATE SEQUENCE s;
SELECT ts_flush('s');
CREATE TABLE p (ts timestamptz) PARTITION BY RANGE (ts);
SELECT ts_flush('p');
SELECT ts_flush('no_such_table');
SELECT ts_flush(99999999);
SELECT ts_segments(99999999);
SELECT ts_segments('h');
BEGIN READ ONLY;
SELECT ts_flush('t');
ROLLBACK;
\set VERBOSITY default
SELECT ts_flush(NULL) IS NULL AS is_null;
SELECT count(*) FROM ts_segments(NULL);
-- the owner may, his roles may, others may not
CREATE ROLE regress_nodedb_ts_owner;
CREATE ROLE regress_nodedb_ts_member IN ROLE regress_nodedb_ts_owner;
CREATE ROLE regress_nodedb_ts_other;
GRANT USAGE ON SCHEMA flush TO PUBLIC;
CREATE TABLE o (i int) USING nodedb_ts;
INSERT INTO o VALUES (1);
ALTER TABLE o OWNER TO regress_nodedb_ts_owner;
GRANT ALL ON o TO regress_nodedb_ts_other;
SET ROLE regress_nodedb_ts_other;
\set VERBOSITY sqlstate
SELECT ts_flush('o');
\set VERBOSITY default
SELECT * FROM o;
RESET ROLE;
SET ROLE regress_nodedb_ts_member;
SELECT ts_flush('o');
RESET ROLE;
INSERT INTO o VALUES (2);
SET ROLE regress_nodedb_ts_owner;
SELECT ts_flush('o');
RESET ROLE;
SELECT * FROM o ORDER BY i;
-- all tables that one owns, and no other
CREATE TABLE not_mine (i int) USING nodedb_ts;
INSERT INTO not_mine VALUES (1);
INSERT INTO o VALUES (3);
SET ROLE regress_nodedb_ts_other;
SELECT ts_flush();
SET ROLE regress_nodedb_ts_owner;
SELECT ts_flush();
RESET ROLE;
SELECT ts_flush('not_mine') AS still_there, ts_flush('o') AS nothing_left;
DROP TABLE o, not_mine;
DROP ROLE regress_nodedb_ts_member;
DROP OWNED BY regress_nodedb_ts_other, regress_nodedb_ts_owner;
DROP ROLE regress_nodedb_ts_owner, regress_nodedb_ts_other;

-- several tables by one query, temporary and unlogged ones too
CREATE TEMP TABLE x1 USING nodedb_ts AS SELECT '2024-01-01'::timestamptz AS ts, i FROM generate_series(1, 50) i;
CREATE UNLOGGED TABLE x2 USING nodedb_ts AS SELECT '2024-01-01'::timestamptz AS ts, i FROM generate_series(1, 50) i;
SELECT sum(ts_flush(c.oid::regclass)) AS flushed FROM pg_class c WHERE relname IN ('x1', 'x2');
SELECT (SELECT count(*) FROM x1) AS x1, (SELECT count(*) FROM x2) AS x2;
-- rows of several buckets, some of them wide, some NULL
CREATE TABLE b (ts timestamptz, v text) USING nodedb_ts;
DO $$ BEGIN FOR k IN 1 .. 40 LOOP INSERT INTO b SELECT '2024-01-01'::timestamptz + k * interval '3 days', CASE WHEN k % 3 = 0 THEN NULL ELSE repeat('v', k * 100) END; COMMIT; END LOOP; INSERT INTO b VALUES (NULL, 'no time'); END $$;
SELECT ts_flush('b') > 0 AS flushed;
SELECT count(*), count(ts), count(v), sum(length(v)) FROM b;
SELECT sum(rows) FROM ts_segments('b') WHERE level > 0;
SELECT ts_flush('b');

-- the planner knows what an undone flush has left in L0
CREATE TABLE undone (i int) USING nodedb_ts;
INSERT INTO undone SELECT i FROM generate_series(1, 3000) i;
INSERT INTO undone SELECT i FROM generate_series(1, 200) i;
CREATE FUNCTION estimated() RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT json) SELECT * FROM undone' INTO plan;
  RETURN plan->0->'Plan'->'Plan Rows';
END $$;
CREATE TABLE before AS SELECT estimated() AS rows;
BEGIN;
SELECT ts_flush('undone') > 0 AS flushed;
ROLLBACK;
SELECT b.rows > 1000 AS some, estimated() = b.rows AS same FROM before b;

-- more rows than are written from where they were decoded: they go through a part, those that had been kept, too
CREATE TABLE many (ts timestamptz, host text, v float8) USING nodedb_ts;
DO $$ BEGIN FOR k IN 0 .. 29 LOOP INSERT INTO many SELECT '2024-01-01'::timestamptz + i * interval '1 s', 'h' || i % 20, i FROM generate_series(k * 5000, k * 5000 + 4999) i; COMMIT; END LOOP; END $$;
ALTER TABLE many ADD COLUMN later text DEFAULT 'later';
SET maintenance_work_mem = '1MB';
SELECT ts_flush('many') > 0 AS flushed;
RESET maintenance_work_mem;
SELECT count(*), count(DISTINCT v), min(v), max(v), count(DISTINCT host), min(later), max(later) FROM many;
SELECT sum(rows) AS rows FROM ts_segments('many') WHERE level = 1;
SELECT count(*) AS wrong FROM many WHERE host <> 'h' || v::int % 20 OR ts <> '2024-01-01'::timestamptz + v * interval '1 s';

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'flush'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA flush CASCADE;
