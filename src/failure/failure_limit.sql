--
-- Lock-outs
--

CREATE FUNCTION port_pin_failure_limits(
	OUT max_failures_per_account pg_catalog.int4,
	OUT max_accounts_per_source pg_catalog.int4,
	OUT failure_window pg_catalog.interval)
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE;

COMMENT ON FUNCTION port_pin_failure_limits() IS
'the settings portpin.max_failures_per_account, portpin.max_accounts_per_source and portpin.failure_window';

-- Stable and without arguments, so that the planner can tell how few rows it leaves.
CREATE FUNCTION port_pin_failures_since() RETURNS pg_catalog.timestamptz
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE;

COMMENT ON FUNCTION port_pin_failures_since() IS
'the time since when failed attempts count: portpin.failure_window before now';

CREATE VIEW port_pin_lockouts WITH (security_barrier) AS
	SELECT 'account'::pg_catalog.text AS kind, f.account_schema, f.account_table, f.account_key,
		NULL::pg_catalog.text AS source,
		(pg_catalog.array_agg(f.failed_at ORDER BY f.failed_at))[l.max_failures_per_account]
			AS locked_since,
		(pg_catalog.array_agg(f.failed_at ORDER BY f.failed_at DESC))[l.max_failures_per_account]
			OPERATOR(pg_catalog.+) l.failure_window AS locked_until,
		pg_catalog.count(*) AS failures,
		NULL::pg_catalog.int8 AS accounts
	FROM port_pin_failures f, port_pin_failure_limits() l
	WHERE f.lifted_at IS NULL
		AND f.failed_at OPERATOR(pg_catalog.>) port_pin_failures_since()
	GROUP BY f.account_schema, f.account_table, f.account_key,
		l.max_failures_per_account, l.failure_window
	HAVING l.max_failures_per_account OPERATOR(pg_catalog.>) 0
		AND pg_catalog.count(*) OPERATOR(pg_catalog.>=) l.max_failures_per_account
UNION ALL
	SELECT 'source', NULL, NULL, NULL, a.source,
		(pg_catalog.array_agg(a.first_failed_at ORDER BY a.first_failed_at))[l.max_accounts_per_source],
		(pg_catalog.array_agg(a.last_failed_at ORDER BY a.last_failed_at DESC))[l.max_accounts_per_source]
			OPERATOR(pg_catalog.+) l.failure_window,
		pg_catalog.sum(a.failures)::pg_catalog.int8,
		pg_catalog.count(*)
	FROM (SELECT f.source, pg_catalog.min(f.failed_at) AS first_failed_at,
			pg_catalog.max(f.failed_at) AS last_failed_at, pg_catalog.count(*) AS failures
		FROM port_pin_failures f
		WHERE f.source IS NOT NULL AND f.source_lifted_at IS NULL
			AND f.failed_at OPERATOR(pg_catalog.>) port_pin_failures_since()
		GROUP BY f.source, f.account_schema, f.account_table, f.account_key) a,
		port_pin_failure_limits() l
	GROUP BY a.source, l.max_accounts_per_source, l.failure_window
	HAVING l.max_accounts_per_source OPERATOR(pg_catalog.>) 0
		AND pg_catalog.count(*) OPERATOR(pg_catalog.>=) l.max_accounts_per_source;

COMMENT ON VIEW port_pin_lockouts IS
'whose port orders are refused for too many failed attempts, and until when: accounts, and sources that failed at too many of them';
COMMENT ON COLUMN port_pin_lockouts.kind IS 'account or source';
COMMENT ON COLUMN port_pin_lockouts.account_schema IS 'of an account: schema of its table';
COMMENT ON COLUMN port_pin_lockouts.account_table IS 'of an account: its table';
COMMENT ON COLUMN port_pin_lockouts.account_key IS 'of an account: its primary key';
COMMENT ON COLUMN port_pin_lockouts.source IS 'the source';
COMMENT ON COLUMN port_pin_lockouts.locked_since IS 'when the limit was reached';
COMMENT ON COLUMN port_pin_lockouts.locked_until IS 'when it ends by itself, if there are no more failures';
COMMENT ON COLUMN port_pin_lockouts.failures IS 'failures that count';
COMMENT ON COLUMN port_pin_lockouts.accounts IS 'of a source: different accounts that it failed at';

CREATE VIEW port_pin_suspects WITH (security_barrier) AS
	SELECT f.source, f.login_name, f.client_addr, f.application_name,
		pg_catalog.count(DISTINCT ROW(f.account_schema, f.account_table, f.account_key)) AS accounts,
		pg_catalog.count(*) AS failures,
		pg_catalog.min(f.failed_at) AS first_failed_at,
		pg_catalog.max(f.failed_at) AS last_failed_at,
		pg_catalog.max(l.locked_until) AS locked_until
	FROM port_pin_failures f
		LEFT JOIN (SELECT source, locked_until FROM port_pin_lockouts WHERE source IS NOT NULL) l
			ON l.source OPERATOR(pg_catalog.=) f.source
	WHERE f.failed_at OPERATOR(pg_catalog.>) port_pin_failures_since()
	GROUP BY f.source, f.login_name, f.client_addr, f.application_name;

COMMENT ON VIEW port_pin_suspects IS
'who failed at how many different accounts within portpin.failure_window, lifted or not: by source, login, client and application';
COMMENT ON COLUMN port_pin_suspects.source IS 'who asked, by a column of the orders; NULL if no gate names one';
COMMENT ON COLUMN port_pin_suspects.login_name IS 'role that had logged in';
COMMENT ON COLUMN port_pin_suspects.client_addr IS 'address that the session came from; NULL if from this machine';
COMMENT ON COLUMN port_pin_suspects.application_name IS 'application_name of the session';
COMMENT ON COLUMN port_pin_suspects.accounts IS 'different accounts';
COMMENT ON COLUMN port_pin_suspects.failures IS 'failed attempts';
COMMENT ON COLUMN port_pin_suspects.first_failed_at IS 'the first of them';
COMMENT ON COLUMN port_pin_suspects.last_failed_at IS 'the last of them';
COMMENT ON COLUMN port_pin_suspects.locked_until IS 'when the lock-out of the source ends; NULL if there is none';
