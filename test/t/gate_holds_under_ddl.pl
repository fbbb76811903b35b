# A gate keeps what it found in the catalogs, and what it knows of wrong guesses, for
# as long as nothing changes that it depends on.  Here something always does.  A table
# that has nothing to do with portpin is altered all the time, so the record of wrong
# guesses is read anew; so is a schema, so every gate is looked up again.  Nearly every
# order asks for everything, and nobody must be able to tell: the lessons about gates
# read the same.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @lessons = qw(
	install_in_any_schema
	gate_no_order_without_pin
	gate_any_foreign_key
	gate_cascade_not_judged
	gate_number_then_account
	gate_any_partitioning
	guards_follow_row_movement
	gate_sees_every_change
	verdict_keeps_bad_order
	redact_keeps_no_pin
	failure_outlives_rollback
	failure_counts_per_account
);

my $node = PostgreSQL::Test::Cluster->new('in_motion');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
$node->append_conf('postgresql.conf', 'autovacuum = off');
$node->start;
$node->safe_psql('postgres', q{
	CREATE DATABASE lessons TEMPLATE template0;
	ALTER DATABASE lessons SET lc_messages = 'C';
});
$node->safe_psql('lessons', q{
	CREATE SCHEMA unrelated;
	CREATE TABLE unrelated.unrelated (id int);
	CREATE PROCEDURE alter_all_the_time() LANGUAGE plpgsql AS $$
	BEGIN
		LOOP
			ALTER TABLE unrelated.unrelated RENAME id TO other_id;
			ALTER SCHEMA unrelated RENAME TO other;
			COMMIT;
			ALTER TABLE other.unrelated RENAME other_id TO id;
			ALTER SCHEMA other RENAME TO unrelated;
			COMMIT;
		END LOOP;
	END $$;
});

my ($in, $out, $err) = ('CALL alter_all_the_time();', '', '');
my $motion = IPC::Run::start(
	[ 'psql', '-X', '-d', $node->connstr('lessons') ],
	'<', \$in, '>', \$out, '2>', \$err);

command_ok(
	[
		$ENV{PG_REGRESS}, '--use-existing', '--dbname=lessons',
		'--host=' . $node->host, '--port=' . $node->port,
		'--outputdir=' . PostgreSQL::Test::Utils::tempdir,
		'--bindir=', @lessons
	],
	'the lessons read the same while the catalogs change');

cmp_ok(
	$node->safe_psql('lessons', q{
		SELECT xact_commit FROM pg_stat_database WHERE datname = 'lessons'}),
	'>', 1000, 'and they did change');

$motion->kill_kill;
$node->stop('immediate');

done_testing();
