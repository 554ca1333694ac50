-- Groups that take more than work_mem * hash_mem_multiplier: the same results from temporary files.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS aggregate_spill CASCADE;
RESET client_min_messages;
CREATE SCHEMA aggregate_spill;
SET search_path = aggregate_spill, public;
SET max_parallel_workers_per_gather = 0;
SET enable_seqscan = off;
SET jit = off;
SET timezone = 'UTC';
SET extra_float_digits = 1;
CREATE TABLE h (ts timestamptz NOT NULL, host text, k int, k8 int8, f8 float8, f4 float4, n numeric, t text, b bool, d date, tag text, late timestamptz) USING heap;
INSERT INTO h SELECT '2026-01-01'::timestamptz + (i / 50) * interval '1 s', 'host ' || i % 50, i % 15000, (i * 48271::int8) % 30011, i * 0.1 + (i % 13) * 1e10, i / 7.0,
  CASE i % 50 WHEN 0 THEN NULL WHEN 1 THEN 'NaN' WHEN 2 THEN 1e30 ELSE (i % 977) / 8.0 END, CASE i % 17 WHEN 0 THEN NULL ELSE repeat(chr(65 + i % 26), i % 40) || i % 5000 END,
  i % 3 = 0, '2026-01-01'::date + i % 400, CASE WHEN i % 1000 = 7 THEN NULL ELSE 'tag ' || (i * 7919::int8) % 15013 END,
  CASE WHEN i % 101 = 0 THEN NULL ELSE '2026-03-01'::timestamptz + (i * 48271::int8 % 40009) * interval '1 minute' END
FROM generate_series(1, 30000) i;
CREATE TABLE t (LIKE h) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host', nodedb_ts.time_column = 'ts');
INSERT INTO t SELECT * FROM h LIMIT 15000;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT count(*) >= 0 AS compacted FROM ts_compact('t', before => 'infinity');
INSERT INTO t SELECT * FROM h OFFSET 15000 LIMIT 14000;
SELECT ts_flush('t') >= 0 AS flushed;
INSERT INTO t SELECT * FROM h OFFSET 29000;
ANALYZE h, t;

CREATE FUNCTION results(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE format('SELECT x::text FROM (%s) x', query);
EXCEPTION WHEN OTHERS THEN
  RETURN NEXT SQLSTATE || ' ' || SQLERRM;
END $$;
-- A statement p that was planned for much memory, to be executed with little.
SET plan_cache_mode = force_generic_plan;
CREATE FUNCTION plan_with_memory(query text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  SET LOCAL work_mem = '1GB';
  EXECUTE 'PREPARE p AS ' || query;
  EXECUTE 'EXPLAIN EXECUTE p';
  SET LOCAL work_mem = '64kB';
  SET LOCAL hash_mem_multiplier = 1;
END $$;
CREATE FUNCTION executed() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  r record;
BEGIN
  FOR r IN EXECUTE 'EXECUTE p' LOOP RETURN NEXT r::text; END LOOP;
EXCEPTION WHEN OTHERS THEN
  RETURN NEXT SQLSTATE || ' ' || SQLERRM;
END $$;
-- How rows differ from those with enough memory and the node off; the node must be used and spill.
CREATE FUNCTION compare(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  plan jsonb;
  wrong bigint;
BEGIN
  PERFORM plan_with_memory(query);
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE p' INTO plan;
  CREATE TEMP TABLE a AS SELECT * FROM executed() r;
  DEALLOCATE p;
  IF NOT plan @? '$.**."Custom Plan Provider" ? (@ == "nodedb_ts aggregate")' OR NOT plan @? '$.**."Disk Usage" ? (@ > 0)' THEN
    DROP TABLE a;
    RETURN 'not used, or not spilled: ' || query;
  END IF;
  SET LOCAL work_mem = '100MB';
  SET LOCAL nodedb_ts.enable_vectorized_aggregate = off;
  SET LOCAL enable_sort = off;
  CREATE TEMP TABLE b AS SELECT * FROM results(query) r;
  SET LOCAL nodedb_ts.enable_vectorized_aggregate = on;
  SET LOCAL enable_sort = on;
  SELECT count(*) INTO wrong FROM ((TABLE a EXCEPT ALL TABLE b) UNION ALL (TABLE b EXCEPT ALL TABLE a)) x;
  DROP TABLE a, b;
  RETURN nullif(wrong, 0) || ' rows differ: ' || query;
END $$;
CREATE TABLE lists AS SELECT unnest(ARRAY['count(*), count(t), count(n), count(b) FILTER (WHERE k > 5)', 'sum(k), sum(k8), avg(k), avg(k8), min(k8), max(ts), min(d), bool_or(b), bool_and(b)',
  'sum(f8), avg(f8), min(f8) + 0.0, max(f8) + 0.0, variance(f8), stddev_pop(f8), sum(f4), avg(f4), max(f4)', 'sum(n), avg(n), variance(n), stddev(k), var_pop(k8), min(n) + 0.0, max(n) + 0.0',
  'min(t), max(t), string_agg(t, '','' ORDER BY t) IS NULL', 'array_agg(k), string_agg(t, '',''), first(t, ts), last(k8, ts), regr_slope(f8, k), bit_or(k)',
  'count(*) FILTER (WHERE b), sum(n) FILTER (WHERE k > 100), sum(1000 / k) FILTER (WHERE k > 0), max(t) FILTER (WHERE f8 > 100), sum(k + 1), max(lower(t))',
  'count(DISTINCT t), count(DISTINCT host), count(DISTINCT k % 7), sum(DISTINCT k8), count(DISTINCT n), count(DISTINCT f8), count(*), sum(k)']) AS list;
UPDATE lists SET list = 'min(t), max(t), min(tag)' WHERE list LIKE 'min(t)%';
SELECT compare(format('SELECT %s, %s FROM t GROUP BY %s', keys, list, keys)) FROM lists, unnest('{k,"host, d",tag,"n::float8, k8"}'::text[]) keys
 WHERE list !~ 'array_agg' OR keys <> 'n::float8, k8';
SELECT compare(format('SELECT %s, %s FROM t WHERE k8 > 5000 AND ts < ''2026-01-01 00:09'' GROUP BY %s HAVING count(*) > 1', keys, list, keys)) FROM lists, unnest('{k,tag}'::text[]) keys;
SELECT compare('SELECT k, tag FROM t GROUP BY k, tag'), compare('SELECT f8 + 0.0, count(*) FROM t GROUP BY f8'), compare('SELECT n::float8, f8 + 0.0, count(*), max(t) FROM t GROUP BY n, f8');
-- one group (or few) with many distinct values
SELECT compare('SELECT count(DISTINCT t), count(DISTINCT tag), sum(DISTINCT k), avg(DISTINCT k8), count(DISTINCT ts), count(DISTINCT f8), count(DISTINCT n), count(*) FROM t');
SELECT compare('SELECT host, count(DISTINCT t), count(DISTINCT k), sum(DISTINCT k8), count(DISTINCT tag) FILTER (WHERE b) FROM t GROUP BY host');
SELECT compare('SELECT time_bucket(''1 minute'', ts), b, count(DISTINCT tag), variance(DISTINCT k) FROM t GROUP BY 1, 2');
-- values by reference of many kilobytes
SELECT compare('SELECT k, max(repeat(t, 200)), count(DISTINCT repeat(tag, 100)) FROM t WHERE k < 3000 GROUP BY k');

-- vectors that statistics answer, of groups that are in the table, and not
CREATE TABLE s (ts timestamptz NOT NULL, host text, i int) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host', nodedb_ts.time_column = 'ts');
INSERT INTO s SELECT '2026-01-01'::timestamptz + i * interval '1 s', 'host ' || h, i * h % 101 FROM generate_series(1, 520) i, generate_series(1, 700) h;
SELECT ts_flush('s') >= 0 AS flushed;
SELECT count(*) >= 0 AS compacted FROM ts_compact('s', before => 'infinity');
ANALYZE s;
SELECT compare('SELECT host, count(*), sum(i), min(i), max(ts) FROM s GROUP BY host'), compare('SELECT host, count(*), count(DISTINCT host), min(ts), max(i) FROM s WHERE host > ''host 3'' GROUP BY host');
SELECT plan_with_memory('SELECT host, count(*), sum(i), min(i), max(ts) FROM s GROUP BY host');
CREATE FUNCTION answered() RETURNS bool LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
  SET LOCAL work_mem = '64kB';
  SET LOCAL hash_mem_multiplier = 1;
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE p' INTO plan;
  RETURN plan @? '$.**."Vectors Skipped" ? (@ > 100 && @ < 700)' AND plan @? '$.**."Disk Usage" ? (@ > 0)';
END $$;
SELECT answered();
DEALLOCATE p;

-- in the order of a bucket: with a window that spills, and groups that were shown before
SET work_mem = '64kB';
SET hash_mem_multiplier = 1;
CREATE TABLE early AS SELECT query FROM (VALUES
  ('SELECT time_bucket(''1 minute'', ts) bucket, tag, count(*), sum(k8), max(t) FROM %T GROUP BY 1, 2 ORDER BY 1 DESC, 2 LIMIT 2000'),
  ('SELECT time_bucket(''1 second'', ts) bucket, k, count(*), sum(n) FROM %T GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 3000 OFFSET 300'),
  ('SELECT date_trunc(''minute'', late) bucket, host, count(*), min(n) + 0.0, count(DISTINCT t) FROM %T GROUP BY 1, 2 ORDER BY 1 DESC, 2 LIMIT 5000'),
  ('SELECT date_trunc(''minute'', late) bucket, host, count(*) FROM %T GROUP BY 1, 2 ORDER BY 1 NULLS FIRST, 2 LIMIT 5000'),
  ('SELECT date_trunc(''hour'', late) bucket, tag, sum(k) FROM %T GROUP BY 1, 2 ORDER BY 1 DESC NULLS LAST, 2 OFFSET 15000 LIMIT 10000'),
  ('SELECT time_bucket(''1 second'', ts) bucket, k, count(*), max(t) FROM %T GROUP BY 1, 2 HAVING max(k) % 50 < 2 ORDER BY 1, 2 LIMIT 20'),
  ('SELECT time_bucket(''1 second'', ts) bucket, k, count(*), max(t) FROM %T GROUP BY 1, 2 HAVING max(k) % 50 < 2 ORDER BY 1 DESC, 2 LIMIT 20'),
  ('SELECT date_trunc(''hour'', late) bucket, count(DISTINCT tag), count(DISTINCT t) FROM %T GROUP BY 1 ORDER BY 1 LIMIT 20')) v (query);
CREATE FUNCTION compare_early(query text) RETURNS TABLE (is_early bool, spilled bool, difference text) LANGUAGE plpgsql AS $$
DECLARE
  plan jsonb;
  ours text[];
  theirs text[];
BEGIN
  PERFORM plan_with_memory(replace(query, '%T', 't'));
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE p' INTO plan;
  is_early := plan @? '$.**."Time Windows"';
  spilled := plan @? '$.**."Disk Usage" ? (@ > 0)';
  SELECT array_agg(r) INTO ours FROM executed() r;
  DEALLOCATE p;
  SELECT array_agg(r) INTO theirs FROM results(replace(query, '%T', 'h')) r;
  IF ours IS DISTINCT FROM theirs THEN difference := query || format(' %s %s ', array_length(ours, 1), array_length(theirs, 1)) ||
    (SELECT format('%s: %s | %s', i, ours[i], theirs[i]) FROM generate_series(1, 10000) i WHERE ours[i] IS DISTINCT FROM theirs[i] LIMIT 1); END IF;
  RETURN NEXT;
END $$;
SELECT c.* FROM early, compare_early(query) c;

-- what follows is planned for few groups
UPDATE pg_statistic SET stadistinct = 20 WHERE starelid = 't'::regclass;
-- rescans in the middle, cursors, LIMIT, savepoints
SELECT x.i, y.* FROM generate_series(1, 3) x(i), LATERAL (SELECT count(*), sum(s), max(c) FROM (SELECT k, sum(k8) s, count(*) c FROM t GROUP BY k OFFSET 0) z WHERE s > x.i) y;
SELECT x.i, y.* FROM generate_series(1, 3) x(i), LATERAL (SELECT count(*), sum(s), max(c) FROM (SELECT tag, sum(k8) s, count(*) c FROM t WHERE k > x.i * 1000 GROUP BY tag) z) y;
SELECT x.i, y.n FROM generate_series(1, 3) x(i), LATERAL (SELECT count(*) n FROM (SELECT k, sum(k8) s FROM t WHERE k8 >= x.i GROUP BY k LIMIT 3000 * x.i) z) y;
SELECT count(*) FROM (SELECT k, count(*) FROM t GROUP BY k LIMIT 10) x;
CREATE FUNCTION moved(c refcursor) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  MOVE FORWARD ALL IN c;
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT k, sum(k8) FROM t GROUP BY k;
MOVE 5 FROM c;
SAVEPOINT s;
MOVE 3000 FROM c;
SELECT 1 / 0;
ROLLBACK TO s;
MOVE 10000 FROM c;
SET work_mem = '10MB';
SELECT moved('c');
MOVE BACKWARD ALL FROM c;
SELECT moved('c');
SAVEPOINT s;
DECLARE d CURSOR FOR SELECT tag, max(t) FROM t GROUP BY tag;
MOVE 100 FROM d;
ROLLBACK TO s;
SET work_mem = '64kB';
DECLARE d CURSOR WITH HOLD FOR SELECT tag, max(t) FROM t GROUP BY tag;
MOVE 100 FROM d;
COMMIT;
SELECT moved('d');
CLOSE d;
-- errors pass through
SET temp_file_limit = '64kB';
SELECT count(*) FROM (SELECT tag, k, max(t) FROM t GROUP BY tag, k) x;
RESET temp_file_limit;
SELECT count(*) FROM (SELECT k, sum(1 / (k - 14999)) AS s FROM t GROUP BY k) x WHERE s > 0;
SET statement_timeout = 1;
SELECT count(*) FROM (SELECT tag, k, f8, max(t) FROM t GROUP BY tag, k, f8) x;
RESET statement_timeout;

-- partial: states are given out when there is no room
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
CREATE TABLE parts (LIKE h) PARTITION BY RANGE (ts);
CREATE TABLE parts1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2026-01-01 00:05') USING nodedb_ts;
CREATE TABLE parts2 PARTITION OF parts FOR VALUES FROM ('2026-01-01 00:05') TO ('2027-01-01') USING nodedb_ts;
INSERT INTO parts SELECT * FROM h;
SELECT ts_flush('parts1') >= 0, ts_flush('parts2') >= 0;
ANALYZE parts, parts1, parts2;
CREATE FUNCTION compare_partial(list text, rest text) RETURNS TABLE (uses_partial bool, difference text) LANGUAGE plpgsql AS $$
DECLARE
  query text := 'SELECT ' || list || ' FROM %T ' || rest;
  plan jsonb;
  table_name text;
  wrong bigint;
BEGIN
  FOREACH table_name IN ARRAY '{t,parts}'::text[] LOOP
    PERFORM plan_with_memory(replace(query, '%T', table_name));
    EXECUTE 'EXPLAIN (FORMAT JSON) EXECUTE p' INTO plan;
    uses_partial := plan @? '$.**?(@."Custom Plan Provider" == "nodedb_ts aggregate")."Partial Mode" ? (@ == "Partial")';
    SELECT count(*) INTO wrong FROM (SELECT r, count(*) FROM executed() r GROUP BY r) a FULL JOIN (SELECT r, count(*) FROM results(replace(query, '%T', 'h')) r GROUP BY r) b
      ON a = b WHERE a IS NULL OR b IS NULL;
    DEALLOCATE p;
    difference := nullif(wrong, 0) || ' rows differ: ' || table_name;
    RETURN NEXT;
  END LOOP;
END $$;
SELECT c.* FROM unnest('{"k, count(*), sum(k8), max(t), min(ts), sum(n), variance(k)","k, avg(k8), bool_or(b), max(f8), stddev(n)"}'::text[]) l, compare_partial(l, 'GROUP BY k') c;
SELECT c.* FROM compare_partial('tag, host, count(*), max(k)', 'GROUP BY tag, host') c;
SELECT * FROM ts_verify('t');
SET client_min_messages = warning;
DROP SCHEMA aggregate_spill CASCADE;
