-- Expressions that the aggregate node takes as buckets: the same groups as heap's, around every kind of edge.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS aggregate_buckets CASCADE;
RESET client_min_messages;
CREATE SCHEMA aggregate_buckets;
SET search_path = aggregate_buckets, public;
SET extra_float_digits = 1;
SET max_parallel_workers_per_gather = 0;
SET enable_seqscan = off;
SET jit = off;
SET timezone = 'America/New_York';

-- around changes of an offset, around 1970, the ends of months, whole seconds and halves; far away
CREATE TABLE h (ts timestamptz, tsn timestamp, i2 int2, i4 int4, i8 int8, n numeric, f4 float4, f8 float8) USING heap;
INSERT INTO h SELECT x, x AT TIME ZONE 'UTC', i % 200 - 100, i - 3000, (i - 3000) * 1000000007::int8, (i % 50)::numeric / 4, i % 7, i % 9
FROM (SELECT x, row_number() OVER (ORDER BY x) i
      FROM unnest('{1883-11-18,1969-12-31 12:00+00,2006-04-01,2011-12-29,2024-02-28,2024-03-09,2024-11-02 18:00+00}'::timestamptz[]) y,
        generate_series(y, y + interval '2 days', interval '7 min 0.5 s') x) z;
INSERT INTO h (ts) SELECT y + x * interval '0.25 s' FROM unnest('{1970-01-01+00,2024-06-30 23:59+00,2038-01-19 03:13:50+00}'::timestamptz[]) y, generate_series(-60, 400) x;
UPDATE h SET tsn = ts AT TIME ZONE 'UTC' WHERE tsn IS NULL;
INSERT INTO h VALUES (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), ('infinity', 'infinity', 1, 2147483647, 9223372036854775807, 'NaN', 'NaN', '-NaN'),
  ('-infinity', '-infinity', -1, -2147483648, -9223372036854775808, 'NaN', 'NaN', 'NaN'), ('2262-04-11', '9999-12-31 23:59:59.999999', 0, 0, 0, 0.0, '-0', '-0'),
  ('4713-02-01 BC', '0001-01-01 BC', 32767, 2147483640, 9223372036854775800, 0.00, 0, 0), ('9000-05-31 12:00', '1600-02-29', -32768, -2147483640, -9223372036854775800, 'Infinity', 'Infinity', 'Infinity'),
  ('12000-01-01', '100000-01-01', 5, 7, 9, '-Infinity', 1, 2), ('200000-01-01', '200000-01-01', 5, 7, 9, 1.50, 1, 2);
CREATE TABLE t (LIKE h) USING nodedb_ts;
INSERT INTO t SELECT * FROM h WHERE i4 < 0;
SELECT ts_flush('t') >= 0 AS flushed;
INSERT INTO t SELECT * FROM h WHERE i4 IS NULL OR i4 >= 0;
CREATE TABLE plain (LIKE h) USING nodedb_ts;
INSERT INTO plain SELECT * FROM h WHERE isfinite(ts) AND ts > '1800-01-01' AND ts < '2200-01-01';
SELECT ts_flush('plain') >= 0 AS flushed;
CREATE TABLE plain_heap USING heap AS SELECT * FROM plain;
ANALYZE h, t, plain;

CREATE FUNCTION results(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE format('SELECT x::text FROM (%s) x', query);
EXCEPTION WHEN OTHERS THEN
  RETURN NEXT SQLSTATE || ' ' || SQLERRM;
END $$;
CREATE FUNCTION plan_of(query text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
  RETURN plan;
END $$;
-- How rows differ, if the node is used at all.
CREATE FUNCTION compare(key text, mine text, heap text, groups text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  query text := 'SELECT ' || key || ' AS k, count(*), sum(i4), min(ts) FROM %T GROUP BY ' || coalesce(groups, '1');
  wrong bigint;
BEGIN
  IF NOT plan_of(replace(query, '%T', mine)) @? '$.**."Custom Plan Provider" ? (@ == "nodedb_ts aggregate")' THEN RETURN 'not used'; END IF;
  WITH a AS MATERIALIZED (SELECT * FROM results(replace(query, '%T', mine)) r), b AS MATERIALIZED (SELECT * FROM results(replace(query, '%T', heap)) r)
  SELECT count(*) INTO wrong FROM ((TABLE a EXCEPT ALL TABLE b) UNION ALL (TABLE b EXCEPT ALL TABLE a)) x;
  RETURN nullif(wrong, 0) || ' rows differ';
END $$;
-- Of what is no bucket the planner counts an evaluation a row.
CREATE FUNCTION is_bucket(key text) RETURNS boolean LANGUAGE plpgsql SET cpu_operator_cost = 1000 AS $$
BEGIN
  RETURN jsonb_path_query_first(plan_of(format('SELECT %s FROM plain GROUP BY 1', key)),
    '$.** ? (@."Custom Plan Provider" == "nodedb_ts aggregate")."Startup Cost"')::float8 < (SELECT 500.0 * count(*) FROM plain_heap);
END $$;

CREATE TABLE keys (key text);
INSERT INTO keys VALUES
  -- Grafana's, in every version
  ('floor(extract(epoch from ts)/60)*60'), ('floor(extract(epoch from ts)/300)*300'), ('floor(extract(epoch from tsn)/0.5)*0.5'),
  ('(extract(epoch from ts)/60)::bigint*60'), ('(extract(epoch from ts)/3600)::int*3600'), ('floor(extract(epoch from ts)/86400)'),
  ('floor(date_part(''epoch'', ts)/60)*60'), ('(date_part(''epoch'', ts)/300)::bigint*300'), ('floor(extract(epoch from ts)::float8/7)*7'),
  ('to_timestamp(floor(extract(epoch from ts)/60)*60)'), ('to_timestamp((extract(epoch from ts)/3600)::bigint*3600)'),
  ('to_timestamp(floor(date_part(''epoch'', ts)/0.7)*0.7)'), ('extract(epoch from ts)::bigint/60*60'), ('extract(epoch from ts)::int8/3600'),
  ('floor(extract(epoch from ts))::bigint/300*300'), ('date_part(''epoch'', tsn)::int8/60'), ('floor(extract(epoch from ts AT TIME ZONE ''Asia/Kolkata'')/3600)'),
  ('floor(extract(epoch from ts)/2592000)'), ('floor(extract(epoch from ts)/0.000003)'), ('floor(extract(epoch from ts)/60)::text || ''s'''),
  -- with a zone
  ('date_trunc(''hour'', ts, ''Australia/Lord_Howe'')'), ('date_trunc(''day'', ts, ''America/St_Johns'')'), ('date_trunc(''month'', ts, ''Europe/Dublin'')'),
  ('date_trunc(''week'', ts, ''EST'')'), ('date_trunc(''day'', ts, ''UTC'')'), ('date_trunc(''hour'', ts, ''XYZ-4:30'')'),
  ('date_trunc(''day'', ts AT TIME ZONE ''Asia/Kathmandu'')'), ('date_bin(''6 h'', ts AT TIME ZONE ''Pacific/Apia'', timestamp ''2024-01-01'')'),
  ('date_trunc(''day'', ts AT TIME ZONE ''America/New_York'') AT TIME ZONE ''America/New_York'''), ('date_trunc(''hour'', ts::timestamp)'),
  ('time_bucket(''1 h'', ts, ''Australia/Lord_Howe'')'), ('time_bucket(''2 h 30 min'', ts, ''America/New_York'')'), ('time_bucket(''1 day'', ts, ''Pacific/Apia'')'),
  ('time_bucket(''7 days'', ts, ''Europe/Dublin'', ''2024-03-10 12:34''::timestamptz)'), ('time_bucket(''1 month'', ts, ''America/New_York'')'),
  ('time_bucket(''90 s'', ts, ''America/St_Johns'', ''2000-01-01 00:00:10''::timestamptz)'),
  -- months
  ('time_bucket(''1 month'', ts)'), ('time_bucket(''3 months'', tsn)'), ('time_bucket(''1 year'', ts)'), ('time_bucket(''1 month'', tsn, timestamp ''2000-01-31 06:00'')'),
  ('date_trunc(''month'', ts)'), ('date_trunc(''quarter'', ts)'), ('date_trunc(''year'', tsn)'), ('date_trunc(''decade'', ts)'), ('date_trunc(''century'', tsn)'),
  -- widths and origins
  ('time_bucket(''15 min'', ts)'), ('time_bucket(''15 min'', tsn, timestamp ''2024-03-09 00:07'')'), ('date_bin(''1 h'', ts, ''2024-03-10 00:30+00'')'),
  -- what is made of buckets
  ('ts::date'), ('tsn::date'), ('extract(hour from ts)'), ('extract(dow from ts)'), ('date_part(''month'', tsn)'), ('extract(year from ts)::int'),
  ('to_char(date_trunc(''month'', ts), ''YYYY-MM'')'), ('date_trunc(''hour'', ts) + interval ''30 min'''), ('coalesce(date_trunc(''day'', ts), ''1999-01-01'')'),
  ('nullif(date_trunc(''day'', ts), ''2024-03-10'')'), ('greatest(date_trunc(''day'', ts), date_bin(''5 h'', ts, ''2000-01-03''))'), ('date_trunc(''day'', time_bucket(''1 h'', ts))'),
  ('extract(hour from ts) * 100 + extract(minute from ts)'), ('CASE WHEN extract(dow from ts) IN (0, 6) THEN ''weekend'' ELSE ''week'' END'),
  -- parts of another type than the key's
  ('((date_part(''epoch'', ts) / 60)::bigint)::text'), ('(date_part(''epoch'', tsn)::bigint / 3600)::text'),
  ('to_char(time_bucket(''6 hours'', ts, ''Europe/Berlin''), ''DD HH24'')'),
  -- integers
  ('i4/100*100'), ('i8/3000000000'), ('i2/7'), ('i4 - i4 % 60'), ('i8 - i8 % 86400000'), ('time_bucket(100, i4)'), ('time_bucket(1000000000000, i8, 17)'),
  ('time_bucket(50::int2, i2)'), ('i4/1000::int8*1000'), ('i8/60'), ('(i4/60)::text');
SELECT key, is_bucket(key) FROM keys WHERE NOT is_bucket(key);
SELECT key, problem FROM keys, compare(key, 't', 'h') problem WHERE key NOT LIKE '%::int*%' AND problem IS NOT NULL;
SELECT key, problem FROM keys, compare(key, 'plain', 'plain_heap') problem WHERE problem IS NOT NULL;
SELECT zone, key, problem FROM unnest('{UTC,Australia/Lord_Howe,America/St_Johns,Pacific/Apia}'::text[]) zone, keys,
  LATERAL (SELECT set_config('timezone', zone, false)) z (ignored), compare(format('%s, %L', key, ignored), 'plain', 'plain_heap') problem
WHERE key LIKE '%ts%' AND problem IS NOT NULL;
SET timezone = 'America/New_York';

-- not of one column, not by steps, not with a known constant
SELECT key, is_bucket(key), compare(key, 'plain', 'plain_heap') FROM unnest(ARRAY['date_trunc(''hour'', ts) + (ts - tsn AT TIME ZONE ''UTC'')',
  'ts + interval ''1 min''', 'date_trunc(''moment'', ts)', 'date_bin(''-1 h'', ts, ''2000-01-01'')', 'date_bin(interval ''1 month'', ts, ''2000-01-01'')', 'time_bucket(0, i4)', 'i4/0',
  'floor(extract(epoch from ts)/0)', 'date_trunc(''day'', ts, ''Nowhere'')', 'date_trunc(''day'', ts, ''MSK'')']) key;

-- keys that are equal without being the same
SELECT key, compare(key, 'plain', 'plain_heap') FROM unnest('{f4,f8,n,-n,"n * 1.0","f8 / 3"}'::text[]) key;
SELECT compare('date_trunc(''day'', tsn) AS d, f8, n', 'plain', 'plain_heap', '1, f8, n');
SELECT n, f4, f8, count(*) FROM t WHERE f8 IN (0, 'NaN') AND i4 % 2 = 0 AND (n = 0 OR n = 'NaN') GROUP BY n, f4, f8 ORDER BY n, f4, f8;
CREATE TABLE scales (n numeric, f8 float8) USING nodedb_ts;
INSERT INTO scales VALUES (1.0, 0), (1.00, '-0'), (1, 0), (100, 'NaN'), (1e2, '-NaN'), (0.000, NULL), (0, NULL), (NULL, NULL), ('NaN', 1), ('NaN', 1);
SELECT n = 1 AS one, n, count(*) FROM scales GROUP BY n ORDER BY n;
SELECT f8, count(*) FROM scales GROUP BY f8 ORDER BY f8;
-- values farther from each other than 2^63, in buckets that an origin shifts
CREATE TABLE far_heap (ts timestamptz, v int8, s int);
INSERT INTO far_heap SELECT 'epoch'::timestamptz + i * interval '1 s', CASE WHEN i < 4096 THEN 8900000000000000000 ELSE -8900000000000000000 END, 1 + i / 4096
  FROM generate_series(0, 8191) i;
INSERT INTO far_heap SELECT 'epoch'::timestamptz + i * interval '1 s', CASE WHEN i < 4096 THEN 2000000000000000000 + i ELSE -4600000000000000000 + i END, 3
  FROM generate_series(0, 9095) i;
CREATE TABLE far (LIKE far_heap) USING nodedb_ts WITH (nodedb_ts.series_columns = 's');
INSERT INTO far SELECT * FROM far_heap;
SELECT ts_flush('far') >= 0 AS flushed;
SELECT time_bucket(1000000000000000000::int8, v, (-9000000000000000000)::int8) AS b, count(*) FROM far WHERE s < 3 GROUP BY b ORDER BY b;
SELECT time_bucket(1000000000000000000::int8, v, (-9000000000000000000)::int8) AS b, count(*) FROM far_heap WHERE s < 3 GROUP BY b ORDER BY b;
SELECT time_bucket(6500000000000000000::int8, v, (-4600000000000000000)::int8) AS b, count(*), sum(s + 0) FROM far WHERE s = 3 GROUP BY b ORDER BY b;
SELECT time_bucket(6500000000000000000::int8, v, (-4600000000000000000)::int8) AS b, count(*), sum(s + 0) FROM far_heap WHERE s = 3 GROUP BY b ORDER BY b;
SELECT relname, problem FROM pg_class, ts_verify(oid::regclass) problem WHERE relnamespace = 'aggregate_buckets'::regnamespace AND relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
SET client_min_messages = warning;
DROP SCHEMA aggregate_buckets CASCADE;
