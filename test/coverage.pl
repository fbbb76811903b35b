# Reads gcov's JSON, one object a line, and prints a table.  For coverage.sh:
#
#   perl coverage.pl LINES BRANCHES [--show]
#
# Fails below these percentages.

use strict;
use warnings;
use JSON::PP;

my %goal;
(@goal{qw(lines branches)}, my $show) = @ARGV;
my (%covered, %total);

# Macros of PostgreSQL whose branches no test can choose: those for levels of messages,
# and for values that are stored out of line, which portpin never has in hand.
my $macros = qr/\b(?:e(?:report\w*|log)|Assert|VAR(?:DATA|SIZE)_ANY(?:_EXHDR)?)(?=\()/;

# The lines that have such a macro, from its name to its last parenthesis.
sub lines_of_macros
{
	my ($source) = @_;
	my (%inside, $depth);

	for my $n (0 .. $#$source)
	{
		my $line = $source->[$n] =~ s/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'//gr;
		$depth = 0 if !$depth && $line =~ s/^.*?$macros//;
		next unless defined $depth;
		$inside{ $n + 1 } = 1;
		$depth += ($line =~ tr/(//) - ($line =~ tr/)//);
		undef $depth if $depth <= 0;
	}
	return \%inside;
}

while (my $json = <STDIN>)
{
	for my $file (@{ decode_json($json)->{files} })
	{
		my $name = $file->{file};
		next unless $name =~ m{^src/} && open my $fh, '<', $name;
		my @source = <$fh>;
		my $inside = lines_of_macros(\@source);

		for my $line (@{ $file->{lines} })
		{
			my $number = $line->{line_number};
			my @branches = $inside->{$number} ? () : @{ $line->{branches} };
			my @not_taken = grep { !$_->{count} } @branches;

			$total{$name}{lines}++;
			$covered{$name}{lines}++ if $line->{count};
			$total{$name}{branches} += @branches;
			$covered{$name}{branches} += @branches - @not_taken;
			next unless $show && (!$line->{count} || @not_taken);
			printf "%s:%d: %s: %s", $name, $number,
			  $line->{count} ? @not_taken . ' of ' . @branches . ' branches not taken' : 'not run',
			  $source[ $number - 1 ] =~ s/^\s+//r;
		}
	}
}

sub row
{
	my ($name, $total, $covered) = @_;
	my @cells = map {
		my ($of, $have) = ($total->{$_} // 0, $covered->{$_} // 0);
		$of ? sprintf('%5d of %5d %6.1f %%', $have, $of, 100 * $have / $of) : ''
	} qw(lines branches);
	printf "%-32s %24s %24s\n", $name, @cells;
}

printf "%-32s %24s %24s\n", 'file', 'lines', 'branches';
for my $name (sort keys %total)
{
	row($name, $total{$name}, $covered{$name});
	for my $sum ('all', $name =~ m{^src/(\w+)/})
	{
		for (qw(lines branches))
		{
			$total{$sum}{$_} += $total{$name}{$_};
			$covered{$sum}{$_} += $covered{$name}{$_} // 0;
		}
	}
}
row($_, $total{$_}, $covered{$_}) for (grep { !m{^src/|^all$} } sort keys %total), 'all';

my $missed = grep { 100 * $covered{all}{$_} < $goal{$_} * $total{all}{$_} } keys %goal;
printf "The goal of %g %% of lines and %g %% of branches is %s.\n", @goal{qw(lines branches)},
  $missed ? 'missed' : 'met';
exit($missed ? 1 : 0);
