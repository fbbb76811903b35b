--
-- Whoever may ask whether a PIN is right, or set up a gate that does, can guess.
-- Triggers that exist go on firing for everyone.
--

REVOKE EXECUTE ON FUNCTION
	port_pin_check(pg_catalog.text, pg_catalog.text),
	port_pin_seal(port_pin),
	port_pin_seal_keys(),
	port_pin_protect_trigger(),
	port_pin_seal_trigger(),
	port_pin_gate_trigger(),
	port_pin_failures_trigger(),
	port_pin_protect(pg_catalog.regclass, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.bool, pg_catalog.bool, pg_catalog.bool, pg_catalog.bool, pg_catalog.bool),
	port_pin_unprotect(pg_catalog.regclass, pg_catalog.text, pg_catalog.bool),
	port_pin_gate(pg_catalog.regclass, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.text, pg_catalog.bool, pg_catalog.text, pg_catalog.bool),
	port_pin_ungate(pg_catalog.regclass, pg_catalog.text, pg_catalog.bool)
	FROM PUBLIC;

GRANT SELECT ON port_pin_guards, port_pin_reject_codes TO PUBLIC;
