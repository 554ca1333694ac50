# Launcher and workers: who is started where, what they do and when, that they stand in nobody's way, and what they
# survive.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use KillServer;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Sound;
use Test::More;
use Time::HiRes qw(time usleep);

my $workers = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'nodedb_ts worker' AND datname = current_database()};
my $node;

sub sql { return $node->safe_psql($_[1] // 'postgres', $_[0]); }
# SQLSTATE or nothing
sub attempt
{
	my ($sql, @options) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', $sql, extra_params => [ '-v', 'VERBOSITY=verbose', @options ]);
	return $ret == 0 ? '' : $err =~ /ERROR:  (\w{5})/ ? $1 : $err;
}
sub until_true
{
	my ($sql, $what, $database) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok($node->poll_query_until($database // 'postgres', $sql), $what);
}
# rows that are not in a segment yet
sub unflushed { return "(SELECT count(*) FROM $_[0]) - (SELECT coalesce(sum(rows), 0) FROM ts_segments('$_[0]'))"; }
sub log_count
{
	my ($pattern) = @_;
	my @found = slurp_file($node->logfile) =~ /$pattern/g;
	return scalar @found;
}
sub configure
{
	my ($name, $value) = @_;
	sql("ALTER SYSTEM SET $name = '$value'");
	sql('SELECT pg_reload_conf()');
}

# ---- preloaded: the launcher starts one where the extension is
$node = PostgreSQL::Test::Cluster->new('preloaded');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', <<EOC);
shared_preload_libraries = 'nodedb_ts'
nodedb_ts.flush_interval = 300ms
nodedb_ts.min_flush_size = 0
log_statement = none
autovacuum = off
restart_after_crash = on
deadlock_timeout = 1s
EOC
$node->start;
is(sql($workers), 0, 'no worker without the extension');
is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'nodedb_ts launcher'}), 1, 'there is a launcher');
sql('CREATE DATABASE other');
sql('CREATE EXTENSION nodedb_ts');
until_true("SELECT ($workers) = 1", 'a worker soon after CREATE EXTENSION');
is(sql($workers, 'other'), 0, 'and none elsewhere');
sql('CREATE TABLE t (ts timestamptz, i int) USING nodedb_ts');
sql("INSERT INTO t VALUES ('2024-01-01', 1)");
until_true('SELECT ' . unflushed('t') . ' = 0', 'a row is flushed');
until_true(q{SELECT flushes >= 1 AND rows >= 1 AND segments_out >= 1 AND last_flush > now() - interval '1 min' FROM nodedb_ts.activity WHERE relation = 't'::regclass}, 'and counted');
like(sql(q{SELECT application_name || ':' || query FROM pg_stat_activity WHERE backend_type = 'nodedb_ts worker'}), qr/^nodedb_ts worker:nodedb_ts: (flush|compact) public.t$/, 'the worker says what it did last');

# ---- intervals and SIGHUP
configure('nodedb_ts.flush_interval', '-1');
usleep(500_000);
sql("INSERT INTO t VALUES ('2024-01-01', 2)");
usleep(1_500_000);
is(sql('SELECT ' . unflushed('t')), 1, 'nothing is flushed when the interval is -1');
configure('nodedb_ts.flush_interval', '0');
usleep(700_000);
is(sql('SELECT ' . unflushed('t')), 1, 'nor when it is 0');
configure('nodedb_ts.flush_interval', '300ms');
until_true('SELECT ' . unflushed('t') . ' = 0', 'it is after a reload');

# ---- few rows wait for more, but not for ever
configure('nodedb_ts.min_flush_size', '64kB');
usleep(500_000);
sql("INSERT INTO t VALUES ('2024-01-01', 3)");
usleep(2_500_000);
is(sql('SELECT ' . unflushed('t')), 1, 'one row is not flushed at once');
sql("DO 'BEGIN FOR k IN 1 .. 3000 LOOP INSERT INTO t VALUES (now(), k); COMMIT; END LOOP; END'");
until_true('SELECT ' . unflushed('t') . ' < 2000', 'enough of them are');
sql("INSERT INTO t VALUES ('2024-01-01', 3)");
until_true('SELECT ' . unflushed('t') . ' = 0', 'and a few after thirty intervals');
configure('nodedb_ts.min_flush_size', '0');

# ---- start, stop, switch off
is(sql('SELECT ts_start_worker()'), 'f', 'one is there');
is(sql('SELECT ts_stop_worker()'), 't', 'it stops');
is(sql($workers), 0, 'it is gone');
is(sql('SELECT ts_stop_worker()'), 'f', 'none to stop');
usleep(7_000_000);
is(sql($workers), 0, 'the launcher starts no other one');
is(sql('SELECT ts_start_worker()'), 't', 'it starts');
is(sql($workers), 1, 'it is there');
configure('nodedb_ts.worker', 'off');
until_true("SELECT ($workers) = 0", 'switched off');
is(attempt('SELECT ts_start_worker()'), '55000', 'none can be started then');
configure('nodedb_ts.worker', 'on');
until_true("SELECT ($workers) = 1", 'switched on again');
my $before = sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'nodedb_ts worker'});
sql("SELECT pg_terminate_backend($before)");
until_true("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $before)", 'it ends');
until_true("SELECT ($workers) = 1", 'there is another one after pg_terminate_backend');
sql('CREATE ROLE nobody; CREATE ROLE dbowner');
is(attempt('SET ROLE nobody; SELECT ts_stop_worker()'), '42501', 'not everybody may stop it');
is(attempt('SET ROLE nobody; SELECT ts_start_worker()'), '42501', 'or start it');
sql('ALTER DATABASE postgres OWNER TO dbowner');
is(attempt('SET ROLE dbowner; SELECT ts_start_worker()'), '', 'the owner of the database may');
sql('ALTER DATABASE postgres OWNER TO CURRENT_USER');

# ---- an error stops one duty of one table, is logged once, and is tried again
sql('CREATE ROLE alice; CREATE TABLE bad (ts timestamptz, i int) USING nodedb_ts; ALTER TABLE bad OWNER TO alice');
sql('REVOKE EXECUTE ON FUNCTION ts_flush(regclass) FROM PUBLIC');
sql("INSERT INTO bad VALUES ('2024-01-01', 1)");
until_true(q{SELECT last_error LIKE 'permission denied%' AND last_error_command = 'flush' AND last_error_time > now() - interval '1 min' FROM nodedb_ts.activity WHERE relation = 'bad'::regclass}, 'the error is shown: it works as the owner');
sql("INSERT INTO t VALUES ('2024-01-01', 3)");
until_true('SELECT ' . unflushed('t') . ' = 0', 'other tables are flushed');
is(sql(q{SET ROLE nobody; SELECT count(*) FROM nodedb_ts.activity WHERE relation::text IN ('bad', 't')}), 0, 'who may not read a table does not see it');
sql('GRANT SELECT ON bad TO nobody');
is(sql(q{SET ROLE nobody; SELECT relation, last_error_command, last_error FROM nodedb_ts.activity WHERE last_error_time IS NOT NULL}), 'bad|flush|', 'who may read it does not see what an error quotes');
until_true(q{SELECT last_error_time > pg_postmaster_start_time() + interval '9 s' AND now() - last_error_time < interval '5 s' FROM nodedb_ts.activity WHERE relation = 'bad'::regclass}, 'it is tried again');
usleep(10_500_000);
is(log_count(qr/WARNING:  nodedb_ts worker: flush of table public\.bad in database "postgres" failed: permission denied/), 1, 'and logged once');
sql('GRANT EXECUTE ON FUNCTION ts_flush(regclass) TO PUBLIC');
until_true('SELECT ' . unflushed('bad') . ' = 0', 'it works again by itself');
is(log_count(qr/flush of table public\.bad in database "postgres" works again/), 1, 'and says so');

# ---- DDL does not wait for it
sub fill { sql("DO \$\$ BEGIN FOR k IN 1 .. 400 LOOP INSERT INTO $_[0] VALUES ('2024-01-01', k); COMMIT; END LOOP; END \$\$"); return; }
sub stopped_in_flush
{
	my ($place, $table) = @_;
	my $holder = Session->new($node);
	$holder->ask("SELECT pg_advisory_lock(hashtext('$place'));");
	configure('nodedb_ts.fault', "$place:wait");
	usleep(300_000);
	fill($table);
	until_true(qq{SELECT count(*) = 1 FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.backend_type = 'nodedb_ts worker' AND l.locktype = 'advisory' AND NOT l.granted}, "the worker stands at $place");
	return $holder;
}
sql('CREATE TABLE y (ts timestamptz, i int) USING nodedb_ts');
my $holder = stopped_in_flush('flush_page', 'y');
like(sql('SELECT command || phase FROM nodedb_ts.progress WHERE relation = \'y\'::regclass'), qr/^flushreading$/, 'its progress is shown');
my $start = time;
sql('ALTER TABLE y ADD COLUMN a int');
cmp_ok(time - $start, '<', 2.5, 'ALTER TABLE waits for deadlock_timeout at most, as for autovacuum');
$holder->quit;
until_true('SELECT ' . unflushed('y') . ' = 0', 'the flush comes later');
configure('deadlock_timeout', '1h');
$holder = stopped_in_flush('flush_page', 'y');
my $ddl = Session->new($node);
$ddl->send('ALTER TABLE y ADD COLUMN b int;');
until_true(q{SELECT count(*) = 1 FROM pg_locks WHERE relation = 'y'::regclass AND NOT granted}, 'ALTER TABLE waits');
$start = time;
$holder->quit;
$ddl->answer;
cmp_ok(time - $start, '<', 1, 'the worker gives way at the next page');
$ddl->quit;
until_true('SELECT ' . unflushed('y') . ' = 0', 'the flush comes later');
is(log_count(qr/flush of table public\.y in database/), 0, 'nothing of that is an error');
configure('deadlock_timeout', '1s');
configure('nodedb_ts.fault', '');
# a table that somebody has locked is left alone, others are not
$holder = Session->new($node);
$holder->ask('BEGIN; LOCK TABLE y IN SHARE MODE;');
sql("INSERT INTO t VALUES ('2024-01-01', 4)");
until_true('SELECT ' . unflushed('t') . ' = 0', 'other tables are flushed while one is locked');
$holder->quit;

# ---- databases come and go
sql("INSERT INTO t VALUES ('2024-01-01', 5)");
$start = time;
sql('CREATE DATABASE copy TEMPLATE postgres', 'other');
cmp_ok(time - $start, '<', 4, 'CREATE DATABASE TEMPLATE does not wait for a worker');
until_true("SELECT ($workers) = 1", 'the copy has a worker', 'copy');
sql("INSERT INTO t VALUES ('2024-01-01', 6)", 'copy');
until_true('SELECT ' . unflushed('t') . ' = 0', 'that flushes', 'copy');
until_true("SELECT ($workers) = 1", 'and the original has one again');
$start = time;
sql('ALTER DATABASE copy RENAME TO renamed');
until_true("SELECT ($workers) = 1", 'one after ALTER DATABASE RENAME', 'renamed');
sql('DROP DATABASE renamed');
cmp_ok(time - $start, '<', 15, 'DROP DATABASE does not wait for a worker');
usleep(6_000_000);
is(log_count(qr/FATAL:  database \d+ does not exist/), 0, 'nobody looks for it');

# ---- the extension goes and comes
sql('DROP EXTENSION nodedb_ts CASCADE');
until_true("SELECT ($workers) = 0", 'no worker without the extension');
sql('CREATE EXTENSION nodedb_ts; CREATE TABLE t (ts timestamptz, i int) USING nodedb_ts');
until_true("SELECT ($workers) = 1", 'one with it again');
sql("INSERT INTO t VALUES ('2024-01-01', 7)");
until_true('SELECT ' . unflushed('t') . ' = 0', 'and it works');

# ---- idle: nothing is written, hardly anything is done
sql("DO \$\$ BEGIN FOR k IN 1 .. 100 LOOP EXECUTE format('CREATE TABLE idle%s (ts timestamptz, i int) USING nodedb_ts', k); EXECUTE format('INSERT INTO idle%s VALUES (now(), 1)', k); END LOOP; END \$\$");
until_true(q{SELECT count(*) = 100 FROM nodedb_ts.activity WHERE relation::text LIKE 'idle%' AND flushes > 0}, '100 tables are flushed');
usleep(1_000_000);
sub cpu_ticks
{
	my $pid = sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'nodedb_ts worker'});
	my @stat = split ' ', slurp_file("/proc/$pid/stat") =~ s/^.*\) //r;
	return $stat[11] + $stat[12];
}
my $flushes = sql('SELECT sum(flushes) FROM nodedb_ts.activity');
my $lsn = sql('SELECT pg_current_wal_insert_lsn()');
my $ticks = cpu_ticks();
usleep(6_000_000);
my $used = cpu_ticks() - $ticks;
note("CPU of an idle worker with 100 tables at an interval of 300 ms: $used ticks in 6 s");
cmp_ok($used, '<=', 15, 'an idle worker costs next to nothing');
is(sql('SELECT sum(flushes) FROM nodedb_ts.activity'), $flushes, 'there is nothing to flush');
cmp_ok(sql("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '$lsn')"), '<', 1000, 'and nothing is written');
is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'nodedb_ts worker' AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)}), 0, 'and no snapshot is kept');

# ---- its death
sub kill_worker
{
	my $pid = sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'nodedb_ts worker' AND datname = 'postgres'});
	kill 'KILL', $pid;
	usleep(500_000);
	until_true("SELECT ($workers) = 1 AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)", 'a worker is back after SIGKILL');
	return;
}
kill_worker();
sql("INSERT INTO t VALUES ('2024-01-01', 8)");
until_true('SELECT ' . unflushed('t') . ' = 0', 'and works');
tables_are_sound($node, 'at the end');

# ---- a standby has none until it is promoted
$node->backup('base');
my $primary = $node;
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$node = $standby;
usleep(1_500_000);
is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'nodedb_ts%'}), 0, 'nothing of ours runs on a standby');
is(attempt('SELECT ts_start_worker()'), '25006', 'and cannot be started');
$primary->stop;
$standby->promote;
until_true("SELECT ($workers) = 1", 'a worker after promotion');
sql("INSERT INTO t VALUES ('2024-01-01', 9)");
until_true('SELECT ' . unflushed('t') . ' = 0', 'that flushes');

# ---- too few processes: said once, and nobody suffers
sql('CREATE DATABASE second TEMPLATE template0');
sql('CREATE EXTENSION nodedb_ts', 'second');
$standby->append_conf('postgresql.conf', 'max_worker_processes = 3');
$standby->restart;
until_true(q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'nodedb_ts worker'}, 'one of two databases has a worker');
usleep(1_000_000);
is(log_count(qr/nodedb_ts can start no worker for database/), 1, 'the log says that there is no process for the other');
$standby->stop;

# ---- not preloaded
$node = PostgreSQL::Test::Cluster->new('plain');
$node->init;
$node->append_conf('postgresql.conf', <<EOC);
nodedb_ts.min_flush_size = 0
log_statement = none
autovacuum = off
restart_after_crash = on
EOC
$node->start;
sql('CREATE DATABASE d');
sub in_d { return sql($_[0], 'd'); }
in_d('CREATE EXTENSION nodedb_ts; CREATE TABLE t (ts timestamptz, i int) USING nodedb_ts');
in_d("INSERT INTO t VALUES ('2024-01-01', 1)");
usleep(1_000_000);
is(in_d($workers), 0, 'without preload there is no worker');
is(in_d('SELECT ts_stop_worker()'), 'f', 'none to stop');
is(in_d('SELECT ts_start_worker()'), 't', 'one can be started');
is(in_d('SELECT ts_start_worker()'), 'f', 'once');
until_true('SELECT ' . unflushed('t') . ' = 0', 'it flushes', 'd');
is(in_d('SELECT ts_stop_worker()'), 't', 'it can be stopped');
is(in_d($workers), 0, 'it is gone');
my @starters = map { my $s = Session->new($node); $s->ask('\c d'); $s } 1 .. 4;
$_->send('SELECT ts_start_worker();') foreach @starters;
$_->answer foreach @starters;
usleep(500_000);
is(in_d($workers), 1, 'four sessions at once start one');
$_->quit foreach @starters;
kill 'KILL', in_d(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'nodedb_ts worker'});
usleep(500_000);
until_true("SELECT ($workers) = 1", 'a worker is back after SIGKILL', 'd');
$start = time;
sql('DROP DATABASE d');
cmp_ok(time - $start, '<', 4, 'DROP DATABASE by a session without the library does not wait for it');
sql('CREATE EXTENSION nodedb_ts');
is(sql('SELECT ts_start_worker()'), 't', 'one in another database');
$node->restart;
usleep(500_000);
is(sql($workers), 0, 'it does not outlive the server');
$node->stop;
done_testing();
