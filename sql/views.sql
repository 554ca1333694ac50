-- nodedb_ts.tables, ts_table_stats, ts_segments' columns, nodedb_ts.horizon: what they say, and to whom.
CREATE SCHEMA views;
SET search_path = views, public;
SET timezone = 'UTC';
CREATE TABLE t (ts timestamptz NOT NULL, host text, cpu float8, note text) USING nodedb_ts;

-- an empty table
SELECT * FROM nodedb_ts.tables WHERE relation = 't'::regclass;

-- L0
INSERT INTO t VALUES ('2024-01-01', 'a', 1, NULL), ('2024-01-02', 'b', 2, NULL);
INSERT INTO t VALUES ('2024-01-03', 'a', 3, NULL);
SELECT rows, l0_rows, l0_bytes > 0 AS l0, l1_segments, l2_segments, dead_bytes, compression_ratio, oldest, newest
  FROM nodedb_ts.tables WHERE relation = 't'::regclass;
-- rows of the own transaction count, aborted ones do not
BEGIN;
INSERT INTO t VALUES ('2024-01-04', 'c', 4, NULL);
SELECT rows, l0_rows FROM ts_table_stats('t');
ROLLBACK;
SELECT rows, l0_rows FROM ts_table_stats('t');

-- L1, then what is moved is dead until VACUUM frees it
INSERT INTO t SELECT '2024-01-05'::timestamptz + k * interval '1 s', 'host_' || k % 4, k % 100, NULL FROM generate_series(1, 20000) k;
SELECT ts_flush('t');
SELECT rows, l0_rows, l1_segments, l1_bytes > 0 AS l1, l2_segments, dead_bytes > 0 AS dead, compression_ratio > 5 AS ratio, oldest, newest
  FROM nodedb_ts.tables WHERE relation = 't'::regclass;
SELECT sum(rows) = 20003 AS rows, sum(bytes) < sum(pages) * 8192 AS bytes FROM ts_segments('t');
-- every byte belongs somewhere: the rest are the metapage and the directory
SELECT total_bytes - l0_bytes - l1_bytes - l2_bytes - dead_bytes - free_bytes AS rest, total_bytes = pg_relation_size('t') AS total
  FROM ts_table_stats('t');
VACUUM t;
SELECT dead_bytes, rows FROM ts_table_stats('t');

-- codecs by column
SELECT s.rows, c.key AS column, c.value ->> 'codec' AS codec, (c.value ->> 'bytes')::int > 0 AS has_bytes
  FROM ts_segments('t') s, jsonb_each(s.columns) c WHERE s.rows > 10000 ORDER BY 1, 2;
ALTER TABLE t DROP COLUMN cpu, ADD COLUMN "odd ""name" int DEFAULT 1;
SELECT DISTINCT c.key AS column FROM ts_segments('t') s, jsonb_each(s.columns) c ORDER BY 1;

-- times are those of the present time column
CREATE TABLE v (ts bigint, i int) USING nodedb_ts;
INSERT INTO v SELECT -1000000000000000000 + k, k FROM generate_series(1, 20000) k;
INSERT INTO v VALUES (7, 8);
SELECT oldest, newest, time_column FROM nodedb_ts.tables WHERE relation = 'v'::regclass;
ALTER TABLE v ADD COLUMN at timestamptz;
SELECT ts_set_options('v', time_column => 'at');
SELECT oldest, newest, time_column FROM nodedb_ts.tables WHERE relation = 'v'::regclass;
INSERT INTO v SELECT k, k, '2024-01-01'::timestamptz + k * interval '1 min' FROM generate_series(1, 10000) k;
SELECT oldest, newest, time_column FROM nodedb_ts.tables WHERE relation = 'v'::regclass;

-- who holds space back
SELECT count(*) >= 0 AS works FROM nodedb_ts.horizon;

-- heap tables, partitioned tables, views: not in the list
CREATE TABLE heap (i int);
CREATE TABLE p (ts timestamptz) PARTITION BY RANGE (ts);
CREATE TABLE p1 PARTITION OF p DEFAULT USING nodedb_ts;
CREATE MATERIALIZED VIEW m USING nodedb_ts AS SELECT 1 AS one;
SELECT relation FROM nodedb_ts.tables WHERE relation::text IN ('heap', 'p', 'p1', 'm', 't') ORDER BY relation::text;
SELECT * FROM ts_table_stats('heap');
SELECT * FROM ts_table_stats(0);

-- nobody sees what they may not
CREATE ROLE regress_nodedb_ts_none;
CREATE ROLE regress_nodedb_ts_reader;
CREATE ROLE regress_nodedb_ts_stats IN ROLE pg_read_all_stats;
GRANT USAGE ON SCHEMA views TO regress_nodedb_ts_none, regress_nodedb_ts_reader, regress_nodedb_ts_stats;
GRANT SELECT ON t TO regress_nodedb_ts_reader;
SET ROLE regress_nodedb_ts_none;
SELECT count(*) FROM nodedb_ts.tables WHERE relation IN ('t'::regclass, 'm'::regclass);
SELECT rows FROM ts_table_stats('t');
SELECT * FROM ts_segments('t');
SET ROLE regress_nodedb_ts_reader;
SELECT relation, rows FROM nodedb_ts.tables WHERE relation IN ('t'::regclass, 'm'::regclass);
SET ROLE regress_nodedb_ts_stats;
SELECT relation, rows FROM nodedb_ts.tables WHERE relation IN ('t'::regclass, 'm'::regclass) ORDER BY rows;
RESET ROLE;
-- row-level security hides how many there are
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
SET ROLE regress_nodedb_ts_reader;
SELECT relation, rows FROM nodedb_ts.tables WHERE relation = 't'::regclass;
RESET ROLE;
SELECT relation, rows FROM nodedb_ts.tables WHERE relation = 't'::regclass;
DROP OWNED BY regress_nodedb_ts_none, regress_nodedb_ts_reader, regress_nodedb_ts_stats;
DROP ROLE regress_nodedb_ts_none, regress_nodedb_ts_reader, regress_nodedb_ts_stats;

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'views'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA views CASCADE;
