--
-- Watching the guards
--

CREATE FUNCTION port_pin_inspect(
	table_name pg_catalog.regclass,
	OUT relation pg_catalog.regclass,
	OUT pin_column pg_catalog.text,
	OUT guard pg_catalog.text,
	OUT trigger_name pg_catalog.text,
	OUT enabled pg_catalog.text,
	OUT definition pg_catalog.text,
	OUT problem pg_catalog.text,
	OUT hint pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL UNSAFE;

COMMENT ON FUNCTION port_pin_inspect(pg_catalog.regclass) IS
'guards of one table that is no partition, and what is wrong with them; port_pin_guards shows it for all';

CREATE VIEW port_pin_guards AS
WITH RECURSIVE
-- The types of PINs, and domains over them.
pin_type (type) AS (
	SELECT t.oid
	FROM (VALUES
			('port_pin'::pg_catalog.regtype::pg_catalog.oid),
			('port_pin_sealed'::pg_catalog.regtype::pg_catalog.oid)
		) AS t (oid)
	UNION
	SELECT t.oid
	FROM pin_type AS p
		JOIN pg_catalog.pg_depend d ON d.refobjid OPERATOR(pg_catalog.=) p.type
		JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) d.objid
			AND t.typbasetype OPERATOR(pg_catalog.=) p.type
	WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass::pg_catalog.oid
		AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass::pg_catalog.oid
),
-- Look up what depends on the types and on the trigger functions, so that the number
-- of other tables does not matter.
guarded (relation) AS (
	SELECT COALESCE(pg_catalog.pg_partition_root(t.tgrelid), t.tgrelid)::pg_catalog.oid
	FROM (VALUES
			('port_pin_protect_trigger()'::pg_catalog.regprocedure::pg_catalog.oid),
			('port_pin_seal_trigger()'::pg_catalog.regprocedure::pg_catalog.oid),
			('port_pin_gate_trigger()'::pg_catalog.regprocedure::pg_catalog.oid)
		) AS f (oid)
		JOIN pg_catalog.pg_depend d ON d.refobjid OPERATOR(pg_catalog.=) f.oid
		JOIN pg_catalog.pg_trigger t ON t.oid OPERATOR(pg_catalog.=) d.objid
	WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_trigger'::pg_catalog.regclass::pg_catalog.oid
		AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid
		AND t.tgparentid OPERATOR(pg_catalog.=) '0'
	UNION
	SELECT a.attrelid
	FROM pin_type AS p
		JOIN pg_catalog.pg_depend d ON d.refobjid OPERATOR(pg_catalog.=) p.type
		JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) d.objid
			AND a.attnum OPERATOR(pg_catalog.=) d.objsubid AND a.atttypid OPERATOR(pg_catalog.=) p.type
		JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
	WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
		AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass::pg_catalog.oid
		AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'p']::pg_catalog."char"[])
		AND NOT c.relispartition AND c.relpersistence OPERATOR(pg_catalog.<>) 't'
),
-- Privileges to write to a table of the record, or to one of its columns.
recorded_grant (relation, grantee, privilege) AS (
	SELECT c.oid, x.grantee,
		x.privilege_type OPERATOR(pg_catalog.||) CASE WHEN g.attname IS NULL THEN '' ELSE pg_catalog.format(' (%I)', g.attname) END
	FROM pg_catalog.pg_class c,
		LATERAL (
			SELECT c.relacl, NULL::pg_catalog.text
			UNION ALL
			SELECT a.attacl, a.attname::pg_catalog.text FROM pg_catalog.pg_attribute a
			WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND NOT a.attisdropped
		) AS g (acl, attname),
		LATERAL pg_catalog.aclexplode(g.acl) AS x
	WHERE c.oid OPERATOR(pg_catalog.=) ANY (ARRAY['port_pin_failures', 'port_pin_history']::pg_catalog.regclass[]::pg_catalog.oid[])
		AND x.grantee OPERATOR(pg_catalog.<>) c.relowner
		AND x.privilege_type OPERATOR(pg_catalog.=) ANY (ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER'])
),
-- Grants that let a role get past the guards.  Functions have no relation.
granted AS (
	SELECT NULL::pg_catalog.oid AS relation, x.grantee,
		pg_catalog.format('EXECUTE ON FUNCTION %s', p.oid::pg_catalog.regprocedure) AS privilege,
		CASE WHEN p.proname OPERATOR(pg_catalog.=) 'port_pin_check' THEN 'it can try out PINs uncounted'
			WHEN p.proname OPERATOR(pg_catalog.=) 'port_pin_seal' THEN 'it can seal PINs by hand'
			WHEN x.grantee OPERATOR(pg_catalog.=) '0' THEN 'everybody can state the rules of a table'
		END AS danger
	FROM pg_catalog.pg_depend d
		JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
		JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) d.objid,
		LATERAL pg_catalog.aclexplode(p.proacl) AS x
	WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid
		AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass::pg_catalog.oid
		AND d.deptype OPERATOR(pg_catalog.=) 'e' AND e.extname OPERATOR(pg_catalog.=) 'portpin'
		AND x.grantee OPERATOR(pg_catalog.<>) p.proowner
		AND CASE WHEN p.proname OPERATOR(pg_catalog.~~) '%\_trigger' THEN x.grantee OPERATOR(pg_catalog.=) '0'
			WHEN p.proname OPERATOR(pg_catalog.~~) 'port\_pin\_lift\_%' THEN x.grantee OPERATOR(pg_catalog.<>) '0'
			ELSE p.proname OPERATOR(pg_catalog.=) ANY (ARRAY['port_pin_check', 'port_pin_seal']::pg_catalog.name[]) END
	UNION ALL
	SELECT r.relation, r.grantee,
		pg_catalog.format('%s ON TABLE %s',
			pg_catalog.string_agg(r.privilege, ', ' ORDER BY r.privilege), r.relation::pg_catalog.regclass),
		'it can forge the record'
	FROM recorded_grant AS r
	GROUP BY r.relation, r.grantee
),
named AS (
	SELECT g.relation, g.privilege, g.danger,
		CASE WHEN g.grantee OPERATOR(pg_catalog.=) '0' THEN 'PUBLIC'
			ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END AS role
	FROM granted AS g
)
SELECT i.relation, i.pin_column, i.guard, i.trigger_name, i.enabled, i.definition, i.problem, i.hint
FROM guarded AS g
	JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) g.relation,
	LATERAL port_pin_inspect(g.relation::pg_catalog.regclass) AS i
WHERE NOT pg_catalog.pg_is_other_temp_schema(c.relnamespace)
UNION ALL
SELECT s.relation, s.pin_column, s.guard, s.trigger_name, s.enabled, s.definition, s.problem, s.hint
FROM port_pin_inspect_nodes(ARRAY(SELECT g.relation::pg_catalog.regclass FROM guarded AS g)) AS s
UNION ALL
SELECT n.relation::pg_catalog.regclass, NULL, 'grant', NULL, NULL,
	pg_catalog.format('REVOKE %s FROM %s;', n.privilege, n.role),
	CASE WHEN n.danger IS NOT NULL THEN
		pg_catalog.format('role %s was granted %s: %s', n.role, n.privilege, n.danger) END,
	NULL
FROM named AS n
UNION ALL
-- pg_restore --disable-triggers leaves them enabled, but not ENABLE ALWAYS.
SELECT f.relation, NULL, 'record', r.name,
	CASE WHEN t.tgenabled IS NULL THEN 'missing' WHEN t.tgenabled OPERATOR(pg_catalog.=) 'O' THEN 'enabled'
		WHEN t.tgenabled OPERATOR(pg_catalog.=) 'D' THEN 'disabled' ELSE 'replica' END,
	pg_catalog.format(CASE WHEN t.tgenabled IS NULL THEN 'CREATE TRIGGER %2$I %3$s ON %1$s FOR EACH %4$s EXECUTE FUNCTION %5$s; ' ELSE '' END
			OPERATOR(pg_catalog.||) 'ALTER TABLE %1$s ENABLE ALWAYS TRIGGER %2$I;',
		f.relation, r.name, r.events, r.level, f.function),
	'the trigger of the record does not fire always: sessions can overlook failed attempts that they have not recorded themselves',
	NULL
FROM (VALUES ('port_pin_failures'::pg_catalog.regclass, 'port_pin_failures_trigger()'::pg_catalog.regprocedure)) AS f (relation, function)
	CROSS JOIN (VALUES ('port_pin_failures_row', 'AFTER INSERT OR UPDATE', 'ROW'),
			('port_pin_failures_delete', 'AFTER DELETE', 'STATEMENT')) AS r (name, events, level)
	LEFT JOIN pg_catalog.pg_trigger AS t ON t.tgrelid OPERATOR(pg_catalog.=) f.relation::pg_catalog.oid
		AND t.tgfoid OPERATOR(pg_catalog.=) f.function::pg_catalog.oid AND t.tgname OPERATOR(pg_catalog.=) r.name
WHERE t.tgenabled IS DISTINCT FROM 'A';

COMMENT ON VIEW port_pin_guards IS
'every guard of port PINs, every column of them without one, every grant that can get past them, and what is wrong with the record; problem is NULL where all is well';
COMMENT ON COLUMN port_pin_guards.relation IS 'table that is guarded, or should be; a partition or child only where something is wrong with it, and of a shard the table that it belongs to; NULL for a grant on a function';
COMMENT ON COLUMN port_pin_guards.pin_column IS 'column that holds the port PIN; NULL where the guard is for a lock or scope alone, or does not find it';
COMMENT ON COLUMN port_pin_guards.guard IS 'protect: the PIN is never cleared, and sealed where its column is; gate: no order gets in without it; grant: what a role was granted beside the owner; record: a trigger of the record of failed attempts that has a problem; NULL where the table is locked';
COMMENT ON COLUMN port_pin_guards.trigger_name IS 'the trigger with the problem, else the guard''s first; NULL where it is missing';
COMMENT ON COLUMN port_pin_guards.enabled IS 'of that trigger: enabled, disabled, replica, always or missing; NULL where the table is locked';
COMMENT ON COLUMN port_pin_guards.definition IS 'the call that makes the guard: to edit, to compare, to undo; the statement that takes a grant back or mends the record';
COMMENT ON COLUMN port_pin_guards.problem IS 'what is wrong, NULL where all is well';
COMMENT ON COLUMN port_pin_guards.hint IS 'how to mend it; NULL where running the definition does';

-- For migrations and CI: a schema that was loaded from a tool's dump may have lost
-- its guards, and then the view has nothing to show.
CREATE FUNCTION port_pin_assert_guarded(VARIADIC relations pg_catalog.regclass[] DEFAULT '{}')
	RETURNS pg_catalog.void
	LANGUAGE plpgsql STABLE
AS $function$
DECLARE
	portpin pg_catalog.text;
	wrong pg_catalog.record;
	problems pg_catalog.int8;
BEGIN
	IF relations IS NULL OR pg_catalog.array_position(relations, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'the tables must not be NULL'
			USING ERRCODE = 'null_value_not_allowed';
	END IF;
	SELECT pg_catalog.quote_ident(n.nspname) INTO STRICT portpin
		FROM pg_catalog.pg_extension e
			JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace
		WHERE e.extname OPERATOR(pg_catalog.=) 'portpin';
	-- A partition stands for the whole table, and no table but those named is looked at.
	EXECUTE pg_catalog.format(
		'WITH named AS (SELECT r.relation, r.number,'
		' COALESCE(pg_catalog.pg_partition_root(r.relation), r.relation) AS whole'
		' FROM pg_catalog.unnest($1) WITH ORDINALITY AS r (relation, number))'
		' SELECT COALESCE(i.relation, n.relation) AS relation, i.guard, i.problem, i.definition, i.hint, n.number'
		' FROM named AS n LEFT JOIN LATERAL %1$s.port_pin_inspect(n.whole) AS i ON true'
		' WHERE i.problem IS NOT NULL OR i.relation IS NULL'
		' UNION ALL'
		' SELECT relation, guard, problem, definition, hint, 0'
		' FROM %1$s.port_pin_inspect_nodes(ARRAY(SELECT n.whole FROM named AS n))'
		' UNION ALL'
		' SELECT relation, guard, problem, definition, hint, 0 FROM %1$s.port_pin_guards'
		' WHERE problem IS NOT NULL AND pg_catalog.cardinality($1) OPERATOR(pg_catalog.=) 0'
		' ORDER BY number, relation LIMIT 1', portpin) INTO wrong USING relations;
	GET DIAGNOSTICS problems = ROW_COUNT;
	IF problems OPERATOR(pg_catalog.=) 0 THEN
		RETURN;
	END IF;
	IF wrong.problem IS NULL THEN
		RAISE EXCEPTION 'table % has no guard of port PINs', wrong.relation
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = pg_catalog.format('SELECT %s.port_pin_protect(%L); for a table of orders, port_pin_gate.',
					portpin, wrong.relation);
	END IF;
	IF wrong.guard OPERATOR(pg_catalog.=) ANY (ARRAY['grant', 'record']::pg_catalog.text[]) THEN
		RAISE EXCEPTION '%', wrong.problem
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = wrong.definition;
	END IF;
	RAISE EXCEPTION 'the guard of table % has a problem: %', wrong.relation, wrong.problem
		USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = COALESCE(wrong.hint, 'To install it again: ' OPERATOR(pg_catalog.||) wrong.definition,
				'SELECT * FROM ' OPERATOR(pg_catalog.||) portpin OPERATOR(pg_catalog.||) '.port_pin_guards;');
END
$function$;

COMMENT ON FUNCTION port_pin_assert_guarded(pg_catalog.regclass[]) IS
'error 55000 with the first problem of these tables'' guards, or of all guards if none are named; nothing if all is well';
