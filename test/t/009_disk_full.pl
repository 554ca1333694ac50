# A disk that is full: a small tmpfs holds the tables (in a tablespace), not the write-ahead log. Loads,
# flushes and one-row commits fail with 53100 or succeed, nothing committed is lost, and work goes on
# when space is back.
use strict;
use warnings;

# The tmpfs is mounted in a mount namespace of this test's own, without being root.
my @unshare;
BEGIN
{
	@unshare = ('unshare', '--user', '--map-current-user', '--mount', '--keep-caps');
	if (!$ENV{NODEDB_TS_DISK})
	{
		my $dir = `mktemp -d`;
		chomp $dir;
		$ENV{NODEDB_TS_DISK} = $dir;
		if (system("@unshare mount -t tmpfs -o size=1m tmpfs '$dir' >/dev/null 2>&1") == 0)
		{
			exec(@unshare, 'sh', '-c', 'mount -t tmpfs -o size=24m tmpfs "$NODEDB_TS_DISK" && exec "$@"', 'sh',
				$^X, (map { "-I$_" } grep { !ref } @INC), $0, @ARGV) or die "exec: $!";
		}
		rmdir $dir;
		$ENV{NODEDB_TS_DISK} = '';
	}
}

use FindBin;
use lib $FindBin::Bin;

use KillServer;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sound;
use Test::More;

my $disk = $ENV{NODEDB_TS_DISK};
plan skip_all => 'no tmpfs can be mounted in a user namespace here' if $disk eq '';

my $node = PostgreSQL::Test::Cluster->new('disk_full');
$node->init;
$node->append_conf('postgresql.conf', "log_statement = none\nautovacuum = off\nshared_buffers = 8MB\n");
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]); }
my $digest = 'SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM t';
my $rows = sub { return "SELECT '2024-01-01'::timestamptz + i * interval '1 s', i, sha256((i + $_[0])::text::bytea) || sha256((-i - $_[0])::text::bytea) FROM generate_series(1, $_[1]) i" };

sub try_sql
{
	my ($ret, $out, $err) = $node->psql('postgres', $_[0], extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $ret == 0 ? 'done' : $err =~ /ERROR:  (\w{5})/ ? $1 : $err;
}

# Leaves about this many kilobytes free.
sub fill
{
	my $left = shift;
	my ($free) = (`df -k --output=avail '$disk'` =~ /(\d+)\s*$/);
	system("head -c " . (($free - $left) * 1024) . " /dev/zero >> '$disk/filler'") == 0 or die 'filler';
	return;
}
sub empty { unlink "$disk/filler" or die "filler: $!"; return; }

mkdir "$disk/space" or die "$disk/space: $!";
sql('CREATE EXTENSION nodedb_ts');
sql("CREATE TABLESPACE small LOCATION '$disk/space'");
sql('CREATE TABLE t (ts timestamptz, i int, p bytea) USING nodedb_ts TABLESPACE small');
sql('INSERT INTO t ' . $rows->(0, 60000));
my $before = sql($digest);

# ---- a load that does not fit
fill(1500);
for my $try (1 .. 2)
{
	is(try_sql('INSERT INTO t ' . $rows->($try, 100000)), '53100', "load $try: the disk is full");
	is(sql($digest), $before, 'nothing changed');
}
# ---- one-row commits until there is no room: each is there or failed
fill(0);
my $commits = join '', map { "INSERT INTO t SELECT '2024-02-01', 1000000 + $_, decode(repeat(md5('$_'), 100), 'hex') RETURNING 1;\n" } 1 .. 2500;
my $script = $node->basedir . '/commits.sql';
append_to_file($script, $commits);
my ($ret, $out, $err) = $node->psql('postgres', "\\i $script", extra_params => [ '-v', 'VERBOSITY=verbose' ]);
my $acknowledged = () = $out =~ /^1$/mg;
my ($refused) = $err =~ /ERROR:  (\w{5})/;
is($refused, '53100', "one-row commits end with a clear error, after $acknowledged");
is(sql('SELECT count(*) FROM t WHERE i > 1000000'), $acknowledged, 'what was acknowledged is there');
$before = sql($digest);
like(try_sql(q{SELECT ts_flush('t')}), qr/^(53100|done)$/, 'a flush on the full disk');
is(sql($digest), $before, 'the rows are the same');
is(try_sql('VACUUM t'), 'done', 'VACUUM needs no room');
is(sql($digest), $before, 'the rows are the same');
kill_and_start($node, children => 1);
is(sql($digest), $before, 'the same after a kill');

# ---- what VACUUM freed can be used while the disk stays full, once every snapshot is younger
sql('SELECT txid_current()');
is(try_sql('INSERT INTO t ' . $rows->(3, 2000)), 'done', 'a load into freed blocks');
$before = sql($digest);

# ---- space is back
empty();
is(try_sql('INSERT INTO t ' . $rows->(4, 60000)), 'done', 'a load fits again');
is(sql('SELECT count(*) FROM t'), 60000 + $acknowledged + 2000 + 60000, 'all rows');
is(try_sql(q{SELECT ts_flush('t')}), 'done', 'a flush');
is(try_sql('VACUUM (FREEZE) t'), 'done', 'VACUUM');
is(sql('SELECT count(*) FROM t'), 60000 + $acknowledged + 2000 + 60000, 'all rows');
# ---- VACUUM does not need room to move what does not fit into a hole
sql(q{CREATE TABLE p (i int, s text) USING nodedb_ts TABLESPACE small;
	BEGIN; INSERT INTO p SELECT i, md5(i::text) FROM generate_series(1, 16000) i; SELECT count(*) FROM p; ROLLBACK;
	INSERT INTO p SELECT i, md5(i::text) FROM generate_series(1, 20000) i;});
my $size = sql(q{SELECT pg_relation_size('p')});
fill(128);
for my $try (1 .. 3)
{
	is(try_sql('VACUUM p'), 'done', "VACUUM $try on the full disk");
	is(sql(q{SELECT pg_relation_size('p')}), $size, 'uses up nothing');
}
is(sql('SELECT count(*) FROM p'), 20000, 'all rows');
empty();
tables_are_sound($node, 'at the end');
$node->stop;
system("umount '$disk' 2>/dev/null; rmdir '$disk' 2>/dev/null");
done_testing();
