# Promise: the owner of a database who is no superuser restores its guards with the
# rest, because pg_database_owner may execute the trigger functions.  A role that owns
# only the tables may not: the restore says so, and so does port_pin_assert_guarded().
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use IPC::Run;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('owner');
$node->init;
$node->start;
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';

$node->safe_psql('postgres', 'CREATE ROLE shop LOGIN; CREATE ROLE tenant LOGIN; CREATE DATABASE source OWNER shop');
$node->safe_psql('source', q{
	CREATE EXTENSION portpin CASCADE;
	SET ROLE shop;
	CREATE SCHEMA shop;
	SET search_path = shop, public;
	CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
	CREATE TABLE port_orders (account int REFERENCES accounts, pin port_pin, verdict port_pin_verdict);
	SELECT port_pin_protect('accounts', forbid_delete => true);
	SELECT port_pin_gate('port_orders', verdict => 'verdict');
	INSERT INTO accounts VALUES (1, '482913');
	INSERT INTO port_orders VALUES (1, '482913'), (1, '111222');
});
$node->command_ok([ 'pg_dump', '-f', $dump, '--no-owner', '-n', 'shop', 'source' ], 'a dump of the schema');

# Restore into a database of the role, where a superuser has created the extension.
sub restore
{
	my ($database, $owner, $role) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $database OWNER $owner");
	$node->safe_psql($database, "CREATE EXTENSION portpin CASCADE; GRANT CREATE ON DATABASE $database TO $role");
	my ($out, $err);
	IPC::Run::run([ 'psql', '-X', '-q', '-U', $role, '-d', $node->connstr($database), '-f', $dump ],
		'<', \undef, '>', \$out, '2>', \$err);
	return $err;
}

my $said = restore('target', 'shop', 'shop');
unlike($said, qr/ERROR/, 'the owner of the database restores everything');
is($node->safe_psql('target', 'SELECT count(*) FROM port_pin_guards WHERE problem IS NULL'), 2, 'the guards are there');
is($node->safe_psql('target', 'SELECT verdict FROM shop.port_orders ORDER BY 1'), "accepted\npin_mismatch",
	'and judged orders have their verdicts');
my ($code, $out, $err) = $node->psql('target', 'UPDATE shop.accounts SET pin = NULL');
like($err, qr/a port PIN that is set can't be cleared/, 'a PIN is kept');
is($node->safe_psql('target', "SELECT port_pin_assert_guarded('shop.accounts', 'shop.port_orders')"), '', 'port_pin_assert_guarded() agrees');

$said = restore('rented', 'postgres', 'tenant');
like($said, qr/permission denied for function \S*port_pin_protect_trigger/, 'a role that owns only tables is told');
($code, $out, $err) = $node->psql('rented', "SELECT port_pin_assert_guarded('shop.accounts')");
like($err, qr/no guard/, 'and port_pin_assert_guarded() finds the table unguarded');

done_testing();
