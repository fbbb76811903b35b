-- Promise: the age of a sealed port PIN is that of its digits, and new digits are judged
-- before they are sealed.
--
-- Two seals of one PIN differ, so the trigger that seals looks at the digits: those that
-- the row has already keep their seal.
CREATE SCHEMA sealed_age;
SET search_path = sealed_age, public;

LOAD 'portpin';
SELECT '/tmp/portpin_regress_sealed_age_' || pg_backend_pid() AS key_file \gset
\set make_file 'umask 077 && cat > ' :key_file
COPY (SELECT 'k1:' || encode(sha256('k1'), 'base64')) TO PROGRAM :'make_file';
ALTER SYSTEM SET portpin.key_file = :'key_file';
SELECT pg_reload_conf();
\c -
SET search_path = sealed_age, public;

CREATE TABLE marks (at timestamptz);
INSERT INTO marks VALUES (clock_timestamp());
CREATE FUNCTION mark() RETURNS void LANGUAGE sql AS 'UPDATE sealed_age.marks SET at = clock_timestamp()';
CREATE FUNCTION shown(stamp timestamptz) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN stamp BETWEEN at AND clock_timestamp() THEN 'now'
		WHEN stamp < at THEN 'before' WHEN stamp IS NULL THEN '-' ELSE stamp::text END FROM sealed_age.marks $$;

-- Rows from before: readable ones, which are sealed over time.
CREATE TABLE accounts (id int PRIMARY KEY, phone text, pin port_pin, at timestamptz);
INSERT INTO accounts VALUES (1, '202-555-0181', '550181', '2001-01-01'), (2, '202-555-0182', '730461', NULL), (3, '202-555-0183', NULL, NULL);
ALTER TABLE accounts ALTER pin TYPE port_pin_sealed;
SELECT port_pin_protect('accounts', changed => 'at', unlike => 'phone', forbid_weak => true);
UPDATE accounts SET pin = '730462' WHERE id = 2;
CALL port_pin_seal_column('accounts');
CREATE VIEW shown AS SELECT id, port_pin_is_sealed(pin::text) AS sealed, shown(at) FROM accounts ORDER BY id;
TABLE shown;
SELECT id, port_pin_check(pin, '550181') AS a, port_pin_check(pin, '730462') AS b FROM accounts ORDER BY id;

-- The same digits keep seal and age: by UPDATE, MERGE and upsert, of several rows at once.
CREATE TABLE seals AS SELECT id, pin::text AS seal FROM accounts;
SELECT mark();
UPDATE accounts SET pin = '550181', at = now() WHERE id = 1;
UPDATE accounts SET pin = pin WHERE id = 2;
INSERT INTO accounts VALUES (1, 'x', '550181'), (2, 'x', '730462'), (3, 'x', '828451')
	ON CONFLICT (id) DO UPDATE SET pin = EXCLUDED.pin;
MERGE INTO accounts a USING (VALUES (1, '550181'), (2, '730462')) AS v (id, pin) ON v.id = a.id
	WHEN MATCHED THEN UPDATE SET pin = v.pin WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'x', v.pin);
TABLE shown;
SELECT id, pin::text IS NOT DISTINCT FROM seal AS same_seal FROM accounts JOIN seals USING (id) ORDER BY id;

-- Other digits don't.
SELECT mark();
UPDATE accounts SET pin = '739461' WHERE id = 1;
INSERT INTO accounts VALUES (2, 'x', '739462') ON CONFLICT (id) DO UPDATE SET pin = EXCLUDED.pin;
INSERT INTO accounts VALUES (4, '202-555-0184', '739464', '2001-01-01');
TABLE shown;
SELECT id, port_pin_check(pin, '739461') AS a, port_pin_check(pin, '739462') AS b FROM accounts WHERE id < 3 ORDER BY id;

-- An upsert in a trigger on the way disturbs neither.
CREATE TABLE copies (id int PRIMARY KEY, pin port_pin_sealed, at timestamptz);
SELECT count(*) FROM port_pin_protect('copies', changed => 'at');
CREATE FUNCTION copy_along() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO sealed_age.copies VALUES (NEW.id, '919283') ON CONFLICT (id) DO UPDATE SET pin = EXCLUDED.pin;
	RETURN NEW;
END $$;
CREATE TRIGGER q_copy BEFORE INSERT OR UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION copy_along();
INSERT INTO accounts VALUES (2, 'x', '739462') ON CONFLICT (id) DO UPDATE SET pin = EXCLUDED.pin;
SELECT mark();
INSERT INTO accounts VALUES (2, 'x', '739462') ON CONFLICT (id) DO UPDATE SET pin = EXCLUDED.pin;
SELECT shown(a.at) AS account, shown(c.at) AS copy FROM accounts a JOIN copies c USING (id) WHERE id = 2;
DROP TRIGGER q_copy ON accounts;

-- New digits are judged, and the error shows nothing of the PIN.
DO $$
DECLARE t text; c text; guess text;
BEGIN
	FOREACH guess IN ARRAY '{654321,550181}'::text[] LOOP
		BEGIN
			UPDATE sealed_age.accounts SET pin = guess WHERE id = 1;
		EXCEPTION WHEN check_violation THEN
			GET STACKED DIAGNOSTICS t = TABLE_NAME, c = COLUMN_NAME;
			RAISE NOTICE '% (table %, column %)', SQLERRM, t, c;
		END;
	END LOOP;
END $$;
INSERT INTO accounts VALUES (5, '202-555-0185', '550185');
INSERT INTO accounts VALUES (5, '202-555-0185', '000000');
-- An upsert is judged as the INSERT that it begins as, too, and so may not repeat such a PIN.
INSERT INTO accounts VALUES (1, '202-555-0181', '550181') ON CONFLICT (id) DO UPDATE SET pin = EXCLUDED.pin;
INSERT INTO accounts VALUES (1, 'x', '939461') ON CONFLICT (id) DO UPDATE SET pin = '123456';
-- So is the row that it updates, whose phone is not that of the INSERT.
INSERT INTO accounts VALUES (1, 'x', '550181') ON CONFLICT (id) DO UPDATE SET pin = EXCLUDED.pin;
-- No seal gets there from another row, except by the owner, who may copy seals.
CREATE ROLE regress_portpin_clerk;
GRANT USAGE ON SCHEMA sealed_age TO regress_portpin_clerk;
GRANT SELECT, UPDATE ON accounts TO regress_portpin_clerk;
SET ROLE regress_portpin_clerk;
WITH a AS (UPDATE accounts SET pin = '550181' WHERE id = 2 RETURNING pin)
UPDATE accounts SET pin = a.pin FROM a WHERE id = 1;
RESET ROLE;
COPY accounts (id, phone, pin) FROM stdin;
5	202-555-0185	550185
\.

-- Row movement keeps seal and age.
CREATE TABLE moving (region text, id int, pin port_pin_sealed, at timestamptz) PARTITION BY LIST (region);
CREATE TABLE moving_east PARTITION OF moving FOR VALUES IN ('east');
CREATE TABLE moving_west (at timestamptz, junk int, pin port_pin_sealed, id int, region text);
ALTER TABLE moving_west DROP junk;
ALTER TABLE moving ATTACH PARTITION moving_west FOR VALUES IN ('west');
SELECT count(*) FROM port_pin_protect('moving', changed => 'at', forbid_weak => true);
INSERT INTO moving VALUES ('east', 1, '739461'), ('east', 2, '739462'), ('east', 3, '739463');
SELECT mark();
UPDATE moving SET region = 'west' WHERE id = 1;
UPDATE moving SET region = 'west', pin = '739462' WHERE id = 2;
UPDATE moving SET region = 'west', pin = '839463' WHERE id = 3;
SELECT id, tableoid::regclass, shown(at), port_pin_check(pin, CASE id WHEN 3 THEN '839463' ELSE '73946' || id END) FROM moving ORDER BY id;
UPDATE moving SET region = 'east', pin = '123456';

-- A trigger finds its rules again when the catalogs change, and frees what it had found.
CREATE TABLE many (id int, pin port_pin_sealed, at timestamptz);
SELECT count(*) FROM port_pin_protect('many', changed => 'at');
INSERT INTO many SELECT generate_series(1, 200);
CREATE FUNCTION change_catalogs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	ALTER ROLE regress_portpin_clerk CONNECTION LIMIT 1;
	IF NEW.id = 200 THEN
		RAISE NOTICE 'not too much: %', (SELECT sum(total_bytes) < 1024 * 1024 FROM pg_backend_memory_contexts
			WHERE name IN ('ExecutorState', 'trigger of portpin'));
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER change_catalogs BEFORE UPDATE ON many FOR EACH ROW EXECUTE FUNCTION change_catalogs();
UPDATE many SET id = id;

-- A gate refuses a sealed PIN that is too new like any other, in the time of a hash.
CREATE TABLE port_orders (id int GENERATED ALWAYS AS IDENTITY, account int REFERENCES accounts, pin port_pin);
SELECT count(*) FROM port_pin_gate('port_orders');
SELECT count(*) FROM port_pin_protect('accounts', changed => 'at', min_age => '1 day', replace => true);
\set VERBOSITY sqlstate
INSERT INTO port_orders (account, pin) VALUES (1, '739461');
INSERT INTO port_orders (account, pin) VALUES (1, '999999');
INSERT INTO port_orders (account, pin) VALUES (1, NULL);
\set VERBOSITY default

-- Where the key of a seal is lost, nobody can say whether digits are the same: they are
-- taken for new, so that the customer can set them.
COPY (SELECT 'k2:' || encode(sha256('k2'), 'base64')) TO PROGRAM :'make_file';
SELECT pg_reload_conf();
\c -
SET search_path = sealed_age, public;
SELECT mark();
UPDATE accounts SET pin = '739461' WHERE id = 1;
SELECT shown(at), port_pin_check(pin, '739461') FROM accounts WHERE id = 1;

-- unlike is checked before columns are generated.
ALTER TABLE accounts ADD digits text GENERATED ALWAYS AS (phone) STORED;
SELECT port_pin_protect('accounts', unlike => 'digits', replace => true);

-- Clean up
SET client_min_messages = warning;
DROP SCHEMA sealed_age CASCADE;
DROP ROLE regress_portpin_clerk;
\set remove_file 'cat > /dev/null && rm ' :key_file
COPY (SELECT) TO PROGRAM :'remove_file';
ALTER SYSTEM RESET portpin.key_file;
SELECT pg_reload_conf();
