# Damaged files: a flipped bit anywhere in a table gives the right answer or an error
# that says so, never a wrong answer, never a crash; ts_verify names it. The same for
# files that were cut off, for newer formats, and for files that cannot be read.
#
# DAMAGE_FLIPS (2000) sets the number of flipped bits, DAMAGE_SEED the random sequence.
#
# Tables are damaged in a running server: a table that has just been made has an empty
# file and no page in the buffers, so the damaged bytes are simply put there.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $flips = $ENV{DAMAGE_FLIPS} || 2000;
my $seed = $ENV{DAMAGE_SEED} || 20240101;
my $clones = 50;
srand($seed);
note "DAMAGE_FLIPS=$flips DAMAGE_SEED=$seed";

my $node = PostgreSQL::Test::Cluster->new('damage');
$node->init;
$node->append_conf('postgresql.conf', <<EOC);
log_statement = none
log_min_messages = fatal
autovacuum = off
fsync = off
restart_after_crash = off
statement_timeout = 60s
allow_system_table_mods = on
max_parallel_workers_per_gather = 0
EOC
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]); }
my $page_size = 8192;

# ---- a table with everything in it
my $row = q{SELECT '2024-01-01'::timestamptz + g * interval '7 s', 'host-' || g % 5, CASE WHEN g % 3 > 0 THEN 'r' || g % 2 END, g * 0.1,
	(g % 50)::float4 / 3, g * g, g % 9, g % 2 = 0, md5(g::text)::uuid, (g % 100) / 7.0, repeat(chr(97 + g % 26), g % 60), jsonb_build_object('g', g), 'n' || g % 4
	FROM generate_series(%d, %d) g};
my $insert = sub { return 'INSERT INTO t ' . sprintf($row, @_) };
sql('CREATE EXTENSION nodedb_ts');
sql('CREATE TABLE t (ts timestamptz, host text, region text, cpu float8, mem float4, n bigint, small int2, ok bool, id uuid, price numeric, log text, j jsonb, kind name) USING nodedb_ts');
sql($insert->(1, 1700));
# a segment with row ids, one with command ids
sql(q{CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
	CREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW WHEN (new.n = 4) EXECUTE FUNCTION f();});
sql($insert->(1, 1700));
sql('DROP TRIGGER tr ON t');
sql('BEGIN; ' . $insert->(5000, 5900) . '; ' . $insert->(5901, 6700) . '; SELECT count(*) FROM t; COMMIT');
my $one = sub { my ($from, $to) = @_; my $r = $row =~ s/%d, %d/k, k/r; return "DO \$\$ BEGIN FOR k IN $from .. $to LOOP INSERT INTO t $r; COMMIT; END LOOP; END \$\$"; };
sql($one->(1, 250));
sql($insert->(10000, 10400));
sql(q{SELECT ts_flush('t')});
sql('VACUUM t');
sql($one->(300, 420));
sql('BEGIN; ' . $insert->(7000, 7005) . '; ROLLBACK');
sql($insert->(7100, 7140));
sql(q{BEGIN; SELECT ts_flush('t'); ROLLBACK});
sql($one->(500, 620));
sql(q{INSERT INTO t VALUES (NULL, NULL, NULL, 'NaN', '-Infinity', NULL, NULL, NULL, NULL, 'NaN', repeat('long', 5000), NULL, NULL)});
is(sql(q{SELECT count(*) FROM ts_verify('t')}), 0, 'the table is sound');
sql('CHECKPOINT');
my $frozen = sql(q{SELECT relfrozenxid FROM pg_class WHERE oid = 't'::regclass});
my $image = slurp_file($node->data_dir . '/' . sql(q{SELECT pg_relation_filepath('t')}));
my $blocks = length($image) / $page_size;

# ---- what is asked of every damaged table
sql(q{
CREATE FUNCTION probe(c regclass) RETURNS TABLE (what text, state text, answer text) LANGUAGE plpgsql AS $$
DECLARE
	q text[] := ARRAY[
		'count', 'SELECT count(*) FROM %1$s',
		'all', 'SELECT count(*) || '' '' || sum(hash_record_extended(t, 0)::numeric) FROM %1$s t',
		'column', 'SELECT sum(n) || '' '' || count(log) FROM %1$s',
		'time', 'SELECT count(*) || '' '' || max(host) FROM %1$s WHERE ts > ''2024-01-01 01:00''',
		'tid', 'SELECT count(*) FROM %1$s WHERE ctid = ''(0,5)''',
		'sample', 'SELECT count(host) FROM %1$s TABLESAMPLE SYSTEM (100)',
		'segments', 'SELECT count(*) || '' '' || sum(rows) FROM ts_segments(''%1$s'')',
		'verify', 'SELECT coalesce(string_agg(what || '': '' || detail, ''; ''), '''') FROM ts_verify(''%1$s'')'];
BEGIN
	FOR i IN 1 .. array_length(q, 1) BY 2 LOOP
		what := q[i];
		BEGIN
			state := '00000';
			EXECUTE format(q[i + 1], c) INTO answer;
		EXCEPTION WHEN OTHERS THEN
			state := SQLSTATE;
			answer := SQLERRM;
		END;
		RETURN NEXT;
	END LOOP;
	what := 'write';
	BEGIN
		EXECUTE format('INSERT INTO %s (n, host) SELECT i, ''w'' FROM generate_series(1, 20) i', c);
		PERFORM ts_flush(c);
		EXECUTE format('INSERT INTO %s (n, host) VALUES (21, ''w'')', c);
		EXECUTE format('SELECT count(*) || '' '' || sum(hash_record_extended(t, 0)::numeric) FROM %s t', c) INTO answer;
		RAISE EXCEPTION '%', answer USING ERRCODE = 'YY000';
	EXCEPTION WHEN OTHERS THEN
		state := replace(SQLSTATE, 'YY000', '00000');
		answer := SQLERRM;
	END;
	RETURN NEXT;
	what := 'again';
	BEGIN
		state := '00000';
		EXECUTE format('SELECT count(*) || '' '' || sum(hash_record_extended(t, 0)::numeric) FROM %s t', c) INTO answer;
	EXCEPTION WHEN OTHERS THEN
		state := SQLSTATE;
		answer := SQLERRM;
	END;
	RETURN NEXT;
END $$;});
my $names = join(', ', map { "c$_" } 0 .. $clones - 1);
sql(join(";\n", map { "CREATE TABLE c$_ (LIKE t) USING nodedb_ts" } 0 .. $clones - 1));

# Puts these contents into the clones, asks each; returns for each its answers by name,
# [sqlstate, answer].
sub ask
{
	my (@contents) = @_;
	sql("TRUNCATE $names; UPDATE pg_class SET relfrozenxid = '$frozen' WHERE relname ~ '^c\\d+\$';");
	my %path = map { split /\|/ } split /\n/, sql(q{SELECT relname, pg_relation_filepath(oid) FROM pg_class WHERE relname ~ '^c\d+$'});
	for my $i (0 .. $#contents)
	{
		open(my $f, '>', $node->data_dir . '/' . $path{"c$i"}) or die "$!";
		binmode $f;
		print $f $contents[$i] or die "$!";
		close $f or die "$!";
	}
	my $script = '';
	for my $i (0 .. $#contents)
	{
		$script .= "SELECT $i, (p).what, (p).state, translate((p).answer, E'\\n|', '  ') FROM (SELECT probe('c$i') p) x;\n\\echo $i|probe|:SQLSTATE|\n"
		  . "VACUUM (ANALYZE) c$i;\n\\echo $i|vacuum|:SQLSTATE|\n"
		  . "SELECT $i, 'after', '00000', count(*) || ' ' || sum(hash_record_extended(t, 0)::numeric) FROM c$i t;\n\\echo $i|last|:SQLSTATE|\n";
	}
	my ($out, $err) = ('', '');
	my $ok = $node->psql('postgres', $script, stdout => \$out, stderr => \$err, on_error_stop => 0);
	my @answers;
	for (split /\n/, $out)
	{
		my ($i, $what, $state, $answer) = split /\|/, $_, 4;
		next unless defined $state;
		# the SQLSTATE of an asked row stands in the row behind it
		$answers[$i]{$what} = [ $state, $answer // '' ];
	}
	return ($ok == 0, $err, @answers);
}

# What is wrong with the answers of a damaged table: '' when nothing is.
my %fitting = map { $_ => 1 } qw(00000 XX001 0A000 54000);
my %states;
my $right;
sub judge
{
	my ($answers, %params) = @_;
	return 'no answer' unless $answers && $answers->{last};
	my @wrong;
	for my $what (sort keys %$answers)
	{
		my ($state, $answer) = @{ $answers->{$what} };
		$states{$state}++;
		push @wrong, "$what: $state $answer" unless $fitting{$state} || ($params{also} && $state =~ $params{also});
		next if $state ne '00000' || $what eq 'verify';
		push @wrong, "$what: '$answer' instead of '$right->{$what}[1]'" if $answer ne $right->{$what}[1];
	}
	return join('; ', @wrong);
}

my ($ok, $err, $sound) = ask($image);
$right = $sound;
ok($ok && $err eq '', 'the copy of the table') or diag $err;
is($sound->{verify}[1], '', 'is sound');
is(join(' ', sort map { $_->[0] } values %$sound), join(' ', ('00000') x keys %$sound), 'and answers everything');
is($sound->{all}[1], sql('SELECT count(*) || \' \' || sum(hash_record_extended(t, 0)::numeric) FROM t'), 'as the table does');

# ---- flipped bits
# pages by kind, from the special area; 0: free extents and unused delta pages, which
# nobody looks at
my (%pages, %free);
for (my $at = $page_size + 24; $at < $page_size + unpack('S', substr($image, $page_size + 12, 2)); $at += 120)
{
	my ($first, $count) = unpack('LL', substr($image, $at + 80, 8));
	if (unpack('C', substr($image, $at, 1)) == 5) { $free{$_} = 1 for $first .. $first + $count - 1 }
}
my ($allocated_end, $delta_next, $delta_end) = unpack('x32 L x16 L L', substr($image, 24, 60));
$free{$_} = 1 for $allocated_end .. $blocks - 1;
$free{$_} = 1 for $delta_next .. $delta_end - 1;
for my $b (0 .. $blocks - 1)
{
	my $special = unpack('S', substr($image, $b * $page_size + 16, 2));
	my $kind = $special ? unpack('C', substr($image, $b * $page_size + $special, 1)) : 0;
	push @{ $pages{ $free{$b} ? 0 : $kind } }, $b;
}
is(join(' ', sort keys %pages), '0 1 2 3 4', 'there are pages of every kind: ' . join(', ', map { "$_: " . @{ $pages{$_} } } sort keys %pages));

# A random bit: kinds of pages are equally likely; bytes in use more than others. Not
# the LSN and the checksum: they belong to PostgreSQL, which believes the one and looks
# at the other only where it is told to.
sub random_flip
{
	my @kinds = sort keys %pages;
	my $kind = rand() < 0.03 ? 0 : $kinds[ 1 + int(rand($#kinds)) ];
	my $block = $pages{$kind}[ int(rand(@{ $pages{$kind} })) ];
	my ($lower, $upper, $special) = unpack('SSS', substr($image, $block * $page_size + 12, 6));
	# a page of zeros
	($lower, $special) = (24 + 1000, $page_size - 64) unless $special;
	my $dice = rand();
	my $at =
	    $dice < 0.10 ? 10 + int(rand(14))
	  : $dice < 0.30 ? $special + int(rand($page_size - $special))
	  : $dice < 0.95 ? 24 + int(rand($lower - 24))
	  : 10 + int(rand($page_size - 10));
	return ($kind, $block, $at, 1 << int(rand(8)));
}

my (%tried, %named, %noticed, @bad, $crashed);
for (my $done = 0; $done < $flips && !$crashed; $done += $clones)
{
	my (@contents, @what);
	for my $i (1 .. $clones)
	{
		my ($kind, $block, $at, $bit) = random_flip();
		my $copy = $image;
		substr($copy, $block * $page_size + $at, 1) ^= chr($bit);
		push @contents, $copy;
		push @what, [ $kind, $block, $at, $bit ];
	}
	my ($fine, $errors, @answers) = ask(@contents);
	$crashed = 1 unless $fine;
	for my $i (0 .. $#contents)
	{
		my ($kind, $block, $at, $bit) = @{ $what[$i] };
		my $problem = judge($answers[$i]);
		push @bad, "page kind $kind, block $block, byte $at, bit $bit: $problem" if $problem ne '';
		$tried{$kind}++;
		$named{$kind}++ if ($answers[$i]{verify}[1] // '') ne '';
		$noticed{$kind}++ if grep { $_->[0] ne '00000' } values %{ $answers[$i] // {} };
		push @bad, "page kind $kind, block $block, byte $at, bit $bit: ts_verify failed with $answers[$i]{verify}[0]"
		  if ($answers[$i]{verify}[0] // '') ne '00000';
		# what a query stumbles over, ts_verify names
		push @bad, "page kind $kind, block $block, byte $at, bit $bit: ts_verify names nothing, but " . join(', ', map { "$_: @{$answers[$i]{$_}}" } grep { $answers[$i]{$_}[0] ne '00000' } sort keys %{ $answers[$i] })
		  if ($answers[$i]{verify}[1] // 'x') eq '' && grep { $_->[0] ne '00000' } values %{ $answers[$i] };
	}
	diag $errors if $crashed;
}
my $wrong = @bad;
ok(!$crashed, 'the server survives');
is(scalar(@bad), 0, "$flips flipped bits: right answers or errors that say so");
diag $_ for splice(@bad, 0, 20);
my %name = (0 => 'free', 1 => 'metapage', 2 => 'directory', 3 => 'delta', 4 => 'segment');
for my $kind (sort keys %tried)
{
	note sprintf('%s: %d bits, %d named by ts_verify, %d met by queries', $name{$kind}, $tried{$kind}, $named{$kind} // 0, $noticed{$kind} // 0);
}
note 'answers by SQLSTATE: ' . join(', ', map { "$_ $states{$_}" } sort keys %states);
my ($tried, $named) = (0, 0);
$tried += $tried{$_} for grep { $_ } keys %tried;
$named += $named{$_} // 0 for grep { $_ } keys %tried;
note "figures: flips = $flips, wrong answers = $wrong, named by ts_verify = $named of $tried in use";
is($named{0} // 0, 0, 'free blocks may hold anything');
cmp_ok($named, '>', 0.95 * $tried, "ts_verify names $named of $tried");

# ---- files that end too early, at a block and inside one
{
	my @ends = ((map { $_ * $page_size } 1 .. $blocks - 1), map { int(rand($blocks)) * $page_size + 1 + int(rand($page_size - 1)) } 1 .. 10);
	my @problems;
	while (my @some = splice(@ends, 0, $clones))
	{
		my ($fine, $errors, @answers) = ask(map { substr($image, 0, $_) } @some);
		diag $errors unless $fine;
		for my $i (0 .. $#some)
		{
			my $problem = judge($answers[$i]);
			push @problems, "$some[$i] bytes: $problem" if $problem ne '' || !$fine;
			push @problems, "$some[$i] bytes: ts_verify names nothing" if ($answers[$i]{all}[0] // '') ne '00000' && ($answers[$i]{verify}[1] // '') eq '';
		}
	}
	is(scalar(@problems), 0, 'files cut off at every block');
	diag $_ for splice(@problems, 0, 20);
}

# ---- a block of zeros in place of each page
{
	my @all = (0 .. $blocks - 1);
	my @problems;
	while (my @some = splice(@all, 0, $clones))
	{
		my @contents = map { my $copy = $image; substr($copy, $_ * $page_size, $page_size) = "\0" x $page_size; $copy } @some;
		my ($fine, $errors, @answers) = ask(@contents);
		for my $i (0 .. $#some)
		{
			# an empty block 0 is an empty table, but for ts_verify
			my $problem = $some[$i] == 0 ? '' : judge($answers[$i]);
			push @problems, "block $some[$i]: $problem" if $problem ne '' || !$fine;
			push @problems, "block $some[$i]: ts_verify names nothing"
			  if ($answers[$i]{verify}[1] // '') eq '' && ($some[$i] == 0 || $answers[$i]{all}[0] ne '00000');
		}
	}
	is(scalar(@problems), 0, 'blocks of zeros');
	diag $_ for splice(@problems, 0, 20);
}

# ---- pages of the same table in each other's place
{
	my @contents;
	for my $i (1 .. $clones)
	{
		my ($from, $to) = map { int(rand($blocks)) } 1 .. 2;
		my $copy = $image;
		substr($copy, $to * $page_size, $page_size) = substr($image, $from * $page_size, $page_size);
		push @contents, $copy;
	}
	my ($fine, $errors, @answers) = ask(@contents);
	ok($fine, 'misplaced pages: the server survives') or diag $errors;
	my @problems = grep { $_ ne '' } map { judge($_) } @answers;
	# two pages of one extent: told apart by nothing but their content
	@problems = grep { !/instead of/ } @problems;
	is(scalar(@problems), 0, 'misplaced pages') or diag join("\n", splice(@problems, 0, 10));
}

# ---- well-formed lies: checksums are right, what they cover is not; ts_verify finds each by its own rule
{
	my @table = map { my $c = $_; $c = $c & 1 ? ($c >> 1) ^ 0x82F63B78 : $c >> 1 for 1 .. 8; $c } 0 .. 255;
	my $crc32c = sub {
		my $c = 0xFFFFFFFF;
		$c = $table[($c ^ $_) & 0xFF] ^ ($c >> 8) for unpack('C*', $_[0]);
		return $c ^ 0xFFFFFFFF;
	};
	# member => its place in an entry or in the metapage, its format
	my %entry_member = (state => [ 0, 'C' ], level => [ 1, 'C' ], flags => [ 2, 'S' ], xmin => [ 4, 'L' ], xmax => [ 12, 'L' ], generation => [ 32, 'Q' ],
		first_row_id => [ 40, 'Q' ], last_row_id => [ 48, 'Q' ], rows => [ 56, 'Q' ], min_time => [ 64, 'q' ], max_time => [ 72, 'q' ],
		first_block => [ 80, 'L' ], block_count => [ 84, 'L' ], byte_length => [ 88, 'Q' ], footer_offset => [ 96, 'Q' ], time_column => [ 104, 'L' ]);
	my %meta_member = (next_row_id => [ 8, 'Q' ], next_generation => [ 16, 'Q' ], allocated_end => [ 32, 'L' ], free_extents => [ 44, 'L' ], delta_end => [ 56, 'L' ], directory_pages => [ 72, 'L' ], empty_slots => [ 76, 'L' ]);
	my $get = sub { my ($bytes, $member) = @_; return unpack($member->[1], substr($bytes, $member->[0], length pack($member->[1], 0))); };
	# segments that everybody sees; first one with times
	my @segments;
	for my $block (@{ $pages{2} })
	{
		for (my $at = 24; $at + 120 <= unpack('S', substr($image, $block * $page_size + 12, 2)); $at += 120)
		{
			my $place = $block * $page_size + $at;
			my $bytes = substr($image, $place, 120);
			my ($state, $level) = map { $get->($bytes, $entry_member{$_}) } qw(state level);
			is($get->($bytes, [ 116, 'L' ]), $crc32c->(substr($bytes, 0, 116)), 'the checksum is computed as the server does') if !@segments && $level && $state == 2;
			my ($xmin, $xmax, $flags) = map { $get->($bytes, $entry_member{$_}) } qw(xmin xmax flags);
			next if $state != 2 || !$level || $xmax != 0 || ($xmin != 2 && sql("SELECT txid_status($xmin)") ne 'committed');
			if ($flags & 1) { unshift @segments, $place; } else { push @segments, $place; }
		}
	}
	cmp_ok(scalar(@segments), '>=', 2, 'there are segments');
	my $lie = sub {
		my (%change) = @_;
		my $copy = $image;
		my $place = $change{at} // $segments[0];
		my ($base, $length, $members) = $change{meta} ? (24, 80 + 16 * 16, \%meta_member) : ($place, 120, \%entry_member);
		my $bytes = substr($copy, $base, $length);
		$bytes = "\0" x 120 if $change{empty};
		for my $name (keys %{ $change{set} // {} })
		{
			my $member = $members->{$name};
			my $value = $change{set}{$name}->($get->($bytes, $member));
			substr($bytes, $member->[0], length pack($member->[1], 0)) = pack($member->[1], $value);
		}
		if ($change{meta})
		{
			substr($bytes, 60, 4) = '';
			substr($bytes, 60, 0) = pack('L', $crc32c->($bytes));
		}
		else { substr($bytes, 116, 4) = pack('L', $crc32c->(substr($bytes, 0, 116))); }
		substr($copy, $base, $length) = $bytes;
		return $copy;
	};
	my $other = sub { my ($name) = @_; return $get->(substr($image, $segments[1], 120), $entry_member{$name}); };
	my @lies = (
		# name, contents, what ts_verify must say
		[ 'the metapage itself, written anew', $lie->(meta => 1), qr/^$/ ],
		[ 'an entry, written anew', $lie->(), qr/^$/ ],
		[ 'a leak: an extent without an entry', $lie->(empty => 1), qr/extent: blocks \d+ to \d+ belong to nobody/ ],
		[ 'a leak at the end', $lie->(meta => 1, set => { allocated_end => sub { $_[0] + 3 } }), qr/extent: blocks \d+ to \d+ belong to nobody/ ],
		[ 'two owners', $lie->(set => { first_block => sub { $other->('first_block') } }), qr/extent: it belongs to .* and to / ],
		[ 'a longer extent', $lie->(set => { block_count => sub { $_[0] + 1 } }), qr/extent: it belongs to .* and to / ],
		[ 'another generation', $lie->(set => { generation => sub { $other->('generation') } }), qr/generation/ ],
		[ 'one row more', $lie->(set => { rows => sub { $_[0] + 1 }, last_row_id => sub { $_[0] + 1 } }), qr/rows/ ],
		[ 'one row less', $lie->(set => { rows => sub { $_[0] - 1 } }), qr/rows/ ],
		[ 'row ids of another segment', $lie->(set => { first_row_id => sub { $other->('first_row_id') }, last_row_id => sub { $other->('first_row_id') + $_[0] - $get->(substr($image, $segments[0], 120), $entry_member{first_row_id}) } }), qr/row ids/ ],
		[ 'row ids that were never given out', $lie->(meta => 1, set => { next_row_id => sub { 2 } }), qr/row ids/ ],
		[ 'a least time that is too large', $lie->(set => { min_time => sub { $_[0] + 1 } }), qr/time/ ],
		[ 'a largest time that is too small', $lie->(set => { max_time => sub { $_[0] - 1 } }), qr/time/ ],
		[ 'times that nobody has looked at', $lie->(set => { flags => sub { $_[0] & ~1 } }), qr/time/ ],
		[ 'an id from the future', $lie->(set => { xmin => sub { 4000000 } }), qr/visibility: .*has not been given out yet/ ],
		[ 'killed by nobody', $lie->(set => { state => sub { 4 } }), qr/killed by nobody/ ],
		[ 'a footer elsewhere', $lie->(set => { footer_offset => sub { $_[0] - 8 } }), qr/footer/ ],
		[ 'fewer bytes', $lie->(set => { byte_length => sub { $_[0] - 8 } }), qr/\w/ ],
		[ 'times of another column', $lie->(set => { time_column => sub { $_[0] + 1 } }), qr/its time is column \d+, its directory entry says \d+/ ],
		[ 'times of no column', $lie->(set => { time_column => sub { 0 } }), qr/has times of no column/ ],
		[ 'a directory page too many', $lie->(meta => 1, set => { directory_pages => sub { $_[0] + 1 } }), qr/metapage: it counts \d+ pages and \d+ empty slots/ ],
		[ 'an empty slot too many', $lie->(meta => 1, set => { empty_slots => sub { $_[0] + 1 } }), qr/metapage: it counts \d+ pages and \d+ empty slots/ ],
		[ 'a free extent too many', $lie->(meta => 1, set => { free_extents => sub { $_[0] + 1 } }), qr/metapage: it counts \d+ free extents, there are \d+/ ],
		[ 'another end of the newest delta extent', $lie->(meta => 1, set => { delta_end => sub { $_[0] + 1 } }), qr/metapage: its newest delta extent ends at/ ],
		[ 'generations that come again', $lie->(meta => 1, set => { next_generation => sub { 1 } }), qr/generation/ ]);
	for (my $at = 0; $at < @lies; $at += $clones)
	{
		my @some = @lies[ $at .. ($at + $clones > @lies ? $#lies : $at + $clones - 1) ];
		my ($fine, $errors, @answers) = ask(map { $_->[1] } @some);
		ok($fine, 'the server survives') or diag $errors;
		like($answers[$_]{verify}[1], $some[$_][2], "ts_verify on $some[$_][0]") for 0 .. $#some;
		note "$some[$_][0]: " . substr($answers[$_]{verify}[1], 0, 150) for 0 .. $#some;
	}

	# a segment that is said to be a set of dictionaries, which would be read as a whole: not if there are too many bytes
	sql(q{CREATE TABLE large (v bytea) USING nodedb_ts; INSERT INTO large SELECT decode(string_agg(md5(i::text), ''), 'hex') FROM generate_series(1, 1100000) i; CHECKPOINT});
	is(sql(q{SELECT count(*) FROM ts_verify('large')}), '0', 'a large segment is sound');
	my $path = $node->data_dir . '/' . sql(q{SELECT pg_relation_filepath('large')});
	$node->stop;
	open(my $file, '+<:raw', $path) or die "$!";
	seek $file, 0, 0;
	read $file, my $meta_page, $page_size;
	my $place = unpack('L', substr($meta_page, 24 + 36, 4)) * $page_size + 24;
	seek $file, $place, 0;
	read $file, my $entry, 120;
	my %said = (level => 3, flags => 0, rows => 0, footer_offset => 0, dictionaries => 1);
	substr($entry, $_->[0], length pack($_->[1], 0)) = pack($_->[1], $_->[2]) for map { [ @{ $entry_member{$_} // [ 108, 'L' ] }, $said{$_} ] } keys %said;
	substr($entry, 116, 4) = pack('L', $crc32c->(substr($entry, 0, 116)));
	seek $file, $place, 0;
	print $file $entry;
	close $file;
	$node->start;
	is(sql(q{SELECT what || ': ' || detail FROM ts_verify('large')}),
		'dictionaries: their directory entry says ' . $get->($entry, $entry_member{byte_length}) . ' bytes, there may be 16777216', 'too many bytes for a set of dictionaries');
	sql('DROP TABLE large');
}

# ---- newer formats
{
	my @contents;
	for my $change ([ 28, 'S', 6 ], [ 30, 'S', 2 ])
	{
		my $copy = $image;
		substr($copy, $change->[0], 2) = pack('S', $change->[2]);
		push @contents, $copy;
	}
	my ($fine, $errors, @answers) = ask(@contents);
	for my $i (0, 1)
	{
		is($answers[$i]{$_}[0], '0A000', "newer format, $_") for qw(count all write segments vacuum);
		like($answers[$i]{count}[1], qr/has storage format \d+\.\d+, this nodedb_ts reads up to/, 'names both');
		like($answers[$i]{verify}[1], qr/^metapage: .*storage format/, 'ts_verify says so') or diag $answers[$i]{verify}[1];
	}
}

# ---- a file that cannot be read
SKIP:
{
	skip 'root reads everything', 3 if $> == 0;
	sql("TRUNCATE $names");
	my $file = $node->data_dir . '/' . sql(q{SELECT pg_relation_filepath('c0')});
	append_to_file($file, $image);
	chmod 0, $file;
	for my $query (q{SELECT count(*) FROM c0}, q{INSERT INTO c0 (n) VALUES (1)})
	{
		my ($ret, $out, $message) = $node->psql('postgres', $query, extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
		like($message, qr/42501/, "unreadable: $query");
	}
	like(sql(q{SELECT what || ' ' || detail FROM ts_verify('c0')}), qr/^file .*Permission denied/, 'ts_verify says so');
	chmod 0600, $file;
}

$node->stop('immediate');
done_testing();
