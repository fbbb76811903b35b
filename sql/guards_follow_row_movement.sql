-- Partitioned tables: an UPDATE that moves a row is a DELETE and an INSERT to every
-- trigger.  The guards follow the row: its PIN is kept, and an order that has been
-- let in is not judged again because it moves.
CREATE SCHEMA partitions;
SET search_path = partitions, public;

CREATE FUNCTION blank_pin() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	NEW.pin := NULL;
	RETURN NEW;
END $$;
CREATE FUNCTION suppress() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	RETURN NULL;
END $$;

--
-- Accounts by region.  The partitions have their columns in other orders, one has
-- lost a column, one has partitions of its own, and there is a default.
--
CREATE TABLE accounts (id int, region text, name text, pin port_pin) PARTITION BY LIST (region);
CREATE TABLE accounts_east PARTITION OF accounts FOR VALUES IN ('east');
CREATE TABLE accounts_west (pin port_pin, gone text, name text, region text, id int);
ALTER TABLE accounts_west DROP COLUMN gone;
ALTER TABLE accounts ATTACH PARTITION accounts_west FOR VALUES IN ('west');
CREATE TABLE accounts_north PARTITION OF accounts FOR VALUES IN ('north') PARTITION BY RANGE (id);
CREATE TABLE accounts_north_1 PARTITION OF accounts_north FOR VALUES FROM (1) TO (100);
CREATE TABLE accounts_north_2 (name text, pin port_pin, id int, region text);
ALTER TABLE accounts_north ATTACH PARTITION accounts_north_2 FOR VALUES FROM (100) TO (200);
CREATE TABLE accounts_else PARTITION OF accounts DEFAULT;
SELECT port_pin_protect('accounts');

INSERT INTO accounts SELECT n, region, region || n, '01111' || n
FROM unnest('{east,west,north,south}'::text[]) WITH ORDINALITY AS v (region, n);
INSERT INTO accounts VALUES (5, 'east', 'blank', NULL), (6, 'west', 'blank', NULL);

-- Moved and cleared in one: from each partition to each other, and back
\set VERBOSITY sqlstate
UPDATE accounts SET region = 'west', pin = NULL WHERE id = 1;
UPDATE accounts SET region = 'north', pin = NULL WHERE id = 1;
UPDATE accounts SET region = 'south', pin = NULL WHERE id = 1;
UPDATE accounts SET region = 'east', pin = NULL WHERE id = 2;
UPDATE accounts SET region = 'south', pin = NULL WHERE id = 2;
UPDATE accounts SET region = 'east', pin = NULL WHERE id = 3;
UPDATE accounts SET region = 'west', pin = NULL WHERE id = 3;
UPDATE accounts SET id = 103, pin = NULL WHERE id = 3;
UPDATE accounts SET region = 'north', pin = NULL WHERE id = 4;
UPDATE accounts_north SET id = 103, pin = NULL WHERE id = 3;
UPDATE accounts SET region = CASE region WHEN 'east' THEN 'west' ELSE 'east' END,
	pin = CASE id WHEN 1 THEN '099999' END;
-- Without a move
UPDATE accounts SET pin = NULL WHERE id = 1;
UPDATE accounts_west SET pin = NULL;
UPDATE accounts_north_1 SET pin = NULL;

-- Moved with its PIN, or with a new one: free.  So are blank rows.
UPDATE accounts SET region = 'west' WHERE id = 1;
UPDATE accounts SET region = 'north', pin = '022221' WHERE id = 1;
UPDATE accounts SET id = 101 WHERE id = 1;
UPDATE accounts SET id = 1, region = 'south' WHERE id = 101;
UPDATE accounts SET region = 'east' WHERE id = 1;
UPDATE accounts SET region = 'west' WHERE id = 5;
UPDATE accounts SET region = 'east', pin = '055555' WHERE id = 5;
UPDATE accounts SET region = 'west', pin = NULL WHERE id = 6;
\set VERBOSITY default
SELECT tableoid::regclass, id, region, name, pin FROM accounts ORDER BY id;

-- The error names the partition that the row came to, and its trigger.
DO $$
DECLARE
	in_table text; the_constraint text; hint text;
BEGIN
	UPDATE partitions.accounts SET region = 'west', pin = NULL WHERE id = 1;
EXCEPTION WHEN SQLSTATE '23PN0' THEN
	GET STACKED DIAGNOSTICS in_table = TABLE_NAME, the_constraint = CONSTRAINT_NAME,
		hint = PG_EXCEPTION_HINT;
	RAISE NOTICE '% | % | % | %', SQLERRM, hint, in_table, the_constraint;
END $$;

--
-- Other people's triggers
--
\set VERBOSITY sqlstate
-- The target partition blanks the PIN of each row that it takes for new; this one is not.
CREATE TRIGGER a BEFORE INSERT ON accounts_west FOR EACH ROW EXECUTE FUNCTION blank_pin();
UPDATE accounts SET region = 'west' WHERE id = 1;
INSERT INTO accounts VALUES (7, 'west', 'new', '077777');
ALTER TRIGGER a ON accounts_west RENAME TO z;
UPDATE accounts SET region = 'west' WHERE id = 1;
DROP TRIGGER z ON accounts_west;
CREATE TRIGGER a BEFORE UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION blank_pin();
UPDATE accounts SET region = 'west' WHERE id = 1;
DROP TRIGGER a ON accounts;

-- A trigger behind the guard that clears the row once it has arrived
CREATE FUNCTION clear_arrival() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	UPDATE partitions.accounts SET pin = NULL WHERE id = NEW.id;
	RETURN NULL;
END $$;
CREATE TRIGGER a AFTER INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION clear_arrival();
UPDATE accounts SET region = 'west' WHERE id = 1;
ALTER TRIGGER a ON accounts RENAME TO z;
UPDATE accounts SET region = 'west' WHERE id = 1;
DROP TRIGGER z ON accounts;

-- Triggers between the two halves of a move that move rows themselves: each move is
-- remembered at its own depth.  First when the DELETE fires, before and behind the guard
CREATE FUNCTION move_another() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF OLD.id = 1 THEN
		UPDATE partitions.accounts SET region = CASE region WHEN 'east' THEN 'west' ELSE 'east' END
			WHERE id = 2;
		INSERT INTO partitions.accounts VALUES (8, 'west', 'made on the way', NULL);
		DELETE FROM partitions.accounts WHERE id = 8;
	ELSIF OLD.id = 2 THEN
		UPDATE partitions.accounts SET id = 203 - id, region = 'south' WHERE name = 'north3';
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER a AFTER DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION move_another();
UPDATE accounts SET region = 'west', pin = NULL WHERE id = 1;
UPDATE accounts SET region = 'west' WHERE id = 1;
ALTER TRIGGER a ON accounts RENAME TO z;
UPDATE accounts SET region = 'east', pin = NULL WHERE id = 1;
UPDATE accounts SET region = 'east' WHERE id = 1;
SELECT tableoid::regclass, id, pin FROM accounts ORDER BY id;
-- The nested move clears a PIN: it is refused, and with it the whole statement.
CREATE OR REPLACE FUNCTION move_another() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF OLD.id = 1 THEN
		UPDATE partitions.accounts SET region = CASE region WHEN 'east' THEN 'west' ELSE 'east' END,
			pin = NULL WHERE id = 2;
	END IF;
	RETURN NULL;
END $$;
UPDATE accounts SET region = 'west' WHERE id = 1;
-- When the error is caught, only that move did not happen.
CREATE OR REPLACE FUNCTION move_another() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF OLD.id = 1 THEN
		UPDATE partitions.accounts SET region = CASE region WHEN 'east' THEN 'west' ELSE 'east' END,
			pin = NULL WHERE id = 2;
	END IF;
	RETURN NULL;
EXCEPTION WHEN integrity_constraint_violation THEN
	RETURN NULL;
END $$;
UPDATE accounts SET region = 'west', pin = NULL WHERE id = 1;
UPDATE accounts SET region = 'west' WHERE id = 1;
DROP TRIGGER z ON accounts;
SELECT tableoid::regclass, id, pin FROM accounts WHERE id IN (1, 2) ORDER BY id;

-- In BEFORE triggers, whose own commands are over before the outer AFTER triggers fire
CREATE TRIGGER a BEFORE DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION move_another();
UPDATE accounts SET region = 'east' WHERE id = 1;
DROP TRIGGER a ON accounts;

--
-- One command that does it all
--
-- MERGE moves one row and puts in new ones without a PIN: these are not taken for it.
MERGE INTO accounts USING (VALUES (1), (11), (2), (12)) AS v (id) ON accounts.id = v.id
	WHEN MATCHED THEN UPDATE SET region = CASE region WHEN 'north' THEN 'south' ELSE 'north' END
	WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'north', 'merged', NULL);
MERGE INTO accounts USING (VALUES (11), (1), (13)) AS v (id) ON accounts.id = v.id
	WHEN MATCHED THEN UPDATE SET region = 'east', pin = NULL
	WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'north', 'merged', NULL);
-- The same with CTEs, and a move that is undone in one transaction
WITH moved AS (UPDATE accounts SET region = 'east' WHERE id = 1 RETURNING id),
	made AS (INSERT INTO accounts SELECT 14, 'west', 'made', NULL RETURNING id)
SELECT (SELECT count(*) FROM moved) AS moved, (SELECT count(*) FROM made) AS made;
WITH made AS (INSERT INTO accounts SELECT 15, 'west', 'made', NULL RETURNING id)
UPDATE accounts SET region = 'west', pin = NULL WHERE id = 1;
BEGIN;
UPDATE accounts SET region = 'west', pin = '088881' WHERE id = 1;
SAVEPOINT there;
UPDATE accounts SET region = 'north', pin = NULL WHERE id = 1;
ROLLBACK TO there;
INSERT INTO accounts VALUES (16, 'north', 'new', NULL);
UPDATE accounts SET region = 'east' WHERE id = 1;
COMMIT;
-- A row that its own transaction has locked in all ways, and that is referenced
BEGIN;
SELECT id FROM accounts WHERE id = 1 FOR KEY SHARE;
SAVEPOINT locked;
SELECT id FROM accounts WHERE id = 1 FOR UPDATE;
UPDATE accounts SET region = 'west', pin = NULL WHERE id = 1;
ROLLBACK;
-- Many rows, of which only the last one is cleared.
INSERT INTO accounts SELECT n, 'east', 'many', to_char(n, 'FM000000') FROM generate_series(1001, 2000) AS n;
UPDATE accounts SET region = 'west', pin = CASE WHEN id < 2000 THEN pin END WHERE name = 'many';
UPDATE accounts SET region = 'west' WHERE name = 'many';
SELECT tableoid::regclass, count(*), count(pin) FROM accounts WHERE name = 'many' GROUP BY 1;
DELETE FROM accounts WHERE id > 10;
\set VERBOSITY default
SELECT tableoid::regclass, id, pin FROM accounts ORDER BY id;

--
-- Partitions that come and go
--
-- A new one is guarded, and so is a table that is attached.
CREATE TABLE accounts_new PARTITION OF accounts FOR VALUES IN ('new');
CREATE TABLE accounts_old (LIKE accounts);
INSERT INTO accounts_old VALUES (9, 'old', 'attached', '099999');
ALTER TABLE accounts ATTACH PARTITION accounts_old FOR VALUES IN ('old');
\set VERBOSITY sqlstate
UPDATE accounts SET region = 'new', pin = NULL WHERE id IN (1, 9);
UPDATE accounts SET region = 'old', pin = NULL WHERE id = 1;
UPDATE accounts_old SET pin = NULL;
-- Detached, its guard is gone with the table that it was part of: protect it again.
ALTER TABLE accounts DETACH PARTITION accounts_old;
\set VERBOSITY default
SELECT count(*) AS guards FROM pg_trigger WHERE tgrelid = 'accounts_old'::regclass AND NOT tgisinternal;
SELECT port_pin_protect('accounts_old');
UPDATE accounts_old SET pin = NULL;
-- To come back it has to give up its own guard.
ALTER TABLE accounts ATTACH PARTITION accounts_old FOR VALUES IN ('old');
SELECT port_pin_unprotect('accounts_old');
ALTER TABLE accounts ATTACH PARTITION accounts_old FOR VALUES IN ('old');
UPDATE accounts_old SET pin = NULL;
-- A partition whose moves can't be followed takes no rows.
CREATE ACCESS METHOD regress_portpin_am TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE accounts_odd PARTITION OF accounts FOR VALUES IN ('odd') USING regress_portpin_am;
INSERT INTO accounts VALUES (10, 'odd', 'odd', NULL);
UPDATE accounts SET region = 'odd' WHERE id = 1;
DROP TABLE accounts_odd;
DROP ACCESS METHOD regress_portpin_am;

-- Without one of the pair, row movement goes unseen.  port_pin_guards says so, and
-- port_pin_protect() puts the trigger back.
DROP TRIGGER port_pin_protect_insert ON accounts;
SELECT problem FROM port_pin_guards WHERE relation = 'accounts'::regclass;
BEGIN;
UPDATE accounts SET region = 'west', pin = NULL WHERE id = 1;
SELECT pin FROM accounts WHERE id = 1;
ROLLBACK;
SELECT count(*) FROM port_pin_protect('accounts', replace => true);
UPDATE accounts SET region = 'west', pin = NULL WHERE id = 1;
SELECT problem FROM port_pin_guards WHERE relation = 'accounts'::regclass;
DROP TABLE accounts;

-- A legacy column, with its name in another place in each partition
CREATE TABLE accounts (id int, region int, "Pin" varchar(10)) PARTITION BY LIST (region);
CREATE TABLE accounts_1 PARTITION OF accounts FOR VALUES IN (1);
CREATE TABLE accounts_2 ("Pin" varchar(10), region int, id int);
ALTER TABLE accounts ATTACH PARTITION accounts_2 FOR VALUES IN (2);
SELECT port_pin_protect('accounts', 'Pin');
INSERT INTO accounts VALUES (1, 1, '011111'), (2, 2, ' ');
\set VERBOSITY sqlstate
UPDATE accounts SET region = 2, "Pin" = '  ' WHERE id = 1;
UPDATE accounts SET region = 2, "Pin" = NULL WHERE id = 1;
UPDATE accounts SET region = 2 WHERE id = 1;
UPDATE accounts SET region = 1, "Pin" = '' WHERE id = 1;
UPDATE accounts SET region = 1, "Pin" = '' WHERE id = 2;
\set VERBOSITY default
SELECT tableoid::regclass, * FROM accounts ORDER BY id;
DROP TABLE accounts;

--
-- forbid_delete: a row with a PIN stays in its partition, for its partition key is
-- part of its primary key.  A blank one is free to move.
--
CREATE TABLE accounts (id int, region int, pin port_pin, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE accounts_1 PARTITION OF accounts FOR VALUES IN (1);
CREATE TABLE accounts_2 PARTITION OF accounts FOR VALUES IN (2);
SELECT count(*) AS guards FROM port_pin_protect('accounts', forbid_delete => true);
INSERT INTO accounts VALUES (1, 1, '011111'), (2, 1, NULL);
UPDATE accounts SET region = 2 WHERE id = 1;
UPDATE accounts SET region = 2 WHERE id = 2;
\set VERBOSITY sqlstate
DELETE FROM accounts WHERE id = 1;
DELETE FROM accounts_1 WHERE id = 1;
TRUNCATE accounts;
TRUNCATE accounts_1;
-- A suppressed INSERT would turn the move into a DELETE.
CREATE TRIGGER a BEFORE INSERT ON accounts_2 FOR EACH ROW EXECUTE FUNCTION suppress();
UPDATE accounts SET region = 2 WHERE id = 1;
DROP TRIGGER a ON accounts_2;
-- A partition made later has all but the guard on TRUNCATE: PostgreSQL clones only
-- row triggers.
CREATE TABLE accounts_3 PARTITION OF accounts FOR VALUES IN (3);
INSERT INTO accounts VALUES (3, 3, '033333');
DELETE FROM accounts_3;
BEGIN;
TRUNCATE accounts_3;
ROLLBACK;
\set VERBOSITY default
SELECT tableoid::regclass, * FROM accounts ORDER BY id;
DROP TABLE accounts;

--
-- Orders that move: by status, as port desks like to have them, their accounts
-- partitioned too
--
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin) PARTITION BY RANGE (id);
CREATE TABLE accounts_1 PARTITION OF accounts FOR VALUES FROM (1) TO (10);
CREATE TABLE accounts_2 (gone int, pin port_pin, id int NOT NULL);
ALTER TABLE accounts_2 DROP COLUMN gone;
ALTER TABLE accounts ATTACH PARTITION accounts_2 FOR VALUES FROM (10) TO (20);
CREATE TABLE orders (id int, status text, account int REFERENCES accounts, pin port_pin, note text)
	PARTITION BY LIST (status);
CREATE TABLE orders_new PARTITION OF orders FOR VALUES IN ('new');
CREATE TABLE orders_done (note text, gone int, pin port_pin, account int, status text, id int);
ALTER TABLE orders_done DROP COLUMN gone;
ALTER TABLE orders ATTACH PARTITION orders_done FOR VALUES IN ('done');
CREATE TABLE orders_else PARTITION OF orders DEFAULT PARTITION BY RANGE (id);
CREATE TABLE orders_else_1 PARTITION OF orders_else DEFAULT;
SELECT count(*) AS guards FROM port_pin_protect('accounts');
SELECT port_pin_gate('orders');
INSERT INTO accounts VALUES (1, '011111'), (2, '022222'), (11, '111111'), (12, NULL);
INSERT INTO orders VALUES (1, 'new', 1, '011111'), (2, 'new', 11, '111111'), (3, 'done', 2, '022222');
\set VERBOSITY sqlstate
INSERT INTO orders VALUES (4, 'new', 11, '011111');
INSERT INTO orders VALUES (4, 'done', 12, '011111');
INSERT INTO orders VALUES (4, 'else', 12, NULL);
INSERT INTO orders_done (id, status, account, pin) VALUES (4, 'done', 2, '011111');

-- The PINs change; the orders were let in with the old ones, and go their way.
UPDATE accounts SET pin = '9' || pin;
UPDATE orders SET status = 'done' WHERE id IN (1, 2);
UPDATE orders SET status = 'odd';
UPDATE orders SET status = 'new', note = 'back';
-- Moved to another account, or with another PIN, they are judged.
UPDATE orders SET status = 'done', account = 2 WHERE id = 1;
UPDATE orders SET status = 'done', account = 11 WHERE id = 1;
UPDATE orders SET status = 'done', pin = '022222' WHERE id = 1;
UPDATE orders SET status = 'done', account = NULL WHERE id = 1;
UPDATE orders SET status = 'done', account = 2, pin = '9022222' WHERE id = 1;
UPDATE orders SET status = 'odd', pin = '9022222' WHERE id = 1;
-- Blanking the PIN on the way is free, as it is without a move; then it is needed again.
UPDATE orders SET status = 'done', pin = NULL WHERE id = 2;
UPDATE orders SET status = 'new' WHERE id = 2;
UPDATE orders SET status = 'done', pin = '111111' WHERE id = 2;
UPDATE orders SET status = 'done', pin = '9111111' WHERE id = 2;
UPDATE orders SET status = 'new', account = 1 WHERE id = 2;
\set VERBOSITY default
SELECT tableoid::regclass, id, account, pin FROM orders ORDER BY id;

\set VERBOSITY sqlstate
-- An old order moves, a new one comes along: only the old one goes unjudged.
MERGE INTO orders USING (VALUES (3), (5)) AS v (id) ON orders.id = v.id
	WHEN MATCHED THEN UPDATE SET status = 'done'
	WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'done', 2, '022222');
MERGE INTO orders USING (VALUES (5), (3)) AS v (id) ON orders.id = v.id
	WHEN MATCHED THEN UPDATE SET status = 'done'
	WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'done', 2, '022222');
WITH moved AS (UPDATE orders SET status = 'done' WHERE id = 3 RETURNING *)
INSERT INTO orders SELECT 5, 'new', account, pin FROM moved;
WITH gone AS (DELETE FROM orders WHERE id = 3 RETURNING *)
INSERT INTO orders SELECT id, 'done', account, pin FROM gone;
MERGE INTO orders USING (VALUES (3), (5)) AS v (id) ON orders.id = v.id
	WHEN MATCHED THEN UPDATE SET status = 'done'
	WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'done', 2, '9022222');
-- Another trigger, on the partition that the order moves to
CREATE FUNCTION another_account() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	NEW.account := 11;
	RETURN NEW;
END $$;
CREATE TRIGGER z BEFORE INSERT ON orders_new FOR EACH ROW EXECUTE FUNCTION another_account();
UPDATE orders SET status = 'new' WHERE id = 3;
DROP TRIGGER z ON orders_new;
-- A nested one: an order that moves takes another along, and puts one in.
CREATE FUNCTION take_along() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF OLD.id = 3 THEN
		UPDATE partitions.orders SET status = CASE status WHEN 'new' THEN 'done' ELSE 'new' END WHERE id = 5;
		INSERT INTO partitions.orders VALUES (6, 'new', 2, OLD.note);
	END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER z AFTER DELETE ON orders FOR EACH ROW EXECUTE FUNCTION take_along();
UPDATE orders SET note = '022222' WHERE id = 3;
UPDATE orders SET status = 'new' WHERE id = 3;
UPDATE orders SET note = '9022222' WHERE id = 3;
UPDATE orders SET status = 'new' WHERE id = 3;
DROP TRIGGER z ON orders;
\set VERBOSITY default
SELECT tableoid::regclass, id, account, pin FROM orders ORDER BY id;

-- An account moves if its new key belongs to another partition.  Its orders following it
-- look the same as its orders being given away, so it is refused where it would cascade.
ALTER TABLE orders DROP CONSTRAINT orders_account_fkey,
	ADD FOREIGN KEY (account) REFERENCES accounts ON UPDATE CASCADE;
\set VERBOSITY sqlstate
UPDATE accounts SET id = 3 WHERE id = 2;
SELECT id, account FROM orders WHERE account = 3 ORDER BY id;
UPDATE accounts SET id = 13 WHERE id = 3;
UPDATE accounts SET pin = '022223' WHERE id = 3;
UPDATE accounts SET id = 13 WHERE id = 3;
UPDATE accounts SET id = 2 WHERE id = 3;
\set VERBOSITY default
SELECT id, account FROM orders ORDER BY id;

SET client_min_messages = warning;
DROP SCHEMA partitions CASCADE;
