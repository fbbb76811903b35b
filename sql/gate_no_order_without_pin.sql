-- Promise: no port order gets in without the PIN of the account that it would
-- move.  No PIN set: no port.
--
-- An order is judged when it is new, when an UPDATE gives it another key or
-- another PIN, and when it enters the scope of its gate.  One bad row refuses
-- the whole statement.
SET portpin.max_failures_per_account = 0; -- how wrong PINs are counted: failure_outlives_rollback.sql
CREATE SCHEMA gate;
SET search_path = gate, public;

CREATE TABLE accounts (
    id int PRIMARY KEY,
    pin port_pin,
    frozen boolean,
    pin_expires timestamptz
);
CREATE TABLE port_orders (
    id int PRIMARY KEY,
    account_id int REFERENCES accounts,
    pin port_pin,
    note text
);
INSERT INTO accounts VALUES
    (1, '012345', false, NULL),                  -- may port
    (2, '246801', NULL, 'infinity'),             -- may port
    (3, NULL, false, NULL),                      -- has no PIN
    (4, '135790', true, NULL),                   -- asked for a lock
    (5, '975310', false, '2001-01-01 00:00+00'), -- its PIN has expired
    (6, '864202', false, '-infinity');           -- this one always had
SELECT * FROM port_pin_protect('accounts', lock => 'frozen', expires => 'pin_expires');
SELECT * FROM port_pin_gate('port_orders');

-- How a statement is answered, field by field, as a driver sees it.
CREATE FUNCTION answer(statement text,
    OUT code text, OUT message text, OUT hint text, OUT fields text)
LANGUAGE plpgsql AS $$
DECLARE
    s text; t text; c text; d text; x text;
BEGIN
    EXECUTE statement;
    message := 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
        hint = PG_EXCEPTION_HINT, s = SCHEMA_NAME, t = TABLE_NAME,
        c = CONSTRAINT_NAME, d = COLUMN_NAME, x = PG_EXCEPTION_DETAIL;
    fields := concat_ws(' ', nullif(s, ''), nullif(t, ''), nullif(d, ''), nullif(c, ''),
                        nullif(x, ''));
END $$;

--
-- Every verdict
--
\x
SELECT * FROM answer($$INSERT INTO port_orders VALUES (1, 1, '012345')$$);
SELECT * FROM answer($$INSERT INTO port_orders VALUES (2, NULL, '012345')$$);
SELECT * FROM answer($$INSERT INTO port_orders VALUES (2, 4, '135790')$$);
SELECT * FROM answer($$INSERT INTO port_orders VALUES (2, 3, '012345')$$);
SELECT * FROM answer($$INSERT INTO port_orders VALUES (2, 1, NULL)$$);
SELECT * FROM answer($$INSERT INTO port_orders VALUES (2, 5, '975310')$$);
SELECT * FROM answer($$INSERT INTO port_orders VALUES (2, 1, '246801')$$);
-- Where there is no such account, the foreign key speaks first.
SELECT code FROM answer($$INSERT INTO port_orders VALUES (2, 99, '012345')$$);
\x

-- The order in which verdicts are decided: a lock before anything about PINs, no PIN
-- set before none given, none given before expired.
SELECT kind, code, message FROM (VALUES
    (1, 'locked, none given',   4, NULL),
    (2, 'locked, wrong',        4, '000000'),
    (3, 'not set, none given',  3, NULL),
    (4, 'expired, none given',  5, NULL),
    (5, 'expired, wrong',       5, '000000'),
    (6, 'expired since ever',   6, '864202'),
    (7, 'never expires, wrong', 2, '000000')) AS t(n, kind, account, pin),
    answer(format('INSERT INTO port_orders VALUES (2, %s, %L)', account, pin)) ORDER BY n;

-- NULL in the lock column is no lock; infinity and NULL never expire.
INSERT INTO port_orders VALUES (2, 2, '246801');

-- A PIN is compared as text: leading zeros count, and a longer PIN that begins the
-- same way is another one.
SELECT pin, code FROM unnest(ARRAY['12345', '0123450', '0012345', '01234', '123450']) AS pin,
    answer(format('INSERT INTO port_orders VALUES (3, 1, %L)', pin));

SELECT * FROM port_orders ORDER BY id;
TRUNCATE port_orders;

--
-- Every way to write orders.  One bad row refuses the statement.
--
INSERT INTO port_orders VALUES (1, 1, '012345'), (2, 2, '246801'), (3, 1, '012345');
INSERT INTO port_orders VALUES (4, 1, '012345'), (5, 2, '012345'), (6, 1, '012345');

INSERT INTO port_orders SELECT 10 + id, id, pin FROM accounts WHERE id <= 2;
INSERT INTO port_orders SELECT 20 + id, id, pin FROM accounts WHERE id <= 3;

COPY port_orders (id, account_id, pin) FROM STDIN;
31	1	012345
32	2	246801
\.
COPY port_orders (id, account_id, pin) FROM STDIN;
41	1	012345
42	2	246802
43	1	012345
\.

MERGE INTO port_orders o
    USING (VALUES (1, 'merged', '012345'), (51, 'new', '012345')) AS s(id, note, pin)
    ON o.id = s.id
    WHEN MATCHED THEN UPDATE SET note = s.note
    WHEN NOT MATCHED THEN INSERT VALUES (s.id, 1, s.pin, s.note);
MERGE INTO port_orders o USING (VALUES (52, '999999')) AS s(id, pin) ON o.id = s.id
    WHEN NOT MATCHED THEN INSERT VALUES (s.id, 1, s.pin);
MERGE INTO port_orders o USING (VALUES (1, '999999')) AS s(id, pin) ON o.id = s.id
    WHEN MATCHED THEN UPDATE SET pin = s.pin;

-- A gate on INSERT alone would not see this UPDATE.
INSERT INTO port_orders VALUES (1, 1, '999999')
    ON CONFLICT (id) DO UPDATE SET pin = excluded.pin;
INSERT INTO port_orders VALUES (1, 2, '012345')
    ON CONFLICT (id) DO UPDATE SET account_id = excluded.account_id;
INSERT INTO port_orders VALUES (1, 2, '246801')
    ON CONFLICT (id) DO UPDATE SET account_id = excluded.account_id, pin = excluded.pin;
-- What is not stored is not judged.
INSERT INTO port_orders VALUES (1, 1, '999999') ON CONFLICT DO NOTHING;

CREATE VIEW desk AS SELECT id, account_id, pin FROM port_orders;
INSERT INTO desk VALUES (61, 1, '012345');
INSERT INTO desk VALUES (62, 1, '999999');
INSERT INTO desk VALUES (61, 2, '999999')
    ON CONFLICT (id) DO UPDATE SET account_id = excluded.account_id, pin = excluded.pin;

CREATE FUNCTION place(id int, account int, pin text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO gate.port_orders VALUES (id, account, pin);
    RETURN 'placed';
EXCEPTION WHEN SQLSTATE '23PN7' THEN
    RETURN 'wrong PIN';
WHEN integrity_constraint_violation THEN
    RETURN 'class 23';
END $$;
SELECT place(71, 1, '012345'), place(72, 1, '999999');
-- A handler for all of class 23 catches every refusal.
SELECT place(72, 3, '999999');

PREPARE new_order(int, int, text) AS INSERT INTO port_orders VALUES ($1, $2, $3);
EXECUTE new_order(81, 1, '012345');
EXECUTE new_order(82, 1, '999999');
DEALLOCATE new_order;

SELECT id, account_id, note FROM port_orders ORDER BY id;
TRUNCATE port_orders;

--
-- The PIN that counts is the account's at that moment, not the statement's view
--

-- Account and order in one statement.
WITH a AS (INSERT INTO accounts VALUES (7, '777001') RETURNING id)
    INSERT INTO port_orders SELECT 1, id, '777001' FROM a;
WITH a AS (INSERT INTO accounts VALUES (8, '888001') RETURNING id)
    INSERT INTO port_orders SELECT 2, id, '777001' FROM a;
SELECT count(*) AS no_account_either FROM accounts WHERE id = 8;

-- A new PIN in the statement that places the order counts, and no longer the old one.
WITH a AS (UPDATE accounts SET pin = '777002' WHERE id = 7)
    INSERT INTO port_orders VALUES (3, 7, '777001');
WITH a AS (UPDATE accounts SET pin = '777002' WHERE id = 7)
    INSERT INTO port_orders VALUES (3, 7, '777002');
-- Even where it is written after the order: the gate fires at the end.
WITH o AS (INSERT INTO port_orders VALUES (4, 7, '777003'))
    UPDATE accounts SET pin = '777003' WHERE id = 7;
-- An old order is given the account's new PIN, or one that is not.
WITH a AS (UPDATE accounts SET pin = '777004' WHERE id = 7)
    UPDATE port_orders SET pin = '777003' WHERE id = 1;
WITH a AS (UPDATE accounts SET pin = '777003' WHERE id = 7)
    UPDATE port_orders SET pin = '777003' WHERE id = 1;

-- In one transaction.
BEGIN;
INSERT INTO accounts VALUES (9, '999001');
INSERT INTO port_orders VALUES (5, 9, '999001');
UPDATE accounts SET pin = '999002' WHERE id = 9;
INSERT INTO port_orders VALUES (6, 9, '999002');
SAVEPOINT s;
UPDATE accounts SET pin = '999003' WHERE id = 9;
INSERT INTO port_orders VALUES (7, 9, '999003');
ROLLBACK TO s;
SAVEPOINT s;
INSERT INTO port_orders VALUES (7, 9, '999003');
ROLLBACK TO s;
INSERT INTO port_orders VALUES (7, 9, '999002');
RELEASE s;
DELETE FROM port_orders WHERE account_id = 9;
DELETE FROM accounts WHERE id = 9;
INSERT INTO port_orders VALUES (8, 9, '999002');
ROLLBACK;

BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM accounts WHERE id = 7 AND pin = '777003';
UPDATE accounts SET pin = '777004' WHERE id = 7;
INSERT INTO port_orders VALUES (8, 7, '777004');
INSERT INTO accounts VALUES (10, '101010');
INSERT INTO port_orders VALUES (9, 10, '101010');
SAVEPOINT s;
INSERT INTO port_orders VALUES (10, 7, '777003');
ROLLBACK TO s;
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
UPDATE accounts SET pin = '777005' WHERE id = 7;
INSERT INTO port_orders VALUES (10, 7, '777005');
SAVEPOINT s;
INSERT INTO port_orders VALUES (11, 7, '777004');
ROLLBACK TO s;
COMMIT;

-- Orders that were let in stay when the PIN changes, and can be worked on.
UPDATE port_orders SET note = 'done';
UPDATE port_orders SET id = id + 100, account_id = account_id, pin = pin;
SELECT id, account_id, note FROM port_orders ORDER BY id;
TRUNCATE port_orders;

--
-- UPDATE of an order
--
INSERT INTO port_orders VALUES (1, 1, '012345');
-- To another account: only with that account's PIN.
UPDATE port_orders SET account_id = 2 WHERE id = 1;
UPDATE port_orders SET account_id = 3 WHERE id = 1;
UPDATE port_orders SET account_id = NULL WHERE id = 1;
UPDATE port_orders SET account_id = 2, pin = NULL WHERE id = 1;
UPDATE port_orders SET account_id = 2, pin = '246801' WHERE id = 1;
-- Another PIN: only the right one.
UPDATE port_orders SET pin = '012345' WHERE id = 1;
UPDATE accounts SET pin = '246802' WHERE id = 2;
UPDATE port_orders SET pin = '246802' WHERE id = 1;
-- Orders need not hoard PINs: blanking one is free, setting one again is not.
UPDATE port_orders SET pin = NULL WHERE id = 1;
UPDATE port_orders SET note = 'PIN was right' WHERE id = 1;
UPDATE port_orders SET pin = '999999' WHERE id = 1;
UPDATE port_orders SET account_id = 1 WHERE id = 1;
UPDATE port_orders SET pin = '246802' WHERE id = 1;
SELECT * FROM port_orders;
-- Two rows, one of them bad.
INSERT INTO port_orders VALUES (2, 1, '012345');
UPDATE port_orders SET account_id = 1, pin = '012345';
UPDATE port_orders SET account_id = 2, pin = '012345';
SELECT * FROM port_orders ORDER BY id;
TRUNCATE port_orders;

--
-- Scope: which orders need a PIN at all
--
CREATE TABLE world_orders (
    id int PRIMARY KEY,
    account_id int REFERENCES accounts,
    pin port_pin,
    country text,
    is_us boolean GENERATED ALWAYS AS (country = 'US') STORED
);
SELECT * FROM port_pin_gate('world_orders', scope => 'is_us');

INSERT INTO world_orders VALUES (1, 1, '012345', 'US'), (2, 1, NULL, 'CA');
INSERT INTO world_orders VALUES (3, 1, NULL, 'US');
-- In doubt an order is judged: NULL is not out of scope.
INSERT INTO world_orders VALUES (3, 1, NULL, NULL);
INSERT INTO world_orders VALUES (3, 1, '012345', NULL);
-- Out of scope anything goes, but the way in leads through the gate.
INSERT INTO world_orders VALUES (4, 1, '999999', 'CA');
UPDATE world_orders SET account_id = 3 WHERE id = 4;
UPDATE world_orders SET country = 'US' WHERE id = 4;
UPDATE world_orders SET country = NULL WHERE id = 4;
UPDATE world_orders SET account_id = 1 WHERE id = 4;
UPDATE world_orders SET country = 'US' WHERE id = 4;
UPDATE world_orders SET country = 'US', pin = '012345' WHERE id = 4;
-- Leaving is free; coming back is entering.
UPDATE world_orders SET country = 'CA', account_id = 2 WHERE id = 1;
UPDATE world_orders SET country = 'US' WHERE id = 1;
-- From NULL to true an order was in scope all the time.
UPDATE accounts SET pin = '012346' WHERE id = 1;
UPDATE world_orders SET country = 'US' WHERE id = 3;
INSERT INTO world_orders VALUES (2, 1, NULL, 'CA')
    ON CONFLICT (id) DO UPDATE SET country = 'US';
SELECT id, account_id, pin, country FROM world_orders ORDER BY id;
UPDATE accounts SET pin = '012345' WHERE id = 1;

--
-- allow_unset: accounts without a PIN may be ported; what it demands
--
CREATE TABLE free_accounts (id int PRIMARY KEY, pin port_pin, code text UNIQUE);
CREATE TABLE free_orders (id int, account_id int REFERENCES free_accounts, pin port_pin);
INSERT INTO free_accounts VALUES (1, NULL), (2, '246801');
-- "No PIN" must not mean that somebody took a PIN away.
SELECT * FROM port_pin_protect('free_accounts', allow_unset => true);
SELECT * FROM port_pin_protect('free_accounts', allow_unset => true, forbid_delete => true, clearable => true);
SELECT * FROM port_pin_protect('free_accounts', allow_unset => true, forbid_delete => true);
SELECT * FROM port_pin_gate('free_orders');
INSERT INTO free_orders VALUES (1, 1, NULL), (2, 1, '999999'), (3, 2, '246801');
INSERT INTO free_orders VALUES (4, 2, NULL);
INSERT INTO free_orders VALUES (4, 2, '999999');
INSERT INTO free_orders VALUES (4, NULL, NULL);
INSERT INTO free_accounts VALUES (3, '135790');
UPDATE free_accounts SET pin = NULL WHERE id = 3;
UPDATE free_accounts SET id = 4 WHERE id = 3;
DELETE FROM free_accounts WHERE id = 3;
TRUNCATE free_accounts CASCADE;
-- Without its guard the gate is shut.
ALTER TABLE free_accounts DISABLE TRIGGER port_pin_protect_delete;
INSERT INTO free_orders VALUES (4, 1, NULL);
ALTER TABLE free_accounts ENABLE REPLICA TRIGGER port_pin_protect_delete;
INSERT INTO free_orders VALUES (4, 1, NULL);
ALTER TABLE free_accounts ENABLE TRIGGER port_pin_protect_delete;
INSERT INTO free_orders VALUES (4, 1, NULL);
DROP TRIGGER port_pin_protect_truncate ON free_accounts;
INSERT INTO free_orders VALUES (5, 1, NULL);
SELECT * FROM free_orders ORDER BY id;
-- The key that orders use must be the one that stays.
CREATE TABLE coded_orders (id int, code text REFERENCES free_accounts (code), pin port_pin);
SELECT * FROM port_pin_gate('coded_orders');
-- Such a guard, made by hand, is found out when an order comes.
DROP TRIGGER port_pin_protect ON free_accounts;
CREATE TRIGGER port_pin_protect AFTER UPDATE ON free_accounts FOR EACH ROW
    EXECUTE FUNCTION port_pin_protect_trigger('pin=pin', 'allow_unset=yes');
INSERT INTO free_orders VALUES (6, 1, NULL);
CREATE OR REPLACE TRIGGER port_pin_protect AFTER UPDATE ON free_accounts FOR EACH ROW
    EXECUTE FUNCTION port_pin_protect_trigger('pin=pin', 'key=id', 'clearable=yes', 'allow_unset=yes');
INSERT INTO free_orders VALUES (6, 1, NULL);

--
-- A gate that is attached wrongly lets nothing in
--
CREATE TABLE orders_2 (LIKE port_orders, FOREIGN KEY (account_id) REFERENCES accounts);
CREATE FUNCTION wrong(create_trigger text, dml text DEFAULT $$INSERT INTO orders_2 VALUES (1, 1, '012345')$$,
    OUT code text, OUT message text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE create_trigger;
    SELECT a.code, a.message, a.hint INTO code, message, hint FROM gate.answer(dml) a;
    RAISE SQLSTATE 'UNDO0';
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
END $$;
\x
SELECT * FROM wrong('CREATE TRIGGER g BEFORE INSERT ON orders_2
    FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger()');
SELECT * FROM wrong('CREATE TRIGGER g AFTER INSERT ON orders_2
    FOR EACH STATEMENT EXECUTE FUNCTION port_pin_gate_trigger()');
SELECT * FROM wrong('CREATE TRIGGER g BEFORE TRUNCATE ON orders_2
    FOR EACH STATEMENT EXECUTE FUNCTION port_pin_gate_trigger()', 'TRUNCATE orders_2');
SELECT * FROM wrong('CREATE TRIGGER g AFTER TRUNCATE ON orders_2
    FOR EACH STATEMENT EXECUTE FUNCTION port_pin_gate_trigger()', 'TRUNCATE orders_2');
SELECT * FROM wrong('CREATE TRIGGER g INSTEAD OF INSERT ON desk
    FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger()',
    $$INSERT INTO desk VALUES (1, 1, '012345')$$);
SELECT * FROM wrong('CREATE TRIGGER g AFTER INSERT OR UPDATE OF account_id, pin ON orders_2
    FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger()');
SELECT * FROM wrong('CREATE CONSTRAINT TRIGGER g AFTER INSERT ON orders_2 DEFERRABLE
    FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger()');
SELECT * FROM wrong('CREATE CONSTRAINT TRIGGER g AFTER INSERT ON orders_2 DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger()',
    $$INSERT INTO orders_2 VALUES (1, 1, '012345'); SET CONSTRAINTS ALL IMMEDIATE$$);
SELECT * FROM wrong('CREATE CONSTRAINT TRIGGER g AFTER INSERT ON orders_2 FROM accounts
    FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger()');
-- A constraint trigger that is neither is a trigger like any other.
SELECT * FROM wrong('CREATE CONSTRAINT TRIGGER g AFTER INSERT ON orders_2
    FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger()');
SELECT * FROM wrong('CREATE CONSTRAINT TRIGGER g AFTER INSERT ON orders_2
    FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger()',
    $$INSERT INTO orders_2 VALUES (1, 1, '999999')$$);
\x
SELECT port_pin_gate_trigger();

-- Arguments: what is not understood, and what is said twice.
CREATE FUNCTION wrong_arguments(VARIADIC arguments text[],
    OUT code text, OUT message text, OUT hint text)
LANGUAGE sql AS $$
    SELECT w.* FROM gate.wrong(format('CREATE TRIGGER g AFTER INSERT ON gate.orders_2
        FOR EACH ROW EXECUTE FUNCTION public.port_pin_gate_trigger(%s)',
        (SELECT string_agg(quote_literal(a), ',') FROM unnest(arguments) a))) w
$$;
\x
SELECT * FROM wrong_arguments('pin=pin', 'fk=account_id', 'account_pin=pin', 'guarded=account');
SELECT * FROM wrong_arguments('pin');
SELECT * FROM wrong_arguments('');
SELECT * FROM wrong_arguments('=pin');
SELECT * FROM wrong_arguments('PIN=pin');
SELECT * FROM wrong_arguments('pin =pin');
SELECT * FROM wrong_arguments('accounts=accounts');
SELECT * FROM wrong_arguments('pin=pin', 'pin=pin');
SELECT * FROM wrong_arguments('pin=');
SELECT * FROM wrong_arguments('pin=pin,note');
SELECT * FROM wrong_arguments('pin="pin');
SELECT * FROM wrong_arguments('pin=nope');
SELECT * FROM wrong_arguments('pin=ctid');
SELECT * FROM wrong_arguments('pin="PIN"');
SELECT * FROM wrong_arguments('pin=PIN');
SELECT * FROM wrong_arguments('pin=account_id');
SELECT * FROM wrong_arguments('account_pin=id');
SELECT * FROM wrong_arguments('fk=');
SELECT * FROM wrong_arguments('fk=id');
SELECT * FROM wrong_arguments('fk=account_id,account_id');
SELECT * FROM wrong_arguments('fk=account_id,id');
SELECT * FROM wrong_arguments('scope=note');
SELECT * FROM wrong_arguments('scope=nope');
SELECT * FROM wrong_arguments('redact=no');
SELECT * FROM wrong_arguments('guarded=acount');
SELECT * FROM wrong_arguments('guarded=number,account');
SELECT * FROM wrong_arguments('via=account_id');
-- Rules for accounts are stated at their guard, and the gate does not take them.
SELECT * FROM wrong_arguments('lock=frozen');
SELECT * FROM wrong_arguments('allow_unset=yes');
\x

-- Nothing gets in past accounts with a wrongly made guard, either.
CREATE FUNCTION wrong_rules(VARIADIC rules text[],
    OUT code text, OUT message text, OUT hint text)
LANGUAGE sql AS $$
    SELECT w.* FROM gate.wrong(format('DROP TRIGGER port_pin_protect ON gate.accounts;
        CREATE TRIGGER by_hand AFTER UPDATE ON gate.accounts
        FOR EACH ROW EXECUTE FUNCTION public.port_pin_protect_trigger(%s);
        CREATE TRIGGER g AFTER INSERT ON gate.orders_2
        FOR EACH ROW EXECUTE FUNCTION public.port_pin_gate_trigger()',
        (SELECT string_agg(quote_literal(r), ',') FROM unnest(rules) r))) w
$$;
\x
SELECT * FROM wrong_rules('pin=pin', 'lock=frozen', 'expires=pin_expires');
SELECT * FROM wrong_rules(VARIADIC '{}');
SELECT * FROM wrong_rules('lock=frozen');
SELECT * FROM wrong_rules('pin=pin', 'lock=pin_expires');
SELECT * FROM wrong_rules('pin=pin', 'lock=nope');
SELECT * FROM wrong_rules('pin=pin', 'lock=');
SELECT * FROM wrong_rules('pin=pin', 'lock=frozen', 'lock=frozen');
SELECT * FROM wrong_rules('pin=pin', 'lock_until=frozen');
SELECT * FROM wrong_rules('pin=pin', 'expires=frozen');
SELECT * FROM wrong_rules('pin=pin', 'scope=pin_expires');
SELECT * FROM wrong_rules('pin=pin', 'allow_unset=');
SELECT * FROM wrong_rules('pin=pin', 'allow_unset=Yes');
SELECT * FROM wrong_rules('pin=pin', 'allow_unset=yes');
SELECT * FROM wrong_rules('pin=id');
SELECT * FROM wrong_rules('pin=nope');
\x
SELECT count(*) AS nothing_got_in FROM orders_2;

SET client_min_messages = warning;
DROP SCHEMA gate CASCADE;
