# pg_cron calls maintenance functions: what a server without the worker can do.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sound;
use Test::More;

my ($libdir) = split /\n/, `pg_config --pkglibdir`;
plan skip_all => 'pg_cron is not installed' unless -e "$libdir/pg_cron.so";

my $node = PostgreSQL::Test::Cluster->new('cron');
$node->init;
$node->append_conf('postgresql.conf', <<EOC);
shared_preload_libraries = 'pg_cron'
cron.database_name = 'postgres'
cron.use_background_workers = on
cron.log_run = on
log_statement = none
autovacuum = off
EOC
$node->start;
sub sql { return $node->safe_psql('postgres', $_[0]); }

sql('CREATE EXTENSION pg_cron; CREATE EXTENSION nodedb_ts');
sql("CREATE TABLE t (ts timestamptz, i int) USING nodedb_ts");
sql("INSERT INTO t VALUES ('2024-01-01', 1)");
# 1.5 and later know seconds
my ($major, $minor) = sql(q{SELECT default_version FROM pg_available_extensions WHERE name = 'pg_cron'}) =~ /^(\d+)\.(\d+)/;
my $job = $major > 1 || $minor >= 5 ? '2 seconds' : '* * * * *';
sql("CREATE TABLE kept (ts timestamptz, i int) USING nodedb_ts WITH (nodedb_ts.retention = '7 days')");
sql("INSERT INTO kept VALUES ('2024-01-01', 1), (now(), 2)");
sql("SELECT cron.schedule('flush', '$job', 'SELECT ts_flush()')");
sql("SELECT cron.schedule('retention', '$job', 'SELECT ts_enforce_retention()')");
ok($node->poll_query_until('postgres', q{SELECT (SELECT sum(rows) FROM ts_segments('t')) = 1}), 'pg_cron runs ts_flush()');
ok($node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM cron.job_run_details WHERE command = 'SELECT ts_flush()' AND status = 'succeeded'}), 'and says so');
is(sql('SELECT i FROM t'), '1', 'the row is there');
ok($node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM cron.job_run_details WHERE command = 'SELECT ts_enforce_retention()' AND status = 'succeeded'}), 'ts_enforce_retention() was run');
is(sql('SELECT count(*) FROM kept WHERE i = 2'), 1, 'and kept what is young');
is(sql(q{SELECT count(*) FROM cron.job_run_details WHERE status = 'failed'}), 0, 'no run has failed');
tables_are_sound($node, 'at the end');
$node->stop;
done_testing();
