-- nodedb_ts.activity and nodedb_ts.progress without preload: who sees which rows, NULLs, and the hint.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS activity CASCADE;
DROP ROLE IF EXISTS activity_owner, activity_reader, activity_monitor;
RESET client_min_messages;
CREATE SCHEMA activity;
SET search_path = activity, public;
CREATE ROLE activity_owner;
CREATE ROLE activity_reader;
CREATE ROLE activity_monitor;
GRANT pg_read_all_stats TO activity_monitor;
GRANT USAGE, CREATE ON SCHEMA activity TO activity_owner, activity_reader, activity_monitor;

SET ROLE activity_owner;
CREATE TABLE mine (ts timestamptz, i int) USING nodedb_ts;
CREATE TABLE shared (ts timestamptz, i int) USING nodedb_ts;
CREATE TABLE ordinary (ts timestamptz, i int) USING heap;
GRANT SELECT ON shared TO activity_reader;
INSERT INTO mine VALUES ('2024-01-01', 1);
SELECT ts_flush('mine');

-- the owner: both; what needs shared memory is NULL
SELECT * FROM nodedb_ts.activity WHERE relation::text IN ('mine', 'shared', 'ordinary') ORDER BY relation::text \gx
SET client_min_messages = warning;
SELECT relation FROM nodedb_ts.activity WHERE relation::text IN ('mine', 'shared', 'ordinary') ORDER BY relation::text;
-- who may read one sees one
SET ROLE activity_reader;
SELECT relation FROM nodedb_ts.activity WHERE relation::text IN ('mine', 'shared', 'ordinary') ORDER BY relation::text;
-- who monitors sees all
SET ROLE activity_monitor;
SELECT relation FROM nodedb_ts.activity WHERE relation::text IN ('mine', 'shared', 'ordinary') ORDER BY relation::text;
-- nothing runs
SELECT * FROM nodedb_ts.progress;
-- other commands' progress is not ours, and is left alone
RESET ROLE;
COPY mine FROM stdin;
2024-01-01 00:00:01+00	2
\.
SELECT * FROM nodedb_ts.progress;
-- a flush that failed runs no more
BEGIN;
INSERT INTO mine VALUES ('2024-01-01', 3);
SET LOCAL nodedb_ts.fault = 'flush_page:error';
SELECT ts_flush('mine');
ROLLBACK;
SELECT * FROM nodedb_ts.progress;
DROP TABLE shared;
SELECT relation FROM nodedb_ts.activity WHERE relation::text IN ('mine', 'shared', 'ordinary') ORDER BY relation::text;

SELECT t.oid::regclass AS table, v.* FROM pg_class t, LATERAL ts_verify(t.oid) v
WHERE t.relnamespace = 'activity'::regnamespace AND t.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
SET client_min_messages = warning;
DROP SCHEMA activity CASCADE;
DROP ROLE activity_owner, activity_reader, activity_monitor;
