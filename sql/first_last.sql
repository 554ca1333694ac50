-- first and last: against array_agg(... ORDER BY ...); types, NULLs, windows, parallel plans, memory.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS first_last CASCADE;
RESET client_min_messages;
CREATE SCHEMA first_last;
SET search_path = first_last, public;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
SELECT setseed(0.25);

-- examples
CREATE TABLE t (ts timestamptz, host text, v float8, note text) USING nodedb_ts;
INSERT INTO t VALUES ('2024-01-02', 'a', 2, 'two'), ('2024-01-01', 'a', 1, NULL), ('2024-01-03', 'a', 3, 'three'),
  (NULL, 'a', -1, 'never'), ('2024-01-05', 'b', 5, NULL), ('2024-01-04', 'b', NULL, 'four'), (NULL, 'c', 6, 'six');
SELECT host, first(v, ts), last(v, ts), first(note, ts), last(note, ts), last(ts, v), count(*) FROM t GROUP BY host
  ORDER BY host;
SELECT first(v, ts), last(v, ts) FROM t WHERE false;
SELECT host, first(v, ts) FROM t WHERE false GROUP BY host;
SELECT first(v, ts) FILTER (WHERE v > 1), last(v, ts) FILTER (WHERE ts < '2024-01-03'),
  last(v, ts) FILTER (WHERE v < 0),
  last(DISTINCT v, ts), first(v, ts ORDER BY host DESC), last(upper(host) || note, ts) FROM t;
SELECT host, last(v, ts) FROM t GROUP BY GROUPING SETS ((host), ()) HAVING last(v, ts) > 1 ORDER BY host;
SELECT first(NULL::int, 1), last(1, NULL::int), first(1, 1), pg_typeof(first(1::smallint, 1)),
  pg_typeof(last('x'::name, 1));
-- equal times: the one met first, the one met last
SELECT first(v, k), last(v, k) FROM (VALUES (1, 7), (2, 7), (3, 7)) x (v, k);
-- order of btree: NaN and infinity, collations, records, arrays, ranges, enums, domains
SELECT first(v, k), last(v, k) FROM (VALUES (1, 0::float8), (2, 'NaN'), (3, 'infinity'), (4, '-infinity')) x (v, k);
SELECT first(v, k), last(v, k) FROM (VALUES (1, '2024-01-01'::timestamptz), (2, 'infinity'), (3, '-infinity')) x (v, k);
SELECT first(v, k), last(v, k) FROM (VALUES (1, 0::numeric), (2, 'NaN'), (3, 'infinity'), (4, '-infinity')) x (v, k);
SELECT first(v, k COLLATE "C"), last(v, k COLLATE "C") FROM (VALUES (1, 'a'), (2, 'B'), (3, 'c')) x (v, k);
SELECT last(v, k) FROM (VALUES (1, 'a'), (2, 'B'), (3, 'c')) x (v, k);
SELECT first(v, (a, b)), last(v, (a, b)), first(v, ARRAY[a, b]), last(v, int4range(a, b))
  FROM (VALUES (1, 2, 3), (2, 1, 9), (3, 2, 4)) x (v, a, b);
CREATE TYPE mood AS ENUM ('z', 'y', 'x');
CREATE DOMAIN moment AS timestamptz CHECK (value > '2000-01-01');
SELECT first(v, k), last(v, k) FROM (VALUES (1, 'y'::mood), (2, 'x'), (3, 'z')) x (v, k);
SELECT first(k, k), last(k, k), pg_typeof(last(k, k))
  FROM (VALUES ('2024-01-02'::moment), ('2024-01-03'), ('2024-01-01')) x (k);
SELECT first((v, k), v), last(ARRAY[v, k], v), last(x, v), last(int4range(v, k), v)
  FROM (VALUES (2, 3), (1, 9), (3, 4)) x (v, k);

-- random rows: groups, values of all kinds
CREATE TABLE r (g int, ts timestamptz, i int, s smallint, b bool, f float4, d date, n numeric, x text, u uuid,
  c char(9),
  name name, p point, j jsonb, a int[], iv interval, tt timetz, bt bytea) USING nodedb_ts;
INSERT INTO r SELECT k % 17,
  CASE WHEN k % 7 > 0 THEN '2024-01-01'::timestamptz + (k * 7919 % 20011) * interval '1 s' END,
  k, k % 3000, k % 2 = 0, k / 3.0, '2024-01-01'::date + k % 1000, k / 7.0,
    CASE WHEN k % 5 > 0 THEN repeat(md5(k::text), k % 6) END,
  md5(k::text)::uuid, k::text, 'n' || k, point(k, -k), jsonb_build_object('k', k), ARRAY[k, k + 1],
    k * interval '1 min',
  '00:00+00'::timetz + k * interval '1 s', decode(md5(k::text), 'hex')
FROM generate_series(1, 20000) k;
SET enable_hashagg = on;
CREATE VIEW answers AS SELECT g, first(i, ts) AS i1, last(i, ts) AS i2, first(s, ts) AS s1, last(s, ts) AS s2,
  first(b, ts) AS b1, last(b, ts) AS b2, first(f, ts) AS f1, last(f, ts) AS f2, first(d, ts) AS d1, last(d, ts) AS d2,
  first(n, ts) AS n1, last(n, ts) AS n2, first(x, ts) AS x1, last(x, ts) AS x2, first(u, ts) AS u1, last(u, ts) AS u2,
  first(c, ts) AS c1, last(c, ts) AS c2, first(name, ts) AS name1, last(name, ts) AS name2, first(p, ts)::text AS p1,
  last(p, ts)::text AS p2, first(j, ts) AS j1, last(j, ts) AS j2, first(a, ts) AS a1, last(a, ts) AS a2,
    first(iv, ts) AS iv1,
  last(iv, ts) AS iv2, first(tt, ts) AS tt1, last(tt, ts) AS tt2, first(bt, ts) AS bt1, last(bt, ts) AS bt2,
    first(r, ts)::text AS r1,
  last(r, ts)::text AS r2, first(i, n) AS by_n1, last(i, n) AS by_n2, first(i, x COLLATE "C") IS NULL AS by_x,
    last(i, u) AS by_u,
  first(i, name) AS by_name, last(i, iv) AS by_iv, first(i, tt) AS by_tt, last(i, bt) AS by_bt, last(i, c) AS by_c
FROM r GROUP BY g;
CREATE VIEW expected AS SELECT x.g, a1[1] AS i1, a2[1] AS i2, fr.s, lr.s AS s2, fr.b, lr.b AS b2, fr.f, lr.f AS f2,
  fr.d, lr.d AS d2, fr.n, lr.n AS n2,
  fr.x, lr.x AS x2, fr.u, lr.u AS u2, fr.c, lr.c AS c2, fr.name, lr.name AS name2, fr.p::text, lr.p::text AS p2, fr.j,
    lr.j AS j2, fr.a, lr.a AS a2,
  fr.iv, lr.iv AS iv2, fr.tt, lr.tt AS tt2, fr.bt, lr.bt AS bt2, fr::text AS r1, lr::text AS r2, n1[1] AS by_n1,
    n2[1] AS by_n2, false AS by_x, u1[1] AS by_u,
  name1[1] AS by_name, iv1[1] AS by_iv, tt1[1] AS by_tt, bt1[1] AS by_bt, c1[1] AS by_c
FROM (SELECT g, array_agg(i ORDER BY ts) FILTER (WHERE ts IS NOT NULL) AS a1,
  array_agg(i ORDER BY ts DESC) FILTER (WHERE ts IS NOT NULL) AS a2,
    array_agg(i ORDER BY n) AS n1, array_agg(i ORDER BY n DESC) AS n2, array_agg(i ORDER BY u DESC) AS u1,
      array_agg(i ORDER BY name) AS name1,
    array_agg(i ORDER BY iv DESC) AS iv1, array_agg(i ORDER BY tt) AS tt1, array_agg(i ORDER BY bt DESC) AS bt1,
      array_agg(i ORDER BY c DESC) AS c1
  FROM r GROUP BY g) x JOIN r fr ON fr.i = a1[1] JOIN r lr ON lr.i = a2[1];
SELECT count(*), (SELECT count(*) FROM (TABLE answers EXCEPT TABLE expected) x) AS differ FROM answers;
SET enable_hashagg = off;
SELECT count(*), (SELECT count(*) FROM (TABLE answers EXCEPT TABLE expected) x) AS differ FROM answers;
RESET enable_hashagg;

-- many groups, spilled to disk
SET work_mem = '64kB';
SELECT count(*), sum((f <> m)::int) AS differ
  FROM (SELECT i % 9000, first(x, i) AS f, (array_agg(x ORDER BY i))[1] AS m FROM r GROUP BY 1) s;
SET enable_sort = off;
SELECT count(*), sum(length(l)) FROM (SELECT i % 9000, last(c::text, i) AS l FROM r GROUP BY 1) s;
RESET enable_sort;
RESET work_mem;

-- windows: growing frames and moving ones
SELECT count(*), count(*) FILTER (WHERE l IS DISTINCT FROM lx) AS last,
  count(*) FILTER (WHERE f IS DISTINCT FROM fx) AS first,
  count(*) FILTER (WHERE m IS DISTINCT FROM mx) AS moving
FROM (SELECT last(x, i) OVER w AS l, last_value(x) OVER w AS lx, first(x, -i) OVER w AS f, last_value(x) OVER w AS fx,
    first(x, i) OVER v AS m, first_value(x) OVER v AS mx
  FROM r WHERE i <= 3000 WINDOW w AS (PARTITION BY g ORDER BY i),
    v AS (PARTITION BY g ORDER BY i ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING)) q;
SELECT v, k, last(v, k) OVER (ORDER BY v), first(v, k) OVER (ORDER BY v ROWS BETWEEN 1 PRECEDING AND CURRENT ROW),
  last(v::text, k) OVER (ORDER BY v RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
FROM (VALUES (1, 3), (2, NULL), (3, 9), (4, 1), (5, 4)) x (v, k);

-- parallel: partial states of workers are combined
CREATE TABLE h AS SELECT * FROM r;
INSERT INTO h SELECT * FROM r WHERE i % 3 = 0;
ALTER TABLE h SET (parallel_workers = 3);
CREATE TABLE serial AS
SELECT g, first(i, ts) AS i1, last(i, ts) AS i2, first(x, ts) AS x1, last(x, ts) AS x2, first(u, n) AS u1,
  last(p, n)::text AS p1,
  last(a, iv) AS a1, first(j, name) AS j1, last(h, ts)::text AS r1, first((i, x), ts)::text AS r2,
    last(i, x COLLATE "C") IS NULL AS c
FROM h GROUP BY g;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
CREATE FUNCTION partial(query text) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE line text; found bool := false;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN ' || query LOOP found := found OR line LIKE '%Partial%Aggregate%'; END LOOP;
  RETURN found;
END $$;
SELECT partial('SELECT g, last(x, ts) FROM h GROUP BY g'), partial('SELECT first(i, n) FROM h');
CREATE VIEW parallel AS
SELECT g, first(i, ts) AS i1, last(i, ts) AS i2, first(x, ts) AS x1, last(x, ts) AS x2, first(u, n) AS u1,
  last(p, n)::text AS p1,
  last(a, iv) AS a1, first(j, name) AS j1, last(h, ts)::text AS r1, first((i, x), ts)::text AS r2,
    last(i, x COLLATE "C") IS NULL AS c
FROM h GROUP BY g;
SELECT partial('TABLE parallel');
SELECT count(*), (SELECT count(*) FROM (TABLE parallel EXCEPT TABLE serial) x) AS differ FROM parallel;
SELECT first(i, ts) FILTER (WHERE g = 5), last(x, ts) FILTER (WHERE g > 99), last(i, i), first(i, -i),
  first(NULL::text, ts) FROM h;
SET parallel_leader_participation = off;
SELECT count(*), (SELECT count(*) FROM (TABLE parallel EXCEPT TABLE serial) x) AS differ FROM parallel;
SELECT first(i, ts), last(x, ts) FROM h WHERE false;
RESET parallel_leader_participation;
-- by partition
CREATE TABLE pt (k int, ts timestamptz, v text) PARTITION BY LIST (k);
CREATE TABLE pt1 PARTITION OF pt FOR VALUES IN (1) USING nodedb_ts;
CREATE TABLE pt2 PARTITION OF pt FOR VALUES IN (2) USING heap;
INSERT INTO pt SELECT 1 + k % 2, '2024-01-01'::timestamptz + k * interval '1 s', 'v' || k
  FROM generate_series(1, 1000) k;
SET enable_partitionwise_aggregate = on;
SELECT first(v, ts), last(v, ts) FROM pt;
SELECT k, first(v, ts), last(v, ts) FROM pt GROUP BY k ORDER BY k;
RESET enable_partitionwise_aggregate;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- long values, in TOAST tables too; the row's own memory goes away
CREATE TABLE long (k int, x text, e text) USING heap;
ALTER TABLE long ALTER e SET STORAGE EXTERNAL;
INSERT INTO long SELECT k, repeat(md5(k::text), 1 + k * k % 2000), repeat(md5(k::text), 1 + (k * 31) % 900)
  FROM generate_series(1, 300) k;
SELECT length(first(x, k)), length(last(x, k)), last(e, k) = (SELECT e FROM long WHERE k = 300) AS same,
  last(k, e COLLATE "C"),
  first(k, x COLLATE "C") FROM long;
SELECT max(e COLLATE "C") = last(e, e COLLATE "C") AS greatest, min(x COLLATE "C") = first(x, x COLLATE "C") AS least
  FROM long;
-- expanded arrays of PL/pgSQL
CREATE FUNCTION expanded(k int) RETURNS int[] LANGUAGE plpgsql AS $$
DECLARE a int[];
BEGIN
  FOR i IN 1 .. k LOOP a[i] := k; END LOOP;
  RETURN a;
END $$;
SELECT last(expanded(k), k), first(k, expanded(k)), last(k, expanded(k)) FROM generate_series(1, 9) k;
-- a row's copy replaces the one before: memory does not grow with the rows
CREATE FUNCTION aggregate_bytes() RETURNS bigint LANGUAGE sql VOLATILE AS
  'SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts';
CREATE TABLE growth AS SELECT last(repeat('x', 10000 + k % 100), k) AS l,
  max(CASE WHEN k IN (1000, 20000) THEN aggregate_bytes() END)
  - min(CASE WHEN k IN (1000, 20000) THEN aggregate_bytes() END) AS bytes FROM generate_series(1, 20000) k;
SELECT length(l), bytes < 4000000 AS bounded FROM growth;

-- what is refused
SELECT first(1, point(1, 2));
SELECT last(1, json '1');
SELECT last(1, ARRAY[json '1']);
SELECT first(1, 'x');
SELECT first('x', 1);
SELECT first(1);
SELECT nodedb_ts_first_step(NULL, 1, 1);

-- they belong to the extension
SELECT p.proname, p.proparallel, a.aggfinalextra, a.aggkind FROM pg_proc p JOIN pg_aggregate a ON a.aggfnoid = p.oid
  JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e' WHERE p.proname IN ('first', 'last') ORDER BY 1;

SET client_min_messages = warning;
DROP SCHEMA first_last CASCADE;
