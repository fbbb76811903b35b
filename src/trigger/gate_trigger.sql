--
-- No port order without the PIN
--

CREATE FUNCTION port_pin_gate_trigger() RETURNS pg_catalog.trigger
	AS 'MODULE_PATHNAME' LANGUAGE C;

COMMENT ON FUNCTION port_pin_gate_trigger() IS
'trigger: no port order without its account''s port PIN (23PN1 to 23PNA); see port_pin_gate';

CREATE FUNCTION port_pin_used_trigger() RETURNS pg_catalog.trigger
	AS 'MODULE_PATHNAME' LANGUAGE C;

COMMENT ON FUNCTION port_pin_used_trigger() IS
'trigger: an order that is stored as accepted has used its account''s port PIN; beside a gate that records verdicts or redacts, see port_pin_gate';
