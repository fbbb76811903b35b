# What the programs of the campaigns share (torture, fuzz, bound): their options, how they
# reach the server that campaign.sh started, PINs that can be told from everything else,
# and the table at the end.

package Campaign;

use strict;
use warnings;
use DBI;
use Exporter 'import';
use Getopt::Long;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(%opt $dsn $dir start_campaign connect_to run_file look_in_log new_pin one_of end_campaign);
our (%opt, $dsn, $dir);

# Read the options, which have these defaults; those that default to text take text.
sub start_campaign
{
	my ($name, %defaults) = @_;
	%opt = (seed => time ^ $$, %defaults);
	GetOptions(\%opt, 'bindir=s', 'work=s', map { $opt{$_} =~ /^\d+$/ ? "$_=i" : "$_=s" } sort keys %opt)
	  or die "see run.sh\n";
	$dir = "$opt{work}/$name";
	$dsn = "dbi:Pg:host=$opt{work};dbname=postgres;options='-c client_min_messages=error'";
	mkdir $dir or die "$dir: $!";
	$| = 1;
	srand $opt{seed};
	print "seed $opt{seed}\n";
}

sub connect_to
{
	my ($patience, %attributes) = @_;
	my $end = time + $patience;
	while (1)
	{
		my $db = DBI->connect($dsn, 'postgres', '', { PrintError => 0, Warn => 0, %attributes });
		if ($db) { $db->{RaiseError} = 1; return $db }
		die "the server does not come back: $DBI::errstr\n" if time > $end;
		sleep 0.1;
	}
}

# As one transaction.
sub run_file
{
	my ($db, $file) = @_;
	open my $fh, '<', $file or die "$file: $!";
	$db->do(join '', <$fh>);
}

sub look_in_log
{
	my ($pattern) = @_;
	open my $fh, '<', "$opt{work}/data/log" or die "log: $!";
	my @found = grep { $_ =~ $pattern } <$fh>;
	chomp @found;
	return @found;
}

# PINs of ten digits that begin like this can be told from everything else in a log.
sub new_pin { return '77' . sprintf '%08d', int rand 1e8 }
sub one_of { return $_[ rand @_ ] }

# Print the table of what must be so, and the last line.  Each invariant is a hash of
# name, looked (at how many), failed, control (noticed, if its failure was staged),
# says.
sub end_campaign
{
	my @list = @_;
	my ($passed, $wrong) = (0, 0);
	printf "\n%-26s %9s %-7s %-11s %s\n", 'invariant', 'looked at', 'result', 'when spoilt', 'what must be so';
	for my $one (@list)
	{
		my $control = $one->{control} // '-';
		$one->{failed} || $control eq 'OVERLOOKED' ? $wrong++ : $passed++;
		printf "%-26s %9d %-7s %-11s %s\n", $one->{name}, $one->{looked} // 0, $one->{failed} ? 'FAILED' : 'holds',
		  $control, $one->{says};
	}
	print "\nseed $opt{seed}\n$passed passed, $wrong failed\n";
	exit($wrong ? 1 : 0);
}

1;
