# What the twin (see Twin.pm) does: tables, rows, statements. A new kind of
# statement is a line in @kinds and a function that returns what to queue.
#
# A pair of tables is called NAME_t (nodedb_ts) and NAME_h (heap); in a template
# %T stands for either. An item of the queue is a hash:
#   sql       a statement
#   copy      the data of a COPY ... FROM stdin
#   then      called with (twin, session, result) when it has succeeded
#   failed    the same when it has failed
#   may_fail  then is called in either case; the statement undoes itself
#   alone     commits by itself, so that failing would part the twins
#   or        SQLSTATEs that it may fail with, too
#   code      instead of sql: called with (twin, session)
# Statements whose rows depend on a snapshot lock both tables first, so that
# nobody comes between the two under READ COMMITTED.
package TwinStatements;

use strict;
use warnings;

# Name => columns, how many rows one INSERT may have, beyond which number of rows
# the whole pair is looked at less often.
my %pairs = (
	narrow => { columns => 'ts timestamptz, tag int, v float8', most => 20000, look => 20000 },
	wide => { most => 700, look => 700 },
	plain => { kind => 'UNLOGGED', columns => 'ts timestamptz, tag int, a int8, b numeric, c text, d bytea', most => 3000, look => 4000 },
	log => { columns => 'ts timestamptz, tag int, note text', most => 300, look => 4000 },
);
sub pairs { return sort keys %pairs; }
sub look_rows { return $pairs{ $_[0] }{look}; }

# ---- rows -------------------------------------------------------------------

# Each column: type, a smooth value of row i, special ones. r(n) is a number below n that depends on seed, row, column.
my @wide = (
	[ ts => 'timestamptz', q{'2024-01-01'::timestamptz + i * interval '1 s'}, q{'-infinity', 'infinity', '4713-01-01 BC', '294276-12-31 23:59:59.999999', NULL, '1970-01-01'} ],
	[ tag => 'int', 'i % 7', '0, -1, 2147483647, -2147483648, NULL, r(100)' ],
	[ bo => 'bool', 'i % 3 = 0', 'true, false, NULL' ],
	[ i2 => 'int2', '(i % 100)::int2', '0, -32768, 32767, NULL' ],
	[ i4 => 'int4', 'i * 10', '0, -2147483648, 2147483647, NULL, r(1000000)' ],
	[ i8 => 'int8', 'i::int8 * 1000003', '0, -9223372036854775808, 9223372036854775807, NULL, r(1000000) * 4000000000' ],
	[ f4 => 'float4', '(i / 4.0)::float4', q{0, '-0', 'NaN', 'Infinity', '-Infinity', 1e-45, 3.4028235e38, NULL, r(1000000) / 7.0} ],
	[ f8 => 'float8', 'round(i * 0.1, 1)::float8', q{0, '-0', 'NaN', 'Infinity', '-Infinity', 5e-324, 1.7976931348623157e308, NULL, r(1000000) / 7.0} ],
	[ nu => 'numeric', 'i * 0.25', q{0, 0.00, 'NaN', 'Infinity', '-Infinity', 1e-100, 1e100, NULL, r(1000000) / 7.0} ],
	[ nd => 'numeric(12,3)', '(i * 0.125)::numeric(12,3)', q{0, -0.001, 'NaN', NULL, 999999999.999} ],
	[ te => 'text', q{'name ' || i % 5}, q{'', ' ', E'tab\tline\n', 'ünïcödé €', NULL, md5(r(100)::text), repeat('long ', r(2000))} ],
	[ vc => 'varchar(40)', q{('v' || i)::varchar(40)}, q{'', 'x  ', NULL, repeat('é', 40)} ],
	[ ch => 'char(7)', q{('c' || i % 10)::char(7)}, q{'', 'ab ', NULL} ],
	[ c1 => '"char"', q{chr(65 + i % 26)::"char"}, q{'', 'x', NULL} ],
	[ na => 'name', q{('n' || i % 4)::name}, q{'', repeat('n', 63)::name, NULL} ],
	[ by => 'bytea', q{decode(md5(i::text), 'hex')}, q{'', '\x00', '\x00ff00', NULL, decode(repeat('00ff', r(3000)), 'hex')} ],
	[ da => 'date', q{'2024-01-01'::date + i % 400}, q{'-infinity', 'infinity', '4713-01-01 BC', '5874897-12-31', NULL} ],
	[ ti => 'time', q{'00:00'::time + i * interval '1 s'}, q{'00:00', '24:00', '23:59:59.999999', NULL} ],
	[ tz => 'timetz', q{('00:00'::time + i * interval '1 s')::timetz}, q{'00:00+14', '24:00-12', NULL} ],
	[ tn => 'timestamp', q{'2024-01-01'::timestamp - i * interval '1 min'}, q{'-infinity', 'infinity', NULL, '2024-02-29'} ],
	[ iv => 'interval', q{i * interval '1 s'}, q{'0', '1 mon', '30 days', '-178000000 years', '1 us', NULL} ],
	[ uu => 'uuid', q{md5(i::text)::uuid}, q{'00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', NULL} ],
	[ js => 'json', q{('{"i": ' || i || '}')::json}, q{'null', '[]', '{"a":1,  "a":2}', NULL} ],
	[ jb => 'jsonb', q{jsonb_build_object('i', i)}, q{'null', '[]', '{}', NULL, jsonb_build_array(r(100), repeat('j', r(3000)))} ],
	[ ip => 'inet', q{('10.0.' || i % 256 || '.1')::inet}, q{'::1', '0.0.0.0/0', NULL} ],
	[ ci => 'cidr', q{('10.' || i % 256 || '.0.0/16')::cidr}, q{'::/0', NULL} ],
	[ ma => 'macaddr', q{'08:00:2b:01:02:03'}, q{'ff:ff:ff:ff:ff:ff', NULL} ],
	[ bi => 'bit(11)', '(i % 2048)::bit(11)', q{B'00000000000', B'11111111111', NULL} ],
	[ bv => 'varbit', '(i % 16)::bit(4)::varbit', q{B'', B'1', NULL, repeat('10', r(300))::varbit} ],
	[ mo => 'money', '(i * 0.01)::numeric::money', q{0, -0.01, NULL} ],
	[ oi => 'oid', 'i::oid', q{0, 4294967295, NULL} ],
	[ ls => 'pg_lsn', q{'0/1'::pg_lsn + i}, q{'0/0', 'FFFFFFFF/FFFFFFFF', NULL} ],
	[ ai => 'int4[]', 'ARRAY[i, i + 1]', q{'{}', '{NULL}', '{{1,2},{3,4}}', '[5:6]={1,2}', NULL, array_fill(r(100), ARRAY[1 + r(1500)])} ],
	[ at => 'text[]', q{ARRAY['a' || i % 3, NULL]}, q{'{}', '{"",NULL,"x y"}', NULL} ],
	[ af => 'float8[]', 'ARRAY[i / 2.0]', q{'{NaN,-0,Infinity}', NULL} ],
	[ ra => 'int4range', 'int4range(i, i + 5)', q{'empty', '(,)', '[1,1]', NULL} ],
	[ mr => 'tstzmultirange', q{'{}'}, q{'{[2024-01-01,2024-01-02)}', NULL} ],
	[ po => 'point', 'point(i, -i)', q{'(NaN,0)', '(-0,Infinity)', NULL} ],
	[ bx => 'box', q{'(1,1),(0,0)'}, q{'(-1,-2),(3,4)', NULL} ],
	[ pg => 'polygon', q{'((0,0),(1,1),(2,0))'}, 'NULL' ],
	[ ts2 => 'tsvector', q{to_tsvector('simple', 'word' || i % 9)}, q{'', NULL} ],
	[ en => 'twin_mood', q{(ARRAY['sad', 'ok', 'glad'])[1 + i % 3]::twin_mood}, q{'sad', NULL} ],
	[ co => 'twin_pair', q{ROW(i, 'x')::twin_pair}, q{'(,)', '(1,"")', NULL} ],
	[ dom => 'twin_even', '(2 * i)::twin_even', '0, NULL' ],
);
$pairs{wide}{columns} = join ', ', map { "$_->[0] $_->[1]" } @wide;

my @short = (
	[ ts => 'timestamptz', q{'2024-01-01'::timestamptz + i * interval '10 s'}, q{'2023-12-31'::timestamptz - r(1000) * interval '7 h', NULL, 'infinity', '2024-01-03'} ],
	[ tag => 'int', 'i % 5', 'r(100), r(3), NULL, -1' ],
	[ v => 'float8', '20 + (i % 50) / 10.0', q{'NaN', '-0', 'Infinity', r(1000000) / 3.0, NULL} ],
	[ a => 'int8', 'i::int8 * i', '0, -9223372036854775808, 9223372036854775807, r(1000), NULL' ],
	[ b => 'numeric', 'i / 8.0', q{'NaN', 1e50, 0.00, r(100000) / 100.0, NULL} ],
	[ c => 'text', q{'host-' || i % 11}, q{'', NULL, md5(r(1000000)::text), repeat('x', r(900))} ],
	[ d => 'bytea', q{'\x0102'}, q{'', NULL, decode(md5(r(1000000)::text), 'hex')} ],
	[ note => 'text', q{'line ' || i || ' of a log'}, q{'', NULL, md5(r(1000000)::text)} ],
);

# A function NAME_rows(seed, mode, first, count). Modes: 0 smooth, 1 special values, 2 constants, 3 mostly NULL,
# 4 and 5 with values of kilobytes and of megabytes, 6 a mixture.
sub rows_function
{
	my ($name) = @_;
	my %known = map { $_->[0] => $_ } @short;
	%known = map { $_->[0] => $_ } @wide if $name eq 'wide';
	my @columns = map { (split / /)[0] } $name eq 'wide' ? map { $_->[0] } @wide : split /, /, $pairs{$name}{columns};
	my ($list, $n) = ('', 0);
	for my $column (@columns)
	{
		my ($c, $type, $smooth, $special) = @{ $known{$column} };
		$n++;
		my @special = split_list($special);
		my $special_value = 'CASE r(' . @special . ') ' . join('', map { "WHEN $_ THEN ($special[$_])::$type " } 0 .. $#special) . 'END';
		my $long =
		    $type eq 'text' || $type eq 'bytea' || $type eq 'jsonb'
		  ? "WHEN \$2 = 4 AND r(3) = 0 THEN " . long_value($type, '1 + r(900)') . " WHEN \$2 = 5 AND i = \$3 THEN " . long_value($type, '20000 + r(60000)')
		  : '';
		my $mixed = "WHEN \$2 IN (1, 4, 5) OR (\$2 = 6 AND r(4) = 0) THEN $special_value";
		my $e = "CASE $long $mixed WHEN \$2 = 2 THEN (SELECT ($smooth)::$type FROM (SELECT \$3 AS i) k) WHEN \$2 = 3 AND r(10) > 0 THEN NULL ELSE ($smooth)::$type END";
		$e =~ s/\br\(/twin_r(\$1, i, $n, /g;
		$list .= ($list ? ",\n" : '') . "($e)::$type AS $c";
	}
	my $columns = $pairs{$name}{columns};
	return "CREATE FUNCTION ${name}_rows(bigint, int, int, int) RETURNS TABLE ($columns) LANGUAGE sql STABLE AS \$f\$\n"
	  . "SELECT $list FROM generate_series(\$3, \$3 + \$4 - 1) i \$f\$";
}
sub long_value
{
	my ($type, $n) = @_;
	return
	    $type eq 'text' ? "(SELECT string_agg(md5((i * 7 + k)::text), '') || repeat('z', $n) FROM generate_series(1, ($n) / 2) k)"
	  : $type eq 'bytea' ? "decode((SELECT string_agg(md5((i + k)::text), '') FROM generate_series(1, $n) k), 'hex')"
	  : "jsonb_build_object('long', repeat(md5(i::text), $n))";
}
# Splits at commas outside quotes and brackets.
sub split_list
{
	my ($text) = @_;
	my @parts = ('');
	my ($depth, $quoted) = (0, 0);
	for my $c (split //, $text)
	{
		$quoted = !$quoted if $c eq "'";
		if (!$quoted) { $depth++ if $c =~ /[\(\[]/; $depth-- if $c =~ /[\)\]]/; }
		if ($c eq ',' && !$quoted && !$depth) { push @parts, ''; next; }
		$parts[-1] .= $c;
	}
	s/^ +// for @parts;
	return @parts;
}

sub functions
{
	return (
		'CREATE EXTENSION nodedb_ts',
		q{CREATE TYPE twin_mood AS ENUM ('sad', 'ok', 'glad')},
		'CREATE TYPE twin_pair AS (a int, b text)',
		'CREATE DOMAIN twin_even AS int CHECK (VALUE % 2 = 0)',
		q{CREATE FUNCTION twin_r(bigint, int, int, int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT abs(hashint8extended(($2::bigint << 8) + $3, $1) % $4)::int'},
		q{CREATE FUNCTION twin_condition(int) RETURNS text LANGUAGE sql AS $$
		WITH RECURSIVE w(pid) AS (SELECT unnest(pg_blocking_pids($1)) UNION SELECT unnest(pg_blocking_pids(w.pid)) FROM w WHERE w.pid <> 0)
		SELECT CASE WHEN count(*) = 0 THEN 'runs' WHEN bool_or(pid = $1) THEN 'circle' ELSE 'waits' END FROM w $$},
		# at commit: some rows leave a line in the log
		q{CREATE FUNCTION twin_log() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			-- columns that no ALTER drops: an insert that commits by itself must not fail in one of the twins
			EXECUTE format('INSERT INTO log_%s (ts, tag) VALUES ($1, $2)', right(TG_TABLE_NAME, 1)) USING NEW.ts, NEW.tag;
			RETURN NULL;
		END $$},
		# before: some rows change, some vanish
		q{CREATE FUNCTION twin_change() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF NEW.tag = 3 THEN RETURN NULL; END IF;
			NEW.tag := 77;
			RETURN NEW;
		END $$},
		map { rows_function($_) } pairs());
}

sub triggers
{
	my ($table) = @_;
	return $table =~ /^narrow/
	  ? "CREATE CONSTRAINT TRIGGER twin_log AFTER INSERT ON $table DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.tag = 42) EXECUTE FUNCTION twin_log()"
	  : $table =~ /^plain/
	  ? "CREATE TRIGGER twin_change BEFORE INSERT ON $table FOR EACH ROW WHEN (NEW.tag IN (3, 60)) EXECUTE FUNCTION twin_change()"
	  : ();
}

sub tables
{
	return map {
		my $pair = $_;
		my $kind = $pairs{$pair}{kind} // '';
		map {
			my $table = "${pair}_$_";
			("DROP TABLE IF EXISTS $table", "CREATE $kind TABLE $table ($pairs{$pair}{columns}) USING " . ($_ eq 't' ? 'nodedb_ts' : 'heap'), triggers($table))
		} qw(t h)
	} pairs();
}

# ---- the choice ---------------------------------------------------------------

# [weight, when, what]. when: a = in a transaction, o = outside, empty = either.
my @kinds = (
	[ 12, 'o', \&begin ],
	[ 9, 'a', \&end_here ],
	[ 8, 'a', \&savepoint ],
	[ 26, '', \&insert ],
	[ 6, '', \&copy ],
	[ 4, '', \&insert_select ],
	[ 5, '', \&block ],
	[ 2, 'o', \&procedure ],
	[ 4, 'a', \&failing ],
	[ 9, '', \&flush ],
	[ 9, '', \&compact ],
	[ 7, 'a', \&cursor ],
	[ 3, '', \&held_cursor ],
	[ 4, '', \&alter ],
	[ 2, '', \&truncate ],
	[ 3, '', \&retention ],
	[ 3, '', \&options ],
	[ 1, 'a', \&recreate ],
	[ 5, 'o', \&vacuum ],
	[ 2, '', \&analyze ],
	[ 3, '', \&setting ],
	[ 10, '', \&query ],
	[ 4, '', \&tuple_ids ],
	[ 4, 'o', \&resolve ],
	[ 1, '', \&constraints_now ],
);

sub next_statements
{
	my ($twin, $s) = @_;
	return after_error($twin, $s) if $s->{aborted};
	my $in = $s->{in} ? 'a' : 'o';
	my @fit = grep { $_->[1] eq '' || $_->[1] eq $in } @kinds;
	my $sum = 0;
	$sum += $_->[0] for @fit;
	my $at = $twin->chance * $sum;
	for my $kind (@fit)
	{
		$at -= $kind->[0];
		return $kind->[2]->($twin, $s) if $at < 0;
	}
	return;
}

# ---- transactions ---------------------------------------------------------------

sub begin_item
{
	my ($level) = @_;
	return { sql => 'BEGIN' . ($level ? " ISOLATION LEVEL $level" : ''), then => sub {
		my ($twin, $s) = @_;
		$s->{in} = lc($level || 'read committed');
		@{$s}{qw(aborted wrote altered)} = (0, 0, 0);
		$s->{points} = [];
	} };
}
sub begin { my ($twin, $s) = @_; return begin_item($twin->pick('', '', 'REPEATABLE READ', 'SERIALIZABLE')); }

sub ended
{
	my ($s, $kept) = @_;
	@{$s}{qw(in aborted wrote altered)} = (0, 0, 0, 0);
	$s->{points} = [];
	$s->{strong} = {};
	for my $name (keys %{ $s->{cursors} })
	{
		my $cursor = $s->{cursors}{$name};
		if ($cursor->{old} || ($kept && $cursor->{hold})) { @{$cursor}{qw(old depth)} = (1, -1); }
		else { delete $s->{cursors}{$name}; }
	}
	return;
}
sub end_of_transaction
{
	my ($twin, $s, $verb) = @_;
	my @async = $verb eq 'COMMIT' && !$s->{aborted} && !$s->{altered} && $twin->chance < 0.3 ? ({ sql => 'SET LOCAL synchronous_commit = off' }) : ();
	return (@async, { sql => $verb,
		then => sub { my ($twin, $s) = @_; ended($s, $verb eq 'COMMIT' && !$s->{aborted}); },
		failed => sub { my ($twin, $s) = @_; ended($s, 0); } });
}
sub end_here
{
	my ($twin, $s) = @_;
	my $chance = $twin->chance;
	return end_of_transaction($twin, $s, 'COMMIT') if $chance < 0.6;
	return end_of_transaction($twin, $s, 'ROLLBACK') if $chance < 0.85 || grep { $_->{hold} && !$_->{old} } values %{ $s->{cursors} };
	my $gid = "twin_$twin->{round}_$twin->{step}_" . $twin->below(10);
	return { sql => "PREPARE TRANSACTION '$gid'",
		then => sub {
			my ($twin, $s) = @_;
			$twin->{prepared}{$gid} = { strong => { %{ $s->{strong} } } };
			ended($s, 0);
		},
		failed => sub { my ($twin, $s) = @_; ended($s, 0); } };
}
sub resolve
{
	my ($twin, $s) = @_;
	my ($gid) = sort keys %{ $twin->{prepared} };
	return query($twin, $s) if !$gid;
	my $verb = $gid =~ /[02468]$/ ? 'COMMIT' : 'ROLLBACK';
	return { sql => "$verb PREPARED '$gid'", alone => 1, then => sub { my ($twin) = @_; delete $twin->{prepared}{$gid}; } };
}
sub back_to
{
	my ($s, $i) = @_;
	return { sql => "ROLLBACK TO $s->{points}[$i]", then => sub {
		my ($twin, $s) = @_;
		$s->{aborted} = 0;
		$#{ $s->{points} } = $i;
		delete $s->{cursors}{$_} for grep { $s->{cursors}{$_}{depth} > $i } keys %{ $s->{cursors} };
	} };
}
sub savepoint
{
	my ($twin, $s) = @_;
	my @points = @{ $s->{points} };
	my $chance = $twin->chance;
	if ($chance < 0.5 || !@points)
	{
		my $name = 's' . $twin->{step};
		return { sql => "SAVEPOINT $name", then => sub { my ($twin, $s) = @_; push @{ $s->{points} }, $name; } };
	}
	my $i = $twin->below(scalar @points);
	return back_to($s, $i) if $chance < 0.8;
	return { sql => "RELEASE $points[$i]", then => sub {
		my ($twin, $s) = @_;
		$#{ $s->{points} } = $i - 1;
		$_->{depth} = $i for grep { $_->{depth} > $i } values %{ $s->{cursors} };
	} };
}
sub after_error
{
	my ($twin, $s) = @_;
	my $n = @{ $s->{points} };
	return back_to($s, $twin->below($n)) if $n && $twin->chance < 0.6;
	return end_of_transaction($twin, $s, $twin->pick('COMMIT', 'ROLLBACK'));
}

# ---- rows in ----------------------------------------------------------------------

# What is said for both tables, in a transaction if need be.
sub both
{
	my ($twin, $s, $pair, @templates) = @_;
	return in_transaction($twin, $s, $pair, 'ROW EXCLUSIVE', 0, map { my $q = $_; map { (my $c = $q) =~ s/%T/${pair}_$_/g; { sql => $c } } sides($twin) } @templates);
}
sub sides { my ($twin) = @_; return $twin->chance < 0.5 ? qw(t h) : qw(h t); }

# Items that write a pair. $lock: before, with LOCK TABLE. Each by itself where nobody can come between the two.
sub in_transaction
{
	my ($twin, $s, $pair, $mode, $lock, @items) = @_;
	$twin->{touched}{$pair} = 1;
	my $mark = { code => sub { my ($twin, $s) = @_; $s->{wrote} = 1 if $s->{in}; } };
	my @lock = $lock ? ({ sql => "LOCK TABLE ${pair}_t, ${pair}_h IN $mode MODE" }) : ();
	return (@lock, $mark, @items) if $s->{in};
	if (!$lock && !strong_anywhere($twin, $pair) && $twin->chance < 0.6)
	{
		return map { { %$_, alone => 1 } } @items;
	}
	return (begin_item(''), @lock, @items, end_of_transaction($twin, $s, 'COMMIT'));
}
sub strong_anywhere
{
	my ($twin, $pair) = @_;
	# the trigger of one pair writes another
	return $twin->strong_elsewhere($pair) || ($pair eq 'narrow' && $twin->strong_elsewhere('log'));
}

# The columns as they are now; what the session itself has changed, too.
sub columns
{
	my ($twin, $s, $pair) = @_;
	my $p = $twin->{pairs}{$pair};
	# who is to have a strong lock may not have it yet: nobody waits here for another session's, or the test would for ever
	my $dbh = $twin->strong_elsewhere($pair, $s) ? undef : $s->{strong}{$pair} ? ($s->{aborted} ? undef : $s->{dbh}) : $twin->{monitor};
	return @{ $p->{columns} } if !$dbh && $p->{columns};
	return base_columns($pair) if !$dbh;
	my $sth = $dbh->prepare("SELECT * FROM ${pair}_h WHERE false", { pg_direct => 1 });
	$sth->execute or return base_columns($pair);
	my @names = @{ $sth->{NAME} };
	$sth->finish;
	$p->{columns} = \@names;
	return @names;
}
sub base_columns { return map { (split / /)[0] } split /, /, $pairs{ $_[0] }{columns} =~ s/\([^)]*\)//gr; }

# SELECT of new rows, and the columns that it gives.
sub new_rows
{
	my ($twin, $s, $pair, $most, $n) = @_;
	my %base = map { $_ => 1 } base_columns($pair);
	my @columns = columns($twin, $s, $pair);
	my $chance = $twin->chance;
	$n //= $chance < 0.4 ? 1 : $chance < 0.65 ? 2 + $twin->below(9) : $chance < 0.87 ? 10 + $twin->below(300) : $chance < 0.97 ? 300 + $twin->below(2700) : 9000 + $twin->below(11000);
	$most //= $pairs{$pair}{most};
	$n = $most if $n > $most;
	my $mode = $twin->pick(0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 6);
	$mode = 1 if $mode == 5 && ($n > 400 || $twin->chance < 0.6);
	$n = 60 if $mode == 4 && $n > 60;
	my $first = $twin->below(5) ? $twin->{step} * 100 : $twin->below(1000);
	# a row may do without some columns, and values for added ones are given at times
	my @use = grep { $_ eq 'ts' || $_ eq 'tag' || $twin->chance < 0.95 } grep { $base{$_} } @columns;
	my @values = @use;
	if ($twin->chance < 0.5)
	{
		for my $extra (grep { /^x\d/ } @columns)
		{
			push @use, $extra;
			push @values, $extra =~ /[05]$/ ? 'NULL' : 'tag % 100';
		}
	}
	my $list = join ', ', @use;
	my $call = "${pair}_rows(" . join(', ', $twin->below(1_000_000), $mode, $first, $n) . ')';
	return ("($list)", 'SELECT ' . join(', ', @values) . " FROM $call", $n);
}

sub insert
{
	my ($twin, $s) = @_;
	my $pair = $twin->pick(qw(narrow narrow narrow wide wide plain plain log));
	my $chance = $twin->chance;
	my ($columns, $select, $n) = new_rows($twin, $s, $pair);
	my $insert = "INSERT INTO %T $columns $select";
	if ($chance < 0.1)
	{
		# literals, defaults
		my $ts = '2024-01-0' . (1 + $twin->below(9)) . ' 0' . $twin->below(10) . ':00';
		$insert = 'INSERT INTO %T (ts, tag) VALUES ' . join ', ', map { $twin->chance < 0.1 ? '(DEFAULT, NULL)' : "('$ts', " . $twin->below(60) . ')' } 1 .. 1 + $twin->below(5);
	}
	elsif ($chance < 0.25 && $n <= 3000)
	{
		# what RETURNING gives must be equal, too; the trigger of plain changes rows
		my %got;
		my @items = map {
			my $side = $_;
			(my $q = $insert) =~ s/%T/${pair}_$side/;
			{ sql => "WITH new AS ($q RETURNING *) SELECT count(*), sum(hashtextextended(new::text, 0)::numeric) FROM new",
			  then => sub {
				my ($twin, $s, $result) = @_;
				$got{$side} = $result->{rows};
				my @lists = map { [ map { $_ // 'NULL' } @{ $_->[0] } ] } grep { $_ } @got{qw(t h)};
				$twin->compare_lists($s, 'RETURNING', @lists) if @lists == 2;
			  } }
		} sides($twin);
		return in_transaction($twin, $s, $pair, 'ROW EXCLUSIVE', 0, @items);
	}
	elsif ($chance < 0.35)
	{
		# a plan that is kept and used again
		my @items = map {
			my $table = "${pair}_$_";
			my $name = "put_${table}_$twin->{step}";
			({ sql => "PREPARE $name (timestamptz, int) AS INSERT INTO $table (ts, tag) VALUES (\$1, \$2)" },
			 (map { { sql => "EXECUTE $name ('2024-01-01 00:00:0$_', $_)" } } 1 .. 6),
			 { sql => "DEALLOCATE $name" })
		} sides($twin);
		return $s->{in} ? in_transaction($twin, $s, $pair, 'ROW EXCLUSIVE', 0, @items)
		  : (begin_item(''), { code => sub { $_[0]{touched}{$pair} = 1 } }, @items, end_of_transaction($twin, $s, 'COMMIT'));
	}
	return both($twin, $s, $pair, $insert);
}

# The server makes the data, so that each format has every type.
sub copy
{
	my ($twin, $s) = @_;
	my $pair = $twin->pick(qw(narrow wide plain log));
	my ($columns, $select, $n) = new_rows($twin, $s, $pair, 2000);
	my $options = $twin->pick('FORMAT text', 'FORMAT csv', 'FORMAT csv, HEADER', 'FORMAT binary', q{FORMAT text, NULL 'none'}, q{FORMAT csv, FORCE_QUOTE *});
	(my $from = $options) =~ s/, FORCE_QUOTE \*//;
	my $dbh = $twin->{monitor};
	my $data = '';
	$dbh->do("COPY ($select) TO STDOUT ($options)") or die $dbh->errstr;
	my $line;
	while ($dbh->pg_getcopydata($line) >= 0) { $data .= $line; }
	# binary is strict about types, and added columns have others
	return both($twin, $s, $pair, "INSERT INTO %T $columns $select") if $options =~ /binary/ && $columns =~ /\bx\d/;
	my @items = map { { sql => "COPY ${pair}_$_ $columns FROM STDIN ($from)", copy => $data } } sides($twin);
	return in_transaction($twin, $s, $pair, 'ROW EXCLUSIVE', 1, @items);
}

sub insert_select
{
	my ($twin, $s) = @_;
	my $pair = $twin->pick(qw(narrow wide plain log));
	my @columns = grep { $twin->chance < 0.9 || /^(ts|tag)$/ } columns($twin, $s, $pair);
	my $list = join ', ', @columns;
	(my $values = $list) =~ s/\btag\b/(tag::bigint % 1000)::int + 1/;
	my $tag = $twin->below(50);
	my $where = $twin->pick("tag = $tag", 'tag IS NULL', "ts < '2024-01-01 01:00' AND tag < 10", 'tag BETWEEN 0 AND 2');
	# from the table itself, or both from the same one of the two
	my ($first, $second) = sides($twin);
	my $source = $twin->chance < 0.5 ? $second : '';
	my @items = map {
		my $from = $source || $_;
		{ sql => "INSERT INTO ${pair}_$_ ($list) SELECT $values FROM ${pair}_$from x WHERE $where AND (SELECT count(*) FROM ${pair}_$from WHERE $where) < 1500" }
	} ($first, $second);
	return in_transaction($twin, $s, $pair, 'ROW EXCLUSIVE', 1, @items);
}

# A loop of blocks, some of which fail, that looks at its own rows now and then.
sub block_body
{
	my ($twin, $s, $pair) = @_;
	my $mod = 1 + $twin->below(4);
	my $n = $twin->pick(5, 30, 90);
	my $deep = $twin->chance < 0.4;
	my $insert = sub { my ($values) = @_; return join '', map { "INSERT INTO ${pair}_$_ (ts, tag) $values; " } sides($twin) };
	my $step = $twin->{step};
	my $text = "FOR k IN 1 .. $n LOOP BEGIN " . $insert->("VALUES ('2024-01-01'::timestamptz + k * interval '1 min', $step)");
	$text .= 'BEGIN ' . $insert->("SELECT ts, 2 FROM narrow_rows(k, 1, k, k % 7)") . 'PERFORM 1 / (k % 2); EXCEPTION WHEN division_by_zero THEN NULL; END; ' if $deep;
	$text .= "IF k % $n = $n / 2 THEN SELECT count(*), max(tag) INTO a FROM ${pair}_t; SELECT count(*), max(tag) INTO b FROM ${pair}_h; IF a IS DISTINCT FROM b THEN RAISE SQLSTATE 'XX999' USING MESSAGE = format('in a block: %s and on heap %s', a, b); END IF; END IF; "
	  if $twin->chance < 0.5;
	return $text . "PERFORM 1 / (k % $mod); EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; ";
}
sub block
{
	my ($twin, $s) = @_;
	my $pair = $twin->pick(qw(narrow wide plain log));
	my $body = block_body($twin, $s, $pair);
	return in_transaction($twin, $s, $pair, 'ROW EXCLUSIVE', 1, { sql => "DO \$\$ DECLARE a record; b record; BEGIN $body END \$\$" });
}
# Transactions inside a procedure; nobody may come between, so only where no lock is in the way.
sub procedure
{
	my ($twin, $s) = @_;
	my $pair = $twin->pick(qw(narrow wide plain log));
	return query($twin, $s) if strong_anywhere($twin, $pair);
	$twin->{touched}{$pair} = 1;
	my $body = join '', map { block_body($twin, $s, $pair) . $twin->pick('COMMIT; ', 'COMMIT; ', 'ROLLBACK; ') } 1 .. 1 + $twin->below(3);
	return { sql => "DO \$\$ DECLARE a record; b record; BEGIN $body END \$\$", alone => 1 };
}

# A statement that fails on both for the same reason.
sub failing
{
	my ($twin, $s) = @_;
	my $pair = $twin->pick(qw(narrow plain log));
	$twin->{touched}{$pair} = 1;
	my $n = $twin->below(400);
	my @states;
	my $name = "f$twin->{step}";
	my $sql = $twin->pick(
		"INSERT INTO %T (ts, tag) SELECT '2024-01-01', 1 / ($n - k) FROM generate_series(1, 500) k",
		"INSERT INTO %T (ts, tag) SELECT '2024-01-01', k::bigint * 100000000 FROM generate_series(1, 50) k",
		"INSERT INTO %T (ts, tag) SELECT CASE WHEN k = $n + 5 THEN 'no time' ELSE '2024-01-01' END::timestamptz, k FROM generate_series(1, 500) k",
		'INSERT INTO %T (ts, nothing) VALUES (NULL, 1)',
		# one reason to fail only: which row is met first is nobody's business
		'ALTER TABLE %T ALTER tag SET NOT NULL, ALTER ts SET NOT NULL',
		'ALTER TABLE %T ADD CHECK (tag > 1000000)',
		'ALTER TABLE %T ALTER tag TYPE int USING 1 / (tag - tag)',
		'SELECT sum(1 / (tag - tag)) FROM %T');
	return failing_query($twin, $s) if $sql =~ /^ALTER/ && (%{ $s->{cursors} } || !$s->{in} || $twin->chance < 0.5);
	$s->{strong}{$pair} = 1 if $sql =~ /^ALTER/;
	my @locks = $sql =~ /^ALTER/ ? { sql => "LOCK TABLE ${pair}_t, ${pair}_h IN ACCESS EXCLUSIVE MODE" } : { sql => "LOCK TABLE ${pair}_t, ${pair}_h IN ROW EXCLUSIVE MODE" };
	return (@locks, fail_items($name, $sql, $pair, \@states));
}
sub failing_query
{
	my ($twin, $s) = @_;
	return ({ sql => "LOCK TABLE log_t, log_h IN ROW EXCLUSIVE MODE" }, fail_items("f$twin->{step}", "INSERT INTO %T (ts, tag) SELECT '2024-01-01', 1 / (100 - k) FROM generate_series(1, 150) k", 'log', []));
}
sub fail_items
{
	my ($name, $sql, $pair, $states) = @_;
	return ({ sql => "SAVEPOINT $name" },
		(map {
			(my $q = $sql) =~ s/%T/${pair}_$_/g;
			({ sql => $q, may_fail => 1, then => sub { my ($twin, $s, $result) = @_; push @$states, $result->{state} // '00000'; } },
			 { sql => "ROLLBACK TO $name" })
		 } qw(t h)),
		{ sql => "RELEASE $name", then => sub {
			my ($twin, $s) = @_;
			my @game = grep { /^40/ } @$states;
			$twin->compare_lists($s, "SQLSTATE of $sql", [ $states->[0] ], [ $states->[1] ]) if !@game;
		} });
}

# ---- cursors --------------------------------------------------------------------------

sub declare_cursor
{
	my ($twin, $s, $hold) = @_;
	my $pair = $twin->pick(qw(narrow wide plain log));
	my $n = $twin->{step};
	my $where = $twin->pick('', '', ' WHERE tag < 3', q{ WHERE ts >= '2024-01-01 00:30'});
	my $scroll = $twin->chance < 0.3 ? 'SCROLL ' : '';
	my $cursor = { t => [], h => [], hold => $hold, scroll => $scroll, depth => 0, old => 0 };
	return ({ sql => "LOCK TABLE ${pair}_t, ${pair}_h IN ACCESS SHARE MODE" },
		(map { my $side = $_; { sql => "DECLARE c${n}_$side ${scroll}CURSOR " . ($hold ? 'WITH HOLD ' : '') . "FOR SELECT hashtextextended(x::text, 0) FROM ${pair}_$side x$where" } } qw(t h)),
		{ code => sub { my ($twin, $s) = @_; $cursor->{depth} = @{ $s->{points} }; $s->{cursors}{"c$n"} = $cursor; } });
}
sub fetch
{
	my ($name, $side, $how, $keep) = @_;
	return { sql => "FETCH $how FROM ${name}_$side",
		then => sub {
			my ($twin, $s, $result) = @_;
			my $cursor = $s->{cursors}{$name} or return;
			push @{ $cursor->{$side} }, map { $_->[0] } @{ $result->{rows} } if $keep;
		},
		failed => sub { my ($twin, $s) = @_; delete $s->{cursors}{$name}; } };
}
sub use_cursor
{
	my ($twin, $s, $name) = @_;
	my $cursor = $s->{cursors}{$name};
	my $n = $twin->pick(1, 10, 100, 1500);
	return map { fetch($name, $_, $n, 1) } qw(t h) if $twin->chance < 0.6;
	my $compare = sub { my ($what) = @_; return { code => sub {
		my ($twin, $s) = @_;
		my $cursor = $s->{cursors}{$name} or return;
		$twin->compare_lists($s, "$what $name", $cursor->{t}, $cursor->{h});
		@{$cursor}{qw(t h)} = ([], []);
	} } };
	my @back = $cursor->{scroll} ? ((map { fetch($name, $_, 'BACKWARD ALL', 1) } qw(t h)), $compare->('backwards, cursor')) : ();
	return ((map { fetch($name, $_, 'ALL', 1) } qw(t h)), $compare->('cursor'), @back,
		{ sql => "CLOSE ${name}_t" }, { sql => "CLOSE ${name}_h" },
		{ code => sub { my ($twin, $s) = @_; delete $s->{cursors}{$name}; } });
}
sub cursor
{
	my ($twin, $s) = @_;
	my @open = sort grep { !$s->{cursors}{$_}{old} } keys %{ $s->{cursors} };
	return use_cursor($twin, $s, $twin->pick(@open)) if @open && $twin->chance < 0.65;
	return declare_cursor($twin, $s, $twin->chance < 0.25);
}
# Those that a COMMIT has left.
sub held_cursor
{
	my ($twin, $s) = @_;
	my @old = sort grep { $s->{cursors}{$_}{old} } keys %{ $s->{cursors} };
	return @old ? use_cursor($twin, $s, $twin->pick(@old)) : query($twin, $s);
}

# ---- the table itself -------------------------------------------------------------------

# Items under the strongest lock; not while a cursor of the transaction is open.
sub strongly
{
	my ($twin, $s, $pair, @items) = @_;
	return query($twin, $s) if grep { !$_->{old} } values %{ $s->{cursors} };
	# it would wait for nothing but itself; two are enough to have deadlocks
	return insert($twin, $s) if grep { $_ != $s && %{ $_->{strong} } } @{ $twin->{sessions} };
	$twin->{touched}{$pair} = 1;
	my @all = ({ sql => "LOCK TABLE ${pair}_t, ${pair}_h IN ACCESS EXCLUSIVE MODE" },
		{ code => sub { my ($twin, $s) = @_; @{$s}{qw(wrote altered)} = (1, 1); } }, @items);
	@all = (begin_item(''), @all, end_of_transaction($twin, $s, $twin->pick('COMMIT', 'COMMIT', 'ROLLBACK'))) if !$s->{in};
	$s->{strong}{$pair} = 1;
	return @all;
}
sub for_both { my ($pair, @q) = @_; return map { my $q = $_; map { (my $c = $q) =~ s/%T/${pair}_$_/g; { sql => $c } } qw(t h) } @q; }

sub alter
{
	my ($twin, $s) = @_;
	my $pair = $twin->pick(pairs());
	my @columns = columns($twin, $s, $pair);
	my @extra = grep { /^x\d/ } @columns;
	my @droppable = grep { !/^(ts|tag)$/ } @columns;
	my $new = "x$twin->{step}";
	my $chance = $twin->chance;
	my @q;
	if ($chance < 0.15) { @q = "ALTER TABLE %T ADD COLUMN $new " . $twin->pick('int', 'text', 'float8', 'numeric'); }
	elsif ($chance < 0.35) { @q = "ALTER TABLE %T ADD COLUMN $new " . $twin->pick('int DEFAULT 7', q{text DEFAULT 'added'}, q{float8 DEFAULT '-0'}, q{numeric DEFAULT 'NaN'}, q{text DEFAULT repeat('d', 3000)}); }
	elsif ($chance < 0.45 && @droppable) { @q = 'ALTER TABLE %T DROP COLUMN ' . $twin->pick(@extra ? @extra : @droppable); }
	elsif ($chance < 0.55 && @extra) { @q = 'ALTER TABLE %T ALTER ' . $twin->pick(@extra) . ' TYPE text'; }
	elsif ($chance < 0.62) { @q = q{ALTER TABLE %T ALTER ts TYPE timestamptz USING ts + '0 s'}; }
	elsif ($chance < 0.70)
	{
		# the twin gets a new file, too: an old snapshot finds both empty
		return strongly($twin, $s, $pair, { sql => "ALTER TABLE ${pair}_t SET ACCESS METHOD heap" }, { sql => "ALTER TABLE ${pair}_t SET ACCESS METHOD nodedb_ts" },
			{ sql => "ALTER TABLE ${pair}_h ALTER ts TYPE timestamptz USING ts + '0 s'" });
	}
	elsif ($chance < 0.78) { @q = 'ALTER TABLE %T SET TABLESPACE ' . $twin->pick('twin_space', 'pg_default'); }
	elsif ($chance < 0.84 && $pair eq 'plain') { @q = 'ALTER TABLE %T SET ' . $twin->pick('LOGGED', 'UNLOGGED'); }
	elsif ($chance < 0.88) { @q = "ALTER TABLE %T ADD CONSTRAINT k$new CHECK (tag IS NULL OR tag > -2147483648 OR ts IS NOT NULL OR true)"; }
	elsif ($chance < 0.92) { @q = 'ALTER TABLE %T ALTER tag SET DEFAULT ' . $twin->below(50); }
	elsif ($chance < 0.96 && @extra) { my $old = $twin->pick(@extra); @q = "ALTER TABLE %T RENAME COLUMN $old TO $new"; }
	else { @q = ("ALTER TABLE %T ADD COLUMN $new int DEFAULT 1", "ALTER TABLE %T DROP COLUMN $new"); }
	return strongly($twin, $s, $pair, for_both($pair, @q));
}
sub truncate
{
	my ($twin, $s) = @_;
	# the fullest one, mostly
	my ($full) = sort { ($twin->{pairs}{$b}{rows} / $pairs{$b}{look}) <=> ($twin->{pairs}{$a}{rows} / $pairs{$a}{look}) || $a cmp $b } pairs();
	my $pair = $twin->chance < 0.7 ? $full : $twin->pick(pairs());
	my @items = $twin->chance < 0.5 ? { sql => "TRUNCATE ${pair}_t, ${pair}_h" } : for_both($pair, 'TRUNCATE %T');
	push @items, for_both($pair, "INSERT INTO %T (ts, tag) VALUES ('2024-01-01', 1)") if $twin->chance < 0.5;
	return strongly($twin, $s, $pair, @items);
}
# A segment goes as a whole, so which rows go is not known beforehand: none that is young enough, and none comes. Those
# then leave the twin.
sub retention
{
	my ($twin, $s) = @_;
	my $pair = $twin->pick(pairs());
	my ($t, $h) = ("${pair}_t", "${pair}_h");
	my $cutoff = $twin->pick("'2024-01-01 00:20'", "'2024-01-01 02:00'", "'2024-01-02'", "'2024-01-04'", "'2030-01-01'") . '::timestamptz';
	my $rows = sub { return "SELECT x::text AS r, ts FROM $_[0] x"; };
	return strongly($twin, $s, $pair,
		{ sql => "SELECT ts_enforce_retention('$t', interval '0', $cutoff)" },
		{ sql => "SELECT (SELECT count(*) FROM (" . $rows->($t) . " EXCEPT ALL " . $rows->($h) . ") x), (SELECT count(*) FROM (" .
			  $rows->($h) . " EXCEPT ALL " . $rows->($t) . ") x WHERE ts IS NULL OR ts >= $cutoff)",
		  then => sub {
			my ($twin, $s, $result) = @_;
			my ($more, $young) = @{ $result->{rows}[0] };
			$twin->{count}{compared}++;
			$twin->difference($s, "retention of $t up to $cutoff has made $more rows and removed $young that are younger or without a time", $pair)
			  if $more || $young;
		  } },
		{ sql => "WITH kept AS (SELECT x::text AS r, count(*) AS n FROM $t x GROUP BY 1), " .
			  "all_rows AS (SELECT ctid AS c, x::text AS r, row_number() OVER (PARTITION BY x::text) AS i FROM $h x) " .
			  "DELETE FROM $h USING all_rows LEFT JOIN kept USING (r) WHERE $h.ctid = all_rows.c AND all_rows.i > coalesce(kept.n, 0)" });
}
# A copy takes the table's place.
sub recreate
{
	my ($twin, $s) = @_;
	my $pair = $twin->pick(pairs());
	my $kind = $pairs{$pair}{kind} // '';
	my @items = map {
		my $table = "${pair}_$_";
		({ sql => "CREATE $kind TABLE new_$table (LIKE $table INCLUDING ALL) USING " . ($_ eq 't' ? 'nodedb_ts' : 'heap') },
		 { sql => "INSERT INTO new_$table SELECT * FROM $table" }, { sql => "DROP TABLE $table" }, { sql => "ALTER TABLE new_$table RENAME TO $table" },
		 map { { sql => $_ } } triggers($table))
	} qw(t h);
	return strongly($twin, $s, $pair, @items);
}

# ---- maintenance, settings -----------------------------------------------------------------

sub flush
{
	my ($twin, $s) = @_;
	my $pair = $twin->pick(pairs());
	$twin->{touched}{$pair} = 1;
	# by OID, so a table that another session replaces while this one waits is gone
	return { sql => "SELECT ts_flush('${pair}_t')", or => '42P01' };
}
sub compact
{
	my ($twin, $s) = @_;
	my $pair = $twin->pick(pairs());
	$twin->{touched}{$pair} = 1;
	# what is closed, or everything; a group, or all
	my $how = $twin->pick('', '', ', max_groups => 1');
	return { sql => "SELECT FROM ts_compact('${pair}_t'$how)", or => '42P01' };
}
# What segments are made of from now on: no row may change with it.
sub options
{
	my ($twin, $s) = @_;
	my $pair = $twin->pick(pairs());
	$twin->{touched}{$pair} = 1;
	my @columns = grep { $_ ne 'ts' } columns($twin, $s, $pair);
	my ($one, $two) = ($twin->pick(@columns), $twin->pick(@columns));
	my @set = $twin->pick(
		"series_columns => '{tag}'", "series_columns => '{}'", 'series_columns => NULL', "series_columns => '{$one}'", "series_columns => '{$one}'",
		$one eq $two ? "series_columns => '{$two}'" : "series_columns => '{$one,$two}'");
	push @set, 'bucket => ' . $twin->pick(q{'1 min'}, q{'1 hour'}, q{'1 day'}, q{'30 days'}, 'NULL') if $twin->chance < 0.5;
	push @set, 'compression_level => ' . $twin->pick(1, 19, 'NULL') if $twin->chance < 0.3;
	push @set, 'time_column => ' . $twin->pick(q{'ts'}, 'NULL') if $twin->chance < 0.3;
	# a table or a column that another session replaces while this one waits is gone
	return { sql => "SELECT ts_set_options('${pair}_t', " . join(', ', @set) . ')', or => '42P01 42703' };
}
sub vacuum
{
	my ($twin, $s) = @_;
	my $pair = $twin->pick(pairs());
	$twin->{touched}{$pair} = 1;
	# what rewrites the file must keep what an old snapshot sees
	if ($twin->chance < 0.2 && !grep { %{ $_->{strong} } } @{ $twin->{sessions} })
	{
		$s->{strong}{$pair} = 1;
		my $over = sub { my ($twin, $s) = @_; $s->{strong} = {}; };
		my @items = map { { sql => "VACUUM FULL ${pair}_$_", failed => $over } } sides($twin);
		$items[1]{then} = $over;
		return @items;
	}
	my $options = $twin->pick('', '', '(FREEZE) ', '(ANALYZE) ', '(FREEZE, DISABLE_PAGE_SKIPPING) ', '(TRUNCATE off) ');
	# heap waits for a page on which a cursor stands: then only the other
	my $open = grep { %{ $_->{cursors} } } @{ $twin->{sessions} };
	return ({ sql => "VACUUM $options${pair}_t" }, $open ? () : { sql => "VACUUM $options${pair}_h" });
}
sub analyze
{
	my ($twin, $s) = @_;
	my $pair = $twin->pick(pairs());
	return for_both($pair, 'ANALYZE %T');
}
sub setting
{
	my ($twin, $s) = @_;
	my $sql = $twin->pick(
		(map { "SET nodedb_ts.memory_budget = '$_'" } qw(64kB 256kB 1MB 100MB)),
		(map { "SET nodedb_ts.max_series = $_" } 1, 5, 500000),
		'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0',
		'RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size',
		'CHECKPOINT', 'DISCARD PLANS', 'SET nodedb_ts.enable_scan = off', 'SET nodedb_ts.enable_scan = on', 'SET enable_seqscan = off; SET jit = off', 'RESET enable_seqscan');
	return { sql => $sql };
}
sub constraints_now { my ($twin, $s) = @_; return { sql => 'SET CONSTRAINTS ALL IMMEDIATE' }; }

# ---- queries -----------------------------------------------------------------------------------

# Each gives one value, whatever the order of the rows.
my @queries = (
	'SELECT count(*) FROM %T',
	'SELECT count(*) FROM %T WHERE %W',
	'SELECT count(%C) FROM %T WHERE %W',
	'SELECT (min(ts), max(ts), count(ts)) FROM %T',
	'SELECT (min(tag), max(tag), sum(tag), count(tag)) FROM %T WHERE %W',
	q{SELECT string_agg(coalesce(tag::text, '-') || ':' || c, ',' ORDER BY tag) FROM (SELECT tag, count(*) AS c FROM %T GROUP BY tag) q},
	q{SELECT string_agg(ts::text, ',') FROM (SELECT ts FROM %T WHERE %W ORDER BY ts DESC LIMIT 20) q},
	'SELECT (count(*), sum(hashtextextended(x::text, 0)::numeric)) FROM (SELECT %C, tag FROM %T WHERE %W) x',
	'SELECT (count(*), sum(hashtextextended(x::text, 0)::numeric)) FROM (SELECT %C FROM %T) x',
	'SELECT sum(hashtextextended(x::text, 0)::numeric) FROM %T x WHERE %W',
	'SELECT count(*) FROM (SELECT FROM %T LIMIT 7) x',
	'SELECT count(*) FROM (SELECT DISTINCT tag, ts FROM %T) x',
	'SELECT sum(c) FROM generate_series(0, 3) g, LATERAL (SELECT count(*) AS c FROM %T WHERE tag = g OFFSET 0) q',
	'SELECT count(*) FROM %T a WHERE EXISTS (SELECT FROM %T b WHERE b.tag = a.tag AND b.ts IS NULL)',
	q{SELECT string_agg(d::text || c, ',' ORDER BY d) FROM (SELECT date_trunc('hour', ts) AS d, count(*) AS c FROM %T WHERE isfinite(ts) GROUP BY 1) q},
	'SELECT count(*) FROM %T WHERE %C IS NULL',
	'SELECT count(tableoid) FROM %T WHERE tableoid = (SELECT tableoid FROM %T LIMIT 1)',
);
sub query
{
	my ($twin, $s) = @_;
	my $pair = $twin->pick(pairs());
	my $q = $twin->pick(@queries);
	my $column = $twin->pick(columns($twin, $s, $pair));
	my $where = $twin->pick('tag = ' . $twin->below(8), 'tag IS NULL', "ts >= '2024-01-01 00:00'", "ts BETWEEN '2024-01-01' AND '2024-01-01 0" . $twin->below(10) . ":00'",
		'ts IS NOT NULL AND tag > 2', "$column IS NOT NULL", "ts > '2024-01-01' OR tag < 3", "tag IN (1, NULL, 5) AND $column IS NOT NULL", "tag <> 3 AND (ts < '2024-01-01 01:00' OR $column IS NULL)",
		"tag NOT IN (1, 2) AND tag % 2 = 1", "${column}::text LIKE '%1%' AND tag < 5");
	$q =~ s/%W/$where/g;
	$q =~ s/%C/$column/g;
	return query($twin, $s) if $twin->strong_elsewhere($pair, $s);
	return $twin->query_comparison($pair, $q);
}
# What has no twin: tuple ids are unique, and each finds its row.
sub tuple_ids
{
	my ($twin, $s) = @_;
	my $pair = $twin->pick(pairs());
	return query($twin, $s) if $twin->strong_elsewhere($pair, $s);
	my $limit = 1 + $twin->below(60);
	my $offset = $twin->below(100);
	my $sql = "SELECT (SELECT count(DISTINCT ctid) = count(*) FROM ${pair}_t), "
	  . "(SELECT (count(*), sum(hashtextextended(q::text, 0)::numeric)) FROM (SELECT x AS r FROM ${pair}_t x OFFSET $offset LIMIT $limit) q)::text, "
	  . "(SELECT (count(*), sum(hashtextextended(q::text, 0)::numeric)) FROM (SELECT x AS r FROM ${pair}_t x WHERE ctid = ANY (ARRAY(SELECT ctid FROM ${pair}_t OFFSET $offset LIMIT $limit))) q)::text";
	return { sql => $sql, alone => 1, then => sub {
		my ($twin, $s, $result) = @_;
		my ($unique, $scan, $fetch) = @{ $result->{rows}[0] };
		$twin->difference($s, "tuple ids are not unique in ${pair}_t") if !$unique;
		$twin->compare_lists($s, "fetch by tuple id in ${pair}_t", [$fetch], [$scan]);
	} };
}

# ---- kills -----------------------------------------------------------------------------------------

# What a session runs when the server dies: atomic for both tables.
sub statement_to_kill
{
	my ($twin, $s) = @_;
	my $chance = $twin->chance;
	my $pair = $twin->pick(qw(narrow narrow plain wide));
	my ($columns, $select) = new_rows($twin, $s, $pair, undef, $twin->pick(1, 100, 3000, 20000));
	return undef if $s->{aborted} || grep { $_ != $s && %{ $_->{strong} } } @{ $twin->{sessions} }, values %{ $twin->{prepared} };
	# whether a changed table is there afterwards would be chance
	return 'COMMIT' if $s->{in} && !$s->{altered} && $chance < 0.5;
	return "PREPARE TRANSACTION 'twin_$twin->{round}_$twin->{step}_kill$s->{n}'" if $s->{in} && !$s->{altered} && $chance < 0.6;
	return "SELECT ts_flush('${pair}_t')" if $chance < 0.7;
	return "SELECT FROM ts_compact('${pair}_t')" if $chance < 0.77;
	return "VACUUM ${pair}_t" if !$s->{in} && $chance < 0.82;
	return "WITH t AS (INSERT INTO ${pair}_t $columns $select), h AS (INSERT INTO ${pair}_h $columns $select) SELECT 1";
}

1;
