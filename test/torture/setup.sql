-- The tables that torture.pl works on.  A "tag" is what a client calls a row: it stays
-- when the row's key changes.
SET client_min_messages = warning;
CREATE EXTENSION portpin CASCADE;
CREATE EXTENSION amcheck;

CREATE TABLE accounts (
    id     int PRIMARY KEY,
    tag    int NOT NULL UNIQUE,
    pin    port_pin,
    locked boolean NOT NULL DEFAULT false,
    note   text
);
CREATE TABLE numbers (
    e164    text PRIMARY KEY,
    account int NOT NULL REFERENCES accounts ON UPDATE CASCADE
);
CREATE TABLE sealed_accounts (
    id     int PRIMARY KEY,
    tag    int NOT NULL UNIQUE,
    pin    port_pin_sealed,
    locked boolean NOT NULL DEFAULT false,
    note   text
);

-- Its PINs port once.
CREATE TABLE one_time_accounts (
    id   int PRIMARY KEY,
    tag  int NOT NULL UNIQUE,
    pin  port_pin,
    used timestamptz
);

-- Its rows move between partitions, which differ and are detached and attached.
CREATE TABLE subscribers (tag int, region text, pin port_pin, PRIMARY KEY (tag, region))
    PARTITION BY LIST (region);
CREATE TABLE subscribers_east PARTITION OF subscribers FOR VALUES IN ('east');
CREATE TABLE subscribers_west (pin port_pin, gone text, region text NOT NULL, tag int NOT NULL);
ALTER TABLE subscribers_west DROP COLUMN gone;
ALTER TABLE subscribers ATTACH PARTITION subscribers_west FOR VALUES IN ('west');
CREATE TABLE subscribers_spare PARTITION OF subscribers FOR VALUES IN ('spare');
CREATE TABLE subscribers_else PARTITION OF subscribers DEFAULT;

CREATE TABLE orders (
    uid     text PRIMARY KEY,
    account int NOT NULL REFERENCES accounts ON UPDATE CASCADE,
    pin     port_pin,
    source  text
);
CREATE TABLE number_orders (
    uid    text PRIMARY KEY,
    number text NOT NULL REFERENCES numbers,
    pin    port_pin
);
CREATE TABLE sealed_orders (
    uid     text PRIMARY KEY,
    account int NOT NULL REFERENCES sealed_accounts,
    pin     port_pin
);
CREATE TABLE one_time_orders (
    uid     text PRIMARY KEY,
    account int NOT NULL REFERENCES one_time_accounts,
    pin     port_pin
);
-- Orders that are kept with their verdict, and move as they are worked on.
CREATE TABLE desk_orders (
    uid     text,
    state   text,
    account int NOT NULL REFERENCES accounts ON UPDATE CASCADE,
    pin     port_pin,
    verdict port_pin_verdict,
    PRIMARY KEY (uid, state)
) PARTITION BY LIST (state);
CREATE TABLE desk_orders_open PARTITION OF desk_orders FOR VALUES IN ('open');
CREATE TABLE desk_orders_done PARTITION OF desk_orders FOR VALUES IN ('done');

SELECT port_pin_protect('accounts', lock => 'locked', history => true);
SELECT port_pin_protect('sealed_accounts', lock => 'locked', forbid_delete => true);
SELECT port_pin_protect('one_time_accounts', used => 'used');
SELECT port_pin_protect('subscribers');
SELECT port_pin_gate('orders', source => 'source');
SELECT port_pin_gate('number_orders', fk => 'number', via => 'account');
SELECT port_pin_gate('sealed_orders', redact => true);
SELECT port_pin_gate('one_time_orders');
SELECT port_pin_gate('desk_orders', verdict => 'verdict', redact => true);

-- A readable column, which port_pin_seal_column is to seal: anew in each round.
CREATE PROCEDURE readable_again() LANGUAGE plpgsql AS $$
BEGIN
    DROP TABLE IF EXISTS legacy;
    CREATE TABLE legacy (id int PRIMARY KEY, pin port_pin);
    INSERT INTO legacy SELECT n, 7700000 + n FROM generate_series(1, 1000) n;
    ALTER TABLE legacy ALTER pin TYPE port_pin_sealed;
    PERFORM port_pin_protect('legacy');
END $$;

-- Nothing depends on it.
CREATE TABLE unrelated (id int);

-- To see whether the guards work: after each restart, in a transaction that is rolled back.
CREATE TABLE probe (id int PRIMARY KEY, pin port_pin);
CREATE TABLE probe_orders (account int NOT NULL REFERENCES probe, pin port_pin);
SELECT port_pin_protect('probe'), port_pin_gate('probe_orders');
INSERT INTO probe VALUES (1, '771234');
