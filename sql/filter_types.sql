-- Conditions on columns of types that are compared as words, or whose comparisons cannot fail: on vectors, as heap has it.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS filter_types CASCADE;
RESET client_min_messages;
CREATE SCHEMA filter_types;
SET search_path = filter_types, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/differences.sql'
\i :include
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
ALTER TYPE mood ADD VALUE 'glum' BEFORE 'ok'; -- greater as a number than those behind it
CREATE DOMAIN small AS int CHECK (VALUE < 1000);
CREATE DOMAIN high_mood AS mood;
CREATE DOMAIN price AS numeric(12, 2);

CREATE TABLE h (ts timestamptz, e mood, em high_mood, sm small, mo money, oi oid, ch "char", ls pg_lsn, nu numeric, pr price, i int) USING heap;
INSERT INTO h SELECT '2024-01-01'::timestamptz + i * interval '1 s',
    CASE i / 1500 % 5 WHEN 0 THEN 'sad' WHEN 1 THEN 'ok' WHEN 2 THEN 'happy' WHEN 3 THEN 'glum' END::mood,
    CASE WHEN i % 7 > 0 THEN (enum_range(NULL::mood))[1 + i / 3000 % 4] END,
    CASE WHEN i % 11 > 0 THEN i % 900 - 100 END,
    CASE WHEN i % 13 > 0 THEN (i - 6000)::money / 100 END,
    CASE i % 17 WHEN 0 THEN NULL WHEN 1 THEN 4294967295 WHEN 2 THEN 2147483648 ELSE i / 100 END::oid,
    CASE i / 1500 % 4 WHEN 0 THEN NULL WHEN 1 THEN 'a' WHEN 2 THEN E'\\377' ELSE 'b' END::"char",
    CASE i % 19 WHEN 0 THEN NULL WHEN 1 THEN 'FFFFFFFF/FFFFFFFF' ELSE '0/0'::pg_lsn + i END,
    CASE i % 23 WHEN 0 THEN NULL WHEN 1 THEN 'NaN' WHEN 2 THEN 'Infinity' WHEN 3 THEN '-Infinity' WHEN 4 THEN 1.50 ELSE i / 8.0 END,
    i / 16.0, i
  FROM generate_series(1, 12000) i;
CREATE TABLE t (LIKE h) USING nodedb_ts;
INSERT INTO t SELECT * FROM h WHERE i <= 10000;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT segments_in > 0 AS merged FROM ts_compact('t', before => 'infinity');
INSERT INTO t SELECT * FROM h WHERE i > 10000;

CREATE VIEW conditions AS SELECT unnest(ARRAY[
  'e = ''happy''', 'e <> ''happy''', 'e = ''glum''', '''ok'' = e', 'e IN (''sad'', ''glum'')', 'e = ANY (''{happy,NULL}'')', 'e IS NULL OR e = ''ok''',
  'em::mood = ''ok''', 'em::mood <> ''sad'' AND i > 5000', 'em::mood IN (''ok'', ''happy'')',
  'sm = 5', 'sm > 700', 'sm BETWEEN -3 AND 3', 'sm < -50::bigint', 'sm IN (1, 2, 799)', 'sm <> 7::smallint',
  'mo = ''$5.00''', 'mo < ''-$59.00''', 'mo >= ''$59.00''', 'mo <> ''$0.00''', 'mo IN (''$1.00'', ''-$1.00'')',
  'oi = 5', 'oi = 4294967295', 'oi = 2147483648', 'oi <> 4294967295', 'oi IN (7, 4294967295)', 'oi = 7::int8',
  'ch = ''a''', 'ch = E''\\377''', 'ch <> ''b''', 'ch IN (''a'', ''b'')',
  'ls = ''FFFFFFFF/FFFFFFFF''', 'ls = ''0/64''', 'ls <> ''0/64''', 'ls IN (''0/64'', ''FFFFFFFF/FFFFFFFF'')',
  'nu = 1.5', 'nu > 1400', 'nu = ''NaN''', 'nu < 0', 'nu <> 1.50', 'nu >= ''Infinity''', 'nu BETWEEN 10 AND 12.5', 'nu IN (1.5, 2)',
  'pr > 700', 'pr = 12.00', 'NOT pr < 749']) AS condition;
-- these have another order than their words: row by row
CREATE VIEW others AS SELECT unnest(ARRAY[
  'e > ''sad''', 'e <= ''glum''', 'em::mood < ''ok''', 'oi > 2147483647', 'oi < 100', 'ch > ''a''', 'ch <= E''\\377''', 'ls > ''0/64''', 'ls < ''FFFFFFFF/0''']) AS condition;
SELECT c.* FROM compare_queries((SELECT array_agg('SELECT * FROM {} WHERE ' || condition) FROM conditions), 'h', 't',
  ARRAY['nodedb_ts.enable_scan = on', 'nodedb_ts.enable_scan = off'], '%Vector Filter%', true) c;
SELECT c.* FROM compare_queries((SELECT array_agg('SELECT * FROM {} WHERE ' || condition) FROM others), 'h', 't',
  ARRAY['nodedb_ts.enable_scan = on', 'nodedb_ts.enable_scan = off'], '!%Vector Filter%', true) c;
SELECT c.* FROM compare_queries((SELECT array_agg('SELECT count(*), sum(i) FROM {} WHERE ' || condition) FROM conditions), 'h', 't',
  ARRAY['nodedb_ts.enable_vectorized_aggregate = on'], NULL, true) c;

-- vectors are left out
CREATE FUNCTION decoded(condition text, OUT pruned bool) LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT json, TIMING off, SUMMARY off) SELECT i FROM t WHERE ts < ''2024-01-01 02:46:00'' AND ' || condition INTO plan;
  plan := plan -> 0 -> 'Plan';
  pruned := (plan ->> 'Vectors Pruned')::int > 2;
END $$;
SELECT condition, d.* FROM unnest(ARRAY['e = ''happy''', 'em::mood = ''glum''', 'mo > ''$30.00''', 'mo = ''$5.00''', 'ch = ''a''']) condition, decoded(condition) d;
-- parameters, also of another type
PREPARE p(mood) AS SELECT count(*) FROM t WHERE e = $1;
PREPARE q(oid) AS SELECT count(*) FROM t WHERE oi = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE p('happy');
EXECUTE p('glum');
EXECUTE p(NULL);
EXECUTE q(4294967295);
EXECUTE q(5);
RESET plan_cache_mode;
SET client_min_messages = warning;
DROP SCHEMA filter_types CASCADE;
