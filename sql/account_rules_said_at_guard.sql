-- Promise: the rules for an account are stated once, at the guard of the table that has
-- the columns, and every gate whose path crosses that table reads them there.
--
-- port_pin_protect() says which column is the PIN, for whom it counts (scope), who is
-- locked (lock, lock_until), when the PIN expires, and how it may change.
-- port_pin_gate() says none of this: an order's columns can't weaken what an account's
-- columns say.
SET portpin.max_failures_per_account = 0; -- how wrong PINs are counted: failure_outlives_rollback.sql
CREATE SCHEMA rules;
SET search_path = rules, public;

CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin, frozen boolean);
CREATE TABLE numbers (
    e164 text PRIMARY KEY, account_id int REFERENCES accounts,
    pin port_pin, on_hold boolean, good_until timestamptz
);
CREATE TABLE port_orders (id int PRIMARY KEY, number text REFERENCES numbers, pin port_pin, note text);
INSERT INTO accounts VALUES (1, '111111', false), (2, '222222', true);
INSERT INTO numbers VALUES
    ('account''s PIN',   1, NULL,     false, '-infinity'),
    ('own PIN',          1, '444444', NULL,  'infinity'),
    ('own PIN, expired', 1, '444444', NULL,  '-infinity'),
    ('number locked',    1, '444444', true,  NULL),
    ('account locked',   2, '444444', false, NULL);

-- How an order is answered: accepted, or the SQLSTATE of the refusal.  It leaves no
-- order behind.
CREATE FUNCTION answer(orders regclass, key text, pin text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO %s VALUES (0, $1, $2)', orders) USING key, pin;
    RAISE SQLSTATE 'UNDO0';
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    RETURN 'accepted';
WHEN integrity_constraint_violation THEN
    RETURN SQLSTATE || ' ' || split_part(SQLERRM, ': ', 2);
END $$;

--
-- A lock on the number and on the account, an expiry on the number only
--
SELECT port_pin_protect('accounts', lock => 'frozen');
SELECT port_pin_protect('numbers', lock => 'on_hold', expires => 'good_until');
SELECT port_pin_gate('port_orders', via => 'account_id');
SELECT e164, answer('port_orders', e164, '111111') AS "111111", answer('port_orders', e164, '444444') AS "444444"
    FROM (SELECT e164 FROM numbers ORDER BY e164 COLLATE "C") n;

-- Renaming a column takes one more call, which the view provides.  Until that call is
-- made, no order gets in.
ALTER TABLE accounts RENAME pin TO port_out_pin;
INSERT INTO port_orders VALUES (1, 'account''s PIN', '111111');
SELECT relation, pin_column, guard, problem FROM port_pin_guards ORDER BY relation::text, guard;
SELECT replace(definition, 'pin => ''pin''', 'pin => ''port_out_pin''')
    FROM port_pin_guards WHERE relation = 'accounts'::regclass AND guard = 'protect' \gexec
INSERT INTO port_orders VALUES (1, 'account''s PIN', '111111');
SELECT relation, pin_column, guard, definition, problem FROM port_pin_guards ORDER BY relation::text, guard;
UPDATE accounts SET port_out_pin = NULL;
ALTER TABLE accounts RENAME port_out_pin TO pin;
SELECT count(*) FROM port_pin_protect('accounts', pin => 'pin', lock => 'frozen', replace => true);
DELETE FROM port_orders;

-- One guard speaks to all gates.  What it says after a change counts at once, and so
-- does what it leaves out.
CREATE TABLE account_orders (id int PRIMARY KEY, account int REFERENCES accounts, pin port_pin);
SELECT count(*) FROM port_pin_gate('account_orders');
INSERT INTO account_orders VALUES (1, 2, '222222');
SELECT count(*) FROM port_pin_protect('accounts', replace => true);
INSERT INTO account_orders VALUES (1, 2, '222222');
SELECT answer('port_orders', 'account locked', '444444');
SELECT count(*) FROM port_pin_protect('accounts', lock => 'frozen', replace => true);
SELECT answer('port_orders', 'account locked', '444444');
DROP TABLE account_orders;

--
-- scope: accounts that port without a PIN
--

-- false is out of scope.  NULL leaves a doubt, so the order is judged.  It is the row
-- that is out of scope, or locked, and that holds for every order whose path crosses it.
ALTER TABLE accounts ADD is_us boolean;
ALTER TABLE numbers ADD is_mobile boolean;
SELECT count(*) FROM port_pin_protect('accounts', scope => 'is_us', lock => 'frozen', replace => true);
SELECT count(*) FROM port_pin_protect('numbers', scope => 'is_mobile', lock => 'on_hold', expires => 'good_until', replace => true);
INSERT INTO accounts VALUES
    (3, '333333', false, true), (4, '333333', false, NULL), (5, '333333', false, false), (6, NULL, true, false);
INSERT INTO numbers (e164, account_id, is_mobile, on_hold) VALUES
    ('in', 3, true, false), ('NULL', 4, NULL, false), ('out', 5, true, false), ('number out', 3, false, NULL),
    ('out, account locked', 6, true, NULL), ('out, number locked', 5, false, true), ('nobody''s, out', NULL, false, NULL);
SELECT e164, answer('port_orders', e164, NULL) AS "no PIN", answer('port_orders', e164, '999999') AS "wrong",
    answer('port_orders', e164, '333333') AS "right"
    FROM (SELECT e164 FROM numbers WHERE is_mobile IS NOT NULL OR e164 = 'NULL' ORDER BY e164 COLLATE "C") n;

-- A clerk may write every column of an order, even one that has the name of the
-- account's, and finds none that takes an order out of scope.
CREATE ROLE regress_portpin_clerk;
GRANT USAGE ON SCHEMA rules TO regress_portpin_clerk;
GRANT SELECT, INSERT, UPDATE, DELETE ON port_orders TO regress_portpin_clerk;
ALTER TABLE port_orders ADD is_us boolean, ADD is_mobile boolean;
SET ROLE regress_portpin_clerk;
INSERT INTO rules.port_orders VALUES (1, 'in', NULL, 'not a US organization', false, false);
INSERT INTO rules.port_orders VALUES (1, 'out', NULL, 'a Canadian one', false, false);
UPDATE rules.port_orders SET number = 'in', is_us = false, is_mobile = false;
UPDATE rules.port_orders SET number = 'in', pin = '999999';
INSERT INTO rules.port_orders VALUES (1, 'in', NULL, NULL, false, false)
    ON CONFLICT (id) DO UPDATE SET number = 'in', is_us = false;
UPDATE rules.accounts SET is_us = false;
RESET ROLE;
DELETE FROM port_orders;

-- A gate that records verdicts has none for such an order, and one that redacts leaves
-- the PIN: nothing was judged.  A lock is judged, and so is all that comes later.
CREATE TABLE kept_orders (id int PRIMARY KEY, number text REFERENCES numbers, pin port_pin, verdict port_pin_verdict, note text);
SELECT port_pin_gate('kept_orders', via => 'account_id', verdict => 'verdict', redact => true);
INSERT INTO kept_orders VALUES (1, 'in', '333333'), (2, 'in', '999999'), (3, 'out', '333333'), (4, 'out', '999999'),
    (5, 'out', NULL), (6, 'number out', '999999'), (7, 'out, account locked', '999999'), (8, 'NULL', '999999');
INSERT INTO kept_orders VALUES (9, 'out', '999999', 'accepted');
INSERT INTO kept_orders VALUES (9, 'out', '999999');
SELECT * FROM kept_orders ORDER BY id;
-- The scope at the time of the order counts: a later change of it brings no verdict.
UPDATE accounts SET is_us = NOT is_us WHERE id IN (3, 5);
UPDATE kept_orders SET note = 'account has moved', verdict = 'accepted';
SELECT * FROM kept_orders ORDER BY id;
-- A PIN or number that is supplied again is another matter.
WITH u AS (UPDATE kept_orders SET pin = '333333' WHERE id IN (1, 2, 4) RETURNING id, pin, verdict)
    SELECT * FROM u ORDER BY id;
UPDATE accounts SET is_us = NOT is_us WHERE id IN (3, 5);
-- The verdict on an order of such an account is NULL, so the column must allow that.
ALTER TABLE kept_orders ALTER note SET NOT NULL, ADD strict port_pin_verdict;
UPDATE kept_orders SET strict = 'accepted';
ALTER TABLE kept_orders ALTER strict SET NOT NULL;
SELECT port_pin_gate('kept_orders', via => 'account_id', verdict => 'strict', replace => true);
DROP TABLE kept_orders;

--
-- lock_until: none before then, 'infinity' until released
--
CREATE TABLE customers (id text PRIMARY KEY, pin port_pin, frozen boolean, frozen_until timestamptz);
CREATE TABLE customer_orders (id int, customer text REFERENCES customers, pin port_pin);
INSERT INTO customers VALUES
    ('1 no time',                 '333333', NULL,  NULL),
    ('2 past',                    '333333', NULL,  '2001-01-01 00:00+00'),
    ('3 always past',             '333333', false, '-infinity'),
    ('4 future',                  '333333', false, '2999-01-01 00:00+00'),
    ('5 until released',          '333333', NULL,  'infinity'),
    ('6 past, but locked',        '333333', true,  '2001-01-01 00:00+00'),
    ('7 future, without a PIN',   NULL,     NULL,  '2999-01-01 00:00+00');
SELECT port_pin_protect('customers', lock => 'frozen', lock_until => 'frozen_until');
SELECT port_pin_gate('customer_orders');
SELECT c.id, answer('customer_orders', c.id, '333333') AS "right", answer('customer_orders', c.id, '999999') AS "wrong"
    FROM customers c ORDER BY id;
UPDATE customers SET frozen_until = '2001-01-01 00:00+00' WHERE id = '5 until released';
SELECT answer('customer_orders', '5 until released', '333333');
-- The type of a column is checked when the guard is installed, and when it is read.
SELECT port_pin_protect('customers', lock_until => 'frozen', replace => true);
SELECT port_pin_protect('customers', lock_until => 'frozen_until, frozen', replace => true);
ALTER TABLE customers ALTER frozen_until TYPE timestamp;
SELECT answer('customer_orders', '1 no time', '333333');
DROP TABLE customer_orders, customers;

--
-- clearable: a number's own PIN may be taken back; then the account's counts again
--
UPDATE numbers SET pin = NULL WHERE e164 = 'own PIN';
SELECT count(*) FROM port_pin_protect('numbers', lock => 'on_hold', clearable => true, replace => true);
UPDATE numbers SET pin = NULL WHERE e164 = 'own PIN' RETURNING e164, pin;
SELECT answer('port_orders', 'own PIN', '444444'), answer('port_orders', 'own PIN', '111111'),
    answer('port_orders', 'own PIN', NULL);
-- It still has to be a PIN, and the account's PIN stays.
UPDATE numbers SET pin = '' WHERE e164 = 'own PIN';
UPDATE accounts SET pin = NULL;
-- With forbid_delete a row stays as long as it has its PIN.
SELECT port_pin_protect('numbers', forbid_delete => true, clearable => true, replace => true);
DELETE FROM numbers WHERE e164 = 'own PIN, expired';
UPDATE numbers SET e164 = 'moved' WHERE e164 = 'own PIN, expired';
UPDATE numbers SET pin = NULL WHERE e164 = 'own PIN, expired';
UPDATE numbers SET e164 = 'moved' WHERE e164 = 'own PIN, expired';
DELETE FROM numbers WHERE e164 = 'moved' RETURNING e164, pin;

--
-- allow_unset: accounts without a PIN may be ported
--
CREATE TABLE free_accounts (id int PRIMARY KEY, pin port_pin, frozen boolean, is_us boolean);
CREATE TABLE free_numbers (e164 text PRIMARY KEY, account_id int REFERENCES free_accounts, pin port_pin);
CREATE TABLE free_orders (id int, number text REFERENCES free_numbers, pin port_pin);
INSERT INTO free_accounts VALUES (1, NULL, false, true), (2, '222222', false, true), (3, NULL, true, true), (4, NULL, true, false);
INSERT INTO free_numbers VALUES ('no PIN', 1, NULL), ('own PIN', 1, '444444'), ('account''s PIN', 2, NULL),
    ('no PIN, locked', 3, NULL), ('no PIN, out, locked', 4, NULL), ('nobody''s', NULL, NULL);
SELECT port_pin_protect('free_accounts', allow_unset => true);
SELECT port_pin_protect('free_accounts', allow_unset => true, forbid_delete => true, clearable => true);
SELECT count(*) FROM port_pin_protect('free_accounts', scope => 'is_us', lock => 'frozen', forbid_delete => true, allow_unset => true);
-- A number's own PIN must be there to stay as well, or be one that may be taken back:
-- then the account's counts.
SELECT count(*) FROM port_pin_protect('free_numbers');
SELECT port_pin_gate('free_orders', via => 'account_id');
SELECT count(*) FROM port_pin_protect('free_numbers', clearable => true, replace => true);
SELECT count(*) FROM port_pin_gate('free_orders', via => 'account_id');
SELECT count(*) FROM port_pin_protect('free_numbers', forbid_delete => true, replace => true);
SELECT e164, answer('free_orders', e164, NULL) AS "no PIN", answer('free_orders', e164, '222222') AS "222222",
    answer('free_orders', e164, '444444') AS "444444"
    FROM (SELECT e164 FROM free_numbers ORDER BY e164 COLLATE "C") n;
DROP TABLE free_orders, free_numbers, free_accounts;
DROP TABLE port_orders, numbers, accounts;

--
-- A guard for a lock alone, on a table without a PIN
--
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
CREATE TABLE numbers (
    e164 text PRIMARY KEY, account_id int REFERENCES accounts,
    on_hold boolean, is_mobile boolean, seen_at timestamptz
);
CREATE TABLE port_orders (id int, number text REFERENCES numbers, pin port_pin);
INSERT INTO accounts VALUES (1, '111111');
INSERT INTO numbers VALUES ('free', 1, false, true), ('locked', 1, true, true), ('out', 1, false, false);
SELECT count(*) FROM port_pin_protect('accounts');
SELECT port_pin_gate('port_orders', via => 'account_id');
INSERT INTO port_orders VALUES (1, 'locked', '111111');
-- A guard that comes later counts at once.  One that the gate knows of is missed if it
-- goes, so the gate is told of it.
SELECT port_pin_protect('numbers', lock => 'on_hold', scope => 'is_mobile');
SELECT e164, answer('port_orders', e164, '111111') AS "111111", answer('port_orders', e164, NULL) AS "no PIN"
    FROM (SELECT e164 FROM numbers ORDER BY e164 COLLATE "C") n;
SELECT statement FROM port_pin_gate('port_orders', via => 'account_id', replace => true) AS statement LIMIT 1;
SELECT relation, pin_column, guard, definition, problem FROM port_pin_guards ORDER BY relation::text;
-- It states the rules for rows, and no more; the rows may change freely.
SELECT port_pin_protect('numbers', lock => 'on_hold', expires => 'seen_at', replace => true);
SELECT port_pin_protect('numbers', lock => 'on_hold', forbid_delete => true, replace => true);
SELECT port_pin_protect('numbers', lock => 'on_hold', clearable => true, replace => true);
SELECT port_pin_protect('numbers', lock => 'on_hold', check_format => true, replace => true);
SELECT port_pin_protect('numbers');
UPDATE numbers SET e164 = 'moved' WHERE e164 = 'out';
DELETE FROM numbers WHERE e164 = 'moved';

-- The guard is lost, as in a copy of the table that a tool put in its place: the gate
-- is shut.
BEGIN;
DROP TRIGGER port_pin_protect ON numbers;
SAVEPOINT lost;
INSERT INTO port_orders VALUES (2, 'free', '111111');
ROLLBACK TO lost;
SELECT relation, guard, problem FROM port_pin_guards ORDER BY relation::text;
\set SHOW_CONTEXT never
SELECT port_pin_assert_guarded('numbers');
ROLLBACK TO lost;
-- Installing the gate again would not help, so its hint is to protect the numbers.
SELECT port_pin_assert_guarded('port_orders');
ROLLBACK TO lost;
SELECT port_pin_assert_guarded();
\set SHOW_CONTEXT errors
ROLLBACK;
SELECT port_pin_assert_guarded('numbers', 'accounts', 'port_orders');
-- A guard is not removed while a gate needs it.
SELECT port_pin_unprotect('numbers');

-- The numbers get a PIN of their own: no order gets in until it has a guard, and then
-- it counts.
ALTER TABLE numbers ADD pin port_pin;
UPDATE numbers SET pin = '444444' WHERE e164 = 'free';
INSERT INTO port_orders VALUES (2, 'free', '111111');
SELECT relation, pin_column, guard, problem FROM port_pin_guards ORDER BY relation::text, guard, pin_column;
SELECT port_pin_protect('numbers', lock => 'on_hold');
SELECT count(*) FROM port_pin_protect('numbers', lock => 'on_hold', replace => true);
INSERT INTO port_orders VALUES (2, 'free', '111111');
INSERT INTO port_orders VALUES (2, 'free', '444444');
SELECT relation, pin_column, guard, problem FROM port_pin_guards ORDER BY relation::text, guard, pin_column;
DROP TABLE port_orders, numbers, accounts;

-- A guard for a lock alone can't stand beside the guard of a PIN, or take its place.
CREATE TABLE legacy (id int PRIMARY KEY, pin text, frozen boolean);
SELECT count(*) FROM port_pin_protect('legacy', pin => 'pin');
SELECT port_pin_protect('legacy', lock => 'frozen');
SELECT port_pin_protect('legacy', lock => 'frozen', replace => true);
SELECT port_pin_protect('legacy', pin => 'pin', lock => 'frozen', replace => true);
DROP TABLE legacy;

--
-- Two guarded PINs on one table
--
CREATE TABLE accounts (id text PRIMARY KEY, port_pin port_pin, desk_pin port_pin, frozen boolean, also_frozen boolean, until timestamptz);
CREATE TABLE port_orders (id int, account text REFERENCES accounts, pin port_pin);
CREATE TABLE desk_orders (id int, account text REFERENCES accounts, pin port_pin);
INSERT INTO accounts VALUES ('free', '111111', '222222', false, true), ('locked', '111111', '222222', true, false);
SELECT port_pin_protect('accounts', pin => 'port_pin', lock => 'frozen');
-- It is the row that is locked, whichever PIN is used, so the guards must agree, or one
-- of them must say nothing.
SELECT port_pin_protect('accounts', pin => 'desk_pin', lock => 'also_frozen');
-- A column says one thing, in all guards.
SELECT port_pin_protect('accounts', pin => 'desk_pin', scope => 'frozen');
SELECT port_pin_protect('accounts', pin => 'desk_pin', scope => 'also_frozen', lock => 'also_frozen');
SELECT port_pin_protect('accounts', pin => 'desk_pin', lock_until => 'until', expires => 'until');
SELECT count(*) FROM port_pin_protect('accounts', pin => 'port_pin', lock => 'frozen', expires => 'until', replace => true);
SELECT port_pin_protect('accounts', pin => 'desk_pin', lock_until => 'until');
SELECT count(*) FROM port_pin_protect('accounts', pin => 'desk_pin', expires => 'until');
-- Each gate names the PIN that it goes by.
SELECT port_pin_gate('port_orders');
SELECT port_pin_gate('port_orders', account_pin => 'frozen');
SELECT port_pin_gate('port_orders', account_pin => 'pin');
SELECT port_pin_gate('port_orders', account_pin => 'port_pin');
SELECT port_pin_gate('desk_orders', account_pin => 'desk_pin');
SELECT a.id, answer('port_orders', a.id, '111111') AS "port, 111111", answer('port_orders', a.id, '222222') AS "port, 222222",
    answer('desk_orders', a.id, '111111') AS "desk, 111111", answer('desk_orders', a.id, '222222') AS "desk, 222222"
    FROM accounts a ORDER BY id;
-- Made by hand they can disagree: then no order gets in.
CREATE OR REPLACE TRIGGER port_pin_protect_desk_pin AFTER UPDATE ON accounts
	FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger('pin=desk_pin', 'lock=also_frozen');
INSERT INTO desk_orders VALUES (1, 'free', '222222');
SELECT port_pin_unprotect('accounts');
SELECT relation, pin_column, guard, trigger_name, problem FROM port_pin_guards ORDER BY relation::text, guard, pin_column;
DROP TABLE port_orders, desk_orders;

-- On the number, while the account has one PIN under another name.
CREATE TABLE numbers (e164 text PRIMARY KEY, account text REFERENCES accounts, transfer_pin port_pin, old_pin port_pin);
CREATE TABLE port_orders (id int, number text REFERENCES numbers, pin port_pin);
SELECT count(*) FROM port_pin_unprotect('accounts', pin => 'desk_pin');
ALTER TABLE accounts DROP desk_pin;
INSERT INTO numbers VALUES ('own PIN', 'free', '333333', '444444'), ('account''s', 'free', NULL, '444444');
SELECT count(*) FROM port_pin_protect('numbers', pin => 'transfer_pin') a, port_pin_protect('numbers', pin => 'old_pin') b;
SELECT port_pin_gate('port_orders', via => 'account');
SELECT port_pin_gate('port_orders', via => 'account', account_pin => 'pin');
SELECT count(*) FROM port_pin_gate('port_orders', via => 'account', account_pin => 'transfer_pin');
SELECT n.e164, answer('port_orders', n.e164, '111111') AS "111111", answer('port_orders', n.e164, '333333') AS "333333",
    answer('port_orders', n.e164, '444444') AS "444444"
    FROM numbers n ORDER BY e164 COLLATE "C";
DROP TABLE port_orders, numbers, accounts;

--
-- Which foreign key leads to the guarded PIN
--
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
CREATE TABLE profiles (account_id int PRIMARY KEY REFERENCES accounts, language text);
CREATE TABLE numbers (e164 text PRIMARY KEY, account_id int REFERENCES accounts);
CREATE TABLE lines (id int PRIMARY KEY, account_id int REFERENCES accounts);
INSERT INTO accounts VALUES (1, '111111');
INSERT INTO profiles VALUES (1, 'en');
INSERT INTO numbers VALUES ('n', 1);
INSERT INTO lines VALUES (1, 1);
SELECT count(*) FROM port_pin_protect('accounts');
-- Two keys over one column: the one that leads to a PIN is meant, at install and when
-- an order comes.
CREATE TABLE port_orders (id int, account_id int REFERENCES accounts, pin port_pin);
ALTER TABLE port_orders ADD FOREIGN KEY (account_id) REFERENCES profiles;
SELECT statement FROM port_pin_gate('port_orders') AS statement LIMIT 1;
INSERT INTO port_orders VALUES (1, 1, '111111');
INSERT INTO port_orders VALUES (2, 1, '999999');
-- When both do, the gate does not guess.
ALTER TABLE profiles ADD pin port_pin;
INSERT INTO port_orders VALUES (2, 1, '111111');
ALTER TABLE profiles DROP pin;
DROP TABLE port_orders;
-- via without fk: the gate follows the key to the table that has the key which via
-- names, if there is only one.
CREATE TABLE port_orders (id int, number text REFERENCES numbers, profile int REFERENCES profiles, pin port_pin);
SELECT port_pin_gate('port_orders', via => 'owner_id');
SELECT port_pin_gate('port_orders', via => 'account_id');
ALTER TABLE port_orders DROP profile, ADD line int;
SELECT statement FROM port_pin_gate('port_orders', via => 'account_id') AS statement LIMIT 1;
SELECT answer('port_orders', 'n', '111111'), answer('port_orders', 'n', '999999');
-- A key that is added later changes nothing.
ALTER TABLE port_orders ADD FOREIGN KEY (line) REFERENCES lines;
SELECT answer('port_orders', 'n', '111111'), answer('port_orders', 'n', '999999');
DROP TABLE port_orders, lines, numbers, profiles, accounts;

--
-- Columns are named exactly, with commas between them
--
CREATE TABLE accounts (tenant int, no int, "Pin" port_pin, "isUS" boolean, "Locked, when?" boolean, PRIMARY KEY (tenant, no));
CREATE TABLE port_orders (id int, "accountNo" int, tenant int, pin port_pin,
    FOREIGN KEY (tenant, "accountNo") REFERENCES accounts);
SELECT port_pin_protect('accounts', pin => 'pin');
SELECT port_pin_protect('accounts', scope => 'isus');
SELECT port_pin_protect('accounts', scope => '"isus"');
SELECT port_pin_protect('accounts', scope => 'is us');
SELECT port_pin_protect('accounts', lock => 'Locked, when?');
SELECT port_pin_protect('accounts', pin => 'Pin', scope => '"isUS"', lock => '"Locked, when?"');
SELECT definition FROM port_pin_guards WHERE relation = 'accounts'::regclass;
SELECT port_pin_gate('port_orders', fk => 'tenant, accountno');
SELECT port_pin_gate('port_orders', fk => 'tenant accountNo');
SELECT port_pin_gate('port_orders', fk => '{tenant,"accountNo');
SELECT statement FROM port_pin_gate('port_orders', fk => 'tenant, accountNo') AS statement LIMIT 1;
SELECT statement FROM port_pin_gate('port_orders', fk => '{accountNo,tenant}', replace => true) AS statement LIMIT 1;
SELECT statement FROM port_pin_gate('port_orders', fk => ' "accountNo" ,"tenant" ', replace => true) AS statement LIMIT 1;
SELECT port_pin_ungate('port_orders', fk => 'tenant');
SELECT count(*) FROM port_pin_ungate('port_orders', fk => '{tenant,accountNo}');
DROP TABLE port_orders, accounts;

--
-- Partitioned accounts: the rules of the whole table count in each partition
--
CREATE TABLE accounts (region text, id int, pin port_pin, frozen boolean, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE accounts_east (frozen boolean, id int NOT NULL, pin port_pin, region text NOT NULL);
ALTER TABLE accounts ATTACH PARTITION accounts_east FOR VALUES IN ('east');
CREATE TABLE port_orders (id int, account int, pin port_pin, region text DEFAULT 'east', FOREIGN KEY (region, account) REFERENCES accounts);
-- An order may reference one partition.
CREATE TABLE east_orders (id int, account int, pin port_pin, region text DEFAULT 'east', FOREIGN KEY (region, account) REFERENCES accounts_east);
SELECT port_pin_gate('east_orders');
SELECT port_pin_protect('accounts_east');
SELECT count(*) FROM port_pin_protect('accounts', lock => 'frozen');
SELECT count(*) FROM port_pin_gate('port_orders');
SELECT count(*) FROM port_pin_gate('east_orders');
INSERT INTO accounts VALUES ('east', 1, '111111', false), ('east', 2, '222222', true);
INSERT INTO port_orders VALUES (1, 1, '111111');
INSERT INTO port_orders VALUES (2, 2, '222222');
INSERT INTO east_orders VALUES (1, 1, '111111');
INSERT INTO east_orders VALUES (2, 2, '222222');
SELECT port_pin_unprotect('accounts');
DROP TRIGGER port_pin_protect ON accounts;
INSERT INTO east_orders VALUES (2, 1, '111111');

SET client_min_messages = warning;
DROP SCHEMA rules CASCADE;
DROP ROLE regress_portpin_clerk;
