# What WAL must carry: wal_level = minimal, unlogged tables, and a standby that
# replays everything under wal_consistency_checking and answers queries alike.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use KillServer;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sound;
use Test::More;

# ---- wal_level = minimal: relations made in a transaction are synced, not logged
foreach my $threshold ('0', '100MB')
{
	my $node = PostgreSQL::Test::Cluster->new("minimal_$threshold");
	$node->init;
	$node->append_conf('postgresql.conf', <<EOC);
wal_level = minimal
max_wal_senders = 0
wal_skip_threshold = $threshold
max_prepared_transactions = 2
log_statement = none
EOC
	$node->start;
	my $sql = sub { $node->safe_psql('postgres', $_[0]) };
	my $name = "wal_skip_threshold $threshold";
	$sql->('CREATE EXTENSION nodedb_ts');
	$sql->(q{CREATE TABLE src AS SELECT '2024-01-01'::timestamptz + i * interval '1 s' AS ts, i FROM generate_series(1, 30000) i});
	my $file = PostgreSQL::Test::Utils::tempdir_short() . '/src.data';
	$sql->("COPY src TO '$file'");
	my $def = '(ts timestamptz, i int) USING nodedb_ts';
	$sql->("BEGIN; CREATE TABLE copied $def; COPY copied FROM '$file'; COMMIT");
	$sql->("BEGIN; CREATE TABLE frozen $def; COPY frozen FROM '$file' (FREEZE); COMMIT");
	$sql->("BEGIN; CREATE TABLE few $def; INSERT INTO few VALUES ('2024-01-01', 1); COMMIT");
	$sql->("BEGIN; CREATE TABLE none $def; COMMIT");
	$sql->("CREATE TABLE made_as USING nodedb_ts AS SELECT * FROM src");
	$sql->("CREATE MATERIALIZED VIEW mv USING nodedb_ts AS SELECT * FROM src");
	$sql->("CREATE TABLE emptied $def; INSERT INTO emptied SELECT * FROM src");
	$sql->("BEGIN; TRUNCATE emptied; COPY emptied FROM '$file'; COMMIT");
	$sql->("CREATE TABLE back $def; INSERT INTO back SELECT * FROM src WHERE i <= 10");
	$sql->("BEGIN; TRUNCATE back; COPY back FROM '$file'; ROLLBACK");
	$sql->("BEGIN; CREATE TABLE sub $def; SAVEPOINT a; COPY sub FROM '$file'; ROLLBACK TO a; INSERT INTO sub SELECT * FROM src WHERE i <= 20;
		SAVEPOINT b; TRUNCATE sub; INSERT INTO sub SELECT * FROM src; ROLLBACK TO b; SAVEPOINT c; INSERT INTO sub VALUES ('2024-01-01', 21); RELEASE c; COMMIT");
	$sql->("BEGIN; CREATE TABLE twice $def; COPY twice FROM '$file'; TRUNCATE twice; INSERT INTO twice VALUES ('2024-01-01', 1); COMMIT");
	$sql->("CREATE TABLE rewritten AS SELECT * FROM src; ALTER TABLE rewritten SET ACCESS METHOD nodedb_ts");
	$sql->("BEGIN; CREATE TABLE then_more $def; COPY then_more FROM '$file'; COMMIT; INSERT INTO then_more VALUES ('2024-01-01', 0)");
	$sql->("BEGIN; CREATE TABLE flushed $def; INSERT INTO flushed SELECT * FROM src WHERE i <= 100; SELECT ts_flush('flushed'); COMMIT; SELECT ts_flush('flushed')");
	$sql->("BEGIN; CREATE TABLE prepared $def; COPY prepared FROM '$file'; PREPARE TRANSACTION 'p'");
	$sql->("CREATE TABLE logged $def; INSERT INTO logged SELECT * FROM src; SELECT ts_flush('logged'); INSERT INTO logged VALUES ('2024-01-01', 0)");
	# one left open at the kill
	my $open = $node->background_psql('postgres');
	$open->query_safe("BEGIN; CREATE TABLE never $def; COPY never FROM '$file'; TRUNCATE logged; INSERT INTO logged VALUES ('2024-01-01', -1);");

	kill_and_start($node);
	eval { $open->quit };
	my %expected = (copied => '30000|450015000', frozen => '30000|450015000', few => '1|1', none => '0|0', made_as => '30000|450015000',
		mv => '30000|450015000', emptied => '30000|450015000', back => '10|55', sub => '21|231', twice => '1|1', rewritten => '30000|450015000',
		then_more => '30001|450015000', flushed => '100|5050', logged => '30001|450015000');
	for my $t (sort keys %expected)
	{
		is($sql->("SELECT count(*), coalesce(sum(i), 0) FROM $t"), $expected{$t}, "$name: table $t after a kill");
	}
	$sql->("COMMIT PREPARED 'p'");
	is($sql->('SELECT count(*), sum(i) FROM prepared'), '30000|450015000', "$name: prepared");
	is($sql->(q{SELECT to_regclass('never') IS NULL}), 't', "$name: what was not committed is not there");
	for my $t (sort keys %expected)
	{
		next if $t eq 'mv';
		$sql->("INSERT INTO $t VALUES ('2024-01-01', 7); SELECT ts_flush('$t')");
		my ($n, $s) = split /\|/, $expected{$t};
		is($sql->("SELECT count(*), sum(i) FROM $t"), ($n + 1) . '|' . ($s + 7), "$name: table $t takes rows");
	}
	$node->stop;
}

# ---- unlogged tables are empty after a crash, and usable; after a clean stop they are whole
{
	my $node = PostgreSQL::Test::Cluster->new('unlogged');
	$node->init;
	$node->append_conf('postgresql.conf', "log_statement = none\n");
	$node->start;
	my $sql = sub { $node->safe_psql('postgres', $_[0]) };
	$sql->('CREATE EXTENSION nodedb_ts');
	$sql->('CREATE UNLOGGED TABLE u (ts timestamptz, i int) USING nodedb_ts');
	$sql->('CREATE UNLOGGED TABLE u_empty (i int) USING nodedb_ts');
	$sql->('CREATE UNLOGGED TABLE u_flushed (ts timestamptz, i int) USING nodedb_ts');
	my $fill = q{INSERT INTO %s SELECT '2024-01-01'::timestamptz + i * interval '1 s', i FROM generate_series(1, 20000) i};
	for my $t ('u', 'u_flushed')
	{
		$sql->(sprintf($fill, $t));
		$sql->("INSERT INTO $t VALUES ('2024-01-02', 0)");
	}
	$sql->(q{SELECT ts_flush('u_flushed')});
	$node->restart;
	is($sql->("SELECT count(*), sum(i) FROM $_"), '20001|200010000', "$_ after a clean restart") for ('u', 'u_flushed');
	$sql->('INSERT INTO u VALUES (NULL, 1)');
	$sql->('CHECKPOINT');
	for my $round (1 .. 2)
	{
		kill_and_start($node);
		for my $t ('u', 'u_empty', 'u_flushed')
		{
			is($sql->("SELECT count(*) FROM $t"), 0, "$t is empty after kill $round");
			is($sql->("SELECT ts_flush('$t')"), 0, "$t has nothing to flush");
		}
		for my $t ('u', 'u_flushed')
		{
			$sql->("INSERT INTO $t VALUES ('2024-01-02', 0)");
			$sql->(sprintf($fill, $t));
			is($sql->("SELECT count(*), sum(i) FROM $t"), '20001|200010000', "$t takes rows again");
		}
		$sql->(q{SELECT ts_flush('u_flushed')});
		$sql->('INSERT INTO u_empty VALUES (1); TRUNCATE u_empty');
	}
	$sql->('ALTER TABLE u SET LOGGED');
	kill_and_start($node);
	is($sql->('SELECT count(*), sum(i) FROM u'), '20001|200010000', 'u is logged now');
	is($sql->('SELECT count(*) FROM u_flushed'), 0, 'u_flushed is not');
	$node->stop;
}

# ---- a standby under wal_consistency_checking
my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', <<EOC);
wal_consistency_checking = 'all'
wal_keep_size = 2GB
log_statement = none
autovacuum = off
max_prepared_transactions = 4
EOC
$primary->start;
$primary->safe_psql('postgres', 'CREATE EXTENSION nodedb_ts');
# in the backup already
$primary->safe_psql('postgres', q{
	CREATE TABLE early (ts timestamptz, i int) USING nodedb_ts;
	INSERT INTO early SELECT '2024-01-01'::timestamptz + i * interval '1 s', i FROM generate_series(1, 20000) i;
	INSERT INTO early VALUES ('2024-01-02', 0);});
$primary->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'b', has_streaming => 1);
$standby->append_conf('postgresql.conf', <<EOC);
shared_preload_libraries = ''
hot_standby_feedback = on
EOC
$standby->start;

my @checks;
sub same_on_standby
{
	my ($name, @tables) = @_;
	$primary->wait_for_catchup($standby);
	for my $t (@tables)
	{
		my $q = "SELECT count(*), sum(hashtextextended(x::text, 0)::numeric) FROM $t x";
		is($standby->safe_psql('postgres', $q), $primary->safe_psql('postgres', $q), "$name: $t on the standby");
	}
}
same_on_standby('at the start', 'early');

$primary->safe_psql('postgres', q{
	CREATE TABLE t (ts timestamptz, host text, v float8, p text) USING nodedb_ts;
	INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '10 s', 'h' || i % 7, i / 3.0, NULL FROM generate_series(1, 40000) i;
	DO $$ BEGIN FOR k IN 1 .. 300 LOOP INSERT INTO t VALUES ('2024-02-01'::timestamptz + k * interval '1 s', 'one', k, repeat('x', k)); COMMIT; END LOOP; END $$;
	INSERT INTO t VALUES ('2024-02-02', 'large', 0, repeat('large', 1000000));
	INSERT INTO early VALUES ('2024-01-03', 1);});
same_on_standby('after inserts', 't', 'early');

my $open = $standby->background_psql('postgres');
$open->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
my $before = $open->query_safe('SELECT count(*), sum(v) FROM t');
$primary->safe_psql('postgres', q{SELECT ts_flush('t'); SELECT ts_flush('early');});
same_on_standby('after a flush', 't', 'early');
is($open->query_safe('SELECT count(*), sum(v) FROM t'), $before, 'a snapshot of the standby from before the flush sees the same');
$primary->safe_psql('postgres', q{INSERT INTO t VALUES ('2024-03-01', 'later', 1e9, NULL); SELECT ts_flush('t'); SELECT FROM ts_compact('t');});
same_on_standby('after more', 't');
is($open->query_safe('SELECT count(*), sum(v) FROM t'), $before, 'and does not see later rows');
$open->query_safe('COMMIT');
isnt($open->query_safe('SELECT count(*), sum(v) FROM t'), $before, 'until it ends');
$open->quit;

$primary->safe_psql('postgres', q{
	BEGIN;
	INSERT INTO t SELECT '2024-04-01', 'gone', i, NULL FROM generate_series(1, 30000) i;
	ROLLBACK;
	BEGIN;
	INSERT INTO t SELECT '2024-04-01', 'kept', i, NULL FROM generate_series(1, 500) i;
	SAVEPOINT s;
	INSERT INTO t SELECT '2024-04-01', 'gone', i, NULL FROM generate_series(1, 30000) i;
	ROLLBACK TO s;
	INSERT INTO t SELECT '2024-04-01', 'kept', i, NULL FROM generate_series(1, 20000) i;
	COMMIT;
	BEGIN;
	SELECT ts_flush('t');
	ROLLBACK;
	VACUUM t;
	VACUUM (FREEZE) t;
	CREATE TABLE reuse (ts timestamptz, i int) USING nodedb_ts;
	DO $$ BEGIN FOR k IN 1 .. 10 LOOP INSERT INTO reuse SELECT '2024-01-01', i FROM generate_series(1, 10000) i; IF k % 2 = 0 THEN COMMIT; ELSE ROLLBACK; END IF; END LOOP; END $$;
	SELECT ts_flush('reuse');
	VACUUM reuse;
	INSERT INTO reuse SELECT '2024-01-01', i FROM generate_series(1, 10000) i;
	CREATE TABLE wide (LIKE early) USING nodedb_ts;});
same_on_standby('after rollbacks and VACUUM', 't', 'reuse', 'wide');
my $wide = join ', ', map { "c$_ int" } 1 .. 300;
$primary->safe_psql('postgres', "CREATE TABLE many ($wide) USING nodedb_ts; INSERT INTO many (c300) SELECT generate_series(1, 5000); SELECT ts_flush('many')");
$primary->safe_psql('postgres', q{TRUNCATE early; INSERT INTO early VALUES ('2024-01-01', 1); DROP TABLE wide;
	BEGIN; TRUNCATE reuse; INSERT INTO reuse VALUES ('2024-01-01', -1); ROLLBACK;
	ALTER TABLE t ADD COLUMN n int DEFAULT 5; INSERT INTO t (ts) VALUES ('2024-05-01'); ALTER TABLE t ALTER n TYPE bigint;
	CREATE UNLOGGED TABLE u (i int) USING nodedb_ts; INSERT INTO u SELECT generate_series(1, 10000); ANALYZE;});
same_on_standby('after DDL', 't', 'early', 'reuse', 'many');
# several writers at a time share pages
$primary->pgbench('--client=4 --transactions=250 --no-vacuum', 0, [qr/processed: 1000\/1000/], [qr/^$/], 'concurrent inserts',
	{ 'insert' => q{INSERT INTO early VALUES ('2024-01-01'::timestamptz + :client_id * interval '1 s', :client_id);} });
$primary->safe_psql('postgres', q{SELECT ts_flush('early')});
same_on_standby('after concurrent inserts', 'early');
# a primary that is killed and comes back
kill_and_start($primary);
$primary->safe_psql('postgres', q{INSERT INTO early VALUES ('2024-01-05', 5); INSERT INTO t SELECT * FROM t LIMIT 20000;});
same_on_standby('after a crash of the primary', 't', 'early');

# ts_flush and inserts are refused on the standby
my ($ret, $out, $err) = $standby->psql('postgres', q{SELECT ts_flush('t')}, extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
isnt($ret, 0, 'ts_flush fails on a standby');
like($err, qr/25006/, 'with 25006');
($ret, $out, $err) = $standby->psql('postgres', q{SELECT FROM ts_compact('t')}, extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
like($err, qr/25006/, 'ts_compact, too');
($ret, $out, $err) = $standby->psql('postgres', q{INSERT INTO t (ts) VALUES (now())}, extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
like($err, qr/25006/, 'an INSERT too');
my $sent = $primary->safe_psql('postgres', q{SELECT sum(rows), count(*) FROM ts_segments('t')});
is($standby->safe_psql('postgres', q{SELECT sum(rows), count(*) FROM ts_segments('t')}), $sent, 'ts_segments answers there');
is($standby->safe_psql('postgres', 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SELECT count(*) FROM t'),
	$primary->safe_psql('postgres', 'SELECT count(*) FROM t'), 'parallel scan there');
unlike(slurp_file($standby->logfile), qr/inconsistent page found|PANIC|TRAP/, 'replay found no page that differs');

# a restart of the standby in the middle, then promotion
$standby->restart;
$primary->safe_psql('postgres', q{INSERT INTO t (ts, host) SELECT '2024-06-01', 'last' FROM generate_series(1, 3000)});
same_on_standby('after a restart of the standby', 't');
my $n = $primary->safe_psql('postgres', 'SELECT count(*) FROM t');
$primary->stop;
$standby->promote;
$standby->safe_psql('postgres', q{INSERT INTO t (ts) VALUES ('2024-07-01'); SELECT ts_flush('t'); INSERT INTO u VALUES (1);});
is($standby->safe_psql('postgres', 'SELECT count(*) FROM t'), $n + 1, 'the promoted standby takes rows');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM u'), 1, 'and the unlogged table began empty');
tables_are_sound($standby, 'at the end');
$standby->stop;
done_testing();
