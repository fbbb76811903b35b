-- Nobody gains a privilege through the record of wrong guesses.
--
-- The worker that writes it acts for the database and runs nobody's code: no trigger,
-- no rule, no default, no setting.  Grants decide who sees the record, who lifts a
-- lock-out and who sets the limit.

CREATE SCHEMA failures;
TRUNCATE port_pin_failures;
SET search_path = failures, public;
SET client_min_messages = warning;
SELECT current_user AS me \gset

CREATE ROLE regress_portpin_carrier;
CREATE ROLE regress_portpin_clerk NOLOGIN;
CREATE ROLE regress_portpin_support NOLOGIN;
GRANT CREATE ON SCHEMA failures TO regress_portpin_carrier;
GRANT USAGE ON SCHEMA failures TO PUBLIC;

SET ROLE regress_portpin_carrier;
CREATE TABLE accounts (id int PRIMARY KEY, pin port_pin);
CREATE TABLE port_orders (account int REFERENCES accounts, pin port_pin);
INSERT INTO accounts VALUES (1, '735517'), (2, '735517');
GRANT INSERT ON port_orders TO regress_portpin_clerk;
RESET ROLE;
SELECT count(*) > 0 AS guarded FROM port_pin_protect('accounts');
SELECT count(*) > 0 AS gated FROM port_pin_gate('port_orders');

\set VERBOSITY sqlstate

-- A clerk may place orders, and no more.  The record has the role that was set and the
-- login behind it, but not the role that a function acts for.
SET ROLE regress_portpin_clerk;
INSERT INTO failures.port_orders VALUES (1, '100001');
SELECT * FROM port_pin_failures;
SELECT * FROM port_pin_lockouts;
DELETE FROM port_pin_failures;
SELECT port_pin_purge_failures('0');
SELECT port_pin_lift_lockout('accounts', '1');
SET portpin.max_failures_per_account = 0;
SET portpin.failure_window = '1s';
RESET ROLE;
CREATE FUNCTION place(pin text) RETURNS void LANGUAGE sql SECURITY DEFINER AS
	'INSERT INTO failures.port_orders VALUES (1, pin)';
SET ROLE regress_portpin_clerk;
SELECT place('100002');
RESET ROLE;
SELECT role_name, login_name = :'me' AS login_name FROM port_pin_failures ORDER BY failed_at;

-- The owner of the accounts lifts their lock-outs.
SET ROLE regress_portpin_carrier;
SELECT port_pin_lift_lockout('accounts', '1');
SELECT port_pin_lift_lockout('port_pin_failures', '1');
SELECT * FROM port_pin_lockouts;
RESET ROLE;

-- So does a role that was granted the function by name, directly or as a member.
CREATE ROLE regress_portpin_temp NOLOGIN IN ROLE regress_portpin_support;
GRANT EXECUTE ON FUNCTION port_pin_lift_lockout TO regress_portpin_support;
GRANT SELECT ON port_pin_lockouts TO regress_portpin_support;
SET ROLE regress_portpin_temp;
SELECT port_pin_lift_lockout('accounts', '1');
SELECT count(*) FROM port_pin_lockouts;
SELECT * FROM port_pin_failures;
RESET ROLE;
REVOKE EXECUTE ON FUNCTION port_pin_lift_lockout FROM regress_portpin_support;
REVOKE SELECT ON port_pin_lockouts FROM regress_portpin_support;
SET ROLE regress_portpin_temp;
SELECT port_pin_lift_lockout('accounts', '1');
\set VERBOSITY default
SELECT port_pin_lift_lockout('accounts', '1');
\set VERBOSITY sqlstate
RESET ROLE;

-- Nothing that others attach to the table is ever run.  They may be allowed to: not
-- even TRIGGER is a way to a superuser.
TRUNCATE port_pin_failures;
CREATE TABLE traces (what text);
GRANT INSERT ON traces TO PUBLIC;
CREATE FUNCTION leave_trace() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO failures.traces VALUES (format('%s trigger, as %s', tg_when, current_user));
	RETURN NEW;
END $$;
CREATE FUNCTION trace_default() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO failures.traces VALUES (format('default, as %s', current_user));
	RETURN 'run';
END $$;
CREATE FUNCTION trace_check(text) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO failures.traces VALUES (format('check, as %s', current_user));
	RETURN true;
END $$;
GRANT TRIGGER ON port_pin_failures TO regress_portpin_clerk;
SET ROLE regress_portpin_clerk;
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE ON port_pin_failures
	FOR EACH ROW EXECUTE FUNCTION failures.leave_trace();
CREATE TRIGGER after_row AFTER INSERT OR UPDATE ON port_pin_failures
	FOR EACH ROW EXECUTE FUNCTION failures.leave_trace();
CREATE TRIGGER before_statement BEFORE INSERT OR UPDATE ON port_pin_failures
	FOR EACH STATEMENT EXECUTE FUNCTION failures.leave_trace();
RESET ROLE;
ALTER TABLE port_pin_failures ENABLE ALWAYS TRIGGER before_row;
ALTER TABLE port_pin_failures ENABLE ALWAYS TRIGGER after_row;
CREATE RULE also AS ON INSERT TO port_pin_failures DO ALSO
	INSERT INTO failures.traces VALUES ('rule');
CREATE RULE also_update AS ON UPDATE TO port_pin_failures DO ALSO
	INSERT INTO failures.traces VALUES ('rule');
ALTER TABLE port_pin_failures
	ADD COLUMN note text DEFAULT trace_default(),
	ADD CHECK (trace_check(note)) NOT VALID;
ALTER TABLE port_pin_failures ENABLE ROW LEVEL SECURITY;
ALTER TABLE port_pin_failures FORCE ROW LEVEL SECURITY;
TRUNCATE traces;
INSERT INTO port_orders VALUES (2, '100001');
SET portpin.max_failures_per_account = 1;
INSERT INTO port_orders VALUES (2, '735517');
SELECT port_pin_lift_lockout('accounts', '2');
SELECT account_key, note, lifted_at IS NOT NULL AS lifted FROM port_pin_failures;
SELECT * FROM traces;
-- an INSERT by hand shows that they would run
INSERT INTO port_pin_failures (failed_at, account_schema, account_table, account_key, order_schema, order_table, pid)
	SELECT failed_at + '1s', account_schema, account_table, account_key, order_schema, order_table, pid FROM port_pin_failures;
SELECT count(*) > 4 AS traces FROM traces;
RESET portpin.max_failures_per_account;

DROP TRIGGER before_row ON port_pin_failures;
DROP TRIGGER after_row ON port_pin_failures;
DROP TRIGGER before_statement ON port_pin_failures;
DROP RULE also ON port_pin_failures;
DROP RULE also_update ON port_pin_failures;
ALTER TABLE port_pin_failures DROP COLUMN note, DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
REVOKE TRIGGER ON port_pin_failures FROM regress_portpin_clerk;
TRUNCATE port_pin_failures, traces;

-- An index of the owner is maintained, and its function runs as the owner and not as a
-- superuser, whatever role the worker has.
CREATE FUNCTION trace_index(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	RETURN current_user;
END $$;
ALTER TABLE port_pin_failures OWNER TO regress_portpin_carrier;
CREATE INDEX port_pin_failures_trace ON port_pin_failures (trace_index(login_name));
INSERT INTO port_orders VALUES (2, '100001');
SET enable_seqscan = off;
SELECT count(*) FROM port_pin_failures WHERE trace_index(login_name) = 'regress_portpin_carrier';
RESET enable_seqscan;
DROP INDEX port_pin_failures_trace;
ALTER TABLE port_pin_failures OWNER TO :"me";

-- The type of a key may have a CHECK, which is the code of its owner: it is run with
-- the owner's rights, not with those of the role that lifts the lock-out, and calls no
-- function that this role has put into search_path.
CREATE FUNCTION tell(text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE WARNING 'run as %', current_user;
    RETURN length($1) > 0;
END $$;
CREATE DOMAIN told_key AS text CHECK (failures.tell(VALUE));
CREATE TABLE told_accounts (id told_key PRIMARY KEY, pin port_pin);
GRANT USAGE ON SCHEMA failures TO regress_portpin_carrier;
ALTER TABLE told_accounts OWNER TO regress_portpin_carrier;
CREATE FUNCTION length(text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'code of the role that lifts';
END $$;
\set VERBOSITY terse
SET search_path = failures, pg_catalog, public;
SELECT port_pin_lift_lockout('told_accounts', '4711');
SET search_path = failures, public;
\set VERBOSITY sqlstate

SELECT port_pin_purge_failures('0');
DROP SCHEMA failures CASCADE;
DROP ROLE regress_portpin_clerk, regress_portpin_support, regress_portpin_temp, regress_portpin_carrier;
