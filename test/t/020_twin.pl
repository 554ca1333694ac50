# Random statements on tables of nodedb_ts and on their heap twins, in several
# sessions: equal for every snapshot after every step. See Twin.pm.
#
# TWIN_SECONDS (180) of it; TWIN_SEED and TWIN_ROUND (1) replay what was printed,
# TWIN_STEPS (250) is the length of a round, TWIN_TRACE=1 prints all statements.
# With TWIN_KILLS=1 the server is killed now and then.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use Twin;

my $seconds = $ENV{TWIN_SECONDS} || 180;
my $seed = $ENV{TWIN_SEED} || int(time() * 1000) % 1_000_000_000;
my $round = $ENV{TWIN_ROUND} || 1;
my $steps = $ENV{TWIN_STEPS} || 250;
note "TWIN_SEED=$seed";

my $node = PostgreSQL::Test::Cluster->new('twin');
$node->init;
$node->append_conf('postgresql.conf', $Twin::conf);
$node->start;

my $twin = eval { Twin->new(node => $node, seed => $seed, kills => $ENV{TWIN_KILLS}) } or BAIL_OUT($@);
my $until = time() + $seconds;
my $report = time() + 60;
do
{
	$twin->round($round++, $steps, $until) or $until = 0;
	if (time() > $report) { note $twin->summary; $report = time() + 60; }
} while (time() < $until);

note $twin->summary;
note 'figures: ' . $twin->summary;
is($twin->{count}{differences}, 0, 'differences');
cmp_ok($twin->{count}{compared}, '>', 0, 'something was compared');
cmp_ok($twin->{count}{kills}, '>', 0, 'something was killed') if $ENV{TWIN_KILLS};
$node->stop;
done_testing();
