-- Row groups and vectors are left out by the values that they have: dictionaries, constants, columns added later. Each
-- answer is compared with heap; the counts tell what was left out.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS value_lists CASCADE;
RESET client_min_messages;
CREATE SCHEMA value_lists;
SET search_path = value_lists, public;
SET TimeZone = 'UTC';
SET max_parallel_workers_per_gather = 0;
SET jit = off;

-- three days, a segment each; sorted by host, region follows it, team and code do not
CREATE TABLE h (ts timestamptz, host text, region text, team varchar(10), dev uuid, code int8, f float8, u text COLLATE "C");
CREATE TABLE t (LIKE h) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host');
INSERT INTO h SELECT '2024-01-01'::timestamptz + d * interval '1 day' + i / 40 * interval '1 min', 'host ' || i % 40,
	CASE WHEN d = 2 AND i % 40 = 7 THEN NULL ELSE 'region ' || i % 40 / 10 + d END, 'team ' || i % 7 + d,
	md5((i % 40 + d * 40)::text)::uuid, (i % 11) * 1000000007::int8 + d, (ARRAY['NaN', '-0', '2', '3', '4'])[1 + i % 5]::float8,
	CASE WHEN i % 2 = 0 THEN 'ä' ELSE 'b' END
	FROM generate_series(0, 2) d, generate_series(0, 15999) i;
INSERT INTO t SELECT * FROM h;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT sum(rows) FROM ts_compact('t', before => 'infinity'::text);
SELECT level, sum(rows) FROM ts_segments('t') GROUP BY 1;

-- counts rows by both tables, and what a scan of t leaves out, twice: vectors are known from the second time on
CREATE FUNCTION tried(condition text, OUT same boolean, OUT rows bigint, OUT first_time text, OUT second_time text) LANGUAGE plpgsql AS $$
DECLARE
	plan json;
	n bigint;
	line text;
BEGIN
	EXECUTE 'SELECT count(*) FROM h WHERE ' || condition INTO rows;
	FOR i IN 1 .. 2 LOOP
		EXECUTE 'EXPLAIN (ANALYZE, FORMAT json, TIMING off, SUMMARY off) SELECT ts FROM t WHERE ' || condition INTO plan;
		plan := plan -> 0 -> 'Plan';
		line := (plan ->> 'Row Groups Pruned') || ' of ' || (plan ->> 'Row Groups') || ', ' || (plan ->> 'Vectors Pruned') || ' of ' || (plan ->> 'Vectors');
		IF i = 1 THEN first_time := line; ELSE second_time := line; END IF;
	END LOOP;
	EXECUTE 'SELECT count(*) FROM t WHERE ' || condition INTO n;
	same := n = rows;
END $$;
SELECT c, r.* FROM unnest(ARRAY[
	'region = ''region 0''', 'region = ''region 5''', 'region = ''nowhere''', 'region IN (''region 0'', ''region 5'', NULL)', 'region <> ''region 0''',
	'region LIKE ''region%''', 'region LIKE ''%5''', 'region ~ ''[0-2]$''', 'region NOT LIKE ''%3''', 'region = ANY (''{}'')',
	'region IS NULL', 'team = ''team 0''', 'team IN (''team 8'', ''team 9'')', 'dev = md5(''3'')::uuid', 'dev = md5(''9999'')::uuid',
	'dev > md5(''3'')::uuid', 'code = 1000000007', 'code IN (2000000015, 5)', 'code = 1000000008 OR region = ''region 0''',
	'region = ''region 0'' AND team = ''team 8''', '(region = ''region 0'' OR team = ''team 8'') AND (region LIKE ''%1'' OR code = 2)',
	'lower(region) = ''region 5''', 'upper(region) IN (''REGION 0'', ''X'')', 'left(region, 6) <> ''region''', 'length(team) > 6',
	'starts_with(host, ''host 1'')', 'lower(team) LIKE ''team 8%''', 'upper(region) = ''REGION 0'' OR length(host) < 2', 'btrim(region, ''r0'') < ''egion''',
	'substr(region, 2) = ''egion 0''', 'lower(region) = team',
	'f = ''NaN''', 'f = 0', 'u = ''ä''', 'u > ''b''', 'host LIKE ''host 1%''', 'host LIKE ''host 1%'' AND region LIKE ''%1'' AND ts < ''2024-01-02''']) c,
	LATERAL tried(c) r;

-- a column that segments do not have is the same in all rows
ALTER TABLE h ADD late text DEFAULT 'old', ADD later text;
ALTER TABLE t ADD late text DEFAULT 'old', ADD later text;
SELECT c, r.* FROM unnest(ARRAY['late = ''old''', 'late = ''new''', 'late LIKE ''n%''', 'later = ''x''', 'later IS NULL', 'later ~ ''x'' OR late = ''new''']) c, LATERAL tried(c) r;
INSERT INTO h SELECT '2024-01-04'::timestamptz + i * interval '1 s', 'host 1', 'region 0', 'team 0', NULL, 1, 2, 'b', 'new', 'x' FROM generate_series(1, 1500) i;
INSERT INTO t SELECT * FROM h WHERE ts >= '2024-01-04';
SELECT ts_flush('t') >= 0 AS flushed;
SELECT c, r.* FROM unnest(ARRAY['late = ''old''', 'late = ''new''', 'later = ''x''', 'later IS NULL', 'dev = md5(''3'')::uuid', 'dev IS NULL']) c, LATERAL tried(c) r;

-- parameters and rescans: another constant each time
PREPARE p(text) AS SELECT count(*), min(ts), sum(code) FROM t WHERE region = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE p('region 0');
EXECUTE p('region 5');
EXECUTE p(NULL);
EXECUTE p('region 0');
RESET plan_cache_mode;
SELECT x.r, (SELECT count(*) FROM t WHERE region LIKE x.r) = (SELECT count(*) FROM h WHERE region LIKE x.r) AS same FROM unnest(ARRAY['%0', '%5', 'x', NULL, 'region%']) x (r);

-- counts of whole vectors come from statistics when all their rows pass
EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT count(*) FROM t WHERE region = 'region 5';

-- a pattern that comes from the row may be no pattern
EXPLAIN (COSTS off) SELECT count(*) FROM t WHERE 'x' ~ host;
EXPLAIN (COSTS off) SELECT count(*) FROM t WHERE host ~ '1$' AND lower(host) ~ ANY ('{1$,2$}');
SELECT c, r.same, r.rows FROM unnest(ARRAY['host ~ ANY (''{1$,2$}'')', 'NOT host ~ ALL (''{1$,t}'')', '''host 1'' ~ host']) c, LATERAL tried(c) r;

SELECT * FROM ts_verify('t');
DROP SCHEMA value_lists CASCADE;
