-- Promise: a refusal by portpin shows no PIN, neither the stored one nor the one
-- supplied: not in a message, a detail or a hint, and not in the context, where COPY
-- and PL/pgSQL put rows and statements.
\set SHOW_CONTEXT always
SET portpin.max_failures_per_account = 0; -- how wrong PINs are counted: failure_outlives_rollback.sql
CREATE SCHEMA quiet;
SET search_path = quiet, public;
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin, frozen boolean, good_until timestamptz);
CREATE TABLE port_orders (id int PRIMARY KEY, account_id int REFERENCES accounts, pin port_pin, note text);
SELECT count(*) FROM port_pin_protect('accounts', lock => 'frozen', expires => 'good_until', forbid_delete => true);
SELECT count(*) FROM port_pin_gate('port_orders');
-- Every stored PIN here begins with 246, every one supplied with 975.
INSERT INTO accounts VALUES (1, '246000', NULL, NULL), (2, NULL, NULL, NULL),
    (3, '246003', true, NULL), (4, '246004', false, '-infinity');
INSERT INTO port_orders VALUES (0, 1, '246000');
UPDATE accounts SET pin = '246001' WHERE id = 1;

--
-- As a client sees it, with all the context that there is
--
COPY port_orders FROM STDIN;
1	1	246001	let in
2	1	975001	refused
\.
DO $$
BEGIN
    EXECUTE 'INSERT INTO quiet.port_orders VALUES (1, 1, ''975001'')';
END $$;
DO $$
BEGIN
    EXECUTE 'UPDATE quiet.port_orders SET pin = ''975001'' WHERE pin = ''246000''';
END $$;
DO $$
BEGIN
    INSERT INTO quiet.port_orders VALUES (1, 3, '975001');
END $$;
DO $$
BEGIN
    EXECUTE 'UPDATE quiet.accounts SET pin = NULL WHERE pin = ''246001''';
END $$;
DO $$
BEGIN
    EXECUTE 'DELETE FROM quiet.accounts WHERE pin = ''246003''';
END $$;
CREATE FUNCTION place(int, int, text) RETURNS void LANGUAGE sql
    AS 'INSERT INTO quiet.port_orders VALUES ($1, $2, $3)';
SELECT place(1, 1, '975001');
SELECT place(1, 2, '975001');
SELECT place(1, 4, '975001');
WITH o AS (INSERT INTO port_orders VALUES (1, 1, '975001') RETURNING pin) SELECT * FROM o;
\set pin '''975001'''
PREPARE place AS INSERT INTO port_orders VALUES (1, 1, $1);
EXECUTE place(:pin);
DEALLOCATE place;
-- Inside other people's triggers.
CREATE TABLE inbox (account_id int, pin text);
CREATE FUNCTION deliver() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO quiet.port_orders VALUES (1, %s, %L)', NEW.account_id, NEW.pin);
    RETURN NULL;
END $$;
CREATE TRIGGER deliver AFTER INSERT ON inbox FOR EACH ROW EXECUTE FUNCTION deliver();
COPY inbox FROM STDIN;
1	975001
\.
-- A misplaced guard is as quiet.
CREATE TABLE orders_2 (LIKE port_orders, FOREIGN KEY (account_id) REFERENCES accounts);
CREATE TRIGGER g BEFORE INSERT ON orders_2 FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger();
COPY orders_2 FROM STDIN;
1	1	975001	x
\.
DROP TRIGGER g ON orders_2;
CREATE TRIGGER g AFTER INSERT ON orders_2 FOR EACH ROW EXECUTE FUNCTION port_pin_gate_trigger('975001');
COPY orders_2 FROM STDIN;
1	1	975001	x
\.
-- So are the remains of a guard, and the gate that misses it.
BEGIN;
DROP TRIGGER port_pin_protect ON accounts;
SAVEPOINT lost;
COPY port_orders FROM STDIN;
1	1	246001	x
\.
ROLLBACK TO lost;
DO $$
BEGIN
    EXECUTE 'DELETE FROM quiet.accounts WHERE pin = ''246003''';
END $$;
ROLLBACK;

-- A key is named, unless the PIN is in it.
CREATE TABLE holders (id int PRIMARY KEY, pin port_pin, frozen boolean, UNIQUE (id, pin));
INSERT INTO holders VALUES (1, '246001', true);
SELECT count(*) FROM port_pin_protect('holders', lock => 'frozen');
CREATE TABLE orders_3 (holder int, pin port_pin, FOREIGN KEY (holder, pin) REFERENCES holders (id, pin));
SELECT count(*) FROM port_pin_gate('orders_3');
INSERT INTO orders_3 VALUES (1, '246001');
INSERT INTO port_orders VALUES (1, 3, '246003');

--
-- As a program sees it: all fields of all refusals, searched
--
CREATE FUNCTION fields_of(statement text, OUT code text, OUT message text, OUT shows_pin boolean)
LANGUAGE plpgsql AS $$
DECLARE
    t text[];
    f text;
BEGIN
    EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
    t := ARRAY[SQLSTATE, SQLERRM];
    GET STACKED DIAGNOSTICS f = PG_EXCEPTION_DETAIL;  t := t || f;
    GET STACKED DIAGNOSTICS f = PG_EXCEPTION_HINT;    t := t || f;
    GET STACKED DIAGNOSTICS f = PG_EXCEPTION_CONTEXT; t := t || f;
    GET STACKED DIAGNOSTICS f = COLUMN_NAME;          t := t || f;
    GET STACKED DIAGNOSTICS f = CONSTRAINT_NAME;      t := t || f;
    GET STACKED DIAGNOSTICS f = PG_DATATYPE_NAME;     t := t || f;
    GET STACKED DIAGNOSTICS f = TABLE_NAME;           t := t || f;
    GET STACKED DIAGNOSTICS f = SCHEMA_NAME;          t := t || f;
    code := t[1];
    message := t[2];
    shows_pin := t::text ~ '246|975';
END $$;
SELECT f.* FROM (VALUES
    ( 1, $$INSERT INTO port_orders VALUES (1, NULL, '975001')$$),
    ( 2, $$INSERT INTO port_orders VALUES (1, 2, '975001')$$),
    ( 3, $$INSERT INTO port_orders VALUES (1, 3, '975001')$$),
    ( 4, $$INSERT INTO port_orders VALUES (1, 4, '975001')$$),
    ( 5, $$INSERT INTO port_orders VALUES (1, 1, NULL)$$),
    ( 6, $$INSERT INTO port_orders VALUES (1, 1, '975001')$$),
    ( 7, $$INSERT INTO port_orders VALUES (0, 1, '246009') ON CONFLICT (id) DO UPDATE SET pin = '975001'$$),
    ( 8, $$INSERT INTO port_orders VALUES (0, 1, '246001') ON CONFLICT (id) DO UPDATE SET pin = '975001'$$),
    ( 9, $$UPDATE port_orders SET pin = '975001' WHERE pin = '246000'$$),
    (10, $$UPDATE accounts SET pin = NULL WHERE pin = '246001'$$),
    (11, $$UPDATE accounts SET id = 9 WHERE pin = '246003'$$),
    (12, $$DELETE FROM accounts WHERE pin = '246003'$$),
    (13, $$TRUNCATE accounts, port_orders, orders_2$$),
    (14, $$SELECT quiet.place(1, 1, '975001')$$),
    (15, $$DO 'BEGIN EXECUTE $q$SELECT quiet.place(1, 1, $p$975001$p$)$q$; END'$$)) AS s(n, statement),
    fields_of(statement) AS f ORDER BY n;

--
-- Code that catches such an error has its contexts back
--
CREATE FUNCTION catch() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        EXECUTE 'INSERT INTO quiet.port_orders VALUES (1, 1, ''975001'')';
    EXCEPTION WHEN SQLSTATE '23PN7' THEN
        RAISE NOTICE 'caught';
    END;
    RAISE NOTICE 'after it';
    PERFORM 1 / 0;
END $$;
SELECT catch();

--
-- portpin can't hide what PostgreSQL itself says.  The domain's message shows no
-- value, but COPY and PL/pgSQL show what they were doing; a row that breaks another
-- constraint of the table is shown whole.
--
SELECT '975'::port_pin;
COPY port_orders FROM STDIN;
1	1	975	x
\.
DO $$
BEGIN
    EXECUTE 'UPDATE quiet.accounts SET pin = ''975''';
END $$;
ALTER TABLE port_orders ADD CONSTRAINT noted CHECK (note IS NOT NULL) NOT VALID;
INSERT INTO port_orders VALUES (1, 1, '246001');

SET client_min_messages = warning;
DROP SCHEMA quiet CASCADE;
