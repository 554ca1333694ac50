# Clients that insert, a session that flushes, and readers that check what must
# always hold: the two rows of a transaction are seen together, counts never
# fall, and a snapshot does not change. Then batches, while columns come and go.
use strict;
use warnings;

use IPC::Run;
use FindBin;
use lib $FindBin::Bin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sound;
use Test::More;

my $seconds = $ENV{CONCURRENCY_SECONDS} || 20;
my $node = PostgreSQL::Test::Cluster->new('concurrency');
$node->init;
$node->append_conf('postgresql.conf', <<EOC);
log_statement = none
synchronous_commit = off
autovacuum_naptime = 1s
max_wal_size = 1GB
EOC
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]); }
sql('CREATE EXTENSION nodedb_ts');
sql('CREATE TABLE t (ts timestamptz, who int, v int) USING nodedb_ts');

my $dir = PostgreSQL::Test::Utils::tempdir;
sub script
{
	my ($name, $text) = @_;
	append_to_file("$dir/$name.sql", $text);
	return "$dir/$name.sql";
}
# each transaction adds rows that sum to 0, by one, two or many rows
my $two = script('two', q{
\set v random(1, 1000000)
BEGIN;
INSERT INTO t VALUES (now(), :client_id, :v);
INSERT INTO t VALUES (now(), :client_id, -:v);
COMMIT;
});
my $one = script('one', q{
\set v random(1, 1000000)
INSERT INTO t VALUES (now(), :client_id, :v), (now(), :client_id, -:v);
});
my $many = script('many', q{
\set n random(1, 3000)
INSERT INTO t SELECT now() + i * interval '1 ms', :client_id, CASE WHEN i % 2 = 0 THEN i / 2 ELSE -(i / 2) END FROM generate_series(2, 2 * :n + 1) i;
});
my $back = script('back', q{
\set n random(1, 2000)
BEGIN;
INSERT INTO t SELECT now(), :client_id, 1 FROM generate_series(1, :n);
SAVEPOINT s;
INSERT INTO t VALUES (now(), :client_id, 7);
ROLLBACK TO s;
ROLLBACK;
});
my $sub = script('sub', q{
\set v random(1, 1000000)
BEGIN;
INSERT INTO t VALUES (now(), :client_id, :v);
SAVEPOINT s;
INSERT INTO t VALUES (now(), :client_id, 5);
SELECT count(*) FROM t WHERE who = -1;
ROLLBACK TO s;
INSERT INTO t VALUES (now(), :client_id, -:v);
COMMIT;
});
my $read_write = script('read_write', q{
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) AS before FROM t \gset
INSERT INTO t VALUES (now(), :client_id, 3), (now(), :client_id, -3);
SELECT count(*) AS after FROM t \gset
SELECT 1 / (CASE WHEN :after = :before + 2 THEN 1 ELSE 0 END);
COMMIT;
});
my $flush = script('flush', q{
SELECT ts_flush('t');
\sleep 20 ms
});
# loads that leave segments behind when they are rolled back, and blocks that come and go
my $waste = script('waste', q{
\set n random(5000, 20000)
SET nodedb_ts.memory_budget = '128kB';
BEGIN;
INSERT INTO t SELECT now() + i * interval '1 ms', :client_id, hashint4(i) FROM generate_series(1, :n) i;
ROLLBACK;
RESET nodedb_ts.memory_budget;
});
my $vacuum = script('vacuum', q{
VACUUM t;
\sleep 100 ms
});
my $freeze = script('freeze', q{
VACUUM (FREEZE, TRUNCATE off) t;
\sleep 100 ms
});
my $slow_reader = script('slow_reader', q{
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) AS n, coalesce(sum(v), 0) AS s, coalesce(sum(hashint4(v)::bigint), 0) AS h FROM t \gset a_
\sleep 700 ms
SELECT count(*) AS n, coalesce(sum(v), 0) AS s, coalesce(sum(hashint4(v)::bigint), 0) AS h FROM t \gset b_
SELECT 1 / (CASE WHEN :a_n = :b_n AND :a_s = :b_s AND :a_h = :b_h THEN 1 ELSE 0 END) AS same_snapshot;
COMMIT;
});
my $reader = script('reader', q{
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) AS n, coalesce(sum(v), 0) AS s, coalesce(sum(hashint4(v)::bigint), 0) AS h FROM t \gset a_
\sleep 30 ms
SELECT count(*) AS n, coalesce(sum(v), 0) AS s, coalesce(sum(hashint4(v)::bigint), 0) AS h FROM t \gset b_
SELECT 1 / (CASE WHEN :a_s = 0 AND :a_n % 2 = 0 THEN 1 ELSE 0 END) AS sums_to_zero;
SELECT 1 / (CASE WHEN :a_n = :b_n AND :a_s = :b_s AND :a_h = :b_h THEN 1 ELSE 0 END) AS same_snapshot;
COMMIT;
SELECT count(*) AS n, coalesce(sum(v), 0) AS s FROM t \gset c_
SELECT 1 / (CASE WHEN :c_n >= :a_n AND :c_s = 0 THEN 1 ELSE 0 END) AS never_less;
});
my $cursor = script('cursor', q{
BEGIN;
DECLARE c CURSOR FOR SELECT sum(s) AS s FROM (SELECT sum(v) AS s FROM t GROUP BY who) x;
INSERT INTO t VALUES (now(), :client_id, 11), (now(), :client_id, -11);
FETCH c \gset
SELECT 1 / (CASE WHEN coalesce(nullif(':s', ''), '0')::bigint = 0 THEN 1 ELSE 0 END);
COMMIT;
});

my $connstr = $node->connstr('postgres');
sub start_bench
{
	my ($err, @args) = @_;
	my $out = '';
	return IPC::Run::start([ 'pgbench', '--no-vacuum', "--time=$seconds", @args, $connstr ], '<', \undef, '>', \$out, '2>', $err);
}
sql(q{INSERT INTO t VALUES (now(), 0, 1), (now(), 0, -1)});
my (@errors) = ('') x 4;
my @runs = (
	start_bench(\$errors[0], '--client=4', '--jobs=1', "--file=$two\@20", "--file=$one\@40", "--file=$many\@2", "--file=$back\@2", "--file=$waste\@1", "--file=$sub\@4", "--file=$read_write\@1"),
	start_bench(\$errors[1], '--client=1', "--file=$flush"),
	start_bench(\$errors[2], '--client=2', "--file=$reader\@8", "--file=$cursor\@2", "--file=$slow_reader\@1"),
	start_bench(\$errors[3], '--client=1', "--file=$vacuum\@2", "--file=$freeze\@1"));
my @names = ('writers', 'flush', 'readers', 'vacuum');
for my $i (0 .. $#runs)
{
	my $ok = $runs[$i]->finish;
	ok($ok, "$names[$i] met no error") or diag $errors[$i];
	unlike($errors[$i], qr/error|fatal|panic/i, "$names[$i] report none") or diag $errors[$i];
}
is(sql('SELECT sum(v), count(*) % 2 FROM t'), '0|0', 'all sums to 0');
sql('VACUUM t');
my ($pages, $rows) = split /\|/, sql(q{SELECT pg_relation_size('t') / 8192, count(*) FROM t});
note "$pages pages for $rows rows";
my $digest = sql('SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM t');
note "rows and digest: $digest";
sql(q{SELECT ts_flush('t')});
is(sql('SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM t'), $digest, 'the same after a last flush');
$node->restart;
is(sql('SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM t'), $digest, 'and after a restart');

# ---- serializable transfers: retried on 40001, the invariant holds
sql('CREATE TABLE acc (id int, v int) USING nodedb_ts');
sql('INSERT INTO acc VALUES (0, 1000), (1, 1000)');
my $skew = script('skew', q{
\set id random(0, 1)
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT sum(v) AS s FROM acc \gset
INSERT INTO acc SELECT :id, -100 WHERE :s >= 100;
COMMIT;
});
$node->command_ok([ 'pgbench', '--no-vacuum', '--client=4', '--transactions=50', '--max-tries=1000', "--file=$skew", $connstr ], 'serializable withdrawals');
is(sql('SELECT sum(v) FROM acc'), 0, 'together they never withdraw more than there is');

# ---- one-row autocommit inserts: small after a flush, and no crumbs of segments
sql('CREATE TABLE s (ts timestamptz, host int, v float8) USING nodedb_ts');
sql('CREATE TABLE h (ts timestamptz, host int, v float8) USING heap');
my $single = script('single', q{
\set host random(1, 100)
INSERT INTO s VALUES ('2024-01-01'::timestamptz + random() * interval '10 min', :host, :host / 10.0);
});
$node->command_ok([ 'pgbench', '--no-vacuum', '--protocol=prepared', '--client=4', '--transactions=25000', "--file=$single", $connstr ], '100 000 transactions of one row');
sql('INSERT INTO h SELECT * FROM s');
is(sql('SELECT count(*) FROM s'), 100000, 'every row is there');
cmp_ok(sql(q{SELECT ts_flush('s')}), '>', 0, 'flushed');
is(sql('SELECT count(*) FROM (TABLE s EXCEPT ALL TABLE h) x'), 0, 'the same rows');
is(sql(q{SELECT sum(rows), min(rows) >= 1000 FROM ts_segments('s') WHERE level > 0}), '100000|t', 'no segment of fewer than 1000 rows');
sql('VACUUM s; VACUUM h');
cmp_ok(sql(q{SELECT pg_total_relation_size('s')}), '<', sql(q{SELECT pg_total_relation_size('h')}), 'smaller than the same rows in heap');

# ---- batches of 100 rows in all ways, while columns come and go
sql('CREATE TABLE b (ts timestamptz, host text, v float8) USING nodedb_ts');
my $values = script('batch_values', 'INSERT INTO b (ts, host, v) VALUES ' . join(', ', map { "(now(), 'host-$_', :client_id + $_)" } 1 .. 100) . ";\n");
my $unnest = script('batch_unnest', q{
INSERT INTO b (host, ts, v) SELECT h, t, v FROM unnest(ARRAY(SELECT 'host-' || i FROM generate_series(1, 100) i),
  array_fill(now(), ARRAY[100]), ARRAY(SELECT i + :client_id FROM generate_series(1, 100) i)) x(h, t, v);
});
append_to_file("$dir/batch.csv", join('', map { "2024-01-01 00:00:00+00,host-$_,$_.5\n" } 1 .. 100));
my $copy = script('batch_copy', "COPY b (ts, host, v) FROM '$dir/batch.csv' CSV;\n");
my ($batch_out, $batch_err) = ('', '');
my $batches = IPC::Run::start([ 'pgbench', '--no-vacuum', '--time=8', '--protocol=prepared', '--client=4', '--jobs=2', "--file=$values", "--file=$unnest", "--file=$copy", $connstr ], '<', \undef, '>', \$batch_out, '2>', \$batch_err);
my ($n, $seen, $end) = (0, 0, time + 6);
while ($n < 2 || time < $end && $n < 20)
{
	$n++;
	# rows have come since the last change
	$node->poll_query_until('postgres', "SELECT count(*) > $seen FROM b") or die 'no rows come';
	sql("ALTER TABLE b ADD COLUMN n$n int DEFAULT $n, ADD COLUMN t$n text, ADD COLUMN gone$n text DEFAULT 'gone'");
	# a default that rewrites the table
	sql("ALTER TABLE b ADD COLUMN r$n float8 NOT NULL DEFAULT random()") if $n % 4 == 2;
	sql("ALTER TABLE b DROP COLUMN gone$n") if $n % 3 == 0;
	$seen = sql('SELECT count(*) FROM b');
}
note "$n changes, $seen rows at the last";
cmp_ok($n, '>=', 2, 'columns were added while rows came');
ok($batches->finish, 'batches met no error while columns were added') or diag $batch_err;
unlike($batch_err, qr/error|fatal|panic/i, 'and report none') or diag $batch_err;
my ($batch_count) = $batch_out =~ /transactions actually processed: (\d+)/ or diag $batch_out;
is(sql('SELECT count(*) FROM b'), 100 * $batch_count, 'every batch is there, once');
my $defaults = join(' AND ', map { "n$_ IS NOT DISTINCT FROM $_ AND t$_ IS NULL" } 1 .. $n);
is(sql("SELECT count(*) FROM b WHERE NOT ($defaults AND gone1 IS NOT DISTINCT FROM 'gone' AND r2 IS NOT NULL)"), 0, 'every row has the default of each column');
is(sql("SELECT count(*) FROM (SELECT host, count(*) FROM b GROUP BY host HAVING count(*) <> $batch_count) x"), 0, 'and each host its share');
sql(q{SELECT ts_flush('b')});
is(sql("SELECT count(*), count(*) FILTER (WHERE NOT ($defaults)) FROM b"), 100 * $batch_count . '|0', 'the same after a flush');
tables_are_sound($node, 'at the end');
$node->stop;
done_testing();
