-- An order gets the same verdict however its account is stored: in one table, or in
-- one that is partitioned in any way.  The gate searches the partition that can hold
-- the account, or all of them where it can't tell which.
CREATE SCHEMA lookup;
SET search_path = lookup, public;
SET client_min_messages = warning;

CREATE TABLE plain (region text COLLATE "C", id bigint, pin port_pin, PRIMARY KEY (region, id));

CREATE TABLE hashed (LIKE plain INCLUDING ALL) PARTITION BY HASH (id, region);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE hashed_2 PARTITION OF hashed FOR VALUES WITH (MODULUS 3, REMAINDER 2);

CREATE TABLE listed (LIKE plain INCLUDING ALL) PARTITION BY LIST (region);
CREATE TABLE listed_west PARTITION OF listed FOR VALUES IN ('CA', 'WA');
CREATE TABLE listed_rest PARTITION OF listed DEFAULT;

-- ranges with a gap from 50 on; two levels; partitions whose columns are in another order
CREATE TABLE ranged (LIKE plain INCLUDING ALL) PARTITION BY RANGE (id);
CREATE TABLE ranged_low (pin port_pin, gone int, id bigint, region text COLLATE "C" NOT NULL)
    PARTITION BY LIST (region);
ALTER TABLE ranged_low DROP gone, ALTER id SET NOT NULL;
ALTER TABLE ranged ATTACH PARTITION ranged_low FOR VALUES FROM (MINVALUE) TO (3);
CREATE TABLE ranged_low_west (id bigint NOT NULL, pin port_pin, region text COLLATE "C" NOT NULL);
ALTER TABLE ranged_low ATTACH PARTITION ranged_low_west FOR VALUES IN ('CA', 'WA');
CREATE TABLE ranged_low_rest PARTITION OF ranged_low DEFAULT;
CREATE TABLE ranged_high PARTITION OF ranged FOR VALUES FROM (3) TO (50);

-- where the order's key has another type (integer, below), all partitions are searched
CREATE TABLE narrow (LIKE plain INCLUDING ALL) PARTITION BY RANGE (id);
CREATE TABLE narrow_low PARTITION OF narrow FOR VALUES FROM (MINVALUE) TO (2);
CREATE TABLE narrow_high PARTITION OF narrow FOR VALUES FROM (2) TO (50);

-- the orders that are given to each: every verdict, all in one statement
CREATE TABLE given (id int, region text COLLATE "C", account bigint, pin text);
INSERT INTO given VALUES
    (1, 'CA', 1, '100001'), (2, 'CA', 1, '100002'), (3, 'CA', 2, '100002'),
    (4, 'WA', 3, '100003'), (5, 'WA', 3, NULL),     (6, 'NY', 4, '100004'),
    (7, 'NY', 5, '100005'), (8, 'CA', 4, '100004'), (9, 'NY', 1, '100001'),
    (10, NULL, 1, '100001'), (11, 'CA', 99, '100001'), (12, 'TX', 49, '100049');

CREATE PROCEDURE prepare(accounts text, key_type text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO %I (region, id, pin) VALUES
        (''CA'', 1, ''100001''), (''CA'', 2, ''100002''), (''WA'', 3, ''100003''),
        (''NY'', 4, ''100004''), (''NY'', 5, NULL), (''TX'', 49, ''100049'')', accounts);
    EXECUTE format('CREATE TABLE %I (id int, region text COLLATE "C", account %s,
        pin text, verdict port_pin_verdict,
        FOREIGN KEY (region, account) REFERENCES %I DEFERRABLE INITIALLY DEFERRED)',
        accounts || '_orders', key_type, accounts);
    PERFORM port_pin_protect(accounts);
    PERFORM port_pin_gate(accounts || '_orders', pin => 'pin', verdict => 'verdict');
END $$;

CALL prepare('plain', 'bigint');
CALL prepare('hashed', 'bigint');
CALL prepare('listed', 'bigint');
CALL prepare('ranged', 'bigint');
CALL prepare('narrow', 'integer');

-- The foreign keys are deferred, so that orders of unknown accounts are judged, too.
BEGIN;
INSERT INTO plain_orders SELECT * FROM given;
SELECT region, account, pin, verdict FROM plain_orders ORDER BY id;

INSERT INTO hashed_orders SELECT * FROM given;
SELECT * FROM plain_orders EXCEPT SELECT * FROM hashed_orders;

INSERT INTO listed_orders SELECT * FROM given;
SELECT * FROM plain_orders EXCEPT SELECT * FROM listed_orders;

INSERT INTO ranged_orders SELECT * FROM given;
SELECT * FROM plain_orders EXCEPT SELECT * FROM ranged_orders;

INSERT INTO narrow_orders SELECT * FROM given;
SELECT * FROM plain_orders EXCEPT SELECT * FROM narrow_orders;
ROLLBACK;

-- An account that moves to another partition is found where it is.
UPDATE ranged SET id = 7 WHERE id = 1;
INSERT INTO ranged_orders VALUES (1, 'CA', 7, '100001'), (2, 'CA', 2, '100001') RETURNING verdict;

-- So is one in a partition that is created between two orders of one statement.
CREATE FUNCTION add_account(account bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE ranged_%s PARTITION OF ranged FOR VALUES FROM (%s) TO (%s)',
                   account, account, account + 1);
    EXECUTE format('INSERT INTO ranged VALUES (''CA'', %s, ''100200'')', account);
    RETURN account;
END $$;
INSERT INTO ranged_orders
    SELECT i, 'CA', CASE i WHEN 1 THEN 7 ELSE add_account(100 * i) END, '100200'
    FROM generate_series(1, 3) i RETURNING account, verdict;

-- A column with a default that is added to existing accounts counts for each of them.
ALTER TABLE plain ADD frozen boolean NOT NULL DEFAULT true;
CREATE TABLE late_orders (region text COLLATE "C", account bigint, pin port_pin,
    verdict port_pin_verdict, FOREIGN KEY (region, account) REFERENCES plain);
SELECT count(*) FROM port_pin_protect('plain', lock => 'frozen', replace => true);
SELECT count(*) FROM port_pin_gate('late_orders', verdict => 'verdict');
INSERT INTO late_orders VALUES ('CA', 1, '100001') RETURNING verdict;
UPDATE plain SET frozen = false WHERE id = 2;
INSERT INTO late_orders VALUES ('CA', 1, '100001'), ('CA', 2, '100002') RETURNING verdict;

-- Orders of one partition: the guard is where it is stated, here on accounts that have
-- since become a partition of others.
CREATE TABLE america (region text, id bigint, pin port_pin, frozen boolean) PARTITION BY LIST (region);
CREATE TABLE california PARTITION OF america FOR VALUES IN ('CA');
ALTER TABLE california ADD PRIMARY KEY (id);
SELECT count(*) FROM port_pin_protect('america');
CREATE TABLE world (LIKE america) PARTITION BY LIST (region);
ALTER TABLE world ATTACH PARTITION america FOR VALUES IN ('CA', 'NY');
INSERT INTO world VALUES ('CA', 1, '100001');
CREATE TABLE california_orders (account bigint REFERENCES california, pin port_pin, verdict port_pin_verdict);
SELECT count(*) FROM port_pin_gate('california_orders', verdict => 'verdict');
INSERT INTO california_orders VALUES (1, '100001'), (1, '100002') RETURNING verdict;
-- What it says after a change counts at once.
CREATE OR REPLACE TRIGGER port_pin_protect AFTER UPDATE ON america
    FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger('pin=pin', 'lock=frozen');
UPDATE world SET frozen = true;
INSERT INTO california_orders VALUES (1, '100001') RETURNING verdict;

DROP SCHEMA lookup CASCADE;
