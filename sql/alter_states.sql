-- Every ALTER TABLE that changes columns or constraints, over rows in segments, in batches and in the memtable at
-- the same time: in a transaction that commits, in one that is rolled back, in a savepoint that is rolled back. A heap
-- twin takes the same commands; rows, columns, constraints and errors must agree.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS nodedb_ts;
DROP SCHEMA IF EXISTS alter_states CASCADE;
CREATE SCHEMA alter_states;
SET search_path = alter_states, public;
SET timezone = 'UTC';

-- the table as text: its rows in their order, its columns, its constraints
CREATE FUNCTION shown(name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text; total text; a text; c text;
BEGIN
  EXECUTE format('SELECT string_agg(x, E''\n'' ORDER BY x COLLATE "C") FROM (SELECT x::text AS x FROM %I x) y', name) INTO r;
  EXECUTE format('SELECT count(*) FROM %I', name) INTO total;
  SELECT string_agg(concat_ws(' ', attnum, attname, format_type(atttypid, atttypmod), attnotnull, atthasdef, atthasmissing, attmissingval, attidentity, attgenerated, attisdropped, attstorage, attcompression, attstattarget, pg_get_expr(d.adbin, d.adrelid)), E'\n' ORDER BY attnum)
    INTO a FROM pg_attribute LEFT JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum WHERE attrelid = name::regclass AND attnum > 0;
  SELECT string_agg(concat_ws(' ', conname, contype, convalidated, pg_get_constraintdef(oid)), E'\n' ORDER BY conname)
    INTO c FROM pg_constraint WHERE conrelid = name::regclass;
  RETURN concat_ws(E'\n--\n', total, r, replace(a, name, '?'), replace(c, name, '?'));
END $$;
-- runs a command; 'done' or the error with the table's name blotted out
CREATE FUNCTION run(command text, name text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE replace(command, '$t', name);
  RETURN 'done';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || replace(SQLERRM, name, '?');
END $$;
CREATE FUNCTION insert_rows(name text, first int, count int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format($i$INSERT INTO %I (ts, host, i, v, n, b)
    SELECT '2024-01-01'::timestamptz + i * interval '1 min', 'h' || i %% 5, i, i / 4.0, i + 0.25, i %% 2 = 0 FROM generate_series($1, $1 + $2 - 1) i$i$, name)
    USING first, count;
END $$;
CREATE TABLE host (name text PRIMARY KEY);
INSERT INTO host SELECT 'h' || i FROM generate_series(0, 4) i;
CREATE SCHEMA alter_states_other;
CREATE ROLE regress_nodedb_ts_states;
GRANT ALL ON SCHEMA alter_states TO regress_nodedb_ts_states;
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE regress_nodedb_ts_space LOCATION '';
CREATE TABLE problems (command text, mode text, what text);
CREATE TABLE outcomes (id int GENERATED ALWAYS AS IDENTITY, command text, outcome text);
CREATE PROCEDURE make(name text, am text) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('DROP TABLE IF EXISTS %1$s CASCADE; DROP SEQUENCE IF EXISTS %1$s_s; DROP DOMAIN IF EXISTS %1$s_d', name);
  EXECUTE format('CREATE TABLE %I (ts timestamptz(3), host varchar(10), i int, v float8, n numeric(10,2), b bool, gone text DEFAULT ''gone'') USING %I', name, am);
  EXECUTE format('ALTER TABLE %I DROP COLUMN gone, ADD COLUMN late int DEFAULT 5, ADD CONSTRAINT c_late CHECK (late > 0) NOT VALID', name);
  PERFORM insert_rows(name, 1, 1050);
  COMMIT;
  IF am <> 'heap' THEN PERFORM ts_flush(name::regclass); END IF;
  COMMIT;
  FOR k IN 1 .. 3 LOOP PERFORM insert_rows(name, 2000 + 10 * k, k); COMMIT; END LOOP;
END $$;
CREATE PROCEDURE try(command text, modes text[] DEFAULT '{committed,back,savepoint}') LANGUAGE plpgsql AS $$
DECLARE mode text; rt text; rh text; it text; ih text; names text[] := '{new_t,old_t}'; inside bool; found text[];
BEGIN
  FOREACH mode IN ARRAY modes LOOP
    CALL make('new_t', 'nodedb_ts');
    CALL make('old_t', 'heap');
    found := '{}';
    IF (SELECT count(*) FROM ts_segments('new_t')) = 0 THEN found := found || 'no segment'::text; END IF;
    COMMIT;
    IF mode <> 'alone' THEN
      PERFORM insert_rows(x, 3000, 20) FROM unnest(names) x;
    END IF;
    BEGIN
      rt := run(command, 'new_t');
      rh := run(command, 'old_t');
      it := run('INSERT INTO $t DEFAULT VALUES', 'new_t');
      ih := run('INSERT INTO $t DEFAULT VALUES', 'old_t');
      inside := shown('new_t') IS NOT DISTINCT FROM shown('old_t');
      IF mode = 'savepoint' THEN RAISE EXCEPTION 'back' USING ERRCODE = 'ZZ000'; END IF;
    EXCEPTION WHEN SQLSTATE 'ZZ000' THEN
      PERFORM insert_rows(x, 4000, 5) FROM unnest(names) x;
    END;
    IF rt <> rh THEN found := found || (rt || ', heap: ' || rh); END IF;
    IF it <> ih THEN found := found || ('insert: ' || it || ', heap: ' || ih); END IF;
    IF NOT inside THEN found := found || 'in the transaction'::text; END IF;
    IF mode = 'back' THEN ROLLBACK; ELSE COMMIT; END IF;
    IF shown('new_t') IS DISTINCT FROM shown('old_t') THEN found := found || 'after it'::text; END IF;
    PERFORM ts_flush(c.oid) FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE c.oid IN ('new_t'::regclass, 'old_t'::regclass) AND amname = 'nodedb_ts';
    COMMIT;
    IF shown('new_t') IS DISTINCT FROM shown('old_t') THEN found := found || 'after a flush'::text; END IF;
    INSERT INTO problems SELECT command, mode, x FROM unnest(found) x;
    IF mode = modes[1] THEN INSERT INTO outcomes (command, outcome) VALUES (command, rt); END IF;
    COMMIT;
  END LOOP;
END $$;

-- a problem must be found, or the rest says nothing
CALL try('DO $d$ BEGIN EXECUTE format(''ALTER TABLE $t ADD COLUMN x int DEFAULT %s'', length(''$t'') + ascii(''$t'')); END $d$', '{alone,committed,back,savepoint}');
SELECT mode, what FROM problems ORDER BY 1, 2;
TRUNCATE problems, outcomes;

-- columns come and go
CALL try('ALTER TABLE $t ADD COLUMN x int');
CALL try('ALTER TABLE $t ADD COLUMN x int DEFAULT 7');
CALL try('ALTER TABLE $t ADD COLUMN x text NOT NULL DEFAULT ''some text that is long''');
CALL try('ALTER TABLE $t ADD COLUMN x int NOT NULL');
CALL try('ALTER TABLE $t ADD COLUMN x float4 DEFAULT 1.5, ADD COLUMN y timestamptz DEFAULT ''2024-01-01'', ADD COLUMN z "char" DEFAULT ''c''');
CALL try('ALTER TABLE $t ADD COLUMN x int[] DEFAULT ''{1,2}'', ADD COLUMN y interval DEFAULT ''1 h'', ADD COLUMN z uuid DEFAULT ''00000000-0000-0000-0000-000000000001''');
CALL try('CREATE SEQUENCE $t_s; ALTER TABLE $t ADD COLUMN x bigint DEFAULT nextval(''$t_s'')');
CALL try('ALTER TABLE $t ADD COLUMN x serial');
CALL try('ALTER TABLE $t ADD COLUMN x int GENERATED ALWAYS AS IDENTITY');
CALL try('ALTER TABLE $t ADD COLUMN x float8 GENERATED ALWAYS AS (v * 2) STORED');
CALL try('ALTER TABLE $t ADD COLUMN x text GENERATED ALWAYS AS (host || i) STORED');
CALL try('ALTER TABLE $t ADD COLUMN x int CHECK (x > 5)');
CALL try('ALTER TABLE $t ADD COLUMN x int DEFAULT 5 CHECK (x > 5)');
CALL try('ALTER TABLE $t ADD COLUMN i int');
CALL try('ALTER TABLE $t ADD COLUMN IF NOT EXISTS i int');
CALL try('ALTER TABLE $t ADD COLUMN x text DEFAULT ''c'' COLLATE "C"');
CALL try('ALTER TABLE $t DROP COLUMN ts');
CALL try('ALTER TABLE $t DROP COLUMN host');
CALL try('ALTER TABLE $t DROP COLUMN late');
CALL try('ALTER TABLE $t DROP COLUMN v, DROP COLUMN b');
CALL try('ALTER TABLE $t DROP COLUMN ts, DROP COLUMN host, DROP COLUMN i, DROP COLUMN v, DROP COLUMN n, DROP COLUMN b, DROP COLUMN late');
CALL try('ALTER TABLE $t DROP COLUMN v, ADD COLUMN v text DEFAULT ''again''');
CALL try('ALTER TABLE $t DROP COLUMN nowhere');
CALL try('ALTER TABLE $t DROP COLUMN IF EXISTS nowhere');
CALL try('ALTER TABLE $t DROP COLUMN ctid');
-- types without a rewrite
CALL try('ALTER TABLE $t ALTER host TYPE varchar(20)');
CALL try('ALTER TABLE $t ALTER host TYPE text');
CALL try('ALTER TABLE $t ALTER n TYPE numeric(12,2)');
CALL try('ALTER TABLE $t ALTER n TYPE numeric');
CALL try('ALTER TABLE $t ALTER ts TYPE timestamptz(6)');
CALL try('ALTER TABLE $t ALTER ts TYPE timestamp(3)');
CALL try('ALTER TABLE $t ALTER i TYPE oid USING i::oid');
CALL try('CREATE DOMAIN $t_d AS int; ALTER TABLE $t ALTER i TYPE $t_d');
CALL try('ALTER TABLE $t ALTER host TYPE text COLLATE "C"');
-- and with one
CALL try('ALTER TABLE $t ALTER host TYPE varchar(1)');
CALL try('ALTER TABLE $t ALTER host TYPE varchar(2)');
CALL try('ALTER TABLE $t ALTER host TYPE int USING substr(host, 2)::int');
CALL try('ALTER TABLE $t ALTER host TYPE bytea USING host::bytea');
CALL try('ALTER TABLE $t ALTER ts TYPE timestamptz(0)');
CALL try('ALTER TABLE $t ALTER ts TYPE date');
CALL try('ALTER TABLE $t ALTER ts TYPE timestamp USING ts AT TIME ZONE ''Europe/Paris''');
CALL try('ALTER TABLE $t ALTER ts TYPE bigint USING extract(epoch FROM ts)');
CALL try('ALTER TABLE $t ALTER ts TYPE text');
CALL try('ALTER TABLE $t ALTER i TYPE bigint');
CALL try('ALTER TABLE $t ALTER i TYPE smallint');
CALL try('ALTER TABLE $t ALTER i TYPE smallint USING i % 10');
CALL try('ALTER TABLE $t ALTER v TYPE float4');
CALL try('ALTER TABLE $t ALTER v TYPE numeric(5,1)');
CALL try('ALTER TABLE $t ALTER v TYPE numeric(2,1)');
CALL try('ALTER TABLE $t ALTER b TYPE int USING b::int');
CALL try('ALTER TABLE $t ALTER b TYPE int');
CALL try('ALTER TABLE $t ALTER v TYPE float8 USING v / (i - 2010)');
CALL try('CREATE DOMAIN $t_d AS int CHECK (VALUE < 3000); ALTER TABLE $t ALTER i TYPE $t_d');
CALL try('ALTER TABLE $t ALTER late TYPE text, ALTER late SET DEFAULT ''x'', DROP CONSTRAINT c_late');
-- names, defaults, restrictions
CALL try('ALTER TABLE $t RENAME ts TO at');
CALL try('ALTER TABLE $t RENAME COLUMN late TO later');
CALL try('ALTER TABLE $t RENAME i TO v');
CALL try('ALTER TABLE $t RENAME CONSTRAINT c_late TO c_later');
CALL try('ALTER TABLE $t RENAME TO renamed; ALTER TABLE renamed RENAME TO $t');
CALL try('ALTER TABLE $t ALTER i SET NOT NULL');
CALL try('ALTER TABLE $t ALTER late SET NOT NULL');
CALL try('ALTER TABLE $t ALTER late SET NOT NULL; ALTER TABLE $t ALTER late DROP NOT NULL');
CALL try('ALTER TABLE $t ALTER i SET DEFAULT 42');
CALL try('ALTER TABLE $t ALTER late DROP DEFAULT');
CALL try('ALTER TABLE $t ALTER late SET DEFAULT 9');
CALL try('ALTER TABLE $t ALTER i SET NOT NULL, ALTER i ADD GENERATED BY DEFAULT AS IDENTITY');
CALL try('ALTER TABLE $t ALTER i SET STATISTICS 300', '{committed,back}');
CALL try('ALTER TABLE $t ALTER i SET (n_distinct = 5)', '{committed,back}');
CALL try('ALTER TABLE $t ALTER host SET STORAGE PLAIN', '{committed,back}');
CALL try('ALTER TABLE $t ALTER host SET STORAGE EXTERNAL', '{committed,back}');
CALL try('ALTER TABLE $t ALTER i SET STORAGE EXTENDED', '{committed,back}');
CALL try('ALTER TABLE $t ALTER host SET COMPRESSION pglz', '{committed,back}');
CALL try('ALTER TABLE $t ADD CONSTRAINT k CHECK (i > 0)');
CALL try('ALTER TABLE $t ADD CONSTRAINT k CHECK (i < 1000)');
CALL try('ALTER TABLE $t ADD CONSTRAINT k CHECK (i < 2032)');
CALL try('ALTER TABLE $t ADD CONSTRAINT k CHECK (i < 1000) NOT VALID');
CALL try('ALTER TABLE $t ADD CONSTRAINT k CHECK (i < 1000) NOT VALID; ALTER TABLE $t VALIDATE CONSTRAINT k');
CALL try('ALTER TABLE $t VALIDATE CONSTRAINT c_late');
CALL try('ALTER TABLE $t DROP CONSTRAINT c_late');
CALL try('ALTER TABLE $t DROP CONSTRAINT nowhere');
CALL try('ALTER TABLE $t ADD CONSTRAINT f FOREIGN KEY (host) REFERENCES host');
CALL try('ALTER TABLE $t ADD CONSTRAINT f FOREIGN KEY (host) REFERENCES host NOT VALID; ALTER TABLE $t VALIDATE CONSTRAINT f');
CALL try('ALTER TABLE $t ADD CONSTRAINT f FOREIGN KEY (host) REFERENCES host DEFERRABLE INITIALLY DEFERRED; ALTER TABLE $t ALTER CONSTRAINT f NOT DEFERRABLE');
-- several at once
CALL try('ALTER TABLE $t ADD COLUMN x int DEFAULT 1, DROP COLUMN b, ALTER i TYPE bigint, ALTER host TYPE text, ADD CHECK (x = 1), ALTER v SET DEFAULT 3');
CALL try('ALTER TABLE $t ADD COLUMN x int DEFAULT 1, ALTER i TYPE bigint, ADD CHECK (x = 2)');
CALL try('ALTER TABLE $t ALTER i TYPE bigint, ALTER v TYPE text, ALTER ts TYPE timestamp USING ts AT TIME ZONE ''Asia/Tokyo'', ALTER late SET NOT NULL');
CALL try('ALTER TABLE $t ADD COLUMN x int; ALTER TABLE $t ADD COLUMN y int DEFAULT 1; ALTER TABLE $t DROP COLUMN x; ALTER TABLE $t ALTER y TYPE text');
CALL try('ALTER TABLE $t ALTER i TYPE text; TRUNCATE $t; ALTER TABLE $t ALTER i TYPE int USING i::int');
-- another file, another place, another owner; the access method there and back
CALL try('ALTER TABLE $t SET UNLOGGED');
CALL try('ALTER TABLE $t SET UNLOGGED; ALTER TABLE $t SET LOGGED');
CALL try('ALTER TABLE $t SET UNLOGGED, ADD COLUMN x int DEFAULT 3, ALTER i TYPE bigint');
CALL try('ALTER TABLE $t SET LOGGED');
CALL try('ALTER TABLE $t SET TABLESPACE regress_nodedb_ts_space');
CALL try('ALTER TABLE $t SET TABLESPACE regress_nodedb_ts_space; ALTER TABLE $t SET TABLESPACE pg_default');
CALL try('ALTER TABLE $t SET TABLESPACE regress_nodedb_ts_space, ALTER v TYPE text');
CALL try('ALTER TABLE $t SET TABLESPACE nowhere');
CALL try('ALTER TABLE $t SET ACCESS METHOD heap, ALTER late TYPE bigint');
CALL try('ALTER TABLE $t SET ACCESS METHOD nodedb_ts, ALTER late TYPE bigint');
CALL try('ALTER TABLE $t SET ACCESS METHOD heap; ALTER TABLE $t SET ACCESS METHOD nodedb_ts');
CALL try('ALTER TABLE $t SET ACCESS METHOD nodedb_ts; ALTER TABLE $t SET ACCESS METHOD heap');
CALL try('ALTER TABLE $t SET ACCESS METHOD heap, SET TABLESPACE regress_nodedb_ts_space, SET UNLOGGED, DROP COLUMN b, ALTER n TYPE float8');
CALL try('ALTER TABLE $t SET ACCESS METHOD nodedb_ts, SET TABLESPACE regress_nodedb_ts_space, SET UNLOGGED, DROP COLUMN b, ALTER n TYPE float8');
CALL try('ALTER TABLE $t SET ACCESS METHOD nowhere');
CALL try('ALTER TABLE $t SET SCHEMA alter_states_other; ALTER TABLE alter_states_other.$t SET SCHEMA alter_states');
CALL try('ALTER TABLE $t OWNER TO regress_nodedb_ts_states; GRANT SELECT (i) ON $t TO PUBLIC');
-- the rest of what changes no row
CALL try('ALTER TABLE $t DISABLE TRIGGER ALL', '{committed}');
CALL try('ALTER TABLE $t ENABLE ROW LEVEL SECURITY', '{committed}');
CALL try('ALTER TABLE $t REPLICA IDENTITY FULL', '{committed}');
CALL try('ALTER TABLE $t REPLICA IDENTITY NOTHING', '{committed}');
CALL try('ALTER TABLE $t SET WITHOUT CLUSTER', '{committed}');
CALL try('ALTER TABLE $t SET WITHOUT OIDS', '{committed}');
CALL try('ALTER TABLE $t SET (fillfactor = 70, autovacuum_enabled = off, autovacuum_freeze_max_age = 1000000, parallel_workers = 3, log_autovacuum_min_duration = 5, toast_tuple_target = 200, vacuum_truncate = off, user_catalog_table = off)', '{committed}');
CALL try('ALTER TABLE $t SET (toast.autovacuum_enabled = off)', '{committed}');
CALL try('ALTER TABLE $t SET (fillfactor = 5)', '{committed}');
CALL try('ALTER TABLE $t SET (nothing_known = 1)', '{committed}');
CALL try('ALTER TABLE $t SET (fillfactor = 70); ALTER TABLE $t RESET (fillfactor)', '{committed}');
CALL try('COMMENT ON COLUMN $t.i IS ''a comment''; COMMENT ON TABLE $t IS ''another''', '{committed}');
CALL try('CREATE STATISTICS $t_st ON host, i FROM $t; ANALYZE $t', '{committed}');
CALL try('LOCK TABLE $t IN ACCESS EXCLUSIVE MODE', '{committed}');
CALL try('LOCK TABLE $t IN SHARE ROW EXCLUSIVE MODE NOWAIT', '{committed}');
CALL try('CREATE RULE r AS ON INSERT TO $t DO ALSO NOTIFY nodedb_ts_rule', '{committed}');
CALL try('CREATE VIEW $t_v AS SELECT * FROM $t; ALTER TABLE $t DROP COLUMN v', '{committed}');
CALL try('CREATE VIEW $t_v AS SELECT * FROM $t; ALTER TABLE $t ALTER v TYPE text', '{committed}');
CALL try('CREATE FUNCTION $t_f($t) RETURNS int LANGUAGE sql AS ''SELECT 1''; DROP FUNCTION $t_f($t)', '{committed}');

SELECT command, mode, what FROM problems;
SELECT command, outcome FROM outcomes WHERE outcome <> 'done' ORDER BY id;
SELECT count(*) FROM outcomes WHERE outcome = 'done';

-- every table is sound
SELECT v.* FROM pg_class c, LATERAL public.ts_verify(c.oid) v
  WHERE c.relnamespace = 'alter_states'::regnamespace AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts');
DROP SCHEMA alter_states CASCADE;
DROP SCHEMA alter_states_other;
DROP TABLESPACE regress_nodedb_ts_space;
DROP ROLE regress_nodedb_ts_states;
