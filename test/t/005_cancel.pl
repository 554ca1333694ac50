# Cancel, time-out and termination in the middle of loads and flushes: each
# statement counts wholly or not at all, and what was there stays.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use KillServer;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sound;
use Test::More;
use Time::HiRes qw(sleep time);

srand(20240101);
my $node = PostgreSQL::Test::Cluster->new('cancel');
$node->init;
$node->append_conf('postgresql.conf', <<EOC);
log_statement = none
synchronous_commit = off
autovacuum = off
EOC
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]); }

sql('CREATE EXTENSION nodedb_ts');
sql('CREATE TABLE t (ts timestamptz, tag int, i int) USING nodedb_ts');
sql('CREATE TABLE expected (tag int, n bigint)');
my $digest = 'SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM t';
my $wrong = q{SELECT count(*) FROM (SELECT tag, count(*) AS n FROM t GROUP BY tag) g FULL JOIN expected e USING (tag) WHERE g.n IS DISTINCT FROM e.n};

# Runs SQL that may be stopped; returns whether it was done. Any other error fails.
my $stops = 0;
my $tag = 0;
sub attempt
{
	my ($sql, $why) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', $sql, on_error_stop => 1);
	return 1 if $ret == 0;
	if ($err !~ /$why/)
	{
		fail('no other error');
		diag $err;
	}
	$stops++;
	return 0;
}

# ---- INSERT ... SELECT and COPY under a time-out
my $file = PostgreSQL::Test::Utils::tempdir_short() . '/copy.data';
sql("COPY (SELECT '2024-01-01'::timestamptz + i * interval '1 s', -1, i FROM generate_series(1, 400000) i) TO '$file'");
my $timeout = qr/canceling statement due to statement timeout/;
sub note_done { sql("INSERT INTO expected VALUES ($_[0], $_[1])"); }
for my $ms (1, 5, 10, 20, 40, 80, 120, 180, 250, 400)
{
	my $n = 200000;
	$tag++;
	note_done($tag, $n)
	  if attempt("SET statement_timeout = $ms; INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '1 s', $tag, i FROM generate_series(1, $n) i;", $timeout);
	# as part of a transaction that goes on from a savepoint
	$tag++;
	sql("BEGIN; INSERT INTO t SELECT '2024-01-01', $tag, i FROM generate_series(1, 300) i; COMMIT;");
	note_done($tag, 300);
	$node->psql('postgres', "BEGIN; SAVEPOINT s; SET LOCAL statement_timeout = $ms; COPY t FROM '$file'; ROLLBACK TO s; COMMIT;", on_error_stop => 0);
}
is(sql($wrong), 0, "loads under a time-out, $stops of them stopped");
cmp_ok($stops, '>', 0, 'some were stopped');
is(sql('SELECT count(*) FROM t WHERE tag = -1'), 0, 'nothing of what was rolled back is left');

# ---- a flush under a time-out, with many small batches to move
sub fill
{
	my ($n) = @_;
	$tag++;
	sql("DO \$\$ BEGIN FOR k IN 1 .. $n LOOP INSERT INTO t VALUES ('2024-02-01'::timestamptz + k * interval '1 s', $tag, k); COMMIT; END LOOP; END \$\$");
	note_done($tag, $n);
}
fill(20000);
my $before = sql($digest);
$stops = 0;
for my $round (1 .. 3)
{
	for my $us (1, 2, 3, 4, 6, 8, 10, 15, 20, 30, 50, 80)
	{
		attempt("SET statement_timeout = $us; SELECT ts_flush('t')", $timeout);
		is(sql($digest), $before, "round $round: flush stopped after at most $us ms") if $us % 10 == 0 || $us == 3;
	}
	sql(q{SELECT ts_flush('t')});
	is(sql(q{SELECT ts_flush('t')}), 0, "round $round: then a whole flush");
	is(sql($digest), $before, "round $round: same rows");
	is(sql(q{SELECT sum(rows) FROM ts_segments('t') WHERE level > 0}), (split /\|/, $before)[0], "round $round: all of them in segments");
	fill(10000);
	$before = sql($digest);
}
note "$stops flushes stopped";
is(sql($wrong), 0, 'every transaction is whole');

# Many batches of middle size, so that a flush takes its time.
sub fill_batches
{
	$tag++;
	sql("DO \$\$ BEGIN FOR k IN 1 .. 60 LOOP INSERT INTO t SELECT '2024-03-01'::timestamptz + i * interval '1 s', $tag, i FROM generate_series(1, 5000) i; COMMIT; END LOOP; END \$\$");
	note_done($tag, 60 * 5000);
}

# ---- pg_cancel_backend and pg_terminate_backend at random moments
for my $how ('pg_cancel_backend', 'pg_terminate_backend')
{
	my $why = $how eq 'pg_cancel_backend' ? qr/canceling statement due to user request/ : qr/terminating connection due to administrator command|server closed the connection|connection to server was lost/;
	for my $what ('insert', 'copy', 'flush', 'scan')
	{
		my $hit = 0;
		fill_batches() if $what eq 'flush';
		my $log = PostgreSQL::Test::Utils::tempdir_short() . '/session.log';
		for my $try (1 .. 6)
		{
			$tag++;
			my $n = 150000;
			my $sql =
			    $what eq 'insert' ? "INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '1 s', $tag, i FROM generate_series(1, $n) i"
			  : $what eq 'copy' ? "COPY t FROM '$file'"
			  : $what eq 'flush' ? q{SELECT ts_flush('t')}
			  : 'SELECT count(*) FROM t a JOIN t b USING (ts, i) JOIN t c USING (ts, i)';
			$sql = "BEGIN; $sql; SELECT 1 / 0;" if $what eq 'copy';
			my $pid = fork();
			die "fork: $!" unless defined $pid;
			if (!$pid)
			{
				open(STDOUT, '>', $log);
				open(STDERR, '>&', \*STDOUT);
				exec('psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') . ' application_name=victim', '-c', $sql);
				die "exec: $!";
			}
			sleep(rand($what eq 'flush' ? 0.12 : 0.25));
			sql("SELECT $how(pid) FROM pg_stat_activity WHERE application_name = 'victim'");
			waitpid($pid, 0);
			my $text = slurp_file($log);
			if ($text =~ $why) { $hit++; }
			elsif ($text =~ /ERROR|FATAL/ && $text !~ /division by zero/) { fail("$how of $what"); diag $text; }
			elsif ($what eq 'insert') { note_done($tag, $n); }
			elsif ($what eq 'flush') { fill_batches(); }
		}
		is(sql($wrong), 0, "$how of $what: every transaction is whole ($hit hit)");
	}
}

# ---- a flush that waits for another gives up at its lock time-out
my $other = $node->background_psql('postgres');
$other->query_safe(q{BEGIN; SELECT ts_flush('t');});
my ($ret, $out, $err) = $node->psql('postgres', q{SET lock_timeout = '200ms'; SELECT ts_flush('t');}, extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
like($err, qr/55P03/, 'lock time-out while another flush is open');
sql("INSERT INTO t VALUES ('2024-05-01', 0, 0); INSERT INTO expected VALUES (0, 1)");
$other->query_safe('ROLLBACK');
$other->quit;

# ---- and after all that: a flush, VACUUM, a crash
sql(q{SELECT ts_flush('t')});
$before = sql($digest);
sql('VACUUM t');
is(sql($digest), $before, 'the same after VACUUM');
kill_and_start($node, children => 1);
# commits were asynchronous: the last ones may be gone, whole ones
sql('DELETE FROM expected WHERE tag IN (SELECT tag FROM expected EXCEPT SELECT tag FROM t)');
is(sql('SELECT count(*) FROM (SELECT tag, count(*) AS n FROM t GROUP BY tag) g JOIN expected e USING (tag) WHERE g.n <> e.n'), 0, 'every transaction is whole after a kill');
tables_are_sound($node, 'at the end');
$node->stop;
done_testing();
