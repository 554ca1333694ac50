-- Parallel scans: same rows as without, also of the running transaction, and functions in workers.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS parallel CASCADE;
RESET client_min_messages;
CREATE SCHEMA parallel;
SET search_path = parallel, public;
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
INSERT INTO h SELECT '2024-01-01'::timestamptz + i * interval '30 s', 'h' || i % 10, i, i / 4.0 FROM generate_series(1, 60000) i;
INSERT INTO t SELECT * FROM h WHERE i <= 50000;
SELECT ts_flush('t') >= 0 AS flushed;
INSERT INTO t SELECT * FROM h WHERE i > 50000 AND i <= 59000;
DO $$ BEGIN FOR k IN 59001 .. 59050 LOOP INSERT INTO t SELECT * FROM h WHERE i = k; COMMIT; END LOOP; END $$;
INSERT INTO t SELECT * FROM h WHERE i > 59050;
ALTER TABLE t SET (parallel_workers = 2);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
-- it does not share its work
SET nodedb_ts.enable_vectorized_aggregate = off;
CREATE FUNCTION is_parallel(q text) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE l text;
BEGIN
  FOR l IN EXECUTE 'EXPLAIN ' || q LOOP
    IF l LIKE '%Gather%' THEN RETURN true; END IF;
  END LOOP;
  RETURN false;
END $$;
SELECT is_parallel('SELECT count(*), sum(i) FROM t');
SELECT count(*), sum(i), count(DISTINCT i) FROM t;
SELECT host, count(*), sum(i) FROM t GROUP BY host ORDER BY host;
SELECT count(*), sum(a.i) FROM t a JOIN t b USING (i);
SELECT count(*) FROM t WHERE i % 1000 = 0;
SELECT array_agg(i) FROM (SELECT i FROM t WHERE i > 30000 ORDER BY i LIMIT 5) x;
-- the leader alone, the workers alone
SET parallel_leader_participation = off;
SELECT count(*), sum(i) FROM t;
RESET parallel_leader_participation;
SET max_parallel_workers = 0;
SELECT count(*), sum(i) FROM t;
RESET max_parallel_workers;
-- rescans of a parallel scan
SELECT x.n, (SELECT count(*) FROM t WHERE t.i % 100 = x.n) FROM (VALUES (0), (1), (99), (100)) x(n) ORDER BY x.n;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SELECT count(*) FROM (VALUES (1), (2), (3)) x(n) JOIN (SELECT i FROM t WHERE v < 100) t ON t.i = x.n;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;

-- after inserts in the same transaction
BEGIN;
INSERT INTO t SELECT * FROM h WHERE i <= 100;
SELECT is_parallel('SELECT count(*), sum(i) FROM t');
SELECT count(*), sum(i) FROM t;
SAVEPOINT s;
INSERT INTO t SELECT * FROM h;
SELECT count(*), sum(i) FROM t;
ROLLBACK TO s;
SELECT count(*), sum(i) FROM t;
SAVEPOINT s2;
INSERT INTO t SELECT * FROM h WHERE i <= 10;
RELEASE s2;
INSERT INTO t (i) VALUES (0);
SELECT count(*), sum(i) FROM t;
-- a cursor, whose snapshot is older than later commands
DECLARE c CURSOR FOR SELECT count(*), sum(i) FROM t;
INSERT INTO t (i) SELECT generate_series(1, 20000);
FETCH c;
SELECT count(*), sum(i) FROM t;
ROLLBACK;
SELECT count(*), sum(i) FROM t;

-- functions run by workers that read this table or another one of the kind
CREATE TABLE o (i int) USING nodedb_ts;
INSERT INTO o SELECT generate_series(1, 1000);
CREATE FUNCTION in_o(n int) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT count(*) FROM o WHERE o.i <= n';
CREATE FUNCTION o_rows() RETURNS bigint LANGUAGE plpgsql VOLATILE PARALLEL SAFE AS 'BEGIN RETURN (SELECT count(*) FROM o); END';
SELECT is_parallel('SELECT sum(in_o(i)) FROM t WHERE i <= 50');
SELECT sum(in_o(i)) FROM t WHERE i <= 50;
BEGIN;
INSERT INTO o SELECT generate_series(1, 500);
SELECT sum(in_o(i)) FROM t WHERE i <= 50;
INSERT INTO o SELECT generate_series(1, 500);
SELECT sum(o_rows()) FROM t WHERE i <= 10;
-- where only the function, not the query, touches rows not yet written
INSERT INTO o VALUES (1);
SELECT min(o_rows()), max(o_rows()) FROM h WHERE i <= 10;
SET LOCAL force_parallel_mode = on;
INSERT INTO o VALUES (1);
SELECT o_rows();
SELECT in_o(1);
INSERT INTO o SELECT generate_series(1, 20000);
SELECT o_rows();
COMMIT;
SET force_parallel_mode = on;
SELECT o_rows();
SELECT count(*), sum(i) FROM t;
SELECT t FROM t WHERE i = 777;
SELECT count(DISTINCT ctid), count(DISTINCT tableoid) FROM t;
BEGIN;
INSERT INTO t VALUES ('2024-01-01', 'x', -1, NULL);
SELECT host, i, v FROM t WHERE i < 0;
ROLLBACK;
RESET force_parallel_mode;

-- parallel plans under EXISTS, UNION ALL, CREATE TABLE AS, REFRESH, and with LIMIT that stops early
SELECT count(*) FROM (SELECT i FROM t UNION ALL SELECT i FROM h) x;
CREATE TABLE c USING nodedb_ts AS SELECT * FROM t;
SELECT count(*), twin_diff('c', 'h') FROM c;
CREATE MATERIALIZED VIEW mv USING nodedb_ts AS SELECT host, sum(i) AS s FROM t GROUP BY host;
REFRESH MATERIALIZED VIEW mv;
SELECT sum(s) FROM mv;
SELECT count(*) FROM (SELECT i FROM t LIMIT 17) x;
-- in SERIALIZABLE and in a read-only transaction
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
SELECT count(*), sum(i) FROM t;
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO t (i) VALUES (0);
SELECT count(*), sum(i) FROM t;
ROLLBACK;
-- an empty table, one of a single row
CREATE TABLE e (i int) USING nodedb_ts;
ALTER TABLE e SET (parallel_workers = 2);
SELECT count(*) FROM e;
INSERT INTO e VALUES (1);
SELECT count(*), sum(i) FROM e;
-- a temporary table is read by the leader
CREATE TEMP TABLE tmp USING nodedb_ts AS SELECT * FROM t;
SELECT count(*), sum(i) FROM tmp;
SELECT count(*) FROM tmp JOIN t USING (i);

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'parallel'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA parallel CASCADE;
