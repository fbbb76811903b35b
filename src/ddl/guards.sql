--
-- Watching the guards
--

CREATE FUNCTION port_pin_inspect(
	relation pg_catalog.regclass,
	trigger pg_catalog.name,
	OUT guard pg_catalog.text,
	OUT pin pg_catalog.text,
	OUT key pg_catalog.text[],
	OUT parts pg_catalog.text[],
	OUT account_tables pg_catalog.regclass[],
	OUT account_pins pg_catalog.text[],
	OUT problem pg_catalog.text)
	RETURNS pg_catalog.record
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE STRICT PARALLEL UNSAFE;

COMMENT ON FUNCTION port_pin_inspect(pg_catalog.regclass, pg_catalog.name) IS
'what one trigger of portpin watches, and the error that it would raise; port_pin_guards shows it for all';

CREATE VIEW port_pin_guards AS
WITH RECURSIVE
-- Every trigger that is a part of a guard.  What depends on the functions is looked
-- up, so that the number of other tables does not count.
part AS (
	SELECT t.oid, t.tgrelid, t.tgparentid, t.tgname::pg_catalog.text AS trigger,
		c.relkind, f.guard, i.pin, i.key, i.parts, i.account_tables, i.account_pins,
		f.guard = 'keep' AND t.tgtype & '32' <> '0' AS truncates,
		CASE t.tgenabled WHEN 'O' THEN 'enabled' WHEN 'D' THEN 'disabled'
			WHEN 'R' THEN 'replica' ELSE 'always' END AS state,
		CASE WHEN t.tgenabled = 'D' THEN 'the trigger is disabled'
			WHEN t.tgenabled = 'R' THEN 'the trigger fires only where replication applies changes'
			WHEN t.tgenabled = 'A' AND f.guard = 'gate'
				THEN 'the trigger fires where replication applies changes too, and judges orders again that were let in elsewhere'
			ELSE i.problem END AS problem
	FROM (VALUES
			('keep', 'port_pin_protect_trigger()'::pg_catalog.regprocedure::pg_catalog.oid),
			('seal', 'port_pin_seal_trigger()'::pg_catalog.regprocedure::pg_catalog.oid),
			('gate', 'port_pin_gate_trigger()'::pg_catalog.regprocedure::pg_catalog.oid)
		) AS f (guard, function)
		JOIN pg_catalog.pg_depend d ON d.refobjid = f.function
		JOIN pg_catalog.pg_trigger t ON t.oid = d.objid
		JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid,
		LATERAL port_pin_inspect(t.tgrelid, t.tgname) i
	WHERE d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass::pg_catalog.oid
		AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid
		AND NOT pg_catalog.pg_is_other_temp_schema(c.relnamespace)
		AND (i.guard IS NOT NULL OR i.problem IS NOT NULL)
),
-- The parts put together, and of those with a problem the first.  A clone on a
-- partition is no part of its own; nor is a trigger on TRUNCATE, which has no column.
whole AS (
	SELECT p.tgrelid, p.relkind, p.guard, p.pin, p.key,
		pg_catalog.array_agg(DISTINCT each) AS parts,
		p.tgrelid IN (SELECT t.tgrelid FROM part AS t WHERE t.truncates) AS truncates,
		(pg_catalog.array_agg(p.trigger ORDER BY p.problem IS NULL, p.trigger))[1] AS trigger,
		(pg_catalog.array_agg(p.state ORDER BY p.problem IS NULL, p.trigger))[1] AS state,
		(pg_catalog.array_agg(p.problem ORDER BY p.problem IS NULL, p.trigger))[1] AS problem
	FROM part AS p LEFT JOIN LATERAL pg_catalog.unnest(p.parts) AS each ON true
	WHERE p.tgparentid = '0' AND NOT p.truncates
	GROUP BY p.tgrelid, p.relkind, p.guard, p.pin, p.key
),
-- What a guard lacks, if anything: on a partitioned table it has more parts, and a
-- keep guard that forbids to delete has all that this takes.  Of several things the
-- first in the alphabet is said: what there is none of comes before what is not done.
lacking AS (
	SELECT w.*, (
		SELECT pg_catalog.min(r.problem)
		FROM (VALUES
			('keep', 'update', true,
				'no trigger AFTER UPDATE: the PIN can be cleared'),
			('keep', 'move delete', w.relkind = 'p',
				'no trigger AFTER DELETE follows moves: the PIN can be lost on the way to another partition'),
			('keep', 'move insert', w.relkind = 'p',
				'no trigger AFTER INSERT follows moves: the PIN can be lost on the way to another partition'),
			('keep', 'delete', 'key' = ANY (w.parts) OR w.truncates,
				'no trigger AFTER DELETE, though TRUNCATE or another key is forbidden: a row with a PIN can be deleted'),
			('keep', 'key', 'delete' = ANY (w.parts) OR w.truncates,
				'no key= at UPDATE, though DELETE or TRUNCATE is forbidden: a row with a PIN can be given another key'),
			('seal', 'insert', true,
				'no trigger BEFORE INSERT: digits are not sealed, and a sealed PIN can be copied from another account'),
			('seal', 'update', true,
				'no trigger BEFORE UPDATE: digits are not sealed, and a sealed PIN can be copied from another account'),
			('seal', 'check', true,
				'no CHECK (port_pin_check_sealed(...)): digits that get past the triggers are stored readable'),
			('seal', 'valid check', 'check' = ANY (w.parts),
				'the CHECK is not validated: rows from before may hold readable PINs; seal them with port_pin_seal_column'),
			('gate', 'insert', true,
				'no trigger for INSERT: new orders are not judged'),
			('gate', 'update', true,
				'no trigger for UPDATE: an order can be given another key or PIN unjudged'),
			('gate', 'move delete', w.relkind = 'p' AND 'before' <> ALL (w.parts),
				'no trigger AFTER DELETE follows moves: an order that moves to another partition is judged again'),
			('gate', 'redact', 'readable' = ANY (w.parts),
				'the accounts'' PINs are sealed, but orders keep theirs readable; install the gate with redact and blank the PINs of old orders')
		) AS r (guard, part, needed, problem)
		WHERE r.guard = w.guard AND r.needed AND r.part <> ALL (w.parts)) AS lack
	FROM whole AS w
),
-- Triggers of partitions are worth a row only where they differ from their parent,
-- and those on TRUNCATE only where something is wrong.
lesser AS (
	SELECT DISTINCT ON (p.tgrelid, p.guard, p.pin, p.key)
		p.tgrelid, p.pin, p.guard, p.trigger, p.state, p.problem
	FROM part AS p
	WHERE (p.tgparentid <> '0' OR p.truncates) AND p.problem IS NOT NULL
		AND p.tgparentid NOT IN (SELECT t.oid FROM part AS t WHERE t.problem IS NOT NULL)
	ORDER BY p.tgrelid, p.guard, p.pin, p.key, p.trigger
),
-- The tables under a guarded one.
tree AS (
	SELECT DISTINCT w.tgrelid AS root, w.tgrelid AS relid, false AS relispartition FROM whole AS w
	UNION ALL
	SELECT t.root, c.oid, c.relispartition
	FROM tree AS t
		JOIN pg_catalog.pg_inherits i ON i.inhparent = t.relid
		JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
),
without_clone AS (
	SELECT i.inhrelid AS relid, p.pin, p.guard, pg_catalog.format(
		'the partition lacks trigger "%s" of its partitioned table', pg_catalog.min(p.trigger)) AS problem
	FROM part AS p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.tgrelid
	WHERE p.relkind = 'p' AND NOT p.truncates
		AND (i.inhrelid, p.oid) NOT IN (SELECT t.tgrelid, t.tgparentid FROM part AS t)
	GROUP BY i.inhrelid, p.pin, p.guard
),
without_truncate AS (
	SELECT t.relid, w.pin, w.guard,
		'no trigger BEFORE TRUNCATE, though DELETE or another key is forbidden: the table can be truncated' AS problem
	FROM whole AS w JOIN tree AS t ON t.root = w.tgrelid
	WHERE w.guard = 'keep' AND w.problem IS NULL
		AND ('delete' = ANY (w.parts) OR 'key' = ANY (w.parts) OR w.truncates)
		AND (t.relispartition OR t.relid = t.root)
		AND t.relid NOT IN (SELECT p.tgrelid FROM part AS p WHERE p.truncates)
),
child AS (
	SELECT DISTINCT t.relid, w.pin, w.guard, pg_catalog.format(
		'the table inherits from %s, whose guard does not apply to its rows', t.root::pg_catalog.regclass) AS problem
	FROM tree AS t JOIN whole AS w ON w.tgrelid = t.root
	WHERE t.relid <> t.root AND NOT t.relispartition
		AND (t.relid, w.guard) NOT IN (SELECT p.tgrelid, p.guard FROM part AS p)
),
-- Columns that hold a PIN: by their type, or because a gate reads it there.
pin_type AS (
	SELECT r.type, r.sealed
	FROM (VALUES
			('port_pin'::pg_catalog.regtype::pg_catalog.oid, false),
			('port_pin_sealed'::pg_catalog.regtype::pg_catalog.oid, true)
		) AS r (type, sealed)
	UNION
	SELECT t.oid, p.sealed
	FROM pin_type AS p
		JOIN pg_catalog.pg_depend d ON d.refobjid = p.type
		JOIN pg_catalog.pg_type t ON t.oid = d.objid AND t.typbasetype = p.type
	WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass::pg_catalog.oid
		AND d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass::pg_catalog.oid
),
pin_column AS (
	SELECT a.attrelid AS relid, a.attname::pg_catalog.text AS pin, p.sealed
	FROM pin_type AS p
		JOIN pg_catalog.pg_depend d ON d.refobjid = p.type
		JOIN pg_catalog.pg_attribute a ON a.attrelid = d.objid AND a.attnum = d.objsubid AND a.atttypid = p.type
		JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
	WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
		AND d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass::pg_catalog.oid
		AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
	UNION
	SELECT read.relid::pg_catalog.oid, read.pin, false
	FROM part AS p, LATERAL ROWS FROM (
		pg_catalog.unnest(p.account_tables), pg_catalog.unnest(p.account_pins)) AS read (relid, pin)
),
-- A guard that does not find its column has said so itself.
without_guard AS (
	SELECT DISTINCT c.relid, c.pin, n.guard, n.problem
	FROM pin_column AS c, (VALUES
			('keep', 'no guard: the PIN can be cleared, and if this is a table of orders, any order gets in'),
			('seal', 'no guard: digits are stored readable, if no CHECK refuses them, and a sealed PIN can be copied from another account')
		) AS n (guard, problem)
	WHERE (n.guard = 'keep' OR c.sealed)
		AND NOT EXISTS (
			SELECT FROM part AS p
			WHERE p.tgrelid = c.relid AND (n.guard = 'seal') = (p.guard = 'seal')
				AND (p.pin = c.pin OR p.pin IS NULL AND NOT p.truncates))
		AND (c.relid, n.guard) NOT IN (SELECT u.relid, u.guard FROM child AS u)
)
SELECT tgrelid::pg_catalog.regclass AS relation, pin AS column_name, guard, trigger, state,
	COALESCE(problem, lack) AS problem
FROM lacking
UNION ALL
SELECT tgrelid, pin, guard, trigger, state, problem FROM lesser
UNION ALL
SELECT relid, pin, guard, NULL, 'missing', problem
FROM (
	TABLE without_clone UNION ALL TABLE without_truncate
	UNION ALL TABLE child UNION ALL TABLE without_guard
) AS missing;

COMMENT ON VIEW port_pin_guards IS
'every guard of port PINs, and every column of them without one; problem is NULL where all is well';
COMMENT ON COLUMN port_pin_guards.relation IS 'table that is guarded, or should be';
COMMENT ON COLUMN port_pin_guards.column_name IS 'column that holds the port PIN; NULL for a trigger on TRUNCATE';
COMMENT ON COLUMN port_pin_guards.guard IS 'keep: it is never cleared; seal: it is stored sealed; gate: no order gets in without it';
COMMENT ON COLUMN port_pin_guards.trigger IS 'the trigger with the problem, else the guard''s first; NULL where it is missing';
COMMENT ON COLUMN port_pin_guards.state IS 'of that trigger: enabled, disabled, replica, always or missing';
COMMENT ON COLUMN port_pin_guards.problem IS 'what is wrong, NULL where all is well';
