-- Publications: changes of our tables are not decoded. Who names one is refused; who means many is warned.
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS publication CASCADE;
DROP SCHEMA IF EXISTS publication_other CASCADE;
CREATE SCHEMA publication;
CREATE SCHEMA publication_other;
SET search_path = publication, public;
-- what is published: of heap's table and of the same one of ours
CREATE VIEW published AS SELECT pubname, schemaname, tablename FROM pg_publication_tables WHERE pubname LIKE 'regress_nts%' ORDER BY 1, 2, 3;

-- no table of ours, no word of it
CREATE TABLE h (i int PRIMARY KEY);
CREATE PUBLICATION regress_nts_all FOR ALL TABLES;
CREATE PUBLICATION regress_nts_schema FOR TABLES IN SCHEMA publication;
SET client_min_messages = warning;
CREATE TABLE plain (i int);
-- a table under publications that are there; kinds that heap would not publish either
CREATE TABLE t (ts timestamptz, i int) USING nodedb_ts;
CREATE TABLE publication_other.o (ts timestamptz, i int) USING nodedb_ts;
CREATE TEMP TABLE tmp (i int) USING nodedb_ts;
CREATE UNLOGGED TABLE u (i int) USING nodedb_ts;
CREATE MATERIALIZED VIEW mv USING nodedb_ts AS SELECT 1 AS i;
CREATE TABLE made USING nodedb_ts AS SELECT 1 AS i;
-- inserts work, whatever is published
INSERT INTO t VALUES ('2024-01-01', 1);
SELECT * FROM t;
-- one that becomes such a table: another access method, logged, another schema
ALTER TABLE plain SET ACCESS METHOD nodedb_ts;
ALTER TABLE plain ALTER i TYPE bigint;
ALTER TABLE plain SET ACCESS METHOD heap;
ALTER TABLE u SET LOGGED;
ALTER TABLE u SET UNLOGGED;
ALTER TABLE publication_other.o SET SCHEMA publication;
ALTER TABLE o SET SCHEMA publication_other;
ALTER TABLE t RENAME TO t2;
ALTER TABLE t2 RENAME TO t;
SELECT * FROM published WHERE tablename <> 'h' AND schemaname LIKE 'publication%';
DROP PUBLICATION regress_nts_all, regress_nts_schema;

-- the other order: the tables are there. (A new session, in which nothing of ours was opened, is tested by the
-- TAP test of subscriptions.)
DROP TABLE made, tmp;
SET client_min_messages = error;
CREATE PUBLICATION regress_nts_empty;
SET client_min_messages = warning;
ALTER PUBLICATION regress_nts_empty ADD TABLES IN SCHEMA publication;
ALTER PUBLICATION regress_nts_empty SET TABLES IN SCHEMA publication_other;
ALTER PUBLICATION regress_nts_empty DROP TABLES IN SCHEMA publication_other;
ALTER PUBLICATION regress_nts_empty ADD TABLE h;
ALTER PUBLICATION regress_nts_empty ADD TABLE t;
ALTER PUBLICATION regress_nts_empty SET TABLE h, t;
ALTER PUBLICATION regress_nts_empty SET (publish = 'insert');
SELECT * FROM published;
DROP PUBLICATION regress_nts_empty;
CREATE PUBLICATION regress_nts_named FOR TABLE t;
CREATE PUBLICATION regress_nts_named FOR TABLE h, publication_other.o;
CREATE PUBLICATION regress_nts_named FOR TABLE t, TABLES IN SCHEMA publication_other;
-- a member does not become one of ours
SET client_min_messages = error;
CREATE PUBLICATION regress_nts_named FOR TABLE h, plain;
SET client_min_messages = warning;
ALTER TABLE plain SET ACCESS METHOD nodedb_ts;
ALTER TABLE plain SET ACCESS METHOD nodedb_ts, ADD COLUMN x int;
SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE c.oid = 'plain'::regclass;
SELECT * FROM published;

-- partitions: a published parent takes none of ours, at any depth
CREATE TABLE p (ts timestamptz, i int) PARTITION BY RANGE (ts);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2024-02-01') PARTITION BY LIST (i);
ALTER PUBLICATION regress_nts_named ADD TABLE p;
CREATE TABLE p11 PARTITION OF p1 FOR VALUES IN (1) USING nodedb_ts;
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2024-02-01') TO ('2024-03-01') USING nodedb_ts;
CREATE TABLE p2 (ts timestamptz, i int) USING nodedb_ts;
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
CREATE TABLE p3 PARTITION OF p FOR VALUES FROM ('2024-03-01') TO ('2024-04-01') USING heap;
ALTER TABLE p3 SET ACCESS METHOD nodedb_ts;
-- a partitioned table comes with its parts
CREATE TABLE p4 (ts timestamptz, i int) PARTITION BY LIST (i);
CREATE TABLE p41 PARTITION OF p4 FOR VALUES IN (1) USING nodedb_ts;
ALTER TABLE p ATTACH PARTITION p4 FOR VALUES FROM ('2024-04-01') TO ('2024-05-01');
-- and is refused as a member, once it has one
ALTER PUBLICATION regress_nts_named ADD TABLE p4;
ALTER PUBLICATION regress_nts_named DROP TABLE p;
ALTER TABLE p ATTACH PARTITION p4 FOR VALUES FROM ('2024-04-01') TO ('2024-05-01');
ALTER PUBLICATION regress_nts_named ADD TABLE p;
ALTER PUBLICATION regress_nts_named ADD TABLE p1;
DROP PUBLICATION regress_nts_named;
-- parts in a schema that is not published, their parent in one that is
CREATE TABLE publication_other.p5 (ts timestamptz, i int) USING nodedb_ts;
SET client_min_messages = error;
CREATE PUBLICATION regress_nts_schema;
SET client_min_messages = warning;
ALTER PUBLICATION regress_nts_schema ADD TABLES IN SCHEMA publication;
ALTER TABLE p ATTACH PARTITION publication_other.p5 FOR VALUES FROM ('2024-05-01') TO ('2024-06-01');
CREATE TABLE publication_other.p6 PARTITION OF p FOR VALUES FROM ('2024-06-01') TO ('2024-07-01') USING nodedb_ts;
CREATE TABLE p7 PARTITION OF p FOR VALUES FROM ('2024-07-01') TO ('2024-08-01') USING nodedb_ts;
ALTER PUBLICATION regress_nts_schema SET TABLES IN SCHEMA publication_other;
DROP TABLE t, p2, publication_other.o, p7;
ALTER PUBLICATION regress_nts_schema SET TABLES IN SCHEMA publication;
-- many of them are counted (wal_level below logical brings a warning of PostgreSQL's own)
DO $$ BEGIN FOR k IN 10 .. 29 LOOP EXECUTE format('CREATE TABLE publication_other.m%s (i int) USING nodedb_ts', k); END LOOP; END $$;
CREATE PUBLICATION regress_nts_all FOR ALL TABLES;
DROP PUBLICATION regress_nts_all, regress_nts_schema;
-- only as an event trigger
SELECT nodedb_ts_ddl_start();

-- DROP EXTENSION tells the way back, and changes nothing
DO $$ BEGIN FOR k IN 10 .. 29 LOOP EXECUTE format('DROP TABLE publication_other.m%s', k); END LOOP; END $$;
DROP EXTENSION nodedb_ts;
DROP EXTENSION IF EXISTS plpgsql, nodedb_ts RESTRICT;
-- without event triggers PostgreSQL's own refusal is left: what to do when the library is gone
SET session_replication_role = replica;
\set VERBOSITY terse
DROP EXTENSION nodedb_ts;
\set VERBOSITY default
RESET session_replication_role;
BEGIN;
SELECT format('ALTER %s %s SET ACCESS METHOD heap', CASE relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, c.oid::regclass)
  FROM pg_class c JOIN pg_am a ON a.oid = relam AND amname = 'nodedb_ts' ORDER BY 1 \gexec
DROP EXTENSION nodedb_ts;
SELECT count(*) FROM mv;
ROLLBACK;
BEGIN;
DROP EXTENSION nodedb_ts CASCADE;
SELECT to_regclass('mv') IS NULL AS mv_gone, to_regclass('publication.p41') IS NULL AS p41_gone, to_regclass('h') IS NOT NULL AS h_there;
SELECT count(*) FROM pg_event_trigger WHERE evtname LIKE 'nodedb_ts%';
ROLLBACK;
SELECT count(*) FROM mv;

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'publication'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA publication CASCADE;
DROP SCHEMA publication_other CASCADE;
