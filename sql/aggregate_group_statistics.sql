-- Groups from statistics: vectors whose rows all belong to one group are not decoded, and results stay the same.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS aggregate_group_statistics CASCADE;
RESET client_min_messages;
CREATE SCHEMA aggregate_group_statistics;
SET search_path = aggregate_group_statistics, public;
SET max_parallel_workers_per_gather = 0;
SET enable_seqscan = off;
SET jit = off;
SET timezone = 'UTC';
CREATE TABLE h (host text, rack int, ts timestamptz, i4 int, i8 bigint, f8 float8, holes int) USING heap;
INSERT INTO h SELECT 'host-' || i % 4, i % 4 / 2, '2026-01-01'::timestamptz + i / 4 * interval '10 s', i, i * 1000000007::bigint, (i % 100) / 3.0,
  CASE WHEN i % 3 = 0 OR i % 4 = 1 THEN NULL ELSE i END
FROM generate_series(0, 79999) i;
UPDATE h SET f8 = 'NaN' WHERE i4 % 9973 = 0;
CREATE TABLE t (LIKE h) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host');
INSERT INTO t SELECT * FROM h ORDER BY i4;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT count(*) >= 0 AS compacted FROM ts_compact('t', before => 'infinity');
-- other rows: L0, later, without host or time
INSERT INTO h VALUES ('host-1', 0, '2026-01-01 00:00:05', 5, 5, 5, 5), (NULL, NULL, NULL, NULL, NULL, NULL, NULL), ('host-9', 4, '2026-03-01', 1, 1, '-0', 1);
INSERT INTO t VALUES ('host-1', 0, '2026-01-01 00:00:05', 5, 5, 5, 5), (NULL, NULL, NULL, NULL, NULL, NULL, NULL), ('host-9', 4, '2026-03-01', 1, 1, '-0', 1);
ANALYZE h, t;
-- of whole row groups, too
CREATE FUNCTION vectors_skipped(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || query INTO plan;
  RETURN jsonb_path_query_first(plan, '$.**."Vectors Skipped"')::bigint + jsonb_path_query_first(plan, '$.**."Row Groups Skipped"')::bigint;
END $$;
CREATE FUNCTION compare(query text) RETURNS TABLE (different bigint, some_skipped boolean) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('WITH a AS MATERIALIZED (%s), b AS MATERIALIZED (%s) SELECT count(*) FROM ((TABLE a EXCEPT ALL TABLE b) UNION ALL (TABLE b EXCEPT ALL TABLE a)) x',
    replace(query, '%T', 't'), replace(query, '%T', 'h')) INTO different;
  some_skipped := vectors_skipped(replace(query, '%T', 't')) > 0;
  RETURN NEXT;
END $$;
CREATE TABLE queries (query text);
INSERT INTO queries VALUES
  -- answered
  ('SELECT host, count(*), min(ts), max(ts) FROM %T GROUP BY host'),
  ('SELECT host, count(*), count(holes), sum(i4), avg(i4), min(i8), max(i8), sum(i8), max(f8), min(f8) FROM %T GROUP BY host'),
  ('SELECT date_trunc(''day'', ts), count(*), sum(i4) FROM %T GROUP BY 1'),
  ('SELECT time_bucket(''12 h'', ts), host, max(i4), sum(holes) FROM %T GROUP BY 1, 2'),
  ('SELECT to_timestamp(floor(extract(epoch from ts) / 43200) * 43200), host, max(i4) FROM %T GROUP BY 1, 2'),
  ('SELECT floor(extract(epoch from ts) / 86400) * 86400, count(*) FROM %T GROUP BY 1'),
  ('SELECT to_char(date_trunc(''month'', ts), ''Mon''), min(i4) FROM %T GROUP BY 1'),
  ('SELECT rack, count(*), max(ts) FROM %T GROUP BY rack'),
  ('SELECT host, rack, count(holes) FROM %T WHERE ts < ''2026-01-02'' GROUP BY host, rack'),
  ('SELECT host, count(*) FROM %T WHERE host IN (''host-1'', ''host-2'') GROUP BY host HAVING count(*) > 1'),
  -- not answered
  ('SELECT host, sum(f8) FROM %T GROUP BY host'), ('SELECT host, max(i4 + 1), count(*) FROM %T GROUP BY host'), ('SELECT f8, count(*) FROM %T GROUP BY f8'),
  ('SELECT host || ''x'', count(*) FROM %T GROUP BY 1'), ('SELECT ts, count(*) FROM %T GROUP BY ts'), ('SELECT host, count(*) FROM %T WHERE i4 % 2 = 0 GROUP BY host'),
  ('SELECT host, count(*) FILTER (WHERE i4 > 0) FROM %T GROUP BY host');
SELECT query, c.* FROM queries, compare(query) c;
SET nodedb_ts.enable_statistics_aggregate = off;
SELECT query, c.* FROM queries, compare(query) c WHERE different <> 0 OR some_skipped;
RESET nodedb_ts.enable_statistics_aggregate;
-- vectors of compacted series end with the hour, so that hours come from statistics, too: nothing is decoded
CREATE FUNCTION vectors_decoded(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || query INTO plan;
  RETURN jsonb_path_query_first(plan, '$.**."Vectors Decoded"')::bigint;
END $$;
SELECT vectors_decoded('SELECT host, date_trunc(''hour'', ts), avg(i4), max(i8), count(holes) FROM t GROUP BY 1, 2') AS hours,
  vectors_decoded('SELECT host, date_trunc(''day'', ts), sum(i8) FROM t GROUP BY 1, 2') AS days,
  vectors_decoded('SELECT host, date_bin(''15 min'', ts, ''2000-01-01''), sum(i4) FROM t GROUP BY 1, 2') > 50 AS quarters;
-- a parameter that changes
SELECT x, y.* FROM generate_series(0, 3) x, LATERAL (SELECT host, count(*), max(i4) FROM t WHERE rack = x % 2 AND ts < '2026-01-02' GROUP BY host) y ORDER BY 1, 2;
-- parameters of a generic plan are known when the node starts
SET plan_cache_mode = force_generic_plan;
PREPARE p (interval, numeric) AS SELECT time_bucket($1, ts) AS time, floor(extract(epoch from ts) / $2) AS day, count(*), max(i4) FROM t GROUP BY 1, 2 ORDER BY 1, 2;
EXECUTE p ('1 day', 86400);
SELECT vectors_skipped('EXECUTE p (''1 day'', 86400)') > 0 AS some_skipped;
EXECUTE p ('1 month', 86400000);
EXECUTE p (NULL, 864000000);
EXECUTE p ('-1 day', 86400);
EXECUTE p ('1 day', 0);
DEALLOCATE p;
RESET plan_cache_mode;
SET client_min_messages = warning;
DROP SCHEMA aggregate_group_statistics CASCADE;
