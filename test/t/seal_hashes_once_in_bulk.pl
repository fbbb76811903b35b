# Many orders of one account in one statement: its sealed PIN is hashed once, as long
# as it is right.  A wrong PIN is hashed whatever went before, and so is the same PIN
# in the next statement.
#
# Only where pgcrypto can be told to refuse in the middle of a statement, since 18, does
# it show that nothing is hashed.  What must hold in any case is tested on all versions.

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

my $node = PostgreSQL::Test::Cluster->new('hashes_once');
$node->init;
$node->append_conf('postgresql.conf', qq{
portpin.key_file = '$file'
portpin.seal_cost = 4
});
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION portpin CASCADE;
	CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin_sealed);
	CREATE TABLE port_orders (account int REFERENCES accounts, pin text, verdict port_pin_verdict);
	SELECT port_pin_protect('accounts'), port_pin_gate('port_orders', pin => 'pin', verdict => 'verdict');
	INSERT INTO accounts SELECT i, 735500 + i FROM generate_series(1, 20) AS i;

	-- An order's PIN, and what happens before the order is judged.
	CREATE FUNCTION meanwhile(pin text, what text) RETURNS text VOLATILE LANGUAGE plpgsql AS
		$$ BEGIN EXECUTE what; RETURN pin; END $$;
});

# The verdicts of a statement's orders, or its SQLSTATE; nothing is kept of it.
sub verdicts
{
	my ($insert) = @_;
	my ($status, $out, $err) = $node->psql('postgres', qq{
		BEGIN; $insert;
		SELECT string_agg(verdict::text, ' ' ORDER BY ctid) FROM port_orders; ROLLBACK;
	}, extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
	return $err =~ /ERROR:  (\w{5})/ ? $1 : $out;
}

is(verdicts(q{INSERT INTO port_orders VALUES (1, '735501'), (1, '735501'), (1, '735502'), (1, '735501')}),
	'accepted accepted pin_mismatch accepted', 'right, right, wrong, right');
is(verdicts(q{INSERT INTO port_orders VALUES (1, '735502'), (1, '735502'), (1, '735501'), (1, '735502')}),
	'pin_mismatch pin_mismatch accepted pin_mismatch', 'a wrong PIN stays wrong');
is(verdicts(q{INSERT INTO port_orders VALUES (1, '735501'), (2, '735501'), (2, '735502'), (1, '735502')}),
	'accepted pin_mismatch accepted pin_mismatch', 'the PIN of another account opens none');
is(verdicts(q{INSERT INTO port_orders VALUES (1, '735501'),
		(1, meanwhile('735501', $$UPDATE accounts SET pin = '846601' WHERE id = 1$$)), (1, '846601')}),
	'accepted pin_mismatch accepted', 'a PIN that changes in the middle is wrong from then on');
is(verdicts(q{INSERT INTO port_orders SELECT 1 + i % 20, 735501 + i % 20 FROM generate_series(1, 200) AS i}),
	join(' ', ('accepted') x 200), 'accounts in turn');

SKIP:
{
	skip 'pgcrypto.builtin_crypto_enabled came with PostgreSQL 18', 6 if $node->pg_version < 18;
	my $off = q{$$SET pgcrypto.builtin_crypto_enabled = off$$};

	is(verdicts(qq{INSERT INTO port_orders VALUES (1, '735501'), (1, meanwhile('735501', $off)), (1, '735501')}),
		'accepted accepted accepted', 'a right PIN is not hashed again');
	is(verdicts(qq{INSERT INTO port_orders VALUES (1, '735501'), (1, meanwhile('735502', $off))}),
		'XX000', 'a wrong one is hashed');
	is(verdicts(qq{INSERT INTO port_orders VALUES (1, '735501'), (2, meanwhile('735502', $off))}),
		'XX000', 'and that of another account');
	is(verdicts(qq{INSERT INTO port_orders VALUES (1, '735502'), (1, meanwhile('735502', $off))}),
		'XX000', 'a wrong one is hashed again');
	is(verdicts(qq{INSERT INTO port_orders VALUES (1, '735501');
			INSERT INTO port_orders VALUES (1, meanwhile('735501', $off))}),
		'XX000', 'the next statement begins anew');
	is(verdicts(qq{INSERT INTO port_orders SELECT 1 + i % 20,
			CASE i WHEN 21 THEN meanwhile('735502', $off) ELSE (735501 + i % 20)::text END
			FROM generate_series(1, 200) AS i}),
		join(' ', ('accepted') x 200), 'accounts in turn are hashed once each');
}

$node->stop;
done_testing();
