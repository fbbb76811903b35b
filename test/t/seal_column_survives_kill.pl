
# port_pin_seal_column, killed in the middle while others write: a second CALL ends
# the work; every row is sealed once, and every PIN is accepted.

use strict;
use warnings;
use IPC::Run;
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = 600;
my $file = PostgreSQL::Test::Utils::tempdir() . '/keys';
open my $fh, '>', $file or die $!;
chmod 0600, $fh;
print $fh 'k1:' . encode_base64('k' x 32, '') . "\n";
close $fh;

my $node = PostgreSQL::Test::Cluster->new('seal_crash');
$node->init;
$node->append_conf('postgresql.conf', "portpin.key_file = '$file'");
$node->start;
$node->safe_psql('postgres', qq{
	CREATE EXTENSION portpin CASCADE;
	CREATE TABLE accounts (id int PRIMARY KEY, note text, pin port_pin);
	INSERT INTO accounts SELECT i, '', 100000 + i FROM generate_series(1, $rows) i;
	CREATE TABLE port_orders (account int REFERENCES accounts, pin port_pin);
	ALTER TABLE accounts ALTER COLUMN pin TYPE port_pin_sealed;
	SELECT port_pin_protect('accounts'), port_pin_gate('port_orders');
});

sub value_of { return $node->safe_psql('postgres', $_[0]); }
sub sealed { return value_of('SELECT count(*) FROM accounts WHERE port_pin_is_sealed(pin)'); }

my ($out, $err) = ('', '');
my $call = IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres'), '-c',
	"CALL port_pin_seal_column('accounts', 'pin', batch_size => 25)" ], '>', \$out, '2>', \$err);

ok($node->poll_query_until('postgres',
	'SELECT count(*) > 100 FROM accounts WHERE port_pin_is_sealed(pin)'), 'batches are committed');
is(value_of(q{SELECT application_name FROM pg_stat_activity
	WHERE application_name LIKE 'port_pin_seal_column:%'}) =~ /: \d+ sealed, [\d.]+ %/, 1,
	'another session sees the progress');

# Meanwhile customers go on: ahead of it, and behind it.
value_of(q{
	UPDATE accounts SET pin = '815815' WHERE id IN (10, 590);
	UPDATE accounts SET note = 'moved house' WHERE id IN (11, 591);
	DELETE FROM accounts WHERE id IN (12, 592);
	INSERT INTO accounts VALUES (0, 'new', '424242');
	INSERT INTO port_orders VALUES (10, '815815'), (590, '815815'), (11, '100011'), (591, '100591');
});
my $pid = value_of(q{SELECT pid FROM pg_stat_activity WHERE query LIKE 'CALL port_pin_seal_column%'});
kill 'KILL', $pid;
$call->finish;
like($err, qr/server closed the connection|terminat/, 'the CALL was killed');
$node->stop('immediate', fail_ok => 1);
unlink $node->data_dir . '/postmaster.pid';
$node->_update_pid(0) if $node->can('_update_pid');
$node->start;

my $before = sealed();
cmp_ok($before, '>', 100, 'what was committed is sealed');
cmp_ok($before, '<', $rows - 1, 'the rest is not, yet');
value_of('CREATE TABLE sealed_before AS SELECT * FROM accounts WHERE port_pin_is_sealed(pin)');
is($node->psql('postgres', q{INSERT INTO port_orders VALUES (1, '100001'), (599, '100599')}), 0,
	'orders are accepted with PINs of either kind');

# Rows that somebody holds, as another CALL does, are left to the end, and waited for.
my ($in, $held) = ("BEGIN; SELECT FROM accounts WHERE id > $rows - 3 FOR UPDATE;\n\\echo held\n", '');
my $holder = IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$held);
$holder->pump until $held =~ /held/;
($out, $err) = ('', '');
$call = IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres'), '-c',
	"CALL port_pin_seal_column('accounts')" ], '>', \$out, '2>', \$err);
ok($node->poll_query_until('postgres', qq{
	SELECT count(*) = $rows - 4 FROM accounts WHERE port_pin_is_sealed(pin)}), 'all but rows that are held are sealed');
ok($node->poll_query_until('postgres', q{
	SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE query LIKE 'CALL port_pin_seal_column%'}), 'then it waits for these');
$in .= "COMMIT;\n";
$holder->finish;
$call->finish;
my $sealed = $rows - 1 - $before;
like($err, qr/: $sealed sealed, 0 blank ones set to NULL, 0 left as they are/, 'the second CALL ends the work');
is(sealed(), $rows - 1, 'every row is sealed');
is(value_of('SELECT count(*) FROM sealed_before JOIN accounts USING (id, pin)'), $before,
	'each of them once');
is(value_of(q{SELECT count(*) FROM accounts WHERE port_pin_check(pin, CASE
	WHEN id = 0 THEN '424242' WHEN id IN (10, 590) THEN '815815' ELSE (100000 + id)::text END) = 'accepted'}),
	$rows - 1, 'every PIN is accepted');
is(value_of(q{SELECT convalidated FROM pg_constraint WHERE conname = 'pin_is_sealed'}), 't',
	'and the table says that nothing readable is left');

# Nothing on disk, once vacuumed and written.
value_of('DROP TABLE sealed_before');
value_of('VACUUM (FREEZE) accounts');
value_of('CHECKPOINT');
my $path = $node->data_dir . '/' . value_of(q{SELECT pg_relation_filepath('accounts')});
unlike(slurp_file($path), qr/\x0f100(?:0[0-9]|59)[0-9]/, "no PIN in the table's file after VACUUM");

$node->stop;
done_testing();
