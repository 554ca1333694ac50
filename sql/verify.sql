-- ts_verify: a sound table has no problems, whatever happened to it; who may ask
CREATE SCHEMA verify;
SET search_path = verify, public;
SET timezone = 'UTC';

CREATE TABLE t (ts timestamptz, host text, v float8, n int, p text) USING nodedb_ts;
-- empty: no file yet
SELECT * FROM ts_verify('t');
INSERT INTO t VALUES ('2024-01-01', 'a', 1, 1, 'x');
SELECT * FROM ts_verify('t');
INSERT INTO t SELECT '2024-01-01'::timestamptz + g * interval '1 min', 'h' || g % 7, g / 3.0, g, md5(g::text) FROM generate_series(1, 30000) g;
INSERT INTO t SELECT NULL, NULL, 'NaN', NULL, repeat('x', 50000) FROM generate_series(1, 3) g;
DO $$ BEGIN FOR g IN 1 .. 400 LOOP INSERT INTO t VALUES ('2024-02-01', 'h' || g % 7, g, g, 'p'); COMMIT; END LOOP; END $$;
SELECT * FROM ts_verify('t');
SELECT ts_flush('t') > 0;
SELECT * FROM ts_verify('t');
VACUUM t;
SELECT * FROM ts_verify('t');

-- rows of the own transaction, in memory and not; savepoints; an open cursor
BEGIN;
INSERT INTO t VALUES ('2024-01-01', 'b', 1, 1, 'x');
SELECT * FROM ts_verify('t');
DECLARE c CURSOR FOR SELECT n FROM t ORDER BY n;
FETCH 1 FROM c;
SAVEPOINT s;
INSERT INTO t SELECT '2024-03-01', 'b', g, g, g::text FROM generate_series(1, 20000) g;
SELECT * FROM ts_verify('t');
ROLLBACK TO s;
SELECT * FROM ts_verify('t');
FETCH 1 FROM c;
SELECT ts_flush('t');
SELECT * FROM ts_verify('t');
ROLLBACK;
SELECT * FROM ts_verify('t');
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM t;
INSERT INTO t VALUES ('2024-01-01', 'b', 1, 1, 'x');
SELECT * FROM ts_verify('t');
COMMIT;

-- columns come and go
ALTER TABLE t ADD COLUMN extra numeric DEFAULT 1.5, ADD COLUMN d date;
INSERT INTO t SELECT '2024-04-01'::timestamptz + g * interval '1 s', 'c', g, g, 'p', g / 7.0, '2024-01-01' FROM generate_series(1, 12000) g;
SELECT * FROM ts_verify('t');
ALTER TABLE t DROP COLUMN host, DROP COLUMN ts;
INSERT INTO t SELECT g, g, 'p', g / 7.0, '2024-01-01'::date + g % 10 FROM generate_series(1, 9000) g;
INSERT INTO t VALUES (1, 1, 'p', 1, '2020-01-01');
SELECT * FROM ts_verify('t');
SELECT ts_flush('t') > 0;
VACUUM FREEZE t;
SELECT * FROM ts_verify('t');
VACUUM FULL t;
SELECT * FROM ts_verify('t');

-- row ids and command ids that segments keep
CREATE TABLE ids (ts timestamptz, k int, v float8) USING nodedb_ts;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER tr AFTER INSERT ON ids FOR EACH ROW WHEN (new.v < 0) EXECUTE FUNCTION f();
INSERT INTO ids SELECT '2024-01-01'::timestamptz + g % 100 * interval '1 s', g % 10, g FROM generate_series(1, 20000) g;
DROP TRIGGER tr ON ids;
BEGIN;
INSERT INTO ids SELECT '2024-01-01'::timestamptz + g % 100 * interval '1 s', g % 10, g FROM generate_series(1, 9000) g;
INSERT INTO ids SELECT '2024-01-01'::timestamptz + g % 100 * interval '1 s', g % 10, g FROM generate_series(1, 9000) g;
SELECT count(*) FROM ids;
SELECT * FROM ts_verify('ids');
COMMIT;
SELECT * FROM ts_verify('ids');

-- no columns, no time, time as an integer
CREATE TABLE nothing () USING nodedb_ts;
INSERT INTO nothing SELECT FROM generate_series(1, 10000);
INSERT INTO nothing SELECT;
SELECT * FROM ts_verify('nothing');
CREATE TABLE timeless (a text, b float4) USING nodedb_ts;
INSERT INTO timeless SELECT g % 9, g FROM generate_series(1, 10000) g;
INSERT INTO timeless VALUES ('a', 1);
SELECT * FROM ts_verify('timeless');
CREATE TABLE epoch (epoch bigint, b float4) USING nodedb_ts;
INSERT INTO epoch SELECT -g, g FROM generate_series(1, 10000) g;
INSERT INTO epoch VALUES (-5, 1);
ALTER TABLE epoch RENAME COLUMN epoch TO other;
INSERT INTO epoch VALUES (-6, 1);
SELECT * FROM ts_verify('epoch');

-- temporary, unlogged, materialized, partitioned
CREATE TEMP TABLE tt (ts timestamptz, v int) USING nodedb_ts;
INSERT INTO tt SELECT '2024-01-01', g FROM generate_series(1, 10000) g;
SELECT * FROM ts_verify('tt');
CREATE UNLOGGED TABLE tu (ts timestamptz, v int) USING nodedb_ts;
INSERT INTO tu SELECT '2024-01-01', g FROM generate_series(1, 10000) g;
SELECT * FROM ts_verify('tu');
CREATE MATERIALIZED VIEW mv USING nodedb_ts AS SELECT v, count(*) FROM tu GROUP BY v;
SELECT * FROM ts_verify('mv');
CREATE TABLE pt (ts timestamptz, k int) PARTITION BY LIST (k);
CREATE TABLE pt1 PARTITION OF pt FOR VALUES IN (1) USING nodedb_ts;
CREATE TABLE pt2 PARTITION OF pt FOR VALUES IN (2) USING heap;
CREATE TABLE pt3 PARTITION OF pt FOR VALUES IN (3) PARTITION BY RANGE (ts);
CREATE TABLE pt31 PARTITION OF pt3 DEFAULT USING nodedb_ts;
INSERT INTO pt SELECT '2024-01-01', 1 + g % 3 FROM generate_series(1, 3000) g;
SELECT * FROM ts_verify('pt');
BEGIN;
INSERT INTO pt SELECT '2024-01-01', 1 + g % 3 FROM generate_series(1, 3000) g;
SELECT * FROM ts_verify('pt');
-- the strongest lock of it all; ours on the rows we have inserted aside
SELECT DISTINCT mode FROM pg_locks WHERE relation IN ('pt1'::regclass, 'pt31'::regclass) AND mode <> 'RowExclusiveLock';
COMMIT;

-- who may ask, and about what
CREATE ROLE regress_verify;
GRANT USAGE ON SCHEMA verify TO regress_verify;
SET ROLE regress_verify;
SELECT * FROM ts_verify('timeless');
RESET ROLE;
GRANT SELECT ON timeless TO regress_verify;
SET ROLE regress_verify;
SELECT * FROM ts_verify('timeless');
RESET ROLE;
ALTER TABLE timeless ENABLE ROW LEVEL SECURITY;
SET ROLE regress_verify;
SELECT * FROM ts_verify('timeless');
RESET ROLE;
SELECT * FROM ts_verify('pt2');
SELECT * FROM ts_verify('pg_class');
SELECT * FROM ts_verify(0);
SELECT * FROM ts_verify(NULL);
SELECT * FROM ts_verify('no_such_table');
BEGIN READ ONLY;
SELECT * FROM ts_verify('t');
COMMIT;

DROP SCHEMA verify CASCADE;
DROP ROLE regress_verify;
