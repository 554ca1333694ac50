# Limits of the world outside: transaction ids that wrap around, and a file
# system that takes no more.
use strict;
use warnings;

# Files may grow to 40 MB only, WAL segments and logs included, so that a table
# meets the end of its room. The limit is inherited by the server.
BEGIN
{
	if (!$ENV{NODEDB_TS_FILE_LIMIT})
	{
		$ENV{NODEDB_TS_FILE_LIMIT} = 1;
		exec('sh', '-c', 'ulimit -f 81920; exec "$@"', 'sh', $^X, (map { "-I$_" } grep { !ref } @INC), $0, @ARGV)
		  or die "exec: $!";
	}
}

use FindBin;
use lib $FindBin::Bin;

use KillServer;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('limits');
$node->init;
$node->append_conf('postgresql.conf', <<EOC);
log_statement = none
autovacuum = off
synchronous_commit = off
max_wal_size = 512MB
EOC
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]); }
my $digest = 'SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM t';

sql('CREATE EXTENSION nodedb_ts');

# ---- no more room
sql('CREATE TABLE t (ts timestamptz, i int, p bytea) USING nodedb_ts');
my $rows = sub { return "SELECT '2024-01-01'::timestamptz + i * interval '1 s', i, sha256((i + $_[0])::text::bytea) || sha256((-i - $_[0])::text::bytea) FROM generate_series(1, $_[1]) i" };
sql('INSERT INTO t ' . $rows->(0, 100000));
sql(q{DO $$ BEGIN FOR k IN 1 .. 500 LOOP INSERT INTO t VALUES ('2024-01-02', k, '\x00'); COMMIT; END LOOP; END $$});
my $before = sql($digest);
for my $try (1 .. 3)
{
	my ($ret, $out, $err) = $node->psql('postgres', 'INSERT INTO t ' . $rows->($try, 1000000), extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	isnt($ret, 0, "load $try does not fit");
	like($err, qr/ERROR:  (53100|54000|58030)|File too large/, 'and says why');
	is(sql($digest), $before, 'nothing changed');
}
sql(q{INSERT INTO t VALUES ('2024-01-03', 0, '\x01')});
$before = sql($digest);
sql(q{SELECT ts_flush('t')});
is(sql($digest), $before, 'a flush afterwards');
sql('VACUUM t');
sql('INSERT INTO t ' . $rows->(7, 50000));
$before = sql($digest);
is((split /\|/, $before)[0], 150501, 'and there is room for what fits');
kill_and_start($node, children => 1);
is(sql('SELECT count(*) > 100000 FROM t'), 't', 'after a kill');
# in the middle of a transaction that goes on
sql('CHECKPOINT');
$before = sql($digest);
$node->psql('postgres', "BEGIN; INSERT INTO t VALUES ('2024-01-04', 1, NULL); SAVEPOINT s; INSERT INTO t " . $rows->(1, 1000000) . "; ROLLBACK TO s; INSERT INTO t VALUES ('2024-01-04', 2, NULL); COMMIT;", on_error_stop => 0);
is(sql('SELECT count(*) FROM t WHERE p IS NULL'), 2, 'a savepoint saves the rest');
sql('DROP TABLE t');

# ---- transaction ids go round twice
sql('CREATE TABLE t (ts timestamptz, i int, p text) USING nodedb_ts');
sql(q{INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '1 s', i, 'large' FROM generate_series(1, 20000) i});
sql(q{DO $$ BEGIN FOR k IN 1 .. 300 LOOP INSERT INTO t VALUES ('2024-01-02', k, 'flushed'); COMMIT; END LOOP; END $$});
sql(q{SELECT ts_flush('t')});
sql(q{DO $$ BEGIN FOR k IN 1 .. 300 LOOP INSERT INTO t VALUES ('2024-01-02', k, 'batch'); IF k % 3 = 0 THEN ROLLBACK; ELSE COMMIT; END IF; END LOOP; END $$});
sql(q{BEGIN; INSERT INTO t SELECT '2024-01-01', i, 'gone' FROM generate_series(1, 20000) i; SELECT count(*) FROM t; ROLLBACK;});
sql(q{BEGIN; SELECT ts_flush('t'); ROLLBACK});
# what was flushed, and aborted, after the freezing must be right too
my $expected = sql($digest);
sql('ALTER DATABASE template0 ALLOW_CONNECTIONS true');
for my $jump (1 .. 4)
{
	$node->safe_psql($_, 'VACUUM (FREEZE)') for ('template0', 'template1', 'postgres');
	is(sql(q{SELECT age(relfrozenxid) < 1000 FROM pg_class WHERE relname = 't'}), 't', "jump $jump: VACUUM (FREEZE) advances relfrozenxid");
	is(sql($digest), $expected, "jump $jump: same rows after VACUUM (FREEZE)");
	$node->stop;
	my $out = run_command([ 'pg_controldata', $node->data_dir ]);
	my ($next) = $out =~ /NextXID:\s+\d+:(\d+)/;
	# to the first id of a commit log segment, about 1.2 billion further on
	my $new = (int(($next + 1_200_000_000) / 1048576) + 1) * 1048576 % 4294967296;
	command_ok([ 'pg_resetwal', '-x', $new, '-D', $node->data_dir ], "jump $jump: next id from $next to $new");
	my $segment = sprintf('%s/pg_xact/%04X', $node->data_dir, $new / 1048576);
	open(my $f, '>', $segment) or die "$segment: $!";
	print $f "\0" x 262144;
	close($f);
	$node->start;
	is(sql($digest), $expected, "jump $jump: same rows, ids far ahead");
	sql(qq{INSERT INTO t VALUES ('2024-02-01', $jump, 'new'); INSERT INTO t SELECT '2024-02-01', i, 'new' FROM generate_series(1, 10) i});
	sql(q{SELECT ts_flush('t')}) if $jump % 2 == 0;
	$expected = sql($digest);
}
is(sql(q{SELECT count(*) FROM t WHERE p = 'gone'}), 0, 'nothing that was rolled back came back');
is(sql(q{SELECT count(*) FROM t}), 20000 + 300 + 200 + 44, 'every row is there');
$node->stop;
done_testing();
