# Four clients insert one row at a time while the worker flushes and compacts: L0 stays bounded, nobody waits for
# maintenance, and the rows are those of heap. STEADY_SECONDS (20) of it.
# check: alone (bounds the latency of inserts)
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use List::Util qw(max);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sound;
use Test::More;
use Time::HiRes qw(sleep time);

my $seconds = $ENV{STEADY_SECONDS} // 20;
# the limit, the extents that each session and another one may have open, and the rows that wait while somebody flushes
my $bound = 1024 * 1024 + (5 * 16 + 64) * 8192;

my $node = PostgreSQL::Test::Cluster->new('steady');
$node->init;
$node->append_conf('postgresql.conf', <<EOC);
shared_preload_libraries = 'nodedb_ts'
nodedb_ts.flush_interval = 2s
nodedb_ts.compact_interval = 5s
nodedb_ts.max_delta_size = 1MB
log_statement = none
autovacuum_naptime = 1s
synchronous_commit = off
EOC
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]); }
sql('CREATE EXTENSION nodedb_ts');
sql("CREATE TABLE t (ts timestamptz NOT NULL, host int, v float8) USING nodedb_ts; CREATE TABLE h (LIKE t) USING heap");
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'nodedb_ts worker'});

my $file = "$PostgreSQL::Test::Utils::tmp_check/steady.sql";
append_to_file($file, <<'EOC');
\set host random(1, 100)
\set v random(1, 1000)
WITH r AS (INSERT INTO t VALUES (clock_timestamp(), :host, :v / 10.0) RETURNING *) INSERT INTO h TABLE r;
EOC
my $log = "$PostgreSQL::Test::Utils::tmp_check/steady";
my $bench = IPC::Run::start([ 'pgbench', '-n', '-M', 'prepared', '-c', 4, '-j', 1, '-T', $seconds, '-f', $file, '-l', "--log-prefix=$log", $node->connstr('postgres') ], '>&', \my $out);
my ($largest, $samples, @waits) = (0, 0);
my $until = time() + $seconds - 1;
while (time() < $until)
{
	$largest = max($largest, sql(q{SELECT coalesce(l0_bytes, 0) FROM ts_table_stats('t')}));
	push @waits, grep { $_ } split /\n/, sql(q{SELECT wait_event_type || ' ' || wait_event || ' by ' || query FROM pg_stat_activity
		WHERE application_name = 'pgbench' AND wait_event_type = 'Lock' AND wait_event <> 'extend'});
	$samples++;
	sleep 0.1;
}
$bench->finish;
is($? >> 8, 0, 'pgbench has ended well') or diag $out;

cmp_ok($samples, '>', 5, "looked $samples times");
is("@waits", '', 'no insert waits for a lock');
cmp_ok($largest, '<=', $bound, "L0 takes $largest bytes at most, with a limit of 1 MB");
my ($rows, $flushes, $compactions) = split /\|/, sql(q{SELECT (SELECT count(*) FROM t), flushes, compactions FROM nodedb_ts.activity WHERE relation = 't'::regclass});
cmp_ok($flushes, '>=', $seconds / 2 / 3, "the worker has flushed $flushes times");
cmp_ok($compactions, '>=', 1, "and compacted $compactions times");
is(sql(q{SELECT count(*) || ' ' || sum(hashtextextended(t::text, 0)::numeric) FROM t}),
	sql(q{SELECT count(*) || ' ' || sum(hashtextextended(h::text, 0)::numeric) FROM h}), "the $rows rows are those of heap");
is(sql(q{SELECT count(*) FROM nodedb_ts.activity WHERE last_error IS NOT NULL}), 0, 'no error');
my @latencies;
for my $path (glob "$log.*") { push @latencies, map { (split ' ')[2] / 1000 } split /\n/, slurp_file($path); }
@latencies = sort { $a <=> $b } @latencies;
note sprintf 'slowest of %d transactions %.0f ms, 99.9 %% below %.1f ms', scalar @latencies, $latencies[-1], $latencies[0.999 * $#latencies];
cmp_ok($latencies[0.999 * $#latencies], '<', 100, '999 of 1000 inserts take less than 100 ms');
tables_are_sound($node, 'at the end');
$node->stop;
done_testing();
