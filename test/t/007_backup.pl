# One relation is one set of files: base backups, checksums, point-in-time
# recovery, dumps, copies of databases and tablespaces need nothing special.
use strict;
use warnings;

# archive_command runs in the data directory, so that paths must be absolute
BEGIN { require Cwd; $ENV{TESTDIR} ||= Cwd::getcwd(); }

use FindBin;
use IPC::Run;
use lib $FindBin::Bin;

use KillServer;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sound;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('origin');
$node->init(has_archiving => 1, allows_streaming => 1, extra => ['--data-checksums']);
$node->append_conf('postgresql.conf', <<EOC);
log_statement = none
max_wal_size = 1GB
allow_in_place_tablespaces = on
EOC
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]); }
my $digest = 'SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM t';

sql('CREATE EXTENSION nodedb_ts');
sql(q{
	CREATE TABLE t (ts timestamptz, host text, v float8, p text) USING nodedb_ts;
	INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '10 s', 'h' || i % 7, i / 3.0, NULL FROM generate_series(1, 40000) i;
	INSERT INTO t VALUES ('2024-02-02', 'large', 0, repeat('large', 300000));
	SELECT ts_flush('t');
	INSERT INTO t VALUES ('2024-02-03', 'batch', 1, 'b');});

# ---- a base backup while four clients insert and a fifth flushes
my $dir = PostgreSQL::Test::Utils::tempdir;
append_to_file("$dir/insert.sql", q{INSERT INTO t SELECT '2024-03-01'::timestamptz + i * interval '1 s', 'w' || :client_id, i, NULL FROM generate_series(1, 20) i;});
append_to_file("$dir/flush.sql", "SELECT ts_flush('t');\n\\sleep 50 ms\n");
my ($err, $out) = ('', '');
my $run = IPC::Run::start([ 'pgbench', '--no-vacuum', '--client=4', '--time=6', "--file=$dir/insert.sql\@30", "--file=$dir/flush.sql\@1", $node->connstr('postgres') ],
	'<', \undef, '>', \$out, '2>', \$err);
$node->backup('while_busy');
my $at_backup = sql('SELECT count(*) FROM t');
ok($run->finish, 'clients met no error') or diag $err;
sql(q{SELECT pg_create_restore_point('here')});
my $here = sql($digest);
sql(q{INSERT INTO t SELECT '2024-04-01', 'after the point', 1, NULL FROM generate_series(1, 10000)});
sql(q{SELECT ts_flush('t')});
sql('TRUNCATE t');
sql(q{INSERT INTO t VALUES ('2024-05-01', 'new', 1, NULL)});
sql('SELECT pg_switch_wal()');

my $restored = PostgreSQL::Test::Cluster->new('restored');
$restored->init_from_backup($node, 'while_busy', has_restoring => 1);
$restored->append_conf('postgresql.conf', "recovery_target_name = 'here'\nrecovery_target_action = promote\n");
$restored->start;
$restored->poll_query_until('postgres', 'SELECT pg_is_in_recovery()', 'f');
is($restored->safe_psql('postgres', $digest), $here, 'recovery to a point in time');
cmp_ok($restored->safe_psql('postgres', 'SELECT count(*) FROM t'), '>=', $at_backup, 'holds at least what the backup saw');
tables_are_sound($restored, 'recovered');
$restored->safe_psql('postgres', q{INSERT INTO t VALUES ('2024-06-01', 'again', 1, NULL); SELECT ts_flush('t'); VACUUM t;});
tables_are_sound($restored, 'recovered and written');
$restored->stop;
command_ok([ 'pg_checksums', '--check', '-D', $restored->data_dir ], 'page checksums of the restored cluster');

# ---- dump and restore, plain and custom, with the access method and without
sql(q{
	TRUNCATE t;
	INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '10 s', 'h' || i % 7, i / 3.0, CASE WHEN i % 3 = 0 THEN E'a\\tb\\n\\\\' END FROM generate_series(1, 30000) i;
	SELECT ts_flush('t');
	INSERT INTO t VALUES (NULL, NULL, 'NaN', NULL);
	CREATE TABLE host (name text PRIMARY KEY);
	INSERT INTO host SELECT 'h' || i FROM generate_series(0, 6) i;
	CREATE TABLE f (host text REFERENCES host CHECK (host <> 'x'), n int GENERATED ALWAYS AS IDENTITY) USING nodedb_ts;
	INSERT INTO f SELECT 'h' || i % 7 FROM generate_series(1, 1000) i;
	CREATE TABLE part (ts timestamptz, i int, d int GENERATED ALWAYS AS (i + 1) STORED) PARTITION BY RANGE (ts);
	CREATE TABLE part1 PARTITION OF part FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') USING nodedb_ts WITH (fillfactor = 80);
	CREATE TABLE part_heap PARTITION OF part FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') USING heap;
	CREATE TABLE part_rest PARTITION OF part DEFAULT USING nodedb_ts;
	CREATE UNLOGGED TABLE u (i int) USING nodedb_ts;
	INSERT INTO part VALUES ('2024-01-01', 1), ('2025-01-01', 2), ('2026-01-01', 3);
	CREATE MATERIALIZED VIEW mv USING nodedb_ts AS SELECT host, count(*) AS n FROM t GROUP BY host;});
my $content = sql($digest);
command_ok([ 'pg_dump', '-Fc', '-f', "$dir/dump", $node->connstr('postgres') ], 'pg_dump');
sql('CREATE DATABASE second');
command_ok([ 'pg_restore', '--exit-on-error', '--jobs=2', '-d', $node->connstr('second'), "$dir/dump" ], 'pg_restore by two jobs');
command_ok([ 'pg_dump', '-f', "$dir/plain.sql", $node->connstr('postgres') ], 'pg_dump as text');
sql('CREATE DATABASE text_copy');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '--single-transaction', '-d', $node->connstr('text_copy'), '-f', "$dir/plain.sql" ], 'into psql');
my $ams = q{SELECT string_agg(concat_ws(' ', relname, amname, relpersistence, reloptions), ', ' ORDER BY relname) FROM pg_class c LEFT JOIN pg_am a ON a.oid = c.relam
	WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'm')};
my $constraints = q{SELECT string_agg(concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)), ', ' ORDER BY conname, conrelid::regclass::text) FROM pg_constraint WHERE connamespace = 'public'::regnamespace};
for my $copy ('second', 'text_copy')
{
	is($node->safe_psql($copy, $digest), $content, "$copy: same rows");
	tables_are_sound($node, "$copy, restored", $copy);
	is($node->safe_psql($copy, $ams), sql($ams), "$copy: same access methods and options");
	is($node->safe_psql($copy, $constraints), sql($constraints), "$copy: same constraints");
	is($node->safe_psql($copy, "INSERT INTO f VALUES ('h1') RETURNING n"), 1001, "$copy: the identity goes on");
	is($node->safe_psql($copy, 'SELECT sum(n) FROM mv'), 30001, "$copy: the materialized view is filled");
	is($node->safe_psql($copy, 'SELECT string_agg(concat_ws(\' \', tableoid::regclass, ts::date, i, d), \', \' ORDER BY ts) FROM part'), 'part1 2024-01-01 1 2, part_heap 2025-01-01 2 3, part_rest 2026-01-01 3 4', "$copy: partitions");
	is($node->safe_psql($copy, q{SELECT string_agg(evtname || ' ' || evtenabled::text, ', ' ORDER BY evtname) FROM pg_event_trigger}), 'nodedb_ts_ddl_start O, nodedb_ts_options_start O', "$copy: the extension's event triggers");
}
is(sql($ams), 'f nodedb_ts p, host heap p, mv nodedb_ts p, part p, part1 nodedb_ts p {fillfactor=80}, part_heap heap p, part_rest nodedb_ts p, t nodedb_ts p, u nodedb_ts u', 'which they are');
command_ok([ 'pg_dumpall', '-f', "$dir/all.sql", '-d', $node->connstr('postgres') ], 'pg_dumpall');
like(slurp_file("$dir/all.sql"), qr/SET default_table_access_method = nodedb_ts/, 'names the access method');
sql('CREATE DATABASE third');
$node->safe_psql('third', 'CREATE TABLE t (ts timestamptz, host text, v float8, p text) USING heap');
command_ok([ 'pg_dump', '--data-only', '-t', 't', '--inserts', '--rows-per-insert=500', '-f', "$dir/inserts.sql", $node->connstr('postgres') ], 'pg_dump of INSERTs');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('third'), '-f', "$dir/inserts.sql" ], 'into a heap table');
is($node->safe_psql('third', $digest), $content, 'same rows');

# ---- copies of a database, both ways of copying, with rows that never saw a checkpoint
for my $strategy ('wal_log', 'file_copy')
{
	sql(q{INSERT INTO t VALUES ('2024-07-01', 'last', 1, NULL)});
	$content = sql($digest);
	$node->safe_psql('template1', "CREATE DATABASE copy_$strategy TEMPLATE postgres STRATEGY $strategy");
	is($node->safe_psql("copy_$strategy", $digest), $content, "CREATE DATABASE by $strategy");
	$node->safe_psql("copy_$strategy", q{INSERT INTO t VALUES ('2024-08-01', 'copy', 1, NULL); SELECT ts_flush('t');});
	is(sql($digest), $content, 'and the original is not touched by the copy');
}

# ---- tablespaces
sql(q{CREATE TABLESPACE elsewhere LOCATION ''});
sql(q{ALTER TABLE t SET TABLESPACE elsewhere});
is(sql($digest), $content, 'in another tablespace');
sql(q{INSERT INTO t VALUES ('2024-08-01', 'x', 1, NULL)});
$content = sql($digest);
$node->safe_psql('postgres', q{BEGIN; INSERT INTO t VALUES ('2024-08-02', 'gone', 1, NULL); ALTER TABLE t SET TABLESPACE pg_default; INSERT INTO t VALUES ('2024-08-02', 'gone', 1, NULL); ROLLBACK;});
is(sql($digest), $content, 'a move that is rolled back');
$node->safe_psql('postgres', q{BEGIN; INSERT INTO t VALUES ('2024-08-02', 'kept', 1, NULL); ALTER TABLE t SET TABLESPACE pg_default; INSERT INTO t VALUES ('2024-08-02', 'kept', 1, NULL); COMMIT;});
is(sql(q{SELECT count(*) FROM t WHERE host = 'kept'}), 2, 'a move among inserts');
$content = sql($digest);
kill_and_start($node, children => 1);
is(sql($digest), $content, 'the same after a kill');
$node->safe_psql('template1', 'ALTER DATABASE copy_wal_log SET TABLESPACE elsewhere');
is($node->safe_psql('copy_wal_log', 'SELECT count(*) > 0 FROM t'), 't', 'a database that moves');

tables_are_sound($node, 'at the end');
tables_are_sound($node, 'a copy of the database', $_) for ('copy_wal_log', 'copy_file_copy');

# ---- dropping it all leaves nothing behind
$node->safe_psql('copy_wal_log', 'DROP EXTENSION nodedb_ts CASCADE');
is($node->safe_psql('copy_wal_log', q{SELECT count(*) FROM pg_class WHERE relname IN ('t', 'part1', 'mv')}), 0, 'DROP EXTENSION CASCADE');
sql("DROP DATABASE $_") for ('second', 'text_copy', 'third', 'copy_wal_log', 'copy_file_copy');
$node->stop;
command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'page checksums');
done_testing();
