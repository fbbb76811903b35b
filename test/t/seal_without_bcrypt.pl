# A server that must not use bcrypt (FIPS mode) seals, verifies and gates PINs by
# PBKDF2, which PostgreSQL computes itself.  pgcrypto can be told to refuse since 18;
# up to 17 nothing refuses, and only what needs no bcrypt is tested.

use strict;
use warnings FATAL => 'all';
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $file = PostgreSQL::Test::Utils::tempdir() . '/keys';
open my $fh, '>', $file or die $!;
chmod 0600, $fh;
print $fh 'k1:' . encode_base64('k' x 32, '') . "\n";
close $fh;

my $node = PostgreSQL::Test::Cluster->new('without_bcrypt');
$node->init;
$node->append_conf('postgresql.conf', "portpin.key_file = '$file'");
$node->start;

# One account is from before, when bcrypt was allowed.
$node->safe_psql('postgres', q{
	CREATE EXTENSION portpin CASCADE;
	CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin_sealed);
	CREATE TABLE port_orders (account int REFERENCES accounts, pin text);
	SELECT port_pin_protect('accounts'), port_pin_gate('port_orders', pin => 'pin');
	INSERT INTO accounts VALUES (1, '735511');
});
my $refuses = $node->pg_version >= 18;
$node->append_conf('postgresql.conf', 'pgcrypto.builtin_crypto_enabled = off') if $refuses;
$node->append_conf('postgresql.conf', 'portpin.seal_method = pbkdf2');
$node->reload;

sub outcome
{
	my ($statement) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $statement,
		extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
	return $err =~ /ERROR:  (\w{5})/ ? $1 : 'done';
}

is(outcome(q{INSERT INTO accounts VALUES (2, '735512'), (3, NULL)}), 'done', 'a PIN is sealed');
is(outcome(q{INSERT INTO port_orders VALUES (2, '735512')}), 'done', 'the right PIN lets an order in');
is(outcome(q{INSERT INTO port_orders VALUES (2, '735513')}), '23PN7', 'a wrong one does not');
is(outcome(q{INSERT INTO port_orders VALUES (2, NULL)}), '23PN5', 'nor none');
is(outcome(q{INSERT INTO port_orders VALUES (3, '735513')}), '23PN4',
	'where no PIN is set, the time is spent on PBKDF2, too');
is($node->safe_psql('postgres', q{SELECT port_pin_check(pin, '735512') FROM accounts WHERE id = 2}),
	'accepted', 'port_pin_check');

# What bcrypt has sealed can't be checked: an error, no failed attempt, and nothing
# gets in.  A new PIN mends it.
SKIP:
{
	skip 'pgcrypto.builtin_crypto_enabled came with PostgreSQL 18', 4 unless $refuses;
	my $recorded = $node->safe_psql('postgres', 'SELECT count(*) FROM port_pin_failures');
	my ($status, $out, $err) = $node->psql('postgres', q{INSERT INTO port_orders VALUES (1, '735511')});
	is($status, 3, 'an order for a PIN that bcrypt has sealed is refused');
	like($err, qr/built-in crypto functions is disabled.*HINT:.*portpin.seal_method = pbkdf2/s,
		"in pgcrypto's words, with a hint");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM port_pin_failures'), $recorded,
		'and nothing is recorded');
	is(outcome(q{SET portpin.seal_method = bcrypt; INSERT INTO port_orders VALUES (3, '735513')}), 'XX000',
		'it is bcrypt that is refused');
}
is(outcome(q{UPDATE accounts SET pin = '735514' WHERE id = 1}), 'done', 'a new PIN is sealed by PBKDF2');
is(outcome(q{INSERT INTO port_orders VALUES (1, '735514')}), 'done', 'and opens the account');

$node->stop;
done_testing();
