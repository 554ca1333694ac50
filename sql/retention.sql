-- ts_enforce_retention: segments whose newest row is too old go, and old rows of small batches.
CREATE SCHEMA retention;
SET search_path = retention, public;
SET timezone = 'UTC';

-- what the memtable's own test says: buckets of a day, two of four segments die
CREATE TABLE t (ts timestamptz NOT NULL, host text, v float8) USING nodedb_ts;
CREATE FUNCTION day(d date) RETURNS void LANGUAGE sql AS $$
  INSERT INTO t SELECT d + k * interval '8 seconds', 'host_' || k % 3, k FROM generate_series(0, 10799) k $$;
SELECT day('2024-01-01'), day('2024-01-02'), day('2024-01-03'), day('2024-01-04');
SELECT count(*) FROM ts_segments('t');
SELECT ts_enforce_retention('t', interval '36 hours', '2024-01-04 00:00+00');
SELECT min(ts), count(*) FROM t;
-- rows exactly at the cutoff stay
SELECT max(ts) AS newest FROM t WHERE ts < '2024-01-03' \gset
SELECT ts_enforce_retention('t', interval '0', :'newest');
SELECT ts_enforce_retention('t', interval '0', :'newest'::timestamptz + interval '1 us');
SELECT min(ts), count(*) FROM t;
-- literals, months, defaults
SELECT ts_enforce_retention('t', '1 month', '2024-02-01');
SELECT ts_enforce_retention('t', '1 month', '2024-02-04');
SELECT ts_enforce_retention('t', max_age => '1 day', as_of => '2024-01-05');
SELECT min(ts), count(*) FROM t;
SELECT ts_enforce_retention('t', interval '1000 years');

-- rolled back, in a savepoint too, and seen by nobody else until it is committed
BEGIN;
SELECT ts_enforce_retention('t', interval '1 day');
SELECT count(*) FROM t;
SELECT ts_enforce_retention('t', interval '1 day');
ROLLBACK;
SELECT count(*) FROM t;
BEGIN;
SAVEPOINT s;
SELECT ts_enforce_retention('t', interval '1 day');
ROLLBACK TO s;
SELECT count(*) FROM t;
SELECT ts_enforce_retention('t', interval '1 day');
DECLARE after_it CURSOR FOR SELECT count(*) FROM t;
INSERT INTO t VALUES ('2024-01-04', 'new', 1);
FETCH after_it;
SELECT count(*) FROM t;
COMMIT;
SELECT * FROM t;
VACUUM t;
SELECT count(*) FROM ts_verify('t');
-- a cursor opened before goes on
TRUNCATE t;
SELECT day('2024-01-01'), day('2024-01-02');
BEGIN;
DECLARE c CURSOR FOR SELECT ts FROM t;
FETCH 1 FROM c;
SELECT ts_enforce_retention('t', interval '1 day');
MOVE FORWARD ALL FROM c;
SELECT count(*) FROM t;
ROLLBACK;

-- small batches: old rows go one by one, rows without a time and new ones stay
CREATE TABLE s (ts timestamptz, host text) USING nodedb_ts;
INSERT INTO s VALUES ('2024-01-01', 'old');
INSERT INTO s VALUES ('2024-01-02', 'at the cutoff'), ('2024-01-01 23:59:59.999999', 'just before'), (NULL, 'no time'), ('infinity', 'for ever'), ('-infinity', 'since ever');
INSERT INTO s VALUES ('2024-01-03', 'new');
SELECT ts_enforce_retention('s', interval '0', '2024-01-02');
SELECT * FROM s ORDER BY ts, host;
SELECT count(*) FROM ts_segments('s');
-- the transaction's own small batches are in progress
BEGIN;
INSERT INTO s VALUES ('2023-01-01', 'mine');
SELECT ts_enforce_retention('s', interval '0', '2024-01-02');
SELECT count(*) FROM s WHERE host = 'mine';
COMMIT;
SELECT ts_enforce_retention('s', interval '0', '2024-01-02');
SELECT count(*) FROM s WHERE host = 'mine';
-- rows without a time have segments of their own, which stay
CREATE TABLE n (ts timestamptz, k int) USING nodedb_ts;
INSERT INTO n SELECT CASE WHEN k % 2 = 0 THEN '2024-01-01'::timestamptz END, k FROM generate_series(1, 20000) k;
SELECT ts_enforce_retention('n', interval '1 day') > 0 AS deleted;
SELECT count(*), count(ts) FROM n;

-- other time types
CREATE TABLE d (d date, k int) USING nodedb_ts;
INSERT INTO d SELECT '2024-01-01'::date + k / 9000, k FROM generate_series(0, 35999) k;
SELECT ts_enforce_retention('d', interval '12 hours', '2024-01-03 12:00');
SELECT ts_enforce_retention('d', interval '12 hours', '2024-01-03 12:00:01');
SELECT min(d), count(*) FROM d;
CREATE TABLE w (ts timestamp, k int) USING nodedb_ts;
INSERT INTO w SELECT '2024-03-31 00:00'::timestamp + k * interval '1 s', k FROM generate_series(0, 20000) k;
SET timezone = 'Asia/Tokyo';
-- 20 000 s are 05:33:20 of the local day
SELECT ts_enforce_retention('w', interval '0', '2024-03-30 20:33:20+00');
SELECT ts_enforce_retention('w', interval '0', '2024-03-30 20:33:21+00');
SET timezone = 'UTC';
CREATE TABLE i (ts bigint, v int) USING nodedb_ts;
INSERT INTO i SELECT k, k FROM generate_series(1, 10000) k;
SELECT ts_enforce_retention('i', 10, 10010);
SELECT ts_enforce_retention('i', '10', '10010');
SELECT ts_enforce_retention('i', 9223372036854775807, -9223372036854775807);
SELECT ts_enforce_retention('i', max_age => 9, as_of => 10010);
SELECT count(*) FROM i;

-- partitions of a table, by its name
CREATE TABLE p (ts timestamptz, k int) PARTITION BY RANGE (ts);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2024-02-01') USING nodedb_ts;
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2024-02-01') TO ('2024-03-01') USING nodedb_ts;
CREATE TABLE p3 PARTITION OF p FOR VALUES FROM ('2024-03-01') TO ('2024-04-01');
INSERT INTO p SELECT '2024-01-31 12:00'::timestamptz + k * interval '1 s', k FROM generate_series(1, 80000) k;
INSERT INTO p VALUES ('2024-03-01', 0);
SELECT ts_enforce_retention('p', interval '1 day', '2024-02-02') > 0 AS deleted;
SELECT min(ts), count(*) FROM p;
SELECT ts_enforce_retention('p', interval '1 day') > 0 AS deleted;
SELECT * FROM p;

-- a row of any age in the same transaction as its end
BEGIN;
INSERT INTO d SELECT '2020-01-01', k FROM generate_series(1, 20000) k;
SELECT ts_enforce_retention('d', interval '3 years', '2024-01-01');
SELECT count(*) FROM d WHERE d < '2021-01-01';
SAVEPOINT s;
SELECT ts_enforce_retention('d', interval '0', '2025-01-01');
ROLLBACK TO s;
COMMIT;
SELECT min(d), count(*) FROM d;

-- a segment that was made with another time column stays
CREATE TABLE two (a timestamptz, b timestamptz) USING nodedb_ts;
INSERT INTO two SELECT '2020-01-01', '2024-01-01' FROM generate_series(1, 10000);
ALTER TABLE two DROP COLUMN a;
SELECT ts_enforce_retention('two', interval '1 day', '2024-01-01');
SELECT count(*) FROM two;

-- few of them, too, and neither do those that are far away keep others
CREATE TABLE few (ts timestamptz, k int) USING nodedb_ts;
INSERT INTO few SELECT '2024-01-01'::timestamptz + k % 2 * interval '1 day', k FROM generate_series(1, 3000) k;
INSERT INTO few VALUES (NULL, 0), ('infinity', 0), ('-infinity', 0), ('3000-01-01', 0);
SELECT ts_flush('few');
SELECT rows, min_time, max_time FROM ts_segments('few') ORDER BY min_time;
SELECT ts_enforce_retention('few', interval '0', '2024-01-02');
SELECT ts_enforce_retention('few', interval '1 day');
SELECT * FROM few ORDER BY ts;

-- by the tables' options, all of them or one
CREATE TABLE kept (ts timestamptz, k int) USING nodedb_ts WITH (nodedb_ts.retention = '7 days', nodedb_ts.bucket = '1 hour');
INSERT INTO kept SELECT now() - interval '30 days' + k * interval '1 s', k FROM generate_series(1, 20000) k;
INSERT INTO kept VALUES (now(), 0), (now() - interval '8 days', 1);
CREATE FUNCTION clock() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT 100000::bigint';
CREATE TABLE counted (ts bigint, k int) USING nodedb_ts WITH (nodedb_ts.now_function = 'retention.clock', nodedb_ts.retention = '90000', nodedb_ts.bucket = '10000');
INSERT INTO counted SELECT k, k FROM generate_series(1, 30000) k;
SELECT ts_enforce_retention('kept') > 0 AS deleted;
SELECT count(*) FROM kept;
SELECT ts_enforce_retention();
SELECT min(ts), count(*) FROM counted;
SELECT ts_enforce_retention('counted', 80001);
SELECT min(ts) FROM counted;
-- the function is called as the table's owner, who may have lost it
CREATE ROLE regress_nodedb_ts_clock;
GRANT ALL ON SCHEMA retention TO regress_nodedb_ts_clock;
ALTER TABLE counted OWNER TO regress_nodedb_ts_clock;
CREATE OR REPLACE FUNCTION clock() RETURNS bigint LANGUAGE plpgsql STABLE AS $$ BEGIN RAISE NOTICE 'as %', current_user; RETURN 100000; END $$;
SELECT ts_enforce_retention('counted');
REVOKE EXECUTE ON FUNCTION clock FROM PUBLIC;
SELECT ts_enforce_retention('counted');
CREATE OR REPLACE FUNCTION clock() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT NULL::bigint';
GRANT EXECUTE ON FUNCTION clock TO PUBLIC;
SELECT ts_enforce_retention('counted');
DROP TABLE counted;
DROP OWNED BY regress_nodedb_ts_clock;
DROP ROLE regress_nodedb_ts_clock;

-- it is no reading
BEGIN READ ONLY;
SELECT ts_enforce_retention('few', interval '1 day');
ROLLBACK;

-- errors
\set VERBOSITY default
SELECT ts_enforce_retention('t', interval '-1 day');
SELECT ts_enforce_retention('t', '-1 day');
SELECT ts_enforce_retention('t', interval '1 mon -30 days', '2024-03-15');
SELECT ts_enforce_retention('t', 'yesterday');
SELECT ts_enforce_retention('t', 10);
SELECT ts_enforce_retention('i', interval '1 day');
SELECT ts_enforce_retention('i', 10);
SELECT ts_enforce_retention('i', -1, 5);
SELECT ts_enforce_retention('i', '1 day');
SELECT ts_enforce_retention('t', interval '1 day', 'infinity');
SELECT ts_enforce_retention('t', interval '178000000 years');
SELECT ts_enforce_retention('t', NULL::interval);
SELECT ts_enforce_retention(NULL, interval '1 day');
SELECT ts_enforce_retention('t');
SELECT ts_enforce_retention();
SELECT ts_enforce_retention('p3', interval '1 day');
CREATE TABLE timeless (a int, b text) USING nodedb_ts;
SELECT ts_enforce_retention('timeless', interval '1 day');
CREATE ROLE regress_nodedb_ts_retention;
GRANT USAGE ON SCHEMA retention TO regress_nodedb_ts_retention;
GRANT ALL ON t TO regress_nodedb_ts_retention;
SET ROLE regress_nodedb_ts_retention;
SELECT ts_enforce_retention('t', interval '1 day');
SELECT ts_enforce_retention();
RESET ROLE;
DROP OWNED BY regress_nodedb_ts_retention;
DROP ROLE regress_nodedb_ts_retention;

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'retention'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA retention CASCADE;
