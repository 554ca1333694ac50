-- Space comes back: what was rolled back, moved or truncated is freed, used again, cut off; ids are frozen.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS reuse CASCADE;
RESET client_min_messages;
CREATE SCHEMA reuse;
SET search_path = reuse, public;
CREATE TABLE t (ts timestamptz, i int, p text) USING nodedb_ts WITH (autovacuum_enabled = off);
CREATE TABLE h (LIKE t) USING heap;
CREATE FUNCTION same() RETURNS text LANGUAGE sql AS $$
  SELECT CASE WHEN EXISTS (TABLE t EXCEPT ALL TABLE h) OR EXISTS (TABLE h EXCEPT ALL TABLE t) THEN 'different' ELSE 'same' END $$;
CREATE FUNCTION pages() RETURNS bigint LANGUAGE sql AS $$ SELECT pg_relation_size('t') / 8192 $$;

-- segments and batches of loads that were rolled back
INSERT INTO h SELECT '2024-01-01', i, 'x' FROM generate_series(1, 10000) i;
INSERT INTO t TABLE h;
VACUUM t;
SELECT pages() AS before \gset
SET nodedb_ts.memory_budget = '256kB';
DO $$ BEGIN
  FOR k IN 1 .. 10 LOOP
    INSERT INTO t SELECT '2024-01-01', i, md5(i::text) FROM generate_series(1, 20000) i;
    ROLLBACK;
  END LOOP;
END $$;
SELECT pages() > 10 * :before AS grown;
VACUUM t;
SELECT pages() = :before AS cut_off, same();
-- without cutting off, the same blocks serve the next load
CREATE PROCEDURE again(times int) LANGUAGE plpgsql AS $$ BEGIN
  FOR k IN 1 .. times LOOP
    INSERT INTO reuse.t SELECT '2024-01-01', i, md5(i::text) FROM generate_series(1, 20000) i;
    ROLLBACK;
  END LOOP;
END $$;
CALL again(1);
SELECT pages() AS once \gset
CALL again(1);
SELECT pages() > :once AS grows_without_vacuum;
VACUUM (TRUNCATE off) t;
CALL again(2);
VACUUM (TRUNCATE off) t;
SELECT pages() AS some \gset
CALL again(2);
VACUUM (TRUNCATE off) t;
CALL again(2);
VACUUM (TRUNCATE off) t;
CALL again(2);
VACUUM (TRUNCATE off) t;
CALL again(2);
SELECT pages() = :some AS reused, same();
RESET nodedb_ts.memory_budget;

-- one-row commits and flushes: the file stays bounded without any VACUUM
TRUNCATE t;
TRUNCATE h;
CREATE PROCEDURE ticks(first int, n int) LANGUAGE plpgsql AS $$ BEGIN
  FOR k IN first .. first + n - 1 LOOP
    INSERT INTO reuse.t VALUES ('2024-01-01'::timestamptz + k * interval '1 s', k, repeat('y', 50));
    COMMIT;
  END LOOP;
END $$;
CALL ticks(1, 1500);
SELECT ts_flush('t');
CALL ticks(1501, 1500);
SELECT ts_flush('t');
SELECT pages() AS two \gset
CALL ticks(3001, 1500);
SELECT ts_flush('t');
CALL ticks(4501, 1500);
SELECT ts_flush('t');
CALL ticks(6001, 1500);
SELECT ts_flush('t');
SELECT pages() - :two < 10 AS bounded, count(*), count(DISTINCT i), sum(i) FROM t;
VACUUM t;
SELECT count(*), sum(i) FROM t;
INSERT INTO h TABLE t;

-- every id goes, in segments, batches and the catalog; rows stay
SELECT age(relfrozenxid) > 5000 AS old FROM pg_class WHERE oid = 't'::regclass;
CALL ticks(10001, 300);
INSERT INTO h SELECT '2024-01-01'::timestamptz + k * interval '1 s', k, repeat('y', 50) FROM generate_series(10001, 10300) k;
BEGIN;
INSERT INTO t VALUES (now(), -1, 'never');
ROLLBACK;
VACUUM (FREEZE) t;
SELECT age(relfrozenxid) <= 1 AS young, reltuples FROM pg_class WHERE oid = 't'::regclass;
SELECT same(), count(*) FILTER (WHERE xmin = 2) AS frozen, count(*) FROM t;
-- a frozen extent is moved as any other
CALL ticks(10301, 10);
INSERT INTO h SELECT '2024-01-01'::timestamptz + k * interval '1 s', k, repeat('y', 50) FROM generate_series(10301, 10310) k;
SELECT ts_flush('t');
VACUUM (FREEZE) t;
SELECT same(), age(relfrozenxid) <= 1 AS young, reltuples FROM pg_class WHERE oid = 't'::regclass;
-- VACUUM without FREEZE leaves young ids alone
CALL ticks(10311, 10);
INSERT INTO h SELECT '2024-01-01'::timestamptz + k * interval '1 s', k, repeat('y', 50) FROM generate_series(10311, 10320) k;
VACUUM t;
SELECT count(*) FILTER (WHERE xmin <> 2) AS unfrozen FROM t;

-- VACUUM FULL: a new file with what is left, ids and tuple ids as they were
SELECT pg_relation_filepath('t') AS file \gset
CREATE TEMP TABLE ids AS SELECT ctid AS id, i FROM t;
SET nodedb_ts.memory_budget = '256kB';
CALL again(3);
RESET nodedb_ts.memory_budget;
VACUUM FULL t;
SELECT pages() < 30 AS small, pg_relation_filepath('t') <> :'file' AS other_file, same();
SELECT count(*) FROM t JOIN ids ON t.ctid = ids.id AND t.i = ids.i;
SELECT age(relfrozenxid) <= 5 AS young, reltuples FROM pg_class WHERE oid = 't'::regclass;
INSERT INTO t VALUES ('2024-02-01', 20000, 'z');
SELECT max(ctid) = (SELECT ctid FROM t WHERE i = 20000) AS newest_id FROM t;
INSERT INTO h VALUES ('2024-02-01', 20000, 'z');
SELECT ts_flush('t') > 0 AS flushed, same();
VACUUM (FULL, FREEZE, ANALYZE) t;
SELECT same();
CREATE TABLE e (ts timestamptz, i int) USING nodedb_ts;
VACUUM FULL e;
INSERT INTO e VALUES (now(), 1);
TRUNCATE e;
VACUUM FULL e;
VACUUM (FREEZE) e;
SELECT count(*) FROM e;
CLUSTER t;
CLUSTER t USING nothing;
-- temporary and unlogged tables alike
CREATE TEMP TABLE tt (ts timestamptz, i int) USING nodedb_ts;
CREATE UNLOGGED TABLE tu (ts timestamptz, i int) USING nodedb_ts;
DO $$ BEGIN FOR k IN 1 .. 50 LOOP INSERT INTO tt VALUES (now(), k); INSERT INTO tu VALUES (now(), k); COMMIT; END LOOP; END $$;
SELECT ts_flush('tt'), ts_flush('tu');
VACUUM (FREEZE) tt;
VACUUM (FREEZE) tu;
DO $$ BEGIN FOR k IN 51 .. 100 LOOP INSERT INTO tt VALUES (now(), k); INSERT INTO tu VALUES (now(), k); COMMIT; END LOOP; END $$;
SELECT ts_flush('tt'), ts_flush('tu');
VACUUM FULL tt;
VACUUM FULL tu;
SELECT (SELECT sum(i) FROM tt), (SELECT sum(i) FROM tu);

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'reuse'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA reuse CASCADE;
