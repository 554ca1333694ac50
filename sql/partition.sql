-- Partitions of this kind under a partitioned table, alone and beside heap's.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS partition CASCADE;
RESET client_min_messages;
CREATE SCHEMA partition;
SET search_path = partition, public;
-- rows (as text) that stand in only one of two tables, duplicates counted
CREATE FUNCTION twin_diff(a regclass, b regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM ((SELECT x::text FROM %1$s x EXCEPT ALL SELECT x::text FROM %2$s x)
                  UNION ALL (SELECT x::text FROM %2$s x EXCEPT ALL SELECT x::text FROM %1$s x)) d', a, b) INTO n;
  RETURN n;
END $$;

CREATE TABLE m (ts timestamptz NOT NULL, host text, v int) PARTITION BY RANGE (ts);
CREATE TABLE m1 PARTITION OF m FOR VALUES FROM ('2024-01-01') TO ('2024-02-01') USING nodedb_ts;
CREATE TABLE m2 PARTITION OF m FOR VALUES FROM ('2024-02-01') TO ('2024-03-01') USING nodedb_ts;
CREATE TABLE m3 PARTITION OF m FOR VALUES FROM ('2024-03-01') TO ('2024-04-01') USING heap;
CREATE TABLE h (LIKE m);
INSERT INTO h SELECT '2024-01-01'::timestamptz + i * interval '4 min', 'h' || i % 9, i FROM generate_series(1, 30000) i;
INSERT INTO m SELECT * FROM h;
SELECT count(*), twin_diff('m', 'h') FROM m;
SELECT tableoid::regclass AS part, count(*), min(v), max(v) FROM m GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM m WHERE ts >= '2024-01-31' AND ts < '2024-02-02';
SELECT ts_flush('m1') >= 0 AS m1, ts_flush('m2') >= 0 AS m2;
SELECT count(*), twin_diff('m', 'h') FROM m;
INSERT INTO m VALUES ('2025-01-01', 'x', 0);
INSERT INTO m1 VALUES ('2024-02-01', 'x', 0);
INSERT INTO m VALUES ('2024-01-31 23:59', 'x', 1), ('2024-02-01', 'y', 2), ('2024-03-02', 'z', 3) RETURNING tableoid::regclass, v;
INSERT INTO h VALUES ('2024-01-31 23:59', 'x', 1), ('2024-02-01', 'y', 2), ('2024-03-02', 'z', 3);
SELECT twin_diff('m', 'h');
-- COPY into several partitions in turn
COPY m FROM stdin;
2024-01-05	a	1
2024-02-05	a	2
2024-03-05	a	3
2024-01-06	a	4
2024-02-06	a	5
2024-03-06	a	6
\.
SELECT tableoid::regclass AS part, count(*) FROM m WHERE host = 'a' GROUP BY 1 ORDER BY 1;
COPY m FROM stdin;
2024-01-05	never	1
2024-02-05	never	2
2026-03-05	never	3
\.
SELECT count(*) FROM m WHERE host = 'never';
\getenv abs_builddir PG_ABS_BUILDDIR
\set file :abs_builddir '/results/partition.data'
COPY (SELECT * FROM h ORDER BY v % 3, v) TO :'file';
TRUNCATE m;
COPY m FROM :'file';
SELECT count(*), twin_diff('m', 'h') FROM m;

-- attach and detach, with columns in another order and one dropped
CREATE TABLE m4 (v int, gone int, host text, ts timestamptz NOT NULL) USING nodedb_ts;
INSERT INTO m4 SELECT i, 0, 'four', '2024-04-01'::timestamptz + i * interval '1 hour' FROM generate_series(0, 99) i;
ALTER TABLE m4 DROP COLUMN gone;
ALTER TABLE m ATTACH PARTITION m4 FOR VALUES FROM ('2024-04-01') TO ('2024-05-01');
SELECT count(*), sum(v) FROM m WHERE host = 'four';
INSERT INTO m VALUES ('2024-04-02', 'four', 1000) RETURNING tableoid::regclass, *;
SELECT count(*), sum(v) FROM m WHERE host = 'four';
CREATE TABLE bad (LIKE m4) USING nodedb_ts;
INSERT INTO bad VALUES (1, 'x', '2024-07-01');
ALTER TABLE m ATTACH PARTITION bad FOR VALUES FROM ('2024-05-01') TO ('2024-06-01');
ALTER TABLE m DETACH PARTITION m4;
SELECT count(*) FROM m4;
SELECT count(*) FROM m WHERE host = 'four';
-- a default partition
CREATE TABLE md PARTITION OF m DEFAULT USING nodedb_ts;
INSERT INTO m SELECT '2030-01-01'::timestamptz + i * interval '1 day', 'default', i FROM generate_series(1, 3000) i;
SELECT tableoid::regclass, count(*) FROM m WHERE host = 'default' GROUP BY 1;
CREATE TABLE m5 PARTITION OF m FOR VALUES FROM ('2030-01-01') TO ('2031-01-01') USING nodedb_ts;
CREATE TABLE m5 PARTITION OF m FOR VALUES FROM ('2040-01-01') TO ('2041-01-01') USING nodedb_ts;
-- list and hash, two levels; sub-partitions take the default access method
SET default_table_access_method = nodedb_ts;
CREATE TABLE l (k text, v int) PARTITION BY LIST (k);
CREATE TABLE la PARTITION OF l FOR VALUES IN ('a') PARTITION BY HASH (v);
CREATE TABLE la0 PARTITION OF la FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE la1 PARTITION OF la FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE lb PARTITION OF l FOR VALUES IN ('b', NULL);
RESET default_table_access_method;
SELECT c.relname, a.amname FROM pg_class c LEFT JOIN pg_am a ON a.oid = c.relam WHERE c.relname LIKE 'l%' AND c.relnamespace = 'partition'::regnamespace ORDER BY 1;
INSERT INTO l SELECT (ARRAY['a', 'b', NULL])[1 + i % 3], i FROM generate_series(1, 30000) i;
SELECT k, count(*), sum(v) FROM l GROUP BY k ORDER BY k;
SELECT count(*) > 4000 FROM la0;
SELECT count(*) > 4000 FROM la1;
SELECT (SELECT count(*) FROM la0) + (SELECT count(*) FROM la1) AS a;
-- partition-wise plans and runtime pruning
SET enable_partitionwise_aggregate = on;
SET enable_partitionwise_join = on;
SELECT k, count(*), sum(v) FROM l GROUP BY k ORDER BY k;
PREPARE p(timestamptz) AS SELECT count(*) FROM m WHERE ts >= $1 AND ts < $1 + interval '1 day';
SET plan_cache_mode = force_generic_plan;
EXECUTE p('2024-01-15');
EXECUTE p('2024-03-15');
RESET plan_cache_mode;
-- AFTER ROW triggers on the parent, a foreign key on the parent
CREATE TABLE log (t regclass, v int);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (TG_RELID, NEW.v); RETURN NULL; END $$;
CREATE TRIGGER n AFTER INSERT ON m FOR EACH ROW EXECUTE FUNCTION note();
INSERT INTO m VALUES ('2024-01-09', 'trg', 1), ('2024-02-09', 'trg', 2), ('2024-03-09', 'trg', 3);
SELECT * FROM log ORDER BY v;
-- dropping and truncating parts in a transaction that fills them
BEGIN;
INSERT INTO m SELECT '2024-01-10', 'b', i FROM generate_series(1, 1000) i;
TRUNCATE m1;
INSERT INTO m VALUES ('2024-01-11', 'kept', 1);
SELECT count(*) FROM m1;
SAVEPOINT s;
DROP TABLE m2;
ROLLBACK TO s;
COMMIT;
SELECT tableoid::regclass, count(*) FROM m WHERE ts < '2024-03-01' GROUP BY 1 ORDER BY 1;

-- more partitions than COPY keeps slots for: what it holds does not grow with the rows
CREATE TABLE many (p int, host text) PARTITION BY LIST (p);
DO $$ BEGIN FOR i IN 0 .. 39 LOOP EXECUTE format('CREATE TABLE many_%s PARTITION OF many FOR VALUES IN (%s) USING nodedb_ts', i, i); END LOOP; END $$;
CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE 'held by COPY: %', CASE WHEN max(total_bytes) > 8000000 THEN max(total_bytes)::text ELSE 'less than 8 MB' END
    FROM pg_backend_memory_contexts WHERE name <> 'CacheMemoryContext';
  RETURN NULL;
END $$;
CREATE TRIGGER held AFTER INSERT ON many FOR EACH STATEMENT EXECUTE FUNCTION held();
COPY many FROM PROGRAM 'awk "BEGIN { for (i = 0; i < 60000; i++) print int(i / 6) % 40, \"host\" i % 3 }"' (DELIMITER ' ');
SELECT count(*), count(DISTINCT p), count(DISTINCT host) FROM many;

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'partition'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA partition CASCADE;
