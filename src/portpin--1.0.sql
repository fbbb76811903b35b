/* portpin 1.0: port-out PINs */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION portpin CASCADE" to load this file. \quit

--
-- What a PIN is
--

CREATE FUNCTION port_pin_is_valid(pin pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION port_pin_is_valid(pg_catalog.text) IS
'true for 6 to 10 ASCII digits, false for anything else; NULL for NULL';

CREATE DOMAIN port_pin AS pg_catalog.text
	CONSTRAINT port_pin_is_6_to_10_digits CHECK (port_pin_is_valid(VALUE));

COMMENT ON DOMAIN port_pin IS
'port-out PIN: 6 to 10 digits, leading zeros count; NULL is blank';

COMMENT ON CONSTRAINT port_pin_is_6_to_10_digits ON DOMAIN port_pin IS
'refuses all but ASCII digits: no blanks, signs or letters, and nothing is trimmed or cut';

CREATE FUNCTION port_pin_problem(pin pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION port_pin_problem(pg_catalog.text) IS
'NULL for a valid port PIN, else why it is none: blank, too short, too long, not digits';

CREATE FUNCTION port_pin_check_format(pin pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION port_pin_check_format(pg_catalog.text) IS
'for a CHECK on a legacy column: true for a valid or blank port PIN, else an error (23514) that does not show it';

CREATE FUNCTION port_pin_is_weak(pin pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION port_pin_is_weak(pg_catalog.text) IS
'true for a port PIN that is one digit or a short block repeated, or a run up or down; for CHECKs of your own';

CREATE FUNCTION port_pin_generate(digits pg_catalog.int4 DEFAULT 8) RETURNS port_pin
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL SAFE;

COMMENT ON FUNCTION port_pin_generate(pg_catalog.int4) IS
'random port PIN of 6 to 10 digits, never a weak one';

--
-- Sealed PINs
--

CREATE FUNCTION port_pin_is_sealed(stored pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION port_pin_is_sealed(pg_catalog.text) IS
'true for what has the form of a sealed port PIN; needs no key';

-- No constraint: a column can become sealed without being rewritten.  The trigger
-- and the table's CHECK see to what is stored; see port_pin_protect.
CREATE DOMAIN port_pin_sealed AS pg_catalog.text;

COMMENT ON DOMAIN port_pin_sealed IS
'port-out PIN that is stored sealed: digits on their way in, see port_pin_protect; NULL is blank';

CREATE FUNCTION port_pin_seal(pin port_pin) RETURNS port_pin_sealed
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;

COMMENT ON FUNCTION port_pin_seal(port_pin) IS
'seals a port PIN with the first key of portpin.key_file; never the same twice';

CREATE FUNCTION port_pin_seal_key(stored pg_catalog.text) RETURNS pg_catalog.text
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION port_pin_seal_key(pg_catalog.text) IS
'id of the key that sealed a port PIN, NULL for what is not sealed; count rows by it before a key is dropped';

CREATE FUNCTION port_pin_seal_keys(OUT id pg_catalog.text, OUT seals pg_catalog.bool)
	RETURNS SETOF pg_catalog.record
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE;

COMMENT ON FUNCTION port_pin_seal_keys() IS
'ids of the keys in portpin.key_file, as this session has them; the first one seals';

CREATE FUNCTION port_pin_must_be_sealed(stored pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION port_pin_must_be_sealed(pg_catalog.text) IS
'for the CHECK of a sealed column: true, or an error that does not show the row';

--
-- A supplied PIN against a stored one
--

CREATE TYPE port_pin_verdict AS ENUM (
	'accepted',
	'account_unknown',
	'port_locked',
	'too_many_attempts',
	'pin_not_set',
	'pin_required',
	'pin_expired',
	'pin_mismatch'
);

COMMENT ON TYPE port_pin_verdict IS
'what a gate says of a port order, in the order in which it is decided';

CREATE FUNCTION port_pin_check(stored pg_catalog.text, supplied pg_catalog.text)
	RETURNS port_pin_verdict
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE;

COMMENT ON FUNCTION port_pin_check(pg_catalog.text, pg_catalog.text) IS
'accepted, pin_not_set, pin_required or pin_mismatch, in time that does not tell where two PINs differ';

--
-- Guards
--

CREATE FUNCTION port_pin_keep_trigger() RETURNS pg_catalog.trigger
	AS 'MODULE_PATHNAME' LANGUAGE C;

COMMENT ON FUNCTION port_pin_keep_trigger() IS
'trigger: a set port PIN is never cleared (23PN0); see port_pin_protect';

CREATE FUNCTION port_pin_seal_trigger() RETURNS pg_catalog.trigger
	AS 'MODULE_PATHNAME' LANGUAGE C;

COMMENT ON FUNCTION port_pin_seal_trigger() IS
'trigger: digits that are written to a sealed column are stored sealed; see port_pin_protect';

CREATE FUNCTION port_pin_gate_trigger() RETURNS pg_catalog.trigger
	AS 'MODULE_PATHNAME' LANGUAGE C;

COMMENT ON FUNCTION port_pin_gate_trigger() IS
'trigger: no port order without its account''s port PIN (23PN1 to 23PN7); see port_pin_gate';

CREATE FUNCTION port_pin_protect(
	accounts pg_catalog.regclass,
	pin pg_catalog.name DEFAULT NULL,
	forbid_delete pg_catalog.bool DEFAULT false,
	check_format pg_catalog.bool DEFAULT false)
	RETURNS SETOF pg_catalog.text
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE;

COMMENT ON FUNCTION port_pin_protect(pg_catalog.regclass, pg_catalog.name, pg_catalog.bool, pg_catalog.bool) IS
'keep the port PINs of a table set, sealed where the column is, and if asked in their format: creates triggers and returns the statements that it ran';

CREATE FUNCTION port_pin_gate(
	orders pg_catalog.regclass,
	pin pg_catalog.name DEFAULT NULL,
	fk pg_catalog.name[] DEFAULT NULL,
	account_pin pg_catalog.name DEFAULT NULL,
	via pg_catalog.name[] DEFAULT NULL,
	number_pin pg_catalog.name DEFAULT NULL,
	scope pg_catalog.name DEFAULT NULL,
	lock pg_catalog.name DEFAULT NULL,
	expires pg_catalog.name DEFAULT NULL,
	unset pg_catalog.text DEFAULT 'refuse',
	verdict pg_catalog.name DEFAULT NULL,
	redact pg_catalog.bool DEFAULT false)
	RETURNS SETOF pg_catalog.text
	AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE;

COMMENT ON FUNCTION port_pin_gate(pg_catalog.regclass, pg_catalog.name, pg_catalog.name[], pg_catalog.name, pg_catalog.name[], pg_catalog.name, pg_catalog.name, pg_catalog.name, pg_catalog.name, pg_catalog.text, pg_catalog.name, pg_catalog.bool) IS
'let port orders into a table only with their account''s port PIN: creates triggers and returns the statements that it ran';

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
			('keep', 'port_pin_keep_trigger()'::pg_catalog.regprocedure::pg_catalog.oid),
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
				'no CHECK (port_pin_must_be_sealed(...)): digits that get past the triggers are stored readable'),
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

--
-- What the trade calls a refusal
--

CREATE VIEW port_pin_reject_codes (verdict, dialect, code, meaning, may_resubmit) AS
SELECT r.verdict::port_pin_verdict, r.dialect, r.code, r.meaning, r.may_resubmit
FROM (VALUES
	('account_unknown', 'wireless', NULL, NULL, NULL),
	('account_unknown', 'bandwidth', NULL, NULL, NULL),
	('account_unknown', 'telnyx', NULL, NULL, NULL),
	('port_locked', 'wireless', '6P', 'number has service provider port protection', NULL),
	('port_locked', 'bandwidth', NULL, NULL, NULL),
	('port_locked', 'telnyx', '1001', 'other; give the reason in words', NULL),
	('too_many_attempts', 'wireless', '6P', 'number has service provider port protection', NULL),
	('too_many_attempts', 'bandwidth', NULL, NULL, NULL),
	('too_many_attempts', 'telnyx', '1001', 'other; give the reason in words', NULL),
	('pin_not_set', 'wireless', '8C', 'password or PIN required or incorrect', true),
	('pin_not_set', 'bandwidth', NULL, NULL, NULL),
	('pin_not_set', 'telnyx', '1001', 'other; give the reason in words', NULL),
	('pin_required', 'wireless', '8C', 'password or PIN required or incorrect', true),
	('pin_required', 'bandwidth', '7512', 'required PIN missing', true),
	('pin_required', 'telnyx', NULL, NULL, NULL),
	('pin_expired', 'wireless', NULL, NULL, NULL),
	('pin_expired', 'bandwidth', NULL, NULL, NULL),
	('pin_expired', 'telnyx', NULL, NULL, NULL),
	('pin_mismatch', 'wireless', '8C', 'password or PIN required or incorrect', true),
	('pin_mismatch', 'bandwidth', '7513', 'PIN invalid', true),
	('pin_mismatch', 'telnyx', '1002', 'invalid PIN', NULL)
) AS r (verdict, dialect, code, meaning, may_resubmit);

COMMENT ON VIEW port_pin_reject_codes IS
'the trade''s own codes for the verdicts of port_pin_gate; NULL where no source has one';
COMMENT ON COLUMN port_pin_reject_codes.verdict IS 'as the gate records it; its SQLSTATE is 23PN1 to 23PN7 in this order';
COMMENT ON COLUMN port_pin_reject_codes.dialect IS
'wireless: response codes between carriers; bandwidth: answers to Bandwidth''s port-out validation; telnyx: Telnyx''s port-out rejection codes';
COMMENT ON COLUMN port_pin_reject_codes.code IS 'what that dialect says for the verdict; NULL where no source has a code';
COMMENT ON COLUMN port_pin_reject_codes.meaning IS 'what the code means there';
COMMENT ON COLUMN port_pin_reject_codes.may_resubmit IS
'true where the requester may correct the request and send it again, false where it is final; NULL where no source says';

GRANT SELECT ON port_pin_guards, port_pin_reject_codes TO PUBLIC;

--
-- Sealing what was readable
--

-- A procedure that commits can't set search_path, so each of its transactions does.
CREATE PROCEDURE port_pin_seal_column(
	accounts pg_catalog.regclass,
	pin pg_catalog.name DEFAULT NULL,
	batch_size pg_catalog.int4 DEFAULT 1000)
	LANGUAGE plpgsql
AS $procedure$
DECLARE
	portpin pg_catalog.text;
	path CONSTANT pg_catalog.text := 'pg_catalog, pg_temp';
	started CONSTANT pg_catalog.timestamptz := pg_catalog.clock_timestamp();
	report_due pg_catalog.timestamptz := started;
	pin_column pg_catalog.text;
	candidates pg_catalog.int8;
	key_columns pg_catalog.text;
	key_as_text pg_catalog.text;
	key_matches pg_catalog.text;
	seal_one pg_catalog.text;
	progress pg_catalog.text;
	hint pg_catalog.text;
	unvalidated pg_catalog.name;
	this pg_catalog.record;
	is_sealed pg_catalog.bool;
	total pg_catalog.int8;
	looked_at pg_catalog.int8 := 0;
	sealed pg_catalog.int8 := 0;
	blanks pg_catalog.int8 := 0;
	malformed pg_catalog.int8 := 0;
BEGIN
	PERFORM pg_catalog.set_config('search_path', path, true);

	IF accounts IS NULL OR batch_size IS NULL OR batch_size < 1 THEN
		RAISE EXCEPTION 'port_pin_seal_column needs a table and a batch size of at least 1'
			USING ERRCODE = 'invalid_parameter_value';
	END IF;

	SELECT quote_ident(nspname) INTO STRICT portpin
		FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace
		WHERE extname = 'portpin';

	-- The column, the key, and the trigger without which nothing would be sealed.
	SELECT min(attname::text), count(*) INTO pin_column, candidates
		FROM pg_attribute JOIN pg_type t ON t.oid = atttypid
		WHERE attrelid = accounts AND NOT attisdropped
			AND (pin IS NULL OR attname = pin)
			AND (portpin || '.port_pin_sealed')::regtype IN (t.oid, typbasetype);
	IF candidates = 0 THEN
		RAISE EXCEPTION 'table % has no column% of type port_pin_sealed', accounts, coalesce(' ' || pin, '')
			USING ERRCODE = 'undefined_column',
				HINT = 'Make it one: ALTER TABLE ... ALTER COLUMN ... TYPE port_pin_sealed does not rewrite the table.';
	ELSIF candidates > 1 THEN
		RAISE EXCEPTION 'table % has more than one column of type port_pin_sealed', accounts
			USING ERRCODE = 'ambiguous_column', HINT = 'Name the one to seal.';
	END IF;
	SELECT string_agg(format('%I', attname), ', ' ORDER BY place),
			string_agg(format('%I::text', attname), ', ' ORDER BY place),
			string_agg(format('%I = $1[%s]::%s', attname, place,
				format_type(atttypid, atttypmod)), ' AND ' ORDER BY place)
		INTO key_columns, key_as_text, key_matches
		FROM pg_index,
			LATERAL unnest(indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
			JOIN pg_attribute a USING (attnum)
		WHERE indrelid = accounts AND indisprimary AND place <= indnkeyatts
			AND attrelid = accounts;
	IF key_columns IS NULL THEN
		RAISE EXCEPTION 'table % has no primary key', accounts
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'Add one: rows are sealed one by one, in its order.';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_trigger
			WHERE tgrelid = accounts AND tgenabled IN ('O', 'A')
				AND tgfoid = (portpin || '.port_pin_seal_trigger()')::regprocedure) THEN
		RAISE EXCEPTION 'table % has no trigger that seals', accounts
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = format('SELECT %s.port_pin_protect(%L);', portpin, accounts);
	END IF;

	EXECUTE format('SELECT count(*) FROM %s WHERE NOT %s.port_pin_is_sealed(%I)',
		accounts, portpin, pin_column) INTO total;
	seal_one := format('UPDATE %1$s SET %2$I = %2$I WHERE %3$s'
		' AND NOT %4$s.port_pin_is_sealed(%2$I) RETURNING %4$s.port_pin_is_sealed(%2$I)',
		accounts, pin_column, key_matches, portpin);

	-- Only keys stay behind when the first COMMIT turns this into a held cursor.
	FOR this IN EXECUTE format('SELECT ARRAY[%3$s] AS key, %4$s.port_pin_problem(%2$I) AS problem'
			' FROM %1$s WHERE NOT %4$s.port_pin_is_sealed(%2$I) ORDER BY %5$s',
			accounts, pin_column, key_as_text, portpin, key_columns) LOOP
		IF this.problem IS NULL OR this.problem = 'blank' THEN
			-- The trigger seals; what somebody else has sealed meanwhile is not found.
			is_sealed := NULL;
			BEGIN
				EXECUTE seal_one INTO is_sealed USING this.key;
			EXCEPTION WHEN integrity_constraint_violation THEN
				this.problem := 'refused with ' || SQLSTATE;
			END;
		END IF;
		IF this.problem IS NULL OR this.problem = 'blank' THEN
			IF NOT is_sealed THEN
				RAISE EXCEPTION 'the trigger that seals did not seal column % of table %', pin_column, accounts
					USING ERRCODE = 'object_not_in_prerequisite_state',
						HINT = 'Is the trigger for another column, or session_replication_role set?';
			ELSIF is_sealed THEN
				sealed := sealed + 1;
			ELSIF this.problem = 'blank' THEN
				blanks := blanks + 1;
			END IF;
		ELSE
			malformed := malformed + 1;
			IF malformed <= 20 THEN
				RAISE WARNING 'left as it is: port PIN of % (%) in table %: %',
					key_columns, array_to_string(this.key, ', ', 'NULL'), accounts, this.problem;
			END IF;
		END IF;
		looked_at := looked_at + 1;

		IF clock_timestamp() >= report_due THEN
			progress := format('%s of %s, %s %%, %s a second, %s left', looked_at, total,
				round(100.0 * looked_at / greatest(total, looked_at), 1),
				round(looked_at / extract(epoch FROM clock_timestamp() - started)),
				date_trunc('second', (clock_timestamp() - started)
					* ((greatest(total, looked_at) - looked_at)::float8 / looked_at)));
			IF looked_at > 1 THEN
				RAISE NOTICE 'port PINs of table %: %', accounts, progress;
			END IF;
			report_due := clock_timestamp() + interval '15 seconds';
			PERFORM set_config('application_name', left('port_pin_seal_column: ' || progress, 63), true);
		END IF;
		IF looked_at % batch_size = 0 THEN
			COMMIT;
			PERFORM pg_catalog.set_config('search_path', path, true);
			PERFORM set_config('application_name', left('port_pin_seal_column: ' || progress, 63), true);
		END IF;
	END LOOP;
	COMMIT;
	PERFORM pg_catalog.set_config('search_path', path, true);

	hint := CASE
		WHEN malformed > 0 THEN format(
			'Correct them: SELECT %3$s, %4$s.port_pin_problem(%2$I) FROM %1$s WHERE NOT %4$s.port_pin_is_sealed(%2$I);',
			accounts, pin_column, key_columns, portpin)
		WHEN sealed > 0 THEN format(
			'VACUUM %s; until then its pages hold the digits that were there.', accounts)
		ELSE 'There is nothing left to be sealed.' END;
	RAISE NOTICE 'port PINs of table %: % sealed, % blank ones set to NULL, % left as they are',
		accounts, sealed, blanks, malformed USING HINT = hint;

	-- From now on the CHECK holds for all rows.
	SELECT conname INTO unvalidated
		FROM pg_constraint JOIN pg_class c ON c.oid = conrelid
			JOIN pg_attribute ON attrelid = conrelid AND conkey = ARRAY[attnum]
		WHERE conrelid = accounts AND contype = 'c' AND NOT convalidated
			AND attname = pin_column AND pg_has_role(relowner, 'USAGE')
			AND pg_get_constraintdef(pg_constraint.oid) LIKE '%port\_pin\_must\_be\_sealed(%';
	IF unvalidated IS NOT NULL AND malformed = 0 THEN
		EXECUTE format('ALTER TABLE %s VALIDATE CONSTRAINT %I', accounts, unvalidated);
	END IF;
END
$procedure$;

COMMENT ON PROCEDURE port_pin_seal_column(pg_catalog.regclass, pg_catalog.name, pg_catalog.int4) IS
'seals the port PINs that a column has already, in committed batches; can be stopped and called again';

--
-- Wrong guesses
--

CREATE TABLE port_pin_failures (
	at pg_catalog.timestamptz NOT NULL,
	accounts pg_catalog.regclass NOT NULL,
	key pg_catalog.text[] COLLATE pg_catalog."C" NOT NULL,
	orders pg_catalog.regclass NOT NULL,
	role pg_catalog.text NOT NULL,
	login pg_catalog.text NOT NULL,
	client pg_catalog.inet,
	application pg_catalog.text NOT NULL,
	unlocked pg_catalog.timestamptz,
	PRIMARY KEY (accounts, key, at)
);

SELECT pg_catalog.pg_extension_config_dump('port_pin_failures', '');

COMMENT ON TABLE port_pin_failures IS
'wrong port PINs, one row each, written and committed before whoever supplied one is told; never the PIN';
COMMENT ON COLUMN port_pin_failures.at IS 'when it was recorded';
COMMENT ON COLUMN port_pin_failures.accounts IS 'the table with the PIN';
COMMENT ON COLUMN port_pin_failures.key IS 'primary key of the row with the PIN';
COMMENT ON COLUMN port_pin_failures.orders IS 'the table that the port order was for';
COMMENT ON COLUMN port_pin_failures.role IS 'who placed the order: the role that was set, outside of any function';
COMMENT ON COLUMN port_pin_failures.login IS 'who had logged in';
COMMENT ON COLUMN port_pin_failures.client IS 'address that the session came from; NULL if from this machine';
COMMENT ON COLUMN port_pin_failures.application IS 'application_name of the session';
COMMENT ON COLUMN port_pin_failures.unlocked IS 'when port_pin_unlock let it count no more';

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

CREATE FUNCTION port_pin_purge_failures(older_than pg_catalog.interval)
	RETURNS pg_catalog.int8
	LANGUAGE sql VOLATILE STRICT
BEGIN ATOMIC
	WITH purged AS (
		DELETE FROM port_pin_failures f
		WHERE f.at OPERATOR(pg_catalog.<)
			(pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) older_than)
		RETURNING 1)
	SELECT pg_catalog.count(*) FROM purged;
END;

COMMENT ON FUNCTION port_pin_purge_failures(pg_catalog.interval) IS
'delete records of wrong port PINs, with the rights of the caller; returns how many';

--
-- Whoever may ask whether a PIN is right, or set up a gate that does, can guess.
-- Triggers that exist go on firing for everyone.
--

REVOKE EXECUTE ON FUNCTION
	port_pin_check(pg_catalog.text, pg_catalog.text),
	port_pin_seal(port_pin),
	port_pin_seal_keys(),
	port_pin_keep_trigger(),
	port_pin_seal_trigger(),
	port_pin_gate_trigger(),
	port_pin_protect(pg_catalog.regclass, pg_catalog.name, pg_catalog.bool, pg_catalog.bool),
	port_pin_gate(pg_catalog.regclass, pg_catalog.name, pg_catalog.name[], pg_catalog.name, pg_catalog.name[], pg_catalog.name, pg_catalog.name, pg_catalog.name, pg_catalog.name, pg_catalog.text, pg_catalog.name, pg_catalog.bool)
	FROM PUBLIC;
