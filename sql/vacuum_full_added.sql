-- VACUUM FULL copies rows as they were written: columns that were added later keep the value they have in older rows
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS vacuum_full_added CASCADE;
RESET client_min_messages;
CREATE SCHEMA vacuum_full_added;
SET search_path = vacuum_full_added, public;

CREATE TABLE t (i int, gone int) USING nodedb_ts;
CREATE TABLE h (LIKE t) USING heap;
CREATE FUNCTION same() RETURNS text LANGUAGE sql AS $$
  SELECT CASE WHEN (SELECT string_agg(t::text, ' ' ORDER BY t::text) FROM t) = (SELECT string_agg(h::text, ' ' ORDER BY h::text) FROM h)
    THEN 'same' ELSE 'different' END $$;
INSERT INTO t SELECT i, i FROM generate_series(1, 20000) i;
INSERT INTO h SELECT i, i FROM generate_series(1, 20000) i;
INSERT INTO t VALUES (20001, 1);
INSERT INTO h VALUES (20001, 1);
ALTER TABLE t ADD COLUMN a int DEFAULT 7, ADD COLUMN b int, ADD COLUMN c float8 DEFAULT 'NaN' NOT NULL, DROP COLUMN gone;
ALTER TABLE h ADD COLUMN a int DEFAULT 7, ADD COLUMN b int, ADD COLUMN c float8 DEFAULT 'NaN' NOT NULL, DROP COLUMN gone;
INSERT INTO t VALUES (20002, 1, 1, 1);
INSERT INTO h VALUES (20002, 1, 1, 1);
ALTER TABLE t ADD COLUMN d text DEFAULT repeat('long ', 60);
ALTER TABLE h ADD COLUMN d text DEFAULT repeat('long ', 60);
-- another default changes no old row
ALTER TABLE t ALTER a SET DEFAULT 8;
ALTER TABLE h ALTER a SET DEFAULT 8;
SELECT count(a), count(b), count(c), count(d), same() FROM t;
VACUUM FULL t;
SELECT count(a), count(b), count(c), count(d), same() FROM t;
VACUUM FULL t;
SELECT ts_flush('t') >= 0 AS flushed;
INSERT INTO t (i, c) VALUES (20003, 2);
INSERT INTO h (i, c) VALUES (20003, 2);
SELECT count(a), count(b), count(c), count(d), same() FROM t;
VACUUM FULL t;
ALTER TABLE t ALTER i TYPE bigint;
SELECT count(a), count(b), count(c), count(d), same() FROM t;
-- a rewrite has made complete rows, so nothing has to be kept any more
VACUUM FULL t;
SELECT attname FROM pg_attribute WHERE attrelid = 't'::regclass AND atthasmissing;
SELECT count(a), count(b), count(c), count(d), same() FROM t;

SET client_min_messages = warning;
SELECT v.* FROM ts_verify('t') v;
DROP SCHEMA vacuum_full_added CASCADE;
