-- Scans in the order of series columns and time, compared with heap and with the switch off.
SET timezone = 'UTC';
CREATE TABLE order_heap (ts timestamptz, host text, dc varchar(10), rack int, n int, f float8, note text);
CREATE TABLE order_ts (LIKE order_heap) USING nodedb_ts WITH (nodedb_ts.series_columns = 'dc,host');
-- host decides dc, but for two of them; times overlap between segments, and tie within some series
INSERT INTO order_heap
  SELECT '2026-01-01'::timestamptz + (i / 40) * interval '2 min', 'host-' || i % 40, CASE WHEN i % 40 < 2 THEN 'dc' || i / 40 % 3 ELSE 'dc' || i % 5 END,
         i % 7, (i::bigint * 48271 % 1000003)::int, sin(i), CASE WHEN i % 11 = 0 THEN NULL ELSE 'note ' || i % 100 END
    FROM generate_series(1, 12000) i;
INSERT INTO order_heap SELECT ts + interval '1 day', host, dc, rack, n, f, note FROM order_heap WHERE n % 40 = 3;
INSERT INTO order_heap SELECT ts, CASE WHEN n % 2 = 0 THEN host END, CASE WHEN n % 3 > 0 THEN dc END, rack, -n, f, note FROM order_heap WHERE n % 20 = 5;
INSERT INTO order_ts SELECT * FROM order_heap WHERE ts < '2026-01-01 05:00';
SELECT ts_flush('order_ts') >= 0 AS flushed;
SELECT count(*) >= 0 AS compacted FROM ts_compact('order_ts', before => 'infinity');
INSERT INTO order_ts SELECT * FROM order_heap WHERE ts >= '2026-01-01 05:00' AND n % 2 = 0;
SELECT ts_flush('order_ts') >= 0 AS flushed;
INSERT INTO order_ts SELECT * FROM order_heap WHERE ts >= '2026-01-01 05:00' AND n % 2 <> 0 AND n % 10 <> 1;
SELECT ts_flush('order_ts') >= 0 AS flushed;
INSERT INTO order_ts SELECT * FROM order_heap WHERE ts >= '2026-01-01 05:00' AND n % 10 = 1;
SELECT count(*) = (SELECT count(*) FROM order_heap) AS same_rows FROM order_ts;
SELECT level, count(*) > 0 AS there FROM ts_segments('order_ts') GROUP BY level ORDER BY level;
ANALYZE order_heap;
ANALYZE order_ts;

EXPLAIN (COSTS OFF) SELECT * FROM order_ts ORDER BY dc, host, ts LIMIT 10;
EXPLAIN (COSTS OFF) SELECT host, dc, ts, f - lag(f) OVER (PARTITION BY host, dc ORDER BY ts) FROM order_ts;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT * FROM order_ts WHERE n > 100 AND n % 7 <> 1 ORDER BY host DESC, dc NULLS FIRST, ts DESC;
EXPLAIN (COSTS OFF) SELECT ts, f - lag(f) OVER (PARTITION BY host, dc ORDER BY ts) FROM order_ts WHERE host = 'host-3' AND dc = 'dc3';
RESET enable_sort;
EXPLAIN (COSTS OFF) SELECT DISTINCT ON (host, dc) host, dc, ts, n FROM order_ts ORDER BY host, dc, ts DESC NULLS LAST;
EXPLAIN (COSTS OFF) SELECT * FROM order_ts ORDER BY host, dc, ts, n;
-- a host has few series
EXPLAIN (COSTS OFF) SELECT * FROM order_ts ORDER BY host, ts;
EXPLAIN (COSTS OFF) SELECT * FROM order_ts WHERE dc = 'dc1' ORDER BY host, ts;
-- not with what may give another answer each time
EXPLAIN (COSTS OFF) SELECT * FROM order_ts WHERE random() < 2 ORDER BY host, ts;
-- other columns, expressions, and the ctid do not come in order
EXPLAIN (COSTS OFF) SELECT * FROM order_ts ORDER BY rack, ts;
EXPLAIN (COSTS OFF) SELECT * FROM order_ts ORDER BY lower(host), ts;
EXPLAIN (COSTS OFF) SELECT ctid, * FROM order_ts ORDER BY dc, host, ts;
SET nodedb_ts.enable_ordered_scan = off;
EXPLAIN (COSTS OFF) SELECT * FROM order_ts ORDER BY dc, host, ts LIMIT 10;
RESET nodedb_ts.enable_ordered_scan;

-- what is read for a few rows; counts of series and vectors depend on how segments are cut
CREATE FUNCTION read_for(query text, what text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE line text; found int := -1;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    IF line ~ (what || ': \d+( kB)?$') THEN found := substring(line from '(\d+)(?: kB)?$'); END IF;
  END LOOP;
  RETURN found;
END $$;
SELECT read_for('SELECT * FROM order_ts WHERE ts < ''2026-01-01 05:00'' ORDER BY dc, host, ts LIMIT 10', 'Series Read') BETWEEN 1 AND 4 AS few_series,
       read_for('SELECT * FROM order_ts WHERE ts < ''2026-01-01 05:00'' ORDER BY dc, host, ts LIMIT 10', 'Vectors') BETWEEN 1 AND 4 AS few_vectors,
       read_for('SELECT * FROM order_ts WHERE ts < ''2026-01-01 05:00'' ORDER BY dc, host, ts', 'Vectors') > 4 AS all_vectors,
       read_for('SELECT * FROM order_ts WHERE host = ''host-3'' ORDER BY dc, host, ts', 'Series') BETWEEN 1 AND 20 AS one_host,
       read_for('SELECT * FROM order_ts WHERE host = ''host-3'' ORDER BY dc, host, ts', 'Segments Sorted') AS sorted;

-- Runs a query on both tables, with the switch on and off and with no other way; counts different results. {} is the table.
\getenv abs_srcdir PG_ABS_SRCDIR
\set include :abs_srcdir '/sql/include/differences.sql'
\set ECHO none
\i :include
\set ECHO all
CREATE FUNCTION differences(queries text[]) RETURNS TABLE (compared int, different int, used int) LANGUAGE sql AS $$
  SELECT * FROM compare_queries(queries, 'order_heap', 'order_ts',
    ARRAY['nodedb_ts.enable_ordered_scan = on, nodedb_ts.enable_best_rows = off, enable_sort = off, enable_hashjoin = off, enable_hashagg = off',
          'nodedb_ts.enable_best_rows = on, enable_sort = on, enable_hashjoin = on, enable_hashagg = on', 'nodedb_ts.enable_ordered_scan = off'], '% Order: %', false)
$$;

-- orders, conditions, limits; what ties is shown without what might differ
SELECT * FROM differences(ARRAY(
  SELECT format('SELECT %s FROM {} %s ORDER BY %s %s', CASE WHEN o LIKE '%n' THEN '*' ELSE 'dc, host, ts' END, w, o, l)
    FROM unnest(ARRAY['dc, host, ts', 'dc, host, ts, n', 'dc DESC, host DESC, ts DESC, n', 'host, dc, ts', 'host NULLS FIRST, dc DESC, ts NULLS FIRST',
                      'host DESC NULLS LAST, dc, ts DESC NULLS LAST, n', 'host COLLATE "C", dc, ts, n']) o,
         unnest('{"",LIMIT 7,LIMIT 20 OFFSET 2000}'::text[]) l,
         unnest(ARRAY['', 'WHERE host = ''host-3''', 'WHERE n % 3 = 1', 'WHERE ts >= ''2026-01-01 06:00''', 'WHERE host IS NULL OR dc IS NULL',
                      'WHERE note LIKE ''%7'' AND f > 0', 'WHERE n < -3000000']) w));
-- fewer columns than there are series columns: series tie
SELECT * FROM differences(ARRAY(
  SELECT format('SELECT %1$s, count(*), sum(n) FROM {} %2$s GROUP BY %1$s ORDER BY %1$s %3$s', k, w, o)
    FROM unnest('{host,dc}'::text[]) k, unnest('{ASC,DESC,NULLS FIRST}'::text[]) o, unnest(ARRAY['', 'WHERE n % 3 = 1']) w)
  || ARRAY(
  SELECT format('SELECT host, dc, ts, n FROM {} WHERE %s ORDER BY ts %s, n LIMIT %s', w, o, l)
    FROM unnest('{ASC,DESC,ASC NULLS FIRST,DESC NULLS LAST}'::text[]) o, unnest('{1,100}'::int[]) l,
         unnest(ARRAY['host = ''host-1'' AND dc = ''dc1''', 'host = ''host-0'' AND dc = ''dc0'' AND n % 2 = 0', 'host = ''none'' AND dc = ''dc1''']) w)
  || ARRAY(SELECT format('SELECT ts, host, n FROM {} WHERE dc = ''dc%1$s'' ORDER BY host %2$s, ts %2$s, n', d, o)
             FROM unnest('{0,2}'::int[]) d, unnest('{ASC,DESC}'::text[]) o));
-- windows, joins, DISTINCT
SELECT * FROM differences(ARRAY[
  'SELECT host, dc, ts, n, n - lag(n) OVER w, row_number() OVER w FROM {} WHERE n > 0 AND host IS NOT NULL WINDOW w AS (PARTITION BY host, dc ORDER BY ts, n) ORDER BY host, dc, ts, n',
  'SELECT ts, f, avg(f) OVER (PARTITION BY dc, host ORDER BY ts, n ROWS 5 PRECEDING)::numeric(20,10) FROM {} WHERE dc = ''dc1'' AND host = ''host-1'' ORDER BY ts, n',
  'SELECT DISTINCT ON (dc, host) dc, host, ts, n FROM {} ORDER BY dc, host, ts, n',
  'SELECT DISTINCT ON (dc, host) dc, host, ts, n FROM {} ORDER BY dc, host, ts DESC NULLS LAST, n DESC',
  'SELECT DISTINCT dc, host FROM {} ORDER BY dc DESC, host',
  'SELECT a.dc, a.host, a.ts, a.n, b.n AS m FROM {} a JOIN {} b USING (dc, host, ts) WHERE a.n % 5 = 0 ORDER BY dc, host, ts, a.n, b.n',
  'SELECT a.dc, a.host, a.ts, a.n, b.n AS m FROM {} a LEFT JOIN {} b ON a.dc = b.dc AND a.host = b.host AND a.ts = b.ts AND b.rack = 3 ORDER BY a.dc, a.host, a.ts, a.n, b.n',
  'SELECT count(*), sum(a.n) FROM {} a FULL JOIN (SELECT * FROM {} WHERE rack = 2) b ON a.dc = b.dc AND a.host = b.host AND a.ts = b.ts AND a.n = b.n',
  'SELECT x.host, y.ts, y.n FROM (VALUES (''host-1''), (''host-5''), (NULL), (''host-7'')) x(host), LATERAL (SELECT * FROM {} t WHERE t.host = x.host ORDER BY dc, t.host, ts, n LIMIT 9) y',
  'SELECT x.d, y.* FROM generate_series(0, 6) x(d), LATERAL (SELECT host, ts, n FROM {} t WHERE t.dc = ''dc'' || x.d AND t.host = ''host-'' || x.d ORDER BY ts DESC NULLS LAST, n LIMIT 4) y',
  'SELECT * FROM (SELECT dc, host, ts, n FROM {} ORDER BY dc, host, ts, n LIMIT 50) x UNION ALL SELECT * FROM (SELECT dc, host, ts, n FROM {} ORDER BY host, dc, ts, n LIMIT 50) y',
  'SELECT dc, host, ts, n FROM {} WHERE (dc, host) IN (SELECT dc, host FROM {} WHERE rack = 1 ORDER BY dc, host, ts, n LIMIT 3) ORDER BY dc, host, ts, n']);
SET enable_hashjoin = off;
SET enable_nestloop = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM order_ts a JOIN order_ts b USING (dc, host, ts);
RESET enable_hashjoin;
RESET enable_nestloop;

-- kinds of series columns, and orders other than that of bytes
CREATE TYPE order_mood AS ENUM ('sad', 'ok', 'happy');
CREATE COLLATION order_blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE kind_results (id int GENERATED ALWAYS AS IDENTITY, kind text, different int, used int) USING heap;
-- rows are flushed when their transaction has ended
CREATE PROCEDURE compare_kind(kind text, value text) LANGUAGE plpgsql AS $$
DECLARE o text; l text; q text; a text; b text; line text; uses int := 0; differ int := 0;
BEGIN
  EXECUTE format('CREATE TABLE kind_heap (k %s, t timestamp NOT NULL, n int) USING heap', kind);
  EXECUTE 'CREATE TABLE kind_ts (LIKE kind_heap) USING nodedb_ts WITH (nodedb_ts.series_columns = ''k'', nodedb_ts.time_column = ''t'')';
  EXECUTE format('INSERT INTO kind_heap SELECT %s, ''2026-01-01''::timestamp + i * interval ''1 s'', i FROM generate_series(1, 3000) i', value);
  INSERT INTO kind_heap SELECT NULL, '2026-01-01'::timestamp + i * interval '7 s' + interval '0.5 s', -i FROM generate_series(1, 60) i;
  INSERT INTO kind_ts SELECT * FROM kind_heap WHERE n % 3 = 0;
  COMMIT;
  PERFORM ts_flush('kind_ts');
  PERFORM count(*) FROM ts_compact('kind_ts', before => 'infinity'::text);
  INSERT INTO kind_ts SELECT * FROM kind_heap WHERE n % 3 <> 0 AND n % 20 <> 1;
  COMMIT;
  PERFORM ts_flush('kind_ts');
  INSERT INTO kind_ts SELECT * FROM kind_heap WHERE n % 3 <> 0 AND n % 20 = 1;
  COMMIT;
  ANALYZE kind_ts;
  SET LOCAL nodedb_ts.enable_best_rows = off;
  FOREACH o IN ARRAY '{"k, t","k DESC, t DESC","k NULLS FIRST, t DESC","k DESC NULLS LAST, t",k}'::text[] LOOP
    FOREACH l IN ARRAY '{"","LIMIT 40 OFFSET 1000"}'::text[] LOOP
      q := format('SELECT string_agg(x::text, E''\n'') FROM (SELECT %s FROM %%s ORDER BY %s %s) x', CASE WHEN o = 'k' THEN 'k IS NULL' ELSE 't, n' END, o, l);
      SET LOCAL enable_sort = on;
      EXECUTE format(q, 'kind_heap') INTO a;
      SET LOCAL enable_sort = off;
      EXECUTE format(q, 'kind_ts') INTO b;
      FOR line IN EXECUTE 'EXPLAIN ' || format(q, 'kind_ts') LOOP
        uses := uses + (line LIKE '% Order: %')::int;
      END LOOP;
      differ := differ + (a IS DISTINCT FROM b)::int;
    END LOOP;
  END LOOP;
  DROP TABLE kind_heap, kind_ts;
  INSERT INTO kind_results (kind, different, used) VALUES (kind, differ, uses);
END $$;
SELECT format('CALL compare_kind(%L, %L)', type, value) FROM (VALUES
  ('text COLLATE "C"', '''Key '' || chr(60 + i % 40)'),
  ('text COLLATE "en-x-icu"', 'CASE WHEN i % 2 = 0 THEN ''key '' ELSE ''KEY-'' END || chr(65 + i % 7) || i % 9'),
  ('text COLLATE order_blind', 'CASE WHEN i % 2 = 0 THEN ''key '' ELSE ''KEY '' END || i % 7'),
  ('varchar(12)', '''v'' || i % 12'), ('char(6)', '''c'' || repeat(''x'', i % 4)'), ('bytea', 'decode(md5((i % 30)::text), ''hex'')'),
  ('int2', 'i % 40 - 20'), ('int4', '(i % 40 - 20) * 100000000'), ('int8', '(i % 40 - 20) * 400000000000000000'), ('oid', '4294967290 + i % 5'),
  ('numeric', 'CASE i % 5 WHEN 0 THEN 1.0 WHEN 1 THEN 1.00 WHEN 2 THEN ''NaN'' WHEN 3 THEN -12.5 ELSE 100 END'),
  ('float8', '(''{-0,0,NaN,-Infinity,Infinity,-2.5,100}''::float8[])[1 + i % 7]'), ('float4', '(''{-0,0,NaN,-Infinity,Infinity,-2.5,100}''::float4[])[1 + i % 7]'),
  ('bool', 'i % 3 = 0'), ('date', '''2025-12-20''::date + i % 30'), ('uuid', 'md5((i % 50)::text)::uuid'), ('inet', '(''10.0.'' || i % 3 || ''.'' || i % 17)::inet'),
  ('interval', '(i % 20) * interval ''13 days'' + (i % 2) * interval ''1 month'''), ('order_mood', '(''{sad,ok,happy}''::order_mood[])[1 + i % 3]')) v(type, value) \gexec
SELECT kind, different, used FROM kind_results ORDER BY id;
DROP TABLE kind_results;
DROP PROCEDURE compare_kind;

-- of what is sorted no more is kept than a LIMIT asks for
SET enable_sort = off;
SELECT read_for('SELECT * FROM order_ts ORDER BY dc, host, ts LIMIT 10', 'Sort Space Used') < read_for('SELECT * FROM order_ts ORDER BY dc, host, ts', 'Sort Space Used') / 2 AS bounded;
-- little memory: some segments, or all, are sorted; chunks are read again for each vector
SET hash_mem_multiplier = 1;
SET work_mem = '256kB';
SELECT * FROM differences(ARRAY['SELECT dc, host, ts, n FROM {} ORDER BY dc, host, ts, n', 'SELECT * FROM {} ORDER BY host DESC, dc, ts DESC, n', 'SELECT note, ts FROM {} WHERE note IS NOT NULL ORDER BY host, dc, ts, n LIMIT 1000']);
SELECT read_for('SELECT * FROM order_ts ORDER BY host, dc, ts', 'Series Read') > 0 AS merged;
SET work_mem = '64kB';
SELECT * FROM differences(ARRAY['SELECT dc, host, ts, n FROM {} ORDER BY dc, host, ts, n', 'SELECT * FROM {} ORDER BY host DESC, dc, ts DESC, n']);
SELECT read_for('SELECT * FROM order_ts ORDER BY dc, host, ts', 'Segments Sorted') > 0 AS sorted;
RESET work_mem;
RESET hash_mem_multiplier;
RESET enable_sort;

-- what must be sorted before the first row, and vectors that are read for each of their series, have their price
CREATE FUNCTION is_ordered(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE line text; found boolean := false;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    found := found OR line ~ '^ +Order: ';
  END LOOP;
  RETURN found;
END $$;
CREATE TABLE priced_ts (ts timestamptz NOT NULL, host text, n int, f float8) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host');
CREATE TABLE priced_hosts (host text PRIMARY KEY, region text) USING heap;
INSERT INTO priced_hosts SELECT 'host-' || lpad(i::text, 4, '0'), 'r' || i % 5 FROM generate_series(0, 99) i;
SELECT format('INSERT INTO priced_ts SELECT ''2026-01-01''::timestamptz + (i / 100) * interval ''10 s'' + interval ''%s ms'', ''host-'' || lpad((i %% 100)::text, 4, ''0''), i, i FROM generate_series(0, 3999) i', s),
       'SELECT ts_flush(''priced_ts'') AS segments' FROM generate_series(1, 6) s \gexec
ANALYZE priced_ts;
ANALYZE priced_hosts;
SELECT m AS work_mem, is_ordered('SELECT * FROM priced_ts JOIN priced_hosts USING (host) ORDER BY host, ts LIMIT 10') AS ordered
  FROM unnest('{64MB,64kB}'::text[]) m, set_config('work_mem', m, false);
RESET work_mem;
-- many rows in L0
INSERT INTO priced_ts SELECT ts + interval '1 hour', host, n, f FROM priced_ts WHERE n < 700;
SELECT is_ordered('SELECT * FROM priced_ts JOIN priced_hosts USING (host) ORDER BY host, ts LIMIT 10') AS ordered;
DROP TABLE priced_ts, priced_hosts;
CREATE TABLE priced_ts (ts timestamptz NOT NULL, dc text, host text, n int, a text, b text, c text) USING nodedb_ts WITH (nodedb_ts.series_columns = 'dc,host');
INSERT INTO priced_ts SELECT '2026-01-01'::timestamptz + (i / 400) * interval '10 s', 'dc' || i % 400 % 7, 'host-' || lpad((i % 400)::text, 4, '0'), i, md5(i::text), md5((-i)::text), md5((i * 7)::text)
  FROM generate_series(0, 31999) i;
SELECT ts_flush('priced_ts') >= 0 AS flushed;
ANALYZE priced_ts;
SET work_mem = '64MB';
SELECT q, is_ordered(q) AS ordered FROM unnest(ARRAY['SELECT * FROM priced_ts ORDER BY dc, host, ts', 'SELECT * FROM priced_ts ORDER BY dc DESC, host DESC, ts', 'SELECT * FROM priced_ts ORDER BY host, ts',
  'SELECT * FROM priced_ts ORDER BY host, ts LIMIT 10', 'SELECT * FROM priced_ts ORDER BY dc, host DESC, ts', 'SELECT ts, n FROM priced_ts ORDER BY host, ts']) q;
RESET work_mem;
DROP TABLE priced_ts;
DROP FUNCTION is_ordered;

-- parameters and plans that are kept, while segments come and go
PREPARE of_host(text, text, int) AS SELECT ts, n FROM order_ts WHERE host = $1 AND dc = $2 ORDER BY ts, n LIMIT $3;
SET plan_cache_mode = force_generic_plan;
SET enable_sort = off;
SET nodedb_ts.enable_best_rows = off;
EXPLAIN (COSTS OFF) EXECUTE of_host('host-1', 'dc1', 3);
EXECUTE of_host('host-1', 'dc1', 3);
EXECUTE of_host('nobody', 'dc1', 3);
RESET enable_sort;
PREPARE first_rows AS SELECT dc, host, ts, n FROM order_ts ORDER BY dc, host, ts, n LIMIT 3;
EXECUTE first_rows;
-- other series columns, another time column, columns that older segments do not have
ALTER TABLE order_ts SET (nodedb_ts.series_columns = 'rack');
INSERT INTO order_ts SELECT '2025-12-31'::timestamptz + i * interval '1 s', 'host-1', 'dc' || i % 2, i % 7, 2000000 + i, 0, 'other' FROM generate_series(1, 200) i;
SELECT ts_flush('order_ts') >= 0 AS flushed;
EXECUTE first_rows;
INSERT INTO order_heap SELECT * FROM order_ts WHERE note = 'other';
ALTER TABLE order_ts ADD COLUMN zone text DEFAULT 'z5';
ALTER TABLE order_heap ADD COLUMN zone text DEFAULT 'z5';
ALTER TABLE order_ts SET (nodedb_ts.series_columns = 'zone');
INSERT INTO order_ts SELECT '2025-12-30'::timestamptz + i * interval '1 s', 'host-1', 'dc' || i % 2, i % 7, 3000000 + i, 0, 'new', 'z' || i % 9 FROM generate_series(1, 400) i;
SELECT ts_flush('order_ts') >= 0 AS flushed;
INSERT INTO order_ts SELECT '2025-12-30'::timestamptz + i * interval '1 s', 'host-1', 'dc' || i % 2, i % 7, 4000000 + i, 0, 'new', 'z' || i % 9 FROM generate_series(1, 400) i;
INSERT INTO order_heap SELECT * FROM order_ts WHERE note = 'new';
EXECUTE first_rows;
RESET plan_cache_mode;
RESET nodedb_ts.enable_best_rows;
SELECT * FROM differences(ARRAY['SELECT zone, ts, n FROM {} ORDER BY zone, ts, n', 'SELECT zone, ts, n FROM {} ORDER BY zone DESC, ts DESC, n LIMIT 300',
  'SELECT zone, ts, n, lag(n) OVER (PARTITION BY zone ORDER BY ts, n) FROM {} WHERE zone = ''z5'' ORDER BY ts, n']);
-- rows without a time
INSERT INTO order_ts SELECT NULL, 'host-1', 'dc1', 1, 5000000 + i, 0, 'untimed', 'z' || i % 3 FROM generate_series(1, 60) i;
INSERT INTO order_heap SELECT * FROM order_ts WHERE note = 'untimed';
SELECT d.* FROM (SELECT ARRAY(SELECT format('SELECT zone, ts, n FROM {} ORDER BY zone, ts %s, n', o)
  FROM unnest('{ASC,DESC,ASC NULLS FIRST,DESC NULLS LAST}'::text[]) o) q) x, differences(x.q) d;
SELECT ts_flush('order_ts') >= 0 AS flushed;
SELECT d.* FROM (SELECT ARRAY(SELECT format('SELECT zone, ts, n FROM {} ORDER BY zone, ts %s, n', o)
  FROM unnest('{ASC,DESC,ASC NULLS FIRST,DESC NULLS LAST}'::text[]) o) q) x, differences(x.q) d;

-- own rows, rows of later commands, savepoints, cursors
CREATE TABLE own_ts (ts timestamptz NOT NULL, host text, n int) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host');
INSERT INTO own_ts SELECT '2026-01-01'::timestamptz + i * interval '1 min', 'h' || i % 10, i FROM generate_series(1, 2000) i;
SELECT ts_flush('own_ts') >= 0 AS flushed;
ANALYZE own_ts;
BEGIN;
INSERT INTO own_ts VALUES ('2025-12-31', 'h3', -1);
SAVEPOINT s;
INSERT INTO own_ts VALUES ('2025-12-30', 'h0', -2);
SELECT host, ts, n FROM own_ts ORDER BY host, ts LIMIT 2;
ROLLBACK TO s;
DECLARE before NO SCROLL CURSOR FOR SELECT host, ts, n FROM own_ts ORDER BY host, ts;
FETCH 2 FROM before;
INSERT INTO own_ts SELECT '2025-12-01'::timestamptz + i * interval '1 min', 'h' || i % 10, -i FROM generate_series(100, 20000) i;
SELECT host, ts, n FROM own_ts ORDER BY host, ts LIMIT 2;
MOVE 600 IN before;
FETCH 2 FROM before;
MOVE ALL IN before;
DECLARE back SCROLL CURSOR FOR SELECT host, ts, n FROM own_ts WHERE n >= -1 ORDER BY host, ts;
FETCH 2 FROM back;
MOVE 600 IN back;
FETCH BACKWARD 1 FROM back;
MOVE BACKWARD ALL IN back;
FETCH 1 FROM back;
SELECT count(*), count(*) FILTER (WHERE (host, ts) < (h, t)) AS wrong
  FROM (SELECT host, ts, lag(host) OVER () AS h, lag(ts) OVER () AS t FROM (SELECT * FROM own_ts ORDER BY host, ts OFFSET 0) x) y;
ROLLBACK;
-- a table without series columns: the times alone
CREATE TABLE single_ts (ts timestamptz NOT NULL, n int) USING nodedb_ts WITH (nodedb_ts.series_columns = '');
INSERT INTO single_ts SELECT '2026-01-01'::timestamptz + i * 7919 % 20000 * interval '1 min', i FROM generate_series(1, 20000) i;
SELECT ts_flush('single_ts') >= 0 AS flushed;
INSERT INTO single_ts SELECT '2026-01-01'::timestamptz + i * 7919 % 20000 * interval '1 min', i FROM generate_series(1, 300) i;
ANALYZE single_ts;
EXPLAIN (COSTS OFF) SELECT * FROM single_ts ORDER BY ts;
SELECT count(*), count(*) FILTER (WHERE ts < t) AS wrong FROM (SELECT ts, lag(ts) OVER () AS t FROM (SELECT * FROM single_ts ORDER BY ts OFFSET 0) x) y;
SELECT count(*), count(*) FILTER (WHERE ts > t) AS wrong FROM (SELECT ts, lag(ts) OVER () AS t FROM (SELECT * FROM single_ts ORDER BY ts DESC OFFSET 0) x) y;
-- the time alone: series merged, or days sorted one after the other where memory is short
CREATE TABLE days_ts (ts timestamptz NOT NULL, host text, n int) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host');
CREATE TABLE days_heap (LIKE days_ts) USING heap;
INSERT INTO days_heap SELECT '2026-01-01'::timestamptz + i / 60 * interval '30 min', 'h' || i % 60, i FROM generate_series(0, 11519) i;
SELECT format('INSERT INTO days_ts SELECT * FROM days_heap WHERE ts::date = %L', '2026-01-01'::date + d), 'SELECT ts_flush(''days_ts'') AS segments'
  FROM generate_series(0, 3) d \gexec
INSERT INTO days_heap SELECT ts + interval '7 min', host, -n FROM days_heap WHERE n % 60 = 7;
INSERT INTO days_ts SELECT * FROM days_heap WHERE n < 0;
ANALYZE days_ts;
EXPLAIN (COSTS OFF) SELECT * FROM days_ts ORDER BY ts;
EXPLAIN (COSTS OFF) SELECT * FROM days_ts ORDER BY ts LIMIT 10;
SELECT read_for('SELECT * FROM days_ts ORDER BY ts', 'Segments Sorted') AS sorted, read_for('SELECT * FROM days_ts ORDER BY ts', 'Series Read') AS series;
SET work_mem = '256kB';
SET hash_mem_multiplier = 1;
SET nodedb_ts.enable_best_rows = off;
SELECT read_for('SELECT * FROM days_ts ORDER BY ts', 'Segments Sorted') AS sorted, read_for('SELECT * FROM days_ts ORDER BY ts', 'Time Windows') AS windows,
       read_for('SELECT * FROM days_ts ORDER BY ts DESC LIMIT 100', 'Time Windows') AS last_windows, read_for('SELECT * FROM days_ts WHERE ts >= ''2026-01-03'' ORDER BY ts', 'Time Windows') AS two;
CREATE FUNCTION same_in(tables text, query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE a text; b text;
BEGIN
  EXECUTE format('SELECT md5(string_agg(x::text, '','')) FROM (%s) x', replace(query, '{}', tables || '_heap')) INTO a;
  EXECUTE format('SELECT md5(string_agg(x::text, '','')) FROM (%s) x', replace(query, '{}', tables || '_ts')) INTO b;
  RETURN a = b;
END $$;
SELECT m, o, l, same_in('days', format('SELECT ts, n FROM {} WHERE n %% 5 <> 1 ORDER BY ts %s, n %s', o, l)) AS same
  FROM unnest('{256kB,4MB}'::text[]) m, set_config('work_mem', m, false), unnest('{ASC,DESC,ASC NULLS FIRST}'::text[]) o, unnest('{"",LIMIT 3000}'::text[]) l;
SELECT same_in('days', 'SELECT x.d, y.* FROM generate_series(1, 3) x(d), LATERAL (SELECT ts, n FROM {} WHERE ts >= ''2026-01-01''::timestamptz + x.d * interval ''1 day'' ORDER BY ts, n LIMIT 70) y') AS same;
RESET work_mem;
RESET hash_mem_multiplier;
RESET nodedb_ts.enable_best_rows;
DROP TABLE days_ts, days_heap;
-- wide values that nobody has analyzed: what vectors take is counted, and rows that there is no room for wait in files
CREATE TABLE wide_ts (ts timestamptz NOT NULL, dc text, host text, n int, note text) USING nodedb_ts WITH (nodedb_ts.series_columns = 'dc,host', autovacuum_enabled = off);
CREATE TABLE wide_heap (LIKE wide_ts) USING heap;
INSERT INTO wide_heap SELECT '2026-01-01'::timestamptz + i / 20 * interval '10 s', 'dc' || i % 20 % 3, 'h' || i % 20, i, repeat(chr(65 + i % 20) || i % 3, 1000) FROM generate_series(0, 11999) i;
SELECT format('INSERT INTO wide_ts SELECT * FROM wide_heap WHERE n / 20 %% 6 = %s', s), 'SELECT ts_flush(''wide_ts'') AS segments' FROM generate_series(0, 5) s \gexec
SET enable_sort = off;
SET work_mem = '1MB';
SET hash_mem_multiplier = 1;
SELECT read_for('SELECT * FROM wide_ts ORDER BY dc, host, ts', 'Series Spilled') > 0 AS spilled, read_for('SELECT * FROM wide_ts ORDER BY dc, host, ts', 'Series') AS series,
       read_for('SELECT * FROM wide_ts ORDER BY dc, host, ts', 'Series Read') AS series_read, read_for('SELECT * FROM wide_ts ORDER BY dc, host, ts', 'Vectors Decoded') AS decoded,
       read_for('SELECT * FROM wide_ts ORDER BY dc, host, ts', 'Vectors Read Again') <= 12 AS seldom_again, read_for('SELECT ts, n FROM wide_ts ORDER BY dc, host, ts', 'Series Spilled') AS narrow;
-- six segments have vectors of 2 MB each
BEGIN;
DECLARE wide NO SCROLL CURSOR FOR SELECT * FROM wide_ts ORDER BY dc, host, ts;
MOVE 1000 IN wide;
SELECT sum(total_bytes) < 5000000 AS bounded FROM pg_backend_memory_contexts WHERE name LIKE 'nodedb_ts%';
COMMIT;
SELECT count(*) AS compared, count(*) FILTER (WHERE same_in('wide', q)) AS same, count(*) FILTER (WHERE read_for(replace(q, '{}', 'wide_ts'), 'Series Spilled') > 0) > 5 AS some_spilled
  FROM (SELECT format('SELECT * FROM {} WHERE %s ORDER BY %s, n %s', w, o, l) AS q
          FROM unnest('{"dc, host, ts","dc DESC, host DESC, ts DESC","dc, ts","dc DESC, ts DESC","host, dc, ts"}'::text[]) o,
               unnest(ARRAY['true', 'note LIKE ''C%'' OR n % 5 = 0']) w, unnest('{"",LIMIT 30,OFFSET 1500}'::text[]) l) x;
SELECT same_in('wide', 'SELECT x.d, y.* FROM generate_series(0, 3) x(d), LATERAL (SELECT * FROM {} t WHERE t.dc = ''dc'' || x.d ORDER BY dc, host, ts LIMIT 700) y') AS same_rescans,
       same_in('wide', 'SELECT a.n, b.note FROM {} a JOIN {} b USING (dc, host, ts) WHERE a.n % 7 = 1 ORDER BY dc, host, ts') AS same_joins;
BEGIN;
DECLARE wide SCROLL CURSOR FOR SELECT dc, host, ts, n, length(note) FROM wide_ts ORDER BY dc, host, ts;
MOVE 700 IN wide;
FETCH 1 FROM wide;
MOVE BACKWARD 600 IN wide;
FETCH BACKWARD 1 FROM wide;
COMMIT;
RESET enable_sort;
RESET work_mem;
RESET hash_mem_multiplier;
DROP FUNCTION same_in;
DROP TABLE wide_ts, wide_heap;
-- partitions: one on heap, with MergeAppend
CREATE TABLE order_parts (ts timestamptz NOT NULL, host text, n int) PARTITION BY RANGE (ts);
CREATE TABLE order_parts1 PARTITION OF order_parts FOR VALUES FROM (MINVALUE) TO ('2026-01-02') USING nodedb_ts WITH (nodedb_ts.series_columns = 'host');
CREATE TABLE order_parts2 PARTITION OF order_parts FOR VALUES FROM ('2026-01-02') TO ('2026-01-03') USING heap;
CREATE TABLE order_parts3 PARTITION OF order_parts FOR VALUES FROM ('2026-01-03') TO (MAXVALUE) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host');
INSERT INTO order_parts SELECT '2026-01-01'::timestamptz + i * interval '1 min', 'h' || i % 10, i FROM generate_series(1, 6000) i;
SELECT ts_flush('order_parts1') >= 0 AND ts_flush('order_parts3') >= 0 AS flushed;
ANALYZE order_parts;
EXPLAIN (COSTS OFF) SELECT * FROM order_parts ORDER BY host, ts;
SELECT count(*), count(*) FILTER (WHERE (host, ts) < (h, t)) AS wrong
  FROM (SELECT host, ts, lag(host) OVER () AS h, lag(ts) OVER () AS t FROM (SELECT * FROM order_parts ORDER BY host, ts OFFSET 0) x) y;
SELECT host, ts, n FROM order_parts WHERE ts > '2026-01-01 23:55' ORDER BY host, ts LIMIT 3;

-- random orders, conditions and limits, over segments with several kinds of series columns
ALTER TABLE order_ts SET (nodedb_ts.series_columns = 'dc,host');
INSERT INTO order_ts SELECT '2026-01-01 02:00'::timestamptz + i * interval '1 s', 'host-' || i % 3, 'dc' || i % 2, i % 7, 6000000 + i, 0, 'last', 'z' || i % 9 FROM generate_series(1, 400) i;
INSERT INTO order_heap SELECT * FROM order_ts WHERE note = 'last';
SELECT ts_flush('order_ts') >= 0 AS flushed;
SELECT setseed(0.42);
SELECT * FROM differences(ARRAY(
  SELECT format('SELECT dc, host, zone, ts, n FROM {} WHERE %s AND %s ORDER BY %s%s, %s n, ts, dc, host, zone %s',
           (ARRAY['true', 'ts > ''2026-01-01 03:00''', 'ts < ''2026-01-01 09:00''', 'ts IS NOT NULL', 'n % 10 < 4', 'rack IN (1, 3, 5)'])[1 + floor(random() * 6 + 0 * i)::int],
           (ARRAY['true', 'host IN (''host-1'', ''host-22'', ''host-30'')', 'dc <> ''dc2''', 'host LIKE ''host-1%''', 'note IS NOT NULL', 'f > 0.5'])[1 + floor(random() * 6 + 0 * i)::int],
           (ARRAY['dc', 'host', 'dc, host', 'host, dc', 'zone', 'dc DESC, host', 'host DESC, dc DESC', 'zone DESC', 'dc NULLS FIRST, host DESC NULLS LAST'])[1 + floor(random() * 9 + 0 * i)::int],
           '', (ARRAY['', 'ts,', 'ts DESC,', 'ts NULLS FIRST,', 'ts DESC NULLS LAST,'])[1 + floor(random() * 5 + 0 * i)::int],
           (ARRAY['', 'LIMIT 5', 'LIMIT 30 OFFSET 100', 'OFFSET 8000'])[1 + floor(random() * 4 + 0 * i)::int])
    FROM generate_series(1, 60) i));
-- what is sorted holds nothing of columns that only a condition looked at, for some rows, in vectors that are gone
CREATE TABLE rest_ts (ts timestamptz, host text, note text, v int) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host');
INSERT INTO rest_ts SELECT '2026-01-09'::timestamptz + i * interval '1 s', 'h' || i % 10, 'xa1', 1 FROM generate_series(1, 100000) i;
SELECT ts_flush('rest_ts') >= 0 AS flushed;
ANALYZE rest_ts;
INSERT INTO rest_ts SELECT '2026-01-01'::timestamptz + (i / 6000) * interval '1 s', 'h' || lpad((i % 6000)::text, 5, '0'),
  (SELECT string_agg(md5(i::text || k), '') FROM generate_series(1, 1 + i % 20) k), i % 6000 FROM generate_series(1, 30000) i;
SELECT ts_flush('rest_ts') >= 0 AS flushed;
CREATE TABLE rest_heap AS SELECT * FROM rest_ts;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT host, ts FROM rest_ts WHERE v > 2500 OR note ~ 'a1b' ORDER BY host, ts;
SELECT (SELECT md5(string_agg(x::text, ',')) FROM (SELECT host, ts, v FROM rest_ts WHERE v > 2500 OR note ~ 'a1b' ORDER BY host, ts) x) =
  (SELECT md5(string_agg(x::text, ',')) FROM (SELECT host, ts, v FROM rest_heap WHERE v > 2500 OR note ~ 'a1b' ORDER BY host, ts) x) AS same;
RESET enable_sort;
DROP TABLE rest_ts, rest_heap;
-- all rows of a vector pass, none of the next one, in which the run ends
CREATE TABLE border_ts (ts timestamptz, host text, flag int, n int) USING nodedb_ts
  WITH (nodedb_ts.series_columns = 'host', nodedb_ts.time_column = 'ts', nodedb_ts.bucket = '1000 days');
INSERT INTO border_ts SELECT '2026-01-01'::timestamptz + k * interval '1 min', 'h' || h, CASE WHEN h = 0 AND k < 1024 THEN 1 ELSE 0 END, k
  FROM generate_series(0, 1) h, generate_series(0, 49999) k;
SELECT ts_flush('border_ts') >= 0 AS flushed;
ANALYZE border_ts;
SELECT count(*), max(n) FROM (SELECT host, n FROM border_ts WHERE flag = 1 ORDER BY host LIMIT 1500) x;
SELECT count(*), max(n) FROM (SELECT * FROM border_ts WHERE flag = 1 ORDER BY host, ts LIMIT 1500) x;
SET enable_sort = off;
SELECT count(*), max(n) FROM (SELECT host, n FROM border_ts WHERE flag = 1 ORDER BY host OFFSET 0) x;
SELECT count(*), max(n) FROM (SELECT host, n FROM border_ts WHERE flag + 0 = 1 ORDER BY host OFFSET 0) x;
RESET enable_sort;
DROP TABLE border_ts;
-- a series column of old segments is dropped: of those after it nothing is known
CREATE TABLE dropped_key (ts timestamptz, gone text, host text, v int) USING nodedb_ts WITH (nodedb_ts.series_columns = 'gone,host');
INSERT INTO dropped_key SELECT '2024-01-01'::timestamptz + i / 20 * interval '1 s', 'g' || i % 2, 'h' || i % 20, i FROM generate_series(1, 20000) i;
ALTER TABLE dropped_key DROP COLUMN gone;
SELECT count(*) FROM dropped_key a WHERE EXISTS (SELECT FROM dropped_key b WHERE b.host = a.host AND b.v = 7);
SELECT host, v FROM dropped_key ORDER BY host, ts LIMIT 2;
DROP TABLE dropped_key;
SELECT count(*) AS bad FROM (SELECT * FROM ts_verify('order_ts') UNION ALL SELECT * FROM ts_verify('own_ts') UNION ALL SELECT * FROM ts_verify('single_ts')) x;
DEALLOCATE ALL;
DROP FUNCTION differences, compare_queries, read_for;
DROP COLLATION order_blind;
DROP TYPE order_mood;
DROP TABLE order_heap, order_ts, own_ts, single_ts, order_parts;
