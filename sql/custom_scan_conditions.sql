-- Conditions on columns of all kinds: a table's rows that pass are those of its heap twin, with and without the
-- extension's own scans, over segments of both levels, batches and rows of the running transaction.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS custom_scan_conditions CASCADE;
RESET client_min_messages;
CREATE SCHEMA custom_scan_conditions;
SET search_path = custom_scan_conditions, public;
SET TimeZone = 'UTC';
CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE DOMAIN small AS int CHECK (VALUE < 1000);

CREATE TABLE h (ts timestamptz, gone text, tag text, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, bo bool, da date,
  ti time, tn timestamp, te text, vc varchar(20), ch char(7), na name, uu uuid, nu numeric, jb jsonb, by bytea, ar int[],
  ci text COLLATE any_case, dm small, oi oid) USING heap;
-- row i: every column NULL now and then, extremes and duplicates
CREATE VIEW new AS
  SELECT i, CASE WHEN i % 31 = 0 THEN NULL WHEN i % 97 = 0 THEN 'infinity' ELSE '2024-01-01'::timestamptz + i * interval '1 min' END AS ts,
    'gone ' || i AS gone, CASE WHEN i % 41 = 0 THEN NULL ELSE 'tag ' || i / 40 % 12 END AS tag,
    (CASE i % 13 WHEN 0 THEN NULL WHEN 1 THEN -32768 WHEN 2 THEN 32767 ELSE i % 50 - 20 END)::int2 AS i2,
    CASE i % 17 WHEN 0 THEN NULL WHEN 1 THEN -2147483648 WHEN 2 THEN 2147483647 ELSE i END AS i4,
    CASE i % 19 WHEN 0 THEN NULL WHEN 1 THEN -9223372036854775808 WHEN 2 THEN 9223372036854775807 ELSE i * 4000000000 END AS i8,
    CASE i % 11 WHEN 0 THEN NULL WHEN 1 THEN 'NaN' WHEN 2 THEN '-0' WHEN 3 THEN 0 WHEN 4 THEN 'Infinity' WHEN 5 THEN '-Infinity'
      WHEN 6 THEN 0.1 ELSE (i / 8.0)::float4 END AS f4,
    CASE i % 23 WHEN 0 THEN NULL WHEN 1 THEN 'NaN' WHEN 2 THEN '-0' WHEN 3 THEN 0 WHEN 4 THEN 'Infinity' WHEN 5 THEN '-Infinity'
      WHEN 6 THEN 0.1 WHEN 7 THEN 1e300 ELSE (i / 8.0)::float8 END AS f8,
    CASE i % 7 WHEN 0 THEN NULL ELSE i % 3 = 0 END AS bo,
    CASE i % 29 WHEN 0 THEN NULL WHEN 1 THEN '-infinity' WHEN 2 THEN 'infinity' ELSE '2024-01-01'::date + i % 100 END AS da,
    CASE i % 9 WHEN 0 THEN NULL WHEN 1 THEN '24:00' ELSE '00:00'::time + i * interval '1 min' END AS ti,
    CASE i % 37 WHEN 0 THEN NULL WHEN 1 THEN '-infinity' ELSE '2024-01-01'::timestamp + i % 500 * interval '1 h' END AS tn,
    CASE i % 15 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'a ' WHEN 3 THEN E'ünï\n' ELSE 'text ' || i % 8 END AS te,
    (CASE i % 14 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'v ' ELSE 'v' || i % 30 END)::varchar(20) AS vc,
    (CASE i % 8 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'c ' ELSE 'c' || i % 5 END)::char(7) AS ch,
    (CASE i % 10 WHEN 0 THEN NULL ELSE 'n' || i % 6 END)::name AS na,
    (CASE i % 21 WHEN 0 THEN NULL ELSE md5((i % 60)::text) END)::uuid AS uu,
    CASE i % 12 WHEN 0 THEN NULL WHEN 1 THEN 'NaN' WHEN 2 THEN 1.00 WHEN 3 THEN 1 ELSE i / 16.0 END AS nu,
    CASE i % 16 WHEN 0 THEN NULL ELSE jsonb_build_object('i', i % 9) END AS jb,
    CASE i % 18 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE decode(md5((i % 25)::text), 'hex') END AS by,
    CASE i % 20 WHEN 0 THEN NULL WHEN 1 THEN '{}' WHEN 2 THEN '{NULL}' ELSE ARRAY[i % 4, i % 3] END AS ar,
    (CASE i % 6 WHEN 0 THEN NULL WHEN 1 THEN 'ABC' WHEN 2 THEN 'abc' WHEN 3 THEN 'Abd' ELSE 'x' || i % 2 END) COLLATE any_case AS ci,
    (CASE i % 22 WHEN 0 THEN NULL ELSE i % 40 END)::small AS dm,
    (CASE i % 25 WHEN 0 THEN NULL WHEN 1 THEN 4294967295 ELSE i END)::oid AS oi,
    i AS n1, (i % 9)::int8 AS d1, CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN 'default' ELSE 'd' || i % 5 END AS d2,
    (i % 3)::float4 AS d3, i % 2 = 0 AS d4
  FROM generate_series(1, 12000) i;
CREATE TABLE rows AS SELECT * FROM new;
CREATE TABLE few AS SELECT i, tag FROM new WHERE i <= 1000 AND i % 10 = 0;

CREATE TABLE t (LIKE h) USING nodedb_ts;
SELECT ts_set_options('t', time_column => 'ts', series_columns => '{tag}');
DO $$
DECLARE tab text; columns text;
BEGIN
  SELECT string_agg(attname, ', ' ORDER BY attnum) INTO columns FROM pg_attribute WHERE attrelid = 'h'::regclass AND attnum > 0;
  FOREACH tab IN ARRAY ARRAY['h', 't'] LOOP
    EXECUTE format('INSERT INTO %s SELECT %s FROM rows WHERE i <= 5000', tab, columns);
  END LOOP;
END $$;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT segments_in, segments_out, rows FROM ts_compact('t', before => 'infinity');
-- columns that rows of before do not have, one that goes
DO $$
DECLARE tab text; columns text;
BEGIN
  FOREACH tab IN ARRAY ARRAY['h', 't'] LOOP
    EXECUTE format($a$ALTER TABLE %s ADD COLUMN n1 int, ADD COLUMN d1 int8 DEFAULT 7, ADD COLUMN d2 text DEFAULT 'default',
      ADD COLUMN d3 float4 DEFAULT 'NaN', ADD COLUMN d4 bool DEFAULT true, DROP COLUMN gone$a$, tab);
  END LOOP;
  SELECT string_agg(attname, ', ' ORDER BY attnum) INTO columns FROM pg_attribute WHERE attrelid = 'h'::regclass AND attnum > 0 AND NOT attisdropped;
  EXECUTE format('CREATE VIEW more AS SELECT i, %s FROM rows', columns);
END $$;
CREATE PROCEDURE add_rows(first int, last int) LANGUAGE plpgsql AS $$
DECLARE tab text; columns text;
BEGIN
  SELECT string_agg(attname, ', ' ORDER BY attnum) INTO columns FROM pg_attribute WHERE attrelid = 'h'::regclass AND attnum > 0 AND NOT attisdropped;
  FOREACH tab IN ARRAY ARRAY['h', 't'] LOOP
    EXECUTE format('INSERT INTO %s SELECT %s FROM more WHERE i BETWEEN $1 AND $2', tab, columns) USING first, last;
  END LOOP;
END $$;
CALL add_rows(5001, 9000);
SELECT ts_flush('t') >= 0 AS flushed;
DO $$ BEGIN FOR k IN 1 .. 30 LOOP CALL add_rows(9000 + 20 * k - 19, 9000 + 20 * k); COMMIT; END LOOP; END $$;
ANALYZE h, t, few;

CREATE TABLE conditions (id serial, c text, always bool DEFAULT false);
-- every operator, with constants of the column's own type and of others, on either side
INSERT INTO conditions (c)
SELECT CASE WHEN flip THEN format('%s %s %s', value, o, col) ELSE format('%s %s %s', col, o, value) END
FROM (VALUES ('i2', '{5::int2,-32768::int2,7::int4,40000::int4,9223372036854775807::int8,NULL::int2,5.0,5.5,32767.0,32767.5,-32768.0,-32768.5,''NaN''::numeric,''-Infinity''::numeric,5::float8,5.5::float8,''NaN''::float8,''-Infinity''::float8,''-0''::float4,7::float4,1e300::float8,NULL::numeric}'),
    ('i4', '{100::int2,3000,2147483647,-2147483648,5000000000::int8,NULL::int4,3000.0,2999.999,-2147483648.1,2147483647.00,''NaN''::numeric,''Infinity''::numeric,3000::float8,3000.25::float8,16777217::float8,16777216::float4,''NaN''::float4,''Infinity''::float8,NULL::float8}'),
    ('i8', '{100::int2,3000,-9223372036854775808,9223372036854775807,12000000000000::int8,NULL::int8,12000000000000.0,11999999999999.5,-9223372036854775808.0,9223372036854775807.5,9223372036854775807.0,''NaN''::numeric,12000000000000::float8,9.223372036854775807e18::float8,-9.3e18::float8,9.3e18::float8,1.2e13::float4,9.223372e18::float4,''NaN''::float8,NULL::float4}'),
    ('f4', '{100::float4,0::float8,''NaN''::float8,''Infinity''::float4,0.1::float8,0.1::float4,1e300::float8,NULL::float4}'),
    ('f8', '{100::float4,''-0''::float8,''NaN''::float4,''-Infinity''::float8,0.1::float4,0.1::float8,1e300::float8,NULL::float8}'),
    ('bo', '{true,false,NULL::bool}'), ('da', '{''2024-02-01'',''infinity'',''2024-02-01 00:00''::timestamp,''2024-02-01 00:00''::timestamptz,NULL::date}'),
    ('ti', '{''12:00'',''24:00'',NULL::time}'), ('tn', '{''2024-01-10 05:00'',''-infinity'',''2024-01-10''::date,''2024-01-10''::timestamptz,''infinity''::date,''-infinity''::date}'),
    ('ts', '{''2024-01-03 04:00'',''infinity'',''2024-01-04''::date,''2024-01-04''::timestamp,NULL::timestamptz,''2024-01-05 07:30''::timestamp,''infinity''::date,''-infinity''::timestamp,NULL::date}'),
    ('te', '{''text 3'','''',''a'',''a '',''a ''::char(3),''text 3''::name,NULL::text}'), ('vc', '{''v7'',''v'',''v ''::varchar,NULL::varchar}'),
    ('ch', '{''c'',''c   '',''c2'',''c2''::text,NULL::char}'), ('na', '{''n3'',''n3''::name,''n3''::text}'), ('tag', '{''tag 3'',''tag 10'',''tag'',''zzz'',NULL}'),
    ('uu', '{''c4ca4238-a0b9-2382-0dcc-509a6f75849b''}'), ('nu', '{100,1.000,''NaN'',3::int}'), ('jb', '{''"i"''::jsonb,''[1]''::jsonb}'),
    ('by', '{''\\xc4'',''''::bytea}'), ('ar', '{ARRAY[1\,2],''{}''::int[]}'), ('ci', '{''abc'',''ABC'',''X1''}'), ('dm', '{7,7::int8}'), ('oi', '{300,4294967295}'),
    ('n1', '{6000,NULL::int}'), ('d1', '{7,7::int2,3}'), ('d2', '{''default'',''d3''}'), ('d3', '{1,''NaN'',''NaN''::float8}'), ('d4', '{true}')) v(col, list),
  regexp_split_to_table(trim(list, '{}'), '(?<!\\),') WITH ORDINALITY value(value, n), unnest('{<,<=,=,<>,>=,>}'::text[]) o, unnest(ARRAY[false, true]) flip
WHERE NOT flip OR n % 3 = 1;
UPDATE conditions SET c = replace(c, '\', '') WHERE c LIKE '%ARRAY%';
INSERT INTO conditions (c) SELECT c FROM unnest(ARRAY[
  'i4 IN (5, 3000, 3000, 9100)', 'i4 IN (5, NULL, 6)', 'i4 NOT IN (5, 6)', 'i4 NOT IN (5, NULL)', 'i4 = ANY ($${5,6,NULL}$$)', 'i4 = ANY ($${}$$)',
  'i4 = ANY (NULL::int[])', 'i4 = ANY ($${NULL,NULL}$$)', 'i4 = ANY ($${5,3000000000}$$::int8[])', 'i2 = ANY (ARRAY[5, 7]::int8[])', 'i4 <> ALL ($${5,6}$$)',
  'i4 <> ANY ($${5,6}$$)', 'i4 < ANY ($${5,60}$$)', 'i4 > ALL ($${5,6000}$$)', 'i4 <> ALL ($${}$$)', '5 = ANY (ar)', 'f8 = ANY ($${NaN,0,0.1}$$)', 'f4 IN (0.1, $$NaN$$)',
  'f4 = ANY ($${0.1,NaN}$$::float8[])', 'f8 = ANY ($${0.1,-0}$$::float4[])', 'bo = ANY ($${t}$$)', 'da IN ($$2024-01-05$$, $$infinity$$)', 'ts IN ($$2024-01-01 00:05$$, $$2024-01-04$$)',
  'te IN ($$text 1$$, $$$$, $$nothing$$)', 'te = ANY ($${text 1,NULL}$$)', 'te = ANY ($${}$$)', 'te NOT IN ($$text 1$$, $$a $$)', 'te <> ALL ($${text 1,NULL}$$)', 'te = ANY (NULL::text[])',
  'tag IN ($$tag 1$$, $$tag 10$$)', 'tag = $$tag 1$$ OR tag IS NULL', 'tag = $$tag 5$$ AND ts < $$2024-01-02$$', 'tag IN ($$a$$, $$zzz$$)', 'tag = ANY (ARRAY[NULL, NULL]::text[])',
  'vc IN ($$v7$$, $$v$$)', 'vc = ANY (ARRAY[$$v7$$, $$v $$]::varchar[])', 'vc LIKE $$v1%$$', 'vc NOT LIKE $$v_$$', 'ch IN ($$c1$$, $$$$)', 'ch LIKE $$c%$$', 'ch ~ $$^c1 *$$', 'na IN ($$n1$$, $$n2$$)',
  'na LIKE $$n%$$', 'na ~ $$3$$', 'te LIKE $$text _$$', 'te NOT LIKE $$t%$$', 'te ILIKE $$TEXT 2$$', 'te NOT ILIKE $$TEXT%$$', 'te ~ $$[1-3]$$', 'te !~ $$[1-3]$$', 'te ~* $$TEXT$$', 'te !~* $$TEXT$$',
  'te LIKE NULL', 'te ~ NULL', 'te SIMILAR TO $$(a|text)%$$', 'te COLLATE "C" < $$text 3$$', 'te COLLATE any_case = $$TEXT 3$$', 'te COLLATE any_case IN ($$TEXT 3$$)', 'ci IN ($$ABC$$, $$q$$)', 'ci NOT IN ($$ABC$$)',
  'ci COLLATE "C" = $$ABC$$', 'ci = ANY ($${abd}$$)', 'ci IS NULL', 'starts_with(te, $$te$$)', 'te ^@ $$te$$', 'uu IN ($$c4ca4238-a0b9-2382-0dcc-509a6f75849b$$, $$00000000-0000-0000-0000-000000000000$$)',
  'nu IN (1, $$NaN$$)', 'nu BETWEEN 1 AND 2', 'jb @> $${"i": 3}$$', 'jb ->> $$i$$ = $$3$$', '(jb ->> $$i$$)::int > 3', 'by = $$\x00$$', 'by IN ($$$$, $$\x00$$)', 'by LIKE $$\x00%$$', 'ar && ARRAY[3]', 'ar IS NULL', 'ar[1] = 2',
  'bo', 'NOT bo', 'bo IS TRUE', 'bo IS NOT TRUE', 'bo IS FALSE', 'bo IS UNKNOWN', 'bo IS NOT UNKNOWN', 'bo = true', 'bo <> true', 'bo = d4', 'NOT d4', 'bo AND d4', 'bo OR i4 < 100', 'NOT (bo AND i4 < 5000)', 'NOT (bo OR d4)', 'bo IS NULL', 'd4 IS NULL',
  'i4 BETWEEN 100 AND 200', 'i4 NOT BETWEEN 100 AND 9000', 'i4 BETWEEN SYMMETRIC 200 AND 100', 'ts BETWEEN $$2024-01-02$$ AND $$2024-01-02 01:00$$', 'f8 BETWEEN 1 AND $$NaN$$', 'f8 NOT BETWEEN $$-Infinity$$ AND 800',
  'i4 = i2', 'i4 > i2 AND i2 > 0', 'i4 = NULL', 'NULL', 'true', 'false', 'i4 IS DISTINCT FROM 5', 'i4 IS NOT DISTINCT FROM NULL', 'i4 + 1 = 6', 'abs(i4) < 50', 'coalesce(i4, 5) = 5', 'NULLIF(i4, 5) IS NULL',
  'i4 < 100 OR i4 > 9000 OR te = $$a $$', '(i4 < 1000 AND (te = $$text 1$$ OR f8 > 100)) OR (NOT bo AND tag = $$tag 2$$)', 'NOT (i4 < 1000 OR te LIKE $$t%$$)', 'NOT (i4 IN (1, 2, 3) OR f4 > 5)', '(i4 < 10 OR i4 / 2 = 2000) AND ts IS NOT NULL',
  'i4 IS NULL OR f4 IS NULL', 'i4 IS NULL AND f4 IS NULL', 'i4 IS NOT NULL AND te IS NULL', 'NOT (te IS NULL)', 'n1 IS NULL', 'n1 IS NOT NULL', 'd1 IS NULL', 'd2 IS NULL OR d1 = 7', 'd2 IN ($$default$$, $$d1$$)', 'd2 LIKE $$d_$$', 'd3 = $$NaN$$ AND i4 > 4000',
  '(i4, i2) = (100, 10)', '(i4, te) < (100, $$b$$)', 'ROW(i4, te) IS NULL', 't IS NOT NULL', 't.* IS NOT NULL', 'num_nulls(i4, te, f4) > 1', 'tableoid = $$t$$::regclass OR tableoid = $$h$$::regclass', 'ctid IS NOT NULL', 'xmin IS NOT NULL AND i4 < 10',
  'CASE WHEN i4 > 100 THEN te = $$text 1$$ ELSE bo END', 'i4 = (SELECT 100)', 'i4 < (SELECT min(i) FROM few WHERE i > 100)', 'i4 = ANY (ARRAY(SELECT i FROM few WHERE i < 10))', 'i4 IN (SELECT i FROM few WHERE i % 100 = 0)', 'tag = (SELECT max(tag) FROM few)',
  'EXISTS (SELECT FROM few WHERE i = t.i4 AND i < 50)', 'i4 NOT IN (SELECT i FROM few WHERE i > 100)', 'i4 = (SELECT 1 WHERE false)', 'te = (SELECT NULL::text)', 'ts > now() - interval $$1 hour$$', 'ts < now()', 'ts > current_date - 1', 'ts < localtimestamp', 'ts > $$2024-01-05$$::date - interval $$1 day$$',
  'random() < 2', 'i4 > random() * 0 + 100', 'i4 = 5 AND i4 = 6', 'i4 > 5 AND i4 < 3', 'i8 = i4::int8 * 4000000000', 'i2 + 1 = 6::int2', 'da = ts::date', 'te = vc', 'te || vc = $$text 1v1$$', 'length(te) = 0', 'dm = 7 AND dm IS NOT NULL', 'dm IN (1, 2)', 'dm::int = 3',
  'oi IN (1, 2)', 'oi::int8 > 4294967290', 'oi > 11900', 'i4::float8 = 100', 'i8::float4 = 1.2e13::float4', 'i8::float8 <> 9.223372036854775807e18', 'i4 > 2999.5 AND i4 <= 3000.5', 'i4 BETWEEN 2999.5 AND 3100.25', 'NOT (i4 < 9000.5 OR i8 > 1.5)', 'i4 IN (5.0, 6.5)', 'i4::numeric(10, 1) > 9000.1', 'i4 > (SELECT 9000.5)', 'i4 < i2::numeric', 'dm > 7.5', 'f4::numeric = 100', 'f4 = f8', 'f4 > f8', 'f4::float8 = 0.1::float4::float8', '1 / nullif(i4, 0) = 0 AND i4 <> 0'
  ]) c;
-- integers in lists of numbers that need not be any
INSERT INTO conditions (c, always) SELECT c, true FROM unnest(ARRAY[
  'i4 IN (5.0, 6.5, 3000, 3000.00, 2147483647.0, 2147483648, -2147483648, 1e30, -1e30, NULL)', 'i4 IN (5.5, 6.5)',
  'i4 = ANY ($${5,NaN,Infinity,-Infinity,NULL,2147483647.4}$$::numeric[])', 'i4 = ANY ($${NULL}$$::numeric[])', 'i4 = ANY ($${}$$::numeric[])',
  'i4 = ANY (NULL::numeric[])', 'i4 = ANY ($${{5,6},{7.0,7.5}}$$::numeric[])', 'i2 IN (5.0, 7, 7.5, 32767.0, 32767.4, 32768, -32768.0, -32768.4)',
  'i8 IN (12000000000000.0, 9223372036854775807.0, 9223372036854775807.4, 9223372036854775808, -9223372036854775808, -9223372036854775808.4, 4000000000.5)',
  'i2 = ANY ($${5,7.5,-0,32767,NaN,Infinity,1e300,NULL}$$::float8[])',
  'i4 = ANY ($${5,7.5,2147483647,2147483647.5,-2147483648,NaN,-Infinity}$$::float8[])', 'i2 = ANY ($${5,7.5,32767,-32768,NaN}$$::float4[])',
  'i4 = ANY ($${5,16777216,16777218,2147483648,NaN}$$::float4[])', 'i8 = ANY ($${12000000000000,9.223372036854775807e18,-9.3e18,NaN}$$::float8[])',
  'i8 = ANY ($${1.2e13,9.223372e18}$$::float4[])', 'i4 NOT IN (5.0, 6.5)', 'i4 NOT IN (5.0, NULL)', 'i4 <> ANY ($${5,6.5}$$::numeric[])',
  'i4 <> ALL ($${5.5}$$::numeric[])', 'i4 > ANY ($${9000.5,9100}$$::numeric[])', 'NOT (i4 IN (5.0, 6.5) OR i2 IN (7.0, 7.5))',
  'i4 IN (5.0, 6.5) IS NULL', 'i4 = ANY (ARRAY(SELECT i / 2.0 FROM few WHERE i < 60))', 'n1 IN (6000.0, 6000.5)', 'd1 IN (7.0, 3.5)',
  'dm IN (7.0, 7.5)', 'i4 IN (i2 / 2.0, 100.0)'
  ]) c;
-- pairs of them
INSERT INTO conditions (c)
SELECT format(CASE a.id % 4 WHEN 0 THEN '(%s) AND (%s)' WHEN 1 THEN '(%s) OR (%s)' WHEN 2 THEN 'NOT (%s) AND (%s)' ELSE '(%s) OR NOT (%s)' END, a.c, b.c)
FROM conditions a JOIN conditions b ON b.id = (a.id * 7919) % (SELECT max(id) FROM conditions) + 1 WHERE a.id % 4 = 0;

-- number and hash of the rows that pass; or the error
CREATE FUNCTION answer(tab text, condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE v text;
BEGIN
  EXECUTE format('SELECT count(*) || '' '' || coalesce(sum(hashtext(concat(ts, te, i4)))::text, ''-'') FROM %s t WHERE %s', tab, condition) INTO v;
  RETURN v;
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END $$;
-- every part-th condition (a third of them, to be quick; 1: all), and those of lists
CREATE FUNCTION compare(part int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE c record; a text; b text; n int := 0; wrong int := 0; failed int := 0;
BEGIN
  FOR c IN SELECT * FROM conditions WHERE id % part = 0 OR always ORDER BY id LOOP
    a := answer('h', c.c);
    b := answer('t', c.c);
    n := n + 1;
    failed := failed + (a !~ ' ')::int;
    IF a <> b THEN
      wrong := wrong + 1;
      RAISE WARNING '%: % and on heap %', c.c, b, a;
    END IF;
  END LOOP;
  RETURN format('%s differences in %s conditions, of which %s fail', wrong, n, failed);
END $$;
SET jit = off;
SET max_parallel_workers_per_gather = 0;
BEGIN;
CALL add_rows(9601, 10500);
SAVEPOINT s;
CALL add_rows(10501, 10600);
ROLLBACK TO s;
CALL add_rows(10601, 12000);
SELECT compare(3);
SET LOCAL nodedb_ts.enable_scan = off;
SELECT compare(37);
RESET nodedb_ts.enable_scan;
SET LOCAL max_parallel_workers_per_gather = 2;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SELECT compare(61);
COMMIT;
RESET max_parallel_workers_per_gather;

-- constants of another type that change from row to row, near to each other and far
CREATE TABLE others AS SELECT CASE i % 17 WHEN 0 THEN NULL WHEN 1 THEN 'NaN' WHEN 2 THEN 'Infinity' WHEN 3 THEN '-Infinity' WHEN 4 THEN 9223372036854775807
    WHEN 5 THEN -9223372036854775808 WHEN 6 THEN 1e30 ELSE i * 7 / 2.0 END AS x,
  CASE i % 13 WHEN 0 THEN 'NaN' WHEN 1 THEN 9.3e18 WHEN 2 THEN '-Infinity' ELSE i * 11 / 2.0 END::float8 AS f,
  CASE i % 11 WHEN 0 THEN 'infinity' WHEN 1 THEN '-infinity' WHEN 2 THEN NULL ELSE '2024-01-01'::date + i END AS d
  FROM generate_series(1, 60) i;
CREATE FUNCTION compare_rescans() RETURNS TABLE (compared int, different int) LANGUAGE plpgsql AS $$
DECLARE o text; c text; q text; a bigint; b bigint;
BEGIN
  compared := 0; different := 0;
  FOREACH o IN ARRAY '{<,<=,=,<>,>=,>}'::text[] LOOP
    FOREACH c IN ARRAY ARRAY['i4 %s o.x', 'i8 %s o.f', 'i2 %s o.x', 'ts %s o.d', 'ts %s o.d::timestamp',
        'i4 %s o.x OR i4 IN (o.x, 100.0, o.x + 50.5)', 'i2 %s o.f OR i2 = ANY (ARRAY[o.f, 7])'] LOOP
      q := format('SELECT sum(s.n) FROM others o, LATERAL (SELECT count(*) AS n FROM {} WHERE ' || c || ' OFFSET 0) s', o);
      EXECUTE replace(q, '{}', 'h') INTO a;
      EXECUTE replace(q, '{}', 't') INTO b;
      compared := compared + 1;
      IF a IS DISTINCT FROM b THEN
        different := different + 1;
        RAISE WARNING '%: % and on heap %', q, b, a;
      END IF;
    END LOOP;
  END LOOP;
  RETURN NEXT;
END $$;
SET max_parallel_workers_per_gather = 0;
SELECT * FROM compare_rescans();

SET client_min_messages = warning;
DROP SCHEMA custom_scan_conditions CASCADE;
