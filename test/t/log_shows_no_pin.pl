# The server log and port PINs.
#
# An order or a clearing that portpin refuses leaves no PIN in the log and none in
# the message, however it comes in: not the stored one, not the one that was tried.
# What an extension can't hide is here too, so that it is known.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $stored = '735517';
my $tried = '846628';
my $pin = qr/$stored|$tried/;

my $node = PostgreSQL::Test::Cluster->new('logs');
$node->init;
$node->append_conf('postgresql.conf', 'portpin.max_failures_per_account = 0');
$node->append_conf('postgresql.conf', 'max_prepared_transactions = 1');

# Errors are logged as fully as a server can.
$node->append_conf('postgresql.conf', q{
log_statement = none
log_min_error_statement = error
log_min_duration_statement = -1
log_error_verbosity = verbose
log_parameter_max_length_on_error = -1
});
$node->start;
$node->safe_psql('postgres', qq{
	CREATE EXTENSION portpin CASCADE;
	CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
	CREATE TABLE legacy (id int PRIMARY KEY, pin varchar(20));
	CREATE TABLE port_orders (account int REFERENCES accounts, pin port_pin);
	CREATE TABLE redacted_orders (account int REFERENCES accounts, pin port_pin);
	SELECT port_pin_protect('accounts'), port_pin_protect('legacy', 'pin'),
		port_pin_gate('port_orders'), port_pin_gate('redacted_orders', redact => true);
	CREATE TABLE sealed (id int, pin port_pin_sealed) PARTITION BY LIST (id);
	CREATE TABLE sealed_1 PARTITION OF sealed FOR VALUES IN (1);
	CREATE TABLE stamped (id int, pin port_pin, changed timestamptz) PARTITION BY LIST (id);
	CREATE TABLE stamped_1 PARTITION OF stamped FOR VALUES IN (1);
	CREATE TABLE recorded (id int PRIMARY KEY, pin port_pin);
	SELECT port_pin_protect('sealed'), port_pin_protect('stamped', changed => 'changed'),
		port_pin_protect('recorded', history => true);
	INSERT INTO recorded VALUES (1, '$stored');
	CREATE FUNCTION change_pin() RETURNS void LANGUAGE plpgsql AS \$\$
	BEGIN
		UPDATE recorded SET pin = '$tried';
	END \$\$;
	INSERT INTO accounts VALUES (1, '$stored'), (2, NULL);
	INSERT INTO legacy VALUES (1, '$stored');
	CREATE FUNCTION place(pin text) RETURNS void LANGUAGE plpgsql AS \$\$
	BEGIN
		EXECUTE format('INSERT INTO port_orders VALUES (1, %L)', pin);
	END \$\$;
	CREATE FUNCTION place_again(pin text) RETURNS void LANGUAGE plpgsql AS \$\$
	BEGIN
		PERFORM place(pin);
	EXCEPTION WHEN integrity_constraint_violation THEN
		RAISE;
	END \$\$;
	CREATE FUNCTION place_sql(pin text) RETURNS void LANGUAGE sql AS
		'INSERT INTO port_orders VALUES (1, pin)';
});

# What the log gets, and what the client gets, from a script.
sub log_of
{
	my ($sql) = @_;
	my $end = -s $node->logfile;
	my ($status, $out, $err) =
	  $node->psql('postgres', "\\set VERBOSITY verbose\n\\set SHOW_CONTEXT always\n$sql");
	return (slurp_file($node->logfile, $end), $err);
}

sub is_refused_quietly
{
	my ($what, $sqlstate, $sql) = @_;
	my ($log, $err) = log_of($sql);
	like($log, qr/ERROR:  $sqlstate: /, "$what: refused, and the log says so");
	unlike("$log$err", $pin, "$what: no PIN in the log or in the message");
}

sub is_logged
{
	my ($what, $sql) = @_;
	my ($log) = log_of($sql);
	like($log, $pin, "not hidden: $what");
}

# Send a statement with its PIN as a bind parameter.
sub log_of_bind
{
	my ($statement, $value) = @_;
	my $script = "${PostgreSQL::Test::Utils::tmp_check}/bind.sql";
	my $end = -s $node->logfile;
	unlink $script;
	append_to_file($script, "\\set pin $value\n$statement;\n");
	my ($out, $err) = run_command(
		[ 'pgbench', '-n', '-t', '1', '-M', 'extended', '-f', $script,
			$node->connstr('postgres') ]);
	return slurp_file($node->logfile, $end) . $err;
}


# Refused orders.
is_refused_quietly('an order', '23PN7', "INSERT INTO port_orders VALUES (1, '$tried')");
is_refused_quietly('an order without PIN', '23PN5', "INSERT INTO port_orders VALUES (1, NULL) -- $stored");
is_refused_quietly('an order for an account without PIN', '23PN4', "INSERT INTO port_orders VALUES (2, '$tried')");
is_refused_quietly('one order of many', '23PN7', "INSERT INTO port_orders VALUES (1, '$stored'), (1, '$tried')");
is_refused_quietly('COPY', '23PN7', "COPY port_orders FROM STDIN;\n1\t$stored\n1\t$tried\n\\.\n");
is_refused_quietly('COPY, judged before the row is stored', '23PN7', "COPY redacted_orders FROM STDIN;\n1\t$stored\n1\t$tried\n\\.\n");

# An order that has to wait for its account, at a gate that is not found yet, or is known.
my $lock = "BEGIN; LOCK TABLE accounts; PREPARE TRANSACTION 'lock'; SET lock_timeout = '10ms';\n";
my $copy = "COPY redacted_orders FROM STDIN;\n1\t$stored\n\\.\n";
is_refused_quietly('COPY that waits', '55P03', "$lock$copy");
$node->safe_psql('postgres', "ROLLBACK PREPARED 'lock'");
is_refused_quietly('another COPY that waits', '55P03', "$copy$copy$lock$copy");
$node->safe_psql('postgres', "ROLLBACK PREPARED 'lock'");

# So are the other triggers: what they wait for is the whole of a partition, or the history.
# The statement is not theirs to hide, so it has no PIN here.
foreach (
	['COPY that seals', 'ONLY sealed', "COPY sealed_1 FROM STDIN;\n1\t$tried\n\\.\n"],
	['COPY that stamps', 'ONLY stamped', "COPY stamped_1 (id, pin) FROM STDIN;\n1\t$tried\n\\.\n"],
	['a change that is recorded', 'port_pin_history', 'SELECT change_pin()'])
{
	my ($what, $table, $statement) = @$_;
	is_refused_quietly("$what and waits", '55P03',
		"BEGIN; LOCK TABLE $table; PREPARE TRANSACTION 'lock'; SET lock_timeout = '10ms';\n$statement");
	$node->safe_psql('postgres', "ROLLBACK PREPARED 'lock'");
}

is_refused_quietly('PL/pgSQL', '23PN7', "SELECT place('$tried')");
is_refused_quietly('PL/pgSQL that raises it again', '23PN7', "SELECT place_again('$tried')");
is_refused_quietly('an SQL function', '23PN7', "SELECT place_sql('$tried')");
is_refused_quietly('DO', '23PN7', "DO \$\$ BEGIN INSERT INTO port_orders VALUES (1, '$tried'); END \$\$");
is_refused_quietly('a prepared statement', '23PN7',
	"PREPARE p AS INSERT INTO port_orders VALUES (1, \$1); EXECUTE p('$tried')");
is_refused_quietly('CTE', '23PN7',
	"WITH a AS (INSERT INTO accounts VALUES (3, '$stored') RETURNING id) INSERT INTO port_orders SELECT id, '$tried' FROM a");

# Refused clearings.
is_refused_quietly('a clearing', '23PN0', "UPDATE accounts SET pin = NULL WHERE pin = '$stored'");
is_refused_quietly('a clearing of a legacy PIN', '23PN0', "UPDATE legacy SET pin = '' WHERE pin = '$stored'");
is_refused_quietly('MERGE', '23PN0', "MERGE INTO accounts a USING (VALUES (1, '$stored')) v (id, pin)
	ON a.id = v.id WHEN MATCHED THEN UPDATE SET pin = NULL");

# The same as most applications send it.
my $order = 'INSERT INTO port_orders VALUES (1, (:pin)::text)';
my $log = log_of_bind($order, $tried);
like($log, qr/ERROR:  23PN7: /, 'bind parameter: refused, and the log says so');
unlike($log, $pin, 'bind parameter: no PIN in the log, whatever log_parameter_max_length_on_error is');

# What is logged at the end of a statement is not logged for one that fails.
$node->append_conf('postgresql.conf', 'log_min_duration_statement = 0');
$node->reload;
$node->poll_query_until('postgres', "SELECT current_setting('log_min_duration_statement') = '0'");
is_refused_quietly('an order with log_min_duration_statement', '23PN7',
	"INSERT INTO port_orders VALUES (1, '$tried')");


# What PostgreSQL logs by itself.  doc/security.md: use bind parameters, and leave
# log_parameter_max_length_on_error at 0.
is_logged('the statement of an accepted order', "INSERT INTO port_orders VALUES (1, '$stored')");
is_logged('PINs in errors that are not of portpin', "INSERT INTO port_orders VALUES (99, '$tried')");
is_logged('a malformed PIN', "UPDATE accounts SET pin = '${stored}x'");
is_logged('what a client goes on to send in a failed transaction',
	"\\set ON_ERROR_STOP off\nBEGIN;\nINSERT INTO port_orders VALUES (1, NULL);\nINSERT INTO port_orders VALUES (1, '$stored');");

$node->append_conf('postgresql.conf', q{
log_statement = all
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
session_preload_libraries = 'auto_explain'
auto_explain.log_min_duration = 0
});
$node->append_conf('postgresql.conf', 'auto_explain.log_parameter_max_length = 0')
  if $node->pg_version >= 16;
$node->restart;
is_logged('every statement, with log_statement', "INSERT INTO port_orders VALUES (1, '$tried')");

$log = log_of_bind($order, $stored);
like($log, qr/INSERT INTO port_orders.*Insert on port_orders/s, 'accepted with log_statement and auto_explain: logged');
unlike($log, $pin, 'but not its bind parameter');
unlike(log_of_bind($order, $tried), $pin, 'nor that of a refused one');
unlike(log_of_bind('UPDATE accounts SET pin = (:pin)::text WHERE id = 1', '12345'), qr/12345/,
	'nor a malformed PIN');

$node->append_conf('postgresql.conf', 'auto_explain.log_verbose = on');
$node->restart;
like(log_of_bind($order, $stored), $pin, 'not hidden: the plan, with auto_explain.log_verbose');

$node->stop;
done_testing();
