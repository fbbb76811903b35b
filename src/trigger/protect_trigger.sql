--
-- A set PIN is never cleared
--

CREATE FUNCTION port_pin_protect_trigger() RETURNS pg_catalog.trigger
	AS 'MODULE_PATHNAME' LANGUAGE C;

COMMENT ON FUNCTION port_pin_protect_trigger() IS
'trigger: a set port PIN is never cleared (23PN0), and a new one is such as the guard asks for (23514); see port_pin_protect';
