-- ALTER TABLE: columns, types, names, and the access method there and back.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS alter CASCADE;
RESET client_min_messages;
CREATE SCHEMA alter;
SET search_path = alter, public;
-- rows (as text) that stand in only one of two tables, duplicates counted
CREATE FUNCTION twin_diff(a regclass, b regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM ((SELECT x::text FROM %1$s x EXCEPT ALL SELECT x::text FROM %2$s x)
                  UNION ALL (SELECT x::text FROM %2$s x EXCEPT ALL SELECT x::text FROM %1$s x)) d', a, b) INTO n;
  RETURN n;
END $$;

CREATE TABLE t (ts timestamptz, host text, i int, v float8) USING nodedb_ts;
CREATE TABLE h (LIKE t) USING heap;
INSERT INTO h SELECT '2024-01-01'::timestamptz + i * interval '30 s', 'h' || i % 10, i, i / 4.0 FROM generate_series(1, 20000) i;
INSERT INTO t SELECT * FROM h;
INSERT INTO t VALUES ('2024-02-01', NULL, NULL, NULL);
INSERT INTO h VALUES ('2024-02-01', NULL, NULL, NULL);
CREATE FUNCTION am(r regclass) RETURNS name LANGUAGE sql AS 'SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE c.oid = r';

-- the access method
ALTER TABLE t SET ACCESS METHOD heap;
SELECT am('t'), count(*), twin_diff('t', 'h') FROM t;
DELETE FROM t WHERE i = 7;
DELETE FROM h WHERE i = 7;
UPDATE t SET v = -1 WHERE i = 8;
UPDATE h SET v = -1 WHERE i = 8;
ALTER TABLE t SET ACCESS METHOD nodedb_ts;
SELECT am('t'), count(*), twin_diff('t', 'h') FROM t;
INSERT INTO t VALUES ('2024-02-02', 'x', -1, 0);
INSERT INTO h VALUES ('2024-02-02', 'x', -1, 0);
SELECT count(*), twin_diff('t', 'h') FROM t;
ALTER TABLE t SET ACCESS METHOD nodedb_ts;
BEGIN;
INSERT INTO t VALUES ('2024-02-03', 'y', -2, 0);
ALTER TABLE t SET ACCESS METHOD heap;
UPDATE t SET v = 5;
SELECT count(*), sum(v) FROM t;
ROLLBACK;
SELECT am('t'), count(*), twin_diff('t', 'h') FROM t;
BEGIN;
INSERT INTO t VALUES ('2024-02-03', 'y', -2, 0);
SAVEPOINT s;
ALTER TABLE t SET ACCESS METHOD heap;
INSERT INTO t VALUES ('2024-02-03', 'y', -3, 0);
ROLLBACK TO s;
INSERT INTO t VALUES ('2024-02-03', 'y', -4, 0);
COMMIT;
INSERT INTO h VALUES ('2024-02-03', 'y', -2, 0), ('2024-02-03', 'y', -4, 0);
SELECT am('t'), count(*), twin_diff('t', 'h') FROM t;
-- several forms in one command
ALTER TABLE t SET ACCESS METHOD heap, ADD COLUMN n int DEFAULT 3, ALTER i TYPE bigint;
ALTER TABLE t SET ACCESS METHOD nodedb_ts, DROP COLUMN n;
ALTER TABLE h ALTER i TYPE bigint;
SELECT am('t'), count(*), twin_diff('t', 'h') FROM t;

-- types, with and without a rewrite
ALTER TABLE t ALTER v TYPE numeric USING (v * 4)::numeric;
ALTER TABLE h ALTER v TYPE numeric USING (v * 4)::numeric;
SELECT count(*), twin_diff('t', 'h'), sum(v) FROM t;
ALTER TABLE t ALTER host TYPE varchar(10);
ALTER TABLE h ALTER host TYPE varchar(10);
ALTER TABLE t ALTER host TYPE text;
ALTER TABLE h ALTER host TYPE text;
SELECT count(*), twin_diff('t', 'h') FROM t;
ALTER TABLE t ALTER host TYPE varchar(1);
ALTER TABLE t ALTER ts TYPE timestamp;
ALTER TABLE h ALTER ts TYPE timestamp;
SELECT count(*), twin_diff('t', 'h') FROM t;
ALTER TABLE t ALTER ts TYPE text;
ALTER TABLE h ALTER ts TYPE text;
SELECT count(*), twin_diff('t', 'h') FROM t;
BEGIN;
INSERT INTO t VALUES ('before', 'z', -5, 0);
ALTER TABLE t ALTER i TYPE text;
INSERT INTO t VALUES ('after', 'z', 'text', 0);
SELECT count(*), max(i) FROM t WHERE host = 'z';
ROLLBACK;
SELECT count(*), twin_diff('t', 'h') FROM t;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT count(*), twin_diff('t', 'h') FROM t;

-- columns: added, dropped, renamed, restricted, in the transaction of inserts
BEGIN;
INSERT INTO t (i) VALUES (-10);
INSERT INTO h (i) VALUES (-10);
ALTER TABLE t ADD COLUMN a text DEFAULT 'added', ADD COLUMN b int;
ALTER TABLE h ADD COLUMN a text DEFAULT 'added', ADD COLUMN b int;
INSERT INTO t (i, b) VALUES (-11, 1);
INSERT INTO h (i, b) VALUES (-11, 1);
ALTER TABLE t DROP COLUMN v;
ALTER TABLE h DROP COLUMN v;
INSERT INTO t (i, b) VALUES (-12, 1);
INSERT INTO h (i, b) VALUES (-12, 1);
COMMIT;
SELECT count(*), twin_diff('t', 'h') FROM t;
ALTER TABLE t RENAME COLUMN a TO c;
ALTER TABLE t RENAME TO t2;
SELECT count(*), count(c), twin_diff('t2', 'h') FROM t2;
ALTER TABLE t2 RENAME TO t;
ALTER TABLE t ALTER i SET NOT NULL;
DO $$ BEGIN ALTER TABLE t ALTER c SET NOT NULL; END $$;
INSERT INTO t (host) VALUES ('?');
CREATE SCHEMA alter_other;
ALTER TABLE t SET SCHEMA alter_other;
SELECT count(*) FROM alter_other.t;
ALTER TABLE alter_other.t SET SCHEMA alter;
ALTER TABLE t ALTER c SET STORAGE EXTERNAL;
ALTER TABLE t ALTER c SET COMPRESSION lz4;
INSERT INTO t (i, c) VALUES (-13, repeat('compressed', 100000));
SELECT length(c) FROM t WHERE i = -13;
DROP SCHEMA alter_other;

-- a type changed twice, with rows between that wait for the second rewrite
CREATE TABLE twice (ts timestamptz, host text, v int) USING nodedb_ts;
INSERT INTO twice SELECT '2026-01-01'::timestamptz + g * interval '1 s', 'h' || g % 3, g FROM generate_series(1, 9000) g;
BEGIN;
ALTER TABLE twice ALTER v TYPE bigint;
INSERT INTO twice SELECT '2026-01-02'::timestamptz + g * interval '1 s', 'h' || g % 3, g FROM generate_series(1, 9000) g;
ALTER TABLE twice ALTER v TYPE int;
INSERT INTO twice SELECT '2026-01-03'::timestamptz + g * interval '1 s', 'h' || g % 3, g FROM generate_series(1, 9000) g;
COMMIT;
SELECT count(*), sum(v), pg_typeof(sum(v)) FROM twice;

-- a type made of the table's row, a table made of a type, LIKE
CREATE TABLE l (LIKE t INCLUDING ALL) USING nodedb_ts;
INSERT INTO l SELECT * FROM t;
SELECT twin_diff('l', 't');
CREATE TYPE ty AS (a int, b text);
CREATE TABLE typed OF ty USING nodedb_ts;
INSERT INTO typed VALUES (1, 'x');
SELECT * FROM typed;
CREATE TABLE of_rows (r t) USING nodedb_ts;
INSERT INTO of_rows SELECT t FROM t WHERE i < 0;
SELECT count(*), count((r).c) FROM of_rows;

-- default_table_access_method, and a change of owner
SET default_table_access_method = nodedb_ts;
CREATE TABLE d (i int);
RESET default_table_access_method;
SELECT am('d');
CREATE ROLE regress_nodedb_ts_owner;
ALTER TABLE d OWNER TO regress_nodedb_ts_owner;
INSERT INTO d VALUES (1);
SELECT * FROM d;
DROP TABLE d;
DROP ROLE regress_nodedb_ts_owner;

-- other storage of a column while rows are in memory: rows of the two forms are told apart
CREATE TABLE stored (ts timestamptz, k int, a text, b text) USING nodedb_ts WITH (nodedb_ts.series_columns = 'k');
ALTER TABLE stored ALTER a SET STORAGE PLAIN;
BEGIN;
COPY stored FROM PROGRAM 'yes "2025-01-01,1,,x" | head -n 2000' CSV;
ALTER TABLE stored ALTER a SET STORAGE EXTENDED;
COPY stored FROM PROGRAM 'yes "2025-01-01,1,x," | head -n 500' CSV;
SAVEPOINT s;
COPY stored FROM PROGRAM 'yes "2025-01-01,1,yyyy,x" | head -n 300' CSV;
ALTER TABLE stored ALTER a SET STORAGE PLAIN, ALTER b SET STORAGE PLAIN;
COPY stored FROM PROGRAM 'yes "2025-01-01,1,x,yyyy" | head -n 200' CSV;
ALTER TABLE stored ALTER a SET STORAGE MAIN;
COPY stored FROM PROGRAM 'yes "2025-01-01,1,yyyy,x" | head -n 100' CSV;
RELEASE SAVEPOINT s;
COMMIT;
SELECT a, b, count(*) FROM stored GROUP BY a, b ORDER BY a, b;

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'alter'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA alter CASCADE;
