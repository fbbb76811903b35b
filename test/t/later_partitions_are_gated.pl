# Partitions that pg_partman makes, keeps and takes back: orders are gated in each of
# them, and what was judged once is moved as it is or not at all.
#
# Skipped where there is no pg_partman.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('partitions');
$node->init;
$node->start;
my $version = $node->safe_psql('postgres',
	q{SELECT default_version FROM pg_available_extensions WHERE name = 'pg_partman'});
plan skip_all => 'no pg_partman here' if $version eq '';

$node->safe_psql('postgres', q{
	CREATE EXTENSION portpin CASCADE;
	CREATE SCHEMA partman;
	CREATE EXTENSION pg_partman SCHEMA partman;
	CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
	INSERT INTO accounts VALUES (1, '735517'), (2, NULL);
	SELECT port_pin_protect('accounts');
	CREATE TABLE kept (id int PRIMARY KEY, account int REFERENCES accounts, pin port_pin, verdict port_pin_verdict)
		PARTITION BY RANGE (id);
	CREATE TABLE refused (id int PRIMARY KEY, account int REFERENCES accounts, pin port_pin)
		PARTITION BY RANGE (id);
	SELECT port_pin_gate('kept', verdict => 'verdict', redact => true), port_pin_gate('refused');
});

# In tens, with two of them made beforehand, and a partition for all others.
my $type = $version =~ /^4/ ? q{p_type => 'native',} : '';
for my $table ('kept', 'refused')
{
	$node->safe_psql('postgres', qq{
		SELECT partman.create_parent('public.$table', 'id', $type p_interval => '10', p_premake => 2, p_start_partition => '0')});
}

sub is_refused
{
	my ($what, $error, $sql) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	like($err, $error, $what);
	return;
}

sub answers
{
	my ($what, $sql, $answer) = @_;
	is($node->safe_psql('postgres', $sql), $answer, $what);
	return;
}

# Partitions whose gate is lost or off, or lets a wrong order in.
sub all_are_gated
{
	my ($when) = @_;
	answers("$when: all partitions have their gate", q{
		SELECT tree.relid FROM (VALUES ('kept', 'zz_port_pin_gate'), ('refused', '_port_pin_gate')) gated (orders, gate),
			pg_partition_tree(orders::regclass) tree
		WHERE NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = relid AND tgname = gate AND tgenabled = 'O')}, '');
	is_refused("$when: a wrong order for $_", qr/ERROR:  23PN7/, "INSERT INTO refused VALUES ($_, 1, '100001')")
	  for (9, 19, 99);
	is_refused("$when: a wrong order for a partition", qr/ERROR:  23PN7/, "INSERT INTO refused_p10 VALUES (19, 1, '100001')");
	answers("$when: a wrong order is kept as what it is",
		q{INSERT INTO kept VALUES (9, 1, '100001'), (19, 2, '735517') RETURNING verdict}, "pin_mismatch\npin_not_set");
	$node->safe_psql('postgres', "DELETE FROM kept WHERE id IN (9, 19); SELECT port_pin_lift_lockout('accounts', 1)");
	return;
}

my $problems = 'SELECT relation FROM port_pin_guards WHERE problem IS NOT NULL ORDER BY relation::text';

all_are_gated('premade');
answers('the template of pg_partman is reported, as it has a PIN column',
	$problems, "partman.template_public_kept\npartman.template_public_refused");
$node->safe_psql('postgres', "SELECT port_pin_protect('partman.template_public_$_')") for ('kept', 'refused');
answers('until it has a guard of its own', $problems, '');

# Orders that were judged in the default partition.  Their account has another PIN now.
$node->safe_psql('postgres', q{
	INSERT INTO kept VALUES (1, 1, '735517'), (41, 1, '735517'), (42, 1, '100001'), (43, 2, NULL), (59, 1, '735517');
	INSERT INTO refused VALUES (1, 1, '735517'), (41, 1, '735517'), (59, 1, '735517');
	UPDATE accounts SET pin = '846628' WHERE id = 1;
	DELETE FROM port_pin_failures});
my $kept = $node->safe_psql('postgres', 'TABLE kept ORDER BY id');
my $refused = $node->safe_psql('postgres', 'TABLE refused ORDER BY id');
my $failures = 'SELECT count(*) FROM port_pin_failures';

is_refused('a verdict is not given anew', qr/ERROR:  55000: .*HINT: .*disable trigger "zz_port_pin_gate" while/s,
	"CALL partman.partition_data_proc('public.kept', p_wait => 0)");
answers('and nobody has failed', $failures, 0);
is_refused('without a verdict the PIN of today decides', qr/ERROR:  23PN7/,
	"CALL partman.partition_data_proc('public.refused', p_wait => 0)");
answers('and that is a failed attempt', $failures, 1);
answers('kept orders are where they were', 'TABLE kept_default ORDER BY id', $kept =~ s/^1\|.*\n//r);
answers('refused ones are, too', 'TABLE refused_default ORDER BY id', $refused =~ s/^1\|.*\n//r);

# As doc/operations.md says: with the gate off for this transaction, in which nobody else gets in.
my %gate = (kept => 'zz_port_pin_gate', refused => '_port_pin_gate');
for my $table (sort keys %gate)
{
	$node->safe_psql('postgres', qq{
		BEGIN;
		LOCK TABLE $table IN ACCESS EXCLUSIVE MODE;
		ALTER TABLE $table DISABLE TRIGGER $gate{$table};
		SELECT partman.partition_data_id('public.$table', p_batch_count => 1000);
		ALTER TABLE $table ENABLE TRIGGER $gate{$table};
		COMMIT});
}
answers('kept orders are moved as they were', 'TABLE kept ORDER BY id', $kept);
answers('refused ones, too', 'TABLE refused ORDER BY id', $refused);
answers('out of the default partitions', 'SELECT (SELECT count(*) FROM kept_default) + (SELECT count(*) FROM refused_default)', 0);
answers('into their own', 'SELECT id FROM kept_p40 ORDER BY id', "41\n42\n43");
all_are_gated('moved');

# The other way: a superuser, in whose session the gate does not fire.
$node->safe_psql('postgres', q{
	INSERT INTO kept VALUES (141, 1, '100001');
	SET session_replication_role = replica;
	CALL partman.partition_data_proc('public.kept', p_wait => 0)});
answers('moved by a superuser', 'SELECT verdict FROM kept_p140', 'pin_mismatch');

# Later partitions.
$node->safe_psql('postgres', q{
	UPDATE partman.part_config SET premake = 4;
	SELECT partman.run_maintenance()});
answers('maintenance goes on', q{SELECT to_regclass('kept_p180') IS NOT NULL AND to_regclass('refused_p90') IS NOT NULL}, 't');
all_are_gated('later');
answers('and nothing is reported', $problems, '');

# Partitions that are too old leave their gate behind.
$node->safe_psql('postgres', q{
	UPDATE partman.part_config SET retention = '30', retention_keep_table = (parent_table = 'public.kept');
	SELECT partman.run_maintenance()});
my @old = map { "kept_p$_" } (0, 10, 20, 40, 50);
answers('what is kept of a table is reported', $problems, join "\n", @old);
$node->safe_psql('postgres', "SELECT port_pin_gate('$_', verdict => 'verdict', redact => true)") for @old;
answers('until it has a gate of its own', $problems, '');

# Back into one table, which is gated afterwards.
my $rest = $node->safe_psql('postgres', 'TABLE kept');
$node->safe_psql('postgres', q{
	CREATE TABLE whole (LIKE kept INCLUDING ALL, FOREIGN KEY (account) REFERENCES accounts);
	CALL partman.undo_partition_proc('public.kept', p_target_table => 'public.whole', p_keep_table => false, p_wait => 0);
	DROP TABLE kept;
	SELECT port_pin_gate('whole', verdict => 'verdict', redact => true)});
answers('taken back as they were', 'TABLE whole', $rest);
answers('and gated', "INSERT INTO whole VALUES (999, 1, '735517') RETURNING verdict", 'pin_mismatch');
answers('with nothing to report', $problems, '');

$node->stop;
done_testing();
