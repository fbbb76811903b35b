# Sharded by Citus: a coordinator and two workers, later three.
#
# Shards are tables of their own, on the workers, so the guards fire there.  They are
# installed, removed and watched from the coordinator, hold on every shard wherever it
# is moved, and a shard that has lost one is noticed.  It follows doc/distributed.md.
#
# Citus is not in Debian: where the server has none, this is skipped.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($pkglibdir) = run_command([ 'pg_config', '--pkglibdir' ]);
plan skip_all => "this server has no Citus: $pkglibdir/citus.so" unless -e "$pkglibdir/citus.so";

my $key_file = PostgreSQL::Test::Utils::tempdir . '/port_pin.keys';
append_to_file($key_file, "k1:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n");
chmod 0600, $key_file;

# Nodes talk to each other over TCP.
sub start_node
{
	my $node = PostgreSQL::Test::Cluster->new(shift);
	$node->init(allows_streaming => 'logical');
	$node->append_conf('postgresql.conf', <<"CONF");
listen_addresses = '127.0.0.1'
max_connections = 100
max_prepared_transactions = 50
max_worker_processes = 32
shared_preload_libraries = 'citus'
citus.local_hostname = '127.0.0.1'
citus.enable_version_checks = off	# Debian's extension_destdir hides the control file
citus.shard_count = 4
citus.defer_shard_delete_interval = -1	# what a move leaves is removed by the next, and by nobody meanwhile
portpin.key_file = '$key_file'
portpin.seal_cost = 4
CONF
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION citus');
	return $node;
}

my $coordinator = start_node('coordinator');
my @workers = map { start_node("worker$_") } 1 .. 3;
my %node_at = map { $_->port => $_ } $coordinator, @workers;

sub is_sql
{
	my ($sql, $expected, $what) = @_;
	is($coordinator->safe_psql('postgres', $sql), $expected, $what);
}

# How a statement is answered; errors and notices as psql shows them.
sub answer
{
	my ($sql, $node) = @_;
	my ($status, $out, $err) = ($node // $coordinator)->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $err;
}

my $problems = 'SELECT relation, guard, problem FROM port_pin_guards WHERE problem IS NOT NULL ORDER BY 1, 2, 3';

$coordinator->safe_psql('postgres', join(';',
	"SELECT citus_set_coordinator_host('127.0.0.1', " . $coordinator->port . ')',
	map { "SELECT citus_add_node('127.0.0.1', " . $_->port . ')' } @workers[ 0, 1 ]));
$coordinator->safe_psql('postgres', 'CREATE EXTENSION portpin CASCADE');

# One account and one order on each shard would do; these are a few more.
$coordinator->safe_psql('postgres', q{
	CREATE TABLE accounts (id bigint PRIMARY KEY, pin port_pin_sealed);
	CREATE TABLE numbers (account bigint REFERENCES accounts, number text, PRIMARY KEY (account, number));
	CREATE TABLE port_orders (account bigint, id bigint GENERATED ALWAYS AS IDENTITY, number text NOT NULL,
		pin text, PRIMARY KEY (account, id), FOREIGN KEY (account, number) REFERENCES numbers);
	INSERT INTO accounts SELECT n, 735500 + n FROM generate_series(1, 21) n;
	INSERT INTO numbers SELECT n, '+1202555' || 1000 + n FROM generate_series(1, 20) n;
	SELECT create_distributed_table('accounts', 'id'), create_distributed_table('numbers', 'account'),
		create_distributed_table('port_orders', 'account');
	SELECT truncate_local_data_after_distributing_table('accounts');
});


# ---- Installing ----

my $protect = "SELECT port_pin_protect('accounts', forbid_delete => true, history => true);";
like(answer($protect), qr/ERROR: .*\nHINT:  Citus takes triggers where citus.enable_unsafe_triggers is on/,
	'where Citus takes no triggers, a hint says what lets it');
$coordinator->safe_psql('postgres', 'ALTER DATABASE postgres SET citus.enable_unsafe_triggers = on');

like(answer($protect), qr/statistics of the shards .*\n.*\nHINT:  When all are sealed: VACUUM ANALYZE public.accounts;/,
	'a sealed column of a distributed table is guarded');
like(answer("CALL port_pin_seal_column('accounts')"), qr/21 sealed, 0 blank ones set to NULL, 0 left/, 'and sealed');
$coordinator->safe_psql('postgres', 'VACUUM ANALYZE accounts');
is_sql('SELECT count(*) FROM accounts WHERE NOT port_pin_is_sealed(pin::text)', '0', 'no digits are left');
is_sql(q{SELECT count(*), min(result) FROM run_command_on_shards('accounts', $$
	SELECT bool_and(convalidated) FROM pg_constraint WHERE conrelid = '%s'::regclass AND contype = 'c' $$)},
	'4|t', 'the CHECK holds for the rows of every shard');

my $gate = "SELECT port_pin_gate('port_orders', via => 'account', pin => 'pin', redact => true)";
$coordinator->safe_psql('postgres', $gate);
is_sql($problems, '', 'nothing is wrong with the guards, on any shard');

# What was returned is fit for a migration.
$coordinator->safe_psql('postgres', "SELECT port_pin_ungate('port_orders'); SELECT port_pin_unprotect('accounts')");
for my $call ($protect, $gate)
{
	my $statements = $coordinator->safe_psql('postgres', "BEGIN; $call; ROLLBACK");
	$coordinator->safe_psql('postgres', "$statements;" =~ s/\n/;\n/gr);
}
$coordinator->safe_psql('postgres', "CALL port_pin_seal_column('accounts')");
is_sql($problems, '', 'the statements that installers return can be run on the coordinator');
like(answer($protect), qr/ERROR:  42710/, 'a second guard is none');

$coordinator->safe_psql('postgres', q{
	CREATE TABLE everywhere (id int PRIMARY KEY, pin port_pin_sealed);
	INSERT INTO everywhere VALUES (1, '735501');
	CREATE TABLE at_coordinator (id int PRIMARY KEY, pin port_pin_sealed);
	INSERT INTO at_coordinator VALUES (1, '735501');
	SELECT create_reference_table('everywhere');
	SELECT truncate_local_data_after_distributing_table('everywhere');
	SELECT citus_add_local_table_to_metadata('at_coordinator');
});
for my $table ('everywhere', 'at_coordinator')
{
	$coordinator->safe_psql('postgres', "SELECT port_pin_protect('$table')");
	$coordinator->safe_psql('postgres', "CALL port_pin_seal_column('$table')");
	is_sql("SELECT port_pin_is_sealed(pin::text) FROM $table", 't', "$table: guarded and sealed");
	like(answer("UPDATE $table SET pin = NULL"), qr/ERROR:  23PN0/, "$table: the PIN is not cleared");
}
is_sql($problems, '', 'nothing is wrong with the guards of a table on every node, nor of one on the coordinator');


# ---- Holding ----

sub order
{
	my ($account, $pin) = @_;
	return "INSERT INTO port_orders (account, number, pin) VALUES ($account, '+1202555' || 1000 + $account, '$pin');";
}

# An account of each shard of accounts, by the shard's number.
sub account_of_each_shard
{
	return split /\n/, $coordinator->safe_psql('postgres',
		"SELECT min(id) FROM accounts GROUP BY get_shard_id_for_distribution_column('accounts', id) ORDER BY 1");
}

# This tests only the guards: no attempt counts.
sub every_shard_refuses
{
	my ($when) = @_;
	my @answers;
	for my $account (account_of_each_shard())
	{
		push @answers, answer(order($account, '100001')) =~ /ERROR:  (\w+)/ ? $1 : 'stored';
		push @answers, answer("UPDATE accounts SET pin = NULL WHERE id = $account") =~ /ERROR:  (\w+)/ ? $1 : 'cleared';
		push @answers, answer(order($account, 735500 + $account)) =~ /ERROR:  (\w+)/ ? $1 : 'stored';
		$coordinator->safe_psql('postgres',
			"SELECT run_command_on_all_nodes('SELECT port_pin_lift_lockout(''accounts'', $account)')");
	}
	is("@answers", join(' ', ('23PN7 23PN0 stored') x 4), "$when: each shard refuses a wrong PIN, keeps its PINs, and takes a right one");
	is_sql($problems, '', "$when: the guards are what they were");
}

every_shard_refuses('from the start');
like(answer(order(1, '100001'), $workers[0]), qr/ERROR:  23PN7/, 'a worker refuses a wrong PIN, too');
like(answer('DELETE FROM accounts WHERE id = 21'), qr/ERROR:  23PN0/, 'an account with a PIN is not deleted');
like(answer('TRUNCATE accounts CASCADE', $_), qr/ERROR:  23PN0/, $_->name . ': nor are all') for $coordinator, $workers[0];

my $orders = $coordinator->safe_psql('postgres', 'SELECT count(*) FROM port_orders');
my $all = q{SELECT account, number, CASE account WHEN 7 THEN '100001' ELSE (735500 + account)::text END FROM numbers};
like(answer("INSERT INTO port_orders (account, number, pin) $all"), qr/its port PIN is wrong/, 'one bad row of many shards');
like(answer("COPY port_orders (account, number, pin) FROM STDIN;\n"
			. join('', map { "$_\t+1202555" . (1000 + $_) . "\t" . ($_ == 7 ? '100001' : 735500 + $_) . "\n" } 1 .. 20) . "\\.\n"),
	qr/its port PIN is wrong/, 'and in COPY');
is_sql('SELECT count(*) FROM port_orders', $orders, 'leaves no row behind, on any');
is_sql('SELECT count(*) FROM port_orders WHERE pin IS NOT NULL', '0', 'no order keeps its PIN');


# ---- The record ----

# What all nodes say, except those that say nothing.
sub of_all_nodes
{
	my ($sql) = @_;
	return $coordinator->safe_psql('postgres', "SELECT result FROM run_command_on_all_nodes(\$\$$sql\$\$) WHERE result <> ''");
}

my ($status, $pid) = $coordinator->psql('postgres', 'SELECT pg_backend_pid();' . order(20, '100001') x 10, on_error_stop => 0);
is(of_all_nodes(q{SELECT format('%s.%s %s: %s by %s', account_schema, account_table, account_key, count(*), order_table)
		FROM port_pin_failures WHERE account_key = '{20}' GROUP BY account_schema, account_table, account_key, order_table}),
	'public.accounts {20}: 10 by port_orders', 'failed attempts are on record under the names of the tables, on one node');
my $application = of_all_nodes(q{SELECT DISTINCT application_name FROM port_pin_failures WHERE account_key = '{20}'});
like($application, qr/^citus_internal gpid=\d+$/, 'and tell the session');
is_sql('SELECT citus_pid_for_gpid(' . $application =~ s/.*=//r . ')', $pid, 'at the coordinator');
like(answer(order(20, '735520')), qr/ERROR:  23PN3/, 'the account is locked out');
is(of_all_nodes('SELECT account_table || account_key::text FROM port_pin_lockouts'), 'accounts{20}', 'and listed');
like(answer("SELECT port_pin_lift_lockout('accounts', 20)"), qr/NOTICE: .*\nHINT:  .*run_command_on_all_nodes/,
	'on a node without its record, lifting says where it is');
is(of_all_nodes("SELECT nullif(port_pin_lift_lockout('accounts', 20), 0)"), '10',
	'asked of all nodes, by the name of the table, it is lifted');
is(answer(order(20, '735520')), '', 'and no more locked out');
is(of_all_nodes(q{SELECT account_table || ' ' || event FROM port_pin_history WHERE account_key = '{20}' AND event LIKE 'l%'}),
	'accounts lockout_lifted', 'history has the name of the table, too');

# A name like a shard's is free on the other nodes: it makes no table a shard.
my ($free, $elsewhere) = split /\|/, $coordinator->safe_psql('postgres', q{
	SELECT a.shard_name, b.nodeport FROM citus_shards a, citus_shards b
	WHERE a.table_name = 'accounts'::regclass AND b.table_name = a.table_name AND a.nodeport <> b.nodeport LIMIT 1});
$coordinator->safe_psql('postgres', 'CREATE ROLE stranger');
$node_at{$elsewhere}->safe_psql('postgres', qq{
	SET citus.enable_ddl_propagation = off;
	GRANT CREATE ON SCHEMA public TO stranger;
	GRANT EXECUTE ON FUNCTION port_pin_protect, port_pin_gate, port_pin_protect_trigger, port_pin_gate_trigger TO stranger;
	SET ROLE stranger;
	CREATE TABLE $free (id int PRIMARY KEY, pin port_pin);
	CREATE TABLE own_orders (account int REFERENCES $free, pin text);
	INSERT INTO $free VALUES (20, '735501');
	SELECT port_pin_protect('$free'), port_pin_gate('own_orders', pin => 'pin')});
$node_at{$elsewhere}->psql('postgres', "SET ROLE stranger; INSERT INTO own_orders VALUES (20, '100001')");
is($node_at{$elsewhere}->safe_psql('postgres', q{SELECT account_table FROM port_pin_failures WHERE role_name = 'stranger'}),
	$free, 'a table of a stranger, with the name of a shard, fills no record but its own');
$node_at{$elsewhere}->safe_psql('postgres', "SET citus.enable_ddl_propagation = off; DROP TABLE own_orders, $free");

# The limit is per node: where each has all accounts, each has its own.
$coordinator->safe_psql('postgres', q{
	CREATE TABLE everywhere_orders (id int PRIMARY KEY, account int REFERENCES everywhere, pin text);
	SELECT create_distributed_table('everywhere_orders', 'id');
	SELECT port_pin_gate('everywhere_orders', pin => 'pin', redact => true);
});
my $errors = answer(join '', map { "\\set ON_ERROR_STOP 0\nINSERT INTO everywhere_orders VALUES ($_, 1, '100001');\n" } 1 .. 60);
is(() = $errors =~ /ERROR:  23PN7/g, 20, 'accounts on every node: ten attempts on each of two nodes are looked at');
is(() = $errors =~ /ERROR:  23PN3/g, 40, 'and no more');


# ---- Moving ----

my @ports = map { $_->port } @workers;

# Move an account's shard to the other worker, with the shards colocated with it.
sub move_shard_of
{
	my ($account, $mode) = @_;
	$coordinator->safe_psql('postgres', qq{
		SELECT citus_move_shard_placement(shardid, nodename, nodeport, nodename, $ports[0] + $ports[1] - nodeport, '$mode')
		FROM citus_shards WHERE shardid = get_shard_id_for_distribution_column('accounts', $account)});
}

$coordinator->psql('postgres', order(20, '100001') x 10, on_error_stop => 0);
like(answer(order(20, '735520')), qr/ERROR:  23PN3/, 'an account is locked out');
move_shard_of(20, 'block_writes');
is(answer(order(20, '735520')), '', 'until its shard is moved, away from the record');
every_shard_refuses('after a move that blocks writes');
move_shard_of(20, 'force_logical');
every_shard_refuses('after a move by logical replication');
$coordinator->safe_psql('postgres', "SELECT citus_add_node('127.0.0.1', $ports[2])");
every_shard_refuses('with a node more');
$coordinator->safe_psql('postgres', q{SELECT rebalance_table_shards(shard_transfer_mode => 'block_writes')});
is_sql("SELECT count(*) > 0 FROM citus_shards WHERE table_name = 'accounts'::regclass AND nodeport = $ports[2]", 't', 'it has shards');
every_shard_refuses('after rebalancing');


# ---- Watching ----

# A shard, its number and its node.
my ($shard, $number, $port) = split /\|/, $coordinator->safe_psql('postgres',
	"SELECT shard_name, shardid, nodeport FROM citus_shards WHERE table_name = 'port_orders'::regclass LIMIT 1");
my ($at, $node) = ("on node 127.0.0.1:$port, shard public.$shard", $node_at{$port});

sub by_hand
{
	my ($sql) = @_;
	$node->safe_psql('postgres', "SET citus.enable_manual_changes_to_shards = on; $sql");
}

sub is_noticed
{
	my ($problem, $what) = @_;
	like($_->safe_psql('postgres', $problems), qr/^port_orders\|gate\|\Q$at: $problem\E/, "$what: noticed by " . $_->name)
	  for $coordinator, $workers[0];
	like(answer("SELECT port_pin_assert_guarded('accounts', 'port_orders')"), qr/ERROR:  55000/, "$what: and the assertion fails");
	$coordinator->safe_psql('postgres', 'SELECT DISTINCT definition FROM port_pin_guards WHERE problem IS NOT NULL \gexec');
	is_sql($problems, '', "$what: the call that makes the guard mends it");
}

by_hand("DROP TRIGGER zz_port_pin_gate_$number ON $shard");
is_noticed('no trigger for INSERT and UPDATE: orders are not judged', 'a trigger that a shard has lost');
by_hand("SELECT format('DROP TRIGGER %I ON $shard', tgname) FROM pg_trigger WHERE tgrelid = '$shard'::regclass AND NOT tgisinternal \\gexec");
is_noticed('it has no such guard', 'a guard that a shard has lost');
by_hand("ALTER TABLE $shard DISABLE TRIGGER zz_port_pin_gate_$number");
is_noticed('the trigger is disabled', 'a guard that is disabled on a shard');
by_hand("DROP TRIGGER zz_port_pin_gate_$number ON $shard; CREATE TRIGGER zz_port_pin_gate_$number AFTER INSERT OR UPDATE ON $shard
	FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger('fk=account,number', 'via=account', 'pin=pin')");
is_noticed('it has no such guard', 'a guard with other arguments on a shard');

$coordinator->safe_psql('postgres', q{
	CREATE TABLE log (account bigint, at date, number text NOT NULL, pin text, FOREIGN KEY (account, number) REFERENCES numbers)
		PARTITION BY RANGE (at);
	CREATE TABLE log_2030 PARTITION OF log FOR VALUES FROM ('2030-01-01') TO ('2031-01-01');
	SELECT create_distributed_table('log', 'account');
	SELECT port_pin_gate('log', via => 'account', pin => 'pin');
	CREATE TABLE log_2031 PARTITION OF log FOR VALUES FROM ('2031-01-01') TO ('2032-01-01');
	SELECT port_pin_gate('log', via => 'account', pin => 'pin', redact => true, replace => true);
});
is_sql($problems, '', 'partitioned orders: nothing is wrong with any partition of any shard');
($shard, $port) = split /\|/, $coordinator->safe_psql('postgres',
	"SELECT shard_name, nodeport FROM citus_shards WHERE table_name = 'log_2030'::regclass LIMIT 1");
$node = $node_at{$port};
by_hand("ALTER TABLE $shard DISABLE TRIGGER USER");
is_sql($problems, "log|gate|on node 127.0.0.1:$port, shard public.$shard: the trigger is disabled", 'but of one where it is disabled');
by_hand("ALTER TABLE $shard ENABLE TRIGGER USER");
like(answer("INSERT INTO log VALUES (3, '2031-05-05', '+12025551003', '100001')"), qr/ERROR:  23PN7/, 'a later partition refuses, too');

$node = $workers[2];
$node->stop;
is_sql("SELECT count(*) FROM port_pin_guards WHERE problem LIKE 'on node 127.0.0.1:$ports[2], its shards were not looked at: %'
		AND relation = 'accounts'::regclass", '1', 'a node that does not answer is a problem of each table');
like(answer("SELECT port_pin_assert_guarded('accounts')"), qr/ERROR:  55000/, 'and the assertion fails');
$node->start;
is_sql($problems, '', 'until it answers again');

done_testing();
