# A client of the torture.  It does one thing after the other, and writes down each of
# them before it asks for it, and then the answer.  It finds out nothing from the
# server: what it knows is in its model.  If a broken connection left a doubt, it
# resolves that first.
#
# Only one client changes the PIN and key of an account, so that it knows whether an
# order is right; those of shared accounts (client 0) stay as they are.

package Traffic;

use strict;
use warnings;
use DBI;
use Campaign;
use Fcntl;
use IO::Handle;
use MIME::Base64;
use Model;
use Time::HiRes qw(sleep time);

sub new
{
	my ($class, %self) = @_;	# client, file, model, until: is it time to end?
	sysopen my $fh, $self{file}, O_WRONLY | O_APPEND | O_CREAT or die "$self{file}: $!";
	$fh->autoflush;
	return bless { orders => 0, %self, fh => $fh }, $class;
}

## Asking

# Values are parameters: the log shows the statement of a backend that is killed.
sub connect
{
	my ($self) = @_;
	my $isolation = $self->{client} % 4 == 3 ? 'repeatable read' : 'read committed';
	delete $self->{dbh};
	until ($self->{until}->())
	{
		$self->{dbh} = DBI->connect($dsn, 'postgres', '',
			{ RaiseError => 0, PrintError => 0, Warn => 0, pg_switch_prepared => 1 });
		if ($self->{dbh} and $self->{dbh}->do("SET default_transaction_isolation = '$isolation'"))
		{
			$self->end_prepared;
			return 1;
		}
		sleep 0.05;
	}
	return 0;
}

sub note
{
	my ($self, %event) = @_;
	my $event = { client => $self->{client}, %event };
	print { $self->{fh} } Model::line($event);
	$self->{model}->apply($event);
}

# A transaction that was prepared when the connection broke: it may end in either way.
sub end_prepared
{
	my ($self) = @_;
	my $id = delete $self->{prepared} or return;
	$self->{dbh}->do(one_of('COMMIT', 'ROLLBACK') . " PREPARED '$id'");
}

# End a transaction block: COMMIT, ROLLBACK, or COMMIT PREPARED.
sub end_block
{
	my ($self, $end) = @_;
	return $self->{dbh}->do($end) if $end ne 'COMMIT PREPARED';
	my $id = join '-', $self->{client}, $self->{round}, ++$self->{transactions};
	$self->{prepared} = $id;
	my $done = $self->{dbh}->do("PREPARE TRANSACTION '$id'") && $self->{dbh}->do("COMMIT PREPARED '$id'");
	delete $self->{prepared} if $done or $self->{dbh}->ping;
	return $done;
}

# Run a statement with these values; for COPY they are the row.
sub execute
{
	my ($self, $sql, @values) = @_;
	my $dbh = $self->{dbh};
	if ($sql =~ /^COPY/)
	{
		return $dbh->do($sql) && $dbh->pg_putcopydata(join("\t", map { $_ // '\N' } @values) . "\n") && $dbh->pg_putcopyend;
	}
	my $sth = $dbh->prepare($sql);
	return $sth && $sth->execute(@values) ? $sth : undef;
}

# Tell what is about to be done, do it, and tell the answer, which is returned.  In a
# transaction block that ends as $event->{end} says, it is acknowledged at the end.
sub attempt
{
	my ($self, $event, $sql, @values) = @_;
	my $dbh = $self->{dbh} or return 'lost';
	my $begun = time;
	$self->note(%$event, phase => 'begin', pid => $dbh->{pg_pid});
	$dbh->do('BEGIN') if $event->{end};
	my $done = $self->execute($sql, @values);
	my $told = ref $done && $done->{NUM_OF_FIELDS} ? ($done->fetchrow_array)[0] : undef;
	my $answer = ref $done && $sql =~ /^UPDATE/ && !$done->rows ? 'none' : 'ok';
	$done = $self->end_block($event->{end}) if $done and $event->{end};
	$answer = $dbh->state if !$done;
	$answer = 'undone' if $done and ($event->{end} // '') eq 'ROLLBACK';
	$answer = 'lost' if !$done and ($answer !~ /^(23|40|55)/ and !$dbh->ping or $answer =~ /^57P0/);
	$dbh->do('ROLLBACK') if !$done and $event->{end};
	$self->note(phase => 'end', answer => $answer, told => $told // '', seconds => sprintf('%.3f', time - $begun));
	$self->connect if !$dbh->ping;
	return $answer;
}

# A change that is acknowledged or in doubt.
sub set
{
	my ($self, $thing, $what, $value, $sql, @values) = @_;
	return $self->attempt({ op => 'set', thing => $thing, what => $what, value => $value }, $sql, @values);
}

# What else an acknowledged row has; after another answer, what it may have.
sub given
{
	my ($self, $thing, $what, $value, $answer) = @_;
	$self->note(phase => 'begin', op => 'set', thing => $thing, what => $what, value => $value, given => 1);
	$self->note(phase => 'end', answer => $answer // 'ok', told => '', seconds => 0);
}

## What there is

sub own
{
	my ($self, $table) = @_;
	return grep { int($_ / 100) == $self->{client} } $self->{model}->tags($table);
}

sub shared { my ($self, $table) = @_; return grep { $_ < 100 } $self->{model}->tags($table) }

sub is_blank { return $_[0] % 10 == 9 }		# these never get a PIN

sub create
{
	my ($self) = @_;
	my $n = $self->{client} * 100;
	for my $tag ($n .. ($self->{client} ? $n + 5 : 1), $n + 9)
	{
		my $pin = is_blank($tag) ? '' : new_pin();
		for my $table ('accounts', 'sealed_accounts', 'one_time_accounts')
		{
			$self->set("$table/$tag", 'pin', $pin,
				"INSERT INTO $table (id, tag, pin) VALUES (?, ?, nullif(?, ''))", $tag, $tag, $pin);
			$self->given("$table/$tag", 'key', $tag);
			$self->given("$table/$tag", $table eq 'one_time_accounts' ? 'used' : 'locked', 0);
		}
		$self->attempt({ op => 'ddl' }, 'INSERT INTO numbers VALUES (?, ?)', "n$tag", $tag);
		$self->set("subscribers/$tag", 'pin', $pin,
			q{INSERT INTO subscribers (tag, region, pin) VALUES (?, 'east', nullif(?, ''))}, $tag, $pin);
		$self->given("subscribers/$tag", 'region', 'east');
	}
}

## What is done

sub set_pin
{
	my ($self, $table, $tag) = @_;
	my $pin = new_pin();
	my $answer = $self->set("$table/$tag", 'pin', $pin, "UPDATE $table SET pin = ? WHERE tag = ?", $pin, $tag);
	$self->given("$table/$tag", 'used', 0, $answer) if $table eq 'one_time_accounts' and $answer =~ /^(?:ok|lost)$/;
	return $answer;
}

sub set_locked
{
	my ($self, $table, $tag, $locked) = @_;
	return $self->set("$table/$tag", 'locked', $locked,
		"UPDATE $table SET locked = ? WHERE tag = ?", $locked ? 't' : 'f', $tag);
}

# Keys of an account are equal modulo 100000.  No key is used twice, so that failed
# attempts are counted for one that this client knows.
sub set_key
{
	my ($self, $tag) = @_;
	my $used = (sort { $b <=> $a } $self->{model}->values_of("accounts/$tag", 'key'))[0];
	my $key = $used + 100000;
	return $self->set("accounts/$tag", 'key', $key, 'UPDATE accounts SET id = ? WHERE tag = ?', $key, $tag);
}

sub end_doubt
{
	my ($self, $table, $tag) = @_;
	my $model = $self->{model};
	my $thing = "$table/$tag";
	my $state = $table eq 'one_time_accounts' ? 'used' : 'locked';
	my @by_pin = $state eq 'used' ? qw(pin used) : 'pin';		# a new PIN ends these doubts
	$self->set_pin($table, $tag) if $tag >= 100 and grep { !defined $model->value_of($thing, $_) } @by_pin;
	$self->set_locked($table, $tag, 0) if $state eq 'locked' and !defined $model->value_of($thing, 'locked');
	$self->set_key($tag) if !defined $model->value_of($thing, 'key');
	return !grep { !defined $model->value_of($thing, $_) } 'pin', 'key', $tag >= 100 || $state eq 'locked' ? $state : ();
}

# The gates: the table of their accounts, and the columns of an order besides its key
# and PIN.
my %gate = (
	orders => { accounts => 'accounts', key => 'account', more => 'source' },
	number_orders => { accounts => 'accounts', key => 'number' },
	sealed_orders => { accounts => 'sealed_accounts', key => 'account' },
	one_time_orders => { accounts => 'one_time_accounts', key => 'account' },
	desk_orders => { accounts => 'accounts', key => 'account', more => 'state' });

# The statement that stores an order.
sub order_sql
{
	my ($gate, $by) = @_;
	my @columns = ('uid', $gate{$gate}{key}, 'pin', $gate{$gate}{more} // ());
	my $columns = join ', ', @columns;
	my $marks = join ', ', map { $_ eq 'account' ? '?::int' : '?::text' } @columns;
	return "COPY $gate ($columns) FROM STDIN" if $by eq 'COPY';
	return "MERGE INTO $gate o USING (VALUES ($marks)) s ($columns) ON o.uid = s.uid "
	  . "WHEN NOT MATCHED THEN INSERT ($columns) VALUES (" . join(', ', map { "s.$_" } @columns) . ')'
	  if $by eq 'MERGE';
	return "INSERT INTO $gate ($columns) VALUES ($marks)" . ($gate eq 'desk_orders' ? ' RETURNING verdict' : '');
}

# Is the order right, by what the model knows of its account?
sub kind_of
{
	my ($self, $kind, $table, $tag) = @_;
	my $thing = "$table/$tag";
	my $unset = $self->{model}->value_of($thing, 'pin') eq '';
	return 'locked' if $self->{model}->value_of($thing, 'locked');
	return 'blank' if $unset;
	return $kind if $kind eq 'none' or $table ne 'one_time_accounts';
	return $kind eq 'right' ? 'race' : 'unknown' if $tag < 100;
	return $self->{model}->value_of($thing, 'used') ? 'used' : $kind;
}

sub place_order
{
	my ($self) = @_;
	my $gate = one_of(sort keys %gate);
	my $table = $gate{$gate}{accounts};
	my $tag = one_of(rand() < 0.3 ? $self->shared($table) : $self->own($table));
	$self->end_doubt($table, $tag) or return;

	my $thing = "$table/$tag";
	my $right = $self->{model}->value_of($thing, 'pin');
	my $key = $self->{model}->value_of($thing, 'key');
	my $kind = one_of(('right') x 6, ('wrong') x 3, 'none');
	my $pin = $kind eq 'right' && $right ne '' ? $right : $kind eq 'none' ? undef : new_pin();
	my $uid = join '-', $self->{client}, $self->{round}, ++$self->{orders};
	my $source = $gate eq 'orders' ? one_of(undef, undef, "carrier $self->{client}", "thief $self->{round}") : undef;
	my $by = $gate eq 'desk_orders' ? 'INSERT' : one_of('INSERT', 'INSERT', 'COPY', 'MERGE');
	$kind = $self->kind_of($kind, $table, $tag);
	my $answer = $self->attempt(
		{ op => 'order', uid => $uid, gate => $gate, table => $table, tag => $tag, key => $key, by => $by,
			source => $source // '', kind => $kind, pin => $pin // '',
			end => one_of('', '', '', '', 'COMMIT', 'COMMIT PREPARED', 'ROLLBACK') },
		order_sql($gate, $by), $uid, $gate eq 'number_orders' ? "n$tag" : $key, $pin,
		$gate eq 'orders' ? $source : $gate eq 'desk_orders' ? 'open' : ());
	$self->given($thing, 'used', 1, $answer) if $gate eq 'one_time_orders' and $kind eq 'right' and $answer =~ /^(?:ok|lost)$/;
}

# Moves it to another partition, sometimes with a verdict that it was not given.
sub move_order
{
	my ($self) = @_;
	my $uid = one_of(map { $_->{uid} } grep { $_->{answer} eq 'ok' }
		$self->{model}->events(op => 'order', client => $self->{client}, gate => 'desk_orders')) // return;
	my $state = one_of('open', 'done');
	my $forged = rand() < 0.3 ? ", verdict = 'accepted'" : '';
	$self->set("desk_orders/$uid", 'state', $state, "UPDATE desk_orders SET state = ?$forged WHERE uid = ?", $state, $uid);
}

sub change_account
{
	my ($self) = @_;
	my $table = one_of('accounts', 'sealed_accounts', 'one_time_accounts');
	my $tag = one_of(grep { !is_blank($_) } $self->own($table));
	return $self->set_pin($table, $tag) if $table eq 'one_time_accounts' or rand() < 0.6;
	return $self->set_locked($table, $tag, one_of(0, 0, 0, 1)) if $table ne 'accounts' or rand() < 0.3;
	return $self->set_key($tag) if rand() < 0.7;
	$tag = one_of($tag, $self->shared($table));
	my $key = $self->{model}->value_of("accounts/$tag", 'key') // return;
	$self->attempt({ op => 'lift', table => $table, key => $key },
		'SELECT port_pin_lift_lockout(?::regclass, ?::int)', $table, $key);
}

sub move_subscriber
{
	my ($self) = @_;
	my $tag = one_of($self->own('subscribers'));
	my $region = one_of(qw(east west north south));
	return $self->set("subscribers/$tag", 'region', $region,
		'UPDATE subscribers SET region = ? WHERE tag = ?', $region, $tag)
	  if is_blank($tag) or rand() < 0.7;
	$self->set_pin('subscribers', $tag);
}

my @clear = (
	'UPDATE accounts SET pin = NULL WHERE tag = ?',
	q{UPDATE accounts SET pin = '' WHERE tag = ?},
	'DELETE FROM accounts WHERE tag = ?',
	'INSERT INTO accounts (id, tag) VALUES (-1, ?) ON CONFLICT (tag) DO UPDATE SET pin = EXCLUDED.pin',
	'UPDATE sealed_accounts SET pin = NULL WHERE tag = ?',
	q{UPDATE sealed_accounts SET pin = '' WHERE tag = ?},
	'DELETE FROM sealed_accounts WHERE tag = ?',
	'UPDATE subscribers SET pin = NULL WHERE tag = ?',
	q{UPDATE subscribers SET region = CASE region WHEN 'east' THEN 'west' ELSE 'east' END, pin = NULL WHERE tag = ?});

sub clear_pin
{
	my ($self) = @_;
	my $tag = one_of(grep { !is_blank($_) } $self->own('accounts'));
	my $sql = one_of(@clear);
	$self->attempt({ op => 'clear', tag => $tag, sql => $sql }, $sql, $tag);
}

# Until it is time to end, whether the server is up or down.
sub run
{
	my ($self) = @_;
	my @what = (('place_order') x 10, ('change_account') x 3, ('clear_pin') x 2, ('move_order') x 2, 'move_subscriber');
	$self->connect or return;
	until ($self->{until}->())
	{
		my $what = one_of(@what);
		$self->$what;
	}
}

## The two clients with other work

# No ALTER TABLE that rewrites accounts: a snapshot from before it sees them empty, and
# the foreign key of a REPEATABLE READ order fails (PostgreSQL's caveat of MVCC).
my @ddl = (
	q{SELECT port_pin_protect('accounts', lock => 'locked', history => true, replace => true)},
	q{SELECT port_pin_protect('sealed_accounts', lock => 'locked', forbid_delete => true, replace => true)},
	q{SELECT port_pin_protect('subscribers', replace => true)},
	q{SELECT port_pin_protect('one_time_accounts', used => 'used', replace => true)},
	q{SELECT port_pin_gate('orders', source => 'source', replace => true)},
	q{SELECT port_pin_gate('one_time_orders', replace => true)},
	q{SELECT port_pin_gate('number_orders', fk => 'number', via => 'account', replace => true)},
	q{SELECT port_pin_gate('sealed_orders', redact => true, replace => true)},
	q{SELECT port_pin_gate('desk_orders', verdict => 'verdict', redact => true, replace => true)},
	(map { "REINDEX TABLE CONCURRENTLY $_" } qw(accounts orders sealed_accounts port_pin_failures desk_orders)),
	'ALTER TABLE unrelated ADD IF NOT EXISTS more int', 'ALTER TABLE unrelated DROP IF EXISTS more',
	'ALTER TABLE unrelated ALTER id TYPE bigint', 'ALTER TABLE unrelated ALTER id TYPE int',
	'CREATE INDEX IF NOT EXISTS accounts_note ON accounts (note)', 'DROP INDEX IF EXISTS accounts_note',
	'ALTER TABLE accounts ALTER note SET STORAGE MAIN', 'ALTER TABLE accounts ALTER note SET STORAGE EXTENDED',
	'ANALYZE accounts', 'VACUUM accounts', 'VACUUM FULL numbers', 'VACUUM (FREEZE) orders', 'CHECKPOINT',
	'DO $$BEGIN ALTER TABLE subscribers DETACH PARTITION subscribers_west; '
	  . q{ALTER TABLE subscribers ATTACH PARTITION subscribers_west FOR VALUES IN ('west'); END$$},
	'ALTER TABLE subscribers DETACH PARTITION subscribers_spare',
	(q{ALTER TABLE subscribers ATTACH PARTITION subscribers_spare FOR VALUES IN ('spare')}) x 2);

sub run_ddl
{
	my ($self, $key_file) = @_;
	$self->connect or return;
	until ($self->{until}->())
	{
		rotate($key_file) if rand() < 0.1;
		$self->{dbh}->do(q{SET lock_timeout = '2s'});
		my $sql = one_of(@ddl);
		$self->attempt({ op => 'ddl', sql => $sql }, $sql);
		sleep 0.02;
	}
}

# Another key seals from now on; the old ones verify what they have sealed.
sub rotate
{
	my ($key_file) = @_;
	open my $old, '<', $key_file or die "$key_file: $!";
	my @keys = <$old>;
	my $key = join '', map { chr int rand 256 } 1 .. 32;
	my $umask = umask 077;
	open my $new, '>', "$key_file.new" or die "$key_file.new: $!";
	print $new 'k' . (@keys + 1) . ':', encode_base64($key, ''), "\n", @keys;
	close $new or die "$key_file.new: $!";
	umask $umask;
	rename "$key_file.new", $key_file or die "$key_file: $!";
}

sub run_sealing
{
	my ($self) = @_;
	$self->connect or return;
	until ($self->{until}->())
	{
		$self->attempt({ op => 'ddl' }, q{CALL port_pin_seal_column('legacy', batch_size => 5)});
		sleep 0.1;
	}
}

1;
