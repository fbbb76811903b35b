-- What port_pin_guards says about this schema's tables, and a function to try it with.
SELECT current_schema() AS here \gset
CREATE VIEW seen AS
	SELECT g.relation, g.pin_column, g.guard, g.trigger_name, g.enabled, g.problem FROM port_pin_guards AS g
		JOIN pg_class c ON c.oid = g.relation
	WHERE c.relnamespace = :'here'::regnamespace
	ORDER BY g.relation::text COLLATE "C", g.guard, g.pin_column COLLATE "C", g.trigger_name COLLATE "C";

-- Break something, look, mend it, look again.
CREATE FUNCTION try(break text, mend text)
	RETURNS TABLE (relation text, pin_column text, guard text, trigger_name text, enabled text, problem text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE break;
	RETURN QUERY SELECT s.relation::text, s.pin_column, s.guard, s.trigger_name, s.enabled, s.problem
		FROM seen AS s WHERE s.problem IS NOT NULL;
	EXECUTE mend;
	RETURN QUERY SELECT s.relation::text, s.pin_column, s.guard, s.trigger_name, 'NOT MENDED', s.problem
		FROM seen AS s WHERE s.problem IS NOT NULL;
END $$;
