-- TRUNCATE, DROP and rewrites among inserts of the same transaction, committed and rolled back.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS truncate CASCADE;
RESET client_min_messages;
CREATE SCHEMA truncate;
SET search_path = truncate, public;

CREATE TABLE t (ts timestamptz DEFAULT '2024-01-01', i int) USING nodedb_ts;
CREATE FUNCTION st(OUT n bigint, OUT s bigint) LANGUAGE sql AS 'SELECT count(*), sum(i) FROM t';

-- autocommit
INSERT INTO t (i) SELECT generate_series(1, 1000);
TRUNCATE t;
SELECT * FROM st();
INSERT INTO t (i) SELECT generate_series(1, 10);
SELECT * FROM st();
SELECT ts_flush('t') >= 0 AS flushed;
TRUNCATE t;
SELECT * FROM st();
SELECT count(*) FROM ts_segments('t');

-- rolled back
INSERT INTO t (i) VALUES (1), (2);
BEGIN;
INSERT INTO t (i) VALUES (3);
TRUNCATE t;
SELECT * FROM st();
INSERT INTO t (i) VALUES (4);
SELECT * FROM st();
ROLLBACK;
SELECT * FROM st();
-- committed
BEGIN;
INSERT INTO t (i) VALUES (3);
TRUNCATE t;
INSERT INTO t (i) VALUES (4);
COMMIT;
SELECT * FROM st();
-- in a savepoint that is rolled back: what was buffered before stays
BEGIN;
INSERT INTO t (i) VALUES (10);
SAVEPOINT s;
INSERT INTO t (i) VALUES (100);
TRUNCATE t;
INSERT INTO t (i) VALUES (1000);
SELECT * FROM st();
ROLLBACK TO s;
SELECT * FROM st();
INSERT INTO t (i) VALUES (20);
COMMIT;
SELECT * FROM st();
BEGIN;
INSERT INTO t (i) VALUES (1);
SAVEPOINT s;
TRUNCATE t;
ROLLBACK TO s;
SAVEPOINT s2;
INSERT INTO t (i) VALUES (2);
TRUNCATE t;
INSERT INTO t (i) VALUES (5);
RELEASE s2;
INSERT INTO t (i) VALUES (6);
COMMIT;
SELECT * FROM st();
-- twice in one transaction, which may truncate in place
BEGIN;
INSERT INTO t (i) VALUES (1);
TRUNCATE t;
INSERT INTO t (i) SELECT generate_series(1, 20000);
SELECT * FROM st();
TRUNCATE t;
INSERT INTO t (i) VALUES (2);
SELECT * FROM st();
SAVEPOINT s;
INSERT INTO t (i) VALUES (3);
TRUNCATE t;
INSERT INTO t (i) VALUES (4);
ROLLBACK TO s;
SELECT * FROM st();
COMMIT;
SELECT * FROM st();
-- created and truncated in one transaction
BEGIN;
CREATE TABLE n (i int) USING nodedb_ts;
INSERT INTO n SELECT generate_series(1, 30000);
TRUNCATE n;
SELECT count(*) FROM n;
INSERT INTO n SELECT generate_series(1, 5);
SAVEPOINT s;
TRUNCATE n;
INSERT INTO n VALUES (77);
SELECT array_agg(i ORDER BY i) FROM n;
ROLLBACK TO s;
SELECT array_agg(i ORDER BY i) FROM n;
TRUNCATE n;
INSERT INTO n VALUES (78);
COMMIT;
SELECT array_agg(i ORDER BY i) FROM n;
-- large amounts on both sides
BEGIN;
INSERT INTO t (i) SELECT generate_series(1, 50000);
SAVEPOINT s;
TRUNCATE t;
INSERT INTO t (i) SELECT generate_series(1, 40000);
SELECT * FROM st();
ROLLBACK TO s;
SELECT * FROM st();
INSERT INTO t (i) SELECT generate_series(1, 10000);
COMMIT;
SELECT * FROM st();
-- RESTART IDENTITY, several tables
CREATE TABLE g (i int GENERATED ALWAYS AS IDENTITY, v int) USING nodedb_ts;
INSERT INTO g (v) VALUES (1), (2);
TRUNCATE g, t RESTART IDENTITY;
INSERT INTO g (v) VALUES (3);
SELECT * FROM g;
SELECT * FROM st();
-- with an open cursor it is refused as for heap
INSERT INTO t (i) VALUES (1);
BEGIN;
DECLARE c CURSOR FOR SELECT i FROM t;
FETCH c;
\set VERBOSITY sqlstate
TRUNCATE t;
\set VERBOSITY default
ROLLBACK;

-- DROP
BEGIN;
INSERT INTO t (i) VALUES (2);
DROP TABLE t;
ROLLBACK;
SELECT * FROM st();
BEGIN;
INSERT INTO t (i) VALUES (2);
SAVEPOINT s;
INSERT INTO t (i) VALUES (3);
DROP TABLE t;
CREATE TABLE t (i int) USING nodedb_ts;
INSERT INTO t VALUES (55);
SELECT * FROM st();
ROLLBACK TO s;
SELECT * FROM st();
INSERT INTO t (i) VALUES (4);
COMMIT;
SELECT * FROM st();
BEGIN;
CREATE TABLE d (i int) USING nodedb_ts;
INSERT INTO d SELECT generate_series(1, 30000);
DROP TABLE d;
COMMIT;
BEGIN;
CREATE TABLE d (i int) USING nodedb_ts;
INSERT INTO d SELECT generate_series(1, 30000);
ROLLBACK;
SELECT to_regclass('d') IS NULL AS gone;
BEGIN;
SAVEPOINT s;
CREATE TABLE d (i int) USING nodedb_ts;
INSERT INTO d SELECT generate_series(1, 10);
ROLLBACK TO s;
CREATE TABLE d (i int) USING nodedb_ts;
INSERT INTO d SELECT generate_series(1, 20);
COMMIT;
SELECT count(*) FROM d;
DO $$
BEGIN
  FOR k IN 1 .. 30 LOOP
    CREATE TABLE loop_t (i int) USING nodedb_ts;
    INSERT INTO loop_t SELECT generate_series(1, k);
    IF (SELECT count(*) FROM loop_t) <> k THEN RAISE EXCEPTION 'wrong'; END IF;
    DROP TABLE loop_t;
  END LOOP;
END $$;
DROP TABLE d;
DROP TABLE t;
SELECT to_regclass('t') IS NULL AS gone;

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'truncate'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA truncate CASCADE;
