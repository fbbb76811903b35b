-- Every change of a port PIN is on record, for accounts whose guard keeps history:
-- who did what, and when, but never the PIN.  What changes nothing is not recorded.
CREATE SCHEMA history;
SET search_path = history, public;

-- portpin's settings are known once it has been loaded.
LOAD 'portpin';
SELECT '/tmp/portpin_regress_history_' || pg_backend_pid() AS key_file \gset
\set make_file 'umask 077 && cat > ' :key_file
COPY (SELECT 'k1:' || encode(sha256('k1'), 'base64')) TO PROGRAM :'make_file';
ALTER SYSTEM SET portpin.key_file = :'key_file';
SELECT pg_reload_conf();
\c -
SET search_path = history, public;
SELECT current_user AS me \gset

CREATE VIEW told AS
SELECT event, account_table AS account, account_key AS key
FROM port_pin_history WHERE account_schema = 'history' ORDER BY event_at;

CREATE TABLE accounts (
	id int PRIMARY KEY, name text, pin port_pin,
	locked boolean, locked_until timestamptz);
SELECT port_pin_protect('accounts', lock => 'locked', lock_until => 'locked_until',
	clearable => true, history => true);

--
-- What is told
--
INSERT INTO accounts VALUES (1, 'no PIN'), (2, 'no PIN');
INSERT INTO accounts VALUES (3, 'with PIN', '735517', NULL), (4, 'locked', '735517', true);
UPDATE accounts SET pin = '735517' WHERE id = 1;
UPDATE accounts SET pin = '264838' WHERE id = 1;
UPDATE accounts SET pin = NULL WHERE id = 1;
UPDATE accounts SET locked = true WHERE id = 1;
UPDATE accounts SET locked = false WHERE id = 1;
UPDATE accounts SET locked_until = 'infinity' WHERE id = 2;
UPDATE accounts SET locked_until = '2001-01-01' WHERE id = 2;
UPDATE accounts SET pin = '735517', locked = true WHERE id = 2;
DELETE FROM accounts WHERE id = 3;
SELECT * FROM told;

-- The old PIN is put back in one transaction: all of it is told.
BEGIN;
UPDATE accounts SET pin = '264838' WHERE id = 4;
UPDATE accounts SET pin = '735517' WHERE id = 4;
COMMIT;
SELECT * FROM told OFFSET 13;

-- The stored row decides what is told, whatever the statement and other triggers say.
CREATE FUNCTION another_pin() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	NEW.pin := '998877';
	RETURN NEW;
END $$;
CREATE TRIGGER another_pin BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION another_pin();
UPDATE accounts SET name = 'changed' WHERE id = 4;
DROP TRIGGER another_pin ON accounts;
INSERT INTO accounts VALUES (4, 'upsert', '112299') ON CONFLICT (id) DO UPDATE SET pin = EXCLUDED.pin;
SELECT * FROM told OFFSET 15;

-- Who did it: the role that was set, and the login behind it.
SELECT DISTINCT role_name = :'me' AS role_name, login_name = :'me' AS login_name,
	application_name = current_setting('application_name') AS application_name,
	client_addr IS NOT DISTINCT FROM inet_client_addr() AS client_addr,
	pid = pg_backend_pid() AS pid, order_schema, order_table, order_key
FROM port_pin_history WHERE account_schema = 'history';

-- Times differ, and never go back.
SELECT count(*) = count(DISTINCT event_at) AS one_by_one FROM port_pin_history;

--
-- What is no change
--
DELETE FROM port_pin_history;
UPDATE accounts SET pin = '112299' WHERE id = 4;
UPDATE accounts SET pin = pin, name = 'same';
UPDATE accounts SET locked_until = '2002-02-02' WHERE id = 2;
UPDATE accounts SET locked = NULL WHERE id = 1;
INSERT INTO accounts VALUES (4, 'none', '445566') ON CONFLICT DO NOTHING;
INSERT INTO accounts VALUES (4, 'none', '445566') ON CONFLICT (id) DO UPDATE SET name = 'only';
DELETE FROM accounts WHERE id = 1;
BEGIN;
UPDATE accounts SET pin = '264838' WHERE id = 4;
ROLLBACK;
SELECT * FROM told;
TRUNCATE accounts;

-- Legacy text: blank is blank in any spelling.
CREATE TABLE legacy (id int PRIMARY KEY, pin varchar(10) NOT NULL);
SELECT count(*) > 0 AS guarded FROM port_pin_protect('legacy', pin => 'pin', clearable => true, history => true);
INSERT INTO legacy VALUES (1, ''), (2, '  '), (3, '735517');
UPDATE legacy SET pin = ' ' WHERE id = 1;
UPDATE legacy SET pin = '735517' WHERE id = 2;
UPDATE legacy SET pin = '' WHERE id = 3;
SELECT * FROM told;

--
-- Rows that move between partitions
--
DELETE FROM port_pin_history;
CREATE TABLE customers (region text, id int, pin port_pin, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE customers_east PARTITION OF customers FOR VALUES IN ('east');
CREATE TABLE customers_west (id int NOT NULL, pin port_pin, region text NOT NULL);
ALTER TABLE customers ATTACH PARTITION customers_west FOR VALUES IN ('west');
SELECT count(*) > 0 AS guarded FROM port_pin_protect('customers', history => true);
INSERT INTO customers VALUES ('east', 1, '735517'), ('west', 2, '735517'), ('west', 3, NULL);
UPDATE customers SET region = 'west' WHERE id = 1;
UPDATE customers SET region = 'east', pin = '264838' WHERE id = 2;
UPDATE customers SET region = 'east', pin = '264838' WHERE id = 3;
UPDATE customers SET pin = '735517' WHERE id = 1;
DELETE FROM customers_west;
SELECT * FROM told;
TRUNCATE customers_west;

--
-- Sealed PINs: sealing what is there changes no PIN.
--
DELETE FROM port_pin_history;
SET portpin.seal_cost = 4;
CREATE TABLE sealed (id int PRIMARY KEY, pin port_pin);
INSERT INTO sealed VALUES (1, '735517'), (2, NULL);
ALTER TABLE sealed ALTER pin TYPE port_pin_sealed;
SELECT count(*) > 0 AS guarded FROM port_pin_protect('sealed', history => true);
CALL port_pin_seal_column('sealed');
SELECT id, port_pin_is_sealed(pin) AS sealed FROM sealed ORDER BY id;
SELECT * FROM told;
UPDATE sealed SET pin = '264838' WHERE id = 1;
UPDATE sealed SET pin = '264838';
INSERT INTO sealed VALUES (1, '264838') ON CONFLICT (id) DO UPDATE SET pin = EXCLUDED.pin;
SELECT * FROM told;

-- It contains neither a PIN nor a seal.
SELECT count(*) AS shows_pin FROM port_pin_history h WHERE h::text ~ '735517|264838|sealed:';

--
-- A lock-out that is lifted
--
DELETE FROM port_pin_history;
CREATE TABLE orders (id int PRIMARY KEY, account int REFERENCES accounts, pin port_pin);
SELECT count(*) > 0 AS gated FROM port_pin_gate('orders');
SELECT port_pin_lift_lockout('accounts', 2);
UPDATE accounts SET locked = false;
\set VERBOSITY sqlstate
INSERT INTO orders VALUES (1, 2, '111222');
\set VERBOSITY default
SELECT port_pin_lift_lockout('accounts', 2);
SELECT * FROM told;

--
-- Nobody can forge it, or read it, without a grant; changing accounts needs none.
--
DELETE FROM port_pin_history;
CREATE ROLE regress_portpin_clerk;
GRANT USAGE ON SCHEMA history TO regress_portpin_clerk;
GRANT ALL ON accounts TO regress_portpin_clerk;
SET ROLE regress_portpin_clerk;
UPDATE accounts SET pin = '735517' WHERE id = 4;
UPDATE accounts SET pin = '264838' WHERE id = 4;
INSERT INTO port_pin_history (event_at) VALUES (now());
SELECT * FROM port_pin_history;
DELETE FROM port_pin_history;
SELECT port_pin_purge_history('0');
RESET ROLE;
SELECT event, account_key, role_name, login_name = :'me' AS login_name FROM port_pin_history ORDER BY event_at;
GRANT INSERT, SELECT ON port_pin_history TO regress_portpin_clerk;
SELECT definition, problem FROM port_pin_guards WHERE guard = 'grant' AND relation = 'port_pin_history'::regclass;
REVOKE ALL ON port_pin_history FROM regress_portpin_clerk;

-- Nobody's code runs: no trigger, default, rule or CHECK of the table.
BEGIN;
ALTER TABLE port_pin_history ADD note text DEFAULT 'x', ADD CHECK (note IS NOT NULL);
CREATE FUNCTION boo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	RAISE EXCEPTION 'user code';
END $$;
CREATE TRIGGER boo BEFORE INSERT ON port_pin_history FOR EACH ROW EXECUTE FUNCTION boo();
CREATE RULE nothing AS ON INSERT TO port_pin_history DO INSTEAD NOTHING;
UPDATE accounts SET pin = '735517' WHERE id = 4;
SELECT event, note FROM port_pin_history ORDER BY event_at DESC LIMIT 1;
ROLLBACK;
-- A column that nothing fills must allow NULL.
BEGIN;
ALTER TABLE port_pin_history ADD note text NOT NULL DEFAULT 'x';
UPDATE accounts SET pin = '735517' WHERE id = 4;
ROLLBACK;

--
-- Purged by age, and by key
--
SELECT port_pin_purge_history('1 day');
UPDATE port_pin_history SET event_at = event_at - interval '2 days'
WHERE event_at = (SELECT min(event_at) FROM port_pin_history);
SELECT port_pin_purge_history('1 day');
SELECT port_pin_purge_history(NULL);
DELETE FROM port_pin_history
WHERE account_schema = 'history' AND account_table = 'accounts' AND account_key = '{4}';
SELECT * FROM told;

--
-- What history requires, and a guard without it
--
CREATE TABLE no_key (id int, pin port_pin);
SELECT port_pin_protect('no_key', history => true);
CREATE TABLE no_pin (id int PRIMARY KEY, locked boolean);
SELECT port_pin_protect('no_pin', lock => 'locked', history => true);
SELECT port_pin_protect('accounts', lock => 'locked', replace => true);
SELECT tgname FROM pg_trigger WHERE tgrelid = 'accounts'::regclass AND NOT tgisinternal ORDER BY 1;
UPDATE accounts SET pin = '445566' WHERE id = 4;
SELECT * FROM told;

-- What is missing, or no longer works, is noticed.
DROP TRIGGER port_pin_protect_delete ON sealed;
SELECT problem FROM port_pin_guards WHERE relation = 'sealed'::regclass;
ALTER TABLE sealed DROP CONSTRAINT sealed_pkey;
UPDATE sealed SET pin = '445566' WHERE id = 1;

SET client_min_messages = warning;
DROP SCHEMA history CASCADE;
DROP ROLE regress_portpin_clerk;
DELETE FROM port_pin_failures;
ALTER SYSTEM RESET portpin.key_file;
SELECT pg_reload_conf();
\set remove_file 'cat > /dev/null && rm ' :key_file
COPY (SELECT) TO PROGRAM :'remove_file';
