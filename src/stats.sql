--
-- Figures for monitoring
--

-- A view calls functions with the rights of the role that reads it, hence SECURITY
-- DEFINER; and a server without keys has figures, too.
CREATE FUNCTION port_pin_key_stats(OUT keys_loaded pg_catalog.int4, OUT sealing_key pg_catalog.text)
	LANGUAGE plpgsql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	EXECUTE (SELECT format('SELECT count(*), max(concat(id, ''.'', fingerprint)) FILTER (WHERE seals)'
			' FROM %I.port_pin_seal_keys()', n.nspname)
			FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace
			WHERE extname = 'portpin')
		INTO keys_loaded, sealing_key;
EXCEPTION WHEN OTHERS THEN
	keys_loaded := 0;
END
$$;

COMMENT ON FUNCTION port_pin_key_stats() IS
'how many keys portpin.key_file has, 0 if it can''t be read, and id.fingerprint of the one that seals';

CREATE VIEW port_pin_stats WITH (security_barrier) AS
	SELECT g.guards, g.guards_with_problems, l.accounts_locked_out, l.sources_locked_out,
		(SELECT pg_catalog.count(*) FROM port_pin_failures f
			WHERE f.failed_at OPERATOR(pg_catalog.>) port_pin_failures_since()) AS failures_in_window,
		CASE WHEN c.reltuples OPERATOR(pg_catalog.>) 100000::pg_catalog.float4
			THEN (c.reltuples OPERATOR(pg_catalog./) c.relpages::pg_catalog.float4 OPERATOR(pg_catalog.*)
				(pg_catalog.pg_relation_size(c.oid) OPERATOR(pg_catalog./)
					pg_catalog.current_setting('block_size')::pg_catalog.int8)::pg_catalog.float8)::pg_catalog.int8
			ELSE (SELECT pg_catalog.count(*) FROM port_pin_failures) END AS failures_recorded,
		(SELECT pg_catalog.min(f.failed_at) FROM port_pin_failures f) AS oldest_failure,
		(SELECT pg_catalog.max(f.failed_at) FROM port_pin_failures f) AS last_failure,
		k.keys_loaded, k.sealing_key
	FROM (SELECT pg_catalog.count(*) FILTER (WHERE guard IS NULL
				OR guard OPERATOR(pg_catalog.<>) ALL (ARRAY['grant', 'record'])) AS guards,
			pg_catalog.count(problem) AS guards_with_problems
			FROM port_pin_guards) g,
		(SELECT pg_catalog.count(account_table) AS accounts_locked_out,
				pg_catalog.count(source) AS sources_locked_out
			FROM port_pin_lockouts) l,
		pg_catalog.pg_class c,
		port_pin_key_stats() k
	WHERE c.oid OPERATOR(pg_catalog.=) 'port_pin_failures'::pg_catalog.regclass::pg_catalog.oid;

COMMENT ON VIEW port_pin_stats IS
'figures for monitoring, one row, without the key of any account; for members of pg_monitor';
COMMENT ON COLUMN port_pin_stats.guards IS 'guards, and columns of port PINs that should have one, as port_pin_guards lists them';
COMMENT ON COLUMN port_pin_stats.guards_with_problems IS 'rows of port_pin_guards with a problem, grants among them: should be 0';
COMMENT ON COLUMN port_pin_stats.accounts_locked_out IS 'accounts in port_pin_lockouts';
COMMENT ON COLUMN port_pin_stats.sources_locked_out IS 'sources in port_pin_lockouts';
COMMENT ON COLUMN port_pin_stats.failures_in_window IS 'failed attempts within portpin.failure_window, lifted or not';
COMMENT ON COLUMN port_pin_stats.failures_recorded IS 'failed attempts on record; above 100,000 as the planner estimates them';
COMMENT ON COLUMN port_pin_stats.oldest_failure IS 'the oldest on record: what a purge would take';
COMMENT ON COLUMN port_pin_stats.last_failure IS 'the newest on record';
COMMENT ON COLUMN port_pin_stats.keys_loaded IS 'keys in portpin.key_file; 0 if there is none or it can''t be read';
COMMENT ON COLUMN port_pin_stats.sealing_key IS 'id.fingerprint of the key that seals';
