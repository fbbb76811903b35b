-- port_pin_protect(): the guard of a table with PINs in one call.  It checks
-- everything first, runs the statements, and returns them, ready to be pasted into a
-- migration.
CREATE SCHEMA protect;
SET search_path = protect, public;

-- The statements that guard a table now
CREATE FUNCTION guards(accounts regclass) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT pg_get_triggerdef(oid) FROM pg_trigger
	WHERE tgrelid = accounts AND NOT tgisinternal ORDER BY tgname COLLATE "C" $$;
CREATE FUNCTION unguard(accounts regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	guard record;
BEGIN
	FOR guard IN SELECT tgrelid::regclass AS accounts, tgname FROM pg_trigger
		WHERE tgrelid IN (SELECT accounts UNION SELECT inhrelid FROM pg_inherits WHERE inhparent = accounts)
			AND NOT tgisinternal AND tgparentid = 0
	LOOP
		EXECUTE format('DROP TRIGGER %I ON %s', guard.tgname, guard.accounts);
	END LOOP;
END $$;

CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
INSERT INTO accounts VALUES (1, '011111'), (2, NULL);
SELECT port_pin_protect('accounts');
UPDATE accounts SET pin = NULL;

-- A second call is an error that says what is there.
SELECT port_pin_protect('accounts');
SELECT port_pin_protect('accounts', 'pin', forbid_delete => true);

-- What it returned can be pasted, and makes the same triggers.
SELECT unguard('accounts');
UPDATE accounts SET pin = '022222' WHERE id = 2;
CREATE TEMP TABLE pasted AS SELECT * FROM port_pin_protect('accounts', forbid_delete => true) AS statement;
SELECT guards('accounts') \g (format=unaligned tuples_only=on)
CREATE TEMP TABLE before AS SELECT guards('accounts');
SELECT unguard('accounts');
SET search_path = '';
SELECT statement FROM pg_temp.pasted \gexec
RESET search_path;
SET search_path = protect, public;
SELECT count(*) AS same FROM before JOIN guards('accounts') AS now ON guards = now;
UPDATE accounts SET pin = NULL WHERE id = 1;
UPDATE accounts SET id = 3 WHERE id = 1;
DELETE FROM accounts WHERE id = 1;
TRUNCATE accounts;
DROP TABLE accounts, pasted, before;

--
-- forbid_delete needs a primary key: under another one a row would be gone
--
CREATE TABLE accounts (id int UNIQUE NOT NULL, pin port_pin);
SELECT port_pin_protect('accounts', forbid_delete => true);
SELECT guards('accounts');
ALTER TABLE accounts ADD PRIMARY KEY (id) DEFERRABLE;
SELECT port_pin_protect('accounts', forbid_delete => true);
ALTER TABLE accounts DROP CONSTRAINT accounts_pkey;
-- A composite one, its columns neither first nor in order
ALTER TABLE accounts ADD COLUMN gone int, ADD COLUMN "Tenant" text DEFAULT 'a', ADD PRIMARY KEY ("Tenant", id);
ALTER TABLE accounts DROP COLUMN gone;
SELECT port_pin_protect('accounts', forbid_delete => true);
INSERT INTO accounts VALUES (1, '011111'), (2, NULL);
\set VERBOSITY sqlstate
UPDATE accounts SET "Tenant" = 'b' WHERE id = 1;
UPDATE accounts SET id = 3 WHERE id = 1;
UPDATE accounts SET "Tenant" = 'b' WHERE id = 2;
DELETE FROM accounts WHERE id = 1;
DELETE FROM accounts WHERE id = 2;
TRUNCATE accounts;
\set VERBOSITY default
TABLE accounts;
DROP TABLE accounts;

-- A key whose type has no = in pg_catalog: a WHEN that names it might not be
-- restored, so there is none, and the trigger checks for itself.
CREATE SCHEMA citext;
CREATE EXTENSION citext SCHEMA citext;
CREATE TABLE accounts (id citext.citext PRIMARY KEY, pin port_pin);
SELECT port_pin_protect('accounts', forbid_delete => true);
INSERT INTO accounts VALUES ('a', '011111'), ('b', NULL);
UPDATE accounts SET pin = '022222' WHERE id = 'a';
\set VERBOSITY sqlstate
UPDATE accounts SET id = 'c' WHERE id = 'a';
UPDATE accounts SET pin = NULL WHERE id = 'a';
-- The same to citext, but another key where text is compared
UPDATE accounts SET id = 'A' WHERE id = 'a';
UPDATE accounts SET id = 'c' WHERE id = 'b';
\set VERBOSITY default
DROP TABLE accounts;
DROP EXTENSION citext;
DROP SCHEMA citext;

-- The same for a collation that takes one key for another: to = they don't differ.
CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
CREATE TABLE accounts (id text COLLATE loose PRIMARY KEY, pin varchar(10) COLLATE loose);
SELECT port_pin_protect('accounts', 'pin', forbid_delete => true);
INSERT INTO accounts VALUES ('a', '011111');
\set VERBOSITY sqlstate
UPDATE accounts SET id = 'A';
UPDATE accounts SET pin = ' ';
\set VERBOSITY default
DROP TABLE accounts;

-- Somebody's own = for the domain, first in the search_path, is not the one used.
CREATE SCHEMA theirs;
CREATE FUNCTION theirs.always(port_pin, port_pin) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE OPERATOR theirs.= (LEFTARG = port_pin, RIGHTARG = port_pin, FUNCTION = theirs.always);
CREATE TABLE accounts (id port_pin PRIMARY KEY, pin port_pin);
SET search_path = theirs, protect, public, pg_catalog;
SELECT port_pin_protect('accounts', 'pin', forbid_delete => true);
SHOW search_path;
SET search_path = protect, public;
INSERT INTO accounts VALUES ('000001', '011111');
\set VERBOSITY sqlstate
UPDATE accounts SET id = '000002';
\set VERBOSITY default
DROP TABLE accounts;
DROP OPERATOR theirs.= (port_pin, port_pin);
DROP FUNCTION theirs.always;
DROP SCHEMA theirs;

--
-- Which column
--
CREATE DOMAIN own_pin AS port_pin CHECK (length(VALUE) = 8);
CREATE TABLE accounts (id int PRIMARY KEY, pin own_pin, former port_pin, code varchar, padded char(8), number int);
SELECT port_pin_protect('accounts');
SELECT port_pin_protect('accounts', 'pni');
SELECT port_pin_protect('accounts', 'PIN');
SELECT port_pin_protect('accounts', 'ctid');
SELECT port_pin_protect('accounts', 'padded');
SELECT port_pin_protect('accounts', 'number');
SELECT port_pin_protect('accounts', 'pin');
DROP TABLE accounts;
CREATE TABLE accounts (id int PRIMARY KEY, code varchar);
SELECT port_pin_protect('accounts');
DROP TABLE accounts;

-- Names are exact.  A list has commas, an array's braces are understood; a name with a
-- blank or a comma in it needs double quotes.
CREATE TABLE accounts (id int PRIMARY KEY, "Port PIN" varchar(10), "a,b" text, "{c}" text);
SELECT port_pin_protect('accounts', '"Port PIN');
SELECT port_pin_protect('accounts', '"port pin"');
SELECT port_pin_protect('accounts', '');
SELECT port_pin_protect('accounts', '{"Port PIN","a,b"}');
SELECT port_pin_protect('accounts', 'a,b');
SELECT count(*) FROM port_pin_protect('accounts', '{"Port PIN"}');
SELECT count(*) FROM port_pin_protect('accounts', '"a,b"');
SELECT count(*) FROM port_pin_protect('accounts', '"{c}"');
SELECT guards('accounts') \g (format=unaligned tuples_only=on)
DROP TABLE accounts;

--
-- The rules for an account are stated here: which rows are out of scope or locked, and
-- until when a PIN is good.  All of them stand in the trigger AFTER UPDATE.
--
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin, is_us boolean, locked boolean,
	locked_until timestamptz, pin_expires timestamptz, "until" timestamp, note text);
SELECT * FROM port_pin_protect('accounts', scope => 'is_us', lock => 'locked', lock_until => 'locked_until',
	expires => 'pin_expires', forbid_delete => true, allow_unset => true) \g (format=unaligned tuples_only=on)
SELECT count(*) FROM port_pin_unprotect('accounts');
SELECT port_pin_protect('accounts', scope => 'note');
SELECT port_pin_protect('accounts', lock => 'is_locked');
SELECT port_pin_protect('accounts', lock => 'Locked');
SELECT port_pin_protect('accounts', lock => 'locked, is_us');
SELECT port_pin_protect('accounts', lock_until => 'until');
SELECT port_pin_protect('accounts', expires => 'until');
-- A column of type port_pin needs no check of its format.
SELECT port_pin_protect('accounts', check_format => true);
-- A PIN that may be taken back: the trigger states the rules, and never fires.
SELECT * FROM port_pin_protect('accounts', clearable => true) \g (format=unaligned tuples_only=on)
INSERT INTO accounts (id, pin) VALUES (1, '011111');
UPDATE accounts SET pin = NULL;
SELECT count(*) FROM port_pin_unprotect('accounts');
-- Having no PIN lets an order in only where no PIN could be taken away.
SELECT port_pin_protect('accounts', allow_unset => true);
-- A table without a PIN can say who is locked or out of scope, and no more.
ALTER TABLE accounts DROP COLUMN pin;
SELECT port_pin_protect('accounts', lock => 'locked', expires => 'pin_expires');
SELECT port_pin_protect('accounts', scope => 'is_us', forbid_delete => true);
SELECT port_pin_protect('accounts', lock => 'locked', clearable => true);
SELECT port_pin_protect('accounts', lock => 'locked', check_format => true);
SELECT port_pin_protect('accounts', lock => 'locked', pin => 'pin');
SELECT * FROM port_pin_protect('accounts', scope => 'is_us', lock => 'locked', lock_until => 'locked_until') \g (format=unaligned tuples_only=on)
UPDATE accounts SET locked = true, is_us = true;
DELETE FROM accounts;
DROP TABLE accounts;

--
-- What is no table of rows is refused, and NULL is no table
--
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
CREATE VIEW viewed AS TABLE accounts;
CREATE MATERIALIZED VIEW materialized AS TABLE accounts;
CREATE SEQUENCE counted;
CREATE TYPE composite AS (id int, pin port_pin);
CREATE FOREIGN DATA WRAPPER regress_portpin_nothing;
CREATE SERVER regress_portpin_nowhere FOREIGN DATA WRAPPER regress_portpin_nothing;
CREATE FOREIGN TABLE far_away (id int, pin port_pin) SERVER regress_portpin_nowhere;
SELECT port_pin_protect('viewed');
SELECT port_pin_protect('materialized');
SELECT port_pin_protect('counted');
SELECT port_pin_protect('composite');
SELECT port_pin_protect('accounts_pkey');
SELECT port_pin_protect('far_away');
SELECT port_pin_protect(NULL);
SELECT port_pin_protect(0);
SELECT port_pin_protect(NULL, NULL, NULL);
DROP MATERIALIZED VIEW materialized;
DROP VIEW viewed;

-- So is a table with rows that its triggers don't see.
CREATE TABLE parent (id int, pin port_pin);
CREATE TABLE child () INHERITS (parent);
SELECT port_pin_protect('parent');
SELECT port_pin_protect('child');
CREATE TABLE parts (id int, pin port_pin) PARTITION BY LIST (id);
CREATE TABLE part PARTITION OF parts FOR VALUES IN (1);
SELECT port_pin_protect('part');
CREATE FOREIGN TABLE far_part PARTITION OF parts FOR VALUES IN (2) SERVER regress_portpin_nowhere;
SELECT port_pin_protect('parts');
DROP FOREIGN TABLE far_part;
CREATE ACCESS METHOD regress_portpin_am TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE odd_part PARTITION OF parts FOR VALUES IN (2) USING regress_portpin_am;
SELECT port_pin_protect('parts');
DROP TABLE odd_part;
DROP ACCESS METHOD regress_portpin_am;
SELECT port_pin_protect('parts');
DROP TABLE parts, parent, child;
DROP SERVER regress_portpin_nowhere CASCADE;
DROP FOREIGN DATA WRAPPER regress_portpin_nothing;

-- Temporary and unlogged tables are tables.
CREATE TEMP TABLE passing (id int PRIMARY KEY, pin port_pin);
SELECT port_pin_protect('passing', forbid_delete => true);
INSERT INTO passing VALUES (1, '011111');
UPDATE passing SET pin = NULL;
CREATE UNLOGGED TABLE unlogged (id int, pin port_pin);
SELECT port_pin_protect('unlogged');
INSERT INTO unlogged VALUES (1, '011111');
UPDATE unlogged SET pin = NULL;

-- Partitioned ones need the pair that follows row movement, and a trigger on TRUNCATE
-- for each.
CREATE TABLE parts (region int, id int, pin port_pin, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF parts FOR VALUES IN (2, 3) PARTITION BY LIST (region);
CREATE TABLE part_2_2 PARTITION OF part_2 FOR VALUES IN (2);
SELECT port_pin_protect('parts', forbid_delete => true);
TRUNCATE part_2_2;
DROP TABLE parts;

--
-- It runs with the rights of the caller: EXECUTE on it, TRIGGER on the table, and
-- EXECUTE on the trigger function, as CREATE TRIGGER asks
--
CREATE ROLE regress_portpin_dba;
GRANT USAGE, CREATE ON SCHEMA protect TO regress_portpin_dba;
SET ROLE regress_portpin_dba;
SELECT port_pin_protect('accounts');
RESET ROLE;
GRANT EXECUTE ON FUNCTION port_pin_protect TO regress_portpin_dba;
SET ROLE regress_portpin_dba;
SELECT port_pin_protect('accounts');
RESET ROLE;
GRANT TRIGGER ON accounts TO regress_portpin_dba;
SET ROLE regress_portpin_dba;
SELECT port_pin_protect('accounts');
RESET ROLE;
SELECT guards('accounts');
GRANT EXECUTE ON FUNCTION port_pin_protect_trigger TO regress_portpin_dba;
SET ROLE regress_portpin_dba;
SELECT port_pin_protect('accounts');
RESET ROLE;
-- Taking the rights away again leaves the guard where it is.
REVOKE ALL ON accounts FROM regress_portpin_dba;
REVOKE EXECUTE ON FUNCTION port_pin_protect, port_pin_protect_trigger FROM regress_portpin_dba;
INSERT INTO accounts VALUES (1, '011111');
UPDATE accounts SET pin = NULL;

-- All or nothing: where one statement fails, none has been run.  Here the trigger
-- could be created, but a CHECK takes the owner of the table.
CREATE TABLE theirs (id int PRIMARY KEY, code varchar(10));
GRANT TRIGGER ON theirs TO regress_portpin_dba;
GRANT EXECUTE ON FUNCTION port_pin_protect, port_pin_protect_trigger TO regress_portpin_dba;
SET ROLE regress_portpin_dba;
SELECT port_pin_protect('theirs', 'code', check_format => true);
SELECT guards('theirs');
-- Without the CHECK, the rest works.
SELECT count(*) FROM port_pin_protect('theirs', 'code');
RESET ROLE;
SELECT guards('theirs');
REVOKE EXECUTE ON FUNCTION port_pin_protect, port_pin_protect_trigger FROM regress_portpin_dba;

-- A name that is taken already is no obstacle: all triggers of the guard get other
-- names, which belong together.
DROP TRIGGER port_pin_protect ON accounts;
CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER port_pin_protect_truncate AFTER DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION other();
SELECT port_pin_protect('accounts', forbid_delete => true);
SELECT guards('accounts');
SELECT count(*) FROM port_pin_unprotect('accounts');

-- The guard of a renamed column says so, rather than let a PIN go.
DROP TRIGGER port_pin_protect_truncate ON accounts;
SELECT port_pin_protect('accounts');
ALTER TABLE accounts RENAME COLUMN pin TO port_out_pin;
UPDATE accounts SET port_out_pin = NULL;
-- While the guard is there, the column can't be dropped or given another type.
\set VERBOSITY terse
ALTER TABLE accounts DROP COLUMN port_out_pin;
ALTER TABLE accounts ALTER COLUMN port_out_pin TYPE text USING '';
\set VERBOSITY default
TABLE accounts;

-- A table with two PIN columns has a guard for each, told apart by their names.
CREATE TABLE two_pins (id int PRIMARY KEY, port_out_pin port_pin, "Transfer PIN" port_pin);
SELECT port_pin_protect('two_pins', 'port_out_pin');
SELECT port_pin_protect('two_pins', '"Transfer PIN"', forbid_delete => true);
SELECT port_pin_protect('two_pins', '"Transfer PIN"');
INSERT INTO two_pins VALUES (1, '011111', NULL), (2, NULL, '022222');
UPDATE two_pins SET port_out_pin = NULL WHERE id = 1;
UPDATE two_pins SET "Transfer PIN" = NULL WHERE id = 2;
UPDATE two_pins SET port_out_pin = '033333' WHERE id = 2;

SET client_min_messages = warning;
DROP SCHEMA protect CASCADE;
DROP ROLE regress_portpin_dba;
