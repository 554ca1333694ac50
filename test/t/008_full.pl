# A file system that takes no more: loads fail cleanly, change nothing, and the
# table works on.
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
use Sound;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('full');
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
# what failed loads left is freed, and a load that fits beside the rest goes on
is(($node->psql('postgres', 'INSERT INTO t ' . $rows->(4, 300000)))[0], 3, 'a load that would fit finds no room');
sql('VACUUM t');
sql('INSERT INTO t ' . $rows->(4, 300000));
is(sql('SELECT count(*) FROM t'), 400500, 'it does after VACUUM');
sql(q{INSERT INTO t VALUES ('2024-01-03', 0, '\x01')});
$before = sql($digest);
sql(q{SELECT ts_flush('t')});
is(sql($digest), $before, 'a flush afterwards');
sql('VACUUM t');
is(sql($digest), $before, 'and after VACUUM');
# in the middle of a transaction that goes on
$node->psql('postgres', "BEGIN; INSERT INTO t VALUES ('2024-01-04', 1, NULL); SAVEPOINT s; INSERT INTO t " . $rows->(1, 1000000) . "; ROLLBACK TO s; INSERT INTO t VALUES ('2024-01-04', 2, NULL); COMMIT;", on_error_stop => 0);
is(sql('SELECT count(*) FROM t WHERE p IS NULL'), 2, 'a savepoint saves the rest');
sql('CHECKPOINT');
$before = sql($digest);
kill_and_start($node, children => 1);
is(sql($digest), $before, 'the same after a kill');
# a load that fits goes on where there is room
sql('BEGIN; TRUNCATE t; INSERT INTO t ' . $rows->(7, 50000) . '; COMMIT');
is(sql('SELECT count(*), sum(i) FROM t'), '50000|1250025000', 'an emptied table takes rows');
tables_are_sound($node, 'at the end');
$node->stop;
done_testing();

