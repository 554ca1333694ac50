-- Every scalar type keeps its values, from the memtable, from batches and from segments.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS types CASCADE;
RESET client_min_messages;
CREATE SCHEMA types;
SET search_path = types, public;
-- rows (as text) that stand in only one of two tables, duplicates counted
CREATE FUNCTION twin_diff(a regclass, b regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM ((SELECT x::text FROM %1$s x EXCEPT ALL SELECT x::text FROM %2$s x)
                  UNION ALL (SELECT x::text FROM %2$s x EXCEPT ALL SELECT x::text FROM %1$s x)) d', a, b) INTO n;
  RETURN n;
END $$;
SET timezone = 'UTC';
SET extra_float_digits = 1;

CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN short_text AS text NOT NULL CHECK (length(VALUE) < 10);
CREATE DOMAIN int_list AS int[] CHECK (array_length(VALUE, 1) < 5);
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE TYPE nested AS (p pair, q int[], m mood);

-- Each value of each list becomes one row of a table of that type, with NULLs
-- between them, in four rounds: seen by its own transaction before commit, one
-- row a transaction, many rows, and after a move into segments.
CREATE TABLE type_list (typ text, vals text[]);
CREATE TABLE result (typ text, problem text);
CREATE PROCEDURE check_types() LANGUAGE plpgsql AS $$
DECLARE
  l type_list; n int; expected text; got text;
BEGIN
  FOR l IN SELECT * FROM type_list LOOP
    EXECUTE format('CREATE TABLE tt (ts timestamptz, i int, v %s) USING nodedb_ts', l.typ);
    EXECUTE format('CREATE TABLE th (ts timestamptz, i int, v %s) USING heap', l.typ);
    COMMIT;
    FOR round IN 1 .. 4 LOOP
      FOR k IN 1 .. array_length(l.vals, 1) LOOP
        EXECUTE format('INSERT INTO tt VALUES (%L::timestamptz + %s * interval ''1 s'', %s, %L::%s)', '2024-01-01', k, k, l.vals[k], l.typ);
        EXECUTE format('INSERT INTO th VALUES (%L::timestamptz + %s * interval ''1 s'', %s, %L::%s)', '2024-01-01', k, k, l.vals[k], l.typ);
        IF round = 2 THEN COMMIT; END IF;
      END LOOP;
      IF round >= 3 THEN
        FOR d IN 1 .. 2 LOOP
          EXECUTE format('INSERT INTO %I SELECT ''2024-01-01''::timestamptz + i * interval ''1 min'', i, ($1)[1 + i %% array_length($1, 1)]::%s FROM generate_series(1, 3000) i',
                         CASE d WHEN 1 THEN 'tt' ELSE 'th' END, l.typ) USING l.vals;
        END LOOP;
        COMMIT;
      END IF;
      IF round = 4 THEN
        PERFORM ts_flush('tt');
        COMMIT;
      END IF;
      n := twin_diff('tt', 'th');
      IF n <> 0 THEN INSERT INTO result VALUES (l.typ, format('round %s: %s rows differ', round, n)); END IF;
      -- also column by column, without and with the value
      EXECUTE 'SELECT count(v)::text || md5(string_agg(v::text, '','' ORDER BY i, v::text)) FROM tt' INTO got;
      EXECUTE 'SELECT count(v)::text || md5(string_agg(v::text, '','' ORDER BY i, v::text)) FROM th' INTO expected;
      IF got IS DISTINCT FROM expected THEN INSERT INTO result VALUES (l.typ, format('round %s: values differ', round)); END IF;
      EXECUTE 'SELECT sum(i) FROM tt' INTO got;
      EXECUTE 'SELECT sum(i) FROM th' INTO expected;
      IF got IS DISTINCT FROM expected THEN INSERT INTO result VALUES (l.typ, format('round %s: sum differs', round)); END IF;
    END LOOP;
    EXECUTE 'SELECT count(*) FROM tt' INTO n;
    IF n <> 4 * array_length(l.vals, 1) + 6000 THEN INSERT INTO result VALUES (l.typ, format('%s rows', n)); END IF;
    DROP TABLE tt, th;
    COMMIT;
  END LOOP;
END $$;

INSERT INTO type_list VALUES
 ('bool', '{t,f,NULL,t}'::text[]),
 ('smallint', '{0,1,-1,32767,-32768,NULL}'),
 ('int', '{0,1,-1,2147483647,-2147483648,NULL,65536,-65537}'),
 ('bigint', '{0,1,-1,9223372036854775807,-9223372036854775808,NULL,4294967296,-4294967297}'),
 ('real', '{0,-0,1.5,-1.5,NaN,Infinity,-Infinity,3.4028235e38,1.4e-45,NULL}'),
 ('float8', '{0,-0,1.5,-1.5,NaN,Infinity,-Infinity,1.7976931348623157e308,4.9e-324,2.2250738585072014e-308,0.1,NULL}'),
 ('numeric', '{0,0.0,0.00,-1,NaN,Infinity,-Infinity,1e100,1e-100,12345678901234567890.123456789,NULL}'),
 ('numeric(10,3)', '{0,1.5,-9999999.999,NULL,NaN}'),
 ('money', '{0,1.5,-92233720368547758.08,92233720368547758.07,NULL}'),
 ('text', '{"",a," ",NULL,"NULL","long text with \"quotes\" and \\ backslash",äöü€😀}'),
 ('varchar(5)', '{"",a,abcde,NULL}'),
 ('char(5)', '{"",a,abcde,NULL}'),
 ('"char"', '{a,"",Z,NULL,"\\200"}'),
 ('name', '{pg_class,"",abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456,NULL}'),
 ('bytea', '{"\\x","\\x00","\\x00ff00",NULL,"\\xdeadbeef"}'),
 ('uuid', '{00000000-0000-0000-0000-000000000000,ffffffff-ffff-ffff-ffff-ffffffffffff,a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,NULL}'),
 ('date', '{2024-01-01,infinity,-infinity,0001-01-01,"4713-01-01 BC",5874897-12-31,NULL}'),
 ('time', '{00:00,24:00,12:34:56.789012,NULL}'),
 ('time(0)', '{00:00,24:00,12:34:56.789012,NULL}'),
 ('timetz', '{00:00+00,24:00-15:59,12:34:56.789012+05:30,NULL}'),
 ('timestamp', '{2024-01-01,infinity,-infinity,"0001-01-01 00:00:00.000001","4713-01-01 00:00:00 BC","294276-12-31 23:59:59.999999",NULL}'),
 ('timestamptz', '{2024-01-01,infinity,-infinity,"0001-01-01 00:00:00.000001+00","4713-01-01 00:00:00+00 BC","294276-12-31 23:59:59.999999+00",NULL}'),
 ('interval', '{0,"1 year 2 mons 3 days 04:05:06.789","-178000000 years","178000000 years",NULL,"1 mon -30 days"}'),
 ('inet', '{127.0.0.1,10.0.0.0/8,::1,2001:db8::/32,NULL}'),
 ('cidr', '{10.0.0.0/8,2001:db8::/32,NULL}'),
 ('macaddr', '{08:00:2b:01:02:03,NULL,ff:ff:ff:ff:ff:ff}'),
 ('macaddr8', '{08:00:2b:01:02:03:04:05,NULL}'),
 ('json', '{"{\"b\": 1,  \"a\": [1, null]}",null,"[]",NULL}'),
 ('jsonb', '{"{\"b\": 1,  \"a\": [1, null]}","null","[]",NULL,"\"x\""}'),
 ('jsonpath', '{"$.a[*] ? (@ > 1)",NULL}'),
 ('xml', '{"<a b=\"c\">d</a>",NULL,text}'),
 ('bit(9)', '{101010101,000000000,NULL}'),
 ('varbit', '{"",1,101010101010101010101010101,NULL}'),
 ('tsvector', '{"a fat cat","a:1A b:2","",NULL}'),
 ('tsquery', '{"fat & cat","!a",NULL}'),
 ('point', '{"(0,0)","(-1.5,NaN)","(Infinity,1)",NULL}'),
 ('line', '{"{1,2,3}",NULL}'),
 ('lseg', '{"[(0,0),(1,1)]",NULL}'),
 ('box', '{"(1,1),(0,0)",NULL}'),
 ('path', '{"[(0,0),(1,1),(2,0)]","((0,0),(1,1))",NULL}'),
 ('polygon', '{"((0,0),(1,1),(2,0))",NULL}'),
 ('circle', '{"<(0,0),5>",NULL}'),
 ('pg_lsn', '{0/0,FFFFFFFF/FFFFFFFF,16/B374D848,NULL}'),
 ('pg_snapshot', '{10:20:10\,14\,15,NULL}'),
 ('oid', '{0,1,4294967295,NULL}'),
 ('regclass', '{pg_class,pg_type,NULL}'),
 ('regtype', '{int4,text,NULL}'),
 ('regproc', '{now,NULL}'),
 ('xid', '{0,1,4294967295,NULL}'),
 ('xid8', '{0,1,18446744073709551615,NULL}'),
 ('cid', '{0,1,4294967295,NULL}'),
 ('tid', '{"(0,1)","(4294967295,65535)",NULL}'),
 ('int2vector', '{"1 2 3","",NULL}'),
 ('oidvector', '{"1 2 3","",NULL}'),
 ('int4range', '{"[1,10)","(,5)","(,)",empty,NULL}'),
 ('numrange', '{"[1.5,1e50)",empty,NULL}'),
 ('tstzrange', '{"[2024-01-01,2024-02-01)","[2024-01-01,infinity]",NULL}'),
 ('int4multirange', '{"{}","{[1,3),[5,9)}",NULL}'),
 ('tstzmultirange', '{"{[2024-01-01,2024-02-01)}","{}",NULL}'),
 ('int[]', '{"{}","{1,2,3}","{NULL}","{{1,2},{3,4}}","[5:6]={1,2}",NULL}'),
 ('text[]', '{"{}","{a,NULL,\"b c\"}",NULL}'),
 ('float8[]', '{"{NaN,-0,Infinity}","{0}",NULL}'),
 ('timestamptz[]', '{"{2024-01-01,infinity}",NULL}'),
 ('mood', '{sad,ok,happy,NULL}'),
 ('mood[]', '{"{sad,happy}","{}",NULL}'),
 ('pair', '{"(1,x)","(,)","(2,\"a, b\")",NULL}'),
 ('pair[]', '{"{\"(1,x)\",\"(,)\"}",NULL}'),
 ('nested', '{"(\"(1,x)\",\"{1,2}\",ok)","(,,)",NULL}'),
 ('positive', '{1,2147483647,NULL}'),
 ('short_text', '{"",abc,123456789}'),
 ('int_list', '{"{1,2}","{}",NULL}'),
 ('positive[]', '{"{1,2}",NULL}');
CALL check_types();
SELECT count(*) FROM type_list;
SELECT * FROM result ORDER BY 1, 2;

-- signs and payloads that text does not show
CREATE TABLE bits (i int, f4 real, f8 float8) USING nodedb_ts;
INSERT INTO bits VALUES (1, '-0', '-0'), (2, '0', '0'), (3, 'NaN', 'NaN'), (4, '1.4e-45', '4.9e-324'), (5, NULL, NULL);
SELECT i, float4send(f4), float8send(f8) FROM bits ORDER BY i;
SELECT ts_flush('bits') > 0 AS flushed;
SELECT i, float4send(f4), float8send(f8) FROM bits ORDER BY i;
-- NaNs with other payloads come in by the binary format and must come out the same
CREATE TABLE nan_h (b bytea);
INSERT INTO nan_h VALUES ('\x7ff8000000000001'), ('\xfff8000000000000'), ('\x7ff4000000000000'), ('\xffffffffffffffff');
\getenv abs_builddir PG_ABS_BUILDDIR
\set file :abs_builddir '/results/types.data'
COPY nan_h TO :'file' (FORMAT binary);
CREATE TABLE nan_t (f float8) USING nodedb_ts;
COPY nan_t FROM :'file' (FORMAT binary);
SELECT float8send(f) FROM nan_t ORDER BY 1;
SELECT ts_flush('nan_t') > 0 AS flushed;
SELECT float8send(f) FROM nan_t ORDER BY 1;

-- domains and types are checked on the way in
CREATE TABLE d (p positive, s short_text) USING nodedb_ts;
INSERT INTO d VALUES (0, 'x');
INSERT INTO d VALUES (1, '0123456789');
INSERT INTO d VALUES (1, NULL);
INSERT INTO d VALUES (1, 'fits');
ALTER DOMAIN positive ADD CONSTRAINT small CHECK (VALUE < 1000);
INSERT INTO d VALUES (1001, 'x');
ALTER DOMAIN positive ADD CONSTRAINT two CHECK (VALUE > 1);
SELECT * FROM d;

-- an enum that grows while the table holds rows
CREATE TABLE e (m mood) USING nodedb_ts;
INSERT INTO e VALUES ('ok'), ('sad');
ALTER TYPE mood ADD VALUE 'fine' BEFORE 'happy';
INSERT INTO e VALUES ('fine'), ('happy');
SELECT m FROM e ORDER BY m;
SELECT ts_flush('e') > 0 AS flushed;
SELECT m FROM e ORDER BY m;

-- a composite type that changes while rows of it are stored
CREATE TABLE c (p pair) USING nodedb_ts;
INSERT INTO c VALUES ((1, 'one'));
SELECT ts_flush('c') > 0 AS flushed;
INSERT INTO c VALUES ((2, 'two'));
ALTER TYPE pair ADD ATTRIBUTE c int;
SELECT p, (p).a, (p).b, (p).c FROM c ORDER BY (p).a;

-- whole rows, fields, and functions of them
SELECT c FROM c ORDER BY (p).a;
SELECT row_to_json(c) FROM c ORDER BY (p).a;

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'types'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA types CASCADE;
