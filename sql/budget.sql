-- Small limits: rows are written in the middle of transactions, series are evicted, nothing is lost.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS budget CASCADE;
RESET client_min_messages;
CREATE SCHEMA budget;
SET search_path = budget, public;
-- rows (as text) that stand in only one of two tables, duplicates counted
CREATE FUNCTION twin_diff(a regclass, b regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM ((SELECT x::text FROM %1$s x EXCEPT ALL SELECT x::text FROM %2$s x)
                  UNION ALL (SELECT x::text FROM %2$s x EXCEPT ALL SELECT x::text FROM %1$s x)) d', a, b) INTO n;
  RETURN n;
END $$;
-- the settings exist, with their documented defaults, once the library is loaded
CREATE TABLE t (ts timestamptz, host text, i int, p text) USING nodedb_ts;
INSERT INTO t VALUES ('2024-01-01', 'load', 0, '');
SELECT name, setting, unit, context FROM pg_settings WHERE name IN ('nodedb_ts.memory_budget', 'nodedb_ts.active_fraction', 'nodedb_ts.max_series') ORDER BY name;
TRUNCATE t;
CREATE TABLE h (LIKE t) USING heap;
INSERT INTO h SELECT '2024-01-01'::timestamptz + i * interval '1 s', 'h' || i * 7919 % 1000, i, repeat('p', i % 50) FROM generate_series(1, 30000) i;

SET nodedb_ts.memory_budget = '64kB';
BEGIN;
INSERT INTO t SELECT * FROM h;
SELECT count(*), twin_diff('t', 'h') FROM t;
SAVEPOINT s;
INSERT INTO t SELECT * FROM h;
SELECT count(*) FROM t;
ROLLBACK TO s;
SELECT count(*), twin_diff('t', 'h') FROM t;
COMMIT;
SELECT count(*), twin_diff('t', 'h') FROM t;
-- rolled back after much was written
BEGIN;
INSERT INTO t SELECT * FROM h;
ROLLBACK;
SELECT count(*), twin_diff('t', 'h') FROM t;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT count(*), twin_diff('t', 'h') FROM t;
-- a row larger than the whole budget, between small ones
BEGIN;
INSERT INTO t VALUES ('2024-01-01', 'small', -1, 'x');
INSERT INTO t VALUES ('2024-01-01', 'large', -2, repeat('large', 100000));
INSERT INTO t VALUES ('2024-01-01', 'small', -3, 'x');
COMMIT;
SELECT i, length(p), p = repeat('large', 100000) AS same FROM t WHERE i < 0 ORDER BY i;
-- several tables share the budget, with subtransactions between
CREATE TABLE a (ts timestamptz, i int) USING nodedb_ts;
CREATE TABLE b (ts timestamptz, i int) USING nodedb_ts;
CREATE TABLE c (i int, p text) USING nodedb_ts;
DO $$
BEGIN
  FOR k IN 1 .. 300 LOOP
    INSERT INTO a SELECT '2024-01-01', k FROM generate_series(1, 20);
    BEGIN
      INSERT INTO b SELECT '2024-01-01', k FROM generate_series(1, 20);
      INSERT INTO c SELECT k, repeat('c', 50) FROM generate_series(1, 20);
      IF k % 3 = 0 THEN RAISE EXCEPTION 'back'; END IF;
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
  END LOOP;
END $$;
SELECT (SELECT (count(*), sum(i)) FROM a) AS a, (SELECT (count(*), sum(i), count(*) FILTER (WHERE i % 3 = 0)) FROM b) AS b, (SELECT (count(*), sum(i), count(*) FILTER (WHERE i % 3 = 0)) FROM c) AS c;
-- COPY
\getenv abs_builddir PG_ABS_BUILDDIR
\set file :abs_builddir '/results/budget.data'
COPY h TO :'file';
TRUNCATE t;
COPY t FROM :'file';
SELECT count(*), twin_diff('t', 'h') FROM t;
-- rows with AFTER ROW triggers keep their ids when they are written early
CREATE TABLE log (i int);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (NEW.i); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER n AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note();
TRUNCATE t;
INSERT INTO t SELECT * FROM h WHERE i <= 10000;
SELECT count(*), count(DISTINCT i), sum(i) FROM log;
DROP TRIGGER n ON t;
RESET nodedb_ts.memory_budget;

-- few series: the coldest is moved out, not lost
SET nodedb_ts.max_series = 3;
TRUNCATE t;
INSERT INTO t SELECT * FROM h;
SELECT count(*), twin_diff('t', 'h') FROM t;
BEGIN;
INSERT INTO t SELECT * FROM h WHERE i <= 5000;
SAVEPOINT s;
INSERT INTO t SELECT * FROM h WHERE i <= 5000;
ROLLBACK TO s;
SELECT count(*) FROM t;
ROLLBACK;
SELECT count(*), twin_diff('t', 'h') FROM t;
SET nodedb_ts.max_series = 1;
SET nodedb_ts.memory_budget = '64kB';
TRUNCATE t;
INSERT INTO t SELECT * FROM h WHERE i <= 5000;
SELECT count(*), sum(i), count(DISTINCT host) FROM t;
RESET nodedb_ts.max_series;
SET nodedb_ts.active_fraction = 0.1;
TRUNCATE t;
INSERT INTO t SELECT * FROM h;
SELECT count(*), twin_diff('t', 'h') FROM t;
SET nodedb_ts.active_fraction = 1;
TRUNCATE t;
INSERT INTO t SELECT * FROM h;
SELECT count(*), twin_diff('t', 'h') FROM t;
-- a budget that changes in the middle of a transaction
BEGIN;
SET LOCAL nodedb_ts.memory_budget = '100MB';
INSERT INTO t SELECT * FROM h;
SET LOCAL nodedb_ts.memory_budget = '64kB';
INSERT INTO t SELECT * FROM h WHERE i <= 10;
SELECT count(*) FROM t;
COMMIT;
SELECT count(*) FROM t;
-- values out of range are refused
\set VERBOSITY sqlstate
SET nodedb_ts.memory_budget = '1kB';
SET nodedb_ts.active_fraction = 0;
SET nodedb_ts.max_series = 0;
SET nodedb_ts.no_such_setting = 1;
\set VERBOSITY default

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'budget'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA budget CASCADE;
