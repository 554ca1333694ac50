-- Values of 1 MB and 10 MB, compressible and not, in text, bytea, jsonb and arrays.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS large_values CASCADE;
RESET client_min_messages;
CREATE SCHEMA large_values;
SET search_path = large_values, public;
SET max_parallel_workers_per_gather = 0;

-- bytes that no compressor shortens
CREATE FUNCTION noise(bytes int, seed int) RETURNS bytea LANGUAGE sql AS $$
  SELECT substr(string_agg(sha256((seed || ':' || i)::bytea), ''::bytea ORDER BY i), 1, bytes) FROM generate_series(1, bytes / 32 + 1) i
$$;

CREATE TABLE n (ts timestamptz, i int, t text, b bytea) USING nodedb_ts;
CREATE TABLE h (LIKE n) USING heap;
CREATE FUNCTION same() RETURNS TABLE (i int, t bool, b bool, tlen int, blen int) LANGUAGE sql AS $$
  SELECT i, n.t IS NOT DISTINCT FROM h.t, n.b IS NOT DISTINCT FROM h.b, length(n.t), length(n.b)
  FROM n FULL JOIN h USING (ts, i) ORDER BY i
$$;

-- around every border a format may have: short headers, toast, pages
INSERT INTO h SELECT '2024-01-01'::timestamptz + i * interval '1 s', i, repeat('x', i), noise(i, i)
  FROM unnest('{0,1,2,125,126,127,128,129,255,256,1999,2000,2032,2033,4095,4096,8000,8100,8159,8160,8191,8192,8193,16384,65535,65536,65537}'::int[]) i;
INSERT INTO n SELECT * FROM h;
SELECT count(*), bool_and(t), bool_and(b), sum(tlen), sum(blen) FROM same();
SELECT ts_flush('n') >= 0 AS flushed;
SELECT count(*), bool_and(t), bool_and(b), sum(tlen), sum(blen) FROM same();
-- the same, each in a transaction of its own
TRUNCATE n;
DO $$
DECLARE r h;
BEGIN
  FOR r IN SELECT * FROM h ORDER BY i LOOP
    INSERT INTO n SELECT r.*;
    COMMIT;
  END LOOP;
END $$;
SELECT count(*), bool_and(t), bool_and(b), sum(tlen), sum(blen) FROM same();
SELECT ts_flush('n') >= 0 AS flushed;
SELECT count(*), bool_and(t), bool_and(b), sum(tlen), sum(blen) FROM same();

-- 1 MB and 10 MB
TRUNCATE n, h;
INSERT INTO h VALUES ('2024-01-01', 1, repeat('abc', 350000), noise(1048576, 1));
INSERT INTO h VALUES ('2024-01-01', 2, encode(noise(524288, 2), 'hex'), NULL);
INSERT INTO h VALUES ('2024-01-01', 3, NULL, decode(repeat('00', 10485760), 'hex'));
INSERT INTO h VALUES ('2024-01-01', 4, repeat('0123456789', 1048576), noise(10485760, 4));
INSERT INTO h VALUES ('2024-01-01', 5, 'short', '\x01');
INSERT INTO n SELECT * FROM h ORDER BY i;
SELECT * FROM same();
SELECT ts_flush('n') >= 0 AS flushed;
SELECT * FROM same();
-- a column beside the large one is read alone, a piece of the large one too
SELECT i, substr(t, 1000000, 5), octet_length(t) FROM n ORDER BY i;
SELECT sum(i) FROM n;

-- small and large rows in one transaction, part of it rolled back
BEGIN;
INSERT INTO n SELECT '2024-01-02', 100 + i, 'small', NULL FROM generate_series(1, 1000) i;
SAVEPOINT s;
INSERT INTO n VALUES ('2024-01-02', 6, repeat('gone', 1000000), noise(2000000, 6));
ROLLBACK TO s;
INSERT INTO n VALUES ('2024-01-02', 7, repeat('kept', 1000000), noise(2000000, 7));
INSERT INTO n SELECT '2024-01-02', 2000 + i, 'small', NULL FROM generate_series(1, 1000) i;
COMMIT;
SELECT count(*), sum(length(t)), sum(length(b)), count(*) FILTER (WHERE t = 'small'), count(*) FILTER (WHERE i = 6) FROM n;
SELECT md5(b) = md5(noise(2000000, 7)) AS same, t = repeat('kept', 1000000) AS same FROM n WHERE i = 7;

-- by COPY, which reads lines of that size
\getenv abs_builddir PG_ABS_BUILDDIR
\set file :abs_builddir '/results/large_values.data'
COPY h TO :'file';
TRUNCATE n;
COPY n FROM :'file';
SELECT * FROM same();
COPY n TO :'file' (FORMAT binary);
TRUNCATE n;
COPY n FROM :'file' (FORMAT binary);
SELECT * FROM same();
COPY (SELECT 1) TO :'file';

-- arrays, jsonb and composites that are large
CREATE TYPE big AS (i int, t text);
CREATE TABLE v (a int[], j jsonb, c big, ts text[]) USING nodedb_ts;
CREATE TABLE vh (LIKE v) USING heap;
INSERT INTO vh SELECT array_agg(i), jsonb_object_agg(i, 'v' || i), ROW(1, repeat('x', 500000))::big, array_agg('t' || i)
  FROM generate_series(1, 100000) i;
INSERT INTO v SELECT * FROM vh;
SELECT v.a = vh.a, v.j = vh.j, v.c = vh.c, v.ts = vh.ts, v.ts[77777] FROM v, vh;
SELECT ts_flush('v') >= 0 AS flushed;
SELECT v.a = vh.a, v.j = vh.j, v.c = vh.c, v.ts = vh.ts, v.ts[77777] FROM v, vh;

-- toasted values of a heap table do not depend on it afterwards
CREATE TABLE src (t text);
ALTER TABLE src ALTER t SET STORAGE EXTERNAL;
INSERT INTO src VALUES (repeat('0123456789', 10000));
CREATE TABLE dst (t text) USING nodedb_ts;
BEGIN;
INSERT INTO dst SELECT * FROM src;
DELETE FROM src;
DROP TABLE src;
COMMIT;
SELECT t = repeat('0123456789', 10000) AS same FROM dst;

-- many rows of middle size: more than any buffer holds
CREATE TABLE mid (ts timestamptz, i int, p text) USING nodedb_ts;
INSERT INTO mid SELECT '2024-01-01'::timestamptz + i * interval '1 s', i, repeat(md5(i::text), 300) FROM generate_series(1, 3000) i;
SELECT count(*), sum(length(p)), count(*) FILTER (WHERE p <> repeat(md5(i::text), 300)) FROM mid;
SELECT ts_flush('mid') >= 0 AS flushed;
SELECT count(*), sum(length(p)), count(*) FILTER (WHERE p <> repeat(md5(i::text), 300)) FROM mid;

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'large_values'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA large_values CASCADE;
