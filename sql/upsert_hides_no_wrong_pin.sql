-- Promise: an order whose PIN was wrong never ends as accepted, whatever columns an
-- INSERT ... ON CONFLICT DO UPDATE writes; and a right PIN is accepted.  ORMs write
-- back all columns of the row that they tried to insert, and the gate has blanked the
-- PIN in it by then.
CREATE SCHEMA upsert;
SET search_path = upsert, public;
SET client_min_messages = warning;
SET portpin.max_failures_per_account = 0;
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
INSERT INTO accounts VALUES (1, '482913'), (2, '700654');
CREATE TABLE port_orders (
    ref text PRIMARY KEY, account int REFERENCES accounts, carrier text,
    pin port_pin, verdict port_pin_verdict
);
SELECT count(*) > 0 AS guarded FROM port_pin_protect('accounts');
SELECT count(*) > 0 AS gated FROM port_pin_gate('port_orders', verdict => 'verdict', redact => true);

-- What an application has: one order that was accepted.
INSERT INTO port_orders (ref, account, pin) VALUES ('A', 1, '482913') RETURNING *;

--
-- Each list of columns, with a wrong PIN and then with the right one
--
CREATE FUNCTION upsert(supplied text, assignments text) RETURNS TABLE (pin text, verdict port_pin_verdict)
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('INSERT INTO port_orders AS o (ref, account, carrier, pin)'
        ' VALUES (''A'', 1, ''Contoso'', %L) ON CONFLICT (ref) DO UPDATE SET %s'
        ' RETURNING o.pin::text, o.verdict', supplied, assignments);
END $$;
SELECT assignments, wrong.pin, wrong.verdict, rightly.pin, rightly.verdict
FROM (VALUES
    (1, 'carrier = excluded.carrier, pin = excluded.pin, verdict = excluded.verdict'),	-- Knex, Sequelize, TypeORM
    (2, 'account = excluded.account, carrier = excluded.carrier, pin = excluded.pin'),	-- SQLAlchemy, Django
    (3, 'carrier = excluded.carrier'),							-- ActiveRecord, update_only
    (4, 'pin = excluded.pin'),
    (5, 'verdict = excluded.verdict'),
    (6, 'verdict = ''accepted'''),
    (7, 'verdict = o.verdict, pin = o.pin'),
    (8, '(account, pin, verdict) = (SELECT excluded.account, excluded.pin, excluded.verdict)')
) AS v (n, assignments),
    LATERAL upsert('999999', assignments) AS wrong,
    LATERAL upsert(CASE WHEN wrong.verdict IS NOT NULL THEN '482913' END, assignments) AS rightly
ORDER BY n;

-- A PIN that the UPDATE brings itself is judged as ever.
SELECT * FROM upsert('999999', $$pin = '482913'$$);
SELECT * FROM upsert('482913', $$pin = '999999'$$);

-- With their own account and PIN, nobody gets somebody else's order accepted.
INSERT INTO port_orders (ref, account, pin) VALUES ('B', 2, '111222') RETURNING verdict;
INSERT INTO port_orders (ref, account, pin) VALUES ('B', 1, '482913')
    ON CONFLICT (ref) DO UPDATE SET carrier = 'mine', verdict = excluded.verdict RETURNING account, verdict;
-- But the order may become theirs, judged by the account that it is for then.
INSERT INTO port_orders (ref, account, pin) VALUES ('B', 1, '482913')
    ON CONFLICT (ref) DO UPDATE SET account = excluded.account RETURNING account, verdict;

-- Many rows in one statement, some new, some not, in any order.
INSERT INTO port_orders AS o (ref, account, pin) VALUES
    ('A', 1, '999999'), ('C', 1, '482913'), ('B', 1, '482913'), ('D', 2, '482913')
    ON CONFLICT (ref) DO UPDATE SET pin = excluded.pin, verdict = excluded.verdict RETURNING ref, verdict;
INSERT INTO port_orders AS o (ref, account, pin) VALUES
    ('D', 2, '700654'), ('A', 1, '482913'), ('C', 1, '000000')
    ON CONFLICT (ref) DO UPDATE SET carrier = 'again' RETURNING ref, verdict;
-- DO NOTHING stores nothing.
INSERT INTO port_orders (ref, account, pin) VALUES ('C', 1, '482913') ON CONFLICT DO NOTHING RETURNING ref;

--
-- What looks like the two halves, and is not
--
-- MERGE inserts one row and updates another; by a nested loop, in the order of the list.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
MERGE INTO port_orders o USING (VALUES ('E', '482913'), ('C', NULL)) AS s (ref, pin) ON o.ref = s.ref
    WHEN MATCHED THEN UPDATE SET carrier = 'merged'
    WHEN NOT MATCHED THEN INSERT (ref, account, pin) VALUES (s.ref, 1, s.pin);
SELECT ref, carrier, verdict FROM port_orders ORDER BY ref;
-- Statements one after the other.
WITH i AS (INSERT INTO port_orders (ref, account, pin) VALUES ('F', 1, '482913') RETURNING ref)
    UPDATE port_orders SET carrier = 'together' FROM i WHERE port_orders.ref = 'C' RETURNING verdict;

--
-- Whatever the unique index: on an expression, partial, on another column
--
ALTER TABLE port_orders DROP CONSTRAINT port_orders_pkey;
CREATE UNIQUE INDEX ON port_orders (lower(ref)) WHERE account IS NOT NULL;
INSERT INTO port_orders (ref, account, pin) VALUES ('a', 1, '999999')
    ON CONFLICT (lower(ref)) WHERE account IS NOT NULL
    DO UPDATE SET pin = excluded.pin, verdict = excluded.verdict RETURNING ref, verdict;
INSERT INTO port_orders (ref, account, pin) VALUES ('a', 1, '482913')
    ON CONFLICT (lower(ref)) WHERE account IS NOT NULL
    DO UPDATE SET pin = excluded.pin, verdict = excluded.verdict RETURNING ref, verdict;
DROP TABLE port_orders;

-- A row that is not in the index conflicts with none, whichever of the two it is.
CREATE TABLE port_orders (ref text, carrier text, account int REFERENCES accounts, pin port_pin, verdict port_pin_verdict);
CREATE UNIQUE INDEX ON port_orders (account) WHERE carrier = 'Contoso';
SELECT count(*) > 0 AS gated FROM port_pin_gate('port_orders', verdict => 'verdict', redact => true);
INSERT INTO port_orders VALUES ('A', 'Contoso', 1, '999999');
MERGE INTO port_orders o USING (VALUES ('B', '482913'), ('A', NULL)) AS s (ref, pin) ON o.ref = s.ref
    WHEN MATCHED THEN UPDATE SET carrier = 'Northwind'
    WHEN NOT MATCHED THEN INSERT VALUES (s.ref, 'Northwind', 1, s.pin);
MERGE INTO port_orders o USING (VALUES ('C', '482913'), ('A', NULL)) AS s (ref, pin) ON o.ref = s.ref
    WHEN MATCHED THEN UPDATE SET carrier = 'Fabrikam'
    WHEN NOT MATCHED THEN INSERT VALUES (s.ref, 'Contoso', 1, s.pin);
SELECT ref, carrier, verdict FROM port_orders ORDER BY ref;
DROP TABLE port_orders;

-- NULL conflicts with nothing, unless the index says so.
CREATE TABLE port_orders (ref text UNIQUE, slip int UNIQUE NULLS NOT DISTINCT, account int REFERENCES accounts,
    pin port_pin, verdict port_pin_verdict);
SELECT count(*) > 0 AS gated FROM port_pin_gate('port_orders', verdict => 'verdict', redact => true);
INSERT INTO port_orders VALUES (NULL, NULL, 1, '999999') RETURNING verdict;
INSERT INTO port_orders VALUES ('A', NULL, 1, '482913')
    ON CONFLICT (slip) DO UPDATE SET ref = excluded.ref, verdict = excluded.verdict RETURNING ref, verdict;
INSERT INTO port_orders VALUES ('A', NULL, 1, '999999')
    ON CONFLICT (slip) DO UPDATE SET ref = NULL, verdict = excluded.verdict RETURNING ref, verdict;
MERGE INTO port_orders o USING (VALUES (1, '482913'), (NULL, NULL)) AS s (slip, pin)
    ON o.slip IS NOT DISTINCT FROM s.slip
    WHEN MATCHED THEN UPDATE SET ref = NULL
    WHEN NOT MATCHED THEN INSERT (slip, account, pin) VALUES (s.slip, 1, s.pin);
SELECT ref, slip, verdict FROM port_orders ORDER BY slip;
DROP TABLE port_orders;

-- A partition whose columns are in another order.
CREATE TABLE port_orders (ref text, region text, account int REFERENCES accounts, pin port_pin,
    verdict port_pin_verdict, UNIQUE (ref, region)) PARTITION BY LIST (region);
CREATE TABLE orders_east (verdict port_pin_verdict, pin port_pin, gone int, region text, account int, ref text);
ALTER TABLE orders_east DROP gone;
ALTER TABLE port_orders ATTACH PARTITION orders_east FOR VALUES IN ('east');
SELECT count(*) > 0 AS gated FROM port_pin_gate('port_orders', verdict => 'verdict', redact => true);
INSERT INTO port_orders VALUES ('A', 'east', 1, '482913') RETURNING verdict;
INSERT INTO port_orders VALUES ('A', 'east', 1, '999999')
    ON CONFLICT (ref, region) DO UPDATE SET pin = excluded.pin, verdict = excluded.verdict RETURNING verdict;
INSERT INTO port_orders VALUES ('A', 'east', 1, '482913')
    ON CONFLICT (ref, region) DO UPDATE SET pin = excluded.pin RETURNING verdict;
DROP TABLE port_orders;

--
-- A gate that redacts and refuses: a right PIN gets in by an upsert, too
--
CREATE TABLE port_orders (ref text PRIMARY KEY, account int REFERENCES accounts, pin port_pin);
SELECT count(*) > 0 AS gated FROM port_pin_gate('port_orders', redact => true);
INSERT INTO port_orders VALUES ('A', 1, '482913') RETURNING *;
INSERT INTO port_orders VALUES ('A', 2, '700654')
    ON CONFLICT (ref) DO UPDATE SET account = excluded.account, pin = excluded.pin RETURNING *;
INSERT INTO port_orders VALUES ('A', 1, '700654')
    ON CONFLICT (ref) DO UPDATE SET account = excluded.account, pin = excluded.pin RETURNING *;

-- The row that is kept between the two halves goes with the statement, even on an error.
DO $$
BEGIN
    BEGIN
        INSERT INTO upsert.port_orders VALUES ('B', 1, '482913'), (NULL, 1, '482913');
    EXCEPTION WHEN not_null_violation THEN
        RAISE INFO 'refused';
    END;
    UPDATE upsert.port_orders SET ref = 'B' WHERE ref = 'A';
END $$;
SELECT * FROM port_orders;
DROP SCHEMA upsert CASCADE;
