-- A source that fails at many accounts is locked out.
--
-- One guess at each of many accounts locks none of them.  So where the orders say who
-- asks, the different accounts that one source failed at are counted, too.

CREATE SCHEMA failures;
TRUNCATE port_pin_failures;
SET search_path = failures, public;
SET client_min_messages = warning;

CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin, frozen bool);
CREATE TABLE port_orders (account int REFERENCES accounts, pin text, carrier text);
INSERT INTO accounts SELECT n, '735517' FROM generate_series(1, 20) n;
SELECT count(*) > 0 AS guarded FROM port_pin_protect('accounts', lock => 'frozen');
SELECT count(*) > 0 AS gated FROM port_pin_gate('port_orders', pin => 'pin', source => 'carrier');

-- A source is recorded, so it must not be the PIN or be made from it; and it must be
-- there before the row is complete.
CREATE TABLE bad_orders (account int REFERENCES accounts, pin text, verdict port_pin_verdict,
	made text GENERATED ALWAYS AS (pin || 'x') STORED,
	other text GENERATED ALWAYS AS (account + 1) STORED);
SELECT port_pin_gate('bad_orders', pin => 'pin', source => 'pin');
SELECT port_pin_gate('bad_orders', pin => 'pin', source => 'made');
SELECT port_pin_gate('bad_orders', pin => 'pin', source => 'other', verdict => 'verdict');
\set VERBOSITY sqlstate

-- No source is, unless there is a limit; who failed at how many is known all the same.
SHOW portpin.max_accounts_per_source;
INSERT INTO port_orders VALUES (1, '100001', 'Fabrikam');
INSERT INTO port_orders VALUES (1, '100002', 'Fabrikam');
INSERT INTO port_orders VALUES (2, '100001', 'Fabrikam');
INSERT INTO port_orders VALUES (2, '100001', NULL);
SELECT account_key, source FROM port_pin_failures ORDER BY failed_at;
SELECT source, login_name = session_user AS login_name,
		client_addr IS NOT DISTINCT FROM inet_client_addr() AS client_addr,
		application_name = current_setting('application_name') AS application_name,
		accounts, failures, first_failed_at < last_failed_at AS lasts, locked_until
	FROM port_pin_suspects ORDER BY source;

-- Different accounts count.  Beyond the limit no PIN of the source is looked at, be it
-- right or wrong, for an account that is there, frozen or unknown.
SET portpin.max_accounts_per_source = 3;
INSERT INTO port_orders VALUES (1, '100003', 'Fabrikam');
INSERT INTO port_orders VALUES (3, '735517', 'Fabrikam');
INSERT INTO port_orders VALUES (3, '100001', 'Fabrikam');
INSERT INTO port_orders VALUES (4, '735517', 'Fabrikam');
INSERT INTO port_orders VALUES (4, '100001', 'Fabrikam');
INSERT INTO port_orders VALUES (NULL, '735517', 'Fabrikam');
UPDATE accounts SET frozen = true WHERE id = 5;
INSERT INTO port_orders VALUES (5, '735517', 'Fabrikam');
UPDATE port_orders SET pin = '100001' WHERE account = 3;
SELECT count(*) FROM port_pin_failures;

-- Other sources are not affected, and neither are orders of unknown source.
INSERT INTO port_orders VALUES (4, '735517', 'Northwind');
INSERT INTO port_orders VALUES (4, '735517', 'fabrikam');
INSERT INTO port_orders VALUES (4, '735517', NULL);

SELECT kind, account_schema, account_table, account_key, source, failures, accounts,
		locked_since = (SELECT max(failed_at) FROM port_pin_failures) AS since_the_third,
		locked_until = (SELECT max(failed_at) FROM port_pin_failures WHERE account_key = '{2}' AND source IS NOT NULL)
			+ interval '1 hour' AS until_the_first_ages_out
	FROM port_pin_lockouts;
SELECT source, accounts, failures,
		locked_until = (SELECT locked_until FROM port_pin_lockouts) AS locked_until
	FROM port_pin_suspects ORDER BY source;

-- It ends by itself when an account ages out, and begins anew with the next one.
UPDATE port_pin_failures SET failed_at = failed_at - interval '59 minutes' WHERE account_key = '{2}';
INSERT INTO port_orders VALUES (4, '735517', 'Fabrikam');
INSERT INTO port_orders VALUES (4, '735517', 'Fabrikam');
SELECT locked_until < clock_timestamp() + interval '2 minutes' AS soon FROM port_pin_lockouts;
UPDATE port_pin_failures SET failed_at = clock_timestamp() - interval '59 minutes 59 seconds' WHERE account_key = '{2}';
DO $$
BEGIN
	FOR n IN 1 .. 3 LOOP
		INSERT INTO failures.port_orders VALUES (4, '735517', 'Fabrikam');
	END LOOP;
EXCEPTION WHEN SQLSTATE '23PNA' THEN
	-- still locked out for a second, and the session knows it
END $$;
SELECT pg_sleep(1.1);
INSERT INTO port_orders VALUES (4, '735517', 'Fabrikam');
INSERT INTO port_orders VALUES (4, '735517', 'Fabrikam');
INSERT INTO port_orders VALUES (4, '100001', 'Fabrikam');
INSERT INTO port_orders VALUES (4, '735517', 'Fabrikam');
-- the current limit counts
SET portpin.max_accounts_per_source = 4;
INSERT INTO port_orders VALUES (4, '735517', 'Fabrikam');
SET portpin.max_accounts_per_source = 3;
INSERT INTO port_orders VALUES (4, '735517', 'Fabrikam');

-- Once lifted for the source, its failures still count for the accounts; and the other
-- way round.
SET portpin.max_failures_per_account = 1;
SELECT kind, account_key, source FROM port_pin_lockouts ORDER BY 1, 2;
SELECT port_pin_lift_source_lockout('Fabrikam'), port_pin_lift_source_lockout('Northwind');
INSERT INTO port_orders VALUES (1, '735517', 'Fabrikam');
INSERT INTO port_orders VALUES (6, '735517', 'Fabrikam');
SELECT kind, account_key, source FROM port_pin_lockouts ORDER BY 1, 2;
SELECT count(*), count(lifted_at) AS lifted, count(source_lifted_at) AS source_lifted FROM port_pin_failures;
INSERT INTO port_orders VALUES (6, '100001', 'Contoso');
INSERT INTO port_orders VALUES (7, '100001', 'Contoso');
INSERT INTO port_orders VALUES (8, '100001', 'Contoso');
SELECT port_pin_lift_lockout('accounts', n) FROM generate_series(1, 8) n;
INSERT INTO port_orders VALUES (8, '735517', 'Contoso');
INSERT INTO port_orders VALUES (8, '735517', 'Fabrikam');
BEGIN;
SELECT port_pin_lift_source_lockout('Contoso');
INSERT INTO port_orders VALUES (8, '735517', 'Contoso');
ROLLBACK;
INSERT INTO port_orders VALUES (8, '735517', 'Contoso');
RESET portpin.max_failures_per_account;

-- A source has one name, whatever settings a session chooses.
TRUNCATE port_pin_failures;
CREATE TABLE dated (account int REFERENCES accounts, pin text, since timestamptz);
SELECT count(*) > 0 AS gated FROM port_pin_gate('dated', pin => 'pin', source => 'since');
SET TimeZone = 'UTC';
INSERT INTO dated VALUES (1, '100001', '2026-01-02 03:04:05+00');
SET TimeZone = 'Asia/Tokyo';
SET DateStyle = 'German, DMY';
INSERT INTO dated VALUES (2, '100001', '2026-01-02 03:04:05+00');
RESET TimeZone;
RESET DateStyle;
SELECT source, count(*) FROM port_pin_failures GROUP BY 1;
DROP TABLE dated;

-- In one statement, with verdicts.
TRUNCATE port_pin_failures;
CREATE TABLE requests (account int REFERENCES accounts, pin text, carrier uuid, verdict port_pin_verdict);
SELECT count(*) > 0 AS gated
	FROM port_pin_gate('requests', pin => 'pin', source => 'carrier', verdict => 'verdict');
INSERT INTO requests SELECT n, '123456', ('00000000-0000-0000-0000-00000000000' || n % 2)::uuid FROM generate_series(9, 20) n;
SELECT carrier, verdict, count(*) FROM requests GROUP BY 1, 2 ORDER BY 1, 2;
SELECT port_pin_lift_source_lockout('00000000-0000-0000-0000-000000000001');

-- Names of any length are told apart; the limit on accounts need not be set.
SET portpin.max_failures_per_account = 0;
INSERT INTO port_orders SELECT 1, '100001', repeat('x', 9000) || 'a';
INSERT INTO port_orders SELECT 2, '100001', repeat('x', 9000) || 'a';
INSERT INTO port_orders SELECT 2, '100001', repeat('x', 9000) || 'b';
INSERT INTO port_orders SELECT 3, '100001', repeat('x', 9000) || 'a';
INSERT INTO port_orders SELECT 4, '735517', repeat('x', 9000) || 'a';
INSERT INTO port_orders SELECT 4, '735517', repeat('x', 9000) || 'b';
SELECT kind, left(source, 3), length(source), accounts FROM port_pin_lockouts WHERE source ~ 'x' ORDER BY 3;
SELECT port_pin_lift_source_lockout(repeat('x', 9000) || 'a');
RESET portpin.max_failures_per_account;

-- The record counts without an order, too; and without its index no source is let in.
INSERT INTO port_pin_failures (failed_at, account_schema, account_table, account_key, order_schema, order_table, source, pid)
	SELECT now(), 'failures', 'others', ARRAY[n], '', '', 'Woodgrove', 0 FROM generate_series(1, 3) n;
INSERT INTO port_orders VALUES (1, '735517', 'Woodgrove');
BEGIN;
DROP INDEX port_pin_failures_source;
\set VERBOSITY default
INSERT INTO port_orders VALUES (1, '735517', 'Woodgrove');
ROLLBACK;
INSERT INTO port_orders VALUES (1, '735517', 'Woodgrove');

-- The desk needs a grant; figures are for pg_monitor, and have no account's key.
CREATE ROLE regress_portpin_desk;
CREATE ROLE regress_portpin_monitor IN ROLE pg_monitor;
SET ROLE regress_portpin_desk;
SELECT port_pin_lift_source_lockout('Woodgrove');
SELECT * FROM port_pin_suspects;
SELECT * FROM port_pin_stats;
RESET ROLE;
GRANT EXECUTE ON FUNCTION port_pin_lift_source_lockout TO regress_portpin_desk;
SELECT guards < (SELECT count(*) FROM port_pin_guards) AS grant_is_no_guard FROM port_pin_stats;
SET ROLE regress_portpin_desk;
SELECT port_pin_lift_source_lockout('Woodgrove');
BEGIN READ ONLY;
SELECT port_pin_lift_source_lockout('Woodgrove');
ROLLBACK;
RESET ROLE;
REVOKE EXECUTE ON FUNCTION port_pin_lift_source_lockout FROM regress_portpin_desk;
INSERT INTO port_orders VALUES (1, '100001', 'Adatum');
SET portpin.max_accounts_per_source = 1;
SET portpin.max_failures_per_account = 2;
SET ROLE regress_portpin_monitor;
SELECT guards >= guards_with_problems AS guards, accounts_locked_out, sources_locked_out, failures_in_window,
		failures_recorded, oldest_failure < last_failure AS time_passes, keys_loaded >= 0 AS keys_loaded
	FROM port_pin_stats;
SELECT * FROM port_pin_lockouts;
RESET ROLE;
DROP ROLE regress_portpin_desk, regress_portpin_monitor;

SELECT port_pin_purge_failures('0') > 0 AS purged;
DROP SCHEMA failures CASCADE;
