-- INSERT ... RETURNING and triggers of every kind: what they see, and that rows can be fetched again by ctid.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS triggers CASCADE;
RESET client_min_messages;
CREATE SCHEMA triggers;
SET search_path = triggers, public;

CREATE TABLE t (ts timestamptz DEFAULT '2024-01-01', i int, s text) USING nodedb_ts;

-- RETURNING
INSERT INTO t (i, s) VALUES (1, 'a'), (2, NULL) RETURNING i, s, ts IS NOT NULL AS has_ts;
INSERT INTO t (i) VALUES (3) RETURNING *, tableoid::regclass;
INSERT INTO t (i) VALUES (4) RETURNING tableoid = 't'::regclass AS tableoid, ctid IS NOT NULL AS ctid, xmin = pg_current_xact_id()::xid AS xmin, xmax, cmin IS NOT NULL AS cmin;
INSERT INTO t (i, s) SELECT g, 'r' FROM generate_series(10, 14) g RETURNING i * 2 AS twice, t AS whole;
-- the ctid returned is unique and finds the row, in the same transaction and later
CREATE TABLE ids (c tid, i int);
BEGIN;
WITH x AS (INSERT INTO t (i, s) SELECT g, 'id' FROM generate_series(100, 3099) g RETURNING ctid, i)
INSERT INTO ids SELECT * FROM x;
SELECT count(*), count(DISTINCT c) FROM ids;
SELECT count(*) FROM ids JOIN t ON t.ctid = ids.c AND t.i = ids.i;
COMMIT;
SELECT count(*) FROM ids JOIN t ON t.ctid = ids.c AND t.i = ids.i;
SELECT count(*), sum(t.i) FROM t WHERE ctid = ANY (ARRAY(SELECT c FROM ids));
TRUNCATE ids;
-- in a subtransaction that is rolled back
BEGIN;
SAVEPOINT s;
WITH x AS (INSERT INTO t (i) VALUES (-1) RETURNING ctid, i) INSERT INTO ids SELECT * FROM x;
ROLLBACK TO s;
WITH x AS (INSERT INTO t (i) VALUES (-2) RETURNING ctid, i) INSERT INTO ids SELECT * FROM x;
COMMIT;
SELECT t.i FROM ids JOIN t ON t.ctid = ids.c;
DELETE FROM ids;

-- AFTER ROW triggers fetch each row again from the table at the end of the statement
TRUNCATE t;
CREATE TABLE log (id int GENERATED ALWAYS AS IDENTITY, what text);
CREATE FUNCTION after_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log (what) VALUES (format('%s %s %s', TG_WHEN, NEW.i, NEW.s));
  RETURN NULL;
END $$;
CREATE TRIGGER a AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION after_row();
INSERT INTO t (i, s) VALUES (1, 'one');
INSERT INTO t (i, s) VALUES (2, 'two'), (3, 'three');
SELECT what FROM log ORDER BY id;
TRUNCATE log;
-- many rows whose order in time is not that of arrival
INSERT INTO t (ts, i, s) SELECT '2024-01-01'::timestamptz - (g * 7919 % 10007) * interval '1 min', g, 'h' || g % 5 FROM generate_series(1, 20000) g;
SELECT count(*), count(DISTINCT what), md5(string_agg(what, ',' ORDER BY id)) = (SELECT md5(string_agg(format('AFTER %s h%s', g, g % 5), ',' ORDER BY g)) FROM generate_series(1, 20000) g) AS in_order FROM log;
TRUNCATE log;
COPY t (i, s) FROM stdin;
101	copy
102	copy
103	\N
\.
SELECT what FROM log ORDER BY id;
TRUNCATE log;
-- deferred to the commit, with savepoints between
DROP TRIGGER a ON t;
CREATE CONSTRAINT TRIGGER d AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION after_row();
BEGIN;
INSERT INTO t (i, s) VALUES (1, 'd');
SAVEPOINT s;
INSERT INTO t (i, s) VALUES (2, 'gone');
ROLLBACK TO s;
INSERT INTO t (i, s) SELECT g, 'd' FROM generate_series(3, 12000) g;
SAVEPOINT s;
INSERT INTO t (i, s) VALUES (12001, 'd');
RELEASE s;
SELECT count(*) FROM log;
SELECT count(*) FROM t WHERE s = 'd';
COMMIT;
SELECT count(*), count(DISTINCT what) FROM log;
TRUNCATE log;
BEGIN;
INSERT INTO t (i, s) VALUES (1, 'now');
SET CONSTRAINTS ALL IMMEDIATE;
SELECT what FROM log;
INSERT INTO t (i, s) VALUES (2, 'now');
SELECT what FROM log ORDER BY id;
ROLLBACK;
-- a deferred trigger that inserts into the table itself, at commit
TRUNCATE t, log;
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.i < 5 THEN INSERT INTO t (i, s) VALUES (NEW.i + 1, 'again'); END IF;
  RETURN NULL;
END $$;
DROP TRIGGER d ON t;
CREATE CONSTRAINT TRIGGER d AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION again();
INSERT INTO t (i, s) VALUES (1, 'first');
SELECT i, s FROM t ORDER BY i;
-- one that fails takes the whole transaction
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.i < 0 THEN RAISE EXCEPTION 'refused'; END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER r AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse();
BEGIN;
INSERT INTO t (i) SELECT generate_series(100, 200);
INSERT INTO t (i) VALUES (-1);
INSERT INTO t (i) SELECT generate_series(100, 20000);
COMMIT;
SELECT count(*) FROM t;
DROP TRIGGER d ON t;
DROP TRIGGER r ON t;

-- BEFORE triggers change rows, drop rows, and look at the table
TRUNCATE t;
CREATE FUNCTION before_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.i % 3 = 0 THEN RETURN NULL; END IF;
  NEW.s := format('before %s of %s', NEW.i, (SELECT count(*) FROM t));
  RETURN NEW;
END $$;
CREATE TRIGGER b BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION before_row();
INSERT INTO t (i) SELECT generate_series(1, 7);
SELECT i, s FROM t ORDER BY i;
INSERT INTO t (i) SELECT generate_series(8, 12) RETURNING i, s;
COPY t (i) FROM stdin;
21
22
23
\.
SELECT i, s FROM t WHERE i > 12 ORDER BY i;
DROP TRIGGER b ON t;

-- transition tables
TRUNCATE t, log;
CREATE FUNCTION stmt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log (what) SELECT format('%s new rows, sum %s, table %s', count(*), sum(i), (SELECT count(*) FROM t)) FROM new_rows;
  RETURN NULL;
END $$;
CREATE TRIGGER s AFTER INSERT ON t REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION stmt();
INSERT INTO t (i) VALUES (1), (2);
INSERT INTO t (i) SELECT generate_series(1, 30000);
INSERT INTO t (i) SELECT i FROM t WHERE i < 0;
COPY t (i) FROM stdin;
5
6
\.
SELECT what FROM log ORDER BY id;
DROP TRIGGER s ON t;
-- row trigger with a transition table
CREATE FUNCTION both_kinds() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log (what) SELECT format('row %s of %s', NEW.i, count(*)) FROM new_rows;
  RETURN NULL;
END $$;
CREATE TRIGGER x AFTER INSERT ON t REFERENCING NEW TABLE AS new_rows FOR EACH ROW EXECUTE FUNCTION both_kinds();
TRUNCATE log;
INSERT INTO t (i) VALUES (7), (8), (9);
SELECT what FROM log ORDER BY id;
DROP TRIGGER x ON t;

-- a trigger that reads the table after each row of many: no quadratic pile of batches
TRUNCATE t, log;
CREATE FUNCTION counts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT max(i) FROM t) IS NULL THEN RAISE EXCEPTION 'own row is missing'; END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER c AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION counts();
DO $$ BEGIN FOR g IN 1 .. 1000 LOOP INSERT INTO t (i) VALUES (g); END LOOP; END $$;
SELECT count(*), sum(i) FROM t;
DROP TRIGGER c ON t;

-- AFTER ROW with WHEN, on a table that is filled by an aborted block as well
CREATE TRIGGER w AFTER INSERT ON t FOR EACH ROW WHEN (NEW.i > 5000) EXECUTE FUNCTION after_row();
TRUNCATE t, log;
DO $$
BEGIN
  FOR g IN 4996 .. 5004 LOOP
    BEGIN
      INSERT INTO t (i, s) VALUES (g, 'w');
      IF g % 2 = 1 THEN RAISE EXCEPTION 'odd'; END IF;
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
  END LOOP;
END $$;
SELECT what FROM log ORDER BY id;
SELECT array_agg(i ORDER BY i) FROM t;

-- INSTEAD OF on a view, and statement triggers for TRUNCATE
CREATE VIEW v AS SELECT i, s FROM t;
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t (i, s) VALUES (NEW.i * 10, NEW.s); RETURN NEW; END $$;
CREATE TRIGGER i INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION instead();
INSERT INTO v VALUES (7, 'instead') RETURNING *;
SELECT i, s FROM t WHERE s = 'instead';
CREATE FUNCTION trunc() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log (what) SELECT format('%s truncate with %s rows', TG_WHEN, count(*)) FROM t; RETURN NULL; END $$;
CREATE TRIGGER tb BEFORE TRUNCATE ON t EXECUTE FUNCTION trunc();
CREATE TRIGGER ta AFTER TRUNCATE ON t EXECUTE FUNCTION trunc();
TRUNCATE log;
TRUNCATE t;
SELECT what FROM log ORDER BY id;

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'triggers'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA triggers CASCADE;
