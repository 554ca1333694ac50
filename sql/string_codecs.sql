-- Short strings that hardly repeat: codes of symbols (FSST) at level 1, the smallest form at level 2.
CREATE SCHEMA string_codecs;
SET search_path = string_codecs, public;
SET TIME ZONE 'UTC';
CREATE TABLE h (ts timestamptz NOT NULL, device text, address varchar(20), code char(12));
INSERT INTO h
SELECT timestamptz '2024-01-01' + g * interval '1 s',
  CASE WHEN g % 97 <> 5 THEN 'sensor-' || lpad((g * 7919 % 1000003)::text, 7, '0') || '-' || chr(65 + (g % 4)::int) END,
  '10.' || g * 31 % 4 || '.' || g * 7919 % 251 || '.' || g * 104729 % 253 || CASE WHEN g % 50 = 0 THEN ' (old)' ELSE '' END,
  to_hex(g * 2654435761 % 4294967291)
FROM generate_series(1::bigint, 30000) g;
CREATE TABLE t (LIKE h) USING nodedb_ts;
INSERT INTO t SELECT * FROM h;
SELECT ts_flush('t') >= 0 AS flushed;
SELECT DISTINCT c.key AS column, c.value ->> 'codec' AS codec FROM ts_segments('t') s, jsonb_each(s.columns) c
WHERE c.key IN ('device', 'address') ORDER BY 1;
SELECT count(*) FROM (TABLE h EXCEPT ALL TABLE t) x;
SELECT count(*) FROM (TABLE t EXCEPT ALL TABLE h) x;
-- conditions, order and keys of groups
SELECT * FROM t WHERE device = 'sensor-0791900-A' ORDER BY ts;
SELECT count(*), min(device), max(address) FROM t WHERE device LIKE 'sensor-00%' OR address LIKE '%(old)';
SELECT count(*), min(device), max(address) FROM h WHERE device LIKE 'sensor-00%' OR address LIKE '%(old)';
SELECT left(address, 6) AS net, count(*), count(device) FROM t WHERE ts < '2024-01-01 01:00' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3;
SELECT left(address, 6) AS net, count(*), count(device) FROM h WHERE ts < '2024-01-01 01:00' GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 3;
SELECT * FROM ts_verify('t');
SELECT count(*) > 0 AS compacted FROM ts_compact('t', before => 'infinity');
SELECT level, sum(rows) FROM ts_segments('t') GROUP BY 1;
SELECT count(*) FROM (TABLE h EXCEPT ALL TABLE t) x;
SELECT * FROM ts_verify('t');
SET client_min_messages = warning;
DROP SCHEMA string_codecs CASCADE;
