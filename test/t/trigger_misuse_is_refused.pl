# A trigger that is attached wrongly refuses rows; it never takes the server down.
#
# CREATE TRIGGER does not ask a function whether it can be attached that way.  All ways
# are tried: every timing, event and level, and arguments that make no sense.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('wrongly');
$node->init;
$node->append_conf('postgresql.conf', 'restart_after_crash = off');
$node->append_conf('postgresql.conf', 'log_error_verbosity = verbose');
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION portpin CASCADE;
	CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
	CREATE TABLE port_orders (id int, account int REFERENCES accounts, pin port_pin,
		verdict port_pin_verdict, number int, blob bytea, pins port_pin[]);
	CREATE VIEW orders_view AS SELECT * FROM port_orders;
	SELECT port_pin_protect('accounts');
	INSERT INTO accounts VALUES (1, '004211');
	INSERT INTO port_orders VALUES (1, 1, '004211');

	-- What comes of firing a trigger that is attached so: an SQLSTATE, or 'fires'.
	CREATE FUNCTION outcome(attachment text, statement text) RETURNS text
		LANGUAGE plpgsql AS $$
	BEGIN
		EXECUTE 'CREATE ' || attachment;
		EXECUTE statement;
		RAISE SQLSTATE 'FIRES';
	EXCEPTION WHEN OTHERS THEN
		RETURN replace(SQLSTATE, 'FIRES', 'fires');
	END $$;

	-- Of a guard's triggers the one AFTER UPDATE states the rules; the others need it.
	CREATE VIEW ways AS
	SELECT function, timing, level, event,
		outcome(format('TRIGGER rules AFTER UPDATE ON port_orders FOR EACH ROW
				EXECUTE FUNCTION port_pin_protect_trigger(''key=number'');
				CREATE TRIGGER t %s %s ON %s FOR EACH %s EXECUTE FUNCTION port_pin_%s_trigger()',
				timing, event, CASE timing WHEN 'INSTEAD OF' THEN 'orders_view' ELSE 'port_orders' END,
				level, function),
			CASE event
				WHEN 'INSERT' THEN $$INSERT INTO orders_view VALUES (2, 1, '004211')$$
				WHEN 'UPDATE' THEN 'UPDATE orders_view SET id = 3'
				WHEN 'DELETE' THEN 'DELETE FROM orders_view'
				ELSE 'TRUNCATE port_orders' END)
	FROM (VALUES ('protect'), ('gate'), ('used')) f (function),
		(VALUES ('BEFORE'), ('AFTER'), ('INSTEAD OF')) t (timing),
		(VALUES ('ROW'), ('STATEMENT')) l (level),
		(VALUES ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE')) e (event);
});

# The outcome of each way that PostgreSQL lets through.  protect takes DELETE because it
# forbids that; gate and used take it because they follow a row that moves, and protect
# takes INSERT for the same reason.
is($node->safe_psql('postgres', q{
	SELECT function, timing, level, event, outcome FROM ways
	WHERE outcome NOT IN ('39P01', '0A000', '42809', '42601') ORDER BY 1, 2, 3, 4}), q{gate|AFTER|ROW|DELETE|fires
gate|AFTER|ROW|INSERT|fires
gate|AFTER|ROW|UPDATE|fires
protect|AFTER|ROW|DELETE|23PN0
protect|AFTER|ROW|INSERT|fires
protect|AFTER|ROW|UPDATE|fires
protect|AFTER|STATEMENT|TRUNCATE|23PN0
protect|BEFORE|STATEMENT|TRUNCATE|23PN0
used|AFTER|ROW|DELETE|fires
used|AFTER|ROW|INSERT|fires
used|AFTER|ROW|UPDATE|fires},
	'each way that has a meaning does what it means');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM ways WHERE timing IN ('BEFORE', 'AFTER') AND outcome = '39P01'}), '31',
	'each way that has none is refused at the first row or statement');

# Fire it with these arguments, or attached with these words.
sub comes_to
{
	my ($attachment, $outcome, $statement) = @_;
	$statement //= $attachment =~ /INSERT/ ? "INSERT INTO port_orders VALUES (2, 1, '004211')"
	  : 'UPDATE port_orders SET pin = NULL';
	is($node->safe_psql('postgres', qq{SELECT outcome(\$a\$$attachment\$a\$, \$b\$$statement\$b\$)}),
		$outcome, $attachment);
}

my $gate = 'TRIGGER t AFTER INSERT ON port_orders FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger';
my $protect = 'TRIGGER t AFTER UPDATE ON port_orders FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger';
comes_to("$gate('pin=pin', 'fk=account', 'account_pin=pin')", 'fires');
comes_to("$gate('pin')", '22023');
comes_to("$gate('')", '22023');
comes_to("$gate('=')", '22023');
comes_to("$gate('pin=pin', 'pin=pin')", '22023');
comes_to("$gate('pins=pin')", '22023');
comes_to("$gate('pin=')", '42602');
comes_to("$gate('pin=\"')", '42602');
comes_to("$gate('pin=pin,id')", '42602');
comes_to("$gate('pin=nowhere')", '42703');
comes_to("$gate('pin=ctid')", '42703');
comes_to("$gate('pin=number')", '42804');
comes_to("$gate('pin=blob')", '42804');
comes_to("$gate('pin=pins')", '42804');
comes_to("$gate('fk=id')", '42830');
comes_to("$gate('fk=account,account')", '42830');
comes_to("$gate('via=account')", '42830');
comes_to("$gate('fk=account', 'via=id')", '42830');
comes_to("$gate('scope=number')", '42804');
comes_to("$gate('lock=pin')", '22023');
comes_to("$gate('guarded=')", '42602');
comes_to("$gate('redact=no')", '22023');
comes_to("$gate('redact=yes')", '39P01');
comes_to("$gate('verdict=verdict')", '39P01');
comes_to("$gate('verdict=pin')", '39P01');
comes_to("$gate('" . 'x' x 100_000 . "=y')", '22023');
comes_to("$protect()", '23PN0');
comes_to("$protect('fk=account')", '22023');
comes_to("$protect('key=nowhere')", '42703');
comes_to("$protect('pin=verdict')", '42804');
comes_to("$protect('clearable=no')", '22023');
comes_to("$protect('clearable=yes')", 'fires');
comes_to("$protect('lock=number')", 'fires');

# The gate reads the rules of the accounts' guard, and refuses what it can't read.
sub guard_comes_to
{
	my ($rules, $outcome) = @_;
	comes_to("OR REPLACE TRIGGER port_pin_protect AFTER UPDATE ON accounts FOR EACH ROW
		EXECUTE FUNCTION port_pin_protect_trigger($rules); CREATE $gate()", $outcome);
}
guard_comes_to('', 'fires');
guard_comes_to("'pin=pin', 'lock=pin'", '42804');
guard_comes_to("'pin=pin', 'lock_until=id'", '42804');
guard_comes_to("'pin=pin', 'expires=nowhere'", '42703');
guard_comes_to("'pin=pin', 'scope=pin,id'", '42602');
guard_comes_to("'pin=pin', 'allow_unset=yes'", '55000');
guard_comes_to("'pin=id'", '42804');
guard_comes_to("'moves=follow'", '22023');
comes_to("TRIGGER rules AFTER UPDATE ON accounts FOR EACH ROW
	EXECUTE FUNCTION port_pin_protect_trigger('pin=pin'); CREATE $gate()", '55000');

my $function = 'FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger()';
comes_to("TRIGGER t AFTER UPDATE OF pin ON port_orders $function", '39P01');
comes_to("TRIGGER t AFTER UPDATE ON port_orders FOR EACH ROW WHEN (true) EXECUTE FUNCTION port_pin_protect_trigger()", '23PN0');
comes_to("TRIGGER t AFTER UPDATE ON port_orders REFERENCING OLD TABLE AS o NEW TABLE AS n $function", '23PN0');
comes_to("TRIGGER t BEFORE TRUNCATE ON port_orders EXECUTE FUNCTION port_pin_protect_trigger('pin=pin')", '23PN0',
	'TRUNCATE port_orders');
comes_to("TRIGGER t AFTER DELETE ON port_orders FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger('pin=pin')", '55000',
	'DELETE FROM port_orders');
comes_to("TRIGGER t AFTER DELETE ON port_orders FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger('key=id')", '22023',
	'DELETE FROM port_orders');
comes_to("CONSTRAINT TRIGGER t AFTER UPDATE ON port_orders $function", '23PN0');
comes_to("CONSTRAINT TRIGGER t AFTER UPDATE ON port_orders FROM accounts $function", '39P01');
comes_to("CONSTRAINT TRIGGER t AFTER UPDATE ON port_orders DEFERRABLE $function", '39P01');

# Without a trigger.
my ($status, $out, $err) = $node->psql('postgres', 'SELECT port_pin_protect_trigger()');
like($err, qr/"port_pin_protect_trigger" was not called by a trigger/, 'called by hand');
($status, $out, $err) = $node->psql('postgres',
	'CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION port_pin_gate_trigger()');
like($err, qr/must return type event_trigger/, 'called by an event trigger');

$node->stop;
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC|XX000/, 'no crash, and no error that was not foreseen');
done_testing();
