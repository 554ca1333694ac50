-- DISTINCT in aggregates of the aggregate node: what heap gives, whatever the type, state of the table and groups.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS aggregate_distinct CASCADE;
RESET client_min_messages;
CREATE SCHEMA aggregate_distinct;
SET search_path = aggregate_distinct, public;
SET max_parallel_workers_per_gather = 0;
SET enable_seqscan = off;
SET jit = off;
SET timezone = 'UTC';
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE h (ts timestamptz NOT NULL, host text, region text, g int, b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric,
  d date, u uuid, t text, nc text COLLATE nocase, c char(6), iv interval, name name, allnull int, same int) USING heap;
SELECT setseed(0.5);
INSERT INTO h SELECT '2026-01-01'::timestamptz + (i / 40) * interval '10 s', 'host ' || i % 40, CASE WHEN i % 13 = 0 THEN NULL ELSE 'region ' || i % 5 END,
  i % 7, CASE i % 11 WHEN 0 THEN NULL ELSE i % 3 = 0 END, i % 100 - 50, CASE WHEN i % 17 = 0 THEN NULL ELSE (random() * 1000)::int END, i % 3000 * 1000000007::int8,
  CASE i % 9 WHEN 0 THEN 'NaN' WHEN 1 THEN -0.0 WHEN 2 THEN 0 WHEN 3 THEN 'Infinity' ELSE i % 50 END,
  CASE i % 10 WHEN 0 THEN 'NaN'::float8 WHEN 1 THEN '-0' WHEN 2 THEN 0 WHEN 3 THEN '-Infinity' WHEN 4 THEN NULL ELSE i % 2500 / 8.0 END,
  CASE i % 8 WHEN 0 THEN 'NaN' WHEN 1 THEN 1.0 WHEN 2 THEN 1.00 WHEN 3 THEN 1 WHEN 4 THEN 0.000 WHEN 5 THEN -0.0 ELSE round((random() * 100)::numeric, i % 4) END,
  '2026-01-01'::date + i % 90, md5((i % 300)::text)::uuid, CASE i % 19 WHEN 0 THEN '' WHEN 1 THEN NULL ELSE repeat('x', i % 60) || i % 211 END,
  CASE i % 2 WHEN 0 THEN 'ABC' ELSE 'abc' END || i % 3, CASE i % 2 WHEN 0 THEN 'ab' ELSE 'ab  ' END, (i % 5) * CASE i % 2 WHEN 0 THEN interval '1 month' ELSE interval '30 days' END,
  'name ' || i % 12, NULL, 7
FROM generate_series(1, 8000) i;
-- compacted, flushed, and small batches; a column that older segments do not have
CREATE TABLE t (LIKE h) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host', nodedb_ts.time_column = 'ts');
INSERT INTO t SELECT * FROM h WHERE g < 4;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT count(*) >= 0 AS compacted FROM ts_compact('t', before => 'infinity');
INSERT INTO t SELECT * FROM h WHERE g BETWEEN 4 AND 5;
SELECT ts_flush('t') >= 0 AS flushed;
INSERT INTO t SELECT * FROM h WHERE g = 6;
ALTER TABLE h ADD COLUMN late text DEFAULT 'late';
ALTER TABLE t ADD COLUMN late text DEFAULT 'late';
INSERT INTO h (ts, host, late) VALUES ('2026-02-01', 'host x', 'later'), ('2026-02-01', NULL, NULL);
INSERT INTO t (ts, host, late) VALUES ('2026-02-01', 'host x', 'later'), ('2026-02-01', NULL, NULL);
-- all of it compacted, series and dictionaries in one segment
CREATE TABLE packed (LIKE h) USING nodedb_ts WITH (nodedb_ts.series_columns = 'region, host', nodedb_ts.time_column = 'ts');
INSERT INTO packed SELECT * FROM h;
SELECT ts_flush('packed') >= 0 AS flushed;
SELECT count(*) >= 0 AS compacted FROM ts_compact('packed', before => 'infinity');
ANALYZE h, t, packed;

CREATE FUNCTION results(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE format('SELECT x::text FROM (%s) x', query);
EXCEPTION WHEN OTHERS THEN
  RETURN NEXT SQLSTATE || ' ' || SQLERRM;
END $$;
-- How rows differ from heap's; the node must be used.
CREATE FUNCTION compare(list text, rest text) RETURNS TABLE (difference text) LANGUAGE plpgsql AS $$
DECLARE
  query text;
  table_name text;
  plan jsonb;
  wrong bigint;
BEGIN
  FOREACH table_name IN ARRAY '{t,packed}'::text[] LOOP
    query := 'SELECT ' || list || ' FROM ' || table_name || ' ' || rest;
    EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
    IF NOT plan @? '$.**."Custom Plan Provider" ? (@ == "nodedb_ts aggregate")' THEN
      difference := format('%s: not used: %s %s', table_name, list, rest); RETURN NEXT; CONTINUE;
    END IF;
    CREATE TEMP TABLE a AS SELECT * FROM results(query) r;
    CREATE TEMP TABLE b AS SELECT * FROM results('SELECT ' || list || ' FROM h ' || rest) r;
    SELECT count(*) INTO wrong FROM ((TABLE a EXCEPT ALL TABLE b) UNION ALL (TABLE b EXCEPT ALL TABLE a)) x;
    DROP TABLE a, b;
    IF wrong > 0 THEN difference := format('%s: %s rows differ: %s %s', table_name, wrong, list, rest); RETURN NEXT; END IF;
  END LOOP;
END $$;
CREATE TABLE arguments AS SELECT a, i FROM unnest('{ts,host,region,g,b,i2,i4,i8,f4,f8,n,d,u,t,name,allnull,same,late,i4 % 10,lower(t),host || region,-f8,n * 2,ts::date,1}'::text[]) WITH ORDINALITY u (a, i);
-- several at once, and one at a time
CREATE TABLE lists AS SELECT string_agg('count(DISTINCT ' || a || ')', ', ') AS list FROM arguments GROUP BY i / 7
UNION ALL VALUES ('sum(DISTINCT i2), sum(DISTINCT i4), sum(DISTINCT i8), avg(DISTINCT i2), avg(DISTINCT i4), avg(DISTINCT i8), variance(DISTINCT i4), stddev(DISTINCT i8)'),
  ('min(DISTINCT i2), max(DISTINCT f8) + 0.0, min(DISTINCT f8) + 0.0, max(DISTINCT t), min(DISTINCT host), max(DISTINCT ts), min(DISTINCT d), bool_or(DISTINCT b), bool_and(DISTINCT b)'),
  ('count(*), count(host), count(DISTINCT host), count(DISTINCT region), sum(i4), sum(DISTINCT i4), sum(f8), max(t), min(i8)'),
  ('count(DISTINCT host), count(*)'), ('count(DISTINCT region), count(*), max(i4)'), ('count(DISTINCT same), sum(DISTINCT same), count(DISTINCT late)'),
  ('count(DISTINCT i4) FILTER (WHERE i2 > 0), count(DISTINCT i4) FILTER (WHERE g = 3), count(DISTINCT t) FILTER (WHERE b), sum(DISTINCT i2) FILTER (WHERE i4 > 2000), count(DISTINCT i4)');

SELECT compare('count(DISTINCT ' || a || ')', rest) FROM arguments, unnest('{"","GROUP BY host"}'::text[]) rest;
SELECT compare(list, rest) FROM lists, unnest('{"","WHERE g <> 2 AND i4 > 100","WHERE host = ''host 7''","WHERE ts >= ''2026-01-01 00:10'' AND ts < ''2026-01-01 00:20''"}'::text[]) rest;
SELECT compare(coalesce(shown, keys) || ', ' || list, 'GROUP BY ' || keys) FROM lists,
  (VALUES ('host', NULL), ('region', NULL), ('g', NULL), ('host, region', NULL), ('date_trunc(''hour'', ts)', NULL), ('time_bucket(''10 minutes'', ts), region', NULL), ('b', NULL),
    ('f8', 'f8 + 0.0'), ('n', 'n::float8'), ('t', NULL), ('late', NULL)) k (keys, shown);
SELECT compare('host, ' || list, 'WHERE i2 > 10 GROUP BY host HAVING count(DISTINCT i4) > 3') FROM lists;
SELECT compare('date_trunc(''hour'', ts), ' || list, 'GROUP BY 1 HAVING count(DISTINCT region) > 3 ORDER BY 1 DESC LIMIT 2') FROM lists;
-- again: what vectors have of listed values is known by now
SELECT compare(keys || ', ' || list, 'GROUP BY ' || keys) FROM lists, unnest('{host,region,"host, region"}'::text[]) keys;
SELECT compare('count(DISTINCT ' || a || ')', '') FROM arguments;
SELECT compare(list, '') FROM lists;

-- from statistics: nothing is decoded
SELECT count(DISTINCT host), count(DISTINCT same) FROM packed;
CREATE FUNCTION decoded(query text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, VERBOSE, FORMAT json) ' || query INTO plan;
  RETURN plan->0->'Plan'->'Vectors';
END $$;
SELECT decoded('SELECT count(DISTINCT host), count(DISTINCT same), count(*) FROM packed'), decoded('SELECT count(DISTINCT allnull) FROM packed'),
  decoded('SELECT count(DISTINCT t) FROM packed') > '0' AS reads;

-- not the node's: the order matters, or equal values show differently
EXPLAIN (COSTS OFF) SELECT sum(DISTINCT f8) FROM t;
EXPLAIN (COSTS OFF) SELECT sum(DISTINCT n) FROM t;
EXPLAIN (COSTS OFF) SELECT count(DISTINCT nc) FROM t;
EXPLAIN (COSTS OFF) SELECT count(DISTINCT c) FROM t;
EXPLAIN (COSTS OFF) SELECT count(DISTINCT iv) FROM t;
EXPLAIN (COSTS OFF) SELECT string_agg(DISTINCT host, ',') FROM t;
EXPLAIN (COSTS OFF) SELECT count(DISTINCT (host, region)) FROM t;
-- the node's
EXPLAIN (COSTS OFF) SELECT region, count(DISTINCT host), max(DISTINCT t) FROM t GROUP BY 1;

-- rescans with other parameters, a cursor, a prepared statement
SELECT g, (SELECT count(DISTINCT host) || ' ' || count(DISTINCT i4) FROM t WHERE t.g = s.g) FROM generate_series(0, 8, 2) s(g);
SELECT s.g, x.* FROM generate_series(1, 3) s(g), LATERAL (SELECT region, count(DISTINCT i2) FROM packed WHERE packed.g = s.g GROUP BY 1 ORDER BY 1 LIMIT 2) x;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT region, count(DISTINCT t) FROM t GROUP BY 1 ORDER BY 1;
FETCH 2 FROM c;
FETCH ALL FROM c;
FETCH BACKWARD 1 FROM c;
COMMIT;
PREPARE p (int) AS SELECT count(DISTINCT host), sum(DISTINCT i2) FROM t WHERE g = $1;
EXECUTE p (3);
SET plan_cache_mode = force_generic_plan;
EXECUTE p (3);
EXECUTE p (60);
-- partitions: states of DISTINCT cannot be combined; one that is left is a table
CREATE TABLE parts (ts timestamptz NOT NULL, host text, v int) PARTITION BY RANGE (ts);
CREATE TABLE parts1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2026-01-01 00:25') USING nodedb_ts;
CREATE TABLE parts2 PARTITION OF parts FOR VALUES FROM ('2026-01-01 00:25') TO ('2027-01-01') USING nodedb_ts;
INSERT INTO parts SELECT ts, host, i4 FROM h;
SELECT count(DISTINCT host), sum(DISTINCT v) FROM parts;
SELECT count(DISTINCT host), sum(DISTINCT v) FROM parts WHERE ts < '2026-01-01 00:20';
EXPLAIN (COSTS OFF) SELECT count(DISTINCT host), sum(DISTINCT v) FROM parts WHERE ts < '2026-01-01 00:20';
SELECT * FROM ts_verify('t');
SELECT * FROM ts_verify('packed');
SET client_min_messages = warning;
DROP SCHEMA aggregate_distinct CASCADE;
