# Dump and restore.
#
# A restored database is the one that was dumped: triggers are created behind the
# rows, so that old orders come in though their PINs have been changed since, and
# the guards hold from then on.  Restoring runs with an empty search_path; the
# extensions are in schemas of their own.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('dump');
$node->init;
$node->append_conf('postgresql.conf', 'portpin.max_failures_per_account = 0');
$node->append_conf('postgresql.conf', 'log_min_error_statement = panic');
$node->start;

my $dir = $PostgreSQL::Test::Utils::tmp_check;
my $origin = $node->connstr('origin');

$node->safe_psql('postgres', 'CREATE DATABASE origin');
$node->safe_psql('origin', q{
	CREATE SCHEMA crypto;
	CREATE EXTENSION pgcrypto SCHEMA crypto;
	CREATE EXTENSION citext SCHEMA crypto;
	CREATE SCHEMA port;
	CREATE EXTENSION portpin SCHEMA port;
	CREATE SCHEMA app;
	SET search_path = app;

	-- a table with the domain, and orders in partitions, of which some are in scope
	CREATE TABLE accounts (id int, brand text, pin port.port_pin, frozen bool, PRIMARY KEY (brand, id));
	CREATE TABLE port_orders (id int, account int, brand text, country text, pin port.port_pin,
		is_us bool GENERATED ALWAYS AS (country = 'US') STORED,
		FOREIGN KEY (account, brand) REFERENCES accounts (id, brand) ON UPDATE CASCADE)
		PARTITION BY LIST (country);
	CREATE TABLE port_orders_us PARTITION OF port_orders FOR VALUES IN ('US');
	CREATE TABLE port_orders_rest PARTITION OF port_orders DEFAULT;

	-- a legacy one, where the key is citext and '' is blank
	CREATE TABLE "Customer" (name crypto.citext PRIMARY KEY, "Pin" varchar(20) NOT NULL DEFAULT '');
	CREATE TABLE "Order" (customer crypto.citext REFERENCES "Customer", "Pin" text);

	INSERT INTO accounts VALUES (1, 'A', '004211'), (2, 'A', NULL), (1, 'B', '0000123456'), (3, 'A', '121314');
	INSERT INTO accounts VALUES (4, 'A', '141516', true);
	INSERT INTO port_orders VALUES (1, 1, 'A', 'US', '004211'), (2, 1, 'B', 'CA', NULL);
	INSERT INTO "Customer" VALUES ('Contoso', '004211'), ('Fabrikam', '');
	INSERT INTO "Order" VALUES ('CONTOSO', '004211');
	SELECT port.port_pin_protect('accounts', lock => 'frozen', forbid_delete => true),
		port.port_pin_protect('"Customer"', 'Pin'),
		port.port_pin_gate('port_orders', scope => 'is_us'),
		port.port_pin_gate('"Order"', pin => 'Pin', account_pin => 'Pin');

	-- the PINs of old orders are not those of today
	UPDATE accounts SET pin = '900900' WHERE (id, brand) = (1, 'A');
	UPDATE "Customer" SET "Pin" = '900900' WHERE name = 'Contoso';
});

# A dump as text, without the key that newer ones draw at random.
sub dump_of
{
	my ($database, @options) = @_;
	my ($text) = run_command([ 'pg_dump', @options, $node->connstr($database) ]);
	$text =~ s/^\\(un)?restrict .*$//gm;
	return $text;
}

# Run psql or pg_restore on a database that is created for it.
sub restore
{
	my ($database, @command) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	command_ok([ @command, '-d', $node->connstr($database) ], "$database: restored");
}

sub is_refused
{
	my ($database, $sqlstate, $sql) = @_;
	my ($status, $out, $err) =
	  $node->psql($database, "\\set VERBOSITY sqlstate\nSET search_path = '';\n$sql");
	like($err, qr/ERROR:  $sqlstate$/, "$database: $sqlstate for $sql");
}

sub is_as_before
{
	my ($database) = @_;
	is(dump_of($database), dump_of('origin'), "$database: as before");
	is_refused($database, '23PN0', 'UPDATE app.accounts SET pin = NULL');
	is_refused($database, '23PN0', 'DELETE FROM app.accounts WHERE id = 3');
	is_refused($database, '23PN0', 'TRUNCATE app.accounts CASCADE');
	is_refused($database, '23PN0', q{UPDATE app."Customer" SET "Pin" = ' '});
	is_refused($database, '23PN7', q{INSERT INTO app.port_orders VALUES (3, 1, 'A', 'US', '004211')});
	is_refused($database, '23PN2', q{INSERT INTO app.port_orders VALUES (3, 4, 'A', 'US', '141516')});
	is_refused($database, '23PN5', q{UPDATE app.port_orders SET country = 'US' WHERE id = 2});
	is_refused($database, '23PN7', q{INSERT INTO app."Order" VALUES ('contoso', '004211')});
	is_refused($database, '23PN4', q{INSERT INTO app."Order" VALUES ('FABRIKAM', '')});
	$node->safe_psql($database, q{
		BEGIN;
		INSERT INTO app.port_orders VALUES (3, 1, 'A', 'US', '900900');
		INSERT INTO app."Order" VALUES ('cONTOSO', '900900');
		UPDATE app.accounts SET id = 11 WHERE id = 2;
		ROLLBACK});
}


# As a script and in the custom format.
command_ok([ 'pg_dump', '-f', "$dir/plain.sql", $origin ], 'dumped as a script');
restore('plain', 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/plain.sql");
is_as_before('plain');

command_ok([ 'pg_dump', '-Fc', '-f', "$dir/custom", $origin ], 'dumped in the custom format');
restore('custom', 'pg_restore', '--exit-on-error', '--single-transaction', "$dir/custom");
is_as_before('custom');

# With --clean, over a database that has it all.
command_ok([ 'pg_restore', '--exit-on-error', '--clean', '-d', $node->connstr('custom'), "$dir/custom" ],
	'custom: restored over itself');
is_as_before('custom');

# In parallel.  Only section by section: otherwise pg_restore may create the triggers of
# a partitioned table before it has loaded all partitions, whose rows they then judge.
command_ok([ 'pg_dump', '-Fd', '-j', '2', '-f', "$dir/parallel", $origin ], 'dumped in parallel');
$node->safe_psql('postgres', 'CREATE DATABASE parallel');
for my $section ('pre-data', 'data', 'post-data')
{
	command_ok([ 'pg_restore', '--exit-on-error', '-j', '2', "--section=$section",
			"$dir/parallel", '-d', $node->connstr('parallel') ], "parallel: $section restored");
}
is_as_before('parallel');

# First the schema, then the rows: to the guards these are rows like any other, so
# an old order is refused, quietly.  --disable-triggers is meant for that.
restore('in_two', 'pg_restore', '--exit-on-error', '-s', "$dir/custom");
my @data_only = ('pg_restore', '--exit-on-error', '--single-transaction', '-a', "$dir/custom", '-d', $node->connstr('in_two'));
my ($out, $err) = run_command([@data_only]);
like($err, qr/port order refused: its port PIN is wrong/, 'in_two: an old order is judged');
unlike($err, qr/004211|900900|123456|141516/, 'in_two: no PIN in what pg_restore reports');
is($node->safe_psql('in_two', 'SELECT count(*) FROM app.accounts'), '0', 'in_two: nothing is left behind');

command_ok([ @data_only, '--disable-triggers' ], 'in_two: restored with --disable-triggers');
is_as_before('in_two');

# Other ways to do the same.
my $as_it_was = dump_of('origin');
my @script = ('psql', '-X', '-q', '-1', '-v', 'ON_ERROR_STOP=1', '-f');
my @archive = ('pg_restore', '--exit-on-error', '--single-transaction', '--no-owner');
my %ways = (
	inserts => [ [ '--inserts', '--rows-per-insert=2', '--quote-all-identifiers' ], @script ],
	columns => [ [ '--column-inserts', '--load-via-partition-root', '--no-owner', '--no-privileges' ], @script ],
	tar => [ ['-Ft'], @archive ],
	directory => [ ['-Fd'], @archive ],
	rooted => [ [ '-Fc', '--load-via-partition-root' ], @archive ]);
for my $way (sort keys %ways)
{
	my ($options, @restore) = @{ $ways{$way} };
	command_ok([ 'pg_dump', @$options, '-f', "$dir/$way", $origin ], "$way: dumped with @$options");
	restore($way, @restore, "$dir/$way");
	is(dump_of($way), $as_it_was, "$way: as before");
}

# Rows alone, as a script, into tables that are there.
command_ok([ 'pg_dump', '--data-only', '--disable-triggers', '-f', "$dir/rows.sql", $origin ], 'rows dumped');
restore('rows', 'pg_restore', '--exit-on-error', '-s', "$dir/custom");
command_ok([ @script, "$dir/rows.sql", '-d', $node->connstr('rows') ], 'rows: restored with --disable-triggers');
is(dump_of('rows'), $as_it_was, 'rows: as before');

# A part of it takes along the guards that belong to it.
command_ok([ 'pg_dump', '-T', 'app.port_orders*', '-T', 'app."Order"', '-f', "$dir/accounts.sql", $origin ], 'dumped without the orders');
restore('accounts', @script, "$dir/accounts.sql");
is_refused('accounts', '23PN0', 'UPDATE app.accounts SET pin = NULL');
is_refused('accounts', '23PN0', 'TRUNCATE app.accounts');
is_refused('accounts', '23PN0', q{UPDATE app."Customer" SET "Pin" = ''});

# A dump without the extension can be restored where the extension is.
my $guarded = q{SELECT port.port_pin_assert_guarded('app.accounts', 'app."Customer"'), count(*) FROM port.port_pin_guards WHERE problem IS NULL};
for my $part ([ 'of_schema', 4, '-n', 'app' ], [ 'of_tables', 2, '-t', 'app.accounts', '-t', 'app."Customer"' ])
{
	my ($database, $guards, @options) = @$part;
	command_ok([ 'pg_dump', @options, '-f', "$dir/$database", $origin ], "$database: dumped with @options");
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, q{
		CREATE SCHEMA crypto;
		CREATE EXTENSION pgcrypto SCHEMA crypto;
		CREATE EXTENSION citext SCHEMA crypto;
		CREATE SCHEMA port;
		CREATE EXTENSION portpin SCHEMA port} . ($options[0] eq '-t' ? '; CREATE SCHEMA app' : ''));
	command_ok([ @script, "$dir/$database", '-d', $node->connstr($database) ], "$database: restored");
	is($node->safe_psql($database, $guarded), "|$guards", "$database: guarded");
	is_refused($database, '23PN0', 'UPDATE app.accounts SET pin = NULL');
}

$node->stop;
done_testing();
