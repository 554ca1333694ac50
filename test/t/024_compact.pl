# ts_compact at size: memory stays within maintenance_work_mem and 64 MB whatever is merged, a series' hour lies
# together, and segments with other orders, wide values and more inputs than fit at once come out right.
# MEMORY_ROWS scales it.
# check: alone (samples memory)
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use IPC::Run;
use Sound;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'needs /proc/PID/status with RssAnon'
  unless -r "/proc/$$/status" && slurp_file("/proc/$$/status") =~ /^RssAnon:/m;

my $rows = $ENV{MEMORY_ROWS} || 2_000_000;
my $limit_kb = (16 + 64) * 1024;

my $node = PostgreSQL::Test::Cluster->new('compact');
$node->init;
$node->append_conf('postgresql.conf', <<EOC);
log_statement = none
fsync = off
shared_buffers = 64MB
max_wal_size = 4GB
autovacuum = off
maintenance_work_mem = '16MB'
max_parallel_workers_per_gather = 0
timezone = 'UTC'
EOC
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION nodedb_ts');
my $connstr = $node->connstr('postgres');
sub sql { return $node->safe_psql('postgres', $_[0]); }

# Memory that belongs to the process alone and is not shared buffers.
sub private_kb
{
	my ($pid) = @_;
	open(my $f, '<', "/proc/$pid/status") or return;
	local $/;
	my $s = <$f>;
	return defined $s && $s =~ /^RssAnon:\s+(\d+) kB/m ? $1 : undef;
}

# Runs a statement in a session of its own; returns how many kB its backend grew, and what it printed.
sub growth
{
	my ($name, $sql) = @_;
	my ($in, $out, $err) = ('', '', '');
	my $session = IPC::Run::start([ 'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', $connstr ], '<', \$in, '>', \$out, '2>', \$err);
	$in .= "SELECT pg_backend_pid();\n";
	$session->pump until $out =~ /^(\d+)\n/;
	my $pid = $1;
	my ($first, $most, $samples, $start) = (private_kb($pid), 0, 0, time());
	$in .= "$sql;\n\\echo done\n\\q\n";
	while ($out !~ /^done$/m && $session->pumpable)
	{
		$session->pump_nb;
		my $kb = private_kb($pid);
		if (defined $kb)
		{
			$most = $kb if $kb > $most;
			$samples++;
		}
		sleep 0.005;
	}
	ok($session->finish, "$name: done") or diag $err;
	$out =~ s/^\d+\n//;
	$out =~ s/done\n//;
	note sprintf('%s: %.1f s, %d samples, from %.1f to at most %.1f MB', $name, time() - $start, $samples, $first / 1024, $most / 1024);
	cmp_ok($samples, '>', 5, "$name: memory was sampled");
	return ($most - $first, $out);
}

my $digest = 'SELECT count(*) || \' \' || sum(hashtextextended(t::text, 0)::numeric) FROM t';

# Merges all there is; the rows stay what they are.
sub check
{
	my ($name, $segments) = @_;
	my $before = sql($digest);
	my ($inputs, $size) = split /\|/, sql(q{SELECT count(*), pg_size_pretty(sum(bytes)) FROM ts_segments('t')});
	note "$name: $inputs segments, $size";
	cmp_ok($inputs, '>=', $segments, "$name: $segments segments at least");
	my ($grown, $out) = growth($name, q{SELECT segments_in, segments_out, rows, bytes_after FROM ts_compact('t')});
	cmp_ok($grown, '<', $limit_kb, sprintf('%s: it takes %.1f MB', $name, $grown / 1024));
	my ($in, $made, $n) = split /\|/, $out;
	is($in, $inputs, "$name: all segments are merged");
	is(sql($digest), $before, "$name: the same rows");
	is(sql(q{SELECT count(*) FROM ts_verify('t')}), '0', "$name: sound");
	is(sql(q{SELECT count(*) FROM ts_segments('t') WHERE level <> 2}), '0', "$name: level 2");
	is(sql(q{SELECT count(*) FROM ts_compact('t')}), '0', "$name: nothing is left to do");
	return $made;
}

# wide text that zstd halves, in rows that come in no order: many row groups of the largest size
sql('CREATE TABLE t (ts timestamptz, host text, v float8, message text) USING nodedb_ts');
my $n = int($rows / 6);
sql(qq{INSERT INTO t SELECT '2024-01-01'::timestamptz + hashint4(i) % 80000 * interval '1 s', 'h' || i % 50, i,
	md5(i::text) || md5((i + 1)::text) || md5((i * 7)::text) || repeat('x', i % 100) FROM generate_series(1 + $n * $_, $n + $n * $_) i}) for 0 .. 5;
check('wide text', 6);

# values of up to 1 MB, and a few large ones
sql(q{TRUNCATE t;
	ALTER TABLE t ALTER message SET STORAGE EXTERNAL});
sql(qq{INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '1 s', 'h' || i % 5, i, (SELECT string_agg(md5(i * 1000 + k || ''), '') FROM generate_series(1, 1 + i % 3000) k) FROM generate_series(1 + 300 * $_, 300 + 300 * $_) i}) for 0 .. 5;
check('long values', 6);

# more segments than a merge can hold at once
sql('TRUNCATE t');
sql(qq{DO \$\$ BEGIN FOR k IN 1 .. 60 LOOP
	INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '1 s' + k * interval '10 ms', 'h' || i % 100, i, md5(i || 'x' || k) || md5(k || '-' || i) FROM generate_series(1, 20000) i; COMMIT;
END LOOP; END \$\$});
check('many segments', 60);

# segments that are sorted by other columns than the newest one
sql('DROP TABLE t; CREATE TABLE t (ts timestamptz, a text, b int, v float8) USING nodedb_ts');
sql(qq{INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '10 ms', 'a' || i % 40, i, i FROM generate_series(1, $n) i});
sql(qq{ALTER TABLE t DROP COLUMN a, ADD COLUMN c text DEFAULT 'of old rows'});
sql(qq{INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '10 ms', i, i, 'c' || i % 30 FROM generate_series(1, $n) i});
check('other orders', 2);

# a day of 4 000 series, a row a minute, that came in 144 transactions: an hour of a series lies together
sql('DROP TABLE t; CREATE TABLE t (ts timestamptz, device text, v float8, w int) USING nodedb_ts');
sql(q{DO $$ BEGIN FOR k IN 0 .. 143 LOOP
	INSERT INTO t SELECT '2024-01-01'::timestamptz + (10 * k + m) * interval '1 min', 'device-' || i, hashint4(i * 1440 + k * 10 + m) / 1000.0, hashint4(k * 10 + m - i * 1440)
	FROM generate_series(0, 9) m, generate_series(1, 4000) i; COMMIT;
END LOOP; END $$});
my $hour = q{date_trunc('hour', ts) = '2024-01-01 05:00'};
# What is read for the first and the last row of an hour of a series by their tuple ids, in pages. The reader takes the
# column chunks of a row group as a whole, so these are the row group's pages, and what leads there.
sub pages_of_hour
{
	my ($device) = @_;
	my $ids = sql("SELECT ARRAY[min(ctid), max(ctid)] FROM t WHERE device = 'device-$device' AND $hour");
	my $plan = sql("EXPLAIN (ANALYZE, BUFFERS, COSTS off, TIMING off, SUMMARY off) SELECT * FROM t WHERE ctid = ANY ('$ids')");
	like($plan, qr/Tid Scan.*rows=2 /, "two rows of device $device");
	# of the scan, not of planning it
	my ($scan) = split /Planning/, $plan;
	my $pages = 0;
	$pages += $_ for $scan =~ /\b(?:hit|read)=(\d+)/g;
	return $pages;
}
check('4 000 series', 144);
my $apart = sql(qq{
	SELECT max(last - first) || ' ' || count(*) FROM (
		SELECT min(id) AS first, max(id) AS last FROM (
			SELECT ((ctid::text::point)[0]::bigint << 8) + (ctid::text::point)[1]::bigint AS id, device FROM t WHERE $hour) r
		GROUP BY device) q});
is($apart, '59 4000', 'the rows of each hour are neighbours');
my $pages = sql(q{SELECT sum(pages) FROM ts_segments('t')});
for my $device (1, 77, 1000, 2222, 3999)
{
	my $touched = pages_of_hour($device);
	cmp_ok($touched, '>', 0, 'pages are counted');
	cmp_ok($touched, '<=', 0.02 * $pages, "an hour of device $device lies within $touched of $pages pages");
}

tables_are_sound($node, 'at the end');
$node->stop;
done_testing();
