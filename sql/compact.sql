-- ts_compact: merges segments, changes no row, and says what it did.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS compact CASCADE;
RESET client_min_messages;
CREATE SCHEMA compact;
SET search_path = compact, public;
SET timezone = 'UTC';
-- rows (as text) that stand in only one of two tables, duplicates counted
CREATE FUNCTION twin_diff(a regclass, b regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM ((SELECT x::text FROM %1$s x EXCEPT ALL SELECT x::text FROM %2$s x)
                  UNION ALL (SELECT x::text FROM %2$s x EXCEPT ALL SELECT x::text FROM %1$s x)) d', a, b) INTO n;
  RETURN n;
END $$;
-- segments of a table
CREATE FUNCTION segs(t regclass) RETURNS text LANGUAGE sql AS $$
  SELECT coalesce(string_agg(format('L%s %s rows', level, rows), ', ' ORDER BY level, rows, segment), 'none') FROM ts_segments(t) $$;
CREATE FUNCTION sound(t regclass) RETURNS text LANGUAGE sql AS $$
  SELECT coalesce(string_agg(what || ': ' || detail, '; '), 'sound') FROM ts_verify(t) $$;

CREATE TABLE t (ts timestamptz, host text, i int, f float8) USING nodedb_ts;
CREATE TABLE h (LIKE t) USING heap;
-- one segment of n rows, from a time on, one row a minute
CREATE PROCEDURE fill(n int, start timestamptz, name text DEFAULT 'h') LANGUAGE plpgsql AS $$
BEGIN
  CREATE TEMP TABLE new AS SELECT start + k * interval '1 min' AS ts, name || k % 5 AS host, k AS i,
    CASE WHEN k % 10 = 0 THEN NULL WHEN k % 11 = 0 THEN 'NaN' ELSE k / 7.0 END AS f FROM generate_series(1, n) k;
  INSERT INTO t SELECT * FROM new;
  INSERT INTO h SELECT * FROM new;
  DROP TABLE new;
  COMMIT;
  PERFORM ts_flush('t');
  COMMIT;
END $$;
-- nothing to do
SELECT * FROM ts_compact('t');
SELECT * FROM ts_compact(NULL);
-- a single segment becomes level 2, once
CALL fill(1000, '2024-01-01');
SELECT segs('t');
SELECT segments_in, segments_out, rows, bytes_before > 0 AS before, bytes_after > 0 AS after FROM ts_compact('t');
SELECT segs('t'), twin_diff('t', 'h'), sound('t');
SELECT * FROM ts_compact('t');
-- late rows of the same day are merged into it; equal times and hosts
CALL fill(1000, '2024-01-01');
SELECT segs('t');
SELECT relation, segments_in, segments_out, rows FROM ts_compact('t');
SELECT segs('t'), twin_diff('t', 'h'), sound('t');
SELECT * FROM ts_compact('t');
-- neighbouring days are joined, and what was joined stays one
CALL fill(1000, '2024-01-02');
CALL fill(1000, '2024-01-20', 'x');
SELECT relation, segments_in, segments_out, rows FROM ts_compact('t');
SELECT segs('t'), twin_diff('t', 'h'), sound('t');
SELECT * FROM ts_compact('t');
-- "before": only buckets that end at or before it
CALL fill(1000, '2024-02-01');
CALL fill(1000, '2024-02-02');
SELECT * FROM ts_compact('t', timestamptz '2024-02-01 23:59');
SELECT relation, segments_in, segments_out, rows FROM ts_compact('t', before => timestamptz '2024-02-02');
SELECT segs('t');
SELECT relation, segments_in, segments_out, rows FROM ts_compact('t', timestamptz 'infinity');
SELECT segs('t'), twin_diff('t', 'h'), sound('t');
-- a bucket that has not ended stays open
CREATE TABLE cur (ts timestamptz, i int) USING nodedb_ts;
INSERT INTO cur SELECT date_trunc('day', now()) + interval '2 days', i FROM generate_series(1, 9000) i;
SELECT * FROM ts_compact('cur');
SELECT segs('cur');
-- ... but many small segments of it are merged, as eight of a size come together
CREATE PROCEDURE more(n int) LANGUAGE plpgsql AS $$
BEGIN
  FOR k IN 1 .. n LOOP
    INSERT INTO cur SELECT date_trunc('day', now()) + interval '2 days' + k * interval '1 s', i FROM generate_series(1, 9000) i;
    COMMIT;
  END LOOP;
END $$;
CALL more(6);
SELECT * FROM ts_compact('cur');
CALL more(1);
SELECT relation, segments_in, segments_out, rows FROM ts_compact('cur');
SELECT segs('cur'), sound('cur'), count(*) FROM cur;
SELECT * FROM ts_compact('cur');
CALL more(9);
SELECT relation, segments_in, segments_out, rows FROM ts_compact('cur', timestamptz '-infinity');
SELECT segs('cur');
SELECT relation, segments_in, segments_out, rows FROM ts_compact('cur', timestamptz 'infinity');
SELECT segs('cur'), sound('cur'), count(*) FROM cur;

-- max_groups: a group at a time, the oldest first
CREATE TABLE g (ts timestamptz, s text) USING nodedb_ts;
SET nodedb_ts.memory_budget = '100MB';
INSERT INTO g SELECT '2024-01-01'::timestamptz + i * interval '100 ms', 'a' || i % 3 FROM generate_series(1, 700000) i;
INSERT INTO g SELECT '2024-03-01'::timestamptz + i * interval '100 ms', 'a' || i % 3 FROM generate_series(1, 700000) i;
SELECT segs('g');
SELECT segments_in, segments_out, rows FROM ts_compact('g', max_groups => 1);
SELECT level, rows, min_time FROM ts_segments('g') ORDER BY min_time;
SELECT segments_in, segments_out, rows FROM ts_compact('g', max_groups => 1);
SELECT segments_in, segments_out, rows FROM ts_compact('g', max_groups => 1);
SELECT segs('g'), sound('g'), count(*), count(DISTINCT ts) FROM g;
DROP TABLE g;

-- visibility: the own transaction's cursors, savepoints, snapshots
-- (which rows come first depends on where segments found room)
CREATE FUNCTION first_three(c refcursor) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v int; s bigint := 0;
BEGIN
  FOR k IN 1 .. 3 LOOP FETCH c INTO v; s := s + v; END LOOP;
  RETURN s;
END $$;
CREATE FUNCTION rest(c refcursor, s bigint DEFAULT 0) RETURNS text LANGUAGE plpgsql AS $$
DECLARE v int; n int := 0;
BEGIN
  LOOP FETCH c INTO v; EXIT WHEN NOT FOUND; n := n + 1; s := s + v; END LOOP;
  RETURN format('%s rows, sum %s', n, s);
END $$;
CALL fill(500, '2024-02-02');
SELECT count(*), sum(i) FROM t;
BEGIN;
DECLARE a CURSOR FOR SELECT i FROM t;
SELECT first_three('a') AS three \gset
SELECT segments_in, segments_out FROM ts_compact('t');
DECLARE b CURSOR FOR SELECT i FROM t;
SELECT rest('a', :three), rest('b');
SELECT count(*), twin_diff('t', 'h') FROM t;
-- what was made here is not merged again before it is committed
SELECT * FROM ts_compact('t');
ROLLBACK;
SELECT segs('t'), twin_diff('t', 'h'), sound('t');
BEGIN;
SAVEPOINT s;
SELECT segments_in, segments_out FROM ts_compact('t');
SELECT segs('t'), twin_diff('t', 'h');
ROLLBACK TO s;
SELECT segs('t'), twin_diff('t', 'h');
SELECT segments_in, segments_out FROM ts_compact('t');
INSERT INTO t VALUES ('2024-02-02', 'mine', 1, 1);
SELECT count(*) FROM t WHERE host = 'mine';
COMMIT;
DELETE FROM h WHERE false;
INSERT INTO h VALUES ('2024-02-02', 'mine', 1, 1);
SELECT segs('t'), twin_diff('t', 'h'), sound('t');
-- rows of the calling transaction are left alone
BEGIN;
INSERT INTO t SELECT '2024-02-02', 'own', i, 0 FROM generate_series(1, 10000) i;
SELECT count(*) FROM t WHERE host = 'own';
SELECT * FROM ts_compact('t');
ROLLBACK;
SELECT twin_diff('t', 'h'), sound('t');
-- repeatable read and serializable
CALL fill(500, '2024-02-03');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*), sum(i) FROM t;
SELECT segments_in, segments_out FROM ts_compact('t');
SELECT count(*), sum(i), twin_diff('t', 'h') FROM t;
COMMIT;
CALL fill(500, '2024-02-03');
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*), sum(i) FROM t;
SELECT segments_in, segments_out FROM ts_compact('t');
SELECT count(*), sum(i), twin_diff('t', 'h') FROM t;
COMMIT;
SELECT segs('t'), twin_diff('t', 'h'), sound('t');
-- row ids: every row has one, and it leads to the row
SELECT count(*), count(DISTINCT ctid) FROM t;
SELECT count(*) FROM t a WHERE EXISTS (SELECT FROM t b WHERE b.ctid = a.ctid AND b.ts = a.ts) AND i < 20;
-- the space of moved segments is used again
SELECT pg_relation_size('t') AS size \gset
DO $$ BEGIN FOR k IN 1 .. 20 LOOP
  INSERT INTO t VALUES ('2024-02-03', 'again', k, 0); INSERT INTO h VALUES ('2024-02-03', 'again', k, 0); COMMIT;
  PERFORM ts_flush('t'); COMMIT; PERFORM ts_compact('t'); COMMIT;
END LOOP; END $$;
SELECT pg_relation_size('t') <= 3 * :size + 200000 AS bounded, segs('t'), twin_diff('t', 'h'), sound('t');
VACUUM FREEZE t;
SELECT twin_diff('t', 'h'), sound('t');
SELECT * FROM ts_compact('t');

-- columns added and dropped since
CALL fill(100, '2024-03-01');
ALTER TABLE t ADD COLUMN n int DEFAULT 7, ADD COLUMN s text DEFAULT repeat('long ', 100), ADD COLUMN x float4, ADD COLUMN y float4 DEFAULT -1.5;
ALTER TABLE h ADD COLUMN n int DEFAULT 7, ADD COLUMN s text DEFAULT repeat('long ', 100), ADD COLUMN x float4, ADD COLUMN y float4 DEFAULT -1.5;
INSERT INTO t SELECT '2024-03-01 12:00', 'new', i, i, i, NULL, i FROM generate_series(1, 50) i;
INSERT INTO h SELECT '2024-03-01 12:00', 'new', i, i, i, NULL, i FROM generate_series(1, 50) i;
SELECT ts_flush('t');
ALTER TABLE t DROP COLUMN i, ALTER COLUMN n SET DEFAULT 8;
ALTER TABLE h DROP COLUMN i, ALTER COLUMN n SET DEFAULT 8;
SELECT segs('t'), twin_diff('t', 'h');
SELECT segments_in, segments_out, rows FROM ts_compact('t');
SELECT segs('t'), twin_diff('t', 'h'), sound('t');
SELECT n, left(s, 9), x, y, count(*) FROM t WHERE host <> 'new' GROUP BY 1, 2, 3, 4;
-- a series column that is dropped: rows are sorted anew
ALTER TABLE t DROP COLUMN host;
ALTER TABLE h DROP COLUMN host;
INSERT INTO t (ts, f) SELECT '2024-03-01'::timestamptz + i * interval '1 s', i FROM generate_series(1, 9000) i;
INSERT INTO h (ts, f) SELECT '2024-03-01'::timestamptz + i * interval '1 s', i FROM generate_series(1, 9000) i;
SELECT segments_in, segments_out, rows FROM ts_compact('t');
SELECT segs('t'), twin_diff('t', 'h'), sound('t');
-- another time column, since the old one is dropped
ALTER TABLE t DROP COLUMN ts, ADD COLUMN d date DEFAULT '2024-05-05';
ALTER TABLE h DROP COLUMN ts, ADD COLUMN d date DEFAULT '2024-05-05';
INSERT INTO t (d, f) SELECT '2024-05-01'::date + i % 3, i FROM generate_series(1, 10000) i;
INSERT INTO h (d, f) SELECT '2024-05-01'::date + i % 3, i FROM generate_series(1, 10000) i;
SELECT rows FROM ts_compact('t');
SELECT twin_diff('t', 'h'), sound('t');
DROP TABLE t, h CASCADE;

-- date and timestamp; times at the ends; rows without a time
CREATE TABLE d (day date, v int) USING nodedb_ts;
INSERT INTO d SELECT '2024-01-01'::date + i % 4, i FROM generate_series(1, 40000) i;
INSERT INTO d VALUES ('infinity', 1), ('-infinity', 2), (NULL, 3);
SELECT ts_flush('d');
SELECT segments_out, rows FROM ts_compact('d', timestamptz '2024-01-03');
SELECT segments_out, rows FROM ts_compact('d');
SELECT sound('d'), count(*), sum(v) FROM d;
CREATE TABLE n (ts timestamp, v int) USING nodedb_ts;
INSERT INTO n SELECT NULL, i FROM generate_series(1, 9000) i;
INSERT INTO n SELECT '2024-01-01', i FROM generate_series(1, 9000) i;
INSERT INTO n SELECT NULL, i FROM generate_series(1, 9000) i;
SELECT segs('n');
SELECT segments_in, segments_out, rows FROM ts_compact('n');
SELECT segs('n'), sound('n'), count(*), count(ts) FROM n;
SELECT * FROM ts_compact('n');
-- integer time: its unit and its end are unknown, so the only bucket is closed for whoever asks
CREATE TABLE k (time bigint, v int) USING nodedb_ts;
INSERT INTO k SELECT i, i FROM generate_series(1, 9000) i;
INSERT INTO k SELECT i, i FROM generate_series(1, 9000) i;
SELECT * FROM ts_compact('k', before => 9000);
SELECT segments_in, segments_out, rows FROM ts_compact('k', before => 9001);
INSERT INTO k SELECT i, i FROM generate_series(1, 9000) i;
SELECT segments_in, segments_out, rows FROM ts_compact('k');
SELECT segs('k'), sound('k') FROM k LIMIT 1;
-- without a time column
CREATE TABLE w (a text, b numeric) USING nodedb_ts;
INSERT INTO w SELECT 'a' || i % 10, i FROM generate_series(1, 9000) i;
INSERT INTO w SELECT 'a' || i % 10, i FROM generate_series(1, 9000) i;
SELECT segments_in, segments_out, rows FROM ts_compact('w');
SELECT segs('w'), sound('w'), count(*), sum(b) FROM w;
-- without columns
CREATE TABLE e () USING nodedb_ts;
INSERT INTO e DEFAULT VALUES;
INSERT INTO e SELECT FROM generate_series(1, 10000);
SELECT ts_flush('e');
SELECT segments_out, rows FROM ts_compact('e');
SELECT count(*), sound('e') FROM e;

-- values longer than a page, a vector, the budget of a row group
CREATE TABLE v (ts timestamptz, s text, k int) USING nodedb_ts;
CREATE TABLE vh (LIKE v) USING heap;
INSERT INTO vh SELECT '2024-01-01'::timestamptz + i * interval '1 h', repeat(md5(i::text), i * 40), i % 2 FROM generate_series(1, 100) i;
INSERT INTO vh SELECT '2024-01-01', repeat(md5(i::text), 400000), i FROM generate_series(1, 2) i;
INSERT INTO v SELECT * FROM vh WHERE k = 0;
INSERT INTO v SELECT * FROM vh WHERE k <> 0;
SELECT ts_flush('v') > 0 AS flushed;
SET maintenance_work_mem = '1MB';
SELECT segments_in > 1 AS several, segments_out, rows FROM ts_compact('v');
RESET maintenance_work_mem;
SELECT sound('v'), count(*), twin_diff('v', 'vh') FROM v;

-- partitions, and all tables of the owner
CREATE TABLE p (ts timestamptz, v int) PARTITION BY RANGE (ts);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2024-02-01') USING nodedb_ts;
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2024-02-01') TO ('2024-03-01') USING nodedb_ts;
CREATE TABLE p3 PARTITION OF p FOR VALUES FROM ('2024-03-01') TO ('2024-04-01') USING heap;
INSERT INTO p SELECT '2024-01-01'::timestamptz + i * interval '5 min', i FROM generate_series(1, 25000) i;
SELECT ts_flush('p') > 0 AS flushed;
SELECT relation, segments_out, rows FROM ts_compact('p') ORDER BY 1;
SELECT segs('p1'), segs('p2'), count(*) FROM p;
INSERT INTO p1 SELECT '2024-01-01', i FROM generate_series(1, 9000) i;
INSERT INTO w SELECT 'a', i FROM generate_series(1, 9000) i;
SELECT relation, segments_in, segments_out, rows FROM ts_compact() WHERE relation IN ('p1'::regclass, 'w'::regclass) ORDER BY 1;
-- temporary and unlogged tables
CREATE TEMP TABLE tt (ts timestamptz, v int) USING nodedb_ts;
CREATE UNLOGGED TABLE u (ts timestamptz, v int) USING nodedb_ts;
INSERT INTO tt SELECT '2024-01-01', i FROM generate_series(1, 9000) i;
INSERT INTO tt SELECT '2024-01-01', i FROM generate_series(1, 9000) i;
INSERT INTO u SELECT * FROM tt;
SELECT segments_in, segments_out, rows FROM ts_compact('tt');
SELECT segments_in, segments_out, rows FROM ts_compact('u');
SELECT segs('tt'), segs('u'), sound('tt'), sound('u');

-- who may, and what is wrong
CREATE ROLE compact_other;
GRANT USAGE ON SCHEMA compact TO compact_other;
GRANT ALL ON ALL TABLES IN SCHEMA compact TO compact_other;
SET ROLE compact_other;
SELECT * FROM ts_compact('w');
SELECT * FROM ts_compact('p');
SELECT * FROM ts_compact();
RESET ROLE;
CREATE TABLE hp (ts timestamptz) USING heap;
\set VERBOSITY terse
SELECT * FROM ts_compact('hp');
SELECT * FROM ts_compact('p', max_groups => 0);
SELECT * FROM ts_compact('k', timestamptz '2024-01-01');
SELECT * FROM ts_compact('d', before => 5);
SELECT * FROM ts_compact('d', '5 o''clock');
SELECT count(*) FROM ts_compact('d', '1990-01-01'); SELECT count(*) FROM ts_compact('k', '-1');
SELECT * FROM ts_compact('w', timestamptz '2024-01-01');
SELECT * FROM ts_compact(999999999::oid::regclass);
BEGIN TRANSACTION READ ONLY;
SELECT * FROM ts_compact('w');
ROLLBACK;
\set VERBOSITY default
SET client_min_messages = warning;
DROP SCHEMA compact CASCADE;
DROP ROLE compact_other;
