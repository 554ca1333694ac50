-- Groups of aggregates from stored statistics: vectors that have one key. Compared with heap and with the switch off.
SET timezone = 'UTC';
CREATE SCHEMA of_groups;
SET search_path = of_groups, public;
CREATE TABLE g_heap (ts timestamptz, host text, id uuid, k int, s smallint, n int, f float8, b bool);
INSERT INTO g_heap
  SELECT '2026-01-01'::timestamptz + (i / 7) * interval '10 seconds', nullif('h' || i % 7, 'h5'),
         ('00000000-0000-0000-0000-00000000000' || i % 7)::uuid, nullif(i % 7 - 3, 2), nullif(i % 7, 3),
         CASE WHEN i % 3 > 0 THEN i * 7919 % 10007 - 5000 END, CASE WHEN i < 3000 THEN 'NaN' ELSE sin(i) END, i % 7 > 3
    FROM generate_series(0, 13999) i;
CREATE TABLE by_host (LIKE g_heap) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host');
CREATE TABLE by_id (LIKE g_heap) USING nodedb_ts WITH (nodedb_ts.series_columns = 'id');
CREATE TABLE by_k (LIKE g_heap) USING nodedb_ts WITH (nodedb_ts.series_columns = 'k,host');
-- level 2 cuts vectors at series; level 1 does not; L0
CREATE PROCEDURE load(name text) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('INSERT INTO %I SELECT * FROM g_heap WHERE ts < ''2026-01-01 02:00''', name);
  COMMIT;
  PERFORM ts_flush(name::regclass);
  EXECUTE format('INSERT INTO %I SELECT * FROM g_heap WHERE ts >= ''2026-01-01 02:00'' AND ts < ''2026-01-01 04:00''', name);
  COMMIT;
  PERFORM ts_flush(name::regclass);
  COMMIT;
  PERFORM ts_compact(name::regclass, before => 'infinity');
  EXECUTE format('INSERT INTO %I SELECT * FROM g_heap WHERE ts >= ''2026-01-01 04:00'' AND ts < ''2026-01-01 05:20''', name);
  COMMIT;
  PERFORM ts_flush(name::regclass);
  EXECUTE format('INSERT INTO %I SELECT * FROM g_heap WHERE ts >= ''2026-01-01 05:20''', name);
  EXECUTE format('ALTER TABLE %I ADD COLUMN late int DEFAULT 42', name);
  EXECUTE format('ANALYZE %I', name);
END $$;
CALL load('by_host');
CALL load('by_id');
CALL load('by_k');
SELECT level, sum(rows) FROM ts_segments('by_host') GROUP BY level ORDER BY level;
ALTER TABLE g_heap ADD COLUMN late int DEFAULT 42;

CREATE FUNCTION differences() RETURNS TABLE (compared int, different int) LANGUAGE plpgsql AS $$
DECLARE q text; t text; from_heap text; fast text; plain text;
BEGIN
  compared := 0; different := 0;
  FOR q IN
    SELECT format('SELECT string_agg(x::text, E''\n'' ORDER BY x::text) FROM (SELECT %s, %s FROM {} %s GROUP BY %s %s) x', k, a, w, k, h)
      FROM unnest('{host,id,k,s,b,"host, k","id, s, late"}'::text[]) k,
           unnest(ARRAY['max(ts), min(ts), count(*)', 'sum(n), avg(n), count(n), min(n), max(k)', 'min(f), max(f), count(late)',
                        'sum(late), max(ts) FILTER (WHERE b)']) a,
           unnest(ARRAY['', 'WHERE ts < ''2026-01-01 03:00''', 'WHERE ts >= ''2026-01-01 02:34:56''', 'WHERE host IN (''h1'', ''h6'')',
                        'WHERE k >= 0', 'WHERE n IS NOT NULL', 'WHERE length(host) = 2']) w,
           unnest(ARRAY['', 'HAVING count(*) > 1000']) h
     WHERE h = '' OR a LIKE 'max(ts),%'
  LOOP
    EXECUTE replace(q, '{}', 'g_heap') INTO from_heap;
    FOREACH t IN ARRAY ARRAY['by_host', 'by_id', 'by_k'] LOOP
      SET LOCAL nodedb_ts.enable_statistics_aggregate = on;
      EXECUTE replace(q, '{}', t) INTO fast;
      SET LOCAL nodedb_ts.enable_statistics_aggregate = off;
      EXECUTE replace(q, '{}', t) INTO plain;
      compared := compared + 1;
      IF from_heap IS DISTINCT FROM fast OR from_heap IS DISTINCT FROM plain THEN
        different := different + 1;
        RAISE NOTICE 'different in %: %', t, q;
      END IF;
    END LOOP;
  END LOOP;
  RETURN NEXT;
END $$;
SELECT * FROM differences();

-- vectors that are not read
CREATE FUNCTION skipped(q text) RETURNS TABLE (vectors bigint, skipped bigint) LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || q INTO plan;
  vectors := jsonb_path_query_first(plan, '$.**."Vectors"')::bigint;
  skipped := jsonb_path_query_first(plan, '$.**."Vectors Skipped"')::bigint;
  RETURN NEXT;
END $$;
SELECT * FROM skipped('SELECT host, min(ts), max(ts) FROM by_host GROUP BY host');
SELECT * FROM skipped('SELECT id, max(ts), sum(n) FROM by_id GROUP BY id');
SELECT * FROM skipped('SELECT k, max(ts), count(*) FROM by_k GROUP BY k');
SELECT * FROM skipped('SELECT host, max(ts) FROM by_host WHERE ts < ''2026-01-01 03:00'' GROUP BY host');
SELECT * FROM skipped('SELECT host, max(ts) FROM by_host WHERE substr(host, 1) <> '''' GROUP BY host');
SELECT * FROM skipped('SELECT host, max(ts), max(host) FROM by_host GROUP BY host');
-- newest rows: segments keep copies of them
SELECT vectors - skipped AS read FROM skipped('SELECT DISTINCT ON (host) * FROM by_host WHERE host IS NOT NULL ORDER BY host, ts DESC');

-- a sort above: groups are put in its order, by all of its keys that are theirs
CREATE FUNCTION differences_of_order() RETURNS TABLE (compared int, different int) LANGUAGE plpgsql AS $$
DECLARE k text; o text; q text; a text; b text;
BEGIN
  compared := 0; different := 0;
  FOREACH k IN ARRAY ARRAY['host', 'id', 'k', 's', 'n', 'f', 'b', 'ts', 'host COLLATE "POSIX"', 'n::numeric / 10', 'date_trunc(''hour'', ts)'] LOOP
    FOREACH o IN ARRAY '{"1, 2","2 DESC, 1","1 DESC NULLS LAST, 2 DESC","2 NULLS FIRST, 3, 1","2, count(*), 1 DESC"}'::text[] LOOP
      q := format('SELECT array_agg(x) FROM (SELECT %s, host, count(*), sum(n) FROM {} GROUP BY 1, 2 ORDER BY %s) x', k, o);
      EXECUTE replace(q, '{}', 'g_heap') INTO a;
      EXECUTE replace(q, '{}', 'by_host') INTO b;
      compared := compared + 1;
      IF a IS DISTINCT FROM b THEN
        different := different + 1;
        RAISE NOTICE 'different: %', q;
      END IF;
    END LOOP;
  END LOOP;
  RETURN NEXT;
END $$;
SELECT * FROM differences_of_order();

-- a rescan, with and without other parameters
SELECT x.host, x.m, x.c FROM generate_series(2, 4) h, LATERAL (SELECT host, max(ts) AS m, count(*) AS c FROM by_host
  WHERE ts < '2026-01-01'::timestamptz + h * interval '1 hour' AND host >= 'h6' GROUP BY host OFFSET 0) x ORDER BY 1, 2;

SELECT * FROM ts_verify('by_host') UNION ALL SELECT * FROM ts_verify('by_id') UNION ALL SELECT * FROM ts_verify('by_k');
SET client_min_messages = warning;
DROP SCHEMA of_groups CASCADE;
