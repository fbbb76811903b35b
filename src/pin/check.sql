--
-- A supplied PIN against a stored one
--

CREATE TYPE port_pin_verdict AS ENUM (
	'accepted',
	'source_locked_out',
	'account_unknown',
	'port_locked',
	'too_many_attempts',
	'pin_not_set',
	'pin_required',
	'pin_expired',
	'pin_used',
	'pin_too_new',
	'pin_mismatch'
);

COMMENT ON TYPE port_pin_verdict IS
'what a gate says of a port order, in the order in which it is decided; a refusal has the SQLSTATE 23PNA (source_locked_out), 23PN1, 23PN2 and so on to 23PN6 (pin_expired), 23PN8 (pin_used), 23PN9 (pin_too_new), 23PN7 (pin_mismatch)';

CREATE FUNCTION port_pin_check(stored pg_catalog.text, supplied pg_catalog.text)
	RETURNS port_pin_verdict
	AS 'MODULE_PATHNAME' LANGUAGE C STABLE PARALLEL SAFE;

COMMENT ON FUNCTION port_pin_check(pg_catalog.text, pg_catalog.text) IS
'accepted, pin_not_set, pin_required or pin_mismatch, in time that does not tell where two PINs differ';
