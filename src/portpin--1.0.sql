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

GRANT SELECT ON port_pin_reject_codes TO PUBLIC;

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
