-- The story that demo.sh tells, and checks.  Its lines that begin with an @ are
-- not told.  "@error 23PN7": that is what the statement before must have met; a
-- statement without one must succeed.  "@rows :ROW_COUNT 1": so many rows.

\set VERBOSITY verbose
\set SHOW_CONTEXT never
\pset footer off
\pset null '(blank)'

\echo '== Accounts, their numbers, and orders to port a number to another carrier'
\echo
CREATE SCHEMA port;
CREATE EXTENSION portpin SCHEMA port CASCADE;
SET search_path = public, port;

CREATE TABLE accounts (
    id      int PRIMARY KEY,
    name    text NOT NULL UNIQUE,
    is_us   boolean NOT NULL DEFAULT true,
    pin     port_pin_sealed                   -- only a hash is kept, by a key that is not in the database
);
CREATE TABLE numbers (
    e164    text PRIMARY KEY,
    account int NOT NULL REFERENCES accounts
);
CREATE TABLE port_orders (
    id      int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number  text NOT NULL REFERENCES numbers,
    carrier text NOT NULL,
    pin     port_pin,                         -- what the order brings: it is not kept
    verdict port_pin_verdict
);

\echo
\echo '== Two calls guard them; each returns the DDL that it ran, to paste into a migration'
\echo
\a \t
SELECT port_pin_protect('accounts', scope => 'is_us', forbid_delete => true);
SELECT port_pin_gate('port_orders', via => 'account', redact => true);
\a \t

INSERT INTO accounts (id, name, is_us) VALUES (1, 'Ada', true), (2, 'Bea', true), (3, 'Cleo', false);
INSERT INTO numbers VALUES ('+12025550101', 1), ('+12025550102', 1), ('+12025550103', 2), ('+16135550104', 3);

\echo
\echo '== A PIN is 6 to 10 digits, or it is no PIN'
\echo
UPDATE accounts SET pin = '12345' WHERE name = 'Ada';
\echo @error 23514
UPDATE accounts SET pin = '482 1306' WHERE name = 'Ada';
\echo @error 23514

\echo
\echo '== It starts blank. Ada sets hers, a leading zero and all; nobody can read it'
\echo
UPDATE accounts SET pin = '0482130' WHERE name = 'Ada';
\echo @rows :ROW_COUNT 1
SELECT name, is_us, left(pin, 36) AS pin FROM accounts ORDER BY id;

\echo '== Once set it can be changed, but not cleared, however it is tried'
\echo
UPDATE accounts SET pin = '7306482' WHERE name = 'Ada';
\echo @rows :ROW_COUNT 1
UPDATE accounts SET pin = NULL WHERE name = 'Ada';
\echo @error 23PN0
INSERT INTO accounts (id, name) VALUES (1, 'Ada')
ON CONFLICT (name) DO UPDATE SET pin = EXCLUDED.pin;
\echo @error 23PN0

\echo
\echo '== An order names a number, and must bring the PIN of the account behind it'
\echo
INSERT INTO port_orders (number, carrier) VALUES ('+12025550101', 'Other Mobile');
\echo @error 23PN5
INSERT INTO port_orders (number, carrier, pin) VALUES ('+12025550101', 'Other Mobile', '0482130');
\echo @error 23PN7
INSERT INTO port_orders (number, carrier, pin) VALUES ('+12025550101', 'Other Mobile', '7306482');
\echo @rows :ROW_COUNT 1

\echo
\echo '== Bea has no PIN yet, so her number stays, also if the order brings the PIN of Ada'
\echo
INSERT INTO port_orders (number, carrier, pin) VALUES ('+12025550103', 'Other Mobile', '7306482');
\echo @error 23PN4
UPDATE port_orders SET number = '+12025550103';
\echo @error 23PN4

\echo
\echo '== Cleo is not in the US: the rule is not for that account'
\echo
INSERT INTO port_orders (number, carrier) VALUES ('+16135550104', 'Autre Mobile');
\echo @rows :ROW_COUNT 1

\echo
\echo '== One bad order refuses the whole batch. The clerk has no right on accounts, and needs none'
\echo
CREATE ROLE clerk;
GRANT INSERT ON port_orders TO clerk;
SET ROLE clerk;
SELECT pin FROM accounts;
\echo @error 42501
INSERT INTO port_orders (number, carrier, pin) VALUES
    ('+12025550102', 'Other Mobile', '7306482'),
    ('+12025550101', 'Other Mobile', '7777123');
\echo @error 23PN7
RESET ROLE;
SELECT id, number, carrier, pin FROM port_orders;
\echo @rows :ROW_COUNT 2

\echo '== Would you rather keep bad orders, and answer the carrier? The gate is replaced in place: now it gives verdicts'
\echo
\a \t
SELECT port_pin_gate('port_orders', via => 'account', verdict => 'verdict', redact => true, replace => true);
\a \t
INSERT INTO port_orders (number, carrier, pin) VALUES
    ('+12025550101', 'Other Mobile', '7306482'),
    ('+12025550102', 'Other Mobile', '1111111'),
    ('+12025550102', 'Other Mobile', NULL),
    ('+12025550103', 'Other Mobile', '7306482');
\echo @rows :ROW_COUNT 4
SELECT o.number, o.pin, o.verdict, r.code, r.meaning
FROM port_orders o LEFT JOIN port_pin_reject_codes r ON r.verdict = o.verdict AND r.code_set = 'wireless'
WHERE o.verdict IS NOT NULL ORDER BY o.id;
\echo @rows :ROW_COUNT 4

\echo '== Three wrong PINs were counted so far. Now somebody guesses, and rolls back so that nobody sees it'
\echo
BEGIN;
INSERT INTO port_orders (number, carrier, pin)
SELECT '+12025550101', 'Mallory Mobile', 730000 + n FROM generate_series(1, 50) n;
SELECT verdict, count(*) FROM port_orders WHERE carrier = 'Mallory Mobile' GROUP BY verdict ORDER BY verdict;
\echo @rows :ROW_COUNT 2
ROLLBACK;

\echo
\echo '== It is on record, and the account is locked out: not even the right PIN is looked at now'
\echo
SELECT account_table, account_key, failures FROM port_pin_lockouts;
\echo @rows :ROW_COUNT 1
INSERT INTO port_orders (number, carrier, pin) VALUES ('+12025550101', 'Other Mobile', '7306482') RETURNING verdict;
\echo @rows :ROW_COUNT 1
SELECT port_pin_lift_lockout('accounts', 1) > 0 AS lifted;
INSERT INTO port_orders (number, carrier, pin) VALUES ('+12025550101', 'Other Mobile', '7306482') RETURNING verdict;
\echo @rows :ROW_COUNT 1

\echo '== A guard that is lost is noticed'
\echo
ALTER TABLE accounts DISABLE TRIGGER port_pin_protect;
SELECT port_pin_assert_guarded('accounts');
\echo @error 55000
ALTER TABLE accounts ENABLE TRIGGER port_pin_protect;
SELECT relation, guard, problem FROM port_pin_guards;
\echo @rows :ROW_COUNT 2
\echo @end
