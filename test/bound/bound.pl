# The program that run.sh describes and starts.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/..";
use POSIX ();
use Time::HiRes qw(time);
use Campaign;

start_campaign('bound', sessions => 16, guesses => 20, limit => 10, only => '');
my $right = '7700000001';

# A guess that nobody else sends, and the key of its order.
sub pin { my ($self, $n) = @_; return sprintf '77%04d%04d', $self->{client} + 1, $n }
sub id { my ($self, $n) = @_; return ($self->{account} * 100 + $self->{client}) * 10000 + $n }

# The answers to a statement: an SQLSTATE, or what it returns.  A session that ended is
# replaced.
sub answers
{
	my ($self, $sql, @values) = @_;
	my $rows = eval {
		my $sth = $self->{db}->prepare($sql);
		$sth->execute(@values);
		$sth->{NUM_OF_FIELDS} ? [ map { $_->[0] } @{ $sth->fetchall_arrayref } ] : [];
	};
	return @$rows ? @$rows : 'accepted' if $rows;
	my $state = $self->{db}->state;
	return $state if $self->{db}->ping;
	$self->{db} = connect_to(60);
	return 'ended';
}

my $order = 'INSERT INTO port_orders VALUES (?, ?, ?, ?)';
my $desk_order = 'INSERT INTO desk_orders VALUES (?, ?, ?) RETURNING verdict';

sub guess { my ($self, $n) = @_; return $self->answers($order, $self->id($n), $self->{account}, undef, $self->pin($n)) }

# In a transaction that stays open, each guess in a savepoint.
sub guess_in_savepoint
{
	my ($self, $n) = @_;
	$self->answers('SAVEPOINT s');
	my @answers = $self->guess($n);
	$self->answers('ROLLBACK TO s');
	return @answers;
}

my $all = \&guess;

# Ways to guess: a name, what it is; begin => what a session does first; guess => one of
# the guesses, which returns its answers; bound => what is promised, if not the limit.
our @modes = (
	refuse => { says => 'each guess a statement, and an error', guess => $all },
	verdict => {
		says => 'orders that are kept with their verdict',
		guess =>
		  sub { my ($self, $n) = @_; return $self->answers($desk_order, $self->id($n), $self->{account}, $self->pin($n)) } },
	bulk => {
		says => 'all guesses of a session in one statement, with verdicts', once => 1,
		guess => sub {
			my ($self) = @_;
			my @rows = map { sprintf "(%d, %d, '%s')", $self->id($_), $self->{account}, $self->pin($_) } 1 .. $opt{guesses};
			return $self->answers('INSERT INTO desk_orders VALUES ' . join(', ', @rows) . ' RETURNING verdict');
		}
	},
	resubmit => {
		says => 'one order, whose PIN is changed again and again',
		begin =>
		  sub { my ($self) = @_; $self->answers('INSERT INTO desk_orders VALUES (?, ?)', $self->id(0), $self->{account}) },
		guess => sub {
			my ($self, $n) = @_;
			return $self->answers('UPDATE desk_orders SET pin = ? WHERE id = ? RETURNING verdict', $self->pin($n),
				$self->id(0));
		}
	},
	upsert => {
		says => 'upserts of one order',
		guess => sub {
			my ($self, $n) = @_;
			return $self->answers(
				'INSERT INTO desk_orders VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET pin = EXCLUDED.pin RETURNING verdict',
				$self->id(0), $self->{account}, $self->pin($n));
		}
	},
	copy => {
		says => 'by COPY',
		guess => sub {
			my ($self, $n) = @_;
			my $done = eval {
				$self->{db}->do('COPY port_orders (id, account, pin) FROM STDIN');
				$self->{db}->pg_putcopydata(join("\t", $self->id($n), $self->{account}, $self->pin($n)) . "\n");
				$self->{db}->pg_putcopyend;
			};
			return $done ? 'accepted' : $self->{db}->state;
		}
	},
	behind => {
		says => 'behind an honest order in the same statement',
		guess => sub {
			my ($self, $n) = @_;
			return $self->answers("INSERT INTO port_orders VALUES (0, ?, NULL, '$right'), (?, ?, NULL, ?)",
				$self->{account}, $self->id($n), $self->{account}, $self->pin($n));
		}
	},
	among => {
		says => 'among honest orders of other sessions',
		guess => sub {
			my ($self, $n) = @_;
			return $self->{client} % 4 ? $self->guess($n) : map { $_ eq 'accepted' ? () : $_ }
			  $self->answers($order, 0, $self->{account}, undef, $right);
		}
	},
	snapshot => {
		says => 'REPEATABLE READ, with a snapshot from before all',
		begin => sub {
			my ($self) = @_;
			$self->answers('BEGIN ISOLATION LEVEL REPEATABLE READ');
			$self->answers('SELECT count(*) FROM accounts');
		},
		guess => \&guess_in_savepoint },
	savepoint => {
		says => 'one transaction, each guess in a savepoint',
		begin => sub { my ($self) = @_; $self->answers('BEGIN') }, guess => \&guess_in_savepoint },
	swallowed => {
		says => 'one statement, whose function swallows the errors',
		once => 1,
		guess => sub {
			my ($self) = @_;
			return $self->answers('SELECT try(?, (?::bigint + n)::text) FROM generate_series(1, ?) n', $self->{account},
				$self->pin(0), $opt{guesses});
		}
	},
	sealed => {
		says => 'at a sealed PIN',
		table => 'sealed_accounts',
		guess => sub {
			my ($self, $n) = @_;
			return $self->answers('INSERT INTO sealed_orders VALUES (?, ?, ?)', $self->id($n), $self->{account},
				$self->pin($n));
		}
	},
	numbers => {
		says => 'each session at another number of the account',
		begin =>
		  sub { my ($self) = @_; $self->answers('INSERT INTO numbers VALUES (?, ?)', $self->{client}, $self->{account}) },
		guess => sub {
			my ($self, $n) = @_;
			return $self->answers('INSERT INTO number_orders VALUES (?, ?, ?)', $self->id($n), $self->{client},
				$self->pin($n));
		}
	},
	hurried => {
		says => 'with a statement_timeout of some milliseconds',
		lossy => 1,
		guess => sub {
			my ($self, $n) = @_;
			$self->answers('SET statement_timeout = ' . int(1 + rand 8));
			return $self->guess($n);
		}
	},
	quitting => {
		says => 'in sessions that are terminated meanwhile', lossy => 1,
		begin => sub { my ($self) = @_; $self->{other} = connect_to(60) },
		guess => sub {
			my ($self, $n) = @_;
			my $seconds = rand 0.01;
			return $self->guess($n) if $n % 3;
			$self->{other}->do("SELECT pg_sleep($seconds), pg_terminate_backend($self->{db}{pg_pid})", { pg_async => 1 });
			my @answers = $self->guess($n);
			$self->{other}->pg_result;
			return @answers;
		}
	},
	source => {
		says => 'from one source, each guess at another account: the limit, and one a session under way',
		settings => 'max_accounts_per_source', bound => sub { return $opt{limit} + $opt{sessions} - 1 },
		guess => sub {
			my ($self, $n) = @_;
			return $self->answers($order, $self->id($n), 1000 + $self->{client} * $opt{guesses} + $n, 'thief',
				$self->pin($n));
		}
	},
	unrecorded => {
		says => 'while nothing can be recorded: one in five seconds, whose session ends', guesses => 2,
		hold => 'LOCK TABLE port_pin_failures IN EXCLUSIVE MODE',
		bound => sub { my ($seconds) = @_; return 1 + int($seconds / 5) }, guess => $all },
	control => {
		says => 'as the first, under a limit of twice as many: must not hold', guess => $all,
		begin => sub { my ($self) = @_; $self->answers('SET portpin.max_failures_per_account = ' . 2 * $opt{limit}) } });

# Let them all guess; returns how often each answer was given.
sub let_guess
{
	my ($mode, $account) = @_;
	my $gun = connect_to(60);
	$gun->do('SELECT pg_advisory_lock(1)');
	my @readers;
	for my $client (0 .. $opt{sessions} - 1)
	{
		pipe my $reader, my $writer or die $!;
		push @readers, $reader;
		my $pid = fork // die $!;
		next if $pid;
		$gun->{InactiveDestroy} = 1;
		srand $opt{seed} + $client;
		my $self = bless { client => $client, account => $account, db => connect_to(60) };
		$mode->{begin}->($self) if $mode->{begin};
		$self->{db}->do('SELECT pg_advisory_lock_shared(1)');
		my $n = $mode->{once} ? 1 : $mode->{guesses} // $opt{guesses};
		my @answers = map {
			my $i = $_;
			my @a = eval { $mode->{guess}->($self, $i) };
			$@ ? "died: $@" : @a
		} 1 .. $n;
		print $writer map { "$_\n" } @answers;
		close $writer;
		POSIX::_exit(0);
	}
	until (
		$gun->selectrow_array(
			q{SELECT count(*) = ? FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}, undef, $opt{sessions}))
	{
		Time::HiRes::sleep(0.02);
	}
	$gun->do('SELECT pg_advisory_unlock(1)');
	my %count;
	for my $reader (@readers)
	{
		while (<$reader>) { chomp; $count{$_}++ }
	}
	1 while wait > 0;
	return %count;
}

my $db = connect_to(60);
run_file($db, "$FindBin::Bin/setup.sql");
$db->do('INSERT INTO accounts SELECT n, ? FROM generate_series(1, 5000) n', undef, $right);

sub setting
{
	my ($name, $value) = @_;
	$db->do("ALTER SYSTEM SET portpin.$name = $value");
	$db->do('SELECT pg_reload_conf()');
	Time::HiRes::sleep(0.02)
	  until connect_to(60)->selectrow_array("SELECT current_setting('portpin.$name', true)") eq $value;
}

# Try one way to guess, and print its line of the table.  Does its promise hold?
sub look_at
{
	my ($name, $mode, $account) = @_;
	my $table = $mode->{table} // 'accounts';
	$db->do("INSERT INTO sealed_accounts VALUES (?, ?)", undef, $account, $right) if $mode->{table};
	$db->do('TRUNCATE port_pin_failures');
	setting($mode->{settings}, $opt{limit}) if $mode->{settings};
	my $holder = $mode->{hold} && connect_to(60);
	if ($holder) { $holder->begin_work; $holder->do($mode->{hold}) }
	my $begun = time;
	my %count = let_guess($mode, $account);
	my $seconds = time - $begun;
	$holder->rollback if $holder;
	setting($mode->{settings}, 0) if $mode->{settings};
	my $told = ($count{'23PN7'} // 0) + ($count{pin_mismatch} // 0) + ($mode->{hold} ? $count{ended} // 0 : 0);
	my $recorded = $db->selectrow_array('SELECT count(*) FROM port_pin_failures');
	my $bound = $mode->{bound} ? $mode->{bound}->($seconds) : $opt{limit};
	my $sent = 0;
	$sent += $_ for values %count;
	my $exact = $mode->{lossy} || $mode->{bound} || $told == $bound;
	my @died = grep { /^died/ } keys %count;
	my $holds =
		!@died
	  && $told <= $bound
	  && $exact
	  && ($mode->{hold} ? $recorded == 0 : $recorded >= $told && $recorded <= $bound)
	  && ($mode->{lossy} || $mode->{hold} || $recorded == $told);
	my @others = map { "$count{$_} $_" } grep { !/^(23PN7|pin_mismatch)$/ } sort keys %count;
	printf "%-11s %6d %6d %9d %9d  %-5s %s (%s)\n", $name, $sent, $told, $recorded, $bound, $holds ? 'yes' : 'NO',
	  $mode->{says}, join ', ', @others;
	return $holds;
}

setting('max_failures_per_account', $opt{limit});
printf "%d sessions, limit %d\n\n%-11s %6s %6s %9s %9s  %-5s %s\n", $opt{sessions}, $opt{limit},
  qw(mode sent told recorded promised), 'holds',
  'how they guess (other answers)';
my ($passed, $failed) = (0, 0);
for (my $i = 0; $i < @modes; $i += 2)
{
	my ($name, $mode) = @modes[ $i, $i + 1 ];
	next if $opt{only} and $opt{only} ne $name;
	my $holds = look_at($name, $mode, $i / 2 + 1);
	($name eq 'control' ? !$holds : $holds) ? $passed++ : $failed++;
}
print "\n$passed passed, $failed failed\n";
exit($failed ? 1 : 0);
