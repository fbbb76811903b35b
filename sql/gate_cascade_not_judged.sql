-- Promise: an account that changes its key, or goes, takes its old orders along,
-- whatever its PIN is by then; and nobody can use that to re-point an order.
--
-- An UPDATE that changes an order's key is a referential action only if no row
-- has the old key any more, and if the new key is blank or is now that of the
-- very row that had the old one.  Everything else is judged like a new order.
CREATE SCHEMA actions;
SET search_path = actions, public;

CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin, note text);
CREATE TABLE port_orders (
    id int PRIMARY KEY,
    account_id int REFERENCES accounts ON UPDATE CASCADE ON DELETE SET NULL,
    pin port_pin,
    note text
);
SELECT count(*) FROM port_pin_protect('accounts');
SELECT count(*) FROM port_pin_gate('port_orders');
INSERT INTO accounts VALUES (1, '111000'), (2, '222000'), (3, '333000'), (4, NULL);
INSERT INTO port_orders VALUES (1, 1, '111000'), (2, 1, '111000'), (3, 2, '222000'), (4, 3, '333000');

--
-- What is let through: the account has changed its key, or is gone
--

-- ON UPDATE CASCADE, the PIN having changed since.
UPDATE accounts SET pin = '111001' WHERE id = 1;
UPDATE accounts SET id = 11 WHERE id = 1;
SELECT id, account_id, pin FROM port_orders ORDER BY id;

-- PIN and key at once.
UPDATE accounts SET id = 1, pin = '111002' WHERE id = 11;

-- Several keys in one transaction, with updates of other columns between them,
-- which leave their own versions of the row.
BEGIN;
UPDATE accounts SET note = 'a' WHERE id = 1;
UPDATE accounts SET id = 12 WHERE id = 1;
UPDATE accounts SET note = 'b' WHERE id = 12;
UPDATE accounts SET note = 'c', pin = '111003' WHERE id = 12;
UPDATE accounts SET id = 13 WHERE id = 12;
SAVEPOINT s;
UPDATE accounts SET id = 14 WHERE id = 13;
ROLLBACK TO s;
UPDATE accounts SET id = 15 WHERE id = 13;
SAVEPOINT s;
UPDATE accounts SET id = 16 WHERE id = 15;
RELEASE s;
UPDATE accounts SET note = 'd' WHERE id = 16;
UPDATE accounts SET id = 1 WHERE id = 16;
COMMIT;
SELECT id, account_id, pin FROM port_orders ORDER BY id;

-- All keys at once, and two that swap theirs: each order follows its account.
UPDATE accounts SET id = id + 100;
UPDATE accounts SET id = id - 100;
SELECT id, account_id FROM port_orders ORDER BY id;
BEGIN;
UPDATE accounts SET id = 99 WHERE id = 1;
UPDATE accounts SET id = 1 WHERE id = 2;
UPDATE accounts SET id = 2 WHERE id = 99;
SELECT id, account_id, pin FROM port_orders ORDER BY id;
ROLLBACK;

-- ON DELETE SET NULL.
DELETE FROM accounts WHERE id = 3;
SELECT id, account_id, pin FROM port_orders WHERE id = 4;
-- Such an order belongs to nobody; what is done to it is not judged until it is
-- to belong to somebody again.
UPDATE port_orders SET note = 'account is gone' WHERE id = 4;
UPDATE port_orders SET account_id = 2 WHERE id = 4;
UPDATE port_orders SET pin = '222000' WHERE id = 4;
UPDATE port_orders SET account_id = 2, pin = '222000' WHERE id = 4;

--
-- What is not: everything that only looks like it
--

-- Re-pointed and de-pointed by hand.
UPDATE port_orders SET account_id = 1 WHERE id = 3;
UPDATE port_orders SET account_id = 4 WHERE id = 3;
UPDATE port_orders SET account_id = NULL WHERE id = 3;
-- In the statement that changes the old account's key, to another account.
WITH a AS (UPDATE accounts SET id = 22 WHERE id = 2)
    UPDATE port_orders SET account_id = 1 WHERE id = 3;
-- In the statement that deletes the old account.
WITH a AS (DELETE FROM accounts WHERE id = 2)
    UPDATE port_orders SET account_id = 1 WHERE account_id = 2;
-- To an account that is new, with the key of one that is gone, and a PIN that
-- the thief has chosen: it takes that PIN.
BEGIN;
DELETE FROM accounts WHERE id = 2;
INSERT INTO accounts VALUES (2, '999999');
UPDATE port_orders SET account_id = 2 WHERE id = 3;
ROLLBACK;
-- To an account that once had that key, but not in this transaction.
INSERT INTO accounts VALUES (5, '555000');
UPDATE accounts SET id = 6 WHERE id = 5;
INSERT INTO accounts VALUES (5, '555555');
INSERT INTO port_orders VALUES (5, 5, '555555');
WITH a AS (DELETE FROM accounts WHERE id = 5)
    UPDATE port_orders SET account_id = 6 WHERE id = 5;
DELETE FROM port_orders WHERE id = 5;
-- In one transaction with a real change of key.
BEGIN;
UPDATE accounts SET id = 22 WHERE id = 2;
SELECT account_id FROM port_orders WHERE id = 3;
UPDATE port_orders SET account_id = 1 WHERE id = 3;
ROLLBACK;
-- By another trigger on the accounts or on the orders.
CREATE FUNCTION divert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_WHEN = 'BEFORE' THEN
        NEW.account_id := 1;
        RETURN NEW;
    END IF;
    UPDATE port_orders SET account_id = 1 WHERE id = 3;
    RETURN NULL;
END $$;
CREATE TRIGGER divert AFTER UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION divert();
UPDATE accounts SET id = 22 WHERE id = 2;
DROP TRIGGER divert ON accounts;
CREATE TRIGGER divert BEFORE UPDATE ON port_orders FOR EACH ROW EXECUTE FUNCTION divert();
UPDATE accounts SET id = 22 WHERE id = 2;
DROP TRIGGER divert ON port_orders;
-- Key and PIN: a cascade changes no PIN.
WITH a AS (UPDATE accounts SET id = 22 WHERE id = 2)
    UPDATE port_orders SET account_id = 22, pin = '999999' WHERE id = 3;
-- Doing by hand what the cascade would have done is as good.
UPDATE accounts SET pin = '222001' WHERE id = 2;
ALTER TABLE port_orders DROP CONSTRAINT port_orders_account_id_fkey,
    ADD CONSTRAINT port_orders_account_id_fkey FOREIGN KEY (account_id) REFERENCES accounts
    DEFERRABLE INITIALLY DEFERRED;
BEGIN;
UPDATE accounts SET id = 22 WHERE id = 2;
UPDATE port_orders SET account_id = 22 WHERE account_id = 2;
COMMIT;
SELECT id, account_id, pin FROM port_orders ORDER BY id;
-- A deferred key: an order that comes before its account is refused at once.
BEGIN;
INSERT INTO port_orders VALUES (9, 9, '999999');
ROLLBACK;
TRUNCATE port_orders;

--
-- Chains: ON DELETE CASCADE, and the key columns of a composite key
--
CREATE TABLE tenants (id int PRIMARY KEY);
CREATE TABLE lines (
    tenant int REFERENCES tenants ON UPDATE CASCADE ON DELETE CASCADE,
    no text,
    pin port_pin,
    PRIMARY KEY (tenant, no)
);
CREATE TABLE line_orders (
    id int,
    tenant int,
    no text,
    pin port_pin,
    FOREIGN KEY (tenant, no) REFERENCES lines ON UPDATE CASCADE ON DELETE SET NULL (no)
);
CREATE TABLE line_requests (
    id int,
    tenant int,
    no text,
    pin port_pin,
    FOREIGN KEY (tenant, no) REFERENCES lines ON UPDATE CASCADE ON DELETE CASCADE
);
SELECT count(*) FROM port_pin_protect('lines');
SELECT count(*) FROM port_pin_gate('line_orders');
SELECT count(*) FROM port_pin_gate('line_requests');
INSERT INTO tenants VALUES (1), (2);
INSERT INTO lines VALUES (1, '555-0100', '111000'), (1, '555-0101', '222000'), (2, '555-0100', '333000');
INSERT INTO line_orders VALUES (1, 1, '555-0100', '111000'), (2, 1, '555-0101', '222000'), (3, 2, '555-0100', '333000');
INSERT INTO line_requests TABLE line_orders;
UPDATE lines SET pin = '999000';
UPDATE tenants SET id = 10 WHERE id = 1;
UPDATE lines SET no = '555-0199' WHERE tenant = 10 AND no = '555-0100';
DELETE FROM lines WHERE no = '555-0101';
SELECT * FROM line_orders ORDER BY id;
SELECT * FROM line_requests ORDER BY id;
UPDATE line_orders SET no = '555-0199' WHERE id = 2;
UPDATE line_orders SET tenant = NULL WHERE id = 1;
UPDATE line_orders SET no = NULL WHERE id = 1;
-- A tenant goes, its lines with it, and with them their requests.
BEGIN;
DELETE FROM tenants WHERE id = 10;
SELECT * FROM line_orders ORDER BY id;
SELECT count(*) FROM line_requests;
ROLLBACK;
-- The change may reach the order by a key other than the gate's.
CREATE TABLE line_tickets (
    id int,
    tenant int REFERENCES tenants ON UPDATE CASCADE,
    no text,
    pin port_pin,
    FOREIGN KEY (tenant, no) REFERENCES lines
);
SELECT count(*) FROM port_pin_gate('line_tickets');
INSERT INTO line_tickets VALUES (1, 2, '555-0100', '999000');
UPDATE lines SET pin = '999001';
UPDATE tenants SET id = 20 WHERE id = 2;
SELECT * FROM line_tickets;

--
-- Partitioned accounts
--
CREATE TABLE members (id int PRIMARY KEY, pin port_pin) PARTITION BY RANGE (id);
CREATE TABLE members_1 PARTITION OF members FOR VALUES FROM (0) TO (100);
CREATE TABLE members_2 PARTITION OF members FOR VALUES FROM (100) TO (200);
CREATE TABLE member_orders (id int,
    member_id int REFERENCES members ON UPDATE CASCADE ON DELETE SET NULL, pin port_pin);
SELECT count(*) FROM port_pin_protect('members');
SELECT count(*) FROM port_pin_gate('member_orders');
INSERT INTO members VALUES (1, '111000'), (2, '222000'), (3, '333000');
INSERT INTO member_orders VALUES (1, 1, '111000'), (2, 2, '222000'), (3, 3, '333000');
UPDATE members SET pin = '111001' WHERE id = 1;
UPDATE members SET id = 11 WHERE id = 1;
DELETE FROM members WHERE id = 3;
SELECT * FROM member_orders ORDER BY id;
-- A limit: a new key that moves the account to another partition makes it another row.
-- Its orders are judged, by today's PIN.
UPDATE members SET id = 101 WHERE id = 11;
UPDATE members SET id = 102 WHERE id = 2;
SELECT * FROM member_orders ORDER BY id;

--
-- NOT STOPPED: a role that may change the keys of accounts decides which account an
-- order belongs to.  With port_pin_protect(..., forbid_delete => true) no role may.
--
CREATE TABLE customers (id int PRIMARY KEY, pin port_pin);
CREATE TABLE customer_orders (id int,
    customer_id int REFERENCES customers DEFERRABLE INITIALLY DEFERRED, pin port_pin);
SELECT count(*) FROM port_pin_protect('customers');
SELECT count(*) FROM port_pin_gate('customer_orders');
INSERT INTO customers VALUES (1, '111000'), (2, '222000');
INSERT INTO customer_orders VALUES (1, 1, '111000');
-- Two accounts swap keys; the order is not touched at all.
BEGIN;
UPDATE customers SET id = 99 WHERE id = 1;
UPDATE customers SET id = 1 WHERE id = 2;
UPDATE customers SET id = 2 WHERE id = 99;
COMMIT;
SELECT o.id, o.customer_id, c.pin AS account_pin FROM customer_orders o JOIN customers c ON c.id = o.customer_id;
-- The other way round, and every account has its key again at the end.  While the
-- order's own account is elsewhere, the other one has passed through its key.
BEGIN;
UPDATE customers SET id = 99 WHERE id = 1;
UPDATE customers SET id = 1 WHERE id = 2;
UPDATE customers SET id = 2 WHERE id = 1;
UPDATE customer_orders SET customer_id = 2 WHERE customer_id = 1;
UPDATE customers SET id = 1 WHERE id = 99;
COMMIT;
SELECT o.id, o.customer_id, c.pin AS account_pin FROM customer_orders o JOIN customers c ON c.id = o.customer_id;
SELECT count(*) FROM port_pin_protect('customers', forbid_delete => true, replace => true);
UPDATE customers SET id = 99 WHERE id = 1;

-- A key that is only spelled differently leads to the same account.
CREATE TABLE priced (id numeric PRIMARY KEY, pin port_pin);
CREATE TABLE priced_orders (id numeric REFERENCES priced ON UPDATE CASCADE, pin port_pin);
SELECT count(*) FROM port_pin_protect('priced') p, port_pin_gate('priced_orders') g;
INSERT INTO priced VALUES (1.0, '246801'), (2.0, '135790');
INSERT INTO priced_orders VALUES (1.0, '246801');
UPDATE priced SET pin = '246802' WHERE id = 1;
UPDATE priced SET id = 1.000 WHERE id = 1;
UPDATE priced_orders SET id = 1;
UPDATE priced_orders SET id = 2;
TABLE priced_orders;

SET client_min_messages = warning;
DROP SCHEMA actions CASCADE;
