# Loading 10 million rows in one transaction keeps the backend's private memory
# under nodedb_ts.memory_budget + 64 MB, and aggregating them under work_mem. MEMORY_ROWS changes the number of rows.
# check: alone (samples memory)
use strict;
use warnings;

use IPC::Run;
use FindBin;
use lib $FindBin::Bin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sound;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'needs /proc/PID/status with RssAnon'
  unless -r "/proc/$$/status" && slurp_file("/proc/$$/status") =~ /^RssAnon:/m;

my $rows = $ENV{MEMORY_ROWS} || 10_000_000;
my $allowance_kb = 64 * 1024;

my $node = PostgreSQL::Test::Cluster->new('memory');
$node->init;
$node->append_conf('postgresql.conf', <<EOC);
log_statement = none
shared_buffers = 128MB
max_wal_size = 4GB
autovacuum = off
EOC
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION nodedb_ts');
my $connstr = $node->connstr('postgres');

# Memory that belongs to the process alone and is not shared buffers.
sub private_kb
{
	my ($pid) = @_;
	open(my $f, '<', "/proc/$pid/status") or return;
	local $/;
	my $s = <$f>;
	return defined $s && $s =~ /^RssAnon:\s+(\d+) kB/m ? $1 : undef;
}

# Runs SQL in a session, feeds it a producer's rows where given, and samples
# the backend's memory until it has ended; returns the growth in kB. What comes
# after the producer is SQL to run before the commit.
sub growth
{
	my ($name, $before, $sql, $producer, @after) = @_;
	my $pidfile = PostgreSQL::Test::Utils::tempdir() . "/$name.pid";
	my @loader = ('psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', $connstr,
		'-c', 'SET max_parallel_workers_per_gather = 0', (map { ('-c', $_) } @$before), '-o', $pidfile, '-c', 'SELECT pg_backend_pid()', '-c', $sql, (map { ('-c', $_) } @after), '-c', 'COMMIT');
	my ($in, $out, $err) = ('', '', '');
	my $h = $producer
	  ? IPC::Run::start([ 'psql', '-X', '-q', '-d', $connstr, '-c', $producer ], '2>', \$err, '|', \@loader, '2>>', \$err)
	  : IPC::Run::start(\@loader, '<', \undef, '>', \$out, '2>', \$err);
	my ($pid, $first, $most, $samples) = (undef, undef, 0, 0);
	my $start = time();
	while ($h->pumpable)
	{
		$h->pump_nb;
		if (!$pid && -s $pidfile && slurp_file($pidfile) =~ /^(\d+)\n/)
		{
			$pid = $1;
		}
		if ($pid)
		{
			my $kb = private_kb($pid);
			if (defined $kb)
			{
				$first //= $kb;
				$most = $kb if $kb > $most;
				$samples++;
			}
		}
		sleep 0.01;
		last unless grep { is_alive($_) } @{ $h->{KIDS} };
	}
	my $ok = $h->finish;
	ok($ok, "$name: loaded") or diag $err;
	cmp_ok($samples, '>', 5, "$name: memory was sampled") if $rows >= 1_000_000;
	note sprintf('%s: %.1f s, %d samples, private memory from %.1f to at most %.1f MB', $name, time() - $start, $samples, $first / 1024, $most / 1024);
	return $most - $first;
}

sub is_alive
{
	my ($kid) = @_;
	return 0 if defined $kid->{RESULT};
	my $pid = $kid->{PID} or return 0;
	open(my $f, '<', "/proc/$pid/stat") or return 0;
	my $line = <$f>;
	return defined $line && $line !~ /\) Z /;
}

my $select = "SELECT '2024-01-01'::timestamptz + i / 100 * interval '10 s', 'host_' || i % 100, i % 1000 / 8.0::float8, i FROM generate_series(1, $rows) i";
my @checks = ("$rows|1|$rows|" . $rows * ($rows + 1) / 2);

sub create
{
	$node->safe_psql('postgres', 'DROP TABLE IF EXISTS t; CREATE TABLE t (ts timestamptz, host text, v float8, i bigint) USING nodedb_ts');
}

# INSERT ... SELECT with the default budget, in one statement after another one
create();
my $budget_kb = $node->safe_psql('postgres', q{SELECT pg_size_bytes(coalesce(nullif(current_setting('nodedb_ts.memory_budget', true), ''), '100MB')) / 1024});
# The statement that evaluates the budget may not have loaded the library: then the default holds.
my $grown = growth('insert', ['BEGIN'], "INSERT INTO t $select");
cmp_ok($grown, '<', $budget_kb + $allowance_kb, sprintf('INSERT ... SELECT of %d rows takes %.1f MB', $rows, $grown / 1024));
is($node->safe_psql('postgres', 'SELECT count(*), min(i), max(i), sum(i) FROM t'), $checks[0], 'all rows are there');

# groups, and values that DISTINCT tells apart, of more than work_mem * hash_mem_multiplier: 8 MB, and what the scan takes
my $groups = int($rows / 10);
$node->safe_psql('postgres', q{SELECT ts_flush('t'); ANALYZE t});
for my $query ("SELECT count(*), sum(c) FROM (SELECT i % $groups, count(*) c, sum(v), max(host) FROM t GROUP BY 1 OFFSET 0) x", "SELECT count(DISTINCT i % $groups), count(i) FROM t",
	"SELECT count(*), sum(c) FROM (SELECT i % $groups, count(*) c FROM t GROUP BY 1 LIMIT $groups) x")
{
	my @set = (q{SET work_mem = '4MB'}, 'SET hash_mem_multiplier = 2', 'SET jit = off', 'SET max_parallel_workers_per_gather = 0');
	like($node->safe_psql('postgres', join('; ', @set, "EXPLAIN $query")), qr/nodedb_ts aggregate/, 'groups: by the node');
	is($node->safe_psql('postgres', join('; ', @set, $query)), "$groups|$rows", "groups: $query");
	$grown = growth('groups', [ 'BEGIN', @set ], $query);
	cmp_ok($grown, '<', 8 * 1024 + 24 * 1024, sprintf('%d groups take %.1f MB', $groups, $grown / 1024));
}

# COPY, in a subtransaction, with a small budget
create();
$grown = growth('copy', [ 'BEGIN', 'SAVEPOINT s', q{SET nodedb_ts.memory_budget = '16MB'} ], 'COPY t FROM stdin', "COPY ($select) TO stdout");
cmp_ok($grown, '<', 16 * 1024 + $allowance_kb, sprintf('COPY of %d rows under 16 MB takes %.1f MB', $rows, $grown / 1024));
is($node->safe_psql('postgres', 'SELECT count(*), min(i), max(i), sum(i) FROM t'), $checks[0], 'all rows are there');

# rows that come in no order, with strings that all differ, and many aborted parts
create();
my $some = int($rows / 10);
$grown = growth('exceptions', ['BEGIN', q{SET nodedb_ts.memory_budget = '16MB'}], qq{
	DO \$\$
	BEGIN
		FOR k IN 1 .. 1000 LOOP
			INSERT INTO t SELECT '2024-01-01'::timestamptz + (hashint4(i) & 8191) * interval '1 h', md5(i::text), i, i FROM generate_series(1, $some / 1000) i;
			BEGIN
				INSERT INTO t SELECT '2024-01-01', md5(i::text), i, i FROM generate_series(1, $some / 1000) i;
				RAISE EXCEPTION 'back';
			EXCEPTION WHEN raise_exception THEN NULL;
			END;
		END LOOP;
	END \$\$});
cmp_ok($grown, '<', 16 * 1024 + $allowance_kb, sprintf('%d rows with subtransactions rolled back take %.1f MB', $some, $grown / 1024));
is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), int($some / 1000) * 1000, 'all rows are there');

# many small transactions, all moved by one flush; reading does not take more either
create();
$node->safe_psql('postgres', qq{
	SET synchronous_commit = off;
	DO \$\$ BEGIN FOR k IN 1 .. 1000 LOOP INSERT INTO t SELECT '2024-01-01'::timestamptz + k * interval '1 s', 'h' || i, k, i FROM generate_series(1, $some / 1000) i; COMMIT; END LOOP; END \$\$});
$grown = growth('flush', ['BEGIN'], q{SELECT ts_flush('t') FROM generate_series(1, 1)});
cmp_ok($grown, '<', $budget_kb + $allowance_kb, sprintf('a flush and a scan take %.1f MB', $grown / 1024));
is($node->safe_psql('postgres', 'SELECT count(*) FROM t'), int($some / 1000) * 1000, 'all rows are there');

# 300 partitions, filled in turn by one COPY, share the budget
my $partitions = 300;
$node->safe_psql('postgres', qq{
	CREATE TABLE p (LIKE t) PARTITION BY RANGE (ts);
	DO \$\$ BEGIN FOR k IN 0 .. $partitions - 1 LOOP
		EXECUTE format('CREATE TABLE p%s PARTITION OF p FOR VALUES FROM (%L) TO (%L) USING nodedb_ts', k, '2024-01-01'::date + k, '2024-01-02'::date + k);
	END LOOP; END \$\$});
my $spread = "SELECT '2024-01-01'::timestamptz + i % $partitions * interval '1 day' + i / $partitions * interval '1 s', 'host_' || i % 100, i % 1000 / 8.0::float8, i FROM generate_series(1, $some) i";
$grown = growth('partitions', [ 'BEGIN', q{SET nodedb_ts.memory_budget = '16MB'} ], 'COPY p FROM stdin', "COPY ($spread) TO stdout", q{
	DO $$
	DECLARE m record; palloced bigint;
	BEGIN
		SELECT * INTO m FROM nodedb_ts.memtable;
		SELECT sum(total_bytes) INTO palloced FROM pg_backend_memory_contexts;
		IF m.ingested < 100000 OR m.flushes = 0 OR m.rejected > 0 OR m.active_bytes > 16 * 1024 * 1024 OR palloced > 16 * 1024 * 1024 THEN
			RAISE EXCEPTION 'memtable %, contexts %', m, palloced;
		END IF;
	END $$}) if $some >= 1_000_000;
SKIP:
{
	skip 'too few rows', 3 if $some < 1_000_000;
	cmp_ok($grown, '<', 16 * 1024 + $allowance_kb, sprintf('COPY into %d partitions takes %.1f MB', $partitions, $grown / 1024));
	is($node->safe_psql('postgres', 'SELECT count(*), sum(i), count(DISTINCT tableoid) FROM p'), "$some|" . $some * ($some + 1) / 2 . "|$partitions", 'all rows are there');
	is($node->safe_psql('postgres', "SELECT count(*) FROM p10 WHERE ts < '2024-01-11' OR ts >= '2024-01-12'"), 0, 'each in its partition');
}
tables_are_sound($node, 'at the end');
$node->stop;
done_testing();
