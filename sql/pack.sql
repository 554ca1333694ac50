-- VACUUM moves segments from the file's end to free blocks before them, and cuts the file off.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS pack CASCADE;
RESET client_min_messages;
CREATE SCHEMA pack;
SET search_path = pack, public;
-- how much longer the file is than what is in use; how much of it stands in segments
CREATE FUNCTION blocks(t regclass, OUT total bigint, OUT live bigint, OUT segments bigint) LANGUAGE sql AS $$
  SELECT pg_total_relation_size(t) / 8192, coalesce(sum(pages), 0)::bigint, count(*) FROM ts_segments(t) $$;
CREATE FUNCTION same(a regclass, b regclass) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM ((SELECT x::text FROM %1$s x EXCEPT ALL SELECT x::text FROM %2$s x)
                  UNION ALL (SELECT x::text FROM %2$s x EXCEPT ALL SELECT x::text FROM %1$s x)) d', a, b) INTO n;
  RETURN n = 0;
END $$;

CREATE TABLE h (ts timestamptz, host text, v float8, n int);
INSERT INTO h SELECT '2024-01-01'::timestamptz + i / 20 * interval '1 min', 'host' || i % 20, hashint8extended(i, 0), i FROM generate_series(1, 60000) i;
CREATE TABLE t (LIKE h) USING nodedb_ts WITH (autovacuum_enabled = off);
CREATE UNLOGGED TABLE u (LIKE h) USING nodedb_ts WITH (autovacuum_enabled = off);
CREATE TEMP TABLE p (LIKE h) USING nodedb_ts;
-- several segments
SET nodedb_ts.memory_budget = '1MB';
INSERT INTO t SELECT * FROM h;
INSERT INTO u SELECT * FROM h;
INSERT INTO p SELECT * FROM h;
RESET nodedb_ts.memory_budget;
SELECT ts_flush('t') >= 0 AND ts_flush('u') >= 0 AND ts_flush('p') >= 0 AS flushed;
SELECT segments_in > 1 AS merged, rows FROM ts_compact('t', before => 'infinity');
SELECT segments_in > 1 AS merged, rows FROM ts_compact('u', before => 'infinity');
SELECT segments_in > 1 AS merged, rows FROM ts_compact('p', before => 'infinity');
SELECT t, total > 1.8 * live AS long FROM unnest('{t,u,p}'::regclass[]) t, blocks(t);
-- the first one frees, the next one moves: nobody else takes an id
VACUUM t, u, p;
VACUUM t, u, p;
SELECT t, total <= live + 10 AS short FROM unnest('{t,u,p}'::regclass[]) t, blocks(t);
SELECT * FROM ts_verify('t') UNION ALL SELECT * FROM ts_verify('u') UNION ALL SELECT * FROM ts_verify('p');
SELECT t, same(t, 'h') FROM unnest('{t,u,p}'::regclass[]) t;
SELECT relpages = pg_relation_size(oid) / 8192 AS pages, reltuples FROM pg_class WHERE oid = 't'::regclass;
SELECT l1_bytes, l2_bytes > 0 AS l2, dead_bytes, free_bytes FROM nodedb_ts.tables WHERE relation = 't'::regclass;
-- rows by tuple id, by a parallel plan, backwards
CREATE TABLE ids AS SELECT ctid AS id, n FROM t WHERE n % 5000 = 0;
SELECT count(*), sum(t.n) = sum(ids.n) AS same FROM ids JOIN t ON t.ctid = ids.id;
-- and again: more rows, merged with what is there
INSERT INTO t SELECT ts + interval '1 s', host, v, -n FROM h WHERE n % 2 = 0;
CREATE TABLE more AS SELECT * FROM h UNION ALL SELECT ts + interval '1 s', host, v, -n FROM h WHERE n % 2 = 0;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT rows FROM ts_compact('t', before => 'infinity');
VACUUM t;
VACUUM t;
SELECT total <= live + 10 AS short, segments FROM blocks('t');
SELECT * FROM ts_verify('t');
SELECT same('t', 'more');

-- a hole, rows, and a free end that fits them better
CREATE TABLE a (LIKE h) USING nodedb_ts WITH (autovacuum_enabled = off);
BEGIN;
INSERT INTO a SELECT * FROM h;
SELECT count(*) FROM a;
ROLLBACK;
INSERT INTO a SELECT * FROM h WHERE n <= 20000;
BEGIN;
INSERT INTO a SELECT * FROM h WHERE n <= 30000;
SELECT count(*) FROM a;
ROLLBACK;
VACUUM (TRUNCATE off, ANALYZE) a;
SELECT total > 3 * live AS long FROM blocks('a');
VACUUM a;
SELECT total <= live + 10 AS short FROM blocks('a');
SELECT * FROM ts_verify('a');
CREATE TABLE a_h AS SELECT * FROM h WHERE n <= 20000;
SELECT same('a', 'a_h');
-- a hole that the last segment does not fit into stays, and the file does not grow for it
CREATE TABLE b (i int, s text) USING nodedb_ts WITH (autovacuum_enabled = off);
BEGIN;
INSERT INTO b SELECT i, md5(i::text) FROM generate_series(1, 16000) i;
SELECT count(*) FROM b;
ROLLBACK;
INSERT INTO b SELECT i, md5(i::text) FROM generate_series(1, 20000) i;
SELECT total > 1.6 * live AS long, segments FROM blocks('b');
SELECT pg_relation_size('b') AS size \gset
VACUUM b;
VACUUM b;
VACUUM b;
SELECT pg_relation_size('b') = :size AS same;
SELECT count(*), sum(i), max(s) = md5(max(i) FILTER (WHERE s = (SELECT max(s) FROM b))::text) AS same FROM b;
SELECT * FROM ts_verify('b');

-- more segments than a directory page holds: its later pages stand between them
CREATE TABLE d (i int, s text) USING nodedb_ts WITH (autovacuum_enabled = off);
CREATE TABLE g (LIKE d);
SET nodedb_ts.memory_budget = '64kB';
INSERT INTO g SELECT i, (SELECT string_agg(md5(i * 1000 + k || ''), '') FROM generate_series(1, 520) k) FROM generate_series(1, 160) i;
INSERT INTO d SELECT * FROM g;
RESET nodedb_ts.memory_budget;
SELECT total > live + 3 AS directory, segments FROM blocks('d');
SELECT segments_in, segments_out FROM ts_compact('d');
-- frees, moves pages of the directory, moves the segment
VACUUM d;
VACUUM d;
VACUUM d;
SELECT total <= live + 10 AS short, segments FROM blocks('d');
SELECT * FROM ts_verify('d');
SELECT same('d', 'g');
-- the directory is in order for what comes
SET nodedb_ts.memory_budget = '64kB';
INSERT INTO d SELECT i + 1000, s FROM g;
INSERT INTO d SELECT i + 2000, s FROM g;
INSERT INTO g SELECT i + k, s FROM g, unnest('{1000,2000}'::int[]) k;
RESET nodedb_ts.memory_budget;
SELECT * FROM ts_verify('d');
SELECT same('d', 'g'), segments FROM blocks('d');
SELECT segments_in, segments_out FROM ts_compact('d');
VACUUM d;
VACUUM d;
VACUUM d;
SELECT total <= live + 10 AS short, segments FROM blocks('d');
SELECT * FROM ts_verify('d');
SELECT same('d', 'g');

-- not where the file must not be cut
CREATE TABLE k (LIKE h) USING nodedb_ts WITH (autovacuum_enabled = off);
BEGIN;
INSERT INTO k SELECT * FROM h;
SELECT count(*) FROM k;
ROLLBACK;
INSERT INTO k SELECT * FROM h;
VACUUM (TRUNCATE off) k;
ALTER TABLE k SET (vacuum_truncate = off);
VACUUM k;
VACUUM k;
SELECT total > 1.5 * live AS long FROM blocks('k');
SELECT * FROM ts_verify('k');
ALTER TABLE k RESET (vacuum_truncate);
VACUUM k;
VACUUM k;
SELECT total <= live + 10 AS short FROM blocks('k');
-- nor for a few blocks: one page, and what is too little of the file
CREATE TABLE f (i int) USING nodedb_ts WITH (autovacuum_enabled = off);
INSERT INTO f SELECT generate_series(1, 2000);
SELECT ts_flush('f') >= 0 AS flushed;
SELECT count(*) FROM ts_compact('f');
VACUUM f;
VACUUM f;
SELECT total <= live + 10 AS short FROM blocks('f');
-- what the next VACUUM could move shows as dead rows, after VACUUM and after ANALYZE
CREATE TABLE w (LIKE h) USING nodedb_ts WITH (autovacuum_enabled = off);
INSERT INTO w SELECT * FROM h;
SELECT rows FROM ts_compact('w', before => 'infinity');
SELECT pg_stat_force_next_flush();
VACUUM w;
SELECT n_dead_tup > 0.5 * n_live_tup AS due FROM pg_stat_user_tables WHERE relid = 'w'::regclass;
ANALYZE w;
SELECT n_dead_tup > 0.5 * n_live_tup AS due FROM pg_stat_user_tables WHERE relid = 'w'::regclass;
-- not if it may not come for them
ALTER TABLE w SET (vacuum_truncate = off);
VACUUM (ANALYZE) w;
SELECT n_dead_tup FROM pg_stat_user_tables WHERE relid = 'w'::regclass;
SELECT total > 1.5 * live AS long FROM blocks('w');
ALTER TABLE w RESET (vacuum_truncate);
VACUUM (ANALYZE) w;
SELECT n_dead_tup FROM pg_stat_user_tables WHERE relid = 'w'::regclass;
SELECT total <= live + 10 AS short FROM blocks('w');
VACUUM FULL w;
SELECT same('w', 'h'), count(*) FROM w;

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'pack'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA pack CASCADE;
