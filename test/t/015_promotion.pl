# A standby that is promoted, and a backup that is restored, in the middle of a load
# or a flush: exactly the committed rows, and work goes on.
use strict;
use warnings;

# archive_command runs in the data directory, so that paths must be absolute
BEGIN { require Cwd; $ENV{TESTDIR} ||= Cwd::getcwd(); }

use FindBin;
use lib $FindBin::Bin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Sound;
use Test::More;
use Time::HiRes qw(sleep);

my $hash = 'SELECT count(*), sum(hashtextextended(x::text, 0)::numeric) FROM t x';
my $few = q{DO $$ BEGIN FOR k IN 1 .. 600 LOOP INSERT INTO t VALUES ('2024-02-01'::timestamptz + k * interval '1 s', -k, repeat('x', 100)); COMMIT; END LOOP; END $$;};
my $many = q{INSERT INTO t SELECT '2024-03-01'::timestamptz + i * interval '1 s', i, md5(i::text) || md5((-i)::text) FROM generate_series(1, 12000) i;};

# What VACUUM finds to free.
sub freed
{
	my ($node) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', 'VACUUM (VERBOSE, TRUNCATE false) t');
	return $err =~ /(\d+) freed for reuse/ ? $1 : $err;
}

# A server that is no standby any more works on, and holds what it should.
sub check_and_use
{
	my ($node, $name, $expected, $unfinished) = @_;
	is($node->safe_psql('postgres', $hash), $expected, "$name: exactly the committed rows");
	my $freed = freed($node);
	cmp_ok($freed, '>', 0, "$name: VACUUM frees what the unfinished transaction left") if $unfinished;
	is($node->safe_psql('postgres', $hash), $expected, "$name: the same after VACUUM");
	is(freed($node), 0, "$name: nothing is left to free");
	my ($count) = $expected =~ /^(\d+)/;
	$node->safe_psql('postgres', $few . $many . q{SELECT ts_flush('t'); VACUUM t;});
	is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), $count + 12600, "$name: it takes rows, flushes and vacuums");
	tables_are_sound($node, $name);
	return;
}

my $n = 0;

sub make_standby
{
	my ($primary) = @_;
	$n++;
	$primary->backup("b$n");
	my $standby = PostgreSQL::Test::Cluster->new("s$n");
	$standby->init_from_backup($primary, "b$n", has_streaming => 1);
	$standby->start;
	return $standby;
}

my $node = PostgreSQL::Test::Cluster->new('first');
$node->init(has_archiving => 1, allows_streaming => 1, extra => ['--data-checksums']);
$node->append_conf('postgresql.conf', <<EOC);
log_statement = none
autovacuum = off
max_prepared_transactions = 2
checkpoint_timeout = 1h
max_wal_size = 1GB
EOC
$node->start;
$node->safe_psql('postgres', "CREATE EXTENSION nodedb_ts; CREATE TABLE t (ts timestamptz, i int, p text) USING nodedb_ts; CREATE TABLE other (i int); $many $few");

# ---- recovery to a point between two commits
{
	$node->backup('pitr');
	my %expected;
	my $point = sub {
		my ($name) = @_;
		$expected{$name} = $node->safe_psql('postgres', $hash);
		$node->safe_psql('postgres', "SELECT pg_create_restore_point('$name')");
	};
	my $xid = $node->safe_psql('postgres', "BEGIN; INSERT INTO t VALUES ('2024-04-01', 1, 'before the xid'); SELECT txid_current(); COMMIT;");
	$expected{xid} = $node->safe_psql('postgres', $hash);
	$node->safe_psql('postgres', q{INSERT INTO t VALUES ('2024-04-01', 2, 'after the xid')});
	$node->safe_psql('postgres', q{INSERT INTO t VALUES ('2024-04-01', 3, 'after the second')});
	my $open = Session->new($node);
	$open->ask("BEGIN; SELECT ts_flush('t');");
	$node->safe_psql('postgres', q{INSERT INTO t VALUES ('2024-04-01', 4, 'beside the flush')});
	$point->('flush');
	$open->ask('COMMIT;');
	$node->safe_psql('postgres', $few . q{BEGIN; SELECT ts_flush('t'); ROLLBACK; VACUUM t;});
	$open->ask("BEGIN; $many SELECT count(*) FROM t;");
	$point->('load');
	$open->ask('COMMIT;');
	$node->safe_psql('postgres', q{SELECT ts_flush('t'); VACUUM (FREEZE) t;} . $few);
	$expected{truncate} = $node->safe_psql('postgres', $hash);
	$open->ask("BEGIN; TRUNCATE t; INSERT INTO t VALUES ('2024-04-01', 5, 'after TRUNCATE');");
	$node->safe_psql('postgres', q{SELECT pg_create_restore_point('truncate')});
	$open->ask('ROLLBACK;');
	$open->quit;
	$node->safe_psql('postgres', 'INSERT INTO other VALUES (1); SELECT pg_switch_wal();');
	for my $name (qw(xid flush load truncate))
	{
		my $restored = PostgreSQL::Test::Cluster->new("to_$name");
		$restored->init_from_backup($node, 'pitr', has_restoring => 1);
		$restored->append_conf('postgresql.conf', "archive_mode = off\nrecovery_target_action = promote\n" . ($name eq 'xid' ? "recovery_target_xid = '$xid'\n" : "recovery_target_name = '$name'\n"));
		$restored->start;
		$restored->poll_query_until('postgres', 'SELECT pg_is_in_recovery()', 'f') or die;
		check_and_use($restored, "recovery to $name", $expected{$name}, $name eq 'load' || $name eq 'flush');
		$restored->stop;
		command_ok([ 'pg_checksums', '--check', '-D', $restored->data_dir ], "recovery to $name: page checksums");
		$restored->clean_node;
	}
	$node->adjust_conf('postgresql.conf', 'archive_mode', 'off');
	$node->restart;
}

# ---- open and prepared transactions when the primary goes
{
	my $standby = make_standby($node);
	my $expected = $node->safe_psql('postgres', $few . $hash);
	$node->safe_psql('postgres', q{CREATE TABLE prepared (ts timestamptz, i int) USING nodedb_ts; INSERT INTO prepared SELECT '2024-01-01', i FROM generate_series(1, 300) i;
		BEGIN; SELECT ts_flush('prepared'); INSERT INTO prepared SELECT '2024-01-02', i FROM generate_series(1, 5000) i; PREPARE TRANSACTION 'p';});
	my $flush = Session->new($node);
	$flush->ask("BEGIN; $few" =~ s/COMMIT;//r . "SELECT ts_flush('t'); $many SELECT count(*) FROM t;");
	$node->safe_psql('postgres', 'INSERT INTO other VALUES (1)');
	$node->wait_for_catchup($standby);
	$node->stop('immediate');
	$flush->quit;
	$standby->promote;
	check_and_use($standby, 'promotion beside an open flush and load', $expected, 1);
	is($standby->safe_psql('postgres', 'SELECT count(*) FROM prepared'), 300, 'a prepared flush is not seen');
	$standby->safe_psql('postgres', q{COMMIT PREPARED 'p'});
	is($standby->safe_psql('postgres', 'SELECT count(*), sum(i) FROM prepared'), '5300|12547650', 'and is when it is committed there');
	$standby->safe_psql('postgres', q{VACUUM prepared; SELECT ts_flush('prepared'); VACUUM prepared;});
	is($standby->safe_psql('postgres', 'SELECT count(*), sum(i) FROM prepared'), '5300|12547650', 'and after VACUUM');
	$node->clean_node;
	$node = $standby;
}

# ---- the primary goes in the middle of one
my $flush = q{SELECT ts_flush('t');};
my @cases = (['flush', 'flush_page', 4, $flush], ['flush', 'segment_publish', 1, $flush], ['load', 'segment_write', 2, "$many SELECT count(*) FROM t;"], ['VACUUM', 'free_done', 1, 'VACUUM t;']);
for (@cases)
{
	my ($what, $place, $count, $work) = @$_;
	my $name = "promotion in the middle of a $what, at $place";
	my $standby = make_standby($node);
	my $expected = $node->safe_psql('postgres', $few . ($what eq 'VACUUM' ? $flush : '') . $hash);
	$expected =~ s/.*\n//s;
	my $holder = Session->new($node);
	$holder->ask("SELECT pg_advisory_lock(hashtext('$place'));");
	my $session = Session->new($node);
	$session->ask("SET nodedb_ts.fault = '$place:wait:$count';");
	$session->send($work);
	$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}) or die "$name: not reached";
	# a commit sends everybody's WAL
	$node->safe_psql('postgres', 'INSERT INTO other VALUES (1)');
	$node->wait_for_catchup($standby);
	$node->stop('immediate');
	$_->quit for ($session, $holder);
	$standby->promote;
	check_and_use($standby, $name, $expected, $place =~ /^segment/);
	$node->clean_node;
	$node = $standby;
}
$node->stop;
command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'page checksums');
done_testing();
