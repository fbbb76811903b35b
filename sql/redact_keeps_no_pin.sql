-- Promise: with redact=yes an order does not keep the PIN that it was judged by,
-- and is not judged again for having none.
--
-- A table of orders with readable PINs is a list of the PINs of all customers who
-- ever left.  Redaction works with verdicts and without: the gate judges before
-- the row is stored, and stores the row with the PIN taken out.
CREATE SCHEMA redact;
SET search_path = redact, public;

CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
CREATE TABLE port_orders (id int PRIMARY KEY, account_id int REFERENCES accounts, pin port_pin, note text);
INSERT INTO accounts VALUES (1, '012345'), (2, '246801'), (3, NULL);
SELECT count(*) FROM port_pin_protect('accounts');

--
-- Without verdicts: a bad order is refused, a good one is stored without its PIN
--
SELECT * FROM port_pin_gate('port_orders', redact => true);
INSERT INTO port_orders VALUES (1, 1, '012345'), (2, 2, '246801') RETURNING *;
INSERT INTO port_orders VALUES (3, 1, '012345'), (4, 1, '999999');
INSERT INTO port_orders VALUES (3, 1, NULL);
INSERT INTO port_orders VALUES (3, 3, '012345');
INSERT INTO port_orders VALUES (3, NULL, '012345');
COPY port_orders (id, account_id, pin) FROM STDIN;
3	1	012345
4	2	246801
\.
-- What COPY adds to an error shows no PIN.
COPY port_orders (id, account_id, pin) FROM STDIN;
5	1	999999
\.
-- All other columns can change, as often as need be, whatever the PIN is by now.
UPDATE accounts SET pin = '012346' WHERE id = 1;
UPDATE port_orders SET note = 'confirmed';
UPDATE port_orders SET pin = NULL, note = 'done';
-- A PIN that is given again is judged and taken out again; a new key needs its PIN.
UPDATE port_orders SET pin = '012345' WHERE id = 1;
UPDATE port_orders SET pin = '012346' WHERE id = 1;
UPDATE port_orders SET account_id = 2 WHERE id = 1;
UPDATE port_orders SET account_id = 2, pin = '246801' WHERE id = 1;
SELECT * FROM port_orders ORDER BY id;

-- EXCLUDED is the order as the gate left it: without its PIN.  Writing that over
-- an order blanks its PIN, so nothing is judged by it, and a new key is refused for
-- want of a PIN.
INSERT INTO port_orders VALUES (1, 2, '246801')
    ON CONFLICT (id) DO UPDATE SET pin = excluded.pin, note = 'again' RETURNING *;
INSERT INTO port_orders VALUES (1, 1, '012346')
    ON CONFLICT (id) DO UPDATE SET account_id = excluded.account_id, pin = excluded.pin;
-- An order that would not be stored is judged as well: it has reached the gate.
INSERT INTO port_orders VALUES (1, 2, '999999') ON CONFLICT DO NOTHING;
-- MERGE has the PIN that was given.
MERGE INTO port_orders o USING (VALUES (1, 1, '012346'), (6, 2, '246801')) AS s(id, account_id, pin)
    ON o.id = s.id
    WHEN MATCHED THEN UPDATE SET account_id = s.account_id, pin = s.pin
    WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.account_id, s.pin);
SELECT * FROM port_orders WHERE id IN (1, 6) ORDER BY id;

-- What other people's triggers may see: before the gate the PIN, behind it none.
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE '% %: %', TG_WHEN, TG_OP, coalesce(NEW.pin, 'no PIN');
    RETURN NEW;
END $$;
CREATE TRIGGER tell BEFORE INSERT ON port_orders FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER tell_after AFTER INSERT ON port_orders FOR EACH ROW EXECUTE FUNCTION tell();
INSERT INTO port_orders VALUES (7, 2, '246801');
DROP TABLE port_orders;

--
-- With verdicts: every order is kept, none keeps its PIN
--
CREATE TABLE port_orders (
    id int PRIMARY KEY, account_id int REFERENCES accounts, pin port_pin,
    verdict port_pin_verdict, country text,
    is_us boolean GENERATED ALWAYS AS (country = 'US') STORED
);
SELECT * FROM port_pin_gate('port_orders', scope => 'is_us', verdict => 'verdict', redact => true);
INSERT INTO port_orders VALUES (1, 1, '012346', NULL, 'US'), (2, 1, '999999', NULL, 'US'),
    (3, 3, '999999', NULL, 'US'), (4, 1, NULL, NULL, 'US') RETURNING id, pin, verdict;
-- Resubmission: the right PIN, and it is not kept, either.
UPDATE port_orders SET pin = '012346' WHERE id = 2 RETURNING pin, verdict;
-- Correcting the account takes its PIN, even if the other account's was right.
UPDATE port_orders SET account_id = 2 WHERE id = 2 RETURNING pin, verdict;
UPDATE port_orders SET account_id = 2, pin = '246801' WHERE id = 2 RETURNING pin, verdict;
-- Out of scope nothing is judged, so nothing is taken out: the order enters scope
-- with the PIN that it kept.
INSERT INTO port_orders VALUES (5, 1, '012346', NULL, 'CA'), (6, 1, '999999', NULL, 'CA')
    RETURNING id, pin, verdict;
UPDATE port_orders SET country = 'US' WHERE id = 5 RETURNING pin, verdict;
UPDATE port_orders SET country = 'US' WHERE id = 6 RETURNING pin, verdict;
-- It left its PIN at the gate; to come in again it needs one.
UPDATE port_orders SET country = 'CA' WHERE id = 5 RETURNING pin, verdict;
UPDATE port_orders SET country = 'US' WHERE id = 5 RETURNING pin, verdict;
SELECT id, pin, verdict FROM port_orders ORDER BY id;
SELECT count(*) AS orders_with_a_pin FROM port_orders WHERE pin IS NOT NULL;
-- A scope that redaction changes would send old orders out of it.
CREATE TABLE odd_orders (account_id int REFERENCES accounts, pin port_pin, verdict port_pin_verdict,
    with_pin boolean GENERATED ALWAYS AS (pin IS NOT NULL) STORED);
SELECT port_pin_gate('odd_orders', scope => 'with_pin', verdict => 'verdict', redact => true);
DROP TABLE odd_orders;

-- Old orders that have a PIN keep it until somebody blanks it, or gives another.
SELECT port_pin_ungate('port_orders');
UPDATE port_orders SET pin = '012346' WHERE id = 1;
SELECT count(*) FROM port_pin_gate('port_orders', verdict => 'verdict', redact => true);
UPDATE port_orders SET country = 'US' WHERE id = 1 RETURNING pin, verdict;
WITH u AS (UPDATE port_orders SET pin = NULL RETURNING id, pin, verdict)
    SELECT * FROM u ORDER BY id;
DROP TABLE port_orders;

--
-- Columns that can't be NULL
--

-- In a legacy column, text or varchar, '' is blank.
CREATE TABLE legacy_orders (id int PRIMARY KEY, account_id int REFERENCES accounts, pin varchar(10) NOT NULL);
SELECT count(*) FROM port_pin_gate('legacy_orders', pin => 'pin', redact => true);
INSERT INTO legacy_orders VALUES (1, 2, '246801') RETURNING quote_literal(pin) AS pin;
INSERT INTO legacy_orders VALUES (2, 2, '');
INSERT INTO legacy_orders VALUES (2, 2, '999999');
UPDATE legacy_orders SET pin = ' ' WHERE id = 1 RETURNING quote_literal(pin) AS pin;
-- Where NULL can be stored it is: nobody need know which blank was meant.
ALTER TABLE legacy_orders ALTER pin DROP NOT NULL;
INSERT INTO legacy_orders VALUES (2, 2, '246801') RETURNING quote_nullable(pin) AS pin;
DROP TABLE legacy_orders;
-- '' is no port_pin, and a domain of your own may allow neither.
CREATE DOMAIN order_pin AS port_pin NOT NULL;
CREATE DOMAIN code AS text CONSTRAINT not_blank CHECK (VALUE <> '');
CREATE TABLE strict_orders (account_id int REFERENCES accounts, pin port_pin NOT NULL, pin_2 order_pin, pin_3 code NOT NULL);
SELECT port_pin_gate('strict_orders', pin => 'pin', redact => true);
SELECT port_pin_gate('strict_orders', pin => 'pin_2', redact => true);
SELECT port_pin_gate('strict_orders', pin => 'pin_3', redact => true);
ALTER TABLE strict_orders ALTER pin DROP NOT NULL, DROP pin_2, DROP pin_3;
SELECT count(*) FROM port_pin_gate('strict_orders', redact => true);
INSERT INTO strict_orders VALUES (2, '246801') RETURNING *;
DELETE FROM strict_orders;
-- NOT NULL that comes later shuts the gate, quietly.
ALTER TABLE strict_orders ALTER pin SET NOT NULL;
COPY strict_orders FROM STDIN;
2	246801
\.
DROP TABLE strict_orders;

--
-- Partitions: an order that moves is not a new one
--
CREATE TABLE port_orders (
    id int, status text, account_id int REFERENCES accounts, pin port_pin, verdict port_pin_verdict, note text
) PARTITION BY LIST (status);
CREATE TABLE orders_new PARTITION OF port_orders FOR VALUES IN ('new');
-- Columns in another order, and one more level.
CREATE TABLE orders_done (note text, verdict port_pin_verdict, gone int, pin port_pin, status text, account_id int, id int)
    PARTITION BY RANGE (id);
ALTER TABLE orders_done DROP gone;
CREATE TABLE orders_done_1 PARTITION OF orders_done FOR VALUES FROM (0) TO (100);
CREATE TABLE orders_done_2 (id int, gone int, pin port_pin, account_id int, verdict port_pin_verdict, status text, note text);
ALTER TABLE orders_done_2 DROP gone;
ALTER TABLE orders_done ATTACH PARTITION orders_done_2 FOR VALUES FROM (100) TO (200);
ALTER TABLE port_orders ATTACH PARTITION orders_done FOR VALUES IN ('done');
SELECT count(*) FROM port_pin_gate('port_orders', verdict => 'verdict', redact => true);
UPDATE accounts SET pin = '012345' WHERE id = 1;
INSERT INTO port_orders VALUES (1, 'new', 1, '012345'), (2, 'new', 1, '999999'), (3, 'done', 2, '246801'), (103, 'done', 2, NULL);
UPDATE accounts SET pin = '012346' WHERE id = 1;
CREATE VIEW desk AS SELECT tableoid::regclass AS partition, id, account_id, pin, verdict FROM port_orders ORDER BY id;
UPDATE port_orders SET status = 'done', verdict = 'accepted';
SELECT * FROM desk;
UPDATE port_orders SET id = (id + 100) % 200, verdict = 'accepted';
SELECT * FROM desk;
UPDATE orders_done SET id = (id + 100) % 200, verdict = 'accepted';
UPDATE port_orders SET status = 'new' WHERE id IN (1, 2);
SELECT * FROM desk;
-- Moved and corrected at once: judged, once.
UPDATE port_orders SET status = 'done', pin = '012346' WHERE id = 2;
UPDATE port_orders SET status = 'done', account_id = 2, verdict = 'accepted' WHERE id = 1;
SELECT * FROM desk;

-- Move and INSERT in one command: the new order does not pass for the moved one.
-- The same goes for one that comes later in the transaction.
UPDATE port_orders SET pin = '012346', account_id = 1 WHERE id = 1;
BEGIN;
MERGE INTO port_orders o USING (VALUES (1, 1), (4, 1), (2, 1), (5, 1)) AS s(id, account_id) ON o.id = s.id
    WHEN MATCHED THEN UPDATE SET status = 'new', verdict = 'accepted'
    WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'new', s.account_id, NULL, NULL, 'new');
INSERT INTO port_orders VALUES (6, 'new', 1, NULL, NULL);
WITH u AS (UPDATE port_orders SET status = 'done' WHERE id = 1 RETURNING id)
    INSERT INTO port_orders SELECT 7, 'done', 1, NULL, NULL FROM u;
WITH d AS (DELETE FROM port_orders WHERE id = 1 RETURNING *)
    INSERT INTO port_orders SELECT 8, 'new', account_id, pin FROM d;
SELECT * FROM desk;
ROLLBACK;

-- An UPDATE that was rolled back, or did not move its order, is no longer expected
-- to move it, not even if that order then moves in a trigger.
CREATE TABLE events (order_id int, status text);
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE redact.port_orders SET status = NEW.status WHERE id = NEW.order_id;
    RETURN NEW;
END $$;
CREATE TRIGGER follow AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION follow();
BEGIN;
SAVEPOINT s;
UPDATE port_orders SET note = 'x' WHERE id = 1;
ROLLBACK TO s;
INSERT INTO events VALUES (1, 'new');
INSERT INTO port_orders VALUES (9, 'new', 1, NULL, NULL);
SAVEPOINT s;
UPDATE port_orders SET status = 'done' WHERE id = 1;
ROLLBACK TO s;
INSERT INTO port_orders VALUES (10, 'new', 1, NULL, NULL);
SELECT * FROM desk;
ROLLBACK;
DO $$
BEGIN
    BEGIN
        UPDATE redact.port_orders SET note = 'x' WHERE id = 1;
        RAISE SQLSTATE 'UNDO0';
    EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
        INSERT INTO redact.events VALUES (1, 'new');
        INSERT INTO redact.port_orders VALUES (11, 'new', 1, NULL, NULL);
    END;
    UPDATE redact.port_orders SET note = 'y' WHERE id = 1;
    INSERT INTO redact.events VALUES (1, 'done');
    INSERT INTO redact.port_orders VALUES (12, 'new', 1, NULL, NULL);
END $$;
SELECT * FROM desk;
DELETE FROM port_orders WHERE id > 10 AND id < 100;

-- Triggers on one partition only.  On the way into it they may change the order,
-- which is then judged as it is ...
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.note = 'suppress' THEN RETURN NULL; END IF;
    NEW.account_id := 2; NEW.verdict := 'accepted';
    RETURN NEW;
END $$;
CREATE TRIGGER meddle BEFORE INSERT ON orders_new FOR EACH ROW EXECUTE FUNCTION meddle();
UPDATE port_orders SET status = 'new' WHERE id = 1;
SELECT * FROM desk WHERE id = 1;
-- ... an order that one of them makes vanish was moved to nowhere.  No order of a
-- later statement passes for it.
BEGIN;
UPDATE port_orders SET status = 'new', note = 'suppress' WHERE id = 3;
INSERT INTO port_orders VALUES (13, 'done', 2, NULL, NULL), (16, 'done', 2, NULL, NULL);
COMMIT;
-- ... and behind the gate there may be none: found at run time ...
ALTER TRIGGER meddle ON orders_new RENAME TO zzz;
UPDATE port_orders SET status = 'new' WHERE id = 2;
INSERT INTO orders_new VALUES (14, 'new', 1, '012346');
INSERT INTO port_orders VALUES (14, 'done', 1, '012346');
SELECT * FROM desk;
-- ... and by the installer.
SELECT port_pin_gate('port_orders', verdict => 'verdict', redact => true, replace => true);
SELECT count(*) FROM port_pin_ungate('port_orders');
SELECT port_pin_gate('port_orders', verdict => 'verdict', redact => true);
DROP TRIGGER zzz ON orders_new;
SELECT count(*) FROM port_pin_gate('port_orders', verdict => 'verdict', redact => true);
-- One that is attached later brings its triggers along.
CREATE TABLE orders_late (LIKE port_orders);
CREATE TRIGGER zzz BEFORE INSERT ON orders_late FOR EACH ROW EXECUTE FUNCTION meddle();
ALTER TABLE port_orders ATTACH PARTITION orders_late FOR VALUES IN ('late');
INSERT INTO port_orders VALUES (15, 'late', 1, '012346');
DROP TRIGGER zzz ON orders_late;
INSERT INTO port_orders VALUES (15, 'late', 1, '012346') RETURNING pin, verdict;

-- No other gate can judge a PIN that one gate takes away.
CREATE TABLE shared_orders (account_id int REFERENCES accounts, donor_id int REFERENCES accounts, pin port_pin);
SELECT count(*) FROM port_pin_gate('shared_orders', fk => 'donor_id', redact => true);
SELECT count(*) FROM port_pin_gate('shared_orders', fk => 'account_id');

-- A user's domain is checked when a row is written, and not when a gate is installed
-- or looked at: its CHECK is the user's code.
CREATE FUNCTION tell(pin text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'the CHECK is run';
    RETURN true;
END $$;
CREATE DOMAIN telling_pin AS port_pin CHECK (redact.tell(VALUE));
CREATE TABLE telling_orders (account_id int REFERENCES accounts, pin telling_pin);
SELECT count(*) FROM port_pin_gate('telling_orders', redact => true);
SELECT problem FROM port_pin_guards WHERE relation = 'telling_orders'::regclass;
INSERT INTO telling_orders VALUES (1, '012346') RETURNING pin;
CREATE DOMAIN stubborn_pin AS port_pin NOT NULL;
CREATE TABLE stubborn_orders (account_id int REFERENCES accounts, pin stubborn_pin);
SELECT port_pin_gate('stubborn_orders', redact => true);

SET client_min_messages = warning;
DROP SCHEMA redact CASCADE;
