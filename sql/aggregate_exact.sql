-- Sums, averages and variances that PostgreSQL makes with numeric: digit for digit the same, NaN and infinities, too.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS aggregate_exact CASCADE;
RESET client_min_messages;
CREATE SCHEMA aggregate_exact;
SET search_path = aggregate_exact, public;
SET max_parallel_workers_per_gather = 0;
SET enable_seqscan = off;
SET jit = off;
CREATE TABLE h (g int, ts timestamptz, i2 int2, i4 int4, i8 int8, money numeric(12,2), n numeric, wild numeric) USING heap;
SELECT setseed(0.5);
INSERT INTO h SELECT i % 10, '2026-01-01'::timestamptz + i * interval '1 s', i % 65535 - 32767, (random() * 4.2e9 - 2.1e9)::int,
  CASE i % 3 WHEN 0 THEN 9223372036854775807 - i WHEN 1 THEN -9223372036854775807 + i ELSE i::int8 * 1000003 END,
  round((random() * 1e8 - 5e7)::numeric, 2), round((random() * 1e6 - 5e5)::numeric, i % 9),
  CASE i % 10 WHEN 0 THEN NULL WHEN 1 THEN (i::numeric * 12345678901234567890.123456789) WHEN 2 THEN 1e-30 * i WHEN 3 THEN i * 1e25
    WHEN 4 THEN 10 ^ (i % 37) * 1.000 WHEN 5 THEN (i % 7)::numeric(30, 20) WHEN 6 THEN 922337203685477580.7 WHEN 7 THEN -9223372036854775807 ELSE i / 8.0 END
FROM generate_series(1, 3000) i;
-- of each kind one group: infinities, NaN, both, one value, NULL only, -0.00, squares beyond 128 bits
INSERT INTO h (g, wild, i8, n) VALUES (20, 'Infinity', 1, 1), (20, 5, 2, 2), (21, '-Infinity', 3, 3), (21, 'Infinity', 4, 1), (22, 'NaN', 5, 1), (22, 1, 6, 1.0), (23, 7.50, 7, 1.00),
  (24, NULL, NULL, NULL), (25, 0.00, 0, 0.000), (25, -0.0, 0, 0), (26, 9223372036854775807, -9223372036854775808, 5), (26, -9223372036854775807, -9223372036854775808, 5),
  (26, 9223372036854775806, -9223372036854775808, 5.0), (27, 1e18, 1, 1), (27, 1e-18, 1, 1), (27, 1e-19, 1, 1), (28, 1.5, 1, 3.10), (28, 1.50, 1, 3.1), (28, 1.500, 1, 3.100);
CREATE TABLE t (LIKE h) USING nodedb_ts;
INSERT INTO t SELECT * FROM h WHERE g < 5;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT ts_compact('t') IS NOT NULL AS compacted;
INSERT INTO t SELECT * FROM h WHERE g BETWEEN 5 AND 9;
SELECT ts_flush('t') >= 0 AS flushed;
INSERT INTO t SELECT * FROM h WHERE g > 9;
ALTER TABLE h ADD COLUMN late numeric DEFAULT 2.50;
ALTER TABLE t ADD COLUMN late numeric DEFAULT 2.50;
ANALYZE h, t;

CREATE FUNCTION results(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE format('SELECT x::text FROM (%s) x', query);
EXCEPTION WHEN OTHERS THEN
  RETURN NEXT SQLSTATE || ' ' || SQLERRM;
END $$;
-- How rows differ from heap's; the node must be used. Of equal numbers min and max take that of a later row, and heap has
-- an order of its own: these are compared with the same table, the node switched off.
CREATE FUNCTION compare(list text, rest text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  query text := 'SELECT ' || list || ' FROM %T ' || rest;
  plan jsonb;
  wrong bigint;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || replace(query, '%T', 't') INTO plan;
  IF NOT plan @? '$.**."Custom Plan Provider" ? (@ == "nodedb_ts aggregate")' THEN RETURN 'not used'; END IF;
  CREATE TEMP TABLE a AS SELECT * FROM results(replace(query, '%T', 't')) r;
  SET LOCAL nodedb_ts.enable_vectorized_aggregate = off;
  CREATE TEMP TABLE b AS SELECT * FROM results(replace(query, '%T', CASE WHEN list ~ '(min|max)' THEN 't' ELSE 'h' END)) r;
  SET LOCAL nodedb_ts.enable_vectorized_aggregate = on;
  SELECT count(*) INTO wrong FROM ((TABLE a EXCEPT ALL TABLE b) UNION ALL (TABLE b EXCEPT ALL TABLE a)) x;
  DROP TABLE a, b;
  RETURN nullif(wrong, 0) || ' rows differ';
END $$;
CREATE TABLE lists AS SELECT string_agg(format('%s(%s)', f, a), ', ') AS list
FROM unnest('{sum,avg,variance,var_pop,var_samp,stddev,stddev_pop,stddev_samp}'::text[]) f, unnest('{i2,i4,i8,money,n,wild,late,n * 2,i4 + 1,-wild}'::text[]) a GROUP BY a
UNION ALL VALUES ('min(i2), max(money), min(n), max(n), min(wild), max(wild), min(late), max(n * 2), min(-wild)');
INSERT INTO lists VALUES ('sum(n), avg(n), variance(n), stddev(n), count(n)'), ('avg(wild), sum(wild) FILTER (WHERE g % 2 = 0), stddev(wild) FILTER (WHERE i4 > 0)'),
  ('variance(i8), stddev_pop(i8), var_pop(i8) FILTER (WHERE i8 > 0)'), ('variance(i2), stddev(i2), sum(i2)');
SELECT list, rest, problem FROM lists, unnest('{"","WHERE g = 3","WHERE g IN (1, 5, 8)","WHERE g > 22","WHERE g = 24","WHERE i4 % 2 = 0"}'::text[]) rest,
  compare(list, rest) problem WHERE problem IS NOT NULL;
SELECT list, rest, problem FROM lists, unnest('{"GROUP BY g","WHERE i2 > 0 OR g > 9 GROUP BY g"}'::text[]) rest,
  compare('g, ' || list, rest) problem WHERE problem IS NOT NULL;
SELECT g, sum(n), avg(n), variance(n), stddev_pop(i8), sum(wild), avg(wild), variance(wild) FROM t WHERE g > 19 GROUP BY g ORDER BY g;
-- of equal values the last, as numeric_larger takes it
CREATE TABLE one_by_one (ts timestamptz, n numeric) USING nodedb_ts;
INSERT INTO one_by_one VALUES ('2026-01-01', 1.5), ('2026-01-02', 1.50), ('2026-01-03', -7.0), ('2026-01-04', 1.500), ('2026-01-05', -7);
SELECT max(n), min(n) FROM one_by_one;
SELECT ts_flush('one_by_one') >= 0 AS flushed;
SELECT max(n), min(n) FROM one_by_one;
-- groups are shown again
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT g, sum(wild), variance(wild) FROM t WHERE g IN (1, 22, 26) GROUP BY g ORDER BY g;
FETCH ALL FROM c;
MOVE ABSOLUTE 0 IN c;
FETCH ALL FROM c;
COMMIT;
SELECT x, s FROM generate_series(20, 22) x, LATERAL (SELECT sum(wild + x) AS s FROM t WHERE g = x) y ORDER BY x;
-- NULLs that pass a filter
SELECT compare('g, min(wild) FILTER (WHERE i4 > 0) + 0.0, max(wild) FILTER (WHERE i2 % 2 = 0) + 0.0, sum(wild) FILTER (WHERE i4 > 0)', 'GROUP BY g');
SET client_min_messages = warning;
DROP SCHEMA aggregate_exact CASCADE;
