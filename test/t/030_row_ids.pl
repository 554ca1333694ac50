# A table that has used up the first 2^40 of its row ids goes on: ids of the next lap are
# other tuple ids. Here the counter in the metapage is set forward, as years of inserts,
# flushes and merges would. At the end of all ids an INSERT fails, and nothing is lost.
use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sound;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('row_ids');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nfsync = off\n");
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]); }

# each id leads to its row, also through a range of ids; rows are heap's
sub ids_lead_to_rows
{
	my ($when) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(sql(q{SELECT count(*) - count(DISTINCT ctid) FROM t}), '0', "$when: no id stands twice");
	is(sql(q{SELECT count(*), sum(k), sum(v) FROM t}), sql(q{SELECT count(*), sum(k), sum(v) FROM h}), "$when: no row is lost");
	is(sql(q{SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET nodedb_ts.enable_scan = off;
		SELECT count(*) FROM (SELECT ctid AS c, k FROM t OFFSET 0) a JOIN t ON t.ctid = a.c WHERE t.k = a.k}),
		sql('SELECT count(*) FROM h'), "$when: each id leads to its row");
	# bounds in every lap, on and between the ids of rows
	for my $bound (sql(q{SELECT ctid FROM t ORDER BY md5(k::text) LIMIT 6}) =~ /\(\d+,\d+\)/g, '(0,256)', '(0,257)', '(4294967295,256)', '(7,0)', '(7,65535)')
	{
		is(sql("SELECT count(*), sum(k) FROM t WHERE ctid >= '$bound'"),
			sql("SELECT count(*), sum(k) FROM (SELECT ctid AS c, k FROM t OFFSET 0) a WHERE c >= '$bound'"), "$when: from $bound on");
		is(sql("SELECT count(*), sum(k) FROM t WHERE ctid < '$bound'"),
			sql("SELECT count(*), sum(k) FROM (SELECT ctid AS c, k FROM t OFFSET 0) a WHERE c < '$bound'"), "$when: before $bound");
	}
	tables_are_sound($node, $when);
}

sub insert
{
	my ($from, $to) = @_;
	sql("INSERT INTO $_ SELECT '2024-01-01'::timestamptz + g * interval '1 s', 'host-' || g % 3, g, g % 100 FROM generate_series($from, $to) g") for qw(t h);
}

# the metapage's next row id, in a file whose server is down
sub set_next_row_id
{
	my ($id, $table) = @_;
	my $path = $node->data_dir . '/' . sql(sprintf q{SELECT pg_relation_filepath('%s')}, $table // 't');
	my @table = map { my $c = $_; $c = $c & 1 ? ($c >> 1) ^ 0x82F63B78 : $c >> 1 for 1 .. 8; $c } 0 .. 255;
	my $checksum = 0xFFFFFFFF;

	$node->stop;
	open my $file, '+<:raw', $path or die "$path: $!";
	sysseek $file, 24, 0;
	sysread $file, my $meta, 336;
	substr($meta, 8, 8) = pack('Q', $id);
	$checksum = $table[($checksum ^ $_) & 0xFF] ^ ($checksum >> 8) for unpack('C*', substr($meta, 0, 60) . substr($meta, 64));
	substr($meta, 60, 4) = pack('L', $checksum ^ 0xFFFFFFFF);
	sysseek $file, 24, 0;
	syswrite($file, $meta) == 336 or die $!;
	close $file;
	$node->start;
}

sql('CREATE EXTENSION nodedb_ts');
sql("CREATE TABLE $_->[0] (ts timestamptz, host text, k int, v int) USING $_->[1]") for [ 't', 'nodedb_ts' ], [ 'h', 'heap' ];
insert(1, 3000);
sql(q{SELECT ts_flush('t')});
insert(3001, 3100);
is(sql(q{SELECT max(ctid) < '(100,0)' FROM t}), 't', 'ids begin with small ones');

# the first lap ends within a range that a session reserves, within a batch, and within a segment
set_next_row_id(2**40 - 700);
insert(3101, 3160);
my $one = q{DO $$ BEGIN FOR k IN 3161 .. 4400 LOOP INSERT INTO %s VALUES ('2024-01-01'::timestamptz + k * interval '1 s', 'host-' || k %% 3, k, k %% 100); COMMIT; END LOOP; END $$};
sql(sprintf($one, $_)) for qw(t h);
is(sql(q{SELECT count(*) > 0 FROM t WHERE ctid >= '(4294967290,1)'}), 't', 'the last ids of the first lap are used');
is(sql(q{SELECT count(*) > 0 FROM t WHERE ctid < '(100,0)' AND (ctid::text::point)[1] BETWEEN 257 AND 512}), 't', 'then the first ones of the second lap');
ids_lead_to_rows('small transactions over the end of a lap');
set_next_row_id(2 * 2**40 - 2000);
is(sql(q{INSERT INTO t VALUES ('2024-01-02', 'host-1', 4401, 1) RETURNING ctid}), '(4294967288,305)', 'an id of the second lap is shown as it is defined');
sql(q{INSERT INTO h VALUES ('2024-01-02', 'host-1', 4401, 1)});
sql(q{SELECT ts_flush('t')});
ids_lead_to_rows('a flush over the end of a lap');
set_next_row_id(3 * 2**40 - 1000);
sql(q{SELECT ts_compact('t', before => 'infinity')});
ids_lead_to_rows('a merge over the end of a lap');
# rows of a transaction that has shown their ids keep them
set_next_row_id(4 * 2**40 - 1500);
is(sql(q{BEGIN; CREATE TEMP TABLE told (c tid, k int);
	WITH new AS (INSERT INTO t SELECT '2024-01-03'::timestamptz + g * interval '1 s', 'host-' || g % 3, g, g % 100 FROM generate_series(4402, 7000) g RETURNING ctid, k)
	INSERT INTO told SELECT * FROM new;
	INSERT INTO h SELECT '2024-01-03'::timestamptz + k * interval '1 s', 'host-' || k % 3, k, k % 100 FROM told; COMMIT;
	SELECT count(*) FROM told JOIN t ON t.ctid = told.c AND t.k = told.k}), '2599', 'ids that INSERT RETURNING told lead to the rows');
ids_lead_to_rows('ids told over the end of a lap');
sql('VACUUM FULL t');
ids_lead_to_rows('VACUUM FULL');
sql(q{INSERT INTO t SELECT '2024-02-01', 'x', -g, 0 FROM generate_series(1, 300) g; DELETE FROM h WHERE false; INSERT INTO h SELECT '2024-02-01', 'x', -g, 0 FROM generate_series(1, 300) g});
ids_lead_to_rows('after VACUUM FULL');

# ANALYZE goes by the order in which rows are stored, not by ids
sql(q{CREATE TABLE one_column (k int) USING nodedb_ts; INSERT INTO one_column SELECT generate_series(1, 20000)});
set_next_row_id(2**40 - 100, 'one_column');
sql(q{INSERT INTO one_column SELECT generate_series(20001, 50000); ANALYZE one_column});
is(sql(q{SELECT count(*) > 0 FROM one_column WHERE ctid > '(4294967290,1)'}), 't', 'ids of two laps');
cmp_ok(sql(q{SELECT correlation FROM pg_stats WHERE tablename = 'one_column'}), '>', 0.99, 'do not hide the order of rows from ANALYZE');

# the very last ids
set_next_row_id(255 * 2**40 - 3000);
insert(7001, 7100);
my ($result, $out, $error) = $node->psql('postgres', q{\set VERBOSITY verbose
	INSERT INTO t SELECT '2024-03-01', 'x', g, g FROM generate_series(1, 9000) g});
like($error, qr/54000: table "t" has used up its 2\^48 - 2\^40 row ids/, 'the end of all row ids is told');
ids_lead_to_rows('the end of all row ids');
done_testing();
