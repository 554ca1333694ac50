-- Aggregates in several places: parallel workers, partitions, inheriting tables. Results are those of heap.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS aggregate_partial CASCADE;
RESET client_min_messages;
CREATE SCHEMA aggregate_partial;
SET search_path = aggregate_partial, public;
SET timezone = 'UTC';
SET jit = off;

-- floats whose sums are exact in every order, but for f8x
CREATE TABLE h (ts timestamptz NOT NULL, host text, i2 int2, i4 int4, i8 int8, n numeric, f4 float4, f8 float8, f8x float8,
  d date, tod time, flag bool, iv interval, u uuid) USING heap;
INSERT INTO h
SELECT '2024-01-01'::timestamptz + i * interval '10 min', CASE WHEN i % 101 = 0 THEN NULL ELSE 'host_' || (i * 7 % 13) END,
  CASE WHEN i % 13 = 0 THEN NULL ELSE i % 300 - 150 END, CASE WHEN i % 17 = 0 THEN NULL ELSE i * 200003 END,
  CASE WHEN i % 19 = 0 THEN NULL WHEN i % 23 = 0 THEN 9223372036854775807 - i WHEN i % 29 = 0 THEN -9223372036854775808 + i
    ELSE i * 1234567891234 END,
  CASE WHEN i % 31 = 0 THEN NULL ELSE round((i * 7919 % 100003)::numeric / 7, i % 5) END,
  CASE WHEN i % 37 = 0 THEN NULL ELSE i % 1000 / 4.0 END,
  CASE WHEN i % 41 = 0 THEN NULL ELSE (i * 31 % 4001 - 2000) / 8.0 END, sqrt(i) * 10 ^ (i % 7) - 3,
  '2024-02-20'::date + i / 100, '00:00'::time + i * interval '11 s',
  CASE WHEN i % 11 = 0 THEN NULL ELSE i % 3 > 0 END, i * interval '1 minute', md5((i % 7)::text)::uuid
FROM generate_series(1, 8000) i;

-- one table, of several segments and L0
CREATE TABLE t (LIKE h) USING nodedb_ts;
INSERT INTO t SELECT * FROM h WHERE ts < '2024-01-15';
SELECT ts_flush('t') >= 0 AS flushed;
INSERT INTO t SELECT * FROM h WHERE ts >= '2024-01-15' AND ts < '2024-01-30';
SELECT ts_flush('t') >= 0 AS flushed;
INSERT INTO t SELECT * FROM h WHERE ts >= '2024-01-30' AND ts < '2024-02-20';
SELECT ts_flush('t') >= 0 AS flushed;
INSERT INTO t SELECT * FROM h WHERE ts >= '2024-02-20';
CREATE TABLE t0 (LIKE h) USING nodedb_ts;

-- partitions: others' columns stand elsewhere, heap's, one that is split again, an empty one
CREATE TABLE m (LIKE h) PARTITION BY RANGE (ts);
CREATE TABLE m1 PARTITION OF m FOR VALUES FROM ('2024-01-01') TO ('2024-01-11') USING nodedb_ts;
CREATE TABLE m2 (gone int, u uuid, f8x float8, f8 float8, f4 float4, n numeric, also_gone text, i8 int8, i4 int4, i2 int2, flag bool,
  tod time, d date, host text, iv interval, ts timestamptz NOT NULL) USING nodedb_ts;
ALTER TABLE m2 DROP COLUMN gone, DROP COLUMN also_gone;
ALTER TABLE m ATTACH PARTITION m2 FOR VALUES FROM ('2024-01-11') TO ('2024-01-21');
CREATE TABLE m3 PARTITION OF m FOR VALUES FROM ('2024-01-21') TO ('2024-01-31') USING heap;
CREATE TABLE m4 PARTITION OF m FOR VALUES FROM ('2024-01-31') TO ('2024-02-20') PARTITION BY LIST (host);
CREATE TABLE m4a (host text, flag bool, ts timestamptz NOT NULL, u uuid, iv interval, tod time, d date, f8 float8, f8x float8,
  f4 float4, n numeric, i8 int8, i4 int4, i2 int2) USING nodedb_ts;
ALTER TABLE m4 ATTACH PARTITION m4a FOR VALUES IN ('host_0', 'host_1', 'host_2', 'host_3', 'host_4', NULL);
CREATE TABLE m4b PARTITION OF m4 DEFAULT USING nodedb_ts;
CREATE TABLE m5 PARTITION OF m FOR VALUES FROM ('2024-02-20') TO ('2024-03-01') USING nodedb_ts;
CREATE TABLE m6 PARTITION OF m FOR VALUES FROM ('2024-03-01') TO ('2024-04-01') USING nodedb_ts;
INSERT INTO m SELECT * FROM h;
-- plans should not depend on when autovacuum comes
DO $$
DECLARE r regclass;
BEGIN
  FOR r IN SELECT oid FROM pg_class WHERE relnamespace = 'aggregate_partial'::regnamespace AND relkind = 'r' LOOP
    EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', r);
  END LOOP;
END $$;
SELECT ts_flush('m1') >= 0 AS m1, ts_flush('m2') >= 0 AS m2, ts_flush('m4a') >= 0 AS m4a;
-- inheritance: a parent with rows of its own, a child with more columns
CREATE TABLE p (LIKE h) USING nodedb_ts WITH (autovacuum_enabled = off);
CREATE TABLE p1 (more int) INHERITS (p) USING nodedb_ts WITH (autovacuum_enabled = off);
CREATE TABLE p2 () INHERITS (p) USING heap WITH (autovacuum_enabled = off);
INSERT INTO p SELECT * FROM h WHERE ts < '2024-01-11';
INSERT INTO p1 SELECT * FROM h WHERE ts >= '2024-01-11' AND ts < '2024-02-01';
INSERT INTO p2 SELECT * FROM h WHERE ts >= '2024-02-01';
SELECT ts_flush('p') >= 0 AS p, ts_flush('p1') >= 0 AS p1;
ANALYZE h, t, m, p, p1, p2;

CREATE FUNCTION plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; plan text := '';
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP plan := plan || line || E'\n'; END LOOP;
  RETURN plan;
END $$;
-- what of EXPLAIN ANALYZE does not depend on how rows lie
CREATE FUNCTION what_happened(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    IF line !~ 'Segments|Row Groups|Vectors|Bytes Decoded|L0 Pages' THEN RETURN NEXT line; END IF;
  END LOOP;
END $$;
-- Results as text, so that NaN and scales count; an error is its SQLSTATE and message.
CREATE FUNCTION results(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE format('SELECT x::text FROM (%s) x', query);
EXCEPTION WHEN OTHERS THEN
  RETURN NEXT SQLSTATE || ' ' || SQLERRM;
END $$;
-- floats that depend on the order of rows, within 1e-9
CREATE FUNCTION near(a float8[], b float8[]) RETURNS boolean LANGUAGE sql AS $$
  SELECT coalesce(bool_and(x IS NOT DISTINCT FROM y OR abs(x - y) <= 1e-9 * greatest(abs(x), abs(y))), a IS NOT DISTINCT FROM b)
  FROM unnest(a, b) AS u(x, y)
$$;
-- what PostgreSQL would share out row by row: few values are called for, or workers do it by vectors, too
CREATE TABLE narrow (ts timestamptz NOT NULL, host text, note text) USING nodedb_ts
  WITH (autovacuum_enabled = off, nodedb_ts.series_columns = 'host');
INSERT INTO narrow SELECT '2024-01-01'::timestamptz + i * interval '10 s', 'host_' || i % 13, 'note_' || i / 7 % 11 FROM generate_series(1, 40000) i;
SELECT ts_flush('narrow') >= 0 AS flushed;
ANALYZE narrow;
SET parallel_setup_cost = 10;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
SELECT plan_of('SELECT min(note), max(note) FROM narrow');
SELECT plan_of('SELECT first(note, ts), last(note, ts) FROM narrow');
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;
DROP TABLE narrow;

-- said to be so expensive that sharing the rows out pays
CREATE FUNCTION dear(int, int) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE COST 25 AS 'int4ne';

-- Queries over FROM %T. loose: any plan will do; floats: a key and an array of them.
CREATE TABLE queries (id serial, loose bool DEFAULT false, floats bool DEFAULT false, query text);
CREATE TABLE lists (list text);
INSERT INTO lists VALUES
  ('count(*), count(i4), count(host), count(f8), sum(i2), sum(i4), sum(i8), avg(i2), avg(i4), avg(i8)'),
  ('min(i2), min(i4), min(i8), max(i2), max(i4), max(i8), min(d), max(d), min(ts), max(ts), min(tod), max(tod)'),
  ('min(host), max(host), min(iv), max(iv), sum(iv), avg(iv), bool_and(flag), bool_or(flag), every(NOT flag)'),
  ('sum(n), avg(n), min(n), max(n), stddev(n), variance(n), var_pop(n), sum(i8), avg(i8)'),
  ('stddev(i2), variance(i4), stddev_pop(i8), var_samp(i2), bit_and(i4), bit_or(i8), bit_xor(i2)'),
  ('sum(f8), avg(f8), avg(f4), min(f4), max(f4), min(f8), max(f8), first(host, ts), last(i4, ts), last(n, ts)'),
  ('count(*) FILTER (WHERE i4 > 0), sum(i4) FILTER (WHERE flag), min(host) FILTER (WHERE i2 IS NULL), sum(i8) FILTER (WHERE false)'),
  ('sum(i4 / 7 + i2), avg(i8 / 2), max(length(host)), min(upper(host)), sum(n * 2), count(nullif(host, ''host_1'')), sum(1), avg(f8 * 2)'),
  ('sum(i8) + count(*), round(avg(n), 3), greatest(max(i4), max(i2)), avg(f8)::text || min(host)');
INSERT INTO queries (query) SELECT replace(q, '%L', (SELECT string_agg(list, ', ') FROM lists)) FROM (VALUES
  ('SELECT %L FROM %T WHERE dear(coalesce(i2, 0), 7)'),
  ('SELECT host, %L FROM %T WHERE i2 > -100 AND dear(i2, 7) GROUP BY host HAVING count(*) > 460'),
  -- no rows, no rows of some groups
  ('SELECT %L FROM %T WHERE NOT dear(i2, i2)'),
  ('SELECT d, %L FROM %T WHERE NOT dear(i2, 3) GROUP BY d'),
  ('SELECT flag, host FROM %T WHERE dear(i4, 7) GROUP BY flag, host'),
  ('SELECT d, flag, count(*), sum(i8), max(host), avg(i8) FROM %T WHERE dear(i2, 7) GROUP BY d, flag'),
  ('SELECT u, count(*), sum(i8), max(host), avg(i8) FROM %T WHERE dear(i2, 7) GROUP BY u'),
  ('SELECT date_bin(''3 days'', ts, timestamptz ''2000-01-01'') AS b, flag, count(*), max(host), avg(i8) FROM %T WHERE dear(i2, 7) GROUP BY b, flag'),
  ('SELECT date_trunc(''day'', ts), length(host), i2 IS NULL, count(*) FROM %T WHERE dear(i4, 7) GROUP BY 1, 2, 3')) AS q(q);
INSERT INTO queries (loose, query) VALUES
  (true, 'SELECT i2, host, avg(i8), count(*) FROM %T GROUP BY i2, host'),
  (true, 'SELECT count(*), min(ts), max(i4), sum(i8) FROM %T');
-- one state above serves averages and variances, whichever comes first
INSERT INTO queries (floats, query) SELECT true, format('SELECT %s AS k, ARRAY[avg(f8x), stddev(f8x), avg(f4), var_pop(f4), sum(f8x), avg(f8x) FILTER (WHERE flag),
  stddev(f8x) FILTER (WHERE flag), stddev_pop(f4), var_samp(f8), stddev(f8), avg(f8), corr(f8, f8x), regr_slope(f8, i4)]::float8[] AS v FROM %%T WHERE dear(i2, 7) %s',
  k, g) FROM (VALUES ('0', ''), ('host', 'GROUP BY host')) AS x(k, g);
-- what heap says, by one process
SET max_parallel_workers_per_gather = 0;
CREATE TABLE expected AS SELECT id, r FROM queries, results(replace(query, '%T', 'h')) r WHERE NOT floats;
CREATE TABLE expected_floats (id int, k text, v float8[]);
DO $$
DECLARE q record;
BEGIN
  FOR q IN SELECT * FROM queries WHERE floats LOOP
    EXECUTE format('INSERT INTO expected_floats SELECT %s, k::text, v FROM (%s) x', q.id, replace(q.query, '%T', 'h'));
  END LOOP;
END $$;
SELECT count(*) > 300 AS some, (SELECT count(*) FROM expected_floats) AS floats FROM expected;

-- Queries over a table whose plan does not look so, or whose rows are not heap's.
CREATE FUNCTION compare_all(shape text, relation text, ids int[] DEFAULT NULL) RETURNS TABLE (problem text) LANGUAGE plpgsql AS $$
DECLARE
  q record; mine text; wrong bigint;
BEGIN
  FOR q IN SELECT * FROM queries WHERE id = ANY (ids) OR ids IS NULL ORDER BY id LOOP
    mine := replace(q.query, '%T', relation);
    IF NOT q.loose AND plan_of(mine) !~ shape THEN problem := 'another plan: ' || mine; RETURN NEXT; END IF;
    IF q.floats THEN
      EXECUTE format('SELECT count(*) FROM (%s) a FULL JOIN (SELECT * FROM expected_floats WHERE id = %s) b
        ON coalesce(a.k::text, ''NULL'') = coalesce(b.k, ''NULL'') WHERE near(a.v, b.v) IS NOT TRUE', mine, q.id) INTO wrong;
    ELSE
      CREATE TEMP TABLE got AS SELECT * FROM results(mine) r;
      SELECT count(*) INTO wrong FROM ((TABLE got EXCEPT ALL SELECT r FROM expected WHERE id = q.id)
        UNION ALL (SELECT r FROM expected WHERE id = q.id EXCEPT ALL TABLE got)) x;
      DROP TABLE got;
    END IF;
    IF wrong <> 0 THEN problem := wrong || ' rows differ: ' || mine; RETURN NEXT; END IF;
  END LOOP;
END $$;
-- One query over FROM %T and over heap.
CREATE FUNCTION compare(query text, shape text, relation text) RETURNS TABLE (problem text) LANGUAGE plpgsql AS $$
DECLARE
  mine text := replace(query, '%T', relation); wrong bigint;
BEGIN
  IF plan_of(mine) !~ shape THEN problem := 'another plan: ' || mine; RETURN NEXT; END IF;
  SELECT count(*) INTO wrong FROM (
    WITH a AS (SELECT * FROM results(mine) r), b AS (SELECT * FROM results(replace(query, '%T', 'h')) r)
    (TABLE a EXCEPT ALL TABLE b) UNION ALL (TABLE b EXCEPT ALL TABLE a)) x;
  IF wrong <> 0 THEN problem := wrong || ' rows differ: ' || mine; RETURN NEXT; END IF;
END $$;

-- Partitions and inheritance, by one process
SELECT * FROM compare_all('Append(.*\n)*.*nodedb_ts aggregate', 'm');
SELECT * FROM compare_all('Append(.*\n)*.*nodedb_ts aggregate', 'p');
SET enable_partitionwise_aggregate = on;
SELECT * FROM compare_all('Append(.*\n)*.*nodedb_ts aggregate', 'm');
RESET enable_partitionwise_aggregate;
-- an empty table
SELECT count(*), sum(i4), avg(i8), stddev(f8), max(host) FROM t0;
SELECT host, count(*) FROM t0 GROUP BY host;

-- Below Gather
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET force_parallel_mode = on;
SELECT * FROM compare_all('nodedb_ts aggregate', 't', '{1,2,7,13}');
RESET force_parallel_mode;
SET max_parallel_workers_per_gather = 2;
SELECT * FROM compare_all('Gather(.*\n)*.*nodedb_ts aggregate(.*\n)*.*Parallel Custom Scan', 't');
SELECT * FROM compare_all('Gather(.*\n)*.*Parallel Append(.*\n)*.*nodedb_ts aggregate', 'm');
SELECT * FROM compare_all('Gather(.*\n)*.*Parallel Append(.*\n)*.*nodedb_ts aggregate', 'p', '{1,2,5,13}');
SET parallel_leader_participation = off;
SELECT * FROM compare_all('Gather(.*\n)*.*nodedb_ts aggregate(.*\n)*.*Parallel Custom Scan', 't', '{1,2,3,13}');
SET enable_parallel_append = off;
SELECT * FROM compare_all('Gather(.*\n)*.* Append(.*\n)*.*nodedb_ts aggregate', 'm', '{1,2,6,13}');
RESET enable_parallel_append;
RESET parallel_leader_participation;
RESET max_parallel_workers_per_gather;
RESET min_parallel_table_scan_size;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;

-- What plans look like
SET max_parallel_workers_per_gather = 0;
EXPLAIN (COSTS OFF) SELECT host, sum(i8), avg(f8) FROM m WHERE ts >= '2024-01-15' AND ts < '2024-02-05' AND host < 'host_2' GROUP BY host;
-- one partition is left: its node makes the results
EXPLAIN (VERBOSE, COSTS OFF) SELECT host, sum(i8) / count(*) AS per, max(n) FROM m WHERE ts >= '2024-01-12' AND ts < '2024-01-18'
GROUP BY host HAVING count(*) > 5 ORDER BY per DESC LIMIT 3;
SELECT host, sum(i8) / count(*) AS per, max(n) FROM m WHERE ts >= '2024-01-12' AND ts < '2024-01-18'
GROUP BY host HAVING count(*) > 5 ORDER BY per DESC LIMIT 3;
SELECT host, sum(i8) / count(*) AS per, max(n) FROM h WHERE ts >= '2024-01-12' AND ts < '2024-01-18'
GROUP BY host HAVING count(*) > 5 ORDER BY per DESC LIMIT 3;
-- none
SELECT count(*), sum(i4) FROM m WHERE ts > '2030-01-01';
SELECT host, count(*) FROM m WHERE ts > '2030-01-01' GROUP BY host;
-- statistics answer for each partition
SELECT what_happened($$SELECT count(*), min(ts), max(ts), sum(i4) FROM m WHERE ts < '2024-01-21'$$);
-- UNION ALL is none of this
SELECT count(*), sum(i4) FROM (SELECT * FROM m1 UNION ALL SELECT * FROM t) x;
SELECT (SELECT count(*) FROM h WHERE ts < '2024-01-11') + count(*) AS count, (SELECT sum(i4) FROM h WHERE ts < '2024-01-11') + sum(i4) AS sum FROM h;
-- so workers are not worth their start
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0.0125;
SET parallel_tuple_cost = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT count(*), max(ts) FROM t;
EXPLAIN (COSTS OFF) SELECT count(*), max(ts) FROM t WHERE ts > '2024-01-05';
EXPLAIN (COSTS OFF) SELECT count(*), max(ts) FROM t WHERE i2 > -200;
RESET min_parallel_table_scan_size;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
SET max_parallel_workers_per_gather = 0;
-- left to PostgreSQL: sum(float4) would depend on who adds what; columns that only parents have
EXPLAIN (COSTS OFF) SELECT sum(f4) FROM m WHERE ts < '2024-01-21';
EXPLAIN (COSTS OFF) SELECT tableoid::regclass, count(*) FROM m WHERE ts < '2024-01-21' GROUP BY 1;
SELECT * FROM compare('SELECT max(x::text), count(x) FROM %T x WHERE ts < ''2024-01-21''', 'Aggregate', 'm');
SET nodedb_ts.enable_partial_aggregate = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM m WHERE ts < '2024-01-21';
RESET nodedb_ts.enable_partial_aggregate;
-- partitions of the key's own: PostgreSQL puts the node below an Append
SET enable_partitionwise_aggregate = on;
EXPLAIN (COSTS OFF) SELECT host, count(*), avg(i8) FROM m4 GROUP BY host HAVING count(*) > 5;
EXPLAIN (COSTS OFF) SELECT host, count(*) FROM t GROUP BY host;
SELECT * FROM compare('SELECT host, count(*), avg(i8) FROM %T WHERE ts >= ''2024-01-31'' AND ts < ''2024-02-20'' GROUP BY host HAVING count(*) > 5',
  'Append(.*\n)*.*nodedb_ts aggregate', 'm4');
RESET enable_partitionwise_aggregate;

-- Parameters: partitions are left out during execution
SET plan_cache_mode = force_generic_plan;
PREPARE since(timestamptz) AS SELECT count(*), sum(i8), avg(f8), max(host) FROM m WHERE ts >= $1;
SELECT what_happened($$EXECUTE since('2024-01-31')$$);
EXECUTE since('2024-01-31');
EXECUTE since('2024-01-05');
EXECUTE since('2030-01-01');
SELECT count(*), sum(i8), avg(f8), max(host) FROM h WHERE ts >= '2024-01-31';
SELECT count(*), sum(i8), avg(f8), max(host) FROM h WHERE ts >= '2024-01-05';
PREPARE scaled(int, timestamptz) AS SELECT host, sum(i2 * $1), count(*) FILTER (WHERE i4 > $1) FROM m WHERE ts < $2 GROUP BY host
  HAVING min(i2) < $1 ORDER BY host LIMIT 4;
EXECUTE scaled(3, '2024-02-01');
SELECT host, sum(i2 * 3), count(*) FILTER (WHERE i4 > 3) FROM h WHERE ts < '2024-02-01' GROUP BY host HAVING min(i2) < 3 ORDER BY host LIMIT 4;
EXECUTE scaled(-5, '2024-01-15');
SELECT host, sum(i2 * -5), count(*) FILTER (WHERE i4 > -5) FROM h WHERE ts < '2024-01-15' GROUP BY host HAVING min(i2) < -5 ORDER BY host LIMIT 4;
RESET plan_cache_mode;

-- Rescans
SELECT * FROM compare('SELECT b, x.* FROM generate_series(1, 5) b, LATERAL (SELECT count(*), sum(i8), avg(i2) FROM %T WHERE i2 % 5 = b) x', 'nodedb_ts aggregate', 'm');
SELECT * FROM compare('SELECT b, (SELECT sum(i4) FROM %T WHERE ts < ''2024-01-01''::timestamptz + b * interval ''9 days'') FROM generate_series(0, 7) b', 'nodedb_ts aggregate', 'm');
SELECT * FROM compare('SELECT b, x.* FROM generate_series(1, 3) b, LATERAL (SELECT host, b * count(*), max(n) FROM %T GROUP BY host HAVING max(i2) > b) x', 'nodedb_ts aggregate', 'm');
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET max_parallel_workers_per_gather = 2;
SET enable_material = off;
-- Gather under a nested loop begins anew, with new workers; so does a subquery with a parameter
SELECT * FROM compare('SELECT b, x.* FROM generate_series(1, 3) b LEFT JOIN (SELECT host, count(*) AS c, avg(n), sum(i8), stddev(i2) FROM %T
  WHERE dear(coalesce(i2, 0), 7) GROUP BY host) x ON x.c > b * 150', 'Gather(.*\n)*.*nodedb_ts aggregate', 't');
SELECT * FROM compare('SELECT b, (SELECT sum(i8) FROM %T WHERE dear(coalesce(i2, 0), b)) FROM generate_series(1, 3) b', '', 'm');
SELECT * FROM compare('SELECT b, x.* FROM generate_series(1, 3) b LEFT JOIN (SELECT count(*) AS c, sum(i8), max(i4) FROM %T WHERE dear(i2, 7)) x ON x.c > b',
  'Nested Loop Left Join(.*\n)*.*Finalize Aggregate(.*\n)*.*Gather(.*\n)*.*nodedb_ts aggregate', 'm');
RESET enable_material;
EXPLAIN (COSTS OFF) SELECT host, sum(i8), avg(f8) FROM t WHERE dear(i2, 7) GROUP BY host ORDER BY host;
EXPLAIN (COSTS OFF) SELECT count(*), min(ts) FROM m WHERE dear(i2, 7);
-- a partition that is not parallel-safe, one alone
EXPLAIN (COSTS OFF) SELECT host, count(*) FROM m WHERE ts < '2024-01-11' AND dear(i2, 7) GROUP BY host;
-- one key for all rows
SELECT * FROM compare('SELECT host, count(*), sum(i8) FROM %T WHERE dear(i2, 7) AND host = ''host_3'' GROUP BY host', 'Gather(.*\n)*.*nodedb_ts aggregate', 't');
ALTER TABLE m1 SET (parallel_workers = 0);
SELECT * FROM compare('SELECT flag, count(*), sum(i8) FROM %T WHERE dear(i2, 7) GROUP BY flag', 'Gather(.*\n)*.*Parallel Append(.*\n)*.*nodedb_ts aggregate', 'm');
ALTER TABLE m1 RESET (parallel_workers);
-- what a worker raises, or the leader
CREATE TABLE big (ts timestamptz, i int, x float8, y float8) USING nodedb_ts;
INSERT INTO big SELECT '2024-01-01'::timestamptz + i * interval '1 s', i, 1e308, CASE i WHEN 1 THEN float8 'NaN' WHEN 2 THEN float8 'Infinity' ELSE i END
FROM generate_series(1, 5000) i;
SELECT ts_flush('big') >= 0 AS flushed;
ANALYZE big;
\set SHOW_CONTEXT never
SELECT sum(x) FROM big WHERE dear(i, 0);
SELECT avg(x) FROM big WHERE dear(i, 0);
SELECT stddev(x) FROM big WHERE dear(i, 0);
\set SHOW_CONTEXT errors
SELECT sum(y), avg(y), stddev(y), max(y), min(y) FROM big WHERE dear(i, 0);
SELECT sum(y), avg(y), var_pop(y), max(y), min(y) FROM big WHERE dear(i, 1);
SELECT sum(y), avg(y), round(stddev(y)::numeric, 6), count(y) FROM big WHERE i > 2 AND dear(i, 1);
-- a sum that needs more than 64 bits
SELECT sum(9223372036854775807 - i), avg(-9223372036854775807 + i), sum(0::int8), sum(i::int8) FILTER (WHERE i < 0) FROM big WHERE dear(i, 0);
SELECT sum(9223372036854775807 - i), avg(-9223372036854775807 + i), sum(0::int8), sum(i::int8) FILTER (WHERE i < 0) FROM generate_series(1, 5000) i;
-- row security, as the parent has it
CREATE ROLE aggregate_partial_reader;
GRANT USAGE ON SCHEMA aggregate_partial TO aggregate_partial_reader;
GRANT SELECT ON m, h TO aggregate_partial_reader;
ALTER TABLE m ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON m FOR SELECT TO aggregate_partial_reader USING (host = 'host_5');
SET ROLE aggregate_partial_reader;
SELECT host, count(*), sum(i8) FROM m WHERE dear(i2, 7) GROUP BY host;
SET max_parallel_workers_per_gather = 0;
SELECT count(*), sum(i8) FROM m WHERE ts < '2024-02-05';
RESET ROLE;
SELECT host, count(*), sum(i8) FROM h WHERE dear(i2, 7) AND host = 'host_5' GROUP BY host;
SELECT count(*), sum(i8) FROM h WHERE ts < '2024-02-05' AND host = 'host_5';
-- ordinary plans with ordinary settings
RESET ALL;
SET search_path = aggregate_partial, public;
EXPLAIN (COSTS OFF) SELECT host, count(*) FROM t GROUP BY host;

SELECT relname, v.* FROM pg_class c, ts_verify(c.oid) v
WHERE relnamespace = 'aggregate_partial'::regnamespace AND relkind = 'r' AND relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts') ORDER BY 1;
DROP OWNED BY aggregate_partial_reader;
DROP ROLE aggregate_partial_reader;
SET client_min_messages = warning;
DROP SCHEMA aggregate_partial CASCADE;
