--
-- port_pin_guards knows what sealing takes: triggers, a CHECK, and orders that don't
-- keep readable what the accounts have sealed.  Whatever breaks shows in one row;
-- mending it clears that row.
--
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA guards_sealed;
SET search_path = guards_sealed, public;

-- portpin's settings are known once it has been loaded.
LOAD 'portpin';
SELECT '/tmp/portpin_regress_guards_sealed_' || pg_backend_pid() AS key_file \gset
\set make_file 'umask 077 && cat > ' :key_file
COPY (SELECT 'k1:' || encode(sha256('k1'), 'base64')) TO PROGRAM :'make_file';
ALTER SYSTEM SET portpin.key_file = :'key_file';
SELECT pg_reload_conf();
\c -
\set VERBOSITY terse
SET client_min_messages = warning;
SET search_path = guards_sealed, public;
SET portpin.seal_cost = 4;

\getenv srcdir PG_ABS_SRCDIR
\set helpers :srcdir '/sql/include/break_and_mend.sql'
\i :helpers

--
-- The guard of a sealed column keeps its PINs set and seals them.
--
CREATE TABLE accounts (id bigint PRIMARY KEY, name text, pin port_pin_sealed);
TABLE seen;
SELECT count(*) FROM port_pin_protect('accounts');
TABLE seen;
INSERT INTO accounts VALUES (1, 'Contoso', '123456'), (2, 'Fabrikam', NULL);

\pset format unaligned
\pset tuples_only on

--
-- The triggers: gone, both or one; not firing; firing everywhere, which is no problem
--
SELECT * FROM try(
	'DROP TRIGGER port_pin_seal ON accounts; DROP TRIGGER port_pin_seal_update ON accounts',
	'SELECT port_pin_protect(''accounts'', replace => true)');
SELECT * FROM try(
	'DROP TRIGGER port_pin_seal ON accounts',
	'CREATE TRIGGER port_pin_seal BEFORE INSERT ON accounts FOR EACH ROW
		EXECUTE FUNCTION port_pin_seal_trigger(''pin=pin'')');
SELECT * FROM try(
	'DROP TRIGGER port_pin_seal_update ON accounts',
	'CREATE TRIGGER port_pin_seal_update BEFORE UPDATE ON accounts FOR EACH ROW
		EXECUTE FUNCTION port_pin_seal_trigger(''pin=pin'')');
SELECT * FROM try(
	'ALTER TABLE accounts DISABLE TRIGGER port_pin_seal_update',
	'ALTER TABLE accounts ENABLE TRIGGER port_pin_seal_update');
SELECT * FROM try(
	'ALTER TABLE accounts ENABLE REPLICA TRIGGER port_pin_seal',
	'ALTER TABLE accounts ENABLE TRIGGER port_pin_seal');
SELECT * FROM try(
	'ALTER TABLE accounts ENABLE ALWAYS TRIGGER port_pin_seal',
	'ALTER TABLE accounts ENABLE TRIGGER port_pin_seal');

-- Sealing is one thing, keeping another.  The guard takes both.
SELECT * FROM try(
	'DROP TRIGGER port_pin_protect ON accounts',
	'SELECT port_pin_protect(''accounts'', replace => true)');

-- For a wrongly attached trigger the view says what it would say at the first row.
SELECT * FROM try(
	'DROP TRIGGER port_pin_seal ON accounts;
	 CREATE TRIGGER port_pin_seal AFTER INSERT ON accounts FOR EACH ROW
		EXECUTE FUNCTION port_pin_seal_trigger(''pin=pin'')',
	'SELECT port_pin_protect(''accounts'', replace => true)');
SELECT * FROM try(
	'DROP TRIGGER port_pin_seal ON accounts;
	 CREATE TRIGGER port_pin_seal BEFORE INSERT ON accounts FOR EACH STATEMENT
		EXECUTE FUNCTION port_pin_seal_trigger(''pin=pin'')',
	'SELECT port_pin_protect(''accounts'', replace => true)');
SELECT * FROM try(
	'DROP TRIGGER port_pin_seal_update ON accounts;
	 CREATE TRIGGER port_pin_seal_update BEFORE UPDATE OF pin ON accounts FOR EACH ROW
		EXECUTE FUNCTION port_pin_seal_trigger(''pin=pin'')',
	'SELECT port_pin_protect(''accounts'', replace => true)');
SELECT * FROM try(
	'CREATE TRIGGER z BEFORE TRUNCATE ON accounts EXECUTE FUNCTION port_pin_seal_trigger(''pin=pin'')',
	'DROP TRIGGER z ON accounts');
SELECT * FROM try(
	'DROP TRIGGER port_pin_seal ON accounts;
	 CREATE TRIGGER port_pin_seal BEFORE INSERT ON accounts FOR EACH ROW
		WHEN (NEW.name <> ''Contoso'') EXECUTE FUNCTION port_pin_seal_trigger(''pin=pin'')',
	'SELECT port_pin_protect(''accounts'', replace => true)');
-- One that makes the UPDATE trigger blind to digits that are there already.
SELECT * FROM try(
	'CREATE OR REPLACE TRIGGER port_pin_seal_update BEFORE UPDATE ON accounts FOR EACH ROW
		WHEN (OLD.pin IS DISTINCT FROM NEW.pin) EXECUTE FUNCTION port_pin_seal_trigger(''pin=pin'')',
	'SELECT port_pin_protect(''accounts'', replace => true)');
-- For a column that is not sealed.
SELECT * FROM try(
	'CREATE TRIGGER z BEFORE INSERT OR UPDATE ON accounts FOR EACH ROW
		EXECUTE FUNCTION port_pin_seal_trigger(''pin=name'')',
	'DROP TRIGGER z ON accounts');
-- The column is gone.
SELECT * FROM try(
	'ALTER TABLE accounts RENAME pin TO secret',
	'ALTER TABLE accounts RENAME secret TO pin');

--
-- The CHECK: gone; one that can be passed over; one that asks for more
--
SELECT * FROM try(
	'ALTER TABLE accounts DROP CONSTRAINT pin_is_sealed',
	'ALTER TABLE accounts ADD CHECK (port_pin_check_sealed(pin))');
ALTER TABLE accounts RENAME CONSTRAINT accounts_pin_check TO pin_is_sealed;
SELECT * FROM try(
	'ALTER TABLE accounts DROP CONSTRAINT pin_is_sealed, ADD CONSTRAINT pin_is_sealed
		CHECK (name = ''Contoso'' OR port_pin_check_sealed(pin)) NOT VALID',
	'ALTER TABLE accounts DROP CONSTRAINT pin_is_sealed, ADD CONSTRAINT pin_is_sealed
		CHECK (length(pin) > 60 AND port_pin_check_sealed(pin))');

-- Rows from before: the view reads no row to find out whether it is readable, so it
-- reports them until the CHECK is validated, which port_pin_seal_column does at its end.
CREATE TABLE older (id bigint PRIMARY KEY, pin text);
INSERT INTO older VALUES (1, '123456');
ALTER TABLE older ALTER pin TYPE port_pin_sealed;
SELECT count(*) FROM port_pin_protect('older');
SELECT pin_column, guard, trigger_name, enabled, problem FROM seen WHERE relation = 'older'::regclass;
CALL port_pin_seal_column('older');
SELECT pin_column, guard, trigger_name, enabled, problem FROM seen WHERE relation = 'older'::regclass;
DROP TABLE older;

--
-- Other columns of the type: a second one, of a domain of your own; a table of them
--
SELECT * FROM try(
	'CREATE DOMAIN strong_pin AS port_pin_sealed CHECK (NOT port_pin_is_weak(VALUE));
	 ALTER TABLE accounts ADD COLUMN old_pin strong_pin',
	'ALTER TABLE accounts DROP COLUMN old_pin; DROP DOMAIN strong_pin');
SELECT * FROM try(
	'CREATE TABLE more (pin port_pin_sealed)',
	'DROP TABLE more');

-- A trigger for one of two columns does not seal the other.
CREATE TABLE two (id int PRIMARY KEY, pin port_pin_sealed, "Second PIN" port_pin_sealed);
SELECT count(*) FROM port_pin_protect('two', 'pin') UNION ALL SELECT count(*) FROM port_pin_protect('two', '"Second PIN"');
SELECT * FROM try(
	'DROP TRIGGER "port_pin_seal_Second PIN" ON two; DROP TRIGGER "port_pin_seal_Second PIN_update" ON two',
	'CREATE TRIGGER mine BEFORE INSERT OR UPDATE ON two FOR EACH ROW
		EXECUTE FUNCTION port_pin_seal_trigger(''pin="Second PIN"'')');
SELECT * FROM try(
	'ALTER TABLE two DROP CONSTRAINT "Second PIN_is_sealed"',
	'ALTER TABLE two ADD CONSTRAINT "Second PIN_is_sealed" CHECK (port_pin_check_sealed("Second PIN"))');

-- Inheritance: the guard of a table does not apply to the rows of its children.
SELECT * FROM try(
	'CREATE TABLE child () INHERITS (accounts)',
	'DROP TABLE child');

--
-- Partitions
--
CREATE TABLE regional (id int, region text, pin port_pin_sealed, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE east PARTITION OF regional FOR VALUES IN ('east');
SELECT count(*) FROM port_pin_protect('regional');
CREATE TABLE west PARTITION OF regional FOR VALUES IN ('west');
SELECT pin_column, guard, trigger_name, enabled, problem FROM seen WHERE relation = 'regional'::regclass;
SELECT * FROM try(
	'ALTER TABLE east DISABLE TRIGGER port_pin_seal',
	'ALTER TABLE east ENABLE TRIGGER port_pin_seal');
SELECT * FROM try(
	'ALTER TABLE regional DISABLE TRIGGER port_pin_seal',
	'ALTER TABLE regional ENABLE TRIGGER port_pin_seal');
SELECT * FROM try(
	'ALTER TABLE regional DROP CONSTRAINT pin_is_sealed',
	'ALTER TABLE regional ADD CONSTRAINT pin_is_sealed CHECK (port_pin_check_sealed(pin))');
-- A detached partition no longer has a guard.
SELECT * FROM try(
	'ALTER TABLE regional DETACH PARTITION west',
	'ALTER TABLE regional ATTACH PARTITION west FOR VALUES IN (''west'')');
-- PostgreSQL lets nobody drop a clone.  Should one be missing all the same:
SET allow_system_table_mods = on;
SELECT * FROM try(
	'UPDATE pg_trigger SET tgrelid = 0
	 WHERE tgrelid = ''west''::regclass AND tgname = ''port_pin_seal_update''; ALTER TABLE west SET (fillfactor = 99)',
	'UPDATE pg_trigger SET tgrelid = ''west''::regclass
	 WHERE tgrelid = 0 AND tgname = ''port_pin_seal_update''; ALTER TABLE west SET (fillfactor = 100)');
RESET allow_system_table_mods;

--
-- Orders: the PINs that open the accounts stay readable there, if nobody empties them.
--
CREATE TABLE port_orders (id bigint PRIMARY KEY, account_id bigint REFERENCES accounts, pin port_pin);
SELECT count(*) FROM port_pin_gate('port_orders');
INSERT INTO port_orders VALUES (1, 1, '123456');
SELECT * FROM try('SELECT',
	'SELECT port_pin_gate(''port_orders'', redact => true, replace => true); UPDATE port_orders SET pin = NULL');
INSERT INTO port_orders VALUES (2, 1, '123456');
SELECT count(*), count(pin) AS readable FROM port_orders;

-- A missing half is worse, and reported first.
CREATE TABLE hoard (id bigint PRIMARY KEY, account_id bigint REFERENCES accounts, pin port_pin);
SELECT count(*) FROM port_pin_gate('hoard');
SELECT * FROM try(
	'DROP TRIGGER _port_pin_gate_update ON hoard',
	'DROP TABLE hoard');

-- A verdict does not redact by itself; and one sealed PIN on the path is enough.
CREATE TABLE orgs (id bigint PRIMARY KEY, pin port_pin);
CREATE TABLE numbers (e164 text PRIMARY KEY, org bigint REFERENCES orgs, pin port_pin_sealed);
SELECT count(*) FROM port_pin_protect('orgs') UNION ALL SELECT count(*) FROM port_pin_protect('numbers');
CREATE TABLE desk (number text REFERENCES numbers, pin port_pin, verdict port_pin_verdict);
SELECT count(*) FROM port_pin_gate('desk', fk => 'number', via => 'org', verdict => 'verdict');
SELECT * FROM try('SELECT', 'DROP TABLE desk');

-- Where the accounts' PINs are readable, so may be those of their orders.
CREATE TABLE org_orders (org bigint REFERENCES orgs, pin port_pin);
SELECT count(*) FROM port_pin_gate('org_orders');

-- All is well again.
\pset tuples_only off
\pset format aligned
TABLE seen;

DROP SCHEMA guards_sealed CASCADE;
\set remove_file 'cat > /dev/null && rm ' :key_file
COPY (SELECT) TO PROGRAM :'remove_file';
ALTER SYSTEM RESET portpin.key_file;
SELECT pg_reload_conf();
