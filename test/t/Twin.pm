# A table of nodedb_ts and its heap twin, driven by several sessions.
#
# Whatever is done to one table is done to the other, so every snapshot of every
# session must see equal rows in both. The driver runs one statement at a time
# and notices when it waits for a lock; then other sessions go on. All choices
# come from a generator of numbers that is seeded with (seed, round), and the
# outcome of a statement depends on nothing but the statements before it: the
# same seed runs the same statements. What the statements are is the business
# of TwinStatements.pm.
#
# With kills, a server dies now and then while statements run. Which of these
# commit is chance; what follows is the same again.
package Twin;

use strict;
use warnings;

use DBI;
use DBD::Pg qw(:async);
use KillServer;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use TwinStatements;

# Milliseconds; a statement that waits is left alone when its deadlock check is
# behind it, so that the victim of a later deadlock is always the last to wait.
my $deadlock_timeout = 10;
my $longest_statement = 180;

our $conf = <<EOC;
log_statement = none
fsync = off
restart_after_crash = on
autovacuum = off
deadlock_timeout = ${deadlock_timeout}ms
max_prepared_transactions = 20
max_parallel_workers = 4
shared_buffers = 16MB
max_wal_size = 512MB
allow_in_place_tablespaces = on
EOC

sub new
{
	my ($class, %params) = @_;
	my $self = bless {
		sessions => [],
		width => 4,
		kills => 0,
		prepared => {},
		count => { rounds => 0, steps => 0, statements => 0, compared => 0, waits => 0, failed => 0, kills => 0, differences => 0 },
		%params
	}, $class;
	$self->{monitor} = $self->connection;
	$self->tell($_) for TwinStatements::functions();
	$self->tell("CREATE TABLESPACE twin_space LOCATION ''");
	return $self;
}

# ---- numbers ----------------------------------------------------------------

sub seed
{
	my ($self, $round) = @_;
	$self->{random} = ($self->{seed} * 1_000_003 + $round * 7919 + 88172645463325252) || 1;
	$self->chance for 1 .. 10;
	return;
}

# 0 <= x < 1
sub chance
{
	my ($self) = @_;
	my $x = $self->{random};
	$x ^= $x << 13;
	$x ^= $x >> 7;
	$x ^= $x << 17;
	$self->{random} = $x;
	return ($x >> 11) / 9007199254740992;
}
sub below { my ($self, $n) = @_; return int($self->chance * $n); }
sub pick { my ($self, @list) = @_; return $list[ $self->below(scalar @list) ]; }

# ---- connections ------------------------------------------------------------

sub connection
{
	my ($self) = @_;
	my $node = $self->{node};
	my $until = time() + 120;
	while (1)
	{
		my $dbh = DBI->connect('dbi:Pg:dbname=postgres;host=' . $node->host . ';port=' . $node->port,
			undef, undef, { AutoCommit => 1, RaiseError => 0, PrintError => 0, PrintWarn => 0, pg_enable_utf8 => 0 });
		return $dbh if $dbh;
		die "no connection: $DBI::errstr" if time() > $until;
		sleep 0.05;
	}
}

# One value, from the connection that takes part in nothing.
sub ask
{
	my ($self, $sql) = @_;
	my $rows = $self->{monitor}->selectall_arrayref($sql, { pg_direct => 1 });
	die "$sql: " . $self->{monitor}->errstr if $self->{monitor}->err;
	return $rows && @$rows ? $rows->[0][0] : undef;
}

sub tell
{
	my ($self, $sql) = @_;
	$self->{monitor}->do($sql) or die "$sql: " . $self->{monitor}->errstr;
	return;
}

sub open_sessions
{
	my ($self) = @_;
	$self->{sessions} = [ map { $self->open_session($_) } 1 .. $self->{width} ];
	return;
}
sub open_session
{
	my ($self, $n) = @_;
	my $dbh = $self->connection;
	$dbh->do("SET client_min_messages = error; SET timezone = 'UTC'; SET extra_float_digits = 1");
	return {
		n => $n, dbh => $dbh, pid => $dbh->{pg_pid}, queue => [], history => [],
		in => 0, aborted => 0, points => [], cursors => {}, strong => {}
	};
}

# ---- running statements -------------------------------------------------------

# Runs what is queued for a session until it waits.
sub run_queue
{
	my ($self, $s) = @_;
	while (my $item = shift @{ $s->{queue} })
	{
		if ($item->{code}) { $item->{code}->($self, $s); next; }
		$self->start($s, $item);
		next if $item->{finished};
		if ($self->outcome($s) eq 'waits')
		{
			$s->{waits} = 1;
			$self->{count}{waits}++;
			return;
		}
		$self->finish($s);
		$self->settle if !$self->{settling};
	}
	return;
}

sub start
{
	my ($self, $s, $item) = @_;
	$self->{count}{statements}++;
	push @{ $s->{history} }, $item->{sql};
	shift @{ $s->{history} } if @{ $s->{history} } > 20;
	note "round $self->{round} step $self->{step} session $s->{n}: $item->{sql}" if $ENV{TWIN_TRACE};
	$item->{began} = time();
	$s->{item} = $item;
	if (defined $item->{copy})
	{
		# the caller has seen to it that nobody is waited for
		my $dbh = $s->{dbh};
		my $ok = $dbh->do($item->{sql});
		for (my $at = 0; $ok && $at < length $item->{copy}; $at += 60000)
		{
			$ok = $dbh->pg_putcopydata(substr($item->{copy}, $at, 60000));
		}
		$ok &&= $dbh->pg_putcopyend;
		$item->{finished} = 1;
		$self->done($s, $ok ? { rows => [] } : { state => $dbh->state, message => $dbh->errstr });
		return;
	}
	$s->{sth} = $s->{dbh}->prepare($item->{sql}, { pg_async => PG_ASYNC, pg_direct => 1 });
	$s->{sth}->execute;
	return;
}

# Is it done? Waits for the server a little.
sub is_ready
{
	my ($self, $s, $seconds) = @_;
	my $ready = $s->{dbh}->pg_ready;
	return 1 if $ready;
	my $bits = '';
	vec($bits, $s->{dbh}{pg_socket}, 1) = 1;
	select($bits, undef, undef, $seconds);
	return $s->{dbh}->pg_ready ? 1 : 0;
}

# 'ready', or 'waits' when another session has to do something first.
sub outcome
{
	my ($self, $s) = @_;
	while (1)
	{
		return 'ready' if $self->is_ready($s, 0.02);
		if (time() - $s->{item}{began} > 0.015 && $self->condition($s) eq 'waits')
		{
			# its deadlock check must be over
			sleep 2.5 * $deadlock_timeout / 1000;
			return $self->is_ready($s, 0.001) ? 'ready' : 'waits' if $self->condition($s) eq 'waits';
		}
		$self->fail_hard("a statement of session $s->{n} does not end: $s->{item}{sql}")
		  if time() - $s->{item}{began} > $longest_statement;
	}
}

# 'runs', 'waits', or 'circle' when it waits for itself, by way of others: then the server decides.
sub condition { my ($self, $s) = @_; return $self->ask("SELECT twin_condition($s->{pid})"); }

# Lets those go on who have waited.
sub settle
{
	my ($self) = @_;
	local $self->{settling} = 1;
	my $again = 1;
	while ($again)
	{
		$again = 0;
		for my $s (grep { $_->{waits} } @{ $self->{sessions} })
		{
			next if !$self->is_ready($s, 0) && $self->condition($s) eq 'waits';
			$s->{item}{began} = time();
			next if $self->outcome($s) eq 'waits';
			$s->{waits} = 0;
			$again = 1;
			$self->finish($s);
			$self->run_queue($s);
		}
	}
	return;
}

sub finish
{
	my ($self, $s) = @_;
	my $rows = [];
	my $ok = $s->{dbh}->pg_result;
	if (!$ok || $s->{dbh}->err)
	{
		return $self->done($s, { state => $s->{dbh}->state || '08006', message => $s->{dbh}->errstr // 'connection lost' });
	}
	$rows = $s->{sth}->fetchall_arrayref if $s->{sth}{NUM_OF_FIELDS};
	return $self->done($s, { rows => $rows // [] });
}

# Serialization failures and deadlocks belong to the game; so does a column that
# another session has dropped while the statement waited, and a cursor or a
# trigger event of the same transaction that stands in the way.
my %expected = map { $_ => 1 } qw(40001 40P01 42703 42701 55006 42704);

sub done
{
	my ($self, $s, $result) = @_;
	my $item = $s->{item};
	note sprintf('    %.0f ms %s', 1000 * (time() - $item->{began}), $result->{state} // '') if $ENV{TWIN_TRACE};
	if ($result->{state} && !$item->{may_fail})
	{
		$self->{count}{failed}++;
		$self->difference($s, "unexpected error $result->{state}: $result->{message}\nin: $item->{sql}")
		  if !$expected{ $result->{state} } && index($item->{or} // '', $result->{state}) < 0;
		$s->{queue} = [];
		$s->{aborted} = 1 if $s->{in};
		$self->difference($s, "a statement that commits by itself failed ($result->{state}): $item->{sql}")
		  if $item->{alone} && !$s->{in};
		$item->{failed}->($self, $s, $result) if $item->{failed};
		return;
	}
	$self->difference($s, "internal error: $result->{message}\nin: $item->{sql}")
	  if $result->{state} && $result->{state} =~ /^(XX|08|57P)/;
	$item->{then}->($self, $s, $result) if $item->{then};
	return;
}

# ---- comparing ----------------------------------------------------------------

sub hash_of { return "SELECT count(*) AS n, sum(hashtextextended(x::text, 0)::numeric) AS s FROM $_[0] x"; }

# The two tables of a pair, in the session's own snapshot.
sub comparison
{
	my ($self, $pair) = @_;
	my ($t, $h) = ("${pair}_t", "${pair}_h");
	return {
		sql => "SELECT a.n, a.s, b.n, b.s FROM (" . hash_of($t) . ") a, (" . hash_of($h) . ") b",
		alone => 1,
		then => sub {
			my ($self, $s, $result) = @_;
			my @r = map { $_ // 'NULL' } @{ $result->{rows}[0] };
			$self->{count}{compared}++;
			$self->{pairs}{$pair}{rows} = $r[2];
			return if $r[0] eq $r[2] && $r[1] eq $r[3];
			$self->difference($s, "pair $pair: $t has $r[0] rows, hash $r[1]; $h has $r[2] rows, hash $r[3]", $pair);
		} };
}

# A query with %T for the table, that gives one value: both in one snapshot.
sub query_comparison
{
	my ($self, $pair, $query) = @_;
	my @both = map { (my $q = $query) =~ s/%T/${pair}_$_/g; $q } qw(t h);
	return {
		sql => "SELECT ($both[0])::text, ($both[1])::text",
		alone => 1,
		then => sub {
			my ($self, $s, $result) = @_;
			my ($t, $h) = map { $_ // 'NULL' } @{ $result->{rows}[0] };
			$self->{count}{compared}++;
			$self->difference($s, 'a query gives ' . substr($t, 0, 500) . ' and on heap ' . substr($h, 0, 500) . "\nin: $both[0]", $pair)
			  if $t ne $h;
		} };
}

# Two lists that must hold the same values in any order.
sub compare_lists
{
	my ($self, $s, $what, $t, $h) = @_;
	$self->{count}{compared}++;
	my ($a, $b) = map { join ' ', sort map { $_ // 'NULL' } @$_ } $t, $h;
	$self->difference($s, "$what: " . @$t . ' rows and on heap ' . @$h . ' rows differ') if $a ne $b;
	return;
}

# Looks at the pairs in all sessions that can look without waiting. A scan
# writes out what the session has buffered: so those who write look less often.
sub compare_everywhere
{
	my ($self, $actor) = @_;
	my $fresh = 0;
	for my $s (@{ $self->{sessions} })
	{
		next if $s->{waits} || $s->{aborted} || @{ $s->{queue} };
		# outside a transaction all see the same
		next if !$s->{in} && $fresh++;
		for my $pair (sort keys %{ $self->{touched} })
		{
			my $rows = $self->{pairs}{$pair}{rows} // 0;
			my $wish = $s->{in} && ($s == $actor || $s->{wrote}) ? 0.25 : 1;
			$wish *= TwinStatements::look_rows($pair) / $rows if $rows > TwinStatements::look_rows($pair);
			next if $self->chance > $wish || $self->strong_elsewhere($pair, $s);
			push @{ $s->{queue} }, $self->comparison($pair);
		}
		$self->run_queue($s);
	}
	$self->{touched} = {};
	return;
}

# Does anybody else hold or await a lock that keeps readers out?
sub strong_elsewhere
{
	my ($self, $pair, $s) = @_;
	return scalar grep { (!$s || $_ != $s) && $_->{strong}{$pair} } @{ $self->{sessions} }, values %{ $self->{prepared} };
}

# ---- what went wrong ------------------------------------------------------------

sub difference
{
	my ($self, $s, $what, $pair) = @_;
	$self->{count}{differences}++;
	my $where = $s ? ", session $s->{n}" : '';
	my $text = "DIFFERENCE: TWIN_SEED=$self->{seed} TWIN_ROUND=$self->{round}, step $self->{step}$where\n$what\n";
	if ($pair && $s && !$s->{aborted})
	{
		for my $side (qw(t h))
		{
			my $other = $side eq 't' ? 'h' : 't';
			my $rows = $s->{dbh}->selectcol_arrayref(
				"SELECT left(r, 1000) FROM (SELECT x::text AS r FROM ${pair}_$side x EXCEPT ALL SELECT x::text FROM ${pair}_$other x ORDER BY 1 LIMIT 5) q");
			$text .= "only in ${pair}_$side: $_\n" for @{ $rows // [] };
		}
	}
	for my $one (@{ $self->{sessions} })
	{
		my $state = $one->{waits} ? 'waits' : $one->{aborted} ? 'aborted' : $one->{in} ? "in a transaction ($one->{in})" : 'idle';
		$text .= "session $one->{n} ($state), its last statements:\n";
		$text .= '    ' . substr($_, 0, 400) . "\n" for @{ $one->{history} };
	}
	diag $text;
	die "twin: stopped at a difference\n";
}
sub fail_hard { my ($self, $what) = @_; return $self->difference(undef, $what); }

# ---- rounds -----------------------------------------------------------------------

# One round on new tables; 0 when it has found a difference.
sub round
{
	my ($self, $round, $steps, $until) = @_;
	$self->{round} = $round;
	$self->{step} = 0;
	$self->seed($round);
	my $ok = eval {
		$self->{pairs} = { map { $_ => { rows => 0 } } TwinStatements::pairs() };
		$self->tell($_) for TwinStatements::tables();
		$self->open_sessions;
		for (1 .. $steps)
		{
			$self->{step}++;
			$self->{count}{steps}++;
			last if time() > $until;
			if ($self->{kills} && $self->chance < 1 / 50) { $self->kill_now; next; }
			$self->one_step;
		}
		$self->end_round;
		1;
	};
	my $error = $@;
	if (!$ok && $error !~ /stopped at a difference/)
	{
		$self->{count}{differences}++;
		diag "TWIN_SEED=$self->{seed} TWIN_ROUND=$round, step $self->{step}: $error";
	}
	if ($ok)
	{
		$_->{dbh}->disconnect for @{ $self->{sessions} };
		$self->{sessions} = [];
		$self->{count}{rounds}++;
	}
	return $ok;
}

sub one_step
{
	my ($self) = @_;
	my @free = grep { !$_->{waits} } @{ $self->{sessions} };
	if (!@free)
	{
		# only a prepared transaction can be what they all wait for
		my ($gid) = sort keys %{ $self->{prepared} };
		$self->fail_hard('all sessions wait') if !$gid;
		$self->resolve($gid);
		$self->settle;
		return;
	}
	my $s = $self->pick(@free);
	$self->{touched} = {};
	push @{ $s->{queue} }, TwinStatements::next_statements($self, $s);
	$self->run_queue($s);
	$self->settle;
	$self->compare_everywhere($s);
	return;
}

# Ends a prepared transaction; which way depends on its name.
sub resolve
{
	my ($self, $gid) = @_;
	my $verb = $gid =~ /[02468]$/ ? 'COMMIT' : 'ROLLBACK';
	$self->tell("$verb PREPARED '$gid'");
	delete $self->{prepared}{$gid};
	return;
}

# All transactions end; then the tables are compared as everybody sees them.
sub end_round
{
	my ($self) = @_;
	for my $try (1 .. 3 * @{ $self->{sessions} } + 10)
	{
		$self->resolve($_) for sort keys %{ $self->{prepared} };
		$self->settle;
		for my $s (grep { !$_->{waits} && $_->{in} } @{ $self->{sessions} })
		{
			push @{ $s->{queue} }, TwinStatements::end_of_transaction($self, $s, 'COMMIT');
			$self->run_queue($s);
			$self->settle;
		}
		last if !grep { $_->{waits} || $_->{in} } @{ $self->{sessions} };
	}
	$self->check_all('at the end');
	$self->ask("SELECT ts_flush('${_}_t')") for TwinStatements::pairs();
	$self->check_all('after a last flush');
	$self->ask("SELECT FROM ts_compact('${_}_t')") for TwinStatements::pairs();
	$self->check_all('after a last compaction');
	$self->tell("VACUUM ${_}_t") for TwinStatements::pairs();
	$self->check_all('after a last VACUUM');
	return;
}

# A connection that knows nothing compares everything.
sub check_all
{
	my ($self, $when) = @_;
	my $s = $self->open_session(0);
	$s->{history} = ["-- $when"];
	for my $pair (TwinStatements::pairs())
	{
		next if $self->strong_elsewhere($pair);
		my $item = $self->comparison($pair);
		$self->{count}{statements}++;
		my $rows = $s->{dbh}->selectall_arrayref($item->{sql}, { pg_direct => 1 })
		  or $self->fail_hard("$when: " . $s->{dbh}->errstr);
		$item->{then}->($self, $s, { rows => $rows });
		$self->verify($s, "${pair}_t", $when);
	}
	$s->{dbh}->disconnect;
	return;
}

# ts_verify must have nothing to say.
sub verify
{
	my ($self, $s, $table, $when) = @_;
	my $rows = $s->{dbh}->selectall_arrayref("SELECT v::text FROM ts_verify('$table') v", { pg_direct => 1 })
	  or $self->fail_hard("$when: ts_verify('$table'): " . $s->{dbh}->errstr);
	$self->{count}{compared}++;
	$self->fail_hard("$when: ts_verify('$table') says: " . join('; ', map { $_->[0] } @$rows)) if @$rows;
	return;
}

# ---- kills ----------------------------------------------------------------------------

# The server dies while every session that can runs something.
sub kill_now
{
	my ($self) = @_;
	my $kind = $self->pick(qw(backend backend postmaster all immediate restart));
	my (@running, $comparable);
	for my $s (grep { !$_->{waits} } @{ $self->{sessions} })
	{
		my $sql = TwinStatements::statement_to_kill($self, $s);
		next if !$sql;
		push @{ $s->{history} }, $sql;
		note "round $self->{round} step $self->{step} session $s->{n}, to be killed: $sql" if $ENV{TWIN_TRACE};
		$s->{sth} = $s->{dbh}->prepare($sql, { pg_async => PG_ASYNC, pg_direct => 1 });
		$s->{sth}->execute;
		push @running, $s;
	}
	my $delay = $self->chance;
	$delay = $delay < 0.5 ? $delay * 0.04 : ($delay - 0.5) * 0.3;
	my $victim = $self->pick(@{ $self->{sessions} });
	sleep $delay;
	$self->{count}{kills}++;
	note "round $self->{round} step $self->{step}: kill, $kind" if $ENV{TWIN_TRACE};
	my $node = $self->{node};
	if ($kind eq 'backend')
	{
		kill 'KILL', $victim->{pid};
		# every other backend is told to leave, this one too
		my $until = time() + 60;
		while ($self->{monitor}->selectrow_array('SELECT 1')) { die 'the server ignores a killed backend' if time() > $until; sleep 0.005; }
	}
	elsif ($kind eq 'immediate') { $node->stop('immediate'); start_again($node); }
	elsif ($kind eq 'restart') { $node->stop('fast'); start_again($node); }
	else { kill_and_start($node, children => $kind eq 'all'); }
	my $old = $self->{sessions};
	$self->{monitor} = $self->connection;
	for my $gone (@$old) { eval { $gone->{dbh}->disconnect }; }
	# what was prepared is still there, and a PREPARE that ran may have succeeded
	my %there = map { $_->[0] => 1 } @{ $self->{monitor}->selectall_arrayref('SELECT gid FROM pg_prepared_xacts') };
	for my $gid (keys %{ $self->{prepared} })
	{
		$self->fail_hard("the prepared transaction $gid is gone") if !$there{$gid};
	}
	$self->{prepared}{$_} //= { strong => {} } for keys %there;
	$self->open_sessions;
	$self->{sessions}[$_]{history} = $old->[$_]{history} for 0 .. $#$old;
	push @{ $_->{history} }, "-- kill: $kind" for @{ $self->{sessions} };
	$self->check_all("after a kill ($kind)");
	if ($self->chance < 0.5)
	{
		$self->resolve($_) for sort keys %{ $self->{prepared} };
		$self->check_all('after a kill and the prepared transactions\' end');
	}
	return;
}

sub summary
{
	my ($self) = @_;
	my $c = $self->{count};
	return join ', ', "seed $self->{seed}", map { my $k = $_; (my $w = $k) =~ s/compared/statements compared/; $w =~ s/^statements$/statements run/; "$w = $c->{$k}" }
	  qw(rounds statements compared waits failed kills differences);
}

1;
