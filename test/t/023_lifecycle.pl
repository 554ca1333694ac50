# A table over time: space that retention frees comes back, and what it costs does not depend on the rows.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Sound;

my $node = PostgreSQL::Test::Cluster->new('lifecycle');
$node->init;
$node->append_conf('postgresql.conf', <<EOC);
fsync = off
autovacuum = off
max_parallel_workers_per_gather = 0
jit = off
EOC
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION nodedb_ts');
sub value { return $node->safe_psql('postgres', $_[0]); }

# ---- a steady stream: a day a cycle, some of it late, three days are kept

my $cycles = $ENV{LIFECYCLE_CYCLES} || 50;
value(q{CREATE TABLE t (ts timestamptz, host int, v float8) USING nodedb_ts WITH (nodedb_ts.retention = '3 days'); CREATE TABLE h (LIKE t) USING heap});
my ($settled, $largest, @different) = (0, 0);
for my $day (1 .. $cycles)
{
	# most in one transaction, some in small ones, some of it a day late
	my $rows = "SELECT '2024-01-01'::timestamptz + $day * interval '1 day' + k * interval '9 s' - CASE WHEN k % 50 = 0 THEN interval '1 day' ELSE interval '0' END, k % 100, k * 0.1 + $day FROM generate_series(1, 9000) k";
	my $one = "VALUES ('2024-01-01'::timestamptz + $day * interval '1 day' + interval '12 h', 1, 2)";
	my $as_of = "'2024-01-01'::timestamptz + " . ($day + 1) . " * interval '1 day'";
	my $size = value(join(";\n",
		"BEGIN", "INSERT INTO t $rows", "INSERT INTO h $rows", 'COMMIT',
		("BEGIN", "INSERT INTO t $one", "INSERT INTO h $one", 'COMMIT') x 3,
		$day % 2 == 0 ? "SELECT ts_flush('t') \\g /dev/null\n" : (),
		$day % 3 == 0 ? "SELECT FROM ts_compact('t', $as_of - interval '1 day') \\g /dev/null\n" : (),
		"SELECT ts_enforce_retention('t', interval '3 days', $as_of) \\g /dev/null\n"
		# a segment lives until its newest row is too old
		. "DELETE FROM h WHERE ts < (SELECT min(ts) FROM t)",
		"SELECT pg_relation_size('t')"));
	$settled = $size if $day == 10;
	$largest = $size if $size > $largest;
	next if $day % 5 != 0;
	push @different, $day if value("SELECT count(*) FROM ((TABLE t EXCEPT ALL TABLE h) UNION ALL (TABLE h EXCEPT ALL TABLE t)) x WHERE ts >= $as_of - interval '3 days'");
}
is("@different", '', "what is younger than the retention is as on heap, in each of $cycles cycles");
cmp_ok($largest, '<=', 1.5 * $settled, "the file stays bounded: $settled bytes after 10 cycles, at most $largest after $cycles");
cmp_ok(value('SELECT count(DISTINCT date_trunc(\'day\', ts)) FROM t'), '<=', 5, 'old days are gone');
is(value("SELECT count(*) FROM t WHERE ts < '2024-01-01'::timestamptz + ($cycles - 4) * interval '1 day'"), 0, 'all of them');

# ---- the cost of retention: pages touched, for one bucket of a hundred

sub pages
{
	my ($table) = @_;
	my $plan = value("EXPLAIN (ANALYZE, BUFFERS, COSTS off, TIMING off) SELECT ts_enforce_retention('$table', interval '99 days', '2024-04-10')");
	my $sum = 0;
	$sum += $1 while $plan =~ /(?:hit|read|dirtied|written)=(\d+)/g;
	return $sum;
}
for my $rows (9000, 30000)
{
	value("CREATE TABLE b$rows (ts timestamptz, host int, v float8) USING nodedb_ts;
		INSERT INTO b$rows SELECT '2024-01-01'::timestamptz + d * interval '1 day' + k * interval '1 s', k % 100, k * 0.1
		FROM generate_series(0, 99) d, generate_series(1, $rows) k");
	is(value("SELECT count(*) FROM ts_segments('b$rows')"), 100, "a hundred segments of $rows rows");
}
my ($few, $many) = (pages('b9000'), pages('b30000'));
is(value("SELECT min(ts)::date FROM b$_"), '2024-01-02', "one day of table b$_ went") for (9000, 30000);
cmp_ok($many, '<=', $few + 20, "retention touches $few pages of a small table, $many of one with three times the rows");

tables_are_sound($node, 'at the end');
$node->stop;
done_testing();
