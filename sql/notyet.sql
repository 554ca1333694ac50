-- What heap can and this access method cannot yet: each is refused with 0A000,
-- names the operation, and changes nothing. What changes no row works.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS notyet CASCADE;
RESET client_min_messages;
CREATE SCHEMA notyet;
SET search_path = notyet, public;

CREATE TABLE t (ts timestamptz, i int, s text) USING nodedb_ts;
INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '1 s', i, 's' || i % 3 FROM generate_series(1, 100) i;
SELECT ts_flush('t') >= 0 AS flushed;
INSERT INTO t VALUES ('2024-01-02', 101, 'batch');
CREATE TABLE src (i int, s text);
INSERT INTO src VALUES (1, 'one'), (500, 'new');

-- runs a command; says what became of it and whether the table is as before
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE before text; after text; state text; msg text; n bigint;
BEGIN
  SELECT md5(string_agg(t::text, ',' ORDER BY i, s)) INTO before FROM t;
  BEGIN
    EXECUTE command;
    GET DIAGNOSTICS n = ROW_COUNT;
    state := format('done, %s rows', n);
  EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS msg = MESSAGE_TEXT;
    state := SQLSTATE || CASE WHEN msg ~* '(update|delete|for share|for key share|index|unique|primary|exclu|conflict|upsert|constraint|cluster|vacuum)' THEN '' ELSE ', which operation? ' || msg END;
  END;
  SELECT md5(string_agg(t::text, ',' ORDER BY i, s)) INTO after FROM t;
  RETURN state || CASE WHEN before IS DISTINCT FROM after THEN ', rows changed' ELSE '' END;
END $$;

-- rows that would change, in segments, in batches, in the running transaction
SELECT c, attempt(c) FROM (VALUES
  (1, 'UPDATE t SET s = ''x'''),
  (2, 'UPDATE t SET s = ''x'' WHERE i = 5'),
  (3, 'UPDATE t SET s = ''x'' WHERE i = 101'),
  (4, 'UPDATE t SET i = t.i + 1 FROM src WHERE src.i = t.i'),
  (5, 'UPDATE t SET s = ''x'' WHERE ctid = (SELECT ctid FROM t WHERE i = 3)'),
  (6, 'WITH u AS (UPDATE t SET s = s RETURNING *) SELECT count(*) FROM u'),
  (10, 'DELETE FROM t'),
  (11, 'DELETE FROM t WHERE i = 5'),
  (12, 'DELETE FROM t WHERE i = 101'),
  (13, 'DELETE FROM t USING src WHERE src.i = t.i'),
  (14, 'WITH d AS (DELETE FROM t RETURNING *) SELECT count(*) FROM d'),
  (20, 'SELECT * FROM t FOR UPDATE'),
  (21, 'SELECT * FROM t FOR NO KEY UPDATE'),
  (22, 'SELECT * FROM t WHERE i = 101 FOR SHARE'),
  (24, 'SELECT * FROM t FOR UPDATE NOWAIT'),
  (25, 'SELECT * FROM t FOR UPDATE SKIP LOCKED'),
  (26, 'SELECT * FROM t JOIN src USING (i) FOR UPDATE OF t'),
  (30, 'MERGE INTO t USING src ON t.i = src.i WHEN MATCHED THEN UPDATE SET s = src.s'),
  (31, 'MERGE INTO t USING src ON t.i = src.i WHEN MATCHED THEN DELETE'),
  (32, 'MERGE INTO t USING src ON t.i = src.i WHEN MATCHED THEN UPDATE SET s = src.s WHEN NOT MATCHED THEN INSERT (i, s) VALUES (src.i, src.s)'),
  (40, 'CREATE INDEX ON t (i)'),
  (41, 'CREATE UNIQUE INDEX ON t (i)'),
  (42, 'CREATE INDEX ON t USING hash (i)'),
  (43, 'CREATE INDEX ON t USING brin (ts)'),
  (44, 'CREATE INDEX ON t USING gin (to_tsvector(''simple'', s))'),
  (45, 'CREATE INDEX ON t ((i + 1)) WHERE i > 5'),
  (46, 'ALTER TABLE t ADD PRIMARY KEY (i)'),
  (47, 'ALTER TABLE t ADD UNIQUE (i, s)'),
  (48, 'ALTER TABLE t ADD EXCLUDE (i WITH =)'),
  (49, 'ALTER TABLE t ADD COLUMN pk serial PRIMARY KEY'),
  (50, 'CREATE TABLE x (i int PRIMARY KEY) USING nodedb_ts'),
  (51, 'CREATE TABLE x (i int UNIQUE) USING nodedb_ts'),
  (52, 'CREATE TABLE x (i int, UNIQUE (i) DEFERRABLE INITIALLY DEFERRED) USING nodedb_ts'),
  (53, 'CREATE TABLE x (i int, EXCLUDE (i WITH =)) USING nodedb_ts'),
  (54, 'CREATE TABLE x (i int, r int4range, EXCLUDE USING gist (r WITH &&)) USING nodedb_ts'),
  (56, 'CREATE TEMP TABLE x (i int PRIMARY KEY) USING nodedb_ts'),
  (57, 'CREATE UNLOGGED TABLE x (i int UNIQUE) USING nodedb_ts')
) v(n, c) ORDER BY n;
SELECT count(*), to_regclass('x') IS NULL AS no_x FROM t;
SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass;
SELECT count(*) FROM pg_constraint WHERE conrelid = 't'::regclass;
-- the same with buffered rows of this transaction; they survive
BEGIN;
INSERT INTO t VALUES ('2024-01-03', 102, 'mine');
SELECT attempt('UPDATE t SET s = ''x'' WHERE i = 102');
SELECT attempt('DELETE FROM t WHERE i = 102');
SELECT attempt('SELECT * FROM t WHERE i = 102 FOR UPDATE');
SELECT attempt('CREATE INDEX ON t (i)');
COMMIT;
SELECT count(*) FROM t WHERE i = 102;
-- a BEFORE ROW trigger locks the row it is about to change
CREATE FUNCTION same() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN coalesce(NEW, OLD); END';
CREATE TRIGGER b BEFORE UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION same();
SELECT attempt('UPDATE t SET s = ''x'' WHERE i = 5');
SELECT attempt('DELETE FROM t WHERE i = 5');
DROP TRIGGER b ON t;
-- a row that another table's foreign key would point to
SELECT attempt('CREATE TABLE f (i int REFERENCES t (i))') = '42830' AS no_unique_key;
-- a foreign key from it that would change its rows; without such rows the key goes
CREATE TABLE k (id int PRIMARY KEY);
INSERT INTO k VALUES (1), (2), (3);
CREATE TABLE referring (id int REFERENCES k ON DELETE CASCADE ON UPDATE SET NULL) USING nodedb_ts;
INSERT INTO referring VALUES (1), (2);
SELECT c, attempt(c) FROM (VALUES ('DELETE FROM k WHERE id = 1'), ('UPDATE k SET id = 9 WHERE id = 2'), ('DELETE FROM k WHERE id = 3')) v(c);
SELECT (SELECT count(*) FROM k) AS k, (SELECT count(*) FROM referring) AS referring;
-- WHERE CURRENT OF
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM t WHERE i = 5;
MOVE c;
SELECT attempt('UPDATE t SET s = ''x'' WHERE CURRENT OF c');
SELECT attempt('DELETE FROM t WHERE CURRENT OF c');
ROLLBACK;

-- ON CONFLICT: with an arbiter there is none to infer, without one it is a plain insert
SELECT attempt('INSERT INTO t (i) VALUES (1) ON CONFLICT (i) DO NOTHING') = '42P10' AS no_arbiter;
SELECT attempt('INSERT INTO t (i) VALUES (1) ON CONFLICT (i) DO UPDATE SET s = ''x''') = '42P10' AS no_arbiter;
INSERT INTO t (ts, i, s) VALUES ('2024-01-04', 103, 'conflict') ON CONFLICT DO NOTHING RETURNING i, s;
SELECT count(*) FROM t WHERE i = 103;

-- no rows to change: nothing to refuse
SELECT attempt('UPDATE t SET s = ''x'' WHERE i = -1');
SELECT attempt('UPDATE t SET s = ''x'' WHERE false');
SELECT attempt('DELETE FROM t WHERE i = -1');
SELECT attempt('SELECT * FROM t WHERE i = -1 FOR UPDATE');
SELECT attempt('UPDATE t SET s = src.s FROM src WHERE src.i = t.i AND src.i > 1000');
SELECT attempt('DELETE FROM t USING src WHERE src.i = t.i AND src.i > 1000');
SELECT attempt('MERGE INTO t USING src ON t.i = src.i + 1000 WHEN MATCHED THEN DELETE');
SELECT attempt('MERGE INTO t USING src ON t.i = src.i WHEN MATCHED THEN DO NOTHING');
SELECT attempt('MERGE INTO t USING src ON t.i = src.i WHEN MATCHED AND src.i > 1000 THEN UPDATE SET s = ''x''');
CREATE TABLE empty (i int, s text) USING nodedb_ts;
SELECT attempt('UPDATE empty SET i = 1');
SELECT attempt('DELETE FROM empty');
SELECT attempt('SELECT * FROM empty FOR UPDATE');
UPDATE empty SET i = 1;
DELETE FROM empty;
-- MERGE that only inserts
MERGE INTO t USING src ON t.i = src.i WHEN NOT MATCHED THEN INSERT (ts, i, s) VALUES ('2024-01-05', src.i, src.s);
SELECT i, s FROM t WHERE i >= 500;
MERGE INTO t USING src ON t.i = src.i WHEN NOT MATCHED THEN INSERT (ts, i, s) VALUES ('2024-01-05', src.i, src.s);
SELECT count(*) FROM t WHERE i = 500;
MERGE INTO t USING generate_series(501, 20500) g ON t.i = g WHEN NOT MATCHED THEN INSERT (ts, i) VALUES ('2024-01-05', g);
SELECT count(*) FROM t;

-- outside a function: the message is one line, the state 0A000, the session goes on
\set VERBOSITY sqlstate
UPDATE t SET s = 'x' WHERE i = 5;
DELETE FROM t WHERE i = 5;
SELECT i FROM t WHERE i = 5 FOR UPDATE;
CREATE INDEX ix ON t (i);
CREATE INDEX CONCURRENTLY ixc ON t (i);
CREATE UNIQUE INDEX CONCURRENTLY ixc ON t (i);
SELECT relname FROM pg_class WHERE relname LIKE 'ix%' AND relnamespace = 'notyet'::regnamespace;
SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass;
CREATE INDEX CONCURRENTLY ON empty (i);
SELECT count(*) FROM pg_index WHERE indrelid = 'empty'::regclass;
CREATE INDEX ON empty (i);
CLUSTER t;
REINDEX TABLE t;
REINDEX TABLE CONCURRENTLY t;
\set VERBOSITY default
SELECT count(*) FROM t;
REINDEX SCHEMA notyet;
ALTER TABLE t SET WITHOUT CLUSTER;

-- an index on a partitioned parent reaches the partitions
CREATE TABLE p (ts timestamptz, i int) PARTITION BY RANGE (ts);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2024-02-01') USING nodedb_ts;
INSERT INTO p SELECT '2024-01-01', i FROM generate_series(1, 10) i;
\set VERBOSITY sqlstate
CREATE INDEX ON p (i);
ALTER TABLE p ADD PRIMARY KEY (ts, i);
UPDATE p SET i = 0;
-- moving a row between partitions is a delete
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2024-02-01') TO ('2024-03-01') USING heap;
UPDATE p SET ts = '2024-02-02' WHERE i = 1;
INSERT INTO p VALUES ('2024-02-03', 11);
UPDATE p SET ts = '2024-01-03' WHERE i = 11;
\set VERBOSITY default
SELECT tableoid::regclass, count(*), sum(i) FROM p GROUP BY 1 ORDER BY 1;
-- a parent that has one takes no such partition
CREATE TABLE q (ts timestamptz, i int, PRIMARY KEY (ts, i)) PARTITION BY RANGE (ts);
\set VERBOSITY sqlstate
CREATE TABLE q1 PARTITION OF q FOR VALUES FROM ('2024-01-01') TO ('2024-02-01') USING nodedb_ts;
CREATE TABLE q2 (ts timestamptz NOT NULL, i int NOT NULL) USING nodedb_ts;
ALTER TABLE q ATTACH PARTITION q2 FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
\set VERBOSITY default
SELECT to_regclass('q1') IS NULL AS none;
-- a heap table with indexes does not become one
CREATE TABLE indexed (i int PRIMARY KEY, s text);
INSERT INTO indexed VALUES (1, 'x');
\set VERBOSITY sqlstate
ALTER TABLE indexed SET ACCESS METHOD nodedb_ts;
-- a unique index on a materialized view
CREATE MATERIALIZED VIEW mv USING nodedb_ts AS SELECT i FROM t WHERE i < 5;
CREATE UNIQUE INDEX ON mv (i);
REFRESH MATERIALIZED VIEW CONCURRENTLY mv;
\set VERBOSITY default
SELECT am.amname, count(*) FROM indexed, pg_class c JOIN pg_am am ON am.oid = c.relam WHERE c.oid = 'indexed'::regclass GROUP BY 1;
SELECT count(*), sum(i) FROM t;

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'notyet'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA notyet CASCADE;
