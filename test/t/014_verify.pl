# ts_verify beside everything else: it finds nothing wrong with a table that sessions
# write, flush, vacuum and truncate, on the primary and on a standby; it can be
# cancelled; it knows damage when it sees it there.
#
# VERIFY_SECONDS (8) sets how long.
use strict;
use warnings;

use FindBin;
use IPC::Run;
use lib $FindBin::Bin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sound;
use Test::More;
use Time::HiRes qw(time sleep);

my $seconds = $ENV{VERIFY_SECONDS} || 8;
my $node = PostgreSQL::Test::Cluster->new('verify');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', <<EOC);
log_statement = none
fsync = off
synchronous_commit = off
autovacuum_naptime = 1s
autovacuum_vacuum_insert_threshold = 100
autovacuum_vacuum_threshold = 10
max_wal_size = 1GB
EOC
$node->start;
$node->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('verify_standby');
$standby->init_from_backup($node, 'b', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'max_standby_streaming_delay = -1');
$standby->start;
sub sql { return $node->safe_psql('postgres', $_[0]); }

sql('CREATE EXTENSION nodedb_ts');
sql('CREATE TABLE t (ts timestamptz, host text, v float8, i int) USING nodedb_ts');
sql('CREATE UNLOGGED TABLE u (LIKE t) USING nodedb_ts');
my $dir = PostgreSQL::Test::Utils::tempdir;
my %scripts = (
	one => [ 60, q{INSERT INTO t VALUES (now(), 'a', 1, :client_id);} ],
	few => [ 20, q{BEGIN; INSERT INTO t SELECT now(), 'h' || g % 3, g, g FROM generate_series(1, 30) g; SAVEPOINT s; INSERT INTO t VALUES (now(), 'gone', 1, 1); ROLLBACK TO s; INSERT INTO u VALUES (now(), 'x', 1, 1); COMMIT;} ],
	many => [ 3, q{INSERT INTO t SELECT '2024-01-01'::timestamptz + g * interval '1 s', 'h' || g % 50, g, g FROM generate_series(1, 9000) g;} ],
	undone => [ 3, q{BEGIN; INSERT INTO t SELECT '2024-02-01'::timestamptz + g * interval '1 s', 'h' || g % 50, g, g FROM generate_series(1, 9000) g; SELECT count(*) FROM t WHERE i < 0; ROLLBACK;} ],
	flush => [ 6, q{SELECT ts_flush('t');} ],
	unflush => [ 2, q{BEGIN; SELECT ts_flush('t'); ROLLBACK;} ],
	vacuum => [ 5, q{VACUUM t;} ],
	truncate => [ 1, "\\set k random(1, 10)\n\\if :k = 1\nTRUNCATE t;\n\\endif\n" ]);
my @files;
for my $name (sort keys %scripts)
{
	append_to_file("$dir/$name.sql", $scripts{$name}[1] . "\n");
	push @files, "--file=$dir/$name.sql\@$scripts{$name}[0]";
}
my ($out, $err) = ('', '');
my $run = IPC::Run::start([ 'pgbench', '--no-vacuum', '--client=5', "--time=$seconds", @files, $node->connstr('postgres') ],
	'<', \undef, '>', \$out, '2>', \$err);
my $verify = q{SELECT v.* FROM pg_class c, LATERAL ts_verify(c.oid) v WHERE c.relname = 't' OR c.relname = 'u' AND NOT pg_is_in_recovery();};
my %asked = (primary => 0, standby => 0);
my @found;
my $end = time() + $seconds;
while (time() < $end)
{
	for my $where ([ 'primary', $node ], [ 'standby', $standby ])
	{
		my ($ret, $rows, $message) = $where->[1]->psql('postgres', $verify x 5);
		push @found, "$where->[0]: $_" for split /\n/, $rows;
		push @found, "$where->[0]: $message" if $ret != 0;
		$asked{ $where->[0] } += 5;
	}
}
ok($run->finish, 'clients met no error') or diag $err;
is(scalar(@found), 0, "no false alarm: asked $asked{primary} times on the primary, $asked{standby} times on the standby");
diag $_ for splice(@found, 0, 20);
cmp_ok($asked{standby}, '>', 10, 'and often');
tables_are_sound($node, 'afterwards');
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', q{SELECT count(*) FROM ts_verify('t')}), 0, 'and on the standby');

my $refused = [ $standby->psql('postgres', q{SELECT * FROM ts_verify('u')}, extra_params => [ '-v', 'VERBOSITY=sqlstate' ]) ];
like($refused->[2], qr/0A000/, 'no unlogged table on a standby');

# ---- cancelled in the middle
sql(q{TRUNCATE t; INSERT INTO t SELECT '2024-01-01'::timestamptz + g * interval '1 s', md5(g::text), g, g FROM generate_series(1, 400000) g});
my $took = time();
is(sql(q{SELECT count(*) FROM ts_verify('t')}), 0, 'a larger table is sound');
$took = time() - $took;
my ($ret, $rows, $message) = $node->psql('postgres', sprintf(q{SET statement_timeout = '%dms'; SELECT count(*) FROM ts_verify('t')}, 1 + $took * 200), extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
like($message, qr/57014/, 'it can be cancelled');
is(sql(q{BEGIN; SELECT count(*) FROM ts_verify('t'); SELECT count(*) FROM t; COMMIT}), "0\n400000", 'and asked again');

# ---- damage on a standby
# or recovery would put the page right again
sql('CHECKPOINT');
$node->wait_for_catchup($standby);
$standby->safe_psql('postgres', 'CHECKPOINT');
my $path = sql(q{SELECT pg_relation_filepath('t')});
$standby->stop;
{
	open(my $f, '+<', $standby->data_dir . "/$path") or die "$!";
	binmode $f;
	seek $f, 5 * 8192 + 4000, 0;
	read $f, my $byte, 1;
	seek $f, 5 * 8192 + 4000, 0;
	print $f chr(ord($byte) ^ 8);
	close $f;
}
$standby->start;
is($standby->safe_psql('postgres', q{SELECT count(*) FROM ts_verify('t') WHERE what = 'chunk' AND detail LIKE '%checksum mismatch'}), 1, 'a flipped bit on the standby');
tables_are_sound($node, 'the primary has none');
$standby->stop('immediate');
$node->stop('immediate');
done_testing();
