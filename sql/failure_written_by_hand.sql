-- What the record says counts from the next order on, whatever wrote it.
--
-- A session knows which accounts have failures until it is told of a change.  So every
-- session is told of rows that portpin has not written, as it is of portpin's own,
-- however they come: by hand, by replication, by a restore.

CREATE SCHEMA failures;
TRUNCATE port_pin_failures;
SET search_path = failures, public;
SET client_min_messages = warning;
SET portpin.max_failures_per_account = 1;
\set VERBOSITY sqlstate

CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
CREATE TABLE port_orders (account int REFERENCES accounts, pin text);
INSERT INTO accounts SELECT n, '735517' FROM generate_series(1, 9) n;
SELECT count(*) > 0 AS guarded FROM port_pin_protect('accounts');
SELECT count(*) > 0 AS gated FROM port_pin_gate('port_orders', pin => 'pin');
CREATE FUNCTION fail(id int) RETURNS void LANGUAGE sql AS $$
	INSERT INTO port_pin_failures (failed_at, account_schema, account_table, account_key,
			order_schema, order_table, pid)
		VALUES (clock_timestamp(), 'failures', 'accounts', ARRAY[id], 'failures', 'port_orders', 0)
$$;
CREATE FUNCTION place_all() RETURNS TABLE (accounts text) LANGUAGE plpgsql AS $$
DECLARE
	refused text := '';
BEGIN
	FOR n IN 1 .. 9 LOOP
		BEGIN
			INSERT INTO failures.port_orders VALUES (n, '735517');
		EXCEPTION WHEN SQLSTATE '23PN3' THEN
			refused := refused || n;
		END;
	END LOOP;
	RETURN QUERY SELECT 'refused: ' || refused;
END $$;

-- The session knows the record, and it is empty.
SELECT place_all();
SELECT place_all();

-- By hand, in the transaction itself and after it.
BEGIN;
SELECT fail(1);
SELECT place_all();
ROLLBACK;
SELECT place_all();
SELECT fail(1);
SELECT place_all();

-- As replication and a restore write it.
SET session_replication_role = replica;
SELECT fail(2);
RESET session_replication_role;
SELECT place_all();
COPY port_pin_failures (failed_at, account_schema, account_table, account_key, order_schema, order_table, pid) FROM stdin;
infinity	failures	accounts	{3}	failures	port_orders	0
\.
SELECT place_all();

-- By UPDATE; and a name or key that is not quite the account's is another's.
INSERT INTO port_pin_failures (failed_at, account_schema, account_table, account_key, order_schema, order_table, pid)
	SELECT failed_at, account_schema, other, key, order_schema, order_table, pid
	FROM port_pin_failures, (VALUES ('ACCOUNTS', '{4}'::text[]), ('accounts', '{4,4}')) o (other, key)
	WHERE account_key = '{3}';
SELECT place_all();
UPDATE port_pin_failures SET account_key = '{5}' WHERE account_key = '{4,4}';
SELECT place_all();

-- Rows that go, and come back when that is rolled back.
BEGIN;
DELETE FROM port_pin_failures WHERE account_key = '{1}';
SELECT place_all();
SELECT port_pin_lift_lockout('accounts', 2);
SELECT place_all();
SAVEPOINT before;
TRUNCATE port_pin_failures;
SELECT place_all();
SELECT place_all();
ROLLBACK TO before;
SELECT place_all();
ROLLBACK;
SELECT place_all();

-- Many more than a session would keep are looked up one by one; then it knows all again.
INSERT INTO port_pin_failures (failed_at, account_schema, account_table, account_key, order_schema, order_table, pid)
	SELECT clock_timestamp(), 'failures', 'strangers', ARRAY[n], 'failures', 'port_orders', 0
	FROM generate_series(1, 300) n;
SELECT place_all() FROM generate_series(1, 3);
SELECT place_all() FROM generate_series(1, 10) OFFSET 9;

-- Without the index that tells what is new, it looks up every account.
BEGIN;
DROP INDEX port_pin_failures_failed_at;
SELECT place_all() FROM generate_series(1, 10) OFFSET 9;
ROLLBACK;
SELECT place_all() FROM generate_series(1, 10) OFFSET 9;

-- The trigger that tells is for the record, and for nothing else.
\set VERBOSITY default
CREATE TRIGGER tell BEFORE INSERT ON port_orders
	FOR EACH ROW EXECUTE FUNCTION port_pin_failures_trigger();
INSERT INTO port_orders VALUES (9, '735517');
-- The PIN of an order that meets it is not shown.
\set SHOW_CONTEXT always
COPY port_orders FROM STDIN;
9	735517
\.

SELECT port_pin_purge_failures('0') > 0 AS purged;
TRUNCATE port_pin_failures;
DROP SCHEMA failures CASCADE;
