--
-- port_pin_guards: whatever breaks a guard shows in one row of the view, in the words
-- of the trigger where the trigger would raise an error; mending it clears that row.
--
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA guards;
SET search_path = guards, public;
CREATE ROLE regress_guards_desk;
CREATE ROLE regress_guards_owner;

\getenv srcdir PG_ABS_SRCDIR
\set helpers :srcdir '/sql/include/break_and_mend.sql'
\i :helpers

-- What an INSERT of an order with a wrong PIN is told, while something is broken.
CREATE FUNCTION told(break text, orders regclass)
	RETURNS TABLE (told text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE break;
	EXECUTE format('INSERT INTO %s VALUES (1, 1, ''000000'')', orders);
	RAISE 'nothing';
EXCEPTION WHEN OTHERS THEN
	told := SQLERRM;
	RETURN NEXT;
END $$;

--
-- Every guard has a row, and so has a column of PINs without a guard.
--
CREATE TABLE accounts (id bigint PRIMARY KEY, name text, pin port_pin, locked boolean);
CREATE TABLE port_orders (
	id bigint PRIMARY KEY,
	account_id bigint NOT NULL CONSTRAINT account REFERENCES accounts,
	pin port_pin,
	is_us boolean
);
INSERT INTO accounts VALUES (1, 'Contoso', '123456');
TABLE seen;

SELECT count(*) FROM port_pin_protect('accounts');
SELECT count(*) FROM port_pin_gate('port_orders', scope => 'is_us');
TABLE seen;
-- Its definition is the call that makes it.
\pset format unaligned
\pset tuples_only on
SELECT definition FROM port_pin_guards WHERE relation IN ('accounts'::regclass, 'port_orders'::regclass) ORDER BY 1;

--
-- A plain table that keeps its PINs.  The gate over it needs the guard, and says so,
-- too; a guard that is disabled is the guard's problem alone.
--
SELECT * FROM try(
	'DROP TRIGGER port_pin_protect ON accounts',
	'SELECT port_pin_protect(''accounts'')');
SELECT * FROM try(
	'ALTER TABLE accounts DISABLE TRIGGER port_pin_protect',
	'ALTER TABLE accounts ENABLE TRIGGER port_pin_protect');
SELECT * FROM try(
	'ALTER TABLE accounts DISABLE TRIGGER ALL',
	'ALTER TABLE accounts ENABLE TRIGGER ALL');
SELECT * FROM try(
	'ALTER TABLE accounts ENABLE REPLICA TRIGGER port_pin_protect',
	'ALTER TABLE accounts ENABLE TRIGGER port_pin_protect');

-- Kept on a subscriber too: no problem.
SELECT * FROM try(
	'ALTER TABLE accounts ENABLE ALWAYS TRIGGER port_pin_protect',
	'ALTER TABLE accounts ENABLE TRIGGER port_pin_protect');

-- Another column of PINs, a table of them, a domain of your own.
SELECT * FROM try(
	'ALTER TABLE accounts ADD COLUMN old_pin port_pin',
	'ALTER TABLE accounts DROP COLUMN old_pin');
SELECT * FROM try(
	'CREATE TABLE more (pin port_pin)',
	'DROP TABLE more');
SELECT * FROM try(
	'CREATE DOMAIN long_pin AS port_pin CHECK (length(VALUE) = 10); CREATE TABLE more (pin long_pin)',
	'DROP TABLE more; DROP DOMAIN long_pin');

-- Inheritance: triggers of a table do not apply to the rows of its children.
SELECT * FROM try(
	'CREATE TABLE child () INHERITS (accounts)',
	'DROP TABLE child');

-- A WHEN that can blind it.  Any WHEN but the installer's can.
SELECT * FROM try(
	'DROP TRIGGER port_pin_protect ON accounts;
	 CREATE TRIGGER port_pin_protect AFTER UPDATE ON accounts FOR EACH ROW
		WHEN (NEW.name <> ''Contoso'') EXECUTE FUNCTION port_pin_protect_trigger(''pin=pin'')',
	'SELECT port_pin_protect(''accounts'', replace => true)');
SELECT * FROM try(
	'DROP TRIGGER port_pin_protect ON accounts;
	 CREATE TRIGGER port_pin_protect AFTER UPDATE ON accounts FOR EACH ROW
		WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION port_pin_protect_trigger(''pin=pin'')',
	'SELECT port_pin_protect(''accounts'', replace => true)');

SELECT * FROM try(
	'CREATE OR REPLACE TRIGGER port_pin_protect AFTER UPDATE ON accounts FOR EACH ROW
		WHEN (false) EXECUTE FUNCTION port_pin_protect_trigger(''pin=pin'')',
	'SELECT port_pin_protect(''accounts'', replace => true)');
-- No WHEN at all is no problem: the trigger checks for itself.
SELECT * FROM try(
	'CREATE OR REPLACE TRIGGER port_pin_protect AFTER UPDATE ON accounts FOR EACH ROW
		EXECUTE FUNCTION port_pin_protect_trigger(''pin=pin'')',
	'SELECT port_pin_protect(''accounts'', replace => true)');

-- A list of columns.
SELECT * FROM try(
	'DROP TRIGGER port_pin_protect ON accounts;
	 CREATE TRIGGER port_pin_protect AFTER UPDATE OF pin ON accounts FOR EACH ROW
		EXECUTE FUNCTION port_pin_protect_trigger(''pin=pin'')',
	'SELECT port_pin_protect(''accounts'', replace => true)');

-- Rules that are stated twice, by triggers with any names.
SELECT * FROM try(
	'CREATE TRIGGER mine AFTER UPDATE ON accounts FOR EACH ROW
		EXECUTE FUNCTION port_pin_protect_trigger(''pin=pin'', ''key=id'')',
	'DROP TRIGGER mine ON accounts');

-- A column that a rule names is gone.
SELECT * FROM try(
	'SELECT port_pin_protect(''accounts'', lock => ''locked'', replace => true);
	 ALTER TABLE accounts RENAME locked TO on_hold',
	'SELECT port_pin_protect(''accounts'', lock => ''on_hold'', replace => true)');
SELECT * FROM try(
	'ALTER TABLE accounts ALTER on_hold TYPE text',
	'SELECT port_pin_protect(''accounts'', replace => true)');

--
-- The gate of a plain table
--
SELECT * FROM try(
	'DROP TRIGGER _port_pin_gate_update ON port_orders',
	'CREATE TRIGGER any_name AFTER UPDATE ON port_orders FOR EACH ROW
		EXECUTE FUNCTION port_pin_gate_trigger(''guarded=account'', ''pin=pin'', ''fk=account_id'', ''scope=is_us'')');
SELECT * FROM try(
	'DROP TRIGGER _port_pin_gate ON port_orders',
	'SELECT port_pin_gate(''port_orders'', scope => ''is_us'', replace => true)');
SELECT * FROM try(
	'DROP TRIGGER _port_pin_gate ON port_orders; DROP TRIGGER any_name ON port_orders',
	'SELECT port_pin_gate(''port_orders'', scope => ''is_us'')');
-- Two triggers that judge by different rules: in one of them the scope is forgotten.
SELECT * FROM try(
	'CREATE OR REPLACE TRIGGER _port_pin_gate_update AFTER UPDATE ON port_orders FOR EACH ROW
		EXECUTE FUNCTION port_pin_gate_trigger(''fk=account_id'', ''pin=pin'', ''guarded=account'')',
	'SELECT port_pin_gate(''port_orders'', scope => ''is_us'', replace => true)');
-- A WHEN of your own.
SELECT * FROM try(
	'CREATE OR REPLACE TRIGGER _port_pin_gate AFTER INSERT ON port_orders FOR EACH ROW WHEN (false)
		EXECUTE FUNCTION port_pin_gate_trigger(''fk=account_id'', ''pin=pin'', ''scope=is_us'', ''guarded=account'')',
	'SELECT port_pin_gate(''port_orders'', scope => ''is_us'', replace => true)');
SELECT * FROM try(
	'ALTER TABLE port_orders DISABLE TRIGGER _port_pin_gate_update',
	'ALTER TABLE port_orders ENABLE TRIGGER _port_pin_gate_update');
SELECT * FROM try(
	'ALTER TABLE port_orders ENABLE REPLICA TRIGGER _port_pin_gate',
	'ALTER TABLE port_orders ENABLE TRIGGER _port_pin_gate');
SELECT * FROM try(
	'ALTER TABLE port_orders ENABLE ALWAYS TRIGGER _port_pin_gate',
	'ALTER TABLE port_orders ENABLE TRIGGER _port_pin_gate');

-- Its foreign key: gone, or on other columns.
SELECT * FROM try(
	'ALTER TABLE port_orders DROP CONSTRAINT account',
	'ALTER TABLE port_orders ADD CONSTRAINT account FOREIGN KEY (account_id) REFERENCES accounts');
SELECT * FROM try(
	'ALTER TABLE port_orders RENAME account_id TO customer',
	'ALTER TABLE port_orders RENAME customer TO account_id');
SELECT * FROM try(
	'ALTER TABLE port_orders RENAME pin TO "PIN"',
	'ALTER TABLE port_orders RENAME "PIN" TO pin');

-- The view says what a client that places an order is told.
SELECT * FROM told('ALTER TABLE port_orders DROP CONSTRAINT account', 'port_orders');
SELECT * FROM told('ALTER TABLE port_orders RENAME account_id TO customer', 'port_orders');
SELECT * FROM told('ALTER TABLE port_orders RENAME pin TO "PIN"', 'port_orders');

-- A second foreign key: the installer wrote down which one is meant.
SELECT * FROM try(
	'ALTER TABLE port_orders ADD COLUMN referrer bigint REFERENCES accounts',
	'ALTER TABLE port_orders DROP COLUMN referrer');

-- The owner of the orders may not read the PIN: then nobody may guess there.
SELECT * FROM try(
	'ALTER TABLE port_orders OWNER TO regress_guards_owner',
	'GRANT SELECT (pin) ON accounts TO regress_guards_owner');
SELECT * FROM try(
	'REVOKE SELECT (pin) ON accounts FROM regress_guards_owner',
	'GRANT SELECT (pin) ON accounts TO regress_guards_owner');
SELECT * FROM try(
	'ALTER TABLE accounts ENABLE ROW LEVEL SECURITY',
	'ALTER TABLE accounts DISABLE ROW LEVEL SECURITY');
SELECT * FROM told('REVOKE SELECT (pin) ON accounts FROM regress_guards_owner', 'port_orders');
SELECT * FROM told('ALTER TABLE accounts ENABLE ROW LEVEL SECURITY', 'port_orders');

-- The account's column has another name: its guard looks for the old one, and the gate
-- finds no guard that speaks for the new one.
SELECT * FROM try(
	'ALTER TABLE accounts RENAME pin TO secret',
	'ALTER TABLE accounts RENAME secret TO pin');

-- A trigger of the application that fires first can lock the account or use up its PIN:
-- it may be harmless, but somebody should look.
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
SELECT * FROM try(
	'CREATE TRIGGER "Audit" AFTER INSERT ON port_orders FOR EACH ROW EXECUTE FUNCTION touch();
	 CREATE TRIGGER audit AFTER INSERT ON port_orders FOR EACH ROW EXECUTE FUNCTION touch()',
	'ALTER TRIGGER "Audit" ON port_orders RENAME TO audit_2');
DROP TRIGGER audit ON port_orders;
DROP TRIGGER audit_2 ON port_orders;
-- A constraint trigger is there to check, so it is no problem.
SELECT * FROM try(
	'CREATE CONSTRAINT TRIGGER "Audit" AFTER INSERT ON port_orders FOR EACH ROW EXECUTE FUNCTION touch()',
	'DROP TRIGGER "Audit" ON port_orders');

-- A cast that comes later can make = mean something else when a dump is restored: then
-- a WHEN that compares by it is no longer written.
CREATE TYPE place AS ENUM ('capital');
CREATE TABLE places (id place PRIMARY KEY, pin port_pin);
CREATE FUNCTION number_of(place) RETURNS int LANGUAGE sql IMMUTABLE RETURN 1;
SELECT count(*) FROM port_pin_protect('places', forbid_delete => true);
SELECT * FROM try(
	'CREATE CAST (place AS int) WITH FUNCTION number_of(place) AS IMPLICIT',
	'SELECT port_pin_protect(''places'', forbid_delete => true, replace => true)');
DROP TABLE places;

--
-- A gate attached by hand
--
SELECT count(*) FROM port_pin_ungate('port_orders');
CREATE TRIGGER by_hand AFTER INSERT OR UPDATE ON port_orders
	FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger();
SELECT * FROM try(
	'ALTER TABLE port_orders ADD COLUMN referrer bigint REFERENCES accounts',
	'ALTER TABLE port_orders DROP COLUMN referrer');
SELECT * FROM try(
	'ALTER TABLE port_orders ADD COLUMN other_pin port_pin',
	'ALTER TABLE port_orders DROP COLUMN other_pin');
SELECT * FROM try(
	'CREATE CONSTRAINT TRIGGER z AFTER INSERT OR UPDATE ON port_orders FROM accounts
		FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger(''fk=account_id'', ''pin=pin'')',
	'DROP TRIGGER z ON port_orders');
SELECT * FROM try(
	'CREATE TRIGGER z AFTER INSERT OR UPDATE ON port_orders
		FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger(''fk=account_id'', ''pin=pin'', ''strict=yes'')',
	'DROP TRIGGER z ON port_orders');
SELECT * FROM try(
	'CREATE TRIGGER z AFTER INSERT OR UPDATE ON port_orders
		FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger(''pin='')',
	'DROP TRIGGER z ON port_orders');
SELECT * FROM try(
	'CREATE TRIGGER z AFTER INSERT OR UPDATE ON port_orders
		FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger(''fk="account_id'', ''pin=pin'')',
	'DROP TRIGGER z ON port_orders');
SELECT * FROM try(
	'CREATE TRIGGER z AFTER INSERT OR UPDATE ON port_orders
		FOR EACH STATEMENT EXECUTE FUNCTION port_pin_gate_trigger(''fk=account_id'', ''pin=pin'')',
	'DROP TRIGGER z ON port_orders');
SELECT * FROM try(
	'DROP TRIGGER by_hand ON port_orders;
	 CREATE TRIGGER by_hand AFTER INSERT OR UPDATE ON port_orders FOR EACH ROW
		WHEN (NEW.is_us) EXECUTE FUNCTION port_pin_gate_trigger()',
	'DROP TRIGGER by_hand ON port_orders;
	 CREATE TRIGGER by_hand AFTER INSERT OR UPDATE ON port_orders
		FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger()');

--
-- A gate that redacts must be the last of the BEFORE triggers.
--
CREATE TABLE redacted (id bigint PRIMARY KEY, account_id bigint REFERENCES accounts, pin port_pin);
SELECT count(*) FROM port_pin_gate('redacted', redact => true);
SELECT * FROM try(
	'CREATE TRIGGER zzz BEFORE INSERT ON redacted FOR EACH ROW EXECUTE FUNCTION touch()',
	'ALTER TRIGGER zzz ON redacted RENAME TO a');
SELECT * FROM told('ALTER TRIGGER a ON redacted RENAME TO zzz', 'redacted');

--
-- Only its guard makes a legacy column one of PINs: without it, the view has no row for
-- the column.  But the gate knows that there was a guard.
--
CREATE TABLE legacy (id bigint PRIMARY KEY, code varchar(10));
CREATE TABLE legacy_orders (id bigint PRIMARY KEY, account_id bigint REFERENCES legacy, code varchar(10));
SELECT count(*) FROM port_pin_protect('legacy', 'code');
SELECT count(*) FROM port_pin_gate('legacy_orders', pin => 'code');
SELECT * FROM try(
	'DROP TRIGGER port_pin_protect ON legacy',
	'SELECT port_pin_protect(''legacy'', ''code'')');

--
-- Rows that must not go away at all
--
CREATE TABLE lasting (id bigint PRIMARY KEY, pin port_pin);
SELECT count(*) FROM port_pin_protect('lasting', forbid_delete => true);
SELECT * FROM try(
	'DROP TRIGGER port_pin_protect_delete ON lasting',
	'CREATE TRIGGER port_pin_protect_delete AFTER DELETE ON lasting
		FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger(''pin=pin'')');
SELECT * FROM try(
	'DROP TRIGGER port_pin_protect_truncate ON lasting',
	'CREATE TRIGGER port_pin_protect_truncate BEFORE TRUNCATE ON lasting
		FOR EACH STATEMENT EXECUTE FUNCTION port_pin_protect_trigger(''pin=pin'')');
SELECT * FROM try(
	'ALTER TABLE lasting DISABLE TRIGGER port_pin_protect_truncate',
	'ALTER TABLE lasting ENABLE TRIGGER port_pin_protect_truncate');
SELECT * FROM try(
	'DROP TRIGGER port_pin_protect ON lasting',
	'CREATE TRIGGER port_pin_protect AFTER UPDATE ON lasting
		FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger(''pin=pin'', ''key=id'')');
SELECT * FROM try(
	'DROP TRIGGER port_pin_protect ON lasting; DROP TRIGGER port_pin_protect_delete ON lasting;
	 CREATE TRIGGER port_pin_protect AFTER UPDATE OR DELETE ON lasting
		FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger(''pin=pin'', ''key=name'')',
	'DROP TRIGGER port_pin_protect ON lasting;
	 CREATE TRIGGER port_pin_protect AFTER UPDATE OR DELETE ON lasting
		FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger(''pin=pin'', ''key=id'')');
-- The rules are what the trigger AFTER UPDATE states: without key=, rows may go away,
-- which is no problem, but a different guard.
CREATE OR REPLACE TRIGGER port_pin_protect AFTER UPDATE OR DELETE ON lasting
	FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger('pin=pin');
SELECT definition, problem FROM port_pin_guards WHERE relation = 'lasting'::regclass;

-- Another primary key than the guard was made with, or none; the same one, in another
-- order of its columns, is no problem.
ALTER TABLE lasting ADD uid int GENERATED ALWAYS AS IDENTITY;
SELECT count(*) FROM port_pin_protect('lasting', forbid_delete => true, replace => true);
SELECT * FROM try(
	'ALTER TABLE lasting DROP CONSTRAINT lasting_pkey, ADD PRIMARY KEY (uid)',
	(SELECT definition FROM port_pin_guards WHERE relation = 'lasting'::regclass));
SELECT * FROM try(
	'ALTER TABLE lasting DROP CONSTRAINT lasting_pkey',
	'ALTER TABLE lasting ADD PRIMARY KEY (uid)');
SELECT * FROM try(
	'ALTER TABLE lasting DROP CONSTRAINT lasting_pkey, ADD PRIMARY KEY (uid, id)',
	(SELECT definition FROM port_pin_guards WHERE relation = 'lasting'::regclass));
SELECT * FROM try(
	'ALTER TABLE lasting DROP CONSTRAINT lasting_pkey, ADD PRIMARY KEY (id, uid)',
	'ALTER TABLE lasting DROP CONSTRAINT lasting_pkey, ADD PRIMARY KEY (id);
	 SELECT port_pin_protect(''lasting'', forbid_delete => true, replace => true)');

-- allow_unset rests on all of them: two guards are broken.
SELECT count(*) FROM port_pin_protect('lasting', forbid_delete => true, allow_unset => true, replace => true);
INSERT INTO lasting VALUES (1);
CREATE TABLE lasting_orders (id bigint PRIMARY KEY, account_id bigint REFERENCES lasting, pin port_pin);
SELECT count(*) FROM port_pin_gate('lasting_orders');
SELECT * FROM try(
	'DROP TRIGGER port_pin_protect_truncate ON lasting',
	'CREATE TRIGGER port_pin_protect_truncate BEFORE TRUNCATE ON lasting
		FOR EACH STATEMENT EXECUTE FUNCTION port_pin_protect_trigger(''pin=pin'')');
SELECT * FROM told('ALTER TABLE lasting DISABLE TRIGGER port_pin_protect_truncate', 'lasting_orders');

--
-- Partitions
--
CREATE TABLE parts (region text, id bigint, pin port_pin, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE parts_e PARTITION OF parts FOR VALUES IN ('east');
CREATE TABLE parts_w PARTITION OF parts FOR VALUES IN ('west') PARTITION BY RANGE (id);
CREATE TABLE parts_w1 PARTITION OF parts_w FOR VALUES FROM (1) TO (100);
CREATE TABLE part_orders (id bigint, region text, account bigint, pin port_pin,
	CONSTRAINT account FOREIGN KEY (region, account) REFERENCES parts) PARTITION BY RANGE (id);
CREATE TABLE part_orders1 PARTITION OF part_orders FOR VALUES FROM (1) TO (100);
SELECT count(*) FROM port_pin_protect('parts', forbid_delete => true);
SELECT count(*) FROM port_pin_gate('part_orders');
SELECT * FROM seen WHERE relation::text LIKE 'part%';

-- A healthy partition has no row; one with a problem has.
SELECT * FROM try(
	'ALTER TABLE parts_w1 DISABLE TRIGGER port_pin_protect',
	'ALTER TABLE parts_w1 ENABLE TRIGGER port_pin_protect');
SELECT * FROM try(
	'ALTER TABLE part_orders1 ENABLE ALWAYS TRIGGER _port_pin_gate',
	'ALTER TABLE part_orders1 ENABLE TRIGGER _port_pin_gate');
SELECT * FROM try(
	'ALTER TABLE part_orders1 OWNER TO regress_guards_desk',
	'ALTER TABLE part_orders1 OWNER TO ' || current_user);

-- A partition's own trigger that fires before the gate's; triggers of the partitioned
-- table are reported there.
SELECT * FROM try(
	'CREATE TRIGGER "Audit" AFTER INSERT ON part_orders1 FOR EACH ROW EXECUTE FUNCTION touch()',
	'DROP TRIGGER "Audit" ON part_orders1');
SELECT * FROM try(
	'CREATE TRIGGER "Audit" AFTER INSERT ON part_orders FOR EACH ROW EXECUTE FUNCTION touch()',
	'DROP TRIGGER "Audit" ON part_orders');

-- A problem of the partitioned table is reported once.
SELECT * FROM try(
	'ALTER TABLE parts DISABLE TRIGGER port_pin_protect',
	'ALTER TABLE parts ENABLE TRIGGER port_pin_protect');
SELECT * FROM try(
	'ALTER TABLE part_orders DROP CONSTRAINT account',
	'ALTER TABLE part_orders ADD CONSTRAINT account FOREIGN KEY (region, account) REFERENCES parts');

-- One of the pair that follows row movement.
SELECT * FROM try(
	'DROP TRIGGER port_pin_protect_delete ON parts',
	'CREATE TRIGGER port_pin_protect_delete AFTER DELETE ON parts
		FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger(''pin=pin'')');
SELECT * FROM try(
	'DROP TRIGGER port_pin_protect_insert ON parts',
	'CREATE TRIGGER port_pin_protect_insert AFTER INSERT ON parts
		FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger(''pin=pin'')');
SELECT * FROM try(
	'SELECT port_pin_protect(''parts'', replace => true); DROP TRIGGER port_pin_protect_delete ON parts',
	'SELECT port_pin_protect(''parts'', forbid_delete => true, replace => true)');
SELECT * FROM try(
	'DROP TRIGGER _port_pin_gate_move ON part_orders',
	'CREATE TRIGGER _port_pin_gate_move AFTER DELETE ON part_orders
		FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger(''fk=region,account'', ''pin=pin'', ''guarded=account'')');

-- A partition made later gets the clones by itself, but no trigger on TRUNCATE.
SELECT * FROM try(
	'CREATE TABLE parts_n PARTITION OF parts FOR VALUES IN (''north'')',
	'SELECT port_pin_protect(''parts'', forbid_delete => true, replace => true)');
SELECT * FROM try(
	'CREATE TABLE parts_s (LIKE parts INCLUDING INDEXES); ALTER TABLE parts ATTACH PARTITION parts_s FOR VALUES IN (''south'')',
	'ALTER TABLE parts DETACH PARTITION parts_s; DROP TABLE parts_s');
SELECT * FROM try(
	'DROP TRIGGER port_pin_protect_truncate ON parts_e',
	'CREATE TRIGGER port_pin_protect_truncate BEFORE TRUNCATE ON parts_e
		FOR EACH STATEMENT EXECUTE FUNCTION port_pin_protect_trigger(''pin=pin'')');
SELECT * FROM try(
	'ALTER TABLE parts_w1 DISABLE TRIGGER port_pin_protect_truncate',
	'ALTER TABLE parts_w1 ENABLE TRIGGER port_pin_protect_truncate');

-- A partition that brings a guard of its own states rules, too.
CREATE TABLE parts_own (LIKE parts INCLUDING INDEXES);
CREATE TRIGGER own_guard AFTER UPDATE ON parts_own FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger('pin=pin');
SELECT * FROM try(
	'ALTER TABLE parts ATTACH PARTITION parts_own FOR VALUES IN (''own'')',
	'SELECT port_pin_protect(''parts'', forbid_delete => true, replace => true)');
SELECT tgname FROM pg_trigger WHERE tgrelid = 'parts_own'::regclass AND tgname ~ 'own|truncate';
ALTER TABLE parts DETACH PARTITION parts_own;
DROP TABLE parts_own;

-- Detached, it keeps none of the clones.
SELECT * FROM try(
	'ALTER TABLE part_orders DETACH PARTITION part_orders1',
	'ALTER TABLE part_orders ATTACH PARTITION part_orders1 FOR VALUES FROM (1) TO (100)');
SELECT * FROM try(
	'ALTER TABLE parts DETACH PARTITION parts_n',
	'ALTER TABLE parts ATTACH PARTITION parts_n FOR VALUES IN (''north'')');

-- PostgreSQL lets nobody drop a clone.  Should one be missing all the same:
SET allow_system_table_mods = on;
SELECT * FROM try(
	'UPDATE pg_trigger SET tgrelid = 0
	 WHERE tgrelid = ''parts_w1''::regclass AND tgname = ''port_pin_protect_insert'';
	 ALTER TABLE parts_w1 SET (fillfactor = 100)',
	'UPDATE pg_trigger SET tgrelid = ''parts_w1''::regclass
	 WHERE tgrelid = 0 AND tgname = ''port_pin_protect_insert'';
	 ALTER TABLE parts_w1 RESET (fillfactor)');
RESET allow_system_table_mods;

--
-- The record of failed attempts: a restore with --disable-triggers enables all triggers
-- in the end, but not as they were.  None of them may be missing, either.
--
ALTER TABLE port_pin_failures DISABLE TRIGGER ALL, ENABLE TRIGGER ALL;
SELECT * FROM port_pin_guards WHERE guard = 'record' ORDER BY trigger_name;
SELECT port_pin_assert_guarded();
SELECT string_agg(definition, ' ') AS mend FROM port_pin_guards WHERE guard = 'record' \gset
:mend
DROP TRIGGER port_pin_failures_delete ON port_pin_failures;
SELECT * FROM port_pin_guards WHERE guard = 'record';
SELECT definition AS mend FROM port_pin_guards WHERE guard = 'record' \gset
:mend
SELECT * FROM port_pin_guards WHERE guard = 'record';

-- A right to write a column of the record is as much a right to forge it.
BEGIN;
GRANT UPDATE (lifted_at), SELECT (pid) ON port_pin_failures TO regress_guards_owner;
GRANT DELETE ON port_pin_failures TO regress_guards_owner;
SELECT definition, problem FROM port_pin_guards WHERE guard = 'grant' AND problem IS NOT NULL;
ROLLBACK;
-- A guard can name any number of columns.
BEGIN;
CREATE TABLE many_names (id int PRIMARY KEY, pin port_pin);
DO $$ BEGIN
	EXECUTE format('CREATE TRIGGER names AFTER UPDATE ON many_names FOR EACH ROW
		EXECUTE FUNCTION port_pin_protect_trigger(''pin=pin'', %L)', 'key=' || repeat('id,', 5000) || 'id');
END $$;
SELECT count(*) FROM port_pin_guards WHERE relation = 'many_names'::regclass;
ROLLBACK;

--
-- Where the definition does not mend it, the hint says what does: the trigger's own, if
-- it is the trigger that complains.
--
BEGIN;
ALTER TABLE port_orders OWNER TO regress_guards_owner;
REVOKE SELECT (pin) ON accounts FROM regress_guards_owner;
SELECT relation, problem, hint FROM port_pin_guards WHERE relation = 'port_orders'::regclass;
ROLLBACK;
BEGIN;
CREATE TRIGGER "Audit" AFTER INSERT ON part_orders FOR EACH ROW EXECUTE FUNCTION touch();
GRANT TRIGGER ON accounts TO regress_guards_desk;
SELECT relation, problem, hint FROM port_pin_guards
	WHERE relation IN ('part_orders'::regclass, 'port_orders'::regclass) AND problem IS NOT NULL ORDER BY 1;
ROLLBACK;

-- The definition of a partitioned table mends its partitions.  An inheritance child can't
-- be guarded at all.
BEGIN;
ALTER TABLE part_orders1 DISABLE TRIGGER _port_pin_gate;
ALTER TABLE parts_n DISABLE TRIGGER USER;
DROP TRIGGER port_pin_protect_truncate ON parts_n;
SELECT relation, problem, definition AS mend, hint FROM port_pin_guards
	WHERE relation IN ('part_orders1'::regclass, 'parts_n'::regclass) ORDER BY 1;
\o /dev/null
SELECT definition FROM port_pin_guards WHERE relation IN ('part_orders1'::regclass, 'parts_n'::regclass)
	ORDER BY relation \gexec
\o
SELECT relation, problem FROM seen WHERE relation::text LIKE 'part%' AND problem IS NOT NULL;
CREATE TABLE child () INHERITS (accounts);
CREATE TABLE legacy_child () INHERITS (legacy);
SELECT relation, problem, definition, hint FROM port_pin_guards
	WHERE relation IN ('child'::regclass, 'legacy_child'::regclass) ORDER BY 1;
ROLLBACK;

--
-- Everyone may look, whatever the search_path, and sees no PIN.
--
\pset tuples_only off
\pset format aligned
GRANT USAGE ON SCHEMA guards TO regress_guards_desk;
SET ROLE regress_guards_desk;
SET search_path = '';
SELECT relation, pin_column, guard, trigger_name, enabled, problem
FROM public.port_pin_guards JOIN pg_class ON oid = relation
WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'guards')
ORDER BY relation::text COLLATE "C";
SELECT count(*) FROM public.port_pin_guards AS g WHERE g::text LIKE '%123456%';
SELECT * FROM public.port_pin_inspect('guards.accounts') \gx
SELECT * FROM public.port_pin_inspect('guards.redacted') \gx
-- Tables without PINs are none of its business, and neither are tables that are gone.
SELECT * FROM public.port_pin_inspect('pg_catalog.pg_class');
SELECT * FROM public.port_pin_inspect(4294967295::oid);
SELECT * FROM public.port_pin_inspect(NULL);
RESET ROLE;
RESET search_path;

DROP SCHEMA guards CASCADE;
DROP ROLE regress_guards_desk;
DROP ROLE regress_guards_owner;
