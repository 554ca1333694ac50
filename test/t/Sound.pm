# Asks ts_verify about every nodedb_ts table of a database.
package Sound;

use strict;
use warnings;

use Exporter 'import';
use Test::More;

our @EXPORT = qw(tables_are_sound);

# One assertion: no table has a problem, and there is a table. Temporary ones belong to
# their sessions.
sub tables_are_sound
{
	my ($node, $when, $database) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$database //= 'postgres';
	my $schema = $node->safe_psql($database, q{SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'nodedb_ts'});
	my $found = $node->safe_psql($database, qq{
		SELECT v.* FROM pg_class c, LATERAL $schema.ts_verify(c.oid) v
		WHERE c.relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts') AND c.relpersistence <> 't'
		UNION ALL SELECT NULL, NULL, 'test', 'there is no table' WHERE NOT EXISTS (
			SELECT FROM pg_class WHERE relam = (SELECT oid FROM pg_am WHERE amname = 'nodedb_ts'))});
	return is($found, '', "$when: every table is sound");
}

1;
