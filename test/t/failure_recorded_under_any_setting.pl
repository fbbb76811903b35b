# Wrong PINs are recorded in any database, for any role, under any settings, right
# after CREATE EXTENSION; listeners are told of the record, and it is dumped.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use JSON::PP;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = PostgreSQL::Test::Cluster->new('settings');
$node->init(allows_streaming => 1);
my $tcp_port = $node->port;
$node->append_conf('postgresql.conf', "listen_addresses = '127.0.0.1'");
$node->start;
my $version = $node->safe_psql('postgres', 'SHOW server_version_num');

my $wrong = "INSERT INTO port_orders VALUES (1, '100001');\n";
my $right = "INSERT INTO port_orders VALUES (1, '735517');\n";

# A name that needs quoting, a schema that is in nobody's search_path.
my $odd = q{Port "Orders" o'clock};
$node->safe_psql('postgres', q{CREATE DATABASE "Port ""Orders"" o'clock"});

sub in_odd
{
	my ($sql, %params) = @_;
	local $ENV{PGDATABASE} = $odd;
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'psql', '-XAtq', '-h', $node->host, '-p', $node->port, '-f', '-' ],
		'<', \$sql, '>', \$out, '2>', \$err,
		init => sub { $ENV{PGOPTIONS} = $params{options} if $params{options};
			$ENV{PGUSER} = $params{user} if $params{user} });
	chomp $out;
	return ($out, $err);
}

sub recorded
{
	my ($what, $expected) = @_;
	is((in_odd('SELECT count(*) FROM pins.port_pin_failures'))[0], $expected, "$what: on record");
}

in_odd(q{
	CREATE SCHEMA crypto;
	CREATE SCHEMA pins;
	CREATE EXTENSION pgcrypto SCHEMA crypto;
	CREATE EXTENSION portpin SCHEMA pins;
	CREATE TABLE accounts (id int PRIMARY KEY, pin pins.port_pin);
	CREATE TABLE port_orders (account int REFERENCES accounts, pin text);
	CREATE ROLE clerk LOGIN;
	CREATE ROLE desk NOLOGIN;
	GRANT desk TO clerk;
	GRANT INSERT ON port_orders TO clerk, desk;
	INSERT INTO accounts VALUES (1, '735517');
	SELECT pins.port_pin_protect('accounts'), pins.port_pin_gate('port_orders', pin => 'pin');
});
my ($out, $err) = in_odd($wrong);
like($err, qr/its port PIN is wrong/, 'the first use of the module');
recorded('the first use of the module', 1);

($out, $err) = in_odd("SET search_path = '';\nINSERT INTO public.port_orders VALUES (1, '100001')");
recorded('an empty search_path', 2);

in_odd("SET application_name = 'p\\ \"o''clock\"'; SET ROLE desk;\n$wrong", user => 'clerk');
# A line in the server log says the same, for programs, after the session is told.
sub logged_failure
{
	my ($what) = @_;
	my $line;
	for (1 .. 1800)
	{
		($line) = slurp_file($node->logfile) =~ /LOG:  failed port PIN: (\{.*\Q$what\E.*\})/;
		return decode_json($line) if $line;
		usleep(100_000);
	}
	die "no line in the log has $what";
}
my $logged = logged_failure('"desk"');
ok(delete $logged->{pid}, 'the log has a line with the process');
is_deeply($logged, {
	account_schema => 'public', account_table => 'accounts', account_key => ['1'],
	order_schema => 'public', order_table => 'port_orders',
	role_name => 'desk', login_name => 'clerk', application_name => "p\\ \"o'clock\"" }, 'and all that is on record');
unlike(slurp_file($node->logfile), qr/failed port PIN:.*(735517|100001)/, 'but not the PIN');
is((in_odd(q{SELECT role_name, login_name FROM pins.port_pin_failures ORDER BY failed_at DESC LIMIT 1}))[0],
	'desk|clerk', 'a role without LOGIN: role and login are on record');

# A client that comes over the network has an address.
{
	local $ENV{PGDATABASE} = $odd;
	IPC::Run::run([ 'psql', '-Xq', '-h', '127.0.0.1', '-p', $tcp_port, '-c',
		"INSERT INTO accounts VALUES (3, '735517'); INSERT INTO port_orders VALUES (3, '735517')" ]);
	IPC::Run::run([ 'psql', '-Xq', '-h', '127.0.0.1', '-p', $tcp_port, '-c',
		"INSERT INTO port_orders VALUES (3, '100001')" ], '2>', \$err);
}
like($err, qr/its port PIN is wrong/, 'over TCP');
is((in_odd(q{SELECT client_addr FROM pins.port_pin_failures WHERE account_key = '{3}'}))[0],
	'127.0.0.1', 'over TCP: the address is on record');
is(logged_failure('"client_addr"')->{client_addr}, '127.0.0.1', 'over TCP: and in the log');
in_odd(q{DELETE FROM pins.port_pin_failures WHERE account_key = '{3}'});

# No role sets its own limit, not even before the module is loaded.
($out, $err) = in_odd("SET portpin.max_failures_per_account = 0;\n$wrong$wrong" .
	"SELECT current_setting('portpin.max_failures_per_account')", user => 'clerk');
is($out, '10', "a clerk's own limit does not hold");
recorded("a clerk's own limit", 5);
($out, $err) = in_odd("${wrong}SELECT current_setting('portpin.max_failures_per_account')",
	user => 'clerk', options => '-c portpin.max_failures_per_account=0');
is($out, '10', 'nor from the environment');
recorded('a limit from the environment', 6);

# Settings of the database and of every role reach the session, but not its worker.
($out, $err) = in_odd(q{
	DO $$
	DECLARE setting text;
	BEGIN
		FOREACH setting IN ARRAY ARRAY[
			'default_transaction_read_only = on',
			'default_transaction_isolation = serializable',
			'default_transaction_deferrable = on',
			'statement_timeout = 1000',
			'search_path = nowhere',
			'row_security = off',
			'synchronous_commit = remote_apply',
			'idle_in_transaction_session_timeout = 1',
			'lock_timeout = 1']
		LOOP
			EXECUTE format('ALTER DATABASE %I SET %s', current_database(), setting);
			EXECUTE format('ALTER ROLE %I SET %s', current_user, setting);
		END LOOP;
	END $$;
});
is($err, '', 'settings are set');
in_odd('DO $$ BEGIN EXECUTE format($f$ALTER DATABASE %I SET transaction_timeout = 1$f$, current_database()); END $$')
  if $version >= 170000;
my $own = '-c idle_in_transaction_session_timeout=0 -c lock_timeout=0 -c synchronous_commit=on';
$own .= ' -c transaction_timeout=0' if $version >= 170000;
($out, $err) = in_odd("BEGIN READ WRITE ISOLATION LEVEL READ COMMITTED; SET LOCAL search_path = public;\n$wrong",
	options => $own);
like($err, qr/its port PIN is wrong/, 'settings of database and role');
recorded('settings of database and role', 7);
in_odd(q{
	BEGIN READ WRITE;
	DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I RESET ALL', current_database());
		EXECUTE format('ALTER ROLE %I RESET ALL', current_user);
	END $$;
	COMMIT;
}, options => $own);

# A standby that never answers keeps commits waiting, but not the record.
$node->append_conf('postgresql.conf', "synchronous_standby_names = 'nobody'");
$node->restart;
my $begun = time;
($out, $err) = in_odd("SET synchronous_commit = local;\n$wrong");
like($err, qr/its port PIN is wrong/, 'no synchronous standby');
recorded('no synchronous standby', 8);
cmp_ok(time - $begun, '<', 4, 'no synchronous standby: no wait');
$node->append_conf('postgresql.conf', "synchronous_standby_names = ''");
$node->reload;

# Nobody may connect any more; sessions that are there go on.
($out, $err) = in_odd(q{
	UPDATE pg_database SET datallowconn = false, datconnlimit = 0 WHERE datname = current_database();
} . $wrong);
$node->safe_psql('postgres', q{ALTER DATABASE "Port ""Orders"" o'clock" ALLOW_CONNECTIONS true CONNECTION LIMIT -1});
like($err, qr/its port PIN is wrong/, 'no connections allowed');
recorded('no connections allowed', 9);

SKIP:
{
	skip 'no login event triggers before 17', 1 if $version < 170000;
	in_odd(q{
		CREATE TABLE logins (backend_type text);
		GRANT INSERT ON logins TO PUBLIC;
		CREATE FUNCTION log_in() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
		BEGIN
			INSERT INTO public.logins
				SELECT backend_type FROM pg_stat_activity WHERE pid = pg_backend_pid();
		END $$;
		CREATE EVENT TRIGGER log_in ON login EXECUTE FUNCTION log_in();
		ALTER EVENT TRIGGER log_in ENABLE ALWAYS;
	});
	in_odd($wrong);
	is((in_odd('SELECT DISTINCT backend_type FROM logins'))[0], 'client backend',
		'the worker fires no login event trigger');
	in_odd('DROP EVENT TRIGGER log_in');
}
in_odd($wrong) if $version < 170000;
recorded('to the limit', 10);
($out, $err) = in_odd($right);
like($err, qr/too many wrong port PINs/, 'and the account is locked out');

# ---- Being told ----

my ($notices) = in_odd("LISTEN port_pin_failures;\nINSERT INTO accounts VALUES (2, '735517');\n" .
	"INSERT INTO port_orders VALUES (2, '100001');\n" . "SELECT pg_sleep(0.2);\n" x 5);
my @notices = $notices =~ /Asynchronous notification "port_pin_failures" received/g;
is(scalar(@notices), 1, 'listeners are told that there is a new record');

# ---- Dump and restore ----

my $dump = $node->basedir . '/dump.sql';
{
	local $ENV{PGDATABASE} = $odd;
	command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-f', $dump ], 'dumped');
}
$node->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $dump ], 'restored');
is($node->safe_psql('restored', 'SELECT account_schema, account_table, account_key, count(*) FROM pins.port_pin_failures GROUP BY 1, 2, 3 ORDER BY 3'),
	"public|accounts|{1}|10\npublic|accounts|{2}|1", 'the record is in the dump');
($out, my $restored) = ('', '');
$node->psql('restored', $right, stderr => \$restored);
like($restored, qr/too many wrong port PINs/, 'and the lock-out with it');
is($node->safe_psql('restored', q{SELECT pins.port_pin_lift_lockout('accounts', '1')}), '10', 'until it is lifted');
$node->safe_psql('restored', $right);

$node->stop;
done_testing();
