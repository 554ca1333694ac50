# Old rows when pg_xact no longer knows who wrote them: after VACUUM (FREEZE) of every database and a checkpoint its old
# segments are gone, and nothing that looks at old segments, at pages whose rows were moved, or at what was rolled back
# may ask for them. Everything is compared with heap.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Sound;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('cut_commit_log');
$node->init;
$node->append_conf('postgresql.conf', "log_statement = none\nautovacuum = off\nfsync = off\n");
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]); }

sql(q{
	CREATE EXTENSION nodedb_ts;
	CREATE TABLE t (ts timestamptz, i int, p text) USING nodedb_ts;
	CREATE TABLE h (ts timestamptz, i int, p text);
	CREATE PROCEDURE one_by_one(day date, n int, undo boolean) LANGUAGE plpgsql AS $$
		BEGIN
			FOR k IN 1 .. n LOOP
				INSERT INTO t VALUES (day + k * interval '1 s', k, repeat('one ', 20));
				INSERT INTO h VALUES (day + k * interval '1 s', k, repeat('one ', 20));
				IF undo THEN ROLLBACK; ELSE COMMIT; END IF;
			END LOOP;
		END $$;
	CREATE PROCEDURE many(day date, undo boolean) LANGUAGE plpgsql AS $$
		BEGIN
			INSERT INTO t SELECT day + i * interval '1 s', i, 'many ' || i % 7 FROM generate_series(1, 20000) i;
			INSERT INTO h SELECT day + i * interval '1 s', i, 'many ' || i % 7 FROM generate_series(1, 20000) i;
			PERFORM count(*) FROM t;
			IF undo THEN ROLLBACK; ELSE COMMIT; END IF;
		END $$;});

my $rows = 'SELECT count(*), sum(hashtextextended(x::text, 0)::numeric) FROM %s x';
sub same_rows
{
	my ($name) = @_;
	my ($t, $h) = map { sql(sprintf $rows, $_) } qw(t h);
	is($t, $h, "$name: the rows are those of heap");
	return;
}

# Pages of L0 whose rows were moved, beside one that still has rows: a transaction is in progress there during the flush.
sub moved_pages
{
	my ($day) = @_;
	my $insert = "INSERT INTO %s VALUES ('$day 12:00', 1, 'late')";
	sql("CALL one_by_one('$day', 300, false)");
	my $late = Session->new($node);
	$late->ask('BEGIN; ' . join(';', map { sprintf $insert, $_ } qw(t h)) . '; SELECT count(*) FROM t;');
	sql("CALL one_by_one('$day', 300, false); SELECT ts_flush('t')");
	$late->ask('COMMIT;');
	$late->quit;
	return;
}

sub pg_xact { return join ' ', sort grep { /^[0-9A-F]{4}$/ } slurp_dir($node->data_dir . '/pg_xact'); }

# Goes on in another segment of pg_xact, and lets every database let go of those before it.
my $segment = 0;
sub cut
{
	my ($name) = @_;
	$segment += 2;
	$node->stop;
	command_ok([ 'pg_resetwal', '-x', $segment * 1048576 + 1000, $node->data_dir ], "$name: many transaction ids later");
	append_to_file(sprintf('%s/pg_xact/%04X', $node->data_dir, $segment), "\0" x 262144);
	$node->start;
	same_rows("$name, before anything is frozen");
	sql('UPDATE pg_database SET datallowconn = true');
	$node->safe_psql($_, 'VACUUM (FREEZE)') for split /\n/, sql('SELECT datname FROM pg_database');
	sql('CHECKPOINT');
	is(pg_xact(), sprintf('%04X', $segment), "$name: pg_xact is cut off");
	same_rows("$name, frozen");
	tables_are_sound($node, $name);
	return;
}

sub expire
{
	my ($day, $name) = @_;
	my $before = sql('SELECT count(*) FROM h');
	sql("SELECT ts_enforce_retention('t', interval '0', '$day'); DELETE FROM h WHERE ts < '$day'");
	cmp_ok(sql('SELECT count(*) FROM h'), '<', $before, "$name: something expires");
	same_rows($name);
	return;
}

# ---- segments and batches, moved, killed, rolled back; nothing of it is in the file's way yet
sql(q{CALL many('2024-01-01', false); CALL many('2024-01-02', true); CALL many('2024-01-03', false); CALL many('2024-01-05', false)});
moved_pages('2024-01-02');
sql(q{CALL one_by_one('2024-01-04', 100, true); CALL one_by_one('2024-01-04', 200, false)});
sql(q{BEGIN; SELECT ts_flush('t'); ROLLBACK; BEGIN; SELECT ts_enforce_retention('t', interval '0', '2024-01-03'); ROLLBACK});
cut('once');
expire('2024-01-02 00:00', 'retention');
expire('2024-01-03 00:00', 'retention of moved pages');
sql(q{SELECT ts_compact('t', 'infinity')});
same_rows('compacted');
sql('VACUUM t');
same_rows('vacuumed');
tables_are_sound($node, 'vacuumed');

# ---- again, with what compaction has left behind; the file is written anew
sql(q{CALL many('2024-01-06', false); CALL many('2024-01-07', true); CALL many('2024-01-08', false)});
moved_pages('2024-01-07');
cut('twice');
# what is compacted expires as a whole
sql(q{SELECT ts_flush('t'); SELECT ts_compact('t', 'infinity'); CALL many('2024-01-12', false); VACUUM FULL t});
same_rows('written anew');
expire('2024-01-10 00:00', 'retention of a file written anew');
sql('VACUUM (FREEZE) t');
same_rows('frozen again');
tables_are_sound($node, 'in the end');
unlike(slurp_file($node->logfile), qr/could not access status|PANIC|TRAP/, 'nobody asked for an id that is gone');

$node->stop;
done_testing();
