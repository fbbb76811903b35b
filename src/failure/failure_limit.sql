--
-- Lock-outs
--

CREATE FUNCTION port_pin_failure_limits(
	OUT max_failures pg_catalog.int4,
	OUT failure_window pg_catalog.interval)
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE;

COMMENT ON FUNCTION port_pin_failure_limits() IS
'the settings portpin.max_failures and portpin.failure_window';

CREATE VIEW port_pin_lockouts WITH (security_barrier) AS
	SELECT f.accounts, f.key,
		pg_catalog.max(f.at) AS since,
		(pg_catalog.array_agg(f.at ORDER BY f.at DESC))[l.max_failures] OPERATOR(pg_catalog.+)
			l.failure_window AS until,
		pg_catalog.count(*) AS guesses
	FROM port_pin_failures f, port_pin_failure_limits() l
	WHERE f.unlocked IS NULL AND l.max_failures OPERATOR(pg_catalog.>) 0
		AND f.at OPERATOR(pg_catalog.>)
			(pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) l.failure_window)
	GROUP BY f.accounts, f.key, l.max_failures, l.failure_window
	HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>=) l.max_failures;

COMMENT ON VIEW port_pin_lockouts IS
'accounts whose port orders are refused for too many wrong port PINs, and until when';

CREATE FUNCTION port_pin_unlock(accounts pg_catalog.regclass, VARIADIC key pg_catalog.text[])
	RETURNS pg_catalog.int8
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT;

COMMENT ON FUNCTION port_pin_unlock(pg_catalog.regclass, pg_catalog.text[]) IS
'let the wrong port PINs of an account count no more; for the owner of the accounts, and who is granted EXECUTE';
