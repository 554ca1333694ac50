# Options live in security labels: dumps, restores and pg_upgrade carry them, sessions that have not loaded the
# library can set them, and sessions that have a table's buffer notice a change.
use strict;
use warnings;

# pg_upgrade's paths must be absolute
BEGIN { require Cwd; $ENV{TESTDIR} ||= Cwd::getcwd(); }

use FindBin;
use lib $FindBin::Bin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Sound;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('origin');
$node->init;
$node->append_conf('postgresql.conf', "log_statement = none\nfsync = off\n");
$node->start;
sub sql { return $node->safe_psql($_[1] // 'postgres', $_[0]); }

# each database starts with nothing loaded, and each statement is a session
sql('CREATE EXTENSION nodedb_ts');
sql('CREATE ROLE owner LOGIN');
sql('GRANT CREATE ON SCHEMA public TO owner');
sql(q{CREATE TABLE plain (ts timestamptz NOT NULL, gone int, host text, "Odd, ""Name" text, v float8) USING nodedb_ts
	WITH (nodedb_ts.retention = '1 year 2 mons', nodedb_ts.series_columns = 'host,"Odd, ""Name"', nodedb_ts.flush_interval = '5 s')});
sql('ALTER TABLE plain DROP COLUMN gone');
sql('ALTER TABLE plain RENAME host TO server');
sql(q{INSERT INTO plain SELECT '2024-01-01'::timestamptz + i * interval '1 s', 'h' || i % 5, 'o' || i % 3, i FROM generate_series(1, 10000) i});
sql(q{CREATE TABLE ticking (n bigint, k int) USING nodedb_ts});
sql(q{CREATE FUNCTION newest() RETURNS bigint STABLE BEGIN ATOMIC SELECT max(n) FROM ticking; END});
sql(q{SELECT ts_set_options('ticking', time_column => 'n', integer_bucket => 1000, now_function => 'newest', compression_level => 7)});
sql(q{CREATE TABLE parts (ts timestamptz NOT NULL, host text) PARTITION BY RANGE (ts)});
sql(q{ALTER TABLE parts SET (nodedb_ts.retention = '10 days', nodedb_ts.series_columns = 'host')});
# no partition yet: nothing but the event trigger loads the library
sql(q{ALTER TABLE parts RENAME host TO name});
sql(q{CREATE TABLE parts1 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2024-02-01') USING nodedb_ts WITH (nodedb_ts.retention = '20 days')});
sql(q{CREATE TABLE parts2 PARTITION OF parts FOR VALUES FROM ('2024-02-01') TO ('2024-03-01') USING nodedb_ts});
sql(q{CREATE MATERIALIZED VIEW seen USING nodedb_ts WITH (nodedb_ts.bucket = '3 hours') AS SELECT * FROM plain});
sql(q{CREATE TABLE was (ts timestamptz, host text) USING nodedb_ts WITH (nodedb_ts.series_columns = host)});
sql(q{ALTER TABLE was SET ACCESS METHOD heap});
$node->safe_psql('postgres', q{CREATE TABLE owned (ts date, host text) USING nodedb_ts WITH (nodedb_ts.retention = '7 days')}, extra_params => [ '-U', 'owner' ]);

my $labels = q{SELECT objoid::regclass, provider, label FROM pg_seclabel ORDER BY objoid::regclass::text};
my $resolved = q{SELECT c.relname, o.* FROM pg_class c, LATERAL ts_options(c.oid) o
	WHERE c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts') ORDER BY 1};
my ($were, $came) = (sql($labels), sql($resolved));
is(scalar(split(/\n/, $were)), 7, 'seven tables have labels') or diag $were;
like($were, qr/^parts\|nodedb_ts\|series_columns='name', retention='10 days'$/m, 'a rename in a session that opens no table of ours is noticed');
like($were, qr/^plain\|nodedb_ts\|series_columns='server,"Odd, ""Name"', retention='1 year 2 mons', flush_interval='5 secs'$/m, 'names are kept over renames');

# ---- dumps
my $dir = PostgreSQL::Test::Utils::tempdir;
sub same
{
	my ($database, $what) = @_;
	is(sql($labels, $database), $were, "$what: the same labels");
	is(sql($resolved, $database), $came, "$what: the same options");
	is(sql('SELECT count(*), sum(v) FROM plain', $database), '10000|50005000', "$what: the same rows");
	is(sql(q{SELECT max(series) FROM ts_segments('plain')}, $database), '15', "$what: sorted by the series columns");
	tables_are_sound($node, $what, $database);
	return;
}
$node->command_ok([ 'pg_dump', '-f', "$dir/whole.sql", 'postgres' ], 'pg_dump');
sql('CREATE DATABASE plain_text');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', "$dir/whole.sql", 'plain_text' ], 'psql reads it');
same('plain_text', 'pg_dump');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/whole.dump", 'postgres' ], 'pg_dump -Fc');
sql('CREATE DATABASE parallel');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-j', '2', '-d', 'parallel', "$dir/whole.dump" ], 'pg_restore -j 2');
same('parallel', 'pg_restore -j 2');
# several tables by name; into a database that has the extension
sql('CREATE DATABASE one');
sql('CREATE EXTENSION nodedb_ts', 'one');
$node->command_ok([ 'pg_dump', '-t', 'plain', '-t', 'owned', '-f', "$dir/one.sql", 'postgres' ], 'pg_dump -t');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', "$dir/one.sql", 'one' ], 'psql reads it');
is(sql($labels, 'one'), join("\n", grep { /^(owned|plain)\|/ } split(/\n/, $were)), 'pg_dump -t: its labels');
# by the owner alone, who is no superuser, each command in a session
sql('CREATE DATABASE by_owner OWNER owner');
sql('CREATE EXTENSION nodedb_ts; GRANT ALL ON SCHEMA public TO owner', 'by_owner');
$node->command_ok([ 'pg_dump', '-Fc', '-t', 'owned', '-f', "$dir/owned.dump", 'postgres' ], 'pg_dump -t of one that is not ours');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-U', 'owner', '--no-owner', '-j', '2', '-d', 'by_owner', "$dir/owned.dump" ], 'its owner restores it');
is(sql($labels, 'by_owner'), q{owned|nodedb_ts|retention='7 days'}, 'its label');
# a copy of the database
sql('CREATE DATABASE copied TEMPLATE one');
is(sql($labels, 'copied'), sql($labels, 'one'), 'CREATE DATABASE ... TEMPLATE: the same labels');

# ---- a session that has loaded nothing
sql(q{SECURITY LABEL FOR nodedb_ts ON TABLE was IS 'retention=''1 day'''}, 'parallel');
sql(q{ALTER TABLE ticking RESET (nodedb_ts.now_function)}, 'parallel');
sql(q{ALTER TABLE parts RENAME name TO host}, 'parallel');
sql(q{ALTER TABLE parts2 SET (nodedb_ts.series_columns = '')}, 'parallel');
is(sql(q{SELECT label FROM pg_seclabel WHERE objoid = 'parts'::regclass}, 'parallel'), q{series_columns='host', retention='10 days'}, 'rename');
is(sql(q{SELECT series_columns, retention FROM ts_options('parts2')}, 'parallel'), '{}|10 days', 'ts_options');
my ($rc, $out, $err) = $node->psql('parallel', q{CREATE TABLE x (ts timestamptz) WITH (nodedb_ts.retention = '1 day')});
like($err, qr/"x" cannot have options of nodedb_ts/, 'heap has none');
($rc, $out, $err) = $node->psql('parallel', q{ALTER TABLE ticking SET (nodedb_ts.fluh_interval = '1 day')});
like($err, qr/unrecognized parameter "nodedb_ts.fluh_interval"/, 'an unknown option');
# without event triggers nothing is swallowed
($rc, $out, $err) = $node->psql('parallel', q{SET session_replication_role = replica; CREATE TABLE x (ts timestamptz) USING nodedb_ts WITH (nodedb_ts.retention = '1 day')});
like($err, qr/unrecognized parameter namespace "nodedb_ts"/, 'without event triggers the option is refused');
sql('SET client_min_messages = error; DROP EXTENSION nodedb_ts CASCADE', 'parallel');
is(sql($labels, 'parallel'), '', 'DROP EXTENSION leaves no label behind');
$node->command_ok([ 'pg_dump', '-f', "$dir/without.sql", 'parallel' ], 'pg_dump without the extension');
unlike(slurp_file("$dir/without.sql"), qr/SECURITY LABEL/, 'and no label in the dump');

# ---- sessions notice
sql(q{CREATE TABLE shared (ts timestamptz, a int, b int) USING nodedb_ts});
sql(q{CREATE TABLE sharedp (ts timestamptz, a int, b int) PARTITION BY LIST (a)});
sql(q{CREATE TABLE sharedp1 PARTITION OF sharedp FOR VALUES IN (0,1,2,3,4,5,6) PARTITION BY LIST (b)});
sql(q{CREATE TABLE sharedp2 PARTITION OF sharedp1 DEFAULT USING nodedb_ts});
my $writer = Session->new($node);
my $month = 0;
# the series of the segments that 20 000 rows become
sub series
{
	my ($table) = @_;
	$month++;
	my $from = sprintf('%d-01-01', 2000 + $month);
	$writer->ask("INSERT INTO $table SELECT '$from'::timestamptz + i * interval '1 s', i % 7, i % 4 FROM generate_series(0, 19999) i;");
	return "SELECT string_agg(DISTINCT series::text, ',') FROM ts_segments('" . ($table eq 'sharedp' ? 'sharedp2' : $table) . "') WHERE min_time >= '$from'";
}
sub alter { my $s = Session->new($node); my $answer = $s->ask("$_[0];"); $s->quit; return $answer; }
sql(q{ALTER TABLE shared SET (nodedb_ts.series_columns = a)});
is(sql(series('shared')), '7', 'by one column');
alter(q{SELECT ts_set_options('shared', series_columns => '{a,b}')});
is(sql(series('shared')), '28', 'by two, in the next transaction of a session that has a buffer');
alter(q{ALTER TABLE shared RENAME a TO c});
is(sql(series('shared')), '28', 'after a rename');
alter(q{SECURITY LABEL FOR nodedb_ts ON TABLE shared IS 'series_columns=''b'''});
is(sql(series('shared')), '4', 'after SECURITY LABEL');
alter(q{BEGIN; SELECT ts_set_options('shared', series_columns => '{c}'); ROLLBACK});
is(sql(series('shared')), '4', 'not after a rollback');
$writer->ask('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM shared;');
alter(q{ALTER TABLE shared SET (nodedb_ts.series_columns = '')});
my $query = series('shared');
$writer->ask('COMMIT;');
is(sql($query), '1', 'within a transaction of an older snapshot, too');
alter(q{ALTER TABLE sharedp SET (nodedb_ts.series_columns = a)});
is(sql(series('sharedp')), '7', 'of the partitioned table above');
alter(q{ALTER TABLE sharedp1 SET (nodedb_ts.series_columns = b)});
is(sql(series('sharedp')), '4', 'of the one between');
alter(q{ALTER TABLE sharedp1 RESET (nodedb_ts.series_columns)});
is(sql(series('sharedp')), '7', 'and back');
alter(q{ALTER TABLE sharedp DETACH PARTITION sharedp1; ALTER TABLE sharedp1 SET (nodedb_ts.series_columns = 'a,b');
	ALTER TABLE sharedp ATTACH PARTITION sharedp1 FOR VALUES IN (0,1,2,3,4,5,6)});
is(sql(series('sharedp')), '28', 'after DETACH and ATTACH');
# rows that one transaction has buffered keep their order of insertion and their ids
$writer->ask(q{BEGIN; INSERT INTO shared VALUES ('2024-01-01', 1, 1);});
my $other = Session->new($node);
$other->send(q{SELECT ts_set_options('shared', series_columns => '{b}');});
$writer->ask(q{INSERT INTO shared VALUES ('2024-01-01', 2, 2); INSERT INTO shared VALUES ('2024-01-01', 3, 3); COMMIT;});
like($other->answer, qr/series_columns='b'/, 'set while another transaction writes: it does not wait');
is(sql(q{SELECT count(*), sum(b) FROM shared WHERE ts = '2024-01-01'}), '3|6', 'and no row is lost');

# ---- two sessions set different options: both are kept
$other->ask(q{BEGIN; SELECT ts_set_options('shared', retention => '9 days');});
$writer->send(q{SELECT ts_set_options('shared', compression_level => 9);});
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND mode = 'ShareUpdateExclusiveLock'}) or die;
$other->ask('COMMIT;');
is($writer->answer, q{series_columns='b', retention='9 days', compression_level='9'}, 'the second waits and keeps what the first has set');
# nobody who may not shall hold the table up
my $stranger = alter(q{SET ROLE owner; SELECT ts_set_options('shared', retention => NULL)});
like($stranger, qr/42501.*must be owner of table shared/s, 'only the owner may');
$_->quit for $writer, $other;
tables_are_sound($node, 'in the end');

# ---- a crash
$node->stop('immediate');
$node->start;
is(sql(q{SELECT series_columns, retention, compression_level FROM ts_options('shared')}), '{b}|9 days|9', 'after a crash');

# ---- pg_upgrade
sql('DROP DATABASE plain_text');
$were = sql($labels);
# a worker in the old cluster would write under transaction ids that the new one does not know
sql('CREATE TABLE waiting (i int) USING nodedb_ts; INSERT INTO waiting SELECT generate_series(1, 2000)');
$node->stop;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'nodedb_ts'\nnodedb_ts.flush_interval = 100ms\nnodedb_ts.min_flush_size = 0\n");
my $newer = PostgreSQL::Test::Cluster->new('newer');
$newer->init;
$newer->append_conf('postgresql.conf', "fsync = off\n");
my $bin = $node->config_data('--bindir');
chdir $dir;
command_ok([ 'pg_upgrade', '--no-sync', '-b', $bin, '-B', $bin, '-d', $node->data_dir, '-D', $newer->data_dir, '-p', $node->port,
		'-P', $newer->port, '-s', $newer->host ], 'pg_upgrade');
$newer->start;
is($newer->safe_psql('postgres', $labels), $were, 'pg_upgrade: the same labels');
is($newer->safe_psql('postgres', q{SELECT count(*), sum(v) FROM plain}), '10000|50005000', 'and rows');
is($newer->safe_psql('postgres', q{SELECT series_columns, retention FROM ts_options('plain')}), '{server,"Odd, \"Name"}|1 year 2 mons', 'and options');
is($newer->safe_psql('postgres', q{SELECT (SELECT count(*) FROM waiting) || ' ' || (SELECT count(*) FROM ts_segments('waiting'))}), '2000 0',
	'and nothing was maintained meanwhile');
tables_are_sound($newer, 'after pg_upgrade');
$newer->stop;

done_testing();
