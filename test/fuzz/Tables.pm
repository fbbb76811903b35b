# Random tables of accounts, numbers and orders, with the keys, types, names and
# partitions that somebody's could have.

package Tables;

use strict;
use warnings;
use Campaign;
use Exporter 'import';

our @EXPORT = qw(maybe quoted literal new_world value_of_key spell_key pin_value time_value);

sub maybe { return rand() < $_[0] }

sub quoted
{
	my ($name) = @_;
	return $name =~ /^[a-z_][a-z0-9_]*$/ && $name !~ /^(?:user|order|check)$/ ? $name : '"' . $name =~ s/"/""/gr . '"';
}
sub literal { my ($value) = @_; return defined $value ? "'" . $value =~ s/'/''/gr . "'" : 'NULL' }

# Column types of a key, those that can refer to it, the n-th value and ways to spell it.
my @key_types = (
	[ 'int', [qw(int bigint smallint place)], '%d', '0%d' ], [ 'bigint', [qw(int bigint)], '%d' ],
	[ 'smallint', [qw(smallint int)], '%d' ], [ 'numeric', [qw(numeric int)], '%d', '%d.0' ],
	[ 'text', [qw(text varchar(20) some_text)], 'k %d' ], [ 'varchar(20)', [qw(varchar(20) text)], q{k'%d} ],
	[ 'char(8)', ['char(8)'], 'k%d', 'k%d ' ], [ 'citext', [qw(citext)], 'key%d', 'KEY%d' ],
	[ 'uuid', ['uuid'], '00000000-0000-0000-0000-%012d' ], [ 'place', ['place'], 'e%d' ],
	[ 'some_int', [qw(some_int int)], '%d' ], [ 'some_text', [qw(some_text text)], 'k%d' ],
	[ 'inet', ['inet'], '10.0.0.%d' ], [ 'date', ['date'], '2020-01-%02d' ], [ 'name', ['name'], 'k%d' ],
	[ 'interval', ['interval'], '%d days', '%d days 00:00:00' ], [ 'float8', [qw(float8 int)], '%d' ],
	[ 'bytea', ['bytea'], '\\x%02d' ], [ 'int4range', ['int4range'], '[1,1%02d)' ], [ 'int[]', ['int[]'], '{%d,1}' ],
	[ 'timestamptz', ['timestamptz'], '2020-01-%02d 00:00:00+00' ], [ 'oid', [qw(oid)], '%d' ]);

my @pin_types = (qw(port_pin port_pin port_pin_sealed some_pin text varchar(20) text));
my @order_pin_types = (qw(port_pin port_pin some_pin text varchar(20)));

# Names that sometimes need quotes.
sub a_name
{
	my ($base) = @_;
	return $base if maybe(0.7);
	return one_of(ucfirst $base, "$base 1", "$base\"q", "order", "$base.x", "$base-" . 'y' x 50) if $base ne 'key';
	return one_of("Key", "k k", 'k"q');
}

sub value_of_key { my ($type, $n) = @_; return sprintf $type->{spellings}[0], $n }
sub spell_key { my ($type, $n) = @_; return sprintf one_of(@{ $type->{spellings} }), $n }

# What is written to a PIN column: mostly a PIN of a few, so that right ones occur.
sub pin_value
{
	my ($world) = @_;
	return one_of(@{ $world->{pins} }) if maybe(0.8);
	return one_of(undef, undef, '', '   ', "\t", '77123', '77abc456', ' ' . $world->{pins}[0], '7712345678901', new_pin());
}

sub time_value { return one_of(undef, undef, 'infinity', '-infinity', '2001-01-01 00:00:00+00', '2999-01-01 00:00:00+00') }

# A table: role, name (as it is written in SQL), columns by what they are for (plain
# names), key (a list of types with the column's name), definitions.
sub new_table
{
	my ($world, $role, @columns) = @_;
	my $name = a_name($role);
	my $table =
	  { role => $role, plain => $name, name => "$world->{schema}." . quoted($name), column => {}, key => [], sql => [] };
	my %taken = (tag => 1);
	push @{ $table->{sql} }, 'gone int' if $table->{has_gone} = maybe(0.3);
	for my $column (@columns)
	{
		my ($for, $definition) = @$column;
		my $column_name;
		do { $column_name = a_name($for) } while $taken{$column_name}++;
		$table->{column}{$for} = $column_name;
		push @{ $table->{sql} }, quoted($column_name) . " $definition";
	}
	push @{ $table->{sql} }, 'tag int NOT NULL';
	return $table;
}

sub columns_of
{
	my ($table, @for) = @_;
	return join ', ', map { quoted($table->{column}{$_}) } @for;
}

# Tables are partitioned by a column of the primary key.
sub create
{
	my ($world, $table, $primary, $by) = @_;
	my @sql = @{ $table->{sql} };
	push @sql, "PRIMARY KEY ($primary)" if $primary;
	my $partitioned = $by ? " PARTITION BY $by->{how} (" . quoted($by->{column}) . ')' : '';
	my @statements = ("CREATE TABLE $table->{name} (" . join(', ', @sql) . ")$partitioned");
	push @statements, "ALTER TABLE $table->{name} DROP gone" if $table->{has_gone};
	return @statements if !$by;

	my @bounds =
	  $by->{how} eq 'HASH'
	  ? map({ "FOR VALUES WITH (MODULUS 2, REMAINDER $_)" } 0, 1)
	  : (q{FOR VALUES IN ('east')}, 'DEFAULT');
	for my $i (0, 1)
	{
		my $part = "$world->{schema}." . quoted(substr($table->{plain}, 0, 50) . "_p$i");
		if (maybe(0.5))
		{
			push @statements, "CREATE TABLE $part PARTITION OF $table->{name} $bounds[$i]";
			next;
		}

		# Its columns are in another order, and one was dropped.
		my @own = reverse grep { !/^gone / } @{ $table->{sql} };
		push @statements, "CREATE TABLE $part (was text, " . join(', ', @own) . ')',
		  "ALTER TABLE $part DROP was", (map { "ALTER TABLE $part ALTER $_ SET NOT NULL" } split /, (?=\w|")/, $primary),
		  "ALTER TABLE $table->{name} ATTACH PARTITION $part $bounds[$i]";
	}
	return @statements;
}

sub new_key
{
	my ($n) = @_;
	my @key;
	for my $i (1 .. $n)
	{
		my $type = one_of(@key_types);
		push @key, { type => $type->[0], refers => one_of(@{ $type->[1] }), spellings => [ @$type[ 2 .. $#$type ] ] };
	}
	return @key;
}

sub key_columns
{
	my ($table) = @_;
	return map { $_->{name} } @{ $table->{key} };
}

# As a column of a table that refers to it.  An enum that is cast to int is spelt as an enum.
sub referring
{
	my ($key) = @_;
	my @spellings =
	  $key->{refers} eq 'place' ? ('e%d') : $key->{refers} eq $key->{type} ? @{ $key->{spellings} } : ($key->{spellings}[0]);
	return { type => $key->{refers}, refers => $key->{refers}, spellings => \@spellings };
}

sub foreign_key
{
	my ($from, $to, $list) = @_;
	my @names = map { quoted($_->{name}) } @{ $from->{$list} };
	my $sql =
		"ALTER TABLE $from->{name} ADD FOREIGN KEY ("
	  . join(', ', @names)
	  . ") REFERENCES $to->{name} ("
	  . join(', ', map { quoted($_) } key_columns($to)) . ')';
	$sql .= ' MATCH FULL' if maybe(0.1);
	$sql .= ' ON UPDATE ' . one_of('CASCADE', 'CASCADE', 'CASCADE', 'SET NULL', 'RESTRICT') if maybe(0.6);
	$sql .= ' ON DELETE ' . one_of('CASCADE', 'SET NULL', maybe(0.1) ? 'SET DEFAULT' : 'CASCADE', 'RESTRICT') if maybe(0.5);
	$sql .= ' DEFERRABLE' . one_of('', ' INITIALLY DEFERRED') if maybe(0.15);
	return $sql;
}

sub with_names
{
	my ($table, $list, @key) = @_;
	for my $i (0 .. $#key) { $key[$i]{name} = $table->{column}{ "$list" . ($i + 1) } }
	$table->{$list} = \@key;
}

sub key_definitions
{
	my ($list, @key) = @_;
	return map { [ $list . ($_ + 1), $key[$_]{type} ] } 0 .. $#key;
}

# The columns that an account's guard can name.
sub rule_columns
{
	my $bool = one_of('boolean', 'boolean', 'boolean DEFAULT true', 'some_bool');
	return (
		[ note => 'text' ], [ scope => 'boolean' ], [ lock => $bool =~ s/true/false/r ], [ lock_until => 'timestamptz' ],
		[ expires => 'timestamptz' ], [ changed => 'timestamptz' ], [ used => 'timestamptz' ], [ phone => 'text' ]);
}

sub new_accounts
{
	my ($world) = @_;
	my @key = new_key(one_of(1, 1, 1, 2, 3));
	my $type = one_of(@pin_types);
	my $pin = $type . (maybe(0.15) && $type =~ /text|varchar/ ? q{ NOT NULL DEFAULT ''} : '');
	my $table = new_table(
		$world, 'accounts', key_definitions('key', @key), [ pin => $pin ], rule_columns(),
		[ generated => q{text GENERATED ALWAYS AS ('g') STORED} ]);
	with_names($table, 'key', @key);
	my $by = maybe(0.3) ? { how => 'HASH', column => $key[0]{name} } : undef;
	$table->{pin_type} = $type;
	$table->{partitioned} = defined $by;
	my $key = columns_of($table, map { "key$_" } 1 .. @key);
	my $primary = $by || maybe(0.8) ? $key : maybe(0.5) ? 'tag' : undef;
	push @{ $table->{sql} }, "UNIQUE ($key)" if ($primary // '') ne $key;
	$table->{unique_tag} = !$by;
	push @{ $table->{sql} }, 'UNIQUE (tag)' if !$by && ($primary // '') ne 'tag';
	return $table, create($world, $table, $primary, $by);
}

sub new_numbers
{
	my ($world, $accounts) = @_;
	my @key = new_key(1);
	my @account = map { referring($_) } @{ $accounts->{key} };
	my $table = new_table(
		$world, 'numbers', key_definitions('key', @key), key_definitions('account', @account),
		maybe(0.4) ? [ pin => one_of(@pin_types) ] : (), maybe(0.5) ? rule_columns() : [ lock => 'boolean' ]);
	with_names($table, 'key', @key);
	with_names($table, 'account', @account);
	$table->{unique_tag} = 1;
	push @{ $table->{sql} }, 'UNIQUE (tag)';
	return $table, create($world, $table, columns_of($table, 'key1')), foreign_key($table, $accounts, 'account');
}

sub new_orders
{
	my ($world, $to) = @_;
	my @key = map { referring($_) } @{ $to->{key} };
	my $generated = maybe(0.1);
	my $pin = one_of(@order_pin_types) . (maybe(0.1) ? q{ NOT NULL DEFAULT ''} : '');
	my $table = new_table(
		$world, 'orders', key_definitions('fk', @key), [ pin => $pin =~ /port_pin|some_pin/ ? $pin =~ s/ NOT.*//r : $pin ],
		[ verdict => 'port_pin_verdict' ],
		[ scope => 'boolean' . ($generated ? ' GENERATED ALWAYS AS (tag % 3 > 0) STORED' : '') ],
		[ source => 'text' ], [ state => q{text NOT NULL DEFAULT 'east'} ], [ note => 'text' ]);
	with_names($table, 'fk', @key);
	$table->{scope_is_generated} = $generated;
	my $by =
	  maybe(0.35) ? one_of({ how => 'LIST', column => $table->{column}{state} }, { how => 'HASH', column => 'tag' }) : undef;
	$table->{partitioned} = defined $by;
	$table->{unique_tag} = !$by || $by->{column} eq 'tag';
	return $table, create($world, $table, $table->{unique_tag} ? 'tag' : 'tag, ' . columns_of($table, 'state'), $by),
	  foreign_key($table, $to, 'fk');
}

# Returns it and the statements that make it.
sub new_world
{
	my ($schema) = @_;
	my $world = { schema => $schema, tag => 0, pins => [ (map { new_pin() } 1 .. 4), '77' . int(1000 + rand 9000) ] };
	my @statements = (
		"CREATE SCHEMA $schema", "SET search_path = $schema, public",
		'CREATE TYPE place AS ENUM (' . join(', ', map { "'e$_'" } 0 .. 20) . ')',
		q{CREATE FUNCTION number_of(place) RETURNS int LANGUAGE sql IMMUTABLE AS $$SELECT substr($1::text, 2)::int$$},
		'CREATE CAST (place AS int) WITH FUNCTION number_of(place) AS IMPLICIT',
		'CREATE DOMAIN some_int AS int', 'CREATE DOMAIN some_text AS text', 'CREATE DOMAIN some_bool AS boolean',
		'CREATE DOMAIN some_pin AS port_pin' . one_of('', '', '', ' CHECK (length(VALUE) > 6)'));
	my $add = sub { my ($table, @sql) = @_; push @statements, @sql; return $world->{ $table->{role} } = $table };
	my $accounts = $add->(new_accounts($world));
	my $numbers = maybe(0.4) ? $add->(new_numbers($world, $accounts)) : undef;
	$add->(new_orders($world, $numbers // $accounts));
	$world->{tables} = [ grep { defined } $accounts, $numbers, $world->{orders} ];
	push @statements, "GRANT SELECT, INSERT, UPDATE ON $world->{orders}{name} TO clerk";
	push @statements, "GRANT USAGE ON SCHEMA $schema TO clerk";
	return $world, @statements;
}

1;
