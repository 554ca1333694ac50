# Two-phase commit: prepared transactions survive clean and unclean restarts,
# are seen by nobody until COMMIT PREPARED, and by nobody ever after ROLLBACK PREPARED.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use KillServer;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sound;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('twophase');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', <<EOC);
max_prepared_transactions = 20
log_statement = none
checkpoint_timeout = 1h
EOC
$node->start;
my $standby;

sub sql { return $node->safe_psql('postgres', $_[0]); }
my $sum = 'SELECT count(*), coalesce(sum(i), 0) FROM t';
my $segment_rows = q{SELECT coalesce(sum(rows), 0) FROM ts_segments('t') WHERE level > 0};

sql('CREATE EXTENSION nodedb_ts');
sql(q{CREATE TABLE t (ts timestamptz DEFAULT '2024-01-01', i int) USING nodedb_ts});
sql('INSERT INTO t (i) SELECT generate_series(1, 100)');
is(sql($sum), '100|5050', 'before');

# small, large, with subtransactions, several tables, and one that only reads
sql(q{BEGIN; INSERT INTO t (i) VALUES (1000); PREPARE TRANSACTION 'small'});
sql(q{BEGIN; INSERT INTO t (i) SELECT generate_series(1, 50000); PREPARE TRANSACTION 'large'});
sql(q{BEGIN; INSERT INTO t (i) VALUES (2000); SAVEPOINT a; INSERT INTO t (i) SELECT generate_series(1, 20000);
	SELECT count(*) FROM t; ROLLBACK TO a; SAVEPOINT b; INSERT INTO t (i) VALUES (3000); RELEASE b; PREPARE TRANSACTION 'sub'});
sql(q{BEGIN; INSERT INTO t (i) VALUES (-1); PREPARE TRANSACTION 'small back'});
sql(q{BEGIN; INSERT INTO t (i) SELECT -generate_series(1, 50000); PREPARE TRANSACTION 'large back'});
sql(q{BEGIN; CREATE TABLE made (i int) USING nodedb_ts; INSERT INTO made SELECT generate_series(1, 500); PREPARE TRANSACTION 'made'});
is(sql($sum), '100|5050', 'prepared transactions are not seen');
cmp_ok(sql(q{SELECT ts_flush('t')}), '>=', 0, 'a flush does not wait for them');
is(sql($sum), '100|5050', 'nor does it move them in');

# a clean restart, then decide some
$node->restart;
is(sql($sum), '100|5050', 'not seen after a restart');
is(sql('SELECT count(*) FROM pg_prepared_xacts'), 6, 'all are still prepared');
sql(q{COMMIT PREPARED 'small'});
is(sql($sum), '101|6050', 'small committed');
sql(q{ROLLBACK PREPARED 'small back'});
is(sql($sum), '101|6050', 'small rolled back');

# a kill, with and without a checkpoint before it
kill_and_start($node);
is(sql($sum), '101|6050', 'the same after a kill');
sql(q{COMMIT PREPARED 'large'});
is(sql($sum), '50101|1250031050', 'large committed');
sql('CHECKPOINT');
kill_and_start($node);
is(sql($sum), '50101|1250031050', 'the same after a checkpoint and a kill');
sql(q{COMMIT PREPARED 'sub'});
is(sql($sum), '50103|1250036050', 'with subtransactions committed');
sql(q{COMMIT PREPARED 'made'});
is(sql('SELECT count(*), sum(i) FROM made'), '500|125250', 'a table made by one');
sql(q{ROLLBACK PREPARED 'large back'});
is(sql($sum), '50103|1250036050', 'large rolled back');
kill_and_start($node);
is(sql($sum), '50103|1250036050', 'the same after a last kill');
sql(q{SELECT ts_flush('t')});
is(sql($sum), '50103|1250036050', 'and after a flush');
is(sql($segment_rows), 50103, 'which moved every row');
is(sql(q{SELECT ts_flush('t')}), 0, 'and left none');

# crash between PREPARE and COMMIT PREPARED, again and again, one each way
for my $k (1 .. 3)
{
	my $before = sql('SELECT count(*) FROM t');
	sql("BEGIN; INSERT INTO t (i) SELECT generate_series(1, 10 * $k); PREPARE TRANSACTION 'keep'");
	sql("BEGIN; INSERT INTO t (i) SELECT generate_series(1, 1000 * $k); PREPARE TRANSACTION 'drop'");
	sql("INSERT INTO t (i) VALUES (0)");
	kill_and_start($node);
	sql("COMMIT PREPARED 'keep'");
	sql("ROLLBACK PREPARED 'drop'");
	kill_and_start($node);
	is(sql('SELECT count(*) FROM t'), $before + 10 * $k + 1, "decided between two kills ($k)");
}

# a prepared flush: the rows are there once, whichever way it ends
sql('INSERT INTO t (i) VALUES (5), (6)');
my $before = sql($sum);
sql(q{BEGIN; SELECT ts_flush('t'); PREPARE TRANSACTION 'flush'});
is(sql($sum), $before, 'while the flush is prepared');
kill_and_start($node);
is(sql($sum), $before, 'after a kill');
sql(q{ROLLBACK PREPARED 'flush'});
is(sql($sum), $before, 'after its rollback');
sql(q{BEGIN; SELECT ts_flush('t'); PREPARE TRANSACTION 'flush'});
kill_and_start($node);
sql(q{COMMIT PREPARED 'flush'});
is(sql($sum), $before, 'after its commit');
is(sql($segment_rows), (split /\|/, $before)[0], 'every row is in a segment');

# TRUNCATE prepared
sql(q{BEGIN; INSERT INTO t (i) VALUES (7); TRUNCATE t; INSERT INTO t (i) VALUES (8); PREPARE TRANSACTION 'truncate'});
kill_and_start($node);
sql(q{ROLLBACK PREPARED 'truncate'});
is(sql($sum), $before, 'a TRUNCATE rolled back');
sql(q{BEGIN; INSERT INTO t (i) VALUES (7); TRUNCATE t; INSERT INTO t (i) VALUES (8); PREPARE TRANSACTION 'truncate'});
kill_and_start($node);
sql(q{COMMIT PREPARED 'truncate'});
is(sql($sum), '1|8', 'a TRUNCATE committed');

# temporary tables cannot be prepared, and the session goes on
my ($ret, $out, $err) = $node->psql('postgres', q{
	CREATE TEMP TABLE x (i int) USING nodedb_ts;
	BEGIN; INSERT INTO x VALUES (1); INSERT INTO t (i) VALUES (9); PREPARE TRANSACTION 'temp';
	SELECT count(*) FROM t;}, on_error_stop => 0);
like($err, qr/cannot PREPARE a transaction that has operated on temporary objects/, 'temporary table refused');
is($out, '1', 'and nothing of that transaction is left');

# a serializable transaction that is prepared keeps its locks: write skew fails
sql('CREATE TABLE s (grp int, v int) USING nodedb_ts');
sql('INSERT INTO s VALUES (1, 10), (2, 100)');
sql(q{BEGIN ISOLATION LEVEL SERIALIZABLE; INSERT INTO s SELECT 2, sum(v) FROM s WHERE grp = 1; PREPARE TRANSACTION 'skew'});
($ret, $out, $err) = $node->psql('postgres', q{
	BEGIN ISOLATION LEVEL SERIALIZABLE;
	INSERT INTO s SELECT 1, sum(v) FROM s WHERE grp = 2;
	COMMIT;}, extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
like($err, qr/40001/, 'write skew against a prepared transaction fails');
sql(q{COMMIT PREPARED 'skew'});
is(sql('SELECT count(*), sum(v) FROM s'), '3|120', 'and the prepared one commits');

# a standby that is promoted decides what the primary prepared
sql(q{BEGIN; INSERT INTO t (i) SELECT generate_series(1, 20000); PREPARE TRANSACTION 'over'});
$node->backup('b');
$standby = PostgreSQL::Test::Cluster->new('twophase_standby');
$standby->init_from_backup($node, 'b', has_streaming => 1);
$standby->start;
sql(q{BEGIN; INSERT INTO t (i) VALUES (100); PREPARE TRANSACTION 'over2'});
$node->wait_for_catchup($standby);
kill_server($node);
$standby->promote;
is($standby->safe_psql('postgres', $sum), '1|8', 'on the promoted standby nothing prepared is seen');
$standby->safe_psql('postgres', q{COMMIT PREPARED 'over'});
$standby->safe_psql('postgres', q{COMMIT PREPARED 'over2'});
is($standby->safe_psql('postgres', $sum), '20002|200010108', 'until it is committed there');
tables_are_sound($standby, 'at the end');
$standby->stop;
done_testing();
