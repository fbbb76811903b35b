# From no PIN column to guarded and validated, on a live table.
#
# The statements are those of doc/migration.md, run here as they stand there, on
# a table of a million rows (PORTPIN_MIGRATION_ROWS sets another number) under load.
# No transaction of the load fails.  No table is rewritten.  A statement that takes
# an ACCESS EXCLUSIVE lock reads no row, so it holds the lock for the same instant
# whatever the size of the table; those that read all of it take a weaker one.

use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = $ENV{PORTPIN_MIGRATION_ROWS} || 1_000_000;

my $node = PostgreSQL::Test::Cluster->new('migration');
$node->init;
$node->append_conf('postgresql.conf', "max_wal_size = 4GB\ncheckpoint_timeout = 1h");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION portpin CASCADE');

#
# The recipe: blocks of SQL, each a list of statements
#

my ($chapter) = slurp_file('doc/migration.md') =~ /^<!-- migration -->\n(.*)^<!-- \/migration -->/ms;
ok($chapter, 'the document has the recipe');
my ($setup, @steps) = map { [ /\G\s*((?:\$\$.*?\$\$|[^;\$])+;[^\n]*)/gs ] }
  $chapter =~ /^```sql\n(.*?)^```$/msg;
my $done = pop @steps;

s/generate_series\(1, 1000/generate_series(1, $rows/ for @$setup;
$node->safe_psql('postgres', join "\n", @$setup,
	'CREATE SEQUENCE load;', 'VACUUM ANALYZE subscribers;');

#
# The load: the application before, and after the release that sends PINs
#

my %load = (
	subscribers => q{
		\set id random(1, :rows)
		SELECT name FROM subscribers WHERE id = :id;
		UPDATE subscribers SET name = 'Subscriber ' || :id WHERE id = :id;
		SELECT nextval('load');
	},
	requests => q{
		\set id random(1, :rows)
		INSERT INTO port_requests (subscriber_id, carrier) VALUES (:id, 'Northwind');
		SELECT nextval('load');
	},
	requests_with_pin => q{
		\set id random(1, :rows / 10) * 10 - 9
		INSERT INTO port_requests (subscriber_id, carrier, pin)
			SELECT id, 'Northwind', pin FROM subscribers WHERE id = :id;
		SELECT nextval('load');
	});
my %running;

# pgbench ends at the first statement that fails, and so does this loop.
sub start_load
{
	my ($name) = @_;
	my $file = $node->basedir . "/$name";

	append_to_file("$file.sql", $load{$name});
	$running{$name} = IPC::Run::start(
		[ 'sh', '-c', 'while [ ! -e "$1.stop" ]; do
			pgbench -n -M prepared -c 2 -R 200 -t 100 -D rows="$2" -f "$1.sql" "$3" || exit 1
			done', 'sh', $file, $rows, $node->connstr('postgres') ],
		'>', "$file.out", '2>&1');
	return;
}

sub stop_load
{
	my ($name) = @_;
	my $file = $node->basedir . "/$name";

	append_to_file("$file.stop", '');
	$running{$name}->finish;
	my $out = slurp_file("$file.out");
	is($running{$name}->result(0), 0, "no transaction of the load failed: $name")
	  or diag($out);
	like($out, qr/actually processed: 200\/200/, "there was load: $name");
	return;
}

# Some more transactions of the load have come through.
sub load_goes_on
{
	my ($when) = @_;
	my $before = $node->safe_psql('postgres', 'SELECT last_value FROM load');

	ok($node->poll_query_until('postgres', "SELECT last_value > $before + 20 FROM load"),
		"the load goes on $when");
	return;
}

#
# The steps
#

my $files = q{SELECT string_agg(pg_relation_filenode(oid)::text, ' ' ORDER BY oid) FROM pg_class
	WHERE oid IN ('subscribers'::regclass, 'subscribers_pkey'::regclass, 'port_requests'::regclass)};
my $files_before = $node->safe_psql('postgres', $files);
my $settings = '';
my %lock_of;

# Run one statement; try again, as the document says, when a lock was not available.
# Tell which lock it took and how many rows it read of tables that are in use.
sub run_step
{
	my ($statement) = @_;
	my ($status, $stdout, $stderr);
	my $script = $statement =~ /^DO/ ? $statement : qq{
		BEGIN;
		$statement
		-- Of these the strongest sorts first.
		SELECT 'LOCK ' || min(mode) FROM pg_locks
			WHERE pid = pg_backend_pid() AND relation::regclass::text IN ('subscribers', 'port_requests')
			AND mode IN ('AccessExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareRowExclusiveLock');
		SELECT 'READ ' || sum(pg_stat_get_xact_tuples_returned(c)) + sum(pg_stat_get_xact_tuples_fetched(c))
			FROM unnest('{subscribers,port_requests}'::regclass[]) c;
		COMMIT;
	};

	for my $attempt (1 .. 1000)
	{
		($status, $stdout, $stderr) = (undef, '', '');
		$status = $node->psql('postgres', "\\set VERBOSITY sqlstate\n$settings\n$script",
			stdout => \$stdout, stderr => \$stderr);
		last unless $stderr =~ /ERROR:  55P03/;
	}
	my ($what) = $statement =~ /^([^\n;]*)/;
	is($status, 0, $what) or diag($stderr);
	my ($lock) = $stdout =~ /LOCK (\w+)/;
	my ($read) = $stdout =~ /READ (\d+)/;
	return ($what, $lock // '', $read);
}

start_load('subscribers');
start_load('requests');
load_goes_on('before');
foreach my $statement (map { @$_ } @steps)
{
	if ($statement =~ /^SET /)
	{
		$settings .= $statement;
		next;
	}

	# The release of the application that sends PINs comes before the gate.
	if ($statement =~ /port_pin_gate/)
	{
		stop_load('requests');
		start_load('requests_with_pin');
		load_goes_on('with PINs');
	}

	my ($what, $lock, $read) = run_step($statement);
	$lock_of{$what} = $lock;
	if ($lock eq 'ShareUpdateExclusiveLock')
	{
		cmp_ok($read, '>', 0, "it reads rows, under $lock");
	}
	elsif ($lock)
	{
		is($read, 0, "it reads no row under $lock");
	}
	load_goes_on("after $what");
}
stop_load('requests_with_pin');
stop_load('subscribers');

# The document says which lock each step takes.
is_deeply([ map { [ $_, $lock_of{$_} ] } sort keys %lock_of ],
	[ [ 'ALTER TABLE port_requests ADD COLUMN pin text', 'AccessExclusiveLock' ],
		[ 'ALTER TABLE port_requests ADD CONSTRAINT port_requests_subscriber', 'ShareRowExclusiveLock' ],
		[ 'ALTER TABLE port_requests VALIDATE CONSTRAINT port_requests_subscriber', 'ShareUpdateExclusiveLock' ],
		[ 'ALTER TABLE subscribers ADD COLUMN pin text', 'AccessExclusiveLock' ],
		[ 'ALTER TABLE subscribers VALIDATE CONSTRAINT port_pin_format', 'ShareUpdateExclusiveLock' ],
		[ 'DO $$', '' ],
		[ (grep { /port_pin_gate/ } keys %lock_of)[0], 'ShareRowExclusiveLock' ],
		[ (grep { /port_pin_protect/ } keys %lock_of)[0], 'AccessExclusiveLock' ] ],
	'the lock of each step');

#
# What it came to
#

is($node->safe_psql('postgres', $files), $files_before, 'no table or index was rewritten');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_constraint WHERE NOT convalidated'),
	0, 'all constraints are validated');
is( $node->safe_psql('postgres', q{
		SELECT count(*) FROM subscribers s FULL JOIN old_pins o ON o.subscriber_id = s.id
			WHERE s.pin IS DISTINCT FROM CASE WHEN port_pin_problem(o.pin) IS NULL THEN o.pin END
	}), 0, 'all PINs were taken over, and nothing else');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM port_requests WHERE pin IS NOT NULL'),
	'>', 0, 'there were orders with PINs');

my $stderr;
$node->psql('postgres', join("\n", '\set VERBOSITY sqlstate', @$done),
	on_error_stop => 0, stderr => \$stderr);
is_deeply([ $stderr =~ /ERROR:  (\w{5})/g ],
	[ "@$done" =~ /-- ERROR (\w{5})/g ], 'the guards hold');

$node->stop;
done_testing();
