-- Guesses are counted, and the count outlives the guesser's rollback.
--
-- A refused order rolls back, and with it any counter that a trigger wrote.  So
-- portpin records a wrong PIN in a transaction of its own, before the client that
-- supplied it is told.  Too many of them lock the account out: its orders are
-- refused before their PIN is looked at, even if it is right.

CREATE SCHEMA failures;
TRUNCATE port_pin_failures;
SET search_path = failures, public;
SET client_min_messages = warning;

CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin, frozen bool, pin_until timestamptz);
CREATE TABLE port_orders (account int REFERENCES accounts, pin text);
INSERT INTO accounts (id, pin) VALUES (1, '735517'), (2, '735517'), (3, NULL);
SELECT count(*) > 0 AS guarded
	FROM port_pin_protect('accounts', lock => 'frozen', expires => 'pin_until');
SELECT count(*) > 0 AS gated FROM port_pin_gate('port_orders', pin => 'pin');

\set VERBOSITY sqlstate
SHOW portpin.max_failures_per_account;
SHOW portpin.failure_window;

-- Ten wrong guesses, each of them refused and rolled back.
SELECT format('INSERT INTO port_orders VALUES (1, %L)', 100000 + n) FROM generate_series(1, 10) n
\gexec
SELECT count(*) FROM port_orders;
SELECT account_schema, account_table, account_key, order_schema, order_table, count(*)
	FROM port_pin_failures GROUP BY 1, 2, 3, 4, 5;

-- What is recorded about each: who asked, and from where.  Never the PIN.
SELECT DISTINCT role_name = current_user AS role_name, login_name = session_user AS login_name,
		client_addr IS NOT DISTINCT FROM inet_client_addr() AS client_addr,
		application_name = current_setting('application_name') AS application_name,
		pid = pg_backend_pid() AS pid, lifted_at
	FROM port_pin_failures;
SELECT count(*) FROM port_pin_failures f WHERE f::text ~ '10000|735517';

-- The account is locked out: the right PIN is refused like a wrong one, and
-- neither is recorded.  Other accounts are not affected.
INSERT INTO port_orders VALUES (1, '735517');
INSERT INTO port_orders VALUES (1, '100001');
INSERT INTO port_orders VALUES (1, NULL);
INSERT INTO port_orders VALUES (2, '735517');
SELECT count(*) FROM port_pin_failures;

SELECT account_schema, account_table, account_key, failures,
		locked_since = (SELECT max(failed_at) FROM port_pin_failures) AS since_the_last,
		locked_until = (SELECT min(failed_at) FROM port_pin_failures) + interval '1 hour' AS until_the_first_ages_out
	FROM port_pin_lockouts;

-- Only what is decided before that is still told: the number is locked by its owner.
UPDATE accounts SET frozen = true WHERE id = 1;
INSERT INTO port_orders VALUES (1, '735517');
UPDATE accounts SET frozen = NULL WHERE id = 1;

-- A role that may do so lifts the lock-out.  The records stay, and are marked.
SELECT port_pin_lift_lockout('accounts', '1');
INSERT INTO port_orders VALUES (1, '735517');
SELECT count(*), count(lifted_at) FROM port_pin_failures;
SELECT * FROM port_pin_lockouts;
SELECT port_pin_lift_lockout('accounts', '1') AS nothing_to_lift;

-- It ends by itself when the oldest guess ages out.
SET portpin.max_failures_per_account = 3;
INSERT INTO port_orders VALUES (2, '100001');
INSERT INTO port_orders VALUES (2, '100002');
INSERT INTO port_orders VALUES (2, '100003');
INSERT INTO port_orders VALUES (2, '735517');
UPDATE port_pin_failures SET failed_at = failed_at - interval '59 minutes'
	WHERE failed_at = (SELECT min(failed_at) FROM port_pin_failures WHERE account_key = '{2}');
INSERT INTO port_orders VALUES (2, '735517');
SELECT account_key, locked_until < now() + interval '2 minutes' AS soon FROM port_pin_lockouts;
UPDATE port_pin_failures SET failed_at = failed_at - interval '1 minute'
	WHERE failed_at = (SELECT min(failed_at) FROM port_pin_failures WHERE account_key = '{2}');
INSERT INTO port_orders VALUES (2, '735517');
INSERT INTO port_orders VALUES (2, '100004');
INSERT INTO port_orders VALUES (2, '735517');
SET portpin.failure_window = '1s';
SELECT pg_sleep(1.1);
INSERT INTO port_orders VALUES (2, '735517');
RESET portpin.failure_window;

-- Records are kept until they are purged.
SELECT port_pin_purge_failures('59 minutes');
SELECT port_pin_purge_failures('0');
SELECT count(*) FROM port_pin_failures;

-- No guesses: a right PIN, no PIN, an account that has none, is unknown or frozen,
-- and a PIN that has expired, for then right and wrong are the same.
SET portpin.max_failures_per_account = 1;
INSERT INTO port_orders VALUES (1, '735517');
INSERT INTO port_orders VALUES (1, '');
INSERT INTO port_orders VALUES (3, '100001');
INSERT INTO port_orders VALUES (NULL, '100001');
UPDATE accounts SET frozen = true WHERE id = 1;
UPDATE accounts SET pin_until = '2000-01-01' WHERE id = 2;
INSERT INTO port_orders VALUES (1, '100001');
INSERT INTO port_orders VALUES (2, '100001');
UPDATE accounts SET frozen = NULL, pin_until = NULL;
SELECT count(*) FROM port_pin_failures;

-- A value that can't be a PIN is no guess, either: it is wrong, but a badly formatted
-- file locks nobody out.
INSERT INTO port_orders VALUES (1, '12345');
INSERT INTO port_orders VALUES (1, '100001 ');
INSERT INTO port_orders VALUES (1, '=100001');
INSERT INTO port_orders VALUES (1, '100001.0');
INSERT INTO port_orders VALUES (1, '12345678901');
INSERT INTO port_orders VALUES (1, U&'\0661\0660\0660\0660\0660\0661');
SELECT count(*) FROM port_pin_failures;

-- An UPDATE of an order can be a guess, too.
UPDATE port_orders SET pin = '100001' WHERE account = 1;
UPDATE port_orders SET pin = '735517' WHERE account = 1;
SELECT port_pin_lift_lockout('accounts', '1');
SELECT port_pin_purge_failures('0');
RESET portpin.max_failures_per_account;

-- However the guesser tries to undo it: savepoint, rollback, a PL exception block.
BEGIN;
SAVEPOINT before;
INSERT INTO port_orders VALUES (1, '100001');
ROLLBACK TO before;
INSERT INTO port_orders VALUES (1, '100002');
ROLLBACK;
CREATE FUNCTION try(pin text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO port_orders VALUES (1, pin);
	RETURN 'accepted';
EXCEPTION WHEN integrity_constraint_violation THEN
	RETURN sqlstate;
END $$;
SELECT try('100003');
COPY port_orders FROM stdin;
1	735517
1	100004
\.
INSERT INTO port_orders VALUES (1, '735517'), (1, '100005'), (1, '100006');
SELECT count(*) AS one_of_each_statement FROM port_pin_failures;

-- A loop in one statement gets no further than the limit.
SELECT try, count(*) FROM (SELECT try((200000 + n)::text) FROM generate_series(1, 100) n) s
	GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM port_pin_failures;
SELECT port_pin_lift_lockout('accounts', '1');

-- In a check that is deferred to the end of the transaction.
CREATE TABLE wishes (pin text);
CREATE FUNCTION grant_wish() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO failures.port_orders VALUES (1, NEW.pin);
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER grant_wish AFTER INSERT ON wishes
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION grant_wish();
BEGIN;
INSERT INTO wishes VALUES ('100001');
COMMIT;
SELECT count(*) FROM port_pin_failures WHERE lifted_at IS NULL;

-- The guesses recorded by now count, whatever the transaction's snapshot is.
SET portpin.max_failures_per_account = 3;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM port_pin_failures WHERE lifted_at IS NULL;
SAVEPOINT before;
INSERT INTO port_orders VALUES (1, '100002');
ROLLBACK TO before;
INSERT INTO port_orders VALUES (1, '100003');
ROLLBACK TO before;
INSERT INTO port_orders VALUES (1, '735517');
ROLLBACK TO before;
SELECT count(*) AS in_this_snapshot FROM port_pin_failures WHERE lifted_at IS NULL;
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO port_orders VALUES (1, '735517');
ROLLBACK;

-- Lifting a lock-out is part of its transaction, like any other change.
BEGIN;
SELECT port_pin_lift_lockout('accounts', '1');
INSERT INTO port_orders VALUES (1, '735517');
ROLLBACK;
INSERT INTO port_orders VALUES (1, '735517');
SELECT port_pin_lift_lockout('accounts', '1');
RESET portpin.max_failures_per_account;
SELECT port_pin_purge_failures('0') > 0 AS purged;

-- Where orders are kept with their verdict, nothing is refused, and guesses count too.
CREATE TABLE requests (account int REFERENCES accounts, pin text, verdict port_pin_verdict);
SELECT count(*) > 0 AS gated FROM port_pin_gate('requests', pin => 'pin', verdict => 'verdict');
SET portpin.max_failures_per_account = 2;
INSERT INTO requests SELECT 1, 100000 + n FROM generate_series(1, 4) n;
SELECT pin, verdict FROM requests ORDER BY pin;
INSERT INTO port_orders VALUES (1, '735517');
BEGIN;
INSERT INTO requests VALUES (2, '100001');
ROLLBACK;
SELECT account_key, order_table FROM port_pin_failures ORDER BY failed_at;

-- A statement with many orders looks into the record for each, or knows all of it: an
-- account is locked out from the first order to the last, and current settings count.
UPDATE port_pin_failures SET failed_at = failed_at - interval '1 minute';
CREATE FUNCTION set_window(n int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	IF n IN (100, 200) THEN
		PERFORM set_config('portpin.failure_window', CASE n WHEN 100 THEN '1h' ELSE '1s' END, false);
	END IF;
	RETURN 1 + n % 2;
END $$;
SET portpin.failure_window = '1s';
TRUNCATE requests;
INSERT INTO requests SELECT set_window(n), '735517' FROM generate_series(1, 300) n;
SELECT account, verdict, count(*) FROM requests GROUP BY 1, 2 ORDER BY 1, 2;
RESET portpin.failure_window;
SELECT port_pin_purge_failures('0');

-- Without a limit nothing is counted and nothing recorded.
SET portpin.max_failures_per_account = 0;
INSERT INTO port_orders VALUES (1, '100001');
INSERT INTO port_orders VALUES (1, '735517');
SELECT count(*) FROM port_pin_failures;
SELECT count(*) FROM port_pin_lockouts;
RESET portpin.max_failures_per_account;

-- What the client that places the order reads.
\set VERBOSITY default
SET portpin.max_failures_per_account = 1;
INSERT INTO port_orders VALUES (1, '100001');
INSERT INTO port_orders VALUES (1, '735517');
RESET portpin.max_failures_per_account;

-- Without the record's table and the key of that table no order gets in.
ALTER TABLE port_pin_failures RENAME TO hidden;
INSERT INTO port_orders VALUES (1, '735517');
CREATE VIEW public.port_pin_failures AS TABLE hidden;
INSERT INTO port_orders VALUES (1, '735517');
DROP VIEW public.port_pin_failures;
ALTER TABLE hidden RENAME TO port_pin_failures;
BEGIN;
ALTER TABLE port_pin_failures DROP CONSTRAINT port_pin_failures_pkey;
CREATE INDEX of_a_part ON port_pin_failures (account_schema, account_table, account_key, failed_at) WHERE lifted_at IS NULL;
INSERT INTO port_orders VALUES (1, '735517');
ROLLBACK;
SELECT port_pin_lift_lockout('accounts', '1');
INSERT INTO port_orders VALUES (1, '735517');

SELECT port_pin_purge_failures('0');
DROP SCHEMA failures CASCADE;
