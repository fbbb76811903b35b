# Whatever goes wrong while a wrong PIN is being recorded, the order is not
# accepted, the session does not hang, and no guess is told that is not on record.
#
# A guess that can't be recorded ends the session, after five seconds: an error
# alone would be an answer that nobody counted.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use IPC::Run;
use Test::More;
use Time::HiRes qw(time sleep);

my $fatal = qr/FATAL:  58000: port order refused: its wrong port PIN could not be recorded/;
my $right = "INSERT INTO port_orders VALUES (1, '735517');\n";
my $wrong = "INSERT INTO port_orders VALUES (1, '100001');\n";

my $node = PostgreSQL::Test::Cluster->new('faults');
$node->init;
$node->append_conf('postgresql.conf', q{
restart_after_crash = on
max_prepared_transactions = 2
max_worker_processes = 16
});
$node->start;

$node->safe_psql('postgres', 'CREATE DATABASE model');
$node->safe_psql('model', q{
	CREATE EXTENSION portpin CASCADE;
	CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
	CREATE TABLE port_orders (account int REFERENCES accounts, pin text);
	SELECT port_pin_protect('accounts'), port_pin_gate('port_orders', pin => 'pin');
	INSERT INTO accounts VALUES (1, '735517');
});

sub new_database
{
	my ($name) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE model");
}

# psql in the background, at first busy with a script, later with more of it.
sub start_session
{
	my ($database, $sql) = @_;
	my $session = { in => "\\set VERBOSITY verbose\n$sql", out => '', err => '', begun => time };
	$session->{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $node->connstr($database), '-f', '-' ],
		'<', \$session->{in}, '>', \$session->{out}, '2>', \$session->{err},
		IPC::Run::timeout(180));
	$session->{run}->pump_nb;
	return $session;
}

sub wait_for
{
	my ($session, $output) = @_;
	$session->{run}->pump until $session->{out} =~ $output;
}

# Wait for it to end; how long did it take?
sub finish
{
	my ($session) = @_;
	eval { $session->{run}->finish };
	return time - $session->{begun};
}

sub count
{
	my ($database, $table) = @_;
	return $node->safe_psql($database, "SELECT count(*) FROM $table");
}

sub ends_session
{
	my ($what, $database, $session) = @_;
	my $seconds = finish($session);
	like($session->{err}, $fatal, "$what: the session is ended");
	unlike($session->{err}, qr/23PN7|23505|55P03/, "$what: and told nothing else");
	unlike($session->{err} . $session->{out}, qr/735517|100001/, "$what: no PIN in it");
	cmp_ok($seconds, '<', 15, "$what: it does not hang");
	cmp_ok($seconds, '>', 4.5, "$what: nor is guessing fast");
	is(count($database, 'port_orders'), 0, "$what: no order got in");
}

# A session that sits on a lock of the record, until it is finished.
sub sit_on
{
	my ($database, $mode) = @_;
	my $session = start_session($database,
		"BEGIN; LOCK TABLE port_pin_failures IN $mode MODE; SELECT 'locked';\n");
	wait_for($session, qr/locked/);
	return $session;
}

sub wait_for_worker
{
	my ($database) = @_;
	$node->poll_query_until('postgres', qq{
		SELECT count(*) = 1 FROM pg_stat_activity
		WHERE backend_type = 'portpin' AND datname = '$database' AND wait_event_type = 'Lock'})
	  or die "no worker waits in $database";
	return $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'portpin' AND datname = '$database'");
}

# ---- The record can't be made ----
#
# Five seconds each, so all at once, every one in a database of its own.

new_database($_)
  for qw(own_lock others_lock read_lock failing_index no_key_column new_table ended_worker);

$node->safe_psql('failing_index', q{
	CREATE FUNCTION disk_full(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
	BEGIN
		RAISE disk_full USING MESSAGE = 'no space left, says the test';
	END $$;
	CREATE INDEX ON port_pin_failures (disk_full(login_name));
});
$node->safe_psql('new_table', 'DROP EXTENSION portpin CASCADE; DROP TABLE port_orders, accounts');

my $reader = sit_on('read_lock', 'ACCESS EXCLUSIVE');
my $other = sit_on('others_lock', 'EXCLUSIVE');
my $other2 = sit_on('ended_worker', 'EXCLUSIVE');

# The owner of the table is free to lock it, in the transaction of the order too.
my $own = start_session('own_lock',
	"BEGIN; LOCK TABLE port_pin_failures IN SHARE MODE;\n$wrong");
my $others = start_session('others_lock', $wrong);
my $reads = start_session('read_lock', $right . "SELECT 'alive';\n");
my $failing = start_session('failing_index', $wrong);
my $new_table = start_session('new_table', q{
	BEGIN;
	CREATE EXTENSION portpin;
	CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
	CREATE TABLE port_orders (account int REFERENCES accounts, pin text);
	SELECT port_pin_protect('accounts'), port_pin_gate('port_orders', pin => 'pin');
	INSERT INTO accounts VALUES (1, '735517');
} . $right . "SELECT 'accepted';\n" . $wrong);
my $ended = start_session('ended_worker', $wrong);
my $worker = wait_for_worker('ended_worker');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");

ends_session('a lock of its own', 'own_lock', $own);
ends_session("another's lock", 'others_lock', $others);
ends_session('an insert that fails', 'failing_index', $failing);
ends_session('a worker that is terminated', 'ended_worker', $ended);

my $seconds = finish($new_table);
like($new_table->{out}, qr/accepted/,
	'a record made in the same transaction: the right PIN is accepted');
like($new_table->{err}, $fatal, 'a record made in the same transaction: a wrong one ends the session');
cmp_ok($seconds, '<', 15, 'a record made in the same transaction: it does not hang');

# Before the PIN is looked at there is nothing to be counted: an error will do.
$seconds = finish($reads);
like($reads->{err}, qr/ERROR:  55P03: port order refused: the failed attempts at its account can't be counted/,
	'a record that is locked against reading: refused unread');
like($reads->{out}, qr/alive/, 'a record that is locked against reading: the session goes on');
cmp_ok($seconds, '<', 15, 'a record that is locked against reading: it does not hang');

is(count($_, 'port_pin_failures'), 0, "$_: nothing on record")
  for qw(own_lock failing_index);

# A database that can write no record still takes orders with the right PIN.
$node->safe_psql('others_lock', $right);
is(count('others_lock', 'port_orders'), 1, 'the right PIN needs no record');

$_->{run}->kill_kill for ($reader, $other, $other2);

my $log = slurp_file($node->logfile);
like($log, qr/FATAL:  port order refused: its wrong port PIN could not be recorded\n.*DETAIL:  The background worker failed/,
	'the log says why');
like($log, qr/ERROR:  no space left, says the test/, "and has the worker's own error");
like($log, qr/ERROR:  canceling statement due to lock timeout/, 'of whatever kind it is');
unlike($log, qr/FATAL: .*could not be recorded\n(?:.*\n){0,4}.*STATEMENT/, 'without the statement');

# ---- The session is to end while it waits for the record ----

# The worker waits for a second; its session is cancelled or terminated meanwhile.
sub interrupt_while_waiting
{
	my ($what, $database, $setting, $interrupt) = @_;
	new_database($database);
	my $blocker = sit_on($database, 'EXCLUSIVE');
	my $session = start_session($database, $setting . $wrong . "SELECT 'alive';\n");
	wait_for_worker($database);
	$node->safe_psql('postgres', qq{
		SELECT $interrupt(pid) FROM pg_stat_activity
		WHERE datname = '$database' AND query LIKE 'INSERT%'}) if $interrupt;
	sleep(0.7);
	is(count($database, 'port_pin_failures'), 0, "$what: not on record yet");
	ok($session->{run}->pump_nb && $session->{err} eq '', "$what: the session has to wait");
	$blocker->{run}->kill_kill;
	finish($session);
	is(count($database, 'port_pin_failures'), 1, "$what: the guess is on record");
	is(count($database, 'port_orders'), 0, "$what: the order is not");
	return $session;
}

my $session = interrupt_while_waiting('statement_timeout', 'timed_out', "SET statement_timeout = 300;\n", '');
like($session->{out}, qr/alive/, 'statement_timeout: the session goes on');
$session = interrupt_while_waiting('cancel', 'cancelled', '', 'pg_cancel_backend');
like($session->{out}, qr/alive/, 'cancel: the session goes on');
$session = interrupt_while_waiting('terminate', 'terminated', '', 'pg_terminate_backend');
like($session->{err}, qr/terminating connection/, 'terminate: the session ends');

# ---- The worker and its session lose each other ----

# A worker that is slower than its session records all the same; nobody is told of it.
new_database('slow_worker');
$node->safe_psql('slow_worker', q{
	CREATE FUNCTION slow(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
	BEGIN
		PERFORM pg_sleep(7);
		RETURN $1;
	END $$;
	CREATE INDEX ON port_pin_failures (slow(login_name));
});
$session = start_session('slow_worker', $wrong);
ends_session('a worker that is slower', 'slow_worker', $session);
is(count('slow_worker', 'port_pin_failures'), 0, 'a worker that is slower: not on record yet');
$node->poll_query_until('slow_worker', 'SELECT count(*) = 1 FROM port_pin_failures')
  or die 'the worker has not recorded it';
pass('a worker that is slower: on record in the end');
like(slurp_file($node->logfile), qr/DETAIL:  The background worker did not end in time/,
	'a worker that is slower: the log says so');

# A session that is gone before its worker starts has no record: the postmaster, which
# starts workers, is stopped meanwhile.
new_database('late_worker');
$session = start_session('late_worker', "SELECT 'here';\n");
wait_for($session, qr/here/);
my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
kill 'STOP', $postmaster;
$session->{begun} = time;
$session->{in} .= $wrong;
my $late = finish($session);
kill 'CONT', $postmaster;
like($session->{err}, $fatal, 'a worker that is not started: the session is ended');
cmp_ok($late, '>', 4.5, 'a worker that is not started: nor is guessing fast');
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'portpin'")
  or die 'a worker stays';
is(count('late_worker', 'port_pin_failures'), 0, 'a worker that comes too late records nothing');

# An error in the session itself, on the way to the record.
new_database('failing_session');
$node->append_conf('postgresql.conf', 'dynamic_shared_memory_type = mmap');
$node->restart;
chmod 0500, $node->data_dir . '/pg_dynshmem';
$session = start_session('failing_session', $wrong);
ends_session('an error in the session', 'failing_session', $session);
chmod 0700, $node->data_dir . '/pg_dynshmem';
$node->append_conf('postgresql.conf', 'dynamic_shared_memory_type = posix');
$node->restart;
is(count('failing_session', 'port_pin_failures'), 0, 'an error in the session: nothing on record');
like(slurp_file($node->logfile), qr/DETAIL:  could not open shared memory segment/, 'an error in the session: the log says which');

# However short it is cut, no guess is told that is not on record.
new_database('hurried');
$node->psql('hurried', join('', map { "SET statement_timeout = " . ($_ % 6 + 1) . ";\n$wrong" } 1 .. 60),
	on_error_stop => 0, stderr => \my $hurried);
my $told = () = $hurried =~ /its port PIN is wrong/g;
my $recorded = count('hurried', 'port_pin_failures');
cmp_ok($told, '<=', $recorded, "hurried guesses: $told told, $recorded on record");
cmp_ok($recorded, '<=', 10, 'hurried guesses: no more than the limit');

# ---- A record survives ----

new_database('prepared');
$node->safe_psql('prepared', "BEGIN;\n${right}PREPARE TRANSACTION 'order';\nCOMMIT PREPARED 'order'");
is(count('prepared', 'port_orders'), 1, 'an order can be prepared and committed');
$node->psql('prepared', "BEGIN;\nSAVEPOINT s;\n${wrong}ROLLBACK TO s;\n${right}PREPARE TRANSACTION 'order';",
	on_error_stop => 0);
$node->safe_psql('prepared', "ROLLBACK PREPARED 'order'");
is(count('prepared', 'port_pin_failures'), 1, 'a guess on the way is on record');

new_database('crashed');
$node->psql('crashed', $wrong);
$node->stop('immediate');
$node->start;
is(count('crashed', 'port_pin_failures'), 1, 'a record survives an immediate shutdown');

# A worker that is killed takes the server down with it, and its session.
my $blocker = sit_on('crashed', 'EXCLUSIVE');
$session = start_session('crashed', $wrong);
kill 9, wait_for_worker('crashed');
finish($session);
finish($blocker);
# A psql that can't connect is gone before it is told what to ask, so ask pg_isready.
my $patience = 180 * 10;
sleep(0.1)
  while system('pg_isready', '-q', '-h', $node->host, '-p', $node->port) != 0 && $patience-- > 0;

unlike($session->{err}, qr/its port PIN is wrong/, 'worker killed: the verdict is not told');
is(count('crashed', 'port_orders'), 0, 'worker killed: the order is not accepted');

# ---- No worker is available ----

for my $workers (0, 1)		# the one is taken, for logical replication
{
	$node->append_conf('postgresql.conf', "max_worker_processes = $workers");
	$node->restart;
	my $database = "workers_$workers";
	new_database($database);
	my $session = start_session($database, "SET statement_timeout = 1000;\n$wrong");
	ends_session("max_worker_processes = $workers", $database, $session);
	unlike($session->{err}, qr/57014/, "max_worker_processes = $workers: a timeout is no way out");
	like(slurp_file($node->logfile), qr/DETAIL:  No background worker could be started: max_worker_processes is exhausted/,
		"max_worker_processes = $workers: the log says so");
	$node->safe_psql($database, $right);
	is(count($database, 'port_orders'), 1, "max_worker_processes = $workers: the right PIN is accepted");
}

$node->stop;
done_testing();
