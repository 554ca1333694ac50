# A standby that knows nothing of the library while it replays, and queries on it
# that need what the primary removes.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Sound;
use Test::More;
use Time::HiRes qw(sleep time);

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1, extra => ['--data-checksums']);
$primary->append_conf('postgresql.conf', <<EOC);
wal_consistency_checking = 'all'
wal_keep_size = 1GB
max_wal_size = 1GB
log_statement = none
autovacuum = off
allow_in_place_tablespaces = on
EOC
$primary->start;
sub sql { return $primary->safe_psql('postgres', $_[0]); }
sql('CREATE EXTENSION nodedb_ts');
sql(q{CREATE TABLESPACE elsewhere LOCATION ''});
$primary->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'b', has_streaming => 1);
$standby->append_conf('postgresql.conf', <<EOC);
shared_preload_libraries = ''
wal_receiver_status_interval = 1
max_standby_streaming_delay = -1
hot_standby_feedback = off
EOC
$standby->start;
sub standby_sql { return $standby->safe_psql('postgres', $_[0]); }

sub same_on_standby
{
	my ($name, @tables) = @_;
	$primary->wait_for_catchup($standby);
	for my $t (@tables)
	{
		my $q = "SELECT count(*), sum(hashtextextended(x::text, 0)::numeric) FROM $t x";
		is(standby_sql($q), sql($q), "$name: $t on the standby");
	}
}

# ---- everything is replayed, all types
sql(q{
	CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
	CREATE TYPE pair AS (a int, b text);
	CREATE DOMAIN positive AS int CHECK (VALUE > 0);
	CREATE TABLE t (ts timestamptz, i int, b bool, s smallint, l bigint, r real, d float8, n numeric, t text, c char(5), v varchar(20),
		raw bytea, dt date, tm time, tz timetz, tsp timestamp, iv interval, u uuid, j json, jb jsonb, net inet, mac macaddr, ints int[],
		texts text[], rg int4range, bits bit(7), vbits varbit, m money, pt point, o oid, nm name, tsv tsvector, mo mood, p pair, pos positive) USING nodedb_ts;
	CREATE FUNCTION fill(first int, last int) RETURNS void LANGUAGE sql AS $$
		INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '1 s', i, i % 2 = 0, i % 30000, i * 10000000000, i / 3.0, i / 7.0, i / 9.0,
			CASE WHEN i % 5 > 0 THEN md5(i::text) END, left(md5(i::text), i % 5), 'v' || i % 11, decode(md5(i::text), 'hex'), '2024-01-01'::date + i % 400,
			'00:00'::time + i * interval '1 s', '00:00+01'::timetz + i * interval '1 s', '2024-01-01'::timestamp + i * interval '1 min', i * interval '1 h',
			md5(i::text)::uuid, json_build_object('i', i), jsonb_build_object('i', i % 3), ('10.0.0.' || i % 256)::inet, '08:00:2b:01:02:03'::macaddr,
			ARRAY[i, NULL, i + 1], ARRAY['x', i::text], int4range(i, i + 5), (i % 128)::bit(7), (i % 8)::bit(3)::varbit, (i % 100)::money, point(i, -i),
			i, 'n' || i % 3, to_tsvector('a' || i), (ARRAY['sad', 'ok', 'happy'])[1 + i % 3]::mood, ROW(i, 'b')::pair, CASE WHEN i > 0 THEN i END
		FROM generate_series(first, last) i $$;
	CREATE PROCEDURE one_by_one(first int, last int) LANGUAGE plpgsql AS $$
		BEGIN FOR k IN first .. last LOOP PERFORM fill(k, k); COMMIT; END LOOP; END $$;
	SELECT fill(1, 2500);
	CALL one_by_one(5001, 5200);
	INSERT INTO t (ts, t) VALUES (NULL, repeat('large', 20000));});
same_on_standby('loads and one-row commits', 't');
my $file = PostgreSQL::Test::Utils::tempdir_short() . '/t.data';
sql(qq{
	COPY t TO '$file';
	COPY t FROM '$file';
	BEGIN; COPY t FROM '$file'; ROLLBACK;
	BEGIN; SELECT fill(1, 3000); SAVEPOINT a; COPY t FROM '$file'; SELECT ts_flush('t'); ROLLBACK TO a; SELECT fill(1, 20); SAVEPOINT b; SELECT fill(21, 40); RELEASE b; COMMIT;
	BEGIN; SELECT ts_flush('t'); ROLLBACK;});
same_on_standby('COPY, aborted loads, savepoints, an aborted flush', 't');
sql(q{SELECT ts_flush('t'); CALL one_by_one(1, 300);});
same_on_standby('ts_flush', 't');
sql(q{VACUUM t; CALL one_by_one(301, 600); SELECT ts_flush('t'); SELECT fill(7000, 9000);});
same_on_standby('VACUUM and reuse of freed extents', 't');
sql(q{VACUUM (FREEZE) t});
same_on_standby('VACUUM (FREEZE)', 't');
sql(q{VACUUM FULL t; CALL one_by_one(1, 10);});
same_on_standby('VACUUM FULL', 't');
my $size = q{SELECT pg_relation_size('t')};
my $short = sql($size);
sql(qq{BEGIN; COPY t FROM '$file'; COPY t FROM '$file'; SELECT count(*) FROM t; ROLLBACK;});
$primary->wait_for_catchup($standby);
cmp_ok(sql($size), '>', $short * 1.2, 'an aborted load makes the file longer');
my $long = standby_sql($size);
sql('VACUUM t');
cmp_ok(sql($size), '<=', $short, 'VACUUM cuts it off');
$primary->wait_for_catchup($standby);
cmp_ok(standby_sql($size), '<', $long, 'on the standby, too');
sql(q{CALL one_by_one(11, 200); SELECT fill(1, 2000);});
same_on_standby('a file that was cut off', 't');
sql(q{
	CREATE TABLE emptied (LIKE t) USING nodedb_ts; INSERT INTO emptied SELECT * FROM t LIMIT 3000; TRUNCATE emptied; INSERT INTO emptied SELECT * FROM t LIMIT 10;
	CREATE TABLE back (LIKE t) USING nodedb_ts; INSERT INTO back SELECT * FROM t LIMIT 20; BEGIN; TRUNCATE back; INSERT INTO back SELECT * FROM t LIMIT 2000; ROLLBACK;
	ALTER TABLE t ADD COLUMN added int DEFAULT 5, DROP COLUMN m; SELECT ts_flush('t'); ALTER TABLE t ALTER s TYPE bigint;
	CREATE TABLE moved (LIKE t) USING nodedb_ts; INSERT INTO moved SELECT * FROM t LIMIT 3000; INSERT INTO moved SELECT * FROM t LIMIT 1;
	ALTER TABLE moved SET TABLESPACE elsewhere; INSERT INTO moved SELECT * FROM t LIMIT 1; SELECT ts_flush('moved'); VACUUM moved;
	CREATE UNLOGGED TABLE u (LIKE t) USING nodedb_ts; INSERT INTO u SELECT * FROM t LIMIT 3000; SELECT ts_flush('u'); VACUUM u;
	CREATE UNLOGGED TABLE logged (LIKE t) USING nodedb_ts; INSERT INTO logged SELECT * FROM t LIMIT 3000; INSERT INTO logged SELECT * FROM t LIMIT 1; ALTER TABLE logged SET LOGGED;
	CREATE TABLE heap_first USING heap AS SELECT * FROM t LIMIT 3000; ALTER TABLE heap_first SET ACCESS METHOD nodedb_ts;
	CREATE MATERIALIZED VIEW mv USING nodedb_ts AS SELECT * FROM t LIMIT 3000; REFRESH MATERIALIZED VIEW mv;});
same_on_standby('DDL', qw(t emptied back moved logged heap_first mv));
my ($ret, $out, $err) = $standby->psql('postgres', 'SELECT * FROM u', extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
like($err, qr/0A000/, 'an unlogged table cannot be read there, as with heap');
my $startup = standby_sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'});
unlike(slurp_file("/proc/$startup/maps"), qr{/nodedb_ts\.so}, 'the startup process has not loaded the library');

# ---- functions: those that write say 25006, the others work
for my $f (split /\n/, sql(q{SELECT p.proname FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid JOIN pg_proc p ON p.oid = d.objid
	WHERE e.extname = 'nodedb_ts' AND d.classid = 'pg_proc'::regclass AND p.proname LIKE 'ts\_%' AND p.pronargs - p.pronargdefaults = 1 AND p.proargtypes[0] = 'regclass'::regtype}))
{
	($ret, $out, $err) = $standby->psql('postgres', "SELECT count(*) FROM $f('t')", extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
	like($err, $f =~ /flush|compact|retention|set/ ? qr/25006/ : qr/^$/, "$f on the standby");
}
is(standby_sql(q{SELECT sum(rows), count(*) FROM ts_segments('t')}), sql(q{SELECT sum(rows), count(*) FROM ts_segments('t')}), 'ts_segments says the same');
is(standby_sql('SELECT count(*) FROM nodedb_ts.memtable'), 1, 'nodedb_ts.memtable can be read');
for my $command (q{INSERT INTO t (ts) VALUES (now())}, q{COPY t (ts) FROM '/dev/null'}, 'TRUNCATE t', 'VACUUM t', 'DROP TABLE t')
{
	($ret, $out, $err) = $standby->psql('postgres', $command, extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
	like($err, qr/25006/, "$command on the standby");
}

# ---- a long query while the primary removes and reuses what it reads
sql(q{
	CREATE TABLE q (ts timestamptz, i int, p text) USING nodedb_ts;
	CREATE PROCEDURE few(base int) LANGUAGE plpgsql AS $$
		BEGIN FOR k IN 1 .. 1000 LOOP INSERT INTO q VALUES ('2024-02-01'::timestamptz + k * interval '1 s', -(base + k), repeat('x', 100)); COMMIT; END LOOP; END $$;
	CREATE PROCEDURE gone() LANGUAGE plpgsql AS $$
		BEGIN FOR k IN 1 .. 1000 LOOP INSERT INTO q VALUES ('2024-02-01', 0, repeat('x', 150)); PERFORM FROM q LIMIT 1; ROLLBACK; END LOOP; END $$;});

sub conflicts
{
	return standby_sql(q{SELECT confl_snapshot + confl_lock FROM pg_stat_database_conflicts WHERE datname = 'postgres'});
}

# The count and sum of `number|...` lines.
sub total
{
	my ($count, $sum) = (0, 0);
	for (split /\n/, $_[0])
	{
		return $_[0] unless /^(-?\d+)\|x*$/;
		$count++;
		$sum += $1;
	}
	return "$count|$sum";
}

my $conflict = qr/(ERROR:  (40001|57014)|FATAL:  40001): .*conflict with recovery/;
my $waiting = q{SELECT wait_event LIKE 'RecoveryConflict%' FROM pg_stat_activity WHERE backend_type = 'startup'};

for my $mode (qw(feedback cancel wait))
{
	$standby->adjust_conf('postgresql.conf', 'hot_standby_feedback', $mode eq 'feedback' ? 'on' : 'off');
	$standby->adjust_conf('postgresql.conf', 'max_standby_streaming_delay', $mode eq 'wait' ? '-1' : '50ms');
	$standby->reload;
	$primary->poll_query_until('postgres', 'SELECT bool_and(backend_xmin IS ' . ($mode eq 'feedback' ? 'NOT ' : '') . 'NULL) FROM pg_stat_replication')
	  or die 'no change of hot_standby_feedback';
	sql(q{TRUNCATE q; INSERT INTO q SELECT '2024-01-01'::timestamptz + i * interval '1 s', i, 'x' FROM generate_series(1, 5000) i; CALL few(0); VACUUM (TRUNCATE false) q; CALL gone();});
	same_on_standby("$mode, before", 'q');
	my $whole = sql('SELECT count(*), sum(i) FROM q');
	my $before = conflicts();

	my $cursor = Session->new($standby);
	my $first = $cursor->ask('BEGIN ISOLATION LEVEL REPEATABLE READ; DECLARE c CURSOR FOR SELECT i, p FROM q; FETCH 600 FROM c;');
	my $snapshot = Session->new($standby);
	$snapshot->ask('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;');
	my $active = Session->new($standby);
	$active->ask('SELECT 1;');
	$active->send('SELECT count(*), sum(i) FROM q WHERE CASE WHEN i < 0 THEN pg_sleep(0.003) IS NOT NULL ELSE true END;');
	$standby->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'}) or die;

	# what they read is moved and removed, other rows take its place, and younger ones are frozen
	sql(q{SELECT ts_flush('q'); VACUUM (TRUNCATE false) q; SELECT txid_current();});
	my $size = sql(q{SELECT pg_relation_size('q')});
	sql('CALL few(1000)');
	my $reused = sql(q{SELECT pg_relation_size('q')}) < $size + 8 * 8192;
	sql(q{BEGIN; INSERT INTO q SELECT now(), i, md5(i::text) FROM generate_series(1, 20000) i; ROLLBACK; VACUUM (FREEZE, TRUNCATE false) q;});
	if ($mode eq 'wait')
	{
		ok($standby->poll_query_until('postgres', $waiting), 'wait: replay waits for the queries');
	}
	else
	{
		$primary->wait_for_catchup($standby);
	}
	my $rest = $cursor->ask('FETCH ALL FROM c; COMMIT;');
	my $one = $snapshot->ask('SELECT count(*), sum(i) FROM q; COMMIT;');
	my $long = $active->answer;
	if ($mode eq 'cancel')
	{
		like($rest, $conflict, 'cancel: the cursor meets a conflict');
		like($one, $conflict, 'cancel: the old snapshot meets a conflict');
		like($long, $long =~ /ERROR|FATAL/ ? $conflict : qr/^\Q$whole\E$/, 'cancel: the running query');
		cmp_ok(conflicts(), '>', $before, 'cancel: it was counted');
	}
	else
	{
		is(total("$first\n$rest"), $whole, "$mode: the cursor sees its rows");
		is($one, $whole, "$mode: the old snapshot sees its rows");
		is($long, $whole, "$mode: the running query sees its rows");
		is(conflicts(), $before, "$mode: no conflict");
	}
	ok($mode eq 'feedback' ? !$reused : $reused, "$mode: the primary " . ($mode eq 'feedback' ? 'keeps what the standby reads' : 'uses the blocks again'));
	$_->quit for ($cursor, $snapshot, $active);
	same_on_standby("$mode, after", 'q');
	next unless $mode eq 'feedback';
	# once nobody needs them
	my $lets_go = 'SELECT bool_and(backend_xmin::text = txid_snapshot_xmin(txid_current_snapshot())::text) FROM pg_stat_replication';
	$primary->poll_query_until('postgres', $lets_go) or die 'the standby holds its snapshot';
	sql('VACUUM (TRUNCATE false) q; SELECT txid_current();');
	$primary->poll_query_until('postgres', $lets_go) or die 'the standby holds its snapshot';
	$size = sql(q{SELECT pg_relation_size('q')});
	sql('CALL few(0)');
	cmp_ok(sql(q{SELECT pg_relation_size('q')}), '<', $size + 8 * 8192, 'feedback: then the blocks are used again');
}

# ---- VACUUM moves segments that a cursor there is reading, and cuts off where they were
$size = q{SELECT (pg_stat_file(pg_relation_filepath('q'))).size};	# without a lock on it
for my $mode (qw(cancel wait))
{
	$standby->adjust_conf('postgresql.conf', 'max_standby_streaming_delay', $mode eq 'wait' ? '-1' : '50ms');
	$standby->reload;
	sql(q{TRUNCATE q; INSERT INTO q SELECT '2024-01-01'::timestamptz + i * interval '1 s', hashint4(i), 'x' FROM generate_series(1, 60000) i;
		SELECT FROM ts_compact('q', before => 'infinity'); VACUUM (TRUNCATE off) q;
		DROP TABLE IF EXISTS later; CREATE TABLE later (i int);});	# what is freed may be used from the next id on
	same_on_standby("$mode, before packing", 'q');
	my $whole = sql('SELECT count(*), sum(i) FROM q');
	my $cursor = Session->new($standby);
	my $first = $cursor->ask('BEGIN ISOLATION LEVEL REPEATABLE READ; DECLARE c CURSOR FOR SELECT i, p FROM q; FETCH 600 FROM c;');
	my $snapshot = Session->new($standby);
	$snapshot->ask('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;');
	my $long = sql($size);
	sql('VACUUM q');
	cmp_ok(sql($size), '<', 0.6 * $long, "$mode: packed on the primary");
	if ($mode eq 'wait')
	{
		ok($standby->poll_query_until('postgres', q{SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE backend_type = 'startup'}), 'wait: replay waits for the cursor');
		is(standby_sql($size), $long, 'wait: so nothing is cut off there');
	}
	else
	{
		$primary->wait_for_catchup($standby);
	}
	my $rest = $cursor->ask('FETCH ALL FROM c; COMMIT;');
	if ($mode eq 'wait') { is(total("$first\n$rest"), $whole, 'wait: the cursor sees its rows'); }
	else { like($rest, $conflict, 'cancel: the cursor meets a conflict'); }
	$primary->wait_for_catchup($standby);
	is(standby_sql($size), sql($size), "$mode: packed on the standby");
	# it is younger than what was freed
	is($snapshot->ask('SELECT count(*), sum(i) FROM q; COMMIT;'), $whole, "$mode: an older snapshot reads the new places");
	$_->quit for ($cursor, $snapshot);
	same_on_standby("$mode, after packing", 'q');
	is(standby_sql(q{SELECT count(*) FROM ts_verify('q')}), 0, "$mode, after packing: the table is sound there");
}

# ---- while VACUUM copies nothing is locked there
{
	sql(q{TRUNCATE q; INSERT INTO q SELECT '2024-01-01'::timestamptz + i * interval '1 s', hashint4(i), 'x' FROM generate_series(1, 60000) i;
		SELECT FROM ts_compact('q', before => 'infinity'); VACUUM q;});
	my ($holder, $vacuum) = map { Session->new($primary) } 1 .. 2;
	$holder->ask(q{SELECT pg_advisory_lock(hashtext('pack_copied'));});
	my $long = sql($size);
	$vacuum->send(q{SET nodedb_ts.fault = 'pack_copied:wait'; VACUUM q;});
	$primary->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'advisory'}) or die 'VACUUM copies nothing';
	$primary->wait_for_catchup($standby);
	is(standby_sql(q{SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'q'::regclass}), 0, 'the standby holds no lock while VACUUM copies');
	is(standby_sql('SELECT count(*) FROM q'), 60000, 'and reads');
	$holder->quit;
	is($vacuum->answer, '', 'VACUUM comes to its end');
	$vacuum->quit;
	cmp_ok(sql($size), '<', 0.6 * $long, 'and has packed');
	same_on_standby('after packing beside readers', 'q');
}

# ---- VACUUM FULL below an old snapshot
$standby->adjust_conf('postgresql.conf', 'max_standby_streaming_delay', '50ms');
$standby->reload;
sql(q{TRUNCATE q; CALL few(0);});
same_on_standby('before VACUUM FULL', 'q');
my $whole = sql('SELECT count(*), sum(i) FROM q');
my $old = Session->new($standby);
$old->ask('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;');
sql('CALL few(1000); VACUUM FULL q;');
$primary->wait_for_catchup($standby);
my $answer = $old->ask('SELECT count(*), sum(i) FROM q; COMMIT;');
like($answer, $answer =~ /ERROR|FATAL/ ? $conflict : qr/^\Q$whole\E$/, 'an old snapshot after VACUUM FULL');
$old->quit;

# ---- many short queries on the standby beside many changes
{
	$standby->adjust_conf('postgresql.conf', 'max_standby_streaming_delay', '50ms');
	$standby->reload;
	sql('TRUNCATE q');
	my $dir = PostgreSQL::Test::Utils::tempdir;
	append_to_file("$dir/few.sql", q{BEGIN; INSERT INTO q VALUES (now(), :client_id, ''); INSERT INTO q VALUES (now(), -:client_id, ''); COMMIT;});
	append_to_file("$dir/many.sql", q{INSERT INTO q SELECT now(), CASE i % 2 WHEN 0 THEN i ELSE 1 - i END, 'x' FROM generate_series(0, 1999) i;});
	append_to_file("$dir/gone.sql", q{BEGIN; INSERT INTO q SELECT now(), i, md5(i::text) FROM generate_series(1, 3000) i; ROLLBACK;});
	append_to_file("$dir/flush.sql", "SELECT ts_flush('q');\nVACUUM q;\n\\sleep 20 ms\n");
	append_to_file("$dir/compact.sql", "SELECT FROM ts_compact('q');\nVACUUM q;\nVACUUM q;\n\\sleep 100 ms\n");
	my ($bench_out, $bench_err) = ('', '');
	my $bench = IPC::Run::start([ 'pgbench', '--no-vacuum', '--client=4', '--time=7', "--file=$dir/few.sql\@200", "--file=$dir/many.sql\@2", "--file=$dir/gone.sql\@2", "--file=$dir/flush.sql\@8", "--file=$dir/compact.sql\@1",
			$primary->connstr('postgres') ], '<', \undef, '>', \$bench_out, '2>', \$bench_err);
	my ($right, $cancelled, @wrong) = (0, 0);
	my $end = time() + 6;
	my @sessions = map { Session->new($standby) } 1 .. 2;
	while (time() < $end)
	{
		for my $s (@sessions)
		{
			$s->send("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) % 2, sum(i), count(*) FROM q; SELECT pg_sleep(random() * 0.2) IS NULL; SELECT count(*) % 2, sum(i), count(*) FROM q; COMMIT;");
		}
		for my $s (@sessions)
		{
			my $a = $s->answer;
			if ($a =~ /^0\|0?\|(\d+)\nf\n0\|0?\|\1$/) { $right++; }
			elsif ($a =~ /(ERROR|FATAL): .* conflict with recovery/) { $cancelled++; }	# while it connects there is no SQLSTATE
			else { push @wrong, $a; }
			if (!$s->{run}->pumpable) { $s->quit; $s = Session->new($standby); }
		}
	}
	$_->quit for @sessions;
	ok($bench->finish, 'the primary works beside the readers') or diag $bench_err;
	is("@wrong", '', 'each answer on the standby is right or a conflict');
	cmp_ok($right, '>', 0, "$right right answers, $cancelled conflicts");
	same_on_standby('after many changes', 'q');
}

sql('DROP TABLE u');
$primary->wait_for_catchup($standby);
tables_are_sound($_, 'at the end of the ' . $_->name) for ($primary, $standby);
unlike(slurp_file($standby->logfile), qr/inconsistent page found|PANIC|TRAP/, 'replay found no page that differs');
$standby->stop;
$primary->stop;
command_ok([ 'pg_checksums', '--check', '-D', $_->data_dir ], 'page checksums of the ' . $_->name) for ($primary, $standby);
done_testing();
