# Logical replication: a subscriber applies inserts to our tables; a publisher with
# our tables decodes the others' changes; who means ours is told.
use strict;
use warnings;

use IPC::Run;
use FindBin;
use lib $FindBin::Bin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sound;
use Test::More;

my $publisher = PostgreSQL::Test::Cluster->new('publisher');
$publisher->init(allows_streaming => 'logical');
$publisher->append_conf('postgresql.conf', <<EOC);
log_statement = none
logical_decoding_work_mem = 64kB
EOC
$publisher->start;
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init;
$subscriber->append_conf('postgresql.conf', <<EOC);
log_statement = none
log_error_verbosity = verbose
wal_retrieve_retry_interval = 100ms
max_logical_replication_workers = 8
EOC
$subscriber->start;
sub pub { return $publisher->safe_psql('postgres', $_[0]); }
sub sub_ { return $subscriber->safe_psql('postgres', $_[0]); }
my $connstr = $publisher->connstr . ' dbname=postgres';

# Waits until the subscriber's log holds a line; returns what follows `from`.
sub wait_for_log
{
	my ($from, $pattern) = @_;
	for (1 .. 300)
	{
		my $log = substr(slurp_file($subscriber->logfile), $from);
		return $log if $log =~ $pattern;
		select(undef, undef, undef, 0.1);
	}
	return '';
}

# ---- a subscriber's tables are ours
my $digest = 'SELECT count(*), sum(hashtextextended(x::text, 0)::numeric) FROM %s x';
pub(q{
	CREATE TABLE t (ts timestamptz, i int, s text);
	CREATE TABLE p (ts timestamptz, i int);
	INSERT INTO t SELECT '2024-01-01'::timestamptz + i * interval '1 s', i, 's' || i % 7 FROM generate_series(1, 20000) i;
	INSERT INTO p SELECT '2024-01-01'::timestamptz + i * interval '1 h', i FROM generate_series(1, 1000) i;
	CREATE PUBLICATION two FOR TABLE t, p;});
sub_(q{
	CREATE EXTENSION nodedb_ts;
	CREATE TABLE t (ts timestamptz, i int, s text, here int DEFAULT 5) USING nodedb_ts;
	CREATE TABLE p (ts timestamptz, i int) PARTITION BY RANGE (ts);
	CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2024-02-01') USING nodedb_ts;
	CREATE TABLE p2 PARTITION OF p DEFAULT USING nodedb_ts;});
sub_("CREATE SUBSCRIPTION s CONNECTION '$connstr' PUBLICATION two WITH (streaming = on)");
$subscriber->wait_for_subscription_sync($publisher, 's');

sub same
{
	my ($what) = @_;
	$publisher->wait_for_catchup('s');
	is(sub_(sprintf $digest, '(SELECT ts, i, s FROM t)'), pub(sprintf $digest, '(SELECT ts, i, s FROM t)'), "$what: same rows");
	is(sub_(sprintf $digest, '(SELECT ts, i FROM p)'), pub(sprintf $digest, '(SELECT ts, i FROM p)'), "$what: same rows in partitions");
}
same('initial copy');
pub(qq{INSERT INTO t VALUES ('2024-02-01', $_, 'one'); INSERT INTO p VALUES ('2024-02-01', $_);}) for 1 .. 5;
same('one row each');
pub(q{
	BEGIN;
	INSERT INTO t SELECT '2024-02-02', i, NULL FROM generate_series(1, 30000) i;
	SAVEPOINT s;
	INSERT INTO t SELECT '2024-02-02', i, 'gone' FROM generate_series(1, 10000) i;
	ROLLBACK TO s;
	INSERT INTO p SELECT '2024-01-15'::timestamptz + i * interval '1 h', i FROM generate_series(1, 5000) i;
	INSERT INTO t VALUES ('2024-02-03', -1, repeat('large', 100000));
	COMMIT;
	BEGIN; INSERT INTO t SELECT '2024-02-02', i, 'never' FROM generate_series(1, 20000) i; ROLLBACK;});
same('streamed while in progress');
is(sub_(q{SELECT count(*), sum(here) FROM t WHERE s = 'one'}), '5|25', 'defaults of columns that the publisher lacks');
sub_(q{SELECT ts_flush('t')});
pub(q{TRUNCATE p; INSERT INTO p VALUES ('2024-01-01', 7)});
same('truncated, flushed');
# Many transactions at a time that the worker applies one by one make batches, not segments.
pub(q{DO $$ BEGIN FOR k IN 1 .. 300 LOOP INSERT INTO t VALUES ('2024-03-01', k, 'k'); COMMIT; END LOOP; END $$});
same('many small transactions');
$subscriber->restart;
pub(q{INSERT INTO t VALUES ('2024-03-02', 1, 'after a restart')});
same('after a restart');

# ---- what cannot be applied stops the worker with a clear error; nothing is lost
pub('ALTER TABLE t REPLICA IDENTITY FULL');
# a row is found by all of its columns
sub_('ALTER TABLE t DROP COLUMN here');
pub(q{UPDATE t SET s = 'x' WHERE i = -77777});
same('an update of no rows');
my $from = -s $subscriber->logfile;
# a row that another transaction inserts is not waited for
my ($in, $out) = ('', '');
my $open = IPC::Run::start([ 'psql', '-X', '-q', '-A', '-t', '-d', $subscriber->connstr('postgres') ], '<', \$in, '>', \$out, '2>&1');
$in .= "BEGIN; INSERT INTO t (i) SELECT generate_series(1, 10); SELECT 'written', count(*) FROM t WHERE i = 10 AND ts IS NULL;\n";
$open->pump until $out =~ /written\|1/;
pub(q{UPDATE t SET s = 'changed' WHERE i = -1});
pub(q{INSERT INTO t VALUES ('2024-03-03', 2, 'behind the update')});
like(wait_for_log($from, qr/applying an UPDATE.*applying an UPDATE/s), qr/ERROR:  0A000: applying an UPDATE or DELETE of a subscription is not supported on table "t".*ERROR:  0A000: applying/s,
	'an UPDATE is refused, and tried again');
$in .= "ROLLBACK;\n\\q\n";
$open->finish;
is(sub_(q{SELECT count(*) FROM t WHERE s IN ('changed', 'behind the update')}), 0, 'what is behind it waits');
# skipping the transaction, or making the table heap's, are ways on
my ($lsn) = substr(slurp_file($subscriber->logfile), $from) =~ /finished at ([0-9A-F]+\/[0-9A-F]+)/;
ok($lsn, 'the log names the transaction');
sub_("ALTER SUBSCRIPTION s SKIP (lsn = '$lsn')");
$publisher->wait_for_catchup('s');
is(sub_(q{SELECT string_agg(s, ',') FROM t WHERE s IN ('changed', 'behind the update')}), 'behind the update', 'skipped');
$from = -s $subscriber->logfile;
pub(q{DELETE FROM t WHERE i = 20; INSERT INTO t VALUES ('2024-03-03', 3, 'behind the delete')});
like(wait_for_log($from, qr/applying an UPDATE/), qr/ERROR:  0A000: applying an UPDATE or DELETE of a subscription/, 'a DELETE is refused');
sub_('ALTER TABLE t SET ACCESS METHOD heap');
$publisher->wait_for_catchup('s');
is(sub_(q{SELECT count(*) FILTER (WHERE i = 20 AND s = 's6'), count(*) FILTER (WHERE s = 'behind the delete') FROM t}), '0|1', 'a heap table takes it');
sub_('ALTER TABLE t SET ACCESS METHOD nodedb_ts');
# with a key on the publisher's side only, PostgreSQL's own rule comes first
$from = -s $subscriber->logfile;
pub(q{ALTER TABLE p ADD PRIMARY KEY (ts, i); UPDATE p SET i = 8 WHERE i = 7});
like(wait_for_log($from, qr/neither REPLICA IDENTITY/), qr/ERROR:  55000: .*neither REPLICA IDENTITY index nor PRIMARY KEY/, 'no replica identity');
is($subscriber->safe_psql('postgres', q{SELECT count(*) > 0 FROM t}), 't', 'the server lives');
sub_('ALTER SUBSCRIPTION s DISABLE');
sub_('ALTER SUBSCRIPTION s SET (slot_name = NONE)');
sub_('DROP SUBSCRIPTION s');

# ---- a publisher's tables are ours
pub('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active');
pub(q{CREATE EXTENSION nodedb_ts; CREATE TABLE n (ts timestamptz, i int) USING nodedb_ts; CREATE TABLE plain (i int PRIMARY KEY);
	INSERT INTO n SELECT '2024-01-01', i FROM generate_series(1, 1000) i;});
# in a new session, which has loaded nothing
my (undef, undef, $warned) = $publisher->psql('postgres', 'CREATE PUBLICATION everything FOR ALL TABLES');
like($warned, qr/WARNING:  publication "everything" does not publish changes.*\n.*Not published: public\.n\./, 'FOR ALL TABLES warns');
(undef, undef, $warned) = $publisher->psql('postgres', 'CREATE PUBLICATION schema FOR TABLES IN SCHEMA public');
like($warned, qr/WARNING:  publication "schema" does not publish changes.*\n.*Not published: public\.n\./, 'FOR TABLES IN SCHEMA warns');
(undef, undef, $warned) = $publisher->psql('postgres', 'DROP EXTENSION nodedb_ts');
like($warned, qr/ERROR: .*DETAIL:  1 relation does: public\.n\.\nHINT:  .*SET ACCESS METHOD heap.*CASCADE drops the tables/s, 'DROP EXTENSION tells the way back');
pub(q{CREATE TABLE parent (i int) PARTITION BY LIST (i); CREATE TABLE child PARTITION OF parent DEFAULT USING nodedb_ts;});
(undef, undef, $warned) = $publisher->psql('postgres', 'CREATE PUBLICATION named FOR TABLE parent');
like($warned, qr/ERROR:  logical replication \(a publication\) is not supported on table "child"/, 'a partitioned table with ours below is refused');

pub(q{SELECT pg_create_logical_replication_slot('text', 'test_decoding'), pg_create_logical_replication_slot('binary', 'pgoutput')});
pub(q{
	INSERT INTO n VALUES ('2024-01-02', 0);
	INSERT INTO plain VALUES (1);
	BEGIN;
	INSERT INTO n SELECT '2024-01-01'::timestamptz + i * interval '1 s', i FROM generate_series(1, 30000) i;
	SAVEPOINT s;
	INSERT INTO n SELECT '2024-01-01', i FROM generate_series(1, 3000) i;
	ROLLBACK TO s;
	INSERT INTO plain VALUES (2);
	COMMIT;
	ALTER TABLE n ADD COLUMN x int DEFAULT 5;
	ALTER TABLE n ALTER i TYPE bigint;
	SELECT ts_flush('n');
	VACUUM n;
	TRUNCATE n;
	INSERT INTO n VALUES ('2024-01-03', 1, 1);
	INSERT INTO plain VALUES (3);});
is(pub(q{SELECT string_agg(data, '; ' ORDER BY lsn) FROM pg_logical_slot_get_changes('text', NULL, NULL) WHERE data LIKE 'table%' AND data NOT LIKE '%TRUNCATE%'}),
	'table public.plain: INSERT: i[integer]:1; table public.plain: INSERT: i[integer]:2; table public.plain: INSERT: i[integer]:3', 'test_decoding meets changes of heap tables only');
cmp_ok(pub(q{SELECT count(*) FROM pg_logical_slot_get_binary_changes('binary', NULL, NULL, 'proto_version', '1', 'publication_names', 'everything')}), '>', 3, 'pgoutput decodes');
pub(q{SELECT pg_drop_replication_slot('text'), pg_drop_replication_slot('binary')});

# the initial copy takes our rows along, as the hint says; later ones do not come
sub_('CREATE TABLE n (ts timestamptz, i bigint, x int); CREATE TABLE plain (i int PRIMARY KEY); CREATE TABLE parent (i int); CREATE TABLE child (i int)');
sub_("CREATE SUBSCRIPTION s CONNECTION '$connstr' PUBLICATION everything");
$subscriber->wait_for_subscription_sync($publisher, 's');
is(sub_('SELECT (SELECT count(*) FROM n), (SELECT count(*) FROM plain)'), '1|3', 'the initial copy');
pub(q{INSERT INTO n VALUES ('2024-01-03', 2, 2); INSERT INTO plain VALUES (4);});
$publisher->wait_for_catchup('s');
is(sub_('SELECT (SELECT count(*) FROM n), (SELECT count(*) FROM plain)'), '1|4', 'afterwards only heap tables');
pub('ALTER TABLE n SET ACCESS METHOD heap');
pub(q{INSERT INTO n VALUES ('2024-01-03', 3, 3)});
$publisher->wait_for_catchup('s');
is(sub_('SELECT string_agg(i::text, \',\' ORDER BY i) FROM n'), '1,3', 'as heap it is published');

# ---- the extension goes when no table is left, and in a new session with CASCADE
pub('DROP TABLE parent');
tables_are_sound($subscriber, 'subscribed');
pub('DROP EXTENSION nodedb_ts');
is(pub('SELECT count(*) FROM n'), 3, 'a table that went back to heap stays');
is(pub(q{SELECT count(*) FROM pg_event_trigger}), 0, 'no event trigger is left');
(undef, undef, $warned) = $subscriber->psql('postgres', 'DROP EXTENSION nodedb_ts CASCADE');
like($warned, qr/NOTICE:  drop cascades to 3 other objects/, 'CASCADE drops the tables');
is(sub_(q{SELECT count(*) FROM pg_class WHERE relname IN ('t', 'p1', 'p2')}), 0, 'they are gone');
$subscriber->stop;
$publisher->stop;
done_testing();
