# The time that a refusal takes tells nothing of the PIN: not whether it was wrong,
# missing, or no PIN at all, and not whether the account has one.  A hash is computed
# for each of these: where pgcrypto is told not to, each fails.  The times are printed,
# and decide nothing.

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

my $node = PostgreSQL::Test::Cluster->new('seal_time');
$node->init;
$node->append_conf('postgresql.conf', qq{
portpin.key_file = '$file'
portpin.seal_cost = 8
portpin.max_failures_per_account = 0
});
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION portpin CASCADE;
	CREATE TABLE accounts (id int PRIMARY KEY, frozen bool, pin port_pin_sealed);
	CREATE TABLE port_orders (account int REFERENCES accounts, pin text);
	SELECT port_pin_protect('accounts', lock => 'frozen'), port_pin_gate('port_orders', pin => 'pin');
	INSERT INTO accounts VALUES (1, false, '735517'), (2, false, NULL), (3, true, '735517');
	CREATE TABLE took (what text, refused_as text, milliseconds float8);
	CREATE FUNCTION try(what text, account int, pin text) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		started timestamptz;
		refused_as text := 'accepted';
	BEGIN
		started := clock_timestamp();
		BEGIN
			INSERT INTO port_orders VALUES (account, pin);
		EXCEPTION WHEN OTHERS THEN
			refused_as := SQLSTATE;
		END;
		INSERT INTO took VALUES (what, refused_as,
			1000 * extract(epoch FROM clock_timestamp() - started));
	END $$;
});

# One after the other, again and again, so that all meet the same conditions.
my $tries = q{
	SELECT try('right', 1, '735517'), try('wrong', 1, '735518'), try('none', 1, NULL),
		try('blank', 1, '  '), try('no PIN', 1, 'secret'), try('long', 1, repeat('735517', 10000)),
		try('not set', 2, '735517'), try('locked', 3, '735517'), try('unknown', NULL, '735517');
};
$node->safe_psql('postgres', $tries x 15);

is($node->safe_psql('postgres', q{
	SELECT string_agg(what || ' ' || refused_as, ', ' ORDER BY what COLLATE "C")
	FROM (SELECT DISTINCT what, refused_as FROM took) t}),
	'blank 23PN5, locked 23PN2, long 23PN7, no PIN 23PN7, none 23PN5, not set 23PN4, right accepted, unknown 23PN1, wrong 23PN7',
	'each was judged');

my %least = split /[|\n]/, $node->safe_psql('postgres', q{
	SELECT what, min(milliseconds) FROM took GROUP BY 1});
note(sprintf '%s: %.2f ms', $_, $least{$_}) foreach sort keys %least;

SKIP:
{
	skip 'pgcrypto.builtin_crypto_enabled came with PostgreSQL 18', 2
	  if $node->pg_version < 18;

	$node->append_conf('postgresql.conf', 'pgcrypto.builtin_crypto_enabled = off');
	$node->reload;
	$node->safe_psql('postgres', 'TRUNCATE took');
	$node->safe_psql('postgres', $tries);
	is($node->safe_psql('postgres', q{
		SELECT string_agg(DISTINCT refused_as, ', ') FROM took}),
		$node->safe_psql('postgres', q{
		DO $$ BEGIN PERFORM crypt('x', gen_salt('bf', 4)); EXCEPTION WHEN OTHERS THEN
			CREATE TABLE refused AS SELECT SQLSTATE AS state; END $$;
		SELECT state FROM refused}),
		'each needs a hash');

	# The hash is by the method of the stored PIN, even where it is not compared, and by
	# that of new PINs where none is stored.
	$node->append_conf('postgresql.conf', 'portpin.seal_method = pbkdf2');
	$node->reload;
	$node->safe_psql('postgres', 'TRUNCATE took');
	$node->safe_psql('postgres', $tries);
	is($node->safe_psql('postgres', q{
		SELECT string_agg(what || ' ' || refused_as, ', ' ORDER BY what COLLATE "C")
		FROM took WHERE refused_as <> (TABLE refused)}),
		'not set 23PN4, unknown 23PN1', 'a hash by the method of the PIN that is stored');
}

$node->stop;
done_testing();
