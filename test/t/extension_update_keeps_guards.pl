# ALTER EXTENSION portpin UPDATE: guards hold before, during and after it.
#
# The version after 1.0 is made here: it replaces every function, adds a verdict, and
# recreates a function with another argument.  That is what an update may do
# (doc/upgrading.md).  A session with a gate in use goes on through it.

use strict;
use warnings;
use File::Copy;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('update');
$node->init;
my $sharedir = $node->config_data('--sharedir');
my $dir = PostgreSQL::Test::Utils::tempdir();

# Where portpin is, and where a server looks that is told to look in $dir.
my $temp_config = defined $ENV{TEMP_CONFIG} ? slurp_file($ENV{TEMP_CONFIG}) : '';
my ($settings) = run_command([ 'postgres', '--describe-config' ]);
my ($from, $to);
if ($settings =~ /^extension_control_path\t/m)
{
	$from = $temp_config =~ /^extension_control_path = '([^:']+):/m ? $1 : $sharedir;
	$to = $dir;
	$node->append_conf('postgresql.conf', "extension_control_path = '$dir:\$system'");
}
elsif ($settings =~ /^extension_destdir\t/m)
{
	$from = ($temp_config =~ /^extension_destdir = '([^']+)'/m ? $1 : '') . $sharedir;
	$to = $dir . $sharedir;
	$node->append_conf('postgresql.conf', "extension_destdir = '$dir'");
}
else
{
	plan skip_all => 'this server looks for extensions in its own directory only';
}
$node->start;

system_or_bail('mkdir', '-p', "$to/extension");
copy("$from/extension/$_", "$to/extension/$_") or die "$from/extension/$_: $!"
  for 'portpin.control', 'portpin--1.0.sql';

# The SQLSTATE that a statement meets.
sub sqlstate
{
	my ($database, $sql) = @_;
	my ($status, $out, $err) = $node->psql($database, "\\set VERBOSITY sqlstate\n$sql");
	return $err =~ /ERROR:  (\w+)/ ? $1 : 'accepted';
}

# What must hold at any time.  Each time for another account, since wrong PINs are counted.
my $account = 0;

sub guards_hold
{
	my ($database, $when) = @_;
	my $id = ++$account;
	$node->safe_psql($database, "INSERT INTO accounts VALUES ($id, '004211')");
	is(sqlstate($database, 'UPDATE accounts SET pin = NULL'), '23PN0', "$when: a PIN is not cleared");
	is(sqlstate($database, "INSERT INTO port_orders VALUES ($id, '111222')"), '23PN7', "$when: no order with a wrong PIN");
	is(sqlstate($database, "BEGIN; INSERT INTO port_orders VALUES ($id, '004211'); ROLLBACK"),
		'accepted', "$when: one with the right PIN");
	is($node->safe_psql($database, qq{
			INSERT INTO judged (account, pin) VALUES ($id, '111222'), ($id, '004211') RETURNING verdict}),
		"pin_mismatch\naccepted", "$when: verdicts");
	return;
}

my $guarded = q{
	CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
	CREATE TABLE port_orders (account int REFERENCES accounts, pin port_pin);
	CREATE TABLE judged (account int REFERENCES accounts, pin port_pin, verdict port_pin_verdict);
	SELECT port_pin_protect('accounts'), port_pin_gate('port_orders'), port_pin_gate('judged', verdict => 'verdict');
};


## The next version

$node->safe_psql('postgres', "CREATE EXTENSION portpin VERSION '1.0' CASCADE; $guarded");
guards_hold('postgres', 'before');

my $functions = $node->safe_psql('postgres', q{
	SELECT string_agg(pg_get_functiondef(objid) || E';\n', '')
	FROM pg_depend
	WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'portpin') AND deptype = 'e'
		AND classid = 'pg_proc'::regclass});
$functions =~ s/public\./\@extschema\@./g;
like($functions, qr/CREATE OR REPLACE FUNCTION \@extschema\@\.port_pin_gate_trigger/, 'the functions of 1.0');
append_to_file("$to/extension/portpin--1.0--1.1dev.sql", $functions . q{
	ALTER TYPE port_pin_verdict ADD VALUE 'held_for_review';
	DROP FUNCTION port_pin_problem(text);
	CREATE FUNCTION port_pin_problem(pin text, polite bool DEFAULT false) RETURNS text
		LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT CASE WHEN polite THEN 'Sorry.' END; END;
});
my $control = slurp_file("$to/extension/portpin.control");
$control =~ s/^default_version = .*/default_version = '1.1dev'/m;
unlink "$to/extension/portpin.control";
append_to_file("$to/extension/portpin.control", $control);

is($node->safe_psql('postgres', q{
		SELECT source, target, path FROM pg_extension_update_paths('portpin') WHERE path IS NOT NULL}),
	'1.0|1.1dev|1.0--1.1dev', 'a path leads to the next version, and none back');


## The update

$node->safe_psql('postgres', q{
	CREATE ROLE teller;
	GRANT EXECUTE ON FUNCTION port_pin_seal_keys() TO teller;
});
my $guards = q{SELECT g::text FROM port_pin_guards g WHERE guard <> 'grant' ORDER BY 1};
my $failures = q{SELECT count(*) FROM port_pin_failures};
my $grants = q{
	SELECT has_function_privilege('teller', 'port_pin_seal_keys()', 'EXECUTE'),
		has_function_privilege('public', 'port_pin_seal_keys()', 'EXECUTE'),
		has_function_privilege('public', 'port_pin_gate_trigger()', 'EXECUTE')};
my %before = map { $_ => $node->safe_psql('postgres', $_) } $guards, $failures, $grants;
is($before{$grants}, 't|f|f', 'a grant');

# A session that has used its gate, one that updates, and one that comes in between.
my $client = $node->background_psql('postgres', on_error_stop => 0);
my $updater = $node->background_psql('postgres', on_error_stop => 0);
$client->query("INSERT INTO accounts VALUES (0, '004211'); INSERT INTO port_orders VALUES (0, '004211');");

# A session, which may be in a transaction, places a wrong order in a savepoint.
sub refuses
{
	my ($session, $when) = @_;
	$session->query("\\set VERBOSITY sqlstate\nSAVEPOINT s;\nINSERT INTO port_orders VALUES (0, '111222');\nROLLBACK TO s;");
	like($session->{stderr}, qr/ERROR:  23PN7/, $when);
	$session->{stderr} = '';
	return;
}

$updater->query('BEGIN; ALTER EXTENSION portpin UPDATE;');
guards_hold('postgres', 'while it is under way');
refuses($client, 'while it is under way: a session that was there');
refuses($updater, 'while it is under way: the one that updates');
$updater->query('ROLLBACK;');
guards_hold('postgres', 'after it was rolled back');

# An object that depends on a recreated function is not dropped with it.
$node->safe_psql('postgres', q{
	CREATE FUNCTION problem_of(text) RETURNS text LANGUAGE sql RETURN port_pin_problem($1)});
is(sqlstate('postgres', 'ALTER EXTENSION portpin UPDATE'), '2BP01', 'what depends on a function keeps it');
$node->safe_psql('postgres', 'DROP FUNCTION problem_of');

$updater->query('BEGIN; ALTER EXTENSION portpin UPDATE;');
guards_hold('postgres', 'under way again');
$updater->query('COMMIT;');
guards_hold('postgres', 'after it');
refuses($client, 'after it: a session that was there');
refuses($updater, 'after it: the one that updated');
$client->quit;
$updater->quit;

is($node->safe_psql('postgres', q{SELECT extversion FROM pg_extension WHERE extname = 'portpin'}),
	'1.1dev', 'the next version is there');
is($node->safe_psql('postgres', $guards), $before{$guards}, 'the guards are the same');
is($node->safe_psql('postgres', q{SELECT count(*) FROM port_pin_guards WHERE problem IS NOT NULL AND guard <> 'grant'}),
	'0', 'and say of no problem');
is($node->safe_psql('postgres', $grants), $before{$grants}, 'so are grants');
cmp_ok($node->safe_psql('postgres', $failures), '>', $before{$failures}, 'the record goes on');
is($node->safe_psql('postgres', q{
		INSERT INTO judged (account, pin) VALUES (0, '004211');
		SELECT count(*) FROM judged WHERE verdict = 'held_for_review'}), '0', 'the new verdict is known');
is($node->safe_psql('postgres', q{SELECT port_pin_problem('12345', true)}), 'Sorry.', 'and so is the new argument');
is(sqlstate('postgres', q{ALTER EXTENSION portpin UPDATE TO '1.0'}), '22023', 'there is no way back');


## A database that begins with the next version has the same objects; so does a restored one

my $objects = q{
	SELECT pg_describe_object(classid, objid, objsubid), p.proacl
	FROM pg_depend LEFT JOIN pg_proc p ON p.oid = objid AND classid = 'pg_proc'::regclass
	WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'portpin') AND deptype = 'e'
	ORDER BY 1};
$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', "CREATE EXTENSION portpin CASCADE; $guarded");
guards_hold('fresh', 'begun with the next version');
$node->safe_psql('postgres', 'REVOKE EXECUTE ON FUNCTION port_pin_seal_keys() FROM teller');
is($node->safe_psql('postgres', $objects), $node->safe_psql('fresh', $objects), 'its objects are those of an update');

$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/dump", $node->connstr('postgres') ], 'pg_dump');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('restored'), "$dir/dump" ], 'pg_restore');
guards_hold('restored', 'restored');
is($node->safe_psql('restored', $guards), $before{$guards}, 'restored: the guards are the same');

$node->stop;
done_testing();
