-- The node of the best rows: ORDER BY ... LIMIT and DISTINCT ON, compared with heap and with the switch off.
SET timezone = 'UTC';
CREATE TABLE best_heap (ts timestamptz, host text, n int, f float8, f4 float4, d date, v varchar(20));
CREATE TABLE best_ts (LIKE best_heap) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host');
-- distinct values of ts, n and f within a host, so that ties do not choose
INSERT INTO best_heap
  SELECT '2026-01-01'::timestamptz + i * interval '18 seconds', 'host-' || lpad((i * 7919 % 37)::text, 2, '0'),
         (i::bigint * 48271 % 1000003)::int, sin(i) * 1000, (i * 31 % 20011)::float4, '2026-01-01'::date + i / 200, 'v' || i % 11
    FROM generate_series(1, 12000) i;
INSERT INTO best_heap VALUES ('2026-02-01', NULL, NULL, 'NaN', 'NaN', NULL, NULL), ('2026-02-02', 'host-03', -5, '-Infinity', '-7', 'infinity', 'v3'),
  (NULL, 'host-04', 7, 'Infinity', 0.5, '-infinity', NULL), ('infinity', 'host-05', 2000000, '-0', NULL, '2020-01-01', 'v4'),
  ('-infinity', 'host-06', -2000000, NULL, 1e30, '2020-01-02', 'v5');
INSERT INTO best_ts SELECT * FROM best_heap WHERE ts < '2026-01-02';
SELECT ts_flush('best_ts') >= 0 AS flushed;
SELECT count(*) >= 0 AS compacted FROM ts_compact('best_ts', before => 'infinity');
INSERT INTO best_ts SELECT * FROM best_heap WHERE ts >= '2026-01-02' AND ts < '2026-01-03';
SELECT ts_flush('best_ts') >= 0 AS flushed;
INSERT INTO best_ts SELECT * FROM best_heap WHERE ts >= '2026-01-03' AND host < 'host-20';
INSERT INTO best_ts SELECT * FROM best_heap WHERE (ts >= '2026-01-03' AND host >= 'host-20') OR ts IS NULL OR host IS NULL;
DELETE FROM best_heap WHERE ctid IN (SELECT ctid FROM (SELECT ctid, row_number() OVER (PARTITION BY ts, host) r FROM best_heap) x WHERE r > 1);
-- the row without a host was taken once
SELECT count(*) = (SELECT count(*) FROM best_heap) AS same_rows FROM best_ts;
ANALYZE best_heap;
ANALYZE best_ts;

EXPLAIN (COSTS OFF) SELECT * FROM best_ts ORDER BY ts DESC LIMIT 5;
EXPLAIN (COSTS OFF) SELECT DISTINCT ON (host) host, ts, n + 1 FROM best_ts WHERE n > 10 ORDER BY host, ts DESC;
CREATE FUNCTION best_node(query text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || query INTO plan;
  RETURN jsonb_path_query_first(plan, '$.**?(@."Custom Plan Provider" == "nodedb_ts best rows")');
END $$;
CREATE FUNCTION memory_kb(query text) RETURNS int LANGUAGE sql AS $$ SELECT (best_node(query) ->> 'Memory Usage')::int $$;
CREATE FUNCTION was_sorted(query text) RETURNS boolean LANGUAGE sql AS $$
  SELECT coalesce(best_node(query) ->> 'Sort Space Type' = 'Disk', false)
$$;
SELECT memory_kb('SELECT * FROM best_ts ORDER BY ts DESC LIMIT 1') > 0 AS some, memory_kb('SELECT * FROM best_ts ORDER BY ts DESC LIMIT 1000') > 100 AS more;

-- Runs a query on both tables, with the switch on and off; counts different results. {} is the table.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/differences.sql'
\set ECHO none
\i :include
\set ECHO all
CREATE FUNCTION differences(queries text[]) RETURNS TABLE (compared int, different int, used int) LANGUAGE sql AS $$
  SELECT * FROM compare_queries(queries, 'best_heap', 'best_ts', '{nodedb_ts.enable_best_rows = on,nodedb_ts.enable_best_rows = off}', '%best rows%', false)
$$;

-- the deciding value alone is compared where rows may tie
SELECT * FROM differences(ARRAY(
  SELECT format('SELECT %s FROM {} %s ORDER BY %s %s %s LIMIT %s', CASE WHEN c IN ('ts', 'n') THEN 'ts, n, f' ELSE c END,
                w, c, o, nulls, l)
    FROM unnest('{ts,n,f,f4,d}'::text[]) c, unnest('{ASC,DESC}'::text[]) o, unnest('{"",NULLS FIRST,NULLS LAST}'::text[]) nulls,
         unnest('{1,7,500}'::text[]) l,
         unnest(ARRAY['', 'WHERE host = ''host-03''', 'WHERE n % 3 = 1', 'WHERE ts >= ''2026-01-03''', 'WHERE host IS NULL', 'WHERE n < -3000000']) w));
SELECT * FROM differences(ARRAY(
  SELECT format('SELECT DISTINCT ON (%s) %s, %s FROM {} %s ORDER BY %s %s, %s %s %s', k, k, CASE WHEN c IN ('ts', 'n') AND k = 'host' THEN 'ts, n, f, v' ELSE c END,
                w, k, ko, c, o, nulls)
    FROM unnest('{host,v,d,n}'::text[]) k, unnest('{ASC,DESC NULLS LAST}'::text[]) ko, unnest('{ts,n,f,f4}'::text[]) c, unnest('{ASC,DESC}'::text[]) o,
         unnest('{"",NULLS FIRST,NULLS LAST}'::text[]) nulls,
         unnest(ARRAY['', 'WHERE host IN (''host-03'', ''host-05'')', 'WHERE n % 3 = 1']) w
   WHERE k <> c));

-- several sort columns: the first one ties often
EXPLAIN (COSTS OFF) SELECT ts FROM best_ts ORDER BY d DESC NULLS LAST, v, n DESC LIMIT 2;
SELECT * FROM differences(ARRAY(
  SELECT format('SELECT d, ts, n, f, host, v FROM {} %s ORDER BY d %s, %s %s, n DESC, ts NULLS FIRST LIMIT %s', w, o, c, o2, l)
    FROM unnest('{ASC,DESC,ASC NULLS FIRST,DESC NULLS LAST}'::text[]) o, unnest('{host,v,"host COLLATE \"C\"",f4}'::text[]) c,
         unnest('{ASC,DESC NULLS LAST}'::text[]) o2, unnest('{1,3 OFFSET 500}'::text[]) l,
         unnest(ARRAY['', 'WHERE n % 3 = 1']) w));
-- a limit that only the execution knows; more rows than there is memory for
PREPARE newest(int, int) AS SELECT ts, n FROM best_ts ORDER BY ts DESC NULLS LAST LIMIT $1 OFFSET $2;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE newest(2, 1);
EXECUTE newest(2, 1);
EXECUTE newest(1, NULL);
EXECUTE newest(0, 0);
EXECUTE newest(-1, 0);
RESET plan_cache_mode;
DEALLOCATE newest;
EXPLAIN (COSTS OFF) SELECT ts FROM best_ts ORDER BY ts DESC LIMIT (SELECT 5);
EXPLAIN (COSTS OFF) SELECT ts FROM best_ts ORDER BY ts DESC LIMIT 11000;
-- not: it may be another one each time; rows that tie with the last one
EXPLAIN (COSTS OFF) SELECT ts FROM best_ts ORDER BY ts DESC LIMIT random() * 5;
EXPLAIN (COSTS OFF) SELECT ts FROM best_ts ORDER BY ts DESC FETCH FIRST (SELECT 5) ROWS WITH TIES;
CREATE FUNCTION limits() RETURNS SETOF text LANGUAGE sql AS $$
  SELECT format('SELECT ts, n, f FROM {} %s ORDER BY %s, n, host LIMIT %s', w, o, l)
    FROM unnest('{ts,ts DESC,f4 NULLS FIRST,d DESC NULLS LAST}'::text[]) o, unnest(ARRAY['', 'WHERE host > ''host-2''']) w,
         unnest('{(SELECT 1),(SELECT 300) OFFSET (SELECT 20),(SELECT NULL::int),(SELECT 0),7 OFFSET (SELECT 11000),(SELECT 11500)}'::text[]) l
   UNION ALL SELECT 'SELECT g, x.* FROM generate_series(0, 3) g, LATERAL (SELECT ts, n FROM {} ORDER BY n DESC, ts LIMIT g * 2) x'
   UNION ALL SELECT 'SELECT g, x.* FROM generate_series(1, 2) g, LATERAL (SELECT ts, n FROM {} ORDER BY n DESC, ts LIMIT g * 5000 OFFSET 10) x'
$$;
SELECT * FROM differences(ARRAY(SELECT limits()));
SET work_mem = '64kB';
SELECT * FROM differences(ARRAY(SELECT limits()));
SELECT was_sorted('SELECT ts, n FROM best_ts ORDER BY ts LIMIT (SELECT 10)') AS few,
       was_sorted('SELECT ts, n FROM best_ts ORDER BY ts LIMIT (SELECT 10000)') AS many;
DROP FUNCTION memory_kb, was_sorted, best_node, limits;
RESET work_mem;

-- other kinds of keys; words of types without a sign come in two forms
CREATE TABLE kinds_heap (t timestamp, u uuid, o oid, c "char", nm name, n int);
CREATE TABLE kinds_ts (LIKE kinds_heap) USING nodedb_ts WITH (nodedb_ts.series_columns = 'o');
INSERT INTO kinds_heap SELECT '2026-01-01'::timestamp + i * interval '1 s', ('00000000-0000-0000-0000-00000000000' || i % 10)::uuid,
  4294967290 + i % 5, chr(60 + i % 7)::"char", 'n' || i % 3, i FROM generate_series(1, 3000) i;
INSERT INTO kinds_ts SELECT * FROM kinds_heap;
SELECT ts_flush('kinds_ts') >= 0 AS flushed;
ALTER TABLE kinds_heap ADD COLUMN late oid DEFAULT 4294967291;
ALTER TABLE kinds_ts ADD COLUMN late oid DEFAULT 4294967291;
INSERT INTO kinds_heap VALUES ('2027-01-01', NULL, NULL, NULL, NULL, 5, 4294967291), ('2027-01-02', NULL, 4294967291, 'x', 'n1', 6, 7);
INSERT INTO kinds_ts VALUES ('2027-01-01', NULL, NULL, NULL, NULL, 5, 4294967291), ('2027-01-02', NULL, 4294967291, 'x', 'n1', 6, 7);
SELECT k, o, (SELECT count(*) FROM (VALUES (1)) x WHERE query_to_xml(replace(q, '{}', 'kinds_heap'), true, true, '')::text <>
                                                    query_to_xml(replace(q, '{}', 'kinds_ts'), true, true, '')::text) AS different
  FROM unnest('{u,o,c,nm,late}'::text[]) k, unnest('{ASC,DESC NULLS LAST}'::text[]) o,
       format('SELECT DISTINCT ON (%s) * FROM {} ORDER BY %s %s, t DESC', k, k, o) q;
EXPLAIN (COSTS OFF) SELECT DISTINCT ON (late) * FROM kinds_ts ORDER BY late, t DESC;
DROP TABLE kinds_heap, kinds_ts;
-- rescans, parameters, offsets, subqueries
SELECT count(*) AS hosts, count(*) FILTER (WHERE x.ts = m.ts) AS right_ones
  FROM (SELECT host, max(ts) AS ts FROM best_heap WHERE host IS NOT NULL AND ts IS NOT NULL GROUP BY host) m,
       LATERAL (SELECT ts FROM best_ts t WHERE t.host = m.host AND t.ts IS NOT NULL ORDER BY ts DESC LIMIT 1) x;
PREPARE newest(text, int) AS SELECT ts, n FROM best_ts WHERE host = $1 AND ts < 'infinity' ORDER BY ts DESC NULLS LAST LIMIT 2 OFFSET 1;
EXECUTE newest('host-03', 1);
EXECUTE newest('host-36', 1);
SET plan_cache_mode = force_generic_plan;
EXECUTE newest('host-03', 1);
EXECUTE newest('no host', 1);
RESET plan_cache_mode;
-- not ours: ties, expressions, too many
EXPLAIN (COSTS OFF) SELECT ts FROM best_ts ORDER BY ts FETCH FIRST 2 ROWS WITH TIES;
EXPLAIN (COSTS OFF) SELECT ts FROM best_ts ORDER BY host, ts LIMIT 2;
EXPLAIN (COSTS OFF) SELECT ts FROM best_ts ORDER BY ts, n + 1 LIMIT 2;
EXPLAIN (COSTS OFF) SELECT ts FROM best_ts ORDER BY n + 1 LIMIT 2;
-- own rows of this transaction, and of a later command
BEGIN;
INSERT INTO best_ts VALUES ('2026-03-01', 'host-01', 1, 1, 1, '2026-03-01', 'own');
DECLARE before CURSOR FOR SELECT v FROM best_ts WHERE ts < 'infinity' ORDER BY ts DESC LIMIT 1;
INSERT INTO best_ts VALUES ('2026-03-02', 'host-01', 1, 1, 1, '2026-03-01', 'later');
FETCH before;
SELECT v FROM best_ts WHERE ts < 'infinity' ORDER BY ts DESC LIMIT 1;
ROLLBACK;
SELECT * FROM ts_verify('best_ts');
DROP FUNCTION differences, compare_queries;
DROP TABLE best_heap, best_ts;
-- limits that are known at execution only, conditions without columns, columns that an outer join may make NULL, wide rows
CREATE TABLE more_ts (ts timestamp, k text, v int, w text) USING nodedb_ts;
INSERT INTO more_ts SELECT '2026-01-01'::timestamp + i * interval '1 second', 'k' || i % 5, i, 'w' FROM generate_series(1, 3000) i;
ANALYZE more_ts;
SET my.n = '2';
PREPARE newest_n AS SELECT v FROM more_ts ORDER BY ts LIMIT current_setting('my.n')::int;
EXECUTE newest_n;
SET my.n = '4';
EXECUTE newest_n;
SELECT v FROM more_ts ORDER BY ts LIMIT 2 OFFSET current_setting('my.n')::int;
SELECT v FROM more_ts WHERE (SELECT true) ORDER BY ts LIMIT 1;
SELECT v FROM more_ts WHERE current_setting('server_version_num')::int > 1 ORDER BY ts DESC LIMIT 1;
SELECT DISTINCT ON (k) k, v FROM more_ts WHERE now() > '2020-01-01' ORDER BY k, ts DESC;
SELECT v, x FROM more_ts LEFT JOIN (SELECT 1 AS x) s ON true ORDER BY ts LIMIT 1;
SELECT DISTINCT ON (k) k, x FROM more_ts LEFT JOIN (SELECT 1 AS x) s ON true ORDER BY k, ts LIMIT 1;
SET work_mem = '64kB';
EXPLAIN (COSTS OFF) SELECT DISTINCT ON (ts) ts, v FROM more_ts ORDER BY ts, v;
RESET work_mem;
-- a pattern that ends with an escape fails for those rows only that come so far
SELECT count(*) FROM more_ts WHERE k LIKE 'x\' AND v > 10000;
DROP TABLE more_ts;
