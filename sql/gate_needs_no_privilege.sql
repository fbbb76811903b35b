-- Promise: placing orders takes no right to read PINs, and a gate is no way to read
-- them: only a role that may read the PINs anyway can have one.
CREATE ROLE regress_portpin_carrier;  -- owns the accounts
CREATE ROLE regress_portpin_desk;     -- owns the orders
CREATE ROLE regress_portpin_clerk;    -- places them
CREATE ROLE regress_portpin_mallory;
CREATE SCHEMA privileges;
GRANT USAGE ON SCHEMA privileges TO regress_portpin_carrier, regress_portpin_desk,
    regress_portpin_clerk, regress_portpin_mallory;
GRANT CREATE ON SCHEMA privileges TO regress_portpin_carrier, regress_portpin_desk;
SET search_path = privileges, public;

--
-- What takes a grant
--
SET ROLE regress_portpin_mallory;
SELECT port_pin_check('246801', '246801');
SELECT port_pin_protect('pg_class');
SELECT port_pin_gate('pg_class');
SELECT port_pin_protect_trigger();
SELECT port_pin_gate_trigger();
CREATE TEMP TABLE my_accounts (id int PRIMARY KEY, pin port_pin);
CREATE TEMP TABLE my_orders (id int REFERENCES my_accounts, pin port_pin);
CREATE TRIGGER g AFTER INSERT ON my_orders FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger();
CREATE TRIGGER g AFTER UPDATE ON my_accounts FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger();
DROP TABLE my_orders, my_accounts;
-- But everyone may know what a PIN is.
SELECT port_pin_is_valid('246801'), port_pin_problem('2468'), port_pin_is_weak('123456'),
       port_pin_generate() IS NOT NULL AS generated;
SELECT proname FROM pg_proc JOIN pg_depend d ON d.objid = pg_proc.oid AND d.deptype = 'e'
    JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'portpin'
    WHERE has_function_privilege('public', pg_proc.oid, 'EXECUTE') ORDER BY proname;
RESET ROLE;

--
-- The desk sets up a gate
--
GRANT EXECUTE ON FUNCTION port_pin_gate, port_pin_ungate, port_pin_gate_trigger,
    port_pin_protect, port_pin_unprotect, port_pin_protect_trigger
    TO regress_portpin_carrier, regress_portpin_desk;
SET ROLE regress_portpin_carrier;
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin, frozen boolean, good_until timestamptz, name text);
INSERT INTO accounts VALUES (1, '246801', false, NULL, 'Acme'), (2, '135790', false, NULL, 'Bolt');
SELECT count(*) FROM port_pin_protect('accounts');
GRANT REFERENCES ON accounts TO regress_portpin_desk;
SET ROLE regress_portpin_desk;
CREATE TABLE port_orders (id int, account_id int REFERENCES accounts, pin port_pin);
-- A gate answers guesses.  A role that can't read the PIN can't have a gate.
SELECT port_pin_gate('port_orders');
CREATE TRIGGER gate AFTER INSERT OR UPDATE ON port_orders
    FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger();
INSERT INTO port_orders VALUES (1, 1, '246801');
INSERT INTO port_orders VALUES (1, 1, '999999');
DROP TRIGGER gate ON port_orders;
-- A role can't have a gate on somebody else's table, either.
SELECT port_pin_protect('accounts');
SELECT port_pin_protect('accounts', replace => true);
SELECT port_pin_unprotect('accounts');
SET ROLE regress_portpin_carrier;
SELECT port_pin_gate('port_orders');
SELECT port_pin_ungate('port_orders');
-- Only their owner can state the rules for the accounts: the right to put triggers
-- on them is not enough.
GRANT TRIGGER ON accounts TO regress_portpin_mallory;
SET ROLE regress_portpin_mallory;
CREATE TRIGGER rules AFTER UPDATE ON accounts FOR EACH ROW
    EXECUTE FUNCTION port_pin_protect_trigger('scope=frozen');
SELECT port_pin_protect('accounts', scope => 'frozen', replace => true);
-- The right to use portpin's functions is not enough without the other, either.
SET ROLE regress_portpin_desk;
CREATE TRIGGER rules AFTER UPDATE ON accounts FOR EACH ROW
    EXECUTE FUNCTION port_pin_protect_trigger('scope=frozen');
SET ROLE regress_portpin_carrier;
REVOKE TRIGGER ON accounts FROM regress_portpin_mallory;
GRANT SELECT (id, name) ON accounts TO regress_portpin_desk;
SET ROLE regress_portpin_desk;
SELECT port_pin_gate('port_orders');
SET ROLE regress_portpin_carrier;
GRANT SELECT (pin) ON accounts TO regress_portpin_desk;
SET ROLE regress_portpin_desk;
SELECT statement FROM port_pin_gate('port_orders') AS statement;
-- Each column that is read counts, even one that the guard of the accounts names later.
SET ROLE regress_portpin_carrier;
SELECT count(*) FROM port_pin_protect('accounts', lock => 'frozen', replace => true);
SET ROLE regress_portpin_desk;
INSERT INTO port_orders VALUES (1, 1, '246801');
SELECT port_pin_gate('port_orders', replace => true);
SET ROLE regress_portpin_carrier;
SELECT count(*) FROM port_pin_protect('accounts', lock_until => 'good_until', replace => true);
SET ROLE regress_portpin_desk;
SELECT port_pin_gate('port_orders', replace => true);
SET ROLE regress_portpin_carrier;
SELECT count(*) FROM port_pin_protect('accounts', scope => 'frozen', replace => true);
SET ROLE regress_portpin_desk;
SELECT port_pin_gate('port_orders', replace => true);
SET ROLE regress_portpin_carrier;
SELECT count(*) FROM port_pin_protect('accounts', expires => 'good_until', replace => true);
SET ROLE regress_portpin_desk;
SELECT port_pin_gate('port_orders', replace => true);
SET ROLE regress_portpin_carrier;
SELECT count(*) FROM port_pin_protect('accounts', replace => true);
SET ROLE regress_portpin_desk;
GRANT INSERT, UPDATE ON port_orders TO regress_portpin_clerk;
GRANT SELECT (id) ON port_orders TO regress_portpin_clerk;

--
-- The clerk places orders
--
SET ROLE regress_portpin_clerk;
INSERT INTO port_orders VALUES (1, 1, '246801');
INSERT INTO port_orders VALUES (2, 1, '999999');
INSERT INTO port_orders VALUES (2, 1, NULL);
UPDATE port_orders SET account_id = 2;
UPDATE port_orders SET account_id = 2, pin = '135790';
COPY port_orders FROM STDIN;
2	1	246801
\.
-- An error names the order's account to a role that may read that column, as long as
-- no policy hides rows.
SET ROLE regress_portpin_desk;
GRANT SELECT (account_id) ON port_orders TO regress_portpin_clerk;
SET ROLE regress_portpin_clerk;
INSERT INTO port_orders VALUES (2, 1, '999999');
SET ROLE regress_portpin_desk;
ALTER TABLE port_orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON port_orders USING (true);
SET ROLE regress_portpin_clerk;
INSERT INTO port_orders VALUES (2, 1, '999999');
SET ROLE regress_portpin_desk;
DROP POLICY everything ON port_orders;
ALTER TABLE port_orders DISABLE ROW LEVEL SECURITY;
REVOKE SELECT (account_id) ON port_orders FROM regress_portpin_clerk;
SET ROLE regress_portpin_clerk;
-- The clerk sees no PIN, neither stored nor supplied.
SELECT pin FROM accounts;
SELECT id FROM accounts;
SELECT pin FROM port_orders;
INSERT INTO port_orders VALUES (3, 1, '246801') RETURNING pin;
INSERT INTO port_orders SELECT 3, id, pin FROM accounts;
INSERT INTO port_orders VALUES (3, 1, (SELECT pin FROM accounts WHERE id = 1));
DROP TRIGGER _port_pin_gate ON port_orders;
ALTER TABLE port_orders DISABLE TRIGGER ALL;
SELECT port_pin_ungate('port_orders');
SET session_replication_role = replica;
-- A trigger of the clerk's own does not get there, either: creating one takes a right.
CREATE FUNCTION pg_temp.spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE '%', NEW; END $$;
CREATE TRIGGER spy BEFORE INSERT ON port_orders FOR EACH ROW EXECUTE FUNCTION pg_temp.spy();

--
-- Rights that are revoked later
--
SET ROLE regress_portpin_carrier;
REVOKE SELECT (pin) ON accounts FROM regress_portpin_desk;
SET ROLE regress_portpin_clerk;
INSERT INTO port_orders VALUES (3, 1, '246801');
SET ROLE regress_portpin_carrier;
GRANT SELECT ON accounts TO regress_portpin_desk;
SET ROLE regress_portpin_clerk;
PREPARE place AS INSERT INTO port_orders VALUES (3, 1, '246801');
EXECUTE place;
SET ROLE regress_portpin_carrier;
REVOKE SELECT ON accounts FROM regress_portpin_desk;
SET ROLE regress_portpin_clerk;
EXECUTE place;
-- Rights by membership count as well, and end with it.
RESET ROLE;
CREATE ROLE regress_portpin_readers;
GRANT SELECT (pin) ON accounts TO regress_portpin_readers;
GRANT regress_portpin_readers TO regress_portpin_desk;
SET ROLE regress_portpin_clerk;
EXECUTE place;
RESET ROLE;
REVOKE regress_portpin_readers FROM regress_portpin_desk;
SET ROLE regress_portpin_clerk;
EXECUTE place;
RESET ROLE;
GRANT regress_portpin_readers TO regress_portpin_desk;
-- With another owner, that owner's rights count.
ALTER TABLE port_orders OWNER TO regress_portpin_mallory;
GRANT INSERT ON port_orders TO regress_portpin_clerk;
SET ROLE regress_portpin_clerk;
EXECUTE place;
SET ROLE regress_portpin_mallory;
INSERT INTO port_orders VALUES (4, 1, '246801');
RESET ROLE;
ALTER TABLE port_orders OWNER TO regress_portpin_desk;
SET ROLE regress_portpin_clerk;
EXECUTE place;
RESET ROLE;
SELECT id, account_id FROM port_orders ORDER BY id, account_id;
-- The clerk's own rights don't matter, even where the clerk is the login.
SET SESSION AUTHORIZATION regress_portpin_clerk;
INSERT INTO port_orders VALUES (4, 1, '246801');
INSERT INTO port_orders VALUES (5, 1, '999999');
RESET SESSION AUTHORIZATION;
TRUNCATE port_orders;

--
-- Row security neither hides an account from the gate nor lets the gate show one
--
SET ROLE regress_portpin_carrier;
ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
CREATE POLICY acme_only ON accounts USING (name = 'Acme');
GRANT SELECT ON accounts TO regress_portpin_desk;
SET ROLE regress_portpin_desk;
SELECT id FROM accounts;
-- The desk can't read all PINs, so it can't guess them all either.
INSERT INTO port_orders VALUES (1, 1, '246801');
INSERT INTO port_orders VALUES (1, 2, '999999');
RESET ROLE;
ALTER ROLE regress_portpin_desk BYPASSRLS;
SET ROLE regress_portpin_clerk;
INSERT INTO port_orders VALUES (1, 1, '246801');
INSERT INTO port_orders VALUES (2, 2, '135790');
INSERT INTO port_orders VALUES (3, 2, '999999');
RESET ROLE;
ALTER ROLE regress_portpin_desk NOBYPASSRLS;
SET ROLE regress_portpin_clerk;
INSERT INTO port_orders VALUES (4, 1, '246801');
-- One owner for both.
RESET ROLE;
ALTER TABLE port_orders OWNER TO regress_portpin_carrier;
GRANT INSERT ON port_orders TO regress_portpin_clerk;
SET ROLE regress_portpin_clerk;
INSERT INTO port_orders VALUES (4, 2, '135790');
INSERT INTO port_orders VALUES (5, 2, '999999');
-- FORCE makes an owner see what others see, but the gate is no query of the owner.
SET ROLE regress_portpin_carrier;
ALTER TABLE accounts FORCE ROW LEVEL SECURITY;
SELECT id FROM accounts;
SET ROLE regress_portpin_clerk;
INSERT INTO port_orders VALUES (5, 2, '135790');
INSERT INTO port_orders VALUES (6, 2, '999999');
SET ROLE regress_portpin_carrier;
CREATE POLICY nothing ON accounts AS RESTRICTIVE USING (false);
SET row_security = off;
INSERT INTO port_orders VALUES (6, 1, '246801');
INSERT INTO port_orders VALUES (7, 1, '999999');
RESET row_security;
RESET ROLE;
SELECT id, account_id FROM port_orders ORDER BY id, account_id;

--
-- An empty search_path, and one that is a trap
--
ALTER TABLE accounts DISABLE ROW LEVEL SECURITY;
SET search_path = '';
INSERT INTO privileges.port_orders VALUES (10, 1, '246801');
INSERT INTO privileges.port_orders VALUES (11, 1, '999999');
UPDATE privileges.accounts SET pin = NULL;
CREATE SCHEMA trap;
SET search_path = trap, pg_catalog, privileges, public;
CREATE DOMAIN trap.port_pin AS text;
CREATE TYPE trap.port_pin_verdict AS ENUM ('accepted');
CREATE TABLE trap.accounts (id int PRIMARY KEY, pin trap.port_pin);
INSERT INTO trap.accounts VALUES (1, '999999');
CREATE FUNCTION trap.yes(int, int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE FUNCTION trap.yes(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE FUNCTION trap.yes(public.port_pin, public.port_pin) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE OPERATOR trap.= (LEFTARG = int, RIGHTARG = int, FUNCTION = trap.yes);
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.yes);
CREATE OPERATOR trap.= (LEFTARG = public.port_pin, RIGHTARG = public.port_pin, FUNCTION = trap.yes);
CREATE FUNCTION trap.port_pin_is_valid(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE FUNCTION trap.port_pin_gate_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE FUNCTION trap.port_pin_protect_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
INSERT INTO port_orders VALUES (11, 1, '999999');
UPDATE port_orders SET pin = '999999';
UPDATE privileges.accounts SET pin = NULL;
-- A column of a type that is only called port_pin holds no PIN.
CREATE TABLE orders_2 (id int, account_id int REFERENCES accounts, pin public.port_pin);
SELECT public.port_pin_gate('orders_2');
DROP TABLE orders_2;
-- Guards that are installed under it are real ones, conditions and all.
CREATE TABLE orders_2 (id int, account_id int REFERENCES privileges.accounts, pin public.port_pin);
SELECT public.port_pin_gate('orders_2');
INSERT INTO orders_2 VALUES (1, 1, '246801');
UPDATE orders_2 SET pin = '999999';
UPDATE orders_2 SET account_id = 2;
CREATE TABLE accounts_2 (id int PRIMARY KEY, pin text);
SELECT public.port_pin_protect('accounts_2', pin => 'pin', forbid_delete => true);
INSERT INTO accounts_2 VALUES (1, '246801');
UPDATE accounts_2 SET pin = '';
UPDATE accounts_2 SET id = 2;
SET search_path = privileges, public;

SET client_min_messages = warning;
DROP SCHEMA privileges, trap CASCADE;
REVOKE EXECUTE ON FUNCTION port_pin_gate, port_pin_ungate, port_pin_gate_trigger,
    port_pin_protect, port_pin_unprotect, port_pin_protect_trigger
    FROM regress_portpin_carrier, regress_portpin_desk;
DROP FUNCTION pg_temp.spy();
DROP ROLE regress_portpin_carrier, regress_portpin_desk, regress_portpin_clerk,
    regress_portpin_mallory, regress_portpin_readers;
