# pg_upgrade: the guards, sealed PINs and failed attempts of one major version are
# there in the next one, and hold.  Without portpin there it refuses to begin.
#
# By default from a cluster to another of the same version, which takes the same way.
# PORTPIN_UPGRADE='15 17 18' names versions that Debian has installed here, portpin
# with them, to go through (test/matrix.sh --upgrade).

use strict;
use warnings;
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @versions = split ' ', $ENV{PORTPIN_UPGRADE} // '';
my @installed = map { "/usr/lib/postgresql/$_" } @versions;
if (@versions)
{
	# It says where one version finds portpin.  These look where Debian installs.
	delete $ENV{TEMP_CONFIG};
}
else
{
	@versions = ('this', 'the same');
	@installed = (undef, undef);
}

my $dir = PostgreSQL::Test::Utils::tempdir();
append_to_file("$dir/keys", 'k1:' . encode_base64('k' x 32, '') . "\n");
chmod 0600, "$dir/keys";

# A cluster of that version, which pg_upgrade can take or fill: all are of one encoding and one page format.
sub new_node
{
	my ($i) = @_;
	my $node = PostgreSQL::Test::Cluster->new("node$i", install_path => $installed[$i]);
	$node->init(extra => [ '--encoding=UTF8', '--no-locale', '--data-checksums', '--username=postgres' ]);
	$node->append_conf('postgresql.conf', "portpin.key_file = '$dir/keys'");
	return $node;
}

local $ENV{PGUSER} = 'postgres';
my $old = new_node(0);
$old->start;
$old->safe_psql('postgres', 'CREATE DATABASE shop');
$old->safe_psql('shop', q{
	CREATE SCHEMA crypto;
	CREATE EXTENSION pgcrypto SCHEMA crypto;
	CREATE SCHEMA port;
	CREATE EXTENSION portpin SCHEMA port;
	SET search_path = public, port;

	-- accounts in partitions, orders too, and an order's verdict
	CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin) PARTITION BY RANGE (id);
	CREATE TABLE accounts_low PARTITION OF accounts FOR VALUES FROM (0) TO (100);
	CREATE TABLE accounts_high PARTITION OF accounts FOR VALUES FROM (100) TO (200);
	CREATE TABLE port_orders (id int GENERATED ALWAYS AS IDENTITY, account int REFERENCES accounts, pin port_pin,
		verdict port_pin_verdict) PARTITION BY LIST (account);
	CREATE TABLE port_orders_all PARTITION OF port_orders DEFAULT;
	SELECT port_pin_protect('accounts', forbid_delete => true), port_pin_gate('port_orders', verdict => 'verdict');

	-- sealed PINs, behind a number
	CREATE TABLE customers (id int PRIMARY KEY, pin port_pin_sealed);
	CREATE TABLE numbers (e164 text PRIMARY KEY, customer int NOT NULL REFERENCES customers);
	CREATE TABLE number_orders (number text REFERENCES numbers, pin port_pin);
	SELECT port_pin_protect('customers'), port_pin_gate('number_orders', fk => '{number}', via => '{customer}', redact => true);

	-- a table from before
	CREATE TABLE lines (tn varchar(20) PRIMARY KEY, portout_pin varchar(10));
	SELECT port_pin_protect('lines', pin => 'portout_pin');

	INSERT INTO accounts VALUES (1, '004211'), (101, '0912873465'), (102, NULL), (103, '735517');
	INSERT INTO customers VALUES (1, '735517');
	INSERT INTO numbers VALUES ('+12025550101', 1);
	INSERT INTO lines VALUES ('2025550104', '604482');
	INSERT INTO port_orders (account, pin) VALUES (1, '004211'), (1, '111222'), (102, '111222');

	-- 103 is locked out
	INSERT INTO port_orders (account, pin) SELECT 103, '111222' FROM generate_series(1, 20);
	CREATE ROLE teller;
	GRANT EXECUTE ON FUNCTION port_pin_seal_keys() TO teller;
});

my @same = (
	'TABLE accounts ORDER BY id', 'TABLE customers', 'TABLE port_orders ORDER BY id',
	'SELECT g::text FROM port.port_pin_guards g ORDER BY 1',
	'SELECT f::text FROM port.port_pin_failures f ORDER BY 1',
	'SELECT l::text FROM port.port_pin_lockouts l ORDER BY 1',
	q{SELECT has_function_privilege('teller', 'port.port_pin_seal_keys()', 'EXECUTE'),
		has_function_privilege('public', 'port.port_pin_seal_keys()', 'EXECUTE')});
my %before = map { $_ => $old->safe_psql('shop', $_) } @same;

sub is_refused
{
	my ($node, $version, $sqlstate, $sql) = @_;
	my ($status, $out, $err) = $node->psql('shop', "\\set VERBOSITY sqlstate\n$sql");
	like($err, qr/ERROR:  $sqlstate$/, "$version: $sqlstate for $sql");
	return;
}

sub is_as_before
{
	my ($node, $version) = @_;
	is($node->safe_psql('shop', $_), $before{$_}, "$version: $_") for @same;
	is($node->safe_psql('shop', 'SELECT g FROM port.port_pin_guards g WHERE problem IS NOT NULL AND guard <> \'grant\''),
		'', "$version: the guards have no problem");
	is_refused($node, $version, '23PN0', 'UPDATE accounts SET pin = NULL WHERE id = 1');
	is_refused($node, $version, '23PN0', 'DELETE FROM accounts WHERE id = 101');
	is_refused($node, $version, '23PN0', 'UPDATE customers SET pin = NULL');
	is_refused($node, $version, '23PN0', q{UPDATE lines SET portout_pin = ''});
	is_refused($node, $version, '23PN7', q{BEGIN; INSERT INTO number_orders VALUES ('+12025550101', '111222')});
	is($node->safe_psql('shop', q{
			BEGIN;
			INSERT INTO number_orders VALUES ('+12025550101', '735517');
			INSERT INTO port_orders (account, pin) VALUES (1, '004211'), (102, '111222'), (103, '735517')
				RETURNING verdict;
			ROLLBACK}),
		"accepted\npin_not_set\ntoo_many_attempts", "$version: orders are judged");
	return;
}

for my $i (1 .. $#versions)
{
	my ($from, $to) = @versions[ $i - 1, $i ];
	my $new = new_node($i);
	my $bin = $new->config_data('--bindir');
	my @upgrade = (
		"$bin/pg_upgrade", '-U', 'postgres', '-s', $dir,
		'-b', $old->config_data('--bindir'), '-B', $bin,
		'-d', $old->data_dir, '-D', $new->data_dir,
		'-p', $old->port, '-P', $new->port);
	$old->stop;
	chdir $dir or die;

	my $without = $new->data_dir . '/postgresql.auto.conf';
	my $auto_conf = slurp_file($without);
	append_to_file($without, "dynamic_library_path = '/nowhere'\n");
	command_checks_all([ @upgrade, '--check' ], 1,
		[qr/loadable libraries that are missing/], [], "$from to $to, where portpin is missing");
	unlink $without;
	append_to_file($without, $auto_conf);

	ok(run_log(\@upgrade), "$from to $to")
	  or die map { slurp_file($_) } glob($new->data_dir . '/pg_upgrade_output.d/*/log/pg_upgrade_dump*');
	$new->start;
	$before{$same[4]} = $new->safe_psql('shop', $same[4]) if $i > 1;
	is_as_before($new, $to);
	%before = map { $_ => $new->safe_psql('shop', $_) } @same;
	$old = $new;
}

$old->stop;
done_testing();
