-- Aggregates without GROUP BY from stored statistics, compared with heap and with the switch off.
SET timezone = 'UTC';
CREATE TABLE stat_heap (ts timestamptz, host text, i2 smallint, i4 int, i8 bigint, f4 float4, f8 float8, d date, b bool);
CREATE TABLE stat_ts (LIKE stat_heap) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host');
INSERT INTO stat_heap
  SELECT '2026-01-01'::timestamptz + i * interval '5 seconds', 'host-' || i % 9, i % 300 - 150,
         CASE WHEN i % 5 > 0 THEN (i::bigint * 48271 % 2000003)::int - 1000000 END, i::bigint * 461168601842738 / 11 - 1000000,
         (i * 31 % 2003)::float4 / 8, sin(i) * 1e6, '2026-01-01'::date + i / 700, i % 2 = 0
    FROM generate_series(1, 20000) i;
-- whole stretches of NULLs, NaN and infinities
UPDATE stat_heap SET f8 = 'NaN', f4 = NULL WHERE ts < '2026-01-01 03:00';
UPDATE stat_heap SET f8 = '-Infinity' WHERE host = 'host-3' AND i2 = 7;
INSERT INTO stat_ts SELECT * FROM stat_heap WHERE ts < '2026-01-01 10:00';
SELECT ts_flush('stat_ts') >= 0 AS flushed;
SELECT count(*) >= 0 AS compacted FROM ts_compact('stat_ts', before => 'infinity');
INSERT INTO stat_ts SELECT * FROM stat_heap WHERE ts >= '2026-01-01 10:00' AND ts < '2026-01-02';
SELECT ts_flush('stat_ts') >= 0 AS flushed;
INSERT INTO stat_ts SELECT * FROM stat_heap WHERE ts >= '2026-01-02';
ALTER TABLE stat_heap ADD COLUMN late int DEFAULT 42;
ALTER TABLE stat_ts ADD COLUMN late int DEFAULT 42;
INSERT INTO stat_heap (ts, host, late) VALUES ('2026-01-05', 'host-1', NULL), ('2026-01-05', NULL, 7);
INSERT INTO stat_ts (ts, host, late) VALUES ('2026-01-05', 'host-1', NULL), ('2026-01-05', NULL, 7);

CREATE FUNCTION differences() RETURNS TABLE (compared int, different int) LANGUAGE plpgsql AS $$
DECLARE w text; a text; b text; c text; q text;
BEGIN
  compared := 0; different := 0;
  FOR w, q IN
    SELECT conditions, format('SELECT (%s)::text FROM {} %s', aggregates, conditions)
      FROM unnest(ARRAY['', 'WHERE ts >= ''2026-01-01 12:00''', 'WHERE ts < ''2026-01-01 10:00''', 'WHERE host = ''host-3''',
                        'WHERE i4 IS NULL', 'WHERE i4 IS NOT NULL AND f8 <> ''NaN''', 'WHERE false', 'WHERE i2 > 1000', 'WHERE b',
                        'WHERE length(host) = 6', 'WHERE ts < ''infinity'' AND host >= ''host-0''']) conditions,
           unnest(ARRAY['count(*)', 'count(i4), count(f4), count(host)', 'min(ts), max(ts), count(*)', 'min(i2), max(i2), sum(i2), avg(i2)',
                        'min(i4), max(i4), sum(i4), avg(i4), count(i4)', 'min(i8), max(i8), sum(i8), avg(i8)', 'min(f4), max(f4)',
                        'min(f8), max(f8), count(f8)', 'min(d), max(d)', 'sum(late), max(late), count(late)',
                        'count(*), sum(i4) FILTER (WHERE b)', 'max(i4 + 1), count(*)', 'sum(i2), max(host)']) aggregates
  LOOP
    q := replace(q, 'SELECT (', 'SELECT ROW(');
    EXECUTE replace(q, '{}', 'stat_heap') INTO a;
    SET LOCAL nodedb_ts.enable_statistics_aggregate = on;
    EXECUTE replace(q, '{}', 'stat_ts') INTO b;
    SET LOCAL nodedb_ts.enable_statistics_aggregate = off;
    EXECUTE replace(q, '{}', 'stat_ts') INTO c;
    compared := compared + 1;
    IF a IS DISTINCT FROM b OR a IS DISTINCT FROM c THEN
      different := different + 1;
      RAISE NOTICE 'different: % : % % %', q, a, b, c;
    END IF;
  END LOOP;
  RETURN NEXT;
END $$;
SELECT * FROM differences();

-- row groups are left out, unless a condition or an aggregate needs them
CREATE FUNCTION skipped(q text) RETURNS TABLE (row_groups bigint, skipped bigint) LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || q INTO plan;
  row_groups := jsonb_path_query_first(plan, '$.**."Row Groups"')::bigint;
  skipped := jsonb_path_query_first(plan, '$.**."Row Groups Skipped"')::bigint;
  RETURN NEXT;
END $$;
SELECT row_groups > 0 AS some, row_groups = skipped AS all_skipped FROM skipped('SELECT count(*), min(ts), max(i4) FROM stat_ts');
SELECT row_groups > 0 AS some, skipped FROM skipped('SELECT count(*), max(host) FROM stat_ts');
SELECT row_groups > 0 AS some, skipped FROM skipped('SELECT count(*) FROM stat_ts WHERE substr(host, 1) <> ''''');

-- rows of later commands do not count
BEGIN;
SET LOCAL nodedb_ts.memory_budget = '64kB';
CREATE TABLE own (n int) USING nodedb_ts;
INSERT INTO own SELECT generate_series(1, 3000);
DECLARE before CURSOR FOR SELECT count(*), min(n), max(n), sum(n) FROM own;
INSERT INTO own SELECT generate_series(-9000, 0);
FETCH before;
SELECT count(*), min(n), max(n), sum(n) FROM own;
COMMIT;
DROP FUNCTION differences, skipped;
DROP TABLE stat_heap, stat_ts, own;
