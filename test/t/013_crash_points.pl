# The server fails at each place that nodedb_ts.fault knows (src/pg/fault.h): an error, a
# cancel, a termination, a PANIC, a death with and without what was logged. A workload
# that reaches every place does the same to a table and to a twin on heap, in the same
# transactions; so whatever became of each of them, both hold the same rows. Then work
# goes on, and a VACUUM frees all that the failure left behind.
#
# FAULT_KINDS=all: every kind at every place (else one, in turn); FAULT_VISITS (1): at how
# many of a place's visits; FAULT_PLACES: a pattern of places; FAULT_SEED (1): which visits;
# FAULT_SECONDS: in any order, as many of these as fit into that time.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use List::Util qw(shuffle);
use Test::More;
use Time::HiRes qw(sleep time);

my @kinds = qw(error abort cancel kill terminate);
my $all_kinds = ($ENV{FAULT_KINDS} // '') eq 'all';
my $visits = $ENV{FAULT_VISITS} || 1;
my $wanted = $ENV{FAULT_PLACES} // '.';
my $seed = $ENV{FAULT_SEED} // 1;
my $seconds = $ENV{FAULT_SECONDS};

my $node = PostgreSQL::Test::Cluster->new('faults');
$node->init;
$node->append_conf('postgresql.conf', <<EOC);
fsync = off
wal_level = replica
shared_buffers = 2MB
max_connections = 10
max_prepared_transactions = 5
max_parallel_workers_per_gather = 0
autovacuum = off
jit = off
checkpoint_timeout = 1h
restart_after_crash = on
log_statement = none
EOC
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION nodedb_ts');

# ---- the workload

my $next = 0;

# The same statement for the table and its twin; T is their name.
sub twin
{
	my ($sql, $number) = @_;
	$number //= '';
	return join('', map { (my $s = $sql) =~ s/\bT\b/$_$number/g; "$s;\n" } ('t', 'h'));
}

# n rows that nobody else has, one hour in a hundred.
sub rows
{
	my ($n, $number) = @_;
	my $from = $next + 1;
	$next += $n;
	return twin("INSERT INTO T SELECT '2024-01-01'::timestamptz + i % 100 * interval '1 h', i, 's' || i % 7 FROM generate_series($from, $next) i", $number);
}

sub one_row
{
	my ($number) = @_;
	$next++;
	return twin("INSERT INTO T VALUES ('2024-02-01', $next, 'one')", $number);
}

# Rows of more than a page each, that are segments of their own; in the table only, so
# they must be rolled back.
sub large_rows
{
	my ($n) = @_;
	my $from = $next + 1;
	$next += $n;
	return "INSERT INTO t SELECT '2024-03-01', i, (SELECT string_agg(md5(i * 1000 + k || ''), '') FROM generate_series(1, 520) k) FROM generate_series($from, $next) i;\n";
}

sub transaction { return join('', "BEGIN;\n", @_, "COMMIT;\n"); }

my $digest = 'SELECT count(*) || \' \' || coalesce(sum(hashtextextended(x::text, 0)::numeric), 0) FROM %s x';
sub compare
{
	my ($where) = @_;
	return join('', map {
		sprintf("SELECT '$where: t$_ has ' || a || ', heap has ' || b FROM (SELECT ($digest) AS a, ($digest) AS b) c WHERE a <> b;\n", "t$_", "h$_")
	} ('', 2));
}

sub create
{
	return "SET lock_timeout = '60s';\nSELECT format('ROLLBACK PREPARED %L', gid) FROM pg_prepared_xacts \\gexec\n" .
	  join('', map { "DROP TABLE IF EXISTS t$_, h$_;\nCREATE TABLE t$_ (ts timestamptz, i int, s text) USING nodedb_ts;\nCREATE TABLE h$_ (LIKE t$_) USING heap;\n" } ('', 2));
}

# Small transactions and savepoints.
sub small
{
	return join('', map { transaction(one_row()) } 1 .. 3) .
	  transaction(rows(2), rows(3, 2), "SAVEPOINT a;\n", rows(40), "ROLLBACK TO a;\n", rows(1),
		"SAVEPOINT b;\n", rows(30), one_row(2), "SAVEPOINT c;\n", rows(5), "RELEASE c;\nRELEASE b;\n", rows(1),
		"SELECT count(*) FROM t WHERE false;\n", rows(2)) .
	  transaction(one_row(), "SAVEPOINT a;\n", one_row(2), "ROLLBACK TO a;\n");
}

# More rows than the budget holds: parts are written early, those of an outer transaction
# from within an inner one, too. What fails there and is caught must not change the rest.
sub overflow
{
	my ($n) = @_;
	return transaction(rows($n), "SAVEPOINT s;\n", rows($n), "ROLLBACK TO s;\n", rows($n / 2), "RELEASE s;\n", rows(10)) .
	  "DO \$\$ BEGIN\n" . rows($n) . "FOR k IN 1 .. 2 LOOP BEGIN\n" . rows($n / 2) .
	  "EXCEPTION WHEN operator_intervention THEN NULL; END; END LOOP;\n" . rows(5) . "END \$\$;\n";
}

sub rolled_back { return join('', "BEGIN;\n", @_, "ROLLBACK;\n"); }

sub prepared
{
	my ($n) = @_;
	return "BEGIN;\n" . one_row() . rows(20, 2) . "PREPARE TRANSACTION 'a';\nBEGIN;\n" . rows($n) . "PREPARE TRANSACTION 'b';\n" .
	  "ROLLBACK PREPARED 'b';\n" . transaction(one_row()) . "COMMIT PREPARED 'a';\n";
}

# All rows there are.
sub retention_of_all
{
	return ("SELECT ts_enforce_retention('t', interval '1 day', '2024-02-15');\n", "DELETE FROM h WHERE ts < '2024-02-14';\n");
}

# Rows whose text is worth a dictionary; of the table that has one.
sub paths
{
	my ($n) = @_;
	my $from = $next + 1;
	$next += $n;
	return twin("INSERT INTO T SELECT '2024-01-20', i, (SELECT string_agg(substr(md5((abs(hashint4(i * 3 + k)) % 3000)::text), 1, 9), '/') FROM generate_series(0, 2) k) FROM generate_series($from, $next) i", 2);
}

my $many = 9000;				# more than a segment's least
my $workload = join('',
	"SET nodedb_ts.memory_budget = '512kB';\n",
	small(),
	overflow($many),
	# segments at the file's end that are free: cut off
	rolled_back(rows($many)), "VACUUM t;\n",
	compare('after rows'),
	# more entries than a directory page holds; free neighbours that are joined, then used again
	rolled_back("SET LOCAL nodedb_ts.memory_budget = '64kB';\n", large_rows(75)),
	transaction(rows(500)), prepared($many),
	"VACUUM t;\n", transaction(one_row()), transaction(one_row()), "VACUUM t;\n",
	transaction(rows($many)), small(),
	"SELECT ts_flush('t');\n",
	small(),
	# merged, and what the merge left behind is used again
	rolled_back("SELECT FROM ts_compact('t');\n", one_row()),
	"SELECT FROM ts_compact('t');\n",
	compare('after ts_compact'),
	# frees; directory pages go to the front of the file, then segments, its end is cut off
	transaction(one_row()), "VACUUM t;\nVACUUM t;\nVACUUM t;\n",
	compare('after packing'),
	transaction(rows($many)), transaction(rows($many)), "SELECT ts_flush('t');\nSELECT FROM ts_compact('t');\n", small(),
	"BEGIN;\nSELECT ts_flush('t');\n", one_row(), "ROLLBACK;\n",
	"VACUUM (FREEZE) t;\n",
	compare('after flush'),
	# segments and small batches that are all older
	small(), rolled_back(retention_of_all()), transaction(retention_of_all()), transaction(rows(1000)), small(),
	compare('after retention'),
	# a new file while older snapshots may still want what is moved
	small(), "BEGIN;\n", one_row(2), "PREPARE TRANSACTION 'hold';\n",
	"SELECT ts_flush('t');\n", small(), "VACUUM FULL t;\nCOMMIT PREPARED 'hold';\n",
	small(),
	rolled_back(rows(10, 2), "TRUNCATE t2, h2;\n", rows(20, 2)),
	compare('after VACUUM FULL'),
	transaction(rows(10, 2), "TRUNCATE t2, h2;\n", rows(20, 2), "TRUNCATE t2, h2;\n", rows(30, 2)),
	"VACUUM (FREEZE) t, t2;\n",
	compare('at the end'),
	# a trained dictionary that is used, one after it, the first one retired and freed
	transaction(paths($many)), "SELECT FROM ts_train_dictionary('t2', 's');\n", transaction(paths($many)),
	"SELECT FROM ts_train_dictionary('t2', 's');\nVACUUM t2;\n",
	"SELECT FROM ts_compact('t2');\n", rolled_back("SELECT FROM ts_train_dictionary('t2', 's');\n"),
	transaction(paths(10)), "VACUUM (FREEZE) t2;\n", transaction(one_row(2)), "VACUUM (FREEZE) t2;\n",
	compare('after training'));

my $going_on = join('',
	"SET nodedb_ts.memory_budget = '512kB';\n",
	compare('after the failure'),
	# what waits for a decision gets one
	"SELECT format('%s PREPARED %L', CASE WHEN hashtext(transaction::text) % 2 = 0 THEN 'COMMIT' ELSE 'ROLLBACK' END, gid) FROM pg_prepared_xacts \\gexec\n",
	compare('after the decision'),
	"VACUUM t, t2;\n",
	transaction(rows($many)), small(), rolled_back(rows($many), rows(100, 2)), transaction(rows(2000)), prepared(100),
	"SELECT ts_flush('t'), ts_flush('t2') \\g /dev/null\n",
	"SELECT ts_compact('t'), ts_compact('t2') \\g /dev/null\n",
	small(),
	compare('after going on'),
	"VACUUM (FREEZE) t, t2;\nVACUUM (FREEZE) t, t2;\n",
	compare('after the last VACUUM'),
	"SELECT 'ts_verify', v.* FROM (VALUES ('t'), ('t2')) n(name), ts_verify(name::regclass) v;\n",
	"CHECKPOINT;\n",
	map { "SELECT 'path', '$_', pg_relation_filepath('$_'), (SELECT count(*) FROM ts_segments('$_'));\n" } ('t', 't2'));

# ---- who owns which blocks, read from the file (src/pg/storage/format.h)

my ($EMPTY, $LIVE, $FREE) = (0, 2, 5);

# What is wrong with a table after VACUUM (FREEZE) when nothing else runs: no extent may
# belong to a transaction, none may be unreachable or have two owners.
sub owners
{
	my ($name, $path, $visible_segments) = @_;
	my @problems;
	open(my $file, '<:raw', $node->data_dir . "/$path") or return "$name: $path: $!";
	my $blocks = (-s $file) / 8192;
	return if $blocks == 0;
	my $read = sub {
		my ($block) = @_;
		seek($file, $block * 8192, 0);
		my $bytes = '';
		read($file, $bytes, 8192);
		return $bytes . "\0" x (8192 - length $bytes);
	};
	my (undef, undef, undef, undef, undef, undef, $end, $directory, undef, $free, undef, undef, undef, undef, $delta_generation) =
	  unpack('L S S Q Q Q L L L L L L L L Q', substr($read->(0), 24));
	my %owner = (0 => 'metapage');
	my $own = sub {
		my ($block, $who) = @_;
		push @problems, "block $block belongs to $owner{$block} and $who" if exists $owner{$block};
		$owner{$block} = $who;
	};
	my ($free_seen, $segments, $pages) = (0, 0, 0);
	while ($directory != 0xFFFFFFFF && $pages++ < 1000)
	{
		my $page = $read->($directory);
		$own->($directory, 'the directory');
		my $lower = unpack('S', substr($page, 12, 2));
		for (my $at = 24; $at + 120 <= $lower; $at += 120)
		{
			my ($state, $level, undef, $xmin, undef, $xmax, undef, undef, undef, $generation, undef, undef, undef, undef, undef, $first, $count) =
			  unpack('C C S L L L L L Q Q Q Q Q q q L L', substr($page, $at, 120));
			next if $state == $EMPTY;
			my $who = "entry " . ($at - 24) / 120 . " of page $directory (state $state, level $level, xmin $xmin, xmax $xmax)";
			$own->($_, $who) for $first .. $first + $count - 1;
			$free_seen++ if $state == $FREE;
			$segments++ if $state == $LIVE && ($level == 1 || $level == 2);
			push @problems, "$who is left" if $state != $FREE && ($state != $LIVE || $xmin != 2 || $xmax != 0);
			next if $state == $FREE || $level > 0 || $generation == $delta_generation;
			# an extent of delta pages is freed when all of them are gone
			my $used = 0;
			for my $block ($first .. $first + $count - 1)
			{
				my ($rows, $move) = (unpack('L', substr($read->($block), 8192 - 56 + 28, 4)), unpack('L', substr($read->($block), 8192 - 56 + 48, 4)));
				$used = 1 if $move != 2;
				push @problems, "block $block is moved by $move" if $move > 2;
			}
			push @problems, "$who has no page that is used" unless $used;
		}
		$directory = unpack('L', substr($page, 8192 - 16 + 4, 4));
	}
	push @problems, "block $_ belongs to nobody" for grep { !exists $owner{$_} } 0 .. $end - 1;
	push @problems, "block $_ lies behind the end $end" for grep { $_ >= $end } keys %owner;
	push @problems, "$free_seen free extents, the metapage says $free" if $free_seen != $free;
	push @problems, "$segments segments, $visible_segments of them visible" if $segments != $visible_segments;
	push @problems, "$blocks blocks, $end of them allocated" if $blocks - $end > 1000 || $blocks - $end > $blocks / 16;
	return map { "$name: $_" } @problems;
}

# ---- running it

my $log_at = 0;
sub log_since { return slurp_file($node->logfile, $log_at); }
sub mark_log { $log_at = -s $node->logfile; return; }

# What a failure may lead to: itself, statements of the transaction it ended, prepared
# transactions and savepoints that it kept from being made.
my %expected = map { $_ => 1 } qw(57000 57014 57P01 57P02 25P02 25P01 3B001 42704);

sub errors
{
	my ($stderr) = @_;
	return grep { /^(?:psql:\S+ )?(?:ERROR|FATAL|PANIC):  (\w{5}):/ && !$expected{$1} } split /\n/, $stderr;
}

my $verbose = "\\set VERBOSITY verbose\nSET client_min_messages = error;\n";

# Lets a fault happen in the workload; returns what went wrong.
sub try_fault
{
	my ($fault, $dies) = @_;
	my @problems;
	mark_log();
	my ($ret, $out, $err) = $node->psql('postgres', $verbose . create() . "SET nodedb_ts.fault = '$fault';\n$workload", on_error_stop => 0);
	my ($kind, $place) = (split /:/, $fault)[1, 0];
	# its visits may be fewer than in the trace only if something is not deterministic
	push @problems, 'the place was not reached' if log_since() !~ /^nodedb_ts\.fault: $kind $place$/m;
	push @problems, $out if $out =~ /: t2? has /;
	push @problems, errors($err);
	push @problems, "psql returned $ret: $err" if $ret != ($dies || $kind eq 'terminate' ? 2 : 0);
	for (my $deadline = time() + 60; ($dies || log_since() =~ /was terminated by signal/) && log_since() !~ /ready to accept connections/; sleep 0.02)
	{
		BAIL_OUT("$fault: the server does not recover") if time() > $deadline;
	}
	# A session that was ended tells its client first and rolls back then; until it has, a prepared transaction is busy.
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'client backend'")
	  or push @problems, 'the session that failed does not end';
	($ret, $out, $err) = $node->psql('postgres', "$verbose$going_on", on_error_stop => 1);
	push @problems, "going on: psql returned $ret: $err" if $ret != 0;
	for (split /\n/, $out)
	{
		if (/^path\|(\w+)\|([^|]+)\|(\d+)$/) { push @problems, owners($1, $2, $3); }
		elsif (/: t2? has |^ts_verify/) { push @problems, $_; }
	}
	my $log = log_since();
	push @problems, "log: $1" while $log =~ /((?:TRAP|WARNING|ERROR|FATAL|PANIC): .*(?:nts_|corrupt|XX00|invalid|could not).*)/g;
	my $deaths = () = $log =~ /was terminated by signal/g;
	push @problems, "$deaths processes died" if $deaths != ($dies ? 1 : 0);
	return @problems;
}

# ---- which places there are, and that the workload comes to each of them

my ($ret, $out, $err) = $node->psql('postgres', "LOAD 'nodedb_ts'; SET nodedb_ts.fault = 'no_such_place:error'");
like($err, qr/invalid value for parameter "nodedb_ts.fault"/, 'a place that does not exist');
($ret, $out, $err) = $node->psql('postgres', "LOAD 'nodedb_ts'; CREATE ROLE nobody_special; SET ROLE nobody_special; SET nodedb_ts.fault = 'commit_begin:error'");
like($err, qr/permission denied to set parameter/, 'superusers only');

my @places = split / /, $node->safe_psql('postgres', "LOAD 'nodedb_ts'; SHOW nodedb_ts.fault_places");
cmp_ok(scalar(@places), '>', 50, scalar(@places) . ' places');
my %critical = map { s/!$// ? ($_ => 1) : () } @places;

mark_log();
my $start = time();
($ret, $out, $err) = $node->psql('postgres', $verbose . create() . "SET nodedb_ts.fault = 'all:trace';\n$workload", on_error_stop => 1);
is($ret, 0, 'the workload without a failure') or diag $err;
unlike($out, qr/: t2? has /, 'leaves the same rows');
note sprintf('%.1f s', time() - $start);
my $trace = log_since();
my %reached;
$reached{$1}++ while $trace =~ /^nodedb_ts\.fault: trace (\w+)$/mg;
is_deeply([ grep { !$reached{$_} } @places ], [], 'it comes to every place');
note "visits: ", join(', ', map { "$_ " . ($reached{$_} // 0) } @places);

# ---- an inner transaction fails while it writes rows of the outer one, which goes on

my %caught = (
	'a savepoint' => ["BEGIN;\n%s", "SAVEPOINT s;\n%s", "ROLLBACK TO s;\n%sCOMMIT;\n"],
	'a block' => ["DO \$\$ BEGIN\n%s", "BEGIN\n%sEXCEPTION WHEN operator_intervention THEN NULL; END;\n", "%sEND \$\$;\n"]);
for (['freeze_begin', 1], ['freeze_encoded', 1, 3], ['freeze_output', 1, 2], ['freeze_end', 1], ['append_record', 1, 2])
{
	my ($place, @visits) = @$_;
	my ($missed, $differences) = (0, '');
	for my $how (sort keys %caught)
	{
		# the outer rows fill most of what the budget allows, and are the larger part
		my $sql = sprintf(join('', @{ $caught{$how} }), rows(4000), rows(3000), rows(5));
		for my $visit (@visits)
		{
			mark_log();
			($ret, $out, $err) = $node->psql('postgres', $verbose . create() . "SET nodedb_ts.memory_budget = '256kB';\nSET nodedb_ts.fault = '$place:error:$visit';\n$sql" . compare("$how, visit $visit"), on_error_stop => 0);
			$missed++ if log_since() !~ /^nodedb_ts\.fault: error $place$/m;
			$differences .= $out;
		}
	}
	is($differences, '', "an inner error at $place");
	is($missed, 0, 'it happened each time');
}

# ---- and now each of them

my $turn = $seed;
my @faults;
note "FAULT_SEED=$seed";
srand($seed);
for my $place (grep { $reached{$_} && /$wanted/ } @places)
{
	for my $kind ($all_kinds ? @kinds : $kinds[ $turn++ % @kinds ])
	{
		my $n = $reached{$place} < $visits ? $reached{$place} : $visits;
		for my $k (0 .. $n - 1)
		{
			# one of each of n equal shares of the visits
			my $visit = 1 + int(($k + rand()) * $reached{$place} / $n);
			push @faults, [ $place, $kind, $visit ];
		}
	}
}
@faults = shuffle(@faults) if $seconds;
my $end = time() + ($seconds // 0);
my ($tried, $wrong) = (0, 0);
for (@faults)
{
	my ($place, $kind, $visit) = @$_;
	last if $seconds && time() > $end;
	my @problems = try_fault("$place:$kind:$visit", $kind =~ /abort|kill/ || ($kind eq 'error' && $critical{$place}));
	$tried++;
	$wrong++ if @problems;
	is(scalar(@problems), 0, "$kind at $place, visit $visit of $reached{$place}");
	splice(@problems, 20);
	diag $_ for @problems;
}
note sprintf('%.1f s', time() - $start);
note "figures: failures = $tried, places = " . scalar(keys %{ { map { $_->[0] => 1 } @faults } }) . ", wrong afterwards = $wrong";
$node->stop;
done_testing();
