
# A sealed table elsewhere: no PIN in a dump; a restore without the key loses
# nothing, and lets nothing in; logical replication carries what is sealed.

use strict;
use warnings;
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir();
my $file = "$dir/keys";
open my $fh, '>', $file or die $!;
chmod 0600, $fh;
print $fh 'k1:' . encode_base64('k' x 32, '') . "\n";
close $fh;

sub new_node
{
	my ($name, $keys, %init) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(%init);
	$node->append_conf('postgresql.conf', "portpin.key_file = '$keys'");
	$node->start;
	return $node;
}

my $schema = q{
	CREATE TABLE accounts (id int PRIMARY KEY, name text, port_out_pin port_pin_sealed);
	CREATE TABLE port_orders (id int PRIMARY KEY, account int REFERENCES accounts, pin port_pin);
	SELECT port_pin_protect('accounts'), port_pin_gate('port_orders');
};
my $pins = qr/735517|846628|0912873465/;

my $node = new_node('sealed', $file, allows_streaming => 'logical');
$node->safe_psql('postgres', "CREATE EXTENSION portpin CASCADE; $schema");
$node->safe_psql('postgres', q{
	INSERT INTO accounts VALUES (1, 'Contoso', '735517'), (2, 'Fabrikam', NULL), (3, 'Litware', '0912873465');
	UPDATE accounts SET port_out_pin = '846628' WHERE id = 2;
	ANALYZE;
});


## pg_dump

my $dump = "$dir/dump.sql";
my $custom = "$dir/dump.custom";
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'pg_dump');
$node->command_ok([ 'pg_dump', '-Fc', '-f', $custom, $node->connstr('postgres') ], 'pg_dump -Fc');
unlike(slurp_file($dump), $pins, 'pg_dump | grep finds no PIN of a sealed table');
like(slurp_file($dump), qr/sealed:v1:k1\.[0-9a-f]{16}:/, 'what it has is sealed');
my $all = $node->safe_psql('postgres', 'TABLE accounts ORDER BY id');


## Restored where there is no key

my $bare = new_node('bare', '');
my ($status, $out, $err) = $bare->psql('postgres', slurp_file($dump), on_error_stop => 1);
is($status, 0, 'the dump is restored without the key');
is($bare->safe_psql('postgres', 'TABLE accounts ORDER BY id'), $all, 'nothing is lost');

sub is_refused
{
	my ($what, $error, $statement) = @_;
	my ($status, $out, $err) = $bare->psql('postgres', $statement);
	is($status, 3, "$what: refused");
	like($err, $error, "$what: the hint says what to do");
	unlike($err, $pins, "$what: no PIN in the message");
}

is_refused('an order', qr/no key for sealed port PINs.*HINT:  Set portpin.key_file/s,
	q{INSERT INTO port_orders VALUES (1, 1, '735517')});
is_refused('an order without a PIN', qr/no key/, q{INSERT INTO port_orders VALUES (1, 1, NULL)});
is_refused('a new PIN', qr/no key/, q{UPDATE accounts SET port_out_pin = '735518' WHERE id = 1});
is_refused('an empty PIN', qr/can't be cleared/, q{UPDATE accounts SET port_out_pin = NULL WHERE id = 1});
is($bare->psql('postgres', q{UPDATE accounts SET name = upper(name)}), 0,
	'other columns can be changed');

# Into tables that are there already, and guarded: that takes the key.
$bare->safe_psql('postgres', 'CREATE DATABASE tables');
$bare->safe_psql('tables', "CREATE EXTENSION portpin CASCADE; $schema");
$bare->command_fails([ 'pg_restore', '--data-only', '-e', '-d', $bare->connstr('tables'), $custom ],
	'pg_restore --data-only without the key fails');
is($bare->safe_psql('tables', 'SELECT count(*) FROM accounts'), 0, 'and leaves nothing half done');

$bare->adjust_conf('postgresql.conf', 'portpin.key_file', "'$file'");
$bare->reload;
$bare->command_ok([ 'pg_restore', '--data-only', '-e', '-d', $bare->connstr('tables'), $custom ],
	'with the key it works, as the owner');
is($bare->safe_psql('tables', 'TABLE accounts ORDER BY id'), $all, 'the same rows');
is($bare->psql('postgres', q{INSERT INTO port_orders VALUES (1, 1, '735517'), (2, 3, '0912873465')}), 0,
	'once the key is there, orders are accepted');
is($bare->psql('postgres', q{INSERT INTO port_orders VALUES (3, 1, '735518')}), 3,
	'and refused');


## Logical replication

my $subscriber = new_node('subscriber', $file);
$subscriber->safe_psql('postgres', "CREATE EXTENSION portpin CASCADE; $schema");
$node->safe_psql('postgres', 'CREATE PUBLICATION accounts FOR TABLE accounts');
$subscriber->safe_psql('postgres',
	"CREATE SUBSCRIPTION accounts CONNECTION '" . $node->connstr . " dbname=postgres' PUBLICATION accounts");
$subscriber->wait_for_subscription_sync($node, 'accounts');
is($subscriber->safe_psql('postgres', 'TABLE accounts ORDER BY id'), $all,
	'the first copy is what the publisher has');
$node->safe_psql('postgres', q{
	UPDATE accounts SET port_out_pin = '735519' WHERE id = 1;
	INSERT INTO accounts VALUES (4, 'Northwind', '846629');
});
$node->wait_for_catchup('accounts');
is($subscriber->safe_psql('postgres', 'TABLE accounts ORDER BY id'),
	$node->safe_psql('postgres', 'TABLE accounts ORDER BY id'), 'and so is what changes later');
is($subscriber->psql('postgres', q{INSERT INTO port_orders VALUES (1, 1, '735519'), (2, 4, '846629')}), 0,
	'orders are judged by it');

# With the triggers always enabled, the apply worker may copy: it is the owner.
$subscriber->safe_psql('postgres', q{
	ALTER TABLE accounts ENABLE ALWAYS TRIGGER port_pin_seal;
	ALTER TABLE accounts ENABLE ALWAYS TRIGGER port_pin_seal_update;
});
$node->safe_psql('postgres', q{UPDATE accounts SET port_out_pin = '735520' WHERE id = 1});
$node->wait_for_catchup('accounts');
is($subscriber->safe_psql('postgres', 'TABLE accounts ORDER BY id'),
	$node->safe_psql('postgres', 'TABLE accounts ORDER BY id'), 'so it is with ENABLE ALWAYS');

$_->stop for $subscriber, $bare, $node;
done_testing();
