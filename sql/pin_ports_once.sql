-- A PIN ports once, where the guard names a column with used: an accepted order stamps
-- it, and only a new PIN clears it.
CREATE SCHEMA once;
SET search_path = once, public;
DELETE FROM port_pin_history;

CREATE TABLE accounts (id int PRIMARY KEY, name text, pin port_pin, pin_used timestamptz,
	is_used boolean GENERATED ALWAYS AS (pin_used IS NOT NULL) STORED);
CREATE INDEX ON accounts (pin_used);
SELECT port_pin_protect('accounts', used => 'pin_used', history => true);
INSERT INTO accounts (id, pin) SELECT n, '73551' || n FROM generate_series(1, 9) AS n;
CREATE TABLE orders (id int PRIMARY KEY, account int REFERENCES accounts, pin port_pin, note text);
SELECT port_pin_gate('orders');

CREATE VIEW used_now AS SELECT id, is_used FROM accounts WHERE pin_used IS NOT NULL ORDER BY id;
\set VERBOSITY sqlstate

--
-- Once, and in the order's own transaction
--
INSERT INTO orders VALUES (1, 1, '735511');
SELECT * FROM used_now;
INSERT INTO orders VALUES (2, 1, '735511');
-- The PIN is no longer looked at, and that is no failed attempt.
INSERT INTO orders VALUES (2, 1, '999999');
SELECT count(*) AS failures FROM port_pin_failures WHERE account_schema = 'once';
-- The index has the stamped row.
SET enable_seqscan = off;
SELECT id FROM accounts WHERE pin_used <= now();
RESET enable_seqscan;

-- Rolled back with the order
BEGIN;
INSERT INTO orders VALUES (3, 2, '735512');
ROLLBACK;
INSERT INTO orders VALUES (3, 2, '999999');
INSERT INTO orders VALUES (3, 2, '735512');
SELECT * FROM used_now;

-- All lines of one transaction may use one PIN; so may a savepoint.
BEGIN;
INSERT INTO orders VALUES (4, 3, '735513'), (5, 3, '735513');
SAVEPOINT s;
INSERT INTO orders VALUES (6, 3, '735513');
RELEASE s;
INSERT INTO orders VALUES (7, 3, '735513');
UPDATE accounts SET name = 'changed' WHERE id = 3;
INSERT INTO orders VALUES (8, 3, '735513');
COMMIT;
INSERT INTO orders VALUES (9, 3, '735513');
-- What another transaction used stays used, even if this one changes the account.
BEGIN;
UPDATE accounts SET name = 'mine' WHERE id = 3;
INSERT INTO orders VALUES (9, 3, '735513');
ROLLBACK;

--
-- A new PIN is good again; the same one set again is not, and the stamp can't be written.
--
UPDATE accounts SET pin = '735511' WHERE id = 1;
UPDATE accounts SET pin_used = NULL WHERE id = 1;
INSERT INTO orders VALUES (10, 1, '735511');
UPDATE accounts SET pin = '264838' WHERE id = 1;
SELECT * FROM used_now;
INSERT INTO orders VALUES (10, 1, '264838');
INSERT INTO accounts VALUES (20, 'brought along', '735520', now());
INSERT INTO orders VALUES (11, 20, '735520');

--
-- Other ways in: an order that is changed
--
INSERT INTO orders VALUES (12, NULL, '735514');
INSERT INTO orders VALUES (12, 4, '735514');
UPDATE orders SET note = 'nothing' WHERE id = 12;
UPDATE orders SET account = 5 WHERE id = 12;
UPDATE orders SET account = 5, pin = '735515' WHERE id = 12;
UPDATE orders SET account = 4, pin = '735514' WHERE id = 12;
SELECT * FROM used_now;

-- What was told
SELECT event, account_key, order_schema, order_table, order_key FROM port_pin_history
WHERE account_schema = 'once' AND event <> 'set' ORDER BY event_at;

--
-- A gate that writes verdicts and redacts: an order that is not stored spends no PIN.
--
CREATE TABLE requests (id int PRIMARY KEY, account int REFERENCES accounts, pin port_pin, verdict port_pin_verdict, note text);
SELECT port_pin_gate('requests', verdict => 'verdict', redact => true);
INSERT INTO requests VALUES (1, 6, '999999') RETURNING verdict;
INSERT INTO requests VALUES (1, 6, '735516') ON CONFLICT DO NOTHING RETURNING verdict;
SELECT id FROM used_now WHERE id = 6;
UPDATE requests SET pin = '735516' WHERE id = 1 RETURNING verdict;
SELECT id FROM used_now WHERE id = 6;
INSERT INTO requests VALUES (2, 6, '735516') RETURNING verdict;
UPDATE requests SET note = 'nothing' WHERE id = 1 RETURNING verdict;
INSERT INTO requests VALUES (3, 7, '735517'), (4, 7, '735517'), (5, 8, '999999') RETURNING verdict;
INSERT INTO requests VALUES (6, 7, '735517') RETURNING verdict;
INSERT INTO requests VALUES (5, 8, '735518') ON CONFLICT (id) DO UPDATE SET note = 'again' RETURNING verdict;
SELECT * FROM used_now;
SELECT event, account_key, order_table, order_key FROM port_pin_history
WHERE order_table = 'requests' ORDER BY event_at;

-- Judged orders are moved with the gate disabled: they don't use a PIN again.
UPDATE accounts SET pin = '735526' WHERE id = 6;
SELECT * FROM used_now;
SELECT count(*) FROM port_pin_history WHERE event = 'used';
BEGIN;
ALTER TABLE requests DISABLE TRIGGER zz_port_pin_gate;
CREATE TABLE requests_before AS TABLE requests;
DELETE FROM requests;
INSERT INTO requests TABLE requests_before;
ALTER TABLE requests ENABLE TRIGGER zz_port_pin_gate;
DROP TABLE requests_before;
COMMIT;
SELECT * FROM used_now;
SELECT count(*) FROM port_pin_history WHERE event = 'used';

-- A gate that redacts and refuses spends the PIN of each order that it lets in.  The
-- history names the order by its primary key, if it has one without the PIN.
INSERT INTO accounts (id, pin) VALUES (21, '735521'), (22, '735522'), (23, '735523');
CREATE TABLE redacted (id int PRIMARY KEY, account int REFERENCES accounts, pin port_pin);
CREATE TABLE keyless (account int REFERENCES accounts, pin port_pin);
CREATE TABLE keyed_by_pin (account int REFERENCES accounts, pin port_pin, PRIMARY KEY (account, pin));
SELECT count(*) FROM port_pin_gate('redacted', redact => true);
SELECT count(*) FROM port_pin_gate('keyless');
SELECT count(*) FROM port_pin_gate('keyed_by_pin');
INSERT INTO redacted VALUES (1, 21, '999999');
INSERT INTO redacted VALUES (1, 21, '735521');
INSERT INTO redacted VALUES (2, 21, '735521');
INSERT INTO keyless VALUES (22, '735522');
INSERT INTO keyed_by_pin VALUES (23, '735523');
SELECT event, account_key, order_table, order_key FROM port_pin_history
WHERE order_table IN ('redacted', 'keyless', 'keyed_by_pin') ORDER BY event_at;

-- Without the trigger that notes the use, the gate refuses.
ALTER TABLE requests DISABLE TRIGGER _port_pin_gate_used;
INSERT INTO requests VALUES (7, 9, '735519');
ALTER TABLE requests ENABLE TRIGGER _port_pin_gate_used;
DROP TRIGGER _port_pin_gate_used ON requests;
\set VERBOSITY default
INSERT INTO requests VALUES (7, 9, '735519');
SELECT problem FROM port_pin_guards WHERE relation = 'requests'::regclass;
SELECT port_pin_gate('requests', verdict => 'verdict', redact => true, replace => true);
INSERT INTO requests VALUES (7, 9, '735519') RETURNING verdict;
SELECT port_pin_ungate('requests');
\set VERBOSITY sqlstate

--
-- Partitions, of accounts and of orders
--
CREATE TABLE customers (region text, id int, pin port_pin, used timestamptz, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE customers_east PARTITION OF customers FOR VALUES IN ('east');
CREATE TABLE customers_west (used timestamptz, pin port_pin, gone int, id int NOT NULL, region text NOT NULL);
ALTER TABLE customers_west DROP gone;
ALTER TABLE customers ATTACH PARTITION customers_west FOR VALUES IN ('west');
SELECT count(*) > 0 AS guarded FROM port_pin_protect('customers', used => 'used', history => true);
INSERT INTO customers VALUES ('east', 1, '735517'), ('west', 2, '735517');
CREATE TABLE ports (state text, id int, region text, customer int, pin port_pin, verdict port_pin_verdict,
	PRIMARY KEY (state, id), FOREIGN KEY (region, customer) REFERENCES customers) PARTITION BY LIST (state);
CREATE TABLE ports_new (verdict port_pin_verdict, pin port_pin, id int NOT NULL, state text NOT NULL, customer int, region text);
ALTER TABLE ports ATTACH PARTITION ports_new FOR VALUES IN ('new');
CREATE TABLE ports_else PARTITION OF ports DEFAULT;
SELECT count(*) > 0 AS gated FROM port_pin_gate('ports', verdict => 'verdict', redact => true);
INSERT INTO ports VALUES ('new', 1, 'east', 1, '735517'), ('done', 2, 'west', 2, '735517') RETURNING verdict;
INSERT INTO ports VALUES ('new', 3, 'east', 1, '735517') RETURNING verdict;
SELECT region, id, used IS NOT NULL AS used FROM customers ORDER BY id;
-- An order that moves uses no PIN again, and an account that moves keeps its stamp.
UPDATE customers SET pin = '264838' WHERE id = 1;
UPDATE ports SET state = 'done' WHERE id = 1 RETURNING verdict;
SELECT region, id, used IS NOT NULL AS used FROM customers ORDER BY id;
DELETE FROM ports WHERE id = 2;
UPDATE customers SET region = 'east' WHERE id = 2;
SELECT region, id, used IS NOT NULL AS used FROM customers ORDER BY id;
SELECT event, account_key, order_key FROM port_pin_history
WHERE account_table = 'customers' AND event <> 'set' ORDER BY event_at;

--
-- Placing orders takes no privilege on the accounts, and runs none of their triggers.
--
CREATE FUNCTION boo() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	RAISE EXCEPTION 'user code';
END $$;
UPDATE accounts SET pin = '445566' WHERE id = 9;
CREATE TRIGGER boo BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION boo();
CREATE ROLE regress_portpin_clerk;
GRANT USAGE ON SCHEMA once TO regress_portpin_clerk;
GRANT INSERT ON orders TO regress_portpin_clerk;
SET ROLE regress_portpin_clerk;
INSERT INTO orders VALUES (30, 9, '445566');
INSERT INTO orders VALUES (31, 9, '445566');
RESET ROLE;
SELECT role_name FROM port_pin_history WHERE order_key = '{30}';
DROP TRIGGER boo ON accounts;
-- What a generated column or an index of the accounts calls runs as their owner: it
-- calls no function that the clerk has put into search_path.
CREATE FUNCTION tidy(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
	RETURN lower($1);
END $$;
ALTER TABLE accounts ADD tidy_name text GENERATED ALWAYS AS (tidy(name)) STORED;
CREATE INDEX ON accounts (tidy(name), pin_used);
CREATE SCHEMA lure;
CREATE FUNCTION lure.lower(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
	RAISE EXCEPTION 'code of the clerk';
END $$;
GRANT USAGE ON SCHEMA lure TO regress_portpin_clerk;
UPDATE accounts SET pin = '445577' WHERE id = 9;
SET ROLE regress_portpin_clerk;
SET search_path = lure, pg_catalog;
INSERT INTO once.orders VALUES (31, 9, '445577');
SHOW search_path;
RESET ROLE;
SET search_path = once, public;
SELECT role_name FROM port_pin_history WHERE order_key = '{31}';

SET client_min_messages = warning;
DROP SCHEMA once, lure CASCADE;
DROP ROLE regress_portpin_clerk;
DELETE FROM port_pin_history;
DELETE FROM port_pin_failures;
