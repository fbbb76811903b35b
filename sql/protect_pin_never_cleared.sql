-- The guard of a table with PINs: a PIN that is set is never cleared, whichever way
-- somebody tries.  Setting one, changing it and setting the same one again are free.
CREATE SCHEMA keep;
SET search_path = keep, public;

CREATE TABLE accounts (
	id int PRIMARY KEY,
	name text,
	pin port_pin
);
CREATE TRIGGER keep AFTER UPDATE ON accounts
	FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger();

-- A PIN starts blank, and may stay so.
INSERT INTO accounts VALUES (1, 'Contoso', NULL), (2, 'Fabrikam', NULL), (3, 'Litware', '033333');
UPDATE accounts SET name = name || ' Ltd.', pin = NULL;
UPDATE accounts SET pin = '011111' WHERE id = 1;
UPDATE accounts SET pin = '0111119999' WHERE id = 1;
UPDATE accounts SET pin = pin, name = 'Contoso' WHERE id = 1;
UPDATE accounts SET id = 10 WHERE id = 1;
UPDATE accounts SET id = 1 WHERE id = 10;

-- Clearing it is refused; so is every other row of the same statement.
UPDATE accounts SET pin = NULL WHERE id = 1;
UPDATE accounts SET pin = CASE WHEN id = 2 THEN '022222' END;
TABLE accounts ORDER BY id;

-- What a program gets: the SQLSTATE, a fixed message, the trigger as constraint.
CREATE FUNCTION try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text; detail text; hint text; context text;
	in_schema text; in_table text; in_column text; the_constraint text;
BEGIN
	EXECUTE statement;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
		hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT,
		in_schema = SCHEMA_NAME, in_table = TABLE_NAME, in_column = COLUMN_NAME,
		the_constraint = CONSTRAINT_NAME;
	RETURN concat_ws(E'\n', SQLSTATE || ' ' || message, NULLIF(detail, ''), NULLIF(hint, ''),
		'table: ' || NULLIF(concat_ws('.', NULLIF(in_schema, ''), NULLIF(in_table, '')), ''),
		'column: ' || NULLIF(in_column, ''), 'constraint: ' || NULLIF(the_constraint, ''),
		'context: ' || NULLIF(context, ''));
END $$;
SELECT try('UPDATE accounts SET pin = NULL, name = ''supplied secret 098765'' WHERE id = 1');
DO $$ BEGIN
	UPDATE keep.accounts SET pin = NULL WHERE id = 1;
EXCEPTION WHEN integrity_constraint_violation THEN
	RAISE NOTICE 'caught as a violation of integrity: %', SQLSTATE;
END $$;

-- No context shows the statement or the row.
\set SHOW_CONTEXT always
DO $$ BEGIN
	EXECUTE 'UPDATE keep.accounts SET pin = NULL WHERE pin = ''0111119999''';
END $$;
\set SHOW_CONTEXT errors
\set VERBOSITY sqlstate

--
-- Ways in: each is 23PN0
--
INSERT INTO accounts VALUES (1, 'again', NULL) ON CONFLICT (id) DO UPDATE SET pin = EXCLUDED.pin;
INSERT INTO accounts VALUES (1, 'again', NULL) ON CONFLICT (id) DO UPDATE SET pin = DEFAULT;
MERGE INTO accounts USING (VALUES (1)) AS v (id) ON accounts.id = v.id
	WHEN MATCHED THEN UPDATE SET pin = NULL;
WITH cleared AS (UPDATE accounts SET pin = NULL RETURNING id) SELECT count(*) FROM cleared;
UPDATE accounts SET (name, pin) = (SELECT NULL, NULL) WHERE id = 1;
UPDATE accounts SET pin = other.pin FROM accounts AS other WHERE other.id = 2 AND accounts.id = 1;
PREPARE clear (text, int) AS UPDATE accounts SET pin = $1 WHERE id = $2;
EXECUTE clear (NULL, 1);
EXECUTE clear ('011111', 1);
DEALLOCATE clear;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM accounts WHERE id = 1 FOR UPDATE;
MOVE c;
UPDATE accounts SET pin = NULL WHERE CURRENT OF c;
ROLLBACK;
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
UPDATE accounts SET pin = NULL WHERE id = 1;
ROLLBACK;

-- First changed, then cleared, in one transaction: still set before, still refused.
BEGIN;
UPDATE accounts SET pin = '099999' WHERE id = 2;
SAVEPOINT set_now;
UPDATE accounts SET pin = NULL WHERE id = 2;
ROLLBACK TO set_now;
UPDATE accounts SET name = 'still there' WHERE id = 2;
SELECT pin FROM accounts WHERE id = 2;
ROLLBACK;

-- Through views: one that is updatable by itself, one with a trigger, one with a rule
CREATE VIEW plain AS SELECT id, pin AS code FROM accounts;
UPDATE plain SET code = NULL WHERE id = 1;
CREATE VIEW triggered AS SELECT id, pin FROM accounts;
CREATE FUNCTION through() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	UPDATE keep.accounts SET pin = NEW.pin WHERE id = OLD.id;
	RETURN NEW;
END $$;
CREATE TRIGGER through INSTEAD OF UPDATE ON triggered FOR EACH ROW EXECUTE FUNCTION through();
UPDATE triggered SET pin = NULL WHERE id = 1;
CREATE VIEW ruled AS SELECT id, pin FROM accounts;
CREATE RULE through AS ON UPDATE TO ruled DO INSTEAD
	UPDATE accounts SET pin = NEW.pin WHERE id = OLD.id;
UPDATE ruled SET pin = NULL WHERE id = 1;
DROP VIEW plain, triggered, ruled;

-- By a foreign key on the PIN column itself, whatever that may be good for
CREATE TABLE reserved (pin text PRIMARY KEY);
INSERT INTO reserved VALUES ('033333');
ALTER TABLE accounts ADD CONSTRAINT is_reserved FOREIGN KEY (pin) REFERENCES reserved
	ON DELETE SET NULL ON UPDATE SET DEFAULT NOT VALID;
DELETE FROM reserved;
UPDATE reserved SET pin = '044444';
ALTER TABLE accounts DROP CONSTRAINT is_reserved;

-- By a role without any right but UPDATE: existing guards need no grant
CREATE ROLE regress_portpin_clerk;
GRANT USAGE ON SCHEMA keep TO regress_portpin_clerk;
GRANT UPDATE (pin) ON accounts TO regress_portpin_clerk;
SET ROLE regress_portpin_clerk;
UPDATE accounts SET pin = '055555';
UPDATE accounts SET pin = NULL;
SET search_path = '';
UPDATE keep.accounts SET pin = NULL;
RESET search_path;
RESET ROLE;
SET search_path = keep, public;
SELECT id, pin FROM accounts ORDER BY id;

--
-- Other people's triggers: AFTER sees the row that they leave behind
--
CREATE FUNCTION blank_pin() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	NEW.pin := NULL;
	RETURN NEW;
END $$;
CREATE FUNCTION restore_pin() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	NEW.pin := coalesce(NEW.pin, OLD.pin);
	RETURN NEW;
END $$;
CREATE TRIGGER a BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION blank_pin();
UPDATE accounts SET name = 'sorted before' WHERE id = 1;
ALTER TRIGGER a ON accounts RENAME TO z;
UPDATE accounts SET name = 'sorted behind' WHERE id = 1;
CREATE TRIGGER zz BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION restore_pin();
UPDATE accounts SET pin = NULL, name = 'restored' WHERE id = 1;
DROP TRIGGER z ON accounts;
UPDATE accounts SET pin = NULL, name = 'restored again' WHERE id = 1;
DROP TRIGGER zz ON accounts;
SELECT * FROM accounts WHERE id = 1;

-- An AFTER trigger that clears it does so by an UPDATE like any other.
CREATE FUNCTION clear_behind() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF pg_trigger_depth() = 1 THEN
		UPDATE keep.accounts SET pin = NULL WHERE id = NEW.id;
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER z AFTER UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION clear_behind();
UPDATE accounts SET name = 'cleared behind' WHERE id = 1;
DROP TRIGGER z ON accounts;

--
-- Attached BEFORE, it would not see what triggers behind it do.  So there it lets
-- nothing pass, whatever is written.
--
DROP TRIGGER keep ON accounts;
CREATE TRIGGER keep BEFORE UPDATE ON accounts
	FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger();
UPDATE accounts SET pin = NULL WHERE id = 1;
UPDATE accounts SET pin = '066666' WHERE id = 1 RETURNING pin;
UPDATE accounts SET name = 'unharmed' WHERE id = 1 RETURNING *;
CREATE TRIGGER a BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION blank_pin();
UPDATE accounts SET name = 'sorted before' WHERE id = 1;
ALTER TRIGGER a ON accounts RENAME TO z;
UPDATE accounts SET name = 'sorted behind' WHERE id = 1 RETURNING *;
SELECT * FROM accounts WHERE id = 1;
DROP TRIGGER z ON accounts;
DROP TRIGGER keep ON accounts;

-- With WHEN, as port_pin_protect() attaches it, or with transition tables
CREATE TRIGGER keep AFTER UPDATE ON accounts REFERENCING OLD TABLE AS before NEW TABLE AS after
	FOR EACH ROW WHEN (OLD.pin IS NOT NULL AND NEW.pin IS NULL)
	EXECUTE FUNCTION port_pin_protect_trigger();
UPDATE accounts SET pin = NULL WHERE id = 1;
-- A WHEN that is wider than need be changes nothing.
DROP TRIGGER keep ON accounts;
CREATE TRIGGER keep AFTER UPDATE ON accounts FOR EACH ROW WHEN (true)
	EXECUTE FUNCTION port_pin_protect_trigger('pin=pin');
UPDATE accounts SET name = name, pin = '077777';
UPDATE accounts SET pin = NULL WHERE id = 1;
DROP TRIGGER keep ON accounts;
-- A constraint trigger will do, if it can't be deferred.
CREATE CONSTRAINT TRIGGER keep AFTER UPDATE ON accounts NOT DEFERRABLE
	FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger();
UPDATE accounts SET pin = NULL WHERE id = 1;
DROP TRIGGER keep ON accounts;
\set VERBOSITY default

--
-- DELETE and TRUNCATE, where rows with a PIN are to stay, and their keys.  The rules
-- stand in the trigger AFTER UPDATE; the others look them up there.
--
CREATE TRIGGER keep AFTER UPDATE ON accounts
	FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger('key=id');
CREATE TRIGGER keep_delete AFTER DELETE ON accounts
	FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger();
CREATE TRIGGER keep_truncate BEFORE TRUNCATE ON accounts
	FOR EACH STATEMENT EXECUTE FUNCTION port_pin_protect_trigger();
INSERT INTO accounts VALUES (4, 'Blank', NULL), (5, 'Blank too', NULL);
UPDATE accounts SET id = 99 WHERE id = 1;
DELETE FROM accounts WHERE id = 1;
TRUNCATE accounts;
UPDATE accounts SET id = 44 WHERE id = 4;
DELETE FROM accounts WHERE id = 5;
SELECT id, pin FROM accounts ORDER BY id;
\set VERBOSITY sqlstate
TRUNCATE accounts CASCADE;
UPDATE accounts SET id = -id;
DELETE FROM accounts;
UPDATE accounts SET id = 45, pin = '088888' WHERE id = 44;
UPDATE accounts SET id = 46 WHERE id = 45;
-- From a table that takes its accounts along
CREATE TABLE tenants (id int PRIMARY KEY);
INSERT INTO tenants VALUES (1);
ALTER TABLE accounts ADD COLUMN tenant int DEFAULT 1 REFERENCES tenants ON DELETE CASCADE;
DELETE FROM tenants;
TRUNCATE tenants CASCADE;
-- BEFORE DELETE is no place for it, either: a trigger behind it can change the row.
DROP TRIGGER keep_delete ON accounts;
CREATE TRIGGER keep_delete BEFORE DELETE ON accounts
	FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger();
DELETE FROM accounts;
UPDATE accounts SET tenant = 1;
SELECT id, pin FROM accounts ORDER BY id;
\set VERBOSITY default
DROP TABLE accounts, tenants;

--
-- Attached wrongly, it says so when it first fires, and nothing is changed
--
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
INSERT INTO accounts VALUES (1, '011111');
CREATE VIEW shown AS SELECT * FROM accounts;
CREATE FUNCTION attach(clause text, statement text, arguments text DEFAULT '',
	on_what text DEFAULT 'accounts') RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN
	RETURN NEXT clause || CASE arguments WHEN '' THEN '' ELSE ' (' || arguments || ')' END;
	EXECUTE format('CREATE %s EXECUTE FUNCTION public.port_pin_protect_trigger(%s)',
		replace(clause, '@', on_what), arguments);
	RETURN NEXT try(statement);
	EXECUTE format('DROP TRIGGER keep ON %s', on_what);
END $$;
SELECT port_pin_protect_trigger();
SELECT attach(clause, statement) FROM (VALUES
	('TRIGGER keep AFTER UPDATE ON @ FOR EACH STATEMENT', 'UPDATE accounts SET id = 2'),
	('TRIGGER keep BEFORE UPDATE ON @ FOR EACH STATEMENT', 'UPDATE accounts SET id = 2'),
	('TRIGGER keep AFTER DELETE ON @ FOR EACH STATEMENT', 'DELETE FROM accounts'),
	('TRIGGER keep AFTER INSERT ON @ FOR EACH STATEMENT', 'INSERT INTO accounts VALUES (2)'),
	('TRIGGER keep AFTER INSERT ON @ FOR EACH ROW', 'INSERT INTO accounts VALUES (2)'),
	('TRIGGER keep BEFORE INSERT ON @ FOR EACH ROW', 'INSERT INTO accounts VALUES (2)'),
	('TRIGGER keep AFTER UPDATE OF pin ON @ FOR EACH ROW', 'UPDATE accounts SET pin = NULL'),
	('CONSTRAINT TRIGGER keep AFTER UPDATE ON @ DEFERRABLE FOR EACH ROW', 'UPDATE accounts SET id = 2'),
	('CONSTRAINT TRIGGER keep AFTER UPDATE ON @ FROM pg_class NOT DEFERRABLE FOR EACH ROW',
		'UPDATE accounts SET id = 2')) AS v (clause, statement);
SELECT attach('TRIGGER keep INSTEAD OF ' || event || ' ON @ FOR EACH ROW', statement, on_what => 'shown')
FROM (VALUES ('INSERT', 'INSERT INTO shown VALUES (2)'), ('UPDATE', 'UPDATE shown SET id = 2'),
	('DELETE', 'DELETE FROM shown')) AS v (event, statement);
SELECT attach('TRIGGER keep BEFORE TRUNCATE ON @ FOR EACH STATEMENT', 'TRUNCATE accounts', '''pin=pin''');
SELECT attach('TRIGGER keep ' || timing || ' ON @ FOR EACH ROW', statement, arguments)
FROM (VALUES ('AFTER DELETE', 'DELETE FROM accounts', ''),
	('AFTER DELETE', 'DELETE FROM accounts', '''pin=pin'''),
	('AFTER DELETE', 'DELETE FROM accounts', '''pin=pin'', ''key=id'''),
	('BEFORE DELETE', 'DELETE FROM accounts', '''pin=pin'''),
	('BEFORE UPDATE', 'UPDATE accounts SET id = 2', '''pin=pin'''),
	('AFTER INSERT', 'INSERT INTO accounts VALUES (2)', '''clearable=yes''')) AS v (timing, statement, arguments);
TABLE accounts;

-- Two triggers state rules for one PIN: nobody can tell which of them hold, so the
-- trigger that looks them up refuses.  Each by itself does what it says.
CREATE TRIGGER one AFTER UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger('pin=pin');
CREATE TRIGGER two AFTER UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger('pin=pin', 'key=id');
SELECT try('UPDATE accounts SET pin = NULL');
SELECT try('UPDATE accounts SET id = 2');
SELECT attach('TRIGGER keep AFTER DELETE ON @ FOR EACH ROW', 'DELETE FROM accounts', '''pin=pin''');
-- A trigger that is disabled does not fire, but it still states the rules.
DROP TRIGGER one ON accounts;
ALTER TABLE accounts DISABLE TRIGGER two;
SELECT attach('TRIGGER keep AFTER DELETE ON @ FOR EACH ROW', 'DELETE FROM accounts', '''pin=pin''');
DROP TRIGGER two ON accounts;

-- Arguments that it does not know, or can't make sense of
SELECT attach('TRIGGER keep AFTER UPDATE ON @ FOR EACH ROW', 'UPDATE accounts SET id = 2', arguments)
FROM unnest(ARRAY['''pin''', '''''', '''=pin''', '''PIN=pin''', '''pin = pin''', '''pin=pin'', ''column=pin''',
	'''pin=pin'', ''pin=id''', '''pin=''', '''pin=pin,id''', '''pin=a b''', '''pin="pin''', '''pin=pni''',
	'''pin="Pin"''', '''pin=id''', '''pin=ctid''', '''key=none''', '''key=id'', ''key=id''',
	'''moves=follow''', '''clearable=no''', '''allow_unset=''', '''forbid_delete=yes''',
	'''lock=a, b''']) AS arguments;
-- Spelled as in SQL: folded to lower case, blanks around names, or in quotes
SELECT attach('TRIGGER keep AFTER UPDATE ON @ FOR EACH ROW', 'UPDATE accounts SET pin = NULL', arguments)
FROM unnest(ARRAY['''pin=PIN''', '''pin= pin ''', '''pin="pin"''', '''key=id, pin''', '''pin=pin'', ''check_format=yes''']) AS arguments;
-- A rule of the row, its lock or scope, names no PIN: then the PIN must be named.
SELECT attach('TRIGGER keep AFTER UPDATE ON @ FOR EACH ROW', 'UPDATE accounts SET id = 2, pin = NULL', arguments)
FROM unnest(ARRAY['''lock=locked'', ''pin=pin''', '''lock=locked''']) AS arguments;
UPDATE accounts SET id = 1, pin = '011111';
-- A PIN that may be taken back is not kept, but the key of its row is.
SELECT attach('TRIGGER keep AFTER UPDATE ON @ FOR EACH ROW', 'UPDATE accounts SET ' || changes, arguments)
FROM (VALUES ('id = 3, pin = NULL', '''clearable=yes'', ''key=id'''),
	('pin = NULL', '''clearable=yes'', ''key=id''')) AS v (changes, arguments);
TABLE accounts;
DROP TABLE accounts CASCADE;

--
-- Which column: the one of the domain port_pin, or of a domain over it
--
CREATE DOMAIN staff_pin AS port_pin CHECK (length(VALUE) = 8);
CREATE DOMAIN chief_pin AS staff_pin;
CREATE TABLE "Kunden ""A""" (gone text, "Nr." int, also_gone port_pin, "Port-PIN" chief_pin, last text);
ALTER TABLE "Kunden ""A""" DROP COLUMN gone, DROP COLUMN also_gone;
CREATE TRIGGER "Keep, ""please""" AFTER UPDATE ON "Kunden ""A"""
	FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger();
INSERT INTO "Kunden ""A""" VALUES (1, '00421199', 'x');
UPDATE "Kunden ""A""" SET last = 'y', "Port-PIN" = '00421198';
SELECT try('UPDATE "Kunden ""A""" SET "Port-PIN" = NULL');
-- Without arguments, a rename changes nothing.
ALTER TABLE "Kunden ""A""" RENAME COLUMN "Port-PIN" TO pin;
SELECT try('UPDATE "Kunden ""A""" SET pin = NULL');
-- A column that is added later has no old value to lose.
ALTER TABLE "Kunden ""A""" DROP COLUMN pin;
SELECT try('UPDATE "Kunden ""A""" SET last = ''no column''');
ALTER TABLE "Kunden ""A""" ADD COLUMN pin port_pin DEFAULT '0042119977';
UPDATE "Kunden ""A""" SET last = 'a default that is not stored in the row';
SELECT try('UPDATE "Kunden ""A""" SET pin = NULL');
-- Two columns: the trigger does not guess which one.
ALTER TABLE "Kunden ""A""" ADD COLUMN former port_pin;
SELECT try('UPDATE "Kunden ""A""" SET last = ''two columns''');
DROP TRIGGER "Keep, ""please""" ON "Kunden ""A""";
CREATE TRIGGER keep AFTER UPDATE ON "Kunden ""A"""
	FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger('pin=former');
UPDATE "Kunden ""A""" SET former = '123457', pin = NULL;
SELECT try('UPDATE "Kunden ""A""" SET former = NULL');

-- Types in which a PIN does not stay what it is
CREATE DOMAIN padded AS char(8);
CREATE TABLE unfit (a char(10), b int, c numeric, d name, e bytea, f text[], g port_pin[], h jsonb, i padded);
INSERT INTO unfit DEFAULT VALUES;
SELECT attach('TRIGGER keep AFTER UPDATE ON @ FOR EACH ROW', 'UPDATE unfit SET b = 1',
	format('''pin=%s''', attname), 'unfit')
FROM pg_attribute WHERE attrelid = 'unfit'::regclass AND attnum > 0 ORDER BY attnum;
SELECT attach('TRIGGER keep AFTER UPDATE ON @ FOR EACH ROW', 'UPDATE unfit SET b = 1', '', 'unfit');

SET client_min_messages = warning;
DROP SCHEMA keep CASCADE;
DROP ROLE regress_portpin_clerk;
