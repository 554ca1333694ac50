-- Scans below nested loops: values of outer rows as filters that leave out row groups and vectors. Answers as of heap.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS join_scan CASCADE;
RESET client_min_messages;
CREATE SCHEMA join_scan;
SET search_path = join_scan, public;
SET TimeZone = 'UTC';
SET max_parallel_workers_per_gather = 0;
SET jit = off;

CREATE TABLE h (ts timestamptz, host text, region text, v float8, k int);
CREATE TABLE m (LIKE h) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host');
INSERT INTO h SELECT '2024-01-01'::timestamptz + i / 200 * interval '10 s', 'host ' || i % 200, 'region ' || i % 3, i % 100, i FROM generate_series(0, 99999) i;
INSERT INTO m SELECT * FROM h;
SELECT ts_flush('m') >= 0 AS flushed;
INSERT INTO h SELECT '2024-01-01'::timestamptz + i * interval '1 min', 'host ' || i % 300, NULL, NULL, -i FROM generate_series(1, 100) i;
INSERT INTO m SELECT * FROM h WHERE k < 0;
CREATE TABLE hosts AS SELECT 'host ' || g AS host, g, '2024-01-01'::timestamptz + g * interval '2 min' AS began, 'region ' || g % 3 AS region FROM generate_series(0, 249) g;
CREATE TABLE names (host varchar(20), g int);
INSERT INTO names SELECT host, g FROM hosts WHERE g < 5;
ANALYZE h, m, hosts, names;

-- plans
EXPLAIN (COSTS off) SELECT hosts.g, count(*), avg(v) FROM hosts JOIN m USING (host) WHERE g < 5 GROUP BY 1;
EXPLAIN (COSTS off) SELECT g, v FROM hosts JOIN m ON m.host = hosts.host AND m.ts >= began AND m.ts < began + interval '1 min' WHERE g < 20;
EXPLAIN (COSTS off) SELECT count(*) FROM names n JOIN m USING (host);
EXPLAIN (COSTS off) SELECT hosts.g, m.k FROM hosts LEFT JOIN m ON m.host = hosts.host AND m.k % 7 = 0 WHERE g IN (3, 240);
-- by another column, and all of a table: a hash join reads it once
EXPLAIN (COSTS off) SELECT count(*) FROM hosts JOIN m ON m.region = hosts.region WHERE g < 5;
EXPLAIN (COSTS off) SELECT count(*), sum(g) FROM hosts JOIN m USING (host);
-- few rows of a large join
EXPLAIN (COSTS off) SELECT * FROM hosts JOIN m USING (host) LIMIT 5;
-- what is left out
CREATE FUNCTION left_out(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	found text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) ' || query LOOP
		IF line ~ '(Vectors|Vectors Pruned|Vector Filter|Hits):' THEN
			found := concat_ws(', ', nullif(found, ''), btrim(regexp_replace(line, '  Memory.*', '')));
		END IF;
	END LOOP;
	RETURN found;
END $$;
SELECT left_out('SELECT v FROM hosts JOIN m USING (host) WHERE g < 5');
SELECT left_out('SELECT v FROM hosts JOIN m ON m.host = hosts.host AND m.ts >= began AND m.ts < began + interval ''1 min'' WHERE g < 20');
CREATE TABLE visits AS SELECT 'host ' || i % 3 AS host FROM generate_series(1, 500) i;
ANALYZE visits;
EXPLAIN (COSTS off) SELECT v FROM visits JOIN m USING (host);
SELECT left_out('SELECT v FROM visits JOIN m USING (host)');

-- answers, by each kind of join
CREATE FUNCTION differences() RETURNS TABLE (query text, n bigint) LANGUAGE plpgsql AS $$
DECLARE
	q text;
BEGIN
	FOREACH q IN ARRAY ARRAY[
		'SELECT hosts.g, count(*), sum(v), max(k) FROM hosts JOIN %s m USING (host) WHERE g < 5 GROUP BY 1',
		'SELECT g, v, k FROM hosts JOIN %s m ON m.host = hosts.host AND m.ts >= began AND m.ts < began + interval ''1 min'' WHERE g < 100',
		'SELECT n.g, count(*), sum(k) FROM names n JOIN %s m USING (host) GROUP BY 1',
		'SELECT hosts.g, m.k FROM hosts LEFT JOIN %s m ON m.host = hosts.host AND m.k %% 7 = 0 WHERE g IN (3, 240, 249)',
		'SELECT g FROM hosts WHERE EXISTS (SELECT FROM %s m WHERE m.host = hosts.host AND m.ts > began + interval ''1 h'')',
		'SELECT g FROM hosts WHERE NOT EXISTS (SELECT FROM %s m WHERE m.host = hosts.host AND m.v > 50)',
		'SELECT a.g, b.g, count(*) FROM hosts a, hosts b, %s m WHERE m.host = a.host AND m.ts BETWEEN b.began AND b.began + interval ''30 s'' AND a.g < 3 AND b.g BETWEEN 5 AND 9 GROUP BY 1, 2',
		'SELECT hosts.g, m.k FROM hosts, LATERAL (SELECT k FROM %s m WHERE m.host = hosts.host ORDER BY ts DESC, k LIMIT 2) m WHERE g < 30',
		'SELECT hosts.g, y.k FROM hosts LEFT JOIN (hosts x JOIN %s m ON m.host = x.host) y ON y.g = hosts.g + 1 AND y.k < 400 WHERE hosts.g < 5',
		'SELECT count(*) FROM %s a JOIN %1$s b ON a.host = b.host AND a.ts = b.ts WHERE a.k BETWEEN 1000 AND 1050',
		'SELECT hosts.g, m.k FROM hosts LEFT JOIN %s m ON m.host = coalesce(hosts.host, '''') || '''' AND m.k < 300 WHERE g < 4'] LOOP
		query := q;
		EXECUTE 'WITH o AS (' || format(q, 'm') || '), w AS (' || format(q, 'h') || ') SELECT (SELECT count(*) FROM ((TABLE o EXCEPT ALL TABLE w) UNION ALL (TABLE w EXCEPT ALL TABLE o)) x)' INTO n;
		IF n <> 0 THEN RETURN NEXT; END IF;
	END LOOP;
END $$;
SELECT * FROM differences();
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT * FROM differences();
RESET ALL;
SET search_path = join_scan, public;
SET TimeZone = 'UTC';
SET jit = off;

-- below workers
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT * FROM differences();
RESET max_parallel_workers_per_gather;

-- partitions: each child has an order of its own
CREATE TABLE p (LIKE h) PARTITION BY RANGE (ts);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (MINVALUE) TO ('2024-01-01 00:40+00') USING nodedb_ts WITH (nodedb_ts.series_columns = 'host');
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2024-01-01 00:40+00') TO (MAXVALUE) USING nodedb_ts WITH (nodedb_ts.series_columns = 'region,host');
INSERT INTO p SELECT * FROM h;
SELECT ts_flush('p1') >= 0, ts_flush('p2') >= 0;
ANALYZE p;
SET max_parallel_workers_per_gather = 0;
EXPLAIN (COSTS off) SELECT v FROM hosts JOIN p USING (host) WHERE g < 5;
SELECT count(*), sum(p.k), max(v) FROM hosts JOIN p USING (host) WHERE g < 5;
SELECT count(*), sum(h.k), max(v) FROM hosts JOIN h USING (host) WHERE g < 5;

SELECT * FROM ts_verify('m');
SET client_min_messages = warning;
DROP SCHEMA join_scan CASCADE;
