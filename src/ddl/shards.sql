--
-- Watching the guards of shards
--

-- Citus keeps the rows of a table in shards: tables on its nodes, with triggers of
-- their own.  Each node inspects its shards as it does any table; and a shard must
-- have every guard that its table has.
--
-- plpgsql looks names up only when it gets to them, which it does not without Citus.
CREATE FUNCTION port_pin_inspect_shards(
	tables pg_catalog.regclass[],
	OUT relation pg_catalog.text,
	OUT pin_column pg_catalog.text,
	OUT guard pg_catalog.text,
	OUT trigger_name pg_catalog.text,
	OUT enabled pg_catalog.text,
	OUT definition pg_catalog.text,
	OUT problem pg_catalog.text,
	OUT hint pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
	RETURN QUERY EXECUTE (
		SELECT format($query$
			WITH shard AS MATERIALIZED (
				SELECT d.logicalrelid AS whole, s.shard
				FROM pg_dist_shard d, to_regclass(shard_name(d.logicalrelid, d.shardid, false)) AS s (shard)
				WHERE d.logicalrelid = ANY ($1) AND s.shard IS NOT NULL
			),
			-- The call that makes a shard's guard is that of its table, but for the name.
			found AS MATERIALIZED (
				SELECT s.whole, s.shard, i.*,
					replace(i.definition, quote_literal(s.shard), quote_literal(s.whole)) AS of_whole
				FROM shard s, %1$s.port_pin_inspect(s.shard) AS i
			),
			expected AS MATERIALIZED (
				SELECT t.whole, i.*
				FROM unnest($1) AS t (whole), %1$s.port_pin_inspect(t.whole) AS i
				WHERE i.relation = t.whole AND i.definition IS NOT NULL
			)
			SELECT e.whole::text, e.pin_column, e.guard, f.trigger_name, coalesce(f.enabled, 'missing'), e.definition,
				format('shard %%s: %%s', coalesce(f.relation, s.shard), coalesce(f.problem, 'it has no such guard')), f.hint
			FROM expected e JOIN shard s USING (whole)
				LEFT JOIN found f ON f.shard = s.shard AND f.of_whole = e.definition
			WHERE f.problem IS NOT NULL OR f.shard IS NULL
			UNION ALL
			SELECT f.whole::text, f.pin_column, f.guard, f.trigger_name, f.enabled, NULL,
				format('shard %%s: %%s', f.relation, f.problem), f.hint
			FROM found f
			WHERE f.problem IS NOT NULL
				AND NOT EXISTS (SELECT FROM expected e WHERE e.whole = f.whole AND e.definition = f.of_whole)
			$query$, quote_ident(n.nspname))
		FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace
		WHERE x.extname = 'portpin')
		USING tables;
END
$function$;

COMMENT ON FUNCTION port_pin_inspect_shards(pg_catalog.regclass[]) IS
'what is wrong with the guards of the shards that this node has, of tables that Citus distributes; port_pin_guards asks all nodes';

-- An ordinary session does not see shards, even on the node that has them.
CREATE FUNCTION port_pin_inspect_nodes(
	tables pg_catalog.regclass[],
	OUT relation pg_catalog.regclass,
	OUT pin_column pg_catalog.text,
	OUT guard pg_catalog.text,
	OUT trigger_name pg_catalog.text,
	OUT enabled pg_catalog.text,
	OUT definition pg_catalog.text,
	OUT problem pg_catalog.text,
	OUT hint pg_catalog.text)
	RETURNS SETOF pg_catalog.record
	LANGUAGE plpgsql STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
	sharded regclass[];
	node record;
BEGIN
	IF to_regclass('pg_catalog.pg_dist_partition') IS NULL THEN
		RETURN;
	END IF;
	SELECT array_agg(p.logicalrelid) INTO sharded FROM pg_dist_partition p WHERE p.logicalrelid = ANY (tables);
	FOR node IN
		SELECT r.success, r.result, coalesce('node ' || d.nodename || ':' || d.nodeport, 'this node') AS name
		FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace,
			run_command_on_all_nodes(format('SELECT pg_catalog.json_agg(s) FROM %I.port_pin_inspect_shards(%L::pg_catalog.regclass[]) AS s',
				n.nspname, sharded)) AS r
			LEFT JOIN pg_dist_node d USING (nodeid)
		WHERE x.extname = 'portpin' AND sharded IS NOT NULL
	LOOP
		IF node.success THEN
			RETURN QUERY SELECT s.relation::regclass, s.pin_column, s.guard, s.trigger_name, s.enabled, s.definition,
					format('on %s, %s', node.name, s.problem), s.hint
				FROM json_to_recordset(nullif(node.result, '')::json) AS s (relation text, pin_column text, guard text,
					trigger_name text, enabled text, definition text, problem text, hint text);
		ELSE
			RETURN QUERY SELECT s.relation, NULL, NULL, NULL, NULL, NULL,
					format('on %s, its shards were not looked at: %s', node.name, node.result), NULL
				FROM unnest(sharded) AS s (relation);
		END IF;
	END LOOP;
END
$function$;

COMMENT ON FUNCTION port_pin_inspect_nodes(pg_catalog.regclass[]) IS
'what is wrong with the guards of shards, on all nodes of Citus; nothing where there is no Citus; port_pin_guards shows it';
