# Random statements on a table and on its heap twin: whatever is done to one is
# done to the other in the same transaction, so that every snapshot must see
# equal rows in both. First one session with everything that needs the table for
# itself, then several sessions beside flushes, VACUUM and kills.
#
# RANDOM_ROUNDS (4) scripts of each kind, RANDOM_SEED the sequence.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../t";

use KillServer;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $rounds = $ENV{RANDOM_ROUNDS} || 4;
my $seed = $ENV{RANDOM_SEED} || 20240101;
note "RANDOM_SEED=$seed RANDOM_ROUNDS=$rounds";

my $node = PostgreSQL::Test::Cluster->new('random');
$node->init;
$node->append_conf('postgresql.conf', <<EOC);
log_statement = none
synchronous_commit = off
max_prepared_transactions = 10
shared_buffers = 16MB
autovacuum_naptime = 1s
deadlock_timeout = 100ms
EOC
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]); }
sql(q{
	CREATE EXTENSION nodedb_ts;
	CREATE FUNCTION rest(c refcursor) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE r record; n bigint := 0; s numeric := 0;
	BEGIN
		LOOP FETCH c INTO r; EXIT WHEN NOT FOUND; n := n + 1; s := s + hashtextextended(r::text, 0); END LOOP;
		RETURN n || ' ' || s;
	END $$;
	CREATE FUNCTION take(c refcursor, k int) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE r record;
	BEGIN
		FOR i IN 1 .. k LOOP FETCH c INTO r; EXIT WHEN NOT FOUND; END LOOP;
	END $$;
	CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO log VALUES (NEW.tag, NEW.seq); RETURN NULL; END';
});

sub create_tables
{
	sql(q{
		DROP TABLE IF EXISTS t, h, log;
		CREATE TABLE t (ts timestamptz, tag int, seq int, v float8, p text) USING nodedb_ts;
		CREATE TABLE h (LIKE t) USING heap;
		CREATE TABLE log (tag int, seq int) USING heap;
		CREATE TABLE IF NOT EXISTS src AS SELECT i AS seq FROM generate_series(1, 20000) i;});
}

my $equal = q{SELECT CASE WHEN (SELECT (count(*), sum(hashtextextended(x::text, 0)::numeric)) FROM t x) IS DISTINCT FROM (SELECT (count(*), sum(hashtextextended(x::text, 0)::numeric)) FROM h x) THEN 'DIFFERENT' ELSE 'equal' END};

# A script of random statements. What is in $alone also changes the tables' shape.
sub script
{
	my ($who, $steps, $alone) = @_;
	my $s = "SET client_min_messages = error;\n";
	my ($in, @points, %cursors, $k, @prepared) = (0);
	my $both = sub { my ($q) = @_; return join('', map { (my $c = $q) =~ s/%T/$_/g; $c } ('t', 'h')) };
	my $columns = '(ts, tag, seq, v, p)';
	my $rows = sub {
		my ($from, $to) = @_;
		my $tag = $who * 1000 + int(rand(1000));
		my $ts = (
			q{'2024-01-01'::timestamptz + seq * interval '1 s'}, q{'2024-01-01'::timestamptz - seq * interval '7 h'},
			q{'2024-01-01'::timestamptz + (seq * 7919 % 1009) * interval '1 min'}, q{NULL::timestamptz}, q{'2024-01-05'::timestamptz})[ int(rand(5)) ];
		my $p = (q{'p' || seq % 7}, q{md5(seq::text)}, q{NULL}, q{repeat('x', seq % 300)})[ int(rand(4)) ];
		return "SELECT $ts, $tag, seq, seq / 8.0, $p FROM src WHERE seq BETWEEN $from AND $to";
	};
	for my $step (1 .. $steps)
	{
		my $r = rand();
		if ($r < 0.12 && !$in)
		{
			$s .= 'BEGIN' . ('', '', ' ISOLATION LEVEL REPEATABLE READ', ' ISOLATION LEVEL SERIALIZABLE')[ int(rand(4)) ] . ";\n";
			$in = 1;
			@points = ();
			%cursors = ();
		}
		elsif ($r < 0.12)
		{
			my $end = rand();
			if ($end < 0.1 && !%cursors)
			{
				my $name = "p${who}_$step";
				$s .= "PREPARE TRANSACTION '$name';\n";
				# what it has locked stays locked
				$s .= "$equal;\n" if rand() < 0.5 && !$alone;
				$s .= (rand() < 0.5 ? 'COMMIT' : 'ROLLBACK') . " PREPARED '$name';\n";
			}
			else
			{
				$s .= $end < 0.7 ? "COMMIT;\n" : "ROLLBACK;\n";
			}
			$s .= "$equal;\n";
			$in = 0;
		}
		elsif ($r < 0.22 && $in)
		{
			my $what = rand();
			if ($what < 0.5 || !@points)
			{
				push @points, "s$step";
				$s .= "SAVEPOINT s$step;\n";
			}
			else
			{
				my $i = int(rand(@points));
				if ($what < 0.8)
				{
					$s .= "SELECT 1 / 0;\n" if rand() < 0.2;
					$s .= "ROLLBACK TO $points[$i];\n";
					$#points = $i;
				}
				else
				{
					$s .= "RELEASE $points[$i];\n";
					$#points = $i - 1;
				}
				# a cursor may be gone with its savepoint
				%cursors = () if $what < 0.8;
			}
		}
		elsif ($r < 0.50)
		{
			my $size = rand();
			my $from = 1 + int(rand(1000));
			my $n = $size < 0.5 ? int(rand(5)) : $size < 0.85 ? int(rand(300)) : $size < 0.97 ? int(rand(3000)) : 15000;
			my $q = "INSERT INTO %T $columns " . $rows->($from, $from + $n) . ";\n";
			$s .= $in ? '' : "BEGIN;\n";
			$s .= $both->($q);
			$s .= $in ? '' : "COMMIT;\n";
		}
		elsif ($r < 0.54)
		{
			my $tag = $who * 1000 + int(rand(1000));
			my $n = int(rand(200));
			my $data = join('', map { "2024-01-0" . (1 + $_ % 9) . "\t$tag\t$_\t$_.5\t" . ('\\N', 'a\\tb', '', "c$_")[ $_ % 4 ] . "\n" } 1 .. $n);
			$s .= $in ? '' : "BEGIN;\n";
			$s .= $both->("COPY %T $columns FROM stdin;\n$data\\.\n");
			$s .= $in ? '' : "COMMIT;\n";
		}
		elsif ($r < 0.57)
		{
			my $tag = $who * 1000 + int(rand(1000));
			$s .= $in ? '' : "BEGIN;\n";
			$s .= $both->("INSERT INTO %T $columns SELECT ts, tag + 1, seq, v, p FROM %T WHERE tag BETWEEN $tag AND $tag + 20 AND seq < 1000;\n");
			$s .= $in ? '' : "COMMIT;\n";
		}
		elsif ($r < 0.60)
		{
			# a loop of blocks, some of which fail, that look at the tables now and then
			my $tag = $who * 1000 + int(rand(1000));
			my $mod = 1 + int(rand(4));
			$s .= "DO \$\$ DECLARE a bigint; b bigint; BEGIN FOR k IN 1 .. 40 LOOP BEGIN\n";
			$s .= $both->("INSERT INTO %T $columns VALUES ('2024-01-01', $tag, k, k, NULL);\n");
			$s .= "IF k % 10 = 0 THEN SELECT count(*) INTO a FROM t; SELECT count(*) INTO b FROM h; IF a <> b AND current_setting('transaction_isolation') <> 'read committed' THEN RAISE WARNING 'DIFFERENT in a loop'; END IF; END IF;\n";
			$s .= "PERFORM 1 / (k % $mod);\nEXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END \$\$;\n";
		}
		elsif ($r < 0.70)
		{
			$s .= "SELECT ts_flush('t') >= 0;\n";
		}
		elsif ($r < 0.76 && $in)
		{
			if (rand() < 0.5 || !%cursors)
			{
				$s .= "DECLARE c$step CURSOR FOR SELECT x FROM t x;\nDECLARE d$step CURSOR FOR SELECT x FROM h x;\n";
				$cursors{$step} = 1;
			}
			else
			{
				my ($c) = sort keys %cursors;
				my $n = int(rand(100));
				if ($alone)
				{
					# the same snapshot: no other session writes, no statement stands between
					$s .= "SELECT CASE WHEN rest('c$c') IS DISTINCT FROM rest('d$c') THEN 'DIFFERENT cursors' ELSE 'equal' END;\n";
					delete $cursors{$c};
				}
				else { $s .= "SELECT take('c$c', $n);\nSELECT take('d$c', $n);\n"; }
			}
		}
		elsif ($r < 0.80)
		{
			$s .= "SET nodedb_ts.memory_budget = '" . ('64kB', '256kB', '1MB', '100MB')[ int(rand(4)) ] . "';\n";
			$s .= 'SET nodedb_ts.max_series = ' . (1, 5, 500000)[ int(rand(3)) ] . ";\n";
		}
		elsif ($r < 0.83)
		{
			$s .= rand() < 0.5
			  ? "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;\n"
			  : "RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;\n";
		}
		elsif ($r < 0.85 && !$in)
		{
			$s .= "VACUUM" . ('', ' (FREEZE)', ' (ANALYZE)')[ int(rand(3)) ] . " t;\n";
		}
		elsif ($alone && $r < 0.90 && !%cursors)
		{
			my $what = int(rand(9));
			my $c = 'c' . $step;
			$s .= $in ? '' : "BEGIN;\n";
			$s .=
			    $what == 0 ? $both->("TRUNCATE %T;\n")
			  : $what == 1 ? $both->("ALTER TABLE %T ADD COLUMN $c int;\n")
			  : $what == 2 ? $both->("ALTER TABLE %T ADD COLUMN $c text DEFAULT 'd$step';\n")
			  : $what == 3 ? $both->("ALTER TABLE %T ADD COLUMN $c int DEFAULT 1;\nALTER TABLE %T DROP COLUMN $c;\n")
			  : $what == 4 ? $both->("ALTER TABLE %T ALTER v TYPE " . (rand() < 0.5 ? 'numeric' : 'float8') . ";\n")
			  : $what == 5 ? "ALTER TABLE t SET ACCESS METHOD heap;\nALTER TABLE t SET ACCESS METHOD nodedb_ts;\n"
			  : $what == 6 ? "DROP TRIGGER IF EXISTS trg ON t;\nCREATE CONSTRAINT TRIGGER trg AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.seq = 3) EXECUTE FUNCTION nothing();\n"
			  : $what == 7 ? "CREATE TABLE IF NOT EXISTS extra (LIKE t) USING nodedb_ts;\nINSERT INTO extra (seq) SELECT 1;\nDROP TABLE extra;\n"
			  : $both->("DELETE FROM h WHERE false;\nANALYZE %T;\n");
			$s .= $in ? '' : "COMMIT;\n";
		}
		else
		{
			$s .= "$equal;\n";
		}
	}
	$s .= "COMMIT;\n" if $in;
	return $s . "$equal;\nSELECT 'end';\n";
}

sub run
{
	my ($name, $script) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir;
	append_to_file("$dir/$name.sql", $script);
	my $pid = fork();
	die "fork: $!" unless defined $pid;
	return ($pid, "$dir/$name") if $pid;
	open(STDOUT, '>', "$dir/$name.out") or POSIX::_exit(90);
	open(STDERR, '>&', \*STDOUT) or POSIX::_exit(91);
	exec('psql', '-X', '-q', '-A', '-t', '-d', $node->connstr('postgres'), '-f', "$dir/$name.sql") or POSIX::_exit(92);
}

# What a script said that it should not have said.
sub verdict
{
	my ($file, $killed) = @_;
	my $out = slurp_file("$file.out");
	my @bad = grep { /DIFFERENT/ } split /\n/, $out;
	my $expected = qr/division by zero|could not serialize access|current transaction is aborted|deadlock detected|does not exist|no transaction is in progress|can only be used in transaction blocks|used by active queries in this session|has pending trigger events/;
	push @bad, grep { /ERROR|FATAL|PANIC/ && !/$expected/ && !$killed } split /\n/, $out;
	push @bad, 'the script did not come to its end' unless $killed || $out =~ /^end$/m;
	splice(@bad, 10);
	diag "$file: $_" for @bad;
	return !@bad;
}

my $n = 0;
for my $round (1 .. $rounds)
{
	srand($seed + $round);
	create_tables();
	my ($pid, $file) = run("alone_$round", script(1, 250, 1));
	waitpid($pid, 0);
	ok(verdict($file, 0), "alone, round $round");
	is(sql($equal), 'equal', 'and equal afterwards');
	$node->restart if $round % 3 == 0;
	is(sql($equal), 'equal', 'and equal still');
	sql(q{SELECT ts_flush('t')});
	is(sql($equal), 'equal', 'and after a flush');
}
for my $round (1 .. $rounds)
{
	srand($seed + 1000 + $round);
	create_tables() if $round % 3 == 1;
	my @running = map { [ run("together_${round}_$_", script($_, 120, 0)) ] } 1 .. 3;
	my $kill = $round % 2 == 0;
	if ($kill)
	{
		sleep 0.5 + rand(1.5);
		kill_and_start($node, children => $round % 4 == 0);
	}
	waitpid($_->[0], 0) for @running;
	ok(verdict($_->[1], $kill), "together, round $round" . ($kill ? ', killed' : '')) for @running;
	sql("ROLLBACK PREPARED '$_'") for split /\n/, sql('SELECT gid FROM pg_prepared_xacts');
	is(sql($equal), 'equal', 'and equal afterwards');
	sql(q{SELECT ts_flush('t')});
	sql('VACUUM t') if $round % 2 == 1;
	is(sql($equal), 'equal', 'and after a flush');
}
$node->stop;
done_testing();
