-- Copies of each series' newest row: queries that read them give what heap gives, whatever else is in the table.
SET timezone = 'UTC';
CREATE TABLE last_heap (ts timestamptz, region text, host text, gone int, n int, f float8, note text);
CREATE TABLE last_ts (LIKE last_heap) USING nodedb_ts WITH (nodedb_ts.series_columns = 'region, host');
-- distinct times within a host; hosts end at different times, and one region has hosts of its own names too
INSERT INTO last_heap
  SELECT '2026-01-01'::timestamptz + i * interval '11 seconds', 'region-' || i % 12 / 4, 'host-' || lpad((i % 12)::text, 2, '0'), i,
         (i::bigint * 48271 % 1000003)::int, sin(i) * 1000, 'note ' || i % 5
    FROM generate_series(1, 30000) i WHERE i % 12 < 9 OR i < 20000;
INSERT INTO last_heap
  SELECT '2026-01-01'::timestamptz + i * interval '13 seconds', 'region-9', 'host-0' || i % 3, i, i % 100, i * 0.25, NULL
    FROM generate_series(1, 9000) i;
DELETE FROM last_heap WHERE ctid IN (SELECT ctid FROM (SELECT ctid, row_number() OVER (PARTITION BY ts, host) r FROM last_heap) x WHERE r > 1);
INSERT INTO last_ts SELECT * FROM last_heap WHERE ts < '2026-01-03';
SELECT ts_flush('last_ts') >= 0 AS flushed;
SELECT count(*) >= 0 AS compacted FROM ts_compact('last_ts', before => 'infinity');
INSERT INTO last_ts SELECT * FROM last_heap WHERE ts >= '2026-01-03';
SELECT ts_flush('last_ts') >= 0 AS flushed;
SELECT level, sum(rows) > 1000 AS rows FROM ts_segments('last_ts') GROUP BY level ORDER BY level;
SELECT count(*) = (SELECT count(*) FROM last_heap) AS same_rows FROM last_ts;
ANALYZE last_heap;
ANALYZE last_ts;

-- How many series a query took from last rows.
CREATE FUNCTION by_last_row(query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE line text; found int := 0;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    found := found + coalesce(substring(line FROM 'Series by Last Row: (\d+)')::int, 0);
  END LOOP;
  RETURN found;
END $$;
-- Runs queries on both tables, with switches on and off; {} is the table. used: with last rows.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/differences.sql'
\set ECHO none
\i :include
\set ECHO all
CREATE FUNCTION differences(queries text[]) RETURNS TABLE (compared int, different int, used int) LANGUAGE sql AS $$
  SELECT * FROM compare_queries(queries, 'last_heap', 'last_ts',
    '{"nodedb_ts.enable_best_rows = on, nodedb_ts.enable_statistics_aggregate = on","nodedb_ts.enable_best_rows = off, nodedb_ts.enable_statistics_aggregate = off"}',
    '%Series by Last Row: %', true, 'EXPLAIN (ANALYZE)')
$$;
CREATE FUNCTION all_queries() RETURNS text[] LANGUAGE sql AS $$
  SELECT ARRAY(
    SELECT format('SELECT DISTINCT ON (%s) %1$s, ts, n, f, note FROM {} %2$s ORDER BY %1$s, ts DESC %3$s', key, w, nulls)
      FROM unnest('{host,region}'::text[]) key, unnest('{"",NULLS LAST}'::text[]) nulls,
           unnest(ARRAY['', 'WHERE region = ''region-1''', 'WHERE host IN (''host-01'', ''host-11'', ''none'')', 'WHERE n % 3 = 1',
                        'WHERE ts >= ''2026-01-03 12:00''', 'WHERE ts <= ''2026-01-02 12:00''', 'WHERE ts < ''2026-01-04'' AND n > 500000',
                        'WHERE host > ''host-05'' AND ts > ''2026-01-02''', 'WHERE n < 0', 'WHERE note IS NULL',
                        'WHERE region = ''region-0'' OR host = ''host-02''', 'WHERE region = ''region-0'' OR n > 900000',
                        'WHERE length(host) = 7 AND f > 0', 'WHERE ts IS NULL', 'WHERE ts IS NOT NULL']) w) ||
  ARRAY(
    SELECT format('SELECT %smax(ts), last(n, ts), last(note, ts) AS note, last(f, ts) AS f FROM {} %s %s',
                  CASE WHEN keys = '' THEN '' ELSE keys || ', ' END, w, CASE WHEN keys = '' THEN '' ELSE 'GROUP BY ' || keys END)
      FROM unnest('{"",host,region,"region, host"}'::text[]) keys,
           unnest(ARRAY['', 'WHERE host = ''host-03''', 'WHERE n % 3 = 1', 'WHERE ts > ''2026-01-03 12:00''', 'WHERE n > 700000',
                        'WHERE ts BETWEEN ''2026-01-02'' AND ''2026-01-02 23:00''', 'WHERE region <> ''region-9'' AND note <> ''note 1''']) w
     -- over hosts rows may have the same time
     WHERE keys IN ('host', 'region, host')) ||
  ARRAY['SELECT max(ts) FROM {}', 'SELECT region, max(ts), min(ts) FROM {} GROUP BY region',
        'SELECT region, max(ts), count(*) FROM {} GROUP BY region', 'SELECT host, max(ts) FILTER (WHERE n > 10) FROM {} GROUP BY host',
        'SELECT host, max(ts), max(n) FROM {} GROUP BY host', 'SELECT note, max(ts) FROM {} GROUP BY note',
        'SELECT host, last(n + 1, ts) FROM {} GROUP BY host', 'SELECT host, last(n, f) FROM {} GROUP BY host',
        'SELECT ts FROM {} ORDER BY ts DESC LIMIT 1', 'SELECT ts, n FROM {} WHERE host = ''host-07'' ORDER BY ts DESC LIMIT 1',
        'SELECT ts, n FROM {} WHERE host = ''host-07'' AND n % 7 = 1 ORDER BY ts DESC LIMIT 1',
        'SELECT ts, n FROM {} WHERE host = ''host-07'' ORDER BY ts DESC LIMIT 3',
        'SELECT h, x.* FROM unnest(ARRAY[''host-01'',''host-11'',''none'',NULL]) h LEFT JOIN LATERAL (SELECT ts, n, note FROM {} m WHERE m.host = h ORDER BY ts DESC LIMIT 1) x ON true',
        'SELECT h, t, x.* FROM unnest(ARRAY[''host-01'',''host-10'']) h, unnest(''{2026-01-02 03:00,2026-01-04 03:00}''::timestamptz[]) t, LATERAL (SELECT ts, n FROM {} m WHERE m.host = h AND ts < t ORDER BY ts DESC LIMIT 1) x']
$$;
SELECT * FROM differences(all_queries());
SELECT by_last_row('SELECT DISTINCT ON (host) * FROM last_ts ORDER BY host, ts DESC') AS all_series,
       by_last_row('SELECT DISTINCT ON (note) * FROM last_ts ORDER BY note, ts DESC') AS no_series_column,
       by_last_row('SELECT DISTINCT ON (host) * FROM last_ts ORDER BY host, ts') AS oldest;
-- nothing but last rows is decoded
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    RETURN NEXT regexp_replace(line, 'Memory Usage: [1-9]\d*', 'Memory Usage: N');
  END LOOP;
END $$;
SELECT plan_of($$SELECT DISTINCT ON (host) host, ts, n FROM last_ts WHERE region > 'region-0' AND ts > '2026-01-02' ORDER BY host, ts DESC$$);

-- newer rows in L0, a series that segments do not have, rows without time or series, equal times
INSERT INTO last_heap VALUES ('2026-02-01', 'region-0', 'host-00', 1, 1, 1, 'new'), ('2026-02-01', 'region-0', 'host-new', 1, 1, 1, 'new'),
  (NULL, 'region-1', 'host-04', 1, 2, 3, 'no time'), ('2026-02-02', NULL, NULL, 1, 2, 3, 'no series'), (NULL, 'region-5', 'host-never', 1, 2, 3, 'no time');
INSERT INTO last_ts SELECT * FROM last_heap WHERE ts >= '2026-02-01' OR ts IS NULL;
SELECT * FROM differences(all_queries());
SELECT ts_flush('last_ts') >= 0 AS flushed;
SELECT * FROM differences(all_queries());
SELECT count(*) >= 0 AS compacted FROM ts_compact('last_ts', before => 'infinity');
SELECT * FROM differences(all_queries());
-- DESC has NULLs first: the row without time is the one
SELECT DISTINCT ON (host) host, ts, note FROM last_ts WHERE host = 'host-04' ORDER BY host, ts DESC;

-- columns that came and went
ALTER TABLE last_heap DROP COLUMN gone;
ALTER TABLE last_ts DROP COLUMN gone;
ALTER TABLE last_heap ADD COLUMN added text DEFAULT 'default', ADD COLUMN nothing int;
ALTER TABLE last_ts ADD COLUMN added text DEFAULT 'default', ADD COLUMN nothing int;
SELECT * FROM differences(all_queries() || ARRAY['SELECT DISTINCT ON (host) host, ts, added, nothing FROM {} WHERE ts IS NOT NULL ORDER BY host, ts DESC NULLS LAST',
  'SELECT host, last(added, ts) FROM {} GROUP BY host']);
-- another time column: segments go on with theirs
ALTER TABLE last_heap ADD COLUMN other timestamptz;
ALTER TABLE last_ts ADD COLUMN other timestamptz;
ALTER TABLE last_ts SET (nodedb_ts.time_column = 'other');
SELECT * FROM differences(all_queries() || ARRAY['SELECT DISTINCT ON (host) host, other FROM {} ORDER BY host, other DESC']);

-- rows of the transaction itself: a cursor does not see what came after it
BEGIN;
CREATE TABLE last_own (ts timestamptz NOT NULL, host text, n int) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host');
INSERT INTO last_own SELECT '2026-01-01'::timestamptz + i * interval '1 second', 'h' || i % 4, i FROM generate_series(1, 9000) i;
DECLARE before_more CURSOR FOR SELECT DISTINCT ON (host) * FROM last_own ORDER BY host, ts DESC;
DECLARE before_max CURSOR FOR SELECT host, last(n, ts), max(ts) FROM last_own GROUP BY host;
INSERT INTO last_own SELECT '2026-01-01'::timestamptz + i * interval '1 second', 'h' || i % 4, i FROM generate_series(9001, 20000) i;
SELECT DISTINCT ON (host) * FROM last_own ORDER BY host, ts DESC;
FETCH ALL FROM before_more;
FETCH ALL FROM before_max;
COMMIT;
SELECT DISTINCT ON (host) * FROM last_own ORDER BY host, ts DESC;

-- few rows a series: no copies
CREATE TABLE last_few (ts timestamptz NOT NULL, host text, n int) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host');
INSERT INTO last_few SELECT '2026-01-01'::timestamptz + i * interval '1 second', 'h' || i / 5, i FROM generate_series(1, 20000) i;
SELECT ts_flush('last_few') >= 0 AS flushed;
SELECT by_last_row('SELECT DISTINCT ON (host) * FROM last_few ORDER BY host, ts DESC');

SELECT t, v.* FROM unnest('{last_ts,last_own,last_few}'::regclass[]) t, ts_verify(t) v;
DROP TABLE last_heap, last_ts, last_own, last_few;
DROP FUNCTION by_last_row, plan_of, differences, compare_queries, all_queries;
