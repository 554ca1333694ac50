# Admission control: without a worker, sessions that insert keep a table's L0 bounded, and nothing that goes wrong in
# doing so goes wrong for them.
# check: alone (bounds the time of a transaction)
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use KillServer;
use List::Util qw(max);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Sound;
use Test::More;

my $rows = $ENV{ADMISSION_ROWS} // 10000;	# of each of four clients
# 64 kB are 8 pages; each of four sessions may have opened an extent of 16 pages since it looked last, a fifth is open
my $bound_pages = 8 + 5 * 16;
my $rows_of_a_page = 160;

my $node = PostgreSQL::Test::Cluster->new('admission');
$node->init;
$node->append_conf('postgresql.conf', <<EOC);
shared_preload_libraries = 'nodedb_ts'
nodedb_ts.worker = off
nodedb_ts.max_delta_size = 64kB
log_statement = none
autovacuum = off
synchronous_commit = off
max_prepared_transactions = 5
restart_after_crash = on
EOC
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]); }
sub unflushed { return sql("SELECT (SELECT count(*) FROM $_[0]) - (SELECT coalesce(sum(rows), 0) FROM ts_segments('$_[0]'))"); }
sub admissions { return sql("SELECT admission_flushes FROM nodedb_ts.activity WHERE relation = '$_[0]'::regclass"); }
# 2 000 transactions of one row each
sub insert
{
	my ($table, $count, $settings) = @_;
	$count //= 2000;
	$settings //= '';
	return $node->psql('postgres', "$settings DO \$\$ BEGIN FOR k IN 1 .. $count LOOP INSERT INTO $table VALUES (clock_timestamp(), k, md5(k::text)); COMMIT; END LOOP; END \$\$");
}

sql('CREATE EXTENSION nodedb_ts');
sql("CREATE TABLE $_ (ts timestamptz, i int, s text) USING nodedb_ts") foreach qw(a b quiet locked faulty prepared);
sql("CREATE TABLE heap_$_ (ts timestamptz, i int, s text) USING heap") foreach qw(a b);

# ---- four clients, one row at a time, into two tables in either order
my $file = "$PostgreSQL::Test::Utils::tmp_check/insert.sql";
append_to_file($file, <<'EOC');
\set k random(1, 1000000000)
\set ba random(0, 1)
\if :ba
BEGIN;
INSERT INTO b VALUES (clock_timestamp(), :k, md5(:k::text));
INSERT INTO a VALUES (clock_timestamp(), :k, md5(:k::text));
\else
BEGIN;
INSERT INTO a VALUES (clock_timestamp(), :k, md5(:k::text));
INSERT INTO b VALUES (clock_timestamp(), :k, md5(:k::text));
\endif
INSERT INTO heap_a VALUES (now(), :k, md5(:k::text));
COMMIT;
EOC
my $log = "$PostgreSQL::Test::Utils::tmp_check/latency";
my $bench = IPC::Run::start([ 'pgbench', '-n', '-c', 4, '-j', 2, '-t', $rows, '-f', $file, '-l', "--log-prefix=$log", $node->connstr('postgres') ], '>&', \my $out);
my $largest = 0;
while ($bench->pumpable)
{
	$bench->pump_nb;
	$largest = max($largest, unflushed('a'), unflushed('b'));
	select(undef, undef, undef, 0.2);
}
ok($bench->finish, 'four clients insert') or diag($out);
like($out, qr/number of transactions actually processed: ${\(4 * $rows)}/, 'every transaction succeeded: no deadlock');
note("L0 held at most $largest rows; bound: " . $bound_pages * $rows_of_a_page);
cmp_ok($largest, '<=', $bound_pages * $rows_of_a_page, 'L0 stays bounded');
cmp_ok(admissions('a'), '>', 0, 'by admission flushes');
is(sql('SELECT last_error IS NULL FROM nodedb_ts.activity WHERE relation = \'a\'::regclass'), 't', 'none has failed');
for my $table (qw(a b))
{
	is(sql("SELECT count(*), sum(i), count(DISTINCT s) FROM $table"), sql('SELECT count(*), sum(i), count(DISTINCT s) FROM heap_a'), "table $table has the rows of heap");
}
my @us = map { (split ' ')[2] } map { split /\n/, slurp_file($_) } glob("$log*");
note('slowest transaction: ' . max(@us) / 1000 . ' ms');
cmp_ok(max(@us), '<', 2_000_000, 'no transaction waits long');
# VACUUM need not come for the space: it is used again
cmp_ok(sql(q{SELECT pg_relation_size('a')}), '<', sql(q{SELECT pg_relation_size('heap_a')}), 'the file stays small');

# multi-row batches: pages hold many more rows, and L0 is bounded all the same
sql('CREATE TABLE dense (ts timestamptz, i int, s text) USING nodedb_ts');
my @counts = map { sql("DO \$\$ BEGIN FOR k IN 1 .. 100 LOOP INSERT INTO dense SELECT now(), random() * 100000, 'x' FROM generate_series(1, 500); COMMIT; END LOOP; END \$\$"); unflushed('dense') } 1 .. 12;
note("L0 of multi-row batches: @counts");
cmp_ok(max(@counts), '<=', 150000, 'L0 of multi-row batches stays bounded');
is(sql('SELECT count(*) FROM dense'), 600000, 'every row is there');

# ---- not wanted, or not possible
insert('quiet', 3000, 'SET nodedb_ts.max_delta_size = 0;');
insert('quiet', 3000, 'SET nodedb_ts.max_delta_size = -1;');
is(unflushed('quiet'), 6000, 'no limit: nobody flushes');
insert('quiet', 2000);
cmp_ok(unflushed('quiet'), '<', 5000, 'with one again, the next sessions do');
my $holder = Session->new($node);
$holder->ask('BEGIN; LOCK TABLE locked IN SHARE UPDATE EXCLUSIVE MODE;');
insert('locked', 3000);
is(unflushed('locked'), 3000, 'who has the lock is not waited for');
$holder->quit;
insert('locked', 2000);
cmp_ok(unflushed('locked'), '<', 3000, 'afterwards it is flushed');
my $session = Session->new($node);
$session->ask("SET nodedb_ts.max_delta_size = 0; INSERT INTO prepared SELECT now(), i, md5(i::text) FROM generate_series(1, 4000) i; RESET nodedb_ts.max_delta_size;");
$session->ask("BEGIN; INSERT INTO prepared SELECT now(), i, md5(i::text) FROM generate_series(1, 7000) i; PREPARE TRANSACTION 'p';");
is(sql(q{SELECT count(*) FROM pg_locks WHERE relation = 'prepared'::regclass AND mode = 'ShareUpdateExclusiveLock'}), 0, 'PREPARE TRANSACTION keeps no lock');
$session->ask("COMMIT PREPARED 'p';");
is(sql('SELECT count(*) FROM prepared'), 11000, 'its rows are there');

# ---- isolation levels, savepoints, deferred triggers, temporary tables
sql(q{CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN BEGIN INSERT INTO b VALUES (now(), 0, 'deferred'); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END; INSERT INTO b VALUES (now(), 1, 'deferred'); RETURN NULL; END $$;
	CREATE CONSTRAINT TRIGGER note AFTER INSERT ON prepared DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note()});
for my $level ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
	my $before = sql('SELECT count(*) FROM prepared');
	my $flushes = admissions('prepared');
	my ($ret) = $node->psql('postgres', "SET default_transaction_isolation = '$level'; DO \$\$ BEGIN FOR k IN 1 .. 3500 LOOP BEGIN INSERT INTO prepared VALUES (now(), k, md5(k::text)); IF k % 7 = 0 THEN RAISE division_by_zero; END IF; EXCEPTION WHEN division_by_zero THEN NULL; END; COMMIT; END LOOP; END \$\$");
	is($ret, 0, "$level: rows with savepoints and a deferred trigger");
	is(sql('SELECT count(*) FROM prepared'), $before + 3000, "$level: they are there");
	cmp_ok(admissions('prepared'), '>', $flushes, "$level: the table was flushed");
}
is(sql(q{SELECT count(*) FILTER (WHERE i = 0), count(*) FILTER (WHERE i = 1) FROM b WHERE s = 'deferred'}), '0|9000', 'and what the trigger wrote');
is(sql(q{CREATE TEMP TABLE tt (ts timestamptz, i int, s text) USING nodedb_ts;
	DO $$ BEGIN FOR k IN 1 .. 4000 LOOP INSERT INTO tt VALUES (now(), k, md5(k::text)); COMMIT; END LOOP; END $$;
	SELECT (SELECT count(*) FROM tt), (SELECT sum(rows) > 1000 FROM ts_segments('tt'))}), '4000|t', 'temporary tables are flushed by their session');

# ---- what goes wrong does not go wrong for the rows
my $expected = 0;
for my $kind (qw(error cancel))
{
	for my $place (qw(flush_page flush_taken flush_write flush_output flush_done))
	{
		# a cancellation at the end comes to the next statement
		next if $kind eq 'cancel' && $place eq 'flush_done';
		my ($ret, $stdout, $stderr) = insert('faulty', 3000, "LOAD 'nodedb_ts'; SET nodedb_ts.fault = '$place:$kind';");
		$expected += 3000;
		is($ret, 0, "$kind at $place: no statement fails") or diag($stderr);
		is(sql('SELECT count(*), count(DISTINCT i) FROM faulty'), "$expected|3000", "$kind at $place: the rows are there");
	}
}
is(sql(q{SELECT last_error_command, last_error FROM nodedb_ts.activity WHERE relation = 'faulty'::regclass}), 'admission|nodedb_ts.fault: an error at "flush_done"', 'the error is shown');
like(slurp_file($node->logfile), qr/LOG:  table "faulty" is larger than nodedb_ts.max_delta_size and could not be flushed: nodedb_ts.fault/, 'and logged');
my @said = slurp_file($node->logfile) =~ /could not be flushed: nodedb_ts.fault/g;
is(scalar @said, 5, 'once for each');
tables_are_sound($node, 'after errors');
sql('TRUNCATE heap_b; CREATE TABLE killed (LIKE faulty) USING nodedb_ts');
for my $kind (qw(kill abort))
{
	for my $place (qw(flush_taken flush_output flush_done))
	{
		my ($ret) = $node->psql('postgres', "SET synchronous_commit = on; LOAD 'nodedb_ts'; SET nodedb_ts.fault = '$place:$kind'; DO \$\$ BEGIN FOR k IN 1 .. 6000 LOOP INSERT INTO killed VALUES (now(), k, md5(k::text)); INSERT INTO heap_b VALUES (now(), k, md5(k::text)); COMMIT; END LOOP; END \$\$");
		isnt($ret, 0, "$kind at $place: the server dies");
		$node->poll_query_until('postgres', 'SELECT true');
		is(sql('SELECT count(*), sum(i), count(DISTINCT (i, ts)) FROM killed'), sql('SELECT count(*), sum(i), count(DISTINCT (i, ts)) FROM heap_b'), "$kind at $place: the rows of heap are there");
	}
}
cmp_ok(sql('SELECT count(*) FROM killed'), '>', 2000, 'there were some');
tables_are_sound($node, 'at the end');
$node->stop;
done_testing();
