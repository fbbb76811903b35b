--
-- No port order without the PIN
--

CREATE FUNCTION port_pin_gate_trigger() RETURNS pg_catalog.trigger
	AS 'MODULE_PATHNAME' LANGUAGE C;

COMMENT ON FUNCTION port_pin_gate_trigger() IS
'trigger: no port order without its account''s port PIN (23PN1 to 23PNA); see port_pin_gate';
