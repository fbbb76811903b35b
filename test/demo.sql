-- The story that demo.sh tells, and checks.  Its lines that begin with an @ are
-- not told.  "@error 23PN7": that is what the statement before must have met; a
-- statement without one must succeed.  "@rows :ROW_COUNT 1": so many rows.

\set VERBOSITY verbose
\set SHOW_CONTEXT never
\pset footer off
\pset null '(blank)'

\echo '== A provisioning database: accounts, their numbers, and the orders to port a number out'
\echo
CREATE EXTENSION portpin CASCADE;

CREATE TABLE accounts (
    id           uuid PRIMARY KEY,
    email        varchar(255) NOT NULL UNIQUE,
    status       varchar(20) NOT NULL DEFAULT 'active',
    port_out_pin port_pin
);
CREATE TABLE numbers (
    e164         varchar(20) PRIMARY KEY,
    account_id   uuid REFERENCES accounts,
    UNIQUE (e164, account_id)
);
CREATE TABLE port_orders (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id   uuid NOT NULL REFERENCES accounts,
    number       varchar(20) NOT NULL,
    carrier      text NOT NULL,
    pin          port_pin,
    FOREIGN KEY (number, account_id) REFERENCES numbers (e164, account_id)
);

INSERT INTO accounts (id, email) VALUES
    ('ada00000-0000-0000-0000-000000000000', 'ada@example.com'),
    ('bea00000-0000-0000-0000-000000000000', 'bea@example.com');
INSERT INTO numbers VALUES
    ('+12025550101', 'ada00000-0000-0000-0000-000000000000'),
    ('+12025550102', 'ada00000-0000-0000-0000-000000000000'),
    ('+12025550103', 'bea00000-0000-0000-0000-000000000000');

\echo
\echo '== Two calls guard it; each returns the DDL that it ran, to paste into a migration'
\echo
\a \t
SELECT port_pin_protect('accounts');
SELECT port_pin_gate('port_orders');
\a \t

\echo
\echo '== A PIN is 6 to 10 digits, or it is not a PIN'
\echo
UPDATE accounts SET port_out_pin = '12345' WHERE email = 'ada@example.com';
\echo @error 23514
UPDATE accounts SET port_out_pin = '482 1306' WHERE email = 'ada@example.com';
\echo @error 23514
UPDATE accounts SET port_out_pin = '٤٨٢١٣٠٦' WHERE email = 'ada@example.com';
\echo @error 23514
SELECT pin, port_pin_problem(pin)
FROM (VALUES ('0482130'), ('12345'), ('48213064821'), ('482 1306'), ('٤٨٢١٣٠٦'), ('')) AS v (pin);
\echo @rows :ROW_COUNT 6

\echo '== It starts blank. Ada sets hers, a leading zero and all, and later changes it'
\echo
UPDATE accounts SET port_out_pin = '048213' WHERE email = 'ada@example.com';
\echo @rows :ROW_COUNT 1
UPDATE accounts SET port_out_pin = '0482130' WHERE email = 'ada@example.com';
\echo @rows :ROW_COUNT 1
SELECT email, status, port_out_pin FROM accounts ORDER BY email;

\echo '== Once set it is never cleared, whoever asks and however'
\echo
UPDATE accounts SET port_out_pin = NULL WHERE email = 'ada@example.com';
\echo @error 23PN0
UPDATE accounts SET status = 'suspended', port_out_pin = DEFAULT;
\echo @error 23PN0
INSERT INTO accounts (id, email) VALUES ('ada00000-0000-0000-0000-000000000000', 'ada@example.com')
ON CONFLICT (email) DO UPDATE SET port_out_pin = EXCLUDED.port_out_pin;
\echo @error 23PN0

\echo
\echo '== Bea has no PIN yet: her number does not move, whatever PIN comes with the order'
\echo
INSERT INTO port_orders (account_id, number, carrier, pin)
VALUES ('bea00000-0000-0000-0000-000000000000', '+12025550103', 'Other Mobile', '0482130');
\echo @error 23PN4

\echo
\echo '== Ada has one: an order without it, or with a wrong one, does not get in'
\echo
INSERT INTO port_orders (account_id, number, carrier)
VALUES ('ada00000-0000-0000-0000-000000000000', '+12025550101', 'Other Mobile');
\echo @error 23PN5
INSERT INTO port_orders (account_id, number, carrier, pin)
VALUES ('ada00000-0000-0000-0000-000000000000', '+12025550101', 'Other Mobile', '482130');
\echo @error 23PN7

\echo
\echo '== With the right one it does'
\echo
INSERT INTO port_orders (account_id, number, carrier, pin)
VALUES ('ada00000-0000-0000-0000-000000000000', '+12025550101', 'Other Mobile', '0482130');
SELECT id, number, carrier FROM port_orders;
\echo @rows :ROW_COUNT 1

\echo '== Nor does the right PIN of one account move a number of another, now or later'
\echo
INSERT INTO port_orders (account_id, number, carrier, pin)
VALUES ('ada00000-0000-0000-0000-000000000000', '+12025550103', 'Other Mobile', '0482130');
\echo @error 23503
UPDATE port_orders SET (account_id, number) = (SELECT account_id, e164 FROM numbers WHERE e164 = '+12025550103');
\echo @error 23PN4

\echo
\echo '== A batch by COPY, its first order with the right PIN, its second with a wrong one: neither gets in'
\echo
COPY port_orders (account_id, number, carrier, pin) FROM STDIN (FORMAT csv);
ada00000-0000-0000-0000-000000000000,+12025550102,Other Mobile,0482130
ada00000-0000-0000-0000-000000000000,+12025550101,Other Mobile,7777123
\.
\echo @error 23PN7
SELECT id, number, carrier FROM port_orders;
\echo @rows :ROW_COUNT 1

\echo '== A clerk who may write orders, and has no right at all on accounts, needs none'
\echo
CREATE ROLE clerk;
GRANT INSERT ON port_orders TO clerk;
SET ROLE clerk;
SELECT port_out_pin FROM accounts;
\echo @error 42501
SELECT port_pin_check('0482130', '0482130');
\echo @error 42501
INSERT INTO port_orders (account_id, number, carrier, pin)
VALUES ('ada00000-0000-0000-0000-000000000000', '+12025550102', 'Other Mobile', '0482131');
\echo @error 23PN7
INSERT INTO port_orders (account_id, number, carrier, pin)
VALUES ('ada00000-0000-0000-0000-000000000000', '+12025550102', 'Other Mobile', '0482130');
RESET ROLE;

\echo
\echo '== A table from before: the PIN is a varchar, and an empty one means blank'
\echo
CREATE TABLE numbers_cache (
    tn           varchar(20) PRIMARY KEY,
    status       varchar(50),
    portout_pin  varchar(10),
    last_updated timestamptz NOT NULL DEFAULT now()
);
INSERT INTO numbers_cache (tn, status, portout_pin) VALUES
    ('2025550104', 'Active', '604482'),
    ('2025550105', 'Active', '');
\a \t
SELECT port_pin_protect('numbers_cache', pin => 'portout_pin');
\a \t

\echo
\echo '== Its nightly sync writes what the vendor says, and where the vendor knows no PIN that is an empty one'
\echo
UPDATE numbers_cache SET status = 'Active', portout_pin = '604482', last_updated = now() WHERE tn = '2025550104';
\echo @rows :ROW_COUNT 1
UPDATE numbers_cache SET status = 'Active', portout_pin = '', last_updated = now() WHERE tn = '2025550105';
\echo @rows :ROW_COUNT 1
UPDATE numbers_cache SET status = 'Active', portout_pin = '', last_updated = now() WHERE tn = '2025550104';
\echo @error 23PN0
SELECT tn, portout_pin FROM numbers_cache ORDER BY tn;
\echo @rows :ROW_COUNT 2

\echo '== What is in the tables now, as psql shows it'
\echo
\echo '\\d accounts'
\d accounts
\echo '\\d port_orders'
\d port_orders
\echo @end
