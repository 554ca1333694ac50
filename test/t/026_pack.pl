# VACUUM moves segments to the front of the file: autovacuum comes for that by itself; and
# readers, parallel ones too, see each row once beside it, also after the server was killed.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sound;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = PostgreSQL::Test::Cluster->new('pack');
$node->init;
$node->append_conf('postgresql.conf', <<EOC);
autovacuum_naptime = 1s
max_parallel_workers = 8
max_worker_processes = 12
min_parallel_table_scan_size = 0
parallel_setup_cost = 0
parallel_tuple_cost = 0
nodedb_ts.enable_vectorized_aggregate = off
restart_after_crash = on
log_statement = none
EOC
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]); }
sql('CREATE EXTENSION nodedb_ts');

# ---- autovacuum, with nobody else there: no transaction id is given out but by itself
sql(q{
	CREATE TABLE t (ts timestamptz, i int) USING nodedb_ts;
	INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '1 s', hashint4(i) FROM generate_series(1, 60000) i;});
my $live = sql(q{SELECT sum(pages) FROM ts_segments('t')});
sql(q{SELECT FROM ts_compact('t', before => 'infinity')});
# without a lock on the table
my $blocks = q{SELECT (pg_stat_file(pg_relation_filepath('t'))).size / 8192};
cmp_ok(sql($blocks), '>', 1.5 * $live, 'the file is longer than what is in it');
ok($node->poll_query_until('postgres', "SELECT ($blocks) <= 10 + $live"), 'autovacuum packs it');
is(sql(q{SELECT count(*), count(DISTINCT ts) FROM t}), '60000|60000', 'all rows are there');
# what ANALYZE says must not keep it away
sql(q{
	ALTER TABLE t SET (autovacuum_enabled = off);
	INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '1 s', hashint4(i) FROM generate_series(60001, 120000) i;
	SELECT FROM ts_compact('t', before => 'infinity');
	VACUUM (TRUNCATE off, ANALYZE) t;
	SELECT pg_stat_force_next_flush();});
is(sql(q{SELECT n_dead_tup > n_live_tup * 0.5 FROM pg_stat_user_tables WHERE relname = 't'}), 't', 'ANALYZE tells what VACUUM should come for');
sql('VACUUM (ANALYZE) t; SELECT pg_stat_force_next_flush();');
is(sql(q{SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 't'}), '0', 'and nothing afterwards');
$live = sql(q{SELECT sum(pages) FROM ts_segments('t')});
cmp_ok(sql($blocks), '<=', $live + 10, 'it is packed');
tables_are_sound($node, 'packed');

# ---- a segment that cannot be read stays where it is, and VACUUM goes on
# Autovacuum's ANALYZE of any table takes a transaction id: VACUUM would pack before the damage is done.
sql($_) for 'ALTER SYSTEM SET autovacuum = off', 'SELECT pg_reload_conf()';
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type LIKE 'autovacuum%'");
sql(qq{CREATE TABLE $_ (i int, s text) USING nodedb_ts WITH (autovacuum_enabled = off);
	INSERT INTO $_ SELECT i, md5((i / 2)::text) FROM generate_series(1, 30000) i; SELECT FROM ts_compact('$_'); VACUUM $_;}) for qw(d z);
sql('CREATE TABLE later (i int)');
my %file = map { $_ => $node->data_dir . '/' . sql("SELECT pg_relation_filepath('$_')") } qw(d z);
$node->stop;
my %size = map { $_ => -s $file{$_} } qw(d z);
open(my $f, '+<', $file{d}) or die "$!";
seek($f, -8192, 2) or die "$!";
print $f "\0" x 8192 or die "$!";
close $f or die "$!";
$node->start;
my ($ret, $told, $warned) = $node->psql('postgres', 'VACUUM d, z');
is($ret, 0, 'VACUUM of a damaged table and another');
my $block = $size{d} / 8192 - 1;
like($warned, qr/^psql:\S* WARNING:  segment at block \d+ of table "d" cannot be moved: .*block $block\b/m, 'says what it found');
is(-s $file{d}, $size{d}, 'the damaged one is as long as before');
cmp_ok(-s $file{z}, '<', 0.6 * $size{z}, 'the other one is packed');
is(sql('SELECT count(*) FROM z'), 30000, 'and has its rows');
sql('VACUUM d');
is(-s $file{d}, $size{d}, 'the copies were given back');
sql($_) for 'DROP TABLE d', 'ALTER SYSTEM RESET autovacuum', 'SELECT pg_reload_conf()';

# ---- readers and inserters beside it
sql(q{
	CREATE TABLE p (ts timestamptz, i int, s text) USING nodedb_ts;
	INSERT INTO p SELECT '2024-01-01'::timestamptz + k * interval '1 min', k * f, md5(k::text) FROM generate_series(1, 20000) k, unnest('{1,-1}'::int[]) f;});
my $plan = sql(q{EXPLAIN (COSTS OFF) SELECT count(*) % 2, sum(i), count(*) > 0 FROM p});
like($plan, qr/Parallel (Seq|Custom) Scan/, 'readers are parallel');
my $dir = PostgreSQL::Test::Utils::tempdir;
append_to_file("$dir/many.sql", q{INSERT INTO p SELECT now() + random() * interval '30 days', k * f, md5(k::text) FROM generate_series(1, 1500) k, unnest('{1,-1}'::int[]) f;});
append_to_file("$dir/few.sql", q{BEGIN; INSERT INTO p VALUES (now(), :client_id, ''); INSERT INTO p VALUES (now(), -:client_id, ''); COMMIT;
\sleep 10 ms
});
append_to_file("$dir/pack.sql", "SELECT ts_flush('p');\nSELECT FROM ts_compact('p', before => 'infinity');\n" .
	  "\\sleep 150 ms\nVACUUM (VERBOSE) p;\n" x 3);
# a wrong sum ends the client
append_to_file("$dir/read.sql", q{SELECT 1 / (count(*) % 2 = 0 AND sum(i) = 0)::int FROM p;
\sleep 20 ms
});
append_to_file("$dir/cursor.sql", q{BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) AS n FROM p \gset
SELECT 1 / (count(*) = :n AND sum(i) = 0)::int FROM p;
COMMIT;
\sleep 20 ms
});
sub bench
{
	my ($clients, $files, $out, $err) = @_;
	return IPC::Run::start([ 'pgbench', '--no-vacuum', "--client=$clients", '--time=8', (map { "--file=$dir/$_" } split / /, $files),
			$node->connstr('postgres') ], '<', \undef, '>', $out, '2>', $err);
}
my $moves = 0;
my $clients = 4;
my @rounds = (1, 2);
while (defined(my $round = shift @rounds))
{
	my ($out, $err, $told) = ('', '', '');
	my $log_at = -s $node->logfile;
	my @benches = (bench($clients, 'many.sql@1 few.sql@10 read.sql@20 cursor.sql@10', \$out, \$err), bench(1, 'pack.sql', \$out, \$told));
	if ($round == 1)
	{
		ok((grep { !$_->finish } @benches) == 0, 'each reader sees each row once') or diag $err;
	}
	else
	{
		# at some moment the server dies
		sleep 3;
		$node->stop('immediate');
		$_->finish for @benches;
		unlike($err, qr/division by zero|corrupt|XX00/, 'each reader sees each row once until the end');
		$node->start;
	}
	$moves += () = $told =~ /\b[1-9]\d* moved from the end of the file/g;
	unlike(slurp_file($node->logfile, $log_at), qr/division by zero|XX001|is empty where|belongs to generation|PANIC|TRAP/, 'nobody met a wrong page');
	is(sql('SELECT count(*) % 2, sum(i) FROM p'), '0|0', 'the rows are there');
	tables_are_sound($node, "round $round");
	# On a busy machine the readers may never have left VACUUM a moment for its lock: once more, with fewer of them.
	unshift @rounds, 1 if $moves == 0 && $round == 1 && --$clients > 0;
}
cmp_ok($moves, '>', 0, "$moves VACUUMs have moved segments");
sql(q{ALTER TABLE p SET (autovacuum_enabled = off); SELECT ts_flush('p'); SELECT FROM ts_compact('p', before => 'infinity'); VACUUM p;});
sql(q{SELECT ts_flush('p'); CREATE TABLE last (i int); VACUUM p; VACUUM p; VACUUM p});
is(sql('SELECT count(*) % 2, sum(i) FROM p'), '0|0', 'and at the end');
my ($total, $in_segments) = split /\|/, sql(q{SELECT pg_relation_size('p') / 8192, sum(pages) FROM ts_segments('p')});
# A hole that is smaller than the segments on both of its sides may be left.
cmp_ok($total, '<=', 2 * $in_segments + 26, 'the file is not much longer than what is in it, and an extent of small batches');
tables_are_sound($node, 'at the end');
$node->stop;
done_testing();
