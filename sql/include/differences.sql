-- Compares queries on heap and on tables of ours. In each, {} stands for the table. `settings`: under which it is asked on
-- ours, one after the other ('name = value, ...'). Under the first of them, `used` counts the plans of which a line is LIKE
-- `pattern`, or, when that begins with !, of which none is. `explain` makes the plan. `sorted`: the order of rows is no matter.
CREATE FUNCTION compare_queries(queries text[], heap text, ours text, settings text[], pattern text, sorted boolean, explain text DEFAULT 'EXPLAIN')
RETURNS TABLE (compared int, different int, used int) LANGUAGE plpgsql AS $$
DECLARE
  answer CONSTANT text = CASE WHEN sorted THEN 'SELECT string_agg(x::text, E''\n'' ORDER BY x::text COLLATE "C") FROM (%s) x'
                              ELSE 'SELECT string_agg(x::text, E''\n'') FROM (%s) x' END;
  query text; expected text; given text; line text; found boolean; equal boolean;
BEGIN
  compared := 0; different := 0; used := 0;
  FOREACH query IN ARRAY queries LOOP
    EXECUTE format(answer, replace(query, '{}', heap)) INTO expected;
    equal := true;
    FOR i IN 1 .. array_length(settings, 1) LOOP
      PERFORM set_config(split_part(s, ' = ', 1), split_part(s, ' = ', 2), true) FROM unnest(string_to_array(settings[i], ', ')) s;
      EXECUTE format(answer, replace(query, '{}', ours)) INTO given;
      equal := equal AND expected IS NOT DISTINCT FROM given;
      CONTINUE WHEN i > 1 OR pattern IS NULL;
      found := false;
      FOR line IN EXECUTE explain || ' ' || replace(query, '{}', ours) LOOP
        found := found OR line LIKE ltrim(pattern, '!');
      END LOOP;
      used := used + (found <> (pattern LIKE '!%'))::int;
    END LOOP;
    compared := compared + 1;
    IF NOT equal THEN
      different := different + 1;
      RAISE NOTICE 'different: %', query;
    END IF;
  END LOOP;
  RETURN NEXT;
END $$;
