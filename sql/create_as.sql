-- Temporary and unlogged tables, ON COMMIT, CREATE TABLE AS, SELECT INTO, materialized views.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS create_as CASCADE;
RESET client_min_messages;
CREATE SCHEMA create_as;
SET search_path = create_as, public;
-- rows (as text) that stand in only one of two tables, duplicates counted
CREATE FUNCTION twin_diff(a regclass, b regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM ((SELECT x::text FROM %1$s x EXCEPT ALL SELECT x::text FROM %2$s x)
                  UNION ALL (SELECT x::text FROM %2$s x EXCEPT ALL SELECT x::text FROM %1$s x)) d', a, b) INTO n;
  RETURN n;
END $$;

-- temporary
CREATE TEMP TABLE tmp (i int, s text) USING nodedb_ts;
INSERT INTO tmp SELECT i, 's' || i FROM generate_series(1, 1000) i;
SELECT count(*), sum(i) FROM tmp;
BEGIN;
INSERT INTO tmp VALUES (1001, 'x');
SAVEPOINT a;
INSERT INTO tmp SELECT i, 's' || i FROM generate_series(1, 20000) i;
SELECT count(*), sum(i) FROM tmp;
ROLLBACK TO a;
COMMIT;
SELECT count(*), sum(i) FROM tmp;
SELECT ts_flush('tmp') >= 0 AS flushed;
SELECT count(*), sum(i) FROM tmp;
INSERT INTO tmp SELECT i, 's' || i FROM generate_series(1, 20000) i;
SELECT count(*), sum(i) FROM tmp;
TRUNCATE tmp;
SELECT count(*) FROM tmp;
DROP TABLE tmp;
CREATE TEMP TABLE tmp (i int) USING nodedb_ts ON COMMIT DELETE ROWS;
INSERT INTO tmp VALUES (1);
SELECT count(*) FROM tmp;
BEGIN;
INSERT INTO tmp SELECT generate_series(1, 100);
SELECT count(*) FROM tmp;
SAVEPOINT s;
INSERT INTO tmp SELECT generate_series(1, 50000);
ROLLBACK TO s;
SELECT count(*) FROM tmp;
COMMIT;
SELECT count(*) FROM tmp;
BEGIN;
INSERT INTO tmp VALUES (3);
SELECT * FROM tmp;
COMMIT;
SELECT count(*) FROM tmp;
BEGIN;
CREATE TEMP TABLE dropped (i int) USING nodedb_ts ON COMMIT DROP;
INSERT INTO dropped SELECT generate_series(1, 20000);
SELECT count(*) FROM dropped;
COMMIT;
SELECT to_regclass('dropped') IS NULL AS gone;
-- WITH HOLD over a table that is emptied at commit
BEGIN;
INSERT INTO tmp VALUES (1), (2);
DECLARE c CURSOR WITH HOLD FOR SELECT i FROM tmp ORDER BY i;
COMMIT;
FETCH ALL FROM c;
CLOSE c;
-- DISCARD drops them
INSERT INTO tmp VALUES (1);
DISCARD TEMP;
SELECT to_regclass('tmp') IS NULL AS gone;

-- unlogged, and changed into logged and back
CREATE UNLOGGED TABLE u (ts timestamptz, i int) USING nodedb_ts;
INSERT INTO u SELECT '2024-01-01', i FROM generate_series(1, 10000) i;
INSERT INTO u VALUES ('2024-01-02', 0);
SELECT count(*), sum(i) FROM u;
SELECT ts_flush('u') >= 0 AS flushed;
SELECT count(*), sum(i) FROM u;
ALTER TABLE u SET LOGGED;
SELECT count(*), sum(i) FROM u;
INSERT INTO u VALUES ('2024-01-03', 1);
ALTER TABLE u SET UNLOGGED;
SELECT count(*), sum(i) FROM u;
INSERT INTO u VALUES ('2024-01-03', 1);
SELECT count(*), sum(i) FROM u;
TRUNCATE u;
INSERT INTO u VALUES ('2024-01-03', 1);
SELECT count(*), sum(i) FROM u;

-- CREATE TABLE AS
CREATE TABLE src AS SELECT '2024-01-01'::timestamptz + i * interval '1 s' AS ts, 'h' || i % 7 AS host, i::float8 / 3 AS v FROM generate_series(1, 15000) i;
CREATE TABLE a USING nodedb_ts AS SELECT * FROM src;
SELECT count(*), twin_diff('a', 'src') FROM a;
CREATE TABLE b USING nodedb_ts AS TABLE a WITH NO DATA;
SELECT count(*) FROM b;
INSERT INTO b SELECT * FROM a;
SELECT count(*), twin_diff('b', 'src') FROM b;
CREATE TABLE c USING nodedb_ts AS SELECT * FROM a WHERE false;
SELECT count(*) FROM c;
CREATE TABLE e (x, y) USING nodedb_ts AS VALUES (1, 'one'), (2, NULL);
SELECT * FROM e ORDER BY x;
PREPARE q(int) AS SELECT * FROM src WHERE v < $1;
CREATE TABLE f USING nodedb_ts AS EXECUTE q(100);
SELECT count(*), sum(v)::int FROM f;
CREATE TEMP TABLE g USING nodedb_ts ON COMMIT DELETE ROWS AS SELECT * FROM src;
SELECT count(*) FROM g;
CREATE UNLOGGED TABLE k USING nodedb_ts AS SELECT * FROM src;
SELECT count(*) FROM k;
BEGIN;
CREATE TABLE r USING nodedb_ts AS SELECT * FROM src;
SELECT count(*) FROM r;
ROLLBACK;
SELECT to_regclass('r') IS NULL AS gone;
-- from a function that writes to another table of the kind
CREATE FUNCTION noted(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO e VALUES (n, 'noted'); RETURN n; END $$;
CREATE TABLE m USING nodedb_ts AS SELECT noted(i) AS n FROM generate_series(10, 20) i;
SELECT count(*) FROM m;
SELECT count(*) FROM e;
-- an error in the middle leaves nothing
CREATE TABLE x USING nodedb_ts AS SELECT 1 / (5000 - i) AS d FROM generate_series(1, 10000) i;
SELECT to_regclass('x') IS NULL AS gone;

-- SELECT INTO takes the default access method
SET default_table_access_method = nodedb_ts;
SELECT * INTO i FROM src WHERE v > 4000;
RESET default_table_access_method;
SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE c.oid = 'i'::regclass;
SELECT count(*) FROM i;

-- materialized views
CREATE MATERIALIZED VIEW mv USING nodedb_ts AS SELECT host, count(*) AS n, max(ts) AS last FROM a GROUP BY host;
SELECT host, n FROM mv ORDER BY host;
INSERT INTO a SELECT ts + interval '1 day', host, v FROM src WHERE host = 'h1';
SELECT sum(n) FROM mv;
REFRESH MATERIALIZED VIEW mv;
SELECT sum(n), count(*) FROM mv;
BEGIN;
INSERT INTO a SELECT ts, 'new', v FROM src LIMIT 100;
REFRESH MATERIALIZED VIEW mv;
SELECT sum(n), count(*) FROM mv;
ROLLBACK;
SELECT sum(n), count(*) FROM mv;
REFRESH MATERIALIZED VIEW mv WITH NO DATA;
SELECT count(*) FROM mv;
REFRESH MATERIALIZED VIEW mv;
SELECT sum(n), count(*) FROM mv;
CREATE MATERIALIZED VIEW big USING nodedb_ts AS SELECT * FROM a;
SELECT twin_diff('big', 'a');
REFRESH MATERIALIZED VIEW big;
SELECT twin_diff('big', 'a');
-- views and rules over the table
CREATE VIEW v AS SELECT host, v FROM a;
INSERT INTO v VALUES ('by view', -1);
SELECT * FROM v WHERE host = 'by view';
CREATE RULE r AS ON INSERT TO e WHERE NEW.x = 99 DO INSTEAD INSERT INTO m VALUES (NEW.x);
INSERT INTO e VALUES (99, 'by rule');
SELECT count(*) FROM e WHERE x >= 99;
SELECT max(n) FROM m;

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'create_as'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA create_as CASCADE;
