# Trained dictionaries last as long as a segment needs them, and no longer: through crashes, on a standby, after
# promotion, under old snapshots, and while a session is still about to write a segment that refers to one.
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

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', <<EOC);
wal_consistency_checking = 'all'
wal_keep_size = 1GB
max_wal_size = 1GB
log_statement = none
autovacuum = off
restart_after_crash = on
EOC
$primary->start;
sub sql { return $primary->safe_psql('postgres', $_[0]); }
sql('CREATE EXTENSION nodedb_ts');
sql(q{
	CREATE FUNCTION word(k int) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT substr(md5((abs(hashint4(k)) % 3000)::text), 1, 9) $$;
	CREATE FUNCTION line(i int) RETURNS text LANGUAGE sql IMMUTABLE AS
	$$ SELECT 'GET /' || word(i) || '/' || word(i + 70000) || '?user=' || word(i + 7654321) || '&n=' || i % 1000 $$;
	CREATE TABLE logs (ts timestamptz, message text, n int) USING nodedb_ts;
});
$primary->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'b', has_streaming => 1);
$standby->append_conf('postgresql.conf', "shared_preload_libraries = ''\nwal_receiver_status_interval = 1\nmax_standby_streaming_delay = -1\nhot_standby_feedback = off\n");
$standby->start;
my $node = $primary;

# A day each: expired separately. Rows of day d are numbered from d * 100 000 on.
sub insert { my ($day, $rows) = @_; return "INSERT INTO logs SELECT '2024-01-01'::timestamptz + $day * interval '1 day' + i * interval '1 s', line($day * 100000 + i), $day * 100000 + i FROM generate_series(1, $rows) i;"; }
my $train = q{SELECT dictionary FROM ts_train_dictionary('logs', 'message')};
my $wrong = q{SELECT count(*) || ' ' || count(*) FILTER (WHERE message <> line(n)) FROM logs};
my $uses = q{SELECT string_agg(coalesce(columns->'message'->>'dictionary', '-'), ' ' ORDER BY segment) FROM ts_segments('logs')};

# The sets in the file, by id: "retired" or "in use"; as they are after a checkpoint (src/pg/storage/format.h).
sub sets
{
	$node->safe_psql('postgres', 'CHECKPOINT');
	open(my $file, '<:raw', $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('logs')")) or die $!;
	my $read = sub { seek($file, $_[0] * 8192, 0); read($file, my $bytes, 8192); return $bytes; };
	my $directory = unpack('L', substr($read->(0), 24 + 36, 4));
	my %sets;
	while ($directory != 0xFFFFFFFF)
	{
		my $page = $read->($directory);
		for (my $at = 24; $at + 120 <= unpack('S', substr($page, 12, 2)); $at += 120)
		{
			my ($state, $level, $flags) = unpack('C C S', substr($page, $at, 4));
			$sets{ unpack('L', substr($page, $at + 108, 4)) } = $flags & 0x40 ? 'retired' : 'in use' if $state == 2 && $level == 3;
		}
		$directory = unpack('L', substr($page, 8192 - 16 + 4, 4));
	}
	return join(', ', map { "$_ $sets{$_}" } sort { $a <=> $b } keys %sets);
}

sub caught_up { $primary->wait_for_catchup($standby); return; }

# ---- a snapshot that is older than the dictionary reads what is its business, with or without it
sql(insert(0, 20000));
my $old = Session->new($primary);
$old->ask("BEGIN ISOLATION LEVEL REPEATABLE READ; $wrong;");
is(sql($train), '1', 'trained');
sql(insert(1, 9000));
sql("SELECT ts_compact('logs', '2024-02-01')");
is($old->ask("$wrong;"), '20000 0', 'an old snapshot sees its rows');
is(sql($wrong), '29000 0', 'a new one sees all');
$old->ask('COMMIT;');

# ---- on a standby, at once
sql(insert(2, 9000));
caught_up();
is($standby->safe_psql('postgres', $wrong), '38000 0', 'the standby reads with it');
is($standby->safe_psql('postgres', $uses), sql($uses), 'and shows it');
tables_are_sound($standby, 'on the standby');
my ($ret, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY verbose\n$train");
like($err, qr/25006/, 'nothing is trained on a standby');

# ---- killed while a dictionary is made, and right after it was committed
for my $place (qw(train_store allocate_done segment_write segment_publish entry_record train_stored commit_begin))
{
	my ($r, $o, $e) = $primary->psql('postgres', "SET nodedb_ts.fault = '$place:abort'; $train;");
	isnt($r, 0, "killed at $place");
	$primary->poll_query_until('postgres', 'SELECT true') or die 'no recovery';
	is(sql($wrong), '38000 0', "$place: nothing is lost");
}
sql('VACUUM logs');
is(sets(), '1 in use', 'what was not committed is not there');
like(sql($train), qr/^\d+$/, 'and can be made again');
sql(insert(3, 9000));
kill_and_start($primary);
is(sql($wrong), '47000 0', 'a dictionary and what refers to it survive a kill');
my $second = (split / /, sql($uses))[-1];
tables_are_sound($primary, 'after kills');

# ---- the old one is retired, and stays as long as something refers to it
sql('VACUUM logs');
is(sets(), "1 retired, $second in use", 'the first one is retired');
sql('SELECT txid_current(); VACUUM logs; SELECT txid_current(); VACUUM logs');
is(sets(), "1 retired, $second in use", 'but it is needed');
sql('VACUUM FULL logs');
is(sets(), "1 retired, $second in use", 'in a new file, too');
is(sql($wrong), '47000 0', 'all rows are there after VACUUM FULL');

# ---- a session that has encoded a segment with the old one, and has not stored it yet
sql("DROP TABLE logs; CREATE TABLE logs (ts timestamptz, message text, n int) USING nodedb_ts;" . insert(0, 20000));
is(sql($train), '1', 'a new table begins anew');
my $holder = Session->new($primary);
my $writer = Session->new($primary);
$holder->ask("SELECT pg_advisory_lock(hashtext('freeze_encoded'));");
$writer->send("SET nodedb_ts.fault = 'freeze_encoded:wait'; " . insert(1, 9000));
$primary->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}) or die 'it does not wait';
is(sql($train), '2', 'another one meanwhile');
sql('SELECT txid_current(); VACUUM logs; SELECT txid_current(); VACUUM logs; SELECT txid_current(); VACUUM logs');
is(sets(), '1 retired, 2 in use', 'who may still refer to it is waited for');
$holder->ask("SELECT pg_advisory_unlock_all();");
$writer->answer;
is(sql($wrong), '29000 0', 'its segment can be read');
is(sql($uses), '- 1', 'and refers to the old one');
sql('SELECT txid_current(); VACUUM logs; SELECT txid_current(); VACUUM logs');
is(sets(), '1 retired, 2 in use', 'which stays');

$_->quit for ($holder, $writer, $old);

# ---- what nothing refers to goes, and its blocks are used again
sql("SELECT ts_enforce_retention('logs', interval '1 day', '2024-01-10')");
is(sql($wrong), '0 0', 'all has expired');
caught_up();
sql('SELECT txid_current(); VACUUM logs; SELECT txid_current(); VACUUM logs; SELECT txid_current()');
is(sets(), '2 in use', 'the old one is gone');
sql(insert(5, 9000));
is(sql($uses), '2', 'the newest one stays, whether or not something refers to it');
is(sql($wrong), '9000 0', 'and is used');
tables_are_sound($primary, 'after one has gone');
caught_up();
is($standby->safe_psql('postgres', $wrong), '9000 0', 'on the standby');
tables_are_sound($standby, 'on the standby, after one has gone');

# ---- rolled back: gone with the next VACUUM, and never used
$primary->psql('postgres', "BEGIN; $train; ROLLBACK;");
sql(insert(6, 9000));
is(sql($uses), '2 2', 'one that was rolled back is not used');
sql('VACUUM logs');
is(sets(), '2 in use', 'nor kept');

# ---- two sessions at once: the second one waits, and takes over what the first one made
my ($one, $two) = map { Session->new($primary) } 1 .. 2;
like($one->ask("BEGIN; $train;"), qr/^3$/m, 'the first one');
$two->send("$train;");
$primary->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE mode = 'ShareUpdateExclusiveLock' AND NOT granted}) or die 'it does not wait';
$one->ask('COMMIT;');
like($two->answer, qr/^4$/m, 'the second one');
$_->quit for ($one, $two);

# ---- ts_flush and inserts beside training; then promotion
sql(insert(7, 2000));
sql("SELECT ts_flush('logs')");
is((split / /, sql($uses))[-1], '4', 'ts_flush uses the newest one');
my $all = sql($wrong);
caught_up();
$primary->stop('immediate');
$standby->promote;
$node = $standby;
is($standby->safe_psql('postgres', $wrong), $all, 'after promotion');
$standby->safe_psql('postgres', insert(8, 9000));
is((split / /, $standby->safe_psql('postgres', $uses))[-1], '4', 'the promoted server writes with it');
is($standby->safe_psql('postgres', $train), '5', 'and trains another one');
$standby->safe_psql('postgres', 'SELECT txid_current(); VACUUM logs; SELECT txid_current(); VACUUM logs; SELECT txid_current(); VACUUM (FREEZE) logs');
like(sets(), qr/^2 retired, 4 retired, 5 in use$/, 'and frees what nothing refers to');
tables_are_sound($standby, 'after promotion');

# ---- damage: named, an error and no crash
my $path = $standby->data_dir . '/' . $standby->safe_psql('postgres', "SELECT pg_relation_filepath('logs')");
$standby->safe_psql('postgres', 'CHECKPOINT');
my $block;
{
	open(my $file, '<:raw', $path) or die $!;
	local $/;
	my $bytes = <$file>;
	for (my $b = 0; $b * 8192 < length $bytes; $b++)
	{
		$block = $b if substr($bytes, $b * 8192 + 24, 4) eq 'NTSD' && unpack('L', substr($bytes, $b * 8192 + 24 + 8, 4)) == 2;
	}
}
ok(defined $block, 'the set is found in the file');
$standby->stop;
open(my $file, '+<:raw', $path) or die $!;
seek($file, $block * 8192 + 1000, 0);
print $file 'damage';
close $file;
$standby->start;
like($standby->safe_psql('postgres', q{SELECT what || ': ' || detail FROM ts_verify('logs')}), qr/^dictionaries: trained dictionaries: checksum mismatch$/m, 'ts_verify names the set');
($ret, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY verbose\n$wrong");
like($err, qr/XX001.*trained dictionaries: checksum mismatch/, 'reading with it is an error');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM logs WHERE n > 800000 AND message = line(n)'), '9000', 'what refers to others can be read');

# the newest one, too: what is written does without it, and another one can be trained
$standby->stop;
my $newest;
{
	open(my $in, '<:raw', $path) or die $!;
	local $/;
	my $bytes = <$in>;
	for (my $b = 0; $b * 8192 < length $bytes; $b++)
	{
		$newest = $b if substr($bytes, $b * 8192 + 24, 4) eq 'NTSD' && unpack('L', substr($bytes, $b * 8192 + 24 + 8, 4)) == 5;
	}
}
open($file, '+<:raw', $path) or die $!;
seek($file, $newest * 8192 + 1000, 0);
print $file 'damage';
close $file;
$standby->start;
($ret, $out, $err) = $standby->psql('postgres', "BEGIN; SAVEPOINT a; " . insert(9, 9000) . " RELEASE a; COMMIT;");
is($ret, 0, 'rows can be written beside a damaged set');
like($err, qr/WARNING:  trained dictionaries of table "logs" cannot be read, and are not used/, 'with a warning');
is((split / /, $standby->safe_psql('postgres', $uses))[-1], '-', 'the segment does without');
# no set that a segment needs is given up for that: their rows are left out of what is learned from
($ret, $out, $err) = $standby->psql('postgres', $train);
is($out, '6', 'another one is trained beside damaged ones');
like($err, qr/WARNING:  trained dictionaries of table "logs" cannot be read, and are not used.*WARNING:  the sample of table "logs" leaves out rows whose trained dictionaries cannot be read\nDETAIL:  These are [1-9]\d* of \d+ samples\./s,
	'from the rows that can be read');
is(() = $err =~ /WARNING/g, 3, 'each set is warned of once');
$standby->safe_psql('postgres', insert(10, 9000));
is((split / /, $standby->safe_psql('postgres', $uses))[-1], '6', 'which new rows use');
$standby->safe_psql('postgres', 'SELECT txid_current(); VACUUM logs; SELECT txid_current(); VACUUM logs; SELECT txid_current(); VACUUM logs');
like(sets(), qr/^2 retired, 4 retired, (5 retired, )?6 in use$/, 'what segments refer to stays');
($ret, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY verbose\n$wrong");
like($err, qr/XX001.*trained dictionaries: checksum mismatch/, 'rows that need it are an error, as before');
# when nothing is left that was written with them
$standby->safe_psql('postgres', "SELECT ts_enforce_retention('logs', interval '1 day', '2024-01-11')");
($ret, $out, $err) = $standby->psql('postgres', $train);
is("$out $err", '7 ', 'nobody is warned any more');

done_testing();
