# One session on a standby remembers directories while the primary changes them; it goes on after the promotion.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Sound;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', "autovacuum = off\nwal_keep_size = 1GB\n");
$primary->start;
sub sql { return $primary->safe_psql('postgres', $_[0]); }
sql(q{
	CREATE EXTENSION nodedb_ts;
	CREATE TABLE t (ts timestamptz, i int) USING nodedb_ts;
	CREATE PROCEDURE load(day date, n int) LANGUAGE sql AS $$
		INSERT INTO t SELECT day + k * interval '1 s', k FROM generate_series(1, n) k $$;
	CREATE PROCEDURE rows(day date, n int) LANGUAGE plpgsql AS $$
		BEGIN FOR k IN 1 .. n LOOP INSERT INTO t VALUES (day + k * interval '1 s', -k); COMMIT; END LOOP; END $$;
	CALL load('2024-01-01', 20000);});
$primary->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'b', has_streaming => 1);
$standby->start;

# Rows of all and of each day, and how many the planner expects. Executions of one prepared statement.
my $prepare = q{
	SET plan_cache_mode = force_generic_plan;
	PREPARE everything AS SELECT count(*), sum(i), min(ts), max(ts) FROM t;
	PREPARE day(timestamptz) AS SELECT count(*), sum(i) FROM t WHERE ts >= $1 AND ts < $1 + interval '1 day';};
my @days = map { "2024-01-0$_" } 1 .. 9;
my $question = 'EXECUTE everything; ' . join(' ', map { "EXECUTE day('$_');" } @days) . ' EXPLAIN SELECT * FROM t;';
my $on_primary = Session->new($primary);
my $on_standby = Session->new($standby);
is($_->ask($prepare), '', 'prepared') for $on_primary, $on_standby;

# Those go by the length of the file, which may be shorter on a standby.
sub without_costs { my ($answer) = @_; $answer =~ s/cost=\S+ //; return $answer; }

sub same
{
	my ($what) = @_;
	$primary->wait_for_catchup($standby);
	my $fresh = without_costs($primary->safe_psql('postgres', "$prepare $question"));
	is(without_costs($on_primary->ask($question)), $fresh, "$what: a session of the primary");
	is(without_costs($on_standby->ask($question)), $fresh, "$what: the one of the standby");
	return;
}

same('a load');
sql(q{CALL load('2024-01-02', 10000)});
same('another one');
sql(q{CALL rows('2024-01-03', 300)});
same('rows one by one');
sql(q{SELECT ts_flush('t')});
same('a flush');
sql(q{BEGIN; CALL load('2024-01-04', 10000); SELECT count(*) FROM t; ROLLBACK});
same('a load that was rolled back');
my $writer = Session->new($primary);
$writer->ask(q{BEGIN; CALL load('2024-01-04', 10000); SELECT count(*) FROM t;});
same('a load that goes on');
$writer->ask('COMMIT;');
same('and has committed');
sql(q{SELECT FROM ts_compact('t')});
same('a compaction');
sql(q{BEGIN; SELECT ts_enforce_retention('t', '1 day'::interval, '2024-01-06'::timestamptz); ROLLBACK});
same('retention that was rolled back');
sql('VACUUM t');
same('VACUUM');
sql(q{CALL load('2024-01-05', 10000); CALL load('2024-01-06', 10000);});
same('extents used again');
sql('VACUUM t');
same('packing');
sql(q{CALL rows('2024-01-07', 500); SELECT ts_enforce_retention('t', '1 day'::interval, '2024-01-06'::timestamptz)});
same('retention');
sql('VACUUM (FREEZE) t');
same('VACUUM (FREEZE)');
sql(q{BEGIN; TRUNCATE t; CALL load('2024-01-01', 9000); ROLLBACK});
same('a truncation that was rolled back');
sql(q{BEGIN; TRUNCATE t; CALL load('2024-01-01', 9000); TRUNCATE t; CALL load('2024-01-02', 9000); COMMIT});
same('truncations');
sql('VACUUM FULL t');
same('VACUUM FULL');
tables_are_sound($primary, 'before the promotion');

# ---- the session outlives the standby's recovery
$primary->wait_for_catchup($standby);
$primary->stop('immediate');
$standby->promote;
is($on_standby->ask(q{CALL load('2024-01-03', 9000); EXECUTE day('2024-01-02'); EXECUTE day('2024-01-03');}), "9000|40504500\n9000|40504500", 'it writes and reads after the promotion');
$standby->safe_psql('postgres', q{SELECT FROM ts_compact('t')});
is($on_standby->ask($question), $standby->safe_psql('postgres', "$prepare $question"), 'and sees what others change');
tables_are_sound($standby, 'after the promotion');
$_->quit for $on_standby, $on_primary, $writer;
done_testing();
