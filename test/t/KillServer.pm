# Kills a test server without warning and starts it again.
package KillServer;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(kill_server start_again kill_and_start is_running);

# Whether the process runs. One that has ended and that nobody has waited for
# still has a pid, but counts as gone.
sub is_running
{
	my ($pid) = @_;
	return 0 unless kill(0, $pid);
	if (open(my $f, '<', "/proc/$pid/stat"))
	{
		my $line = <$f>;
		return 0 if !defined $line || $line =~ /\) Z /;
	}
	return 1;
}

# Sends SIGKILL to the postmaster, and to its children too when asked; returns
# when all of them are gone.
sub kill_server
{
	my ($node, %params) = @_;
	my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/ or die 'no pid';
	my @children = split /\n/, $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
	$node->kill9;
	if ($params{children})
	{
		kill 'KILL', $_ for @children;
	}
	my $deadline = time() + $PostgreSQL::Test::Utils::timeout_default;
	while (grep { is_running($_) } ($postmaster, @children))
	{
		die 'processes are still there after the kill' if time() > $deadline;
		sleep 0.02;
	}
	# The next postmaster asks only whether the pid in these files exists.
	if (kill(0, $postmaster))
	{
		unlink $node->data_dir . '/postmaster.pid', $node->host . '/.s.PGSQL.' . $node->port . '.lock';
	}
	return;
}

# Starts a killed server; it may have to wait until shared memory is let go.
sub start_again
{
	my ($node) = @_;
	for my $try (1 .. 50)
	{
		return if $node->start(fail_ok => 1);
		sleep 0.2;
	}
	BAIL_OUT('the server does not start again');
}

sub kill_and_start
{
	my ($node, %params) = @_;
	kill_server($node, %params);
	start_again($node);
	return;
}

1;
