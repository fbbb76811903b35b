# Everybody may read port_pin_guards, so nobody must be able to do harm with it.  Roles
# without any right read it again and again, while the guarded tables are changed all
# the time, and temporary tables flood the queue that tells sessions of changes, so
# that all they know of a table is rebuilt under them.  No session crashes or meets an
# error, and neither does a carrier that places orders meanwhile.

use strict;
use warnings FATAL => 'all';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = 8;

my $node = PostgreSQL::Test::Cluster->new('watched');
$node->init;
$node->append_conf('postgresql.conf', q{
autovacuum = off
restart_after_crash = off
log_error_verbosity = verbose
log_statement = none
});
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION portpin CASCADE;
	CREATE ROLE watcher LOGIN;
	CREATE ROLE clerk;
	CREATE TABLE accounts (id int PRIMARY KEY, name text, pin port_pin);
	CREATE TABLE numbers (e164 text PRIMARY KEY, account int REFERENCES accounts, pin port_pin);
	CREATE TABLE port_orders (account int REFERENCES accounts, pin port_pin);
	CREATE TABLE number_orders (number text REFERENCES numbers, pin port_pin,
		verdict port_pin_verdict);
	CREATE TABLE regional (id int PRIMARY KEY, pin port_pin_sealed) PARTITION BY RANGE (id);
	CREATE TABLE regional_low PARTITION OF regional FOR VALUES FROM (1) TO (100);
	CREATE TABLE regional_high PARTITION OF regional FOR VALUES FROM (100) TO (200);
	INSERT INTO accounts VALUES (1, 'Contoso', '004211');
	SELECT port_pin_protect('accounts', forbid_delete => true),
		port_pin_protect('numbers'), port_pin_protect('regional'),
		port_pin_gate('port_orders'),
		port_pin_gate('number_orders', fk => '{number}', via => '{account}', verdict => 'verdict');
});
my $guards = 'SELECT count(*), count(problem) FROM port_pin_guards';
my $at_rest = $node->safe_psql('postgres', $guards);
like($at_rest, qr/^[1-9]\d*\|0$/, 'guards without problems');

# What each client does, over and over.
my %does = (
	watcher => q{
		SELECT * FROM port_pin_guards;
		SELECT port_pin_inspect('accounts');
		SELECT port_pin_inspect('number_orders');
	},
	owner => q{
		GRANT SELECT ON accounts, numbers, regional TO clerk;
		GRANT INSERT ON port_orders, number_orders TO clerk;
		ANALYZE accounts, port_orders, regional;
		ALTER TABLE accounts RENAME name TO title;
		ALTER TABLE port_orders ALTER pin SET STATISTICS 10;
		REVOKE SELECT ON accounts, numbers, regional FROM clerk;
		REVOKE INSERT ON port_orders, number_orders FROM clerk;
		ALTER TABLE accounts RENAME title TO name;
		ALTER TABLE regional DISABLE TRIGGER port_pin_protect;
		ALTER TABLE regional ENABLE TRIGGER port_pin_protect;
	},
	flood => q{
		DO $$ BEGIN
			FOR i IN 1 .. 200 LOOP
				EXECUTE 'CREATE TEMP TABLE flood (id int PRIMARY KEY, pin text)';
				EXECUTE 'DROP TABLE flood';
			END LOOP;
		END $$;
	},
	carrier => q{
		INSERT INTO port_orders VALUES (1, '004211');
	});

my (%run, %out);
foreach my $who (sort keys %does)
{
	my $file = $node->basedir . "/$who.sql";

	append_to_file($file, $does{$who});
	$out{$who} = '';
	$run{$who} = IPC::Run::start(
		[ 'pgbench', '-n', '-T', $seconds, '-c', $who eq 'watcher' ? 2 : 1, '-f', $file,
			'-U', $who eq 'watcher' ? 'watcher' : $node->safe_psql('postgres', 'SELECT current_user'),
			$node->connstr('postgres') ],
		'>&', \$out{$who});
}
foreach my $who (sort keys %run)
{
	$run{$who}->finish;
	is($run{$who}->result(0), 0, "$who: no error") or diag($out{$who});
	like($out{$who}, qr/transactions actually processed: [1-9]/, "$who: was there");
}

unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC|XX000/, 'no crash, and no error that was not foreseen');
is($node->safe_psql('postgres', $guards), $at_rest, 'the guards are as they were');

$node->stop;
done_testing();
