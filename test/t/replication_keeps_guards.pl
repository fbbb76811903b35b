# Guards and replication.
#
# Rows that arrive by logical replication were judged where they were written: on
# the subscriber no guard looks at them again, while local writers meet all of them.
# A streaming standby has the guards with everything else, and they hold as soon as
# it is promoted; orders for sealed accounts are judged once it has the key file, too.

use strict;
use warnings;
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $keys = PostgreSQL::Test::Utils::tempdir() . '/keys';
append_to_file($keys, 'k1:' . encode_base64('k' x 32, '') . "\n");
chmod 0600, $keys or die $!;

my $publisher = PostgreSQL::Test::Cluster->new('publisher');
$publisher->init(allows_streaming => 'logical');
$publisher->append_conf('postgresql.conf', "portpin.key_file = '$keys'");
$publisher->start;
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init;
$subscriber->start;

$_->safe_psql('postgres', q{
	CREATE EXTENSION portpin CASCADE;
	CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
	CREATE TABLE port_orders (id int PRIMARY KEY, account int REFERENCES accounts, pin port_pin);
	SELECT port_pin_protect('accounts', forbid_delete => true), port_pin_gate('port_orders');
}) for ($publisher, $subscriber);

# An old order: its account's PIN has been changed since.
$publisher->safe_psql('postgres', q{
	INSERT INTO accounts VALUES (1, '004211'), (2, NULL);
	INSERT INTO port_orders VALUES (1, 1, '004211');
	UPDATE accounts SET pin = '900900' WHERE id = 1;
	CREATE PUBLICATION porting FOR TABLE accounts, port_orders;
});

sub is_refused
{
	my ($node, $sqlstate, $sql) = @_;
	my ($status, $out, $err) =
	  $node->psql('postgres', "\\set VERBOSITY sqlstate\n$sql");
	like($err, qr/ERROR:  $sqlstate$/, $node->name . ": $sqlstate for $sql");
}

sub guards_hold
{
	my ($node) = @_;
	is_refused($node, '23PN7', "INSERT INTO port_orders VALUES (9, 1, '111222')");
	is_refused($node, '23PN4', "INSERT INTO port_orders VALUES (9, 2, '111222')");
	is_refused($node, '23PN7', "UPDATE port_orders SET pin = '111222' WHERE id = 1");
	is_refused($node, '23PN0', 'UPDATE accounts SET pin = NULL WHERE id = 1');
	is_refused($node, '23PN0', 'TRUNCATE accounts CASCADE');
	$node->safe_psql('postgres', "BEGIN; INSERT INTO port_orders VALUES (9, 1, '900900'); ROLLBACK");
}

sub is_replicated
{
	my ($what, $sql) = @_;
	$publisher->wait_for_catchup('porting');
	is($subscriber->safe_psql('postgres', $sql), $publisher->safe_psql('postgres', $sql), $what);
}


# Logical replication.
my $rows = q{SELECT a.id, a.pin, o.id, o.pin FROM accounts a LEFT JOIN port_orders o ON account = a.id ORDER BY 1, 3};
my $connstr = $publisher->connstr . ' dbname=postgres';
$subscriber->safe_psql('postgres',
	"CREATE SUBSCRIPTION porting CONNECTION '$connstr' PUBLICATION porting");
$subscriber->wait_for_subscription_sync($publisher, 'porting');
is_replicated('initial copy: an old order arrives', $rows);
guards_hold($subscriber);

$publisher->safe_psql('postgres', q{
	INSERT INTO port_orders VALUES (2, 1, '900900');
	UPDATE accounts SET pin = '123123' WHERE id = 1;
	UPDATE port_orders SET pin = NULL WHERE id = 1;
	UPDATE accounts SET pin = '900900';
});
is_replicated('apply: orders, PINs and blanked orders arrive', $rows);

# What the publisher let in with its guards off does not stop the subscriber.
$publisher->safe_psql('postgres', q{
	SET session_replication_role = replica;
	INSERT INTO port_orders VALUES (3, 1, '111222');
	UPDATE accounts SET pin = NULL WHERE id = 2;
	DELETE FROM port_orders WHERE id = 2;
});
is_replicated('apply: rows that no guard saw arrive', $rows);
guards_hold($subscriber);


# Streaming replication.  The key file is not part of it.
$publisher->safe_psql('postgres', q{
	CREATE TABLE sealed (id int PRIMARY KEY, pin port_pin_sealed);
	CREATE TABLE sealed_orders (account int REFERENCES sealed, pin port_pin);
	SELECT port_pin_protect('sealed'), port_pin_gate('sealed_orders', redact => true);
	INSERT INTO sealed VALUES (1, '735517');
});
$publisher->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($publisher, 'base', has_streaming => 1);
$standby->adjust_conf('postgresql.conf', 'portpin.key_file', "''");
$standby->start;
$publisher->safe_psql('postgres', q{
	INSERT INTO accounts VALUES (4, '444444');
	INSERT INTO port_orders VALUES (4, 4, '444444')});
$publisher->wait_for_catchup($standby, 'replay', $publisher->lsn('insert'));

is($standby->safe_psql('postgres', 'SELECT port_pin_check(pin, pin) FROM accounts WHERE id = 4'),
	'accepted', 'standby: a PIN can be checked');
is_refused($standby, '25006', "INSERT INTO port_orders VALUES (5, 4, '444444')");
is_refused($standby, '55000', "SELECT port_pin_check(pin, '735517') FROM sealed");
my $guards = 'SELECT relation, guard, problem FROM port_pin_guards ORDER BY relation::text, guard';
is($standby->safe_psql('postgres', $guards), $publisher->safe_psql('postgres', $guards), 'standby: the guards are to be seen');

$standby->promote;
guards_hold($standby);

my $right = "INSERT INTO sealed_orders VALUES (1, '735517')";
is_refused($standby, '55000', $right);
is($standby->safe_psql('postgres', "SELECT count(*) FROM port_pin_failures WHERE account_table = 'sealed'"),
	'0', 'promoted: nobody failed where there is no key');
$standby->adjust_conf('postgresql.conf', 'portpin.key_file', "'$keys'");
$standby->reload;
$standby->safe_psql('postgres', $right);
is_refused($standby, '23PN7', "INSERT INTO sealed_orders VALUES (1, '100001')");
is($standby->safe_psql('postgres', "SELECT count(*) FROM port_pin_failures WHERE account_table = 'sealed'"),
	'1', 'promoted: and with the key attempts are recorded');

$_->stop for ($standby, $subscriber, $publisher);
done_testing();
