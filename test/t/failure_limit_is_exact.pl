# Many sessions guess at one account at once: no more wrong PINs are told than the
# limit allows, to all of them together.
#
# The bound is exact for what is told: max_failures verdicts "pin_mismatch", each
# of them on record.  Everybody else learns that there were too many, right PIN or
# wrong.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use IPC::Run;
use Test::More;

my $sessions = 16;
my $guesses = 200;
my $spread = 0;

my $node = PostgreSQL::Test::Cluster->new('parallel');
$node->init;
$node->append_conf('postgresql.conf', 'max_connections = 40');
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION portpin CASCADE;
	CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
	CREATE TABLE port_orders (account int REFERENCES accounts, pin text, carrier text DEFAULT 'Fabrikam');
	SELECT port_pin_protect('accounts'), port_pin_gate('port_orders', pin => 'pin', source => 'carrier');
	INSERT INTO accounts SELECT n, '735517' FROM generate_series(1, 1000) n;
	CREATE FUNCTION try(account int, pin text) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO port_orders VALUES (account, pin);
		RETURN 'accepted';
	EXCEPTION
		WHEN integrity_constraint_violation THEN
			RETURN sqlstate;
		WHEN lock_not_available THEN	-- no verdict: once more
			RETURN try(account, pin);
	END $$;
});

# Let every session guess at its account, or at one after the other if $spread says so,
# then give the right PIN; count verdicts.
# All begin at the same moment, when a lock that they wait for is let go.
sub guess
{
	my (@accounts) = @_;
	my (@runs, @outs, @errs, %verdicts);
	my ($gun, $ready) = ("SELECT pg_advisory_lock(1);\n", '');
	my $starter = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', '-' ],
		'<', \$gun, '>', \$ready, IPC::Run::timeout(180));
	$starter->pump until $ready =~ /\n/;
	for my $i (0 .. $#accounts)
	{
		my $sql = "SELECT pg_advisory_lock_shared(1);\n"
		  . join('', map { 'SELECT try(' . ($accounts[$i] + $spread * $_) . ", '" . (100000 + $i * 1000 + $_) . "');\n" } 1 .. $guesses)
		  . "SELECT 'right ' || try($accounts[$i], '735517');\n";
		my $script = $node->basedir . "/session$i.sql";
		unlink $script;
		append_to_file($script, $sql);
		push @runs, IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', $script ],
			'>', \$outs[$i], '2>', \$errs[$i], IPC::Run::timeout(120));
	}
	$node->poll_query_until('postgres', q{
		SELECT count(*) = } . @accounts . q{ FROM pg_locks WHERE locktype = 'advisory' AND NOT granted})
	  or die 'not all sessions are ready';
	$gun = "SELECT pg_advisory_unlock(1);\n";
	$starter->finish;
	$_->finish for @runs;
	is(join('', map { $_ // '' } @errs), '', 'no session failed');
	$verdicts{$_}++ for map { grep { $_ ne '' } split /\n/, $_ } @outs;
	return \%verdicts;
}

sub on_record
{
	my ($account) = @_;
	return $node->safe_psql('postgres', "SELECT count(*) FROM port_pin_failures WHERE account_key = '{$account}'");
}

for my $account (1 .. 3)
{
	my $verdicts = guess(($account) x $sessions);
	is($verdicts->{'23PN7'}, 10, "account $account: as many wrong PINs are told as are allowed");
	is($verdicts->{'23PN3'}, $sessions * $guesses - 10, 'all others were too many');
	is($verdicts->{'right 23PN3'}, $sessions, 'the right PIN among them');
	is(on_record($account), 10, 'and that is what is on record');
}

# Sessions that guess at accounts of their own don't limit each other, even where there
# are three times as many of them as slots for workers.
$guesses = 12;
my $verdicts = guess(101 .. 124);
is($verdicts->{'23PN7'}, 10 * 24, 'every account has a limit of its own');

# One source at different accounts: each session may have an attempt under way while
# the limit is reached, and no more.
$node->safe_psql('postgres', q{LOAD 'portpin'; TRUNCATE port_pin_failures; ALTER SYSTEM SET portpin.max_accounts_per_source = 10});
$node->reload;
$node->poll_query_until('postgres', q{SELECT current_setting('portpin.max_accounts_per_source', true) = '10'})
  or die 'not reloaded';
$spread = $sessions;
$verdicts = guess(501 .. 500 + $sessions);
my $told = $verdicts->{'23PN7'};
cmp_ok($told, '>=', 10, "a source fails at as many accounts as it may: $told");
cmp_ok($told, '<', 10 + $sessions, 'and in each session at one more, at most');
is($verdicts->{'23PNA'}, $sessions * $guesses - $told, 'all others are not looked at');
is($verdicts->{'right 23PNA'}, $sessions, 'the right PIN among them');
is($node->safe_psql('postgres', 'SELECT count(DISTINCT account_key) FROM port_pin_failures'), $told, 'and that is what is on record');
$node->safe_psql('postgres', q{LOAD 'portpin'; ALTER SYSTEM RESET portpin.max_accounts_per_source});
$spread = 0;

# With one worker at a time.
$node->append_conf('postgresql.conf', 'max_worker_processes = 2');
$node->restart;
$verdicts = guess((4) x $sessions);
is($verdicts->{'23PN7'}, 10, 'one worker at a time: as many as are allowed');
is(on_record(4), 10, 'one worker at a time: and on record');
$verdicts = guess(201 .. 208);
is($verdicts->{'23PN7'}, 10 * 8, 'one worker at a time: every account has its own');

# How long it takes, for those who read the output; no test, because machines differ.
sub median_of
{
	my ($count, $sql) = @_;
	my $out = $node->safe_psql('postgres', qq{
		SET portpin.max_failures_per_account = 10000;
		CREATE TEMP TABLE times (ms float8);
		DO \$\$
		DECLARE begun timestamptz;
		BEGIN
			FOR n IN 1 .. $count LOOP
				begun := clock_timestamp();
				PERFORM $sql;
				INSERT INTO times SELECT extract(epoch FROM clock_timestamp() - begun) * 1000;
			END LOOP;
		END \$\$;
		SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY ms)::numeric, 3) FROM times;
	});
	return $out;
}
note 'wrong PIN, median of 200: ' . median_of(200, q{try(300 + n, '100001')}) . ' ms';
note 'right PIN, median of 2000: ' . median_of(2000, q{try(501 + n % 400, '735517')}) . ' ms';

$node->stop;
done_testing();
