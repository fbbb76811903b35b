--
-- The cost of the views of failed attempts depends on how many there are within
-- portpin.failure_window, not on how many are on record.
--
\set VERBOSITY terse
SET portpin.max_failures_per_account = 10;
SET portpin.max_accounts_per_source = 2;
TRUNCATE port_pin_failures;

-- Three thousand are old; thirty count: ten at each of three accounts, all from one source.
INSERT INTO port_pin_failures (failed_at, account_schema, account_table, account_key, order_schema, order_table, source, pid)
	SELECT clock_timestamp() - n * interval '1 day', 'public', 'accounts', ARRAY['1'], 'public', 'orders', 'web', n
		FROM generate_series(1, 3000) AS n;
INSERT INTO port_pin_failures (failed_at, account_schema, account_table, account_key, order_schema, order_table, source, pid)
	SELECT clock_timestamp() - interval '1 minute', 'public', 'accounts', ARRAY[(n % 3)::text], 'public', 'orders', 'web', n
		FROM generate_series(1, 30) AS n;
ANALYZE port_pin_failures;

CREATE VIEW read_by_us AS
	SELECT seq_tup_read, idx_tup_fetch < 1000 AS few_by_index FROM pg_stat_xact_all_tables
	WHERE relid = 'port_pin_failures'::regclass;

BEGIN;
SELECT kind, account_key, source, failures, accounts FROM port_pin_lockouts ORDER BY 1, 2;
SELECT source, accounts, failures FROM port_pin_suspects;
TABLE read_by_us;
COMMIT;

DROP VIEW read_by_us;
TRUNCATE port_pin_failures;
