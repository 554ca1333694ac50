# Where the functions live: in a schema of the user's choice beside other people's names, after an update from an older
# version, in dumps, and gone with the extension.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('functions');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nautovacuum = off");
$node->start;
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(chosen restored updated);
sub value { my ($sql, $database) = @_; return $node->safe_psql($database || 'chosen', $sql); }

# ---- others have the same names, and a search path that finds theirs first

value(q{
	CREATE SCHEMA "our Schema"; CREATE SCHEMA theirs;
	CREATE FUNCTION theirs.time_bucket(interval, timestamptz) RETURNS text LANGUAGE sql AS $$ SELECT 'theirs' $$;
	CREATE FUNCTION theirs.nodedb_ts_first_step(internal, anyelement, "any") RETURNS internal
		LANGUAGE internal AS 'int8inc';
	CREATE FUNCTION theirs.keep(text, text, integer) RETURNS text LANGUAGE sql AS $$ SELECT 'theirs' $$;
	CREATE AGGREGATE theirs.first(text, integer) (SFUNC = theirs.keep, STYPE = text);
	SET search_path = theirs, pg_catalog;
	CREATE EXTENSION nodedb_ts SCHEMA "our Schema";
});
is(value(q{SELECT n.nspname, count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
	WHERE proname IN ('time_bucket', 'first', 'last') AND n.nspname <> 'theirs' GROUP BY 1}),
	'our Schema|16', 'all in the chosen schema');
my $query = q{SELECT "our Schema".first(v, k), "our Schema".last(v, k), theirs.first(v, k),
	"our Schema".time_bucket('1 day', timestamptz '2024-01-02 03:04+00') AT TIME ZONE 'UTC'
	FROM (VALUES ('a', 1), ('b', 2)) x (v, k)};
is(value("SET search_path = theirs; $query"), 'a|b|theirs|2024-01-02 00:00:00', 'they do not mind the search path');

# ---- in views, indexes and generated columns; dumps bring them back

value(q{
	CREATE TABLE m (ts timestamptz, v text,
		day timestamptz GENERATED ALWAYS AS ("our Schema".time_bucket('1 day', ts)) STORED);
	CREATE INDEX ON m ("our Schema".time_bucket('1 hour', ts));
	CREATE VIEW daily AS SELECT day, "our Schema".first(v, ts), "our Schema".last(v, ts) FROM m GROUP BY day;
	INSERT INTO m SELECT '2024-01-01 00:00+00'::timestamptz + k * interval '1 min', 'v' || k
		FROM generate_series(0, 4999) k;
});
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '--no-sync', '--file', $dump, 'chosen' ], 'pg_dump');
unlike(slurp_file($dump), qr/CREATE (AGGREGATE|FUNCTION) "our Schema"/, 'they come with the extension');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, 'restored' ],
	'the dump is restored');
my $daily = 'SET timezone = 0; SELECT * FROM daily ORDER BY day';
is(value($daily, 'restored'), value($daily), 'the same answers');
like(value($daily, 'restored'), qr/^2024-01-02 00:00:00\+00\|v1440\|v2879$/m, 'the right ones');

# ---- DROP EXTENSION

my ($code, undef, $error) = $node->psql('chosen', 'DROP EXTENSION nodedb_ts');
like($error, qr/depend|cannot drop/, 'what uses them holds the extension');
value('DROP VIEW daily; DROP TABLE m; DROP EXTENSION nodedb_ts');
is(value(q{SELECT count(*) FROM pg_proc WHERE pronamespace = '"our Schema"'::regnamespace}), 0, 'nothing stays');
is(value(q{SELECT theirs.first(v, 1) FROM (VALUES ('a')) x (v)}), 'theirs', 'what is not ours stays');

# ---- ALTER EXTENSION UPDATE

value('CREATE EXTENSION nodedb_ts VERSION "0.0.2"', 'updated');
is(value(q{SELECT count(*) FROM pg_proc WHERE proname IN ('time_bucket', 'first', 'last')}, 'updated'), 0,
	'0.0.2 has none');
value('ALTER EXTENSION nodedb_ts UPDATE', 'updated');
is(value(q{SELECT extversion, last(v, v), time_bucket(10, 17) FROM pg_extension, generate_series(1, 3) v
	WHERE extname = 'nodedb_ts' GROUP BY 1}, 'updated'), '0.0.3|3|10', 'the update brings them');

$node->stop;
done_testing();
