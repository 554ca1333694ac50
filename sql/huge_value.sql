-- One value of 100 MB goes in and comes out, and what cannot fit says so.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS huge_value CASCADE;
RESET client_min_messages;
CREATE SCHEMA huge_value;
SET search_path = huge_value, public;
SET max_parallel_workers_per_gather = 0;

-- 10 MB that do not compress, ten times over: further apart than a window of zstd's default level
CREATE TABLE piece (b bytea);
ALTER TABLE piece ALTER b SET STORAGE EXTERNAL;
INSERT INTO piece SELECT substr(string_agg(sha256(i::text::bytea), ''::bytea ORDER BY i), 1, 10485760) FROM generate_series(1, 327681) i;
SELECT length(b) FROM piece;

CREATE TABLE n (ts timestamptz, i int, b bytea) USING nodedb_ts;
INSERT INTO n SELECT '2024-01-01', 1, string_agg(b, ''::bytea) FROM piece, generate_series(1, 10);
SELECT i, length(b) FROM n;
SELECT md5(b) = (SELECT md5(string_agg(p.b, ''::bytea)) FROM piece p, generate_series(1, 10)) AS same FROM n;
-- text that compresses well
CREATE TABLE t (ts timestamptz, i int, t text) USING nodedb_ts;
INSERT INTO t VALUES ('2024-01-01', 1, repeat('0123456789', 10485760));
SELECT i, length(t), md5(t) = md5(repeat('0123456789', 10485760)) AS same FROM t;
SELECT ts_flush('n') >= 0 AS n, ts_flush('t') >= 0 AS t;
SELECT i, length(b), md5(substr(b, 73400321, 10485760)) = (SELECT md5(b) FROM piece) AS same FROM n;
SELECT i, length(t), md5(t) = md5(repeat('0123456789', 10485760)) AS same FROM t;
-- the table still takes small rows, and a rolled back large one leaves none
INSERT INTO n SELECT '2024-01-01', 1 + i, '\x00' FROM generate_series(1, 100) i;
BEGIN;
INSERT INTO n SELECT '2024-01-01', 0, b FROM n WHERE i = 1;
SELECT count(*), sum(length(b)) FROM n;
ROLLBACK;
SELECT count(*), sum(i), sum(length(b)) FROM n;
-- INSERT ... SELECT of it into the other access method and back
CREATE TABLE h AS SELECT * FROM n WHERE i = 1;
SELECT h.b = n.b AS same FROM h JOIN n USING (i);

SET client_min_messages = warning;
DROP SCHEMA huge_value CASCADE;
