# Orders that come through PgBouncer, many clients over few sessions, are judged like
# any others, and all sessions know what is known of failed attempts.
#
# Skipped where there is no PgBouncer.

use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($pgbouncer) = grep { -x } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin';
plan skip_all => 'no pgbouncer here' if !$pgbouncer;

my $node = PostgreSQL::Test::Cluster->new('pooled');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION portpin CASCADE;
	CREATE ROLE desk LOGIN;
	CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
	CREATE TABLE port_orders (account int REFERENCES accounts, pin text);
	SELECT port_pin_protect('accounts'), port_pin_gate('port_orders', pin => 'pin');
	GRANT INSERT ON port_orders TO desk;
	INSERT INTO accounts SELECT n, '735517' FROM generate_series(0, 9) n;
});

# Clients come over TCP, so that there is an address to tell.
my $dir = PostgreSQL::Test::Utils::tempdir_short();
my $port = PostgreSQL::Test::Cluster::get_free_port();
my ($version) = run_command([ $pgbouncer, '--version' ]);
my $keeps_prepared = $version !~ /^PgBouncer 1\.(1\d|20)\./;

append_to_file("$dir/users", qq("desk" "1234"\n));
append_to_file("$dir/pgbouncer.ini", <<END_OF_SETTINGS . ($keeps_prepared ? "max_prepared_statements = 10\n" : ''));
[databases]
postgres = host=@{[$node->host]} port=@{[$node->port]}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = scram-sha-256
auth_file = $dir/users
pool_mode = transaction
default_pool_size = 2
application_name_add_host = 1
END_OF_SETTINGS

my $said = '';
my $pooler = IPC::Run::start([ $pgbouncer, "$dir/pgbouncer.ini" ], '>&', \$said, IPC::Run::timeout(180));
END { local $?; $pooler->kill_kill if $pooler }
$pooler->pump until $said =~ /process up/;
my $pool = "host=127.0.0.1 port=$port dbname=postgres user=desk password=1234 application_name=desk";

my $right = "INSERT INTO port_orders VALUES (:client_id, '735517')";
my $wrong = 'DO $$ BEGIN %s; EXCEPTION WHEN integrity_constraint_violation THEN NULL; END $$';

# Six clients at a time, each of them with a number.
sub clients
{
	my ($times, $mode, @statements) = @_;
	my $script = "$dir/script.sql";
	unlink $script;
	append_to_file($script, join '', map { "$_;\n" } @statements);
	command_ok([ 'pgbench', '-n', '-c', '6', '-t', $times, '-M', $mode, '-f', $script, $pool ],
		"six clients, $mode protocol");
	return;
}

# Through the pooler, what the client is told.
sub is_told
{
	my ($what, $sql, $told) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY sqlstate\n$sql", connstr => $pool);
	like("$out$err", $told, $what);
	return;
}

sub count_of
{
	my ($table) = @_;
	return $node->safe_psql('postgres', "SELECT count(*) FROM $table");
}


# Right and wrong orders, by turns.
my @modes = ('simple', 'extended', $keeps_prepared ? 'prepared' : ());
clients(20, $_, $right) for @modes;
is(count_of('port_orders'), 120 * @modes, 'right orders are accepted');
clients(3, 'simple', $right, sprintf($wrong, "INSERT INTO port_orders VALUES (:client_id, '100001')"));
is(count_of('port_orders'), 120 * @modes + 18, 'among wrong ones, too');
is( $node->safe_psql('postgres', 'SELECT account_key, count(*) FROM port_pin_failures GROUP BY 1 ORDER BY 1'),
	join("\n", map { "{$_}|3" } 0 .. 5), 'wrong ones are on record, each at its account');
is( $node->safe_psql('postgres', q{
	SELECT DISTINCT login_name, client_addr, regexp_replace(application_name, '\d+$', 'port') FROM port_pin_failures}),
	'desk||desk - 127.0.0.1:port',
	'on record is the client by its application_name: the session is that of the pooler');

# The limit is that of the account, whatever session an attempt gets.
clients(5, 'simple', sprintf($wrong, "INSERT INTO port_orders VALUES (7, '100001')"));
is($node->safe_psql('postgres', "SELECT count(*) FROM port_pin_failures WHERE account_key = '{7}'"),
	'10', 'of thirty attempts at one account ten are told');
my $order = "INSERT INTO port_orders VALUES (7, '735517');";
is_told('the account is locked out, in a session', $order, qr/23PN3/);
is_told('and in two at once', "BEGIN;\nSELECT 1;\n\\! psql -Xq -v VERBOSITY=sqlstate '$pool' -c \"$order\" 2>&1\n$order", qr/23PN3.*23PN3/s);
is($node->safe_psql('postgres', "SELECT port_pin_lift_lockout('accounts', 7)"), '10', 'lifted elsewhere');
is_told('and at once lifted in both', "BEGIN;\nSELECT 1;\n\\! psql -Xq '$pool' -c \"$order\" && echo fine\n$order\nCOMMIT;\nSELECT 'fine'",
	qr/^1\nfine\nfine$/);

# The sessions of the pooler know the gate.  They learn at once of changes elsewhere.
$node->safe_psql('postgres', 'ALTER TABLE accounts RENAME pin TO port_out_pin');
is_told('a renamed column: refused', $order, qr/42703/);
$node->safe_psql('postgres', 'ALTER TABLE accounts RENAME port_out_pin TO pin');
clients(5, $_, $right) for @modes;
$node->safe_psql('postgres', "UPDATE accounts SET pin = '846628' WHERE id = 7");
is_told('a changed PIN: the old one is wrong', $order, qr/23PN7/);
$node->safe_psql('postgres', "SELECT port_pin_ungate('port_orders')");
is_told('no gate', "$order SELECT 'fine'", qr/^fine$/);
$node->safe_psql('postgres', "SELECT port_pin_gate('port_orders', pin => 'pin')");
is_told('and one again', $order, qr/23PN7/);

$node->stop;
done_testing();
