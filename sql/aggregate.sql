-- The aggregate node: the same results as without it, and as heap, for every kind of key and argument.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS aggregate CASCADE;
RESET client_min_messages;
CREATE SCHEMA aggregate;
SET search_path = aggregate, public;
SET timezone = 'America/New_York';
SET extra_float_digits = 1;
SET max_parallel_workers_per_gather = 0;
-- a scan of an empty table costs nothing either way
SET enable_seqscan = off;
SET jit = off;

CREATE TABLE h (junk int, ts timestamptz, tsn timestamp, d date, tod time, host text, vc varchar(20), u uuid, flag bool, o oid,
  i2 int2, i4 int4, i8 int8, n numeric, f4 float4, f8 float8, iv interval, c char(6), nm name, arr int[]) USING heap;
SELECT setseed(0.25);
INSERT INTO h
SELECT i, '2024-03-09 20:00:00-05'::timestamptz + i * interval '37.123456 s',
  CASE WHEN i % 97 = 0 THEN NULL ELSE '1999-12-30'::timestamp + i * interval '1 hour 1.5 s' END,
  '2024-02-20'::date + i / 100, '00:00'::time + i * interval '11 s',
  CASE WHEN i % 101 = 0 THEN NULL WHEN i % 103 = 0 THEN '' ELSE 'host_' || (i * 7 % 13) END,
  'v' || i % 5, md5((i % 7)::text)::uuid, CASE WHEN i % 11 = 0 THEN NULL ELSE random() < 0.7 END, 4294967290 - i % 4,
  CASE WHEN i % 13 = 0 THEN NULL ELSE i % 300 - 150 END,
  CASE WHEN i % 17 = 0 THEN NULL ELSE (random() * 4e9 - 2e9)::int END,
  CASE WHEN i % 19 = 0 THEN NULL WHEN i % 23 = 0 THEN 9223372036854775807 - i WHEN i % 29 = 0 THEN -9223372036854775808 + i
    ELSE (random() * 1e12)::int8 END,
  CASE WHEN i % 31 = 0 THEN NULL ELSE round((random() * 1e6 - 5e5)::numeric, i % 5) END,
  CASE WHEN i % 37 = 0 THEN NULL ELSE (random() * 1000)::float4 END,
  CASE WHEN i % 41 = 0 THEN NULL WHEN i % 43 = 0 THEN '-0' ELSE (random() * 2 - 1) * 10 ^ (i % 20) END,
  i * interval '1 minute', 'c' || i % 3, 'n' || i % 4, ARRAY[i % 2]
FROM generate_series(1, 6000) i;
-- what no sum may hide
INSERT INTO h (ts, host, f4, f8, i4) VALUES
  ('2024-03-11', 'nan', 'NaN', 'NaN', 1), ('2024-03-11', 'nan', 1, 2, 2), ('2024-03-11', 'nan', 'NaN', 'NaN', 3),
  ('2024-03-11', 'inf', 'Infinity', 'Infinity', 1), ('2024-03-11', 'inf', 3, 4, 1), ('2024-03-11', 'both', '-Infinity', '-Infinity', 1),
  ('2024-03-11', 'both', 'Infinity', 'Infinity', 1), ('2024-03-11', 'zero', '-0', '-0', 0), ('2024-03-11', 'zero', '-0', '-0', 0),
  ('infinity', 'late', 1, 1, 1), ('-infinity', 'early', 1, 1, 1), ('4713-02-01 BC', 'early', 1, 1, 1), (NULL, NULL, NULL, NULL, NULL),
  ('1999-12-31 23:59:59.999999', 'late', 1, 1, 1), ('2000-01-01 00:00:00', 'late', 1, 1, 1), ('1970-01-01', 'late', 1, 1, 1);

-- L2, L1 and L0 in one table; each alone; none; a column that came later, one that went
CREATE TABLE t (LIKE h) USING nodedb_ts;
INSERT INTO t SELECT * FROM h WHERE junk <= 2500;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT ts_compact('t') IS NOT NULL AS compacted;
INSERT INTO t SELECT * FROM h WHERE junk > 2500 AND junk <= 5000;
SELECT ts_flush('t') >= 0 AS flushed;
INSERT INTO t SELECT * FROM h WHERE junk > 5000 OR junk IS NULL;
CREATE TABLE segments (LIKE h) USING nodedb_ts;
INSERT INTO segments SELECT * FROM h;
CREATE TABLE same_heap (LIKE h) USING heap;
INSERT INTO same_heap SELECT * FROM h;
SELECT ts_flush('segments') >= 0 AS flushed;
CREATE TABLE batches (LIKE h) USING nodedb_ts;
INSERT INTO batches SELECT * FROM h WHERE junk <= 300 OR junk IS NULL;
CREATE TABLE small_heap (LIKE h) USING heap;
INSERT INTO small_heap SELECT * FROM h WHERE junk <= 300 OR junk IS NULL;
CREATE TABLE nothing (LIKE h) USING nodedb_ts;
CREATE TABLE no_heap (LIKE h) USING heap;
ANALYZE h, t, segments, same_heap, batches, small_heap;
ALTER TABLE h ADD COLUMN late int DEFAULT 7, ADD COLUMN label text DEFAULT 'new', ADD COLUMN o2 oid DEFAULT 4294967290;
ALTER TABLE t ADD COLUMN late int DEFAULT 7, ADD COLUMN label text DEFAULT 'new', ADD COLUMN o2 oid DEFAULT 4294967290;
ALTER TABLE h DROP COLUMN junk;
ALTER TABLE t DROP COLUMN junk;
INSERT INTO h (ts, host, late, label, o2) VALUES ('2024-03-12', 'x', 8, NULL, 4294967290), ('2024-03-12', 'x', NULL, 'new', 1);
INSERT INTO t (ts, host, late, label, o2) VALUES ('2024-03-12', 'x', 8, NULL, 4294967290), ('2024-03-12', 'x', NULL, 'new', 1);

CREATE FUNCTION uses_node(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    IF line LIKE '%Custom Scan (nodedb_ts aggregate)%' THEN RETURN true; END IF;
  END LOOP;
  RETURN false;
END $$;
-- Results as text, so that NaN, -0 and scales count; an error is its SQLSTATE and message.
CREATE FUNCTION results(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE format('SELECT x::text FROM (%s) x', query);
EXCEPTION WHEN OTHERS THEN
  RETURN NEXT SQLSTATE || ' ' || SQLERRM;
END $$;
-- Compares a query over FROM %T with and without the node and with heap, for pairs of tables. Empty: no difference.
CREATE FUNCTION compare(query text, tables text[] DEFAULT '{t,h,segments,same_heap,batches,small_heap,nothing,no_heap}')
RETURNS TABLE (problem text) LANGUAGE plpgsql AS $$
DECLARE
  mine text; heap text; wrong bigint;
BEGIN
  FOR i IN 1 .. array_length(tables, 1) BY 2 LOOP
    mine := replace(query, '%T', tables[i]);
    heap := replace(query, '%T', tables[i + 1]);
    IF tables[i] <> 'nothing' AND NOT uses_node(mine) THEN problem := 'not used: ' || mine; RETURN NEXT; END IF;
    CREATE TEMP TABLE with_node AS SELECT * FROM results(mine) r;
    SET LOCAL nodedb_ts.enable_vectorized_aggregate = off;
    CREATE TEMP TABLE without_node AS SELECT * FROM results(mine) r;
    SET LOCAL nodedb_ts.enable_vectorized_aggregate = on;
    CREATE TEMP TABLE of_heap AS SELECT * FROM results(heap) r;
    SELECT count(*) INTO wrong FROM ((TABLE with_node EXCEPT ALL TABLE without_node) UNION ALL (TABLE without_node EXCEPT ALL TABLE with_node)) x;
    IF wrong <> 0 THEN problem := wrong || ' rows differ with the node: ' || mine; RETURN NEXT; END IF;
    SELECT count(*) INTO wrong FROM ((TABLE without_node EXCEPT ALL TABLE of_heap) UNION ALL (TABLE of_heap EXCEPT ALL TABLE without_node)) x;
    IF wrong <> 0 THEN problem := wrong || ' rows differ from heap: ' || mine; RETURN NEXT; END IF;
    DROP TABLE with_node, without_node, of_heap;
  END LOOP;
END $$;

-- Every aggregate, with and without groups. Sums of floats depend on the order of rows, which heap has its own of:
-- these are compared with the node switched off only.
CREATE FUNCTION compare_off(query text) RETURNS TABLE (problem text) LANGUAGE sql AS $$
  SELECT * FROM compare(query) WHERE problem NOT LIKE '%differ from heap%'
$$;
CREATE TABLE lists (kind text, list text);
INSERT INTO lists VALUES
  ('exact', 'count(*), count(i4), count(host), count(f8), count(arr)'),
  ('exact', 'sum(i2), sum(i4), sum(i8), avg(i2), avg(i4), avg(i8)'),
  ('exact', 'min(i2), min(i4), min(i8), max(i2), max(i4), max(i8)'),
  ('exact', 'min(d), max(d), min(ts), max(ts), min(tsn), max(tsn), min(tod), max(tod)'),
  ('exact', 'min(host), max(host), min(vc), max(vc), min(c), max(c), max(arr), min(iv), max(iv), max(o), min(o)'),
  ('exact', 'bool_and(flag), bool_or(flag), every(flag), bool_and(NOT flag)'),
  ('exact', 'sum(n), avg(n), min(n), max(n), stddev(n), variance(n)'),
  ('exact', 'stddev(i2), variance(i4), stddev_pop(i8), var_samp(i2), var_pop(i4)'),
  ('exact', 'sum(iv), avg(iv), bit_and(i4), bit_or(i8), bit_xor(i2)'),
  ('exact', 'count(*) FILTER (WHERE i4 > 0), sum(i4) FILTER (WHERE flag), min(host) FILTER (WHERE i2 IS NULL), max(1 / i2) FILTER (WHERE i2 > 0)'),
  ('exact', 'sum(i4 + i2), avg(i8 / 2), max(length(host)), min(upper(host)), max(host || vc), sum(n * 2), count(nullif(host, ''host_1'')), sum(1)'),
  ('exact', 'max(f4), min(f4), max(f8), min(f8) FILTER (WHERE f8 <> 0)'),
  ('float', 'sum(f4), avg(f4), sum(f8) FILTER (WHERE abs(f8) < 1e300), avg(f8)'),
  ('float', 'stddev(f4), variance(f8), var_pop(f4), stddev_pop(f8), var_samp(f8), stddev_samp(f4)'),
  ('float', 'sum(f8 * 2), corr(f4, f8), regr_slope(f8, i4), array_agg(i2), string_agg(host, '','')');
CREATE TABLE groupings (keys text);
INSERT INTO groupings VALUES ('host'), ('vc, flag'), ('d'), ('u'), ('o'), ('i2'), ('nm'), ('tod'), ('host, d, flag'),
  ('date_bin(''1 hour'', ts, timestamptz ''2000-01-01'')'), ('date_bin(''7 min'', tsn, timestamp ''2024-06-01''), host'),
  ('date_trunc(''hour'', ts)'), ('date_trunc(''day'', ts)'), ('date_trunc(''week'', ts), host'), ('date_trunc(''month'', ts)'),
  ('date_trunc(''minute'', tsn)'), ('date_trunc(''week'', tsn)'), ('date_trunc(''month'', tsn)'), ('date_trunc(''quarter'', tsn)'),
  ('date_trunc(''year'', ts)'), ('date_trunc(''day'', ts, ''Asia/Kolkata'')'), ('i4 / 100000000, upper(host)'),
  ('extract(hour from ts)::int'), ('length(host)'), ('i2 IS NULL'), ('date_trunc(''decade'', ts)');
SELECT * FROM compare('SELECT vc, first(host, ts), last(i4, ts), first(ts, i8), last(n, tsn) FILTER (WHERE flag) FROM %T WHERE i8 IS NOT NULL GROUP BY vc');
SELECT * FROM compare('SELECT time_bucket(''15 min'', ts), host, max(f8) FROM %T WHERE isfinite(ts) GROUP BY 1, 2');
SELECT problem FROM lists, compare('SELECT ' || list || ' FROM %T') WHERE kind = 'exact';
SELECT problem FROM lists, compare_off('SELECT ' || list || ' FROM %T') WHERE kind = 'float';
SELECT problem FROM lists, compare('SELECT ' || list || ' FROM %T WHERE i4 % 3 = 0') WHERE kind = 'exact';
SELECT problem FROM lists, compare('SELECT host, ' || list || ' FROM %T GROUP BY host') WHERE kind = 'exact';
SELECT problem FROM lists, compare_off('SELECT vc, ' || list || ' FROM %T WHERE i2 < 100 GROUP BY vc') WHERE kind = 'float';
SELECT problem FROM groupings, compare('SELECT ' || keys || ', count(*), sum(i4), max(host), avg(i8) FROM %T GROUP BY ' || keys);
SELECT problem FROM groupings, compare('SELECT ' || keys || ' FROM %T WHERE ts > ''2024-03-10'' AND flag GROUP BY ' || keys);
-- other zones, with their odd hours
SET timezone = 'Australia/Lord_Howe';
SELECT problem FROM groupings, compare('SELECT ' || keys || ', count(*) FROM %T GROUP BY ' || keys) WHERE keys LIKE '%ts)%';
SET timezone = 'America/St_Johns';
SELECT problem FROM groupings, compare('SELECT ' || keys || ', count(*) FROM %T GROUP BY ' || keys) WHERE keys LIKE '%ts)%';
SET timezone = 'UTC';
SELECT problem FROM groupings, compare('SELECT ' || keys || ', count(*) FROM %T GROUP BY ' || keys) WHERE keys LIKE '%ts)%';
SELECT * FROM compare('SELECT late, label, o2, count(*), sum(late), max(label) FROM %T GROUP BY late, label, o2', '{t,h}');

-- around the changes of an offset, minute by minute
CREATE TABLE minutes (ts timestamptz, tsn timestamp) USING nodedb_ts;
CREATE TABLE minutes_heap (LIKE minutes) USING heap;
INSERT INTO minutes_heap SELECT x, x AT TIME ZONE 'UTC' FROM unnest('{1883-11-18,1969-12-31,2006-04-01,2006-10-28,2011-12-29,2024-03-10,2024-11-02,2038-01-18}'::timestamptz[]) y,
  generate_series(y, y + interval '3 days', interval '7 min 0.5 s') x;
INSERT INTO minutes SELECT * FROM minutes_heap;
SELECT zone, unit, problem
FROM unnest('{America/New_York,America/St_Johns,Australia/Lord_Howe,Pacific/Apia,Asia/Kathmandu,UTC,Europe/Dublin}'::text[]) zone,
  unnest('{milliseconds,second,minute,hour,day,week,month,quarter,year,decade}'::text[]) unit,
  LATERAL (SELECT set_config('timezone', zone, false)) z (ignored),
  compare(format('SELECT date_trunc(%L, ts), date_trunc(%1$L, tsn), count(*), %L FROM %%T GROUP BY 1, 2', unit, ignored), '{minutes,minutes_heap}');
SELECT width, origin, problem
FROM unnest('{1 s,1 min,90 min,1 day,5 days 3 min 2.5 s}'::text[]) width, unnest('{1800-01-01,2000-01-01,2024-03-10 12:34:56.789,2100-01-01}'::text[]) origin,
  compare(format('SELECT date_bin(%L, ts, timestamptz %L), date_bin(%1$L, tsn, timestamp %2$L), count(*) FROM %%T GROUP BY 1, 2', width, origin), '{minutes,minutes_heap}');
SET timezone = 'UTC';

-- errors are PostgreSQL's
CREATE TABLE large (g int, f4 float4, f8 float8, i8 int8) USING nodedb_ts;
CREATE TABLE large_heap (LIKE large) USING heap;
INSERT INTO large_heap VALUES (1, 3e38, 1.7e308, 9223372036854775807), (1, 3e38, 1.7e308, 9223372036854775807), (1, -3e38, -1.7e308, 9223372036854775807),
  (2, 1, 1e200, 1), (2, 2, -1e200, -9223372036854775808), (3, 5, 6, NULL), (3, 1e-40, 1e-310, NULL);
INSERT INTO large SELECT * FROM large_heap;
SELECT list, problem FROM unnest('{sum(f4),sum(f8),avg(f4),avg(f8),variance(f8),stddev_pop(f4),sum(i8),avg(i8),"sum(f8) FILTER (WHERE f8 > 0)","max(1 / (g - 2))","sum(i8 + 1)"}'::text[]) list,
  unnest('{"","WHERE g = 1","WHERE g = 2","WHERE g = 3","WHERE g > 1"}'::text[]) condition,
  compare(format('SELECT %s FROM %%T %s', list, condition), '{large,large_heap}');
SELECT sum(f8) FROM large;
SELECT avg(f8) FROM large WHERE g = 2;
SELECT g, sum(i8), avg(i8) FROM large GROUP BY g ORDER BY g;
SELECT date_bin('-1 s', ts, '2000-01-01') FROM minutes GROUP BY 1;
SELECT date_bin('1 month', ts, '2000-01-01') FROM minutes GROUP BY 1;
SELECT date_trunc('moment', ts) FROM minutes GROUP BY 1;

-- what stands above and around
SELECT * FROM compare('SELECT host, sum(i4) FROM %T GROUP BY host HAVING count(*) > 5 AND max(i2) IS NOT NULL');
SELECT * FROM compare('SELECT host, sum(i4) + count(*) * 2, max(i2) - min(i2) FROM %T GROUP BY host HAVING host LIKE ''h%'' ORDER BY 2 DESC NULLS LAST, 1 LIMIT 5');
SELECT * FROM compare('SELECT count(*) FROM %T HAVING count(*) > 100');
SELECT * FROM compare('WITH q AS MATERIALIZED (SELECT host, d, count(*) c FROM %T GROUP BY host, d) SELECT host, max(c), sum(c) OVER () FROM q GROUP BY host, c');
SELECT * FROM compare('SELECT a.host, a.c, b.m FROM (SELECT host, count(*) c FROM %T GROUP BY host) a JOIN (SELECT host, max(i4) m FROM %T GROUP BY host) b USING (host)');
SELECT * FROM compare('SELECT x, (SELECT sum(i4) FROM %T WHERE i2 = x) FROM generate_series(-5, 5) x');
SELECT * FROM compare('SELECT x, y.* FROM generate_series(1, 4) x, LATERAL (SELECT vc, count(*), sum(i4 + x), sum(i4) FILTER (WHERE i2 > x) FROM %T WHERE i2 > x * 20 GROUP BY vc, x) y');
SELECT * FROM compare('SELECT host, count(*), rank() OVER (ORDER BY count(*) DESC) FROM %T GROUP BY host');
SELECT * FROM compare('SELECT host, (SELECT max(c) FROM small_heap s WHERE s.host = t.host) FROM %T t GROUP BY host HAVING count(*) > (SELECT count(*) FROM no_heap)');
SELECT * FROM compare('SELECT host, generate_series(1, 2), count(*) FROM %T GROUP BY host');
SELECT * FROM compare('SELECT DISTINCT count(*) FROM %T GROUP BY host UNION ALL SELECT max(i4) FROM %T');
SELECT * FROM compare('SELECT host COLLATE "C", max(host COLLATE "C") FROM %T GROUP BY 1');

-- what the node leaves to PostgreSQL; the results are right all the same
SELECT query, uses_node(query) FROM unnest(ARRAY[
  'SELECT count(DISTINCT host) FROM t', 'SELECT string_agg(host, '','' ORDER BY ts) FROM t', 'SELECT f8, count(*) FROM t GROUP BY f8',
  'SELECT n, count(*) FROM t GROUP BY n', 'SELECT host, count(*) FROM t GROUP BY ROLLUP (host)', 'SELECT GROUPING(host), count(*) FROM t GROUP BY host',
  'SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY f8) FROM t', 'SELECT sum(random()) FROM t', 'SELECT c, count(*) FROM t GROUP BY c',
  'SELECT arr, count(*) FROM t GROUP BY arr', 'SELECT sum((SELECT max(i4) FROM h WHERE h.i2 = t.i2)) FROM t', 'SELECT tableoid, count(*) FROM t GROUP BY tableoid',
  'SELECT count(t) FROM t', 'SELECT count(*) FROM t JOIN h USING (ts)', 'SELECT count(*) FROM t WHERE now() < ''2000-01-01''']) query;
SELECT count(*) FROM t WHERE now() < '2000-01-01';
SET nodedb_ts.enable_vectorized_aggregate = off;
SELECT uses_node('SELECT count(*) FROM t');
RESET nodedb_ts.enable_vectorized_aggregate;

-- prepared statements with generic plans, cursors, rescans
SET plan_cache_mode = force_generic_plan;
PREPARE p (int, interval, text) AS SELECT date_trunc($3, tsn), count(*), sum(i4 + $1), count(*) FILTER (WHERE i2 < $1) FROM t WHERE tsn < '1999-12-30'::timestamp + $2 GROUP BY 1 ORDER BY 1;
EXECUTE p (10, '8 hours', 'hour');
EXECUTE p (20, '3 days', 'day');
EXECUTE p (NULL, '3 days', 'year');
EXPLAIN (COSTS OFF) EXECUTE p (10, '8 hours', 'hour');
DEALLOCATE p;
RESET plan_cache_mode;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT vc, count(*), max(i4) FROM t GROUP BY vc ORDER BY vc;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
FETCH LAST FROM c;
MOVE ABSOLUTE 0 IN c;
FETCH 1 FROM c;
-- rows of this transaction count; those of a command that still runs do not
INSERT INTO t (vc, i4) SELECT 'mine', i FROM generate_series(1, 1000) i;
SELECT vc, count(*), sum(i4), max(late) FROM t WHERE vc = 'mine' GROUP BY vc;
SAVEPOINT s;
INSERT INTO t (vc, i4) SELECT 'mine', count(*) FROM t;
SELECT count(*), max(i4) FROM t WHERE vc = 'mine';
ROLLBACK TO s;
SELECT count(*), max(i4) FROM t WHERE vc = 'mine';
ROLLBACK;
CREATE VIEW v AS SELECT host AS name, i4 * 2::int8 AS twice, i2 FROM t WHERE host IS NOT NULL;
SELECT uses_node('SELECT name, sum(twice) FROM v WHERE i2 > 10 GROUP BY name');
SELECT name, sum(twice) FROM v WHERE i2 > 10 GROUP BY name ORDER BY name LIMIT 3;

-- plans
EXPLAIN (COSTS OFF) SELECT date_bin('1 hour', ts, '2000-01-01') AS hour, host, max(f8) FROM t WHERE i4 > 0 GROUP BY hour, host HAVING count(*) > 1 ORDER BY 1, 2;
EXPLAIN (COSTS OFF, VERBOSE) SELECT host, sum(i4) FILTER (WHERE flag) + 1 AS s FROM t GROUP BY host;
EXPLAIN (COSTS OFF, FORMAT JSON) SELECT host, count(*) FROM t GROUP BY host;

-- no right to call the aggregate
CREATE ROLE regress_aggregate_user;
GRANT USAGE ON SCHEMA aggregate TO regress_aggregate_user;
GRANT SELECT ON t TO regress_aggregate_user;
BEGIN;
REVOKE EXECUTE ON FUNCTION max(int4) FROM PUBLIC;
SET ROLE regress_aggregate_user;
SELECT max(i4) FROM t;
ROLLBACK;
-- conditions of row security are checked before arguments are evaluated
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (i2 > 0);
SET ROLE regress_aggregate_user;
SELECT uses_node('SELECT max(100 / i2), count(*) FROM t');
SELECT max(100 / i2), count(*) FROM t;
RESET ROLE;
DROP OWNED BY regress_aggregate_user;
DROP ROLE regress_aggregate_user;
SET client_min_messages = warning;
DROP SCHEMA aggregate CASCADE;
