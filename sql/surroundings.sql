-- Promise: the guards hold where other people have been before.  Default privileges
-- neither give what must be closed nor take what writers need; an object that somebody
-- planted in portpin's schema is never called; a blanket grant is noticed.
SET client_min_messages = warning;
CREATE ROLE regress_portpin_api;
CREATE ROLE regress_portpin_writer;
DROP EXTENSION portpin CASCADE;

--
-- Default privileges that give
--
CREATE SCHEMA pins;
GRANT USAGE ON SCHEMA pins TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA pins GRANT EXECUTE ON FUNCTIONS TO regress_portpin_api;
ALTER DEFAULT PRIVILEGES IN SCHEMA pins GRANT ALL ON TABLES TO regress_portpin_api;
ALTER DEFAULT PRIVILEGES IN SCHEMA pins GRANT USAGE ON TYPES TO regress_portpin_api;
CREATE EXTENSION portpin SCHEMA pins CASCADE;
-- Apart from the owner, only the database's owner, who can restore the guards, was given
-- anything by name.
SELECT proname, grantee::regrole FROM pg_proc, aclexplode(proacl)
WHERE pronamespace = 'pins'::regnamespace AND proname LIKE 'port\_pin\_%'
    AND grantee NOT IN (0, proowner) ORDER BY 1, 2;
SELECT relname, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS grantee, privilege_type
FROM pg_class, aclexplode(relacl)
WHERE relnamespace = 'pins'::regnamespace AND grantee <> relowner ORDER BY 1, 2, 3;
SET ROLE regress_portpin_api;
SELECT pins.port_pin_check('482913', '482913');
DELETE FROM pins.port_pin_failures;
RESET ROLE;
SELECT guard, problem FROM pins.port_pin_guards;

-- A blanket grant, later, is noticed.
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pins TO regress_portpin_api;
GRANT ALL ON ALL TABLES IN SCHEMA pins TO regress_portpin_api;
SELECT relation, guard, definition, problem FROM pins.port_pin_guards ORDER BY definition COLLATE "C";
\set SHOW_CONTEXT never
SELECT pins.port_pin_assert_guarded();
\set SHOW_CONTEXT errors
DROP EXTENSION portpin CASCADE;
DROP OWNED BY regress_portpin_api;
ALTER DEFAULT PRIVILEGES IN SCHEMA pins REVOKE ALL ON TABLES FROM regress_portpin_api;

--
-- Default privileges that take: writers of guarded tables need nothing more
--
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;
CREATE EXTENSION portpin SCHEMA pins CASCADE;
CREATE SCHEMA surroundings;
SET search_path = surroundings, pins;
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
CREATE TABLE legacy (id int PRIMARY KEY, pin text);
CREATE TABLE port_orders (account int REFERENCES accounts, pin port_pin);
SELECT count(*) > 0 AS guarded FROM port_pin_protect('accounts');
SELECT count(*) > 0 AS guarded FROM port_pin_protect('legacy', pin => 'pin', check_format => true);
SELECT count(*) > 0 AS gated FROM port_pin_gate('port_orders');
GRANT USAGE ON SCHEMA surroundings TO regress_portpin_writer;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA surroundings TO regress_portpin_writer;
SET ROLE regress_portpin_writer;
INSERT INTO accounts VALUES (1, '482913');
UPDATE accounts SET pin = '482914';
INSERT INTO legacy VALUES (1, '482913');
INSERT INTO port_orders VALUES (1, '482914');
CREATE TEMP TABLE of_mine (pin port_pin, verdict port_pin_verdict);
SELECT relation, guard FROM port_pin_guards ORDER BY relation::text COLLATE "C";
RESET ROLE;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO PUBLIC;

--
-- Planted overloads: a role that may create in portpin's schema
--
GRANT CREATE ON SCHEMA pins TO regress_portpin_api;
GRANT USAGE ON SCHEMA surroundings TO regress_portpin_api;
SET ROLE regress_portpin_api;
CREATE FUNCTION pins.port_pin_check_format(varchar) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE FUNCTION pins.port_pin_inspect(oid) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION pins.port_pin_is_sealed(pins.port_pin_sealed) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE FUNCTION pins.port_pin_check_sealed(pins.port_pin_sealed) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
RESET ROLE;
CREATE TABLE spelled (id int PRIMARY KEY, pin varchar(10));
SELECT count(*) > 0 AS guarded FROM port_pin_protect('spelled', pin => 'pin', check_format => true);
INSERT INTO spelled VALUES (1, '12');
CREATE TABLE sealed (id int PRIMARY KEY, pin port_pin_sealed);
SELECT count(*) > 0 AS guarded FROM port_pin_protect('sealed');
ALTER TABLE sealed DISABLE TRIGGER USER;
INSERT INTO sealed VALUES (1, '482913');
ALTER TABLE sealed ENABLE TRIGGER USER;
SELECT relation, guard, problem FROM port_pin_guards ORDER BY relation::text COLLATE "C";

--
-- An object that portpin needs was renamed: refused, and the error tells which it is
--
ALTER DOMAIN port_pin RENAME TO pin;
INSERT INTO port_orders VALUES (1, '482914');
ALTER DOMAIN pin RENAME TO port_pin;
ALTER FUNCTION port_pin_gate_trigger() RENAME TO gate_trigger;
SELECT port_pin_gate('port_orders', replace => true);
ALTER FUNCTION gate_trigger() RENAME TO port_pin_gate_trigger;
INSERT INTO port_orders VALUES (1, '482914');

RESET search_path;
DROP TABLE of_mine;
DROP SCHEMA surroundings CASCADE;
DROP EXTENSION portpin CASCADE;
DROP OWNED BY regress_portpin_api;
DROP SCHEMA pins CASCADE;
DROP ROLE regress_portpin_api, regress_portpin_writer;
CREATE EXTENSION portpin CASCADE;
