-- Cursors that go forth and back over a scan node, without SCROLL as with it, compared with the rows in their order.
CREATE TABLE back_ts (ts timestamp, host text, n int) USING nodedb_ts WITH (nodedb_ts.series_columns = 'host');
INSERT INTO back_ts SELECT '2026-01-01'::timestamp + i * interval '1 second', 'host-' || i % 7, i FROM generate_series(1, 4000) i;
SELECT ts_flush('back_ts') >= 0 AS flushed;
INSERT INTO back_ts SELECT '2026-01-02'::timestamp + i * interval '1 second', 'host-' || i % 7, i + 4000 FROM generate_series(1, 2000) i;
SELECT ts_flush('back_ts') >= 0 AS flushed;
INSERT INTO back_ts SELECT '2026-01-03'::timestamp + i * interval '1 second', 'host-' || i % 7, i + 6000 FROM generate_series(1, 300) i;
EXPLAIN (COSTS OFF) DECLARE c CURSOR FOR SELECT n FROM back_ts WHERE n % 3 = 1 AND host = 'host-2';

-- random moves of any length; position 0 is before the first row, that of n + 1 behind the last
CREATE FUNCTION walk(conditions text, steps int) RETURNS TABLE (row_count int, moves int, wrong int) LANGUAGE plpgsql AS $$
DECLARE c refcursor; place int := 0; expected int[]; v int; k int; step int; q text := 'SELECT n FROM back_ts ' || conditions;
BEGIN
  PERFORM setseed(0.25);
  EXECUTE 'SELECT array_agg(n) FROM (' || q || ' OFFSET 0) x' INTO expected;
  row_count := coalesce(cardinality(expected), 0); moves := 0; wrong := 0;
  OPEN c FOR EXECUTE q;
  FOR i IN 1 .. steps LOOP
    k := CASE i % 4 WHEN 0 THEN (random() * 3000)::int ELSE (random() * 5)::int + 1 END;
    FOR step IN 1 .. k LOOP
      moves := moves + 1;
      IF i % 3 = 1 THEN
        FETCH BACKWARD FROM c INTO v;
        place := greatest(place - 1, 0);
      ELSE
        FETCH FORWARD FROM c INTO v;
        place := least(place + 1, row_count + 1);
      END IF;
      IF v IS DISTINCT FROM expected[place] THEN wrong := wrong + 1; END IF;
    END LOOP;
  END LOOP;
  CLOSE c;
  RETURN NEXT;
END $$;
SELECT * FROM walk('', 60);
SELECT * FROM walk('WHERE host = ''host-2''', 60);
SELECT * FROM walk('WHERE n % 3 = 1', 60);
SELECT * FROM walk('WHERE n BETWEEN 3990 AND 4010 OR n > 6295', 60);
SELECT * FROM walk('WHERE n < 0', 10);
SELECT * FROM walk('WHERE ts > ''2026-01-02 00:10'' AND length(host) = 6', 60);
BEGIN;
DECLARE c CURSOR FOR SELECT n FROM back_ts WHERE n > 6298 OR n < 3;
FETCH ALL FROM c;
FETCH BACKWARD 2 FROM c;
FETCH 1 FROM c;
FETCH BACKWARD ALL FROM c;
FETCH 2 FROM c;
FETCH LAST FROM c;
FETCH PRIOR FROM c;
COMMIT;
DROP FUNCTION walk;
DROP TABLE back_ts;
