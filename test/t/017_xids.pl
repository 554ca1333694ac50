# Transaction ids that run out: autovacuum alone freezes, pg_xact is cut off, and rows
# stay readable over half the circle and around it. And without anybody calling
# VACUUM a busy table's file stays bounded.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sound;
use Test::More;
use Time::HiRes qw(sleep time);

my $node = PostgreSQL::Test::Cluster->new('xids');
$node->init(extra => ['--data-checksums']);
$node->append_conf('postgresql.conf', <<EOC);
log_statement = none
synchronous_commit = off
autovacuum_naptime = 1s
autovacuum_freeze_max_age = 100000
autovacuum_vacuum_cost_delay = 0
autovacuum_vacuum_insert_threshold = -1
max_wal_size = 1GB
EOC
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]); }
my $hash = 'SELECT count(*), sum(hashtextextended(x::text, 0)::numeric) FROM t x';

sql(q{
	CREATE EXTENSION nodedb_ts;
	CREATE TABLE t (ts timestamptz, i int, p text) USING nodedb_ts;
	CREATE TABLE still (ts timestamptz, i int, p text) USING nodedb_ts;
	CREATE PROCEDURE one_by_one(base int) LANGUAGE plpgsql AS $$
		BEGIN FOR k IN 1 .. 200 LOOP INSERT INTO t VALUES ('2024-02-01'::timestamptz + k * interval '1 s', base + k, 'one'); COMMIT; END LOOP; END $$;
	CREATE PROCEDURE gone() LANGUAGE plpgsql AS $$
		BEGIN
			INSERT INTO t SELECT '2024-03-01', i, md5(i::text) FROM generate_series(1, 20000) i; PERFORM count(*) FROM t; ROLLBACK;
			FOR k IN 1 .. 50 LOOP INSERT INTO t VALUES ('2024-03-01', k, 'gone'); ROLLBACK; END LOOP;
		END $$;
	CREATE PROCEDURE burn(n int) LANGUAGE plpgsql AS $$
		BEGIN FOR k IN 1 .. n LOOP PERFORM txid_current(); COMMIT; END LOOP; END $$;});

# Everything a table may hold: segments and batches, committed and rolled back, moved, half of it not yet flushed.
sub all_kinds
{
	my ($base) = @_;
	sql(qq{
		INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '1 s', $base + i, 'many' FROM generate_series(1, 3000) i;
		CALL one_by_one($base);
		SELECT ts_flush('t');
		BEGIN; SELECT ts_flush('t'); ROLLBACK;
		CALL gone();
		CALL one_by_one($base + 1000);
		BEGIN; INSERT INTO t VALUES ('2024-02-02', 1, 'x'); SELECT ts_flush('t'); ROLLBACK;});
	return;
}
all_kinds(0);
sql(q{INSERT INTO still SELECT * FROM t LIMIT 3000; INSERT INTO still VALUES ('2024-02-02', 1, 'batch');});
my $content = sql($hash);
my $still = sql('SELECT count(*), sum(i) FROM still');

my $max_age = q{SELECT max(age(relfrozenxid)) FROM pg_class WHERE relname IN ('t', 'still')};
my $young = "SELECT ($max_age) < 100000 AND (SELECT max(age(datfrozenxid)) FROM pg_database) < 100000";

sub check_rows
{
	my ($name) = @_;
	is(sql($hash), $content, "$name: rows of t");
	is(sql('SELECT count(*), sum(i) FROM still'), $still, "$name: rows of a table that nobody writes to");
	is(sql(q{SELECT count(*) FROM t WHERE xmin::text::bigint > 2 AND age(xmin) > (SELECT age(relfrozenxid) FROM pg_class WHERE relname = 't')}), 0, "$name: no id older than relfrozenxid");
	return;
}

# ---- burnt one by one
sql('CALL burn(90000)');
cmp_ok(sql($max_age), '>', 80000, 'the tables are old');
sql('CALL burn(15000)');
ok($node->poll_query_until('postgres', $young), 'autovacuum makes them young');
check_rows('after autovacuum');

# ---- leaps
# Sets the next transaction id; a page of pg_xact must be there for it.
sub leap
{
	my ($xid) = @_;
	$node->stop;
	$node->command_ok([ 'pg_resetwal', '-x', $xid, $node->data_dir ], "leap to $xid");
	my $segment = sprintf '%s/pg_xact/%04X', $node->data_dir, int($xid / 1048576);
	if (!-e $segment)
	{
		open my $f, '>', $segment or die;
		print $f "\0" x 262144;
		close $f;
	}
	$node->start;
	return;
}

sub pg_xact
{
	opendir my $d, $node->data_dir . '/pg_xact' or die;
	my @names = sort grep { /^[0-9A-F]{4}$/ } readdir $d;
	closedir $d;
	return "@names";
}

my $k = 0;
for my $xid (1500000000, 2900000000, 4294967296 - 50000)
{
	$k++;
	all_kinds($k * 10000);
	$content = sql($hash);
	leap($xid);
	my $name = "at xid $xid";
	cmp_ok(sql('SELECT txid_current() % 4294967296'), '>=', $xid, $name);
	check_rows("$name, at once");
	ok($node->poll_query_until('postgres', $young), "$name: autovacuum catches up in every database");
	# the checkpoint is not needed, but shows that nothing waits for one
	sql('CHECKPOINT');
	is(pg_xact(), sprintf('%04X', int($xid / 1048576)), "$name: pg_xact is cut off");
	check_rows("$name, after autovacuum");
	all_kinds($k * 10000 + 5000);
	$content = sql($hash);
	my $size = sql(q{SELECT pg_relation_size('t')});
	sql('CALL gone(); VACUUM t; SELECT txid_current(); CALL gone(); VACUUM t;');
	cmp_ok(sql(q{SELECT pg_relation_size('t')}), '<', $size + 3000000, "$name: freed blocks are used again");
	check_rows("$name, after reuse");
}

# ---- over the end of the circle
{
	my $next = sql('SELECT txid_current() % 4294967296');
	sql('CALL burn(' . (4294967296 - $next + 10000) . ')');
	cmp_ok(sql('SELECT txid_current()'), '>', 4294967296, 'in the next epoch');
	check_rows('in the next epoch');
	all_kinds(200000);
	$content = sql($hash);
	sql('CALL burn(100000)');
	ok($node->poll_query_until('postgres', $young), 'in the next epoch: autovacuum catches up');
	check_rows('in the next epoch, after autovacuum');
	sql('VACUUM (FREEZE) t; VACUUM FULL t;');
	check_rows('in the next epoch, after VACUUM FULL');
	is(sql(q{SELECT count(*) FROM t WHERE p = 'gone'}), 0, 'nothing that was rolled back has come back');
}
tables_are_sound($node, 'in the next epoch');
unlike(slurp_file($node->logfile), qr/could not access status|PANIC|TRAP|must be vacuumed within/, 'no complaint in the log');

# ---- nobody calls VACUUM, and the file stays bounded
{
	sql(q{ALTER SYSTEM SET autovacuum_vacuum_threshold = 50; ALTER SYSTEM SET autovacuum_vacuum_scale_factor = 0.05; SELECT pg_reload_conf();
		CREATE TABLE busy (ts timestamptz, i int, p text) USING nodedb_ts;
		CREATE TABLE cleared (ts timestamptz, i int, p text) USING nodedb_ts;
		CREATE PROCEDURE cycle() LANGUAGE plpgsql AS $$
		BEGIN
			FOR k IN 1 .. 400 LOOP INSERT INTO busy VALUES ('2024-01-01'::timestamptz + k * interval '1 s', k, repeat('x', 100)); COMMIT; END LOOP;
			INSERT INTO busy SELECT '2024-01-02', i, md5(i::text) FROM generate_series(1, 15000) i; PERFORM count(*) FROM busy; ROLLBACK;
			FOR k IN 1 .. 200 LOOP INSERT INTO busy VALUES ('2024-01-03', k, repeat('y', 100)); ROLLBACK; END LOOP;
			INSERT INTO cleared SELECT '2024-01-02', i, md5(i::text) FROM generate_series(1, 3000) i; COMMIT;
			PERFORM ts_flush('busy'); COMMIT;
			INSERT INTO cleared SELECT '2024-01-02', i, md5(i::text) FROM generate_series(1, 15000) i; PERFORM count(*) FROM cleared; ROLLBACK;
			TRUNCATE cleared; COMMIT;
		END $$;});
	# blocks that hold no live segment
	my $waste = q{SELECT pg_relation_size('busy') / 8192 - (SELECT coalesce(sum(pages), 0) FROM ts_segments('busy'))};
	my @waste;
	for my $cycle (1 .. 10)
	{
		my $vacuums = sql(q{SELECT autovacuum_count FROM pg_stat_user_tables WHERE relname = 'busy'});
		sql('CALL cycle()');
		push @waste, sql($waste);
		# autovacuum comes when it likes; every second cycle it gets the time
		$node->poll_query_until('postgres', "SELECT autovacuum_count > $vacuums FROM pg_stat_user_tables WHERE relname = 'busy'") or die 'autovacuum does not come'
		  if $cycle % 2 == 0;
	}
	note "blocks without live segments after each cycle: @waste";
	my ($early, $late) = ((sort { $b <=> $a } @waste[0 .. 2])[0], (sort { $b <=> $a } @waste[7 .. 9])[0]);
	cmp_ok($late, '<=', $early * 2.2, 'the file does not grow by what is rolled back and flushed');
	is(sql('SELECT count(*), sum(i) FROM busy'), (10 * 400) . '|' . (10 * 80200), 'all rows are there');
	cmp_ok(sql(q{SELECT pg_relation_size('cleared')}), '<=', 8192 * 4000, 'a table that is emptied again and again stays small');
	is(sql(q{SELECT sum(vacuum_count) FROM pg_stat_user_tables WHERE relname IN ('busy', 'cleared')}), 0, 'and nobody called VACUUM');
}
tables_are_sound($node, 'at the end');
$node->stop;
command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'page checksums');
done_testing();
