# Attaches the guards, in every way: by the installers, with right and wrong arguments,
# by hand, and with DDL that gets in their way.  Also calls all functions.

package Guards;

use strict;
use warnings;
use Campaign;
use Exporter 'import';
use Tables;

our @EXPORT = qw(a_guard all_guards a_change a_call);

my @junk =
  ('', ' ', 'nothing', 'pin,', ',', '{', '{pin,"', 'pin, pin', '"pin', 'tag', 'tableoid', 'ctid', 'gone', 'x' x 5000, "'",
	'*', 'key1', "\x01");

sub any_column { my ($table) = @_; return one_of(sort values %{ $table->{column} }) }

sub names
{
	return join ', ', map { $_->{name} =~ /[", .]/ ? quoted($_->{name}) : $_->{name} } @_;
}
sub option_name { my ($name) = @_; return $name eq 'unlike' ? '"unlike"' : $name }

# Mostly the right columns, sometimes any column, or something that is none.
sub column_option
{
	my ($table, $for) = @_;
	my $right = $table->{column}{$for};
	return $right if defined $right and maybe(0.9);
	return maybe(0.7) ? any_column($table) : one_of(@junk);
}

sub call
{
	my ($function, $table, %option) = @_;
	return
	  "SELECT $function("
	  . join(', ', literal($table->{name}), map { option_name($_) . " => $option{$_}" } sort keys %option) . ')';
}

sub protect
{
	my ($table, $careful) = @_;
	my %option;
	$option{pin} = literal(column_option($table, 'pin'))
	  if $table->{column}{pin} ? ($table->{pin_type} // 'text') =~ /text|varchar/ || maybe(0.3) : !$careful && maybe(0.1);
	$option{pin} = literal($table->{column}{pin}) if $careful && $option{pin};
	for my $for (qw(scope lock lock_until expires changed used))
	{
		$option{$for} = literal($careful ? $table->{column}{$for} // next : column_option($table, $for)) if maybe(0.2);
	}
	my $pin = $table->{column}{pin};
	$option{unlike} = literal(column_option($table, 'phone')) if maybe(0.1) and !$careful;
	$option{$_} = one_of("'1 day'", "'40 years'", $careful ? "'1 h'" : ("'-1 h'", "'0'", "'1 microsecond'"))
	  for grep { maybe($option{changed} ? 0.3 : $careful ? 0 : 0.02) } qw(min_age max_age);
	delete $option{min_age} if $option{max_age} and $careful;
	$option{$_} = one_of('true', 'true', 'true', 'false', $careful ? () : 'NULL')
	  for grep { maybe($careful && !$pin ? 0 : 0.15) } qw(forbid_weak forbid_delete history);
	$option{$_} = 'true' for grep { maybe(0.04) } qw(check_format clearable allow_unset);
	$option{clearable} = 'true' if $table->{role} eq 'numbers' and $pin and maybe(0.6);
	delete @option{qw(check_format allow_unset)} if $careful;

	if (!$pin && $careful)
	{
		delete @option{qw(expires changed used min_age max_age clearable)};
		$option{lock} //= literal($table->{column}{lock});
	}
	$option{replace} = 'true' if maybe($careful ? 0.1 : 0.6);
	return call('port_pin_protect', $table, %option);
}

sub gate
{
	my ($world, $careful) = @_;
	my $table = $world->{orders};
	my %option;
	$option{fk} = literal(names(@{ $table->{fk} })) if maybe(0.3);
	$option{fk} = literal(one_of(@junk)) if !$careful and maybe(0.05);
	$option{via} = literal(names(@{ $world->{numbers}{account} })) if $world->{numbers} and maybe(0.9);
	$option{pin} = literal(column_option($table, 'pin')) if maybe($careful ? 0 : 0.2);
	$option{pin} = literal($table->{column}{pin}) if $careful;

	for my $for (qw(scope source verdict))
	{
		$option{$for} = literal($careful ? $table->{column}{$for} : column_option($table, $for))
		  if maybe($for eq 'verdict' ? 0.4 : 0.2);
	}
	my $sealed = grep { ($_->{pin_type} // '') =~ /sealed/ } @{ $world->{tables} };
	$option{redact} = one_of('true', 'true', $careful ? () : 'NULL') if maybe($sealed && $careful ? 1 : 0.3);
	$option{account_pin} = literal(column_option($world->{accounts}, 'pin')) if maybe($careful ? 0.05 : 0.1);
	$option{replace} = 'true' if maybe($careful ? 0.1 : 0.6);
	return call('port_pin_gate', $table, %option);
}

# A trigger by hand: as an installer would make it, or in any other way.
my @functions = qw(port_pin_protect_trigger port_pin_protect_trigger port_pin_gate_trigger port_pin_gate_trigger
  port_pin_seal_trigger port_pin_used_trigger port_pin_failures_trigger);

sub argument
{
	my ($table) = @_;
	my $for = one_of(sort keys %{ $table->{column} });
	my $column =
	  one_of(quoted($table->{column}{$for}), quoted($table->{column}{$for}), $table->{column}{$for}, one_of(@junk));
	my $name =
	  one_of($for, qw(pin pin fk via verdict redact key used history scope guarded account_pin min_age clearable nonsense));
	return one_of("$name=$column", "$name=$column", "$name=yes", "$name=", $name, "$name=1 day");
}

sub by_hand
{
	my ($world) = @_;
	my $table = one_of(@{ $world->{tables} });
	my $function = one_of(@functions);
	my @events =
		maybe(0.5)
	  ? one_of([qw(UPDATE)], [qw(INSERT)], [ 'INSERT', 'UPDATE' ], [qw(DELETE)])
	  : [ grep { maybe(0.5) } qw(INSERT UPDATE DELETE TRUNCATE) ];
	@events = @{ $events[0] };
	@events = ('UPDATE') if !@events;
	$_ eq 'UPDATE' && maybe(0.1) and $_ .= ' OF ' . quoted(any_column($table)) for @events;
	my $constraint = maybe(0.05) ? 'CONSTRAINT ' : '';
	my $sql =
		one_of('CREATE ', 'CREATE OR REPLACE ')
	  . "${constraint}TRIGGER "
	  . one_of('port_pin_protect', 'zz_port_pin_gate', '_port_pin_gate', 'aa', 'zzz', quoted('a "trigger"')) . ' '
	  . ($constraint ? 'AFTER' : one_of('AFTER', 'AFTER', 'BEFORE')) . ' '
	  . join(' OR ', @events)
	  . " ON $table->{name} "
	  . ($constraint && maybe(0.5) ? 'DEFERRABLE INITIALLY DEFERRED ' : '')
	  . 'FOR EACH '
	  . (maybe(0.9) ? 'ROW' : 'STATEMENT');
	$sql .= ' WHEN (' . one_of('true', 'NEW.tag > 2', 'OLD.* IS DISTINCT FROM NEW.*', 'OLD.tag IS NULL') . ')' if maybe(0.1);
	my @arguments = map { literal(argument($table)) } 1 .. one_of(0, 0, 1, 1, 2, 3);
	unshift @arguments, literal('pin=' . quoted($table->{column}{pin})) if $table->{column}{pin} and maybe(0.6);
	return $sql . " EXECUTE FUNCTION $function(" . join(', ', @arguments) . ')';
}

# What most worlds begin with.
sub all_guards
{
	my ($world) = @_;
	return
	  map({ protect($_, 1) } grep { $_->{role} ne 'orders' && ($_->{column}{pin} || maybe(0.5)) } @{ $world->{tables} }),
	  gate($world, 1);
}

sub a_guard
{
	my ($world) = @_;
	return by_hand($world) if maybe(0.3);
	return gate($world, maybe(0.5)) if maybe(0.4);
	return protect(one_of(@{ $world->{tables} }), maybe(0.5));
}

# DDL by people who have other things in mind.
sub a_change
{
	my ($world) = @_;
	my $table = one_of(@{ $world->{tables} });
	my $t = $table->{name};
	my $column = quoted(any_column($table));
	my $part = "$world->{schema}." . quoted(substr($table->{plain}, 0, 50) . '_p1');
	return one_of(
		"ALTER TABLE $t ADD IF NOT EXISTS more int DEFAULT 7", "ALTER TABLE $t DROP IF EXISTS more",
		"ALTER TABLE $t ALTER $column TYPE text", "ALTER TABLE $t ALTER $column TYPE varchar(40)",
		"ALTER TABLE $t ALTER $column SET DEFAULT '7712345678'", "ALTER TABLE $t ALTER $column DROP DEFAULT",
		"ALTER TABLE $t ALTER $column DROP NOT NULL",
		"ALTER TABLE $t DROP COLUMN " . (maybe(0.2) ? $column : 'more') . one_of('', ' CASCADE'),
		"ALTER TABLE $t DISABLE TRIGGER USER", ("ALTER TABLE $t ENABLE TRIGGER USER") x 3,
		"ALTER TABLE $t ENABLE REPLICA TRIGGER USER" =~ s/ USER/ port_pin_protect/r,
		"ALTER TABLE $t DETACH PARTITION $part", ("ALTER TABLE $t ATTACH PARTITION $part DEFAULT") x 2,
		"ALTER TABLE $t ATTACH PARTITION $part FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
		"CREATE TABLE $world->{schema}.child () INHERITS ($t)", "DROP TABLE IF EXISTS $world->{schema}.child",
		"VACUUM $t", "VACUUM FULL $t", "ANALYZE $t", "CLUSTER $t", "REINDEX TABLE $t",
		"ALTER TABLE $t ENABLE ROW LEVEL SECURITY", "ALTER TABLE $t DISABLE ROW LEVEL SECURITY",
		"ALTER TABLE $t REPLICA IDENTITY FULL", "ALTER TABLE $t SET UNLOGGED", "ALTER TABLE $t SET LOGGED",
		"GRANT " . one_of('ALL', 'SELECT, INSERT, UPDATE') . " ON $t TO clerk", "REVOKE ALL ON $t FROM clerk",
		"CREATE INDEX ON $t ($column)",
		"SELECT port_pin_ungate(" . literal($t) . one_of('', ', if_exists => true') . ')',
		"SELECT port_pin_unprotect(" . literal($t) . one_of('', ', if_exists => true') . ')',
		"CALL port_pin_seal_column("
		  . literal($t)
		  . one_of('', ", batch_size => 2", ', ' . literal(any_column($table)), ', batch_size => 0') . ')',
		"ALTER TABLE $t ALTER $column TYPE port_pin_sealed", "ALTER TABLE $t ALTER $column TYPE port_pin",
		another_trigger($world, $table), another_trigger($world, $table), "DROP TRIGGER IF EXISTS theirs ON $t",
		'SET plan_cache_mode = ' . one_of('force_generic_plan', 'force_custom_plan', 'auto'),
		'SET portpin.max_failures_per_account = ' . one_of(0, 0, 3, 10),
		'SET portpin.seal_method = ' . one_of('bcrypt', 'pbkdf2'),
		'SET portpin.max_accounts_per_source = ' . one_of(0, 0, 3));
}

# A trigger of somebody else's.
sub another_trigger
{
	my ($world, $table) = @_;
	my $column = quoted(any_column($table));
	my $value = literal(one_of(undef, '', one_of(@{ $world->{pins} }), '5', 'k 1', 'true'));
	my $name = one_of('aaa', 'theirs', 'zzz', 'zz_port_pin_h');
	return
		"DO \$do\$ BEGIN CREATE OR REPLACE FUNCTION $world->{schema}.theirs() RETURNS trigger LANGUAGE plpgsql AS \$\$ "
	  . "BEGIN NEW.$column := $value; RETURN "
	  . one_of('NEW', 'NEW', 'NEW', 'NULL', 'OLD')
	  . "; END \$\$; "
	  . "CREATE OR REPLACE TRIGGER $name "
	  . one_of('BEFORE', 'BEFORE', 'AFTER') . ' '
	  . one_of('INSERT', 'UPDATE', 'INSERT OR UPDATE')
	  . " ON $table->{name} FOR EACH ROW EXECUTE FUNCTION $world->{schema}.theirs(); END \$do\$";
}

## Calls of all functions with any values

my @relations = (
	qw(pg_class pg_proc pg_trigger pg_class_oid_index information_schema.tables port_pin_failures port_pin_history
	  port_pin_guards port_pin_lockouts pg_toast.pg_toast_1255 0 1 4294967295 nonexistent a.b.c "), '');

sub a_relation { my ($world) = @_; return maybe(0.7) ? one_of(@{ $world->{tables} })->{name} : one_of(@relations) }

sub a_value
{
	my ($world, $type) = @_;
	return 'NULL' if maybe(0.1);
	return one_of('1', 'true', q{'x'}, q{'{}'::int[]}, 'ROW(1)', 'now()', q{'\x00'::bytea}, '1e300', q{'{"a":1}'::jsonb})
	  if maybe(0.07);
	return literal(a_relation($world)) . one_of('::regclass', '') if $type eq 'regclass';
	return 'ARRAY[' . join(', ', map { literal(a_relation($world)) } 1 .. one_of(0, 1, 2)) . ']::regclass[]'
	  if $type eq 'regclass[]';
	return one_of('0', '1', '-1', '6', '8', '10', '11', '2147483647', '-2147483648')
	  if $type =~ /^int/ and $type ne 'interval';
	return one_of(q{'1 day'}, q{'-1 day'}, q{'178000000 years'}, q{'0'}) if $type eq 'interval';
	return one_of('true', 'false') if $type eq 'boolean';
	return one_of(
		literal(pin_value($world)), literal(one_of(@junk)), literal(any_column(one_of(@{ $world->{tables} }))),
		q{repeat('7', 1000000)}, q{'sealed:v1:k1.0123456789abcdef:$2a$04$x'}, q{'sealed:v1:'},
		'port_pin_seal(' . literal($world->{pins}[0]) . ')');
}

sub a_call
{
	my ($world, $functions) = @_;
	my $function = one_of(@$functions);
	my ($name, $kind, @types) = @$function;
	push @types, map { one_of('text', 'int4', 'boolean') } 1 .. one_of(0, 1, 2)
	  if @types
	  and $types[-1] eq 'any'
	  and pop @types;
	pop @types while @types and maybe(@types > 3 ? 0.5 : 0.05);
	my $arguments = join ', ', map { a_value($world, $_) } @types;
	return "CALL $name($arguments)" if $kind eq 'p';
	return one_of(
		"SELECT $name($arguments)", "SELECT * FROM $name($arguments)", "SELECT $name($arguments) FROM generate_series(1, 3)",
		"SELECT 1 WHERE $name($arguments) IS NULL");
}

1;
