# What PostgreSQL learned after 15, and what it means for a PIN.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('newer');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION portpin CASCADE;
	CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
	CREATE TABLE port_orders (account int REFERENCES accounts, pin port_pin);
	SELECT port_pin_protect('accounts'), port_pin_gate('port_orders');
	INSERT INTO accounts VALUES (1, '004211'), (2, NULL);
});

sub is_refused
{
	my ($sqlstate, $sql) = @_;
	my ($status, $out, $err) =
	  $node->psql('postgres', "\\set VERBOSITY sqlstate\n$sql");
	like($err, qr/ERROR:  $sqlstate$/, "$sqlstate for $sql");
}

sub is_answer
{
	my ($sql, $answer, $what) = @_;
	is($node->safe_psql('postgres', $sql), $answer, $what);
}

SKIP:
{
	skip 'errors that are data came with 16' if $node->pg_version < 16;

	is_answer(q{SELECT pin, pg_input_is_valid(pin, 'port_pin') FROM unnest('{004211,12345,1234 5,""}'::text[]) pin},
		"004211|t\n12345|f\n1234 5|f\n|f", 'a PIN can be tried without an error');
	is_answer(q{SELECT sql_error_code, message LIKE '%12345x%' FROM pg_input_error_info('12345x', 'port_pin')},
		'23514|f', 'and why it is none shows nothing of it');
}

SKIP:
{
	skip 'COPY ON_ERROR came with 17' if $node->pg_version < 17;

	is_answer("COPY accounts FROM STDIN (ON_ERROR ignore);\n3\t333333\n4\t12345\n\\.\nSELECT * FROM accounts WHERE id > 2",
		'3|333333', 'ON_ERROR leaves out what is no PIN');
	is_refused('23PN7', "COPY port_orders FROM STDIN (ON_ERROR ignore);\n1\t004211\n1\t111222\n\\.\n");
	is_answer('SELECT count(*) FROM port_orders', '0', 'but no order that the gate refuses');
}

SKIP:
{
	skip 'foreign keys that need not hold, and virtual columns, came with 18' if $node->pg_version < 18;

	is_refused('42830', q{
		CREATE TABLE loose (account int REFERENCES accounts NOT ENFORCED, pin port_pin);
		SELECT port_pin_gate('loose')});
	is_refused('42830', q{
		BEGIN;
		ALTER TABLE port_orders ALTER CONSTRAINT port_orders_account_fkey NOT ENFORCED;
		INSERT INTO port_orders VALUES (1, '004211')});
	is_refused('42830', q{
		CREATE TABLE leases (id int4range, during daterange, pin port_pin,
			PRIMARY KEY (id, during WITHOUT OVERLAPS));
		CREATE TABLE lease_orders (lease int4range, during daterange, pin port_pin,
			FOREIGN KEY (lease, PERIOD during) REFERENCES leases (id, PERIOD during));
		SELECT port_pin_gate('lease_orders')});
	is_refused('0A000', q{
		CREATE TABLE seen (id int PRIMARY KEY, raw text, pin text GENERATED ALWAYS AS (trim(raw)));
		SELECT port_pin_protect('seen', 'pin')});
	is_refused('0A000', q{
		CREATE TABLE seen_orders (account int REFERENCES accounts, pin port_pin, country text,
			is_us bool GENERATED ALWAYS AS (country = 'US'));
		SELECT port_pin_gate('seen_orders', scope => 'is_us')});
	is_refused('23PN0', 'UPDATE accounts SET pin = NULL WHERE id = 1 RETURNING old.pin, new.pin');
}

SKIP:
{
	skip 'COPY ON_ERROR set_null and SPLIT PARTITION came with 19' if $node->pg_version < 19;

	is_refused('23PN5', "COPY port_orders FROM STDIN (ON_ERROR set_null);\n1\t12345\n\\.\n");
	is_refused('23PN0', q{
		CREATE TABLE regional (id int PRIMARY KEY, pin port_pin) PARTITION BY RANGE (id);
		CREATE TABLE regional_all PARTITION OF regional FOR VALUES FROM (0) TO (100);
		CREATE TABLE regional_orders (account int REFERENCES regional, pin port_pin);
		SELECT port_pin_protect('regional'), port_pin_gate('regional_orders');
		INSERT INTO regional VALUES (1, '004211'), (51, '515151');
		ALTER TABLE regional SPLIT PARTITION regional_all INTO
			(PARTITION regional_low FOR VALUES FROM (0) TO (50),
			PARTITION regional_high FOR VALUES FROM (50) TO (100));
		INSERT INTO regional_orders VALUES (51, '515151');
		UPDATE regional SET pin = NULL WHERE id = 51});
	is_refused('23PN0', 'UPDATE regional SET pin = NULL, id = 2 WHERE id = 51');
	is_refused('23PN7', "INSERT INTO regional_orders VALUES (1, '111222')");
	is_refused('23PN0', q{
		ALTER TABLE regional MERGE PARTITIONS (regional_low, regional_high) INTO regional_all;
		INSERT INTO regional_orders VALUES (1, '004211');
		UPDATE regional SET pin = NULL WHERE id = 1});
}

$node->stop;
done_testing();
