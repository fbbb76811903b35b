# What must be so after each restart.  Each invariant has a name, says it in words,
# counts what it looks at and returns what is wrong.  It also knows how to spoil that:
# by SQL, which runs with triggers off in a transaction that is rolled back, or in a
# copy of the model.

package Invariants;

use strict;
use warnings;

# The connection; the Model; { log, amcheck, hung, guards, account_limit, source_limit, last: no round follows }.
our ($db, $model, $server);

sub rows { return @{ $db->selectall_arrayref($_[0], { Slice => {} }, @_[1 .. $#_]) } }
sub value { return ($db->selectrow_array($_[0], undef, @_[1 .. $#_]))[0] }
sub orders { my %wanted = @_; return $model->events(op => 'order', %wanted) }

## Parts of several invariants: return a count and what is wrong

# Rows of a table by their tags, and what $wrong says of each.
sub things
{
	my ($table, $columns, $wrong) = @_;
	my %row = map { $_->{tag} => $_ } rows("SELECT $columns FROM $table");
	my @tags = $model->tags($table);
	return scalar @tags,
	  map { my $said = $row{$_} ? $wrong->($_, $row{$_}) : 'is gone'; $said ? "$table $_ $said" : () } @tags;
}

sub may_be
{
	my ($thing, $what, $value) = @_;
	return (grep { $_ eq $value } $model->values_of($thing, $what)) ? undef : "has another $what";
}

# Was each order answered with one of these, or its source locked out?  Answers that are
# not portpin's own prove nothing.
sub answered
{
	my ($answers, @orders) = @_;
	return scalar @orders, map { name_of($_) . " was answered $_->{answer}" }
	  grep { $_->{answer} =~ /^(?:ok|23...)$/ && $_->{answer} !~ /^(?:$answers)$/ && !($_->{source} && $_->{answer} eq '23PNA') }
	  @orders;
}

sub name_of { my ($order) = @_; return "$order->{gate} $order->{uid} ($order->{kind})" }

# Orders at gates that refuse, and what is stored of all.
my @refusing = qw(orders number_orders sealed_orders one_time_orders);
sub stored { return map { $_->{uid} => $_ } map { rows("SELECT uid, pin FROM $_") } @_ }
sub refusing { return grep { $_->{gate} ne 'desk_orders' } orders(@_) }

sub missing
{
	my ($in, @orders) = @_;
	return scalar @orders, map { $in->{ $_->{uid} } ? () : name_of($_) . ' is gone' } @orders;
}

sub found
{
	my ($in, @orders) = @_;
	return scalar @orders, map { $in->{ $_->{uid} } ? name_of($_) . ' is stored' : () } @orders;
}

# The right verdict for an order of each kind, where its account is not locked out.
my %verdict = (right => 'accepted', wrong => 'pin_mismatch', none => 'pin_required', blank => 'pin_not_set',
	locked => 'port_locked');

# Failed attempts that were told, by refusal or verdict; counted by account, or by session, too.
sub was_told_wrong { return $_[0]{answer} eq '23PN7' || ($_[0]{told} // '') eq 'pin_mismatch' }
sub account_of { return "$_[0]{table} $_[0]{key}" }
sub count_by { my ($by, @events) = @_; my %n; $n{ $by->($_) }++ for @events; return %n }
sub recorded
{
	my ($by_pid) = @_;
	return map { $_->{account} => $_->{n} } rows(q{
		SELECT concat_ws(' ', account_table, account_key[1], CASE WHEN ? THEN pid END) AS account, count(*) AS n
		FROM port_pin_failures WHERE account_table <> 'probe' GROUP BY 1}, $by_pid);
}

sub recorded_of_sources
{
	my ($what) = @_;
	return map { $_->{source} => $_->{n} }
	  rows("SELECT source, count($what) AS n FROM port_pin_failures WHERE source IS NOT NULL GROUP BY 1");
}

# A statement that must end with an error; in a savepoint, so that it leaves nothing.
sub refused
{
	my ($sqlstate, $sql) = @_;
	$db->do('SAVEPOINT refused');
	my $answer = eval { $db->do($sql); 'ok' } // $db->state;
	$db->do('ROLLBACK TO refused');
	return $answer eq $sqlstate ? () : "$sql: $answer, not $sqlstate";
}

# Do that to the first order that is like this; or give it another answer.
sub spoil_order
{
	my ($edit, %wanted) = @_;
	return sub { my ($one) = orders(%wanted) or die 'no such order'; $edit->($one) };
}

sub forge
{
	my ($kind, $answer) = @_;
	return spoil_order(sub { $_[0]{answer} = $answer }, kind => $kind, gate => 'orders');
}

my $last_order = q{(SELECT max(uid) FROM orders)};

## The invariants: name, what must be so, how it is looked at, how it is spoilt

our @all = (
	# Accounts
	pin_kept => 'accounts have the PINs that were acknowledged, blank ones none',
	sub { things('accounts', 'tag, pin', sub { may_be("accounts/$_[0]", 'pin', $_[1]{pin} // '') }) },
	'UPDATE accounts SET pin = NULL WHERE tag = 0',

	pin_kept_sealed => 'so do sealed accounts',
	sub {
		things('sealed_accounts', 'tag, pin', sub {
			my ($tag, $row) = @_;
			return may_be("sealed_accounts/$tag", 'pin', '') if !defined $row->{pin};
			my @may_be = grep { $_ ne '' } $model->values_of("sealed_accounts/$tag", 'pin');
			return 'has another pin'
			  if !grep { value('SELECT port_pin_check(?, ?)', $row->{pin}, $_) eq 'accepted' } @may_be;
		})
	},
	q{UPDATE sealed_accounts SET pin = (SELECT pin FROM sealed_accounts WHERE tag = 1) WHERE tag = 0},

	pin_kept_one_time => 'so do accounts whose PINs port once',
	sub { things('one_time_accounts', 'tag, pin', sub { may_be("one_time_accounts/$_[0]", 'pin', $_[1]{pin} // '') }) },
	'UPDATE one_time_accounts SET pin = NULL WHERE tag = 0',

	used_kept => 'and they say whether their PIN was used, where one client alone uses it',
	sub {
		things('one_time_accounts', 'tag, used IS NOT NULL AS used', sub {
			my ($tag, $row) = @_;
			return $tag < 100 ? undef : may_be("one_time_accounts/$tag", 'used', $row->{used} ? 1 : 0);
		})
	},
	'UPDATE one_time_accounts SET used = CASE WHEN used IS NULL THEN now() END',

	pin_kept_moving => 'so do rows that move between partitions',
	sub { things('subscribers', 'tag, pin', sub { may_be("subscribers/$_[0]", 'pin', $_[1]{pin} // '') }) },
	q{UPDATE subscribers SET pin = NULL WHERE tag = 0},

	pin_kept_in_bulk => 'port_pin_seal_column loses and changes none',
	sub {
		rows('SELECT id FROM legacy') != 1000 ? (1000, 'rows are gone')
		  : (1000, map { "legacy $_->{id} has another pin" } rows(q{
				SELECT id FROM legacy WHERE port_pin_check(pin, (7700000 + id)::text) IS DISTINCT FROM 'accepted'}))
	},
	q{UPDATE legacy SET pin = (SELECT pin FROM legacy WHERE id = 1) WHERE id = 2},

	row_kept => 'no row with a PIN is gone, and none is there twice',
	sub {
		my %rows = map { $_ => value("SELECT count(*) FROM $_") } qw(accounts sealed_accounts one_time_accounts subscribers);
		my %known = map { $_ => scalar(() = $model->tags($_)) } keys %rows;
		4, map { $rows{$_} == $known{$_} ? () : "$_ has $rows{$_} rows, not $known{$_}" } keys %rows
	},
	'DELETE FROM accounts WHERE tag = 0',

	key_kept => 'accounts have the keys that were acknowledged',
	sub { things('accounts', 'tag, id', sub { may_be("accounts/$_[0]", 'key', $_[1]{id}) }) },
	'UPDATE accounts SET id = 7 + 100000 WHERE tag = 0',

	lock_kept => 'and the locks',
	sub { things('accounts', 'tag, locked', sub { may_be("accounts/$_[0]", 'locked', $_[1]{locked}) }) },
	'UPDATE accounts SET locked = NOT locked WHERE tag = 0',

	region_kept => 'and moved rows the partition',
	sub { things('subscribers', 'tag, region', sub { may_be("subscribers/$_[0]", 'region', $_[1]{region}) }) },
	q{UPDATE subscribers SET region = 'elsewhere' WHERE tag = 0},

	never_cleared => 'no attempt to clear a PIN, or to delete its account, was acknowledged',
	sub {
		my @e = $model->events(op => 'clear');
		scalar @e, map { $_->{answer} =~ /^(ok|none)$/ ? "$_->{sql}: $_->{answer}" : () } @e
	},
	sub { my ($one) = $model->events(op => 'clear'); $one->{answer} = 'ok' },

	history_kept => 'the history has each change of a PIN that was acknowledged',
	sub {
		my %of = map { $_->{tag} => $_->{n} } rows(q{SELECT account_key[1]::int % 100000 AS tag, count(*) AS n
			FROM port_pin_history WHERE account_table = 'accounts' AND event IN ('set', 'changed') GROUP BY 1});
		my @tags = $model->tags('accounts');
		scalar @tags, map {
			my @e = grep { $_->{value} ne '' } $model->events(op => 'set', what => 'pin', thing => "accounts/$_");
			my $ok = grep { $_->{answer} eq 'ok' } @e;
			my $doubt = grep { $_->{answer} eq 'lost' } @e;
			my $n = $of{$_} // 0;
			$n < $ok || $n > $ok + $doubt ? "account $_ has $n changes on record, not $ok to " . ($ok + $doubt) : ()
		} @tags
	},
	q{DELETE FROM port_pin_history WHERE account_key = '{0}' AND event = 'set'},

	# Orders
	order_kept => 'orders that were acknowledged are stored',
	sub { my %in = stored(@refusing); missing(\%in, refusing(answer => 'ok')) },
	"DELETE FROM orders WHERE uid = $last_order",

	wrong_pin_not_stored => 'no order with a wrong PIN is, at a gate that refuses',
	sub { my %in = stored(@refusing); found(\%in, refusing(kind => 'wrong')) },
	spoil_order(sub { $db->do('INSERT INTO orders VALUES (?, 0, ?)', undef, @{ $_[0] }{qw(uid pin)}) },
		kind => 'wrong', gate => 'orders'),

	no_pin_not_stored => 'nor one without',
	sub { my %in = stored(@refusing); found(\%in, refusing(kind => 'none')) },
	spoil_order(sub { $db->do('INSERT INTO orders VALUES (?, 0)', undef, $_[0]{uid}) }, kind => 'none', gate => 'orders'),

	blank_account_not_ported => 'nor one for an account without a PIN',
	sub { my %in = stored(@refusing); found(\%in, refusing(kind => 'blank')) },
	spoil_order(sub { $db->do('INSERT INTO orders VALUES (?, 9)', undef, $_[0]{uid}) }, kind => 'blank', gate => 'orders'),

	locked_account_not_ported => 'nor one for a locked account',
	sub { my %in = stored(@refusing); found(\%in, refusing(kind => 'locked')) },
	sub { my ($one) = orders(gate => 'orders', answer => 'ok'); $one->{kind} = 'locked' },

	refused_not_stored => 'nor one whose client was told an error',
	sub { my %in = stored(@refusing); found(\%in, grep { $_->{answer} !~ /^(ok|lost)$/ } refusing()) },
	spoil_order(sub { $_[0]{answer} = '40P01' }, gate => 'orders', answer => 'ok'),

	only_known_orders => 'no order is stored that nobody placed',
	sub {
		my %in = stored(@refusing, 'desk_orders');
		scalar keys %in, map { $model->{orders}{$_} ? () : "$_ is nobody's" } keys %in
	},
	q{INSERT INTO orders VALUES ('nobody', 0, '771234')},

	order_keeps_account => 'orders lead to the account that they were for, whatever its key is now',
	sub {
		my @rows = (rows('SELECT o.uid, a.tag FROM orders o LEFT JOIN accounts a ON a.id = account'),
			rows('SELECT o.uid, a.tag FROM desk_orders o LEFT JOIN accounts a ON a.id = account'),
			rows('SELECT o.uid, a.tag FROM number_orders o JOIN numbers ON e164 = number
				LEFT JOIN accounts a ON a.id = account'),
			rows('SELECT o.uid, a.tag FROM one_time_orders o LEFT JOIN one_time_accounts a ON a.id = account'),
			rows('SELECT o.uid, a.tag FROM sealed_orders o LEFT JOIN sealed_accounts a ON a.id = account'));
		scalar @rows,
		  map { ($_->{tag} // -1) == $model->{orders}{ $_->{uid} }{tag} ? () : "$_->{uid} has another" } @rows
	},
	"UPDATE orders SET account = 9 WHERE uid = $last_order",

	told_wrong_pin => 'an order with a wrong PIN is told that, or that there were too many',
	sub { answered('23PN7|23PN3', refusing(kind => 'wrong')) }, forge('wrong', 'ok'),
	told_no_pin => 'one without that it is missing',
	sub { answered('23PN5|23PN3', refusing(kind => 'none')) }, forge('none', 'ok'),
	told_blank_account => 'one for an account without a PIN that there is none',
	sub { answered('23PN4|23PN3', refusing(kind => 'blank')) }, forge('blank', 'ok'),
	told_locked_account => 'one for a locked account that it is locked',
	sub { answered('23PN2', refusing(kind => 'locked')) },
	sub { my ($one) = orders(gate => 'orders', answer => 'ok'); $one->{kind} = 'locked' },
	right_pin_accepted => 'one with the right PIN is not told that it was wrong',
	sub { answered('ok|23PN3', refusing(kind => 'right')) }, forge('right', '23PN7'),

	pin_ports_once => 'of orders with one PIN that ports once, one is stored',
	sub {
		my @stored = map { $model->{orders}{ $_->{uid} } // () } rows('SELECT uid FROM one_time_orders');
		my %n = count_by(sub { "$_[0]{tag} $_[0]{pin}" }, grep { $_->{pin} ne '' } @stored);
		scalar keys %n, map { $n{$_} > 1 ? "$_: $n{$_} are" : () } keys %n
	},
	sub { my ($one, $two) = orders(gate => 'one_time_orders', answer => 'ok'); @$one{qw(tag pin)} = @$two{qw(tag pin)} },
	told_used => 'one with a PIN that was used is told that',
	sub { answered('23PN8|23PN3', grep { $_->{pin} ne '' } refusing(kind => 'used')) },
	sub { my ($one) = orders(gate => 'one_time_orders', answer => 'ok'); $one->{kind} = 'used' },

	# Orders that are kept with a verdict
	judged_order_kept => 'orders that were judged are stored',
	sub { my %in = stored('desk_orders'); missing(\%in, orders(gate => 'desk_orders', answer => 'ok')) },
	q{DELETE FROM desk_orders},

	verdict_kept => 'with the verdict that was told, wherever they moved and whatever was written to it',
	sub {
		my %in = map { $_->{uid} => $_->{verdict} // '' } rows('SELECT uid, verdict FROM desk_orders');
		my @e = grep { exists $in{ $_->{uid} } } orders(gate => 'desk_orders', answer => 'ok');
		scalar @e, map { $in{ $_->{uid} } eq $_->{told} ? () : "$_->{uid} was $_->{told}, is $in{$_->{uid}}" } @e
	},
	q{UPDATE desk_orders SET verdict =
		CASE verdict WHEN 'accepted' THEN 'pin_mismatch' ELSE 'accepted' END::port_pin_verdict},

	verdict_right => 'the verdict is what the PIN deserved',
	sub {
		my @rows = rows('SELECT uid, verdict FROM desk_orders');
		scalar @rows, map {
			my $kind = $model->{orders}{ $_->{uid} }{kind} // 'unknown';
			my $is = $_->{verdict} // 'NULL';
			my $right = $is eq ($verdict{$kind} // '') || $is eq 'too_many_attempts' && $kind ne 'locked';
			$right ? () : "$_->{uid} ($kind) is $is"
		} @rows
	},
	q{UPDATE desk_orders SET verdict = 'accepted'},

	all_judged => 'no order is without one',
	sub {
		value('SELECT count(*) FROM desk_orders'),
		  map { "$_->{uid} is" } rows('SELECT uid FROM desk_orders WHERE verdict IS NULL')
	},
	q{UPDATE desk_orders SET verdict = NULL},

	state_kept => 'they are in the partition that was acknowledged',
	sub {
		my %in = map { $_->{uid} => $_->{state} } rows('SELECT uid, state FROM desk_orders');
		my @uids = grep { exists $in{$_} } $model->tags('desk_orders');
		scalar @uids, map { may_be("desk_orders/$_", 'state', $in{$_}) ? "$_ is $in{$_}" : () } @uids
	},
	q{UPDATE desk_orders SET state = CASE state WHEN 'open' THEN 'done' ELSE 'open' END},

	redacted => 'redacted orders have no PIN',
	sub {
		my %in = stored('desk_orders', 'sealed_orders');
		scalar keys %in, map { defined $in{$_}{pin} ? "$_ has one" : () } keys %in
	},
	q{UPDATE desk_orders SET pin = '771234'},

	# Failed attempts
	told_is_recorded => 'every wrong PIN that was told is on record, with the session that tried it',
	sub {
		my %recorded = recorded(1);
		my %told = count_by(sub { account_of($_[0]) . " $_[0]{pid}" }, grep { was_told_wrong($_) } orders());
		scalar keys %told, map { $told{$_} > ($recorded{$_} // 0) ? "$_: $told{$_} told" : () } keys %told
	},
	q{DELETE FROM port_pin_failures},

	limit_kept => 'no account was told more of them than the limit, for each time that it was lifted',
	sub {
		my %told = count_by(\&account_of, grep { was_told_wrong($_) } orders());
		my %lifted = count_by(\&account_of, $model->events(op => 'lift'));
		scalar keys %told, map { $told{$_} > $server->{account_limit} * (1 + ($lifted{$_} // 0)) ? "$_: $told{$_} told" : () } keys %told
	},
	sub { $_->{answer} = '23PN7', $_->{table} = 'accounts', $_->{key} = -1 for (orders())[0 .. $server->{account_limit}] },

	record_is_true => 'nothing is on record that was not tried',
	sub {
		my %recorded = recorded(0);
		my %tried = count_by(\&account_of, grep { $_->{kind} =~ /^(wrong|unknown)$/ } orders());
		scalar keys %recorded, map { $recorded{$_} > ($tried{$_} // 0) ? "$_: $recorded{$_} on record" : () } keys %recorded
	},
	q{INSERT INTO port_pin_failures (failed_at, account_schema, account_table, account_key, order_schema, order_table, pid)
		VALUES (now(), 'public', 'accounts', '{-1}', 'public', 'orders', 1)},

	locked_out_for_cause => 'no account was locked out that has less on record than the limit',
	sub {
		my %recorded = recorded(0);
		my @out = grep { $_->{answer} eq '23PN3' or ($_->{told} // '') eq 'too_many_attempts' } orders();
		my %out = count_by(\&account_of, @out);
		scalar keys %out, map { ($recorded{$_} // 0) < $server->{account_limit} ? "$_: locked out" : () } keys %out
	},
	sub { my ($one) = orders(); @$one{qw(answer key)} = ('23PN3', -1) },

	source_limit_kept => 'no source was told wrong PINs of more accounts than the limit, and one a client under way',
	sub {
		my %accounts;
		$accounts{ $_->{source} }{ account_of($_) } = 1 for grep { $_->{source} ne '' && was_told_wrong($_) } orders();
		my $limit = $server->{source_limit} + 7;
		my %n = map { $_ => scalar keys %{ $accounts{$_} } } keys %accounts;
		scalar keys %n, map { $n{$_} > $limit ? "$_: $n{$_} accounts" : () } keys %n
	},
	sub { my $n = 0; $_->{answer} = '23PN7', $_->{source} = 'x', $_->{key} = --$n for (orders())[0 .. 30] },

	source_locked_out_for_cause => 'no source was locked out that has failed at fewer accounts than the limit',
	sub {
		my %recorded = recorded_of_sources('DISTINCT (account_table, account_key)');
		my %out = count_by(sub { $_[0]{source} }, orders(answer => '23PNA'));
		scalar keys %out, map { ($recorded{$_} // 0) < $server->{source_limit} ? "$_: locked out" : () } keys %out
	},
	sub { my ($one) = orders(); @$one{qw(answer source)} = ('23PNA', 'x') },

	source_is_recorded => 'a wrong PIN that was told is on record with its source',
	sub {
		my %recorded = recorded_of_sources('*');
		my %told = count_by(sub { $_[0]{source} }, grep { $_->{source} ne '' && was_told_wrong($_) } orders());
		scalar keys %told, map { $told{$_} > ($recorded{$_} // 0) ? "$_: $told{$_} told" : () } keys %told
	},
	q{UPDATE port_pin_failures SET source = NULL},

	# Sealed columns
	sealed_has_no_digits => 'sealed columns have no digits',
	sub {
		value('SELECT count(*) FROM sealed_accounts'),
		  map { "account $_->{tag} has" } rows('SELECT tag FROM sealed_accounts WHERE NOT port_pin_is_sealed(pin)')
	},
	q{ALTER TABLE sealed_accounts DROP CONSTRAINT pin_is_sealed; UPDATE sealed_accounts SET pin = '771234' WHERE tag = 0},

	column_sealed_whole => 'port_pin_seal_column ends its work when it is called again',
	sub {
		value('SELECT count(*) FROM legacy'),
		  (value('SELECT count(*) FROM legacy WHERE NOT port_pin_is_sealed(pin)') ? 'digits are left' : ()),
		  (value(q{SELECT convalidated FROM pg_constraint WHERE conname = 'pin_is_sealed' AND conrelid = 'legacy'::regclass})
			? () : 'its CHECK is not valid')
	},
	q{ALTER TABLE legacy DROP CONSTRAINT pin_is_sealed; UPDATE legacy SET pin = '771234' WHERE id = 1},

	key_is_there => 'what is sealed is sealed with a key of the file',
	sub {
		value('SELECT count(pin) FROM sealed_accounts'), map { "$_->{tag} is not" } rows(q{
			SELECT tag FROM sealed_accounts WHERE pin IS NOT NULL AND port_pin_sealed_with(pin) NOT IN (
				SELECT id || '.' || fingerprint FROM port_pin_seal_keys())})
	},
	q{UPDATE sealed_accounts SET pin = regexp_replace(pin, '\.\w+', '.0123456789abcdef') WHERE tag = 0},

	# The server
	guards_are_well => 'port_pin_guards has all guards that were made, and no problem',
	sub {
		my @rows = rows('SELECT relation::text, guard, problem FROM port_pin_guards');
		scalar @rows, (@rows == $server->{guards} ? () : @rows . " guards, not $server->{guards}"),
		  map { defined $_->{problem} ? "$_->{relation}: $_->{problem}" : () } @rows
	},
	q{ALTER TABLE orders DISABLE TRIGGER USER},

	guards_hold => 'and they work: right orders get in, wrong ones and attempts to clear do not',
	sub {
		8, refused('23PN0', 'UPDATE probe SET pin = NULL'),
		  refused('23PN0', 'UPDATE sealed_accounts SET pin = NULL WHERE tag = 0'),
		  refused('23PN0', 'UPDATE subscribers SET pin = NULL WHERE tag = 0'),
		  refused('23PN4', "INSERT INTO orders VALUES ('p', 9)"),
		  refused('23PN4', "INSERT INTO number_orders VALUES ('p', 'n9')"),
		  refused('23PN4', "INSERT INTO sealed_orders VALUES ('p', 9)"),
		  refused('23PN7', "INSERT INTO probe_orders VALUES (1, '771235')"),
		  refused('22012', "INSERT INTO probe_orders VALUES (1, '771234') RETURNING 1 / 0")
	},
	q{ALTER TABLE orders DISABLE TRIGGER USER},

	amcheck_is_clean => 'pg_amcheck finds nothing wrong with any table or index',
	sub { 1, $server->{amcheck}->() },
	'amcheck',

	nothing_invalid => 'no index is invalid but what REINDEX CONCURRENTLY left',
	sub {
		value('SELECT count(*) FROM pg_index'), map { "index $_->{name}" } rows(q{
			SELECT indexrelid::regclass AS name FROM pg_index WHERE NOT (indisvalid AND indisready AND indislive)})
	},
	q{UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'accounts_pkey'::regclass},

	no_internal_error => 'no client was told an internal error, and the log has none, nor another crash',
	sub {
		my @e = @{ $model->{events} };
		scalar @e, (map { $_->{answer} eq 'XX000' ? "$_->{op} " . ($_->{sql} // $_->{uid} // '') : () } @e),
		  $server->{log}->(qr/PANIC:|(?:ERROR|FATAL):  XX00\d|TRAP:|terminated by signal (?!9:)/)
	},
	sub { $model->{events}[0]{answer} = 'XX000' },

	# The context of a deadlock or a shutdown is PostgreSQL's, and has the line of COPY.
	no_pin_in_log => 'the log has no PIN',
	sub { 1, grep { !/^(?:40|57)\w{3} CONTEXT:  COPY/ } $server->{log}->(qr/(?<!\d)77\d{8}(?!\d)/) },
	q{DO $$BEGIN RAISE LOG '7712345678'; END$$},

	all_was_done => 'everything that clients do was acknowledged at least once: else this proves little',
	sub {
		return 0 if !$server->{last};
		my @ok = grep { $_->{answer} eq 'ok' && !$_->{given} } @{ $model->{events} };
		my %done = map { join(' ', $_->{op}, $_->{gate} // $_->{what} // ()) => 1 } @ok;
		my @ddl = map { $_->{sql} // '' } grep { $_->{op} eq 'ddl' } @ok;
		$done{ 'by ' . ($_->{by} // '') } = $done{ 'end ' . ($_->{end} // '') } = 1 for @ok;
		my @wanted = (map({ "set $_" } qw(pin key locked region state)), map({ "order $_" } @refusing, 'desk_orders'), 'lift',
			map({ "by $_" } qw(INSERT COPY MERGE)), map({ "end $_" } 'COMMIT', 'COMMIT PREPARED'));
		scalar @ok, (map { $done{$_} ? () : $_ } @wanted),
		  map { my $sql = $_; grep({ /$sql/ } @ddl) ? () : $sql } qw(REINDEX ATTACH port_pin_protect port_pin_gate)
	},
	sub { $_->{answer} = '55000' for $model->events(op => 'set', what => 'key') },

	nothing_hangs => 'nothing took longer than five minutes',
	sub {
		my @e = @{ $model->{events} };
		scalar @e, (map { "client $_ did" } @{ $server->{hung} }),
		  map { ($_->{seconds} // 0) > 300 ? "$_->{op} took $_->{seconds} s" : () } @e
	},
	sub { $model->{events}[0]{seconds} = 301 },
);

# As records, in that order.
sub list
{
	my (@rest, @list) = @all;
	while (my ($name, $says, $look, $spoil) = splice @rest, 0, 4)
	{
		push @list, { name => $name, says => $says, look => $look, spoil => $spoil };
	}
	return @list;
}

1;
