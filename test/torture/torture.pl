# The campaign that run.sh describes and starts: traffic, blows, restart, a look at the
# invariants; and at the end the controls and the table.

use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/..";
use List::Util qw(sum);
use POSIX ();
use Storable qw(dclone);
use Time::HiRes qw(sleep time);
use Campaign;
use Invariants;
use Model;
use Traffic;

start_campaign('torture', rounds => 3, seconds => 4, control => '');
my $data = "$opt{work}/data";
my $stop = "$dir/stop";
my @list = Invariants::list();
die "no invariant is called $opt{control}\n" if $opt{control} and !grep { $_->{name} eq $opt{control} } @list;

## The server

sub pg_ctl { return system("$opt{bindir}/pg_ctl -s -w -D $data -l $data/log @_ >>$dir/pg_ctl.log 2>&1") == 0 }

sub postmaster { open my $fh, '<', "$data/postmaster.pid" or die "postmaster.pid: $!"; return <$fh> + 0 }

# Kill -9 a process of the server, of one of these kinds.  The worker is there only while
# a failed attempt is being recorded: so it is held up until it is seen.
sub kill_process
{
	my (@types) = @_;
	my $db = connect_to(60);
	my @pids;
	eval {
		$db->begin_work;
		$db->do('LOCK TABLE port_pin_failures IN EXCLUSIVE MODE') if grep { $_ eq 'portpin' } @types;
		for (1 .. 100)
		{
			@pids = @{ $db->selectcol_arrayref(q{SELECT pid FROM pg_stat_activity WHERE backend_type = ANY (?)
				AND pid <> pg_backend_pid()}, undef, \@types) } and last;
			$db->do('SELECT pg_stat_clear_snapshot()');
			sleep 0.02;
		}
	};
	my $killed = @pids && kill 'KILL', $pids[ rand @pids ];
	eval { $db->disconnect };
	return $killed;
}

my @blow = (
	[ backend => sub { kill_process('client backend') } ],
	[ worker => sub { kill_process('portpin') } ],
	[ child => sub { kill_process('checkpointer', 'background writer', 'walwriter', 'autovacuum launcher') } ]);
my @end = (
	[ 'immediate stop' => sub { pg_ctl('-m immediate stop') } ],
	[ 'postmaster killed' => sub { kill 'KILL', postmaster() } ]);

# The rest of its processes may take a while to notice that the postmaster is gone.
sub restart
{
	for (1 .. 60) { return if pg_ctl('start'); sleep 0.5 }
	die "the server does not start\n";
}

## The clients

my %hung;

# Let them all run, each as a process of its own, until $traffic returns.
sub with_clients
{
	my ($round, $traffic) = @_;
	unlink $stop;
	my $model = Model->from_files(glob "$dir/client-*");
	my %pid;
	for my $client (1 .. 10)
	{
		my $pid = fork // die $!;
		$pid{$client} = $pid;
		next if $pid;
		srand $opt{seed} + 100 * $round + $client;
		my $self = Traffic->new(client => $client, round => $round, model => $model,
			file => "$dir/client-$client", until => sub { -e $stop });
		eval { $client == 9 ? $self->run_ddl("$opt{work}/keys") : $client == 10 ? $self->run_sealing : $self->run; 1 }
		  or print "client $client: $@";
		POSIX::_exit(0);
	}
	my $failed = eval { $traffic->(); 1 } ? '' : $@;
	open my $fh, '>', $stop or die "$stop: $!";
	close $fh;
	for my $client (sort keys %pid)
	{
		my $end = time + 300;
		sleep 0.05 until waitpid($pid{$client}, POSIX::WNOHANG) == $pid{$client} or time > $end;
		next if time <= $end;
		$hung{$client} = 1;
		kill 'KILL', $pid{$client};
		waitpid $pid{$client}, 0;
	}
	die $failed if $failed;
}

## The look at it

sub amcheck
{
	my $out = `$opt{bindir}/pg_amcheck -h $opt{work} -U postgres --heapallindexed --parent-check postgres 2>&1`;
	return $? ? split /\n/, $out : ();
}

$Invariants::server = { log => \&look_in_log, amcheck => \&amcheck, hung => [] };

# Puts right by hand what a crash leaves behind by design, as the manual says:
# unfinished DDL, and prepared transactions.
sub put_right
{
	my ($db) = @_;
	$db->do($_) for @{ $db->selectcol_arrayref(q{SELECT 'COMMIT PREPARED ' || quote_literal(gid) FROM pg_prepared_xacts}) };
	$db->do($_) for @{ $db->selectcol_arrayref(q{SELECT 'DROP INDEX ' || indexrelid::regclass FROM pg_index
		WHERE NOT (indisvalid AND indisready AND indislive) AND indexrelid::regclass::text ~ '_cc(new|old)\d*$'}) };
	$db->do(q{ALTER TABLE subscribers ATTACH PARTITION subscribers_spare FOR VALUES IN ('spare')})
	  if $db->selectrow_array(q{SELECT NOT relispartition FROM pg_class WHERE relname = 'subscribers_spare'});
	$db->do(q{CALL port_pin_seal_column('legacy')});
	$db->do(q{SELECT port_pin_lift_lockout('probe', 1)});
}

sub look
{
	my ($invariant) = @_;
	my ($n, @wrong) = eval { $invariant->{look}->() };
	return $@ ? (0, "can't be looked at: $@") : ($n, @wrong);
}

# Returns what is wrong, as lines.
sub look_at_all
{
	my @lines;
	my $db = $Invariants::db = connect_to(60);
	put_right($db);
	$Invariants::model = Model->from_files(glob "$dir/client-*");
	$Invariants::server->{hung} = [ sort keys %hung ];
	for my $invariant (@list)
	{
		$db->begin_work;
		my ($n, @wrong) = look($invariant);
		$db->rollback;
		$invariant->{looked} = $n;
		next if !@wrong;
		$invariant->{failed}++;
		push @lines, "$invariant->{name} FAILED: $invariant->{says}", map { "  $_" } grep { defined } @wrong[ 0 .. 4 ];
	}
	return @lines;
}

# An index that does not have all rows can't be made in a transaction that is rolled back.
sub spoil_index
{
	my ($db) = @_;
	$db->do($_) for 'CREATE TABLE spoilt (id int PRIMARY KEY)',
	  q{UPDATE pg_index SET indisready = false WHERE indexrelid = 'spoilt_pkey'::regclass},
	  'INSERT INTO spoilt VALUES (1)',
	  q{UPDATE pg_index SET indisready = true WHERE indexrelid = 'spoilt_pkey'::regclass};
	my ($n, @wrong) = (1, amcheck());
	$db->do('DROP TABLE spoilt');
	return @wrong;
}

# Does it notice, once it is spoilt?
sub control
{
	my ($invariant) = @_;
	my ($db, $model) = ($Invariants::db, $Invariants::model);
	my $spoil = $invariant->{spoil};
	return scalar(spoil_index($db)) if $spoil eq 'amcheck';
	local $Invariants::model = dclone($model);
	$db->begin_work;
	my @wrong = eval {
		$db->do('SET LOCAL session_replication_role = replica');
		ref $spoil ? $spoil->() : $db->do($spoil);
		$db->do('SET LOCAL session_replication_role = origin');
		my ($n, @found) = $invariant->{look}->();
		@found;
	};
	print "  control of $invariant->{name}: $@" if $@;
	$db->rollback;
	return @wrong > 0;
}

## The campaign

run_file(connect_to(60), "$FindBin::Bin/setup.sql");
for my $client (0 .. 8)
{
	my $self = Traffic->new(client => $client, round => 0, model => Model->new,
		file => "$dir/client-$client", until => sub { 0 });
	$self->connect;
	$self->create;
}

# What setup.sql has made must be there after each restart.
{
	my $db = connect_to(60);
	$db->do('CALL readable_again()');
	$Invariants::server->{guards} = $db->selectrow_array('SELECT count(*) FROM port_pin_guards');
	@{$Invariants::server}{qw(account_limit source_limit)} = $db->selectrow_array('SELECT * FROM port_pin_failure_limits()');
}

for my $round (1 .. $opt{rounds})
{
	my @blows = map { $blow[ (2 * $round + $_) % @blow ] } 0, 1;
	my $end = $end[ $round % @end ];
	my $begun = time;
	printf 'round %d: %s', $round, join ', ', map { $_->[0] . ' killed' } @blows;
	connect_to(60)->do('CALL readable_again()');
	with_clients($round, sub {
		for my $blow (@blows)
		{
			sleep $opt{seconds} / 3 * (0.5 + rand);
			$blow->[1]->() or print ' (was not there)';
			connect_to(60);
		}
		sleep $opt{seconds} / 3;
		$end->[1]->();
	});
	print ", $end->[0]";
	restart();
	my %answers;
	$answers{ $_->{answer} }++ for @{ Model->from_files(glob "$dir/client-*")->{events} };
	printf "; so far %d acknowledged, %d refused, %d lost", $answers{ok} // 0,
	  sum(map { /^23/ ? $answers{$_} : () } keys %answers) // 0, $answers{lost} // 0;
	$Invariants::server->{last} = $round == $opt{rounds};
	my @wrong = look_at_all();
	printf " (%.0f s)\n", time - $begun;
	print map { "  $_\n" } @wrong;
}

for my $invariant (@list)
{
	next if $opt{control} and $opt{control} ne $invariant->{name};
	$invariant->{control} = control($invariant) ? 'noticed' : 'OVERLOOKED';
}
end_campaign(@list);
