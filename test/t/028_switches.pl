# Random queries on heap and on tables of nodedb_ts with the same rows, under random settings of the planner's switches:
# the same answers, and no internal error. The tables have rows in L0, L1 and L2, overlapping segments, NULL, NaN,
# infinities, -0, columns that were added and dropped; one is partitioned. See SwitchQueries.pm.
#
# SWITCH_SECONDS (30) of it; SWITCH_SEED and SWITCH_ROUND (1) replay what was printed; SWITCH_TRACE=1 prints all queries.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use DBI;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sound;
use SwitchQueries;
use Test::More;
use Time::HiRes qw(time);

my $seconds = $ENV{SWITCH_SECONDS} || 30;
my $seed = $ENV{SWITCH_SEED} || int(time() * 1000) % 1_000_000_000;
my $round = $ENV{SWITCH_ROUND} || 1;
my $queries_of_round = 150;
note "SWITCH_SEED=$seed";

my $node = PostgreSQL::Test::Cluster->new('switches');
$node->init;
$node->append_conf('postgresql.conf', <<EOC);
fsync = off
autovacuum = off
max_parallel_workers = 4
max_worker_processes = 8
shared_buffers = 64MB
max_wal_size = 1GB
jit = off
TimeZone = 'UTC'
EOC
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION nodedb_ts');
my $db = DBI->connect('dbi:Pg:' . $node->connstr('postgres'), '', '', { RaiseError => 0, PrintError => 0, PrintWarn => 0, AutoCommit => 1, pg_server_prepare => 0 });
$db->do('SET search_path = s, public');

my @switches = @{ $db->selectcol_arrayref(
	q{SELECT name FROM pg_settings WHERE name LIKE 'nodedb\_ts.enable\_%' OR name IN ('enable_hashagg', 'enable_sort', 'enable_hashjoin', 'enable_mergejoin',
	'enable_nestloop', 'enable_memoize', 'enable_material', 'enable_seqscan', 'enable_incremental_sort', 'enable_partitionwise_aggregate',
	'enable_partitionwise_join', 'enable_gathermerge', 'parallel_leader_participation', 'enable_parallel_hash') ORDER BY name}) };

my %count = (queries => 0, compared => 0, rows => 0, differences => 0, errors => 0, empty => 0);

# An expected error is an answer as well.
sub fail_with { return [ 'ERROR ' . $db->state . ($db->state eq 'XX000' ? ': ' . $db->errstr : '') ]; }

sub rows_of
{
	my ($sql) = @_;
	my $rows = $db->selectall_arrayref($sql);
	return undef if $db->err;
	return map { join '|', map { $_ // '\N' } @$_ } @$rows;
}

# The answer of a query on a table, as a list of lines.
sub answer
{
	my ($q, $table) = @_;
	my $sql = $q->{sql} =~ s/%T/$table/gr;
	my @lines;
	if ($q->{cursor})
	{
		$db->begin_work;
		my $ok = $db->do("DECLARE c SCROLL CURSOR FOR $sql");
		for my $step (split /; /, $q->{cursor})
		{
			$ok = $ok && $db->do($step =~ s/(?<=\d|L)$/ FROM c/r);
		}
		@lines = rows_of('FETCH ALL FROM c') if $ok;
		@lines = @{ fail_with() } if $db->err;
		$db->rollback;
	}
	elsif ($q->{types})
	{
		$db->do("SET plan_cache_mode = $q->{mode}");
		$db->do("PREPARE p ($q->{types}) AS $sql") or return fail_with();
		for my $values (@{ $q->{values} })
		{
			my @part = sort { $a cmp $b } grep { defined } rows_of("EXECUTE p ($values)");
			push @lines, $db->err ? @{ fail_with() } : @part, '--';
		}
		$db->do('DEALLOCATE p');
		return \@lines;
	}
	else
	{
		@lines = rows_of($sql);
		return fail_with() if $db->err;
	}
	@lines = sort { ($a // '') cmp ($b // '') } @lines if !$q->{ordered};
	return \@lines;
}

# Sets each switch at random, most of them on; returns the statements.
sub random_settings
{
	my @set = map { "SET $_ = " . (rand() < ($_ =~ /^nodedb/ ? 0.75 : 0.85) ? 'on' : 'off') } @switches;
	push @set, 'SET work_mem = ' . SwitchQueries::pick("'64kB'", "'4MB'", "'4MB'");
	push @set, 'SET hash_mem_multiplier = ' . SwitchQueries::pick(1, 2);
	my $workers = rand() < 0.25 ? 2 : 0;
	push @set, "SET max_parallel_workers_per_gather = $workers";
	push @set, map { "SET $_ = 0" } 'parallel_setup_cost', 'parallel_tuple_cost', 'min_parallel_table_scan_size' if $workers;
	$db->do(join '; ', @set) or die $db->errstr;
	return join '; ', @set;
}

sub first_difference
{
	my ($want, $have) = @_;
	my $i = 0;
	$i++ while $i < @$want && $i < @$have && ($want->[$i] // '') eq ($have->[$i] // '');
	return sprintf 'line %d: heap %s, ours %s (%d and %d lines)', $i, $want->[$i] // 'nothing', $have->[$i] // 'nothing', scalar @$want, scalar @$have;
}

sub compare
{
	my ($q) = @_;
	$db->do('RESET ALL');
	$db->do('SET search_path = s, public');
	my $want = answer($q, 'h');
	$count{queries}++;
	$count{rows} += @$want;
	$count{empty}++ if !@$want;
	$count{errors}++ if @$want && ($want->[0] // '') =~ /^ERROR/;
	for (0 .. 2)
	{
		my $table = SwitchQueries::pick(SwitchQueries::ours());
		my $settings = random_settings();
		my $start = time();
		my $have = answer($q, $table);
		note sprintf '%.3f s: %s; %s', time() - $start, $settings, $q->{sql} =~ s/%T/$table/gr if $ENV{SWITCH_TRACE};
		$count{compared}++;
		next if join("\n", map { $_ // '' } @$want) eq join("\n", map { $_ // '' } @$have);
		$count{differences}++;
		diag "SWITCH_SEED=$seed SWITCH_ROUND=$round\n$settings;\n" . ($q->{sql} =~ s/%T/$table/gr) . ";\n"
		  . ($q->{cursor} ? "cursor: $q->{cursor}\n" : '') . ($q->{types} ? "$q->{mode} ($q->{types}): " . join(' / ', @{ $q->{values} }) . "\n" : '')
		  . first_difference($want, $have);
		die "the connection is lost" if !$db->ping;
	}
	return;
}

my $until = time() + $seconds;
while (time() < $until && $count{differences} < 10)
{
	srand($seed * 1000 + $round);
	$db->do('RESET ALL');
	$db->do('SET search_path = s, public');
	for my $sql (SwitchQueries::tables($seed + $round))
	{
		my $start = time();
		$db->do($sql) or die "$sql: " . $db->errstr;
		note sprintf '%.3f s: %s', time() - $start, $sql if $ENV{SWITCH_TRACE};
	}
	SwitchQueries::remember($db);
	for (1 .. $queries_of_round)
	{
		last if time() > $until;
		compare(SwitchQueries::query());
	}
	$round++;
}

note sprintf 'figures: %d queries (%d without rows, %d errors), %d answers compared, %d rows of heap, %d rounds, seed %d, %d differences',
  @count{qw(queries empty errors compared rows)}, $round - ($ENV{SWITCH_ROUND} || 1), $seed, $count{differences};
is($count{differences}, 0, 'differences');
cmp_ok($count{compared}, '>', 0, 'something was compared');
cmp_ok($count{errors}, '<', $count{queries} / 4, 'most queries have an answer');
$db->disconnect;
tables_are_sound($node, 'at the end');
$node->stop;
done_testing();
