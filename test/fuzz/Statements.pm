# Random statements on the tables: every kind that can write a row.  Each is a hash of its
# kind, the SQL, and what the oracle has to know of it: the PINs that it gives to orders by
# their tag ('*': whichever), and whether it changes more than one table's keys.

package Statements;

use strict;
use warnings;
use Campaign;
use Exporter 'import';
use Tables;

our @EXPORT = qw(a_statement an_account_row some_rows);

my $keys = 20;

sub statement { my ($kind, $sql, %more) = @_; return { kind => $kind, sql => $sql, pins => {}, %more } }
sub column { my ($table, $for) = @_; return quoted($table->{column}{$for}) }

# Columns and values of a new row; a key that leads to an existing row.
sub key_values
{
	my ($key, $n) = @_;
	return map { maybe(0.03) ? 'NULL' : literal(spell_key($_, $n)) } @$key;
}

sub new_row
{
	my ($world, $table, $tag, %given) = @_;
	my %row = (tag => $tag);
	for my $list ($table->{role} eq 'orders' ? 'fk' : $table->{role} eq 'numbers' ? qw(key account) : 'key')
	{
		my @key = @{ $table->{$list} };
		my $value = $given{$list} // 1 + int rand $keys;
		@row{ map { quoted($_->{name}) } @key } = ref $value ? @$value : key_values(\@key, $value);
	}
	$row{ column($table, 'pin') } = literal(exists $given{pin} ? $given{pin} : pin_value($world)) if $table->{column}{pin};
	my %values = (scope => [ 'true', 'true', 'NULL', 'false' ], lock => [ 'false', 'false', 'false', 'NULL', 'true' ]);
	for my $for (qw(scope lock))
	{
		$row{ column($table, $for) } = one_of(@{ $values{$for} }) if $table->{column}{$for} and maybe(0.3);
	}
	delete $row{ column($table, 'scope') } if $table->{scope_is_generated};
	for my $for (qw(lock_until expires changed used))
	{
		$row{ column($table, $for) } = literal(time_value())
		  if $table->{column}{$for} and maybe($for eq 'expires' ? 0.2 : 0.08);
	}
	$row{ column($table, 'source') } = literal(one_of('Northwind', 'Fabrikam', undef))
	  if $table->{column}{source} and maybe(0.5);
	$row{ column($table, 'phone') } = literal(one_of('+12025550101', $world->{pins}[1], undef))
	  if $table->{column}{phone} and maybe(0.3);
	$row{ column($table, 'state') } = one_of(q{'east'}, q{'west'}) if $table->{column}{state} and maybe(0.6);
	$row{ column($table, 'verdict') } = one_of(q{'accepted'}, q{'pin_mismatch'})
	  if $table->{column}{verdict} and maybe(0.04);
	return \%row;
}

sub insert
{
	my ($table, @rows) = @_;
	my %columns = map { $_ => 1 } map { keys %$_ } @rows;
	my @columns = sort keys %columns;
	return "INSERT INTO $table->{name} (" . join(', ', @columns) . ') VALUES ' . join ', ', map {
		my $row = $_;
		'(' . join(', ', map { $row->{$_} // 'DEFAULT' } @columns) . ')'
	} @rows;
}

sub unliteral { my ($sql) = @_; return $sql eq 'NULL' ? undef : $sql =~ s/^'|'$//gr =~ s/''/'/gr }

# A row that the new one can refer to: by its tag and its columns.
sub a_row_of
{
	my ($world, $table) = @_;
	my $rows = $world->{state}{rows}{ $table->{role} } // {};
	return %$rows ? $rows->{ one_of(sort { $a <=> $b } keys %$rows) } : undef;
}

# Its key, as columns of these types can refer to it.
sub key_of_row
{
	my ($table, $row, $referring) = @_;
	return [ map {
			my $value = $row->{ $table->{key}[$_]{name} };
			$value = "e$value" if defined $value and $referring->[$_]{type} eq 'place' and $value !~ /^e/;
			literal($value);
		} 0 .. $#$referring ];
}

# The PIN that lets an order for it in; of sealed ones, what was written with the row.
sub pin_of_row
{
	my ($world, $table, $row) = @_;
	my $pin = $table->{column}{pin} && $row->{ $table->{column}{pin} };
	return $pin =~ /^sealed:/ ? $world->{digits}{"$table->{role} $row->{tag}"} : $pin if defined $pin and $pin =~ /\S/;
	return undef if $table->{role} ne 'numbers';
	my $accounts = $world->{accounts};
	for my $account (values %{ $world->{state}{rows}{accounts} // {} })
	{
		my @same = grep { ($account->{ $accounts->{key}[$_]{name} } // '') eq ($row->{ $table->{account}[$_]{name} } // '') }
		  0 .. $#{ $accounts->{key} };
		return pin_of_row($world, $accounts, $account) if @same == @{ $accounts->{key} };
	}
	return undef;
}

# New rows, which mostly refer to existing rows; and the PINs of orders by their tag.
sub some_rows
{
	my ($world, $table, $many) = @_;
	my $to = $table->{role} eq 'orders' ? $world->{numbers} // $world->{accounts} : $table->{role} eq 'numbers' ? $world->{accounts} : undef;
	my $list = $table->{role} eq 'orders' ? 'fk' : 'account';
	my (@rows, %pins);
	for (1 .. $many)
	{
		my $tag = ++$world->{tag};
		my %given;
		my $referred = $to && maybe(0.9) ? a_row_of($world, $to) : undef;
		$given{$list} = key_of_row($to, $referred, $table->{$list}) if $referred;
		my $right = $referred && $table->{role} eq 'orders' ? pin_of_row($world, $to, $referred) : undef;
		$given{pin} = $right if defined $right and maybe(0.6);
		my $row = new_row($world, $table, $tag, %given);
		my $pin = $table->{column}{pin} ? unliteral($row->{ column($table, 'pin') }) : undef;
		$pins{$tag} = [$pin] if $table->{role} eq 'orders';
		$world->{digits}{"$table->{role} $tag"} = $pin if $table->{role} ne 'orders';
		push @rows, $row;
	}
	return (\%pins, @rows);
}

sub an_account_row
{
	my ($world, $table, $n, $pin) = @_;
	my $tag = ++$world->{tag};
	$world->{digits}{"$table->{role} $tag"} = $pin;
	return insert($table, new_row($world, $table, $tag, key => $n, account => $n, pin => $pin));
}

## Parts of statements

sub a_tag { my ($world) = @_; return 1 + int rand($world->{tag} + 1) }

sub condition
{
	my ($world, $table) = @_;
	return 'true' if maybe(0.07);
	return one_of('tag = ' . a_tag($world), 'tag = ' . a_tag($world),
		'tag IN (' . join(', ', map { a_tag($world) } 1 .. 3) . ')', 'tag % 3 = 1');
}

# What an UPDATE sets: pairs of column and value, and the PINs among them.
sub settings
{
	my ($world, $table) = @_;
	my (%set, @pins);
	my $orders = $table->{role} eq 'orders';
	if ($table->{column}{pin} and maybe(0.6))
	{
		my $pin = pin_value($world);
		push @pins, $pin;
		$set{ column($table, 'pin') } = maybe(0.05) ? 'DEFAULT' : literal($pin);
	}
	my $list = $orders ? 'fk' : $table->{role} eq 'numbers' ? one_of('key', 'account', 'account') : 'key';
	if (maybe(0.25))
	{
		my $n = 1 + int rand $keys;
		for my $part (@{ $table->{$list} }) { $set{ quoted($part->{name}) } = literal(spell_key($part, $n)) if maybe(0.8) }
	}
	my %other = (
		scope => [qw(true false NULL)], lock => [qw(true false NULL)], note => [ q{'x'}, 'NULL' ],
		state => [ q{'east'}, q{'west'} ],
		source => [q{'Northwind'}], verdict => [ q{'accepted'}, 'NULL', q{'pin_mismatch'} ]);
	for my $for (sort keys %other)
	{
		$set{ column($table, $for) } = one_of(@{ $other{$for} }) if $table->{column}{$for} and maybe(0.12);
	}
	for my $for (qw(lock_until expires changed used))
	{
		$set{ column($table, $for) } = literal(time_value()) if $table->{column}{$for} and maybe(0.05);
	}
	$set{ column($table, 'note') } = q{'y'} if !%set and $table->{column}{note};
	$set{ column($table, 'lock') } = 'true' if !%set;
	return (\@pins, %set);
}

sub set_list
{
	my (%set) = @_;
	return join ', ', map { "$_ = $set{$_}" } sort keys %set;
}

## Kinds of statements: on one table, except for those on many

sub insert_rows
{
	my ($world, $table) = @_;
	my $many = one_of(1, 1, 1, 1, 2, 5);
	my ($pins, @rows) = some_rows($world, $table, $many);
	my $sql = insert($table, @rows);
	return statement('INSERT', $sql, pins => $pins, single => $many == 1 && $table->{role} eq 'orders' ? $rows[0] : undef);
}

sub insert_select
{
	my ($world, $table) = @_;
	my ($pins, @rows) = some_rows($world, $table, 3);
	my $one = insert($table, @rows);
	$one =~ s/VALUES (.*)/SELECT * FROM (VALUES $1) v/s;
	return insert_rows($world, $table)
	  if $one =~ /DEFAULT/ || grep { /^(?!text)/ } map { $_->{type} } map { @{ $table->{$_} // [] } } qw(key fk account);
	return statement('INSERT SELECT', $one, pins => $pins);
}

sub update
{
	my ($world, $table) = @_;
	my ($pins, %set) = settings($world, $table);
	my $sql = "UPDATE $table->{name} SET " . set_list(%set) . ' WHERE ' . condition($world, $table);
	$sql .= ' RETURNING *' if maybe(0.2);
	return statement('UPDATE', $sql, pins => { '*' => $pins });
}

sub update_otherwise
{
	my ($world, $table) = @_;
	my $pin = $table->{column}{pin} ? column($table, 'pin') : return update($world, $table);
	my $value = pin_value($world);
	my $v = literal($value);
	my $t = $table->{name};
	my $where = condition($world, $table);
	my $sql = one_of(
		"UPDATE $t SET $pin = (SELECT $v WHERE false) WHERE $where",
		"UPDATE $t SET ($pin, tag) = ROW ($v, tag) WHERE $where",
		"UPDATE $t SET ($pin, tag) = (SELECT $v, tag) WHERE $where",
		"UPDATE $t x SET $pin = y.$pin FROM $t y WHERE y.tag = " . a_tag($world) . " AND x.tag = " . a_tag($world),
		"UPDATE $t x SET $pin = nullif(x.${pin}::text, x.${pin}::text)",
		"WITH u AS (UPDATE $t SET $pin = $v WHERE $where RETURNING tag) SELECT count(*) FROM u",
		"DO \$\$ BEGIN UPDATE $t SET $pin = $v WHERE $where; EXCEPTION WHEN OTHERS THEN NULL; END \$\$",
		"DO \$\$ DECLARE c CURSOR FOR SELECT * FROM $t WHERE $where FOR UPDATE; r record; BEGIN OPEN c; FETCH c INTO r; "
		  . "UPDATE $t SET $pin = $v WHERE CURRENT OF c; END \$\$");
	return statement('UPDATE (other forms)', $sql, pins => { '*' => [ $value, @{ $world->{pins} } ] });
}

sub upsert
{
	my ($world, $table) = @_;
	return insert_rows($world, $table) if !$table->{unique_tag};
	my ($pins, $row) = some_rows($world, $table, 1);
	my $tag = a_tag($world);
	$pins = { $tag => [ map { @$_ } values %$pins ] };
	$row->{tag} = $tag;
	my ($set_pins, %set) = settings($world, $table);
	for my $column (sort keys %set) { $set{$column} = "EXCLUDED.$column" if maybe(0.6) }
	push @{ $pins->{$tag} }, @$set_pins;
	return statement(
		'INSERT ON CONFLICT',
		insert($table, $row)
		  . ' ON CONFLICT '
		  . (
			maybe(0.15)
			? 'DO NOTHING'
			: '(tag) DO UPDATE SET ' . set_list(%set) . (maybe(0.2) ? " WHERE $table->{name}.tag > 2" : '')),
		pins => $pins);
}

sub merge
{
	my ($world, $table) = @_;
	my ($pins, $row) = some_rows($world, $table, 1);
	my ($set_pins, %set) = settings($world, $table);
	my $n = one_of(a_tag($world), $row->{tag});
	$pins = { $n => [ map { @$_ } values %$pins ] };
	$row->{tag} = 's.tag';
	my @columns = sort keys %$row;
	my @when = (
			"WHEN MATCHED"
		  . (maybe(0.3) ? ' AND t.tag % 2 = 0' : '')
		  . ' THEN '
		  . one_of(('UPDATE SET ' . set_list(%set)) x 4, 'DELETE', 'DO NOTHING'),
		'WHEN NOT MATCHED THEN INSERT ('
		  . join(', ', @columns)
		  . ') VALUES ('
		  . join(', ', map { $row->{$_} } @columns) . ')');
	return statement(
		'MERGE', "MERGE INTO $table->{name} t USING (VALUES ($n)) s (tag) ON t.tag = s.tag " . join(' ', @when),
		pins => { %$pins, '*' => $set_pins });
}

sub remove
{
	my ($world, $table) = @_;
	return update($world, $table) if $table->{role} ne 'orders' and maybe(0.5);		# they are what orders need
	return statement('DELETE', "DELETE FROM $table->{name} WHERE " . condition($world, $table));
}

sub truncate_table
{
	my ($world, $table) = @_;
	return remove($world, $table) if maybe(0.85);
	return statement('TRUNCATE', "TRUNCATE $table->{name}" . one_of('', ' CASCADE'));
}

sub copy_rows
{
	my ($world, $table) = @_;
	my ($pins, @rows) = some_rows($world, $table, one_of(1, 2, 4));
	my %columns = map { $_ => 1 } map { keys %$_ } @rows;
	my @columns = sort keys %columns;
	my @lines = map {
		my $row = $_;
		join "\t", map {
			my $v = $row->{$_};
			$v = defined $v ? unliteral($v) : undef;
			defined $v ? $v =~ s/\\/\\\\/gr =~ s/\t/\\t/gr : '\N'
		} @columns
	} @rows;
	return statement('COPY', "COPY $table->{name} (" . join(', ', @columns) . ') FROM STDIN', pins => $pins,
		copy => join('', map { "$_\n" } @lines));
}

sub prepared
{
	my ($world, $table) = @_;
	my $pin = $table->{column}{pin} ? column($table, 'pin') : return update($world, $table);
	my $value = pin_value($world);
	my $name = 'p' . $table->{role};
	return statement('PREPARE', "PREPARE $name (text, int) AS UPDATE $table->{name} SET $pin = \$1 WHERE tag = \$2")
	  if !$world->{prepared}{$name}++;
	return statement('EXECUTE', "EXECUTE $name (" . literal($value) . ', ' . a_tag($world) . ')',
		pins => { '*' => [$value] });
}

# An account or number and its order in one statement.
sub with_both
{
	my ($world) = @_;
	my $orders = $world->{orders};
	my $other = one_of(grep { $_ != $orders } @{ $world->{tables} });
	my ($pins, $row) = some_rows($world, $orders, 1);
	my ($ignored, %set) = settings($world, $other);
	my ($more, $new) = some_rows($world, $other, 1);
	my $change = one_of(
		"UPDATE $other->{name} SET " . set_list(%set) . ' WHERE ' . condition($world, $other),
		"DELETE FROM $other->{name} WHERE " . condition($world, $other), insert($other, $new));
	return statement('WITH (both tables)', "WITH c AS ($change RETURNING 1) " . insert($orders, $row), pins => $pins,
		mixed => 1);
}

sub a_statement
{
	my ($world) = @_;
	my $table = one_of(@{ $world->{tables} }, $world->{orders});
	my $kind = one_of(
		(\&insert_rows) x 5, (\&update) x 5, (\&update_otherwise) x 3, (\&upsert) x 4, (\&merge) x 2, \&remove,
		\&truncate_table, (\&copy_rows) x 2, (\&prepared) x 2, \&with_both, \&insert_select);
	return $kind->($world, $table);
}

1;
