-- ts_train_dictionary: learning, later segments that use it, every way in which tables change
CREATE SCHEMA train_dictionary;
SET search_path = train_dictionary, public;
\set VERBOSITY terse
SET client_min_messages = notice;
SET timezone = 'UTC';
CREATE FUNCTION pg_temp.word(k int) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT substr(md5((abs(hashint4(k)) % 3000)::text), 1, 9) $$;
CREATE FUNCTION pg_temp.line(i int) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT 'GET /' || pg_temp.word(i) || '/' || pg_temp.word(i + 70000) || '?user=' || pg_temp.word(i + 7654321) || '&n=' || i % 1000 $$;
-- what a column's chunks are coded with, segment by segment
CREATE FUNCTION pg_temp.codecs(tab regclass, col text) RETURNS TABLE (level int, codec text, dictionary int, has_bytes boolean) LANGUAGE sql AS
$$ SELECT level, columns->col->>'codec', (columns->col->>'dictionary')::int, (columns->col->>'dictionary_bytes')::int > 100
   FROM ts_segments(tab) ORDER BY segment $$;
-- rows that are not as they were put in, and what ts_verify finds
CREATE FUNCTION pg_temp.wrong(tab regclass) RETURNS TABLE (rows bigint, wrong bigint, problems bigint) LANGUAGE plpgsql AS
$$ DECLARE v bigint; BEGIN
  SELECT count(*) INTO v FROM ts_verify(tab);
  RETURN QUERY EXECUTE format('SELECT count(*), count(*) FILTER (WHERE message <> pg_temp.line(n)), %s::bigint FROM %s', v, tab);
END $$;
CREATE FUNCTION pg_temp.insert_rows(tab regclass, first int, count int) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN
  EXECUTE format('INSERT INTO %s (ts, host, message, n) SELECT ''2024-01-01''::timestamptz + i * interval ''1 s'', ''h'' || i %% 10, pg_temp.line(i), i FROM generate_series(%s, %s) i', tab, first, first + count - 1);
END $$;

CREATE TABLE logs (ts timestamptz, host text, message text, n int) USING nodedb_ts;
-- nothing to learn from
SELECT * FROM ts_train_dictionary('logs', 'message');
SELECT pg_temp.insert_rows('logs', 1, 200);
SELECT * FROM ts_train_dictionary('logs', 'message');
SELECT pg_temp.insert_rows('logs', 201, 19800);
-- names repeat: codes take less than any dictionary could save
SELECT * FROM ts_train_dictionary('logs', 'host');
SELECT relation, dictionary, bytes > 1000 AS has_bytes, test_values > 5000 AS tested, test_bytes_with < test_bytes_without * 0.97 AS pays
FROM ts_train_dictionary('logs', 'message');
-- what is there stays as it is, what comes uses it
SELECT pg_temp.insert_rows('logs', 100001, 10000);
SELECT * FROM pg_temp.codecs('logs', 'message');
SELECT count(*) FROM ts_segments('logs') WHERE columns->'host' ? 'dictionary' OR columns->'n' ? 'dictionary';
SELECT pg_temp.insert_rows('logs', 200001, 2000);
SELECT ts_flush('logs');
SELECT * FROM pg_temp.codecs('logs', 'message');
SELECT * FROM pg_temp.wrong('logs');
SELECT count(*) FROM logs WHERE message LIKE 'GET /' || pg_temp.word(100005) || '/%' AND n = 100005;
SELECT max(message) = (SELECT max(pg_temp.line(i)) FROM generate_series(200001, 202000) i) FROM logs WHERE n > 200000;

-- a transaction's own dictionary is not used before it has committed
BEGIN;
SELECT dictionary FROM ts_train_dictionary('logs', 'message');
SELECT pg_temp.insert_rows('logs', 300001, 9000);
SELECT level, dictionary FROM pg_temp.codecs('logs', 'message') OFFSET 3;
-- but another one is made beside it
SAVEPOINT s;
SELECT dictionary FROM ts_train_dictionary('logs', 'message');
ROLLBACK TO s;
SELECT dictionary FROM ts_train_dictionary('logs', 'message');
COMMIT;
SELECT pg_temp.insert_rows('logs', 400001, 9000);
SELECT level, dictionary FROM pg_temp.codecs('logs', 'message') OFFSET 4;
BEGIN;
SELECT dictionary FROM ts_train_dictionary('logs', 'message');
ROLLBACK;
SELECT pg_temp.insert_rows('logs', 500001, 9000);
SELECT level, dictionary FROM pg_temp.codecs('logs', 'message') OFFSET 5;
SELECT * FROM pg_temp.wrong('logs');
-- old ones stay as long as a segment refers to them, also when the table is written anew
VACUUM logs;
VACUUM logs;
SELECT * FROM pg_temp.wrong('logs');
VACUUM FULL logs;
SELECT level, dictionary FROM pg_temp.codecs('logs', 'message');
SELECT * FROM pg_temp.wrong('logs');
SELECT pg_temp.insert_rows('logs', 600001, 9000);
SELECT level, dictionary FROM pg_temp.codecs('logs', 'message') OFFSET 6;
-- merging reads with the ones that segments were written with, and writes with the newest
SELECT segments_in, segments_out, rows FROM ts_compact('logs', timestamptz '2024-02-01');
SELECT count(*) FROM pg_temp.codecs('logs', 'message') WHERE level = 2;
SELECT * FROM pg_temp.wrong('logs');

-- rolled back, then for good: a new file knows no dictionary
BEGIN;
TRUNCATE logs;
SELECT pg_temp.insert_rows('logs', 1, 9000);
SELECT level, dictionary FROM pg_temp.codecs('logs', 'message');
ROLLBACK;
SELECT * FROM pg_temp.wrong('logs');
TRUNCATE logs;
SELECT pg_temp.insert_rows('logs', 1, 9000);
SELECT level, dictionary FROM pg_temp.codecs('logs', 'message');
-- emptied in place
BEGIN;
CREATE TABLE fresh (ts timestamptz, host text, message text, n int) USING nodedb_ts;
SELECT pg_temp.insert_rows('fresh', 1, 20000);
SELECT dictionary FROM ts_train_dictionary('fresh', 'message');
TRUNCATE fresh;
SELECT pg_temp.insert_rows('fresh', 50001, 20000);
SELECT dictionary FROM ts_train_dictionary('fresh', 'message');
COMMIT;
SELECT pg_temp.insert_rows('fresh', 20001, 9000);
SELECT level, dictionary FROM pg_temp.codecs('fresh', 'message');
SELECT * FROM pg_temp.wrong('fresh');

-- columns: each has one of its own; a new set takes the others over, but not of columns that are gone
ALTER TABLE fresh ADD COLUMN path varchar, ADD COLUMN note text DEFAULT repeat('a default that older rows have ', 200);
CREATE FUNCTION pg_temp.insert_paths(first int, count int) RETURNS void LANGUAGE sql AS
$$ INSERT INTO fresh SELECT '2024-01-01'::timestamptz + i * interval '1 s', 'h', pg_temp.line(i), i, pg_temp.line(i + 17), 'n' || i FROM generate_series(first, first + count - 1) i $$;
SELECT pg_temp.insert_paths(100001, 20000);
SELECT dictionary FROM ts_train_dictionary('fresh', 'note');
SELECT dictionary FROM ts_train_dictionary('fresh', 'path');
SELECT pg_temp.insert_paths(200001, 9000);
SELECT m.dictionary, p.dictionary FROM pg_temp.codecs('fresh', 'message') WITH ORDINALITY m, pg_temp.codecs('fresh', 'path') WITH ORDINALITY p WHERE m.ordinality = p.ordinality;
SELECT count(*) FROM fresh WHERE path = pg_temp.line(n + 17);
ALTER TABLE fresh DROP COLUMN path;
SELECT * FROM pg_temp.wrong('fresh');
SELECT dictionary FROM ts_train_dictionary('fresh', 'message');
SELECT * FROM pg_temp.wrong('fresh');
-- a type that is stored alike keeps it, a rewrite makes a new file
ALTER TABLE fresh ALTER COLUMN message TYPE varchar;
SELECT * FROM pg_temp.wrong('fresh');
SELECT pg_temp.insert_rows('fresh', 300001, 9000);
SELECT level, dictionary FROM pg_temp.codecs('fresh', 'message') OFFSET 4;
ALTER TABLE fresh ALTER COLUMN n TYPE bigint;
SELECT count(*) FROM pg_temp.codecs('fresh', 'message') WHERE dictionary IS NOT NULL;
SELECT count(*), count(*) FILTER (WHERE message <> pg_temp.line(n::int)) FROM fresh;
DROP TABLE fresh;

-- temporary and unlogged tables, partitions
CREATE TEMP TABLE brief (ts timestamptz, host text, message text, n int) USING nodedb_ts;
SELECT pg_temp.insert_rows('brief', 1, 20000);
SELECT dictionary FROM ts_train_dictionary('brief', 'message');
SELECT pg_temp.insert_rows('brief', 20001, 9000);
SELECT dictionary FROM ts_train_dictionary('brief', 'message');
SELECT pg_temp.insert_rows('brief', 40001, 9000);
VACUUM brief;
SELECT level, dictionary FROM pg_temp.codecs('brief', 'message');
SELECT * FROM pg_temp.wrong('brief');
CREATE UNLOGGED TABLE light (ts timestamptz, host text, message text, n int) USING nodedb_ts;
SELECT pg_temp.insert_rows('light', 1, 20000);
SELECT dictionary FROM ts_train_dictionary('light', 'message');
SELECT pg_temp.insert_rows('light', 20001, 9000);
SELECT level, dictionary FROM pg_temp.codecs('light', 'message');
SELECT * FROM pg_temp.wrong('light');
CREATE TABLE parts (ts timestamptz, host text, message text, n int) PARTITION BY RANGE (n);
SELECT ts_train_dictionary('parts', 'nix');
CREATE TABLE part1 PARTITION OF parts FOR VALUES FROM (0) TO (20001) USING nodedb_ts;
CREATE TABLE part2 PARTITION OF parts FOR VALUES FROM (20001) TO (40001) USING nodedb_ts;
CREATE TABLE part3 PARTITION OF parts FOR VALUES FROM (40001) TO (40010) USING nodedb_ts;
CREATE TABLE part4 PARTITION OF parts FOR VALUES FROM (40010) TO (40020) USING heap;
SELECT pg_temp.insert_rows('parts', 1, 40019);
SELECT relation, dictionary FROM ts_train_dictionary('parts', 'message') ORDER BY 1;

-- arguments
SELECT ts_train_dictionary(NULL, 'message');
\set VERBOSITY sqlstate
SELECT ts_train_dictionary('logs', 'nix');
SELECT ts_train_dictionary('logs', 'ctid');
SELECT ts_train_dictionary('parts', 'nix');
SELECT ts_train_dictionary('logs', 'ts');
SELECT ts_train_dictionary('logs', 'n');
SELECT ts_train_dictionary('part4', 'message');
SELECT ts_train_dictionary(0, 'message');
BEGIN READ ONLY;
SELECT ts_train_dictionary('logs', 'message');
ROLLBACK;
CREATE ROLE regress_stranger;
GRANT ALL ON logs TO regress_stranger;
SET ROLE regress_stranger;
SELECT ts_train_dictionary('logs', 'message');
RESET ROLE;
\set VERBOSITY terse
DROP OWNED BY regress_stranger;
DROP ROLE regress_stranger;
SET client_min_messages = warning;
DROP SCHEMA train_dictionary CASCADE;
