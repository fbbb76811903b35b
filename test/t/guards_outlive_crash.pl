# Guards outlive what happens to a server: a crash, a library that is preloaded, an
# extension that somebody tries to drop.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('restart');
$node->init;
$node->append_conf('postgresql.conf', 'max_prepared_transactions = 1');
$node->append_conf('postgresql.conf', 'log_error_verbosity = verbose');
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION portpin CASCADE;
	CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
	CREATE TABLE port_orders (id int, account int REFERENCES accounts, pin port_pin);
	SELECT port_pin_protect('accounts', forbid_delete => true), port_pin_gate('port_orders');
	INSERT INTO accounts VALUES (1, '004211'), (2, NULL);
});

sub is_refused
{
	my ($sqlstate, $sql) = @_;
	my ($status, $out, $err) =
	  $node->psql('postgres', "\\set VERBOSITY sqlstate\n$sql");
	like($err, qr/ERROR:  $sqlstate$/, "$sqlstate for $sql");
}

sub guards_hold
{
	my ($when) = @_;
	note $when;
	is_refused('23PN0', 'UPDATE accounts SET pin = NULL');
	is_refused('23PN0', 'TRUNCATE accounts CASCADE');
	is_refused('23PN4', 'INSERT INTO port_orders VALUES (9, 2, NULL)');
	is_refused('23PN7', "INSERT INTO port_orders VALUES (9, 1, '111222')");
	$node->safe_psql('postgres', "BEGIN; INSERT INTO port_orders VALUES (9, 1, '004211'); ROLLBACK");
}


# A crash.  An order that was prepared for two-phase commit has been judged.
$node->safe_psql('postgres', q{
	BEGIN;
	INSERT INTO port_orders VALUES (1, 1, '004211');
	PREPARE TRANSACTION 'order';
	UPDATE accounts SET pin = '900900' WHERE id = 1});
$node->stop('immediate');
$node->start;
$node->safe_psql('postgres', q{
	COMMIT PREPARED 'order';
	UPDATE accounts SET pin = '004211' WHERE id = 1});
is($node->safe_psql('postgres', 'SELECT * FROM port_orders'), '1|1|004211', 'a prepared order outlives a crash');
guards_hold('after a crash');


# The library is loaded when it is needed.  Preloading it is allowed, and no more.
$node->safe_psql('postgres', 'CREATE DATABASE without');
$node->append_conf('postgresql.conf', "session_preload_libraries = 'portpin'");
$node->restart;
guards_hold('with session_preload_libraries');
$node->append_conf('postgresql.conf', "session_preload_libraries = ''\nshared_preload_libraries = 'portpin'");
$node->restart;
guards_hold('with shared_preload_libraries');
is($node->safe_psql('without', 'SELECT 1'), '1', 'a database without the extension works with the library loaded');


# The extension can't be dropped, moved or robbed of pgcrypto by accident.
is_refused('2BP01', 'DROP EXTENSION portpin');
is_refused('2BP01', 'DROP EXTENSION pgcrypto');
is_refused('2BP01', 'DROP DOMAIN port_pin');
is_refused('2BP01', 'DROP FUNCTION port_pin_gate_trigger()');
is_refused('0A000', 'ALTER EXTENSION portpin SET SCHEMA pg_temp');
guards_hold('after all that');

# CASCADE takes the columns along, and the PINs in them.  doc/operations.md says so.
is($node->safe_psql('postgres', q{
	BEGIN;
	DROP EXTENSION portpin CASCADE;
	SELECT attrelid::regclass, attname FROM pg_attribute
	WHERE attrelid IN ('accounts'::regclass, 'port_orders'::regclass) AND attnum > 0 AND NOT attisdropped
	ORDER BY 1, attnum;
	ROLLBACK}), "accounts|id\nport_orders|id\nport_orders|account", 'CASCADE drops columns of type port_pin');
guards_hold('after thinking better of it');

# Dropped and created again under a session that has used it.
is($node->safe_psql('postgres', q{
	CREATE TABLE old AS SELECT id, pin::text FROM accounts;
	UPDATE accounts SET pin = pin;
	DROP EXTENSION portpin CASCADE;
	CREATE EXTENSION portpin;
	ALTER TABLE accounts ADD pin port_pin;
	ALTER TABLE port_orders ADD pin port_pin;
	UPDATE accounts a SET pin = old.pin FROM old WHERE a.id = old.id;
	SELECT port_pin_protect('accounts', forbid_delete => true);
	SELECT port_pin_gate('port_orders')}) =~ tr/\n//, '4', 'created again in the same session');
guards_hold('of the new extension');

$node->stop;
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC|XX000/, 'no crash but the one that was meant');
done_testing();
