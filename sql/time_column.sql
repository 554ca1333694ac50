-- The time column: none, any of the types that may serve, and every value one can hold.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS time_column CASCADE;
RESET client_min_messages;
CREATE SCHEMA time_column;
SET search_path = time_column, public;
-- rows (as text) that stand in only one of two tables, duplicates counted
CREATE FUNCTION twin_diff(a regclass, b regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM ((SELECT x::text FROM %1$s x EXCEPT ALL SELECT x::text FROM %2$s x)
                  UNION ALL (SELECT x::text FROM %2$s x EXCEPT ALL SELECT x::text FROM %1$s x)) d', a, b) INTO n;
  RETURN n;
END $$;
SET timezone = 'UTC';

-- each table is filled by several transactions, compared, moved to segments, compared
CREATE PROCEDURE check_table(def text, vals text[]) LANGUAGE plpgsql AS $$
DECLARE n bigint; m bigint;
BEGIN
  EXECUTE 'CREATE TABLE t (' || def || ') USING nodedb_ts';
  EXECUTE 'CREATE TABLE h (' || def || ') USING heap';
  FOR i IN 1 .. array_length(vals, 1) LOOP
    EXECUTE 'INSERT INTO t VALUES (' || vals[i] || ')';
    EXECUTE 'INSERT INTO h VALUES (' || vals[i] || ')';
    COMMIT;
  END LOOP;
  FOR k IN 1 .. 20 LOOP
    FOR i IN 1 .. array_length(vals, 1) LOOP
      EXECUTE 'INSERT INTO t VALUES (' || vals[i] || ')';
      EXECUTE 'INSERT INTO h VALUES (' || vals[i] || ')';
    END LOOP;
  END LOOP;
  n := twin_diff('t', 'h');
  COMMIT;
  n := n + twin_diff('t', 'h');
  PERFORM ts_flush('t');
  COMMIT;
  n := n + twin_diff('t', 'h');
  SELECT count(*) INTO m FROM t;
  RAISE INFO '%: % rows, % differ', def, m, n;
  DROP TABLE t, h;
END $$;

CALL check_table('a int, b text', '{"1, ''x''","NULL, NULL","-5, ''y''"}');
CALL check_table('b text', '{''x'',"NULL"}');
CALL check_table('ts timestamptz', '{''2024-01-01'',"NULL",''infinity'',''-infinity'',''4713-01-01 00:00 BC'',''294276-12-31 23:59:59.999999'',''2000-01-01'',''1999-12-31 23:59:59.999999''}');
CALL check_table('v int, ts timestamp', '{"1,''2024-01-01''","2,NULL","3,''infinity''","4,''-infinity''","5,''4713-01-01 00:00 BC''","6,''294276-12-31 23:59:59.999999''"}');
CALL check_table('d date, v int', '{"''2024-01-01'',1","NULL,2","''infinity'',3","''-infinity'',4","''5874897-12-31'',5","''4713-01-01 BC'',6"}');
CALL check_table('host text, time bigint', '{"''a'',0","''b'',9223372036854775807","''a'',-9223372036854775808","NULL,NULL","''c'',1704067200000"}');
CALL check_table('ts int, v int', '{"0,1","2147483647,2","-2147483648,3","NULL,4"}');
CALL check_table('timestamp text, v int', '{"''not a time'',1","NULL,2"}');
CALL check_table('a timestamptz, b timestamptz', '{"''2024-01-01'',NULL","NULL,''2024-01-01''","''infinity'',''-infinity''"}');

-- far apart times in one transaction make many buckets
CREATE TABLE t (ts timestamptz, v int) USING nodedb_ts;
CREATE TABLE h (LIKE t) USING heap;
INSERT INTO h SELECT '1990-01-01'::timestamptz + i * interval '11 days 1 hour', i FROM generate_series(1, 3000) i;
INSERT INTO t SELECT * FROM h;
SELECT count(*), twin_diff('t', 'h') FROM t;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT count(*), twin_diff('t', 'h') FROM t;
SELECT count(*), min(v), max(v) FROM t WHERE ts >= '2010-01-01' AND ts < '2011-01-01';
SELECT count(*), min(v), max(v) FROM h WHERE ts >= '2010-01-01' AND ts < '2011-01-01';
SELECT min(ts), max(ts) FROM t;
-- what ts_segments says of time agrees with the rows
SELECT sum(rows), min(min_time::timestamptz) = (SELECT min(ts) FROM t) AS min_ok, max(max_time::timestamptz) = (SELECT max(ts) FROM t) AS max_ok
  FROM ts_segments('t');

-- rows of one instant, and falling times
TRUNCATE t, h;
INSERT INTO h SELECT '2024-01-01', i FROM generate_series(1, 10000) i;
INSERT INTO h SELECT '2024-01-01'::timestamptz - i * interval '1 us', i FROM generate_series(1, 10000) i;
INSERT INTO t SELECT * FROM h;
SELECT count(*), twin_diff('t', 'h') FROM t;

-- the time column is dropped and another comes
ALTER TABLE t DROP COLUMN ts;
ALTER TABLE h DROP COLUMN ts;
INSERT INTO t SELECT i FROM generate_series(1, 100) i;
INSERT INTO h SELECT i FROM generate_series(1, 100) i;
SELECT count(*), twin_diff('t', 'h') FROM t;
ALTER TABLE t ADD COLUMN at timestamptz;
ALTER TABLE h ADD COLUMN at timestamptz;
INSERT INTO t SELECT i, '2024-01-01'::timestamptz + i * interval '1 min' FROM generate_series(1, 10000) i;
INSERT INTO h SELECT i, '2024-01-01'::timestamptz + i * interval '1 min' FROM generate_series(1, 10000) i;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT count(*), count(at), twin_diff('t', 'h') FROM t;

-- many series, few rows each; and one series
CREATE TABLE s (ts timestamptz, host text, region text, v float8) USING nodedb_ts;
CREATE TABLE sh (LIKE s) USING heap;
INSERT INTO sh SELECT '2024-01-01'::timestamptz + (i / 5000) * interval '10 s', 'host_' || i % 5000, 'r' || i % 3, sin(i) FROM generate_series(0, 24999) i;
INSERT INTO s SELECT * FROM sh;
SELECT count(*), count(DISTINCT host), twin_diff('s', 'sh') FROM s;
SELECT ts_flush('s') >= 0 AS flushed;
SELECT count(*), count(DISTINCT host), twin_diff('s', 'sh') FROM s;
SELECT region, count(*), round(avg(v)::numeric, 6), max(ts) FROM s GROUP BY region ORDER BY region;
SELECT DISTINCT ON (host) host, ts, round(v::numeric, 6) FROM s WHERE host IN ('host_1', 'host_4999', 'host_77') ORDER BY host, ts DESC;

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'time_column'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA time_column CASCADE;
