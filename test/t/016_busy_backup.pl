# Base backups of a busy server; wal_level = minimal and a kill; page checksums.
use strict;
use warnings;

use FindBin;
use IPC::Run;
use lib $FindBin::Bin;

use KillServer;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sound;
use Test::More;
use Time::HiRes qw(sleep);

my $node = PostgreSQL::Test::Cluster->new('busy');
$node->init(allows_streaming => 1, extra => ['--data-checksums']);
$node->append_conf('postgresql.conf', <<EOC);
log_statement = none
max_wal_size = 256MB
autovacuum_naptime = 1s
max_connections = 30
restart_after_crash = on
EOC
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]); }

# ---- backups while others write; each writer numbers its transactions
sql(q{
	CREATE EXTENSION nodedb_ts;
	CREATE TABLE t (ts timestamptz, kind text, client int, n int, p text) USING nodedb_ts;
	CREATE TABLE copied (ts timestamptz, i int) USING nodedb_ts;
	INSERT INTO copied SELECT '2024-01-01'::timestamptz + i * interval '1 s', i FROM generate_series(1, 3000) i;});
my $dir = PostgreSQL::Test::Utils::tempdir;
my $file = PostgreSQL::Test::Utils::tempdir_short() . '/copied.data';
sql("COPY copied TO '$file'");
append_to_file("$dir/one.sql", qq{\\set n :n + 1\nINSERT INTO t VALUES (now(), 'one', :client_id, :n, 'x');\n});
append_to_file("$dir/many.sql", qq{\\set m :m + 1\nINSERT INTO t SELECT now(), 'many', :client_id, :m, md5(i::text) FROM generate_series(1, 700) i;\n\\sleep 10 ms\n});
append_to_file("$dir/gone.sql", qq{BEGIN;\nINSERT INTO t SELECT now(), 'gone', :client_id, i, md5(i::text) FROM generate_series(1, 2000) i;\nSELECT ts_flush('copied');\nROLLBACK;\n\\sleep 20 ms\n});
append_to_file("$dir/copy.sql", qq{COPY copied FROM '$file';\n\\sleep 20 ms\n});
append_to_file("$dir/flush.sql", qq{SELECT ts_flush('t');\n\\sleep 10 ms\n});
append_to_file("$dir/vacuum.sql", qq{VACUUM t;\nSELECT ts_flush('copied');\nVACUUM (FREEZE) copied;\n\\sleep 10 ms\n});
my ($out, $err) = ('', '');
my @common = ('pgbench', '--no-vacuum', '--time=9', '--define=n=0', '--define=m=0', $node->connstr('postgres'));
my @runs = (
	IPC::Run::start([ @common, '--client=4', "--file=$dir/one.sql\@60", "--file=$dir/many.sql\@1", "--file=$dir/gone.sql\@1" ], '<', \undef, '>', \$out, '2>', \$err),
	IPC::Run::start([ @common, '--client=1', "--file=$dir/copy.sql", "--file=$dir/flush.sql", "--file=$dir/vacuum.sql" ], '<', \undef, '>', \$out, '2>', \$err));
# of each writer: how many transactions, and whether they are 1, 2, 3 ... with all their rows
my $counts = q{SELECT kind, client, max(n), CASE WHEN count(DISTINCT n) = max(n) AND min(n) = 1 AND count(*) = max(n) * CASE kind WHEN 'one' THEN 1 ELSE 700 END THEN 'whole' ELSE 'torn' END
	FROM t GROUP BY kind, client ORDER BY 1, 2};
my $copies = 'SELECT count(*) % 3000, count(*) / 3000, sum(i) - count(*) / 3000 * 4501500 FROM copied';
my @backups;
for my $k (1, 2)
{
	sleep 1;
	my %b = (name => "backup$k", before => sql($counts), copies_before => sql($copies));
	$node->command_ok([ 'pg_basebackup', '-D', $node->backup_dir . "/$b{name}", '-h', $node->host, '-p', $node->port, '--checkpoint=fast', '--no-sync', '--wal-method=' . ($k == 1 ? 'stream' : 'fetch') ], "base backup $k");
	@b{qw(after copies_after)} = (sql($counts), sql($copies));
	push @backups, \%b;
}
ok($_->finish, 'clients met no error') or diag $err for @runs;
tables_are_sound($node, 'after the clients');
$node->stop;
command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'page checksums');

# kind|client -> n
sub per_writer
{
	return map { /^(\w+\|\d+)\|(\d+)/ ? ($1 => $2) : () } split /\n/, $_[0];
}

for my $b (@backups)
{
	my $restored = PostgreSQL::Test::Cluster->new("from_$b->{name}");
	$restored->init_from_backup($node, $b->{name});
	$restored->append_conf('postgresql.conf', "autovacuum = off\n");
	$restored->start;
	my $r = sub { $restored->safe_psql('postgres', $_[0]) };
	my $got = $r->($counts);
	unlike($got, qr/torn|gone/, "$b->{name}: whole transactions without gaps") or diag $got;
	my %got = per_writer($got);
	my %before = per_writer($b->{before});
	my %after = per_writer($b->{after});
	is(join(',', grep { ($got{$_} // 0) < $before{$_} } sort keys %before), '', "$b->{name}: nothing older than its start is missing");
	is(join(',', grep { $got{$_} > ($after{$_} // 0) } sort keys %got), '', "$b->{name}: nothing younger than its end is there");
	cmp_ok(scalar(keys %got), '>', 4, "$b->{name}: several writers");
	my $copies = $r->($copies);
	like($copies, qr/^0\|\d+\|0$/, "$b->{name}: whole COPYs");
	my ($n) = $copies =~ /\|(\d+)\|/;
	cmp_ok($n, '>=', ($b->{copies_before} =~ /\|(\d+)\|/)[0], "$b->{name}: not fewer COPYs than at its start");
	$r->(q{SELECT ts_flush('t'), ts_flush('copied'); VACUUM t; VACUUM (FREEZE) t; VACUUM copied; INSERT INTO copied SELECT * FROM copied LIMIT 3000;});
	is($r->($counts), $got, "$b->{name}: the same after a flush and VACUUM");
	tables_are_sound($restored, $b->{name});
	$r->('VACUUM FULL t');
	is($r->($counts), $got, "$b->{name}: and after VACUUM FULL");
	$restored->stop;
	command_ok([ 'pg_checksums', '--check', '-D', $restored->data_dir ], "$b->{name}: page checksums");
	$restored->clean_node;
}

# ---- wal_level = minimal: what a transaction made itself is synced, what follows is logged
$node->append_conf('postgresql.conf', "wal_level = minimal\nmax_wal_senders = 0\nautovacuum = off\n");
$node->start;
my $def = '(ts timestamptz, i int) USING nodedb_ts';
my $few = sub { qq{DO \$\$ BEGIN FOR k IN 1 .. 200 LOOP INSERT INTO $_[0] VALUES ('2024-01-02', k); COMMIT; END LOOP; END \$\$;\n} };
my %expected;
my $script = '';
for my $truncated (0, 1)
{
	for my $next ('nothing', 'INSERT', 'ts_flush', 'VACUUM', 'VACUUM FULL', 'all', 'rollback')
	{
		my $t = lc($next) =~ s/ /_/r . $truncated;
		my $first = $truncated ? "COPY $t FROM '$file'; TRUNCATE $t;" : '';
		$script .= "BEGIN; CREATE TABLE $t $def; $first COPY $t FROM '$file'; COMMIT;\n";
		$expected{$t} = '3000|4501500';
		if ($next !~ /nothing|rollback/)
		{
			$script .= $few->($t);
			$expected{$t} = '3200|4521600';
		}
		$script .= "SELECT ts_flush('$t');\n" if $next =~ /ts_flush|all/;
		$script .= "VACUUM (FREEZE) $t;\n" if $next =~ /^VACUUM$|all/;
		$script .= "VACUUM FULL $t;\n" if $next =~ /FULL|all/;
		$script .= "SELECT ts_flush('$t');\n" if $next eq 'all';
		$script .= "BEGIN; COPY $t FROM '$file'; SELECT ts_flush('$t'); ROLLBACK; BEGIN; TRUNCATE $t; COPY $t FROM '$file'; SELECT ts_flush('$t'); ROLLBACK;\n" if $next eq 'rollback';
	}
}
sql($script);
kill_and_start($node, children => 1);
my $all = join ' UNION ALL ', map { "SELECT '$_', count(*), sum(i) FROM $_" } sort keys %expected;
is(sql($all), join("\n", map { "$_|$expected{$_}" } sort keys %expected), 'wal_level = minimal: every table after a kill');
sql(join '; ', map { "INSERT INTO $_ VALUES ('2024-01-03', 1); SELECT ts_flush('$_'); VACUUM $_" } sort keys %expected);
s/(\d+)\|(\d+)/($1 + 1) . '|' . ($2 + 1)/e for values %expected;
is(sql($all), join("\n", map { "$_|$expected{$_}" } sort keys %expected), 'wal_level = minimal: every table goes on');
# a kill while such transactions run
for my $place (qw(segment_write allocate_done))
{
	my ($ret) = $node->psql('postgres', "SET nodedb_ts.fault = '$place:kill:1'; BEGIN; CREATE TABLE never (ts timestamptz, i int, p text) USING nodedb_ts;
		COPY never (i) FROM PROGRAM 'seq 10'; TRUNCATE never; INSERT INTO never SELECT '2024-01-01', i, md5(i::text) FROM generate_series(1, 20000) i; SELECT ts_flush('never'); COMMIT;");
	is($ret, 2, "wal_level = minimal: killed at $place");
	$node->poll_query_until('postgres', q{SELECT to_regclass('never') IS NULL}) or die;
}
is(sql($all), join("\n", map { "$_|$expected{$_}" } sort keys %expected), 'wal_level = minimal: every table after kills in the middle');
tables_are_sound($node, 'after kills');
$node->stop;
command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'page checksums after kills');
done_testing();
