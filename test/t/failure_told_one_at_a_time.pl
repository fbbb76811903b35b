# Orders for one account are told one after the other whether their PINs are right,
# and nobody else waits for them.
#
# A session that waits reads the account anew, and gets an error and no verdict if that
# takes too long.  While nothing can be recorded, an account has one attempt in five
# seconds, from however many sessions.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use IPC::Run;
use Test::More;
use Time::HiRes qw(sleep);

my $node = PostgreSQL::Test::Cluster->new('turns');
$node->init;
$node->append_conf('postgresql.conf', "max_connections = 40\nlog_line_prefix = '%p '\n");
$node->append_conf('postgresql.conf', "log_lock_waits = on\ndeadlock_timeout = 50ms\n");
$node->start;
my $key = $node->basedir . '/keys';
append_to_file($key, 'first:' . ('A' x 43) . "=\n");
chmod 0600, $key;
$node->append_conf('postgresql.conf', "portpin.key_file = '$key'");
$node->reload;
$node->safe_psql('postgres', q{
	CREATE EXTENSION portpin CASCADE;
	CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin, frozen bool, note text);
	CREATE TABLE port_orders (account int REFERENCES accounts, pin text);
	CREATE TABLE requests (account int REFERENCES accounts, pin text, verdict port_pin_verdict);
	SELECT port_pin_protect('accounts', lock => 'frozen');
	SELECT port_pin_gate('port_orders', pin => 'pin'),
		port_pin_gate('requests', pin => 'pin', verdict => 'verdict');
	INSERT INTO accounts SELECT n, '735517' FROM generate_series(1, 99) n;
});

sub sql { return $node->safe_psql('postgres', $_[0]) }

# psql in the background.
sub start_session
{
	my ($sql) = @_;
	my $session = { in => "\\set VERBOSITY verbose\n$sql", out => '', err => '' };
	$session->{run} = IPC::Run::start(
		[ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', '-' ],
		'<', \$session->{in}, '>', \$session->{out}, '2>', \$session->{err},
		IPC::Run::timeout(180));
	$session->{run}->pump_nb;
	return $session;
}

sub finish
{
	my ($session) = @_;
	eval { $session->{run}->finish };
	return $session->{err};
}

sub poll
{
	my ($what, $sql) = @_;
	$node->poll_query_until('postgres', $sql) or die "$what: not so";
}

# Attempt locks that are held, or that sessions queue for.
sub poll_locks
{
	my ($what, $count) = @_;
	poll("$count attempt locks $what", qq{
		SELECT count(*) = $count FROM pg_locks
		WHERE locktype = 'advisory' AND objsubid = 20560 AND $what});
}

# A wrong PIN whose record has to wait, for a second or until it is let go, and which
# therefore holds its account's attempt lock.
sub hold_account
{
	my ($account, $orders) = (@_, 'port_orders');
	my $blocker = start_session("BEGIN; LOCK TABLE port_pin_failures IN EXCLUSIVE MODE; SELECT 'locked';\n");
	$blocker->{run}->pump until $blocker->{out} =~ /locked/;
	my $guesser = start_session("INSERT INTO $orders VALUES ($account, '100001');\n");
	poll('a worker waits', q{
		SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'portpin' AND wait_event_type = 'Lock'});
	return ($blocker, $guesser);
}

# Try until the attempt says that it was in time: on a slow machine a record may come
# too late.
sub in_time
{
	my ($attempt) = @_;
	for (1 .. 20)
	{
		return if $attempt->();
		sql('TRUNCATE port_orders, requests, port_pin_failures');
	}
	die 'too slow';
}

# What becomes of orders that wait while a wrong PIN for their account is recorded.
sub while_held
{
	my ($account, $meanwhile, @orders) = @_;
	my @errors;
	in_time(sub {
		my ($blocker, $guesser) = hold_account($account);
		my @waiting = map { start_session($_) } @orders;
		poll_locks('NOT granted', scalar @orders);
		sql($meanwhile) if $meanwhile;
		$blocker->{run}->kill_kill;
		my $told = finish($guesser);
		@errors = map { finish($_) } @waiting;
		return $told =~ /23PN7/;
	});
	return @errors;
}

# ---- One after the other ----

my ($blocker, $guesser) = hold_account(2);
my $other = start_session("INSERT INTO port_orders VALUES (3, '735517');\nSELECT 'accepted';\n");
finish($other);
is($other->{out}, "accepted\n", "another account's order does not wait");
$blocker->{run}->kill_kill;
finish($guesser);

is(join('', while_held(1, '', "INSERT INTO port_orders VALUES (1, '735517');\n")), '', 'the right PIN is accepted then');
is(sql('SELECT count(*) FROM port_orders WHERE account = 1'), 1, 'and stored');

# ---- What has changed meanwhile ----

for my $case (
	[ 'another PIN', "pin = '864209'", 'port_orders', '735517', qr/23PN7/ ],
	[ 'the PIN that was wrong', "pin = '864209'", 'port_orders', '864209', qr/^$/ ],
	[ 'a lock', 'frozen = true', 'port_orders', '735517', qr/23PN2/ ],
	[ 'a lock', 'frozen = true', 'requests', '735517', qr/^$/ ],
	[ 'something else', "note = 'called'", 'port_orders', '735517', qr/^$/ ])
{
	my ($what, $change, $orders, $pin, $expected) = @$case;
	my ($error) = while_held(11, "UPDATE accounts SET $change WHERE id = 11",
		"UPDATE accounts SET pin = '735517', frozen = NULL WHERE id = 11;\nINSERT INTO $orders (account, pin) VALUES (11, '$pin');\n");
	like($error, $expected, "while an order waits: $what");
	sql("UPDATE accounts SET pin = '735517', frozen = NULL; TRUNCATE port_pin_failures");
}
is(sql('SELECT account, verdict FROM requests'), '11|port_locked', 'and in a verdict');

# The failures that were told meanwhile count.
like($_, qr/23PN3/, 'too many by now') for while_held(15, '',
	map { "SET portpin.max_failures_per_account = 1;\nINSERT INTO port_orders VALUES (15, '$_');\n" } '735517', '100002');

# A partition of the accounts is attached while an order waits.
sql(q{
	CREATE TABLE regional (id int PRIMARY KEY, pin port_pin) PARTITION BY RANGE (id);
	CREATE TABLE region_1 PARTITION OF regional FOR VALUES FROM (0) TO (100);
	CREATE TABLE region_2 (id int PRIMARY KEY, pin port_pin);
	CREATE TABLE numbers (id int PRIMARY KEY, account int REFERENCES regional);
	CREATE TABLE regional_orders (number int REFERENCES numbers, pin text);
	SELECT port_pin_protect('regional'), port_pin_gate('regional_orders', via => 'account', pin => 'pin');
	INSERT INTO regional VALUES (1, '735517');
	INSERT INTO numbers VALUES (1, 1)});
in_time(sub {
	my ($blocker, $guesser) = hold_account(1, 'regional_orders');
	my $order = start_session("INSERT INTO regional_orders VALUES (1, '735517');\nSELECT 'accepted';\n");
	poll_locks('NOT granted', 1);
	sql('ALTER TABLE regional ATTACH PARTITION region_2 FOR VALUES FROM (100) TO (200)');
	$blocker->{run}->kill_kill;
	my $told = finish($guesser);
	finish($order);
	sql('ALTER TABLE regional DETACH PARTITION region_2'), return 0 if $told !~ /23PN7/;
	is($order->{out}, "accepted\n", 'a partition is attached while an order waits');
	return 1;
});

# Under the attempt lock a session waits only for a record.  If the record can't be read
# just then, it lets go of the lock, and the order counts again when it can.
in_time(sub {
	my ($blocker, $guesser) = hold_account(4);
	my $order = start_session("INSERT INTO port_orders VALUES (4, '735517');\nSELECT 'accepted';\n");
	poll_locks('NOT granted', 1);
	my $locker = start_session("BEGIN; LOCK TABLE port_pin_failures; SELECT 'locked';\n");
	poll('two wait for the record', q{SELECT count(*) = 2 FROM pg_locks
		WHERE relation = 'port_pin_failures'::regclass AND NOT granted});
	$blocker->{run}->kill_kill;
	my $told = finish($guesser);
	$locker->{run}->pump until $locker->{out} =~ /locked/;
	my $in_time = $told =~ /23PN7/ && !$order->{err};
	poll_locks('granted', 0);
	is($order->{out}, '', 'an order that can\'t count lets go of its account') if $in_time;
	$locker->{run}->kill_kill;
	my $error = finish($order);
	is($order->{out}, "accepted\n", 'and is accepted when it can') if $in_time && !$error;
	return $in_time && !$error;
});

# ---- Not in time ----

($blocker, $guesser) = hold_account(21);
my $refused = start_session("INSERT INTO port_orders VALUES (21, '735517');\nSELECT 'alive';\n");
my $stored = start_session("INSERT INTO requests VALUES (21, '735517');\n");
my $hasty = start_session("SET lock_timeout = 50;\nINSERT INTO port_orders VALUES (21, '735517');\nSHOW lock_timeout;\nSHOW log_lock_waits;\n");
my $cancelled = start_session("INSERT INTO port_orders VALUES (21, '100002');\nSELECT 'alive';\n");
poll_locks("NOT granted AND pid IN (SELECT pid FROM pg_stat_activity WHERE query ~ '100002')", 1);
sql(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ '100002' AND pid <> pg_backend_pid()});
like(finish($cancelled), qr/57014/, 'a session that queues can be cancelled');
like($cancelled->{out}, qr/alive/, 'and goes on');
my $message = qr/ERROR:  55P03: port order refused: other orders for its account took too long/;
like(finish($hasty), $message, "lock_timeout: an error, no verdict");
like($hasty->{out}, qr/^50ms\non$/m, 'and the settings are as they were');
like(finish($refused), $message, 'no attempt lock in time: an error, no verdict');
like($refused->{out}, qr/alive/, 'and the session goes on');
like(finish($stored), $message, 'nor is a verdict stored');
is(sql('SELECT count(*) FROM requests WHERE account = 21'), 0, 'none at all');
like(finish($guesser), qr/FATAL:  58000/, 'the wrong PIN could not be recorded');
$blocker->{run}->kill_kill;
is(sql(q{SELECT count(*) FROM port_pin_failures WHERE account_key = '{21}'}), 0, 'and nobody else tried one');

# ---- A session that is stopped while it hashes ----

sql(q{
	SET portpin.seal_cost = 12;
	CREATE TABLE sealed (id int PRIMARY KEY, pin port_pin_sealed);
	CREATE TABLE sealed_orders (id int REFERENCES sealed, pin text);
	SELECT port_pin_protect('sealed');
	SELECT port_pin_gate('sealed_orders', pin => 'pin');
	INSERT INTO sealed VALUES (1, '735517')});
my $stopped = start_session("SELECT 'pid ' || pg_backend_pid();\nINSERT INTO sealed_orders VALUES (1, '735517');\n");
$stopped->{run}->pump until $stopped->{out} =~ /pid (\d+)\n/;
my $pid = $1;
poll('an order is under way', "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $pid AND query ~ 'INSERT'");
kill 'STOP', $pid;
is($node->psql('postgres', "INSERT INTO sealed_orders VALUES (1, '735517')"), 0, 'a session that is stopped holds nobody up');
kill 'CONT', $pid;
is(finish($stopped), '', 'and is told when it goes on');

# ---- While nothing can be recorded ----
#
# All begin at once: one is told, by the end of its session; none of the others is,
# for the one has the lock for longer than they wait.

$node->append_conf('postgresql.conf', 'max_worker_processes = 0');
$node->restart;
my $gun = start_session("SELECT pg_advisory_lock(1);\n");
$gun->{run}->pump until $gun->{out} =~ /\n/;
my @sessions = map {
	start_session("SELECT pg_advisory_lock_shared(1);\nINSERT INTO port_orders VALUES (31, '" . (100000 + $_) . "');\n")
} 1 .. 8;
poll('all are ready', q{SELECT count(*) = 8 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND NOT granted});
$gun->{run}->kill_kill;
my @errors = map { finish($_) } @sessions;
is(scalar(grep { /FATAL:  58000/ } @errors), 1, 'one of eight sessions is told');
is(scalar(grep { /$message/ } @errors), 7, 'the others are not');
is($node->psql('postgres', "INSERT INTO port_orders VALUES (31, '735517')"), 0, 'nobody waits any more');

my $log = slurp_file($node->logfile);
like($log, qr/still waiting for RowExclusiveLock on relation/, 'log_lock_waits logs what waits');
unlike($log, qr/(?:still waiting for|acquired) \w+Lock on advisory lock \[[0-9,]*,20560\]/, 'but no wait for an attempt lock, with its statement');

$node->stop;
done_testing();
