-- ts_compact stores values that are not text as words: they come back as they were, and are small.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS compact_types CASCADE;
RESET client_min_messages;
CREATE SCHEMA compact_types;
SET search_path = compact_types, public;
SET timezone = 'UTC';
SET extra_float_digits = 1;
CREATE FUNCTION sound(t regclass) RETURNS text LANGUAGE sql AS $$
  SELECT coalesce(string_agg(what || ': ' || detail, '; '), 'sound') FROM ts_verify(t) $$;
-- all of a column's values as text, in order of time
CREATE FUNCTION digest(t regclass, col text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE d text;
BEGIN
  EXECUTE format('SELECT md5(string_agg(coalesce(%I::text, ''-''), '','' ORDER BY ts)) FROM %s', col, t) INTO d;
  RETURN d;
END $$;

CREATE TABLE h (ts timestamptz,
  price numeric(10,2), reading numeric, odd numeric,
  span interval, spans interval, u4 uuid, u7 uuid, host inet, net cidr, mac macaddr, tz timetz, place point,
  arr int[], flag bool, day date, clock time);
INSERT INTO h SELECT '2024-01-01'::timestamptz + k * interval '1 s',
  1000 + (1000 * sin(k / 300.0))::numeric(10,2),
  trim_scale((20 + sin(k / 50.0))::numeric(10,3)),
  CASE k % 23 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' WHEN 2 THEN '-Infinity' WHEN 3 THEN NULL WHEN 4 THEN 0
    WHEN 5 THEN 0.0000 WHEN 6 THEN 1e100 + k WHEN 7 THEN -k * 1e-100 WHEN 8 THEN -k * 9223372036854775807.0
    ELSE round(-k::numeric * k / 7, k % 17) END,
  k * interval '20 ms',
  CASE k % 5 WHEN 0 THEN NULL WHEN 1 THEN make_interval(days => -k) WHEN 2 THEN make_interval(months => k % 40)
    ELSE make_interval(secs => -k / 8.0, days => k % 3) END,
  md5('u' || k)::uuid,
  (lpad(to_hex(1700000000000 + k * 1000), 12, '0') || '7' || substr(md5(k::text), 1, 19))::uuid,
  '10.0.0.0'::inet + (k * 7919 % 200), set_masklen(('10.' || k % 250 || '.0.0')::cidr, 16),
  ('08:00:2b:01:' || to_char(k % 60, 'FM00') || ':' || to_char(k % 97, 'FM00'))::macaddr,
  ('12:00:00'::time + k * interval '1 s')::timetz, point(round(k / 10.0, 1), -k),
  ARRAY[k, k % 7], k % 4000 < 2000, '2024-01-01'::date + k / 500, '00:00'::time + k * interval '250 ms'
  FROM generate_series(1, 20000) k;
CREATE TABLE t (LIKE h) USING nodedb_ts;
INSERT INTO t SELECT * FROM h ORDER BY ts LIMIT 19900;
INSERT INTO t SELECT * FROM h ORDER BY ts OFFSET 19900;
CREATE VIEW differs AS
  SELECT a.attname FROM pg_attribute a WHERE a.attrelid = 'h'::regclass AND a.attnum > 0
    AND digest('h', a.attname) IS DISTINCT FROM digest('t', a.attname);
SELECT * FROM differs;
SELECT ts_flush('t') > 0 AS flushed, (SELECT array_agg(DISTINCT level) FROM ts_segments('t')) AS levels;
SELECT * FROM differs;
SELECT rows FROM ts_compact('t');
SELECT * FROM differs;
SELECT sound('t'), (SELECT array_agg(DISTINCT level) FROM ts_segments('t')) AS levels;
-- a value reached alone
SELECT count(*) FROM t JOIN h USING (ts) WHERE ts = '2024-01-01 02:00:00+00' AND t.price = h.price AND t.u7 = h.u7
  AND t.place ~= h.place AND t.reading::text = h.reading::text;
SELECT sum(price) = (SELECT sum(price) FROM h) AS sums, max(span) = (SELECT max(span) FROM h) AS spans FROM t;

-- bytes of a value, in a segment of times and one column
CREATE TABLE size (col text, limit_bytes numeric, bytes numeric);
CREATE PROCEDURE measure(col text, limit_bytes numeric) LANGUAGE plpgsql AS $$
DECLARE with_col bigint; without bigint;
BEGIN
  EXECUTE format('CREATE TABLE one USING nodedb_ts AS SELECT ts, %I FROM h', col);
  CREATE TABLE none USING nodedb_ts AS SELECT ts FROM h;
  COMMIT;
  PERFORM ts_flush('one'), ts_flush('none');
  COMMIT;
  PERFORM ts_compact('one');
  PERFORM ts_compact('none');
  COMMIT;
  SELECT sum(bytes) INTO with_col FROM ts_segments('one');
  SELECT sum(bytes) INTO without FROM ts_segments('none');
  INSERT INTO size VALUES (col, limit_bytes, (with_col - without) / 20000.0);
  DROP TABLE one, none;
  COMMIT;
END $$;
CALL measure('price', 0.5);
CALL measure('reading', 0.5);
CALL measure('odd', 6);
CALL measure('span', 0.05);
CALL measure('spans', 2.5);
CALL measure('u4', 16.05);
CALL measure('u7', 10);
CALL measure('host', 0.2);
CALL measure('net', 0.2);
CALL measure('mac', 1.6);
CALL measure('tz', 0.05);
CALL measure('place', 0.1);
CALL measure('arr', 0.2);
CALL measure('flag', 0.02);
CALL measure('day', 0.02);
CALL measure('clock', 0.02);
SELECT col, limit_bytes, bytes < limit_bytes AS less, CASE WHEN bytes >= limit_bytes THEN round(bytes, 3) END AS bytes
  FROM size;

SET client_min_messages = warning;
DROP SCHEMA compact_types CASCADE;
