-- Rows of a table that is dropped, and comes back with a savepoint; COPY that makes its events by one row at a time
CREATE SCHEMA savepoint_drop;
SET search_path = savepoint_drop, public;
CREATE TABLE t (i int) USING nodedb_ts;
CREATE TABLE other (ts timestamptz, i int) USING nodedb_ts;
INSERT INTO other SELECT now(), g FROM generate_series(1, 1000) g;

-- a plan that may run in parallel writes everything that is buffered
BEGIN;
INSERT INTO t SELECT generate_series(1, 100);
SAVEPOINT s;
DROP TABLE t;
SET LOCAL force_parallel_mode = on;
SELECT count(*) FROM other;
ROLLBACK TO s;
COMMIT;
SELECT count(*), sum(i) FROM t;

-- so does a budget that is full
BEGIN;
SET LOCAL nodedb_ts.memory_budget = '4MB';
INSERT INTO t SELECT generate_series(1, 20000);
SAVEPOINT s;
DROP TABLE t;
SET LOCAL nodedb_ts.memory_budget = '1MB';
SET LOCAL nodedb_ts.active_fraction = 0.1;
INSERT INTO other VALUES (now(), 1);
ROLLBACK TO s;
COMMIT;
SELECT count(*) FROM t;

-- a single row waits outside the memtable
BEGIN;
INSERT INTO t VALUES (-1);
SAVEPOINT s;
DROP TABLE t;
ROLLBACK TO s;
SAVEPOINT s;
INSERT INTO t VALUES (-2);
ROLLBACK TO s;
SAVEPOINT s;
ALTER TABLE t ADD COLUMN j int DEFAULT 7;
INSERT INTO t VALUES (-3, 8);
SELECT i, j FROM t WHERE i < 0 ORDER BY i;
ROLLBACK TO s;
INSERT INTO t VALUES (-4);
COMMIT;
SELECT i FROM t WHERE i < 0 ORDER BY i;

-- one row of a subtransaction that is released, then joined by rows of its parent, then rolled back as a whole
BEGIN;
SAVEPOINT a;
SAVEPOINT b;
INSERT INTO t VALUES (-5);
RELEASE b;
INSERT INTO t VALUES (-6);
ROLLBACK TO a;
SAVEPOINT b;
INSERT INTO t VALUES (-7);
RELEASE b;
COMMIT;
SELECT i FROM t WHERE i < 0 ORDER BY i;

-- COPY by single rows (volatile default) into a table made in this transaction, with events that fetch the rows
CREATE TABLE pk (i int PRIMARY KEY);
INSERT INTO pk VALUES (1), (2);
BEGIN;
CREATE TABLE fk (i int REFERENCES pk, r float8 DEFAULT random()) USING nodedb_ts;
COPY fk (i) FROM stdin;
1
2
\.
SELECT i FROM fk ORDER BY i;
SAVEPOINT s;
COPY fk (i) FROM stdin;
3
\.
ROLLBACK TO s;
COMMIT;
SELECT i FROM fk ORDER BY i;

-- publications would lose the changes silently
\set VERBOSITY sqlstate
SET client_min_messages = error;
CREATE PUBLICATION savepoint_drop FOR TABLE t;
CREATE PUBLICATION savepoint_drop FOR TABLE pk;
ALTER PUBLICATION savepoint_drop ADD TABLE t;
DROP PUBLICATION savepoint_drop;
\set VERBOSITY default
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'savepoint_drop'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA savepoint_drop CASCADE;
