-- Promise: the path leads from the order to the number that it moves, and from there
-- to the account.  The PIN that counts is the number's, else the account's.
--
-- An order that names an account and, in a column beside it, a number that is only
-- text proves nothing: anyone with a PIN could move anybody's number.  So the order
-- references the number, the number references its account, and port_pin_gate() is
-- told both keys: fk, the order's, and via, the number's.
SET portpin.max_failures_per_account = 0; -- how wrong PINs are counted: failure_outlives_rollback.sql
CREATE SCHEMA path;
SET search_path = path, public;

CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
CREATE TABLE numbers (e164 text PRIMARY KEY, account_id int REFERENCES accounts);
CREATE TABLE port_orders (
    id int GENERATED ALWAYS AS IDENTITY,
    number text NOT NULL REFERENCES numbers,
    pin port_pin
);
INSERT INTO accounts VALUES (1, '012345'), (2, '246801'), (3, NULL);
INSERT INTO numbers VALUES
    ('+12025550101', 1), ('+12025550102', 2), ('+12025550103', 3), ('+12025550104', NULL);

-- How an order for a number is answered: accepted, or the SQLSTATE of the refusal.
CREATE FUNCTION answer(number text, pin text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO path.port_orders (number, pin) VALUES (number, pin);
    RETURN 'accepted';
EXCEPTION WHEN integrity_constraint_violation THEN
    RETURN SQLSTATE || ' ' || split_part(SQLERRM, ': ', 2);
END $$;

--
-- The PIN on the account
--

-- Two keys on the path, and the second is followed only if it is named.  The hint
-- says how.  The first is found through the second where only one can be meant.
SELECT port_pin_gate('port_orders');
SELECT port_pin_gate('port_orders', fk => 'number');
SELECT port_pin_gate('port_orders', via => 'account_id');
SELECT port_pin_protect('accounts');
SELECT * FROM port_pin_gate('port_orders', via => 'account_id');

SELECT answer('+12025550101', '012345');
SELECT answer('+12025550101', '246801');
SELECT answer('+12025550101', NULL);
-- One account's PIN moves none of another's numbers.
SELECT answer('+12025550102', '012345');
-- The account has no PIN.
SELECT answer('+12025550103', '012345');
-- The number has no account: nobody's PIN can be right.
SELECT answer('+12025550104', '012345');
-- The number is not ours: it is the foreign key that says so.
SELECT answer('+12025550199', '012345');

-- Giving an order another number counts as a new order.
UPDATE port_orders SET number = '+12025550102';
UPDATE port_orders SET number = '+12025550102', pin = '246801' RETURNING number;
DROP TABLE port_orders;

--
-- The PIN on the number
--

-- Numbers that have a PIN column need no second key: the path ends there.
ALTER TABLE numbers ADD transfer_pin port_pin;
CREATE TABLE port_orders (
    id int GENERATED ALWAYS AS IDENTITY,
    number text NOT NULL REFERENCES numbers,
    pin port_pin
);
SELECT port_pin_protect('numbers');
SELECT * FROM port_pin_gate('port_orders');
UPDATE numbers SET transfer_pin = '777777' WHERE e164 IN ('+12025550101', '+12025550104');
SELECT answer('+12025550101', '777777');
-- The account's PIN is not asked for here.
SELECT answer('+12025550101', '012345');
SELECT answer('+12025550102', '246801');
SELECT answer('+12025550104', '777777');
DROP TABLE port_orders;

--
-- On both: the number's overrides the account's
--
CREATE TABLE port_orders (
    id int GENERATED ALWAYS AS IDENTITY,
    number text NOT NULL REFERENCES numbers,
    pin port_pin
);
SELECT * FROM port_pin_gate('port_orders', fk => 'number', via => 'account_id');
-- A PIN of its own: that one and no other.
SELECT answer('+12025550101', '777777');
SELECT answer('+12025550101', '012345');
-- None: the account's.
SELECT answer('+12025550102', '246801');
SELECT answer('+12025550103', '246801');
-- A number's PIN does not stand in for an account that is missing.
SELECT answer('+12025550104', '777777');
-- Each number of an account can have one.
INSERT INTO numbers VALUES ('+12025550105', 3, '888888');
SELECT answer('+12025550105', '888888');

-- Keys and columns that come later change nothing.  (Columns of PINs do:
-- account_rules_said_at_guard.sql.)
ALTER TABLE numbers ADD billing_id int REFERENCES accounts DEFAULT 2, ADD old_pin text DEFAULT '999999';
ALTER TABLE accounts ADD old_pin text DEFAULT '999999';
SELECT answer('+12025550102', '999999');
SELECT answer('+12025550103', '246801');
SELECT answer('+12025550102', '246801');
-- A key or column that goes shuts the gate.
ALTER TABLE numbers DROP CONSTRAINT numbers_account_id_fkey;
INSERT INTO port_orders (number, pin) VALUES ('+12025550102', '246801');
ALTER TABLE numbers RENAME account_id TO account;
INSERT INTO port_orders (number, pin) VALUES ('+12025550102', '246801');
DROP TABLE port_orders;
DROP TABLE numbers, accounts;

--
-- lock and expires
--

-- A customer may lock the account or one number; either is enough.  What expires
-- is the PIN that counts: not the account's, where the number has one.  Each rule is
-- stated at the guard of the table that has the column.
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin, frozen boolean, good_until timestamptz);
CREATE TABLE numbers (
    e164 text PRIMARY KEY, account_id int REFERENCES accounts,
    pin port_pin, frozen boolean, good_until timestamptz
);
CREATE TABLE port_orders (number text REFERENCES numbers, pin port_pin);
INSERT INTO accounts VALUES
    (1, '111111', false, 'infinity'), (2, '222222', true, NULL), (3, '333333', NULL, '-infinity');
INSERT INTO numbers VALUES
    ('free',                     1, NULL, false, NULL),
    ('free, nobody said so',     1, NULL, NULL, NULL),
    ('number locked',            1, NULL, true, NULL),
    ('account locked',           2, NULL, false, NULL),
    ('account locked, own PIN',  2, '444444', NULL, NULL),
    ('account''s PIN expired',   3, NULL, NULL, 'infinity'),
    ('own PIN, account''s expired', 3, '444444', NULL, NULL),
    ('own PIN expired',          1, '444444', NULL, '-infinity'),
    ('no own PIN that expires',  1, NULL, NULL, '-infinity');
SELECT port_pin_protect('accounts', lock => 'frozen', expires => 'good_until');
SELECT port_pin_protect('numbers', lock => 'frozen', expires => 'good_until');
SELECT * FROM port_pin_gate('port_orders', fk => 'number', via => 'account_id');
SELECT e164, answer(e164, '111111') AS "111111", answer(e164, '222222') AS "222222",
    answer(e164, '333333') AS "333333", answer(e164, '444444') AS "444444"
    FROM (SELECT e164 FROM numbers ORDER BY e164 COLLATE "C") n;
DROP TABLE port_orders;

-- The columns may be on only one of the two tables; on neither is a mistake.
ALTER TABLE numbers DROP frozen;
ALTER TABLE accounts DROP good_until;
CREATE TABLE port_orders (number text REFERENCES numbers, pin port_pin);
SELECT port_pin_gate('port_orders', fk => 'number', via => 'account_id');
SELECT port_pin_protect('accounts', lock => 'froozen', replace => true);
SELECT count(*) FROM port_pin_protect('accounts', lock => 'frozen', replace => true);
SELECT count(*) FROM port_pin_protect('numbers', expires => 'good_until', replace => true);
SELECT count(*) FROM port_pin_gate('port_orders', fk => 'number', via => 'account_id');
SELECT e164, answer(e164, '111111') AS "111111", answer(e164, '222222') AS "222222",
    answer(e164, '333333') AS "333333", answer(e164, '444444') AS "444444"
    FROM (SELECT e164 FROM numbers ORDER BY e164 COLLATE "C") n;
-- The guards know which of the two has them: a column that comes later means
-- nothing to the gate, and one that goes is missed.
ALTER TABLE numbers ADD frozen boolean DEFAULT true;
INSERT INTO port_orders VALUES ('free', '111111');
ALTER TABLE accounts RENAME frozen TO is_frozen;
INSERT INTO port_orders VALUES ('free', '111111');
DROP TABLE port_orders, numbers, accounts;

--
-- Keys of several columns, at each step, in an order of their own
--
CREATE TABLE accounts (pin port_pin, no int, tenant text, PRIMARY KEY (tenant, no));
CREATE TABLE numbers (
    gone int, account int, owner text, line int, area int, pin varchar(10) NOT NULL DEFAULT '',
    UNIQUE (area, line), FOREIGN KEY (account, owner) REFERENCES accounts (no, tenant)
);
CREATE TABLE port_orders (
    gone int, pin port_pin, line bigint, area smallint,
    FOREIGN KEY (line, area) REFERENCES numbers (line, area)
);
ALTER TABLE numbers DROP gone;
ALTER TABLE port_orders DROP gone;
INSERT INTO accounts VALUES ('111111', 1, 'a'), ('222222', 1, 'b'), (NULL, 2, 'a');
INSERT INTO numbers VALUES (1, 'a', 100, 202), (1, 'b', 202, 100), (2, 'a', 101, 202),
    (1, 'b', 102, 202), (1, NULL, 103, 202), (NULL, 'a', 104, 202);
UPDATE numbers SET pin = '333333' WHERE line = 102;
SELECT count(*) FROM port_pin_protect('accounts') a, port_pin_protect('numbers', pin => 'pin') b;
-- The refusal tells which columns there are.
SELECT port_pin_gate('port_orders', fk => 'line', via => 'account, owner');
SELECT port_pin_gate('port_orders', fk => 'line, area', via => 'account');
-- Any order of them will do.
SELECT * FROM port_pin_gate('port_orders', fk => 'area, line', via => 'owner, account');
CREATE FUNCTION composite_answer(number int[], pin text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO path.port_orders (area, line, pin) VALUES (number[1], number[2], pin);
    RETURN 'accepted';
EXCEPTION WHEN integrity_constraint_violation THEN
    RETURN SQLSTATE || ' ' || split_part(SQLERRM, ': ', 2);
END $$;
SELECT composite_answer('{202,100}', '111111');
SELECT composite_answer('{202,100}', '222222');
SELECT composite_answer('{100,202}', '222222');
SELECT composite_answer('{202,101}', '111111');
-- '' on the number is blank, '333333' overrides.
SELECT composite_answer('{202,102}', '333333');
SELECT composite_answer('{202,102}', '222222');
-- Half a key leads nowhere.
SELECT composite_answer('{202,103}', '111111');
SELECT composite_answer('{202,104}', '111111');
SELECT composite_answer('{202,NULL}', '111111');
DROP TABLE port_orders, numbers, accounts;

--
-- Which path?  If two could be meant, or none, portpin does not guess
--
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin, parent_id int REFERENCES accounts);
CREATE TABLE customers (id int PRIMARY KEY, pin port_pin);
CREATE TABLE carriers (id int PRIMARY KEY);
CREATE TABLE numbers (
    e164 text PRIMARY KEY, replaces text REFERENCES numbers,
    carrier_id int REFERENCES carriers,
    account_id int REFERENCES accounts, payer_id int REFERENCES accounts
);
CREATE TABLE port_orders (
    id int PRIMARY KEY,
    number text REFERENCES numbers, wants text REFERENCES numbers,
    supplements int REFERENCES port_orders,
    pin port_pin
);
ALTER TABLE numbers ADD last_order int REFERENCES port_orders;
INSERT INTO accounts VALUES (1, '111111', NULL), (2, '222222', 1);
INSERT INTO numbers VALUES ('n', NULL, NULL, 1, 2);
SELECT count(*) FROM port_pin_protect('accounts') a, port_pin_protect('customers') b;
-- The hint names all paths that there are.
SELECT port_pin_gate('port_orders');
SELECT port_pin_gate('port_orders', fk => 'number', via => 'owner_id');
SELECT port_pin_gate('port_orders', fk => 'pin', via => 'account_id');
SELECT port_pin_gate('port_orders', fk => 'number', via => 'carrier_id');
SELECT port_pin_gate('port_orders', fk => 'number', via => 'e164');
SELECT port_pin_gate('port_orders', fk => 'number', via => 'account_id, payer_id');
-- A path in a circle: no order vouches for another by the PIN that it carries, and
-- no number for another.
SELECT port_pin_gate('port_orders', fk => 'supplements');
SELECT port_pin_gate('port_orders', fk => 'number', via => 'last_order');
SELECT port_pin_gate('port_orders', fk => 'number', via => 'replaces');
-- One pair of columns that references two tables is not an answer, either.
ALTER TABLE numbers ADD FOREIGN KEY (account_id) REFERENCES customers NOT VALID;
SELECT port_pin_gate('port_orders', fk => 'number', via => 'account_id');
ALTER TABLE numbers DROP CONSTRAINT numbers_account_id_fkey1;

-- All of that is checked again when an order comes in, for hand-made triggers, too.
CREATE FUNCTION by_hand(VARIADIC arguments text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text; hint text;
BEGIN
    EXECUTE format('CREATE TRIGGER by_hand AFTER INSERT ON path.port_orders
        FOR EACH ROW EXECUTE FUNCTION public.port_pin_gate_trigger(%s)',
        (SELECT string_agg(quote_literal(a), ',') FROM unnest(arguments) a));
    INSERT INTO path.port_orders VALUES (1, 'n', NULL, NULL, '111111');
    RAISE SQLSTATE 'UNDO0' USING MESSAGE = 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
\t
SELECT by_hand('fk=number', 'via=account_id');
SELECT by_hand('fk=number', 'via=payer_id');
SELECT by_hand('fk=number');
SELECT by_hand('via=account_id');
SELECT by_hand('pin=pin');
SELECT by_hand('fk=number', 'via=replaces');
SELECT by_hand('fk=number', 'via=last_order');
SELECT by_hand('fk=number', 'via=owner_id');
SELECT by_hand('fk=number', 'via=e164');
SELECT by_hand('fk=supplements');
SELECT by_hand('fk=number', 'via=account_id', 'account_pin=pinn');
SELECT by_hand('fk=number', 'via=account_id', 'account_pin=id');
\t

-- Where only one key leads to a PIN, a supplement to an earlier order is no
-- candidate beside it.
ALTER TABLE port_orders DROP wants, DROP number, ADD account_id int REFERENCES accounts;
SELECT statement FROM port_pin_gate('port_orders') AS statement LIMIT 1;
DROP TABLE port_orders, numbers, accounts, customers, carriers CASCADE;

--
-- Partitioned numbers and accounts; partitions with columns in another order
--
CREATE TABLE accounts (id int, region text, pin port_pin, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE accounts_east PARTITION OF accounts FOR VALUES IN ('east');
CREATE TABLE accounts_west (pin port_pin, gone int, region text NOT NULL, id int NOT NULL);
ALTER TABLE accounts_west DROP gone;
ALTER TABLE accounts ATTACH PARTITION accounts_west FOR VALUES IN ('west');
CREATE TABLE numbers (
    e164 text PRIMARY KEY, account_id int, region text, pin port_pin,
    FOREIGN KEY (account_id, region) REFERENCES accounts ON UPDATE CASCADE
) PARTITION BY RANGE (e164);
CREATE TABLE numbers_1 PARTITION OF numbers FOR VALUES FROM ('+1') TO ('+2');
CREATE TABLE numbers_4 (pin port_pin, region text, gone int, account_id int, e164 text NOT NULL)
    PARTITION BY RANGE (e164);
ALTER TABLE numbers_4 DROP gone;
CREATE TABLE numbers_44 PARTITION OF numbers_4 FOR VALUES FROM ('+44') TO ('+45');
ALTER TABLE numbers ATTACH PARTITION numbers_4 FOR VALUES FROM ('+4') TO ('+5');
CREATE TABLE port_orders (number text REFERENCES numbers, pin port_pin);
INSERT INTO accounts VALUES (1, 'east', '111111'), (1, 'west', '222222');
INSERT INTO numbers VALUES ('+1a', 1, 'east', NULL), ('+1b', 1, 'west', NULL), ('+44a', 1, 'west', NULL),
    ('+44b', 1, 'east', '333333'), ('+44c', 1, NULL, '333333');
SELECT count(*) FROM port_pin_protect('accounts') a, port_pin_protect('numbers') b;
SELECT * FROM port_pin_gate('port_orders', fk => 'number', via => 'account_id, region');
SELECT e164, answer(e164, '111111') AS "111111", answer(e164, '222222') AS "222222",
    answer(e164, '333333') AS "333333" FROM (SELECT e164 FROM numbers ORDER BY e164 COLLATE "C") n;
-- Rows that move to another partition are found there.
TRUNCATE port_orders;
UPDATE accounts SET region = 'west', id = 2 WHERE region = 'east';
UPDATE numbers SET e164 = '+44d' WHERE e164 = '+1a';
SELECT answer('+44d', '111111') AS "111111", answer('+44d', '222222') AS "222222";
DROP TABLE port_orders, numbers, accounts;

--
-- One order for many numbers: lines in a table of their own
--

-- A list of numbers in one column can't reference them.  Lines can, and the PIN goes
-- with each: numbers of one order may belong to several accounts.
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
CREATE TABLE numbers (e164 text PRIMARY KEY, account_id int NOT NULL REFERENCES accounts, pin port_pin);
CREATE TABLE port_orders (id int PRIMARY KEY, carrier text NOT NULL);
CREATE TABLE port_order_lines (
    order_id int REFERENCES port_orders ON DELETE CASCADE,
    number text REFERENCES numbers,
    pin port_pin,
    PRIMARY KEY (order_id, number)
);
INSERT INTO accounts VALUES (1, '111111'), (2, '222222');
INSERT INTO numbers VALUES
    ('+12025550101', 1, NULL), ('+12025550102', 1, NULL), ('+12025550103', 1, '333333'), ('+12025550104', 2, NULL);
SELECT count(*) FROM port_pin_protect('accounts') a, port_pin_protect('numbers') b;
SELECT count(*) FROM port_pin_gate('port_order_lines', fk => 'number', via => 'account_id');
WITH o AS (INSERT INTO port_orders VALUES (1, 'New Carrier') RETURNING id)
    INSERT INTO port_order_lines SELECT o.id, l.* FROM o, (VALUES
        ('+12025550101', '111111'), ('+12025550102', '111111'),
        ('+12025550103', '333333'), ('+12025550104', '222222')) AS l(number, pin);
-- One wrong PIN refuses all, the order with them.
WITH o AS (INSERT INTO port_orders VALUES (2, 'New Carrier') RETURNING id)
    INSERT INTO port_order_lines SELECT o.id, l.* FROM o, (VALUES
        ('+12025550101', '111111'), ('+12025550102', '111111'),
        ('+12025550103', '111111'), ('+12025550104', '222222')) AS l(number, pin);
-- In several statements, the transaction holds them together.
BEGIN;
INSERT INTO port_orders VALUES (2, 'New Carrier');
INSERT INTO port_order_lines VALUES (2, '+12025550101', '111111');
INSERT INTO port_order_lines VALUES (2, '+12025550104', '111111');
COMMIT;
SELECT o.id, count(number) AS numbers FROM port_orders o LEFT JOIN port_order_lines ON order_id = id GROUP BY 1;

SET client_min_messages = warning;
DROP SCHEMA path CASCADE;
