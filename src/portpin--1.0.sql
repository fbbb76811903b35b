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
'keep the port PINs of a table set, and if asked in their format: creates triggers and returns the statements that it ran';

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
-- Whoever may ask whether a PIN is right, or set up a gate that does, can guess.
-- Triggers that exist go on firing for everyone.
--

REVOKE EXECUTE ON FUNCTION
	port_pin_check(pg_catalog.text, pg_catalog.text),
	port_pin_keep_trigger(),
	port_pin_gate_trigger(),
	port_pin_protect(pg_catalog.regclass, pg_catalog.name, pg_catalog.bool, pg_catalog.bool),
	port_pin_gate(pg_catalog.regclass, pg_catalog.name, pg_catalog.name[], pg_catalog.name, pg_catalog.name[], pg_catalog.name, pg_catalog.name, pg_catalog.name, pg_catalog.name, pg_catalog.text, pg_catalog.name, pg_catalog.bool)
	FROM PUBLIC;
