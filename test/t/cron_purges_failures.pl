# The record of failed attempts, purged by pg_cron as doc/operations.md has it.
#
# Skipped where there is no pg_cron, or one that can't count seconds (before 1.5).

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($libraries) = run_command([ 'pg_config', '--pkglibdir' ]);
plan skip_all => 'no pg_cron here' if !-e "$libraries/pg_cron.so";

my $node = PostgreSQL::Test::Cluster->new('cron');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'pg_cron'
cron.database_name = postgres
cron.use_background_workers = on
max_worker_processes = 20
});
$node->start;
if ($node->safe_psql('postgres', q{SELECT default_version FROM pg_available_extensions WHERE name = 'pg_cron'}) =~ /^1\.[0-4]\b/)
{
	$node->stop;
	plan skip_all => 'this pg_cron knows of no seconds';
}

$node->safe_psql('postgres', q{
	CREATE SCHEMA portpin;
	CREATE EXTENSION portpin SCHEMA portpin CASCADE;
	CREATE EXTENSION pg_cron;
	CREATE TABLE accounts (id int PRIMARY KEY, pin portpin.port_pin);
	CREATE TABLE port_orders (account int REFERENCES accounts, pin text, verdict portpin.port_pin_verdict);
	SELECT portpin.port_pin_protect('accounts'), portpin.port_pin_gate('port_orders', pin => 'pin', verdict => 'verdict');
	INSERT INTO accounts SELECT n, '735517' FROM generate_series(1, 3) n;
	INSERT INTO port_orders SELECT n, '100001' FROM generate_series(1, 3) n;
	UPDATE portpin.port_pin_failures SET failed_at = failed_at - interval '91 days' WHERE account_key <> '{3}';
});

my ($call) = slurp_file('doc/operations.md') =~ /(SELECT cron\.schedule\(.*?\$\$\))/;
ok($call, 'the document has the call');
$node->safe_psql('postgres', $call =~ s/'0 4 \* \* \*'/'1 second'/r);
ok($node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM cron.job_run_details WHERE status = 'succeeded'}),
	'the job succeeds');
is($node->safe_psql('postgres', 'SELECT account_key FROM portpin.port_pin_failures'), '{3}', 'what is old is purged');

$node->stop;
done_testing();
