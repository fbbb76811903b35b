# Reads what gcov says, as JSON, one object a line; prints a table.  For coverage.sh.

use strict;
use warnings;
use JSON::PP;

my $show = @ARGV;
my (%covered, %total);

# The lines on which a macro of PostgreSQL branches, from its name to its last parenthesis.
sub lines_of_macros
{
	my ($source) = @_;
	my (%inside, $depth);

	for my $n (0 .. $#$source)
	{
		my $line = $source->[$n] =~ s/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'//gr;
		$depth = 0 if !$depth && $line =~ s/^.*?\b(?:e(?:report\w*|log)|Assert)(?=\()//;
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
		my $macros = lines_of_macros(\@source);

		for my $line (@{ $file->{lines} })
		{
			my $number = $line->{line_number};
			my @branches = $macros->{$number} ? () : @{ $line->{branches} };
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

my (%all, %reached);
printf "%-32s %24s %24s\n", 'file', 'lines', 'branches';
for my $name (sort keys %total)
{
	row($name, $total{$name}, $covered{$name});
	for (qw(lines branches))
	{
		$all{$_} += $total{$name}{$_};
		$reached{$_} += $covered{$name}{$_} // 0;
	}
}
row('all', \%all, \%reached);
