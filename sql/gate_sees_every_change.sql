-- What a gate found in the catalogs serves the statements that follow, too: orders
-- that are placed one by one are judged as fast as those of one statement.  Whatever
-- happens between two statements, or within one, the gate judges by what is there.
-- (What other sessions change meanwhile: test/specs/gate_sees_catalog_change.spec.)
CREATE SCHEMA statements;
SET search_path = statements, public;
SET client_min_messages = warning;
SET portpin.max_failures_per_account = 0; -- how wrong PINs are counted: failure_outlives_rollback.sql

CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin, frozen boolean);
INSERT INTO accounts VALUES (1, '735517', false), (2, '004211', true);
SELECT count(*) FROM port_pin_protect('accounts');
CREATE TABLE port_orders (account int REFERENCES accounts, pin text);
SELECT count(*) FROM port_pin_gate('port_orders', pin => 'pin');

-- One after the other: accepted, refused, and accepted again.
INSERT INTO port_orders VALUES (1, '735517');
INSERT INTO port_orders VALUES (1, '735518');
INSERT INTO port_orders VALUES (2, '004211');
UPDATE port_orders SET pin = '004212' WHERE account = 2;
UPDATE port_orders SET pin = '004211', account = 2 WHERE account = 1;
INSERT INTO port_orders VALUES (2, '735517');

-- What the guard of the accounts says changes, in a savepoint that is rolled back.
BEGIN;
SAVEPOINT before;
SELECT count(*) FROM port_pin_protect('accounts', lock => 'frozen', replace => true);
SAVEPOINT replaced;
INSERT INTO port_orders VALUES (2, '004211');
ROLLBACK TO replaced;
INSERT INTO port_orders VALUES (1, '735517');
DROP TRIGGER port_pin_protect ON accounts;
INSERT INTO port_orders VALUES (1, '735517');
ROLLBACK TO before;
INSERT INTO port_orders VALUES (2, '004211');
ALTER TABLE accounts ADD old_pin port_pin;
INSERT INTO port_orders VALUES (1, '735517');
ROLLBACK;
INSERT INTO port_orders VALUES (2, '004211');

-- So do columns.
CREATE TABLE two_pins (id int PRIMARY KEY, pin text, other_pin text);
INSERT INTO two_pins VALUES (1, '735517', '111222');
SELECT count(*) FROM port_pin_protect('two_pins', pin => 'pin');
CREATE TABLE renamed_orders (account int REFERENCES two_pins, pin text);
SELECT count(*) FROM port_pin_gate('renamed_orders', pin => 'pin');
INSERT INTO renamed_orders VALUES (1, '735517');
BEGIN;
SAVEPOINT before;
ALTER TABLE two_pins RENAME pin TO new_pin;
ALTER TABLE two_pins RENAME other_pin TO pin;
INSERT INTO renamed_orders VALUES (1, '111222');
SAVEPOINT renamed;
INSERT INTO renamed_orders VALUES (1, '735517');
ROLLBACK TO renamed;
INSERT INTO renamed_orders VALUES (1, '111222');
ROLLBACK TO before;
INSERT INTO renamed_orders VALUES (1, '735517');
INSERT INTO renamed_orders VALUES (1, '111222');
ROLLBACK;
INSERT INTO renamed_orders VALUES (1, '735517');

-- The catalogs change in the middle of a statement: the orders that follow go by it.
CREATE FUNCTION swap_pins(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	ALTER TABLE two_pins RENAME pin TO swapping;
	ALTER TABLE two_pins RENAME other_pin TO pin;
	ALTER TABLE two_pins RENAME swapping TO other_pin;
	RETURN n;
END $$;
CREATE TABLE swapped_orders (n int, account int REFERENCES two_pins, pin text, verdict port_pin_verdict);
SELECT count(*) FROM port_pin_gate('swapped_orders', pin => 'pin', verdict => 'verdict');
INSERT INTO swapped_orders
	SELECT CASE n % 3 WHEN 0 THEN swap_pins(n) ELSE n END, 1, '735517' FROM generate_series(1, 7) n;
SELECT n, verdict FROM swapped_orders ORDER BY n;

CREATE TABLE orders_with_verdict (n int, account int REFERENCES accounts, pin text, verdict port_pin_verdict);
SELECT count(*) FROM port_pin_gate('orders_with_verdict', pin => 'pin', verdict => 'verdict');

-- An order within an order: by a trigger, to the same table.
CREATE FUNCTION place_another() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.account = 1 AND pg_trigger_depth() < 4 THEN
		INSERT INTO orders_with_verdict (n, account, pin) VALUES (NEW.n + 1, 1, '735517'), (NEW.n + 10, 2, NEW.pin);
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER another BEFORE INSERT ON orders_with_verdict FOR EACH ROW EXECUTE FUNCTION place_another();
CREATE TRIGGER another_after AFTER INSERT ON orders_with_verdict FOR EACH ROW EXECUTE FUNCTION place_another();
INSERT INTO orders_with_verdict (n, account, pin) VALUES (1, 1, '735517'), (2, 2, '004211');
SELECT account, verdict, count(*) FROM orders_with_verdict GROUP BY 1, 2 ORDER BY 1, 2;
DROP TABLE orders_with_verdict;

-- An error while an order is judged.
CREATE TABLE scoped_orders (account int REFERENCES accounts, pin text, states int,
	ours boolean GENERATED ALWAYS AS (50 / states > 0) STORED, verdict port_pin_verdict);
SELECT count(*) FROM port_pin_gate('scoped_orders', pin => 'pin', scope => 'ours', verdict => 'verdict');
INSERT INTO scoped_orders VALUES (1, '735517', 1);
INSERT INTO scoped_orders VALUES (1, '735517', 0);
INSERT INTO scoped_orders VALUES (1, '735517', 51), (1, '735518', 1), (1, '735517', 50);
TABLE scoped_orders;

-- An error while the account is read: its PIN was sealed with a key that is not there.
CREATE TABLE legacy_accounts (id int PRIMARY KEY, pin text);
INSERT INTO legacy_accounts VALUES (1, '735517'),
	(2, 'sealed:v1:gone.0123456789abcdef:$2a$05$abcdefghijklmnopqrstuuU6td1MfcSfT4Yd/3o2C1ZQbN1fnNSSy');
SELECT count(*) FROM port_pin_protect('legacy_accounts', pin => 'pin');
CREATE TABLE legacy_orders (account int REFERENCES legacy_accounts, pin text);
SELECT count(*) FROM port_pin_gate('legacy_orders', pin => 'pin');
\set VERBOSITY sqlstate
INSERT INTO legacy_orders VALUES (1, '735517');
INSERT INTO legacy_orders VALUES (2, '735517');
INSERT INTO legacy_orders VALUES (1, '735517');
INSERT INTO legacy_orders VALUES (1, '735518');
INSERT INTO legacy_orders VALUES (1, '735517'), (2, '735517');
INSERT INTO legacy_orders VALUES (1, '735517'), (1, '735517');
\set VERBOSITY default

-- A key that is cast by a user's function: what that does depends on more than the
-- catalogs, so the gate starts afresh with each statement.
CREATE SCHEMA east;
CREATE SCHEMA west;
CREATE TABLE east.codes AS SELECT 'capital' AS code, 1 AS id;
CREATE TABLE west.codes AS SELECT 'capital' AS code, 2 AS id;
CREATE TYPE place AS ENUM ('capital');
SET check_function_bodies = off;
CREATE FUNCTION account_of(place) RETURNS int LANGUAGE sql STABLE AS 'SELECT id FROM codes WHERE code = $1::text';
CREATE CAST (place AS int) WITH FUNCTION account_of(place) AS IMPLICIT;
SET search_path = statements, public, east;
CREATE TABLE orders_of_places (account place REFERENCES accounts, pin text);
CREATE TRIGGER gate AFTER INSERT ON orders_of_places FOR EACH ROW
	EXECUTE FUNCTION port_pin_gate_trigger('pin=pin');
BEGIN;
INSERT INTO orders_of_places VALUES ('capital', '735517');
SET LOCAL search_path = statements, public, west;
SAVEPOINT west;
INSERT INTO orders_of_places VALUES ('capital', '735517');
ROLLBACK TO west;
INSERT INTO orders_of_places VALUES ('capital', '004211');
ROLLBACK;
SET search_path = statements, public;
DROP SCHEMA east, west CASCADE;

-- Many tables of orders, each with a gate of its own.
DO $$
BEGIN
	FOR i IN 1 .. 40 LOOP
		EXECUTE format('CREATE TABLE orders_%s (account int REFERENCES accounts, pin text)', i);
		PERFORM port_pin_gate(format('orders_%s', i)::regclass, pin => 'pin');
	END LOOP;
END $$;
CREATE FUNCTION place(i int, pin text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('INSERT INTO orders_%s VALUES (1, $1)', i) USING pin;
	RETURN 'accepted';
EXCEPTION WHEN integrity_constraint_violation THEN
	RETURN sqlstate;
END $$;
SELECT pin, place(1 + n % 40, pin), count(*)
	FROM generate_series(1, 200) n, unnest('{735517,735518}'::text[]) pin GROUP BY 1, 2 ORDER BY 1, 2;

-- More gates than are kept: each trigger that is created anew is another one.  What
-- statements used of them is kept for a few only.
CREATE TABLE regated_orders (account int REFERENCES accounts, pin text);
DO $$
BEGIN
	FOR i IN 1 .. 1100 LOOP
		CREATE TRIGGER gate AFTER INSERT ON regated_orders FOR EACH ROW
			EXECUTE FUNCTION port_pin_gate_trigger('pin=pin');
		INSERT INTO regated_orders VALUES (1, '735517');
		DROP TRIGGER gate ON regated_orders;
	END LOOP;
END $$;
SELECT sum(total_bytes) < 8 * 1024 * 1024 AS not_too_much FROM pg_backend_memory_contexts
	WHERE name IN ('gates of portpin', 'port_pin_gate_trigger', 'scan for a port PIN');
SELECT pin, place(1 + n % 40, pin), count(*)
	FROM generate_series(1, 200) n, unnest('{735517,735518}'::text[]) pin GROUP BY 1, 2 ORDER BY 1, 2;

-- A table that is dropped, and created again with other columns under the same name.
DROP TABLE orders_1;
CREATE TABLE orders_1 (pin text, spare text, account int REFERENCES accounts);
SELECT count(*) FROM port_pin_gate('orders_1', pin => 'pin');
INSERT INTO orders_1 VALUES ('735518', '735517', 1);
INSERT INTO orders_1 VALUES ('735517', '735518', 1);

-- Accounts that move to other partitions, which come and go.
CREATE TABLE parts (id int PRIMARY KEY, pin port_pin) PARTITION BY RANGE (id);
SELECT count(*) FROM port_pin_protect('parts');
CREATE TABLE low PARTITION OF parts FOR VALUES FROM (1) TO (10);
CREATE TABLE high PARTITION OF parts FOR VALUES FROM (10) TO (20);
INSERT INTO parts VALUES (1, '735517'), (11, '004211');
CREATE TABLE orders_of_parts (account int, pin text);
ALTER TABLE orders_of_parts ADD FOREIGN KEY (account) REFERENCES parts;
SELECT count(*) FROM port_pin_gate('orders_of_parts', pin => 'pin');
INSERT INTO orders_of_parts VALUES (1, '735517');
INSERT INTO orders_of_parts VALUES (11, '004211');
TRUNCATE orders_of_parts;
ALTER TABLE parts DETACH PARTITION high;
CREATE TABLE other_high (nothing int, pin port_pin, id int NOT NULL);
ALTER TABLE other_high DROP nothing;
INSERT INTO other_high VALUES ('111222', 11);
ALTER TABLE parts ATTACH PARTITION other_high FOR VALUES FROM (10) TO (20);
INSERT INTO orders_of_parts VALUES (11, '004211');
INSERT INTO orders_of_parts VALUES (11, '111222');
INSERT INTO orders_of_parts VALUES (1, '735517');
DROP TABLE low CASCADE;
INSERT INTO orders_of_parts VALUES (1, '735517');

-- The session starts afresh.
DISCARD ALL;
SET portpin.max_failures_per_account = 0;
SET client_min_messages = warning;
INSERT INTO statements.port_orders VALUES (1, '735517');
INSERT INTO statements.port_orders VALUES (1, '735518');

-- A session that places no order keeps nothing.
\c -
SET search_path = statements, public;
SET client_min_messages = warning;
SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'gates of portpin';
SELECT place(2, '735517');
SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'gates of portpin';
DROP SCHEMA statements CASCADE;
