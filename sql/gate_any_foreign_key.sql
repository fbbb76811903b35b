-- Promise: whatever the foreign key looks like, the gate finds the account that
-- it means, and no other.
CREATE SCHEMA keys;
SET search_path = keys, public;
SET client_min_messages = warning;  -- what DROP ... CASCADE takes along
SET portpin.max_failures_per_account = 0;   -- many tables here are called accounts

-- What came of a statement, in one word.
CREATE FUNCTION try(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'accepted';
EXCEPTION WHEN integrity_constraint_violation THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

--
-- Composite keys: all columns count, in whatever order
--
CREATE TABLE accounts (
    spare text,
    no int,
    pin port_pin,
    tenant text,
    PRIMARY KEY (tenant, no)
);
CREATE TABLE port_orders (
    id int,
    pin port_pin,
    gone text,
    account int,
    tenant text,
    FOREIGN KEY (account, tenant) REFERENCES accounts (no, tenant)
);
-- Dropped columns shift nothing.
ALTER TABLE accounts DROP spare;
ALTER TABLE port_orders DROP gone;
INSERT INTO accounts (tenant, no, pin) VALUES ('a', 1, '100001'), ('a', 2, '100002'),
    ('b', 1, '200001'), ('b', 2, NULL);
SELECT count(*) FROM port_pin_protect('accounts');
SELECT port_pin_gate('port_orders');
INSERT INTO port_orders (id, tenant, account, pin) VALUES (1, 'a', 1, '100001'),
    (2, 'b', 1, '200001'), (3, 'a', 2, '100002');
SELECT tenant, account, pin, try(format('INSERT INTO port_orders (id, tenant, account, pin)
    VALUES (4, %L, %s, %L)', tenant, account, pin))
FROM (VALUES ('a', 1, '200001'), ('a', 1, '100002'), ('b', 2, '100002'), ('b', 1, '100001'))
    AS t(tenant, account, pin);
UPDATE port_orders SET tenant = 'b' WHERE id = 1;
UPDATE port_orders SET account = 2 WHERE id = 1;

-- A key with one NULL column passes a MATCH SIMPLE foreign key.  It belongs to
-- nobody.
INSERT INTO port_orders (id, tenant, account, pin) VALUES (4, 'a', NULL, '100001');
INSERT INTO port_orders (id, tenant, account, pin) VALUES (4, NULL, 1, '100001');
UPDATE port_orders SET tenant = NULL WHERE id = 1;

-- Columns that come and go later.
ALTER TABLE accounts ADD note text DEFAULT 'x';
ALTER TABLE port_orders ADD note text DEFAULT 'x', ADD more int DEFAULT 7;
ALTER TABLE port_orders DROP note;
INSERT INTO port_orders (id, tenant, account, pin) VALUES (4, 'b', 1, '200001');
INSERT INTO port_orders (id, tenant, account, pin) VALUES (5, 'b', 1, '100001');

-- Renamed columns: gate and guard go by their names, and the gate stays shut.
ALTER TABLE port_orders RENAME pin TO port_out_pin;
INSERT INTO port_orders (id, tenant, account, port_out_pin) VALUES (5, 'b', 1, '200001');
ALTER TABLE port_orders RENAME port_out_pin TO pin;
ALTER TABLE port_orders RENAME tenant TO customer;
INSERT INTO port_orders (id, customer, account, pin) VALUES (5, 'b', 1, '200001');
ALTER TABLE port_orders RENAME customer TO tenant;
ALTER TABLE accounts RENAME pin TO port_out_pin;
INSERT INTO port_orders (id, tenant, account, pin) VALUES (5, 'b', 1, '200001');
ALTER TABLE accounts RENAME port_out_pin TO pin;
-- The key's other end, and the tables, may be called anything.
ALTER TABLE accounts RENAME no TO number;
ALTER TABLE accounts RENAME TO customers;
ALTER TABLE port_orders RENAME TO port_requests;
INSERT INTO port_requests (id, tenant, account, pin) VALUES (5, 'b', 1, '200001');
INSERT INTO port_requests (id, tenant, account, pin) VALUES (6, 'b', 1, '100001');
DROP TABLE customers, port_requests;

--
-- Types: the order's key need not have the type of the account's
--
CREATE EXTENSION citext;
CREATE DOMAIN account_no AS int CHECK (VALUE > 0);
CREATE DOMAIN account_name AS varchar(20);
CREATE TYPE region AS ENUM ('east', 'west');
CREATE FUNCTION key_of(referenced text, referencing text, one text, two text,
    OUT accounts_key text, OUT orders_key text, OUT rightly text, OUT wrongly text,
    OUT another text)
LANGUAGE plpgsql AS $$
BEGIN
    accounts_key := referenced;
    orders_key := referencing;
    EXECUTE format('CREATE TABLE keys.accounts (pin port_pin, key %s PRIMARY KEY)', referenced);
    EXECUTE format('CREATE TABLE keys.port_orders (key %s REFERENCES keys.accounts, pin port_pin)',
                   referencing);
    PERFORM port_pin_protect('keys.accounts');
    PERFORM port_pin_gate('keys.port_orders');
    EXECUTE format('INSERT INTO keys.accounts VALUES (%L, %L), (%L, %L)', '111000', one, '222000', two);
    rightly := keys.try(format('INSERT INTO keys.port_orders VALUES (%L, %L), (%L, %L)',
                               one, '111000', two, '222000'));
    wrongly := keys.try(format('INSERT INTO keys.port_orders VALUES (%L, %L)', one, '222000'));
    another := keys.try(format('UPDATE keys.port_orders SET key = %L WHERE key = %L', two, one));
    DROP TABLE keys.port_orders, keys.accounts;
END $$;
SELECT k.accounts_key, k.orders_key, k.rightly, left(k.wrongly, 5) AS wrongly,
       left(k.another, 5) AS another_account
FROM (VALUES
    ( 1, 'int8', 'int4', '1', '2'),
    ( 2, 'int8', 'int2', '-1', '2'),
    ( 3, 'int4', 'int8', '1', '2147483647'),
    ( 4, 'numeric', 'int', '1', '2'),
    ( 5, 'numeric(10,2)', 'int8', '1', '2'),
    ( 6, 'float8', 'int', '1', '2'),
    ( 7, 'float8', 'numeric', '1.5', '2.5'),
    ( 8, 'text', 'varchar(5)', 'one', 'two'),
    ( 9, 'varchar(5)', 'text', 'one', 'two'),
    (10, 'text', 'char(5)', 'one', 'two'),
    (11, 'char(5)', 'char(9)', 'one', 'two'),
    (12, 'text', 'name', 'one', 'two'),
    (13, 'account_no', 'int', '1', '2'),
    (14, 'int', 'account_no', '1', '2'),
    (15, 'int8', 'account_no', '1', '2'),
    (16, 'account_name', 'text', 'one', 'two'),
    (17, 'text', 'account_name', 'one', 'two'),
    (18, 'uuid', 'uuid', '11111111-1111-1111-1111-111111111111', '11111111-1111-1111-1111-111111111112'),
    (19, 'region', 'region', 'east', 'west'),
    (20, 'citext', 'citext', 'One', 'Two'),
    (22, 'text', 'citext', 'One', 'Two'),
    (23, 'timestamptz', 'timestamptz', '2026-01-01 00:00+00', '2026-01-02 00:00+00'),
    (24, 'timestamptz', 'date', '2026-01-01', '2026-01-02'),
    (25, 'date', 'timestamptz', '2026-01-01', '2026-01-02'),
    (26, 'bytea', 'bytea', '\x00', '\x0000'),
    (27, 'inet', 'cidr', '10.0.0.0/8', '10.0.0.0/9'),
    (28, 'int[]', 'int[]', '{1,2}', '{2,1}'),
    (29, 'interval', 'interval', '1 mon', '31 days'),
    (30, 'int4range', 'int4range', '[1,2)', '[1,3)'),
    (31, 'oid', 'regclass', '1259', '1247'),
    (32, 'bool', 'bool', 'true', 'false')) AS t(n, referenced, referencing, one, two),
    key_of(referenced, referencing, one, two) AS k ORDER BY n;

-- Another spelling of the same key is the same account: where the type sees no
-- difference there is nothing to judge, and where there is one the PIN is right.
CREATE TABLE accounts (key numeric PRIMARY KEY, pin port_pin);
CREATE TABLE port_orders (key numeric REFERENCES accounts, pin port_pin);
SELECT count(*) FROM port_pin_protect('accounts');
SELECT count(*) FROM port_pin_gate('port_orders');
INSERT INTO accounts VALUES (1, '111000'), (2, '222000');
INSERT INTO port_orders VALUES (1.00, '111000');
INSERT INTO port_orders VALUES (1.000, '222000');
UPDATE port_orders SET key = 1.0000;
UPDATE port_orders SET key = 2.0;
UPDATE port_orders SET key = 2.0, pin = '222000';
DROP TABLE port_orders, accounts;
CREATE TABLE accounts (key citext PRIMARY KEY, pin port_pin);
CREATE TABLE port_orders (key citext REFERENCES accounts, pin port_pin);
SELECT count(*) FROM port_pin_protect('accounts');
SELECT port_pin_gate('port_orders');
INSERT INTO accounts VALUES ('Acme', '111000'), ('Bolt', '222000');
INSERT INTO port_orders VALUES ('ACME', '111000');
INSERT INTO port_orders VALUES ('bolt', '111000');
UPDATE port_orders SET key = 'acme';
UPDATE port_orders SET key = 'BOLT';
DROP TABLE port_orders, accounts;
SET TimeZone = 'Asia/Tokyo';
CREATE TABLE accounts (key timestamptz PRIMARY KEY, pin port_pin);
CREATE TABLE port_orders (key timestamptz REFERENCES accounts, pin port_pin);
SELECT count(*) FROM port_pin_protect('accounts');
SELECT count(*) FROM port_pin_gate('port_orders');
INSERT INTO accounts VALUES ('2026-01-01 09:00', '111000');
SET TimeZone = 'UTC';
INSERT INTO port_orders VALUES ('2026-01-01 00:00', '111000');
INSERT INTO port_orders VALUES ('2026-01-01 00:00', '222000');
RESET TimeZone;
DROP TABLE port_orders, accounts;

--
-- PINs of your own types: a domain over port_pin, and one over that
--
CREATE DOMAIN strong_pin AS port_pin CHECK (NOT port_pin_is_weak(VALUE));
CREATE DOMAIN long_pin AS strong_pin CHECK (length(VALUE) >= 8);
CREATE TABLE accounts (id int PRIMARY KEY, pin long_pin);
CREATE TABLE port_orders (account_id int REFERENCES accounts, note text, pin strong_pin);
SELECT count(*) FROM port_pin_protect('accounts');
SELECT port_pin_gate('port_orders');
INSERT INTO accounts VALUES (1, '24680135');
INSERT INTO port_orders VALUES (1, '', '24680135');
INSERT INTO port_orders VALUES (1, '', '24680136');
INSERT INTO port_orders VALUES (1, '', NULL);
UPDATE accounts SET pin = NULL;
-- Legacy columns, named: varchar on one side, text on the other.  The accounts' column
-- is named at their guard, and the gate finds it there.
DROP TABLE port_orders, accounts;
CREATE DOMAIN legacy_pin AS varchar(12);
CREATE TABLE accounts (id int PRIMARY KEY, secret varchar(12));
CREATE TABLE port_orders (account_id int REFERENCES accounts, pin text, code legacy_pin);
SELECT count(*) FROM port_pin_protect('accounts', pin => 'secret');
SELECT port_pin_gate('port_orders', pin => 'code');
INSERT INTO accounts VALUES (1, '246801'), (2, ''), (3, ' 246801'), (4, 'secret');
SELECT id, code, try(format('INSERT INTO port_orders VALUES (%s, NULL, %L)', id, code))
FROM (VALUES (1, '246801'), (1, '246801 '), (1, ''), (1, E'\t'), (2, ''), (2, '246801'),
    (3, ' 246801'), (3, '246801'), (4, 'secret')) AS t(id, code);
DROP TABLE port_orders, accounts;

--
-- Partitioned accounts
--
-- Such a key has clones in the catalogs, one for each partition.  Their names sort
-- before its own.
CREATE TABLE accounts (region text, id int, pin port_pin, PRIMARY KEY (id, region))
    PARTITION BY LIST (region);
CREATE TABLE accounts_east PARTITION OF accounts FOR VALUES IN ('east');
CREATE TABLE accounts_west (gone text, pin port_pin, id int NOT NULL, gone_too int, region text NOT NULL);
ALTER TABLE accounts_west DROP gone, DROP gone_too;
ALTER TABLE accounts ATTACH PARTITION accounts_west FOR VALUES IN ('west') ;
CREATE TABLE accounts_other PARTITION OF accounts DEFAULT PARTITION BY HASH (id);
CREATE TABLE accounts_other_0 PARTITION OF accounts_other FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE accounts_other_1 PARTITION OF accounts_other FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO accounts SELECT region, id, port_pin
    FROM (VALUES ('east', 1, '111001'), ('west', 1, '222001'), ('north', 1, '333001'),
                 ('north', 2, '333002'), ('south', 1, '444001'), ('west', 2, NULL)) AS t(region, id, port_pin);
CREATE TABLE port_orders (id int, account int, region text, pin port_pin,
    CONSTRAINT key FOREIGN KEY (account, region) REFERENCES accounts (id, region));
ALTER TABLE port_orders RENAME CONSTRAINT key TO zzz;
SELECT count(*) FROM port_pin_protect('accounts');
SELECT count(*) > 1 AS clones, min(conname) <> 'zzz' AS before_it FROM pg_constraint
    WHERE conrelid = 'port_orders'::regclass AND contype = 'f';
SELECT port_pin_gate('port_orders');
INSERT INTO port_orders SELECT 1, id, region, pin FROM accounts WHERE pin IS NOT NULL;
SELECT a.region, a.id, try(format('INSERT INTO port_orders VALUES (2, %s, %L, %L)', a.id, a.region, '333001'))
    FROM accounts a ORDER BY 1, 2;
-- A partition that comes later, one that leaves, one that comes back.
CREATE TABLE accounts_far PARTITION OF accounts FOR VALUES IN ('far');
INSERT INTO accounts VALUES ('far', 1, '555001');
INSERT INTO port_orders VALUES (3, 1, 'far', '555001');
INSERT INTO port_orders VALUES (3, 1, 'far', '111001');
DELETE FROM port_orders WHERE region = 'far';
ALTER TABLE accounts DETACH PARTITION accounts_far;
INSERT INTO port_orders VALUES (3, 1, 'far', '555001');
UPDATE accounts_far SET pin = '555002';
ALTER TABLE accounts ATTACH PARTITION accounts_far FOR VALUES IN ('far');
INSERT INTO port_orders VALUES (3, 1, 'far', '555001');
INSERT INTO port_orders VALUES (3, 1, 'far', '555002');
DROP TABLE port_orders;

--
-- Partitioned orders, too
--
CREATE TABLE port_orders (id int, account int, region text, pin port_pin,
    CONSTRAINT zzz FOREIGN KEY (account, region) REFERENCES accounts (id, region))
    PARTITION BY RANGE (id);
CREATE TABLE orders_1 PARTITION OF port_orders FOR VALUES FROM (0) TO (10);
CREATE TABLE orders_2 (pin port_pin, gone int, region text, account int, id int);
ALTER TABLE orders_2 DROP gone;
SELECT count(*) FROM port_pin_gate('port_orders');
-- The partition comes with a key of its own; attached, it has the gate.
ALTER TABLE orders_2 ADD CONSTRAINT aaa FOREIGN KEY (account, region) REFERENCES accounts (id, region);
INSERT INTO orders_2 (id, account, region, pin) VALUES (10, 1, 'east', '999999');
ALTER TABLE port_orders ATTACH PARTITION orders_2 FOR VALUES FROM (10) TO (20);
CREATE TABLE orders_3 PARTITION OF port_orders DEFAULT PARTITION BY LIST (region);
CREATE TABLE orders_3_west PARTITION OF orders_3 FOR VALUES IN ('west');
CREATE TABLE orders_3_rest PARTITION OF orders_3 DEFAULT;
INSERT INTO port_orders VALUES (1, 1, 'east', '111001'), (11, 1, 'east', '111001'), (21, 1, 'east', '111001'),
    (22, 1, 'west', '222001');
SELECT try(format('INSERT INTO %s (id, account, region, pin) VALUES (%s, 1, %L, %L)', t, id, r, '333001'))
FROM (VALUES ('port_orders', 2, 'east'), ('orders_1', 2, 'east'), ('port_orders', 12, 'east'),
    ('orders_2', 12, 'east'), ('port_orders', 22, 'east'), ('orders_3', 22, 'west'),
    ('orders_3_west', 22, 'west'), ('orders_3_rest', 22, 'east')) AS v(t, id, r);
-- An order that moves to another partition is not a new order, whatever today's PIN is.
UPDATE accounts SET pin = '111002' WHERE region = 'east';
UPDATE port_orders SET id = id + 10 WHERE id < 20 AND pin = '111001';
-- But on the way, neither account nor PIN may change.
UPDATE port_orders SET id = 1, region = 'west' WHERE id = 11;
UPDATE port_orders SET id = 1, pin = '999999' WHERE id = 11;
UPDATE port_orders SET id = 1, account = NULL WHERE id = 11;
UPDATE port_orders SET id = 1, pin = NULL WHERE id = 11;
UPDATE port_orders SET id = 12, pin = '111001' WHERE id = 1;
UPDATE port_orders SET id = 12, pin = '111002' WHERE id = 1;
SELECT tableoid::regclass, * FROM port_orders ORDER BY id, region;
DROP TABLE port_orders, accounts;

--
-- Odd keys
--
-- Two that say the same: either will do.
CREATE TABLE accounts (id int UNIQUE, parent int, pin port_pin);
CREATE UNIQUE INDEX other_index ON accounts (id) INCLUDE (pin);
CREATE TABLE port_orders (account_id int REFERENCES accounts (id), pin port_pin,
    CONSTRAINT again FOREIGN KEY (account_id) REFERENCES accounts (id));
SELECT count(*) FROM port_pin_protect('accounts');
SELECT count(*) FROM port_pin_gate('port_orders');
INSERT INTO accounts VALUES (1, NULL, '111000'), (NULL, NULL, '222000'), (2, 1, NULL);
INSERT INTO port_orders VALUES (1, '111000');
INSERT INTO port_orders VALUES (1, '222000');
-- An account without a key is no order's account.
INSERT INTO port_orders VALUES (NULL, '222000');
ALTER TABLE port_orders DROP CONSTRAINT again;
INSERT INTO port_orders VALUES (1, '222000');
INSERT INTO port_orders VALUES (1, '111000');
-- Without any key, the gate is shut.
ALTER TABLE port_orders DROP CONSTRAINT port_orders_account_id_fkey;
INSERT INTO port_orders VALUES (1, '111000');
-- Dropped and created anew in one transaction.
BEGIN;
ALTER TABLE port_orders ADD CONSTRAINT a FOREIGN KEY (account_id) REFERENCES accounts (id);
INSERT INTO port_orders VALUES (1, '111000');
CREATE TABLE new_accounts (pin port_pin, id int PRIMARY KEY);
INSERT INTO new_accounts VALUES ('333000', 1);
ALTER TABLE port_orders DROP CONSTRAINT a,
    ADD CONSTRAINT a FOREIGN KEY (account_id) REFERENCES new_accounts (id);
SAVEPOINT s;
INSERT INTO port_orders VALUES (1, '333000');
ROLLBACK TO s;
SELECT count(*) FROM port_pin_protect('new_accounts');
SAVEPOINT s;
INSERT INTO port_orders VALUES (1, '111000');
ROLLBACK TO s;
INSERT INTO port_orders VALUES (1, '333000');
COMMIT;
-- A longer key is another key, even if it begins alike.
ALTER TABLE accounts ADD UNIQUE (id, parent);
ALTER TABLE port_orders DROP CONSTRAINT a, ADD other int;
ALTER TABLE port_orders ADD FOREIGN KEY (account_id, other) REFERENCES accounts (id, parent) NOT VALID;
INSERT INTO port_orders VALUES (1, '111000', NULL);
DROP TABLE port_orders, accounts, new_accounts;

-- Accounts that are orders: each new member names the member that brought it, with
-- that one's PIN.  Both columns hold PINs of a table on the path, so each has a guard,
-- and account_pin names the one that counts.
CREATE TABLE members (id int PRIMARY KEY, referrer int REFERENCES members,
    own_pin port_pin, referrer_pin port_pin, is_referred boolean GENERATED ALWAYS AS (referrer IS NOT NULL) STORED);
SELECT count(*) FROM port_pin_protect('members', pin => 'own_pin');
SELECT port_pin_gate('members', pin => 'referrer_pin', account_pin => 'own_pin', scope => 'is_referred');
SELECT count(*) FROM port_pin_protect('members', pin => 'referrer_pin', clearable => true);
SELECT port_pin_gate('members', pin => 'referrer_pin', account_pin => 'referrer_pin', scope => 'is_referred');
SELECT port_pin_gate('members', pin => 'referrer_pin', account_pin => 'own_pin', scope => 'is_referred');
INSERT INTO members VALUES (1, NULL, '111000');
INSERT INTO members VALUES (2, 1, '222000', '111000');
INSERT INTO members VALUES (3, 2, '333000', '111000');
INSERT INTO members VALUES (3, 3, '333000', '333000');
INSERT INTO members VALUES (4, 5, NULL, '555000'), (5, NULL, '555000', NULL);
SELECT id, referrer FROM members ORDER BY id;
DROP TABLE members;

--
-- What was found is kept no longer than it is true
--
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin, note text);
CREATE TABLE port_orders (id int, account_id int REFERENCES accounts, pin port_pin);
SELECT count(*) FROM port_pin_protect('accounts');
SELECT count(*) FROM port_pin_gate('port_orders');
INSERT INTO accounts VALUES (1, '111000', '999999');
PREPARE place(text) AS INSERT INTO port_orders VALUES (1, 1, $1);
EXECUTE place('111000');
BEGIN;
-- The guard goes with the column.
ALTER TABLE accounts DROP pin CASCADE;
SAVEPOINT s;
EXECUTE place('111000');
ROLLBACK TO s;
ALTER TABLE accounts ADD pin port_pin DEFAULT '222000';
SAVEPOINT s;
EXECUTE place('222000');
ROLLBACK TO s;
SELECT count(*) FROM port_pin_protect('accounts');
EXECUTE place('222000');
SAVEPOINT s;
EXECUTE place('111000');
ROLLBACK TO s;
COMMIT;
DEALLOCATE place;
-- Between two rows of one statement.  The trigger's name begins with a capital, so
-- that it fires before the gate.
CREATE FUNCTION rebuild() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id = 2 THEN
        ALTER TABLE accounts DROP pin CASCADE, ADD filler int DEFAULT 333000, ADD pin port_pin DEFAULT '333000';
        PERFORM port_pin_protect('accounts');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER "A_rebuild" AFTER INSERT ON port_orders FOR EACH ROW EXECUTE FUNCTION rebuild();
BEGIN;
INSERT INTO port_orders VALUES (1, 1, '222000'), (2, 1, '333000'), (3, 1, '333000');
ROLLBACK;
INSERT INTO port_orders VALUES (1, 1, '222000'), (2, 1, '333000'), (3, 1, '222000');
CREATE OR REPLACE FUNCTION rebuild() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id = 2 THEN
        ALTER TABLE accounts DROP pin CASCADE;
    ELSIF NEW.id = 3 THEN
        ALTER TABLE accounts ADD pin text DEFAULT '222000';
        PERFORM port_pin_protect('accounts', pin => 'pin');
    END IF;
    RETURN NULL;
END $$;
INSERT INTO port_orders VALUES (1, 1, '222000'), (2, 1, '222000'), (3, 1, '222000');
DROP TRIGGER "A_rebuild" ON port_orders;
CREATE TRIGGER z_rebuild AFTER INSERT ON port_orders FOR EACH ROW EXECUTE FUNCTION rebuild();
INSERT INTO port_orders VALUES (1, 1, '222000'), (2, 1, '222000'), (3, 1, '222000');
SELECT count(*) FROM port_orders;
DROP TABLE port_orders, accounts CASCADE;

--
-- A cast function gets the arguments that it takes: the value, the type modifier too,
-- or beside both whether the cast is explicit.
--
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
INSERT INTO accounts VALUES (1, '111000'), (2, '222000');
SELECT count(*) > 0 AS guarded FROM port_pin_protect('accounts');
CREATE TYPE town AS ENUM ('first', 'second');
CREATE FUNCTION account_of(place town, modifier int) RETURNS int LANGUAGE sql IMMUTABLE
    AS $$SELECT CASE WHEN modifier = -1 THEN array_position('{first,second}', place) END$$;
CREATE CAST (town AS int) WITH FUNCTION account_of(town, int) AS IMPLICIT;
CREATE TABLE orders_of_towns (account town REFERENCES accounts, pin text);
SELECT count(*) > 0 AS gated FROM port_pin_gate('orders_of_towns', pin => 'pin');
INSERT INTO orders_of_towns VALUES ('second', '222000');
INSERT INTO orders_of_towns VALUES ('second', '111000');
CREATE TYPE street AS ENUM ('first', 'second');
CREATE FUNCTION account_of(place street, modifier int, explicit boolean) RETURNS int LANGUAGE sql IMMUTABLE
    AS $$SELECT CASE WHEN modifier = -1 AND explicit IS NOT NULL THEN array_position('{first,second}', place) END$$;
CREATE CAST (street AS int) WITH FUNCTION account_of(street, int, boolean) AS IMPLICIT;
CREATE TABLE orders_of_streets (account street REFERENCES accounts, pin text);
SELECT count(*) > 0 AS gated FROM port_pin_gate('orders_of_streets', pin => 'pin');
INSERT INTO orders_of_streets VALUES ('second', '222000');
INSERT INTO orders_of_streets VALUES ('second', '111000');

DROP SCHEMA keys CASCADE;
