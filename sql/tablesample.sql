-- TABLESAMPLE over rows in segments, batches and the memtable: all rows at 100 %, the same rows for the same seed,
-- about as many as asked for.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS samples CASCADE;
RESET client_min_messages;
CREATE SCHEMA samples;
SET search_path = samples, public;

CREATE TABLE t (ts timestamptz, i int) USING nodedb_ts;
-- one delta page may hold more rows than a page of heap
INSERT INTO t SELECT '2024-01-01', i FROM generate_series(1, 8000) i;
SELECT pg_relation_size('t') / current_setting('block_size')::int < 8 AS few_pages;
SELECT count(*), sum(i) FROM t TABLESAMPLE bernoulli (100);
SELECT count(*), sum(i) FROM t TABLESAMPLE system (100);
SELECT count(*) FROM t TABLESAMPLE bernoulli (0);
SELECT count(*) FROM t TABLESAMPLE system (0);
-- each part of a page is sampled on its own: no row is preferred to the one that many places before
SELECT count(*) BETWEEN 3500 AND 4500 AS half, count(*) FILTER (WHERE again) BETWEEN 1500 AND 2500 AS quarter
  FROM (SELECT EXISTS (SELECT 1 FROM t u TABLESAMPLE bernoulli (50) REPEATABLE (5) WHERE u.i = s.i + 2048) AS again FROM t s TABLESAMPLE bernoulli (50) REPEATABLE (5)) x;
-- beside segments, one-row batches, rows of the running transaction
INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '1 s', i FROM generate_series(8001, 40000) i;
DO $$ BEGIN FOR k IN 40001 .. 40100 LOOP INSERT INTO t VALUES ('2024-03-01', k); COMMIT; END LOOP; END $$;
BEGIN;
INSERT INTO t SELECT '2024-04-01', i FROM generate_series(40101, 43000) i;
SAVEPOINT s;
INSERT INTO t SELECT '2024-04-01', -i FROM generate_series(1, 3000) i;
ROLLBACK TO s;
SELECT count(*), sum(i) FROM t TABLESAMPLE bernoulli (100);
SELECT count(*), sum(i) FROM t TABLESAMPLE system (100);
-- what comes after a cursor's snapshot is not in its sample
DECLARE c CURSOR FOR SELECT count(*) FROM t TABLESAMPLE bernoulli (100);
INSERT INTO t SELECT '2024-05-01', i FROM generate_series(43001, 60000) i;
FETCH c;
SELECT count(*) FROM t TABLESAMPLE bernoulli (100);
ROLLBACK;
SELECT count(*), sum(i) FROM t TABLESAMPLE bernoulli (100);
SELECT count(*) BETWEEN 3200 AND 4800 AS tenth, count(DISTINCT i) = count(*) AS once FROM t TABLESAMPLE bernoulli (10);
SELECT count(DISTINCT n) FROM (SELECT (SELECT md5(string_agg(i::text, ',' ORDER BY i)) FROM t TABLESAMPLE bernoulli (20) REPEATABLE (7) WHERE i > k * 0) AS n FROM generate_series(1, 3) k) x;
SELECT count(DISTINCT n) FROM (SELECT (SELECT md5(string_agg(i::text, ',' ORDER BY i)) FROM t TABLESAMPLE system (20) REPEATABLE (7) WHERE i > k * 0) AS n FROM generate_series(1, 3) k) x;
SELECT (SELECT md5(string_agg(i::text, ',' ORDER BY i)) FROM t TABLESAMPLE bernoulli (20) REPEATABLE (7)) <>
       (SELECT md5(string_agg(i::text, ',' ORDER BY i)) FROM t TABLESAMPLE bernoulli (20) REPEATABLE (8)) AS another_seed;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT count(*), sum(i) FROM t TABLESAMPLE bernoulli (100);
SELECT count(*), sum(i) FROM t TABLESAMPLE system (100);
-- an empty table; a parent with partitions of both kinds
CREATE TABLE e (i int) USING nodedb_ts;
SELECT count(*) FROM e TABLESAMPLE system (50);
CREATE TABLE p (i int) PARTITION BY LIST (i);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1) USING nodedb_ts;
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2) USING heap;
INSERT INTO p SELECT 1 + i % 2 FROM generate_series(1, 6000) i;
SELECT i, count(*) FROM p TABLESAMPLE bernoulli (100) GROUP BY i ORDER BY i;

SET client_min_messages = warning;
DROP SCHEMA samples CASCADE;
