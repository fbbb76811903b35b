--
-- Privileges: granted here by name, so that default privileges neither give nor take any.
--

DO $privileges$
DECLARE
	-- A role that may ask whether a PIN is right, or set up a gate that does, can guess;
	-- and one that may execute the trigger functions can state the rules of a table.
	closed CONSTANT pg_catalog.text[] := ARRAY['port_pin_check', 'port_pin_seal', 'port_pin_seal_keys',
		'port_pin_lift_source_lockout', 'port_pin_failures_trigger', 'port_pin_key_stats'];
	guarding CONSTANT pg_catalog.text[] := ARRAY[
		'port_pin_protect_trigger', 'port_pin_seal_trigger', 'port_pin_gate_trigger', 'port_pin_used_trigger',
		'port_pin_protect', 'port_pin_unprotect', 'port_pin_gate', 'port_pin_ungate'];
	object pg_catalog.record;
BEGIN
	FOR object IN
		WITH member AS (
			SELECT d.classid, d.objid
			FROM pg_catalog.pg_depend d
				JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
			WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass::pg_catalog.oid
				AND d.deptype OPERATOR(pg_catalog.=) 'e' AND e.extname OPERATOR(pg_catalog.=) 'portpin'
		)
		SELECT 'ROUTINE' AS kind, p.oid::pg_catalog.regprocedure::pg_catalog.text AS name, p.proname::pg_catalog.text AS short,
			p.proowner AS owner, COALESCE(p.proacl, pg_catalog.acldefault('f', p.proowner)) AS acl
		FROM member m JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) m.objid
		WHERE m.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid
		UNION ALL
		SELECT 'TYPE', t.oid::pg_catalog.regtype::pg_catalog.text, t.typname,
			t.typowner, COALESCE(t.typacl, pg_catalog.acldefault('T', t.typowner))
		FROM member m JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) m.objid
		WHERE m.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass::pg_catalog.oid
			AND t.typtype OPERATOR(pg_catalog.=) ANY (ARRAY['d', 'e']::pg_catalog."char"[])
		UNION ALL
		SELECT 'TABLE', c.oid::pg_catalog.regclass::pg_catalog.text, c.relname,
			c.relowner, COALESCE(c.relacl, pg_catalog.acldefault('r', c.relowner))
		FROM member m JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) m.objid
		WHERE m.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
	LOOP
		EXECUTE COALESCE((
			SELECT pg_catalog.string_agg(pg_catalog.format('REVOKE ALL ON %s %s FROM %s', object.kind, object.name,
				CASE WHEN a.grantee OPERATOR(pg_catalog.=) '0' THEN 'PUBLIC'
					ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END), '; ')
			FROM (SELECT DISTINCT x.grantee FROM pg_catalog.aclexplode(object.acl) AS x) AS a
			WHERE a.grantee OPERATOR(pg_catalog.<>) object.owner), 'SELECT');
		IF object.kind OPERATOR(pg_catalog.=) 'TYPE' THEN
			EXECUTE pg_catalog.format('GRANT USAGE ON TYPE %s TO PUBLIC', object.name);
		ELSIF object.kind OPERATOR(pg_catalog.=) 'ROUTINE' AND object.short OPERATOR(pg_catalog.=) ANY (guarding) THEN
			-- So that the owner of a database can restore its guards.
			EXECUTE pg_catalog.format('GRANT EXECUTE ON ROUTINE %s TO pg_database_owner', object.name);
		ELSIF object.kind OPERATOR(pg_catalog.=) 'ROUTINE' AND object.short OPERATOR(pg_catalog.<>) ALL (closed) THEN
			EXECUTE pg_catalog.format('GRANT EXECUTE ON ROUTINE %s TO PUBLIC', object.name);
		END IF;
	END LOOP;
END
$privileges$;

GRANT SELECT ON port_pin_guards, port_pin_reject_codes TO PUBLIC;
GRANT SELECT ON port_pin_stats TO pg_monitor;
GRANT EXECUTE ON FUNCTION port_pin_key_stats() TO pg_monitor;
