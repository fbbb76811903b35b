# Looks at the tables after each statement, and says what must not be.  It is a model of
# its own of what guards promise, and knows portpin only by port_pin_guards: where that
# says that all is well, no PIN is cleared and no wrong order gets in.

package Oracle;

use strict;
use warnings;
use Exporter 'import';
use Tables;

our @EXPORT = qw(@oracles look_at_guards look_at_rows complaints_of complaints_of_answer);

# Name and what must be so.
our @oracles = (
	no_internal_error => 'no statement ends with an internal error (class XX)',
	no_crash => 'no session is lost, and the server stays up',
	no_pin_told => "no error of portpin's, and no other that was not given it, has a PIN in it",
	no_pin_logged => 'nor has an entry of the log about a port PIN',
	never_cleared => 'where the guard is well, a PIN that is set stays set',
	never_deleted => 'nor is its row deleted, where that is forbidden',
	stays_sealed => 'a sealed column has no digits',
	stamp_is_the_guards => 'the stamps of a PIN change with it, and only then',
	no_wrong_order => 'where gate and guards are well, no order is stored that its PIN does not open',
	no_wrong_verdict => 'nor is one accepted',
	verdict_kept => 'a verdict stays as it is while nothing that counts changes',
	redacted => 'an order that was judged has no PIN, where it is to be redacted',
	right_order_let_in => 'an order with the right PIN is not told that it was wrong',
	definition_holds => 'the call that port_pin_guards shows for a guard without a problem makes it, and leaves it without one',
	told_is_recorded => 'no more wrong PINs are told than are on record');

sub is_blank { my ($pin) = @_; return !defined $pin || $pin =~ /^[ \t\n\r\f\x0b]*$/ }

## What the guards are, by the view

# The call that makes a guard, as a hash of its options.
sub options_of
{
	my ($definition) = @_;
	my %option;
	while ($definition =~ /"?(\w+)"? => (?:'((?:[^']|'')*)'|(true|false))/g)
	{
		my ($name, $text, $bool) = ($1, $2, $3);
		$option{$name} = defined $bool ? $bool eq 'true' : $text =~ s/''/'/gr;
	}
	return \%option;
}

# A list of names.
sub split_names
{
	my ($list) = @_;
	my @names;
	while ($list =~ /\G\s*(?:"((?:[^"]|"")*)"|([^,]*?))\s*(?:,|$)/g)
	{
		push @names, defined $1 ? $1 =~ s/""/"/gr : $2;
		last if pos($list) >= length $list;
	}
	return @names;
}

sub one_name { my ($text) = @_; return defined $text ? (split_names($text))[0] : undef }

# The foreign key that has these columns: the table that it leads to, and the SQL of a join.
sub foreign_key
{
	my ($db, $table, @names) = @_;
	my $keys = $db->selectall_arrayref(
		q{
		SELECT confrelid::oid, (SELECT array_agg(attname::text ORDER BY n) FROM unnest(conkey) WITH ORDINALITY k (c, n)
				JOIN pg_attribute ON attrelid = conrelid AND attnum = c),
			(SELECT array_agg(attname::text ORDER BY n) FROM unnest(confkey) WITH ORDINALITY k (c, n)
				JOIN pg_attribute ON attrelid = confrelid AND attnum = c)
		FROM pg_constraint WHERE contype = 'f' AND conrelid = ?::regclass AND conparentid = 0}, undef, $table->{name});
	for my $key (@$keys)
	{
		my ($to, $from, $columns) = @$key;
		next if join("\0", sort @$from) ne join("\0", sort @names);
		return {
			to => $to, columns => $from,
			join => join(' AND ', map { 'b.' . quoted($columns->[$_]) . ' = a.' . quoted($from->[$_]) } 0 .. $#$from) };
	}
	return undef;
}

# Puts into $world the guards of each table, and whether all is well.
sub look_at_guards
{
	my ($db, $world) = @_;
	my @tables = @{ $world->{tables} };
	my $rows = $db->selectall_arrayref(
		q{
		WITH ours AS (SELECT t, coalesce(p.relid, t::regclass) AS relid FROM unnest(?::text[]) t
			LEFT JOIN LATERAL pg_partition_tree(to_regclass(t)) p ON true)
		SELECT t, g.guard, g.pin_column, g.definition, g.problem
		FROM port_pin_guards g JOIN ours ON ours.relid = g.relation WHERE g.guard IS DISTINCT FROM 'grant'},
		undef, [ grep { $db->selectrow_array('SELECT to_regclass(?)', undef, $_) } map { $_->{name} } @tables ]);
	my %well = map { $_->{name} => 1 } @tables;
	my (%guards, %definitions);
	for my $row (@$rows)
	{
		my ($name, $guard, $pin, $definition, $problem) = @$row;
		$well{$name} = 0 if defined $problem;
		push @{ $definitions{$name} }, $definition if defined $definition and !defined $problem;
		push @{ $guards{$name} }, { guard => $guard // '', option => options_of($definition // '') } if defined $definition;
	}
	for my $table (@tables)
	{
		$table->{oid} = $db->selectrow_array('SELECT to_regclass(?)::oid', undef, $table->{name}) // 0;
		$table->{well} = $table->{oid} && $well{ $table->{name} };
		$table->{protects} = [ map { $_->{option} } grep { $_->{guard} eq 'protect' } @{ $guards{ $table->{name} } } ];
		$_->{pin} = one_name($_->{pin}) for @{ $table->{protects} };
		$table->{gates} = [];
		$table->{definitions} = $table->{well} ? [ sort @{ $definitions{ $table->{name} } // [] } ] : [];
		my %type = map { @$_ } @{
			$db->selectall_arrayref(
				q{SELECT attname, atttypid::regtype::text FROM pg_attribute
			WHERE attrelid = ? AND attnum > 0}, undef, $table->{oid}) };
		$table->{type} = \%type;
	}
	for my $table (@tables)
	{
		push @{ $table->{gates} }, map { gate_of($db, $world, $table, $_->{option}) // () }
		  grep { $_->{guard} eq 'gate' } @{ $guards{ $table->{name} } };
	}
}

# A gate, with the path of its orders; undef where that leads to tables that are not
# ours.
sub gate_of
{
	my ($db, $world, $orders, $option) = @_;
	my %by_oid = map { $_->{oid} => $_ } @{ $world->{tables} };
	my $gate = { orders => $orders, steps => [], map({ $_ => one_name($option->{$_}) } qw(pin scope verdict account_pin)),
		redact => $option->{redact} };
	my $from = $orders;
	for my $names (grep { defined } @$option{qw(fk via)})
	{
		my $key = foreign_key($db, $from, split_names($names)) or return undef;
		my $to = $by_oid{ $key->{to} } or return undef;
		push @{ $gate->{steps} }, { %$key, from => $from, table => $to };
		$from = $to;
	}
	return undef if !@{ $gate->{steps} };
	$gate->{well} = !grep { !$_->{well} } $orders, map { $_->{table} } @{ $gate->{steps} };
	return $gate;
}

## What the tables hold

sub look_at_rows
{
	my ($db, $world) = @_;
	local $db->{pg_expand_array} = 0;
	my %now = (now => $db->selectrow_array('SELECT now()::text'));
	for my $table (grep { $_->{oid} } @{ $world->{tables} })
	{
		$now{rows}{ $table->{role} } = $db->selectall_hashref("SELECT * FROM $table->{name}", 'tag');
		for my $step (map { @{ $_->{steps} } } @{ $table->{gates} })
		{
			my $name = "$step->{from}{role} $step->{join}";
			$now{links}{$name} //= {
				map { @$_ } @{
					$db->selectall_arrayref(
						"SELECT a.tag, min(b.tag) FROM $step->{from}{name} a JOIN $step->{table}{name} b ON $step->{join} GROUP BY 1"
					) } };
		}
	}
	return \%now;
}

sub link_of { my ($state, $step, $tag) = @_; return $state->{links}{"$step->{from}{role} $step->{join}"}{$tag} }

## Accounts

sub text_of { my ($value) = @_; return $value // '' }

sub complaints_of_table
{
	my ($table, $before, $after) = @_;
	my @wrong;
	for my $guard (grep { defined $_->{pin} } @{ $table->{protects} })
	{
		my $pin = $guard->{pin};
		my $sealed = ($table->{type}{$pin} // '') =~ /sealed/;
		push @wrong, map { [ stays_sealed => "$table->{role} $_ has digits" ] }
		  grep {
				 !is_blank($after->{$_}{$pin})
			  && $after->{$_}{$pin} !~ /^sealed:/
			  && text_of($after->{$_}{$pin}) ne text_of($before->{$_}{$pin})
		  } keys %$after if $sealed;
		for my $tag (sort keys %$before)
		{
			my ($old, $new) = ($before->{$tag}, $after->{$tag});
			next if !exists $old->{$pin} or $new && !exists $new->{$pin};
			push @wrong, [ never_deleted => "$table->{role} $tag is gone" ]
			  if !$new
			  and $guard->{forbid_delete}
			  and !is_blank($old->{$pin});
			next if !$new;
			push @wrong, [ never_cleared => "the PIN of $table->{role} $tag is" ]
			  if !is_blank($old->{$pin})
			  and is_blank($new->{$pin})
			  and !$guard->{clearable};
			my $changed =
			  text_of($old->{$pin}) ne text_of($new->{$pin}) && !($sealed && text_of($old->{$pin}) !~ /^sealed:|^$/);
			for my $stamp (grep { defined } map { one_name($guard->{$_}) } qw(changed used))
			{
				my $same = text_of($old->{$stamp}) eq text_of($new->{$stamp});
				my $by_gate = $stamp eq (one_name($guard->{used}) // '') && !defined $old->{$stamp};
				push @wrong, [ stamp_is_the_guards => "$stamp of $table->{role} $tag has changed, its PIN has not" ]
				  if !$same
				  and !$changed
				  and !$by_gate
				  and text_of($old->{$pin}) eq text_of($new->{$pin});
				push @wrong, [ stamp_is_the_guards => "$stamp of $table->{role} $tag has not changed, its PIN has" ]
				  if $same
				  and $changed
				  and $stamp eq (one_name($guard->{changed}) // '')
				  and !is_blank($new->{$pin});
			}
		}
	}
	return @wrong;
}

## Orders

sub is_future { my ($time) = @_; return defined $time && ($time eq 'infinity' || $time !~ /^-/ && $time gt '2500') }

# Why a PIN does not port even if it is right; '' if it does.
sub unusable
{
	my ($guard, $row, $now) = @_;
	my %at = map { $_ => defined $guard->{$_} ? $row->{ one_name($guard->{$_}) } : undef } qw(expires changed used);
	return 'expired' if defined $at{expires} and !is_future($at{expires});
	return 'expired'
	  if defined $guard->{max_age}
	  and (!defined $at{changed} or $at{changed} =~ /^-/ or $at{changed} lt '2010' && $guard->{max_age} =~ /day/);
	return 'used' if defined $at{used} and $at{used} ne $now;
	return 'too new'
	  if defined $guard->{min_age}
	  and defined $at{changed}
	  and $at{changed} !~ /^-/
	  and ($at{changed} gt '2010' or $guard->{min_age} =~ /year/);
	return '';
}

# Would these rows on the path of an order let it in with one of these PINs?
sub opens
{
	my ($db, $gate, $now, $rows, $pins) = @_;
	my ($holder, $stored, $unset_is_fine, $in_scope) = (undef, undef, 0, 1);
	for my $i (0 .. $#$rows)
	{
		my $row = $rows->[$i] or return 0;
		my $table = $gate->{steps}[$i]{table};
		for my $guard (@{ $table->{protects} })
		{
			my $lock = one_name($guard->{lock});
			my $until = one_name($guard->{lock_until});
			return 0 if defined $lock and $row->{$lock} or defined $until and is_future($row->{$until});
			my $scope = one_name($guard->{scope});
			$in_scope = 0 if defined $scope and defined $row->{$scope} and !$row->{$scope};
			$unset_is_fine ||= $guard->{allow_unset};
			next
			  if $holder
			  or !defined $guard->{pin}
			  or defined $gate->{account_pin} && $i == $#$rows && $guard->{pin} ne $gate->{account_pin};
			($holder, $stored) = ([ $guard, $row ], $row->{ $guard->{pin} }) if !is_blank($row->{ $guard->{pin} });
		}
	}
	return 1 if !$in_scope;
	return $unset_is_fine if !$holder;
	return 0 if unusable(@$holder, $now);
	return scalar grep {
		is_blank($_) ? 0 : $stored =~ /^sealed:/ ? check_sealed($db, $stored, $_) : $_ eq $stored && $_ =~ /^[0-9]{6,10}\z/
	} @$pins;
}

sub check_sealed
{
	my ($db, $stored, $pin) = @_;
	return $db->selectrow_array(q{SELECT port_pin_check(?, ?) = 'accepted'}, undef, $stored, $pin);
}

# The rows on the path, in every state that the statement can have seen them in.
sub ways
{
	my ($gate, $first, @states) = @_;
	return [] if !defined $first;
	my @ways;
	for my $a (@states)
	{
		my $row = $a->{rows}{ $gate->{steps}[0]{table}{role} }{$first};
		if (@{ $gate->{steps} } == 1) { push @ways, [$row]; next }
		for my $b (@states)
		{
			my $second = link_of($a, $gate->{steps}[1], $first);
			push @ways, [ $row, defined $second ? $b->{rows}{ $gate->{steps}[1]{table}{role} }{$second} : undef ];
		}
	}
	return \@ways;
}

# Has a row of the orders changed in what a gate looks at?
sub is_touched
{
	my ($gate, $old, $new) = @_;
	return grep { text_of($old->{$_}) ne text_of($new->{$_}) } $gate->{pin}, $gate->{scope} // (),
	  @{ $gate->{steps}[0]{columns} };
}

# Must an order have been judged by this statement?
sub must_be_judged
{
	my ($gate, $statement, $tag, $before, $after) = @_;
	my ($old, $new) = map { $_->{rows}{ $gate->{orders}{role} }{$tag} } $before, $after;
	my ($was, $is) = map { link_of($_, $gate->{steps}[0], $tag) } $before, $after;
	my $scope = $gate->{scope};
	return 0 if defined $scope and defined $new->{$scope} and !$new->{$scope};
	return 1 if !$old;
	return 0 if !is_touched($gate, $old, $new);
	return 1 if defined $scope and defined $old->{$scope} and !$old->{$scope};
	my $pin_changed = text_of($old->{ $gate->{pin} }) ne text_of($new->{ $gate->{pin} });
	return 1 if $pin_changed and !is_blank($new->{ $gate->{pin} });
	return 0 if text_of($was) eq text_of($is);
	return 0 if !defined $is and $statement->{sql} !~ /\Q$gate->{orders}{name}\E/;    # SET NULL, when its account went
	return 1;
}

sub complaints_of_orders
{
	my ($db, $gate, $statement, $before, $after) = @_;
	my $role = $gate->{orders}{role};
	my @wrong;
	for my $tag (sort { $a <=> $b } keys %{ $after->{rows}{$role} })
	{
		my ($old, $new) = map { $_->{rows}{$role}{$tag} } $before, $after;
		my $verdict = defined $gate->{verdict} ? $new->{ $gate->{verdict} } : undef;
		my $was = defined $gate->{verdict} && $old ? $old->{ $gate->{verdict} } : undef;
		my $touched = !$old || is_touched($gate, $old, $new);
		my $given = $statement->{pins}{$tag} // $statement->{pins}{'*'};
		if (!$touched and defined $gate->{verdict} and !$given and text_of($was) ne text_of($verdict))
		{
			push @wrong, [ verdict_kept => "$role $tag was " . ($was // 'NULL') . ', is ' . ($verdict // 'NULL') ];
		}
		my $newly_accepted = defined $gate->{verdict} && text_of($verdict) eq 'accepted' && text_of($was) ne 'accepted';
		my $judged = must_be_judged($gate, $statement, $tag, $before, $after);
		next if !$judged && !$newly_accepted;
		next if defined $gate->{verdict} && text_of($verdict) ne 'accepted' && !$gate->{redact};

		# A gate that writes into orders judges an upsert by the PIN that was to be inserted.
		my @given = map { @{ $statement->{pins}{$_} // [] } } $tag, '*';
		push @given, $old->{ $gate->{pin} } if $old;
		my $pins = [ $new->{ $gate->{pin} }, $gate->{redact} || defined $gate->{verdict} ? @given : () ];
		my $ways = ways($gate, link_of($after, $gate->{steps}[0], $tag), $before, $after);
		my $opens = grep { opens($db, $gate, $after->{now}, $_, $pins) } @$ways;
		if ($gate->{redact} and !is_blank($new->{ $gate->{pin} }) and !grep { out_of_scope($gate, $_) } @$ways)
		{
			push @wrong, [ redacted => "$role $tag has a PIN" ];
		}
		next if $opens or defined $gate->{verdict} && text_of($verdict) ne 'accepted';
		push @wrong,
		  [ (defined $gate->{verdict} ? 'no_wrong_verdict' : 'no_wrong_order') => "$role $tag with " . join ' or ',
			map { $_ // 'NULL' } @$pins ];
	}
	return @wrong;
}

sub out_of_scope
{
	my ($gate, $rows) = @_;
	for my $i (0 .. $#$rows)
	{
		for my $guard (@{ $gate->{steps}[$i]{table}{protects} })
		{
			my $scope = one_name($guard->{scope});
			return 1 if $rows->[$i] and defined $scope and defined $rows->[$i]{$scope} and !$rows->[$i]{$scope};
		}
	}
	return 0;
}

sub complaints_of
{
	my ($db, $world, $statement, $before, $after) = @_;
	my @wrong;
	for my $table (@{ $world->{tables} })
	{
		push @wrong, complaints_of_table($table, map { $_->{rows}{ $table->{role} } // {} } $before, $after)
		  if $table->{well};
		push @wrong,
		  map { complaints_of_orders($db, $_, $statement, $before, $after) } grep { $_->{well} } @{ $table->{gates} }
		  if !$statement->{mixed};
	}
	return @wrong;
}

## Answers

our %own_files;    # names of portpin's C files

sub complaints_of_answer
{
	my ($statement, $state, $message) = @_;
	my @wrong;
	push @wrong, [ no_internal_error => $message ] if $state =~ /^XX/;
	return @wrong if $state eq '42703' and ($statement->{kind} // '') eq 'call';		# a PIN as the name of a column
	my $own = $state =~ /^23PN/ || ($message =~ /^LOCATION:.*, (\w+\.c):/m && $own_files{$1});
	my $text = ($statement->{sql} // '') . ($statement->{copy} // '');
	while ($message =~ /(?<!\d)(77\d{6,8})(?!\d)/g)
	{
		my $pin = $1;
		push @wrong, [ no_pin_told => $message ]
		  if $own
		  or index($text, $pin) < 0 and $message !~ /Failing row contains|Key \(|theirs\(\)/;
	}
	return @wrong;
}

1;
