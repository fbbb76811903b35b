--
-- Lock-outs
--

CREATE FUNCTION port_pin_failure_limits(
	OUT max_failures_per_account pg_catalog.int4,
	OUT failure_window pg_catalog.interval)
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE;

COMMENT ON FUNCTION port_pin_failure_limits() IS
'the settings portpin.max_failures_per_account and portpin.failure_window';

CREATE VIEW port_pin_lockouts WITH (security_barrier) AS
	SELECT f.account_schema, f.account_table, f.account_key,
		pg_catalog.max(f.failed_at) AS locked_since,
		(pg_catalog.array_agg(f.failed_at ORDER BY f.failed_at DESC))[l.max_failures_per_account]
			OPERATOR(pg_catalog.+) l.failure_window AS locked_until,
		pg_catalog.count(*) AS failures
	FROM port_pin_failures f, port_pin_failure_limits() l
	WHERE f.lifted_at IS NULL AND l.max_failures_per_account OPERATOR(pg_catalog.>) 0
		AND f.failed_at OPERATOR(pg_catalog.>)
			(pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) l.failure_window)
	GROUP BY f.account_schema, f.account_table, f.account_key,
		l.max_failures_per_account, l.failure_window
	HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>=) l.max_failures_per_account;

COMMENT ON VIEW port_pin_lockouts IS
'accounts whose port orders are refused for too many failed attempts, and until when';
