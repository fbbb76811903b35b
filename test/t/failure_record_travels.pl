# The record of failed attempts means the same wherever it goes: in a dump, of all or
# of a part; by publications, with the accounts' schema or without; on a standby.
#
# It has names and no OIDs, so it can be read where nothing that it names exists, and
# it locks out only accounts of that name.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use IPC::Run;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('publisher');
$node->init(allows_streaming => 'logical');
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE porting');

my $schema = q{
	CREATE EXTENSION portpin CASCADE;
	CREATE SCHEMA ten;
	CREATE TABLE ten.accounts (id int PRIMARY KEY, pin port_pin);
	CREATE TABLE ten.port_orders (id serial PRIMARY KEY, account int REFERENCES ten.accounts, pin text);
	CREATE TABLE public.others (id int PRIMARY KEY);
	SELECT port_pin_protect('ten.accounts'), port_pin_gate('ten.port_orders', pin => 'pin');
};
my $right = "INSERT INTO ten.port_orders (account, pin) VALUES (1, '735517')";
my $wrong = "INSERT INTO ten.port_orders (account, pin) VALUES (1, '100001')";
my $failures = 'SELECT account_schema, account_table, account_key, count(*) FROM port_pin_failures GROUP BY 1, 2, 3 ORDER BY 1, 2, 3';

$node->safe_psql('porting', $schema . q{
	INSERT INTO ten.accounts VALUES (1, '735517'), (2, '735517');
	CREATE TABLE ten.gone (id int PRIMARY KEY, pin port_pin);
	CREATE TABLE ten.gone_orders (account int REFERENCES ten.gone, pin text);
	SELECT port_pin_protect('ten.gone'), port_pin_gate('ten.gone_orders', pin => 'pin');
	INSERT INTO ten.gone VALUES (1, '735517');
});
$node->psql('porting', "$wrong;\n" x 10, on_error_stop => 0);
$node->psql('porting', "INSERT INTO ten.gone_orders VALUES (1, '100001')");
$node->safe_psql('porting', 'DROP TABLE ten.gone_orders, ten.gone');
my $recorded = "ten|accounts|{1}|10\nten|gone|{1}|1";
is($node->safe_psql('porting', $failures), $recorded, 'a dropped table has its name on record');

sub is_refused
{
	my ($where, $database, $sql, $sqlstate, $what) = @_;
	my ($status, $out, $err) = $where->psql($database, "\\set VERBOSITY sqlstate\n$sql");
	like($err, qr/ERROR:  $sqlstate$/, $what);
}

is_refused($node, 'porting', $right, '23PN3', 'an account is locked out');

# ---- Dumps ----

my $count = 0;

# Dump with some options, restore with others; the record is there.
sub travels
{
	my ($what, $dump, $restore) = @_;
	my $database = 'restored' . ++$count;
	my $file = $node->basedir . "/$database";
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	command_ok([ 'pg_dump', '-d', 'porting', '-f', $file, @$dump ], "$what: dumped");
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	command_ok([ @$restore, '-d', $database, $restore->[0] eq 'psql' ? '-f' : (), $file ], "$what: restored");
	is($node->safe_psql($database, $failures), $recorded, "$what: on record");
	return $database;
}

my @restore = ('pg_restore', '-1', '-e');
my @psql = ('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-1');
my $database = travels('all', ['-Fc'], \@restore);
is_refused($node, $database, $right, '23PN3', 'all: and locked out');
is($node->safe_psql($database, "SELECT port_pin_lift_lockout('ten.accounts', 1)"), '10', 'all: until it is lifted');
$node->safe_psql($database, $right);

$database = travels("without the accounts' schema", [ '-Fc', '-N', 'ten' ], \@restore);
travels("without the accounts' schema, as a script", [ '-N', 'ten' ], \@psql);
travels('without the accounts', [ '-Fc', '-T', 'ten.accounts', '-T', 'ten.port_orders' ], \@restore);
travels('sections one by one', [ '-Fd' ], [ 'pg_restore', '-e', '-j', '2' ]);

# What comes into a database that is in use counts from the next order on.
$node->safe_psql($database, 'TRUNCATE port_pin_failures; DROP TABLE others;' . $schema =~ s/CREATE EXTENSION.*?;//r . q{
	INSERT INTO ten.accounts VALUES (1, '735517'), (2, '735517')});
my ($in, $out) = ("$right;\n$right;\nSELECT 'known';\n", '');
my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr($database), '-f', '-' ],
	'<', \$in, '>', \$out, '2>&1', IPC::Run::timeout(180));
$session->pump until $out =~ /known/;
{
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	my $file = $node->basedir . '/restored1';
	command_ok([ 'pg_restore', '-e', '-a', '--disable-triggers', '-t', 'port_pin_failures', '-d', $database, $file ],
		'data only, triggers disabled');
}
$in .= "$right;\n";
$session->finish;
like($out, qr/too many wrong port PINs/, 'and the session that knew the record knows');
my $mend = $node->safe_psql($database, q{SELECT definition FROM port_pin_guards WHERE guard = 'record' ORDER BY trigger_name});
like($mend, qr/\AALTER TABLE \S+ ENABLE ALWAYS TRIGGER port_pin_failures_delete;\nALTER TABLE .*_row;\z/,
	'the view shows how to mend what that did to the triggers');
$node->safe_psql($database, $mend);

# ---- Publications ----

my $connstr = $node->connstr . ' dbname=porting';
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init(allows_streaming => 'logical');
$subscriber->start;

sub subscribe
{
	my ($database, $setup, $publication, $options) = @_;
	$subscriber->safe_psql('postgres', "CREATE DATABASE $database");
	$subscriber->safe_psql($database, $setup);
	$node->safe_psql('porting', "CREATE PUBLICATION $database $publication");
	$subscriber->safe_psql($database,
		"CREATE SUBSCRIPTION $database CONNECTION '$connstr' PUBLICATION $database $options");
	$subscriber->wait_for_subscription_sync($node, $database, $database);
}

sub is_replicated
{
	my ($what, $database, $sql) = @_;
	$node->wait_for_catchup($database);
	is($subscriber->safe_psql($database, $sql), $node->safe_psql('porting', $sql), "$database: $what");
}

$node->safe_psql('porting', 'TRUNCATE port_pin_failures, ten.port_orders');
my $without = q{CREATE EXTENSION portpin CASCADE; CREATE TABLE public.others (id int PRIMARY KEY)};
subscribe('without_schema', $without, 'FOR TABLE port_pin_failures, public.others', '');
subscribe('without_schema_binary', $without, 'FOR TABLE port_pin_failures, public.others', 'WITH (binary = true)');
subscribe('with_schema', $schema, 'FOR ALL TABLES', '');

($in, $out) = ("$right;\n$right;\nSELECT 'known';\n", '');
$session = IPC::Run::start([ 'psql', '-XAtq', '-d', $subscriber->connstr('with_schema'), '-f', '-' ],
	'<', \$in, '>', \$out, '2>&1', IPC::Run::timeout(180));
$session->pump until $out =~ /known/;

$node->psql('porting', "$wrong;\n" x 10, on_error_stop => 0);
$node->safe_psql('porting', 'INSERT INTO others VALUES (1)');
for my $subscription ('without_schema', 'without_schema_binary', 'with_schema')
{
	is_replicated('a failed attempt arrives', $subscription, $failures);
	is_replicated('and stops nothing else', $subscription, 'SELECT * FROM others');
}
$in .= "$right;\n";
$session->finish;
like($out, qr/too many wrong port PINs/, 'with_schema: the account is locked out there, too, in sessions that knew the record');
is_refused($subscriber, 'with_schema', $right, '23PN3', 'with_schema: and in others');

is($node->safe_psql('porting', "SELECT port_pin_lift_lockout('ten.accounts', 1)"), '10', 'lifted');
is_replicated('lifting arrives', $_, 'SELECT count(lifted_at) FROM port_pin_failures')
  for ('without_schema_binary', 'with_schema');
is($subscriber->psql('with_schema', "INSERT INTO ten.port_orders VALUES (99, 1, '735517')"), 0, 'with_schema: and lifts there');
$node->safe_psql('porting', "SELECT port_pin_purge_failures('0')");
is_replicated('purging arrives', $_, 'SELECT count(*) FROM port_pin_failures')
  for ('without_schema', 'with_schema');

# Without the record in the publication, each server counts for itself.
$subscriber->safe_psql($_, "DROP SUBSCRIPTION $_")
  for ('without_schema', 'without_schema_binary', 'with_schema');
$node->safe_psql('porting', 'DROP PUBLICATION with_schema; TRUNCATE port_pin_failures');
$subscriber->safe_psql('with_schema', 'TRUNCATE port_pin_failures, ten.accounts CASCADE');
subscribe('accounts_alone', $schema, 'FOR TABLE ten.accounts', '');
$node->psql('porting', "$wrong;\n" x 10, on_error_stop => 0);
$node->safe_psql('porting', "UPDATE ten.accounts SET pin = '735518' WHERE id = 1");
is_replicated('the new PIN arrives', 'accounts_alone', 'SELECT * FROM ten.accounts ORDER BY id');
is_refused($node, 'porting', $right, '23PN3', 'accounts_alone: locked out where the attempts were made');
is_refused($subscriber, 'accounts_alone', $right, '23PN7', 'accounts_alone: and not where none was');

# The record goes one way and the accounts the other: orders are placed at the front.
$subscriber->safe_psql('accounts_alone', 'DROP SUBSCRIPTION accounts_alone');
$node->safe_psql('postgres', 'CREATE DATABASE centre');
$node->safe_psql('centre', $schema . 'ALTER SEQUENCE ten.port_orders_id_seq RESTART 1000');
$subscriber->safe_psql('postgres', 'CREATE DATABASE front');
$subscriber->safe_psql('front', $schema);
sub link_up
{
	my ($from, $from_database, $to, $to_database, $name, $tables, $options) = @_;
	my $connection = $from->connstr . " dbname=$from_database";
	$from->safe_psql($from_database, "CREATE PUBLICATION $name FOR TABLE $tables");
	$to->safe_psql($to_database, "CREATE SUBSCRIPTION $name CONNECTION '$connection' PUBLICATION $name $options");
	$to->wait_for_subscription_sync($from, $name, $to_database);
}
link_up($node, 'centre', $subscriber, 'front', 'accounts', 'ten.accounts', '');
link_up($subscriber, 'front', $node, 'centre', 'orders', 'ten.port_orders, port_pin_failures', '');
$node->safe_psql('centre', "INSERT INTO ten.accounts VALUES (1, '735517'), (2, '735517')");
$node->wait_for_catchup('accounts');
$subscriber->safe_psql('front', $right);
$subscriber->psql('front', "$wrong;\n" x 10, on_error_stop => 0);
$subscriber->wait_for_catchup('orders');
is($node->safe_psql('centre', 'SELECT count(*) FROM ten.port_orders'), '1', 'centre: orders arrive');
is($node->safe_psql('centre', "SELECT account_table, failures FROM port_pin_lockouts"), 'accounts|10', 'centre: with the lock-out');
is_refused($node, 'centre', $right, '23PN3', 'centre: which holds there');
is($subscriber->safe_psql('front', "SELECT port_pin_lift_lockout('ten.accounts', 1)"), '10', 'front: lifted where the orders are placed');
$subscriber->wait_for_catchup('orders');
is($node->safe_psql('centre', 'SELECT count(*) FROM port_pin_lockouts'), '0', 'centre: and so there');

# Both ways at once, where a server can be told not to send back what it was sent.
SKIP:
{
	skip 'no subscription has an origin before 16', 1 if $node->pg_version < 16;
	$node->safe_psql('centre', 'TRUNCATE port_pin_failures');
	$subscriber->safe_psql('front', 'TRUNCATE port_pin_failures; DROP SUBSCRIPTION accounts; DROP PUBLICATION orders');
	$node->safe_psql('centre', 'DROP SUBSCRIPTION orders; DROP PUBLICATION accounts');
	my $alone = 'WITH (origin = none, copy_data = false)';
	link_up($node, 'centre', $subscriber, 'front', 'there', 'port_pin_failures', $alone);
	link_up($subscriber, 'front', $node, 'centre', 'back', 'port_pin_failures', $alone);
	$node->psql('centre', "$wrong;\n" x 5, on_error_stop => 0);
	$subscriber->psql('front', "$wrong;\n" x 5, on_error_stop => 0);
	$node->wait_for_catchup('there');
	$subscriber->wait_for_catchup('back');
	is_refused($node, 'centre', $right, '23PN3', 'both ways: five attempts here and five there lock an account out');
	is_refused($subscriber, 'front', $right, '23PN3', 'both ways: on both servers');
	is($node->safe_psql('centre', "SELECT port_pin_lift_lockout('ten.accounts', 1)"), '10', 'both ways: lifted on one');
	$node->wait_for_catchup('there');
	is($subscriber->safe_psql('front', 'SELECT count(*) FROM port_pin_lockouts'), '0', 'both ways: it is on the other');
	$node->safe_psql('centre', 'DROP SUBSCRIPTION back');
	$subscriber->safe_psql('front', 'DROP SUBSCRIPTION there');
}

# ---- A standby ----

$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
$node->psql('porting', "$wrong;\n" x 10, on_error_stop => 0);
$node->wait_for_catchup($standby, 'replay', $node->lsn('flush'));
is($standby->safe_psql('porting', 'SELECT kind, account_schema, account_table, account_key FROM port_pin_lockouts'),
	'account|ten|accounts|{1}', 'a standby shows the lock-out');
is_refused($standby, 'porting', "SELECT port_pin_lift_lockout('ten.accounts', 1)", '25006', 'which is not lifted there');
is_refused($standby, 'porting', "SELECT port_pin_lift_source_lockout('Fabrikam')", '25006', "nor is a source's");
is($standby->safe_psql('porting', 'SELECT accounts_locked_out FROM port_pin_stats'), '1', 'figures are to be had');
$node->stop('immediate');
$standby->promote;
is_refused($standby, 'porting', $right, '23PN3', 'promoted: the lock-out holds');
is($standby->safe_psql('porting', "SELECT port_pin_lift_lockout('ten.accounts', 1)"), '10', 'promoted: and is lifted');
is_refused($standby, 'porting', $wrong, '23PN7', 'promoted: failed attempts are recorded');
is($standby->safe_psql('porting', 'SELECT count(*) FROM port_pin_failures WHERE lifted_at IS NULL'), '1', 'promoted: on record');

$_->stop for ($subscriber, $standby);
done_testing();
