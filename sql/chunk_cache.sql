-- Chunks that a session has read stay in its memory: what it reads must be what the table holds, whatever happened since.
CREATE TABLE cc_heap (ts timestamptz NOT NULL, host text, v float8, w int8);
CREATE TABLE cc (LIKE cc_heap) USING nodedb_ts;

-- rows of both tables, as one line
CREATE FUNCTION cc_same() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	sums text = 'SELECT count(*), sum(hashtextextended(x::text, 0)::numeric), sum(w), max(ts) FROM %s x';
	a record;
	b record;
BEGIN
	EXECUTE format(sums, 'cc_heap') INTO a;
	EXECUTE format(sums, 'cc') INTO b;
	RETURN CASE WHEN a IS NOT DISTINCT FROM b THEN 'same' ELSE a::text || ' <> ' || b::text END;
END $$;
CREATE FUNCTION cc_fill(seed int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO cc_heap SELECT '2024-01-01'::timestamptz + i * interval '1 min', 'h' || (i + seed) % 7, sin(i * seed), i * seed
		FROM generate_series(1, 20000) i;
	INSERT INTO cc SELECT '2024-01-01'::timestamptz + i * interval '1 min', 'h' || (i + seed) % 7, sin(i * seed), i * seed
		FROM generate_series(1, 20000) i;
$$;

SELECT cc_fill(1), ts_flush('cc');
SELECT cc_same(), cc_same();
-- the file is emptied in place, and its generations start again
BEGIN;
TRUNCATE cc, cc_heap;
SELECT cc_fill(2), cc_same(), cc_same();
TRUNCATE cc, cc_heap;
SELECT cc_fill(3), cc_same(), cc_same();
SAVEPOINT s;
TRUNCATE cc, cc_heap;
SELECT cc_fill(4), cc_same();
ROLLBACK TO s;
SELECT cc_same();
COMMIT;
SELECT cc_same();
BEGIN;
TRUNCATE cc, cc_heap;
SELECT cc_fill(5), cc_same();
ROLLBACK;
SELECT cc_same();
-- rewritten, compacted, moved, with another row type
SELECT count(*) > 0 AS compacted FROM ts_compact('cc', before => 'infinity');
SELECT cc_same();
VACUUM FULL cc;
SELECT cc_same();
ALTER TABLE cc ADD COLUMN extra int DEFAULT 5;
ALTER TABLE cc_heap ADD COLUMN extra int DEFAULT 5;
SELECT cc_same();
ALTER TABLE cc ALTER w TYPE numeric;
ALTER TABLE cc_heap ALTER w TYPE numeric;
SELECT cc_same();
ALTER TABLE cc DROP COLUMN v;
ALTER TABLE cc_heap DROP COLUMN v;
SELECT cc_same();
DROP TABLE cc;
CREATE TABLE cc (LIKE cc_heap) USING nodedb_ts;
INSERT INTO cc SELECT * FROM cc_heap;
SELECT ts_flush('cc'), cc_same(), cc_same();

-- more than is kept, with cursors in the midst of it
CREATE TABLE cc_large (ts timestamptz NOT NULL, a float8, b float8) USING nodedb_ts;
INSERT INTO cc_large SELECT '2024-01-01'::timestamptz + i * interval '1 s', sin(i), cos(i) FROM generate_series(1, 800000) i;
SELECT ts_flush('cc_large');
SELECT pg_relation_size('cc_large') > 10 * 1024 * 1024 AS is_large;
BEGIN;
DECLARE c CURSOR FOR SELECT ts, a::numeric(9, 6), b::numeric(9, 6) FROM cc_large;
MOVE 100000 IN c;
SELECT count(*), sum(a)::numeric(20, 6), sum(b)::numeric(20, 6) FROM cc_large;
FETCH 1 FROM c;
MOVE 500000 IN c;
SELECT count(a + b), sum(a + b)::numeric(20, 6) FROM cc_large;
FETCH 1 FROM c;
COMMIT;
SELECT used_bytes BETWEEN 1 AND 10 * 1024 * 1024 AS within_bounds FROM pg_backend_memory_contexts WHERE name = 'nodedb_ts cached chunks';
-- what open cursors refer to stays for so long, and no longer
DO $$
DECLARE
	cursors refcursor[];
	of_row_group refcursor;
	row record;
BEGIN
	FOR g IN 0 .. 11 LOOP
		of_row_group := NULL;
		OPEN of_row_group NO SCROLL FOR SELECT ts, a, b FROM cc_large WHERE ts > '2024-01-01'::timestamptz + (g * 65536 + 5000) * interval '1 s';
		FETCH of_row_group INTO row;
		cursors := cursors || of_row_group;
	END LOOP;
	RAISE NOTICE 'more is referred to than is kept: %', (SELECT used_bytes > 9 * 1024 * 1024 FROM pg_backend_memory_contexts WHERE name = 'nodedb_ts cached chunks');
	FOREACH of_row_group IN ARRAY cursors LOOP
		CLOSE of_row_group;
	END LOOP;
END $$;
SELECT used_bytes BETWEEN 1 AND 8.5 * 1024 * 1024 AS within_bounds FROM pg_backend_memory_contexts WHERE name = 'nodedb_ts cached chunks';

SELECT ts_verify('cc'), ts_verify('cc_large');
DROP TABLE cc, cc_heap, cc_large;
DROP FUNCTION cc_same, cc_fill;
