# What must be so according to what the server has acknowledged.  It is made from the
# events that clients write down.  An event is a hash, in a file one line of name=value.
# A client begins something (phase=begin) and learns the answer (phase=end): "ok", the
# SQLSTATE of an error, or "lost", where the connection broke: then both may be true.

package Model;

use strict;
use warnings;

sub new { return bless { things => {}, orders => {}, events => [], pending => {} }, shift }

sub from_files
{
	my ($class, @files) = @_;
	my $self = $class->new;
	for my $file (@files)
	{
		open my $fh, '<', $file or die "$file: $!";
		while (my $line = <$fh>)
		{
			chomp $line;
			$self->apply({ map { split /=/, $_, 2 } split /\t/, $line });
		}
	}
	return $self;
}

sub line
{
	my ($event) = @_;
	return join("\t", map { "$_=$event->{$_}" } sort keys %$event) . "\n";
}

sub apply
{
	my ($self, $event) = @_;
	if ($event->{phase} eq 'begin')
	{
		$event->{answer} = 'lost';
		$self->{pending}{ $event->{client} } = $event;
		push @{ $self->{events} }, $event;
		$self->{orders}{ $event->{uid} } = $event if $event->{op} eq 'order';
		if ($event->{op} eq 'set')
		{
			my $values = $self->{things}{ $event->{thing} }{ $event->{what} } //= {};
			$event->{added} = !$values->{ $event->{value} };
			$values->{ $event->{value} } = 1;
		}
		return;
	}
	my $begun = delete $self->{pending}{ $event->{client} };
	$begun->{$_} = $event->{$_} for qw(answer told seconds);
	$self->{things}{"desk_orders/$begun->{uid}"}{state} = { open => 1 }
	  if $begun->{op} eq 'order' and $begun->{gate} eq 'desk_orders' and $event->{answer} eq 'ok';
	return if $begun->{op} ne 'set' or $event->{answer} eq 'lost';
	my $values = $self->{things}{ $begun->{thing} }{ $begun->{what} };
	%$values = ($begun->{value} => 1) if $event->{answer} eq 'ok';
	delete $values->{ $begun->{value} } if $event->{answer} ne 'ok' and $begun->{added};
}

# All values that something may have.
sub values_of { my ($self, $thing, $what) = @_; return sort keys %{ $self->{things}{$thing}{$what} // {} } }

# Its value, undef if that is in doubt.
sub value_of
{
	my @values = values_of(@_);
	return @values == 1 ? $values[0] : undef;
}

# Things of a table by their tags.
sub tags
{
	my ($self, $table) = @_;
	return map { m{^\Q$table\E/(.*)} ? $1 : () } sort keys %{ $self->{things} };
}

sub events
{
	my ($self, %wanted) = @_;
	return grep {
		my $event = $_;
		!grep { ($event->{$_} // '') ne $wanted{$_} } keys %wanted
	} @{ $self->{events} };
}

1;
