-- Create, insert, copy, select, NULLs.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS basic CASCADE;
RESET client_min_messages;
CREATE SCHEMA basic;
SET search_path = basic, public;
-- rows (as text) that stand in only one of two tables, duplicates counted
CREATE FUNCTION twin_diff(a regclass, b regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
  EXECUTE format('SELECT count(*) FROM ((SELECT x::text FROM %1$s x EXCEPT ALL SELECT x::text FROM %2$s x)
                  UNION ALL (SELECT x::text FROM %2$s x EXCEPT ALL SELECT x::text FROM %1$s x)) d', a, b) INTO n;
  RETURN n;
END $$;

-- the access method and what it says of itself
SELECT amname, amtype FROM pg_am WHERE amname = 'nodedb_ts';
CREATE TABLE m (ts timestamptz NOT NULL, host text, cpu float8, n int) USING nodedb_ts;
SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE c.oid = 'm'::regclass;
CREATE TABLE h (LIKE m) USING heap;

-- an empty table
SELECT * FROM m;
SELECT count(*) FROM m;
SELECT ts_flush('m');
SELECT count(*) FROM ts_segments('m');
SELECT count(*) FROM m;

-- single rows, several rows, defaults of columns left out
INSERT INTO m VALUES ('2024-01-01 00:00:00+00', 'a', 1.5, 1);
INSERT INTO m VALUES ('2024-01-01 00:00:10+00', 'b', NULL, 2), ('2024-01-01 00:00:20+00', NULL, 3.25, NULL);
INSERT INTO m (ts) VALUES ('2024-01-01 00:00:05+00');
SELECT ts AT TIME ZONE 'UTC' AS ts, host, cpu, n FROM m ORDER BY ts;
SELECT count(*), count(host), count(cpu), count(n) FROM m;
SELECT host, cpu FROM m WHERE host = 'b';
SELECT n FROM m WHERE cpu IS NULL ORDER BY n NULLS LAST;

-- constraints that the executor checks
INSERT INTO m VALUES (NULL, 'x', 0, 0);
ALTER TABLE m ADD CONSTRAINT positive CHECK (n > 0);
INSERT INTO m VALUES ('2024-01-01', 'x', 0, 0);
SELECT count(*) FROM m;
ALTER TABLE m DROP CONSTRAINT positive;

-- the same after a move into segments, and rows behind them
SELECT ts_flush('m') > 0 AS flushed;
SELECT ts AT TIME ZONE 'UTC' AS ts, host, cpu, n FROM m ORDER BY ts;
INSERT INTO m VALUES ('2023-12-31 23:59:59+00', 'c', '-0', 7);
SELECT ts AT TIME ZONE 'UTC' AS ts, host, cpu, n FROM m ORDER BY ts;

-- COPY in its three formats, both ways, against a heap table
TRUNCATE m;
INSERT INTO h SELECT '2024-03-01 00:00:00+00'::timestamptz + i * interval '7 seconds',
    CASE WHEN i % 11 = 0 THEN NULL ELSE 'host_' || i % 13 END,
    CASE WHEN i % 17 = 0 THEN NULL WHEN i % 101 = 0 THEN 'NaN' ELSE (i * 7919 % 1000) / 8.0 END,
    CASE WHEN i % 5 <> 0 THEN i END
  FROM generate_series(1, 20000) i;
\getenv abs_builddir PG_ABS_BUILDDIR
\set file :abs_builddir '/results/basic.data'
COPY h TO :'file';
COPY m FROM :'file';
SELECT count(*), twin_diff('m', 'h') FROM m;
TRUNCATE m;
COPY h TO :'file' (FORMAT csv, HEADER, FORCE_QUOTE *);
COPY m FROM :'file' (FORMAT csv, HEADER);
SELECT count(*), twin_diff('m', 'h') FROM m;
TRUNCATE m;
COPY h TO :'file' (FORMAT binary);
COPY m FROM :'file' (FORMAT binary);
SELECT count(*), twin_diff('m', 'h') FROM m;
-- and out of it
TRUNCATE h;
COPY m TO :'file' (FORMAT binary);
COPY h FROM :'file' (FORMAT binary);
SELECT count(*), twin_diff('m', 'h') FROM m;
COPY m (n, host) TO :'file' (FORMAT csv);
CREATE TABLE part (n int, host text) USING nodedb_ts;
COPY part (n, host) FROM :'file' (FORMAT csv);
SELECT count(*), count(n), count(host), sum(n) FROM part;
TRUNCATE m;
COPY h TO :'file';
COPY m FROM :'file' WHERE n % 2 = 0;
SELECT count(*), count(n), sum(n) FROM m;
COPY m (ts, host) FROM stdin;
2025-01-01 00:00:00+00	x\ty
2025-01-02 00:00:00+00	\N
2025-01-03 00:00:00+00	
\.
SELECT ts AT TIME ZONE 'UTC' AS ts, host, cpu, n FROM m WHERE ts >= '2025-01-01 00:00:00+00' ORDER BY ts;
COPY (SELECT host FROM m WHERE ts >= '2025-01-01 00:00:00+00' ORDER BY ts) TO stdout;

-- INSERT ... SELECT in both directions
TRUNCATE m;
INSERT INTO m SELECT * FROM h;
SELECT twin_diff('m', 'h');
CREATE TABLE h2 (LIKE h);
INSERT INTO h2 SELECT * FROM m;
SELECT twin_diff('h2', 'h');

-- aggregates, grouping, joins, projections of single columns
SELECT host, count(*), sum(n), min(cpu), max(n) FROM m GROUP BY host ORDER BY host;
SELECT count(*) FROM m JOIN h USING (ts, host, n);
SELECT count(*), count(DISTINCT host) FROM m WHERE ts BETWEEN '2024-03-01 03:00:00+00' AND '2024-03-01 04:00:00+00';
SELECT ts AT TIME ZONE 'UTC' AS ts, host, n FROM m ORDER BY ts DESC LIMIT 3;
SELECT ts AT TIME ZONE 'UTC' AS ts, host, n FROM m ORDER BY ts LIMIT 3;

-- the same again from segments
SELECT ts_flush('m') >= 0 AS flushed;
SELECT twin_diff('m', 'h');
SELECT host, count(*), sum(n), min(cpu), max(n) FROM m GROUP BY host ORDER BY host;
-- all in segments now, each counted in one
SELECT sum(rows), min(level) > 0 AS no_batches, bool_and(bytes > 0) AS has_bytes FROM ts_segments('m');

-- rows out of order, and equal rows
TRUNCATE m, h;
INSERT INTO m SELECT '2024-06-01 00:00:00+00'::timestamptz + ((i * 7919) % 5003) * interval '1 hour', 'h' || i % 3, i % 10, i % 7
  FROM generate_series(1, 5000) i;
INSERT INTO h SELECT '2024-06-01 00:00:00+00'::timestamptz + ((i * 7919) % 5003) * interval '1 hour', 'h' || i % 3, i % 10, i % 7
  FROM generate_series(1, 5000) i;
INSERT INTO m SELECT '2024-06-01 00:00:00+00', 'same', 1, 1 FROM generate_series(1, 3000);
INSERT INTO h SELECT '2024-06-01 00:00:00+00', 'same', 1, 1 FROM generate_series(1, 3000);
SELECT count(*), twin_diff('m', 'h') FROM m;
SELECT ts_flush('m') >= 0 AS flushed;
SELECT count(*), twin_diff('m', 'h') FROM m;
SELECT ts_flush('m');
INSERT INTO m SELECT * FROM h;
INSERT INTO h SELECT * FROM h;
SELECT count(*), twin_diff('m', 'h') FROM m;

-- dropping the extension with tables left is refused
\set VERBOSITY sqlstate
DROP EXTENSION nodedb_ts;
\set VERBOSITY default

SET client_min_messages = warning;
-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'basic'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA basic CASCADE;
