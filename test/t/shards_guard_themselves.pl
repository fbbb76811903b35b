# Shards on other servers, as partitions that are foreign tables: postgres_fdw.
#
# A foreign key does not lead to another server, and a trigger fires where the row is
# stored.  So each shard has its accounts, its orders and its guards; the front server
# sends it the rows, and passes on what it says.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $front = PostgreSQL::Test::Cluster->new('front');
$front->init;
$front->start;
my @shards = map { PostgreSQL::Test::Cluster->new("shard$_") } 0 .. 1;
for my $shard (@shards)
{
	$shard->init;
	$shard->start;
	$shard->safe_psql('postgres', q{
		CREATE EXTENSION portpin CASCADE;
		CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
		CREATE TABLE port_orders (id int PRIMARY KEY, account int REFERENCES accounts, pin text);
		SELECT port_pin_protect('accounts'), port_pin_gate('port_orders', pin => 'pin');
	});
}

# The front has no portpin: a PIN is text here, and judged there.
sub foreign_table
{
	my ($table, $key, $columns) = @_;
	return "CREATE TABLE $table ($columns) PARTITION BY HASH ($key);" . join '', map {
		"CREATE FOREIGN TABLE ${table}_$_ PARTITION OF $table FOR VALUES WITH (MODULUS 2, REMAINDER $_)
			SERVER shard$_ OPTIONS (table_name '$table');"
	} 0 .. $#shards;
}

$front->safe_psql('postgres', 'CREATE EXTENSION postgres_fdw;'
	. join('', map {
		"CREATE SERVER shard$_ FOREIGN DATA WRAPPER postgres_fdw
			OPTIONS (host '" . $shards[$_]->host . "', port '" . $shards[$_]->port . "', dbname 'postgres');
		CREATE USER MAPPING FOR CURRENT_USER SERVER shard$_;"
	} 0 .. $#shards)
	. foreign_table('accounts', 'id', 'id int, pin text')
	. foreign_table('port_orders', 'account', 'id int, account int, pin text')
	. q{INSERT INTO accounts SELECT n, 735500 + n FROM generate_series(1, 20) n});
isnt($_->safe_psql('postgres', 'SELECT count(*) FROM accounts'), '0', $_->name . ' has accounts') for @shards;

# What the front answers.
sub answer
{
	my ($sql) = @_;
	my ($status, $out, $err) = $front->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $err;
}

# An account of each shard.
my @accounts = map { $_->safe_psql('postgres', 'SELECT min(id) FROM accounts') } @shards;
for my $account (@accounts)
{
	my $refused = answer("INSERT INTO port_orders VALUES ($account, $account, '100001')");
	like($refused, qr/ERROR:  23PN7: port order refused: its port PIN is wrong/, "account $account: a wrong PIN is refused");
	like($refused, qr/DETAIL:  Key \(account\)=\($account\)\.\nHINT:  Submit the order again/, 'with detail and hint');
	like(answer("UPDATE accounts SET pin = NULL WHERE id = $account"), qr/ERROR:  23PN0/, 'a PIN is not cleared');
	like(answer("UPDATE accounts SET pin = '12345' WHERE id = $account"), qr/ERROR:  23514/, 'nor made one that is none');
	is(answer("INSERT INTO port_orders VALUES ($account, $account, " . (735500 + $account) . ')'), '', 'the right PIN gets in');
}

# One statement for all shards, with one bad row.
my $count = 'SELECT count(*) FROM port_orders';
like(answer(q{INSERT INTO port_orders SELECT 100 + id, id, CASE id WHEN 13 THEN '100001' ELSE pin END FROM accounts}),
	qr/ERROR:  23PN7/, 'one bad row of many shards');
is($front->safe_psql('postgres', $count), scalar @accounts, 'leaves no row behind, on any');
is(answer('INSERT INTO port_orders SELECT 100 + id, id, pin FROM accounts'), '', 'without it all get in');

# A shard guards itself from everybody, and watches itself.
$front->psql('postgres', "INSERT INTO port_orders VALUES (0, $accounts[0], '100001');" x 9, on_error_stop => 0);
like(answer("INSERT INTO port_orders VALUES (0, $accounts[0], " . (735500 + $accounts[0]) . ')'),
	qr/ERROR:  23PN3/, 'ten failed attempts lock an account out');
is($shards[0]->safe_psql('postgres', "SELECT account_table, account_key, application_name, count(*) FROM port_pin_failures
		WHERE account_key = '{$accounts[0]}' GROUP BY 1, 2, 3"),
	"accounts|{$accounts[0]}|postgres_fdw|10", 'they are on record at its shard');
is($shards[0]->safe_psql('postgres', "SELECT port_pin_lift_lockout('accounts', $accounts[0])"), '10', 'which lifts it');
is($_->safe_psql('postgres', 'SELECT count(*), count(problem) FROM port_pin_guards'), '2|0', $_->name . ': nothing is wrong with the guards')
  for @shards;
$shards[1]->safe_psql('postgres', 'ALTER TABLE port_orders DISABLE TRIGGER USER');
is($shards[1]->safe_psql('postgres', 'SELECT relation, problem FROM port_pin_guards WHERE problem IS NOT NULL'),
	'port_orders|the trigger is disabled', 'but on one where a guard is disabled');

# The front can't guard what lies elsewhere.
$front->safe_psql('postgres', 'CREATE EXTENSION portpin CASCADE');
like(answer("SELECT port_pin_protect('accounts_0', pin => 'pin')"),
	qr/ERROR:  42809: "accounts_0" is not a table that can be guarded/, 'a foreign table is not guarded');
like(answer("SELECT port_pin_protect('accounts', pin => 'pin')"),
	qr/ERROR:  0A000: partition "accounts_\d" can't be guarded/, 'nor a table with such a partition');

done_testing();
