# What pgaudit makes of PINs: it logs each literal, even of a refused order, and no bind
# parameter unless pgaudit.log_parameter is on.  What portpin itself runs shows none.
#
# Skipped where there is no pgaudit.

use strict;
use warnings;
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($libraries) = run_command([ 'pg_config', '--pkglibdir' ]);
plan skip_all => 'no pgaudit here' if !-e "$libraries/pgaudit.so";

my $dir = PostgreSQL::Test::Utils::tempdir();
append_to_file("$dir/keys", 'k1:' . encode_base64('k' x 32, '') . "\n");
chmod 0600, "$dir/keys" or die $!;

my $node = PostgreSQL::Test::Cluster->new('audited');
$node->init;
$node->append_conf('postgresql.conf', qq{
portpin.key_file = '$dir/keys'
log_statement = none
log_min_error_statement = panic
shared_preload_libraries = 'pgaudit'
});
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION portpin CASCADE;
	CREATE EXTENSION pgaudit;
	CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
	INSERT INTO accounts SELECT n, 735517 FROM generate_series(1, 3) n;
	ALTER TABLE accounts ALTER pin TYPE port_pin_sealed;
	CREATE TABLE port_orders (account int REFERENCES accounts, pin port_pin);
	SELECT port_pin_protect('accounts', history => true), port_pin_gate('port_orders', redact => true)});

# What the log gets from a script with the PIN in it, as a literal or as a bind parameter.
sub log_of
{
	my ($settings, $pin, $statement, $protocol) = @_;
	my $script = "$dir/script.sql";
	my $end = -s $node->logfile;
	local $ENV{PGOPTIONS} = join ' ', map { "-c pgaudit.$_" } 'log=all', 'log_level=log', @$settings;
	unlink $script;
	append_to_file($script, "\\set pin $pin\n$statement;\n");
	run_command([ 'pgbench', '-n', '-t', '1', '-M', $protocol, '-f', $script, $node->connstr('postgres') ]);
	return slurp_file($node->logfile, $end);
}

my $accepted = "INSERT INTO port_orders VALUES (1, (:pin)::text)";
my $changed = "UPDATE accounts SET pin = (:pin)::text WHERE id = 2";
my $read = "SELECT port_pin_check(pin, (:pin)::text) FROM accounts";

for my $statement ($accepted, $changed, $read)
{
	like(log_of([], '735517', $statement, 'simple'), qr/AUDIT: .*735517/, "a literal is logged: $statement");
	my $log = log_of([], '735517', $statement, 'extended');
	like($log, qr/AUDIT: .*<not logged>/, 'a bind parameter is not');
	unlike($log, qr/735517/, 'not at all');
	like(log_of(['log_parameter=on'], '735517', $statement, 'extended'), qr/AUDIT: .*735517/, 'unless it is asked for');
}

# Refused: portpin's error does not show the statement, but pgaudit has logged it before.
my $log = log_of([], '100001', $accepted, 'simple');
like($log, qr/AUDIT: .*100001.*ERROR:  port order refused/s, 'the literal of a refused order is logged');
$log = log_of([], '100001', $accepted, 'extended');
like($log, qr/AUDIT: .*ERROR:  port order refused/s, 'a refused order');
unlike($log, qr/100001/, 'has its bind parameter nowhere');
unlike(log_of([], '12345', $changed, 'extended'), qr/12345\b/, 'nor has what is no PIN');

# doc/security.md: leave two classes out of it.  The domain's check is a function.
like(log_of(['log=all,-write'], '735517', $accepted, 'simple'), qr/FUNCTION,.*735517/, 'without writes, functions log the literal');
$log = log_of(['log=all,-write,-function'], '735517', "$accepted; SELECT count(*) FROM accounts", 'simple');
like($log, qr/AUDIT: .*READ/, 'without both other classes are logged');
unlike($log, qr/735517/, 'no PIN is logged');

# Sealing goes through readable PINs, by statements of its own.
$log = log_of(['log_parameter=on'], '0', "CALL port_pin_seal_column('accounts')", 'extended');
like($log, qr/AUDIT: .*CALL port_pin_seal_column.*AUDIT: .*UPDATE/s, 'the statements of port_pin_seal_column are logged');
unlike($log, qr/735517/, 'with no PIN');
is($node->safe_psql('postgres', 'SELECT count(*) FROM accounts WHERE port_pin_is_sealed(pin)'), '3', 'and all is sealed');

$node->stop;
done_testing();
