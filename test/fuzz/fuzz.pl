# The campaign that run.sh describes and starts: rounds of random statements, each looked
# at by the oracle; the controls; and the tables at the end.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/..";
use File::Basename;
use Time::HiRes qw(time);
use Campaign;
use Guards;
use Oracle;
use Statements;
use Tables;

start_campaign('fuzz', rounds => 60, statements => 80, seconds => 0, control => '', sqlsmith => 0);
%Oracle::own_files = map { basename($_) => 1 } glob("$FindBin::Bin/../../src/*.c"), glob "$FindBin::Bin/../../src/*/*.c";

my ($db, $watch);    # the session of the statements; one that looks at what others see
my (%count, %looked, %failed, @functions);
my ($guards, $well, $gates, $gates_well, $accepted, $refused) = (0) x 6;
my @script;          # what the round has done so far
my $recorded;

sub connect_session
{
	$db = connect_to(60, pg_errorlevel => 2, AutoInactiveDestroy => 1);
	$db->do(q{SET TimeZone = 'UTC'; SET DateStyle = 'ISO'});
}

## One statement

# Run it; returns its SQLSTATE ('' if it succeeded) and the error.
sub run
{
	my ($statement) = @_;
	my ($sql, $copy) = @$statement{qw(sql copy)};
	push @script, "$sql;\n" . (defined $copy ? "$copy\\.\n" : '');
	my $done = eval {
		local $SIG{__WARN__} = sub { };
		$db->do($sql);
		if (defined $copy) { $db->pg_putcopydata($copy); $db->pg_putcopyend }
		1;
	};
	return ('', '') if $done;
	return ($db->state || 'XXXXX', $db->errstr // $@);
}

sub quietly { my ($sql) = @_; my ($state, $message) = run({ sql => $sql }); return $state }

# In a transaction, each statement has a savepoint to go back to.
my $in_transaction = 0;

sub run_in_savepoint
{
	my ($statement) = @_;
	quietly('SAVEPOINT before') if $in_transaction;
	my @answer = run($statement);
	quietly('ROLLBACK TO before') if $in_transaction and $answer[0] and $db->ping;
	return @answer;
}

sub class_of
{
	my ($state) = @_;
	return !$state ? 'ok' : $state =~ /^23PN/ ? '23PN' : $state =~ /^(?:22|23|25|39|42|55)/ ? substr($state, 0, 2) : 'other';
}
my @classes = qw(ok 23PN 22 23 25 39 42 55 other);

# Does the model say that this order would get in?  Then it must not be told otherwise.
sub is_right_order
{
	my ($world, $row, $state) = @_;
	my $orders = $world->{orders};
	my @gates = @{ $orders->{gates} };
	return 0 if !$row or $in_transaction or @gates != 1 or !$gates[0]{well} or $world->{has_others};
	my ($gate) = @gates;
	my @key = map { $row->{ quoted($_) } } @{ $gate->{steps}[0]{columns} };
	return 0 if grep { !defined $_ || $_ eq 'NULL' } @key;
	my $join = $gate->{steps}[0]{join};

	for my $i (0 .. $#key)
	{
		my $name = quoted($gate->{steps}[0]{columns}[$i]);
		my $value = $key[$i] . '::' . $orders->{type}{ $gate->{steps}[0]{columns}[$i] };
		$join =~ s/= a\.\Q$name\E(?= AND|$)/= $value/;
	}
	my $first = eval { $db->selectrow_array("SELECT b.tag FROM $gate->{steps}[0]{table}{name} b WHERE $join") } // return 0;
	my $pin = $row->{ quoted($gate->{pin}) } // return 0;
	my $ways = Oracle::ways($gate, $first, $state);
	return !grep { !Oracle::opens($db, $gate, $state->{now}, $_, [ $pin =~ s/^'|'$//gr ]) } @$ways;
}

sub on_record { return $watch->selectrow_array('SELECT count(*) FROM port_pin_failures') }

# A value that can't be a PIN is wrong, but no attempt.
sub told_but_not_recorded
{
	my ($statement, $state) = @_;
	my $before = $recorded;
	$recorded = on_record();
	return () if $state ne '23PN7' or grep { defined && !/^\d{6,10}$/ } map { @$_ } values %{ $statement->{pins} };
	return () if !$db->selectrow_array('SHOW portpin.max_failures_per_account');
	$looked{told_is_recorded}++;
	return $recorded > $before ? () : [ told_is_recorded => "$recorded are" ];
}

# Is the session still there?  The only error that may end it is that of an attempt that
# could not be recorded.
sub lost_session
{
	my ($state, $message) = @_;
	return () if $db->ping;
	my @wrong = $state eq '58000' ? () : [ no_crash => $message ];
	connect_session();
	$in_transaction = 0;
	return @wrong;
}

# The view that says what is well has to answer, too.
sub look_at_all_guards
{
	my ($world) = @_;
	push @script, "SELECT relation, guard, definition, problem FROM port_pin_guards;\n";
	return () if eval { look_at_guards($db, $world); 1 };
	my @wrong = (complaints_of_answer({}, $db->state, $db->errstr // $@), lost_session($db->state, $@));
	return @wrong ? @wrong : [ no_internal_error => $@ ];
}

my %guarding = map { $_ => 1 } qw(guard definition DDL call transaction);

# The call that port_pin_guards shows leaves a guard without a problem as it was.
sub complaints_of_definition
{
	my ($world, $sql, $message) = @_;
	return [ definition_holds => $message ] if $message;
	return () if grep { $_ eq $sql } map { @{ $_->{definitions} } } @{ $world->{tables} };
	return [ definition_holds => "its guard is another one, or has a problem, after $sql" ];
}

# How many orders were let in, and how many not: by an error, or a verdict.
sub count_orders
{
	my ($world, $before, $state) = @_;
	$refused++ if $state =~ /^23PN[1-9A]/;
	for my $gate (@{ $world->{orders}{gates} })
	{
		my ($old, $new) = map { $_->{rows}{orders} // {} } $before, $world->{state};
		for my $tag (grep { !$old->{$_} } keys %$new)
		{
			defined $gate->{verdict} && ($new->{$tag}{ $gate->{verdict} } // '') ne 'accepted' ? $refused++ : $accepted++;
		}
	}
}

# Run a statement and look at what comes of it: returns what is wrong.
sub step
{
	my ($world, $statement, %more) = @_;
	my $before = $world->{state};
	my $right = $statement->{single} && is_right_order($world, $statement->{single}, $before);
	my ($state, $message) = $more{as} ? as_role($more{as}, $statement) : run_in_savepoint($statement);
	$count{ $statement->{kind} }{ class_of($state) }++;
	my @wrong = (complaints_of_answer($statement, $state, $message), lost_session($state, $message),
		told_but_not_recorded($statement, $state));
	push @wrong, [ right_order_let_in => $message ] if $right and $state =~ /^23PN[124567]/ and !$more{as};
	$looked{right_order_let_in}++ if $right;
	push @wrong, look_at_all_guards($world) if $guarding{ $statement->{kind} };
	push @wrong, complaints_of_definition($world, $statement->{sql}, $message) if $statement->{kind} eq 'definition';
	return @wrong if @wrong;
	$world->{state} = look_at_rows($db, $world);
	count_orders($world, $before, $state);
	my $rows = sub { my ($table) = @_; return scalar keys %{ $world->{state}{rows}{ $table->{role} } // {} } };

	for my $table (grep { $_->{well} } @{ $world->{tables} })
	{
		$looked{never_cleared} += $rows->($table) if @{ $table->{protects} };
		$looked{never_deleted} += $rows->($table) if grep { $_->{forbid_delete} } @{ $table->{protects} };
		$looked{stamp_is_the_guards} += $rows->($table) if grep { $_->{changed} || $_->{used} } @{ $table->{protects} };
		$looked{stays_sealed} += $rows->($table)
		  if grep { ($table->{type}{ $_->{pin} // '' } // '') =~ /sealed/ } @{ $table->{protects} };
		for my $gate (grep { $_->{well} } @{ $table->{gates} })
		{
			$looked{ defined $gate->{verdict} ? 'no_wrong_verdict' : 'no_wrong_order' } += $rows->($table);
			$looked{verdict_kept} += $rows->($table) if defined $gate->{verdict};
			$looked{redacted} += $rows->($table) if $gate->{redact};
		}
	}
	$looked{$_}++ for qw(no_internal_error no_crash), $state ? 'no_pin_told' : ();
	$looked{definition_holds}++ if $statement->{kind} eq 'definition';
	push @wrong, complaints_of($db, $world, $statement, $before, $world->{state})
	  if !$state and !$guarding{ $statement->{kind} };
	return @wrong;
}

sub as_role
{
	my ($role, $statement) = @_;
	quietly("SET ROLE $role");
	my @answer = run_in_savepoint($statement);
	quietly('RESET ROLE') if $db->ping;
	return @answer;
}

## A round

sub transaction_step
{
	my ($world) = @_;
	my $sql =
	  $in_transaction
	  ? one_of('COMMIT', 'COMMIT', 'ROLLBACK', 'SET CONSTRAINTS ALL DEFERRED', 'SET CONSTRAINTS ALL IMMEDIATE')
	  : 'BEGIN ISOLATION LEVEL ' . one_of('READ COMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE');
	my $ends = $sql =~ /^(COMMIT|ROLLBACK)/;
	my $statement = { kind => 'transaction', sql => $sql, pins => {} };
	my ($state, $message) = $ends ? run($statement) : run_in_savepoint($statement);
	$count{transaction}{ class_of($state) }++;
	$in_transaction = $ends ? 0 : 1;
	my @wrong = (complaints_of_answer($statement, $state, $message), lost_session($state, $message));
	push @wrong, look_at_all_guards($world);
	$world->{state} = look_at_rows($db, $world) if !@wrong;
	return @wrong;
}

sub any_step
{
	my ($world) = @_;
	my $dice = rand;
	return transaction_step($world) if $dice < ($in_transaction ? 0.12 : 0.04);
	return step($world, { kind => 'call', sql => a_call($world, \@functions), pins => {} }) if $dice > 0.95;
	return step($world, { kind => 'guard', sql => a_guard($world), pins => {} }) if maybe($world->{unrest});
	if (maybe($world->{unrest}))
	{
		my $sql = a_change($world);
		$world->{has_others} = 1 if $sql =~ /TRIGGER/;
		return step($world, { kind => 'DDL', sql => $sql, pins => {} });
	}
	my @definitions = $in_transaction ? () : map { @{ $_->{definitions} } } @{ $world->{tables} };
	return step($world, { kind => 'definition', sql => one_of(@definitions), pins => {} }) if @definitions and maybe(0.02);
	my $statement = a_statement($world);
	return step($world, $statement,
		as => $statement->{sql} =~ /^INSERT INTO \Q$world->{orders}{name}\E/ && maybe(0.1) ? 'clerk' : undef);
}

# Tables, mostly rows, and guards.
sub make_world
{
	my ($schema) = @_;
	my ($world, @statements) = new_world($schema);
	for my $sql (@statements) { my $state = quietly($sql); $count{'CREATE'}{ class_of($state) }++ }
	look_at_guards($db, $world);
	my @rows;
	for my $n (1 .. 6)
	{
		push @rows, map { an_account_row($world, $_, $n, maybe(0.8) ? one_of(@{ $world->{pins} }) : undef) }
		  grep { $_->{role} ne 'orders' } @{ $world->{tables} };
	}
	my $rows_first = maybe(0.3);
	$rows_first and quietly($_) for @rows;
	$world->{unrest} = one_of(0, 0.01, 0.03, 0.2);
	my @guards = maybe(0.95) ? all_guards($world) : ();
	@guards = reverse @guards if maybe(0.05);
	$world->{state} = look_at_rows($db, $world);
	my @wrong = map { step($world, { kind => 'guard', sql => $_, pins => {} }) } @guards;
	$rows_first or quietly($_) for @rows;
	$world->{state} = look_at_rows($db, $world);
	return ($world, @wrong);
}

sub new_round
{
	my ($seed) = @_;
	srand $seed;
	@script = ();
	$in_transaction = 0;
	$db->do('DISCARD ALL');
	$db->do(q{SET TimeZone = 'UTC'; SET DateStyle = 'ISO'});
	$db->do('TRUNCATE port_pin_failures, port_pin_history');
	$recorded = 0;
	quietly('SET portpin.max_failures_per_account = ' . one_of(0, 0, 10));
}

sub end_round
{
	my ($schema) = @_;
	quietly('ROLLBACK') if $in_transaction;
	$in_transaction = 0;
	eval {
		local $SIG{__WARN__} = sub { };
		$db->do('RESET ROLE');
		$db->do("DROP SCHEMA IF EXISTS $schema CASCADE");
	} or die "$schema: $@";
}

sub report
{
	my ($seed, @wrong) = @_;
	my $file = "$dir/round-$seed.sql";
	open my $fh, '>', $file or die "$file: $!";
	print $fh @script;
	close $fh;
	my %says = @oracles;
	for (@wrong)
	{
		$failed{ $_->[0] }++;
		print "$_->[0] FAILED: $says{$_->[0]}\n  $_->[1]\n";
	}
	my $from = @script > 12 ? @script - 12 : 0;
	print "The last statements; all are in $file, and --seed $seed --rounds 1 repeats them:\n",
	  map { s/^/    /mgr } @script[ $from .. $#script ];
}

sub one_round
{
	my ($seed) = @_;
	my $schema = 'f' . $seed;
	new_round($seed);
	my ($world, @wrong) = make_world($schema);
	for (1 .. $opt{statements})
	{
		last if @wrong;
		@wrong = any_step($world);
	}
	for my $table (@{ $world->{tables} })
	{
		$guards += @{ $table->{protects} }, $well += $table->{well} ? @{ $table->{protects} } : 0;
		$gates += @{ $table->{gates} }, $gates_well += grep { $_->{well} } @{ $table->{gates} };
	}
	report($seed, @wrong) if @wrong;
	end_round($schema);
	return @wrong;
}

## Controls: each oracle must notice when what it is about is broken behind its back

# A small world that is as it should be.
my @control_tables = (
	'CREATE SCHEMA control', 'SET search_path = control, public',
	'CREATE TABLE control.accounts (key1 int PRIMARY KEY, pin port_pin, changed timestamptz, tag int UNIQUE)',
	'CREATE TABLE control.numbers (key1 int PRIMARY KEY, pin port_pin_sealed, tag int UNIQUE)',
	'CREATE TABLE control.orders (fk1 int REFERENCES control.accounts, pin port_pin, tag int PRIMARY KEY, verdict port_pin_verdict)'
);
my @control_guards = (q{SELECT port_pin_protect('control.accounts', changed => 'changed', forbid_delete => true)},
	q{SELECT port_pin_protect('control.numbers')});
my @control_rows = (q{INSERT INTO control.accounts VALUES (1, '7700000001', NULL, 1), (2, NULL, NULL, 2)},
	q{INSERT INTO control.numbers VALUES (1, '7700000001', 1)});
my $refusing = q{SELECT port_pin_gate('control.orders')};
my $judging = q{SELECT port_pin_gate('control.orders', verdict => 'verdict')};
my $redacting = q{SELECT port_pin_gate('control.orders', redact => true)};
my $off = 'SET session_replication_role = replica';
my $raise = sub {
	my ($state, $message) = @_;
	return "DO \$\$ BEGIN RAISE EXCEPTION USING ERRCODE = '$state', MESSAGE = '$message'; END \$\$";
};
my $wrong_order = q{INSERT INTO control.orders VALUES (1, '7700000009', 1)};
my $right_order = q{INSERT INTO control.orders VALUES (1, '7700000001', 1)};

# The gate; what is done unseen; the statement that is looked at, and its kind if that matters.
my %control = (
	no_internal_error => [ $refusing, [], $raise->('XX000', 'x') ],
	no_crash => [ $refusing, [], 'SELECT pg_terminate_backend(pg_backend_pid())' ],
	no_pin_told => [ $refusing, [], "SET portpin.max_failures_per_account = 0; " . $raise->('23PN7', 'no 7700000001') ],
	never_cleared => [ $refusing, [$off], 'UPDATE control.accounts SET pin = NULL' ],
	never_deleted => [ $refusing, [$off], 'DELETE FROM control.accounts WHERE tag = 1' ],
	stays_sealed => [
		$refusing, [ $off, 'ALTER TABLE control.numbers DROP CONSTRAINT pin_is_sealed' ],
		q{UPDATE control.numbers SET pin = '7700000002'} ],
	stamp_is_the_guards => [ $refusing, [$off], 'UPDATE control.accounts SET changed = now()' ],
	no_wrong_order => [ $refusing, [$off], $wrong_order ],
	no_wrong_verdict => [ $judging, [$off], q{INSERT INTO control.orders VALUES (1, '7700000009', 1, 'accepted')} ],
	verdict_kept => [ $judging, [ $right_order, $off ], 'UPDATE control.orders SET verdict = NULL' ],
	redacted => [ $redacting, [$off], $right_order ],
	right_order_let_in => [
		$refusing,
		[   q{CREATE FUNCTION control.refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION USING ERRCODE = '23PN7'; END$$},
			'CREATE TRIGGER refuse BEFORE INSERT ON control.orders FOR EACH ROW EXECUTE FUNCTION control.refuse()' ],
		$right_order ],
	definition_holds => [ $refusing, [], 'SELECT 1 / 0', 'definition' ],
	told_is_recorded => [ $refusing, [], $raise->('23PN7', 'wrong') ]);

sub control_world
{
	my ($gate) = @_;
	my %common = (key => [], protects => [], gates => [], column => {});
	my @tables = map { { %common, role => $_, name => "control.$_" } } qw(accounts numbers orders);
	my $world = { schema => 'control', tables => \@tables, orders => $tables[2] };
	quietly($_) for @control_tables, @control_guards, @control_rows, $gate;
	look_at_guards($db, $world);
	$world->{state} = look_at_rows($db, $world);
	return $world;
}

sub control
{
	my ($name) = @_;
	new_round($opt{seed});
	if ($name eq 'no_pin_logged')
	{
		quietly($raise->('23PN7', 'no 7700000001'));
		return scalar pins_in_log();
	}
	my ($gate, $unseen, $sql, $kind) = @{ $control{$name} };
	my $world = control_world($gate);
	quietly('SET portpin.max_failures_per_account = 10');
	quietly($_) for @$unseen;
	$world->{state} = look_at_rows($db, $world);
	my %given =
	  $sql =~ /INTO control.orders VALUES \((\d+), ('\d+'), 1/
	  ? (single => { fk1 => $1, pin => $2, tag => 1 }, pins => { 1 => [ $2 =~ s/'//gr ] })
	  : (pins => {});
	my @wrong = step($world, { kind => $kind // 'control', sql => $sql, %given });
	quietly('RESET session_replication_role');
	end_round('control');
	return scalar grep { $_->[0] eq $name } @wrong;
}

## sqlsmith, which queries tables and functions at random

# It quotes no names, so it gets the tables of the controls.
sub run_sqlsmith
{
	control_world($judging);
	$db->do('CREATE ROLE smith LOGIN; GRANT USAGE ON SCHEMA control TO smith;'
		  . 'GRANT ALL ON ALL TABLES IN SCHEMA control, public TO smith; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO smith');
	my $transactions = sub {
		return $watch->selectrow_array('SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()');
	};
	my $before = $transactions->();
	my $target = "host=$opt{work} dbname=postgres user=smith";
	system("timeout $opt{sqlsmith} sqlsmith --target='$target' --seed=$opt{seed} --exclude-catalog >$dir/sqlsmith.out 2>&1");
	connect_session();
	my $asked = $transactions->() - $before;
	my @wrong = (look_in_log(qr/terminated by signal/),
		grep { /^XX\w+ LOCATION:.*, (\w+\.c):/ && $Oracle::own_files{$1} } look_in_log(qr/^XX/));
	print "\nsqlsmith: $asked transactions in $opt{sqlsmith} s, ", scalar @wrong, " internal errors of portpin's\n";
	$failed{no_internal_error}++, print "  $_\n" for @wrong;
	end_round('control');
}

sub pins_in_log { return look_in_log(qr/^23PN. .*(?<!\d)77\d{6,8}(?!\d)/) }

## The campaign

connect_session();
$watch = connect_to(60);
$db->do('CREATE EXTENSION portpin CASCADE');
$db->do('CREATE EXTENSION citext');
$db->do('CREATE ROLE clerk');
@functions = map { [ @$_[ 0, 1 ], @{ $_->[2] } ] } @{
	$db->selectall_arrayref(q{
	SELECT proname, prokind, ARRAY(SELECT format_type(t, NULL) FROM unnest(proargtypes) WITH ORDINALITY a (t, n) ORDER BY n)
	FROM pg_proc JOIN pg_depend ON classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e'
		JOIN pg_extension e ON refobjid = e.oid AND extname = 'portpin' ORDER BY pg_proc.oid}) };

my $begun = time;
my ($rounds, $bad) = (0, 0);
for my $round (0 .. $opt{rounds} - 1)
{
	last if $opt{seconds} and time - $begun > $opt{seconds};
	$rounds++;
	$bad++ if one_round($opt{seed} + $round);
	last if $bad >= 5;
}
run_sqlsmith() if $opt{sqlsmith};
my @logged = pins_in_log();
$looked{no_pin_logged} = scalar look_in_log(qr/^23PN/);
if (@logged)
{
	$failed{no_pin_logged} = 1;
	print "no_pin_logged FAILED: $_\n" for @logged[ 0 .. ($#logged < 3 ? $#logged : 3) ];
}

my %controlled;
for (my $i = 0; $i < @oracles; $i += 2)
{
	next if $opt{control} and $opt{control} ne $oracles[$i];
	$controlled{ $oracles[$i] } = control($oracles[$i]) ? 'noticed' : 'OVERLOOKED';
}

delete $count{control};
printf "\n%-20s %7s" . ' %6s' x @classes . "\n", 'statement', 'run', @classes;
my %sum;
for my $kind (sort(keys %count), 'all')
{
	my $of = $kind eq 'all' ? \%sum : $count{$kind};
	my $all = 0;
	for my $class (@classes) { $all += $of->{$class} // 0; $sum{$class} += $of->{$class} // 0 if $kind ne 'all' }
	printf "%-20s %7d" . ' %6d' x @classes . "\n", $kind, $all, map { $_ // 0 } @$of{@classes};
}
printf "\n%d rounds, %.0f s: %d guards (%d without a problem), %d gates (%d), %d orders accepted, %d refused\n", $rounds,
  time - $begun,
  $guards, $well, $gates, $gates_well, $accepted, $refused;
my %says = @oracles;
end_campaign(
	map {
		my $name = $_;
		{ name => $name, says => $says{$name}, looked => $looked{$name}, failed => $failed{$name},
			control => $controlled{$name} }
	  }
	  map { $oracles[ 2 * $_ ] } 0 .. @oracles / 2 - 1);
