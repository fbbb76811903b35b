-- A sealed column: existing SQL goes on working, and digits are never stored.
CREATE SCHEMA seal_column;
SET search_path = seal_column, public;

-- portpin's settings are known once it has been loaded.
LOAD 'portpin';
SELECT '/tmp/portpin_regress_seal_column_' || pg_backend_pid() AS key_file \gset
\set make_file 'umask 077 && cat > ' :key_file
COPY (SELECT 'k1:' || encode(sha256('k1'), 'base64')) TO PROGRAM :'make_file';
ALTER SYSTEM SET portpin.key_file = :'key_file';
SELECT pg_reload_conf();
\c -
SET search_path = seal_column, public;

-- The type of the column says that it is sealed; port_pin_protect() does the rest.
CREATE TABLE accounts (
	id int PRIMARY KEY,
	name text,
	port_out_pin port_pin_sealed
);
CREATE TABLE port_orders (
	id int PRIMARY KEY,
	account int REFERENCES accounts,
	pin port_pin
);
SELECT port_pin_protect('accounts');
SELECT port_pin_gate('port_orders');

-- An application writes digits, as it did before.
INSERT INTO accounts VALUES (1, 'Contoso', '004211'), (2, 'Fabrikam', NULL), (3, 'Litware', '');
UPDATE accounts SET port_out_pin = '123456' WHERE id = 2;
COPY accounts FROM stdin;
4	Northwind	654321
\.
SELECT id, port_pin_sealed_with(port_out_pin) AS sealed_with, port_out_pin IS NULL AS blank
FROM accounts ORDER BY id;
SELECT count(*) AS readable FROM accounts WHERE port_out_pin ~ '004211|123456|654321';

-- What is no PIN is refused, before it is sealed.
UPDATE accounts SET port_out_pin = '12345' WHERE id = 1;
INSERT INTO accounts VALUES (5, NULL, '12345678901');

-- Orders are judged as ever, and refused in the same words.
INSERT INTO port_orders VALUES (1, 1, '004211');
INSERT INTO port_orders VALUES (2, 1, '004212');
INSERT INTO port_orders VALUES (2, 1, NULL);
INSERT INTO port_orders VALUES (2, 3, '004211');
INSERT INTO port_orders VALUES (2, NULL, '004211');
UPDATE accounts SET port_out_pin = '815815' WHERE id = 1;
INSERT INTO port_orders VALUES (2, 1, '004211');
INSERT INTO port_orders VALUES (2, 1, '815815');

-- A sealed PIN is kept like any other: neither NULL nor '' clears it.
UPDATE accounts SET port_out_pin = NULL WHERE id = 1;
UPDATE accounts SET port_out_pin = '' WHERE id = 1;

-- Other columns change without the PIN being sealed anew.
CREATE TABLE before AS TABLE accounts;
UPDATE accounts SET name = upper(name);
UPDATE accounts SET port_out_pin = port_out_pin, name = lower(name);
SELECT count(*) AS unchanged FROM accounts JOIN before USING (id, port_out_pin);

-- A second PIN by way of ON CONFLICT or MERGE is sealed once.
INSERT INTO accounts VALUES (1, 'Contoso', '111222'), (6, 'Tailspin', '666777')
	ON CONFLICT (id) DO UPDATE SET port_out_pin = EXCLUDED.port_out_pin;
MERGE INTO accounts USING (VALUES (4, '444555')) v (id, pin) ON accounts.id = v.id
	WHEN MATCHED THEN UPDATE SET port_out_pin = v.pin;
SELECT id, port_pin_check(port_out_pin, '111222'), port_pin_check(port_out_pin, '444555')
FROM accounts WHERE id IN (1, 4) ORDER BY id;

--
-- A sealed PIN from elsewhere.  A role that could copy one to an account of its own
-- could guess there, uncounted.
--
CREATE ROLE regress_portpin_clerk;
GRANT USAGE ON SCHEMA seal_column TO regress_portpin_clerk;
GRANT SELECT, INSERT, UPDATE, DELETE ON accounts TO regress_portpin_clerk;
SET ROLE regress_portpin_clerk;
UPDATE accounts SET port_out_pin = '222333' WHERE id = 2;
INSERT INTO accounts VALUES (2, 'Fabrikam', '222444')
	ON CONFLICT (id) DO UPDATE SET port_out_pin = EXCLUDED.port_out_pin;
INSERT INTO accounts SELECT 7, 'mine', port_out_pin FROM accounts WHERE id = 1;
UPDATE accounts SET port_out_pin = (SELECT port_out_pin FROM accounts WHERE id = 1) WHERE id = 2;
WITH gone AS (DELETE FROM accounts WHERE id = 6 RETURNING port_out_pin)
	INSERT INTO accounts SELECT 7, 'mine', port_out_pin FROM gone;
RESET ROLE;
SELECT port_pin_check(port_out_pin, '222444') FROM accounts WHERE id = 2;

-- The owner may copy one, as a restore does, but not one that nobody could compare.
INSERT INTO accounts SELECT 8, 'copy', port_out_pin FROM accounts WHERE id = 1;
SELECT port_pin_check(port_out_pin, '111222') FROM accounts WHERE id = 8;
UPDATE accounts SET port_out_pin = regexp_replace(port_out_pin, ':k1[.]\w{16}:', ':k2.0123456789abcdef:') WHERE id = 8;
UPDATE accounts SET port_out_pin = left(port_out_pin, -1) WHERE id = 8;
UPDATE accounts SET port_out_pin = right(port_out_pin, 60) WHERE id = 8;

--
-- Even without the trigger nothing readable is stored, and no message shows the
-- row: the CHECK itself raises the error.
--
ALTER TABLE accounts DISABLE TRIGGER USER;
\set SHOW_CONTEXT always
INSERT INTO accounts VALUES (9, 'Adatum', '999888');
COPY accounts FROM stdin;
9	Adatum	999888
\.
ALTER TABLE accounts ENABLE TRIGGER USER;
-- A trigger that sorts behind ours is no way around it, either.
CREATE FUNCTION write_digits() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN NEW.port_out_pin := '999888'; RETURN NEW; END $$;
CREATE TRIGGER z BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION write_digits();
UPDATE accounts SET name = 'x' WHERE id = 1;
DROP TRIGGER z ON accounts;
-- A bad row in a COPY: no PIN in the context.
COPY accounts FROM stdin;
9	Adatum	9998887776665
\.
\set SHOW_CONTEXT errors

-- The statistics of the table have no sample of the column.
ANALYZE accounts;
SELECT attname FROM pg_stats WHERE schemaname = 'seal_column' AND tablename = 'accounts'
ORDER BY 1;

--
-- Partitions: a row that moves keeps its sealed PIN, no matter which role moves it
--
CREATE TABLE regional (id int, region text, pin port_pin_sealed, PRIMARY KEY (id, region))
	PARTITION BY LIST (region);
CREATE TABLE east PARTITION OF regional FOR VALUES IN ('east');
CREATE TABLE west (pin port_pin_sealed, region text NOT NULL, id int NOT NULL);
ALTER TABLE regional ATTACH PARTITION west FOR VALUES IN ('west');
SELECT count(*) FROM port_pin_protect('regional');
INSERT INTO regional VALUES (1, 'east', '111111'), (2, 'east', '222222');
GRANT SELECT, INSERT, UPDATE ON regional TO regress_portpin_clerk;
SET ROLE regress_portpin_clerk;
UPDATE regional SET region = 'west' WHERE id = 1;
UPDATE regional SET region = 'west', pin = '333333' WHERE id = 2;
-- Moving one is no way to copy it.
WITH moved AS (UPDATE regional SET region = 'east' WHERE id = 1 RETURNING pin)
	INSERT INTO regional SELECT 9, 'east', pin FROM moved;
BEGIN;
UPDATE regional SET region = 'east' WHERE id = 1;
INSERT INTO regional SELECT 9, 'east', pin FROM regional WHERE id = 1;
ROLLBACK;
RESET ROLE;
SELECT tableoid::regclass, id, port_pin_check(pin, '111111'), port_pin_check(pin, '333333')
FROM regional ORDER BY id;

-- Two sealed columns: each trigger knows the row that moves, and it alone.
CREATE TABLE paired (id int, region text, pin port_pin_sealed, pin2 port_pin_sealed)
	PARTITION BY LIST (region);
CREATE TABLE paired_e PARTITION OF paired FOR VALUES IN ('east');
CREATE TABLE paired_w PARTITION OF paired FOR VALUES IN ('west');
SELECT count(*) FROM port_pin_protect('paired', 'pin');
SELECT count(*) FROM port_pin_protect('paired', 'pin2');
INSERT INTO paired VALUES (1, 'east', '111111', '222222'), (2, 'east', NULL, '444444');
GRANT SELECT, INSERT, UPDATE ON paired TO regress_portpin_clerk;
SET ROLE regress_portpin_clerk;
UPDATE paired SET region = 'west';
UPDATE paired SET region = 'east', pin2 = '333333' WHERE id = 1;
WITH moved AS (UPDATE paired SET region = 'east' WHERE id = 2 RETURNING pin2)
	INSERT INTO paired SELECT 9, 'east', NULL, pin2 FROM moved;
WITH moved AS (UPDATE paired SET region = 'east' WHERE id = 2 RETURNING pin2)
	INSERT INTO paired SELECT 9, 'west', NULL, pin2 FROM moved;
BEGIN;
UPDATE paired SET region = 'west' WHERE id = 1;
INSERT INTO paired SELECT 9, 'west', NULL, pin2 FROM paired WHERE id = 1;
ROLLBACK;
RESET ROLE;
SELECT tableoid::regclass, id, port_pin_check(pin, '111111'), port_pin_check(pin2, '333333'),
	port_pin_check(pin2, '444444')
FROM paired ORDER BY id;

--
-- The trigger alone: where it can't work it says so, and changes no row
--
CREATE TABLE plain (id int, pin port_pin, note port_pin_sealed);
CREATE TRIGGER seal BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION port_pin_seal_trigger();
INSERT INTO plain VALUES (1, '123456', NULL);
DROP TRIGGER seal ON plain;
CREATE TRIGGER seal BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION port_pin_seal_trigger('pin=pin');
INSERT INTO plain VALUES (1, '123456', NULL);
DROP TRIGGER seal ON plain;
CREATE TRIGGER seal AFTER INSERT ON plain FOR EACH ROW EXECUTE FUNCTION port_pin_seal_trigger('pin=note');
INSERT INTO plain VALUES (1, '123456', NULL);
DROP TRIGGER seal ON plain;
CREATE TRIGGER seal BEFORE INSERT ON plain EXECUTE FUNCTION port_pin_seal_trigger('pin=note');
INSERT INTO plain VALUES (1, '123456', NULL);
DROP TRIGGER seal ON plain;
CREATE TRIGGER seal BEFORE INSERT ON plain FOR EACH ROW EXECUTE FUNCTION port_pin_seal_trigger('column=note');
INSERT INTO plain VALUES (1, '123456', NULL);
TABLE plain;

-- A domain over the type may ask for more: of the digits, before they are sealed.
CREATE DOMAIN strong_pin AS port_pin_sealed CHECK (NOT port_pin_is_weak(VALUE));
CREATE TABLE strong (id int PRIMARY KEY, pin strong_pin);
SELECT count(*) FROM port_pin_protect('strong');
INSERT INTO strong VALUES (1, '111111');
INSERT INTO strong VALUES (1, '004211');
SELECT port_pin_check(pin, '004211') FROM strong;
-- What is stored must be of the domain, too.
CREATE DOMAIN short_pin AS port_pin_sealed CHECK (length(VALUE) < 11);
CREATE TABLE short (id int PRIMARY KEY, pin short_pin);
SELECT count(*) FROM port_pin_protect('short');
INSERT INTO short VALUES (1, '004211');

-- A table may have two sealed columns.
CREATE TABLE two (id int PRIMARY KEY, pin port_pin_sealed, "Second PIN" port_pin_sealed);
-- Until they are protected, the view of all guards lists them.
SELECT pin_column, guard, enabled FROM port_pin_guards
WHERE relation = 'two'::regclass ORDER BY pin_column COLLATE "C";
SELECT count(*) FROM port_pin_protect('two', 'pin');
SELECT * FROM port_pin_protect('two', '"Second PIN"');
INSERT INTO two VALUES (1, '111222', '333444');
UPDATE two SET "Second PIN" = '555666';
SELECT port_pin_check(pin, '111222'), port_pin_check("Second PIN", '555666') FROM two;
UPDATE two SET "Second PIN" = NULL;
GRANT SELECT, INSERT, UPDATE ON two TO regress_portpin_clerk;
SET ROLE regress_portpin_clerk;
INSERT INTO two VALUES (1, '777888', '999000')
	ON CONFLICT (id) DO UPDATE SET pin = EXCLUDED.pin, "Second PIN" = EXCLUDED."Second PIN";
RESET ROLE;
-- Completing half a guard leaves the CHECK alone, which is still there.
DROP TRIGGER port_pin_seal ON two;
DROP TRIGGER port_pin_protect ON two;
SELECT * FROM port_pin_protect('two', 'pin', replace => true);
SELECT pin_column, guard, enabled, problem FROM port_pin_guards
WHERE relation = 'two'::regclass ORDER BY pin_column COLLATE "C";

-- Clean up
DROP OWNED BY regress_portpin_clerk;
DROP ROLE regress_portpin_clerk;
\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA seal_column CASCADE;
\set remove_file 'cat > /dev/null && rm ' :key_file
COPY (SELECT) TO PROGRAM :'remove_file';
ALTER SYSTEM RESET portpin.key_file;
SELECT pg_reload_conf();
