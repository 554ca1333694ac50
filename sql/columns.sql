-- Tables of any shape: no column at all, 1600 of them, dropped and added ones.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS columns CASCADE;
RESET client_min_messages;
CREATE SCHEMA columns;
SET search_path = columns, public;
-- rows (as text) that stand in only one of two tables, duplicates counted
CREATE FUNCTION twin_diff(a regclass, b regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM ((SELECT x::text FROM %1$s x EXCEPT ALL SELECT x::text FROM %2$s x)
                  UNION ALL (SELECT x::text FROM %2$s x EXCEPT ALL SELECT x::text FROM %1$s x)) d', a, b) INTO n;
  RETURN n;
END $$;

-- no columns
CREATE TABLE z () USING nodedb_ts;
INSERT INTO z DEFAULT VALUES;
INSERT INTO z DEFAULT VALUES;
SELECT count(*) FROM z;
INSERT INTO z SELECT FROM generate_series(1, 20000);
SELECT count(*) FROM z;
SELECT ts_flush('z') >= 0 AS flushed;
SELECT count(*) FROM z;
INSERT INTO z SELECT FROM z;
SELECT count(*) FROM z;
BEGIN;
INSERT INTO z DEFAULT VALUES;
SAVEPOINT s;
INSERT INTO z SELECT FROM generate_series(1, 10);
ROLLBACK TO s;
COMMIT;
SELECT count(*) FROM z;
ALTER TABLE z ADD COLUMN a int DEFAULT 7;
SELECT a, count(*) FROM z GROUP BY a;
ALTER TABLE z DROP COLUMN a;
SELECT count(*) FROM z;
INSERT INTO z DEFAULT VALUES;
SELECT count(*) FROM z;

-- one column, NULLs only
CREATE TABLE nulls (a text) USING nodedb_ts;
INSERT INTO nulls SELECT NULL FROM generate_series(1, 10000);
SELECT ts_flush('nulls') >= 0 AS flushed;
SELECT count(*), count(a) FROM nulls;

-- the most columns there can be
DO $$
BEGIN
  EXECUTE 'CREATE TABLE w (' || (SELECT string_agg(format('c%s int', i), ', ' ORDER BY i) FROM generate_series(1, 1600) i) || ') USING nodedb_ts';
  EXECUTE 'CREATE TABLE wh (' || (SELECT string_agg(format('c%s int', i), ', ' ORDER BY i) FROM generate_series(1, 1600) i) || ') USING heap';
  EXECUTE 'INSERT INTO wh SELECT ' || (SELECT string_agg(CASE WHEN c % 7 = 0 THEN 'NULL' ELSE format('r * %s %% 1009', c) END, ', ' ORDER BY c) FROM generate_series(1, 1600) c) || ' FROM generate_series(1, 300) r';
END $$;
INSERT INTO w SELECT * FROM wh;
SELECT count(*), sum(c1), sum(c800), sum(c1600), count(c7), twin_diff('w', 'wh') FROM w;
INSERT INTO w (c1600) VALUES (-1);
INSERT INTO wh (c1600) VALUES (-1);
INSERT INTO w SELECT * FROM wh LIMIT 1;
SELECT count(*) FROM w;
SELECT ts_flush('w') >= 0 AS flushed;
SELECT count(*), sum(c1), sum(c1600), min(c1600) FROM w;
-- one row a transaction, which fills a page alone
DO $$
BEGIN
  FOR i IN 1 .. 5 LOOP
    EXECUTE 'INSERT INTO w VALUES (' || (SELECT string_agg((c * 1000003)::text, ',' ORDER BY c) FROM generate_series(1, 1600) c) || ')';
    COMMIT;
  END LOOP;
END $$;
SELECT count(*), sum(c1600), sum(c1599::bigint) FROM w WHERE c1 = 1000003;
-- every column of another type in turn
DO $$
DECLARE types text[] := '{int,bigint,smallint,bool,real,float8,\"char\",text,uuid,timestamptz,date,interval,numeric,bytea,inet,point}';
  cols text; vals text;
BEGIN
  SELECT string_agg(format('c%s %s', i, types[1 + i % 16]), ', ' ORDER BY i),
         string_agg(format('%s::%s', (ARRAY['r','r','(r % 100)','(r % 2 = 0)','r','r','chr(65 + r % 26)','(''t'' || r % 50)',
            'md5(r::text)','(''2024-01-01''::timestamp + r * interval ''1 s'')','(''2024-01-01''::date + r)','(r || '' s'')','r','decode(md5(r::text), ''hex'')',
            '(''10.0.0.'' || r % 256)','point(r, -r)'])[1 + i % 16], types[1 + i % 16]), ', ' ORDER BY i)
    INTO cols, vals FROM generate_series(0, 127) i;
  EXECUTE 'CREATE TABLE mixed (' || cols || ') USING nodedb_ts';
  EXECUTE 'CREATE TABLE mixed_h (' || cols || ') USING heap';
  EXECUTE 'INSERT INTO mixed_h SELECT ' || vals || ' FROM generate_series(1, 500) r';
END $$;
INSERT INTO mixed SELECT * FROM mixed_h;
SELECT count(*), twin_diff('mixed', 'mixed_h') FROM mixed;
INSERT INTO mixed (c127) VALUES (NULL);
INSERT INTO mixed_h (c127) VALUES (NULL);
SELECT ts_flush('mixed') >= 0 AS flushed;
SELECT count(*), twin_diff('mixed', 'mixed_h') FROM mixed;

-- dropped and added columns, with rows from before and after, in each state
CREATE TABLE d (ts timestamptz, a int, b text, c float8) USING nodedb_ts;
CREATE TABLE dh (ts timestamptz, a int, b text, c float8) USING heap;
CREATE PROCEDURE in_both(command text) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format(command, 'd');
  EXECUTE format(command, 'dh');
END $$;
CALL in_both('INSERT INTO %s SELECT ''2024-01-01''::timestamptz + i * interval ''1 s'', i, ''b'' || i, i / 2.0 FROM generate_series(1, 1000) i');
SELECT twin_diff('d', 'dh');
CALL in_both('ALTER TABLE %s DROP COLUMN b');
SELECT twin_diff('d', 'dh');
CALL in_both('INSERT INTO %s VALUES (''2024-01-02'', -1, 1)');
CALL in_both('ALTER TABLE %s ADD COLUMN d text');
CALL in_both('ALTER TABLE %s ADD COLUMN e int DEFAULT 42');
CALL in_both('ALTER TABLE %s ADD COLUMN f text NOT NULL DEFAULT ''a longer default''');
SELECT twin_diff('d', 'dh'), count(*), count(d), sum(e), count(DISTINCT f) FROM d;
SELECT ts_flush('d') >= 0 AS flushed;
SELECT twin_diff('d', 'dh'), count(*), count(d), sum(e), count(DISTINCT f) FROM d;
CALL in_both('INSERT INTO %s VALUES (''2024-01-03'', -2, 2, ''d'', NULL, ''f'')');
CALL in_both('INSERT INTO %s (ts) VALUES (''2024-01-04'')');
CALL in_both('ALTER TABLE %s ALTER e SET DEFAULT 43');
CALL in_both('INSERT INTO %s (ts) VALUES (''2024-01-05'')');
SELECT twin_diff('d', 'dh'), count(*), count(d), sum(e), count(DISTINCT f) FROM d;
SELECT a, c, d, e, f FROM d WHERE ts >= '2024-01-02' ORDER BY ts;
CALL in_both('ALTER TABLE %s DROP COLUMN ts');
CALL in_both('ALTER TABLE %s DROP COLUMN e');
CALL in_both('ALTER TABLE %s ADD COLUMN e text');
CALL in_both('INSERT INTO %s SELECT i, i, NULL, ''f'' || i %% 5, ''e'' FROM generate_series(1, 1000) i');
SELECT ts_flush('d') >= 0 AS flushed;
SELECT twin_diff('d', 'dh'), count(*), count(e) FROM d;
-- a default that is not constant makes a rewrite
CREATE SEQUENCE s;
ALTER TABLE d ADD COLUMN g int DEFAULT nextval('s');
SELECT count(*), count(DISTINCT g), min(g), max(g) FROM d;
ALTER TABLE d DROP COLUMN g;
SELECT twin_diff('d', 'dh');
-- in the transaction that wrote rows, and rolled back
BEGIN;
CALL in_both('INSERT INTO %s (a) SELECT i FROM generate_series(1, 100) i');
CALL in_both('ALTER TABLE %s ADD COLUMN h int DEFAULT 5');
CALL in_both('INSERT INTO %s (a) SELECT i FROM generate_series(1, 100) i');
SELECT twin_diff('d', 'dh'), count(*), sum(h) FROM d;
SAVEPOINT s;
CALL in_both('ALTER TABLE %s DROP COLUMN a');
CALL in_both('INSERT INTO %s (h) SELECT i FROM generate_series(1, 100) i');
SELECT twin_diff('d', 'dh'), count(*), sum(h) FROM d;
ROLLBACK TO s;
SELECT twin_diff('d', 'dh'), count(*), sum(h), sum(a) FROM d;
COMMIT;
SELECT twin_diff('d', 'dh'), count(*), sum(h), sum(a) FROM d;
-- every column dropped
CREATE TABLE gone (a int, b text) USING nodedb_ts;
INSERT INTO gone SELECT i, 'x' FROM generate_series(1, 10) i;
ALTER TABLE gone DROP COLUMN a, DROP COLUMN b;
INSERT INTO gone DEFAULT VALUES;
SELECT count(*) FROM gone;
SELECT ts_flush('gone') >= 0 AS flushed;
SELECT count(*) FROM gone;

-- inheritance, where attribute numbers differ
CREATE TABLE parent (a int, b text) USING nodedb_ts;
CREATE TABLE child (c int, b text, a int) USING nodedb_ts;
ALTER TABLE child INHERIT parent;
INSERT INTO parent VALUES (1, 'p');
INSERT INTO child VALUES (9, 'c', 2);
SELECT * FROM parent ORDER BY a;
SELECT tableoid::regclass, a FROM parent ORDER BY a;
SELECT p, p.b FROM parent p ORDER BY a;
SELECT * FROM ONLY parent;

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'columns'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA columns CASCADE;
