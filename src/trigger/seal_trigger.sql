--
-- Digits are stored sealed
--

CREATE FUNCTION port_pin_seal_trigger() RETURNS pg_catalog.trigger
	AS 'MODULE_PATHNAME' LANGUAGE C;

COMMENT ON FUNCTION port_pin_seal_trigger() IS
'trigger: digits that are written to a sealed column are stored sealed; see port_pin_protect';


CREATE FUNCTION port_pin_check_sealed(stored pg_catalog.text) RETURNS pg_catalog.bool
	AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION port_pin_check_sealed(pg_catalog.text) IS
'for the CHECK of a sealed column: true, or an error that does not show the row';
