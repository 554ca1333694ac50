# Transaction ids that no WAL record told of are given out again after a crash. Rows that a
# transaction had written under such an id, and never committed, must not become visible when
# the id's next owner commits.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use KillServer;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sound;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('lost_xid');
$node->init;
$node->append_conf('postgresql.conf', "log_statement = none\nautovacuum = off\nbgwriter_delay = 10s\nwal_writer_delay = 10s\n");
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]); }
sql('CREATE EXTENSION nodedb_ts');

# name => what the second session does between its first insert and the crash
my @cases = (
	[ 'a flush inside a savepoint that has no id of its own', 'BEGIN; INSERT INTO t VALUES (now(), 666); SAVEPOINT s; SELECT count(*) FROM t;' ],
	[ 'rows of a released savepoint, written by its parent', 'BEGIN; SAVEPOINT s; INSERT INTO t VALUES (now(), 666); RELEASE s; SELECT count(*) FROM t;' ],
	[ 'many rows of a released savepoint', q{BEGIN; SAVEPOINT s; INSERT INTO t SELECT now() + i * interval '1 s', 666 FROM generate_series(1, 20000) i; RELEASE s; SELECT count(*) FROM t;} ]);
for my $case (@cases)
{
	my ($name, $statements) = @$case;
	sql('DROP TABLE IF EXISTS t; CREATE TABLE t (ts timestamptz, i int) USING nodedb_ts; CREATE TABLE IF NOT EXISTS other (i int)');
	my $older = $node->background_psql('postgres');
	my $session = $node->background_psql('postgres');
	# the session has its row ids and its open page already
	$session->query_safe('INSERT INTO t VALUES (now(), 0)');
	$older->query_safe('BEGIN; INSERT INTO other VALUES (1)');
	$session->query_safe($statements);
	# an older id commits, and takes the log to disk
	$older->query_safe('COMMIT');
	kill_and_start($node, children => 1);
	is(sql('SELECT count(*) FROM t WHERE i = 666'), 0, "$name: nothing at first");
	# the next owners of those ids
	sql("INSERT INTO other VALUES ($_)") for 1 .. 5;
	is(sql('SELECT count(*) FROM t WHERE i = 666'), 0, "$name: nothing when others have the ids");
	eval { $_->quit } for $older, $session;
}
tables_are_sound($node, 'at the end');
$node->stop;
done_testing();
