# Tables that are written anew, by PostgreSQL's own tools and by pg_repack, stay guarded
# and sealed, and nothing of the record is lost.  Nothing is left in the files of PINs
# that were readable before they were sealed.
#
# The part for pg_repack is skipped where there is none.

use strict;
use warnings;
use IPC::Run;
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $keys = PostgreSQL::Test::Utils::tempdir() . '/keys';
append_to_file($keys, 'k1:' . encode_base64('k' x 32, '') . "\n");
chmod 0600, $keys or die $!;

my $node = PostgreSQL::Test::Cluster->new('rewritten');
$node->init;
$node->append_conf('postgresql.conf', "portpin.key_file = '$keys'\nautovacuum = off\nmax_prepared_transactions = 1");
$node->start;

sub value_of { return $node->safe_psql('postgres', $_[0]); }

# Half of the accounts are sealed late, so that their digits are on disk; all have a
# history.  Orders are refused or kept.
value_of(q{
	CREATE EXTENSION portpin CASCADE;
	CREATE EXTENSION amcheck;
	CREATE TABLE accounts (id int PRIMARY KEY, note text, pin port_pin);
	INSERT INTO accounts SELECT n, 'an account', 7355170000 + n FROM generate_series(1, 50) n;
	ALTER TABLE accounts ALTER pin TYPE port_pin_sealed;
	CREATE TABLE refused (id serial PRIMARY KEY, account int REFERENCES accounts, pin text);
	CREATE TABLE kept (id serial PRIMARY KEY, account int REFERENCES accounts, pin text, verdict port_pin_verdict);
	CREATE INDEX ON kept (account);
	SELECT port_pin_protect('accounts', history => true, forbid_delete => true),
		port_pin_gate('refused', pin => 'pin', redact => true), port_pin_gate('kept', pin => 'pin', verdict => 'verdict', redact => true);
	INSERT INTO accounts SELECT n, 'an account', 7355170000 + n FROM generate_series(51, 100) n;
	INSERT INTO kept (account, pin) SELECT n, 7355170000 + n FROM generate_series(1, 20) n;
	INSERT INTO kept (account, pin) SELECT 1, 100000 + n FROM generate_series(1, 10) n;
});

# Seal a table while an old transaction keeps what it held from being pruned.
sub seal
{
	my ($table) = @_;
	value_of("BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION 'old'");
	$node->command_ok([ 'psql', '-Xqd', $node->connstr('postgres'), '-c', "CALL port_pin_seal_column('$table')" ], "$table: sealed");
	value_of("ROLLBACK PREPARED 'old'");
	return;
}
seal('accounts');

# Are any of these digits in a file of the database?
sub files_have
{
	my ($digits) = @_;
	value_of('CHECKPOINT');
	my $files = $node->data_dir . '/base/' . value_of(q{SELECT oid FROM pg_database WHERE datname = 'postgres'});
	return grep { slurp_file($_) =~ $digits } grep { -f } glob "$files/*";
}

my $readable = qr/73551700\d\d/;
ok(files_have($readable), 'what was sealed is still in the files');

my $on_record = q{SELECT (SELECT count(*) || ' failures, ' FROM port_pin_failures) || (SELECT count(*) || ' events' FROM port_pin_history)};
my $record = value_of($on_record);
like($record, qr/^10 failures, \d{2,} events$/, 'there is a record and a history');
my $accounts = value_of('TABLE accounts ORDER BY id');
my $right = 'INSERT INTO refused (account, pin) VALUES (%d, %d)';

sub is_as_before
{
	my ($tool) = @_;
	is(value_of('TABLE accounts ORDER BY id'), $accounts, "$tool: the accounts are as before");
	is(value_of($on_record), $record, "$tool: the record is, too");
	is(value_of("SELECT port_pin_assert_guarded('accounts', 'refused', 'kept')"), '', "$tool: guarded");
	value_of('BEGIN;' . sprintf($right, $_, 7355170000 + $_) . '; ROLLBACK') for (2, 52);
	for my $refused ([ '23PN3', sprintf $right, 1, 7355170001 ],
		[ '23PN0', 'UPDATE accounts SET pin = NULL WHERE id = 52' ], [ '23PN0', 'TRUNCATE accounts CASCADE' ])
	{
		my ($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY sqlstate\n$refused->[1]");
		like($err, qr/ERROR:  $refused->[0]$/, "$tool: $refused->[0] for $refused->[1]");
	}
	return;
}

sub by
{
	my ($tool, @options) = @_;
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	command_ok([ $tool, @options, 'postgres' ], "$tool @options");
	return;
}


# PostgreSQL's own.
value_of('ALTER TABLE accounts CLUSTER ON accounts_pkey; ALTER TABLE kept CLUSTER ON kept_account_idx');
by('clusterdb');
is_as_before('clusterdb');
by('vacuumdb', '--full', '--analyze');
is_as_before('vacuumdb');
by('reindexdb', '--concurrently');
is_as_before('reindexdb');
by('pg_amcheck', '--heapallindexed', '--no-dependent-toast', '-r', 'public.*', '-d');
is(join(' ', files_have($readable)), '', 'no readable PIN is left in the files');


# pg_repack, while orders come in.  It would lose what is written meanwhile to portpin's
# own tables: doc/operations.md says to leave these out.
SKIP:
{
	skip 'no pg_repack here', 1
	  if value_of(q{SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_repack'}) eq '0';
	value_of(q{
		CREATE EXTENSION pg_repack;
		CREATE TABLE late (id int PRIMARY KEY, pin port_pin);
		INSERT INTO late SELECT n, 8466280000 + n FROM generate_series(1, 50) n;
		ALTER TABLE late ALTER pin TYPE port_pin_sealed;
		SELECT port_pin_protect('late')});
	seal('late');
	ok(files_have(qr/84662800\d\d/), 'more of it in the files');

	my $dir = PostgreSQL::Test::Utils::tempdir();
	append_to_file("$dir/orders.sql", q{
\set account random(3, 50)
INSERT INTO kept (account, pin) VALUES (:account, (7355170000 + :account)::text);
INSERT INTO refused (account, pin) VALUES (:account, (7355170000 + :account)::text);
UPDATE accounts SET note = 'an account' WHERE id = :account;
\set account random(53, 100)
INSERT INTO kept (account, pin) VALUES (:account, '100001');
});
	my ($before) = value_of('SELECT count(*) FROM port_pin_failures');
	my ($out, $stop) = ('', 0);
	my $load = IPC::Run::start([ 'pgbench', '-n', '-c', '2', '-t', '100000', '-f', "$dir/orders.sql", $node->connstr('postgres') ],
		'>&', \$out, IPC::Run::timeout(300));
	$node->poll_query_until('postgres', 'SELECT count(*) > 100 FROM kept') or die 'no load';
	by('pg_repack', '--no-order', '--exclude-extension=portpin', '--dbname');
	$load->signal('INT');
	$load->finish;
	unlike($out, qr/ERROR|FATAL/, 'no order was refused for the tool');
	$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'pgbench'});
	is(value_of(q{SELECT bool_and(CASE WHEN account < 51 THEN verdict = 'accepted'
		ELSE verdict IN ('pin_mismatch', 'too_many_attempts') END) FROM kept WHERE id > 30}),
		't', 'each order was judged');
	is(value_of(q{SELECT (SELECT count(*) FROM kept WHERE verdict = 'pin_mismatch') - count(*) FROM port_pin_failures}),
		'0', 'each failed attempt is on record');
	$record = value_of($on_record);
	is_as_before('pg_repack');
	is(join(' ', files_have(qr/84662800\d\d/)), '', 'no readable PIN is left in the files');

	# Portpin's own, while no order comes in.
	by('pg_repack', '--no-order', '--table=port_pin_failures', '--table=port_pin_history', '--dbname');
	is_as_before('pg_repack of the record');
}

$node->stop;
done_testing();
