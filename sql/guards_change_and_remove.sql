-- A guard can be changed and removed as easily as it was installed: replace => true
-- replaces what is there, whole or half; port_pin_unprotect() and port_pin_ungate()
-- remove all that was made.  The call that makes a guard is shown where it is needed:
-- to edit, to compare, to undo.
CREATE SCHEMA change;
SET search_path = change, public;
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on

-- All that a guard consists of: triggers, on partitions only those that are not clones
-- of the partitioned table's; CHECKs; statistics.
CREATE FUNCTION parts(guarded regclass) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT part FROM (
		SELECT replace(pg_get_triggerdef(oid), ' EXECUTE FUNCTION ', ' ... ') FROM pg_trigger
		WHERE tgrelid IN (SELECT guarded UNION SELECT relid FROM pg_partition_tree(guarded))
			AND NOT tgisinternal AND tgparentid = 0
		UNION ALL
		SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
		WHERE conrelid = guarded AND contype = 'c'
		UNION ALL
		SELECT 'no statistics of ' || attname FROM pg_attribute
		WHERE attrelid = guarded AND attstattarget = 0 AND attnum > 0 AND NOT attisdropped) AS p (part)
	ORDER BY part COLLATE "C" $$;
-- Does this transaction keep readers of a table waiting?
CREATE FUNCTION locks_readers_out(guarded regclass) RETURNS boolean LANGUAGE sql AS $$
	SELECT count(*) > 0 FROM pg_locks
	WHERE pid = pg_backend_pid() AND relation = guarded AND mode = 'AccessExclusiveLock' $$;
CREATE FUNCTION definition(guarded regclass) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT definition FROM port_pin_guards WHERE relation = guarded ORDER BY definition COLLATE "C" $$;
CREATE FUNCTION problems() RETURNS TABLE (relation regclass, pin_column text, trigger_name text, problem text)
LANGUAGE sql AS $$
	SELECT g.relation, g.pin_column, g.trigger_name, g.problem
	FROM port_pin_guards AS g JOIN pg_class c ON c.oid = g.relation
	WHERE relnamespace = 'change'::regnamespace AND g.problem IS NOT NULL
	ORDER BY g.relation::text COLLATE "C", g.pin_column COLLATE "C", g.trigger_name COLLATE "C" $$;

--
-- A whole guard
--
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin, locked boolean, good_until timestamptz);
SELECT * FROM port_pin_protect('accounts', lock => 'locked', forbid_delete => true);
-- Without replace it stays as it is; the error shows what that is.
SELECT * FROM port_pin_protect('accounts', lock => 'locked', forbid_delete => true, expires => 'good_until');
-- One option more: no trigger is gone even for a moment, and no reader has to wait.
BEGIN;
SELECT * FROM port_pin_protect('accounts', lock => 'locked', forbid_delete => true, expires => 'good_until', replace => true);
SELECT locks_readers_out('accounts');
COMMIT;
-- Some options fewer: a NOTICE tells which, and the call that brings them back.  What is
-- returned is one transaction, since the triggers are dropped one by one.
BEGIN;
SELECT * FROM port_pin_protect('accounts', expires => 'good_until', replace => true);
SELECT locks_readers_out('accounts');
SELECT parts('accounts');
ROLLBACK;
-- After the rollback nothing has changed, and repeating the first replace changes nothing.
SELECT parts('accounts');
CREATE TEMP TABLE before AS SELECT parts('accounts');
SELECT count(*) FROM port_pin_protect('accounts', lock => 'locked', forbid_delete => true, expires => 'good_until', replace => true);
SELECT count(*) AS same FROM before JOIN parts('accounts') AS now ON parts = now;
DROP TABLE before;

--
-- Half a guard, or none
--
DROP TRIGGER port_pin_protect_delete ON accounts;
SELECT * FROM problems();
SELECT * FROM port_pin_protect('accounts', lock => 'locked', forbid_delete => true, replace => true);
SELECT parts('accounts');
-- The trigger that states the rules is gone: nothing tells any more what they were.
DROP TRIGGER port_pin_protect ON accounts;
SELECT * FROM problems();
SELECT definition('accounts');
SELECT count(*) FROM port_pin_protect('accounts', forbid_delete => true, replace => true);
-- A disabled trigger is enabled again.
ALTER TABLE accounts DISABLE TRIGGER port_pin_protect_truncate;
SELECT * FROM problems();
SELECT count(*) FROM port_pin_protect('accounts', forbid_delete => true, replace => true);
SELECT * FROM problems();
-- One that fires where replication applies changes goes on doing so.
ALTER TABLE accounts ENABLE ALWAYS TRIGGER port_pin_protect;
SELECT * FROM port_pin_protect('accounts', forbid_delete => true, replace => true);
SELECT enabled FROM port_pin_guards WHERE relation = 'accounts'::regclass;
-- Nothing there: replace installs.
SELECT count(*) FROM port_pin_unprotect('accounts');
SELECT * FROM port_pin_protect('accounts', replace => true);
SELECT * FROM problems();

-- Triggers with other names keep them; new ones get the names that they would have.
ALTER TRIGGER port_pin_protect ON accounts RENAME TO "Our guard";
SELECT * FROM port_pin_protect('accounts', forbid_delete => true, replace => true);
-- A hand-made trigger for two events is replaced by two triggers.
DROP TRIGGER "Our guard" ON accounts;
DROP TRIGGER port_pin_protect_delete ON accounts;
CREATE TRIGGER "Our guard" AFTER UPDATE OR DELETE ON accounts
	FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger('pin=pin', 'key=id');
SELECT * FROM problems();
SELECT * FROM port_pin_protect('accounts', forbid_delete => true, replace => true);
-- A constraint trigger can't be replaced, so it is dropped once the new one is there.
DROP TRIGGER port_pin_protect ON accounts;
CREATE CONSTRAINT TRIGGER port_pin_protect AFTER UPDATE ON accounts
	FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger('pin=pin', 'key=id');
SELECT * FROM port_pin_protect('accounts', forbid_delete => true, replace => true);
SELECT * FROM port_pin_unprotect('accounts');

--
-- A PIN column that was renamed: its guard is found all the same
--
SELECT count(*) FROM port_pin_protect('accounts', lock => 'locked');
ALTER TABLE accounts RENAME pin TO port_out_pin;
SELECT * FROM problems();
SELECT * FROM port_pin_protect('accounts', lock => 'locked', replace => true);
SELECT * FROM problems();
-- But not by a call for another PIN, which has a guard of its own.
ALTER TABLE accounts ADD former port_pin;
SELECT count(*) FROM port_pin_protect('accounts', 'former', lock => 'locked');
ALTER TABLE accounts RENAME port_out_pin TO pin;
SELECT * FROM port_pin_protect('accounts', 'former', replace => true);
SELECT * FROM problems();
SELECT port_pin_unprotect('accounts', 'former');
SELECT * FROM port_pin_protect('accounts', 'pin', replace => true);
ALTER TABLE accounts DROP former;
SELECT * FROM problems();

--
-- A guard for a lock alone, and one for a PIN: the second takes in the first, but not
-- the other way round
--
CREATE TABLE numbers (e164 text PRIMARY KEY, account int REFERENCES accounts, locked boolean);
SELECT * FROM port_pin_protect('numbers', lock => 'locked');
SELECT definition('numbers');
ALTER TABLE numbers ADD pin port_pin;
SELECT port_pin_protect('numbers', lock => 'locked');
SELECT * FROM port_pin_protect('numbers', lock => 'locked', clearable => true, replace => true);
SELECT parts('numbers');
SELECT port_pin_unprotect('numbers');
-- A PIN in a text column must be named, or its guard would be lost in passing.
ALTER TABLE numbers ALTER pin TYPE varchar(10);
SELECT count(*) FROM port_pin_protect('numbers', 'pin');
SELECT port_pin_protect('numbers', lock => 'locked', replace => true);
SELECT port_pin_protect('numbers', lock => 'locked');
ALTER TABLE numbers RENAME pin TO code;
SELECT port_pin_protect('numbers', lock => 'locked', replace => true);
SELECT * FROM port_pin_protect('numbers', 'code', lock => 'locked', replace => true);
SELECT port_pin_unprotect('numbers');
ALTER TABLE numbers DROP code;

--
-- A gate: from refusing to keeping verdicts, and back
--
CREATE TABLE orders (id int PRIMARY KEY, account int CONSTRAINT account REFERENCES accounts, old_account int REFERENCES accounts,
	number text REFERENCES numbers, pin port_pin, verdict port_pin_verdict, is_port boolean);
INSERT INTO accounts (id, pin) VALUES (1, '011111');
SELECT * FROM port_pin_gate('orders', fk => 'account', scope => 'is_port');
SELECT * FROM port_pin_gate('orders', fk => 'account', verdict => 'verdict');
SELECT * FROM port_pin_gate('orders', fk => 'account', verdict => 'verdict', replace => true);
INSERT INTO orders VALUES (1, 1, NULL, NULL, '022222', NULL, true);
SELECT id, verdict FROM orders;
SELECT * FROM port_pin_gate('orders', fk => 'account', replace => true);
INSERT INTO orders VALUES (2, 1, NULL, NULL, '022222', NULL, true);
-- Gates on other keys, with names of their own, are left alone.
SELECT count(*) FROM port_pin_gate('orders', fk => 'old_account');
SELECT * FROM port_pin_gate('orders', fk => 'old_account', scope => 'is_port', replace => true);
SELECT definition('orders');
-- A key that was renamed
ALTER TABLE orders RENAME old_account TO former_account;
SELECT * FROM problems();
SELECT * FROM port_pin_gate('orders', fk => 'former_account', replace => true);
SELECT * FROM problems();

--
-- A guard whose rules a gate over it can't meet: the gate refuses all orders, which is
-- said at once, with what mends it
--
ALTER TABLE accounts ADD used timestamptz;
CREATE TABLE kept (id int PRIMARY KEY, account int REFERENCES accounts, pin port_pin, verdict port_pin_verdict NOT NULL);
SELECT count(*) FROM port_pin_gate('kept', verdict => 'verdict');
SELECT count(*) FROM port_pin_protect('accounts', used => 'used', replace => true);
SELECT * FROM problems() WHERE relation = 'kept'::regclass;
-- The hint is the call.
SELECT COALESCE(hint, definition) AS mend FROM port_pin_guards WHERE relation = 'kept'::regclass \gset
:mend
INSERT INTO kept VALUES (1, 1, '022222');
-- Rules that it can meet pass without a word.
SELECT count(*) FROM port_pin_protect('accounts', used => 'used', history => true, replace => true);
SELECT count(*) FROM port_pin_protect('accounts', used => 'used', history => true, scope => 'locked', replace => true);
INSERT INTO kept VALUES (2, 1, '022222');
-- A gate that is disabled refuses nothing.
ALTER TABLE kept DISABLE TRIGGER USER;
SELECT count(*) FROM port_pin_protect('accounts', used => 'used', history => true, scope => 'locked', replace => true);
DROP TABLE kept;
SELECT count(*) FROM port_pin_protect('accounts', lock => 'locked', replace => true);
ALTER TABLE accounts DROP used;

-- A trigger of the application that sorts before the gate may lock the account or use
-- up its PIN before the order is judged: a NOTICE names it, and so does the view.
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER "UseUpPin" AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER use_up_pin AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION touch();
SELECT count(*) FROM port_pin_gate('orders', fk => 'account', replace => true);
SELECT * FROM problems();
-- One that does not fire, or fires only when the transaction ends, is not named.
ALTER TABLE orders DISABLE TRIGGER "UseUpPin";
CREATE CONSTRAINT TRIGGER "Later" AFTER INSERT ON orders INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION touch();
SELECT count(*) FROM port_pin_gate('orders', fk => 'account', replace => true);
SELECT * FROM problems();

--
-- Removing a guard that gates need: the gates go first.  The hint can be pasted.
--
SELECT port_pin_unprotect('accounts');
CREATE FUNCTION hint(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hint text;
BEGIN
	EXECUTE statement;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN substring(hint FROM 'SELECT.*');
END $$;
-- Gates may lead over a number, too, and a disabled gate still counts.
ALTER TABLE orders DISABLE TRIGGER _port_pin_gate;
CREATE TABLE "By number" (number text CONSTRAINT number REFERENCES numbers, "Port PIN" varchar(10));
SELECT count(*) FROM port_pin_protect('numbers', lock => 'locked');
SELECT count(*) FROM port_pin_gate('"By number"', fk => 'number', via => 'account', pin => '"Port PIN"');
SELECT port_pin_unprotect('numbers');
SELECT hint('SELECT port_pin_unprotect(''accounts'')');
SELECT hint('SELECT port_pin_unprotect(''accounts'')') \gexec
SELECT hint('SELECT port_pin_unprotect(''accounts'')');
SELECT parts('accounts') UNION ALL SELECT parts('orders') UNION ALL SELECT parts('"By number"');

-- Removing what is not there: an error, unless if_exists is given.
SELECT port_pin_ungate('orders');
SELECT port_pin_ungate('orders', if_exists => true);
SELECT port_pin_unprotect('accounts');
SELECT port_pin_unprotect('accounts', if_exists => true);
SELECT port_pin_unprotect('accounts', 'pin', true);
SELECT port_pin_unprotect('accounts', 'a, b');
SELECT port_pin_unprotect(NULL);
SELECT port_pin_ungate(NULL);
-- Where there are several, the call must say which.
SELECT count(*) FROM port_pin_protect('accounts');
SELECT count(*) FROM port_pin_gate('orders', fk => 'account');
SELECT count(*) FROM port_pin_gate('orders', fk => 'former_account');
SELECT port_pin_ungate('orders');
SELECT port_pin_ungate('orders', 'id');
SELECT port_pin_ungate('orders', 'former_account');
SELECT port_pin_ungate('orders');
-- Other people's triggers stay.
SELECT parts('orders');
DROP TABLE orders, "By number", numbers;

--
-- All that was made is removed, with CHECKs and the statistics of a sealed column
--
CREATE TABLE sealed (id int PRIMARY KEY, pin port_pin_sealed, note text CHECK (note <> ''));
SELECT count(*) FROM port_pin_protect('sealed', forbid_delete => true);
SELECT parts('sealed');
SELECT * FROM port_pin_unprotect('sealed');
SELECT parts('sealed');
DROP TABLE sealed;
CREATE TABLE legacy (id int PRIMARY KEY, code varchar(10));
SELECT count(*) FROM port_pin_protect('legacy', 'code', check_format => true);
SELECT parts('legacy');
-- A CHECK that is gone is a problem; one that asks for more is as good.
ALTER TABLE legacy DROP CONSTRAINT port_pin_format;
SELECT * FROM problems();
ALTER TABLE legacy ADD CONSTRAINT mine CHECK (length(code) <> 7 AND port_pin_check_format(code));
SELECT * FROM problems();
-- But it is not the guard's, so it stays.
SELECT * FROM port_pin_unprotect('legacy');
SELECT parts('legacy');
SELECT count(*) FROM port_pin_protect('legacy', 'code', check_format => true);
ALTER TABLE legacy DROP CONSTRAINT mine;
SELECT count(*) FROM port_pin_protect('legacy', 'code', check_format => true, replace => true);
SELECT parts('legacy');
-- The CHECK goes with the option.
SELECT * FROM port_pin_protect('legacy', 'code', replace => true);
SELECT parts('legacy');
-- Without the option, an identical CHECK is not the guard's, so it stays, too.
ALTER TABLE legacy ADD CONSTRAINT mine CHECK (port_pin_check_format(code));
SELECT * FROM port_pin_protect('legacy', 'code', forbid_delete => true, replace => true);
SELECT * FROM port_pin_unprotect('legacy');
SELECT parts('legacy');

-- Partitioned tables, with the triggers on TRUNCATE that each partition has
CREATE TABLE regional (region text, id int, pin port_pin, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
CREATE TABLE east PARTITION OF regional FOR VALUES IN ('east');
CREATE TABLE west PARTITION OF regional FOR VALUES IN ('west') PARTITION BY RANGE (id);
CREATE TABLE west_1 PARTITION OF west FOR VALUES FROM (1) TO (100);
SELECT count(*) FROM port_pin_protect('regional', forbid_delete => true);
SELECT parts('regional');
SELECT port_pin_unprotect('east');
SELECT * FROM port_pin_protect('regional', replace => true);
SELECT count(*) FROM port_pin_protect('regional', forbid_delete => true, replace => true);
SELECT * FROM port_pin_unprotect('regional');
SELECT parts('regional');
SELECT count(*) FROM pg_trigger WHERE tgrelid IN ('east'::regclass, 'west_1'::regclass) AND NOT tgisinternal;
-- Partitions that have guards of their own give them up for that of the whole table.
SELECT port_pin_protect('east');
CREATE TABLE north (LIKE regional INCLUDING INDEXES);
SELECT count(*) FROM port_pin_protect('north', forbid_delete => true);
ALTER TABLE regional ATTACH PARTITION north FOR VALUES IN ('north');
SELECT * FROM port_pin_protect('regional');
SELECT * FROM port_pin_protect('regional', forbid_delete => true, replace => true);
SELECT * FROM problems();
-- Where a partition has a trigger of that name, the guard's get another.
SELECT count(*) FROM port_pin_unprotect('regional');
CREATE TRIGGER port_pin_protect_insert AFTER INSERT ON east FOR EACH ROW EXECUTE FUNCTION touch();
SELECT count(*) FROM port_pin_protect('regional');
SELECT parts('regional');

-- A guard whose column is gone, with the triggers that name it in their WHEN
SELECT count(*) FROM port_pin_protect('accounts', forbid_delete => true, replace => true);
ALTER TABLE accounts DROP COLUMN pin;
ALTER TABLE accounts DROP COLUMN pin CASCADE;
SELECT * FROM problems();
SELECT * FROM port_pin_unprotect('accounts');
-- One that has no WHEN
CREATE TABLE loose (id text COLLATE "C", pin port_pin);
CREATE TRIGGER by_hand AFTER UPDATE ON loose FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger('pin=pin');
ALTER TABLE loose DROP COLUMN pin;
SELECT * FROM problems();
SELECT * FROM port_pin_unprotect('loose');
-- One that has an unknown argument
CREATE TRIGGER by_hand AFTER UPDATE ON loose FOR EACH ROW EXECUTE FUNCTION port_pin_protect_trigger('pin=id', 'moves=follow');
SELECT * FROM problems();
SELECT * FROM port_pin_unprotect('loose', 'id');

--
-- The definition makes the same guard again, whatever its options and names are
--
CREATE TABLE "All of ""it""" ("No." int, "Key, too" int, "The PIN" varchar(10), "user" boolean, "lock{" boolean,
	"Lock Until" timestamptz, expires timestamptz, PRIMARY KEY ("No.", "Key, too"));
CREATE TABLE "It's ordered" ("No." int, "to" int, "from" int, "pin's" port_pin, "is it" boolean, "what, then" port_pin_verdict,
	FOREIGN KEY ("No.", "to") REFERENCES "All of ""it""" ("No.", "Key, too"),
	FOREIGN KEY ("No.", "from") REFERENCES "All of ""it""" ("No.", "Key, too"));
CREATE TABLE "Number" (n int PRIMARY KEY, "Owner" int, "Id" int, pin port_pin, "P2" port_pin,
	FOREIGN KEY ("Owner", "Id") REFERENCES "All of ""it""" ("No.", "Key, too"));
CREATE TABLE by_number (n int REFERENCES "Number", pin port_pin);
SELECT count(*) FROM port_pin_protect('"All of ""it"""', '"The PIN"', scope => 'user', lock => '"lock{"',
	lock_until => '"Lock Until"', expires => 'expires', forbid_delete => true, check_format => true, allow_unset => true);
SELECT count(*) FROM port_pin_protect('"Number"', 'P2', forbid_delete => true);
SELECT count(*) FROM port_pin_protect('"Number"', 'pin', clearable => true);
SELECT count(*) FROM port_pin_gate('"It''s ordered"', fk => 'No., to', scope => '"is it"', verdict => '"what, then"', redact => true);
SELECT count(*) FROM port_pin_gate('by_number', fk => 'n', via => '{Owner,Id}', account_pin => 'P2');
CREATE VIEW odd_ones (t, number) AS VALUES ('"All of ""it"""'::regclass, 1), ('"Number"', 2), ('"It''s ordered"', 3), ('by_number', 4);
SELECT definition(t) FROM odd_ones ORDER BY number;

CREATE TEMP TABLE before AS
	SELECT t, parts(t) AS part FROM odd_ones;
-- Over what is there ...
\o /dev/null
SELECT definition(t) FROM odd_ones ORDER BY number \gexec
\o
SELECT count(*) AS parts, count(part) FILTER (WHERE part IN (SELECT parts(t))) AS same FROM before;
-- ... and where nothing is.
CREATE TEMP TABLE calls AS
	SELECT number, definition(t) AS call FROM odd_ones;
SELECT count(*) FROM port_pin_ungate('by_number') UNION ALL SELECT count(*) FROM port_pin_ungate('"It''s ordered"')
	UNION ALL SELECT count(*) FROM port_pin_unprotect('"Number"', 'pin') UNION ALL SELECT count(*) FROM port_pin_unprotect('"Number"')
	UNION ALL SELECT count(*) FROM port_pin_unprotect('"All of ""it"""');
SET search_path = '';
\o /dev/null
SELECT call FROM pg_temp.calls ORDER BY number \gexec
\o
SET search_path = change, public;
SELECT count(*) AS parts, count(part) FILTER (WHERE part IN (SELECT parts(t))) AS same FROM before;
SELECT * FROM problems();

-- The hints of errors are such calls, too.
CREATE TABLE "Not guarded" (id int PRIMARY KEY, "Port PIN" port_pin);
CREATE TABLE its_orders (id int REFERENCES "Not guarded", pin port_pin);
SELECT port_pin_gate('its_orders');
SELECT hint('SELECT port_pin_gate(''its_orders'')') \gexec
SELECT count(*) FROM port_pin_gate('its_orders');

--
-- Names never collide: another guard may have a column that is called like the end of a
-- name, or columns may have names that begin alike
--
CREATE TABLE many_pins (id int PRIMARY KEY, pin port_pin, delete port_pin,
	a_name_of_a_column_that_is_as_long_as_postgresql_allows_it_to_b port_pin,
	a_name_of_a_column_that_is_as_long_as_postgresql_allows_it_to_c port_pin);
SELECT count(*) FROM pg_attribute, LATERAL port_pin_protect('many_pins', attname::text, forbid_delete => true)
WHERE attrelid = 'many_pins'::regclass AND atttypid = 'port_pin'::regtype;
SELECT tgname, substring(pg_get_triggerdef(oid) FROM '(AFTER \w+|BEFORE \w+)'), substring(pg_get_triggerdef(oid) FROM 'pin=(\w+)') FROM pg_trigger
WHERE tgrelid = 'many_pins'::regclass AND NOT tgisinternal ORDER BY tgname COLLATE "C";
SELECT pin_column, enabled, problem FROM port_pin_guards WHERE relation = 'many_pins'::regclass ORDER BY pin_column COLLATE "C";
SELECT count(*) FROM port_pin_unprotect('many_pins', 'delete');
SELECT pin_column, enabled, problem FROM port_pin_guards WHERE relation = 'many_pins'::regclass ORDER BY pin_column COLLATE "C";
-- The same with gates
CREATE TABLE payers (id int PRIMARY KEY, pin port_pin);
SELECT count(*) FROM port_pin_protect('payers');
CREATE TABLE many_keys (account int REFERENCES payers, update int REFERENCES payers, pin port_pin,
	a_name_of_a_column_that_is_as_long_as_postgresql_allows_it_to_b int REFERENCES payers,
	a_name_of_a_column_that_is_as_long_as_postgresql_allows_it_to_c int REFERENCES payers);
SELECT count(*) FROM pg_attribute, LATERAL port_pin_gate('many_keys', fk => attname::text)
WHERE attrelid = 'many_keys'::regclass AND atttypid = 'int'::regtype AND attnum > 0;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'many_keys'::regclass AND NOT tgisinternal ORDER BY tgname COLLATE "C";
SELECT port_pin_ungate('many_keys', 'update');
-- And where a stranger's trigger has the name.
CREATE TABLE taken (id int PRIMARY KEY, locked boolean);
CREATE TRIGGER port_pin_protect AFTER INSERT ON taken FOR EACH ROW EXECUTE FUNCTION touch();
SELECT * FROM port_pin_protect('taken', lock => 'locked');

--
-- port_pin_assert_guarded(): for migrations and CI
--
CREATE TABLE lost (id int PRIMARY KEY, pin port_pin);
-- Named or not, the first problem is an error.
SELECT port_pin_assert_guarded('payers', 'many_keys');
SELECT port_pin_assert_guarded('payers', 'lost');
SELECT count(*) FROM port_pin_protect('lost');
SELECT port_pin_assert_guarded('payers', 'lost');
ALTER TABLE lost DISABLE TRIGGER port_pin_protect;
SELECT port_pin_assert_guarded('payers', 'lost');
-- A table without any guard, which no view shows
SELECT port_pin_assert_guarded('payers', 'taken', 'pg_class');
-- NULL, or a table that is not there, is an error.
SELECT port_pin_assert_guarded('payers', NULL);
SELECT port_pin_assert_guarded(VARIADIC NULL);
SELECT port_pin_assert_guarded('nowhere');
-- A partition is guarded with the whole table, and that with all of its partitions.
SELECT port_pin_assert_guarded('regional', 'west_1');
ALTER TABLE west_1 DISABLE TRIGGER USER;
SELECT port_pin_assert_guarded('regional');
SELECT port_pin_assert_guarded('east');
ALTER TABLE west_1 ENABLE TRIGGER USER;
SELECT port_pin_assert_guarded('east');
-- Its error is 55000, not one of class 23, and everyone may ask.
CREATE ROLE regress_portpin_ci;
GRANT USAGE ON SCHEMA change TO regress_portpin_ci;
SET ROLE regress_portpin_ci;
\set VERBOSITY sqlstate
SELECT port_pin_assert_guarded('lost');
\set VERBOSITY default
SELECT port_pin_assert_guarded('payers');
RESET ROLE;

-- Changing and removing takes the rights that installing takes; dropping what others
-- made takes the ownership of the table.
GRANT EXECUTE ON FUNCTION port_pin_unprotect, port_pin_protect, port_pin_protect_trigger TO regress_portpin_ci;
SET ROLE regress_portpin_ci;
SELECT port_pin_unprotect('lost');
RESET ROLE;
GRANT TRIGGER ON lost TO regress_portpin_ci;
SET ROLE regress_portpin_ci;
SELECT port_pin_unprotect('lost');
SELECT port_pin_protect('lost', replace => true);
RESET ROLE;
SELECT port_pin_assert_guarded('lost');

SET client_min_messages = warning;
DROP SCHEMA change CASCADE;
REVOKE EXECUTE ON FUNCTION port_pin_unprotect, port_pin_protect, port_pin_protect_trigger FROM regress_portpin_ci;
DROP ROLE regress_portpin_ci;
