-- COPY: errors in the middle, formats, options, FREEZE, and what is left afterwards.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS copy CASCADE;
RESET client_min_messages;
CREATE SCHEMA copy;
SET search_path = copy, public;
-- rows (as text) that stand in only one of two tables, duplicates counted
CREATE FUNCTION twin_diff(a regclass, b regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM ((SELECT x::text FROM %1$s x EXCEPT ALL SELECT x::text FROM %2$s x)
                  UNION ALL (SELECT x::text FROM %2$s x EXCEPT ALL SELECT x::text FROM %1$s x)) d', a, b) INTO n;
  RETURN n;
END $$;

CREATE TABLE t (ts timestamptz, i int, s text) USING nodedb_ts;
-- a bad line
COPY t FROM stdin;
2024-01-01	1	a
2024-01-02	2	b
2024-01-03	three	c
\.
SELECT count(*) FROM t;
COPY t FROM stdin;
2024-01-01	1	a
2024-01-02	2
\.
SELECT count(*) FROM t;
-- a bad line inside a transaction with savepoints
BEGIN;
INSERT INTO t VALUES ('2024-01-01', 0, 'before');
SAVEPOINT s;
COPY t FROM stdin;
2024-01-01	1	a
x	2	b
\.
ROLLBACK TO s;
COPY t FROM stdin;
2024-01-01	1	a
2024-01-01	2	b
\.
COMMIT;
SELECT i, s FROM t ORDER BY i;

-- an error after many rows: buffers were written before it
CREATE TABLE h (LIKE t);
INSERT INTO h SELECT '2024-01-01'::timestamptz + i * interval '1 s', i, 'text ' || i % 100 FROM generate_series(1, 30000) i;
INSERT INTO h VALUES ('2024-01-01', -1, 'the bad one');
ALTER TABLE t ADD CONSTRAINT good CHECK (i >= 0);
\getenv abs_builddir PG_ABS_BUILDDIR
\set file :abs_builddir '/results/copy.data'
COPY h TO :'file';
COPY t FROM :'file';
SELECT count(*) FROM t;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT count(*) FROM t;
BEGIN;
COPY t FROM :'file' WHERE i >= 0;
SELECT count(*) FROM t;
SAVEPOINT s;
COPY t FROM :'file';
ROLLBACK TO s;
SELECT count(*) FROM t;
COMMIT;
SELECT count(*), sum(i) FROM t;
DELETE FROM h WHERE i < 0;
TRUNCATE t;
-- what was aborted does not come back, and its room is not read
INSERT INTO t SELECT * FROM h;
SELECT count(*), twin_diff('t', 'h') FROM t;
BEGIN;
COPY t FROM :'file' WHERE i >= 0;
ROLLBACK;
SELECT count(*), twin_diff('t', 'h') FROM t;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT count(*), twin_diff('t', 'h') FROM t;

-- into a table made or emptied in the same transaction, with FREEZE too
COPY h TO :'file';
BEGIN;
CREATE TABLE n (LIKE t) USING nodedb_ts;
COPY n FROM :'file';
SELECT count(*), twin_diff('n', 'h') FROM n;
COMMIT;
SELECT count(*), twin_diff('n', 'h') FROM n;
BEGIN;
TRUNCATE n;
COPY n FROM :'file' (FREEZE);
COMMIT;
SELECT count(*), twin_diff('n', 'h') FROM n;
BEGIN;
TRUNCATE n;
SAVEPOINT s;
COPY n FROM :'file';
ROLLBACK TO s;
SELECT count(*) FROM n;
COPY n FROM :'file' WHERE i <= 10;
COMMIT;
SELECT count(*) FROM n;

-- tags that seldom change: NULLs that move between neighbours, padding, wide rows, values that a trigger or an
-- expression makes
CREATE TABLE tags (ts timestamptz, host text, a text, b text, id uuid, n numeric, c "char", d name, v int,
                   g text GENERATED ALWAYS AS (CASE WHEN v % 1000 = 1 THEN NULL ELSE a END) STORED) USING nodedb_ts;
CREATE TABLE tags_heap (LIKE tags INCLUDING GENERATED) USING heap;
CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.v % 1500 < 4 THEN NEW.b := 'changed ' || NEW.v % 2; END IF;
  RETURN NEW;
END $$;
CREATE TABLE wide USING nodedb_ts AS SELECT 1 AS v WHERE false;
SELECT 'ALTER TABLE wide ' || string_agg(format('ADD c%s text', i), ', ') FROM generate_series(1, 70) i \gexec
CREATE TABLE wide_heap (LIKE wide) USING heap;
COPY (SELECT '2024-01-01'::timestamptz + i / 20 * interval '1 s' AS ts, 'host' || i % 20 AS host,
             CASE WHEN k % 3 = 0 THEN NULL WHEN k % 3 = 1 THEN 'x' ELSE 'y' || k % 5 END AS a,
             CASE WHEN k % 3 = 1 THEN NULL WHEN k % 3 = 0 THEN 'x' ELSE repeat('z', k % 7) END AS b,
             CASE WHEN m % 4 > 0 THEN ('0000000100000000000000000000000' || m % 4)::uuid END AS id, m % 2 + 0.5 AS n,
             chr(97 + m % 2)::"char" AS c, CASE WHEN m % 4 <> 2 THEN 'name' || m % 2 END::name AS d, i AS v
      FROM (SELECT i, i / 700 + i % 20 AS k, i / 8000 AS m FROM generate_series(0, 39999) i) r) TO :'file';
COPY tags (ts, host, a, b, id, n, c, d, v) FROM :'file';
COPY tags_heap (ts, host, a, b, id, n, c, d, v) FROM :'file';
SELECT count(*), twin_diff('tags', 'tags_heap') FROM tags;
TRUNCATE tags, tags_heap;
CREATE TRIGGER change BEFORE INSERT ON tags FOR EACH ROW EXECUTE FUNCTION change();
CREATE TRIGGER change BEFORE INSERT ON tags_heap FOR EACH ROW EXECUTE FUNCTION change();
COPY tags (ts, host, a, b, id, n, c, d, v) FROM :'file';
COPY tags_heap (ts, host, a, b, id, n, c, d, v) FROM :'file';
SELECT count(*), twin_diff('tags', 'tags_heap') FROM tags;
COPY (SELECT v, host, a, b, d FROM tags_heap) TO :'file';
COPY wide (v, c1, c2, c69, c70) FROM :'file';
COPY wide_heap (v, c1, c2, c69, c70) FROM :'file';
SELECT count(*), twin_diff('wide', 'wide_heap') FROM wide;

-- options
CREATE TABLE o (a int, b text, c text DEFAULT 'def') USING nodedb_ts;
COPY o (a, b) FROM stdin (FORMAT csv, DELIMITER ';', NULL 'none', QUOTE '''');
1;'a;b'
2;none
3;'none'
4;''
\.
COPY o FROM stdin (FORMAT csv, HEADER match, FORCE_NOT_NULL (b), FORCE_NULL (c));
a,b,c
5,,""
6,"x","y"
\.
SELECT a, b, b IS NULL AS n, c, c IS NULL AS n FROM o ORDER BY a;
COPY o FROM stdin (FORMAT csv, HEADER match);
a,c,b
7,x,y
\.
COPY (SELECT * FROM o ORDER BY a) TO stdout (FORMAT csv, HEADER, NULL 'NIL');
-- from a program
COPY o (a) FROM PROGRAM 'printf "100\n200\n"';
SELECT a, c FROM o WHERE a >= 100 ORDER BY a;
-- a line without an end, an empty one, none
COPY o FROM stdin;
\.
COPY o (b) FROM stdin;

\.
SELECT count(*) FROM o;
-- a table that is empty, whose COPY TO gives nothing
TRUNCATE o;
COPY o TO stdout;
COPY (SELECT 'done') TO :'file';

-- slots of COPY share one reference to the row type: errors, new columns, other row types between them
CREATE TABLE many (ts timestamptz, host text, v int) USING nodedb_ts;
CREATE TABLE parted (ts timestamptz, host text, v int) PARTITION BY LIST (host);
CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('h0') USING nodedb_ts;
CREATE TABLE parted_b PARTITION OF parted FOR VALUES IN ('h1') USING nodedb_ts;
CREATE TABLE source AS SELECT '2024-01-01'::timestamptz + g * interval '1 s' AS ts, 'h' || g % 2 AS host, g AS v FROM generate_series(1, 2500) g;
COPY source TO :'file';
BEGIN;
COPY many FROM :'file';
SAVEPOINT a;
COPY many FROM :'file' WHERE v < 900 OR 1 / (v - 900) >= 0;
ROLLBACK TO a;
ALTER TABLE many ADD COLUMN w int DEFAULT 7;
COPY many (ts, host, v) FROM :'file';
COPY parted FROM :'file';
ALTER TABLE parted ADD COLUMN x text DEFAULT 'x';
COPY parted (ts, host, v) FROM :'file';
COMMIT;
SELECT count(*), sum(v), sum(w) FROM many;
SELECT tableoid::regclass, count(*), sum(v), max(x) FROM parted GROUP BY 1 ORDER BY 1;
COPY many (ts, host, v) FROM :'file' WHERE v < 900 OR 1 / (v - 900) >= 0;
ALTER TABLE many DROP COLUMN w;
COPY many FROM :'file';
SELECT count(*), sum(v) FROM many;
COPY (SELECT 'done') TO :'file';

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'copy'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA copy CASCADE;
