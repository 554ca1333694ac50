# Kill loop: several sessions write and record outside the server what was
# acknowledged; the server is killed; after recovery everything acknowledged is
# there exactly once, nothing rolled back is, and a transaction whose fate the
# client never learned is there wholly or not at all.
#
# KILL_ROUNDS (20) sets the number of rounds, KILL_SEED the random sequence.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use KillServer;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sound;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

my $rounds = $ENV{KILL_ROUNDS} || 20;
my $seed = $ENV{KILL_SEED} || 20240101;
my $writers = 4;
my $rounds_per_table = 5;
srand($seed);
note "KILL_SEED=$seed KILL_ROUNDS=$rounds";

my $node = PostgreSQL::Test::Cluster->new('crash');
$node->init;
$node->append_conf('postgresql.conf', <<EOC);
wal_level = replica
log_statement = none
full_page_writes = on
synchronous_commit = on
autovacuum_naptime = 1s
restart_after_crash = on
max_connections = 30
EOC
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION nodedb_ts');

my $dir = PostgreSQL::Test::Utils::tempdir;
my $connstr = $node->connstr('postgres');
my ($acked_total, $unknown_total, $kept_total) = (0, 0, 0);

sub create_table
{
	$node->safe_psql('postgres', q{
		DROP TABLE IF EXISTS t;
		CREATE TABLE t (ts timestamptz, tag bigint, seq int, v float8, p text) USING nodedb_ts;
	});
}

# The rows of a tag: seq from .. to, everything else follows from tag and seq.
my $row = q{'2024-01-01'::timestamptz + %1$d %% 7 * interval '1 day' + g * interval '1 s', %1$d, g, g * 0.25 + %1$d %% 1000, 'p' || (%1$d + g) %% 17};
sub insert_sql
{
	my ($tag, $from, $to) = @_;
	return sprintf("INSERT INTO t SELECT $row FROM generate_series(%2\$d, %3\$d) g;\n", $tag, $from, $to);
}

sub copy_sql
{
	my ($tag, $from, $to) = @_;
	my $out = "COPY t FROM stdin;\n";
	my $day = 1 + $tag % 7;
	for my $g ($from .. $to)
	{
		# any time of that day will do, the check does not look at ts
		$out .= sprintf("2024-01-%02d %02d:%02d:%02d\t%d\t%d\t%s\tp%d\n", $day,
			($g / 3600) % 24, ($g / 60) % 60, $g % 60, $tag, $g, $g * 0.25 + $tag % 1000, ($tag + $g) % 17);
	}
	return $out . "\\.\n";
}

# One transaction as a psql script; returns the script and the rows it leaves.
# Rows with a negative seq are rolled back and must never be seen.
sub transaction
{
	my ($tag) = @_;
	my $kind = rand();
	my $n;
	my $s = '';
	if ($kind < 0.50)
	{
		$n = 1;
		$s = sprintf("INSERT INTO t SELECT $row FROM (VALUES (1)) x(g);\n", $tag);
	}
	elsif ($kind < 0.65)
	{
		$n = 2 + int(rand(19));
		$s = "BEGIN;\n" . join('', map { insert_sql($tag, $_, $_) } 1 .. $n) . "COMMIT;\n";
	}
	elsif ($kind < 0.75)
	{
		$n = 1000 + int(rand()**3 * 19000);
		$s = copy_sql($tag, 1, $n);
	}
	elsif ($kind < 0.78)
	{
		$n = 8000 + int(rand(20000));
		$s = insert_sql($tag, 1, $n);
	}
	elsif ($kind < 0.86)
	{
		$n = 0;
		$s = "BEGIN;\n" . (rand() < 0.5 ? insert_sql($tag, -1 - int(rand()**3 * 20000), -1) : copy_sql($tag, -3000, -1));
		$s .= "SELECT count(*) FROM t WHERE tag = $tag;\n" if rand() < 0.3;
		$s .= "ROLLBACK;\n";
	}
	elsif ($kind < 0.95)
	{
		my $a = 1 + int(rand(50));
		my $b = $a + 1 + int(rand()**3 * 5000);
		$n = $b + 1 + int(rand(50));
		$s = "BEGIN;\n" . insert_sql($tag, 1, $a) . "SAVEPOINT s;\n" . insert_sql($tag, -2000, -1);
		$s .= "SELECT count(*) FROM t WHERE tag = $tag;\n" if rand() < 0.3;
		$s .= "ROLLBACK TO s;\n" . insert_sql($tag, $a + 1, $b) . "SAVEPOINT s2;\n" . insert_sql($tag, $b + 1, $n) . "RELEASE s2;\nCOMMIT;\n";
	}
	else
	{
		# every third row is inserted in a block that fails
		$n = 30;
		$s = "DO \$\$ BEGIN FOR k IN 1 .. $n LOOP INSERT INTO t SELECT " . sprintf($row, $tag) . " FROM (VALUES (k)) x(g);\n"
		  . "BEGIN INSERT INTO t SELECT " . sprintf($row, $tag) . " FROM (VALUES (-k)) x(g); PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN NULL; END;\n"
		  . "END LOOP; END \$\$;\n";
	}
	return ("\\echo try $tag $n\n$s\\echo ack $tag $n\n");
}

# Runs psql in a process of its own, fed by a generator until either ends.
sub start_session
{
	my ($name, $generate) = @_;
	my $pid = fork();
	die "fork: $!" unless defined $pid;
	return $pid if $pid;
	# from here on no Perl clean-up of the parent's objects may run
	$SIG{PIPE} = 'IGNORE';
	open(STDOUT, '>', "$dir/$name.out") or POSIX::_exit(90);
	open(STDERR, '>', "$dir/$name.err") or POSIX::_exit(91);
	open(my $psql, '|-', 'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', $connstr) or POSIX::_exit(92);
	$psql->autoflush(1);
	while (my $s = $generate->())
	{
		print $psql $s or last;
	}
	close($psql);
	POSIX::_exit($? >> 8);
}

my %digest;
sub digests
{
	my %d;
	for (split /\n/, $node->safe_psql('postgres', q{
		SELECT tag / 1000000000, count(*), sum(hashtextextended(t::text, 0)::numeric) FROM t GROUP BY 1}))
	{
		my ($r, $n, $h) = split /\|/;
		$d{$r} = "$n $h";
	}
	return \%d;
}

# Compares the table with what the sessions of the round recorded.
sub check
{
	my ($round) = @_;
	my (%tried, %acked, @problems);
	for my $w (1 .. $writers)
	{
		for (split /\n/, slurp_file("$dir/w$w.out"))
		{
			$tried{$1} = $2 if /^try (\d+) (\d+)$/;
			$acked{$1} = $2 if /^ack (\d+) (\d+)$/;
		}
		# the only error a session may meet is the loss of its server
		my $err = slurp_file("$dir/w$w.err");
		push @problems, "writer $w: $1" if $err =~ /(ERROR: .*)/;
	}
	for my $s ('flush', 'checkpoint')
	{
		next unless -e "$dir/$s.err";
		push @problems, "$s session: $1" if slurp_file("$dir/$s.err") =~ /(ERROR: .*)/;
	}
	my $unknown = 0;
	for (split /\n/, $node->safe_psql('postgres', qq{
		SELECT tag, count(*), count(DISTINCT seq), min(seq), max(seq),
		       count(*) FILTER (WHERE v IS DISTINCT FROM seq * 0.25 + tag % 1000 OR p IS DISTINCT FROM 'p' || (tag + seq) % 17)
		FROM t WHERE tag / 1000000000 = $round GROUP BY tag}))
	{
		my ($tag, $rows, $distinct, $min, $max, $bad) = split /\|/;
		if (!exists $tried{$tag})
		{
			push @problems, "tag $tag: $rows rows of a transaction that never began";
			next;
		}
		my $n = $tried{$tag};
		push @problems, "tag $tag: $rows rows ($distinct distinct, $min .. $max), expected $n" . (exists $acked{$tag} ? '' : ' or none')
		  if $rows != $n || $distinct != $n || $min != 1 || $max != $n;
		push @problems, "tag $tag: $bad rows with other values" if $bad;
		$unknown++ unless exists $acked{$tag};
		delete $acked{$tag};
		$kept_total += $rows;
	}
	for my $tag (grep { $acked{$_} > 0 } keys %acked)
	{
		push @problems, "tag $tag: $acked{$tag} acknowledged rows are lost";
	}
	my $now = digests();
	for my $r (grep { $_ < $round } keys %digest)
	{
		push @problems, "rows of round $r changed: $digest{$r} before, " . ($now->{$r} // 'none') . ' now'
		  if $digest{$r} ne ($now->{$r} // '');
	}
	%digest = %$now;
	my $n_acked = grep { !exists $acked{$_} || $acked{$_} == 0 } keys %tried;
	$acked_total += $n_acked;
	$unknown_total += $unknown;
	splice(@problems, 20);
	diag "round $round: $_" for @problems;
	return (scalar(@problems) == 0, scalar(keys %tried), $unknown);
}

my @modes = ('all processes', 'one backend', 'postmaster');
for my $round (1 .. $rounds)
{
	# a third of the rounds each: as it comes; few buffers and many checkpoints;
	# little memory for rows beside that
	my $phase = int(3 * ($round - 1) / $rounds);
	my $last = $round == 1 ? -1 : int(3 * ($round - 2) / $rounds);
	if ($phase != $last && $phase > 0)
	{
		$node->append_conf('postgresql.conf', "shared_buffers = 2MB\nmax_wal_size = 32MB\nmin_wal_size = 32MB\ncheckpoint_timeout = 30s\n");
		$node->append_conf('postgresql.conf', "nodedb_ts.memory_budget = '256kB'\n") if $phase == 2;
		$node->restart;
		is_deeply(digests(), \%digest, "round $round: a clean restart changes nothing") or diag explain digests();
	}
	if (($round - 1) % $rounds_per_table == 0)
	{
		create_table();
		%digest = ();
	}

	my @sessions;
	unlink "$dir/checkpoint.err";
	for my $w (1 .. $writers)
	{
		my $k = 0;
		my $s = int(rand(2**31));
		push @sessions, start_session("w$w", sub {
			srand($s) if $k == 0;
			return transaction($round * 1000000000 + $w * 10000000 + ++$k);
		});
	}
	push @sessions, start_session('flush', sub { return "SELECT ts_flush('t');\nSELECT pg_sleep(0.03);\n" });
	push @sessions, start_session('checkpoint', sub { return "CHECKPOINT;\nSELECT pg_sleep(0.1);\n" }) if $phase > 0;

	sleep 0.3 + rand(1.2);

	my $mode = $modes[$round % 3];
	if ($mode eq 'one backend')
	{
		my @clients = split /\n/, $node->safe_psql('postgres',
			q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid});
		kill 'KILL', $clients[ int(rand(@clients)) ];
		waitpid($_, 0) for @sessions;
		$node->poll_query_until('postgres', 'SELECT 1', '1') or BAIL_OUT('no recovery after the loss of a backend');
	}
	else
	{
		kill_server($node, children => $mode eq 'all processes');
		waitpid($_, 0) for @sessions;
		start_again($node);
	}
	my ($ok, $tried, $unknown) = check($round);
	ok($ok, "round $round: $mode killed, $tried transactions, $unknown of unknown fate kept");

	tables_are_sound($node, "round $round");

	# what recovery left can be worked on
	if ($round % 2 == 0)
	{
		$node->safe_psql('postgres', q{SELECT ts_flush('t')});
		$node->safe_psql('postgres', 'VACUUM t') if $round % 4 == 0;
		is_deeply(digests(), \%digest, "round $round: a flush after recovery changes nothing") or diag explain digests();
		tables_are_sound($node, "round $round, flushed");
	}
}
cmp_ok($acked_total, '>', 5 * $rounds, "$acked_total transactions acknowledged, $kept_total rows kept");

$node->restart;
is_deeply(digests(), \%digest, 'a clean restart changes nothing');
tables_are_sound($node, 'at the end');
$node->stop;
done_testing();
