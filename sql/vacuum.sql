-- VACUUM beside rows of every state, sizes, and maintenance commands that must not hurt.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS vacuum CASCADE;
RESET client_min_messages;
CREATE SCHEMA vacuum;
SET search_path = vacuum, public;
-- rows (as text) that stand in only one of two tables, duplicates counted
CREATE FUNCTION twin_diff(a regclass, b regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM ((SELECT x::text FROM %1$s x EXCEPT ALL SELECT x::text FROM %2$s x)
                  UNION ALL (SELECT x::text FROM %2$s x EXCEPT ALL SELECT x::text FROM %1$s x)) d', a, b) INTO n;
  RETURN n;
END $$;

CREATE TABLE t (ts timestamptz, i int, s text) USING nodedb_ts;
CREATE TABLE h (LIKE t) USING heap;
SELECT pg_relation_size('t') >= 0 AS size, pg_table_size('t') >= 0 AS table_size, pg_total_relation_size('t') >= 0 AS total;
VACUUM t;
VACUUM (ANALYZE, FREEZE) t;
INSERT INTO h SELECT '2024-01-01'::timestamptz + i * interval '1 s', i, 's' || i % 50 FROM generate_series(1, 20000) i;
INSERT INTO t SELECT * FROM h;
DO $$ BEGIN FOR k IN 1 .. 50 LOOP INSERT INTO t VALUES ('2024-01-02', -k, 'x'); INSERT INTO h VALUES ('2024-01-02', -k, 'x'); COMMIT; END LOOP; END $$;
BEGIN;
INSERT INTO t SELECT * FROM h;
ROLLBACK;
VACUUM t;
SELECT count(*), twin_diff('t', 'h') FROM t;
VACUUM (FREEZE) t;
SELECT count(*), twin_diff('t', 'h') FROM t;
SELECT ts_flush('t') >= 0 AS flushed;
VACUUM (FREEZE) t;
SELECT count(*), twin_diff('t', 'h') FROM t;
INSERT INTO t VALUES ('2024-01-03', 0, 'after');
INSERT INTO h VALUES ('2024-01-03', 0, 'after');
VACUUM (FREEZE, ANALYZE, DISABLE_PAGE_SKIPPING) t;
SELECT count(*), twin_diff('t', 'h') FROM t;
SELECT xmin IS NOT NULL AS xmin FROM t WHERE i = 0;
VACUUM (TRUNCATE, INDEX_CLEANUP on) t;
VACUUM (PARALLEL 2) t;
SELECT count(*), twin_diff('t', 'h') FROM t;
-- rows that were rolled back, many and few, between VACUUMs
SET nodedb_ts.memory_budget = '256kB';
CREATE TABLE a (ts timestamptz, i int, p text) USING nodedb_ts;
CREATE PROCEDURE load(rows int, times int, final text) LANGUAGE plpgsql AS $$
BEGIN
  FOR k IN 1 .. times LOOP
    INSERT INTO a SELECT '2024-01-01', i, md5(i::text) FROM generate_series(1, rows) i;
    PERFORM count(*) FROM a WHERE i < 0;
    IF final = 'commit' THEN COMMIT; ELSE ROLLBACK; END IF;
  END LOOP;
END $$;
CALL load(20000, 1, 'commit');
CALL load(20000, 3, 'rollback');
VACUUM a;
CALL load(20000, 3, 'rollback');
VACUUM a;
CALL load(20000, 3, 'rollback');
VACUUM a;
CALL load(20000, 3, 'rollback');
VACUUM a;
SELECT count(*), sum(i) FROM a;
TRUNCATE a;
CALL load(1, 2000, 'rollback');
VACUUM a;
CALL load(1, 2000, 'rollback');
VACUUM a;
CALL load(1, 2000, 'rollback');
VACUUM a;
CALL load(1, 2000, 'rollback');
VACUUM a;
CALL load(1, 2000, 'rollback');
SELECT count(*) FROM a;
RESET nodedb_ts.memory_budget;
INSERT INTO a SELECT '2024-01-01', i, 'x' FROM generate_series(1, 1000) i;
SELECT count(*), sum(i) FROM a;
SELECT ts_flush('a') >= 0 AS flushed;
VACUUM a;
SELECT count(*), sum(i) FROM a;
-- locks: a few for the table, however many rows and segments
BEGIN;
INSERT INTO a SELECT '2024-01-01'::timestamptz + i * interval '1 min', i, 'x' FROM generate_series(1, 50000) i;
SELECT count(*) FROM a;
SELECT count(*) < 20 AS few_locks FROM pg_locks WHERE pid = pg_backend_pid();
ROLLBACK;
-- sizes
SELECT pg_relation_size('t') > 0 AS size, pg_relation_size('t', 'init') AS init, pg_total_relation_size('t') >= pg_relation_size('t') AS total;
TRUNCATE t;
SELECT pg_relation_size('t') <= 8192 AS small;
-- counts that the statistics system shows
CREATE TABLE n (i int) USING nodedb_ts;
INSERT INTO n SELECT generate_series(1, 100);
BEGIN;
INSERT INTO n SELECT generate_series(1, 50);
SAVEPOINT s;
INSERT INTO n SELECT generate_series(1, 30);
ROLLBACK TO s;
COMMIT;
SELECT count(*) FROM n;
SELECT pg_stat_force_next_flush();
SELECT n_tup_ins, n_live_tup, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE relid = 'n'::regclass;
-- locks by statement, which need no tuple locks
BEGIN;
LOCK TABLE n IN SHARE UPDATE EXCLUSIVE MODE;
INSERT INTO n VALUES (1);
SELECT mode FROM pg_locks WHERE relation = 'n'::regclass AND pid = pg_backend_pid() ORDER BY 1;
COMMIT;
-- objects that hang on a table: comments, statistics, options of storage
COMMENT ON TABLE n IS 'comment';
ALTER TABLE n SET (autovacuum_enabled = off, parallel_workers = 1);
ALTER TABLE n RESET (autovacuum_enabled);
SELECT reloptions FROM pg_class WHERE oid = 'n'::regclass;
ALTER TABLE n ALTER i SET STATISTICS 10;
ALTER TABLE n REPLICA IDENTITY FULL;
SELECT count(*) FROM n;

-- multixacts are never stored, so relminmxid is as young as it can be after each VACUUM
CREATE TABLE locked (i int PRIMARY KEY, v int) USING heap;
INSERT INTO locked VALUES (1, 0);
DO $$ BEGIN
  FOR k IN 1 .. 20 LOOP
    PERFORM FROM locked FOR KEY SHARE;
    BEGIN
      UPDATE locked SET v = k;
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
    COMMIT;
  END LOOP;
END $$;
SELECT mxid_age(relminmxid) >= 20 AS old FROM pg_class WHERE oid = 'n'::regclass;
VACUUM n;
SELECT mxid_age(relminmxid) < 20 AS young FROM pg_class WHERE oid = 'n'::regclass;
SELECT count(*) FROM n;

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'vacuum'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA vacuum CASCADE;
