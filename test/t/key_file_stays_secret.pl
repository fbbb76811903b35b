
# The key file of sealed PINs: what is refused, when it is read, and that nothing of
# its content gets anywhere.

use strict;
use warnings;
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $first = join '', map { chr(($_ * 37 + 11) % 256) } 0 .. 31;
my $second = join '', map { chr(($_ * 53 + 7) % 256) } 0 .. 31;
my ($first64, $second64) = (encode_base64($first, ''), encode_base64($second, ''));
my $dir = PostgreSQL::Test::Utils::tempdir();
my $file = "$dir/keys";

my $node = PostgreSQL::Test::Cluster->new('key_file');
$node->init;
$node->append_conf('postgresql.conf', qq{
portpin.key_file = '$file'
log_statement = none
log_min_error_statement = error
});
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION portpin CASCADE;
	CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin_sealed);
	CREATE TABLE port_orders (account int REFERENCES accounts, pin port_pin);
	SELECT port_pin_protect('accounts'), port_pin_gate('port_orders');
});

# Lines of keys that differ.
sub keys_numbered
{
	return map { "x$_:" . encode_base64(pack('A32', "key number $_"), '') . "\n" } @_;
}

sub write_keys
{
	my ($content, $mode, $path) = @_;
	$path //= $file;
	unlink $path;
	open my $fh, '>', $path or die $!;
	binmode $fh;
	chmod $mode // 0600, $fh;
	print $fh $content;
	close $fh;
}

# Reload, and ask a new session for its keys.
sub keys_of_new_session
{
	$node->reload;
	my ($status, $out, $err) = $node->psql('postgres', 'SELECT id FROM port_pin_seal_keys()');
	return ($out, $err);
}

sub is_refused
{
	my ($what, $error) = @_;
	my ($out, $err) = keys_of_new_session();
	like($err, $error, "$what: refused");
	is($out, '', "$what: no key is used");
}

sub content_is_refused
{
	my ($what, $content, $error) = @_;
	write_keys($content);
	is_refused($what, $error);
}


## The file

is_refused('a file that is missing', qr/could not read the key file of port PINs: No such file.*openssl rand/s);

mkdir $file or die $!;
is_refused('a directory', qr/is not a regular file/);
rmdir $file;

system_or_bail('mkfifo', '-m', '600', $file);
is_refused('a named pipe, without waiting for a writer', qr/is not a regular file/);

for my $mode (0640, 0604, 0620, 0660, 0644)
{
	write_keys("first:$first64\n", $mode);
	is_refused(sprintf('mode %04o', $mode), qr/can be used by other users.*chmod 0600/s);
}

write_keys("first:$first64\n", 0000);
is_refused('a file that the server can\'t read', qr/could not read the key file of port PINs: Permission denied/);

my $inside = $node->data_dir . '/keys';
write_keys("first:$first64\n", 0600, $inside);
unlink $file;
symlink $inside, $file or die $!;
is_refused('a link into the data directory', qr/is in the data directory.*base backup/s);
unlink $file;
for my $path ('keys', $inside, $node->data_dir . '/../' . $node->name . '/keys')
{
	next if $path =~ /\.\./ && !-e $path;
	$node->adjust_conf('postgresql.conf', 'portpin.key_file', "'$path'");
	is_refused("a file in the data directory", qr/is in the data directory/);
}
unlink $inside;

# A link to a file outside of it is fine.
$node->adjust_conf('postgresql.conf', 'portpin.key_file', "'$file'");
write_keys("first:$first64\n", 0600, "$dir/elsewhere");
symlink "$dir/elsewhere", $file or die $!;
is((keys_of_new_session())[0], 'first', 'a link to a file elsewhere');


## Its content

content_is_refused('a line without a colon', "# keys\n\n$first64\n",
	qr/line 3 of the key file of port PINs is wrong.*not of the form id:key/s);
for my $id ('', 'First', 'a b', 'key.1', 'x' x 17, "k\0")
{
	content_is_refused("an id '" . ($id =~ s/\0/<NUL>/r) . "'", "first:$first64\n$id:$second64\n",
		qr/line 2 .*An id has 1 to 16 characters/s);
}
for my $key ('', 'AAAA', encode_base64(substr($second, 1), ''), encode_base64("$second!", ''),
	substr($second64, 0, -1), "$second64 #", '?' x 44, ' ' . substr($second64, 1))
{
	content_is_refused('a key that is not 32 bytes in base64', "first:$first64\nsecond:$key\n",
		qr/line 2 .*A key is 32 bytes in base64/s);
}
content_is_refused('a key twice', "first:$first64\nsecond:$second64\nfirst:$first64\n",
	qr/line 3 .*key is that of a line before it/s);
content_is_refused('a key twice, by another id', "first:$first64\nsecond:$first64\n",
	qr/line 2 .*key is that of a line before it/s);
content_is_refused('a file without a key', "# nothing yet\n\n", qr/has no key/);
content_is_refused('an empty file', '', qr/has no key/);
content_is_refused('a file that is no key file', "\n" x (1024 * 1024 + 1), qr/is too large/);

write_keys("# keys\r\n\r\nfirst:$first64\r\nsecond:$second64  \t\n\n# end");
is((keys_of_new_session())[0], "first\nsecond",
	'comments, blank lines, the line ends of Windows and none at the end');
write_keys("first:$first64\nfirst:$second64\n");
is((keys_of_new_session())[0], "first\nfirst", 'an id twice, with two keys');
write_keys(join '', keys_numbered(1 .. 1000));
like((keys_of_new_session())[0], qr/^x1\n.*x1000$/s, 'a thousand keys');


## When it is read

# All in one session: what a row tells is the key that has sealed it.
sub in_one_session
{
	my ($script) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $script);
	is($err, '', 'no error');
	return $out;
}

write_keys("first:$first64\n");
$node->reload;
write_keys("second:$second64\nfirst:$first64\n", 0600, "$file.new");
is(in_one_session(qq{
	BEGIN;
	INSERT INTO accounts VALUES (1, '004211');
	\\! mv '$file.new' '$file'
	INSERT INTO accounts VALUES (2, '004212');
	COMMIT;
	INSERT INTO accounts VALUES (3, '004213');
	SELECT id, split_part(port_pin_sealed_with(pin), '.', 1), port_pin_check(pin, '00421' || id)
	FROM accounts ORDER BY id;
}), "1|first|accepted\n2|first|accepted\n3|second|accepted",
	'a transaction has the keys that it has read, the next one those of the file; all of them verify');

# A transaction that is open has the keys of the file after a reload, too.
write_keys("second:$second64\nfirst:$first64\n", 0600, "$file.new");
write_keys("first:$first64\nsecond:$second64\n");
is(in_one_session(qq{
	BEGIN;
	UPDATE accounts SET pin = '004211' WHERE id = 1;
	\\! mv '$file.new' '$file'
	\\o /dev/null
	SELECT pg_reload_conf();
	SELECT pg_sleep(1);
	\\o
	UPDATE accounts SET pin = '004212' WHERE id = 2;
	SELECT id, split_part(port_pin_sealed_with(pin), '.', 1) FROM accounts ORDER BY id;
	ROLLBACK;
}), "1|first\n2|second\n3|second", 'a reload reaches a transaction that is open');

# The key goes out of use once no row needs it.
$node->safe_psql('postgres', q{UPDATE accounts SET pin = '815815' WHERE id < 3});
like($node->safe_psql('postgres', 'SELECT port_pin_sealed_with(pin), count(*) FROM accounts GROUP BY 1'),
	qr/^second\.[0-9a-f]{16}\|3$/, 'which keys are still needed');
write_keys("second:$second64\n");
$node->reload;
is($node->psql('postgres', q{INSERT INTO port_orders VALUES (1, '815815')}), 0,
	'an order, when the old key has been dropped');

# A bad file: sealed PINs can't be checked, orders are refused, nothing else is.
write_keys("second:$second64\nthird\n");
$node->reload;
my ($status, $out, $err) = $node->psql('postgres', q{INSERT INTO port_orders VALUES (1, '815815')});
like($err, qr/line 2 of the key file.*wrong/, 'an order is refused while the file is bad');
unlike($err, qr/\Q$file\E/, 'who places it does not learn which file that is');
like(slurp_file($node->logfile), qr/portpin.key_file is "\Q$file\E"/, 'the log does');
is($node->psql('postgres', q{UPDATE accounts SET id = 10 WHERE id = 2}), 0,
	'other columns change without the key');
is($node->psql('postgres', q{UPDATE accounts SET pin = '815816' WHERE id = 10}), 3,
	'a PIN does not');
write_keys("second:$second64\n");
$node->reload;


## What is left behind

# The key as it lies in the memory of a session: there in a transaction that has used
# it, gone when that has ended, in whatever way.
open my $scan, '>', "$dir/scan.pl" or die $!;
print $scan q{
	my ($pid, $key) = @ENV{'PIN_PID', 'PIN_KEY'};
	$key = pack 'H*', $key;
	open my $maps, '<', "/proc/$pid/maps" or print("unknown\n"), exit;
	open my $mem, '<:raw', "/proc/$pid/mem" or print("unknown\n"), exit;
	my $found = 0;
	while (<$maps>)
	{
		next unless /^([0-9a-f]+)-([0-9a-f]+) rw.. .* 0 *(\[heap\]|\[stack\])?$/;
		my ($from, $to) = (hex $1, hex $2);
		next if $to - $from > 256 << 20;
		sysseek $mem, $from, 0 or next;
		sysread $mem, my $block, $to - $from or next;
		$found++ while $block =~ /\Q$key\E/g;
	}
	print $found ? "found\n" : "not found\n";
};
close $scan;
my $scanned = sub {
	my ($key, $end) = @_;
	local $ENV{PIN_KEY} = unpack 'H*', $key;
	return in_one_session(qq{
		SELECT pg_backend_pid() AS pid \\gset
		\\setenv PIN_PID :pid
		BEGIN;
		SELECT port_pin_check(pin, '815815') FROM accounts WHERE id = 1;
		\\! "$^X" "$dir/scan.pl"
		$end;
		\\! "$^X" "$dir/scan.pl"
	});
};
# The key is among others, so that the freed memory is too large to be reused at once.
write_keys(join '', keys_numbered(1 .. 300), "second:$second64\n", keys_numbered(301 .. 600));
$node->reload;
SKIP:
{
	my $memory = $scanned->($second, 'COMMIT');
	skip 'no access to the memory of a session', 4 if $memory =~ /unknown/;
	is($memory, "accepted\nfound\nnot found", 'the key is in memory until the transaction is committed');
	is($scanned->($second, 'ROLLBACK'), "accepted\nfound\nnot found", 'or rolled back');
	unlike($scanned->($second64, 'COMMIT'), qr/^found/m, 'the text of the file never stays');

	# A key before a wrong line does not stay, nor one that a session has when it fails.
	write_keys(join '', keys_numbered(1 .. 300), "second:$second64\n", keys_numbered(301 .. 600), "third\n");
	local $ENV{PIN_KEY} = unpack 'H*', $second;
	my (undef, $left) = $node->psql('postgres', qq{
		SELECT pg_backend_pid() AS pid \\gset
		\\setenv PIN_PID :pid
		SELECT port_pin_check(pin, '815815') FROM accounts WHERE id = 1;
		\\! "$^X" "$dir/scan.pl"
	}, on_error_stop => 0);
	is($left, 'not found', 'a bad file leaves no key behind');
}
write_keys("second:$second64\n");
$node->reload;

# pgcrypto may be forbidden to compute: then nothing is let in.
SKIP:
{
	skip 'pgcrypto.builtin_crypto_enabled came with PostgreSQL 18', 4
	  if $node->pg_version < 18;
	$node->append_conf('postgresql.conf', 'pgcrypto.builtin_crypto_enabled = off');
	$node->reload;
	for my $statement (q{INSERT INTO port_orders VALUES (1, '815815')},
		q{UPDATE accounts SET pin = '735517'})
	{
		($status, $out, $err) = $node->psql('postgres', $statement);
		is($status, 3, 'refused where pgcrypto is');
		like($err, qr/built-in crypto functions is disabled/, "in pgcrypto's words");
	}
	$node->append_conf('postgresql.conf', 'pgcrypto.builtin_crypto_enabled = on');
	$node->reload;
}

# PINs that are refused on their way in.
my $end = -s $node->logfile;
(undef, undef, $err) = $node->psql('postgres', q{
	\set VERBOSITY verbose
	\set SHOW_CONTEXT always
	INSERT INTO accounts VALUES (20, '73551784662');
	COPY accounts FROM stdin;
20	73551784662
\.
	DO $$ BEGIN EXECUTE 'INSERT INTO accounts VALUES (20, ''73551784662'')'; END $$;
	ALTER TABLE accounts DISABLE TRIGGER port_pin_seal;
	INSERT INTO accounts VALUES (20, '735517');
	COPY accounts FROM stdin;
20	735517
\.
	ALTER TABLE accounts ENABLE TRIGGER port_pin_seal;
}, on_error_stop => 0);
my $log = slurp_file($node->logfile, $end);
is(() = $err =~ /ERROR:  23514/g, 5, 'five PINs refused');
unlike("$err$log", qr/735517/, 'none in messages or log');

# And those that are being hashed when the statement is cancelled.
$end = -s $node->logfile;
(undef, undef, $err) = $node->psql('postgres', q{
	\set VERBOSITY verbose
	\set SHOW_CONTEXT always
	SET portpin.seal_cost = 15;
	SET statement_timeout = '200ms';
	INSERT INTO accounts VALUES (20, '735517');
	COPY accounts FROM stdin;
20	735517
\.
	SET portpin.seal_method = pbkdf2;
	INSERT INTO accounts VALUES (20, '735517');
	COPY accounts FROM stdin;
20	735517
\.
}, on_error_stop => 0);
$log = slurp_file($node->logfile, $end);
is(() = $err =~ /ERROR:  57014/g, 4, 'four statements cancelled, two by either method');
unlike("$err$log", qr/735517/, 'no PIN in messages or log');

# Nothing of the file has been seen anywhere.
$log = slurp_file($node->logfile);
unlike($log, qr/\Q$first64\E|\Q$second64\E|\Q${\substr($first64, 0, 12)}\E|\Q${\substr($second64, 0, 12)}\E/,
	'no key in the log');

done_testing();
