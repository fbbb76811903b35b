-- Promise: port_pin_gate() installs a gate that works, or says why it can't.
--
-- It checks everything that the trigger would need at its first row, creates the
-- triggers and returns their DDL, ready to be pasted into a migration.
SET portpin.max_failures_per_account = 0; -- how wrong PINs are counted: failure_outlives_rollback.sql
CREATE SCHEMA gate_install;
SET search_path = gate_install, public;

CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin, frozen boolean, good_until timestamptz);
CREATE TABLE port_orders (id int, account_id int REFERENCES accounts, pin port_pin, is_us boolean);
INSERT INTO accounts VALUES (1, '246801'), (2, NULL);

--
-- The DDL that it returns is what it ran: it can be pasted
--

-- A PIN that anyone can clear proves nothing: no gate before the accounts are
-- guarded, and the hint is the call that does it.
SELECT port_pin_gate('port_orders', scope => 'is_us');
SELECT statement FROM port_pin_protect('gate_install.accounts', lock => 'frozen', expires => 'good_until') AS statement;
CREATE TABLE ddl AS
    SELECT n, statement FROM port_pin_gate('port_orders', scope => 'is_us')
        WITH ORDINALITY AS g(statement, n);
SELECT statement FROM ddl ORDER BY n;

-- A second call is an error, which shows the existing gate.
SELECT port_pin_gate('port_orders');
SELECT port_pin_gate('port_orders', fk => 'account_id');

CREATE VIEW triggers AS
    SELECT tgname, pg_get_triggerdef(oid) AS definition FROM pg_trigger
    WHERE tgrelid = 'port_orders'::regclass AND NOT tgisinternal;
CREATE TABLE installed AS SELECT * FROM triggers;
DROP TRIGGER _port_pin_gate ON port_orders;
-- Half a gate is a gate, too: replace it, or remove what is left of it.
SELECT port_pin_gate('port_orders');
SELECT port_pin_ungate('port_orders');
SELECT statement FROM ddl ORDER BY n \gexec
SELECT count(*) AS triggers, count(*) FILTER (WHERE t = i) AS as_before
    FROM triggers t LEFT JOIN installed i USING (tgname);
INSERT INTO port_orders VALUES (1, 1, '999999', true);
INSERT INTO port_orders VALUES (1, 1, '999999', false);
UPDATE port_orders SET is_us = true;
DROP TABLE ddl, installed;
DROP VIEW triggers;

-- With replace => true a gate replaces the one that is there, whole or half, or is
-- installed where there is none.  Options that the new call does not name are not
-- kept, and a NOTICE says which.
SELECT port_pin_gate('port_orders', replace => true);
INSERT INTO port_orders VALUES (1, 1, '999999', false);
DROP TRIGGER _port_pin_gate ON port_orders;
SELECT count(*) FROM port_pin_gate('port_orders', replace => true);
INSERT INTO port_orders VALUES (1, 1, '999999', false);
SELECT count(*) FROM port_pin_ungate('port_orders');
SELECT port_pin_ungate('port_orders');
SELECT port_pin_ungate('port_orders', if_exists => true);
INSERT INTO port_orders VALUES (2, 1, '999999', false);
SELECT count(*) FROM port_pin_gate('port_orders', replace => true);
INSERT INTO port_orders VALUES (3, 1, '999999', false);
-- A gate of the other kind takes its place as well, in one transaction.
ALTER TABLE port_orders ADD verdict port_pin_verdict;
SELECT port_pin_gate('port_orders', verdict => 'verdict', replace => true);
INSERT INTO port_orders VALUES (3, 1, '999999', false) RETURNING verdict;
SELECT port_pin_gate('port_orders', replace => true);
INSERT INTO port_orders VALUES (4, 1, '999999', false);
DROP TABLE port_orders;

--
-- Which foreign key?  If two could be meant, portpin does not guess.
--
CREATE TABLE port_orders (
    id int,
    account_id int REFERENCES accounts,
    reseller_id int REFERENCES accounts,
    pin port_pin
);
SELECT port_pin_gate('port_orders');
SELECT port_pin_gate('port_orders', fk => 'id');
SELECT port_pin_gate('port_orders', fk => 'nope');
SELECT port_pin_gate('port_orders', fk => 'account_id, reseller_id');
SELECT port_pin_gate('port_orders', fk => '{account_id,NULL}');
SELECT port_pin_gate('port_orders', fk => '');
SELECT port_pin_gate('port_orders', fk => 'account_id,');
SELECT port_pin_gate('port_orders', fk => 'account_id');
INSERT INTO port_orders VALUES (1, 1, 2, '246801');
INSERT INTO port_orders VALUES (1, 2, 1, '246801');
-- Two gates on two keys: both must be passed.
SELECT port_pin_gate('port_orders', fk => 'reseller_id');
INSERT INTO port_orders VALUES (2, 1, 2, '246801');
INSERT INTO port_orders VALUES (2, 2, 1, '246801');
INSERT INTO port_orders VALUES (2, 1, 1, '246801');
UPDATE port_orders SET reseller_id = 2 WHERE id = 2;
SELECT port_pin_gate('port_orders', fk => 'reseller_id');
SELECT port_pin_gate('port_orders', fk => 'account_id');
-- portpin does not guess which of the two goes, either.
SELECT port_pin_ungate('port_orders');
SELECT port_pin_ungate('port_orders', fk => 'account_id');
INSERT INTO port_orders VALUES (3, 2, 1, '246801');
INSERT INTO port_orders VALUES (3, 1, 2, '246801');
DROP TABLE port_orders;

-- A key that comes later changes nothing: the arguments name the one that counts.
CREATE TABLE port_orders (id int, account_id int REFERENCES accounts, pin port_pin);
SELECT count(*) FROM port_pin_gate('port_orders');
ALTER TABLE port_orders ADD referrer_id int REFERENCES accounts, ADD previous_pin port_pin;
INSERT INTO port_orders VALUES (1, 1, '246801', 2, '999999');
INSERT INTO port_orders VALUES (1, 2, '246801', 1, '246801');
-- A PIN column that the accounts get later is another matter: is it the one that
-- counts?  Until it has a guard, and the gate names the right one, the gate is shut.
ALTER TABLE accounts ADD previous_pin port_pin;
INSERT INTO port_orders VALUES (2, 1, '246801', 2, '999999');
SELECT count(*) FROM port_pin_protect('accounts', pin => 'previous_pin');
INSERT INTO port_orders VALUES (2, 1, '246801', 2, '999999');
SELECT count(*) FROM port_pin_gate('port_orders', fk => 'account_id', pin => 'pin', account_pin => 'pin', replace => true);
INSERT INTO port_orders VALUES (2, 1, '246801', 2, '999999');
INSERT INTO port_orders VALUES (3, 2, '246801', 1, '246801');
DROP TABLE port_orders;
SELECT count(*) FROM port_pin_unprotect('accounts', pin => 'previous_pin');
ALTER TABLE accounts DROP previous_pin;

-- A hand-made trigger without arguments does stop then.
CREATE TABLE port_orders (id int, account_id int REFERENCES accounts, pin port_pin);
CREATE TRIGGER gate AFTER INSERT OR UPDATE ON port_orders
    FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger();
INSERT INTO port_orders VALUES (1, 1, '246801');
-- And it counts as a gate on any key.
SELECT port_pin_gate('port_orders');
ALTER TABLE port_orders ADD referrer_id int REFERENCES accounts;
INSERT INTO port_orders VALUES (2, 1, '246801');
ALTER TABLE port_orders DROP referrer_id, ADD previous_pin port_pin;
INSERT INTO port_orders VALUES (2, 1, '246801');
ALTER TABLE port_orders DROP previous_pin;
INSERT INTO port_orders VALUES (2, 1, '246801');
DROP TABLE port_orders;

-- A key to a table without a PIN is no candidate.
CREATE TABLE carriers (id int PRIMARY KEY, name text);
CREATE TABLE port_orders (
    id int,
    carrier int REFERENCES carriers,
    account_id int REFERENCES accounts,
    pin port_pin
);
SELECT port_pin_gate('port_orders');
DROP TABLE port_orders;
CREATE TABLE port_orders (id int, carrier int REFERENCES carriers, pin port_pin);
SELECT port_pin_gate('port_orders');
SELECT port_pin_gate('port_orders', fk => 'carrier');
-- A text column holds PINs only where its guard says so, not where the gate does.
SELECT port_pin_gate('port_orders', account_pin => 'name');
SELECT count(*) FROM port_pin_protect('carriers', pin => 'name');
SELECT port_pin_gate('port_orders');
DROP TABLE port_orders;
CREATE TABLE port_orders (id int, account_id int, pin port_pin);
SELECT port_pin_gate('port_orders');
SELECT port_pin_gate('port_orders', fk => 'account_id');

-- Some rows were never checked; new ones are.
INSERT INTO port_orders VALUES (1, 99, '999999');
ALTER TABLE port_orders ADD FOREIGN KEY (account_id) REFERENCES accounts NOT VALID;
SELECT count(*) FROM port_pin_gate('port_orders');
INSERT INTO port_orders VALUES (2, 1, '246801');
INSERT INTO port_orders VALUES (3, 1, '999999');
INSERT INTO port_orders VALUES (3, 99, '999999');
-- An UPDATE does not let in an old row that has no account.
UPDATE port_orders SET pin = '999998' WHERE id = 1;
UPDATE port_orders SET account_id = 1 WHERE id = 1;
UPDATE port_orders SET account_id = 1, pin = '246801' WHERE id = 1;
DROP TABLE port_orders;

-- SET DEFAULT gives an order to an account that nobody chose.
CREATE TABLE port_orders (id int, pin port_pin,
    account_id int DEFAULT 1 REFERENCES accounts ON DELETE SET DEFAULT);
SELECT port_pin_gate('port_orders');
DROP TABLE port_orders;
CREATE TABLE port_orders (id int, pin port_pin,
    account_id int DEFAULT 1 REFERENCES accounts ON UPDATE SET DEFAULT);
SELECT port_pin_gate('port_orders');
DROP TABLE port_orders;
CREATE TABLE port_orders (id int, pin port_pin,
    account_id int REFERENCES accounts ON UPDATE CASCADE ON DELETE SET NULL);
SELECT count(*) FROM port_pin_gate('port_orders');
DROP TABLE port_orders;

-- Since 18 a key can be declared and not enforced, or hold for a period of time.
-- Neither proves that there is one account behind an order.  (Where there are no
-- such keys, the answers are the expected ones all the same.)
CREATE FUNCTION since_18(ddl text, statement text, expected text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('server_version_num')::int < 180000 THEN
        RETURN expected;
    END IF;
    EXECUTE ddl;
    EXECUTE statement;
    RAISE SQLSTATE 'UNDO0' USING MESSAGE = 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLERRM;
END $$;
SELECT since_18('CREATE TABLE not_enforced (id int, pin port_pin,
        account_id int REFERENCES accounts NOT ENFORCED)',
    $$SELECT port_pin_gate('not_enforced')$$,
    'the foreign key that leads to the port PIN is not enforced');
SELECT since_18('CREATE TABLE once_enforced (id int, pin port_pin,
        account_id int REFERENCES accounts);
    SELECT port_pin_gate(''once_enforced'');
    ALTER TABLE once_enforced ALTER CONSTRAINT once_enforced_account_id_fkey NOT ENFORCED',
    $$INSERT INTO once_enforced VALUES (1, '246801', 1)$$,
    'the foreign key that leads to the port PIN is not enforced');
SELECT since_18('CREATE TABLE customers (period int4range, during int4range, pin port_pin,
        PRIMARY KEY (period, during WITHOUT OVERLAPS));
    SELECT port_pin_protect(''customers'');
    CREATE TABLE with_period (id int, pin port_pin, period int4range, during int4range,
        FOREIGN KEY (period, PERIOD during) REFERENCES customers (period, PERIOD during))',
    $$SELECT port_pin_gate('with_period')$$,
    'the foreign key that leads to the port PIN has a PERIOD');

--
-- Which column holds the PIN?
--
CREATE TABLE port_orders (id int, account_id int REFERENCES accounts, note text);
SELECT port_pin_gate('port_orders');
SELECT port_pin_gate('port_orders', pin => 'nope');
SELECT port_pin_gate('port_orders', pin => 'id');
SELECT port_pin_gate('port_orders', pin => 'note');
INSERT INTO port_orders VALUES (1, 1, '246801');
INSERT INTO port_orders VALUES (2, 1, 'Please hurry');
INSERT INTO port_orders VALUES (2, 1, '  ');
DROP TABLE port_orders;
CREATE TABLE port_orders (id int, account_id int REFERENCES accounts, pin port_pin, old_pin port_pin);
SELECT port_pin_gate('port_orders');
SELECT port_pin_gate('port_orders', pin => 'pin');
DROP TABLE port_orders;
CREATE TABLE port_orders (id int, account_id int REFERENCES accounts, pin port_pin);
-- On the accounts, too: each PIN there must be guarded, and account_pin chooses.
ALTER TABLE accounts ADD old_pin port_pin;
SELECT port_pin_gate('port_orders');
SELECT port_pin_gate('port_orders', account_pin => 'pin');
SELECT count(*) FROM port_pin_protect('accounts', pin => 'old_pin');
SELECT port_pin_gate('port_orders');
SELECT port_pin_gate('port_orders', account_pin => 'pin');
DROP TABLE port_orders;
SELECT count(*) FROM port_pin_unprotect('accounts', pin => 'old_pin');
ALTER TABLE accounts DROP old_pin;

--
-- All other arguments
--
CREATE TABLE port_orders (id int, account_id int REFERENCES accounts, pin port_pin, is_us boolean);
SELECT port_pin_gate('port_orders', scope => 'pin');
-- An order's PIN is compared, so it can't be sealed; what the gate writes chooses no partition.
CREATE TABLE sealed_orders (account_id int REFERENCES accounts, pin port_pin_sealed);
SELECT port_pin_gate('sealed_orders');
CREATE TABLE routed_orders (account_id int REFERENCES accounts, pin port_pin, verdict port_pin_verdict) PARTITION BY LIST (verdict);
SELECT port_pin_gate('routed_orders', verdict => 'verdict');
DROP TABLE sealed_orders, routed_orders;
SELECT port_pin_gate('port_orders', scope => 'nope');
SELECT port_pin_gate('port_orders', scope => 'is_us, id');
SELECT port_pin_gate('port_orders', via => 'account_id');
-- The rules for the account are stated at its guard, and checked with the same care.
\set VERBOSITY sqlstate
SELECT port_pin_gate('port_orders', lock => 'frozen');
\set VERBOSITY default
SELECT port_pin_protect('accounts', lock => 'good_until', replace => true);
SELECT port_pin_protect('accounts', lock => 'is_us', replace => true);
SELECT port_pin_protect('accounts', expires => 'frozen', replace => true);
SELECT port_pin_protect('accounts', allow_unset => true, replace => true);
-- NULL is the same as no argument, except for the table.
SELECT port_pin_gate(NULL);
SELECT port_pin_gate('port_orders', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT port_pin_gate(0);

--
-- Tables that can't be gated
--
CREATE VIEW desk AS SELECT * FROM port_orders;
SELECT port_pin_gate('desk');
CREATE MATERIALIZED VIEW report AS SELECT * FROM port_orders;
SELECT port_pin_gate('report');
CREATE INDEX port_orders_id ON port_orders (id);
SELECT port_pin_gate('port_orders_id');
CREATE SEQUENCE order_ids;
SELECT port_pin_gate('order_ids');
CREATE FOREIGN DATA WRAPPER elsewhere;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER elsewhere;
CREATE FOREIGN TABLE far_orders (id int, account_id int, pin port_pin) SERVER elsewhere;
SELECT port_pin_gate('far_orders');
DROP FOREIGN DATA WRAPPER elsewhere CASCADE;
SELECT port_pin_gate('pg_class');
CREATE TABLE parent (id int, account_id int REFERENCES accounts, pin port_pin);
CREATE TABLE child (FOREIGN KEY (account_id) REFERENCES accounts) INHERITS (parent);
SELECT port_pin_gate('parent');
SELECT port_pin_gate('child');
CREATE TABLE all_orders (id int, account_id int REFERENCES accounts, pin port_pin) PARTITION BY LIST (id);
CREATE TABLE some_orders PARTITION OF all_orders FOR VALUES IN (1);
SELECT port_pin_gate('some_orders');
SELECT port_pin_gate('all_orders');
INSERT INTO all_orders VALUES (1, 1, '999999');
INSERT INTO some_orders VALUES (1, 1, '999999');

--
-- Names that need quotes
--
CREATE SCHEMA "Port Desk";
CREATE TABLE "Port Desk"."Acc,'ounts" (
    "Account ""No.""" int, "te,nant" int, "Port-Out PIN" port_pin,
    "Frozen?" boolean, "good until" timestamptz,
    PRIMARY KEY ("te,nant", "Account ""No."""));
CREATE TABLE "Port Desk"."Or'ders" (
    "select" int, "the tenant" int, "the 'account'" int, "PIN=" port_pin, "In US?" boolean,
    FOREIGN KEY ("the 'account'", "the tenant") REFERENCES "Port Desk"."Acc,'ounts" ("Account ""No.""", "te,nant"));
-- The hint says how to protect them, quotes and all: it can be pasted.
CREATE FUNCTION hint_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN hint;
END $$;
SELECT hint_of($$SELECT port_pin_gate('"Port Desk"."Or''ders"')$$) \gexec
SELECT * FROM port_pin_protect('"Port Desk"."Acc,''ounts"', lock => 'Frozen?', expires => '"good until"', replace => true);
SELECT * FROM port_pin_gate('"Port Desk"."Or''ders"', scope => '"In US?"');
-- So can the definition, which replaces what it describes.
SELECT definition FROM port_pin_guards WHERE relation::text LIKE '"Port Desk"%' ORDER BY guard \gexec
SELECT guard, problem FROM port_pin_guards WHERE relation::text LIKE '"Port Desk"%' ORDER BY guard;
INSERT INTO "Port Desk"."Acc,'ounts" VALUES (1, 10, '246801', NULL), (2, 10, '135790', true);
INSERT INTO "Port Desk"."Or'ders" VALUES (1, 10, 1, '246801', true);
INSERT INTO "Port Desk"."Or'ders" VALUES (1, 10, 1, '999999', false);
INSERT INTO "Port Desk"."Or'ders" VALUES (1, 10, 1, '999999', true);
INSERT INTO "Port Desk"."Or'ders" VALUES (1, 10, 2, '135790', true);
UPDATE "Port Desk"."Or'ders" SET "In US?" = true;
UPDATE "Port Desk"."Acc,'ounts" SET "Port-Out PIN" = NULL;

SET client_min_messages = warning;
DROP SCHEMA gate_install, "Port Desk" CASCADE;
