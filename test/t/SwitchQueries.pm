# Tables and random queries for 028_switches.pl. All choices come from Perl's rand, seeded by the caller, so a seed and a
# round replay the same statements. In a query %T stands for the table.
package SwitchQueries;

use strict;
use warnings;

# ---- tables -----------------------------------------------------------------

# Name, type, value of row k, special values, kind of comparisons. r(k, n, m): a number below m that depends on seed, row, n.
my @columns = (
	[ ts => 'timestamptz', q{'2024-01-01 00:00+00'::timestamptz + (k / 16) * interval '97 s'}, q{NULL, 'infinity', '-infinity', '2024-01-01 00:00+00'}, 'time' ],
	[ host => 'text', q{'host ' || k % 16}, q{NULL, '', 'host 3 ', 'HOST 3'}, 'text' ],
	[ region => 'varchar(20)', q{(ARRAY['eu', 'eu-west', 'us-east', 'us-west', 'ap'])[1 + k % 16 / 4]}, q{NULL, '', 'eu-'}, 'text' ],
	[ dev => 'uuid', q{md5((k % 400)::text)::uuid}, q{NULL, '00000000-0000-0000-0000-000000000000'}, 'uuid' ],
	[ note => 'text', q{'note ' || md5(r(k, 3, 3000)::text)}, q{NULL, '', repeat('long ', r(k, 4, 900))}, 'text' ],
	[ i2 => 'int2', 'k % 100', '0, -32768, 32767, NULL', 'int' ],
	[ i4 => 'int4', 'k * 3 - 5000', '0, -2147483648, 2147483647, NULL', 'int' ],
	[ i8 => 'int8', 'r(k, 5, 1000000)', '0, -9223372036854775808, 9223372036854775807, NULL', 'int' ],
	[ f4 => 'float4', '(k % 1000) / 4.0', q{0, '-0', 'NaN', 'Infinity', '-Infinity', NULL}, 'float' ],
	[ f8 => 'float8', 'r(k, 6, 4000) / 8.0', q{0, '-0', 'NaN', 'Infinity', '-Infinity', NULL}, 'float' ],
	[ nu => 'numeric', 'r(k, 7, 5000) / 8.0', q{0, 'NaN', 'Infinity', '-Infinity', 1e30, 1e-30, NULL}, 'numeric' ],
	[ b => 'bool', 'k % 3 = 0', 'NULL', 'bool' ],
	[ d => 'date', q{'2024-01-01'::date + k / 700}, q{NULL, 'infinity', '-infinity'}, 'date' ],
	[ tn => 'timestamp', q{'2024-01-01'::timestamp + r(k, 8, 900) * interval '1 h'}, q{NULL, 'infinity', '-infinity'}, 'time' ],
	[ tm => 'time', q{'00:00'::time + k * interval '1 s'}, q{NULL, '24:00', '00:00'}, 'clock' ],
	[ ch => 'char(6)', q{'c' || k % 9}, q{NULL, '', 'c1 '}, 'text' ],
	[ by => 'bytea', q{decode(md5((k % 50)::text), 'hex')}, q{NULL, '', '\x00'}, 'bytea' ],
);
# Those that an ALTER TABLE adds when a third of the rows is there.
my @added = (
	[ late => 'int4 DEFAULT 7', 'k % 11', 'NULL, 7', 'int' ],
	[ later => 'text', q{'l' || k % 5}, 'NULL', 'text' ],
	[ lk => q{text DEFAULT 'host 5'}, q{'host ' || k % 20}, 'NULL', 'text' ],
);

sub pick { return $_[ int(rand(@_)) ]; }
sub maybe { return rand() < $_[0]; }

sub select_list
{
	my ($rare, @list) = @_;
	my $n = 10;
	return join ', ', 'k', map {
		my ($name, $type, $value, $special) = @$_;
		$type =~ s/ DEFAULT .*//;
		my $count = () = "$special," =~ /,(?![^()]*\))/g;
		$n += 2;
		"CASE WHEN r(k, $n, $rare) = 0 THEN ('{}'::$type\[] || ARRAY[$special]::$type\[])[1 + r(k, $n + 1, $count)] ELSE ($value)::$type END";
	} @list;
}

# The tables of a round: the same rows on heap (h) and in several states of ours. What they are made with comes first.
sub tables
{
	my ($seed) = @_;
	my @order = sort { $a->[5] <=> $b->[5] } map { [ @$_, rand() ] } @columns;
	my $rows = pick(1500, 2500, 2500, 6000) + int(rand(1000));
	my $rare = pick(7, 60, 1000);
	my @first = ('k', map { $_->[0] } @order);
	my $definition = join ', ', 'k int', 'gone int', map { "$_->[0] $_->[1]" } @order;
	my $adding = join ', ', 'DROP COLUMN gone', map { "ADD $_->[0] $_->[1]" } @added;
	my @all = (@first, map { $_->[0] } @added);
	my $spread = pick('k * 3 / %R', 'r(k, 1, 3)', 'k / 512 % 3');
	$spread =~ s/%R/$rows/;
	my $options = sub {
		my @o;
		push @o, "nodedb_ts.series_columns = '" . pick('host', 'host,region', 'region,dev', '', 'i2', 'dev', 'f8,b', 'note') . "'" if maybe(0.8);
		push @o, "nodedb_ts.time_column = '" . pick('ts', 'tn', 'd', 'i8') . "'" if maybe(0.4);
		return @o ? ' WITH (' . join(', ', @o) . ')' : '';
	};
	my $insert = sub {
		my ($table, $part, $where) = @_;
		my @names = $part == 0 ? @first : @all;
		my $list = select_list($rare, $part == 0 ? @order : (@order, @added));
		return "INSERT INTO $table (" . join(', ', @names) . ") SELECT $list FROM generate_series(0, $rows - 1) k WHERE $spread = $part" . ($where || '');
	};
	my @sql = (
		'DROP SCHEMA IF EXISTS s CASCADE',
		'CREATE SCHEMA s',
		"CREATE FUNCTION r(k int, n int, m int) RETURNS int LANGUAGE sql IMMUTABLE RETURN abs(hashint8extended(k::int8 * 1000 + n, $seed) % m)::int",
	);
	for my $table (qw(h mixed compacted flushed parts))
	{
		if ($table eq 'parts')
		{
			push @sql, "CREATE TABLE parts ($definition) PARTITION BY RANGE (ts)",
			  'CREATE TABLE parts1 PARTITION OF parts FOR VALUES FROM (MINVALUE) TO (\'2024-01-01 03:00+00\') USING nodedb_ts' . $options->(),
			  'CREATE TABLE parts2 PARTITION OF parts FOR VALUES FROM (\'2024-01-01 03:00+00\') TO (\'2024-01-01 09:00+00\') USING ' . pick('heap', 'nodedb_ts'),
			  'CREATE TABLE parts3 PARTITION OF parts DEFAULT USING nodedb_ts' . $options->();
		}
		else
		{
			push @sql, "CREATE TABLE $table ($definition)" . ($table eq 'h' ? ' USING heap' : ' USING nodedb_ts' . $options->());
		}
		push @sql, $insert->($table, 0);
		push @sql, map { "SELECT ts_flush('$_')" } $table eq 'parts' ? qw(parts1) : ($table) if $table ne 'h';
		push @sql, "SELECT ts_compact('$table', before => 'infinity'::text)" if $table eq 'mixed' && $sql[-3] !~ /time_column/;
		push @sql, "ALTER TABLE $table $adding", $insert->($table, 1);
		push @sql, "SELECT ts_flush('mixed')" if $table eq 'mixed';
		# small transactions stay in L0
		push @sql, map { $insert->($table, 2, " AND k % 7 = $_") } 0 .. 6;
		push @sql, "SELECT ts_flush('$table')" if $table eq 'compacted' || $table eq 'flushed';
		push @sql, "SELECT ts_compact('compacted')" if $table eq 'compacted';
		push @sql, "ANALYZE $table" if maybe(0.7);
	}
	push @sql, 'CREATE TABLE hosts USING heap AS SELECT DISTINCT ON (host) host, region, dev, i4, ts, k FROM h WHERE k < 100 ORDER BY host, k';
	push @sql, 'CREATE VIEW s.' . "${_}_view AS SELECT k, ts, host, i4 AS x, f8 * 2 AS y FROM $_ WHERE i4 > 100" for qw(h mixed compacted flushed parts);
	return @sql;
}

sub ours { return qw(mixed compacted flushed parts); }

# ---- constants and conditions -----------------------------------------------

my %kind = map { $_->[0] => $_->[4] } @columns, @added;
my @names = sort keys %kind;
sub of_kind { my %wanted = map { $_ => 1 } @_; return pick(grep { $wanted{ $kind{$_} } } @names); }

# Values that rows have, above all those at the ends of a series or of a batch: literals by column.
my %stored;
sub remember
{
	my ($db) = @_;
	for my $c (@names)
	{
		my $order = $c =~ /^(b|dev|by)$/ ? "$c\::text" : $c;
		$stored{$c} = $db->selectcol_arrayref("SELECT DISTINCT quote_literal($order) || '::' || regexp_replace(pg_typeof($order)::text, '^character\$', 'bpchar') FROM (
			(SELECT (array_agg($c ORDER BY $c))[1] AS $c FROM h GROUP BY host ORDER BY host LIMIT 10) UNION ALL
			(SELECT (array_agg($c ORDER BY $c DESC NULLS LAST))[1] FROM h GROUP BY k / 1024 ORDER BY k / 1024) UNION ALL
			(SELECT $c FROM h WHERE k % 97 = 5 ORDER BY k LIMIT 10)) x WHERE $c IS NOT NULL ORDER BY 1") or die $db->errstr;
		s/::text$/::bool/ for grep { $c eq 'b' } @{ $stored{$c} };
		s/::text$/::uuid/ for grep { $c eq 'dev' } @{ $stored{$c} };
		s/::text$/::bytea/ for grep { $c eq 'by' } @{ $stored{$c} };
	}
	return;
}

sub constant
{
	my ($column) = @_;
	my $kind = $kind{$column};
	return "NULL" if maybe(0.02);
	return pick(@{ $stored{$column} }) if maybe(0.45) && @{ $stored{$column} };
	return pick("'host " . int(rand(20)) . "'", "'eu'", "'us-east'", "'c" . int(rand(10)) . "'", "''", "'nowhere'", "'l2'",
		"'note ' || md5('" . int(rand(3000)) . "')") if $kind eq 'text';
	return pick(int(rand(100)), int(rand(36000)) - 5000, int(rand(1000000)), 0, 7, -1, 32767, 2147483647, '9223372036854775807') if $kind eq 'int';
	return pick(int(rand(2000)) / 4, int(rand(500)), "'NaN'::float8", "'Infinity'::float8", "'-Infinity'::float8", "'-0'::float8", '0', '12.25::float4', '100::int8') if $kind eq 'float';
	return pick(int(rand(5000)) / 8, int(rand(600)), "'NaN'::numeric", "'Infinity'::numeric", '1e30', '-1') if $kind eq 'numeric';
	return pick('true', 'false') if $kind eq 'bool';
	return pick("('2024-01-01'::date + " . int(rand(20)) . ")", "'infinity'::date", "'2024-01-03'::date") if $kind eq 'date';
	return "md5('" . int(rand(500)) . "')::uuid" if $kind eq 'uuid';
	return "decode(md5('" . int(rand(60)) . "'), 'hex')" if $kind eq 'bytea';
	return "('00:00'::time + " . int(rand(12000)) . " * interval '1 s')" if $kind eq 'clock';
	my $type = $column eq 'ts' ? 'timestamptz' : 'timestamp';
	return pick("('2024-01-01 00:00'::$type + " . int(rand(72000)) . " * interval '1 s')", "'infinity'::$type", "'-infinity'::$type",
		"'2024-01-01 05:00'::$type", "('2024-01-20'::$type - interval '" . int(rand(400)) . " hours')");
}

# A condition that is evaluated row by row.
sub by_row { my ($p) = @_; return pick("${p}i4 % 3 = 0", "${p}i2 + 0 > -40000", "${p}i4 < ${p}i8", "length(${p}host) > 6"); }

# A condition that is evaluated once a bucket of a time or an integer.
sub on_bucket
{
	my ($p) = @_;
	my $op = pick(qw(= <> < >=));
	my $hour = "('2024-01-01 00:00'::timestamptz + " . int(rand(24)) . " * interval '1 hour')";
	return pick("${p}ts::date $op " . pick("'2024-01-01'::date", "'2024-01-02'", "'infinity'"), "${p}i4 / 1000 $op " . int(rand(36)),
		"date_trunc('" . pick(qw(minute hour day month)) . "', ${p}ts) $op $hour", "$hour $op date_bin('15 minutes', ${p}ts, '2000-01-01')",
		'extract(' . pick(qw(hour minute dow month)) . " FROM ${p}ts) " . pick('', 'NOT ') . 'IN (0, 1, 3, 5)');
}

# A condition that is evaluated once a value of a text.
sub on_text
{
	my ($p) = @_;
	my $t = "$p" . of_kind('text');
	return pick("upper($t) = 'HOST " . int(rand(20)) . "'", "lower($t) " . pick('IN', 'NOT IN') . " ('eu', 'host 3', 'us-east')", "left($t, 6) " . pick(qw(= <> <)) . " 'host 1'",
		"length($t) " . pick(qw(= > <)) . ' ' . int(rand(9)), "starts_with($t, 'host 1')", "btrim($t, 'h1') = 'ost '", "lower($t) LIKE '%e%'");
}

sub comparison
{
	my ($c, $p) = @_;
	my $v = constant($c);
	my $kind = $kind{$c};
	my @ops = $kind eq 'bool' ? qw(= <>) : qw(= = = < <= > >= <>);
	my $dice = rand();
	return "$p$c " . pick(@ops) . " $v" if $dice < 0.35;
	return "$v " . pick(@ops) . " $p$c" if $dice < 0.40;
	return "$p$c " . pick('IN', 'IN', 'NOT IN') . ' (' . join(', ', map { constant($c) } 0 .. int(rand(5))) . ')' if $dice < 0.50;
	return "$p$c BETWEEN " . constant($c) . ' AND ' . constant($c) if $dice < 0.62;
	return "$p$c IS " . pick('NULL', 'NOT NULL') if $dice < 0.68;
	return "$p$c IS " . pick('NOT ', '') . "DISTINCT FROM $v" if $dice < 0.73;
	if ($dice < 0.85)
	{
		my $t = of_kind('text');
		return "$p$t " . pick('LIKE', 'NOT LIKE', 'ILIKE') . ' ' . pick("'host 1%'", "'eu%'", "'%west'", "'note a_%'", "'h_st 3'", "'%'", "''", "'us\\-%'")
		  if maybe(0.7);
		return "$p$t " . pick('~', '!~', '~*') . ' ' . pick("'^host 1'", "'st [0-9]\$'", "'^eu\$'");
	}
	return "$p" . pick('b', 'b IS TRUE', 'b IS NOT FALSE', 'b IS UNKNOWN') if $dice < 0.88;
	return on_bucket($p) if $dice < 0.895;
	return on_text($p) if $dice < 0.91;
	return by_row($p) if $dice < 0.925;
	return "${p}host = ${p}lk" if $dice < 0.93;
	return "${p}$c = ANY (ARRAY[" . join(', ', map { constant($c) } 0 .. int(rand(4))) . '])' if $dice < 0.96 && $kind ne 'float' && $kind ne 'text' && $kind ne 'numeric';
	return "${p}host = ANY ('{" . join(',', map { 'host ' . int(rand(30)) } 0 .. int(rand(20))) . "}')" if $dice < 0.98;
	return "${p}i4 = (SELECT max(x.i4) FROM hosts x WHERE x.k < " . int(rand(60)) . ')' if $dice < 0.99;
	return "${p}i2 = (" . int(rand(100)) . ' + ' . pick(0, 1) . ')';
}

sub condition
{
	my ($depth, $p) = @_;
	$p //= '';
	return comparison(pick(@names), $p) if $depth <= 0 || maybe(0.35);
	return 'NOT (' . condition($depth - 1, $p) . ')' if maybe(0.12);
	return '(' . join(pick(' AND ', ' AND ', ' OR '), map { condition($depth - 1, $p) } 0 .. pick(1, 1, 2)) . ')';
}

sub where
{
	my ($p) = @_;
	return '' if maybe(0.12);
	return ' WHERE ' . by_row($p // '') if maybe(0.06);
	return ' WHERE ' . condition(2, $p);
}

# ---- what is selected ---------------------------------------------------------

# A column as it is shown: -0 as 0, numbers without the scale that only some of several equal ones have.
sub shown { my ($e, $kind) = @_; return $kind eq 'float' ? "$e + 0.0::float4" : $kind eq 'numeric' ? "trim_scale($e)" : $e; }
sub output { my ($c, $p) = @_; return shown(($p || '') . $c, $kind{$c}); }
sub outputs { my ($p) = @_; return join ', ', map { output($_, $p) } map { pick(@names) } 0 .. int(rand(4)); }

sub aggregate
{
	my ($p) = @_;
	$p //= '';
	my $filter = maybe(0.15) ? ' FILTER (WHERE ' . condition(1, $p) . ')' : '';
	my $number = of_kind('int', 'float', 'numeric');
	my $ordered = pick(grep { $kind{$_} !~ /^(bool|uuid|bytea)$/ } @names);
	my $dice = rand();
	return "count(*)$filter" if $dice < 0.15;
	return "count($p" . pick(@names) . ")$filter" if $dice < 0.25;
	# equal values of text may differ in nothing, those of char(n) neither
	return shown(pick('min', 'max') . "($p$ordered)$filter", $kind{$ordered}) if $dice < 0.5;
	return shown("sum($p$number)$filter", $kind{$number} eq 'float' ? 'float' : $kind{$number} eq 'numeric' ? 'numeric' : 'int') if $dice < 0.65;
	return "round((avg($p$number)$filter)::numeric * 0.7310585786, 6)" if $dice < 0.73 && $kind{$number} ne 'numeric';
	return 'round((' . pick(qw(stddev variance stddev_pop var_pop)) . "($p" . of_kind('float') . ")$filter)::numeric * 0.7310585786, 4)" if $dice < 0.78;
	return pick('bool_and', 'bool_or') . "(${p}b)$filter" if $dice < 0.83;
	return pick('first', 'last') . "($p" . pick('k', 'i4', 'host') . ", ${p}k)$filter" if $dice < 0.90;
	return "count(DISTINCT $p" . pick(@names) . ")$filter" if $dice < 0.93;
	return shown(pick('sum', 'min', 'max', 'count') . "(DISTINCT $p" . of_kind('int') . ")$filter", 'int') if $dice < 0.94;
	return "sum(${p}i4 + ${p}i2::int8)$filter" if $dice < 0.96;
	return "sum(CASE WHEN ${p}b THEN 1 ELSE ${p}i2 END)$filter" if $dice < 0.98;
	return "string_agg(${p}host, ',' ORDER BY ${p}k)$filter";
}
sub aggregates { my ($p) = @_; return join ', ', map { aggregate($p) } 0 .. int(rand(4)); }

my @buckets = (
	q{time_bucket('1 hour', ts)}, q{time_bucket('7 min', ts)}, q{date_trunc('hour', ts)}, q{date_bin('15 min', ts, '2024-01-01 00:00+00')},
	q{date_trunc('day', tn)}, q{time_bucket('2 days', d)}, q{time_bucket(500, i4)}, q{time_bucket('1 month', tn)}, q{i4 / 1000}, q{upper(region)},
	q{time_bucket('1 hour', ts, 'Europe/Berlin')}, q{date_trunc('day', ts, 'America/New_York')}, q{floor(extract(epoch from ts) / 3600) * 3600});
# those that take infinite times
sub bucket { my $b = pick(@buckets); return $b; }

sub q_rows { return { sql => 'SELECT ' . outputs() . ' FROM %T' . where() }; }
sub q_star { return { sql => 'SELECT k, host, note, ' . output('f8') . ' FROM %T' . where() . ' ORDER BY k', ordered => 1 }; }
sub q_aggregate { return { sql => 'SELECT ' . aggregates() . ' FROM %T' . where() }; }

sub q_group
{
	my @keys = map { maybe(0.4) ? bucket() : pick(@names) } 0 .. int(rand(3));
	my $having = maybe(0.2) ? ' HAVING ' . pick('count(*) > 2', 'max(i4) > 100', 'bool_or(b)', 'sum(i2) > 300') : '';
	my $list = join ', ', map { exists $kind{$_} ? shown($_, $kind{$_}) : $_ } @keys;
	return { sql => "SELECT $list, " . aggregates() . ' FROM %T' . where() . ' GROUP BY ' . join(', ', @keys) . $having };
}

sub q_group_limit
{
	my $b = bucket();
	my $n = 1 + int(rand(12));
	return { sql => "SELECT $b, " . aggregates() . ' FROM %T' . where() . ' GROUP BY 1 ORDER BY 1 ' . pick('DESC', '', 'DESC NULLS LAST') . " LIMIT $n", ordered => 1 };
}

sub q_best
{
	my $c = pick(grep { $kind{$_} ne 'text' } @names);
	my $limit = pick('LIMIT ' . int(rand(30)), 'LIMIT 5 OFFSET ' . int(rand(50)), 'LIMIT 2000');
	my $order = pick('DESC', '', 'DESC NULLS LAST', 'NULLS FIRST');
	return maybe(0.5)
	  ? { sql => 'SELECT ' . output($c) . ' FROM %T' . where() . " ORDER BY $c $order $limit", ordered => 1 }
	  : { sql => 'SELECT k, ' . output($c) . ', note FROM %T' . where() . " ORDER BY $c $order, k $limit", ordered => 1 };
}

# Orders that segments are in, and others.
sub q_ordered
{
	my @key = split / /, pick('host', 'host', 'region', 'dev', 'i2', 'host region', 'region host', 'region dev', 'f8 b', 'b f8', 'b', 'note', 'lk', 'host lk', '');
	push @key, pick('ts', 'ts', 'ts', 'tn', 'd', 'i8') if !@key || maybe(0.7);
	my @order = map { $_ . pick('', '', '', ' DESC', ' NULLS FIRST', ' DESC NULLS LAST') } @key;
	my $limit = pick('', '', ' LIMIT ' . int(rand(30)), ' LIMIT 5 OFFSET ' . int(rand(2000)));
	my $dice = rand();
	return { sql => 'SELECT ' . join(', ', map { output($_) } @key) . ' FROM %T' . where() . ' ORDER BY ' . join(', ', @order) . $limit, ordered => 1 } if $dice < 0.3;
	return { sql => 'SELECT k, note, ' . join(', ', map { output($_) } @key) . ' FROM %T' . where() . ' ORDER BY ' . join(', ', @order, 'k') . $limit, ordered => 1 } if $dice < 0.6;
	my $by = pop @order;
	return { sql => 'SELECT k, i4 - lag(i4) OVER w, row_number() OVER w FROM %T' . where() . ' WINDOW w AS (' . (@order ? 'PARTITION BY ' . join(', ', @key[0 .. $#key - 1]) : '') . " ORDER BY $by, k)" } if $dice < 0.75;
	return { sql => 'SELECT DISTINCT ON (' . join(', ', @key) . ') ' . join(', ', 'k', 'i4') . ' FROM %T' . where() . ' ORDER BY ' . join(', ', @order, $by, 'k') } if $dice < 0.85;
	return { sql => 'SELECT o.host, q.* FROM hosts o CROSS JOIN LATERAL (SELECT a.k, a.ts FROM %T a WHERE a.host = o.host AND a.region = o.region ORDER BY a.ts' . pick('', ' DESC') . ', a.k LIMIT 3) q' } if $dice < 0.93;
	return { sql => 'SELECT count(*), sum(a.i2), min(b.k) FROM %T a JOIN %T b ON ' . join(' AND ', map { "a.$_ = b.$_" } @key) . ' WHERE a.k < 500 AND ' . condition(1, 'b.') };
}

sub q_last_point
{
	my $key = pick('host', 'region', 'dev', 'i2', 'b', 'lk');
	my $by = pick('ts', 'ts', 'k', 'i8', 'tn', 'f8');
	my $order = pick('DESC', '', 'DESC NULLS LAST');
	return maybe(0.5)
	  ? { sql => "SELECT DISTINCT ON ($key) $key, " . ($by eq 'k' ? 'k' : output($by)) . ' FROM %T' . where() . " ORDER BY $key, $by $order" }
	  : { sql => "SELECT DISTINCT ON ($key) $key, k, i4, note FROM %T" . where() . " ORDER BY $key, $by $order, k" };
}

# What segments keep copies of newest rows for; where times tie any row may be the newest.
sub q_newest
{
	my $t = pick('ts', 'ts', 'ts', 'tn', 'd', 'i8');
	my $nulls = pick('', '', ' NULLS LAST');
	my $c = maybe(0.5) ? ' AND ' . condition(1, 'a.') : '';
	return { sql => "SELECT o.host, q.* FROM hosts o LEFT JOIN LATERAL (SELECT a.$t FROM %T a WHERE a.host = o.host$c ORDER BY a.$t DESC$nulls LIMIT 1) q ON true" } if maybe(0.3);
	return { sql => "SELECT $t FROM %T" . where() . " ORDER BY $t DESC$nulls LIMIT 1" } if maybe(0.2);
	my $keys = pick('', 'host', 'host', 'region', 'host, region', 'region, dev', 'dev', 'i2', 'b');
	my $more = maybe(0.15) ? ', ' . aggregate('') : '';
	my $filter = maybe(0.1) ? ' FILTER (WHERE ' . condition(1) . ')' : '';
	return { sql => 'SELECT ' . ($keys ? "$keys, " : '') . pick("max($t)", "last($t, $t)", "max($t), last($t, $t)") . "$filter$more FROM %T" . where() . ($keys ? " GROUP BY $keys" : '') };
}

sub q_join
{
	my $on = pick('a.host = o.host', 'a.host = o.host AND a.region = o.region', 'a.dev = o.dev', 'a.i4 = o.i4', 'a.ts = o.ts', 'a.ts > o.ts AND a.host = o.host',
		'a.i2 = o.i4', 'a.k = o.k', 'a.host = o.host AND a.ts BETWEEN o.ts AND o.ts + interval \'1 h\'');
	my $more = ' AND ' . condition(1, 'a.');
	my $few = maybe(0.5) ? ' AND o.k < ' . int(rand(30)) : '';
	my $join = pick('JOIN', 'JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN');
	$join = 'JOIN' if $on =~ /[<>B]/ && $join eq 'FULL JOIN';
	return maybe(0.6)
	  ? { sql => "SELECT count(*), count(a.k), sum(a.i2), max(a.ts), min(o.host) FROM hosts o $join %T a ON $on" . ($join eq 'FULL JOIN' ? '' : "$more$few") }
	  : { sql => "SELECT o.host, a.k, a.i4, a.note FROM hosts o JOIN %T a ON $on WHERE true$more$few" };
}

sub q_self_join
{
	my $on = pick('a.k = b.k + 1', 'a.i4 = b.i4', 'a.host = b.lk AND a.k = b.k', 'a.dev = b.dev AND a.k < 300 AND b.k < 300', 'a.ts = b.ts AND a.host = b.host');
	return { sql => 'SELECT count(*), sum(a.i2), max(b.i4) FROM %T a ' . pick('JOIN', 'LEFT JOIN') . " %T b ON $on WHERE " . condition(2, 'a.') };
}

sub q_semi
{
	return { sql => 'SELECT o.host, o.k FROM hosts o WHERE ' . pick('', 'NOT ') . 'EXISTS (SELECT FROM %T a WHERE a.host = o.host AND ' . condition(1, 'a.') . ')' } if maybe(0.4);
	return { sql => 'SELECT k, host FROM %T WHERE ' . pick('host IN (SELECT host FROM hosts WHERE k < 5)', 'i4 IN (SELECT i4 FROM hosts)', 'dev = ANY (SELECT dev FROM hosts WHERE k < 9)',
			'host = (SELECT host FROM hosts WHERE k = 3)', 'i8 > (SELECT avg(i8) FROM hosts h JOIN %T x USING (k))') . ' AND ' . condition(1) };
}

sub q_lateral
{
	my $c = condition(1, 'a.');
	return { sql => "SELECT o.host, q.* FROM hosts o CROSS JOIN LATERAL (SELECT a.k, a.i4 FROM %T a WHERE a.host = o.host AND $c ORDER BY a.k DESC LIMIT 2) q" } if maybe(0.4);
	return { sql => "SELECT o.host, q.* FROM hosts o LEFT JOIN LATERAL (SELECT count(*) AS n, sum(a.i2) AS s FROM %T a WHERE a.region = o.region AND a.ts >= o.ts AND $c) q ON true" } if maybe(0.5);
	return { sql => "SELECT o.host, (SELECT max(a.ts) FROM %T a WHERE a.host = o.host AND $c), (SELECT count(*) FROM %T a WHERE a.dev = o.dev) FROM hosts o" };
}

sub q_distinct_of
{
	my @keys = (bucket(), map { maybe(0.5) ? bucket() : output(pick(@names)) } 1 .. int(rand(3)));
	return { sql => 'SELECT DISTINCT ' . join(', ', @keys) . ' FROM %T' . where() };
}
sub q_distinct { my $c = pick(@names); return { sql => 'SELECT DISTINCT ' . join(', ', map { output($_) } $c, (maybe(0.3) ? 'host' : ())) . ' FROM %T' . where() }; }

sub q_derived
{
	my $w = where();
	return { sql => "WITH c AS MATERIALIZED (SELECT host, i4, k FROM %T$w) SELECT a.host, count(*), sum(b.i4) FROM c a JOIN c b ON a.k = b.k GROUP BY 1" } if maybe(0.3);
	return { sql => 'SELECT host, count(*), max(x), sum(y) + 0.0 FROM %T_view WHERE ' . pick('x < 9000', "host = 'host 2'", "ts > '2024-01-01 04:00+00'", 'y > 100') . ' GROUP BY 1' } if maybe(0.3);
	return { sql => "SELECT k, i4, row_number() OVER (PARTITION BY host ORDER BY k), sum(i2) OVER (PARTITION BY region ORDER BY k) FROM %T$w" } if maybe(0.4);
	return { sql => "SELECT host, i4 FROM %T$w UNION ALL SELECT lk, late FROM %T WHERE " . condition(1) } if maybe(0.5);
	return { sql => "SELECT host, max(n) FROM (SELECT host, " . bucket() . " AS t, count(*) AS n FROM %T$w GROUP BY 1, 2) x GROUP BY host" };
}

my @makers = ((\&q_rows) x 4, \&q_star, (\&q_aggregate) x 4, (\&q_group) x 5, \&q_group_limit, (\&q_best) x 2, (\&q_ordered) x 4, (\&q_last_point) x 2, (\&q_newest) x 2, (\&q_join) x 3, \&q_self_join,
	\&q_semi, \&q_lateral, \&q_distinct, \&q_distinct_of, \&q_derived);

# A query: sql; ordered: in a given order; cursor: FETCHes to go through it by; types, values: parameters.
sub query
{
	my $q = pick(@makers)->();
	if (maybe(0.06))
	{
		my ($n, $m) = (int(rand(2000)), int(rand(400)));
		$q->{cursor} = pick("MOVE $n; MOVE BACKWARD ALL", "MOVE ALL; MOVE BACKWARD ALL", "MOVE $n; MOVE BACKWARD $m; MOVE FORWARD $m; MOVE BACKWARD ALL", 'MOVE 0');
	}
	elsif (maybe(0.08))
	{
		my ($c, $d) = (of_kind('int'), of_kind('text', 'uuid'));
		my $type = $kind{$d} eq 'uuid' ? 'uuid' : 'text';
		my $op = pick(qw(= < >= >));
		$q->{sql} = pick("SELECT count(*), sum(i2), min(k) FROM %T WHERE $c $op \$1 AND ($d = \$2 OR k < \$3)", "SELECT k, $d FROM %T WHERE $c $op \$1 AND $d = \$2 AND k > \$3",
			"SELECT host, count(*) FROM %T WHERE ts >= '2024-01-01'::timestamptz + \$3 * interval '1 s' AND ($c $op \$1 OR $d = \$2) GROUP BY 1",
			"SELECT k FROM %T WHERE $d = ANY (ARRAY[\$2, NULL]) AND $c BETWEEN \$1 AND \$1 + \$3 ORDER BY k LIMIT 7");
		$q->{ordered} = 0;
		$q->{types} = "int8, $type, int4";
		$q->{values} = [ map { join ', ', constant($c) =~ s/.*[\']?9223372036854775807.*/5/r, constant($d), pick(0, 5, 9000, 'NULL') } 0 .. 6 ];
		$q->{mode} = pick('force_generic_plan', 'force_custom_plan', 'auto');
	}
	return $q;
}

1;
