# A psql that stays open for many statements, and for which an error or a lost
# connection is an answer like any other.
package Session;

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Utils;

sub new
{
	my ($class, $node) = @_;
	my $self = bless { in => '', out => '', marks => 0 }, $class;
	$self->{timer} = IPC::Run::timer(300);
	$self->{run} = IPC::Run::start([ 'psql', '-X', '-A', '-t', '-q', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres') ],
		'<', \$self->{in}, '>&', \$self->{out}, $self->{timer});
	return $self;
}

# Sends statements without waiting.
sub send
{
	my ($self, $sql) = @_;
	$self->{marks}++;
	$self->{in} .= "$sql\n\\echo end of answer $self->{marks}\n" if $self->{run}->pumpable;
	$self->{run}->pump_nb if $self->{run}->pumpable;
	return;
}

# What the statements sent last have answered, errors included.
sub answer
{
	my ($self) = @_;
	my $end = qr/^end of answer $self->{marks}\n/m;
	while ($self->{out} !~ $end && $self->{run}->pumpable)
	{
		$self->{run}->pump;
		die "a session does not answer: $self->{out}" if $self->{timer}->is_expired;
	}
	my $answer = $self->{out};
	$self->{out} = '';
	$answer =~ s/^end of answer \d+\n//mg;
	chomp $answer;
	return $answer;
}

sub ask
{
	my ($self, $sql) = @_;
	$self->send($sql);
	return $self->answer;
}

# Ends the session; a connection that was lost before is no error.
sub quit
{
	my ($self) = @_;
	$self->{in} .= "\\q\n" if $self->{run}->pumpable;
	eval { $self->{run}->finish };
	return;
}

1;
